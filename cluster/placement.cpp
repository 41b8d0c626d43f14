#include "cluster/placement.hpp"

#include <algorithm>
#include <tuple>

namespace xmpp::cluster {

namespace {

constexpr auto nowhere = ~std::size_t{0};

bool contains(const auto& list, const auto& x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

std::string counted(std::uint64_t count, std::string_view of) {
  return std::to_string(count) + " " + std::string{of} + (count == 1 ? "" : "s");
}

std::string duration(std::uint64_t ms) {
  auto s = ms / 1'000;
  return s < 120 ? counted(s, "second") : s < 7'200 ? counted(s / 60, "minute") : counted(s / 3'600, "hour");
}

/// Entries; what is not known is endless.
std::uint64_t lag_of(const observed_shard& of, node_id x) {
  constexpr auto endless = ~std::uint64_t{0};
  if (of.leader == 0 || of.leader == x)
    return of.leader == 0 ? endless : 0;
  auto at = of.lag.find(x);
  return at == of.lag.end() ? endless : at->second;
}

struct node_facts {
  node_id id = 0;
  const member* is = nullptr;
  std::size_t zone = 0;     ///< Its own where it has none.
  std::uint64_t age_ms = 0; ///< Since it was last heard.
  bool is_alive = false;
  bool can_take = false; ///< A replica, or a leadership.
  bool is_lost = false;  ///< It is gone, or was silent for so long that it is replaced.
  std::size_t replicas = 0, leads = 0;
};

struct shard_facts {
  shard_id id = 0;
  const placement* placed = nullptr;
  const observed_shard* seen = nullptr; ///< Null: nothing is known.
  std::vector<std::size_t> at;          ///< Where its replicas will be, as places in `nodes`.
  std::vector<bool> live;               ///< Of these: there, and caught up.
  std::size_t leader = nowhere;
  bool is_busy = false; ///< It moves, or is about to.

  std::size_t count_live() const { return std::size_t(std::count(live.begin(), live.end(), true)); }
  bool is_live(std::size_t node) const {
    auto found = std::find(at.begin(), at.end(), node);
    return found != at.end() && live[std::size_t(found - at.begin())];
  }
};

/// What is agreed on and what is seen, side by side.
class picture {
public:
  picture(const state& in, const observed& seen, const patience& how) : in_(in), how_(how) {
    auto zones = std::map<std::string, std::size_t>{};
    for (auto& [id, one] : in.members) {
      index_[id] = nodes.size();
      nodes.push_back(facts_of(id, one, seen, zones));
    }
    for (auto& [id, one] : in.shards)
      shards.push_back(facts_of(id, one, seen));
  }

  std::vector<node_facts> nodes;
  std::vector<shard_facts> shards;

  std::size_t place_of(node_id x) const {
    auto at = index_.find(x);
    return at == index_.end() ? nowhere : at->second;
  }
  std::string title(std::size_t node) const { return in_.title(nodes[node].id); }

  bool is_live(const observed_shard* shard, std::size_t node) const {
    return shard != nullptr && node != nowhere && nodes[node].is_alive &&
           lag_of(*shard, nodes[node].id) <= how_.lag_max;
  }

  std::vector<node_id> ids(const std::vector<std::size_t>& of) const {
    auto out = std::vector<node_id>{};
    for (auto one : of)
      out.push_back(nodes[one].id);
    return out;
  }

private:
  node_facts facts_of(node_id id, const member& x, const observed& seen, std::map<std::string, std::size_t>& zones) {
    auto out = node_facts{};
    out.id = id;
    out.is = &x;
    auto zone = x.says.labels.find("zone");
    out.zone = zone == x.says.labels.end() || zone->second.empty()
                   ? nodes.size()
                   : zones.try_emplace(zone->second, nodes.size()).first->second;
    out.is_lost = x.is == standing::gone;
    if (auto at = seen.nodes.find(id); at != seen.nodes.end()) {
      auto& heard = at->second;
      out.age_ms = heard.contact_age_ms;
      out.is_alive = x.is != standing::gone && heard.contact_age_ms <= how_.fresh_ms && heard.disk_ok;
      out.can_take = out.is_alive && x.is == standing::up && heard.steady_ms >= how_.steady_ms;
      out.is_lost |= heard.contact_age_ms > in_.value(setting::replace_after_s) * 1'000;
    }
    return out;
  }

  shard_facts facts_of(shard_id id, const placement& x, const observed& seen) {
    auto out = shard_facts{};
    out.id = id;
    out.placed = &x;
    if (auto at = seen.shards.find(id); at != seen.shards.end()) {
      out.seen = &at->second;
      out.leader = place_of(out.seen->transferring_to != 0 ? out.seen->transferring_to : out.seen->leader);
      if (out.leader != nowhere)
        ++nodes[out.leader].leads;
    }
    for (auto one : x.wanted()) {
      out.at.push_back(place_of(one));
      out.live.push_back(is_live(out.seen, out.at.back()));
      ++nodes[out.at.back()].replicas;
    }
    out.is_busy = x.moving.has_value();
    return out;
  }

  const state& in_;
  const patience& how_;
  std::map<node_id, std::size_t> index_;
};

/// A shortest way along which each node hands one thing on to the next, so that in the end the first has one less and
/// the last, which had at least two less than the first, one more. `edges`: what a node can hand to another, or
/// `nowhere`. The last step of that way: nothing that is handed on later can stand in its way.
struct handing_on {
  std::size_t from = nowhere, to = nowhere, first = nowhere;
};
std::optional<handing_on> level(const std::vector<std::size_t>& counts, const std::vector<std::size_t>& edges) {
  auto n = counts.size();
  auto sources = std::vector<std::size_t>{};
  for (auto i = std::size_t{0}; i < n; ++i)
    sources.push_back(i);
  std::stable_sort(sources.begin(), sources.end(), [&](auto x, auto y) { return counts[x] > counts[y]; });
  for (auto source : sources) {
    auto before = std::vector<std::size_t>(n, nowhere);
    before[source] = source;
    for (auto reached = std::vector{source}; !reached.empty();) {
      auto next = std::vector<std::size_t>{};
      for (auto here : reached)
        for (auto to = std::size_t{0}; to < n; ++to)
          if (before[to] == nowhere && edges[here * n + to] != nowhere) {
            before[to] = here;
            next.push_back(to);
          }
      auto least = std::min_element(next.begin(), next.end(), [&](auto x, auto y) { return counts[x] < counts[y]; });
      if (least != next.end() && counts[*least] + 2 <= counts[source])
        return handing_on{before[*least], *least, source};
      reached = std::move(next);
    }
  }
  return std::nullopt;
}

// -- replicas --

/// What is to become of one shard.
struct change {
  std::vector<std::size_t> at; ///< Where its replicas shall be.
  std::vector<std::size_t> add, remove;
  std::pair<int, std::size_t> urgency; ///< The smallest first.
  std::string why;
};

class planner {
public:
  planner(const state& in, const observed& seen, const patience& how)
      : in_(in), seen_(seen), how_(how), all_(in, seen, how) {
    places_ = std::size_t(std::count_if(in.members.begin(), in.members.end(), [](auto& one) {
      return (one.second.is == standing::up || one.second.is == standing::draining) && !one.second.leaves;
    }));
  }

  plan make() {
    take_back();
    leave();
    auto slots = free_slots();
    for (auto& [shard, x] : mend_all())
      if (slots > 0) {
        put_out(shard, x);
        --slots;
      }
    for (; slots > 0; --slots) {
      auto next = spread_over_zones();
      if (!next)
        next = balance();
      if (!next)
        break;
      set_about(next->first, next->second);
      put_out(next->first, next->second);
    }
    return std::move(out_);
  }

private:
  using chosen = std::pair<std::size_t, change>; ///< A shard, as its place.

  // -- what goes on already --

  void take_back() {
    for (auto& x : all_.shards) {
      auto& moving = x.placed->moving;
      if (!moving || moving->is_undo || moving->at > step::promote)
        continue;
      for (auto one : moving->add) {
        auto heard = seen_.nodes.find(one);
        if (heard == seen_.nodes.end())
          continue;
        auto is_lost = heard->second.contact_age_ms > how_.lost_ms;
        if (!is_lost && heard->second.disk_ok)
          continue;
        out_.abort.push_back(
            {{x.id, moving->id},
             in_.title(one) +
                 (is_lost ? " has been silent for " + duration(heard->second.contact_age_ms) : " has a failing disk")});
        break;
      }
    }
  }

  void leave() {
    for (auto& [id, one] : in_.members)
      if (one.leaves && in_.replicas_of(id) == 0)
        out_.leave.push_back({id, false});
  }

  std::size_t free_slots() const {
    auto under_way = std::size_t{0}, waiting = std::size_t{0};
    for (auto& x : all_.shards)
      if (x.is_busy) {
        ++under_way;
        waiting += step_of(in_, seen_, x.id, how_) ? 0 : 1;
      }
    auto max = std::size_t(in_.value(setting::moves_max));
    auto working = under_way - waiting;
    auto bound = std::min(4 * max, moves_under_way_max);
    if (working >= max || under_way >= bound)
      return 0;
    return std::min(max - working, bound - under_way);
  }

  void put_out(std::size_t shard, const change& x) {
    out_.begin.push_back({{all_.shards[shard].id, all_.ids(x.add), all_.ids(x.remove)}, x.why});
  }

  /// From here on it counts as done.
  void set_about(std::size_t shard, const change& x) {
    all_.shards[shard].is_busy = true;
    for (auto one : x.add)
      ++all_.nodes[one].replicas;
    for (auto one : x.remove)
      --all_.nodes[one].replicas;
  }

  // -- the right number, on nodes that are there --

  std::size_t wanted_count(std::size_t now, bool somebody_leaves) const {
    if (places_ >= 5 && in_.value(setting::replicas) == 5)
      return 5;
    if (places_ >= 3)
      return 3;
    // The place of one that is lost waits for another node. Two voters would both be needed: one is better.
    return now >= 3 && !somebody_leaves ? 3 : 1;
  }

  std::size_t neighbours(const std::vector<std::size_t>& among, std::size_t x) const {
    return std::size_t(std::count_if(among.begin(), among.end(),
                                     [&](auto one) { return one != x && all_.nodes[one].zone == all_.nodes[x].zone; }));
  }

  std::size_t best_target(const std::vector<std::size_t>& among, const std::vector<std::size_t>& not_these) const {
    auto best = nowhere;
    auto rank = [&](auto x) { return std::tuple{neighbours(among, x), all_.nodes[x].replicas, x}; };
    for (auto x = std::size_t{0}; x < all_.nodes.size(); ++x)
      if (all_.nodes[x].can_take && !contains(among, x) && !contains(not_these, x) &&
          (best == nowhere || rank(x) < rank(best)))
        best = x;
    return best;
  }

  std::size_t most_dispensable(const shard_facts& of, const std::vector<std::size_t>& among) const {
    return *std::max_element(among.begin(), among.end(), [&](auto x, auto y) {
      auto rank = [&](auto one) {
        return std::tuple{!of.is_live(one), neighbours(among, one), all_.nodes[one].replicas, of.leader != one, one};
      };
      return rank(x) < rank(y);
    });
  }

  /// Those first without which most is left.
  void put_in_order(const shard_facts& of, std::vector<std::size_t>& remove) const {
    std::stable_sort(remove.begin(), remove.end(), [&](auto x, auto y) {
      auto rank = [&](auto one) { return std::pair{of.is_live(one), of.leader == one}; };
      return rank(x) < rank(y);
    });
  }

  /// A majority lives and has caught up after each step, as far as one sees now.
  bool is_safe(const shard_facts& of, const change& x) const {
    auto voters = of.at.size(), live = of.count_live();
    if (live < majority(voters))
      return false;
    voters += x.add.size();
    live += x.add.size();
    for (auto one : x.remove) {
      --voters;
      live -= of.is_live(one) ? 1 : 0;
      if (live < majority(voters))
        return false;
    }
    return true;
  }

  std::optional<change> mend(const shard_facts& of) const {
    auto lost = std::vector<std::size_t>{}, leaving = lost;
    auto out = change{};
    for (auto one : of.at)
      (all_.nodes[one].is_lost ? lost : all_.nodes[one].is->leaves ? leaving : out.at).push_back(one);
    auto count = wanted_count(of.at.size(), !leaving.empty());
    while (out.at.size() > count)
      std::erase(out.at, most_dispensable(of, out.at));
    while (out.at.size() < count) {
      auto target = best_target(out.at, of.at);
      if (target == nowhere)
        break;
      out.at.push_back(target);
      out.add.push_back(target);
    }
    // Nobody takes their place yet.
    for (auto list : {&leaving, &lost})
      for (auto one : *list)
        if (out.at.size() < count)
          out.at.push_back(one);
    // An even number bears no more losses than one less.
    if (out.at.size() < count && out.at.size() % 2 == 0 && !out.add.empty()) {
      std::erase(out.at, out.add.back());
      out.add.pop_back();
    }
    for (auto one : of.at)
      if (!contains(out.at, one))
        out.remove.push_back(one);
    if (out.add.empty() && out.remove.empty())
      return std::nullopt;
    put_in_order(of, out.remove);
    if (!is_safe(of, out))
      return std::nullopt;
    explain(of, lost, leaving, out);
    return out;
  }

  void explain(const shard_facts& of, const std::vector<std::size_t>& lost, const std::vector<std::size_t>& leaving,
               change& x) const {
    auto removed = [&](auto one) { return contains(x.remove, one); };
    if (auto one = std::find_if(lost.begin(), lost.end(), removed); one != lost.end()) {
      auto& who = all_.nodes[*one];
      x.urgency = {0, of.count_live()};
      x.why = all_.title(*one) +
              (who.is->is == standing::gone ? " was removed" : " has been silent for " + duration(who.age_ms));
    } else if (one = std::find_if(leaving.begin(), leaving.end(), removed); one != leaving.end()) {
      x.urgency = {1, 0};
      x.why = all_.title(*one) + " leaves";
    } else {
      x.urgency = {x.at.size() > of.at.size() ? 2 : 3, 0};
      x.why = counted(x.at.size(), "replica") + " instead of " + std::to_string(of.at.size());
    }
  }

  /// All that is to be done, the most urgent first; where it goes is chosen for all together, so that nothing has to be
  /// moved again.
  std::vector<chosen> mend_all() {
    auto out = std::vector<chosen>{};
    for (auto i = all_.shards.size(); i-- > 0;) // the system group first: it decides the rest
      if (!all_.shards[i].is_busy)
        if (auto x = mend(all_.shards[i])) {
          set_about(i, *x);
          out.emplace_back(i, std::move(*x));
        }
    while (choose_better(out)) {
    }
    std::stable_sort(out.begin(), out.end(), [](auto& x, auto& y) { return x.second.urgency < y.second.urgency; });
    return out;
  }

  bool choose_better(std::vector<chosen>& among) {
    auto n = all_.nodes.size();
    auto edges = std::vector<std::size_t>(n * n, nowhere);
    for (auto i = std::size_t{0}; i < among.size(); ++i)
      for (auto from : among[i].second.add)
        for (auto to = std::size_t{0}; to < n; ++to)
          if (all_.nodes[to].can_take && !contains(among[i].second.at, to) &&
              !contains(all_.shards[among[i].first].at, to) && is_no_worse(among[i].second.at, from, to))
            edges[from * n + to] = i;
    auto found = level(counts(), edges);
    if (!found)
      return false;
    auto& x = among[edges[found->from * n + found->to]].second;
    std::replace(x.at.begin(), x.at.end(), found->from, found->to);
    std::replace(x.add.begin(), x.add.end(), found->from, found->to);
    --all_.nodes[found->from].replicas;
    ++all_.nodes[found->to].replicas;
    return true;
  }

  // -- what could be better --

  /// It is as it should be, but for where it is.
  bool is_calm(const shard_facts& x) const {
    return !x.is_busy && x.count_live() == x.at.size() && x.at.size() == wanted_count(x.at.size(), false) &&
           std::all_of(x.at.begin(), x.at.end(), [&](auto one) { return can_give(one); });
  }

  std::vector<std::size_t> counts() const {
    auto out = std::vector<std::size_t>{};
    for (auto& one : all_.nodes)
      out.push_back(one.replicas);
    return out;
  }

  /// As to zones, when one of `among` gives way to another.
  bool is_no_worse(const std::vector<std::size_t>& among, std::size_t from, std::size_t to) const {
    auto then = neighbours(among, to) - (all_.nodes[from].zone == all_.nodes[to].zone ? 1 : 0);
    return then <= neighbours(among, from);
  }

  bool can_give(std::size_t x) const { return all_.nodes[x].is_alive && !all_.nodes[x].is->leaves; }

  change swapped(const shard_facts& of, std::size_t from, std::size_t to) const {
    auto out = change{};
    out.at = of.at;
    std::erase(out.at, from);
    out.at.push_back(to);
    out.add = {to};
    out.remove = {from};
    return out;
  }

  std::optional<chosen> spread_over_zones() const {
    auto out = std::optional<chosen>{};
    auto best = std::tuple{std::size_t{0}, std::size_t{0}, std::size_t{0}}; // gained, had, has less
    for (auto i = std::size_t{0}; i < all_.shards.size(); ++i) {
      auto& x = all_.shards[i];
      for (auto from : x.at) {
        auto crowd = neighbours(x.at, from);
        if (crowd == 0 || !is_calm(x))
          continue;
        auto rest = x.at;
        std::erase(rest, from);
        auto to = best_target(rest, x.at);
        if (to == nowhere || neighbours(rest, to) >= crowd)
          continue;
        auto rank = std::tuple{crowd - neighbours(rest, to), all_.nodes[from].replicas,
                               ~std::size_t{0} - all_.nodes[to].replicas};
        if (out && rank <= best)
          continue;
        best = rank;
        out.emplace(i, swapped(x, from, to));
        out->second.why =
            std::to_string(crowd + 1) + " replicas in zone " + all_.nodes[from].is->says.labels.at("zone");
      }
    }
    return out;
  }

  std::optional<chosen> balance() const {
    auto n = all_.nodes.size();
    auto edges = std::vector<std::size_t>(n * n, nowhere);
    for (auto i = std::size_t{0}; i < all_.shards.size(); ++i) {
      auto& x = all_.shards[i];
      if (!is_calm(x))
        continue;
      for (auto from : x.at)
        for (auto to = std::size_t{0}; to < n; ++to) {
          if (!all_.nodes[to].can_take || !all_.nodes[from].can_take || contains(x.at, to))
            continue;
          auto& edge = edges[from * n + to];
          // A follower goes without a change of leaders.
          if (is_no_worse(x.at, from, to) &&
              (edge == nowhere || (all_.shards[edge].leader == from && x.leader != from)))
            edge = i;
        }
    }
    auto found = level(counts(), edges);
    if (!found)
      return std::nullopt;
    auto shard = edges[found->from * n + found->to];
    auto out = swapped(all_.shards[shard], found->from, found->to);
    out.why = all_.title(found->first) + " has " + counted(all_.nodes[found->first].replicas, "replica") + ", " +
              all_.title(found->to) + " " + std::to_string(all_.nodes[found->to].replicas);
    return chosen{shard, std::move(out)};
  }

  const state& in_;
  const observed& seen_;
  const patience& how_;
  picture all_;
  std::size_t places_ = 0; ///< Nodes that can hold replicas, and stay.
  plan out_;
};

struct error waits(std::string why) {
  return {errc::resource_constraint, std::move(why)};
}

/// Which of a shard's voters can lead it and is to stay, with the fewest leaderships.
std::size_t next_leader(const picture& all, const shard_facts& of) {
  auto best = nowhere;
  for (auto id : of.placed->replicas) {
    auto one = all.place_of(id);
    auto goes = of.placed->moving && contains(of.placed->moving->remove, id);
    if (one != of.leader && !goes && all.nodes[one].can_take && all.is_live(of.seen, one) &&
        (best == nowhere || all.nodes[one].leads < all.nodes[best].leads))
      best = one;
  }
  return best;
}

} // namespace

plan next_moves(const state& in, const observed& seen, const patience& how) {
  return planner{in, seen, how}.make();
}

result<next_step> step_of(const state& in, const observed& seen, shard_id shard, const patience& how) {
  auto at = in.shards.find(shard);
  if (at == in.shards.end() || !at->second.moving)
    return error{errc::item_not_found, title(shard) + " does not move"};
  auto& placed = at->second;
  auto& now = *placed.moving;
  auto looked = seen.shards.find(shard);
  if (looked == seen.shards.end() || looked->second.leader == 0)
    return waits("it has no leader");
  auto leader = looked->second.leader;

  auto heard = [&](node_id x) { return is_alive(in, seen, x, how); };
  auto is_live = [&](node_id x) { return heard(x) && lag_of(looked->second, x) <= how.lag_max; };
  auto live = std::size_t(std::count_if(placed.replicas.begin(), placed.replicas.end(), is_live));
  if (live < majority(placed.replicas.size()))
    return waits("only " + std::to_string(live) + " of " + counted(placed.replicas.size(), "replica") +
                 (live == 1 ? " is there" : " are there"));
  auto out = next_step{now.at, {}};
  switch (now.at) {
  case step::add_spare:
  case step::catch_up:
    for (auto one : now.add)
      if (!heard(one))
        return waits(in.title(one) + " is not there");
    out.who = now.add;
    return out;
  case step::promote:
    // With one voter more, who lives, a majority lives still.
    // Nor does one count that an earlier leader had added in vain: it is added again first.
    for (auto one : now.add)
      if (is_live(one) || (heard(one) && !looked->second.lag.contains(one))) {
        out.who = {one};
        return out;
      }
    return waits(in.title(now.add.front()) + (heard(now.add.front()) ? " has not caught up" : " is not there"));
  case step::transfer_leader: {
    if (!contains(now.remove, leader))
      return out;
    auto all = picture{in, seen, how};
    auto here = std::find_if(all.shards.begin(), all.shards.end(), [shard](auto& x) { return x.id == shard; });
    auto to = next_leader(all, *here);
    if (to == nowhere)
      return waits("nobody else can lead");
    out.who = {all.nodes[to].id};
    return out;
  }
  case step::remove:
    for (auto must_be_live : {false, true})
      for (auto one : now.remove) {
        auto is_voter = placed.has(one);
        auto counts = is_voter && is_live(one);
        if (counts != must_be_live || one == leader)
          continue;
        if (live - (counts ? 1 : 0) < majority(placed.replicas.size() - (is_voter ? 1 : 0)))
          return waits("without " + in.title(one) + " there would be no majority");
        out.who = {one};
        return out;
      }
    return waits(in.title(leader) + " leads it");
  }
  return out;
}

// -- leaders --

std::vector<transfer> leader_transfers(const state& in, const observed& seen, const patience& how) {
  auto all = picture{in, seen, how};
  auto out = std::vector<transfer>{};
  auto slots = std::size_t(in.value(setting::transfers_max));
  for (auto& x : all.shards)
    if (x.seen != nullptr && x.seen->transferring_to != 0 && slots > 0)
      --slots;
  auto hand_over = [&](shard_facts& x, std::size_t to, std::string why) {
    out.push_back({x.id, all.nodes[x.leader].id, all.nodes[to].id, std::move(why)});
    --all.nodes[x.leader].leads;
    ++all.nodes[to].leads;
    x.leader = to;
    --slots;
  };

  // Those first that must not lead.
  auto settled = std::vector<bool>(all.shards.size(), true); // is where it may stay, and can be moved
  for (auto i = std::size_t{0}; i < all.shards.size(); ++i) {
    auto& x = all.shards[i];
    if (x.leader == nowhere || x.seen->transferring_to != 0) {
      settled[i] = false;
      continue;
    }
    auto& by = all.nodes[x.leader];
    auto heard = seen.nodes.find(by.id);
    auto fails = heard != seen.nodes.end() && !heard->second.disk_ok;
    auto goes =
        x.placed->moving && contains(x.placed->moving->remove, by.id) && x.placed->moving->at >= step::transfer_leader;
    auto drains = by.is->is == standing::draining || by.is->is == standing::gone;
    settled[i] = !fails && !goes && !drains && !x.is_busy && by.can_take;
    if ((!fails && !goes && !drains) || slots == 0)
      continue;
    if (auto to = next_leader(all, x); to != nowhere)
      hand_over(x, to, all.title(x.leader) + (fails ? " has a failing disk" : drains ? " drains" : " gives it up"));
  }

  auto n = all.nodes.size();
  while (slots > 0) {
    auto counts = std::vector<std::size_t>{};
    for (auto& one : all.nodes)
      counts.push_back(one.leads);
    auto edges = std::vector<std::size_t>(n * n, nowhere);
    for (auto i = std::size_t{0}; i < all.shards.size(); ++i)
      if (auto& x = all.shards[i]; settled[i])
        for (auto to : x.at)
          if (to != x.leader && all.nodes[to].can_take && x.is_live(to) && edges[x.leader * n + to] == nowhere)
            edges[x.leader * n + to] = i;
    auto found = level(counts, edges);
    if (!found)
      break;
    auto i = edges[found->from * n + found->to];
    settled[i] = false;
    hand_over(all.shards[i], found->to,
              all.title(found->first) + " leads " + std::to_string(counts[found->first]) + ", " + all.title(found->to) +
                  " " + std::to_string(counts[found->to]));
  }
  return out;
}

// -- facts --

std::string_view name_of(health x) noexcept {
  switch (x) {
  case health::good:
    return "good";
  case health::alone:
    return "alone";
  case health::at_risk:
    return "at risk";
  case health::unavailable:
    return "unavailable";
  }
  return {};
}

namespace {

bool is_heard(const state& in, const observed& seen, node_id x, const patience& how) noexcept {
  auto known = in.find(x);
  auto at = seen.nodes.find(x);
  return known != nullptr && known->is != standing::gone && at != seen.nodes.end() &&
         at->second.contact_age_ms <= how.fresh_ms;
}

/// The member that is silent and says an address of these to be its own; null: none.
const member* silent_member_at(const state& in, const observed& seen, const announcement& who, const patience& how) {
  for (auto& [id, one] : in.members)
    if (id != who.id && one.is != standing::gone && !is_heard(in, seen, id, how))
      for (auto& address : one.says.addresses)
        if (contains(who.addresses, address))
          return &one;
  return nullptr;
}

} // namespace

result<void> check_seen(const state& in, const observed& seen, const command& what, const patience& how) {
  auto join = std::get_if<ask::join>(&what.what);
  auto remove = std::get_if<ask::remove>(&what.what);
  auto dead = join ? join->replaces : remove && remove->is_dead ? remove->who : node_id{0};
  if (dead != 0 && is_heard(in, seen, dead, how))
    return error{errc::not_allowed,
                 in.title(dead) + " is there: stop it first" +
                     (remove ? ", or let it leave: cluster drain " + std::to_string(in.find(dead)->number) + " --leave"
                             : std::string{})};
  if (!join || join->replaces != 0)
    return {};
  if (auto before = silent_member_at(in, seen, join->who, how)) {
    auto number = std::to_string(before->number);
    return error{errc::conflict,
                 "node " + number + " has the same address and is not there: to take its place, join with --replaces " +
                     number + "; if this is another node, remove that one first, by `cluster remove " + number +
                     " --dead` in a member's shell"};
  }
  return {};
}

bool is_alive(const state& in, const observed& seen, node_id x, const patience& how) noexcept {
  return is_heard(in, seen, x, how) && seen.nodes.at(x).disk_ok;
}

shard_health health_of(const state& in, const observed& seen, shard_id shard, const patience& how) {
  auto out = shard_health{};
  auto at = in.shards.find(shard);
  if (at == in.shards.end())
    return {health::unavailable, 0, 0, "there is no such shard"};
  auto looked = seen.shards.find(shard);
  auto has_leader = looked != seen.shards.end() && looked->second.leader != 0;
  out.voters = at->second.replicas.size();
  auto missing = std::string{};
  for (auto one : at->second.replicas) {
    auto heard = seen.nodes.find(one);
    auto alive = is_alive(in, seen, one, how);
    if (alive && has_leader && lag_of(looked->second, one) <= how.lag_max) {
      ++out.live;
      continue;
    }
    missing += (missing.empty() ? "" : ", ") + in.title(one);
    missing += alive                                                 ? " is behind"
               : in.members.at(one).is == standing::gone             ? " is gone"
               : heard != seen.nodes.end() && !heard->second.disk_ok ? " has a failing disk"
                                                                     : " is not there";
  }
  out.why = has_leader ? missing : "no leader";
  if (!has_leader || out.live < majority(out.voters)) {
    out.is = health::unavailable;
  } else if (out.live == majority(out.voters)) {
    auto others = std::count_if(in.members.begin(), in.members.end(), [](auto& one) {
      return one.second.is == standing::up || one.second.is == standing::draining;
    });
    out.is = out.voters == 1 && others < 3 ? health::alone : health::at_risk;
    if (missing.empty())
      out.why = counted(out.voters, "replica");
  }
  return out;
}

} // namespace xmpp::cluster
