#include "actors/supervisor.hpp"

#include "actors/log.hpp"

#include <algorithm>
#include <utility>

namespace xmpp {

namespace {

using describing_actor = caf::typed_actor<caf::replies_to<msg::describe>::with<msg::description>>;

} // namespace

supervisor::supervisor(caf::actor_config& cfg, caf::strong_actor_ptr parent, actor_kind kind, std::string name,
                       std::vector<child> children, restart_options options)
    : supervised(cfg, kind, std::move(parent)), name_(std::move(name)), options_(options) {
  for (auto& one : children)
    children_.push_back({std::move(one), nullptr});
  set_down_handler([this](caf::down_msg& x) {
    auto i = std::find_if(children_.begin(), children_.end(),
                          [&](const running& r) { return r.actor && r.actor->address() == x.source; });
    if (i == children_.end() || stopping_)
      return;
    i->actor = nullptr;
    child_failed(std::size_t(i - children_.begin()), to_string(x.reason));
  });
}

supervisor::behavior_type supervisor::make_behavior() {
  begin({}, name_);
  start_rest();
  return {
      [this](const msg::child_failed& x) {
        auto i = std::find_if(children_.begin(), children_.end(), [&](const running& r) { return r.actor == x.child; });
        if (i != children_.end())
          child_failed(std::size_t(i - children_.begin()), x.what);
        else if (auto temporary = caf::actor_cast<supervised_actor>(x.child)) {
          log::warning("supervisor.stopped_child", {{"supervisor", name_}, {"child", x.child->id()}, {"what", x.what}});
          send(temporary, msg::verdict{msg::decision::stop});
        }
      },
      [this](const msg::child_due& x) {
        auto [first, last] = affected(options_.how, x.index, started_);
        for (auto i = first; i < last; ++i)
          restart_child(i, i != x.index);
      },
      [this](const msg::verdict& x) { decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [this](const msg::describe&) { return describe(); },
  };
}

void supervisor::child_failed(std::size_t index, const std::string& what) {
  log::error("supervisor.child_failed", {{"supervisor", name_}, {"child", children_[index].spec.name}, {"what", what}});
  auto wait = history_.failed(std::chrono::steady_clock::now(), options_);
  if (!wait)
    throw std::runtime_error("too many failures below " + name_ + ", the last: " + children_[index].spec.name + ": " +
                             what);
  if (wait->count() == 0)
    send(this, msg::child_due{index});
  else
    delayed_send(this, *wait, msg::child_due{index});
}

void supervisor::restart_child(std::size_t index, bool also_if_running) {
  auto& one = children_[index];
  if (!one.actor)
    start_child(index);
  else
    send(caf::actor_cast<supervised_actor>(one.actor), msg::verdict{msg::decision::restart, also_if_running});
}

void supervisor::start_child(std::size_t index) {
  auto& one = children_[index];
  one.actor = one.spec.start(*this);
  monitor(caf::actor_cast<caf::actor_addr>(one.actor));
  if (one.spec.comes_first && index + 1 == started_ && started_ < children_.size())
    request(caf::actor_cast<describing_actor>(one.actor), caf::infinite, msg::describe{})
        .then(
            [this, index](const msg::description&) {
              if (index + 1 == started_ && !stopping_)
                start_rest();
            },
            [](const caf::error&) {}); // It is gone; what is started in its place is asked again.
}

/// Up to the next one that has to begin before others.
void supervisor::start_rest() {
  while (started_ < children_.size()) {
    auto index = started_++;
    start_child(index);
    if (children_[index].spec.comes_first)
      return;
  }
}

void supervisor::restart() {
  history_ = {};
  for (auto i = std::size_t{0}; i < started_; ++i)
    restart_child(i, true);
}

void supervisor::on_stop(const std::string&) {
  stopping_ = true;
  for (auto i = children_.rbegin(); i != children_.rend(); ++i)
    if (auto child = std::exchange(i->actor, nullptr))
      send_exit(caf::actor_cast<caf::actor>(child), caf::exit_reason::user_shutdown);
}

void supervisor::on_exit_message(caf::exit_msg& x) {
  on_stop({});
  quit(std::move(x.reason));
}

msg::description supervisor::describe() const {
  auto result = msg::description{};
  result.fields = {{"name", name_},
                   {"strategy", options_.how == strategy::one_for_one    ? "one for one"
                                : options_.how == strategy::rest_for_one ? "rest for one"
                                                                         : "one for all"},
                   {"intensity", std::to_string(options_.restarts_max) + " restarts in " +
                                     std::to_string(options_.period.count() / 1000) + " s"}};
  for (auto& one : children_)
    result.fields.emplace_back("child",
                               one.spec.name + (one.actor ? " #" + std::to_string(one.actor->id()) : " (waits)"));
  return result;
}

} // namespace xmpp
