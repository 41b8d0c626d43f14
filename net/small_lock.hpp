// A lock of four bytes.
#pragma once

#include <atomic>
#include <cstdint>

namespace xmpp::net {

/// A mutex for objects that exist by the million and are hardly ever contended: `std::mutex` has 40 bytes. Waits in the
/// kernel after a short spin. Fits `std::lock_guard`.
class small_lock {
public:
  void lock() noexcept {
    for (auto i = 0; i < 100; ++i) {
      auto expected = std::uint32_t{free};
      if (state_.load(std::memory_order_relaxed) == free &&
          state_.compare_exchange_weak(expected, taken, std::memory_order_acquire, std::memory_order_relaxed))
        return;
    }
    while (state_.exchange(contended, std::memory_order_acquire) != free)
      state_.wait(contended, std::memory_order_relaxed);
  }
  void unlock() noexcept {
    if (state_.exchange(free, std::memory_order_release) == contended)
      state_.notify_one();
  }

private:
  enum : std::uint32_t { free, taken, contended };
  std::atomic<std::uint32_t> state_{free};
};

} // namespace xmpp::net
