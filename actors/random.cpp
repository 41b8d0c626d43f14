#include "actors/random.hpp"

#include "protocol/sasl.hpp"

namespace xmpp {

std::string random_text(std::size_t length) {
  auto result = sasl::secure_random(length);
  for (auto& c : result)
    c = "abcdefghijklmnopqrstuvwxyz234567"[static_cast<unsigned char>(c) & 31];
  return result;
}

} // namespace xmpp
