// Who has nothing to do, in the order of time: whoever looks for those that are idle for long visits them only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

namespace xmpp {

/// The base of what an `idle_queue` holds.
class idle_hook {
public:
  /// Any thread: since when it has had nothing to do, since the epoch; 0: it has.
  std::int64_t idle_since_ms() const noexcept { return idle_since_ms_.load(std::memory_order_relaxed); }
  /// Whoever is busy says so here, and stays in the queue until it is looked at.
  void is_busy() noexcept { idle_since_ms_.store(0); }

private:
  template <class T>
  friend class idle_queue;

  std::atomic<std::int64_t> idle_since_ms_{0};
  std::atomic<idle_hook*> idle_next_{&outside_}; ///< `outside_`: in no queue.
  static idle_hook outside_;
};

inline constinit idle_hook idle_hook::outside_;

/// Of `T`s, each an `idle_hook` with `hold()` and `let_go()`, which keep it alive while it is in here.
///
/// The side that becomes idle pays a few atomic operations, and none while it is still in here from the last time: it
/// may become busy and idle again as often as it likes. None is forgotten: one that becomes idle either is in here or
/// comes in, also while it is being taken out.
template <class T>
class idle_queue {
public:
  idle_queue() = default;
  idle_queue(const idle_queue&) = delete;
  idle_queue& operator=(const idle_queue&) = delete;

  /// Any thread: `x` is idle since then, which is not 0.
  void add(T& x, std::int64_t since_ms) {
    x.idle_since_ms_.store(since_ms);
    if (!claim(x))
      return;
    x.hold();
    auto head = inbox_.load();
    do {
      if (head == &idle_hook::outside_) { // closed
        x.idle_next_.store(&idle_hook::outside_);
        return x.let_go();
      }
      x.idle_next_.store(head, std::memory_order_relaxed);
    } while (!inbox_.compare_exchange_weak(head, &x));
  }

  // -- one thread at a time --

  /// Takes out those that are idle since `before_ms` or longer, each with a call of `due(T&)`. Returns how many it
  /// looked at: those, those that came in since the last call, and few others.
  template <class Due>
  std::size_t take(std::int64_t before_ms, Due due) {
    auto looked_at = std::size_t{0};
    auto sort = [&](idle_hook* list) {
      while (list) {
        auto& x = static_cast<T&>(*std::exchange(list, list->idle_next_.load(std::memory_order_relaxed)));
        ++looked_at;
        sort_in(x, before_ms, due);
      }
    };
    if (inbox_.load() != &idle_hook::outside_)
      sort(inbox_.exchange(nullptr));
    auto ready = std::map<std::int64_t, idle_hook*>{};
    while (!slots_.empty() && slots_.begin()->first * slot_ms <= before_ms)
      ready.insert(slots_.extract(slots_.begin()));
    for (auto [slot, list] : ready)
      sort(list);
    return looked_at;
  }

  /// Lets go of all, and takes no more.
  void close() {
    let_all_go(inbox_.exchange(&idle_hook::outside_));
    for (auto [slot, list] : std::exchange(slots_, {}))
      let_all_go(list);
  }
  void open() {
    auto closed = &idle_hook::outside_;
    inbox_.compare_exchange_strong(closed, nullptr);
  }

private:
  static constexpr std::int64_t slot_ms = 15'000; ///< Those that became idle within so much are looked at together.

  static bool claim(T& x) {
    auto outside = &idle_hook::outside_;
    return x.idle_next_.compare_exchange_strong(outside, nullptr);
  }

  template <class Due>
  void sort_in(T& x, std::int64_t before_ms, Due& due) {
    for (;;) {
      auto since = x.idle_since_ms_.load();
      if (since > before_ms) {
        auto& slot = slots_.try_emplace(since / slot_ms, nullptr).first->second;
        x.idle_next_.store(std::exchange(slot, &x), std::memory_order_relaxed);
        return;
      }
      // Out first, then a second look: what becomes idle between the two finds itself outside, or is seen.
      x.idle_next_.store(&idle_hook::outside_);
      if (since != 0)
        due(x);
      else if (x.idle_since_ms_.load() != 0 && claim(x))
        continue;
      return x.let_go();
    }
  }

  static void let_all_go(idle_hook* list) {
    while (list && list != &idle_hook::outside_) {
      auto& x = static_cast<T&>(*std::exchange(list, list->idle_next_.load(std::memory_order_relaxed)));
      x.idle_next_.store(&idle_hook::outside_);
      x.let_go();
    }
  }

  std::atomic<idle_hook*> inbox_{nullptr};   ///< `outside_`: closed.
  std::map<std::int64_t, idle_hook*> slots_; ///< By when its members became idle, in `slot_ms`.
};

} // namespace xmpp
