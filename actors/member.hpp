// MEMBER: this node's member of one shard's Raft group, as an actor: it carries a `group_replica` from turn to turn.
#pragma once

#include "actors/reactor_unit.hpp"
#include "actors/seat.hpp"
#include "actors/supervised.hpp"

#include <functional>
#include <string>

namespace xmpp {

/// MEMBER: one shard's Raft group, as far as this node is concerned.
using member_actor = caf::typed_actor<
    // Something waits: works it off.
    caf::reacts_to<msg::turn>, XMPP_SUPERVISED>;

class member final : public supervised<member_actor> {
public:
  /// Called in its turns; none may block.
  struct callbacks {
    std::function<void(raft::member_id to, std::string bytes, bool is_bulk)> send;
    std::function<void(const leadership&)> on_leadership;
    /// Whose thread its turns run on, so that those of all members together wake it once; null: any.
    reactor_unit* home = nullptr;
  };

  /// Sits down when it begins, and gets up when it ends.
  member(caf::actor_config& cfg, caf::strong_actor_ptr parent, group_replica_options options, writer& log, seat& at,
         callbacks calls);

  behavior_type make_behavior() override;

protected:
  void restart() override;
  void on_stop(const std::string& reason) override;
  msg::description describe() const override;
  void on_exit() override;

private:
  void sit_down();

  const group_replica_options options_;
  writer& log_;
  seat& at_;
  const callbacks calls_;
  std::shared_ptr<group_replica> it_;
};

} // namespace xmpp
