#include "actors/supervised.hpp"

#include "tests/actors/actor_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

struct one_patient : actor_fixture {
  std::shared_ptr<patient_history> history = std::make_shared<patient_history>();
  std::shared_ptr<std::vector<failure>> failures = std::make_shared<std::vector<failure>>();
  caf::strong_actor_ptr parent = caf::actor_cast<caf::strong_actor_ptr>(overseer(failures));
  patient_actor it = system().spawn<patient>(parent, history);

  registry::entry entry() { return *registry::instance().entry_of(it->id()); }
};

using numbers = std::vector<int>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_supervised_actor, one_patient)

BOOST_AUTO_TEST_CASE(tells_its_supervisor_what_failed) {
  send(it, -7);
  BOOST_REQUIRE(failures->size() == 1);
  BOOST_TEST(failures->front().what == "told to fail with -7");
  BOOST_TEST(failures->front().child == it->id());
  BOOST_TEST(entry().last_error == "told to fail with -7");
}

BOOST_AUTO_TEST_CASE(handles_nothing_until_there_is_a_decision) {
  send(it, -1);
  send(it, 2);
  BOOST_TEST(history->handled.empty());
  BOOST_TEST(history->restarted == 0);
  BOOST_TEST(entry().mailbox >= 1);
}

BOOST_AUTO_TEST_CASE(goes_on_after_a_restart_with_what_waited_in_order) {
  for (auto x : {1, -1, 2, 3})
    caf::anon_send(it, x);
  settle();
  send(it, 4);
  BOOST_TEST(history->handled == numbers{1}, boost::test_tools::per_element());
  send(it, msg::verdict{});
  BOOST_TEST(history->restarted == 1);
  BOOST_TEST(history->handled == (numbers{2, 3, 4}), boost::test_tools::per_element()); // 1 was state, -1 is lost
  BOOST_TEST(entry().restarts == 1);
}

BOOST_AUTO_TEST_CASE(fails_as_often_as_it_has_reasons_to) {
  for (auto x : {-1, -2, 3})
    caf::anon_send(it, x);
  settle();
  send(it, msg::verdict{});
  BOOST_REQUIRE(failures->size() == 2);
  BOOST_TEST(failures->back().what == "told to fail with -2");
  BOOST_TEST(history->handled.empty());
  send(it, msg::verdict{});
  BOOST_TEST(history->handled == numbers{3}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(ends_on_stop_and_says_goodbye_before) {
  auto weak = caf::actor_cast<caf::weak_actor_ptr>(it);
  send(it, -1);
  send(it, msg::verdict{msg::decision::stop});
  BOOST_TEST(history->stopped.size() == 1);
  BOOST_TEST(!runs(weak));
}

BOOST_AUTO_TEST_CASE(ignores_a_decision_about_a_failure_that_it_did_not_have) {
  send(it, 1);
  send(it, msg::verdict{});
  send(it, msg::verdict{msg::decision::stop});
  BOOST_TEST(history->restarted == 0);
  BOOST_TEST(history->stopped.empty());
  BOOST_TEST(history->handled.size() == 1);
}

BOOST_AUTO_TEST_CASE(restarts_without_a_failure_of_its_own_when_a_sibling_had_one) {
  send(it, 1);
  send(it, msg::verdict{msg::decision::restart, true});
  BOOST_TEST(history->restarted == 1);
  BOOST_TEST(history->handled.empty());
}

BOOST_AUTO_TEST_CASE(fails_on_command) {
  send(it, msg::fail_now{});
  BOOST_REQUIRE(failures->size() == 1);
  BOOST_TEST(failures->front().what == "killed from the shell");
}

BOOST_AUTO_TEST_CASE(tells_about_itself_also_when_it_has_failed) {
  send(it, 1);
  send(it, -1);
  auto said = asks<msg::description>(it, msg::describe{});
  BOOST_REQUIRE(said->value.has_value());
  BOOST_TEST(said->value->fields.front().second == "1");
}

BOOST_AUTO_TEST_CASE(can_be_ended_when_it_has_failed) {
  auto weak = caf::actor_cast<caf::weak_actor_ptr>(it);
  send(it, -1);
  ends(it);
  BOOST_TEST(!runs(weak));
}

BOOST_AUTO_TEST_CASE(ends_when_nobody_decides_about_it) {
  auto alone = system().spawn<patient>(caf::strong_actor_ptr{}, history);
  auto weak = caf::actor_cast<caf::weak_actor_ptr>(alone);
  send(alone, -1);
  BOOST_TEST(!runs(weak));
}

BOOST_AUTO_TEST_CASE(keeps_what_must_wait_in_its_place) {
  history->must_wait = [this](const caf::mailbox_element& x) {
    return history->handled.size() < 2 && x.content().match_elements<int>() && x.content().get_as<int>(0) >= 10;
  };
  for (auto x : {10, 11, 1, 12, 2, 13})
    caf::anon_send(it, x);
  settle();
  BOOST_TEST(history->handled == (numbers{1, 2, 10, 11, 12, 13}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(counts_what_it_handles_and_what_waits) {
  settle();
  for (auto x : {1, 2, 3})
    caf::anon_send(it, x);
  BOOST_TEST(entry().mailbox == 3);
  settle();
  BOOST_TEST(entry().mailbox == 0);
  BOOST_TEST(entry().handled == 3);
  BOOST_TEST(entry().supervisor == parent->id());
  BOOST_TEST(entry().name == "patient");
}

BOOST_AUTO_TEST_CASE(leaves_no_trace_in_the_registry) {
  auto id = it->id();
  settle();
  ends(it);
  it = nullptr;
  BOOST_TEST(!registry::instance().entry_of(id).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
