#include "cluster/group_replica.hpp"

#include "cluster/group_replica_state.hpp"
#include "cluster/stored.hpp"
#include "persistence/command_check.hpp"

#include <algorithm>
#include <utility>

namespace xmpp {

namespace {

struct error outcome_unknown(const char* why) {
  return {errc::timeout, std::string{why} + ": the outcome is unknown"};
}

} // namespace

using namespace state_frames;

// -- life ------------------------------------------------------------------------------------------------------------

void group_replica::state::trouble(const std::string& text) const {
  if (around.on_trouble)
    around.on_trouble("shard " + std::to_string(options.shard) + ": " + text);
}

void group_replica::state::begin() {
  drop({errc::storage_failure, "the member begins anew: the outcome is unknown"});
  begin_at = 0;
  log.begin(options.shard, options.raft.cached_bytes_max, [mail = mail, life = life](result<group_log> found) {
    auto kept = std::make_shared<result<group_log>>(std::move(found));
    mail->post([life, kept](state& s) {
      if (s.life == life)
        s.begun(std::move(*kept));
    });
  });
}

void group_replica::state::begun(result<group_log> found) {
  if (!found) {
    if (found.code() == errc::corrupt_record)
      trouble(found.error().text);
    return; // Or the writer has failed: it will say when to begin again.
  }
  log_life = found->life;
  applied = found->applied;
  auto stored = raft::stored_of(std::move(*found));
  if (!stored)
    return trouble(stored.error().text);
  auto reader = [this](std::uint64_t first, std::size_t count) {
    auto out = std::vector<raft::entry>{};
    for (auto& x : log.entries(options.shard, first, count))
      out.push_back(raft::entry_of(std::move(x)));
    return out;
  };
  auto how = options.raft;
  how.seed = unsigned(random());
  group = std::make_unique<raft::group>(how, now, std::move(*stored), applied, std::move(reader));
}

/// What it was is over; what waits hears so.
void group_replica::state::drop(const struct error& why) {
  ++life;
  group.reset();
  writes.clear();
  applies.entries.clear();
  install.reset();
  while (!sends.empty())
    let_go(sends.begin()->first);
  while (!pending.empty())
    answer_front(why);
  for (auto& [ticket, x] : std::exchange(reads, {})) {
    --mail->reads_waiting;
    x.done(error{errc::not_leader, why.text});
  }
  serves_from = serves_term = 0;
  tell_leadership();
}

/// After a failed write nothing may follow from what was thought to be stored.
void group_replica::state::lost() {
  drop({errc::storage_failure, "the disk failed: the outcome is unknown"});
  begin_at = 0;
}

// -- turns -----------------------------------------------------------------------------------------------------------

void group_replica::run(std::uint64_t now_ms) {
  auto events = std::vector<inbox::event>{};
  auto submissions = std::vector<submission>{};
  {
    const auto lock = std::scoped_lock{inbox_->mutex};
    events.swap(inbox_->events);
    submissions.swap(inbox_->submissions);
    inbox_->received_bytes = inbox_->reads_in_submissions = 0;
    inbox_->is_awake = false;
  }
  auto& s = *state_;
  s.now = now_ms;
  for (auto& x : events) {
    x(s);
    s.drain();
  }
  s.take(submissions);
  s.drain();
  s.end_turn();
}

void group_replica::state::tick() {
  if (begin_at != 0 && now >= begin_at)
    begin();
  if (group)
    group->tick(now);
  for (auto i = sends.begin(); i != sends.end();) {
    const auto who = i++;
    if (now >= who->second.used_ms + options.hold_ms)
      let_go(who->first);
  }
  if (install && !install->is_storing && now >= install->ask_ms)
    ask();
  if (!is_short_of_room || !group || !group->is_ready())
    return;
  // Somebody whose disk has room should lead.
  auto best = raft::member_id{0};
  for (const auto& x : group->members())
    if (x.id != options.raft.id && x.role == raft::role::voter &&
        (best == 0 || group->match(x.id) > group->match(best)))
      best = x.id;
  if (best != 0)
    (void)group->transfer(now, best);
}

/// All commands of a turn are one submit.
void group_replica::state::take(std::vector<submission>& submissions) {
  auto commands = std::vector<std::shared_ptr<const std::string>>{};
  if (group && group->is_leader())
    for (const auto& x : submissions)
      if (!x.read)
        commands.push_back(x.bytes);
  auto next = std::optional<std::uint64_t>{};
  if (!commands.empty())
    next = group->submit(now, std::move(commands));
  const auto term = group ? group->term() : 0;
  for (auto& x : submissions) {
    if (x.read) {
      if (pending.empty())
        run_read(std::move(x.read));
      else
        pending.back().then.push_back(std::move(x.read));
    } else if (next) {
      pending.push_back({std::move(x), (*next)++, term, {}});
    } else {
      answer(x, error{errc::not_leader, "another member leads, or none"});
    }
  }
}

/// Carries out what the group wants done.
void group_replica::state::drain() {
  while (group) {
    auto out = group->take_output();
    if (group->is_broken()) {
      trouble("the member can not go on and begins anew");
      drop({errc::storage_failure, "the member can not go on: the outcome is unknown"});
      begin_at = now + 1'000;
      return;
    }
    if (out.writes.empty() && out.messages.empty() && out.committed.empty() && !out.install && out.reads.empty() &&
        !out.leadership_changed)
      return;
    for (auto& x : out.writes) {
      writes_end = x.sequence;
      writes.push_back(raft::write_of(std::move(x)));
    }
    for (const auto& x : out.messages)
      send(x.to, x.encode(), frame::raft);
    for (auto& x : out.committed)
      committed(x);
    for (const auto& x : out.reads)
      if (auto i = reads.find(x.ticket); i != reads.end()) {
        i->second.index = x.index;
        if (x.index)
          continue;
        auto done = std::move(i->second.done);
        reads.erase(i);
        --mail->reads_waiting;
        done(error{errc::not_leader, "the leadership was lost"});
      }
    if (out.leadership_changed)
      leadership_changed();
    if (out.install)
      fetch(*out.install);
  }
}

void group_replica::state::flush_turn() {
  if (!writes.empty()) {
    auto done = in_this_life([end = writes_end](state& s) {
      if (s.group)
        s.group->written(s.now, end);
    });
    log.write(options.shard, log_life, std::exchange(writes, {}),
              [mail = mail, done = std::move(done)](const result<void>& how) mutable {
                if (how) // Else the writer says itself that it failed.
                  mail->post(std::move(done));
              });
  }
  if (!applies.entries.empty()) {
    const auto last = applies.first_index + applies.entries.size() - 1;
    applies.shard = options.shard;
    auto done = in_this_life([last](state& s) { s.applied_up_to(last); });
    log.apply(log_life, std::exchange(applies, {}),
              [mail = mail, done = std::move(done)](const result<void>& how) mutable {
                if (how)
                  mail->post(std::move(done));
              });
  }
}

void group_replica::state::end_turn() {
  flush_turn();
  if (group && group->is_ready() && serves_term != group->term()) {
    serves_term = group->term();
    serves_from = group->delivered(); // With its own first entry.
  }
  answer_reads();
  tell_leadership();
  const auto lock = std::scoped_lock{mail->mutex};
  mail->is_calm = is_calm();
}

bool group_replica::state::is_calm() const {
  return group && told.leader != 0 && group->state() != raft::state::candidate && pending.empty() && reads.empty() &&
         sends.empty() && !install && !is_short_of_room;
}

// -- outcomes --------------------------------------------------------------------------------------------------------

void group_replica::state::committed(const raft::committed& x) {
  if (applies.entries.empty())
    applies.first_index = x.index;
  applies.entries.push_back(raft::stored_entry(x.entry));
  if (pending_committed < pending.size() && pending[pending_committed].index == x.index) {
    if (pending[pending_committed].term == x.entry.term)
      ++pending_committed;
    else // Another stands in its place.
      pending[pending_committed].term = 0;
  }
}

void group_replica::state::leadership_changed() {
  const auto is_same = [&](const waiting& x) { return group->is_leader() && x.term == group->term(); };
  while (pending.size() > pending_committed && !is_same(pending.back())) {
    auto x = std::move(pending.back());
    pending.pop_back();
    if (pending.empty())
      for (auto& f : x.then)
        run_read(std::move(f));
    else
      std::move(x.then.begin(), x.then.end(), std::back_inserter(pending.back().then));
    answer(x.what, outcome_unknown("the leadership was lost"));
  }
  if (!group->is_leader())
    serves_from = serves_term = 0;
}

void group_replica::state::applied_up_to(std::uint64_t index) {
  applied = std::max(applied, index);
  while (!pending.empty() && pending.front().index <= applied && pending_committed > 0)
    answer_front(pending.front().index);
}

void group_replica::state::answer_front(const result<std::uint64_t>& how) {
  auto x = std::move(pending.front());
  pending.pop_front();
  pending_committed -= pending_committed > 0 ? 1 : 0;
  answer(x.what, how);
  for (auto& f : x.then)
    run_read(std::move(f));
}

void group_replica::state::answer(const submission& x, const result<std::uint64_t>& how) {
  mail->outstanding_bytes -= x.bytes->size();
  if (x.done)
    x.done(how);
}

void group_replica::state::answer_reads() {
  for (auto i = reads.begin(); i != reads.end();) {
    auto x = i++;
    if (!x->second.index || *x->second.index > applied)
      continue;
    auto done = std::move(x->second.done);
    reads.erase(x);
    --mail->reads_waiting;
    done({});
  }
}

void group_replica::state::tell_leadership() {
  auto now_so = leadership{};
  if (group) {
    now_so.term = group->term();
    now_so.leader = group->leader();
    now_so.is_here = group->is_ready() && serves_term == now_so.term && serves_from <= applied;
  }
  if (now_so == told)
    return;
  const auto tell = [&](const leadership& x) {
    told = x;
    {
      const auto lock = std::scoped_lock{mail->mutex};
      mail->who = x;
    }
    if (around.on_leadership)
      around.on_leadership(x);
  };
  if (told.is_here && now_so.is_here && told.term != now_so.term)
    tell({false, now_so.term, 0});
  tell(now_so);
}

// -- messages --------------------------------------------------------------------------------------------------------

void group_replica::state::receive(raft::member_id from, std::string_view bytes) {
  if (bytes.empty() || !group)
    return;
  const auto what = frame(bytes.back());
  bytes.remove_suffix(1);
  if (what == frame::raft) {
    auto x = raft::message::decode(bytes);
    if (!x || x->from != from || x->to != options.raft.id)
      return;
    // It will be sent again.
    if (!x->entries.empty() && (is_short_of_room || log.is_full()))
      return;
    group->receive(now, std::move(*x));
  } else if (what == frame::fetch) {
    if (auto x = decode_fetch(bytes))
      asked(from, *x);
  } else if (what == frame::chunk) {
    if (auto x = decode_chunk(bytes))
      came(from, std::move(*x));
  } else if (const auto nonce = decode_nonce(bytes); nonce && what == frame::gone) {
    if (install && install->from == from && install->nonce == *nonce && !install->is_storing)
      give_up("its leader has it no longer");
  } else if (nonce && what == frame::done) {
    if (auto i = sends.find(from); i != sends.end() && i->second.nonce == *nonce)
      let_go(from);
  }
}

// -- interface -------------------------------------------------------------------------------------------------------

group_replica::group_replica(group_replica_options options, writer& log, group_replica_surroundings around)
    : inbox_(std::make_shared<inbox>()) {
  inbox_->wake = around.wake;
  state_ = std::make_unique<state>(std::move(options), log, std::move(around), inbox_);
  watch_ = log.watch(state_->options.shard, [mail = inbox_](const writer::group_event& x) {
    using kind = writer::group_event::kind;
    if (x.what != kind::flushed) {
      const auto lock = std::scoped_lock{mail->mutex};
      mail->has_failed = x.what == kind::failed || (mail->has_failed && x.what != kind::recovered);
      mail->is_short_of_room = x.what == kind::short_of_room || (mail->is_short_of_room && x.what != kind::has_room);
    }
    mail->post([x](state& s) {
      switch (x.what) {
      case kind::flushed: // While a state is sent, what follows it in the log is wanted.
        if (s.group && s.sends.empty())
          s.group->compact(s.now, x.index, s.options.trailing_entries_max);
        break;
      case kind::failed:
        s.lost();
        break;
      case kind::recovered:
        s.begin();
        break;
      case kind::short_of_room:
        s.is_short_of_room = true;
        break;
      case kind::has_room:
        s.is_short_of_room = false;
        break;
      }
    });
  });
  inbox_->post([](state& s) { s.begin(); });
}

group_replica::~group_replica() {
  state_->log.end_watch(state_->options.shard, watch_);
  auto submissions = std::vector<submission>{};
  auto events = std::vector<inbox::event>{};
  {
    const auto lock = std::scoped_lock{inbox_->mutex};
    inbox_->is_closed = true;
    submissions.swap(inbox_->submissions);
    events.swap(inbox_->events);
  }
  const auto why = error{errc::storage_failure, "the member ends: the outcome is unknown"};
  state_->drop(why);
  for (auto& x : submissions)
    if (x.read)
      state_->run_read(std::move(x.read));
    else
      state_->answer(x, why);
}

result<void> group_replica::submit(const command& x, writer::completion done) {
  auto bytes = std::make_shared<const std::string>(x.encode());
  if (auto checked = check_command(*bytes, state_->options.shard); !checked)
    return checked;
  {
    const auto lock = std::scoped_lock{inbox_->mutex};
    if (inbox_->has_failed || inbox_->is_short_of_room)
      return error{inbox_->has_failed ? errc::storage_failure : errc::resource_constraint,
                   "the disk fails, or is nearly full"};
    if (!inbox_->who.is_here)
      return error{errc::not_leader, inbox_->who.leader == 0
                                         ? "no member leads"
                                         : "member " + std::to_string(inbox_->who.leader) + " leads"};
    const auto waits = inbox_->outstanding_bytes.load();
    if ((waits != 0 && waits + bytes->size() > state_->options.outstanding_bytes_max) || state_->log.is_full())
      return error{errc::resource_constraint, "the group does not keep up"};
    inbox_->outstanding_bytes += bytes->size();
    inbox_->submissions.push_back({std::move(bytes), std::move(done), nullptr});
    if (std::exchange(inbox_->is_awake, true))
      return {};
  }
  inbox_->wake();
  return {};
}

result<void> group_replica::read_after(std::function<void(const reader&)> f) {
  {
    const auto lock = std::scoped_lock{inbox_->mutex};
    if (inbox_->reads_in_submissions >= state_->options.reads_waiting_max)
      return error{errc::resource_constraint, "too many reads wait"};
    ++inbox_->reads_in_submissions;
    inbox_->submissions.push_back({nullptr, nullptr, std::move(f)});
    if (std::exchange(inbox_->is_awake, true))
      return {};
  }
  inbox_->wake();
  return {};
}

result<void> group_replica::read(std::function<void(const reader&)> f) {
  return state_->log.read(std::move(f));
}

const reader& group_replica::cached() const noexcept {
  return state_->log.cached();
}

void group_replica::read_index(std::function<void(result<void>)> done) {
  if (inbox_->reads_waiting.fetch_add(1) >= state_->options.reads_waiting_max) {
    --inbox_->reads_waiting;
    return done(error{errc::resource_constraint, "too many reads wait"});
  }
  inbox_->post([done = std::move(done)](state& s) {
    if (const auto ticket = s.group ? s.group->read(s.now) : std::nullopt) {
      s.reads[*ticket] = {std::nullopt, done};
      return;
    }
    --s.mail->reads_waiting;
    done(error{errc::not_leader, "another member leads, or none"});
  });
}

void group_replica::receive(raft::member_id from, std::string bytes) {
  {
    const auto lock = std::scoped_lock{inbox_->mutex};
    if (inbox_->received_bytes != 0 && inbox_->received_bytes + bytes.size() > state_->options.received_bytes_max)
      return;
    inbox_->received_bytes += bytes.size() + 64;
  }
  inbox_->post([from, bytes = std::move(bytes)](state& s) { s.receive(from, bytes); });
}

void group_replica::tick() {
  inbox_->post([](state& s) { s.tick(); });
}

bool group_replica::is_calm() const {
  const auto lock = std::scoped_lock{inbox_->mutex};
  return inbox_->is_calm && inbox_->events.empty();
}

void group_replica::is_down(raft::member_id who) {
  inbox_->post([who](state& s) {
    if (s.group)
      s.group->is_down(s.now, who, 20 + unsigned(s.random() % 200));
    if (s.install && s.install->from == who && !s.install->is_storing)
      s.give_up("its leader is gone");
  });
}

leadership group_replica::who_leads() const {
  const auto lock = std::scoped_lock{inbox_->mutex};
  return inbox_->who;
}

void group_replica::change(std::vector<raft::member> members, control_done done) {
  inbox_->post([members = std::move(members), done = std::move(done)](state& s) {
    const auto how = s.group ? s.group->change(s.now, members) : raft::refusal::not_leader;
    if (done)
      done(how);
  });
}

void group_replica::catch_up(raft::member_id spare, control_done done) {
  inbox_->post([spare, done = std::move(done)](state& s) {
    const auto how = s.group ? s.group->catch_up(s.now, spare) : raft::refusal::not_leader;
    if (done)
      done(how);
  });
}

void group_replica::transfer(raft::member_id to, control_done done) {
  inbox_->post([to, done = std::move(done)](state& s) {
    const auto how = s.group ? s.group->transfer(s.now, to) : raft::refusal::not_leader;
    if (done)
      done(how);
  });
}

void group_replica::inspect(std::function<void(const status&)> f) {
  inbox_->post([f = std::move(f)](state& s) {
    auto out = status{};
    out.who = s.told;
    out.outstanding = s.pending.size();
    out.applied = s.applied;
    if (s.group) {
      const auto& g = *s.group;
      out.has_begun = true;
      out.state = g.state();
      out.is_installing = g.is_installing();
      out.first_index = g.first_index();
      out.last_index = g.last_index();
      out.commit_index = g.commit_index();
      out.cached_bytes = g.cached_bytes();
      for (const auto& x : g.members())
        out.members.push_back({x, g.match(x.id), g.catch_up_progress(x.id)});
    }
    f(out);
  });
}

} // namespace xmpp
