// Own threads for all that waits for the disk: many callers' commands in one synced batch, reads, maintenance.
#pragma once

#include "persistence/keys.hpp"
#include "persistence/reader.hpp"
#include "persistence/store.hpp"
#include "protocol/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace xmpp {

struct writer_options {
  std::size_t writer_queue_bytes_max = 32 << 20; ///< Commands that wait for the disk; more are refused at once.
  std::size_t batch_bytes_max = 4 << 20;         ///< Of one synced batch.
  std::size_t reads_waiting_max = 65'536;        ///< Of `read`.
  std::size_t read_threads = 1;                  ///< For `read`; 1 or more.
  std::size_t log_bytes_max = 16 << 20;          ///< Beyond, the state is flushed and the log trimmed.
  std::uint32_t trim_after_ms = 300'000;         ///< The same, this long after the first write that follows a trim.
  std::uint32_t retry_ms = 1'000;                ///< Between attempts to recover from a failure.
  std::uint64_t free_bytes_min = 0;      ///< With less on the store's disk no command is accepted; 0: never mind.
  std::uint32_t look_at_disk_ms = 5'000; ///< Between two looks at that.
};

struct storage_health {
  bool failed = false;
  errc code = errc::none; ///< `resource_constraint`: the disk is, or is nearly, full; `storage_failure`: anything else.
  std::string reason;     ///< For the log and the shell.
  std::int64_t since_ms = 0; ///< Of the last change, since the epoch.
};

/// The store's writer. For a lone node's shard `submit` is the whole of consensus; a member of a group
/// (cluster/group_replica.hpp) says itself what is written to its log and what is applied.
///
/// While failed: nothing is accepted, reads go on, the last acknowledged state stands. It tries to recover by itself
/// every `retry_ms`; what failed stays failed: a command that was answered with an error is not in the state afterwards
/// (unless the process dies before the recovery: then its outcome is unknown).
///
/// With less than `free_bytes_min` on the disk it counts as failed too, so that the disk's last room is left for what
/// was accepted, for reading and for tidying up; it goes on when there is a sixteenth more than that.
class writer {
public:
  /// The index in the shard's log, or `storage_failure` / `resource_constraint` (disk full): not done.
  using completion = std::function<void(result<std::uint64_t> index)>;

  /// Starts the threads. `on_health` is called at each change, one call at a time, on a thread of the writer's or from
  /// here.
  writer(std::unique_ptr<store> opened, writer_options options = {},
         std::function<void(const storage_health&)> on_health = {});
  /// `stop`, if nobody did.
  ~writer();

  // -- from any thread; none of them blocks; what they are given to run must not throw --

  /// Takes a command (`command::encode`). Commands of a shard are logged, applied and completed in the order they came;
  /// completion runs on the writer's thread when the change is durable and visible to every reader: it should only
  /// send a message.
  /// An error here means that completion will not run: `resource_constraint` (queue or disk full), `storage_failure`
  /// (failed, or stopped), `corrupt_record` (malformed, or a key of another shard).
  result<void> submit(shard_id shard, std::string encoded_command, completion done);

  /// Runs `f` on the writer's thread when everything submitted before it is applied or has failed. Reads with tier
  /// `disk`. Fails like `submit`, but is accepted while failed, and `even_when_full`.
  result<void> read_after(shard_id shard, std::function<void(const reader&)> f, bool even_when_full = false);

  // -- groups; these do not block either, and what they run is run on the writer's thread, or from here when it is
  // stopped --

  /// What a member should know. Called on the writer's threads, or from `watch`.
  struct group_event {
    enum class kind : std::uint8_t {
      flushed,   ///< The state, up to `index`.
      failed,    ///< What was asked for and not answered yet may or may not be stored. Drop everything.
      recovered, ///< `begin` again.
      short_of_room,
      has_room,
    };
    kind what = kind::flushed;
    std::uint64_t index = 0;
  };
  /// In the place of who watched that shard before. Returns a number, by which it ends.
  std::uint64_t watch(shard_id shard, std::function<void(const group_event&)> f);
  /// Blocks while a call runs. Nothing, when another one has taken its place.
  void end_watch(shard_id shard, std::uint64_t number);

  /// `store::begin`, behind all that was asked for before.
  void begin(shard_id shard, std::size_t bytes_max, std::function<void(result<group_log>)> f);
  /// Runs `done` when the writes are synced. All of them are of one shard, and of the life that `begin` gave: of an
  /// earlier one they are refused with `storage_failure`. Never refused for a full queue: look at `is_full`.
  void write(shard_id shard, std::uint64_t life, std::vector<log_write> writes, std::function<void(result<void>)> done);
  /// Runs `done` when the state has them; `life` as above.
  void apply(std::uint64_t life, group_apply entries, std::function<void(result<void>)> done);
  /// Runs `f` alone with the store, when all that was asked for before is done, or with nothing when that is not to be;
  /// `life` as above, 0: any. When it fails with something else than `corrupt_record` or `item_not_found` the writer
  /// has failed.
  void run(std::uint64_t life, std::function<result<void>(store*)> f);
  /// Makes durable what the state has now. Runs `done` on the maintenance thread.
  void flush(std::function<void(result<void>)> done);
  /// Runs `f` on a reader's thread. Fails like `read`.
  result<void> read_store(std::function<void(const store&)> f);
  /// Of a group's log; reads the disk when it is not in memory. See `store::entries`.
  std::vector<group_entry> entries(shard_id shard, std::uint64_t first, std::size_t count) const;
  /// More waits than it should: nothing more should be taken.
  bool is_full() const noexcept;

  /// Runs `f` on a reader's thread with tier `disk`. Fails with `resource_constraint` when too many wait.
  result<void> read(std::function<void(const reader&)> f);

  /// Reads that don't wait.
  const reader& cached() const noexcept;

  /// For what the store does from any thread.
  const store& opened() const noexcept;

  storage_health health() const;
  /// For how long the disk has been at the same batch or task; 0: it is not waited for. A disk that does not answer at
  /// all fails nothing.
  std::uint64_t busy_ms() const noexcept;

  /// Replaces the option; soon looked at.
  void set_free_bytes_min(std::uint64_t bytes);

  struct counters {
    std::uint64_t commands = 0; ///< Acknowledged.
    std::uint64_t failed = 0;
    std::uint64_t batches = 0;   ///< Synced.
    std::uint64_t log_bytes = 0; ///< Written since the start.
    std::uint64_t trims = 0;
    std::uint64_t queue_bytes = 0; ///< Waiting now.
    std::uint64_t free_bytes = 0;  ///< On the store's disk, at the last look.
  };
  counters count() const noexcept;

  /// Refuses new work, finishes what waits, flushes the state so that the next start has nothing to replay. Blocks.
  void stop();

  /// For tools and tests: flushes and trims now, on the caller's thread.
  result<void> trim();

  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace xmpp
