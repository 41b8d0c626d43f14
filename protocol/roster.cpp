#include "protocol/roster.hpp"

#include "protocol/namespaces.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <utility>

namespace xmpp {

namespace {

template <class List>
auto position(List& list, std::string_view bare) noexcept {
  return std::lower_bound(list.begin(), list.end(), bare,
                          [](const auto& x, std::string_view text) { return x.contact.text() < text; });
}

template <class List>
auto* find_in(List& list, std::string_view bare) noexcept {
  auto i = position(list, bare);
  return i != list.end() && i->contact.text() == bare ? &*i : nullptr;
}

template <class Item>
void put_in(std::vector<Item>& list, Item item) {
  auto i = position(list, item.contact.text());
  if (i != list.end() && i->contact == item.contact)
    *i = std::move(item);
  else
    list.insert(i, std::move(item));
}

template <class Item>
bool erase_in(std::vector<Item>& list, std::string_view bare) {
  auto i = position(list, bare);
  if (i == list.end() || i->contact.text() != bare)
    return false;
  list.erase(i);
  return true;
}

subscription with(subscription x, subscription bit) noexcept {
  return static_cast<subscription>(static_cast<std::uint8_t>(x) | static_cast<std::uint8_t>(bit));
}

subscription without(subscription x, subscription bit) noexcept {
  return static_cast<subscription>(static_cast<std::uint8_t>(x) & ~static_cast<std::uint8_t>(bit));
}

struct version_text {
  char bytes[20];
  std::size_t size;

  explicit version_text(std::uint64_t x) noexcept {
    size = static_cast<std::size_t>(std::to_chars(bytes, bytes + sizeof bytes, x).ptr - bytes);
  }
  std::string_view view() const noexcept { return {bytes, size}; }
};

void append_item(xml::builder& out, const roster_item& x) {
  out.open("item").attribute("jid", x.contact.text());
  if (!x.name.empty())
    out.attribute("name", x.name);
  out.attribute("subscription", to_string(x.subscription));
  if (x.ask)
    out.attribute("ask", "subscribe");
  if (x.approved)
    out.attribute("approved", "true");
  for (auto& group : x.groups)
    out.open("group").text(group).close();
  out.close();
}

transition outbound(subscription_state s, stanza_type type) {
  auto result = transition{};
  switch (type) {
  case stanza_type::subscribe: // A.2.1
    result.forward = true;
    s.ask = s.ask || !has_to(s.subscription);
    break;
  case stanza_type::unsubscribe: // A.2.2
    result.forward = true;
    s.ask = false;
    s.subscription = without(s.subscription, subscription::to);
    break;
  case stanza_type::subscribed: // A.2.3
    if (s.pending_in) {
      result.forward = result.send_presence = true;
      s.pending_in = false;
      s.subscription = with(s.subscription, subscription::from);
    } else if (!has_from(s.subscription)) {
      s.approved = true; // 3.4.2
    }
    break;
  default: // A.2.4
    // While the contact is still subscribed it learns that the user is gone (3.2.2).
    result.send_unavailable = has_from(s.subscription);
    result.forward = has_from(s.subscription) || s.pending_in;
    s.subscription = without(s.subscription, subscription::from);
    s.pending_in = s.approved = false;
    break;
  }
  result.next = s;
  return result;
}

transition inbound(subscription_state s, stanza_type type) {
  auto result = transition{};
  switch (type) {
  case stanza_type::subscribe: // A.3.1
    if (has_from(s.subscription) || s.approved) {
      // The contact's server may have forgotten: say it again, and show the presence that it missed.
      result.reply = result.send_presence = true;
      s.subscription = with(s.subscription, subscription::from);
      s.pending_in = false;
    } else {
      result.forward = !s.pending_in;
      s.pending_in = true;
    }
    break;
  case stanza_type::unsubscribe: // A.3.2
    // No `unsubscribed` in return: it could cross, and undo, a new request of the contact's.
    result.send_unavailable = has_from(s.subscription);
    result.forward = has_from(s.subscription) || s.pending_in;
    s.subscription = without(s.subscription, subscription::from);
    s.pending_in = false;
    break;
  case stanza_type::subscribed: // A.3.3
    result.forward = s.ask;
    if (s.ask)
      s.subscription = with(s.subscription, subscription::to);
    s.ask = false;
    break;
  default: // A.3.4
    result.forward = s.ask || has_to(s.subscription);
    s.ask = false;
    s.subscription = without(s.subscription, subscription::to);
    break;
  }
  result.next = s;
  return result;
}

} // namespace

std::string_view to_string(subscription x) noexcept {
  switch (x) {
  case subscription::none:
    return "none";
  case subscription::to:
    return "to";
  case subscription::from:
    return "from";
  case subscription::both:
    return "both";
  }
  return "none";
}

const roster_item* roster::find(std::string_view bare) const noexcept {
  return find_in(items, bare);
}

const pending_request* roster::find_pending(std::string_view bare) const noexcept {
  return find_in(pending, bare);
}

subscription_state roster::state_of(std::string_view bare) const noexcept {
  auto result = subscription_state{};
  if (auto* item = find(bare)) {
    result.subscription = item->subscription;
    result.ask = item->ask;
    result.approved = item->approved;
  }
  result.pending_in = find_pending(bare) != nullptr;
  return result;
}

bool roster::is_subscriber(std::string_view bare) const noexcept {
  auto* item = find(bare);
  return item && has_from(item->subscription);
}

void roster::put(roster_item item) {
  put_in(items, std::move(item));
}

bool roster::erase(std::string_view bare) {
  return erase_in(items, bare);
}

void roster::put(pending_request request) {
  put_in(pending, std::move(request));
}

bool roster::erase_pending(std::string_view bare) {
  return erase_in(pending, bare);
}

result<roster_change> parse_roster_set(const stanza& request, const jid& account, const roster_limits& limits) {
  auto query = request.payload();
  auto item = query.first_child();
  if (!item || !item.is("item", ns::roster) || item.next_sibling())
    return errc::bad_request;
  auto address = item.attribute("jid");
  if (!address)
    return errc::bad_request;
  auto contact = jid::parse(*address);
  if (!contact)
    return errc::jid_malformed;
  auto change = roster_change{contact->bare()};
  if (change.contact == account)
    return errc::not_allowed;
  change.remove = item.attribute_or_empty("subscription") == "remove";
  if (change.remove)
    return change;
  change.name = item.attribute_or_empty("name");
  if (change.name.size() > limits.name_bytes_max)
    return errc::not_acceptable;
  for (auto& child : item.children()) {
    if (!child.is("group", ns::roster))
      continue;
    if (change.groups.size() == limits.groups_max)
      return errc::not_acceptable;
    auto group = child.text();
    if (group.empty() || group.size() > limits.name_bytes_max)
      return errc::not_acceptable;
    if (std::find(change.groups.begin(), change.groups.end(), group) != change.groups.end())
      return errc::bad_request;
    change.groups.push_back(std::move(group));
  }
  return change;
}

result<roster_item> changed_item(const roster& current, roster_change change, const roster_limits& limits) {
  assert(!change.remove);
  auto item = roster_item{};
  if (auto* old = current.find(change.contact.text())) {
    item.subscription = old->subscription;
    item.ask = old->ask;
    item.approved = old->approved;
  } else if (current.items.size() >= limits.items_max) {
    return errc::resource_constraint;
  }
  item.contact = std::move(change.contact);
  item.name = std::move(change.name);
  item.groups = std::move(change.groups);
  item.groups.shrink_to_fit();
  return item;
}

result<roster_removal> removal(const roster& current, const jid& contact) {
  auto* item = current.find(contact.text());
  if (!item)
    return errc::item_not_found;
  auto result = roster_removal{};
  result.unavailable = has_from(item->subscription);
  result.unsubscribed = has_from(item->subscription) || current.find_pending(contact.text());
  result.unsubscribe = has_to(item->subscription) || item->ask;
  return result;
}

stanza roster_result(const stanza& request, const roster& current) {
  auto version = version_text{current.version};
  if (request.payload().attribute("ver") == version.view())
    return request.reply();
  auto out = xml::builder{"query", ns::roster};
  out.attribute("ver", version.view());
  for (auto& item : current.items)
    append_item(out, item);
  return request.reply(out.finish());
}

element roster_push(const roster_item& item, std::uint64_t version) {
  auto out = xml::builder{"query", ns::roster};
  out.attribute("ver", version_text{version}.view());
  append_item(out, item);
  return out.finish();
}

element roster_removal_push(const jid& contact, std::uint64_t version) {
  auto out = xml::builder{"query", ns::roster};
  out.attribute("ver", version_text{version}.view());
  out.open("item").attribute("jid", contact.text()).attribute("subscription", "remove").close();
  return out.finish();
}

transition step(subscription_state state, direction way, stanza_type type) {
  assert(is_subscription(type));
  auto result = way == direction::outbound ? outbound(state, type) : inbound(state, type);
  // A pending request is no part of the item: its coming and going is not pushed.
  auto& next = result.next;
  result.push = next.subscription != state.subscription || next.ask != state.ask || next.approved != state.approved;
  return result;
}

roster_item item_in_state(const roster& current, const jid& contact, const subscription_state& next) {
  auto* old = current.find(contact.bare_text());
  auto item = old ? *old : roster_item{};
  if (!old)
    item.contact = contact.bare();
  item.subscription = next.subscription;
  item.ask = next.ask;
  item.approved = next.approved;
  return item;
}

stanza subscription_stanza(stanza_type type, const jid& from, const jid& to) {
  assert(is_subscription(type));
  auto tree = xml::builder{"presence", ns::client}.attribute("type", to_string(type)).finish();
  return {std::move(tree), from.bare(), to.bare()};
}

} // namespace xmpp
