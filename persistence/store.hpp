// Both databases: the log, synced, and the state it leads to. RocksDB is known here only.
//
// The log (WAL, every batch synced) is the truth. The state (no WAL) is written in batches that carry the index of the
// log entry they end with, per shard; it has one column family, so whatever RocksDB flushed of it is a state as it was
// after some batch. A start replays the log from there. What the state has flushed, the log may forget.
//
// That is a lone node's shard. A shard with a hard state belongs to a member of a Raft group
// (cluster/group_replica.hpp): what its log holds need not be committed, so a start leaves log and state as they are,
// and the member says what is applied, what is cut off and what is trimmed.
#pragma once

#include "persistence/keys.hpp"
#include "persistence/log.hpp"
#include "persistence/reader.hpp"
#include "protocol/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class Env;
}

namespace xmpp {

struct store_options {
  std::filesystem::path folder;           ///< Made if missing (mode 0700); holds `log` and `state`.
  std::uint32_t shard_count = 64;         ///< 1 to `shard_count_max`; fixed when the store is made.
  std::size_t cache_bytes_max = 64 << 20; ///< Blocks of the state kept in memory; filled only by reads.
  /// Of each database, before it writes a file; up to twice that in memory under load. More than
  /// `writer_options::log_bytes_max`, or entries reach files before the log forgets them.
  std::size_t memtable_bytes_max = 24 << 20;
  /// Of one file of the state.
  std::size_t table_bytes_max = 64 << 20;
  int open_files_max = 256; ///< Tables of the state that are kept open, at least 20; the rest is for sockets.
  rocksdb::Env* environment = nullptr; ///< For tests: a disk that fails on demand.
  bool is_in_cluster = false;          ///< Else a store with logs of groups is refused.
};

/// Opened once per process. Writing calls come from one thread (the writer's), the maintenance calls from another;
/// reads from any.
///
/// After a `storage_failure` from a writing call nothing more may be written before `reopen` succeeds.
class store {
public:
  /// Opens or makes both databases and replays the log into the state. Fails with `storage_failure`: not our format,
  /// another shard count, locked by another process, a cluster's, disk trouble; the text says which.
  static result<std::unique_ptr<store>> open(store_options options);
  ~store();

  const store_options& options() const noexcept;

  /// Views of the state that live as long as the store, also over a `reopen`.
  const reader& view(tier t) const noexcept;

  // -- the writer's thread --

  /// One synced batch. A shard's first hard state makes it a group's.
  result<void> append(std::span<const log_entry> entries, std::span<const log_write> groups = {});
  /// One batch of their changes into the state, and the index each shard has reached. `corrupt_record` changes nothing.
  result<void> apply(std::span<const log_entry> entries);
  /// The same for groups. What each was applied up to must have been known to `begin`. A command of a known origin and
  /// sequence that was applied less than `sent_again_within` indexes ago changes nothing; nor does a malformed one.
  result<void> apply(std::span<const group_apply> groups);
  std::uint64_t last_index(shard_id shard) const noexcept;
  /// Closes both, opens them again, cuts off what the log holds beyond the indexes that were both appended and applied
  /// (it was never acknowledged), and replays. Reads with tier `disk` wait meanwhile. Groups are left as they are
  /// found, their states as they were last flushed: their members begin again.
  result<void> reopen();
  /// Writes, syncs and removes a file beside the databases: whether trying `reopen` has a point.
  result<void> probe() const;

  // -- the writer's thread: groups --

  /// What a member begins with; entries that the snapshot covers only as far as all together are `bytes_max`. When a
  /// state was being replaced and is not whole, log and state are wiped: the member keeps its term and its vote only.
  /// Fails with `item_not_found` when the shard is no group's, with `corrupt_record` when log and state do not belong
  /// together.
  result<group_log> begin(shard_id shard, std::size_t bytes_max);
  /// Log, state and hard state; the shard is no group's any more.
  result<void> erase_group(shard_id shard);

  /// A state from elsewhere takes the place of this one, in three steps. Until the last is flushed a start finds that
  /// there is none. Of a lone shard that has nothing yet the first is left out: then a start in between finds a part.
  result<void> begin_install(shard_id shard);
  /// `corrupt_record`: not bytes of a chunk, or not of that shard; nothing was changed.
  result<void> install(shard_id shard, std::string_view chunk);
  result<void> end_install(shard_id shard, std::uint64_t index);

  // -- from any thread --

  /// Holds a shard's state as it is now, for `read_snapshot`; `index` is what it has applied. Fails with
  /// `item_not_found` while a state is replaced.
  struct held_snapshot {
    std::uint64_t id = 0, index = 0;
  };
  result<held_snapshot> open_snapshot(shard_id shard) const;

  /// The keys behind `after` (empty: from the first), a little more than `bytes_max`. Fails with `item_not_found` when
  /// the snapshot is closed; a `reopen` closes all.
  result<state_chunk> read_snapshot(std::uint64_t id, std::string_view after, std::size_t bytes_max) const;
  void close_snapshot(std::uint64_t id) const;

  std::vector<shard_id> groups() const;
  bool is_group(shard_id shard) const noexcept;
  /// Of a group's log: from `first` at most `count`; fewer when they are not there.
  std::vector<group_entry> entries(shard_id shard, std::uint64_t first, std::size_t count) const;

  // -- the maintenance thread --

  /// Applied indexes of all shards, by shard; behind them that of the system shard.
  std::vector<std::uint64_t> applied() const;
  /// Makes durable what is applied; then forgets the log of lone shards up to what was applied when it began: that is
  /// what it returns.
  result<std::vector<std::uint64_t>> flush_and_trim();
  /// Bytes of entries in the log since the last trim, keys included.
  std::uint64_t log_bytes() const noexcept;
  std::uint64_t disk_bytes() const; ///< Of both folders, as files.
  /// About what each group's state takes, without its log: give or take some blocks of a file.
  std::map<shard_id, std::uint64_t> state_bytes() const;
  /// What is free on the disk that they are on.
  result<std::uint64_t> free_bytes() const;

  /// For snapshots, tools and tests: entries of a shard from `first_index` on, oldest first.
  result<void> read_log(shard_id shard, std::uint64_t first_index,
                        const std::function<bool(const log_entry&)>& visit) const;

  store(const store&) = delete;
  store& operator=(const store&) = delete;

private:
  friend class state_view;
  struct state;
  explicit store(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

} // namespace xmpp
