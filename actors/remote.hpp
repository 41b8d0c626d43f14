// REMOTE: light stand-ins for the shards and sessions of other nodes. Who has a handle sends and asks as if the actor
// were here; what it sends becomes a frame (remote_messages.hpp), and what comes from another node goes to the actors
// here. No mailbox, no thread, no serialization of CAF's.
//
// - One-way messages go out in the call that sends them: their order is that of the calls, as far as `send` keeps it.
//   A stanza that can't go is given to `on_lost` or `on_unreached`; other one-way messages are lost with the link, and
//   whoever depends on them hears of that by `on_down`: sessions attach again, and users see their sessions go.
// - Each request is answered once: by the other node, or here with an error: at once when there is no link or too many
//   wait; when the link goes down (`caf::exit_reason::remote_link_unreachable`); when the time is over
//   (`caf::sec::request_timeout`). An answer that comes later is dropped. Whether what was asked for was done is then
//   not known: as after any lost answer.
// - The `turn` of a `sent` is kept here until the other node has let go of it, or as long as an answer is waited for.
// - An answer of the wrong kind, or one that can't be read, is an error as well.
// - A stand-in can be monitored; when its node's link goes down, sessions there end for who monitors them. A handle
//   that is kept stays dead then; the next `attach` brings a new one. Those of shards go on when the link is back.
#pragma once

#include "actors/remote_messages.hpp"

#include <caf/actor_system.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace xmpp::remote {

struct exchange_options {
  node_id self = 0;
  std::uint32_t shard_count = 1;
  std::size_t outstanding_max = 65'536; ///< Requests to other nodes that wait; beyond: `errc::resource_constraint`.
  std::int64_t timeout_ms = 30'000;     ///< Of each of them, ten minutes of `deliver_stored`; seen by `tick`.
};

/// What was for that session, and why it is not there.
struct unreached {
  msg::came_back what;
  enum class reason : std::uint8_t {
    gone,    ///< Its link is down, or was meanwhile.
    unknown, ///< It was sent from elsewhere for a session of this node that has ended.
    full     ///< No more may wait for that node.
  } why = reason::gone;
};

/// Called from any thread, maybe by several at once, while nothing is locked. Those from `on_lost` on may be empty.
struct exchange_callbacks {
  /// Hands a frame to the link with that node, always the same channel, in this order. False: it did not take it.
  std::function<bool(node_id to, std::string_view frame)> send;
  std::function<bool(node_id)> is_up; ///< The link.
  /// Who serves that shard here; null: nobody.
  std::function<shard_actor(shard_id)> shard;
  /// The session of this node with that `session_id`; null: none any more.
  std::function<session_actor(std::uint64_t session_id)> session;
  /// Where the stanzas of an account go, here or elsewhere: for the targets of a fan-out.
  std::function<shard_actor(const jid& account)> route;
  /// A stanza that did not reach its shard; the caller answers for it (RFC 6120, 8.3).
  std::function<void(const stanza& what, errc why)> on_lost;
  /// One that did not reach a session: its account's to say what becomes of it.
  std::function<void(const unreached& what)> on_unreached;
  /// Another node says that what travelled between it and a third one may be lost.
  std::function<void()> on_loss;
  /// Another node sent what this one does not take: its defect, or its version.
  std::function<void(node_id from, const std::string& summary, const error& why)> on_refused;
  std::function<std::int64_t()> clock_ms; ///< Steady; empty: the system's.
};

class exchange {
public:
  exchange(caf::actor_system& system, const exchange_options& options, exchange_callbacks callbacks);
  /// Whoever still waits is answered with an error; stand-ins that are left do nothing any more. No actor may be using
  /// one meanwhile.
  ~exchange();
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  // -- from any thread --
  /// Stands for that node's shard; the same one each time. Not for the own node.
  shard_actor shard(node_id node, shard_id index);
  /// Stands for a session of another node; of the own node: the session itself, or null.
  session_actor session(node_id node, std::uint64_t session_id);
  /// Fails as `append` does, or with `remote_server_timeout` when the link does not take it.
  result<void> send(node_id to, const fan_out& what);
  void send(node_id to, const loss& what);

  /// A frame came from that node.
  void on_frame(node_id from, std::string_view frame);
  /// The link with that node is gone, with all that waited in it.
  void on_down(node_id peer);
  /// Ends what has waited too long; call it a few times a second.
  void tick();

  std::size_t outstanding() const;

  struct core; ///< What stand-ins share.

private:
  std::shared_ptr<core> core_;
};

/// Whether it stands for a session whose link has gone since; that may be up again.
bool is_gone(const session_actor& x);

} // namespace xmpp::remote
