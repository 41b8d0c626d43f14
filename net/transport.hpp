// What a stream sees of the connection that carries it, whatever that is: TCP, TLS, a web socket, memory.
#pragma once

#include "net/certificate.hpp"
#include "net/socket.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp::net {

class tls_context;
class transport;
using transport_ptr = std::shared_ptr<transport>;

enum class send_status : std::uint8_t {
  ok,       ///< Sent or queued.
  overflow, ///< The peer reads too slowly: nothing of this call was taken, nor will anything be after it but `close`'s.
  closed,   ///< Closing or closed: nothing was taken.
};

enum class close_reason : std::uint8_t {
  peer_closed,     ///< The peer ended the connection.
  connection_lost, ///< Reset, timed out, unreachable.
  tls_failed,      ///< The handshake or a record; the detail says what.
  closed_here,     ///< By `close`; the peer closed too, or its time was over.
  aborted,         ///< By `abort`.
};
std::string_view to_string(close_reason reason) noexcept;

/// What reads from a transport. The transport owns it and calls it on its reactor's thread only, one call at a time;
/// it is destroyed there after `on_closed`, which is called once, last, and never from inside another of these calls.
class receiver {
public:
  virtual ~receiver() = default;
  /// Bytes as they arrived, decrypted; the view is valid during the call only. Not called again after `close`, `abort`
  /// or `start_tls` from inside: the rest of the view is the receiver's to drop.
  virtual void on_bytes(transport& from, std::string_view bytes) = 0;
  /// The handshake is complete; from now on all bytes are protected.
  virtual void on_tls_established(transport&) {}
  /// The time that `set_deadline` gave is over.
  virtual void on_deadline(transport&) {}
  /// What did not go out at once has gone: the output queue is empty again.
  virtual void on_drained(transport&) {}
  /// `detail` is for a log: a system's or TLS error; often empty.
  virtual void on_closed(transport& from, close_reason reason, std::string_view detail) = 0;
};

/// How sessions write. Every call may come from any thread, unless it says otherwise; none blocks.
class transport {
public:
  virtual ~transport() = default;

  // -- writing --
  /// Queues the bytes, all or none. They go out at the end of the calling reactor's turn, together with what else was
  /// sent to this peer in it; on a thread without a reactor, at once.
  virtual send_status send(std::string_view bytes) = 0;
  /// Writes at once, without a copy where the socket takes it.
  virtual send_status send_and_flush(std::string_view bytes) = 0;
  /// Hands to the system what it takes now; the rest follows by itself.
  virtual void flush() = 0;
  /// Bytes that wait for the peer to read. Zero means that no buffer is held.
  virtual std::size_t queued_bytes() const = 0;
  /// The bound of that queue: while more waits, `send` returns `overflow`. So one call may go beyond it, be it ever so
  /// large: a single large answer makes nobody a slow reader.
  virtual void set_output_bytes_max(std::size_t bytes) = 0;

  // -- ending --
  /// Sends what is queued and then `last_bytes` (a stream error, an end tag; taken even after an overflow), ends our
  /// direction and waits at most `grace_ms` for all that and for the peer's end. Input is dropped from now on.
  virtual void close(std::string_view last_bytes, std::uint32_t grace_ms) = 0;
  /// Ends both directions now; what is queued is lost.
  virtual void abort() = 0;

  // -- reading --
  /// Leaves input in the socket, so that the peer has to wait. What was read before may still be delivered.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  /// Replaces the deadline by one `delay_ms` from now; zero: none. No traffic extends it.
  virtual void set_deadline(std::uint32_t delay_ms) = 0;

  // -- security --
  /// Sends `last_plain_bytes`, then expects the peer's TLS handshake. What is sent before the handshake is complete
  /// waits for it. Called from inside `on_bytes`, nothing that arrived before the handshake is delivered any more.
  /// Called from another thread it happens a little later: a caller must then ignore all input until
  /// `on_tls_established`. `domain` chooses the certificate when the peer names none. False when already secured or
  /// closed.
  virtual bool start_tls(std::shared_ptr<const tls_context> context, std::string_view last_plain_bytes = {},
                         std::string_view domain = {}) = 0;
  /// The handshake is complete.
  virtual bool is_secure() const = 0;
  /// Empty while not secure. Computed anew with each call: ask once, after `on_tls_established`.
  virtual std::optional<tls_facts> tls() const = 0;
  /// The data of that channel binding, or empty when this connection has none of that type.
  virtual std::string channel_binding(channel_binding_type type) const = 0;

  /// Frees what only the two above need: call it when the peer has signed in. They may return nothing afterwards.
  virtual void forget_handshake() {}

  virtual address peer() const = 0;
};

} // namespace xmpp::net
