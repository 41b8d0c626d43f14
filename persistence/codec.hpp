// Records <-> bytes. A value begins with its version; what follows is written here, and read with distrust: a length is
// checked against what is left before anything is made of it, and bytes left over are an error.
//
//   varint: LEB128, shortest form, 64 bits at most; int64 as 8 bytes big-endian; string: varint length, bytes; bool: 0
//   or 1; list: varint count, items. JIDs are strings in their prepared form, not prepared again.
//
//     account_record v1        created int64, disabled bool, credentials string
//     last_activity v1         ms int64, status string
//     offline_summary v1       messages varint, bytes varint
//     offline_message v1       from string, to string, received int64, expires int64, xml string,
//                              resource string
//     pending_request v1       received int64, xml string         the contact stands in the key
//     block item v1            nothing                            the address stands in the key
//     roster_item v1           name string, subscription byte (0 none, 1 to, 2 from, 3 both), flags byte (1 ask,
//                              2 approved), list of group strings the contact stands in the key
//     roster version v1        varint
//     setting, record v1       the value as it is, to the end
//     log_entry v1             term varint, kind byte, data to the end
//     hard_state v1            term varint, vote varint
//     log_snapshot v1          index varint, term varint, members' index varint, members to the end
//     applied_command v1       index varint, origin 8 bytes, sequence varint
//     store_format v1          format varint, shard count varint
#pragma once

#include "persistence/accounts.hpp"
#include "persistence/log.hpp"
#include "persistence/offline.hpp"
#include "persistence/rosters.hpp"
#include "protocol/error.hpp"
#include "protocol/roster.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xmpp::codec {

/// Appends fields to a string.
class byte_writer {
public:
  explicit byte_writer(std::string& out) : out_(out) {}
  void byte(std::uint8_t x) { out_.push_back(static_cast<char>(x)); }
  void varint(std::uint64_t x);
  void fixed64(std::uint64_t x); ///< 8 bytes, big-endian.
  void string(std::string_view x);
  void raw(std::string_view x) { out_ += x; }

private:
  std::string& out_;
};

/// Takes fields from bytes. After a failure every further read gives zero or empty: check `ok` once, at the end.
class byte_reader {
public:
  explicit byte_reader(std::string_view in) : in_(in) {}
  std::uint8_t byte();
  bool boolean();
  std::uint64_t varint();
  std::uint64_t varint(std::uint64_t max); ///< More than `max` is a failure.
  std::uint64_t fixed64();
  std::string_view string();
  std::string_view rest();
  /// A list's count: at most the bytes left, since each item has at least one.
  std::size_t count();
  void fail() noexcept {
    ok_ = false;
    in_ = {};
  }
  bool ok() const noexcept { return ok_; }
  bool at_end() const noexcept { return in_.empty(); }
  /// Everything was well formed and nothing is left.
  bool finished() const noexcept { return ok_ && in_.empty(); }

private:
  std::string_view in_;
  bool ok_ = true;
};

// Decoders fail with `corrupt_record`: an unknown version, a value out of range, too few or too many bytes.

std::string encode(const account_record& x);
std::string encode(const last_activity_record& x);
std::string encode(const offline_summary& x);
std::string encode(const offline_message& x);
std::string encode(const pending_request& x);
std::string encode(const roster_item& x);
std::string encode_block();
std::string encode_roster_version(std::uint64_t version);
std::string encode_plain(std::string_view value);
/// What stands before a log entry's data; shard and index stand in the key.
std::string encode_log_header(std::uint64_t term, log_entry::kind what);

result<account_record> decode_account(std::string_view bytes);
result<last_activity_record> decode_last_activity(std::string_view bytes);
result<offline_summary> decode_offline_summary(std::string_view bytes);
result<offline_message> decode_offline_message(std::string_view bytes);
result<pending_request> decode_pending_request(std::string_view contact, std::string_view bytes);
result<roster_item> decode_roster_item(std::string_view contact, std::string_view bytes);
result<jid> decode_block(std::string_view address, std::string_view bytes);
result<std::uint64_t> decode_roster_version(std::string_view bytes);
result<std::string_view> decode_plain(std::string_view bytes);
result<log_entry> decode_log_entry(shard_id shard, std::uint64_t index, std::string_view bytes);

std::string encode(const hard_state& x);
std::string encode(const log_snapshot& x);
result<hard_state> decode_hard_state(std::string_view bytes);
result<log_snapshot> decode_log_snapshot(std::string_view bytes);

/// Which command was applied at an index.
struct applied_command {
  std::uint64_t index = 0, origin = 0, sequence = 0;
};
std::string encode(const applied_command& x);
result<applied_command> decode_applied_command(std::string_view bytes);

struct store_format {
  std::uint32_t format = 1; ///< Of the whole layout (keys.hpp).
  std::uint32_t shard_count = 0;
};
std::string encode(const store_format& x);
result<store_format> decode_store_format(std::string_view bytes);

} // namespace xmpp::codec
