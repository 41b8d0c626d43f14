#include "protocol/delivery.hpp"

#include "protocol/iq.hpp"
#include "protocol/namespaces.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <utility>

namespace xmpp {

namespace {

using way = delivery::way;

delivery refusal(const stanza& x, errc code = errc::service_unavailable) {
  auto result = delivery{};
  // The same for an account that is not there, one that is away and one that blocks: nobody can tell which (8.5.1).
  if (x.may_answer_with_error()) {
    result.what = way::refuse;
    result.code = code;
  }
  return result;
}

delivery simply(way what) {
  auto result = delivery{};
  result.what = what;
  return result;
}

delivery to_one(std::size_t index) {
  auto result = delivery{};
  result.what = way::deliver;
  result.sessions.push_back(index);
  return result;
}

delivery to_available(std::span<const session_view> sessions) {
  auto result = delivery{};
  result.sessions = available_sessions(sessions);
  result.what = result.sessions.empty() ? way::drop : way::deliver;
  return result;
}

/// It has words: a body, or a subject alone.
bool is_to_be_read(const stanza& message) noexcept {
  return message.tree.has_child("body", message.tree.ns()) || message.tree.has_child("subject", message.tree.ns());
}

/// A message to the bare JID of an account that exists (8.5.2).
delivery message_to_account(const stanza& x, std::span<const session_view> sessions, const delivery_policy& policy) {
  if (x.type == stanza_type::error)
    return {};
  if (x.type == stanza_type::groupchat)
    return refusal(x);
  auto result = delivery{};
  auto all = x.type == stanza_type::headline || policy.messages == delivery_policy::bare::all;
  auto highest = std::int8_t{-1};
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    auto& session = sessions[i];
    if (!takes_messages(session) || (!all && session.priority < highest))
      continue;
    if (!all && session.priority > highest) {
      highest = session.priority;
      result.sessions.clear();
    }
    result.sessions.push_back(i);
  }
  if (!result.sessions.empty()) {
    result.what = way::deliver;
    return result;
  }
  if (x.type == stanza_type::headline)
    return {};
  if (policy.has_offline_store && is_for_offline_store(x))
    return simply(way::store);
  // What was meant to be read will not be, and its sender learns it. The rest is of the moment.
  return is_to_be_read(x) ? refusal(x) : delivery{};
}

delivery message_to_lost_resource(const stanza& x, std::span<const session_view> sessions,
                                  const delivery_policy& policy) { // 8.5.3.2.1
  switch (x.type) {
  case stanza_type::chat:
    return message_to_account(x, sessions, policy);
  case stanza_type::headline:
    return {};
  default:
    return refusal(x);
  }
}

/// 8.5.1: as an account answers that keeps nothing and is away. What it would take in silence is met with silence here
/// too, so that nobody learns by it which accounts there are.
delivery to_nobody(const stanza& x) {
  auto nothing_is_kept = delivery_policy{};
  nothing_is_kept.has_offline_store = false;
  switch (x.kind) {
  case stanza_kind::message:
    return x.to.is_full() ? message_to_lost_resource(x, {}, nothing_is_kept)
                          : message_to_account(x, {}, nothing_is_kept);
  case stanza_kind::iq:
    return refusal(x, refusal_to_strangers(x));
  case stanza_kind::presence: // Of which a probe alone has an answer: that there is no subscription (4.3.2).
    return x.type == stanza_type::probe ? simply(way::handle) : delivery{};
  }
  return {};
}

bool is_transient(const element& x) noexcept {
  auto ns = x.ns();
  return ns == ns::chat_states || ns == ns::hints || ns == ns::delay || ns == ns::legacy_delay ||
         ns == ns::stanza_ids || ns == "http://jabber.org/protocol/pubsub#event" || ns == ns::client ||
         ns == ns::server;
}

} // namespace

bool takes_messages(const session_view& x) noexcept {
  return x.available && x.priority >= 0;
}

void session_indexes::push_back(std::size_t index) {
  auto value = static_cast<std::uint16_t>(index);
  if (size_ < inline_max) {
    few_[size_++] = value;
    return;
  }
  if (size_ == inline_max)
    many_.assign(few_.begin(), few_.end());
  many_.push_back(value);
  ++size_;
}

delivery deliver(const stanza& x, bool account_exists, std::span<const session_view> sessions,
                 const delivery_policy& policy) {
  if (!account_exists)
    return to_nobody(x);

  auto is_full = x.to.is_full();
  auto match = sessions.size();
  if (is_full)
    for (std::size_t i = 0; i < sessions.size() && match == sessions.size(); ++i)
      if (sessions[i].full == x.to)
        match = i;
  auto has_match = match < sessions.size();

  switch (x.kind) {
  case stanza_kind::message:
    if (!is_full)
      return message_to_account(x, sessions, policy);
    return has_match ? to_one(match) : message_to_lost_resource(x, sessions, policy);
  case stanza_kind::iq:
    if (!is_full)
      return x.is_request() ? simply(way::answer) : delivery{};
    return has_match ? to_one(match) : refusal(x);
  case stanza_kind::presence:
    switch (x.type) {
    case stanza_type::error:
      return is_full && has_match ? to_one(match) : delivery{};
    case stanza_type::available:
    case stanza_type::unavailable:
      if (x.to.empty())
        return simply(way::handle);
      if (!is_full)
        return to_available(sessions);
      return has_match ? to_one(match) : delivery{};
    default: // the account's, to whatever resource they were addressed
      return simply(way::handle);
    }
  }
  return {};
}

bool is_for_offline_store(const stanza& message) {
  if (message.type != stanza_type::normal && message.type != stanza_type::chat)
    return false;
  if (message.child("no-store", ns::hints))
    return false;
  if (message.child("store", ns::hints) || is_to_be_read(message))
    return true;
  auto children = message.tree.children();
  return std::any_of(children.begin(), children.end(), [](const element& x) { return !is_transient(x); });
}

result<std::int8_t> priority_of(const stanza& presence) {
  auto child = presence.child("priority", presence.tree.ns());
  if (!child)
    return std::int8_t{0};
  for (auto other = child.next_sibling(); other; other = other.next_sibling())
    if (other.is(child.name(), child.ns()))
      return errc::bad_request; // which one is meant nobody knows
  auto text = child.text();
  auto digits = std::string_view{text};
  while (!digits.empty() && (digits.front() == ' ' || digits.front() == '\n' || digits.front() == '\t'))
    digits.remove_prefix(1);
  while (!digits.empty() && (digits.back() == ' ' || digits.back() == '\n' || digits.back() == '\t'))
    digits.remove_suffix(1);
  if (digits.size() > 1 && digits.front() == '+' && digits[1] != '-') // xs:byte allows it
    digits.remove_prefix(1);
  auto value = 0;
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure != std::errc{} || end != digits.data() + digits.size() || value < -128 || value > 127)
    return errc::bad_request;
  return static_cast<std::int8_t>(value);
}

presence_effects effects_of_presence(const session_view& before, const stanza& x, std::int8_t priority) {
  assert(x.type == stanza_type::available || x.type == stanza_type::unavailable);
  if (x.type == stanza_type::unavailable)
    return effects_of_loss(before);
  auto result = presence_effects{};
  result.broadcast = true;
  result.probe = result.show_requests = !before.available;
  result.flush_offline = priority >= 0 && !takes_messages(before);
  return result;
}

presence_effects effects_of_loss(const session_view& before) {
  auto result = presence_effects{};
  // One that was never available has nothing to take back from subscribers: they would learn that it was there.
  result.broadcast = before.available;
  result.end_directed = true;
  return result;
}

probe_answer answer_probe(bool account_exists, bool may_see_presence) {
  return account_exists && may_see_presence ? probe_answer::presences : probe_answer::unsubscribed;
}

session_indexes available_sessions(std::span<const session_view> sessions) {
  auto result = session_indexes{};
  for (std::size_t i = 0; i < sessions.size(); ++i)
    if (sessions[i].available)
      result.push_back(i);
  return result;
}

session_indexes interested_sessions(std::span<const session_view> sessions) {
  auto result = session_indexes{};
  for (std::size_t i = 0; i < sessions.size(); ++i)
    if (sessions[i].interested)
      result.push_back(i);
  return result;
}

bool directed_presence::add(const jid& to) {
  auto i = std::lower_bound(addresses_.begin(), addresses_.end(), to);
  if (i != addresses_.end() && *i == to)
    return true;
  if (addresses_.size() >= addresses_max_)
    return false;
  addresses_.insert(i, to);
  return true;
}

void directed_presence::remove(const jid& to) {
  auto i = std::lower_bound(addresses_.begin(), addresses_.end(), to);
  if (i != addresses_.end() && *i == to)
    addresses_.erase(i);
}

bool directed_presence::has(const jid& to) const noexcept {
  return std::binary_search(addresses_.begin(), addresses_.end(), to);
}

std::vector<jid> directed_presence::take() noexcept {
  return std::exchange(addresses_, {});
}

} // namespace xmpp
