// GROUP_REPLICA, inside: its mailbox, and what it carries from turn to turn.
#pragma once

#include "cluster/group_replica.hpp"
#include "cluster/state_frames.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

namespace xmpp {

/// A command, or a read behind the commands before it.
struct group_replica::submission {
  std::shared_ptr<const std::string> bytes;
  writer::completion done;
  std::function<void(const reader&)> read;
};

/// Shared with who fills it, so that it may go when it wants.
struct group_replica::inbox {
  using event = std::function<void(state&)>;

  void post(event x) {
    {
      const auto lock = std::scoped_lock{mutex};
      if (is_closed)
        return;
      events.push_back(std::move(x));
      if (std::exchange(is_awake, true))
        return;
    }
    wake();
  }

  std::function<void()> wake;
  std::mutex mutex; ///< Guards what follows, up to the next blank line.
  std::vector<event> events;
  std::vector<submission> submissions;
  std::size_t reads_in_submissions = 0;
  std::size_t received_bytes = 0;
  bool is_awake = false; ///< `wake` was called, and `run` has not begun since.
  bool is_closed = false;
  bool is_calm = false;
  leadership who;
  bool has_failed = false, is_short_of_room = false; ///< The disk.

  std::atomic<std::size_t> outstanding_bytes{0};
  std::atomic<std::size_t> reads_waiting{0};
};

struct group_replica::state {
  state(group_replica_options o, writer& w, group_replica_surroundings s, std::shared_ptr<inbox> i)
      : options(std::move(o)), log(w), around(std::move(s)), mail(std::move(i)), random(options.raft.seed) {}

  // -- life --
  void begin();
  void begun(result<group_log> found);
  void drop(const struct error& why);
  void lost();
  void trouble(const std::string& text) const;

  // -- turns --
  void tick();
  void take(std::vector<submission>& submissions);
  void drain();
  void flush_turn();
  void end_turn();
  bool is_calm() const;

  // -- outcomes --
  void committed(const raft::committed& x);
  void leadership_changed();
  void applied_up_to(std::uint64_t index);
  void answer_front(const result<std::uint64_t>& how);
  void answer(const submission& x, const result<std::uint64_t>& how);
  void run_read(std::function<void(const reader&)> f) { (void)log.read_after(options.shard, std::move(f), true); }
  void answer_reads();
  void tell_leadership();

  // -- messages --
  void receive(raft::member_id from, std::string_view bytes);
  void send(raft::member_id to, std::string bytes, state_frames::frame what, bool is_bulk = false) const {
    bytes.push_back(char(what));
    around.send(to, std::move(bytes), is_bulk);
  }

  // -- a state for somebody else --
  struct sending {
    std::uint64_t nonce = 0;
    std::uint64_t snapshot = 0; ///< Of the store's; 0: not open yet.
    std::string what;
    std::uint64_t used_ms = 0;
    bool is_reading = false;
  };
  void asked(raft::member_id by, const state_frames::fetch_request& x);
  void open_for(raft::member_id by, std::uint64_t nonce, std::uint64_t least);
  void send_chunk(raft::member_id to, const std::string& after);
  void let_go(raft::member_id of);

  // -- a state from somebody else --
  struct installing {
    raft::member_id from = 0;
    std::uint64_t nonce = 0, least = 0;
    std::string position;               ///< What came is stored up to this key.
    std::optional<raft::snapshot> what; ///< Once the first part came.
    bool is_storing = false;
    std::uint64_t ask_ms = 0;
    unsigned asks = 0;
  };
  void fetch(const raft::output::wanted& x);
  void ask();
  void came(raft::member_id from, state_frames::chunk_answer x);
  void stored_chunk(const state_chunk& chunk);
  void give_up(const char* why);

  /// For this life of the member: what was meant for an earlier one is dropped.
  template <class F>
  inbox::event in_this_life(F f) const {
    return [life = life, f = std::move(f)](state& s) mutable {
      if (s.life == life)
        f(s);
    };
  }

  const group_replica_options options;
  writer& log;
  const group_replica_surroundings around;
  const std::shared_ptr<inbox> mail;
  std::minstd_rand random;
  std::uint64_t now = 0;

  std::uint64_t life = 0, log_life = 0; ///< This member's, and the writer's when it began.
  std::unique_ptr<raft::group> group;   ///< None: not begun, or the store has failed.
  std::uint64_t begin_at = 0;           ///< Anew, on its own account. 0: not.
  bool is_short_of_room = false;

  // What this turn wants of the store.
  std::vector<log_write> writes;
  std::uint64_t writes_end = 0; ///< Sequence of the last.
  group_apply applies;

  std::uint64_t applied = 0;
  struct waiting {
    submission what;
    std::uint64_t index = 0, term = 0;
    std::vector<std::function<void(const reader&)>> then;
  };
  std::deque<waiting> pending;       ///< By index.
  std::size_t pending_committed = 0; ///< So many of them are known to be.
  struct index_read {
    std::optional<std::uint64_t> index; ///< Confirmed: it waits for that to be applied.
    std::function<void(result<void>)> done;
  };
  std::map<std::uint64_t, index_read> reads; ///< By ticket.

  std::uint64_t serves_from = 0, serves_term = 0; ///< This leader's: what must be applied first.
  leadership told;

  std::map<raft::member_id, sending> sends;
  std::optional<installing> install;
};

} // namespace xmpp
