#include "actors/shell/remote_run.hpp"

#include <atomic>
#include <cstdlib>
#include <utility>

namespace xmpp::shell {

namespace {

std::int64_t clock_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

/// A process that begins anew must not take up the numbers of the one before, which may still count there.
std::uint64_t next_number() {
  static auto next = std::atomic<std::uint64_t>{std::uint64_t(clock_us())};
  return next++;
}

} // namespace

remote_run::remote_run(shell_backend& at, cluster::node_id node, remote_task task, const client_hello& as,
                       std::string text)
    : at_(at), node_(node), number_(next_number()) {
  if (text.size() > remote_text_bytes_max)
    end({errc::policy_violation, "the line is too long for another node"});
  else
    ask({.what = remote_kind::begin, .run = number_, .task = task, .client = as, .text = std::move(text)});
}

remote_run::~remote_run() {
  if (!is_over_)
    (void)at_.ask_node(node_, encode(remote_step{.what = remote_kind::stop, .run = number_}));
}

void remote_run::ask(const remote_step& what) {
  asked_ = at_.ask_node(node_, encode(what));
  asked_at_ = clock::now();
  asked_at_us_ = clock_us();
}

void remote_run::tell(remote_kind what, std::string text) {
  to_tell_.push_back({.what = what, .run = number_, .text = std::move(text)});
}

std::vector<frame> remote_run::poll() {
  auto out = std::vector<frame>{};
  if (is_over_)
    return out;
  if (asked_.wait_for(std::chrono::seconds{0}) != std::future_status::ready) {
    if (clock::now() - asked_at_ > patience)
      end({errc::remote_server_timeout, "it does not answer"});
    return out;
  }
  auto answer = asked_.get();
  if (!answer) {
    end(answer.error());
    return out;
  }
  read(*answer, out);
  if (is_over_)
    return out;
  auto next = remote_step{.what = remote_kind::more, .run = number_};
  if (!to_tell_.empty()) {
    next = std::move(to_tell_.front());
    to_tell_.pop_front();
  }
  ask(next);
  return out;
}

void remote_run::read(const std::string& bytes, std::vector<frame>& to) {
  auto answer = decode_remote_answer(bytes);
  if (!answer)
    return end({errc::unsupported_version, "its answer cannot be read: it is of another release"});
  auto now_us = clock_us();
  if (auto took_us = now_us - asked_at_us_; took_us >= 0 && (round_trip_us_ < 0 || took_us < round_trip_us_)) {
    round_trip_us_ = took_us;
    offset_us_ = answer->clock_us - (asked_at_us_ + took_us / 2);
  }
  for (auto& one : answer->frames) {
    if (one.type != frame_type::done) {
      to.push_back(std::move(one));
      continue;
    }
    is_over_ = true;
    status_ = one.payload.size() == 1 ? int(static_cast<unsigned char>(one.payload[0])) : 1;
  }
}

void remote_run::end(error why) {
  is_over_ = true;
  failure_ = std::move(why);
}

std::int64_t remote_run::clock_offset_us() const noexcept {
  return std::abs(offset_us_) > round_trip_us_ / 2 ? offset_us_ : 0;
}

} // namespace xmpp::shell
