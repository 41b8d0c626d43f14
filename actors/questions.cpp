#include "actors/questions.hpp"

#include <utility>

namespace xmpp {

namespace control = cluster::control;

namespace {

constexpr auto patience = std::chrono::minutes{1};

} // namespace

questions::answered questions::ask(cluster::node_id to, control::question what, std::string_view bytes) {
  auto promise = std::promise<result<std::string>>{};
  auto out = promise.get_future();
  auto request = std::uint64_t{0};
  {
    auto guard = std::lock_guard{mutex_};
    forget_old();
    if (waiting_.size() >= waiting_max) {
      promise.set_value(error{errc::resource_constraint, "too many questions wait for an answer"});
      return out;
    }
    request = ++last_request_;
    waiting_.emplace(request, waiting{to, std::chrono::steady_clock::now(), std::move(promise)});
  }
  auto frame = std::string{};
  auto why = control::append(frame, control::ask{request, what, bytes});
  if (why && !send_(to, frame))
    why = error{errc::remote_server_not_found, "there is no link to it just now"};
  if (why)
    return out;
  auto guard = std::lock_guard{mutex_};
  if (auto found = waiting_.extract(request))
    found.mapped().to.set_value(why.error());
  return out;
}

void questions::forget_old() {
  auto now = std::chrono::steady_clock::now();
  while (!waiting_.empty() && waiting_.begin()->second.since + patience < now)
    waiting_.extract(waiting_.begin()).mapped().to.set_value(error{errc::timeout, "it does not answer"});
}

void questions::set_answerer(answerer x) {
  auto guard = std::lock_guard{mutex_};
  answerer_ = std::move(x);
}

void questions::on_ask(cluster::node_id from, const control::ask& x) {
  auto answers = answerer{};
  {
    auto guard = std::lock_guard{mutex_};
    answers = answerer_;
  }
  if (x.what != control::question::shell)
    return answer(from, x.request, error{errc::feature_not_implemented, "this release does not know such a question"});
  if (!answers)
    return answer(from, x.request, error{errc::service_unavailable, "this node is just starting or ending"});
  answer(from, x.request, answers(from, x.bytes));
}

void questions::on_answer(cluster::node_id from, const control::answer& x) {
  auto guard = std::lock_guard{mutex_};
  auto i = waiting_.find(x.request);
  if (i == waiting_.end() || i->second.who != from)
    return;
  auto found = waiting_.extract(i);
  found.mapped().to.set_value(x.failure == errc::none ? result<std::string>{std::string{x.bytes}}
                                                      : result<std::string>{error{x.failure, std::string{x.bytes}}});
}

void questions::on_unreadable(cluster::node_id from, std::string_view frame) {
  static const auto ask_number = static_cast<char>(control::message{control::ask{}}.index() + 1);
  if (auto request = control::request_of(frame); request != 0 && frame.front() == ask_number)
    answer(from, request, error{errc::feature_not_implemented, "this release does not know such a question"});
}

void questions::on_down(cluster::node_id peer) {
  auto guard = std::lock_guard{mutex_};
  for (auto i = waiting_.begin(); i != waiting_.end();)
    if (auto here = i++; here->second.who == peer)
      waiting_.extract(here).mapped().to.set_value(error{errc::timeout, "the link to it broke"});
}

void questions::answer(cluster::node_id to, std::uint64_t request, const result<std::string>& how) {
  auto frame = std::string{};
  auto said = how ? control::append(frame, control::answer{request, errc::none, *how})
                  : control::append(frame, control::answer{request, how.code(), how.error().text});
  if (!said)
    said = control::append(frame, control::answer{request, errc::policy_violation, "the answer is too long"});
  if (said)
    (void)send_(to, frame); // Else its link is down, and whoever asked is told that.
}

} // namespace xmpp
