#include "actors/shell/client.hpp"

#include "actors/shell/commands.hpp"
#include "actors/shell/line_editor.hpp"
#include "actors/shell/local_socket.hpp"
#include "actors/shell/view.hpp"
#include "actors/shell/wire.hpp"

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <langinfo.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace xmpp {

namespace {

using namespace shell;

constexpr int exit_failed = 1, exit_no_server = 2, exit_interrupted = 130;

// -- signals, as bytes in a pipe, so that one wait sees them and all else --

int signal_pipe[2] = {-1, -1};

void note_signal(int number) {
  auto saved = errno;
  auto byte = char(number);
  [[maybe_unused]] auto done = ::write(signal_pipe[1], &byte, 1);
  errno = saved;
}

void catch_signals() {
  if (::pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
    return;
  struct sigaction what = {};
  what.sa_handler = note_signal;
  what.sa_flags = SA_RESTART;
  for (auto number : {SIGINT, SIGWINCH, SIGCONT})
    ::sigaction(number, &what, nullptr);
}

/// The oldest that has come; 0: none.
int take_signal() {
  auto byte = char{0};
  return ::read(signal_pipe[0], &byte, 1) == 1 ? byte : 0;
}

// -- the terminal --

/// Takes away terminal modes until the end.
class terminal_without {
public:
  explicit terminal_without(tcflag_t modes) {
    is_changed_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    auto now = before_;
    now.c_lflag &= ~modes;
    if (is_changed_)
      ::tcsetattr(STDIN_FILENO, TCSADRAIN, &now);
  }
  ~terminal_without() {
    if (is_changed_)
      ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }
  terminal_without(const terminal_without&) = delete;

private:
  termios before_ = {};
  bool is_changed_ = false;
};

winsize terminal_size() {
  auto size = winsize{};
  ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  return size;
}

void write_out(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

/// A picture that is drawn over the one before, beside what was on the terminal.
class screen {
public:
  screen() { write_out("\x1b[?1049h\x1b[?7l\x1b[?25l"); } // other buffer, no wrapping, no cursor
  ~screen() { write_out("\x1b[?25h\x1b[?7h\x1b[?1049l"); }
  screen(const screen&) = delete;

  void draw(std::string_view text) {
    auto rows = terminal_size().ws_row;
    auto picture = std::string{"\x1b[H"};
    for (auto row = 0; !text.empty() && (rows == 0 || row < rows); ++row) {
      auto end = std::min(text.find('\n'), text.size());
      // No line end behind the last row: it would scroll.
      picture.append(row == 0 ? "" : "\r\n").append(text.substr(0, end)).append("\x1b[0m\x1b[K");
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    write_out(picture + "\x1b[J");
  }

private:
  terminal_without modes_{ICANON | ECHO};
};

void complain(std::string_view text) {
  auto how = style{.colour = ::isatty(STDERR_FILENO) != 0 && !std::getenv("NO_COLOR")};
  std::fprintf(stderr, "%s\n", paint(text, tone::bad, how).c_str());
}

// -- the dialogue with the server --

class client {
public:
  client(int descriptor, const client_hello& hello) : wire_(descriptor, link::side::client), hello_(hello) {}

  /// False: refused; it has been told.
  bool greet() {
    wire_.send(frame_type::hello, encode(hello_));
    auto got = frame{};
    while (wire_.receive(got, 10'000) == link::outcome::frame) {
      if (got.type == frame_type::hello) {
        greeting_ = got.payload.empty() ? "" : got.payload.substr(1);
        return true;
      }
      if (got.type == frame_type::failure) {
        complain(got.payload);
        return false;
      }
    }
    complain("the server does not answer");
    return false;
  }

  const std::string& greeting() const { return greeting_; }
  bool is_over() const { return is_over_; }
  int descriptor() const { return wire_.descriptor(); }

  /// The exit status of the command.
  int run(std::string_view line) {
    if (line.size() > client_frame_bytes_max) {
      complain("the line is too long");
      return exit_failed;
    }
    send_size();
    wire_.send(frame_type::command, line);
    auto picture = std::unique_ptr<screen>{};
    auto interrupts = 0;
    for (;;) {
      auto got = frame{};
      switch (picture ? wire_.receive(got, -1, {signal_pipe[0], STDIN_FILENO})
                      : wire_.receive(got, -1, {signal_pipe[0]})) {
      case link::outcome::closed:
        picture.reset();
        is_over_ = true;
        complain("the server has closed the connection");
        return exit_no_server;
      case link::outcome::other:
        if (auto number = take_signal(); number == SIGINT && ++interrupts > 1) {
          is_over_ = true;
          return exit_interrupted;
        } else if (number == SIGINT || (number == 0 && picture && is_quit_key())) {
          wire_.send(frame_type::stop, {});
        } else if (number == SIGWINCH) {
          send_size();
        }
        break;
      case link::outcome::frame:
        if (got.type == frame_type::done) {
          picture.reset();
          if (interrupts > 0 && hello_.screen)
            write_out("\n");
          return got.payload.empty() ? exit_failed : got.payload[0];
        }
        if (got.type == frame_type::refresh && !picture)
          picture = std::make_unique<screen>();
        if (got.type == frame_type::refresh)
          picture->draw(got.payload);
        else
          take(got);
        break;
      default:
        break;
      }
    }
  }

  completions complete(std::string_view line) {
    auto got = frame{};
    while (wire_.receive(got, 0) == link::outcome::frame) // an answer that came too late
      ;
    if (!wire_.send(frame_type::complete, line) || wire_.receive(got, 3'000) != link::outcome::frame ||
        got.type != frame_type::candidates)
      return {};
    auto found = decode_completions(got.payload);
    return found ? *found : completions{};
  }

  /// A line from standard input, without its end; none: it has ended, or Ctrl-C was pressed.
  std::optional<std::string> read_line() {
    for (;;) {
      if (auto end = input_.find('\n'); end != std::string::npos) {
        auto line = input_.substr(0, end);
        input_.erase(0, end + 1);
        return line;
      }
      pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {signal_pipe[0], POLLIN, 0}};
      if (::poll(waits, 2, -1) < 0)
        continue;
      if (waits[1].revents != 0 && take_signal() == SIGINT)
        return std::nullopt;
      if (waits[0].revents == 0)
        continue;
      char buffer[4096];
      auto size = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (size > 0)
        input_.append(buffer, std::size_t(size));
      else if (size == 0 || errno != EINTR)
        return input_.empty() ? std::nullopt : std::optional{std::exchange(input_, {})};
    }
  }

private:
  void take(const frame& got) {
    if (got.type == frame_type::output)
      write_out(got.payload);
    else if (got.type == frame_type::failure)
      complain(got.payload);
    else if (got.type == frame_type::ask && !got.payload.empty())
      answer(got.payload.substr(1), got.payload[0] == 's');
  }

  void answer(const std::string& question, bool is_secret) {
    // The question goes where output of a one-shot command does not.
    auto is_person = ::isatty(STDIN_FILENO) != 0;
    if (is_person)
      std::fprintf(stderr, "%s", question.c_str());
    auto line = std::optional<std::string>{};
    {
      auto modes = terminal_without{is_person && is_secret ? tcflag_t{ECHO} : tcflag_t{0}};
      line = read_line();
    }
    if (is_person && (is_secret || !line))
      std::fprintf(stderr, "\n");
    if (line)
      wire_.send(frame_type::answer, *line);
    else
      wire_.send(frame_type::stop, {});
  }

  void send_size() {
    if (hello_.screen)
      wire_.send(frame_type::resize, encode_width(terminal_size().ws_col));
  }

  static bool is_quit_key() {
    auto wait = pollfd{STDIN_FILENO, POLLIN, 0};
    if (::poll(&wait, 1, 0) <= 0)
      return false;
    auto key = '\0';
    return ::read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q';
  }

  link wire_;
  client_hello hello_;
  std::string greeting_, input_;
  bool is_over_ = false;
};

int talk(client& server, bool is_plain) {
  auto with = line_editor::options{};
  with.history_file = history_file_of_user();
  with.complete = [&](std::string_view line) { return server.complete(line); };
  with.interrupts = signal_pipe[0];
  with.watched = server.descriptor();
  auto editor = line_editor{std::move(with)};
  if (is_plain && !server.greeting().empty())
    write_out(server.greeting() + "\nTab completes, Ctrl-C stops, Ctrl-D leaves.\n");
  while (!server.is_over()) {
    auto line = std::string{};
    auto got = editor.read("troupe> ", line);
    if (got == line_editor::outcome::end) {
      write_out("\n");
      // Ctrl-D, or the server went away: the next command would say so; here it is asked.
      auto wait = pollfd{server.descriptor(), POLLIN, 0};
      if (::poll(&wait, 1, 0) > 0) {
        complain("the server has closed the connection");
        return exit_no_server;
      }
      return 0;
    }
    auto first = line.find_first_not_of(" \t");
    if (got == line_editor::outcome::cancelled || first == std::string::npos)
      continue;
    line = line.substr(first, line.find_last_not_of(" \t") - first + 1);
    if (line == "exit" || line == "quit")
      return 0;
    auto kept = keep(line);
    editor.remember(kept.history, kept.durable);
    auto status = server.run(line);
    if (server.is_over())
      return status;
  }
  return 0;
}

int run_script(client& server) {
  auto worst = 0;
  while (!server.is_over()) {
    auto line = server.read_line();
    if (!line || *line == "exit" || *line == "quit")
      return worst;
    if (!line->empty() && line->front() != '#')
      worst = std::max(worst, server.run(*line));
  }
  return worst;
}

int explain(const error& why) {
  if (why.code == errc::item_not_found)
    complain("no server answers (" + why.text +
             ")\nStart one with `troupe serve --config FILE`, in a clone with `make run`, as a service with `systemctl "
             "start troupe`.");
  else if (why.code == errc::forbidden)
    complain("the server's socket is closed to you (" + why.text +
             ")\nBe its user, or root: `sudo -u troupe troupe shell …`.");
  else
    complain(why.text);
  return exit_no_server;
}

} // namespace

int run_shell(const std::filesystem::path& socket, const std::optional<std::string>& command, bool json) {
  std::setlocale(LC_CTYPE, "");
  auto is_terminal = ::isatty(STDOUT_FILENO) != 0;
  auto terminal = std::getenv("TERM");
  auto is_capable = is_terminal && terminal && std::strcmp(terminal, "dumb") != 0;
  auto hello = client_hello{};
  hello.json = json;
  hello.colour = is_capable && !json && !std::getenv("NO_COLOR");
  hello.utf8 = !is_terminal || std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
  hello.interactive = ::isatty(STDIN_FILENO) != 0;
  hello.screen = is_capable && hello.interactive;
  hello.one_shot = command.has_value();
  hello.width = is_terminal ? terminal_size().ws_col : std::uint16_t{0};

  auto descriptor = connect_to(socket);
  if (!descriptor)
    return explain(descriptor.error());
  catch_signals();
  auto server = client{*descriptor, hello};
  if (!server.greet())
    return exit_no_server;
  if (command)
    return server.run(*command);
  return hello.interactive && is_capable ? talk(server, !json) : run_script(server);
}

} // namespace xmpp
