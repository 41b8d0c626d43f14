// What the shell can have done, done to the real server.
#pragma once

#include "actors/coordinator.hpp"
#include "actors/server.hpp"
#include "actors/shell/backend.hpp"

#include <caf/scoped_actor.hpp>

namespace xmpp {

class server_backend final : public shell_backend {
public:
  explicit server_backend(server& of) : of_(of) {}

  result<void> create_account(const jid& account, const std::string& password) override;
  result<void> set_password(const jid& account, const std::string& password) override;
  result<void> remove_account(const jid& account) override;
  result<fields> account_info(const jid& account) override;
  result<void> for_each_account(const std::function<bool(const jid&)>& visit) override;
  std::vector<std::string> hosts() override;
  result<void> send_message(const jid& to, const std::string& text) override;
  result<std::size_t> announce(const std::string& text) override;
  result<cluster::status::report> cluster_status() override;
  result<std::shared_ptr<const cluster::state>> cluster_state() override;
  result<cluster::applied> cluster_ask(cluster::command what) override;
  result<std::string> cluster_invite(std::uint32_t valid_s) override;
  result<cluster_rebalancing> cluster_rebalance() override;
  cluster::node_id own_node() override;
  std::future<result<std::string>> ask_node(cluster::node_id node, std::string question) override;
  result<backup_source> source_of_backup() override;
  fields log_levels() override;
  result<void> set_log_level(const std::string& component, const std::string& level) override;
  fields settings() override;
  fields waiting_settings() override;
  result<std::vector<std::string>> reload() override;
  result<std::vector<std::string>> drain() override;
  result<void> shutdown() override;
  fields health() override;
  fields version() override;

private:
  result<void> set_credentials(const jid& account, const std::string& password, bool create);
  result<void> check_host(const jid& account) const;
  result<msg::cluster_seen> look_at_cluster();

  server& of_;
};

} // namespace xmpp
