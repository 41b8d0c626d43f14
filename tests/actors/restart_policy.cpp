#include "actors/restart_policy.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace std::chrono_literals;

namespace {

struct clocked {
  restart_history::time start = restart_history::time{} + 1h;
  restart_options options{strategy::one_for_one, 3, 10s, 0ms, 5s};
  restart_history history;

  /// How long it waits; -1: no restart.
  long fails(std::chrono::milliseconds after_start) {
    auto wait = history.failed(start + after_start, options);
    return wait ? long(wait->count()) : -1;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(when_a_failed_child_restarts, clocked)

BOOST_AUTO_TEST_CASE(the_first_failure_waits_as_configured_then_50_ms_doubled_each_time) {
  options.restarts_max = 100;
  options.backoff_first = 7ms;
  BOOST_TEST(fails(0ms) == 7);
  BOOST_TEST(fails(1ms) == 50);
  BOOST_TEST(fails(2ms) == 100);
  BOOST_TEST(fails(3ms) == 200);
  BOOST_TEST(fails(4ms) == 400);
}

BOOST_AUTO_TEST_CASE(the_wait_does_not_grow_beyond_its_bound) {
  options.restarts_max = 1'000;
  auto longest = 0L;
  for (auto i = 0; i < 200; ++i) // and no shift overflows
    longest = std::max(longest, fails(std::chrono::milliseconds{i}));
  BOOST_TEST(longest == 5'000);
  BOOST_TEST(fails(300ms) == 5'000);
}

BOOST_AUTO_TEST_CASE(as_many_restarts_as_allowed_and_not_one_more) {
  BOOST_TEST(fails(0s) >= 0);
  BOOST_TEST(fails(1s) >= 0);
  BOOST_TEST(fails(2s) >= 0);
  BOOST_TEST(fails(3s) == -1);
}

BOOST_AUTO_TEST_CASE(none_at_all_when_none_is_allowed) {
  options.restarts_max = 0;
  BOOST_TEST(fails(0s) == -1);
}

BOOST_AUTO_TEST_CASE(failures_older_than_the_period_do_not_count) {
  for (auto at : {0s, 5s, 10s, 15s, 20s, 25s}) // never more than three within ten seconds
    BOOST_TEST(fails(at) >= 0);
  BOOST_TEST(fails(100s) == 0); // the first of a new period
}

BOOST_AUTO_TEST_CASE(a_history_is_empty_before_the_first_failure_and_a_period_after_the_last) {
  BOOST_TEST(history.empty(start, options));
  fails(0s);
  BOOST_TEST(!history.empty(start, options));
  BOOST_TEST(!history.empty(start + 10s, options));
  BOOST_TEST(history.empty(start + 10s + 1ms, options));
}

BOOST_AUTO_TEST_CASE(a_strategy_says_who_restarts) {
  using range = std::pair<std::size_t, std::size_t>;
  for (auto failed : {0u, 1u, 3u}) {
    BOOST_TEST((affected(strategy::one_for_one, failed, 4) == range{failed, failed + 1}));
    BOOST_TEST((affected(strategy::rest_for_one, failed, 4) == range{failed, 4}));
    BOOST_TEST((affected(strategy::one_for_all, failed, 4) == range{0, 4}));
  }
}

BOOST_AUTO_TEST_SUITE_END()
