// XEP-0157: Contact Addresses for XMPP Services, version 1.1.1.
//
// A form in the host's disco#info (protocol/disco.cpp), of the addresses that are configured.

#include "protocol/extensions/list.hpp"

namespace xmpp::extensions {

extension contact_addresses() {
  auto self = extension{"XEP-0157", "1.1.1", "Contact Addresses for XMPP Services"};
  self.where = "protocol/disco.cpp";
  return self;
}

} // namespace xmpp::extensions
