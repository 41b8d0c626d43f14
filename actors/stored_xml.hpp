// Trees from bytes that we stored ourselves.
#pragma once

#include "protocol/error.hpp"
#include "protocol/xml.hpp"

#include <string_view>

namespace xmpp {

/// Parses canonical bytes of an element of the client namespace, on a parser of the calling thread.
result<element> parse_stored(std::string_view xml);

} // namespace xmpp
