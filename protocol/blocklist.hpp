// Whom an account blocks (XEP-0191, 1.3): matching, changing, and what follows.
#pragma once

#include "protocol/error.hpp"
#include "protocol/jid.hpp"
#include "protocol/roster.hpp"
#include "protocol/xml.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace xmpp {

/// A set of addresses: full, bare, a domain, a domain with a resource. 8 bytes each and the shared text.
class blocklist {
public:
  blocklist() = default;
  /// From stored items, in any order.
  explicit blocklist(std::vector<jid> items);

  /// Whether an item matches (6): the address itself, its bare form, or its domain. Makes nothing.
  bool is_blocked(const jid& who) const noexcept;
  bool has(std::string_view item) const noexcept;
  /// The items that are full JIDs of that bare one; none when `bare` is no bare JID.
  std::vector<jid> resources_of(const jid& bare) const;
  bool empty() const noexcept { return items_.empty(); }
  std::size_t size() const noexcept { return items_.size(); }
  const std::vector<jid>& items() const noexcept { return items_; } ///< Sorted.

  bool add(const jid& item);
  bool remove(const jid& item);
  void clear() noexcept { items_.clear(); }

private:
  std::vector<jid> items_;
};

// -- requests --

/// The addresses in a `block` or `unblock`, each once, sorted. What else is inside is ignored (XEP-0377 has reports
/// there). Fails with `bad_request` (an item without `jid`), `jid_malformed`.
result<std::vector<jid>> parse_block_items(const element& request);

/// With `items` too. Fails with `resource_constraint` beyond `items_max`.
result<blocklist> blocked(const blocklist& current, std::span<const jid> items, std::size_t items_max);
/// Without `items`; without any when `items` is empty (3.5).
blocklist unblocked(const blocklist& current, std::span<const jid> items);

element blocklist_element(const blocklist& current);
/// The payload of a push: `name` is `block` or `unblock` (3.3, 3.4). Empty for "all are unblocked".
element block_push(std::string_view name, std::span<const jid> items);

// -- what follows from a change --

/// Contacts who see the user's presence by the roster, and how that changed.
struct block_effects {
  std::vector<jid> hide; ///< Send them unavailable presence (3.3).
  std::vector<jid> show; ///< Send them the current presence (3.4).
};
block_effects effects_of_block_change(const blocklist& before, const blocklist& after, const roster& contacts);

} // namespace xmpp
