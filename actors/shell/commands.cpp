#include "actors/shell/commands.hpp"

#include "actors/config.hpp"
#include "actors/shell/command_set.hpp"
#include "actors/shell/words.hpp"

#include <algorithm>
#include <charconv>
#include <span>

namespace xmpp::shell {

namespace {

result<void> help(context& with, const arguments& args);

std::vector<command> make_table() {
  auto all = std::vector<command>{{.name = "help",
                                   .usage = "[command]",
                                   .help = "Lists the commands, or explains one.",
                                   .words = {completes::command, completes::command},
                                   .words_max = 2,
                                   .run = help}};
  for (auto part : {actor_commands(), live_commands(), trace_commands(), account_commands(), cluster_commands(),
                    node_commands(), backup_commands(), server_commands()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// The command that a line begins with, and how many words its name takes; null when there is none.
std::pair<const command*, std::size_t> find_command(std::span<const word> line) {
  auto named = [](std::string_view name) {
    auto& all = commands();
    auto i = std::find_if(all.begin(), all.end(), [name](auto& x) { return x.name == name; });
    return i == all.end() ? nullptr : &*i;
  };
  if (line.size() >= 2)
    if (auto found = named(line[0].text + " " + line[1].text))
      return {found, 2};
  if (!line.empty())
    if (auto found = named(line[0].text))
      return {found, 1};
  return {nullptr, 0};
}

std::string unknown_command(std::span<const word> line) {
  auto first = line[0].text;
  auto below = std::string{};
  auto names = std::vector<std::string_view>{}; // of two words, when the first is right
  auto beginnings = std::vector<std::string_view>{};
  for (auto& one : commands()) {
    beginnings.push_back(one.name.substr(0, one.name.find(' ')));
    if (one.name.starts_with(first + " ")) {
      names.push_back(one.name);
      below.append(below.empty() ? "" : ", ").append(one.name);
    }
  }
  if (line.size() == 1 && !names.empty())
    return "which one? " + below;
  auto typed = names.empty() ? first : first + " " + line[1].text;
  auto near = nearest(typed, names.empty() ? beginnings : names);
  return "unknown command: " + typed + "; did you mean: " + std::string{near} + "? `help` lists all";
}

/// What stands from `from` on: without its quotes when all of it is one quoted text, else as it was typed.
std::string rest_of(std::string_view text, const word& from, bool is_last) {
  auto rest = text.substr(from.begin);
  while (rest.ends_with(' ') || rest.ends_with('\n'))
    rest.remove_suffix(1);
  auto is_quoted = is_last && rest.size() >= 2 && (rest[0] == '\'' || rest[0] == '"') && rest.back() == rest[0];
  return is_quoted ? from.text : std::string{rest};
}

std::string synopsis(const command& what) {
  auto result = std::string{what.name};
  if (!what.usage.empty())
    result.append(" ").append(what.usage);
  for (auto& one : what.options) {
    result.append(" [--").append(one.name);
    if (!one.value.empty())
      result.append(" ").append(one.value);
    result.append("]");
  }
  return result;
}

result<void> help(context& with, const arguments& args) {
  auto name = std::string{args.word(0)};
  if (args.words.size() == 2)
    name.append(" ").append(args.words[1]);
  auto list = table{{{"command", "command"}, {"what it does", "help", unit::text, true}}, {}, {}, {}};
  for (auto& one : commands()) {
    if (one.name == name && !with.out.look().json) {
      with.out.write(paint(synopsis(one), tone::strong, with.out.look()) + "\n" + std::string{one.help} + "\n");
      auto options = record{};
      for (auto& each : one.options) {
        auto title = "--" + std::string{each.name};
        if (!each.value.empty())
          title.append(" ").append(each.value);
        options.fields.push_back({title, std::string{each.name}, value{each.help}});
      }
      if (!options.fields.empty())
        show(with, options);
      return {};
    }
    // `help user` lists all of its subcommands.
    if (name.empty() || one.name == name || one.name.starts_with(name + " ")) {
      auto sentence = one.help.substr(0, one.help.find('\n'));
      auto usage = std::string{one.name};
      if (!one.usage.empty())
        usage.append(" ").append(one.usage);
      list.rows.push_back({value{usage}, value{sentence}});
    }
  }
  if (list.rows.empty()) {
    auto word = shell::word{name, 0, 0};
    return fault(unknown_command({&word, 1}));
  }
  if (name.empty() && !with.out.look().json)
    list.note =
        "Tab completes, Ctrl-C stops, Ctrl-D or `exit` leaves. `help COMMAND` tells more. ACTOR is a number, a JID "
        "or kind/name.";
  show(with, list);
  return {};
}

/// Checks the words behind the command's name.
result<arguments> parse(const command& what, std::span<const word> line, std::string_view text) {
  auto args = arguments{};
  auto usage = "; usage: " + synopsis(what);
  auto is_option = true;
  for (auto i = std::size_t{0}; i < line.size(); ++i) {
    auto& one = line[i].text;
    if (what.takes_rest && args.words.size() + 1 == what.words_max) {
      args.words.push_back(rest_of(text, line[i], i + 1 == line.size()));
      break;
    }
    if (is_option && one == "--") {
      is_option = false;
    } else if (is_option && one.starts_with("--")) {
      auto name = std::string_view{one}.substr(2);
      auto equals = name.find('=');
      auto given =
          equals == std::string_view::npos ? std::optional<std::string>{} : std::string{name.substr(equals + 1)};
      name = name.substr(0, equals);
      auto known = std::find_if(what.options.begin(), what.options.end(), [&](auto& x) { return x.name == name; });
      if (known == what.options.end())
        return fault("unknown option --" + std::string{name} + usage);
      if (known->value.empty() ? given.has_value() : !given && i + 1 == line.size())
        return fault("--" + std::string{name} + (known->value.empty() ? " takes no value" : " needs a value") + usage);
      if (!known->value.empty() && !given)
        given = line[++i].text;
      if (auto choices = "|" + std::string{known->value} + "|";
          known->value.find('|') != std::string_view::npos && choices.find("|" + *given + "|") == std::string::npos)
        return fault("--" + std::string{name} + " is one of " + std::string{known->value});
      args.options.emplace_back(name, given.value_or(""));
    } else {
      args.words.push_back(one);
    }
  }
  if (args.words.size() < what.words_min || args.words.size() > what.words_max)
    return fault(std::string{args.words.size() < what.words_min ? "something is missing" : "too many words"} + usage);
  return args;
}

std::string text_of(const error& what) {
  return what.text.empty() ? std::string{condition_name(what.code)} : what.text;
}

int refuse(context& with, const error& why) {
  if (with.out.look().json)
    with.out.write("{\"error\":" + json_string(text_of(why)) +
                   ",\"condition\":" + json_string(condition_name(why.code)) + "}\n");
  else
    with.out.fail(printable(text_of(why), with.out.look().utf8));
  return 1;
}

} // namespace

const std::vector<command>& commands() {
  static const auto all = make_table();
  return all;
}

bool arguments::has(std::string_view name) const {
  return std::any_of(options.begin(), options.end(), [name](auto& x) { return x.first == name; });
}

std::string_view arguments::option(std::string_view name) const {
  auto i = std::find_if(options.begin(), options.end(), [name](auto& x) { return x.first == name; });
  return i == options.end() ? std::string_view{} : i->second;
}

std::string_view arguments::word(std::size_t index) const {
  return index < words.size() ? std::string_view{words[index]} : std::string_view{};
}

result<std::int64_t> arguments::number(std::string_view name, std::int64_t fallback, std::int64_t min,
                                       std::int64_t max) const {
  if (!has(name))
    return fallback;
  auto text = option(name);
  auto number = std::int64_t{0};
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size() || number < min || number > max)
    return fault("--" + std::string{name} + " is a number from " + std::to_string(min) + " to " + std::to_string(max));
  return number;
}

int run_line(context& with, std::string_view line) {
  auto [words, open_quote] = split(line);
  if (words.empty()) {
    if (with.out.look().json)
      with.out.write("{}\n"); // a program parses every answer
    return 0;
  }
  auto [found, taken] = find_command(words);
  if (!found)
    return refuse(with, fault(unknown_command(words)));
  if (open_quote && !found->takes_rest)
    return refuse(with, fault(std::string{"a quote is not closed: "} + open_quote));
  auto args = parse(*found, std::span{words}.subspan(taken), line);
  if (!args)
    return refuse(with, args.error());
  with.status = 0;
  auto outcome = found->run(with, *args);
  return outcome ? with.status : refuse(with, outcome.error());
}

kept_line keep(std::string_view line) {
  auto words = split(line).words;
  auto [found, taken] = find_command(words);
  if (!found)
    return {std::string{line}, false, "?"};
  if (auto last = taken + found->words_max - 1; found->wraps && last < words.size()) {
    auto before = std::string{line.substr(0, words[last].begin)};
    // Another node may know other commands: what is secret there can be told here of those only that are known here.
    auto within = keep(words[last].end == line.size() ? words[last].text : line.substr(words[last].begin));
    return {before + within.history, within.durable, before + within.log};
  }
  auto hidden = found->takes_rest || found->is_secret ? taken + found->words_max - 1 : words.size();
  auto is_shortened = hidden < words.size();
  auto shortened = std::string{line.substr(0, is_shortened ? words[hidden].begin : line.size())};
  while (shortened.ends_with(' '))
    shortened.pop_back();
  return {found->is_secret ? shortened : std::string{line}, true, shortened};
}

// -- what the functions of commands share --

std::optional<actor_kind> kind_of(std::string_view name) {
  for (auto kind : all_kinds)
    if (to_string(kind) == name)
      return kind;
  return std::nullopt;
}

void say(context& with, const std::string& text) {
  with.out.write(with.out.look().json ? "{\"done\":" + json_string(text) + "}\n"
                                      : printable(text, with.out.look().utf8) + "\n");
}

void say(context& with, const std::vector<std::string>& lines) {
  auto result = std::string{};
  for (auto& one : lines)
    if (with.out.look().json)
      result.append(result.empty() ? "[" : ",").append(json_string(one));
    else
      result.append(printable(one, with.out.look().utf8)).append("\n");
  if (with.out.look().json)
    result.append(result.empty() ? "[]\n" : "]\n");
  with.out.write(result);
}

bool confirm(context& with, const std::string& question) {
  if (!with.out.is_interactive())
    return true;
  auto answer = with.out.ask(question + " (yes/no) ", false);
  return answer && (*answer == "yes" || *answer == "y");
}

} // namespace xmpp::shell
