// One member of a group, seen from outside: in which order things leave it, what it takes and what it refuses.
#include "cluster/raft.hpp"

#include "tests/cluster/simulation.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace xmpp::raft;
using xmpp::test::put;
using type = xmpp::raft::message::type;

namespace {

const auto three = std::vector<member>{{1, role::voter}, {2, role::voter}, {3, role::voter}};

std::shared_ptr<const std::string> text(const std::string& x) {
  return std::make_shared<const std::string>(x);
}

entry command(std::uint64_t term, const std::string& x = "x") {
  return {term, kind::command, text(x)};
}

/// Members whose messages arrive, and whose writes are stored, when the test says so.
class world {
public:
  struct one {
    std::unique_ptr<group> raft;
    xmpp::raft::stored disk;
    std::deque<xmpp::raft::write> writes; ///< Not stored yet.
    std::vector<message> mail;
    std::vector<xmpp::raft::committed> committed;
    std::vector<output::read> reads;
    std::optional<output::wanted> install;
  };

  explicit world(const std::vector<member>& first = three, member_id last = 4) {
    for (auto id = member_id{1}; id <= last; ++id) {
      if (std::any_of(first.begin(), first.end(), [&](auto& x) { return x.id == id; }))
        all[id].disk = group::first_log(first);
      start(id);
    }
  }

  void start(member_id id, std::uint64_t applied = 0) {
    auto& x = all[id];
    x.writes.clear();
    x.mail.clear();
    auto o = options{};
    o.id = id;
    o.seed = unsigned(id);
    o.append_bytes_max = 1'000;
    auto reader = [&x](std::uint64_t first, std::size_t count) {
      auto out = std::vector<entry>{};
      for (; out.size() < count && first >= x.disk.first_index && first < x.disk.first_index + x.disk.entries.size();
           ++first)
        out.push_back(x.disk.entries[std::size_t(first - x.disk.first_index)]);
      return out;
    };
    x.raft = std::make_unique<group>(o, now, x.disk, applied, reader);
    take(id);
  }

  group& operator[](member_id id) { return *all[id].raft; }

  /// What a member wants done, to where a test can look at it.
  void take(member_id id) {
    auto& x = all[id];
    auto out = x.raft->take_output();
    std::move(out.writes.begin(), out.writes.end(), std::back_inserter(x.writes));
    std::move(out.messages.begin(), out.messages.end(), std::back_inserter(x.mail));
    std::move(out.committed.begin(), out.committed.end(), std::back_inserter(x.committed));
    std::move(out.reads.begin(), out.reads.end(), std::back_inserter(x.reads));
    if (out.install)
      x.install = out.install;
  }

  void store_one(member_id id) {
    auto& x = all[id];
    put(x.disk, x.writes.front());
    x.raft->written(now, x.writes.front().sequence);
    x.writes.pop_front();
    take(id);
  }

  /// Stores all that a member wrote.
  void store(member_id id) {
    while (!all[id].writes.empty())
      store_one(id);
  }

  /// Delivers what members have sent so far; not to or from those who are `away`.
  bool deliver() {
    auto mail = std::vector<message>{};
    for (auto& [id, x] : all)
      for (auto& m : std::exchange(x.mail, {}))
        mail.push_back(m);
    for (auto& m : mail) {
      if (sees)
        sees(m);
      if (all.contains(m.to) && !away.contains(m.to) && !away.contains(m.from)) {
        all[m.to].raft->receive(now, m);
        take(m.to);
      }
    }
    return !mail.empty();
  }

  /// Until nothing is left to be stored, but for those who are `slow`, and nothing to be delivered.
  void settle() {
    auto rounds = 0;
    for (auto goes_on = true; goes_on;) {
      goes_on = false;
      BOOST_REQUIRE(++rounds < 10'000);
      for (auto& [id, x] : all) {
        take(id);
        if (!slow.contains(id) && !x.writes.empty()) {
          store(id);
          goes_on = true;
        }
      }
      goes_on = deliver() || goes_on;
    }
  }

  /// So that nothing of what a new leader sends has arrived.
  void settle_until_leading(member_id id) {
    for (auto i = 0; i < 100 && !(*this)[id].is_leader(); ++i) {
      deliver();
      for (auto& [other, x] : all)
        store(other);
    }
    BOOST_REQUIRE((*this)[id].is_leader());
  }

  void tick(std::uint64_t ms = 100) {
    now += ms;
    for (auto& [id, x] : all)
      if (!away.contains(id)) {
        x.raft->tick(now);
        take(id);
      }
  }

  /// Makes that member the leader, and ready.
  void elect(member_id id) {
    for (auto i = 0; i < 100 && !(*this)[id].is_ready(); ++i) {
      now += 100;
      for (auto& [other, x] : all) // nobody else stands
        if (other == id || x.raft->is_leader())
          x.raft->tick(now);
        else if (x.raft->leader() != 0 && x.raft->leader() != id)
          x.raft->is_down(now, x.raft->leader(), 100'000);
      settle();
    }
    BOOST_REQUIRE((*this)[id].is_ready());
  }

  void submit(member_id id, int count = 1) {
    for (auto i = 0; i < count; ++i)
      BOOST_REQUIRE((*this)[id].submit(now, {text("x")}).has_value());
    take(id);
  }

  std::vector<message> sent(member_id from, member_id to, type what) {
    auto out = std::vector<message>{};
    for (auto& m : all[from].mail)
      if (m.to == to && m.what == what)
        out.push_back(m);
    return out;
  }

  std::uint64_t now = 1'000'000;
  std::map<member_id, one> all;
  std::set<member_id> away, slow;
  std::function<void(const message&)> sees;
};

message append(member_id from, std::uint64_t term, std::uint64_t index, std::uint64_t index_term,
               std::vector<entry> entries, std::uint64_t commit = 0) {
  auto x = message{};
  x.what = type::append;
  x.from = from;
  x.to = 1;
  x.term = term;
  x.index = index;
  x.index_term = index_term;
  x.entries = std::move(entries);
  x.commit = commit;
  return x;
}

std::vector<member> with(std::vector<member> x, member_id id, role as) {
  std::erase_if(x, [&](auto& one) { return one.id == id; });
  x.push_back({id, as});
  return x;
}

} // namespace

BOOST_AUTO_TEST_SUITE(raft_group)

// -- what is stored, what is said ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(nothing_is_said_before_term_and_vote_are_stored) {
  auto x = world{};
  auto ask = message{};
  ask.what = type::vote;
  ask.from = 2;
  ask.to = 1;
  ask.term = 5;
  ask.index = ask.index_term = 1;
  x[1].receive(x.now, ask);
  x.take(1);
  BOOST_TEST(x.all[1].mail.empty());
  BOOST_REQUIRE(x.all[1].writes.size() == 1u);
  BOOST_TEST(x.all[1].writes[0].has_hard_state);
  BOOST_TEST(x.all[1].writes[0].term == 5u);
  BOOST_TEST(x.all[1].writes[0].voted_for == 2u);
  x[1].receive(x.now, append(3, 5, 1, 1, {})); // nor what follows
  x.take(1);
  BOOST_TEST(x.all[1].mail.empty());
  x.store(1);
  BOOST_REQUIRE(x.sent(1, 2, type::vote_result).size() == 1u);
  BOOST_TEST(x.sent(1, 2, type::vote_result)[0].granted);
  BOOST_TEST(x.sent(1, 3, type::append_result).size() == 1u);
  x.start(1);
  ask.from = 3;
  x[1].receive(x.now, ask);
  x.take(1);
  x.store(1);
  BOOST_TEST(!x.sent(1, 3, type::vote_result).at(0).granted); // it remembers
}

BOOST_AUTO_TEST_CASE(who_stands_asks_when_its_own_vote_is_stored) {
  auto x = world{};
  x.slow = {1};
  for (auto i = 0; i < 30 && x[1].state() == state::follower; ++i) {
    x.now += 100;
    x[1].tick(x.now);
    x.take(1);
  }
  x.settle(); // the pre-vote
  BOOST_TEST(x[1].term() == 2u);
  BOOST_TEST(x[2].term() == 1u);
  x.slow = {};
  x.store(1);
  BOOST_TEST(x.sent(1, 2, type::vote).size() == 1u);
  x.settle();
  BOOST_TEST(x[1].is_leader());
}

BOOST_AUTO_TEST_CASE(a_leader_tells_nobody_of_a_change_before_it_is_stored_here) {
  auto x = world{};
  x.elect(1);
  x.slow = {1};
  x.submit(1);
  BOOST_TEST(x.sent(1, 2, type::append).size() == 1u); // a command goes at once
  BOOST_CHECK(x[1].change(x.now, {{1, role::voter}, {2, role::voter}}) == refusal::none);
  x.submit(1);
  x.take(1);
  BOOST_TEST(x.sent(1, 2, type::append).size() == 1u);
  x.store(1);
  BOOST_TEST(x.sent(1, 2, type::append).size() > 1u);
}

BOOST_AUTO_TEST_CASE(what_is_not_stored_is_not_confirmed) {
  auto x = world{};
  x[1].receive(x.now, append(2, 1, 1, 1, {command(1), command(1)}));
  x.take(1);
  BOOST_TEST(x.all[1].mail.empty());
  x.store(1);
  BOOST_TEST(x.sent(1, 2, type::append_result).at(0).index == 3u);
}

BOOST_AUTO_TEST_CASE(what_became_void_is_not_confirmed_though_it_is_stored) {
  for (auto is_stored_before : {false, true}) {
    auto x = world{};
    auto& writes = x.all[1].writes;
    x[1].receive(x.now, append(2, 1, 1, 1, {command(1), command(1)}));
    x.take(1);
    if (is_stored_before)
      x.store(1);
    x.all[1].mail.clear();
    x[1].receive(x.now, append(3, 2, 2, 1, {}));
    x.take(1);
    x[1].receive(x.now, append(3, 2, 2, 1, {command(2), command(2)}));
    x.take(1);
    BOOST_TEST(writes.back().first_index == 3u);
    BOOST_TEST(writes.back().entries.size() == 2u);
    while (writes.size() > 1)
      x.store_one(1);
    BOOST_TEST(!x.all[1].mail.empty());
    for (auto& m : x.all[1].mail)
      BOOST_TEST(m.index < 3u);
    x.store(1);
    BOOST_TEST(x.all[1].mail.back().index == 4u);
    BOOST_TEST(x.all[1].mail.back().rejected == 0u);
  }
}

BOOST_AUTO_TEST_CASE(entries_go_in_messages_of_a_bounded_size) {
  auto x = world{};
  x.elect(1);
  x.away = {2};
  for (auto i = 0; i < 20; ++i)
    BOOST_TEST(x[1].submit(x.now, {text(std::string(300, 'x'))}).has_value());
  BOOST_TEST(x[1].submit(x.now, {text(std::string(5'000, 'x'))}).has_value());
  x.take(1);
  x.settle();
  x.away = {};
  auto count = std::size_t{0};
  x.sees = [&](const message& m) {
    auto bytes = std::size_t{0};
    for (auto& one : m.entries)
      bytes += one.bytes->size();
    BOOST_TEST((bytes <= 1'000 || m.entries.size() == 1));
    count = std::max(count, m.entries.size());
  };
  for (auto i = 0; i < 3; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_TEST(count == 3u);
  BOOST_TEST(x[2].last_index() == x[1].last_index());
}

// -- elections -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_members_of_a_new_group_begin_with_one_log) {
  auto one = group::first_log(three), other = group::first_log(three);
  BOOST_TEST(one.term == 1u);
  BOOST_REQUIRE(one.entries.size() == 1u);
  BOOST_TEST((one.entries[0].kind == kind::change));
  BOOST_TEST(*one.entries[0].bytes == *other.entries[0].bytes);
  auto x = world{};
  for (auto id : {1, 2, 3}) {
    BOOST_TEST(x[member_id(id)].commit_index() == 1u);
    BOOST_TEST((x[member_id(id)].members() == three));
  }
  for (auto i = 0; i < 50; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_TEST((x[1].is_leader() + x[2].is_leader() + x[3].is_leader()) == 1);
}

BOOST_AUTO_TEST_CASE(who_waits_to_be_added_says_nothing) {
  auto x = world{};
  x.away = {1, 2, 3};
  for (auto i = 0; i < 100; ++i)
    x.tick();
  BOOST_TEST(x.all[4].mail.empty());
  BOOST_TEST(x.all[4].writes.empty());
  BOOST_TEST(x[4].term() == 0u);
}

BOOST_AUTO_TEST_CASE(a_new_leader_serves_when_an_entry_of_its_own_is_committed) {
  auto x = world{};
  for (auto i = 0; i < 30 && x[1].state() == state::follower; ++i) {
    x.now += 100;
    x[1].tick(x.now);
    x.take(1);
  }
  x.settle_until_leading(1);
  BOOST_TEST(!x[1].is_ready());
  BOOST_TEST(!x[1].read(x.now).has_value());
  BOOST_CHECK(x[1].change(x.now, with(three, 4, role::spare)) == refusal::busy);
  x.settle();
  BOOST_TEST(x[1].is_ready());
  BOOST_TEST(x[1].read(x.now).has_value());
  BOOST_CHECK(x[1].change(x.now, with(three, 4, role::spare)) == refusal::none);
}

BOOST_AUTO_TEST_CASE(each_tick_of_a_leader_is_a_heartbeat) {
  auto x = world{};
  x.elect(1);
  for (auto i = 0; i < 50; ++i) {
    x.tick();
    BOOST_TEST(x.sent(1, 2, type::append).size() == 1u);
    BOOST_TEST(x.sent(1, 3, type::append).size() == 1u);
    x.settle();
  }
  BOOST_TEST(x[1].is_leader());
}

BOOST_AUTO_TEST_CASE(a_lone_command_goes_at_once_to_who_has_not_answered) {
  auto x = world{};
  x.elect(1);
  x.away = {2};
  for (auto i = 0; i < 5; ++i) {
    x.tick();
    x.settle();
  }
  x.submit(1);
  BOOST_REQUIRE(x.sent(1, 2, type::append).size() == 1u);
  BOOST_TEST(x.sent(1, 2, type::append)[0].entries.size() == 1u);
  x.submit(1); // the one before is not committed
  BOOST_TEST(x.sent(1, 2, type::append).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_hint_that_the_leader_is_down_shortens_the_wait) {
  auto x = world{};
  x.elect(1);
  x.tick();
  x.settle();
  x.away = {1};
  x.tick(60);
  x.settle();
  BOOST_TEST(x[2].leader() == 1u);
  x[2].is_down(x.now, 1, 50);
  x[3].is_down(x.now, 1, 500);
  x.tick(60);
  x.settle();
  BOOST_TEST(x[2].is_leader());
}

BOOST_AUTO_TEST_CASE(a_wrong_hint_ends_no_leadership) {
  auto x = world{};
  x.elect(1);
  x.tick();
  x.settle();
  x[2].is_down(x.now, 1, 50);
  x.tick(60);
  x.settle();
  for (auto i = 0; i < 30; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_TEST(x[1].is_leader());
  BOOST_TEST(x[1].term() == 2u);
}

BOOST_AUTO_TEST_CASE(leadership_is_handed_over_and_nothing_taken_meanwhile) {
  auto x = world{};
  x.elect(1);
  x.away = {2};
  BOOST_CHECK(x[1].transfer(x.now, 2) == refusal::none);
  BOOST_TEST(!x[1].submit(x.now, {text("x")}).has_value());
  BOOST_CHECK(x[1].transfer(x.now, 3) == refusal::not_leader);
  for (auto i = 0; i < 12; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_TEST(x[1].is_leader()); // it was given up
  x.submit(1);
  x.away = {};
  x.tick();
  x.settle();
  BOOST_CHECK(x[1].transfer(x.now, 4) == refusal::misuse);
  BOOST_CHECK(x[1].transfer(x.now, 2) == refusal::none);
  x.settle();
  BOOST_TEST(x[2].is_ready());
  BOOST_TEST(!x[1].is_leader());
}

// -- members ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_member_comes_as_a_spare_catches_up_and_then_votes) {
  auto x = world{};
  x.elect(1);
  x.submit(1, 20);
  x.settle();
  auto as_spare = with(three, 4, role::spare), as_voter = with(three, 4, role::voter);
  BOOST_CHECK(x[1].change(x.now, as_voter) == refusal::misuse);
  BOOST_CHECK(x[1].change(x.now, as_spare) == refusal::none);
  x.settle();
  BOOST_CHECK(x[1].change(x.now, as_voter) == refusal::misuse);
  BOOST_TEST(x[4].last_index() == 0u);
  BOOST_TEST(x[1].catch_up_progress(4) == 0);
  BOOST_CHECK(x[1].catch_up(x.now, 4) == refusal::none);
  BOOST_TEST(x[1].catch_up_progress(4) == 1);
  BOOST_CHECK(x[1].change(x.now, as_voter) == refusal::misuse);
  for (auto i = 0; i < 5; ++i) {
    x.settle();
    x.tick();
  }
  BOOST_TEST(x[1].catch_up_progress(4) == 3);
  BOOST_CHECK(x[1].change(x.now, as_voter) == refusal::none);
  x.settle();
  x.tick();
  x.settle();
  BOOST_TEST((x[4].members() == as_voter));
  BOOST_TEST(x[4].commit_index() == x[1].commit_index());
}

BOOST_AUTO_TEST_CASE(a_spare_that_lacks_nothing_catches_up_too) {
  auto x = world{};
  x.elect(1);
  BOOST_CHECK(x[1].change(x.now, with(three, 4, role::spare)) == refusal::none);
  x.settle();
  for (auto again = 0; again < 2; ++again) {
    BOOST_CHECK(x[1].catch_up(x.now, 4) == refusal::none);
    for (auto i = 0; i < 5; ++i) {
      x.settle();
      x.tick();
    }
    BOOST_TEST(x[1].catch_up_progress(4) == 3);
  }
}

BOOST_AUTO_TEST_CASE(changes_come_one_at_a_time) {
  auto x = world{};
  x.elect(1);
  BOOST_CHECK(x[2].change(x.now, with(three, 4, role::spare)) == refusal::not_leader);
  BOOST_CHECK(x[1].change(x.now, three) == refusal::misuse);
  BOOST_CHECK(x[1].change(x.now, with(with(three, 4, role::spare), 5, role::spare)) == refusal::misuse);
  BOOST_CHECK(x[1].change(x.now, {{1, role::voter}}) == refusal::misuse);
  BOOST_CHECK(x[1].change(x.now, with(three, 4, role::spare)) == refusal::none);
  BOOST_CHECK(x[1].change(x.now, {{1, role::voter}, {2, role::voter}}) == refusal::busy);
  x.settle();
  BOOST_CHECK(x[1].change(x.now, with({{1, role::voter}, {2, role::voter}}, 4, role::spare)) == refusal::none);
}

BOOST_AUTO_TEST_CASE(a_leader_stays_a_voter) {
  auto x = world{};
  x.elect(1);
  BOOST_CHECK(x[1].change(x.now, {{2, role::voter}, {3, role::voter}}) == refusal::misuse);
  BOOST_CHECK(x[1].change(x.now, with(three, 1, role::spare)) == refusal::misuse);
}

BOOST_AUTO_TEST_CASE(a_change_behind_other_entries_is_known_where_it_stands) {
  auto x = world{};
  x.elect(1);
  x.away = {2};
  x.submit(1, 3);
  BOOST_CHECK(x[1].change(x.now, with(three, 4, role::spare)) == refusal::none);
  x.take(1);
  x.submit(1, 3);
  x.settle();
  x.away = {};
  for (auto i = 0; i < 3; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_TEST(x[2].here().members_index == x[1].here().members_index);
  BOOST_CHECK(x[1].transfer(x.now, 2) == refusal::none);
  x.settle();
  BOOST_REQUIRE(x[2].is_ready());
  BOOST_CHECK(x[2].change(x.now, three) == refusal::none);
}

// -- applying and compacting -----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_was_applied_is_not_delivered_again_though_the_log_has_lost_it) {
  auto x = world{};
  x.elect(1);
  x.slow = {2}; // it applies what the others have stored
  x.submit(1, 5);
  x.settle();
  x.tick();
  x.settle();
  auto last = x[2].delivered();
  BOOST_TEST(last == x[1].last_index());
  BOOST_TEST(x.all[2].disk.entries.size() < last);
  x.slow = {};
  x.all[2].committed.clear();
  x.start(2, last);
  BOOST_TEST(x[2].here().index == 0u); // it does not know what it is until it knows the log to there
  x.submit(1);
  for (auto i = 0; i < 3; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_REQUIRE(x.all[2].committed.size() == 1u);
  BOOST_TEST(x.all[2].committed[0].index == last + 1);
  BOOST_TEST(x[2].here().index == last + 1);
}

BOOST_AUTO_TEST_CASE(a_leader_can_say_what_its_state_is_before_it_commits) {
  auto x = world{};
  x.elect(1);
  x.submit(1, 5);
  x.settle();
  auto before = x[1].here();
  BOOST_TEST(before.index == x[1].last_index());
  x.start(1, before.index);
  BOOST_TEST(x[1].commit_index() == 1u);
  BOOST_TEST(x[1].here().index == 0u);
  x.start(2);
  x.start(3);
  for (auto i = 0; i < 30 && x[1].state() == state::follower; ++i) {
    x.now += 100;
    x[1].tick(x.now);
    x.take(1);
  }
  x.settle_until_leading(1);
  BOOST_TEST(x[1].commit_index() == 1u);
  BOOST_TEST(x[1].here().index == before.index);
  BOOST_TEST(x[1].here().term == before.term);
  BOOST_TEST((x[1].here().members == three));
}

BOOST_AUTO_TEST_CASE(the_log_keeps_what_a_live_member_lacks_up_to_a_bound) {
  auto x = world{};
  x.elect(1);
  x.away = {3};
  x.submit(1, 20);
  x.settle();
  auto needs = x[1].match(3) + 1, last = x[1].delivered();
  BOOST_TEST(last > needs + 10);
  x[1].compact(x.now, last - 5, 1'000);
  BOOST_TEST(x[1].first_index() == needs);
  x[1].compact(x.now, last, 3);
  BOOST_TEST(x[1].first_index() == last - 2);
  x[1].compact(x.now, last - 1, 0); // older than what was done
  BOOST_TEST(x[1].first_index() == last - 2);
  x.settle();
  BOOST_TEST(x.all[1].disk.first_index == last - 2);
  BOOST_TEST(x.all[1].disk.snapshot.value().index == last);
}

BOOST_AUTO_TEST_CASE(only_what_is_flushed_is_compacted) {
  auto x = world{};
  x.elect(1);
  x.submit(1, 20);
  x.settle();
  x[1].compact(x.now, 5, 0);
  BOOST_TEST(x[1].first_index() == 6u);
  x[1].compact(x.now, 1'000'000, 0); // and nothing that is not delivered
  BOOST_TEST(x[1].first_index() == x[1].delivered() + 1);
}

BOOST_AUTO_TEST_CASE(who_lacks_what_is_gone_is_told_which_state_to_fetch) {
  auto x = world{};
  x.elect(1);
  x.away = {3};
  x.submit(1, 20);
  x.settle();
  x[1].compact(x.now, x[1].delivered() - 5, 0);
  x.take(1);
  x.submit(1, 3);
  x.settle();
  x.away = {};
  for (auto i = 0; i < 3; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_REQUIRE(x.all[3].install.has_value());
  auto wanted = *x.all[3].install;
  BOOST_TEST(wanted.from == 1u);
  BOOST_TEST(wanted.what.index == x[1].delivered()); // as it is now, not when the log was cut
  BOOST_TEST((wanted.what.members == three));
  BOOST_TEST(x[3].is_installing());
  BOOST_TEST(x.all[3].disk.entries.size() < 10u); // until it has it, the disk is as it was

  auto earlier = wanted.what;
  --earlier.index;
  x[3].installed(x.now, earlier);
  x.settle();
  BOOST_TEST(x[3].is_installing());
  x.submit(1, 2);
  x.settle();
  auto later = x[1].here();
  BOOST_TEST(later.index > wanted.what.index);
  x[3].installed(x.now, later);
  x[3].installed(x.now, later); // said twice
  x.settle();
  BOOST_TEST(!x[3].is_installing());
  BOOST_TEST(x.all[3].disk.snapshot.value().index == later.index);
  BOOST_TEST(x[3].delivered() == later.index);
  x.all[3].committed.clear();
  x.submit(1);
  for (auto i = 0; i < 3; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_REQUIRE(x.all[3].committed.size() == 1u);
  BOOST_TEST(x.all[3].committed[0].index == later.index + 1);
}

BOOST_AUTO_TEST_CASE(a_start_in_the_middle_of_an_install_finds_what_was_there) {
  auto x = world{};
  x.elect(1);
  x.away = {3};
  x.submit(1, 20);
  x.settle();
  x[1].compact(x.now, x[1].delivered(), 0);
  x.settle();
  x.away = {};
  for (auto i = 0; i < 3; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_REQUIRE(x[3].is_installing());
  x.all[3].install.reset();
  x.start(3);
  BOOST_TEST(!x[3].is_installing());
  BOOST_TEST(x[3].last_index() > 0u);
  for (auto i = 0; i < 3; ++i) {
    x.tick();
    x.settle();
  }
  BOOST_TEST(x.all[3].install.has_value()); // it is told again
}

// -- reads -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_read_waits_for_a_majority) {
  auto x = world{};
  x.elect(1);
  auto ticket = x[1].read(x.now);
  BOOST_REQUIRE(ticket.has_value());
  x.take(1);
  BOOST_TEST(x.all[1].reads.empty());
  x.settle();
  BOOST_REQUIRE(x.all[1].reads.size() == 1u);
  BOOST_TEST(x.all[1].reads[0].ticket == *ticket);
  BOOST_TEST(x.all[1].reads[0].index.value() == x[1].commit_index());
}

BOOST_AUTO_TEST_CASE(what_was_asked_before_a_read_does_not_confirm_it) {
  auto x = world{};
  x.elect(1);
  x.away = {3};
  x[1].read(x.now);
  x.take(1);
  auto asked = x.sent(1, 2, type::confirm).at(0);
  auto second = x[1].read(x.now).value();
  x.take(1);
  auto answer = asked;
  answer.what = type::confirmed;
  answer.from = 2;
  answer.to = 1;
  answer.granted = true;
  x[1].receive(x.now, answer);
  x.take(1);
  BOOST_REQUIRE(x.all[1].reads.size() == 1u);
  BOOST_TEST(x.all[1].reads[0].ticket != second);
  x[1].receive(x.now, answer); // once more: it is of the round before
  x.take(1);
  BOOST_TEST(x.all[1].reads.size() == 1u);
  x.settle();
  BOOST_TEST(x.all[1].reads.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_leader_that_nobody_hears_answers_no_read) {
  auto x = world{};
  x.elect(1);
  x.away = {2, 3};
  auto ticket = x[1].read(x.now);
  for (auto i = 0; i < 30; ++i) {
    x.now += 100;
    x[1].tick(x.now);
    x.settle();
  }
  BOOST_TEST(!x[1].is_leader());
  BOOST_REQUIRE(x.all[1].reads.size() == 1u);
  BOOST_TEST(x.all[1].reads[0].ticket == ticket.value());
  BOOST_TEST(!x.all[1].reads[0].index.has_value());
}

BOOST_AUTO_TEST_CASE(who_is_in_another_term_does_not_confirm) {
  auto x = world{};
  x.elect(1);
  x.away = {1};
  x.elect(2);
  x[1].read(x.now);
  x.take(1);
  x.away = {};
  x.deliver();
  for (auto id : {2, 3})
    for (auto& m : x.sent(member_id(id), 1, type::confirmed))
      BOOST_TEST(!m.granted);
  x.settle();
  for (auto& one : x.all[1].reads)
    BOOST_TEST(!one.index.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
