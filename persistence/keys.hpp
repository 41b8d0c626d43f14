// The layout of everything on disk: a table to read a dump with, and the functions that build its keys.
//
// STATE STORE (RocksDB without WAL: it is what the log below leads to). All numbers in keys are big-endian, so that
// byte order is numeric order.
//
//     key                                            value                  format
//     <shard> '!' "applied"                          applied index          8 bytes
//     <shard> '!' "installing"                       empty                       it is being replaced, and not whole
//     <shard> 'a' <bare JID> 00 <family> <sub-key>   a record of an account see below
//     <shard> 'c' <index modulo `sent_again_within`> applied_command        v1   of groups: what not to apply again
//     <shard> 'n' <domain> 00 <local>                empty                       one per account: its name
//     ff fe   's' "state"                            cluster::state         v1   of the system group
//     ff ff   '!' "format"                           store_format           v1
//
//   <shard> is 2 bytes, so a shard is one contiguous range: snapshot, move and delete are range operations. A prepared
//   JID has no zero byte, so one prefix reads an account's records and nobody else's.
//
//   Families of an account. Capitals are small and read together when its user actor starts, in one scan that ends
//   before the small letters; those are large or many, and read when asked for.
//
//     'A'                            account_record       v1   it exists; credentials, created, disabled
//     'B' <JID>                      block item           v1   XEP-0191
//     'L'                            last_activity        v1   XEP-0012
//     'O'                            offline_summary      v1   how many messages wait under 'o', and their bytes
//     'P' <bare JID>                 pending_request      v1   an inbound request not answered yet
//     'R' <bare JID>                 roster_item          v1
//     'S' <name>                     setting              v1
//     'V'                            roster version       v1   counts changes of the roster
//     'o' <stored id>                offline_message      v1   16 bytes, time-ordered (ids.hpp)
//     'r' <name>                     record               v1   `vcard`, `private:<name> <namespace>`, ...
//
// LOG STORE (RocksDB with WAL; every batch synced)
//
//     <shard> 'L' <index>            log_entry            v1   index: 8 bytes
//     <shard> 'M'                    hard_state           v1   only of groups; without it the shard is a lone node's
//     <shard> 'P'                    log_snapshot         v1   only of groups: where the log begins
//     ff ff   '!' "format"           store_format         v1
//
// - Values begin with their version, except where a format is given. Readers know every version ever written; a
//   version, a family or an area that was once used is never given another meaning.
// - Reserved: areas 'm' (rooms: <shard> 'm' <room JID> 00 <family> ...) and 't' (resume tokens); account families 'D'
//   (devices, push), 'i' (inbox), 'm' (archive: <stored id>), 'p' (PEP nodes and items); the shards from ff00 up,
//   of which fffe is the system group and ffff the store itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace xmpp {

/// A slice of all bare JIDs: 0 <= shard < shard_count <= `shard_count_max`.
using shard_id = std::uint16_t;

inline constexpr std::uint32_t shard_count_max = 4'096;

/// Of the group of all nodes; it has a log and a state like any other.
inline constexpr shard_id system_shard = 0xfffe;

/// A command that is sent again this many indexes after it was applied, or later, is applied again.
inline constexpr std::uint64_t sent_again_within = 16'384;

/// The shard that holds `bare_jid` (prepared text). Stable for ever: every store and every node depends on it.
/// FNV-1a with 64 bits, the finalizer of MurmurHash3 over it, then the high half of the product with `shard_count`.
/// `shard_count` is at least 1.
shard_id shard_of(std::string_view bare_jid, std::uint32_t shard_count) noexcept;

namespace keys {

enum class family : char {
  account = 'A',
  block = 'B',
  last_activity = 'L',
  offline_summary = 'O',
  pending_request = 'P',
  roster_item = 'R',
  setting = 'S',
  roster_version = 'V',
  first_cold = 'a', ///< Not a family: where the scan of the small ones ends.
  offline_message = 'o',
  record = 'r',
};

// -- state store --

/// Everything of an account except its name in the index.
std::string account_prefix(shard_id shard, std::string_view bare_jid);
/// All records of one family of an account; also the key of a family that has a single record.
std::string family_prefix(shard_id shard, std::string_view bare_jid, family f);
std::string record_key(shard_id shard, std::string_view bare_jid, family f, std::string_view sub_key);
/// Names of a host's accounts in that shard.
std::string names_prefix(shard_id shard, std::string_view domain);
std::string name_key(shard_id shard, std::string_view domain, std::string_view local);
std::string applied_key(shard_id shard);
std::string installing_key(shard_id shard);
std::string applied_commands_prefix(shard_id shard);
std::string applied_command_key(shard_id shard, std::uint64_t index);
std::string system_state_key();
/// All that a shard has, in either store.
std::string shard_prefix(shard_id shard);
/// It says something about the state and is no part of it.
bool is_mark(std::string_view key) noexcept;
/// It says which commands led to the state, for who goes on with the log.
bool is_applied_command(std::string_view key) noexcept;

// -- log store --

std::string log_prefix(shard_id shard);
std::string log_key(shard_id shard, std::uint64_t index);
/// The index in a key of the log; 0, which no entry has, for any other key.
std::uint64_t log_index(std::string_view key) noexcept;
std::string hard_state_key(shard_id shard);
std::string log_snapshot_key(shard_id shard);

// -- both --

std::string format_key();
/// The shard in any key; ffff when it is too short to have one.
shard_id shard_in(std::string_view key) noexcept;
/// The first key behind all that begin with `prefix`; empty when there is none (all ff).
std::string after_prefix(std::string_view prefix);

} // namespace keys
} // namespace xmpp
