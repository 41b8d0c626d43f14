// Any messages to any mechanism: nobody signs in without a password. Any bytes as base64 and as a stored record.
//
// Input: the mechanism, a byte of answers, then messages, each ended by FF.
#include "protocol/sasl.hpp"

#include <cstdlib>

using namespace xmpp;

namespace {

void must(bool holds) {
  if (!holds)
    std::abort();
}

const sasl::random_source zeros = [](std::size_t bytes) { return std::string(bytes, '\0'); };

sasl::environment make_environment() {
  auto made = sasl::environment{};
  made.host = "example.com";
  made.offered = {sasl::mechanism::scram_sha_1_plus, sasl::mechanism::scram_sha_1};
  made.bindings.tls_exporter = "exporter";
  made.certified = {*jid::parse("juliet@example.com"), *jid::parse("nurse@example.com")};
  made.server_secret = "secret";
  made.random = &zeros;
  return made;
}

void converse(sasl::mechanism chosen, std::uint8_t answers, std::string_view input) {
  using step = sasl::exchange::step;
  static const auto stream = make_environment();
  // Of no password: as good as any for those who know none.
  static constexpr std::uint32_t iterations[] = {4'096};
  static const auto stored = sasl::fake_credentials("another secret", *jid::parse("juliet@example.com"), iterations);
  auto attempt = sasl::exchange{chosen, stream};
  auto next = step{step::challenge};
  for (;;)
    switch (next.next) {
    case step::challenge: {
      if (input.empty())
        return;
      const auto end = std::min(input.find('\xff'), input.size());
      next = attempt.receive(input.substr(0, end));
      input.remove_prefix(std::min(end + 1, input.size()));
      break;
    }
    case step::lookup:
      must(attempt.account().is_bare() && attempt.account().has_local() && attempt.account().domain() == "example.com");
      next = answers & 1 ? attempt.found(stored, answers & 2) : attempt.not_found();
      break;
    case step::check_password:
      must(!attempt.take_password().empty() && !attempt.take_candidate().keys.empty());
      next = attempt.checked(answers & 4);
      break;
    case step::success:
      must(chosen == sasl::mechanism::anonymous || (answers & 1) != 0);
      must(chosen != sasl::mechanism::plain || (answers & 6) == 4);
      must(chosen != sasl::mechanism::external || attempt.account().local() == "juliet" ||
           attempt.account().local() == "nurse");
      must(chosen == sasl::mechanism::anonymous || chosen == sasl::mechanism::plain ||
           chosen == sasl::mechanism::external);
      return;
    case step::failure:
      must(!condition_name(next.why).empty());
      must(attempt.receive("n,,n=juliet,r=abc").next == step::failure);
      return;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = std::string_view{reinterpret_cast<const char*>(bytes), size};
  if (const auto decoded = sasl::base64_decode(text))
    must(sasl::base64_encode(*decoded) == text);
  if (const auto stored = sasl::decode(text))
    must(sasl::encode(*stored) == text);
  if (size < 2)
    return 0;
  converse(static_cast<sasl::mechanism>(bytes[0] % 9), bytes[1], text.substr(2));
  return 0;
}
