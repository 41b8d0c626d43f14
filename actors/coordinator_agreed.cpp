// COORDINATOR: what is agreed on, read and adopted; and proposals, by which alone it changes.

#include "actors/cluster_commands.hpp"
#include "actors/coordinator.hpp"
#include "actors/fake_keys.hpp"
#include "actors/log.hpp"
#include "cluster/founding.hpp"
#include "cluster/join_token.hpp"
#include "cluster/placement.hpp"
#include "cluster/system_store.hpp"
#include "net/authority.hpp"

#include <mutex>
#include <optional>
#include <utility>

namespace xmpp {

namespace {

void write_down(const cluster::system_event& x) {
  using kind = cluster::system_event::kind;
  switch (x.of) {
  case kind::member:
    return log::info("cluster.member",
                     {{"node", x.who}, {"is", x.is}, {"was", x.was}, {"why", x.why}, {"seconds", x.seconds}});
  case kind::member_says:
    return log::info("cluster.member_changed", {{"node", x.who}, {"is", x.is}, {"was", x.was}});
  case kind::move_begun:
    return log::info("cluster.move_begun", {{"group", x.who}, {"what", x.is}, {"why", x.why}});
  case kind::move_ended:
    return log::info(
        "cluster.move_ended",
        {{"group", x.who}, {"replicas", x.is}, {"outcome", x.was}, {"why", x.why}, {"seconds", x.seconds}});
  case kind::setting:
    return log::info("cluster.setting", {{"name", x.who}, {"is", x.is}, {"was", x.was}});
  }
}

} // namespace

bool coordinator::read_agreed() {
  if (!members_.contains(system_shard))
    return false;
  auto bytes = node_.system_group().cached().get(keys::system_state_key());
  if (!bytes && bytes.code() == errc::would_block && !std::exchange(reads_agreed_, true)) {
    auto ready = [self = coordinator_actor{this}](const reader& from) {
      (void)from.get(keys::system_state_key()); // It is in memory from now on.
      caf::anon_send(self, msg::agreed_is_at_hand{});
    };
    reads_agreed_ = node_.system_group().read(std::move(ready)).has_value();
  }
  if (!bytes || !*bytes)
    return bytes.has_value();
  if (**bytes == agreed_bytes_)
    return agreed_is_readable_;
  agreed_bytes_ = **bytes;
  auto read = cluster::load_state(node_.system_group().cached());
  agreed_is_readable_ = read && *read;
  if (agreed_is_readable_)
    adopt(**std::move(read));
  else
    log::error("cluster.state_unreadable", {{"why", read ? "none" : read.error().text}});
  return agreed_is_readable_;
}

void coordinator::adopt(cluster::state next) {
  if (next.version <= agreed_.version)
    return;
  if (next.value(cluster::setting::shard_count) != server_.route.shard_count())
    return log::error("cluster.state_refused", {{"why", "it has another number of shards than this node's store"}});
  auto changes_members = next.members != agreed_.members;
  for (auto& one : events_.between(agreed_, next, now_ms()))
    write_down(one);
  agreed_ = std::move(next);
  seen_.expect(agreed_, steady_ms());
  if (auto self = agreed_.find(self_id())) {
    server_.node_id = self->number;
    if (self->is == cluster::standing::gone)
      log::error("cluster.removed", {{"node", cluster::id_text(self_id())}});
  }
  save_agreed();
  if (changes_members)
    link_with_members();
  arrange_members();
  tell_led_shards();
  if (own_leads_.terms.contains(system_shard)) {
    auto bytes = agreed_.encode();
    to_all(cluster::control::state{bytes});
  }
}

/// For the next start. What waits for the disk is replaced by what came later: it is slow, or hangs.
void coordinator::save_agreed() {
  {
    auto guard = std::lock_guard{unsaved_->mutex};
    if (std::exchange(unsaved_->state, agreed_))
      return;
  }
  node_.on_disk([folder = server_.live()->options.server.data_folder, unsaved = unsaved_] {
    auto last = std::optional<cluster::state>{};
    {
      auto guard = std::lock_guard{unsaved->mutex};
      last.swap(unsaved->state);
    }
    if (auto saved = cluster::save_agreed(folder, *last); !saved)
      log::warning("cluster.state_not_saved", {{"why", saved.error().text}});
  });
}

void coordinator::link_with_members() {
  auto known = std::vector<cluster::member_addresses>{};
  for (auto& [id, one] : agreed_.members)
    if (one.is != cluster::standing::gone && id != self_id())
      known.push_back({id, one.says.addresses, one.certificate});
  link_history_.expect(agreed_.members, steady_ms());
  node_.set_peers(known);
}

/// What the node says of itself, when it has begun and when it differs from what is known.
void coordinator::announce() {
  auto self = agreed_.find(self_id());
  if (!self || leaders_.who_serves(system_shard).node == 0 || node_.hands_over)
    return;
  auto says = announcement_of(server_.live()->options);
  if (!says)
    return;
  says->id = self_id();
  auto is_up = self->is == cluster::standing::up;
  seconds_up_ += is_up ? 1 : 0;
  if (self->is == cluster::standing::gone || (is_up && self->says == *says) || drains_now(*self))
    return;
  propose(cluster::ask::member_up{*says});
}

/// Else it was drained before it started, and is back: what it knew at first may be older than that.
bool coordinator::drains_now(const cluster::member& self) const {
  constexpr auto settled_s = 3u;
  return self.is == cluster::standing::draining && (self.leaves || seconds_up_ >= settled_s);
}

/// Accounts of a host are on all nodes: where it is not served, its clients and contacts find nobody.
void coordinator::compare_hosts() {
  if (agreed_.version == 0)
    return;
  auto& domains = server_.domains;
  auto now = cluster::compare_hosts(agreed_.hosts, {domains.begin(), domains.end()});
  if (now == host_difference_)
    return;
  host_difference_ = std::move(now);
  if (host_difference_.empty())
    return log::info("cluster.hosts_agree", {{"hosts", agreed_.hosts.size()}});
  auto all = [](const std::vector<std::string>& hosts) {
    auto out = std::string{};
    for (auto& one : hosts)
      out += (out.empty() ? "" : ", ") + one;
    return out;
  };
  log::warning("cluster.hosts_differ",
               {{"missing", all(host_difference_.missing)},
                {"too_many", all(host_difference_.too_many)},
                {"remedy", "configure the same hosts on all nodes, then `cluster hosts set` what they are"}});
}

void coordinator::renew_certificate() {
  auto now_s = now_ms() / 1'000;
  auto self = node_.identity();
  if (agreed_.version == 0 || !cluster::is_due_for_renewal(self, now_s))
    return;
  auto authority = cluster::authority_of(agreed_);
  if (!authority)
    return;
  auto valid_s = std::int64_t(agreed_.value(cluster::setting::certificate_valid_s));
  auto next = cluster::renewed(self, *authority, now_s, valid_s);
  if (!next || !node_.set_identity(*next))
    return log::error("cluster.certificate_not_renewed", {{"why", next ? "the links refuse it" : next.why()}});
  log::info("cluster.certificate_renewed", {{"node", cluster::id_text(self_id())}});
  node_.on_disk([folder = server_.live()->options.server.data_folder, next = *next] {
    if (auto saved = cluster::save(folder, next); !saved)
      log::error("cluster.certificate_not_saved", {{"why", saved.why()}});
  });
}

/// So that the others see it, too.
void coordinator::note_certificate() {
  auto self = agreed_.find(self_id());
  if (!self || self->is == cluster::standing::gone || is_noting_ || leaders_.who_serves(system_shard).node == 0)
    return;
  auto own = net::read_certificate(node_.identity().certificate);
  if (!own || own->until_s <= self->certificate_expires_ms / 1'000)
    return;
  is_noting_ = true;
  propose(cluster::ask::note_certificate{self_id(), own->key_digest, own->until_s * 1'000},
          [this](const result<cluster::applied>&) { is_noting_ = false; });
}

/// What would be refused anyway is not looked at: who has no token learns nothing of nodes.
result<void> coordinator::check_seen(const cluster::state& in, const cluster::command& x) const {
  if (!std::holds_alternative<cluster::ask::join>(x.what) && !std::holds_alternative<cluster::ask::remove>(x.what))
    return {};
  if (auto after = in; !cluster::apply(after, x))
    return {};
  return cluster::check_seen(in, seen_.seen(steady_ms()), x);
}

void coordinator::propose(decltype(cluster::command::what) what, proposal_done done) {
  propose(cluster::command{now_ms(), std::move(what)}, std::move(done));
}

void coordinator::propose(const cluster::command& x, proposal_done done) {
  auto leader = leaders_.who_serves(system_shard).node;
  if (leader == self_id())
    return propose_here(x, std::move(done));
  if (leader == 0)
    return done(error{errc::not_leader, "the system group has no leader just now: a majority of its nodes is needed"});
  if (auto fit = check_seen(agreed_, x); !fit)
    return done(fit.error()); // The leader may see less.
  auto bytes = x.encode();
  if (auto request = proposals_.ask(std::move(done), steady_ms()))
    to_node(leader, cluster::control::propose{*request, bytes});
}

void coordinator::propose_here(const cluster::command& x, proposal_done done) {
  if (!read_agreed())
    return done(error{errc::resource_constraint, "this node has not read yet what is agreed on: try again"});
  auto next = proposals_.ahead(agreed_);
  if (auto fit = check_seen(next, x); !fit)
    return done(fit.error());
  auto outcome = cluster::apply(next, x);
  if (!outcome)
    return done(outcome.error());
  if (!outcome->changed && !proposals_.has_submitted())
    return done(*outcome);
  if (proposals_.is_full())
    return done(error{errc::resource_constraint, "too many changes are under way"});
  if (auto begun = std::get_if<cluster::ask::begin_move>(&x.what))
    events_.explain(*begun, "as asked"); // Unless this node has planned it.
  auto ticket = proposals_.next_ticket();
  auto taken =
      node_.system_group().submit({server_.origin(id()), ticket, cluster::stored(next)},
                                  [self = coordinator_actor{this}, ticket](const result<std::uint64_t>& index) {
                                    caf::anon_send(self, msg::system_committed{ticket, index.code()});
                                  });
  if (!taken)
    return done(taken.error());
  proposals_.submitted(ticket, *outcome, std::move(next), std::move(done));
}

void coordinator::join(const msg::join_asked& x) {
  auto refuse = [&](const std::string& why) {
    log::warning("cluster.join_refused", {{"node", cluster::id_text(x.what->node)}, {"why", why}});
    x.reply(net::failure{why});
  };
  auto authority = cluster::authority_of(agreed_);
  if (agreed_.version == 0 || !authority)
    return refuse("this node does not know its cluster yet: try again in some seconds");
  auto known = agreed_.find(x.what->node);
  auto digest = cluster::check_key(*x.what, known ? known->certificate : std::string{});
  if (!digest)
    return refuse(digest.why());
  auto now_s = now_ms() / 1'000;
  auto valid_s = std::int64_t(agreed_.value(cluster::setting::certificate_valid_s));
  auto certificate = cluster::issue(*authority, x.what->node, x.what->request, now_s, valid_s);
  if (!certificate)
    return refuse(certificate.why());
  auto replaced = x.what->replaces.empty() ? cluster::node_id{0} : agreed_.named(x.what->replaces).value_or(0);
  auto ask = cluster::ask::join{};
  ask.replaces = replaced;
  ask.hash = cluster::hash_of_secret(x.what->secret);
  if (!x.what->replaces.empty() && replaced == 0 && !known)
    return refuse(agreed_.tokens.contains(ask.hash)
                      ? "there is no node " + x.what->replaces + " to be replaced; `cluster status` lists them"
                      : std::string{"no such join token"});
  ask.who.id = x.what->node;
  ask.who.addresses = x.what->addresses;
  ask.who.version = x.what->software;
  ask.certificate = *digest;
  ask.certificate_expires_ms = (now_s + valid_s) * 1'000;
  propose(std::move(ask), [this, x, replaced, certificate = *certificate](const result<cluster::applied>& how) {
    if (!how) {
      log::warning("cluster.join_refused", {{"node", cluster::id_text(x.what->node)}, {"why", how.error().text}});
      return x.reply(
          net::failure{how.error().text.empty() ? std::string{condition_name(how.code())} : how.error().text});
    }
    log::info("cluster.joined", {{"node", cluster::id_text(x.what->node)},
                                 {"number", how->number},
                                 {"replaces", replaced == 0 ? std::string{} : agreed_.title(replaced)}});
    auto answer = cluster::join_answer{};
    answer.certificate = certificate;
    answer.shard_count = server_.route.shard_count();
    answer.shared = encode_fake_keys(server_.secret, server_.iterations.all());
    for (auto& [id, one] : agreed_.members)
      if (one.is != cluster::standing::gone)
        answer.members.push_back({id, one.says.addresses});
    x.reply(std::move(answer));
  });
}

} // namespace xmpp
