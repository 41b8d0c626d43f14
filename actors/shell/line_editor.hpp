// Reading lines from a terminal, with editing, history and completion.
#pragma once

#include "actors/shell/wire.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace xmpp::shell {

class line_editor {
public:
  struct options {
    std::filesystem::path history_file; ///< Made with mode 0600; empty: none is kept.
    std::size_t history_lines_max = 1'000;
    std::function<completions(std::string_view)> complete;
    int interrupts = -1; ///< Gives the numbers of signals that came, a byte each; must not block.
    int watched = -1;    ///< When it becomes readable there is nobody to talk to: `read` ends.
  };

  explicit line_editor(options with);
  ~line_editor();
  line_editor(const line_editor&) = delete;

  enum class outcome { line, cancelled, end };
  /// Waits for a line, given without its end.
  outcome read(const std::string& prompt, std::string& line);
  /// `durable`: also for the next time.
  void remember(const std::string& line, bool durable);

  struct impl;

private:
  std::unique_ptr<impl> impl_;
};

/// `$XDG_STATE_HOME/troupe/shell_history`, or in ~/.local/state; empty without a home. Makes the folders.
std::filesystem::path history_file_of_user();

} // namespace xmpp::shell
