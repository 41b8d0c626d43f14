// LINKS: this node's connections to the others, each with each; what travels between nodes travels here.
//
// A link is one TCP connection between two members under TLS 1.3, where both show a certificate of the cluster's
// authority. Whoever can not is cut before anything of it is looked at: no byte of a client or a stranger gets to
// `on_frame`. What is said is in link_frames.hpp.
//
// - What waits for a peer is bounded for each channel; beyond that `send` refuses and the caller decides. All that
//   waits goes out in as few records and writes as hold it, urgent frames first.
// - Between `on_up` and `on_down` the order within a channel holds, and what was taken may be lost at the end only:
//   with `on_down` all that waited is gone.
// - A peer is down when its connection ends, or when nothing was heard of it for `silent_ms`; what comes later is not
//   looked at.
// - Both sides dial until one connection stands. Of two, the node with the lower id says which one is used: the first,
//   unless the peer has begun anew since.
#pragma once

#include "cluster/identity.hpp"
#include "cluster/join.hpp"
#include "cluster/link_frames.hpp"
#include "net/outcome.hpp"
#include "net/reactor.hpp"
#include "net/socket.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::cluster {

struct link_options {
  identity self;       ///< A member's.
  net::address listen; ///< Port 0: a free one; unknown: nobody can dial us.
  std::string software = "troupe";
  net::reactor* home = nullptr; ///< Null: a thread of its own. Else see `links::start`.

  std::size_t frame_bytes_max = 4u << 20;    ///< A peer that sends a larger one is cut: the same on all nodes.
  std::size_t channel_bytes_max = 16u << 20; ///< Waiting for one peer, for each channel.
  std::size_t pack_bytes = 64u << 10;        ///< Encrypted at once.
  unsigned heartbeat_ms = 200;
  unsigned silent_ms = 1'100;
  unsigned connect_ms = 2'500;   ///< For TCP and TLS of what we dial.
  unsigned handshake_ms = 5'000; ///< From the connection until a peer has shown who it is.
  unsigned join_ms = 30'000;     ///< For the decision about a joining node.
  unsigned retry_min_ms = 100;   ///< Doubles with each failure in a row; up to half of it is taken off at random.
  unsigned retry_max_ms = 1'000;
  std::size_t strangers_max = 64; ///< Connections that have not shown who they are; of more, the oldest goes.
  /// Of one address, a tenth of them at once: handshakes cost time that links need.
  unsigned dials_per_minute_max = 600;
  std::uint8_t version = link_version; ///< Another one is for tests.

  std::int64_t (*wall_clock_s)() = nullptr; ///< Null: the system's.
  std::uint64_t (*clock_us)() = nullptr;    ///< Null: a steady one.
};

/// Called on the links' thread, one at a time; quick, and without a wait. Each may be empty.
struct link_callbacks {
  /// The bytes are valid during the call.
  std::function<void(node_id from, channel on, std::string_view bytes)> on_frame;
  std::function<void(node_id peer)> on_up;
  std::function<void(node_id peer, const std::string& why)> on_down;
  /// Asked of peers that were named by `set_peers`, when they have shown who they are; empty: yes.
  std::function<bool(node_id peer)> may_link;
  /// A peer that was dialed says why it does not link with this node: told when the words are others than the last.
  std::function<void(node_id peer, const std::string& why)> on_refused;
  /// A stranger was cut; there may be many.
  std::function<void(const net::address& from, const std::string& why)> on_stranger;
  /// A node wants to join; empty: nobody can. `reply` may be called on any thread, once, with the answer or with words
  /// for the one who asks (see `check_key`). The secret is in the request: never log it.
  using join_reply = std::function<void(net::outcome<join_answer>)>;
  std::function<void(const net::address& from, const join_request& x, join_reply reply)> on_join;
};

struct link_peer {
  node_id node = 0;
  std::vector<net::address> addresses; ///< Tried in turn; none: we wait for it to dial.
  /// SHA-256 of its public key, as it joined: who has the authority's key, as a member that was removed, can make
  /// certificates, and not this. Empty: not known yet.
  std::string key_digest = {};
};

struct link_status {
  node_id node = 0;
  bool is_up = false;
  std::int64_t since_s = 0;                         ///< Up or down since then; 0: never was up.
  net::address address;                             ///< Of the other end, while up.
  bool is_dialed = false;                           ///< By us.
  std::string software;                             ///< The peer's, as last seen.
  std::uint64_t round_trip_us = 0;                  ///< The last; 0: none yet.
  std::array<std::size_t, channel_count> waiting{}; ///< Bytes, by channel.
  std::size_t waiting_for_socket = 0;               ///< Bytes, encrypted.
  std::uint64_t bytes_in = 0, bytes_out = 0;        ///< On the wire, over all its connections.
  std::uint64_t frames_in = 0, frames_out = 0;
  std::uint64_t packs_out = 0;
  std::uint64_t refused = 0; ///< Calls of `send` that returned false.
  std::uint64_t losses = 0;
  std::string last_loss;    ///< Why it went down.
  std::string last_failure; ///< Why it could not be reached, the last time.
};

class links {
public:
  /// Fails when it can not listen or the identity is no member's.
  ///
  /// With `options.home`, call it on that reactor's thread or before it runs, and so the destructor.
  static net::outcome<std::unique_ptr<links>> start(const link_options& options, link_callbacks callbacks);
  /// Ends all links; afterwards no callback is running or will. Not from inside one.
  ~links();
  links(const links&) = delete;
  links& operator=(const links&) = delete;

  // -- from any thread --
  /// Whom to link with, from now on; others' links end. The own node in it is ignored.
  void set_peers(std::vector<link_peer> peers);
  /// Where any of them may be as well: tried for a peer once all its own addresses have failed.
  void set_seeds(std::vector<net::address> seeds);
  /// False, and nothing is taken: not linked, the channel is full, or more than `frame_bytes_max`. Never blocks.
  bool send(node_id to, channel on, std::string_view bytes);
  bool is_up(node_id peer) const;
  /// A renewed certificate, for connections from now on.
  net::outcome<void> set_identity(const identity& self);
  std::vector<link_status> status() const; ///< By node.
  std::uint64_t strangers_cut() const noexcept;
  net::address listen_address() const noexcept; ///< With its port.

private:
  class hub;
  explicit links(std::shared_ptr<hub> inner);
  std::shared_ptr<hub> hub_;
};

} // namespace xmpp::cluster
