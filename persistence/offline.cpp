#include "persistence/offline.hpp"

#include "persistence/codec.hpp"

#include <algorithm>

namespace xmpp::offline {

using keys::family;

namespace {

void put_summary(write_set& to, const account_place& at, const offline_summary& summary) {
  const auto key = keys::family_prefix(at.shard, at.account.bare_text(), family::offline_summary);
  if (summary.messages == 0)
    to.erase(key);
  else
    to.put(key, codec::encode(summary));
}

std::string message_key(const account_place& at, const stored_id& id) {
  return keys::record_key(at.shard, at.account.bare_text(), family::offline_message, id.bytes());
}

} // namespace

std::uint64_t size_bytes(const offline_message& message) {
  return message.from.text().size() + message.to.text().size() + message.xml.size() + 64; // about; never changes
}

void append(write_set& to, const account_place& at, const stored_id& id, const offline_message& message,
            offline_summary& summary) {
  to.put(message_key(at, id), codec::encode(message));
  ++summary.messages;
  summary.bytes += size_bytes(message);
  put_summary(to, at, summary);
}

stored_id page::last() const {
  return std::max(messages.empty() ? stored_id{} : messages.back().id,
                  unreadable.empty() ? stored_id{} : unreadable.back());
}

result<page> load(const reader& from, const account_place& at, const stored_id& after, std::size_t limit,
                  std::uint64_t bytes_max) {
  const auto prefix = keys::family_prefix(at.shard, at.account.bare_text(), family::offline_message);
  const auto first = after == stored_id{} ? prefix : message_key(at, after) + '\0';
  auto out = page{};
  auto bytes = std::uint64_t{0};
  auto done = from.scan(first, keys::after_prefix(prefix), [&](std::string_view key, std::string_view value) {
    const auto id = stored_id::from_bytes(key.substr(prefix.size()));
    if (!id)
      return true;
    if (out.messages.size() + out.unreadable.size() == limit || bytes >= bytes_max) {
      out.more = true;
      return false;
    }
    if (auto message = codec::decode_offline_message(value)) {
      const auto size = size_bytes(*message);
      bytes += size;
      out.messages.push_back({*id, std::move(*message), size});
    } else {
      out.unreadable.push_back(*id);
    }
    return true;
  });
  if (!done)
    return done.error();
  return out;
}

void erase(write_set& to, const account_place& at, std::span<const loaded> messages, offline_summary& summary) {
  for (const auto& x : messages) {
    to.erase(message_key(at, x.id));
    summary.messages -= std::min(summary.messages, std::uint32_t{1});
    summary.bytes -= std::min(summary.bytes, x.size_bytes);
  }
  put_summary(to, at, summary);
}

} // namespace xmpp::offline
