#include "cluster/raft.hpp"

#include "cluster/raft_core.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace xmpp::raft {

namespace {

raft_core_entry core_entry(const entry& x) {
  return {x.term, int(x.kind), x.bytes->data(), x.bytes->size()};
}

std::vector<raft_core_entry> core_entries(const std::vector<entry>& from, std::size_t begin, std::size_t end) {
  auto out = std::vector<raft_core_entry>{};
  out.reserve(end - begin);
  for (auto i = begin; i < end; ++i)
    out.push_back(core_entry(from[i]));
  return out;
}

std::vector<raft_core_member> core_members(const std::vector<member>& from) {
  auto out = std::vector<raft_core_member>{};
  for (auto& x : from)
    out.push_back({x.id, int(x.role)});
  return out;
}

std::vector<member> members_in(const std::string& bytes) {
  auto count = raft_core_decode_members(bytes.data(), bytes.size(), nullptr, 0);
  if (count < 0)
    return {};
  auto raw = std::vector<raft_core_member>(std::size_t(count));
  raft_core_decode_members(bytes.data(), bytes.size(), raw.data(), unsigned(raw.size()));
  auto out = std::vector<member>{};
  for (auto& x : raw)
    out.push_back({x.id, role(x.role)});
  return out;
}

std::shared_ptr<const std::string> bytes_of(const std::vector<member>& members) {
  auto raw = core_members(members);
  auto size = std::size_t{0};
  auto bytes = raft_core_encode_members(raw.data(), unsigned(raw.size()), &size);
  if (!bytes)
    return nullptr;
  auto out = std::make_shared<const std::string>(bytes, size);
  raft_core_free(bytes);
  return out;
}

/// With the members that it points to.
struct core_snapshot {
  explicit core_snapshot(const snapshot& x) : members(core_members(x.members)) {
    value = {x.index, x.term, x.members_index, members.data(), unsigned(members.size())};
  }
  std::vector<raft_core_member> members;
  raft_core_snapshot value;
};

snapshot snapshot_of(const raft_core_snapshot& x) {
  auto out = snapshot{x.index, x.term, x.members_index, {}};
  for (auto i = 0u; i < x.n_members; ++i)
    out.members.push_back({x.members[i].id, role(x.members[i].role)});
  return out;
}

std::size_t size_of(const entry& x) {
  return x.bytes->size() + 64; // about what it takes in memory
}

} // namespace

void group::deleter::operator()(raft_core* x) const noexcept {
  raft_core_delete(x);
}

// -- life ------------------------------------------------------------------------------------------------------------

stored group::first_log(const std::vector<member>& members) {
  auto out = stored{};
  out.term = 1;
  out.entries.push_back({1, kind::change, bytes_of(members)});
  return out;
}

group::group(const options& options, std::uint64_t now_ms, stored stored, std::uint64_t applied, log_reader reader)
    : options_(options), reader_(std::move(reader)), delivered_(applied) {
  auto times = raft_core_times{options.election_ms, options.heartbeat_ms, options.install_ms};
  core_.reset(raft_core_new(options.id, &times, options.seed));
  if (!core_) {
    is_broken_ = true;
    return;
  }
  first_ = cached_first_ = stored.first_index;
  auto snapshot = std::optional<core_snapshot>{};
  if (stored.snapshot) {
    snapshot.emplace(*stored.snapshot);
    members_ = *stored.snapshot;
    scanned_ = compacted_ = stored.snapshot->index;
    compacted_term_ = stored.snapshot->term;
    if (delivered_ == compacted_)
      delivered_term_ = compacted_term_;
    delivered_ = std::max(delivered_, compacted_);
  }
  auto entries = core_entries(stored.entries, 0, stored.entries.size());
  for (auto& one : stored.entries) {
    cached_bytes_ += size_of(one);
    cache_.push_back(std::move(one));
  }
  stored_index_ = last_index_here();
  if (!RAFT_CORE_MENDS(raft_core_applied_ahead))
    delivered_ = std::min(delivered_, last_index_here());
  if (auto term = term_at(delivered_))
    delivered_term_ = term;
  auto update = raft_core_update{};
  auto failed =
      raft_core_start(core_.get(), now_ms, stored.term, stored.voted_for, snapshot ? &snapshot->value : nullptr,
                      stored.first_index, entries.data(), unsigned(entries.size()), &update);
  if (failed != 0)
    is_broken_ = true;
  else
    carry_out(now_ms, failed, update);
}

group::~group() = default;

output group::take_output() {
  return std::exchange(out_, {});
}

// -- events ----------------------------------------------------------------------------------------------------------

void group::tick(std::uint64_t now_ms) {
  if (is_broken_)
    return;
  auto update = raft_core_update{};
  if (now_ms >= raft_core_facts(core_.get()).deadline)
    carry_out(now_ms, raft_core_tick(core_.get(), now_ms, &update), update);
  if (!reads_.empty() && now_ms >= asked_ms_ + options_.heartbeat_ms)
    ask_round(now_ms); // Some answer may have been lost.
}

void group::receive(std::uint64_t now_ms, message x) {
  if (is_broken_ || x.from == 0 || x.from == options_.id)
    return;
  switch (x.what) {
  case message::type::append:
    return receive_append(now_ms, x);
  case message::type::confirm: {
    auto answer = message{};
    answer.what = message::type::confirmed;
    answer.to = x.from;
    answer.term = term();
    answer.index = x.index;
    answer.granted = answer.term == x.term;
    return put_out(std::move(answer));
  }
  case message::type::confirmed:
    if (is_leader() && x.granted && x.term == term() && x.index == round_ && !reads_.empty() &&
        std::find(agreed_.begin(), agreed_.end(), x.from) == agreed_.end()) {
      agreed_.push_back(x.from);
      count_round(now_ms);
    }
    return;
  default:
    step(now_ms, x, 0, 0);
  }
}

/// The core takes a change of members only as the first entry: it would remember a wrong index for it.
void group::receive_append(std::uint64_t now_ms, const message& x) {
  auto begin = std::size_t{0};
  do {
    auto end = begin;
    while (end < x.entries.size() &&
           (end == begin || x.entries[end].kind != kind::change || !RAFT_CORE_MENDS(raft_core_change_amid_entries)))
      ++end;
    auto before = x.index + begin;
    if (begin > 0 && before >= first_ && term_at(before) != x.entries[begin - 1].term)
      return; // What came before it was not taken, so this would not be either.
    if (!step(now_ms, x, begin, end))
      return;
    begin = end;
  } while (begin < x.entries.size());
}

bool group::step(std::uint64_t now_ms, const message& x, std::size_t begin, std::size_t end) {
  auto entries = core_entries(x.entries, begin, end);
  auto snapshot = core_snapshot{x.snapshot};
  auto raw = raft_core_message{};
  raw.type = int(x.what);
  raw.peer = x.from;
  raw.term = x.term;
  raw.index = x.index + begin;
  raw.index_term = begin > 0 ? x.entries[begin - 1].term : x.index_term;
  raw.commit = x.commit;
  raw.rejected = x.rejected;
  raw.pre_vote = x.pre_vote;
  raw.granted = x.granted;
  raw.disrupts_leader = x.disrupts_leader;
  raw.entries = entries.data();
  raw.n_entries = unsigned(entries.size());
  raw.snapshot = snapshot.value;
  given_ = std::span{x.entries}.subspan(begin, end - begin);
  auto update = raft_core_update{};
  return carry_out(now_ms, raft_core_receive(core_.get(), now_ms, &raw, &update), update);
}

std::optional<std::uint64_t> group::submit(std::uint64_t now_ms,
                                           std::vector<std::shared_ptr<const std::string>> commands) {
  auto entries = std::vector<entry>{};
  entries.reserve(commands.size());
  for (auto& one : commands)
    entries.push_back({term(), kind::command, std::move(one)});
  auto index = last_index() + 1;
  if (append(now_ms, entries) != refusal::none)
    return std::nullopt;
  return index;
}

refusal group::append(std::uint64_t now_ms, const std::vector<entry>& entries) {
  if (is_broken_)
    return refusal::not_leader;
  auto facts = raft_core_facts(core_.get());
  auto raw = core_entries(entries, 0, entries.size());
  given_ = entries;
  auto update = raft_core_update{};
  // A follower that has not answered lately gets entries with heartbeats only. When nothing is outstanding they go to
  // it at once; else each submit would send all that it has not confirmed yet.
  auto failed = raft_core_submit(core_.get(), now_ms, raw.data(), unsigned(raw.size()),
                                 facts.commit_index == facts.last_index, &update);
  return outcome(now_ms, failed, update);
}

void group::written(std::uint64_t now_ms, std::uint64_t sequence) {
  while (!is_broken_ && !writing_.empty() && writing_.front().sequence <= sequence) {
    auto done = std::move(writing_.front());
    writing_.pop_front();
    if (done.last_index > stored_index_ &&
        (term_at(done.last_index) == done.last_term || !RAFT_CORE_MENDS(raft_core_stale_stored_index)))
      stored_index_ = done.last_index;
    if (done.holds_messages && --holding_ == 0)
      std::move(held_.begin(), held_.end(), std::back_inserter(out_.messages)), held_.clear();
    if (done.installs) {
      auto raw = core_snapshot{*done.installs};
      auto update = raft_core_update{};
      members_ = *done.installs;
      delivered_ = members_.index; // It may have been more: that state is gone.
      delivered_term_ = members_.term;
      scanned_ = compacted_ = members_.index;
      compacted_term_ = members_.term;
      first_ = cached_first_ = members_.index + 1;
      stored_index_ = members_.index;
      carry_out(now_ms, raft_core_installed(core_.get(), now_ms, &raw.value, &update), update);
    }
  }
  settle(now_ms);
}

/// Tells the core what is stored; not while it is a candidate or installs a snapshot, which would be its ruin.
void group::settle(std::uint64_t now_ms) {
  if (is_broken_)
    return;
  auto facts = raft_core_facts(core_.get());
  auto index = std::min(stored_index_, facts.last_index);
  if (facts.installing || facts.state == raft_core_candidate || index <= facts.last_stored)
    return;
  auto update = raft_core_update{};
  carry_out(now_ms, raft_core_stored(core_.get(), now_ms, index, &update), update);
}

void group::installed(std::uint64_t now_ms, snapshot what) {
  (void)now_ms;
  auto is_stored = [](auto& one) { return one.installs.has_value(); };
  if (is_broken_ || !is_installing() || what.index < last_index() ||
      std::any_of(writing_.begin(), writing_.end(), is_stored))
    return;
  auto& x = next_write();
  x.first_index = what.index + 1;
  x.snapshot = what;
  writing_.back().installs = std::move(what);
}

void group::compact(std::uint64_t now_ms, std::uint64_t index, std::uint64_t trailing_max) {
  if (is_broken_ || is_installing())
    return;
  index = std::min({index, delivered_, scanned_, stored_index_, last_index()});
  auto term = term_at(index);
  // A leader whose log begins behind exactly one entry never sends a state (the library looks up the term of entry 1).
  if (index == 1 || index <= compacted_ || index < members_.members_index || term == 0)
    return;
  auto what = snapshot{index, term, members_.members_index, members_.members};
  auto needed = index; // by the member that is farthest behind
  if (is_leader())
    for (auto& one : members_.members)
      if (one.id != options_.id && (one.role != role::spare || catch_up_progress(one.id) == raft_core_running))
        needed = std::min(needed, match(one.id));
  auto trailing = is_leader() ? std::min(index - needed, trailing_max) : trailing_max;
  auto raw = core_snapshot{what};
  auto update = raft_core_update{};
  if (!carry_out(now_ms, raft_core_compacted(core_.get(), now_ms, &raw.value, unsigned(trailing), &update), update))
    return;
  compacted_ = index;
  compacted_term_ = term;
  auto& x = next_write();
  x.snapshot = std::move(what);
  if (index <= trailing || index - trailing < first_)
    return;
  x.trim_to = index - trailing;
  first_ = x.trim_to + 1;
  while (cached_first_ < first_ && !cache_.empty())
    forget_first();
  cached_first_ = std::max(cached_first_, first_);
}

refusal group::change(std::uint64_t now_ms, const std::vector<member>& members) {
  if (!is_leader())
    return refusal::not_leader;
  if (!is_ready() || raft_core_facts(core_.get()).changing != 0)
    return refusal::busy;
  auto differences = std::size_t{0};
  auto has = [](auto& all, const member& x) { return std::find(all.begin(), all.end(), x) != all.end(); };
  auto knows = [](auto& all, auto& x) {
    return std::any_of(all.begin(), all.end(), [&](auto& one) { return one.id == x.id; });
  };
  for (auto& x : members) {
    differences += has(members_.members, x) ? 0 : 1;
    if (x.role == role::voter && !has(members_.members, x) && catch_up_progress(x.id) != raft_core_finished)
      return refusal::misuse;
  }
  for (auto& x : members_.members)
    differences += knows(members, x) ? 0 : 1;
  auto bytes = bytes_of(members);
  // Who is no voter by his own log does not stand. Were that the leader, and alone in having this entry, then all would
  // wait for him.
  if (differences != 1 || !bytes || !has(members, member{options_.id, role::voter}))
    return refusal::misuse;
  return append(now_ms, {{term(), kind::change, std::move(bytes)}});
}

refusal group::catch_up(std::uint64_t now_ms, member_id spare) {
  auto update = raft_core_update{};
  auto out = outcome(
      now_ms, is_broken_ ? raft_core_not_leader : raft_core_catch_up(core_.get(), now_ms, spare, &update), update);
  // The core looks whether a spare has caught up only when it confirms something new.
  if (out == refusal::none)
    append(now_ms, {{term(), kind::barrier, std::make_shared<const std::string>()}});
  return out;
}

int group::catch_up_progress(member_id spare) const {
  return is_broken_ ? 0 : raft_core_catch_up_progress(core_.get(), spare);
}

refusal group::transfer(std::uint64_t now_ms, member_id to) {
  auto update = raft_core_update{};
  return outcome(now_ms, is_broken_ ? raft_core_not_leader : raft_core_transfer(core_.get(), now_ms, to, &update),
                 update);
}

refusal group::outcome(std::uint64_t now_ms, int failed, const raft_core_update& update) {
  if (failed == raft_core_not_leader)
    return refusal::not_leader;
  if (failed == raft_core_busy)
    return refusal::busy;
  if (failed == raft_core_misuse)
    return refusal::misuse;
  carry_out(now_ms, failed, update);
  return refusal::none;
}

void group::is_down(std::uint64_t now_ms, member_id who, unsigned wait_ms) {
  if (!is_broken_)
    raft_core_leader_is_down(core_.get(), now_ms, who, wait_ms);
}

// -- what follows from them ------------------------------------------------------------------------------------------

/// In the order that keeps the promises: what is to be stored, what is to be sent, what is committed, who leads.
/// Whether the core took the event.
bool group::carry_out(std::uint64_t now_ms, int failed, const raft_core_update& update) {
  auto given = std::exchange(given_, {});
  if (failed != 0) {
    is_broken_ = is_broken_ || failed == raft_core_fatal;
    return false;
  }
  auto own_barrier = update.n_entries > 0 && given.empty() ? update.first_index : 0;
  store(update, given);
  if (update.install) {
    cache_.clear();
    cached_bytes_ = 0;
    first_ = cached_first_ = update.snapshot.index + 1;
    stored_index_ = 0;
    out_.install = {leader(), snapshot_of(update.snapshot)};
  }
  send(update);
  deliver(now_ms);
  if (is_leader() != was_leader_) {
    out_.leadership_changed = true;
    if ((was_leader_ = !was_leader_))
      begin_leadership(now_ms, own_barrier);
    else
      end_leadership();
  } else if (update.state) {
    out_.leadership_changed = true;
  }
  if (update.state)
    settle(now_ms); // A candidate could not be told.
  return true;
}

void group::store(const raft_core_update& update, std::span<const entry> given) {
  if (!update.hard_state && update.n_entries == 0)
    return;
  auto& x = next_write();
  if (update.hard_state) {
    auto facts = raft_core_facts(core_.get());
    x.has_hard_state = true;
    x.term = facts.term;
    x.voted_for = facts.voted_for;
  }
  // A term and a vote must be stored before anything that could follow from them is said. And a leader must not lose
  // the entry that takes another's vote: if only that one had it, he would neither stand nor let others win.
  auto is_change = [](auto& one) { return one.kind == kind::change; };
  if (RAFT_CORE_MENDS(raft_core_early_messages) &&
      (update.hard_state || (is_leader() && std::any_of(given.begin(), given.end(), is_change)))) {
    writing_.back().holds_messages = true;
    ++holding_;
  }
  if (update.n_entries == 0)
    return;
  x.first_index = update.first_index;
  while (!cache_.empty() && last_index_here() >= update.first_index) {
    cached_bytes_ -= size_of(cache_.back());
    cache_.pop_back();
  }
  if (cache_.empty())
    cached_first_ = update.first_index;
  if (RAFT_CORE_MENDS(raft_core_stale_stored_index))
    stored_index_ = std::min(stored_index_, update.first_index - 1);
  auto is_given = update.n_entries <= given.size();
  for (auto i = 0u; i < update.n_entries; ++i) {
    auto& raw = update.entries[i];
    auto one = is_given ? given[given.size() - update.n_entries + i]
                        : entry{raw.term, kind(raw.kind), std::make_shared<const std::string>(raw.bytes, raw.size)};
    cached_bytes_ += size_of(one);
    cache_.push_back(one);
    x.entries.push_back(std::move(one));
  }
  writing_.back().last_index = last_index_here();
  writing_.back().last_term = cache_.back().term;
}

write& group::next_write() {
  writing_.push_back({next_sequence_, false, 0, 0, {}});
  out_.writes.emplace_back();
  out_.writes.back().sequence = next_sequence_++;
  return out_.writes.back();
}

void group::send(const raft_core_update& update) {
  for (auto i = 0u; i < update.n_messages; ++i) {
    auto& raw = update.messages[i];
    auto x = message{};
    x.what = message::type(raw.type);
    x.to = raw.peer;
    x.term = raw.term;
    x.index = raw.index;
    x.index_term = raw.index_term;
    x.commit = raw.commit;
    x.rejected = raw.rejected;
    x.pre_vote = raw.pre_vote;
    x.granted = raw.granted;
    x.disrupts_leader = raw.disrupts_leader;
    if (x.what == message::type::append && raw.n_entries > 0) {
      send_entries(std::move(x), raw.n_entries);
    } else if (x.what == message::type::install) {
      x.snapshot = here();
      if (x.snapshot.index >= raw.snapshot.index && x.snapshot.term != 0)
        put_out(std::move(x));
    } else {
      put_out(std::move(x));
    }
  }
}

/// In messages of a bounded size: the core counts entries, not bytes, and has counted these as sent.
void group::send_entries(message x, std::size_t count) {
  auto all = entries(x.index + 1, count);
  for (auto begin = std::size_t{0}; begin < all.size();) {
    auto part = x;
    auto bytes = std::size_t{0};
    part.index = x.index + begin;
    part.index_term = begin > 0 ? all[begin - 1].term : x.index_term;
    do {
      bytes += all[begin].bytes->size();
      part.entries.push_back(all[begin++]);
    } while (begin < all.size() && bytes + all[begin].bytes->size() <= options_.append_bytes_max);
    put_out(std::move(part));
  }
}

void group::put_out(message x) {
  x.from = options_.id;
  (holding_ > 0 ? held_ : out_.messages).push_back(std::move(x));
}

void group::deliver(std::uint64_t now_ms) {
  auto facts = raft_core_facts(core_.get());
  if (facts.installing)
    return;
  auto last = std::min(facts.commit_index, last_index_here());
  for (auto next = std::min(scanned_, delivered_) + 1; next <= last;) {
    auto some = entries(next, std::min<std::size_t>(last - next + 1, 1'024));
    if (some.empty())
      return; // Not there any more: a snapshot has taken its place.
    for (auto& one : some) {
      if (next > scanned_) {
        scanned_ = next;
        if (one.kind == kind::change)
          members_changed(now_ms, next, members_in(*one.bytes));
      }
      if (next > delivered_) {
        delivered_ = next;
        delivered_term_ = one.term;
        out_.committed.push_back({next, std::move(one)});
      }
      ++next;
    }
  }
  if (delivered_term_ == 0)
    delivered_term_ = term_at(delivered_);
  while (cached_bytes_ > options_.cached_bytes_max && !cache_.empty() &&
         cached_first_ <= std::min(delivered_, stored_index_))
    forget_first();
}

void group::members_changed(std::uint64_t now_ms, std::uint64_t index, std::vector<member> members) {
  members_.members_index = index;
  members_.members = std::move(members);
  auto raw = core_members(members_.members);
  auto update = raft_core_update{};
  auto failed = raft_core_changed(core_.get(), now_ms, index, raw.data(), unsigned(raw.size()), &update);
  if (failed != 0)
    is_broken_ = true;
  else
    send(update); // It may have made a follower of this leader; `carry_out`, which called, looks at that.
}

void group::forget_first() {
  cached_bytes_ -= size_of(cache_.front());
  cache_.pop_front();
  ++cached_first_;
}

// -- leading ---------------------------------------------------------------------------------------------------------

/// A leader knows what is committed when an entry of its own term is. The core makes one only if it has a tail that may
/// not be committed.
void group::begin_leadership(std::uint64_t now_ms, std::uint64_t own_barrier) {
  own_first_ = RAFT_CORE_MENDS(raft_core_no_first_entry) ? own_barrier : 1;
  if (own_first_ != 0)
    return;
  own_first_ = last_index() + 1;
  append(now_ms, {{term(), kind::barrier, std::make_shared<const std::string>()}});
}

void group::end_leadership() {
  own_first_ = 0;
  for (auto& one : std::exchange(reads_, {}))
    out_.reads.push_back({one.ticket, std::nullopt});
}

std::optional<std::uint64_t> group::read(std::uint64_t now_ms) {
  if (!is_ready())
    return std::nullopt;
  auto begins = reads_.empty();
  // What is under way may have been answered before this read: it counts for the round after.
  reads_.push_back({next_ticket_++, round_ + 1, commit_index()});
  auto ticket = reads_.back().ticket;
  if (begins)
    begin_round(now_ms);
  return ticket;
}

void group::begin_round(std::uint64_t now_ms) {
  ++round_;
  agreed_.assign(1, options_.id);
  ask_round(now_ms);
  count_round(now_ms);
}

void group::ask_round(std::uint64_t now_ms) {
  asked_ms_ = now_ms;
  for (auto& one : members_.members)
    if (one.role == role::voter && std::find(agreed_.begin(), agreed_.end(), one.id) == agreed_.end()) {
      auto x = message{};
      x.what = message::type::confirm;
      x.to = one.id;
      x.term = term();
      x.index = round_;
      put_out(std::move(x));
    }
}

void group::count_round(std::uint64_t now_ms) {
  auto voters = std::size_t{0}, agree = std::size_t{0};
  for (auto& one : members_.members)
    if (one.role == role::voter) {
      ++voters;
      agree += std::find(agreed_.begin(), agreed_.end(), one.id) != agreed_.end() ? 1 : 0;
    }
  if (agree * 2 <= voters)
    return;
  auto later = std::vector<reading>{};
  for (auto& one : reads_)
    if (one.round <= round_)
      out_.reads.push_back({one.ticket, one.index});
    else
      later.push_back(one);
  reads_ = std::move(later);
  if (!reads_.empty())
    begin_round(now_ms);
}

// -- facts -----------------------------------------------------------------------------------------------------------

state group::state() const {
  return is_broken_ ? state::follower : raft::state(raft_core_facts(core_.get()).state);
}

bool group::is_ready() const {
  return is_leader() && own_first_ != 0 && commit_index() >= own_first_;
}

member_id group::leader() const {
  return is_broken_ ? 0 : raft_core_facts(core_.get()).leader;
}

std::uint64_t group::term() const {
  return is_broken_ ? 0 : raft_core_facts(core_.get()).term;
}

std::uint64_t group::last_index() const {
  return is_broken_ ? 0 : raft_core_facts(core_.get()).last_index;
}

std::uint64_t group::commit_index() const {
  return is_broken_ ? 0 : raft_core_facts(core_.get()).commit_index;
}

bool group::is_installing() const {
  return !is_broken_ && raft_core_facts(core_.get()).installing;
}

std::uint64_t group::match(member_id who) const {
  return is_broken_ ? 0 : raft_core_match(core_.get(), who);
}

snapshot group::here() const {
  auto out = snapshot{delivered_, delivered_term_, members_.members_index, members_.members};
  if (scanned_ >= delivered_)
    return out;
  // Its state is ahead of what it knows to be committed since it began. Only a leader can be sure that what its log has
  // there is what was committed; and it must be able to say so, since it may need who gets this to commit anything.
  if (!is_leader())
    return {};
  for (auto next = scanned_ + 1; next <= delivered_;) {
    auto some = entries(next, std::min<std::size_t>(delivered_ - next + 1, 1'024));
    if (some.empty())
      return {};
    for (auto& one : some) {
      if (one.kind == kind::change) {
        out.members_index = next;
        out.members = members_in(*one.bytes);
      }
      out.term = one.term;
      ++next;
    }
  }
  return out;
}

std::uint64_t group::last_index_here() const noexcept {
  return cached_first_ + cache_.size() - 1;
}

std::uint64_t group::term_at(std::uint64_t index) const {
  if (index >= cached_first_ && index <= last_index_here())
    return cache_[std::size_t(index - cached_first_)].term;
  if (index != 0 && index == compacted_)
    return compacted_term_;
  if (index != 0 && index == delivered_ && index >= first_ && delivered_term_ != 0)
    return delivered_term_;
  if (index < first_ || index >= cached_first_)
    return 0;
  auto one = reader_(index, 1);
  return one.empty() ? 0 : one.front().term;
}

std::vector<entry> group::entries(std::uint64_t first, std::size_t count) const {
  auto out = std::vector<entry>{};
  if (first < first_)
    return out;
  if (first < cached_first_) {
    out = reader_(first, std::min<std::size_t>(count, cached_first_ - first));
    if (out.size() < std::min<std::size_t>(count, cached_first_ - first))
      return out;
  }
  for (auto i = std::max(first, cached_first_); i <= last_index_here() && out.size() < count; ++i)
    out.push_back(cache_[std::size_t(i - cached_first_)]);
  return out;
}

} // namespace xmpp::raft
