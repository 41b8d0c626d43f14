#include "persistence/writer.hpp"

#include "persistence/command_check.hpp"
#include "tests/persistence/faulty_disk.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace xmpp;
using namespace xmpp::test;

namespace {

/// Holds the writer's thread inside a read, so that requests pile up behind it.
class held_writer {
public:
  explicit held_writer(writer& held) {
    auto inside = std::promise<void>{};
    BOOST_REQUIRE(held.read_after(0,
                                  [&inside, go = go_.get_future().share()](const reader&) {
                                    inside.set_value();
                                    go.wait();
                                  })
                      .has_value());
    inside.get_future().wait();
  }
  void go() { go_.set_value(); }

private:
  std::promise<void> go_;
};

/// Health as it was reported, and a way to wait for the next report.
class health_log {
public:
  std::function<void(const storage_health&)> listener() {
    return [this](const storage_health& x) {
      const auto lock = std::scoped_lock{mutex_};
      reports_.push_back(x);
      changed_.notify_all();
    };
  }
  storage_health wait_for(std::size_t count) {
    auto lock = std::unique_lock{mutex_};
    changed_.wait(lock, [&] { return reports_.size() >= count; });
    return reports_[count - 1];
  }
  std::size_t size() {
    const auto lock = std::scoped_lock{mutex_};
    return reports_.size();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<storage_health> reports_;
};

struct writer_fixture {
  temporary_folder folder;
  faulty_disk disk;
  health_log reports;
  store_options options = small_store(folder);
  writer_options how;
  std::unique_ptr<writer> w;

  writer_fixture() {
    options.environment = disk.environment();
    how.retry_ms = 1;
  }
  void start() { w = std::make_unique<writer>(open_store(options), how, reports.listener()); }
  std::optional<std::string> value(shard_id shard, std::string_view name) {
    auto found = std::promise<std::optional<std::string>>{};
    BOOST_REQUIRE(w->read([&](const reader& from) { found.set_value(value_of(from, shard, name)); }).has_value());
    return found.get_future().get();
  }

  /// As a crash would leave it: nothing is flushed.
  void drop_and_start() {
    disk.faults.tables_fail = true;
    w.reset();
    disk.faults.tables_fail = false;
    start();
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(writer_of_the_store, writer_fixture)

BOOST_AUTO_TEST_CASE(a_completed_command_is_visible_and_durable) {
  start();
  const auto synced_before = disk.faults.syncs.load();
  BOOST_TEST(*commit(*w, 1, put_command(1, "a", "1")) == 1);
  BOOST_TEST(disk.faults.syncs.load() > synced_before);
  BOOST_TEST(*value_of(w->cached(), 1, "a") == "1");
  BOOST_TEST(*commit(*w, 1, put_command(1, "a", "2")) == 2);
  BOOST_TEST(*commit(*w, 0, put_command(0, "a", "3")) == 1);
  drop_and_start();
  BOOST_TEST(*value(1, "a") == "2");
  BOOST_TEST(*commit(*w, 1, put_command(1, "a", "4")) == 3);
}

BOOST_AUTO_TEST_CASE(with_too_little_room_on_the_disk_nothing_is_accepted_until_there_is_more) {
  how.free_bytes_min = 1'600 << 20;
  how.look_at_disk_ms = 1;
  start();
  BOOST_TEST(commit(*w, 0, put_command(0, "a", "1")).has_value());
  disk.faults.free_bytes = 1'599 << 20;
  const auto lack = reports.wait_for(1);
  BOOST_TEST(lack.failed);
  BOOST_TEST((lack.code == errc::resource_constraint));
  BOOST_TEST(lack.reason.find("1599 MiB") != std::string::npos, lack.reason);
  BOOST_TEST((w->submit(0, put_command(0, "a", "2"), {}).code() == errc::resource_constraint));
  BOOST_TEST(w->health().failed);
  BOOST_TEST(w->count().free_bytes == std::uint64_t{1'599} << 20);
  BOOST_TEST(*value(0, "a") == "1"); // reading goes on
  disk.faults.free_bytes = 1'700 << 20;
  BOOST_TEST(!reports.wait_for(2).failed);
  BOOST_TEST(commit(*w, 0, put_command(0, "a", "3")).has_value());
  w->stop();
  BOOST_TEST(reports.size() == 2); // each change once
}

BOOST_AUTO_TEST_CASE(a_disk_that_is_nearly_full_is_seen_at_the_start) {
  how.free_bytes_min = 1'600 << 20;
  disk.faults.free_bytes = 1 << 20;
  start();
  BOOST_TEST((w->submit(0, put_command(0, "a", "1"), {}).code() == errc::resource_constraint));
  w->set_free_bytes_min(0);
  BOOST_TEST(!reports.wait_for(2).failed);
  BOOST_TEST(commit(*w, 0, put_command(0, "a", "1")).has_value());
}

BOOST_AUTO_TEST_CASE(a_recovery_does_not_hide_that_there_is_too_little_room) {
  how.free_bytes_min = 1'600 << 20;
  how.look_at_disk_ms = 1;
  start();
  disk.faults.syncs_fail = true;
  BOOST_TEST(!commit(*w, 0, put_command(0, "a", "1")).has_value());
  BOOST_TEST((reports.wait_for(1).code == errc::storage_failure));
  disk.faults.free_bytes = 1 << 20;
  BOOST_TEST((reports.wait_for(2).code == errc::storage_failure)); // the worse of the two
  disk.faults.syncs_fail = false;
  BOOST_TEST((reports.wait_for(3).code == errc::resource_constraint));
  BOOST_TEST((w->submit(0, put_command(0, "a", "1"), {}).code() == errc::resource_constraint));
}

BOOST_AUTO_TEST_CASE(what_waits_is_one_batch_and_completes_in_order) {
  start();
  auto order = std::vector<std::uint64_t>{};
  auto last = std::promise<void>{};
  auto hold = held_writer{*w};
  const auto synced_before = disk.faults.syncs.load();
  for (auto i = 1; i <= 100; ++i)
    BOOST_REQUIRE(w->submit(2, put_command(2, "a", std::to_string(i)), [&, i](result<std::uint64_t> index) {
                     order.push_back(*index);
                     if (i == 100)
                       last.set_value();
                   }).has_value());
  hold.go();
  last.get_future().wait();
  BOOST_TEST(disk.faults.syncs.load() == synced_before + 1);
  BOOST_REQUIRE(order.size() == 100);
  for (auto i = std::size_t{0}; i < 100; ++i)
    BOOST_TEST(order[i] == i + 1);
  BOOST_TEST(*value(2, "a") == "100");
  BOOST_TEST(w->count().commands == 100);
}

BOOST_AUTO_TEST_CASE(a_batch_has_its_bound) {
  how.batch_bytes_max = 10'000;
  start();
  auto last = std::promise<void>{};
  auto hold = held_writer{*w};
  const auto batches_before = w->count().batches;
  for (auto i = 1; i <= 10; ++i)
    BOOST_REQUIRE(
        w->submit(2, put_command(2, std::to_string(i), std::string(6'000, 'x')), [&, i](result<std::uint64_t>) {
           if (i == 10)
             last.set_value();
         }).has_value());
  hold.go();
  last.get_future().wait();
  BOOST_TEST(w->count().batches == batches_before + 5);
}

BOOST_AUTO_TEST_CASE(a_full_queue_refuses_at_once) {
  how.writer_queue_bytes_max = 10'000;
  start();
  auto hold = held_writer{*w};
  auto done = std::atomic<int>{0};
  const auto count = [&](result<std::uint64_t> index) { done += index.has_value(); };
  BOOST_TEST(w->submit(0, put_command(0, "a", std::string(6'000, 'x')), count).has_value());
  BOOST_TEST((w->submit(0, put_command(0, "b", std::string(6'000, 'x')), count).code() == errc::resource_constraint));
  hold.go();
  auto after = std::promise<void>{};
  while (!w->read_after(0, [&](const reader&) { after.set_value(); }))
    std::this_thread::yield();
  after.get_future().wait();
  BOOST_TEST(done == 1);
  BOOST_TEST(!value(0, "b"));
  BOOST_TEST(commit(*w, 0, put_command(0, "c", "1")).has_value());
}

BOOST_AUTO_TEST_CASE(a_command_larger_than_the_queue_passes_alone) {
  how.writer_queue_bytes_max = 1'000;
  start();
  BOOST_TEST(commit(*w, 0, put_command(0, "a", std::string(6'000, 'x'))).has_value());
}

BOOST_AUTO_TEST_CASE(a_malformed_command_is_refused) {
  start();
  const auto never = [](result<std::uint64_t>) { BOOST_ERROR("completed"); };
  BOOST_TEST((w->submit(0, "nonsense", never).code() == errc::corrupt_record));
  BOOST_TEST((w->submit(0, put_command(0, "a", std::string(command_bytes_max, 'x')), never).code() ==
              errc::resource_constraint));
  BOOST_TEST((w->submit(0, put_command(1, "a", "1"), never).code() == errc::corrupt_record));
  BOOST_TEST((w->submit(4, put_command(4, "a", "1"), never).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(a_read_after_sees_what_was_submitted_before) {
  start();
  auto hold = held_writer{*w};
  BOOST_REQUIRE(w->submit(0, put_command(0, "a", "1"), [](result<std::uint64_t>) {}).has_value());
  auto seen = std::promise<std::optional<std::string>>{};
  BOOST_REQUIRE(w->read_after(0, [&](const reader& from) { seen.set_value(value_of(from, 0, "a")); }).has_value());
  hold.go();
  BOOST_TEST(*seen.get_future().get() == "1");
}

BOOST_AUTO_TEST_CASE(reads_run_while_the_writer_is_busy) {
  start();
  BOOST_REQUIRE(commit(*w, 0, put_command(0, "a", "1")).has_value());
  auto hold = held_writer{*w};
  auto seen = std::promise<std::optional<std::string>>{};
  BOOST_REQUIRE(w->read([&](const reader& from) { seen.set_value(value_of(from, 0, "a")); }).has_value());
  BOOST_TEST(*seen.get_future().get() == "1");
  hold.go();
}

BOOST_AUTO_TEST_CASE(how_long_the_disk_has_been_waited_for_can_be_seen) {
  start();
  BOOST_REQUIRE(commit(*w, 0, put_command(0, "a", "1")).has_value());
  while (w->busy_ms() != 0)
    std::this_thread::yield();
  auto hold = held_writer{*w};
  while (w->busy_ms() == 0)
    std::this_thread::yield();
  auto before = w->busy_ms();
  while (w->busy_ms() <= before)
    std::this_thread::yield();
  BOOST_TEST(!w->health().failed);
  hold.go();
  while (w->busy_ms() != 0)
    std::this_thread::yield();
}

BOOST_AUTO_TEST_CASE(waiting_reads_have_their_bound) {
  how.read_threads = 1;
  how.reads_waiting_max = 2;
  start();
  auto inside = std::promise<void>{};
  auto go = std::promise<void>{};
  auto ran = std::atomic<int>{0};
  BOOST_REQUIRE(w->read([&](const reader&) {
                   inside.set_value();
                   go.get_future().wait();
                 }).has_value());
  inside.get_future().wait();
  const auto count = [&](const reader&) { ++ran; };
  BOOST_TEST(w->read(count).has_value());
  BOOST_TEST(w->read(count).has_value());
  BOOST_TEST((w->read(count).code() == errc::resource_constraint));
  go.set_value();
  w->stop();
  BOOST_TEST(ran == 2);
}

BOOST_AUTO_TEST_CASE(stopping_finishes_what_waits_and_refuses_what_comes) {
  start();
  auto done = std::atomic<int>{0};
  auto hold = held_writer{*w};
  for (auto i = 0; i < 10; ++i)
    BOOST_REQUIRE(w->submit(0, put_command(0, "a", "1"), [&](result<std::uint64_t> index) {
                     done += index.has_value();
                   }).has_value());
  hold.go();
  w->stop();
  BOOST_TEST(done == 10);
  BOOST_TEST((w->submit(0, put_command(0, "a", "1"), {}).code() == errc::storage_failure));
  BOOST_TEST((w->read_after(0, [](const reader&) {}).code() == errc::storage_failure));
  BOOST_TEST((w->read([](const reader&) {}).code() == errc::storage_failure));
  w.reset();
  const auto s = open_store(options);
  BOOST_TEST(s->log_bytes() == 0); // the state was flushed: nothing to replay
  BOOST_TEST(*value_of(s->view(tier::disk), 0, "a") == "1");
}

BOOST_AUTO_TEST_CASE(the_log_stays_small_however_much_is_written) {
  how.log_bytes_max = 200'000;
  options.memtable_bytes_max = 1 << 20;
  start();
  for (auto i = 0; i < 40; ++i)
    for (auto shard = shard_id{0}; shard < 4; ++shard)
      BOOST_REQUIRE(commit(*w, shard, put_command(shard, "a", std::string(40'000, 'x'))).has_value());
  // 6.4 MB went through; only the last of each shard is wanted.
  BOOST_REQUIRE(w->trim().has_value());
  BOOST_TEST(w->count().trims > 2);
  w->stop();
  w.reset();
  const auto s = open_store(options);
  BOOST_TEST(s->disk_bytes() < 1'500'000);
  BOOST_TEST(value_of(s->view(tier::disk), 3, "a")->size() == 40'000);
}

// -- failures
// ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_failed_sync_acknowledges_nothing_and_what_it_lost_stays_lost) {
  start();
  BOOST_REQUIRE(commit(*w, 0, put_command(0, "a", "1")).has_value());
  disk.faults.syncs_lose_data = true;
  BOOST_TEST((commit(*w, 0, put_command(0, "a", "2")).code() == errc::storage_failure));
  BOOST_TEST(reports.wait_for(1).failed);
  BOOST_TEST(w->health().failed);
  BOOST_TEST(!w->health().reason.empty());
  BOOST_TEST((commit(*w, 0, put_command(0, "a", "3")).code() == errc::storage_failure));
  BOOST_TEST(*value(0, "a") == "1"); // reads go on
  disk.faults.syncs_lose_data = false;
  BOOST_TEST(!reports.wait_for(2).failed);
  BOOST_TEST(!w->health().failed);
  BOOST_TEST(*value(0, "a") == "1");
  BOOST_TEST(*commit(*w, 0, put_command(0, "b", "4")) == 2);
  drop_and_start();
  BOOST_TEST(*value(0, "a") == "1");
  BOOST_TEST(*value(0, "b") == "4");
}

// The bytes of the failed batch are still in the file: a plain replay would apply what was answered with an error.
BOOST_AUTO_TEST_CASE(a_failed_sync_whose_data_survives_is_not_applied_either) {
  start();
  BOOST_REQUIRE(commit(*w, 0, put_command(0, "a", "1")).has_value());
  disk.faults.syncs_fail = true;
  BOOST_TEST((commit(*w, 0, put_command(0, "a", "2")).code() == errc::storage_failure));
  BOOST_TEST((commit(*w, 1, put_command(1, "c", "2")).code() == errc::storage_failure));
  disk.faults.syncs_fail = false;
  BOOST_TEST(!reports.wait_for(2).failed);
  BOOST_TEST(*value(0, "a") == "1");
  BOOST_TEST(*commit(*w, 0, put_command(0, "b", "3")) == 2);
  drop_and_start();
  BOOST_TEST(*value(0, "a") == "1");
  BOOST_TEST(*value(0, "b") == "3");
  BOOST_TEST(!value(1, "c"));
}

BOOST_AUTO_TEST_CASE(everything_that_waits_fails_with_the_batch) {
  start();
  auto failed = std::atomic<int>{0};
  auto last = std::promise<void>{};
  auto hold = held_writer{*w};
  for (auto i = 0; i < 20; ++i)
    BOOST_REQUIRE(w->submit(0, put_command(0, "a", "1"), [&](result<std::uint64_t> index) {
                     failed += index.code() == errc::storage_failure;
                   }).has_value());
  BOOST_REQUIRE(w->read_after(0, [&](const reader& from) {
                   BOOST_TEST(!value_of(from, 0, "a"));
                   last.set_value();
                 }).has_value());
  disk.faults.syncs_fail = true;
  hold.go();
  last.get_future().wait();
  BOOST_TEST(failed == 20);
  BOOST_TEST(w->count().failed == 20);
  disk.faults.syncs_fail = false;
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_a_resource_constraint_until_there_is_room) {
  start();
  BOOST_REQUIRE(commit(*w, 0, put_command(0, "a", "1")).has_value());
  disk.faults.full = true;
  BOOST_TEST((commit(*w, 0, put_command(0, "a", "2")).code() == errc::resource_constraint));
  BOOST_TEST((commit(*w, 0, put_command(0, "a", "3")).code() == errc::resource_constraint));
  BOOST_TEST((w->health().code == errc::resource_constraint));
  BOOST_TEST(*value(0, "a") == "1");
  disk.faults.full = false;
  BOOST_TEST(!reports.wait_for(2).failed);
  BOOST_TEST(*value(0, "a") == "1");
  BOOST_TEST(*commit(*w, 0, put_command(0, "a", "4")) == 2);
  BOOST_TEST(*value(0, "a") == "4");
}

BOOST_AUTO_TEST_CASE(a_state_that_cannot_be_flushed_is_a_failure_but_loses_nothing) {
  how.log_bytes_max = 100'000;
  start();
  disk.faults.tables_fail = true;
  auto acknowledged = std::vector<std::string>{};
  for (auto i = 0; !reports.size(); ++i) {
    const auto name = std::to_string(i);
    if (commit(*w, 0, put_command(0, name, std::string(2'000, 'x'))))
      acknowledged.push_back(name);
  }
  BOOST_TEST(acknowledged.size() >= 40);
  BOOST_TEST(reports.wait_for(1).failed);
  disk.faults.tables_fail = false;
  auto count = std::size_t{1};
  while (w->health().failed)
    (void)reports.wait_for(++count);
  for (const auto& name : acknowledged)
    BOOST_TEST(value(0, name).has_value());
  drop_and_start();
  for (const auto& name : acknowledged)
    BOOST_TEST(value(0, name).has_value());
}

BOOST_AUTO_TEST_CASE(failures_may_follow_each_other) {
  start();
  for (auto i = 1; i <= 5; ++i) {
    BOOST_REQUIRE(commit(*w, 0, put_command(0, "a", std::to_string(i))).has_value());
    (i % 2 ? disk.faults.syncs_lose_data : disk.faults.full) = true;
    BOOST_TEST(!commit(*w, 0, put_command(0, "a", "lost")).has_value());
    disk.faults.syncs_lose_data = false;
    disk.faults.full = false;
    BOOST_TEST(!reports.wait_for(2 * static_cast<std::size_t>(i)).failed);
    BOOST_TEST(*value(0, "a") == std::to_string(i));
  }
}

BOOST_AUTO_TEST_CASE(a_writer_can_stop_while_it_has_failed) {
  start();
  BOOST_REQUIRE(commit(*w, 0, put_command(0, "a", "1")).has_value());
  disk.faults.syncs_lose_data = true;
  BOOST_TEST(!commit(*w, 0, put_command(0, "a", "2")).has_value());
  w->stop();
  w.reset();
  disk.faults.syncs_lose_data = false;
  start();
  BOOST_TEST(*value(0, "a") == "1");
}

BOOST_AUTO_TEST_SUITE_END()
