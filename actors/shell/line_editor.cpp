#include "actors/shell/line_editor.hpp"

#include "actors/shell/view.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <fcntl.h>
#include <fstream>
#include <histedit.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace xmpp::shell {

namespace {

constexpr wchar_t interrupt_key = 3; // Ctrl-C

std::string narrow(const wchar_t* first, const wchar_t* last) {
  auto result = std::string{};
  auto state = std::mbstate_t{};
  char buffer[MB_LEN_MAX];
  for (; first != last; ++first)
    if (auto size = std::wcrtomb(buffer, *first, &state); size != std::size_t(-1))
      result.append(buffer, size);
  return result;
}

std::size_t wide_size(std::string_view text) {
  auto result = std::size_t{0};
  for (auto c : text)
    result += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return result;
}

} // namespace

struct line_editor::impl {
  options with;
  EditLine* editor = nullptr;
  History* history = nullptr;
  std::string prompt;
  bool is_cancelled = false, is_over = false;

  explicit impl(options given) : with(std::move(given)) {
    editor = ::el_init("troupe", stdin, stdout, stderr);
    history = ::history_init();
    auto event = HistEvent{};
    ::history(history, &event, H_SETSIZE, int(with.history_lines_max));
    ::history(history, &event, H_SETUNIQUE, 1);
    ::el_set(editor, EL_CLIENTDATA, this);
    ::el_set(editor, EL_PROMPT, &impl::show_prompt);
    ::el_set(editor, EL_EDITOR, "emacs");
    ::el_set(editor, EL_SIGNAL, 0);
    ::el_set(editor, EL_HIST, ::history, history);
    ::el_set(editor, EL_GETCFN, &impl::read_key);
    ::el_set(editor, EL_ADDFN, "troupe-complete", "completes the word", &impl::complete_key);
    ::el_set(editor, EL_ADDFN, "troupe-interrupt", "throws the line away", &impl::interrupt_line);
    auto bind = [this](const char* key, const char* what) { ::el_set(editor, EL_BIND, key, what, nullptr); };
    bind("^I", "troupe-complete");
    bind("^C", "troupe-interrupt");
    bind("^R", "em-inc-search-prev");
    bind("^W", "ed-delete-prev-word");
    bind("\\e[3~", "ed-delete-next-char");
    bind("\\e[1~", "ed-move-to-beg");
    bind("\\e[4~", "ed-move-to-end");
    bind("\\e[1;5C", "em-next-word");
    bind("\\e[1;5D", "ed-prev-word");
    ::el_source(editor, nullptr); // the person's own ~/.editrc
  }

  ~impl() {
    ::history_end(history);
    ::el_end(editor);
  }

  static impl& of(EditLine* editor) {
    void* self = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<impl*>(self);
  }

  static char* show_prompt(EditLine* editor) { return of(editor).prompt.data(); }

  /// Waits for a key, a signal and the server at the same time.
  static int read_key(EditLine* editor, wchar_t* key) {
    auto& self = of(editor);
    auto state = std::mbstate_t{};
    for (;;) {
      pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {self.with.interrupts, POLLIN, 0}, {self.with.watched, POLLIN, 0}};
      if (::poll(waits, 3, -1) < 0) {
        if (errno != EINTR)
          return 0;
        continue;
      }
      // A signal may have come after the wait looked at the pipe; what was typed behind Ctrl-C must not overtake it.
      auto signal = '\0';
      if (::read(self.with.interrupts, &signal, 1) == 1) {
        if (signal == SIGINT) {
          *key = interrupt_key;
          return 1;
        }
        if (signal == SIGWINCH)
          ::el_resize(editor);
        if (signal == SIGCONT) { // Back from the background: the terminal was given back to the other shell.
          ::el_set(editor, EL_PREP_TERM, 1);
          ::el_set(editor, EL_REFRESH);
        }
        continue;
      }
      if (waits[2].revents != 0) {
        self.is_over = true;
        return 0;
      }
      char byte = 0;
      auto size = ::read(STDIN_FILENO, &byte, 1);
      if (size < 0 && (errno == EINTR || errno == EAGAIN))
        continue;
      if (size <= 0)
        return 0;
      auto used = std::mbrtowc(key, &byte, 1, &state);
      if (used == 0 || used == 1)
        return 1;
      if (used == std::size_t(-1))
        state = {}; // No text in this locale: dropped.
    }
  }

  static unsigned char interrupt_line(EditLine* editor, int) {
    auto& self = of(editor);
    self.is_cancelled = true;
    std::fputs("^C\r\n", stdout);
    std::fflush(stdout);
    return CC_EOF; // ends the line without keeping it
  }

  static unsigned char complete_key(EditLine* editor, int) {
    auto& self = of(editor);
    auto line = ::el_wline(editor);
    auto text = narrow(line->buffer, line->cursor);
    if (!self.with.complete)
      return CC_ERROR;
    auto found = self.with.complete(text);
    if (found.words.empty() || found.from > text.size())
      return CC_REFRESH_BEEP;
    auto typed = std::string_view{text}.substr(found.from);
    auto common = std::string_view{found.words.front()};
    for (auto& one : found.words) {
      auto end = std::mismatch(common.begin(), common.end(), one.begin(), one.end()).first;
      common = common.substr(0, std::size_t(end - common.begin()));
    }
    // Never half of a character.
    while (common.size() < found.words.front().size() &&
           (static_cast<unsigned char>(found.words.front()[common.size()]) & 0xc0) == 0x80)
      common.remove_suffix(1);
    if (found.words.size() == 1 || common.size() > typed.size()) {
      auto replacement = std::string{common};
      if (found.words.size() == 1 && !replacement.ends_with('@'))
        replacement += ' ';
      ::el_deletestr(editor, int(wide_size(typed)));
      return ::el_insertstr(editor, replacement.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    }
    self.list(found.words);
    return CC_REDISPLAY;
  }

  /// In columns, below the line.
  static void list(const std::vector<std::string>& words) {
    auto size = winsize{};
    auto width = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? std::size_t{size.ws_col} : 80;
    auto shown = std::vector<std::string>{};
    auto widest = std::size_t{0};
    for (auto& one : words) {
      shown.push_back(printable(one));
      widest = std::max(widest, display_width(shown.back()));
    }
    auto columns = std::max(std::size_t{1}, width / (widest + 2));
    auto rows = (shown.size() + columns - 1) / columns;
    auto text = std::string{"\r\n"};
    for (auto row = std::size_t{0}; row < rows; ++row) {
      for (auto i = row; i < shown.size(); i += rows) {
        text += shown[i];
        if (i + rows < shown.size())
          text.append(widest + 2 - display_width(shown[i]), ' ');
      }
      text += "\r\n";
    }
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }

  void load() {
    auto lines = std::vector<std::string>{};
    auto file = std::ifstream{with.history_file};
    for (auto line = std::string{}; std::getline(file, line);)
      lines.push_back(line);
    auto event = HistEvent{};
    auto first = lines.size() > with.history_lines_max ? lines.size() - with.history_lines_max : 0;
    for (auto i = first; i < lines.size(); ++i)
      ::history(history, &event, H_ENTER, lines[i].c_str());
    // Only now and then, so that shells that run side by side rarely take away each other's lines.
    if (lines.size() > 2 * with.history_lines_max)
      rewrite({lines.begin() + std::ptrdiff_t(first), lines.end()});
  }

  void rewrite(const std::vector<std::string>& lines) {
    auto fresh = with.history_file;
    fresh += ".new";
    ::unlink(fresh.c_str());
    auto text = std::string{};
    for (auto& one : lines)
      text += one + "\n";
    if (append(fresh, text))
      ::rename(fresh.c_str(), with.history_file.c_str());
  }

  static bool append(const std::filesystem::path& file, std::string_view text) {
    auto descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (descriptor < 0)
      return false;
    auto is_written = ::fchmod(descriptor, S_IRUSR | S_IWUSR) == 0 &&
                      ::write(descriptor, text.data(), text.size()) == ssize_t(text.size());
    ::close(descriptor);
    return is_written;
  }
};

line_editor::line_editor(options with) : impl_(std::make_unique<impl>(std::move(with))) {
  if (!impl_->with.history_file.empty())
    impl_->load();
}

line_editor::~line_editor() = default;

line_editor::outcome line_editor::read(const std::string& prompt, std::string& line) {
  impl_->prompt = prompt;
  impl_->is_cancelled = false;
  auto size = 0;
  auto text = ::el_gets(impl_->editor, &size);
  if (impl_->is_cancelled)
    return outcome::cancelled;
  if (!text || size <= 0 || impl_->is_over)
    return outcome::end;
  line.assign(text, std::size_t(size));
  while (line.ends_with('\n') || line.ends_with('\r'))
    line.pop_back();
  return outcome::line;
}

void line_editor::remember(const std::string& line, bool durable) {
  if (line.empty() || line.find('\n') != std::string::npos)
    return;
  auto event = HistEvent{};
  ::history(impl_->history, &event, H_ENTER, line.c_str());
  if (durable && !impl_->with.history_file.empty())
    impl::append(impl_->with.history_file, line + "\n");
}

std::filesystem::path history_file_of_user() {
  auto state = std::getenv("XDG_STATE_HOME");
  auto home = std::getenv("HOME");
  if ((!state || *state != '/') && (!home || *home != '/'))
    return {};
  auto folder =
      state && *state == '/' ? std::filesystem::path{state} : std::filesystem::path{home} / ".local" / "state";
  folder /= "troupe";
  auto failure = std::error_code{};
  std::filesystem::create_directories(folder, failure);
  return failure ? std::filesystem::path{} : folder / "shell_history";
}

} // namespace xmpp::shell
