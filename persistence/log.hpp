// What a shard's log is made of: its entries, and what a member of a Raft group keeps beside them. Values on their way
// to the disk and back.
#pragma once

#include "persistence/keys.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace xmpp {

/// One entry of a shard's log.
struct log_entry {
  enum class kind : std::uint8_t { command = 1, barrier = 2, configuration = 3 };
  shard_id shard = 0;
  std::uint64_t index = 0; ///< From 1.
  std::uint64_t term = 1;
  kind what = kind::command;
  std::string data; ///< Of a command: `command::encode()`.
};

// -- of groups --

/// One entry of a group's log; where it stands is said elsewhere.
struct group_entry {
  std::uint64_t term = 0;
  log_entry::kind what = log_entry::kind::command;
  std::shared_ptr<const std::string> data; ///< Never null.
};

/// What a member must never forget.
struct hard_state {
  std::uint64_t term = 0, voted_for = 0;

  friend bool operator==(const hard_state&, const hard_state&) = default;
};

/// Where the log begins: the state covers it up to `index`.
struct log_snapshot {
  std::uint64_t index = 0, term = 0, members_index = 0;
  std::string members; ///< As a configuration entry has them.

  friend bool operator==(const log_snapshot&, const log_snapshot&) = default;
};

/// A change of one group's log, stored whole or not at all.
struct log_write {
  shard_id shard = 0;
  std::optional<hard_state> hard;
  /// All that the log had from here on is void, replaced by `entries`; with a `snapshot` all that it had is. 0: it
  /// stays as it is.
  std::uint64_t first_index = 0;
  std::vector<group_entry> entries;
  std::uint64_t trim_to = 0; ///< Entries up to here go. 0: none.
  std::optional<log_snapshot> snapshot;
};

/// Committed entries of one group for its state, from `first_index`, which follows what was applied before.
struct group_apply {
  shard_id shard = 0;
  std::uint64_t first_index = 0;
  std::vector<group_entry> entries;
};

/// What a member finds when it begins.
struct group_log {
  /// Of the writer's: what is asked for in an earlier life is refused.
  std::uint64_t life = 0;
  hard_state hard;
  std::optional<log_snapshot> snapshot;
  std::uint64_t first_index = 1; ///< Of `entries`.
  std::vector<group_entry> entries;
  std::uint64_t applied = 0; ///< What the state has.
};

/// Keys and values of a shard's state, in order, as bytes that travel: `(<string key> <string value>)*`.
struct state_chunk {
  std::string bytes;
  std::string last_key; ///< The next begins behind it.
  bool is_last = false;
};

} // namespace xmpp
