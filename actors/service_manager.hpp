// systemd, when it started us (sd_notify(3)): a datagram to the socket it named.
#pragma once

#include <string_view>

namespace xmpp {

/// `READY=1`, `STOPPING=1`, ...; does nothing when nobody listens.
void tell_service_manager(std::string_view state);

} // namespace xmpp
