// Counts what somebody did of late, in a bounded memory: failures to sign in, registrations.
#pragma once

#include "protocol/hash.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace xmpp {

/// A count per name that decays to nothing after a period of rest. When full, who was quiet the longest is forgotten.
class throttle {
public:
  explicit throttle(std::size_t names_max = 100'000) : names_max_(names_max) {}

  /// Notes one more; returns how many there have been without a rest of `memory_ms` between two.
  std::uint32_t note(std::string_view name, std::int64_t now_ms, std::int64_t memory_ms);
  std::uint32_t count(std::string_view name, std::int64_t now_ms, std::int64_t memory_ms) const;
  void forget(std::string_view name);
  std::size_t size() const;

private:
  struct entry {
    std::string name;
    std::uint32_t count = 0;
    std::int64_t last_ms = 0;
  };
  mutable std::mutex mutex_;
  std::list<entry> by_age_; ///< The latest first.
  std::unordered_map<std::string_view, std::list<entry>::iterator, keyed_hash> by_name_;
  std::size_t names_max_;
};

/// How long the answer to an attempt is held back after so many failures: nothing for the first `after`, then
/// `first_ms`, doubled each time, up to `max_ms`. For a success the failures are those of its own address, so that
/// nobody can lock another out (XEP-0205).
std::uint32_t backoff_ms(std::uint32_t failures, std::uint32_t after, std::uint32_t first_ms,
                         std::uint32_t max_ms) noexcept;

} // namespace xmpp
