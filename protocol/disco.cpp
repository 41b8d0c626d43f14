#include "protocol/disco.hpp"

#include "protocol/namespaces.hpp"

#include <algorithm>

namespace xmpp {

namespace {

template <class Member>
std::vector<std::string> collected(Member features) {
  auto result = std::vector<std::string>{};
  for (auto& x : all_extensions())
    for (auto feature : x.*features)
      result.emplace_back(feature);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

/// `silent`: the one that the host keeps to itself; empty: none.
void append_features(xml::builder& out, const std::vector<std::string>& features, std::string_view silent = {}) {
  for (auto& x : features)
    if (x != silent)
      out.open("feature").attribute("var", x).close();
}

void append_contacts(xml::builder& out, const host_info& host) { // XEP-0157, 3
  out.open("x", ns::data_forms).attribute("type", "result");
  out.open("field").attribute("type", "hidden").attribute("var", "FORM_TYPE");
  out.leaf("value", ns::data_forms, ns::server_info).close();
  for (auto& [name, addresses] : host.contacts) {
    out.open("field").attribute("type", "list-multi").attribute("var", name);
    for (auto& x : addresses)
      out.leaf("value", ns::data_forms, x);
    out.close();
  }
  out.close();
}

} // namespace

const std::vector<std::string>& all_host_features() {
  static const auto result = collected(&extension::host_features);
  return result;
}

const std::vector<std::string>& all_account_features() {
  static const auto result = collected(&extension::account_features);
  return result;
}

element host_info_element(const host_info& host, const std::vector<std::string>& features, std::string_view node) {
  auto out = xml::builder{"query", ns::disco_info};
  if (!node.empty())
    out.attribute("node", node);
  out.open("identity").attribute("category", "server").attribute("type", "im").attribute("name", host.software_name);
  out.close();
  append_features(out, features, host.tells_version ? std::string_view{} : std::string_view{ns::version});
  if (!host.contacts.empty())
    append_contacts(out, host);
  return out.finish();
}

element account_info_element(const std::vector<std::string>& features, bool is_anonymous) {
  auto out = xml::builder{"query", ns::disco_info};
  out.open("identity").attribute("category", "account").attribute("type", is_anonymous ? "anonymous" : "registered");
  out.close();
  append_features(out, features);
  return out.finish();
}

} // namespace xmpp
