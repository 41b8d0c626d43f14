// Actors that run one message at a time, on a clock moved by hand: whatever a test does, it does in one order.
#pragma once

#include "actors/interfaces.hpp"
#include "actors/log.hpp"
#include "actors/supervised.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xmpp::test {

/// What became of a request.
template <class T>
struct answer {
  std::optional<T> value;
  bool failed = false;
  bool has_come() const { return value || failed; }
};

/// What a supervisor was told.
struct failure {
  caf::actor_id child = 0;
  std::string what;
};

struct actor_fixture {
  actor_fixture() : system_(configured(config_)) { system_.await_actors_before_shutdown(false); }
  ~actor_fixture() {
    settle();
    log::set_level("*", log_level::info);
  }

  caf::actor_system& system() { return system_; }
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }
  /// Until no message is left.
  void settle() { scheduler().run(); }
  void passes(caf::timespan time) {
    scheduler().advance_time(time);
    settle();
  }

  template <class Handle, class... Ts>
  void send(const Handle& to, Ts&&... what) {
    caf::anon_send(to, std::forward<Ts>(what)...);
    settle();
  }
  template <class Handle>
  void ends(const Handle& who, caf::exit_reason why = caf::exit_reason::user_shutdown) {
    caf::anon_send_exit(who, why);
    settle();
  }

  /// Asks, and goes on; the answer may come later.
  template <class T, class Handle, class Question>
  std::shared_ptr<answer<T>> asks(const Handle& whom, Question question) {
    auto out = std::make_shared<answer<T>>();
    system_.spawn([=](caf::event_based_actor* self) {
      self->request(whom, caf::infinite, question)
          .then([out](const T& x) { out->value = x; }, [out](const caf::error&) { out->failed = true; });
    });
    settle();
    return out;
  }

  /// The actor is still there.
  static bool runs(const caf::weak_actor_ptr& who) {
    auto strong = caf::actor_cast<caf::strong_actor_ptr>(who);
    return strong && !caf::actor_cast<caf::abstract_actor*>(strong)->getf(caf::abstract_actor::is_terminated_flag);
  }

  /// Stands in for a supervisor; decides nothing by itself.
  supervising_actor overseer(std::shared_ptr<std::vector<failure>> failures) {
    return system_.spawn([failures](supervising_actor::pointer) -> supervising_actor::behavior_type {
      return {[failures](const msg::child_failed& x) { failures->push_back({x.child->id(), x.what}); }};
    });
  }

private:
  static caf::actor_system_config& configured(caf::actor_system_config& x) {
    log::set_level("*", log_level::off); // Failures are what these tests are about.
    x.set("scheduler.policy", caf::atom("testing"));
    return x;
  }

  caf::actor_system_config config_;
  caf::actor_system system_;
};

/// An actor that does nothing but fail when told to, and remembers.
using patient_actor = caf::typed_actor<
    // Handles a number; fails with a negative one.
    caf::reacts_to<int>,
    // The same, and says how many it has handled.
    caf::replies_to<int, int>::with<int>, XMPP_SUPERVISED>;

struct patient_history {
  int begun = 0, restarted = 0;
  std::vector<int> handled; ///< Since the last restart.
  std::vector<std::string> stopped;
  std::function<bool(const caf::mailbox_element&)> must_wait;
  bool fails_to_begin = false;
};

class patient final : public supervised<patient_actor> {
public:
  patient(caf::actor_config& cfg, caf::strong_actor_ptr parent, std::shared_ptr<patient_history> history)
      : supervised(cfg, actor_kind::hasher, std::move(parent)), history_(std::move(history)) {}

  behavior_type make_behavior() override {
    begin({}, "patient");
    ++history_->begun;
    if (history_->fails_to_begin)
      throw std::runtime_error("does not begin");
    return {
        [this](int x) { handle(x); },
        [this](int x, int) {
          handle(x);
          return int(history_->handled.size());
        },
        [this](const msg::verdict& x) { decide(x); },
        [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
        [this](const msg::describe&) { return describe(); },
    };
  }

protected:
  void restart() override {
    ++history_->restarted;
    history_->handled.clear();
  }
  bool must_wait(caf::mailbox_element& x) override { return history_->must_wait && history_->must_wait(x); }
  void on_stop(const std::string& reason) override { history_->stopped.push_back(reason); }
  msg::description describe() const override { return {{{"handled", std::to_string(history_->handled.size())}}}; }

private:
  void handle(int x) {
    if (x < 0)
      throw std::runtime_error("told to fail with " + std::to_string(x));
    history_->handled.push_back(x);
  }

  std::shared_ptr<patient_history> history_;
};

} // namespace xmpp::test
