// Any bytes as an address: what is accepted is its own prepared form, within its limits.
#include "protocol/jid.hpp"

#include "protocol/limits.hpp"

#include <cstdlib>

using namespace xmpp;

namespace {

void must(bool holds) {
  if (!holds)
    std::abort();
}

template <class Prepare>
void check_part(std::string_view text, Prepare prepare) {
  const auto once = prepare(text);
  if (!once)
    return;
  must(!once->empty() && once->size() <= jid_part_bytes_max && once->find('\0') == std::string::npos);
  const auto twice = prepare(*once);
  must(twice && *twice == *once);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = std::string_view{reinterpret_cast<const char*>(bytes), size};
  check_part(text, prepare_local);
  check_part(text, prepare_domain);
  check_part(text, prepare_resource);
  check_part(text, prepare_password);
  const auto x = jid::parse(text);
  if (!x)
    return 0;
  must(!x->domain().empty());
  must(x->local().find_first_of("\"&'/:<>@ ") == std::string_view::npos);
  must(x->domain().find_first_of("/@ ") == std::string_view::npos);
  const auto again = jid::parse(x->text());
  must(again && *again == *x);
  const auto stored = jid::from_prepared(x->text());
  must(stored == *x && stored.local() == x->local() && stored.domain() == x->domain() &&
       stored.resource() == x->resource());
  const auto made = jid::make(x->local(), x->domain(), x->resource());
  must(made && *made == *x);
  must(x->bare().text() == x->bare_text() && x->bare().with_resource(x->resource()) == *x);
  return 0;
}
