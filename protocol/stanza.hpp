// message, presence, iq over a tree; replies and errors (RFC 6120, 8).
#pragma once

#include "protocol/error.hpp"
#include "protocol/jid.hpp"
#include "protocol/xml.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace xmpp {

enum class stanza_kind : std::uint8_t { message, presence, iq };

/// All kinds' types in one list; `normal` is a message, `available` a presence without a type attribute.
// clang-format off
enum class stanza_type : std::uint8_t {
  normal, chat, groupchat, headline, // message
  available, unavailable, subscribe, subscribed, unsubscribe, unsubscribed, probe, // presence
  get, set, result, // iq
  error, // of any kind
};
// clang-format on

/// A stanza on its way: addresses apart from the tree, so that stamping one copies nothing.
/// `from`, `to` and `type` here are what counts; those in the tree are what the sender wrote and are never sent on.
/// Copies share the tree and the addresses: pass it by value between actors.
class stanza {
public:
  stanza_kind kind = stanza_kind::message;
  stanza_type type = stanza_type::normal;
  jid from; ///< Empty: not stamped yet; or the server acting for the account itself.
  jid to;   ///< Empty: the sender's own account.
  element tree;

  stanza() = default;
  /// Takes the kind and type of `tree`'s outermost element; leaves addresses as given.
  /// `tree` must be a message, presence or iq: built by us, or checked by `parse`; or one that `parse` refused and that
  /// is to be answered so: then an unknown type of an iq counts as `get`.
  stanza(element tree, jid from, jid to);

  /// Reads a client's element. An unknown type of message or presence reads as RFC 6121, 5.2.2 and 4.7.1 say (normal;
  /// `bad_request`). Fails with `unsupported_stanza_type` for another name, `bad_request` (an iq without a known type,
  /// without an id, a get or set without exactly one child), `invalid_from` and `jid_malformed` (its addresses).
  static result<stanza> parse(const element& tree);

  std::string_view id() const noexcept { return tree.attribute_or_empty("id"); }
  std::string_view lang() const noexcept { return tree.lang(); }
  bool is(stanza_kind k, stanza_type t) const noexcept { return kind == k && type == t; }
  bool is_request() const noexcept { return type == stanza_type::get || type == stanza_type::set; }
  /// The only child of an iq; the first child otherwise; none when there is none.
  element payload() const noexcept { return tree.first_child(); }
  element child(std::string_view name, std::string_view ns) const noexcept { return tree.child(name, ns); }

  /// An empty `result` back to the sender, with the id.
  stanza reply() const;
  /// A `result` that carries `payload`.
  stanza reply(const element& payload) const;
  /// The error back to the sender (8.3): same kind and id. Never call it on an error (8.3.1), on a `result`, on an
  /// unavailable presence: `may_answer_with_error` says whether.
  stanza error_reply(errc code, std::string_view text = {}) const;
  /// The same with an application-specific condition beside the defined one (8.3.4).
  stanza error_reply(errc code, const element& application_condition, std::string_view text = {}) const;
  bool may_answer_with_error() const noexcept;

  /// A copy in that language; for one that says none itself (RFC 6120, 8.1.5).
  stanza with_lang(std::string_view lang) const;
  /// A copy with one more child element.
  stanza with_child(const element& added) const;
  /// A copy without the child elements of which `is_unwanted` says so; the others stay in their order.
  stanza without_children(const std::function<bool(const element&)>& is_unwanted) const;

  /// Appends its serialization for a stream whose content namespace is the stanza's own.
  void append_to(std::string& out) const;
  std::string serialize() const;
};

std::string_view to_string(stanza_kind kind) noexcept;
/// The attribute's value; empty for `normal` and `available`, which are written without one.
std::string_view to_string(stanza_type type) noexcept;

/// XEP-0203: `<delay from='...' stamp='...'/>`; `stamp_ms` since the epoch, UTC.
element delay_element(const jid& from, std::int64_t stamp_ms);
/// XEP-0082: `2026-11-22T15:04:05.123Z` of milliseconds since the epoch.
std::string format_time(std::int64_t ms);

} // namespace xmpp
