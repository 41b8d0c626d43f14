// XEP-0012: Last Activity, version 2.0.
//
// Of a host, how long it has been up; of an account, since when it has not been available, for those who may see its
// presence (3). A question to one resource is that client's to answer, but reaches it only from them (4).

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

#include <algorithm>
#include <string>

namespace xmpp::extensions {

namespace {

stanza seconds(const stanza& request, std::int64_t ms, std::string_view text = {}) {
  auto out = xml::builder{"query", ns::last_activity};
  out.attribute("seconds", std::to_string(std::max<std::int64_t>(ms, 0) / 1'000));
  if (!text.empty())
    out.text(text);
  return request.reply(out.finish());
}

stanza answer(const stanza& request, context& at) {
  if (at.account().empty())
    return seconds(request, at.now_ms() - at.host().started_ms);
  if (!at.may_see_presence(request.from))
    return request.error_reply(errc::forbidden);
  auto& sessions = at.sessions(); // One that is not available shows nobody that it is there.
  if (std::any_of(sessions.begin(), sessions.end(), [](auto& x) { return x.available; }))
    return seconds(request, 0);
  if (auto last = at.last_activity())
    return seconds(request, at.now_ms() - last->first, last->second);
  return request.error_reply(errc::item_not_found);
}

verdict on_received(const stanza& x, context& at) {
  auto asks_resource = x.is(stanza_kind::iq, stanza_type::get) && x.to.is_full();
  if (asks_resource && x.payload().ns() == ns::last_activity && !at.may_see_presence(x.from))
    return {verdict::reject, errc::forbidden};
  return {};
}

} // namespace

extension last_activity() {
  auto self = extension{"XEP-0012", "2.0", "Last Activity"};
  self.host_features = {ns::last_activity};
  self.account_features = {ns::last_activity};
  self.on_iq_get[ns::last_activity] = {.others_get = errc::forbidden, .guards_resources = true, .answer = answer};
  self.on_received = on_received;
  return self;
}

} // namespace xmpp::extensions
