#include "cluster/observations.hpp"

#include <algorithm>
#include <utility>

namespace xmpp::cluster {

namespace {

std::uint64_t between(std::uint64_t then_ms, std::uint64_t now_ms) noexcept {
  return now_ms > then_ms ? now_ms - then_ms : 0;
}

} // namespace

observations::observations(node_id self, std::uint64_t now_ms, const patience& how) : self_(self), how_(how) {
  auto& x = nodes_[self];
  x.is_linked = x.was_heard = true;
  x.heard_ms = x.steady_ms = now_ms;
}

void observations::expect(const state& in, std::uint64_t now_ms) {
  for (auto& [id, x] : nodes_)
    x.is_expected = false;
  for (auto& [id, one] : in.members) {
    if (one.is == standing::gone)
      continue;
    auto [at, is_new] = nodes_.try_emplace(id);
    at->second.is_expected = true;
    if (is_new)
      at->second.heard_ms = now_ms;
  }
  std::erase_if(nodes_, [](auto& one) { return !one.second.is_expected && !one.second.is_linked; });
}

void observations::link_up(node_id id, std::uint64_t now_ms) {
  if (id == self_)
    return;
  auto& x = nodes_[id];
  x.is_linked = x.was_heard = true;
  x.heard_ms = x.steady_ms = now_ms;
  x.is_current = false; // its process may be another
}

void observations::link_down(node_id id) {
  auto at = nodes_.find(id);
  if (id == self_ || at == nodes_.end())
    return;
  at->second.is_linked = at->second.is_current = false;
  if (!at->second.is_expected)
    nodes_.erase(at);
}

void observations::apply(node_id from, control::report says, std::uint64_t now_ms) {
  auto at = nodes_.find(from);
  if (at == nodes_.end() || !at->second.is_linked)
    return;
  auto& x = at->second;
  if (!is_fresh(from, x, now_ms))
    x.steady_ms = now_ms;
  x.heard_ms = now_ms;
  for (auto& [shard, led] : says.leads) {
    auto& term = terms_[shard];
    term = std::max(term, led.term);
  }
  x.report = std::move(says);
  x.is_current = true;
}

observed observations::seen(std::uint64_t now_ms) const {
  auto out = observed{};
  for (auto& [shard, term] : terms_)
    out.shards[shard].term = term;
  for (auto& [id, x] : nodes_) {
    auto is_here = x.is_linked && is_fresh(id, x, now_ms);
    auto age_ms = age_of(id, x, now_ms);
    auto& node = out.nodes[id];
    node.contact_age_ms = x.is_linked ? age_ms : std::max(age_ms, how_.fresh_ms + 1);
    node.steady_ms = is_here ? between(x.steady_ms, now_ms) : 0;
    node.disk_ok = !x.report || x.report->disk_ok;
    if (!is_here || !x.is_current)
      continue;
    auto& says = *x.report;
    node.says = observed_node::said{says.sessions, says.disk_free_bytes, says.disk_used_bytes, says.state_version,
                                    says.up_s,     says.disk_words,      says.host_words};
    for (auto& [shard, applied] : x.report->follows) {
      auto& to = out.shards[shard];
      if (to.leader == 0)
        to.applied = std::max(to.applied, applied);
    }
    for (auto& [shard, led] : x.report->leads)
      if (auto& to = out.shards[shard]; led.term == to.term && to.leader == 0)
        to = {id, led.transferring_to, led.term, led.applied, led.bytes, led.lag};
  }
  return out;
}

std::map<node_id, node_view> observations::nodes(std::uint64_t now_ms) const {
  auto out = std::map<node_id, node_view>{};
  for (auto& [id, x] : nodes_)
    out[id] = {x.is_linked, x.was_heard, age_of(id, x, now_ms),
               x.is_linked && is_fresh(id, x, now_ms) ? between(x.steady_ms, now_ms) : 0,
               x.report ? &*x.report : nullptr};
  return out;
}

std::uint64_t observations::age_of(node_id id, const node& x, std::uint64_t now_ms) const noexcept {
  return id == self_ ? 0 : between(x.heard_ms, now_ms);
}

bool observations::is_fresh(node_id id, const node& x, std::uint64_t now_ms) const noexcept {
  return age_of(id, x, now_ms) <= how_.fresh_ms;
}

} // namespace xmpp::cluster
