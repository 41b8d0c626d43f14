#include "tests/cluster/system_state.hpp"

#include "cluster/identity.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace xmpp;
using namespace xmpp::cluster;
using xmpp::test::system_group;

namespace {

/// Five nodes; shard 0 on 1, 2, 3, shard 1 on 3, 4, 5, shard 2 on all, shard 3 and the system group on 1.
system_group five_nodes() {
  auto x = system_group{4, {{setting::replicas, 5}}};
  for (auto id : {12, 13, 14, 15})
    x.add(node_id(id));
  x.place(0, {11, 12, 13});
  x.place(1, {13, 14, 15});
  x.place(2, {11, 12, 13, 14, 15});
  return x;
}

/// One of each, with something in every field.
std::vector<command> examples() {
  auto who =
      announcement{~0ULL, {"[::1]:5999", "a.example:1"}, "c.example:5222", "1.2.3", {{"rack", ""}, {"zone", "a"}}};
  auto hash = std::string(32, '\xff');
  auto out = std::vector<command>{};
  auto add = [&](auto what) { out.push_back({1'700'000'000'000, std::move(what)}); };
  add(ask::init{std::string(16, '\0'),
                who,
                {{setting::shard_count, 3}, {setting::replicas, 5}},
                {"b.example", "a.example"},
                "ca",
                "key",
                "print",
                5});
  add(ask::invite{hash, 6});
  add(ask::revoke{hash});
  add(ask::join{hash, who, "print", -1, 7});
  add(ask::member_up{who});
  add(ask::drain{1, true, true});
  add(ask::cancel_drain{2});
  add(ask::remove{3, true});
  add(ask::forget{4});
  add(ask::set_setting{setting::moves_max, ~0ULL});
  add(ask::set_hosts{{"a.example"}});
  add(ask::begin_move{7, {1, 2}, {3}});
  add(ask::move_step_done{7, 300, step::remove, 4});
  add(ask::abort_move{0xfffe, 1});
  add(ask::note_certificate{5, "print", 8});
  BOOST_REQUIRE(out.size() == std::variant_size_v<decltype(command::what)>);
  return out;
}

/// With members of each standing, a move at each step, one undone, and tokens.
system_group rich() {
  auto x = system_group{8};
  for (auto id : {12, 13, 14, 15})
    x.add(node_id(id), id % 2 == 0 ? "a" : "b");
  x.place(0, {11, 12, 13});
  x.place(1, {11, 12, 13});
  for (auto shard = shard_id{2}; shard < 8; ++shard) {
    x.must(ask::begin_move{shard, {12, 13}, {11}});
    for (auto left = shard - 2; left > 0; --left)
      x.steps(shard);
  }
  x.must(ask::abort_move{4, x.state.shards.at(4).moving->id});
  x.must(ask::drain{14, false, false});
  x.must(ask::remove{15, false});
  x.invites(16);
  x.must(ask::join{system_group::hash_of(16), system_group::announced(16), "p", 1, 0});
  x.invites(17);
  return x;
}

} // namespace

BOOST_AUTO_TEST_SUITE(system_state)

// -- making it, joining it --

BOOST_AUTO_TEST_CASE(a_new_cluster_has_one_node_with_everything) {
  auto x = system_group{4, {{setting::replace_after_s, 60}}};
  BOOST_TEST(x.state.version == 1u);
  BOOST_TEST(x.state.shards.size() == 5u);
  for (auto& [shard, placed] : x.state.shards)
    BOOST_TEST((placed.replicas == std::vector<node_id>{11}));
  BOOST_TEST(x.state.value(setting::replace_after_s) == 60u);
  BOOST_TEST(x.state.value(setting::replicas) == 3u);
  BOOST_TEST((x.state.members.at(11).is == standing::up));
  BOOST_TEST(x.state.title(11) == "node 1");
  BOOST_TEST(x.state.find_number(1) == x.state.find(11));
}

BOOST_AUTO_TEST_CASE(it_is_made_once_and_nothing_goes_before) {
  auto none = state{};
  BOOST_TEST((apply(none, {1, ask::drain{11}}).code() == errc::unexpected_request));
  BOOST_TEST((none == state{}));
  auto x = system_group{};
  auto again = ask::init{std::string(16, 'j'), system_group::announced(12), {}, {}, "", "", "", 0};
  BOOST_TEST(x.refusal(again) == "conflict: the cluster is made already");
}

BOOST_AUTO_TEST_CASE(what_a_cluster_is_not_made_with) {
  auto good = ask::init{std::string(16, 'j'), system_group::announced(12), {}, {}, "", "", "", 0};
  auto refused = [](const ask::init& x) {
    auto none = state{};
    auto out = apply(none, {1, x});
    BOOST_TEST((none == state{}) == !out);
    return !out;
  };
  BOOST_TEST(!refused(good));
  auto x = good;
  x.id = "short";
  BOOST_TEST(refused(x));
  x = good, x.first.id = 0;
  BOOST_TEST(refused(x));
  x = good, x.settings = {{setting::shard_count, 0}};
  BOOST_TEST(refused(x));
  x = good, x.settings = {{setting::shard_count, shard_count_max + 1}};
  BOOST_TEST(refused(x));
  x = good, x.settings = {{setting::replicas, 4}};
  BOOST_TEST(refused(x));
  x = good, x.hosts = {"a b"};
  BOOST_TEST(refused(x));
  x = good, x.ca_key = std::string(ca_bytes_max + 1, 'k');
  BOOST_TEST(refused(x));
  x = good, x.certificate = std::string(certificate_bytes_max + 1, 'c');
  BOOST_TEST(refused(x));
}

BOOST_AUTO_TEST_CASE(what_a_node_may_not_say_of_itself) {
  auto x = system_group{};
  auto says = [&](auto change) {
    auto who = system_group::announced(11);
    change(who);
    return x.refusal(ask::member_up{who});
  };
  BOOST_TEST(says([](auto& who) { who.version = "2"; }) == "");
  BOOST_TEST(says([](auto& who) { who.addresses.clear(); }) == "bad-request: a node has 1 to 8 addresses for links");
  BOOST_TEST(says([](auto& who) { who.addresses.resize(9, "x"); }) != "");
  BOOST_TEST(says([](auto& who) { who.addresses = {""}; }) != "");
  BOOST_TEST(says([](auto& who) { who.addresses = {"a\n"}; }) != "");
  BOOST_TEST(says([](auto& who) { who.client_address = std::string(257, 'x'); }) != "");
  BOOST_TEST(says([](auto& who) { who.version = "\x1b[2J"; }) != "");
  BOOST_TEST(says([](auto& who) { who.labels = {{"", "x"}}; }) != "");
  BOOST_TEST(says([](auto& who) {
               for (auto i = 0; i < 17; ++i)
                 who.labels[std::to_string(i)] = "";
             }) != "");
}

BOOST_AUTO_TEST_CASE(a_token_lets_one_node_in) {
  auto x = system_group{};
  x.invites(1);
  auto ask = ask::join{system_group::hash_of(1), system_group::announced(12), "print", 9, 0};
  BOOST_TEST(x.must(ask).number == 2u);
  BOOST_TEST((x.state.members.at(12).is == standing::joining));
  BOOST_TEST(x.state.members.at(12).certificate == "print");
  auto again = x.must(ask); // the answer was lost
  BOOST_TEST(!again.changed);
  BOOST_TEST(again.number == 2u);
  ask.who.id = 13;
  BOOST_TEST(x.refusal(ask) == "not-authorized: the join token was used by node 2");
  x.must(ask::remove{12, false});
  ask.who.id = 12;
  BOOST_TEST(x.refusal(ask) == "not-authorized: the join token was used");
}

BOOST_AUTO_TEST_CASE(no_token_no_entry) {
  auto x = system_group{};
  auto ask = ask::join{system_group::hash_of(1), system_group::announced(12), "", 0, 0};
  BOOST_TEST(x.refusal(ask) == "not-authorized: no such join token");
  x.must(ask::invite{ask.hash, x.now_ms + 3});
  x.now_ms += 10;
  BOOST_TEST(x.refusal(ask) == "not-authorized: the join token has expired");
  ask.hash = system_group::hash_of(2);
  x.invites(2);
  x.must(ask::revoke{ask.hash});
  BOOST_TEST(x.refusal(ask) == "not-authorized: no such join token");
  BOOST_TEST(x.refusal(ask::revoke{ask.hash}) == "item-not-found: no such join token");
  ask.hash = ask.hash.substr(1);
  BOOST_TEST(x.refusal(ask) == "not-authorized: no such join token");
}

BOOST_AUTO_TEST_CASE(tokens_are_bounded_and_expired_ones_make_room) {
  auto x = system_group{};
  BOOST_TEST(x.refusal(ask::invite{"short", x.now_ms + 99}) == "bad-request: no hash of a join token");
  BOOST_TEST(x.refusal(ask::invite{system_group::hash_of(1), x.now_ms}) ==
             "not-acceptable: the join token would have expired");
  for (auto i = std::size_t{0}; i < tokens_max; ++i)
    x.invites(i);
  BOOST_TEST(x.refusal(ask::invite{system_group::hash_of(500), x.now_ms + 99}) ==
             "resource-constraint: 100 join tokens wait to be used");
  BOOST_TEST(x.refusal(ask::invite{system_group::hash_of(5), x.now_ms + 99}) ==
             "conflict: this join token is known already");
  BOOST_TEST(
      !x.must(ask::invite{system_group::hash_of(5), x.state.tokens.at(system_group::hash_of(5)).expires_ms}).changed);
  x.now_ms += 4'000'000;
  x.invites(500);
  BOOST_TEST(x.state.tokens.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_node_that_lost_its_data_takes_its_own_place) {
  auto x = five_nodes();
  x.invites(1);
  auto ask = ask::join{system_group::hash_of(1), system_group::announced(16), "", 0, 13};
  BOOST_TEST(x.must(ask).number == 6u);
  BOOST_TEST((x.state.members.at(13).is == standing::gone));
  x.invites(2);
  ask = {system_group::hash_of(2), system_group::announced(17), "", 0, 13};
  BOOST_TEST(x.refusal(ask) == "gone: node 3 was removed");
  ask.replaces = 99;
  BOOST_TEST(x.refusal(ask) == "item-not-found: node id 99 is no member");
  ask.replaces = 14;
  BOOST_TEST(x.refusal(ask) == "not-allowed: would leave shard 1 with 1 of 3 replicas");
  BOOST_TEST(!x.state.members.contains(17));
  ask.replaces = 0;
  ask.who.id = 13;
  BOOST_TEST(x.refusal(ask) == "gone: node 3 was removed; it may join again when it is forgotten");
  ask.who.id = 14;
  BOOST_TEST(x.refusal(ask) == "conflict: node 4 is a member already");
}

BOOST_AUTO_TEST_CASE(a_number_is_never_given_again) {
  auto x = system_group{};
  x.add(12);
  x.must(ask::remove{12, false});
  x.must(ask::forget{12});
  x.state.tokens.clear();
  x.twin = x.state;
  x.add(12);
  BOOST_TEST(x.state.members.at(12).number == 3);
  x.state.next_number = 0xffff;
  x.twin = x.state;
  x.invites(1);
  BOOST_TEST(x.refusal(ask::join{system_group::hash_of(1), system_group::announced(13), "", 0, 0}) ==
             "resource-constraint: too many members");
}

// -- standing --

BOOST_AUTO_TEST_CASE(standings) {
  // From which standing a command leads to which; nothing: refused.
  enum class asked { up, drain, leave, cancel, remove, forget };
  using s = standing;
  struct row {
    s from;
    bool leaves;
    asked what;
    std::optional<s> to;
    bool leaves_then;
  };
  auto rows = std::vector<row>{
      {s::joining, false, asked::up, s::up, false},
      {s::joining, false, asked::drain, {}, false},
      {s::joining, false, asked::leave, {}, false},
      {s::joining, false, asked::cancel, {}, false},
      {s::joining, false, asked::remove, s::gone, false},
      {s::joining, false, asked::forget, {}, false},
      {s::up, false, asked::up, s::up, false},
      {s::up, false, asked::drain, s::draining, false},
      {s::up, false, asked::leave, s::draining, true},
      {s::up, false, asked::cancel, s::up, false},
      {s::up, false, asked::remove, s::gone, false},
      {s::up, false, asked::forget, {}, false},
      {s::draining, false, asked::up, s::up, false},
      {s::draining, false, asked::drain, s::draining, false},
      {s::draining, false, asked::leave, s::draining, true},
      {s::draining, false, asked::cancel, s::up, false},
      {s::draining, false, asked::remove, s::gone, false},
      {s::draining, false, asked::forget, {}, false},
      {s::draining, true, asked::up, s::draining, true}, // a restart does not keep it from leaving
      {s::draining, true, asked::drain, s::draining, true},
      {s::draining, true, asked::leave, s::draining, true},
      {s::draining, true, asked::cancel, s::up, false},
      {s::draining, true, asked::remove, s::gone, false},
      {s::draining, true, asked::forget, {}, false},
      {s::gone, false, asked::up, {}, false},
      {s::gone, false, asked::drain, {}, false},
      {s::gone, false, asked::leave, {}, false},
      {s::gone, false, asked::cancel, {}, false},
      {s::gone, false, asked::remove, s::gone, false},
  };
  for (auto& row : rows) {
    auto x = system_group{1};
    x.add(12);
    x.state.members.at(12).is = row.from;
    x.state.members.at(12).leaves = row.leaves;
    x.state.members.at(12).since_ms = 5;
    x.twin = x.state;
    auto out = row.what == asked::up       ? x.asks(ask::member_up{system_group::announced(12)})
               : row.what == asked::drain  ? x.asks(ask::drain{12, false, false})
               : row.what == asked::leave  ? x.asks(ask::drain{12, true, false})
               : row.what == asked::cancel ? x.asks(ask::cancel_drain{12})
               : row.what == asked::remove ? x.asks(ask::remove{12, false})
                                           : x.asks(ask::forget{12});
    auto where = std::string{name_of(row.from)} + (row.leaves ? ", leaves, " : ", ") + std::to_string(int(row.what));
    BOOST_TEST(out.has_value() == row.to.has_value(), where);
    auto& now = x.state.members.at(12);
    BOOST_TEST((now.is == row.to.value_or(row.from)), where);
    BOOST_TEST(now.leaves == (row.to ? row.leaves_then : row.leaves), where);
    BOOST_TEST((now.since_ms == 5) == (now.is == row.from), where);
  }
  auto x = system_group{1};
  BOOST_TEST(x.refusal(ask::member_up{system_group::announced(99)}) == "item-not-found: node id 99 is no member");
  BOOST_TEST(x.refusal(ask::drain{99, true, true}) == "item-not-found: node id 99 is no member");
  BOOST_TEST(x.refusal(ask::cancel_drain{99}) == "item-not-found: node id 99 is no member");
  BOOST_TEST(x.refusal(ask::remove{99, true}) == "item-not-found: node id 99 is no member");
  BOOST_TEST(x.refusal(ask::forget{99}) == "");
}

BOOST_AUTO_TEST_CASE(who_leaves_must_leave_enough_behind) {
  auto x = system_group{4};
  BOOST_TEST(x.refusal(ask::drain{11, true, true}) == "not-allowed: node 1 is the last node");
  BOOST_TEST(x.refusal(ask::drain{11, false, false}) == ""); // it will be back
  x.must(ask::cancel_drain{11});
  x.add(12);
  x.add(13);
  x.place(2, {11, 12, 13});
  BOOST_TEST(x.refusal(ask::drain{13, true, false}) == "not-allowed: would leave shard 2 with 1 of 3 replicas");
  x.add(14);
  BOOST_TEST(x.refusal(ask::drain{13, true, false}) == "");
  BOOST_TEST(x.refusal(ask::drain{12, true, false}) == "not-allowed: would leave shard 2 with 1 of 3 replicas");
  BOOST_TEST(x.refusal(ask::drain{12, true, true}) == "");
}

BOOST_AUTO_TEST_CASE(a_node_with_replicas_is_removed_only_when_dead_and_not_missed) {
  auto x = five_nodes();
  BOOST_TEST(x.refusal(ask::remove{13, false}) == "not-allowed: node 3 has 3 replicas: drain it first");
  BOOST_TEST(x.refusal(ask::remove{13, true}) == "");
  BOOST_TEST(x.refusal(ask::remove{12, true}) == "not-allowed: would leave shard 0 with 1 of 3 replicas");
  BOOST_TEST(x.refusal(ask::remove{11, true}) == "not-allowed: would leave shard 0 with 1 of 3 replicas");
  x.place(0, {11, 12, 14}); // somebody else took the place
  BOOST_TEST(x.refusal(ask::forget{13}) ==
             "not-allowed: 2 shards still count node 3: another node must take its place first");
  x.place(1, {11, 14, 15});
  x.place(2, {11, 14, 15});
  BOOST_TEST(x.refusal(ask::forget{12}) == "not-allowed: node 2 is up: remove it first");
  x.must(ask::forget{13});
  BOOST_TEST(!x.state.members.contains(13));
  BOOST_TEST(x.refusal(ask::remove{11, true}) == "not-allowed: would leave shard 3 with 0 of 1 replica");
}

// -- settings, hosts, certificates --

BOOST_AUTO_TEST_CASE(settings_have_ranges) {
  auto x = system_group{};
  for (auto& rule : setting_rules) {
    BOOST_TEST((setting_by_name(rule.name) == rule.which));
    BOOST_TEST(name_of(rule.which) == rule.name);
    BOOST_TEST(x.refusal(ask::set_setting{rule.which, rule.min - 1}).starts_with("not-acceptable: "), rule.name);
    BOOST_TEST(x.refusal(ask::set_setting{rule.which, rule.max + 1}).starts_with("not-acceptable: "), rule.name);
    if (rule.which == setting::shard_count)
      continue;
    BOOST_TEST(x.refusal(ask::set_setting{rule.which, rule.min}) == "");
    BOOST_TEST(x.refusal(ask::set_setting{rule.which, rule.max}) == "");
    BOOST_TEST(x.state.value(rule.which) == rule.max);
    BOOST_TEST(!x.must(ask::set_setting{rule.which, rule.max}).changed);
  }
  BOOST_TEST(x.refusal(ask::set_setting{setting::replicas, 4}) == "not-acceptable: replicas is 3 or 5");
  BOOST_TEST(x.refusal(ask::set_setting{setting::shard_count, 5}) ==
             "not-allowed: shard_count is fixed when a cluster is made");
  BOOST_TEST(!setting_by_name("shards").has_value());
}

BOOST_AUTO_TEST_CASE(hosts_are_replaced_as_a_whole) {
  auto x = system_group{};
  x.must(ask::set_hosts{{"b.example", "a.example", "b.example"}});
  BOOST_TEST((x.state.hosts == std::set<std::string>{"a.example", "b.example"}));
  BOOST_TEST(!x.must(ask::set_hosts{{"a.example", "b.example"}}).changed);
  BOOST_TEST(x.refusal(ask::set_hosts{{}}) == "bad-request: there would be no host");
  for (auto bad : {"", "a@b", "a/b", "a b", "a\nb"})
    BOOST_TEST(x.refusal(ask::set_hosts{{"a.example", bad}}).starts_with("bad-request: "));
  BOOST_TEST(x.refusal(ask::set_hosts{std::vector<std::string>(hosts_max, "a")}) == "");
}

BOOST_AUTO_TEST_CASE(a_certificate_is_only_renewed) {
  auto x = system_group{};
  x.must(ask::note_certificate{11, "two", 2'000'000});
  BOOST_TEST(x.state.members.at(11).certificate == "two");
  BOOST_TEST(!x.must(ask::note_certificate{11, "two", 2'000'000}).changed);
  BOOST_TEST(x.refusal(ask::note_certificate{11, "one", 1'000'000}) ==
             "not-acceptable: node 1 has a certificate that is good for longer");
  BOOST_TEST(x.refusal(ask::note_certificate{12, "one", 1}) == "item-not-found: node id 12 is no member");
  BOOST_TEST(x.refusal(ask::note_certificate{11, std::string(65, 'x'), 3'000'000}) ==
             "bad-request: no fingerprint of a certificate");
}

// -- moves --

BOOST_AUTO_TEST_CASE(a_move_goes_step_by_step) {
  auto x = five_nodes();
  auto id = x.must(ask::begin_move{0, {14, 15}, {11}}).number;
  auto& placed = x.state.shards.at(0);
  BOOST_TEST((placed.wanted() == std::vector<node_id>{12, 13, 14, 15}));
  auto done = [&](step at, node_id who = 0) { return x.refusal(ask::move_step_done{0, id, at, who}); };
  BOOST_TEST(done(step::catch_up) == "unexpected-request: shard 0 is at add spare, not at catch up");
  BOOST_TEST(done(step::add_spare) == "");
  BOOST_TEST(done(step::add_spare) == "unexpected-request: shard 0 is at catch up, not at add spare");
  BOOST_TEST(done(step::catch_up, 14) != "");
  BOOST_TEST(done(step::catch_up) == "");
  BOOST_TEST((placed.replicas == std::vector<node_id>{11, 12, 13}));
  BOOST_TEST(done(step::promote) != "");
  BOOST_TEST(done(step::promote, 15) == "");
  BOOST_TEST((placed.replicas == std::vector<node_id>{11, 12, 13, 15}));
  BOOST_TEST(done(step::promote, 15) == "unexpected-request: shard 0: node 5 is not to be promoted");
  BOOST_TEST(done(step::promote, 14) == "");
  BOOST_TEST((placed.moving->at == step::transfer_leader));
  BOOST_TEST(x.refusal(ask::move_step_done{0, id + 1, step::transfer_leader, 0}) ==
             "unexpected-request: shard 0 has no such move");
  BOOST_TEST(done(step::transfer_leader) == "");
  BOOST_TEST(done(step::remove, 12) == "unexpected-request: shard 0: node 2 is not to be removed");
  BOOST_TEST(done(step::remove, 11) == "");
  BOOST_TEST(!placed.moving.has_value());
  BOOST_TEST((placed.replicas == std::vector<node_id>{12, 13, 14, 15}));
  BOOST_TEST(done(step::remove, 11) == "unexpected-request: shard 0 has no such move");
}

BOOST_AUTO_TEST_CASE(a_move_that_only_adds_or_only_removes_has_fewer_steps) {
  auto x = five_nodes();
  x.must(ask::begin_move{3, {12, 13}, {}});
  for (auto left = 4; left > 0; --left)
    x.steps(3);
  BOOST_TEST(!x.state.shards.at(3).moving.has_value());
  BOOST_TEST((x.state.shards.at(3).replicas == std::vector<node_id>{11, 12, 13}));
  x.must(ask::begin_move{2, {}, {11, 12}});
  BOOST_TEST((x.state.shards.at(2).moving->at == step::transfer_leader));
  for (auto left = 3; left > 0; --left)
    x.steps(2);
  BOOST_TEST((x.state.shards.at(2).replicas == std::vector<node_id>{13, 14, 15}));
}

BOOST_AUTO_TEST_CASE(moves_that_are_refused) {
  auto x = five_nodes();
  x.invites(16);
  x.must(ask::join{system_group::hash_of(16), system_group::announced(16), "", 0, 0});
  BOOST_TEST(x.refusal(ask::begin_move{9, {12}, {}}) == "item-not-found: there is no shard 9");
  BOOST_TEST(x.refusal(ask::begin_move{0, {}, {}}) == "bad-request: nothing to move");
  BOOST_TEST(x.refusal(ask::begin_move{0, {14, 14}, {}}) == "bad-request: no list of nodes");
  BOOST_TEST(x.refusal(ask::begin_move{0, {}, {11, 11}}) == "bad-request: no list of nodes");
  BOOST_TEST(x.refusal(ask::begin_move{0, {12}, {}}) == "conflict: node 2 has a replica of shard 0 already");
  BOOST_TEST(x.refusal(ask::begin_move{0, {99}, {}}) == "item-not-found: node id 99 is no member");
  BOOST_TEST(x.refusal(ask::begin_move{0, {16}, {}}) == "not-allowed: node 6 is joining");
  BOOST_TEST(x.refusal(ask::begin_move{0, {}, {14}}) == "item-not-found: node 4 has no replica of shard 0");
  BOOST_TEST(x.refusal(ask::begin_move{0, {}, {11, 12, 13}}) ==
             "not-allowed: would leave shard 0 with 0 of 0 replicas");
  x.must(ask::member_up{system_group::announced(16)});
  BOOST_TEST(x.refusal(ask::begin_move{2, {16}, {}}) == "not-allowed: shard 2 would have 6 replicas");
  x.must(ask::begin_move{0, {14}, {}});
  BOOST_TEST(x.refusal(ask::begin_move{0, {15}, {}}) == "conflict: shard 0 is moving already");
  x.must(ask::drain{15, false, false});
  BOOST_TEST(x.refusal(ask::begin_move{system_shard, {15}, {}}) == "not-allowed: node 5 is draining");
  x.must(ask::remove{13, true});
  BOOST_TEST(x.refusal(ask::begin_move{1, {13}, {}}) == "gone: node 3 was removed");
  BOOST_TEST(x.refusal(ask::begin_move{1, {}, {14}}) == "not-allowed: would leave shard 1 with 1 of 2 replicas");
  BOOST_TEST(x.refusal(ask::move_step_done{9, 1, step::remove, 1}) == "item-not-found: there is no shard 9");
  BOOST_TEST(x.refusal(ask::abort_move{9, 1}) == "item-not-found: there is no shard 9");
  BOOST_TEST(x.refusal(ask::abort_move{1, 1}) == "unexpected-request: shard 1 has no such move");
}

BOOST_AUTO_TEST_CASE(shards_that_move_are_bounded) {
  auto x = system_group{100};
  x.add(12);
  for (auto shard = shard_id{0}; shard < moves_under_way_max; ++shard)
    x.must(ask::begin_move{shard, {12}, {11}});
  BOOST_TEST(x.refusal(ask::begin_move{99, {12}, {11}}) == "resource-constraint: 64 shards are moving");
}

BOOST_AUTO_TEST_CASE(an_aborted_move_takes_back_what_is_no_voter_yet) {
  for (auto steps = 0; steps < 6; ++steps) {
    auto x = five_nodes();
    auto id = x.must(ask::begin_move{0, {14, 15}, {11}}).number;
    auto& placed = x.state.shards.at(0);
    for (auto left = steps; left > 0; --left)
      x.steps(0);
    auto at = placed.moving->at;
    auto why = x.refusal(ask::abort_move{0, id});
    if (at == step::remove) {
      BOOST_TEST(why == "not-allowed: shard 0: the last step can not be taken back");
      continue;
    }
    BOOST_TEST(why == "");
    if (at == step::transfer_leader) {
      BOOST_TEST(!placed.moving.has_value());
      BOOST_TEST(placed.replicas.size() == 5u);
      continue;
    }
    BOOST_TEST(placed.moving->is_undo);
    BOOST_TEST((placed.moving->at == (at == step::promote ? step::transfer_leader : step::remove)));
    BOOST_TEST((placed.wanted() == placed.replicas));
    BOOST_TEST(!x.must(ask::abort_move{0, id}).changed);
    while (placed.moving)
      x.steps(0);
    auto left = steps == 3 ? std::vector<node_id>{11, 12, 13, 14} : std::vector<node_id>{11, 12, 13};
    BOOST_TEST((placed.replicas == left));
  }
}

BOOST_AUTO_TEST_CASE(nothing_new_moves_to_who_goes) {
  auto x = five_nodes();
  x.add(16);
  x.must(ask::begin_move{0, {14}, {}});
  x.must(ask::begin_move{3, {12, 14}, {}});
  x.must(ask::begin_move{1, {16}, {}});
  x.must(ask::drain{14, true, false});
  BOOST_TEST(x.state.shards.at(0).moving->is_undo);
  BOOST_TEST((x.state.shards.at(3).moving->remove == std::vector<node_id>{12, 14}));
  BOOST_TEST(!x.state.shards.at(1).moving->is_undo);
  x.must(ask::remove{16, true});
  BOOST_TEST(x.state.shards.at(1).moving->is_undo);
  BOOST_TEST(x.state.replicas_of(14) == 4u);
  BOOST_TEST(x.state.replicas_of(16) == 1u);
}

// -- bytes --

BOOST_AUTO_TEST_CASE(every_command_comes_back_as_it_was) {
  for (auto& x : examples()) {
    auto bytes = x.encode();
    auto back = command::decode(bytes);
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST(back->what.index() == x.what.index());
    BOOST_TEST(back->at_ms == x.at_ms);
    BOOST_TEST(back->encode() == bytes);
    for (auto n = std::size_t{0}; n < bytes.size(); ++n)
      BOOST_TEST(!command::decode(std::string_view{bytes}.substr(0, n)));
    BOOST_TEST(!command::decode(bytes + '\0'));
  }
}

// The bytes of version 1: whoever changes them needs a version 2.
BOOST_AUTO_TEST_CASE(version_1_of_a_command_is_written_down) {
  auto bytes = [](auto what) { return command{1, what}.encode(); };
  auto head = [](char kind) { return std::string("\1") + kind + std::string("\0\0\0\0\0\0\0\1", 8); };
  BOOST_TEST(bytes(ask::drain{300, true, false}) == head(6) + std::string("\xac\x02\1\0", 4));
  BOOST_TEST(bytes(ask::begin_move{7, {1, 2}, {3}}) == head(12) + "\7\2\1\2\1\3");
  BOOST_TEST(bytes(ask::member_up{{5, {"a:1"}, "c", "1", {{"zone", "z"}}}}) ==
             head(5) + "\5\1\3a:1\1c\1" + "1\1\4zone\1z");
}

BOOST_AUTO_TEST_CASE(the_whole_state_comes_back_as_it_was) {
  for (auto& x : {state{}, system_group{}.state, five_nodes().state, rich().state}) {
    auto bytes = x.encode();
    auto back = state::decode(bytes);
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((*back == x));
    for (auto n = std::size_t{0}; n < bytes.size(); ++n)
      BOOST_REQUIRE(!state::decode(std::string_view{bytes}.substr(0, n)));
    BOOST_TEST(!state::decode(bytes + '\0'));
  }
}

BOOST_AUTO_TEST_CASE(a_state_that_does_not_hold_together_is_none) {
  auto spoilt = [](auto change) {
    auto x = rich().state;
    change(x);
    return !state::decode(x.encode());
  };
  BOOST_TEST(!spoilt([](auto&) {}));
  BOOST_TEST(spoilt([](auto& x) { x.id.clear(); }));
  BOOST_TEST(spoilt([](auto& x) { x.version = 0; }));
  BOOST_TEST(spoilt([](auto& x) { x.shards.erase(3); }));
  BOOST_TEST(spoilt([](auto& x) { x.shards.erase(system_shard); }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[8] = x.shards[0]; }));
  BOOST_TEST(spoilt([](auto& x) { x.settings[setting::replicas] = 4; }));
  BOOST_TEST(spoilt([](auto& x) { x.members.erase(12); }));
  BOOST_TEST(spoilt([](auto& x) { x.members[12].number = x.members[13].number; }));
  BOOST_TEST(spoilt([](auto& x) { x.members[12].number = x.next_number; }));
  BOOST_TEST(spoilt([](auto& x) { x.members[12].leaves = true; }));
  BOOST_TEST(spoilt([](auto& x) { x.members[12].says.id = 13; }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[0].replicas = {12, 11}; }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[0].replicas = {11, 11}; }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[0].replicas = {}; }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[2].moving->id = x.next_move; }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[2].moving->add = {11}; }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[2].moving->add.clear(); }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[2].moving->at = step::remove; }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[2].moving->remove = {12}; }));
  BOOST_TEST(spoilt([](auto& x) { x.shards[4].moving->is_undo = false; }));
}

// Nodes are upgraded one after the other, and any of them may lead meanwhile.
BOOST_AUTO_TEST_CASE(what_a_later_release_has_added_to_the_state_is_kept) {
  auto x = rich();
  x.state.settings[setting(40)] = 7;
  x.state.extras = {{3, "three"}, {301, std::string(2'000, 'x')}};
  auto back = state::decode(x.state.encode());
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST((*back == x.state));
  BOOST_TEST(apply(*back, {1, ask::set_setting{setting::moves_max, 5}}).has_value());
  auto again = state::decode(back->encode());
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->settings.at(setting(40)) == 7u);
  BOOST_TEST((again->extras == x.state.extras));
}

BOOST_AUTO_TEST_CASE(a_setting_that_an_older_release_did_not_know_has_its_initial_value) {
  auto x = rich().state;
  x.settings.erase(setting::certificate_valid_s);
  auto back = state::decode(x.encode());
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(back->value(setting::certificate_valid_s) == 2'592'000u);
  BOOST_TEST(apply(*back, {1, ask::set_setting{setting::certificate_valid_s, 3'600}}).has_value());
  BOOST_TEST(back->value(setting::certificate_valid_s) == 3'600u);
}

BOOST_AUTO_TEST_CASE(a_state_that_only_a_later_release_understands_is_told_from_a_spoilt_one) {
  auto bytes = rich().state.encode();
  BOOST_TEST((state::decode(bytes + "\4\1x").code() == errc::unsupported_feature));
  BOOST_TEST((state::decode("\2" + bytes.substr(1)).code() == errc::unsupported_feature));
  BOOST_TEST((state::decode(bytes + "\3\1x").code() == errc::none));
  BOOST_TEST((state::decode(bytes + "\3\2x").code() == errc::corrupt_record));
  BOOST_TEST((state::decode(bytes + "\5\1x\3\1x").code() == errc::corrupt_record)); // one spelling
  BOOST_TEST((state::decode(bytes + "\3\1x\3\1x").code() == errc::corrupt_record));
  BOOST_TEST((state::decode(bytes + std::string(2, '\0')).code() == errc::corrupt_record));
  BOOST_TEST((state::decode("").code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(a_member_is_called_by_its_number_or_the_beginning_of_its_id) {
  auto x = rich().state;
  for (auto& [id, one] : x.members) {
    BOOST_TEST((x.named(std::to_string(one.number)) == id));
    BOOST_TEST((x.named(id_text(id)) == id));
  }
  BOOST_TEST(!x.named("0000")); // of several
  for (auto none : {"", "0", "00", "999999999999999999999", "node 2", "g000", "-1"})
    BOOST_TEST(!x.named(none), none);
}

BOOST_AUTO_TEST_CASE(changed_bytes_are_refused_or_mean_what_they_say) {
  auto random = std::mt19937_64{7};
  auto commands = examples();
  auto start = rich().state;
  auto refused = 0, taken = 0;
  for (auto i = 0; i < 60'000; ++i) {
    auto bytes = test::mutated(commands[random() % commands.size()].encode(), random);
    auto got = command::decode(bytes);
    ++(got ? taken : refused);
    if (!got)
      continue;
    BOOST_REQUIRE(got->encode() == bytes);
    auto to = start;
    auto out = apply(to, *got);
    BOOST_REQUIRE((out ? !!state::decode(to.encode()) : to == start));
  }
  BOOST_TEST(refused > 5'000);
  BOOST_TEST(taken > 5'000);
}

BOOST_AUTO_TEST_CASE(changed_bytes_of_a_state_are_refused_or_mean_what_they_say) {
  auto random = std::mt19937_64{8};
  auto whole = rich().state.encode();
  auto commands = examples();
  auto refused = 0, taken = 0;
  for (auto i = 0; i < 20'000; ++i) {
    auto bytes = test::mutated(whole, random);
    auto got = state::decode(bytes);
    ++(got ? taken : refused);
    if (!got)
      continue;
    BOOST_REQUIRE(got->encode() == bytes);
    for (auto& one : commands) {
      auto to = *got;
      (void)apply(to, one).has_value();
    }
  }
  BOOST_TEST(refused > 2'000);
  BOOST_TEST(taken > 2'000);
}

// -- any history --

BOOST_AUTO_TEST_CASE(the_same_commands_lead_to_the_same_bytes) {
  for (auto seed = 1u; seed <= 20; ++seed) {
    auto random = std::mt19937_64{seed};
    auto x = system_group{6};
    auto node = [&] { return node_id(11 + random() % 9); };
    auto carried_out = 0, token = 0;
    for (auto i = 0; i < 300; ++i) {
      auto shard = random() % 8 == 0 ? system_shard : shard_id(random() % 7);
      auto at = x.state.shards.find(shard);
      auto moving = at != x.state.shards.end() && at->second.moving;
      auto out = result<applied>{errc::none};
      switch (random() % 12) {
      case 0:
        out = x.asks(ask::invite{system_group::hash_of(std::uint64_t(++token)), x.now_ms + 50});
        break;
      case 1:
        out = x.asks(ask::join{system_group::hash_of(std::uint64_t(token)), system_group::announced(node()), "p", 1,
                               random() % 4 == 0 ? node() : 0});
        break;
      case 2:
        out = x.asks(ask::member_up{system_group::announced(node())});
        break;
      case 3:
        out = x.asks(ask::drain{node(), random() % 2 == 0, random() % 2 == 0});
        break;
      case 4:
        out = random() % 3 == 0 ? x.asks(ask::remove{node(), random() % 2 == 0}) : x.asks(ask::cancel_drain{node()});
        break;
      case 5:
        out = x.asks(ask::forget{node()});
        break;
      case 6:
        out = x.asks(ask::set_setting{setting(1 + random() % setting_rules.size()), random() % 10});
        break;
      case 7:
      case 8:
        if (!moving)
          out = x.asks(ask::begin_move{shard, {node()}, {}});
        if (!moving && !out)
          out = x.asks(ask::begin_move{shard, {node()}, {node()}});
        break;
      case 9:
        if (moving)
          out = x.asks(ask::abort_move{shard, at->second.moving->id});
        break;
      default:
        if (moving)
          x.steps(shard);
      }
      carried_out += out && out->changed ? 1 : 0;
      BOOST_REQUIRE(state::decode(x.state.encode()).has_value());
    }
    BOOST_TEST(carried_out > 40);
  }
}

BOOST_AUTO_TEST_SUITE_END()
