#include "cluster/system_events.hpp"

#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::cluster;
using xmpp::test::system_group;

namespace {

using kind = system_event::kind;

struct watched_group {
  watched_group() {
    group.add(12);
    tell();
  }

  /// What happened since the last call, now.
  std::vector<system_event> tell() {
    auto out = aut.between(before, group.state, group.now_ms);
    before = group.state;
    return out;
  }

  system_group group{2};
  state before;
  system_events aut;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(events_of_the_system_group, watched_group)

BOOST_AUTO_TEST_CASE(of_the_first_state_there_is_nothing_to_tell) {
  BOOST_TEST(system_events{}.between({}, group.state, group.now_ms).empty());
  BOOST_TEST(tell().empty());
}

BOOST_AUTO_TEST_CASE(a_member_is_told_of_from_its_joining_to_its_end) {
  group.invites(13);
  BOOST_TEST(tell().empty());
  group.must(ask::join{system_group::hash_of(13), system_group::announced(13), "one", 1'000'000, 0});
  BOOST_TEST((tell() == std::vector<system_event>{{kind::member, "node 3", "joining", "", 0, "joined by a token"}}));
  group.now_ms += 3'000;
  group.must(ask::member_up{system_group::announced(13)});
  BOOST_TEST(
      (tell() == std::vector<system_event>{{kind::member, "node 3", "up", "joining", 3, "came for the first time"}}));
  group.now_ms += 60'000;
  group.must(ask::drain{13, true, true});
  BOOST_TEST((tell() == std::vector<system_event>{{kind::member, "node 3", "leaving", "up", 60, "asked to leave"}}));
  group.must(ask::remove{13, false});
  BOOST_TEST((tell() == std::vector<system_event>{{kind::member, "node 3", "gone", "leaving", 0, "left, as asked"}}));
  group.must(ask::forget{13});
  BOOST_TEST((tell() == std::vector<system_event>{
                            {kind::member, "node 3", "forgotten", "gone", 0, "no shard counts it any more"}}));
}

BOOST_AUTO_TEST_CASE(why_a_member_is_what_it_is_is_told) {
  auto whys = [this] {
    auto out = std::vector<std::string>{};
    for (auto& one : tell())
      if (one.of == kind::member)
        out.push_back(one.who + " is " + one.is + ": " + one.why);
    return out;
  };
  using texts = std::vector<std::string>;
  group.must(ask::drain{12, false, false});
  BOOST_TEST((whys() == texts{"node 2 is draining: asked to drain"}));
  group.must(ask::member_up{system_group::announced(12)});
  BOOST_TEST((whys() == texts{"node 2 is up: came back, or its drain was taken back"}));
  group.must(ask::drain{12, true, true});
  tell();
  group.must(ask::cancel_drain{12});
  BOOST_TEST((whys() == texts{"node 2 is up: its drain was taken back"}));
  for (auto id : {13, 14, 15})
    group.add(node_id(id));
  group.place(0, {11, 12, 13});
  group.place(1, {11, 12, 14});
  tell();
  group.must(ask::remove{13, true});
  BOOST_TEST((whys() == texts{"node 3 is gone: removed as dead"}));
  group.must(ask::remove{15, false});
  BOOST_TEST((whys() == texts{"node 5 is gone: removed, as asked"}));
  group.invites(16);
  group.must(ask::join{system_group::hash_of(16), system_group::announced(16), "one", 1'000'000, 14});
  BOOST_TEST((whys() ==
              texts{"node 4 is gone: replaced by node 6", "node 6 is joining: joined by a token, in place of node 4"}));
}

BOOST_AUTO_TEST_CASE(a_move_is_told_of_with_its_reason_as_far_as_it_is_known) {
  auto whys = [this] {
    auto out = std::vector<std::string>{};
    for (auto& one : tell())
      out.push_back(one.who + ": " + one.why);
    return out;
  };
  using texts = std::vector<std::string>;
  aut.explain(ask::begin_move{0, {12}, {11}}, "node 1 has 3 replicas, node 2 0");
  aut.explain(ask::begin_move{0, {12}, {11}}, "as asked");
  group.must(ask::begin_move{0, {12}, {11}});
  BOOST_TEST((whys() == texts{"shard 0: node 1 has 3 replicas, node 2 0"}));
  while (group.state.shards.at(0).moving)
    group.steps(0);
  BOOST_TEST((whys() == texts{"shard 0: node 1 has 3 replicas, node 2 0"}));
  group.must(ask::begin_move{0, {11}, {12}});
  BOOST_TEST((whys() == texts{"shard 0: known where the system group is led"}));
  auto undone = ask::abort_move{0, group.state.shards.at(0).moving->id};
  aut.explain(undone, "node 1 has been silent for 31 s");
  group.must(undone);
  BOOST_TEST(tell().empty());
  while (group.state.shards.at(0).moving)
    group.steps(0);
  BOOST_TEST((whys() == texts{"shard 0: node 1 has been silent for 31 s"}));
  group.must(ask::drain{12, true, true});
  group.must(ask::begin_move{0, {11}, {12}});
  BOOST_TEST(whys().back() == "shard 0: node 2 leaves");
}

BOOST_AUTO_TEST_CASE(a_move_is_told_of_at_both_ends_with_its_duration) {
  group.must(ask::begin_move{0, {12}, {11}});
  BOOST_TEST((tell() == std::vector<system_event>{{kind::move_begun, "shard 0", "adds node 2, removes node 1", "", 0,
                                                   "known where the system group is led"}}));
  for (auto first = true; group.state.shards.at(0).moving; first = false) {
    if (!first)
      BOOST_TEST(tell().empty());
    group.now_ms += 2'000;
    group.steps(0);
  }
  auto told = tell();
  BOOST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0].of == kind::move_ended));
  BOOST_TEST(told[0].is == "node 2");
  BOOST_TEST(told[0].was == "done");
  BOOST_TEST(told[0].seconds >= 8u);
}

BOOST_AUTO_TEST_CASE(a_setting_and_what_a_node_says_of_itself_are_told_of_when_they_change) {
  group.must(ask::set_setting{setting::moves_max, 3});
  BOOST_TEST((tell() == std::vector<system_event>{{kind::setting, "moves_max", "3", "1", 0}}));
  auto says = system_group::announced(12);
  says.version = "2.0";
  group.must(ask::member_up{says});
  BOOST_TEST((tell() == std::vector<system_event>{{kind::member_says, "node 2", "10.0.0.12:5999, version 2.0",
                                                   "10.0.0.12:5999, version 1.0", 0}}));
}

BOOST_AUTO_TEST_SUITE_END()
