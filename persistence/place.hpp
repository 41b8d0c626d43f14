// An account, and where it is kept.
#pragma once

#include "persistence/keys.hpp"
#include "protocol/jid.hpp"

namespace xmpp {

struct account_place {
  shard_id shard = 0;
  jid account; ///< Its bare JID counts.
};

} // namespace xmpp
