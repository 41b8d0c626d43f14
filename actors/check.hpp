// `troupe check`: whether a server with this configuration could run here, what is wrong, and how to mend it.
#pragma once

#include "actors/config.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

struct finding {
  enum class grade : std::uint8_t {
    good,
    warning, ///< It runs, but somebody will be hurt by it.
    wrong,   ///< It does not run, or clients cannot use it.
  } what = grade::good;
  std::string subject; ///< `certificate /etc/troupe/cert.pem`
  std::string text;    ///< What is so.
  std::string remedy;  ///< How to mend it; empty when nothing is to be done.
};

/// Looks at certificates, ports, the open-file limit, the data folder, the disk, the admin socket, the log and the
/// clock. Changes nothing but files that it removes again. `now_s`: since the epoch.
std::vector<finding> check(const config& options, std::int64_t now_s);

/// The same of a node of a cluster, of which it looks at the identity, its addresses and the others; nothing of one
/// that is in none. `runs`: a server has the folder, and the port. Waits for a name server where a seed is a name.
std::vector<finding> check_cluster(const config& options, std::int64_t now_s, bool runs);

/// Files that a server may have open beside its connections: up to 320 of the store, and sockets, logs, shells.
inline constexpr std::uint64_t reserved_files = 384;

/// Whether a process that may have `limit` files open can run this configuration: `wrong` below
/// `server.open_files_min`.
finding judge_open_files(const config& options, std::uint64_t limit);

/// Whether the kernel lets as many connections wait as `listen.backlog` says.
finding judge_backlog(const config& options);

/// For an endpoint that cannot be listened on.
inline constexpr std::string_view port_remedy =
    "stop whatever uses it (ss -ltnp shows it), choose another in [listen], or for ports below 1024 give the binary "
    "CAP_NET_BIND_SERVICE";

/// Whether shells could be listened for, with the option, its value and the reason where not. For a moment it is.
result<void> check_admin_socket(const config& options);

/// Whether a server listens on this admin socket.
bool is_running(const std::filesystem::path& admin_socket);

/// One finding a line, the remedy on the next; with `all` also the good ones.
std::string describe(const std::vector<finding>& findings, bool all);

/// No finding is wrong.
bool is_sound(const std::vector<finding>& findings);

} // namespace xmpp
