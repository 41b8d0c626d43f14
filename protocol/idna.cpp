#include "protocol/idna.hpp"

#include <unicode/uidna.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace xmpp {

std::string to_a_labels(std::string_view domain) {
  if (std::all_of(domain.begin(), domain.end(), [](unsigned char c) { return c < 0x80; }))
    return std::string{domain};
  static const auto* const idna = [] {
    auto failure = U_ZERO_ERROR;
    return uidna_openUTS46(UIDNA_USE_STD3_RULES | UIDNA_NONTRANSITIONAL_TO_ASCII, &failure);
  }(); // never freed: used until the process ends, and safe to share between threads
  auto failure = U_ZERO_ERROR;
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  auto out = std::array<char, 256>{}; // a name in DNS has 253
  const auto size = idna ? uidna_nameToASCII_UTF8(idna, domain.data(), static_cast<std::int32_t>(domain.size()),
                                                  out.data(), out.size(), &info, &failure)
                         : 0;
  if (U_FAILURE(failure) || info.errors != 0 || size <= 0)
    return std::string{domain};
  return {out.data(), static_cast<std::size_t>(size)};
}

} // namespace xmpp
