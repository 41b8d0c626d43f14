// Accounts of the running server, through its shell's socket: for `troupe user`.
#pragma once

#include "actors/cli.hpp"

namespace xmpp::shell {

/// Fails with `item_not_found` (no server there), `forbidden`, and whatever the socket says.
result<std::unique_ptr<account_admin>> accounts_of_server(const config& options);

} // namespace xmpp::shell
