// XEP-0203: Delayed Delivery, version 2.0.
//
// `delay_element` (protocol/stanza.hpp) stamps what was stored offline, and the presence that answers a probe or shows
// a new session the others.

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

namespace xmpp::extensions {

extension delayed_delivery() {
  auto self = extension{"XEP-0203", "2.0", "Delayed Delivery"};
  self.where = "protocol/stanza.cpp";
  self.host_features = {ns::delay};
  return self;
}

} // namespace xmpp::extensions
