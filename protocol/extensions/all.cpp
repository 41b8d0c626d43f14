// The list of extensions. Its order is the order of hooks: what may stop a stanza stands before what stores or copies
// it.

#include "protocol/extensions/list.hpp"

#include <utility>

namespace xmpp {

const std::vector<extension>& all_extensions() {
  static const auto all = [] {
    using namespace extensions;
    auto list = std::vector<extension>{
        blocking(), // first: a blocked contact is not even told what the others would refuse
        last_activity(),
        disco(),
        private_xml(),
        vcard(),
        registration(),
        version(),
        caps(),
        vcard_avatars(),
        contact_addresses(),
        offline_messages(),
        ping(),
        entity_time(),
        delayed_delivery(),
        hints(),
        jid_escaping(),
        channel_binding_types(),
        stream_limits_advertisement(),
    };
    for (auto& x : elsewhere())
      list.push_back(std::move(x));
    return list;
  }();
  return all;
}

} // namespace xmpp
