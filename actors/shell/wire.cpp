#include "actors/shell/wire.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace xmpp::shell {

namespace {

constexpr int send_timeout_ms = 30'000;

void append_u16(std::string& out, unsigned x) {
  out += char(x >> 8 & 0xff);
  out += char(x & 0xff);
}

std::uint16_t u16_at(std::string_view bytes, std::size_t at) {
  return std::uint16_t(static_cast<unsigned char>(bytes[at]) << 8 | static_cast<unsigned char>(bytes[at + 1]));
}

} // namespace

std::string encode(const client_hello& x) {
  auto result = std::string{};
  result += char(wire_version);
  result += char(int{x.json} | int{x.colour} << 1 | int{x.utf8} << 2 | int{x.interactive} << 3 | int{x.screen} << 4 |
                 int{x.one_shot} << 5 | int{x.takes_bytes} << 6);
  append_u16(result, x.width);
  return result;
}

result<client_hello> decode_client_hello(std::string_view payload) {
  if (payload.empty())
    return errc::bad_request;
  if (payload[0] != char(wire_version))
    return errc::unsupported_version;
  if (payload.size() != 4)
    return errc::bad_request;
  auto flags = static_cast<unsigned char>(payload[1]);
  return client_hello{(flags & 1) != 0,  (flags & 2) != 0,  (flags & 4) != 0,   (flags & 8) != 0,
                      (flags & 16) != 0, (flags & 32) != 0, u16_at(payload, 2), (flags & 64) != 0};
}

std::string encode(const completions& x) {
  auto result = std::string{};
  append_u16(result, unsigned(x.from));
  for (auto& one : x.words)
    result.append(one).append("\n");
  return result;
}

result<completions> decode_completions(std::string_view payload) {
  if (payload.size() < 2)
    return errc::bad_request;
  auto result = completions{u16_at(payload, 0), {}};
  payload.remove_prefix(2);
  for (auto end = payload.find('\n'); end != std::string_view::npos; end = payload.find('\n')) {
    result.words.emplace_back(payload.substr(0, end));
    payload.remove_prefix(end + 1);
  }
  return result;
}

std::string encode_width(unsigned width) {
  auto result = std::string{};
  append_u16(result, std::min(width, 0xffffu));
  return result;
}

std::uint16_t decode_width(std::string_view payload) {
  return payload.size() == 2 ? u16_at(payload, 0) : 0;
}

void append_frame(std::string& out, frame_type type, std::string_view payload) {
  for (auto shift : {24, 16, 8, 0})
    out += char(payload.size() >> shift & 0xff);
  out += char(type);
  out += payload;
}

bool frame_reader::is_ready() const noexcept {
  return buffer_.size() >= frame_header_bytes &&
         (payload_size() > payload_bytes_max_ || buffer_.size() >= frame_header_bytes + payload_size());
}

std::size_t frame_reader::payload_size() const noexcept {
  auto size = std::size_t{0};
  for (auto i = 0; i < 4; ++i)
    size = size << 8 | static_cast<unsigned char>(buffer_[std::size_t(i)]);
  return size;
}

result<std::optional<frame>> frame_reader::next() {
  if (!is_ready())
    return std::optional<frame>{};
  auto size = payload_size();
  if (size > payload_bytes_max_)
    return errc::policy_violation;
  auto result = frame{frame_type(buffer_[4]), buffer_.substr(frame_header_bytes, size)};
  buffer_.erase(0, frame_header_bytes + size);
  return std::optional{std::move(result)};
}

link::link(int descriptor, side own)
    : descriptor_(descriptor), reader_(own == side::server ? client_frame_bytes_max : server_frame_bytes_max),
      sent_payload_bytes_max_(own == side::server ? server_frame_bytes_max : client_frame_bytes_max) {}

link::~link() {
  ::close(descriptor_);
}

bool link::send(frame_type type, std::string_view payload) {
  auto bytes = std::string{};
  do {
    auto part = payload.substr(0, sent_payload_bytes_max_);
    append_frame(bytes, type, part);
    payload.remove_prefix(part.size());
  } while (!payload.empty());
  for (auto rest = std::string_view{bytes}; !rest.empty();) {
    auto sent = ::send(descriptor_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      rest.remove_prefix(std::size_t(sent));
    } else if (errno == EAGAIN) {
      auto one = pollfd{descriptor_, POLLOUT, 0};
      auto ready = ::poll(&one, 1, send_timeout_ms);
      if (ready == 0 || (ready < 0 && errno != EINTR))
        return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

link::outcome link::receive(frame& into, int timeout_ms, std::initializer_list<int> others) {
  auto waits = std::vector<pollfd>{{descriptor_, POLLIN, 0}};
  for (auto one : others)
    waits.push_back({one, POLLIN, 0});
  auto has_input = [](const pollfd& x) { return x.revents != 0; };
  for (;;) {
    auto is_waiting = reader_.is_ready();
    auto ready = ::poll(waits.data(), waits.size(), is_waiting ? 0 : timeout_ms);
    if (ready < 0 && errno != EINTR)
      return outcome::closed;
    if (ready > 0 && std::any_of(waits.begin() + 1, waits.end(), has_input))
      return outcome::other;
    if (is_waiting) {
      auto next = reader_.next();
      if (!next)
        return outcome::closed;
      into = std::move(**next);
      return outcome::frame;
    }
    if (ready == 0)
      return outcome::nothing;
    if (ready < 0)
      continue;
    auto buffer = std::array<char, 16'384>{};
    auto size = ::recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0)
      reader_.feed({buffer.data(), std::size_t(size)});
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
      return outcome::closed;
  }
}

} // namespace xmpp::shell
