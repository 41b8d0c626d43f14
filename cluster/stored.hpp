// A group's log between Raft's values and the store's; and what makes a store the store of a cluster's node.
#pragma once

#include "cluster/raft.hpp"
#include "persistence/log.hpp"
#include "persistence/store.hpp"
#include "protocol/error.hpp"

#include <optional>
#include <vector>

namespace xmpp::raft {

raft::entry entry_of(group_entry x);
group_entry stored_entry(raft::entry x);
/// Nothing: its members can not be read.
std::optional<raft::snapshot> snapshot_of(const log_snapshot& x);
log_snapshot stored_snapshot(const raft::snapshot& x);
/// Fails with `corrupt_record`.
result<raft::stored> stored_of(group_log x);
/// Its shard is the caller's to set.
log_write write_of(raft::write x);

/// Makes of each lone shard, and of the system shard, a group with these members; on a store that nobody else uses yet.
/// All or, on an error, none. What was applied becomes a snapshot: then this member must be the only one. A store that
/// is new may be one of many that begin together, all with the same members.
///
/// The store can not be used alone any more.
result<void> make_groups(store& of, const std::vector<member>& members);

/// What makes this node a member, of a group that will add it: one that has nothing.
log_write waiting_member(shard_id shard);

} // namespace xmpp::raft
