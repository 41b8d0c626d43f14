#include "actors/shell/words.hpp"

#include <algorithm>

namespace xmpp::shell {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
}

bool equal(char a, char b) {
  return lower(a) == lower(b);
}

} // namespace

split_line split(std::string_view line) {
  auto result = split_line{};
  auto& quote = result.open_quote;
  auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  for (auto i = std::size_t{0};;) {
    while (i < line.size() && is_blank(line[i]))
      ++i;
    if (i == line.size())
      return result;
    auto& one = result.words.emplace_back();
    one.begin = i;
    for (; i < line.size() && (quote || !is_blank(line[i])); ++i) {
      auto c = line[i];
      if (c == '\\' && quote != '\'' && i + 1 < line.size())
        one.text += line[++i];
      else if (c == quote)
        quote = '\0';
      else if (!quote && (c == '\'' || c == '"'))
        quote = c;
      else
        one.text += c;
    }
    one.end = i;
  }
}

bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.find_first_of("*?") == std::string_view::npos)
    return pattern.empty() ||
           std::search(text.begin(), text.end(), pattern.begin(), pattern.end(), equal) != text.end();
  // Goes back to the last star only: linear in practice, never worse than the product of both lengths.
  auto p = std::size_t{0}, t = std::size_t{0};
  auto star = std::string_view::npos, resume = std::size_t{0};
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || equal(pattern[p], text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

} // namespace xmpp::shell
