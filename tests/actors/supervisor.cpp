#include "actors/supervisor.hpp"

#include "tests/actors/actor_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>

using namespace xmpp;
using namespace xmpp::test;
using namespace std::chrono_literals;

namespace {

struct family : actor_fixture {
  std::shared_ptr<std::vector<failure>> failures = std::make_shared<std::vector<failure>>();
  std::map<std::string, std::shared_ptr<patient_history>> histories;
  std::map<std::string, patient_actor> actors; ///< The last that was started under the name.
  std::vector<std::string> order;              ///< In which they were started.
  supervisor_actor it;

  supervisor::child child(const std::string& name) {
    auto history = histories[name] = std::make_shared<patient_history>();
    return {name, [this, name, history](supervisor& s) {
              order.push_back(name);
              actors[name] = system().spawn<patient>(s.self_ptr(), history);
              return caf::actor_cast<caf::strong_actor_ptr>(actors[name]);
            }};
  }

  void starts(std::vector<supervisor::child> children, restart_options how, bool has_parent = true) {
    auto parent = has_parent ? caf::actor_cast<caf::strong_actor_ptr>(overseer(failures)) : nullptr;
    it = system().spawn<supervisor>(parent, actor_kind::supervisor, "family", std::move(children), how);
    settle();
  }
  void starts_three(restart_options how) { starts({child("a"), child("b"), child("c")}, how); }

  /// How often each of a, b and c has been restarted: `101`.
  std::string restarts() const {
    auto out = std::string{};
    for (auto& [name, history] : histories)
      out += std::to_string(history->restarted);
    return out;
  }

  ~family() { ends(it); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_supervisor, family)

BOOST_AUTO_TEST_CASE(starts_its_children_in_order) {
  starts_three({});
  BOOST_TEST(order == (std::vector<std::string>{"a", "b", "c"}), boost::test_tools::per_element());
  for (auto& [name, history] : histories)
    BOOST_TEST(history->begun == 1);
}

BOOST_AUTO_TEST_CASE(restarts_the_failed_child_alone_one_for_one) {
  starts_three({strategy::one_for_one});
  send(actors["b"], -1);
  BOOST_TEST(restarts() == "010");
  BOOST_TEST(failures->empty());
}

BOOST_AUTO_TEST_CASE(restarts_the_failed_child_and_those_behind_it_rest_for_one) {
  starts_three({strategy::rest_for_one});
  send(actors["b"], -1);
  BOOST_TEST(restarts() == "011");
}

BOOST_AUTO_TEST_CASE(restarts_all_one_for_all) {
  starts_three({strategy::one_for_all});
  send(actors["c"], -1);
  BOOST_TEST(restarts() == "111");
}

BOOST_AUTO_TEST_CASE(waits_before_a_restart_as_its_back_off_says) {
  auto how = restart_options{};
  how.backoff_first = 200ms;
  starts_three(how);
  send(actors["a"], -1);
  passes(199ms);
  BOOST_TEST(restarts() == "000");
  passes(1ms);
  BOOST_TEST(restarts() == "100");
}

BOOST_AUTO_TEST_CASE(fails_itself_when_its_children_fail_too_often) {
  auto how = restart_options{};
  how.restarts_max = 2;
  starts_three(how);
  for (auto i = 0; i < 3; ++i) {
    send(actors["a"], -1);
    passes(1s);
  }
  BOOST_REQUIRE(failures->size() == 1);
  BOOST_TEST(failures->front().what.find("too many failures below family") == 0u);
  BOOST_TEST(failures->front().what.find("told to fail with -1") != std::string::npos);
  BOOST_TEST(restarts() == "200");

  send(it, msg::verdict{}); // its supervisor's decision: all begin anew
  BOOST_TEST(restarts() == "311");
  send(actors["b"], -1); // and its count is forgotten
  BOOST_TEST(restarts() == "321");
  BOOST_TEST(failures->size() == 1);
}

BOOST_AUTO_TEST_CASE(ends_when_it_fails_and_has_no_supervisor) {
  auto how = restart_options{};
  how.restarts_max = 0;
  starts({child("a")}, how, false);
  auto weak = caf::actor_cast<caf::weak_actor_ptr>(it);
  send(actors["a"], -1);
  BOOST_TEST(!runs(weak));
}

BOOST_AUTO_TEST_CASE(takes_its_children_with_it_when_it_fails_and_has_no_supervisor) {
  auto how = restart_options{};
  how.restarts_max = 0;
  starts({child("a"), child("b")}, how, false);
  auto lines = std::vector<std::string>{};
  auto how_to_log = log::options{};
  how_to_log.sink = [&](std::string_view x) { lines.emplace_back(x); };
  log::start(how_to_log);
  send(actors["a"], -1);
  log::stop();
  log::set_level("*", log_level::off);
  for (auto& [name, actor] : actors)
    BOOST_TEST(!runs(caf::actor_cast<caf::weak_actor_ptr>(actor)));
  BOOST_TEST(order.size() == 2); // none was started anew
  auto said = std::find_if(lines.begin(), lines.end(), [](auto& x) { return x.find("actor.gave_up") != x.npos; });
  BOOST_REQUIRE((said != lines.end()));
  BOOST_TEST(said->find("error") != std::string::npos);
  BOOST_TEST(said->find("too many failures below family, the last: a: told to fail with -1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(leaves_nobody_to_wait_for_a_decision_when_it_is_gone) {
  starts_three({});
  auto history = std::make_shared<patient_history>();
  auto guest = system().spawn<patient>(caf::actor_cast<caf::strong_actor_ptr>(it), history);
  ends(it);
  send(guest, -1);
  BOOST_TEST(history->stopped == std::vector<std::string>{"told to fail with -1"}, boost::test_tools::per_element());
  BOOST_TEST(!runs(caf::actor_cast<caf::weak_actor_ptr>(guest)));
}

BOOST_AUTO_TEST_CASE(starts_anew_what_is_gone) {
  starts_three({});
  auto before = actors["b"];
  ends(before, caf::exit_reason::kill);
  BOOST_TEST((actors["b"] != before));
  BOOST_TEST(histories["b"]->begun == 2);
  BOOST_TEST(order.size() == 4);
  send(actors["b"], -1); // it is a child like the first
  passes(1s);
  BOOST_TEST(restarts() == "010");
}

BOOST_AUTO_TEST_CASE(stops_a_child_that_is_none_of_those_it_keeps_running) {
  starts_three({});
  auto history = std::make_shared<patient_history>();
  auto guest = system().spawn<patient>(caf::actor_cast<caf::strong_actor_ptr>(it), history);
  send(guest, -1);
  BOOST_TEST(history->stopped.size() == 1);
  BOOST_TEST(!runs(caf::actor_cast<caf::weak_actor_ptr>(guest)));
  BOOST_TEST(restarts() == "000");
}

BOOST_AUTO_TEST_CASE(takes_its_children_with_it) {
  starts_three({});
  ends(it);
  for (auto& [name, actor] : actors)
    BOOST_TEST(!runs(caf::actor_cast<caf::weak_actor_ptr>(actor)));
  BOOST_TEST(order.size() == 3); // none was started anew
}

BOOST_AUTO_TEST_CASE(describes_itself) {
  starts_three({strategy::rest_for_one, 7, 3s});
  auto said = asks<msg::description>(it, msg::describe{});
  BOOST_REQUIRE(said->value.has_value());
  auto& fields = said->value->fields;
  BOOST_REQUIRE(fields.size() == 6);
  BOOST_TEST(fields[1].second == "rest for one");
  BOOST_TEST(fields[2].second == "7 restarts in 3 s");
  BOOST_TEST(fields[3].second == "a #" + std::to_string(actors["a"]->id()));
}

// -- an order that matters --

BOOST_AUTO_TEST_CASE(starts_nothing_before_what_comes_first_has_begun) {
  auto first = child("a");
  first.comes_first = true;
  auto second = child("b");
  it = system().spawn<supervisor>(caf::strong_actor_ptr{}, actor_kind::supervisor, "family",
                                  std::vector{first, second, child("c")}, restart_options{});
  while (histories["a"]->begun == 0) {
    BOOST_TEST(order.size() <= 1);
    BOOST_REQUIRE(scheduler().try_run_once());
  }
  settle();
  BOOST_TEST(order == (std::vector<std::string>{"a", "b", "c"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(starts_nothing_before_a_supervisor_that_comes_first_has_all_its_children) {
  auto inner = supervisor::child{
      "inner", [this](supervisor& s) {
        return caf::actor_cast<caf::strong_actor_ptr>(system().spawn<supervisor>(
            s.self_ptr(), actor_kind::supervisor, "inner", std::vector{child("a"), child("b")}, restart_options{}));
      }};
  inner.comes_first = true;
  starts({inner, child("z")}, {});
  BOOST_TEST(order == (std::vector<std::string>{"a", "b", "z"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(starts_the_rest_when_what_comes_first_has_begun_at_the_second_attempt) {
  auto first = child("a");
  first.comes_first = true;
  histories["a"]->fails_to_begin = true;
  auto how = restart_options{};
  how.backoff_first = 1s;
  starts({first, child("b")}, how);
  BOOST_TEST(order == std::vector<std::string>{"a"}, boost::test_tools::per_element());
  histories["a"]->fails_to_begin = false;
  passes(1s);
  BOOST_TEST(order == (std::vector<std::string>{"a", "a", "b"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(starts_the_rest_once) {
  auto first = child("a");
  first.comes_first = true;
  starts({first, child("b")}, {strategy::one_for_all});
  send(actors["a"], -1);
  ends(actors["a"], caf::exit_reason::kill);
  passes(1s);
  BOOST_TEST(order == (std::vector<std::string>{"a", "b", "a"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
