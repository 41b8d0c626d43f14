// Every bound of the protocol, with its unit and its reason. The configuration changes some; these are the defaults.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xmpp {

/// What one stream may send. Each excess ends the stream with `policy-violation`.
struct stream_limits {
  std::size_t stanza_bytes_max = 262'144;        ///< 10'000 or more (RFC 6120, 13.12).
  std::size_t unauthenticated_bytes_max = 16'384; ///< Of one element before sign-in; a stranger gets less memory.
  std::size_t depth_max = 64;                    ///< Elements inside each other; the stanza itself is 1.
  std::size_t attributes_max = 64;               ///< Of one element, namespace declarations not counted.
  std::size_t namespaces_max = 32;               ///< Declarations on one element.
  std::size_t children_max = 10'000;             ///< Elements in one stanza, at all depths together.
};

inline constexpr std::size_t jid_part_bytes_max = 1'023; ///< RFC 7622, 3.1; after preparation.

} // namespace xmpp
