// XEP-0334: Message Processing Hints, version 1.0.0.
//
// `no-store` and `store` say what goes into the offline store (protocol/delivery.cpp).

#include "protocol/extensions/list.hpp"

namespace xmpp::extensions {

extension hints() {
  auto self = extension{"XEP-0334", "1.0.0", "Message Processing Hints"};
  self.note = "for offline messages; there is no archive and no copying yet";
  self.where = "protocol/delivery.cpp";
  return self;
}

} // namespace xmpp::extensions
