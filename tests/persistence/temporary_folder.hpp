// A folder of its own for a test, and short words for what tests of the store do.
#pragma once

#include "persistence/store.hpp"
#include "persistence/write_set.hpp"
#include "persistence/writer.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace xmpp::test {

class temporary_folder {
public:
  temporary_folder() {
    auto name = (std::filesystem::temp_directory_path() / "troupe-test-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw std::runtime_error{"mkdtemp"};
    path_ = name;
  }
  ~temporary_folder() {
    auto ignored = std::error_code{};
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

private:
  std::filesystem::path path_;
};

/// A small store in that folder.
inline store_options small_store(const temporary_folder& in) {
  auto out = store_options{};
  out.folder = in.path() / "data";
  out.shard_count = 4;
  out.cache_bytes_max = 1 << 20;
  return out;
}

inline std::unique_ptr<store> open_store(const store_options& options) {
  auto opened = store::open(options);
  if (!opened)
    throw std::runtime_error{opened.error().text};
  return std::move(*opened);
}

inline std::string key_in(shard_id shard, std::string_view name) {
  return keys::record_key(shard, "romeo@example.net", keys::family::record, name);
}

/// A command that puts one record.
inline std::string put_command(shard_id shard, std::string_view name, std::string_view value) {
  auto x = command{};
  x.changes.put(key_in(shard, name), value);
  return x.encode();
}

inline std::optional<std::string> value_of(const reader& from, shard_id shard, std::string_view name) {
  auto found = from.get(key_in(shard, name));
  if (!found)
    throw std::runtime_error{found.error().text};
  return *found;
}

/// Submits and waits for the outcome.
inline result<std::uint64_t> commit(writer& to, shard_id shard, std::string encoded) {
  auto outcome = std::promise<result<std::uint64_t>>{};
  auto waiting = outcome.get_future();
  if (auto taken = to.submit(shard, std::move(encoded),
                             [&](result<std::uint64_t> index) { outcome.set_value(std::move(index)); });
      !taken)
    return taken.error();
  return waiting.get();
}

} // namespace xmpp::test
