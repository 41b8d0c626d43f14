// What actors of different nodes say to each other, as bytes: the messages of messages.hpp that may leave their node,
// each with its number, behind an envelope that says for whom it is and who waits for an answer.
//
//     frame      version byte, message varint, to, asker, body, extras
//     to         0 (whoever routes there) | 1 shard varint | 2 session varint | 3 request varint (an answer to it)
//     asker      request varint; 0: nobody waits; else node fixed64: the answer goes there, as (3 request)
//     extras     { tag varint, string } up to the end
//
//     number  message           since  to              body
//     1       deliver             1    shard, session  stanza, copies
//     2       deliver_for_good    1    shard           stanza                                   -> outcome
//     3       show                1    shard           stanza, hidden_from jids
//     4       sent                1    shard           stanza, session_id varint, flags byte (1 was_available),
//                                                      directed jids                            -> turn_over
//     5       attach              1    shard           account jid (full: with the resource), flags byte (1 again,
//                                                      2 anonymous, 4 available, 8 interested, 16 wants_blocks,
//                                                      32 presence), node fixed64, session_id varint, created fixed64,
//                                                      priority byte, [presence tree]           -> attached
//     6       detach              1    shard           full jid, session_id varint, flags byte (1
//                                                      was_available), directed jids            -> detached
//     7       lookup              1    shard           account jid                              -> found
//     8       set_credentials     1    shard           account jid, credentials string, create bool -> outcome
//     9       remove_account      1    shard           account jid                              -> outcome
//     10      registered          1    shard           node fixed64, term fixed64
//     11      heritage            1    shard           node fixed64, term fixed64, flags byte (1 begins, 2 ends),
//                                                      there jids, gone jids
//     12      came_back           1    shard           stanza, session_id varint, copies
//     13      has_left            1    shard           full jid, session_id varint
//     16      outcome             1    request         failure byte, text string
//     17      attached            1    request         failure byte, full jid, blocks
//     18      detached            1    request         nothing
//     19      found               1    request         failure byte, flags byte (1 exists, 2 enabled), credentials
//                                                      string, created fixed64
//     20      written             1    request         nothing
//     21      failure             1    request         family byte, code byte
//     22      turn_over           1    request         nothing
//     32      deliver_stored      1    session         count varint, { 16 bytes of id, stanza } -> written
//     33      end_stream          1    session         reason byte, text string, see_other_host string
//     34      attach_again        1    session         nothing
//     35      blocks_changed      1    session         blocks
//     48      fan_out             1    whoever routes  flags byte (1 hidden), stanza, targets jids, hidden_from jids
//     49      loss                1    whoever routes  nothing
//
//     copies     count varint, session_id varints; 0: none
//     jids       count varint, jids      blocks     0: none, or 1 jids      fixed64   8 bytes, big-endian
//     jid, stanza, tree, varint, string: protocol/binary_xml.hpp            failure, reason: an `errc`
//
// Later versions (nodes are upgraded one after the other):
// - A new message takes a new number, with the version that brings it in its line; a new field goes to the extras under
//   a new tag. Nothing above changes, no number is used twice.
// - An even tag must be understood: an older node refuses the frame. An odd one may be ignored; whoever reads such a
//   message does without. Extras are for later: so far no tag is known.
// - Who writes to a node of an older version sends no message and no even tag that is newer than it. Links say the
//   version of their peer; what can't be said fails at the sender.
// - A number that is not known is refused; an asker, if there is one, hears `failure` and need not wait for its
// time-out.
//   An unknown `errc` reads as `internal_server_error`.
//
// Another node is trusted in what it says and not in how (binary_xml.hpp). Checked here, too: an account is a bare JID
// and is there where a shard needs it, so that nothing durable is done under a wrong name; that it is that shard's is
// for the receiver to check (`account_of`). Credentials travel in `found` and `set_credentials`, between nodes only
// under TLS; nothing here writes a body anywhere, `summary` and the words of a refusal are free of them.
#pragma once

#include "actors/interfaces.hpp"
#include "cluster/identity.hpp"
#include "persistence/keys.hpp"
#include "protocol/blocklist.hpp"
#include "protocol/error.hpp"

#include <caf/error.hpp>
#include <caf/message.hpp>
#include <caf/type_erased_tuple.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace xmpp::remote {

using cluster::node_id;

inline constexpr std::uint8_t version = 1;
inline constexpr std::size_t targets_max = 100'000; ///< Of one fan-out; and of any list of addresses.
/// Of one frame; the links take no larger one.
inline constexpr std::size_t frame_bytes_max = 4 * 1'024 * 1'024;

// -- messages that exist only between nodes --

/// Why there is no answer.
struct failure {
  enum class family : std::uint8_t { ours = 1, caf = 2, exit = 3 };
  family of = family::ours;
  std::uint8_t code = 0; ///< An `errc`, `caf::sec` or `caf::exit_reason`.
};
failure to_failure(const caf::error& x) noexcept; ///< Without its text, which may hold anything.
caf::error to_error(const failure& x);

/// What followed from a `sent` has gone out: its `turn`, which does not travel, may end where it was taken. Only when
/// `sent` was a request.
struct turn_over {};

/// A stanza for many at once, packed once for each node. Each target gets a copy that is addressed to it, as by
/// `deliver`, or as by `show` when `is_hidden`. A target's shard follows from its bare JID on every node alike, so that
/// no shard is said.
struct fan_out {
  stanza what;              ///< Its own `to` is not sent.
  std::vector<jid> targets; ///< Full or bare.
  bool is_hidden = false;
  std::vector<jid> hidden_from = {}; ///< Full; each concerns the target of its account.
};

/// Something that travelled between two other nodes may be lost: who waits for an answer may wait in vain.
struct loss {};

using message =
    std::variant<msg::deliver, msg::deliver_for_good, msg::show, msg::sent, msg::attach, msg::detach, msg::lookup,
                 msg::set_credentials, msg::remove_account, msg::outcome, msg::attached, msg::detached, msg::found,
                 msg::written, failure, turn_over, msg::deliver_stored, msg::end_stream, msg::attach_again,
                 msg::blocks_changed, fan_out, msg::registered, msg::heritage, loss, msg::came_back, msg::has_left>;

// -- the envelope --

struct address {
  enum class kind : std::uint8_t { router = 0, shard = 1, session = 2, request = 3 };
  kind what = kind::router;
  std::uint64_t number = 0; ///< The shard; a session's `session_id`; the request that this answers.
  friend bool operator==(const address&, const address&) = default;
};

struct envelope {
  address to;
  node_id asker = 0;
  std::uint64_t request = 0; ///< 0: nobody waits.
  /// Of an attach: where its session is. The handle itself does not travel: the receiver puts a stand-in in its place,
  /// for the session of that node under `session_id`, which must be the node's own for as long as anybody remembers it,
  /// restarts included. Likewise `attached::user`.
  node_id session_node = 0;
};

/// Appends a frame. Leaves `out` as it was and fails with `policy_violation` (beyond `frame_bytes_max`, `targets_max`
/// or the limits of trees), `bad_request` (an address or a tree that must be there is not; not for such a target).
result<void> append(std::string& out, const envelope& to, const message& what);
/// The same of what an actor was sent. Fails with `unsupported_feature` for a message that never leaves its node.
result<void> append(std::string& out, const envelope& to, const caf::type_erased_tuple& what);

/// Reads exactly one frame. `to` is filled as far as it could be read: a refused request can be answered when
/// `to.request` is not 0. Fails with `corrupt_record` (not of the grammar) or `unsupported_feature` (a version, message
/// or tag that is not known). The session of an attach, the user of
/// an attached and the turn of a sent are null.
result<message> read(std::string_view frame, envelope& to);

/// As an actor is sent it. A failure becomes a `caf::error`; a turn's end, a fan-out and a loss have no such form:
/// none.
std::optional<caf::message> to_caf(message what);

/// Bare: whose shard the message is for; empty for those that are not for a shard.
std::string_view account_of(const message& what) noexcept;

/// The number of the message that answers it; 0: nothing does.
std::uint64_t answer_to(std::uint64_t number) noexcept;
std::uint64_t number_of(const message& what) noexcept;
/// 0: not one of them.
std::uint64_t number_of(const caf::type_erased_tuple& what) noexcept;

/// `set_credentials to shard 7, request 12 of 00000000000000a1`: for logs and traces, without anything of its body.
std::string summary(const envelope& to, std::uint64_t number);

} // namespace xmpp::remote
