// COORDINATOR: this node among the others. It knows who is linked, who serves which shard and what the system group has
// decided; it has the members that this node should have, moves replicas where it leads, and, where the system group is
// led, proposes what is to be changed.
//
// It decides nothing by itself: what follows from what is agreed on and seen stands in cluster/placement.hpp, and what
// is agreed on changes by `propose` alone.
#pragma once

#include "actors/cluster_node.hpp"
#include "actors/member.hpp"
#include "actors/supervised.hpp"
#include "cluster/control_frames.hpp"
#include "cluster/leaders.hpp"
#include "cluster/observations.hpp"
#include "cluster/placement_status.hpp"
#include "cluster/system_state.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace xmpp {

namespace msg {

/// A control frame from another node.
struct from_node {
  cluster::node_id from = 0;
  std::string frame;
};
struct link_changed {
  cluster::node_id node = 0;
  bool is_up = false;
  std::string why;
};
struct leadership_changed {
  shard_id shard = 0;
  leadership who;
};
/// How a member is.
struct inspected {
  shard_id shard = 0;
  group_replica::status how;
};
/// What was submitted to the system group; in the order of the tickets.
struct system_committed {
  std::uint64_t ticket = 0;
  errc failure = errc::none;
};
/// What the system group has agreed on can be read without a wait.
struct agreed_is_at_hand {};
/// The store has that group: its member can begin.
struct group_ready {
  shard_id shard = 0;
};
struct join_asked {
  std::shared_ptr<const cluster::join_request> what;
  cluster::link_callbacks::join_reply reply;
};
/// From the shell, to be agreed on.
struct cluster_ask {
  std::shared_ptr<const cluster::command> what;
};
struct cluster_answer {
  errc failure = errc::none;
  std::string text;
  cluster::applied done;
};
/// From the shell.
struct cluster_look {};
struct cluster_seen {
  std::shared_ptr<const cluster::state> agreed;
  std::shared_ptr<const cluster::status::report> report;
  std::shared_ptr<const cluster::observed> seen;
};

} // namespace msg

using coordinator_actor = caf::typed_actor<
    // Another node says something; a link came up or went down.
    caf::reacts_to<msg::from_node>, caf::reacts_to<msg::link_changed>,
    // Members: who leads, how one is, one can begin.
    caf::reacts_to<msg::leadership_changed>, caf::reacts_to<msg::inspected>, caf::reacts_to<msg::group_ready>,
    // The system group has committed, or not.
    caf::reacts_to<msg::system_committed>, caf::reacts_to<msg::agreed_is_at_hand>,
    // A node asks to be let in.
    caf::reacts_to<msg::join_asked>,
    // A shard that has just begun wants to know who serves it.
    caf::reacts_to<msg::who_serves>,
    // The shell asks for a change; and for all there is to see.
    caf::replies_to<msg::cluster_ask>::with<msg::cluster_answer>,
    caf::replies_to<msg::cluster_look>::with<msg::cluster_seen>,
    // A tenth of a second has passed.
    caf::reacts_to<msg::tick>,
    // A member has failed and waits for a decision.
    caf::reacts_to<msg::child_failed>, XMPP_SUPERVISED>;

class coordinator final : public supervised<coordinator_actor> {
public:
  coordinator(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server, cluster_node& node);

  behavior_type make_behavior() override;

protected:
  void restart() override;
  void on_stop(const std::string& reason) override;
  void on_exit_message(caf::exit_msg& x) override;
  msg::description describe() const override;

private:
  cluster::node_id self_id() const noexcept { return node_.self(); }

  // -- time --
  void tick();
  void every_second();

  // -- what is agreed on --
  void read_agreed();
  void adopt(cluster::state next);
  void link_with_members();
  void announce();
  void renew_certificate();
  using proposal_done = std::function<void(result<cluster::applied>)>;
  /// To the system group's leader, wherever that is.
  void propose(decltype(cluster::command::what) what, proposal_done done = {});
  void propose(const cluster::command& x, proposal_done done);
  void propose_here(const cluster::command& x, proposal_done done);
  void committed(const msg::system_committed& x);
  void proposed(const cluster::control::proposed& x);
  void end_late_proposals();
  void join(const msg::join_asked& x);

  // -- members --
  void arrange_members();
  bool should_have(shard_id shard) const;
  void begin_member(shard_id shard);
  void end_member(shard_id shard);
  seat& seat_of(shard_id shard) { return node_.seat_of(shard); }
  void look_at(shard_id shard);
  void child_failed(const msg::child_failed& x);

  // -- who serves what --
  void leadership_changed(const msg::leadership_changed& x);
  void tell_shard(shard_id shard);
  void tell_shards(const std::vector<shard_id>& which);
  void link_changed(const msg::link_changed& x);
  void from_node(const msg::from_node& x);
  void to_node(cluster::node_id to, const cluster::control::message& what);
  void to_all(const cluster::control::message& what);

  // -- where replicas are --
  void plan();
  void move_on(shard_id shard);
  void transfer(shard_id shard, cluster::node_id to);
  void hand_over();
  cluster::control::report own_report() const;

  server_context& server_;
  cluster_node& node_;
  cluster::state agreed_;
  std::string agreed_bytes_;  ///< As they stand in this node's store.
  bool reads_agreed_ = false; ///< From the disk.
  bool has_announced_ = false, has_drained_ = false;
  std::uint64_t ticks_ = 0;

  struct running {
    member_actor actor;
    std::optional<group_replica::status> last;
    leadership who;
    bool is_ending = false;
  };
  std::map<shard_id, running> members_;
  std::set<shard_id> beginning_; ///< Groups that are being made.
  std::set<cluster::node_id> up_;
  cluster::leader_table leaders_;
  cluster::observations seen_;
  cluster::control::leads own_leads_;
  std::map<shard_id, std::pair<cluster::node_id, std::uint64_t>> transfers_; ///< To whom, since when.

  // Proposals.
  struct waiting {
    proposal_done done;
    std::uint64_t due_ms = 0;
  };
  std::map<std::uint64_t, waiting> asked_; ///< Of the leader elsewhere, by request.
  std::uint64_t last_request_ = 0;
  struct submitted {
    std::uint64_t ticket = 0;
    cluster::applied outcome;
    proposal_done done;
  };
  std::deque<submitted> submitted_;
  std::optional<cluster::state> ahead_; ///< With all that is submitted.
  std::uint64_t last_ticket_ = 0;
};

} // namespace xmpp

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::from_node)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::link_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::leadership_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::inspected)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::system_committed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::agreed_is_at_hand)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::group_ready)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::join_asked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::cluster_ask)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::cluster_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::cluster_look)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::cluster_seen)
