#include "net/connection.hpp"

#include "net/accept_limiter.hpp"
#include "net/tls.hpp"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace xmpp::net {

namespace {

enum timer : std::uint32_t { deadline_timer, grace_timer };

/// How much is encrypted before the socket is asked to take it.
constexpr auto encrypt_bytes_max = std::size_t{64 * 1024};

/// Where TLS leaves what it wants sent, before the socket takes it: one per thread, since whoever sends also encrypts.
std::string& cleared_wire() {
  thread_local auto wire = std::string{};
  wire.clear();
  if (wire.capacity() > 4 * encrypt_bytes_max)
    wire.shrink_to_fit();
  return wire;
}

std::string text_of(int code) {
  return std::generic_category().message(code);
}

} // namespace

std::string_view to_string(close_reason reason) noexcept {
  switch (reason) {
  case close_reason::peer_closed:
    return "peer-closed";
  case close_reason::connection_lost:
    return "connection-lost";
  case close_reason::tls_failed:
    return "tls-failed";
  case close_reason::closed_here:
    return "closed-here";
  case close_reason::aborted:
    return "aborted";
  }
  return "unknown";
}

/// What the socket has not taken: [sent | ready to be sent as it is | to be encrypted first].
struct connection::output {
  std::string bytes;
  std::size_t sent = 0;
  std::size_t ready = 0;
};

enum connection::flag : std::uint32_t {
  tls_wanted = 1u << 0, ///< Input goes to `session_`.
  secured = 1u << 1,    ///< The handshake is complete.
  paused = 1u << 2,     ///< The owner does not want input.
  writable_wanted = 1u << 3,
  flush_listed = 1u << 4,
  overflowed = 1u << 5,
  closing = 1u << 6, ///< `close` was called.
  output_ended = 1u << 7,
  aborting = 1u << 8,
  ended = 1u << 9, ///< No descriptor any more.
};

std::shared_ptr<connection> connection::start(reactor& home, unique_fd fd, const address& peer,
                                              std::unique_ptr<receiver> reader, const connection_options& options,
                                              std::shared_ptr<const tls_context> context) {
  auto self = std::make_shared<connection>(only_start{}, home, std::move(fd), peer, std::move(reader), options);
  self->events_ = EPOLLIN;
  if (!home.add(self->fd_, self->events_, self.get()))
    return nullptr;
  self->place_ = home.keep(self);
  if (options.deadline_ms != 0)
    self->arm_timer(deadline_timer, options.deadline_ms);
  if (context != nullptr)
    self->begin_tls(std::move(context), {}, {});
  return self;
}

connection::connection(only_start, reactor& home, unique_fd fd, const address& peer, std::unique_ptr<receiver> reader,
                       const connection_options& options)
    : home_(&home), receiver_(std::move(reader)), limiter_(options.limiter), fd_(fd.release()),
      output_bytes_max_(options.output_bytes_max), peer_(peer) {}

connection::~connection() {
  unique_fd{fd_}.reset();
  if (limiter_ != nullptr)
    limiter_->release(peer_);
}

reactor& connection::home() const noexcept {
  return *home_;
}

address connection::peer() const {
  return peer_;
}

// -- writing ----------------------------------------------------------------------------------------------------------

send_status connection::send(std::string_view bytes) {
  auto lock = std::unique_lock{lock_};
  auto status = take(bytes);
  if (status != send_status::ok || has(writable_wanted | flush_listed))
    return status;
  if (auto here = reactor::current(); here != nullptr) {
    raise(flush_listed);
    lock.unlock();
    here->flush_later(shared_from_this());
  } else {
    drain();
  }
  return status;
}

send_status connection::send_and_flush(std::string_view bytes) {
  auto lock = std::lock_guard{lock_};
  if (output_ == nullptr && !has(closing | ended | overflowed) && bytes.size() <= output_bytes_max_) {
    if (!has(tls_wanted)) {
      write_wire(bytes);
      return send_status::ok;
    }
    if (has(secured) && bytes.size() <= encrypt_bytes_max) {
      auto& wire = cleared_wire();
      session_->write(bytes, wire);
      write_wire(wire);
      return send_status::ok;
    }
  }
  auto status = take(bytes);
  if (status == send_status::ok)
    drain();
  return status;
}

void connection::flush() {
  auto lock = std::lock_guard{lock_};
  drain();
}

void connection::flush_now() {
  auto lock = std::lock_guard{lock_};
  lower(flush_listed);
  drain();
}

std::size_t connection::queued_bytes() const {
  auto lock = std::lock_guard{lock_};
  return queued();
}

void connection::set_output_bytes_max(std::size_t bytes) {
  auto lock = std::lock_guard{lock_};
  output_bytes_max_ = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, UINT32_MAX));
}

std::size_t connection::queued() const noexcept {
  return output_ == nullptr ? 0 : output_->bytes.size() - output_->sent;
}

send_status connection::take(std::string_view bytes) {
  if (has(closing | aborting | ended))
    return send_status::closed;
  if (has(overflowed))
    return send_status::overflow;
  if (queued() > output_bytes_max_) {
    drain(); // Perhaps the peer is not slow and only this turn long.
    if (queued() > output_bytes_max_) {
      raise(overflowed);
      return send_status::overflow;
    }
  }
  if (output_ == nullptr)
    output_ = std::make_unique<output>();
  output_->bytes.append(bytes);
  if (!has(tls_wanted))
    output_->ready = output_->bytes.size();
  return send_status::ok;
}

// Returns how many bytes the socket took. An error is left to the reactor's thread, which alone ends connections.
std::size_t connection::write_now(std::string_view wire) noexcept {
  auto taken = std::size_t{0};
  while (taken < wire.size() && fd_ >= 0) {
    auto n = ::send(fd_, wire.data() + taken, wire.size() - taken, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      taken += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      ::shutdown(fd_, SHUT_RDWR); // Wakes the reactor; what waits until then has not gone out.
      break;
    }
  }
  return taken;
}

// Sends bytes as they are, behind those that are ready and before those that are to be encrypted.
void connection::write_wire(std::string_view wire) {
  if (output_ == nullptr || output_->ready == output_->sent)
    wire.remove_prefix(write_now(wire));
  if (wire.empty())
    return;
  if (output_ == nullptr)
    output_ = std::make_unique<output>();
  output_->bytes.insert(output_->ready, wire);
  output_->ready += wire.size();
  raise(writable_wanted);
  update_events();
}

// Hands the socket what it takes; frees the queue when it took everything.
void connection::drain() {
  while (output_ != nullptr && fd_ >= 0) {
    auto& x = *output_;
    if (x.sent < x.ready) {
      x.sent += write_now(std::string_view{x.bytes}.substr(x.sent, x.ready - x.sent));
      if (x.sent < x.ready) {
        // Long queues are cut rarely, so that the cost of moving bytes stays in proportion to what was sent.
        if (x.sent > x.bytes.size() / 2) {
          x.bytes.erase(0, x.sent);
          x.ready -= std::exchange(x.sent, 0);
        }
        raise(writable_wanted);
        update_events();
        return;
      }
    } else if (x.ready == x.bytes.size()) {
      output_.reset();
    } else if (has(secured)) {
      auto plain = std::string_view{x.bytes}.substr(x.ready, encrypt_bytes_max);
      auto& wire = cleared_wire();
      if (session_->write(plain, wire) != tls_session::status::ok) {
        ::shutdown(fd_, SHUT_RDWR);
        return;
      }
      auto rest = std::string_view{wire}.substr(write_now(wire));
      // What was encrypted now is no longer needed; what of it was not taken goes in its place.
      x.bytes.replace(0, x.ready + plain.size(), rest);
      x.sent = 0;
      x.ready = rest.size();
    } else if (has(closing)) {
      output_.reset(); // The handshake did not come to an end: nobody may read this in the clear.
    } else {
      break; // Waits for the handshake.
    }
  }
  if (output_ == nullptr && has(closing))
    end_output();
}

void connection::raise(std::uint32_t flags) noexcept {
  flags_.store(flags_.load(std::memory_order_relaxed) | flags, std::memory_order_relaxed);
}

void connection::lower(std::uint32_t flags) noexcept {
  flags_.store(flags_.load(std::memory_order_relaxed) & ~flags, std::memory_order_relaxed);
}

void connection::update_events() noexcept {
  auto wanted = std::uint32_t{0};
  if (!has(paused) || has(closing))
    wanted |= EPOLLIN;
  if (has(writable_wanted))
    wanted |= EPOLLOUT;
  if (fd_ >= 0 && wanted != events_) {
    events_ = wanted;
    home_->modify(fd_, wanted, this);
  }
}

// -- ending -----------------------------------------------------------------------------------------------------------

void connection::close(std::string_view last_bytes, std::uint32_t grace_ms) {
  {
    auto lock = std::lock_guard{lock_};
    if (has(closing | aborting | ended))
      return;
    if (!last_bytes.empty()) {
      if (output_ == nullptr)
        output_ = std::make_unique<output>();
      output_->bytes.append(last_bytes);
      if (!has(tls_wanted))
        output_->ready = output_->bytes.size();
    }
    raise(closing);
    update_events();
    if (output_ == nullptr)
      end_output();
    else
      drain();
  }
  if (home_->is_this_thread())
    arm_timer(grace_timer, grace_ms);
  else
    home_->post([self = shared_from_this(), grace_ms] { self->arm_timer(grace_timer, grace_ms); });
}

void connection::end_output() {
  if (has(output_ended) || fd_ < 0)
    return;
  if (has(secured) && session_ != nullptr) {
    auto& wire = cleared_wire();
    session_->close(wire);
    write_now(wire); // As a courtesy: what does not fit is not waited for.
  }
  raise(output_ended);
  ::shutdown(fd_, SHUT_WR);
}

void connection::abort() {
  auto lock = std::lock_guard{lock_};
  if (has(aborting | ended))
    return;
  raise(aborting);
  output_.reset();
  ::shutdown(fd_, SHUT_RDWR); // Wakes the reactor with a hang-up; it does the rest.
}

void connection::end(close_reason reason, std::string_view detail) {
  {
    auto lock = std::lock_guard{lock_};
    if (has(ended))
      return;
    if (has(aborting))
      reason = close_reason::aborted;
    else if (reason != close_reason::connection_lost && !has(output_ended)) {
      drain();
      end_output();
    }
    raise(ended);
    home_->remove(fd_, this);
    unique_fd{std::exchange(fd_, -1)}.reset();
    output_.reset();
    session_.reset();
  }
  home_->cancel_timer(timer_);
  if (auto limiter = std::exchange(limiter_, nullptr))
    limiter->release(peer_);
  home_->retire(place_);
  if (auto reader = std::move(receiver_))
    reader->on_closed(*this, reason, detail);
}

void connection::on_reactor_end() {
  end(close_reason::aborted, {});
}

// -- reading ----------------------------------------------------------------------------------------------------------

void connection::on_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    auto is_drained = false;
    {
      auto lock = std::lock_guard{lock_};
      auto had_to_wait = has(writable_wanted);
      lower(writable_wanted);
      drain(); // Perhaps there is nothing left: another thread was faster.
      update_events();
      is_drained = had_to_wait && output_ == nullptr && !has(closing | aborting);
    }
    if (is_drained)
      receiver_->on_drained(*this);
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
    read(events);
}

// One read for one event: the kernel reports again what is left, after the other connections had their turn.
void connection::read(std::uint32_t events) {
  if (has(aborting))
    return end(close_reason::aborted, {});
  if (has(paused) && !has(closing) && (events & EPOLLIN) == 0)
    return end(close_reason::connection_lost, {});
  auto n = ::recv(fd_, home_->scratch(), reactor::scratch_bytes, MSG_DONTWAIT);
  if (n > 0) {
    auto bytes = std::string_view{home_->scratch(), static_cast<std::size_t>(n)};
    if (has(closing))
      return;
    if (has(tls_wanted))
      read_secure(bytes);
    else
      receiver_->on_bytes(*this, bytes);
  } else if (n == 0) {
    end(has(closing) ? close_reason::closed_here : close_reason::peer_closed, {});
  } else if (errno != EAGAIN && errno != EINTR) {
    end(has(closing) ? close_reason::closed_here : close_reason::connection_lost, text_of(errno));
  }
}

void connection::read_secure(std::string_view wire) {
  using status = tls_session::status;
  while (!has(closing | aborting)) {
    auto lock = std::unique_lock{lock_};
    auto& reply = cleared_wire();
    auto is_handshake = !has(secured);
    auto got = std::size_t{0};
    auto x = is_handshake ? session_->handshake(wire, reply)
                          : session_->read(wire, home_->second_scratch(), reactor::scratch_bytes, got, reply);
    if (!reply.empty())
      write_wire(reply);
    if (is_handshake && x == status::ok) {
      raise(secured);
      drain();
    }
    auto detail = x == status::failed ? session_->why() : std::string{};
    lock.unlock();
    if (is_handshake && x == status::ok)
      receiver_->on_tls_established(*this);
    if (got > 0)
      receiver_->on_bytes(*this, {home_->second_scratch(), got});
    if (x == status::failed)
      return end(close_reason::tls_failed, detail);
    if (x == status::closed)
      return end(has(closing) ? close_reason::closed_here : close_reason::peer_closed, {});
    if (x == status::want_more)
      return;
  }
}

void connection::pause_reading() {
  auto lock = std::lock_guard{lock_};
  raise(paused);
  update_events();
}

void connection::resume_reading() {
  auto lock = std::lock_guard{lock_};
  lower(paused);
  update_events();
}

// -- timers -----------------------------------------------------------------------------------------------------------

void connection::set_deadline(std::uint32_t delay_ms) {
  if (has(ended))
    return;
  if (home_->is_this_thread())
    arm_timer(deadline_timer, delay_ms);
  else
    home_->post([self = shared_from_this(), delay_ms] { self->arm_timer(deadline_timer, delay_ms); });
}

void connection::arm_timer(std::uint32_t tag, std::uint32_t delay_ms) {
  if (has(ended) || (tag == deadline_timer && has(closing)))
    return;
  home_->cancel_timer(std::exchange(timer_, 0));
  if (tag == grace_timer || delay_ms != 0)
    timer_ = home_->set_timer(delay_ms, this, tag);
}

void connection::on_timer(std::uint32_t tag) {
  timer_ = 0;
  if (tag == grace_timer)
    end(close_reason::closed_here, {});
  else if (!has(closing | aborting))
    receiver_->on_deadline(*this);
}

// -- security ---------------------------------------------------------------------------------------------------------

bool connection::start_tls(std::shared_ptr<const tls_context> context, std::string_view last_plain_bytes,
                           std::string_view domain) {
  if (has(tls_wanted | closing | aborting | ended))
    return false;
  if (home_->is_this_thread())
    begin_tls(std::move(context), last_plain_bytes, domain);
  else
    home_->post([self = shared_from_this(), context = std::move(context), last = std::string{last_plain_bytes},
                 domain = std::string{domain}] { self->begin_tls(context, last, domain); });
  return true;
}

void connection::begin_tls(std::shared_ptr<const tls_context> context, std::string_view last_plain_bytes,
                           std::string_view domain) {
  auto lock = std::lock_guard{lock_};
  if (has(tls_wanted | closing | aborting | ended))
    return;
  drain();
  if (!last_plain_bytes.empty())
    write_wire(last_plain_bytes);
  session_ = std::make_unique<tls_session>(std::move(context), domain);
  raise(tls_wanted);
}

bool connection::is_secure() const {
  return has(secured);
}

std::optional<tls_facts> connection::tls() const {
  auto lock = std::lock_guard{lock_};
  if (session_ == nullptr || !has(secured))
    return std::nullopt;
  auto facts = session_->facts();
  if (facts.version.empty())
    return std::nullopt; // Forgotten.
  return facts;
}

std::string connection::channel_binding(channel_binding_type type) const {
  auto lock = std::lock_guard{lock_};
  if (session_ == nullptr || !has(secured))
    return {};
  return session_->channel_binding(type);
}

void connection::forget_handshake() {
  auto lock = std::lock_guard{lock_};
  if (session_ != nullptr && has(secured))
    session_->forget();
}

} // namespace xmpp::net
