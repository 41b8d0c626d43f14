// What the tests of net share: a connection whose peer is the test, and a TLS client.
#pragma once

#include "net/connection.hpp"
#include "net/reactor.hpp"
#include "net/tls.hpp"

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::net {

/// What a receiver was told.
struct record {
  std::string bytes;
  std::size_t reads = 0;
  bool is_established = false;
  int deadlines = 0;
  int drained = 0;
  std::vector<close_reason> closed;
  std::string detail;
  bool is_destroyed = false;
  std::function<void(transport&, std::string_view)> react; ///< To bytes; may be empty.
};

class recorder final : public receiver {
public:
  explicit recorder(std::shared_ptr<record> into) : into_(std::move(into)) {}
  ~recorder() override { into_->is_destroyed = true; }
  void on_bytes(transport& from, std::string_view bytes) override;
  void on_tls_established(transport&) override { into_->is_established = true; }
  void on_deadline(transport&) override { ++into_->deadlines; }
  void on_drained(transport&) override { ++into_->drained; }
  void on_closed(transport&, close_reason reason, std::string_view detail) override;

private:
  std::shared_ptr<record> into_;
};

/// Milliseconds that tests move by hand.
extern std::uint64_t hand_clock_ms;
std::uint64_t hand_clock();

/// A reactor that the test turns, and a connection over a socket pair; the test holds the other end.
struct connected {
  explicit connected(const connection_options& options = {}, std::shared_ptr<const tls_context> context = nullptr);

  /// Turns until a turn brings no event.
  void settle();
  /// Turns until it is so; gives up (false) after many turns.
  bool settle_until(const std::function<bool()>& is_so);
  /// All that the peer can read now.
  std::string peer_reads();
  void peer_writes(std::string_view bytes);

  reactor home{nullptr, hand_clock};
  std::shared_ptr<record> seen = std::make_shared<record>();
  unique_fd peer;
  std::shared_ptr<connection> ours;
};

/// A pair of connected stream sockets, both non-blocking.
std::pair<unique_fd, unique_fd> socket_pair();

/// Certificates in a folder that is removed at the end.
struct certificate_folder {
  certificate_folder();
  ~certificate_folder();
  certificate_folder(const certificate_folder&) = delete;
  /// Makes `<name>.crt` and `<name>.key`.
  certificate_source make(const std::string& name, const std::vector<std::string>& domains, unsigned days = 30);

  std::string path;
};

std::shared_ptr<const tls_context> context_of(tls_options options);

/// A TLS client that talks to a `connected` one.
class tls_client {
public:
  struct options {
    std::string server_name = "localhost";
    std::string applications; ///< As on the wire.
    int version_max = 0;
    int version_min = 0;
    SSL_SESSION* session = nullptr;
    std::string certificate_file;
    std::string key_file;
    std::string groups;
  };
  tls_client(connected& link, const options& how);
  ~tls_client();

  /// True when the client's side is complete.
  bool handshake();
  void write(std::string_view plain);
  /// Reads until there are so many bytes, or nothing more comes.
  std::string read(std::size_t bytes);
  /// The text of what failed.
  const std::string& why() const { return why_; }
  SSL* get() { return ssl_; }
  /// The newest ticket; the caller's to free.
  SSL_SESSION* ticket();

private:
  bool step(int result);

  connected& link_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::string why_;
};

} // namespace xmpp::net
