// XEP-0092: Software Version, version 1.1.
//
// Name and version, never the operating system (6); nothing at all when the host is told to keep silent.

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

namespace xmpp::extensions {

namespace {

stanza answer(const stanza& request, context& at) {
  auto& host = at.host();
  if (!host.tells_version)
    return request.error_reply(errc::service_unavailable);
  return request.reply(xml::builder{"query", ns::version}
                           .leaf("name", ns::version, host.software_name)
                           .leaf("version", ns::version, host.software_version)
                           .finish());
}

} // namespace

extension version() {
  auto self = extension{"XEP-0092", "1.1", "Software Version"};
  self.host_features = {ns::version};
  self.on_iq_get[ns::version] = {.where = iq_rule::at_host, .answer = answer};
  return self;
}

} // namespace xmpp::extensions
