// `troupe shell`: the terminal's side of the shell.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace xmpp {

/// With `command`: runs it and returns. Else reads commands: from a person, or line by line from a pipe. Output in JSON
/// when asked for. Returns the exit code: 0, 1 when a command failed, 2 when there is no server to talk to (it says how
/// to start one), 130 when Ctrl-C had to be pressed twice.
int run_shell(const std::filesystem::path& socket, const std::optional<std::string>& command, bool json);

} // namespace xmpp
