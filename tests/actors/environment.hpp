// A variable of this process's environment for as long as a test needs it.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace xmpp::test {

class environment {
public:
  /// Without a value it is not there.
  environment(const char* name, const char* value) : name_(name) {
    if (auto before = std::getenv(name))
      before_ = before;
    set(value);
  }
  ~environment() { set(before_ ? before_->c_str() : nullptr); }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;

private:
  void set(const char* value) const {
    if (value)
      ::setenv(name_, value, 1);
    else
      ::unsetenv(name_);
  }

  const char* name_;
  std::optional<std::string> before_;
};

} // namespace xmpp::test
