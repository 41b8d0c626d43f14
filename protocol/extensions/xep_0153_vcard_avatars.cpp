// XEP-0153: vCard-Based Avatars, version 1.1.1.
//
// The photo is in the vCard, its hash in the presence that the client sends: the server keeps the one and passes on the
// other, and rewrites no presence.

#include "protocol/extensions/list.hpp"

namespace xmpp::extensions {

extension vcard_avatars() {
  return {"XEP-0153", "1.1.1", "vCard-Based Avatars"};
}

} // namespace xmpp::extensions
