// SYSTEM EVENTS: what happened between two states of the system group, for the log: each member that came, changed or
// went, each move that began or ended, each setting that changed, with how long it was or took. Every node writes them
// down when it hears of them.
#pragma once

#include "cluster/system_state.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace xmpp::cluster {

struct system_event {
  enum class kind : std::uint8_t {
    member,      ///< `node 3` is `draining`, was `up` for so long; was nothing: it is new.
    member_says, ///< Its address and version are others than before.
    move_begun,  ///< `shard 7`: `adds node 3, removes node 1`.
    move_ended,  ///< `shard 7` is on `node 2, node 3`; was: `done` or `taken back`; so long it took.
    setting,     ///< Its name, its value, the one before.
  };

  kind of = kind::member;
  std::string who, is, was;
  std::uint64_t seconds = 0;

  friend bool operator==(const system_event&, const system_event&) = default;
};

/// Knows when moves began, as far as it has seen that.
class system_events {
public:
  /// `now_ms`: since 1970. Of the first state there is nothing to tell.
  std::vector<system_event> between(const state& before, const state& after, std::int64_t now_ms);

private:
  std::map<std::uint64_t, std::int64_t> begun_ms_; ///< By the move's id.
};

} // namespace xmpp::cluster
