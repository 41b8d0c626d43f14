// What a command changes: an ordered list of physical changes of state keys. Applying it twice is the same as once.
#pragma once

#include "persistence/keys.hpp"
#include "protocol/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace xmpp {

/// Puts and erasures, in order, kept as the bytes that travel and are logged:
///
///     change := 'p' <string key> <string value> | 'e' <string key> | 'r' <string first> <string end>
///     string := <varint length> bytes
///
/// 'r' erases the keys from `first` up to but not including `end`.
/// All keys belong to one shard, that of the command.
class write_set {
public:
  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);
  /// All keys that begin with `prefix`, which is at least a shard and an area.
  void erase_prefix(std::string_view prefix);
  /// Keys in [first, end). The store looks each of them up: prefer single erasures of keys that are known.
  void erase_range(std::string_view first, std::string_view end);

  bool empty() const noexcept { return bytes_.empty(); }
  std::size_t size_bytes() const noexcept { return bytes_.size(); }
  const std::string& bytes() const noexcept { return bytes_; }
  void clear() noexcept { bytes_.clear(); }
  /// Adds the other's changes behind these.
  void append(const write_set& other) { bytes_ += other.bytes_; }

  friend bool operator==(const write_set&, const write_set&) = default;

private:
  friend struct command;
  std::string bytes_;
};

/// One change, for those who apply it.
struct change {
  enum class kind : char { put = 'p', erase = 'e', erase_range = 'r' } what;
  std::string_view key;   ///< Of a range: its first.
  std::string_view value; ///< Of a range: its end.
};

/// What is logged and replicated: a write set and who asked for it.
///
///     command := 01 <origin 8> <sequence 8> change*
struct command {
  /// Which client of the log (a user actor's life on one node, drawn at random), and its count of commands, from 1.
  /// A command that is sent again, because its outcome was unknown, keeps both: groups apply it once (store.hpp). With
  /// one node nothing is sent again. Origin 0 is for what never is.
  std::uint64_t origin = 0;
  std::uint64_t sequence = 0;
  write_set changes;

  std::string encode() const;
  /// Also checks every change; `corrupt_record` if any is malformed.
  static result<command> decode(std::string_view bytes);
};

/// Origin and sequence of an encoded command; zeros when it is none.
std::pair<std::uint64_t, std::uint64_t> origin_of(std::string_view encoded_command) noexcept;

/// Visits the changes of an encoded command without copying. Fails with `corrupt_record` when the bytes are malformed
/// or a key belongs to another shard than `shard`; earlier changes have been visited then: check before, with an
/// empty `visit`.
result<void> for_each_change(std::string_view encoded_command, shard_id shard,
                             const std::function<void(const change&)>& visit);

} // namespace xmpp
