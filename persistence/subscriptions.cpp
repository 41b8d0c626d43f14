#include "persistence/subscriptions.hpp"

#include "persistence/codec.hpp"

namespace xmpp::subscriptions {

using keys::family;

void put(write_set& to, const account_place& at, const pending_request& request) {
  to.put(keys::record_key(at.shard, at.account.bare_text(), family::pending_request, request.contact.bare_text()),
         codec::encode(request));
}

void erase(write_set& to, const account_place& at, const jid& contact) {
  to.erase(keys::record_key(at.shard, at.account.bare_text(), family::pending_request, contact.bare_text()));
}

} // namespace xmpp::subscriptions
