// USER: what arrives for the account, and what waits until somebody is there (RFC 6121, 8.5; XEP-0160).

#include "actors/remote.hpp"
#include "actors/stored_xml.hpp"
#include "actors/trace.hpp"
#include "actors/user.hpp"
#include "actors/user_context.hpp"
#include "persistence/offline.hpp"
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
/// The latest look for expired messages behind one that could not see all of them.
constexpr std::int64_t look_for_expired_ms = 3'600'000;
/// Stanzas and answers that wait for an account's commits; with more, others' stanzas are refused.
constexpr std::uint32_t waiting_for_commits_max = 20'000;
/// Of others' requests that wait for commits, for the disk or in lines; with more, the next ones are refused.
constexpr std::size_t held_bytes_max = 4 << 20;
/// Of one contact that wait in its line; with more, its stanzas are refused.
constexpr std::size_t line_places_max = 100;
constexpr std::size_t line_bytes_max = 1 << 20;

} // namespace

void user::deliver(const stanza& x, std::span<const jid> hidden_from) {
  if (waiting_for_commits_ + reads_.size() >= waiting_for_commits_max)
    return refuse(x, errc::resource_constraint);
  take(x, hidden_from);
}

/// A stanza that several sessions were sent comes back from the last of them only, if any. Rather twice than never.
void user::came_back(const msg::came_back& x) {
  for (auto i = std::size_t{0}; i < bound_.size(); ++i)
    if (bound_[i].id == x.session_id) { // Nobody could say so yet.
      end_session(i);
      break;
    }
  drop_unreachable();
  for (auto one : x.copies ? *x.copies : std::vector<std::uint64_t>{})
    if (has_it(one, x.session_id))
      return;
  deliver(x.what);
}

bool user::has_it(std::uint64_t other, std::uint64_t session_id) const {
  auto is_it = [=](const bound& one) { return one.id == other; };
  if (other == session_id)
    return false;
  if (std::any_of(bound_.begin(), bound_.end(), is_it))
    return true;
  return other > session_id && is_returning(other);
}

void user::drop_unreachable() {
  if (!server_.node)
    return;
  for (auto i = bound_.size(); i-- > 0;)
    if (bound_[i].node != 0 && remote::is_gone(bound_[i].actor))
      end_session(i);
}

/// Bounded by who sends it: it waits for the answer.
caf::result<msg::outcome> user::deliver_for_good(const stanza& x) {
  refused_ = errc::none;
  auto promise = make_response_promise<msg::outcome>();
  auto answer_when_durable = [this, promise]() mutable {
    if (refused_ != errc::none) { // Who tells for good may try again, whatever it was.
      auto is_full = refused_ == errc::resource_constraint;
      promise.deliver(msg::outcome{is_full ? refused_ : errc::internal_server_error});
      return;
    }
    after_commits([promise](errc failure) mutable {
      // Of an account that is being removed nothing is left to be changed.
      promise.deliver(msg::outcome{failure == errc::item_not_found ? errc::none : failure});
    });
  };
  if (!take(x, {}, answer_when_durable))
    promise.deliver(msg::outcome{errc::resource_constraint});
  return promise;
}

bool user::take(const stanza& x, std::span<const jid> hidden_from, std::function<void()> then) {
  trace::note(trace::station::handled, "user", account_, x);
  auto live = server_.live();
  if (auto* home = live->find_host(account_.domain()); home && exists_) {
    auto view = user_context{*this, home->info};
    for (auto* one : hooks_on_received()) {
      auto said = one->on_received(x, view);
      if (said.what == verdict::drop) {
        trace::note(trace::station::refused, "user", account_, x);
        if (then)
          then();
        return true;
      }
      if (said.what == verdict::reject) {
        refuse(x, said.code, said.application_condition);
        if (then)
          then();
        return true;
      }
      if (said.instead) // What it became.
        return take_checked(*said.instead, hidden_from, std::move(then));
    }
  }
  return take_checked(x, hidden_from, std::move(then));
}

bool user::take_checked(const stanza& x, std::span<const jid> hidden_from, std::function<void()> then) {
  if (!has_room(x)) {
    refuse(x, errc::resource_constraint);
    return false;
  }
  auto i = lines_ ? lines_->find(x.from.bare()) : std::map<jid, line>::iterator{};
  if (lines_ && i != lines_->end()) {
    auto& behind = i->second;
    if (!has_room(behind, x)) {
      refuse(x, errc::resource_constraint);
      return false;
    }
    if (!is_subscription(x.type) || x.kind != stanza_kind::presence) {
      auto bytes = x.tree.bytes().size();
      behind.places.push_back({0, {x, {hidden_from.begin(), hidden_from.end()}}, std::move(then), bytes});
      behind.bytes += bytes;
      held_bytes_ += std::uint32_t(bytes);
      ++waiting_for_commits_;
      return true;
    }
  }
  deliver_now(x, hidden_from);
  if (then)
    then();
  return true;
}

/// There is more for answers to a subscription: their sender, who has committed them, does not ask again.
std::size_t user::share_of(const stanza& x) {
  return x.type == stanza_type::subscribed || x.type == stanza_type::unsubscribed ? 2 : 1;
}

/// For what may have to wait. Messages do so in lines and in the offline store, which have their own bounds.
bool user::has_room(const stanza& x) const {
  auto is_request =
      (x.kind == stanza_kind::iq && !x.to.is_full()) || (x.kind == stanza_kind::presence && is_subscription(x.type));
  return !is_request || held_bytes_ + x.tree.bytes().size() <= share_of(x) * held_bytes_max;
}

bool user::has_room(const line& in, const stanza& x) const {
  auto bytes = x.tree.bytes().size();
  return in.places.size() < share_of(x) * line_places_max && in.bytes + bytes <= share_of(x) * line_bytes_max &&
         held_bytes_ + bytes <= share_of(x) * held_bytes_max;
}

std::uint32_t user::held_now() {
  held_bytes_ += foreign_bytes_;
  return foreign_bytes_;
}

/// A subscription stanza of the contact was handled just now: what it leads to is shown with the last commit.
void user::wait_for_commit(const jid& contact, const stanza& x) {
  if (pending_.empty())
    return;
  if (!lines_)
    lines_ = std::make_unique<std::map<jid, line>>();
  auto& its = (*lines_)[contact];
  auto& last = pending_.back();
  auto bytes = x.tree.bytes().size();
  its.bytes += bytes;
  if (!its.places.empty() && its.places.back().ticket == last.ticket) {
    its.places.back().bytes += bytes;
    return;
  }
  its.places.push_back({last.ticket, {}, {}, bytes});
  last.contacts.push_back(contact);
  ++waiting_for_commits_;
}

void user::let_through(const jid& contact, std::uint64_t ticket) {
  auto i = lines_ ? lines_->find(contact) : std::map<jid, line>::iterator{};
  if (!lines_ || i == lines_->end() || i->second.places.front().ticket != ticket)
    return;
  auto& all = i->second;
  auto now = std::vector<line::place>{};
  do {
    all.bytes -= all.places.front().bytes;
    if (all.places.front().ticket == 0)
      held_bytes_ -= std::uint32_t(all.places.front().bytes);
    now.push_back(std::move(all.places.front()));
    all.places.pop_front();
  } while (!all.places.empty() && all.places.front().ticket == 0);
  waiting_for_commits_ -= std::uint32_t(now.size());
  if (all.places.empty())
    lines_->erase(i);
  if (lines_->empty())
    lines_ = nullptr;
  for (auto& one : now) {
    if (one.ticket == 0)
      deliver_now(one.what.what, one.what.hidden_from);
    if (one.then)
      one.then();
  }
}

void user::deliver_now(const stanza& x, std::span<const jid> hidden_from) {
  refused_ = errc::none;
  if (x.kind != stanza_kind::presence)
    drop_unreachable();
  auto where = xmpp::deliver(x, exists_ || !views_.empty(), views_);
  auto copies = msg::session_ids{};
  // A request holds its bytes until it is answered.
  auto before = foreign_bytes_;
  switch (where.what) {
  case delivery::way::deliver:
    if (x.kind == stanza_kind::message)
      count(metrics::instance().messages_delivered);
    if (x.kind == stanza_kind::message && where.sessions.size() > 1)
      copies = numbers_of(where.sessions); // Also of one that gets it behind what it has missed.
    for (auto i : where.sessions)
      if (waits_behind_offline(x, i))
        store_offline(x, where.sessions.size() > 1 ? views_[i].full.resource() : std::string_view{});
      else if (std::find(hidden_from.begin(), hidden_from.end(), views_[i].full) == hidden_from.end())
        to_session(i, x, copies);
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
    foreign_bytes_ = std::uint32_t(x.tree.bytes().size());
    answer(x);
    break;
  case delivery::way::handle:
    foreign_bytes_ = std::uint32_t(x.tree.bytes().size());
    deliver_presence(x);
    break;
  }
  foreign_bytes_ = before;
  if (!exists_)
    note_idleness();
}

msg::session_ids user::numbers_of(const session_indexes& sessions) const {
  auto out = std::vector<std::uint64_t>{};
  for (auto i : sessions)
    out.push_back(bound_[i].id);
  return std::make_shared<const std::vector<std::uint64_t>>(std::move(out));
}

/// `only_for`: a resource's copy of what others have already. So its sender has no error to expect.
void user::store_offline(const stanza& x, std::string_view only_for) {
  auto refuse_it = [this, x, is_copy = !only_for.empty()](errc failure) {
    if (!is_copy)
      refuse(x, failure);
  };
  // What waits may be too old to be delivered, and in the way of what comes. A flush forgets such by itself.
  auto is_due = offline_.messages != 0 && offline_flush_ == 0 && now_ms() >= offline_expires_ms_;
  if (tidying_ || is_due) {
    auto begins = !tidying_;
    if (begins)
      tidying_ = std::make_unique<std::vector<std::function<void()>>>();
    tidying_->push_back([this, x, only_for = std::string{only_for}] { store_offline(x, only_for); });
    return begins ? forget_expired() : void();
  }
  auto* home = own_host();
  auto message = offline_message{x.from, x.to, now_ms(), 0, std::string{x.tree.bytes()}, std::string{only_for}};
  if (home && home->options.offline_expiry_days != 0)
    message.expires_ms = message.received_ms + std::int64_t(home->options.offline_expiry_days) * 86'400'000;
  // What comes behind messages that are being sent shall not be refused for what had waited before.
  auto quotas = offline_flush_ != 0 ? 2u : 1u;
  if (!home || offline_.messages >= quotas * home->options.offline_messages_max ||
      offline_.bytes + offline::size_bytes(message) > quotas * home->options.offline_bytes_max) {
    count(metrics::instance().offline_refused);
    return refuse_it(errc::service_unavailable);
  }
  auto changes = write_set{};
  auto summary = offline_;
  offline::append(changes, place(), ids().next(message.received_ms), message, summary);
  if (!commit(std::move(changes), [this, x, refuse_it](errc failure) {
        if (failure != errc::none)
          return refuse_it(failure);
        count(metrics::instance().offline_stored);
        trace::note(trace::station::stored, "user", account_, x);
      }))
    return;
  auto expires_ms = message.expires_ms != 0 ? message.expires_ms : INT64_MAX;
  offline_expires_ms_ = offline_.messages == 0 ? expires_ms : std::min(offline_expires_ms_, expires_ms);
  offline_ = summary;
  offline_grew_ = true;
}

/// A page at a time; then goes on, whatever came of it. The next look is due when the oldest of the rest expires.
void user::forget_expired() {
  read(
      [at = place()](const reader& from, msg::was_read& answer) {
        auto page = offline::load(from, at, {}, offline_page, offline_page_bytes);
        answer.failure = page.code();
        if (page)
          answer.messages = std::make_shared<offline::page>(*std::move(page));
      },
      [this](const msg::was_read& x) {
        auto now = now_ms();
        auto is_over = [now](auto& one) { return one.message.expires_ms != 0 && one.message.expires_ms < now; };
        auto goes_on = false;
        offline_expires_ms_ = now + look_for_expired_ms;
        if (x.messages) {
          auto& page = *x.messages;
          auto rest = std::stable_partition(page.messages.begin(), page.messages.end(), is_over);
          auto changes = write_set{};
          auto summary = offline_;
          auto old = std::span{page.messages.begin(), rest};
          offline::erase(changes, place(), old, summary);
          if (!old.empty() && commit(std::move(changes), [](errc) {})) {
            offline_ = summary;
            goes_on = page.more && rest == page.messages.end();
          }
          if (!page.more)
            offline_expires_ms_ = INT64_MAX;
          for (; rest != page.messages.end(); ++rest)
            if (rest->message.expires_ms != 0)
              offline_expires_ms_ = std::min(offline_expires_ms_, rest->message.expires_ms);
        }
        if (goes_on)
          return forget_expired();
        auto waiting = std::exchange(tidying_, nullptr);
        for (auto& one : *waiting)
          one();
        deliver_offline_to_another(0); // Somebody may have come meanwhile.
      });
}

id_generator& user::ids() {
  if (!ids_)
    ids_.emplace(server_.node_id, std::uint64_t(id()) << 16);
  return *ids_;
}

void user::deliver_offline(std::size_t session) {
  if (offline_flush_ != 0 && offline_flush_to_ == 0)
    offline_flush_to_ = bound_[session].id;
  if (offline_.messages == 0 || offline_flush_ != 0 || tidying_)
    return;
  offline_flush_ = next_ticket_++;
  offline_flush_to_ = bound_[session].id;
  deliver_offline_page(views_[session].full, bound_[session].id, {});
}

/// The session that was being sent them takes no more. If another is there that may have them, it gets the rest.
void user::deliver_offline_to_another(std::uint64_t former) {
  offline_flush_ = offline_page_with_ = 0;
  auto next = next_for_offline(former);
  offline_flush_to_ = 0;
  for (auto i = std::size_t{0}; i < views_.size(); ++i)
    if (bound_[i].id == next)
      return deliver_offline(i);
}

/// The one that has waited for its turn, or the first.
std::uint64_t user::next_for_offline(std::uint64_t former) const {
  auto first = std::uint64_t{0};
  for (auto i = std::size_t{0}; i < views_.size(); ++i)
    if (bound_[i].id != former && takes_messages(views_[i])) {
      if (bound_[i].id == offline_flush_to_)
        return offline_flush_to_;
      if (first == 0)
        first = bound_[i].id;
    }
  return first;
}

void user::page_is_lost_with(std::uint64_t session) {
  if (offline_flush_ != 0 && offline_page_with_ == session)
    deliver_offline_to_another(session);
}

/// Whether a session is still being sent older messages: a newer one takes its place behind those in the store, where
/// it is safe however long that session takes to read.
bool user::waits_behind_offline(const stanza& x, std::size_t session) const {
  return offline_flush_ != 0 && bound_[session].id == offline_flush_to_ && x.kind == stanza_kind::message &&
         is_for_offline_store(x);
}

/// A page is forgotten, and the next one follows, when it has gone out: a client that is lost before that finds it
/// again, and a slow one is sent no more than it reads. Behind the last page it begins anew, for what has come since.
///
/// One that is gone, or was replaced, may have read the page all the same: nobody else gets it before that shows.
void user::deliver_offline_page(const jid& to, std::uint64_t session, const stored_id& after) {
  auto is_over = [this, flush = offline_flush_] {
    return offline_flush_ != flush; // This actor lost its state, or the account was removed.
  };
  offline_grew_ = false;
  read(
      [at = place(), after](const reader& from, msg::was_read& answer) {
        auto page = offline::load(from, at, after, offline_page, offline_page_bytes);
        answer.failure = page.code();
        if (page)
          answer.messages = std::make_shared<offline::page>(*std::move(page));
      },
      [this, to, session, is_over](const msg::was_read& x) {
        if (is_over())
          return;
        if (x.failure != errc::none) {
          offline_flush_ = 0; // They stay for the next one.
          return;
        }
        auto there = find_session(to, session);
        if (!there || !takes_messages(views_[*there]))
          return deliver_offline_to_another(session);
        auto& page = *x.messages;
        ids().observe(page.last()); // Later ones come behind these, also when the clock is put back.
        if (page.messages.empty() && !page.more && !offline_grew_) {
          offline_flush_ = 0;
          return;
        }
        offline_page_with_ = session;
        request(bound_[*there].actor, caf::infinite, still_wanted(page, to))
            .then(
                [this, to, session, is_over, page = x.messages](const msg::written&) {
                  if (is_over())
                    return;
                  offline_page_with_ = 0;
                  if (!erase_offline_page(*page) || offline_.messages == 0)
                    offline_flush_ = 0;
                  else if (offline_flush_to_ == session)
                    deliver_offline_page(to, session, page->more ? page->last() : stored_id{});
                  else
                    deliver_offline_to_another(session);
                },
                [this, session, is_over](const caf::error&) {
                  if (!is_over())
                    deliver_offline_to_another(session);
                });
      });
}

/// Without those that have expired or whose sender has been blocked since (XEP-0191, 3.3), each with the time it came.
msg::deliver_stored user::still_wanted(const offline::page& page, const jid& to) const {
  auto result = msg::deliver_stored{};
  for (auto& one : page.messages) {
    if (one.message.expires_ms != 0 && one.message.expires_ms < now_ms())
      continue;
    if (blocks_ && blocks_->is_blocked(one.message.from))
      continue;
    if (!one.message.only_for.empty() && one.message.only_for != to.resource())
      continue; // This one had it when it came.
    auto tree = parse_stored(one.message.xml);
    if (!tree)
      continue;
    auto message = stanza{*tree, one.message.from, one.message.to};
    result.what.emplace_back(
        one.id, message.with_child(delay_element(jid::from_prepared(account_.domain()), one.message.received_ms)));
    count(metrics::instance().offline_delivered);
  }
  return result;
}

/// False: refused, then they come once more at another time, which is better than not at all.
bool user::erase_offline_page(const offline::page& page) {
  auto changes = write_set{};
  auto summary = offline_;
  offline::erase(changes, place(), page.messages, summary);
  auto taken = commit(std::move(changes), [this, flush = offline_flush_](errc failure) {
    if (failure != errc::none && offline_flush_ == flush)
      offline_flush_ = 0;
  });
  if (taken)
    offline_ = summary;
  return taken;
}

} // namespace xmpp
