// REPLICA: this node's member of one shard's group. Callers submit; what happens until a command counts is behind this.
//
// While a node is alone its groups have one member, and what the log writer has synced is committed.
#pragma once

#include "persistence/write_set.hpp"
#include "persistence/writer.hpp"

#include <string>
#include <utility>

namespace xmpp {

class replica {
public:
  virtual ~replica() = default;

  /// Takes a command; `done` runs, on a thread that must not be held up, when it is committed and applied, or not at
  /// all will be. Commands are applied in the order they were submitted. Errors as in `writer::submit`.
  virtual result<void> submit(const command& x, writer::completion done) = 0;

  /// Runs `done` when the state here has all that was acknowledged anywhere before this call, or with an error: another
  /// member may lead. Of a group's only member: at once.
  virtual void read_index(std::function<void(result<void>)> done) { done({}); }
  /// Reads the state behind everything that was submitted here before.
  virtual result<void> read_after(std::function<void(const reader&)> f) = 0;
  /// Reads what may need the disk.
  virtual result<void> read(std::function<void(const reader&)> f) = 0;
  /// Reads what is in memory; the rest fails with `would_block`.
  virtual const reader& cached() const noexcept = 0;
};

/// A group's only member.
class lone_replica final : public replica {
public:
  lone_replica(shard_id shard, writer& log) noexcept : shard_(shard), log_(log) {}

  result<void> submit(const command& x, writer::completion done) override {
    return log_.submit(shard_, x.encode(), std::move(done));
  }
  result<void> read_after(std::function<void(const reader&)> f) override {
    return log_.read_after(shard_, std::move(f));
  }
  result<void> read(std::function<void(const reader&)> f) override { return log_.read(std::move(f)); }
  const reader& cached() const noexcept override { return log_.cached(); }

private:
  shard_id shard_;
  writer& log_;
};

} // namespace xmpp
