#include "cluster/state_frames.hpp"

#include "persistence/codec.hpp"

#include <utility>

namespace xmpp::state_frames {

namespace {

constexpr std::uint8_t version = 1;

} // namespace

std::string encode(const fetch_request& x) {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(version);
  to.fixed64(x.nonce);
  to.varint(x.least);
  to.string(x.after);
  return out;
}

std::optional<fetch_request> decode_fetch(std::string_view bytes) {
  auto from = codec::byte_reader{bytes};
  auto out = fetch_request{};
  const auto is_known = from.byte() == version;
  out.nonce = from.fixed64();
  out.least = from.varint();
  out.after = from.string();
  return is_known && from.finished() ? std::optional{std::move(out)} : std::nullopt;
}

std::string encode(const chunk_answer& x) {
  auto out = std::string{};
  out.reserve(x.chunk.bytes.size() + x.what.size() + x.after.size() + x.chunk.last_key.size() + 64);
  auto to = codec::byte_writer{out};
  to.byte(version);
  to.fixed64(x.nonce);
  to.string(x.after);
  to.string(x.what);
  to.byte(x.chunk.is_last ? 1 : 0);
  to.string(x.chunk.last_key);
  to.string(x.chunk.bytes);
  return out;
}

std::optional<chunk_answer> decode_chunk(std::string_view bytes) {
  auto from = codec::byte_reader{bytes};
  auto out = chunk_answer{};
  const auto is_known = from.byte() == version;
  out.nonce = from.fixed64();
  out.after = from.string();
  out.what = from.string();
  out.chunk.is_last = from.boolean();
  out.chunk.last_key = from.string();
  out.chunk.bytes = from.string();
  return is_known && from.finished() ? std::optional{std::move(out)} : std::nullopt;
}

std::string encode_nonce(std::uint64_t nonce) {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(version);
  to.fixed64(nonce);
  return out;
}

std::optional<std::uint64_t> decode_nonce(std::string_view bytes) {
  auto from = codec::byte_reader{bytes};
  const auto is_known = from.byte() == version;
  const auto nonce = from.fixed64();
  return is_known && from.finished() ? std::optional{nonce} : std::nullopt;
}

} // namespace xmpp::state_frames
