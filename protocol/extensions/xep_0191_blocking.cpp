// XEP-0191: Blocking Command, version 1.3.
//
// A blocked contact meets an account that seems to be away: no presence, and the errors of one that does not exist. The
// matching and the lists are in protocol/blocklist.hpp. One's own resources and the own host are never blocked: a list
// that did would lock its owner out of it.

#include "protocol/blocklist.hpp"
#include "protocol/delivery.hpp"
#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

#include <utility>

namespace xmpp::extensions {

namespace {

bool is_blocked(const jid& who, std::string_view own_bare, const context& at) {
  return at.blocks().is_blocked(who) && who.bare_text() != own_bare && who.text() != at.host().domain.text();
}

stanza get(const stanza& request, context& at) {
  if (!request.payload().is("blocklist", ns::blocking))
    return request.error_reply(errc::bad_request);
  return request.reply(blocklist_element(at.blocks()));
}

stanza set(const stanza& request, context& at) {
  auto command = request.payload();
  auto is_block = command.is("block", ns::blocking);
  if (!is_block && !command.is("unblock", ns::blocking))
    return request.error_reply(errc::bad_request);
  auto items = parse_block_items(command);
  if (!items)
    return request.error_reply(items.code());
  if (!is_block) {
    at.set_blocks(unblocked(at.blocks(), *items), block_push("unblock", *items));
    return request.reply();
  }
  if (items->empty())
    return request.error_reply(errc::bad_request);
  auto next = blocked(at.blocks(), *items, at.host().blocklist_items_max);
  if (!next)
    return request.error_reply(next.code());
  at.set_blocks(*std::move(next), block_push("block", *items));
  return request.reply();
}

verdict on_sent(const stanza& x, context& at) { // 3.3
  if (!is_blocked(x.to, x.from.bare_text(), at))
    return {};
  static const auto condition = xml::builder{"blocked", ns::blocking_errors}.finish();
  return {verdict::reject, errc::not_acceptable, condition};
}

verdict on_received(const stanza& x, context& at) { // 3.3
  if (!is_blocked(x.from, at.account().text(), at))
    return {};
  // The end of a subscription counts all the same, but is not shown: else whoever takes the name later would have it.
  if (x.kind == stanza_kind::presence)
    return {x.type == stanza_type::unsubscribe || x.type == stanza_type::unsubscribed ? verdict::pass : verdict::drop};
  auto to_nobody = deliver(x, false, {});
  return to_nobody.what == delivery::way::refuse ? verdict{verdict::reject, to_nobody.code} : verdict{verdict::drop};
}

} // namespace

extension blocking() {
  auto self = extension{"XEP-0191", "1.3", "Blocking Command"};
  self.host_features = {ns::blocking};
  self.on_iq_get[ns::blocking] = {.where = iq_rule::at_account, .own_only = true, .answer = get};
  self.on_iq_set[ns::blocking] = {.where = iq_rule::at_account, .own_only = true, .answer = set};
  self.on_sent = on_sent;
  self.on_received = on_received;
  return self;
}

} // namespace xmpp::extensions
