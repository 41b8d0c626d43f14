// The table of all options: names, units, ranges, defaults and reasons. What reads, documents and compares
// configurations goes by it.
#pragma once

#include "actors/config.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace xmpp {

using text_list = std::vector<std::string>;
using option_value = std::variant<bool, std::int64_t, std::string, text_list>;
/// By the value's index.
inline constexpr std::array<std::string_view, 4> type_names = {"true or false", "a whole number", "a text in quotes",
                                                               "a list of texts"};

/// One row of the table; `Owner` is `config` or `host_config`.
template <class Owner>
struct option {
  std::string_view section, name, unit, doc;
  bool is_live = false;
  std::int64_t min = 0, max = 0;
  std::vector<std::string_view> choices; ///< Of a text, or of a list's items.
  bool is_path = false;
  std::function<option_value(const Owner&)> get;
  std::function<void(Owner&, const option_value&)> set;
  std::function<std::string(std::string_view)> check; ///< Of a text or an item; says what is wrong, or nothing.

  option&& in(std::string_view its_unit, std::int64_t from, std::int64_t to) && {
    unit = its_unit, min = from, max = to;
    return std::move(*this);
  }
  option&& of(std::vector<std::string_view> words) && {
    choices = std::move(words);
    return std::move(*this);
  }
  option&& when(std::function<std::string(std::string_view)> test) && {
    check = std::move(test);
    return std::move(*this);
  }
};

/// Of the server; of a virtual host.
const std::vector<option<config>>& server_options();
const std::vector<option<host_config>>& host_options();

/// What each section is for, in the order of the example file.
extern const std::vector<std::pair<std::string_view, std::string_view>> section_docs;

/// As it would stand in the file.
std::string in_quotes(std::string_view text);
std::string render(const option_value& x);

} // namespace xmpp
