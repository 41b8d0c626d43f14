// CLUSTER STATUS: what `cluster status` shows, as tables of values; who shows them (actors/shell/view.hpp) aligns and
// paints them, or writes them as JSON. Nodes go by their numbers.
#pragma once

#include "cluster/placement.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace xmpp::cluster::status {

enum class tone : std::uint8_t { plain, dim, good, warning, bad };
enum class unit : std::uint8_t { text, count, bytes, microseconds, seconds };

struct cell {
  cell() = default; ///< Not known, or none.
  cell(std::uint64_t x, tone t = tone::plain) : held(x), in(t) {}
  cell(std::string x, tone t = tone::plain) : held(std::move(x)), in(t) {}

  std::variant<std::monostate, std::uint64_t, std::string> held;
  tone in = tone::plain;
};

struct column {
  std::string title; ///< For people.
  std::string key;   ///< For programs, with the unit in the name.
  unit of = unit::text;
  bool hidden = false; ///< For programs only.
};

struct table {
  std::vector<column> columns;
  std::vector<std::vector<cell>> rows; ///< Each with a cell for every column.
  std::string none;                    ///< Said in place of an empty table.
};

struct link {
  node_id from = 0, to = 0;
  bool is_up = false;
  std::uint64_t waiting_bytes = 0;
  std::optional<std::uint64_t> round_trip_us;
};

struct report {
  std::string summary; ///< `3 nodes up; 65 shards: 64 good, 1 at risk; 1 moving`
  table nodes, shards, links, moves;
};

/// `now_ms`: since 1970, for how long something has been going on.
report report_of(const state& in, const observed& seen, const std::vector<link>& links, std::int64_t now_ms,
                 const patience& how = {});

} // namespace xmpp::cluster::status
