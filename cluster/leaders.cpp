#include "cluster/leaders.hpp"

#include <algorithm>
#include <utility>

namespace xmpp::cluster {

std::vector<shard_id> leader_table::apply(node_id from, const control::leads& says) {
  auto known = said_.find(from);
  if (known != said_.end() && says.sequence <= known->second.sequence)
    return {};
  auto before = std::exchange(said_[from], says).terms;
  auto changed = std::vector<shard_id>{};
  auto look_at = [&](shard_id shard, std::uint64_t claimed) {
    if (answer_anew(shard, claimed))
      changed.push_back(shard);
  };
  for (auto& [shard, term] : says.terms)
    if (auto was = before.find(shard); was == before.end() || was->second != term)
      look_at(shard, term);
  for (auto& [shard, term] : before)
    if (!says.terms.contains(shard))
      look_at(shard, 0);
  std::sort(changed.begin(), changed.end());
  return changed;
}

std::vector<shard_id> leader_table::link_down(node_id node) {
  auto known = said_.find(node);
  if (known == said_.end())
    return {};
  auto before = std::move(known->second.terms);
  said_.erase(known);
  auto changed = std::vector<shard_id>{};
  for (auto& [shard, term] : before)
    if (answer_anew(shard, 0))
      changed.push_back(shard);
  return changed;
}

served leader_table::who_serves(shard_id shard) const noexcept {
  auto at = answers_.find(shard);
  return at == answers_.end() ? served{} : at->second;
}

bool leader_table::answer_anew(shard_id shard, std::uint64_t claimed) {
  auto& answer = answers_[shard];
  auto now = served{0, std::max(answer.term, claimed)};
  // Two can not claim the same term; if they did, all nodes should at least send to the same.
  for (auto& [node, says] : said_)
    if (auto claim = says.terms.find(shard); claim != says.terms.end() && claim->second == now.term) {
      now.node = node;
      break;
    }
  return std::exchange(answer, now) != now;
}

} // namespace xmpp::cluster
