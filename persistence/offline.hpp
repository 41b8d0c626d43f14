// Messages that wait for their recipient (XEP-0160), in the order they came.
#pragma once

#include "persistence/ids.hpp"
#include "persistence/place.hpp"
#include "persistence/reader.hpp"
#include "persistence/write_set.hpp"
#include "protocol/error.hpp"
#include "protocol/jid.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace xmpp {

struct offline_message {
  jid from, to;
  std::int64_t received_ms = 0; ///< Since the epoch; for the delay stamp (XEP-0203).
  std::int64_t expires_ms = 0;  ///< 0: never.
  std::string xml;              ///< The stanza, in its canonical bytes (xml.hpp).
  std::string only_for = {};    ///< Empty: whoever comes first. Else a resource: the others had it when it came.
};

/// How much waits: for quotas, and to know at a sign-in that nothing does. Kept by the user actor, stored with each
/// change; read by `load_user`.
struct offline_summary {
  std::uint32_t messages = 0;
  std::uint64_t bytes = 0; ///< Of records, as `offline::size_bytes` counts them.

  friend bool operator==(const offline_summary&, const offline_summary&) = default;
};

namespace offline {

struct loaded {
  stored_id id;
  offline_message message;
  std::uint64_t size_bytes = 0;
};

/// What one message counts in the summary.
std::uint64_t size_bytes(const offline_message& message);

/// Adds a message, counts it in `summary` and stores that too. `id` must be later than all others of the account.
void append(write_set& to, const account_place& at, const stored_id& id, const offline_message& message,
            offline_summary& summary);

/// Oldest first, those after `after` (default: from the first), at most `limit`, and none behind the one that reaches
/// `bytes_max`. A record that cannot be read is left out and reported by its id in `unreadable`, so that it does not
/// hide the others.
struct page {
  std::vector<loaded> messages;
  std::vector<stored_id> unreadable;
  bool more = false; ///< There are some behind the last.

  stored_id last() const; ///< The default one if there is none.
};
result<page> load(const reader& from, const account_place& at, const stored_id& after, std::size_t limit,
                  std::uint64_t bytes_max = UINT64_MAX);

/// Erases these; `summary` loses what they counted.
void erase(write_set& to, const account_place& at, std::span<const loaded> messages, offline_summary& summary);

} // namespace offline
} // namespace xmpp
