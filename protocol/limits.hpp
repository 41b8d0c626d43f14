// Every bound of the protocol, with its unit and its reason. The configuration changes some; these are the defaults.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace xmpp {

/// What one stream may send. Each excess ends the stream with `policy-violation`.
struct stream_limits {
  std::size_t stanza_bytes_max = 262'144;         ///< 10'000 or more (RFC 6120, 13.12).
  std::size_t unauthenticated_bytes_max = 16'384; ///< Of one element before sign-in; a stranger gets less memory.
  std::size_t depth_max = 64;                     ///< Elements inside each other; the stanza itself is 1.
  std::size_t attributes_max = 64;                ///< Of one element, namespace declarations not counted.
  std::size_t namespaces_max = 32;                ///< Declarations on one element.
  std::size_t children_max = 10'000;              ///< Elements in one stanza, at all depths together.

  /// Of an element in its canonical form, when it arrived as `frame_bytes`. That form repeats namespaces and escapes
  /// quotes: without a bound of its own, some kilobytes of a stranger's would become a gigabyte of ours.
  constexpr std::size_t canonical_bytes_max(std::size_t frame_bytes) const noexcept {
    return std::min(4 * std::max(frame_bytes, unauthenticated_bytes_max), 2 * stanza_bytes_max);
  }
};

inline constexpr std::size_t jid_part_bytes_max = 1'023; ///< RFC 7622, 3.1; after preparation.

} // namespace xmpp
