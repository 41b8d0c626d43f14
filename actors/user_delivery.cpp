// USER: what arrives for the account, and what waits until somebody is there (RFC 6121, 8.5; XEP-0160).

#include "actors/stored_xml.hpp"
#include "actors/trace.hpp"
#include "actors/user.hpp"
#include "actors/user_context.hpp"
#include "persistence/offline.hpp"
#include "protocol/delivery.hpp"
#include "protocol/iq.hpp"
#include "protocol/namespaces.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace xmpp {

namespace {

/// Offline messages that are read and sent at a time.
constexpr std::size_t offline_page = 100;
constexpr std::size_t offline_page_bytes = 256 * 1024;

} // namespace

void user::deliver(const stanza& x, std::span<const jid> hidden_from) {
  if (phase_ == phase::retiring)
    return send(server_.route.shard(shard_), msg::deliver{x});
  trace::note(trace::station::handled, "user", account_, x);
  auto live = server_.live();
  if (auto* home = live->find_host(account_.domain()); home && exists_) {
    auto view = user_context{*this, home->info};
    for (auto* one : hooks_on_received()) {
      auto said = one->on_received(x, view);
      if (said.what == verdict::drop)
        return trace::note(trace::station::refused, "user", account_, x);
      if (said.what == verdict::reject)
        return refuse(x, said.code, said.application_condition);
      if (said.instead) // What it became.
        return deliver_checked(*said.instead, hidden_from);
    }
  }
  deliver_checked(x, hidden_from);
}

void user::deliver_checked(const stanza& x, std::span<const jid> hidden_from) {
  if (x.kind == stanza_kind::presence && !pending_.empty() && is_behind_subscription(x, hidden_from))
    return;
  auto where = xmpp::deliver(x, exists_ || !views_.empty(), views_);
  switch (where.what) {
  case delivery::way::deliver:
    if (x.kind == stanza_kind::message)
      count(metrics::instance().messages_delivered);
    for (auto i : where.sessions)
      if (std::find(hidden_from.begin(), hidden_from.end(), views_[i].full) == hidden_from.end())
        to_session(i, x);
    break;
  case delivery::way::store:
    store_offline(x);
    break;
  case delivery::way::refuse:
    refuse(x, where.code);
    break;
  case delivery::way::drop:
    trace::note(trace::station::refused, "user", account_, x);
    break;
  case delivery::way::answer:
    answer(x);
    break;
  case delivery::way::handle:
    deliver_presence(x);
    break;
  }
  if (!exists_)
    note_idleness();
}

void user::store_offline(const stanza& x) {
  auto* home = own_host();
  auto message = offline_message{x.from, x.to, now_ms(), 0, std::string{x.tree.bytes()}};
  if (home && home->options.offline_expiry_days != 0)
    message.expires_ms = message.received_ms + std::int64_t(home->options.offline_expiry_days) * 86'400'000;
  if (!home || offline_.messages >= home->options.offline_messages_max ||
      offline_.bytes + offline::size_bytes(message) > home->options.offline_bytes_max) {
    count(metrics::instance().offline_refused);
    return refuse(x, errc::service_unavailable);
  }
  if (!ids_)
    ids_.emplace(server_.node_id, std::uint64_t(id()) << 16);
  auto changes = write_set{};
  auto summary = offline_;
  offline::append(changes, place(), ids_->next(message.received_ms), message, summary);
  if (commit(std::move(changes), [this, x](errc failure) {
        if (failure != errc::none)
          return refuse(x, failure);
        count(metrics::instance().offline_stored);
        trace::note(trace::station::stored, "user", account_, x);
      }))
    offline_ = summary;
}

void user::deliver_offline(std::size_t session) {
  if (offline_.messages == 0 || offline_flush_ != 0)
    return;
  offline_flush_ = next_ticket_++;
  offline_flush_to_ = bound_[session].id;
  deliver_offline_page(views_[session].full, {});
}

/// A page is forgotten, and the next one follows, when it has gone out: a client that is lost before that finds it
/// again, and a slow one is sent no more than it reads.
void user::deliver_offline_page(const jid& to, const stored_id& after) {
  auto is_over = [this, flush = offline_flush_] { return offline_flush_ != flush; }; // This actor lost its state.
  read(
      [at = place(), after](const reader& from, msg::was_read& answer) {
        auto page = offline::load(from, at, after, offline_page, offline_page_bytes);
        answer.failure = page.code();
        if (page)
          answer.messages = std::make_shared<offline::page>(*std::move(page));
      },
      [this, to, is_over](const msg::was_read& x) {
        if (is_over())
          return;
        auto there = find_session(to.resource());
        if (x.failure != errc::none || !there || !views_[*there].available) {
          offline_flush_ = 0; // They stay for the next one.
          return;
        }
        send_offline_page(*there, *x.messages);
        request(bound_[*there].actor, caf::infinite, msg::when_written{})
            .then(
                [this, to, is_over, page = x.messages](const msg::written&) {
                  if (is_over())
                    return;
                  erase_offline_page(*page);
                  if (page->more)
                    deliver_offline_page(to,
                                         page->messages.empty() ? page->unreadable.back() : page->messages.back().id);
                  else
                    offline_flush_ = 0;
                },
                [this, is_over](const caf::error&) {
                  if (!is_over())
                    offline_flush_ = 0;
                });
      });
}

void user::send_offline_page(std::size_t session, const offline::page& page) {
  for (auto& one : page.messages) {
    if (one.message.expires_ms != 0 && one.message.expires_ms < now_ms())
      continue;
    if (blocks_ && blocks_->is_blocked(one.message.from)) // Since it came (XEP-0191, 3.3).
      continue;
    auto tree = parse_stored(one.message.xml);
    if (!tree)
      continue;
    auto message = stanza{*tree, one.message.from, one.message.to};
    to_session(session,
               message.with_child(delay_element(jid::from_prepared(account_.domain()), one.message.received_ms)));
    count(metrics::instance().offline_delivered);
  }
}

void user::erase_offline_page(const offline::page& page) {
  auto changes = write_set{};
  auto summary = offline_;
  if (page.more || !page.unreadable.empty())
    offline::erase(changes, place(), page.messages, summary);
  else
    offline::erase_all(changes, place(), summary);
  // Refused: they come once more, which is better than not at all.
  if (commit(std::move(changes), [](errc) {}))
    offline_ = summary;
}

} // namespace xmpp
