#include "actors/throttle.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace xmpp;

BOOST_AUTO_TEST_SUITE(a_throttle)

BOOST_AUTO_TEST_CASE(counts_each_name_for_itself) {
  auto it = throttle{};
  BOOST_TEST(it.note("romeo", 1'000, 60'000) == 1u);
  BOOST_TEST(it.note("romeo", 2'000, 60'000) == 2u);
  BOOST_TEST(it.note("juliet", 2'000, 60'000) == 1u);
  BOOST_TEST(it.count("romeo", 2'000, 60'000) == 2u);
  BOOST_TEST(it.count("nurse", 2'000, 60'000) == 0u);
  BOOST_TEST(it.size() == 2u); // to look is not to note
}

BOOST_AUTO_TEST_CASE(forgets_after_a_rest_and_not_before) {
  auto it = throttle{};
  it.note("romeo", 0, 60'000);
  BOOST_TEST(it.note("romeo", 60'000, 60'000) == 2u); // each one begins the rest anew
  BOOST_TEST(it.count("romeo", 120'000, 60'000) == 2u);
  BOOST_TEST(it.count("romeo", 120'001, 60'000) == 0u);
  BOOST_TEST(it.note("romeo", 120'001, 60'000) == 1u);
}

BOOST_AUTO_TEST_CASE(forgets_on_request) {
  auto it = throttle{};
  it.note("romeo", 0, 60'000);
  it.note("juliet", 0, 60'000);
  it.forget("romeo");
  it.forget("nurse");
  BOOST_TEST(it.count("romeo", 0, 60'000) == 0u);
  BOOST_TEST(it.count("juliet", 0, 60'000) == 1u);
  BOOST_TEST(it.size() == 1u);
}

BOOST_AUTO_TEST_CASE(forgets_who_was_quiet_the_longest_when_it_is_full) {
  auto it = throttle{3};
  it.note("a", 1, 60'000);
  it.note("b", 2, 60'000);
  it.note("c", 3, 60'000);
  it.note("a", 4, 60'000);
  it.note("d", 5, 60'000);
  BOOST_TEST(it.size() == 3u);
  BOOST_TEST(it.count("b", 5, 60'000) == 0u);
  BOOST_TEST(it.count("a", 5, 60'000) == 2u);
  BOOST_TEST(it.count("c", 5, 60'000) == 1u);
}

BOOST_AUTO_TEST_CASE(keeps_names_of_its_own) {
  auto it = throttle{};
  {
    auto name = std::string(100, 'x');
    it.note(name, 0, 60'000);
  }
  BOOST_TEST(it.count(std::string(100, 'x'), 0, 60'000) == 1u);
}

BOOST_AUTO_TEST_CASE(a_memory_of_nothing_is_never_full) {
  auto it = throttle{1};
  for (auto i = 0; i < 1'000; ++i)
    BOOST_TEST(it.note(std::to_string(i), i, 60'000) == 1u);
  BOOST_TEST(it.size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_answer_is_held_back_longer_with_each_failure_up_to_a_bound) { // XEP-0205
  BOOST_TEST(backoff_ms(0, 3, 500, 30'000) == 0u);
  BOOST_TEST(backoff_ms(3, 3, 500, 30'000) == 0u);
  BOOST_TEST(backoff_ms(4, 3, 500, 30'000) == 500u);
  BOOST_TEST(backoff_ms(5, 3, 500, 30'000) == 1'000u);
  BOOST_TEST(backoff_ms(9, 3, 500, 30'000) == 16'000u);
  BOOST_TEST(backoff_ms(10, 3, 500, 30'000) == 30'000u);
  BOOST_TEST(backoff_ms(4'000'000'000, 3, 500, 30'000) == 30'000u);
  BOOST_TEST(backoff_ms(1'000, 0, 4'000'000'000, 4'200'000'000) == 4'200'000'000u);
  BOOST_TEST(backoff_ms(5, 0, 0, 30'000) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
