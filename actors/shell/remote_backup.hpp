// A backup of the server that answers on `server.admin_socket`.
#pragma once

#include "actors/cli.hpp"

namespace xmpp::shell {

/// Gives the bytes to `take` as they come; an error of that ends it. What the server refuses is an
/// `undefined_condition` in its own words.
result<void> backup_of_server(const config& options, const backup_wishes& how, const backup_taker& take);

} // namespace xmpp::shell
