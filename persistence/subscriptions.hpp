// Inbound subscription requests that nobody answered yet (RFC 6121, 3.1.3): shown again at each sign-in.
#pragma once

#include "persistence/place.hpp"
#include "persistence/write_set.hpp"
#include "protocol/jid.hpp"
#include "protocol/roster.hpp"

namespace xmpp::subscriptions {

/// Replaces an earlier one from the same contact. Read by `load_user`.
void put(write_set& to, const account_place& at, const pending_request& request);
void erase(write_set& to, const account_place& at, const jid& contact);

} // namespace xmpp::subscriptions
