#include "actors/service_manager.hpp"

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace xmpp {

void tell_service_manager(std::string_view state) {
  auto* path = std::getenv("NOTIFY_SOCKET");
  auto to = sockaddr_un{};
  if (!path || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof to.sun_path)
    return;
  auto text = std::string{state};
  if (state == "RELOADING=1") { // Type=notify-reload wants to know when.
    auto now = timespec{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    text += "\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000LL + now.tv_nsec / 1'000);
  }
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path, std::strlen(path));
  if (path[0] == '@')
    to.sun_path[0] = '\0';
  auto fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  auto size = socklen_t(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  [[maybe_unused]] auto sent =
      ::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), size);
  ::close(fd);
}

} // namespace xmpp
