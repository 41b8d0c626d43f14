#include "protocol/hash.hpp"

#include <openssl/evp.h>

#include <cstdlib>

namespace xmpp {

std::string sha1(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  auto size = 0U;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha1(), nullptr) != 1)
    std::abort();
  return {reinterpret_cast<const char*>(digest), size};
}

} // namespace xmpp
