// COORDINATOR: the members of groups that this node has.

#include "actors/coordinator.hpp"
#include "actors/log.hpp"
#include "cluster/stored.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <utility>

namespace xmpp {

bool coordinator::should_have(shard_id shard) const {
  auto i = agreed_.shards.find(shard);
  if (i == agreed_.shards.end())
    return false;
  auto& placed = i->second;
  return placed.has(self_id()) || (placed.moving && (std::ranges::count(placed.moving->add, self_id()) != 0 ||
                                                     std::ranges::count(placed.moving->remove, self_id()) != 0));
}

void coordinator::arrange_members() {
  for (auto& [shard, placed] : agreed_.shards) {
    auto is_here = members_.contains(shard);
    if (should_have(shard) && !is_here && beginning_.insert(shard).second)
      server_.storage->run(0, [self = coordinator_actor{this}, shard = shard](store* db) -> result<void> {
        if (!db)
          return {};
        auto made = db->is_group(shard) ? result<void>{} : db->append({}, std::array{raft::waiting_member(shard)});
        if (made)
          caf::anon_send(self, msg::group_ready{shard});
        return made;
      });
    else if (!should_have(shard) && is_here)
      end_member(shard);
  }
}

void coordinator::begin_member(shard_id shard) {
  auto how = group_replica_options{};
  how.shard = shard;
  how.raft.id = self_id();
  how.raft.seed = unsigned(std::random_device{}());
  auto calls = member::callbacks{};
  calls.send = [this_node = &node_, shard](raft::member_id to, const std::string& bytes, bool is_bulk) {
    this_node->send_raft(to, shard, bytes, is_bulk);
  };
  calls.on_leadership = [self = caf::weak_actor_ptr{ctrl()}, shard](const leadership& x) {
    if (auto strong = self.lock())
      caf::anon_send(caf::actor_cast<coordinator_actor>(strong), msg::leadership_changed{shard, x});
  };
  auto made = spawn<member, caf::monitored>(caf::strong_actor_ptr{ctrl()}, std::move(how), std::ref(*server_.storage),
                                            std::ref(seat_of(shard)), std::move(calls));
  members_[shard].actor = made;
}

void coordinator::end_member(shard_id shard) {
  auto& one = members_.at(shard);
  if (std::exchange(one.is_ending, true))
    return;
  send_exit(one.actor, caf::exit_reason::user_shutdown);
  leadership_changed({shard, {}});
}

void coordinator::member_ended(const caf::down_msg& x) {
  auto i = std::ranges::find_if(members_, [&](auto& one) { return one.second.actor.address() == x.source; });
  if (i == members_.end())
    return;
  auto shard = i->first;
  auto was_ending = i->second.is_ending;
  members_.erase(i);
  log::info("cluster.member_ended", {{"group", cluster::title(shard)}, {"why", to_string(x.reason)}});
  if (!was_ending)
    return begin_member(shard);
  server_.storage->run(0, [shard](store* db) -> result<void> { return db ? db->erase_group(shard) : result<void>{}; });
}

void coordinator::child_failed(const msg::child_failed& x) {
  log::error("cluster.member_failed", {{"actor", x.child->id()}, {"what", x.what}});
  delayed_send(caf::actor_cast<supervised_actor>(x.child), std::chrono::seconds{1}, msg::verdict{});
}

void coordinator::look_at(shard_id shard) {
  if (auto member = seat_of(shard).member())
    member->inspect([self = coordinator_actor{this}, shard](const group_replica::status& x) {
      caf::anon_send(self, msg::inspected{shard, x});
    });
}

cluster::control::report coordinator::own_report() const {
  auto out = cluster::control::report{};
  auto health = server_.storage->health();
  out.sessions = server_.sessions.size();
  out.disk_ok = !health.failed;
  out.disk_words = health.reason;
  out.disk_free_bytes = server_.storage->count().free_bytes;
  out.state_version = agreed_.version;
  out.up_s = ticks_ / ticks_per_second;
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
    if (auto i = transfers_.find(shard); i != transfers_.end())
      to.transferring_to = i->second.first;
    for (auto& other : one.last->members)
      if (other.member.id != self_id()) {
        to.lag[other.member.id] = one.last->last_index - std::min(other.match, one.last->last_index);
        if (other.member.role == raft::role::spare)
          to.catch_up[other.member.id] = std::uint8_t(other.catch_up_progress);
      }
  }
  return out;
}

} // namespace xmpp
