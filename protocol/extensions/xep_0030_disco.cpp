// XEP-0030: Service Discovery, version 2.5.0.
//
// A host tells everybody what it is; an account only those who may see its presence: to others it reads as one that
// does not exist (8; RFC 6121, 8.5.1). No nodes but that of the host's capabilities (XEP-0115, 6.2).

#include "protocol/caps.hpp"
#include "protocol/disco.hpp"
#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

#include <string>

namespace xmpp::extensions {

namespace {

bool is_caps_node(std::string_view node, const element& plain_info) {
  if (!node.starts_with(caps_node))
    return false;
  node.remove_prefix(caps_node.size());
  auto ver = caps_ver(plain_info);
  return ver && node.starts_with('#') && node.substr(1) == *ver;
}

stanza host_info_answer(const stanza& request, context& at) {
  auto node = request.payload().attribute_or_empty("node");
  auto info = host_info_element(at.host(), at.host_features());
  if (node.empty())
    return request.reply(info);
  if (is_caps_node(node, info))
    return request.reply(host_info_element(at.host(), at.host_features(), node));
  return request.error_reply(errc::item_not_found);
}

stanza info(const stanza& request, context& at) {
  if (at.account().empty())
    return host_info_answer(request, at);
  if (!at.may_see_presence(request.from))
    return request.error_reply(errc::service_unavailable);
  if (!request.payload().attribute_or_empty("node").empty())
    return request.error_reply(errc::item_not_found);
  return request.reply(account_info_element(at.account_features(), at.account_is_anonymous()));
}

stanza items(const stanza& request, context& at) {
  if (!at.account().empty() && !at.may_see_presence(request.from))
    return request.error_reply(errc::service_unavailable);
  if (!request.payload().attribute_or_empty("node").empty())
    return request.error_reply(errc::item_not_found);
  return request.reply(xml::builder{"query", ns::disco_items}.finish()); // 4.1: none is no error
}

} // namespace

extension disco() {
  auto self = extension{"XEP-0030", "2.5.0", "Service Discovery"};
  self.host_features = {ns::disco_info, ns::disco_items};
  self.account_features = {ns::disco_info, ns::disco_items};
  self.on_iq_get[ns::disco_info] = {.answer = info};
  self.on_iq_get[ns::disco_items] = {.answer = items};
  return self;
}

} // namespace xmpp::extensions
