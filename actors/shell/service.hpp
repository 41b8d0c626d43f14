// The server's side of the shell: accepts at a Unix socket and runs commands, each connection on a thread of its own.
#pragma once

#include "actors/shell/backend.hpp"
#include "actors/shell/local_socket.hpp"

#include <caf/fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace xmpp::shell {

struct service_options {
  std::filesystem::path path;
  std::size_t connections_max = 16; ///< Each is a thread.
  std::string greeting = {};        ///< What an interactive shell says first.
  /// Told of each command after its end, from its thread: who gave it, without passwords and texts, and its exit
  /// status.
  std::function<void(std::uint32_t uid, std::string_view line, int status)> on_command = {};
  /// Who may; tests refuse.
  std::function<bool(std::uint32_t uid)> is_allowed = {}; ///< Empty: `may_command`.
};

/// For one thread. The backend and the actor system outlive it.
class service {
public:
  service(service_options options, shell_backend& server, caf::actor_system& system);
  /// Ends all connections and waits for their threads: as long as the longest call of the backend.
  ~service();
  service(const service&) = delete;

  /// Listens, or does so anew; shells that are connected stay. Fails as `local_listener::open` does.
  result<void> listen();

  std::size_t connection_count();

private:
  class connection;

  void stop_listening();
  void accept_until_woken(int listening);
  void accept_one(int listening);
  void forget_ended();

  const service_options options_;
  shell_backend& server_;
  caf::actor_system& system_;
  std::unique_ptr<local_listener> listener_;
  int wake_; ///< An event that ends the acceptor's wait.
  std::thread acceptor_;
  std::mutex mutex_;
  std::list<std::unique_ptr<connection>> connections_;
};

} // namespace xmpp::shell
