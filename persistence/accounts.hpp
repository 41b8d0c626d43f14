// Accounts: who exists, how they sign in; and all small records of one account in one read.
#pragma once

#include "persistence/keys.hpp"
#include "persistence/offline.hpp"
#include "persistence/place.hpp"
#include "persistence/reader.hpp"
#include "persistence/write_set.hpp"
#include "protocol/error.hpp"
#include "protocol/jid.hpp"
#include "protocol/roster.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xmpp {

struct account_record {
  std::int64_t created_ms = 0; ///< Since the epoch.
  bool disabled = false;       ///< It exists and receives, but may not sign in.
  std::string credentials;     ///< What proves the password (`sasl::encode`), opaque here.

  friend bool operator==(const account_record&, const account_record&) = default;
};

/// When the last session ended and the status it left (XEP-0012).
struct last_activity_record {
  std::int64_t ms = 0; ///< Since the epoch.
  std::string status;

  friend bool operator==(const last_activity_record&, const last_activity_record&) = default;
};

/// All small records of an account: what its user actor needs to start.
struct user_records {
  std::optional<account_record> account; ///< None: there is no such account; then all else is empty.
  std::optional<last_activity_record> last_activity;
  struct roster roster; ///< With the pending requests.
  std::vector<jid> blocks;
  offline_summary offline;
  std::vector<std::pair<std::string, std::string>> settings; ///< By name.
};

/// One scan.
result<user_records> load_user(const reader& from, const account_place& at);

namespace accounts {

/// One point read; none: there is no such account.
result<std::optional<account_record>> find(const reader& from, const account_place& at);
result<bool> exists(const reader& from, const account_place& at);

/// Creates it or replaces its record (a password change). Whether it existed is for the caller to know: commands of one
/// account come from one actor.
void put(write_set& to, const account_place& at, const account_record& record);
/// The account and everything that belongs to it.
void erase(write_set& to, const account_place& at);

void put_last_activity(write_set& to, const account_place& at, const last_activity_record& record);

/// A small value that the user actor wants at its start; `value` up to a few KiB.
void put_setting(write_set& to, const account_place& at, std::string_view name, std::string_view value);
void erase_setting(write_set& to, const account_place& at, std::string_view name);

/// Local parts of a host's accounts in one shard, in order, at most `limit`, those after `after` ("": from the first).
/// A whole host is the merge over its shards.
result<std::vector<std::string>> list(const reader& from, shard_id shard, std::string_view domain,
                                      std::string_view after, std::size_t limit);

} // namespace accounts
} // namespace xmpp
