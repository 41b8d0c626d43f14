// Whom an account blocks (XEP-0191), one record for each address.
#pragma once

#include "persistence/place.hpp"
#include "persistence/write_set.hpp"
#include "protocol/jid.hpp"

namespace xmpp::blocks {

/// Read by `load_user`.
void put(write_set& to, const account_place& at, const jid& blocked);
void erase(write_set& to, const account_place& at, const jid& blocked);
void erase_all(write_set& to, const account_place& at);

} // namespace xmpp::blocks
