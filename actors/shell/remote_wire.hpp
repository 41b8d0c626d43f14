// What is said between two nodes about a command that one runs for a shell of the other: what stands in the frames
// `ask` and `answer` of cluster/control_frames.hpp, both ways over a link, and so between members only.
//
//     question   version byte, kind byte, run varint, rest
//       B        task byte, hello string (wire.hpp), text to the end      begins
//       M        nothing                                                  what is new?
//       A        the answer to a question, to the end
//       S        nothing                                                  stop
//       Z        width, as in wire.hpp
//     answer     version byte, clock int64 (us since 1970), frames of wire.hpp to the end; D is the last of a run
//
//     task       L, a line; C, a line to complete; T, a trace: bodies bool, bare JID to the end
//     of a trace
//       T        at int64, station byte, actor, from, to, summary, xml: strings
//       E        how many events were dropped since the last one
//
// Only who asks keeps a run going: it stops when nobody has asked about it for `lease`. So the end of a watching node,
// or of the link, is the end of what it watches.
#pragma once

#include "actors/shell/wire.hpp"
#include "actors/trace.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::shell {

inline constexpr std::uint8_t remote_version = 1;
inline constexpr auto remote_lease = std::chrono::seconds{5};
/// Of a line; with it a question stays within its bound.
inline constexpr std::size_t remote_text_bytes_max = 60'000;
/// Output that waits to be asked for; the command waits then.
inline constexpr std::size_t remote_output_bytes_max = 512 << 10;

enum class remote_kind : char { begin = 'B', more = 'M', answer = 'A', stop = 'S', resize = 'Z' };
enum class remote_task : char { line = 'L', complete = 'C', trace = 'T' };

struct remote_step {
  remote_kind what = remote_kind::more;
  std::uint64_t run = 1;
  remote_task task = remote_task::line; ///< Of `begin`; likewise:
  client_hello client = {};
  std::string text = {};
};

std::string encode(const remote_step& x);
/// Fails with `bad_request`, or `unsupported_version`.
result<remote_step> decode_remote_step(std::string_view bytes);

struct remote_answer {
  std::int64_t clock_us = 0;
  std::vector<frame> frames;
};

std::string encode_remote_answer(std::int64_t clock_us, std::string_view frames);
/// Fails with `bad_request`, or `unsupported_version`.
result<remote_answer> decode_remote_answer(std::string_view bytes);

/// The text of a trace.
struct watched {
  jid about;
  bool bodies = false;
};
std::string encode(const watched& x);
result<watched> decode_watched(std::string_view bytes);

std::string encode(const trace::event& x);
/// Fails with `bad_request`.
result<trace::event> decode_event(std::string_view bytes);

} // namespace xmpp::shell
