#include "actors/shell/service.hpp"

#include "actors/shell/commands.hpp"
#include "actors/shell/wire.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <future>
#include <optional>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace xmpp::shell {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int hello_timeout_ms = 5'000;
constexpr auto last_words = milliseconds{1'000}; ///< For answers that are on their way when the service ends.

/// A command's console at the other end of a link.
class link_console : public console {
public:
  link_console(link& wire, const client_hello& client) : wire_(wire), client_(client) {}

  style look() const override { return {client_.json, client_.colour, client_.utf8, client_.width}; }
  bool is_interactive() const override { return client_.interactive && !client_.one_shot; }
  bool has_screen() const override { return client_.screen; }
  void write(std::string_view text) override { send(frame_type::output, text); }
  void refresh(std::string_view text) override { send(frame_type::refresh, text); }
  void fail(std::string_view text) override { send(frame_type::failure, text); }
  bool write_bytes(std::string_view bytes) override {
    if (client_.takes_bytes)
      send(frame_type::bytes, bytes);
    return client_.takes_bytes && !is_gone_;
  }

  bool wait(milliseconds time) override {
    auto until = clock::now() + time;
    while (!is_stopped_ && !is_gone_) {
      auto left = std::chrono::ceil<milliseconds>(until - clock::now()).count();
      if (left <= 0)
        return true;
      listen(int(left));
    }
    return false;
  }

  std::optional<std::string> ask(const std::string& question, bool is_secret) override {
    answer_.reset();
    send(frame_type::ask, (is_secret ? "s" : "v") + question);
    while (!answer_ && !is_stopped_ && !is_gone_)
      listen(-1);
    return std::exchange(answer_, std::nullopt);
  }

  void begin() {
    is_stopped_ = false;
    answer_.reset();
  }
  void resize(std::string_view payload) { client_.width = decode_width(payload); }
  void send(frame_type type, std::string_view payload) { is_gone_ = is_gone_ || !wire_.send(type, payload); }
  bool is_gone() const { return is_gone_; }

private:
  void listen(int timeout_ms) {
    auto got = frame{};
    switch (wire_.receive(got, timeout_ms)) {
    case link::outcome::closed:
      is_gone_ = true;
      return;
    case link::outcome::frame:
      if (got.type == frame_type::resize)
        resize(got.payload);
      else if (got.type == frame_type::answer)
        answer_ = std::move(got.payload);
      else
        is_stopped_ = true;
      return;
    default:
      return;
    }
  }

  link& wire_;
  client_hello client_;
  std::optional<std::string> answer_;
  bool is_stopped_ = false, is_gone_ = false;
};

} // namespace

class service::connection {
public:
  connection(int descriptor, uid_t uid, service& owner)
      : wire_(descriptor, link::side::server), uid_(uid), owner_(owner), thread_([this] { run(); }) {}
  ~connection() {
    stop();
    if (ended_.get_future().wait_until(*stop_until_) != std::future_status::ready)
      ::shutdown(wire_.descriptor(), SHUT_RDWR);
    thread_.join();
  }
  /// Takes nothing more from the client, but what it was going to be told it is told, if it reads soon.
  void stop() {
    if (stop_until_)
      return;
    stop_until_ = clock::now() + last_words;
    is_stopping_ = true;
    ::shutdown(wire_.descriptor(), SHUT_RD);
  }
  bool has_ended() const { return has_ended_; }

private:
  void run() {
    if (auto client = greet())
      serve(*client);
    // The descriptor stays ours until the thread is joined; the client need not wait for that.
    ::shutdown(wire_.descriptor(), SHUT_RDWR);
    has_ended_ = true;
    ended_.set_value();
  }

  std::optional<client_hello> greet() {
    auto first = frame{};
    if (wire_.receive(first, hello_timeout_ms) != link::outcome::frame || first.type != frame_type::hello)
      return std::nullopt;
    auto client = decode_client_hello(first.payload);
    if (!client) {
      if (client.code() == errc::unsupported_version)
        wire_.send(frame_type::failure, "this shell is of another release than the server");
      return std::nullopt;
    }
    if (!wire_.send(frame_type::hello, std::string(1, char(wire_version)) + owner_.options_.greeting))
      return std::nullopt;
    return *client;
  }

  void serve(const client_hello& client) {
    auto out = link_console{wire_, client};
    auto with = context{out, owner_.server_, owner_.system_};
    auto got = frame{};
    while (!is_stopping_ && !out.is_gone() && wire_.receive(got, -1) == link::outcome::frame) {
      switch (got.type) {
      case frame_type::command:
        out.begin();
        out.send(frame_type::done, std::string(1, char(run_one(with, got.payload))));
        break;
      case frame_type::complete:
        out.send(frame_type::candidates, encode(complete(with, got.payload)));
        break;
      case frame_type::resize:
        out.resize(got.payload);
        break;
      case frame_type::stop:
      case frame_type::answer: // came too late
        break;
      default:
        return;
      }
    }
  }

  int run_one(context& with, std::string_view line) {
    auto status = 1;
    try {
      status = run_line(with, line);
    } catch (const std::exception& e) {
      with.out.fail(std::string{"the command failed by a defect: "} + e.what());
    }
    if (owner_.options_.on_command)
      owner_.options_.on_command(uid_, keep(line).log, status);
    return status;
  }

  link wire_;
  uid_t uid_;
  service& owner_;
  std::optional<clock::time_point> stop_until_;
  std::atomic<bool> is_stopping_{false}, has_ended_{false};
  std::promise<void> ended_;
  std::thread thread_; // last: it uses the others
};

service::service(service_options options, shell_backend& server, caf::actor_system& system)
    : options_(std::move(options)), server_(server), system_(system), wake_(::eventfd(0, EFD_CLOEXEC)) {}

service::~service() {
  stop_listening();
  for (auto& one : connections_)
    one->stop();
  connections_.clear();
  ::close(wake_);
}

result<void> service::listen() {
  stop_listening();
  auto opened = local_listener::open(options_.path);
  if (!opened)
    return opened.error();
  listener_ = std::make_unique<local_listener>(std::move(*opened));
  acceptor_ = std::thread{[this] { accept_until_woken(listener_->descriptor()); }};
  return {};
}

std::size_t service::connection_count() {
  auto guard = std::lock_guard{mutex_};
  forget_ended();
  return connections_.size();
}

void service::stop_listening() {
  if (!acceptor_.joinable())
    return;
  ::eventfd_write(wake_, 1);
  acceptor_.join();
  auto seen = eventfd_t{0};
  ::eventfd_read(wake_, &seen);
  listener_.reset();
}

void service::accept_until_woken(int listening) {
  for (;;) {
    auto waits = std::array{pollfd{listening, POLLIN, 0}, pollfd{wake_, POLLIN, 0}};
    ::poll(waits.data(), waits.size(), -1);
    if (waits[1].revents != 0)
      return;
    if (waits[0].revents != 0)
      accept_one(listening);
  }
}

void service::accept_one(int listening) {
  auto descriptor = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
  if (descriptor < 0) {
    // Out of descriptors: the one that waits keeps the socket ready, so don't spin.
    auto wake = pollfd{wake_, POLLIN, 0};
    ::poll(&wake, 1, errno == EINTR || errno == ECONNABORTED ? 0 : 200);
    return;
  }
  auto refuse = [descriptor](std::string_view why) {
    link{descriptor, link::side::server}.send(frame_type::failure, why);
  };
  auto uid = peer_of(descriptor);
  if (!uid || !(options_.is_allowed ? options_.is_allowed(*uid) : may_command(*uid, ::geteuid())))
    return refuse("you may not command this server: be its user, or root");
  auto guard = std::lock_guard{mutex_};
  forget_ended();
  if (connections_.size() >= options_.connections_max)
    return refuse("too many shells are open");
  connections_.push_back(std::make_unique<connection>(descriptor, *uid, *this));
}

void service::forget_ended() {
  connections_.remove_if([](auto& x) { return x->has_ended(); });
}

} // namespace xmpp::shell
