// REMOTE RUNS: commands that run on this node for shells of other nodes, each on a thread of its own, as those of its
// own shells do (service.hpp). What they write waits until it is asked for (remote_wire.hpp).
#pragma once

#include "actors/shell/backend.hpp"
#include "actors/shell/remote_wire.hpp"

#include <caf/fwd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace xmpp::shell {

struct remote_run_options {
  std::size_t runs_max = 32; ///< Each is a thread; more are refused.
  std::chrono::milliseconds lease = remote_lease;
  /// Told of each command after its end, from its thread: for which node, without passwords and texts, and its exit
  /// status.
  std::function<void(std::uint64_t node, std::string_view line, int status)> on_command = {};
};

/// Safe from any thread. The backend and the actor system outlive it.
class remote_runs {
public:
  remote_runs(remote_run_options options, shell_backend& server, caf::actor_system& system);
  /// Stops all that run, and waits: as long as the longest call of the backend.
  ~remote_runs();
  remote_runs(const remote_runs&) = delete;

  /// The answer to a question of `node`. Fails with `bad_request`, `unsupported_version`, `resource_constraint` (too
  /// many run), `item_not_found` (no such run, or not any more). Never waits for what runs.
  result<std::string> answer(std::uint64_t node, std::string_view question);
  /// Begins nothing any more, and tells all that run to stop.
  void stop();
  /// Those of which not all was asked for yet.
  std::size_t count();

private:
  class run;
  using number = std::pair<std::uint64_t, std::uint64_t>; ///< The node, and its own number.

  result<std::string> begin(const number& as, const remote_step& what);
  void forget_ended();

  const remote_run_options options_;
  shell_backend& server_;
  caf::actor_system& system_;
  std::mutex mutex_;
  std::map<number, std::shared_ptr<run>> runs_;
  bool is_stopping_ = false;
};

} // namespace xmpp::shell
