// DISCOVERY: where members may be, from what stands in the configuration: addresses, and names whose records give them.
//
// An address found here is a hint and no more: who is there shows by its certificate (link.hpp).
#pragma once

#include "net/outcome.hpp"
#include "net/socket.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::cluster {

inline constexpr std::size_t discovered_max = 64; ///< Addresses; what is more is left out.

/// Without brackets.
struct host_and_port {
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const host_and_port&, const host_and_port&) = default;
};

/// `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.
std::optional<host_and_port> parse_host_and_port(std::string_view text);

/// The addresses of a host (A and AAAA), in the order of its answer. Waits for a name server.
net::outcome<std::vector<net::address>> look_up(const host_and_port& where);

/// Looks up on a thread of its own, and on demand.
class discovery {
public:
  struct found {
    std::vector<net::address> addresses; ///< Each once, in the order of the seeds.
    std::string failures;                ///< Of those that gave none, with words; empty: of none.
  };
  using looker = std::function<net::outcome<std::vector<net::address>>(const host_and_port&)>;

  /// `seeds`: as `parse_host_and_port` takes them; others are passed over. `on_found` is called on the thread and must
  /// not call back.
  discovery(const std::vector<std::string>& seeds, std::function<void(const found&)> on_found, looker how = look_up);
  /// Waits for no name server; afterwards `on_found` is not running and will not be called.
  ~discovery();
  discovery(const discovery&) = delete;
  discovery& operator=(const discovery&) = delete;

  /// From any thread, never blocks. Nothing, while an earlier one goes on.
  void look();

private:
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace xmpp::cluster
