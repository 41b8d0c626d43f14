// Accounts in a store that no server has open: for `troupe user` and `troupe init`.
#pragma once

#include "actors/cli.hpp"
#include "persistence/store.hpp"

namespace xmpp {

/// As the server opens it.
store_options options_of_store(const config& options);

/// Opens the store, making it when there is none; it stays open until the result is destroyed. Fails with
/// `storage_failure`: another process has it open, disk trouble; with `not_allowed` when the node is in a cluster.
result<std::unique_ptr<account_admin>> accounts_of_store(const config& options);

} // namespace xmpp
