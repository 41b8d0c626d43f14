#include "net/accept_limiter.hpp"

#include <algorithm>
#include <random>

namespace xmpp::net {

namespace {

constexpr auto cost = std::uint64_t{60'000};

} // namespace

accept_limiter::accept_limiter(const accept_limits& limits) : limits_(limits) {
  auto random = std::random_device{};
  secret_ = std::uint64_t{random()} << 32 | random();
}

accept_limiter::verdict accept_limiter::admit(const address& peer, std::uint64_t now_ms) {
  auto guard = std::lock_guard{mutex_};
  if (limits_.total_max != 0 && open_ >= limits_.total_max)
    return verdict::too_many_in_total;
  auto i = find_or_add(peer.limit_key(), now_ms);
  if (!(limits_.loopback_is_exempt && peer.is_loopback())) {
    if (limits_.at_once_max != 0 && i->open >= limits_.at_once_max)
      return verdict::too_many_at_once;
    if (limits_.per_minute_max != 0) {
      auto full = cost * std::max(limits_.burst_max, 1u);
      auto passed_ms = std::min<std::uint64_t>(now_ms - std::min(now_ms, i->refilled_ms), 86'400'000);
      i->tokens = std::min(full, i->tokens + passed_ms * limits_.per_minute_max);
      i->refilled_ms = now_ms;
      if (i->tokens < cost)
        return verdict::too_fast;
      i->tokens -= cost;
    }
  }
  if (i->open++ == 0)
    busy_.splice(busy_.end(), idle_, i);
  ++open_;
  return verdict::admitted;
}

void accept_limiter::release(const address& peer) noexcept {
  auto guard = std::lock_guard{mutex_};
  auto found = by_key_.find(scrambled(peer.limit_key()));
  if (found == by_key_.end() || found->second->open == 0)
    return;
  --open_;
  if (--found->second->open == 0) {
    idle_.splice(idle_.end(), busy_, found->second);
    forget_some();
  }
}

void accept_limiter::set_limits(const accept_limits& limits) {
  auto guard = std::lock_guard{mutex_};
  limits_ = limits;
  forget_some();
}

std::size_t accept_limiter::open_connections() const {
  auto guard = std::lock_guard{mutex_};
  return open_;
}

std::size_t accept_limiter::known_addresses() const {
  auto guard = std::lock_guard{mutex_};
  return by_key_.size();
}

// A bijection with a secret, so that nobody can choose addresses that share a bucket.
std::uint64_t accept_limiter::scrambled(std::uint64_t key) const noexcept {
  key ^= secret_;
  key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9u;
  key = (key ^ key >> 27) * 0x94d049bb133111ebu;
  return key ^ key >> 31;
}

accept_limiter::entries::iterator accept_limiter::find_or_add(std::uint64_t key, std::uint64_t now_ms) {
  auto name = scrambled(key);
  if (auto found = by_key_.find(name); found != by_key_.end())
    return found->second;
  idle_.push_back({name, now_ms, cost * std::max(limits_.burst_max, 1u), 0});
  auto added = std::prev(idle_.end());
  by_key_.emplace(name, added);
  forget_some();
  return added;
}

// Never the newest, which the caller is about to use.
void accept_limiter::forget_some() noexcept {
  while (by_key_.size() > limits_.addresses_max && idle_.size() > 1) {
    by_key_.erase(idle_.front().key);
    idle_.pop_front();
  }
}

} // namespace xmpp::net
