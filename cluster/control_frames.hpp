// What the nodes of a cluster say to each other about the cluster itself, as bytes: each message is one frame of a
// link, on the channels `urgent` and `bulk`. On `normal` travels what actors say (actors/remote_messages.hpp).
//
//     frame      number byte, body                            raft, state: their bytes have a version of their own
//                number byte, version byte, body, extras      all others
//     extras     { tag varint, string } up to the end; of a report 1, its links: list of { node, is_up bool,
//                waiting bytes varint, round trip in us varint }; 3: words on its hosts, where they are not as agreed
//
//     number  message    channel  body
//     1       raft       urgent   shard, bytes to the end          large ones, and states: bulk
//     2       leads      urgent   sequence varint, list of { shard, term varint }
//     3       report     urgent   sessions varint, disk_ok bool, words, disk_free varint, disk_used varint,
//                                 state_version varint, up varint, list of { shard, term varint, applied varint,
//                                 bytes varint, transferring_to node, list of { node, lag varint },
//                                 list of { node, progress byte } }, list of { shard, applied varint }
//     4       state      bulk     bytes to the end
//     5       propose    urgent   request varint, command string
//     6       proposed   urgent   request varint, failure byte, words, changed bool, number varint
//     7       transfer   urgent   shard, node
//     8       ask        bulk     request varint, question byte, string
//     9       answer     bulk     request varint, failure byte, string
//
//     shard   2 bytes, big-endian     node   8 bytes, big-endian     list   count varint, items in ascending order
//     failure   an `errc`             words  string, for people      others: persistence/codec.hpp
//
// Later versions (nodes are upgraded one after the other):
// - A new message takes a new number; a new field goes to the extras under a new tag. Nothing above changes, no number
//   is used twice.
// - An even tag must be understood: an older node refuses the frame. An odd one may be ignored.
// - What can not be said otherwise takes a new version of its message; of `propose` and `ask` the request stands first
//   in each, so that who can not read the rest still answers.
// - An `errc` that is not known reads as `internal_server_error`. A question that is not known is the receiver's to
//   answer, with `feature_not_implemented`; so is a command that can not be decoded.
//
// Another node is trusted in what it says and not in how: every list and text has a bound, a number that is out of its
// range spoils the frame. Words are cut and made fit for a log (`fit_words`). There are secrets in here: the
// authority's key in a state, join tokens' hashes in a command, what an operator typed in a question. A summary has
// none.
#pragma once

#include "cluster/system_state.hpp"
#include "protocol/error.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

namespace xmpp::cluster::control {

inline constexpr std::uint8_t version = 1;

inline constexpr std::size_t shards_max = std::size_t{shard_count_max} + 1; ///< And the system group.
inline constexpr std::size_t others_max = 16;                               ///< Voters and spares beside a leader.
inline constexpr std::size_t command_bytes_max = 2u << 20;
inline constexpr std::size_t question_bytes_max = 64u << 10;
inline constexpr std::size_t answer_bytes_max = 1u << 20;

// Views are of the frame that was read, or of what its writer holds.

/// From one member of a group to another: `group_replica::receive`.
struct raft {
  shard_id shard = 0;
  std::string_view bytes; ///< Not empty.

  friend bool operator==(const raft&, const raft&) = default;
};

/// All that the sender leads and serves now: `leadership::is_here`. Said when that changes and when a link comes up.
struct leads {
  std::uint64_t sequence = 1; ///< Grows with each in a process, so that an older one undoes nothing.
  std::map<shard_id, std::uint64_t> terms;

  friend bool operator==(const leads&, const leads&) = default;
};

/// How the sender is; once a second.
struct report {
  struct led {
    std::uint64_t term = 1, applied = 0;
    std::uint64_t bytes = 0;                  ///< 0: not known.
    node_id transferring_to = 0;              ///< 0: it stays.
    std::map<node_id, std::uint64_t> lag;     ///< Entries, of each other voter and spare.
    std::map<node_id, std::uint8_t> catch_up; ///< Of spares: `raft::group::catch_up_progress`.

    friend bool operator==(const led&, const led&) = default;
  };

  /// The sender's, to another.
  struct link {
    bool is_up = false;
    std::uint64_t waiting_bytes = 0, round_trip_us = 0; ///< 0: not known yet.

    friend bool operator==(const link&, const link&) = default;
  };

  std::uint64_t sessions = 0;
  bool disk_ok = true;
  std::string disk_words; ///< Why not.
  std::uint64_t disk_free_bytes = 0, disk_used_bytes = 0;
  std::uint64_t state_version = 0; ///< `cluster::state::version`, as far as the sender has it.
  std::uint64_t up_s = 0;          ///< Since it started.
  std::map<shard_id, led> leads;
  std::map<shard_id, std::uint64_t> follows; ///< The other replicas it has: applied.
  std::map<node_id, link> links;             ///< An older node says nothing of them.
  std::string host_words;                    ///< How its hosts differ from those agreed on; empty: they do not.

  friend bool operator==(const report&, const report&) = default;
};

/// For nodes without a replica of the system group. Secret: the authority's key is in it.
struct state {
  std::string_view bytes; ///< `cluster::state::decode`.

  friend bool operator==(const state&, const state&) = default;
};

/// To the system group's leader.
struct propose {
  std::uint64_t request = 1;
  std::string_view command; ///< `cluster::command::decode`.

  friend bool operator==(const propose&, const propose&) = default;
};

/// The outcome; as in group_replica.hpp, `timeout` and `storage_failure` leave it open.
struct proposed {
  std::uint64_t request = 1;
  errc failure = errc::none;
  std::string words;
  bool changed = false; ///< As in `cluster::applied`; likewise:
  std::uint64_t number = 0;

  proposed() = default;
  proposed(std::uint64_t of, const result<applied>& outcome);
  result<applied> outcome() const;

  friend bool operator==(const proposed&, const proposed&) = default;
};

/// The system group's leader asks a shard's leader to hand over. Not answered: reports show what became of it.
struct transfer {
  shard_id shard = 0;
  node_id to = 1;

  friend bool operator==(const transfer&, const transfer&) = default;
};

/// Values are sent between nodes: append, never renumber. There may be others.
enum class question : std::uint8_t {
  shell = 1, ///< A step of a command that runs here for a shell there: actors/shell/remote_wire.hpp.
};

struct ask {
  std::uint64_t request = 1;
  question what = question::shell;
  std::string_view bytes;

  friend bool operator==(const ask&, const ask&) = default;
};

struct answer {
  std::uint64_t request = 1;
  errc failure = errc::none;
  std::string_view bytes; ///< Of a failure, words.

  friend bool operator==(const answer&, const answer&) = default;
};

/// In the order of their numbers.
using message = std::variant<raft, leads, report, state, propose, proposed, transfer, ask, answer>;

/// Appends a frame. Leaves `out` as it was and fails with `policy_violation` when `what` is out of bounds: too much in
/// a list or in bytes, a shard that can not be, a term, request or node 0.
result<void> append(std::string& out, const message& what);

/// Reads exactly one frame. Fails with `corrupt_record` (not of the grammar) or `unsupported_feature` (a number,
/// version or tag that is not known).
result<message> read(std::string_view frame);

/// Of a `propose` or an `ask`, whatever its version: for an answer to what `read` refused. 0: nobody waits.
std::uint64_t request_of(std::string_view frame) noexcept;

/// `raft of shard 7, 120 bytes`: for logs and traces, without anything of its bytes and words.
std::string summary(const message& what);

} // namespace xmpp::cluster::control
