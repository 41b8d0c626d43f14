#include "persistence/blocks.hpp"

#include "persistence/codec.hpp"

namespace xmpp::blocks {

using keys::family;

void put(write_set& to, const account_place& at, const jid& blocked) {
  to.put(keys::record_key(at.shard, at.account.bare_text(), family::block, blocked.text()), codec::encode_block());
}

void erase(write_set& to, const account_place& at, const jid& blocked) {
  to.erase(keys::record_key(at.shard, at.account.bare_text(), family::block, blocked.text()));
}

void erase_all(write_set& to, const account_place& at) {
  to.erase_prefix(keys::family_prefix(at.shard, at.account.bare_text(), family::block));
}

} // namespace xmpp::blocks
