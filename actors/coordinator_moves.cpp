// COORDINATOR: where replicas and leaderships go.

#include "actors/coordinator.hpp"
#include "actors/log.hpp"
#include "cluster/placement.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace xmpp {

std::vector<std::string> coordinator::plan(const cluster::patience& how) {
  auto said = std::vector<std::string>{};
  auto seen = seen_.seen(steady_ms());
  auto next = cluster::next_moves(agreed_, seen, how);
  for (auto& one : next.abort) {
    log::info("cluster.move_taken_back", {{"group", cluster::title(one.what.shard)}, {"why", one.why}});
    said.push_back(cluster::title(one.what.shard) + ": its move is taken back: " + one.why);
    events_.explain(one.what, one.why);
    propose(one.what);
  }
  for (auto& one : next.begin) {
    log::info("cluster.move", {{"group", cluster::title(one.what.shard)}, {"why", one.why}});
    said.push_back(cluster::title(one.what.shard) + ": a replica moves: " + one.why);
    events_.explain(one.what, one.why);
    propose(one.what);
  }
  for (auto& one : next.leave) {
    log::info("cluster.leaves", {{"node", agreed_.title(one.who)}});
    said.push_back(agreed_.title(one.who) + " has nothing left and goes");
    propose(one);
  }
  for (auto& one : cluster::leader_transfers(agreed_, seen, how)) {
    if (leaders_.who_serves(one.shard).node != one.from) // It has gone on since that node's last report.
      continue;
    log::info("cluster.transfer",
              {{"group", cluster::title(one.shard)}, {"to", agreed_.title(one.to)}, {"why", one.why}});
    said.push_back(cluster::title(one.shard) + ": its leader moves from " + agreed_.title(one.from) + " to " +
                   agreed_.title(one.to) + ": " + one.why);
    if (one.from == self_id())
      transfer(one.shard, one.to);
    else
      to_node(one.from, cluster::control::transfer{one.shard, one.to});
  }
  return said;
}

/// At once what else would wait until all nodes have been there for a while.
cluster_rebalancing coordinator::rebalance() {
  auto out = cluster_rebalancing{};
  out.leader = leaders_.who_serves(system_shard).node;
  out.is_here = out.leader == self_id();
  if (!out.is_here)
    return out;
  auto eager = cluster::patience{};
  eager.steady_ms = 0;
  out.begun = plan(eager);
  out.under_way = out.begun.size();
  for (auto& [shard, placed] : agreed_.shards)
    out.under_way += placed.moving ? 1 : 0;
  for (auto& [shard, x] : seen_.seen(steady_ms()).shards)
    out.under_way += x.transferring_to != 0 ? 1 : 0;
  return out;
}

void coordinator::transfer(shard_id shard, cluster::node_id to) {
  if (!own_leads_.terms.contains(shard) || transfers_.contains(shard))
    return;
  if (auto member = node_.member_of(shard)) {
    transfers_[shard] = {to, steady_ms()};
    member->transfer(to, {});
  }
}

/// To whoever is linked and has most of it.
void coordinator::hand_over() {
  auto is_alone = up_.empty();
  if (!is_alone && !std::exchange(has_drained_, true)) // Else leaders would come back.
    propose(cluster::ask::drain{self_id()},
            [this](const result<cluster::applied>& how) { has_drained_ = how.has_value(); });
  for (auto& [shard, term] : own_leads_.terms) {
    auto& last = members_.at(shard).last;
    auto best = static_cast<const group_member::status::other*>(nullptr);
    if (!last)
      continue;
    for (auto& one : last->members)
      if (one.member.role == raft::role::voter && up_.contains(one.member.id) && (!best || one.match > best->match))
        best = &one;
    if (best)
      transfer(shard, best->member.id);
  }
  if (is_alone)
    node_.shards_led = 0; // There is nobody to wait for.
}

/// One step at most, of what the move still needs; looked at anew each time, so that it can be done by whoever leads.
void coordinator::move_on(shard_id shard) {
  auto member = node_.member_of(shard);
  auto found = members_.find(shard);
  auto next = cluster::step_of(agreed_, seen_.seen(steady_ms()), shard);
  if (!next || !member || found == members_.end() || !found->second.last)
    return;
  auto move = agreed_.shards.at(shard).moving->id;
  auto last = *found->second.last;
  auto members = std::vector<raft::member>{};
  for (auto& other : last.members)
    members.push_back(other.member);
  auto find = [&](cluster::node_id x) { return std::ranges::find(members, x, &raft::member::id); };
  auto done = [&](cluster::node_id who) { propose(cluster::ask::move_step_done{shard, move, next->at, who}); };
  auto told = [shard, at = next->at](raft::refusal x) {
    static constexpr const char* whys[] = {"", "not the leader", "busy", "misuse"};
    if (x != raft::refusal::none)
      log::debug("cluster.step_refused",
                 {{"group", cluster::title(shard)}, {"step", cluster::name_of(at)}, {"why", whys[std::size_t(x)]}});
  };
  // Else it is made to.
  auto has_caught_up = [&](cluster::node_id who) {
    auto i = std::ranges::find(last.members, who, [](auto& x) { return x.member.id; });
    if (i == last.members.end() || i->member.role == raft::role::voter || i->catch_up_progress == 3)
      return true;
    if (i->catch_up_progress != 1)
      member->catch_up(who, told);
    return false;
  };
  switch (next->at) {
  case cluster::step::add_spare:
    for (auto who : next->who)
      if (find(who) == members.end()) {
        members.push_back({who, raft::role::spare});
        return member->change(std::move(members), told);
      }
    return done(0);
  case cluster::step::catch_up:
    for (auto who : next->who)
      if (!has_caught_up(who))
        return;
    return done(0);
  case cluster::step::promote:
    if (next->who.empty())
      return;
    if (auto i = find(next->who.front()); i != members.end()) {
      if (i->role == raft::role::voter)
        return done(i->id);
      if (!has_caught_up(i->id)) // With an earlier leader it had.
        return;
      i->role = raft::role::voter;
    } else {
      members.push_back({next->who.front(), raft::role::spare}); // What an earlier leader had changed was not kept.
    }
    return member->change(std::move(members), told);
  case cluster::step::transfer_leader:
    if (next->who.empty())
      return done(0);
    return transfer(shard, next->who.front());
  case cluster::step::remove:
    if (next->who.empty())
      return;
    if (auto i = find(next->who.front()); i == members.end()) {
      done(next->who.front());
    } else {
      members.erase(i);
      member->change(std::move(members), told);
    }
    return;
  }
}

} // namespace xmpp
