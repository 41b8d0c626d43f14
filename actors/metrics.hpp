// Counters of the whole process, and how to read them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace xmpp {

/// Each is written from many threads and read rarely.
struct metrics {
  using counter = std::atomic<std::uint64_t>;
  counter connections_accepted{0}, connections_refused{0}, connections_open{0};
  counter tls_established{0}, tls_failed{0};
  counter sign_ins{0}, sign_ins_failed{0}, registrations{0};
  counter sessions_bound{0};
  counter stanzas_received{0}, stanzas_sent{0}, messages_delivered{0};
  counter offline_stored{0}, offline_delivered{0}, offline_refused{0};
  counter commits{0}, commits_failed{0};
  counter streams_broken{0}, slow_readers{0}, timed_out{0};
  counter actors_failed{0}, actors_restarted{0};

  static metrics& instance() {
    static metrics one;
    return one;
  }
  /// Name and value, in the order above.
  std::vector<std::pair<std::string_view, std::uint64_t>> read() const {
    return {{"connections_accepted", connections_accepted},
            {"connections_refused", connections_refused},
            {"connections_open", connections_open},
            {"tls_established", tls_established},
            {"tls_failed", tls_failed},
            {"sign_ins", sign_ins},
            {"sign_ins_failed", sign_ins_failed},
            {"registrations", registrations},
            {"sessions_bound", sessions_bound},
            {"stanzas_received", stanzas_received},
            {"stanzas_sent", stanzas_sent},
            {"messages_delivered", messages_delivered},
            {"offline_stored", offline_stored},
            {"offline_delivered", offline_delivered},
            {"offline_refused", offline_refused},
            {"commits", commits},
            {"commits_failed", commits_failed},
            {"streams_broken", streams_broken},
            {"slow_readers", slow_readers},
            {"timed_out", timed_out},
            {"actors_failed", actors_failed},
            {"actors_restarted", actors_restarted}};
  }
};

inline void count(metrics::counter& which, std::uint64_t by = 1) noexcept {
  which.fetch_add(by, std::memory_order_relaxed);
}

} // namespace xmpp
