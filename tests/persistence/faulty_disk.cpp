#include "tests/persistence/faulty_disk.hpp"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <string>
#include <unistd.h>

namespace xmpp::test {

namespace {

using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class faulty_file final : public rocksdb::FSWritableFileOwnerWrapper {
public:
  faulty_file(std::unique_ptr<FSWritableFile>&& file, std::string path, faulty_disk::switches& faults)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)), faults_(faults) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    if (auto fault = on_write(); !fault.ok())
      return fault;
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }

  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    if (auto fault = on_write(); !fault.ok())
      return fault;
    return FSWritableFileOwnerWrapper::Append(data, options, info, debug);
  }

  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return on_sync([&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return on_sync([&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
  }

private:
  IOStatus on_write() const {
    if (faults_.full)
      return IOStatus::NoSpace("no space left on device");
    if (faults_.tables_fail && path_.ends_with(".sst"))
      return IOStatus::IOError("injected: table file");
    return IOStatus::OK();
  }

  template <class Sync>
  IOStatus on_sync(Sync sync) {
    if (faults_.full)
      return IOStatus::NoSpace("no space left on device");
    if (faults_.syncs_lose_data) {
      if (::truncate(path_.c_str(), static_cast<off_t>(synced_bytes_)) != 0)
        return IOStatus::IOError("truncate");
      return IOStatus::IOError("injected: sync lost data");
    }
    if (faults_.syncs_fail)
      return IOStatus::IOError("injected: sync");
    auto status = faults_.syncs_are_skipped ? IOStatus::OK() : sync();
    if (status.ok()) {
      synced_bytes_ = GetFileSize({}, nullptr);
      ++faults_.syncs;
    }
    return status;
  }

  const std::string path_;
  faulty_disk::switches& faults_;
  std::uint64_t synced_bytes_ = 0;
};

class faulty_file_system final : public rocksdb::FileSystemWrapper {
public:
  explicit faulty_file_system(faulty_disk::switches& faults)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), faults_(faults) {}

  const char* Name() const override { return "faulty_file_system"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) override {
    if (faults_.full)
      return IOStatus::NoSpace("no space left on device");
    auto status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    if (status.ok())
      file->reset(new faulty_file{std::move(*file), path, faults_});
    return status;
  }

  IOStatus ReuseWritableFile(const std::string& path, const std::string& old, const rocksdb::FileOptions& options,
                             std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) override {
    auto status = FileSystemWrapper::ReuseWritableFile(path, old, options, file, debug);
    if (status.ok())
      file->reset(new faulty_file{std::move(*file), path, faults_});
    return status;
  }

  IOStatus GetFreeSpace(const std::string&, const IOOptions&, std::uint64_t* bytes, IODebugContext*) override {
    *bytes = faults_.free_bytes;
    return IOStatus::OK();
  }

private:
  faulty_disk::switches& faults_;
};

} // namespace

faulty_disk::faulty_disk() : env_(rocksdb::NewCompositeEnv(std::make_shared<faulty_file_system>(faults))) {}

faulty_disk::~faulty_disk() = default;

} // namespace xmpp::test
