// Cuts a byte stream into whole elements (RFC 6120, 11).
#pragma once

#include "protocol/error.hpp"
#include "protocol/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace xmpp {

/// Finds where a stream's start tag, its top-level elements and its end tag begin and end, without parsing more than
/// that needs. It checks, at the first byte that shows it: strict UTF-8 (else `not_well_formed`); no `<!` but a CDATA
/// section inside an element (legal: RFC 6120, 11.1 does not forbid them) and no `<?` past the XML declaration, which
/// only the very first byte of a stream may begin: `restricted_xml`; no entity but the five predefined and numeric
/// ones: `restricted_xml`; size, depth and the number of attributes: `policy_violation`; nothing but white space
/// between top-level elements: `bad_format`, and `not_well_formed` for controls and outside the stream; an encoding
/// that is not UTF-8: `unsupported_encoding`; a stream that ends in its start tag, `<stream:stream/>`: `bad_format`; a
/// start tag of a second stream, which would be an element without end: `unsupported_stanza_type`.
///
/// What it lets pass, the parser judges: an element's name and attributes, whether end tags match, code points that XML
/// forbids. The frames and the error are the same however the bytes are cut into pieces.
///
/// It holds memory only while an element is incomplete: between elements it owns no heap memory at all.
class framer {
public:
  enum class kind : std::uint8_t {
    stream_start, ///< `<stream:stream ...>`, without the XML declaration before it.
    element,      ///< One whole top-level element.
    stream_end,   ///< `</stream:stream>`
    keepalive,    ///< `input` ended in white space between elements; `frame` is empty.
  };

  explicit framer(const stream_limits& limits) noexcept;

  /// Consumes from the front of `input` (which it shortens) up to and including the next frame, and sets `frame` to
  /// the frame's bytes: a view into `input`'s memory, or into the framer's own when the frame came in pieces, valid
  /// until the next call. `done` is false when input ran out before a frame was complete: what was left is kept inside.
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
  enum class phase : std::uint8_t { first_byte, prolog, content, ended };
  enum class state : std::uint8_t {
    between,     // Before the `<` of a frame.
    markup,      // After a `<`.
    name,        // In the name of a top-level element.
    start_tag,   // In a start tag, outside of attribute values.
    empty_tag,   // After the `/` of one.
    value,       // In an attribute value.
    text,        // In an element's content.
    reference,   // After a `&`.
    bang,        // After `<!`.
    cdata,       // In a CDATA section.
    end_tag,     // After `</`.
    declaration, // After `<?`, at the start of the stream.
    complete,    // At the end of a frame.
  };
  struct free_memory {
    void operator()(char* p) const noexcept { std::free(p); }
  };

  const char* scan(const char* p, const char* end) noexcept;
  const char* scan_markup(const char* p) noexcept;
  const char* scan_name(const char* p, const char* end) noexcept;
  const char* scan_start_tag(const char* p, const char* end) noexcept;
  const char* scan_empty_tag(const char* p) noexcept;
  const char* scan_value(const char* p, const char* end) noexcept;
  const char* scan_text(const char* p, const char* end) noexcept;
  const char* scan_reference(const char* p) noexcept;
  const char* scan_bang(const char* p) noexcept;
  const char* scan_cdata(const char* p, const char* end) noexcept;
  const char* scan_end_tag(const char* p, const char* end) noexcept;
  const char* scan_declaration(const char* p, const char* end) noexcept;
  const char* scan_multibyte(const char* p, const char* end) noexcept;
  void end_element() noexcept;
  void complete(kind what) noexcept;
  void fail(errc code) noexcept;
  errc fail_between(unsigned char byte) noexcept;
  void keep(std::string_view bytes);
  void release() noexcept;

  std::unique_ptr<char, free_memory> memory_; // The start of an incomplete frame.
  std::uint32_t size_ = 0, capacity_ = 0;
  std::uint32_t stanza_bytes_max_, depth_max_, attributes_max_;
  std::uint32_t depth_ = 0;
  std::uint32_t attributes_ = 0;   // Of the start tag; or the bytes of the declaration.
  std::uint8_t matched_ = 0;       // How far in a name, reference, `[CDATA[`, `]]>` or the declaration.
  char reference_[4] = {};         // The name in a reference.
  char quote_ = 0;                 // Around the attribute value; 0: none.
  std::uint8_t continuations_ = 0; // Bytes missing of a UTF-8 sequence; the next is in [low_, high_].
  std::uint8_t low_ = 0, high_ = 0;
  phase phase_ = phase::first_byte;
  state state_ = state::between;
  kind kind_ = kind::element;
  bool delivered_ = false; // What is in memory was given out and goes at the next call.
  errc failure_ = errc::none;
};

} // namespace xmpp
