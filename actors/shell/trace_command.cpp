// `trace`: stanzas in flight, on all nodes.
#include "actors/shell/command_set.hpp"
#include "actors/shell/remote_run.hpp"
#include "actors/trace.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>

namespace xmpp::shell {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// What comes from another node comes later: so long everything waits, to be shown in the order in which it happened.
constexpr auto hold = 300ms;
constexpr auto step = 50ms;
constexpr auto members_step = 1s; ///< Between two looks at who is a member.

std::string time_of_day(std::int64_t at_us) {
  auto s = std::time_t(at_us / 1'000'000);
  auto local = std::tm{};
  ::localtime_r(&s, &local);
  char text[32];
  auto size = std::strftime(text, sizeof text, "%H:%M:%S", &local);
  std::snprintf(text + size, sizeof text - size, ".%03d", int(at_us / 1'000 % 1'000));
  return text;
}

tone tone_of(trace::station where) {
  switch (where) {
  case trace::station::delivered:
  case trace::station::stored:
    return tone::good;
  case trace::station::refused:
    return tone::bad;
  default:
    return tone::plain;
  }
}

std::string padded(std::string text, std::size_t width) {
  text.append(width - std::min(width, display_width(text)), ' ');
  return text;
}

/// Who saw it: its name is left out as far as the addresses tell it.
std::string seen_by(const trace::event& x) {
  auto kind = x.actor.substr(0, x.actor.find(' '));
  auto name = std::string_view{x.actor}.substr(std::min(kind.size() + 1, x.actor.size()));
  if (name.empty() || name == x.from || name == x.to)
    return kind;
  auto slash = name.find('/');
  auto bare = name.substr(0, slash);
  auto is_known = bare == x.from.substr(0, x.from.find('/')) || bare == x.to.substr(0, x.to.find('/'));
  if (is_known)
    name.remove_prefix(bare.size());
  return name.empty() ? kind : kind + " " + std::string{name};
}

/// With the number of the node where it happened; 0: there is no other.
struct seen_event {
  std::uint64_t node = 0;
  trace::event what;
};

/// `actor_width`: of the widest actor so far, so that the columns behind stay where they are.
std::string draw(const seen_event& seen, const style& how, std::size_t& actor_width) {
  auto& x = seen.what;
  if (how.json) {
    auto view = record{{{"", "at_us", value{x.at_us}},
                        {"", "station", value{to_string(x.where)}},
                        {"", "actor", value{x.actor}},
                        {"", "from", x.from.empty() ? value{} : value{x.from}},
                        {"", "to", x.to.empty() ? value{} : value{x.to}},
                        {"", "summary", value{x.summary}},
                        {"", "xml", x.xml.empty() ? value{} : value{x.xml}}}};
    if (seen.node != 0)
      view.fields.push_back({"", "node", value{seen.node}});
    return render(view, how);
  }
  auto actor = printable(seen_by(x), how.utf8);
  actor_width = std::min(std::max(actor_width, display_width(actor)), std::size_t{40});
  auto address = [&](const std::string& text) { return text.empty() ? std::string{"-"} : printable(text, how.utf8); };
  auto node = seen.node == 0 ? std::string{} : "node " + std::to_string(seen.node) + "  ";
  auto line = paint(time_of_day(x.at_us), tone::dim, how) + "  " + paint(node, tone::dim, how) +
              paint(padded(std::string{to_string(x.where)}, 9), tone_of(x.where), how) + "  " +
              padded(actor, actor_width) + "  " + address(x.from) + paint(how.utf8 ? " → " : " -> ", tone::dim, how) +
              address(x.to) + "  " + printable(x.summary, how.utf8) + "\n";
  if (!x.xml.empty())
    line += "    " + printable(x.xml, how.utf8) + "\n";
  return line;
}

/// Whose stanzas `text` means: an address, or the address that an actor has.
result<jid> address_of(const std::string& text) {
  auto is_number = text.find_first_not_of("#0123456789") == std::string::npos;
  auto slash = text.find('/');
  if (is_number || kind_of(text.substr(0, slash))) {
    auto found = find_actor(text);
    if (!found)
      return found.error();
    if (found->kind != actor_kind::user && found->kind != actor_kind::session)
      return fault("no stanzas are addressed to a " + std::string{to_string(found->kind)});
    return jid::parse(found->name);
  }
  auto address = jid::parse(text);
  return address ? address : fault("not a JID: " + text);
}

/// This node's events and those of all others that can be reached, those too that come while one watches.
class watched_nodes {
public:
  watched_nodes(context& with, watched what) : with_(with), what_(std::move(what)), own_{what_.about, what_.bodies} {
    if (!with.is_remote)
      look_for_nodes();
  }

  /// What happened, in order; and what is to be told of nodes, a line each.
  std::vector<seen_event> take(std::vector<std::string>& told) {
    if (is_in_cluster_ && clock::now() >= next_look_)
      look_for_nodes();
    for (auto& one : own_.take())
      add(own_number_, std::move(one), 0);
    if (auto lost = own_.dropped(); lost != own_dropped_)
      tell_dropped(own_number_, lost - std::exchange(own_dropped_, lost), told);
    for (auto& [id, one] : others_)
      take_from(one, told);
    return take_older(clock::now() - (others_.empty() ? 0ms : hold));
  }
  std::vector<seen_event> take_rest() { return take_older(clock::time_point::max()); }

private:
  struct other {
    std::uint64_t number = 0;
    std::unique_ptr<remote_run> run; ///< Null: not reached just now.
    bool is_told = false;            ///< That it is not reached.
  };
  struct held_event {
    clock::time_point came;
    seen_event what;
  };

  void look_for_nodes() {
    next_look_ = clock::now() + members_step;
    auto state = with_.server.cluster_state();
    auto self = with_.server.own_node();
    if (!state)
      return;
    is_in_cluster_ = true;
    for (auto* one : nodes_in_order(**state)) {
      if (one->says.id == self) {
        own_number_ = one->number;
        continue;
      }
      auto& x = others_[one->says.id];
      x.number = one->number;
      if (!x.run)
        x.run = std::make_unique<remote_run>(with_.server, one->says.id, remote_task::trace, hello_of(with_.out),
                                             encode(what_));
    }
    std::erase_if(others_, [&](auto& x) {
      auto known = (*state)->find(x.first);
      return !known || known->is == cluster::standing::gone;
    });
    if (others_.empty())
      own_number_ = 0;
  }

  void take_from(other& x, std::vector<std::string>& told) {
    if (!x.run)
      return;
    for (auto& one : x.run->poll()) {
      if (one.type == frame_type::event) {
        if (auto event = decode_event(one.payload))
          add(x.number, *std::move(event), x.run->clock_offset_us());
      } else if (one.type == frame_type::failure) {
        tell_dropped(x.number, std::strtoull(one.payload.c_str(), nullptr, 10), told);
      }
    }
    auto is_reached = !x.run->is_over();
    if (!is_reached && !std::exchange(x.is_told, true))
      told.push_back("node " + std::to_string(x.number) + " can not be watched" +
                     (x.run->failure() && !x.run->failure()->text.empty() ? ": " + x.run->failure()->text : "") +
                     "; what it sees is missing until it is back");
    if (is_reached && x.run->has_begun() && std::exchange(x.is_told, false))
      told.push_back("node " + std::to_string(x.number) + " is watched again");
    if (!is_reached)
      x.run = nullptr; // The next look tries it anew.
  }

  void tell_dropped(std::uint64_t node, std::uint64_t count, std::vector<std::string>& told) {
    told.push_back(format(value{count}, unit::count) + " more came too fast to show" +
                   (node == 0 ? "" : ", on node " + std::to_string(node)));
  }

  void add(std::uint64_t node, trace::event x, std::int64_t clock_offset_us) {
    x.at_us -= clock_offset_us;
    held_.push_back({clock::now(), {node, std::move(x)}});
  }

  std::vector<seen_event> take_older(clock::time_point than) {
    auto out = std::vector<seen_event>{};
    auto is_kept = [&](const held_event& x) { return x.came > than; };
    // All that happened before something that is shown now is shown with it.
    auto first_kept = std::stable_partition(held_.begin(), held_.end(), [&](auto& x) { return !is_kept(x); });
    auto last_us = std::int64_t{0};
    for (auto i = held_.begin(); i != first_kept; ++i)
      last_us = std::max(last_us, i->what.what.at_us);
    first_kept = std::stable_partition(first_kept, held_.end(), [&](auto& x) { return x.what.what.at_us <= last_us; });
    for (auto i = held_.begin(); i != first_kept; ++i)
      out.push_back(std::move(i->what));
    held_.erase(held_.begin(), first_kept);
    // Within one microsecond, and where clocks tell no order, the way of a stanza does.
    std::stable_sort(out.begin(), out.end(), [](auto& a, auto& b) {
      return a.what.at_us != b.what.at_us ? a.what.at_us < b.what.at_us : a.what.where < b.what.where;
    });
    return out;
  }

  context& with_;
  const watched what_;
  trace::watch own_;
  std::uint64_t own_number_ = 0, own_dropped_ = 0;
  bool is_in_cluster_ = false;
  std::map<cluster::node_id, other> others_;
  std::vector<held_event> held_;
  clock::time_point next_look_;
};

result<void> show_trace(context& with, const arguments& args) {
  auto about = address_of(args.words[0]);
  if (!about)
    return about.error();
  auto count = args.number("count", 10'000, 1, 1'000'000);
  if (!count)
    return count.error();
  auto how = with.out.look();
  auto nodes = watched_nodes{with, {*about, args.has("bodies")}};
  if (!how.json)
    with.out.write(
        paint("stanzas from and to " + printable(about->text(), how.utf8) + "; Ctrl-C stops", tone::dim, how) + "\n");
  auto left = *count;
  auto actor_width = std::size_t{0};
  auto write = [&](const std::vector<seen_event>& events, const std::vector<std::string>& told) {
    auto text = std::string{};
    for (auto& one : events)
      if (left > 0) {
        text += draw(one, how, actor_width);
        --left;
      }
    for (auto& one : told)
      if (!how.json)
        text += paint(printable(one, how.utf8), tone::warning, how) + "\n";
    if (!text.empty())
      with.out.write(text);
  };
  while (left > 0 && with.out.wait(step)) {
    auto told = std::vector<std::string>{};
    auto events = nodes.take(told);
    write(events, told);
  }
  write(nodes.take_rest(), {});
  return {};
}

} // namespace

std::vector<command> trace_commands() {
  return {
      {.name = "trace",
       .usage = "JID|ACTOR",
       .help = "Shows stanzas on their way from and to an address, as they pass, on all nodes.\nA bare JID stands for "
               "all of its resources, a domain for all of its addresses. `on NODE trace` shows one node's part.",
       .words = {completes::address},
       .words_min = 1,
       .words_max = 1,
       .options = {{"bodies", "", "the whole stanzas, with what people wrote, but no passwords"},
                   {"count", "N", "stops after so many, as usual 10,000"}},
       .run = show_trace},
  };
}

} // namespace xmpp::shell
