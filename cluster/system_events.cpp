#include "cluster/system_events.hpp"

#include <algorithm>

namespace xmpp::cluster {

namespace {

using kind = system_event::kind;

std::uint64_t seconds_since(std::int64_t since_ms, std::int64_t now_ms) {
  return now_ms > since_ms && since_ms != 0 ? std::uint64_t(now_ms - since_ms) / 1'000 : 0;
}

std::string titles(const state& in, const std::vector<node_id>& nodes) {
  auto out = std::string{};
  for (auto one : nodes)
    out += (out.empty() ? "" : ", ") + in.title(one);
  return out;
}

std::string standing_text(const member& x) {
  return x.is == standing::draining && x.leaves ? "leaving" : std::string{name_of(x.is)};
}

std::string said_by(const member& x) {
  return (x.says.addresses.empty() ? std::string{"no address"} : x.says.addresses.front()) + ", version " +
         x.says.version;
}

std::string purpose_of(const state& in, const move& x) {
  auto out = x.add.empty() ? std::string{} : "adds " + titles(in, x.add);
  if (!x.remove.empty())
    out += (out.empty() ? "removes " : ", removes ") + titles(in, x.remove);
  return out;
}

/// `then` is null: it is new.
std::string why_it_is(const state& before, const state& after, const member* then, const member& now) {
  auto id = now.says.id;
  switch (now.is) {
  case standing::joining: {
    auto old = std::find_if(after.members.begin(), after.members.end(), [&](auto& one) {
      auto was = before.find(one.first);
      return one.second.is == standing::gone && was && was->is != standing::gone &&
             one.second.since_ms == now.joined_ms;
    });
    return old == after.members.end() ? "joined by a token"
                                      : "joined by a token, in place of " + after.title(old->first);
  }
  case standing::up:
    if (then && then->is == standing::draining)
      return then->leaves ? "its drain was taken back" : "came back, or its drain was taken back";
    return "came for the first time";
  case standing::draining:
    return now.leaves ? "asked to leave" : "asked to drain";
  case standing::gone:
    for (auto& [other, one] : after.members)
      if (one.joined_ms == now.since_ms && !before.find(other))
        return "replaced by " + after.title(other);
    if (before.replicas_of(id) > 0)
      return "removed as dead";
    return then && then->leaves ? "left, as asked" : "removed, as asked";
  }
  return {};
}

/// As far as everybody can see it.
std::string why_it_moves(const state& in, const move& x) {
  for (auto one : x.remove)
    if (auto who = in.find(one); who && who->is == standing::gone)
      return in.title(one) + " was removed";
    else if (who && who->leaves)
      return in.title(one) + " leaves";
  return "known where the system group is led";
}

void compare_members(const state& before, const state& after, std::int64_t now_ms, std::vector<system_event>& out) {
  for (auto& [id, now] : after.members) {
    auto then = before.find(id);
    auto was = then ? standing_text(*then) : std::string{};
    if (auto is = standing_text(now); is != was)
      out.push_back({kind::member, after.title(id), is, was, then ? seconds_since(then->since_ms, now_ms) : 0,
                     why_it_is(before, after, then, now)});
    if (then && then->says != now.says)
      out.push_back({kind::member_says, after.title(id), said_by(now), said_by(*then), 0});
  }
  for (auto& [id, then] : before.members)
    if (!after.find(id))
      out.push_back({kind::member, before.title(id), "forgotten", standing_text(then),
                     seconds_since(then.since_ms, now_ms), "no shard counts it any more"});
}

} // namespace

void system_events::explain(const ask::begin_move& what, std::string why) {
  auto& known = proposed_[what.shard];
  if (known.second.empty() || known.first.add != what.add || known.first.remove != what.remove)
    known = {what, std::move(why)};
}

void system_events::explain(const ask::abort_move& what, std::string why) {
  undo_why_.try_emplace(what.move, std::move(why));
}

std::string system_events::take_reason(shard_id shard, const move& x, const state& in) {
  auto known = proposed_.extract(shard);
  return known && known.mapped().first.add == x.add && known.mapped().first.remove == x.remove ? known.mapped().second
                                                                                               : why_it_moves(in, x);
}

std::vector<system_event> system_events::between(const state& before, const state& after, std::int64_t now_ms) {
  auto out = std::vector<system_event>{};
  if (before.version == 0)
    return out;
  compare_members(before, after, now_ms, out);
  for (auto& [shard, now] : after.shards) {
    auto at = before.shards.find(shard);
    auto then = at == before.shards.end() || !at->second.moving ? nullptr : &*at->second.moving;
    if (then && (!now.moving || now.moving->id != then->id)) {
      auto known = begun_.extract(then->id);
      auto seen = known ? std::move(known.mapped()) : begun{then->since_ms, why_it_moves(before, *then)};
      if (auto undone = undo_why_.extract(then->id); undone && then->is_undo)
        seen.why = std::move(undone.mapped());
      out.push_back({kind::move_ended, title(shard), titles(after, now.replicas), then->is_undo ? "taken back" : "done",
                     seconds_since(seen.since_ms, now_ms), std::move(seen.why)});
    }
    if (now.moving && (!then || now.moving->id != then->id)) {
      auto& kept = begun_[now.moving->id] = {now_ms, take_reason(shard, *now.moving, after)};
      out.push_back({kind::move_begun, title(shard), purpose_of(after, *now.moving), {}, 0, kept.why});
    }
  }
  for (auto& [which, now] : after.settings)
    if (auto then = before.value(which); then != now)
      out.push_back({kind::setting, std::string{name_of(which)}, std::to_string(now), std::to_string(then), 0});
  return out;
}

} // namespace xmpp::cluster
