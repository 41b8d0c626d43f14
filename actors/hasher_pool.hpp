// The hashers of this server; requests go to them in turn.
#pragma once

#include "actors/interfaces.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace xmpp {

/// As many as `sign_in.hasher_threads` says, 1 or more. Each is restarted in place, so handles stay: `set` while nobody
/// asks yet, `clear` when nobody asks any more.
class hasher_pool {
public:
  explicit hasher_pool(std::size_t count) : all_(count) {}

  void set(std::size_t index, hasher_actor one) { all_[index] = std::move(one); }
  void clear() { all_.assign(all_.size(), {}); }
  /// Any thread may ask. Requests cost about the same, so turns share them evenly.
  const hasher_actor& next() noexcept { return all_[turn_.fetch_add(1, std::memory_order_relaxed) % all_.size()]; }

private:
  std::vector<hasher_actor> all_;
  std::atomic<std::size_t> turn_{0};
};

} // namespace xmpp
