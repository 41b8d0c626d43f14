// XEP-0054: vcard-temp, version 1.3.0.
//
// Kept as it was set. Everybody may read it; that there is none reads, to others, as that there is no such account
// (3.3).

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

#include <string>

namespace xmpp::extensions {

namespace {

constexpr std::string_view record_name = "vcard";

std::string record(const stanza&) {
  return std::string{record_name};
}

stanza get(const stanza& request, context& at) {
  auto is_own = at.is_own(request);
  if (!request.payload().is("vCard", ns::vcard))
    return request.error_reply(is_own ? errc::bad_request : errc::service_unavailable);
  if (!at.record())
    return request.error_reply(is_own ? errc::item_not_found : errc::service_unavailable);
  auto card = at.parse_record(*at.record());
  return card ? request.reply(*card) : request.error_reply(card.code());
}

stanza set(const stanza& request, context& at) {
  auto card = request.payload();
  if (!card.is("vCard", ns::vcard))
    return request.error_reply(errc::bad_request);
  if (card.bytes().size() > at.host().vcard_bytes_max)
    return request.error_reply(errc::policy_violation);
  at.put_record(record_name, std::string{card.bytes()});
  return request.reply();
}

} // namespace

extension vcard() {
  auto self = extension{"XEP-0054", "1.3.0", "vcard-temp"};
  self.host_features = {ns::vcard};
  self.account_features = {ns::vcard};
  self.on_iq_get[ns::vcard] = {.where = iq_rule::at_account, .record = record, .answer = get};
  self.on_iq_set[ns::vcard] = {
      .where = iq_rule::at_account, .own_only = true, .others_get = errc::forbidden, .answer = set};
  return self;
}

} // namespace xmpp::extensions
