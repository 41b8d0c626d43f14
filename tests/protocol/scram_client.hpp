// The client's side of SCRAM, for tests: written against the RFC and OpenSSL alone, so that it shares no mistake with
// the server's.
#pragma once

#include "protocol/sasl.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>
#include <string_view>

namespace xmpp::fixtures {

struct scram_client {
  sasl::hash with = sasl::hash::sha_1;
  std::string user = "juliet";
  std::string password = "r0m30myr0m30";
  std::string header = "n,,"; ///< GS2
  std::string binding = {};   ///< Bytes of the channel binding, after `p=`.
  std::string nonce = "fyko+d2lbbFgONRv9qkxdawL";
  std::string expected = {}; ///< Set by `answer`: the server's last words.

  const EVP_MD* digest() const {
    return with == sasl::hash::sha_1 ? EVP_sha1() : with == sasl::hash::sha_256 ? EVP_sha256() : EVP_sha512();
  }

  std::string mac(std::string_view key, std::string_view text) const {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned used = 0;
    HMAC(digest(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), out, &used);
    return {reinterpret_cast<char*>(out), used};
  }

  std::string bare() const { return "n=" + user + ",r=" + nonce; }
  std::string first() const { return header + bare(); }

  /// To the server's challenge.
  std::string answer(const std::string& challenge) {
    const auto field = [&](const char* name) {
      const auto at = challenge.find(name) + 2;
      return challenge.substr(at, challenge.find(',', at) - at);
    };
    const auto salt = *sasl::base64_decode(field("s="));
    auto salted = std::string(static_cast<std::size_t>(EVP_MD_get_size(digest())), '\0');
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                      reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                      std::stoi(field("i=")), digest(), static_cast<int>(salted.size()),
                      reinterpret_cast<unsigned char*>(salted.data()));
    auto proof = mac(salted, "Client Key");
    unsigned char stored[EVP_MAX_MD_SIZE];
    unsigned used = 0;
    EVP_Digest(proof.data(), proof.size(), stored, &used, digest(), nullptr);
    const auto last = "c=" + sasl::base64_encode(header + binding) + ",r=" + field("r=");
    const auto signed_text = bare() + ',' + challenge + ',' + last;
    const auto signature = mac({reinterpret_cast<char*>(stored), used}, signed_text);
    for (std::size_t i = 0; i < proof.size(); ++i)
      proof[i] = static_cast<char>(proof[i] ^ signature[i]);
    expected = "v=" + sasl::base64_encode(mac(mac(salted, "Server Key"), signed_text));
    return last + ",p=" + sasl::base64_encode(proof);
  }
};

} // namespace xmpp::fixtures
