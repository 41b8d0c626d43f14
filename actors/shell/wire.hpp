// Between `troupe shell` and the server: frames over a Unix socket.
//
//     frame     length (4 bytes, big-endian, of the payload)  type (1 byte)  payload
//
//     client -> server                                server -> client
//     H  version, flags (1 byte each), width (2)      H  version, greeting
//     C  a command line                               O  output    R  output that replaces the last R
//     Q  a line up to the cursor, to complete         E  what went wrong, for standard error
//     A  the answer to a question                     P  a question: 's' (secret) or 'v', then its text
//     S  stop the command; or no answer               W  completions: from (2 bytes), then lines
//     Z  width (2)                                    B  bytes that are for no terminal
//                                                     D  done: exit status (1 byte)
//
// H comes first, from the client; a server of another version answers with E and closes. One command at a time: after C
// the client sends only A, S, Z until D.
#pragma once

#include "protocol/error.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::shell {

inline constexpr std::uint8_t wire_version = 1;
inline constexpr std::size_t client_frame_bytes_max = 65'536;
inline constexpr std::size_t server_frame_bytes_max = 1'048'576;

enum class frame_type : char {
  hello = 'H',
  command = 'C',
  complete = 'Q',
  answer = 'A',
  stop = 'S',
  resize = 'Z',
  output = 'O',
  refresh = 'R',
  failure = 'E',
  ask = 'P',
  candidates = 'W',
  bytes = 'B',
  done = 'D',
  event = 'T', ///< Between nodes only: remote_wire.hpp.
};

inline constexpr std::size_t frame_header_bytes = 5;

struct frame {
  frame_type type{};
  std::string payload;
};

/// What the client says of itself.
struct client_hello {
  bool json = false, colour = false, utf8 = false;
  bool interactive = false; ///< A person is there to answer questions.
  bool screen = false;      ///< Output goes to a terminal, where `top` may refresh.
  bool one_shot = false;    ///< One command from the command line: needs no confirmation.
  std::uint16_t width = 0;  ///< Columns; 0: unknown.
  bool takes_bytes = false; ///< A backup, say.
};

std::string encode(const client_hello& x);
/// Fails with `unsupported_version`, `bad_request`.
result<client_hello> decode_client_hello(std::string_view payload);

struct completions {
  std::size_t from = 0;           ///< Where in the line the word begins that the candidates replace; bytes.
  std::vector<std::string> words; ///< Sorted.
};

std::string encode(const completions& x);
/// Fails with `bad_request`.
result<completions> decode_completions(std::string_view payload);

std::string encode_width(unsigned width);
std::uint16_t decode_width(std::string_view payload);

void append_frame(std::string& out, frame_type type, std::string_view payload);

/// Cuts received bytes into frames.
class frame_reader {
public:
  explicit frame_reader(std::size_t payload_bytes_max) : payload_bytes_max_(payload_bytes_max) {}

  void feed(std::string_view bytes) { buffer_.append(bytes); }
  /// Whether `next` has something to say.
  bool is_ready() const noexcept;
  /// The next whole frame; none: more bytes are needed. Fails with `policy_violation` on one over the limit, for good.
  result<std::optional<frame>> next();

private:
  std::size_t payload_size() const noexcept; // only with a whole header

  std::size_t payload_bytes_max_;
  std::string buffer_;
};

/// One end of the connection; blocking, for one thread.
class link {
public:
  enum class side { client, server };

  /// Takes over the socket; `own` is whose end this is.
  link(int descriptor, side own);
  ~link();
  link(const link&) = delete;

  /// Splits what is too long for a frame. False when the other end is gone, or reads nothing for 30 s.
  bool send(frame_type type, std::string_view payload);

  enum class outcome { frame, nothing, other, closed };
  /// Waits for a frame; `timeout_ms` < 0: for ever. When one of `others` has input it returns `other`, even before a
  /// frame that is there: else a flood of frames would hide the key that stops it.
  outcome receive(frame& into, int timeout_ms, std::initializer_list<int> others = {});

  int descriptor() const noexcept { return descriptor_; }

private:
  int descriptor_;
  frame_reader reader_;
  std::size_t sent_payload_bytes_max_;
};

} // namespace xmpp::shell
