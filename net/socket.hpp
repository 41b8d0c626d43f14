// Sockets without their C: descriptors that close themselves, addresses, listening, limits.
#pragma once

#include "net/outcome.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

struct sockaddr;

namespace xmpp::net {

/// Owns a file descriptor.
class unique_fd {
public:
  unique_fd() noexcept = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~unique_fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

private:
  int fd_ = -1;
};

/// An IPv4 or IPv6 address with a port. IPv4 addresses mapped into IPv6 read as IPv4. 20 bytes.
class address {
public:
  /// Neither family; prints as `unknown` (a socket pair, an in-memory transport).
  address() noexcept = default;
  /// Takes `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, and `*` for any (as IPv6, both families); no host names.
  static outcome<address> parse(std::string_view text, std::uint16_t port);
  static address from(const sockaddr* raw, std::size_t bytes) noexcept;

  bool is_known() const noexcept { return family_ != 0; }
  bool is_v6() const noexcept { return family_ == 6; }
  /// 127.0.0.0/8 or ::1.
  bool is_loopback() const noexcept;
  /// `*`, or `::`.
  bool is_any() const noexcept { return family_ == 6 && bytes_ == decltype(bytes_){}; }
  std::uint16_t port() const noexcept { return port_; }
  /// `192.0.2.1` or `2001:db8::1`, without the port.
  std::string host_text() const;
  /// `192.0.2.1:5222` or `[2001:db8::1]:5222`.
  std::string text() const;
  /// What limits per address count by: the whole IPv4 address, or the first 64 bits of an IPv6 one.
  std::uint64_t limit_key() const noexcept;
  /// The same to read: `192.0.2.1` or `2001:db8::/64`.
  std::string limit_text() const;
  /// Fills a `sockaddr_storage` and returns the length in use.
  unsigned to_sockaddr(void* storage) const noexcept;

  friend bool operator==(const address&, const address&) = default;

private:
  std::array<std::uint8_t, 16> bytes_{}; // IPv4 in the first four
  std::uint16_t port_ = 0;
  std::uint8_t family_ = 0; // 0, 4 or 6
};

struct listen_options {
  int backlog_connections = 4096; ///< The kernel cuts it to net.core.somaxconn.
  bool share_port = false;        ///< SO_REUSEPORT: one listening socket per reactor; the kernel spreads connections.
};

/// A listening, non-blocking socket. Port 0 takes a free one (see `local_address`). `*` listens on both families; where
/// the kernel has no IPv6, on IPv4.
outcome<unique_fd> listen(const address& where, const listen_options& options = {});
/// A non-blocking socket whose connection is under way; its handler sees EPOLLOUT when it stands or has failed.
outcome<unique_fd> connect(const address& where);
outcome<address> local_address(int fd);

struct accepted {
  unique_fd fd; ///< Non-blocking, closed on exec, TCP_NODELAY.
  address peer;
};
enum class accept_status : std::uint8_t {
  accepted,
  nothing,      ///< Nobody waits.
  try_next,     ///< That one has gone already; ask again.
  out_of_files, ///< EMFILE, ENFILE, ENOMEM: wait before asking again.
  failed,
};
accept_status accept(int listening_fd, accepted& into);

/// Finds peers that vanished: set on a listening socket, it holds for what that accepts, without a call for each. First
/// probe after `idle_s`, then `probes` of them `interval_s` apart. Costs no memory.
void set_keepalive(int fd, int idle_s, int interval_s, int probes) noexcept;
/// How long the kernel retries unacknowledged bytes before it gives up on the peer.
void set_user_timeout(int fd, unsigned timeout_ms) noexcept;
/// How much the system takes beyond what it can send at once: what it has taken is lost with the connection.
void set_unsent_max(int fd, int bytes) noexcept;

/// How many descriptors this process may have open.
struct open_files_limit {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};
open_files_limit get_open_files_limit() noexcept;
/// Raises the soft limit to the hard one; returns what holds afterwards.
open_files_limit raise_open_files_limit() noexcept;

} // namespace xmpp::net
