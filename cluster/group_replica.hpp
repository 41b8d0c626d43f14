// GROUP_REPLICA: this node's member of one shard's group, on the node's store. It has a mailbox that any thread may
// fill; what is in it is worked off in turns, all that came together at once: one batch of commands, one write, one
// apply.
//
// It carries a `raft::group` (raft.hpp) through the world: stores what it wants stored before it says what depends on
// it, applies what is committed, fetches the state from the leader when the log no longer leads to it. When the disk
// fails it drops the group and begins anew with what is on the disk.
#pragma once

#include "cluster/group_member.hpp"
#include "cluster/replica.hpp"
#include "persistence/writer.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

struct group_replica_options {
  shard_id shard = 0;
  raft::options raft; ///< `id` is this node.
  /// Entries that stay behind a compaction, for members that are behind.
  std::uint64_t trailing_entries_max = 8'192;
  std::size_t outstanding_bytes_max = 8 << 20; ///< Commands that wait for their outcome; more are refused.
  std::size_t received_bytes_max = 16 << 20;   ///< Messages that wait for a turn; more are dropped.
  std::size_t reads_waiting_max = 4'096;       ///< Of `read_index`; and of `read_after` in one turn.
  std::size_t chunk_bytes_max = 256 << 10;     ///< Of a state that is sent; one at a time.
  std::uint32_t ask_again_ms = 2'000;          ///< For a part of a state that does not come.
  std::uint32_t asks_max = 5;                  ///< In a row, then it begins anew.
  std::uint32_t hold_ms = 60'000;              ///< A state that nobody asks about any more.
};

/// What a member needs of its node. All but `wake` are called in its turns; none may block or call back.
struct group_replica_surroundings {
  /// To the same shard's member there, whose `receive` takes the bytes. May lose them. `is_bulk`: large, and no hurry.
  std::function<void(raft::member_id to, std::string bytes, bool is_bulk)> send;
  /// `run` is wanted; from any thread, once until it begins. May come late, from within calls, or when this is gone.
  std::function<void()> wake;
  /// At each change. A leadership here that ends is told before another begins.
  std::function<void(const leadership&)> on_leadership;
  /// Something that somebody should look at: a line for the log.
  std::function<void(const std::string& text)> on_trouble;
};

/// Outcomes of `submit`, returned or given to `done`, each once: an index, it is committed and applied here;
/// `not_leader`, it was not done and never will be; `timeout`, the leadership was lost and the outcome is unknown;
/// `storage_failure`, the same for the disk or because this ends; `resource_constraint` (too much, too large, the disk
/// nearly full) and `corrupt_record`, not done. When it is unknown, send it again with the same origin and sequence.
class group_replica final : public replica, public group_member {
public:
  /// The log must outlive it. Begins by itself; `run` does the rest.
  group_replica(group_replica_options options, writer& log, group_replica_surroundings around);
  /// Answers all that waits. Leaves the group to find out: hand the leadership over first.
  ~group_replica() override;

  /// One turn; one thread at a time.
  void run(std::uint64_t now_ms);

  // -- from any thread; none of them blocks --

  result<void> submit(const command& x, writer::completion done) override;
  result<void> read_after(std::function<void(const reader&)> f) override;
  result<void> read(std::function<void(const reader&)> f) override;
  const reader& cached() const noexcept override;
  /// `not_leader` when this is not the leader, or is no longer.
  void read_index(std::function<void(result<void>)> done) override;

  void receive(raft::member_id from, std::string bytes);
  leadership who_leads() const; ///< As of the last turn.

  void tick();          ///< Every 100 ms or so; while it is calm, every 200 ms are enough.
  bool is_calm() const; ///< As of the last turn: nothing is to be done, and the leader is known.
  void is_down(raft::member_id who) override;
  void change(std::vector<raft::member> members, control_done done) override;
  void catch_up(raft::member_id spare, control_done done) override;
  void transfer(raft::member_id to, control_done done) override;
  void inspect(std::function<void(const status&)> f) override;

  group_replica(const group_replica&) = delete;
  group_replica& operator=(const group_replica&) = delete;

private:
  struct submission;
  struct inbox;
  struct state;
  std::shared_ptr<inbox> inbox_;
  std::unique_ptr<state> state_;
  std::uint64_t watch_ = 0; ///< Of the log.
};

} // namespace xmpp
