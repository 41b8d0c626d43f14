#include "actors/strangers.hpp"

#include <utility>

namespace xmpp {

std::optional<session_actor> strangers::add(const session_actor& session, std::size_t max) {
  auto guard = std::lock_guard{mutex_};
  by_age_.emplace(session.id(), session);
  if (by_age_.size() <= max)
    return std::nullopt;
  return std::move(by_age_.extract(by_age_.begin()).mapped());
}

void strangers::remove(caf::actor_id session) {
  auto guard = std::lock_guard{mutex_};
  by_age_.erase(session);
}

std::size_t strangers::size() const {
  auto guard = std::lock_guard{mutex_};
  return by_age_.size();
}

std::vector<session_actor> strangers::all() const {
  auto guard = std::lock_guard{mutex_};
  auto out = std::vector<session_actor>{};
  for (auto& [number, one] : by_age_)
    out.push_back(one);
  return out;
}

} // namespace xmpp
