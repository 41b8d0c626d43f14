// How many connections one address may open, and how fast.
#pragma once

#include "net/socket.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <unordered_map>

namespace xmpp::net {

struct accept_limits {
  std::uint32_t at_once_max = 0;        ///< Open connections of one address; 0: no limit.
  std::uint32_t per_minute_max = 0;     ///< New connections of one address, over time; 0: no limit.
  std::uint32_t burst_max = 20;         ///< New connections of one address at once, before `per_minute_max` counts.
  std::uint32_t total_max = 0;          ///< Open connections of all addresses; 0: no limit.
  bool loopback_is_exempt = false;      ///< From the limits per address.
  std::uint32_t addresses_max = 65'536; ///< Remembered at most; those without connections are forgotten oldest first.
};

/// Counts by `address::limit_key`. May be shared by all listeners and threads.
class accept_limiter {
public:
  enum class verdict : std::uint8_t { admitted, too_many_at_once, too_fast, too_many_in_total };

  explicit accept_limiter(const accept_limits& limits);
  /// Every admitted connection must be released once.
  verdict admit(const address& peer, std::uint64_t now_ms);
  void release(const address& peer) noexcept;
  /// For what is admitted from now on.
  void set_limits(const accept_limits& limits);

  std::size_t open_connections() const;
  std::size_t known_addresses() const;

private:
  struct entry {
    std::uint64_t key = 0; // scrambled
    std::uint64_t refilled_ms = 0;
    std::uint64_t tokens = 0; // one connection costs 60'000: at one per minute, a token comes in each millisecond
    std::uint32_t open = 0;
  };
  using entries = std::list<entry>;

  std::uint64_t scrambled(std::uint64_t key) const noexcept;
  entries::iterator find_or_add(std::uint64_t key, std::uint64_t now_ms);
  void forget_some() noexcept;

  mutable std::mutex mutex_;
  accept_limits limits_;
  entries idle_; // without connections; longest idle first
  entries busy_;
  std::unordered_map<std::uint64_t, entries::iterator> by_key_; // scrambled
  std::uint64_t secret_;
  std::size_t open_ = 0;
};

} // namespace xmpp::net
