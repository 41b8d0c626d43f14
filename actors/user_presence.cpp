// USER: presence and probes (RFC 6121, 4).

#include "actors/spread.hpp"
#include "actors/trace.hpp"
#include "actors/user.hpp"
#include "protocol/delivery.hpp"
#include "protocol/namespaces.hpp"

#include <algorithm>
#include <utility>

namespace xmpp {

namespace {

bool is_available(const session_view& x) {
  return x.available;
}

stanza presence_of(stanza_type type, jid from, jid to) {
  return {xml::builder{"presence", ns::client}.attribute("type", to_string(type)).finish(), std::move(from),
          std::move(to)};
}

} // namespace

/// Something about presence arrived for the account's bare JID.
void user::deliver_presence(const stanza& x) {
  if (x.type == stanza_type::probe)
    return answer_probe(x);
  if (is_subscription(x.type))
    return inbound_subscription(x);
  to_sessions(x, is_available);
}

/// A session's own presence, without `to`.
/// `was_available`: as the session has it. This actor may have been told since, by a session that came again.
void user::own_presence(const stanza& x, std::size_t session, bool was_available) {
  auto priority = std::int8_t{0};
  if (x.type == stanza_type::available) {
    auto said = priority_of(x);
    if (!said)
      return refuse(x, said.code());
    priority = *said;
  }
  auto& view = views_[session];
  view.available = was_available;
  auto effects = effects_of_presence(view, x, priority);
  view.available = x.type == stanza_type::available;
  view.priority = priority;
  view.presence = view.available ? x.tree : element{};
  view.came_s = std::uint32_t(now_ms() / 1000);
  auto full = view.full;
  if (view.available && !was_available)
    note_shown(full, true);
  if (effects.broadcast)
    broadcast(x);
  if (!view.available) {
    if (was_available) {
      note_shown(full, false);
      auto status = x.child("status", ns::client);
      note_last_words(status ? status.text() : std::string{});
    }
    to_session(session, stanza{x.tree, full, full}); // RFC 6121, 4.5.2: also to the one that goes
    return;
  }
  if (effects.probe) {
    for (auto i = std::size_t{0}; i < views_.size(); ++i)
      if (i != session && views_[i].available)
        to_session(session, last_presence(views_[i], full));
    if (!roster_.items.empty()) {
      to_contacts(presence_of(stanza_type::probe, full, {}), [this](const roster_item& x) {
        return has_to(x.subscription) && !(blocks_ && blocks_->is_blocked(x.contact));
      });
    }
  }
  if (effects.show_requests)
    deliver_pending_subscriptions(session);
  if (effects.flush_offline)
    deliver_offline(session);
}

void user::broadcast(const stanza& x) {
  to_contacts(x, [this](const roster_item& one) {
    return has_from(one.subscription) && !(blocks_ && blocks_->is_blocked(one.contact)) &&
           !is_leaving(one.contact.text());
  });
  auto copy = x;
  for (auto i = std::size_t{0}; i < views_.size(); ++i)
    if (views_[i].available) {
      copy.to = views_[i].full;
      to_session(i, copy);
    }
}

/// To each other node once. Who cannot go along gets it by itself, behind that: before, it would keep others back.
template <class F>
void user::to_contacts(stanza x, F is_for) {
  auto is_shown = x.type != stanza_type::probe; // Else none of a contact's devices sees it.
  auto send_alone = [&] { is_shown ? show(x) : route(x); };
  auto far = spread{server_};
  auto alone = std::vector<jid>{};
  for (auto& item : roster_.items) {
    if (!is_for(item))
      continue;
    x.to = item.contact;
    if (!server_.far)
      send_alone();
    else if ((is_shown && blocks_ && !blocks_->resources_of(x.to).empty()) || !far.takes(x.to))
      alone.push_back(x.to);
    else
      trace::note(trace::station::routed, "user", account_, x);
  }
  for (auto& to : far.send(x))
    alone.push_back(to);
  for (auto& to : alone) {
    x.to = to;
    send_alone();
  }
}

void user::show(stanza x) {
  show(std::move(x), blocks_.get());
}

void user::show(stanza x, const blocklist* blocks) {
  if (blocks && server_.is_own_domain(x.to.domain()))
    if (auto hidden = blocks->resources_of(x.to); !hidden.empty()) {
      auto& shard = server_.route.shard(x.to);
      return send(shard, msg::show{std::move(x), std::move(hidden)});
    }
  route(std::move(x));
}

void user::answer_probe(const stanza& x) {
  auto who = x.from.bare_text();
  auto own = who == account_.text();
  auto may_see = own || (roster_.is_subscriber(who) && !is_leaving(who));
  if (xmpp::answer_probe(exists_, may_see) == probe_answer::unsubscribed)
    return route(presence_of(stanza_type::unsubscribed, account_, x.from.bare()));
  for (auto& view : views_)
    if (view.available && (!x.to.is_full() || x.to == view.full))
      route(last_presence(view, x.from));
}

/// Which may be old: it says when it came (XEP-0203), unless that was before this actor last lost its state.
stanza user::last_presence(const session_view& of, jid to) const {
  auto x = stanza{of.presence, of.full, std::move(to)};
  if (of.came_s == 0)
    return x;
  return x.with_child(delay_element(jid::from_prepared(account_.domain()), std::int64_t(of.came_s) * 1000));
}

/// That of every available session to one contact, whose right to see it has just changed.
void user::send_presence_to(const jid& contact, bool unavailable) {
  send_presence_to(contact, unavailable, blocks_.get());
}

void user::send_presence_to(const jid& contact, bool unavailable, const blocklist* blocks) {
  for (auto& view : views_)
    if (view.available)
      show(unavailable ? presence_of(stanza_type::unavailable, view.full, contact)
                       : stanza{view.presence, view.full, contact},
           blocks);
}

bool user::is_leaving(std::string_view contact) const {
  return std::any_of(leaving_.begin(), leaving_.end(), [&](auto& one) { return one.text() == contact; });
}

} // namespace xmpp
