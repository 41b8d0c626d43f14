// Roster items as they are stored, and the roster's version.
#pragma once

#include "persistence/place.hpp"
#include "persistence/reader.hpp"
#include "persistence/write_set.hpp"
#include "protocol/error.hpp"
#include "protocol/jid.hpp"
#include "protocol/roster.hpp"

#include <cstdint>

namespace xmpp {

namespace rosters {

/// Items and version, without the pending requests. `load_user` gives all of them.
result<roster> load(const reader& from, const account_place& at);

void put(write_set& to, const account_place& at, const roster_item& item);
void erase(write_set& to, const account_place& at, const jid& contact);
void put_version(write_set& to, const account_place& at, std::uint64_t version);

} // namespace rosters
} // namespace xmpp
