// SEAT: a shard's place on a node of a cluster, whether or not the node has a member of its group just now.
#pragma once

#include "cluster/group_replica.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace xmpp {

/// Safe from any thread. Without a member everything is refused with `not_leader`, but for what needs no group.
class seat final : public replica {
public:
  explicit seat(writer& log) noexcept : log_(log) {}

  std::shared_ptr<group_replica> member() const {
    const auto guard = std::lock_guard{mutex_};
    return member_;
  }
  void set(std::shared_ptr<group_replica> member) {
    // The last one is let go of outside: it answers what still waits.
    const auto guard = std::lock_guard{mutex_};
    member_.swap(member);
  }

  result<void> submit(const command& x, writer::completion done) override {
    if (auto here = member())
      return here->submit(x, std::move(done));
    return error{errc::not_leader, "this node has no replica of the shard"};
  }
  void read_index(std::function<void(result<void>)> done) override {
    if (auto here = member())
      here->read_index(std::move(done));
    else
      done(error{errc::not_leader, "this node has no replica of the shard"});
  }
  result<void> read_after(std::function<void(const reader&)> f) override {
    if (auto here = member())
      return here->read_after(std::move(f));
    return error{errc::not_leader, "this node has no replica of the shard"};
  }
  result<void> read(std::function<void(const reader&)> f) override { return log_.read(std::move(f)); }
  const reader& cached() const noexcept override { return log_.cached(); }

private:
  writer& log_;
  mutable std::mutex mutex_;
  std::shared_ptr<group_replica> member_;
};

} // namespace xmpp
