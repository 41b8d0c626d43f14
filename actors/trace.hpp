// Watching stanzas in flight: the shell names an address, and every station that such a stanza passes tells about it.
#pragma once

#include "protocol/stanza.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::trace {

/// What happened to a stanza, in the order of its way.
enum class station : std::uint8_t { received, routed, handled, stored, delivered, refused };
std::string_view to_string(station where) noexcept;

struct event {
  std::int64_t at_us = 0; ///< Since the epoch.
  station where{};
  std::string actor;             ///< Who saw it: kind and name.
  std::string from, to, summary; ///< `message chat id=7, 120 bytes`; never a body.
  std::string xml;               ///< The whole stanza, only for a watcher that asked for bodies; passwords are stars.
};

/// One watcher. Events beyond `events_max` that wait are dropped and counted.
class watch {
public:
  watch(jid about, bool bodies);
  ~watch();
  watch(const watch&) = delete;

  /// Takes what came since, oldest first.
  std::vector<event> take();
  std::uint64_t dropped() const noexcept { return dropped_.load(); }

  static constexpr std::size_t events_max = 1'000;

private:
  friend void note_slow(station, std::string_view, const jid&, const stanza&);
  void add(event x);
  const jid about_; ///< Bare: all its resources; a domain: all of it.
  const bool bodies_;
  std::mutex mutex_;
  std::deque<event> events_;
  std::atomic<std::uint64_t> dropped_{0};
};

extern std::atomic<int> watchers;
void note_slow(station where, std::string_view kind, const jid& actor, const stanza& what);

/// Costs one load while nobody watches.
inline void note(station where, std::string_view kind, const jid& actor, const stanza& what) {
  if (watchers.load(std::memory_order_relaxed) != 0) [[unlikely]]
    note_slow(where, kind, actor, what);
}

} // namespace xmpp::trace
