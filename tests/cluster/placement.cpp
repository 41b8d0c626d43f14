// Plans on values, then a model of a cluster that carries them out while nodes come, go and fail, from one seed.
// TROUPE_PLACEMENT_SEEDS=1000 tries so many histories of each kind, TROUPE_PLACEMENT_SEED=7 begins with that.
#include "cluster/placement.hpp"

#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <random>
#include <set>

using namespace xmpp;
using namespace xmpp::cluster;
using xmpp::test::system_group;

namespace {

/// All is well: every node is heard, each shard led by its first voter, nobody behind.
observed fine(const state& in) {
  auto out = observed{};
  for (auto& [id, one] : in.members)
    if (one.is != standing::gone)
      out.nodes[id] = {};
  for (auto& [shard, placed] : in.shards) {
    auto& x = out.shards[shard];
    x.leader = placed.replicas.front();
    for (auto one : placed.replicas)
      x.lag[one] = 0;
  }
  return out;
}

void silent(observed& in, node_id x, std::uint64_t s) {
  in.nodes[x].contact_age_ms = s * 1'000;
}

/// Carries plans out until there is none; the number of replicas that were added.
std::size_t settle(
    system_group& x, const std::function<void(observed&)>& fault = [](auto&) {}) {
  auto added = std::size_t{0};
  for (auto turns = 0;; ++turns) {
    BOOST_REQUIRE(turns < 5'000);
    auto seen = fine(x.state);
    for (auto& [shard, one] : seen.shards) {
      auto& on = x.state.shards.at(shard).replicas;
      one.leader = *std::find_if(on.begin(), on.end(), [&](auto id) { return seen.nodes.contains(id); });
    }
    fault(seen);
    auto next = next_moves(x.state, seen);
    if (next.empty())
      return added;
    for (auto& one : next.begin) {
      BOOST_TEST(!one.why.empty());
      added += one.what.add.size();
      x.must(one.what);
      while (x.state.shards.at(one.what.shard).moving)
        x.steps(one.what.shard);
    }
    for (auto& one : next.leave)
      x.must(one);
    BOOST_REQUIRE(next.abort.empty());
  }
}

std::map<node_id, std::size_t> replicas(const state& in) {
  auto out = std::map<node_id, std::size_t>{};
  for (auto& [id, one] : in.members)
    if (one.is == standing::up)
      out[id] = in.replicas_of(id);
  return out;
}

std::size_t spread(const std::map<node_id, std::size_t>& of) {
  auto [least, most] = std::minmax_element(of.begin(), of.end(), [](auto& x, auto& y) { return x.second < y.second; });
  return most->second - least->second;
}

system_group of_nodes(unsigned nodes, std::uint64_t shards = 20, std::uint64_t replicas = 3) {
  auto x = system_group{shards, {{setting::replicas, replicas}}};
  for (auto i = 1u; i < nodes; ++i)
    x.add(11 + i);
  settle(x);
  return x;
}

} // namespace

BOOST_AUTO_TEST_SUITE(placement)

// -- the right number, in the right places --

BOOST_AUTO_TEST_CASE(replicas_grow_with_the_nodes_and_are_odd) {
  auto x = system_group{8, {{setting::replicas, 5}}};
  for (auto nodes = 1u; nodes <= 7; ++nodes) {
    if (nodes > 1)
      x.add(10 + nodes);
    settle(x);
    auto wanted = nodes < 3 ? 1u : nodes < 5 ? 3u : 5u;
    for (auto& [shard, placed] : x.state.shards)
      BOOST_TEST(placed.replicas.size() == wanted, nodes << " nodes");
    BOOST_TEST(spread(replicas(x.state)) <= 1u, nodes << " nodes");
  }
  x.must(ask::set_setting{setting::replicas, 3});
  settle(x);
  for (auto& [shard, placed] : x.state.shards)
    BOOST_TEST(placed.replicas.size() == 3u);
  BOOST_TEST(spread(replicas(x.state)) <= 1u);
}

BOOST_AUTO_TEST_CASE(one_becomes_three_in_one_move) {
  auto x = system_group{1};
  x.add(12);
  x.add(13);
  auto next = next_moves(x.state, fine(x.state));
  BOOST_REQUIRE(next.begin.size() == 1u);
  BOOST_TEST(next.begin[0].what.shard == system_shard); // first
  BOOST_TEST((next.begin[0].what.add == std::vector<node_id>{12, 13}));
  BOOST_TEST(next.begin[0].why == "3 replicas instead of 1");
  auto seen = fine(x.state);
  silent(seen, 13, 10); // two voters would be worse than one
  BOOST_TEST(next_moves(x.state, seen).empty());
}

BOOST_AUTO_TEST_CASE(as_many_moves_at_a_time_as_are_set) {
  auto x = of_nodes(3);
  x.add(14);
  BOOST_TEST(next_moves(x.state, fine(x.state)).begin.size() == 1u);
  x.must(ask::set_setting{setting::moves_max, 3});
  auto next = next_moves(x.state, fine(x.state));
  BOOST_TEST(next.begin.size() == 3u);
  BOOST_TEST(next.begin[0].why == "node 1 has 21 replicas, node 4 0");
  x.must(next.begin[0].what);
  BOOST_TEST(next_moves(x.state, fine(x.state)).begin.size() == 2u);
  x.must(next.begin[1].what);
  x.must(next.begin[2].what);
  BOOST_TEST(next_moves(x.state, fine(x.state)).empty());
  auto seen = fine(x.state);
  seen.shards[next.begin[0].what.shard].leader = 0; // it has to wait; others need not
  auto more = next_moves(x.state, seen);
  BOOST_REQUIRE(more.begin.size() == 1u);
  for (auto& one : next.begin)
    BOOST_TEST(one.what.shard != more.begin[0].what.shard);
}

BOOST_AUTO_TEST_CASE(waiting_moves_are_bounded_too) {
  auto x = of_nodes(3);
  x.add(14);
  auto begun = 0;
  for (;; ++begun) {
    auto seen = fine(x.state);
    for (auto& [shard, placed] : x.state.shards)
      if (placed.moving)
        seen.shards[shard].leader = 0;
    auto next = next_moves(x.state, seen);
    if (next.begin.empty())
      break;
    x.must(next.begin.front().what);
  }
  BOOST_TEST(begun == 4);
}

BOOST_AUTO_TEST_CASE(few_moves_when_a_node_comes) {
  for (auto nodes = 3u; nodes <= 8; ++nodes) {
    auto x = of_nodes(nodes, 64);
    x.add(100);
    // The fewest with which the new node has its share.
    BOOST_TEST(settle(x) == 65 * 3 / (nodes + 1), nodes << " nodes");
    BOOST_TEST(spread(replicas(x.state)) <= 1u);
  }
}

BOOST_AUTO_TEST_CASE(few_moves_when_a_node_goes) {
  for (auto nodes = 4u; nodes <= 8; ++nodes)
    for (auto how : {"leaves", "silent", "removed"}) {
      auto x = of_nodes(nodes, 64);
      auto had = x.state.replicas_of(12);
      if (how == std::string{"leaves"})
        x.must(ask::drain{12, true, false});
      if (how == std::string{"removed"})
        x.must(ask::remove{12, true});
      auto is_silent = how == std::string{"silent"};
      auto moved = settle(x, [&](auto& seen) {
        for (auto& [shard, one] : seen.shards)
          if (is_silent && one.leader == 12)
            one.leader = x.state.shards.at(shard).replicas.back();
        if (is_silent)
          silent(seen, 12, 601);
      });
      // Each of its replicas once. Where a shard has the choice of two nodes only, the last ones do not go where they
      // should, and some are moved again.
      BOOST_TEST(moved >= had);
      BOOST_TEST(moved <= had + (nodes == 5 ? 3 : 0), nodes << " nodes, " << how << ": " << moved << " of " << had);
      auto left = replicas(x.state);
      left.erase(12);
      BOOST_TEST(spread(left) <= 1u, nodes << " nodes, " << how);
      BOOST_TEST((is_silent || x.state.members.at(12).is == standing::gone));
      BOOST_TEST(x.state.replicas_of(12) == 0u);
    }
}

BOOST_AUTO_TEST_CASE(who_leaves_is_gone_when_it_has_nothing) {
  auto x = of_nodes(2, 1);
  x.add(13);
  x.must(ask::drain{13, true, false});
  auto next = next_moves(x.state, fine(x.state));
  BOOST_REQUIRE(next.leave.size() == 1u);
  BOOST_TEST(next.leave[0].who == 13u);
  BOOST_TEST(!next.leave[0].is_dead);
}

BOOST_AUTO_TEST_CASE(three_nodes_become_one_when_that_is_accepted) {
  auto x = of_nodes(3, 4);
  BOOST_TEST(x.refusal(ask::drain{13, true, false}) != "");
  x.must(ask::drain{13, true, true});
  settle(x);
  BOOST_TEST((x.state.members.at(13).is == standing::gone));
  for (auto& [shard, placed] : x.state.shards)
    BOOST_TEST(placed.replicas.size() == 1u);
  x.must(ask::drain{12, true, false});
  settle(x);
  BOOST_TEST((x.state.members.at(12).is == standing::gone));
  BOOST_TEST(x.state.replicas_of(11) == 5u);
}

BOOST_AUTO_TEST_CASE(the_place_of_a_lost_node_waits_for_another) {
  auto x = of_nodes(3, 4);
  x.must(ask::remove{13, true});
  BOOST_TEST(settle(x) == 0u);
  for (auto& [shard, placed] : x.state.shards)
    BOOST_TEST(placed.replicas.size() == 3u);
  x.add(14);
  BOOST_TEST(settle(x) == 5u);
  BOOST_TEST(x.state.replicas_of(13) == 0u);
  BOOST_TEST(x.refusal(ask::forget{13}) == "");
}

// -- when not --

BOOST_AUTO_TEST_CASE(a_short_silence_costs_a_node_nothing) {
  auto x = of_nodes(4);
  for (auto s : {1, 10, 100, 600}) {
    auto seen = fine(x.state);
    silent(seen, 12, std::uint64_t(s));
    BOOST_TEST(next_moves(x.state, seen).empty(), s);
  }
  auto seen = fine(x.state);
  silent(seen, 12, 601);
  auto next = next_moves(x.state, seen);
  BOOST_REQUIRE(next.begin.size() == 1u);
  BOOST_TEST(next.begin[0].why == "node 2 has been silent for 10 minutes");
  seen.nodes.erase(12); // a new observer, who has not heard anybody yet
  BOOST_TEST(next_moves(x.state, seen).empty());
}

BOOST_AUTO_TEST_CASE(a_shard_without_a_majority_is_left_alone) {
  auto x = of_nodes(5, 1);
  auto on = x.state.shards.at(0).replicas;
  auto touches = [](const plan& next) {
    return std::any_of(next.begin.begin(), next.begin.end(), [](auto& one) { return one.what.shard == 0; });
  };
  x.must(ask::set_setting{setting::moves_max, 16});
  auto seen = fine(x.state);
  silent(seen, on[1], 700);
  BOOST_TEST(touches(next_moves(x.state, seen)));
  silent(seen, on[2], 5);
  BOOST_TEST(!touches(next_moves(x.state, seen)));
  silent(seen, on[2], 0);
  seen.shards[0].lag[on[2]] = 100'000;
  BOOST_TEST(!touches(next_moves(x.state, seen)));
  seen.shards[0].lag[on[2]] = 10;
  BOOST_TEST(touches(next_moves(x.state, seen)));
  seen.shards[0].leader = 0;
  BOOST_TEST(!touches(next_moves(x.state, seen)));
}

BOOST_AUTO_TEST_CASE(who_is_not_well_gets_nothing) {
  auto x = of_nodes(3);
  x.add(14);
  auto quiet = [&](auto change) {
    auto seen = fine(x.state);
    change(seen.nodes[14]);
    return next_moves(x.state, seen).empty();
  };
  BOOST_TEST(!quiet([](auto&) {}));
  BOOST_TEST(quiet([](auto& one) { one.contact_age_ms = 3'001; }));
  BOOST_TEST(quiet([](auto& one) { one.steady_ms = 9'999; }));
  BOOST_TEST(quiet([](auto& one) { one.disk_ok = false; }));
  x.must(ask::drain{14, false, false});
  BOOST_TEST(quiet([](auto&) {}));
}

BOOST_AUTO_TEST_CASE(a_move_to_who_is_lost_is_taken_back) {
  auto x = of_nodes(3);
  x.add(14);
  auto first = next_moves(x.state, fine(x.state)).begin.at(0).what;
  x.must(first);
  auto seen = fine(x.state);
  silent(seen, 14, 30);
  BOOST_TEST(next_moves(x.state, seen).abort.empty());
  silent(seen, 14, 31);
  auto next = next_moves(x.state, seen);
  BOOST_REQUIRE(next.abort.size() == 1u);
  BOOST_TEST(next.abort[0].why == "node 4 has been silent for 31 seconds");
  silent(seen, 14, 0);
  seen.nodes[14].disk_ok = false;
  next = next_moves(x.state, seen);
  BOOST_REQUIRE(next.abort.size() == 1u);
  BOOST_TEST(next.abort[0].why == "node 4 has a failing disk");
  x.must(next.abort[0].what);
  BOOST_TEST(next_moves(x.state, seen).abort.empty());
  BOOST_TEST((*step_of(x.state, seen, first.shard)).who.at(0) == 14u); // to be removed again
}

// -- zones --

BOOST_AUTO_TEST_CASE(zones_are_kept_apart) {
  auto x = system_group{30};
  // Before the nodes had zones: the first three got everything.
  for (auto id : {12, 13})
    x.add(node_id(id));
  settle(x);
  auto label = [&](node_id id, const char* zone) { x.must(ask::member_up{system_group::announced(id, zone)}); };
  label(11, "a");
  label(12, "a");
  label(13, "b");
  BOOST_TEST(settle(x) == 0u); // there are only two
  x.add(14, "c");
  x.add(15, "c");
  x.add(16, "a");
  settle(x);
  for (auto& [shard, placed] : x.state.shards) {
    auto zones = std::set<std::string>{};
    for (auto one : placed.replicas)
      zones.insert(x.state.members.at(one).says.labels.at("zone"));
    BOOST_TEST(zones.size() == 3u);
  }
  auto has = replicas(x.state);
  BOOST_TEST(has[13] == 31u); // as it is alone in its zone
  BOOST_TEST(std::max(has[14], has[15]) - std::min(has[14], has[15]) <= 1u);
  BOOST_TEST(std::max({has[11], has[12], has[16]}) - std::min({has[11], has[12], has[16]}) <= 1u);
}

// -- steps --

BOOST_AUTO_TEST_CASE(what_a_moving_shard_waits_for) {
  auto x = of_nodes(4, 1);
  x.place(0, {11, 12, 13});
  BOOST_TEST((step_of(x.state, fine(x.state), 0).code() == errc::item_not_found));
  x.must(ask::begin_move{0, {14}, {11}});
  auto seen = fine(x.state);
  auto why = [&] {
    auto out = step_of(x.state, seen, 0);
    return out ? "" : out.error().text;
  };
  auto who = [&] { return step_of(x.state, seen, 0)->who; };
  using nodes = std::vector<node_id>;
  seen.shards[0].leader = 0;
  BOOST_TEST(why() == "it has no leader");
  seen.shards[0].leader = 11;
  silent(seen, 14, 4);
  BOOST_TEST(why() == "node 4 is not there");
  silent(seen, 14, 0);
  BOOST_TEST((who() == nodes{14}));
  x.steps(0);
  x.steps(0);
  BOOST_TEST((who() == nodes{14})); // The leader does not have it: what an earlier one added was not kept.
  seen.shards[0].lag[14] = 1'001;
  BOOST_TEST(why() == "node 4 has not caught up");
  seen.shards[0].lag[14] = 1'000;
  BOOST_TEST((who() == nodes{14}));
  silent(seen, 12, 4);
  BOOST_TEST((who() == nodes{14})); // 2 of 3, then 3 of 4
  silent(seen, 13, 4);
  BOOST_TEST(why() == "only 1 of 3 replicas is there");
  silent(seen, 13, 0);
  x.steps(0);
  seen.shards[0].lag[14] = 0;
  BOOST_TEST((who() == nodes{13})); // the leader is to go
  seen.shards[0].lag[13] = 2'000;
  BOOST_TEST(why() == "only 2 of 4 replicas are there");
  seen.shards[0].lag[13] = 0;
  seen.shards[0].leader = 13;
  BOOST_TEST(who().empty()); // done
  x.steps(0);
  seen.shards[0].leader = 11;
  BOOST_TEST(why() == "node 1 leads it"); // again
  seen.shards[0].leader = 13;
  BOOST_TEST((who() == nodes{11}));
}

BOOST_AUTO_TEST_CASE(the_dead_are_removed_first_and_the_living_only_when_enough_stay) {
  auto x = of_nodes(5, 1, 5);
  x.must(ask::begin_move{0, {}, {11, 12}});
  x.steps(0);
  auto seen = fine(x.state);
  seen.shards[0].leader = 13;
  BOOST_TEST((step_of(x.state, seen, 0)->who == std::vector<node_id>{11}));
  silent(seen, 12, 5);
  BOOST_TEST((step_of(x.state, seen, 0)->who == std::vector<node_id>{12}));
  silent(seen, 12, 0);
  silent(seen, 14, 5);
  silent(seen, 15, 5);
  BOOST_TEST(step_of(x.state, seen, 0).error().text == "without node 1 there would be no majority");
}

// -- leaders --

BOOST_AUTO_TEST_CASE(leaders_are_balanced_a_few_at_a_time) {
  auto x = of_nodes(3, 29);
  auto seen = fine(x.state); // all led by node 1
  auto rounds = 0;
  for (;; ++rounds) {
    auto moved = leader_transfers(x.state, seen);
    BOOST_TEST(moved.size() <= 4u);
    if (moved.empty())
      break;
    for (auto& one : moved) {
      BOOST_TEST(seen.shards[one.shard].leader == one.from);
      seen.shards[one.shard].leader = one.to;
    }
  }
  BOOST_TEST(rounds == 5); // 20 of 30
  auto leads = std::map<node_id, std::size_t>{{11, 0}, {12, 0}, {13, 0}};
  for (auto& [shard, one] : seen.shards)
    ++leads[one.leader];
  BOOST_TEST(spread(leads) == 0u);
}

BOOST_AUTO_TEST_CASE(transfers_under_way_count) {
  auto x = of_nodes(3, 29);
  auto seen = fine(x.state);
  auto moved = leader_transfers(x.state, seen);
  BOOST_REQUIRE(moved.size() == 4u);
  BOOST_TEST(moved[0].why == "node 1 leads 30, node 2 0");
  for (auto& one : moved)
    seen.shards[one.shard].transferring_to = one.to;
  BOOST_TEST(leader_transfers(x.state, seen).empty());
  seen.shards[moved[0].shard].transferring_to = 0;
  seen.shards[moved[0].shard].leader = moved[0].to;
  BOOST_TEST(leader_transfers(x.state, seen).size() == 1u);
}

BOOST_AUTO_TEST_CASE(nobody_leads_who_drains_or_whose_disk_fails) {
  auto x = of_nodes(3, 8);
  auto balanced = fine(x.state);
  for (auto moved = leader_transfers(x.state, balanced); !moved.empty(); moved = leader_transfers(x.state, balanced))
    for (auto& one : moved)
      balanced.shards[one.shard].leader = one.to;
  auto given_up = [&](observed seen) {
    auto why = std::set<std::string>{};
    for (auto moved = leader_transfers(x.state, seen); !moved.empty(); moved = leader_transfers(x.state, seen))
      for (auto& one : moved) {
        BOOST_TEST(one.from == 12u);
        why.insert(one.why);
        seen.shards[one.shard].leader = one.to;
      }
    for (auto& [shard, one] : seen.shards)
      BOOST_TEST(one.leader != 12u);
    BOOST_TEST(why.size() == 1u);
    return *why.begin();
  };
  auto seen = balanced;
  seen.nodes[12].disk_ok = false;
  BOOST_TEST(given_up(seen) == "node 2 has a failing disk");
  x.must(ask::drain{12, false, false});
  BOOST_TEST(given_up(balanced) == "node 2 drains");
}

BOOST_AUTO_TEST_CASE(nobody_leads_who_is_behind_silent_or_new) {
  auto x = of_nodes(3, 8);
  auto to_12 = [&](auto change) {
    auto seen = fine(x.state);
    change(seen);
    auto moved = leader_transfers(x.state, seen);
    return std::any_of(moved.begin(), moved.end(), [](auto& one) { return one.to == 12; });
  };
  BOOST_TEST(to_12([](auto&) {}));
  BOOST_TEST(!to_12([](auto& seen) { silent(seen, 12, 4); }));
  BOOST_TEST(!to_12([](auto& seen) { seen.nodes[12].steady_ms = 9'999; }));
  BOOST_TEST(!to_12([](auto& seen) {
    for (auto& [shard, one] : seen.shards)
      one.lag[12] = 1'001;
  }));
}

BOOST_AUTO_TEST_CASE(a_leader_that_is_to_be_removed_hands_over) {
  auto x = of_nodes(4, 1);
  x.place(0, {11, 12, 13});
  x.must(ask::begin_move{0, {14}, {11}});
  auto seen = fine(x.state);
  auto moves_0 = [&] {
    auto moved = leader_transfers(x.state, seen);
    return std::any_of(moved.begin(), moved.end(), [](auto& one) { return one.shard == 0 && one.to != 11; });
  };
  BOOST_TEST(!moves_0());
  for (auto left = 3; left > 0; --left)
    x.steps(0);
  seen.shards[0].lag[14] = 0;
  BOOST_TEST(moves_0());
}

// -- facts --

BOOST_AUTO_TEST_CASE(nobody_who_is_heard_is_taken_for_dead) {
  auto x = of_nodes(3, 1);
  auto seen = fine(x.state);
  auto join = ask::join{std::string(32, 'h'), system_group::announced(14), "", 0, 13};
  auto says = [&](auto what) {
    auto out = check_seen(x.state, seen, {1, what});
    return out ? std::string{} : out.error().text;
  };
  BOOST_TEST(says(join) == "node 3 is there: stop it first");
  BOOST_TEST(says(ask::remove{13, true}) == "node 3 is there: stop it first, or let it leave: cluster drain 3 --leave");
  BOOST_TEST(says(ask::remove{13, false}).empty()); // It has to be without replicas.
  seen.nodes[13].disk_ok = false;
  BOOST_TEST(says(join) == "node 3 is there: stop it first");
  silent(seen, 13, 4);
  BOOST_TEST(says(join).empty());
  BOOST_TEST(says(ask::remove{13, true}).empty());
  seen.nodes.erase(13);
  BOOST_TEST(says(join).empty());
}

BOOST_AUTO_TEST_CASE(who_comes_to_a_silent_members_address_is_asked_whether_it_is_that_one) {
  auto x = of_nodes(3, 1);
  auto seen = fine(x.state);
  auto join = ask::join{std::string(32, 'h'), system_group::announced(14), "", 0, 0};
  auto code = [&] { return check_seen(x.state, seen, {1, join}).code(); };
  BOOST_TEST((code() == errc::none));
  join.who.addresses = {"192.0.2.1:1", x.state.members.at(13).says.addresses.front()};
  BOOST_TEST((code() == errc::none)); // Both are there, whatever their addresses.
  silent(seen, 13, 4);
  BOOST_TEST((code() == errc::conflict));
  BOOST_TEST(check_seen(x.state, seen, {1, join}).error().text.find("join with --replaces 3;") != std::string::npos);
  join.replaces = 13;
  BOOST_TEST((code() == errc::none));
  join.replaces = 0;
  join.who.id = 13; // It asks again: the answer was lost.
  BOOST_TEST((code() == errc::none));
  join.who.id = 14;
  x.must(ask::remove{13, true});
  BOOST_TEST((code() == errc::none));
}

BOOST_AUTO_TEST_CASE(a_node_that_replaces_another_gets_its_replicas_without_a_wait) {
  auto x = of_nodes(3, 6);
  settle(x);
  x.invites(1);
  x.must(ask::join{system_group::hash_of(1), system_group::announced(14), "", 0, 13});
  x.must(ask::member_up{system_group::announced(14)});
  auto without = [](observed& seen) { seen.nodes.erase(13); };
  BOOST_TEST(settle(x, without) == 7u); // and the system group's
  BOOST_TEST(x.state.replicas_of(13) == 0u);
  BOOST_TEST(x.state.replicas_of(14) == 7u);
  BOOST_TEST(x.must(ask::forget{13}).changed);
}

BOOST_AUTO_TEST_CASE(health) {
  auto x = of_nodes(3, 1);
  auto seen = fine(x.state);
  auto says = [&] {
    auto out = health_of(x.state, seen, 0);
    return std::string{name_of(out.is)} + " " + std::to_string(out.live) + "/" + std::to_string(out.voters) + " " +
           out.why;
  };
  BOOST_TEST(says() == "good 3/3 ");
  seen.shards[0].lag[13] = 5'000;
  BOOST_TEST(says() == "at risk 2/3 node 3 is behind");
  seen.nodes[12].disk_ok = false;
  BOOST_TEST(says() == "unavailable 1/3 node 2 has a failing disk, node 3 is behind");
  seen = fine(x.state);
  silent(seen, 13, 4);
  BOOST_TEST(says() == "at risk 2/3 node 3 is not there");
  seen.shards[0].leader = 0;
  BOOST_TEST(says() == "unavailable 0/3 no leader");
  seen.shards[0].leader = 11;
  x.must(ask::remove{13, true});
  BOOST_TEST(says() == "at risk 2/3 node 3 is gone");
  auto one = system_group{1};
  BOOST_TEST((health_of(one.state, fine(one.state), 0).is == cluster::health::alone));
  one.add(12);
  one.add(13);
  BOOST_TEST((health_of(one.state, fine(one.state), 0).is == cluster::health::at_risk));
}

BOOST_AUTO_TEST_SUITE_END()
