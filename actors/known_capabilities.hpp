// What clients can do, by their capabilities' hash (XEP-0115): what one of them has proved counts for all that say the
// same.
#pragma once

#include "protocol/caps.hpp"

#include <mutex>
#include <string_view>

namespace xmpp {

/// `caps_cache` for all sessions of a node.
class known_capabilities {
public:
  caps_cache::features find(std::string_view ver) {
    auto guard = std::lock_guard{mutex_};
    return verified_.find(ver);
  }
  result<caps_cache::features> add(const element& query, std::string_view hash, std::string_view ver) {
    auto guard = std::lock_guard{mutex_};
    return verified_.add(query, hash, ver);
  }

private:
  std::mutex mutex_;
  caps_cache verified_;
};

} // namespace xmpp
