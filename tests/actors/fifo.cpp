#include "actors/fifo.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <memory>
#include <random>

using namespace xmpp;

BOOST_AUTO_TEST_SUITE(a_fifo)

BOOST_AUTO_TEST_CASE(gives_in_order_what_it_was_given) {
  auto random = std::mt19937{7};
  auto it = fifo<std::unique_ptr<int>>{};
  auto model = std::deque<int>{};
  for (auto i = 0; i < 20'000; ++i) {
    auto grows = random() % 2'000 < (i / 5'000 % 2 == 0 ? 1'200u : 800u);
    if (grows) {
      it.push_back(std::make_unique<int>(i));
      model.push_back(i);
    } else if (!model.empty()) {
      BOOST_REQUIRE(*it.pop_front() == model.front());
      model.pop_front();
    }
    BOOST_REQUIRE(it.size() == model.size());
    BOOST_REQUIRE(it.empty() == model.empty());
    if (!model.empty()) {
      BOOST_REQUIRE(*it.front() == model.front());
      BOOST_REQUIRE(*it.back() == model.back());
    }
  }
  auto seen = std::deque<int>{};
  for (auto& one : it)
    seen.push_back(*one);
  BOOST_TEST((seen == model));
}

BOOST_AUTO_TEST_SUITE_END()
