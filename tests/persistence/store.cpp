#include "persistence/store.hpp"

#include "persistence/write_set.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

using namespace xmpp;
using namespace xmpp::test;

namespace {

log_entry put_entry(shard_id shard, std::uint64_t index, std::string_view name, std::string_view value) {
  auto out = log_entry{};
  out.shard = shard;
  out.index = index;
  out.data = put_command(shard, name, value);
  return out;
}

log_entry entry_of(shard_id shard, std::uint64_t index, const write_set& changes) {
  auto x = command{};
  x.changes = changes;
  auto out = log_entry{};
  out.shard = shard;
  out.index = index;
  out.data = x.encode();
  return out;
}

void do_both(store& to, const std::vector<log_entry>& entries) {
  BOOST_REQUIRE(to.append(entries).has_value());
  BOOST_REQUIRE(to.apply(entries).has_value());
}

std::size_t log_entries(const store& of, shard_id shard) {
  auto n = std::size_t{0};
  BOOST_REQUIRE(of.read_log(shard, 1, [&](const log_entry&) {
                    ++n;
                    return true;
                  }).has_value());
  return n;
}

struct store_fixture {
  temporary_folder folder;
  store_options options = small_store(folder);
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(state_and_log, store_fixture)

BOOST_AUTO_TEST_CASE(what_is_applied_is_read) {
  auto s = open_store(options);
  do_both(*s, {put_entry(1, 1, "a", "1"), put_entry(1, 2, "b", "2")});
  BOOST_TEST(*value_of(s->view(tier::cached), 1, "a") == "1");
  BOOST_TEST(*value_of(s->view(tier::disk), 1, "b") == "2");
  BOOST_TEST(!value_of(s->view(tier::disk), 1, "c"));
  BOOST_TEST(s->last_index(1) == 2);
  BOOST_TEST(s->last_index(0) == 0);
}

BOOST_AUTO_TEST_CASE(changes_of_one_batch_apply_in_order) {
  auto s = open_store(options);
  auto first = write_set{};
  first.put(key_in(0, "a"), "1");
  first.put(key_in(0, "b"), "1");
  first.erase_prefix(key_in(0, "a"));
  auto second = write_set{};
  second.put(key_in(0, "a2"), "2");
  second.erase(key_in(0, "b"));
  do_both(*s, {entry_of(0, 1, first), entry_of(0, 2, second)});
  BOOST_TEST(!value_of(s->view(tier::disk), 0, "a"));
  BOOST_TEST(*value_of(s->view(tier::disk), 0, "a2") == "2");
  BOOST_TEST(!value_of(s->view(tier::disk), 0, "b"));
}

BOOST_AUTO_TEST_CASE(many_records_are_erased_like_few) {
  auto s = open_store(options);
  auto many = write_set{};
  for (auto i = 0; i < 5'000; ++i)
    many.put(key_in(0, "a" + std::to_string(i)), "1");
  do_both(*s, {entry_of(0, 1, many)});
  auto changes = write_set{};
  changes.put(key_in(0, "a"), "1");
  changes.put(key_in(0, "b"), "1");
  changes.erase_prefix(key_in(0, "a"));
  changes.put(key_in(0, "a17"), "2");
  do_both(*s, {entry_of(0, 2, changes)});
  auto left = std::string{};
  BOOST_TEST(s->view(tier::disk)
                 .scan(key_in(0, ""), keys::after_prefix(key_in(0, "")),
                       [&](std::string_view key, std::string_view) {
                         left += key.substr(key_in(0, "").size());
                         return true;
                       })
                 .has_value());
  BOOST_TEST(left == "a17b");
}

BOOST_AUTO_TEST_CASE(a_scan_visits_its_range_in_order_until_told_to_stop) {
  auto s = open_store(options);
  do_both(*s, {put_entry(0, 1, "a", "1"), put_entry(0, 2, "b", "2"), put_entry(0, 3, "c", "3")});
  auto seen = std::string{};
  const auto collect = [&](std::string_view, std::string_view value) {
    seen += value;
    return true;
  };
  BOOST_TEST(s->view(tier::disk).scan(key_in(0, "a"), key_in(0, "c"), collect).has_value());
  BOOST_TEST(seen == "12");
  seen.clear();
  BOOST_TEST(s->view(tier::disk)
                 .scan(key_in(0, ""), keys::after_prefix(key_in(0, "")),
                       [&](std::string_view, std::string_view value) {
                         seen += value;
                         return seen.size() < 2;
                       })
                 .has_value());
  BOOST_TEST(seen == "12");
}

BOOST_AUTO_TEST_CASE(what_was_only_appended_is_applied_at_the_next_start) {
  auto s = open_store(options);
  BOOST_REQUIRE(s->append(std::vector{put_entry(2, 1, "a", "1"), put_entry(2, 2, "a", "2")}).has_value());
  s.reset();
  s = open_store(options);
  BOOST_TEST(*value_of(s->view(tier::disk), 2, "a") == "2");
  BOOST_TEST(s->last_index(2) == 2);
}

// The store is dropped without a flush: its state is gone, as after a crash.
BOOST_AUTO_TEST_CASE(a_start_replays_what_was_not_flushed) {
  auto s = open_store(options);
  do_both(*s, {put_entry(0, 1, "a", "1"), put_entry(3, 1, "b", "1")});
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  do_both(*s, {put_entry(0, 2, "a", "2"), put_entry(1, 1, "c", "1")});
  s.reset();
  s = open_store(options);
  BOOST_TEST(*value_of(s->view(tier::disk), 0, "a") == "2");
  BOOST_TEST(*value_of(s->view(tier::disk), 3, "b") == "1");
  BOOST_TEST(*value_of(s->view(tier::disk), 1, "c") == "1");
  BOOST_TEST(s->last_index(0) == 2);
  BOOST_TEST(s->last_index(3) == 1);
  BOOST_TEST(s->last_index(1) == 1);
  BOOST_TEST(s->last_index(2) == 0);
}

BOOST_AUTO_TEST_CASE(replaying_again_changes_nothing) {
  auto s = open_store(options);
  auto changes = write_set{};
  changes.put(key_in(0, "a"), "1");
  changes.erase_prefix(key_in(0, "b"));
  changes.put(key_in(0, "b1"), "1");
  do_both(*s, {entry_of(0, 1, changes)});
  for (auto i = 0; i < 3; ++i) {
    s.reset();
    s = open_store(options);
    BOOST_TEST(*value_of(s->view(tier::disk), 0, "b1") == "1");
    BOOST_TEST(s->last_index(0) == 1);
  }
}

BOOST_AUTO_TEST_CASE(trimming_forgets_the_log_but_nothing_else) {
  auto s = open_store(options);
  do_both(*s, {put_entry(0, 1, "a", "1"), put_entry(0, 2, "b", "2")});
  BOOST_TEST(log_entries(*s, 0) == 2);
  BOOST_TEST(s->log_bytes() > 0);
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  BOOST_TEST(log_entries(*s, 0) == 0);
  BOOST_TEST(s->log_bytes() == 0);
  do_both(*s, {put_entry(0, 3, "c", "3")});
  BOOST_TEST(log_entries(*s, 0) == 1);
  s.reset();
  s = open_store(options);
  BOOST_TEST(*value_of(s->view(tier::disk), 0, "a") == "1");
  BOOST_TEST(*value_of(s->view(tier::disk), 0, "c") == "3");
  BOOST_TEST(s->last_index(0) == 3);
}

BOOST_AUTO_TEST_CASE(trimming_keeps_what_is_not_applied) {
  auto s = open_store(options);
  do_both(*s, {put_entry(0, 1, "a", "1")});
  BOOST_REQUIRE(s->append(std::vector{put_entry(0, 2, "a", "2")}).has_value());
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  BOOST_TEST(log_entries(*s, 0) == 1);
  s.reset();
  s = open_store(options);
  BOOST_TEST(*value_of(s->view(tier::disk), 0, "a") == "2");
}

BOOST_AUTO_TEST_CASE(what_is_not_in_memory_would_block) {
  auto s = open_store(options);
  const auto value = std::string(20'000, 'x'); // so that "a" is in a block of its own, not in one that the start reads
  do_both(*s, {put_entry(0, 1, "A", value), put_entry(0, 2, "a", value)});
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  s.reset();
  s = open_store(options);
  BOOST_TEST((s->view(tier::cached).get(key_in(0, "a")).code() == errc::would_block));
  const auto ignore = [](std::string_view, std::string_view) { return true; };
  BOOST_TEST((s->view(tier::cached).scan(key_in(0, "a"), key_in(0, "b"), ignore).code() == errc::would_block));
  BOOST_TEST(*value_of(s->view(tier::disk), 0, "a") == value); // and now it is
  BOOST_TEST(*value_of(s->view(tier::cached), 0, "a") == value);
  BOOST_TEST(s->view(tier::cached).scan(key_in(0, "a"), key_in(0, "b"), ignore).has_value());
}

// Some releases of RocksDB answered such a Get as if the key were not there (facebook/rocksdb#12443).
BOOST_AUTO_TEST_CASE(what_is_in_a_table_that_is_not_open_is_not_taken_for_nothing) {
  options.open_files_max = 20;
  options.table_bytes_max = 50'000;
  constexpr auto accounts = 100;
  auto s = open_store(options);
  auto index = std::uint64_t{0};
  auto random = std::mt19937{1};
  auto name = [](int i) { return "account" + std::to_string(i); };
  auto value = std::string(10'000, '\0');
  for (auto round = 0; round < 4; ++round) { // Four tables are compacted into many that don't overlap.
    for (auto i = 0; i < accounts; ++i) {
      std::generate(value.begin(), value.end(), [&] { return static_cast<char>(random()); });
      do_both(*s, {put_entry(0, ++index, name(i), value)});
    }
    BOOST_REQUIRE(s->flush_and_trim().has_value());
  }
  s.reset();
  s = open_store(options);
  const auto& memory = s->view(tier::cached);
  auto blocked = 0;
  for (auto i = 0; i < accounts; ++i)
    BOOST_TEST_CONTEXT(name(i)) {
      const auto found = memory.get(key_in(0, name(i)));
      BOOST_TEST((found ? found->value_or(std::string{}).size() == value.size() : found.code() == errc::would_block));
      blocked += !found;
      auto seen = 0;
      const auto done = memory.scan(key_in(0, name(i)), key_in(0, name(i) + '\0'), [&](auto, auto) {
        ++seen;
        return true;
      });
      BOOST_TEST((done ? seen == 1 : done.code() == errc::would_block));
    }
  BOOST_TEST(blocked > 0);
  for (auto i = 0; i < accounts; ++i)
    BOOST_TEST(value_of(s->view(tier::disk), 0, name(i)).has_value());
}

// What a loss of power may leave behind the last sync.
BOOST_AUTO_TEST_CASE(a_torn_tail_of_the_log_does_not_stop_a_start) {
  for (const auto& tail : {std::string(100, '\0'), std::string(40'000, 'x'), std::string("\1"), std::string{}}) {
    auto s = open_store(options);
    const auto next = s->last_index(0) + 1;
    do_both(*s, {put_entry(0, next, "a", std::to_string(next))});
    auto torn = put_entry(0, next + 1, "a", "torn");
    BOOST_REQUIRE(s->append(std::vector{torn}).has_value());
    s.reset();
    auto log_file = std::filesystem::path{};
    for (const auto& file : std::filesystem::directory_iterator{options.folder / "log"})
      if (file.path().extension() == ".log" && file.path() > log_file)
        log_file = file.path();
    std::filesystem::resize_file(log_file, std::filesystem::file_size(log_file) - 3); // the last entry is incomplete
    std::ofstream{log_file, std::ios::app | std::ios::binary} << tail;
    s = open_store(options);
    BOOST_TEST(s->last_index(0) == next);
    BOOST_TEST(*value_of(s->view(tier::disk), 0, "a") == std::to_string(next));
  }
}

BOOST_AUTO_TEST_CASE(a_reopening_cuts_off_what_was_not_applied) {
  auto s = open_store(options);
  do_both(*s, {put_entry(0, 1, "a", "1")});
  BOOST_REQUIRE(s->append(std::vector{put_entry(0, 2, "a", "2"), put_entry(1, 1, "b", "2")}).has_value());
  BOOST_REQUIRE(s->reopen().has_value());
  BOOST_TEST(*value_of(s->view(tier::disk), 0, "a") == "1");
  BOOST_TEST(!value_of(s->view(tier::disk), 1, "b"));
  BOOST_TEST(s->last_index(0) == 1);
  do_both(*s, {put_entry(0, 2, "a", "3")});
  s.reset();
  s = open_store(options);
  BOOST_TEST(*value_of(s->view(tier::disk), 0, "a") == "3");
  BOOST_TEST(!value_of(s->view(tier::disk), 1, "b"));
}

BOOST_AUTO_TEST_CASE(a_store_is_open_once) {
  const auto s = open_store(options);
  const auto second = store::open(options);
  BOOST_TEST((second.code() == errc::storage_failure));
}

BOOST_AUTO_TEST_CASE(the_number_of_shards_stays) {
  open_store(options).reset();
  options.shard_count = 5;
  const auto other = store::open(options);
  BOOST_TEST((other.code() == errc::storage_failure));
  BOOST_TEST(other.error().text.find("4 shards") != std::string::npos);
  for (const auto count : {0u, shard_count_max + 1}) {
    options.shard_count = count;
    BOOST_TEST((store::open(options).code() == errc::storage_failure));
  }
}

BOOST_AUTO_TEST_CASE(half_a_store_is_refused) {
  auto s = open_store(options);
  do_both(*s, {put_entry(0, 1, "a", "1")});
  BOOST_REQUIRE(s->flush_and_trim().has_value());
  do_both(*s, {put_entry(0, 2, "a", "2")});
  s.reset();
  const auto copy = options.folder.parent_path() / "copy";
  std::filesystem::copy(options.folder, copy, std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(options.folder / "log");
  BOOST_TEST((store::open(options).code() == errc::storage_failure));
  options.folder = copy;
  std::filesystem::remove_all(copy / "state");
  BOOST_TEST((store::open(options).code() == errc::storage_failure));
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_an_error) {
  options.folder = "/proc/troupe";
  BOOST_TEST((store::open(options).code() == errc::storage_failure));
}

BOOST_AUTO_TEST_CASE(the_folder_is_its_owners_alone) {
  open_store(options).reset();
  BOOST_TEST((std::filesystem::status(options.folder).permissions() == std::filesystem::perms::owner_all));
}

BOOST_AUTO_TEST_SUITE_END()
