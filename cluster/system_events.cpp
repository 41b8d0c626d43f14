#include "cluster/system_events.hpp"

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

void compare_members(const state& before, const state& after, std::int64_t now_ms, std::vector<system_event>& out) {
  for (auto& [id, now] : after.members) {
    auto then = before.find(id);
    auto was = then ? standing_text(*then) : std::string{};
    if (auto is = standing_text(now); is != was)
      out.push_back({kind::member, after.title(id), is, was, then ? seconds_since(then->since_ms, now_ms) : 0});
    if (then && then->says != now.says)
      out.push_back({kind::member_says, after.title(id), said_by(now), said_by(*then), 0});
  }
  for (auto& [id, then] : before.members)
    if (!after.find(id))
      out.push_back(
          {kind::member, before.title(id), "forgotten", standing_text(then), seconds_since(then.since_ms, now_ms)});
}

} // namespace

std::vector<system_event> system_events::between(const state& before, const state& after, std::int64_t now_ms) {
  auto out = std::vector<system_event>{};
  if (before.version == 0)
    return out;
  compare_members(before, after, now_ms, out);
  for (auto& [shard, now] : after.shards) {
    auto at = before.shards.find(shard);
    auto then = at == before.shards.end() || !at->second.moving ? nullptr : &*at->second.moving;
    if (then && (!now.moving || now.moving->id != then->id)) {
      auto begun = begun_ms_.extract(then->id);
      out.push_back({kind::move_ended, title(shard), titles(after, now.replicas), then->is_undo ? "taken back" : "done",
                     seconds_since(begun ? begun.mapped() : then->since_ms, now_ms)});
    }
    if (now.moving && (!then || now.moving->id != then->id)) {
      begun_ms_[now.moving->id] = now_ms;
      out.push_back({kind::move_begun, title(shard), purpose_of(after, *now.moving), {}, 0});
    }
  }
  for (auto& [which, now] : after.settings)
    if (auto then = before.value(which); then != now)
      out.push_back({kind::setting, std::string{name_of(which)}, std::to_string(now), std::to_string(then), 0});
  return out;
}

} // namespace xmpp::cluster
