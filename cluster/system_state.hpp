// SYSTEM STATE: what all nodes agree on, as a value: who is a member, where the shards are, which hosts there are, the
// settings that are the cluster's. The system group's leader applies commands here, one after the other, and what the
// group replicates is the new state (system_store.hpp).
//
// Nothing here knows a clock, a disk, or which node is alive: a command brings its time and what its proposer saw. So
// no member has to carry out a command of a release that it does not know; all it has to read is the state.
#pragma once

#include "persistence/keys.hpp"
#include "protocol/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace xmpp::cluster {

using node_id = std::uint64_t; ///< As raft::member_id: not 0, drawn by the node itself, kept in its data folder.

using xmpp::system_shard; ///< Placed like any other.

// -- bounds --

inline constexpr std::size_t members_max = 1'000; ///< Those that are gone, until they are forgotten, too.
inline constexpr std::size_t addresses_max = 8, address_bytes_max = 256, version_bytes_max = 64;
inline constexpr std::size_t labels_max = 16, label_bytes_max = 64; ///< A name's, and a value's.
inline constexpr std::size_t hosts_max = 1'000;
inline constexpr std::size_t tokens_max = 100; ///< That have not expired.
inline constexpr std::size_t ca_bytes_max = 65'536, certificate_bytes_max = 64;
inline constexpr std::size_t replicas_max = 5, move_nodes_max = 4;
inline constexpr std::size_t moves_under_way_max = 64;
inline constexpr std::size_t settings_max = 100, extras_max = 100; ///< With those of later releases.
inline constexpr std::size_t extra_bytes_max = 1u << 20;

// -- the parts of the state --

/// Values are stored: append, never renumber.
enum class setting : std::uint8_t {
  shard_count = 1, ///< Fixed when the cluster is made.
  replicas,        ///< Of each shard, when there are as many nodes: 3 or 5.
  replace_after_s, ///< A node that was silent for so long is replaced where there is another.
  moves_max,       ///< Shards that change their replicas at a time.
  transfers_max,   ///< Leaders that are moved at a time.
  certificate_valid_s,
};

struct setting_rule {
  setting which;
  std::string_view name;
  std::uint64_t initial, min, max;
};

inline constexpr auto setting_rules = std::array{
    setting_rule{setting::shard_count, "shard_count", 64, 1, shard_count_max},
    setting_rule{setting::replicas, "replicas", 3, 3, replicas_max},
    setting_rule{setting::replace_after_s, "replace_after_s", 600, 30, 2'592'000},
    setting_rule{setting::moves_max, "moves_max", 1, 1, 16},
    setting_rule{setting::transfers_max, "transfers_max", 4, 1, 64},
    setting_rule{setting::certificate_valid_s, "certificate_valid_s", 2'592'000, 3'600, 31'536'000},
};

std::optional<setting> setting_by_name(std::string_view name) noexcept;
std::string_view name_of(setting which) noexcept;

/// What a node says of itself.
struct announcement {
  node_id id = 0;
  std::vector<std::string> addresses;        ///< For links, `host:port`, the best first.
  std::string client_address;                ///< For `see-other-host` (RFC 6120, 4.9.3.19); may be empty.
  std::string version;                       ///< Of the software.
  std::map<std::string, std::string> labels; ///< `zone`: what may fail together; the rest is for people.

  friend bool operator==(const announcement&, const announcement&) = default;
};

enum class standing : std::uint8_t {
  joining = 1, ///< It has its certificate, and has not yet been here.
  up,          ///< It belongs to the cluster; whether it is alive is not known here.
  draining,    ///< It leads nothing and takes no clients.
  gone,        ///< For ever. Kept so that it stays out, and as long as a shard counts it.
};
std::string_view name_of(standing x) noexcept;

struct member {
  announcement says;
  std::uint16_t number = 0; ///< For people, and for the ids of stored messages (ids.hpp); never given to another.
  standing is = standing::joining;
  bool leaves = false;       ///< When draining: its replicas move away and then it is gone. Else it will be back.
  std::int64_t since_ms = 0; ///< Of its standing.
  std::int64_t joined_ms = 0;
  std::string certificate; ///< The fingerprint of its last one.
  std::int64_t certificate_expires_ms = 0;

  friend bool operator==(const member&, const member&) = default;
};

/// What the leader of a shard does next to change its replicas.
enum class step : std::uint8_t {
  add_spare = 1,   ///< All that are to be added.
  catch_up,        ///< All of them.
  promote,         ///< One after another, each when it is done.
  transfer_leader, ///< When one that is to be removed leads.
  remove,          ///< One after another.
};
std::string_view name_of(step x) noexcept;

struct move {
  std::uint64_t id = 0;             ///< Never used again; tells a late report from one that counts.
  std::vector<node_id> add, remove; ///< What is still to be done.
  step at = step::add_spare;
  bool is_undo = false; ///< `remove` takes back what was to be added, perhaps no voter.
  std::int64_t since_ms = 0;

  friend bool operator==(const move&, const move&) = default;
};

struct placement {
  std::vector<node_id> replicas; ///< The voters, ascending; never empty.
  std::optional<move> moving;

  bool has(node_id x) const noexcept;
  /// The voters when the move is done, ascending.
  std::vector<node_id> wanted() const;

  friend bool operator==(const placement&, const placement&) = default;
};

/// An invitation to join, good for one node.
struct token {
  std::int64_t expires_ms = 0;
  node_id used_by = 0; ///< 0: nobody yet.

  friend bool operator==(const token&, const token&) = default;
};

struct state {
  std::string id;                            ///< Of the cluster, 16 random bytes; empty: it has not been made.
  std::uint64_t version = 0;                 ///< Grows by one with each change.
  std::map<setting, std::uint64_t> settings; ///< Those of later releases, too: kept as they are.
  std::map<node_id, member> members;
  std::map<shard_id, placement> shards; ///< All of them, and `system_shard`.
  std::set<std::string> hosts;
  std::map<std::string, token> tokens; ///< By their SHA-256; the token itself is nowhere.
  std::string ca_certificate;
  std::string ca_key; ///< Secret: never shown, never logged.
  std::uint16_t next_number = 1;
  std::uint64_t next_move = 1;
  std::map<std::uint64_t, std::string> extras; ///< What later releases have added, by odd tags: kept as it is.

  friend bool operator==(const state&, const state&) = default;

  std::uint64_t value(setting which) const noexcept; ///< The initial one where it was never set.
  const member* find(node_id x) const noexcept;
  const member* find_number(std::uint64_t number) const noexcept;
  /// In which shards it has, or is about to get, a replica.
  std::size_t replicas_of(node_id x) const noexcept;
  /// `node 3`, or its id when it is no member.
  std::string title(node_id x) const;
  /// As people call a member: by its number, or by the first digits of its id, four or more, as long as no other's
  /// begins so.
  std::optional<node_id> named(std::string_view text) const;

  std::string encode() const;
  /// Fails with `corrupt_record`, and with `unsupported_feature` where a later release says what must be understood;
  /// what it gives back holds together, and encodes to the same bytes.
  static result<state> decode(std::string_view bytes);
};

/// More than half of `voters`.
constexpr std::size_t majority(std::size_t voters) noexcept {
  return voters / 2 + 1;
}

/// `shard 7`, `the system group`.
std::string title(shard_id x);

// -- commands --

/// What can be asked for; each may be refused. Asked again, what is already so changes nothing and is no failure.
namespace ask {

/// Makes the cluster, with one node, which has all shards.
struct init {
  std::string id; ///< 16 bytes.
  announcement first;
  std::vector<std::pair<setting, std::uint64_t>> settings;
  std::vector<std::string> hosts;
  std::string ca_certificate, ca_key;
  std::string certificate; ///< The first node's: its fingerprint.
  std::int64_t certificate_expires_ms = 0;
};

/// Makes a join token known.
struct invite {
  std::string hash; ///< SHA-256 of a token of at least 128 random bits.
  std::int64_t expires_ms = 0;
};

struct revoke {
  std::string hash;
};

/// Uses a token. A node that asks again with its own gets in again.
struct join {
  std::string hash;
  announcement who;
  std::string certificate;
  std::int64_t certificate_expires_ms = 0;
  node_id replaces = 0; ///< It lost its data and was this one, which is removed, as dead. 0: it is new.
};

/// A node says that it is here, at each start and when what it says of itself changed. Ends a draining from which it
/// was to be back.
struct member_up {
  announcement who;
};

struct drain {
  node_id who = 0;
  bool leaves = false;
  bool accepts_fewer = false; ///< Replicas, because fewer than three nodes stay.
};

struct cancel_drain {
  node_id who = 0;
};

/// For ever. Without `is_dead`, which the proposer has seen, only a node that has no replicas.
struct remove {
  node_id who = 0;
  bool is_dead = false;
};

/// One that is gone, and that no shard counts any more.
struct forget {
  node_id who = 0;
};

struct set_setting {
  setting which = setting::replicas;
  std::uint64_t value = 0;
};

/// All virtual hosts, prepared (RFC 7622, 3.2) by who asks: other members might prepare them otherwise.
struct set_hosts {
  std::vector<std::string> hosts;
};

struct begin_move {
  shard_id shard = 0;
  std::vector<node_id> add, remove; ///< Removed in this order.
};

/// `who`: the one that was promoted or removed; 0 in the other steps.
struct move_step_done {
  shard_id shard = 0;
  std::uint64_t move = 0;
  step done = step::add_spare;
  node_id who = 0;
};

/// Takes back what is not yet a voter; what already is one stays.
struct abort_move {
  shard_id shard = 0;
  std::uint64_t move = 0;
};

struct note_certificate {
  node_id who = 0;
  std::string certificate;
  std::int64_t expires_ms = 0;
};

} // namespace ask

struct command {
  std::int64_t at_ms = 0; ///< The proposer's clock, since 1970.
  std::variant<ask::init, ask::invite, ask::revoke, ask::join, ask::member_up, ask::drain, ask::cancel_drain,
               ask::remove, ask::forget, ask::set_setting, ask::set_hosts, ask::begin_move, ask::move_step_done,
               ask::abort_move, ask::note_certificate>
      what;

  std::string encode() const;
  /// Fails with `corrupt_record`.
  static result<command> decode(std::string_view bytes);
};

struct applied {
  bool changed = true;      ///< False: it was so already.
  std::uint64_t number = 0; ///< Of the node that joined; the id of the move that began.
};

/// Carries a command out, or refuses it, says why, and leaves the state as it was.
result<applied> apply(state& to, const command& x);

} // namespace xmpp::cluster
