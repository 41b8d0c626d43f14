// Looking at actors: the tree, lists, one actor, sessions; and making one fail.
#include "actors/shell/command_set.hpp"
#include "actors/shell/words.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

namespace xmpp::shell {

namespace {

using entry = registry::entry;
using namespace std::chrono_literals;

value mailbox(std::uint32_t size) {
  return value{size}.with(size >= 1'000 ? tone::warning : tone::plain);
}
value restarts(std::uint16_t count) {
  return value{int{count}}.with(count > 0 ? tone::warning : tone::plain);
}
value name(const entry& x) {
  return x.name.empty() ? value{} : value{x.name};
}

const std::vector<column>& actor_columns() {
  static const auto all = std::vector<column>{{"kind", "kind"},
                                              {"name", "name", unit::text, true},
                                              {"number", "number", unit::number},
                                              {"mailbox", "mailbox", unit::count},
                                              {"messages", "messages", unit::count},
                                              {"memory", "memory_bytes", unit::bytes},
                                              {"restarts", "restarts", unit::count},
                                              {"last error", "last_error", unit::text, true}};
  return all;
}

std::vector<value> actor_row(const entry& x) {
  return {value{to_string(x.kind)},
          name(x),
          value{x.id},
          mailbox(x.mailbox),
          value{x.handled},
          x.memory_bytes ? value{x.memory_bytes} : value{},
          restarts(x.restarts),
          x.last_error.empty() ? value{} : value{x.last_error, tone::bad}};
}

// -- tree --

struct tree_builder {
  std::map<std::uint64_t, std::vector<entry>> children;              ///< By supervisor.
  std::map<std::uint64_t, std::map<actor_kind, std::uint64_t>> many; ///< Those that are only counted.
  std::set<std::uint64_t> known;

  void collect(bool all) {
    for (auto kind : all_kinds) {
      auto is_counted = !all && (kind == actor_kind::user || kind == actor_kind::session);
      registry::instance().for_each(kind, [&](const entry& x) {
        if (is_counted) {
          ++many[x.supervisor][kind];
        } else {
          children[x.supervisor].push_back(x);
          known.insert(x.id);
        }
        return true;
      });
    }
    for (auto& [supervisor, below] : children)
      std::sort(below.begin(), below.end(), [](auto& a, auto& b) { return a.id < b.id; });
  }

  /// There are dozens of shards; those with nothing to tell become one line, if that makes the tree much shorter.
  void fold_idle_shards() {
    auto is_idle = [this](const entry& x) {
      return x.kind == actor_kind::shard && x.mailbox == 0 && x.restarts == 0 && !many.count(x.id) &&
             !children.count(x.id);
    };
    for (auto& [supervisor, below] : children)
      if (auto idle = std::count_if(below.begin(), below.end(), is_idle); idle > 4) {
        below.erase(std::remove_if(below.begin(), below.end(), is_idle), below.end());
        many[supervisor][actor_kind::shard] = std::uint64_t(idle);
      }
  }

  tree::node make(const entry& x) {
    auto memory = x.memory_bytes ? value{x.memory_bytes} : value{};
    auto result = tree::node{{value{title(x)}, value{to_string(x.kind)}, name(x), value{1}, value{x.id},
                              mailbox(x.mailbox), value{x.handled}, memory, restarts(x.restarts)},
                             {}};
    for (auto& one : children[x.id])
      result.children.push_back(make(one));
    add_counts(result.children, x.id);
    return result;
  }

  void add_counts(std::vector<tree::node>& to, std::uint64_t supervisor) {
    if (auto i = many.find(supervisor); i != many.end())
      for (auto [kind, count] : i->second) {
        auto text = format(value{count}, unit::count) + (kind == actor_kind::shard ? " idle " : " ") +
                    std::string{to_string(kind)} + (count == 1 ? "" : "s");
        to.push_back({{value{text, tone::dim}, value{to_string(kind)}, {}, value{count}, {}, {}, {}, {}, {}}, {}});
      }
  }
};

result<void> show_tree(context& with, const arguments& args) {
  auto all = tree_builder{};
  all.collect(args.has("all"));
  if (!args.has("all") && !with.out.look().json)
    all.fold_idle_shards();
  auto view = tree{{{"actor", "actor", unit::text, true},
                    {"", "kind", unit::text, false, true},
                    {"", "name", unit::text, false, true},
                    {"", "count", unit::count, false, true},
                    {"number", "number", unit::number},
                    {"mailbox", "mailbox", unit::count},
                    {"messages", "messages", unit::count},
                    {"memory", "memory_bytes", unit::bytes},
                    {"restarts", "restarts", unit::count}},
                   {}};
  // A root's supervisor is nobody, or has ended.
  auto roots = std::vector<std::uint64_t>{};
  for (auto& [supervisor, below] : all.children)
    if (!all.known.count(supervisor))
      roots.push_back(supervisor);
  for (auto supervisor : roots)
    for (auto& one : std::vector<entry>{all.children[supervisor]})
      view.roots.push_back(all.make(one));
  for (auto& [supervisor, below] : all.many)
    if (!all.known.count(supervisor))
      all.add_counts(view.roots, supervisor);
  show(with, view);
  return {};
}

// -- actors --

std::uint64_t weight(const entry& x, std::string_view by) {
  return by == "memory" ? x.memory_bytes : by == "messages" ? x.handled : x.mailbox;
}

result<void> list_actors(context& with, const arguments& args) {
  auto limit = args.number("limit", 20, 1, 100'000);
  if (!limit)
    return limit.error();
  auto by = args.option("sort");
  auto only = kind_of(args.word(0));
  auto pattern = only ? args.word(1) : args.word(0);
  if (!only && args.words.size() == 2)
    return fault("unknown kind of actor: " + args.words[0]);

  // The smallest of those kept is on top and goes first, so memory is bounded by the limit.
  auto heavier = [by](const entry& a, const entry& b) {
    auto x = weight(a, by), y = weight(b, by);
    return x != y ? x > y : a.id < b.id;
  };
  auto kept = std::vector<entry>{};
  auto seen = std::size_t{0};
  for (auto kind : all_kinds) {
    if (only && *only != kind)
      continue;
    registry::instance().for_each(kind, [&](const entry& x) {
      if (!pattern.empty() && !matches(pattern, x.name))
        return true;
      ++seen;
      kept.push_back(x);
      std::push_heap(kept.begin(), kept.end(), heavier);
      if (kept.size() > std::size_t(*limit)) {
        std::pop_heap(kept.begin(), kept.end(), heavier);
        kept.pop_back();
      }
      return true;
    });
  }
  std::sort(kept.begin(), kept.end(), heavier);
  auto list = table{actor_columns(), {}, "no such actor", {}};
  for (auto& one : kept)
    list.rows.push_back(actor_row(one));
  if (seen > kept.size())
    list.note = format(value{std::uint64_t{seen}}, unit::count) + " in all; --limit N shows more";
  show(with, list);
  return {};
}

/// What an actor says of itself. A title that comes again adds a line; one that is known already is left out.
void add_description(record& to, const msg::description& what) {
  auto known = to.fields.size();
  for (auto& [title, text] : what.fields) {
    auto key = key_of(title);
    auto i = std::find_if(to.fields.begin(), to.fields.end(), [&](auto& x) { return x.key == key; });
    if (i == to.fields.end())
      to.fields.push_back({title, key, value{text}});
    else if (i - to.fields.begin() >= std::ptrdiff_t(known)) {
      if (auto one = std::get_if<std::string>(&i->what.held))
        i->what = value{std::vector<std::string>{*one}};
      std::get<std::vector<std::string>>(i->what.held).push_back(text);
    }
  }
}

result<void> inspect(context& with, const arguments& args) {
  auto found = find_actor(args.words[0]);
  if (!found)
    return found.error();
  auto& x = *found;
  auto above = x.supervisor ? registry::instance().entry_of(x.supervisor) : std::nullopt;
  auto view = record{{{"kind", "kind", value{to_string(x.kind)}},
                      {"name", "name", name(x)},
                      {"number", "number", value{x.id}, unit::number},
                      {"supervisor", "supervisor", above ? value{label(*above)} : value{}},
                      {"mailbox", "mailbox", mailbox(x.mailbox), unit::count},
                      {"messages handled", "messages", value{x.handled}, unit::count},
                      {"memory", "memory_bytes", x.memory_bytes ? value{x.memory_bytes} : value{}, unit::bytes},
                      {"restarts", "restarts", restarts(x.restarts), unit::count},
                      {"last error", "last_error", x.last_error.empty() ? value{} : value{x.last_error, tone::bad}}}};
  auto answers = describe(with, {x});
  if (answers[0].came)
    add_description(view, answers[0].what);
  else
    view.fields.push_back({"state", "state", value{"does not answer", tone::bad}});
  show(with, view);
  return {};
}

// -- kill --

result<void> make_fail(context& with, const arguments& args) {
  auto found = find_actor(args.words[0]);
  if (!found)
    return found.error();
  auto before = *found;
  if (!before.actor)
    return fault(label(before) + " is just ending");
  if (before.kind == actor_kind::server && !confirm(with, "This is the root of all actors. Make it fail?"))
    return fault("left as it is");
  auto began = std::chrono::steady_clock::now();
  // An actor that has ended stays in the registry as long as someone refers to it, so its end is watched for.
  auto self = caf::scoped_actor{with.system};
  auto has_ended = false;
  self->monitor(before.actor);
  caf::anon_send(caf::actor_cast<caf::actor>(before.actor), msg::fail_now{});
  found->actor = nullptr;
  before.actor = nullptr;

  // A supervisor with a back-off takes its time; past three seconds the answer is that it hasn't decided.
  auto now = std::optional<entry>{};
  auto outcome = std::string{};
  while (outcome.empty() && std::chrono::steady_clock::now() - began < 3s) {
    if (!with.out.wait(1ms))
      return fault("stopped before it was known what became of " + label(before));
    now = registry::instance().entry_of(before.id);
    if (self->has_next_message())
      self->receive([&](const caf::down_msg&) { has_ended = true; });
    if (has_ended)
      outcome = "ended";
    else if (now->restarts != before.restarts)
      outcome = "restarted";
  }
  auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began).count();
  if (outcome == "ended" && !before.name.empty()) {
    auto again = find_named(before.kind, before.name, 1);
    if (!again.empty() && again.front().id != before.id) {
      now = again.front();
      outcome = "ended; started anew as #" + std::to_string(now->id);
    }
  }
  if (outcome.empty())
    outcome = now && !now->last_error.empty() ? "has failed and waits for its supervisor" : "does not react";
  auto view =
      record{{{"actor", "actor", value{label(before)}},
              {"outcome", "outcome", value{outcome}},
              {"after", "after_us", value{std::int64_t{took}}, unit::microseconds},
              {"restarts", "restarts", value{int{now ? now->restarts : before.restarts}}, unit::count},
              {"last error", "last_error", now && !now->last_error.empty() ? value{now->last_error} : value{}}}};
  show(with, view);
  return {};
}

// -- sessions --

result<void> list_sessions(context& with, const arguments& args) {
  auto limit = args.number("limit", 50, 1, 10'000);
  if (!limit)
    return limit.error();
  auto found = std::vector<entry>{};
  auto seen = std::size_t{0};
  // The first in the order of their names.
  auto before = [](const entry& a, const entry& b) { return a.name != b.name ? a.name < b.name : a.id < b.id; };
  registry::instance().for_each(actor_kind::session, [&](const entry& x) {
    if (!matches(args.word(0), x.name))
      return true;
    ++seen;
    found.push_back(x);
    std::push_heap(found.begin(), found.end(), before);
    if (found.size() > std::size_t(*limit)) {
      std::pop_heap(found.begin(), found.end(), before);
      found.pop_back();
    }
    return true;
  });
  std::sort(found.begin(), found.end(), before);

  auto list = table{{{"JID", "jid", unit::text, true},
                     {"number", "number", unit::number},
                     {"messages", "messages", unit::count},
                     {"memory", "memory_bytes", unit::bytes}},
                    {},
                    "no session",
                    {}};
  auto answers = describe(with, found);
  // What they say of themselves: all of it for a program, what matters most for people.
  static constexpr std::string_view shown[] = {"stage", "available", "address", "tls"};
  auto titles = std::vector<std::string>{};
  for (auto& one : answers)
    for (auto& [title, text] : one.what.fields)
      if (std::find(titles.begin(), titles.end(), title) == titles.end() && title != "jid" &&
          (with.out.look().json || std::find(std::begin(shown), std::end(shown), title) != std::end(shown)))
        titles.push_back(title);
  for (auto& one : titles)
    list.columns.push_back({one, key_of(one), unit::text, true});
  for (auto i = std::size_t{0}; i < found.size(); ++i) {
    auto& x = found[i];
    auto& row = list.rows.emplace_back(
        std::vector<value>{x.name.empty() ? value{"not bound", tone::dim} : value{x.name}, value{x.id},
                           value{x.handled}, x.memory_bytes ? value{x.memory_bytes} : value{}});
    for (auto& title : titles) {
      auto cell = value{};
      for (auto& [own, text] : answers[i].what.fields)
        if (own == title && !text.empty())
          cell = value{text};
      row.push_back(cell);
    }
  }
  if (seen > found.size())
    list.note = format(value{std::uint64_t{seen}}, unit::count) + " in all; --limit N shows more";
  show(with, list);
  return {};
}

result<void> disconnect(context& with, const arguments& args) {
  auto found = std::vector<entry>{};
  if (auto who = jid::parse(args.words[0]))
    found = find_sessions(*who);
  if (found.empty())
    if (auto one = find_actor(args.words[0]); one && one->kind == actor_kind::session)
      found.push_back(*one);
  if (found.empty())
    return error{errc::item_not_found, "no session: " + args.words[0]};
  auto why = args.words.size() > 1 ? args.words[1] : "disconnected by an administrator";
  for (auto& one : found)
    if (one.actor)
      caf::anon_send(caf::actor_cast<caf::actor>(one.actor), msg::end_stream{errc::policy_violation, why, {}});
  say(with, std::to_string(found.size()) + (found.size() == 1 ? " session is" : " sessions are") + " told to end");
  return {};
}

} // namespace

std::vector<command> actor_commands() {
  const auto limit = option{"limit", "N", "how many to show"};
  return {
      {.name = "tree",
       .help = "Shows the supervision tree as it is now.",
       .options = {{"all", "", "each user, session and idle shard instead of their number"}},
       .run = show_tree},
      {.name = "actors",
       .usage = "[kind] [pattern]",
       .help = "Lists actors, those with the most to do first.",
       .words = {completes::kind, completes::actor},
       .words_max = 2,
       .options = {{"sort", "mailbox|memory|messages",
                    "what counts: waiting messages (as usual), bytes, messages handled"},
                   limit},
       .run = list_actors},
      {.name = "inspect",
       .usage = "ACTOR",
       .help = "Shows one actor, and what it says of itself.",
       .words = {completes::actor},
       .words_min = 1,
       .words_max = 1,
       .run = inspect},
      {.name = "kill",
       .usage = "ACTOR",
       .help = "Makes an actor fail, as if by a defect, and tells what its supervisor did.",
       .words = {completes::actor},
       .words_min = 1,
       .words_max = 1,
       .run = make_fail},
      {.name = "sessions",
       .usage = "[pattern]",
       .help = "Lists the sessions whose JIDs match, in their order.",
       .words = {completes::session},
       .words_max = 1,
       .options = {limit},
       .run = list_sessions},
      {.name = "disconnect",
       .usage = "JID [reason]",
       .help = "Ends a session, or with a bare JID all of an account.",
       .words = {completes::session},
       .words_min = 1,
       .words_max = 2,
       .takes_rest = true,
       .run = disconnect},
  };
}

} // namespace xmpp::shell
