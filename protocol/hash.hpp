// Digests for what is no secret; those for passwords are in sasl.hpp. And the hash of tables that strangers fill.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st; // OpenSSL's

namespace xmpp {

/// 20 bytes, binary (FIPS 180-4). Ends the process when OpenSSL has no SHA-1, which no supported one lacks.
std::string sha1(std::string_view bytes);

/// SHA-256 (FIPS 180-4) of bytes that come in parts. Ends the process as `sha1` does.
class sha256 {
public:
  sha256();
  void add(std::string_view bytes);
  /// Of all that was added; 32 bytes, binary. The last call.
  std::string digest();

private:
  struct deleter {
    void operator()(evp_md_ctx_st* x) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, deleter> state_;
};

/// SipHash-2-4 (Aumasson and Bernstein, 2012): who does not know the key finds no two inputs that collide more often
/// than chance.
std::uint64_t siphash(const std::array<std::uint64_t, 2>& key, std::string_view bytes) noexcept;

/// For tables whose keys strangers choose: addresses, names, other people's hashes. The key is the process's own,
/// random. `std::hash` has none, so colliding names could be made in advance, and each look-up would walk all of them.
struct keyed_hash {
  std::size_t operator()(std::string_view x) const noexcept;
};

} // namespace xmpp
