// CLUSTER NODE: what joins this node to the others and is no actor: its links, what actors say over them, the places of
// its groups' members.
#pragma once

#include "actors/context.hpp"
#include "actors/remote.hpp"
#include "actors/seat.hpp"
#include "cluster/identity.hpp"
#include "cluster/link.hpp"
#include "cluster/system_state.hpp"
#include "protocol/error.hpp"

#include <caf/actor_control_block.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace xmpp {

class cluster_node {
public:
  /// Puts a seat for each shard into `server.replicas`.
  /// `groups`: those that the store has.
  cluster_node(server_context& server, const cluster::identity& self, std::vector<shard_id> groups);
  ~cluster_node();
  cluster_node(const cluster_node&) = delete;
  cluster_node& operator=(const cluster_node&) = delete;

  /// Begins to listen; nobody is linked before `link_with_known`. Frames and changes of links go to the coordinator.
  result<void> start(caf::actor_system& system, const config& options);
  /// A coordinator that was started anew.
  void set_coordinator(caf::strong_actor_ptr x) {
    auto guard = std::lock_guard{mutex_};
    coordinator_.swap(x);
  }
  caf::strong_actor_ptr coordinator() const {
    auto guard = std::lock_guard{mutex_};
    return coordinator_;
  }
  /// From the coordinator, which would miss what came before it.
  void link_with_known() { set_peers(known_); }
  /// As it was when the node last ended.
  const std::optional<cluster::state>& last_agreed() const noexcept { return agreed_; }
  /// Nobody is told anything any more.
  void stop() { set_coordinator(nullptr); }
  /// Ends all links; when no actor uses them any more.
  void end();

  std::atomic<bool> hands_over{false};    ///< To the coordinator: it gives all leaderships away and takes none.
  std::atomic<std::size_t> shards_led{0}; ///< From the coordinator.

  // -- from any thread --
  cluster::node_id self() const noexcept { return self_.node; }
  cluster::identity identity() const;
  /// A renewed certificate.
  result<void> set_identity(const cluster::identity& x);
  seat& seat_of(shard_id shard) noexcept;
  const std::vector<shard_id>& groups() const noexcept { return groups_; } ///< As the start found them.
  bool send(cluster::node_id to, cluster::channel on, std::string_view frame) {
    return links_ && links_->send(to, on, frame);
  }
  bool is_up(cluster::node_id peer) const { return links_ && links_->is_up(peer); }
  /// To the same shard's member there.
  void send_raft(cluster::node_id to, shard_id shard, std::string_view bytes, bool is_bulk);
  void set_peers(const std::vector<cluster::member_addresses>& members);
  std::vector<cluster::link_status> link_status() const;
  remote::exchange& exchange() noexcept { return *exchange_; }

private:
  void on_frame(cluster::node_id from, cluster::channel on, std::string_view bytes);
  void lost(const stanza& what, errc why, remote::address::kind meant_for);

  server_context& server_;
  cluster::identity self_;
  std::vector<shard_id> groups_;
  std::optional<cluster::state> agreed_;
  std::vector<cluster::member_addresses> known_;
  std::vector<seat*> seats_; ///< In `server.replicas`.
  seat system_;
  std::unique_ptr<remote::exchange> exchange_;
  std::unique_ptr<cluster::links> links_;
  mutable std::mutex mutex_; ///< Guards what follows, and the parts of `self_` that are renewed.
  caf::strong_actor_ptr coordinator_;
};

} // namespace xmpp
