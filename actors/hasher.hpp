// HASHER: derives and checks passwords. Each takes milliseconds on purpose, so it has a thread of its own.
#pragma once

#include "actors/supervised.hpp"

namespace xmpp {

struct server_context;

/// Spawn it detached. Its queue is bounded: beyond `waiting_max` requests answer `resource_constraint` / no match at
/// once, and the client tries again later.
class hasher final : public supervised<hasher_actor> {
public:
  static constexpr std::uint32_t waiting_max = 2'000;

  /// `number`: of all hashers, for people.
  hasher(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server, std::uint32_t number);
  behavior_type make_behavior() override;

protected:
  void restart() override {}
  void on_stop(const std::string&) override {}
  msg::description describe() const override;

private:
  server_context& server_;
  const std::uint32_t number_;
};

} // namespace xmpp
