// Both databases: the log, synced, and the state it leads to. RocksDB is known here only.
//
// The log (WAL, every batch synced) is the truth. The state (no WAL) is written in batches that carry the index of the
// log entry they end with, per shard; it has one column family, so whatever RocksDB flushed of it is a state as it was
// after some batch. A start replays the log from there. What the state has flushed, the log may forget.
#pragma once

#include "persistence/keys.hpp"
#include "persistence/reader.hpp"
#include "protocol/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
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
};

/// One entry of a shard's log.
struct log_entry {
  enum class kind : std::uint8_t { command = 1, barrier = 2, configuration = 3 };
  shard_id shard = 0;
  std::uint64_t index = 0; ///< From 1.
  std::uint64_t term = 1;
  kind what = kind::command;
  std::string data; ///< Of a command: `command::encode()`.
};

/// Opened once per process. Writing calls come from one thread (the writer's), the maintenance calls from another;
/// reads from any.
///
/// After a `storage_failure` from a writing call nothing more may be written before `reopen` succeeds.
class store {
public:
  /// Opens or makes both databases and replays the log into the state. Fails with `storage_failure`: not our format,
  /// another shard count, locked by another process, disk trouble; the text says which.
  static result<std::unique_ptr<store>> open(store_options options);
  ~store();

  const store_options& options() const noexcept;

  /// Views of the state that live as long as the store, also over a `reopen`.
  const reader& view(tier t) const noexcept;

  // -- the writer's thread --

  /// One synced batch.
  result<void> append(std::span<const log_entry> entries);
  /// One batch of their changes into the state, and the index each shard has reached. `corrupt_record` changes nothing.
  result<void> apply(std::span<const log_entry> entries);
  std::uint64_t last_index(shard_id shard) const noexcept;
  /// Closes both, opens them again, cuts off what the log holds beyond the indexes that were both appended and applied
  /// (it was never acknowledged), and replays. Reads with tier `disk` wait meanwhile.
  result<void> reopen();
  /// Writes, syncs and removes a file beside the databases: whether trying `reopen` has a point.
  result<void> probe() const;

  // -- the maintenance thread --

  /// Applied indexes of all shards, by shard.
  std::vector<std::uint64_t> applied() const;
  /// Makes durable what is applied; then forgets the log up to what was applied when it began.
  result<void> flush_and_trim();
  /// Bytes of entries in the log since the last trim, keys included.
  std::uint64_t log_bytes() const noexcept;
  std::uint64_t disk_bytes() const; ///< Of both folders, as files.
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
