// The base of every supervised actor: it counts, it can be found, and its failure is its supervisor's decision.
//
// A failure is an exception from a handler (or `fail_now` from the shell). The actor then stops handling messages, but
// keeps its mailbox, and tells its supervisor. On `restart` it throws its state away, begins as if it had just been
// started, and goes on with the messages that wait; only the one that failed is lost. On `stop` it ends, as it does
// when it has no supervisor, or one that is no more.
#pragma once

#include "actors/interfaces.hpp"
#include "actors/log.hpp"
#include "actors/metrics.hpp"
#include "actors/registry.hpp"

#include <caf/all.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace xmpp {

/// `Handle` is the actor's typed handle.
template <class Handle>
class supervised : public Handle::base, public observed {
public:
  using base = typename Handle::base;
  using handle = Handle;

  supervised(caf::actor_config& cfg, actor_kind kind, caf::strong_actor_ptr supervisor)
      : base(cfg), observed(kind), supervisor_(std::move(supervisor)) {
    this->set_exit_handler([this](caf::exit_msg& x) { on_exit_message(x); });
  }

  void enqueue(caf::mailbox_element_ptr x, caf::execution_unit* unit) override {
    received.fetch_add(1, std::memory_order_relaxed);
    base::enqueue(std::move(x), unit);
  }

  const char* name() const override { return to_string(kind()).data(); }

protected:
  using observed::kind;

  /// Throws all state away and begins anew. Called after a failure, on the supervisor's decision.
  virtual void restart() = 0;
  /// Whether this message must stay in the mailbox for now; it is tried again after each one that is handled.
  virtual bool must_wait(caf::mailbox_element&) { return false; }
  /// The last chance to tell others before the end; the actor can still send.
  virtual void on_stop(const std::string& reason) = 0;
  /// Ends it behind that: at once, unless it still has to hand something over.
  virtual void stop() { this->quit(caf::exit_reason::unhandled_exception); }
  virtual msg::description describe() const = 0;
  /// An exit message from outside; by default the orderly end of a server that stops.
  virtual void on_exit_message(caf::exit_msg& x) { this->quit(std::move(x.reason)); }

  caf::invoke_message_result consume(caf::mailbox_element& x) override {
    if ((suspended_ && !passes_suspension(x)) || must_wait(x))
      return caf::invoke_message_result::skipped;
    auto outcome = caf::invoke_message_result::consumed;
    current_ = this;
    guarded([&] { outcome = base::consume(x); });
    if (outcome != caf::invoke_message_result::skipped)
      handled.fetch_add(1, std::memory_order_release);
    return outcome;
  }

  /// Call first of all in `make_behavior`.
  void begin(jid owner, std::string_view own_name) {
    enlist(ctrl_self(), supervisor_ ? supervisor_->id() : 0, std::move(owner), own_name);
  }

  /// What may throw outside of a handler, that is in `make_behavior`: a failure there is one like any other.
  template <class F>
  void guarded(F f) {
    try {
      f();
    } catch (const std::exception& e) {
      fail(e.what());
    } catch (...) {
      fail("unknown exception");
    }
  }

  void decide(const msg::verdict& x) {
    if (!suspended_ && !x.also_if_running)
      return;
    suspended_ = false;
    if (x.what == msg::decision::restart) {
      restarts.fetch_add(1, std::memory_order_relaxed);
      count(metrics::instance().actors_restarted);
      restart();
    } else {
      on_stop("stopped by its supervisor");
      stop();
    }
  }

  bool suspended() const noexcept { return suspended_; }

  /// The actor whose handler this thread has just entered. With it handlers need not hold `this`, and all actors of a
  /// kind that there are many of share one set, which would be more than 600 bytes for each.
  template <class Self>
  static Self& current() noexcept {
    return static_cast<Self&>(*current_);
  }

private:
  static bool passes_suspension(caf::mailbox_element& x) {
    auto& content = x.content();
    return content.template match_elements<msg::verdict>() || content.template match_elements<msg::describe>() ||
           content.template match_elements<caf::exit_msg>();
  }

  void fail(const char* what) {
    count(metrics::instance().actors_failed);
    note_error(what);
    suspended_ = true;
    if (has_supervisor())
      return this->send(caf::actor_cast<supervising_actor>(supervisor_), msg::child_failed{this->ctrl_self(), what});
    log::error("actor.gave_up", {{"actor", name()}, {"what", what}});
    suspended_ = false;
    on_stop(what);
    stop();
  }

  /// One that has ended decides no more.
  bool has_supervisor() const {
    return supervisor_ &&
           !caf::actor_cast<caf::abstract_actor*>(supervisor_)->getf(caf::abstract_actor::is_terminated_flag);
  }

  caf::strong_actor_ptr ctrl_self() { return caf::strong_actor_ptr{this->ctrl()}; }

  static inline constinit thread_local supervised* current_ = nullptr;

  caf::strong_actor_ptr supervisor_;
  bool suspended_ = false;
};

} // namespace xmpp
