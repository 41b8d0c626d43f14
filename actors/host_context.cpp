#include "actors/host_context.hpp"

#include "actors/stored_xml.hpp"
#include "protocol/disco.hpp"

namespace xmpp {

const jid host_context::no_account_;
const std::vector<session_view> host_context::no_sessions_;
const std::optional<std::string> host_context::no_record_;
const blocklist host_context::no_blocks_;

const std::vector<std::string>& host_context::host_features() const {
  return all_host_features();
}

const std::vector<std::string>& host_context::account_features() const {
  return all_account_features();
}

result<element> host_context::parse_record(std::string_view bytes) const {
  auto parsed = parse_stored(bytes);
  return parsed ? parsed : result<element>{errc::corrupt_record};
}

} // namespace xmpp
