#include "actors/request_watch.hpp"

#include "protocol/namespaces.hpp"

#include <algorithm>
#include <utility>

namespace xmpp {

namespace {

/// Between looks for what is remembered no longer.
constexpr std::int64_t sweep_ms = 30'000;

/// An account speaks to its own clients in its name or in none.
std::string_view name_of(const jid& other, const jid& full) noexcept {
  return other.empty() ? full.bare_text() : other.text();
}

stanza timeout_of(const jid& asker, const std::string& id, const std::string& asked) {
  auto request = xml::builder{"iq", ns::client}.attribute("type", "get").attribute("id", id).finish();
  return stanza{std::move(request), asker, jid::from_prepared(asked)}.error_reply(errc::remote_server_timeout);
}

} // namespace

void request_watch::asks(caf::actor_id session, const stanza& x, std::int64_t now_ms) {
  if (size_ >= requests_max)
    return;
  auto& home = home_of(session);
  auto guard = std::lock_guard{home.mutex};
  auto& its = home.sessions[session];
  its.full = x.from;
  if (its.requests.size() >= of_session_max)
    its.requests.erase(its.requests.begin());
  else
    ++size_;
  its.requests.push_back({std::string{x.id()}, std::string{name_of(x.to, x.from)}, now_ms});
}

bool request_watch::may_have(caf::actor_id session, const stanza& x) {
  if (x.kind != stanza_kind::iq || x.is_request())
    return true;
  auto& home = home_of(session);
  auto guard = std::lock_guard{home.mutex};
  auto i = home.sessions.find(session);
  if (i == home.sessions.end())
    return true;
  auto& all = i->second.requests;
  auto find = [&](bool is_answered) {
    return std::ranges::find_if(all, [&](auto& one) {
      return (one.is == state::answered) == is_answered && one.id == x.id() &&
             one.to == name_of(x.from, i->second.full);
    });
  };
  auto found = find(false);
  auto is_first = found != all.end();
  if (!is_first)
    found = find(true);
  if (found == all.end())
    return true;
  if (found->is == state::given_up) {
    found->is = state::answered;
    return true;
  }
  all.erase(found);
  --size_;
  if (all.empty())
    home.sessions.erase(i);
  return is_first;
}

void request_watch::forget(caf::actor_id session) {
  auto& home = home_of(session);
  auto guard = std::lock_guard{home.mutex};
  if (auto found = home.sessions.extract(session))
    size_ -= found.mapped().requests.size();
}

void request_watch::something_is_lost(std::int64_t now_ms) {
  auto guard = std::lock_guard{mutex_};
  if (losses_.empty() || losses_.back() < now_ms)
    losses_.push_back(now_ms);
}

std::vector<request_watch::answer> request_watch::take_late(std::int64_t now_ms) {
  auto lost_ms = std::int64_t{-1}; // The last time that counts.
  auto sweeps = false;
  {
    auto guard = std::lock_guard{mutex_};
    while (!losses_.empty() && losses_.front() + patience_ms <= now_ms) {
      lost_ms = losses_.front();
      losses_.pop_front();
    }
    sweeps = now_ms >= next_sweep_ms_;
    if (sweeps)
      next_sweep_ms_ = now_ms + sweep_ms;
  }
  auto out = std::vector<answer>{};
  if (lost_ms < 0 && !sweeps)
    return out;
  for (auto& home : parts_) {
    auto guard = std::lock_guard{home.mutex};
    for (auto i = home.sessions.begin(); i != home.sessions.end();) {
      auto& [session, its] = *i;
      for (auto& one : its.requests)
        if (one.is == state::waits && one.since_ms <= lost_ms) {
          one.is = state::given_up;
          one.since_ms = now_ms;
          out.push_back({session, timeout_of(its.full, one.id, one.to)});
        }
      forget_old(its, now_ms);
      i = its.requests.empty() ? home.sessions.erase(i) : std::next(i);
    }
  }
  return out;
}

void request_watch::forget_old(asking& x, std::int64_t now_ms) {
  size_ -= std::erase_if(x.requests,
                         [&](auto& one) { return one.is != state::waits && one.since_ms + remembers_ms <= now_ms; });
}

} // namespace xmpp
