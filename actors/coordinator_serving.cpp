// COORDINATOR: who serves which shard, and who is linked.

#include "actors/coordinator.hpp"
#include "actors/log.hpp"

#include <algorithm>
#include <utility>

namespace xmpp {

void coordinator::leadership_changed(const msg::leadership_changed& x) {
  auto i = members_.find(x.shard);
  if (i == members_.end() || (i->second.is_ending && x.who.is_here))
    return;
  auto before = std::exchange(i->second.who, x.who);
  auto asked_for = before.is_here != x.who.is_here ? transfers_.extract(x.shard) : decltype(transfers_)::node_type{};
  auto& terms = own_leads_.terms;
  if (before.is_here != x.who.is_here && x.who.is_here) {
    auto begun = history_.led_here(x.shard, agreed_, steady_ms());
    log::info("cluster.leader", {{"group", cluster::title(x.shard)},
                                 {"term", x.who.term},
                                 {"what", "this node leads"},
                                 {"why", begun.why},
                                 {"without_leader_ms", begun.without_ms}});
  } else if (before.is_here != x.who.is_here) {
    auto why = asked_for                                        ? "handed to " + agreed_.title(asked_for.mapped().first)
               : x.who.leader != 0 && x.who.leader != self_id() ? agreed_.title(x.who.leader) + " leads now"
               : x.who.term > before.term                       ? std::string{"there is a new term"}
                                                                : std::string{"a majority is out of reach, or its end"};
    log::info("cluster.leader", {{"group", cluster::title(x.shard)},
                                 {"term", x.who.term},
                                 {"what", "this node leads no more"},
                                 {"why", why},
                                 {"led_ms", history_.end_here(x.shard, steady_ms())}});
  }
  auto led = terms.find(x.shard);
  auto changes = x.who.is_here ? led == terms.end() || led->second != x.who.term : led != terms.end();
  if (!changes)
    return;
  if (x.who.is_here)
    terms[x.shard] = x.who.term;
  else
    terms.erase(led);
  ++own_leads_.sequence;
  node_.shards_led = terms.size();
  if (x.shard == system_shard) {
    proposals_.forget_ahead();
    read_agreed();
  }
  tell_shards(leaders_.apply(self_id(), own_leads_));
  to_all(own_leads_);
}

void coordinator::tell_shard(shard_id shard) {
  if (shard == system_shard || shard >= server_.route.shard_count())
    return;
  auto who = leaders_.who_serves(shard);
  auto said = msg::served{who.node, who.term};
  if (who.node == self_id()) {
    said.awaited = {up_.begin(), up_.end()};
    for (auto one : up_)
      if (may_have(one, shard))
        said.heirs.emplace_back(one, caf::actor_cast<caf::strong_actor_ptr>(node_.shard_at(one, shard)));
  } else if (who.node != 0)
    said.elsewhere = caf::actor_cast<caf::strong_actor_ptr>(node_.shard_at(who.node, shard));
  send(server_.route.shard(shard), std::move(said));
}

void coordinator::tell_shards(const std::vector<shard_id>& which) {
  for (auto shard : which)
    tell_shard(shard);
}

/// Whoever does not hear the system group's leader, and may not know how to reach it, learns from others what is
/// agreed.
void coordinator::help_on(cluster::node_id who, std::uint64_t its_version) {
  if (its_version >= version_then_)
    return;
  auto bytes = agreed_.encode();
  to_node(who, cluster::control::state{bytes});
}

/// Who may lead next has changed.
void coordinator::tell_led_shards() {
  for (auto& [shard, term] : own_leads_.terms)
    if (leaders_.who_serves(shard).node == self_id())
      tell_shard(shard);
}

void coordinator::link_changed(const msg::link_changed& x) {
  auto node = cluster::id_text(x.node), name = agreed_.title(x.node);
  if (x.is_up) {
    auto begun = link_history_.up(x.node, steady_ms());
    log::info("cluster.link_up",
              {{"node", node}, {"name", name}, {"why_not_before", begun.why}, {"without_link_ms", begun.without_ms}});
    seen_.link_up(x.node, steady_ms());
    up_.insert(x.node);
    to_node(x.node, own_leads_);
    tell_led_shards();
    if (own_leads_.terms.contains(system_shard)) {
      auto bytes = agreed_.encode();
      to_node(x.node, cluster::control::state{bytes});
    }
    return;
  }
  log::warning(
      "cluster.link_down",
      {{"node", node}, {"name", name}, {"why", x.why}, {"linked_ms", link_history_.down(x.node, x.why, steady_ms())}});
  seen_.link_down(x.node);
  up_.erase(x.node);
  for (auto& [shard, one] : members_)
    if (auto member = node_.member_of(shard))
      member->is_down(x.node);
  auto lost = leaders_.link_down(x.node);
  for (auto shard : lost)
    history_.lost(shard, x.node, "the link to " + name + " broke: " + x.why, steady_ms());
  tell_shards(lost);
  tell_led_shards();
  // Its sessions are not waited for.
  for (auto& [shard, term] : own_leads_.terms)
    if (shard != system_shard)
      send(server_.route.shard(shard), msg::registered{shard, x.node, term});
}

void coordinator::from_node(const msg::from_node& x) {
  namespace control = cluster::control;
  auto read = control::read(x.frame);
  if (!read)
    return;
  if (auto leads = std::get_if<control::leads>(&*read)) {
    auto changed = leaders_.apply(x.from, *leads);
    for (auto shard : changed) // Who gave it up, as one does whose disk fails, need not be waited for.
      if (leaders_.who_serves(shard).node == 0 && members_.contains(shard))
        if (auto member = node_.member_of(shard))
          member->is_down(x.from);
    for (auto shard : changed)
      if (leads->terms.contains(shard))
        history_.led_elsewhere(shard, x.from, steady_ms());
      else
        history_.lost(shard, x.from, agreed_.title(x.from) + " gave it up", steady_ms());
    return tell_shards(changed);
  }
  if (auto report = std::get_if<control::report>(&*read)) {
    seen_.apply(x.from, *report, steady_ms());
    return help_on(x.from, report->state_version);
  }
  if (auto state = std::get_if<control::state>(&*read)) {
    auto decoded = cluster::state::decode(state->bytes);
    if (!decoded)
      return;
    if (leaders_.who_serves(system_shard).node == x.from)
      sure_version_ = std::max(sure_version_, decoded->version);
    return adopt(*std::move(decoded));
  }
  if (auto asked = std::get_if<control::propose>(&*read)) {
    auto answer = [this, from = x.from, request = asked->request](const result<cluster::applied>& how) {
      to_node(from, control::proposed{request, how});
    };
    auto what = cluster::command::decode(asked->command);
    if (!what)
      return answer(error{errc::feature_not_implemented, "this release does not know such a change"});
    if (!own_leads_.terms.contains(system_shard))
      return answer(error{errc::not_leader, "the system group's leader has just changed: try again"});
    return propose_here(*what, answer);
  }
  if (auto answer = std::get_if<control::proposed>(&*read))
    return proposals_.answered(answer->request, answer->outcome());
  if (auto asked = std::get_if<control::transfer>(&*read))
    return transfer(asked->shard, asked->to);
}

void coordinator::to_node(cluster::node_id to, const cluster::control::message& what) {
  auto is_large = std::holds_alternative<cluster::control::state>(what);
  auto frame = std::string{};
  if (auto written = cluster::control::append(frame, what); !written)
    return log::error("cluster.not_sent",
                      {{"message", cluster::control::summary(what)}, {"why", written.error().text}});
  (void)node_.send(to, is_large ? cluster::channel::bulk : cluster::channel::urgent, frame);
}

void coordinator::to_all(const cluster::control::message& what) {
  for (auto one : up_)
    to_node(one, what);
}

} // namespace xmpp
