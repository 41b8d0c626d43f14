#include "actors/questions.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>

using namespace xmpp;
namespace control = cluster::control;

namespace {

/// Two nodes, whose frames wait until they are carried.
struct two_nodes {
  struct frame {
    cluster::node_id to = 0;
    std::string bytes;
  };

  questions& at(cluster::node_id x) { return x == 1 ? one : two; }

  void carry() {
    while (!on_the_way.empty()) {
      auto next = std::move(on_the_way.front());
      on_the_way.pop_front();
      auto from = 3 - next.to;
      auto read = control::read(next.bytes);
      BOOST_REQUIRE(read.has_value());
      if (auto ask = std::get_if<control::ask>(&*read))
        at(next.to).on_ask(from, *ask);
      else
        at(next.to).on_answer(from, std::get<control::answer>(*read));
    }
  }

  bool is_linked = true;
  std::deque<frame> on_the_way;
  questions one{[this](cluster::node_id to, std::string_view x) {
    if (is_linked)
      on_the_way.push_back({to, std::string{x}});
    return is_linked;
  }};
  questions two{[this](cluster::node_id to, std::string_view x) {
    on_the_way.push_back({to, std::string{x}});
    return true;
  }};
};

bool is_answered(const questions::answered& x) {
  return x.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(questions_between_nodes, two_nodes)

BOOST_AUTO_TEST_CASE(a_question_is_answered_with_who_asked_and_what) {
  two.set_answerer([](cluster::node_id from, std::string_view x) -> result<std::string> {
    return std::to_string(from) + " asks " + std::string{x};
  });
  auto first = one.ask(2, control::question::shell, "this"), second = one.ask(2, control::question::shell, "that");
  BOOST_TEST(!is_answered(first));
  carry();
  BOOST_TEST(*first.get() == "1 asks this");
  BOOST_TEST(*second.get() == "1 asks that");
}

BOOST_AUTO_TEST_CASE(a_refusal_keeps_its_condition_and_its_words) {
  two.set_answerer([](auto, auto) -> result<std::string> { return error{errc::item_not_found, "no such run"}; });
  auto asked = one.ask(2, control::question::shell, "x");
  carry();
  auto how = asked.get();
  BOOST_TEST((how.code() == errc::item_not_found));
  BOOST_TEST(how.error().text == "no such run");
}

BOOST_AUTO_TEST_CASE(who_is_not_linked_is_told_at_once) {
  is_linked = false;
  BOOST_TEST((one.ask(2, control::question::shell, "x").get().code() == errc::remote_server_not_found));
}

BOOST_AUTO_TEST_CASE(a_link_that_breaks_answers_what_waits_for_it_and_nothing_else) {
  auto there = one.ask(2, control::question::shell, "x"), elsewhere = one.ask(3, control::question::shell, "x");
  one.on_down(2);
  BOOST_TEST((there.get().code() == errc::timeout));
  BOOST_TEST(!is_answered(elsewhere));
}

BOOST_AUTO_TEST_CASE(nobody_answers_for_another_node) {
  auto asked = one.ask(2, control::question::shell, "x");
  one.on_answer(3, {1, errc::none, "forged"});
  BOOST_TEST(!is_answered(asked));
  one.on_answer(2, {1, errc::none, "true"});
  BOOST_TEST(*asked.get() == "true");
  one.on_answer(2, {1, errc::none, "again"});
}

BOOST_AUTO_TEST_CASE(before_it_has_begun_a_node_refuses) {
  auto asked = one.ask(2, control::question::shell, "x");
  carry();
  BOOST_TEST((asked.get().code() == errc::service_unavailable));
}

BOOST_AUTO_TEST_CASE(questions_and_answers_that_are_too_long_are_refused) {
  auto long_text = std::string(control::question_bytes_max + 1, 'x');
  BOOST_TEST((one.ask(2, control::question::shell, long_text).get().code() == errc::policy_violation));
  two.set_answerer([](auto, auto) -> result<std::string> { return std::string(control::answer_bytes_max + 1, 'x'); });
  auto asked = one.ask(2, control::question::shell, "x");
  carry();
  BOOST_TEST((asked.get().code() == errc::policy_violation));
}

BOOST_AUTO_TEST_CASE(what_a_later_release_asks_is_answered_too) {
  two.set_answerer([](auto, auto) -> result<std::string> { return std::string{"done"}; });
  auto unknown = one.ask(2, control::question(99), "x");
  carry();
  BOOST_TEST((unknown.get().code() == errc::feature_not_implemented));
  auto later = one.ask(2, control::question::shell, "x");
  auto frame = on_the_way.front().bytes;
  on_the_way.clear();
  frame[1] = 9; // its version
  BOOST_TEST(!control::read(frame).has_value());
  two.on_unreadable(1, frame);
  two.on_unreadable(1, "garbage");
  carry();
  BOOST_TEST((later.get().code() == errc::feature_not_implemented));
}

BOOST_AUTO_TEST_CASE(so_many_wait_and_no_more) {
  auto asked = std::vector<questions::answered>{};
  for (auto i = std::size_t{0}; i < questions::waiting_max; ++i)
    asked.push_back(one.ask(2, control::question::shell, "x"));
  BOOST_TEST((one.ask(2, control::question::shell, "x").get().code() == errc::resource_constraint));
}

BOOST_AUTO_TEST_SUITE_END()
