#include "actors/metrics.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace xmpp;

BOOST_AUTO_TEST_SUITE(counters)

BOOST_AUTO_TEST_CASE(every_counter_is_read_once_under_a_name_of_its_own) {
  auto it = metrics{};
  auto values = it.read();
  auto names = std::set<std::string_view>{};
  for (auto& [name, value] : values) {
    BOOST_TEST(value == 0u);
    names.insert(name);
  }
  BOOST_TEST(names.size() == values.size());
  BOOST_TEST(values.size() == sizeof(metrics) / sizeof(metrics::counter));
}

BOOST_AUTO_TEST_CASE(they_are_read_in_the_order_in_which_they_stand) {
  auto it = metrics{};
  auto* all = reinterpret_cast<metrics::counter*>(&it);
  auto size = it.read().size();
  for (auto i = std::size_t{0}; i < size; ++i)
    count(all[i], i + 1);
  auto values = it.read();
  for (auto i = std::size_t{0}; i < size; ++i)
    BOOST_TEST(values[i].second == i + 1, values[i].first);
}

BOOST_AUTO_TEST_CASE(counting_adds_one_or_more) {
  auto it = metrics{};
  count(it.sign_ins);
  count(it.sign_ins, 4);
  BOOST_TEST(it.sign_ins.load() == 5u);
}

BOOST_AUTO_TEST_SUITE_END()
