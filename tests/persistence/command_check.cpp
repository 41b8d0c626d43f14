#include "persistence/command_check.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace xmpp;

BOOST_AUTO_TEST_SUITE(command_checks)

BOOST_AUTO_TEST_CASE(a_command_has_a_shard_and_a_largest_size) {
  const auto key = keys::record_key(3, "a@b", keys::family::record, "x");
  const auto encoded = [&](std::size_t value_bytes) {
    auto x = command{};
    x.changes.put(key, std::string(value_bytes, 'x'));
    return x.encode();
  };
  const auto around = encoded(command_bytes_max).size() - command_bytes_max;
  const auto largest = encoded(command_bytes_max - around);
  BOOST_TEST(largest.size() == command_bytes_max);
  BOOST_TEST((check_command(largest, 3).code() == errc::none));
  BOOST_TEST((check_command(encoded(command_bytes_max - around + 1), 3).code() == errc::resource_constraint));
  BOOST_TEST((check_command(encoded(1), 4).code() == errc::corrupt_record));
  BOOST_TEST((check_command("nonsense", 3).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_SUITE_END()
