#include "actors/coordinator.hpp"

#include "actors/log.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace xmpp {

namespace {

constexpr auto tick_time = std::chrono::milliseconds{100};
/// A leadership that was asked for and has not come by then stays where it is.
constexpr auto transfer_ms = std::uint64_t{3'000};
constexpr auto measure_ticks = std::uint64_t{300}; ///< Between two looks at how much there is.
constexpr auto certificate_looked_at_s = std::uint64_t{10}, members_looked_for_s = std::uint64_t{15};

} // namespace

std::uint64_t coordinator::steady_ms() const {
  using namespace std::chrono;
  return std::uint64_t(duration_cast<milliseconds>(clock().now().time_since_epoch()).count());
}

coordinator::coordinator(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server,
                         coordinator_surroundings& node)
    : supervised(cfg, actor_kind::coordinator, std::move(parent)), server_(server), node_(node),
      seen_(node.self(), steady_ms()) {
  set_down_handler([this](const caf::down_msg& x) { member_ended(x); });
}

coordinator::behavior_type coordinator::make_behavior() {
  begin({}, "coordinator");
  delayed_send(this, tick_time, msg::tick{});
  return {
      [this](const msg::from_node& x) { from_node(x); },
      [this](const msg::link_changed& x) { link_changed(x); },
      [this](const msg::leadership_changed& x) { leadership_changed(x); },
      [this](const msg::inspected& x) {
        if (auto i = members_.find(x.shard); i != members_.end())
          i->second.last = x.how;
      },
      [this](const msg::group_ready& x) { group_ready(x); },
      [this](const msg::system_committed& x) {
        read_agreed();
        if (auto agreed = proposals_.committed(x.ticket, x.failure))
          adopt(*std::move(agreed));
      },
      [this](const msg::agreed_is_at_hand&) {
        reads_agreed_ = false;
        read_agreed();
      },
      [this](const msg::join_asked& x) { join(x); },
      [this](const msg::who_serves& x) { tell_shard(x.shard); },
      [this](const msg::cluster_ask& x) -> caf::result<msg::cluster_answer> {
        auto promise = make_response_promise<msg::cluster_answer>();
        propose(*x.what, [promise](const result<cluster::applied>& how) mutable {
          promise.deliver(how ? msg::cluster_answer{errc::none, {}, *how}
                              : msg::cluster_answer{how.code(), how.error().text, {}});
        });
        return promise;
      },
      [this](const msg::cluster_look&) { return look(); },
      [this](const msg::cluster_rebalance&) { return msg::cluster_rebalanced{rebalance()}; },
      [this](const msg::measured& x) { sizes_ = x.what; },
      [this](const msg::tick&) {
        delayed_send(this, tick_time, msg::tick{});
        tick();
      },
      [this](const msg::child_failed& x) { child_failed(x); },
      [this](const msg::verdict& x) { decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [this](const msg::describe&) { return describe(); },
  };
}

void coordinator::restart() {
  // Members go on, and links; what was being asked for is answered.
  proposals_.end_all(error{errc::timeout, "the coordinator failed: the outcome is unknown"});
  agreed_bytes_.clear();
  reads_agreed_ = false;
}

void coordinator::on_stop(const std::string&) {
  for (auto& [shard, one] : members_)
    send_exit(one.actor, caf::exit_reason::user_shutdown);
}

void coordinator::on_exit_message(caf::exit_msg& x) {
  for (auto& [shard, one] : members_)
    demonitor(one.actor->address());
  on_stop({});
  quit(std::move(x.reason));
}

msg::description coordinator::describe() const {
  auto out = msg::description{};
  out.fields = {
      {"node", cluster::id_text(node_.self())},           {"cluster state", std::to_string(agreed_.version)},
      {"links up", std::to_string(up_.size())},           {"members of groups", std::to_string(members_.size())},
      {"leads", std::to_string(own_leads_.terms.size())}, {"proposals under way", std::to_string(proposals_.size())}};
  return out;
}

msg::cluster_seen coordinator::look() {
  // This node's as they are now, the others' as they said.
  seen_.apply(self_id(), own_report(), steady_ms());
  auto links = std::vector<cluster::status::link>{};
  for (auto& [from, x] : seen_.nodes(steady_ms())) {
    if (!x.is_linked || !x.report)
      continue;
    for (auto& [to, one] : x.report->links)
      links.push_back({from, to, one.is_up, one.waiting_bytes,
                       one.round_trip_us == 0 ? std::nullopt : std::optional{one.round_trip_us}});
  }
  auto seen = std::make_shared<const cluster::observed>(seen_.seen(steady_ms()));
  auto report = std::make_shared<const cluster::status::report>(report_of(agreed_, *seen, links, now_ms()));
  return {std::make_shared<const cluster::state>(agreed_), report, seen};
}

// -- time ------------------------------------------------------------------------------------------------------------

void coordinator::tick() {
  if (ticks_ == 0) {
    for (auto shard : node_.groups())
      begin_member(shard);
    if (node_.last_agreed())
      adopt(*node_.last_agreed());
    else
      node_.link_with_known();
  }
  node_.end_late_requests();
  read_agreed();
  proposals_.end_late(steady_ms());
  std::erase_if(transfers_, [&](auto& one) { return one.second.second + transfer_ms <= steady_ms(); });
  if (ticks_ % ticks_per_second == 0)
    every_second();
  auto moving = std::vector<shard_id>{}; // What is agreed on may change with each step.
  for (auto& [shard, placed] : agreed_.shards)
    if (placed.moving && own_leads_.terms.contains(shard))
      moving.push_back(shard);
  if (!moving.empty())
    seen_.apply(self_id(), own_report(), steady_ms());
  for (auto shard : moving) {
    look_at(shard);
    move_on(shard);
  }
  if (node_.hands_over)
    hand_over();
  else if (own_leads_.terms.contains(system_shard) && ticks_ % 2 == 0)
    plan();
  send_clients_away();
  ++ticks_;
}

void coordinator::every_second() {
  for (auto& [shard, one] : members_)
    look_at(shard);
  version_then_ = std::exchange(version_now_, agreed_.version);
  auto says = own_report();
  seen_.apply(self_id(), says, steady_ms());
  to_all(says);
  if (says.disk_ok != std::exchange(disk_is_good_, says.disk_ok)) {
    if (says.disk_ok)
      log::info("cluster.disk_good", {{"what", "this node may lead again"}});
    else
      log::error("cluster.disk_fails",
                 {{"what", "this node leads nothing until it is good"}, {"why", says.disk_words}});
  }
  arrange_members(); // Where the disk has failed, once more.
  announce();
  compare_hosts();
  if (ticks_ % measure_ticks == 0)
    measure();
  auto up_s = ticks_ / ticks_per_second;
  if (up_s % certificate_looked_at_s == 1) {
    renew_certificate();
    note_certificate();
  }
  if (up_s % members_looked_for_s == 2 && misses_members())
    node_.look_for_members();
}

bool coordinator::misses_members() const {
  auto others = std::ranges::count_if(agreed_.members, [this](auto& one) {
    return one.first != self_id() && one.second.is != cluster::standing::gone;
  });
  return agreed_.version == 0 || up_.size() < std::size_t(others);
}

} // namespace xmpp
