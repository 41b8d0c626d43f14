// What a coordinator has around it: the other nodes, and this node's members of groups. A cluster_node; for tests,
// something that remembers.
#pragma once

#include "actors/interfaces.hpp"
#include "cluster/control_frames.hpp"
#include "cluster/group_member.hpp"
#include "cluster/identity.hpp"
#include "cluster/link.hpp"
#include "cluster/replica.hpp"
#include "cluster/system_state.hpp"
#include "protocol/error.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

/// From any thread; nothing blocks.
class coordinator_surroundings {
public:
  virtual ~coordinator_surroundings() = default;

  std::atomic<bool> hands_over{false};    ///< To the coordinator: it gives all leaderships away and takes none.
  std::atomic<std::size_t> shards_led{0}; ///< From the coordinator.

  virtual cluster::node_id self() const noexcept = 0;
  virtual cluster::identity identity() const = 0;
  /// A renewed certificate.
  virtual result<void> set_identity(const cluster::identity& x) = 0;
  /// As it was when the node last ended.
  virtual const std::optional<cluster::state>& last_agreed() const noexcept = 0;
  /// Whether the disk does what it should.
  struct disk {
    bool has_failed = false;
    std::string why;
    std::uint64_t free_bytes = 0;
  };
  virtual disk own_disk() const = 0;
  /// Runs it, soon and in the order of the calls, on a thread that may wait for the disk.
  virtual void on_disk(std::function<void()> f) = 0;

  // -- the other nodes --
  /// False: there is no link, or too much waits for it.
  virtual bool send(cluster::node_id to, cluster::channel on, std::string_view frame) = 0;
  virtual void set_peers(const std::vector<cluster::member_addresses>& members) = 0;
  /// Those that it knew when it last ended. Nobody is linked before this or `set_peers`: the coordinator would miss it.
  virtual void link_with_known() = 0;
  /// Looks for where they may be besides, as configured; what it finds is tried by itself.
  virtual void look_for_members() = 0;
  virtual std::vector<cluster::link_status> link_status() const = 0;
  /// Stands for that node's shard.
  virtual shard_actor shard_at(cluster::node_id node, shard_id shard) = 0;
  /// Of what is asked of other nodes' actors, some may be late; a few times a second.
  virtual void end_late_requests() = 0;

  // -- the members here --
  /// Those that the store had at the start.
  virtual const std::vector<shard_id>& groups() const noexcept = 0;
  /// Makes the store ready for a member, if it is not. `done` says whether it is.
  virtual void make_group(shard_id shard, std::function<void(bool is_ready)> done) = 0;
  virtual void erase_group(shard_id shard) = 0;
  /// An actor that carries it, and is supervised by `parent`; `on_leadership` as in `group_replica_surroundings`.
  virtual caf::strong_actor_ptr start_member(caf::actor_system& system, const caf::strong_actor_ptr& parent,
                                             shard_id shard, std::function<void(const leadership&)> on_leadership) = 0;
  /// Null: none is there, or it has failed just now.
  virtual std::shared_ptr<group_member> member_of(shard_id shard) = 0;
  /// What is agreed on goes through its log; this node may have no member of it.
  virtual replica& system_group() = 0;
  /// What this node's states take, and all its files.
  struct sizes {
    std::map<shard_id, std::uint64_t> states;
    std::uint64_t disk_bytes = 0;
  };
  virtual void measure(std::function<void(const sizes&)> done) = 0;
};

} // namespace xmpp
