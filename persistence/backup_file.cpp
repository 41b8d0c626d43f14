#include "persistence/backup_file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <map>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace xmpp {

namespace {

namespace fs = std::filesystem;

constexpr auto read_bytes = std::size_t{1} << 20;
/// More would be written at once some time, and whoever else syncs then would wait for it.
constexpr auto unsynced_bytes_max = std::uint64_t{8} << 20;

struct error system_failure(const std::string& what) {
  const auto code = errno;
  return {code == ENOSPC || code == EDQUOT ? errc::resource_constraint : errc::storage_failure,
          "cannot " + what + ": " + std::generic_category().message(code)};
}

bool is_there(const fs::path& path) {
  struct stat it {};
  return ::lstat(path.c_str(), &it) == 0;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path{"."};
}

result<void> sync_folder(const fs::path& folder) {
  const auto fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto is_synced = fd >= 0 && ::fsync(fd) == 0;
  const auto done = is_synced ? result<void>{} : system_failure("sync " + folder.string());
  if (fd >= 0)
    ::close(fd);
  return done;
}

/// Never over something else, where the file system can tell.
result<void> put_in_place(const std::string& draft, const fs::path& path) {
  if (::renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0)
    return sync_folder(folder_of(path));
  const auto cannot_tell = errno == EINVAL || errno == ENOSYS;
  if (errno == EEXIST || (cannot_tell && is_there(path)))
    return error{errc::conflict, path.string() + " is there already"};
  if (!cannot_tell || ::rename(draft.c_str(), path.c_str()) != 0)
    return system_failure("rename " + draft);
  return sync_folder(folder_of(path));
}

} // namespace

// -- writing ---------------------------------------------------------------------------------------------------------

result<std::unique_ptr<backup_writer>> backup_writer::create(const fs::path& path) {
  if (is_there(path))
    return error{errc::conflict, path.string() + " is there already"};
  auto out = std::unique_ptr<backup_writer>{new backup_writer};
  out->path_ = path;
  out->draft_ = path.string() + ".part";
  if (auto done = out->open_draft(); !done)
    return done.error();
  return out;
}

/// Nobody else writes into what is locked; and what a stranger may have put there is not written into.
result<void> backup_writer::open_draft() {
  const auto left = ::open(draft_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (left >= 0) {
    const auto is_being_written = ::flock(left, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(left);
    if (is_being_written)
      return error{errc::conflict, "another backup is being written to " + draft_};
  }
  if (::unlink(draft_.c_str()) != 0 && errno != ENOENT)
    return system_failure("remove " + draft_);
  fd_ = ::open(draft_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd_ < 0)
    return system_failure("create " + draft_);
  struct stat it {};
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0 && ::fstat(fd_, &it) == 0 && it.st_nlink == 1)
    return {};
  ::close(std::exchange(fd_, -1));
  return error{errc::conflict, "another backup is being written to " + draft_};
}

backup_writer::~backup_writer() {
  if (fd_ < 0)
    return;
  ::unlink(draft_.c_str());
  ::close(fd_);
}

result<void> backup_writer::write(std::string_view bytes) {
  if (auto checked = parser_.feed(bytes); !checked)
    return checked;
  unsynced_bytes_ += bytes.size();
  while (!bytes.empty()) {
    const auto written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR)
      return system_failure("write " + draft_);
    bytes.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
  }
  if (unsynced_bytes_ < unsynced_bytes_max)
    return {};
  unsynced_bytes_ = 0;
  return ::fdatasync(fd_) == 0 ? result<void>{} : system_failure("write " + draft_);
}

result<backup_summary> backup_writer::finish() {
  auto summary = parser_.finish();
  if (!summary)
    return summary;
  if (::fsync(fd_) != 0)
    return system_failure("write " + draft_);
  if (auto done = put_in_place(draft_, path_); !done)
    return done.error();
  ::close(std::exchange(fd_, -1));
  return summary;
}

// -- reading ---------------------------------------------------------------------------------------------------------

result<std::unique_ptr<backup_file>> backup_file::open(const fs::path& path) {
  auto out = std::unique_ptr<backup_file>{new backup_file};
  out->path_ = path;
  out->fd_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (out->fd_ < 0 && errno == ENOENT)
    return error{errc::item_not_found, "there is no " + path.string()};
  if (out->fd_ < 0)
    return system_failure("open " + path.string());
  struct stat it {};
  if (::fstat(out->fd_, &it) != 0)
    return system_failure("open " + path.string());
  if (!S_ISREG(it.st_mode))
    return error{errc::storage_failure,
                 path.string() + (S_ISDIR(it.st_mode) ? " is a folder: name a backup in it" : " is no regular file")};
  return out;
}

backup_file::~backup_file() {
  if (fd_ >= 0)
    ::close(fd_);
}

result<backup_summary> backup_file::read(backup_parser::visitor visit) {
  const auto named = [this](const struct error& why) { return error{why.code, path_.string() + ": " + why.text}; };
  auto parser = backup_parser{std::move(visit)};
  auto buffer = std::vector<char>(read_bytes);
  for (auto at = off_t{0};;) {
    const auto got = ::pread(fd_, buffer.data(), buffer.size(), at);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return system_failure("read " + path_.string());
    if (got == 0)
      break;
    if (auto done = parser.feed({buffer.data(), static_cast<std::size_t>(got)}); !done)
      return named(done.error());
    at += got;
  }
  auto summary = parser.finish();
  return summary ? summary : named(summary.error());
}

// -- a store of them -------------------------------------------------------------------------------------------------

result<chosen_backups> choose(std::span<const std::unique_ptr<backup_file>> files) {
  auto out = chosen_backups{};
  struct part {
    backup_shard shard;
    std::size_t file = 0;
  };
  auto best = std::map<shard_id, part>{};
  for (const auto& file : files) {
    const auto summary = file->read();
    if (!summary)
      return summary.error();
    const auto& head = summary->head;
    if (out.digests.empty())
      out.all.head = head;
    else if (head.cluster.empty() || head.cluster != out.all.head.cluster ||
             head.shard_count != out.all.head.shard_count)
      return error{errc::conflict,
                   file->path().string() + " and " + files.front()->path().string() + " are not of one cluster"};
    for (const auto& x : summary->shards)
      if (auto [at, is_new] = best.try_emplace(x.shard, part{x, out.digests.size()});
          !is_new && x.index > at->second.shard.index)
        at->second = {x, out.digests.size()};
    out.digests.push_back(summary->digest);
  }
  for (const auto& [shard, x] : best) {
    out.all.shards.push_back(x.shard);
    out.from.push_back(x.file);
  }
  return out;
}

namespace {

/// A lock on a folder, let go with the process at the latest.
class folder_lock {
public:
  explicit folder_lock(const fs::path& folder) : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    is_held_ = fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
  }
  ~folder_lock() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  folder_lock(const folder_lock&) = delete;
  bool is_held() const noexcept { return is_held_; }

private:
  int fd_;
  bool is_held_ = false;
};

/// All that was chosen of one file.
result<void> fill(store& to, backup_file& from, std::size_t which, const chosen_backups& chosen) {
  auto wanted = std::set<shard_id>{};
  for (auto i = std::size_t{0}; i < chosen.from.size(); ++i)
    if (chosen.from[i] == which)
      wanted.insert(chosen.all.shards[i].shard);
  const auto summary = from.read([&](const backup_shard& of, std::string_view chunk) {
    return wanted.contains(of.shard) ? to.install(of.shard, chunk) : result<void>{};
  });
  if (!summary)
    return summary.error();
  if (summary->digest != chosen.digests[which])
    return error{errc::conflict, from.path().string() + " was changed meanwhile"};
  return {};
}

result<void> make_store(const store_options& how, std::span<const std::unique_ptr<backup_file>> files,
                        const chosen_backups& chosen) {
  auto made = store::open(how);
  if (!made)
    return made.error();
  auto& to = **made;
  for (auto i = std::size_t{0}; i < files.size(); ++i)
    if (auto done = fill(to, *files[i], i, chosen); !done)
      return done;
  for (const auto& x : chosen.all.shards)
    if (x.index != 0)
      if (auto done = to.end_install(x.shard, x.index); !done)
        return done;
  const auto flushed = to.flush_and_trim();
  return flushed ? result<void>{} : flushed.error();
}

} // namespace

result<void> restore(const store_options& how, std::span<const std::unique_ptr<backup_file>> files,
                     const chosen_backups& chosen) {
  if (chosen.all.head.shard_count != how.shard_count)
    return error{errc::not_allowed, "the backup has " + std::to_string(chosen.all.head.shard_count) +
                                        " shards, and storage.shards is " + std::to_string(how.shard_count) +
                                        ": set it to " + std::to_string(chosen.all.head.shard_count)};
  if (is_there(how.folder))
    return error{errc::conflict, how.folder.string() + " is there already"};
  const auto lock = folder_lock{folder_of(how.folder)};
  if (!lock.is_held())
    return error{errc::conflict, "another restore is under way in " + folder_of(how.folder).string() +
                                     ", or the folder can not be opened"};
  auto draft = how;
  draft.folder += ".restoring";
  auto failure = std::error_code{};
  fs::remove_all(draft.folder, failure);
  if (failure)
    return error{errc::storage_failure, "cannot remove " + draft.folder.string() + ": " + failure.message()};
  auto done = make_store(draft, files, chosen);
  if (done)
    done = sync_folder(draft.folder);
  if (done)
    done = put_in_place(draft.folder.string(), how.folder);
  if (!done)
    fs::remove_all(draft.folder, failure);
  return done;
}

} // namespace xmpp
