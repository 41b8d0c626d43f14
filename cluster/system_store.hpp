// The system group's state in the store: one value under one key of the system shard, replaced as a whole.
//
// The group's leader applies what is asked for (system_state.hpp) to its own copy, and what the group replicates is the
// new value: physical changes, as in every other shard. So no member ever has to apply an `ask` that its release does
// not know; all it has to read is the state.
#pragma once

#include "cluster/system_state.hpp"
#include "persistence/reader.hpp"
#include "persistence/write_set.hpp"
#include "protocol/error.hpp"

#include <optional>

namespace xmpp::cluster {

write_set stored(const state& x);

/// Nothing: there is none. Fails as `reader` does, and with `corrupt_record`.
result<std::optional<state>> load_state(const reader& from);

} // namespace xmpp::cluster
