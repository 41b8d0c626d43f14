// Join tokens: what a member makes for one node to come (`troupe cluster invite`). Whether one is good, the system
// group decides (system_state.hpp, `ask::join`).
//
// The text is shown once: `troupe-join:<host>:<port>:<fingerprint>:<secret>`. The fingerprint is that of the cluster's
// authority, so that the joining node knows whom it tells the secret; of the secret the cluster keeps a hash alone.
#pragma once

#include "net/outcome.hpp"

#include <cstdint>
#include <string>
#include <string_view>

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

/// With a new secret. What is kept of it in group 0 (`ask::invite`) is its hash.
net::outcome<join_token> make_join_token(std::string host, std::uint16_t port,
                                         const std::string& authority_certificate);
/// 32 bytes; no secret.
std::string hash_of_secret(std::string_view secret);

} // namespace xmpp::cluster
