#include "actors/server_backend.hpp"

#include "actors/cluster_node.hpp"
#include "actors/log.hpp"
#include "actors/random.hpp"
#include "actors/version.hpp"
#include "cluster/join_token.hpp"
#include "persistence/accounts.hpp"
#include "protocol/namespaces.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <utility>

namespace xmpp {

namespace {

constexpr auto patience = std::chrono::seconds{10};

/// Asks an actor and waits; for the threads of shells.
template <class Answer, class Handle, class Question>
result<Answer> ask(caf::actor_system& system, const Handle& whom, Question question) {
  auto self = caf::scoped_actor{system};
  auto answer = std::optional<Answer>{};
  self->request(whom, patience, std::move(question))
      .receive([&](Answer& x) { answer = std::move(x); }, [](const caf::error&) {});
  if (!answer)
    return errc::timeout;
  return *std::move(answer);
}

result<void> to_result(const result<msg::outcome>& x) {
  if (!x)
    return x.error();
  return x->failure == errc::none ? result<void>{} : result<void>{error{x->failure, x->text}};
}

stanza message_of(const jid& from, const jid& to, std::string_view type, const std::string& text) {
  auto tree = xml::builder{"message", ns::client};
  tree.attribute("type", type).attribute("id", random_text(12)).leaf("body", ns::client, text);
  return {tree.finish(), from, to};
}

} // namespace

result<void> server_backend::check_host(const jid& account) const {
  return of_.context().is_own_domain(account.domain()) ? result<void>{} : result<void>{errc::host_unknown};
}

result<void> server_backend::set_credentials(const jid& account, const std::string& password, bool create) {
  if (auto own = check_host(account); !own)
    return own;
  auto prepared = prepare_password(password);
  if (!prepared)
    return errc::not_acceptable;
  auto& context = of_.context();
  auto derived = ask<msg::derived>(of_.system(), context.hashers.next(),
                                   msg::derive{*prepared, context.live()->options.sign_in.scram_iterations});
  if (!derived)
    return derived.error();
  if (derived->failure != errc::none)
    return derived->failure;
  return to_result(ask<msg::outcome>(of_.system(), context.route.shard(account),
                                     msg::set_credentials{account, derived->credentials, create}));
}

result<void> server_backend::create_account(const jid& account, const std::string& password) {
  return set_credentials(account, password, true);
}

result<void> server_backend::set_password(const jid& account, const std::string& password) {
  return set_credentials(account, password, false);
}

result<void> server_backend::remove_account(const jid& account) {
  if (auto own = check_host(account); !own)
    return own;
  return to_result(ask<msg::outcome>(of_.system(), of_.context().route.shard(account), msg::remove_account{account}));
}

result<shell_backend::fields> server_backend::account_info(const jid& account) {
  if (auto own = check_host(account); !own)
    return own.error();
  auto promise = std::make_shared<std::promise<result<user_records>>>();
  auto answer = promise->get_future();
  auto shard = of_.context().route.shard_of(account);
  auto taken = of_.context().replicas[shard]->read_after([promise, shard, account](const reader& from) {
    promise->set_value(load_user(from, {shard, account}));
  });
  if (!taken)
    return taken.error();
  if (answer.wait_for(patience) != std::future_status::ready)
    return errc::timeout;
  auto found = answer.get();
  if (!found)
    return found.error();
  if (!found->account)
    return errc::item_not_found;
  return fields{{"account", std::string{account.text()}},
                {"created", format_time(found->account->created_ms)},
                {"disabled", found->account->disabled ? "yes" : "no"},
                {"contacts", std::to_string(found->roster.items.size())},
                {"requests waiting", std::to_string(found->roster.pending.size())},
                {"blocked", std::to_string(found->blocks.size())},
                {"offline messages", std::to_string(found->offline.messages)},
                {"offline bytes", std::to_string(found->offline.bytes)},
                {"last activity", found->last_activity ? format_time(found->last_activity->ms) : "never"},
                {"sessions", std::to_string(of_.context().sessions.of(account).size())},
                {"shard", std::to_string(shard)}};
}

result<void> server_backend::for_each_account(const std::function<bool(const jid&)>& visit) {
  constexpr auto page = std::size_t{500};
  for (auto& domain : hosts())
    for (auto shard = 0u; shard < of_.context().route.shard_count(); ++shard)
      for (auto after = std::string{};;) {
        using names = result<std::vector<std::string>>;
        auto promise = std::make_shared<std::promise<names>>();
        auto answer = promise->get_future();
        auto taken = of_.context().storage->read([promise, shard, domain, after](const reader& from) {
          promise->set_value(accounts::list(from, shard_id(shard), domain, after, page));
        });
        if (!taken)
          return taken.error();
        if (answer.wait_for(patience) != std::future_status::ready)
          return errc::timeout;
        auto found = answer.get();
        if (!found)
          return found.error();
        for (auto& local : *found)
          if (!visit(jid::from_prepared(local + "@" + domain)))
            return {};
        if (found->size() < page)
          break;
        after = found->back();
      }
  return {};
}

std::vector<std::string> server_backend::hosts() {
  return of_.context().domains;
}

result<void> server_backend::send_message(const jid& to, const std::string& text) {
  if (auto own = check_host(to); !own)
    return own;
  if (!to.has_local())
    return errc::service_unavailable;
  if (of_.context().sessions.of(to.bare()).empty()) // Those who came in without an account have sessions only.
    if (auto known = account_info(to.bare()); !known)
      return known.error();
  auto from = jid::from_prepared(to.domain());
  caf::anon_send(of_.context().route.shard(to), msg::deliver{message_of(from, to, "normal", text)});
  return {};
}

result<std::size_t> server_backend::announce(const std::string& text) {
  auto all = std::vector<std::pair<jid, session_actor>>{};
  of_.context().sessions.for_each([&](const jid& full, const session_actor& x) { all.emplace_back(full, x); });
  for (auto& [full, session] : all)
    caf::anon_send(session, msg::deliver{message_of(jid::from_prepared(full.domain()), full, "headline", text)});
  return all.size();
}

result<msg::cluster_seen> server_backend::look_at_cluster() {
  auto& node = of_.context().node;
  if (!node)
    return error{errc::item_not_found,
                 "this node is in no cluster: `troupe cluster init` makes one, while it is stopped"};
  auto seen = ask<msg::cluster_seen>(of_.system(), caf::actor_cast<coordinator_actor>(node->coordinator()),
                                     msg::cluster_look{});
  if (seen && seen->agreed->version == 0)
    return error{errc::timeout, "this node has not heard of its cluster yet"};
  return seen;
}

result<cluster::status::report> server_backend::cluster_status() {
  auto seen = look_at_cluster();
  return seen ? result<cluster::status::report>{*seen->report} : seen.error();
}

result<std::shared_ptr<const cluster::state>> server_backend::cluster_state() {
  auto seen = look_at_cluster();
  return seen ? result<std::shared_ptr<const cluster::state>>{seen->agreed} : seen.error();
}

result<cluster::applied> server_backend::cluster_ask(cluster::command what) {
  auto& node = of_.context().node;
  if (!node)
    return look_at_cluster().error();
  what.at_ms = now_ms();
  auto answer = ask<msg::cluster_answer>(of_.system(), caf::actor_cast<coordinator_actor>(node->coordinator()),
                                         msg::cluster_ask{std::make_shared<const cluster::command>(std::move(what))});
  if (!answer)
    return answer.error();
  if (answer->failure != errc::none)
    return error{answer->failure, answer->text};
  return answer->done;
}

result<std::string> server_backend::cluster_invite(std::uint32_t valid_s) {
  auto state = cluster_state();
  if (!state)
    return state.error();
  auto self = (*state)->find(of_.context().self);
  if (!self || self->says.addresses.empty())
    return error{errc::item_not_found, "this node has no address for others: see cluster.addresses"};
  auto& where = self->says.addresses.front();
  auto colon = where.rfind(':');
  auto host = where.substr(0, colon);
  if (host.starts_with('['))
    host = host.substr(1, host.size() - 2);
  auto token =
      cluster::make_join_token(host, std::uint16_t(std::stoul(where.substr(colon + 1))), (*state)->ca_certificate);
  if (!token)
    return error{errc::internal_server_error, token.why()};
  auto known = cluster_ask(
      {0, cluster::ask::invite{cluster::hash_of_secret(token->secret), now_ms() + std::int64_t{valid_s} * 1'000}});
  if (!known)
    return known.error();
  return token->text();
}

result<cluster_rebalancing> server_backend::cluster_rebalance() {
  auto& node = of_.context().node;
  if (!node)
    return look_at_cluster().error();
  auto answer = ask<msg::cluster_rebalanced>(of_.system(), caf::actor_cast<coordinator_actor>(node->coordinator()),
                                             msg::cluster_rebalance{});
  return answer ? result<cluster_rebalancing>{std::move(answer->what)} : answer.error();
}

cluster::node_id server_backend::own_node() {
  return of_.context().self;
}

std::future<result<std::string>> server_backend::ask_node(cluster::node_id node, std::string question) {
  auto& here = of_.context().node;
  return here ? here->questions().ask(node, cluster::control::question::shell, question)
              : shell_backend::ask_node(node, std::move(question));
}

/// A replica may be behind when its leader, as last heard, has applied more, or when nobody knows who leads.
result<backup_source> server_backend::source_of_backup() {
  auto& context = of_.context();
  auto out = backup_source{};
  out.from = &context.storage->opened();
  out.head.made_ms = now_ms();
  out.head.release = version_text;
  out.head.shard_count = context.route.shard_count();
  auto observed = std::shared_ptr<const cluster::observed>{};
  if (context.node) {
    auto seen = look_at_cluster();
    if (!seen)
      return seen.error();
    out.head.cluster = seen->agreed->id;
    out.head.node = cluster::id_text(context.node->self());
    observed = seen->seen;
  }
  for (auto i = 0u; i < out.head.shard_count; ++i) {
    auto shard = shard_id(i);
    auto applied = out.from->last_index(shard);
    if (!observed) {
      out.parts.push_back({shard, false});
    } else if (out.from->is_group(shard) && applied != 0) {
      auto known = observed->shards.find(shard);
      auto is_led = known != observed->shards.end() && known->second.leader != 0;
      out.parts.push_back({shard, !is_led || applied < known->second.applied});
    }
  }
  return out;
}

shell_backend::fields server_backend::log_levels() {
  auto result = fields{};
  for (auto& [component, level] : log::list_levels())
    result.emplace_back(component, to_string(level));
  return result;
}

result<void> server_backend::set_log_level(const std::string& component, const std::string& level) {
  auto parsed = log_level{};
  if (!from_string(level, parsed))
    return errc::bad_request;
  return log::set_level(component, parsed) ? result<void>{} : result<void>{errc::item_not_found};
}

shell_backend::fields server_backend::settings() {
  return list_options(of_.context().live()->options);
}

shell_backend::fields server_backend::waiting_settings() {
  auto result = fields{};
  for (auto& one : of_.context().live()->waiting)
    result.emplace_back(one.name, one.after);
  return result;
}

result<std::vector<std::string>> server_backend::reload() {
  return of_.reload();
}

result<std::vector<std::string>> server_backend::drain() {
  auto sessions = of_.context().sessions.size();
  auto rate = std::max(1u, of_.context().live()->options.server.drain_per_second);
  of_.drain();
  return std::vector<std::string>{"no more connections are accepted", std::to_string(sessions) +
                                                                          " sessions end within " +
                                                                          std::to_string(sessions / rate + 1) + " s"};
}

result<void> server_backend::shutdown() {
  of_.request_stop();
  return {};
}

shell_backend::fields server_backend::health() {
  auto counters = of_.context().storage->count();
  auto health = of_.context().storage->health();
  return {{"storage", health.failed ? "failed: " + health.reason : "good"},
          {"storage_commands", std::to_string(counters.commands)},
          {"storage_failed", std::to_string(counters.failed)},
          {"storage_batches", std::to_string(counters.batches)},
          {"storage_log_bytes", std::to_string(counters.log_bytes)},
          {"storage_trims", std::to_string(counters.trims)},
          {"storage_free_bytes", std::to_string(counters.free_bytes)},
          {"storage_queue_bytes", std::to_string(counters.queue_bytes)},
          {"log_events_dropped", std::to_string(log::dropped())},
          {"sessions_online", std::to_string(of_.context().sessions.size())}};
}

shell_backend::fields server_backend::version() {
  return {{"data folder", of_.context().live()->options.server.data_folder.string()}};
}

} // namespace xmpp
