#include "actors/shell/local_socket.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace xmpp::shell {

namespace {

/// A descriptor that is closed at the end, unless taken.
class holder {
public:
  explicit holder(int descriptor) : descriptor_(descriptor) {}
  ~holder() {
    if (descriptor_ >= 0)
      ::close(descriptor_);
  }
  holder(const holder&) = delete;
  int get() const { return descriptor_; }
  int take() { return std::exchange(descriptor_, -1); }
  void reset(int descriptor) { descriptor_ = descriptor; } ///< Only when empty.

private:
  int descriptor_;
};

error system_error(errc code, const std::string& what) {
  return {code, what + ": " + std::strerror(errno)};
}

/// Calls `use(address, size)`; a path that is too long goes by way of its folder's descriptor.
template <class Use>
int with_address(const std::filesystem::path& path, Use use) {
  auto address = sockaddr_un{};
  address.sun_family = AF_UNIX;
  auto text = path.string();
  auto folder = holder{-1};
  if (text.size() >= sizeof address.sun_path) {
    folder.reset(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0)
      return -1;
    text = "/proc/self/fd/" + std::to_string(folder.get()) + "/" + path.filename().string();
  }
  if (text.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, text.c_str(), text.size());
  return use(reinterpret_cast<const sockaddr*>(&address), socklen_t(sizeof address));
}

int make_socket() {
  return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int connect_socket(int descriptor, const std::filesystem::path& path) {
  return with_address(path, [=](auto* address, auto size) { return ::connect(descriptor, address, size); });
}

} // namespace

result<local_listener> local_listener::open(const std::filesystem::path& path) {
  struct stat there = {};
  if (::lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode))
      return error{errc::conflict, path.string() + " is in the way: it is no socket"};
    auto probe = holder{make_socket()};
    if (probe.get() >= 0 && connect_socket(probe.get(), path) == 0)
      return error{errc::conflict, "another server answers at " + path.string()};
  }
  auto listening = holder{make_socket()};
  if (listening.get() < 0)
    return system_error(errc::resource_constraint, "no socket");
  // Made under another name, closed to others before it listens, then put in its place at once.
  auto fresh = path;
  fresh += ".new";
  ::unlink(fresh.c_str());
  auto bound = with_address(fresh, [&](auto* address, auto size) { return ::bind(listening.get(), address, size); });
  if (bound != 0 || ::chmod(fresh.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(listening.get(), 16) != 0 ||
      ::lstat(fresh.c_str(), &there) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) {
    auto failure = system_error(errc::resource_constraint, path.string());
    ::unlink(fresh.c_str());
    return failure;
  }
  auto result = local_listener{};
  result.path_ = path;
  result.descriptor_ = listening.take();
  result.device_ = there.st_dev;
  result.inode_ = there.st_ino;
  return result;
}

local_listener::local_listener(local_listener&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), device_(other.device_),
      inode_(other.inode_) {}

local_listener::~local_listener() {
  if (descriptor_ < 0)
    return;
  struct stat there = {};
  if (::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_)
    ::unlink(path_.c_str());
  ::close(descriptor_);
}

result<int> connect_to(const std::filesystem::path& path) {
  auto descriptor = holder{make_socket()};
  if (descriptor.get() < 0)
    return system_error(errc::undefined_condition, "no socket");
  if (connect_socket(descriptor.get(), path) != 0)
    return system_error(errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR ? errc::item_not_found
                        : errno == EACCES || errno == EPERM                          ? errc::forbidden
                                                                                     : errc::undefined_condition,
                        path.string());
  return descriptor.take();
}

result<uid_t> peer_of(int descriptor) {
  auto peer = ucred{};
  auto size = socklen_t{sizeof peer};
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return system_error(errc::not_authorized, "SO_PEERCRED");
  return peer.uid;
}

} // namespace xmpp::shell
