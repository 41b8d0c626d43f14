// COORDINATOR: this node among the others. It knows who is linked, who serves which shard and what the system group has
// decided; it has the members that this node should have, moves replicas where it leads, and, where the system group is
// led, proposes what is to be changed.
//
// It decides nothing by itself: what follows from what is agreed on and seen stands in cluster/placement.hpp, and what
// is agreed on changes by `propose` alone.
#pragma once

#include "actors/context.hpp"
#include "actors/coordinator_surroundings.hpp"
#include "actors/shell/backend.hpp"
#include "actors/supervised.hpp"
#include "cluster/control_frames.hpp"
#include "cluster/host_difference.hpp"
#include "cluster/leader_history.hpp"
#include "cluster/leaders.hpp"
#include "cluster/link_history.hpp"
#include "cluster/observations.hpp"
#include "cluster/placement_status.hpp"
#include "cluster/proposals.hpp"
#include "cluster/system_events.hpp"
#include "cluster/system_state.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
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
  group_member::status how;
};
/// What was submitted to the system group; in the order of the tickets.
struct system_committed {
  std::uint64_t ticket = 0;
  errc failure = errc::none;
};
/// What the system group has agreed on can be read without a wait.
struct agreed_is_at_hand {};
/// Whether the store has that group, so that its member can begin.
struct group_ready {
  shard_id shard = 0;
  bool is_ready = false;
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
struct cluster_rebalance {};
struct cluster_rebalanced {
  cluster_rebalancing what;
};
struct measured {
  coordinator_surroundings::sizes what;
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
    // The shell wants all to have their shares, now.
    caf::replies_to<msg::cluster_rebalance>::with<msg::cluster_rebalanced>,
    // How much this node has.
    caf::reacts_to<msg::measured>,
    // A tenth of a second has passed.
    caf::reacts_to<msg::tick>,
    // A member has failed and waits for a decision.
    caf::reacts_to<msg::child_failed>, XMPP_SUPERVISED>;

class coordinator final : public supervised<coordinator_actor> {
public:
  coordinator(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server,
              coordinator_surroundings& node);

  behavior_type make_behavior() override;

protected:
  void restart() override;
  void on_stop(const std::string& reason) override;
  void on_exit_message(caf::exit_msg& x) override;
  msg::description describe() const override;

private:
  cluster::node_id self_id() const noexcept { return node_.self(); }

  msg::cluster_seen look();
  cluster_rebalancing rebalance();

  // -- time --
  static constexpr std::uint64_t ticks_per_second = 10;
  std::uint64_t steady_ms() const;
  void tick();
  void every_second();
  bool misses_members() const;

  // -- what is agreed on --
  /// Whether what is agreed on is known as this node's store has it; else it will be.
  bool read_agreed();
  void adopt(cluster::state next);
  void save_agreed();
  void link_with_members();
  void announce();
  bool drains_now(const cluster::member& self) const;
  void compare_hosts();
  void renew_certificate();
  void note_certificate();
  using proposal_done = cluster::proposals::answer;
  /// To the system group's leader, wherever that is.
  void propose(
      decltype(cluster::command::what) what, proposal_done done = [](auto&) {});
  void propose(const cluster::command& x, proposal_done done);
  result<void> check_seen(const cluster::state& in, const cluster::command& x) const;
  void propose_here(const cluster::command& x, proposal_done done);
  void join(const msg::join_asked& x);

  // -- members --
  void arrange_members();
  /// Whether that node has a replica, or is about to have one, or had one until just now.
  bool may_have(cluster::node_id who, shard_id shard) const;
  bool should_have(shard_id shard) const { return may_have(self_id(), shard); }
  void group_ready(const msg::group_ready& x);
  void begin_member(shard_id shard);
  void end_member(shard_id shard);
  void look_at(shard_id shard);
  cluster::control::report own_report() const;
  void measure();
  void member_ended(const caf::down_msg& x);
  void child_failed(const msg::child_failed& x);

  // -- who serves what --
  void leadership_changed(const msg::leadership_changed& x);
  void tell_shard(shard_id shard);
  void tell_shards(const std::vector<shard_id>& which);
  void tell_led_shards();
  void help_on(cluster::node_id who, std::uint64_t its_version);
  void link_changed(const msg::link_changed& x);
  void from_node(const msg::from_node& x);
  void to_node(cluster::node_id to, const cluster::control::message& what);
  void to_all(const cluster::control::message& what);

  // -- clients, while this node drains --
  void send_clients_away();
  std::vector<std::string> other_client_addresses() const;

  // -- where replicas are --
  /// Says what begins, in the order of its beginning.
  std::vector<std::string> plan(const cluster::patience& how = {});
  void move_on(shard_id shard);
  void transfer(shard_id shard, cluster::node_id to);
  void hand_over();

  server_context& server_;
  coordinator_surroundings& node_;
  cluster::state agreed_;
  struct unsaved {
    std::mutex mutex;
    std::optional<cluster::state> state; ///< None: nothing waits for the disk.
  };
  std::shared_ptr<unsaved> unsaved_ = std::make_shared<unsaved>();
  std::string agreed_bytes_;                 ///< As they stand in this node's store.
  cluster::host_difference host_difference_; ///< As last said.
  bool reads_agreed_ = false;                ///< From the disk.
  bool has_drained_ = false;
  std::uint64_t seconds_up_ = 0;                     ///< So long all agreed that this node is up.
  bool is_noting_ = false;                           ///< The certificate.
  bool disk_is_good_ = true;                         ///< As last said.
  bool agreed_is_readable_ = true;                   ///< What the store has of it.
  std::uint64_t sure_version_ = 0;                   ///< As the system group's leader has said.
  std::uint64_t version_now_ = 0, version_then_ = 0; ///< Of what is agreed: last second, and the one before.
  std::uint64_t ticks_ = 0;

  struct running {
    caf::strong_actor_ptr actor;
    std::optional<group_member::status> last;
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
  cluster::leader_history history_;
  cluster::link_history link_history_;
  cluster::system_events events_;
  coordinator_surroundings::sizes sizes_;
  std::vector<session_actor> leaving_; ///< Those that are still to be sent away.
  shard_id leaving_next_ = 0;          ///< Whose sessions come after those.
  cluster::proposals proposals_;
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
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::cluster_rebalance)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::cluster_rebalanced)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::measured)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::cluster_seen)
