#include "persistence/accounts.hpp"

#include "persistence/codec.hpp"

namespace xmpp {

namespace {

using keys::family;

struct error in_record(const struct error& why, const account_place& at) {
  return {why.code, why.text + " of " + std::string{at.account.bare_text()}};
}

/// Puts a decoded value where it belongs, or keeps the first failure.
template <class T, class Store>
bool keep(result<T> decoded, struct error& failure, Store store) {
  if (!decoded) {
    failure = decoded.error();
    return false;
  }
  store(std::move(*decoded));
  return true;
}

} // namespace

result<user_records> load_user(const reader& from, const account_place& at) {
  const auto bare = at.account.bare_text();
  const auto prefix = keys::account_prefix(at.shard, bare);
  const auto end = keys::family_prefix(at.shard, bare, family::first_cold);
  auto out = user_records{};
  auto failure = error{};
  auto done = from.scan(prefix, end, [&](std::string_view key, std::string_view value) {
    const auto sub_key = key.substr(prefix.size() + 1);
    switch (static_cast<family>(key[prefix.size()])) {
    case family::account:
      return keep(codec::decode_account(value), failure, [&](auto x) { out.account = std::move(x); });
    case family::block:
      return keep(codec::decode_block(sub_key, value), failure, [&](auto x) { out.blocks.push_back(std::move(x)); });
    case family::last_activity:
      return keep(codec::decode_last_activity(value), failure, [&](auto x) { out.last_activity = std::move(x); });
    case family::offline_summary:
      return keep(codec::decode_offline_summary(value), failure, [&](auto x) { out.offline = x; });
    case family::pending_request:
      return keep(codec::decode_pending_request(sub_key, value), failure,
                  [&](auto x) { out.roster.pending.push_back(std::move(x)); });
    case family::roster_item:
      return keep(codec::decode_roster_item(sub_key, value), failure,
                  [&](auto x) { out.roster.items.push_back(std::move(x)); });
    case family::setting:
      return keep(codec::decode_plain(value), failure, [&](auto x) { out.settings.emplace_back(sub_key, x); });
    case family::roster_version:
      return keep(codec::decode_roster_version(value), failure, [&](auto x) { out.roster.version = x; });
    default:
      return true; // A family of a later release.
    }
  });
  if (!done)
    return done.error();
  if (failure.code != errc::none)
    return in_record(failure, at);
  if (!out.account)
    return user_records{};
  return out;
}

namespace accounts {

result<std::optional<account_record>> find(const reader& from, const account_place& at) {
  auto value = from.get(keys::family_prefix(at.shard, at.account.bare_text(), family::account));
  if (!value)
    return value.error();
  if (!*value)
    return std::optional<account_record>{};
  auto record = codec::decode_account(**value);
  if (!record)
    return in_record(record.error(), at);
  return std::optional<account_record>{std::move(*record)};
}

result<bool> exists(const reader& from, const account_place& at) {
  auto value = from.get(keys::family_prefix(at.shard, at.account.bare_text(), family::account));
  if (!value)
    return value.error();
  return value->has_value();
}

void put(write_set& to, const account_place& at, const account_record& record) {
  to.put(keys::family_prefix(at.shard, at.account.bare_text(), family::account), codec::encode(record));
  to.put(keys::name_key(at.shard, at.account.domain(), at.account.local()), {});
}

void erase(write_set& to, const account_place& at) {
  to.erase_prefix(keys::account_prefix(at.shard, at.account.bare_text()));
  to.erase(keys::name_key(at.shard, at.account.domain(), at.account.local()));
}

void put_last_activity(write_set& to, const account_place& at, const last_activity_record& record) {
  to.put(keys::family_prefix(at.shard, at.account.bare_text(), family::last_activity), codec::encode(record));
}

void put_setting(write_set& to, const account_place& at, std::string_view name, std::string_view value) {
  to.put(keys::record_key(at.shard, at.account.bare_text(), family::setting, name), codec::encode_plain(value));
}

void erase_setting(write_set& to, const account_place& at, std::string_view name) {
  to.erase(keys::record_key(at.shard, at.account.bare_text(), family::setting, name));
}

result<std::vector<std::string>> list(const reader& from, shard_id shard, std::string_view domain,
                                      std::string_view after, std::size_t limit) {
  auto out = std::vector<std::string>{};
  if (limit == 0)
    return out;
  const auto prefix = keys::names_prefix(shard, domain);
  const auto first = after.empty() ? prefix : keys::name_key(shard, domain, after) + '\0';
  auto done = from.scan(first, keys::after_prefix(prefix), [&](std::string_view key, std::string_view) {
    out.emplace_back(key.substr(prefix.size()));
    return out.size() < limit;
  });
  if (!done)
    return done.error();
  return out;
}

} // namespace accounts
} // namespace xmpp
