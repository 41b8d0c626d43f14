// SYSTEM EVENTS: what happened between two states of the system group, for the log: each member that came, changed or
// went, each move that began or ended, each setting that changed, with the reason and how long it was or took. Every
// node writes them down when it hears of them; why the system group's leader moves what it moves, only that node knows
// fully.
#pragma once

#include "cluster/system_state.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
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
  std::string why = {}; ///< Of members and moves.

  friend bool operator==(const system_event&, const system_event&) = default;
};

/// Knows when moves began and why, as far as it has seen that.
class system_events {
public:
  /// Proposed here, and why. Of the same move the first reason counts.
  void explain(const ask::begin_move& what, std::string why);
  void explain(const ask::abort_move& what, std::string why);
  /// `now_ms`: since 1970. Of the first state there is nothing to tell.
  std::vector<system_event> between(const state& before, const state& after, std::int64_t now_ms);

private:
  struct begun {
    std::int64_t since_ms = 0;
    std::string why;
  };
  std::string take_reason(shard_id shard, const move& x, const state& in);

  std::map<shard_id, std::pair<ask::begin_move, std::string>> proposed_;
  std::map<std::uint64_t, begun> begun_;          ///< By the move's id.
  std::map<std::uint64_t, std::string> undo_why_; ///< By the same.
};

} // namespace xmpp::cluster
