#include "persistence/whole_file.hpp"

#include "net/socket.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace xmpp {

namespace {

error system_failure(const std::string& what) {
  auto code = errno;
  return {errc::storage_failure, what + ": " + std::generic_category().message(code)};
}

result<void> write_synced(const std::string& file, std::string_view bytes) {
  auto fd = net::unique_fd{::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd)
    return system_failure("create " + file);
  while (!bytes.empty()) {
    auto n = ::write(fd.get(), bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR)
      return system_failure("write " + file);
    bytes.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  if (::fsync(fd.get()) != 0)
    return system_failure("sync " + file);
  return {};
}

/// What it has under which names.
result<void> sync_folder(const std::filesystem::path& folder) {
  auto path = folder.empty() ? std::string{"."} : folder.string();
  auto fd = net::unique_fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd || ::fsync(fd.get()) != 0)
    return system_failure("sync " + path);
  return {};
}

} // namespace

result<void> replace_file(const std::filesystem::path& file, std::string_view bytes) {
  auto draft = file.string() + ".new";
  ::unlink(draft.c_str()); // A crash may have left one.
  auto written = write_synced(draft, bytes);
  if (written && ::rename(draft.c_str(), file.c_str()) != 0)
    written = system_failure("rename to " + file.string());
  if (!written) {
    ::unlink(draft.c_str());
    return written;
  }
  return sync_folder(file.parent_path());
}

result<void> make_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return system_failure("make " + folder.string());
  return sync_folder(folder.parent_path());
}

} // namespace xmpp
