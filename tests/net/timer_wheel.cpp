#include "net/timer_wheel.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <map>
#include <random>
#include <vector>

using namespace xmpp::net;

namespace {

struct recorded final : timed {
  void on_timer(std::uint32_t tag) override {
    fired.push_back(tag);
    if (react)
      react(tag);
  }
  std::vector<std::uint32_t> fired;
  std::function<void(std::uint32_t)> react;
};

struct wheel {
  timer_wheel timers{10, 64, 1000};
  recorded target;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(timer_wheel_, wheel)

BOOST_AUTO_TEST_CASE(a_timer_is_never_early_and_fires_once) {
  timers.set(1000, 25, &target, 7);
  timers.advance(1024);
  BOOST_TEST(target.fired.empty());
  timers.advance(1035);
  timers.advance(2000);
  BOOST_TEST(target.fired == (std::vector<std::uint32_t>{7}));
  BOOST_TEST(timers.size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_deadline_beyond_one_turn_of_the_wheel_waits_for_its_turn) {
  timers.set(1000, 2000, &target, 1);
  for (auto now = 1000u; now < 3000; now += 10)
    timers.advance(now);
  BOOST_TEST(target.fired.empty());
  timers.advance(3000);
  BOOST_TEST(target.fired.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_long_pause_loses_nothing) {
  for (auto i = 0u; i < 500; ++i)
    timers.set(1000, i * 7, &target, i);
  timers.advance(1'000'000);
  BOOST_TEST(target.fired.size() == 500u);
}

BOOST_AUTO_TEST_CASE(a_cancelled_timer_does_not_fire) {
  auto id = timers.set(1000, 50, &target, 1);
  BOOST_TEST(timers.cancel(id));
  BOOST_TEST(!timers.cancel(id));
  timers.advance(2000);
  BOOST_TEST(target.fired.empty());
}

BOOST_AUTO_TEST_CASE(an_old_id_does_not_cancel_the_timer_that_took_its_place) {
  auto old = timers.set(1000, 50, &target, 1);
  timers.cancel(old);
  timers.set(1000, 50, &target, 2);
  BOOST_TEST(!timers.cancel(old));
  BOOST_TEST(!timers.cancel(0));
  timers.advance(2000);
  BOOST_TEST(target.fired == (std::vector<std::uint32_t>{2}));
}

BOOST_AUTO_TEST_CASE(a_timer_may_cancel_others_that_are_due) {
  auto ids = std::vector<timer_id>{};
  for (auto i = 0u; i < 10; ++i)
    ids.push_back(timers.set(1000, 50, &target, i));
  target.react = [&](std::uint32_t) {
    for (auto id : ids)
      timers.cancel(id);
  };
  timers.advance(2000);
  BOOST_TEST(target.fired.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_timer_that_sets_itself_again_fires_in_a_later_call) {
  target.react = [&](std::uint32_t tag) { timers.set(2000, 0, &target, tag + 1); };
  timers.set(1000, 0, &target, 1);
  timers.advance(2000);
  BOOST_TEST(target.fired == (std::vector<std::uint32_t>{1}));
  timers.advance(2010);
  BOOST_TEST(target.fired == (std::vector<std::uint32_t>{1, 2}));
}

BOOST_AUTO_TEST_CASE(the_quiet_time_ends_at_or_before_the_next_deadline) {
  BOOST_TEST(timers.quiet_ms(1000) == -1);
  timers.set(1000, 95, &target, 1);
  BOOST_TEST(timers.quiet_ms(1000) == 100);
  BOOST_TEST(timers.quiet_ms(1200) == 0);
  timers.advance(1200);
  timers.set(1200, 6400 + 50, &target, 2); // More than a turn away: it may look there once a turn.
  BOOST_TEST(timers.quiet_ms(1200) <= 6450);
  BOOST_TEST(timers.quiet_ms(1200) > 0);
}

BOOST_AUTO_TEST_CASE(it_agrees_with_a_sorted_map) {
  auto random = std::mt19937{42};
  auto model = std::map<std::uint32_t, std::pair<timer_id, std::uint64_t>>{};
  auto now = std::uint64_t{1000};
  auto next_tag = 0u;
  for (auto round = 0; round < 20'000; ++round) {
    auto choice = random() % 10;
    if (choice < 5) {
      auto delay = random() % 3000;
      model[next_tag] = {timers.set(now, delay, &target, next_tag), now + delay};
      ++next_tag;
    } else if (choice < 7 && !model.empty()) {
      auto i = model.lower_bound(random() % next_tag);
      if (i != model.end()) {
        BOOST_REQUIRE(timers.cancel(i->second.first));
        model.erase(i);
      }
    } else {
      now += random() % 200;
      target.fired.clear();
      timers.advance(now);
      for (auto tag : target.fired) {
        BOOST_REQUIRE(model.count(tag) == 1u);
        BOOST_REQUIRE(model[tag].second <= now);
        model.erase(tag);
      }
      for (auto& [tag, timer] : model)
        BOOST_REQUIRE(timer.second + 10 > now);
      BOOST_REQUIRE(timers.size() == model.size());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
