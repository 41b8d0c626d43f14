// Backups, however damaged: read or refused, and the same in whatever pieces they come.
#include "persistence/backup.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace xmpp;

void require(bool holds) {
  if (!holds)
    std::abort();
}

struct outcome {
  errc code = errc::none;
  std::uint64_t records = 0;

  friend bool operator==(const outcome&, const outcome&) = default;
};

outcome read(std::string_view bytes, std::size_t at_once) {
  auto out = outcome{};
  auto parser = backup_parser{[&](const backup_shard& of, std::string_view) {
    out.records = of.records;
    return result<void>{};
  }};
  for (; !bytes.empty(); bytes.remove_prefix(std::min(at_once, bytes.size())))
    if (auto done = parser.feed(bytes.substr(0, at_once)); !done) {
      require(parser.finish().code() == done.code());
      out.code = done.code();
      return out;
    }
  out.code = parser.finish().code();
  return out;
}

} // namespace

/// The first byte says in how large pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const auto bytes = std::string_view{reinterpret_cast<const char*>(data) + 1, size - 1};
  require(read(bytes, 1 << 20) == read(bytes, std::size_t{1} + data[0]));
  return 0;
}
