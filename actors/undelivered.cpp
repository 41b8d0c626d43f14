#include "actors/undelivered.hpp"

#include <caf/all.hpp>

#include <utility>

namespace xmpp {

void answer_undelivered(const server_context& server, const stanza& x, errc why, std::optional<shard_id> except) {
  if (x.from.empty() || !x.from.has_local() || !x.may_answer_with_error())
    return;
  auto reply = x.error_reply(why);
  if (reply.from.empty())
    reply.from = x.from.bare();
  if (auto client = server.is_in_cluster ? server.sessions.find(x.from) : session_actor{})
    caf::anon_send(client, msg::deliver{std::move(reply)});
  else if (!except || server.route.shard_of(x.from) != *except)
    caf::anon_send(server.route.shard(x.from), msg::deliver{std::move(reply)});
}

bool is_for_account(const stanza& x) noexcept {
  auto is_own = x.from.bare_text() == x.to.bare_text();
  return x.to.has_local() && (x.kind == stanza_kind::message || (x.is_request() && !is_own));
}

} // namespace xmpp
