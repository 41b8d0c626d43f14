#include "actors/log.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <pthread.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace xmpp {
namespace {

constexpr auto level_names = std::to_array<std::string_view>({"debug", "info", "warning", "error", "off"});

} // namespace

std::string_view to_string(log_level x) noexcept {
  return level_names[static_cast<std::size_t>(x)];
}

bool from_string(std::string_view text, log_level& out) noexcept {
  auto i = std::find(level_names.begin(), level_names.end(), text);
  if (i == level_names.end())
    return false;
  out = static_cast<log_level>(i - level_names.begin());
  return true;
}

namespace log {
namespace {

// -- escaping --------------------------------------------------------------------------------------------------------

/// The bytes of one well-formed UTF-8 character at the front of `text`; 0 when there is none.
std::size_t character_bytes(std::string_view text) noexcept {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto first = byte(0);
  if (first < 0x80)
    return 1;
  auto size = first >= 0xF0 ? std::size_t{4} : first >= 0xE0 ? std::size_t{3} : std::size_t{2};
  if (first < 0xC2 || first > 0xF4 || text.size() < size)
    return 0;
  for (auto i = std::size_t{1}; i < size; ++i)
    if ((byte(i) & 0xC0) != 0x80)
      return 0;
  // Over-long forms, surrogates, beyond U+10FFFF.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) || (first == 0xF0 && byte(1) < 0x90) ||
      (first == 0xF4 && byte(1) > 0x8F))
    return 0;
  return size;
}

/// Characters that would move a terminal's cursor or turn its text around: C0, DEL, C1, bidirectional controls.
bool is_control(std::string_view character) noexcept {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1)
    return byte(0) < 0x20 || byte(0) == 0x7F;
  if (character.size() == 2)
    return (byte(0) == 0xC2 && byte(1) < 0xA0) || (byte(0) == 0xD8 && byte(1) == 0x9C);
  if (character.size() == 3 && byte(0) == 0xE2)
    return (byte(1) == 0x80 && (byte(2) == 0x8E || byte(2) == 0x8F || (byte(2) >= 0xA8 && byte(2) <= 0xAE))) ||
           (byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9);
  return false;
}

void append_hex(std::string& out, unsigned char byte) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

/// `text` without quotes around it; `json` decides how controls and broken bytes look.
void append_escaped(std::string& out, std::string_view text, bool json) {
  auto is_cut = text.size() > field::value_bytes_max;
  auto rest = text.substr(0, field::value_bytes_max);
  while (!rest.empty()) {
    auto size = character_bytes(rest);
    if (size == 0) {
      if (is_cut && rest.size() < 4)
        break; // a character cut in two
      if (json)
        out += "\xEF\xBF\xBD"; // U+FFFD: JSON is UTF-8
      else {
        out += "\\x";
        append_hex(out, static_cast<unsigned char>(rest[0]));
      }
      rest.remove_prefix(1);
      continue;
    }
    auto character = rest.substr(0, size);
    if (character == "\"" || character == "\\") {
      out += '\\';
      out += character;
    } else if (character == "\n") {
      out += "\\n";
    } else if (character == "\t") {
      out += "\\t";
    } else if (character == "\r") {
      out += "\\r";
    } else if (is_control(character)) {
      if (json && size == 1) {
        out += "\\u00";
        append_hex(out, static_cast<unsigned char>(character[0]));
      } else if (json)
        out += character; // only a terminal minds
      else
        for (auto c : character) {
          out += "\\x";
          append_hex(out, static_cast<unsigned char>(c));
        }
    } else
      out += character;
    rest.remove_prefix(size);
  }
  if (is_cut)
    out += "\xE2\x80\xA6"; // …
}

bool needs_quotes(std::string_view text) noexcept {
  return text.empty() || std::any_of(text.begin(), text.end(), [](unsigned char c) {
           return c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7F;
         });
}

void append_number(std::string& out, auto number) {
  char digits[24];
  out.append(digits, std::to_chars(std::begin(digits), std::end(digits), number).ptr);
}

/// `2026-11-22T15:49:50.123456Z`, or only `15:49:50.123`, both UTC.
void append_time(std::string& out, std::int64_t at_us, bool whole) {
  auto seconds = static_cast<std::time_t>(at_us / 1'000'000);
  auto parts = std::tm{};
  gmtime_r(&seconds, &parts);
  char text[40];
  out.append(text, std::strftime(text, sizeof text, whole ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &parts));
  auto fraction = at_us % 1'000'000;
  auto size = whole ? std::snprintf(text, sizeof text, ".%06dZ", static_cast<int>(fraction))
                    : std::snprintf(text, sizeof text, ".%03d", static_cast<int>(fraction / 1'000));
  out.append(text, static_cast<std::size_t>(size));
}

std::int64_t now_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

// -- the writing thread ----------------------------------------------------------------------------------------------

class writer {
public:
  ~writer() { stop(); }

  bool start(options with) {
    stop();
    auto lock = std::unique_lock{mutex_};
    options_ = std::move(with);
    auto opened = open_file();
    dropped_ = told_dropped_ = 0;
    is_running_ = true;
    choose_format();
    thread_ = std::thread{[this] { run(); }};
    pthread_setname_np(thread_.native_handle(), "log");
    return opened;
  }

  void stop() {
    auto lock = std::unique_lock{mutex_};
    if (!is_running_)
      return;
    is_running_ = false;
    lock.unlock();
    wake_.notify_all();
    thread_.join();
    lock.lock();
    auto file_lock = std::unique_lock{file_mutex_};
    options_ = {};
    close_file();
    choose_format();
  }

  bool reopen() {
    auto lock = std::unique_lock{file_mutex_};
    return options_.file.empty() || open_file();
  }

  void write(log_level level, std::string_view name, fields with) {
    auto line = format_line(format_.load(std::memory_order_relaxed), colours_.load(std::memory_order_relaxed), now_us(),
                            level, name, with);
    line += '\n';
    auto lock = std::unique_lock{mutex_};
    if (!is_running_) {
      emit(line);
      return;
    }
    if (queue_.size() >= options_.queue_events_max) {
      ++dropped_;
      return;
    }
    queue_.push_back(std::move(line));
    if (queue_.size() == 1) {
      lock.unlock();
      wake_.notify_one();
    }
  }

  void flush() {
    auto lock = std::unique_lock{mutex_};
    written_.wait(lock, [&] { return !is_running_ || (queue_.empty() && !is_writing_); });
  }

  std::uint64_t dropped() const noexcept { return dropped_.load(); }

private:
  void run() {
    auto batch = std::deque<std::string>{};
    auto text = std::string{};
    auto lock = std::unique_lock{mutex_};
    for (;;) {
      wake_.wait(lock, [&] { return !is_running_ || !queue_.empty(); });
      if (queue_.empty())
        return;
      batch.swap(queue_);
      is_writing_ = true;
      lock.unlock();
      for (auto& line : batch) {
        text += line;
        if (text.size() >= 64 * 1'024 || options_.sink) {
          emit(text);
          text.clear();
        }
      }
      if (auto all = dropped_.load(); all != told_dropped_) {
        text += format_line(format_, colours_, now_us(), log_level::warning, "log.dropped",
                            {{"events", all - told_dropped_}}) +
                '\n';
        told_dropped_ = all;
      }
      if (!text.empty())
        emit(text);
      text.clear();
      batch.clear();
      lock.lock();
      is_writing_ = false;
      written_.notify_all();
    }
  }

  void emit(std::string_view text) {
    auto lock = std::unique_lock{file_mutex_};
    if (options_.sink) {
      options_.sink(text.substr(0, text.size() - 1));
      return;
    }
    while (!text.empty()) {
      auto size = ::write(file_ < 0 ? STDERR_FILENO : file_, text.data(), text.size());
      if (size < 0 && errno == EINTR)
        continue;
      if (size <= 0)
        return; // a full disk: nobody to tell
      text.remove_prefix(static_cast<std::size_t>(size));
    }
  }

  bool open_file() {
    if (options_.file.empty())
      return true;
    // Nobody waits for a pipe: neither for its reader nor for room in it.
    auto next = ::open(options_.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (next < 0)
      return false;
    close_file();
    file_ = next;
    return true;
  }

  void close_file() {
    if (file_ >= 0)
      ::close(file_);
    file_ = -1;
  }

  void choose_format() {
    auto is_terminal = file_ < 0 && isatty(STDERR_FILENO) == 1;
    auto format = options_.format;
    if (format == log_format::automatic)
      format = file_ >= 0        ? log_format::json
               : is_terminal     ? log_format::text
               : under_journal() ? log_format::journal
               : is_running_     ? log_format::json
                                 : log_format::text;
    format_ = format;
    colours_ = format == log_format::text && is_terminal && !std::getenv("NO_COLOR");
  }

  /// Whether standard error is the stream that systemd says goes to its journal.
  static bool under_journal() {
    auto said = std::getenv("JOURNAL_STREAM");
    struct stat it {};
    return said && fstat(STDERR_FILENO, &it) == 0 &&
           said == std::to_string(it.st_dev) + ":" + std::to_string(it.st_ino);
  }

  std::mutex mutex_;      // the queue
  std::mutex file_mutex_; // the file; never held together with a wait for the queue
  std::condition_variable wake_, written_;
  std::deque<std::string> queue_;
  bool is_running_ = false;
  bool is_writing_ = false;
  std::thread thread_;
  options options_; // does not change while the thread runs
  int file_ = -1;
  std::atomic<log_format> format_{log_format::text};
  std::atomic<bool> colours_{false};
  std::atomic<std::uint64_t> dropped_{0};
  std::uint64_t told_dropped_ = 0;
};

writer& the_writer() {
  static writer one;
  return one;
}

std::size_t find_component(std::string_view name) {
  return static_cast<std::size_t>(std::find(components.begin(), components.end(), name) - components.begin());
}

} // namespace

std::array<std::atomic<log_level>, components.size()> levels{};

namespace {
// Before the start only what went wrong is said.
[[maybe_unused]] const auto quiet_until_the_start = set_level("*", log_level::warning);
} // namespace

void field::append_as_text(std::string& out) const {
  switch (kind_) {
  case kind::text:
    if (needs_quotes(text_)) {
      out += '"';
      append_escaped(out, text_, false);
      out += '"';
    } else
      append_escaped(out, text_, false);
    break;
  case kind::flag:
    out += number_ ? "true" : "false";
    break;
  case kind::number:
    append_number(out, number_);
    break;
  case kind::natural:
    append_number(out, static_cast<std::uint64_t>(number_));
    break;
  }
}

void field::append_as_json(std::string& out) const {
  if (kind_ != kind::text) {
    append_as_text(out);
    return;
  }
  out += '"';
  append_escaped(out, text_, true);
  out += '"';
}

std::string format_line(log_format format, bool colours, std::int64_t at_us, log_level level, std::string_view name,
                        fields with) {
  auto out = std::string{};
  out.reserve(256);
  if (format == log_format::json) {
    out += "{\"time\":\"";
    append_time(out, at_us, true);
    out += "\",\"level\":\"";
    out += to_string(level);
    out += "\",\"event\":\"";
    append_escaped(out, name, true);
    out += '"';
    for (auto& x : with) {
      out += ",\"";
      append_escaped(out, x.name(), true);
      out += "\":";
      x.append_as_json(out);
    }
    out += '}';
    return out;
  }
  // debug is dim, warning yellow, error red, names of fields are dim.
  constexpr auto colour_of = std::to_array<std::string_view>({"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m", ""});
  auto paint = [&](std::string_view code) {
    if (colours)
      out += code;
  };
  if (format == log_format::journal) {
    constexpr auto priority_of = std::to_array<std::string_view>({"<7>", "<6>", "<4>", "<3>", "<6>"});
    out += priority_of[static_cast<std::size_t>(level)];
    out += name;
  } else {
    append_time(out, at_us, !colours);
    out += ' ';
    paint(colour_of[static_cast<std::size_t>(level)]);
    out += to_string(level);
    out.append(8 - to_string(level).size(), ' ');
    out += name;
    paint("\x1b[0m");
    if (with.size() > 0 && name.size() < 24)
      out.append(24 - name.size(), ' ');
  }
  for (auto& x : with) {
    out += ' ';
    paint("\x1b[2m");
    out += x.name();
    out += '=';
    paint("\x1b[0m");
    x.append_as_text(out);
  }
  return out;
}

void write(log_level level, const event& what, fields with) {
  the_writer().write(level, what.name(), with);
}

bool start(options with) {
  set_levels(with.level, with.levels);
  return the_writer().start(std::move(with));
}

void stop() {
  the_writer().stop();
}
void flush() {
  the_writer().flush();
}
bool reopen() {
  return the_writer().reopen();
}
std::uint64_t dropped() noexcept {
  return the_writer().dropped();
}

void set_levels(log_level all, const std::vector<std::string>& others) {
  for (auto& x : levels)
    x.store(all, std::memory_order_relaxed);
  for (auto& text : others) {
    auto at = text.find('=');
    auto level = log_level{};
    if (at != std::string::npos && from_string(std::string_view{text}.substr(at + 1), level))
      set_level(std::string_view{text}.substr(0, at), level);
  }
}

bool set_level(std::string_view component, log_level level) {
  if (component == "*") {
    for (auto& x : levels)
      x.store(level, std::memory_order_relaxed);
    return true;
  }
  auto i = find_component(component);
  if (i == components.size())
    return false;
  levels[i].store(level, std::memory_order_relaxed);
  return true;
}

std::vector<std::pair<std::string_view, log_level>> list_levels() {
  auto out = std::vector<std::pair<std::string_view, log_level>>{};
  for (auto i = std::size_t{0}; i < components.size(); ++i)
    out.emplace_back(components[i], levels[i].load(std::memory_order_relaxed));
  return out;
}

} // namespace log
} // namespace xmpp
