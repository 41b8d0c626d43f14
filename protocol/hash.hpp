// Digests for what is no secret; those for passwords are in sasl.hpp.
#pragma once

#include <string>
#include <string_view>

namespace xmpp {

/// 20 bytes, binary (FIPS 180-4). Ends the process when OpenSSL has no SHA-1, which no supported one lacks.
std::string sha1(std::string_view bytes);

} // namespace xmpp
