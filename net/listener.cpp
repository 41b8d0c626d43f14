#include "net/listener.hpp"

#include <sys/epoll.h>

namespace xmpp::net {

namespace {

constexpr auto accepts_per_turn_max = 64;
constexpr auto out_of_files_wait_ms = 200;

} // namespace

listener::listener(reactor& home, unique_fd listening, accept_limiter* limiter, on_accept accepted,
                   std::function<void()> refused)
    : home_(home), fd_(std::move(listening)), limiter_(limiter), accepted_(std::move(accepted)),
      refused_(std::move(refused)) {
  is_watched_ = home_.add(fd_.get(), EPOLLIN, this);
}

listener::~listener() {
  if (is_watched_)
    home_.remove(fd_.get(), this);
  home_.cancel_timer(timer_);
}

void listener::on_ready(std::uint32_t) {
  auto next = accepted{};
  for (auto i = 0; i < accepts_per_turn_max; ++i) {
    switch (accept(fd_.get(), next)) {
    case accept_status::accepted:
      if (limiter_ != nullptr && limiter_->admit(next.peer, home_.now_ms()) != accept_limiter::verdict::admitted) {
        ++count_.refused;
        next.fd.reset();
        if (refused_)
          refused_();
        break;
      }
      ++count_.accepted;
      accepted_(std::move(next.fd), next.peer);
      break;
    case accept_status::try_next:
      break;
    case accept_status::nothing:
      return;
    case accept_status::out_of_files:
    case accept_status::failed:
      // Level-triggered, the socket would wake us without end; what waits stays in the kernel's backlog.
      ++count_.out_of_files;
      home_.modify(fd_.get(), 0, this);
      timer_ = home_.set_timer(out_of_files_wait_ms, this);
      return;
    }
  }
}

void listener::on_timer(std::uint32_t) {
  home_.modify(fd_.get(), EPOLLIN, this);
}

} // namespace xmpp::net
