#include "protocol/blocklist.hpp"

#include "protocol/namespaces.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace xmpp {

namespace {

void sort_uniquely(std::vector<jid>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

auto position(const std::vector<jid>& list, std::string_view text) noexcept {
  return std::lower_bound(list.begin(), list.end(), text,
                          [](const jid& x, std::string_view y) { return x.text() < y; });
}

void append_items(xml::builder& out, std::span<const jid> items) {
  for (auto& x : items)
    out.open("item").attribute("jid", x.text()).close();
}

} // namespace

blocklist::blocklist(std::vector<jid> items) : items_(std::move(items)) {
  sort_uniquely(items_);
}

bool blocklist::is_blocked(const jid& who) const noexcept {
  if (items_.empty() || who.empty())
    return false;
  // Of a domain with a resource the bare form is the domain: the third look-up is then the second again.
  return has(who.text()) || (who.is_full() && has(who.bare_text())) || (who.has_local() && has(who.domain()));
}

bool blocklist::has(std::string_view item) const noexcept {
  auto i = position(items_, item);
  return i != items_.end() && i->text() == item;
}

std::vector<jid> blocklist::resources_of(const jid& bare) const {
  auto result = std::vector<jid>{};
  if (items_.empty() || bare.is_full())
    return result;
  for (auto i = position(items_, std::string{bare.text()} + '/'); i != items_.end() && i->bare_text() == bare.text();
       ++i)
    result.push_back(*i);
  return result;
}

bool blocklist::add(const jid& item) {
  auto i = position(items_, item.text());
  if (i != items_.end() && *i == item)
    return false;
  items_.insert(i, item);
  return true;
}

bool blocklist::remove(const jid& item) {
  auto i = position(items_, item.text());
  if (i == items_.end() || *i != item)
    return false;
  items_.erase(i);
  return true;
}

result<std::vector<jid>> parse_block_items(const element& request) {
  auto result = std::vector<jid>{};
  for (auto& child : request.children()) {
    if (!child.is("item", ns::blocking))
      continue;
    auto text = child.attribute("jid");
    if (!text)
      return errc::bad_request;
    auto address = jid::parse(*text);
    if (!address)
      return errc::jid_malformed;
    result.push_back(*std::move(address));
  }
  sort_uniquely(result);
  return result;
}

result<blocklist> blocked(const blocklist& current, std::span<const jid> items, std::size_t items_max) {
  auto all = current.items();
  all.insert(all.end(), items.begin(), items.end());
  auto next = blocklist{std::move(all)};
  if (next.size() > items_max && next.size() > current.size())
    return errc::resource_constraint;
  return next;
}

blocklist unblocked(const blocklist& current, std::span<const jid> items) {
  if (items.empty())
    return {};
  auto next = current;
  for (auto& x : items)
    next.remove(x);
  return next;
}

element blocklist_element(const blocklist& current) {
  auto out = xml::builder{"blocklist", ns::blocking};
  append_items(out, current.items());
  return out.finish();
}

element block_push(std::string_view name, std::span<const jid> items) {
  assert(name == "block" || name == "unblock");
  auto out = xml::builder{name, ns::blocking};
  append_items(out, items);
  return out.finish();
}

block_effects effects_of_block_change(const blocklist& before, const blocklist& after, const roster& contacts) {
  auto result = block_effects{};
  auto look_at = [&](const jid& who) {
    auto was = before.is_blocked(who), is = after.is_blocked(who);
    if (is && !was)
      result.hide.push_back(who);
    else if (was && !is)
      result.show.push_back(who);
  };
  for (auto& x : contacts.items)
    if (has_from(x.subscription))
      look_at(x.contact);
  // A single resource of a subscriber: what is broadcast goes to the bare JID, so it is told on its own.
  for (auto* list : {&before, &after})
    for (auto& x : list->items())
      if (x.is_full() && contacts.is_subscriber(x.bare_text()))
        look_at(x);
  return result;
}

} // namespace xmpp
