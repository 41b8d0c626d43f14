// COORDINATOR: clients are sent to other nodes while this one drains.

#include "actors/coordinator.hpp"
#include "actors/log.hpp"

#include <utility>

namespace xmpp {

/// Of those that take clients now.
std::vector<std::string> coordinator::other_client_addresses() const {
  auto out = std::vector<std::string>{};
  for (auto& [id, one] : agreed_.members)
    if (id != self_id() && one.is == cluster::standing::up && up_.contains(id) && !one.says.client_address.empty())
      out.push_back(one.says.client_address);
  return out;
}

/// So many a second that those who take them are not overrun; shard by shard, so that little is held at a time.
void coordinator::send_clients_away() {
  auto self = agreed_.find(self_id());
  auto drains = node_.hands_over || (self && (self->is == cluster::standing::gone || drains_now(*self)));
  auto& drains_here = server_.drains_in_cluster;
  if (ticks_ % ticks_per_second == 0)
    server_.elsewhere.set(other_client_addresses());
  if (!drains) {
    if (drains_here.exchange(false))
      log::info("cluster.clients_stay", {{"sessions", server_.sessions.size()}});
    leaving_.clear();
    return;
  }
  if (!drains_here.exchange(true))
    log::info("cluster.clients_go", {{"sessions", server_.sessions.size()}, {"nodes", server_.elsewhere.size()}});
  auto shards = server_.route.shard_count();
  for (auto looked = 0u; leaving_.empty() && looked < shards; ++looked) {
    leaving_ = server_.sessions.of(leaving_next_);
    leaving_next_ = shard_id((leaving_next_ + 1u) % shards);
  }
  auto rate = std::uint64_t{server_.live()->options.server.drain_per_second};
  auto tick = ticks_ % ticks_per_second;
  auto now = rate * (tick + 1) / ticks_per_second - rate * tick / ticks_per_second;
  for (; now > 0 && !leaving_.empty(); --now) {
    send(leaving_.back(), server_.sent_away());
    leaving_.pop_back();
  }
}

} // namespace xmpp
