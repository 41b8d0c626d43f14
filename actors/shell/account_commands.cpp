// Accounts: `user …`.
#include "actors/shell/command_set.hpp"
#include "actors/shell/words.hpp"

#include <map>

namespace xmpp::shell {

namespace {

result<jid> account_of(std::string_view text) {
  auto account = jid::parse(text);
  if (!account || !account->has_local() || !account->is_bare())
    return fault("not an account's JID: " + std::string{text} + "; it looks like juliet@example.org");
  return account;
}

error explained(const error& why, const jid& account) {
  auto who = std::string{account.text()};
  if (!why.text.empty())
    return why;
  switch (why.code) {
  case errc::conflict:
    return {why.code, "the account exists already: " + who};
  case errc::item_not_found:
    return {why.code, "no such account: " + who};
  case errc::host_unknown:
    return {why.code, "not a host of this server: " + std::string{account.domain()}};
  case errc::not_acceptable:
    return {why.code, "this can't be a password (RFC 4013)"};
  default:
    return why;
  }
}

/// From the line, or asked for without echo. Fails when none is given, or the second is not the first.
result<std::string> password_of(context& with, const arguments& args) {
  if (args.words.size() > 1)
    return args.words[1].empty() ? result<std::string>{fault("the password is empty")} : args.words[1];
  auto first = with.out.ask("Password for " + args.words[0] + ": ", true);
  if (!first || first->empty())
    return fault("no password was given");
  if (with.out.is_interactive() && with.out.ask("Once more: ", true) != first)
    return fault("the two passwords differ");
  return *first;
}

result<void> set_password(context& with, const arguments& args, bool create) {
  auto account = account_of(args.words[0]);
  if (!account)
    return account.error();
  auto password = password_of(with, args);
  if (!password)
    return password.error();
  auto outcome =
      create ? with.server.create_account(*account, *password) : with.server.set_password(*account, *password);
  if (!outcome)
    return explained(outcome.error(), *account);
  say(with, (create ? "created: " : "password changed: ") + std::string{account->text()});
  return {};
}

result<void> add(context& with, const arguments& args) {
  return set_password(with, args, true);
}

result<void> change_password(context& with, const arguments& args) {
  return set_password(with, args, false);
}

result<void> remove(context& with, const arguments& args) {
  auto account = account_of(args.words[0]);
  if (!account)
    return account.error();
  if (!confirm(with, "Delete " + args.words[0] + " with its roster and its messages?"))
    return fault("left as it is");
  if (auto outcome = with.server.remove_account(*account); !outcome)
    return explained(outcome.error(), *account);
  say(with, "deleted: " + std::string{account->text()});
  return {};
}

result<void> info(context& with, const arguments& args) {
  auto account = account_of(args.words[0]);
  if (!account)
    return account.error();
  auto known = with.server.account_info(*account);
  if (!known)
    return explained(known.error(), *account);
  auto view = record{{{"account", "account", value{account->text()}}}};
  for (auto& [title, text] : *known)
    if (title != "account")
      view.fields.push_back({title, key_of(title), value{text}});
  auto resources = std::vector<std::string>{};
  for (auto& one : find_sessions(*account))
    resources.push_back(one.name.substr(account->text().size() + 1));
  view.fields.push_back({"online as", "resources", value{resources}});
  show(with, view);
  return {};
}

result<void> list(context& with, const arguments& args) {
  auto limit = args.number("limit", 100, 1, 1'000'000);
  if (!limit)
    return limit.error();
  auto view =
      table{{{"account", "account", unit::text, true}, {"sessions", "sessions", unit::count}}, {}, "no account", {}};
  auto rows = std::map<std::string, std::uint64_t>{};
  auto is_more = false;
  auto outcome = with.server.for_each_account([&](const jid& x) {
    if (!matches(args.word(0), x.text()))
      return true;
    is_more = rows.size() >= std::size_t(*limit);
    if (!is_more)
      rows.emplace(x.text(), 0);
    return !is_more;
  });
  if (!outcome)
    return outcome.error();
  registry::instance().for_each(actor_kind::session, [&](const registry::entry& x) {
    if (auto i = rows.find(x.name.substr(0, x.name.find('/'))); i != rows.end())
      ++i->second;
    return true;
  });
  for (auto& [name, sessions] : rows)
    view.rows.push_back({value{name}, sessions ? value{sessions}.with(tone::good) : value{std::uint64_t{0}}});
  if (is_more)
    view.note = "there are more; --limit N shows them";
  show(with, view);
  return {};
}

} // namespace

std::vector<command> account_commands() {
  return {
      {.name = "user list",
       .usage = "[pattern]",
       .help = "Lists accounts.",
       .words = {completes::account},
       .words_max = 1,
       .options = {{"limit", "N", "how many to show"}},
       .run = list},
      {.name = "user add",
       .usage = "JID [password]",
       .help = "Creates an account; asks for the password when it is not given.",
       .words = {completes::account},
       .words_min = 1,
       .words_max = 2,
       .is_secret = true,
       .run = add},
      {.name = "user passwd",
       .usage = "JID [password]",
       .help = "Changes an account's password; asks for it when it is not given.",
       .words = {completes::account},
       .words_min = 1,
       .words_max = 2,
       .is_secret = true,
       .run = change_password},
      {.name = "user delete",
       .usage = "JID",
       .help = "Removes an account and all it has.",
       .words = {completes::account},
       .words_min = 1,
       .words_max = 1,
       .run = remove},
      {.name = "user info",
       .usage = "JID",
       .help = "Shows what is known of an account.",
       .words = {completes::account},
       .words_min = 1,
       .words_max = 1,
       .run = info},
  };
}

} // namespace xmpp::shell
