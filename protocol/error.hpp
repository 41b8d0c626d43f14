// What can go wrong, by the specifications' own names, and a value-or-error type to carry it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace xmpp {

/// First the conditions of stanza errors (RFC 6120, 8.3.3), then those that only streams have (4.9.3), then ours, which
/// never leave the server. Values are stored and sent between nodes: append, never renumber.
enum class errc : std::uint8_t {
  none = 0,
  // -- stanza errors; those marked (s) are stream errors too --
  bad_request = 1,
  conflict = 2, ///< (s)
  feature_not_implemented = 3,
  forbidden = 4,
  gone = 5,
  internal_server_error = 6, ///< (s)
  item_not_found = 7,
  jid_malformed = 8,
  not_acceptable = 9,
  not_allowed = 10,
  not_authorized = 11,   ///< (s)
  policy_violation = 12, ///< (s)
  recipient_unavailable = 13,
  redirect = 14,
  registration_required = 15,
  remote_server_not_found = 16,
  remote_server_timeout = 17,
  resource_constraint = 18, ///< (s)
  service_unavailable = 19,
  subscription_required = 20,
  undefined_condition = 21, ///< (s)
  unexpected_request = 22,
  // -- stream errors only --
  bad_format = 40,
  bad_namespace_prefix = 41,
  connection_timeout = 42,
  host_gone = 43,
  host_unknown = 44,
  improper_addressing = 45,
  invalid_from = 46,
  invalid_namespace = 47,
  invalid_xml = 48,
  not_well_formed = 49,
  remote_connection_failed = 50,
  reset = 51,
  restricted_xml = 52,
  see_other_host = 53,
  system_shutdown = 54,
  unsupported_encoding = 55,
  unsupported_feature = 56,
  unsupported_stanza_type = 57,
  unsupported_version = 58,
  // -- internal: a peer sees internal-server-error --
  not_leader = 100,      ///< Retry at the leader.
  storage_failure = 101, ///< The store refused or failed; the text says why.
  corrupt_record = 102,  ///< Stored or received bytes do not follow their grammar.
  timeout = 103,
  would_block = 104, ///< Not in memory: read it where waiting for the disk is allowed.
};

/// The condition of a byte that was stored or received; one that this release does not know is
/// `internal_server_error`.
errc errc_of(std::uint8_t byte) noexcept;

/// A condition, and optionally words for a log or a human; never secret, never a message's body.
struct error {
  errc code = errc::none;
  std::string text;
};

/// The element name on the wire: `bad-request`. Internal conditions read `internal-server-error`.
std::string_view condition_name(errc code) noexcept;

/// The `type` that RFC 6120, 8.3.3 recommends for a stanza error: `cancel`, `modify`, `auth`, `wait`.
std::string_view error_type(errc code) noexcept;

/// A value or the error that stands in its place.
template <class T>
class [[nodiscard]] result {
public:
  result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  result(errc code) : held_(std::in_place_index<1>, xmpp::error{code, {}}) {}
  result(struct error failure) : held_(std::in_place_index<1>, std::move(failure)) {}

  explicit operator bool() const noexcept { return held_.index() == 0; }
  bool has_value() const noexcept { return held_.index() == 0; }

  T& operator*() & { return std::get<0>(held_); }
  const T& operator*() const& { return std::get<0>(held_); }
  T&& operator*() && { return std::get<0>(std::move(held_)); }
  T* operator->() { return &std::get<0>(held_); }
  const T* operator->() const { return &std::get<0>(held_); }

  const struct error& error() const { return std::get<1>(held_); }
  /// `errc::none` when there is a value.
  errc code() const noexcept { return has_value() ? errc::none : std::get<1>(held_).code; }

private:
  std::variant<T, struct error> held_;
};

/// Success, or the error that stands in its place.
template <>
class [[nodiscard]] result<void> {
public:
  result() = default;
  result(errc code) : held_{code, {}} {}
  result(struct error failure) : held_(std::move(failure)) {}

  explicit operator bool() const noexcept { return held_.code == errc::none; }
  bool has_value() const noexcept { return held_.code == errc::none; }
  const struct error& error() const { return held_; }
  errc code() const noexcept { return held_.code; }

private:
  struct error held_;
};

} // namespace xmpp
