// A value, or the words that say why there is none.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace xmpp::net {

/// Why a call failed, for a log or a human: what was tried, on what, and the system's reason. Never secret.
struct failure {
  std::string text;
};

/// What set-up calls return: a value or a failure. (On the path of bytes, small enumerations are used instead.)
template <class T>
class [[nodiscard]] outcome {
public:
  outcome(T value) : value_(std::move(value)) {}
  outcome(failure why) : why_(std::move(why.text)) {}

  explicit operator bool() const noexcept { return value_.has_value(); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  /// Empty when there is a value.
  const std::string& why() const noexcept { return why_; }

private:
  std::optional<T> value_;
  std::string why_;
};

/// Success or a failure.
template <>
class [[nodiscard]] outcome<void> {
public:
  outcome() = default;
  outcome(failure why) : why_(std::move(why.text)), failed_(true) {}

  explicit operator bool() const noexcept { return !failed_; }
  const std::string& why() const noexcept { return why_; }

private:
  std::string why_;
  bool failed_ = false;
};

} // namespace xmpp::net
