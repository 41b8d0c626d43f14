// XEP-0199: XMPP Ping, version 2.0.1.
//
// Answers pings to a host or to an account; one to a full JID is the client's to answer and never comes here. Strangers
// must not learn from it whether there is such an account (7).

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

namespace xmpp::extensions {

namespace {

stanza answer(const stanza& request, context& at) {
  if (!at.account().empty() && !at.may_see_presence(request.from))
    return request.error_reply(errc::service_unavailable);
  return request.reply();
}

} // namespace

extension ping() {
  auto self = extension{"XEP-0199", "2.0.1", "XMPP Ping"};
  self.host_features = {ns::ping};
  self.account_features = {ns::ping};
  self.on_iq_get[ns::ping] = {.answer = answer};
  return self;
}

} // namespace xmpp::extensions
