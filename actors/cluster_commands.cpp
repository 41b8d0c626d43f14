#include "actors/cluster_commands.hpp"

#include "actors/config_options.hpp"
#include "actors/fake_keys.hpp"
#include "actors/store_accounts.hpp"
#include "actors/version.hpp"
#include "cluster/founding.hpp"

#include <chrono>
#include <vector>

namespace xmpp {
namespace {

result<cluster::new_node> node_of(const config& options) {
  auto says = announcement_of(options);
  if (!says)
    return says.error();
  using namespace std::chrono;
  auto out = cluster::new_node{};
  out.data_folder = options.server.data_folder;
  out.store = options_of_store(options);
  out.says = *std::move(says);
  out.now_ms = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  return out;
}

std::string how_to_start(const as_typed& typed) {
  return "Start it (where it is a service: systemctl start troupe):\n\n    " + typed("serve") + "\n";
}

} // namespace

result<cluster::announcement> announcement_of(const config& options) {
  auto& from = options.cluster;
  auto out = cluster::announcement{};
  out.addresses = from.addresses;
  if (out.addresses.empty()) {
    auto where = parse_endpoint(from.listen);
    if (!where || is_wildcard(*where))
      return error{errc::bad_request, "cluster.addresses is empty, and cluster.listen = " + in_quotes(from.listen) +
                                          " is every address of this machine: name in cluster.addresses those by "
                                          "which the other nodes reach it, such as [\"192.0.2.1:5292\"]"};
    out.addresses = {from.listen};
  }
  if (out.addresses.size() > cluster::addresses_max)
    return error{errc::bad_request, "cluster.addresses has " + std::to_string(out.addresses.size()) +
                                        " addresses; the most are " + std::to_string(cluster::addresses_max)};
  out.client_address = from.client_address;
  out.version = version_text;
  if (!from.zone.empty())
    out.labels["zone"] = from.zone;
  return out;
}

result<std::string> cluster_init(const config& options, const as_typed& typed) {
  auto node = node_of(options);
  if (!node)
    return node.error();
  auto hosts = std::vector<std::string>{};
  for (auto& one : options.hosts)
    hosts.push_back(one.name);
  auto done = cluster::found(*node, hosts);
  if (!done)
    return done.error();
  return "This server is now the first node of cluster " + done->system.id + ". All its accounts are still there.\n\n" +
         how_to_start(typed) + "\nThen let another node in; this prints a token for it:\n\n    " +
         typed("cluster invite") + "\n";
}

result<std::string> cluster_join(const config& options, std::string_view token, const std::string& replaces,
                                 const as_typed& typed) {
  auto parsed = cluster::join_token::parse(token);
  if (!parsed)
    return error{errc::bad_request, "this is no join token: " + parsed.why()};
  auto node = node_of(options);
  if (!node)
    return node.error();
  auto order = cluster::join_order{};
  order.token = *std::move(parsed);
  order.replaces = replaces;
  order.seeds = options.cluster.seeds;
  order.keeps = [&](std::string_view shared) { return keep_fake_keys(options.server.data_folder, shared); };
  auto done = cluster::join_cluster(*node, order);
  if (!done)
    return done.error();
  return "This server is now a node of cluster " + cluster::id_text(done->self.cluster) +
         (replaces.empty() ? "" : ", in the place of node " + replaces) + ".\n\n" + how_to_start(typed) +
         "\nIt gets its part of all accounts from the others, by itself. How far that is:\n\n    " +
         typed("cluster status") + "\n";
}

} // namespace xmpp
