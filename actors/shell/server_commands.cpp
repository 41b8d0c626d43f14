// The server as a whole: messages from it, its log and settings, its end.
#include "actors/shell/command_set.hpp"
#include "actors/shell/words.hpp"

#include <caf/config.hpp>

#include <algorithm>

namespace xmpp::shell {

namespace {

result<void> send_message(context& with, const arguments& args) {
  auto to = jid::parse(args.words[0]);
  if (!to)
    return fault("not a JID: " + args.words[0]);
  if (args.words[1].empty())
    return fault("there is no text");
  if (auto outcome = with.server.send_message(*to, args.words[1]); !outcome)
    return outcome.code() == errc::item_not_found ? fault("no such account: " + std::string{to->bare_text()}) : outcome;
  say(with, "sent to " + std::string{to->text()});
  return {};
}

result<void> announce(context& with, const arguments& args) {
  if (args.words[0].empty())
    return fault("there is no text");
  auto told = with.server.announce(args.words[0]);
  if (!told)
    return told.error();
  say(with, "sent to " + format(value{std::uint64_t{*told}}, unit::count) + (*told == 1 ? " session" : " sessions"));
  return {};
}

value level(const std::string& name) {
  return {name, name == "debug" ? tone::warning : name == "off" ? tone::bad : tone::plain};
}

result<void> log(context& with, const arguments& args) {
  if (args.words.size() == 1)
    return fault("which level? usage: log COMPONENT LEVEL");
  if (args.words.size() == 2)
    if (auto outcome = with.server.set_log_level(args.words[0], args.words[1]); !outcome)
      return !outcome.error().text.empty() ? outcome
             : outcome.code() == errc::item_not_found
                 ? fault("no such component: " + args.words[0] + "; `log` lists them")
                 : fault("no such level: " + args.words[1] + "; there are debug, info, warning, error, off");
  auto view = table{{{"component", "component"}, {"level", "level"}}, {}, "no component", {}};
  for (auto& [component, now] : with.server.log_levels())
    if (args.words.empty() || component == args.words[0])
      view.rows.push_back({value{component}, level(now)});
  show(with, view);
  return {};
}

result<void> show_config(context& with, const arguments& args) {
  auto waiting = with.server.waiting_settings();
  auto view = table{{{"option", "option"},
                     {"value", "value", unit::text, true},
                     {"", "file_says", unit::text, true, waiting.empty()}},
                    {},
                    "no such option",
                    {}};
  auto file_says = [&](const std::string& text) {
    return with.out.look().json ? value{text}
                                : value{text.empty() ? "not in the file any more: needs a restart"
                                                     : "file says " + text + ": needs a restart",
                                        tone::warning};
  };
  auto nothing = with.out.look().json ? value{} : value{""};
  for (auto& one : with.server.settings()) {
    if (!matches(args.word(0), one.first))
      continue;
    auto other = std::find_if(waiting.begin(), waiting.end(), [&](auto& x) { return x.first == one.first; });
    view.rows.push_back(
        {value{one.first}, value{one.second}, other == waiting.end() ? nothing : file_says(other->second)});
    if (other != waiting.end())
      waiting.erase(other);
  }
  for (auto& [name, text] : waiting) // what came or went as a whole
    if (matches(args.word(0), name))
      view.rows.push_back({value{name}, value{}, file_says(text)});
  show(with, view);
  return {};
}

result<void> tell(context& with, const result<std::vector<std::string>>& lines, const char* otherwise) {
  if (!lines)
    return lines.error();
  say(with, lines->empty() ? std::vector<std::string>{otherwise} : *lines);
  return {};
}

result<void> reload(context& with, const arguments&) {
  return tell(with, with.server.reload(), "read again; nothing has changed");
}

result<void> drain(context& with, const arguments&) {
  auto sessions = format(value{std::uint64_t{registry::instance().count(actor_kind::session)}}, unit::count);
  if (!confirm(with, "Send all clients away (" + sessions + " sessions) and accept no more?"))
    return fault("left as it is");
  return tell(with, with.server.drain(), "draining");
}

result<void> shut_down(context& with, const arguments&) {
  auto sessions = format(value{std::uint64_t{registry::instance().count(actor_kind::session)}}, unit::count);
  if (!confirm(with, "Shut the server down (" + sessions + " sessions)?"))
    return fault("left as it is");
  if (auto outcome = with.server.shutdown(); !outcome)
    return outcome;
  say(with, "the server shuts down");
  return {};
}

result<void> show_version(context& with, const arguments&) {
  auto caf = std::to_string(CAF_VERSION / 10'000) + "." + std::to_string(CAF_VERSION / 100 % 100) + "." +
             std::to_string(CAF_VERSION % 100);
  auto view = record{{{"Troupe", "version", value{TROUPE_VERSION}},
                      {"CAF", "caf", value{caf}},
                      {"compiler", "compiler", value{__VERSION__}}}};
  for (auto& [title, text] : with.server.version())
    view.fields.push_back({title, key_of(title), value{text}});
  show(with, view);
  return {};
}

} // namespace

std::vector<command> server_commands() {
  return {
      {.name = "send",
       .usage = "JID text",
       .help = "Sends a message from the server; the text is the rest of the line.",
       .words = {completes::address},
       .words_min = 2,
       .words_max = 2,
       .takes_rest = true,
       .run = send_message},
      {.name = "announce",
       .usage = "text",
       .help = "Sends a message to every session that is online.",
       .words_min = 1,
       .words_max = 1,
       .takes_rest = true,
       .run = announce},
      {.name = "log",
       .usage = "[COMPONENT LEVEL]",
       .help = "Shows the log's levels, or changes one until the next start.",
       .words = {completes::component, completes::level},
       .words_max = 2,
       .run = log},
      {.name = "config",
       .usage = "[pattern]",
       .help = "Shows the configuration as it is now.",
       .words = {completes::setting},
       .words_max = 1,
       .run = show_config},
      {.name = "reload",
       .help = "Reads configuration and certificates again; says what changed and what needs a restart.",
       .run = reload},
      {.name = "drain", .help = "Accepts no more clients and sends those there away, bit by bit.", .run = drain},
      {.name = "shutdown", .help = "Ends all streams and stops the server.", .run = shut_down},
      {.name = "version", .help = "Shows the versions of the server and its libraries.", .run = show_version},
  };
}

} // namespace xmpp::shell
