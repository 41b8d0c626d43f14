// XEP-0160: Best Practices for Handling Offline Messages, version 1.0.1.
//
// What is stored is decided in protocol/delivery.cpp (`is_for_offline_store`), kept in persistence/offline, and handed
// out by the account with a delay stamp.

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

namespace xmpp::extensions {

extension offline_messages() {
  auto self = extension{"XEP-0160", "1.0.1", "Best Practices for Handling Offline Messages"};
  self.where = "protocol/delivery.cpp";
  self.host_features = {ns::offline_feature};
  return self;
}

} // namespace xmpp::extensions
