// Which actors a word means, and what they say of themselves.
#include "actors/shell/command_set.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace xmpp::shell {

using entry = registry::entry;
using namespace std::chrono_literals;

namespace {

/// Many names begin with their kind: `shard 7`.
bool is_named_by_kind(const entry& x) {
  auto kind = to_string(x.kind);
  return x.name == kind || (x.name.starts_with(kind) && x.name[kind.size()] == ' ');
}

} // namespace

std::string title(const entry& x) {
  auto kind = std::string{to_string(x.kind)};
  return x.name.empty() ? kind : is_named_by_kind(x) ? x.name : kind + " " + x.name;
}

std::string label(const entry& x) {
  return title(x) + " #" + std::to_string(x.id);
}

namespace {

bool is_enough(std::vector<entry>& found, const entry& x, std::size_t limit) {
  found.push_back(x);
  return found.size() >= limit;
}

/// Also `7` for `shard 7`.
void add_named(std::vector<entry>& found, actor_kind kind, std::string_view name, std::size_t limit) {
  auto is_it = [kind = to_string(kind), name](std::string_view x) {
    return x == name || (x.size() == kind.size() + 1 + name.size() && x.starts_with(kind) && x[kind.size()] == ' ' &&
                         x.ends_with(name));
  };
  if (found.size() < limit)
    registry::instance().for_each(kind, is_it, [&](const entry& x) { return !is_enough(found, x, limit); });
}

} // namespace

std::vector<entry> find_named(actor_kind kind, std::string_view name, std::size_t limit) {
  auto found = std::vector<entry>{};
  add_named(found, kind, name, limit);
  return found;
}

std::vector<entry> find_sessions(const jid& who) {
  auto found = std::vector<entry>{};
  auto text = std::string{who.text()};
  auto is_it = [&](std::string_view x) {
    return x == text || (who.is_bare() && x.starts_with(text) && x.substr(text.size()).starts_with('/'));
  };
  registry::instance().for_each(actor_kind::session, is_it, [&](const entry& x) {
    found.push_back(x);
    return true;
  });
  std::sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return found;
}

std::vector<entry> find_actors(std::string_view text, std::size_t limit) {
  auto found = std::vector<entry>{};
  auto digits = text.starts_with('#') ? text.substr(1) : text;
  auto number = std::uint64_t{0};
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failure == std::errc{} && end == digits.data() + digits.size()) {
    if (auto one = registry::instance().entry_of(number))
      found.push_back(*one);
    return found;
  }
  if (auto slash = text.find('/'); slash != std::string_view::npos)
    if (auto kind = kind_of(text.substr(0, slash)))
      add_named(found, *kind, text.substr(slash + 1), limit);
  if (auto who = jid::parse(text); who && found.empty()) {
    add_named(found, actor_kind::user, who->text(), limit);
    if (found.empty())
      found = find_sessions(*who);
  }
  for (auto kind : all_kinds)
    if (kind != actor_kind::user && kind != actor_kind::session && !(found.size() >= limit))
      add_named(found, kind, text, limit);
  // A kind alone stands for its only actor.
  if (auto kind = kind_of(text); kind && found.empty())
    registry::instance().for_each(*kind, [&](const entry& x) { return !is_enough(found, x, limit); });
  return found;
}

result<entry> find_actor(std::string_view text) {
  auto found = find_actors(text);
  if (found.size() == 1)
    return found.front();
  if (found.empty())
    return error{errc::item_not_found, "no actor: " + std::string{text} + "; `actors` lists them"};
  auto list = std::string{};
  for (auto i = std::size_t{0}; i < std::min<std::size_t>(found.size(), 5); ++i)
    list.append(i == 0 ? "" : ", ").append(label(found[i]));
  if (found.size() > 5)
    list.append(", …");
  return fault("several actors fit " + std::string{text} + ": " + list);
}

std::vector<answer> describe(context& with, const std::vector<entry>& whom) {
  auto answers = std::vector<answer>(whom.size());
  auto self = caf::scoped_actor{with.system};
  auto ask = [&](const entry& x) { return self->request(caf::actor_cast<caf::actor>(x.actor), 2s, msg::describe{}); };
  auto asked = std::vector<std::pair<std::size_t, decltype(ask(whom.front()))>>{};
  for (auto i = std::size_t{0}; i < whom.size(); ++i)
    if (whom[i].actor)
      asked.emplace_back(i, ask(whom[i]));
  for (auto& [index, request] : asked)
    request.receive(
        [&, i = index](msg::description& x) {
          answers[i] = {true, std::move(x)};
        },
        [](const caf::error&) {});
  return answers;
}

} // namespace xmpp::shell
