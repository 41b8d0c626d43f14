#include "cluster/placement_status.hpp"

#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace xmpp;
using namespace xmpp::cluster;
using xmpp::test::system_group;

namespace {

/// A row as text: `-` for nothing, `!` and `*` behind what is bad and what is a warning.
std::string line(const status::table& of, std::size_t row) {
  auto out = std::string{};
  for (auto i = std::size_t{0}; i < of.columns.size(); ++i) {
    auto& x = of.rows.at(row).at(i);
    if (of.columns[i].hidden)
      continue;
    auto text = std::holds_alternative<std::monostate>(x.held) ? "-"
                : std::holds_alternative<std::string>(x.held)  ? std::get<std::string>(x.held)
                                                               : std::to_string(std::get<std::uint64_t>(x.held));
    auto mark = x.in == status::tone::bad ? "!" : x.in == status::tone::warning ? "*" : "";
    out += (out.empty() ? "" : "|") + text + mark;
  }
  return out;
}

struct three_nodes {
  three_nodes() {
    group.add(12, "a");
    group.add(13);
    group.now_ms += 60'000;
    group.place(0, {11, 12, 13});
    group.place(1, {11, 12, 13});
    for (auto id : {11, 12, 13})
      seen.nodes[node_id(id)] = {};
    for (auto shard : {shard_id{0}, shard_id{1}, system_shard})
      seen.shards[shard] = {11, 0, 3, 400, 5'000, {{11, 0}, {12, 7}, {13, 0}}};
  }

  status::report report() const {
    auto links = std::vector<status::link>{{11, 12, true, 100, 250}, {11, 13, false, 0, {}}};
    return status::report_of(group.state, seen, links, group.now_ms + 5'000);
  }

  system_group group{2};
  observed seen;
};

} // namespace

BOOST_AUTO_TEST_SUITE(placement_status)

BOOST_FIXTURE_TEST_CASE(when_all_is_well, three_nodes) {
  seen.nodes[11].says = observed_node::said{2, 7'000, 300, 5, 60, {}};
  auto x = report();
  BOOST_TEST(x.summary == "3 of 3 nodes are there; 3 shards: 1 at risk, 2 good");
  BOOST_TEST(line(x.nodes, 0) == "1|up|65|10.0.0.11:5999|1.0|-|3|3|2|0|0|ok|7000|300");
  BOOST_TEST(line(x.nodes, 1) == "2|up|65|10.0.0.12:5999|1.0|a|2|0|-|7|0|ok|-|-");
  BOOST_TEST(line(x.shards, 0) == "0|good|1|1 2 3|-|3|400|5000|-");
  BOOST_TEST(line(x.shards, 2) == "system|at risk*|1|1|-|3|400|5000|1 replica");
  BOOST_TEST(line(x.links, 0) == "1|2|up|100|250");
  BOOST_TEST(line(x.links, 1) == "1|3|down!|0|-");
  BOOST_TEST(x.moves.rows.empty());
  BOOST_TEST(x.moves.none == "nothing is moving");
}

BOOST_FIXTURE_TEST_CASE(when_it_is_not, three_nodes) {
  group.add(14);
  group.must(ask::begin_move{0, {14}, {13}});
  group.must(ask::drain{12, true, true});
  seen.nodes[13].contact_age_ms = 125'000;
  seen.nodes[12].disk_ok = false;
  seen.nodes[12].says = observed_node::said{0, 0, 0, 5, 60, "no space left"};
  seen.shards[0].lag[12] = 5'000;
  seen.shards[1].leader = 0;
  auto x = report();
  BOOST_TEST(x.summary ==
             "2 of 4 nodes are there; 3 shards: 2 unavailable, 1 at risk; 1 moving; the disk of node 2 fails: "
             "no space left");
  BOOST_TEST(line(x.nodes, 1) == "2|leaving*|5|10.0.0.12:5999|1.0|a|2|0|0|5000*|0|failing!|-|-");
  BOOST_TEST(line(x.nodes, 2).starts_with("3|silent!|"));
  BOOST_TEST(line(x.nodes, 2).ends_with("|125|ok|-|-"));
  BOOST_TEST(line(x.nodes, 3).ends_with("|-|-|-|-"));
  BOOST_TEST(line(x.shards, 0) ==
             "0|unavailable!|1|1 2 3|2*|3|400|5000|node 2 has a failing disk, node 3 is not there");
  BOOST_TEST(line(x.shards, 1) == "1|unavailable!|-|1 2 3|-|3|400|5000|no leader");
  BOOST_TEST(line(x.moves, 0) == "0|adds 4, removes 3|add spare|5|only 1 of 3 replicas is there*");
  group.must(ask::abort_move{0, group.state.shards.at(0).moving->id});
  BOOST_TEST(line(report().moves, 0) == "0|takes back 4|remove|5|only 1 of 3 replicas is there*");
}

BOOST_FIXTURE_TEST_CASE(a_node_with_other_hosts_is_named, three_nodes) {
  seen.nodes[11].says = observed_node::said{};
  seen.nodes[12].says = observed_node::said{};
  seen.nodes[12].says->host_words = "does not serve a.example";
  auto x = report();
  BOOST_TEST(x.summary.ends_with("; node 2 does not serve a.example"));
  auto at = std::find_if(x.nodes.columns.begin(), x.nodes.columns.end(), [](auto& one) { return one.key == "hosts"; });
  auto column = std::size_t(at - x.nodes.columns.begin());
  BOOST_TEST(std::get<std::string>(x.nodes.rows[0].at(column).held) == "as agreed");
  BOOST_TEST(std::get<std::string>(x.nodes.rows[1].at(column).held) == "does not serve a.example");
}

BOOST_FIXTURE_TEST_CASE(every_row_has_a_cell_for_every_column, three_nodes) {
  group.must(ask::remove{13, true});
  group.must(ask::begin_move{0, {}, {13}});
  auto x = report();
  BOOST_TEST(line(x.nodes, 2).starts_with("3|gone|"));
  for (auto table : {&x.nodes, &x.shards, &x.links, &x.moves})
    for (auto& row : table->rows)
      BOOST_TEST(row.size() == table->columns.size());
  auto empty = status::report_of({}, {}, {}, 0);
  BOOST_TEST(empty.nodes.rows.empty());
}

BOOST_AUTO_TEST_SUITE_END()
