// SUPERVISOR: a node of the supervision tree whose children are known when it starts.
#pragma once

#include "actors/restart_policy.hpp"
#include "actors/supervised.hpp"

#include <functional>
#include <string>
#include <vector>

namespace xmpp {

class supervisor : public supervised<supervisor_actor> {
public:
  /// A child that is started with the supervisor and kept running: restarted in place when it fails, started anew when
  /// it is gone. Anybody else who reports a failure here (a session) is temporary: it is stopped.
  struct child {
    std::string name;
    std::function<caf::strong_actor_ptr(supervisor&)> start;
    /// What follows in the list is first started when this one has begun: when a supervisor has started its children.
    bool comes_first = false;
  };

  supervisor(caf::actor_config& cfg, caf::strong_actor_ptr parent, actor_kind kind, std::string name,
             std::vector<child> children, restart_options options = {});

  behavior_type make_behavior() override;

  /// For the children, as their supervisor.
  caf::strong_actor_ptr self_ptr() { return caf::strong_actor_ptr{ctrl()}; }

protected:
  void restart() override;
  void on_stop(const std::string& reason) override;
  msg::description describe() const override;
  void on_exit_message(caf::exit_msg& x) override;

private:
  void child_failed(std::size_t index, const std::string& what);
  void restart_child(std::size_t index, bool also_if_running);
  void start_child(std::size_t index);
  void start_rest();

  struct running {
    child spec;
    caf::strong_actor_ptr actor; ///< Null while it waits for its start or restart.
  };
  std::string name_;
  std::vector<running> children_;
  std::size_t started_ = 0; ///< Of the children, in order, those that have been started once.
  restart_options options_;
  restart_history history_;
  bool stopping_ = false;
};

} // namespace xmpp
