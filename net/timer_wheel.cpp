#include "net/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace xmpp::net {

timer_wheel::timer_wheel(std::uint32_t resolution_ms, std::uint32_t slots, std::uint64_t now_ms)
    : resolution_ms_(resolution_ms), slots_(slots), tick_(now_ms / resolution_ms), heads_(slots, none),
      occupied_(slots / 64) {}

timer_id timer_wheel::set(std::uint64_t now_ms, std::uint64_t delay_ms, timed* target, std::uint32_t tag) {
  auto index = free_;
  if (index == none) {
    index = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
  } else {
    free_ = nodes_[index].next;
  }
  auto& x = nodes_[index];
  x.due_tick = std::max((now_ms + delay_ms + resolution_ms_ - 1) / resolution_ms_, tick_ + 1);
  x.target = target;
  x.tag = tag;
  auto slot = slot_of(x.due_tick);
  x.previous = none;
  x.next = heads_[slot];
  if (x.next != none)
    nodes_[x.next].previous = index;
  heads_[slot] = index;
  occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
  ++size_;
  return (timer_id{x.generation} << 32) | index;
}

bool timer_wheel::cancel(timer_id id) noexcept {
  auto index = static_cast<std::uint32_t>(id);
  if (index >= nodes_.size())
    return false;
  auto& x = nodes_[index];
  if (x.generation != id >> 32 || x.target == nullptr)
    return false;
  auto slot = slot_of(x.due_tick);
  if (x.next != none)
    nodes_[x.next].previous = x.previous;
  if (x.previous != none)
    nodes_[x.previous].next = x.next;
  else if ((heads_[slot] = x.next) == none)
    occupied_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  x.target = nullptr;
  if (++x.generation == 0)
    x.generation = 1;
  x.next = free_;
  free_ = index;
  --size_;
  return true;
}

void timer_wheel::advance(std::uint64_t now_ms) {
  auto until = now_ms / resolution_ms_;
  if (until <= tick_)
    return;
  due_.clear();
  if (size_ > 0) {
    auto span = std::min<std::uint64_t>(until - tick_, slots_);
    for (auto tick = until - span + 1; tick <= until; ++tick)
      collect(slot_of(tick), until);
  }
  tick_ = until;
  // What a timer calls may cancel others that are due, so each is looked up again.
  auto due = std::move(due_);
  for (auto id : due) {
    auto copy = nodes_[static_cast<std::uint32_t>(id)];
    if (cancel(id))
      copy.target->on_timer(copy.tag);
  }
  due_ = std::move(due);
}

void timer_wheel::collect(std::uint32_t slot, std::uint64_t until_tick) {
  for (auto i = heads_[slot]; i != none; i = nodes_[i].next)
    if (nodes_[i].due_tick <= until_tick)
      due_.push_back((timer_id{nodes_[i].generation} << 32) | i);
}

std::int64_t timer_wheel::quiet_ms(std::uint64_t now_ms) const noexcept {
  if (size_ == 0)
    return -1;
  auto due_ms = next_occupied_tick() * resolution_ms_;
  return due_ms > now_ms ? static_cast<std::int64_t>(due_ms - now_ms) : 0;
}

std::uint64_t timer_wheel::next_occupied_tick() const noexcept {
  for (auto tick = tick_ + 1;;) {
    auto slot = slot_of(tick);
    if (auto rest = occupied_[slot / 64] >> (slot % 64); rest != 0)
      return tick + static_cast<std::uint64_t>(std::countr_zero(rest));
    tick += 64 - slot % 64;
  }
}

} // namespace xmpp::net
