// XEP-0106: JID Escaping, version 1.1.1.
//
// Escaping is the clients' part: here an escaped name is a name like others, compared, stored and routed as it is
// written; nothing is escaped or unescaped. What it stands for has no meaning to a server.

#include "protocol/extensions/list.hpp"

namespace xmpp::extensions {

extension jid_escaping() {
  auto self = extension{"XEP-0106", "1.1.1", "JID Escaping"};
  self.where = "protocol/jid.cpp";
  return self;
}

} // namespace xmpp::extensions
