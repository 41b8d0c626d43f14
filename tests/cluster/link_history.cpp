#include "cluster/link_history.hpp"

#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::cluster;
using xmpp::test::system_group;

BOOST_AUTO_TEST_SUITE(history_of_links)

BOOST_AUTO_TEST_CASE(a_link_that_comes_back_says_why_it_was_down_and_for_how_long) {
  auto aut = link_history{};
  aut.up(12, 1'000);
  BOOST_TEST(aut.down(12, "it says nothing", 61'000) == 60'000u);
  auto begun = aut.up(12, 63'500);
  BOOST_TEST(begun.without_ms == 2'500u);
  BOOST_TEST(begun.why == "it says nothing");
}

BOOST_AUTO_TEST_CASE(the_first_link_says_how_long_it_took) {
  auto group = system_group{};
  group.add(12);
  auto aut = link_history{};
  aut.expect(group.state.members, 1'000);
  aut.expect(group.state.members, 2'000);
  auto begun = aut.up(12, 4'000);
  BOOST_TEST(begun.without_ms == 3'000u);
  BOOST_TEST(begun.why == "it was not linked before");
  BOOST_TEST(aut.up(99, 4'000).without_ms == 0u); // nobody has said when it was to come
}

BOOST_AUTO_TEST_CASE(a_link_that_was_up_is_as_old_as_that) {
  auto aut = link_history{};
  BOOST_TEST(aut.down(12, "it went", 5'000) == 0u);
  aut.up(12, 6'000);
  aut.up(12, 7'000); // once more, when the connection is another
  BOOST_TEST(aut.down(12, "it went", 7'500) == 500u);
}

BOOST_AUTO_TEST_SUITE_END()
