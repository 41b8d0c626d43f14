// What becomes of a stanza that does not get to where it was to go: its sender is told, or the account tries it again.
#pragma once

#include "actors/context.hpp"
#include "protocol/error.hpp"
#include "protocol/stanza.hpp"

#include <optional>

namespace xmpp {

/// Answers the sender of `x` with `why`, where that is due: at its session, if that is here (its account may be
/// nobody's as well), else by its account's shard; but not by the shard `except`, which can't handle it either. From
/// any thread.
void answer_undelivered(const server_context& server, const stanza& x, errc why, std::optional<shard_id> except = {});

/// Whether what a session did not take is for who else is there, or for later: its account's to say (RFC 6121, 8.5.2.2
/// and 8.5.3.2). What is between the account and that session alone ends with it.
bool is_for_account(const stanza& x) noexcept;

} // namespace xmpp
