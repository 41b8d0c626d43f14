#include "persistence/keys.hpp"

namespace xmpp {

shard_id shard_of(std::string_view bare_jid, std::uint32_t shard_count) noexcept {
  auto x = std::uint64_t{0xcbf29ce484222325}; // FNV-1a
  for (const auto c : bare_jid) {
    x ^= static_cast<unsigned char>(c);
    x *= 0x100000001b3;
  }
  x ^= x >> 33; // MurmurHash3's finalizer: FNV leaves the high bits of short texts too regular.
  x *= 0xff51afd7ed558ccd;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53;
  x ^= x >> 33;
  return static_cast<shard_id>(((x >> 32) * shard_count) >> 32);
}

namespace keys {

namespace {

constexpr shard_id store_itself = 0xffff;

void append_shard(std::string& out, shard_id shard) {
  out.push_back(static_cast<char>(shard >> 8));
  out.push_back(static_cast<char>(shard & 0xff));
}

void append_number(std::string& out, std::uint64_t x) {
  for (auto shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((x >> shift) & 0xff));
}

std::string begin(shard_id shard, char area, std::size_t more) {
  auto out = std::string{};
  out.reserve(3 + more);
  append_shard(out, shard);
  out.push_back(area);
  return out;
}

} // namespace

std::string account_prefix(shard_id shard, std::string_view bare_jid) {
  auto out = begin(shard, 'a', bare_jid.size() + 1);
  out += bare_jid;
  out.push_back('\0');
  return out;
}

std::string family_prefix(shard_id shard, std::string_view bare_jid, family f) {
  return record_key(shard, bare_jid, f, {});
}

std::string record_key(shard_id shard, std::string_view bare_jid, family f, std::string_view sub_key) {
  auto out = begin(shard, 'a', bare_jid.size() + 2 + sub_key.size());
  out += bare_jid;
  out.push_back('\0');
  out.push_back(static_cast<char>(f));
  out += sub_key;
  return out;
}

std::string names_prefix(shard_id shard, std::string_view domain) {
  return name_key(shard, domain, {});
}

std::string name_key(shard_id shard, std::string_view domain, std::string_view local) {
  auto out = begin(shard, 'n', domain.size() + 1 + local.size());
  out += domain;
  out.push_back('\0');
  out += local;
  return out;
}

std::string applied_key(shard_id shard) {
  return begin(shard, '!', 7) += "applied";
}

std::string installing_key(shard_id shard) {
  return begin(shard, '!', 10) += "installing";
}

std::string applied_commands_prefix(shard_id shard) {
  return begin(shard, 'c', 0);
}

std::string applied_command_key(shard_id shard, std::uint64_t index) {
  auto out = begin(shard, 'c', 8);
  append_number(out, index % sent_again_within);
  return out;
}

std::string system_state_key() {
  return begin(system_shard, 's', 5) += "state";
}

std::string shard_prefix(shard_id shard) {
  auto out = std::string{};
  append_shard(out, shard);
  return out;
}

bool is_mark(std::string_view key) noexcept {
  return key.size() > 2 && key[2] == '!';
}

bool is_applied_command(std::string_view key) noexcept {
  return key.size() > 2 && key[2] == 'c';
}

std::string log_prefix(shard_id shard) {
  return begin(shard, 'L', 0);
}

std::string log_key(shard_id shard, std::uint64_t index) {
  auto out = begin(shard, 'L', 8);
  append_number(out, index);
  return out;
}

std::string hard_state_key(shard_id shard) {
  return begin(shard, 'M', 0);
}

std::string log_snapshot_key(shard_id shard) {
  return begin(shard, 'P', 0);
}

std::uint64_t log_index(std::string_view key) noexcept {
  if (key.size() != 11 || key[2] != 'L')
    return 0;
  auto index = std::uint64_t{0};
  for (const auto c : key.substr(3))
    index = (index << 8) | static_cast<unsigned char>(c);
  return index;
}

std::string format_key() {
  return begin(store_itself, '!', 6) += "format";
}

shard_id shard_in(std::string_view key) noexcept {
  if (key.size() < 2)
    return store_itself;
  return static_cast<shard_id>((static_cast<unsigned char>(key[0]) << 8) | static_cast<unsigned char>(key[1]));
}

std::string after_prefix(std::string_view prefix) {
  auto out = std::string{prefix};
  while (!out.empty() && out.back() == '\xff')
    out.pop_back();
  if (!out.empty())
    ++out.back();
  return out;
}

} // namespace keys
} // namespace xmpp
