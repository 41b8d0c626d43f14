#include "tests/cluster/link_fixture.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>

namespace xmpp::cluster {

namespace {

std::uint64_t clock_ms = 1'000'000;

std::uint64_t by_hand_ms() {
  return clock_ms;
}

std::uint64_t by_hand_us() {
  return clock_ms * 1000;
}

std::int64_t fixed_s() {
  return test_now_s;
}

} // namespace

const cluster_authority& test_authority() {
  static const auto made = value_of(make_cluster_authority(test_now_s));
  return made;
}

identity member_of(const cluster_authority& by, node_id node, std::int64_t now_s) {
  auto fresh = value_of(make_identity());
  fresh.node = node;
  auto certificate = value_of(issue(by, node, value_of(request_of(fresh)), now_s));
  return value_of(admitted(fresh, by.cluster, by.pair.certificate, certificate, now_s));
}

test_node::test_node(node_id node, net::reactor& home, const std::function<void(link_options&)>& change) : id(node) {
  options.self = member_of(test_authority(), node);
  options.listen = *net::address::parse("127.0.0.1", 0);
  options.home = &home;
  options.software = "troupe test";
  options.wall_clock_s = fixed_s;
  options.clock_us = by_hand_us;
  if (change)
    change(options);
  start();
}

void test_node::start() {
  auto callbacks = link_callbacks{};
  callbacks.on_frame = [this](node_id from, channel on, std::string_view bytes) {
    frames.push_back({from, on, std::string{bytes}});
  };
  callbacks.on_up = [this](node_id peer) { ups.push_back(peer); };
  callbacks.on_down = [this](node_id peer, const std::string& why) { downs.emplace_back(peer, why); };
  callbacks.may_link = [this](node_id peer) { return !may_link || may_link(peer); };
  callbacks.on_stranger = [this](const net::address&, const std::string& why) { strangers.push_back(why); };
  callbacks.on_refused = [this](node_id, const std::string& why) { refusals.push_back(why); };
  links = value_of(links::start(options, callbacks));
  options.listen = at = links->listen_address();
}

link_status test_node::about(const test_node& other) const {
  for (auto& one : links->status())
    if (one.node == other.id)
      return one;
  return {};
}

std::size_t test_node::frames_from(const test_node& other, channel on) const {
  return std::size_t(
      std::count_if(frames.begin(), frames.end(), [&](const heard& x) { return x.from == other.id && x.on == on; }));
}

mesh::mesh() : home(nullptr, by_hand_ms), apart(nullptr, by_hand_ms) {}

test_node& mesh::add(node_id id, const std::function<void(link_options&)>& change) {
  return *nodes.emplace_back(std::make_unique<test_node>(id, home, change));
}

test_node& mesh::add_apart(node_id id, const std::function<void(link_options&)>& change) {
  return *nodes.emplace_back(std::make_unique<test_node>(id, apart, change));
}

void mesh::introduce() {
  auto all = std::vector<link_peer>{};
  for (auto& one : nodes)
    all.push_back(one->as_peer());
  for (auto& one : nodes)
    one->links->set_peers(all);
}

void mesh::settle() {
  for (auto quiet = 0; quiet < 3;) {
    auto before = home.count().events + apart.count().events;
    home.turn(0);
    if (turns_apart)
      apart.turn(0);
    quiet = home.count().events + apart.count().events == before ? quiet + 1 : 0;
  }
}

bool mesh::until(const std::function<bool()>& is_so, std::uint64_t ms_max) {
  for (auto end = clock_ms + ms_max;; clock_ms += 10) {
    settle();
    if (is_so())
      return true;
    if (clock_ms >= end)
      return false;
  }
}

bool mesh::are_linked(const test_node& a, const test_node& b) const {
  return a.links->is_up(b.id) && b.links->is_up(a.id);
}

raw_peer::raw_peer(mesh& around, const test_node& to) : around_(around), fd_(value_of(net::connect(to.at))) {
  around_.settle();
}

void raw_peer::write(std::string_view wire) {
  for (auto tries = 0; !wire.empty() && tries < 10'000; ++tries) {
    auto n = ::send(fd_.get(), wire.data(), wire.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN)
      break;
    wire.remove_prefix(n > 0 ? std::size_t(n) : 0);
    around_.settle();
  }
}

std::string raw_peer::read() {
  auto out = std::string{};
  char part[16 * 1024];
  around_.settle();
  while (!is_closed_) {
    auto n = ::recv(fd_.get(), part, sizeof part, MSG_DONTWAIT);
    if (n > 0)
      out.append(part, std::size_t(n));
    else if (n == 0 || errno != EAGAIN)
      is_closed_ = true;
    else
      break;
  }
  return out;
}

bool raw_peer::shake_hands(const net::mutual_tls_options& options, std::int64_t now_s) {
  tls_ = std::make_unique<net::mutual_tls>(value_of(net::mutual_tls_context::make(options)),
                                           net::mutual_tls::side::client, now_s);
  for (auto rounds = 0; rounds < 10; ++rounds) {
    auto out = std::string{};
    auto status = tls_->handshake(read(), out);
    write(out);
    if (status != net::tls_status::want_more)
      return status == net::tls_status::ok;
  }
  return false;
}

void raw_peer::say(frame_kind kind, std::string_view payload) {
  auto plain = std::string{};
  append_frame(plain, kind, payload);
  auto wire = std::string{};
  tls_->write(plain, wire);
  write(wire);
}

std::vector<std::pair<frame_kind, std::string>> raw_peer::listen() {
  auto in = read();
  auto buffer = std::string(64 * 1024, '\0');
  auto status = net::tls_status::ok;
  while (status == net::tls_status::ok) {
    auto got = std::size_t{0};
    auto out = std::string{};
    status = tls_->read(std::exchange(in, {}), buffer.data(), buffer.size(), got, out);
    plain_.append(buffer, 0, got);
  }
  if (status != net::tls_status::want_more)
    is_closed_ = true;
  auto frames = std::vector<std::pair<frame_kind, std::string>>{};
  auto reader = frame_reader{1u << 20};
  reader.feed(plain_);
  auto x = frame_reader::frame{};
  while (reader.next(x) == frame_reader::status::frame)
    frames.emplace_back(x.kind, x.payload);
  return frames;
}

bool raw_peer::is_closed() {
  read();
  return is_closed_;
}

net::mutual_tls_options shown_by(const identity& who) {
  auto options = net::mutual_tls_options{};
  options.certificate = who.certificate;
  options.private_key = who.private_key;
  options.authority_certificate = who.authority_certificate;
  options.application = link_application;
  return options;
}

} // namespace xmpp::cluster
