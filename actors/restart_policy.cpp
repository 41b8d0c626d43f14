#include "actors/restart_policy.hpp"

#include <algorithm>

namespace xmpp {

std::optional<std::chrono::milliseconds> restart_history::failed(time now, const restart_options& options) {
  while (!failures_.empty() && now - failures_.front() > options.period)
    failures_.pop_front();
  failures_.push_back(now);
  if (failures_.size() > options.restarts_max)
    return std::nullopt;
  if (failures_.size() == 1)
    return options.backoff_first;
  auto doublings = std::min<std::size_t>(failures_.size() - 2, 20);
  return std::min(options.backoff_max, std::chrono::milliseconds{50} * (1L << doublings));
}

bool restart_history::empty(time now, const restart_options& options) const {
  return failures_.empty() || now - failures_.back() > options.period;
}

std::pair<std::size_t, std::size_t> affected(strategy how, std::size_t failed, std::size_t count) noexcept {
  switch (how) {
  case strategy::one_for_all:
    return {0, count};
  case strategy::rest_for_one:
    return {failed, count};
  case strategy::one_for_one:
    break;
  }
  return {failed, failed + 1};
}

} // namespace xmpp
