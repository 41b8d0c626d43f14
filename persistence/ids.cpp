#include "persistence/ids.hpp"

namespace xmpp {

namespace {

constexpr auto counter_mask = (std::uint64_t{1} << 48) - 1;

void append_big_endian(std::string& out, std::uint64_t x) {
  for (auto shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((x >> shift) & 0xff));
}

std::uint64_t big_endian(std::string_view bytes) {
  auto x = std::uint64_t{0};
  for (const auto c : bytes)
    x = (x << 8) | static_cast<unsigned char>(c);
  return x;
}

} // namespace

std::string stored_id::bytes() const {
  auto out = std::string{};
  out.reserve(16);
  append_big_endian(out, ms);
  append_big_endian(out, node_and_counter);
  return out;
}

std::string stored_id::text() const {
  static constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto out = std::string{};
  out.reserve(32);
  for (const auto c : bytes()) {
    out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(digits[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

result<stored_id> stored_id::from_bytes(std::string_view bytes) {
  if (bytes.size() != 16)
    return error{errc::corrupt_record, "a stored id has 16 bytes"};
  return stored_id{big_endian(bytes.substr(0, 8)), big_endian(bytes.substr(8))};
}

result<stored_id> stored_id::from_text(std::string_view text) {
  if (text.size() != 32)
    return error{errc::corrupt_record, "a stored id has 32 digits"};
  auto out = stored_id{};
  for (auto i = std::size_t{0}; i < 32; ++i) {
    const auto c = text[i];
    const auto digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0)
      return error{errc::corrupt_record, "a stored id has hexadecimal digits only"};
    auto& half = i < 16 ? out.ms : out.node_and_counter;
    half = (half << 4) | static_cast<std::uint64_t>(digit);
  }
  return out;
}

id_generator::id_generator(std::uint16_t node, std::uint64_t start) noexcept
    : node_(std::uint64_t{node} << 48), counter_(start & counter_mask) {}

stored_id id_generator::next(std::int64_t now_ms) noexcept {
  const auto now = now_ms > 0 ? static_cast<std::uint64_t>(now_ms) : 0;
  auto ms = now > last_.ms ? now : last_.ms;
  counter_ = (counter_ + 1) & counter_mask;
  // Inside one millisecond the rest must grow; where it would not (the counter began anew, or what was seen came from a
  // node with a higher number) the next millisecond begins early.
  if (ms == last_.ms && (node_ | counter_) <= last_.node_and_counter)
    ++ms;
  last_ = {ms, node_ | counter_};
  return last_;
}

void id_generator::observe(const stored_id& seen) noexcept {
  if (seen > last_)
    last_ = seen;
}

} // namespace xmpp
