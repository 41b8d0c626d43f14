// USER: its roster, and who sees whom (RFC 6121, 2 and 3).

#include "actors/random.hpp"
#include "actors/stored_xml.hpp"
#include "actors/user.hpp"
#include "persistence/rosters.hpp"
#include "persistence/subscriptions.hpp"
#include "protocol/namespaces.hpp"

#include <utility>

namespace xmpp {

namespace {

bool is_available(const session_view& x) {
  return x.available;
}
bool is_interested(const session_view& x) {
  return x.interested;
}

roster_limits limits_of(const host* home) {
  auto limits = roster_limits{};
  if (home)
    limits.items_max = home->options.roster_items_max;
  return limits;
}

} // namespace

void user::roster_get(const stanza& x, std::size_t session) {
  views_[session].interested = true;
  // What is not committed yet is not shown yet.
  after_commits([this, x](errc failure) {
    if (failure != errc::none)
      return refuse(x, failure);
    if (auto i = find_session(x.from.resource()))
      to_session(*i, roster_result(x, roster_));
  });
}

void user::roster_set(const stanza& x) {
  auto limits = limits_of(own_host());
  auto change = parse_roster_set(x, account_, limits);
  if (!change)
    return refuse(x, change.code());
  auto changes = write_set{};
  auto contact = change->contact;
  if (change->remove) {
    auto effects = removal(roster_, contact);
    if (!effects)
      return refuse(x, effects.code());
    roster_.erase(contact.text());
    rosters::erase(changes, place(), contact);
    if (roster_.erase_pending(contact.text()))
      subscriptions::erase(changes, place(), contact);
    rosters::put_version(changes, place(), ++roster_.version);
    commit(std::move(changes), [this, x, contact, effects = *effects, version = roster_.version](errc failure) {
      if (failure != errc::none)
        return refuse(x, failure);
      route(x.reply());
      push_roster(roster_removal_push(contact, version));
      if (effects.unavailable)
        send_presence_to(contact, true);
      if (effects.unsubscribed)
        route(subscription_stanza(stanza_type::unsubscribed, account_, contact));
      if (effects.unsubscribe)
        route(subscription_stanza(stanza_type::unsubscribe, account_, contact));
    });
    return;
  }
  auto item = changed_item(roster_, *std::move(change), limits);
  if (!item)
    return refuse(x, item.code());
  roster_.put(*item);
  rosters::put(changes, place(), *item);
  rosters::put_version(changes, place(), ++roster_.version);
  commit(std::move(changes), [this, x, item = *item, version = roster_.version](errc failure) {
    if (failure != errc::none)
      return refuse(x, failure);
    route(x.reply());
    push_roster(roster_push(item, version));
  });
  estimate_memory();
}

void user::push_roster(const element& query) {
  for (auto i = std::size_t{0}; i < views_.size(); ++i)
    if (views_[i].interested)
      push_to(i, query);
}

void user::push_to(std::size_t session, const element& payload) {
  auto push = xml::builder{"iq", ns::client};
  push.attribute("type", "set").attribute("id", random_text(12)).child(payload);
  to_session(session, {push.finish(), account_, views_[session].full});
}

/// A session subscribes, or answers a request; `x.to` is the contact.
void user::own_subscription(const stanza& x) {
  auto contact = x.to.bare();
  auto t = step(roster_.state_of(contact.text()), direction::outbound, x.type);
  if (t.push && !roster_.find(contact.text()) && roster_.items.size() >= limits_of(own_host()).items_max)
    return refuse(x, errc::resource_constraint);
  apply(t, direction::outbound, contact, stanza{x.tree, account_, contact});
}

void user::inbound_subscription(const stanza& x) {
  auto contact = x.from.bare();
  auto before = roster_.state_of(contact.text());
  auto t = step(before, direction::inbound, x.type);
  if (t.next.pending_in && !before.pending_in && roster_.pending.size() >= limits_of(own_host()).pending_max)
    return; // More than anybody will ever look at.
  apply(t, direction::inbound, contact, stanza{x.tree, contact, account_});
}

/// Commits what a subscription stanza changes, then does what follows from it. `x` is between bare JIDs.
void user::apply(const transition& t, direction way, const jid& contact, const stanza& x) {
  auto changes = write_set{};
  auto before = roster_.state_of(contact.text());
  auto item = item_in_state(roster_, contact, t.next);
  if (t.push) {
    roster_.put(item);
    rosters::put(changes, place(), item);
    rosters::put_version(changes, place(), ++roster_.version);
  } else if (t.next != before && roster_.find(contact.text())) {
    roster_.put(item);
    rosters::put(changes, place(), item);
  }
  if (t.next.pending_in && !before.pending_in) {
    auto now = now_ms();
    auto xml = std::string{x.tree.bytes()};
    subscriptions::put(changes, place(), {contact, now, xml});
    roster_.put(pending_request{contact, now, std::move(xml)});
  } else if (!t.next.pending_in && before.pending_in) {
    subscriptions::erase(changes, place(), contact);
    roster_.erase_pending(contact.text());
  }
  commit(std::move(changes), [this, t, way, contact, x, item, version = roster_.version](errc failure) {
    if (failure != errc::none)
      return way == direction::outbound ? refuse(x, failure) : void();
    if (t.send_unavailable)
      send_presence_to(contact, true);
    if (t.forward) {
      if (way == direction::outbound)
        route(x);
      else
        to_sessions(x, x.type == stanza_type::subscribe ? is_available : is_interested);
    }
    if (t.push)
      push_roster(roster_push(item, version));
    if (t.reply)
      route(subscription_stanza(stanza_type::subscribed, account_, contact));
    if (t.send_presence)
      send_presence_to(contact, false);
  });
  estimate_memory();
}

/// Again at each new available session, until somebody answers them (RFC 6121, 3.1.3).
void user::deliver_pending_subscriptions(std::size_t session) {
  for (auto& one : roster_.pending)
    if (auto tree = parse_stored(one.xml))
      to_session(session, {*std::move(tree), one.contact, account_});
}

} // namespace xmpp
