// The running server: makes everything in order, keeps it together, ends it in order.
#pragma once

#include "actors/context.hpp"
#include "actors/reactor_unit.hpp"
#include "actors/supervisor.hpp"
#include "cluster/identity.hpp"
#include "protocol/error.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace xmpp {

class shell_backend;
namespace shell {
class remote_runs;
}

/// When `drain` ends the stream of that index, from 0 on, so that `per_second` of them end in any second.
std::chrono::milliseconds drain_delay(std::size_t index, std::uint32_t per_second) noexcept;

class server {
public:
  /// Raises the open-file limit, opens the store, binds the ports and starts all actors. Fails with words for the
  /// operator: what could not be had; `bad_request`: the configuration asks for what this machine cannot give.
  static result<std::unique_ptr<server>> start(const config& options);
  ~server();

  /// Every address that is listened on, for people.
  const std::vector<std::string>& listening_on() const noexcept { return listening_on_; }
  /// One that exists, to tell people of: the one that `init` makes, on whichever host, else any. Empty: none was found
  /// among the first hosts.
  std::string first_account() const;
  server_context& context() noexcept { return *context_; }
  caf::actor_system& system() noexcept { return *system_; }

  /// Waits until `request_stop`, or until the root of supervision gives up; true in the first case.
  bool wait();
  /// From any thread, also from a signal's.
  void request_stop();

  /// Takes over what may change while running. One line for each change: `c2s.conflict: replace -> rename`, with
  /// `(needs a restart)` where it does.
  result<std::vector<std::string>> reload();
  /// Accepts no more clients and sends those that are here away, bit by bit.
  void drain();
  /// Ends all streams with `system-shutdown`, waits for them, finishes what is being written.
  void stop();

private:
  server() = default;
  result<std::shared_ptr<const live_settings>> make_live(const config& options,
                                                         std::vector<config_change> waiting = {}) const;
  result<void> open_store(const config& options, const cluster::identity& identity);
  result<void> start_actors(const config& options);

  std::unique_ptr<caf::actor_system_config> system_config_;
  std::unique_ptr<caf::actor_system> system_;
  std::unique_ptr<server_context> context_;
  std::vector<std::unique_ptr<reactor_unit>> reactors_;
  std::shared_ptr<net::ticket_keys> ticket_keys_;
  supervisor_actor root_;
  std::vector<caf::strong_actor_ptr> listeners_;
  std::unique_ptr<shell_backend> backend_;
  std::unique_ptr<shell::remote_runs> remote_runs_; ///< Null: not in a cluster.
  std::vector<std::string> listening_on_;
  std::filesystem::path file_;
  std::int64_t started_ms_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_requested_ = false;
  bool root_failed_ = false;
  bool stopped_ = false;
};

} // namespace xmpp
