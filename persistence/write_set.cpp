#include "persistence/write_set.hpp"

#include "persistence/codec.hpp"

#include <optional>

namespace xmpp {

namespace {

constexpr std::uint8_t command_version = 1;

void append_change(std::string& out, change::kind what, std::string_view key) {
  auto to = codec::byte_writer{out};
  to.byte(static_cast<std::uint8_t>(what));
  to.string(key);
}

std::optional<change> take_change(codec::byte_reader& from) {
  const auto what = static_cast<change::kind>(from.byte());
  const auto known = what == change::kind::put || what == change::kind::erase || what == change::kind::erase_range;
  if (!from.ok() || !known) {
    from.fail();
    return {};
  }
  const auto key = from.string();
  const auto value = what == change::kind::erase ? std::string_view{} : from.string();
  if (!from.ok())
    return {};
  return change{what, key, value};
}

/// Key and, of a range, its end too: area and all belong to that shard.
bool inside(const change& x, shard_id shard) {
  if (x.key.size() < 3 || keys::shard_in(x.key) != shard)
    return false;
  if (x.what != change::kind::erase_range)
    return true;
  return x.value.size() >= 2 && x.value >= x.key && keys::shard_in(x.value) == shard;
}

} // namespace

void write_set::put(std::string_view key, std::string_view value) {
  append_change(bytes_, change::kind::put, key);
  codec::byte_writer{bytes_}.string(value);
}

void write_set::erase(std::string_view key) {
  append_change(bytes_, change::kind::erase, key);
}

void write_set::erase_prefix(std::string_view prefix) {
  erase_range(prefix, keys::after_prefix(prefix));
}

void write_set::erase_range(std::string_view first, std::string_view end) {
  append_change(bytes_, change::kind::erase_range, first);
  codec::byte_writer{bytes_}.string(end);
}

std::string command::encode() const {
  auto out = std::string{};
  out.reserve(17 + changes.size_bytes());
  auto to = codec::byte_writer{out};
  to.byte(command_version);
  to.fixed64(origin);
  to.fixed64(sequence);
  to.raw(changes.bytes());
  return out;
}

result<command> command::decode(std::string_view bytes) {
  auto from = codec::byte_reader{bytes};
  auto out = command{};
  const auto version = from.byte();
  out.origin = from.fixed64();
  out.sequence = from.fixed64();
  if (!from.ok() || version != command_version)
    return error{errc::corrupt_record, "not a command"};
  const auto changes = bytes.substr(17);
  while (!from.at_end())
    if (!take_change(from))
      return error{errc::corrupt_record, "malformed change in a command"};
  out.changes.bytes_ = changes;
  return out;
}

std::pair<std::uint64_t, std::uint64_t> origin_of(std::string_view encoded_command) noexcept {
  auto from = codec::byte_reader{encoded_command};
  const auto version = from.byte();
  const auto origin = from.fixed64();
  const auto sequence = from.fixed64();
  if (!from.ok() || version != command_version)
    return {};
  return {origin, sequence};
}

result<void> for_each_change(std::string_view encoded_command, shard_id shard,
                             const std::function<void(const change&)>& visit) {
  auto from = codec::byte_reader{encoded_command};
  const auto version = from.byte();
  from.fixed64();
  from.fixed64();
  if (!from.ok() || version != command_version)
    return error{errc::corrupt_record, "not a command"};
  while (!from.at_end()) {
    const auto x = take_change(from);
    if (!x)
      return error{errc::corrupt_record, "malformed change in a command"};
    if (!inside(*x, shard))
      return error{errc::corrupt_record, "a change outside its shard"};
    if (visit)
      visit(*x);
  }
  return {};
}

} // namespace xmpp
