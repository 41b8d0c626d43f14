// LISTENER: accepts clients on one address and starts a session for each.
#pragma once

#include "actors/context.hpp"
#include "actors/reactor_unit.hpp"
#include "actors/supervised.hpp"
#include "net/listener.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace xmpp {

using listener_actor = caf::typed_actor<
    // Accepts no more.
    caf::reacts_to<msg::stop_accepting>, XMPP_SUPERVISED>;

/// A listening socket, and who serves what it accepts.
struct listening {
  std::string name; ///< `c2s 0.0.0.0:5222`
  net::address where;
  bool direct_tls = false;
  int backlog = 4'096;
  std::vector<reactor_unit*> reactors; ///< Connections are dealt out to them in turn.
  caf::strong_actor_ptr sessions;      ///< The sessions' supervisor.
};

class listener final : public supervised<listener_actor> {
public:
  /// `fd` is the listening socket made at the start of the server; a restart, and whoever comes after this actor, goes
  /// on with it. Empty after `stop_accepting`.
  listener(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server, listening what,
           std::shared_ptr<net::unique_fd> fd);
  ~listener() override;
  behavior_type make_behavior() override;

protected:
  void restart() override;
  void on_stop(const std::string& reason) override;
  msg::description describe() const override;

private:
  void open();
  void close();

  server_context& server_;
  listening what_;
  std::shared_ptr<net::unique_fd> fd_;
  std::shared_ptr<std::unique_ptr<net::listener>> acceptor_; ///< Lives on the first reactor's thread.
};

/// Starts the session and the reader of one client; on the reactor's thread.
void start_client(server_context& server, const listening& what, reactor_unit& home, net::unique_fd fd,
                  const net::address& peer);

} // namespace xmpp
