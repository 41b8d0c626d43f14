// What disco#info shows of a host or an account (XEP-0030, 3; XEP-0128).
#pragma once

#include "protocol/extension.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

/// The `node` of our capabilities (XEP-0115, 4): names the software.
inline constexpr std::string_view caps_node = "urn:x-troupe";

/// Features of all extensions, sorted, each once: what `context::host_features` and `account_features` return.
const std::vector<std::string>& all_host_features();
const std::vector<std::string>& all_account_features();

/// The `query` that describes a host: identity, features but for what the host does not tell (XEP-0092), contact
/// addresses (XEP-0157) when there are some. `node` is echoed; empty: none.
element host_info_element(const host_info& host, const std::vector<std::string>& features, std::string_view node = {});

/// The same of an account: registered, or one that ends with its session (XEP-0175, 5).
element account_info_element(const std::vector<std::string>& features, bool is_anonymous = false);

} // namespace xmpp
