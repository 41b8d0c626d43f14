// Finding bytes sixteen at a time, in plain C++ with the vectors that GCC and Clang know on every processor.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace xmpp {

/// The first byte of [p, end) that is not ASCII, or less than `Below`, or one of `Stops`; or `end`.
template <unsigned char Below, char... Stops>
const char* find_stop(const char* p, const char* end) noexcept {
  using block [[gnu::vector_size(16)]] = unsigned char;
  for (; end - p >= 16; p += 16) {
    auto bytes = block{};
    std::memcpy(&bytes, p, sizeof(bytes));
    auto hits = ((bytes >= static_cast<unsigned char>(0x80)) | ... | (bytes == static_cast<unsigned char>(Stops)));
    if constexpr (Below != 0)
      hits |= bytes < Below;
    std::uint64_t halves[2];
    std::memcpy(halves, &hits, sizeof(halves));
    constexpr auto first_of = [](std::uint64_t half) {
      return (std::endian::native == std::endian::little ? std::countr_zero(half) : std::countl_zero(half)) / 8;
    };
    if (halves[0] != 0)
      return p + first_of(halves[0]);
    if (halves[1] != 0)
      return p + 8 + first_of(halves[1]);
  }
  for (; p != end; ++p) {
    auto c = static_cast<unsigned char>(*p);
    if (c >= 0x80 || c < Below || (false || ... || (*p == Stops)))
      break;
  }
  return p;
}

} // namespace xmpp
