#include "net/reactor.hpp"

#include "tests/net/peers.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <thread>

using namespace xmpp::net;

namespace {

struct reading final : handler {
  void on_ready(std::uint32_t) override {
    ++calls;
    if (react)
      react();
  }
  int calls = 0;
  std::function<void()> react;
};

struct noted final : timed {
  void on_timer(std::uint32_t tag) override { fired.push_back(tag); }
  std::vector<std::uint32_t> fired;
};

struct visitor final : guest {
  explicit visitor(std::vector<std::string>& into) : log(into) {}
  ~visitor() { log.push_back("destroyed"); }
  void flush_now() override { log.push_back("flushed"); }
  void on_reactor_end() override { log.push_back("ended"); }
  std::vector<std::string>& log;
};

struct counting final : work {
  bool run_slice() override {
    auto x = left.load();
    while (x > 0 && !left.compare_exchange_weak(x, x - 1)) {
    }
    if (x > 0)
      done.fetch_add(1);
    return x > 1;
  }
  std::atomic<int> left{0};
  std::atomic<int> done{0};
};

} // namespace

BOOST_AUTO_TEST_SUITE(reactor_)

BOOST_AUTO_TEST_CASE(a_handler_removed_during_a_batch_is_not_called_any_more) {
  auto home = reactor{};
  auto [a, a_peer] = socket_pair();
  auto [b, b_peer] = socket_pair();
  auto first = std::make_unique<reading>();
  auto second = std::make_unique<reading>();
  auto calls = 0;
  // Whichever comes first destroys the other.
  first->react = [&, &b = b] {
    ++calls;
    home.remove(b.get(), second.get());
    second.reset();
    first->react = nullptr;
  };
  second->react = [&, &a = a] {
    ++calls;
    home.remove(a.get(), first.get());
    first.reset();
    second->react = nullptr;
  };
  BOOST_REQUIRE(home.add(a.get(), EPOLLIN, first.get()));
  BOOST_REQUIRE(home.add(b.get(), EPOLLIN, second.get()));
  ::send(a_peer.get(), "x", 1, 0);
  ::send(b_peer.get(), "x", 1, 0);
  home.turn(0);
  BOOST_TEST(calls == 1);
  home.turn(0);
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(a_retired_guest_lives_until_the_turn_has_ended) {
  auto log = std::vector<std::string>{};
  auto home = reactor{};
  auto place = home.keep(std::make_shared<visitor>(log));
  home.post([&] {
    home.retire(place);
    BOOST_TEST(home.guests() == 0u);
    BOOST_TEST(log.empty());
  });
  home.turn(0);
  BOOST_TEST(log == (std::vector<std::string>{"destroyed"}));
}

BOOST_AUTO_TEST_CASE(the_end_of_the_reactor_is_told_to_its_guests) {
  auto log = std::vector<std::string>{};
  {
    auto home = reactor{};
    home.keep(std::make_shared<visitor>(log));
  }
  BOOST_TEST(log == (std::vector<std::string>{"ended", "destroyed"}));
}

BOOST_AUTO_TEST_CASE(flushes_come_after_the_slice_of_work) {
  auto log = std::vector<std::string>{};
  struct sending final : work {
    bool run_slice() override {
      log->push_back("worked");
      if (who)
        reactor::current()->flush_later(std::move(who));
      return false;
    }
    std::vector<std::string>* log;
    std::shared_ptr<visitor> who;
  } to_do;
  to_do.log = &log;
  to_do.who = std::make_shared<visitor>(log);
  auto home = reactor{&to_do};
  home.turn(0);
  BOOST_TEST(log == (std::vector<std::string>{"worked", "flushed", "destroyed"}));
}

BOOST_AUTO_TEST_CASE(timers_follow_the_reactors_clock) {
  auto target = noted{};
  auto home = reactor{nullptr, hand_clock};
  home.turn(0);
  home.set_timer(3, &target, 1);
  home.set_timer(1500, &target, 2);
  home.set_timer(60'000, &target, 3);
  auto gone = home.set_timer(60'000, &target, 4);
  hand_clock_ms += 2;
  home.turn(0);
  BOOST_TEST(target.fired.empty());
  hand_clock_ms += 1;
  home.turn(0);
  BOOST_TEST(target.fired == (std::vector<std::uint32_t>{1}));
  hand_clock_ms += 1497;
  home.turn(0);
  BOOST_TEST(target.fired == (std::vector<std::uint32_t>{1, 2}));
  BOOST_TEST(home.cancel_timer(gone));
  hand_clock_ms += 58'500 - 1;
  home.turn(0);
  BOOST_TEST(target.fired.size() == 2u);
  hand_clock_ms += 1 + 250;
  home.turn(0);
  BOOST_TEST(target.fired == (std::vector<std::uint32_t>{1, 2, 3}));
  BOOST_TEST(!home.cancel_timer(gone));
}

BOOST_AUTO_TEST_CASE(the_current_reactor_is_that_of_the_turn) {
  auto home = reactor{};
  BOOST_TEST(reactor::current() == nullptr);
  home.post([&] { BOOST_TEST(reactor::current() == &home); });
  home.turn(0);
  BOOST_TEST(reactor::current() == nullptr);
}

BOOST_AUTO_TEST_CASE(wakes_while_the_thread_is_busy_cost_no_system_call) {
  auto home = reactor{};
  for (auto i = 0; i < 100; ++i)
    home.wake();
  BOOST_TEST(home.count().wake_writes == 0u);
  home.turn(-1); // Comes back at once, since it was woken.
  BOOST_TEST(home.count().turns == 1u);
}

BOOST_AUTO_TEST_CASE(no_wake_is_lost) {
  auto to_do = counting{};
  auto home = reactor{&to_do};
  auto turning = std::thread{[&] { home.run(); }};
  constexpr auto rounds = 20'000;
  // Each round waits until its work is done: a lost wake would wait for ever.
  for (auto i = 0; i < rounds; ++i) {
    to_do.left.fetch_add(1);
    home.wake();
    while (to_do.done.load() != i + 1)
      std::this_thread::yield();
  }
  BOOST_TEST(to_do.done.load() == rounds);
  home.stop();
  turning.join();
}

BOOST_AUTO_TEST_CASE(posted_functions_run_in_order_on_the_reactors_thread) {
  auto home = reactor{};
  auto turning = std::thread{[&] { home.run(); }};
  auto seen = std::vector<int>{};
  auto is_done = std::atomic<bool>{false};
  for (auto i = 0; i < 1000; ++i)
    home.post([&, i] {
      BOOST_TEST_REQUIRE(home.is_this_thread());
      seen.push_back(i);
      is_done = i == 999;
    });
  while (!is_done)
    std::this_thread::yield();
  home.stop();
  turning.join();
  BOOST_TEST(seen.size() == 1000u);
  BOOST_TEST(std::is_sorted(seen.begin(), seen.end()));
}

BOOST_AUTO_TEST_CASE(more_work_is_done_without_waiting) {
  auto to_do = counting{};
  to_do.left = 5;
  auto home = reactor{&to_do};
  for (auto i = 0; i < 5; ++i)
    home.turn(i == 0 ? 0 : -1);
  BOOST_TEST(to_do.done.load() == 5);
}

BOOST_AUTO_TEST_SUITE_END()
