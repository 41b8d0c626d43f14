// `troupe check` of a node among others: its identity, where it listens, how others reach it, and it them.

#include "actors/check.hpp"
#include "actors/cluster_commands.hpp"
#include "cluster/discovery.hpp"
#include "cluster/founding.hpp"
#include "cluster/host_difference.hpp"
#include "net/authority.hpp"
#include "net/socket.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>
#include <poll.h>
#include <set>
#include <sys/socket.h>
#include <utility>

namespace xmpp {
namespace {

using grade = finding::grade;

constexpr auto connect_ms = 1'500;

std::string date(std::int64_t at_s) {
  auto seconds = static_cast<std::time_t>(at_s);
  auto parts = std::tm{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts)};
}

/// Of the members that were known last, without this one.
std::vector<cluster::member_addresses> others_of(const std::filesystem::path& folder, cluster::node_id self) {
  auto out = std::vector<cluster::member_addresses>{};
  if (auto agreed = cluster::load_agreed(folder); agreed && *agreed) {
    for (auto& [id, one] : (*agreed)->members)
      if (id != self && one.is != cluster::standing::gone)
        out.push_back({id, one.says.addresses});
    return out;
  }
  if (auto known = cluster::load_members(folder))
    for (auto& one : *known)
      if (one.node != self)
        out.push_back(one);
  return out;
}

/// How many of these accept a connection at some address; all are tried at once.
std::size_t count_answering(const std::vector<cluster::member_addresses>& members) {
  struct attempt {
    std::size_t member;
    net::unique_fd fd;
  };
  auto attempts = std::vector<attempt>{};
  for (auto i = std::size_t{0}; i < members.size(); ++i)
    for (auto& text : members[i].addresses)
      if (auto address = parse_address(text))
        if (auto fd = net::connect(*address))
          attempts.push_back({i, *std::move(fd)});
  auto answers = std::vector<bool>(members.size());
  auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds{connect_ms};
  for (auto& one : attempts) {
    using namespace std::chrono;
    auto left_ms = duration_cast<milliseconds>(until - steady_clock::now()).count();
    auto watched = pollfd{one.fd.get(), POLLOUT, 0};
    auto code = 0;
    auto bytes = socklen_t{sizeof code};
    if (::poll(&watched, 1, left_ms > 0 ? int(left_ms) : 0) == 1 &&
        ::getsockopt(one.fd.get(), SOL_SOCKET, SO_ERROR, &code, &bytes) == 0 && code == 0)
      answers[one.member] = true;
  }
  return std::size_t(std::count(answers.begin(), answers.end(), true));
}

finding identity_of(const cluster::identity& self, std::int64_t now_s) {
  auto subject = "cluster " + cluster::id_text(self.cluster);
  auto certificate = net::read_certificate(self.certificate);
  auto until_s = certificate ? certificate->until_s : 0;
  if (certificate && now_s < certificate->from_s)
    return {grade::wrong, subject, "this node's certificate is valid only from " + date(certificate->from_s),
            "set the clock right"};
  if (now_s >= until_s)
    return {
        grade::warning, subject, "this node's certificate expired on " + date(until_s),
        "start the server: it renews it by itself, unless it was removed from the cluster or knows nothing of it yet"};
  return {grade::good,
          subject,
          "this is node " + cluster::id_text(self.node) + "; its certificate is good until " + date(until_s) +
              " and renewed by itself",
          {}};
}

finding port_of(const config& options) {
  auto& text = options.cluster.listen;
  auto address = parse_address(text);
  auto fd = address ? net::listen(*address) : net::outcome<net::unique_fd>{net::failure{address.error().text}};
  if (fd)
    return {grade::good, "port " + text, "is free", {}};
  return {grade::wrong, "port " + text, fd.why(),
          "stop whatever uses it (ss -ltnp shows it), or choose another in cluster.listen"};
}

finding addresses_of(const config& options) {
  auto says = announcement_of(options);
  if (!says)
    return {grade::wrong, "cluster.addresses", says.error().text, "name those by which the other nodes reach this one"};
  auto all = std::string{};
  auto is_loopback = true;
  for (auto& one : says->addresses) {
    all += (all.empty() ? "" : ", ") + one;
    auto address = parse_address(one);
    is_loopback &= address && address->is_loopback();
  }
  if (is_loopback)
    return {grade::warning, "cluster.addresses", "only nodes on this machine reach " + all,
            "name an address of this machine in cluster.addresses, unless all nodes run here"};
  return {grade::good, "cluster.addresses", "other nodes reach this one at " + all, {}};
}

finding members_of(const config& options, const cluster::identity& self) {
  auto others = others_of(options.server.data_folder, self.node);
  auto count = std::to_string(others.size());
  if (others.empty())
    return {grade::good, "other nodes", "none is known", {}};
  auto answering = count_answering(others);
  if (answering == 0)
    return {grade::warning, "other nodes", "none of " + count + " answers where it was last",
            "look whether they run and whether a firewall is between; where their addresses have changed, name one in "
            "cluster.seeds"};
  return {grade::good, "other nodes", std::to_string(answering) + " of " + count + " accept connections", {}};
}

/// Nothing when it is not known what is agreed on.
std::optional<finding> hosts_of(const config& options) {
  auto agreed = cluster::load_agreed(options.server.data_folder);
  if (!agreed || !*agreed)
    return std::nullopt;
  auto served = std::set<std::string>{};
  for (auto& one : options.hosts)
    served.insert(one.name);
  auto found = cluster::compare_hosts((*agreed)->hosts, served);
  if (found.empty())
    return finding{grade::good, "cluster hosts", "are those that the nodes have agreed on", {}};
  return finding{grade::warning, "cluster hosts", "this node " + found.text(),
                 "configure the same hosts on all nodes; where the cluster's list is out of date: troupe cluster hosts "
                 "set HOST..."};
}

} // namespace

std::vector<finding> check_cluster(const config& options, std::int64_t now_s, bool runs) {
  auto out = std::vector<finding>{};
  auto self = cluster::load(options.server.data_folder);
  if (!self) {
    auto file = cluster::identity_file(options.server.data_folder).string();
    out.push_back({grade::wrong, "cluster identity", self.why(),
                   "chmod 600 " + file +
                       " where others may read it; where it is spoilt, move the folder it is in and "
                       "the store away, and let this node join again with --replaces"});
    return out;
  }
  if (!*self || !(*self)->is_member())
    return out;
  out.push_back(identity_of(**self, now_s));
  out.push_back(addresses_of(options));
  for (auto& one : options.cluster.seeds)
    if (auto place = cluster::parse_host_and_port(one))
      if (auto found = cluster::look_up(*place); !found)
        out.push_back({grade::warning, "cluster.seeds", found.why(), "correct the name, or the name server's records"});
  if (auto hosts = hosts_of(options))
    out.push_back(*std::move(hosts));
  if (runs)
    return out; // It has the port; `cluster status` shows who is linked.
  out.push_back(port_of(options));
  out.push_back(members_of(options, **self));
  return out;
}

} // namespace xmpp
