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

/// What a request may keep of its sender's words. They are shown at each sign-in until they are answered.
constexpr std::size_t request_bytes_max = 4 * 1024;
constexpr std::size_t requests_bytes_max = 128 * 1024; // Of all that wait.

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

void user::roster_get(const stanza& x) {
  ++before_next_;
  when_current([this, x](errc failure) {
    --before_next_;
    if (failure != errc::none)
      return refuse(x, failure);
    auto session = find_session(x.from.resource());
    if (!session)
      return;
    views_[*session].interested = true;
    // What is not committed yet is not shown yet; and what changes from here on comes as pushes behind this.
    after_commits([this, x, answer = roster_result(x, roster_)](errc failure) {
      if (failure != errc::none)
        return refuse(x, failure);
      if (auto i = find_session(x.from.resource()))
        to_session(*i, answer);
    });
  });
}

void user::roster_set(const stanza& x) {
  auto limits = limits_of(own_host());
  auto change = parse_roster_set(x, account_, limits);
  if (!change)
    return refuse(x, change.code());
  if (change->remove)
    return roster_remove(x, change->contact);
  auto item = changed_item(roster_, *std::move(change), limits);
  if (!item)
    return refuse(x, item.code());
  auto version = roster_.version + 1;
  auto changes = write_set{};
  rosters::put(changes, place(), *item);
  rosters::put_version(changes, place(), version);
  if (!commit(std::move(changes), [this, x, item = *item, version](errc failure) {
        if (failure != errc::none)
          return refuse(x, failure);
        route(x.reply());
        push_roster(roster_push(item, version));
      }))
    return;
  roster_.put(*std::move(item));
  roster_.version = version;
  estimate_memory();
}

/// The contact is told first: were the item gone before, nobody could tell it after a crash. Nor does it hear of this
/// before it has heard of what is being committed now.
void user::roster_remove(const stanza& x, const jid& contact) {
  if (auto effects = removal(roster_, contact); effects && !effects->unsubscribed && !effects->unsubscribe)
    return roster_erase(x, contact);
  ++before_next_;
  after_commits([this, x, contact](errc failure) {
    auto effects = removal(roster_, contact);
    if (failure == errc::none)
      failure = effects.code();
    if (failure != errc::none) {
      --before_next_;
      return refuse(x, failure);
    }
    if (effects->unavailable)
      send_presence_to(contact, true);
    leaving_.push_back(contact);
    auto ends = std::vector<stanza>{};
    if (effects->unsubscribed)
      ends.push_back(subscription_stanza(stanza_type::unsubscribed, account_, contact));
    if (effects->unsubscribe)
      ends.push_back(subscription_stanza(stanza_type::unsubscribe, account_, contact));
    tell_for_good(std::move(ends), [this, x, contact, was_seen = effects->unavailable](errc failure) {
      --before_next_;
      std::erase(leaving_, contact);
      if (failure == errc::none)
        return roster_erase(x, contact, was_seen);
      if (was_seen)
        send_presence_to(contact, false);
      refuse(x, failure);
    });
  });
}

/// `was_seen`: until now, and again if this fails.
void user::roster_erase(const stanza& x, const jid& contact, bool was_seen) {
  if (auto still_there = removal(roster_, contact); !still_there) // This actor may have lost its state meanwhile.
    return refuse(x, still_there.code());
  auto version = roster_.version + 1;
  auto changes = write_set{};
  rosters::erase(changes, place(), contact);
  auto asks = roster_.state_of(contact.text()).pending_in;
  if (asks)
    subscriptions::erase(changes, place(), contact);
  rosters::put_version(changes, place(), version);
  if (!commit(std::move(changes), [this, x, contact, version, asks, was_seen](errc failure) {
        if (failure != errc::none && was_seen)
          send_presence_to(contact, false);
        if (failure != errc::none)
          return refuse(x, failure);
        if (asks) // Perhaps only since it was told of the end.
          route(subscription_stanza(stanza_type::unsubscribed, account_, contact));
        route(x.reply());
        push_roster(roster_removal_push(contact, version));
      }))
    return;
  roster_.erase(contact.text());
  roster_.erase_pending(contact.text());
  roster_.version = version;
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

/// What is kept of a stranger's request: without its words rather than not at all.
std::string user::words_of(const stanza& request) const {
  auto held = request.tree.bytes().size();
  if (held > request_bytes_max)
    held = SIZE_MAX;
  else
    for (auto& one : roster_.pending)
      held += one.xml.size();
  auto kept = held > requests_bytes_max ? subscription_stanza(request.type, request.from, account_).tree : request.tree;
  return std::string{kept.bytes()};
}

/// A session subscribes, or answers a request; `x.to` is the contact.
void user::own_subscription(const stanza& x) {
  auto contact = x.to.bare();
  auto t = step(roster_.state_of(contact.text()), direction::outbound, x.type);
  if (t.push && !roster_.find(contact.text()) && roster_.items.size() >= limits_of(own_host()).items_max)
    return refuse(x, errc::resource_constraint);
  // RFC 6120, 10.4.3: a request that goes nowhere changes nothing; what ends one holds here all the same.
  auto goes_nowhere = !server_.is_own_domain(contact.domain());
  if (goes_nowhere && x.type == stanza_type::subscribe)
    return refuse(x, errc::remote_server_not_found);
  if (!contact.has_local() && x.type == stanza_type::subscribe) // A host of ours has no presence that could be seen.
    return refuse(x, errc::service_unavailable);
  if (t.forward && !goes_nowhere && x.type != stanza_type::subscribe)
    return tell_contact_first(x, contact);
  apply(t, direction::outbound, contact, stanza{x.tree, account_, contact}, x);
  if (goes_nowhere && t.forward)
    after_commits([this, x](errc failure) {
      if (failure == errc::none)
        refuse(x, errc::remote_server_not_found);
    });
}

/// What both must agree on: were it durable here only, and lost on its way, then saying it again would change nothing
/// here, and so not be sent. A request may be sent again and again.
void user::tell_contact_first(const stanza& x, const jid& contact) {
  ++before_next_;
  after_commits([this, x, contact](errc failure) {
    auto then = [this, x, contact](errc failure) {
      --before_next_;
      if (failure == errc::none && phase_ != phase::ready) // It has lost its state.
        failure = errc::internal_server_error;
      if (failure != errc::none)
        return refuse(x, failure);
      auto t = step(roster_.state_of(contact.text()), direction::outbound, x.type);
      t.forward = false;
      apply(t, direction::outbound, contact, x, x);
    };
    if (failure != errc::none)
      return then(failure);
    tell_for_good({stanza{x.tree, account_, contact}}, then);
  });
}

void user::inbound_subscription(const stanza& x) {
  auto contact = x.from.bare();
  auto before = roster_.state_of(contact.text());
  if (is_leaving(contact.text())) // It has been told that it is no subscriber any more.
    before.subscription = has_to(before.subscription) ? subscription::to : subscription::none;
  auto t = step(before, direction::inbound, x.type);
  if (t.next.pending_in && !before.pending_in && roster_.pending.size() >= limits_of(own_host()).pending_max)
    return; // More than anybody will ever look at.
  auto between = stanza{x.tree, contact, account_};
  apply(t, direction::inbound, contact, between, between);
}

/// Commits what a subscription stanza changes, then does what follows from it. `x` is between bare JIDs; `asked`, what
/// it was made of, is answered when that fails.
void user::apply(const transition& t, direction way, const jid& contact, const stanza& x, const stanza& asked) {
  auto changes = write_set{};
  auto before = roster_.state_of(contact.text());
  auto item = item_in_state(roster_, contact, t.next);
  auto changes_item = t.push || (t.next != before && roster_.find(contact.text()));
  auto version = roster_.version + (t.push ? 1 : 0);
  if (changes_item)
    rosters::put(changes, place(), item);
  if (t.push)
    rosters::put_version(changes, place(), version);
  auto asks = t.next.pending_in && !before.pending_in;
  auto asks_no_more = !t.next.pending_in && before.pending_in;
  auto request = pending_request{contact, now_ms(), asks ? words_of(x) : std::string{}};
  if (asks)
    subscriptions::put(changes, place(), request);
  else if (asks_no_more)
    subscriptions::erase(changes, place(), contact);
  auto then = [this, t, way, contact, x, asked, item, version](errc failure) {
    if (failure != errc::none)
      return way == direction::outbound || x.type == stanza_type::subscribe ? refuse(asked, failure) : void();
    auto is_blocked = blocks_ && blocks_->is_blocked(contact); // It sees nothing, and nobody sees that it went.
    if (t.send_unavailable && !is_blocked)
      send_presence_to(contact, true);
    if (t.forward) {
      if (way == direction::outbound)
        route(x);
      else if (!is_blocked)
        to_sessions(x, x.type == stanza_type::subscribe ? is_available : is_interested);
    }
    if (t.push)
      push_roster(roster_push(item, version));
    if (t.reply)
      route(subscription_stanza(stanza_type::subscribed, account_, contact));
    if (t.send_presence)
      send_presence_to(contact, false);
  };
  if (!commit(std::move(changes), std::move(then)))
    return;
  if (way == direction::inbound)
    wait_for_commit(contact, x);
  if (changes_item)
    roster_.put(item);
  roster_.version = version;
  if (asks)
    roster_.put(std::move(request));
  else if (asks_no_more)
    roster_.erase_pending(contact.text());
  estimate_memory();
}

/// Again at each new available session, until somebody answers them (RFC 6121, 3.1.3).
void user::deliver_pending_subscriptions(std::size_t session) {
  for (auto& one : roster_.pending)
    if (blocks_ && blocks_->is_blocked(one.contact))
      continue; // XEP-0191, 3.3
    else if (auto tree = parse_stored(one.xml))
      to_session(session, {*std::move(tree), one.contact, account_});
}

} // namespace xmpp
