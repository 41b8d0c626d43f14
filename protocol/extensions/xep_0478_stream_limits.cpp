// XEP-0478: Stream Limits Advertisement, version 0.2.0.
//
// The stream's features say how large a stanza may be, less before signing in, and after how long a silence the stream
// ends. The parser's and the session's own limits are the same values (protocol/limits.hpp).

#include "protocol/extensions/list.hpp"

namespace xmpp::extensions {

extension stream_limits_advertisement() {
  auto self = extension{"XEP-0478", "0.2.0", "Stream Limits Advertisement"};
  self.note = "for clients, not yet between servers";
  self.where = "protocol/stream.cpp";
  return self;
}

} // namespace xmpp::extensions
