#include "actors/cli.hpp"

#include "actors/backup_commands.hpp"
#include "actors/check.hpp"
#include "actors/cluster_commands.hpp"
#include "actors/random.hpp"
#include "actors/version.hpp"
#include "net/certificate.hpp"
#include "protocol/idna.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <grp.h>
#include <iostream>
#include <map>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace xmpp {
namespace {

constexpr auto certificate_days = 3'650u; // nobody renews a self-signed one
constexpr auto password_characters = std::size_t{20};

int complain(const std::string& text) {
  std::cerr << "troupe: " << text << '\n';
  return 1;
}

int complain(const error& why) {
  auto condition = std::string{condition_name(why.code)};
  return complain(why.text.empty() ? condition : why.text);
}

constexpr auto local_config_file = "data/troupe.conf";
constexpr auto installed_config_file = "/etc/troupe/troupe.conf";

/// The first that exists; the packaged place when none does.
std::filesystem::path default_config_file() {
  if (auto named = std::getenv("TROUPE_CONFIG"))
    return named;
  auto local = std::filesystem::path{local_config_file};
  auto failure = std::error_code{};
  // One that cannot be looked at may well be meant: whoever reads it says why it cannot.
  return std::filesystem::exists(local, failure) || failure ? local : std::filesystem::path{installed_config_file};
}

/// As somebody in this folder would type it.
std::string command_line(const std::string& command, const std::filesystem::path& file) {
  namespace fs = std::filesystem;
  auto failure = std::error_code{};
  auto shorter = [&](const fs::path& path) {
    auto relative = fs::proximate(path, failure).string();
    // Below `/` the relative one saves nothing but the slash, by which people see where it is.
    return failure || relative.size() + 1 >= path.string().size() ? path.string() : relative;
  };
  auto program = fs::read_symlink("/proc/self/exe", failure);
  auto is_installed = program.parent_path() == "/usr/bin" || program.parent_path() == "/usr/local/bin";
  auto out = (is_installed ? "troupe" : shorter(program)) + " " + command;
  if (!fs::equivalent(default_config_file(), file, failure))
    out += " --config " + shorter(file);
  return out;
}

// -- passwords -------------------------------------------------------------------------------------------------------

/// A terminal that does not show what is typed; as before at the end, and when a signal ends the process.
class hidden_input {
public:
  hidden_input() {
    tcgetattr(STDIN_FILENO, &shown_);
    struct sigaction how {};
    how.sa_handler = end_by;
    how.sa_flags = SA_RESETHAND; // The second time it does what it usually does.
    for (auto i = std::size_t{0}; i < signals.size(); ++i) {
      sigaction(signals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN)
        sigaction(signals[i], &how, nullptr);
    }
    auto hidden = shown_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  ~hidden_input() {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown_);
    for (auto i = std::size_t{0}; i < signals.size(); ++i)
      sigaction(signals[i], &before_[i], nullptr);
  }
  hidden_input(const hidden_input&) = delete;

private:
  static constexpr auto signals = std::array{SIGINT, SIGTERM, SIGQUIT, SIGHUP};
  static inline termios shown_{}; ///< There is one standard input.

  static void end_by(int signal) {
    tcsetattr(STDIN_FILENO, TCSANOW, &shown_);
    raise(signal);
  }

  std::array<struct sigaction, signals.size()> before_{};
};

/// A line from standard input; on a terminal it is asked for and not shown.
std::optional<std::string> read_line(const std::string& prompt) {
  auto out = std::string{};
  auto got = false;
  if (isatty(STDIN_FILENO) == 1) {
    auto hidden = hidden_input{};
    std::cerr << prompt << std::flush;
    got = static_cast<bool>(std::getline(std::cin, out));
    std::cerr << '\n';
  } else {
    got = static_cast<bool>(std::getline(std::cin, out));
  }
  if (!got)
    return std::nullopt;
  return out;
}

/// Twice from a terminal, else one line.
std::optional<std::string> read_password() {
  auto password = read_line("Password: ");
  if (!password || password->empty()) {
    complain("no password given");
    return std::nullopt;
  }
  if (isatty(STDIN_FILENO) == 1 && read_line("Again: ") != password) {
    complain("the two are not the same");
    return std::nullopt;
  }
  return password;
}

// -- init ------------------------------------------------------------------------------------------------------------

std::string first_config(const std::vector<std::string>& domains, const std::string& registration) {
  auto out =
      std::string{"; Made by `troupe init`. Every other option, with its range and default: examples/troupe.conf.\n"
                  "; `troupe check` reads this file and says what is wrong.\n\n"
                  "[server]\n"
                  "; This folder: the store, the admin socket and the certificate are in it.\n"
                  "data_folder = \".\"\n\n"
                  "[host_defaults]\n"
                  "certificate_files = [\"certificate.pem\"]\n"
                  "key_files = [\"key.pem\"]\n"
                  "; Who may make an account from a client: \"closed\", \"loopback\" (this machine) or \"open\".\n"
                  "registration = \""};
  out += registration + "\"\n";
  for (auto i = std::size_t{0}; i < domains.size(); ++i)
    out += "\n[hosts.host" + std::to_string(i + 1) + "]\nname = \"" + domains[i] + "\"\n";
  return out;
}

/// Writes all or nothing.
bool write_file(const std::filesystem::path& path, const std::string& text) {
  auto draft = path;
  draft += ".new";
  auto out = std::ofstream{draft, std::ios::binary};
  out << text;
  out.close();
  if (!out)
    return false;
  auto failure = std::error_code{};
  std::filesystem::rename(draft, path, failure);
  return !failure;
}

/// Root acts as the data folder's owner, so that it sees what the server sees and leaves no file that the server cannot
/// write. For the rest of the process.
void become_owner(const std::filesystem::path& folder) {
  struct stat it {};
  if (geteuid() == 0 && stat(folder.c_str(), &it) == 0 && it.st_uid != 0)
    if (setgroups(0, nullptr) != 0 || setgid(it.st_gid) != 0 || setuid(it.st_uid) != 0)
      complain("cannot become the owner of " + folder.string());
}

/// False, and has said why, when there is none and none can be made.
bool make_data_folder(const std::filesystem::path& folder) {
  auto failure = std::error_code{};
  if (std::filesystem::create_directories(folder, failure))
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failure);
  if (failure) {
    complain("cannot make " + folder.string() + ": " + failure.message());
    return false;
  }
  become_owner(folder);
  return true;
}

/// Makes what a configuration names and is missing: its data folder and certificates.
int complete(const std::filesystem::path& file) {
  auto options = load_config(file);
  if (!options)
    return complain(options.error());
  if (!make_data_folder(options->server.data_folder))
    return 1;
  auto failure = std::error_code{};
  auto domains_of = std::map<std::pair<std::filesystem::path, std::filesystem::path>, std::vector<std::string>>{};
  for (auto& host : options->hosts)
    for (auto i = std::size_t{0}; i < host.certificate_files.size(); ++i)
      domains_of[{host.certificate_files[i], i < host.key_files.size() ? host.key_files[i] : std::filesystem::path{}}]
          .push_back(to_a_labels(host.name));
  for (auto& [files, domains] : domains_of) {
    auto& [certificate, key] = files;
    if (key.empty() || std::filesystem::exists(certificate, failure) || std::filesystem::exists(key, failure))
      continue; // the administrator's own
    if (auto done = net::make_self_signed(domains, certificate_days, certificate.string(), key.string()); !done)
      return complain(done.why());
    std::cout << "Made " << certificate.string() << ", self-signed\n";
  }
  return 0;
}

/// Makes both files, or takes those that are there when they belong together; nobody's key is overwritten. False, and
/// has said why.
bool make_first_certificate(const std::vector<std::string>& domains, const std::filesystem::path& certificate,
                            const std::filesystem::path& key) {
  auto is_there = [](const std::filesystem::path& file) {
    auto failure = std::error_code{};
    return std::filesystem::symlink_status(file, failure).type() != std::filesystem::file_type::not_found;
  };
  auto has_certificate = is_there(certificate), has_key = is_there(key);
  auto refuse = [](const std::string& why) {
    complain(why + "; `troupe init` overwrites neither: put there what belongs together, or move it away");
    return false;
  };
  if (has_certificate != has_key)
    return refuse((has_key ? key : certificate).string() + " is there already, but no " +
                  (has_key ? certificate : key).string());
  if (has_key) {
    auto found = net::inspect_certificate(certificate.string(), key.string());
    return !found                ? refuse("cannot use what is there already: " + found.why())
           : !found->key_matches ? refuse(key.string() + " is not the key of " + certificate.string())
                                 : true;
  }
  auto certified = domains;
  std::transform(domains.begin(), domains.end(), certified.begin(), to_a_labels);
  auto done = net::make_self_signed(certified, certificate_days, certificate.string(), key.string());
  if (!done)
    complain(done.why());
  return bool(done);
}

/// Prepares the names of hosts. False, and has said why, when one is no domain or comes twice.
bool prepare_domains(std::vector<std::string>& domains) {
  for (auto i = domains.begin(); i != domains.end(); ++i) {
    auto parsed = jid::parse(*i);
    if (!parsed || parsed->has_local() || parsed->is_full()) {
      complain("\"" + *i + "\" is no domain");
      return false;
    }
    *i = parsed->text();
    if (std::find(domains.begin(), i, *i) != i) {
      complain("the host " + *i + " is named twice");
      return false;
    }
  }
  return true;
}

int init(const std::filesystem::path& folder, std::vector<std::string> domains, const std::string& registration,
         const cli_actions& actions) {
  auto failure = std::error_code{};
  auto file = folder / "troupe.conf";
  if (std::filesystem::exists(file, failure)) {
    std::cout << "troupe: " << file.string() << " is there already, nothing to set up\n";
    return 0;
  }
  // All that can be wrong with what was asked for, before anything is made.
  if (!prepare_domains(domains))
    return 1;
  auto absolute = std::filesystem::absolute(folder, failure);
  if (failure)
    return complain("cannot find " + folder.string() + ": " + failure.message());
  auto text = first_config(domains, registration);
  auto options = parse_config(text, absolute);
  if (!options)
    return complain(options.error());
  if (!make_data_folder(folder))
    return 1;
  if (!make_first_certificate(domains, folder / "certificate.pem", folder / "key.pem"))
    return 1;

  // The configuration comes last: a set-up that was interrupted is done again.
  auto administrator = jid::make("admin", domains.front());
  auto password = random_text(password_characters);
  {
    auto accounts = actions.accounts_of_store(*options);
    if (!accounts)
      return complain(accounts.error());
    auto added = (*accounts)->add(*administrator, password);
    if (added.code() == errc::conflict)
      added = (*accounts)->set_password(*administrator, password);
    if (!added)
      return complain(added.error());
  }
  if (!write_file(file, text))
    return complain("cannot write " + file.string());
  std::cout << "Made " << file.string() << ", a self-signed certificate and an account:\n\n"
            << "    address   " << administrator->text() << "\n"
            << "    password  " << password << "\n\n"
            << "The password is shown this once; this sets another:\n\n    "
            << command_line("user passwd " + std::string{administrator->text()}, file) << "\n\n"
            << std::flush;
  return 0;
}

// -- user ------------------------------------------------------------------------------------------------------------

result<std::unique_ptr<account_admin>> open_accounts(const config& options, const cli_actions& actions) {
  if (is_running(options.server.admin_socket))
    return actions.accounts_of_server(options);
  become_owner(options.server.data_folder);
  return actions.accounts_of_store(options);
}

result<jid> parse_account(const config& options, const std::string& text) {
  auto out = jid::parse(text);
  if (!out || !out->has_local() || out->is_full())
    return error{errc::jid_malformed,
                 "\"" + text + "\" is no account's address, such as name@" + options.hosts[0].name};
  if (!options.host(out->domain()))
    return error{errc::host_unknown, "this server has no host \"" + std::string{out->domain()} + "\""};
  return out;
}

enum class user_command { add, passwd, remove };

int change_user(const config& options, const cli_actions& actions, user_command what, const std::string& address,
                bool random) {
  auto account = parse_account(options, address);
  if (!account)
    return complain(account.error());
  auto password = std::optional<std::string>{};
  if (what != user_command::remove) {
    password = random ? random_text(password_characters) : read_password();
    if (!password)
      return 1;
  }
  auto accounts = open_accounts(options, actions);
  if (!accounts)
    return complain(accounts.error());
  auto done = what == user_command::add      ? (*accounts)->add(*account, *password)
              : what == user_command::passwd ? (*accounts)->set_password(*account, *password)
                                             : (*accounts)->remove(*account);
  auto name = std::string{account->text()};
  switch (done.code()) {
  case errc::none:
    break;
  case errc::conflict:
    return complain(name + " exists already");
  case errc::item_not_found:
    return complain("there is no account " + name);
  case errc::not_acceptable:
    return complain("this text cannot be a password (RFC 4013): it is empty or has characters that are not allowed");
  default:
    return complain(done.error());
  }
  if (random)
    std::cout << *password << '\n';
  else
    std::cerr << name
              << (what == user_command::add      ? " was added\n"
                  : what == user_command::passwd ? " has a new password\n"
                                                 : " was deleted\n");
  return 0;
}

int list_users(const config& options, const cli_actions& actions, const std::string& only) {
  auto domain = std::string{};
  if (!only.empty()) {
    auto parsed = jid::parse(only);
    if (!parsed || parsed->has_local() || parsed->is_full() || !options.host(parsed->text()))
      return complain("this server has no host \"" + only + "\"");
    domain = parsed->text();
  }
  auto accounts = open_accounts(options, actions);
  if (!accounts)
    return complain(accounts.error());
  for (auto& host : options.hosts) {
    if (!domain.empty() && host.name != domain)
      continue;
    auto names = (*accounts)->list(host.name);
    if (!names)
      return complain(names.error());
    for (auto& name : *names)
      std::cout << name << '\n';
  }
  return 0;
}

// -- cluster ---------------------------------------------------------------------------------------------------------

int change_cluster(const config& options,
                   const std::function<result<std::string>(const config&, const as_typed&)>& command) {
  if (is_running(options.server.admin_socket))
    return complain("the server is running: stop it first, then run this again");
  if (!make_data_folder(options.server.data_folder))
    return 1;
  auto done = command(options, [&](const std::string& other) { return command_line(other, options.file); });
  if (!done)
    return complain(done.error());
  std::cout << *done << std::flush;
  return 0;
}

/// A word of a line for the shell.
std::string in_shell_quotes(const std::string& word) {
  auto out = std::string{"\""};
  for (auto c : word)
    out.append(c == '"' || c == '\\' ? "\\" : "").push_back(c);
  return out + "\"";
}

int join_cluster(const config& options, const std::string& given, const std::string& replaces) {
  auto token = given == "-" ? read_line("Token: ") : given;
  if (!token)
    return complain("no token given");
  return change_cluster(options, [&](auto& x, auto& typed) { return cluster_join(x, *token, replaces, typed); });
}

// -- backup ----------------------------------------------------------------------------------------------------------

int print(const result<std::string>& said) {
  if (!said)
    return complain(said.error());
  std::cout << *said << std::flush;
  return 0;
}

int make_backup(const config& options, const std::string& path, const backup_wishes& how, const cli_actions& actions) {
  if (!is_running(options.server.admin_socket))
    become_owner(options.server.data_folder);
  return print(back_up(options, path, how, actions,
                       [&](const std::string& other) { return command_line(other, options.file); }));
}

/// The backups may be root's own, so they are opened before it becomes the folder's owner.
int make_of_backups(const config& options, const std::vector<std::string>& paths, bool is_partial) {
  if (is_running(options.server.admin_socket))
    return complain("the server is running: a backup becomes a server on its own, in a data folder without a store");
  auto files = open_backups(paths);
  if (!files)
    return complain(files.error());
  if (!make_data_folder(options.server.data_folder))
    return 1;
  return print(restore_backups(options, *files, is_partial,
                               [&](const std::string& other) { return command_line(other, options.file); }));
}

// -- check -----------------------------------------------------------------------------------------------------------

int check_everything(const std::filesystem::path& file, bool quiet) {
  auto options = load_config(file);
  if (!options) {
    auto text = options.error().text;
    for (auto rest = std::string_view{text}; !rest.empty();) {
      auto line = rest.substr(0, rest.find('\n'));
      std::cout << "WRONG    " << file.string() << ": " << line << '\n';
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    }
    if (options.code() == errc::item_not_found)
      std::cout << "         -> name it with --config FILE, or let `troupe init` make one\n";
    return 1;
  }
  become_owner(options->server.data_folder);
  using namespace std::chrono;
  auto findings = check(*options, duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
  findings.insert(findings.begin(),
                  {finding::grade::good,
                   "configuration " + file.string(),
                   std::to_string(options->hosts.size()) + (options->hosts.size() == 1 ? " host" : " hosts"),
                   {}});
  std::cout << describe(findings, !quiet);
  return is_sound(findings) ? 0 : 1;
}

} // namespace

int run_cli(int argc, const char* const* argv, const cli_actions& actions) {
  auto app = CLI::App{"Troupe, an XMPP server", "troupe"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string{version_text});
  auto file = default_config_file().string();
  auto config_option = app.add_option(
      "--config", file, "The configuration file [$TROUPE_CONFIG, data/troupe.conf, /etc/troupe/troupe.conf]");
  app.fallthrough();

  auto exit_code = 0;
  auto with_config = [&](auto run) {
    return [&, run] {
      // Who is in a clone, on a machine with a server, may mean either.
      if (auto unknown = std::error_code{}; config_option->count() == 0 && file == local_config_file &&
                                            std::filesystem::exists(installed_config_file, unknown))
        std::cerr << "troupe: with " << local_config_file << "; the installed server's: --config "
                  << installed_config_file << '\n';
      auto options = load_config(file);
      if (options)
        exit_code = run(*options);
      else {
        complain(file + ":\n" + options.error().text);
        exit_code = 2;
      }
    };
  };

  app.add_subcommand("serve", "Run the server in the foreground")->callback(with_config([&](const config& x) {
    return actions.serve(x);
  }));

  auto quiet = false;
  auto check_command = app.add_subcommand("check", "Say what is wrong with the configuration and this machine");
  check_command->add_flag("--quiet", quiet, "Only what is wrong");
  check_command->callback([&] { exit_code = check_everything(file, quiet); });

  auto folder = std::string{"data"};
  auto domains = std::vector<std::string>{};
  auto registration = std::string{"loopback"};
  auto init_command =
      app.add_subcommand("init", "Make a data folder with a configuration, a certificate and an administrator; with "
                                 "--config only what that configuration names and is missing");
  init_command->add_option("--data", folder, "The folder [data]");
  init_command->add_option("--host", domains, "A domain to serve, may be repeated [localhost]");
  init_command->add_option("--registration", registration, "Who may make accounts from a client [loopback]")
      ->check(CLI::IsMember({"closed", "loopback", "open"}));
  init_command->callback([&] {
    if (domains.empty())
      domains = {"localhost"};
    exit_code = config_option->count() ? complete(file) : init(folder, domains, registration, actions);
  });

  auto address = std::string{};
  auto random = false;
  auto host = std::string{};
  auto user = app.add_subcommand("user", "Accounts: of the running server, or in its store when none runs");
  user->require_subcommand(1);
  user->fallthrough();
  auto on_account = [&](const char* name, const char* what, user_command which) {
    auto command = user->add_subcommand(name, what);
    command->add_option("address", address, "name@domain")->required();
    if (which != user_command::remove)
      command->add_flag("--random", random, "Make a password and print it, instead of reading one");
    command->callback(
        with_config([&, which](const config& x) { return change_user(x, actions, which, address, random); }));
  };
  on_account("add", "Add an account; the password is asked for, or read from standard input", user_command::add);
  on_account("passwd", "Set a new password, in the same way", user_command::passwd);
  on_account("delete", "Delete an account and everything that belongs to it", user_command::remove);
  auto list = user->add_subcommand("list", "List accounts");
  list->add_option("host", host, "Only of this host");
  list->callback(with_config([&](const config& x) { return list_users(x, actions, host); }));

  auto token = std::string{};
  auto replaces = std::string{};
  auto cluster = app.add_subcommand("cluster", "Several servers as one");
  cluster->require_subcommand(1);
  cluster->fallthrough();
  cluster
      ->add_subcommand("init",
                       "Make this server, while it does not run, the first node of a new cluster; its accounts stay")
      ->callback(with_config([](const config& x) { return change_cluster(x, cluster_init); }));
  auto join = cluster->add_subcommand(
      "join", "Make this server, which has no accounts yet and does not run, a node of a cluster");
  join->add_option("token", token, "What `troupe cluster invite` printed at a member; -: read from standard input")
      ->required();
  join->add_option("--replaces", replaces,
                   "The node whose place this one takes, by its number in `cluster status`: one that is dead, or this "
                   "one before its data was lost");
  join->callback(with_config([&](const config& x) { return join_cluster(x, token, replaces); }));
  // What the shell of the running server does.
  auto words = std::vector<std::string>{};
  auto flags = std::map<std::string, bool>{};
  auto hours = std::string{};
  auto json = false;
  auto at_server = [&](const char* name, const char* what, int words_min, int words_max, const char* words_name,
                       const char* words_help, std::vector<std::pair<const char*, const char*>> options = {}) {
    auto command = cluster->add_subcommand(name, what);
    if (words_max > 0)
      command->add_option(words_name, words, words_help)
          ->expected(words_min, words_max)
          ->required(words_min > 0)
          ->type_name("TEXT");
    for (auto [option, help] : options)
      command->add_flag("--" + std::string{option}, flags[option], help);
    command->add_flag("--json", json, "Answer in JSON");
    if (std::string_view{name} == "invite")
      command->add_option("--hours", hours, "How long it is good for [24]");
    command->callback(with_config([&, name](const config& x) {
      auto line = "cluster " + std::string{name};
      for (auto& one : words)
        line += " " + in_shell_quotes(one);
      for (auto& [option, is_set] : flags)
        line += is_set ? " --" + option : "";
      line += hours.empty() ? "" : " --hours=" + in_shell_quotes(hours);
      return actions.shell(x, line, json);
    }));
  };
  at_server("status", "Show nodes, shards, links and what is moving", 0, 1, "part", "nodes, shards, links or moves");
  at_server("invite", "Make a token by which one node can join", 0, 0, "", "");
  at_server("drain", "Move leaders and clients away from a node", 1, 1, "node", "The node: its number, id or address",
            {{"leave", "Its replicas move away too, then it is no member any more"},
             {"accept-fewer", "Also when fewer than three nodes stay"}});
  at_server("undrain", "Take a drain back", 1, 1, "node", "The node");
  at_server("remove", "Remove a node that has no replicas, or one that is dead", 1, 1, "node", "The node",
            {{"dead", "It will never come back: others take its replicas"}});
  at_server("rebalance", "Give all nodes their shares of replicas and leaders now", 0, 0, "", "");
  at_server("move", "Move a shard's replica", 3, 3, "words", "The shard, from which node, to which");
  at_server("set", "Change a setting of the whole cluster", 2, 2, "words", "Its name and its value");
  at_server("hosts", "Show the hosts that all nodes are to serve, or change them", 0, 1 + int(cluster::hosts_max),
            "words", "set, and all hosts");

  auto backup_path = std::string{};
  auto wishes = backup_wishes{};
  auto verifies = false;
  auto backup = app.add_subcommand("backup", "Write all accounts to a file, while the server runs; not the "
                                             "configuration, certificates and the cluster's identity");
  backup->add_option("path", backup_path, "A file that is not there yet, or a folder to make one in")->required();
  backup->add_flag("--verify", verifies, "Make none: read that one again and check it");
  backup->add_flag("--partial", wishes.is_partial,
                   "At a node of a cluster: also when it does not have all shards, or not their latest");
  backup->add_option("--rate", wishes.rate_mib, "MiB in a second, at most [32]")->check(CLI::Range(1, 100'000));
  backup->callback([&] {
    if (verifies)
      exit_code = print(verify_backup(backup_path));
    else
      with_config([&](const config& x) { return make_backup(x, backup_path, wishes, actions); })();
  });

  auto backup_paths = std::vector<std::string>{};
  auto is_partial = false;
  auto restore = app.add_subcommand(
      "restore", "Make the store of a server that has none yet and does not run; `troupe backup --verify` only checks");
  restore->add_option("path", backup_paths, "A backup; partial ones of a cluster's nodes together")->required();
  restore->add_flag("--partial", is_partial, "Also when there is nothing of some shards");
  restore->callback(with_config([&](const config& x) { return make_of_backups(x, backup_paths, is_partial); }));

  auto line = std::string{};
  auto shell = app.add_subcommand("shell", "Look into the running server");
  auto line_option = shell->add_option("-c", line, "Run this one command");
  shell->add_flag("--json", json, "Answer in JSON");
  shell->callback(with_config([&](const config& x) {
    return actions.shell(x, line_option->count() ? std::optional{line} : std::nullopt, json);
  }));

  app.add_subcommand("version", "Print the release")->callback([] { std::cout << "troupe " << version_text << '\n'; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    auto code = app.exit(e);
    return code == 0 ? 0 : 2;
  }
  return exit_code;
}

void print_welcome(std::ostream& out, const config& options, const std::vector<std::string>& listening_on,
                   const std::string& account) {
  auto run = [&](const std::string& command) { return command_line(command, options.file); };
  out << "Troupe " << version_text << " serves";
  for (auto& host : options.hosts)
    out << ' ' << host.name;
  out << "\n\n";
  for (auto& where : listening_on)
    out << "    listening on  " << where << '\n';
  out << "    shell         " << run("shell") << "\n\n";
  auto port = options.listen.c2s.empty() ? options.listen.c2s_tls.front() : options.listen.c2s.front();
  port = port.substr(port.rfind(':') + 1);
  if (account.empty()) {
    out << "There is no account yet. One is made by:\n\n    " << run("user add name@" + options.hosts.front().name)
        << "\n"
        << std::flush;
    return;
  }
  out << "A first client: sign in as " << account << " with "
      << (account.starts_with("admin@") ? "the password that the set-up printed" : "its password") << ", server\n"
      << "localhost, port " << port
      << ". A self-signed certificate the client has to be told to trust. For example:\n\n"
      << "    profanity\n    /connect " << account << " server localhost port " << port << " tls trust\n\n"
      << "Another password:  " << run("user passwd " + account) << "\n"
      << "More accounts:     " << run("user add name" + account.substr(account.find('@'))) << "\n"
      << std::flush;
}

} // namespace xmpp
