// What travels between actors. Every type stays inside the process: between nodes `cluster/` has its own formats.
#pragma once

#include "persistence/ids.hpp"
#include "persistence/keys.hpp"
#include "protocol/error.hpp"
#include "protocol/parser.hpp"
#include "protocol/stanza.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/message.hpp>
#include <caf/message_id.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xmpp {

class blocklist;
struct user_records;
namespace offline {
struct page;
}
struct session_handle; // interfaces.hpp: a session_actor, wrapped so that messages can carry one

namespace msg {

// -- stanzas --

/// Their numbers (`server_context::session_number`).
using session_ids = std::shared_ptr<const std::vector<std::uint64_t>>;

/// A stanza for an account here (at its shard, then its user), or for a client (at its session).
struct deliver {
  stanza what;
  session_ids copies = {}; ///< To a session: all that get it. Null: no other one does.
};

/// To an account: what it gave to a session that could not take it, as that session got it; for who else is there, or
/// for later (RFC 6121, 8.5.2.2 and 8.5.3.2).
struct came_back {
  stanza what;
  std::uint64_t session_id = 0; ///< That session's.
  session_ids copies = {};
};
/// To an account: all that the session could not take has come back. Until then what comes for the account waits:
/// stanzas keep their order (RFC 6120, 10.1).
struct has_left {
  jid full;
  std::uint64_t session_id = 0;
};

/// As `deliver`, answered when what follows from it is durable: for what its sender acknowledges only then.
struct deliver_for_good {
  stanza what;
};

/// A presence for an account here, but not for those of its resources that the sender has blocked (XEP-0191, 3.3).
struct show {
  stanza what;
  std::vector<jid> hidden_from; ///< Full.
};

/// A client's stanza that its own account must handle: presence without `to`, subscriptions, its roster, its iq; and
/// one for somebody else that must not overtake these.
struct sent {
  stanza what;
  std::uint64_t session_id = 0;
  std::vector<jid> directed = {}; ///< With an unavailable presence: who was sent presence directly, and must know.
  bool was_available = false;     ///< With a presence: before it.
  bool is_unchecked = false;      ///< The hooks are still to see it: the block list may be changing.
  std::shared_ptr<const void> turn = {}; ///< Held until what follows from it has gone out.
};

// -- a session and its account --

/// Everything an account knows of a session. Sent to bind, and again, unasked, to whoever owns the account after a
/// restart or a change of owner.
struct attach {
  jid account;
  std::string resource;   ///< Prepared; empty: the server makes one.
  bool again = false;     ///< Registers a session that is bound already.
  bool anonymous = false; ///< An account that ends with its session (XEP-0175).
  std::shared_ptr<session_handle> session;
  std::uint64_t session_id = 0; ///< `server_context::session_number`
  std::int64_t created_ms = 0;  ///< Of the account that was signed in to (`found`).
  bool available = false;
  std::int8_t priority = 0;
  bool interested = false;
  bool wants_blocks = false;
  element presence = {};
  std::uint64_t node = 0; ///< Of the session; 0: this one.
  bool tells = false;     ///< Contacts may not know what `available` says.
};

struct attached {
  errc failure = errc::none;
  jid full = {};
  caf::strong_actor_ptr user = {};
  std::shared_ptr<const blocklist> blocks =
      {}; ///< What the client must not send to (XEP-0191, 3); null: nothing blocked.
};

// -- a shard and its node --

/// Who serves a shard from now on: this node, or the shard of another one, or nobody.
struct served {
  std::uint64_t node = 0; ///< 0: nobody.
  std::uint64_t term = 0;
  caf::strong_actor_ptr elsewhere = {};    ///< Its shard there; null: here, or nobody.
  std::vector<std::uint64_t> awaited = {}; ///< Served here: the nodes whose sessions must be known first.
  /// Served here: the nodes that may serve it next, and its shards there; those that are linked.
  std::vector<std::pair<std::uint64_t, caf::strong_actor_ptr>> heirs = {};
};
/// From who serves a shard to who may next: the sessions whose contacts see them as available, or do so no more.
struct heritage {
  shard_id shard = 0;
  std::uint64_t node = 0; ///< Who serves it in that term.
  std::uint64_t term = 0;
  bool begins = false; ///< All of them follow, in this and later ones; what is not among them is to be forgotten
  bool ends = false;   ///< when this has come.
  std::vector<jid> there = {}, gone = {}; ///< Full.
};
/// Of a user to its shard: contacts are about to see that session as available, or have seen it go.
struct shown {
  jid full;
  bool is_there = false;
};
/// To a user: contacts see that session as available, and it is nowhere any more.
struct vanished {
  jid full;
};
/// Of a shard to itself, while it serves in that term: it goes on with what it does bit by bit.
struct pace {
  std::uint64_t term = 0;
};
/// All sessions that a node has of a shard have attached to who serves it in that term.
struct registered {
  shard_id shard = 0;
  std::uint64_t node = 0;
  std::uint64_t term = 0;
};
/// Of a shard to itself: it has waited for long enough, in its `wait`th wait.
struct waited {
  std::uint64_t wait = 0;
};
/// To the coordinator: who serves that shard?
struct who_serves {
  shard_id shard = 0;
};
/// To a member of a group: something waits for it.
struct turn {};
/// To a user: its shard is served elsewhere, or by nobody. It answers with `retired` when nothing is under way.
struct lose {};

/// The session ended.
struct detach {
  jid full;
  std::uint64_t session_id = 0;
  std::vector<jid> directed = {}; ///< Who was sent presence directly, and must know (RFC 6121, 4.6.3).
  bool was_available = false;
};
struct detached {}; ///< Nothing more comes from the account.

/// From a user that has lost its state to the sessions of its account: attach again.
struct attach_again {};

/// The account's block list has changed.
struct blocks_changed {
  std::shared_ptr<const blocklist> blocks;
};

/// Ends a client's stream with this stream error; `none`: just closes it.
struct end_stream {
  errc reason = errc::none;
  std::string text = {};
  std::string see_other_host = {}; ///< With `see_other_host`: where to.
};

// -- accounts, for sign-in and administration --

struct lookup {
  jid account;
};
struct found {
  errc failure = errc::none; ///< `storage_failure`: ask later. An account that is not there is no failure.
  bool exists = false;
  bool enabled = false;
  std::string credentials = {}; ///< Encoded (protocol/sasl.hpp).
  std::int64_t created_ms = 0;  ///< Tells it from an account of the same name before or after it.
};

/// Creates an account, or changes its password.
struct set_credentials {
  jid account;
  std::string credentials; ///< Encoded.
  bool create = false;     ///< Fails with `conflict` when it exists; else with `item_not_found` when it does not.
};
struct remove_account {
  jid account;
};
/// For the hasher.
struct check_password {
  std::string password;
  std::string stored; ///< Encoded credentials.
};
struct password_checked {
  bool matches = false;
  bool overloaded = false; ///< It was not checked at all.
};
struct derive {
  std::string password;
  std::uint32_t iterations = 0;
};
struct derived {
  errc failure = errc::none;    ///< `not_acceptable`: not a legal password; `resource_constraint`: too many wait.
  std::string credentials = {}; ///< Encoded.
};
/// How a request ended.
struct outcome {
  errc failure = errc::none;
  std::string text = {};
};

// -- durable changes --

/// A user's changes were committed, or not.
struct committed {
  std::uint64_t ticket = 0;
  errc failure = errc::none;
};

// -- retiring --

/// A user's records have been read; null: they could not be.
struct loaded {
  std::shared_ptr<user_records> records;
};
/// What a user read for one of its continuations.
struct was_read {
  std::uint64_t ticket = 0;
  errc failure = errc::none;
  std::optional<std::string> value = {};
  std::shared_ptr<offline::page> messages = {};
};

/// A user that has nothing to do, nor anything to keep, would end.
struct may_retire {
  jid account;
};
/// The shard asks a user to end if it has nothing to do. What comes for it waits at the shard for the answer.
struct retire {};
struct retired {
  jid account;
  bool has_ended = false; ///< Else it has something to do again.
};
/// From a user that ends because of `lose`: what had come for it and it has not handled; one after the other, in order.
struct unhandled {
  caf::strong_actor_ptr sender;
  caf::message_id id;
  caf::message what;
};
struct tick {};
/// A page of messages that waited for the client; its session answers when all have gone out.
struct deliver_stored {
  std::vector<std::pair<stored_id, stanza>> what; ///< In the order of their ids.
};
struct written {};

// -- the byte side of a session --

struct stream_opened {
  stream_header header;
};
struct received {
  element what;
};
/// The client's bytes broke a rule; the connection reads no more.
struct stream_broken {
  errc reason = errc::none;
};
struct stream_closed {}; ///< The client's closing tag.
struct drained {};       ///< All that was written has gone out.
struct tls_established;  // connection.hpp
struct disconnected {
  std::string reason;
};
/// A time limit has passed.
struct timed_out {};
/// The pause after a failed attempt to sign in is over.
struct go_on {};

/// To a listener.
struct stop_accepting {};

// -- supervision --

struct child_failed {
  caf::strong_actor_ptr child;
  std::string what;
};
enum class decision : std::uint8_t { restart, stop };
/// The supervisor's answer to a failure.
struct verdict {
  decision what = decision::restart;
  bool also_if_running = false; ///< Restarts an actor that has not failed: a sibling did, or its supervisor.
};
/// The time until a child's restart is over.
struct child_due {
  std::size_t index = 0;
};
/// From the shell: fail now, as if by a defect.
struct fail_now {};

// -- looking in --

struct describe {};
struct description {
  std::vector<std::pair<std::string, std::string>> fields; ///< In the order to show.
};

} // namespace msg
} // namespace xmpp

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::deliver)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::came_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::has_left)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::deliver_for_good)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::show)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::sent)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::attach)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::attached)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::served)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::registered)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::heritage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::shown)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::vanished)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::pace)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::waited)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::lose)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::who_serves)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::turn)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::detach)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::detached)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::attach_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::blocks_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::end_stream)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::lookup)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::found)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::set_credentials)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::remove_account)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::check_password)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::password_checked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::derive)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::derived)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::stop_accepting)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::child_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::outcome)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::committed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::loaded)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::was_read)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::may_retire)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::retire)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::retired)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::unhandled)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::deliver_stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::written)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::stream_opened)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::drained)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::received)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::stream_broken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::stream_closed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::disconnected)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::timed_out)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::go_on)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::child_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::verdict)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::fail_now)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::describe)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(xmpp::msg::description)
