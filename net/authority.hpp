// A private authority: keys, the certificates that it issues, and whether one is its own. All values: no files, no
// clock.
//
// Certificates, keys and requests are PEM; keys are P-256, private ones secret. What is not of these forms, or larger
// than they ever are, is refused, so that texts from anywhere may be given.
#pragma once

#include "net/outcome.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xmpp::net {

/// PKCS#8.
outcome<std::string> make_private_key();
/// A request (PKCS#10) for a certificate of this key; it names nobody.
outcome<std::string> make_certificate_request(const std::string& private_key);
/// SHA-256 of the public key that a request is for, once it has proved that its maker has the private one.
outcome<std::string> key_digest_of_request(const std::string& request);

/// Whoever has both can issue.
struct authority {
  std::string certificate; ///< Signed by itself; what it signs can not sign in turn.
  std::string private_key;
};
/// Times are seconds since 1970.
outcome<authority> make_authority(const std::string& common_name, std::int64_t from_s, std::int64_t until_s);

struct certificate_order {
  std::string request; ///< Only its key is taken, never a name in it.
  std::string common_name;
  std::string uri; ///< The subjectAltName.
  std::int64_t from_s = 0;
  std::int64_t until_s = 0;
};
/// For both sides of TLS.
outcome<std::string> issue_certificate(const authority& by, const certificate_order& order);

struct certificate_summary {
  std::string uri; ///< Its only name; empty when it has none, or any other.
  std::int64_t from_s = 0;
  std::int64_t until_s = 0;
  std::string key_digest; ///< SHA-256 of its public key.
};
/// What it says, whoever says so.
outcome<certificate_summary> read_certificate(const std::string& certificate);
/// The same once it is known that this authority issued it, for both sides of TLS, and that `now_s` is within its
/// dates.
outcome<certificate_summary> verify_certificate(const std::string& authority_certificate,
                                                const std::string& certificate, std::int64_t now_s);
/// Fails also when one of the two is no such thing.
outcome<void> check_private_key(const std::string& private_key, const std::string& certificate);
/// SHA-256 of the certificate, 64 hexadecimal digits.
outcome<std::string> fingerprint_of(const std::string& certificate);

// -- for secrets --

/// 32 bytes.
std::string sha256(std::string_view bytes);
/// Unpredictable. Ends the process when the system has none.
std::string random_bytes(std::size_t count);
/// Takes as long whatever the bytes are.
bool is_equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

} // namespace xmpp::net
