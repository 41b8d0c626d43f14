// Inbound subscription requests that nobody answered yet (RFC 6121, 3.1.3): shown again at each sign-in.
#pragma once

#include "persistence/place.hpp"
#include "persistence/write_set.hpp"
#include "protocol/jid.hpp"

#include <cstdint>
#include <string>

namespace xmpp {

struct pending_subscription {
  jid from;                     ///< Bare.
  std::int64_t received_ms = 0; ///< Since the epoch.
  std::string xml;              ///< The presence, in its canonical bytes (xml.hpp).
};

namespace subscriptions {

/// Replaces an earlier one from the same contact. Read by `load_user`.
void put(write_set& to, const account_place& at, const pending_subscription& request);
void erase(write_set& to, const account_place& at, const jid& from);

} // namespace subscriptions
} // namespace xmpp
