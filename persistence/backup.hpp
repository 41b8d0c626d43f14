// BACKUP: the accounts of a store as bytes to be kept elsewhere: one file, written and read from front to back.
//
//     backup  := "troupe backup\n" <version 01> begin (shard keys*)* end
//     each of these is   <type> <length of the content, 4 bytes, big-endian> content
//
//     type         content
//     'B'  begin   made int64, release string, cluster string, node string, format varint, shards varint
//     'S'  shard   shard varint, index varint, flags varint (1: may lack the latest)
//     'K'  keys    (<string key> <string value>)*, of that shard, as in keys.hpp
//     'Z'  end     shards varint, SHA-256 of all that stands before it (32 bytes)
//
//   made: milliseconds since 1970; release: of the server; cluster and node: their ids, empty of a lone node;
//   format: the store's (`store_format`); shards: of `begin` all that the store has, of `end` those that are in here.
//   Shards and keys ascend. How numbers and strings are written: codec.hpp.
//
// - A shard is as it was at one index of its log. Two shards may be of different moments.
// - Not in here: the log; marks; which commands were applied lately, since nobody who might send one again outlives a
//   restored store; the system group's state, since a cluster made of a backup is another one.
// - Without its end it is no backup: so one that was cut off is never taken for whole.
// - Later versions: another number, which this one refuses. Files have no names in them, and keys of no other shard.
// - There are secrets in here: SCRAM keys, messages.
#pragma once

#include "persistence/store.hpp"
#include "protocol/error.hpp"
#include "protocol/hash.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

/// What a backup says of itself.
struct backup_head {
  std::int64_t made_ms = 0;
  std::string release;
  std::string cluster, node; ///< Empty: of a lone node.
  std::uint32_t shard_count = 0;
};

struct backup_shard {
  shard_id shard = 0;
  std::uint64_t index = 0;
  bool may_lack_latest = false; ///< It came from a replica that may have been behind.
  std::uint64_t records = 0, accounts = 0;
};

struct backup_summary {
  backup_head head;
  std::vector<backup_shard> shards; ///< Those that are in it, in order.
  std::uint64_t bytes = 0;          ///< Of the whole file.
  std::string digest;               ///< 32 bytes.

  std::uint64_t records() const noexcept;
  std::uint64_t accounts() const noexcept;
  std::vector<shard_id> missing() const;
  std::vector<shard_id> behind() const; ///< They may lack the latest.
};

/// What is to be backed up.
struct backup_source {
  struct part {
    shard_id shard = 0;
    bool may_lack_latest = false;
  };
  const store* from = nullptr; ///< Outlives all that is made of it.
  backup_head head;
  std::vector<part> parts; ///< In order.

  std::vector<shard_id> missing() const;
  std::vector<shard_id> behind() const;
};

/// Makes a backup of a store in use. It reads one shard after the other, each from a snapshot, and keeps one piece in
/// memory. For one thread, which waits for the disk.
class backup_maker {
public:
  explicit backup_maker(backup_source what, std::size_t piece_bytes_max = 256 << 10);
  ~backup_maker();
  backup_maker(const backup_maker&) = delete;
  backup_maker& operator=(const backup_maker&) = delete;

  /// The next bytes, a little more than `piece_bytes_max` and at most one record; none: that was all. Fails as the
  /// store's reads do, and with `item_not_found` when a shard is no longer here: then there is no backup.
  result<std::string> next();

private:
  result<void> step(std::string& to);
  result<void> begin_shard(std::string& to);
  result<void> add_keys(std::string& to);
  void add(std::string& to, std::string_view bytes);
  void add_block(std::string& to, char type, std::string_view content);
  void close();

  backup_source what_;
  std::size_t piece_bytes_max_;
  sha256 digest_;
  std::size_t part_ = 0;
  std::uint64_t snapshot_ = 0; ///< Of the shard of that part; 0: not open.
  std::string after_;          ///< Keys up to here were given.
  bool has_begun_ = false, has_ended_ = false;
};

/// Reads a backup as its bytes come, and checks all that can be checked without a store.
class backup_parser {
public:
  /// Keys of a shard, for `store::install`. An error stops the reading.
  using visitor = std::function<result<void>(const backup_shard& of, std::string_view chunk)>;

  explicit backup_parser(visitor visit = {});

  /// Fails with `corrupt_record`, with `unsupported_version` (made by a later release), or as the visitor does. Keys
  /// have been visited then. The reading is over: it fails the same way again.
  result<void> feed(std::string_view bytes);
  /// When there are no more bytes. Fails with `corrupt_record` when it is not whole.
  result<backup_summary> finish();

  std::uint64_t bytes() const noexcept { return summary_.bytes; }

private:
  result<void> take_magic();
  result<void> take(char type, std::string_view block);
  result<void> take_begin(std::string_view content);
  result<void> take_shard(std::string_view content);
  result<void> take_keys(std::string_view content);
  result<void> take_end(std::string_view block);

  visitor visit_;
  backup_summary summary_;
  sha256 digest_;
  std::string waiting_; ///< The beginning of a block.
  std::string last_key_;
  std::optional<struct error> failed_;
  bool has_magic_ = false, has_begun_ = false, has_ended_ = false;
};

} // namespace xmpp
