// Not an actor: one stanza for many accounts, sent to each other node once, with the list of those whom it serves.
#pragma once

#include "actors/context.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace xmpp {

/// Made and used within one handler. Such a frame goes past the shards here, and so it must not overtake what they have
/// not passed on yet: an account goes along only if its shard passes all on to another node and has nothing left to do.
/// What the sender sent before is out then, and what it sends later comes behind the frame. Within one node: nothing.
class spread {
public:
  static constexpr std::size_t targets_max = 1'000; ///< Of one frame.

  explicit spread(server_context& server) noexcept : server_(server) {}

  /// False: it is to be sent what there is as by itself.
  bool takes(const jid& to);
  /// To all that were taken. Those to whom no frame can go are returned: they, too, are to be sent it by themselves.
  std::vector<jid> send(const stanza& what);

private:
  server_context& server_;
  std::vector<std::pair<std::uint64_t, std::vector<jid>>> by_node_;
};

} // namespace xmpp
