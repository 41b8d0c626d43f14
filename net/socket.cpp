#include "net/socket.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace xmpp::net {

namespace {

constexpr std::uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

failure system_failure(const std::string& what) {
  auto code = errno;
  return failure{what + ": " + std::generic_category().message(code)};
}

void set_flag(int fd, int level, int option, int value) noexcept {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

} // namespace

void unique_fd::reset(int fd) noexcept {
  if (fd_ >= 0)
    ::close(fd_);
  fd_ = fd;
}

outcome<address> address::parse(std::string_view text, std::uint16_t port) {
  auto self = address{};
  self.port_ = port;
  if (text == "*") {
    self.family_ = 6;
    return self;
  }
  auto host = std::string{text};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (::inet_pton(AF_INET, host.c_str(), self.bytes_.data()) == 1)
    self.family_ = 4;
  else if (::inet_pton(AF_INET6, host.c_str(), self.bytes_.data()) == 1)
    self.family_ = 6;
  else
    return failure{"not an IP address: " + host};
  return self;
}

address address::from(const sockaddr* raw, std::size_t bytes) noexcept {
  auto self = address{};
  if (bytes >= sizeof(sockaddr_in) && raw->sa_family == AF_INET) {
    auto v4 = sockaddr_in{};
    std::memcpy(&v4, raw, sizeof v4);
    std::memcpy(self.bytes_.data(), &v4.sin_addr, 4);
    self.port_ = ntohs(v4.sin_port);
    self.family_ = 4;
  } else if (bytes >= sizeof(sockaddr_in6) && raw->sa_family == AF_INET6) {
    auto v6 = sockaddr_in6{};
    std::memcpy(&v6, raw, sizeof v6);
    self.port_ = ntohs(v6.sin6_port);
    if (std::memcmp(&v6.sin6_addr, mapped_prefix, sizeof mapped_prefix) == 0) {
      std::memcpy(self.bytes_.data(), v6.sin6_addr.s6_addr + 12, 4);
      self.family_ = 4;
    } else {
      std::memcpy(self.bytes_.data(), &v6.sin6_addr, 16);
      self.family_ = 6;
    }
  }
  return self;
}

bool address::is_loopback() const noexcept {
  if (family_ == 4)
    return bytes_[0] == 127;
  return family_ == 6 && std::memcmp(bytes_.data(), &in6addr_loopback, 16) == 0;
}

std::string address::host_text() const {
  if (family_ == 0)
    return "unknown";
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family_ == 4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

std::string address::text() const {
  if (family_ == 0)
    return "unknown";
  auto host = host_text();
  return (family_ == 6 ? "[" + host + "]" : host) + ":" + std::to_string(port_);
}

std::uint64_t address::limit_key() const noexcept {
  auto key = std::uint64_t{0};
  for (auto i = 0; i < (family_ == 4 ? 4 : 8); ++i)
    key = key << 8 | bytes_[static_cast<std::size_t>(i)];
  // 0:ffff::/32 is reserved, so no IPv6 network shares a key with an IPv4 address.
  return family_ == 4 ? key | std::uint64_t{0xffff} << 32 : key;
}

std::string address::limit_text() const {
  if (family_ != 6)
    return host_text();
  auto network = *this;
  std::fill(network.bytes_.begin() + 8, network.bytes_.end(), std::uint8_t{0});
  return network.host_text() + "/64";
}

unsigned address::to_sockaddr(void* storage) const noexcept {
  if (family_ == 4) {
    auto v4 = sockaddr_in{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port_);
    std::memcpy(&v4.sin_addr, bytes_.data(), 4);
    std::memcpy(storage, &v4, sizeof v4);
    return sizeof v4;
  }
  auto v6 = sockaddr_in6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port_);
  std::memcpy(&v6.sin6_addr, bytes_.data(), 16);
  std::memcpy(storage, &v6, sizeof v6);
  return sizeof v6;
}

outcome<unique_fd> listen(const address& where, const listen_options& options) {
  auto what = "listen on " + where.text();
  auto fd = unique_fd{::socket(where.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd && errno == EAFNOSUPPORT && where.is_any()) // a kernel without IPv6
    return listen(*address::parse("0.0.0.0", where.port()), options);
  if (!fd)
    return system_failure(what);
  set_flag(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  // Accepted sockets inherit it, which saves a call for each.
  set_flag(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.share_port)
    set_flag(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (where.is_v6())
    set_flag(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, where.is_any() ? 0 : 1);
  auto raw = sockaddr_storage{};
  auto bytes = where.to_sockaddr(&raw);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&raw), bytes) != 0 ||
      ::listen(fd.get(), options.backlog_connections) != 0)
    return system_failure(what);
  return fd;
}

outcome<unique_fd> connect(const address& where) {
  auto what = "connect to " + where.text();
  auto fd = unique_fd{::socket(where.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd)
    return system_failure(what);
  set_flag(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  auto raw = sockaddr_storage{};
  auto bytes = where.to_sockaddr(&raw);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&raw), bytes) != 0 && errno != EINPROGRESS)
    return system_failure(what);
  return fd;
}

outcome<address> local_address(int fd) {
  auto raw = sockaddr_storage{};
  auto bytes = socklen_t{sizeof raw};
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&raw), &bytes) != 0)
    return system_failure("getsockname");
  return address::from(reinterpret_cast<sockaddr*>(&raw), bytes);
}

accept_status accept(int listening_fd, accepted& into) {
  auto raw = sockaddr_storage{};
  auto bytes = socklen_t{sizeof raw};
  auto fd = ::accept4(listening_fd, reinterpret_cast<sockaddr*>(&raw), &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    into.fd.reset(fd);
    into.peer = address::from(reinterpret_cast<sockaddr*>(&raw), bytes);
    return accept_status::accepted;
  }
  switch (errno) {
  case EAGAIN:
    return accept_status::nothing;
  case EMFILE:
  case ENFILE:
  case ENOMEM:
  case ENOBUFS:
    return accept_status::out_of_files;
  case EBADF:
  case EINVAL:
  case ENOTSOCK:
  case EOPNOTSUPP:
  case EFAULT:
    return accept_status::failed;
  default:
    return accept_status::try_next; // accept(2): errors of the new connection itself.
  }
}

void set_keepalive(int fd, int idle_s, int interval_s, int probes) noexcept {
  set_flag(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
  set_flag(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
  set_flag(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
  set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

void set_user_timeout(int fd, unsigned timeout_ms) noexcept {
  set_flag(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout_ms));
}

void set_unsent_max(int fd, int bytes) noexcept {
  set_flag(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}

open_files_limit get_open_files_limit() noexcept {
  auto limit = rlimit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return {limit.rlim_cur, limit.rlim_max};
}

open_files_limit raise_open_files_limit() noexcept {
  auto limit = rlimit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return get_open_files_limit();
}

} // namespace xmpp::net
