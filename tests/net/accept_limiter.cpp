#include "net/accept_limiter.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::net;

namespace {

using verdict = accept_limiter::verdict;

address numbered(unsigned i) {
  return *address::parse(
      "10." + std::to_string(i >> 16 & 255) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255), 1);
}

} // namespace

BOOST_AUTO_TEST_SUITE(accept_limiter_)

BOOST_AUTO_TEST_CASE(without_limits_everyone_is_admitted) {
  auto limiter = accept_limiter{{}};
  for (auto i = 0; i < 1000; ++i)
    BOOST_REQUIRE((limiter.admit(numbered(1), 0) == verdict::admitted));
  BOOST_TEST(limiter.open_connections() == 1000u);
}

BOOST_AUTO_TEST_CASE(one_address_has_so_many_connections_at_once) {
  auto limits = accept_limits{};
  limits.at_once_max = 2;
  auto limiter = accept_limiter{limits};
  limiter.admit(numbered(1), 0);
  limiter.admit(numbered(1), 0);
  BOOST_TEST((limiter.admit(numbered(1), 0) == verdict::too_many_at_once));
  BOOST_TEST((limiter.admit(numbered(2), 0) == verdict::admitted));
  limiter.release(numbered(1));
  BOOST_TEST((limiter.admit(numbered(1), 0) == verdict::admitted));
}

BOOST_AUTO_TEST_CASE(one_address_opens_connections_only_so_fast) {
  auto limits = accept_limits{};
  limits.burst_max = 3;
  limits.per_minute_max = 6;
  auto limiter = accept_limiter{limits};
  auto admit = [&](std::uint64_t now_ms) {
    auto x = limiter.admit(numbered(1), now_ms);
    if (x == verdict::admitted)
      limiter.release(numbered(1));
    return x;
  };
  for (auto i = 0; i < 3; ++i)
    BOOST_TEST((admit(1000) == verdict::admitted));
  BOOST_TEST((admit(1000) == verdict::too_fast));
  BOOST_TEST((admit(10'999) == verdict::too_fast));
  BOOST_TEST((admit(11'000) == verdict::admitted));
  BOOST_TEST((admit(11'000) == verdict::too_fast));
  // A long rest fills the bucket to its brim and no further.
  for (auto i = 0; i < 3; ++i)
    BOOST_TEST((admit(10'000'000) == verdict::admitted));
  BOOST_TEST((admit(10'000'000) == verdict::too_fast));
}

BOOST_AUTO_TEST_CASE(the_total_is_bounded) {
  auto limits = accept_limits{};
  limits.total_max = 10;
  auto limiter = accept_limiter{limits};
  for (auto i = 0u; i < 10; ++i)
    BOOST_TEST((limiter.admit(numbered(i), 0) == verdict::admitted));
  BOOST_TEST((limiter.admit(numbered(11), 0) == verdict::too_many_in_total));
}

BOOST_AUTO_TEST_CASE(what_it_remembers_is_bounded_and_open_connections_are_never_forgotten) {
  auto limits = accept_limits{};
  limits.at_once_max = 1;
  limits.addresses_max = 100;
  auto limiter = accept_limiter{limits};
  BOOST_REQUIRE((limiter.admit(numbered(0), 0) == verdict::admitted));
  for (auto i = 1u; i < 10'000; ++i) {
    BOOST_REQUIRE((limiter.admit(numbered(i), 0) == verdict::admitted));
    limiter.release(numbered(i));
  }
  BOOST_TEST(limiter.known_addresses() <= 100u);
  BOOST_TEST((limiter.admit(numbered(0), 0) == verdict::too_many_at_once));
}

BOOST_AUTO_TEST_CASE(loopback_may_be_exempt_from_the_limits_per_address) {
  auto limits = accept_limits{};
  limits.at_once_max = 1;
  limits.per_minute_max = 1;
  limits.burst_max = 1;
  limits.loopback_is_exempt = true;
  auto limiter = accept_limiter{limits};
  auto here = *address::parse("127.0.0.1", 1);
  for (auto i = 0; i < 100; ++i)
    BOOST_REQUIRE((limiter.admit(here, 0) == verdict::admitted));
  BOOST_TEST(limiter.open_connections() == 100u);
  for (auto i = 0; i < 100; ++i)
    limiter.release(here);
  BOOST_TEST(limiter.open_connections() == 0u);
}

BOOST_AUTO_TEST_CASE(releasing_what_was_not_admitted_changes_nothing) {
  auto limiter = accept_limiter{{}};
  limiter.release(numbered(1));
  BOOST_TEST(limiter.open_connections() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
