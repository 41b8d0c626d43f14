#include "cluster/stored.hpp"

#include "cluster/raft_core.h"
#include "persistence/write_set.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace xmpp::raft {

static_assert(int(kind::command) == int(log_entry::kind::command) &&
              int(kind::barrier) == int(log_entry::kind::barrier) &&
              int(kind::change) == int(log_entry::kind::configuration));

raft::entry entry_of(group_entry x) {
  return {x.term, raft::kind(x.what), std::move(x.data)};
}

group_entry stored_entry(raft::entry x) {
  return {x.term, log_entry::kind(x.kind), std::move(x.bytes)};
}

std::optional<raft::snapshot> snapshot_of(const log_snapshot& x) {
  const auto count = raft_core_decode_members(x.members.data(), x.members.size(), nullptr, 0);
  if (count < 0)
    return std::nullopt;
  auto raw = std::vector<raft_core_member>(std::size_t(count));
  raft_core_decode_members(x.members.data(), x.members.size(), raw.data(), unsigned(raw.size()));
  auto out = raft::snapshot{x.index, x.term, x.members_index, {}};
  for (const auto& one : raw)
    out.members.push_back({one.id, role(one.role)});
  return out;
}

log_snapshot stored_snapshot(const raft::snapshot& x) {
  return {x.index, x.term, x.members_index, *group::first_log(x.members).entries.front().bytes};
}

result<raft::stored> stored_of(group_log x) {
  auto out = raft::stored{};
  out.term = x.hard.term;
  out.voted_for = x.hard.voted_for;
  if (x.snapshot && !(out.snapshot = snapshot_of(*x.snapshot)))
    return error{errc::corrupt_record, "the members in a snapshot can not be read"};
  out.first_index = x.first_index;
  out.entries.reserve(x.entries.size());
  for (auto& one : x.entries)
    out.entries.push_back(entry_of(std::move(one)));
  return out;
}

log_write write_of(raft::write x) {
  auto out = log_write{};
  if (x.has_hard_state)
    out.hard = hard_state{x.term, x.voted_for};
  out.first_index = x.first_index;
  out.entries.reserve(x.entries.size());
  for (auto& one : x.entries)
    out.entries.push_back(stored_entry(std::move(one)));
  out.trim_to = x.trim_to;
  if (x.snapshot)
    out.snapshot = stored_snapshot(*x.snapshot);
  return out;
}

result<void> make_groups(store& of, const std::vector<member>& members) {
  // What is not flushed would be gone with the next start, and nobody would apply it again.
  if (auto done = of.flush_and_trim(); !done)
    return done.error();
  const auto known = of.groups();
  auto writes = std::vector<log_write>{};
  const auto add = [&](shard_id shard) -> result<void> {
    if (std::find(known.begin(), known.end(), shard) != known.end())
      return {};
    auto x = log_write{};
    x.shard = shard;
    x.hard = hard_state{1, 0};
    x.first_index = 1;
    if (auto applied = of.last_index(shard); applied != 0) {
      if (members.size() != 1)
        return error{errc::storage_failure, "the store has what the other members would not have"};
      if (applied == 1) { // See `group::compact`: no log may begin behind exactly one entry.
        const auto nothing =
            std::array{log_entry{shard, ++applied, 1, log_entry::kind::command, xmpp::command{}.encode()}};
        if (auto done = of.append(nothing); !done)
          return done;
        if (auto done = of.apply(nothing); !done)
          return done;
        if (auto done = of.flush_and_trim(); !done)
          return done.error();
      }
      x.first_index = applied + 1;
      x.snapshot = stored_snapshot({applied, 1, applied, members});
    } else {
      for (auto& one : group::first_log(members).entries)
        x.entries.push_back(stored_entry(std::move(one)));
    }
    writes.push_back(std::move(x));
    return {};
  };
  for (auto shard = std::uint32_t{0}; shard < of.options().shard_count; ++shard)
    if (auto done = add(shard_id(shard)); !done)
      return done;
  if (auto done = add(system_shard); !done)
    return done;
  return writes.empty() ? result<void>{} : of.append({}, writes);
}

log_write waiting_member(shard_id shard) {
  auto out = log_write{};
  out.shard = shard;
  out.hard = hard_state{};
  return out;
}

} // namespace xmpp::raft
