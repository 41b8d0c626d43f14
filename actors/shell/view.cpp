#include "actors/shell/view.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace xmpp::shell {

namespace {

// -- code points --

struct decoded {
  char32_t point = 0;
  std::size_t size = 0; ///< Bytes taken; 1 and `valid` false for a byte that begins nothing.
  bool valid = false;
};

decoded decode(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80)
    return {lead, 1, true};
  auto size = lead >= 0xf0 && lead < 0xf5 ? 4u : lead >= 0xe0 ? 3u : lead >= 0xc2 ? 2u : 0u;
  if (size == 0 || lead >= 0xf5 || text.size() < size)
    return {lead, 1, false};
  auto point = char32_t(lead & (0x7f >> size));
  for (auto i = 1u; i < size; ++i) {
    auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80)
      return {lead, 1, false};
    point = point << 6 | (next & 0x3f);
  }
  if ((size == 3 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) ||
      (size == 4 && (point < 0x10000 || point > 0x10ffff)))
    return {lead, 1, false};
  return {point, size, true};
}

using ranges = std::pair<char32_t, char32_t>;

bool is_among(char32_t x, const ranges* first, std::size_t count) {
  return std::any_of(first, first + count, [x](auto& r) { return x >= r.first && x <= r.second; });
}

/// Takes no column of its own. Not all of Unicode: what names are made of.
bool is_combining(char32_t x) {
  static constexpr ranges all[] = {
      {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},   {0x6d6, 0x6dc},
      {0x900, 0x902},   {0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
      {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
  return is_among(x, all, std::size(all));
}

bool is_wide(char32_t x) {
  static constexpr ranges all[] = {{0x1100, 0x115f},  {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97f},
                                   {0xac00, 0xd7a3},  {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                   {0xffe0, 0xffe6},  {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
                                   {0x20000, 0x3fffd}};
  return is_among(x, all, std::size(all));
}

/// Moves the cursor, hides text or turns it round: a name could forge a line of our own.
bool is_deceptive(char32_t x) {
  return x < 0x20 || (x >= 0x7f && x < 0xa0) || x == 0x61c || (x >= 0x200b && x <= 0x200f) ||
         (x >= 0x2028 && x <= 0x202e) || (x >= 0x2060 && x <= 0x206f) || x == 0xfeff || (x >= 0xfff0 && x <= 0xfffb) ||
         (x >= 0xe0000 && x <= 0xe007f);
}

std::string printed(const char* form, auto... xs) {
  auto buffer = std::array<char, 64>{};
  auto size = std::snprintf(buffer.data(), buffer.size(), form, xs...);
  return {buffer.data(), std::size_t(std::clamp(size, 0, int(buffer.size()) - 1))};
}

// -- numbers --

std::string with_separators(std::string digits) {
  auto from = digits.starts_with('-') ? std::size_t{1} : std::size_t{0};
  auto end = std::min(digits.find('.'), digits.size());
  while (end > from + 3) {
    end -= 3;
    digits.insert(end, 1, ',');
  }
  return digits;
}

/// `5.2` below ten, `52` above.
std::string short_number(double x) {
  return printed(x < 9.95 ? "%.1f" : "%.0f", x);
}

std::string format_bytes(double x) {
  static constexpr const char* prefixes[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto i = std::size_t{0};
  for (; x >= 1023.5 && i + 1 < std::size(prefixes); ++i)
    x /= 1024;
  return (i == 0 ? printed("%.0f", x) : short_number(x)) + " " + prefixes[i];
}

std::string format_microseconds(double x, bool utf8) {
  if (x < 1'000)
    return printed("%.0f ", x) + (utf8 ? "µs" : "us");
  return x < 1'000'000 ? short_number(x / 1'000) + " ms" : short_number(x / 1'000'000) + " s";
}

std::string format_seconds(std::int64_t s) {
  if (s < 60)
    return std::to_string(s) + " s";
  if (s < 3'600)
    return std::to_string(s / 60) + " min " + std::to_string(s % 60) + " s";
  if (s < 86'400)
    return std::to_string(s / 3'600) + " h " + std::to_string(s / 60 % 60) + " min";
  return std::to_string(s / 86'400) + " d " + std::to_string(s / 3'600 % 24) + " h";
}

// -- text --

struct piece {
  std::string text;
  std::size_t width = 0;
  tone in = tone::plain;
};

/// As much of printable `text` as fits.
std::string cut(const std::string& text, std::size_t width, bool utf8) {
  if (display_width(text) <= width)
    return text;
  auto end = std::string{utf8 ? "…" : "~"};
  auto result = std::string{};
  auto used = std::size_t{0};
  for (auto i = std::size_t{0}; i < text.size();) {
    auto one = decode(std::string_view{text}.substr(i));
    auto columns = display_width(std::string_view{text}.substr(i, one.size));
    if (used + columns + 1 > width)
      break;
    result.append(text, i, one.size);
    used += columns;
    i += one.size;
  }
  return result + end;
}

/// The unit of a number in a column takes the same room in each row, so that digits stand under digits.
std::string aligned(std::string text, unit of) {
  auto space = text.find(' ');
  if ((of == unit::bytes || of == unit::microseconds) && space != std::string::npos) {
    auto taken = display_width(text) - space - 1;
    auto room = of == unit::bytes ? std::size_t{3} : std::size_t{2};
    text.append(room - std::min(taken, room), ' ');
  }
  return text;
}

piece shown(const value& what, const column& where, const style& how) {
  auto text = aligned(format(what, where.of, how.utf8), where.of);
  auto width = display_width(text);
  auto is_nothing = std::holds_alternative<std::monostate>(what.held);
  return {std::move(text), width, is_nothing && what.in == tone::plain ? tone::dim : what.in};
}

/// Narrows the widest flexible columns until the lines fit, but none below 12.
void fit(std::vector<std::size_t>& widths, const std::vector<column>& columns, unsigned width) {
  if (width == 0)
    return;
  auto total = [&] {
    auto sum = widths.empty() ? 0 : (widths.size() - 1) * 2;
    for (auto w : widths)
      sum += w;
    return sum;
  };
  while (total() > width) {
    auto widest = columns.size();
    for (auto i = std::size_t{0}; i < columns.size(); ++i)
      if (columns[i].flexible && widths[i] > 12 && (widest == columns.size() || widths[i] > widths[widest]))
        widest = i;
    if (widest == columns.size())
      return;
    --widths[widest];
  }
}

std::string lines(std::vector<column> columns, std::vector<std::vector<piece>> rows, const style& how) {
  for (auto i = columns.size(); i-- > 0;)
    if (columns[i].hidden) {
      columns.erase(columns.begin() + std::ptrdiff_t(i));
      for (auto& row : rows)
        row.erase(row.begin() + std::ptrdiff_t(i));
    }
  auto widths = std::vector<std::size_t>{};
  auto titles = std::vector<piece>{};
  for (auto& one : columns) {
    titles.push_back({one.title, display_width(one.title), tone::strong});
    widths.push_back(titles.back().width);
  }
  rows.insert(rows.begin(), std::move(titles));
  for (auto& row : rows)
    for (auto i = std::size_t{0}; i < columns.size(); ++i)
      widths[i] = std::max(widths[i], row[i].width);
  fit(widths, columns, how.width);

  auto result = std::string{};
  for (auto& row : rows) {
    auto line = std::string{};
    for (auto i = std::size_t{0}; i < columns.size(); ++i) {
      auto& cell = row[i];
      if (cell.width > widths[i]) {
        cell.text = cut(cell.text, widths[i], how.utf8);
        cell.width = display_width(cell.text);
      }
      auto room = std::string(widths[i] - cell.width, ' ');
      auto is_left = columns[i].of == unit::text;
      auto is_last = i + 1 == columns.size();
      line += is_left ? "" : room;
      line += paint(cell.text, cell.in, how);
      line += is_left && !is_last ? room : "";
      line += is_last ? "" : "  ";
    }
    while (line.ends_with(' '))
      line.pop_back();
    result += line + "\n";
  }
  return result;
}

// -- JSON --

std::string json(const value& what) {
  struct {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(bool x) const { return x ? "true" : "false"; }
    std::string operator()(std::int64_t x) const { return std::to_string(x); }
    std::string operator()(double x) const { return std::isfinite(x) ? printed("%.6g", x) : "null"; }
    std::string operator()(const std::string& x) const { return json_string(x); }
    std::string operator()(const std::vector<std::string>& all) const {
      auto result = std::string{};
      for (auto& one : all)
        result.append(result.empty() ? "[" : ",").append(json_string(one));
      return (result.empty() ? "[" : result) + "]";
    }
  } write;
  return std::visit(write, what.held);
}

std::string json_members(const std::vector<column>& columns, const std::vector<value>& cells) {
  auto result = std::string{};
  for (auto i = std::size_t{0}; i < columns.size(); ++i)
    result.append(i == 0 ? "" : ",").append(json_string(columns[i].key)).append(":").append(json(cells[i]));
  return result;
}

std::string json_nodes(const std::vector<column>& columns, const std::vector<tree::node>& nodes) {
  auto result = std::string{"["};
  for (auto& one : nodes)
    result.append(result.size() == 1 ? "{" : ",{")
        .append(json_members(columns, one.cells))
        .append(",\"children\":")
        .append(json_nodes(columns, one.children))
        .append("}");
  return result + "]";
}

void flatten(const std::vector<tree::node>& nodes, const std::string& indent, bool is_root,
             const std::vector<column>& columns, const style& how, std::vector<std::vector<piece>>& rows) {
  for (auto& one : nodes) {
    auto is_last = &one == &nodes.back();
    auto branch = std::string{};
    auto below = std::string{};
    if (!is_root) {
      branch = how.utf8 ? (is_last ? "└─ " : "├─ ") : (is_last ? "`- " : "|- ");
      below = is_last ? "   " : how.utf8 ? "│  " : "|  ";
    }
    auto row = std::vector<piece>{};
    for (auto i = std::size_t{0}; i < columns.size(); ++i)
      row.push_back(std::holds_alternative<std::monostate>(one.cells[i].held) ? piece{}
                                                                              : shown(one.cells[i], columns[i], how));
    row[0].text.insert(0, indent + branch);
    row[0].width = display_width(row[0].text);
    rows.push_back(std::move(row));
    flatten(one.children, indent + below, false, columns, how, rows);
  }
}

} // namespace

std::string format(const value& what, unit of, bool utf8) {
  if (std::holds_alternative<std::monostate>(what.held))
    return "-";
  if (auto x = std::get_if<bool>(&what.held))
    return *x ? "yes" : "no";
  if (auto x = std::get_if<std::string>(&what.held))
    return printable(*x, utf8);
  if (auto all = std::get_if<std::vector<std::string>>(&what.held)) {
    auto result = std::string{};
    for (auto& one : *all)
      result.append(result.empty() ? "" : ", ").append(printable(one, utf8));
    return result.empty() ? "-" : result;
  }
  auto whole = std::get_if<std::int64_t>(&what.held);
  auto real = whole ? double(*whole) : std::get<double>(what.held);
  switch (of) {
  case unit::text:
  case unit::number:
    return whole ? std::to_string(*whole) : printed("%.1f", real);
  case unit::count:
    return with_separators(whole ? std::to_string(*whole) : printed("%.0f", real));
  case unit::bytes:
    return format_bytes(real);
  case unit::microseconds:
    return format_microseconds(real, utf8);
  case unit::seconds:
    return format_seconds(std::int64_t(real));
  case unit::per_second:
    return with_separators(printed(real != 0 && std::abs(real) < 99.95 ? "%.1f" : "%.0f", real));
  case unit::percent:
    return printed("%.1f %%", real);
  }
  return {};
}

std::string printable(std::string_view text, bool utf8) {
  auto result = std::string{};
  result.reserve(text.size());
  while (!text.empty()) {
    auto one = decode(text);
    if (!one.valid)
      result += printed("\\x%02x", unsigned(one.point));
    else if (is_deceptive(one.point) || (!utf8 && one.point >= 0x80))
      result += printed(one.point < 0x100 ? "\\x%02x" : "\\u{%x}", unsigned(one.point));
    else
      result += text.substr(0, one.size);
    text.remove_prefix(one.size);
  }
  return result;
}

std::size_t display_width(std::string_view text) {
  auto result = std::size_t{0};
  while (!text.empty()) {
    auto one = decode(text);
    result += is_combining(one.point) ? 0 : is_wide(one.point) ? 2 : 1;
    text.remove_prefix(one.size);
  }
  return result;
}

std::string paint(std::string_view text, tone in, const style& how) {
  if (!how.colour || in == tone::plain || text.empty())
    return std::string{text};
  auto code = in == tone::strong    ? "1"
              : in == tone::dim     ? "2"
              : in == tone::good    ? "32"
              : in == tone::warning ? "33"
                                    : "31";
  return std::string{"\x1b["}.append(code).append("m").append(text).append("\x1b[0m");
}

std::string json_string(std::string_view text) {
  auto result = std::string{"\""};
  while (!text.empty()) {
    auto one = decode(text);
    if (!one.valid)
      result += "\xef\xbf\xbd";
    else if (one.point == '"' || one.point == '\\')
      result.append("\\").append(1, char(one.point));
    else if (one.point == '\n')
      result += "\\n";
    else if (one.point < 0x10000 && is_deceptive(one.point))
      result += printed("\\u%04x", unsigned(one.point));
    else
      result += text.substr(0, one.size);
    text.remove_prefix(one.size);
  }
  return result + "\"";
}

std::string key_of(std::string_view title) {
  auto result = std::string{};
  for (auto c : title)
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
      result += c;
    else if (c >= 'A' && c <= 'Z')
      result += char(c - 'A' + 'a');
    else if (!result.empty() && !result.ends_with('_'))
      result += '_';
  while (result.ends_with('_'))
    result.pop_back();
  return result;
}

std::string render(const table& what, const style& how) {
  if (how.json) {
    auto result = std::string{"["};
    for (auto& row : what.rows)
      result.append(result.size() == 1 ? "{" : ",{").append(json_members(what.columns, row)).append("}");
    return result + "]\n";
  }
  auto note = what.note.empty() ? std::string{} : paint(printable(what.note, how.utf8), tone::dim, how) + "\n";
  if (what.rows.empty())
    return paint(what.none, tone::dim, how) + "\n" + note;
  auto rows = std::vector<std::vector<piece>>{};
  for (auto& row : what.rows) {
    auto& pieces = rows.emplace_back();
    for (auto i = std::size_t{0}; i < what.columns.size(); ++i)
      pieces.push_back(shown(row[i], what.columns[i], how));
  }
  return lines(what.columns, std::move(rows), how) + note;
}

std::string render(const record& what, const style& how) {
  auto result = std::string{};
  if (how.json) {
    for (auto& one : what.fields)
      result.append(result.empty() ? "{" : ",").append(json_string(one.key)).append(":").append(json(one.what));
    return (result.empty() ? "{" : result) + "}\n";
  }
  auto room = std::size_t{0};
  for (auto& one : what.fields)
    room = std::max(room, display_width(printable(one.title, how.utf8)));
  for (auto& one : what.fields) {
    auto title = printable(one.title, how.utf8);
    auto fill = std::string(room - display_width(title) + 2, ' ');
    auto lines = std::vector<std::string>{};
    if (auto all = std::get_if<std::vector<std::string>>(&one.what.held); all && !all->empty())
      for (auto& each : *all)
        lines.push_back(printable(each, how.utf8));
    else
      lines.push_back(format(one.what, one.of, how.utf8));
    result += paint(title, tone::strong, how) + fill;
    for (auto& each : lines)
      result += (&each == lines.data() ? "" : std::string(room + 2, ' ')) + paint(each, one.what.in, how) + "\n";
  }
  return result;
}

std::string render(const tree& what, const style& how) {
  if (how.json)
    return json_nodes(what.columns, what.roots) + "\n";
  auto rows = std::vector<std::vector<piece>>{};
  flatten(what.roots, "", true, what.columns, how, rows);
  return lines(what.columns, std::move(rows), how);
}

} // namespace xmpp::shell
