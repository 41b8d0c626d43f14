#include "cluster/leaders.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

using namespace xmpp;
using namespace xmpp::cluster;

namespace {

using shards = std::vector<shard_id>;

/// A table and nodes that say something new with each call.
struct fixture {
  leader_table table;
  std::uint64_t sequence = 0;

  shards says(node_id from, std::map<shard_id, std::uint64_t> terms) {
    return table.apply(from, {++sequence, std::move(terms)});
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(leaders, fixture)

BOOST_AUTO_TEST_CASE(nobody_serves_at_first) {
  BOOST_TEST((table.who_serves(1) == served{}));
  BOOST_TEST(table.all().empty());
  BOOST_TEST((table.link_down(1) == shards{}));
}

BOOST_AUTO_TEST_CASE(a_node_serves_what_it_says_and_nothing_else) {
  BOOST_TEST((says(1, {{3, 1}, {2, 4}, {system_shard, 9}}) == shards{2, 3, system_shard}));
  BOOST_TEST((table.who_serves(2) == served{1, 4}));
  BOOST_TEST((table.who_serves(system_shard) == served{1, 9}));
  BOOST_TEST((table.who_serves(4) == served{}));
  BOOST_TEST((says(1, {{2, 4}, {5, 1}}) == shards{3, 5, system_shard}));
  BOOST_TEST((table.who_serves(2) == served{1, 4}));
  BOOST_TEST((table.who_serves(3) == served{0, 1}));
  BOOST_TEST((says(1, {{2, 4}, {5, 1}}) == shards{}));
}

BOOST_AUTO_TEST_CASE(the_highest_term_counts) {
  says(1, {{7, 3}});
  BOOST_TEST((says(2, {{7, 5}}) == shards{7}));
  BOOST_TEST((table.who_serves(7) == served{2, 5}));
  BOOST_TEST((says(3, {{7, 4}}) == shards{}));
  BOOST_TEST((table.who_serves(7) == served{2, 5}));
}

BOOST_AUTO_TEST_CASE(the_same_node_in_a_new_term_is_a_change) {
  says(1, {{7, 3}});
  BOOST_TEST((says(1, {{7, 4}}) == shards{7}));
  BOOST_TEST((table.who_serves(7) == served{1, 4}));
}

BOOST_AUTO_TEST_CASE(who_was_deposed_does_not_come_back_when_the_newer_leader_goes) {
  says(1, {{7, 3}});
  says(2, {{7, 5}});
  BOOST_TEST((table.link_down(2) == shards{7}));
  BOOST_TEST((table.who_serves(7) == served{0, 5}));
  BOOST_TEST((says(1, {{7, 3}, {8, 1}}) == shards{8}));
  BOOST_TEST((table.link_down(1) == shards{8}));
  BOOST_TEST((says(1, {{7, 4}}) == shards{}));
  BOOST_TEST((table.who_serves(7) == served{0, 5}));

  BOOST_TEST((says(2, {{7, 5}}) == shards{7})); // it was there all the time
  BOOST_TEST((table.who_serves(7) == served{2, 5}));
  BOOST_TEST((says(2, {}) == shards{7})); // withdrawn
  BOOST_TEST((table.who_serves(7) == served{0, 5}));
  BOOST_TEST((says(3, {{7, 6}}) == shards{7}));
  BOOST_TEST((table.who_serves(7) == served{3, 6}));
}

BOOST_AUTO_TEST_CASE(an_older_message_undoes_nothing) {
  table.apply(1, {5, {{7, 3}}});
  BOOST_TEST((table.apply(1, {4, {}}) == shards{}));
  BOOST_TEST((table.apply(1, {5, {{8, 1}}}) == shards{}));
  BOOST_TEST((table.who_serves(7) == served{1, 3}));
  BOOST_TEST((table.apply(1, {4, {{7, 9}}}) == shards{}));
  BOOST_TEST((table.who_serves(7) == served{1, 3}));
  BOOST_TEST((table.apply(2, {1, {{7, 4}}}) == shards{7})); // each counts for itself
}

BOOST_AUTO_TEST_CASE(another_process_counts_from_the_start) {
  table.apply(1, {5, {{7, 3}}});
  table.link_down(1);
  BOOST_TEST((table.apply(1, {1, {{7, 4}}}) == shards{7}));
  BOOST_TEST((table.who_serves(7) == served{1, 4}));
}

BOOST_AUTO_TEST_CASE(a_link_takes_its_nodes_claims_along_and_no_others) {
  says(1, {{1, 1}, {2, 1}});
  says(2, {{3, 1}});
  BOOST_TEST((table.link_down(1) == shards{1, 2}));
  BOOST_TEST((table.link_down(1) == shards{}));
  BOOST_TEST((table.who_serves(3) == served{2, 1}));
  BOOST_TEST((table.all() == std::map<shard_id, served>{{1, {0, 1}}, {2, {0, 1}}, {3, {2, 1}}}));
}

BOOST_AUTO_TEST_CASE(of_two_in_one_term_all_nodes_choose_the_same) { // which Raft rules out
  auto other = fixture{};
  says(1, {{7, 3}});
  says(2, {{7, 3}});
  other.says(2, {{7, 3}});
  other.says(1, {{7, 3}});
  BOOST_TEST((table.who_serves(7) == other.table.who_serves(7)));
}

namespace {

/// Nodes that lead, are deposed and notice it late; messages that are late, twice, or overtaken; links that come and
/// go. Beside the table, all that reached it, from which the answer is looked up anew each time.
class model {
public:
  explicit model(unsigned seed) : random_(seed) {}

  void run(int events) {
    for (; events > 0; --events) {
      auto node = node_id{1 + random_() % nodes};
      switch (random_() % 8) {
      case 0:
        elect(node, shard_id(random_() % count));
        break;
      case 1: // steps down, or notices that it was deposed
        leads_[node].erase(shard_id(random_() % count));
        break;
      case 2:
        if (is_up_[node]) {
          is_up_[node] = false;
          lost(node);
        } else {
          is_up_[node] = true;
          say(node);
        }
        break;
      case 3: // anew
        if (!is_up_[node]) {
          leads_[node].clear();
          sequence_[node] = 0;
          sent_[node].clear();
        }
        break;
      default:
        if (is_up_[node])
          random_() % 3 == 0 && !sent_[node].empty() ? repeat(node) : say(node);
      }
    }
    // When all have said what is so, everybody is found where he is.
    for (auto node = node_id{1}; node <= nodes; ++node) {
      for (auto shard = shard_id{0}; shard < count; ++shard)
        if (auto claim = leads_[node].find(shard); claim != leads_[node].end() && claim->second != term_[shard])
          leads_[node].erase(claim);
      heard(node, {++sequence_[node], leads_[node]});
    }
    for (auto node = node_id{1}; node <= nodes; ++node)
      for (auto& [shard, term] : leads_[node])
        BOOST_REQUIRE((table_.who_serves(shard) == served{node, term}));
  }

  int changes = 0, stale = 0;

private:
  static constexpr auto nodes = node_id{4};
  static constexpr auto count = shard_id{3};

  struct event {
    node_id from = 0;
    bool is_loss = false;
    control::leads says;
  };

  void elect(node_id node, shard_id shard) { leads_[node][shard] = ++term_[shard]; }

  void say(node_id node) {
    auto x = control::leads{++sequence_[node], leads_[node]};
    sent_[node].push_back(x);
    if (random_() % 4 != 0) // else overtaken
      heard(node, x);
    else if (random_() % 2 == 0)
      say(node);
  }

  void repeat(node_id node) { heard(node, sent_[node][random_() % sent_[node].size()]); }

  void heard(node_id node, const control::leads& x) {
    auto before = answers();
    history_.push_back({node, false, x});
    compare(before, table_.apply(node, x));
  }

  void lost(node_id node) {
    auto before = answers();
    history_.push_back({node, true, {}});
    compare(before, table_.link_down(node));
  }

  std::map<shard_id, served> answers() const {
    auto out = std::map<shard_id, served>{};
    for (auto shard = shard_id{0}; shard < count; ++shard)
      out[shard] = answer(shard);
    return out;
  }

  /// From all that happened.
  served answer(shard_id shard) const {
    auto out = served{};
    auto latest = std::map<node_id, control::leads>{};
    for (auto& x : history_) {
      if (x.is_loss)
        latest.erase(x.from);
      else if (x.says.sequence > (latest.contains(x.from) ? latest[x.from].sequence : 0)) {
        latest[x.from] = x.says;
        if (x.says.terms.contains(shard))
          out.term = std::max(out.term, x.says.terms.at(shard));
      }
    }
    for (auto& [node, says] : latest)
      if (auto claim = says.terms.find(shard); claim != says.terms.end() && claim->second == out.term)
        out.node = node;
    return out;
  }

  void compare(const std::map<shard_id, served>& before, const shards& changed) {
    auto expected = shards{};
    for (auto& [shard, now] : answers()) {
      BOOST_REQUIRE((table_.who_serves(shard) == now));
      BOOST_REQUIRE(now.term >= before.at(shard).term);
      if (now != before.at(shard))
        expected.push_back(shard);
      stale += now.node == 0 && now.term > 0;
    }
    BOOST_REQUIRE((changed == expected));
    changes += int(changed.size());
  }

  std::mt19937 random_;
  leader_table table_;
  std::vector<event> history_;
  std::map<shard_id, std::uint64_t> term_;
  std::map<node_id, std::map<shard_id, std::uint64_t>> leads_; ///< As each believes.
  std::map<node_id, std::uint64_t> sequence_;
  std::map<node_id, std::vector<control::leads>> sent_; ///< By its process.
  std::map<node_id, bool> is_up_;
};

} // namespace

BOOST_AUTO_TEST_CASE(whatever_happens_the_answer_follows_from_what_was_heard) {
  auto changes = 0, stale = 0;
  for (auto seed = 0u; seed < 400; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      auto x = model{seed};
      x.run(200);
      changes += x.changes;
      stale += x.stale;
    }
  BOOST_TEST(changes > 5'000);
  BOOST_TEST(stale > 5'000);
}

BOOST_AUTO_TEST_SUITE_END()
