// Trees, stanzas and addresses as bytes between nodes: shorter than XML, several times cheaper to read, and read with
// the same distrust.
//
// What comes from a client's stream stays as strict as its parser made it: a node that has a defect, or was taken over,
// can neither crash another nor make it write XML that ends its clients' streams. Names, namespaces, characters, UTF-8,
// depth and counts are checked; the tree is built by `xml::builder`, so its memory is sound whatever the bytes say.
//
// How far another node is trusted: its link is authenticated, and it runs this program. So what a stanza says (who sent
// it, its type, that an iq has one child) is believed. So is that an address with code points past ASCII is prepared:
// only its form is checked (parts, sizes, characters), for the tables of two releases of ICU may differ, and preparing
// it again costs microseconds. A wrong one would be an address that nobody has. An address in ASCII is checked exactly.
//
//     varint     LEB128, shortest form, 64 bits at most
//     string     size varint, bytes
//     tree       version byte, element
//     stanza     version byte, what byte (16 * kind + type), from jid, to jid, element
//     jid        string: its text; empty: no address
//     element    head byte, name, [namespace], [more attributes varint], attributes, content
//     head       1nkkcccc: n: a namespace follows, else it is the parent's (of the outermost: jabber:client)
//                kk: content: 0 nothing, 1 one text, 2 items up to an end
//                cccc: attributes, at most 14; 15: and as many more as the varint says
//     attribute  00 namespace name value; or 01 value: xml:lang; or name value: without a namespace
//     content    text; or { 01 text | element } 00
//     name       varint below 96: a word of the table of names; else so many bytes plus 95
//     namespace  the same, with the table of namespaces
//     value,     varint below 64: 1 the stanza's from, 2 its to, 3 and 4 their bare forms, else a word of the table of
//     text       values; from 64: so many bytes plus 64. Unescaped. A text is not empty, and follows no other.
//
// Most trees have one spelling; a reader takes others too, as XML does.
//
// The tables (binary_xml.cpp) belong to the version. A later version may have longer tables and another grammar; its
// program reads all earlier versions, and writes what the version that both ends of a link know allows: so nodes can be
// upgraded one after the other.
#pragma once

#include "protocol/error.hpp"
#include "protocol/jid.hpp"
#include "protocol/limits.hpp"
#include "protocol/stanza.hpp"
#include "protocol/xml.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xmpp::binary {

inline constexpr std::uint8_t version = 1;

/// What any node's configuration can let a client send, and what the server adds to it. Bytes read become at most some
/// forty times as many bytes of tree (a word of the tables); `2 * stanza_bytes_max` bounds that, too.
inline constexpr auto limits_between_nodes =
    stream_limits{64 * 1'024 * 1'024 + 65'536, 0, 512 + 8, 1'024 + 8, 0, 1'000'000 + 8};

// -- writing --

void append_varint(std::string& out, std::uint64_t x);
void append_string(std::string& out, std::string_view x);
void append(std::string& out, const jid& x);

/// Fail with `policy_violation` beyond `limits_between_nodes`, with `bad_request` for no tree at all, or for a stanza
/// whose tree is none: then `out` is as it was.
result<void> append(std::string& out, const element& tree);
result<void> append(std::string& out, const stanza& x);

// -- reading --

/// Takes fields from bytes. After a failure every further read gives zero, empty or none: check `ok` once, at the end.
/// The bytes stay the caller's and must live as long as views of them.
class reader {
public:
  explicit reader(std::string_view in, const stream_limits& limits = limits_between_nodes) noexcept
      : in_(in), limits_(limits) {}

  std::uint8_t byte() noexcept;
  bool boolean() noexcept; ///< 0 or 1, nothing else.
  std::uint64_t varint() noexcept;
  std::uint64_t varint(std::uint64_t max) noexcept; ///< More is a failure.
  std::string_view string() noexcept;
  /// A list's count: at most the bytes left, since each item has at least one.
  std::size_t count() noexcept;
  std::string_view rest() noexcept;

  jid address(); ///< Maybe none.
  element tree();
  xmpp::stanza stanza();

  bool at_end() const noexcept { return in_.empty(); }
  bool ok() const noexcept { return why_ == nullptr; }
  /// Everything was well formed and nothing is left.
  bool finished() const noexcept { return ok() && in_.empty(); }

  /// The first failure counts; `why` is a literal, for a log: it never holds what was read.
  void fail(const char* why) noexcept;
  /// `corrupt_record` with words; `none` while all is well.
  error failure() const { return ok() ? error{} : error{errc::corrupt_record, why_}; }

private:
  struct tree_reader;
  std::string_view take(std::uint64_t size) noexcept;

  std::string_view in_;
  stream_limits limits_;
  const char* why_ = nullptr;
};

/// Exactly one of them. Fail with `corrupt_record`.
result<element> read_tree(std::string_view bytes, const stream_limits& limits = limits_between_nodes);
result<stanza> read_stanza(std::string_view bytes, const stream_limits& limits = limits_between_nodes);
result<jid> read_jid(std::string_view bytes);

} // namespace xmpp::binary
