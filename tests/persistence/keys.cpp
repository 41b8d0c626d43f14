#include "persistence/keys.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace std::literals;
using namespace xmpp;

BOOST_AUTO_TEST_SUITE(keys_on_disk)

// A change here would lose every account of every store.
BOOST_AUTO_TEST_CASE(an_account_stays_in_its_shard_for_ever) {
  BOOST_TEST(shard_of("", 64) == 59);
  BOOST_TEST(shard_of("romeo@example.net", 64) == 57);
  BOOST_TEST(shard_of("juliet@example.com", 64) == 31);
  BOOST_TEST(shard_of("localhost", 64) == 10);
  BOOST_TEST(shard_of("admin@localhost", 64) == 55);
  BOOST_TEST(shard_of("user0@localhost", 64) == 46);
  BOOST_TEST(shard_of("user1@localhost", 64) == 54);
  BOOST_TEST(shard_of("\xc3\xbc@example.net", 64) == 16);
  BOOST_TEST(shard_of("romeo@example.net", 4096) == 3655);
  BOOST_TEST(shard_of("romeo@example.net", 1000) == 892);
}

BOOST_AUTO_TEST_CASE(every_shard_is_in_range_and_gets_about_its_share) {
  for (const auto count : {1u, 2u, 3u, 64u, 4096u})
    for (auto i = 0; i < 1000; ++i)
      BOOST_REQUIRE(shard_of("user" + std::to_string(i) + "@localhost", count) < count);
  auto seen = std::vector<int>(64);
  for (auto i = 0; i < 64'000; ++i)
    ++seen[shard_of("user" + std::to_string(i) + "@localhost", 64)];
  for (const auto n : seen) {
    BOOST_TEST(n > 850);
    BOOST_TEST(n < 1150);
  }
}

BOOST_AUTO_TEST_CASE(a_key_reads_like_the_table) {
  BOOST_TEST(keys::record_key(0x0102, "romeo@example.net", keys::family::roster_item, "juliet@example.com") ==
             "\x01\x02"
             "aromeo@example.net\0Rjuliet@example.com"s);
  BOOST_TEST(keys::account_prefix(3, "a@b") == "\0\x03"
                                               "aa@b\0"s);
  BOOST_TEST(keys::family_prefix(3, "a@b", keys::family::account) == "\0\x03"
                                                                     "aa@b\0A"s);
  BOOST_TEST(keys::name_key(3, "b", "a") == "\0\x03nb\0a"s);
  BOOST_TEST(keys::applied_key(0) == "\0\0!applied"s);
  BOOST_TEST(keys::log_key(1, 0x0102030405060708) == "\0\x01L\x01\x02\x03\x04\x05\x06\x07\x08"s);
  BOOST_TEST(keys::system_state_key() == "\xff\xfesstate");
  BOOST_TEST(keys::format_key() == "\xff\xff!format");
}

BOOST_AUTO_TEST_CASE(log_keys_sort_by_index_and_give_it_back) {
  BOOST_TEST(keys::log_key(1, 255) < keys::log_key(1, 256));
  BOOST_TEST(keys::log_key(1, ~std::uint64_t{0}) < keys::log_key(2, 1));
  BOOST_TEST(keys::log_index(keys::log_key(7, 123'456'789'012)) == 123'456'789'012);
  BOOST_TEST(keys::log_index(keys::format_key()) == 0);
  BOOST_TEST(keys::log_index("") == 0);
  BOOST_TEST(keys::shard_in(keys::log_key(0x1234, 1)) == 0x1234);
  BOOST_TEST(keys::shard_in("x") == 0xffff);
}

BOOST_AUTO_TEST_CASE(an_accounts_prefix_takes_in_nobody_else) {
  const auto end = keys::after_prefix(keys::account_prefix(0, "a@b"));
  const auto inside = [&](const std::string& key) { return key >= keys::account_prefix(0, "a@b") && key < end; };
  BOOST_TEST(inside(keys::record_key(0, "a@b", keys::family::record, "\xff\xff")));
  BOOST_TEST(!inside(keys::family_prefix(0, "a@bc", keys::family::account)));
  BOOST_TEST(!inside(keys::family_prefix(0, "a@", keys::family::account)));
  BOOST_TEST(!inside(keys::family_prefix(1, "a@b", keys::family::account)));
}

BOOST_AUTO_TEST_CASE(small_families_come_before_the_large_ones) {
  const auto cold = keys::family_prefix(0, "a@b", keys::family::first_cold);
  for (const auto f :
       {keys::family::account, keys::family::block, keys::family::last_activity, keys::family::offline_summary,
        keys::family::pending_request, keys::family::roster_item, keys::family::setting, keys::family::roster_version})
    BOOST_TEST((keys::record_key(0, "a@b", f, "\xff") < cold));
  for (const auto f : {keys::family::offline_message, keys::family::record})
    BOOST_TEST(keys::family_prefix(0, "a@b", f) >= cold);
}

BOOST_AUTO_TEST_CASE(the_system_groups_state_is_a_part_of_its_shard_and_no_mark) {
  const auto key = keys::system_state_key();
  BOOST_TEST(keys::shard_in(key) == system_shard);
  BOOST_TEST(!keys::is_mark(key));
  BOOST_TEST(key.starts_with(keys::shard_prefix(system_shard)));
  BOOST_TEST((key < keys::after_prefix(keys::shard_prefix(system_shard))));
  BOOST_TEST(!keys::format_key().starts_with(keys::shard_prefix(system_shard)));
}

BOOST_AUTO_TEST_CASE(after_prefix_is_the_first_key_behind) {
  BOOST_TEST(keys::after_prefix("ab") == "ac");
  BOOST_TEST(keys::after_prefix("a\xff\xff") == "b");
  BOOST_TEST(keys::after_prefix("\xff") == "");
  BOOST_TEST(keys::after_prefix("a\0"s) == "a\x01");
}

BOOST_AUTO_TEST_SUITE_END()
