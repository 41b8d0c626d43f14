#include "actors/listener.hpp"

#include "actors/connection.hpp"
#include "actors/log.hpp"
#include "actors/session.hpp"
#include "net/connection.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace xmpp {

listener::listener(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server, listening what,
                   std::shared_ptr<net::unique_fd> fd)
    : supervised(cfg, actor_kind::listener, std::move(parent)), server_(server), what_(std::move(what)),
      fd_(std::move(fd)), acceptor_(std::make_shared<std::unique_ptr<net::listener>>()) {}

listener::~listener() {
  close();
}

listener::behavior_type listener::make_behavior() {
  begin({}, what_.name);
  open();
  return {
      [this](const msg::stop_accepting&) {
        close();
        fd_->reset();
      },
      [this](const msg::verdict& x) { decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [this](const msg::describe&) { return describe(); },
  };
}

void listener::open() {
  if (!*fd_)
    return; // told to accept no more
  // A handle of its own: the socket outlives this actor and its failures. A restart that made another would find the
  // address in use for as long as the reactor still has the old one, and would turn away who waits to be accepted.
  auto own = net::unique_fd{::fcntl(fd_->get(), F_DUPFD_CLOEXEC, 0)};
  if (!own)
    throw std::runtime_error(std::generic_category().message(errno));
  // What is accepted inherits these.
  auto live = server_.live();
  auto& c2s = live->options.c2s;
  if (c2s.keepalive_s != 0)
    net::set_keepalive(fd_->get(), int(c2s.keepalive_s), 30, 4);
  net::set_unsent_max(fd_->get(), 128 * 1024);
  net::set_user_timeout(fd_->get(), c2s.write_timeout_s * 1000);
  auto& home = *what_.reactors.front();
  auto what = std::make_shared<const listening>(what_); // outlives this actor: connections are on their way
  home.loop().post(
      [&server = server_, what, fd = std::make_shared<net::unique_fd>(std::move(own)), slot = acceptor_, &home] {
        auto accept = [&server, what, turn = std::size_t{0}](net::unique_fd client, const net::address& peer) mutable {
          auto& next = *what->reactors[turn++ % what->reactors.size()];
          if (next.loop().is_this_thread())
            return start_client(server, *what, next, std::move(client), peer);
          next.loop().post([&server, what, &next, held = std::make_shared<net::unique_fd>(std::move(client)), peer] {
            start_client(server, *what, next, std::move(*held), peer);
          });
        };
        *slot = std::make_unique<net::listener>(home.loop(), std::move(*fd), server.limiter.get(), std::move(accept),
                                                [] { count(metrics::instance().connections_refused); });
      });
}

void listener::close() {
  if (acceptor_)
    what_.reactors.front()->loop().post([slot = acceptor_] { slot->reset(); });
}

void listener::restart() {
  close();
  acceptor_ = std::make_shared<std::unique_ptr<net::listener>>();
  open();
}

void listener::on_stop(const std::string&) {
  close();
}

msg::description listener::describe() const {
  return {{{"address", what_.where.text()},
           {"direct TLS", what_.direct_tls ? "yes" : "no"},
           {"connections in all", std::to_string(metrics::instance().connections_open.load())}}};
}

void start_client(server_context& server, const listening& what, reactor_unit& home, net::unique_fd fd,
                  const net::address& peer) {
  auto live = server.live();
  auto& options = live->options;
  auto control = std::make_shared<stream_control>();
  auto& system = home.system();
  auto actor = system.spawn<session, caf::lazy_init>(what.sessions, std::ref(server), control, peer);
  count(metrics::instance().connections_accepted);
  count(metrics::instance().connections_open);
  auto reader = std::make_unique<stream_reader>(server, actor, control);
  auto transport = net::connection::start(
      home.loop(), std::move(fd), peer, std::move(reader),
      {std::uint32_t(options.c2s.output_bytes_max), options.c2s.sign_in_timeout_s * 1000, server.limiter.get()},
      what.direct_tls ? live->tls : nullptr);
  if (!transport)
    return send_from_here(actor, msg::disconnected{"the reactor can watch no more sockets"});
  // Nothing has been sent to the session yet, so nobody else looks at it.
  static_cast<session&>(*caf::actor_cast<caf::abstract_actor*>(actor)).set_transport(std::move(transport));
  if (auto oldest = server.unauthenticated.add(actor, options.listen.unauthenticated_max))
    send_from_here(*oldest, msg::end_stream{errc::resource_constraint, "too many have not signed in"});
}

} // namespace xmpp
