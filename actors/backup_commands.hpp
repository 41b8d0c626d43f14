// `troupe backup` and `troupe restore`: what they ask of the configuration, and what they say. What they do is in
// persistence/backup_file.hpp.
#pragma once

#include "actors/cli.hpp"
#include "actors/cluster_commands.hpp"
#include "persistence/backup_file.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace xmpp {

// All return what to print.

/// To `path`, or into that folder by the name of the moment. Of the running server, else of the store, if it is a lone
/// node's.
result<std::string> back_up(const config& options, const std::filesystem::path& path, const backup_wishes& how,
                            const cli_actions& actions, const as_typed& typed);

/// Reads all of it again.
result<std::string> verify_backup(const std::filesystem::path& path);

using backup_files = std::vector<std::unique_ptr<backup_file>>;
result<backup_files> open_backups(const std::vector<std::string>& paths);

/// What would be lost with the restoring, before anything is done: `conflict`.
result<void> check_may_restore(const config& options);
/// The server does not run, and the data folder is there.
result<std::string> restore_backups(const config& options, const backup_files& from, bool is_partial,
                                    const as_typed& typed);

/// Of a store that no server has open. Fails with `not_allowed` when the node is in a cluster, and as `store::open`
/// does.
result<void> backup_of_store(const config& options, const backup_taker& take);

} // namespace xmpp
