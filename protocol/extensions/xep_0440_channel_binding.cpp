// XEP-0440: SASL Channel-Binding Type Capability, version 1.0.0.
//
// The stream's features name the channel bindings that the transport has, beside the mechanisms that use them.

#include "protocol/extensions/list.hpp"

namespace xmpp::extensions {

extension channel_binding_types() {
  auto self = extension{"XEP-0440", "1.0.0", "SASL Channel-Binding Type Capability"};
  self.where = "protocol/stream.cpp";
  return self;
}

} // namespace xmpp::extensions
