#include "actors/member.hpp"

#include "actors/log.hpp"
#include "cluster/identity.hpp"

#include <chrono>
#include <utility>

namespace xmpp {

namespace {

std::uint64_t steady_ms() {
  using namespace std::chrono;
  return std::uint64_t(duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

std::string title(shard_id x) {
  return x == system_shard ? "system group" : "shard " + std::to_string(x);
}

} // namespace

member::member(caf::actor_config& cfg, caf::strong_actor_ptr parent, group_replica_options options, writer& log,
               seat& at, callbacks calls)
    : supervised(cfg, actor_kind::member, std::move(parent)), options_(std::move(options)), log_(log), at_(at),
      calls_(std::move(calls)) {}

member::behavior_type member::make_behavior() {
  begin({}, title(options_.shard));
  guarded([this] { sit_down(); });
  return {
      [this](const msg::turn&) { it_->run(steady_ms()); },
      [this](const msg::verdict& x) { decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [this](const msg::describe&) { return describe(); },
  };
}

void member::sit_down() {
  auto around = group_replica_surroundings{};
  around.send = calls_.send;
  around.on_leadership = calls_.on_leadership;
  around.on_trouble = [](const std::string& text) { log::warning("cluster.raft_trouble", {{"what", text}}); };
  around.wake = [self = caf::weak_actor_ptr{ctrl()}, home = calls_.home] {
    auto begins_turn = [self] {
      if (auto strong = self.lock())
        send_from_here(strong, msg::turn{});
    };
    if (home == nullptr || reactor_unit::current() == home)
      begins_turn();
    else
      home->loop().post(begins_turn);
  };
  it_ = std::make_shared<group_replica>(options_, log_, std::move(around));
  at_.set(it_);
}

void member::restart() {
  // What it had promised is on the disk; the rest it learns from the others.
  at_.set(nullptr);
  it_ = nullptr;
  sit_down();
}

void member::on_stop(const std::string&) {
  at_.set(nullptr);
}

void member::on_exit() {
  at_.set(nullptr);
  it_ = nullptr;
}

msg::description member::describe() const {
  auto out = msg::description{};
  auto add = [&](const char* name, std::string text) { out.fields.emplace_back(name, std::move(text)); };
  add("group", title(options_.shard));
  if (!it_)
    return out;
  it_->inspect([&](const group_replica::status& x) {
    static constexpr const char* states[] = {"?", "follower", "candidate", "leader"};
    static constexpr const char* roles[] = {"standby", "voter", "spare"};
    add("begun", x.has_begun ? "yes" : "no");
    add("state", states[std::size_t(x.state)]);
    add("serves", x.who.is_here ? "yes" : "no");
    add("leader", x.who.leader == 0 ? "none" : cluster::id_text(x.who.leader));
    add("term", std::to_string(x.who.term));
    add("log", std::to_string(x.first_index) + " to " + std::to_string(x.last_index));
    add("committed", std::to_string(x.commit_index));
    add("applied", std::to_string(x.applied));
    add("commands under way", std::to_string(x.outstanding));
    add("bytes in memory", std::to_string(x.cached_bytes));
    if (x.is_installing)
      add("state from elsewhere", "is being fetched");
    for (auto& one : x.members)
      add("member", cluster::id_text(one.member.id) + ", " + roles[std::size_t(one.member.role)] + ", has " +
                        std::to_string(one.match));
  });
  it_->run(steady_ms()); // In this turn.
  return out;
}

} // namespace xmpp
