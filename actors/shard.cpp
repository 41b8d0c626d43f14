#include "actors/shard.hpp"

#include "actors/cluster_node.hpp"
#include "actors/log.hpp"
#include "actors/trace.hpp"
#include "actors/undelivered.hpp"
#include "actors/user.hpp"
#include "cluster/identity.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace xmpp {

namespace {

/// A stanza for an account whose mailbox is longer, or would be larger, than this is refused.
constexpr std::uint32_t user_mailbox_max = 20'000;
constexpr std::size_t user_mailbox_bytes_max = 8 << 20;

/// What waits while nobody serves the shard, or not yet; more is refused.
constexpr auto held_max = std::size_t{20'000};
constexpr auto held_bytes_max = std::size_t{8} << 20;
/// How long for a node to serve it: clients are told within 2 s (README, "Clustering").
constexpr auto wait_max = std::chrono::milliseconds{1'500};
/// How long for sessions to attach, and for users to end.
constexpr auto register_max = std::chrono::milliseconds{1'000};
constexpr auto leave_max = std::chrono::milliseconds{1'000};

caf::error ours(errc code) {
  return {std::uint8_t(code), caf::atom("xmpp")};
}

/// A failing account is one account: it never takes its shard down. Past the intensity it stays down for a while.
constexpr auto user_restarts = restart_options{strategy::one_for_one, 20, std::chrono::seconds{60}};
constexpr auto user_rest = std::chrono::seconds{30};

/// Between looks for users that are idle for long enough.
std::chrono::seconds tick_of(const server_context& server) {
  return std::chrono::seconds{std::clamp(server.live()->options.accounts.idle_retire_s, 1u, 15u)};
}

user& state_of(const user_actor& x) {
  return static_cast<user&>(*caf::actor_cast<caf::abstract_actor*>(x));
}

} // namespace

shard::shard(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server, shard_id index)
    : supervised(cfg, actor_kind::shard, std::move(parent)), server_(server), index_(index),
      duty_(server.is_in_cluster ? duty::refuses : duty::serves) {
  set_down_handler([this](caf::down_msg& x) {
    user_has_left(x.source);
    // Those that retire are not looked at any more; this one ended in another way. Its sessions come to the next.
    auto i =
        std::find_if(users_.begin(), users_.end(), [&](auto& one) { return one.second.actor.address() == x.source; });
    if (i == users_.end())
      return;
    auto account = i->first;
    log::error("user.gone", {{"account", account.text()}, {"reason", to_string(x.reason)}});
    i->second.actor = start_user(account, true);
    if (auto waiting = std::exchange(i->second.held, nullptr))
      release(std::move(*waiting), errc::none);
  });
}

shard::behavior_type shard::make_behavior() {
  begin({}, "shard " + std::to_string(index_));
  server_.idle[index_].open();
  delayed_send(this, tick_of(server_), msg::tick{});
  if (server_.node && served_.node == 0)
    if (auto knows = server_.node->coordinator()) // Else it will say so by itself.
      send(caf::actor_cast<who_serves_actor>(knows), msg::who_serves{index_});
  return {
      [this](const msg::deliver& x) { pass(x, x.what.to.bare()); },
      [this](const msg::deliver_for_good& x) { return ask<msg::outcome>(x, x.what.to.bare()); },
      [this](const msg::show& x) { pass(x, x.what.to.bare()); },
      [this](const msg::came_back& x) { pass(x, x.what.to.bare()); },
      [this](const msg::has_left& x) { has_left(x); },
      [this](const msg::sent& x) { pass(x, x.what.from.bare()); },
      [this](const msg::attach& x) { return attach(x); },
      [this](const msg::detach& x) { return detach(x); },
      [this](const msg::lookup& x) { return ask<msg::found>(x, x.account); },
      [this](const msg::set_credentials& x) { return ask<msg::outcome>(x, x.account); },
      [this](const msg::remove_account& x) { return ask<msg::outcome>(x, x.account); },
      [this](const msg::may_retire& x) { ask_to_retire(x.account); },
      [this](const msg::retired& x) { retired(x); },
      [this](const msg::unhandled& x) { unhandled(x); },
      [this](const msg::served& x) { served(x); },
      [this](const msg::registered& x) { registered(x); },
      [this](const msg::waited& x) { waited(x); },
      [this](const msg::shown& x) { shown(x); },
      [this](const msg::heritage& x) { heritage(x); },
      [this](const msg::pace& x) { pace(x); },
      [this](const msg::tick&) {
        delayed_send(this, tick_of(server_), msg::tick{});
        auto before = now_ms() - std::int64_t(server_.live()->options.accounts.idle_retire_s) * 1000;
        server_.idle[index_].take(before, [this](user& x) { ask_to_retire(x.account()); });
        auto now = std::chrono::steady_clock::now();
        std::erase_if(failures_, [&](auto& one) { return one.second.empty(now, user_restarts); });
      },
      [this](const msg::child_failed& x) { child_failed(x); },
      [this](const msg::verdict& x) { decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [this](const msg::describe&) { return describe(); },
  };
}

shard::entry& shard::user_of(const jid& account) {
  auto i = users_.find(account.text());
  if (i == users_.end())
    i = users_.emplace(account, entry{start_user(account, false)}).first;
  return i->second;
}

void shard::ask_to_retire(const jid& account) {
  auto i = users_.find(account.text());
  if (i == users_.end() || i->second.held)
    return;
  i->second.held = std::make_unique<queue>();
  send(i->second.actor, msg::retire{});
}

void shard::retired(const msg::retired& x) {
  if (auto i = leaving_.find(current_sender()->id()); i != leaving_.end() && x.has_ended)
    return user_has_left(i->second.address());
  auto i = users_.find(x.account.text());
  if (i == users_.end() || i->second.actor != caf::actor_cast<user_actor>(current_sender()))
    return;
  auto waiting = std::exchange(i->second.held, nullptr);
  if (x.has_ended) {
    demonitor(i->second.actor.address());
    users_.erase(i);
  }
  if (waiting) // Else nobody asked it.
    release(std::move(*waiting), errc::none);
}

void shard::release(queue x, errc why) {
  for (auto& one : x.all)
    one(why);
}

void shard::unhandled(const msg::unhandled& x) {
  auto again = [this, x](errc why) {
    auto& content = x.what.content();
    auto take = [&](const auto& one, const jid& account) {
      if (why == errc::none)
        pass(one, account);
      else
        refuse(one.what, why);
    };
    if (content.match_elements<msg::deliver>())
      take(content.get_as<msg::deliver>(0), content.get_as<msg::deliver>(0).what.to.bare());
    else if (content.match_elements<msg::show>())
      take(content.get_as<msg::show>(0), content.get_as<msg::show>(0).what.to.bare());
    else if (content.match_elements<msg::came_back>())
      take(content.get_as<msg::came_back>(0), content.get_as<msg::came_back>(0).what.to.bare());
    else if (content.match_elements<msg::sent>())
      take(content.get_as<msg::sent>(0), content.get_as<msg::sent>(0).what.from.bare());
    else if (why == errc::none)
      enqueue(caf::make_mailbox_element(x.sender, x.id, {}, x.what), context());
    else if (x.sender && x.id.is_request())
      x.sender->enqueue(ctrl(), x.id.response_id(), caf::make_message(ours(why)), context());
  };
  if (leaving_.empty())
    again(refusal());
  else
    left_.all.push_back(std::move(again));
}

user_actor shard::start_user(const jid& account, bool behind_pending) {
  return spawn<user, caf::monitored>(caf::strong_actor_ptr{ctrl()}, std::ref(server_), index_, account, behind_pending);
}

void shard::child_failed(const msg::child_failed& x) {
  auto wait = failures_[x.child->id()].failed(std::chrono::steady_clock::now(), user_restarts);
  log::error("user.failed", {{"shard", index_}, {"actor", x.child->id()}, {"what", x.what}, {"rests", !wait}});
  auto after = wait ? *wait : std::chrono::milliseconds{user_rest};
  auto target = caf::actor_cast<user_actor>(x.child);
  if (after.count() == 0)
    send(target, msg::verdict{});
  else
    delayed_send(target, after, msg::verdict{});
}

void shard::restart() {
  // The map is soft state: the users themselves go on, and are found again. Until then nobody else may hold them.
  auto former = std::exchange(users_, {});
  failures_.clear();
  registry::instance().for_each(actor_kind::user, [this](const registry::entry& x) {
    if (x.supervisor == id() && !leaving_.contains(x.actor->id()))
      users_.emplace(jid::from_prepared(x.name), entry{caf::actor_cast<user_actor>(x.actor)});
    return true;
  });
  // Those that were asked to end still answer; or they have, and were not heard.
  for (auto& [account, one] : former)
    if (auto i = users_.find(account.text()); one.held && i != users_.end() && i->second.actor == one.actor)
      i->second.held = std::move(one.held);
    else if (one.held)
      release(std::move(*one.held), errc::none);
}

void shard::on_stop(const std::string&) {
  for (auto& [account, one] : std::exchange(users_, {}))
    send_exit(one.actor, caf::exit_reason::user_shutdown);
  for (auto& [id, actor] : std::exchange(leaving_, {}))
    send_exit(actor, caf::exit_reason::user_shutdown);
}

void shard::on_exit_message(caf::exit_msg& x) {
  on_stop({});
  quit(std::move(x.reason));
}

void shard::on_exit() {
  server_.idle[index_].close(); // else it and its users would hold each other
}

msg::description shard::describe() const {
  return {{{"shard", std::to_string(index_)},
           {"users", std::to_string(users_.size())},
           {"leader", !server_.is_in_cluster || is_served_here() ? "this node"
                      : served_.node != 0                        ? "node " + cluster::id_text(served_.node)
                                                                 : "none"},
           {"duty", std::string{name_of(duty_)}},
           {"term", std::to_string(served_.term)},
           {"waiting", std::to_string(held_.all.size())}}};
}

std::string_view shard::name_of(duty x) noexcept {
  switch (x) {
  case duty::serves:
    return "serves";
  case duty::forwards:
    return "forwards";
  case duty::registers:
    return "waits for sessions";
  case duty::waits:
    return "waits for a leader";
  case duty::refuses:
    return "refuses";
  }
  return "?";
}

// -- to whoever serves the account -----------------------------------------------------------------------------------

template <class Message>
void shard::pass(const Message& x, const jid& account) {
  if (forwards())
    return send(elsewhere(), x);
  if (auto why = refusal(); why != errc::none)
    return refuse(x.what, why);
  auto to = duty_ == duty::serves ? &user_of(account) : nullptr;
  auto bytes = x.what.tree.bytes().size();
  constexpr auto is_of_others = !std::is_same_v<Message, msg::sent>; // Its own sessions have their own bounds.
  constexpr auto is_new = is_of_others && !std::is_same_v<Message, msg::came_back>;
  if (to && is_new && !has_room(*to, bytes))
    return refuse(x.what, errc::resource_constraint);
  if (to && !to->held) {
    if (is_of_others)
      state_of(to->actor).expects(x.what);
    return send(to->actor, x);
  }
  auto& waiting = to ? *to->held : held_;
  waiting.bytes += bytes;
  waiting.all.push_back([this, x, account](errc why) {
    if (why == errc::none)
      pass(x, account);
    else
      refuse(x.what, why);
  });
}

bool shard::has_room(const entry& x, std::size_t bytes) {
  auto& its = state_of(x.actor);
  auto count = its.mailbox_size() + (x.held ? x.held->all.size() : 0);
  auto all_bytes = its.coming_bytes() + (x.held ? x.held->bytes : 0) + bytes;
  return count <= user_mailbox_max && all_bytes <= user_mailbox_bytes_max;
}

template <class Answer, class Message>
caf::result<Answer> shard::ask(const Message& x, const jid& account) {
  if (forwards())
    return delegate(elsewhere(), x);
  auto to = duty_ == duty::serves ? &user_of(account) : nullptr;
  if (to && !to->held)
    return delegate(to->actor, x);
  auto promise = make_response_promise<Answer>();
  if (auto why = refusal(); why != errc::none)
    promise.deliver(ours(why));
  else
    (to ? *to->held : held_).all.push_back([this, promise, x, account](errc why) mutable {
      if (why != errc::none)
        promise.deliver(ours(why));
      else if (duty_ == duty::forwards)
        promise.delegate(elsewhere(), x);
      else
        promise.delegate(user_of(account).actor, x);
    });
  return promise;
}

/// When the link has just gone nobody may have said so yet.
bool shard::forwards() {
  if (duty_ == duty::forwards && server_.node && !server_.node->is_up(served_.node))
    begin_wait(duty::waits, wait_max);
  return duty_ == duty::forwards;
}

/// Why nothing can be held any more.
errc shard::refusal() const {
  return duty_ == duty::refuses                                          ? errc::remote_server_timeout
         : held_.all.size() >= held_max || held_.bytes >= held_bytes_max ? errc::resource_constraint
                                                                         : errc::none;
}

void shard::refuse(const stanza& x, errc why) {
  trace::note(trace::station::refused, "shard", x.to, x);
  if (server_.node && x.kind == stanza_kind::iq && !x.is_request())
    server_.node->note_loss();
  answer_undelivered(server_, x, why, duty_ == duty::serves ? std::nullopt : std::optional{index_});
}

caf::result<msg::attached> shard::attach(const msg::attach& x) {
  if (x.again && x.node == 0)
    session_has_registered(x.session_id);
  if (!x.again || !server_.is_in_cluster || (duty_ != duty::registers && duty_ != duty::serves))
    return ask<msg::attached>(x, x.account);
  if (!is_served_here())
    return delegate(elsewhere(), x);
  auto known = x;
  known.tells = surprises(x);
  if (duty_ == duty::serves)
    return ask<msg::attached>(known, x.account);
  return delegate(user_of(x.account).actor, std::move(known));
}

caf::result<msg::detached> shard::detach(const msg::detach& x) {
  session_has_registered(x.session_id);
  // Nobody there: then nobody knows of that session, but those whom it told itself.
  if (duty_ == duty::serves && !users_.contains(x.full.bare_text()) && x.directed.empty())
    return msg::detached{};
  return ask<msg::detached>(x, x.full.bare());
}

/// Who serves the account waits for this. Nobody else need hear of it.
void shard::has_left(const msg::has_left& x) {
  if (forwards())
    return send(elsewhere(), x);
  auto i = users_.find(x.full.bare_text());
  if (i == users_.end())
    return;
  if (i->second.held)
    i->second.held->all.push_back([this, x](errc why) { why == errc::none ? has_left(x) : void(); });
  else
    send(i->second.actor, x);
}

// -- when that changes -----------------------------------------------------------------------------------------------

void shard::served(const msg::served& x) {
  auto was_here = is_served_here();
  auto is_same = was_here && x.node == served_.node && x.term == served_.term;
  served_ = x;
  if (is_same)
    return duty_ == duty::serves ? name_heirs(x.heirs) : void();
  if (is_served_here())
    present_.doubt_all();
  registering_.clear();
  awaited_ = {x.awaited.begin(), x.awaited.end()};
  for (auto& [account, one] : std::exchange(users_, {})) {
    send(one.actor, msg::lose{});
    leaving_.emplace(one.actor->id(), one.actor);
    if (one.held) {
      std::move(one.held->all.begin(), one.held->all.end(), std::back_inserter(held_.all));
      held_.bytes += one.held->bytes;
    }
  }
  failures_.clear();
  if (!leaving_.empty())
    return begin_wait(duty::waits, leave_max);
  go_on();
}

void shard::user_has_left(const caf::actor_addr& who) {
  auto i = std::find_if(leaving_.begin(), leaving_.end(), [&](auto& one) { return one.second.address() == who; });
  if (i == leaving_.end())
    return;
  demonitor(who);
  leaving_.erase(i);
  if (leaving_.empty())
    go_on();
}

void shard::go_on() {
  auto later = std::exchange(held_, std::exchange(left_, {}));
  std::move(later.all.begin(), later.all.end(), std::back_inserter(held_.all));
  held_.bytes += later.bytes;
  if (served_.node == 0) {
    if (duty_ != duty::refuses)
      begin_wait(duty::waits, wait_max);
    return;
  }
  begin_wait(duty::registers, register_max);
  for (auto& one : server_.sessions.of(index_)) {
    registering_.insert(server_.session_number(one->id()));
    send(one, msg::attach_again{});
  }
  all_may_have_registered();
}

void shard::session_has_registered(std::uint64_t session_id) {
  if (registering_.erase(session_id) != 0 && registering_.empty())
    send(this, msg::registered{index_, 0, served_.term}); // Behind it.
}

void shard::registered(const msg::registered& x) {
  if (x.term != served_.term)
    return;
  awaited_.erase(x.node);
  all_may_have_registered();
}

void shard::all_may_have_registered() {
  if (duty_ != duty::registers || !registering_.empty() || (is_served_here() && !awaited_.empty()))
    return;
  if (!is_served_here()) {
    give_heritage_back();
    send(elsewhere(), msg::registered{index_, server_.self, served_.term});
  }
  duty_ = is_served_here() ? duty::serves : duty::forwards;
  ++wait_;
  if (is_served_here())
    serves_from_now_on();
  let_through(errc::none);
  server_.route.set_node(index_, is_served_here() ? 0 : served_.node);
}

void shard::waited(const msg::waited& x) {
  if (x.wait != wait_)
    return;
  if (duty_ == duty::registers) {
    log::warning("shard.sessions_missing",
                 {{"shard", index_}, {"sessions", registering_.size()}, {"nodes", awaited_.size()}});
    registering_.clear();
    awaited_.clear();
    return all_may_have_registered();
  }
  if (!leaving_.empty()) {
    for (auto& [id, one] : std::exchange(leaving_, {})) {
      demonitor(one.address());
      send_exit(one, caf::exit_reason::kill);
    }
    if (server_.node)
      server_.node->note_loss(); // With what they had taken.
    return go_on();
  }
  duty_ = duty::refuses;
  let_through(errc::remote_server_timeout);
}

void shard::begin_wait(duty what, std::chrono::milliseconds time) {
  duty_ = what;
  server_.route.set_node(index_, 0);
  delayed_send(this, time, msg::waited{++wait_});
}

void shard::let_through(errc why) {
  release(std::exchange(held_, {}), why);
}

} // namespace xmpp
