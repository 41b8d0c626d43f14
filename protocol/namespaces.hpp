// Every XML namespace that the server speaks, with its specification.
#pragma once

#include <string_view>

namespace xmpp::ns {

using text = std::string_view;

// -- RFC 6120 --
inline constexpr text stream = "http://etherx.jabber.org/streams";
inline constexpr text client = "jabber:client";
inline constexpr text server = "jabber:server";
inline constexpr text tls = "urn:ietf:params:xml:ns:xmpp-tls";
inline constexpr text sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
inline constexpr text bind = "urn:ietf:params:xml:ns:xmpp-bind";
inline constexpr text session = "urn:ietf:params:xml:ns:xmpp-session"; // RFC 3921, 3: now without effect
inline constexpr text stream_errors = "urn:ietf:params:xml:ns:xmpp-streams";
inline constexpr text stanza_errors = "urn:ietf:params:xml:ns:xmpp-stanzas";
inline constexpr text xml = "http://www.w3.org/XML/1998/namespace";

// -- RFC 6121 --
inline constexpr text roster = "jabber:iq:roster";
inline constexpr text roster_versioning = "urn:xmpp:features:rosterver";
inline constexpr text pre_approval = "urn:xmpp:features:pre-approval";

// -- extensions, by number --
inline constexpr text data_forms = "jabber:x:data";                         // XEP-0004
inline constexpr text last_activity = "jabber:iq:last";                     // XEP-0012
inline constexpr text disco_info = "http://jabber.org/protocol/disco#info"; // XEP-0030
inline constexpr text disco_items = "http://jabber.org/protocol/disco#items";
inline constexpr text private_xml = "jabber:iq:private";   // XEP-0049
inline constexpr text vcard = "vcard-temp";                // XEP-0054
inline constexpr text registration = "jabber:iq:register"; // XEP-0077
inline constexpr text registration_feature = "http://jabber.org/features/iq-register";
inline constexpr text version = "jabber:iq:version";                        // XEP-0092
inline constexpr text legacy_delay = "jabber:x:delay";                      // XEP-0091: only to be taken out
inline constexpr text caps = "http://jabber.org/protocol/caps";             // XEP-0115
inline constexpr text vcard_avatar = "vcard-temp:x:update";                 // XEP-0153
inline constexpr text server_info = "http://jabber.org/network/serverinfo"; // XEP-0157
inline constexpr text offline_feature = "msgoffline";                       // XEP-0160
inline constexpr text blocking = "urn:xmpp:blocking";                       // XEP-0191
inline constexpr text blocking_errors = "urn:xmpp:blocking:errors";
inline constexpr text stream_management = "urn:xmpp:sm:3";                   // XEP-0198
inline constexpr text ping = "urn:xmpp:ping";                                // XEP-0199
inline constexpr text time = "urn:xmpp:time";                                // XEP-0202
inline constexpr text delay = "urn:xmpp:delay";                              // XEP-0203
inline constexpr text hints = "urn:xmpp:hints";                              // XEP-0334
inline constexpr text chat_states = "http://jabber.org/protocol/chatstates"; // XEP-0085
inline constexpr text stanza_ids = "urn:xmpp:sid:0";                         // XEP-0359
inline constexpr text channel_binding = "urn:xmpp:sasl-cb:0";                // XEP-0440
inline constexpr text stream_limits = "urn:xmpp:stream-limits:0";            // XEP-0478

} // namespace xmpp::ns
