// The Unix socket of the shell: who may open it, and how a stale one is replaced.
#pragma once

#include "protocol/error.hpp"

#include <filesystem>
#include <sys/types.h>

namespace xmpp::shell {

/// A socket that listens; closed, and its path removed unless someone has replaced it, at the end.
class local_listener {
public:
  /// Listens at `path` with mode 0600. The path appears whole: at no moment is there a socket with other rights, or one
  /// that nobody listens on. A socket that a dead server left there is replaced. Fails with `conflict` when a live
  /// server answers there or something that is no socket stands there; else with `resource_constraint` and the system's
  /// words. Paths may be longer than the 107 bytes that a socket's address holds.
  static result<local_listener> open(const std::filesystem::path& path);

  local_listener(local_listener&&) noexcept;
  local_listener& operator=(local_listener&&) = delete;
  ~local_listener();

  int descriptor() const noexcept { return descriptor_; }

private:
  local_listener() = default;

  std::filesystem::path path_;
  int descriptor_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Fails with `item_not_found` (no server there), `forbidden` (no right), else `undefined_condition`.
result<int> connect_to(const std::filesystem::path& path);

/// Who is at the other end, as the kernel knows it; fails with `not_authorized`.
result<uid_t> peer_of(int descriptor);

/// Whether that user may command a server that runs as `own`: the same one, or root.
constexpr bool may_command(uid_t peer, uid_t own) noexcept {
  return peer == own || peer == 0;
}

} // namespace xmpp::shell
