// SHELL: the supervised actor that keeps the shell's socket open.
#pragma once

#include "actors/shell/service.hpp"
#include "actors/supervised.hpp"

#include <memory>
#include <string>

namespace xmpp {

/// SHELL: listens for shells.
using shell_actor = caf::typed_actor<
    // Tries again to listen.
    caf::reacts_to<msg::tick>, XMPP_SUPERVISED>;

/// Spawn it with `caf::detached`: its end waits for the threads of its connections. A socket that cannot be opened any
/// more does not stop the server: `inspect` and the log say why, and it is tried again every 5 s.
class shell_listener : public supervised<shell_actor> {
public:
  shell_listener(caf::actor_config& cfg, caf::strong_actor_ptr supervisor, shell::service_options options,
                 shell_backend& server);

  behavior_type make_behavior() override;

protected:
  void restart() override;
  void on_stop(const std::string& reason) override;
  msg::description describe() const override;
  void on_exit() override;

private:
  void listen();

  std::string path_;
  std::unique_ptr<shell::service> service_;
  std::string trouble_; ///< Why it does not listen.
};

} // namespace xmpp
