#include "cluster/link_history.hpp"

#include <utility>

namespace xmpp::cluster {

namespace {

constexpr auto never_was_up = "it was not linked before";

std::uint64_t between(std::uint64_t then_ms, std::uint64_t now_ms) noexcept {
  return now_ms > then_ms ? now_ms - then_ms : 0;
}

} // namespace

void link_history::expect(const std::map<node_id, member>& members, std::uint64_t now_ms) {
  for (auto& [id, one] : members)
    if (one.is != standing::gone)
      links_.try_emplace(id, entry{now_ms, false, never_was_up});
  std::erase_if(links_, [&](auto& one) { return !one.second.is_up && !members.contains(one.first); });
}

link_history::begun link_history::up(node_id peer, std::uint64_t now_ms) {
  auto& x = links_.try_emplace(peer, entry{now_ms, false, never_was_up}).first->second;
  auto before = std::exchange(x, {now_ms, true, {}});
  return {between(before.since_ms, now_ms), std::move(before.why)};
}

std::uint64_t link_history::down(node_id peer, std::string why, std::uint64_t now_ms) {
  auto before = std::exchange(links_[peer], {now_ms, false, std::move(why)});
  return before.is_up ? between(before.since_ms, now_ms) : 0;
}

} // namespace xmpp::cluster
