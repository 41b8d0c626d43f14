// Completing a line: commands and options from the table, names from the running server.
#include "actors/shell/command_set.hpp"

#include <algorithm>
#include <set>

namespace xmpp::shell {

namespace {

/// More candidates than that help nobody.
constexpr std::size_t candidates_max = 200;

class candidates {
public:
  explicit candidates(std::string_view typed) : typed_(typed) {}

  /// False when no more are wanted.
  bool offer(std::string_view word) {
    if (word.starts_with(typed_) && words_.size() < candidates_max)
      words_.emplace(word);
    return words_.size() < candidates_max;
  }
  void offer_all(actor_kind kind) {
    registry::instance().for_each(kind, [this](const registry::entry& x) { return x.name.empty() || offer(x.name); });
  }
  void offer_hosts(context& with) {
    // Behind the @ only, else each host would stand among the addresses.
    if (auto at = typed_.find('@'); at != std::string_view::npos)
      for (auto& host : with.server.hosts())
        offer(std::string{typed_.substr(0, at + 1)} + host);
  }
  void offer_accounts(context& with) {
    // Accounts come in the order of their keys, not of their names: a few thousand are looked at.
    auto looked = 0;
    if (!typed_.empty())
      static_cast<void>(
          with.server.for_each_account([&](const jid& x) { return offer(x.text()) && ++looked < 10'000; }));
  }
  std::vector<std::string> take() const { return {words_.begin(), words_.end()}; }

private:
  std::string_view typed_;
  std::set<std::string> words_;
};

/// `shard 7` and `7` are both `shard/7`.
std::string named(actor_kind kind, const std::string& name) {
  auto prefix = std::string{to_string(kind)};
  return name == prefix ? name
                        : prefix + "/" + (name.starts_with(prefix + " ") ? name.substr(prefix.size() + 1) : name);
}

void offer(context& with, completes what, candidates& to) {
  switch (what) {
  case completes::nothing:
    return;
  case completes::command:
    for (auto& one : commands())
      to.offer(one.name.substr(0, one.name.find(' ')));
    return;
  case completes::actor:
    for (auto kind : all_kinds) {
      auto is_named = kind != actor_kind::user && kind != actor_kind::session;
      registry::instance().for_each(kind, [&](const registry::entry& x) {
        return x.name.empty() || to.offer(is_named ? named(kind, x.name) : x.name);
      });
    }
    return;
  case completes::session:
    return to.offer_all(actor_kind::session);
  case completes::address:
    to.offer_all(actor_kind::user);
    to.offer_all(actor_kind::session);
    return to.offer_hosts(with);
  case completes::account:
    to.offer_accounts(with);
    return to.offer_hosts(with);
  case completes::kind:
    for (auto kind : all_kinds)
      to.offer(to_string(kind));
    return;
  case completes::component:
    for (auto& [name, level] : with.server.log_levels())
      to.offer(name);
    return;
  case completes::level:
    for (auto level : {"debug", "info", "warning", "error", "off"})
      to.offer(level);
    return;
  case completes::setting:
    for (auto& [name, text] : with.server.settings())
      to.offer(name);
    return;
  case completes::node:
    if (auto state = with.server.cluster_state())
      for (auto* one : nodes_in_order(**state)) {
        to.offer(std::to_string(one->number));
        for (auto& address : one->says.addresses)
          to.offer(address);
      }
    return;
  case completes::host:
    for (auto& host : with.server.hosts())
      to.offer(host);
    if (auto state = with.server.cluster_state())
      for (auto& host : (*state)->hosts)
        to.offer(host);
    return;
  case completes::setter:
    to.offer("set");
    return;
  case completes::line: // See `complete`.
    return;
  }
}

/// The words before the one that is being typed. Names of actors need no quotes, but for blanks: those are not
/// completed.
std::vector<std::string_view> words_before(std::string_view line) {
  auto result = std::vector<std::string_view>{};
  while (!line.empty()) {
    auto begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos)
      break;
    line.remove_prefix(begin);
    auto end = std::min(line.find_first_of(" \t"), line.size());
    result.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return result;
}

} // namespace

completions complete(context& with, std::string_view line) {
  auto blank = line.find_last_of(" \t");
  auto from = blank == std::string_view::npos ? 0 : blank + 1;
  auto typed = line.substr(from);
  auto before = words_before(line.substr(0, from));
  auto found = candidates{typed};
  if (before.size() >= 2)
    if (auto outer = std::ranges::find(commands(), before[0], &command::name);
        outer != commands().end() && outer->wraps) {
      auto start = std::size_t(before[1].data() + before[1].size() - line.data());
      start = line.find_first_not_of(" \t", start);
      start = std::min(start, line.size());
      auto within = complete_at(with, before[1], line.substr(start));
      within.from += start;
      return within;
    }

  // The names of commands, word by word.
  if (before.size() <= 1)
    for (auto& one : commands()) {
      auto space = one.name.find(' ');
      if (before.empty())
        found.offer(one.name.substr(0, space));
      else if (space != std::string_view::npos && one.name.substr(0, space) == before[0])
        found.offer(one.name.substr(space + 1));
    }

  const command* named = nullptr;
  auto taken = std::size_t{0};
  for (auto& one : commands()) {
    auto count = one.name.find(' ') == std::string_view::npos ? std::size_t{1} : 2;
    auto name = before.empty() ? std::string{} : std::string{before[0]};
    if (count == 2 && before.size() >= 2)
      name.append(" ").append(before[1]);
    if (before.size() >= count && name == one.name) {
      named = &one;
      taken = count;
    }
  }
  if (named) {
    auto options = [&](std::string_view x) {
      return std::find_if(named->options.begin(), named->options.end(),
                          [x](auto& one) { return x.starts_with("--") && one.name == x.substr(2); });
    };
    auto position = std::size_t{0};
    auto last = named->options.end();
    for (auto i = taken; i < before.size(); ++i) {
      auto is_value = last != named->options.end() && !last->value.empty();
      last = is_value ? named->options.end() : options(before[i]);
      position += !is_value && !before[i].starts_with("--");
    }
    if (named->repeats && position >= named->words.size())
      position = named->words.size() - 1;
    if (last != named->options.end() && !last->value.empty()) {
      for (auto rest = last->value; rest.find('|') != std::string_view::npos || rest != "N";) {
        auto end = rest.find('|');
        found.offer(rest.substr(0, end));
        if (end == std::string_view::npos)
          break;
        rest.remove_prefix(end + 1);
      }
    } else if (typed.starts_with("-")) {
      for (auto& one : named->options)
        found.offer("--" + std::string{one.name});
    } else if (position < named->words.size()) {
      offer(with, named->words[position], found);
      if (named->wraps && position == 0)
        found.offer("all");
    }
  }
  return {from, found.take()};
}

} // namespace xmpp::shell
