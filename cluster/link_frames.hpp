// What two nodes say to each other on a link, as bytes (inside TLS), and the queue of what waits to be said.
//
//     link     = hello [use] *frame              each side; `use` from the node with the lower id only
//     frame    = kind length payload
//     kind     = 1 byte
//     length   = 4 bytes, big-endian, of the payload; at most `frame_bytes_max`
//
//     kind  name     payload
//     1     hello    version byte, cluster fixed64, node fixed64, process fixed64, software string, rest
//     2     use      nothing: of two connections between the same nodes this one is the link
//     3     ping     sent fixed64, of the sender's clock
//     4     pong     the same, returned
//     5     goodbye  why string; nothing follows
//     16    urgent   a frame of this channel; likewise
//     17    normal
//     18    bulk
//     32    join request, 33 join answer, 34 join refusal: instead of a link (cluster/join.hpp)
//
// Fields are those of persistence/codec.hpp. The version stands first and says how the rest of the hello is read; a
// later version may add to the end. Before its peer's hello a side says nothing but its own.
#pragma once

#include "cluster/identity.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp::cluster {

enum class frame_kind : std::uint8_t {
  hello = 1,
  use,
  ping,
  pong,
  goodbye,
  urgent = 16,
  normal,
  bulk,
  join_request = 32,
  join_answer,
  join_refusal
};

/// By priority: what waits in an earlier one goes first. Within each the order holds.
enum class channel : std::uint8_t {
  urgent, ///< Raft.
  normal, ///< Stanzas.
  bulk    ///< Snapshots: gets what the others leave.
};
constexpr auto channel_count = std::size_t{3};
constexpr frame_kind kind_of(channel x) noexcept {
  return static_cast<frame_kind>(static_cast<std::uint8_t>(frame_kind::urgent) + static_cast<std::uint8_t>(x));
}
/// Nothing: another kind of frame.
constexpr std::optional<channel> channel_of(frame_kind x) noexcept {
  if (x < frame_kind::urgent || x > frame_kind::bulk)
    return std::nullopt;
  return static_cast<channel>(static_cast<std::uint8_t>(x) - static_cast<std::uint8_t>(frame_kind::urgent));
}

constexpr std::uint8_t link_version = 1;
constexpr auto frame_head_bytes = std::size_t{5};
constexpr auto hello_bytes_max = std::size_t{1024};

void append_frame(std::string& to, frame_kind kind, std::string_view payload);

struct hello {
  std::uint8_t version = link_version;
  cluster_id cluster = 0;
  node_id node = 0;
  std::uint64_t process = 0; ///< Random for each start of a node.
  std::string software;      ///< For people.

  std::string encode() const;
  /// Of a version that we don't know, the version alone. Nothing: no hello at all.
  static std::optional<hello> decode(std::string_view bytes);
};

std::string encode_time(std::uint64_t x);
std::optional<std::uint64_t> decode_time(std::string_view bytes);
/// A peer's words, fit for a log: printable ASCII, not long.
std::string fit_words(std::string_view words);

/// Cuts a stream of bytes into frames. Holds at most one frame that is not whole, which grows as its bytes come.
class frame_reader {
public:
  struct frame {
    frame_kind kind = frame_kind::hello;
    std::string_view payload; ///< Valid until the next call.
  };
  enum class status : std::uint8_t {
    frame,   ///< There may be more.
    nothing, ///< All bytes are taken.
    too_long ///< Or none of the kinds above; for good.
  };

  explicit frame_reader(std::size_t frame_bytes_max) : bytes_max_(frame_bytes_max) {}

  /// Gives it bytes, which must stay until `next` has returned `nothing`.
  void feed(std::string_view bytes) { in_ = bytes; }
  status next(frame& to);
  /// A smaller limit than the general one, say before a peer is known.
  void set_bytes_max(std::size_t bytes) noexcept { bytes_max_ = bytes; }

private:
  std::size_t bytes_max_;
  std::string_view in_;
  std::string partial_;
  bool is_handed_out_ = false; ///< `partial_`, whole.
  bool is_lost_ = false;
};

/// What waits for one peer: three queues of framed bytes. Not for two threads at once.
class outbox {
public:
  explicit outbox(std::size_t channel_bytes_max) : bytes_max_(channel_bytes_max) {}

  /// False, and nothing is taken, when it would hold more than the channel may.
  bool add(channel to, std::string_view payload);
  /// Moves whole frames to `pack`, the first channel's first, until it has `pack_bytes` or more would exceed them; a
  /// frame that is larger goes alone.
  void take(std::string& pack, std::size_t pack_bytes);
  std::size_t waiting(channel which) const noexcept { return queues_[std::size_t(which)].waiting(); }
  bool is_empty() const noexcept;
  void clear();

private:
  struct queue {
    std::string bytes;
    std::size_t begin = 0;
    std::size_t waiting() const noexcept { return bytes.size() - begin; }
  };

  std::size_t bytes_max_;
  std::array<queue, channel_count> queues_;
};

} // namespace xmpp::cluster
