// CLUSTER NODE: what joins this node to the others and is no actor: its links, what actors say over them, the places of
// its groups' members.
#pragma once

#include "actors/context.hpp"
#include "actors/coordinator_surroundings.hpp"
#include "actors/questions.hpp"
#include "actors/reactor_unit.hpp"
#include "actors/remote.hpp"
#include "actors/seat.hpp"
#include "cluster/discovery.hpp"

#include <caf/actor_control_block.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace xmpp {

class cluster_node final : public coordinator_surroundings, private net::timed {
public:
  /// Puts a seat for each shard into `server.replicas`.
  /// `groups`: those that the store has.
  cluster_node(server_context& server, const cluster::identity& self, std::vector<shard_id> groups);
  ~cluster_node() override;
  cluster_node(const cluster_node&) = delete;
  cluster_node& operator=(const cluster_node&) = delete;

  /// Begins to listen; nobody is linked before `link_with_known`. Frames and changes of links go to the coordinator.
  /// `home` does not run yet. Links, members and whom frames wake share its thread: what comes from another node goes
  /// through to a client, and all groups' heartbeats out again, in one turn.
  result<void> start(caf::actor_system& system, const config& options, reactor_unit& home);
  /// A coordinator that was started anew.
  void set_coordinator(caf::strong_actor_ptr x) {
    auto guard = std::lock_guard{mutex_};
    coordinator_.swap(x);
  }
  caf::strong_actor_ptr coordinator() const {
    auto guard = std::lock_guard{mutex_};
    return coordinator_;
  }
  /// Nobody is told anything any more.
  void stop() { set_coordinator(nullptr); }
  /// Ends all links; when no actor uses them any more, and `home` has stopped.
  void end();

  // -- from any thread --
  seat& seat_of(shard_id shard) noexcept;
  bool is_up(cluster::node_id peer) const { return links_ && links_->is_up(peer); }
  /// To the same shard's member there.
  void send_raft(cluster::node_id to, shard_id shard, std::string_view bytes, bool is_bulk);
  xmpp::questions& questions() noexcept { return questions_; }
  /// Somebody may wait in vain for an answer: the other nodes are told as well, but not often.
  void note_loss() noexcept { has_lost_ = true; }

  // -- coordinator_surroundings --
  cluster::node_id self() const noexcept override { return self_.node; }
  cluster::identity identity() const override;
  result<void> set_identity(const cluster::identity& x) override;
  const std::optional<cluster::state>& last_agreed() const noexcept override { return agreed_; }
  disk own_disk() const override;
  void on_disk(std::function<void()> f) override;
  bool send(cluster::node_id to, cluster::channel on, std::string_view frame) override {
    return links_ && links_->send(to, on, frame);
  }
  void set_peers(const std::vector<cluster::member_addresses>& members) override;
  void link_with_known() override { set_peers(known_); }
  void look_for_members() override {
    if (discovery_)
      discovery_->look();
  }
  std::vector<cluster::link_status> link_status() const override;
  shard_actor shard_at(cluster::node_id node, shard_id shard) override { return exchange_->shard(node, shard); }
  void end_late_requests() override; ///< Of clients, too.
  const std::vector<shard_id>& groups() const noexcept override { return groups_; }
  void make_group(shard_id shard, std::function<void(bool is_ready)> done) override;
  void erase_group(shard_id shard) override;
  caf::strong_actor_ptr start_member(caf::actor_system& system, const caf::strong_actor_ptr& parent, shard_id shard,
                                     std::function<void(const leadership&)> on_leadership) override;
  std::shared_ptr<group_member> member_of(shard_id shard) override { return seat_of(shard).member(); }
  replica& system_group() override { return system_; }
  void measure(std::function<void(const sizes&)> done) override;

private:
  void on_timer(std::uint32_t tag) override;
  void on_frame(cluster::node_id from, cluster::channel on, std::string_view bytes);
  void lost(const stanza& what, errc why);
  void unreached(const remote::unreached& x);

  server_context& server_;
  cluster::identity self_;
  std::vector<shard_id> groups_;
  std::optional<cluster::state> agreed_;
  std::vector<cluster::member_addresses> known_;
  std::vector<seat*> seats_; ///< In `server.replicas`.
  seat system_;
  std::unique_ptr<remote::exchange> exchange_;
  xmpp::questions questions_{
      [this](cluster::node_id to, std::string_view frame) { return send(to, cluster::channel::bulk, frame); }};
  std::atomic<bool> has_lost_{false};
  std::int64_t last_loss_ms_ = 0; ///< That the others were told of.
  std::unique_ptr<cluster::links> links_;
  std::unique_ptr<cluster::discovery> discovery_;
  reactor_unit* home_ = nullptr;
  net::timer_id tick_ = 0;
  std::uint64_t ticks_ = 0;
  mutable std::mutex mutex_; ///< Guards what follows, and the parts of `self_` that are renewed.
  caf::strong_actor_ptr coordinator_;
};

} // namespace xmpp
