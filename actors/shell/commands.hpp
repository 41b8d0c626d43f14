// The shell's commands: a table of them, how a line finds its command, how a line is completed.
#pragma once

#include "actors/shell/backend.hpp"
#include "actors/shell/view.hpp"
#include "actors/shell/wire.hpp"

#include <caf/fwd.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xmpp::shell {

/// The person or program that gave a command.
class console {
public:
  virtual ~console() = default;

  virtual style look() const = 0;
  /// Someone is there who can be asked before something is done that can't be undone.
  virtual bool is_interactive() const = 0;
  /// Output can replace earlier output.
  virtual bool has_screen() const = 0;

  virtual void write(std::string_view text) = 0;
  /// Replaces what the last `refresh` wrote.
  virtual void refresh(std::string_view text) = 0;
  /// Says what went wrong.
  virtual void fail(std::string_view text) = 0;
  /// Sends what no person reads. False: it is not taken.
  virtual bool write_bytes(std::string_view) { return false; }
  /// Waits. False when the command shall stop, or nobody listens any more.
  virtual bool wait(std::chrono::milliseconds time) = 0;
  /// None: no answer was given.
  virtual std::optional<std::string> ask(const std::string& question, bool is_secret) = 0;
};

struct context {
  console& out;
  shell_backend& server;
  caf::actor_system& system;
  bool is_remote = false; ///< Given at another node: see remote_runs.hpp.
  int status = 0;         ///< Not 0: the command has failed and told it.
};

/// What stood behind a command's name.
struct arguments {
  std::vector<std::string> words;
  std::vector<std::pair<std::string, std::string>> options; ///< Without the dashes.

  bool has(std::string_view name) const;
  /// Empty when it is missing.
  std::string_view option(std::string_view name) const;
  /// Empty when there are fewer.
  std::string_view word(std::size_t index) const;
  /// `fallback` when it is missing. Fails with `bad_request`: not a number, or out of range.
  result<std::int64_t> number(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max) const;
};

/// What a word can be completed to.
enum class completes : std::uint8_t {
  nothing,
  command,
  actor,
  session,
  address,
  account,
  kind,
  component,
  level,
  setting,
  node,
  host,
  setter, ///< `set`
  line    ///< A command with all that belongs to it.
};

struct option {
  std::string_view name;  ///< Without the dashes.
  std::string_view value; ///< What follows: `N`, or `one|other`, which is checked; empty: nothing.
  std::string_view help;
};

struct command {
  std::string_view name;       ///< One word, or two: `user add`.
  std::string_view usage = {}; ///< What may follow, without options.
  std::string_view help = {};
  std::vector<completes> words = {};
  std::size_t words_min = 0, words_max = 0;
  std::vector<option> options = {};
  bool takes_rest = false; ///< The last word is the rest of the line as it stands.
  bool is_secret = false;  ///< The last word is a password.
  bool repeats = false;    ///< The last of `words` is also what comes behind it.
  bool wraps = false;      ///< The last word is a command line of its own.
  result<void> (*run)(context&, const arguments&) = nullptr;
};

/// All commands, in the order of `help`.
const std::vector<command>& commands();

/// Runs a line; returns the exit status: 0, or 1 after a failure, which has been told.
int run_line(context& with, std::string_view line);

/// `line` up to the cursor.
completions complete(context& with, std::string_view line);

/// What may be kept of a line.
struct kept_line {
  std::string history; ///< Without passwords.
  bool durable = true; ///< False for a line that no command was found for: it may hold anything.
  std::string log;     ///< Without passwords, texts of messages and unknown words.
};
kept_line keep(std::string_view line);

} // namespace xmpp::shell
