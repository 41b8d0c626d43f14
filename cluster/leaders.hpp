// LEADERS: who serves each shard, as a value: made of what nodes say that they serve, this one among them, and of which
// links are up.
//
// Raft has one leader in a term, and terms only grow. So the claim of the highest term counts, and whoever claims a
// lower one was deposed and has not noticed yet. That stays true when the newer leader has withdrawn or its link is
// down: nobody serves the shard then, as far as one sees here, until somebody claims that term or a higher one.
#pragma once

#include "cluster/control_frames.hpp"
#include "cluster/system_state.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace xmpp::cluster {

struct served {
  node_id node = 0;       ///< 0: nobody who is linked.
  std::uint64_t term = 0; ///< The highest that was ever claimed; 0: none was.

  friend bool operator==(const served&, const served&) = default;
};

/// Not for two threads at once.
class leader_table {
public:
  /// What `from`, a linked node or this one, serves from now on, and nothing else. Ignored when it is not newer than
  /// what `from` said before. Returns the shards whose answer changed, be it only by its term, in ascending order.
  std::vector<shard_id> apply(node_id from, const control::leads& says);
  /// Takes back all that `node` said; when it is linked again, its process may be another. Returns as `apply`.
  std::vector<shard_id> link_down(node_id node);

  served who_serves(shard_id shard) const noexcept;
  /// Of all shards that were ever claimed.
  const std::map<shard_id, served>& all() const noexcept { return answers_; }

private:
  bool answer_anew(shard_id shard, std::uint64_t claimed);

  std::map<node_id, control::leads> said_;
  std::map<shard_id, served> answers_;
};

} // namespace xmpp::cluster
