#include "actors/session.hpp"

#include "actors/log.hpp"
#include "actors/random.hpp"
#include "actors/trace.hpp"
#include "actors/undelivered.hpp"
#include "protocol/namespaces.hpp"

#include <algorithm>
#include <utility>

namespace xmpp {

namespace {

constexpr std::uint32_t close_grace_ms = 5'000;
/// For what is being sent from the store to go out, when a successor is there, which waits for the rest.
constexpr std::uint32_t replaced_grace_ms = 1'000;
constexpr auto request_timeout = std::chrono::seconds{30};
/// Of what an account sends to one that has ended, before it knows; more is refused.
constexpr auto late_bytes_max = std::size_t{8} << 20;
/// When it failed, in a cluster.
constexpr auto attach_again_after = std::chrono::seconds{1};
/// During the negotiation no request has a timeout of its own: `sign_in_timeout_s` ends them all. CAF's would wake its
/// clock's thread for each request, and this actor once more when all is long over.
constexpr auto until_deadline = caf::infinite;

/// The addresses in the client's certificate, of those hosts alone whose own authority has signed it.
std::vector<std::string> vouched_for(const net::tls_facts& facts) {
  auto result = std::vector<std::string>{};
  auto& by = facts.peer_verified_for;
  for (auto& text : facts.peer_names.xmpp_addresses)
    if (auto address = jid::parse(text); address && std::find(by.begin(), by.end(), address->domain()) != by.end())
      result.push_back(text);
  return result;
}

/// What the session's handler of an element owes its reader.
struct handled_one {
  stream_control& control;
  net::transport* transport;
  std::uint32_t weight;
  ~handled_one() { control.take_waiting(transport, weight); }
};

} // namespace

struct session::negotiating {
  negotiation machine;
  actions later;               ///< Held back after a failed attempt to sign in.
  std::int64_t created_ms = 0; ///< Of the account that was last looked up.
};

/// A client that is sent messages from its account's store.
struct session::stored_output {
  stored_id last;                                                 ///< That was written.
  std::vector<caf::typed_response_promise<msg::written>> waiting; ///< For it to have gone out.
  std::string last_words; ///< The stream ends when it has: with these, or as the client wished.
};

session::session(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server,
                 std::shared_ptr<stream_control> control, net::address peer)
    : supervised(cfg, actor_kind::session, std::move(parent)), server_(server), control_(std::move(control)),
      negotiating_(new negotiating{{server.live()->streams, peer.is_loopback()}, {}}), peer_(peer) {}

session::~session() = default;

session::behavior_type session::make_behavior() {
  begin({}, {});
  // One set for all sessions.
  static const auto handlers = behavior_type{
      [](const msg::deliver& x) { self().take(x); },
      [](const msg::deliver_stored& x) -> caf::result<msg::written> { return self().deliver_stored(x); },
      [](const msg::drained&) { self().stored_has_gone_out(); },
      [](const msg::received& x) {
        auto& me = self();
        auto weight = stream_control::weight_of(x.what.bytes().size());
        auto done = handled_one{*me.control_, me.transport_.get(), weight};
        if (me.ended_)
          return;
        if (me.negotiating_)
          me.carry_out(me.negotiating_->machine.received(x.what));
        else
          me.received(x.what);
      },
      [](const msg::stream_opened& x) {
        auto& me = self();
        if (me.is_sent_away())
          return;
        if (me.negotiating_)
          me.carry_out(me.negotiating_->machine.opened(x.header));
      },
      [](const msg::stream_broken& x) {
        auto& me = self();
        if (me.negotiating_)
          me.carry_out(me.negotiating_->machine.broken(x.reason));
        else
          me.end(x.reason);
      },
      [](const msg::stream_closed&) {
        auto& me = self();
        if (me.negotiating_)
          me.carry_out(me.negotiating_->machine.closed());
        else
          me.end(errc::none);
      },
      [](const msg::disconnected& x) {
        auto& me = self();
        me.log_end(x.reason, log_level::debug);
        me.is_polite_ = false;
        if (!std::exchange(me.ended_, true) || !me.full_.empty())
          me.leave();
        // A pause after a failed attempt to sign in keeps this actor's memory until it is over: that shall be little.
        me.negotiating_ = nullptr;
        me.transport_ = nullptr;
      },
      [](const std::shared_ptr<msg::tls_established>& x) {
        auto& me = self();
        me.tls_ = x->facts.choice;
        if (!me.negotiating_)
          return;
        auto info = tls_info{};
        info.bindings.tls_exporter = me.transport_->channel_binding(net::channel_binding_type::tls_exporter);
        info.bindings.tls_server_end_point =
            me.transport_->channel_binding(net::channel_binding_type::tls_server_end_point);
        info.bindings.tls_unique = me.transport_->channel_binding(net::channel_binding_type::tls_unique);
        info.certified = vouched_for(x->facts);
        info.server_name = x->facts.server_name;
        me.negotiating_->machine.tls_established(info);
      },
      [](const msg::timed_out&) {
        auto& me = self();
        if (me.negotiating_)
          me.carry_out(me.negotiating_->machine.timed_out());
      },
      [](const msg::go_on&) {
        auto& me = self();
        if (me.negotiating_)
          me.carry_out(std::exchange(me.negotiating_->later, {}));
        else if (me.ended_ && me.transport_ && !me.full_.empty())
          me.close_stream(); // What was waited for takes too long.
      },
      [](const msg::end_stream& x) { self().end(x.reason, x.text, x.see_other_host); },
      [](const msg::attach_again&) { self().attach_again(); },
      [](const msg::blocks_changed& x) { self().blocks_changed(x); },
      [](const msg::verdict& x) { self().decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [](const msg::describe&) { return self().describe(); },
  };
  return handlers;
}

bool session::must_wait(caf::mailbox_element& x) {
  if (!negotiating_ || (!negotiating_->machine.waiting() && negotiating_->later.empty()))
    return false;
  auto& content = x.content();
  return content.match_elements<msg::received>() || content.match_elements<msg::stream_opened>() ||
         content.match_elements<msg::stream_closed>() || content.match_elements<msg::stream_broken>();
}

// -- negotiation -----------------------------------------------------------------------------------------------------

void session::carry_out(actions todo) {
  // The reader must know before the client can answer.
  for (auto& one : todo) {
    if (std::holds_alternative<act::authenticated>(one))
      control_->authenticated = true;
    if (std::holds_alternative<act::restart>(one))
      control_->restart = true;
  }
  for (auto i = std::size_t{0}; i < todo.size() && !ended_; ++i) {
    auto wait = std::visit([this](auto& x) { return carry_out_one(x); }, todo[i]);
    if (wait.count() != 0 && negotiating_) {
      negotiating_->later.assign(std::make_move_iterator(todo.begin() + std::ptrdiff_t(i) + 1),
                                 std::make_move_iterator(todo.end()));
      delayed_send(this, wait, msg::go_on{});
      return;
    }
  }
}

std::chrono::milliseconds session::carry_out_one(act::send& x) {
  write(x.bytes);
  return {};
}

std::chrono::milliseconds session::carry_out_one(act::start_tls& x) {
  if (!transport_->start_tls(server_.live()->tls, x.last_bytes, negotiating_->machine.host()))
    end(errc::internal_server_error);
  return {};
}

std::chrono::milliseconds session::carry_out_one(act::restart&) {
  return {};
}

std::chrono::milliseconds session::carry_out_one(act::look_up& x) {
  request(server_.route.shard(x.account), until_deadline, msg::lookup{x.account})
      .then(
          [this](const msg::found& f) {
            if (f.failure != errc::none)
              log::warning("session.lookup_failed", {{"why", condition_name(f.failure)}});
            if (!negotiating_)
              return;
            negotiating_->created_ms = f.created_ms;
            carry_out(negotiating_->machine.looked_up({f.failure, f.exists, f.enabled, f.credentials}));
          },
          [this](const caf::error& why) {
            log::warning("session.lookup_failed", {{"why", to_string(why)}});
            if (negotiating_)
              carry_out(negotiating_->machine.looked_up({errc::timeout, false, false, {}}));
          });
  return {};
}

std::chrono::milliseconds session::carry_out_one(act::check_password& x) {
  request(server_.hashers.next(), until_deadline, msg::check_password{std::move(x.password), std::move(x.stored)})
      .then(
          [this](const msg::password_checked& p) {
            if (!negotiating_)
              return;
            if (p.overloaded)
              return end(errc::resource_constraint);
            carry_out(negotiating_->machine.password_checked(p.matches));
          },
          [this](const caf::error&) { end(errc::resource_constraint); });
  return {};
}

std::chrono::milliseconds session::carry_out_one(act::register_account& x) {
  auto& options = server_.live()->options;
  auto registered = [this](errc outcome) {
    if (negotiating_)
      carry_out(negotiating_->machine.registered(outcome));
  };
  if (options.sign_in.registrations_per_address_per_hour != 0 &&
      !(options.listen.loopback_is_exempt && peer_.is_loopback()) &&
      server_.registrations.note(peer_.limit_text(), now_ms(), 3'600'000) >
          options.sign_in.registrations_per_address_per_hour) {
    registered(errc::resource_constraint);
    return {};
  }
  request(server_.hashers.next(), until_deadline, msg::derive{std::move(x.password), options.sign_in.scram_iterations})
      .then(
          [this, registered, account = x.account](const msg::derived& d) {
            if (d.failure != errc::none)
              return registered(d.failure);
            request(server_.route.shard(account), until_deadline, msg::set_credentials{account, d.credentials, true})
                .then(
                    [registered, account](const msg::outcome& o) {
                      if (o.failure == errc::none) {
                        count(metrics::instance().registrations);
                        log::info("registration.created", {{"account", account.text()}});
                      }
                      registered(o.failure);
                    },
                    [registered](const caf::error&) { registered(errc::internal_server_error); });
          },
          [registered](const caf::error&) { registered(errc::resource_constraint); });
  return {};
}

std::chrono::milliseconds session::carry_out_one(act::rejected& x) {
  count(metrics::instance().sign_ins_failed);
  auto live = server_.live();
  auto& o = live->options.sign_in;
  auto failures = std::uint32_t{0};
  if (!x.account.empty() && x.why != sasl::failure::temporary_auth_failure) { // a password was tried, and judged
    auto now = now_ms();
    auto memory = std::int64_t(o.backoff_memory_s) * 1000;
    failures = server_.sign_ins.note(attempts_on(x.account), now, memory);
    if (!(live->options.listen.loopback_is_exempt && peer_.is_loopback())) // there a proxy may speak for everybody
      failures = std::max(failures, server_.sign_ins.note(peer_.limit_text(), now, memory));
  }
  auto address = peer_.host_text();
  log::fields with = {{"account", x.account.text()},
                      {"address", address},
                      {"why", x.binding_refused ? "channel-binding" : sasl::condition_name(x.why)},
                      {"attempts", int(x.attempts)}};
  if (x.is_counted)
    log::info("session.rejected", with);
  else // how some clients find a mechanism that they can do
    log::debug("session.rejected", with);
  return std::chrono::milliseconds{backoff_ms(failures, o.backoff_after, o.backoff_ms, o.backoff_ms_max)};
}

std::chrono::milliseconds session::carry_out_one(act::authenticated& x) {
  count(metrics::instance().sign_ins);
  server_.unauthenticated.remove(id());
  // Who guesses from this address would know by a quick answer that the guess was right, and by silence that it was
  // not. From elsewhere the account's owner is not held back.
  auto live = server_.live();
  auto& o = live->options.sign_in;
  auto failures = server_.sign_ins.count(attempts_on(x.account), now_ms(), std::int64_t(o.backoff_memory_s) * 1000);
  if (live->options.listen.loopback_is_exempt && peer_.is_loopback())
    return {};
  return std::chrono::milliseconds{backoff_ms(failures, o.backoff_after, o.backoff_ms, o.backoff_ms_max)};
}

/// Under which attempts on an account are counted: one address does not make others wait.
std::string session::attempts_on(const jid& account) const {
  return std::string{account.text()} + ' ' + peer_.limit_text();
}

std::chrono::milliseconds session::carry_out_one(act::bind& x) {
  auto what = msg::attach{};
  what.account = x.account;
  what.resource = std::move(x.resource);
  what.anonymous = anonymous_ = x.is_anonymous;
  what.session = std::make_shared<session_handle>(session_handle{session_actor{this}});
  what.session_id = server_.session_number(id());
  what.created_ms = created_ms_ = negotiating_->created_ms;
  server_.sign_ins.forget(attempts_on(x.account)); // It has heard of its success, not only had it.
  attaching_ = true;
  request(server_.route.shard(x.account), until_deadline, std::move(what))
      .then(
          [this](const msg::attached& a) {
            attaching_ = false;
            if (ended_) { // Meanwhile: the account must not keep what is no more.
              if (a.failure == errc::none)
                full_ = a.full;
              return leave();
            }
            if (a.failure != errc::none)
              return carry_out(negotiating_->machine.bound(a.failure));
            full_ = a.full;
            user_ = way_to_account(a.user);
            blocks_ = a.blocks;
            carry_out(negotiating_->machine.bound(a.full));
          },
          [this](const caf::error&) {
            attaching_ = false;
            if (ended_)
              return leave();
            carry_out(negotiating_->machine.bound(errc::internal_server_error));
          });
  return {};
}

std::chrono::milliseconds session::carry_out_one(act::established& x) {
  full_ = x.full;
  lang_ = std::move(x.lang);
  transport_->set_deadline(0);
  transport_->forget_handshake();
  rename(full_);
  server_.sessions.add(full_, session_actor{this});
  count(metrics::instance().sessions_bound);
  log::info("session.bound", {{"jid", full_.text()}, {"address", peer_.text()}, {"tls", transport_->is_secure()}});
  bound_s_ = std::uint32_t(now_ms() / 1000);
  negotiating_ = nullptr;
  is_sent_away();
  memory_bytes.store(std::uint32_t(sizeof(session) + full_.text().size() + 16), std::memory_order_relaxed);
  return {};
}

std::chrono::milliseconds session::carry_out_one(act::close& x) {
  if (x.reason == errc::none)
    log_end("closed", log_level::debug);
  else
    log::debug("session.refused", {{"address", peer_.text()}, {"why", condition_name(x.reason)}});
  ended_ = true;
  transport_->close({}, close_grace_ms);
  leave();
  return {};
}

// -- the stream ------------------------------------------------------------------------------------------------------

void session::write(std::string_view bytes) {
  if (transport_->send(bytes) != net::send_status::overflow || ended_)
    return;
  count(metrics::instance().slow_readers);
  log::info("session.slow_reader", {{"jid", full_.text()}, {"address", peer_.text()}});
  stored_is_lost();
  end(errc::policy_violation, "you read too slowly");
}

void session::take(const msg::deliver& x) {
  if (full_.empty() && !is_polite_) {
    if (late_)
      take_late(x);
    else if (ended_)
      give_back(x, server_.session_number(id()));
    return;
  }
  deliver(x.what);
}

void session::deliver(const stanza& x) {
  if (x.kind == stanza_kind::iq && server_.requests && !server_.requests->may_have(id(), x))
    return;
  if (changes_blocks_ && x.kind == stanza_kind::iq && !x.is_request() && x.id() == *changes_blocks_)
    changes_blocks_ = nullptr;
  thread_local auto bytes = std::string{};
  bytes.clear();
  x.append_to(bytes);
  trace::note(trace::station::delivered, "session", full_, x);
  count(metrics::instance().stanzas_sent);
  write(bytes);
}

caf::result<msg::written> session::deliver_stored(const msg::deliver_stored& x) {
  if (!stored_output_)
    stored_output_ = std::make_unique<stored_output>();
  auto& to = *stored_output_;
  for (auto& [id, what] : x.what)
    if (id > to.last && !ended_) { // Else the account has asked before, and lost its state then.
      deliver(what);
      to.last = id;
    }
  if (ended_)
    return caf::make_error(caf::sec::runtime_error);
  control_->awaits_drain = true; // First, or the moment could pass unnoticed.
  transport_->flush();
  if (transport_->queued_bytes() == 0 && control_->awaits_drain.exchange(false))
    return msg::written{};
  to.waiting.push_back(make_response_promise<msg::written>());
  return to.waiting.back();
}

void session::stored_has_gone_out() {
  if (!stored_output_)
    return;
  for (auto& one : std::exchange(stored_output_->waiting, {}))
    one.deliver(msg::written{});
  if (ended_ && transport_ && !full_.empty())
    close_stream();
}

/// For who waits would keep this actor, and be kept by it, for ever.
void session::stored_is_lost() {
  if (stored_output_)
    for (auto& one : std::exchange(stored_output_->waiting, {}))
      one.deliver(caf::make_error(caf::sec::runtime_error));
}

/// What is being sent from the store is waited for a while: or the client, which reads it, would find it there again.
/// Not when the account is gone.
bool session::ends_behind_stored(errc reason) {
  if (!stored_output_ || stored_output_->waiting.empty() || negotiating_ || full_.empty() ||
      reason == errc::not_authorized)
    return false;
  auto grace_ms = reason == errc::conflict ? replaced_grace_ms : close_grace_ms;
  delayed_send(this, std::chrono::milliseconds{grace_ms}, msg::go_on{});
  return true;
}

/// The account's side first, then, when it has let go, the client's; at once when the end is not the client's wish.
void session::close_stream() {
  if (!is_polite_)
    transport_->close(stored_output_->last_words, close_grace_ms);
  leave();
}

void session::end(errc reason, std::string_view text, std::string_view see_other_host) {
  if (std::exchange(ended_, true))
    return;
  if (reason == errc::none)
    log_end("closed", log_level::debug);
  else
    log_end(condition_name(reason), log_level::info);
  auto bytes = std::string{};
  is_polite_ = reason == errc::none && !full_.empty() && !negotiating_;
  if (ends_behind_stored(reason)) {
    if (!is_polite_)
      stored_output_->last_words = stream_error(reason, text, see_other_host);
    return;
  }
  if (is_polite_)
    return leave();
  if (negotiating_) {
    for (auto& one : negotiating_->machine.end(reason, text, see_other_host))
      if (auto* said = std::get_if<act::send>(&one))
        bytes += said->bytes;
  } else {
    bytes = reason == errc::none ? "</stream:stream>" : stream_error(reason, text, see_other_host);
  }
  transport_->close(bytes, close_grace_ms);
  leave();
}

/// Who comes while the server drains.
bool session::is_sent_away() {
  if (!server_.draining && !server_.drains_in_cluster)
    return false;
  auto how = server_.sent_away();
  end(how.reason, how.text, how.see_other_host);
  return true;
}

void session::log_end(std::string_view why, log_level if_not_bound) {
  if (!full_.empty() && !negotiating_)
    log::info("session.ended", {{"jid", full_.text()},
                                {"address", peer_.text()},
                                {"why", why},
                                {"seconds", std::max<std::int64_t>(0, now_ms() / 1000 - bound_s_)}});
  else if (if_not_bound == log_level::info)
    log::info("session.ended", {{"address", peer_.text()}, {"why", why}});
  else // of those who come and go there can be very many
    log::debug("session.ended", {{"address", peer_.text()}, {"why", why}});
}

void session::leave() {
  stored_is_lost(); // Before the account forgets that it goes there.
  if (negotiating_)
    server_.unauthenticated.remove(id());
  if (attaching_)
    return; // Its answer leads here again.
  if (full_.empty())
    return quit();
  auto self = session_actor{this};
  server_.sessions.remove(full_, self);
  if (server_.requests)
    server_.requests->forget(id());
  auto what = msg::detach{full_, server_.session_number(id()), directed_ ? directed_->take() : std::vector<jid>{},
                          bool(presence_)};
  // What the account has sent until it lets go still comes, and must not be lost with this actor. Nor does it go back
  // before: it would come again and again.
  late_ = std::make_unique<leaving>(leaving{{full_, what.session_id}});
  auto let_go = [this] {
    give_back_all();
    if (is_polite_ && transport_)
      transport_->close("</stream:stream>", close_grace_ms);
    quit();
  };
  auto ask_shard = [this, let_go, shard = server_.route.shard(full_), what] {
    request(shard, caf::infinite, what)
        .then([let_go](const msg::detached&) { let_go(); }, [let_go](const caf::error&) { let_go(); });
  };
  // Not past an attach that is under way. The account's actor may have ended, as those of removed accounts do; somebody
  // must tell who was shown presence directly.
  if (user_ && !attaches_again_)
    request(user_, caf::infinite, what)
        .then([let_go](const msg::detached&) { let_go(); }, [ask_shard](const caf::error&) { ask_shard(); });
  else
    ask_shard();
  user_ = nullptr;
  full_ = {};
}

/// The account may let go late, when its devices are asking much of it.
void session::take_late(const msg::deliver& x) {
  late_->bytes += x.what.tree.bytes().size();
  if (late_->bytes <= late_bytes_max)
    late_->stanzas.push_back(x);
  else if (!x.copies)
    answer_undelivered(server_, x.what, errc::resource_constraint);
}

void session::give_back_all() {
  auto all = std::exchange(late_, nullptr);
  for (auto& one : all->stanzas)
    give_back(one, all->end.session_id);
  send(server_.route.shard(all->end.full), all->end);
}

/// The account no longer knows this session by then.
void session::give_back(const msg::deliver& x, std::uint64_t session_id) {
  if (is_for_account(x.what))
    send(server_.route.shard(x.what.to), msg::came_back{x.what, session_id, x.copies});
}

void session::blocks_changed(const msg::blocks_changed& x) {
  blocks_ = x.blocks;
  if (!directed_ || !blocks_)
    return;
  // Who was told directly that the client is there is told that it went, while it still can be (XEP-0191, 3.3).
  auto gone = stanza{xml::builder{"presence", ns::client}.attribute("type", "unavailable").finish(), full_, {}};
  auto changes = std::exchange(changes_blocks_, nullptr); // The new list would not let it pass.
  for (auto& to : directed_->take())
    if (blocks_->is_blocked(to)) {
      gone.to = to;
      route(gone);
    } else {
      directed_->add(to);
    }
  changes_blocks_ = std::move(changes);
}

/// In a cluster its shard here knows who serves it, and holds what comes while nobody does.
user_actor session::way_to_account(const caf::strong_actor_ptr& user) const {
  if (!server_.is_in_cluster)
    return caf::actor_cast<user_actor>(user);
  return caf::actor_cast<user_actor>(caf::actor_cast<caf::strong_actor_ptr>(server_.route.shard(full_)));
}

void session::attach_again() {
  if (full_.empty() || negotiating_)
    return;
  if (ended_) // Who waited to know what the client has read has forgotten it.
    return close_stream();
  // Until the account's new owner has answered; one that only lost its state is where it was.
  if (user_ && (!current_sender() || user_->id() != current_sender()->id()))
    user_ = nullptr;
  auto what = msg::attach{};
  what.account = full_.bare();
  what.resource = std::string{full_.resource()};
  what.again = true;
  what.anonymous = anonymous_;
  what.session = std::make_shared<session_handle>(session_handle{session_actor{this}});
  what.session_id = server_.session_number(id());
  what.created_ms = created_ms_;
  what.available = bool(presence_);
  what.priority = priority_;
  what.interested = interested_;
  what.wants_blocks = wants_blocks_;
  what.presence = presence_;
  attaches_again_ = true;
  request(server_.route.shard(full_), request_timeout, std::move(what))
      .then(
          [this](const msg::attached& a) {
            attaches_again_ = false;
            if (a.failure != errc::none)
              return end(a.failure);
            blocks_ = a.blocks;
            if (!user_ && std::exchange(sends_by_shard_, false))
              return attach_again(); // What went that way meanwhile is before this question, and so before its answer.
            user_ = way_to_account(a.user);
          },
          [this](const caf::error&) {
            attaches_again_ = false;
            if (!server_.is_in_cluster)
              return end(errc::internal_server_error);
            // Nobody serves the account just now, or its node has gone: whoever does next asks as well.
            if (!ended_)
              delayed_send(this, attach_again_after, msg::attach_again{});
          });
}

void session::on_stop(const std::string&) {
  stored_is_lost(); // What goes out from now on is not to be counted on.
  if (!ended_)
    return end(errc::internal_server_error);
  if (std::exchange(is_polite_, false) && transport_)
    transport_->close("</stream:stream>", close_grace_ms);
  else if (transport_ && !full_.empty())
    transport_->close(stored_output_->last_words, close_grace_ms);
  if (!full_.empty())
    leave();
}

/// What the account has sent here goes back first, or it would be lost. Not when that fails, too.
void session::stop() {
  if ((late_ || attaching_) && !std::exchange(stops_, true))
    return;
  if (late_)
    give_back_all();
  supervised::stop();
}

void session::on_exit() {
  stored_is_lost();
  if (!full_.empty()) // Killed: else it has left.
    server_.sessions.remove(full_, session_actor{this});
}

void session::on_exit_message(caf::exit_msg&) {
  end(errc::system_shutdown);
}

msg::description session::describe() const {
  auto features = features_.lock();
  auto result = msg::description{};
  result.fields = {
      {"jid", std::string{full_.text()}},
      {"address", peer_.text()},
      {"stage", negotiating_ ? "negotiating"
                : ended_     ? "ended"
                             : "bound"},
      {"available", presence_ ? "yes, priority " + std::to_string(priority_) : "no"},
      {"interested in the roster", interested_ ? "yes" : "no"},
      {"interested in the block list", wants_blocks_ ? "yes" : "no"},
      {"directed presence", std::to_string(directed_ ? directed_->size() : 0)},
      {"bytes waiting for the client", std::to_string(transport_ ? transport_->queued_bytes() : 0)},
      {"input waiting, in elements of at most 4 KiB", std::to_string(control_->waiting.load())},
      {"account known", user_ ? "yes" : "no"},
      {"features of the client", features ? std::to_string(features->size()) + ", verified" : "not known"},
  };
  if (tls_.version != 0)
    result.fields.emplace_back("tls", tls_.text());
  return result;
}

} // namespace xmpp
