// Domains as DNS, certificates and TLS write them; addresses have them in Unicode (RFC 5890, 2.3.2.1).
#pragma once

#include <string>
#include <string_view>

namespace xmpp {

/// Each label of a prepared domain in its A-label form: `bücher.example` is `xn--bcher-kva.example`. What has no such
/// form (an IP literal, a name that DNS could not have) as it is.
std::string to_a_labels(std::string_view domain);

} // namespace xmpp
