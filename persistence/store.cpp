#include "persistence/store.hpp"

#include "persistence/codec.hpp"
#include "persistence/write_set.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <deque>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <unistd.h>
#include <utility>

namespace xmpp {

namespace {

constexpr auto erased_singly_max = std::size_t{4'096};
constexpr auto replay_batch_bytes = std::size_t{1} << 20;
constexpr auto cache_shard_bits = 3; // Few threads read; the default's 64 shards would be of 1 MiB each.
constexpr auto probe_chunk_bytes = std::size_t{1} << 20;
constexpr auto probe_chunks = 8; // About what a reopening writes: the recovered part of the log, a manifest.

struct error to_error(const rocksdb::Status& status, std::string_view doing) {
  if (status.IsIncomplete())
    return {errc::would_block, {}};
  const auto code = status.IsNoSpace() ? errc::resource_constraint : errc::storage_failure;
  return {code, std::string{doing} + ": " + status.ToString()};
}

rocksdb::Slice slice(std::string_view x) {
  return {x.data(), x.size()};
}

std::string_view view_of(const rocksdb::Slice& x) {
  return {x.data(), x.size()};
}

std::string big_endian(std::uint64_t x) {
  auto out = std::string{};
  codec::byte_writer{out}.fixed64(x);
  return out;
}

/// The part of an account's key up to the zero behind its JID; empty for other keys. Tables keep a filter over it, so
/// that a scan of one account does not read the files that have nothing of it.
std::string_view account_of(std::string_view key) {
  if (key.size() < 3 || key[2] != 'a')
    return {};
  const auto zero = key.find('\0', 3);
  return zero == std::string_view::npos ? std::string_view{} : key.substr(0, zero + 1);
}

class account_prefix final : public rocksdb::SliceTransform {
public:
  const char* Name() const override { return "troupe.account.1"; } // Stands in the files: a new rule, a new name.
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return slice(account_of(view_of(key))); }
  bool InDomain(const rocksdb::Slice& key) const override { return !account_of(view_of(key)).empty(); }
};

/// RocksDB's own log goes nowhere. What matters in it comes as a status too; and as a file beside the databases it
/// would end the process when the disk is full: Debian's build keeps its assertions, and one of them is that a file is
/// not written to after an error.
class no_log final : public rocksdb::Logger {
public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, std::va_list) override {}
};

/// What both databases share.
rocksdb::Options common_options(const store_options& from) {
  auto out = rocksdb::Options{};
  out.create_if_missing = true;
  if (from.environment)
    out.env = from.environment;
  out.write_buffer_size = from.memtable_bytes_max;
  out.max_background_jobs = 2;
  out.max_manifest_file_size = 16 << 20;
  out.skip_stats_update_on_db_open = true; // Else a start reads each file's properties.
  out.avoid_flush_during_shutdown = true;  // `flush_and_trim` says when.
  // Nothing wakes up by itself.
  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  // We retry ourselves, by reopening: RocksDB's own resumption goes on with what a failed fsync left in memory.
  out.max_bgerror_resume_count = 0;
  out.info_log = std::make_shared<no_log>();
  return out;
}

rocksdb::Options log_options(const store_options& from) {
  auto out = common_options(from);
  out.max_open_files = 64;
  out.compression = rocksdb::kNoCompression; // Most entries are trimmed before they reach a file.
  // What follows the last sync may be anything after a loss of power: short, zeros or garbage. All that was
  // acknowledged stands before it. The stricter modes would refuse to start on such a tail.
  out.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  out.recycle_log_file_num = 2; // Where the mode above allows it (RocksDB 9); else it is ignored.
  auto table = rocksdb::BlockBasedTableOptions{};
  table.format_version = 5; // Read and written by all releases we build with.
  table.block_cache = rocksdb::NewLRUCache(1 << 20, 0);
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

rocksdb::Options state_options(const store_options& from, std::shared_ptr<rocksdb::Cache> cache) {
  auto out = common_options(from);
  out.max_open_files = from.open_files_max; // And a start opens only a part of these.
  out.target_file_size_base = from.table_bytes_max;
  out.compression = rocksdb::kLZ4Compression;
  out.level_compaction_dynamic_level_bytes = true;
  out.prefix_extractor = std::make_shared<account_prefix>();
  auto table = rocksdb::BlockBasedTableOptions{};
  table.format_version = 5;
  table.block_cache = std::move(cache);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Indexes and filters count against the cache: memory does not grow with the store. They are cut into small parts: a
  // whole one is larger than what one reads with it.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;
  table.pin_top_level_index_and_filter = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

rocksdb::WriteOptions synced() {
  auto out = rocksdb::WriteOptions{};
  out.sync = true;
  return out;
}

/// Nothing is lost with the log: what is not flushed is made again from it.
rocksdb::WriteOptions without_log() {
  auto out = rocksdb::WriteOptions{};
  out.disableWAL = true;
  return out;
}

/// The commands of a group that were applied lately, those that may be sent again.
class applied_commands {
public:
  bool has(std::uint64_t origin, std::uint64_t sequence) const { return known_.contains({origin, sequence}); }

  void forget_before(std::uint64_t index) {
    while (!order_.empty() && order_.front().index + sent_again_within <= index) {
      known_.erase({order_.front().origin, order_.front().sequence});
      order_.pop_front();
    }
  }

  /// In the order of their indexes.
  void add(const codec::applied_command& x) {
    known_.emplace(x.origin, x.sequence);
    order_.push_back(x);
  }

  void clear() {
    known_.clear();
    order_.clear();
  }

private:
  std::set<std::pair<std::uint64_t, std::uint64_t>> known_;
  std::deque<codec::applied_command> order_;
};

/// Builds the one batch that a group of entries is for the state.
class state_batch {
public:
  explicit state_batch(rocksdb::DB& to) : to_(to) {}

  result<void> add(const log_entry& x) {
    if (x.what == log_entry::kind::command)
      if (auto done = for_each_change(x.data, x.shard, [&](const change& c) { add(c); }); !done)
        return done;
    reach(x.shard, x.index);
    return {};
  }

  /// All members must come to the same: also from what can not be read.
  void add(const group_apply& x, applied_commands& known) {
    auto index = x.first_index;
    for (const auto& one : x.entries) {
      known.forget_before(index);
      if (one.what == log_entry::kind::command && for_each_change(*one.data, x.shard, {}))
        add(x.shard, index, *one.data, known);
      ++index;
    }
    reach(x.shard, index - 1);
  }

  result<void> write() {
    for (const auto& [shard, index] : reached_)
      keep(batch_.Put(keys::applied_key(shard), big_endian(index)));
    if (status_.ok())
      status_ = to_.Write(without_log(), &batch_);
    return status_.ok() ? result<void>{} : to_error(status_, "apply");
  }

private:
  void add(shard_id shard, std::uint64_t index, std::string_view bytes, applied_commands& known) {
    if (const auto [origin, sequence] = origin_of(bytes); origin != 0) {
      if (known.has(origin, sequence))
        return;
      const auto now = codec::applied_command{index, origin, sequence};
      known.add(now);
      keep(batch_.Put(keys::applied_command_key(shard, index), codec::encode(now)));
    }
    (void)for_each_change(bytes, shard, [&](const change& c) { add(c); });
  }

  void reach(shard_id shard, std::uint64_t index) {
    const auto known = std::find_if(reached_.begin(), reached_.end(), [&](auto& r) { return r.first == shard; });
    if (known != reached_.end())
      known->second = index;
    else
      reached_.emplace_back(shard, index);
  }

  void keep(const rocksdb::Status& status) {
    if (status_.ok())
      status_ = status;
  }

  void add(const change& x) {
    switch (x.what) {
    case change::kind::put:
      keep(batch_.Put(slice(x.key), slice(x.value)));
      put_.push_back(x.key);
      break;
    case change::kind::erase:
      keep(batch_.Delete(slice(x.key)));
      break;
    case change::kind::erase_range:
      erase_range(x.key, x.value);
      break;
    }
  }

  /// One by one, those of this batch and those of the store: range deletions that wait in memory make every read
  /// slower, and accounts may come and go by the thousand.
  void erase_range(std::string_view first, std::string_view end) {
    auto how = rocksdb::ReadOptions{};
    const auto bound = slice(end);
    how.iterate_upper_bound = &bound;
    how.total_order_seek = true;
    how.fill_cache = false;
    auto count = std::size_t{0};
    const auto i = std::unique_ptr<rocksdb::Iterator>{to_.NewIterator(how)};
    for (i->Seek(slice(first)); i->Valid() && count < erased_singly_max; i->Next(), ++count)
      keep(batch_.Delete(i->key()));
    keep(i->status());
    if (count == erased_singly_max)
      keep(batch_.DeleteRange(slice(first), bound));
    for (const auto key : put_)
      if (key >= first && key < end)
        keep(batch_.Delete(slice(key)));
  }

  rocksdb::DB& to_;
  rocksdb::WriteBatch batch_;
  rocksdb::Status status_;
  std::vector<std::string_view> put_; ///< Keys, in the entries' own bytes.
  std::vector<std::pair<shard_id, std::uint64_t>> reached_;
};

} // namespace

/// Reads `state` under a lock that only a reopening takes for itself.
class state_view final : public reader {
public:
  state_view(const store::state& of, tier t) : of_(of), tier_(t) {}
  result<std::optional<std::string>> get(std::string_view key) const override;
  result<void> scan(std::string_view from, std::string_view end, const visitor& visit) const override;

private:
  std::shared_lock<std::shared_mutex> enter() const;
  struct error closed() const;

  const store::state& of_;
  tier tier_;
};

struct store::state {
  explicit state(store_options o)
      : options(std::move(o)), cache(rocksdb::NewLRUCache(options.cache_bytes_max, cache_shard_bits)),
        marks(options.shard_count + 1), grouped(options.shard_count + 1), recent(options.shard_count + 1),
        last_logged(options.shard_count + 1), cached(*this, tier::cached), disk(*this, tier::disk) {}

  result<void> open_databases();
  result<void> check_format();
  result<void> find_groups();
  result<void> cut_off();
  result<void> replay();
  result<void> replay_shard(shard_id shard, rocksdb::Iterator& entries);
  result<std::uint64_t> applied_in_state(shard_id shard, const rocksdb::ReadOptions& how = {}) const;
  result<void> write_state(std::span<const log_entry> entries);
  result<void> add(rocksdb::WriteBatch& to, const log_write& x, std::size_t& bytes);
  result<void> wipe(shard_id shard);
  result<void> load_recent(shard_id shard, std::uint64_t applied);
  result<void> load_entries(shard_id shard, std::size_t bytes_max, group_log& out);
  void release_snapshots();

  // All that is kept by shard has a place for each and, behind them, one for the system shard.
  std::size_t places() const noexcept { return marks.size(); }
  shard_id shard_at(std::size_t place) const noexcept {
    return place < options.shard_count ? static_cast<shard_id>(place) : system_shard;
  }
  bool has(shard_id shard) const noexcept { return shard < options.shard_count || shard == system_shard; }
  /// Of a shard that it has.
  std::size_t place_of(shard_id shard) const noexcept {
    return shard == system_shard ? std::size_t{options.shard_count} : shard;
  }

  std::string path(const char* name) const { return (options.folder / name).string(); }
  rocksdb::Env& environment() const { return *(options.environment ? options.environment : rocksdb::Env::Default()); }

  store_options options;
  std::shared_ptr<rocksdb::Cache> cache;
  /// By shard: up to where the log is both durable and applied.
  /// Of a group: up to where it is applied.
  std::vector<std::atomic<std::uint64_t>> marks;
  std::vector<std::atomic<bool>> grouped; ///< It is a group's.
  std::vector<applied_commands> recent;   ///< Of groups that have begun.
  std::vector<std::uint64_t> last_logged; ///< The same: the last index that the log may hold.
  std::atomic<std::uint64_t> log_bytes{0};

  mutable std::shared_mutex opening; ///< Held alone while the databases are replaced.
  std::unique_ptr<rocksdb::DB> log, states;

  struct snapshot_of {
    shard_id shard = 0;
    std::shared_ptr<const rocksdb::Snapshot> held; ///< Let go under `opening`.
  };
  mutable std::mutex snapshots_mutex; ///< Taken behind `opening`.
  std::map<std::uint64_t, snapshot_of> snapshots;
  std::uint64_t next_snapshot = 1;

  state_view cached, disk;
};

// -- reads
// -------------------------------------------------------------------------------------------------------------

std::shared_lock<std::shared_mutex> state_view::enter() const {
  if (tier_ == tier::cached)
    return {of_.opening, std::try_to_lock};
  return std::shared_lock{of_.opening};
}

struct error state_view::closed() const {
  if (tier_ == tier::cached)
    return {errc::would_block, {}};
  return {errc::storage_failure, "the store is closed after a failure"};
}

result<std::optional<std::string>> state_view::get(std::string_view key) const {
  const auto lock = enter();
  if (!lock || !of_.states)
    return closed();
  auto how = rocksdb::ReadOptions{};
  if (tier_ == tier::cached)
    how.read_tier = rocksdb::kBlockCacheTier;
  auto value = rocksdb::PinnableSlice{};
  const auto status = of_.states->Get(how, of_.states->DefaultColumnFamily(), slice(key), &value);
  if (status.IsNotFound())
    return std::optional<std::string>{};
  if (!status.ok())
    return to_error(status, "read");
  return std::optional<std::string>{std::in_place, value.data(), value.size()};
}

result<void> state_view::scan(std::string_view from, std::string_view end, const visitor& visit) const {
  const auto lock = enter();
  if (!lock || !of_.states)
    return closed();
  auto how = rocksdb::ReadOptions{};
  if (tier_ == tier::cached)
    how.read_tier = rocksdb::kBlockCacheTier;
  const auto bound = slice(end);
  if (!end.empty())
    how.iterate_upper_bound = &bound;
  const auto account = account_of(from);
  how.total_order_seek = account.empty() || account != account_of(end); // Else the filters over accounts are asked.
  const auto i = std::unique_ptr<rocksdb::Iterator>{of_.states->NewIterator(how)};
  for (i->Seek(slice(from)); i->Valid(); i->Next())
    if (!visit(view_of(i->key()), view_of(i->value())))
      return {};
  if (!i->status().ok())
    return to_error(i->status(), "read");
  return {};
}

// -- open
// --------------------------------------------------------------------------------------------------------------

/// Which process it was that had the database open; 0: this is not why it failed, or it cannot be known. Not for a
/// database that this process has open: the lock is lost with the first handle that is closed.
pid_t lock_holder(const std::string& database, const rocksdb::Status& why) {
  if (!why.IsIOError() || why.ToString().find("While lock file") == std::string::npos)
    return 0;
  auto fd = ::open((database + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return 0;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  auto is_held = ::fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(fd);
  return is_held ? lock.l_pid : 0;
}

result<void> store::state::open_databases() {
  auto* db = static_cast<rocksdb::DB*>(nullptr);
  if (auto status = rocksdb::DB::Open(log_options(options), path("log"), &db); !status.ok()) {
    if (auto holder = lock_holder(path("log"), status); holder > 0)
      return error{errc::storage_failure, "another server, process " + std::to_string(holder) + ", uses the store in " +
                                              options.folder.string()};
    return to_error(status, "open log");
  }
  log.reset(db);
  if (auto status = rocksdb::DB::Open(state_options(options, cache), path("state"), &db); !status.ok()) {
    log.reset();
    return to_error(status, "open state");
  }
  states.reset(db);
  return {};
}

/// A new store gets its format, state first: so a log without format beside a state that has one is new, too, unless
/// something was applied already.
result<void> store::state::check_format() {
  auto found = std::string{};
  auto in_state = states->Get({}, keys::format_key(), &found);
  if (in_state.IsNotFound()) {
    const auto entries = std::unique_ptr<rocksdb::Iterator>{log->NewIterator({})};
    entries->SeekToFirst();
    if (entries->Valid())
      return error{errc::storage_failure, "there is a log but its state is missing: restore a backup"};
    found = codec::encode(codec::store_format{1, options.shard_count});
    in_state = states->Put(without_log(), keys::format_key(), found);
    if (in_state.ok())
      in_state = states->Flush({});
  }
  if (!in_state.ok())
    return to_error(in_state, "read format");
  const auto format = codec::decode_store_format(found);
  if (!format)
    return format.error();
  if (format->format != 1)
    return error{errc::storage_failure, "the store was written by a later release"};
  if (format->shard_count != options.shard_count)
    return error{errc::storage_failure, "the store has " + std::to_string(format->shard_count) +
                                            " shards, the configuration says " + std::to_string(options.shard_count)};
  auto logged = std::string{};
  auto in_log = log->Get({}, keys::format_key(), &logged);
  if (in_log.IsNotFound()) {
    for (auto place = std::size_t{0}; place < places(); ++place) {
      const auto applied = applied_in_state(shard_at(place));
      if (!applied)
        return applied.error();
      if (*applied != 0)
        return error{errc::storage_failure, "there is a state but its log is missing: restore a backup"};
    }
    in_log = log->Put(synced(), keys::format_key(), found);
    logged = found;
  }
  if (!in_log.ok())
    return to_error(in_log, "read format");
  if (logged != found)
    return error{errc::storage_failure, "log and state belong to different stores"};
  return {};
}

/// A lone node would take what is not committed for true, and what it adds would be unknown to the others.
result<void> store::state::find_groups() {
  for (auto place = std::size_t{0}; place < places(); ++place) {
    auto found = std::string{};
    const auto status = log->Get({}, keys::hard_state_key(shard_at(place)), &found);
    if (!status.ok() && !status.IsNotFound())
      return to_error(status, "read hard state");
    grouped[place] = status.ok();
    if (status.ok() && !options.is_in_cluster)
      return error{errc::storage_failure,
                   "the store in " + options.folder.string() +
                       " belongs to a node of a cluster and can not be used alone; if `troupe cluster init` "
                       "or `troupe cluster join` was interrupted, run it again"};
  }
  return {};
}

result<std::uint64_t> store::state::applied_in_state(shard_id shard, const rocksdb::ReadOptions& how) const {
  auto found = std::string{};
  const auto status = states->Get(how, keys::applied_key(shard), &found);
  if (status.IsNotFound())
    return std::uint64_t{0};
  if (!status.ok())
    return to_error(status, "read applied index");
  auto from = codec::byte_reader{found};
  const auto index = from.fixed64();
  if (!from.finished())
    return error{errc::corrupt_record, "applied index"};
  return index;
}

/// Removes what the log holds beyond the marks.
result<void> store::state::cut_off() {
  auto batch = rocksdb::WriteBatch{};
  for (auto place = std::size_t{0}; place < places(); ++place) {
    const auto id = shard_at(place);
    if (grouped[place])
      continue;
    if (auto status = batch.DeleteRange(keys::log_key(id, marks[place] + 1), keys::after_prefix(keys::log_prefix(id)));
        !status.ok())
      return to_error(status, "cut off log");
  }
  if (auto status = log->Write(synced(), &batch); !status.ok())
    return to_error(status, "cut off log");
  return {};
}

result<void> store::state::replay() {
  auto how = rocksdb::ReadOptions{};
  how.fill_cache = false;
  const auto entries = std::unique_ptr<rocksdb::Iterator>{log->NewIterator(how)};
  for (auto place = std::size_t{0}; place < places(); ++place)
    if (auto done = replay_shard(shard_at(place), *entries); !done)
      return done;
  return {};
}

result<void> store::state::replay_shard(shard_id shard, rocksdb::Iterator& entries) {
  const auto applied = applied_in_state(shard);
  if (!applied)
    return applied.error();
  if (grouped[place_of(shard)]) {
    marks[place_of(shard)] = *applied;
    return {};
  }
  auto next = *applied + 1;
  auto batch = std::vector<log_entry>{};
  auto batch_bytes = std::size_t{0};
  for (entries.Seek(keys::log_key(shard, next)); entries.Valid(); entries.Next()) {
    const auto key = view_of(entries.key());
    const auto index = keys::log_index(key);
    if (keys::shard_in(key) != shard || index == 0)
      break;
    if (index != next)
      return error{errc::storage_failure, "the log of shard " + std::to_string(shard) + " lacks entry " +
                                              std::to_string(next) + ": restore a backup"};
    auto entry = codec::decode_log_entry(shard, index, view_of(entries.value()));
    if (!entry)
      return entry.error();
    batch_bytes += key.size() + entries.value().size();
    batch.push_back(std::move(*entry));
    ++next;
    if (batch_bytes >= replay_batch_bytes) {
      if (auto done = write_state(batch); !done)
        return done;
      log_bytes += std::exchange(batch_bytes, 0);
      batch.clear();
    }
  }
  if (!entries.status().ok())
    return to_error(entries.status(), "replay");
  log_bytes += batch_bytes;
  marks[place_of(shard)] = next - 1;
  return batch.empty() ? result<void>{} : write_state(batch);
}

result<std::unique_ptr<store>> store::open(store_options options) {
  if (options.shard_count < 1 || options.shard_count > shard_count_max)
    return error{errc::storage_failure, "shard_count must be 1 to " + std::to_string(shard_count_max)};
  auto failure = std::error_code{};
  if (std::filesystem::create_directories(options.folder, failure))
    std::filesystem::permissions(options.folder, std::filesystem::perms::owner_all, failure);
  if (failure)
    return error{errc::storage_failure, options.folder.string() + ": " + failure.message()};
  auto s = std::make_unique<state>(std::move(options));
  if (auto done = s->open_databases(); !done)
    return done.error();
  if (auto done = s->check_format(); !done)
    return done.error();
  if (auto done = s->find_groups(); !done)
    return done.error();
  if (auto done = s->replay(); !done)
    return done.error();
  return std::unique_ptr<store>{new store{std::move(s)}};
}

store::store(std::unique_ptr<state> s) : state_(std::move(s)) {}

store::~store() {
  state_->release_snapshots();
}

const store_options& store::options() const noexcept {
  return state_->options;
}

const reader& store::view(tier t) const noexcept {
  return t == tier::cached ? state_->cached : state_->disk;
}

// -- writes
// ------------------------------------------------------------------------------------------------------------

result<void> store::append(std::span<const log_entry> entries, std::span<const log_write> groups) {
  auto batch = rocksdb::WriteBatch{};
  auto bytes = std::size_t{0};
  for (const auto& x : entries) {
    const auto key = keys::log_key(x.shard, x.index);
    const auto header = codec::encode_log_header(x.term, x.what);
    const rocksdb::Slice key_parts[] = {slice(key)};
    const rocksdb::Slice value_parts[] = {slice(header), slice(x.data)};
    if (auto status = batch.Put({key_parts, 1}, {value_parts, 2}); !status.ok())
      return to_error(status, "append");
    bytes += key.size() + header.size() + x.data.size();
  }
  for (const auto& x : groups)
    if (auto done = state_->add(batch, x, bytes); !done)
      return done;
  const auto lock = std::shared_lock{state_->opening};
  if (!state_->log)
    return error{errc::storage_failure, "the store is closed after a failure"};
  if (auto status = state_->log->Write(synced(), &batch); !status.ok())
    return to_error(status, "append");
  state_->log_bytes += bytes;
  for (const auto& x : groups)
    if (x.hard)
      state_->grouped[state_->place_of(x.shard)] = true;
  return {};
}

/// What the new entries do not overwrite is erased one by one: range deletions would come with every batch, and make
/// every read slower.
result<void> store::state::add(rocksdb::WriteBatch& to, const log_write& x, std::size_t& bytes) {
  if (!has(x.shard))
    return error{errc::storage_failure, "no such shard"};
  auto failed = rocksdb::Status{};
  const auto keep = [&](const rocksdb::Status& status) {
    if (failed.ok())
      failed = status;
  };
  auto& last = last_logged[place_of(x.shard)];
  if (x.hard)
    keep(to.Put(keys::hard_state_key(x.shard), codec::encode(*x.hard)));
  if (x.first_index != 0 && x.snapshot) {
    keep(to.DeleteRange(keys::log_key(x.shard, 0), keys::after_prefix(keys::log_prefix(x.shard))));
    last = 0;
  } else if (x.first_index != 0) {
    for (auto index = x.first_index + x.entries.size(); index <= last; ++index)
      keep(to.Delete(keys::log_key(x.shard, index)));
    last = 0;
  }
  auto index = x.first_index;
  for (const auto& one : x.entries) {
    const auto key = keys::log_key(x.shard, index++);
    const auto header = codec::encode_log_header(one.term, one.what);
    const rocksdb::Slice key_parts[] = {slice(key)};
    const rocksdb::Slice value_parts[] = {slice(header), slice(*one.data)};
    keep(to.Put({key_parts, 1}, {value_parts, 2}));
    bytes += key.size() + header.size() + one.data->size();
  }
  if (x.first_index != 0)
    last = index - 1;
  if (x.snapshot)
    keep(to.Put(keys::log_snapshot_key(x.shard), codec::encode(*x.snapshot)));
  if (x.trim_to != 0)
    keep(to.DeleteRange(keys::log_key(x.shard, 0), keys::log_key(x.shard, x.trim_to + 1)));
  return failed.ok() ? result<void>{} : to_error(failed, "append");
}

result<void> store::apply(std::span<const log_entry> entries) {
  const auto lock = std::shared_lock{state_->opening};
  if (!state_->states)
    return error{errc::storage_failure, "the store is closed after a failure"};
  if (auto done = state_->write_state(entries); !done)
    return done;
  for (const auto& x : entries)
    state_->marks[state_->place_of(x.shard)].store(x.index, std::memory_order_release);
  return {};
}

result<void> store::apply(std::span<const group_apply> groups) {
  const auto lock = std::shared_lock{state_->opening};
  if (!state_->states)
    return error{errc::storage_failure, "the store is closed after a failure"};
  auto batch = state_batch{*state_->states};
  auto reached = std::map<shard_id, std::uint64_t>{};
  for (const auto& x : groups) {
    if (!state_->has(x.shard) || x.entries.empty())
      return error{errc::storage_failure, "nothing to apply, or to no shard"};
    auto [at, is_first] = reached.try_emplace(x.shard, last_index(x.shard));
    if (x.first_index != at->second + 1)
      return error{errc::storage_failure, "shard " + std::to_string(x.shard) + " is at " + std::to_string(at->second) +
                                              ", so entry " + std::to_string(x.first_index) + " can not be applied"};
    at->second += x.entries.size();
    batch.add(x, state_->recent[state_->place_of(x.shard)]);
  }
  if (auto done = batch.write(); !done)
    return done;
  for (const auto& [shard, index] : reached)
    state_->marks[state_->place_of(shard)].store(index, std::memory_order_release);
  return {};
}

result<void> store::state::write_state(std::span<const log_entry> entries) {
  auto batch = state_batch{*states};
  for (const auto& x : entries)
    if (auto done = batch.add(x); !done)
      return done;
  return batch.write();
}

std::uint64_t store::last_index(shard_id shard) const noexcept {
  return state_->marks[state_->place_of(shard)].load(std::memory_order_acquire);
}

// -- groups ----------------------------------------------------------------------------------------------------------

result<group_log> store::begin(shard_id shard, std::size_t bytes_max) {
  auto& s = *state_;
  const auto lock = std::shared_lock{s.opening};
  if (!s.log || !s.states)
    return error{errc::storage_failure, "the store is closed after a failure"};
  if (!s.has(shard) || !s.grouped[s.place_of(shard)])
    return error{errc::item_not_found, "shard " + std::to_string(shard) + " has no member here"};
  auto found = std::string{};
  if (auto status = s.states->Get({}, keys::installing_key(shard), &found); status.ok()) {
    if (auto done = s.wipe(shard); !done)
      return done.error();
  } else if (!status.IsNotFound()) {
    return to_error(status, "begin");
  }
  auto out = group_log{};
  if (auto status = s.log->Get({}, keys::hard_state_key(shard), &found); !status.ok())
    return to_error(status, "read hard state");
  const auto hard = codec::decode_hard_state(found);
  if (!hard)
    return hard.error();
  out.hard = *hard;
  if (auto status = s.log->Get({}, keys::log_snapshot_key(shard), &found); status.ok()) {
    auto snapshot = codec::decode_log_snapshot(found);
    if (!snapshot)
      return snapshot.error();
    out.snapshot = *std::move(snapshot);
    out.first_index = out.snapshot->index + 1;
  } else if (!status.IsNotFound()) {
    return to_error(status, "read snapshot");
  }
  const auto applied = s.applied_in_state(shard);
  if (!applied)
    return applied.error();
  out.applied = *applied;
  if (out.snapshot && out.applied < out.snapshot->index)
    return error{errc::corrupt_record, "the state of shard " + std::to_string(shard) + " is older than its log"};
  s.marks[s.place_of(shard)] = out.applied;
  if (auto done = s.load_recent(shard, out.applied); !done)
    return done.error();
  if (auto done = s.load_entries(shard, bytes_max, out); !done)
    return done.error();
  return out;
}

/// The log first: were it the last to go, a start between would take the state for the one that it leads to.
result<void> store::state::wipe(shard_id shard) {
  auto batch = rocksdb::WriteBatch{};
  batch.DeleteRange(keys::log_prefix(shard), keys::after_prefix(keys::log_prefix(shard)));
  batch.Delete(keys::log_snapshot_key(shard));
  if (auto status = log->Write(synced(), &batch); !status.ok())
    return to_error(status, "wipe log");
  batch.Clear();
  batch.DeleteRange(keys::shard_prefix(shard), keys::after_prefix(keys::shard_prefix(shard)));
  if (auto status = states->Write(without_log(), &batch); !status.ok())
    return to_error(status, "wipe state");
  return {};
}

result<void> store::state::load_recent(shard_id shard, std::uint64_t applied) {
  auto& known = recent[place_of(shard)];
  known.clear();
  auto found = std::vector<codec::applied_command>{};
  const auto prefix = keys::applied_commands_prefix(shard);
  const auto end = keys::after_prefix(prefix);
  const auto bound = slice(end);
  auto how = rocksdb::ReadOptions{};
  how.iterate_upper_bound = &bound;
  how.total_order_seek = true;
  how.fill_cache = false;
  const auto i = std::unique_ptr<rocksdb::Iterator>{states->NewIterator(how)};
  for (i->Seek(slice(prefix)); i->Valid(); i->Next()) {
    const auto one = codec::decode_applied_command(view_of(i->value()));
    if (!one)
      return one.error();
    if (one->index + sent_again_within > applied)
      found.push_back(*one);
  }
  if (!i->status().ok())
    return to_error(i->status(), "begin");
  std::sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.index < b.index; });
  for (const auto& one : found)
    known.add(one);
  return {};
}

result<void> store::state::load_entries(shard_id shard, std::size_t bytes_max, group_log& out) {
  auto entries = std::deque<group_entry>{};
  auto bytes = std::size_t{0};
  const auto covered = out.snapshot ? out.snapshot->index : 0;
  auto first = std::uint64_t{0}, next = std::uint64_t{0};
  const auto i = std::unique_ptr<rocksdb::Iterator>{log->NewIterator({})};
  for (i->Seek(keys::log_key(shard, 0)); i->Valid(); i->Next()) {
    const auto index = keys::log_index(view_of(i->key()));
    if (keys::shard_in(view_of(i->key())) != shard || index == 0)
      break;
    if (next == 0)
      first = next = index;
    auto entry = codec::decode_log_entry(shard, index, view_of(i->value()));
    if (!entry)
      return entry.error();
    if (index != next++ || first > covered + 1)
      return error{errc::corrupt_record,
                   "the log of shard " + std::to_string(shard) + " lacks entries before " + std::to_string(index)};
    bytes += entry->data.size();
    entries.push_back({entry->term, entry->what, std::make_shared<const std::string>(std::move(entry->data))});
    for (; bytes > bytes_max && first <= covered && !entries.empty(); ++first) {
      bytes -= entries.front().data->size();
      entries.pop_front();
    }
  }
  if (!i->status().ok())
    return to_error(i->status(), "read log");
  last_logged[place_of(shard)] = next == 0 ? 0 : next - 1;
  if (entries.empty())
    return {};
  out.first_index = first;
  out.entries.assign(std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
  return {};
}

/// Marked, until all is gone: whoever starts between finds that there is nothing.
result<void> store::erase_group(shard_id shard) {
  if (auto done = begin_install(shard); !done)
    return done;
  auto& s = *state_;
  const auto lock = std::shared_lock{s.opening};
  if (auto status = s.states->Flush({}); !status.ok())
    return to_error(status, "erase a member");
  auto batch = rocksdb::WriteBatch{};
  batch.DeleteRange(keys::log_prefix(shard), keys::after_prefix(keys::log_snapshot_key(shard)));
  if (auto status = s.log->Write(synced(), &batch); !status.ok())
    return to_error(status, "erase a member");
  s.grouped[s.place_of(shard)] = false;
  s.last_logged[s.place_of(shard)] = 0;
  if (auto status = s.states->Delete(without_log(), keys::installing_key(shard)); !status.ok())
    return to_error(status, "erase a member");
  return {};
}

result<void> store::begin_install(shard_id shard) {
  auto& s = *state_;
  const auto lock = std::shared_lock{s.opening};
  if (!s.states)
    return error{errc::storage_failure, "the store is closed after a failure"};
  if (!s.has(shard) || !s.grouped[s.place_of(shard)])
    return error{errc::item_not_found, "shard " + std::to_string(shard) + " has no member here"};
  auto batch = rocksdb::WriteBatch{};
  batch.DeleteRange(keys::shard_prefix(shard), keys::after_prefix(keys::shard_prefix(shard)));
  batch.Put(keys::installing_key(shard), {});
  if (auto status = s.states->Write(without_log(), &batch); !status.ok())
    return to_error(status, "install");
  s.marks[s.place_of(shard)] = 0;
  s.recent[s.place_of(shard)].clear();
  return {};
}

result<void> store::install(shard_id shard, std::string_view chunk) {
  auto& s = *state_;
  const auto lock = std::shared_lock{s.opening};
  if (!s.states)
    return error{errc::storage_failure, "the store is closed after a failure"};
  auto batch = rocksdb::WriteBatch{};
  auto from = codec::byte_reader{chunk};
  while (!from.at_end()) {
    const auto key = from.string();
    const auto value = from.string();
    if (!from.ok() || key.size() < 3 || keys::shard_in(key) != shard || keys::is_mark(key))
      return error{errc::corrupt_record, "not a part of the state of shard " + std::to_string(shard)};
    batch.Put(slice(key), slice(value));
  }
  const auto status = s.states->Write(without_log(), &batch);
  return status.ok() ? result<void>{} : to_error(status, "install");
}

result<void> store::end_install(shard_id shard, std::uint64_t index) {
  auto& s = *state_;
  const auto lock = std::shared_lock{s.opening};
  if (!s.states)
    return error{errc::storage_failure, "the store is closed after a failure"};
  auto batch = rocksdb::WriteBatch{};
  batch.Put(keys::applied_key(shard), big_endian(index));
  batch.Delete(keys::installing_key(shard));
  if (auto status = s.states->Write(without_log(), &batch); !status.ok())
    return to_error(status, "install");
  s.marks[s.place_of(shard)] = index;
  return s.load_recent(shard, index);
}

result<store::held_snapshot> store::open_snapshot(shard_id shard) const {
  auto& s = *state_;
  const auto lock = std::shared_lock{s.opening};
  if (!s.states || !s.has(shard))
    return error{errc::storage_failure, "the store is closed after a failure, or has no such shard"};
  const auto release = [states = s.states.get()](const rocksdb::Snapshot* x) { states->ReleaseSnapshot(x); };
  auto held = std::shared_ptr<const rocksdb::Snapshot>{s.states->GetSnapshot(), release};
  auto how = rocksdb::ReadOptions{};
  how.snapshot = held.get();
  auto found = std::string{};
  if (auto status = s.states->Get(how, keys::installing_key(shard), &found); status.ok())
    return error{errc::item_not_found, "the state of shard " + std::to_string(shard) + " is being replaced"};
  else if (!status.IsNotFound())
    return to_error(status, "open snapshot");
  const auto index = s.applied_in_state(shard, how);
  if (!index)
    return index.error();
  const auto guard = std::scoped_lock{s.snapshots_mutex};
  const auto id = s.next_snapshot++;
  s.snapshots[id] = {shard, std::move(held)};
  return held_snapshot{id, *index};
}

result<state_chunk> store::read_snapshot(std::uint64_t id, std::string_view after, std::size_t bytes_max) const {
  auto& s = *state_;
  const auto lock = std::shared_lock{s.opening};
  auto from = state::snapshot_of{};
  {
    const auto guard = std::scoped_lock{s.snapshots_mutex};
    if (const auto found = s.snapshots.find(id); found != s.snapshots.end())
      from = found->second;
  }
  if (!from.held)
    return error{errc::item_not_found, "the snapshot is closed"};
  const auto first = keys::shard_prefix(from.shard);
  const auto end = keys::after_prefix(first);
  const auto bound = slice(end);
  auto how = rocksdb::ReadOptions{};
  how.snapshot = from.held.get();
  how.iterate_upper_bound = &bound;
  how.total_order_seek = true;
  how.fill_cache = false;
  auto out = state_chunk{};
  auto to = codec::byte_writer{out.bytes};
  const auto i = std::unique_ptr<rocksdb::Iterator>{s.states->NewIterator(how)};
  for (i->Seek(slice(after.empty() ? std::string_view{first} : after)); i->Valid(); i->Next()) {
    const auto key = view_of(i->key());
    if (key == after || keys::is_mark(key))
      continue;
    if (out.bytes.size() >= bytes_max)
      return out;
    to.string(key);
    to.string(view_of(i->value()));
    out.last_key = key;
  }
  if (!i->status().ok())
    return to_error(i->status(), "read snapshot");
  out.is_last = true;
  return out;
}

void store::close_snapshot(std::uint64_t id) const {
  auto& s = *state_;
  const auto lock = std::shared_lock{s.opening};
  const auto guard = std::scoped_lock{s.snapshots_mutex};
  s.snapshots.erase(id);
}

/// Before the database goes.
void store::state::release_snapshots() {
  const auto guard = std::scoped_lock{snapshots_mutex};
  snapshots.clear();
}

std::vector<shard_id> store::groups() const {
  auto out = std::vector<shard_id>{};
  for (auto place = std::size_t{0}; place < state_->places(); ++place)
    if (state_->grouped[place])
      out.push_back(state_->shard_at(place));
  return out;
}

bool store::is_group(shard_id shard) const noexcept {
  return state_->has(shard) && state_->grouped[state_->place_of(shard)];
}

std::vector<group_entry> store::entries(shard_id shard, std::uint64_t first, std::size_t count) const {
  auto out = std::vector<group_entry>{};
  auto next = first;
  (void)read_log(shard, first, [&](const log_entry& x) {
    if (x.index != next++ || out.size() >= count)
      return false;
    out.push_back({x.term, x.what, std::make_shared<const std::string>(x.data)});
    return out.size() < count;
  });
  return out;
}

// -- after a failure
// ---------------------------------------------------------------------------------------------------

result<void> store::probe() const {
  auto& env = state_->environment();
  const auto path = state_->path("probe");
  auto file = std::unique_ptr<rocksdb::WritableFile>{};
  auto status = env.NewWritableFile(path, &file, {});
  const auto chunk = std::string(probe_chunk_bytes, '\0');
  for (auto i = 0; i < probe_chunks && status.ok(); ++i)
    status = file->Append(chunk);
  if (status.ok())
    status = file->Sync();
  if (status.ok())
    status = file->Close();
  file.reset();
  (void)env.DeleteFile(path);
  return status.ok() ? result<void>{} : to_error(status, "probe");
}

result<void> store::reopen() {
  auto& s = *state_;
  const auto alone = std::unique_lock{s.opening};
  auto before = std::vector<std::uint64_t>(s.marks.begin(), s.marks.end());
  s.release_snapshots();
  s.states.reset();
  s.log.reset();
  s.log_bytes = 0;
  const auto recover = [&]() -> result<void> {
    if (auto done = s.open_databases(); !done)
      return done;
    if (auto done = s.check_format(); !done)
      return done;
    if (auto done = s.find_groups(); !done)
      return done;
    if (auto done = s.cut_off(); !done)
      return done;
    if (auto done = s.replay(); !done)
      return done;
    for (auto place = std::size_t{0}; place < s.places(); ++place)
      if (!s.grouped[place] && before[place] != s.marks[place])
        return error{errc::storage_failure, "the disk lost acknowledged entries: restore a backup"};
    return {};
  };
  auto done = recover();
  if (!done) { // Not half open: reads would show a state that was never acknowledged.
    s.states.reset();
    s.log.reset();
    std::copy(before.begin(), before.end(), s.marks.begin());
  }
  return done;
}

// -- maintenance
// -------------------------------------------------------------------------------------------------------

std::vector<std::uint64_t> store::applied() const {
  return {state_->marks.begin(), state_->marks.end()};
}

result<std::vector<std::uint64_t>> store::flush_and_trim() {
  auto& s = *state_;
  const auto lock = std::shared_lock{s.opening};
  if (!s.log || !s.states)
    return error{errc::storage_failure, "the store is closed after a failure"};
  const auto bytes = s.log_bytes.load();
  const auto covered = applied();
  if (auto status = s.states->Flush({}); !status.ok())
    return to_error(status, "flush state");
  auto batch = rocksdb::WriteBatch{};
  for (auto place = std::size_t{0}; place < s.places(); ++place) {
    const auto id = s.shard_at(place);
    if (covered[place] == 0 || s.grouped[place])
      continue;
    if (auto status = batch.DeleteRange(keys::log_key(id, 0), keys::log_key(id, covered[place] + 1)); !status.ok())
      return to_error(status, "trim log");
  }
  if (auto status = s.log->Write({}, &batch); !status.ok())
    return to_error(status, "trim log");
  // Writes only what is still wanted, and lets go of the log's file.
  if (auto status = s.log->Flush({}); !status.ok())
    return to_error(status, "trim log");
  s.log_bytes -= std::min(bytes, s.log_bytes.load());
  return covered;
}

std::uint64_t store::log_bytes() const noexcept {
  return state_->log_bytes;
}

std::uint64_t store::disk_bytes() const {
  auto sum = std::uint64_t{0};
  auto failure = std::error_code{};
  for (const auto& x : std::filesystem::recursive_directory_iterator{state_->options.folder, failure})
    if (const auto size = x.file_size(failure); !failure && x.is_regular_file(failure))
      sum += size;
  return sum;
}

std::map<shard_id, std::uint64_t> store::state_bytes() const {
  const auto shards = groups();
  const auto lock = std::shared_lock{state_->opening};
  auto out = std::map<shard_id, std::uint64_t>{};
  if (!state_->states || shards.empty())
    return out;
  auto ends = std::vector<std::pair<std::string, std::string>>{};
  for (const auto shard : shards)
    ends.emplace_back(keys::shard_prefix(shard), keys::after_prefix(keys::shard_prefix(shard)));
  auto ranges = std::vector<rocksdb::Range>{};
  for (const auto& [first, last] : ends)
    ranges.emplace_back(slice(first), slice(last));
  auto sizes = std::vector<std::uint64_t>(ranges.size());
  auto how = rocksdb::SizeApproximationOptions{};
  how.include_memtables = true;
  const auto status = state_->states->GetApproximateSizes(how, state_->states->DefaultColumnFamily(), ranges.data(),
                                                          int(ranges.size()), sizes.data());
  for (auto i = std::size_t{0}; status.ok() && i < shards.size(); ++i)
    out[shards[i]] = sizes[i];
  return out;
}

result<std::uint64_t> store::free_bytes() const {
  auto bytes = std::uint64_t{0};
  const auto status = state_->environment().GetFreeSpace(state_->options.folder.string(), &bytes);
  return status.ok() ? result<std::uint64_t>{bytes} : to_error(status, "free space");
}

result<void> store::read_log(shard_id shard, std::uint64_t first_index,
                             const std::function<bool(const log_entry&)>& visit) const {
  const auto lock = std::shared_lock{state_->opening};
  if (!state_->log)
    return error{errc::storage_failure, "the store is closed after a failure"};
  const auto i = std::unique_ptr<rocksdb::Iterator>{state_->log->NewIterator({})};
  for (i->Seek(keys::log_key(shard, first_index)); i->Valid(); i->Next()) {
    const auto index = keys::log_index(view_of(i->key()));
    if (keys::shard_in(view_of(i->key())) != shard || index == 0)
      break;
    const auto entry = codec::decode_log_entry(shard, index, view_of(i->value()));
    if (!entry)
      return entry.error();
    if (!visit(*entry))
      return {};
  }
  return i->status().ok() ? result<void>{} : to_error(i->status(), "read log");
}

} // namespace xmpp
