// What stands between one client's transport and its session: cuts the bytes into elements, parses them, passes them
// on.
#pragma once

#include "actors/context.hpp"
#include "actors/interfaces.hpp"
#include "net/transport.hpp"
#include "protocol/framer.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace xmpp {

namespace msg {
struct tls_established {
  net::tls_facts facts;
};
} // namespace msg

/// The part of a connection that its session and its reader share. The session steers the reader with it.
struct stream_control {
  /// Set by the session: after this element the reader expects a new stream header.
  std::atomic<bool> restart{false};
  /// Set by the session when the client has signed in: elements may be larger from now on.
  std::atomic<bool> authenticated{false};
  /// Elements that the session has been sent and has not handled. The reader stops reading beyond a bound.
  std::atomic<std::uint32_t> waiting{0};
  /// The reader has stopped for that reason.
  std::atomic<bool> paused{false};
  /// Set by the session: it wants to know when all that it wrote has gone out.
  std::atomic<bool> awaits_drain{false};

  static constexpr std::uint32_t waiting_max = 256;
};

/// Reads one client's stream on its reactor's thread.
class stream_reader final : public net::receiver {
public:
  stream_reader(server_context& server, session_actor session, std::shared_ptr<stream_control> control);
  ~stream_reader() override;

  void on_bytes(net::transport& from, std::string_view bytes) override;
  void on_tls_established(net::transport& from) override;
  void on_deadline(net::transport& from) override;
  void on_drained(net::transport& from) override;
  void on_closed(net::transport& from, net::close_reason reason, std::string_view detail) override;

private:
  void fail(errc reason);

  session_actor session_;
  std::shared_ptr<stream_control> control_;
  const stream_limits& limits_;
  framer framer_;
  std::unique_ptr<std::string> declarations_; ///< Of the stream's header; null: none, as usual.
  bool lost_ = false;
  bool awaits_tls_ = false;      ///< The client asked for STARTTLS: until the stream restarts, nothing it says counts.
  bool end_tag_is_usual_ = true; ///< The stream was opened by that name.
};

} // namespace xmpp
