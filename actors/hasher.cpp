#include "actors/hasher.hpp"

#include "actors/context.hpp"
#include "protocol/sasl.hpp"

#include <utility>

namespace xmpp {

hasher::hasher(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server, std::uint32_t number)
    : supervised(cfg, actor_kind::hasher, std::move(parent)), server_(server), number_(number) {}

hasher::behavior_type hasher::make_behavior() {
  begin({}, std::to_string(number_));
  return {
      [this](const msg::check_password& x) {
        if (mailbox_size() > waiting_max)
          return msg::password_checked{false, true};
        auto stored = sasl::decode(x.stored);
        return msg::password_checked{stored && sasl::check_password(x.password, *stored), false};
      },
      [this](const msg::derive& x) {
        if (mailbox_size() > waiting_max)
          return msg::derived{errc::resource_constraint};
        auto made = sasl::make_credentials(x.password, x.iterations);
        if (!made)
          return msg::derived{made.code()};
        if (auto known = server_.iterations.add(made->keys.front().iterations); !known) // before an account has it
          return msg::derived{known.code()};
        return msg::derived{errc::none, sasl::encode(*made)};
      },
      [this](const msg::verdict& x) { decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [this](const msg::describe&) { return describe(); },
  };
}

msg::description hasher::describe() const {
  return {{{"waiting at most", std::to_string(waiting_max)}}};
}

} // namespace xmpp
