// Answers to iq requests that are the server's own: to a host, or to an account in its user's place (RFC 6120, 10.3.3;
// RFC 6121, 8.5.1). And the hooks of all extensions, in their order.
#pragma once

#include "protocol/extension.hpp"

#include <string>
#include <vector>

namespace xmpp {

/// The rule that answers `request`; null: none does.
const iq_rule* find_iq_rule(const stanza& request, iq_rule::place at);

/// The name of the record that has to be in `context::record` when the request is answered; empty: none.
std::string record_for(const stanza& request, iq_rule::place at);

/// That record, or the one that the rule reads in its stead.
found_record find_record(const stanza& request, iq_rule::place at, const record_finder& find);

/// What an account answers to those who may not ask it, whether or not it exists: `service_unavailable`, or what the
/// text demands in its place (RFC 6121, 2.3.3; XEP-0012, 3; XEP-0049, 2; XEP-0054, 3.2).
errc refusal_to_strangers(const stanza& request);

/// The one reply to a `get` or `set`, result or error. At the host when `at.account()` is empty. What nobody knows,
/// what is for the account's own sessions alone, and what is for an account that does not exist read alike:
/// `refusal_to_strangers`. Rosters are not answered here: they are the account's own affair (protocol/roster.hpp).
stanza answer_iq(const stanza& request, context& at);

/// The extensions that have such a hook.
const std::vector<const extension*>& hooks_on_sent();
const std::vector<const extension*>& hooks_on_received();

} // namespace xmpp
