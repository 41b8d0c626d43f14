// Events and their fields, for people and for programs. Never a body, a password or a key.
//
//     log::info("session.bound", {{"jid", full}, {"resource", resource}});
//
// An event's name begins with its component, whose level the shell changes while the server runs. A level that is off
// costs a load and a branch; what is dear to compute stands behind `log::is_on`.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xmpp {

enum class log_level : std::uint8_t { debug, info, warning, error, off };

enum class log_format : std::uint8_t {
  automatic, ///< Text on a terminal, journal lines under systemd, else JSON lines.
  text,      ///< Aligned; with colours on a terminal.
  json,      ///< One object a line.
  journal,   ///< Text behind systemd's priorities: `<6>`.
};

std::string_view to_string(log_level x) noexcept;
/// False when it is no level's name.
bool from_string(std::string_view text, log_level& out) noexcept;

namespace log {

/// All there are: another name does not compile.
inline constexpr auto components = std::to_array<std::string_view>(
    {"server",  "config",  "listener", "connection", "tls",     "session", "sign_in",    "registration",
     "router",  "user",    "roster",   "presence",   "offline", "shard",   "supervisor", "actor",
     "storage", "cluster", "shell",    "extension",  "hasher",  "log",     "test"});

extern std::array<std::atomic<log_level>, components.size()> levels;

/// `component.what`, checked when it is compiled.
class event {
public:
  template <std::size_t Size>
  consteval event(const char (&text)[Size]) : name_(text, Size - 1), component_(find(name_)) {}
  constexpr std::string_view name() const noexcept { return name_; }
  constexpr std::size_t component() const noexcept { return component_; }

private:
  static void no_such_component() {}
  static consteval std::size_t find(std::string_view name) {
    for (auto i = std::size_t{0}; i < components.size(); ++i)
      if (name.starts_with(components[i]) && name.size() > components[i].size() + 1 &&
          name[components[i].size()] == '.')
        return i;
    no_such_component(); // not constexpr: the compiler stops here
    return 0;
  }

  std::string_view name_;
  std::size_t component_;
};

/// A name and a value, which must outlive the call only. Texts are cut after `value_bytes_max`.
class field {
public:
  static constexpr std::size_t value_bytes_max = 1'024;

  field(std::string_view name, std::string_view value) noexcept : name_(name), kind_(kind::text), text_(value) {}
  field(std::string_view name, const char* value) noexcept : field(name, std::string_view{value}) {}
  field(std::string_view name, const std::string& value) noexcept : field(name, std::string_view{value}) {}
  field(std::string_view name, bool value) noexcept : name_(name), kind_(kind::flag), number_(value) {}
  template <std::signed_integral T>
  field(std::string_view name, T value) noexcept : name_(name), kind_(kind::number), number_(value) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) field(std::string_view name, T value)
  noexcept : name_(name), kind_(kind::natural), number_(static_cast<std::int64_t>(value)) {}
  /// A jid, and whatever else has a text.
  template <class T>
  requires requires(const T& x) {
    { x.text() } -> std::convertible_to<std::string_view>;
  }
  field(std::string_view name, const T& value) noexcept : field(name, std::string_view{value.text()}) {}

  std::string_view name() const noexcept { return name_; }
  void append_as_text(std::string& out) const;
  void append_as_json(std::string& out) const;

private:
  enum class kind : std::uint8_t { text, flag, number, natural };
  std::string_view name_;
  kind kind_;
  std::int64_t number_ = 0;
  std::string_view text_;
};

using fields = std::initializer_list<field>;

inline bool is_on(log_level level, const event& what) noexcept {
  return levels[what.component()].load(std::memory_order_relaxed) <= level;
}

/// Regardless of levels. Any thread; takes a short lock, never waits for the terminal or the disk.
void write(log_level level, const event& what, fields with);

[[gnu::always_inline]] inline void debug(const event& what, fields with = {}) {
  if (is_on(log_level::debug, what)) [[unlikely]]
    write(log_level::debug, what, with);
}
[[gnu::always_inline]] inline void info(const event& what, fields with = {}) {
  if (is_on(log_level::info, what)) [[unlikely]]
    write(log_level::info, what, with);
}
[[gnu::always_inline]] inline void warning(const event& what, fields with = {}) {
  if (is_on(log_level::warning, what)) [[unlikely]]
    write(log_level::warning, what, with);
}
[[gnu::always_inline]] inline void error(const event& what, fields with = {}) {
  if (is_on(log_level::error, what)) [[unlikely]]
    write(log_level::error, what, with);
}

struct options {
  log_format format = log_format::automatic;
  log_level level = log_level::info;
  std::vector<std::string> levels = {}; ///< `component=level`, over `level`.
  std::filesystem::path file = {};      ///< Appended to, made with mode 0640; empty: standard error.
  std::size_t queue_events_max = 16'384;
  std::function<void(std::string_view)> sink = {}; ///< For tests: gets finished lines, instead of a file.
};

/// Starts the thread that writes. Before, and after `stop`, lines go straight to standard error. False when the file
/// cannot be opened; lines then go to standard error.
bool start(options with);
/// Writes what waits, then ends the thread.
void stop();
/// Waits until everything logged before has been written.
void flush();
/// After the file was moved away. False when the new one cannot be opened; the old one is then kept.
bool reopen();

/// `component=level`s over one level for all; texts that say neither are left out.
void set_levels(log_level all, const std::vector<std::string>& others);
/// `*` means all. False when there is no such component.
bool set_level(std::string_view component, log_level level);
std::vector<std::pair<std::string_view, log_level>> list_levels();

/// Events that found the queue full since the start.
std::uint64_t dropped() noexcept;

/// One finished line without its line end, as `write` would make it. `at_us`: since the epoch.
std::string format_line(log_format format, bool colours, std::int64_t at_us, log_level level, std::string_view name,
                        fields with);

} // namespace log
} // namespace xmpp
