// Ids of stored messages: ordered by time, unique over all nodes.
#pragma once

#include "protocol/error.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace xmpp {

/// 128 bits: milliseconds since the epoch (64), the node (16), a counter (48). Compared and stored as 16 bytes
/// big-endian, so that a page of messages is one range of keys; shown as 32 hexadecimal digits.
struct stored_id {
  std::uint64_t ms = 0;
  std::uint64_t node_and_counter = 0;

  friend auto operator<=>(const stored_id&, const stored_id&) = default;

  std::string bytes() const; ///< 16 bytes.
  std::string text() const;  ///< 32 lower-case digits.
  /// Both fail with `corrupt_record`.
  static result<stored_id> from_bytes(std::string_view bytes);
  static result<stored_id> from_text(std::string_view text);
};

/// Makes ids; one per actor that stores messages (a shard's or a user's), used by one thread at a time.
/// Ids of one generator only grow, also when the clock steps back. Generators differ by `node` and by `start`, the
/// 48 bits where the counter begins: draw them at random, then two that meet in one millisecond don't collide.
class id_generator {
public:
  id_generator(std::uint16_t node, std::uint64_t start) noexcept;
  /// Later than every id made before and, if known, than `observe`d.
  stored_id next(std::int64_t now_ms) noexcept;
  /// What was found in the store at a start: the clock may have stood later then.
  void observe(const stored_id& seen) noexcept;

private:
  stored_id last_;
  std::uint64_t node_;
  std::uint64_t counter_;
};

} // namespace xmpp
