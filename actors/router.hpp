// Not an actor: who takes the stanzas for an address, by arithmetic on an immutable map.
#pragma once

#include "actors/interfaces.hpp"
#include "persistence/keys.hpp"
#include "protocol/jid.hpp"

#include <cstdint>
#include <vector>

namespace xmpp {

/// Any JID -> its shard -> the actor that serves it. Filled once before the first client; with a cluster the map
/// becomes a snapshot that is swapped whole.
class router {
public:
  explicit router(std::uint32_t shard_count) : shards_(shard_count) {}

  std::uint32_t shard_count() const noexcept { return std::uint32_t(shards_.size()); }
  shard_id shard_of(const jid& account) const noexcept { return xmpp::shard_of(account.bare_text(), shard_count()); }
  /// The account's shard, whether or not the account exists.
  const shard_actor& shard(const jid& account) const noexcept { return shards_[shard_of(account)]; }
  const shard_actor& shard(shard_id index) const noexcept { return shards_[index]; }
  void set(shard_id index, shard_actor actor) { shards_[index] = std::move(actor); }

private:
  std::vector<shard_actor> shards_;
};

} // namespace xmpp
