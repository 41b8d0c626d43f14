#include "net/reactor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace xmpp::net {

namespace {

thread_local reactor* current_reactor = nullptr;

constexpr auto fine_ms = 1u;
constexpr auto fine_slots = 4096u;
constexpr auto fine_delay_ms_max = 2000u;
constexpr auto coarse_ms = 250u;
constexpr auto coarse_slots = 1024u;
// The bit of a timer's id that names its wheel; a wheel never has so many timers.
constexpr auto coarse_bit = timer_id{1} << 31;

} // namespace

struct reactor::batch {
  std::array<epoll_event, 256> events;
  int next = 0;
  int count = 0;
};

std::uint64_t reactor::steady_ms() noexcept {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

reactor::reactor(work* to_do, clock_ms clock)
    : work_(to_do), clock_(clock), now_ms_(clock()), fine_(fine_ms, fine_slots, now_ms_),
      coarse_(coarse_ms, coarse_slots, now_ms_), scratch_(new char[2 * scratch_bytes]), batch_(new batch) {
  epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0)
    throw std::system_error(errno, std::generic_category(), "epoll_create1");
  event_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Edge-triggered, so that nobody ever has to read the counter: each write is one event.
  auto event = epoll_event{};
  event.events = EPOLLIN | EPOLLET;
  if (event_fd_ < 0 || ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd_, &event) != 0) {
    auto code = errno;
    ::close(epoll_fd_);
    if (event_fd_ >= 0)
      ::close(event_fd_);
    throw std::system_error(code, std::generic_category(), "eventfd");
  }
}

reactor::~reactor() {
  for (auto i = std::size_t{0}; i < guests_.size(); ++i)
    if (auto who = std::move(guests_[i]))
      who->on_reactor_end();
  ::close(event_fd_);
  ::close(epoll_fd_);
}

reactor* reactor::current() noexcept {
  return current_reactor;
}

void reactor::run() {
  while (!stopping_.load(std::memory_order_acquire))
    turn(-1);
}

void reactor::turn(int wait_max_ms) {
  struct scope {
    reactor* before;
    ~scope() { current_reactor = before; }
  } restore{std::exchange(current_reactor, this)};
  auto wait = wait_ms(wait_max_ms);
  auto expected = std::uint32_t{running};
  if (wait != 0 && !state_.compare_exchange_strong(expected, sleeping, std::memory_order_acq_rel))
    wait = 0; // Woken since the last turn's work began.
  auto count = ::epoll_wait(epoll_fd_, batch_->events.data(), static_cast<int>(batch_->events.size()), wait);
  // Before any work is looked for: a wake from here on is kept for the next turn.
  state_.exchange(running, std::memory_order_acq_rel);
  now_ms_ = clock_();
  turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  dispatch(count);
  fine_.advance(now_ms_);
  coarse_.advance(now_ms_);
  if (has_posted_.load(std::memory_order_acquire))
    run_posted();
  more_work_ = work_ != nullptr && work_->run_slice();
  end_turn();
}

int reactor::wait_ms(int wait_max_ms) const noexcept {
  if (more_work_ || wait_max_ms == 0 || has_posted_.load(std::memory_order_acquire))
    return 0;
  auto wait = std::int64_t{wait_max_ms};
  auto now = now_ms_;
  if (fine_.size() + coarse_.size() > 0) {
    now = clock_(); // A turn may have taken long.
    for (auto quiet : {fine_.quiet_ms(now), coarse_.quiet_ms(now)})
      if (quiet >= 0 && (wait < 0 || quiet < wait))
        wait = quiet;
  }
  return static_cast<int>(std::min<std::int64_t>(wait, 3'600'000));
}

void reactor::dispatch(int count) {
  if (count <= 0)
    return; // EINTR, or nothing.
  events_.store(events_.load(std::memory_order_relaxed) + static_cast<unsigned>(count), std::memory_order_relaxed);
  batch_->count = count;
  for (batch_->next = 0; batch_->next < batch_->count;) {
    auto& event = batch_->events[static_cast<std::size_t>(batch_->next++)];
    if (event.data.ptr != nullptr)
      static_cast<handler*>(event.data.ptr)->on_ready(event.events);
  }
  batch_->count = 0;
}

void reactor::run_posted() {
  auto functions = std::vector<std::function<void()>>{};
  {
    auto guard = std::lock_guard{posted_mutex_};
    functions.swap(posted_);
    has_posted_.store(false, std::memory_order_release);
  }
  for (auto& function : functions)
    function();
}

void reactor::end_turn() {
  // Indices, since what is called may add to the lists.
  for (auto i = std::size_t{0}; i < to_flush_.size(); ++i) {
    auto who = std::move(to_flush_[i]);
    who->flush_now();
  }
  to_flush_.clear();
  for (auto i = std::size_t{0}; i < retired_.size(); ++i)
    auto last = std::move(retired_[i]);
  retired_.clear();
}

void reactor::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void reactor::wake() noexcept {
  // Always a read-modify-write: it orders what the caller did before against the loop's own exchange.
  if (state_.exchange(notified, std::memory_order_acq_rel) != sleeping)
    return;
  wake_writes_.fetch_add(1, std::memory_order_relaxed);
  auto one = std::uint64_t{1};
  [[maybe_unused]] auto written = ::write(event_fd_, &one, sizeof one);
}

void reactor::post(std::function<void()> function) {
  {
    auto guard = std::lock_guard{posted_mutex_};
    posted_.push_back(std::move(function));
    has_posted_.store(true, std::memory_order_release);
  }
  wake();
}

bool reactor::add(int fd, std::uint32_t events, handler* receiver) noexcept {
  auto event = epoll_event{};
  event.events = events;
  event.data.ptr = receiver;
  return ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void reactor::modify(int fd, std::uint32_t events, handler* receiver) noexcept {
  auto event = epoll_event{};
  event.events = events;
  event.data.ptr = receiver;
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
}

void reactor::remove(int fd, handler* receiver) noexcept {
  auto event = epoll_event{};
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, &event);
  for (auto i = batch_->next; i < batch_->count; ++i)
    if (auto& pending = batch_->events[static_cast<std::size_t>(i)]; pending.data.ptr == receiver)
      pending.data.ptr = nullptr;
}

timer_id reactor::set_timer(std::uint64_t delay_ms, timed* target, std::uint32_t tag) {
  if (delay_ms <= fine_delay_ms_max)
    return fine_.set(now_ms_, delay_ms, target, tag);
  return coarse_.set(now_ms_, delay_ms, target, tag) | coarse_bit;
}

bool reactor::cancel_timer(timer_id id) noexcept {
  return (id & coarse_bit) != 0 ? coarse_.cancel(id & ~coarse_bit) : fine_.cancel(id);
}

std::uint32_t reactor::keep(std::shared_ptr<guest> who) {
  if (free_places_.empty()) {
    guests_.push_back(std::move(who));
    // So that `retire` never has to allocate.
    free_places_.reserve(guests_.capacity());
    return static_cast<std::uint32_t>(guests_.size() - 1);
  }
  auto place = free_places_.back();
  free_places_.pop_back();
  guests_[place] = std::move(who);
  return place;
}

void reactor::retire(std::uint32_t place) {
  retired_.push_back(std::move(guests_[place]));
  free_places_.push_back(place);
}

void reactor::flush_later(std::shared_ptr<guest> who) {
  to_flush_.push_back(std::move(who));
}

reactor::counters reactor::count() const noexcept {
  return {turns_.load(std::memory_order_relaxed), events_.load(std::memory_order_relaxed),
          wake_writes_.load(std::memory_order_relaxed)};
}

} // namespace xmpp::net
