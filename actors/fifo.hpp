// A queue that costs little while it is empty, and whose front goes in constant time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace xmpp {

template <class T>
class fifo {
public:
  bool empty() const noexcept { return first_ == items_.size(); }
  std::size_t size() const noexcept { return items_.size() - first_; }
  T& front() noexcept { return items_[first_]; }
  T& back() noexcept { return items_.back(); }
  auto begin() noexcept { return items_.begin() + first_; }
  auto end() noexcept { return items_.end(); }

  void push_back(T x) { items_.push_back(std::move(x)); }

  T pop_front() {
    auto one = std::move(items_[first_++]);
    if (empty())
      clear();
    else if (first_ > kept_max && first_ > items_.size() / 2) {
      items_.erase(items_.begin(), begin());
      first_ = 0;
    }
    return one;
  }

private:
  static constexpr std::size_t kept_max = 32; ///< Room that an empty one keeps.

  void clear() {
    if (items_.capacity() > kept_max)
      items_ = std::vector<T>{};
    items_.clear();
    first_ = 0;
  }

  std::vector<T> items_;
  std::uint32_t first_ = 0;
};

} // namespace xmpp
