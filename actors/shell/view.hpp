// What a command shows: tables, records, trees as data, then as text for people or as JSON for programs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace xmpp::shell {

/// How the other side wants to read.
struct style {
  bool json = false;
  bool colour = false;
  bool utf8 = true;   ///< Else only ASCII.
  unsigned width = 0; ///< Columns of the terminal; 0: unlimited.
};

enum class tone : std::uint8_t { plain, strong, dim, good, warning, bad };

/// What a number counts; text says it with separators and prefixes, JSON says the plain number.
enum class unit : std::uint8_t {
  text,         ///< Not a number, or one that is read as a name.
  number,       ///< As it is.
  count,        ///< 1,234,567
  bytes,        ///< 5.2 KiB
  microseconds, ///< 850 µs, 12.3 ms
  seconds,      ///< 2 h 5 min
  per_second,   ///< 1,204.5
  percent,      ///< 99.0 %
};

/// A cell. Nothing is shown as `-`, in a tree as blank, and written as `null`; several texts are an array, in a record
/// a line each.
struct value {
  value() = default;
  value(bool x) : held(x) {}
  value(int x) : held(std::int64_t{x}) {}
  value(std::int64_t x) : held(x) {}
  value(std::uint64_t x) : held(std::int64_t(x)) {}
  value(std::uint32_t x) : held(std::int64_t{x}) {}
  value(double x) : held(x) {}
  value(std::string x, tone t = tone::plain) : held(std::move(x)), in(t) {}
  value(std::string_view x, tone t = tone::plain) : held(std::string{x}), in(t) {}
  value(std::vector<std::string> x) : held(std::move(x)) {}
  value(const char* x, tone t = tone::plain) : held(std::string{x}), in(t) {}

  value with(tone t) && {
    in = t;
    return std::move(*this);
  }

  std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>> held;
  tone in = tone::plain;
};

struct column {
  std::string title; ///< For people.
  std::string key;   ///< For programs, with the unit in the name.
  unit of = unit::text;
  bool flexible = false; ///< Its text may be cut where the terminal is too narrow.
  bool hidden = false;   ///< For programs only.
};

struct table {
  std::vector<column> columns;
  std::vector<std::vector<value>> rows; ///< Each with a cell for every column.
  std::string none = "nothing";         ///< Said in place of an empty table.
  std::string note = {};                ///< Said below it.
};

/// One thing and its fields, one a line.
struct record {
  struct field {
    std::string title, key;
    value what;
    unit of = unit::text;
  };
  std::vector<field> fields;
};

/// A table whose first column is a tree.
struct tree {
  struct node {
    std::vector<value> cells;
    std::vector<node> children;
  };
  std::vector<column> columns;
  std::vector<node> roots;
};

/// Lines of text with a final newline, or one line of JSON: an array of objects, an object, an array of objects with
/// `children`.
std::string render(const table& what, const style& how);
std::string render(const record& what, const style& how);
std::string render(const tree& what, const style& how);

/// A number with its unit.
std::string format(const value& what, unit of, bool utf8 = true);

/// Text from outside, safe for a terminal: control characters, marks that turn the direction of writing, and invalid
/// UTF-8 are shown by their code. With `utf8` false so is all beyond ASCII.
std::string printable(std::string_view text, bool utf8 = true);

/// How many columns of a terminal it takes; `text` is printable.
std::size_t display_width(std::string_view text);

/// In its colour, when `how` has colours.
std::string paint(std::string_view text, tone in, const style& how);

/// With quotes. Invalid UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);

/// `Last error` -> `last_error`.
std::string key_of(std::string_view title);

} // namespace xmpp::shell
