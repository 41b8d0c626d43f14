#include "actors/idle_queue.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <random>
#include <thread>
#include <vector>

using namespace xmpp;

namespace {

struct thing : idle_hook {
  std::atomic<int> held{0};
  std::atomic<bool> asked{false}; ///< Since it became idle.
  int taken = 0;
  void hold() { ++held; }
  void let_go() { --held; }
};

struct fixture {
  idle_queue<thing> queue;
  std::vector<thing> things = std::vector<thing>(10);

  std::size_t take(std::int64_t before) {
    return queue.take(before, [](thing& x) { ++x.taken; });
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(idle_queue_, fixture)

BOOST_AUTO_TEST_CASE(who_is_idle_for_long_is_taken_once) {
  queue.add(things[0], 100'000);
  queue.add(things[1], 200'000);
  BOOST_TEST(things[0].held == 1);
  take(99'999);
  BOOST_TEST(things[0].taken == 0);
  take(100'000);
  take(199'999);
  BOOST_TEST(things[0].taken == 1);
  BOOST_TEST(things[0].held == 0);
  BOOST_TEST(things[1].taken == 0);
  take(200'000);
  take(300'000);
  BOOST_TEST(things[1].taken == 1);
  BOOST_TEST(things[1].held == 0);
}

BOOST_AUTO_TEST_CASE(who_became_busy_is_not_taken) {
  queue.add(things[0], 100'000);
  take(0);
  things[0].is_busy();
  take(500'000);
  BOOST_TEST(things[0].taken == 0);
  BOOST_TEST(things[0].held == 0);
}

BOOST_AUTO_TEST_CASE(who_was_busy_in_between_is_taken_by_the_later_time) {
  for (auto seen : {false, true}) {
    auto& x = things[seen];
    queue.add(x, 100'000);
    if (seen)
      take(0);
    x.is_busy();
    queue.add(x, 170'000);
    take(160'000);
    BOOST_TEST(x.taken == 0);
    take(170'000);
    BOOST_TEST(x.taken == 1);
    BOOST_TEST(x.held == 0);
  }
}

BOOST_AUTO_TEST_CASE(who_was_taken_can_come_again) {
  queue.add(things[0], 100'000);
  take(100'000);
  things[0].is_busy();
  queue.add(things[0], 200'000);
  take(200'000);
  BOOST_TEST(things[0].taken == 2);
  BOOST_TEST(things[0].held == 0);
}

BOOST_AUTO_TEST_CASE(those_that_are_not_due_cost_nothing) {
  auto many = std::vector<thing>(100'000);
  for (auto& x : many)
    queue.add(x, 1'000'000 + (&x - many.data()) * 10);
  BOOST_TEST(take(0) == many.size()); // sorted in
  BOOST_TEST(take(900'000) == 0u);
  // A part of them is looked at together.
  BOOST_TEST(take(1'100'000) < 15'000u);
  auto taken = std::count_if(many.begin(), many.end(), [](auto& x) { return x.taken == 1; });
  BOOST_TEST(taken == 10'001);
  BOOST_TEST(take(1'100'000) < 1'501u);
  take(10'000'000);
  BOOST_TEST(std::all_of(many.begin(), many.end(), [](auto& x) { return x.taken == 1 && x.held == 0; }));
}

BOOST_AUTO_TEST_CASE(closed_it_lets_go_of_all_and_takes_no_more) {
  queue.add(things[0], 100'000);
  take(0);
  queue.add(things[1], 100'000);
  queue.close();
  queue.add(things[2], 100'000);
  take(200'000);
  for (auto& x : things) {
    BOOST_TEST(x.held == 0);
    BOOST_TEST(x.taken == 0);
  }
  queue.close();
  queue.open();
  queue.add(things[2], 100'000);
  take(200'000);
  BOOST_TEST(things[2].taken == 1);
}

BOOST_AUTO_TEST_CASE(none_is_forgotten_by_threads_that_race) {
  constexpr auto rounds = 20'000;
  auto many = std::vector<thing>(64);
  auto ends = std::atomic<int>{0};
  auto threads = std::vector<std::thread>{};
  for (auto part = 0; part < 2; ++part)
    threads.emplace_back([&, part] {
      auto random = std::mt19937{static_cast<unsigned>(part)};
      for (auto i = 0; i < rounds; ++i) {
        auto& x = many[std::size_t(part) * 32 + random() % 32];
        if (x.idle_since_ms() != 0) {
          x.is_busy();
          continue;
        }
        x.asked = false;
        queue.add(x, 1 + std::int64_t(random() % 60'000));
      }
      ++ends;
    });
  for (auto clock = std::int64_t{0}; ends < 2; clock = (clock + 1'000) % 60'000)
    queue.take(clock, [](thing& x) { x.asked = true; });
  for (auto& one : threads)
    one.join();
  for (auto& x : many)
    BOOST_TEST((x.idle_since_ms() == 0 || x.held == 1 || x.asked));
  for (auto& x : many) {
    x.taken = x.held == 0 && x.idle_since_ms() != 0;
  }
  take(60'000);
  for (auto& x : many) {
    BOOST_TEST(x.taken == (x.idle_since_ms() != 0 ? 1 : 0));
    BOOST_TEST(x.held == 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()
