// Not an actor: who takes the stanzas for an address, by arithmetic on an immutable map.
#pragma once

#include "actors/interfaces.hpp"
#include "persistence/keys.hpp"
#include "protocol/jid.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace xmpp {

/// Any JID -> its shard -> the actor that serves it. Filled before the first client. In a cluster the actors are the
/// same: each knows which node serves its shard. Safe from any thread.
class router {
public:
  explicit router(std::uint32_t shard_count) : shards_(shard_count), nodes_(shard_count) {
    for (auto& one : shards_)
      one.store(&none_, std::memory_order_relaxed);
  }

  std::uint32_t shard_count() const noexcept { return std::uint32_t(shards_.size()); }
  shard_id shard_of(const jid& account) const noexcept { return xmpp::shard_of(account.bare_text(), shard_count()); }
  /// The account's shard, whether or not the account exists.
  const shard_actor& shard(const jid& account) const noexcept { return shard(shard_of(account)); }
  const shard_actor& shard(shard_id index) const noexcept { return *shards_[index].load(std::memory_order_acquire); }
  /// At the start, and when a shard that was ended from outside has been started anew.
  void set(shard_id index, shard_actor actor) {
    auto guard = std::lock_guard{mutex_};
    kept_.push_back(std::make_unique<const shard_actor>(std::move(actor)));
    shards_[index].store(kept_.back().get(), std::memory_order_release);
  }
  /// The node that the shard passes on to all that comes, at once; 0: it serves, or holds, or refuses.
  std::uint64_t node(shard_id index) const noexcept { return nodes_[index].load(std::memory_order_acquire); }
  void set_node(shard_id index, std::uint64_t node) noexcept { nodes_[index].store(node, std::memory_order_release); }
  /// For the end, when nobody asks any more.
  void clear() {
    for (auto& one : shards_)
      one.store(&none_);
    kept_.clear();
  }

private:
  const shard_actor none_;
  std::vector<std::atomic<const shard_actor*>> shards_;
  std::vector<std::atomic<std::uint64_t>> nodes_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<const shard_actor>> kept_; ///< Also earlier ones: somebody may just be looking.
};

} // namespace xmpp
