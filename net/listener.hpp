// Accepts connections on one listening socket.
#pragma once

#include "net/accept_limiter.hpp"
#include "net/reactor.hpp"
#include "net/socket.hpp"

#include <cstdint>
#include <functional>

namespace xmpp::net {

/// Belongs to one reactor's thread: made, used and destroyed there. For several reactors, one each on sockets that
/// share a port. Refused connections are closed before a byte is read.
class listener final : private handler, private timed {
public:
  /// Called for each admitted connection, on the reactor's thread. Give the limiter on to the connection, which
  /// releases the admission at its end.
  using on_accept = std::function<void(unique_fd fd, const address& peer)>;

  /// `limiter` may be null, else it must outlive the listener; `refused`, if any, is called for each that it refuses.
  listener(reactor& home, unique_fd listening, accept_limiter* limiter, on_accept accepted,
           std::function<void()> refused = {});
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  struct counters {
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;      ///< By the limiter.
    std::uint64_t out_of_files = 0; ///< Times it had to wait for descriptors.
  };
  const counters& count() const noexcept { return count_; }

private:
  void on_ready(std::uint32_t events) override;
  void on_timer(std::uint32_t tag) override;

  reactor& home_;
  unique_fd fd_;
  accept_limiter* limiter_;
  on_accept accepted_;
  std::function<void()> refused_;
  counters count_;
  bool is_watched_ = false;
  timer_id timer_ = 0;
};

} // namespace xmpp::net
