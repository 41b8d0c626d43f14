#include "actors/shell/listener.hpp"

#include "actors/log.hpp"

#include <chrono>
#include <utility>

namespace xmpp {

shell_listener::shell_listener(caf::actor_config& cfg, caf::strong_actor_ptr supervisor, shell::service_options options,
                               shell_backend& server)
    : supervised(cfg, actor_kind::shell, std::move(supervisor)), path_(options.path.string()),
      service_(std::make_unique<shell::service>(std::move(options), server, system())) {}

shell_listener::behavior_type shell_listener::make_behavior() {
  begin({}, "socket");
  listen();
  return {
      [this](msg::tick) {
        if (!trouble_.empty())
          listen();
      },
      [this](const msg::verdict& x) { decide(x); },
      [](msg::fail_now) { throw std::runtime_error{"told to fail"}; },
      [this](msg::describe) { return describe(); },
  };
}

void shell_listener::listen() {
  auto outcome = service_->listen();
  auto before = std::exchange(trouble_, outcome ? "" : outcome.error().text);
  if (!outcome) {
    if (trouble_ != before)
      log::warning("shell.not_listening", {{"path", path_}, {"why", trouble_}});
    note_error(trouble_);
    delayed_send(this, std::chrono::seconds{5}, msg::tick{});
  }
}

// The shell that ordered the failure wants to see what comes of it, so connections stay.
void shell_listener::restart() {
  listen();
}

void shell_listener::on_stop(const std::string&) {}

void shell_listener::on_exit() {
  service_.reset();
  supervised::on_exit();
}

msg::description shell_listener::describe() const {
  auto listens = trouble_.empty() ? "yes" : "no: " + trouble_;
  return {{{"path", path_}, {"listens", listens}, {"connections", std::to_string(service_->connection_count())}}};
}

} // namespace xmpp
