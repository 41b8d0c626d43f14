// A reactor's thread lends itself to CAF: actors that its events wake run right there, in the same turn.
//
// So the common path of a stanza (socket, session, shard, user, session, socket) needs no change of thread. Actors that
// other threads wake (timers, the log writer) run on CAF's own scheduler; an actor may move between the two, since
// whoever resumes it does so exclusively.
#pragma once

#include "net/reactor.hpp"

#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/resumable.hpp>

#include <deque>
#include <thread>
#include <utility>

namespace xmpp {

class reactor_unit final : public caf::execution_unit, public net::work {
public:
  explicit reactor_unit(caf::actor_system& system);
  ~reactor_unit() override;

  net::reactor& loop() noexcept { return loop_; }
  /// Starts the thread; `name` for debuggers.
  void start(const char* name);
  /// Ends the thread. What still waits to run is handed to CAF's scheduler.
  void stop();

  // -- on its own thread only --
  void exec_later(caf::resumable* job) override { jobs_.push_back(job); }
  bool run_slice() override;

  /// The unit whose thread this is, or null.
  static reactor_unit* current() noexcept;

private:
  static constexpr std::size_t jobs_per_slice = 256;
  static constexpr std::size_t messages_per_job = 64;

  std::deque<caf::resumable*> jobs_;
  net::reactor loop_;
  std::thread thread_;
};

/// Sends from outside of any actor. On a reactor's thread the receiver runs in the same turn.
template <class Handle, class Message>
void send_from_here(const Handle& to, Message&& message) {
  if (auto* ptr = caf::actor_cast<caf::abstract_actor*>(to))
    ptr->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, std::forward<Message>(message)),
                 reactor_unit::current());
}

} // namespace xmpp
