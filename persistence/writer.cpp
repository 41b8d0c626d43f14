#include "persistence/writer.hpp"

#include "persistence/command_check.hpp"
#include "persistence/write_set.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
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

/// What a member of a group asks for: one of the three.
struct group_request {
  std::uint64_t life = 0; ///< 0: of any.
  std::vector<log_write> writes;
  std::optional<group_apply> applies;
  std::function<result<void>(store*)> task;
  std::function<void(result<void>)> done; ///< Not of a task.
  std::size_t bytes = 0;

  void answer(const result<void>& how) {
    if (task)
      (void)std::exchange(task, {})(nullptr);
    else if (done)
      std::exchange(done, {})(how);
  }
};

/// A command, or a read that comes after the commands before it, or a group's.
struct request {
  log_entry entry;
  writer::completion done;
  std::function<void(const reader&)> read;
  std::unique_ptr<group_request> group;

  std::size_t size_bytes() const { return entry.data.size() + request_overhead_bytes + (group ? group->bytes : 0); }
};

std::size_t bytes_of(const std::vector<group_entry>& entries) {
  auto out = std::size_t{0};
  for (const auto& x : entries)
    out += x.data->size() + sizeof x;
  return out;
}

/// Of that, there is no more to be said to the caller.
bool is_harmless(errc x) {
  return x == errc::corrupt_record || x == errc::item_not_found;
}

std::thread start_thread(const char* name, std::function<void()> run) {
  auto thread = std::thread{std::move(run)};
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

/// Threads that run functions in the order they came; for reads that may wait for the disk.
class read_pool {
public:
  read_pool(const store& from, std::size_t threads, std::size_t waiting_max) : from_(from), waiting_max_(waiting_max) {
    for (auto i = std::size_t{0}; i < threads; ++i)
      threads_.push_back(start_thread("store-read", [this] { run(); }));
  }

  result<void> add(std::function<void(const store&)> f) {
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

  const store& from_;
  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::function<void(const store&)>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

} // namespace

struct writer::state {
  state(std::unique_ptr<store> opened, writer_options o, std::function<void(const storage_health&)> report);

  // -- the writer's thread --
  void run();
  void work(std::vector<request>& taken);
  void run_task(std::span<request> one);
  void write(std::span<request> requests);
  bool is_stale(const request& x) const { return x.group && x.group->life != 0 && x.group->life != life; }
  void tell(writer::group_event::kind what);
  void tell_flushed(const std::vector<std::uint64_t>& up_to);
  void answer_flushes(const result<void>& how);
  result<void> flush();
  void fail(struct error why, std::span<request> rest);
  void try_to_recover();
  void change_health(storage_health next);
  const storage_health& worst() const;
  void report();

  // -- the maintenance thread --
  void maintain();
  void note_written();
  void look_at_disk(std::uint64_t wanted_bytes);

  result<void> accept(request added, bool also_while_failed, bool even_when_full = false);
  void accept_group(std::unique_ptr<group_request> x);

  std::unique_ptr<store> db;
  const writer_options options;
  const std::function<void(const storage_health&)> on_health;

  mutable std::mutex mutex; ///< Guards what follows, up to the next blank line.
  std::condition_variable more;
  std::vector<request> queue;
  std::atomic<std::size_t> queue_bytes{0}; ///< Read by anybody.
  bool sleeping = false;
  bool stopping = false;
  storage_health health;   ///< Changed by the writer's thread only.
  storage_health shortage; ///< `failed`: of room on the disk. Changed by the maintenance thread only.
  std::optional<struct error> maintenance_failure;

  std::vector<std::uint64_t> next_index; ///< By shard; the writer's thread only.
  std::uint64_t life = 1;                ///< One more with each failure; the writer's thread only.
  std::vector<log_entry> entries;        ///< Of one batch, as the next two; the writer's thread only.
  std::vector<log_write> writes;
  std::vector<group_apply> applies;
  bool failed = false;        ///< The writer's thread only.
  clock::time_point retry_at; ///< While failed; the writer's thread only.

  std::mutex maintenance_mutex; ///< Guards what follows, up to the next blank line.
  std::condition_variable maintenance_due;
  std::optional<clock::time_point> trim_at; ///< None: nothing was written since the last trim.
  bool maintenance_paused = false;
  bool maintenance_stopping = false;
  std::uint64_t free_bytes_min;
  clock::time_point look_at;                              ///< When to look at the disk again.
  std::vector<std::function<void(result<void>)>> flushes; ///< Who waits for the next.

  std::mutex watch_mutex; ///< Held while they are called.
  std::map<shard_id, std::pair<std::uint64_t, std::function<void(const writer::group_event&)>>> watchers;
  std::uint64_t last_watcher = 0;

  std::mutex report_mutex; ///< Held while `on_health` runs, so that reports come in order.

  std::atomic<clock::rep> busy_since{0}; ///< 0: not busy.
  std::atomic<std::uint64_t> commands{0}, failures{0}, batches{0}, log_bytes{0}, trims{0}, free_bytes{0};
  std::atomic<bool> trim_noted{false}; ///< Spares the writer a lock for each batch.

  read_pool reads;
  std::thread maintenance_thread, writer_thread; // last: they use all of the above
};

writer::state::state(std::unique_ptr<store> opened, writer_options o, std::function<void(const storage_health&)> report)
    : db(std::move(opened)), options(o), on_health(std::move(report)), free_bytes_min(o.free_bytes_min),
      reads(*db, std::max<std::size_t>(o.read_threads, 1), o.reads_waiting_max) {
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

result<void> writer::state::accept(request added, bool also_while_failed, bool even_when_full) {
  const auto bytes = added.size_bytes();
  const auto lock = std::scoped_lock{mutex};
  if (stopping)
    return stopped();
  if (auto& now = worst(); now.failed && !also_while_failed)
    return error{now.code, now.reason};
  // One command larger than the whole queue still passes when it is alone.
  if (!even_when_full && queue_bytes != 0 && queue_bytes + bytes > options.writer_queue_bytes_max)
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

/// Behind `stop` there is nobody who would run it: it is answered here.
void writer::state::accept_group(std::unique_ptr<group_request> x) {
  auto added = request{};
  auto& kept = *x;
  for (const auto& one : kept.writes)
    kept.bytes += bytes_of(one.entries);
  if (kept.applies)
    kept.bytes += bytes_of(kept.applies->entries);
  added.group = std::move(x);
  {
    const auto lock = std::scoped_lock{mutex};
    if (!stopping) {
      queue_bytes += added.size_bytes();
      queue.push_back(std::move(added));
      if (std::exchange(sleeping, false))
        more.notify_one();
      return;
    }
  }
  added.group->answer(stopped());
}

/// In batches of bounded size, as long as no task comes: those run alone.
void writer::state::work(std::vector<request>& taken) {
  auto rest = std::span{taken};
  while (!rest.empty() && !failed) {
    auto bytes = std::size_t{0};
    auto size = std::size_t{0};
    while (size < rest.size() && bytes < options.batch_bytes_max && !(rest[size].group && rest[size].group->task))
      bytes += rest[size++].size_bytes();
    busy_since = clock::now().time_since_epoch().count();
    if (size > 0)
      write(rest.first(size));
    else
      run_task(rest.first(size = 1));
    rest = rest.subspan(size);
  }
  busy_since = 0;
  if (failed)
    fail(error{health.code, health.reason}, rest);
}

void writer::state::run_task(std::span<request> one) {
  auto task = std::exchange(one.front().group->task, {});
  if (auto done = task(is_stale(one.front()) ? nullptr : db.get()); !done && !is_harmless(done.code()))
    fail(done.error(), {});
}

/// What groups have committed comes first: it does not depend on what is to be synced here. Then everything answers in
/// the order it came.
void writer::state::write(std::span<request> requests) {
  entries.clear();
  writes.clear();
  applies.clear();
  for (auto& x : requests) {
    if (x.read || is_stale(x))
      continue;
    if (!x.group) {
      x.entry.index = next_index[x.entry.shard]++;
      entries.push_back(std::move(x.entry));
      x.entry.index = entries.back().index;
    } else if (x.group->applies) {
      applies.push_back(std::move(*x.group->applies));
    } else {
      std::move(x.group->writes.begin(), x.group->writes.end(), std::back_inserter(writes));
    }
  }
  if (!applies.empty()) {
    if (auto done = db->apply(applies); !done)
      return fail(done.error(), requests);
    for (const auto& x : applies)
      commands += x.entries.size();
    for (auto& x : requests)
      if (x.group && x.group->applies && !is_stale(x))
        x.group->answer({});
  }
  if (!entries.empty() || !writes.empty()) {
    auto done = db->append(entries, writes);
    if (done && !entries.empty())
      done = db->apply(entries);
    if (!done)
      return fail(done.error(), requests);
    for (const auto& x : entries)
      log_bytes += x.data.size();
    for (const auto& x : writes)
      for (const auto& one : x.entries)
        log_bytes += one.data->size();
    ++batches;
    commands += entries.size();
    note_written();
  }
  for (auto& x : requests) {
    if (x.read)
      x.read(db->view(tier::disk));
    else if (x.group)
      x.group->answer(is_stale(x) ? result<void>{error{errc::storage_failure, "of an earlier life"}} : result<void>{});
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
    ++life;
    change_health({true, why.code, why.text, now_ms()});
    tell(writer::group_event::kind::failed);
    answer_flushes(why);
  }
  for (auto& x : rest) {
    if (x.read) {
      x.read(db->view(tier::disk));
    } else if (x.group) {
      x.group->answer(why);
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
  tell(writer::group_event::kind::recovered);
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

void writer::state::tell(writer::group_event::kind what) {
  const auto lock = std::scoped_lock{watch_mutex};
  for (const auto& [shard, one] : watchers)
    one.second({what, 0});
}

void writer::state::tell_flushed(const std::vector<std::uint64_t>& up_to) {
  const auto lock = std::scoped_lock{watch_mutex};
  for (const auto& [shard, one] : watchers)
    if (shard == system_shard || shard < up_to.size() - 1)
      one.second({writer::group_event::kind::flushed, shard == system_shard ? up_to.back() : up_to[shard]});
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
    auto done = flush();
    if (!done) {
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

/// Whoever asked before it began is answered with it.
result<void> writer::state::flush() {
  auto waiting = std::vector<std::function<void(result<void>)>>{};
  {
    const auto lock = std::scoped_lock{maintenance_mutex};
    waiting = std::exchange(flushes, {});
  }
  const auto covered = db->flush_and_trim();
  if (covered) {
    ++trims;
    tell_flushed(*covered);
  }
  const auto how = covered ? result<void>{} : result<void>{covered.error()};
  for (const auto& done : waiting)
    done(how);
  return how;
}

void writer::state::answer_flushes(const result<void>& how) {
  auto waiting = std::vector<std::function<void(result<void>)>>{};
  {
    const auto lock = std::scoped_lock{maintenance_mutex};
    waiting = std::exchange(flushes, {});
  }
  for (const auto& done : waiting)
    done(how);
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
  tell(is_short ? writer::group_event::kind::short_of_room : writer::group_event::kind::has_room);
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
  if (state_->db->is_group(shard))
    return error{errc::storage_failure, "the shard belongs to a group"};
  if (auto checked = check_command(encoded_command, shard); !checked)
    return checked;
  auto added = request{};
  added.entry.shard = shard;
  added.entry.data = std::move(encoded_command);
  added.done = std::move(done);
  return state_->accept(std::move(added), false);
}

result<void> writer::read_after(shard_id, std::function<void(const reader&)> f, bool even_when_full) {
  auto added = request{};
  added.read = std::move(f);
  return state_->accept(std::move(added), true, even_when_full);
}

result<void> writer::read(std::function<void(const reader&)> f) {
  return state_->reads.add([f = std::move(f)](const store& from) { f(from.view(tier::disk)); });
}

// -- groups ----------------------------------------------------------------------------------------------------------

std::uint64_t writer::watch(shard_id shard, std::function<void(const group_event&)> f) {
  const auto lock = std::scoped_lock{state_->watch_mutex};
  auto is_short = false;
  {
    const auto guard = std::scoped_lock{state_->mutex};
    is_short = state_->shortage.failed;
  }
  auto& kept = state_->watchers[shard] = {++state_->last_watcher, std::move(f)};
  if (is_short)
    kept.second({group_event::kind::short_of_room, 0});
  return kept.first;
}

void writer::end_watch(shard_id shard, std::uint64_t number) {
  const auto lock = std::scoped_lock{state_->watch_mutex};
  if (auto found = state_->watchers.find(shard); found != state_->watchers.end() && found->second.first == number)
    state_->watchers.erase(found);
}

void writer::begin(shard_id shard, std::size_t bytes_max, std::function<void(result<group_log>)> f) {
  run(0, [this, shard, bytes_max, f = std::move(f)](store* db) -> result<void> {
    if (!db) {
      f(error{errc::storage_failure, "the store has failed or is stopped"});
      return {};
    }
    auto found = db->begin(shard, bytes_max);
    if (found)
      found->life = state_->life;
    auto done = found ? result<void>{} : result<void>{found.error()};
    f(std::move(found));
    return done;
  });
}

void writer::write(shard_id shard, std::uint64_t life, std::vector<log_write> writes,
                   std::function<void(result<void>)> done) {
  auto x = std::make_unique<group_request>();
  x->life = life;
  x->writes = std::move(writes);
  for (auto& one : x->writes)
    one.shard = shard;
  x->done = std::move(done);
  state_->accept_group(std::move(x));
}

void writer::apply(std::uint64_t life, group_apply entries, std::function<void(result<void>)> done) {
  auto x = std::make_unique<group_request>();
  x->life = life;
  x->applies = std::move(entries);
  x->done = std::move(done);
  state_->accept_group(std::move(x));
}

void writer::run(std::uint64_t life, std::function<result<void>(store*)> f) {
  auto x = std::make_unique<group_request>();
  x->life = life;
  x->task = std::move(f);
  state_->accept_group(std::move(x));
}

void writer::flush(std::function<void(result<void>)> done) {
  {
    const auto lock = std::scoped_lock{state_->maintenance_mutex};
    if (!state_->maintenance_paused && !state_->maintenance_stopping) {
      state_->flushes.push_back(std::move(done));
      state_->trim_at = clock::now();
      done = nullptr;
    }
  }
  if (done)
    done(error{errc::storage_failure, "the store has failed or is stopped"});
  else
    state_->maintenance_due.notify_one();
}

result<void> writer::read_store(std::function<void(const store&)> f) {
  return state_->reads.add(std::move(f));
}

std::vector<group_entry> writer::entries(shard_id shard, std::uint64_t first, std::size_t count) const {
  return state_->db->entries(shard, first, count);
}

bool writer::is_full() const noexcept {
  return state_->queue_bytes.load(std::memory_order_relaxed) >= state_->options.writer_queue_bytes_max;
}

const reader& writer::cached() const noexcept {
  return state_->db->view(tier::cached);
}

const store& writer::opened() const noexcept {
  return *state_->db;
}

storage_health writer::health() const {
  const auto lock = std::scoped_lock{state_->mutex};
  return state_->worst();
}

std::uint64_t writer::busy_ms() const noexcept {
  const auto since = state_->busy_since.load();
  if (since == 0)
    return 0;
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock::now().time_since_epoch() - clock::duration{since});
  return std::uint64_t(std::max<std::int64_t>(ms.count(), 0));
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
  s.answer_flushes(stopped());
  if (!s.failed)
    (void)s.db->flush_and_trim(); // Else the next start replays: slower, nothing is lost.
}

result<void> writer::trim() {
  return state_->flush();
}

} // namespace xmpp
