// When a failed child may run again: the rules of supervision, on times given as values.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

namespace xmpp {

enum class strategy { one_for_one, rest_for_one, one_for_all };

struct restart_options {
  strategy how = strategy::one_for_one;
  std::size_t restarts_max = 10; ///< Within the period below; one more, and the supervisor itself fails.
  std::chrono::milliseconds period{10'000};
  std::chrono::milliseconds backoff_first{0}; ///< Before the first restart of a period; then 50 ms, doubled each time.
  std::chrono::milliseconds backoff_max{5'000};
};

/// The failures of late of one child, or of one supervisor's children together.
class restart_history {
public:
  using time = std::chrono::steady_clock::time_point;

  /// Notes a failure. How long to wait before the restart; none: too many within the period.
  std::optional<std::chrono::milliseconds> failed(time now, const restart_options& options);
  bool empty(time now, const restart_options& options) const;

private:
  std::deque<time> failures_;
};

/// Which of `count` children restart when `failed` did: first and one behind the last.
std::pair<std::size_t, std::size_t> affected(strategy how, std::size_t failed, std::size_t count) noexcept;

} // namespace xmpp
