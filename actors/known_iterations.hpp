// With how many iterations accounts' SCRAM keys have been made: names without an account must look as if theirs had
// been.
#pragma once

#include "protocol/error.hpp"

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <vector>

namespace xmpp {

/// Kept in a file beside the store, one count on each line: those that an account has got, or was about to. From any
/// thread.
class known_iterations {
public:
  /// Reads `iterations` in the folder of the data. None is there before the first account.
  void open(const std::filesystem::path& folder);

  /// Oldest first.
  std::vector<std::uint32_t> all() const;

  /// To be called before an account gets such keys. Waits for the disk when the count is new; fails with
  /// `storage_failure`, and it is not known then.
  result<void> add(std::uint32_t count);

private:
  std::filesystem::path file_;
  std::mutex adding_; // so that nobody who reads waits for the disk
  mutable std::mutex mutex_;
  std::vector<std::uint32_t> all_;
};

} // namespace xmpp
