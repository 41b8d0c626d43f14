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
#include <utility>

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
  /// Elements that the session, or its account behind it, has been sent and has not handled, by their `weight_of`. The
  /// reader stops reading beyond a bound.
  std::atomic<std::uint32_t> waiting{0};
  /// The reader has stopped for that reason.
  std::atomic<bool> paused{false};
  /// Stanzas that the account is dealing with: what the client sends next to whomever must not overtake them (RFC 6120,
  /// 10.1), and goes by the account, too.
  std::atomic<std::uint32_t> in_account{0};
  /// Set by the session: it wants to know when all that it wrote has gone out.
  std::atomic<bool> awaits_drain{false};

  static constexpr std::uint32_t waiting_max = 256;
  /// A large element counts as the many small ones that would be as large: in all some 1 MiB waits.
  static std::uint32_t weight_of(std::size_t bytes) noexcept { return 1 + std::uint32_t(bytes / 4096); }

  /// The reader's thread: one more waits.
  void add_waiting(net::transport& from, std::uint32_t weight);
  /// Any thread: one of them has been handled. Null: nobody reads any more.
  void take_waiting(net::transport* from, std::uint32_t weight);

private:
  void resume_if_few(net::transport* from);
};

/// Held while the account deals with a stanza.
class turn {
public:
  turn(std::shared_ptr<stream_control> control, net::transport_ptr transport, std::uint32_t weight)
      : control_(std::move(control)), transport_(std::move(transport)), weight_(weight) {
    control_->waiting.fetch_add(weight_);
    control_->in_account.fetch_add(1);
  }
  ~turn() {
    control_->in_account.fetch_sub(1);
    control_->take_waiting(transport_.get(), weight_);
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;

private:
  std::shared_ptr<stream_control> control_;
  net::transport_ptr transport_;
  std::uint32_t weight_;
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
  /// What is unusual about a stream's header.
  struct unusual {
    std::string name; ///< With the client's own prefix.
    std::string declarations;
  };

  void begin_anew();
  void fail(errc reason);

  session_actor session_;
  std::shared_ptr<stream_control> control_;
  const stream_limits& limits_;
  framer framer_;
  std::unique_ptr<unusual> unusual_; ///< Null: nothing.
  bool lost_ = false;
  bool awaits_tls_ = false; ///< The client asked for STARTTLS: until the handshake nothing it says counts.
};

} // namespace xmpp
