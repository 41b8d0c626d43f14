// XEP-0202: Entity Time, version 2.0.
//
// A host's clock, in UTC: where it stands is nobody's business.

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

namespace xmpp::extensions {

namespace {

stanza answer(const stanza& request, context& at) {
  return request.reply(xml::builder{"time", ns::time}
                           .leaf("tzo", ns::time, "+00:00")
                           .leaf("utc", ns::time, format_time(at.now_ms()))
                           .finish());
}

} // namespace

extension entity_time() {
  auto self = extension{"XEP-0202", "2.0", "Entity Time"};
  self.host_features = {ns::time};
  self.on_iq_get[ns::time] = {.where = iq_rule::at_host, .answer = answer};
  return self;
}

} // namespace xmpp::extensions
