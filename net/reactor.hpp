// One thread that waits for sockets and timers, and lends itself to the work that they cause.
#pragma once

#include "net/timer_wheel.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace xmpp::net {

/// What a registered descriptor calls, on the reactor's thread only.
class handler {
public:
  /// `events` as of epoll(7): EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR; level-triggered.
  virtual void on_ready(std::uint32_t events) = 0;

protected:
  ~handler() = default;
};

/// What a reactor keeps alive while it is registered, such as a connection.
class guest {
public:
  /// See `reactor::flush_later`.
  virtual void flush_now() = 0;
  /// The reactor is being destroyed: let go of it. Called on the thread that destroys it.
  virtual void on_reactor_end() = 0;

protected:
  ~guest() = default;
};

/// What the owner of a reactor wants to run on its thread between waits, such as actors that its events woke.
class work {
public:
  /// Runs a bounded slice (aim at well under a millisecond). True when there is more to do: the reactor then looks for
  /// events without waiting and comes back. After false, somebody must call `reactor::wake` when there is work again.
  virtual bool run_slice() = 0;

protected:
  ~work() = default;
};

/// One epoll loop. A turn is: wait (not at all when there is more work) - events - timers - posted functions - one
/// slice of work - flush what was sent meanwhile - release what was retired.
class reactor {
public:
  /// Monotonic milliseconds; tests pass their own.
  using clock_ms = std::uint64_t (*)();
  static std::uint64_t steady_ms() noexcept;

  /// Throws `std::system_error` when the kernel gives no epoll or event descriptor. Without `to_do` there is no work.
  explicit reactor(work* to_do = nullptr, clock_ms clock = steady_ms);
  ~reactor();
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;

  /// Turns until `stop`; the calling thread becomes the reactor's thread. What is still registered stays registered.
  void run();
  /// One turn that waits at most `wait_max_ms` (-1: until something happens). For tests and for owners of their own
  /// loop.
  void turn(int wait_max_ms);

  // -- from any thread --
  /// Ends `run` after the current turn.
  void stop() noexcept;
  /// Makes the loop turn once more. Costs a system call only when the thread sleeps and nobody woke it yet.
  void wake() noexcept;
  /// Runs the function on the reactor's thread, in a later turn; in order. Not for the path of messages: it allocates.
  void post(std::function<void()> function);
  bool is_this_thread() const noexcept { return current() == this; }
  /// The reactor whose turn the calling thread is in, or null.
  static reactor* current() noexcept;
  /// Changes a registered descriptor's events.
  void modify(int fd, std::uint32_t events, handler* receiver) noexcept;

  // -- on its own thread only (or before `run`) --
  /// False when the kernel refuses (out of memory or watches). The handler must be removed before it dies.
  [[nodiscard]] bool add(int fd, std::uint32_t events, handler* receiver) noexcept;
  /// After this the handler is not called any more, not even for events of the batch in progress.
  void remove(int fd, handler* receiver) noexcept;
  /// Calls `target->on_timer(tag)` once, `delay_ms` from now: up to 2 s ahead to the millisecond, further ahead at most
  /// 250 ms late; never early.
  timer_id set_timer(std::uint64_t delay_ms, timed* target, std::uint32_t tag = 0);
  /// False when it has fired already or never was.
  bool cancel_timer(timer_id id) noexcept;
  /// The time at which this turn's wait ended; costs nothing.
  std::uint64_t now_ms() const noexcept { return now_ms_; }
  /// Keeps the guest alive until `retire`; returns its place.
  std::uint32_t keep(std::shared_ptr<guest> who);
  /// Lets go of the guest when the turn has ended, so that callers further up the stack may still touch it.
  void retire(std::uint32_t place);
  /// Calls `flush_now` once, at the end of the turn.
  void flush_later(std::shared_ptr<guest> who);
  /// How many are kept.
  std::size_t guests() const noexcept { return guests_.size() - free_places_.size(); }

  /// Memory for one read by whoever handles an event: shared by all connections, valid until the next event.
  static constexpr std::size_t scratch_bytes = 64 * 1024;
  char* scratch() noexcept { return scratch_.get(); }
  char* second_scratch() noexcept { return scratch_.get() + scratch_bytes; }

  /// Counters since the start; readable from any thread.
  struct counters {
    std::uint64_t turns = 0;
    std::uint64_t events = 0;
    std::uint64_t wake_writes = 0;
  };
  counters count() const noexcept;

private:
  enum state : std::uint32_t { running, sleeping, notified };

  int wait_ms(int wait_max_ms) const noexcept;
  void dispatch(int count);
  void run_posted();
  void end_turn();

  work* work_;
  clock_ms clock_;
  int epoll_fd_ = -1;
  int event_fd_ = -1;
  std::atomic<std::uint32_t> state_{running};
  std::atomic<bool> stopping_{false};
  bool more_work_ = false;
  std::uint64_t now_ms_;
  timer_wheel fine_;
  timer_wheel coarse_;
  std::unique_ptr<char[]> scratch_;
  struct batch;
  std::unique_ptr<batch> batch_;
  std::vector<std::shared_ptr<guest>> guests_; // by place; null when free
  std::vector<std::uint32_t> free_places_;
  std::vector<std::shared_ptr<guest>> retired_;
  std::vector<std::shared_ptr<guest>> to_flush_;
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_; // guarded by posted_mutex_
  std::atomic<bool> has_posted_{false};
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<std::uint64_t> events_{0};
  std::atomic<std::uint64_t> wake_writes_{0};
};

} // namespace xmpp::net
