// Which of an account's sessions get a stanza, and what becomes of it when none does (RFC 6121, 4 and 8.5; XEP-0160).
#pragma once

#include "protocol/error.hpp"
#include "protocol/extension.hpp"
#include "protocol/jid.hpp"
#include "protocol/stanza.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace xmpp {

/// Positions in a list of sessions. Up to 14 need no heap.
class session_indexes {
public:
  void push_back(std::size_t index);
  void clear() noexcept { size_ = 0; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const std::uint16_t* begin() const noexcept { return size_ <= inline_max ? few_.data() : many_.data(); }
  const std::uint16_t* end() const noexcept { return begin() + size_; }
  std::uint16_t operator[](std::size_t i) const noexcept { return begin()[i]; }

private:
  static constexpr std::size_t inline_max = 14;
  std::array<std::uint16_t, inline_max> few_ = {};
  std::vector<std::uint16_t> many_; // all of them, once they are more
  std::uint32_t size_ = 0;
};

struct delivery_policy {
  /// Of messages to a bare JID (8.5.2.1.1). `all`: every resource of non-negative priority, as users with several
  /// devices expect. `most_available`: those of the highest priority.
  enum class bare : std::uint8_t { all, most_available } messages = bare::all;
  bool has_offline_store = true; ///< Else what would be stored is refused.
};

/// Where a stanza goes.
struct delivery {
  enum class way : std::uint8_t {
    deliver, ///< To `sessions`, at least one.
    store,   ///< Offline; when that store is full: `service_unavailable` back to the sender (XEP-0160, 2).
    refuse,  ///< `code` back to the sender; never for a stanza that no error may answer.
    drop,
    answer, ///< An iq for the account: the server answers it (`answer_iq`).
    handle, ///< A presence for the account's own rules: broadcast, subscription, probe.
  } what = way::drop;
  errc code = errc::none;
  session_indexes sessions = {};
};

/// Decides for a stanza to a local account, or without `to` from one of its own sessions. `sessions` are all that are
/// bound, `account_exists` says whether there is such an account. Blocking comes before this.
delivery deliver(const stanza& x, bool account_exists, std::span<const session_view> sessions,
                 const delivery_policy& policy = {});

/// Whether messages to the account may go to this session: it is available, with a priority that is not negative
/// (8.5.2.1.1).
bool takes_messages(const session_view& x) noexcept;

/// Whether a message is worth keeping for an account that is away (XEP-0160, 3; hints of XEP-0334): normal or chat,
/// with a body, a subject, or something else to tell later; not chat states alone, not events, not what says
/// `no-store`.
bool is_for_offline_store(const stanza& message);

// -- presence (RFC 6121, 4) --

/// Of a presence without a type: -128 to 127, 0 when there is none. Fails with `bad_request` (4.7.2.3), also for two.
result<std::int8_t> priority_of(const stanza& presence);

/// What a session's presence without `to` leads to; `before` is the session as it was.
struct presence_effects {
  bool broadcast = false; ///< To all subscribers, and to the account's available sessions, its own included.
  bool probe = false;     ///< Each contact that the user is subscribed to; and show it the account's other presences.
  bool show_requests = false; ///< Deliver the pending subscription requests to it (3.1.3).
  bool flush_offline = false; ///< Deliver what is stored offline.
  bool end_directed = false;  ///< Unavailable to all whom it sent directed presence (4.6.3).
};
/// `x` is available or unavailable, `priority` that of an available one.
presence_effects effects_of_presence(const session_view& before, const stanza& x, std::int8_t priority);
/// What the loss of a session's stream leads to: as if it had said that it is unavailable (4.5.2).
presence_effects effects_of_loss(const session_view& before);

/// How a probe is answered (4.3.2). A blocked sender's never comes this far.
enum class probe_answer : std::uint8_t {
  unsubscribed, ///< From the bare JID: the prober's server takes note that it has no subscription.
  /// The last one of each available session, or of the one that was probed. Nothing when there is none, where a server
  /// SHOULD say that it is unavailable: who has heard nothing takes it for that, and each sign-in would fetch it from
  /// all who are away.
  presences,
};
/// Also to one whose own request still waits: an account that does not exist cannot know of it, and must read the same.
probe_answer answer_probe(bool account_exists, bool may_see_presence);

/// Sessions that a presence or a push goes to.
session_indexes available_sessions(std::span<const session_view> sessions);
session_indexes interested_sessions(std::span<const session_view> sessions);

/// Whom a session sent presence directly, and who will have to know when it goes (4.6.3).
class directed_presence {
public:
  explicit directed_presence(std::size_t addresses_max = 500) : addresses_max_(addresses_max) {}
  /// False when full: then the stanza is to be refused (`resource_constraint`), since it could not be taken back.
  bool add(const jid& to);
  void remove(const jid& to);
  bool has(const jid& to) const noexcept;
  /// All of them, in order; then none is left.
  std::vector<jid> take() noexcept;
  std::size_t size() const noexcept { return addresses_.size(); }

private:
  std::vector<jid> addresses_; // sorted
  std::size_t addresses_max_;
};

} // namespace xmpp
