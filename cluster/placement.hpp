// PLACEMENT: which replica goes where, and which node leads what, as functions of what all agree on (system_state.hpp)
// and of what one node, the system group's leader, sees. What they propose is a command or a request to a shard's
// leader; they keep nothing, so that a new leader goes on where the old one stopped.
//
// The aim, in this order:
//   1. no step of ours leaves a shard without a majority of voters that live and have caught up;
//   2. each shard has its replicas: 1 while there are fewer than three nodes, then 3 (5 where that is set and there are
//      five); never two on one node; none on a node that is gone, that leaves, or that was silent for longer than
//      `replace_after_s`, where another node can take its place;
//   3. as few as possible of a shard in one zone;
//   4. the same number on each node, give or take one, as far as zones allow.
// What is in order is left alone: a replica moves for 4 only when that brings two nodes' numbers closer together.
//
// Nodes are judged with three measures, so that one who comes and goes is neither given work nor robbed of it: a short
// silence stops new moves to it, a longer one those under way, a long one (`replace_after_s`) costs it its replicas.
#pragma once

#include "cluster/system_state.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace xmpp::cluster {

// -- what is seen --

struct observed_node {
  std::uint64_t contact_age_ms = 0;            ///< Since it was last heard; 0 for the observer itself.
  std::uint64_t steady_ms = ~std::uint64_t{0}; ///< Since it was last lost, or started.
  bool disk_ok = true;

  // For `cluster status`, of those who have reported since their link came up.
  struct said {
    std::uint64_t sessions = 0;
    std::uint64_t disk_free_bytes = 0, disk_used_bytes = 0; ///< 0: not known.
    std::uint64_t state_version = 0, up_s = 0;
    std::string disk_words = {};
    std::string host_words = {}; ///< How its hosts differ from those agreed on.
  };
  std::optional<said> says = {};
};

struct observed_shard {
  node_id leader = 0;          ///< 0: none is known.
  node_id transferring_to = 0; ///< Its leadership is on the way there.
  std::uint64_t term = 0, applied = 0, bytes = 0;
  std::map<node_id, std::uint64_t> lag; ///< Entries that each voter and spare lacks, as its leader knows.
};

/// Who is not in there counts as not alive, but not as lost: a new observer has heard nobody yet, and counts from then.
struct observed {
  std::map<node_id, observed_node> nodes;
  std::map<shard_id, observed_shard> shards;
};

struct patience {
  std::uint64_t fresh_ms = 3'000;   ///< Silent for longer: takes no replica and no leadership, counts as not alive.
  std::uint64_t steady_ms = 10'000; ///< There for less long: takes no replica and no leadership.
  std::uint64_t lost_ms = 30'000;   ///< Silent for longer: a move that adds it is taken back.
  std::uint64_t lag_max = 1'000;    ///< Entries; with more it has not caught up.
};

// -- replicas --

struct planned_move {
  ask::begin_move what;
  std::string why; ///< For a log line and for people.
};

struct planned_abort {
  ask::abort_move what;
  std::string why;
};

/// To be submitted to the system group.
struct plan {
  std::vector<planned_move> begin;
  std::vector<planned_abort> abort;
  std::vector<ask::remove> leave; ///< Those that leave and have nothing left.

  bool empty() const noexcept { return begin.empty() && abort.empty() && leave.empty(); }
};

/// At most as many moves as `moves_max` allows beside those under way; those that have to wait do not count, up to four
/// times as many.
plan next_moves(const state& in, const observed& seen, const patience& how = {});

/// What the leader of a moving shard does now.
struct next_step {
  step at = step::add_spare;
  /// Whom to add, to wait for, to promote (one), to remove (one), or to transfer to (one); then nobody: the step is
  /// done.
  std::vector<node_id> who;
};
/// An error says why it has to wait, or that there is nothing to do (`item_not_found`).
result<next_step> step_of(const state& in, const observed& seen, shard_id shard, const patience& how = {});

// -- leaders --

struct transfer {
  shard_id shard = 0;
  node_id from = 0, to = 0;
  std::string why;

  friend bool operator==(const transfer&, const transfer&) = default;
};

/// At most as many as `transfers_max` allows beside those under way. First away from nodes that drain, that are
/// removed, or whose disk fails; then until the numbers of shards that nodes lead differ by at most one, as far as the
/// replicas allow.
std::vector<transfer> leader_transfers(const state& in, const observed& seen, const patience& how = {});

// -- facts --

/// Whether that may be asked for, as far as one sees: not what counts on the death of a node that is heard (`remove` of
/// a dead one, `join` in its place), and no `join` as a new node with an address of a member that is silent, which it
/// then is without its data, as like as not. Errors are for people.
result<void> check_seen(const state& in, const observed& seen, const command& what, const patience& how = {});

enum class health : std::uint8_t {
  good = 1,
  alone,       ///< It has one replica, because there are fewer than three nodes.
  at_risk,     ///< The next loss stops it.
  unavailable, ///< It takes no durable work.
};
std::string_view name_of(health x) noexcept;

struct shard_health {
  health is = health::good;
  std::size_t voters = 0, live = 0; ///< Those that live and have caught up.
  std::string why;                  ///< Empty when good.
};
shard_health health_of(const state& in, const observed& seen, shard_id shard, const patience& how = {});

bool is_alive(const state& in, const observed& seen, node_id x, const patience& how = {}) noexcept;

} // namespace xmpp::cluster
