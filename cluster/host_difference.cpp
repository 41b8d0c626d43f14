#include "cluster/host_difference.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace xmpp::cluster {

std::string some_of(const std::vector<std::string>& hosts) {
  constexpr auto named_max = std::size_t{3};
  auto out = std::string{};
  for (auto i = std::size_t{0}; i < std::min(hosts.size(), named_max); ++i)
    out += (i == 0 ? "" : ", ") + hosts[i];
  return hosts.size() > named_max ? out + " and " + std::to_string(hosts.size() - named_max) + " more" : out;
}

std::string host_difference::text() const {
  auto out = missing.empty() ? std::string{} : "does not serve " + some_of(missing);
  if (!too_many.empty())
    out += (out.empty() ? "serves " : "; serves ") + some_of(too_many) +
           (too_many.size() == 1 ? ", which is not agreed on" : ", which are not agreed on");
  return out;
}

host_difference compare_hosts(const std::set<std::string>& agreed, const std::set<std::string>& served) {
  auto out = host_difference{};
  std::set_difference(agreed.begin(), agreed.end(), served.begin(), served.end(), std::back_inserter(out.missing));
  std::set_difference(served.begin(), served.end(), agreed.begin(), agreed.end(), std::back_inserter(out.too_many));
  return out;
}

} // namespace xmpp::cluster
