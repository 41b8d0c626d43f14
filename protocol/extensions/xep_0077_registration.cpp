// XEP-0077: In-Band Registration, version 2.4.
//
// Here, what a signed-in client may do: read, change its password, remove its account (3.2, 3.3). Clients send these to
// their host or without an address: the session passes both to the account. New ones are made before sign-in, in
// protocol/stream.cpp. Passwords are in no answer and no error.

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

#include <string>
#include <utility>

namespace xmpp::extensions {

namespace {

stanza get(const stanza& request, context&) {
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
  if (at.account_is_anonymous()) // It ends with its session (XEP-0175).
    return request.error_reply(errc::not_allowed, "A guest has no password");
  auto name = request.payload().child("username", ns::registration);
  auto password = request.payload().child("password", ns::registration);
  auto text = password.text();
  if (!name || text.empty())
    return request.error_reply(errc::bad_request);
  auto local = prepare_local(name.text());
  if (!local || *local != request.from.local())
    return request.error_reply(errc::not_allowed, "Only your own account's password can be changed");
  auto prepared = prepare_password(text);
  if (!prepared)
    return request.error_reply(errc::not_acceptable, "This password has characters that are not allowed");
  at.change_password(*std::move(prepared));
  return request.reply();
}

stanza set(const stanza& request, context& at) {
  if (request.payload().has_child("remove", ns::registration))
    return remove(request, at);
  return request.payload().has_child("password", ns::registration) ? change_password(request, at)
                                                                   : request.error_reply(errc::bad_request);
}

} // namespace

extension registration() {
  auto self = extension{"XEP-0077", "2.4", "In-Band Registration"};
  self.host_features = {ns::registration};
  self.on_iq_get[ns::registration] = {.where = iq_rule::at_account, .own_only = true, .answer = get};
  self.on_iq_set[ns::registration] = {.where = iq_rule::at_account, .own_only = true, .answer = set};
  return self;
}

} // namespace xmpp::extensions
