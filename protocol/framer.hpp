// Cuts a byte stream into whole elements (RFC 6120, 11).
#pragma once

#include "protocol/error.hpp"
#include "protocol/limits.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace xmpp {

/// Finds where a stream's start tag, its top-level elements and its end tag begin and end, without parsing more than
/// that needs. It checks, at the first byte that shows it: strict UTF-8; no `<!` (so no comment, DTD, CDATA... see below)
/// and no `<?` past the XML declaration: `restricted_xml`; no entity but the five predefined and numeric ones:
/// `restricted_xml`; size and depth: `policy_violation`; nothing but white space between top-level elements:
/// `bad_format`/`not_well_formed`; an encoding that is not UTF-8: `unsupported_encoding`.
/// CDATA sections are legal in XMPP and are accepted inside stanzas (RFC 6120, 11.1 does not forbid them).
///
/// It holds memory only while an element is incomplete: between elements it owns no heap memory at all.
class framer {
public:
  enum class kind : std::uint8_t {
    stream_start, ///< `<stream:stream ...>`, without the XML declaration before it.
    element,      ///< One whole top-level element.
    stream_end,   ///< `</stream:stream>`
    keepalive,    ///< White space between elements was seen (at most one per feed).
  };

  explicit framer(const stream_limits& limits) noexcept;

  /// Consumes from the front of `input` (which it shortens) up to and including the next frame, and sets `frame` to
  /// the frame's bytes: a view into `input`'s memory, or into the framer's own when the frame came in pieces, valid until
  /// the next call. `done` is false when input ran out before a frame was complete: what was left is kept inside.
  ///
  /// After an error the stream is lost: later calls fail the same way.
  struct step {
    bool done = false;
    kind what = kind::element;
    std::string_view frame;
  };
  result<step> next(std::string_view& input);

  /// After TLS or SASL: the next thing must be a stream start again. Drops what is buffered.
  void restart() noexcept;
  /// The limit on one element changes when the peer has signed in.
  void set_stanza_bytes_max(std::size_t bytes) noexcept;

  std::size_t buffered_bytes() const noexcept;

private:
  // The implementer lays out compact state here (an idle framer should be <= 64 bytes).
};

} // namespace xmpp
