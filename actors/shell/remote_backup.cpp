#include "actors/shell/remote_backup.hpp"

#include "actors/shell/local_socket.hpp"
#include "actors/shell/wire.hpp"

#include <utility>

namespace xmpp::shell {

namespace {

constexpr int piece_timeout_ms = 60'000; // for the disk

}

result<void> backup_of_server(const config& options, const backup_wishes& how, const backup_taker& take) {
  auto socket = connect_to(options.server.admin_socket);
  if (!socket)
    return socket.error();
  auto wire = link{*socket, link::side::client};
  auto hello = client_hello{};
  hello.one_shot = hello.utf8 = hello.takes_bytes = true;
  auto line = std::string{"backup"};
  if (how.is_partial)
    line += " --partial";
  if (how.rate_mib)
    line += " --rate " + std::to_string(*how.rate_mib);
  if (!wire.send(frame_type::hello, encode(hello)) || !wire.send(frame_type::command, line))
    return error{errc::timeout, "the server is gone"};
  for (auto trouble = std::string{};;) {
    auto next = frame{};
    if (wire.receive(next, piece_timeout_ms) != link::outcome::frame)
      return error{errc::timeout, trouble.empty() ? "the server is gone, or does not answer" : trouble};
    if (next.type == frame_type::bytes) {
      if (auto taken = take(next.payload); !taken)
        return taken;
    } else if (next.type == frame_type::failure) {
      trouble += next.payload;
    } else if (next.type == frame_type::done) {
      if (!next.payload.empty() && next.payload[0] == 0)
        return {};
      while (!trouble.empty() && trouble.back() == '\n')
        trouble.pop_back();
      return error{errc::undefined_condition, trouble};
    }
  }
}

} // namespace xmpp::shell
