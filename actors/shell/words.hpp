// A command line as words, and words against patterns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::shell {

struct word {
  std::string text;      ///< Without quotes.
  std::size_t begin = 0; ///< Where it stands in the line, with its quotes; bytes.
  std::size_t end = 0;
};

struct split_line {
  std::vector<word> words;
  char open_quote = '\0'; ///< A quote that is not closed; its word goes to the end.
};

/// Words are separated by blanks. Between '…' all stands for itself, between "…" and outside of quotes a backslash
/// takes away the meaning of the next character.
split_line split(std::string_view line);

/// `*` any text, `?` one byte; without either, whether `text` contains the pattern. An empty pattern matches all. ASCII
/// letters match in either case.
bool matches(std::string_view pattern, std::string_view text);

} // namespace xmpp::shell
