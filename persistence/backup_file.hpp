// Backups on disk: written beside their place and put there when they are whole; read, and made a store of.
#pragma once

#include "persistence/backup.hpp"
#include "persistence/store.hpp"
#include "protocol/error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace xmpp {

/// A backup that is being written, for its owner's eyes only. Its draft is `<path>.part`, which goes when the backup is
/// not finished; one that a crash has left is replaced by the next of that path.
class backup_writer {
public:
  /// Fails with `conflict` when something is there already, or is being written there; else with `storage_failure`.
  static result<std::unique_ptr<backup_writer>> create(const std::filesystem::path& path);
  ~backup_writer();
  backup_writer(const backup_writer&) = delete;
  backup_writer& operator=(const backup_writer&) = delete;

  /// The next bytes; they are checked, too. Fails as `backup_parser::feed` does, with `resource_constraint` (the disk
  /// is full) or `storage_failure`.
  result<void> write(std::string_view bytes);
  /// Makes it durable and gives it its name, if it is whole.
  result<backup_summary> finish();

private:
  backup_writer() = default;
  result<void> open_draft();

  std::filesystem::path path_;
  std::string draft_;
  int fd_ = -1;
  std::uint64_t unsynced_bytes_ = 0;
  backup_parser parser_;
};

/// A backup that is there. Opened before a process gives away its right to open it.
class backup_file {
public:
  /// Fails with `item_not_found` or `storage_failure`; a pipe or a device is none.
  static result<std::unique_ptr<backup_file>> open(const std::filesystem::path& path);
  ~backup_file();
  backup_file(const backup_file&) = delete;
  backup_file& operator=(const backup_file&) = delete;

  /// Reads all of it, from its beginning. Fails as `backup_parser` does, and with `storage_failure`; the text names it.
  result<backup_summary> read(backup_parser::visitor visit = {});
  const std::filesystem::path& path() const noexcept { return path_; }

private:
  backup_file() = default;

  std::filesystem::path path_;
  int fd_ = -1;
};

/// What backups of one cluster, taken together, have: of each shard the one that is furthest.
struct chosen_backups {
  backup_summary all;               ///< With the first one's head.
  std::vector<std::size_t> from;    ///< The file of each shard in `all`.
  std::vector<std::string> digests; ///< Of the files.
};

/// Reads and checks them all. Several must be of one cluster: else `conflict`.
result<chosen_backups> choose(std::span<const std::unique_ptr<backup_file>> files);

/// Makes the store in `how.folder`, of lone shards at the indexes that the backups had. There must be nothing: else
/// `conflict`. `not_allowed`: it has another number of shards. Whatever fails, and whenever the process ends, the
/// folder is there as a whole or not at all; meanwhile all is in `<folder>.restoring`, which the next attempt replaces.
result<void> restore(const store_options& how, std::span<const std::unique_ptr<backup_file>> files,
                     const chosen_backups& chosen);

} // namespace xmpp
