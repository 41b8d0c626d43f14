#include "cluster/placement_status.hpp"

#include "cluster/identity.hpp"

#include <algorithm>
#include <array>

namespace xmpp::cluster::status {

namespace {

std::string number(std::uint64_t x) {
  return std::to_string(x);
}

/// The number of a node, or its id when it is none.
std::string short_title(const state& in, node_id x) {
  auto known = in.find(x);
  return known == nullptr ? "id " + number(x) : number(known->number);
}

std::string listed(const state& in, const std::vector<node_id>& nodes) {
  auto out = std::string{};
  for (auto one : nodes)
    out += (out.empty() ? "" : " ") + short_title(in, one);
  return out;
}

std::uint64_t seconds_since(std::int64_t since_ms, std::int64_t now_ms) {
  return now_ms > since_ms ? std::uint64_t(now_ms - since_ms) / 1'000 : 0;
}

cell standing_of(const member& x, bool is_alive) {
  auto name = x.leaves ? std::string{"leaving"} : std::string{name_of(x.is)};
  if (x.is == standing::gone)
    return {name, tone::dim};
  if (!is_alive && x.is != standing::joining)
    return {x.is == standing::up ? "silent" : name + ", silent", tone::bad};
  return {name, x.is == standing::up ? tone::good : tone::warning};
}

struct totals {
  std::uint64_t leads = 0, lag = 0;
};

std::map<node_id, totals> totals_of(const observed& seen) {
  auto out = std::map<node_id, totals>{};
  for (auto& [shard, x] : seen.shards) {
    if (x.leader == 0)
      continue;
    ++out[x.leader].leads;
    for (auto& [who, lag] : x.lag)
      out[who].lag = std::max(out[who].lag, who == x.leader ? 0 : lag);
  }
  return out;
}

/// 0: not known.
cell known(std::uint64_t x) {
  return x == 0 ? cell{} : cell{x};
}

table nodes_of(const state& in, const observed& seen, std::int64_t now_ms, const patience& how) {
  auto out = table{{{"node", "node", unit::count},
                    {"", "id", unit::text, true},
                    {"state", "state"},
                    {"for", "state_s", unit::seconds},
                    {"address", "address"},
                    {"version", "version"},
                    {"zone", "zone"},
                    {"replicas", "replicas", unit::count},
                    {"leads", "leads", unit::count},
                    {"sessions", "sessions", unit::count},
                    {"behind", "behind_entries", unit::count},
                    {"last contact", "last_contact_s", unit::seconds},
                    {"disk", "disk"},
                    {"free", "disk_free_bytes", unit::bytes},
                    {"used", "disk_used_bytes", unit::bytes},
                    {"", "hosts", unit::text, true},
                    {"", "up_s", unit::seconds, true},
                    {"", "cluster_state", unit::count, true},
                    {"", "certificate_expires_ms", unit::count, true}},
                   {},
                   "there is no cluster yet"};
  auto sums = totals_of(seen);
  auto in_order = std::vector<const member*>{};
  for (auto& [id, one] : in.members)
    in_order.push_back(&one);
  std::sort(in_order.begin(), in_order.end(), [](auto x, auto y) { return x->number < y->number; });
  for (auto x : in_order) {
    auto id = x->says.id;
    auto heard = seen.nodes.find(id);
    auto is_heard = heard != seen.nodes.end() && x->is != standing::gone;
    auto alive = is_heard && heard->second.contact_age_ms <= how.fresh_ms;
    auto zone = x->says.labels.find("zone");
    auto lag = sums[id].lag;
    auto says = is_heard ? heard->second.says : std::nullopt;
    auto said = [&](std::uint64_t observed_node::said::*which) { return says ? known((*says).*which) : cell{}; };
    out.rows.push_back({x->number, id_text(id), standing_of(*x, alive), seconds_since(x->since_ms, now_ms),
                        x->says.addresses.front(), x->says.version,
                        zone == x->says.labels.end() ? cell{} : cell{zone->second}, std::uint64_t(in.replicas_of(id)),
                        sums[id].leads, says ? cell{says->sessions} : cell{},
                        cell{lag, lag > how.lag_max ? tone::warning : tone::plain},
                        is_heard ? cell{heard->second.contact_age_ms / 1'000} : cell{},
                        !is_heard               ? cell{}
                        : heard->second.disk_ok ? cell{std::string{"ok"}}
                                                : cell{std::string{"failing"}, tone::bad},
                        said(&observed_node::said::disk_free_bytes), said(&observed_node::said::disk_used_bytes),
                        !says                      ? cell{}
                        : says->host_words.empty() ? cell{std::string{"as agreed"}}
                                                   : cell{says->host_words, tone::bad},
                        says ? cell{says->up_s} : cell{}, said(&observed_node::said::state_version),
                        std::uint64_t(std::max<std::int64_t>(x->certificate_expires_ms, 0))});
  }
  return out;
}

tone tone_of(health x) {
  return x == health::good      ? tone::good
         : x == health::alone   ? tone::plain
         : x == health::at_risk ? tone::warning
                                : tone::bad;
}

table shards_of(const state& in, const observed& seen, const patience& how, std::array<std::size_t, 5>& counts) {
  auto out = table{{{"shard", "shard"},
                    {"health", "health"},
                    {"leader", "leader"},
                    {"replicas", "replicas"},
                    {"behind", "behind"},
                    {"term", "term", unit::count},
                    {"applied", "applied", unit::count},
                    {"size", "size_bytes", unit::bytes},
                    {"why", "why"}},
                   {},
                   "no shard"};
  for (auto& [shard, placed] : in.shards) {
    auto healthy = health_of(in, seen, shard, how);
    ++counts[std::size_t(healthy.is)];
    auto at = seen.shards.find(shard);
    auto looked = at == seen.shards.end() ? observed_shard{} : at->second;
    auto behind = std::vector<node_id>{};
    for (auto one : placed.replicas)
      if (auto lag = looked.lag.find(one); one != looked.leader && lag != looked.lag.end() && lag->second > how.lag_max)
        behind.push_back(one);
    out.rows.push_back({shard == system_shard ? std::string{"system"} : number(shard),
                        {std::string{name_of(healthy.is)}, tone_of(healthy.is)},
                        looked.leader == 0 ? cell{} : cell{short_title(in, looked.leader)},
                        listed(in, placed.replicas),
                        behind.empty() ? cell{} : cell{listed(in, behind), tone::warning},
                        looked.term,
                        looked.applied,
                        known(looked.bytes),
                        healthy.why.empty() ? cell{} : cell{healthy.why}});
  }
  return out;
}

table links_of(const state& in, const std::vector<link>& links) {
  auto out = table{{{"from", "from"},
                    {"to", "to"},
                    {"state", "state"},
                    {"waiting", "waiting_bytes", unit::bytes},
                    {"round trip", "round_trip_us", unit::microseconds}},
                   {},
                   "no link"};
  for (auto& one : links)
    out.rows.push_back({short_title(in, one.from), short_title(in, one.to),
                        one.is_up ? cell{std::string{"up"}, tone::good} : cell{std::string{"down"}, tone::bad},
                        one.waiting_bytes, one.round_trip_us ? cell{*one.round_trip_us} : cell{}});
  return out;
}

std::string purpose_of(const state& in, const move& x) {
  if (x.is_undo)
    return "takes back " + listed(in, x.remove);
  auto out = x.add.empty() ? std::string{} : "adds " + listed(in, x.add);
  if (!x.remove.empty())
    out += (out.empty() ? "" : ", ") + ("removes " + listed(in, x.remove));
  return out;
}

table moves_of(const state& in, const observed& seen, std::int64_t now_ms, const patience& how) {
  auto out = table{{{"shard", "shard"},
                    {"what", "what"},
                    {"step", "step"},
                    {"for", "step_s", unit::seconds},
                    {"waits because", "waits_because"}},
                   {},
                   "nothing is moving"};
  for (auto& [shard, placed] : in.shards) {
    if (!placed.moving)
      continue;
    auto& now = *placed.moving;
    auto next = step_of(in, seen, shard, how);
    out.rows.push_back({shard == system_shard ? std::string{"system"} : number(shard), purpose_of(in, now),
                        std::string{name_of(now.at)}, seconds_since(now.since_ms, now_ms),
                        next ? cell{} : cell{next.error().text, tone::warning}});
  }
  return out;
}

} // namespace

report report_of(const state& in, const observed& seen, const std::vector<link>& links, std::int64_t now_ms,
                 const patience& how) {
  auto counts = std::array<std::size_t, 5>{}; // by health
  auto out = report{{},
                    nodes_of(in, seen, now_ms, how),
                    shards_of(in, seen, how, counts),
                    links_of(in, links),
                    moves_of(in, seen, now_ms, how)};
  auto alive = std::size_t{0}, all = std::size_t{0};
  for (auto& [id, one] : in.members)
    if (one.is != standing::gone) {
      ++all;
      auto heard = seen.nodes.find(id);
      alive += heard != seen.nodes.end() && heard->second.contact_age_ms <= how.fresh_ms ? 1 : 0;
    }
  out.summary = number(alive) + " of " + number(all) + (all == 1 ? " node is" : " nodes are") + " there; " +
                number(in.shards.size()) + " shards: ";
  auto parts = std::string{};
  for (auto x : {health::unavailable, health::at_risk, health::alone, health::good})
    if (auto count = counts[std::size_t(x)]; count > 0)
      parts += (parts.empty() ? "" : ", ") + number(count) + " " + std::string{name_of(x)};
  out.summary += parts;
  if (!out.moves.rows.empty())
    out.summary += "; " + number(out.moves.rows.size()) + " moving";
  for (auto& [id, one] : seen.nodes)
    if (!one.disk_ok)
      out.summary += "; the disk of " + in.title(id) + " fails" +
                     (one.says && !one.says->disk_words.empty() ? ": " + one.says->disk_words : "");
  for (auto& [id, one] : seen.nodes)
    if (one.says && !one.says->host_words.empty())
      out.summary += "; " + in.title(id) + " " + one.says->host_words;
  return out;
}

} // namespace xmpp::cluster::status
