// One peer's TCP socket, with TLS when asked for: the transport that clients use.
#pragma once

#include "net/reactor.hpp"
#include "net/small_lock.hpp"
#include "net/transport.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace xmpp::net {

class accept_limiter;
class tls_session;

struct connection_options {
  std::uint32_t output_bytes_max = 256 * 1024; ///< Of the queue for a peer that reads slowly.
  std::uint32_t deadline_ms = 0;               ///< See `transport::set_deadline`; set before anything is read.
  accept_limiter* limiter = nullptr;           ///< Told when the connection ends; must outlive it.
};

/// Idle, it holds no buffer: input passes through the reactor's scratch memory, output through the thread's, and only
/// what the socket did not take is kept.
class connection final : public transport,
                         public guest,
                         public std::enable_shared_from_this<connection>,
                         private handler,
                         private timed {
private:
  struct only_start {};

public:
  /// Takes over a connected, non-blocking socket; call it on the reactor's thread. The reactor keeps the connection
  /// alive until it has ended. Null when the reactor can't watch the socket: the receiver is then destroyed uncalled.
  /// With `context` the peer is expected to begin with its TLS handshake (direct TLS).
  static std::shared_ptr<connection> start(reactor& home, unique_fd fd, const address& peer,
                                           std::unique_ptr<receiver> reader, const connection_options& options = {},
                                           std::shared_ptr<const tls_context> context = nullptr);
  /// For `start`.
  connection(only_start, reactor& home, unique_fd fd, const address& peer, std::unique_ptr<receiver> reader,
             const connection_options& options);
  ~connection() override;

  send_status send(std::string_view bytes) override;
  send_status send_and_flush(std::string_view bytes) override;
  void flush() override;
  std::size_t queued_bytes() const override;
  void set_output_bytes_max(std::size_t bytes) override;
  void close(std::string_view last_bytes, std::uint32_t grace_ms) override;
  void abort() override;
  void pause_reading() override;
  void resume_reading() override;
  void set_deadline(std::uint32_t delay_ms) override;
  bool start_tls(std::shared_ptr<const tls_context> context, std::string_view last_plain_bytes = {},
                 std::string_view domain = {}) override;
  bool is_secure() const override;
  std::optional<tls_facts> tls() const override;
  std::string channel_binding(channel_binding_type type) const override;
  void forget_handshake() override;
  address peer() const override;
  reactor& home() const noexcept;

private:
  struct output;
  enum flag : std::uint32_t;

  // -- called by the reactor --
  void on_ready(std::uint32_t events) override;
  void on_timer(std::uint32_t tag) override;
  void flush_now() override;
  void on_reactor_end() override;

  // -- on the reactor's thread, without the lock --
  void read(std::uint32_t events);
  void read_secure(std::string_view wire);
  void begin_tls(std::shared_ptr<const tls_context> context, std::string_view last_plain_bytes,
                 std::string_view domain);
  void arm_timer(std::uint32_t tag, std::uint32_t delay_ms);
  void end(close_reason reason, std::string_view detail);

  // -- under the lock, on any thread --
  bool has(std::uint32_t flags) const noexcept { return (flags_.load(std::memory_order_relaxed) & flags) != 0; }
  void raise(std::uint32_t flags) noexcept;
  void lower(std::uint32_t flags) noexcept;
  std::size_t queued() const noexcept;
  send_status take(std::string_view bytes);
  std::size_t write_now(std::string_view wire) noexcept;
  void write_wire(std::string_view wire);
  void drain();
  void end_output();
  void update_events() noexcept;

  mutable small_lock lock_;
  std::atomic<std::uint32_t> flags_{0}; // changed under the lock, read by the reactor's thread without it
  reactor* home_;
  std::unique_ptr<receiver> receiver_;   // the reactor's thread only
  std::unique_ptr<tls_session> session_; // under the lock
  std::unique_ptr<output> output_;       // under the lock; null when nothing waits
  accept_limiter* limiter_;
  timer_id timer_ = 0; // the reactor's thread only
  int fd_;             // changed under the lock by the reactor's thread
  std::uint32_t output_bytes_max_;
  std::uint32_t place_ = 0;
  std::uint32_t events_ = 0; // as the kernel knows them; under the lock
  address peer_;
};

} // namespace xmpp::net
