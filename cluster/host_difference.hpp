// HOST DIFFERENCE: a node serves the hosts of its own configuration, and all nodes have to serve the same: those that
// the system group has agreed on. What is otherwise is told, and for people to mend.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace xmpp::cluster {

struct host_difference {
  std::vector<std::string> missing;  ///< Agreed on, and not served here.
  std::vector<std::string> too_many; ///< Served here, and not agreed on.

  bool empty() const noexcept { return missing.empty() && too_many.empty(); }
  /// `does not serve a.example; serves b.example, which is not agreed on`; of many, the first few by name. Empty: there
  /// is none.
  std::string text() const;

  friend bool operator==(const host_difference&, const host_difference&) = default;
};

host_difference compare_hosts(const std::set<std::string>& agreed, const std::set<std::string>& served);

/// `a, b, c and 4 more`.
std::string some_of(const std::vector<std::string>& hosts);

} // namespace xmpp::cluster
