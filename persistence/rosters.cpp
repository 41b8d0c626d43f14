#include "persistence/rosters.hpp"

#include "persistence/codec.hpp"

namespace xmpp::rosters {

using keys::family;

result<roster> load(const reader& from, const account_place& at) {
  const auto bare = at.account.bare_text();
  const auto prefix = keys::family_prefix(at.shard, bare, family::roster_item);
  auto out = roster{};
  auto failure = error{};
  auto done = from.scan(prefix, keys::after_prefix(prefix), [&](std::string_view key, std::string_view value) {
    auto item = codec::decode_roster_item(key.substr(prefix.size()), value);
    if (!item) {
      failure = item.error();
      return false;
    }
    out.items.push_back(std::move(*item));
    return true;
  });
  if (!done)
    return done.error();
  if (failure.code != errc::none)
    return failure;
  auto version = from.get(keys::family_prefix(at.shard, bare, family::roster_version));
  if (!version)
    return version.error();
  if (*version) {
    auto number = codec::decode_roster_version(**version);
    if (!number)
      return number.error();
    out.version = *number;
  }
  return out;
}

void put(write_set& to, const account_place& at, const roster_item& item) {
  to.put(keys::record_key(at.shard, at.account.bare_text(), family::roster_item, item.contact.bare_text()),
         codec::encode(item));
}

void erase(write_set& to, const account_place& at, const jid& contact) {
  to.erase(keys::record_key(at.shard, at.account.bare_text(), family::roster_item, contact.bare_text()));
}

void put_version(write_set& to, const account_place& at, std::uint64_t version) {
  to.put(keys::family_prefix(at.shard, at.account.bare_text(), family::roster_version),
         codec::encode_roster_version(version));
}

} // namespace xmpp::rosters
