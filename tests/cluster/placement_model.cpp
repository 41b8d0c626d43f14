// A model of a cluster that carries out what is planned while nodes come, go, fail and stutter, all from one seed. Then
// it is left in peace, and everything must be where it belongs. TROUPE_PLACEMENT_SEEDS=1000 tries so many histories of
// each kind, TROUPE_PLACEMENT_SEED=7 begins with that.
#include "cluster/placement.hpp"
#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

using namespace xmpp;
using namespace xmpp::cluster;
using xmpp::test::system_group;

namespace {

struct kind {
  bool zones = false;
  std::uint64_t replicas = 3, moves_max = 1, shards = 8;
  unsigned storm_s = 400;
};

class model {
public:
  model(std::uint64_t seed, const kind& what)
      : kind_(what), random_(seed), group_(what.shards, {{setting::replicas, what.replicas},
                                                         {setting::moves_max, what.moves_max},
                                                         {setting::replace_after_s, 60}}) {
    nodes_[11] = {};
    for (auto& [shard, placed] : group_.state.shards)
      groups_[shard] = {{11}, {}, 11, {{11, 0}}, 0};
    if (what.zones)
      group_.must(ask::member_up{system_group::announced(11, zone_of(11))});
  }

  /// Seconds in which anything may happen.
  void storm(unsigned seconds) {
    for (calm_ = false; seconds > 0; --seconds) {
      fate();
      second();
    }
  }

  /// What is not gone comes back; until nothing more is to be done.
  void peace() {
    calm_ = true;
    for (auto& [id, one] : nodes_) {
      one.until_s = 0;
      one.disk_ok = true;
    }
    auto still = 0u;
    auto waited = 0u;
    for (; still < 15; ++waited) {
      for (auto& [id, one] : group_.state.members)
        if (one.is == standing::joining || (one.is == standing::draining && !one.leaves))
          group_.must(ask::member_up{one.says});
      auto before = group_.state.version;
      auto led = transfers_;
      second();
      still = group_.state.version == before && transfers_ == led ? still + 1 : 0;
      BOOST_REQUIRE_MESSAGE(waited < 5'000, "it does not come to rest");
    }
  }

  void check_all_is_well() {
    auto& in = group_.state;
    auto places = std::size_t(
        std::count_if(in.members.begin(), in.members.end(), [](auto& one) { return one.second.is == standing::up; }));
    BOOST_TEST_CONTEXT(places << " nodes") {
      for (auto& [shard, placed] : in.shards) {
        BOOST_TEST(!placed.moving.has_value());
        auto wanted = places >= 5 ? in.value(setting::replicas) : 3u;
        auto size = placed.replicas.size();
        BOOST_TEST((places >= 3 ? size == wanted : size == 1 || size == 3), title(shard) << " has " << size);
        for (auto one : placed.replicas)
          BOOST_TEST((in.members.at(one).is == standing::up || (places < 3 && size == 3)));
        auto& really = groups_.at(shard);
        BOOST_TEST((really.voters == std::set<node_id>{placed.replicas.begin(), placed.replicas.end()}));
        BOOST_TEST(really.spares.empty());
        BOOST_TEST(crowd(placed.replicas) == least_crowd(size));
      }
      auto has = std::map<std::string, std::map<node_id, std::size_t>>{}; // by zone; one where there are none
      auto leads = std::map<node_id, std::size_t>{};
      for (auto& [id, one] : in.members)
        if (one.is == standing::up) {
          has[kind_.zones ? zone_of(id) : ""][id] = in.replicas_of(id);
          leads[id] = 0;
        }
      for (auto& [zone, counts] : has)
        BOOST_TEST(spread(counts) <= 1u);
      for (auto& [shard, one] : groups_)
        ++leads[one.leader];
      // Unless those who lead little hold nothing that others could give.
      if (!kind_.zones && places >= 3)
        BOOST_TEST(spread(leads) <= 1u);
      for (auto& [id, one] : in.members)
        BOOST_TEST((one.is == standing::up || one.is == standing::gone));
    }
  }

  /// However it looks for a while, nothing is to be done.
  void check_nothing_stirs() {
    for (auto i = 0; i < 60; ++i) {
      auto seen = look();
      for (auto& [id, one] : seen.nodes) {
        one.contact_age_ms = random_() % (i % 2 == 0 ? 3'000 : 20'000);
        one.steady_ms = random_() % 3 == 0 ? 5'000 : 50'000;
      }
      for (auto& [shard, one] : seen.shards)
        for (auto& [id, lag] : one.lag)
          lag = random_() % 1'300;
      auto next = next_moves(group_.state, seen);
      BOOST_REQUIRE_MESSAGE(next.empty(), (next.begin.empty() ? "?" : next.begin[0].why));
      auto moved = leader_transfers(group_.state, seen);
      BOOST_REQUIRE_MESSAGE(moved.empty(), (moved.empty() ? "" : moved[0].why));
    }
  }

  unsigned moves() const { return moves_; }
  unsigned transfers() const { return transfers_; }
  unsigned aborted() const { return aborted_; }

private:
  struct node {
    unsigned until_s = 0; ///< It is away until then.
    unsigned since_s = 0; ///< It came at.
    unsigned heard_s = 0;
    bool disk_ok = true;
  };
  struct group {
    std::set<node_id> voters, spares;
    node_id leader = 0;
    std::map<node_id, std::uint64_t> lag;
    node_id transferring_to = 0;
  };

  std::string zone_of(node_id x) const { return kind_.zones ? std::string(1, char('a' + x % 7 % 4)) : ""; }
  bool happens(double p) { return double(random_() % 10'000) < p * 10'000; }
  bool is_there(node_id x) const { return nodes_.contains(x) && nodes_.at(x).until_s <= now_s_; }

  // -- what happens --

  void fate() {
    auto& in = group_.state;
    auto some = [&] { return std::next(nodes_.begin(), std::ptrdiff_t(random_() % nodes_.size()))->first; };
    if (happens(0.02) && places() < 8) {
      auto id = next_id_++;
      group_.add(id, zone_of(id));
      nodes_[id] = {0, now_s_, now_s_, true};
    }
    if (happens(0.03)) { // a short or a long time
      auto& one = nodes_.at(some());
      one.until_s = now_s_ + 1 + unsigned(happens(0.7) ? random_() % 10 : random_() % 150);
    }
    if (happens(0.005))
      nodes_.at(some()).disk_ok = false;
    if (happens(0.05))
      for (auto& [id, one] : nodes_)
        one.disk_ok = true;
    if (happens(0.01) && places() > 3)
      (void)group_.asks(ask::drain{some(), true, happens(0.1)}).has_value();
    if (happens(0.01))
      (void)group_.asks(ask::drain{some(), false, false}).has_value();
    if (happens(0.02))
      if (auto id = some(); is_there(id))
        (void)group_.asks(ask::member_up{in.members.at(id).says}).has_value();
    if (happens(0.01))
      (void)group_.asks(ask::cancel_drain{some()}).has_value();
    if (happens(0.01) && places() > 3)
      if (auto id = some(); !is_there(id))
        (void)group_.asks(ask::remove{id, true}).has_value();
    for (auto at = in.members.begin(); at != in.members.end();) {
      auto id = (at++)->first;
      if (in.members.at(id).is == standing::gone && happens(0.1))
        (void)group_.asks(ask::forget{id}).has_value();
    }
    if (happens(0.005))
      (void)group_.asks(ask::set_setting{setting::replicas, happens(0.5) ? 3u : kind_.replicas}).has_value();
  }

  std::size_t places() const {
    return std::size_t(std::count_if(group_.state.members.begin(), group_.state.members.end(),
                                     [](auto& one) { return one.second.is != standing::gone && !one.second.leaves; }));
  }

  // -- a second of the cluster's life --

  void second() {
    ++now_s_;
    group_.now_ms += 1'000;
    auto& in = group_.state;
    for (auto at = nodes_.begin(); at != nodes_.end();) {
      auto& [id, one] = *at;
      if (!in.members.contains(id) || in.members.at(id).is == standing::gone) {
        at = nodes_.erase(at);
        continue;
      }
      if (!is_there(id))
        one.since_s = now_s_ + 1;
      else
        one.heard_s = now_s_;
      ++at;
    }
    for (auto& [shard, one] : groups_)
      live(one);
    if (groups_.at(system_shard).leader == 0)
      return;
    for (auto& [shard, one] : groups_)
      carry_on(shard, one);
    if (calm_ || happens(0.7))
      replan();
  }

  bool is_live(const group& x, node_id id) const { return is_there(id) && x.lag.at(id) <= 1'000; }

  /// Followers follow; a leader that is lost is replaced.
  void live(group& x) {
    auto there = std::count_if(x.voters.begin(), x.voters.end(), [&](auto id) { return is_there(id); });
    if (std::size_t(there) < majority(x.voters.size()) || !is_there(x.leader) || !x.voters.contains(x.leader))
      x.leader = 0;
    if (x.leader == 0 && std::size_t(there) >= majority(x.voters.size())) // one of them has all
      for (auto id : x.voters)
        if (is_there(id) && (x.leader == 0 || x.lag.at(id) < x.lag.at(x.leader)))
          x.leader = id;
    for (auto& [id, lag] : x.lag)
      if (!is_there(id))
        lag += random_() % 50;
      else if (x.leader != 0)
        lag = id == x.leader ? 0 : lag / 3 + random_() % 20;
  }

  observed look() {
    auto out = observed{};
    for (auto& [id, one] : nodes_) {
      auto age = now_s_ - one.heard_s;
      out.nodes[id] = {age * 1'000 + (age < 3 ? random_() % 900 : 0), (now_s_ - std::min(now_s_, one.since_s)) * 1'000u,
                       one.disk_ok, std::nullopt};
    }
    for (auto& [shard, one] : groups_) {
      auto& x = out.shards[shard];
      x.leader = one.leader;
      x.lag = one.lag;
      x.transferring_to = one.leader == 0 ? 0 : one.transferring_to;
    }
    return out;
  }

  /// By what can be known: `id` is heard, works, and has caught up.
  static bool seems_live(const observed& seen, shard_id shard, node_id id) {
    auto at = seen.nodes.find(id);
    return at != seen.nodes.end() && at->second.contact_age_ms <= 3'000 && at->second.disk_ok &&
           seen.shards.at(shard).lag.at(id) <= 1'000;
  }

  void check_majority(const observed& seen, shard_id shard, const group& x) const {
    auto live = std::count_if(x.voters.begin(), x.voters.end(), [&](auto id) { return seems_live(seen, shard, id); });
    BOOST_REQUIRE_MESSAGE(std::size_t(live) >= majority(x.voters.size()),
                          title(shard) << ": " << live << " of " << x.voters.size() << " voters at " << now_s_ << " s");
  }

  void carry_on(shard_id shard, group& x) {
    if (x.transferring_to != 0) {
      if (x.leader != 0 && is_live(x, x.transferring_to) && x.voters.contains(x.transferring_to) &&
          (calm_ || happens(0.8)))
        x.leader = x.transferring_to;
      x.transferring_to = 0;
    }
    auto& placed = group_.state.shards.at(shard);
    if (!placed.moving || (!calm_ && happens(0.3)))
      return;
    auto id = placed.moving->id;
    if (!calm_ && happens(0.02)) {
      aborted_ += group_.asks(ask::abort_move{shard, id}).has_value() ? 1 : 0;
      return;
    }
    auto seen = look();
    auto now = step_of(group_.state, seen, shard);
    if (!now)
      return;
    auto who = node_id{0};
    switch (now->at) {
    case step::add_spare:
      for (auto one : now->who) {
        x.spares.insert(one);
        x.lag.try_emplace(one, 50'000);
      }
      break;
    case step::catch_up:
      if (std::any_of(now->who.begin(), now->who.end(), [&](auto one) { return x.lag.at(one) > 1'000; }))
        return;
      break;
    case step::promote:
      who = now->who.at(0);
      x.spares.erase(who);
      x.voters.insert(who);
      check_majority(seen, shard, x);
      break;
    case step::transfer_leader:
      if (!now->who.empty()) {
        x.transferring_to = now->who.at(0);
        return;
      }
      break;
    case step::remove:
      who = now->who.at(0);
      BOOST_REQUIRE(x.leader != who);
      x.spares.erase(who);
      if (x.voters.erase(who) > 0)
        check_majority(seen, shard, x);
    }
    if (!calm_ && happens(0.1))
      return; // the report is lost; what was done is done
    group_.must(ask::move_step_done{shard, id, now->at, who});
    if (!placed.moving)
      std::erase_if(x.lag, [&](auto& one) { return !x.voters.contains(one.first); });
  }

  void replan() {
    auto seen = look();
    auto next = next_moves(group_.state, seen);
    for (auto& one : next.abort)
      group_.must(one.what);
    for (auto& one : next.begin) {
      group_.must(one.what);
      ++moves_;
    }
    for (auto& one : next.leave)
      group_.must(one);
    auto under_way = std::count_if(group_.state.shards.begin(), group_.state.shards.end(),
                                   [](auto& one) { return one.second.moving.has_value(); });
    BOOST_REQUIRE(std::size_t(under_way) <= 4 * kind_.moves_max);
    for (auto& one : leader_transfers(group_.state, seen)) {
      auto& x = groups_.at(one.shard);
      BOOST_REQUIRE(x.leader == one.from);
      BOOST_REQUIRE(x.voters.contains(one.to));
      x.transferring_to = one.to;
      ++transfers_;
    }
  }

  // -- how it should be --

  static std::size_t spread(const std::map<node_id, std::size_t>& of) {
    auto [least, most] =
        std::minmax_element(of.begin(), of.end(), [](auto& x, auto& y) { return x.second < y.second; });
    return most->second - least->second;
  }

  /// Pairs in one zone.
  std::size_t crowd(const std::vector<node_id>& on) const {
    auto out = std::size_t{0};
    for (auto x = on.begin(); kind_.zones && x != on.end(); ++x)
      out += std::size_t(std::count_if(x + 1, on.end(), [&](auto y) { return zone_of(*x) == zone_of(y); }));
    return out;
  }

  std::size_t least_crowd(std::size_t replicas) const {
    auto room = std::map<std::string, std::size_t>{};
    for (auto& [id, one] : group_.state.members)
      if (one.is == standing::up)
        ++room[zone_of(id)];
    auto taken = std::map<std::string, std::size_t>{};
    auto out = std::size_t{0};
    for (; kind_.zones && replicas > 0; --replicas) {
      auto best = std::string{};
      for (auto& [zone, count] : room)
        if (taken[zone] < count && (best.empty() || taken[zone] < taken[best]))
          best = zone;
      if (best.empty())
        break;
      out += taken[best]++;
    }
    return out;
  }

  kind kind_;
  std::mt19937_64 random_;
  system_group group_;
  std::map<node_id, node> nodes_;
  std::map<shard_id, group> groups_;
  node_id next_id_ = 12;
  unsigned now_s_ = 0;
  bool calm_ = false;
  unsigned moves_ = 0, transfers_ = 0, aborted_ = 0;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  auto said = std::getenv(name);
  return said ? std::strtoull(said, nullptr, 10) : otherwise;
}

void for_seeds(std::uint64_t count, const kind& what) {
  auto first = from_environment("TROUPE_PLACEMENT_SEED", 1);
  count = from_environment("TROUPE_PLACEMENT_SEEDS", count);
  auto moves = 0u, transfers = 0u, aborted = 0u;
  for (auto seed = first; seed < first + count; ++seed)
    BOOST_TEST_CONTEXT("again: TROUPE_PLACEMENT_SEED=" << seed << " TROUPE_PLACEMENT_SEEDS=1") {
      auto x = model{seed, what};
      for (auto storms = 0; storms < 2; ++storms) {
        x.storm(what.storm_s);
        x.peace();
        x.check_all_is_well();
        x.check_nothing_stirs();
      }
      moves += x.moves();
      transfers += x.transfers();
      aborted += x.aborted();
    }
  BOOST_TEST(moves > count * 10);
  BOOST_TEST(transfers > count * 5);
  BOOST_TEST_MESSAGE(count << " histories: " << moves << " moves, " << aborted << " aborted, " << transfers
                           << " leaders moved");
}

} // namespace

BOOST_AUTO_TEST_SUITE(placement_model)

BOOST_AUTO_TEST_CASE(three_replicas_one_move_at_a_time) {
  for_seeds(6, {});
}

BOOST_AUTO_TEST_CASE(five_replicas_several_moves_at_a_time) {
  for_seeds(6, {.replicas = 5, .moves_max = 3});
}

BOOST_AUTO_TEST_CASE(in_zones) {
  for_seeds(6, {.zones = true, .moves_max = 2});
}

BOOST_AUTO_TEST_SUITE_END()
