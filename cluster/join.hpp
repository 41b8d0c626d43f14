// How a node becomes a member: it has a token and nothing else, asks a member over TLS, and gets its certificate.
//
// Both sides meet at the member's link port, under a name of its own (ALPN), so that this is no link and never becomes
// one. The joining node knows the cluster by the fingerprint in its token: only to who shows that authority it says the
// secret. The member knows the joining node by the secret, once `link_callbacks::on_join` has said so. Then the
// connection ends; with its certificate the node comes back as any member does.
#pragma once

#include "cluster/identity.hpp"
#include "cluster/join_token.hpp"
#include "net/outcome.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::cluster {

constexpr auto link_application = std::string_view{"troupe-link/1"};
constexpr auto join_application = std::string_view{"troupe-join/1"};
constexpr auto join_bytes_max = std::size_t{64 * 1024}; ///< Of each of the messages below.

struct join_request {
  node_id node = 0;
  std::string secret;
  std::string request;                ///< For the certificate, PEM.
  std::string software;               ///< For people.
  std::vector<std::string> addresses; ///< Where its own link port will be, `host:port`.
  std::string replaces = {};          ///< The member whose place it takes (`state::named`); empty: it is new.

  std::string encode() const; ///< Holds the secret.
  /// Nothing: not such bytes.
  static std::optional<join_request> decode(std::string_view bytes);
};

struct member_addresses {
  node_id node = 0;
  std::vector<std::string> addresses; ///< `host:port`
  std::string key_digest = {};        ///< As of `link_peer`; neither said to who joins nor saved.
  friend bool operator==(const member_addresses&, const member_addresses&) = default;
};

struct join_answer {
  std::string certificate; ///< For the node that asked, PEM.
  std::vector<member_addresses> members;
  std::uint32_t shard_count = 0; ///< The cluster's, 1 or more.
  std::string shared = {};       ///< What all nodes have alike; for whoever runs them. Secret.

  std::string encode() const;
  static std::optional<join_answer> decode(std::string_view bytes);
};

/// What the member checks before it asks the system group (`ask::join`, with the hash of the secret): the request
/// proves its key, and a node that is known already has the key that it had, or who finds a used token would become
/// that node. `key_before`: what was returned then; empty for a node that is new. Returns the digest of its key, 32
/// bytes, to be kept with the member. Failures are for the joining node to read.
net::outcome<std::string> check_key(const join_request& x, std::string_view key_before);

struct join_options {
  join_token token;
  std::vector<std::string> seeds; ///< Asked in turn when the token's member can not be reached (discovery.hpp).
  std::string replaces;
  identity self; ///< Saved before: so that it can ask again when the answer is lost.
  std::string software;
  std::vector<std::string> addresses;
  std::int64_t now_s = 0;
  std::uint32_t timeout_ms = 30'000; ///< For all of it.
};
struct joined {
  identity self; ///< A member's now: to be saved.
  std::vector<member_addresses> members;
  std::uint32_t shard_count = 0; ///< The cluster's: this node's store must have as many.
  std::string shared = {};       ///< As in `join_answer`.
};
/// The joining side. Blocks, and looks the host's name up: for a command, not for the running server. Fails with words
/// for whoever typed it; then nothing has changed here.
net::outcome<joined> join(const join_options& how);

} // namespace xmpp::cluster
