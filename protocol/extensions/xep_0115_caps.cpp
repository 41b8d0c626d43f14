// XEP-0115: Entity Capabilities, version 1.6.0.
//
// Clients' `<c/>` passes through in their presence; what it stands for is asked of them and verified (session_stanzas,
// known_capabilities). The host's own is offered in stream features (6.3), and its node is answered by disco. The rules
// are in protocol/caps.hpp.

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

namespace xmpp::extensions {

extension caps() {
  auto self = extension{"XEP-0115", "1.6.0", "Entity Capabilities"};
  self.where = "protocol/caps.cpp";
  self.host_features = {ns::caps};
  return self;
}

} // namespace xmpp::extensions
