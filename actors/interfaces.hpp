// Every actor's interface, one sentence per message.
#pragma once

#include "actors/messages.hpp"

#include <caf/typed_actor.hpp>

namespace xmpp {

/// Every supervised actor: fails on command, hears its supervisor's decision, tells about itself.
#define XMPP_SUPERVISED                                                                                                \
  caf::reacts_to<msg::verdict>, caf::reacts_to<msg::fail_now>, caf::replies_to<msg::describe>::with<msg::description>

/// Whoever decides about a failure; and whoever hears the decision.
using supervising_actor = caf::typed_actor<caf::reacts_to<msg::child_failed>>;
using supervised_actor = caf::typed_actor<caf::reacts_to<msg::verdict>>;

/// Whoever tells a shard who serves it, when asked: a coordinator.
using who_serves_actor = caf::typed_actor<caf::reacts_to<msg::who_serves>>;

/// SESSION: one client's stream, then one bound resource; writes to the client what it is told to deliver.
using session_actor = caf::typed_actor<
    // Writes a stanza to the client.
    caf::reacts_to<msg::deliver>,
    // Writes them, and answers when they have gone out; with an error when the session ends before.
    caf::replies_to<msg::deliver_stored>::with<msg::written>,
    // The output queue is empty.
    caf::reacts_to<msg::drained>,
    // One element from the client.
    caf::reacts_to<msg::received>,
    // The client opened its stream, or restarted it.
    caf::reacts_to<msg::stream_opened>,
    // The client's bytes broke a rule of XML or a limit.
    caf::reacts_to<msg::stream_broken>,
    // The client closed its stream.
    caf::reacts_to<msg::stream_closed>,
    // The transport is gone.
    caf::reacts_to<msg::disconnected>,
    // TLS is up.
    caf::reacts_to<std::shared_ptr<msg::tls_established>>,
    // The time before authentication is over.
    caf::reacts_to<msg::timed_out>,
    // The pause after a failed attempt to sign in is over.
    caf::reacts_to<msg::go_on>,
    // Ends the stream: replaced, removed, shut down.
    caf::reacts_to<msg::end_stream>,
    // The account lost its state: registers again.
    caf::reacts_to<msg::attach_again>,
    // The account's block list changed.
    caf::reacts_to<msg::blocks_changed>, XMPP_SUPERVISED>;

/// USER: one account; owns its sessions, its roster and its delivery.
using user_actor = caf::typed_actor<
    // Hands a stanza addressed to this account to the right sessions; or a presence, but not to some of them.
    caf::reacts_to<msg::deliver>, caf::replies_to<msg::deliver_for_good>::with<msg::outcome>, caf::reacts_to<msg::show>,
    // Handles what one of its own sessions sent to the account or to all.
    caf::reacts_to<msg::sent>,
    // Adds a session under the resource it asked for.
    caf::replies_to<msg::attach>::with<msg::attached>,
    // A session ended; what it could not take; that was all. Or it has gone down with who knew of it.
    caf::replies_to<msg::detach>::with<msg::detached>, caf::reacts_to<msg::came_back>, caf::reacts_to<msg::has_left>,
    caf::reacts_to<msg::vanished>,
    // Says whether the account exists, and what proves its password.
    caf::replies_to<msg::lookup>::with<msg::found>,
    // Creates the account or changes its password.
    caf::replies_to<msg::set_credentials>::with<msg::outcome>,
    // Removes the account and all it has.
    caf::replies_to<msg::remove_account>::with<msg::outcome>,
    // Its changes are durable, or refused.
    caf::reacts_to<msg::committed>,
    // Its records are here; or one thing that it asked the store for.
    caf::reacts_to<msg::loaded>, caf::reacts_to<msg::was_read>,
    // Some time has passed: no longer waits for sessions to register again.
    caf::reacts_to<msg::tick>,
    // Ends when it has nothing to do; or because its shard is served elsewhere.
    caf::reacts_to<msg::retire>, caf::reacts_to<msg::lose>, XMPP_SUPERVISED>;

/// SHARD: one slice of all accounts; starts their users on demand, restarts those that fail, retires idle ones. Where
/// another node serves it, what comes goes there.
using shard_actor = caf::typed_actor<
    // The following go to the account's user, which is started if need be.
    caf::reacts_to<msg::deliver>, caf::replies_to<msg::deliver_for_good>::with<msg::outcome>, caf::reacts_to<msg::show>,
    caf::reacts_to<msg::sent>, caf::replies_to<msg::attach>::with<msg::attached>,
    caf::replies_to<msg::detach>::with<msg::detached>, caf::reacts_to<msg::came_back>, caf::reacts_to<msg::has_left>,
    caf::replies_to<msg::lookup>::with<msg::found>, caf::replies_to<msg::set_credentials>::with<msg::outcome>,
    caf::replies_to<msg::remove_account>::with<msg::outcome>,
    // A user would end for want of work; it has, or it has work again.
    caf::reacts_to<msg::may_retire>, caf::reacts_to<msg::retired>,
    // What a user has left that ends because it is served by somebody else.
    caf::reacts_to<msg::unhandled>,
    // It is served by somebody else from now on; another node's sessions are known here; it has waited long enough.
    caf::reacts_to<msg::served>, caf::reacts_to<msg::registered>, caf::reacts_to<msg::waited>,
    // What contacts see: said by its users, and by who serves it to who may next; the next bit of that.
    caf::reacts_to<msg::shown>, caf::reacts_to<msg::heritage>, caf::reacts_to<msg::pace>,
    // Looks for idle users.
    caf::reacts_to<msg::tick>,
    // A user failed and waits for a decision.
    caf::reacts_to<msg::child_failed>, XMPP_SUPERVISED>;

/// SUPERVISOR: starts its children, and decides what happens when one fails.
using supervisor_actor = caf::typed_actor<
    // A child failed and waits for a decision.
    caf::reacts_to<msg::child_failed>,
    // Decides about a child whose back-off is over.
    caf::reacts_to<msg::child_due>, XMPP_SUPERVISED>;

/// HASHER: derives and checks passwords, which takes milliseconds, on a thread of its own.
using hasher_actor = caf::typed_actor<
    // Checks a password against what is stored.
    caf::replies_to<msg::check_password>::with<msg::password_checked>,
    // Derives what is stored from a password.
    caf::replies_to<msg::derive>::with<msg::derived>, XMPP_SUPERVISED>;

struct session_handle {
  session_actor actor;
};

} // namespace xmpp

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::shared_ptr<xmpp::msg::tls_established>)
