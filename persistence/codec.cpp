#include "persistence/codec.hpp"

#include "protocol/limits.hpp"

#include <limits>

namespace xmpp::codec {

// -- fields
// ------------------------------------------------------------------------------------------------------------

void byte_writer::varint(std::uint64_t x) {
  while (x >= 0x80) {
    byte(static_cast<std::uint8_t>(x) | 0x80);
    x >>= 7;
  }
  byte(static_cast<std::uint8_t>(x));
}

void byte_writer::fixed64(std::uint64_t x) {
  for (auto shift = 56; shift >= 0; shift -= 8)
    byte(static_cast<std::uint8_t>(x >> shift));
}

void byte_writer::string(std::string_view x) {
  varint(x.size());
  raw(x);
}

std::uint8_t byte_reader::byte() {
  if (in_.empty()) {
    fail();
    return 0;
  }
  const auto x = static_cast<std::uint8_t>(in_.front());
  in_.remove_prefix(1);
  return x;
}

bool byte_reader::boolean() {
  const auto x = byte();
  if (x > 1)
    fail();
  return x == 1;
}

std::uint64_t byte_reader::varint() {
  auto x = std::uint64_t{0};
  for (auto shift = 0; shift < 64; shift += 7) {
    const auto b = byte();
    if (!ok_)
      return 0;
    const auto bits = std::uint64_t{b} & 0x7f;
    // One value, one spelling: nothing beyond 64 bits, no last byte that adds nothing.
    if ((shift == 63 && bits > 1) || (shift > 0 && b == 0))
      break;
    x |= bits << shift;
    if (b < 0x80)
      return x;
  }
  fail();
  return 0;
}

std::uint64_t byte_reader::varint(std::uint64_t max) {
  const auto x = varint();
  if (x <= max)
    return x;
  fail();
  return 0;
}

std::uint64_t byte_reader::fixed64() {
  if (in_.size() < 8) {
    fail();
    return 0;
  }
  auto x = std::uint64_t{0};
  for (const auto c : in_.substr(0, 8))
    x = (x << 8) | static_cast<unsigned char>(c);
  in_.remove_prefix(8);
  return x;
}

std::string_view byte_reader::string() {
  const auto size = varint();
  if (size > in_.size()) {
    fail();
    return {};
  }
  const auto x = in_.substr(0, size);
  in_.remove_prefix(size);
  return x;
}

std::string_view byte_reader::rest() {
  const auto x = in_;
  in_ = {};
  return x;
}

std::size_t byte_reader::count() {
  return varint(in_.size());
}

// -- records
// -----------------------------------------------------------------------------------------------------------

namespace {

constexpr std::uint8_t v1 = 1;

struct error corrupt(std::string_view what) {
  return {errc::corrupt_record, std::string{what}};
}

std::int64_t take_int64(byte_reader& from) {
  return static_cast<std::int64_t>(from.fixed64());
}

/// The address as it is written there, or the reader fails: only what a jid gave out.
jid take_jid(byte_reader& from, std::string_view text) {
  if (text.empty() || text.size() > 3 * jid_part_bytes_max + 2 || text.find('\0') != std::string_view::npos) {
    from.fail();
    return {};
  }
  auto x = jid::from_prepared(text);
  if (x.text() != text || x.local().size() > jid_part_bytes_max || x.domain().size() > jid_part_bytes_max ||
      x.resource().size() > jid_part_bytes_max) {
    from.fail();
    return {};
  }
  return x;
}

/// Empty is "no address".
jid take_optional_jid(byte_reader& from) {
  const auto text = from.string();
  return text.empty() ? jid{} : take_jid(from, text);
}

/// Begins reading a value; an unknown version fails.
byte_reader begin(std::string_view bytes) {
  auto from = byte_reader{bytes};
  if (from.byte() != v1)
    from.fail();
  return from;
}

} // namespace

std::string encode(const account_record& x) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.fixed64(static_cast<std::uint64_t>(x.created_ms));
  to.byte(x.disabled ? 1 : 0);
  to.string(x.credentials);
  return out;
}

result<account_record> decode_account(std::string_view bytes) {
  auto from = begin(bytes);
  auto out = account_record{};
  out.created_ms = take_int64(from);
  out.disabled = from.boolean();
  out.credentials = from.string();
  if (!from.finished())
    return corrupt("account_record");
  return out;
}

std::string encode(const last_activity_record& x) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.fixed64(static_cast<std::uint64_t>(x.ms));
  to.string(x.status);
  return out;
}

result<last_activity_record> decode_last_activity(std::string_view bytes) {
  auto from = begin(bytes);
  auto out = last_activity_record{};
  out.ms = take_int64(from);
  out.status = from.string();
  if (!from.finished())
    return corrupt("last_activity");
  return out;
}

std::string encode(const offline_summary& x) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.varint(x.messages);
  to.varint(x.bytes);
  return out;
}

result<offline_summary> decode_offline_summary(std::string_view bytes) {
  auto from = begin(bytes);
  auto out = offline_summary{};
  out.messages = static_cast<std::uint32_t>(from.varint(std::numeric_limits<std::uint32_t>::max()));
  out.bytes = from.varint();
  if (!from.finished())
    return corrupt("offline_summary");
  return out;
}

std::string encode(const offline_message& x) {
  auto out = std::string{};
  out.reserve(x.from.text().size() + x.to.text().size() + x.xml.size() + 26);
  auto to = byte_writer{out};
  to.byte(v1);
  to.string(x.from.text());
  to.string(x.to.text());
  to.fixed64(static_cast<std::uint64_t>(x.received_ms));
  to.fixed64(static_cast<std::uint64_t>(x.expires_ms));
  to.string(x.xml);
  to.string(x.only_for);
  return out;
}

result<offline_message> decode_offline_message(std::string_view bytes) {
  auto from = begin(bytes);
  auto out = offline_message{};
  out.from = take_optional_jid(from);
  out.to = take_optional_jid(from);
  out.received_ms = take_int64(from);
  out.expires_ms = take_int64(from);
  out.xml = from.string();
  out.only_for = from.string();
  if (!from.finished())
    return corrupt("offline_message");
  return out;
}

std::string encode(const pending_request& x) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.fixed64(static_cast<std::uint64_t>(x.received_ms));
  to.string(x.xml);
  return out;
}

result<pending_request> decode_pending_request(std::string_view contact, std::string_view bytes) {
  auto from = begin(bytes);
  auto out = pending_request{};
  out.received_ms = take_int64(from);
  out.xml = from.string();
  const auto whole = from.finished();
  out.contact = take_jid(from, contact);
  if (!whole || !from.ok())
    return corrupt("pending_request");
  return out;
}

std::string encode(const roster_item& x) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.string(x.name);
  to.byte(static_cast<std::uint8_t>(x.subscription));
  to.byte(static_cast<std::uint8_t>((x.ask ? 1 : 0) | (x.approved ? 2 : 0)));
  to.varint(x.groups.size());
  for (const auto& group : x.groups)
    to.string(group);
  return out;
}

result<roster_item> decode_roster_item(std::string_view contact, std::string_view bytes) {
  auto from = begin(bytes);
  auto out = roster_item{};
  out.name = from.string();
  const auto state = from.byte();
  const auto flags = from.byte();
  if (state > 3 || flags > 3)
    from.fail();
  out.subscription = static_cast<enum subscription>(state);
  out.ask = (flags & 1) != 0;
  out.approved = (flags & 2) != 0;
  const auto count = from.count();
  for (auto i = std::size_t{0}; i < count && from.ok(); ++i)
    out.groups.emplace_back(from.string());
  const auto whole = from.finished();
  out.contact = take_jid(from, contact);
  if (!whole || !from.ok())
    return corrupt("roster_item");
  return out;
}

std::string encode_block() {
  return std::string(1, static_cast<char>(v1));
}

result<jid> decode_block(std::string_view address, std::string_view bytes) {
  auto from = begin(bytes);
  const auto whole = from.finished();
  auto out = take_jid(from, address);
  if (!whole || !from.ok())
    return corrupt("block item");
  return out;
}

std::string encode_roster_version(std::uint64_t version) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.varint(version);
  return out;
}

result<std::uint64_t> decode_roster_version(std::string_view bytes) {
  auto from = begin(bytes);
  const auto version = from.varint();
  if (!from.finished())
    return corrupt("roster version");
  return version;
}

std::string encode_plain(std::string_view value) {
  auto out = std::string(1, static_cast<char>(v1));
  out += value;
  return out;
}

result<std::string_view> decode_plain(std::string_view bytes) {
  auto from = begin(bytes);
  if (!from.ok())
    return corrupt("record");
  return from.rest();
}

std::string encode_log_header(std::uint64_t term, log_entry::kind what) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.varint(term);
  to.byte(static_cast<std::uint8_t>(what));
  return out;
}

result<log_entry> decode_log_entry(shard_id shard, std::uint64_t index, std::string_view bytes) {
  auto from = begin(bytes);
  auto out = log_entry{};
  out.shard = shard;
  out.index = index;
  out.term = from.varint();
  const auto kind = from.byte();
  if (kind < 1 || kind > 3)
    from.fail();
  out.what = static_cast<log_entry::kind>(kind);
  if (!from.ok())
    return corrupt("log_entry");
  out.data = from.rest();
  return out;
}

std::string encode(const hard_state& x) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.varint(x.term);
  to.varint(x.voted_for);
  return out;
}

result<hard_state> decode_hard_state(std::string_view bytes) {
  auto from = begin(bytes);
  auto out = hard_state{};
  out.term = from.varint();
  out.voted_for = from.varint();
  if (!from.finished())
    return corrupt("hard_state");
  return out;
}

std::string encode(const log_snapshot& x) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.varint(x.index);
  to.varint(x.term);
  to.varint(x.members_index);
  to.raw(x.members);
  return out;
}

result<log_snapshot> decode_log_snapshot(std::string_view bytes) {
  auto from = begin(bytes);
  auto out = log_snapshot{};
  out.index = from.varint();
  out.term = from.varint();
  out.members_index = from.varint();
  if (!from.ok() || out.index == 0 || out.members_index > out.index)
    return corrupt("log_snapshot");
  out.members = from.rest();
  return out;
}

std::string encode(const applied_command& x) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.varint(x.index);
  to.fixed64(x.origin);
  to.varint(x.sequence);
  return out;
}

result<applied_command> decode_applied_command(std::string_view bytes) {
  auto from = begin(bytes);
  auto out = applied_command{};
  out.index = from.varint();
  out.origin = from.fixed64();
  out.sequence = from.varint();
  if (!from.finished())
    return corrupt("applied_command");
  return out;
}

std::string encode(const store_format& x) {
  auto out = std::string{};
  auto to = byte_writer{out};
  to.byte(v1);
  to.varint(x.format);
  to.varint(x.shard_count);
  return out;
}

result<store_format> decode_store_format(std::string_view bytes) {
  auto from = begin(bytes);
  auto out = store_format{};
  out.format = static_cast<std::uint32_t>(from.varint(std::numeric_limits<std::uint32_t>::max()));
  out.shard_count = static_cast<std::uint32_t>(from.varint(shard_count_max));
  if (!from.finished() || out.shard_count == 0)
    return corrupt("store_format");
  return out;
}

} // namespace xmpp::codec
