#include "actors/throttle.hpp"

#include <algorithm>

namespace xmpp {

std::uint32_t throttle::note(std::string_view name, std::int64_t now_ms, std::int64_t memory_ms) {
  auto guard = std::lock_guard{mutex_};
  if (auto i = by_name_.find(name); i != by_name_.end()) {
    by_age_.splice(by_age_.begin(), by_age_, i->second);
  } else {
    if (by_age_.size() >= names_max_) {
      by_name_.erase(by_age_.back().name);
      by_age_.pop_back();
    }
    by_age_.push_front({std::string{name}});
    by_name_.emplace(by_age_.front().name, by_age_.begin());
  }
  auto& one = by_age_.front();
  if (now_ms - one.last_ms > memory_ms)
    one.count = 0;
  one.last_ms = now_ms;
  return ++one.count;
}

std::uint32_t throttle::count(std::string_view name, std::int64_t now_ms, std::int64_t memory_ms) const {
  auto guard = std::lock_guard{mutex_};
  auto i = by_name_.find(name);
  return i == by_name_.end() || now_ms - i->second->last_ms > memory_ms ? 0 : i->second->count;
}

void throttle::forget(std::string_view name) {
  auto guard = std::lock_guard{mutex_};
  if (auto i = by_name_.find(name); i != by_name_.end()) {
    auto at = i->second;
    by_name_.erase(i);
    by_age_.erase(at);
  }
}

std::size_t throttle::size() const {
  auto guard = std::lock_guard{mutex_};
  return by_age_.size();
}

std::uint32_t backoff_ms(std::uint32_t failures, std::uint32_t after, std::uint32_t first_ms,
                         std::uint32_t max_ms) noexcept {
  if (failures <= after)
    return 0;
  auto doublings = std::min(failures - after - 1, 20u);
  return std::uint32_t(std::min<std::uint64_t>(max_ms, std::uint64_t{first_ms} << doublings));
}

} // namespace xmpp
