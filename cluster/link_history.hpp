// LINK HISTORY: since when each link is up or down, as one node sees it, and why: for the line of the log that says
// that it has changed.
#pragma once

#include "cluster/system_state.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace xmpp::cluster {

/// Not for two threads at once. Times are milliseconds of one steady clock.
class link_history {
public:
  /// Of a link that comes up.
  struct begun {
    std::uint64_t without_ms = 0; ///< So long it was down, or was tried for the first time.
    std::string why;              ///< It was down.
  };

  /// They are to be linked with from now on. Who is no member is forgotten.
  void expect(const std::map<node_id, member>& members, std::uint64_t now_ms);
  begun up(node_id peer, std::uint64_t now_ms);
  /// Returns for how long it was up.
  std::uint64_t down(node_id peer, std::string why, std::uint64_t now_ms);

private:
  struct entry {
    std::uint64_t since_ms = 0;
    bool is_up = false;
    std::string why; ///< It is down.
  };
  std::map<node_id, entry> links_;
};

} // namespace xmpp::cluster
