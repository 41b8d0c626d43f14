// A command line as words, and words against patterns.
#pragma once

#include "protocol/error.hpp"

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

/// Words are separated by blanks. Between '…' all stands for itself, between "…" and outside of quotes a backslash
/// takes away the meaning of the next character. Fails with `bad_request` on a quote that is not closed.
result<std::vector<word>> split(std::string_view line);

/// `*` any text, `?` one byte; without either, whether `text` contains the pattern. An empty pattern matches all. ASCII
/// letters match in either case.
bool matches(std::string_view pattern, std::string_view text);

} // namespace xmpp::shell
