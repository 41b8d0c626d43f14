// LEADER HISTORY: since when a shard has no leader, as one node sees it, and why: for the one line of the log that says
// who leads it from then on.
#pragma once

#include "cluster/system_state.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace xmpp::cluster {

/// Not for two threads at once. Times are milliseconds of one steady clock.
class leader_history {
public:
  /// Of one who begins to lead.
  struct begun {
    std::uint64_t without_ms = 0; ///< So long nobody led, as far as was seen here.
    std::string why;
  };

  /// `node` does not lead it any more; of several reasons until somebody leads, the first counts.
  void lost(shard_id shard, node_id node, std::string why, std::uint64_t now_ms);
  /// Another node leads it now.
  void led_elsewhere(shard_id shard, node_id node, std::uint64_t now_ms);
  /// This one does.
  begun led_here(shard_id shard, const state& names, std::uint64_t now_ms);
  /// This one does not any more; returns for how long it did.
  std::uint64_t end_here(shard_id shard, std::uint64_t now_ms);

private:
  struct entry {
    node_id leader = 0; ///< 0: nobody.
    std::uint64_t since_ms = 0;
    std::string why;                            ///< Why nobody does.
    std::optional<std::uint64_t> here_since_ms; ///< Until `end_here`, whoever else is heard to lead.
  };
  std::map<shard_id, entry> shards_;
};

} // namespace xmpp::cluster
