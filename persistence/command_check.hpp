// What may be submitted: a command that is sound, of its shard, and no larger than what carries it.
#pragma once

#include "persistence/write_set.hpp"

namespace xmpp {

/// Of one command, encoded. Nodes send each other frames of 4 MiB at most (cluster/link.hpp): so much fits with what is
/// around it, or, as one value, behind a part of a state (cluster/group_replica.hpp).
inline constexpr std::size_t command_bytes_max = 3u << 20;

/// Fails with `resource_constraint` when it is larger, else as `for_each_change`.
result<void> check_command(std::string_view encoded_command, shard_id shard);

} // namespace xmpp
