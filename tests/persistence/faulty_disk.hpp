// A disk that fails on demand, put under RocksDB.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace rocksdb {
class Env;
}

namespace xmpp::test {

/// Files on the real disk, with faults on the way there. Must outlive the stores that use it.
class faulty_disk {
public:
  faulty_disk();
  ~faulty_disk();

  rocksdb::Env* environment() const noexcept { return env_.get(); }

  struct switches {
    /// Every sync fails, and what was written since the last good one is gone, as when the kernel drops dirty pages.
    std::atomic<bool> syncs_lose_data{false};
    /// Every sync fails, but what was written can still be read: it may or may not survive.
    std::atomic<bool> syncs_fail{false};
    /// Nothing can be written: ENOSPC.
    std::atomic<bool> full{false};
    /// Table files cannot be written: flushes and compactions fail, the log goes on.
    std::atomic<bool> tables_fail{false};
    /// Syncs do nothing, quickly: for tests that do not pull the plug.
    std::atomic<bool> syncs_are_skipped{false};
    std::atomic<unsigned> syncs{0}; ///< Good ones, counted.
    std::atomic<std::uint64_t> free_bytes{std::uint64_t{1} << 40};
  };
  switches faults;

private:
  std::unique_ptr<rocksdb::Env> env_;
};

} // namespace xmpp::test
