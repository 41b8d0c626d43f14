#include "cluster/leader_history.hpp"

#include <utility>

namespace xmpp::cluster {

namespace {

std::uint64_t between(std::uint64_t then_ms, std::uint64_t now_ms) noexcept {
  return now_ms > then_ms ? now_ms - then_ms : 0;
}

constexpr auto here = ~node_id{0};

} // namespace

void leader_history::lost(shard_id shard, node_id node, std::string why, std::uint64_t now_ms) {
  auto& x = shards_[shard];
  if (x.leader == node && node != 0)
    x = {0, now_ms, std::move(why), x.here_since_ms};
}

void leader_history::led_elsewhere(shard_id shard, node_id node, std::uint64_t now_ms) {
  auto& x = shards_[shard];
  if (x.leader != node)
    x = {node, now_ms, {}, x.here_since_ms};
}

leader_history::begun leader_history::led_here(shard_id shard, const state& names, std::uint64_t now_ms) {
  auto before = std::exchange(shards_[shard], {here, now_ms, {}, now_ms});
  if (before.leader == here)
    return {0, "a new term"};
  if (before.leader != 0)
    return {0, "taken over from " + names.title(before.leader)};
  if (before.why.empty())
    return {0, "the first that this node knows of"};
  return {between(before.since_ms, now_ms), std::move(before.why)};
}

std::uint64_t leader_history::end_here(shard_id shard, std::uint64_t now_ms) {
  auto& x = shards_[shard];
  auto since_ms = std::exchange(x.here_since_ms, std::nullopt);
  if (x.leader == here)
    x = {0, now_ms, "this node gave it up", {}};
  return since_ms ? between(*since_ms, now_ms) : 0;
}

} // namespace xmpp::cluster
