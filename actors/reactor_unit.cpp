#include "actors/reactor_unit.hpp"

#include <caf/scheduler/abstract_coordinator.hpp>

#include <pthread.h>

namespace xmpp {

namespace {
thread_local reactor_unit* current_unit = nullptr;
}

reactor_unit::reactor_unit(caf::actor_system& system) : execution_unit(&system), loop_(this) {}

reactor_unit::~reactor_unit() {
  stop();
}

reactor_unit* reactor_unit::current() noexcept {
  return current_unit;
}

void reactor_unit::start(const char* name) {
  thread_ = std::thread{[this, name] {
    pthread_setname_np(pthread_self(), name);
    current_unit = this;
    loop_.run();
    current_unit = nullptr;
  }};
}

void reactor_unit::stop() {
  if (!thread_.joinable())
    return;
  loop_.stop();
  loop_.wake();
  thread_.join();
  while (!jobs_.empty()) {
    system().scheduler().enqueue(jobs_.front());
    jobs_.pop_front();
  }
}

bool reactor_unit::run_slice() {
  for (auto i = std::size_t{0}; i < jobs_per_slice && !jobs_.empty(); ++i) {
    auto* job = jobs_.front();
    jobs_.pop_front();
    switch (job->resume(this, messages_per_job)) {
    case caf::resumable::resume_later:
      jobs_.push_back(job);
      break;
    case caf::resumable::done:
    case caf::resumable::awaiting_message:
      caf::intrusive_ptr_release(job);
      break;
    case caf::resumable::shutdown_execution_unit:
      jobs_.clear();
      break;
    }
  }
  return !jobs_.empty();
}

} // namespace xmpp
