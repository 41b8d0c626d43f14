// Join tokens: what a member makes for one node to come (`troupe cluster invite`), and what is kept of it.
//
// The text is shown once: `troupe-join:<host>:<port>:<fingerprint>:<secret>`. The fingerprint is that of the cluster's
// authority, so that the joining node knows whom it tells the secret; of the secret the cluster keeps a hash alone.
// All of it is values; times are seconds since 1970 and come from the caller.
#pragma once

#include "cluster/identity.hpp"
#include "net/outcome.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::cluster {

struct join_token {
  std::string host; ///< A name or an IP address, without brackets.
  std::uint16_t port = 0;
  std::string fingerprint; ///< Of the authority's certificate (`net::fingerprint_of`).
  std::string secret;      ///< 64 hexadecimal digits.

  std::string text() const; ///< An IPv6 address in brackets.
  /// Blanks around it are ignored.
  static net::outcome<join_token> parse(std::string_view text);
};

/// What the cluster keeps, in group 0.
struct invitation {
  std::string secret_hash; ///< 32 bytes; no secret.
  std::int64_t expires_s = 0;
  /// Empty: not used yet. Else a digest of the key for which it was used: the same node may ask again when the answer
  /// got lost.
  std::string used_by;

  std::string encode() const;
  /// Nothing: not such bytes.
  static std::optional<invitation> decode(std::string_view bytes);
  friend bool operator==(const invitation&, const invitation&) = default;
};

struct invited {
  join_token token;
  invitation kept;
};
net::outcome<invited> invite(std::string host, std::uint16_t port, const std::string& authority_certificate,
                             std::int64_t now_s, std::int64_t valid_s);

std::string hash_of_secret(std::string_view secret);

enum class token_verdict : std::uint8_t { good, unknown, expired, used };
/// For people.
std::string_view to_string(token_verdict verdict) noexcept;

/// Looks for the hash in constant time and, when its invitation is good, marks it as used by that key
/// (`net::key_digest_of_request`). The same on every member that holds the same list.
token_verdict redeem(std::vector<invitation>& list, std::string_view secret_hash, std::string_view key_digest,
                     std::int64_t now_s);

} // namespace xmpp::cluster
