#include "actors/server.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;

BOOST_AUTO_TEST_SUITE(server_)

BOOST_AUTO_TEST_CASE(so_many_streams_are_drained_each_second) {
  using namespace std::chrono_literals;
  for (auto rate : {1u, 3u, 10u, 15u, 500u, 1'000'000u})
    for (auto second : {0u, 1u, 7u}) {
      BOOST_TEST(drain_delay(second * rate, rate).count() == second * 1'000);
      BOOST_TEST((drain_delay((second + 1) * rate - 1, rate) < (second + 1) * 1'000ms));
    }
  BOOST_TEST((drain_delay(1, 4) == 250ms)); // not all of a second's at once
}

BOOST_AUTO_TEST_SUITE_END()
