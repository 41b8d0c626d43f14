#include "cluster/link.hpp"

#include "cluster/link_connection.hpp"
#include "net/accept_limiter.hpp"
#include "net/listener.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <shared_mutex>
#include <thread>
#include <utility>

namespace xmpp::cluster {

using net::failure;
using net::outcome;

namespace {

/// Packs for one peer in one turn: then others get theirs.
constexpr auto packs_at_once_max = 16;
/// A link that is lost sooner counts as one more failure: or two nodes that cut each other would do nothing else.
constexpr auto steady_ms = std::uint64_t{5000};

std::int64_t system_clock_s() {
  return static_cast<std::int64_t>(std::time(nullptr));
}

std::uint64_t steady_clock_us() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count());
}

std::string goodbye(std::string_view why) {
  auto out = std::string{};
  append_frame(out, frame_kind::goodbye, fit_words(why));
  return out;
}

constexpr auto another_key = "its key is not the one that it joined with";

bool has_key(std::string_view shown, std::string_view known) {
  return known.empty() || net::is_equal_in_constant_time(shown, known);
}

outcome<std::shared_ptr<const net::mutual_tls_context>> make_context(const identity& self, bool may_join) {
  if (!self.is_member())
    return failure{"this node is in no cluster"};
  auto options = net::mutual_tls_options{};
  options.certificate = self.certificate;
  options.private_key = self.private_key;
  options.authority_certificate = self.authority_certificate;
  options.application = link_application;
  if (may_join)
    options.open_application = join_application;
  return net::mutual_tls_context::make(options);
}

net::accept_limits limits_of(const link_options& options) {
  auto limits = net::accept_limits{};
  limits.per_minute_max = options.dials_per_minute_max;
  limits.burst_max = std::max(1u, options.dials_per_minute_max / 10);
  return limits;
}

/// What callers of any thread share with the hub about one peer.
struct mailbox {
  mailbox(node_id node, std::size_t channel_bytes_max) : box(channel_bytes_max) { facts.node = node; }

  mutable std::mutex mutex;
  outbox box;
  link_status facts; ///< `waiting` is not kept here.
  std::uint64_t bytes_in_before = 0, bytes_out_before = 0;
};

} // namespace

// -- the hub: all but `send` and the like on the reactor's thread -----------------------------------------------------

class links::hub final : public std::enable_shared_from_this<hub>, private link_connection::owner, private net::timed {
public:
  hub(const link_options& options, link_callbacks callbacks);

  outcome<void> begin(std::shared_ptr<const net::mutual_tls_context> context);
  void run() {
    if (own_home_ != nullptr)
      thread_ = std::thread{[this] { home_.run(); }};
  }
  void shut();

  // -- any thread --
  void set_peers(std::vector<link_peer> peers);
  void set_seeds(std::vector<net::address> seeds);
  bool send(node_id to, channel on, std::string_view bytes);
  bool is_up(node_id peer) const;
  outcome<void> set_identity(const identity& self);
  std::vector<link_status> status() const;

  std::atomic<std::uint64_t> strangers_cut{0};
  net::address listen_address;

private:
  enum class stage : std::uint8_t { handshake, greeting, waiting_for_use, up, joining, deciding, leaving };
  struct session {
    std::shared_ptr<link_connection> link;
    hub::stage stage = stage::handshake;
    std::uint64_t number = 0; ///< By age.
    node_id dialed = 0;       ///< 0: accepted.
    node_id peer = 0;         ///< Once it has shown who it is.
    std::uint64_t process = 0;
    std::string key_digest; ///< As it has shown.
    std::string software;
    std::string why; ///< Of our own; empty: the connection's.
    bool owes_ping = false;
    std::optional<std::uint64_t> owed_pong;
    std::uint64_t pinged_us = 0; ///< 0: no ping is under way.
  };
  struct peer final : net::timed {
    peer(hub& home, node_id node, std::size_t channel_bytes_max)
        : home(home), node(node), shared(std::make_shared<mailbox>(node, channel_bytes_max)) {}
    void on_timer(std::uint32_t) override {
      timer = 0;
      home.dial(*this);
    }

    hub& home;
    node_id node;
    std::vector<net::address> addresses;
    std::string key_digest;   ///< Empty: any.
    std::string refusal;      ///< Its last words.
    net::address was_seen_at; ///< When another was looked for; tried once.
    std::size_t next_address = 0;
    unsigned failures = 0; ///< In a row.
    std::uint64_t up_ms = 0;
    net::timer_id timer = 0;
    link_connection* dialing = nullptr;
    link_connection* up = nullptr;
    std::shared_ptr<mailbox> shared;
  };

  // -- told by connections --
  void on_secured(link_connection& from) override;
  void on_frame(link_connection& from, const frame_reader::frame& x) override;
  void on_writable(link_connection& from) override;
  void on_ended(link_connection& from, const std::string& why) override;

  void on_timer(std::uint32_t tag) override;
  void apply_peers(std::vector<link_peer> peers);
  void drop_link(peer& with, const std::string& why);
  void apply_seeds(std::vector<net::address> seeds);
  bool may_be_dialed(const peer& x) const noexcept { return !x.addresses.empty() || !seeds_.empty(); }
  net::address next_address(peer& of);
  void accept(net::unique_fd fd, const net::address& from);
  void cut_oldest_stranger();
  void dial(peer& to);
  void failed_to_dial(peer& to, const std::string& why);
  void dial_later(peer& to);
  session* open(net::unique_fd fd, const net::address& at, node_id dialed);
  void refuse(session& x, const std::string& why);
  void greet(session& x, std::string_view payload);
  void decide(session& x);
  void go_up(session& x);
  void lose(peer& who, const std::string& why);
  void talk(session& x, const frame_reader::frame& said);
  void ask_to_join(session& x, const frame_reader::frame& said);
  void answer_join(link_connection* to, std::uint64_t number, outcome<join_answer> reply);
  void flush_all();
  void pump(peer& to);
  void add_heartbeats(session& x, std::string& pack);

  static bool is_stranger(const session& x) noexcept { return x.dialed == 0 && x.peer == 0; }
  session& session_of(const link_connection& x) { return sessions_.at(&x); }
  peer* find_peer(node_id node) {
    auto i = peers_.find(node);
    return i != peers_.end() ? i->second.get() : nullptr;
  }
  std::shared_ptr<mailbox> find_mailbox(node_id node) const;
  void post(std::function<void(hub&)> f);

  link_options options_;
  link_callbacks callbacks_;
  node_id own_;
  cluster_id cluster_;
  std::uint64_t process_ = make_id();
  std::unique_ptr<net::reactor> own_home_;
  net::reactor& home_;
  std::thread thread_;
  std::shared_ptr<const net::mutual_tls_context> context_;
  net::accept_limiter limiter_;
  std::unique_ptr<net::listener> listener_;
  std::map<const link_connection*, session> sessions_;
  std::uint64_t next_number_ = 1;
  std::map<node_id, std::unique_ptr<peer>> peers_;
  std::vector<net::address> seeds_;
  std::minstd_rand jitter_{std::random_device{}()};
  std::string pack_;
  net::timer_id heartbeat_ = 0;
  bool is_shut_ = false;

  mutable std::shared_mutex table_mutex_;
  std::map<node_id, std::shared_ptr<mailbox>> table_; // under it
  std::atomic<bool> is_posted_{false};
};

links::hub::hub(const link_options& options, link_callbacks callbacks)
    : options_(options), callbacks_(std::move(callbacks)), own_(options.self.node), cluster_(options.self.cluster),
      own_home_(options.home == nullptr ? std::make_unique<net::reactor>() : nullptr),
      home_(options.home != nullptr ? *options.home : *own_home_), limiter_(limits_of(options)) {
  options_.self = {}; // The key is in the context.
  if (options_.wall_clock_s == nullptr)
    options_.wall_clock_s = system_clock_s;
  if (options_.clock_us == nullptr)
    options_.clock_us = steady_clock_us;
  // A frame that may be sent has room when nothing waits.
  options_.channel_bytes_max = std::max(options_.channel_bytes_max, options_.frame_bytes_max + frame_head_bytes);
}

outcome<void> links::hub::begin(std::shared_ptr<const net::mutual_tls_context> context) {
  context_ = std::move(context);
  if (options_.listen.is_known()) {
    auto fd = net::listen(options_.listen);
    if (!fd)
      return failure{fd.why()};
    auto at = net::local_address(fd->get());
    if (!at)
      return failure{at.why()};
    listen_address = *at;
    listener_ = std::make_unique<net::listener>(
        home_, *std::move(fd), &limiter_,
        [this](net::unique_fd accepted, const net::address& from) { accept(std::move(accepted), from); },
        [this] { ++strangers_cut; });
  }
  heartbeat_ = home_.set_timer(options_.heartbeat_ms, this);
  return {};
}

void links::hub::shut() {
  if (own_home_ != nullptr && thread_.joinable()) {
    home_.stop();
    thread_.join();
  }
  is_shut_ = true; // No callback any more.
  home_.cancel_timer(heartbeat_);
  listener_.reset();
  for (auto& [node, one] : peers_)
    home_.cancel_timer(one->timer);
  for (auto& [raw, x] : std::exchange(sessions_, {})) {
    if (x.stage == stage::up)
      x.link->send(goodbye("this node is going"));
    x.link->end("this node is going");
  }
  peers_.clear();
  auto guard = std::unique_lock{table_mutex_};
  table_.clear();
}

// -- any thread -------------------------------------------------------------------------------------------------------

void links::hub::post(std::function<void(hub&)> f) {
  home_.post([weak = weak_from_this(), f = std::move(f)] {
    if (auto self = weak.lock(); self != nullptr && !self->is_shut_)
      f(*self);
  });
}

std::shared_ptr<mailbox> links::hub::find_mailbox(node_id node) const {
  auto guard = std::shared_lock{table_mutex_};
  auto i = table_.find(node);
  return i != table_.end() ? i->second : nullptr;
}

bool links::hub::send(node_id to, channel on, std::string_view bytes) {
  auto where = find_mailbox(to);
  if (where == nullptr)
    return false;
  {
    auto guard = std::lock_guard{where->mutex};
    if (!where->facts.is_up || bytes.size() > options_.frame_bytes_max || !where->box.add(on, bytes)) {
      ++where->facts.refused;
      return false;
    }
    ++where->facts.frames_out;
  }
  if (!is_posted_.exchange(true))
    post([](hub& self) { self.flush_all(); });
  return true;
}

bool links::hub::is_up(node_id peer) const {
  auto where = find_mailbox(peer);
  if (where == nullptr)
    return false;
  auto guard = std::lock_guard{where->mutex};
  return where->facts.is_up;
}

std::vector<link_status> links::hub::status() const {
  auto boxes = std::vector<std::shared_ptr<mailbox>>{};
  {
    auto guard = std::shared_lock{table_mutex_};
    for (auto& [node, box] : table_)
      boxes.push_back(box);
  }
  auto out = std::vector<link_status>{};
  for (auto& one : boxes) {
    auto guard = std::lock_guard{one->mutex};
    auto& x = out.emplace_back(one->facts);
    for (auto i = std::size_t{0}; i < channel_count; ++i)
      x.waiting[i] = one->box.waiting(static_cast<channel>(i));
  }
  return out;
}

outcome<void> links::hub::set_identity(const identity& self) {
  if (self.node != own_ || self.cluster != cluster_)
    return failure{"this is another node's identity"};
  auto context = make_context(self, callbacks_.on_join != nullptr);
  if (!context)
    return failure{context.why()};
  post([context = *context](hub& x) { x.context_ = context; });
  return {};
}

void links::hub::set_peers(std::vector<link_peer> peers) {
  post([peers = std::move(peers)](hub& x) { x.apply_peers(peers); });
}

void links::hub::set_seeds(std::vector<net::address> seeds) {
  post([seeds = std::move(seeds)](hub& x) { x.apply_seeds(seeds); });
}

// -- peers ------------------------------------------------------------------------------------------------------------

void links::hub::apply_peers(std::vector<link_peer> peers) {
  auto is_named = [&](node_id node) {
    return std::any_of(peers.begin(), peers.end(), [&](auto& x) { return x.node == node; });
  };
  for (auto i = peers_.begin(); i != peers_.end();) {
    auto& [node, old] = *i;
    if (is_named(node)) {
      ++i;
      continue;
    }
    {
      auto guard = std::unique_lock{table_mutex_};
      table_.erase(node);
    }
    home_.cancel_timer(std::exchange(old->timer, 0));
    auto gone = std::move(i->second);
    i = peers_.erase(i);
    if (gone->dialing != nullptr)
      gone->dialing->end("it is no member any more");
    if (gone->up != nullptr)
      drop_link(*gone, "it is no member any more");
  }
  for (auto& one : peers) {
    if (one.node == own_ || one.node == 0)
      continue;
    auto& known = peers_[one.node];
    if (known != nullptr) {
      if (known->addresses != one.addresses)
        known->failures = 0;
      known->addresses = std::move(one.addresses);
      known->key_digest = std::move(one.key_digest);
      if (known->up != nullptr && !has_key(session_of(*known->up).key_digest, known->key_digest))
        drop_link(*known, another_key);
    } else {
      known = std::make_unique<peer>(*this, one.node, options_.channel_bytes_max);
      known->addresses = std::move(one.addresses);
      known->key_digest = std::move(one.key_digest);
      auto guard = std::unique_lock{table_mutex_};
      table_[one.node] = known->shared;
    }
    if (known->timer == 0)
      dial_later(*known);
  }
}

void links::hub::drop_link(peer& with, const std::string& why) {
  auto& x = session_of(*with.up);
  lose(with, why);
  refuse(x, why);
}

void links::hub::apply_seeds(std::vector<net::address> seeds) {
  seeds_ = std::move(seeds);
  for (auto& [node, one] : peers_)
    if (one->timer == 0)
      dial_later(*one);
}

/// Unknown: there is none.
net::address links::hub::next_address(peer& of) {
  if (of.was_seen_at.is_known())
    return std::exchange(of.was_seen_at, {});
  auto own = of.addresses.size();
  auto all = own + (of.failures >= own ? seeds_.size() : 0);
  if (all == 0)
    return {};
  auto i = of.next_address++ % all;
  return i < own ? of.addresses[i] : seeds_[i - own];
}

void links::hub::dial_later(peer& to) {
  home_.cancel_timer(std::exchange(to.timer, 0));
  if (to.up != nullptr || to.dialing != nullptr || !may_be_dialed(to) || is_shut_)
    return;
  auto delay = std::uint64_t{0};
  // The first time the one with the lower id dials at once, so that there seldom are two connections.
  if (to.failures > 0 || own_ > to.node) {
    auto longest = std::min<std::uint64_t>(std::uint64_t{options_.retry_min_ms} << std::min(to.failures, 16u),
                                           options_.retry_max_ms);
    delay = longest - jitter_() % (longest / 2 + 1);
  }
  to.timer = home_.set_timer(delay, &to);
}

void links::hub::dial(peer& to) {
  if (to.up != nullptr || to.dialing != nullptr)
    return;
  auto at = next_address(to);
  if (!at.is_known())
    return;
  auto fd = net::connect(at);
  if (!fd)
    return failed_to_dial(to, fd.why());
  auto x = open(*std::move(fd), at, to.node);
  if (x == nullptr)
    return failed_to_dial(to, "the system takes no more connections");
  to.dialing = x->link.get();
  x->link->set_deadline(options_.connect_ms, "no connection in time");
}

void links::hub::failed_to_dial(peer& to, const std::string& why) {
  ++to.failures;
  {
    auto guard = std::lock_guard{to.shared->mutex};
    to.shared->facts.last_failure = why;
  }
  dial_later(to);
}

links::hub::session* links::hub::open(net::unique_fd fd, const net::address& at, node_id dialed) {
  auto how = link_connection::options{};
  how.side = dialed != 0 ? net::mutual_tls::side::client : net::mutual_tls::side::server;
  how.is_connecting = dialed != 0;
  how.now_s = options_.wall_clock_s();
  auto link = link_connection::start(home_, std::move(fd), at, context_, *this, how);
  if (link == nullptr)
    return nullptr;
  auto& x = sessions_[link.get()];
  x.link = std::move(link);
  x.number = next_number_++;
  x.dialed = dialed;
  return &x;
}

void links::hub::accept(net::unique_fd fd, const net::address& from) {
  cut_oldest_stranger();
  if (auto x = open(std::move(fd), from, 0))
    x->link->set_deadline(options_.handshake_ms, "it did not show in time who it is");
  else
    limiter_.release(from);
}

// A real member is done within milliseconds, and so hardly ever the oldest.
void links::hub::cut_oldest_stranger() {
  auto count = std::size_t{0};
  session* oldest = nullptr;
  for (auto& [raw, x] : sessions_)
    if (is_stranger(x)) {
      ++count;
      if (oldest == nullptr || x.number < oldest->number)
        oldest = &x;
    }
  if (count >= options_.strangers_max && oldest != nullptr) {
    auto link = oldest->link;
    link->end("too many strangers");
  }
}

// -- becoming a link --------------------------------------------------------------------------------------------------

/// `x` is gone afterwards or soon.
void links::hub::refuse(session& x, const std::string& why) {
  x.stage = stage::leaving;
  x.why = why;
  auto link = x.link;
  link->leave(goodbye(why));
}

void links::hub::on_secured(link_connection& from) {
  auto& x = session_of(from);
  if (from.tls().is_open()) {
    x.stage = stage::joining;
    from.expect(join_bytes_max);
    return;
  }
  auto read = net::read_certificate(from.tls().peer_certificate());
  auto name = read ? node_name::parse(read->uri) : std::nullopt;
  if (!name)
    return refuse(x, "a certificate that names no node");
  if (name->cluster != cluster_)
    return refuse(x, "a certificate of cluster " + id_text(name->cluster));
  if (name->node == own_)
    return refuse(x, "a certificate with this node's own id");
  auto who = find_peer(name->node);
  if (x.dialed != 0 && x.dialed != name->node) {
    if (who != nullptr && who->up == nullptr && who->dialing == nullptr) {
      who->was_seen_at = from.peer();
      dial_later(*who);
    }
    return refuse(x, "node " + id_text(name->node) + " is where " + id_text(x.dialed) + " should be");
  }
  if (who == nullptr || (callbacks_.may_link && !callbacks_.may_link(name->node)))
    return refuse(x, "node " + id_text(name->node) + " is no member here");
  if (!has_key(read->key_digest, who->key_digest))
    return refuse(x, another_key);
  x.key_digest = read->key_digest;
  x.peer = name->node;
  x.stage = stage::greeting;
  from.set_deadline(options_.handshake_ms, "no greeting in time");
  auto out = std::string{};
  append_frame(out, frame_kind::hello, hello{options_.version, cluster_, own_, process_, options_.software}.encode());
  from.send(out);
}

void links::hub::on_frame(link_connection& from, const frame_reader::frame& said) {
  auto& x = session_of(from);
  if (x.stage == stage::joining)
    return ask_to_join(x, said);
  if (said.kind == frame_kind::goodbye) {
    auto words = fit_words(said.payload);
    x.why = "the peer says: " + words;
    auto dialed = x.stage != stage::up ? find_peer(x.dialed) : nullptr;
    if (dialed != nullptr && dialed->up == nullptr && std::exchange(dialed->refusal, words) != words &&
        callbacks_.on_refused)
      callbacks_.on_refused(dialed->node, words);
    auto link = x.link;
    return link->end(x.why);
  }
  if (x.stage == stage::greeting && said.kind == frame_kind::hello)
    return greet(x, said.payload);
  if (x.stage == stage::waiting_for_use && said.kind == frame_kind::use)
    return go_up(x);
  if (x.stage == stage::up)
    return talk(x, said);
  if (x.stage != stage::leaving)
    refuse(x, "a frame out of place");
}

void links::hub::greet(session& x, std::string_view payload) {
  auto greeting = hello::decode(payload);
  if (!greeting)
    return refuse(x, "a greeting that is none");
  if (greeting->version != options_.version)
    return refuse(x, "link version " + std::to_string(greeting->version) + " is not known here; this node speaks " +
                         std::to_string(options_.version));
  if (greeting->cluster != cluster_ || greeting->node != x.peer)
    return refuse(x, "a greeting of another node than the certificate's");
  x.process = greeting->process;
  x.software = greeting->software;
  if (own_ < x.peer)
    decide(x);
  else
    x.stage = stage::waiting_for_use;
}

// Only the one with the lower id decides which connection is the link, so that the two never disagree.
void links::hub::decide(session& x) {
  auto who = find_peer(x.peer);
  if (who == nullptr)
    return refuse(x, "no member any more");
  if (who->up != nullptr) {
    auto& old = session_of(*who->up);
    // Who dials has no link, as far as it knows; but it may have dialed before it knew of ours.
    auto is_anew = old.process != x.process || (old.dialed == 0 && x.dialed == 0);
    if (!is_anew)
      return refuse(x, "there is a link already");
  }
  auto link = x.link;
  auto out = std::string{};
  append_frame(out, frame_kind::use, {});
  link->send(out);
  if (sessions_.contains(link.get())) // It may have ended by that.
    go_up(x);
}

void links::hub::go_up(session& x) {
  auto who = find_peer(x.peer);
  if (who == nullptr)
    return refuse(x, "no member any more");
  if (!has_key(x.key_digest, who->key_digest)) // It was not known before.
    return refuse(x, another_key);
  if (who->up != nullptr) {
    auto& old = session_of(*who->up);
    lose(*who, "the peer opened another link");
    refuse(old, "replaced by another link");
  }
  auto link = x.link;
  x.stage = stage::up;
  link->set_deadline(0, "");
  link->expect(options_.frame_bytes_max);
  link->set_silence_max(options_.silent_ms);
  who->up = link.get();
  if (who->dialing == link.get())
    who->dialing = nullptr;
  who->up_ms = home_.now_ms();
  who->refusal.clear();
  home_.cancel_timer(std::exchange(who->timer, 0));
  {
    auto guard = std::lock_guard{who->shared->mutex};
    auto& facts = who->shared->facts;
    facts.is_up = true;
    facts.since_s = options_.wall_clock_s();
    facts.address = link->peer();
    facts.is_dialed = x.dialed != 0;
    facts.software = x.software;
    facts.round_trip_us = 0;
    who->shared->bytes_in_before = facts.bytes_in;
    who->shared->bytes_out_before = facts.bytes_out;
    who->shared->box.clear();
  }
  x.owes_ping = true;
  if (callbacks_.on_up)
    callbacks_.on_up(who->node);
  pump(*who);
}

/// The link is none from here on; its connection goes its own way.
void links::hub::lose(peer& who, const std::string& why) {
  auto& link = *std::exchange(who.up, nullptr);
  who.failures = home_.now_ms() - who.up_ms < steady_ms ? who.failures + 1 : 0;
  {
    auto guard = std::lock_guard{who.shared->mutex};
    auto& facts = who.shared->facts;
    facts.is_up = false;
    facts.since_s = options_.wall_clock_s();
    facts.last_loss = why;
    facts.bytes_in = who.shared->bytes_in_before + link.bytes_in();
    facts.bytes_out = who.shared->bytes_out_before + link.bytes_out();
    facts.waiting_for_socket = 0;
    facts.round_trip_us = 0;
    ++facts.losses;
    who.shared->box.clear();
  }
  if (callbacks_.on_down && !is_shut_)
    callbacks_.on_down(who.node, why);
}

void links::hub::on_ended(link_connection& from, const std::string& why) {
  auto i = sessions_.find(&from);
  if (i == sessions_.end())
    return;
  auto x = std::move(i->second); // Keeps the connection until we return.
  sessions_.erase(i);
  if (x.dialed == 0)
    limiter_.release(from.peer());
  auto words = x.why.empty() ? why : x.why;
  auto who = find_peer(x.dialed != 0 ? x.dialed : x.peer);
  if (who != nullptr && who->up == &from) {
    lose(*who, words);
    dial_later(*who);
  } else if (who != nullptr && who->dialing == &from) {
    who->dialing = nullptr;
    if (who->up == nullptr)
      failed_to_dial(*who, words);
  } else if (who != nullptr && who->up == nullptr) {
    auto guard = std::lock_guard{who->shared->mutex};
    who->shared->facts.last_failure = words;
  } else if (x.dialed == 0 && x.peer == 0 && (x.stage != stage::leaving || !x.why.empty())) {
    ++strangers_cut; // Whoever wanted to join and got an answer was none.
    if (callbacks_.on_stranger)
      callbacks_.on_stranger(from.peer(), words);
  }
}

// -- being one --------------------------------------------------------------------------------------------------------

void links::hub::talk(session& x, const frame_reader::frame& said) {
  auto who = find_peer(x.peer);
  if (auto on = channel_of(said.kind)) {
    {
      auto guard = std::lock_guard{who->shared->mutex};
      ++who->shared->facts.frames_in;
    }
    if (callbacks_.on_frame)
      callbacks_.on_frame(x.peer, *on, said.payload);
    return;
  }
  auto time = decode_time(said.payload);
  if (said.kind == frame_kind::ping && time) {
    x.owed_pong = *time; // One is enough, however many came.
    pump(*who);
  } else if (said.kind == frame_kind::pong && time) {
    if (*time == x.pinged_us && x.pinged_us != 0) {
      auto guard = std::lock_guard{who->shared->mutex};
      who->shared->facts.round_trip_us = options_.clock_us() - *time;
      x.pinged_us = 0;
    }
  } else {
    auto words = std::string{"a frame out of place"};
    lose(*who, words);
    refuse(x, words);
    dial_later(*who);
  }
}

void links::hub::on_timer(std::uint32_t) {
  heartbeat_ = home_.set_timer(options_.heartbeat_ms, this);
  for (auto& [node, who] : peers_) {
    if (who->up == nullptr)
      continue;
    auto& x = session_of(*who->up);
    auto silent_ms = home_.now_ms() - x.link->heard_ms();
    if (silent_ms >= options_.silent_ms) {
      auto link = x.link;
      link->end("nothing heard for " + std::to_string(silent_ms) + " ms");
      continue;
    }
    x.owes_ping = true;
    pump(*who);
  }
}

void links::hub::add_heartbeats(session& x, std::string& pack) {
  if (x.owed_pong) {
    append_frame(pack, frame_kind::pong, encode_time(*x.owed_pong));
    x.owed_pong.reset();
  }
  if (x.owes_ping) {
    x.owes_ping = false;
    x.pinged_us = options_.clock_us();
    append_frame(pack, frame_kind::ping, encode_time(x.pinged_us));
  }
}

void links::hub::flush_all() {
  is_posted_ = false; // What is added from here on posts again.
  for (auto& [node, who] : peers_)
    pump(*who);
}

void links::hub::pump(peer& to) {
  auto link = to.up != nullptr ? session_of(*to.up).link : nullptr;
  auto& shared = *to.shared;
  for (auto packs = 0; to.up != nullptr && to.up == link.get() && !link->is_busy(); ++packs) {
    if (packs == packs_at_once_max) {
      if (!is_posted_.exchange(true))
        post([](hub& self) { self.flush_all(); });
      break;
    }
    pack_.clear();
    add_heartbeats(session_of(*link), pack_);
    {
      auto guard = std::lock_guard{shared.mutex};
      shared.box.take(pack_, options_.pack_bytes);
      shared.facts.packs_out += pack_.empty() ? 0 : 1;
    }
    if (pack_.empty())
      break;
    link->send(pack_);
  }
  if (to.up != nullptr && to.up == link.get()) {
    auto guard = std::lock_guard{shared.mutex};
    shared.facts.waiting_for_socket = link->waiting_bytes();
    shared.facts.bytes_in = shared.bytes_in_before + link->bytes_in();
    shared.facts.bytes_out = shared.bytes_out_before + link->bytes_out();
  }
}

void links::hub::on_writable(link_connection& from) {
  if (auto who = find_peer(session_of(from).peer); who != nullptr && who->up == &from)
    pump(*who);
}

// -- joining ----------------------------------------------------------------------------------------------------------

void links::hub::ask_to_join(session& x, const frame_reader::frame& said) {
  auto request = said.kind == frame_kind::join_request ? join_request::decode(said.payload) : std::nullopt;
  if (!request)
    return refuse(x, "a request to join that is none");
  x.stage = stage::deciding;
  x.link->set_deadline(options_.join_ms, "no decision in time");
  auto link = x.link;
  callbacks_.on_join(link->peer(), *request,
                     [weak = weak_from_this(), to = link.get(), number = x.number](outcome<join_answer> reply) {
                       if (auto self = weak.lock())
                         self->post(
                             [to, number, reply = std::move(reply)](hub& at) { at.answer_join(to, number, reply); });
                     });
}

void links::hub::answer_join(link_connection* to, std::uint64_t number, outcome<join_answer> reply) {
  auto i = sessions_.find(to);
  if (i == sessions_.end() || i->second.number != number || i->second.stage != stage::deciding)
    return;
  auto& x = i->second;
  auto out = std::string{};
  if (reply)
    append_frame(out, frame_kind::join_answer, reply->encode());
  else
    append_frame(out, frame_kind::join_refusal, fit_words(reply.why()));
  x.stage = stage::leaving;
  auto link = x.link;
  link->leave(out);
}

// -- links ------------------------------------------------------------------------------------------------------------

outcome<std::unique_ptr<links>> links::start(const link_options& options, link_callbacks callbacks) {
  auto context = make_context(options.self, callbacks.on_join != nullptr);
  if (!context)
    return failure{context.why()};
  auto inner = std::make_shared<hub>(options, std::move(callbacks));
  if (auto begun = inner->begin(*std::move(context)); !begun)
    return failure{begun.why()};
  auto self = std::unique_ptr<links>{new links{inner}};
  inner->run();
  return self;
}

links::links(std::shared_ptr<hub> inner) : hub_(std::move(inner)) {}

links::~links() {
  hub_->shut();
}

void links::set_peers(std::vector<link_peer> peers) {
  hub_->set_peers(std::move(peers));
}

void links::set_seeds(std::vector<net::address> seeds) {
  hub_->set_seeds(std::move(seeds));
}

bool links::send(node_id to, channel on, std::string_view bytes) {
  return hub_->send(to, on, bytes);
}

bool links::is_up(node_id peer) const {
  return hub_->is_up(peer);
}

outcome<void> links::set_identity(const identity& self) {
  return hub_->set_identity(self);
}

std::vector<link_status> links::status() const {
  return hub_->status();
}

std::uint64_t links::strangers_cut() const noexcept {
  return hub_->strangers_cut;
}

net::address links::listen_address() const noexcept {
  return hub_->listen_address;
}

} // namespace xmpp::cluster
