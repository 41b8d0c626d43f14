// Roster items and the subscription table (RFC 6121, 2, 3 and appendix A).
//
// Nothing here changes a roster on its own: a rule says what the next item or state is, the caller commits it, then
// puts it into the roster, then pushes and sends.
#pragma once

#include "protocol/error.hpp"
#include "protocol/jid.hpp"
#include "protocol/stanza.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

/// Two bits: 1, the user sees the contact's presence (`to`); 2, the contact sees the user's (`from`). Stored.
enum class subscription : std::uint8_t { none = 0, to = 1, from = 2, both = 3 };

constexpr bool has_to(subscription x) noexcept {
  return (static_cast<std::uint8_t>(x) & 1) != 0;
}
constexpr bool has_from(subscription x) noexcept {
  return (static_cast<std::uint8_t>(x) & 2) != 0;
}
std::string_view to_string(subscription x) noexcept;

/// An account's excess in items fails with `resource_constraint`, one item's excess with `not_acceptable`.
struct roster_limits {
  std::size_t items_max = 5'000;
  std::size_t pending_max = 1'000;    ///< Requests from strangers that nobody answered yet; more are dropped.
  std::size_t groups_max = 64;        ///< Of one item.
  std::size_t name_bytes_max = 1'023; ///< Of a contact's name, and of a group's.
};

struct roster_item {
  jid contact; ///< Bare.
  std::string name;
  enum subscription subscription = subscription::none;
  bool ask = false;      ///< The user's request waits for an answer ("pending out").
  bool approved = false; ///< Whatever the contact asks was granted in advance (3.4).
  std::vector<std::string> groups;

  friend bool operator==(const roster_item&, const roster_item&) = default;
};

/// A contact's request that the user has not answered ("pending in"). It is no item and never shown as one; it is
/// delivered again whenever a resource becomes available (3.1.3).
struct pending_request {
  jid contact; ///< Bare.
  std::int64_t received_ms = 0;
  std::string xml; ///< The whole presence, in canonical bytes.
};

/// One of the nine states of appendix A, and the pre-approval.
struct subscription_state {
  enum subscription subscription = subscription::none;
  bool ask = false;
  bool pending_in = false; ///< Never with `from`.
  bool approved = false;

  friend bool operator==(const subscription_state&, const subscription_state&) = default;
};

struct roster {
  std::vector<roster_item> items;       ///< By contact.
  std::vector<pending_request> pending; ///< By contact.
  /// Counts changes of `items`; the client's `ver`. An account made anew under an old name must not start at a count
  /// that its predecessor had: begin with its creation time.
  std::uint64_t version = 0;

  /// By a bare JID's text, or of a full one's `bare_text()`. Null when there is none.
  const roster_item* find(std::string_view bare) const noexcept;
  const pending_request* find_pending(std::string_view bare) const noexcept;
  subscription_state state_of(std::string_view bare) const noexcept;
  /// The contact sees the user's presence.
  bool is_subscriber(std::string_view bare) const noexcept;

  /// Adds, or replaces the one of that contact.
  void put(roster_item item);
  bool erase(std::string_view bare);
  void put(pending_request request);
  bool erase_pending(std::string_view bare);
};

// -- roster set (2.3 to 2.5) --

/// What a client asked for.
struct roster_change {
  jid contact; ///< Bare: a resource is left out.
  bool remove = false;
  std::string name = {};
  std::vector<std::string> groups = {};
};

/// Reads a roster set. Of `subscription` only `remove` counts; `ask` and `approved` are ignored. Fails with
/// `bad_request` (not exactly one item, no `jid`, a group twice), `jid_malformed`, `not_allowed` (the account itself),
/// `not_acceptable` (an empty group; a name, a group or their number beyond the limits). Whether the sender may change
/// this roster is the caller's to check.
result<roster_change> parse_roster_set(const stanza& request, const jid& account, const roster_limits& limits);

/// The item as it shall be: an old one keeps its subscription. Fails with `resource_constraint` when the roster is
/// full. Not for removals.
result<roster_item> changed_item(const roster& current, roster_change change, const roster_limits& limits);

/// What a removal sends to the contact, in this order (2.5.2). A request either way counts as a subscription.
struct roster_removal {
  bool unavailable = false; ///< From each available resource.
  bool unsubscribed = false;
  bool unsubscribe = false;
};

/// Fails with `item_not_found`. The pending request of that contact, if any, goes too.
result<roster_removal> removal(const roster& current, const jid& contact);

// -- what clients see --

/// The answer to a roster get. Empty when the client's `ver` is the current one (2.6.3).
stanza roster_result(const stanza& request, const roster& current);
/// The `query` of a push (2.1.6). `version` is the one after the change.
element roster_push(const roster_item& item, std::uint64_t version);
element roster_removal_push(const jid& contact, std::uint64_t version);

// -- subscriptions (3, appendix A) --

enum class direction : std::uint8_t { outbound, inbound };

/// What follows from a subscription stanza. The caller commits `next`, then acts in the order of the members.
struct transition {
  subscription_state next;
  bool send_unavailable = false; ///< From each available resource to the contact, before anything else.
  /// Outbound: to the contact. Inbound: `subscribe` to all available resources, the others to all interested ones.
  bool forward = false;
  bool push = false;          ///< The item changed, or came to be.
  bool reply = false;         ///< `subscribed` to the contact in the user's name (3.1.3, 3.4.2).
  bool send_presence = false; ///< That of each available resource, to the contact.
};

/// `type` is one of the four of subscriptions; `state` that of the other party's bare JID.
transition step(subscription_state state, direction way, stanza_type type);

/// The roster item for `next`: the contact's own, or a new one.
roster_item item_in_state(const roster& current, const jid& contact, const subscription_state& next);

/// A subscription presence between bare JIDs (3.1.1: whatever resources the stanza had).
stanza subscription_stanza(stanza_type type, const jid& from, const jid& to);

constexpr bool is_subscription(stanza_type type) noexcept {
  return type == stanza_type::subscribe || type == stanza_type::subscribed || type == stanza_type::unsubscribe ||
         type == stanza_type::unsubscribed;
}

} // namespace xmpp
