#include "actors/shard.hpp"

#include "actors/log.hpp"
#include "actors/trace.hpp"
#include "actors/user.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace xmpp {

namespace {

/// A stanza for an account whose mailbox is longer than this is refused.
constexpr std::uint32_t user_mailbox_max = 20'000;

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
    : supervised(cfg, actor_kind::shard, std::move(parent)), server_(server), index_(index) {
  set_down_handler([this](caf::down_msg& x) {
    // Those that retire are not looked at any more; this one ended in another way. Its sessions come to the next.
    auto i =
        std::find_if(users_.begin(), users_.end(), [&](auto& one) { return one.second.actor.address() == x.source; });
    if (i == users_.end())
      return;
    auto account = i->first;
    log::error("user.gone", {{"account", account.text()}, {"reason", to_string(x.reason)}});
    i->second.actor = start_user(account, true);
    if (auto held = std::exchange(i->second.held, nullptr))
      for (auto& one : *held)
        one();
  });
}

shard::behavior_type shard::make_behavior() {
  begin({}, "shard " + std::to_string(index_));
  server_.idle[index_].open();
  delayed_send(this, tick_of(server_), msg::tick{});
  return {
      [this](const msg::deliver& x) { deliver(x); },
      [this](const msg::deliver_for_good& x) { return ask<msg::outcome>(x, x.what.to.bare()); },
      [this](const msg::show& x) { pass(x, x.what.to.bare()); },
      [this](const msg::sent& x) { pass(x, x.what.from.bare()); },
      [this](const msg::attach& x) { return ask<msg::attached>(x, x.account); },
      [this](const msg::detach& x) { return detach(x); },
      [this](const msg::lookup& x) { return ask<msg::found>(x, x.account); },
      [this](const msg::set_credentials& x) { return ask<msg::outcome>(x, x.account); },
      [this](const msg::remove_account& x) { return ask<msg::outcome>(x, x.account); },
      [this](const msg::may_retire& x) { ask_to_retire(x.account); },
      [this](const msg::retired& x) { retired(x); },
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

template <class Message>
void shard::pass(const Message& x, const jid& account) {
  auto& to = user_of(account);
  if (!to.held)
    return send(to.actor, x);
  to.held->push_back([this, x, account] { pass(x, account); });
}

template <class Answer, class Message>
caf::result<Answer> shard::ask(const Message& x, const jid& account) {
  auto& to = user_of(account);
  if (!to.held)
    return delegate(to.actor, x);
  auto promise = make_response_promise<Answer>();
  to.held->push_back([this, x, account, promise]() mutable { promise.delegate(user_of(account).actor, x); });
  return promise;
}

void shard::deliver(const msg::deliver& x) {
  auto account = x.what.to.bare();
  auto& to = user_of(account);
  if (state_of(to.actor).mailbox_size() + (to.held ? to.held->size() : 0) <= user_mailbox_max)
    return pass(x, account);
  trace::note(trace::station::refused, "shard", x.what.to, x.what);
  if (!x.what.from.empty() && x.what.may_answer_with_error() && x.what.from.has_local())
    send(server_.route.shard(x.what.from), msg::deliver{x.what.error_reply(errc::resource_constraint)});
}

caf::result<msg::detached> shard::detach(const msg::detach& x) {
  // Nobody there: then nobody knows of that session, but those whom it told itself.
  if (users_.contains(x.full.bare_text()) || !x.directed.empty())
    return ask<msg::detached>(x, x.full.bare());
  return msg::detached{};
}

void shard::ask_to_retire(const jid& account) {
  auto i = users_.find(account.text());
  if (i == users_.end() || i->second.held)
    return;
  i->second.held = std::make_unique<std::vector<std::function<void()>>>();
  send(i->second.actor, msg::retire{});
}

void shard::retired(const msg::retired& x) {
  auto i = users_.find(x.account.text());
  if (i == users_.end() || i->second.actor != caf::actor_cast<user_actor>(current_sender()))
    return;
  auto held = std::exchange(i->second.held, nullptr);
  if (x.has_ended) {
    demonitor(i->second.actor.address());
    users_.erase(i);
  }
  for (auto& one : *held)
    one();
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
    if (x.supervisor == id())
      users_.emplace(jid::from_prepared(x.name), entry{caf::actor_cast<user_actor>(x.actor)});
    return true;
  });
  // Those that were asked to end still answer; or they have, and were not heard.
  for (auto& [account, one] : former)
    if (auto i = users_.find(account.text()); one.held && i != users_.end() && i->second.actor == one.actor)
      i->second.held = std::move(one.held);
    else if (one.held)
      for (auto& held : *one.held)
        held();
}

void shard::on_stop(const std::string&) {
  for (auto& [account, one] : std::exchange(users_, {}))
    send_exit(one.actor, caf::exit_reason::user_shutdown);
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
           {"leader", "this node"},
           {"members", "1"}}};
}

} // namespace xmpp
