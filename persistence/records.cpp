#include "persistence/records.hpp"

#include "persistence/codec.hpp"

namespace xmpp::records {

using keys::family;

namespace {

std::string key_of(const account_place& at, std::string_view name) {
  return keys::record_key(at.shard, at.account.bare_text(), family::record, name);
}

} // namespace

result<std::optional<std::string>> find(const reader& from, const account_place& at, std::string_view name) {
  auto value = from.get(key_of(at, name));
  if (!value)
    return value.error();
  if (!*value)
    return std::optional<std::string>{};
  auto plain = codec::decode_plain(**value);
  if (!plain)
    return plain.error();
  return std::optional<std::string>{std::string{*plain}};
}

result<std::vector<std::pair<std::string, std::string>>> load(const reader& from, const account_place& at,
                                                              std::string_view prefix) {
  const auto first = key_of(at, prefix);
  const auto skipped = first.size() - prefix.size();
  auto out = std::vector<std::pair<std::string, std::string>>{};
  auto failure = error{};
  auto done = from.scan(first, keys::after_prefix(first), [&](std::string_view key, std::string_view value) {
    auto plain = codec::decode_plain(value);
    if (!plain) {
      failure = plain.error();
      return false;
    }
    out.emplace_back(key.substr(skipped), *plain);
    return true;
  });
  if (!done)
    return done.error();
  if (failure.code != errc::none)
    return failure;
  return out;
}

void put(write_set& to, const account_place& at, std::string_view name, std::string_view value) {
  to.put(key_of(at, name), codec::encode_plain(value));
}

void erase(write_set& to, const account_place& at, std::string_view name) {
  to.erase(key_of(at, name));
}

} // namespace xmpp::records
