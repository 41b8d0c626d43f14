#include "persistence/backup.hpp"

#include "persistence/codec.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace xmpp {

namespace {

constexpr auto magic = std::string_view{"troupe backup\n"};
constexpr auto version = char{1};
constexpr auto header_bytes = std::size_t{5};
constexpr auto digest_bytes = std::size_t{32};
/// Many times the largest record, so that a length that is wrong takes no memory.
constexpr auto content_bytes_max = std::size_t{64} << 20;
constexpr auto text_bytes_max = std::size_t{256};
constexpr auto store_format_known = std::uint32_t{1};
constexpr auto may_lack_latest = std::uint64_t{1};

struct error damaged(const std::string& what) {
  return {errc::corrupt_record, "the backup is damaged: " + what};
}

struct error damaged(const std::string& what, shard_id shard) {
  return damaged(what + " of shard " + std::to_string(shard));
}

std::string header_of(char type, std::size_t content_bytes) {
  auto out = std::string(1, type);
  for (const auto shift : {24, 16, 8, 0})
    out.push_back(static_cast<char>(content_bytes >> shift & 0xff));
  return out;
}

std::size_t content_bytes(std::string_view header) {
  auto size = std::size_t{0};
  for (const auto c : header.substr(1, 4))
    size = size << 8 | static_cast<unsigned char>(c);
  return size;
}

bool is_name(std::string_view key) {
  return key[2] == 'n';
}

/// Of parts in the order of their shards.
template <class Parts>
std::vector<shard_id> missing_in(const Parts& parts, std::uint32_t shard_count) {
  auto out = std::vector<shard_id>{};
  auto next = parts.begin();
  for (auto shard = std::uint32_t{0}; shard < shard_count; ++shard)
    if (next != parts.end() && next->shard == shard)
      ++next;
    else
      out.push_back(static_cast<shard_id>(shard));
  return out;
}

template <class Parts>
std::vector<shard_id> behind_in(const Parts& parts) {
  auto out = std::vector<shard_id>{};
  for (const auto& x : parts)
    if (x.may_lack_latest)
      out.push_back(x.shard);
  return out;
}

} // namespace

std::uint64_t backup_summary::records() const noexcept {
  auto sum = std::uint64_t{0};
  for (const auto& x : shards)
    sum += x.records;
  return sum;
}

std::uint64_t backup_summary::accounts() const noexcept {
  auto sum = std::uint64_t{0};
  for (const auto& x : shards)
    sum += x.accounts;
  return sum;
}

std::vector<shard_id> backup_summary::missing() const {
  return missing_in(shards, head.shard_count);
}

std::vector<shard_id> backup_summary::behind() const {
  return behind_in(shards);
}

std::vector<shard_id> backup_source::missing() const {
  return missing_in(parts, head.shard_count);
}

std::vector<shard_id> backup_source::behind() const {
  return behind_in(parts);
}

// -- making ----------------------------------------------------------------------------------------------------------

backup_maker::backup_maker(backup_source what, std::size_t piece_bytes_max)
    : what_(std::move(what)), piece_bytes_max_(piece_bytes_max) {}

backup_maker::~backup_maker() {
  close();
}

void backup_maker::close() {
  if (const auto open = std::exchange(snapshot_, 0))
    what_.from->close_snapshot(open);
}

result<std::string> backup_maker::next() {
  auto out = std::string{};
  while (out.size() < piece_bytes_max_ && !has_ended_)
    if (auto done = step(out); !done)
      return done.error();
  return out;
}

void backup_maker::add(std::string& to, std::string_view bytes) {
  digest_.add(bytes);
  to += bytes;
}

void backup_maker::add_block(std::string& to, char type, std::string_view content) {
  add(to, header_of(type, content.size()));
  add(to, content);
}

result<void> backup_maker::step(std::string& to) {
  auto content = std::string{};
  auto fields = codec::byte_writer{content};
  if (!std::exchange(has_begun_, true)) {
    const auto& head = what_.head;
    fields.fixed64(static_cast<std::uint64_t>(head.made_ms));
    for (const auto* text : {&head.release, &head.cluster, &head.node})
      fields.string(*text);
    fields.varint(store_format_known);
    fields.varint(head.shard_count);
    add(to, magic);
    add(to, {&version, 1});
    add_block(to, 'B', content);
    return {};
  }
  if (part_ < what_.parts.size())
    return snapshot_ == 0 ? begin_shard(to) : add_keys(to);
  fields.varint(what_.parts.size());
  add(to, header_of('Z', content.size() + digest_bytes));
  add(to, content);
  to += digest_.digest();
  has_ended_ = true;
  return {};
}

result<void> backup_maker::begin_shard(std::string& to) {
  const auto& part = what_.parts[part_];
  const auto held = what_.from->open_snapshot(part.shard);
  if (!held)
    return held.error();
  snapshot_ = held->id;
  after_.clear();
  // A member that has nothing yet is no replica.
  if (what_.from->options().is_in_cluster && held->index == 0)
    return error{errc::item_not_found, "the replica of shard " + std::to_string(part.shard) + " has gone meanwhile"};
  auto content = std::string{};
  auto fields = codec::byte_writer{content};
  fields.varint(part.shard);
  fields.varint(held->index);
  fields.varint(part.may_lack_latest ? may_lack_latest : 0);
  add_block(to, 'S', content);
  return {};
}

result<void> backup_maker::add_keys(std::string& to) {
  const auto chunk = what_.from->read_snapshot(snapshot_, after_, piece_bytes_max_);
  if (!chunk)
    return chunk.error();
  auto content = std::string{};
  auto fields = codec::byte_writer{content};
  for (auto from = codec::byte_reader{chunk->bytes}; !from.at_end();) {
    const auto key = from.string();
    const auto value = from.string();
    if (keys::is_applied_command(key))
      continue;
    fields.string(key);
    fields.string(value);
  }
  if (content.size() > content_bytes_max)
    return error{errc::corrupt_record,
                 "a record of shard " + std::to_string(what_.parts[part_].shard) + " is larger than any can be"};
  if (!content.empty())
    add_block(to, 'K', content);
  after_ = chunk->last_key;
  if (chunk->is_last) {
    close();
    ++part_;
  }
  return {};
}

// -- reading ---------------------------------------------------------------------------------------------------------

backup_parser::backup_parser(visitor visit) : visit_(std::move(visit)) {}

result<void> backup_parser::feed(std::string_view bytes) {
  if (failed_)
    return *failed_;
  summary_.bytes += bytes.size();
  waiting_ += bytes;
  auto rest = std::string_view{waiting_};
  auto done = result<void>{};
  while (done) {
    if (!has_magic_) {
      if (rest.size() <= magic.size())
        break;
      done = take_magic();
      rest.remove_prefix(magic.size() + 1);
      continue;
    }
    if (has_ended_ && !rest.empty())
      done = damaged("something stands behind its end");
    if (!done || rest.size() < header_bytes)
      break;
    const auto size = content_bytes(rest);
    if (size > content_bytes_max)
      done = damaged("a length is out of range");
    if (!done || rest.size() < header_bytes + size)
      break;
    done = take(rest[0], rest.substr(0, header_bytes + size));
    rest.remove_prefix(header_bytes + size);
  }
  if (!done) {
    failed_ = done.error();
    waiting_ = {};
    return done;
  }
  waiting_.erase(0, waiting_.size() - rest.size());
  return {};
}

result<void> backup_parser::take_magic() {
  if (!waiting_.starts_with(magic))
    return error{errc::corrupt_record, "this is no backup of a Troupe server"};
  if (const auto made_with = waiting_[magic.size()]; made_with != version)
    return error{errc::unsupported_version, "the backup was made by a later release: it is of version " +
                                                std::to_string(static_cast<unsigned char>(made_with)) +
                                                ", and this release reads version 1"};
  digest_.add(std::string_view{waiting_}.substr(0, magic.size() + 1));
  has_magic_ = true;
  return {};
}

result<void> backup_parser::take(char type, std::string_view block) {
  if (type == 'Z' && has_begun_)
    return take_end(block);
  digest_.add(block);
  const auto content = block.substr(header_bytes);
  if (type == 'B' && !has_begun_)
    return take_begin(content);
  if (type == 'S' && has_begun_)
    return take_shard(content);
  if (type == 'K' && !summary_.shards.empty())
    return take_keys(content);
  return damaged("a part is unknown, or not where it should be");
}

result<void> backup_parser::take_begin(std::string_view content) {
  auto from = codec::byte_reader{content};
  auto& head = summary_.head;
  head.made_ms = static_cast<std::int64_t>(from.fixed64());
  auto is_fit = true;
  for (auto* text : {&head.release, &head.cluster, &head.node}) {
    *text = from.string();
    // They are shown to people.
    is_fit = is_fit && text->size() <= text_bytes_max &&
             std::all_of(text->begin(), text->end(), [](char c) { return c >= ' ' && c < 0x7f; });
  }
  const auto format = from.varint(std::numeric_limits<std::uint32_t>::max());
  head.shard_count = static_cast<std::uint32_t>(from.varint(shard_count_max));
  if (!from.finished() || !is_fit || head.shard_count == 0 || format == 0)
    return damaged("its beginning can not be read");
  if (format > store_format_known)
    return error{errc::unsupported_version, "the backup is of a store that a later release has written"};
  has_begun_ = true;
  return {};
}

result<void> backup_parser::take_shard(std::string_view content) {
  auto from = codec::byte_reader{content};
  auto x = backup_shard{};
  x.shard = static_cast<shard_id>(from.varint(summary_.head.shard_count - 1));
  x.index = from.varint();
  x.may_lack_latest = from.varint(may_lack_latest) != 0;
  if (!from.finished() || (!summary_.shards.empty() && summary_.shards.back().shard >= x.shard))
    return damaged("the beginning of a shard can not be read");
  summary_.shards.push_back(x);
  last_key_.clear();
  return {};
}

result<void> backup_parser::take_keys(std::string_view content) {
  auto& shard = summary_.shards.back();
  for (auto from = codec::byte_reader{content}; !from.at_end();) {
    const auto key = from.string();
    (void)from.string();
    if (!from.ok())
      return damaged("a record", shard.shard);
    if (key.size() < 3 || keys::shard_in(key) != shard.shard || keys::is_mark(key) || keys::is_applied_command(key) ||
        key <= last_key_ || shard.index == 0)
      return damaged("a record that does not belong there is in those", shard.shard);
    last_key_ = key;
    ++shard.records;
    shard.accounts += is_name(key);
  }
  return visit_ ? visit_(shard, content) : result<void>{};
}

result<void> backup_parser::take_end(std::string_view block) {
  if (block.size() < header_bytes + digest_bytes)
    return damaged("its end can not be read");
  const auto told = block.substr(block.size() - digest_bytes);
  block.remove_suffix(digest_bytes);
  digest_.add(block);
  summary_.digest = digest_.digest();
  auto from = codec::byte_reader{block.substr(header_bytes)};
  const auto shards = from.varint(shard_count_max);
  if (!from.finished() || shards != summary_.shards.size())
    return damaged("its end can not be read");
  if (told != summary_.digest)
    return damaged("its checksum does not fit");
  has_ended_ = true;
  return {};
}

result<backup_summary> backup_parser::finish() {
  if (failed_)
    return *failed_;
  if (!has_magic_ && !magic.starts_with(std::string_view{waiting_}.substr(0, magic.size())))
    return error{errc::corrupt_record, "this is no backup of a Troupe server"};
  if (!has_ended_)
    return error{errc::corrupt_record, "the backup is not whole: it was not finished, or it was cut off"};
  return summary_;
}

} // namespace xmpp
