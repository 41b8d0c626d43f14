// USER: what its own sessions ask of it, the account's iq, and what the extensions decide about them.

#include "actors/log.hpp"
#include "actors/remote.hpp"
#include "actors/trace.hpp"
#include "actors/user.hpp"
#include "actors/user_context.hpp"
#include "persistence/blocks.hpp"
#include "persistence/records.hpp"
#include "protocol/blocklist.hpp"
#include "protocol/iq.hpp"
#include "protocol/namespaces.hpp"

#include <algorithm>
#include <utility>

namespace xmpp {

namespace {

/// What a client sent to others, or to its other devices; not to its account.
bool is_for_others(const stanza& x, const jid& account) {
  if (x.kind == stanza_kind::message)
    return true;
  if (x.kind == stanza_kind::presence)
    return !x.to.empty() && !is_subscription(x.type);
  return x.to.has_local() && (x.to.is_full() || x.to.text() != account.text());
}

} // namespace

void user::sent(const msg::sent& x) {
  auto is_seen_by_others = x.what.kind != stanza_kind::iq || is_for_others(x.what, account_);
  auto is_behind = std::any_of(pending_.begin(), pending_.end(), [](auto& one) { return one.turn != nullptr; });
  if (!is_seen_by_others || is_subscription(x.what.type) || !is_behind)
    return handle(x);
  // What its devices are having committed may have something to tell the same people, and comes first.
  ++before_next_;
  after_commits([this, x](errc) {
    --before_next_;
    handle(x);
  });
}

void user::handle(const msg::sent& x) {
  trace::note(trace::station::handled, "user", account_, x.what);
  turn_ = x.turn;
  auto done = std::unique_ptr<user, void (*)(user*)>{this, [](user* me) { me->turn_ = nullptr; }};
  if (!x.is_unchecked)
    return handle_checked(x);
  auto checked = x;
  if (passes_hooks(checked.what))
    handle_checked(checked);
}

void user::handle_checked(const msg::sent& x) {
  if (is_for_others(x.what, account_))
    return forward(x.what);
  if (x.what.kind == stanza_kind::presence && is_subscription(x.what.type))
    return own_subscription(x.what);
  auto session = find_session(x.what.from, x.session_id);
  if (!session) { // It ended, or was replaced, while this was on its way.
    if (x.what.type == stanza_type::unavailable)
      tell_directed(x.directed, x.what);
    return note_idleness();
  }
  switch (x.what.kind) {
  case stanza_kind::message: // forwarded
    return;
  case stanza_kind::presence:
    own_presence(x.what, *session, x.was_available);
    return tell_directed(x.directed, x.what);
  case stanza_kind::iq:
    if (x.what.payload().ns() != ns::roster)
      return answer(x.what);
    return x.what.type == stanza_type::get ? roster_get(x.what) : roster_set(x.what);
  }
}

bool user::passes_hooks(stanza& x) {
  auto live = server_.live();
  auto* home = live->find_host(account_.domain());
  if (!home || !exists_)
    return exists_;
  auto view = user_context{*this, home->info};
  for (auto* one : hooks_on_sent()) {
    auto said = one->on_sent(x, view);
    if (said.what == verdict::reject) // Behind the answer to the change that it is judged by.
      after_commits([this, x, said](errc) { refuse(x, said.code, said.application_condition); });
    if (said.what != verdict::pass)
      return false;
    if (said.instead)
      x = *std::move(said.instead);
  }
  return true;
}

/// It was behind something that this account had to deal with first. Of one that is no more nothing comes any more.
void user::forward(const stanza& x) {
  if (!exists_)
    return note_idleness();
  if (x.to.bare_text() == account_.text())
    return deliver(x);
  auto session = find_session(x.from.resource());
  if (auto node = session ? bound_[*session].node : 0; node != 0 && server_.far)
    return forward_from(node, x);
  if (x.kind == stanza_kind::presence)
    return show(x);
  route(x);
}

/// By its session's node, which is where the session's next stanza goes from: who serves the recipient may be known
/// there and not yet here, and then that one would come first.
void user::forward_from(std::uint64_t node, const stanza& x) {
  auto way = server_.far->shard(node, server_.route.shard_of(x.to));
  auto hidden = blocks_ && x.kind == stanza_kind::presence ? blocks_->resources_of(x.to) : std::vector<jid>{};
  if (hidden.empty())
    send(way, msg::deliver{x});
  else
    send(way, msg::show{x, std::move(hidden)});
}

/// An iq for the account, from its own sessions or from anybody.
void user::answer(const stanza& x) {
  if (x.type != stanza_type::get) // A change shows by itself whether this is still the account's node.
    return answer_now(x);
  auto is_own = x.from.bare_text() == account_.text();
  before_next_ += is_own;
  when_current([this, x, is_own](errc failure) {
    before_next_ -= is_own;
    if (failure == errc::none)
      answer_now(x);
    else
      refuse(x, failure);
  });
}

void user::answer_now(const stanza& x) {
  if (record_for(x, iq_rule::at_account).empty())
    return answer_with(x, std::nullopt);
  // A change of what is read must be under way before the next one reads it.
  auto changes = x.type == stanza_type::set;
  before_next_ += changes;
  read(
      [at = place(), x](const reader& from, msg::was_read& to) {
        auto record =
            find_record(x, iq_rule::at_account, [&](std::string_view name) { return records::find(from, at, name); });
        to.failure = record.code();
        if (record)
          to.value = *std::move(record);
      },
      [this, x, changes](const msg::was_read& r) {
        before_next_ -= changes;
        if (r.failure != errc::none)
          return refuse(x, r.failure);
        answer_with(x, r.value);
      });
}

void user::answer_with(const stanza& x, std::optional<std::string> record) {
  auto live = server_.live();
  auto* home = live->find_host(account_.domain());
  if (!home)
    return refuse(x, errc::service_unavailable);
  auto view = user_context{*this, home->info, std::move(record)};
  auto reply = answer_iq(x, view);
  if (auto session = find_session(x.from.resource());
      session && view.is_own(x) && x.type == stanza_type::get && x.payload().ns() == ns::blocking)
    views_[*session].wants_blocks = true;
  if (view.removes_account)
    return remove_everything(
        [this, x, reply](errc failure) {
          if (failure != errc::none)
            return refuse(x, failure);
          log::info("registration.removed", {{"account", account_.text()}});
        },
        reply);
  if (view.new_password)
    return change_password(x, reply, *std::move(view.new_password));
  if (view.new_blocks)
    return set_blocks(x, reply, std::move(view.new_blocks->first), view.new_blocks->second);
  if (view.changes.empty())
    return after_commits([this, x, reply](errc failure) {
      if (failure != errc::none)
        return refuse(x, failure);
      route(reply);
    });
  commit(std::move(view.changes), [this, x, reply](errc failure) {
    if (failure != errc::none)
      return refuse(x, failure);
    route(reply);
  });
}

void user::change_password(const stanza& x, const stanza& reply, std::string password) {
  ++before_next_; // The last one asked for is the one that counts.
  request(server_.hashers.next(), std::chrono::seconds{30},
          msg::derive{std::move(password), server_.live()->options.sign_in.scram_iterations})
      .then(
          [this, x, reply, created_ms = created_ms_](const msg::derived& d) {
            --before_next_;
            note_idleness();
            if (d.failure != errc::none)
              return refuse(x, d.failure);
            if (created_ms != created_ms_) // Meanwhile the name has become somebody else's.
              return refuse(x, errc::item_not_found);
            auto changes = write_set{};
            credentials_.clear();
            accounts::put(changes, place(), {created_ms_, disabled_, d.credentials});
            commit(std::move(changes), [this, x, reply](errc failure) {
              if (failure != errc::none)
                return refuse(x, failure);
              log::info("registration.password_changed", {{"account", account_.text()}});
              route(reply);
            });
          },
          [this, x](const caf::error&) {
            --before_next_;
            note_idleness();
            refuse(x, errc::resource_constraint);
          });
}

void user::set_blocks(const stanza& x, const stanza& reply, blocklist next, const element& push) {
  auto before = blocks_ ? blocks_ : std::make_shared<const blocklist>();
  auto effects = effects_of_block_change(*before, next, roster_);
  auto changes = write_set{};
  for (auto& one : before->items())
    if (!next.has(one.text()))
      blocks::erase(changes, place(), one);
  for (auto& one : next.items())
    if (!before->has(one.text()))
      blocks::put(changes, place(), one);
  auto after = next.empty() ? nullptr : std::make_shared<const blocklist>(std::move(next));
  // Those who must not see it any more are told so while they still can be (XEP-0191, 3.3).
  auto then = [this, x, reply, effects, before, after, push](errc failure) {
    if (failure != errc::none)
      return refuse(x, failure);
    for (auto& contact : effects.hide)
      send_presence_to(contact, true, before.get());
    for (auto& one : bound_)
      send(one.actor, msg::blocks_changed{after});
    route(reply);
    for (auto i = std::size_t{0}; i < views_.size(); ++i)
      if (views_[i].wants_blocks)
        push_to(i, push);
    for (auto& contact : effects.show)
      send_presence_to(contact, false);
  };
  if (commit(std::move(changes), std::move(then)))
    blocks_ = after;
}

void user::route(stanza x) {
  if (x.to.bare_text() == account_.text()) {
    if (auto session = find_session(x.to.resource()); session && x.to.is_full())
      return to_session(*session, std::move(x));
    if (x.to.is_full()) // Its own session, which has just gone.
      return;
  }
  if (x.to.has_local() && server_.is_own_domain(x.to.domain())) {
    trace::note(trace::station::routed, "user", account_, x);
    auto& shard = server_.route.shard(x.to);
    return send(shard, msg::deliver{std::move(x)});
  }
  // A host of ours has nothing to do with what accounts send by themselves. Other servers' turn comes with s2s.
}

void user::later(std::chrono::milliseconds time, continuation then) {
  auto ticket = next_ticket_++;
  reads_.emplace_hint(reads_.end(), ticket,
                      pending_read{[then = std::move(then)](const msg::was_read& x) { then(x.failure); }, turn_});
  delayed_send(this, time, msg::was_read{ticket});
}

void user::tell_for_good(std::vector<stanza> what, continuation then) {
  struct waiting {
    std::size_t left = 0;
    errc failure = errc::none;
    continuation then;
  };
  std::erase_if(what, [this](auto& x) { return !x.to.has_local() || !server_.is_own_domain(x.to.domain()); });
  if (what.empty())
    return then(errc::none);
  auto all = std::make_shared<waiting>(waiting{what.size(), errc::none, std::move(then)});
  auto one_has_come = [all](errc failure) {
    if (failure != errc::none)
      all->failure = failure;
    if (--all->left == 0)
      all->then(all->failure);
  };
  for (auto& x : what) {
    trace::note(trace::station::routed, "user", account_, x);
    auto& shard = server_.route.shard(x.to);
    request(shard, std::chrono::seconds{30}, msg::deliver_for_good{std::move(x)})
        .then([one_has_come](const msg::outcome& o) { one_has_come(o.failure); },
              [one_has_come](const caf::error&) { one_has_come(errc::internal_server_error); });
  }
}

void user::refuse(const stanza& x, errc code, const element& application_condition) {
  trace::note(trace::station::refused, "user", account_, x);
  if (!x.may_answer_with_error())
    return;
  auto answer = application_condition ? x.error_reply(code, application_condition) : x.error_reply(code);
  if (answer.from.empty())
    answer.from = account_;
  route(std::move(answer));
}

} // namespace xmpp
