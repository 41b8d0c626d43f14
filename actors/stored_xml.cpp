#include "actors/stored_xml.hpp"

#include "protocol/namespaces.hpp"
#include "protocol/parser.hpp"

namespace xmpp {

result<element> parse_stored(std::string_view xml) {
  static const auto generous = [] {
    auto limits = stream_limits{};
    limits.stanza_bytes_max = SIZE_MAX / 2;
    limits.depth_max = limits.attributes_max = limits.namespaces_max = limits.children_max = SIZE_MAX / 2;
    return limits;
  }();
  thread_local parser own{ns::client, generous};
  return own.parse(xml);
}

} // namespace xmpp
