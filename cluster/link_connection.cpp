#include "cluster/link_connection.hpp"

#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace xmpp::cluster {

namespace {

/// What a peer may say before it is known; a handshake has less than 4 KiB.
constexpr auto handshake_bytes_max = std::uint64_t{64 * 1024};
/// For the peer's end after ours: else what we said last may be lost with a reset.
constexpr auto leave_ms = std::uint32_t{1000};
/// What the system takes beyond what it can send at once: the less, the sooner what is urgent gets its turn.
constexpr auto unsent_bytes_max = 128 * 1024;
constexpr auto kept_capacity_max = std::size_t{256 * 1024};

std::string text_of(int code) {
  return std::generic_category().message(code);
}

} // namespace

std::shared_ptr<link_connection> link_connection::start(net::reactor& home, net::unique_fd fd, const net::address& peer,
                                                        std::shared_ptr<const net::mutual_tls_context> context,
                                                        owner& told, const options& how) {
  auto raw = fd.get();
  auto self = std::make_shared<link_connection>(home, std::move(fd), peer, std::move(context), told, how);
  self->watched_ = how.is_connecting ? EPOLLOUT : EPOLLIN;
  if (!home.add(raw, self->watched_, self.get())) {
    self->stage_ = stage::ended;
    return nullptr;
  }
  return self;
}

link_connection::link_connection(net::reactor& home, net::unique_fd fd, const net::address& peer,
                                 std::shared_ptr<const net::mutual_tls_context> context, owner& told,
                                 const options& how)
    : home_(home), fd_(std::move(fd)), peer_(peer), tls_(std::move(context), how.side, how.now_s), owner_(told),
      reader_(how.frame_bytes_max), stage_(how.is_connecting ? stage::connecting : stage::handshake),
      heard_ms_(home.now_ms()) {
  net::set_unsent_max(fd_.get(), unsent_bytes_max);
}

link_connection::~link_connection() {
  if (fd_)
    home_.remove(fd_.get(), this);
  home_.cancel_timer(timer_);
}

// -- events -----------------------------------------------------------------------------------------------------------

void link_connection::on_ready(std::uint32_t events) {
  auto self = shared_from_this(); // Its owner may let go of it meanwhile.
  if (stage_ == stage::connecting) {
    if (finish_connect())
      shake_hands({});
    return;
  }
  if ((events & EPOLLOUT) != 0)
    flush();
  if (stage_ != stage::ended && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
    receive();
}

bool link_connection::finish_connect() {
  auto code = 0;
  auto bytes = socklen_t{sizeof code};
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &code, &bytes) != 0)
    code = errno;
  if (code != 0) {
    end(text_of(code));
    return false;
  }
  stage_ = stage::handshake;
  watch();
  return true;
}

void link_connection::receive() {
  // We may have stood still: then this comes before any timer that would say so.
  if (auto silent_ms = home_.now_ms() - heard_ms_; silence_max_ms_ != 0 && silent_ms >= silence_max_ms_)
    return end("nothing heard for " + std::to_string(silent_ms) + " ms");
  auto n = ::recv(fd_.get(), home_.scratch(), net::reactor::scratch_bytes, MSG_DONTWAIT);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR)
      end(text_of(errno));
    return;
  }
  if (n == 0)
    return end("the peer closed the connection");
  heard_ms_ = home_.now_ms();
  bytes_in_ += static_cast<std::uint64_t>(n);
  auto wire = std::string_view{home_.scratch(), static_cast<std::size_t>(n)};
  if (stage_ == stage::handshake)
    shake_hands(wire);
  else if (stage_ == stage::secured)
    decrypt(wire);
}

void link_connection::shake_hands(std::string_view wire) {
  if (bytes_in_ > handshake_bytes_max)
    return end("the handshake is too long");
  auto out = std::string{};
  auto status = tls_.handshake(wire, out);
  write(out);
  if (status == net::tls_status::want_more || stage_ == stage::ended)
    return;
  if (status != net::tls_status::ok)
    return end("TLS: " + tls_.why());
  stage_ = stage::secured;
  owner_.on_secured(*this);
  if (stage_ == stage::secured)
    decrypt({}); // What came with the handshake's end.
}

void link_connection::decrypt(std::string_view wire) {
  auto out = std::string{};
  while (stage_ == stage::secured) {
    auto got = std::size_t{0};
    auto status = tls_.read(std::exchange(wire, {}), home_.second_scratch(), net::reactor::scratch_bytes, got, out);
    if (!out.empty())
      write(std::exchange(out, {}));
    if (got > 0 && !deliver({home_.second_scratch(), got}))
      return;
    if (status == net::tls_status::want_more)
      return;
    if (status == net::tls_status::closed)
      return end("the peer closed the connection");
    if (status == net::tls_status::failed)
      return end("TLS: " + tls_.why());
  }
}

// False when nothing more is to be read.
bool link_connection::deliver(std::string_view plain) {
  reader_.feed(plain);
  auto x = frame_reader::frame{};
  while (stage_ == stage::secured)
    switch (reader_.next(x)) {
    case frame_reader::status::frame:
      owner_.on_frame(*this, x);
      break;
    case frame_reader::status::nothing:
      return true;
    case frame_reader::status::too_long:
      end("a frame that is too long, or none");
      return false;
    }
  return false;
}

void link_connection::on_timer(std::uint32_t) {
  auto self = shared_from_this();
  timer_ = 0;
  end(deadline_why_);
}

void link_connection::set_deadline(std::uint32_t delay_ms, const char* why) {
  home_.cancel_timer(std::exchange(timer_, 0));
  deadline_why_ = why;
  if (delay_ms != 0 && stage_ != stage::ended)
    timer_ = home_.set_timer(delay_ms, this);
}

// -- writing ----------------------------------------------------------------------------------------------------------

void link_connection::send(std::string_view plain) {
  if (stage_ != stage::secured)
    return;
  auto out = std::string{};
  if (tls_.write(plain, out) == net::tls_status::ok)
    write(out);
  else
    end("TLS: " + tls_.why());
}

void link_connection::write(std::string_view wire) {
  bytes_out_ += wire.size();
  if (wire_.empty()) {
    auto n = wire.empty() ? 0 : ::send(fd_.get(), wire.data(), wire.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // An error shows again when we read: there it ends the connection.
    if (n > 0)
      wire.remove_prefix(static_cast<std::size_t>(n));
  }
  if (wire.empty())
    return;
  wire_.append(wire);
  watch();
}

void link_connection::flush() {
  while (sent_ < wire_.size()) {
    auto n = ::send(fd_.get(), wire_.data() + sent_, wire_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return;
    if (n < 0)
      return end(text_of(errno));
    sent_ += static_cast<std::size_t>(n);
  }
  sent_ = 0;
  wire_.clear();
  if (wire_.capacity() > kept_capacity_max)
    wire_.shrink_to_fit();
  watch();
  if (stage_ == stage::leaving)
    ::shutdown(fd_.get(), SHUT_WR);
  else if (stage_ == stage::secured)
    owner_.on_writable(*this);
}

void link_connection::watch() {
  auto wanted = std::uint32_t{EPOLLIN};
  if (!wire_.empty())
    wanted |= EPOLLOUT;
  if (wanted != watched_ && fd_)
    home_.modify(fd_.get(), watched_ = wanted, this);
}

// -- ending -----------------------------------------------------------------------------------------------------------

void link_connection::leave(std::string_view plain) {
  if (stage_ != stage::secured)
    return;
  send(plain);
  if (stage_ == stage::ended)
    return;
  stage_ = stage::leaving;
  auto out = std::string{};
  tls_.close(out);
  write(out);
  if (!is_busy())
    ::shutdown(fd_.get(), SHUT_WR);
  set_deadline(leave_ms, "the peer does not end its side");
}

void link_connection::end(const std::string& why) {
  if (stage_ == stage::ended)
    return;
  auto self = shared_from_this();
  auto words = why; // Perhaps part of what goes now.
  stage_ = stage::ended;
  home_.cancel_timer(std::exchange(timer_, 0));
  home_.remove(fd_.get(), this);
  fd_.reset();
  owner_.on_ended(*this, words);
}

} // namespace xmpp::cluster
