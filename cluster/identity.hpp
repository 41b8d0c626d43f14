// IDENTITY: who a node is, whatever its name and address: a random number, a key, and the certificate of its cluster.
//
// A cluster is known by its own random number and by its private authority, made once (`troupe cluster init`). The
// authority's key travels to every member, in group 0, so that any of them can issue; its certificate is the only root
// that links trust. A node's certificate has one name, `troupe:<cluster>/<node>`, and is good for both sides of a link.
//
// So a member that was removed still has the authority's key, and can make certificates in anybody's name. Links refuse
// them: they want a member, and the key that it joined with (link.hpp). What it could do is pass for a member before a
// node that is just joining, from between that node and the address in its token, and so learn the token's secret. Who
// removes a node because somebody has broken into it invites over a network that it is not on.
//
// All of it is values. Times are seconds since 1970 and come from the caller.
#pragma once

#include "net/authority.hpp"
#include "net/outcome.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp::cluster {

using node_id = std::uint64_t;    ///< Random, never 0; the node's `raft::member_id`, too.
using cluster_id = std::uint64_t; ///< Likewise.

/// Random, never 0.
std::uint64_t make_id();
/// 16 hexadecimal digits, lower case.
std::string id_text(std::uint64_t id);
/// Exactly that form, and not 0.
std::optional<std::uint64_t> parse_id(std::string_view text);

/// What a certificate calls its node.
struct node_name {
  cluster_id cluster = 0;
  node_id node = 0;

  std::string text() const; ///< `troupe:00c3…/5af0…`
  static std::optional<node_name> parse(std::string_view text);
  friend bool operator==(const node_name&, const node_name&) = default;
};

// -- the cluster's authority --

constexpr auto authority_days = 30 * 365;
constexpr auto certificate_valid_s = std::int64_t{90} * 24 * 3600;
/// Certificates begin earlier than they are made, for members whose clocks are behind.
constexpr auto clock_skew_s = 3600;

struct cluster_authority {
  cluster_id cluster = 0;
  net::authority pair;

  /// Holds the authority's key: to be stored in group 0 and shown to nobody.
  std::string encode() const;
  /// Nothing: not such bytes.
  static std::optional<cluster_authority> decode(std::string_view bytes);
};

net::outcome<cluster_authority> make_cluster_authority(std::int64_t now_s);
/// Of a request takes the key alone: whose certificate it becomes is `node`.
net::outcome<std::string> issue(const cluster_authority& by, node_id node, const std::string& request,
                                std::int64_t now_s, std::int64_t valid_s = certificate_valid_s);
/// For a member that asks another one, with its certificate, which must still be good. Where the authority is at hand,
/// `renewed` needs nobody.
net::outcome<std::string> issue_again(const cluster_authority& by, const std::string& certificate,
                                      const std::string& request, std::int64_t now_s,
                                      std::int64_t valid_s = certificate_valid_s);
/// Whose certificate it is. Fails unless this authority issued it for a node of this cluster and it is good now.
net::outcome<node_name> verify(cluster_id cluster, const std::string& authority_certificate,
                               const std::string& certificate, std::int64_t now_s);

// -- a node --

struct identity {
  node_id node = 0;
  std::string private_key;
  cluster_id cluster = 0;            ///< 0: in none yet; then the next two are empty.
  std::string certificate;           ///< Its own.
  std::string authority_certificate; ///< Of its cluster.

  bool is_member() const noexcept { return cluster != 0; }
  node_name name() const { return {cluster, node}; }

  /// Text: three lines, then PEM, the key first. Holds the key.
  std::string encode() const;
  /// Fails with words when it is not such a text, or when its parts do not belong together.
  static net::outcome<identity> decode(std::string_view text);
};

/// A new node: id and key.
net::outcome<identity> make_identity();
net::outcome<std::string> request_of(const identity& who);
/// The same node as a member. Fails when the certificate is not this node's, not this key's, not good now.
net::outcome<identity> admitted(const identity& who, cluster_id cluster, const std::string& authority_certificate,
                                const std::string& certificate, std::int64_t now_s);
/// The same member with a certificate from now on.
net::outcome<identity> renewed(const identity& who, const cluster_authority& by, std::int64_t now_s,
                               std::int64_t valid_s = certificate_valid_s);
/// Less than a third of the certificate's time is left, or none. False for what has no certificate.
bool is_due_for_renewal(const identity& who, std::int64_t now_s);

// -- on disk: `<data folder>/cluster/identity`, for the owner's eyes only --

std::filesystem::path identity_file(const std::filesystem::path& data_folder);
/// Replaces it as a whole, synced: a crash leaves the old one or the new one.
net::outcome<void> save(const std::filesystem::path& data_folder, const identity& who);
/// Nothing when there is none. Fails when it can not be read, is no identity, or may be read by others.
net::outcome<std::optional<identity>> load(const std::filesystem::path& data_folder);

} // namespace xmpp::cluster
