#include "cluster/leader_history.hpp"

#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::cluster;
using xmpp::test::system_group;

namespace {

struct history_fixture {
  history_fixture() { group.add(12); }
  leader_history::begun led_here(std::uint64_t now_ms) { return aut.led_here(7, group.state, now_ms); }

  system_group group;
  leader_history aut;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(history_of_leaders, history_fixture)

BOOST_AUTO_TEST_CASE(who_follows_a_lost_leader_says_why_and_for_how_long_there_was_none) {
  aut.led_elsewhere(7, 12, 1'000);
  aut.lost(7, 12, "the link to node 2 broke", 5'000);
  aut.lost(7, 12, "node 2 leads it no more", 5'100);
  auto begun = led_here(5'420);
  BOOST_TEST(begun.without_ms == 420u);
  BOOST_TEST(begun.why == "the link to node 2 broke");
}

BOOST_AUTO_TEST_CASE(who_is_handed_it_says_from_whom) {
  aut.led_elsewhere(7, 12, 1'000);
  auto begun = led_here(5'000);
  BOOST_TEST(begun.without_ms == 0u);
  BOOST_TEST(begun.why == "taken over from node 2");
}

BOOST_AUTO_TEST_CASE(the_first_leader_and_a_second_term_are_told_as_such) {
  BOOST_TEST(led_here(5).why == "the first that this node knows of");
  BOOST_TEST(led_here(6).why == "a new term");
}

BOOST_AUTO_TEST_CASE(the_end_of_one_that_does_not_lead_it_changes_nothing) {
  aut.led_elsewhere(7, 11, 1'000);
  aut.lost(7, 12, "its link broke", 2'000);
  BOOST_TEST(led_here(3'000).why == "taken over from node 1");
}

BOOST_AUTO_TEST_CASE(an_end_here_tells_how_long_it_led) {
  led_here(1'000);
  BOOST_TEST(aut.end_here(7, 61'000) == 60'000u);
  BOOST_TEST(aut.end_here(7, 70'000) == 0u);
  auto again = led_here(72'000);
  BOOST_TEST(again.without_ms == 11'000u);
  BOOST_TEST(again.why == "this node gave it up");
}

BOOST_AUTO_TEST_CASE(who_is_deposed_may_hear_of_the_next_one_first) {
  led_here(1'000);
  aut.led_elsewhere(7, 12, 4'000);
  BOOST_TEST(aut.end_here(7, 5'000) == 4'000u);
  BOOST_TEST(led_here(9'000).why == "taken over from node 2");
}

BOOST_AUTO_TEST_SUITE_END()
