// Extensions without an element of their own, practices mostly, that other parts of the server follow; `where` says
// which.

#include "protocol/extensions/list.hpp"

namespace xmpp::extensions {

namespace {

extension done(std::string_view number, std::string_view version, std::string_view name, std::string_view where,
               std::string_view note = {}) {
  auto result = extension{number, version, name};
  result.note = note;
  result.where = where;
  return result;
}

} // namespace

std::vector<extension> elsewhere() {
  return {
      done("XEP-0082", "1.1.1", "XMPP Date and Time Profiles", "protocol/stanza.cpp"),
      done("XEP-0128", "1.0.1", "Service Discovery Extensions", "protocol/disco.cpp"),
      done("XEP-0170", "1.0", "Recommended Order of Stream Feature Negotiation", "protocol/stream.cpp"),
      done("XEP-0175", "1.2", "Best Practices for Use of SASL ANONYMOUS", "protocol/sasl.cpp"),
      done("XEP-0178", "1.2", "Best Practices for Use of SASL EXTERNAL with Certificates", "protocol/sasl.cpp",
           "for clients, not yet between servers"),
      done("XEP-0205", "1.0.2", "Best Practices to Discourage Denial of Service Attacks", "protocol/limits.hpp"),
      done("XEP-0368", "1.1.0", "SRV records for XMPP over TLS", "actors/listener.cpp",
           "for clients, not yet between servers"),
  };
}

} // namespace xmpp::extensions
