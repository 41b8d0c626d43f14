// Many one-shot deadlines, cheap to set and to cancel; time comes from the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xmpp::net {

/// What a timer calls. It must cancel its timers before it dies.
class timed {
public:
  virtual void on_timer(std::uint32_t tag) = 0;

protected:
  ~timed() = default;
};

/// Names one timer for `cancel`; it stays safe to use after the timer fired: ids are not reused for 2^32 timers of one
/// place. Zero names no timer.
using timer_id = std::uint64_t;

/// A hashed wheel: 32 bytes per pending timer, constant time to set and to cancel. A timer never fires early and at
/// most one `resolution_ms` late. Not for use by several threads.
class timer_wheel {
public:
  /// `slots` is a power of two, 64 or more. A deadline further away than `resolution_ms * slots` costs one look per
  /// turn of the wheel.
  timer_wheel(std::uint32_t resolution_ms, std::uint32_t slots, std::uint64_t now_ms);

  /// Calls `target->on_timer(tag)` once, from `advance`, when `delay_ms` have passed.
  timer_id set(std::uint64_t now_ms, std::uint64_t delay_ms, timed* target, std::uint32_t tag);
  /// Does nothing, and returns false, when the timer has fired or was cancelled before.
  bool cancel(timer_id id) noexcept;
  /// Fires what is due. Timers may be set and cancelled by what it calls; new ones don't fire within the same call.
  void advance(std::uint64_t now_ms);

  /// How long nothing can be due: milliseconds from `now_ms`, or -1 when no timer is pending.
  std::int64_t quiet_ms(std::uint64_t now_ms) const noexcept;
  std::size_t size() const noexcept { return size_; }

private:
  struct node {
    std::uint64_t due_tick = 0;
    timed* target = nullptr;
    std::uint32_t tag = 0;
    std::uint32_t generation = 1;
    std::uint32_t previous = 0;
    std::uint32_t next = 0;
  };
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  std::uint32_t slot_of(std::uint64_t tick) const noexcept { return static_cast<std::uint32_t>(tick) & (slots_ - 1); }
  void collect(std::uint32_t slot, std::uint64_t until_tick);
  std::uint64_t next_occupied_tick() const noexcept;

  std::uint32_t resolution_ms_;
  std::uint32_t slots_;
  std::uint64_t tick_; // all ticks up to this one have been fired
  std::vector<std::uint32_t> heads_;
  std::vector<std::uint64_t> occupied_; // one bit per slot
  std::vector<node> nodes_;
  std::vector<timer_id> due_; // used by `advance` only
  std::uint32_t free_ = none;
  std::size_t size_ = 0;
};

} // namespace xmpp::net
