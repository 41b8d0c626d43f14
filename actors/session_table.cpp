#include "actors/session_table.hpp"

#include <algorithm>

namespace xmpp {

void session_table::add(const jid& full, const session_actor& session) {
  auto h = hash(full);
  auto& home = home_of(full);
  auto guard = std::lock_guard{home.mutex};
  home.sessions.emplace(h, bound{full, session});
  ++size_;
}

void session_table::remove(const jid& full, const session_actor& session) {
  auto h = hash(full);
  auto& home = home_of(full);
  auto guard = std::lock_guard{home.mutex};
  auto [first, last] = home.sessions.equal_range(h);
  for (auto i = first; i != last; ++i)
    if (i->second.full == full && i->second.session == session) {
      home.sessions.erase(i);
      --size_;
      return;
    }
}

bool session_table::has(const jid& full) const {
  auto h = hash(full);
  auto& home = home_of(full);
  auto guard = std::lock_guard{home.mutex};
  auto [first, last] = home.sessions.equal_range(h);
  return std::any_of(first, last, [&](auto& one) { return one.second.full == full; });
}

session_actor session_table::find(const jid& full) const {
  auto h = hash(full);
  auto& home = home_of(full);
  auto guard = std::lock_guard{home.mutex};
  auto [first, last] = home.sessions.equal_range(h);
  auto i = std::find_if(first, last, [&](auto& one) { return one.second.full == full; });
  return i == last ? session_actor{} : i->second.session;
}

std::vector<session_actor> session_table::of(shard_id shard) const {
  auto& home = parts_[shard];
  auto guard = std::lock_guard{home.mutex};
  auto out = std::vector<session_actor>{};
  out.reserve(home.sessions.size());
  for (auto& [h, one] : home.sessions)
    out.push_back(one.session);
  return out;
}

std::vector<session_actor> session_table::of(const jid& account) const {
  auto result = std::vector<session_actor>{};
  auto h = hash(account);
  auto& home = home_of(account);
  auto guard = std::lock_guard{home.mutex};
  auto [first, last] = home.sessions.equal_range(h);
  for (auto i = first; i != last; ++i)
    if (i->second.full.bare_text() == account.bare_text())
      result.push_back(i->second.session);
  return result;
}

void session_table::for_each(const std::function<void(const jid&, const session_actor&)>& visit) const {
  for (auto& home : parts_) {
    auto guard = std::lock_guard{home.mutex};
    for (auto& [h, one] : home.sessions)
      visit(one.full, one.session);
  }
}

} // namespace xmpp
