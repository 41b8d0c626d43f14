// GROUP_REPLICA: a state that travels beside the log, to a member that is too far behind it, or from its leader.

#include "cluster/group_replica_state.hpp"
#include "cluster/stored.hpp"
#include "persistence/codec.hpp"

#include <algorithm>
#include <utility>

namespace xmpp {

using namespace state_frames;

// -- a state for somebody else ---------------------------------------------------------------------------------------

void group_replica::state::asked(raft::member_id by, const fetch_request& x) {
  const auto known = group->members();
  if (by == options.raft.id || std::none_of(known.begin(), known.end(), [&](auto& m) { return m.id == by; }))
    return;
  auto i = sends.find(by);
  if (i == sends.end() || i->second.nonce != x.nonce) {
    if (!x.after.empty())
      return send(by, encode_nonce(x.nonce), frame::gone);
    if (i != sends.end())
      let_go(by);
    return open_for(by, x.nonce, x.least);
  }
  i->second.used_ms = now;
  if (i->second.snapshot != 0)
    send_chunk(by, x.after);
}

/// The state as it will be when all is applied that was committed by now: that is what the group can describe.
void group_replica::state::open_for(raft::member_id by, std::uint64_t nonce, std::uint64_t least) {
  const auto here = group->here();
  if (group->is_installing() || here.term == 0 || here.index < least)
    return; // It will ask again.
  flush_turn();
  sends[by] = {nonce, 0, codec::encode(raft::stored_snapshot(here)), now, false};
  auto opened = [by, nonce, index = here.index](state& s, store::held_snapshot held) {
    auto i = s.sends.find(by);
    if (i == s.sends.end() || i->second.nonce != nonce || held.index != index) {
      if (i != s.sends.end() && i->second.nonce == nonce)
        s.sends.erase(i);
      return s.log.run(0, [id = held.id](store* db) -> result<void> {
        if (db)
          db->close_snapshot(id);
        return {};
      });
    }
    i->second.snapshot = held.id;
    s.send_chunk(by, {});
  };
  log.run(log_life, [mail = mail, shard = options.shard, opened](store* db) -> result<void> {
    if (!db)
      return {};
    const auto held = db->open_snapshot(shard);
    if (!held)
      return held.error();
    mail->post([opened, held = *held](state& s) { opened(s, held); });
    return {};
  });
}

void group_replica::state::send_chunk(raft::member_id to, const std::string& after) {
  auto& x = sends[to];
  if (std::exchange(x.is_reading, true))
    return;
  const auto sent = [mail = mail, to, after, nonce = x.nonce, life = life](const store& from, std::uint64_t snapshot,
                                                                           std::size_t bytes_max) {
    auto chunk = std::make_shared<result<state_chunk>>(from.read_snapshot(snapshot, after, bytes_max));
    mail->post([to, after, nonce, life, chunk](state& s) {
      auto i = s.sends.find(to);
      if (s.life != life || i == s.sends.end() || i->second.nonce != nonce)
        return;
      i->second.is_reading = false;
      if (!*chunk) {
        s.let_go(to);
        return s.send(to, encode_nonce(nonce), frame::gone);
      }
      s.send(to, encode(chunk_answer{nonce, after, i->second.what, std::move(**chunk)}), frame::chunk, true);
    });
  };
  const auto taken = log.read_store(
      [sent, id = x.snapshot, bytes_max = options.chunk_bytes_max](const store& from) { sent(from, id, bytes_max); });
  if (!taken)
    x.is_reading = false; // It will ask again.
}

void group_replica::state::let_go(raft::member_id of) {
  const auto i = sends.find(of);
  if (i == sends.end())
    return;
  if (i->second.snapshot != 0)
    log.run(0, [id = i->second.snapshot](store* db) -> result<void> {
      if (db)
        db->close_snapshot(id);
      return {};
    });
  sends.erase(i);
}

// -- a state from somebody else --------------------------------------------------------------------------------------

void group_replica::state::fetch(const raft::output::wanted& x) {
  install = installing{};
  install->from = x.from;
  install->least = x.what.index;
  install->nonce = (std::uint64_t(random()) << 32) ^ random();
  ask();
}

void group_replica::state::ask() {
  if (install->asks++ >= options.asks_max || install->from == 0)
    return give_up("its leader does not send it");
  install->ask_ms = now + options.ask_again_ms;
  send(install->from, encode(fetch_request{install->nonce, install->least, install->position}), frame::fetch);
}

/// Nothing but a new life ends the group's wait. What the store has of it decides what that begins with.
void group_replica::state::give_up(const char* why) {
  trouble(std::string{"a state could not be had: "} + why);
  begin();
}

void group_replica::state::came(raft::member_id from, chunk_answer x) {
  if (!install || install->from != from || install->nonce != x.nonce || install->position != x.after ||
      install->is_storing)
    return;
  const auto described = codec::decode_log_snapshot(x.what);
  auto what = described ? raft::snapshot_of(*described) : std::nullopt;
  if (!what || what->index < install->least || (x.chunk.bytes.empty() && !x.chunk.is_last))
    return give_up("it is not what was asked for");
  const auto is_first = !install->what;
  install->what = std::move(what);
  install->asks = 0;
  install->is_storing = true;
  // Behind all that this member had to write and to apply.
  flush_turn();
  auto chunk = std::make_shared<const state_chunk>(std::move(x.chunk));
  log.run(log_life,
          [mail = mail, shard = options.shard, index = install->what->index, is_first, chunk,
           life = life](store* db) -> result<void> {
            if (!db)
              return {};
            auto done = is_first ? db->begin_install(shard) : result<void>{};
            if (done)
              done = db->install(shard, chunk->bytes);
            if (done && chunk->is_last)
              done = db->end_install(shard, index);
            const auto is_done = done.has_value();
            mail->post([life, is_done, chunk](state& s) {
              if (s.life != life || !s.install)
                return;
              if (is_done)
                s.stored_chunk(*chunk);
              else
                s.give_up("it can not be read");
            });
            return done;
          });
}

void group_replica::state::stored_chunk(const state_chunk& chunk) {
  install->is_storing = false;
  if (!chunk.is_last) {
    install->position = chunk.last_key;
    return ask();
  }
  // First the state must be safe, then the log may begin behind it.
  install->is_storing = true;
  send(install->from, encode_nonce(install->nonce), frame::done);
  auto safe = in_this_life([what = *install->what](state& s) {
    s.install.reset();
    s.applied = what.index;
    if (s.group)
      s.group->installed(s.now, what);
  });
  log.flush([mail = mail, safe = std::move(safe)](const result<void>& how) mutable {
    if (how)
      mail->post(std::move(safe));
  });
}

} // namespace xmpp
