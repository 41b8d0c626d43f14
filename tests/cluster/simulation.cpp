#include "tests/cluster/simulation.hpp"

#include "cluster/raft_core.h"

#include <algorithm>
#include <stdexcept>

namespace xmpp::test {

using namespace raft;

namespace {

constexpr auto all_members = std::uint64_t{5};
constexpr auto clients = std::uint64_t{8};
constexpr auto tick_ms = std::uint64_t{100};

std::string command_of(std::uint64_t client, std::uint64_t sequence) {
  return std::to_string(client) + " " + std::to_string(sequence) + std::string(sequence % 7 == 0 ? 300 : 20, '.');
}

} // namespace

weather any_weather(std::uint64_t seed, unsigned& voters) {
  auto random = std::mt19937_64{seed};
  auto one_of = [&](auto... all) {
    const double choices[] = {double(all)...};
    return choices[random() % sizeof...(all)];
  };
  auto out = weather{};
  out.loss = one_of(0, 0.02, 0.1, 0.3);
  out.duplication = one_of(0, 0.05, 0.3);
  out.delay_ms_max = unsigned(one_of(10, 50, 200, 600));
  out.sync_ms_max = unsigned(one_of(5, 50, 100));
  out.slow_sync = one_of(0, 0.01, 0.1);
  out.failed_sync = one_of(0, 0.0005, 0.003);
  out.crashes = unsigned(one_of(0, 10, 40, 80));
  out.pauses = unsigned(one_of(0, 10, 30));
  out.cuts = unsigned(one_of(0, 10, 30, 60));
  out.hints = unsigned(one_of(0, 10, 60));
  out.transfers = unsigned(one_of(0, 10, 40));
  out.changes = unsigned(one_of(0, 100, 400));
  out.trailing = std::uint64_t(one_of(3, 20, 100));
  voters = unsigned(one_of(1, 3, 3, 5));
  return out;
}

void put(stored& log, const write& x) {
  if (x.has_hard_state) {
    log.term = x.term;
    log.voted_for = x.voted_for;
  }
  if (x.first_index != 0 && x.snapshot) { // a state from elsewhere
    log.entries.clear();
    log.first_index = x.first_index;
  } else if (x.first_index != 0) {
    if (log.entries.empty() && !log.snapshot)
      log.first_index = x.first_index;
    if (x.first_index < log.first_index || x.first_index > log.first_index + log.entries.size())
      throw std::runtime_error("a gap in the log: " + std::to_string(x.first_index) + " behind " +
                               std::to_string(log.first_index) + " + " + std::to_string(log.entries.size()) +
                               (log.snapshot ? ", snapshot " + std::to_string(log.snapshot->index) : ""));
    log.entries.resize(std::size_t(x.first_index - log.first_index));
    log.entries.insert(log.entries.end(), x.entries.begin(), x.entries.end());
  }
  if (x.snapshot)
    log.snapshot = x.snapshot;
  while (log.first_index <= x.trim_to && !log.entries.empty()) {
    log.entries.erase(log.entries.begin());
    ++log.first_index;
  }
}

simulation::simulation(std::uint64_t seed, const weather& outside, unsigned voters)
    : random_(seed), weather_(outside), seed_(seed), clients_(clients) {
  auto first = std::vector<member>{};
  for (auto id = member_id{1}; id <= voters; ++id)
    first.push_back({id, role::voter});
  for (auto id = member_id{1}; id <= (weather_.changes > 0 ? all_members : voters); ++id) {
    auto& x = nodes_[id];
    if (id <= voters)
      x.stored.log = group::first_log(first);
    start(id);
  }
  at(50, [this] { work(); });
  at(200, [this] { faults(); });
}

simulation::~simulation() = default;

void simulation::fails(const std::string& what) const {
  auto text = "seed " + std::to_string(seed_) + ", " + std::to_string(now_) + " ms: " + what;
  static constexpr const char* states[] = {"none", "follower", "candidate", "leader"};
  for (auto& [id, x] : nodes_) {
    text += "\n  " + std::to_string(id) + ": ";
    if (!x.raft) {
      text += "down";
      continue;
    }
    auto& r = *x.raft;
    text += std::string{states[std::size_t(r.state())]} + (r.is_ready() ? ", ready" : "") +
            (r.is_installing() ? ", installing" : "") + ", term " + std::to_string(r.term()) + ", leader " +
            std::to_string(r.leader()) + ", log " + std::to_string(r.first_index()) + " to " +
            std::to_string(r.last_index()) + ", committed " + std::to_string(r.commit_index()) + ", delivered " +
            std::to_string(r.delivered()) + ", members";
    for (auto& m : r.members())
      text += " " + std::to_string(m.id) +
              (m.role == role::voter   ? ""
               : m.role == role::spare ? "(spare)"
                                       : "(standby)");
  }
  throw std::runtime_error(text);
}

// -- time ------------------------------------------------------------------------------------------------------------

void simulation::at(std::uint64_t ms, event what) {
  events_.emplace(now_ + ms, order_++, std::make_shared<event>(std::move(what)));
}

void simulation::at(std::uint64_t ms, member_id who, event what) {
  at(ms, [this, who, life = nodes_[who].life, what = std::move(what)] {
    auto& x = nodes_[who];
    if (x.life != life)
      return;
    if (x.paused_until > now_)
      return at(x.paused_until - now_, who, what);
    what();
  });
}

void simulation::run_ms(std::uint64_t ms) {
  auto end = now_ + ms;
  while (!events_.empty() && std::get<0>(events_.top()) <= end) {
    auto next = events_.top();
    events_.pop();
    now_ = std::get<0>(next);
    (*std::get<2>(next))();
  }
  now_ = end;
}

std::uint64_t simulation::random(std::uint64_t max) {
  return random_() % (max + 1);
}

bool simulation::happens(double probability) {
  return double(random_() >> 11) / double(1ULL << 53) < probability;
}

// -- one member ------------------------------------------------------------------------------------------------------

void simulation::start(member_id who) {
  auto& x = nodes_[who];
  ++x.life;
  x.state = x.stored.state;
  x.unsynced.clear();
  x.is_syncing = false;
  x.waiting.clear();
  x.reads.clear();
  auto o = options{};
  o.id = who;
  o.seed = unsigned(random_());
  o.cached_bytes_max = 8'192; // so that much is read from the disk
  o.append_bytes_max = 1'000;
  auto reader = [this, who](std::uint64_t first, std::size_t count) {
    auto& x = nodes_[who];
    auto log = x.stored;
    for (auto& one : x.unsynced) // A read sees what was written before it, synced or not.
      put(log.log, one);
    auto out = std::vector<entry>{};
    for (auto i = first;
         i < first + count && i >= log.log.first_index && i < log.log.first_index + log.log.entries.size(); ++i)
      out.push_back(log.log.entries[std::size_t(i - log.log.first_index)]);
    return out;
  };
  x.raft = std::make_unique<raft::group>(o, now_, x.stored.log, x.state.applied, reader);
  if (x.raft->is_broken())
    fails("member " + std::to_string(who) + " can not start");
  step(who);
  auto ticks = std::make_shared<event>();
  *ticks = [this, who, weak = std::weak_ptr{ticks}] {
    nodes_[who].raft->tick(now_);
    step(who);
    if (auto again = weak.lock())
      at(tick_ms, who, [again] { (*again)(); });
  };
  at(random(tick_ms), who, [ticks] { (*ticks)(); });
  // The state is flushed now and then, and the log cut behind it.
  auto flushes = std::make_shared<event>();
  *flushes = [this, who, weak = std::weak_ptr{flushes}] {
    auto& x = nodes_[who];
    x.stored.state = x.state;
    x.raft->compact(now_, x.state.applied, weather_.trailing);
    step(who);
    if (auto again = weak.lock())
      at(500 + random(1'500), who, [again] { (*again)(); });
  };
  at(500 + random(1'500), who, [flushes] { (*flushes)(); });
}

/// Carries out what a member wants done.
void simulation::step(member_id who) {
  auto& x = nodes_[who];
  while (true) {
    auto out = x.raft->take_output();
    if (x.raft->is_broken())
      fails("member " + std::to_string(who) + " can not go on");
    auto is_idle = out.writes.empty() && out.messages.empty() && out.committed.empty() && !out.install &&
                   out.reads.empty() && !out.leadership_changed;
    if (is_idle)
      break;
    for (auto& one : out.writes)
      x.unsynced.push_back(std::move(one));
    if (!x.unsynced.empty() && !x.is_syncing)
      sync(who);
    for (auto& one : out.messages)
      send(one);
    for (auto& one : out.committed)
      apply(who, one);
    for (auto& one : out.reads)
      if (auto i = x.reads.find(one.ticket); i != x.reads.end()) {
        if (one.index)
          i->second.index = one.index;
        else
          x.reads.erase(i);
      }
    for (auto i = x.reads.begin(); i != x.reads.end();) {
      auto& r = i->second;
      if (!r.index || *r.index > x.state.applied) {
        ++i;
        continue;
      }
      auto value = x.state.last[r.client];
      if (value < r.floor)
        fails("member " + std::to_string(who) + " read " + std::to_string(value) + " of client " +
              std::to_string(r.client) + ", which had been " + std::to_string(r.floor));
      clients_[r.client].seen = std::max(clients_[r.client].seen, value);
      ++reads_answered_;
      i = x.reads.erase(i);
    }
    if (out.leadership_changed && !x.raft->is_leader())
      x.waiting.clear(); // Their outcome is unknown; the clients try again.
    if (out.install)
      fetch(who, *out.install);
    check(who);
  }
}

void simulation::send(const message& x) {
  if (x.what == message::type::append)
    matches(x.index + 1, x.index_term, x.entries);
  auto bytes = x.encode();
  for (auto copies = happens(weather_.duplication) ? 2 : 1; copies > 0; --copies) {
    if (cuts_.contains({x.from, x.to}) || happens(weather_.loss))
      continue;
    at(1 + random(weather_.delay_ms_max), [this, bytes] {
      auto got = message::decode(bytes);
      if (!got)
        fails("a message can not be decoded");
      if (cuts_.contains({got->from, got->to}) || !nodes_.contains(got->to) || !nodes_[got->to].raft)
        return;
      auto& to = nodes_[got->to];
      auto arrives = [this, x = *got] {
        nodes_[x.to].raft->receive(now_, x);
        step(x.to);
      };
      if (to.paused_until > now_)
        at(to.paused_until - now_, got->to, arrives);
      else
        arrives();
    });
  }
}

/// Several writes at a time, as the log writer does.
void simulation::sync(member_id who) {
  auto& x = nodes_[who];
  x.is_syncing = true;
  auto takes = random(weather_.sync_ms_max) * (happens(weather_.slow_sync) ? 100 : 1);
  at(takes, who, [this, who, count = x.unsynced.size()] {
    auto& x = nodes_[who];
    if (happens(weather_.failed_sync))
      return crash(who);
    auto last = std::uint64_t{0};
    for (auto i = std::size_t{0}; i < count; ++i) {
      last = x.unsynced.front().sequence;
      stores(x.stored, x.unsynced.front());
      x.unsynced.pop_front();
    }
    x.is_syncing = false;
    x.raft->written(now_, last);
    if (!x.unsynced.empty())
      sync(who);
    step(who);
  });
}

void simulation::apply(member_id who, const committed& x) {
  auto& node = nodes_[who];
  if (x.index != node.state.applied + 1)
    fails("member " + std::to_string(who) + " was given " + std::to_string(x.index) + " behind " +
          std::to_string(node.state.applied));
  auto bytes = std::to_string(int(x.entry.kind)) + *x.entry.bytes;
  auto [i, is_new] = chosen_.try_emplace(x.index, choice{x.entry.term, bytes, node.raft->term()});
  if (i->second.term != x.entry.term || i->second.bytes != bytes)
    fails("two entries were committed at " + std::to_string(x.index));
  node.state.applied = x.index;
  node.state.digest = node.state.digest * 1'099'511'628'211ULL + std::hash<std::string>{}(bytes);
  if (x.entry.kind == kind::change && is_new)
    ++members_changed_;
  if (x.entry.kind != kind::command)
    return;
  auto client = std::stoull(*x.entry.bytes);
  auto sequence = std::uint64_t(std::stoull(x.entry.bytes->substr(x.entry.bytes->find(' '))));
  auto& last = node.state.last[client];
  if (sequence > last + 1)
    fails("client " + std::to_string(client) + "'s " + std::to_string(sequence) + " came before the one before it");
  last = std::max(last, sequence); // Else it had been applied: a retry.
  if (auto waiting = node.waiting.find(x.index); waiting != node.waiting.end()) {
    auto& w = waiting->second;
    if (w.term == x.entry.term && w.client == client && w.sequence == sequence &&
        clients_[client].acknowledged < sequence) {
      clients_[client].acknowledged = sequence;
      ++acknowledged_;
    }
    node.waiting.erase(waiting);
  }
}

/// The state goes out of band, takes its time, and fails with its source: then this member begins anew from its disk.
void simulation::fetch(member_id who, const output::wanted& x) {
  auto source = x.from;
  auto life = nodes_[source].life;
  at(20 + random(500), who, [this, who, source, life, least = x.what.index] {
    auto& from = nodes_[source];
    auto& to = nodes_[who];
    auto can_say = from.raft && from.life == life && from.paused_until <= now_ && !from.raft->is_installing();
    auto what = can_say ? from.raft->here() : snapshot{};
    if (what.index < least || what.term == 0 || cuts_.contains({source, who}))
      return RAFT_CORE_MENDS(raft_core_endless_install) ? start(who) : void();
    // First the state, then the log that goes on behind it.
    to.state = from.state;
    if (to.state.applied != what.index)
      fails("a state that is not where its member says");
    to.stored.state = to.state;
    ++snapshots_installed_;
    to.raft->installed(now_, what);
    step(who);
  });
}

// -- the world -------------------------------------------------------------------------------------------------------

void simulation::work() {
  for (auto id = std::uint64_t{0}; id < clients_.size(); ++id) {
    auto& x = clients_[id];
    auto who = 1 + random(nodes_.size() - 1);
    auto& at = nodes_[who];
    if (!at.raft || at.paused_until > now_)
      continue;
    if (at.raft->is_leader() && x.next_try_ms <= now_) {
      if (x.acknowledged == x.sequence)
        ++x.sequence;
      auto index = at.raft->submit(now_, {std::make_shared<const std::string>(command_of(id, x.sequence))});
      if (index)
        at.waiting[*index] = {at.raft->term(), id, x.sequence};
      x.next_try_ms = now_ + 500;
    }
    if (x.acknowledged == x.sequence)
      x.next_try_ms = now_;
    auto other = random(clients_.size() - 1);
    if (happens(0.2))
      if (auto ticket = at.raft->read(now_))
        at.reads[*ticket] = {other, std::max(clients_[other].acknowledged, clients_[other].seen), std::nullopt};
    step(who);
  }
  at(10 + random(30), [this] { work(); });
}

void simulation::faults() {
  constexpr auto period_ms = 200.0;
  auto is_due = [&](unsigned per_minute) { return !is_calm_ && happens(per_minute * period_ms / 60'000); };
  auto who = member_id{1 + random(nodes_.size() - 1)};
  if (is_due(weather_.crashes) && runs(who))
    crash(who);
  who = 1 + random(nodes_.size() - 1);
  if (is_due(weather_.pauses))
    pause(who, 100 + random(9'900));
  if (is_due(weather_.cuts)) {
    auto side = random_();
    auto kind = random(3); // both ways, one way, or only some links of it
    for (auto& [a, from] : nodes_)
      for (auto& [b, to] : nodes_)
        if (((side >> a) & 1) != ((side >> b) & 1) && (kind != 1 || ((side >> a) & 1) != 0) &&
            (kind != 2 || happens(0.5)))
          cut(a, b, true);
    at(200 + random(9'800), [this] { cuts_.clear(); });
  }
  if (auto first = leader(); first && is_due(weather_.transfers)) {
    nodes_[*first].raft->transfer(now_, 1 + random(nodes_.size() - 1));
    step(*first);
  }
  if (is_due(weather_.hints))
    hint(1 + random(nodes_.size() - 1));
  if (is_due(weather_.changes))
    change_members();
  at(std::uint64_t(period_ms), [this] { faults(); });
}

/// What the others' links to a member say when they close.
void simulation::hint(member_id of) {
  for (auto& [id, x] : nodes_)
    if (id != of && x.raft && happens(0.5))
      at(random(20), id, [this, id = id, of] {
        nodes_[id].raft->is_down(now_, of, 20 + unsigned(random(200)));
        step(id);
      });
}

/// Towards another set of voters: a spare is added, caught up, promoted; a member is removed.
void simulation::change_members() {
  auto first = leader();
  if (!first)
    return;
  auto& x = *nodes_[*first].raft;
  auto members = x.members();
  auto voters = std::count_if(members.begin(), members.end(), [](auto& m) { return m.role == role::voter; });
  auto who = member_id{1 + random(nodes_.size() - 1)};
  auto i = std::find_if(members.begin(), members.end(), [&](auto& m) { return m.id == who; });
  if (i == members.end())
    members.push_back({who, role::spare});
  else if (i->role == role::spare && x.catch_up_progress(who) == 3)
    i->role = role::voter;
  else if (i->role == role::spare && x.catch_up_progress(who) != 1)
    return x.catch_up(now_, who), step(*first);
  else if (i->role == role::voter && voters > 1)
    members.erase(i);
  else
    return;
  x.change(now_, members);
  step(*first);
}

void simulation::check(member_id who) {
  auto& x = nodes_[who];
  if (x.raft->is_leader()) {
    // What it takes for stored elsewhere is. One of an old term does not know what was replaced since.
    for (auto& one : x.raft->members())
      if (auto& log = nodes_[one.id].stored.log; log.term <= x.raft->term())
        if (auto match = x.raft->match(one.id); match >= log.first_index + log.entries.size())
          fails("leader " + std::to_string(who) + " takes entry " + std::to_string(match) + " for stored by member " +
                std::to_string(one.id) + ", which has fewer");
    auto [i, is_new] = leaders_.try_emplace(x.raft->term(), who);
    if (i->second != who)
      fails("two leaders in term " + std::to_string(x.raft->term()));
    // Leader completeness: it has what was committed in earlier terms. One that slept may still win an old one.
    auto last = chosen_.rbegin();
    while (is_new && last != chosen_.rend() && last->second.by >= x.raft->term())
      ++last;
    if (is_new && last != chosen_.rend()) {
      if (x.raft->last_index() < last->first)
        fails("leader " + std::to_string(who) + " misses committed entries");
      if (last->first >= x.raft->first_index() && x.raft->term_at(last->first) != last->second.term)
        fails("leader " + std::to_string(who) + " has another entry where one was committed");
    }
  }
}

/// Log matching: what has one index and term is the same everywhere, and so is what stands before it. Said of what is
/// stored or sent: what a crash takes from the one who had it has never been.
void simulation::matches(std::uint64_t index, std::uint64_t before, const std::vector<entry>& entries) {
  for (auto& one : entries) {
    auto [i, is_new] = logged_.try_emplace({index, one.term}, before, *one.bytes);
    if (!is_new && i->second.second != *one.bytes)
      fails("entry " + std::to_string(index) + " of one term is two");
    if (!is_new && before != 0 && i->second.first != 0 && i->second.first != before)
      fails("entry " + std::to_string(index) + " stands behind two terms");
    if (before != 0)
      i->second.first = before;
    before = one.term;
    ++index;
  }
}

/// What has come to be on a disk.
void simulation::stores(disk& to, const write& x) {
  if (x.first_index != 0 && !x.snapshot)
    matches(x.first_index, 0, x.entries);
  put(to.log, x);
}

std::optional<member_id> simulation::leader() const {
  auto found = std::optional<member_id>{};
  auto term = std::uint64_t{0};
  for (auto& [id, x] : nodes_)
    if (x.raft && x.paused_until <= now_ && x.raft->is_ready() && x.raft->term() > term) {
      found = id;
      term = x.raft->term();
    }
  return found;
}

void simulation::crash(member_id who) {
  auto& x = nodes_[who];
  ++x.life;
  x.raft = nullptr;
  // Of what was not synced a part may have reached the disk all the same, in order.
  for (auto left = random(x.unsynced.size()); left > 0; --left) {
    stores(x.stored, x.unsynced.front());
    x.unsynced.pop_front();
  }
  x.unsynced.clear();
  x.paused_until = 0;
  hint(who);
  at(100 + random(9'900), [this, who] { restart(who); });
}

void simulation::restart(member_id who) {
  if (!runs(who))
    start(who);
}

void simulation::pause(member_id who, std::uint64_t ms) {
  nodes_[who].paused_until = now_ + ms;
}

void simulation::cut(member_id from, member_id to, bool is_cut) {
  if (is_cut)
    cuts_.insert({from, to});
  else
    cuts_.erase({from, to});
}

bool simulation::runs(member_id who) const {
  return nodes_.at(who).raft != nullptr;
}

group& simulation::group(member_id who) {
  return *nodes_[who].raft;
}

void simulation::heals() {
  is_calm_ = true;
  weather_.loss = weather_.duplication = weather_.failed_sync = weather_.slow_sync = 0;
  cuts_.clear();
  for (auto& [id, x] : nodes_) {
    x.paused_until = std::min(x.paused_until, now_);
    restart(id);
  }
  // A leader finds where a follower's log differs from its own by going back one entry each round trip.
  auto patience_ms = 20'000 + 200 * std::uint64_t{weather_.delay_ms_max};
  run_ms(patience_ms);
  auto first = leader();
  if (!first)
    fails("nobody leads");
  auto before = acknowledged_;
  run_ms(20'000);
  if (acknowledged_ <= before)
    fails("nothing is taken any more");
  first = leader();
  if (!first)
    fails("nobody leads");
  auto& state = nodes_[*first].state;
  for (auto id = std::uint64_t{0}; id < clients_.size(); ++id)
    if (state.last[id] < clients_[id].acknowledged)
      fails("what client " + std::to_string(id) + " was told is stored has been lost");
  for (auto& one : nodes_[*first].raft->members()) {
    if (one.role == role::spare)
      continue;
    auto& other = nodes_[one.id].state;
    if (other.applied + 500 < state.applied)
      fails("member " + std::to_string(one.id) + " stays behind at " + std::to_string(other.applied));
    if (other.applied == state.applied && !(other == state))
      fails("member " + std::to_string(one.id) + " differs");
  }
  if (weather_.changes == 0)
    return;
  auto changed = members_changed_;
  for (auto tries = 0; tries < 200 && members_changed_ == changed; ++tries) {
    change_members();
    run_ms(100);
  }
  if (members_changed_ == changed)
    fails("members can not be changed any more");
}

} // namespace xmpp::test
