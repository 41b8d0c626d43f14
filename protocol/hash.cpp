#include "protocol/hash.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <bit>
#include <cstdlib>

namespace xmpp {

std::string sha1(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  auto size = 0U;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha1(), nullptr) != 1)
    std::abort();
  return {reinterpret_cast<const char*>(digest), size};
}

sha256::sha256() : state_(EVP_MD_CTX_new()) {
  if (!state_ || EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr) != 1)
    std::abort();
}

void sha256::add(std::string_view bytes) {
  if (EVP_DigestUpdate(state_.get(), bytes.data(), bytes.size()) != 1)
    std::abort();
}

std::string sha256::digest() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  auto size = 0U;
  if (EVP_DigestFinal_ex(state_.get(), digest, &size) != 1)
    std::abort();
  return {reinterpret_cast<const char*>(digest), size};
}

void sha256::deleter::operator()(evp_md_ctx_st* x) const noexcept {
  EVP_MD_CTX_free(x);
}

namespace {

struct sip_state {
  std::uint64_t a, b, c, d;

  void rounds(int count) noexcept {
    while (count-- > 0) {
      a += b;
      c += d;
      b = std::rotl(b, 13) ^ a;
      d = std::rotl(d, 16) ^ c;
      a = std::rotl(a, 32);
      c += b;
      a += d;
      b = std::rotl(b, 17) ^ c;
      d = std::rotl(d, 21) ^ a;
      c = std::rotl(c, 32);
    }
  }
};

/// The next `size` bytes, at most eight, little-endian whatever the machine.
std::uint64_t word_of(const char* bytes, std::size_t size) noexcept {
  auto result = std::uint64_t{0};
  for (auto i = std::size_t{0}; i < size; ++i)
    result |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return result;
}

std::array<std::uint64_t, 2> random_key() {
  auto key = std::array<std::uint64_t, 2>{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), sizeof key) != 1)
    std::abort();
  return key;
}

} // namespace

std::uint64_t siphash(const std::array<std::uint64_t, 2>& key, std::string_view bytes) noexcept {
  auto state = sip_state{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                         key[1] ^ 0x7465646279746573};
  const auto take = [&](std::uint64_t word) {
    state.d ^= word;
    state.rounds(2);
    state.a ^= word;
  };
  auto rest = bytes;
  for (; rest.size() >= 8; rest.remove_prefix(8))
    take(word_of(rest.data(), 8));
  take(word_of(rest.data(), rest.size()) | std::uint64_t{bytes.size()} << 56);
  state.c ^= 0xff;
  state.rounds(4);
  return state.a ^ state.b ^ state.c ^ state.d;
}

std::size_t keyed_hash::operator()(std::string_view x) const noexcept {
  static const auto key = random_key();
  return static_cast<std::size_t>(siphash(key, x));
}

} // namespace xmpp
