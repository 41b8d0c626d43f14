// Logs and states of groups: what is kept, what is cut off, what a member finds when it begins.
#include "persistence/codec.hpp"
#include "persistence/store.hpp"
#include "persistence/write_set.hpp"
#include "persistence/writer.hpp"
#include "tests/persistence/faulty_disk.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <string>
#include <vector>

using namespace xmpp;
using namespace xmpp::test;

namespace {

constexpr auto all = std::size_t{1} << 30;

group_entry entry(std::uint64_t term, std::string data, log_entry::kind what = log_entry::kind::command) {
  return {term, what, std::make_shared<const std::string>(std::move(data))};
}

std::string named_command(shard_id shard, std::uint64_t origin, std::uint64_t sequence, std::string_view name,
                          std::string_view value) {
  auto x = command{};
  x.origin = origin;
  x.sequence = sequence;
  x.changes.put(key_in(shard, name), value);
  return x.encode();
}

log_write append(shard_id shard, std::uint64_t first, std::vector<group_entry> entries) {
  auto out = log_write{};
  out.shard = shard;
  out.first_index = first;
  out.entries = std::move(entries);
  return out;
}

log_write member(shard_id shard, std::uint64_t term, std::uint64_t vote = 0) {
  auto out = log_write{};
  out.shard = shard;
  out.hard = hard_state{term, vote};
  return out;
}

std::string text_of(const group_log& x) {
  auto out = std::to_string(x.first_index) + ":";
  for (const auto& one : x.entries)
    out += " " + *one.data;
  return out;
}

struct group_fixture {
  temporary_folder folder;
  store_options options = small_store(folder);
  std::unique_ptr<store> s;

  group_fixture() {
    options.is_in_cluster = true;
    s = open_store(options);
  }
  void write(std::vector<log_write> x) { BOOST_REQUIRE(s->append({}, x).has_value()); }
  void apply(shard_id shard, std::uint64_t first, std::vector<group_entry> x) {
    auto one = std::vector<group_apply>{{shard, first, std::move(x)}};
    BOOST_REQUIRE(s->apply(one).has_value());
  }
  group_log begin(shard_id shard, std::size_t bytes_max = all) {
    auto found = s->begin(shard, bytes_max);
    BOOST_REQUIRE(found.has_value());
    return *found;
  }
  /// Nothing is flushed.
  void restart() {
    s.reset();
    s = open_store(options);
  }
  std::optional<std::string> value(shard_id shard, std::string_view name) {
    return value_of(s->view(tier::disk), shard, name);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(logs_of_groups, group_fixture)

BOOST_AUTO_TEST_CASE(a_start_finds_the_log_and_applies_nothing_of_it) {
  write({member(1, 7, 3), append(1, 1, {entry(7, put_command(1, "a", "1")), entry(7, "x", log_entry::kind::barrier)})});
  write({member(system_shard, 2)});
  restart();
  BOOST_TEST((s->groups() == std::vector<shard_id>{1, system_shard}));
  auto found = begin(1);
  BOOST_TEST((found.hard == hard_state{7, 3}));
  BOOST_TEST(found.first_index == 1);
  BOOST_REQUIRE(found.entries.size() == 2);
  BOOST_TEST(found.entries[0].term == 7);
  BOOST_TEST((found.entries[1].what == log_entry::kind::barrier));
  BOOST_TEST(found.applied == 0);
  BOOST_TEST(!value(1, "a"));
  BOOST_TEST((begin(system_shard).hard == hard_state{2, 0}));
  BOOST_TEST((s->begin(2, all).code() == errc::item_not_found));
}

BOOST_AUTO_TEST_CASE(what_is_written_behind_an_index_voids_what_stood_there) {
  write({member(0, 1), append(0, 1, {entry(1, "a"), entry(1, "b"), entry(1, "c"), entry(1, "d")})});
  write({append(0, 2, {entry(2, "B")})});
  BOOST_TEST(text_of(begin(0)) == "1: a B");
  write({append(0, 3, {entry(2, "C"), entry(2, "D")}), append(0, 4, {entry(3, "E")})});
  restart();
  BOOST_TEST(text_of(begin(0)) == "1: a B C E");
  write({append(0, 2, {entry(4, "F")})}); // the first after a start
  BOOST_TEST(text_of(begin(0)) == "1: a F");
}

BOOST_AUTO_TEST_CASE(a_log_begins_behind_what_was_trimmed) {
  write({member(0, 1), append(0, 1, {entry(1, "a"), entry(1, "b"), entry(1, "c")})});
  apply(0, 1, {entry(1, "a"), entry(1, "b")});
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  BOOST_TEST(text_of(begin(0)) == "1: a b c"); // only its member says what goes
  auto x = log_write{};
  x.shard = 0;
  x.snapshot = log_snapshot{2, 1, 1, "members"};
  x.trim_to = 1;
  write({x});
  restart();
  auto found = begin(0);
  BOOST_TEST((found.snapshot == x.snapshot));
  BOOST_TEST(text_of(found) == "2: b c");
  BOOST_TEST(found.applied == 2);
  BOOST_TEST(text_of(begin(0, 1)) == "3: c"); // of what the snapshot covers only what is asked for
  BOOST_TEST(s->entries(0, 2, 10).size() == 2);
  BOOST_TEST(s->entries(0, 1, 10).empty());
  x.trim_to = 3;
  x.snapshot->index = 2;
  write({x});
  BOOST_TEST(text_of(begin(0)) == "3:");
}

BOOST_AUTO_TEST_CASE(a_snapshot_from_elsewhere_voids_the_whole_log) {
  write({member(0, 1), append(0, 1, {entry(1, "a"), entry(1, "b")})});
  auto x = append(0, 10, {});
  x.snapshot = log_snapshot{9, 2, 1, "members"};
  BOOST_REQUIRE(s->begin_install(0).has_value());
  BOOST_REQUIRE(s->end_install(0, 9).has_value());
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  write({x, append(0, 10, {entry(2, "k")})});
  restart();
  BOOST_TEST(text_of(begin(0)) == "10: k");
  BOOST_TEST(begin(0).applied == 9);
}

BOOST_AUTO_TEST_CASE(a_torn_tail_takes_nothing_that_was_synced_before) {
  write({member(0, 1, 1), append(0, 1, {entry(1, "a")})});
  write({member(0, 2, 2), append(0, 2, {entry(2, "b")})});
  s.reset();
  auto log_file = std::filesystem::path{};
  for (const auto& file : std::filesystem::directory_iterator{options.folder / "log"})
    if (file.path().extension() == ".log" && file.path() > log_file)
      log_file = file.path();
  std::filesystem::resize_file(log_file, std::filesystem::file_size(log_file) - 3);
  s = open_store(options);
  auto found = begin(0);
  BOOST_TEST((found.hard == hard_state{1, 1})); // whole or not at all
  BOOST_TEST(text_of(found) == "1: a");
}

BOOST_AUTO_TEST_CASE(a_lone_node_refuses_a_store_of_a_cluster) {
  write({member(0, 1)});
  s.reset();
  options.is_in_cluster = false;
  const auto refused = store::open(options);
  BOOST_TEST((refused.code() == errc::storage_failure));
  BOOST_TEST(refused.error().text.find("cluster") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(lone_shards_beside_groups_are_replayed) {
  auto lone = log_entry{};
  lone.shard = 2;
  lone.index = 1;
  lone.data = put_command(2, "a", "1");
  BOOST_REQUIRE(
      s->append(std::vector{lone}, std::vector{member(0, 1), append(0, 1, {entry(1, put_command(0, "a", "1"))})})
          .has_value());
  restart();
  BOOST_TEST(*value(2, "a") == "1");
  BOOST_TEST(!value(0, "a"));
  BOOST_TEST(s->last_index(2) == 1);
}

BOOST_AUTO_TEST_CASE(a_reopening_leaves_logs_as_they_are_and_states_as_they_were_flushed) {
  write({member(0, 1), append(0, 1, {entry(1, put_command(0, "a", "1")), entry(1, put_command(0, "a", "2"))})});
  apply(0, 1, {entry(1, put_command(0, "a", "1"))});
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  apply(0, 2, {entry(1, put_command(0, "a", "2"))});
  const auto held = s->open_snapshot(0);
  BOOST_REQUIRE(s->reopen().has_value());
  BOOST_TEST(*value(0, "a") == "1");
  const auto found = begin(0);
  BOOST_TEST(found.applied == 1);
  BOOST_TEST(found.entries.size() == 2);
  BOOST_TEST((s->read_snapshot(held->id, {}, 100).code() == errc::item_not_found));
}

BOOST_AUTO_TEST_CASE(what_is_applied_follows_what_was) {
  write({member(0, 1)});
  apply(0, 1,
        {entry(1, "x", log_entry::kind::configuration), entry(1, put_command(0, "a", "1")),
         entry(1, put_command(3, "b", "1")), // of another shard
         entry(1, "what is this?"), entry(1, put_command(0, "c", "1"))});
  BOOST_TEST(s->last_index(0) == 5);
  BOOST_TEST(*value(0, "a") == "1");
  BOOST_TEST(*value(0, "c") == "1");
  BOOST_TEST(!value(3, "b"));
  for (const auto first : {5, 7}) {
    const auto again = std::vector<group_apply>{{0, std::uint64_t(first), {entry(1, put_command(0, "a", "2"))}}};
    BOOST_TEST(!s->apply(again).has_value());
  }
  BOOST_TEST(*value(0, "a") == "1");
}

BOOST_AUTO_TEST_CASE(a_command_that_is_sent_again_is_applied_once) {
  write({member(0, 1)});
  apply(0, 1,
        {entry(1, named_command(0, 9, 1, "a", "1")), entry(1, named_command(0, 9, 2, "a", "2")),
         entry(1, named_command(0, 9, 1, "a", "again"))});
  BOOST_TEST(*value(0, "a") == "2");
  apply(0, 4, {entry(1, named_command(0, 9, 2, "a", "again")), entry(1, named_command(0, 8, 1, "b", "other"))});
  BOOST_TEST(*value(0, "a") == "2");
  BOOST_TEST(*value(0, "b") == "other");
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  restart();
  BOOST_TEST(begin(0).applied == 5);
  apply(0, 6, {entry(1, named_command(0, 9, 1, "a", "again")), entry(1, named_command(0, 9, 3, "a", "3"))});
  BOOST_TEST(*value(0, "a") == "3");
  // Origin 0 is never sent again.
  apply(0, 8, {entry(1, named_command(0, 0, 1, "c", "1")), entry(1, named_command(0, 0, 1, "c", "2"))});
  BOOST_TEST(*value(0, "c") == "2");
}

BOOST_AUTO_TEST_CASE(what_was_applied_long_ago_is_forgotten_at_the_same_index_whatever_happened_between) {
  write({member(0, 1)});
  apply(0, 1, {entry(1, named_command(0, 9, 1, "a", "first"))});
  auto barriers = std::vector<group_entry>(sent_again_within - 2, entry(1, "", log_entry::kind::barrier));
  apply(0, 2, barriers); // up to sent_again_within - 1
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  for (const auto starts_anew : {false, true}) {
    if (starts_anew) {
      restart();
      begin(0);
    }
    apply(0, sent_again_within, {entry(1, named_command(0, 9, 1, "a", "too early"))});
    BOOST_TEST(*value(0, "a") == "first");
    apply(0, sent_again_within + 1, {entry(1, named_command(0, 9, 1, "a", "late"))});
    BOOST_TEST(*value(0, "a") == "late");
  }
}

// -- states that travel ----------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_state_travels_in_parts_as_it_was_when_it_was_held) {
  write({member(0, 1)});
  for (auto i = 0; i < 50; ++i)
    apply(0, std::uint64_t(i + 1), {entry(1, named_command(0, 5, std::uint64_t(i), std::to_string(i), "before"))});
  const auto held = s->open_snapshot(0);
  BOOST_REQUIRE(held.has_value());
  BOOST_TEST(held->index == 50);
  apply(0, 51, {entry(1, put_command(0, "1", "after"))});

  auto other_folder = temporary_folder{};
  auto other_options = small_store(other_folder);
  other_options.is_in_cluster = true;
  auto other = open_store(other_options);
  BOOST_REQUIRE(other->append({}, std::vector{member(0, 4, 2)}).has_value());
  BOOST_REQUIRE(other->apply(std::vector<group_apply>{{0, 1, {entry(1, put_command(0, "old", "1"))}}}).has_value());
  BOOST_REQUIRE(other->begin_install(0).has_value());
  auto chunks = 0;
  for (auto chunk = state_chunk{}; !chunk.is_last; ++chunks) {
    auto next = s->read_snapshot(held->id, chunk.last_key, 500);
    BOOST_REQUIRE(next.has_value());
    chunk = *next;
    BOOST_TEST(chunk.bytes.size() < 700);
    BOOST_REQUIRE(other->install(0, chunk.bytes).has_value());
  }
  BOOST_TEST(chunks > 3);
  BOOST_REQUIRE(other->end_install(0, held->index).has_value());
  BOOST_TEST(other->last_index(0) == 50);
  BOOST_TEST(*value_of(other->view(tier::disk), 0, "1") == "before");
  BOOST_TEST(!value_of(other->view(tier::disk), 0, "old"));
  // What was applied is known there, too.
  BOOST_REQUIRE(
      other->apply(std::vector<group_apply>{{0, 51, {entry(1, named_command(0, 5, 49, "1", "again"))}}}).has_value());
  BOOST_TEST(*value_of(other->view(tier::disk), 0, "1") == "before");
  s->close_snapshot(held->id);
  BOOST_TEST((s->read_snapshot(held->id, {}, 500).code() == errc::item_not_found));
}

BOOST_AUTO_TEST_CASE(what_is_no_part_of_a_shards_state_is_not_installed) {
  write({member(0, 1)});
  BOOST_REQUIRE(s->begin_install(0).has_value());
  const auto part = [](std::string_view key) {
    auto out = std::string{};
    auto to = codec::byte_writer{out};
    to.string(key);
    to.string("1");
    return out;
  };
  for (const auto& bad : {std::string{"x"}, part(key_in(1, "a")), part(keys::applied_key(0)), part(""),
                          part(key_in(0, "a")) + part(key_in(1, "a"))})
    BOOST_TEST((s->install(0, bad).code() == errc::corrupt_record));
  BOOST_TEST(!value(0, "a"));
}

BOOST_AUTO_TEST_CASE(of_a_replacement_that_did_not_end_nothing_is_left_but_term_and_vote) {
  for (const auto is_flushed : {true, false}) {
    const auto shard = shard_id(is_flushed ? 1 : 2);
    write({member(shard, 6, 2), append(shard, 1, {entry(1, put_command(shard, "a", "1"))})});
    apply(shard, 1, {entry(1, put_command(shard, "a", "1"))});
    BOOST_REQUIRE(s->flush_and_trim().has_value());
    auto x = log_write{};
    x.shard = shard;
    x.snapshot = log_snapshot{1, 1, 1, "members"};
    write({x});
    BOOST_REQUIRE(s->begin_install(shard).has_value());
    if (is_flushed) {
      BOOST_REQUIRE(s->flush_and_trim().has_value());
    }
    restart();
    const auto found = begin(shard);
    BOOST_TEST((found.hard == hard_state{6, 2}));
    BOOST_TEST(found.applied == (is_flushed ? 0 : 1)); // not flushed, it never was
    BOOST_TEST(found.snapshot.has_value() == !is_flushed);
    BOOST_TEST(found.entries.size() == (is_flushed ? 0 : 1));
    BOOST_TEST(value(shard, "a").has_value() == !is_flushed);
    restart();
    BOOST_TEST(begin(shard).applied == (is_flushed ? 0 : 1));
  }
}

BOOST_AUTO_TEST_CASE(a_member_that_was_erased_leaves_nothing) {
  write({member(1, 6, 2), append(1, 1, {entry(1, put_command(1, "a", "1"))})});
  apply(1, 1, {entry(1, put_command(1, "a", "1"))});
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  BOOST_REQUIRE(s->erase_group(1).has_value());
  BOOST_TEST((s->begin(1, all).code() == errc::item_not_found));
  restart();
  BOOST_TEST(s->groups().empty());
  BOOST_TEST(!value(1, "a"));
  write({member(1, 0)});
  const auto found = begin(1);
  BOOST_TEST(found.applied == 0);
  BOOST_TEST(found.entries.empty());
}

BOOST_AUTO_TEST_CASE(a_state_that_is_older_than_its_log_is_not_begun_with) {
  auto x = member(1, 1);
  x.first_index = 6;
  x.snapshot = log_snapshot{5, 1, 1, "members"};
  write({x});
  BOOST_TEST((s->begin(1, all).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(what_a_groups_state_takes_is_about_known) {
  auto random = std::mt19937{1};
  auto noise = std::string(1'000, '\0'); // that no compression makes smaller
  const auto fill = [&](shard_id shard, int count) {
    auto entries = std::vector<group_entry>{};
    for (auto i = 0; i < count; ++i) {
      for (auto& c : noise)
        c = char(random());
      entries.push_back(entry(1, put_command(shard, std::to_string(i), noise)));
    }
    write({member(shard, 1), append(shard, 1, entries)});
    apply(shard, 1, entries);
  };
  fill(0, 400);
  fill(1, 20);
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  const auto bytes = s->state_bytes();
  BOOST_TEST(bytes.size() == 2u);
  BOOST_TEST(bytes.at(0) > 300'000, bytes.at(0));
  BOOST_TEST(bytes.at(0) < 500'000, bytes.at(0));
  BOOST_TEST(bytes.at(1) < 60'000, bytes.at(1));
}

BOOST_AUTO_TEST_SUITE_END()

// -- the writer ------------------------------------------------------------------------------------------------------

namespace {

struct writing_fixture {
  temporary_folder folder;
  faulty_disk disk;
  store_options options = small_store(folder);
  writer_options how;
  std::unique_ptr<writer> w;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<writer::group_event> events;
  std::uint64_t watching = 0; ///< The last one.

  writing_fixture() {
    options.environment = disk.environment();
    options.is_in_cluster = true;
    how.retry_ms = 1;
    w = std::make_unique<writer>(open_store(options), how);
    watch(1);
  }
  ~writing_fixture() { w->end_watch(1, watching); }
  void watch(shard_id shard) {
    watching = w->watch(shard, [this](const writer::group_event& x) {
      const auto lock = std::scoped_lock{mutex};
      events.push_back(x);
      changed.notify_all();
    });
  }
  writer::group_event event(std::size_t which) {
    auto lock = std::unique_lock{mutex};
    changed.wait(lock, [&] { return events.size() > which; });
    return events[which];
  }
  result<void> write(std::uint64_t life, std::vector<log_write> x, shard_id shard = 1) {
    auto outcome = std::promise<result<void>>{};
    w->write(shard, life, std::move(x), [&](result<void> how) { outcome.set_value(std::move(how)); });
    return outcome.get_future().get();
  }
  result<void> apply(std::uint64_t life, group_apply x) {
    auto outcome = std::promise<result<void>>{};
    w->apply(life, std::move(x), [&](result<void> how) { outcome.set_value(std::move(how)); });
    return outcome.get_future().get();
  }
  result<group_log> begin(shard_id shard = 1) {
    auto outcome = std::promise<result<group_log>>{};
    w->begin(shard, all, [&](result<group_log> x) { outcome.set_value(std::move(x)); });
    return outcome.get_future().get();
  }
};

using event_kind = writer::group_event::kind;

} // namespace

BOOST_FIXTURE_TEST_SUITE(groups_and_the_writer, writing_fixture)

BOOST_AUTO_TEST_CASE(what_is_written_is_synced_and_what_is_applied_is_visible) {
  const auto before = disk.faults.syncs.load();
  BOOST_REQUIRE(write(1, {member(1, 1), append(1, 1, {entry(1, put_command(1, "a", "1"))})}).has_value());
  BOOST_TEST(disk.faults.syncs.load() > before);
  const auto found = begin();
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(found->entries.size() == 1);
  const auto synced = disk.faults.syncs.load();
  BOOST_REQUIRE(apply(found->life, {1, 1, {entry(1, put_command(1, "a", "1"))}}).has_value());
  BOOST_TEST(disk.faults.syncs.load() == synced);
  BOOST_TEST(*value_of(w->cached(), 1, "a") == "1");
  BOOST_REQUIRE(commit(*w, 0, put_command(0, "a", "2")).has_value()); // lone ones go on beside it
  BOOST_TEST(*value_of(w->cached(), 0, "a") == "2");
}

BOOST_AUTO_TEST_CASE(many_groups_are_one_synced_batch) {
  auto inside = std::promise<void>{};
  auto go = std::promise<void>{};
  w->run(0, [&](store*) -> result<void> {
    inside.set_value();
    go.get_future().wait();
    return {};
  });
  inside.get_future().wait();
  const auto before = disk.faults.syncs.load();
  auto last = std::promise<void>{};
  for (auto shard = shard_id{0}; shard < 4; ++shard)
    w->write(shard, 0, {member(shard, 1), append(shard, 1, {entry(1, "a")})}, [&, shard](result<void> how) {
      BOOST_TEST(how.has_value());
      if (shard == 3)
        last.set_value();
    });
  go.set_value();
  last.get_future().wait();
  BOOST_TEST(disk.faults.syncs.load() == before + 1);
}

BOOST_AUTO_TEST_CASE(a_flush_says_how_far_each_group_is_safe) {
  BOOST_REQUIRE(write(1, {member(1, 1)}).has_value());
  const auto life = begin()->life;
  BOOST_REQUIRE(
      apply(life, {1, 1, {entry(1, "", log_entry::kind::barrier), entry(1, put_command(1, "a", "1"))}}).has_value());
  auto done = std::promise<result<void>>{};
  w->flush([&](result<void> how) { done.set_value(std::move(how)); });
  BOOST_TEST(done.get_future().get().has_value());
  BOOST_TEST((event(0).what == event_kind::flushed));
  BOOST_TEST(event(0).index == 2);
}

BOOST_AUTO_TEST_CASE(a_failed_sync_ends_the_lives_of_all_members) {
  BOOST_REQUIRE(write(1, {member(1, 1, 1)}).has_value());
  const auto life = begin()->life;
  BOOST_REQUIRE(write(life, {append(1, 1, {entry(1, "a")})}).has_value());
  disk.faults.syncs_lose_data = true;
  BOOST_TEST((write(life, {append(1, 2, {entry(1, "lost")})}).code() == errc::storage_failure));
  BOOST_TEST((event(0).what == event_kind::failed));
  BOOST_TEST((apply(life, {1, 1, {entry(1, "a")}}).code() == errc::storage_failure));
  BOOST_TEST(!begin().has_value());
  disk.faults.syncs_lose_data = false;
  BOOST_TEST((event(1).what == event_kind::recovered));
  BOOST_TEST((write(life, {append(1, 3, {entry(1, "late")})}).code() == errc::storage_failure));
  BOOST_TEST((apply(life, {1, 1, {entry(1, "late")}}).code() == errc::storage_failure));
  const auto found = begin();
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(text_of(*found) == "1: a");
  BOOST_TEST((found->hard == hard_state{1, 1}));
  BOOST_TEST(found->life != life);
  BOOST_TEST(write(found->life, {append(1, 2, {entry(2, "b")})}).has_value());
  BOOST_TEST(text_of(*begin()) == "1: a b");
}

// The bytes of the failed batch are still in the file. They were never said to be stored: they may stay.
BOOST_AUTO_TEST_CASE(a_failed_sync_whose_data_survives_leaves_a_log_without_gaps) {
  BOOST_REQUIRE(write(1, {member(1, 1, 1), append(1, 1, {entry(1, "a")})}).has_value());
  const auto life = begin()->life;
  disk.faults.syncs_fail = true;
  BOOST_TEST(!write(life, {append(1, 2, {entry(1, "b")})}).has_value());
  disk.faults.syncs_fail = false;
  BOOST_TEST((event(1).what == event_kind::recovered));
  const auto text = text_of(*begin());
  BOOST_TEST((text == "1: a" || text == "1: a b"), text);
}

BOOST_AUTO_TEST_CASE(members_hear_that_the_disk_is_nearly_full) {
  disk.faults.free_bytes = 1 << 20;
  w->set_free_bytes_min(std::uint64_t{1} << 30);
  BOOST_TEST((event(0).what == event_kind::short_of_room));
  watch(1); // who comes later hears it too
  BOOST_TEST((event(1).what == event_kind::short_of_room));
  BOOST_TEST(write(1, {member(1, 1)}).has_value()); // what remains is for them
  w->set_free_bytes_min(0);
  BOOST_TEST((event(2).what == event_kind::has_room));
}

BOOST_AUTO_TEST_CASE(behind_its_stop_a_writer_answers_with_an_error) {
  w->stop();
  BOOST_TEST((write(1, {member(1, 1)}).code() == errc::storage_failure));
  BOOST_TEST((begin().code() == errc::storage_failure));
  auto done = std::promise<result<void>>{};
  w->flush([&](result<void> how) { done.set_value(std::move(how)); });
  BOOST_TEST((done.get_future().get().code() == errc::storage_failure));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(records_of_groups)

BOOST_AUTO_TEST_CASE(they_are_read_as_they_were_written_and_nothing_else_is) {
  const auto hard = codec::encode(hard_state{300, 70'000});
  BOOST_TEST((*codec::decode_hard_state(hard) == hard_state{300, 70'000}));
  const auto snapshot = codec::encode(log_snapshot{500, 3, 400, "members"});
  BOOST_TEST((*codec::decode_log_snapshot(snapshot) == log_snapshot{500, 3, 400, "members"}));
  const auto applied = codec::encode(codec::applied_command{500, ~std::uint64_t{0}, 7});
  BOOST_TEST(codec::decode_applied_command(applied)->origin == ~std::uint64_t{0});
  for (auto size = std::size_t{0}; size < 4; ++size) {
    BOOST_TEST(!codec::decode_hard_state(hard.substr(0, size)).has_value());
    BOOST_TEST(!codec::decode_log_snapshot(snapshot.substr(0, size)).has_value());
    BOOST_TEST(!codec::decode_applied_command(applied.substr(0, size)).has_value());
  }
  BOOST_TEST(!codec::decode_hard_state(hard + 'x').has_value());
  BOOST_TEST(!codec::decode_applied_command(applied + 'x').has_value());
  BOOST_TEST(!codec::decode_log_snapshot(codec::encode(log_snapshot{5, 3, 6, ""})).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
