// The command line: `troupe serve`, `check`, `init`, `user …`, `cluster …`, `backup`, `restore`, `shell`, `version`.
#pragma once

#include "actors/config.hpp"
#include "protocol/error.hpp"
#include "protocol/jid.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

/// Accounts, wherever they are: in a running server or in a store that no server has open. Passwords are not logged.
class account_admin {
public:
  virtual ~account_admin() = default;
  /// Fails with `conflict` when it exists, `not_acceptable` when the password may not be one.
  virtual result<void> add(const jid& account, const std::string& password) = 0;
  /// Fails with `item_not_found`, `not_acceptable`.
  virtual result<void> set_password(const jid& account, const std::string& password) = 0;
  virtual result<void> remove(const jid& account) = 0;
  /// All of a host, sorted.
  virtual result<std::vector<std::string>> list(const std::string& host) = 0;
};

struct backup_wishes {
  bool is_partial = false;               ///< Also when shards are missing, or may lack the latest.
  std::optional<std::uint32_t> rate_mib; ///< In a second, at most.
};
/// Takes a backup's next bytes.
using backup_taker = std::function<result<void>(std::string_view bytes)>;

/// What the command line needs of the rest of the server.
struct cli_actions {
  /// Runs the server until it is told to stop; the process's exit code.
  std::function<int(const config&)> serve = {};
  /// The interactive shell, or one command; the process's exit code.
  std::function<int(const config&, const std::optional<std::string>& command, bool json)> shell = {};
  /// Accounts of the server that answers on `server.admin_socket`.
  std::function<result<std::unique_ptr<account_admin>>(const config&)> accounts_of_server = {};
  /// Accounts in the store, which this process then has open.
  std::function<result<std::unique_ptr<account_admin>>(const config&)> accounts_of_store = {};
  /// A backup of the server that answers on `server.admin_socket`; `item_not_found`: none does.
  std::function<result<void>(const config&, const backup_wishes&, const backup_taker&)> backup_of_server = {};
};

/// Parses and runs; the process's exit code: 0 done, 1 failed or something is wrong, 2 a wrong command line or
/// configuration (as read by `check`: 1).
int run_cli(int argc, const char* const* argv, const cli_actions& actions);

/// What `serve` prints when it is ready: what is listening where, and how to sign in to `account` with a first client;
/// empty: there is none yet.
void print_welcome(std::ostream& out, const config& options, const std::vector<std::string>& listening_on,
                   const std::string& account);

} // namespace xmpp
