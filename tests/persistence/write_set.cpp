#include "persistence/write_set.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace std::literals;
using namespace xmpp;

namespace {

const auto key = keys::record_key(3, "a@b", keys::family::record, "x");

command some_command() {
  auto out = command{7, 9, {}};
  out.changes.put(key, "value");
  out.changes.erase(key + "2");
  out.changes.erase_prefix(keys::account_prefix(3, "a@b"));
  return out;
}

errc code_for(const write_set& changes, shard_id shard) {
  auto x = command{};
  x.changes = changes;
  return for_each_change(x.encode(), shard, {}).code();
}

} // namespace

BOOST_AUTO_TEST_SUITE(write_sets)

BOOST_AUTO_TEST_CASE(a_command_comes_back_as_it_was) {
  const auto back = command::decode(some_command().encode());
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(back->origin == 7);
  BOOST_TEST(back->sequence == 9);
  BOOST_TEST((back->changes == some_command().changes));
}

BOOST_AUTO_TEST_CASE(changes_are_visited_in_order) {
  auto seen = std::string{};
  BOOST_TEST(for_each_change(some_command().encode(), 3, [&](const change& x) {
               seen += static_cast<char>(x.what);
             }).has_value());
  BOOST_TEST(seen == "per");
}

BOOST_AUTO_TEST_CASE(a_command_may_change_nothing) {
  BOOST_TEST((code_for({}, 0) == errc::none));
  BOOST_TEST(write_set{}.empty());
}

BOOST_AUTO_TEST_CASE(changes_of_another_shard_are_refused) {
  BOOST_TEST((code_for(some_command().changes, 3) == errc::none));
  BOOST_TEST((code_for(some_command().changes, 4) == errc::corrupt_record));
  auto beyond = write_set{};
  beyond.erase_range(key, keys::account_prefix(4, "a@b"));
  BOOST_TEST((code_for(beyond, 3) == errc::corrupt_record));
  auto endless = write_set{};
  endless.erase_range(key, "");
  BOOST_TEST((code_for(endless, 3) == errc::corrupt_record));
  auto backwards = write_set{};
  backwards.erase_range(key, key.substr(0, 5));
  BOOST_TEST((code_for(backwards, 3) == errc::corrupt_record));
  auto whole_shard = write_set{};
  whole_shard.erase_prefix(key.substr(0, 2));
  BOOST_TEST((code_for(whole_shard, 3) == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(malformed_bytes_are_refused) {
  const auto whole = some_command().encode();
  const auto header = std::size_t{17};
  auto at_a_change = 0;
  for (auto n = std::size_t{0}; n < whole.size(); ++n) {
    const auto part = std::string_view{whole}.substr(0, n);
    const auto taken = command::decode(part).has_value();
    BOOST_TEST(taken == for_each_change(part, 3, {}).has_value());
    BOOST_TEST((!taken || n >= header));
    at_a_change += taken;
  }
  BOOST_TEST(at_a_change == 3); // before each change
  BOOST_TEST((command::decode("\x02" + whole.substr(1)).code() == errc::corrupt_record));
  BOOST_TEST((command::decode(whole + "x").code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(sets_can_be_joined) {
  auto one = write_set{};
  one.put(key, "1");
  auto other = write_set{};
  other.put(key, "2");
  one.append(other);
  auto values = std::string{};
  auto x = command{};
  x.changes = one;
  BOOST_TEST(for_each_change(x.encode(), 3, [&](const change& c) { values += c.value; }).has_value());
  BOOST_TEST(values == "12");
}

BOOST_AUTO_TEST_SUITE_END()
