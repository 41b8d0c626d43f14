// XEP-0077: In-Band Registration, version 2.4.
//
// Here, what a signed-in client may do: read, change its password, remove its account (3.2, 3.3). Clients send these to
// their host or without an address; both mean the sender's own account. New ones are made before sign-in, in
// protocol/stream.cpp. Passwords are in no answer and no error.

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

#include <string>
#include <utility>

namespace xmpp::extensions {

namespace {

bool is_account_here(const stanza& request, const context& at) {
  return at.account().empty() ? request.from.has_local() && request.from.domain() == at.host().domain.text()
                              : at.is_own(request);
}

stanza get(const stanza& request, context& at) {
  if (!is_account_here(request, at))
    return request.error_reply(errc::service_unavailable);
  auto out = xml::builder{"query", ns::registration};
  out.open("registered").close().leaf("username", ns::registration, request.from.local()).open("password").close();
  return request.reply(out.finish());
}

stanza remove(const stanza& request, context& at) {
  if (request.payload().child_count() != 1)
    return request.error_reply(errc::bad_request);
  at.remove_account();
  return request.reply();
}

stanza change_password(const stanza& request, context& at) {
  auto name = request.payload().child("username", ns::registration);
  auto password = request.payload().child("password", ns::registration);
  auto text = password.text();
  if (!name || text.empty())
    return request.error_reply(errc::bad_request);
  auto local = prepare_local(name.text());
  if (!local || *local != request.from.local())
    return request.error_reply(errc::not_allowed);
  auto prepared = prepare_password(text);
  if (!prepared)
    return request.error_reply(errc::not_acceptable);
  at.change_password(*std::move(prepared));
  return request.reply();
}

stanza set(const stanza& request, context& at) {
  if (!is_account_here(request, at))
    return request.error_reply(errc::service_unavailable);
  if (request.payload().has_child("remove", ns::registration))
    return remove(request, at);
  return request.payload().has_child("password", ns::registration) ? change_password(request, at)
                                                                   : request.error_reply(errc::bad_request);
}

} // namespace

extension registration() {
  auto self = extension{"XEP-0077", "2.4", "In-Band Registration"};
  self.host_features = {ns::registration};
  self.on_iq_get[ns::registration] = {.answer = get};
  self.on_iq_set[ns::registration] = {.answer = set};
  return self;
}

} // namespace xmpp::extensions
