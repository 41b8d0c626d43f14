#include "actors/spread.hpp"

#include "actors/registry.hpp"
#include "actors/remote.hpp"

#include <caf/all.hpp>

#include <algorithm>

namespace xmpp {

namespace {

bool has_nothing_to_do(const shard_actor& x) {
  auto seen = dynamic_cast<const observed*>(caf::actor_cast<caf::abstract_actor*>(x));
  return seen != nullptr && seen->mailbox_size() == 0;
}

} // namespace

bool spread::takes(const jid& to) {
  if (server_.far == nullptr || !to.has_local() || !server_.is_own_domain(to.domain()))
    return false;
  auto shard = server_.route.shard_of(to);
  auto node = server_.route.node(shard);
  if (node == 0 || !has_nothing_to_do(server_.route.shard(shard)))
    return false;
  auto i = std::find_if(by_node_.begin(), by_node_.end(),
                        [&](auto& one) { return one.first == node && one.second.size() < targets_max; });
  if (i == by_node_.end())
    i = by_node_.emplace(by_node_.end(), node, std::vector<jid>{});
  i->second.push_back(to);
  return true;
}

std::vector<jid> spread::send(const stanza& what) {
  auto left = std::vector<jid>{};
  for (auto& [node, targets] : by_node_) {
    auto frame = remote::fan_out{what, std::move(targets)};
    if (!server_.far->send(node, frame))
      std::move(frame.targets.begin(), frame.targets.end(), std::back_inserter(left));
  }
  by_node_.clear();
  return left;
}

} // namespace xmpp
