// SHARD: which sessions contacts see as available: known to who serves it and to those who may next, so that whoever
// takes over finds out which have gone down with the one before.
//
// Who serves it sends its heirs each change, in one small frame, and all it knows when one is new or linked again. Soft
// state: what is lost on the way is put right by the next such round. A session that is missed by an heir is told of
// once more when it comes again; one that an heir has too many is said to be gone once more.

#include "actors/log.hpp"
#include "actors/shard.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace xmpp {

namespace {

constexpr auto pace_time = std::chrono::milliseconds{100};
/// To each heir, at each of these.
constexpr auto heritage_piece = std::size_t{500};
/// Users that are started for sessions that are gone, at each of these: they read, and tell all their contacts.
constexpr auto vanished_piece = std::size_t{20};
/// A session whose node is slow, or whose client comes back at once, was never away.
constexpr auto grace_paces = 30u;

} // namespace

/// The users under it say so.
void shard::shown(const msg::shown& x) {
  if (!is_served_here())
    return; // By one that leaves.
  auto was_there = present_.has(x.full);
  if (!x.is_there)
    present_.erase(x.full);
  else if (!present_.put(x.full) && !std::exchange(warned_of_presence_, true))
    log::warning("shard.presence_not_kept", {{"shard", index_}, {"sessions", present_.size()}});
  if (was_there != present_.has(x.full))
    tell_heirs(x.full, x.is_there);
}

void shard::tell_heirs(const jid& full, bool is_there) {
  auto news = msg::heritage{index_, server_.self, served_.term};
  (is_there ? news.there : news.gone).push_back(full);
  for (auto& [node, one] : heirs_)
    send(caf::actor_cast<shard_actor>(one.actor), news);
}

/// Whether contacts must be told what a session says that comes again.
bool shard::surprises(const msg::attach& x) {
  auto full = x.account.with_resource(x.resource);
  auto was_there = present_.has(full);
  if (was_there)
    present_.put(full);
  if (!x.available)
    return was_there;
  if (duty_ == duty::serves) // Its link was down; or it was waited for in vain.
    return true;
  if (knows_presence_ || was_there)
    return !was_there;
  present_.put(full); // For all that is known they were.
  return false;
}

/// From who serves it; or, while this node takes over, from others who have heard of those before.
void shard::heritage(const msg::heritage& x) {
  auto is_of_shard = [this](const jid& full) { return full.is_full() && server_.route.shard_of(full) == index_; };
  if (is_served_here() && x.term <= served_.term) {
    if (duty_ == duty::serves)
      return;
    for (auto& one : x.there)
      if (is_of_shard(one))
        present_.put_doubtful(one);
    for (auto& one : x.gone)
      present_.erase_doubtful(one);
    return;
  }
  if (x.term < heritage_term_)
    return;
  heritage_term_ = x.term;
  heritage_of_ = x.node;
  if (x.begins)
    present_.doubt_all();
  for (auto& one : x.there)
    if (is_of_shard(one))
      present_.put(one);
  for (auto& one : x.gone)
    present_.erase(one);
  if (!x.ends)
    return;
  present_.erase_all_doubtful();
  knows_presence_ = true;
}

/// A node that serves it again and has begun anew since knows less than those who heard of it.
void shard::give_heritage_back() {
  if (heritage_of_ != served_.node || heritage_term_ == served_.term)
    return;
  auto piece = msg::heritage{index_, heritage_of_, heritage_term_};
  for (auto last = jid{};; last = piece.there.back()) {
    piece.there = present_.behind(last, heritage_piece);
    if (piece.there.empty())
      return;
    send(elsewhere(), piece);
  }
}

void shard::name_heirs(const std::vector<std::pair<std::uint64_t, caf::strong_actor_ptr>>& heirs) {
  auto before = std::exchange(heirs_, {});
  for (auto& [node, actor] : heirs)
    if (auto known = before.extract(node))
      heirs_.insert(std::move(known));
    else
      heirs_.emplace(node, heir{actor});
  auto nothing = msg::heritage{index_, server_.self, served_.term, true, true};
  for (auto& [node, former] : before) // It need not keep anything, if it is still there to hear so.
    send(caf::actor_cast<shard_actor>(former.actor), nothing);
  go_on_bit_by_bit();
}

void shard::serves_from_now_on() {
  knows_presence_ = true;
  heritage_term_ = served_.term;
  heritage_of_ = server_.self;
  grace_ = present_.has_doubtful() ? grace_paces : 0;
  heirs_.clear();
  name_heirs(served_.heirs);
}

void shard::go_on_bit_by_bit() {
  auto is_new = [](auto& one) { return !one.second.knows_all; };
  auto has_work = present_.has_doubtful() || std::any_of(heirs_.begin(), heirs_.end(), is_new);
  if (has_work && std::exchange(paced_term_, served_.term) != served_.term)
    delayed_send(this, pace_time, msg::pace{served_.term});
}

void shard::pace(const msg::pace& x) {
  if (x.term != paced_term_)
    return;
  paced_term_ = 0;
  if (duty_ != duty::serves || !is_served_here() || x.term != served_.term)
    return;
  for (auto& [node, one] : heirs_)
    if (!one.knows_all)
      send_piece(one);
  if (grace_ != 0)
    --grace_;
  else
    for (auto& one : present_.take_doubtful(vanished_piece))
      tell_vanished(one);
  go_on_bit_by_bit();
}

void shard::send_piece(heir& to) {
  auto piece = msg::heritage{index_, server_.self, served_.term};
  piece.begins = to.last.empty();
  piece.there = present_.behind(to.last, heritage_piece);
  piece.ends = to.knows_all = piece.there.size() < heritage_piece;
  if (!piece.there.empty())
    to.last = piece.there.back();
  send(caf::actor_cast<shard_actor>(to.actor), std::move(piece));
}

void shard::tell_vanished(const jid& full) {
  if (duty_ != duty::serves)
    return; // Whoever serves it next finds out.
  auto& account = user_of(full.bare());
  if (!account.held)
    return send(account.actor, msg::vanished{full});
  account.held->all.push_back([this, full](errc why) {
    if (why == errc::none)
      tell_vanished(full);
  });
}

} // namespace xmpp
