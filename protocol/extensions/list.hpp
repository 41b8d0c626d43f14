// One function for each file of this folder; `all.cpp` calls them in order.
#pragma once

#include "protocol/extension.hpp"

#include <vector>

namespace xmpp::extensions {

extension last_activity();
extension disco();
extension private_xml();
extension vcard();
extension registration();
extension version();
extension caps();
extension vcard_avatars();
extension contact_addresses();
extension offline_messages();
extension blocking();
extension ping();
extension entity_time();
extension delayed_delivery();
extension hints();
extension jid_escaping();
extension channel_binding_types();
extension stream_limits_advertisement();

/// Those that other parts of the server follow: only what they are, and where.
std::vector<extension> elsewhere();

} // namespace xmpp::extensions
