// What the library takes for granted is refused; what it gets wrong is mended: a test each.
#include "cluster/raft_core.h"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using members = std::vector<raft_core_member>;

const auto three = members{{1, raft_core_voter}, {2, raft_core_voter}, {3, raft_core_voter}};

std::string bytes_of(const members& x) {
  auto size = std::size_t{0};
  auto bytes = raft_core_encode_members(x.data(), unsigned(x.size()), &size);
  BOOST_REQUIRE(bytes != nullptr);
  auto out = std::string(bytes, size);
  raft_core_free(bytes);
  return out;
}

int count_in(const std::string& bytes) {
  return raft_core_decode_members(bytes.data(), bytes.size(), nullptr, 0);
}

struct logged {
  std::uint64_t term;
  int kind = raft_core_command;
  std::string bytes = {};
};

logged change(std::uint64_t term, const members& to) {
  return {term, raft_core_change, bytes_of(to)};
}

std::vector<raft_core_entry> raw(const std::vector<logged>& x) {
  auto out = std::vector<raft_core_entry>{};
  for (auto& one : x)
    out.push_back({one.term, one.kind, one.bytes.data(), one.bytes.size()});
  return out;
}

/// One core, its time and what it last said.
class core {
public:
  explicit core(std::uint64_t id) {
    auto times = raft_core_times{1'000, 80, 600'000};
    core_.reset(raft_core_new(id, &times, 1));
    BOOST_REQUIRE(core_ != nullptr);
  }
  core(std::uint64_t id, std::uint64_t term, const std::vector<logged>& log) : core(id) {
    BOOST_REQUIRE(start(term, log) == 0);
  }

  int start(std::uint64_t term, const std::vector<logged>& log, std::uint64_t first = 1,
            const raft_core_snapshot* snapshot = nullptr) {
    auto entries = raw(log);
    return raft_core_start(core_.get(), now, term, 0, snapshot, first, entries.data(), unsigned(entries.size()), &said);
  }
  int tick(std::uint64_t ms) {
    now += ms;
    return raft_core_tick(core_.get(), now, &said);
  }
  int receive(const raft_core_message& x) { return raft_core_receive(core_.get(), now, &x, &said); }
  int append(std::uint64_t from, std::uint64_t term, std::uint64_t index, std::uint64_t index_term,
             const std::vector<logged>& what, std::uint64_t commit = 0) {
    auto entries = raw(what);
    auto x = raft_core_message{};
    x.type = raft_core_append;
    x.peer = from;
    x.term = term;
    x.index = index;
    x.index_term = index_term;
    x.commit = commit;
    x.entries = entries.data();
    x.n_entries = unsigned(entries.size());
    return receive(x);
  }
  int answer(std::uint64_t from, std::uint64_t index, std::uint64_t rejected = 0) {
    auto x = raft_core_message{};
    x.type = raft_core_append_result;
    x.peer = from;
    x.term = facts().term;
    x.index = index;
    x.rejected = rejected;
    return receive(x);
  }
  int vote(std::uint64_t from, std::uint64_t term, std::uint64_t index, std::uint64_t index_term, bool pre_vote) {
    auto x = raft_core_message{};
    x.type = raft_core_vote;
    x.peer = from;
    x.term = term;
    x.index = index;
    x.index_term = index_term;
    x.pre_vote = pre_vote;
    return receive(x);
  }
  int grant(std::uint64_t from, std::uint64_t term, bool pre_vote, bool granted = true) {
    auto x = raft_core_message{};
    x.type = raft_core_vote_result;
    x.peer = from;
    x.term = term;
    x.pre_vote = pre_vote;
    x.granted = granted;
    return receive(x);
  }
  int install(std::uint64_t from, std::uint64_t term, std::uint64_t index, std::uint64_t index_term) {
    auto x = raft_core_message{};
    x.type = raft_core_install;
    x.peer = from;
    x.term = term;
    x.snapshot = {index, index_term, 1, three.data(), unsigned(three.size())};
    return receive(x);
  }
  int store() { return raft_core_stored(core_.get(), now, facts().last_index, &said); }
  int submit(const std::vector<logged>& what) {
    auto entries = raw(what);
    return raft_core_submit(core_.get(), now, entries.data(), unsigned(entries.size()), true, &said);
  }
  int compact(std::uint64_t index, std::uint64_t term, unsigned trailing = 0) {
    auto x = raft_core_snapshot{index, term, 1, three.data(), unsigned(three.size())};
    return raft_core_compacted(core_.get(), now, &x, trailing, &said);
  }
  /// With the votes of 2, whose answer its own entries then have.
  void lead() {
    for (auto i = 0; i < 30 && facts().state == raft_core_follower; ++i)
      tick(100);
    grant(2, facts().term + 1, true);
    grant(2, facts().term, false);
    BOOST_REQUIRE(facts().state == raft_core_leader);
    if (facts().last_stored < facts().last_index)
      store();
  }

  /// What the last event sent to that member, of that type.
  std::optional<raft_core_message> sent(std::uint64_t to, int type) const {
    for (auto i = 0u; i < said.n_messages; ++i)
      if (said.messages[i].peer == to && said.messages[i].type == type)
        return said.messages[i];
    return std::nullopt;
  }
  struct raft_core_facts facts() const {
    return raft_core_facts(core_.get());
  }
  raft_core* get() const { return core_.get(); }

  std::uint64_t now = 1'000'000;
  raft_core_update said = {};

private:
  struct deleter {
    void operator()(raft_core* x) const { raft_core_delete(x); }
  };
  std::unique_ptr<raft_core, deleter> core_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(raft_core_seam)

// -- misuse ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_log_that_can_not_be_is_not_started_with) {
  auto snapshot = raft_core_snapshot{5, 2, 1, three.data(), 3};
  BOOST_TEST(core{1}.start(0, {change(1, three)}) == raft_core_misuse);      // entries, but no term
  BOOST_TEST(core{1}.start(1, {change(1, three)}, 2) == raft_core_misuse);   // where is the first?
  BOOST_TEST(core{1}.start(1, {{1}}) == raft_core_misuse);                   // whose members are not known
  BOOST_TEST(core{1}.start(1, {change(2, three)}) == raft_core_misuse);      // of a term to come
  BOOST_TEST(core{1}.start(1, {change(1, three), {0}}) == raft_core_misuse); // of none
  BOOST_TEST(core{1}.start(2, {{2}}, 7, &snapshot) == raft_core_misuse);     // a gap behind the snapshot
  BOOST_TEST(core{1}.start(2, {{2}}, 0, &snapshot) == raft_core_misuse);
  BOOST_TEST(core{1}.start(2, {{2}}, 6, &snapshot) == 0);
  snapshot.members_index = 6;
  BOOST_TEST(core{1}.start(2, {{2}}, 6, &snapshot) == raft_core_misuse);
  snapshot = {5, 0, 1, three.data(), 3};
  BOOST_TEST(core{1}.start(2, {{2}}, 6, &snapshot) == raft_core_misuse);
  BOOST_TEST(core{1}.start(1, {change(1, three)}) == 0);
  BOOST_TEST(core{4}.start(0, {}) == 0);
}

BOOST_AUTO_TEST_CASE(who_can_not_be_caught_up_is_not) {
  auto update = raft_core_update{};
  auto follower = core{1, 1, {change(1, three)}};
  BOOST_TEST(raft_core_catch_up(follower.get(), follower.now, 2, &update) == raft_core_not_leader);
  auto all = members{{1, raft_core_voter}, {2, raft_core_voter}, {3, raft_core_spare}};
  auto leader = core{1, 1, {change(1, all)}};
  leader.lead();
  for (auto id : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{7}})
    BOOST_TEST(raft_core_catch_up(leader.get(), leader.now, id, &update) == raft_core_misuse);
  BOOST_TEST(raft_core_catch_up_progress(leader.get(), 7) == raft_core_none);
  BOOST_TEST(raft_core_catch_up(leader.get(), leader.now, 3, &update) == 0);
  BOOST_TEST(raft_core_catch_up(leader.get(), leader.now, 3, &update) == raft_core_busy);
  BOOST_TEST(raft_core_catch_up_progress(leader.get(), 3) == raft_core_running);
}

BOOST_AUTO_TEST_CASE(who_can_not_lead_is_not_handed_the_leadership) {
  auto update = raft_core_update{};
  auto leader = core{1, 1, {change(1, {{1, raft_core_voter}, {2, raft_core_voter}, {3, raft_core_spare}})}};
  BOOST_TEST(raft_core_transfer(leader.get(), leader.now, 2, &update) == raft_core_not_leader);
  leader.lead();
  for (auto id : {std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{7}})
    BOOST_TEST(raft_core_transfer(leader.get(), leader.now, id, &update) == raft_core_misuse);
}

BOOST_AUTO_TEST_CASE(what_is_not_in_the_log_is_not_stored_and_not_compacted) {
  auto update = raft_core_update{};
  auto x = core{1, 1, {change(1, three), {1}}};
  BOOST_TEST(raft_core_stored(x.get(), x.now, 3, &update) == raft_core_misuse);
  BOOST_TEST(raft_core_stored(x.get(), x.now, 2, &update) == raft_core_misuse); // it was from the start
  BOOST_TEST(x.compact(2, 1) == raft_core_misuse);                              // not committed
  BOOST_TEST(x.compact(1, 1) == 0);
  BOOST_TEST(x.compact(1, 1) == raft_core_misuse); // done already
}

BOOST_AUTO_TEST_CASE(messages_that_would_ruin_the_library_are_refused) {
  auto x = core{1, 2, {change(1, three)}};
  BOOST_TEST(x.append(1, 2, 1, 1, {}) == raft_core_misuse);                      // from itself
  BOOST_TEST(x.append(0, 2, 1, 1, {}) == raft_core_misuse);                      // from nobody
  BOOST_TEST(x.append(2, 2, 1, 0, {}) == raft_core_misuse);                      // an index without a term
  BOOST_TEST(x.append(2, 2, 1, 1, {{3}}) == raft_core_misuse);                   // of a term to come
  BOOST_TEST(x.append(2, 2, 1, 1, {{2}, {1}}) == raft_core_misuse);              // terms that fall
  BOOST_TEST(x.append(2, 2, 1, 1, {{2}, change(2, three)}) == raft_core_misuse); // a change that is not the first
  BOOST_TEST(x.append(2, 2, 1, 1, {{2, raft_core_change, "?"}}) == raft_core_misuse);
  BOOST_TEST(x.append(2, 2, 1, 1, {{2, 4}}) == raft_core_misuse);
  BOOST_TEST(x.append(2, 2, 1, 1, {change(2, three), {2}}) == 0);
  BOOST_TEST(x.install(2, 2, 0, 1) == raft_core_misuse);
  BOOST_TEST(x.install(2, 2, 9, 0) == raft_core_misuse);
  auto leader = core{1, 2, {change(1, three)}};
  leader.lead();
  BOOST_TEST(leader.append(2, leader.facts().term, 1, 1, {}) == raft_core_misuse); // two of one term
  BOOST_TEST(leader.install(2, leader.facts().term, 9, 1) == raft_core_misuse);
  BOOST_TEST(leader.submit({{leader.facts().term + 1}}) == raft_core_misuse);
  BOOST_TEST(leader.submit({}) == raft_core_misuse);
}

BOOST_AUTO_TEST_CASE(members_are_what_they_were_encoded_from) {
  auto all = members{{1, raft_core_voter}, {1ULL << 60, raft_core_spare}, {3, raft_core_standby}};
  auto bytes = bytes_of(all);
  BOOST_TEST(count_in(bytes) == 3);
  auto back = members(3);
  BOOST_TEST(raft_core_decode_members(bytes.data(), bytes.size(), back.data(), 3) == 3);
  for (auto i = std::size_t{0}; i < 3; ++i) {
    BOOST_TEST(back[i].id == all[i].id);
    BOOST_TEST(back[i].role == all[i].role);
  }
}

BOOST_AUTO_TEST_CASE(malformed_members_are_refused) {
  auto size = std::size_t{0};
  auto twice = members{{1, raft_core_voter}, {1, raft_core_spare}};
  BOOST_TEST(raft_core_encode_members(twice.data(), 2, &size) == nullptr);
  auto unknown_role = members{{1, 3}};
  BOOST_TEST(raft_core_encode_members(unknown_role.data(), 1, &size) == nullptr);
  auto one = bytes_of({{7, raft_core_voter}}); // 1, the count, the id, its digits, 0, the role
  for (auto n = std::size_t{0}; n < 9 + 8 + 3; ++n)
    BOOST_TEST(count_in(one.substr(0, n)) == -1, n);
  auto changed = [&](std::size_t at, char to) {
    auto x = one;
    x[at] = to;
    return count_in(x);
  };
  BOOST_TEST(changed(0, 2) == -1);         // another version
  BOOST_TEST(changed(1, 0) == -1);         // no members
  BOOST_TEST(changed(1, 100) == -1);       // more than there are
  BOOST_TEST(changed(8, 1) == -1);         // more than there can be
  BOOST_TEST(changed(9, 0) == -1);         // 0 is no member
  BOOST_TEST(changed(9 + 8 + 2, 3) == -1); // no such role
  BOOST_TEST(changed(9, 8) == 1);
}

// -- votes -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(who_is_no_voter_by_its_own_log_votes_all_the_same) {
  for (auto& all : {members{{1, raft_core_voter}, {2, raft_core_voter}, {3, raft_core_spare}},
                    members{{1, raft_core_voter}, {2, raft_core_voter}}}) {
    auto x = core{3, 1, {change(1, all)}};
    x.vote(2, 2, 5, 1, true);
    BOOST_TEST(x.sent(2, raft_core_vote_result).value().granted);
    x.vote(2, 2, 5, 1, false);
    BOOST_TEST(x.sent(2, raft_core_vote_result).value().granted);
    BOOST_TEST(x.said.hard_state);
    BOOST_TEST(x.facts().voted_for == 2u);
    BOOST_TEST(x.facts().role == (all.size() == 3 ? raft_core_spare : -1)); // as before
    x.vote(1, 2, 5, 1, false);
    BOOST_TEST(!x.sent(1, raft_core_vote_result).value().granted); // it has one only
    x.vote(1, 3, 0, 0, true);
    BOOST_TEST(!x.sent(1, raft_core_vote_result).value().granted); // for a log as good as its own
  }
}

BOOST_AUTO_TEST_CASE(who_has_no_log_has_no_vote) {
  auto x = core{3, 0, {}};
  x.vote(2, 2, 5, 1, false);
  BOOST_TEST(!x.sent(2, raft_core_vote_result).value().granted);
}

BOOST_AUTO_TEST_CASE(a_sole_voter_leads_in_a_new_term_after_each_start) {
  auto x = core{1, 3, {change(1, {{1, raft_core_voter}, {2, raft_core_spare}}), {3}}};
  BOOST_TEST(x.facts().state == raft_core_leader);
  BOOST_TEST(x.facts().term == 4u);
  BOOST_TEST(x.facts().voted_for == 1u);
  BOOST_TEST(x.said.hard_state);
  auto other = core{2, 3, {change(1, {{1, raft_core_voter}, {2, raft_core_spare}}), {3}}};
  BOOST_TEST(other.facts().term == 3u);
  auto alone = members{{1, raft_core_voter}};
  auto snapshot = raft_core_snapshot{5, 2, 1, alone.data(), 1};
  auto y = core{1};
  BOOST_TEST(y.start(2, {}, 6, &snapshot) == 0);
  BOOST_TEST(y.facts().term == 3u);
  BOOST_TEST(y.said.hard_state);
}

BOOST_AUTO_TEST_CASE(who_becomes_the_sole_voter_leads_in_a_new_term) {
  auto x = core{1, 3, {change(1, three)}};
  x.append(2, 3, 1, 1, {change(3, {{1, raft_core_voter}})}, 2);
  BOOST_TEST(x.facts().state == raft_core_follower);
  x.tick(3'000);
  BOOST_TEST(x.facts().state == raft_core_follower); // while it is writing that
  BOOST_TEST(x.facts().term == 3u);
  x.store();
  x.tick(3'000);
  BOOST_TEST(x.facts().state == raft_core_leader);
  BOOST_TEST(x.facts().term == 4u);
  BOOST_TEST(x.said.hard_state);
}

BOOST_AUTO_TEST_CASE(the_late_answer_to_a_pre_vote_changes_no_term) {
  auto x = core{1, 3, {change(1, three)}};
  x.grant(2, 4, true);
  BOOST_TEST(x.facts().term == 3u);
  x.lead();
  BOOST_TEST(x.facts().term == 4u);
  x.grant(3, 5, true);
  BOOST_TEST(x.facts().term == 4u);
  BOOST_TEST(x.facts().state == raft_core_leader);
}

BOOST_AUTO_TEST_CASE(who_asks_for_an_old_term_hears_of_the_new_one) {
  auto x = core{1, 7, {change(1, three)}};
  x.vote(2, 5, 9, 4, true);
  auto answer = x.sent(2, raft_core_vote_result).value();
  BOOST_TEST(!answer.granted);
  BOOST_TEST(answer.term == 7u);
  auto asking = core{2, 4, {change(1, three), {4}}};
  asking.tick(3'000);
  BOOST_TEST(asking.facts().state == raft_core_candidate);
  asking.grant(1, 7, true, false);
  BOOST_TEST(asking.facts().term == 7u);
}

BOOST_AUTO_TEST_CASE(who_was_not_elected_asks_again_before_it_takes_another_term) {
  auto x = core{1, 3, {change(1, three)}};
  x.tick(3'000);
  x.grant(2, 4, true);
  BOOST_TEST(x.facts().term == 4u);
  for (auto i = 0; i < 5; ++i) {
    x.tick(3'000);
    BOOST_TEST(x.facts().state == raft_core_candidate);
    BOOST_TEST(x.facts().term == 4u);
    BOOST_TEST(x.sent(2, raft_core_vote).value().pre_vote);
  }
  x.grant(3, 5, true);
  BOOST_TEST(x.facts().term == 5u);
  x.grant(3, 5, false);
  BOOST_TEST(x.facts().state == raft_core_leader);
}

BOOST_AUTO_TEST_CASE(a_silent_leader_is_forgotten_by_those_who_do_not_stand) {
  auto x = core{3, 1, {change(1, {{1, raft_core_voter}, {2, raft_core_voter}, {3, raft_core_spare}})}};
  x.append(1, 1, 1, 1, {});
  BOOST_TEST(x.facts().leader == 1u);
  x.vote(2, 2, 1, 1, true);
  BOOST_TEST(!x.sent(2, raft_core_vote_result).value().granted);
  x.tick(3'000);
  BOOST_TEST(x.facts().state == raft_core_follower);
  BOOST_TEST(x.facts().leader == 0u);
  x.vote(2, 2, 1, 1, true);
  BOOST_TEST(x.sent(2, raft_core_vote_result).value().granted);
}

BOOST_AUTO_TEST_CASE(who_hears_that_its_leader_is_down_stands_soon) {
  auto x = core{1, 1, {change(1, three)}};
  x.append(2, 1, 1, 1, {});
  raft_core_leader_is_down(x.get(), x.now, 3, 50);
  BOOST_TEST(x.facts().leader == 2u); // another's link
  raft_core_leader_is_down(x.get(), x.now, 2, 50);
  BOOST_TEST(x.facts().leader == 0u);
  x.tick(49);
  BOOST_TEST(x.facts().state == raft_core_follower);
  x.tick(1);
  BOOST_TEST(x.facts().state == raft_core_candidate);
}

// -- the log ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_late_refusal_does_not_undo_what_was_agreed) {
  auto x = core{1, 1, {change(1, three)}};
  x.lead();
  auto term = x.facts().term;
  for (auto i = 0; i < 5; ++i)
    x.submit({{term}});
  auto last = x.facts().last_index;
  BOOST_TEST(last == 6u);
  x.answer(2, 4);
  x.answer(2, 4, 5); // now it probes, behind 4
  x.answer(2, 3, 4); // said before 4 came
  x.tick(100);
  auto next = x.sent(2, raft_core_append).value();
  BOOST_TEST(next.index == 4u);
  BOOST_TEST(next.n_entries == 2u);
  BOOST_TEST(raft_core_match(x.get(), 2) == 4u);
}

BOOST_AUTO_TEST_CASE(a_change_that_is_committed_stays_when_the_next_is_void) {
  auto x = core{3, 1, {change(1, three)}};
  auto as_spare = members{{1, raft_core_voter}, {2, raft_core_voter}, {3, raft_core_spare}};
  x.append(1, 1, 1, 1, {change(1, as_spare)});
  x.append(1, 1, 2, 1, {change(1, {{1, raft_core_voter}, {2, raft_core_voter}})}, 2);
  BOOST_TEST(x.facts().role == -1);
  BOOST_TEST(raft_core_changed(x.get(), x.now, 2, as_spare.data(), 3, &x.said) == 0);
  BOOST_TEST(x.facts().changing == 3u);
  x.append(2, 2, 2, 1, {{2}});
  BOOST_TEST(x.facts().role == raft_core_spare);
  BOOST_TEST(x.facts().changing == 0u);
}

BOOST_AUTO_TEST_CASE(entries_from_before_the_compacted_log_are_taken_from_where_it_begins) {
  for (auto before : {std::uint64_t{0}, std::uint64_t{2}}) {
    auto x = core{1, 1, {change(1, three), {1}, {1}, {1}, {1}}};
    x.append(2, 1, 5, 1, {}, 4);
    BOOST_REQUIRE(x.compact(4, 1) == 0);
    auto all = std::vector<logged>{change(1, three), {1}, {1}, {1}, {1}, {1}, {1}};
    auto some = std::vector<logged>(all.begin() + long(before), all.begin() + 3);
    BOOST_TEST(x.append(2, 1, before, before == 0 ? 0 : 1, some) == 0);
    BOOST_TEST(x.said.n_entries == 0u);
    auto answer = x.sent(2, raft_core_append_result).value();
    BOOST_TEST(answer.rejected == 0u);
    BOOST_TEST(answer.index == 4u);
    some.assign(all.begin() + long(before), all.end());
    BOOST_TEST(x.append(2, 1, before, before == 0 ? 0 : 1, some) == 0);
    BOOST_TEST(x.said.first_index == 6u);
    BOOST_TEST(x.said.n_entries == 2u);
    BOOST_TEST(x.facts().last_index == 7u);
  }
}

BOOST_AUTO_TEST_CASE(who_installs_a_snapshot_refuses_no_entries) {
  auto x = core{1, 1, {change(1, three)}};
  BOOST_TEST(x.install(2, 1, 9, 1) == 0);
  BOOST_TEST(x.said.install);
  BOOST_TEST(x.facts().installing);
  x.append(2, 1, 20, 1, {}); // the end of a newer one
  auto answer = x.sent(2, raft_core_append_result).value();
  BOOST_TEST(answer.rejected == 0u);
  BOOST_TEST(answer.index == 0u);
  x.install(2, 1, 30, 1); // one at a time
  BOOST_TEST(!x.said.install);
  auto earlier = raft_core_snapshot{8, 1, 1, three.data(), 3}, later = raft_core_snapshot{12, 1, 1, three.data(), 3};
  BOOST_TEST(raft_core_installed(x.get(), x.now, &earlier, &x.said) == raft_core_misuse);
  BOOST_TEST(raft_core_installed(x.get(), x.now, &later, &x.said) == 0);
  BOOST_TEST(x.sent(2, raft_core_append_result).value().index == 12u);
  BOOST_TEST(x.facts().last_index == 12u);
  BOOST_TEST(x.facts().commit_index == 12u);
  x.append(2, 1, 12, 1, {{1}});
  BOOST_TEST(x.said.first_index == 13u);
}

BOOST_AUTO_TEST_CASE(who_has_installed_a_snapshot_is_not_waited_for) {
  auto x = core{1, 1, {change(1, three)}};
  x.lead();
  auto term = x.facts().term;
  auto submit = [&](int count) {
    for (auto i = 0; i < count; ++i) {
      x.submit({{term}});
      x.store();
      x.answer(3, x.facts().last_index);
    }
  };
  submit(10);
  BOOST_REQUIRE(x.compact(8, term) == 0);
  x.answer(2, 0, 1); // it lacks what is gone
  BOOST_REQUIRE(x.sent(2, raft_core_install).has_value());
  submit(10);
  BOOST_REQUIRE(x.compact(18, term) == 0);
  // It has installed 8, and says so; but that was lost. What it is asked for now is 18.
  x.tick(100);
  BOOST_REQUIRE(x.sent(2, raft_core_append).value().index == 18u);
  x.answer(2, 8, 18);
  auto again = x.sent(2, raft_core_install);
  BOOST_TEST(again.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
