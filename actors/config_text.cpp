#include "actors/config_text.hpp"

#include <cctype>

namespace xmpp {

namespace {

constexpr std::string_view blanks = " \t\r";

bool is_name_character(char x) {
  return std::isalnum(static_cast<unsigned char>(x)) != 0 || x == '_' || x == '-';
}

} // namespace

config_text::config_text(std::string_view text) : text_(text) {
  for (skip_space(); !is_at_end(); skip_space())
    if (here() == '[')
      read_header();
    else
      read_option(section_);
}

std::size_t config_text::line_of(const std::string& path) const {
  auto i = places_.find(path);
  return i == places_.end() ? 0 : i->second.line;
}

std::string_view config_text::value_of(const std::string& path) const {
  auto i = places_.find(path);
  return i == places_.end() ? std::string_view{} : i->second.value;
}

void config_text::step() {
  if (is_at_end())
    return;
  line_ += text_[at_] == '\n';
  ++at_;
}

void config_text::skip_while(std::string_view any_of) {
  while (!is_at_end() && any_of.find(here()) != std::string_view::npos)
    step();
}

void config_text::skip_until(char end) {
  while (!is_at_end() && here() != end)
    step();
}

/// White space, what parts items, and comments.
void config_text::skip_space() {
  for (;;) {
    skip_while(" \t\r\n,");
    if (here() != ';')
      return;
    skip_until('\n');
  }
}

std::string_view config_text::read_name() {
  auto from = at_;
  while (!is_at_end() && is_name_character(here()))
    step();
  return text_.substr(from, at_ - from);
}

void config_text::read_header() {
  step();
  auto path = std::string{};
  for (; !is_at_end() && here() != ']' && here() != '\n'; step())
    if (blanks.find(here()) == std::string_view::npos)
      path += here();
  step();
  section_ = path;
  note(path, true);
}

void config_text::read_option(const std::string& section) {
  auto name = read_name();
  if (name.empty())
    return step(); // CAF has taken it; so it is no option
  auto path = section.empty() ? std::string{name} : section + "." + std::string{name};
  auto& found = note(path, false);
  skip_while(blanks);
  if (here() == '=')
    step();
  skip_while(blanks);
  auto line = line_;
  auto value = read_value(path);
  if (found.value.empty() && line == line_)
    found.value = value;
}

void config_text::read_quoted() {
  auto quote = here();
  step();
  for (; !is_at_end() && here() != quote && here() != '\n'; step())
    if (here() == '\\')
      step();
  step();
}

void config_text::read_list() {
  step();
  for (skip_space(); !is_at_end() && here() != ']'; skip_space())
    if (read_value({}).empty())
      step();
  step();
}

void config_text::read_map(const std::string& path) {
  step();
  for (skip_space(); !is_at_end() && here() != '}'; skip_space())
    read_option(path);
  step();
}

/// `path` is empty in lists, whose maps have no place of their own.
std::string_view config_text::read_value(const std::string& path) {
  auto from = at_;
  switch (here()) {
  case '"':
  case '\'':
    read_quoted();
    break;
  case '[':
    read_list();
    break;
  case '{':
    read_map(path.empty() ? "[]" + std::to_string(at_) : path);
    break;
  case '<':
    skip_until('>');
    step();
    break;
  default:
    while (!is_at_end() && std::string_view{" \t\r\n,;]}"}.find(here()) == std::string_view::npos)
      step();
  }
  return text_.substr(from, at_ - from);
}

config_text::place& config_text::note(const std::string& path, bool is_section) {
  auto [i, is_new] = places_.try_emplace(path, place{line_, {}});
  if (!is_new)
    repetitions_.push_back({path, line_, i->second.line, is_section});
  return i->second;
}

} // namespace xmpp
