// Where every running actor can be found by the shell: kind, owner, counters. Costs an actor some fifty bytes.
#pragma once

#include "protocol/jid.hpp"

#include <caf/actor_control_block.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp {

enum class actor_kind : std::uint8_t {
  server,
  supervisor,
  shard,
  user,
  session,
  listener,
  hasher,
  shell,
  member,
  coordinator
};
inline constexpr std::size_t actor_kind_count = 10;
std::string_view to_string(actor_kind kind) noexcept;

/// The part of an actor that others may look at while it runs. Counters are approximate by nature.
class observed {
public:
  actor_kind kind() const noexcept { return kind_; }
  std::uint32_t mailbox_size() const noexcept {
    auto in = received.load(std::memory_order_relaxed), out = handled.load(std::memory_order_acquire);
    return in > out ? in - out : 0;
  }

  std::atomic<std::uint32_t> received{0};
  std::atomic<std::uint32_t> handled{0};
  std::atomic<std::uint32_t> memory_bytes{0}; ///< The actor's own estimate of itself and what it holds.
  std::atomic<std::uint16_t> restarts{0};

protected:
  explicit observed(actor_kind kind) noexcept : kind_(kind) {}
  observed(const observed&) = delete;
  ~observed();

  /// Makes it visible under a name; call once the actor exists.
  void enlist(const caf::strong_actor_ptr& self, std::uint64_t supervisor, jid owner, std::string_view name);
  /// A session learns its address late.
  void rename(jid owner);
  /// For the next one who looks.
  void note_error(std::string what);

private:
  friend class registry;
  actor_kind kind_;
  std::uint8_t bucket_ = 0;
  bool enlisted_ = false;
  observed* previous_ = nullptr;
  observed* next_ = nullptr;
  caf::weak_actor_ptr self_;
  std::uint64_t supervisor_id_ = 0;
  jid owner_; ///< Of a user or session.
  // Rare: an actor without an owner, an actor that failed.
  struct extra {
    std::string name, last_error;
  };
  extra* extra_ = nullptr;
};

/// All actors of this process.
class registry {
public:
  static registry& instance();

  /// What the shell sees of one actor.
  struct entry {
    actor_kind kind{};
    std::uint64_t id = 0;         ///< The actor's number in this process.
    std::uint64_t supervisor = 0; ///< That of its supervisor; 0: the root.
    std::string name;             ///< Its account or full JID, else its own name.
    std::uint32_t mailbox = 0, handled = 0, memory_bytes = 0;
    std::uint16_t restarts = 0;
    std::string last_error;
    caf::strong_actor_ptr actor; ///< Null when it is just ending.
  };

  /// Visits actors of a kind until the visitor returns false. A bucket at a time is locked: visitors must be quick and
  /// must not send.
  void for_each(actor_kind kind, const std::function<bool(const entry&)>& visit) const;
  /// The same for those whose name is wanted: cheaper among very many.
  void for_each(actor_kind kind, const std::function<bool(std::string_view name)>& wanted,
                const std::function<bool(const entry&)>& visit) const;
  /// By number; null when there is none.
  caf::strong_actor_ptr find(std::uint64_t id) const;
  std::optional<entry> entry_of(std::uint64_t id) const;
  std::size_t count(actor_kind kind) const noexcept { return counts_[std::size_t(kind)].load(); }

private:
  friend class observed;
  static constexpr std::size_t bucket_count = 64;
  struct bucket {
    mutable std::mutex mutex;
    observed* first = nullptr;
  };
  static std::string_view name_of(const observed& x) noexcept;
  static entry look(const observed& x);
  static bool is_running(const entry& x);
  std::array<bucket, bucket_count> buckets_;
  std::array<std::atomic<std::size_t>, actor_kind_count> counts_{};
};

} // namespace xmpp
