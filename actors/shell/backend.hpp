// What the shell can have done by the server. All else it learns itself, from registry, metrics and trace.
#pragma once

#include "cluster/placement_status.hpp"
#include "cluster/system_state.hpp"
#include "persistence/backup.hpp"
#include "protocol/error.hpp"
#include "protocol/jid.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xmpp {

/// What the system group's leader, who alone can, does for each node to have its share.
struct cluster_rebalancing {
  cluster::node_id leader = 0;    ///< 0: there is none.
  bool is_here = false;           ///< Else nothing was done: ask there.
  std::vector<std::string> begun; ///< What begins now, for people.
  std::size_t under_way = 0;      ///< With that.
};

/// Called from the threads of several shells at once. A call may wait, but for 10 s at most: it then fails with
/// `timeout`. An error's text is shown as it is, after words for its code.
class shell_backend {
public:
  using fields = std::vector<std::pair<std::string, std::string>>; ///< Name and value, in the order to show.

  virtual ~shell_backend() = default;

  // -- accounts; addresses are bare and of a host that is served, else `host_unknown` --
  /// Fails with `conflict` when it exists, `not_acceptable` when the password may not be one.
  virtual result<void> create_account(const jid& account, const std::string& password) = 0;
  /// Fails with `item_not_found`, `not_acceptable`.
  virtual result<void> set_password(const jid& account, const std::string& password) = 0;
  /// Ends its sessions too. Fails with `item_not_found`.
  virtual result<void> remove_account(const jid& account) = 0;
  /// What is known of it, none of it secret: when it was made, how many contacts, stored messages. Fails with
  /// `item_not_found`.
  virtual result<fields> account_info(const jid& account) = 0;
  /// Visits all accounts in the order of their keys until the visitor returns false.
  virtual result<void> for_each_account(const std::function<bool(const jid&)>& visit) = 0;
  /// The hosts that are served, for completion.
  virtual std::vector<std::string> hosts() = 0;

  // -- messages --
  /// A message from the server itself, to a bare or full JID. Fails with `host_unknown`, `service_unavailable` (a
  /// host), `item_not_found` (no such account).
  virtual result<void> send_message(const jid& to, const std::string& text) = 0;
  /// The same to every session that is online; returns to how many.
  virtual result<std::size_t> announce(const std::string& text) = 0;

  // -- the cluster; all fail with `item_not_found` when the node is in none --
  virtual result<cluster::status::report> cluster_status() { return errc::item_not_found; }
  virtual result<std::shared_ptr<const cluster::state>> cluster_state() { return errc::item_not_found; }
  /// Has it agreed on; its time is set here.
  virtual result<cluster::applied> cluster_ask(cluster::command) { return errc::item_not_found; }
  /// The text of a new join token. Secret.
  virtual result<std::string> cluster_invite(std::uint32_t /*valid_s*/) { return errc::item_not_found; }

  /// Begins now what would begin once all nodes have been there for a while; see `cluster_rebalancing`.
  virtual result<cluster_rebalancing> cluster_rebalance() { return errc::item_not_found; }

  // -- other nodes --
  /// Of this node; 0: it is in no cluster.
  virtual cluster::node_id own_node() { return 0; }
  /// What a shell has another node do (remote_wire.hpp). Returns at once. Fails with `remote_server_not_found` when it
  /// is not linked, `timeout` when the link breaks, or as that node says.
  virtual std::future<result<std::string>> ask_node(cluster::node_id node, std::string question);
  /// The shards that have a replica here. What each is of is the caller's to read, on its own thread.
  virtual result<backup_source> source_of_backup() { return errc::item_not_found; }

  // -- running --
  /// Component and its level, all components.
  virtual fields log_levels() = 0;
  /// Fails with `item_not_found` (component) or `bad_request` (level).
  virtual result<void> set_log_level(const std::string& component, const std::string& level) = 0;
  /// All options as they are in force, secrets left out.
  virtual fields settings() = 0;
  /// Of those, what the file says otherwise since the start: it needs a restart. Empty: it is gone from the file.
  virtual fields waiting_settings() { return {}; }
  /// What SIGHUP does; what changed and what needs a restart, a line each.
  virtual result<std::vector<std::string>> reload() = 0;
  /// Accepts no more connections, sends the clients away bit by bit; returns at once with what is going to happen.
  virtual result<std::vector<std::string>> drain() = 0;
  /// Begins an orderly shutdown; returns at once.
  virtual result<void> shutdown() = 0;

  /// Numbers and words on the store and the disk: for `stats`, by names of the form `storage_queue_bytes`.
  virtual fields health() = 0;
  /// Name and value on top of the shell's own `version`: libraries, data folder, node.
  virtual fields version() { return {}; }
};

inline std::future<result<std::string>> shell_backend::ask_node(cluster::node_id, std::string) {
  auto nobody = std::promise<result<std::string>>{};
  nobody.set_value(errc::item_not_found);
  return nobody.get_future();
}

} // namespace xmpp
