#include "persistence/writer.hpp"

#include "persistence/write_set.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace xmpp {

namespace {

using clock = std::chrono::steady_clock;

constexpr auto request_overhead_bytes = std::size_t{160}; // What a waiting request holds beside its command.

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

struct error stopped() {
  return {errc::storage_failure, "the store is stopped"};
}

/// A command, or a read that comes after the commands before it.
struct request {
  log_entry entry;
  writer::completion done;
  std::function<void(const reader&)> read;

  std::size_t size_bytes() const { return entry.data.size() + request_overhead_bytes; }
};

std::thread start_thread(const char* name, std::function<void()> run) {
  auto thread = std::thread{std::move(run)};
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

/// Threads that run functions in the order they came; for reads that may wait for the disk.
class read_pool {
public:
  read_pool(const reader& from, std::size_t threads, std::size_t waiting_max) : from_(from), waiting_max_(waiting_max) {
    for (auto i = std::size_t{0}; i < threads; ++i)
      threads_.push_back(start_thread("store-read", [this] { run(); }));
  }

  result<void> add(std::function<void(const reader&)> f) {
    const auto lock = std::scoped_lock{mutex_};
    if (stopping_)
      return stopped();
    if (waiting_.size() >= waiting_max_)
      return error{errc::resource_constraint, "too many reads wait for the disk"};
    waiting_.push_back(std::move(f));
    more_.notify_one();
    return {};
  }

  void stop() {
    {
      const auto lock = std::scoped_lock{mutex_};
      stopping_ = true;
    }
    more_.notify_all();
    for (auto& thread : threads_)
      thread.join();
    threads_.clear();
  }

private:
  void run() {
    auto lock = std::unique_lock{mutex_};
    for (;;) {
      more_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty())
        return;
      auto f = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      f(from_);
      f = nullptr;
      lock.lock();
    }
  }

  const reader& from_;
  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::function<void(const reader&)>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

} // namespace

struct writer::state {
  state(std::unique_ptr<store> opened, writer_options o, std::function<void(const storage_health&)> report);

  // -- the writer's thread --
  void run();
  void work(std::vector<request>& taken);
  void write(std::vector<log_entry>& entries, std::span<request> requests);
  void fail(struct error why, std::span<request> rest);
  void try_to_recover();
  void change_health(storage_health next);
  const storage_health& worst() const;
  void report();

  // -- the maintenance thread --
  void maintain();
  void note_written();
  void look_at_disk(std::uint64_t wanted_bytes);

  result<void> accept(request added, bool also_while_failed);

  std::unique_ptr<store> db;
  const writer_options options;
  const std::function<void(const storage_health&)> on_health;

  mutable std::mutex mutex; ///< Guards what follows, up to the next blank line.
  std::condition_variable more;
  std::vector<request> queue;
  std::size_t queue_bytes = 0;
  bool sleeping = false;
  bool stopping = false;
  storage_health health;   ///< Changed by the writer's thread only.
  storage_health shortage; ///< `failed`: of room on the disk. Changed by the maintenance thread only.
  std::optional<struct error> maintenance_failure;

  std::vector<std::uint64_t> next_index; ///< By shard; the writer's thread only.
  bool failed = false;                   ///< The writer's thread only.
  clock::time_point retry_at;            ///< While failed; the writer's thread only.

  std::mutex maintenance_mutex; ///< Guards what follows, up to the next blank line.
  std::condition_variable maintenance_due;
  std::optional<clock::time_point> trim_at; ///< None: nothing was written since the last trim.
  bool maintenance_paused = false;
  bool maintenance_stopping = false;
  std::uint64_t free_bytes_min;
  clock::time_point look_at; ///< When to look at the disk again.

  std::mutex report_mutex; ///< Held while `on_health` runs, so that reports come in order.

  std::atomic<std::uint64_t> commands{0}, failures{0}, batches{0}, log_bytes{0}, trims{0}, free_bytes{0};
  std::atomic<bool> trim_noted{false}; ///< Spares the writer a lock for each batch.

  read_pool reads;
  std::thread maintenance_thread, writer_thread; // last: they use all of the above
};

writer::state::state(std::unique_ptr<store> opened, writer_options o, std::function<void(const storage_health&)> report)
    : db(std::move(opened)), options(o), on_health(std::move(report)), free_bytes_min(o.free_bytes_min),
      reads(db->view(tier::disk), std::max<std::size_t>(o.read_threads, 1), o.reads_waiting_max) {
  health.since_ms = now_ms();
  for (const auto index : db->applied())
    next_index.push_back(index + 1);
  if (db->log_bytes() > 0)
    note_written();
  look_at_disk(free_bytes_min);
  look_at = clock::now() + std::chrono::milliseconds{options.look_at_disk_ms};
  maintenance_thread = start_thread("store-maintain", [this] { maintain(); });
  writer_thread = start_thread("store-write", [this] { run(); });
}

// -- requests
// ----------------------------------------------------------------------------------------------------------

result<void> writer::state::accept(request added, bool also_while_failed) {
  const auto bytes = added.size_bytes();
  const auto lock = std::scoped_lock{mutex};
  if (stopping)
    return stopped();
  if (auto& now = worst(); now.failed && !also_while_failed)
    return error{now.code, now.reason};
  // One command larger than the whole queue still passes when it is alone.
  if (queue_bytes != 0 && queue_bytes + bytes > options.writer_queue_bytes_max)
    return error{errc::resource_constraint, "the disk does not keep up"};
  queue_bytes += bytes;
  queue.push_back(std::move(added));
  if (std::exchange(sleeping, false))
    more.notify_one();
  return {};
}

void writer::state::run() {
  auto taken = std::vector<request>{};
  auto lock = std::unique_lock{mutex};
  for (;;) {
    const auto awake = [&] { return stopping || !queue.empty() || maintenance_failure; };
    sleeping = !awake();
    if (failed)
      more.wait_until(lock, retry_at, awake);
    else
      more.wait(lock, awake);
    sleeping = false;
    if (stopping && queue.empty())
      return;
    taken.swap(queue);
    auto trouble = std::exchange(maintenance_failure, {});
    lock.unlock();

    if (trouble && !failed)
      fail(std::move(*trouble), {});
    auto bytes = std::size_t{0};
    for (const auto& x : taken)
      bytes += x.size_bytes();
    work(taken);
    taken.clear();
    if (failed && clock::now() >= retry_at) {
      try_to_recover();
      retry_at = clock::now() + std::chrono::milliseconds{options.retry_ms};
    }
    lock.lock();
    queue_bytes -= bytes;
  }
}

/// In batches of bounded size: commands first, then everything answers in the order it came.
void writer::state::work(std::vector<request>& taken) {
  auto entries = std::vector<log_entry>{};
  auto rest = std::span{taken};
  while (!rest.empty() && !failed) {
    auto bytes = std::size_t{0};
    auto size = std::size_t{0};
    entries.clear();
    while (size < rest.size() && bytes < options.batch_bytes_max) {
      auto& x = rest[size++];
      if (x.read)
        continue;
      bytes += x.size_bytes();
      x.entry.index = next_index[x.entry.shard]++;
      entries.push_back(std::move(x.entry));
      x.entry.index = entries.back().index;
    }
    write(entries, rest.first(size));
    rest = rest.subspan(size);
  }
  if (failed)
    fail(error{health.code, health.reason}, rest);
}

void writer::state::write(std::vector<log_entry>& entries, std::span<request> requests) {
  if (!entries.empty()) {
    auto done = db->append(entries);
    if (done)
      done = db->apply(entries);
    if (!done)
      return fail(done.error(), requests);
    for (const auto& x : entries)
      log_bytes += x.data.size();
    ++batches;
    commands += entries.size();
    note_written();
  }
  for (auto& x : requests) {
    if (x.read)
      x.read(db->view(tier::disk));
    else if (x.done)
      x.done(x.entry.index);
  }
}

// -- failure
// -----------------------------------------------------------------------------------------------------------

/// Answers the requests with `why` (reads are run); the first failure changes the health before anybody hears of it.
void writer::state::fail(struct error why, std::span<request> rest) {
  if (!std::exchange(failed, true)) {
    {
      const auto lock = std::scoped_lock{maintenance_mutex};
      maintenance_paused = true;
    }
    retry_at = clock::now() + std::chrono::milliseconds{options.retry_ms};
    change_health({true, why.code, why.text, now_ms()});
  }
  for (auto& x : rest) {
    if (x.read) {
      x.read(db->view(tier::disk));
    } else {
      ++failures;
      if (x.done)
        x.done(why);
    }
  }
}

void writer::state::try_to_recover() {
  if (!db->probe())
    return;
  if (auto done = db->reopen(); !done) {
    if (done.error().text != health.reason) // Only this thread writes it.
      change_health({true, done.error().code, done.error().text, now_ms()});
    return;
  }
  const auto applied = db->applied();
  for (auto shard = std::size_t{0}; shard < applied.size(); ++shard)
    next_index[shard] = applied[shard] + 1;
  failed = false;
  {
    const auto lock = std::scoped_lock{mutex};
    maintenance_failure.reset(); // Of the databases that are closed now.
  }
  change_health({false, errc::none, {}, now_ms()});
  {
    const auto lock = std::scoped_lock{maintenance_mutex};
    maintenance_paused = false;
  }
  maintenance_due.notify_one();
  if (db->log_bytes() > 0)
    note_written();
}

void writer::state::change_health(storage_health next) {
  {
    const auto lock = std::scoped_lock{mutex};
    health = std::move(next);
  }
  report();
}

/// Under `mutex`: what callers have to know.
const storage_health& writer::state::worst() const {
  return health.failed || (!shortage.failed && health.since_ms >= shortage.since_ms) ? health : shortage;
}

void writer::state::report() {
  if (!on_health)
    return;
  const auto one_at_a_time = std::scoped_lock{report_mutex};
  auto now = storage_health{};
  {
    const auto lock = std::scoped_lock{mutex};
    now = worst();
  }
  on_health(now);
}

// -- maintenance
// -------------------------------------------------------------------------------------------------------

/// Wakes the maintenance thread when there is a new reason to trim: something to trim at all, or too much of it.
void writer::state::note_written() {
  const auto full = db->log_bytes() >= options.log_bytes_max;
  if (trim_noted && !full)
    return;
  {
    const auto lock = std::scoped_lock{maintenance_mutex};
    const auto at = clock::now() + std::chrono::milliseconds{full ? 0 : options.trim_after_ms};
    if (trim_at && *trim_at <= at)
      return;
    trim_at = at;
    trim_noted = true;
  }
  maintenance_due.notify_one();
}

void writer::state::maintain() {
  auto lock = std::unique_lock{maintenance_mutex};
  for (;;) {
    if (maintenance_stopping)
      return;
    const auto now = clock::now();
    if (now >= look_at) {
      look_at = now + std::chrono::milliseconds{options.look_at_disk_ms};
      const auto wanted = free_bytes_min;
      lock.unlock();
      look_at_disk(wanted);
      lock.lock();
      continue;
    }
    const auto trims_some_day = trim_at && !maintenance_paused;
    if (!trims_some_day || now < *trim_at) {
      maintenance_due.wait_until(lock, trims_some_day ? std::min(*trim_at, look_at) : look_at);
      continue;
    }
    trim_at.reset();
    trim_noted = false;
    lock.unlock();
    auto done = db->flush_and_trim();
    if (done) {
      ++trims;
    } else {
      const auto guard = std::scoped_lock{mutex};
      maintenance_failure = done.error();
      sleeping = false;
      more.notify_one();
    }
    lock.lock();
    if (!done)
      maintenance_paused = true; // Until the writer has recovered.
  }
}

/// What cannot be looked at is left as it is: trouble with the disk shows itself by writing.
void writer::state::look_at_disk(std::uint64_t wanted_bytes) {
  const auto found = db->free_bytes();
  if (!found)
    return;
  free_bytes = *found;
  const auto was_short = shortage.failed; // Only this thread writes it.
  const auto is_short = *found < (was_short ? wanted_bytes + wanted_bytes / 16 : wanted_bytes);
  if (is_short == was_short)
    return;
  const auto mebibytes = [](std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  auto next = storage_health{is_short, errc::none, {}, now_ms()};
  if (is_short) {
    next.code = errc::resource_constraint;
    next.reason =
        "only " + mebibytes(*found) + " are free on the disk, less than free_bytes_min, " + mebibytes(wanted_bytes);
  }
  {
    const auto lock = std::scoped_lock{mutex};
    shortage = std::move(next);
  }
  report();
}

// -- interface
// ---------------------------------------------------------------------------------------------------------

writer::writer(std::unique_ptr<store> opened, writer_options options,
               std::function<void(const storage_health&)> on_health)
    : state_(std::make_unique<state>(std::move(opened), options, std::move(on_health))) {}

writer::~writer() {
  stop();
}

result<void> writer::submit(shard_id shard, std::string encoded_command, completion done) {
  if (shard >= state_->db->options().shard_count)
    return error{errc::corrupt_record, "no such shard"};
  if (auto checked = for_each_change(encoded_command, shard, {}); !checked)
    return checked;
  auto added = request{};
  added.entry.shard = shard;
  added.entry.data = std::move(encoded_command);
  added.done = std::move(done);
  return state_->accept(std::move(added), false);
}

result<void> writer::read_after(shard_id, std::function<void(const reader&)> f) {
  auto added = request{};
  added.read = std::move(f);
  return state_->accept(std::move(added), true);
}

result<void> writer::read(std::function<void(const reader&)> f) {
  return state_->reads.add(std::move(f));
}

const reader& writer::cached() const noexcept {
  return state_->db->view(tier::cached);
}

storage_health writer::health() const {
  const auto lock = std::scoped_lock{state_->mutex};
  return state_->worst();
}

void writer::set_free_bytes_min(std::uint64_t bytes) {
  {
    const auto lock = std::scoped_lock{state_->maintenance_mutex};
    state_->free_bytes_min = bytes;
    state_->look_at = clock::now();
  }
  state_->maintenance_due.notify_one();
}

writer::counters writer::count() const noexcept {
  auto out = counters{};
  out.commands = state_->commands;
  out.failed = state_->failures;
  out.batches = state_->batches;
  out.log_bytes = state_->log_bytes;
  out.trims = state_->trims;
  out.free_bytes = state_->free_bytes;
  const auto lock = std::scoped_lock{state_->mutex};
  out.queue_bytes = state_->queue_bytes;
  return out;
}

void writer::stop() {
  auto& s = *state_;
  {
    const auto lock = std::scoped_lock{s.mutex};
    if (std::exchange(s.stopping, true))
      return;
    s.sleeping = false;
  }
  s.more.notify_one();
  s.writer_thread.join();
  s.reads.stop();
  {
    const auto lock = std::scoped_lock{s.maintenance_mutex};
    s.maintenance_stopping = true;
  }
  s.maintenance_due.notify_one();
  s.maintenance_thread.join();
  if (!s.failed)
    (void)s.db->flush_and_trim(); // Else the next start replays: slower, nothing is lost.
}

result<void> writer::trim() {
  return state_->db->flush_and_trim();
}

} // namespace xmpp
