#include "cluster/proposals.hpp"

#include <utility>

namespace xmpp::cluster {

void proposals::end_all(const error& why) {
  for (auto& [request, one] : std::exchange(asked_, {}))
    one.done(why);
  for (auto& one : submitted_)
    std::exchange(one.done, [](auto&) {})(why);
}

std::optional<std::uint64_t> proposals::ask(answer done, std::uint64_t now_ms) {
  if (asked_.size() >= under_way_max) {
    done(error{errc::resource_constraint, "too many changes are under way"});
    return {};
  }
  auto request = ++last_request_;
  asked_[request] = {std::move(done), now_ms + wait_ms};
  return request;
}

void proposals::answered(std::uint64_t request, const result<applied>& outcome) {
  if (auto found = asked_.extract(request))
    found.mapped().done(outcome);
}

void proposals::end_late(std::uint64_t now_ms) {
  while (!asked_.empty() && asked_.begin()->second.due_ms <= now_ms)
    asked_.extract(asked_.begin())
        .mapped()
        .done(error{errc::timeout, "the system group's leader does not answer: the outcome is unknown"});
}

void proposals::submitted(std::uint64_t number, const applied& outcome, state ahead, answer done) {
  submitted_.push_back({number, outcome, std::move(done)});
  ahead_ = std::move(ahead);
}

void proposals::committed(std::uint64_t number, errc failure) {
  if (submitted_.empty() || submitted_.front().number != number)
    return;
  auto one = std::move(submitted_.front());
  submitted_.pop_front();
  if (failure != errc::none || submitted_.empty())
    ahead_.reset(); // What stands on what was not committed is not committed either.
  if (failure == errc::none)
    one.done(one.outcome);
  else
    one.done(error{failure, "the system group has not committed it"});
}

} // namespace xmpp::cluster
