#include "actors/cluster_node.hpp"

#include "actors/coordinator.hpp"
#include "actors/log.hpp"
#include "actors/member.hpp"
#include "actors/undelivered.hpp"
#include "actors/version.hpp"
#include "cluster/founding.hpp"
#include "cluster/stored.hpp"

#include <caf/all.hpp>

#include <array>
#include <chrono>
#include <filesystem>
#include <random>
#include <utility>

namespace xmpp {

namespace {

/// What another node sent to a session that is not here goes back to its account.
constexpr auto try_again_after = std::chrono::milliseconds{100};
constexpr auto tick_ms = std::uint64_t{100};
/// A disk that does not answer for longer counts as failing: others lead.
constexpr auto disk_patience_ms = std::uint64_t{5'000};

std::vector<net::address> addresses_of(const std::vector<std::string>& texts) {
  auto out = std::vector<net::address>{};
  for (auto& text : texts)
    if (auto address = parse_address(text))
      out.push_back(*address);
  return out;
}

/// Between two times that other nodes are told of what may be lost.
constexpr std::int64_t loss_told_ms = 1'000;

} // namespace

cluster_node::cluster_node(server_context& server, const cluster::identity& self, std::vector<shard_id> groups)
    : server_(server), self_(self), groups_(std::move(groups)), system_(*server.storage) {
  for (auto i = 0u; i < server.route.shard_count(); ++i) {
    auto made = std::make_unique<seat>(*server.storage);
    seats_.push_back(made.get());
    server.replicas.push_back(std::move(made));
  }
  server.self = self.node;
}

cluster_node::~cluster_node() {
  end();
}

seat& cluster_node::seat_of(shard_id shard) noexcept {
  return shard == system_shard ? system_ : *seats_[shard];
}

result<void> cluster_node::start(caf::actor_system& system, const config& options, reactor_unit& home) {
  auto how = cluster::link_options{};
  how.self = self_;
  how.software = "Troupe " + std::string{version_text};
  auto address = parse_address(options.cluster.listen);
  if (!address)
    return error{errc::bad_request, "cluster.listen: " + address.error().text};
  how.listen = *address;
  how.home = &home.loop();

  auto calls = remote::exchange_callbacks{};
  calls.send = [this](cluster::node_id to, std::string_view frame) {
    return send(to, cluster::channel::normal, frame);
  };
  calls.is_up = [this](cluster::node_id x) { return is_up(x); };
  calls.shard = [this](shard_id x) { return server_.route.shard(x); };
  calls.session = [this](std::uint64_t number) {
    auto id = server_.actor_of(number);
    return id == 0 ? session_actor{} : caf::actor_cast<session_actor>(registry::instance().find(id));
  };
  calls.route = [this](const jid& account) { return server_.route.shard(account); };
  calls.on_lost = [this](const stanza& what, errc why) { lost(what, why); };
  calls.on_unreached = [this](const remote::unreached& x) { unreached(x); };
  calls.on_loss = [this] { server_.requests->something_is_lost(steady_time_ms()); };
  calls.on_refused = [](cluster::node_id from, const std::string& summary, const error& why) {
    log::warning("cluster.refused", {{"node", cluster::id_text(from)}, {"message", summary}, {"why", why.text}});
  };
  exchange_ = std::make_unique<remote::exchange>(
      system, remote::exchange_options{self_.node, server_.route.shard_count()}, std::move(calls));
  server_.far = exchange_.get();

  auto on = cluster::link_callbacks{};
  on.on_frame = [this](cluster::node_id from, cluster::channel channel, std::string_view bytes) {
    on_frame(from, channel, bytes);
  };
  on.on_up = [this](cluster::node_id peer) {
    caf::anon_send(caf::actor_cast<coordinator_actor>(coordinator()), msg::link_changed{peer, true, {}});
  };
  on.on_down = [this](cluster::node_id peer, const std::string& why) {
    exchange_->on_down(peer);
    questions_.on_down(peer);
    note_loss();
    caf::anon_send(caf::actor_cast<coordinator_actor>(coordinator()), msg::link_changed{peer, false, why});
  };
  on.on_refused = [](cluster::node_id peer, const std::string& why) {
    log::warning("cluster.refused_by", {{"node", cluster::id_text(peer)}, {"why", why}});
  };
  on.on_stranger = [](const net::address& from, const std::string& why) {
    log::debug("cluster.stranger", {{"address", from.text()}, {"why", why}});
  };
  on.on_join = [this](const net::address& from, const cluster::join_request& x,
                      cluster::link_callbacks::join_reply reply) {
    log::info("cluster.join_asked", {{"node", cluster::id_text(x.node)}, {"address", from.text()}});
    caf::anon_send(caf::actor_cast<coordinator_actor>(coordinator()),
                   msg::join_asked{std::make_shared<const cluster::join_request>(x), std::move(reply)});
  };
  auto started = cluster::links::start(how, std::move(on));
  if (!started)
    return error{errc::conflict, "cluster.listen: " + started.why()};
  links_ = *std::move(started);
  discovery_ = std::make_unique<cluster::discovery>(options.cluster.seeds, [this](const cluster::discovery::found& x) {
    log::info("cluster.looked_for_members", {{"addresses", x.addresses.size()}, {"failures", x.failures}});
    links_->set_seeds(x.addresses);
  });
  auto known = cluster::load_members(options.server.data_folder);
  if (!known)
    return known.error();
  known_ = *std::move(known);
  auto agreed = cluster::load_agreed(options.server.data_folder);
  if (!agreed)
    return agreed.error();
  agreed_ = *std::move(agreed);
  home_ = &home;
  tick_ = home.loop().set_timer(tick_ms, this);
  return {};
}

void cluster_node::set_peers(const std::vector<cluster::member_addresses>& members) {
  auto peers = std::vector<cluster::link_peer>{};
  for (auto& one : members)
    peers.push_back({one.node, addresses_of(one.addresses), one.key_digest});
  links_->set_peers(std::move(peers));
}

/// Of all members together, so that what they say goes out together.
void cluster_node::on_timer(std::uint32_t) {
  tick_ = home_->loop().set_timer(tick_ms, this);
  auto is_for_all = ++ticks_ % 2 == 0;
  auto tick = [&](const seat& at) {
    if (auto here = at.member(); here && (is_for_all || !here->is_calm()))
      here->tick();
  };
  for (auto one : seats_)
    tick(*one);
  tick(system_);
}

void cluster_node::end() {
  stop();
  if (auto home = std::exchange(home_, nullptr))
    home->loop().cancel_timer(tick_);
  discovery_ = nullptr; // It uses the links.
  links_ = nullptr;
  server_.far = nullptr;
  exchange_ = nullptr;
}

cluster::identity cluster_node::identity() const {
  auto guard = std::lock_guard{mutex_};
  return self_;
}

result<void> cluster_node::set_identity(const cluster::identity& x) {
  if (auto taken = links_->set_identity(x); !taken)
    return error{errc::bad_request, taken.why()};
  auto guard = std::lock_guard{mutex_};
  self_ = x;
  return {};
}

void cluster_node::end_late_requests() {
  exchange_->tick();
  auto now = steady_time_ms();
  if (now - last_loss_ms_ >= loss_told_ms && has_lost_.exchange(false)) {
    last_loss_ms_ = now;
    server_.requests->something_is_lost(now);
    for (auto& one : links_->status())
      if (one.is_up)
        exchange_->send(one.node, remote::loss{});
  }
  for (auto& one : server_.requests->take_late(now))
    if (auto asker = registry::instance().find(one.session))
      caf::anon_send(caf::actor_cast<session_actor>(asker), msg::deliver{std::move(one.what)});
}

std::vector<cluster::link_status> cluster_node::link_status() const {
  return links_ ? links_->status() : std::vector<cluster::link_status>{};
}

void cluster_node::send_raft(cluster::node_id to, shard_id shard, std::string_view bytes, bool is_bulk) {
  auto frame = std::string{};
  if (cluster::control::append(frame, cluster::control::raft{shard, bytes}))
    (void)send(to, is_bulk ? cluster::channel::bulk : cluster::channel::urgent, frame); // Raft sends it again; it fits.
}

coordinator_surroundings::disk cluster_node::own_disk() const {
  auto health = server_.storage->health();
  auto out = disk{health.failed, health.reason, server_.storage->count().free_bytes};
  if (auto busy_ms = server_.storage->busy_ms(); !out.has_failed && busy_ms > disk_patience_ms)
    out = {true, "the disk has not answered for " + std::to_string(busy_ms / 1'000) + " s", out.free_bytes};
  return out;
}

void cluster_node::on_disk(std::function<void()> f) {
  server_.storage->run(0, [f = std::move(f)](store*) -> result<void> {
    f();
    return {};
  });
}

void cluster_node::make_group(shard_id shard, std::function<void(bool is_ready)> done) {
  server_.storage->run(0, [shard, done = std::move(done)](store* db) -> result<void> {
    if (!db) {
      done(false);
      return {};
    }
    auto made = db->is_group(shard) ? result<void>{} : db->append({}, std::array{raft::waiting_member(shard)});
    done(made.has_value());
    return made;
  });
}

void cluster_node::measure(std::function<void(const sizes&)> done) {
  server_.storage->run(0, [done = std::move(done)](store* db) -> result<void> {
    try {
      if (db)
        done({db->state_bytes(), db->disk_bytes()});
    } catch (const std::filesystem::filesystem_error&) { // A file came or went meanwhile: the next look will do.
    }
    return {};
  });
}

void cluster_node::erase_group(shard_id shard) {
  server_.storage->run(0, [shard](store* db) -> result<void> { return db ? db->erase_group(shard) : result<void>{}; });
}

caf::strong_actor_ptr cluster_node::start_member(caf::actor_system& system, const caf::strong_actor_ptr& parent,
                                                 shard_id shard, std::function<void(const leadership&)> on_leadership) {
  auto how = group_replica_options{};
  how.shard = shard;
  how.raft.id = self();
  how.raft.seed = unsigned(std::random_device{}());
  auto calls = member::callbacks{};
  calls.send = [this, shard](raft::member_id to, const std::string& bytes, bool is_bulk) {
    send_raft(to, shard, bytes, is_bulk);
  };
  calls.on_leadership = std::move(on_leadership);
  calls.home = home_;
  auto made = system.spawn<member>(parent, std::move(how), std::ref(*server_.storage), std::ref(seat_of(shard)),
                                   std::move(calls));
  return caf::actor_cast<caf::strong_actor_ptr>(made);
}

void cluster_node::on_frame(cluster::node_id from, cluster::channel on, std::string_view bytes) {
  if (on == cluster::channel::normal)
    return exchange_->on_frame(from, bytes);
  auto read = cluster::control::read(bytes);
  if (!read) {
    questions_.on_unreadable(from, bytes);
    return log::warning("cluster.refused", {{"node", cluster::id_text(from)}, {"why", read.error().text}});
  }
  if (auto asked = std::get_if<cluster::control::ask>(&*read))
    return questions_.on_ask(from, *asked);
  if (auto answer = std::get_if<cluster::control::answer>(&*read))
    return questions_.on_answer(from, *answer);
  auto raft = std::get_if<cluster::control::raft>(&*read);
  if (!raft)
    return caf::anon_send(caf::actor_cast<coordinator_actor>(coordinator()), msg::from_node{from, std::string{bytes}});
  if (raft->shard != system_shard && raft->shard >= seats_.size())
    return;
  if (auto member = seat_of(raft->shard).member())
    member->receive(from, std::string{raft->bytes});
}

void cluster_node::lost(const stanza& what, errc why) {
  if (what.kind == stanza_kind::iq && !what.is_request())
    return note_loss();
  answer_undelivered(server_, what, why == errc::resource_constraint ? why : errc::remote_server_timeout);
}

void cluster_node::unreached(const remote::unreached& x) {
  auto& what = x.what.what;
  if (what.kind == stanza_kind::iq && !what.is_request())
    return note_loss();
  if (!is_for_account(what))
    return;
  auto& account = server_.route.shard(what.to);
  switch (x.why) {
  case remote::unreached::reason::gone:
    return caf::anon_send(account, x.what);
  case remote::unreached::reason::unknown: // Not at once: were it sent here again, this would go on without a pause.
    return caf::delayed_anon_send(account, try_again_after, x.what);
  case remote::unreached::reason::full:
    return x.what.copies ? void() : answer_undelivered(server_, what, errc::resource_constraint);
  }
}

} // namespace xmpp
