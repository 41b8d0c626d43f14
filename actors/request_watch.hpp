// REQUEST WATCH: the iq requests of this node's clients that nobody has answered yet, so that none stays without an
// answer when what had taken it dies (RFC 6120, 8.2.3). Only in a cluster: within one process nothing dies silently.
//
// When something may have been lost, be it here or between other nodes, the requests of before are given `patience` to
// be answered all the same; then they are answered here, with `remote-server-timeout`. Whether what they asked for was
// done is not known: as after any lost answer. Of that answer and the real one the client gets the first only.
//
// Bounded for each session and in all. A request beyond that is not watched: it is passed on and answered as any other,
// but if its answer is lost nobody says so.
#pragma once

#include "protocol/stanza.hpp"

#include <caf/fwd.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace xmpp {

/// Safe from any thread; nothing is called while it is locked. Times are steady ones.
class request_watch {
public:
  static constexpr std::size_t of_session_max = 1'000;
  static constexpr std::size_t requests_max = 200'000;
  /// Others lead long before, as a rule. With `link_options::silent_ms` it is less than the two seconds within which
  /// who is cut off refuses what it was asked.
  static constexpr std::int64_t patience_ms = 500;
  /// An answer that comes later than this after it was given up would be shown.
  static constexpr std::int64_t remembers_ms = 300'000;

  /// The session's client asks that; `x.from` is its full JID. An empty `to` is its account.
  void asks(caf::actor_id session, const stanza& x, std::int64_t now_ms);
  /// An answer, or another stanza, is about to be shown to the session's client. False: it had its answer.
  bool may_have(caf::actor_id session, const stanza& x);
  /// It asks no more, and wants no answer.
  void forget(caf::actor_id session);

  /// Any of what was asked before may be lost.
  void something_is_lost(std::int64_t now_ms);
  struct answer {
    caf::actor_id session = 0;
    stanza what;
  };
  /// What is to be answered now; each once. Call it some times a second.
  std::vector<answer> take_late(std::int64_t now_ms);

  std::size_t size() const noexcept { return size_; } ///< Also of those that were given up and are remembered.

private:
  enum class state : std::uint8_t {
    waits,
    given_up, ///< The first of two answers may be shown.
    answered  ///< The second may not.
  };
  struct request {
    std::string id, to;
    std::int64_t since_ms = 0; ///< Asked; or given up.
    state is = state::waits;
  };
  struct asking {
    jid full;
    std::vector<request> requests; ///< The oldest first.
  };
  struct part {
    mutable std::mutex mutex;
    std::unordered_map<caf::actor_id, asking> sessions;
  };
  part& home_of(caf::actor_id x) noexcept { return parts_[x % parts_.size()]; }
  void forget_old(asking& x, std::int64_t now_ms);

  std::array<part, 16> parts_;
  std::atomic<std::size_t> size_{0};
  std::mutex mutex_;
  std::deque<std::int64_t> losses_; ///< When, ascending; those whose patience is not over.
  std::int64_t next_sweep_ms_ = 0;
};

} // namespace xmpp
