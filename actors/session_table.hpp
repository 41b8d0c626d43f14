// The bound sessions of this node: soft state that the edge owns. Whoever takes over an account learns of its sessions
// from here; so do drain, announce and the shell.
#pragma once

#include "actors/interfaces.hpp"
#include "persistence/keys.hpp"
#include "protocol/hash.hpp"
#include "protocol/jid.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace xmpp {

class session_table {
public:
  explicit session_table(std::uint32_t shard_count) : parts_(shard_count) {}

  void add(const jid& full, const session_actor& session);
  /// Only if it is this session that stands under the name.
  void remove(const jid& full, const session_actor& session);
  bool has(const jid& full) const;
  /// Null: it is not here.
  session_actor find(const jid& full) const;
  /// All sessions of an account, in no order.
  std::vector<session_actor> of(const jid& account) const;
  /// All sessions of a shard's accounts.
  std::vector<session_actor> of(shard_id shard) const;
  /// Visits all; a part of the table is locked meanwhile: visitors must be quick.
  void for_each(const std::function<void(const jid&, const session_actor&)>& visit) const;
  std::size_t size() const noexcept { return size_.load(); }

private:
  struct bound {
    jid full;
    session_actor session;
  };
  struct part {
    mutable std::mutex mutex;
    std::unordered_multimap<std::size_t, bound> sessions; ///< By the bare JID's hash: no second copy of the text.
  };
  static std::size_t hash(const jid& x) noexcept { return keyed_hash{}(x.bare_text()); }
  part& home_of(const jid& x) noexcept { return parts_[shard_of(x.bare_text(), std::uint32_t(parts_.size()))]; }
  const part& home_of(const jid& x) const noexcept {
    return parts_[shard_of(x.bare_text(), std::uint32_t(parts_.size()))];
  }

  std::vector<part> parts_; ///< By shard.
  std::atomic<std::size_t> size_{0};
};

} // namespace xmpp
