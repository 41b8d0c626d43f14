// What a coordinator makes of what others say and of what is agreed on: nodes, members and the store are simulated.
#include "actors/coordinator.hpp"

#include "actors/fake_keys.hpp"
#include "cluster/founding.hpp"
#include "cluster/join_token.hpp"
#include "cluster/system_store.hpp"
#include "tests/actors/stand_ins.hpp"
#include "tests/cluster/system_state.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace xmpp;
using namespace xmpp::test;
using namespace std::chrono_literals;

namespace {

namespace control = cluster::control;
using cluster::node_id;

struct simulated_member final : group_member {
  void is_down(raft::member_id who) override { down.push_back(who); }
  void change(std::vector<raft::member> members, control_done) override { changes.push_back(std::move(members)); }
  void catch_up(raft::member_id spare, control_done) override { caught_up.push_back(spare); }
  void transfer(raft::member_id to, control_done) override { transfers.push_back(to); }
  void inspect(std::function<void(const status&)> f) override { f(now); }

  std::vector<raft::member_id> down, caught_up, transfers;
  std::vector<std::vector<raft::member>> changes;
  status now;
};

/// Links that take everything; members that do nothing.
struct simulated_node final : coordinator_surroundings {
  explicit simulated_node(simulated_store& of) : group(of) {}

  node_id self() const noexcept override { return 11; }
  cluster::identity identity() const override { return own; }
  result<void> set_identity(const cluster::identity& x) override {
    own = x;
    return {};
  }
  const std::optional<cluster::state>& last_agreed() const noexcept override { return agreed_before; }
  disk own_disk() const override { return disk_now; }
  void on_disk(std::function<void()> f) override {
    if (!disk_hangs)
      return f();
    waiting_for_disk.push_back(std::move(f));
  }

  bool send(node_id to, cluster::channel, std::string_view frame) override {
    sent.emplace_back(to, frame);
    return true;
  }
  void set_peers(const std::vector<cluster::member_addresses>& x) override { peers = x; }
  void link_with_known() override { is_linked_with_known = true; }
  void look_for_members() override { ++looks; }
  std::vector<cluster::link_status> link_status() const override { return {}; }
  shard_actor shard_at(node_id, shard_id) override { return elsewhere; }
  void end_late_requests() override {}

  const std::vector<shard_id>& groups() const noexcept override { return had; }
  void make_group(shard_id shard, std::function<void(bool is_ready)> done) override {
    made.push_back(shard);
    done(!is_broken);
  }
  void erase_group(shard_id shard) override { erased.push_back(shard); }
  caf::strong_actor_ptr start_member(caf::actor_system& system, const caf::strong_actor_ptr&, shard_id shard,
                                     std::function<void(const leadership&)> on_leadership) override {
    auto carrier = caf::actor_cast<caf::strong_actor_ptr>(
        system.spawn([](caf::event_based_actor*) -> caf::behavior { return {[](int) {}}; }));
    carrier->get()->attach_functor([this, shard] { members.erase(shard); });
    members[shard] = std::make_shared<simulated_member>();
    carriers[shard] = caf::actor_cast<caf::weak_actor_ptr>(carrier);
    leaderships[shard] = std::move(on_leadership);
    return carrier;
  }
  std::shared_ptr<xmpp::group_member> member_of(shard_id shard) override { // <grp.h> has one, too
    auto i = members.find(shard);
    return i == members.end() ? nullptr : i->second;
  }
  replica& system_group() override { return group; }
  void measure(std::function<void(const sizes&)> done) override { done(sizes_here); }

  cluster::identity own;
  disk disk_now;
  int looks = 0;
  std::optional<cluster::state> agreed_before;
  bool disk_hangs = false;
  std::vector<std::function<void()>> waiting_for_disk;
  std::vector<std::pair<node_id, std::string>> sent; ///< Frames.
  std::vector<cluster::member_addresses> peers;
  bool is_linked_with_known = false;
  shard_actor elsewhere;
  std::vector<shard_id> had, made, erased;
  sizes sizes_here;
  bool is_broken = false;
  std::map<shard_id, std::shared_ptr<simulated_member>> members;
  std::map<shard_id, caf::weak_actor_ptr> carriers;
  std::map<shard_id, std::function<void(const leadership&)>> leaderships;
  simulated_replica group;
};

/// This node is 11; there are 12 and 13. At first 11 has the one shard, and the system group.
struct node_of_a_cluster : server_fixture {
  temporary_folder folder;
  system_group agreed{1};
  simulated_node node{store};
  std::shared_ptr<shard_history> here = std::make_shared<shard_history>();
  coordinator_actor it;

  node_of_a_cluster() : server_fixture(true) {
    store.shard = system_shard;
    store.is_cold = false;
    options.server.data_folder = folder.path();
    options.cluster.addresses = {"10.0.0.11:5999"};
    configure();
    agreed.add(12);
    agreed.add(13);
    server.route.set(0, system().spawn(remembering_shard, here));
    node.elsewhere = system().spawn(remembering_shard, std::make_shared<shard_history>());
  }
  ~node_of_a_cluster() { ends(it); }

  void begins() {
    it = system().spawn<coordinator>(parent, std::ref(server), std::ref<coordinator_surroundings>(node));
    settle();
    ticks(1);
  }
  void ticks(int count) {
    for (; count > 0; --count)
      passes(100ms);
  }
  /// Knows what is agreed on, from node 12, and is linked with it.
  void begins_as_a_member() {
    begins();
    link(12, true);
    says(12, agreed.state);
  }
  /// Leads the system group, too.
  void begins_as_the_first() {
    put([&](write_set& to) { to = cluster::stored(agreed.state); });
    begins_as_a_member();
    leads(system_shard, 3);
    works();
    node.sent.clear();
  }

  void link(node_id with, bool is_up) { send(it, msg::link_changed{with, is_up, "for a test"}); }
  void frame(node_id from, const std::string& bytes) { send(it, msg::from_node{from, bytes}); }
  void says(node_id from, const control::message& what) {
    auto bytes = std::string{};
    BOOST_REQUIRE(control::append(bytes, what));
    frame(from, bytes);
  }
  void says(node_id from, const cluster::state& what) {
    auto bytes = what.encode();
    says(from, control::state{bytes});
  }
  void says_that_it_leads(node_id from, std::map<shard_id, std::uint64_t> terms) {
    says(from, control::leads{++sequence_, std::move(terms)});
  }

  /// A member of this node's tells.
  void leads(shard_id shard, std::uint64_t term) {
    node.leaderships.at(shard)({true, term, 11});
    settle();
  }
  void leads_no_more(shard_id shard) {
    node.leaderships.at(shard)({false, 9, 12});
    settle();
  }
  simulated_member& member(shard_id shard) { return *node.members.at(shard); }

  /// What was sent to that node, of one kind; views are of `node.sent`.
  template <class Kind>
  std::vector<Kind> said(node_id to) const {
    auto out = std::vector<Kind>{};
    for (auto& [whom, bytes] : node.sent)
      if (auto read = control::read(bytes); whom == to && read)
        if (auto one = std::get_if<Kind>(&*read))
          out.push_back(*one);
    return out;
  }
  /// What was proposed to that node, of one kind, and under which request.
  template <class Kind>
  std::vector<std::pair<Kind, std::uint64_t>> proposed(node_id to) const {
    auto out = std::vector<std::pair<Kind, std::uint64_t>>{};
    for (auto& one : said<control::propose>(to))
      if (auto what = cluster::command::decode(one.command))
        if (auto kind = std::get_if<Kind>(&what->what))
          out.emplace_back(*kind, one.request);
    return out;
  }

  template <class What>
  std::shared_ptr<answer<msg::cluster_answer>> asks_for(What what) {
    return asks<msg::cluster_answer>(
        it, msg::cluster_ask{std::make_shared<const cluster::command>(cluster::command{agreed.now_ms, what})});
  }
  static cluster::ask::set_setting a_change(std::uint64_t value = 2) { return {cluster::setting::moves_max, value}; }
  cluster::state known() { return *asks<msg::cluster_seen>(it, msg::cluster_look{})->value->agreed; }

private:
  std::uint64_t sequence_ = 0;
};

using shards = std::vector<shard_id>;
using ids = std::vector<node_id>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_coordinator, node_of_a_cluster)

// -- what is agreed on, and members ----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(begins_the_members_that_its_store_has_and_links_with_whom_it_knew) {
  node.had = {0, system_shard};
  begins();
  BOOST_TEST(node.members.size() == 2u);
  BOOST_TEST(node.made.empty());
  BOOST_TEST(node.is_linked_with_known);
}

BOOST_AUTO_TEST_CASE(adopts_what_is_agreed_on_and_begins_the_members_that_it_should_have) {
  begins_as_a_member();
  BOOST_TEST((node.made == shards{0, system_shard}));
  BOOST_TEST(node.members.size() == 2u);
  BOOST_REQUIRE(node.peers.size() == 2u);
  BOOST_TEST((node.peers[0] == cluster::member_addresses{12, {"10.0.0.12:5999"}, agreed.state.find(12)->certificate}));
  BOOST_TEST(server.node_id.load() == 1u);
  // It is on the disk, for the next start; and no reader has waited for that.
  BOOST_TEST((*cluster::load_agreed(folder.path()) == agreed.state));
}

BOOST_AUTO_TEST_CASE(keeps_the_last_of_what_was_agreed_on_while_the_disk_hangs) {
  begins_as_a_member();
  node.disk_hangs = true;
  for (auto moves = std::uint64_t{2}; moves < 10; ++moves) {
    agreed.must(a_change(moves));
    says(12, agreed.state);
  }
  BOOST_REQUIRE(node.waiting_for_disk.size() == 1u);
  node.waiting_for_disk[0]();
  BOOST_TEST((*cluster::load_agreed(folder.path()) == agreed.state));
  agreed.must(a_change(10));
  says(12, agreed.state);
  BOOST_REQUIRE(node.waiting_for_disk.size() == 2u);
  node.waiting_for_disk[1]();
  BOOST_TEST((*cluster::load_agreed(folder.path()) == agreed.state));
}

BOOST_AUTO_TEST_CASE(says_whether_this_node_serves_the_hosts_that_all_have_agreed_on) {
  begins_as_a_member();
  ticks(10);
  auto summary = [this] { return asks<msg::cluster_seen>(it, msg::cluster_look{})->value->report->summary; };
  BOOST_TEST(summary().find("serve") == std::string::npos);
  agreed.must(cluster::ask::set_hosts{{"a.example", "b.example"}});
  says(12, agreed.state);
  node.sent.clear();
  ticks(10);
  auto words = std::string{"does not serve a.example, b.example; serves example.com, which is not agreed on"};
  BOOST_TEST(summary().ends_with("; node 1 " + words));
  BOOST_REQUIRE(!said<control::report>(12).empty());
  ticks(10);
  BOOST_TEST(said<control::report>(12).back().host_words == words);
}

BOOST_AUTO_TEST_CASE(begins_with_what_it_knew_before) {
  node.agreed_before = agreed.state;
  begins();
  BOOST_TEST((node.made == shards{0, system_shard}));
  BOOST_TEST(node.peers.size() == 2u);
  BOOST_TEST(!node.is_linked_with_known);
}

BOOST_AUTO_TEST_CASE(has_no_member_of_a_shard_that_is_elsewhere) {
  agreed.place(0, {12, 13});
  begins_as_a_member();
  BOOST_TEST((node.made == shards{system_shard}));
}

BOOST_AUTO_TEST_CASE(ends_a_member_that_has_moved_away_and_then_lets_its_store_forget_it) {
  begins_as_a_member();
  leads(0, 4);
  agreed.must(cluster::ask::begin_move{0, {12}, {11}});
  says(12, agreed.state);
  BOOST_TEST(node.members.contains(0)); // It is still one of them.
  while (agreed.state.shards.at(0).moving)
    agreed.steps(0);
  says(12, agreed.state);
  BOOST_TEST(node.members.contains(0)); // That may be older than what it has taken since.
  says_that_it_leads(12, {{system_shard, 3}});
  says(12, agreed.state);
  ticks(10);
  BOOST_TEST(!node.members.contains(0));
  BOOST_TEST((node.erased == shards{0}));
  BOOST_TEST(said<control::leads>(12).back().terms.empty());
  leads(0, 5); // It was about to say so.
  BOOST_TEST(said<control::leads>(12).back().terms.empty());
}

BOOST_AUTO_TEST_CASE(does_not_go_back_to_what_was_agreed_on_before) {
  auto before = agreed.state;
  agreed.place(0, {12, 13});
  begins_as_a_member();
  says(13, before);
  BOOST_TEST((node.made == shards{system_shard}));
  BOOST_TEST((known() == agreed.state));
}

BOOST_AUTO_TEST_CASE(reads_what_its_own_member_has_applied_and_waits_for_the_disk_elsewhere) {
  begins_as_a_member();
  works();
  agreed.place(0, {11, 12});
  put([&](write_set& to) { to = cluster::stored(agreed.state); });
  store.is_cold = true;
  ticks(1);
  BOOST_TEST(store.waiting.size() == 1u);
  ticks(1);
  BOOST_TEST(store.waiting.size() == 1u); // Asked once.
  store.is_cold = false;
  works_once();
  BOOST_TEST((known() == agreed.state));
}

BOOST_AUTO_TEST_CASE(tries_again_when_the_disk_had_no_place_for_a_member) {
  node.is_broken = true;
  begins_as_a_member();
  BOOST_TEST(node.members.empty());
  node.is_broken = false;
  ticks(10);
  BOOST_TEST(node.members.size() == 2u);
}

BOOST_AUTO_TEST_CASE(begins_a_member_anew_that_ended_hard_and_claims_nothing_for_it) {
  begins_as_a_member();
  leads(0, 4);
  caf::anon_send_exit(caf::actor_cast<caf::strong_actor_ptr>(node.carriers[0]), caf::exit_reason::kill);
  settle();
  BOOST_TEST(node.members.contains(0));
  BOOST_TEST(node.erased.empty());
  BOOST_TEST(said<control::leads>(12).back().terms.empty());
  BOOST_TEST(here->served.back().node == 0u);
}

// -- who serves what -------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(tells_a_shard_who_serves_it_elsewhere) {
  begins_as_a_member();
  says_that_it_leads(12, {{0, 3}});
  BOOST_REQUIRE(here->served.size() == 1u);
  BOOST_TEST(here->served[0].node == 12u);
  BOOST_TEST(here->served[0].term == 3u);
  BOOST_TEST((here->served[0].elsewhere == caf::actor_cast<caf::strong_actor_ptr>(node.elsewhere)));
  send(it, msg::who_serves{0});
  BOOST_REQUIRE(here->served.size() == 2u);
  BOOST_TEST(here->served[1].node == 12u);
}

BOOST_AUTO_TEST_CASE(tells_a_shard_that_this_node_serves_it_and_whose_sessions_it_awaits) {
  begins_as_a_member();
  link(13, true);
  leads(0, 4);
  BOOST_REQUIRE(here->served.size() == 1u);
  BOOST_TEST(here->served[0].node == 11u);
  BOOST_TEST(here->served[0].term == 4u);
  BOOST_TEST(!here->served[0].elsewhere);
  BOOST_TEST((here->served[0].awaited == ids{12, 13}));
  BOOST_TEST(node.shards_led.load() == 1u);
  for (auto to : {12, 13})
    BOOST_TEST((said<control::leads>(node_id(to)).back().terms == std::map<shard_id, std::uint64_t>{{0, 4}}));
}

BOOST_AUTO_TEST_CASE(tells_a_shard_who_may_serve_it_next) {
  agreed.state.shards.at(0).replicas = {11, 12};
  begins_as_a_member();
  link(13, true);
  leads(0, 4);
  BOOST_REQUIRE(here->served.size() == 1u);
  BOOST_REQUIRE(here->served[0].heirs.size() == 1u);
  BOOST_TEST(here->served[0].heirs[0].first == 12u);
  link(12, false);
  BOOST_TEST(here->served.back().heirs.empty());
  link(12, true);
  BOOST_TEST(here->served.back().heirs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(tells_a_shard_and_the_others_when_this_node_leads_it_no_more) {
  begins_as_a_member();
  leads(0, 4);
  leads_no_more(0);
  BOOST_TEST(here->served.back().node == 0u);
  BOOST_TEST(said<control::leads>(12).back().terms.empty());
  BOOST_TEST(node.shards_led.load() == 0u);
}

BOOST_AUTO_TEST_CASE(does_not_believe_a_leader_of_an_earlier_term) {
  begins_as_a_member();
  link(13, true);
  says_that_it_leads(12, {{0, 3}});
  says_that_it_leads(13, {{0, 2}});
  BOOST_TEST(here->served.size() == 1u);
  leads(0, 2);
  BOOST_TEST(here->served.size() == 1u);
  says(12, control::leads{1, {{0, 9}}}); // Older than what it said last.
  BOOST_TEST(here->served.size() == 1u);
}

BOOST_AUTO_TEST_CASE(tells_a_shard_that_nobody_serves_it_when_the_link_is_gone) {
  begins_as_a_member();
  says_that_it_leads(12, {{0, 3}});
  link(12, false);
  BOOST_REQUIRE(here->served.size() == 2u);
  BOOST_TEST(here->served[1].node == 0u);
  BOOST_TEST((member(0).down == ids{12}));
}

BOOST_AUTO_TEST_CASE(lets_its_members_not_wait_for_a_leader_that_gave_up) { // Its disk fails, or it hands over.
  begins_as_a_member();
  says(12, control::leads{1, {{0, 4}}});
  says(12, control::leads{2, {}});
  BOOST_TEST((member(0).down == ids{12}));
  says(12, control::leads{3, {{0, 5}}});
  says(13, control::leads{1, {{0, 6}}}); // Another has begun before:
  says(12, control::leads{4, {}});
  BOOST_TEST((member(0).down == ids{12}));
}

BOOST_AUTO_TEST_CASE(lets_its_shards_not_wait_for_the_sessions_of_a_node_that_is_gone) {
  begins_as_a_member();
  leads(0, 4);
  link(12, false);
  BOOST_REQUIRE(here->registered.size() == 1u);
  BOOST_TEST(here->registered[0].node == 12u);
  BOOST_TEST(here->registered[0].term == 4u);
}

BOOST_AUTO_TEST_CASE(tells_a_node_that_comes_what_it_leads_and_what_is_agreed_on) {
  begins_as_the_first();
  leads(0, 4);
  node.sent.clear();
  link(13, true);
  BOOST_REQUIRE(said<control::leads>(13).size() == 1u);
  BOOST_TEST(said<control::leads>(13)[0].terms.size() == 2u);
  BOOST_REQUIRE(said<control::state>(13).size() == 1u);
  BOOST_TEST((said<control::state>(13)[0].bytes == agreed.state.encode()));
}

BOOST_AUTO_TEST_CASE(tells_who_stays_behind_what_is_agreed_on) { // It may not know how to reach who leads.
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  auto report = control::report{};
  report.state_version = agreed.state.version - 1;
  says(13, report);
  BOOST_TEST(said<control::state>(13).empty()); // It may have heard of it by now.
  ticks(20);
  says(13, report);
  BOOST_REQUIRE(said<control::state>(13).size() == 1u);
  BOOST_TEST((said<control::state>(13)[0].bytes == agreed.state.encode()));
  report.state_version = agreed.state.version;
  says(13, report);
  BOOST_TEST(said<control::state>(13).size() == 1u);
}

// -- frames that make no sense ---------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(takes_nothing_from_a_frame_that_it_can_not_read) {
  begins_as_a_member();
  says_that_it_leads(12, {{0, 3}});
  node.sent.clear();
  for (auto& bytes : {std::string{}, std::string{"\0", 1}, std::string(1'000, '\xff'), std::string{"\x7f\x01garbage"}})
    frame(12, bytes);
  says(12, control::state{"no state"});
  auto other = system_group{4}; // Of another number of shards.
  while (other.state.version <= agreed.state.version)
    other.invites(other.state.version);
  says(12, other.state);
  says(12, control::transfer{0, 12});
  says(12, control::transfer{63, 12});
  says(12, control::proposed{77, error{errc::conflict, "nobody asked"}});
  says(13, control::leads{1, {{63, 1}}}); // No such shard.
  BOOST_TEST(failures->empty());
  BOOST_TEST(here->served.size() == 1u);
  BOOST_TEST(node.sent.empty());
  BOOST_TEST(member(0).transfers.empty());
  BOOST_TEST((known() == agreed.state));
}

BOOST_AUTO_TEST_CASE(never_fails_whatever_a_node_says) {
  begins_as_the_first();
  auto random = std::mt19937_64{7};
  auto command = cluster::command{agreed.now_ms, a_change()}.encode();
  auto state = agreed.state.encode();
  auto report = control::report{};
  report.leads[0].lag = {{12, 5}};
  for (auto& what :
       {control::message{control::leads{9, {{0, 3}}}}, control::message{report},
        control::message{control::state{state}}, control::message{control::propose{1, command}},
        control::message{control::proposed{1, error{errc::conflict, "x"}}}, control::message{control::transfer{0, 12}},
        control::message{control::ask{1, control::question::shell, "x"}},
        control::message{control::answer{1, errc::none, "x"}}}) {
    auto bytes = std::string{};
    BOOST_REQUIRE(control::append(bytes, what));
    for (auto i = 0; i < 50; ++i)
      caf::anon_send(it, msg::from_node{12, mutated(bytes, random)});
    works();
  }
  BOOST_TEST(failures->empty());
}

// -- proposals -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(refuses_a_change_while_nobody_leads_the_system_group) {
  begins_as_a_member();
  auto done = asks_for(a_change());
  BOOST_REQUIRE(done->value.has_value());
  BOOST_TEST((done->value->failure == errc::not_leader));
  BOOST_TEST(!done->value->text.empty());
}

BOOST_AUTO_TEST_CASE(asks_the_system_groups_leader_and_passes_on_its_answer) {
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  auto good = asks_for(a_change()), bad = asks_for(a_change(3));
  auto asked = proposed<cluster::ask::set_setting>(12);
  BOOST_REQUIRE(asked.size() == 2u);
  BOOST_TEST(!good->has_come());
  says(12, control::proposed{asked[1].second, error{errc::not_allowed, "no"}});
  says(12, control::proposed{asked[0].second, cluster::applied{true, 5}});
  BOOST_REQUIRE((good->value && bad->value));
  BOOST_TEST((good->value->failure == errc::none));
  BOOST_TEST(good->value->done.number == 5u);
  BOOST_TEST((bad->value->failure == errc::not_allowed));
  BOOST_TEST(bad->value->text == "no");
}

BOOST_AUTO_TEST_CASE(does_not_wait_for_ever_for_the_system_groups_leader) {
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  auto done = asks_for(a_change());
  passes(9'900ms);
  BOOST_TEST(!done->has_come());
  passes(200ms);
  BOOST_REQUIRE(done->value.has_value());
  BOOST_TEST((done->value->failure == errc::timeout));
}

BOOST_AUTO_TEST_CASE(has_a_change_committed_where_it_leads_the_system_group_and_tells_the_others) {
  begins_as_the_first();
  auto done = asks_for(a_change(7));
  BOOST_TEST(!done->has_come());
  works();
  BOOST_REQUIRE(done->value.has_value());
  BOOST_TEST((done->value->failure == errc::none));
  BOOST_TEST(known().value(cluster::setting::moves_max) == 7u);
  auto told = said<control::state>(12);
  BOOST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0].bytes == known().encode()));
}

BOOST_AUTO_TEST_CASE(applies_a_change_to_what_is_being_committed) {
  begins_as_the_first();
  auto first = asks_for(a_change(7)), second = asks_for(cluster::ask::set_setting{cluster::setting::replicas, 5});
  works();
  BOOST_REQUIRE((first->value && second->value));
  BOOST_TEST(known().value(cluster::setting::moves_max) == 7u);
  BOOST_TEST(known().value(cluster::setting::replicas) == 5u);
}

BOOST_AUTO_TEST_CASE(says_why_a_change_is_not_allowed_or_not_committed) {
  begins_as_the_first();
  auto refused = asks_for(cluster::ask::remove{99});
  BOOST_REQUIRE(refused->value.has_value());
  BOOST_TEST((refused->value->failure != errc::none));
  store.unwritable = errc::timeout;
  auto lost = asks_for(a_change());
  works();
  BOOST_REQUIRE(lost->value.has_value());
  BOOST_TEST((lost->value->failure == errc::timeout));
  store.unwritable = errc::none;
  store.refuses = errc::resource_constraint;
  auto full = asks_for(a_change());
  BOOST_REQUIRE(full->value.has_value());
  BOOST_TEST((full->value->failure == errc::resource_constraint));
  BOOST_TEST((known() == agreed.state));
}

BOOST_AUTO_TEST_CASE(answers_what_another_node_proposes) {
  begins_as_the_first();
  auto change = cluster::command{agreed.now_ms, a_change()}.encode();
  says(12, control::propose{4, change});
  works();
  says(12, control::propose{5, "what a later release knows"});
  leads_no_more(system_shard);
  says(12, control::propose{6, change});
  auto answers = said<control::proposed>(12);
  BOOST_REQUIRE(answers.size() == 3u);
  BOOST_TEST(answers[0].request == 4u);
  BOOST_TEST((answers[0].failure == errc::none));
  BOOST_TEST(answers[1].request == 5u);
  BOOST_TEST((answers[1].failure == errc::feature_not_implemented));
  BOOST_TEST(answers[2].request == 6u);
  BOOST_TEST((answers[2].failure == errc::not_leader));
}

BOOST_AUTO_TEST_CASE(answers_what_was_under_way_when_it_failed_and_goes_on_with_its_members) {
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  auto done = asks_for(a_change());
  send(it, msg::fail_now{});
  BOOST_TEST(failures->size() == 1u);
  send(it, msg::verdict{});
  BOOST_REQUIRE(done->value.has_value());
  BOOST_TEST((done->value->failure == errc::timeout));
  BOOST_TEST(node.members.size() == 2u);
  leads(0, 4);
  BOOST_TEST(here->served.back().node == 11u);
}

BOOST_AUTO_TEST_CASE(lets_a_node_in_that_has_a_token_and_nobody_else) {
  auto authority = *cluster::make_cluster_authority(now_ms() / 1'000);
  agreed.now_ms = now_ms();
  agreed.must(cluster::ask::invite{cluster::hash_of_secret("secret"), agreed.now_ms + 3'600'000});
  agreed.state.id = cluster::id_text(authority.cluster);
  agreed.state.ca_certificate = authority.pair.certificate;
  agreed.state.ca_key = authority.pair.private_key;
  auto who = *cluster::make_identity();
  auto said = std::vector<net::outcome<cluster::join_answer>>{};
  auto asks_in = [&](const std::string& secret) {
    auto x = cluster::join_request{who.node, secret, *cluster::request_of(who), "a test", {"10.0.0.14:5999"}};
    send(it, msg::join_asked{std::make_shared<const cluster::join_request>(x),
                             [&](net::outcome<cluster::join_answer> y) { said.push_back(std::move(y)); }});
    works();
  };
  begins();
  asks_in("secret");
  BOOST_TEST(!said.at(0)); // It knows no cluster.
  ends(it);
  begins_as_the_first();
  asks_in("another secret");
  BOOST_TEST(!said.at(1));
  asks_in("secret");
  BOOST_REQUIRE(said.size() == 3u);
  BOOST_REQUIRE_MESSAGE(said[2], (said[2] ? "" : said[2].why()));
  BOOST_TEST(said[2]->shard_count == 1u);
  BOOST_TEST(said[2]->shared == encode_fake_keys(server.secret, {}));
  BOOST_TEST(said[2]->members.size() == 4u);
  BOOST_TEST((known().find(who.node) != nullptr));
  auto in =
      cluster::admitted(who, authority.cluster, authority.pair.certificate, said[2]->certificate, now_ms() / 1'000);
  BOOST_TEST(bool(in));
}

BOOST_AUTO_TEST_CASE(lets_nobody_take_the_place_of_a_node_that_is_there) {
  auto authority = *cluster::make_cluster_authority(now_ms() / 1'000);
  agreed.now_ms = now_ms();
  agreed.must(cluster::ask::invite{cluster::hash_of_secret("secret"), agreed.now_ms + 3'600'000});
  agreed.state.id = cluster::id_text(authority.cluster);
  agreed.state.ca_certificate = authority.pair.certificate;
  agreed.state.ca_key = authority.pair.private_key;
  auto who = *cluster::make_identity();
  auto answer = std::string{};
  auto asks_in = [&](const std::string& secret, const std::string& replaces, const std::string& address) {
    auto x = cluster::join_request{who.node, secret, *cluster::request_of(who), "a test", {address}, replaces};
    answer = "none";
    send(it, msg::join_asked{std::make_shared<const cluster::join_request>(x),
                             [&](const net::outcome<cluster::join_answer>& y) { answer = y ? "in" : y.why(); }});
    works();
    return answer;
  };
  begins_as_the_first(); // Linked with node 2, not with node 3.
  BOOST_TEST(asks_in("secret", "2", "10.0.0.14:1") == "node 2 is there: stop it first");
  BOOST_TEST(asks_in("secret", "9", "10.0.0.14:1").starts_with("there is no node 9"));
  for (auto replaces : {"2", "3", "9"}) // Who has no token learns nothing of nodes.
    BOOST_TEST(asks_in("another", replaces, "10.0.0.14:1") == "no such join token");
  BOOST_TEST(asks_in("another", "", "10.0.0.13:5999") == "no such join token");
  BOOST_TEST(asks_in("secret", "", "10.0.0.13:5999").find("--replaces 3") != std::string::npos);
  BOOST_TEST(asks_in("secret", "3", "10.0.0.13:5999") == "in");
  BOOST_TEST((known().find(13)->is == cluster::standing::gone));
  BOOST_TEST((known().find(12)->is == cluster::standing::up));
  BOOST_TEST(asks_in("secret", "3", "10.0.0.13:5999") == "in"); // The answer was lost.
}

BOOST_AUTO_TEST_CASE(renews_its_certificate_and_lets_the_others_know) {
  auto now_s = now_ms() / 1'000;
  auto authority = *cluster::make_cluster_authority(now_s);
  agreed.state.id = cluster::id_text(authority.cluster);
  agreed.state.ca_certificate = authority.pair.certificate;
  agreed.state.ca_key = authority.pair.private_key;
  auto made = *cluster::make_identity();
  made.node = 11;
  auto short_one = *cluster::issue(authority, 11, *cluster::request_of(made), now_s, 600);
  node.own = *cluster::admitted(made, authority.cluster, authority.pair.certificate, short_one, now_s);
  begins_as_the_first();
  auto before = known().find(11)->certificate_expires_ms;
  for (auto i = 0; i < 20; ++i) { // It looks every ten seconds.
    ticks(10);
    works();
  }
  BOOST_TEST(node.own.certificate != short_one);
  BOOST_TEST(node.own.private_key == made.private_key);
  BOOST_TEST(known().find(11)->certificate_expires_ms > before);
  BOOST_TEST(known().find(11)->certificate_expires_ms >= (now_s + 2'592'000) * 1'000);
  auto kept = known().version;
  ticks(200);
  works();
  BOOST_TEST(known().version == kept); // once
}

BOOST_AUTO_TEST_CASE(looks_for_members_as_long_as_one_is_not_linked) {
  begins_as_a_member();
  ticks(400);
  auto looks = node.looks;
  BOOST_TEST(looks >= 2); // node 3
  link(13, true);
  ticks(400);
  BOOST_TEST(node.looks == looks);
  link(12, false);
  ticks(400);
  BOOST_TEST(node.looks > looks);
}

// -- moves -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(hands_a_shard_over_when_told_and_not_again_while_that_is_under_way) {
  begins_as_a_member();
  says(12, control::transfer{0, 12});
  BOOST_TEST(member(0).transfers.empty()); // It does not lead.
  leads(0, 4);
  says(12, control::transfer{0, 12});
  says(12, control::transfer{0, 13});
  BOOST_TEST((member(0).transfers == ids{12}));
  passes(3'100ms); // It has not come.
  says(12, control::transfer{0, 13});
  BOOST_TEST((member(0).transfers == ids{12, 13}));
}

BOOST_AUTO_TEST_CASE(hands_all_over_before_it_ends_to_who_has_most_of_it) {
  begins_as_a_member();
  link(13, true);
  says_that_it_leads(12, {{system_shard, 3}});
  leads(0, 4);
  for (auto [id, match] : {std::pair{11, 9}, {12, 5}, {13, 8}, {14, 9}}) // Nobody hears from node 14.
    member(0).now.members.push_back({{raft::member_id(id), raft::role::voter}, std::uint64_t(match), 0});
  node.hands_over = true;
  ticks(11);
  BOOST_TEST((member(0).transfers == ids{13}));
  auto asked = proposed<cluster::ask::drain>(12);
  BOOST_REQUIRE(asked.size() == 1u); // Else it would get them back.
  BOOST_TEST(asked[0].first.who == 11u);
  leads_no_more(0);
  BOOST_TEST(node.shards_led.load() == 0u);
}

BOOST_AUTO_TEST_CASE(does_not_wait_for_anybody_when_it_ends_and_is_alone) {
  begins_as_a_member();
  link(12, false);
  leads(0, 4);
  node.hands_over = true;
  passes(100ms);
  BOOST_TEST(node.shards_led.load() == 0u);
}

BOOST_AUTO_TEST_CASE(takes_a_move_one_step_further_where_it_leads) {
  agreed.must(cluster::ask::begin_move{0, {12}, {}});
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  says(12, control::report{});
  member(0).now.members = {{{11, raft::role::voter}, 0, 0}};
  leads(0, 4);
  ticks(2);
  BOOST_REQUIRE(!member(0).changes.empty());
  BOOST_TEST(member(0).changes[0].size() == 2u);
  BOOST_TEST((member(0).changes[0][1].role == raft::role::spare));
  BOOST_TEST(proposed<cluster::ask::move_step_done>(12).empty());
  member(0).now.members.push_back({{12, raft::role::spare}, 0, 0});
  ticks(2);
  auto done = proposed<cluster::ask::move_step_done>(12);
  BOOST_REQUIRE(!done.empty());
  BOOST_TEST((done[0].first.done == cluster::step::add_spare));
  BOOST_TEST(done[0].first.shard == 0u);
  agreed.steps(0);
  says(12, agreed.state);
  passes(100ms);
  BOOST_TEST((member(0).caught_up == ids{12}));
}

BOOST_AUTO_TEST_CASE(promotes_one_that_caught_up_with_an_earlier_leader_when_it_has_caught_up_with_this_one) {
  agreed.must(cluster::ask::begin_move{0, {12}, {}});
  agreed.steps(0);
  agreed.steps(0);
  BOOST_REQUIRE((agreed.state.shards.at(0).moving->at == cluster::step::promote));
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  says(12, control::report{});
  member(0).now.members = {{{11, raft::role::voter}, 0, 0}, {{12, raft::role::spare}, 0, 0}};
  leads(0, 4);
  ticks(2);
  BOOST_TEST(!member(0).caught_up.empty());
  BOOST_TEST(member(0).changes.empty());
  member(0).now.members[1].catch_up_progress = 3;
  ticks(2);
  BOOST_REQUIRE(!member(0).changes.empty());
  BOOST_TEST((member(0).changes[0][1].role == raft::role::voter));
}

BOOST_AUTO_TEST_CASE(adds_one_again_that_an_earlier_leader_had_added_in_vain) {
  agreed.must(cluster::ask::begin_move{0, {12}, {}});
  agreed.steps(0);
  agreed.steps(0);
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  says(12, control::report{});
  member(0).now.members = {{{11, raft::role::voter}, 0, 0}};
  leads(0, 4);
  ticks(2);
  BOOST_REQUIRE(!member(0).changes.empty());
  BOOST_TEST((member(0).changes[0][1].role == raft::role::spare));
}

// -- clients ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(sends_its_clients_to_others_while_it_drains_so_many_a_second) {
  options.server.drain_per_second = 20;
  configure();
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  auto history = std::make_shared<session_history>();
  auto sessions = std::vector<session_actor>{};
  for (auto i = 0; i < 10; ++i) {
    sessions.push_back(session(history));
    server.sessions.add(*jid::parse("romeo@example.com/" + std::to_string(i)), sessions.back());
  }
  ticks(40); // It has been up for a while.
  BOOST_TEST(!server.drains_in_cluster);
  agreed.must(cluster::ask::drain{11, false, false});
  says(12, agreed.state);
  ticks(2);
  BOOST_TEST(server.drains_in_cluster);
  BOOST_TEST(history->ended.size() == 4u);
  BOOST_TEST((server.sent_away().reason == errc::see_other_host));
  BOOST_TEST(server.sent_away().see_other_host == "xmpp.example.com");
  ticks(3);
  BOOST_TEST(history->ended.size() == 10u);
  agreed.must(cluster::ask::cancel_drain{11});
  says(12, agreed.state);
  ticks(1);
  BOOST_TEST(!server.drains_in_cluster);
}

BOOST_AUTO_TEST_CASE(takes_clients_when_it_begins_anew_and_was_drained_before) {
  agreed.must(cluster::ask::drain{11, false, false});
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  ticks(40);
  BOOST_TEST(!server.drains_in_cluster);
  BOOST_TEST(!proposed<cluster::ask::member_up>(12).empty());
}

BOOST_AUTO_TEST_CASE(stays_drained_when_it_was_up_and_is_drained_then) {
  begins_as_a_member();
  says_that_it_leads(12, {{system_shard, 3}});
  ticks(40);
  agreed.must(cluster::ask::drain{11, false, false});
  says(12, agreed.state);
  node.sent.clear();
  ticks(40);
  BOOST_TEST(server.drains_in_cluster);
  BOOST_TEST(proposed<cluster::ask::member_up>(12).empty());
}

BOOST_AUTO_TEST_SUITE_END()
