// One TCP connection between two nodes: TLS around frames. Who the peer is, and what a frame means, is its owner's.
#pragma once

#include "cluster/link_frames.hpp"
#include "net/mutual_tls.hpp"
#include "net/reactor.hpp"
#include "net/socket.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace xmpp::cluster {

/// On its reactor's thread only.
class link_connection final : public std::enable_shared_from_this<link_connection>,
                              private net::handler,
                              private net::timed {
public:
  /// Told by the connection; none of these may be its last owner's end.
  class owner {
  public:
    /// The TLS handshake is complete.
    virtual void on_secured(link_connection& from) = 0;
    virtual void on_frame(link_connection& from, const frame_reader::frame& x) = 0;
    /// All that was sent is on its way: time for more.
    virtual void on_writable(link_connection& from) = 0;
    /// Once, last.
    virtual void on_ended(link_connection& from, const std::string& why) = 0;

  protected:
    ~owner() = default;
  };

  struct options {
    net::mutual_tls::side side = net::mutual_tls::side::server;
    bool is_connecting = false; ///< The socket's connection is still under way.
    std::int64_t now_s = 0;     ///< As of which certificates are judged.
    /// Of frames; `hello_bytes_max` until `expect`.
    std::size_t frame_bytes_max = hello_bytes_max;
  };

  /// Null when the reactor can't watch the socket.
  static std::shared_ptr<link_connection> start(net::reactor& home, net::unique_fd fd, const net::address& peer,
                                                std::shared_ptr<const net::mutual_tls_context> context, owner& told,
                                                const options& how);
  link_connection(net::reactor& home, net::unique_fd fd, const net::address& peer,
                  std::shared_ptr<const net::mutual_tls_context> context, owner& told, const options& how);
  ~link_connection();

  /// Takes all of it; what the socket does not take waits inside. Not before `on_secured`.
  void send(std::string_view plain);
  /// Something waits inside.
  bool is_busy() const noexcept { return !wire_.empty(); }
  std::size_t waiting_bytes() const noexcept { return wire_.size() - sent_; }
  /// Sends this, ends our direction and waits a moment for the peer's end; input is dropped from now on.
  void leave(std::string_view plain);
  /// Ends it now.
  void end(const std::string& why);
  /// Ends it then, unless there is another call; 0: never.
  void set_deadline(std::uint32_t delay_ms, const char* why);
  /// Frames of up to so many bytes from now on.
  void expect(std::size_t frame_bytes_max) { reader_.set_bytes_max(frame_bytes_max); }
  /// What comes after so long a silence is not looked at: the connection ends. The peer has given us up by then, and
  /// others may have done meanwhile what it had asked of us.
  void set_silence_max(std::uint32_t ms) { silence_max_ms_ = ms; }

  const net::mutual_tls& tls() const noexcept { return tls_; }
  const net::address& peer() const noexcept { return peer_; }
  std::uint64_t heard_ms() const noexcept { return heard_ms_; } ///< When bytes came last.
  std::uint64_t bytes_in() const noexcept { return bytes_in_; }
  std::uint64_t bytes_out() const noexcept { return bytes_out_; }

private:
  enum class stage : std::uint8_t { connecting, handshake, secured, leaving, ended };

  void on_ready(std::uint32_t events) override;
  void on_timer(std::uint32_t tag) override;
  bool finish_connect();
  void receive();
  void shake_hands(std::string_view wire);
  void decrypt(std::string_view wire);
  bool deliver(std::string_view plain);
  void write(std::string_view wire);
  void flush();
  void watch();

  net::reactor& home_;
  net::unique_fd fd_;
  net::address peer_;
  net::mutual_tls tls_;
  owner& owner_;
  frame_reader reader_;
  stage stage_;
  std::uint32_t watched_ = 0;
  std::string wire_; // encrypted; from `sent_` on it waits for the socket
  std::size_t sent_ = 0;
  net::timer_id timer_ = 0;
  const char* deadline_why_ = "";
  std::uint64_t heard_ms_;
  std::uint32_t silence_max_ms_ = 0; ///< 0: any.
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

} // namespace xmpp::cluster
