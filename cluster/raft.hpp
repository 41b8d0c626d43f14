// RAFT: one member of one group, as a value: events go in with their time, what follows from them comes out. It touches
// no disk, no socket, no clock and no thread, so that a simulation can drive it through any fault (tests/cluster).
//
// Around the core (raft_core.h) it does what the library leaves to its caller: the order of storing and sending, the
// log's tail in memory, what is to be applied, compaction, snapshots, reads that are current.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct raft_core;
struct raft_core_update;
struct raft_core_snapshot;

namespace xmpp::raft {

using member_id = std::uint64_t; ///< Not 0.

enum class kind : std::uint8_t { command = 1, barrier, change };
enum class role : std::uint8_t { standby, voter, spare };
enum class state : std::uint8_t { follower = 1, candidate, leader };

struct entry {
  std::uint64_t term = 0;
  raft::kind kind = kind::command;
  std::shared_ptr<const std::string> bytes; ///< Never null.
};

struct member {
  member_id id = 0;
  raft::role role = role::voter;

  friend bool operator==(const member&, const member&) = default;
};

/// What a state covers: the log up to `index`, whose term is `term`; and the members committed by then, at
/// `members_index`.
struct snapshot {
  std::uint64_t index = 0, term = 0, members_index = 0;
  std::vector<member> members;
};

struct message {
  enum class type : std::uint8_t {
    append = 1,
    append_result,
    vote,
    vote_result,
    install, ///< Of a snapshot; the state itself goes another way.
    timeout_now,
    confirm, ///< "Are you still in my term?" `index` is the round.
    confirmed,
  };
  type what = type::append;
  member_id from = 0, to = 0;
  std::uint64_t term = 0, index = 0, index_term = 0, commit = 0, rejected = 0;
  bool pre_vote = false, granted = false, disrupts_leader = false;
  std::vector<entry> entries;
  raft::snapshot snapshot;

  std::string encode() const;
  /// Nothing: not such bytes.
  static std::optional<message> decode(std::string_view bytes);
};

/// What is to be stored, and synced, in this order. `group::written` tells when it is.
struct write {
  std::uint64_t sequence = 0;
  bool has_hard_state = false;
  std::uint64_t term = 0, voted_for = 0;
  /// All that was stored behind `first_index - 1` is void, replaced by `entries`. 0: the log stays as it is.
  std::uint64_t first_index = 0;
  std::vector<entry> entries;
  /// Entries up to here go: the state has them. 0: none.
  std::uint64_t trim_to = 0;
  /// The state has been replaced by this one or is known to be safe up to it; stored with the rest. When it was
  /// replaced (`first_index` behind it, no entries), the whole log before is void.
  std::optional<raft::snapshot> snapshot;
};

/// What a start finds.
struct stored {
  std::uint64_t term = 0, voted_for = 0;
  std::optional<raft::snapshot> snapshot;
  std::uint64_t first_index = 1; ///< Of `entries`.
  std::vector<entry> entries;
};

/// Entries that are no longer in memory: from `first` at most `count`; fewer, or none, when they are not there.
using log_reader = std::function<std::vector<entry>(std::uint64_t first, std::size_t count)>;

struct committed {
  std::uint64_t index = 0;
  raft::entry entry;
};

struct output {
  std::vector<write> writes;
  std::vector<message> messages;
  std::vector<raft::committed> committed; ///< To be applied, in order, each once.
  /// A newer state is to be fetched from this leader; then `installed`.
  struct wanted {
    member_id from = 0;
    raft::snapshot what;
  };
  std::optional<wanted> install;
  /// Reads that may be answered when `index` has been applied; those whose leadership is lost have none.
  struct read {
    std::uint64_t ticket = 0;
    std::optional<std::uint64_t> index;
  };
  std::vector<read> reads;
  bool leadership_changed = false; ///< Look at `is_leader` and `leader`.
};

struct options {
  member_id id = 0;
  unsigned election_ms = 1'000; ///< A follower waits for one to two of these.
  unsigned heartbeat_ms = 80;   ///< Below the period of the ticks, or some would come too early and do nothing.
  unsigned install_ms = 600'000;
  unsigned seed = 0;
  std::size_t cached_bytes_max = 4u << 20; ///< Of entries that are stored and applied, for those who are a bit behind.
  std::size_t append_bytes_max = 1u << 20; ///< Of entries in one message, but for one that is larger alone.
};

enum class refusal : std::uint8_t {
  none,
  not_leader, ///< Here; `leader` may know who is.
  busy,       ///< A change of members is under way, or this leader is too new.
  misuse
};

class group {
public:
  /// `stored` and `applied`, the index up to which the state has been stored, are what this member had; nothing at all
  /// for one that waits to be added. The members of a new group all start with the same `first_log`.
  group(const options& options, std::uint64_t now_ms, stored stored, std::uint64_t applied, log_reader reader);
  ~group();
  group(const group&) = delete;
  group& operator=(const group&) = delete;

  /// The log of a new group, term 1.
  static stored first_log(const std::vector<member>& members);

  // -- events; times are milliseconds of one steady clock --

  /// Every 100 ms or so.
  void tick(std::uint64_t now_ms);
  void receive(std::uint64_t now_ms, message x);
  /// A leader's: the index of the first. They count when they come out as committed, in this term.
  std::optional<std::uint64_t> submit(std::uint64_t now_ms, std::vector<std::shared_ptr<const std::string>> commands);
  void written(std::uint64_t now_ms, std::uint64_t sequence);
  /// The state that was asked for is stored, and synced; it may be a later one, an earlier one is ignored. Nothing else
  /// ends the wait for it: when it can not be had, begin anew with what is on the disk.
  void installed(std::uint64_t now_ms, snapshot what);
  /// The state is safe up to `index`; entries before it may go, but for what live members still need, at most
  /// `trailing_max`.
  void compact(std::uint64_t now_ms, std::uint64_t index, std::uint64_t trailing_max);
  /// One at a time, each differing in one member from the last; a new voter has been a spare that caught up. The leader
  /// stays a voter: to go it hands its leadership over first.
  refusal change(std::uint64_t now_ms, const std::vector<member>& members);
  refusal catch_up(std::uint64_t now_ms, member_id spare);
  /// 0: it has not begun; 1: it goes on; 2: it was given up; 3: it has caught up.
  int catch_up_progress(member_id spare) const;
  refusal transfer(std::uint64_t now_ms, member_id to);
  /// A hint: its link is closed. A follower waits no longer than `wait_ms` for another leader.
  void is_down(std::uint64_t now_ms, member_id who, unsigned wait_ms);
  /// A read that must see all that was acknowledged before: the ticket of its answer in `output::reads`; nothing when
  /// this is no leader that knows what is committed.
  std::optional<std::uint64_t> read(std::uint64_t now_ms);

  output take_output();

  // -- facts --

  raft::state state() const;
  bool is_leader() const { return state() == state::leader; }
  /// It has committed an entry of its own term, so that it knows all that was committed before.
  bool is_ready() const;
  member_id leader() const; ///< 0: unknown.
  std::uint64_t term() const;
  std::uint64_t last_index() const;
  std::uint64_t commit_index() const;
  std::uint64_t delivered() const noexcept { return delivered_; } ///< As committed.
  std::uint64_t first_index() const noexcept { return first_; }   ///< Of the log; behind the last when it is empty.
  bool is_installing() const;
  bool is_broken() const noexcept { return is_broken_; }                           ///< It must not go on: see the log.
  const std::vector<member>& members() const noexcept { return members_.members; } ///< As last committed.
  std::uint64_t match(member_id who) const;
  std::size_t cached_bytes() const noexcept { return cached_bytes_; }
  /// As a snapshot of what has been delivered.
  raft::snapshot here() const;
  std::uint64_t term_at(std::uint64_t index) const; ///< 0: not known any more.

private:
  struct deleter {
    void operator()(raft_core* x) const noexcept;
  };
  struct reading {
    std::uint64_t ticket = 0, round = 0, index = 0;
  };

  bool carry_out(std::uint64_t now_ms, int failed, const raft_core_update& update);
  refusal outcome(std::uint64_t now_ms, int failed, const raft_core_update& update);
  refusal append(std::uint64_t now_ms, const std::vector<entry>& entries);
  void receive_append(std::uint64_t now_ms, const message& x);
  bool step(std::uint64_t now_ms, const message& x, std::size_t begin, std::size_t end);
  void settle(std::uint64_t now_ms);
  void store(const raft_core_update& update, std::span<const entry> given);
  write& next_write();
  void send(const raft_core_update& update);
  void send_entries(message x, std::size_t count);
  void put_out(message x);
  void deliver(std::uint64_t now_ms);
  void members_changed(std::uint64_t now_ms, std::uint64_t index, std::vector<member> members);
  void begin_leadership(std::uint64_t now_ms, std::uint64_t own_barrier);
  void end_leadership();
  void begin_round(std::uint64_t now_ms);
  void ask_round(std::uint64_t now_ms);
  void count_round(std::uint64_t now_ms);
  void forget_first();
  std::uint64_t last_index_here() const noexcept;
  std::vector<entry> entries(std::uint64_t first, std::size_t count) const;

  options options_;
  std::unique_ptr<raft_core, deleter> core_;
  log_reader reader_;
  output out_;
  bool is_broken_ = false;

  // The log: [first_ .. cached_first_) only on disk, [cached_first_ ..] in memory.
  std::uint64_t first_ = 1, cached_first_ = 1;
  std::deque<entry> cache_;
  std::size_t cached_bytes_ = 0;

  // What is being stored.
  struct outstanding {
    std::uint64_t sequence = 0;
    bool holds_messages = false;
    std::uint64_t last_index = 0, last_term = 0; ///< Of its entries; 0: none.
    std::optional<raft::snapshot> installs;
  };
  std::deque<outstanding> writing_;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t stored_index_ = 0; ///< The last that was written and is still in the log.
  unsigned holding_ = 0;           ///< Writes under way that must be stored before anything is said.
  std::vector<message> held_;      ///< Until they are.
  std::span<const entry> given_;   ///< To the step under way.

  std::uint64_t delivered_ = 0, delivered_term_ = 0;
  std::uint64_t scanned_ = 0; ///< Committed up to here, and looked at for changes of members.
  raft::snapshot members_;    ///< Its `members` and `members_index`.
  std::uint64_t compacted_ = 0, compacted_term_ = 0;

  bool was_leader_ = false;
  std::uint64_t own_first_ = 0; ///< Of this leader's entries.

  // Reads.
  std::vector<reading> reads_;
  std::uint64_t next_ticket_ = 1, round_ = 0, asked_ms_ = 0;
  std::vector<member_id> agreed_; ///< To the round.
};

} // namespace xmpp::raft
