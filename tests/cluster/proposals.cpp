#include "cluster/proposals.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace xmpp;
using namespace xmpp::cluster;

namespace {

struct fixture {
  proposals under_way;
  std::vector<std::string> answers;
  state agreed = of_version(1);

  proposals::answer note(const std::string& name) {
    return [this, name](const result<applied>& how) {
      answers.push_back(name + ": " + (how ? std::to_string(how->number) : std::string{condition_name(how.code())}));
    };
  }
  static state of_version(std::uint64_t x) {
    auto out = state{};
    out.version = x;
    return out;
  }
  void submit(const std::string& name, std::uint64_t number) {
    under_way.submitted(under_way.next_ticket(), {true, number}, of_version(number), note(name));
  }
  using strings = std::vector<std::string>;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(proposals_under_way, fixture)

BOOST_AUTO_TEST_CASE(what_was_asked_of_the_leader_is_answered_once) {
  auto first = under_way.ask(note("a"), 0), second = under_way.ask(note("b"), 0);
  BOOST_REQUIRE((first && second && *first != *second));
  under_way.answered(*second, applied{true, 7});
  under_way.answered(*second, applied{true, 8});
  under_way.answered(*first, error{errc::conflict, "no"});
  BOOST_TEST((answers == strings{"b: 7", "a: conflict"}));
  BOOST_TEST(under_way.size() == 0u);
}

BOOST_AUTO_TEST_CASE(an_answer_to_what_was_not_asked_is_ignored) {
  auto request = under_way.ask(note("a"), 0);
  under_way.answered(0, applied{});
  under_way.answered(*request + 1, applied{});
  BOOST_TEST(answers.empty());
  BOOST_TEST(under_way.size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_the_leader_does_not_answer_ends_and_its_outcome_is_open) {
  under_way.ask(note("a"), 1'000);
  auto second = under_way.ask(note("b"), 1'001);
  under_way.end_late(1'000 + proposals::wait_ms - 1);
  BOOST_TEST(answers.empty());
  under_way.end_late(1'000 + proposals::wait_ms);
  BOOST_TEST((answers == strings{"a: " + std::string{condition_name(errc::timeout)}}));
  under_way.answered(*second, applied{true, 2});
  BOOST_TEST(answers.back() == "b: 2");
}

BOOST_AUTO_TEST_CASE(no_more_is_asked_than_may_be_under_way) {
  for (auto i = std::size_t{0}; i < proposals::under_way_max; ++i)
    BOOST_REQUIRE(under_way.ask(note("early"), 0).has_value());
  BOOST_TEST(!under_way.ask(note("late"), 0).has_value());
  BOOST_TEST((answers == strings{"late: resource-constraint"}));
  BOOST_TEST(under_way.size() == proposals::under_way_max);
}

BOOST_AUTO_TEST_CASE(the_next_command_applies_to_what_was_submitted_before_it) {
  auto agreed = of_version(1);
  BOOST_TEST(under_way.ahead(agreed).version == 1u);
  submit("a", 2);
  submit("b", 3);
  BOOST_TEST(under_way.ahead(agreed).version == 3u);
  under_way.committed(1, errc::none);
  BOOST_TEST(under_way.ahead(agreed).version == 3u);
  under_way.committed(2, errc::none);
  BOOST_TEST(under_way.ahead(agreed).version == 1u); // The caller's is at 3 by then.
  BOOST_TEST((answers == strings{"a: 2", "b: 3"}));
}

BOOST_AUTO_TEST_CASE(nothing_is_built_on_what_was_not_committed) {
  auto agreed = of_version(1);
  submit("a", 2);
  submit("b", 3);
  under_way.committed(1, errc::not_leader);
  BOOST_TEST(under_way.ahead(agreed).version == 1u);
  BOOST_TEST(under_way.has_submitted());
  BOOST_TEST(answers.size() == 1u);
  BOOST_TEST(answers.front() != "a: 2");
}

BOOST_AUTO_TEST_CASE(each_is_answered_whichever_comes_first) { // As when a leadership is lost.
  submit("a", 2);
  submit("b", 3);
  under_way.committed(9, errc::none);
  BOOST_TEST(answers.empty());
  under_way.committed(2, errc::not_leader);
  BOOST_TEST((&under_way.ahead(agreed) == &agreed));
  BOOST_TEST(!under_way.committed(1, errc::not_leader));
  BOOST_TEST(answers.size() == 2u);
  BOOST_TEST(under_way.size() == 0u);
}

BOOST_AUTO_TEST_CASE(the_last_one_says_what_is_agreed_on_then) {
  submit("a", 2);
  submit("b", 3);
  BOOST_TEST(!under_way.committed(1, errc::none));
  auto now = under_way.committed(2, errc::none);
  BOOST_REQUIRE(now.has_value());
  BOOST_TEST(now->version == 3u);
}

BOOST_AUTO_TEST_CASE(what_stands_on_an_older_state_than_the_agreed_one_is_not_built_on) {
  submit("a", 2);
  agreed = of_version(7); // Another led meanwhile.
  BOOST_TEST((&under_way.ahead(agreed) == &agreed));
  submit("b", 8);
  under_way.forget_ahead();
  BOOST_TEST((&under_way.ahead(agreed) == &agreed));
}

BOOST_AUTO_TEST_CASE(is_full_when_as_many_are_submitted_as_may_be) {
  for (auto i = std::size_t{0}; i < proposals::under_way_max; ++i) {
    BOOST_REQUIRE(!under_way.is_full());
    submit("x", 1);
  }
  BOOST_TEST(under_way.is_full());
}

BOOST_AUTO_TEST_CASE(all_end_together_and_none_is_answered_again) {
  auto agreed = of_version(1);
  auto request = under_way.ask(note("a"), 0);
  submit("b", 2);
  under_way.end_all(error{errc::conflict, "all"});
  BOOST_TEST((answers == strings{"a: conflict", "b: conflict"}));
  BOOST_TEST(under_way.ahead(agreed).version == 2u); // It may yet be committed.
  submit("c", 3);
  under_way.answered(*request, applied{});
  under_way.committed(1, errc::none);
  BOOST_TEST(answers.size() == 2u);
  under_way.committed(2, errc::none);
  BOOST_TEST(answers.back() == "c: 3");
  BOOST_TEST(under_way.size() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
