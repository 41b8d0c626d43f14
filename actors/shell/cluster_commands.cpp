// The cluster: its nodes, where shards are, who is let in and who leaves.
#include "actors/shell/command_set.hpp"
#include "actors/shell/words.hpp"
#include "cluster/host_difference.hpp"
#include "cluster/identity.hpp"

#include <algorithm>
#include <charconv>

namespace xmpp::shell {

namespace {

namespace status = cluster::status;

value value_of(const status::cell& x) {
  static constexpr tone tones[] = {tone::plain, tone::dim, tone::good, tone::warning, tone::bad};
  auto in = tones[std::size_t(x.in)];
  if (auto number = std::get_if<std::uint64_t>(&x.held))
    return value{*number}.with(in);
  if (auto text = std::get_if<std::string>(&x.held))
    return value{*text, in};
  return {};
}

table table_of(const status::table& x) {
  static constexpr unit units[] = {unit::text, unit::count, unit::bytes, unit::microseconds, unit::seconds};
  auto out = table{{}, {}, x.none, {}};
  for (auto& one : x.columns)
    out.columns.push_back({one.title, one.key, units[std::size_t(one.of)], false, one.hidden});
  for (auto& row : x.rows) {
    auto& to = out.rows.emplace_back();
    for (auto& cell : row)
      to.push_back(value_of(cell));
  }
  return out;
}

result<void> show_status(context& with, const arguments& args) {
  auto seen = with.server.cluster_status();
  if (!seen)
    return seen.error();
  auto& report = *seen;
  struct part {
    std::string_view name;
    const status::table& what;
  };
  const part parts[] = {
      {"nodes", report.nodes}, {"shards", report.shards}, {"links", report.links}, {"moves", report.moves}};
  auto wanted = args.word(0);
  auto is_one = std::any_of(std::begin(parts), std::end(parts), [&](auto& x) { return x.name == wanted; });
  if (!wanted.empty() && !is_one)
    return fault("there are nodes, shards, links, moves");
  if (wanted.empty() && with.out.look().json) {
    auto document = "{\"summary\":" + json_string(report.summary);
    for (auto& one : parts) {
      auto array = render(table_of(one.what), with.out.look());
      document.append(",\"").append(one.name).append("\":").append(array, 0, array.find_last_not_of('\n') + 1);
    }
    with.out.write(document + "}\n");
    return {};
  }
  if (wanted.empty())
    say(with, report.summary);
  for (auto& one : parts)
    if (wanted == one.name ||
        (wanted.empty() && (one.name == "nodes" || !one.what.rows.empty()) && one.name != "shards"))
      show(with, table_of(one.what));
  return {};
}

/// Of the first word.
result<cluster::node_id> node_in(context& with, const arguments& args, std::size_t word = 0) {
  auto state = with.server.cluster_state();
  if (!state)
    return state.error();
  return find_node(**state, args.word(word), true); // Of one that is gone they say so.
}

template <class Ask>
result<void> agree(context& with, Ask ask, const std::string& done) {
  auto outcome = with.server.cluster_ask({0, std::move(ask)});
  if (!outcome)
    return outcome.error();
  say(with, outcome->changed ? done : "it is so already");
  return {};
}

result<void> invite(context& with, const arguments& args) {
  auto hours = args.number("hours", 24, 1, 24 * 30);
  if (!hours)
    return hours.error();
  auto token = with.server.cluster_invite(std::uint32_t(*hours) * 3'600);
  if (!token)
    return token.error();
  if (with.out.look().json)
    show(with, record{{{"token", "token", value{*token}}}});
  else
    say(with, std::vector<std::string>{"On the machine that is to join, with no server running and no accounts:",
                                       "  troupe cluster join " + *token,
                                       "It is good for one node, for " + std::to_string(*hours) +
                                           " h, and is not shown again. To take the place of a node that is dead, or "
                                           "lost its data: --replaces NODE behind it."});
  return {};
}

result<void> drain_node(context& with, const arguments& args) {
  auto who = node_in(with, args);
  if (!who)
    return who.error();
  return agree(with, cluster::ask::drain{*who, args.has("leave"), args.has("accept-fewer")},
               args.has("leave")
                   ? "its clients and replicas move away, then it is gone; `cluster status` shows how far it is"
                   : "its leaders and clients move away; it takes no more until it starts anew, or "
                     "`cluster undrain`");
}

result<void> cancel_drain(context& with, const arguments& args) {
  auto who = node_in(with, args);
  return who ? agree(with, cluster::ask::cancel_drain{*who}, "it takes leaders and clients again") : who.error();
}

/// By the node that can: the leader of the system group.
result<void> rebalance(context& with, const arguments&) {
  auto done = with.server.cluster_rebalance();
  if (!done)
    return done.error();
  if (!done->is_here && done->leader == 0)
    return error{errc::not_leader, "the system group has no leader just now: a majority of its nodes is needed"};
  if (!done->is_here)
    return run_on(with, done->leader, "cluster rebalance");
  auto lines = std::move(done->begun);
  auto begun = lines.size();
  if (auto earlier = done->under_way - begun; earlier > 0)
    lines.push_back(std::to_string(earlier) + (begun > 0 ? " more" : "") +
                    (earlier == 1 ? " change is" : " changes are") +
                    " under way; `cluster status moves` shows where replicas go");
  if (lines.empty())
    lines.push_back("nothing is to be done: all nodes have their shares of replicas and leaders");
  say(with, lines);
  return {};
}

result<void> remove(context& with, const arguments& args) {
  auto who = node_in(with, args);
  if (!who)
    return who.error();
  if (!confirm(with, "Remove node " + std::string{args.word(0)} + " for ever?"))
    return fault("left as it is");
  return agree(with, cluster::ask::remove{*who, args.has("dead")}, "it is no member any more");
}

result<void> move(context& with, const arguments& args) {
  auto state = with.server.cluster_state();
  if (!state)
    return state.error();
  auto shard = std::uint64_t{0};
  auto text = args.word(0);
  if (text == "system")
    shard = system_shard;
  else if (std::from_chars(text.data(), text.data() + text.size(), shard).ptr != text.data() + text.size() ||
           shard >= (*state)->value(cluster::setting::shard_count))
    return fault("no such shard: " + std::string{text});
  auto from = find_node(**state, args.word(1)), to = find_node(**state, args.word(2));
  if (!from || !to)
    return from ? to.error() : from.error();
  return agree(with, cluster::ask::begin_move{shard_id(shard), {*to}, {*from}},
               "it is on its way; `cluster status moves` shows it");
}

result<void> set(context& with, const arguments& args) {
  auto which = cluster::setting_by_name(args.word(0));
  if (!which) {
    auto names = std::string{};
    for (auto& one : cluster::setting_rules)
      names += (names.empty() ? "" : ", ") + std::string{one.name};
    return fault("there are " + names);
  }
  auto number = std::uint64_t{0};
  auto text = args.word(1);
  if (std::from_chars(text.data(), text.data() + text.size(), number).ptr != text.data() + text.size())
    return fault("not a number: " + std::string{text});
  return agree(with, cluster::ask::set_setting{*which, number}, "set");
}

void show_hosts(context& with, const cluster::state& in) {
  auto served = with.server.hosts();
  auto all = in.hosts;
  all.insert(served.begin(), served.end());
  auto list = table{{{"host", "host"}, {"agreed on", "is_agreed_on"}, {"served here", "is_served_here"}}, {}, {}, {}};
  auto said = [](bool x) { return x ? value{"yes", tone::good} : value{"no", tone::bad}; };
  for (auto& one : all)
    list.rows.push_back(
        {value{one}, said(in.hosts.contains(one)), said(std::find(served.begin(), served.end(), one) != served.end())});
  show(with, list);
}

result<void> hosts(context& with, const arguments& args) {
  auto state = with.server.cluster_state();
  if (!state)
    return state.error();
  if (args.words.empty()) {
    show_hosts(with, **state);
    return {};
  }
  if (args.word(0) != "set" || args.words.size() == 1)
    return fault("either nothing, or `set` and all hosts");
  auto wanted = std::vector<std::string>{};
  for (auto i = args.words.begin() + 1; i != args.words.end(); ++i) {
    auto host = jid::parse(*i);
    if (!host || host->has_local() || !host->resource().empty())
      return fault("no domain: " + *i);
    wanted.emplace_back(host->domain());
  }
  auto served = with.server.hosts();
  auto differs = cluster::compare_hosts({wanted.begin(), wanted.end()}, {served.begin(), served.end()});
  return agree(with, cluster::ask::set_hosts{std::move(wanted)},
               differs.empty() ? "agreed on" : "agreed on; this node " + differs.text());
}

} // namespace

std::vector<command> cluster_commands() {
  return {
      {.name = "cluster status",
       .usage = "[nodes|shards|links|moves]",
       .help = "Shows nodes, shards, links and what is moving.\nWith --json all of it, as one object.",
       .words_max = 1,
       .run = show_status},
      {.name = "cluster invite",
       .help = "Makes a token by which one node can join.",
       .options = {{"hours", "N", "how long it is good for; 24"}},
       .run = invite},
      {.name = "cluster drain",
       .usage = "NODE",
       .help =
           "Moves leaders and clients away from a node; for ever when it leaves.\nClients are told the client_address "
           "of another node; where none has one, their streams are only closed. New ones are sent on in the same "
           "way.",
       .words = {completes::node},
       .words_min = 1,
       .words_max = 1,
       .options = {{"leave", "", "its replicas move away too, then it is no member any more"},
                   {"accept-fewer", "", "also when fewer than three nodes stay"}},
       .run = drain_node},
      {.name = "cluster undrain",
       .usage = "NODE",
       .help = "Takes a drain back.",
       .words = {completes::node},
       .words_min = 1,
       .words_max = 1,
       .run = cancel_drain},
      {.name = "cluster remove",
       .usage = "NODE",
       .help = "Removes a node that has no replicas, or one that is dead.",
       .words = {completes::node},
       .words_min = 1,
       .words_max = 1,
       .options = {{"dead", "", "it will never come back: others take its replicas"}},
       .run = remove},
      {.name = "cluster rebalance",
       .help = "Says what is to be moved for all nodes to have their shares, and begins it at once.\nThe cluster does "
               "so by itself, when all nodes have been there for some seconds.",
       .run = rebalance},
      {.name = "cluster move",
       .usage = "SHARD FROM TO",
       .help = "Moves a shard's replica from one node to another.",
       .words = {completes::nothing, completes::node, completes::node},
       .words_min = 3,
       .words_max = 3,
       .run = move},
      {.name = "cluster set",
       .usage = "NAME N",
       .help = "Changes a setting of the whole cluster.",
       .words_min = 2,
       .words_max = 2,
       .run = set},
      {.name = "cluster hosts",
       .usage = "[set HOST...]",
       .help = "Shows which hosts all nodes are to serve; `set` and all of them changes that.\nA node serves those of "
               "its own configuration: change that first, on all nodes.",
       .words = {completes::setter, completes::host},
       .words_max = 1 + cluster::hosts_max,
       .repeats = true,
       .run = hosts},
  };
}

} // namespace xmpp::shell
