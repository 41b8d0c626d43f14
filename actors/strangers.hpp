// Sessions that have not signed in yet, oldest first: when there are too many, the oldest has to go.
#pragma once

#include "actors/interfaces.hpp"

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace xmpp {

class strangers {
public:
  /// Adds one; returns the oldest when there are more than `max` now, and forgets it.
  std::optional<session_actor> add(const session_actor& session, std::size_t max);
  /// It has signed in, or is gone.
  void remove(caf::actor_id session);
  std::size_t size() const;
  std::vector<session_actor> all() const;

private:
  mutable std::mutex mutex_;
  std::map<caf::actor_id, session_actor> by_age_; ///< Actors' numbers grow.
};

} // namespace xmpp
