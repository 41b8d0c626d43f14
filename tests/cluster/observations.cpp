#include "cluster/observations.hpp"

#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace xmpp;
using namespace xmpp::cluster;
using xmpp::test::system_group;

namespace {

constexpr auto start_ms = std::uint64_t{1'000'000};

/// Nodes 11, which looks, 12 and 13; shard 0 and 1 on all of them.
struct fixture {
  fixture() {
    for (auto id : {12, 13})
      group.add(node_id(id));
    for (auto shard : {0, 1})
      group.place(shard_id(shard), {11, 12, 13});
    at.expect(group.state, now_ms);
  }

  static control::report leads(shard_id shard, std::uint64_t term) {
    auto out = control::report{};
    out.leads[shard].term = term;
    return out;
  }
  void reports(node_id who, control::report x = {}) { at.apply(who, std::move(x), now_ms); }
  /// All nodes report each second.
  void passes(std::uint64_t s, std::vector<node_id> who = {11, 12, 13}) {
    for (; s > 0; --s) {
      now_ms += 1'000;
      for (auto one : who) {
        auto last = at.nodes(now_ms).at(one).report;
        reports(one, last == nullptr ? control::report{} : *last);
      }
    }
  }
  observed seen() const { return at.seen(now_ms); }
  observed_node node(node_id x) const { return seen().nodes.at(x); }
  observed_shard shard(shard_id x) const { return seen().shards[x]; }

  system_group group{2};
  std::uint64_t now_ms = start_ms;
  observations at{11, start_ms};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(observing, fixture)

BOOST_AUTO_TEST_CASE(the_observer_is_always_there) {
  now_ms += 60'000;
  BOOST_TEST(node(11).contact_age_ms == 0u);
  BOOST_TEST(node(11).steady_ms == 60'000u);
  at.link_down(11);
  at.link_up(11, now_ms);
  now_ms += 1'000;
  BOOST_TEST(node(11).contact_age_ms == 0u);
  BOOST_TEST(node(11).steady_ms == 61'000u);
  BOOST_TEST(!node(11).says);
  auto x = leads(1, 3);
  x.sessions = 5;
  x.disk_ok = false;
  reports(11, x);
  now_ms += 60'000;
  BOOST_TEST((node(11).says->sessions == 5u));
  BOOST_TEST(!node(11).disk_ok);
  BOOST_TEST(shard(1).leader == 11u);
}

BOOST_AUTO_TEST_CASE(contact_is_a_link_that_comes_up_and_each_report) {
  at.link_up(12, now_ms += 5'000);
  BOOST_TEST(node(12).contact_age_ms == 0u);
  now_ms += 700;
  BOOST_TEST(node(12).contact_age_ms == 700u);
  BOOST_TEST(node(12).steady_ms == 700u);
  reports(12);
  BOOST_TEST(node(12).contact_age_ms == 0u);
  now_ms += 900;
  BOOST_TEST(node(12).contact_age_ms == 900u);
  BOOST_TEST(node(12).steady_ms == 1'600u);
  now_ms -= 5'000; // a clock that is none
  BOOST_TEST(node(12).contact_age_ms == 0u);
}

BOOST_AUTO_TEST_CASE(who_was_never_heard_is_not_alive_and_counts_from_when_it_was_expected) {
  BOOST_TEST(!is_alive(group.state, seen(), 12));
  BOOST_TEST(node(12).steady_ms == 0u);
  BOOST_TEST(!at.nodes(now_ms).at(12).was_heard);
  now_ms += 100'000;
  BOOST_TEST(node(12).contact_age_ms == 100'000u);
  group.add(14);
  at.expect(group.state, now_ms);
  now_ms += 10'000;
  BOOST_TEST(node(12).contact_age_ms == 110'000u);
  BOOST_TEST(node(14).contact_age_ms == 10'000u);
}

BOOST_AUTO_TEST_CASE(a_node_that_is_not_linked_is_silent_at_once) {
  at.link_up(12, now_ms);
  passes(20, {12});
  BOOST_TEST(is_alive(group.state, seen(), 12));
  BOOST_TEST(node(12).steady_ms == 20'000u);
  at.link_down(12);
  BOOST_TEST(!is_alive(group.state, seen(), 12));
  BOOST_TEST(node(12).contact_age_ms == patience{}.fresh_ms + 1);
  BOOST_TEST(node(12).steady_ms == 0u);
  BOOST_TEST(at.nodes(now_ms).at(12).contact_age_ms == 0u);
  now_ms += 50'000;
  BOOST_TEST(node(12).contact_age_ms == 50'000u);
  BOOST_TEST(at.nodes(now_ms).at(12).contact_age_ms == 50'000u);

  at.link_up(12, now_ms);
  now_ms += 1'000;
  BOOST_TEST(is_alive(group.state, seen(), 12));
  BOOST_TEST(node(12).steady_ms == 1'000u);
}

BOOST_AUTO_TEST_CASE(who_is_linked_and_does_not_report_is_silent) {
  at.link_up(12, now_ms);
  reports(12, leads(0, 3));
  passes(20, {12});
  now_ms += 3'000;
  BOOST_TEST(is_alive(group.state, seen(), 12));
  BOOST_TEST(shard(0).leader == 12u);
  BOOST_TEST(node(12).steady_ms == 23'000u);
  now_ms += 1;
  BOOST_TEST(!is_alive(group.state, seen(), 12));
  BOOST_TEST(shard(0).leader == 0u);
  BOOST_TEST(node(12).steady_ms == 0u);
  reports(12, leads(0, 3));
  BOOST_TEST(is_alive(group.state, seen(), 12));
  BOOST_TEST(shard(0).leader == 12u);
  now_ms += 500;
  BOOST_TEST(node(12).steady_ms == 500u);
}

BOOST_AUTO_TEST_CASE(reports_of_others_than_linked_nodes_are_ignored) {
  reports(12, leads(0, 3));
  reports(99, leads(0, 3));
  BOOST_TEST(shard(0).leader == 0u);
  BOOST_TEST(shard(0).term == 0u);
  BOOST_TEST(!at.nodes(now_ms).contains(99));
  BOOST_TEST(!at.nodes(now_ms).at(12).was_heard);
  at.link_down(99);
  BOOST_TEST(!at.nodes(now_ms).contains(99));
}

BOOST_AUTO_TEST_CASE(a_shard_is_as_its_leader_says) {
  at.link_up(12, now_ms);
  at.link_up(13, now_ms);
  auto x = control::report{};
  x.leads[0] = {7, 100, 4'096, 13, {{11, 5}, {13, 0}}, {}};
  x.follows[1] = 40;
  reports(12, x);
  x = {};
  x.follows = {{0, 101}, {1, 50}};
  reports(13, x);
  BOOST_TEST(shard(0).leader == 12u);
  BOOST_TEST(shard(0).transferring_to == 13u);
  BOOST_TEST(shard(0).term == 7u);
  BOOST_TEST(shard(0).applied == 100u);
  BOOST_TEST(shard(0).bytes == 4'096u);
  BOOST_TEST((shard(0).lag == std::map<node_id, std::uint64_t>{{11, 5}, {13, 0}}));
  BOOST_TEST(shard(1).leader == 0u);
  BOOST_TEST(shard(1).applied == 50u);
}

BOOST_AUTO_TEST_CASE(the_highest_term_counts_and_none_below_it_ever_again) {
  at.link_up(12, now_ms);
  at.link_up(13, now_ms);
  reports(12, leads(0, 3));
  reports(13, leads(0, 5));
  BOOST_TEST(shard(0).leader == 13u);
  reports(12, leads(0, 3));
  BOOST_TEST(shard(0).leader == 13u);
  at.link_down(13);
  BOOST_TEST(shard(0).leader == 0u);
  BOOST_TEST(shard(0).term == 5u);
  reports(12, leads(0, 3));
  BOOST_TEST(shard(0).leader == 0u);
  at.link_up(13, now_ms);
  BOOST_TEST(shard(0).leader == 0u); // its process may be another
  reports(13, leads(0, 5));
  BOOST_TEST(shard(0).leader == 13u);
  at.link_up(13, now_ms);
  BOOST_TEST(shard(0).leader == 0u);
  reports(13, leads(0, 5));
  reports(12, leads(0, 5));
  BOOST_TEST(shard(0).leader == 12u); // which Raft rules out; as in leaders.hpp
  reports(12);
  reports(13);
  BOOST_TEST(shard(0).leader == 0u);
  reports(12, leads(0, 6));
  BOOST_TEST(shard(0).leader == 12u);
  BOOST_TEST(shard(0).term == 6u);
}

BOOST_AUTO_TEST_CASE(a_view_keeps_the_last_report_of_a_node_that_is_gone) {
  at.link_up(12, now_ms);
  BOOST_TEST(at.nodes(now_ms).at(12).report == nullptr);
  auto x = control::report{};
  x.sessions = 7;
  x.disk_ok = false;
  x.disk_words = "no space left";
  reports(12, x);
  at.link_down(12);
  auto view = at.nodes(now_ms + 1'000).at(12);
  BOOST_TEST(!view.is_linked);
  BOOST_TEST(view.was_heard);
  BOOST_TEST(view.contact_age_ms == 1'000u);
  BOOST_REQUIRE(view.report != nullptr);
  BOOST_TEST((*view.report == x));
  BOOST_TEST(!node(12).disk_ok);
  BOOST_TEST(!node(12).says);
}

BOOST_AUTO_TEST_CASE(who_is_no_member_is_forgotten_with_its_link) {
  at.link_up(12, now_ms);
  at.link_up(99, now_ms); // of a state that is not yet here
  reports(99);
  BOOST_TEST(is_alive(group.state, seen(), 12));
  BOOST_TEST(seen().nodes.contains(99));
  for (auto id : {12, 13})
    group.place(0, {11}), group.place(1, {11}), group.must(ask::remove{node_id(id), false});
  at.expect(group.state, now_ms);
  BOOST_TEST(seen().nodes.contains(12));
  BOOST_TEST(!seen().nodes.contains(13));
  at.link_down(12);
  at.link_down(99);
  BOOST_TEST(seen().nodes.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_node_that_died_before_the_observer_started_is_replaced) {
  group.add(14);
  group.place(1, {11, 13, 14});
  group.place(system_shard, {11, 12, 14});
  at.expect(group.state, now_ms);
  for (auto id : {12, 14})
    at.link_up(node_id(id), now_ms);
  auto x = control::report{};
  x.leads[0].lag = {{12, 0}, {13, 500'000}};
  x.leads[1].lag = {{13, 500'000}, {14, 0}};
  x.leads[system_shard].lag = {{12, 0}, {14, 0}};
  reports(11, x);
  passes(599, {11, 12, 14});
  BOOST_TEST(next_moves(group.state, seen()).empty());
  passes(2, {11, 12, 14});
  auto next = next_moves(group.state, seen());
  BOOST_REQUIRE(next.begin.size() == 1u);
  BOOST_TEST((next.begin[0].what.remove == std::vector<node_id>{13}));
}

BOOST_AUTO_TEST_CASE(whatever_happens_only_who_is_here_leads_and_no_term_goes_back) {
  auto random = std::mt19937{5};
  auto term = std::uint64_t{1};
  auto before = seen();
  auto led = 0, lost = 0;
  for (auto i = 0; i < 20'000; ++i) {
    auto who = node_id{11 + random() % 3};
    switch (random() % 8) {
    case 0:
      at.link_up(who, now_ms);
      break;
    case 1:
      at.link_down(who);
      break;
    case 2:
      now_ms += random() % 2'500;
      break;
    case 3:
      reports(who, leads(random() % 2, ++term));
      break;
    case 4:
      reports(who, leads(random() % 2, 1 + random() % term));
      break;
    default:
      reports(who);
    }
    auto now = seen();
    auto views = at.nodes(now_ms);
    for (auto& [shard, x] : now.shards) {
      BOOST_REQUIRE(x.term >= before.shards[shard].term);
      ++(x.leader != 0 ? led : lost);
      if (x.leader == 0)
        continue;
      auto& view = views.at(x.leader);
      BOOST_REQUIRE(view.is_linked);
      BOOST_REQUIRE(is_alive(group.state, now, x.leader));
      BOOST_REQUIRE(view.report->leads.at(shard).term == x.term);
    }
    for (auto& [id, x] : now.nodes) {
      BOOST_REQUIRE((x.steady_ms == 0 || is_alive(group.state, now, id)));
      BOOST_REQUIRE(x.contact_age_ms >= views.at(id).contact_age_ms);
    }
    before = std::move(now);
  }
  BOOST_TEST(led > 1'000);
  BOOST_TEST(lost > 1'000);
}

BOOST_AUTO_TEST_SUITE_END()
