// REMOTE RUN: a command that this node's shell has another node run, as seen from here. It lives as long as it is asked
// about (remote_wire.hpp): who stops to call `poll` stops it.
#pragma once

#include "actors/shell/backend.hpp"
#include "actors/shell/remote_wire.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <future>
#include <optional>
#include <string>
#include <vector>

namespace xmpp::shell {

/// For one thread.
class remote_run {
public:
  using clock = std::chrono::steady_clock;
  static constexpr auto patience = std::chrono::seconds{5}; ///< For an answer.

  remote_run(shell_backend& at, cluster::node_id node, remote_task task, const client_hello& as, std::string text);
  /// Stops it there, when it has not ended.
  ~remote_run();
  remote_run(const remote_run&) = delete;

  /// What came since, oldest first; asks for more. Never waits.
  std::vector<frame> poll();
  /// An answer to its question, a stop, another width.
  void tell(remote_kind what, std::string text = {});

  bool has_begun() const noexcept { return round_trip_us_ >= 0; } ///< The other node has answered.
  bool is_over() const noexcept { return is_over_; }
  int status() const noexcept { return status_; }
  /// Why it is over, when the other node did not say that it has ended: it cannot be reached, does not answer, …
  const std::optional<error>& failure() const noexcept { return failure_; }
  /// What the other node's clock is ahead of ours, as far as that can be told; 0: less than the way there takes.
  std::int64_t clock_offset_us() const noexcept;

private:
  void ask(const remote_step& what);
  void read(const std::string& bytes, std::vector<frame>& to);
  void end(error why);

  shell_backend& at_;
  const cluster::node_id node_;
  const std::uint64_t number_;
  std::deque<remote_step> to_tell_; ///< One is on its way at a time, so that their order holds.
  std::future<result<std::string>> asked_;
  clock::time_point asked_at_;
  std::int64_t asked_at_us_ = 0;
  std::int64_t offset_us_ = 0, round_trip_us_ = -1; ///< Of the quickest answer.
  bool is_over_ = false;
  int status_ = 1;
  std::optional<error> failure_;
};

} // namespace xmpp::shell
