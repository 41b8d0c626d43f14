// Nodes of one cluster in one process: real sockets on loopback, reactors that the test turns, time moved by hand.
#pragma once

#include "cluster/link.hpp"
#include "net/mutual_tls.hpp"
#include "net/reactor.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xmpp::cluster {

constexpr auto test_now_s = std::int64_t{1'800'000'000};

template <class T>
T value_of(net::outcome<T> x) {
  BOOST_REQUIRE_MESSAGE(x, x.why());
  return *std::move(x);
}

/// A member with that id.
identity member_of(const cluster_authority& by, node_id node, std::int64_t now_s = test_now_s);
/// The same one in all tests: made once.
const cluster_authority& test_authority();

struct heard {
  node_id from = 0;
  channel on = channel::urgent;
  std::string bytes;
};

/// One node. Its id is its place in the order of ids too.
class test_node {
public:
  explicit test_node(node_id id, net::reactor& home, const std::function<void(link_options&)>& change = {});

  /// Ends its links, as a process that is gone.
  void stop() { links.reset(); }
  /// Begins anew, at the same port.
  void start();
  link_peer as_peer() const { return {id, {at}}; }
  link_status about(const test_node& other) const;
  std::size_t frames_from(const test_node& other, channel on) const;

  node_id id;
  link_options options;
  net::address at;
  std::unique_ptr<cluster::links> links;
  std::function<bool(node_id)> may_link;

  std::vector<heard> frames;
  std::vector<node_id> ups;
  std::vector<std::pair<node_id, std::string>> downs;
  std::vector<std::string> strangers, refusals;
};

struct mesh {
  mesh();

  /// All of them on the first reactor, or on the second, which need not be turned.
  test_node& add(node_id id, const std::function<void(link_options&)>& change = {});
  test_node& add_apart(node_id id, const std::function<void(link_options&)>& change = {});
  /// Each is told of all.
  void introduce();
  /// Turns, and moves time on when nothing happens, until it is so; false when `ms_max` are over before.
  bool until(const std::function<bool()>& is_so, std::uint64_t ms_max = 20'000);
  /// Turns until nothing happens, at the same time.
  void settle();
  bool are_linked(const test_node& a, const test_node& b) const;

  net::reactor home;
  net::reactor apart;
  bool turns_apart = true;
  std::vector<std::unique_ptr<test_node>> nodes;
};

/// A peer that the test plays by hand.
class raw_peer {
public:
  raw_peer(mesh& around, const test_node& to);

  void write(std::string_view wire);
  /// What has come, as it came; notes the end.
  std::string read();
  /// With TLS from here on: whether the handshake came to an end on this side.
  bool shake_hands(const net::mutual_tls_options& options, std::int64_t now_s = test_now_s);
  void say(frame_kind kind, std::string_view payload);
  /// What the other side has said so far, decrypted: frames.
  std::vector<std::pair<frame_kind, std::string>> listen();
  bool is_closed();
  std::string peer_certificate() const { return tls_->peer_certificate(); }

private:
  mesh& around_;
  net::unique_fd fd_;
  std::unique_ptr<net::mutual_tls> tls_;
  std::string plain_;
  bool is_closed_ = false;
};

/// What that identity shows on a link.
net::mutual_tls_options shown_by(const identity& who);

} // namespace xmpp::cluster
