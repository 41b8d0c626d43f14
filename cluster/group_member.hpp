// GROUP MEMBER: one member of a Raft group, as its node deals with it: how it is, and who else is in the group.
#pragma once

#include "cluster/raft.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace xmpp {

/// Who leads, as far as a member knows.
struct leadership {
  bool is_here = false; ///< And has applied all that was committed before: it may serve.
  std::uint64_t term = 0;
  raft::member_id leader = 0; ///< 0: unknown.

  friend bool operator==(const leadership&, const leadership&) = default;
};

/// From any thread; nothing blocks.
class group_member {
public:
  virtual ~group_member() = default;

  virtual void is_down(raft::member_id who) = 0; ///< A hint: its link is closed.

  // As in raft::group; `done`, which may be empty, runs in a turn.
  using control_done = std::function<void(raft::refusal)>;
  virtual void change(std::vector<raft::member> members, control_done done) = 0;
  virtual void catch_up(raft::member_id spare, control_done done) = 0;
  virtual void transfer(raft::member_id to, control_done done) = 0;

  struct status {
    leadership who;
    raft::state state = raft::state::follower;
    bool has_begun = false;     ///< Else the store has failed, or has nothing of this group.
    bool is_installing = false; ///< A state from elsewhere.
    std::uint64_t first_index = 0, last_index = 0, commit_index = 0, applied = 0;
    std::size_t outstanding = 0; ///< Commands.
    std::size_t cached_bytes = 0;
    struct other {
      raft::member member;
      std::uint64_t match = 0;   ///< A leader knows: how far its log agrees.
      int catch_up_progress = 0; ///< As in raft::group.
    };
    std::vector<other> members;
  };
  /// Runs `f` in a turn.
  virtual void inspect(std::function<void(const status&)> f) = 0;
};

} // namespace xmpp
