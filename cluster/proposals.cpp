#include "cluster/proposals.hpp"

#include <algorithm>
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

std::optional<state> proposals::committed(std::uint64_t number, errc failure) {
  auto found = std::ranges::find(submitted_, number, &ticket::number);
  if (found == submitted_.end())
    return {};
  auto one = std::move(*found);
  submitted_.erase(found);
  if (failure != errc::none)
    ahead_.reset(); // What stands on what was not committed is not committed either.
  auto agreed = submitted_.empty() ? std::exchange(ahead_, {}) : std::nullopt;
  if (failure == errc::none)
    one.done(one.outcome);
  else
    one.done(error{failure, "the system group has not committed it"});
  return agreed;
}

} // namespace xmpp::cluster
