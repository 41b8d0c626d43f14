// COORDINATOR: the members of groups that this node has.

#include "actors/coordinator.hpp"
#include "actors/log.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>
#include <vector>

namespace xmpp {

bool coordinator::may_have(cluster::node_id who, shard_id shard) const {
  auto i = agreed_.shards.find(shard);
  if (i == agreed_.shards.end())
    return false;
  auto& placed = i->second;
  return placed.has(who) || (placed.moving && (std::ranges::count(placed.moving->add, who) != 0 ||
                                               std::ranges::count(placed.moving->remove, who) != 0));
}

/// Only what the system group's leader says ends a member, whose data goes with it: what a start finds, or what others
/// pass on, may be older than what this member has taken since.
void coordinator::arrange_members() {
  auto is_sure = own_leads_.terms.contains(system_shard) || sure_version_ >= agreed_.version;
  auto begin = std::vector<shard_id>{}, end = begin; // What is agreed on may change with each that ends.
  for (auto& [shard, placed] : agreed_.shards) {
    auto is_here = members_.contains(shard);
    if (should_have(shard) && !is_here && beginning_.insert(shard).second)
      begin.push_back(shard);
    else if (!should_have(shard) && is_here && is_sure)
      end.push_back(shard);
  }
  for (auto shard : begin)
    node_.make_group(shard, [self = coordinator_actor{this}, shard](bool is_ready) {
      caf::anon_send(self, msg::group_ready{shard, is_ready});
    });
  for (auto shard : end)
    end_member(shard);
}

void coordinator::group_ready(const msg::group_ready& x) {
  beginning_.erase(x.shard); // Not ready: tried again in a second.
  if (x.is_ready && !members_.contains(x.shard))
    begin_member(x.shard);
}

void coordinator::begin_member(shard_id shard) {
  auto on_leadership = [self = caf::weak_actor_ptr{ctrl()}, shard](const leadership& x) {
    if (auto strong = self.lock())
      caf::anon_send(caf::actor_cast<coordinator_actor>(strong), msg::leadership_changed{shard, x});
  };
  auto& made = members_[shard].actor;
  made = node_.start_member(system(), caf::strong_actor_ptr{ctrl()}, shard, std::move(on_leadership));
  monitor(made);
}

void coordinator::end_member(shard_id shard) {
  auto& one = members_.at(shard);
  if (std::exchange(one.is_ending, true))
    return;
  send_exit(one.actor, caf::exit_reason::user_shutdown);
  leadership_changed({shard, {}});
}

void coordinator::member_ended(const caf::down_msg& x) {
  auto i = std::ranges::find_if(members_, [&](auto& one) { return one.second.actor->address() == x.source; });
  if (i == members_.end())
    return;
  auto shard = i->first;
  auto was_ending = i->second.is_ending;
  leadership_changed({shard, {}});
  members_.erase(shard);
  log::info("cluster.member_ended", {{"group", cluster::title(shard)}, {"why", to_string(x.reason)}});
  if (!was_ending)
    return begin_member(shard);
  node_.erase_group(shard);
}

void coordinator::child_failed(const msg::child_failed& x) {
  log::error("cluster.member_failed", {{"actor", x.child->id()}, {"what", x.what}});
  delayed_send(caf::actor_cast<supervised_actor>(x.child), std::chrono::seconds{1}, msg::verdict{});
}

void coordinator::look_at(shard_id shard) {
  if (auto member = node_.member_of(shard))
    member->inspect([self = coordinator_actor{this}, shard](const group_member::status& x) {
      caf::anon_send(self, msg::inspected{shard, x});
    });
}

void coordinator::measure() {
  node_.measure([self = coordinator_actor{this}](const coordinator_surroundings::sizes& x) {
    caf::anon_send(self, msg::measured{x});
  });
}

cluster::control::report coordinator::own_report() const {
  auto out = cluster::control::report{};
  auto disk = node_.own_disk();
  out.sessions = server_.sessions.size();
  out.disk_ok = !disk.has_failed;
  out.disk_words = disk.why;
  out.disk_free_bytes = disk.free_bytes;
  out.disk_used_bytes = sizes_.disk_bytes;
  out.state_version = agreed_.version;
  out.up_s = ticks_ / ticks_per_second;
  out.host_words = host_difference_.text();
  for (auto& [shard, one] : members_) {
    if (!one.last)
      continue;
    auto led = own_leads_.terms.find(shard);
    if (led == own_leads_.terms.end()) {
      out.follows[shard] = one.last->applied;
      continue;
    }
    auto& to = out.leads[shard];
    to.term = led->second;
    to.applied = one.last->applied;
    if (auto i = sizes_.states.find(shard); i != sizes_.states.end())
      to.bytes = i->second;
    if (auto i = transfers_.find(shard); i != transfers_.end())
      to.transferring_to = i->second.first;
    for (auto& other : one.last->members)
      if (other.member.id != self_id()) {
        to.lag[other.member.id] = one.last->last_index - std::min(other.match, one.last->last_index);
        if (other.member.role == raft::role::spare)
          to.catch_up[other.member.id] = std::uint8_t(other.catch_up_progress);
      }
  }
  for (auto& one : node_.link_status())
    out.links[one.node] = {one.is_up, std::accumulate(one.waiting.begin(), one.waiting.end(), one.waiting_for_socket),
                           one.round_trip_us};
  return out;
}

} // namespace xmpp
