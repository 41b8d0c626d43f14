// Bytes that claim to be a tree, a stanza or an address of another node: refused, or a tree that XML knows, too, and
// that comes back.
#include "protocol/binary_xml.hpp"

#include "protocol/namespaces.hpp"
#include "protocol/parser.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace xmpp;

namespace {

stream_limits limits() {
  auto out = stream_limits{};
  out.stanza_bytes_max = 20'000;
  out.depth_max = 16;
  return out;
}

stream_limits roomy() {
  auto out = limits();
  out.stanza_bytes_max = out.unauthenticated_bytes_max = 1'000'000;
  out.children_max = 100'000;
  out.namespaces_max = 100;
  return out;
}

void require(bool holds) {
  if (!holds)
    std::abort();
}

void check(const element& x) {
  static auto clients = parser{ns::client, roomy()}, servers = parser{ns::server, roomy()};
  require(x.bytes().size() <= 2 * limits().stanza_bytes_max);
  auto parsed = (x.ns() == ns::server ? servers : clients).parse(x.bytes());
  require(parsed && *parsed == x);
  auto bytes = std::string{};
  require(bool(binary::append(bytes, x)));
  auto again = binary::read_tree(bytes, limits());
  require(again && *again == x);
}

} // namespace

/// The first byte chooses what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const auto bytes = std::string_view{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0] % 3) {
  case 0:
    if (auto tree = binary::read_tree(bytes, limits()))
      check(*tree);
    break;
  case 1:
    if (auto x = binary::read_stanza(bytes, limits())) {
      check(x->tree);
      auto written = std::string{};
      require(bool(binary::append(written, *x)));
      auto again = binary::read_stanza(written, limits());
      require(again && again->kind == x->kind && again->type == x->type && again->from == x->from &&
              again->to == x->to && again->tree == x->tree);
    }
    break;
  default:
    if (auto x = binary::read_jid(bytes); x && !x->empty()) {
      auto written = std::string{};
      binary::append(written, *x);
      require(written == bytes);
      require(!x->domain().empty() && x->bare().text() == x->bare_text());
    }
  }
  return 0;
}
