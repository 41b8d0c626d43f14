// A cluster of Raft members in one process, driven by one seed: its clock, its network, its disks, its faults. The same
// seed gives the same run. After every event the invariants are checked; the first that does not hold ends the run.
#pragma once

#include "cluster/raft.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace xmpp::test {

/// How bad the world is; probabilities are per message, counts per minute of the whole cluster.
struct weather {
  double loss = 0.02, duplication = 0.02;
  unsigned delay_ms_max = 30;   ///< Of a message, so that later ones overtake it.
  unsigned sync_ms_max = 20;    ///< Of the disk.
  double slow_sync = 0.01;      ///< A hundred times that.
  double failed_sync = 0;       ///< The member ends, as the server would.
  unsigned crashes = 0;         ///< Power loss; back within ten seconds.
  unsigned pauses = 0;          ///< SIGSTOP for up to ten seconds.
  unsigned cuts = 0;            ///< Links, one way or both, some or all, for up to ten seconds.
  unsigned hints = 0;           ///< That a member is down; false ones, beside those of each crash.
  unsigned transfers = 0;       ///< Of leadership.
  unsigned changes = 0;         ///< Of members, over all five.
  std::uint64_t trailing = 200; ///< Entries that stay behind a compaction.
};

/// Drawn from a seed; with `voters` to begin with.
weather any_weather(std::uint64_t seed, unsigned& voters);

/// What a write makes of a disk. Throws when it does not go on where the log ends.
void put(raft::stored& log, const raft::write& x);

class simulation {
public:
  simulation(std::uint64_t seed, const weather& outside, unsigned voters = 3);
  ~simulation();

  /// Throws `std::runtime_error` when something does not hold.
  void run_ms(std::uint64_t ms);
  /// No more faults; all come back; then all must agree, have every acknowledged change, and take new ones, of members
  /// too.
  void heals();

  // For cases of their own.
  std::optional<raft::member_id> leader() const; ///< Ready to serve, the one of the highest term.
  void crash(raft::member_id who);
  void restart(raft::member_id who);
  void pause(raft::member_id who, std::uint64_t ms);
  void cut(raft::member_id from, raft::member_id to, bool is_cut);
  bool runs(raft::member_id who) const;
  raft::group& group(raft::member_id who);
  std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  std::uint64_t reads_answered() const noexcept { return reads_answered_; }
  std::uint64_t snapshots_installed() const noexcept { return snapshots_installed_; }
  std::uint64_t leaders_seen() const noexcept { return leaders_.size(); }
  std::uint64_t members_changed() const noexcept { return members_changed_; }
  std::uint64_t now_ms() const noexcept { return now_; }

private:
  /// What the commands lead to: for each client its last sequence; a client's value is that, too.
  struct machine {
    std::uint64_t applied = 0;
    std::map<std::uint64_t, std::uint64_t> last;
    std::uint64_t digest = 0;
    friend bool operator==(const machine&, const machine&) = default;
  };
  struct disk {
    raft::stored log;
    machine state;                           ///< As last flushed.
    std::optional<raft::snapshot> described; ///< Of a state that a transfer has brought.
  };
  struct submitted {
    std::uint64_t term, client, sequence;
  };
  struct node {
    std::unique_ptr<raft::group> raft;
    disk stored;
    std::deque<raft::write> unsynced;
    bool is_syncing = false;
    machine state;
    unsigned life = 0; ///< What was meant for an earlier one is dropped.
    std::uint64_t paused_until = 0;
    std::map<std::uint64_t, submitted> waiting; ///< By index.
    struct read {
      std::uint64_t client, floor;
      std::optional<std::uint64_t> index;
    };
    std::map<std::uint64_t, read> reads; ///< By ticket.
  };
  struct client {
    std::uint64_t sequence = 0, acknowledged = 0, seen = 0, next_try_ms = 0;
  };

  using event = std::function<void()>;
  void at(std::uint64_t ms, event what);
  /// For one life of a member; waits while it is paused.
  void at(std::uint64_t ms, raft::member_id who, event what);
  std::uint64_t random(std::uint64_t max); ///< 0 to max.
  bool happens(double probability);

  void start(raft::member_id who);
  void step(raft::member_id who);
  void send(const raft::message& x);
  void sync(raft::member_id who);
  void apply(raft::member_id who, const raft::committed& x);
  void fetch(raft::member_id who, const raft::output::wanted& x);
  void work();
  void faults();
  void hint(raft::member_id of);
  void change_members();
  void check(raft::member_id who);
  void matches(std::uint64_t index, std::uint64_t before, const std::vector<raft::entry>& entries);
  void stores(disk& to, const raft::write& x);
  [[noreturn]] void fails(const std::string& what) const;

  std::mt19937_64 random_;
  weather weather_;
  std::uint64_t seed_, now_ = 0, order_ = 0;
  using planned = std::tuple<std::uint64_t, std::uint64_t, std::shared_ptr<event>>;
  std::priority_queue<planned, std::vector<planned>, std::greater<>> events_;
  std::map<raft::member_id, node> nodes_;
  std::set<std::pair<raft::member_id, raft::member_id>> cuts_;
  std::vector<client> clients_;
  bool is_calm_ = false;

  // What has been seen, to be compared with.
  std::map<std::uint64_t, raft::member_id> leaders_; ///< By term.
  struct choice {
    std::uint64_t term;
    std::string bytes;
    std::uint64_t by; ///< The term of who knew first: it was committed in that or an earlier one.
  };
  std::map<std::uint64_t, choice> chosen_; ///< What was committed, by index.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::pair<std::uint64_t, std::string>> logged_; ///< (index, term).
  std::uint64_t acknowledged_ = 0, reads_answered_ = 0, snapshots_installed_ = 0, members_changed_ = 0;
};

} // namespace xmpp::test
