// What the hooks on what a client sends may know: its own address, its account's block list.
#pragma once

#include "actors/host_context.hpp"
#include "actors/session.hpp"

namespace xmpp {

class session_context final : public host_context {
public:
  session_context(const session& of, const host_info& at) : host_context(at), of_(of), account_(of.full_.bare()) {}

  const jid& account() const override { return account_; }
  bool account_exists() const override { return true; }
  bool is_own(const stanza&) const override { return true; }
  const blocklist& blocks() const override { return of_.blocks_ ? *of_.blocks_ : no_blocks_; }

private:
  const session& of_;
  jid account_;
};

} // namespace xmpp
