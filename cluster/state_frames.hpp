// STATE FRAMES: what members of a group send each other: Raft's messages, and a state that travels beside the log, in
// parts that the receiver asks for one by one.
//
// fetch      := version, nonce 8 bytes, least varint, after string
// chunk      := version, nonce 8 bytes, after string, what string, is_last byte, last_key string, bytes string
// gone, done := version, nonce 8 bytes
//
// A version is one byte; numbers and strings as in persistence/codec.hpp.
#pragma once

#include "persistence/log.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp::state_frames {

/// The last byte of what members send each other.
enum class frame : char {
  raft = 'r',  ///< `raft::message`
  fetch = 'f', ///< `fetch_request`
  chunk = 'c', ///< `chunk_answer`
  gone = 'g',  ///< `nonce`: ask no more.
  done = 'd',  ///< `nonce`: it can be let go.
};

/// Asks for the keys of a state behind `after`. `nonce` is the asker's.
struct fetch_request {
  std::uint64_t nonce = 0, least = 0;
  std::string after;
};

struct chunk_answer {
  std::uint64_t nonce = 0;
  std::string after; ///< As it was asked for.
  std::string what;  ///< `log_snapshot`: what the state covers.
  state_chunk chunk;
};

std::string encode(const fetch_request& x);
std::string encode(const chunk_answer& x);
std::string encode_nonce(std::uint64_t nonce);

// Nothing: not of the grammar, or of a later version.
std::optional<fetch_request> decode_fetch(std::string_view bytes);
std::optional<chunk_answer> decode_chunk(std::string_view bytes);
std::optional<std::uint64_t> decode_nonce(std::string_view bytes);

} // namespace xmpp::state_frames
