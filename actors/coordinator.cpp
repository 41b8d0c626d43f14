#include "actors/coordinator.hpp"

#include "actors/cluster_commands.hpp"
#include "actors/log.hpp"
#include "cluster/founding.hpp"
#include "cluster/join_token.hpp"
#include "cluster/placement.hpp"
#include "cluster/stored.hpp"
#include "cluster/system_store.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

namespace xmpp {

namespace {

constexpr auto tick_time = std::chrono::milliseconds{100};
constexpr auto ticks_per_second = std::uint64_t{10};
constexpr auto proposal_ms = std::uint64_t{10'000};
/// A leadership that was asked for and has not come by then stays where it is.
constexpr auto transfer_ms = std::uint64_t{3'000};

std::uint64_t steady_ms() {
  using namespace std::chrono;
  return std::uint64_t(duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

std::string name_of(shard_id x) {
  return cluster::title(x);
}

} // namespace

coordinator::coordinator(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server,
                         cluster_node& node)
    : supervised(cfg, actor_kind::coordinator, std::move(parent)), server_(server), node_(node),
      seen_(node.self(), steady_ms()) {
  set_down_handler([this](caf::down_msg& x) {
    for (auto i = members_.begin(); i != members_.end(); ++i)
      if (i->second.actor.address() == x.source) {
        auto shard = i->first;
        auto was_ending = i->second.is_ending;
        members_.erase(i);
        log::info("cluster.member_ended", {{"group", name_of(shard)}, {"why", to_string(x.reason)}});
        if (!was_ending)
          return begin_member(shard);
        server_.storage->run(
            0, [shard](store* db) -> result<void> { return db ? db->erase_group(shard) : result<void>{}; });
        return;
      }
  });
}

coordinator::behavior_type coordinator::make_behavior() {
  begin({}, "coordinator");
  delayed_send(this, tick_time, msg::tick{});
  return {
      [this](const msg::from_node& x) { from_node(x); },
      [this](const msg::link_changed& x) { link_changed(x); },
      [this](const msg::leadership_changed& x) { leadership_changed(x); },
      [this](const msg::inspected& x) {
        if (auto i = members_.find(x.shard); i != members_.end())
          i->second.last = x.how;
      },
      [this](const msg::group_ready& x) {
        beginning_.erase(x.shard);
        if (!members_.contains(x.shard))
          begin_member(x.shard);
      },
      [this](const msg::system_committed& x) { committed(x); },
      [this](const msg::agreed_is_at_hand&) {
        reads_agreed_ = false;
        read_agreed();
      },
      [this](const msg::join_asked& x) { join(x); },
      [this](const msg::who_serves& x) { tell_shard(x.shard); },
      [this](const msg::cluster_ask& x) -> caf::result<msg::cluster_answer> {
        auto promise = make_response_promise<msg::cluster_answer>();
        propose(*x.what, [promise](const result<cluster::applied>& how) mutable {
          promise.deliver(how ? msg::cluster_answer{errc::none, {}, *how}
                              : msg::cluster_answer{how.code(), how.error().text, {}});
        });
        return promise;
      },
      [this](const msg::cluster_look&) {
        auto links = std::vector<cluster::status::link>{};
        for (auto& one : node_.link_status()) {
          auto waiting = std::size_t{one.waiting_for_socket};
          for (auto bytes : one.waiting)
            waiting += bytes;
          links.push_back({self_id(), one.node, one.is_up, waiting,
                           one.round_trip_us == 0 ? std::nullopt : std::optional{one.round_trip_us}});
        }
        auto seen = std::make_shared<const cluster::observed>(seen_.seen(steady_ms()));
        return msg::cluster_seen{
            std::make_shared<const cluster::state>(agreed_),
            std::make_shared<const cluster::status::report>(report_of(agreed_, *seen, links, now_ms())), seen};
      },
      [this](const msg::tick&) {
        delayed_send(this, tick_time, msg::tick{});
        tick();
      },
      [this](const msg::child_failed& x) { child_failed(x); },
      [this](const msg::verdict& x) { decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [this](const msg::describe&) { return describe(); },
  };
}

void coordinator::restart() {
  // Members go on, and links; what was being asked for is answered.
  for (auto& [request, one] : std::exchange(asked_, {}))
    if (one.done)
      one.done(error{errc::timeout, "the coordinator failed: the outcome is unknown"});
  for (auto& one : std::exchange(submitted_, {}))
    if (one.done)
      one.done(error{errc::timeout, "the coordinator failed: the outcome is unknown"});
  ahead_.reset();
  agreed_bytes_.clear();
  reads_agreed_ = false;
  has_announced_ = false;
}

void coordinator::on_stop(const std::string&) {
  for (auto& [shard, one] : members_)
    send_exit(one.actor, caf::exit_reason::user_shutdown);
}

void coordinator::on_exit_message(caf::exit_msg& x) {
  for (auto& [shard, one] : members_)
    demonitor(one.actor.address());
  on_stop({});
  quit(std::move(x.reason));
}

msg::description coordinator::describe() const {
  auto out = msg::description{};
  out.fields = {{"node", cluster::id_text(node_.self())},
                {"cluster state", std::to_string(agreed_.version)},
                {"links up", std::to_string(up_.size())},
                {"members of groups", std::to_string(members_.size())},
                {"leads", std::to_string(own_leads_.terms.size())},
                {"proposals under way", std::to_string(asked_.size() + submitted_.size())}};
  return out;
}

// -- time ------------------------------------------------------------------------------------------------------------

void coordinator::tick() {
  if (ticks_ == 0) {
    for (auto shard : node_.groups())
      begin_member(shard);
    if (node_.last_agreed())
      adopt(*node_.last_agreed());
    else
      node_.link_with_known();
  }
  for (auto& [shard, one] : members_)
    if (auto member = seat_of(shard).member())
      member->tick();
  node_.exchange().tick();
  read_agreed();
  end_late_proposals();
  if (ticks_ % ticks_per_second == 0)
    every_second();
  auto moving = std::vector<shard_id>{}; // What is agreed on may change with each step.
  for (auto& [shard, placed] : agreed_.shards)
    if (placed.moving && own_leads_.terms.contains(shard))
      moving.push_back(shard);
  if (!moving.empty())
    seen_.apply(self_id(), own_report(), steady_ms());
  for (auto shard : moving) {
    look_at(shard);
    move_on(shard);
  }
  if (node_.hands_over)
    hand_over();
  else if (own_leads_.terms.contains(system_shard) && ticks_ % 2 == 0)
    plan();
  ++ticks_;
}

void coordinator::every_second() {
  for (auto& [shard, one] : members_)
    look_at(shard);
  auto says = own_report();
  seen_.apply(self_id(), says, steady_ms());
  to_all(says);
  announce();
  renew_certificate();
}

void coordinator::look_at(shard_id shard) {
  if (auto member = seat_of(shard).member())
    member->inspect([self = coordinator_actor{this}, shard](const group_replica::status& x) {
      caf::anon_send(self, msg::inspected{shard, x});
    });
}

cluster::control::report coordinator::own_report() const {
  auto out = cluster::control::report{};
  auto health = server_.storage->health();
  out.sessions = server_.sessions.size();
  out.disk_ok = !health.failed;
  out.disk_words = health.reason;
  out.disk_free_bytes = server_.storage->count().free_bytes;
  out.state_version = agreed_.version;
  out.up_s = ticks_ / ticks_per_second;
  for (auto& [shard, one] : members_) {
    if (!one.last)
      continue;
    auto led = own_leads_.terms.find(shard);
    if (led == own_leads_.terms.end()) {
      out.follows[shard] = one.last->applied;
      continue;
    }
    auto& to = out.leads[shard];
    to.term = led->second;
    to.applied = one.last->applied;
    if (auto i = transfers_.find(shard); i != transfers_.end())
      to.transferring_to = i->second.first;
    for (auto& other : one.last->members)
      if (other.member.id != self_id()) {
        to.lag[other.member.id] = one.last->last_index - std::min(other.match, one.last->last_index);
        if (other.member.role == raft::role::spare)
          to.catch_up[other.member.id] = std::uint8_t(other.catch_up_progress);
      }
  }
  return out;
}

// -- what is agreed on -----------------------------------------------------------------------------------------------

void coordinator::read_agreed() {
  if (!members_.contains(system_shard))
    return;
  auto bytes = server_.storage->cached().get(keys::system_state_key());
  if (!bytes && bytes.code() == errc::would_block && !std::exchange(reads_agreed_, true)) {
    auto ready = [self = coordinator_actor{this}](const reader& from) {
      (void)from.get(keys::system_state_key()); // It is in memory from now on.
      caf::anon_send(self, msg::agreed_is_at_hand{});
    };
    reads_agreed_ = server_.storage->read(std::move(ready)).has_value();
  }
  if (!bytes || !*bytes || **bytes == agreed_bytes_)
    return;
  agreed_bytes_ = **bytes;
  auto read = cluster::load_state(server_.storage->cached());
  if (!read || !*read)
    return log::error("cluster.state_unreadable", {{"why", read ? "none" : read.error().text}});
  adopt(**std::move(read));
}

void coordinator::adopt(cluster::state next) {
  if (next.version <= agreed_.version)
    return;
  auto changes_members = next.members != agreed_.members;
  agreed_ = std::move(next);
  seen_.expect(agreed_, steady_ms());
  if (auto self = agreed_.find(self_id())) {
    server_.node_id = self->number;
    if (self->is == cluster::standing::gone)
      log::error("cluster.removed", {{"node", cluster::id_text(self_id())}});
  }
  // For the next start; where the disk may be waited for.
  (void)server_.storage->read([folder = server_.live()->options.server.data_folder, agreed = agreed_](const reader&) {
    if (auto saved = cluster::save_agreed(folder, agreed); !saved)
      log::warning("cluster.state_not_saved", {{"why", saved.error().text}});
  });
  if (changes_members)
    link_with_members();
  arrange_members();
  if (own_leads_.terms.contains(system_shard)) {
    auto bytes = agreed_.encode();
    to_all(cluster::control::state{bytes});
  }
}

void coordinator::link_with_members() {
  auto known = std::vector<cluster::member_addresses>{};
  for (auto& [id, one] : agreed_.members)
    if (one.is != cluster::standing::gone && id != self_id())
      known.push_back({id, one.says.addresses});
  node_.set_peers(known);
}

/// What the node says of itself, when it has begun and when it differs from what is known.
void coordinator::announce() {
  auto self = agreed_.find(self_id());
  if (!self || leaders_.who_serves(system_shard).node == 0)
    return;
  auto says = announcement_of(server_.live()->options);
  if (!says)
    return;
  says->id = self_id();
  auto is_known = self->is == cluster::standing::up && self->says == *says;
  auto is_back = self->is == cluster::standing::draining && !self->leaves && !has_announced_;
  if (self->is == cluster::standing::gone || (is_known && !is_back) ||
      (self->is == cluster::standing::draining && !is_back))
    return;
  has_announced_ = true;
  propose(cluster::ask::member_up{*says});
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
  (void)server_.storage->read([folder = server_.live()->options.server.data_folder, next = *next](const reader&) {
    if (auto saved = cluster::save(folder, next); !saved)
      log::error("cluster.certificate_not_saved", {{"why", saved.why()}});
  });
}

void coordinator::propose(decltype(cluster::command::what) what, proposal_done done) {
  propose(cluster::command{now_ms(), std::move(what)}, std::move(done));
}

void coordinator::propose(const cluster::command& x, proposal_done done) {
  auto leader = leaders_.who_serves(system_shard).node;
  if (leader == self_id())
    return propose_here(x, std::move(done));
  if (leader == 0) {
    if (done)
      done(error{errc::not_leader, "the system group has no leader just now: a majority of its nodes is needed"});
    return;
  }
  auto request = ++last_request_;
  asked_[request] = {std::move(done), steady_ms() + proposal_ms};
  auto bytes = x.encode();
  to_node(leader, cluster::control::propose{request, bytes});
}

void coordinator::propose_here(const cluster::command& x, proposal_done done) {
  auto refuse = [&](struct error why) {
    if (done)
      done(std::move(why));
  };
  read_agreed();
  auto next = ahead_ ? *ahead_ : agreed_;
  auto outcome = cluster::apply(next, x);
  if (!outcome)
    return refuse(outcome.error());
  if (!outcome->changed && submitted_.empty()) {
    if (done)
      done(*outcome);
    return;
  }
  auto ticket = ++last_ticket_;
  auto taken = seat_of(system_shard)
                   .submit({server_.origin(id()), ticket, cluster::stored(next)},
                           [self = coordinator_actor{this}, ticket](const result<std::uint64_t>& index) {
                             caf::anon_send(self, msg::system_committed{ticket, index.code()});
                           });
  if (!taken)
    return refuse(taken.error());
  submitted_.push_back({ticket, *outcome, std::move(done)});
  ahead_ = std::move(next);
}

void coordinator::committed(const msg::system_committed& x) {
  if (submitted_.empty() || submitted_.front().ticket != x.ticket)
    return;
  auto one = std::move(submitted_.front());
  submitted_.pop_front();
  if (x.failure != errc::none || submitted_.empty())
    ahead_.reset(); // What stands on what was not committed is not committed either.
  read_agreed();
  if (!one.done)
    return;
  if (x.failure == errc::none)
    one.done(one.outcome);
  else
    one.done(error{x.failure, "the system group has not committed it"});
}

void coordinator::proposed(const cluster::control::proposed& x) {
  auto found = asked_.extract(x.request);
  if (found && found.mapped().done)
    found.mapped().done(x.outcome());
}

void coordinator::end_late_proposals() {
  auto now = steady_ms();
  while (!asked_.empty() && asked_.begin()->second.due_ms <= now) {
    auto one = asked_.extract(asked_.begin());
    if (one.mapped().done)
      one.mapped().done(error{errc::timeout, "the system group's leader does not answer: the outcome is unknown"});
  }
  std::erase_if(transfers_, [&](auto& one) { return one.second.second + transfer_ms <= now; });
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
  auto ask = cluster::ask::join{};
  ask.hash = cluster::hash_of_secret(x.what->secret);
  ask.who.id = x.what->node;
  ask.who.addresses = x.what->addresses;
  ask.who.version = x.what->software;
  ask.certificate = *digest;
  ask.certificate_expires_ms = (now_s + valid_s) * 1'000;
  propose(std::move(ask), [this, x, certificate = *certificate](const result<cluster::applied>& how) {
    if (!how) {
      log::warning("cluster.join_refused", {{"node", cluster::id_text(x.what->node)}, {"why", how.error().text}});
      return x.reply(
          net::failure{how.error().text.empty() ? std::string{condition_name(how.code())} : how.error().text});
    }
    log::info("cluster.joined", {{"node", cluster::id_text(x.what->node)}, {"number", how->number}});
    auto answer = cluster::join_answer{};
    answer.certificate = certificate;
    answer.shard_count = server_.route.shard_count();
    for (auto& [id, one] : agreed_.members)
      if (one.is != cluster::standing::gone)
        answer.members.push_back({id, one.says.addresses});
    x.reply(std::move(answer));
  });
}

// -- members ---------------------------------------------------------------------------------------------------------

bool coordinator::should_have(shard_id shard) const {
  auto i = agreed_.shards.find(shard);
  if (i == agreed_.shards.end())
    return false;
  auto& placed = i->second;
  return placed.has(self_id()) || (placed.moving && (std::ranges::count(placed.moving->add, self_id()) != 0 ||
                                                     std::ranges::count(placed.moving->remove, self_id()) != 0));
}

void coordinator::arrange_members() {
  for (auto& [shard, placed] : agreed_.shards) {
    auto is_here = members_.contains(shard);
    if (should_have(shard) && !is_here && beginning_.insert(shard).second)
      server_.storage->run(0, [self = coordinator_actor{this}, shard = shard](store* db) -> result<void> {
        if (!db)
          return {};
        auto made = db->is_group(shard) ? result<void>{} : db->append({}, std::array{raft::waiting_member(shard)});
        if (made)
          caf::anon_send(self, msg::group_ready{shard});
        return made;
      });
    else if (!should_have(shard) && is_here)
      end_member(shard);
  }
}

void coordinator::begin_member(shard_id shard) {
  auto how = group_replica_options{};
  how.shard = shard;
  how.raft.id = self_id();
  how.raft.seed = unsigned(std::random_device{}());
  auto calls = member::callbacks{};
  calls.send = [this_node = &node_, shard](raft::member_id to, const std::string& bytes, bool is_bulk) {
    this_node->send_raft(to, shard, bytes, is_bulk);
  };
  calls.on_leadership = [self = caf::weak_actor_ptr{ctrl()}, shard](const leadership& x) {
    if (auto strong = self.lock())
      caf::anon_send(caf::actor_cast<coordinator_actor>(strong), msg::leadership_changed{shard, x});
  };
  auto made = spawn<member, caf::monitored>(caf::strong_actor_ptr{ctrl()}, std::move(how), std::ref(*server_.storage),
                                            std::ref(seat_of(shard)), std::move(calls));
  members_[shard].actor = made;
}

void coordinator::end_member(shard_id shard) {
  auto& one = members_.at(shard);
  if (std::exchange(one.is_ending, true))
    return;
  send_exit(one.actor, caf::exit_reason::user_shutdown);
  leadership_changed({shard, {}});
}

void coordinator::child_failed(const msg::child_failed& x) {
  log::error("cluster.member_failed", {{"actor", x.child->id()}, {"what", x.what}});
  delayed_send(caf::actor_cast<supervised_actor>(x.child), std::chrono::seconds{1}, msg::verdict{});
}

// -- who serves what -------------------------------------------------------------------------------------------------

void coordinator::leadership_changed(const msg::leadership_changed& x) {
  auto i = members_.find(x.shard);
  if (i == members_.end())
    return;
  auto before = std::exchange(i->second.who, x.who);
  transfers_.erase(x.shard);
  auto& terms = own_leads_.terms;
  if (before.is_here != x.who.is_here)
    log::info("cluster.leader", {{"group", name_of(x.shard)},
                                 {"term", x.who.term},
                                 {"what", x.who.is_here ? "this node leads" : "this node leads no more"}});
  auto led = terms.find(x.shard);
  auto changes = x.who.is_here ? led == terms.end() || led->second != x.who.term : led != terms.end();
  if (!changes)
    return;
  if (x.who.is_here)
    terms[x.shard] = x.who.term;
  else
    terms.erase(led);
  ++own_leads_.sequence;
  node_.shards_led = terms.size();
  if (x.shard == system_shard)
    read_agreed();
  tell_shards(leaders_.apply(self_id(), own_leads_));
  to_all(own_leads_);
}

void coordinator::tell_shard(shard_id shard) {
  if (shard == system_shard || shard >= server_.route.shard_count())
    return;
  auto who = leaders_.who_serves(shard);
  auto said = msg::served{who.node, who.term};
  if (who.node == self_id())
    said.awaited = {up_.begin(), up_.end()};
  else if (who.node != 0)
    said.elsewhere = caf::actor_cast<caf::strong_actor_ptr>(node_.exchange().shard(who.node, shard));
  send(server_.route.shard(shard), std::move(said));
}

void coordinator::tell_shards(const std::vector<shard_id>& which) {
  for (auto shard : which)
    tell_shard(shard);
}

void coordinator::link_changed(const msg::link_changed& x) {
  auto node = cluster::id_text(x.node), name = agreed_.title(x.node);
  if (x.is_up) {
    log::info("cluster.link_up", {{"node", node}, {"name", name}});
    seen_.link_up(x.node, steady_ms());
    up_.insert(x.node);
    to_node(x.node, own_leads_);
    if (own_leads_.terms.contains(system_shard)) {
      auto bytes = agreed_.encode();
      to_node(x.node, cluster::control::state{bytes});
    }
    return;
  }
  log::warning("cluster.link_down", {{"node", node}, {"name", name}, {"why", x.why}});
  seen_.link_down(x.node);
  up_.erase(x.node);
  for (auto& [shard, one] : members_)
    if (auto member = seat_of(shard).member())
      member->is_down(x.node);
  tell_shards(leaders_.link_down(x.node));
  // Its sessions are not waited for.
  for (auto& [shard, term] : own_leads_.terms)
    if (shard != system_shard)
      send(server_.route.shard(shard), msg::registered{shard, x.node, term});
}

void coordinator::from_node(const msg::from_node& x) {
  namespace control = cluster::control;
  auto read = control::read(x.frame);
  if (!read)
    return;
  if (auto leads = std::get_if<control::leads>(&*read))
    return tell_shards(leaders_.apply(x.from, *leads));
  if (auto report = std::get_if<control::report>(&*read))
    return seen_.apply(x.from, *report, steady_ms());
  if (auto state = std::get_if<control::state>(&*read)) {
    if (auto decoded = cluster::state::decode(state->bytes))
      adopt(*std::move(decoded));
    return;
  }
  if (auto asked = std::get_if<control::propose>(&*read)) {
    auto answer = [this, from = x.from, request = asked->request](const result<cluster::applied>& how) {
      to_node(from, control::proposed{request, how});
    };
    auto what = cluster::command::decode(asked->command);
    if (!what)
      return answer(error{errc::feature_not_implemented, "this release does not know such a change"});
    if (!own_leads_.terms.contains(system_shard))
      return answer(error{errc::not_leader, "the system group's leader has just changed: try again"});
    return propose_here(*what, answer);
  }
  if (auto answer = std::get_if<control::proposed>(&*read))
    return proposed(*answer);
  if (auto asked = std::get_if<control::transfer>(&*read))
    return transfer(asked->shard, asked->to);
}

void coordinator::to_node(cluster::node_id to, const cluster::control::message& what) {
  auto is_large = std::holds_alternative<cluster::control::state>(what);
  auto frame = std::string{};
  if (auto written = cluster::control::append(frame, what); !written)
    return log::error("cluster.not_sent",
                      {{"message", cluster::control::summary(what)}, {"why", written.error().text}});
  (void)node_.send(to, is_large ? cluster::channel::bulk : cluster::channel::urgent, frame);
}

void coordinator::to_all(const cluster::control::message& what) {
  for (auto one : up_)
    to_node(one, what);
}

// -- where replicas are ----------------------------------------------------------------------------------------------

void coordinator::plan() {
  auto seen = seen_.seen(steady_ms());
  auto next = cluster::next_moves(agreed_, seen);
  for (auto& one : next.abort) {
    log::info("cluster.move_taken_back", {{"group", name_of(one.what.shard)}, {"why", one.why}});
    propose(one.what);
  }
  for (auto& one : next.begin) {
    log::info("cluster.move", {{"group", name_of(one.what.shard)}, {"why", one.why}});
    propose(one.what);
  }
  for (auto& one : next.leave) {
    log::info("cluster.leaves", {{"node", agreed_.title(one.who)}});
    propose(one);
  }
  for (auto& one : cluster::leader_transfers(agreed_, seen)) {
    log::info("cluster.transfer", {{"group", name_of(one.shard)}, {"to", agreed_.title(one.to)}, {"why", one.why}});
    if (one.from == self_id())
      transfer(one.shard, one.to);
    else
      to_node(one.from, cluster::control::transfer{one.shard, one.to});
  }
}

void coordinator::transfer(shard_id shard, cluster::node_id to) {
  if (!own_leads_.terms.contains(shard) || transfers_.contains(shard))
    return;
  if (auto member = seat_of(shard).member()) {
    transfers_[shard] = {to, steady_ms()};
    member->transfer(to, {});
  }
}

/// To whoever is linked and has most of it.
void coordinator::hand_over() {
  auto is_alone = up_.empty();
  if (!is_alone && !std::exchange(has_drained_, true))
    propose(cluster::ask::drain{self_id()}); // Else leaders would come back.
  for (auto& [shard, term] : own_leads_.terms) {
    auto& last = members_.at(shard).last;
    auto best = static_cast<const group_replica::status::other*>(nullptr);
    if (!last)
      continue;
    for (auto& one : last->members)
      if (one.member.role == raft::role::voter && up_.contains(one.member.id) && (!best || one.match > best->match))
        best = &one;
    if (best)
      transfer(shard, best->member.id);
  }
  if (is_alone)
    node_.shards_led = 0; // There is nobody to wait for.
}

/// One step at most, of what the move still needs; looked at anew each time, so that it can be done by whoever leads.
void coordinator::move_on(shard_id shard) {
  auto member = seat_of(shard).member();
  auto found = members_.find(shard);
  auto next = cluster::step_of(agreed_, seen_.seen(steady_ms()), shard);
  if (!next || !member || found == members_.end() || !found->second.last)
    return;
  auto move = agreed_.shards.at(shard).moving->id;
  auto last = *found->second.last;
  auto members = std::vector<raft::member>{};
  for (auto& other : last.members)
    members.push_back(other.member);
  auto find = [&](cluster::node_id x) { return std::ranges::find(members, x, &raft::member::id); };
  auto done = [&](cluster::node_id who) { propose(cluster::ask::move_step_done{shard, move, next->at, who}); };
  auto told = [shard, at = next->at](raft::refusal x) {
    static constexpr const char* whys[] = {"", "not the leader", "busy", "misuse"};
    if (x != raft::refusal::none)
      log::debug("cluster.step_refused",
                 {{"group", name_of(shard)}, {"step", cluster::name_of(at)}, {"why", whys[std::size_t(x)]}});
  };
  switch (next->at) {
  case cluster::step::add_spare:
    for (auto who : next->who)
      if (find(who) == members.end()) {
        members.push_back({who, raft::role::spare});
        return member->change(std::move(members), told);
      }
    return done(0);
  case cluster::step::catch_up:
    for (auto who : next->who) {
      auto i = std::ranges::find(last.members, who, [](auto& x) { return x.member.id; });
      if (i == last.members.end() || i->member.role == raft::role::voter || i->catch_up_progress == 3)
        continue;
      if (i->catch_up_progress != 1)
        member->catch_up(who, told);
      return;
    }
    return done(0);
  case cluster::step::promote:
    if (next->who.empty())
      return;
    if (auto i = find(next->who.front()); i != members.end()) {
      if (i->role == raft::role::voter)
        return done(i->id);
      i->role = raft::role::voter;
      member->change(std::move(members), told);
    }
    return;
  case cluster::step::transfer_leader:
    if (next->who.empty())
      return done(0);
    return transfer(shard, next->who.front());
  case cluster::step::remove:
    if (next->who.empty())
      return;
    if (auto i = find(next->who.front()); i == members.end()) {
      done(next->who.front());
    } else {
      members.erase(i);
      member->change(std::move(members), told);
    }
    return;
  }
}

} // namespace xmpp
