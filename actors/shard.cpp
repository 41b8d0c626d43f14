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
    // Users that retire are gone from the map by now; this one ended in another way. Its sessions come to the next.
    auto i = std::find_if(users_.begin(), users_.end(), [&](auto& one) { return one.second.address() == x.source; });
    if (i == users_.end())
      return;
    auto account = i->first;
    log::error("user.gone", {{"account", account.text()}, {"reason", to_string(x.reason)}});
    i->second = start_user(account, true);
  });
}

shard::behavior_type shard::make_behavior() {
  begin({}, "shard " + std::to_string(index_));
  server_.idle[index_].open();
  delayed_send(this, tick_of(server_), msg::tick{});
  return {
      [this](const msg::deliver& x) {
        auto& target = user_of(x.what.to.bare());
        if (state_of(target).mailbox_size() > user_mailbox_max) {
          trace::note(trace::station::refused, "shard", x.what.to, x.what);
          if (!x.what.from.empty() && x.what.may_answer_with_error() && x.what.from.has_local())
            send(server_.route.shard(x.what.from), msg::deliver{x.what.error_reply(errc::resource_constraint)});
          return;
        }
        send(target, x);
      },
      [this](const msg::deliver_for_good& x) { return delegate(user_of(x.what.to.bare()), x); },
      [this](const msg::show& x) { send(user_of(x.what.to.bare()), x); },
      [this](const msg::sent& x) { send(user_of(x.what.from.bare()), x); },
      [this](const msg::attach& x) { return delegate(user_of(x.account), x); },
      [this](const msg::detach& x) -> caf::result<msg::detached> {
        // Nobody there: then nobody knows of that session, but those whom it told itself.
        if (auto i = users_.find(x.full.bare_text()); i != users_.end())
          return delegate(i->second, x);
        if (!x.directed.empty())
          return delegate(user_of(x.full.bare()), x);
        return msg::detached{};
      },
      [this](const msg::lookup& x) { return delegate(user_of(x.account), x); },
      [this](const msg::set_credentials& x) { return delegate(user_of(x.account), x); },
      [this](const msg::remove_account& x) { return delegate(user_of(x.account), x); },
      [this](const msg::retired& x) {
        auto i = users_.find(x.account);
        if (i == users_.end() || i->second != caf::actor_cast<user_actor>(current_sender()))
          return;
        // Behind everything that went to it: what it still has, it sends back here.
        auto old = i->second;
        users_.erase(i);
        demonitor(old.address());
        send(old, msg::retire{true});
      },
      [this](const msg::tick&) {
        delayed_send(this, tick_of(server_), msg::tick{});
        auto before = now_ms() - std::int64_t(server_.live()->options.accounts.idle_retire_s) * 1000;
        server_.idle[index_].take(before, [this](user& x) { send(user_actor{&x}, msg::retire{}); });
        auto now = std::chrono::steady_clock::now();
        std::erase_if(failures_, [&](auto& one) { return one.second.empty(now, user_restarts); });
      },
      [this](const msg::child_failed& x) { child_failed(x); },
      [this](const msg::verdict& x) { decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [this](const msg::describe&) { return describe(); },
  };
}

user_actor& shard::user_of(const jid& account) {
  auto i = users_.find(account.text());
  if (i == users_.end())
    i = users_.emplace(account, start_user(account, false)).first;
  return i->second;
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
      users_.emplace(jid::from_prepared(x.name), caf::actor_cast<user_actor>(x.actor));
    return true;
  });
}

void shard::on_stop(const std::string&) {
  for (auto& [account, actor] : std::exchange(users_, {}))
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
           {"leader", "this node"},
           {"members", "1"}}};
}

} // namespace xmpp
