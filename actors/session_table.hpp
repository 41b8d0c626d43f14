// The bound sessions of this node: soft state that the edge owns. Whoever takes over an account learns of its sessions
// from here; so do drain, announce and the shell.
#pragma once

#include "actors/interfaces.hpp"
#include "protocol/hash.hpp"
#include "protocol/jid.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace xmpp {

class session_table {
public:
  void add(const jid& full, const session_actor& session);
  /// Only if it is this session that stands under the name.
  void remove(const jid& full, const session_actor& session);
  bool has(const jid& full) const;
  /// All sessions of an account, in no order.
  std::vector<session_actor> of(const jid& account) const;
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
  static constexpr std::size_t part_count = 64;
  static std::size_t hash(const jid& x) noexcept { return keyed_hash{}(x.bare_text()); }

  std::array<part, part_count> parts_;
  std::atomic<std::size_t> size_{0};
};

} // namespace xmpp
