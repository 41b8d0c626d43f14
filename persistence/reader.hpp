// How records are read: through this, whatever is behind it.
#pragma once

#include "protocol/error.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp {

/// How far a read may go.
enum class tier {
  cached, ///< Memory only, never waits for the disk: what is not there fails with `would_block`. For actors.
  disk,   ///< May wait for the disk. For threads that may: `writer::read`, `writer::read_after`, tools, tests.
};

/// A view of the state store. Every call sees all that was applied when it began, and nothing half applied.
/// Safe from any thread. Fails with `would_block` (only tier `cached`; also while the store reopens after a failure)
/// and `storage_failure`.
class reader {
public:
  virtual ~reader() = default;

  /// The value, or none.
  virtual result<std::optional<std::string>> get(std::string_view key) const = 0;

  /// Called with each key and value in order; the views end with the call. Returns whether to go on.
  using visitor = std::function<bool(std::string_view key, std::string_view value)>;

  /// Visits keys from `from` up to but not including `end` (empty: to the last).
  virtual result<void> scan(std::string_view from, std::string_view end, const visitor& visit) const = 0;
};

} // namespace xmpp
