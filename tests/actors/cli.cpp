#include "actors/cli.hpp"

#include "actors/store_accounts.hpp"
#include "net/certificate.hpp"
#include "persistence/accounts.hpp"
#include "persistence/store.hpp"
#include "protocol/sasl.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <netinet/in.h>
#include <pty.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

using namespace xmpp;

namespace {

/// A folder of its own, and what the commands say.
struct command_line {
  command_line() {
    auto name = std::string{"/tmp/troupe-cli-XXXXXX"};
    folder = mkdtemp(name.data());
    actions.accounts_of_store = accounts_of_store;
  }
  ~command_line() { std::filesystem::remove_all(folder); }

  int run(std::vector<std::string> words) {
    auto raw = std::vector<const char*>{"troupe"};
    for (auto& one : words)
      raw.push_back(one.c_str());
    auto said = std::ostringstream{}, complained = std::ostringstream{};
    auto before = std::cout.rdbuf(said.rdbuf());
    auto errors_before = std::cerr.rdbuf(complained.rdbuf());
    auto code = run_cli(int(raw.size()), raw.data(), actions);
    std::cout.rdbuf(before);
    std::cerr.rdbuf(errors_before);
    output = said.str();
    errors = complained.str();
    return code;
  }

  /// What `init` makes, with these hosts.
  std::string make(const std::vector<std::string>& hosts) {
    auto words = std::vector<std::string>{"init", "--data", (folder / "data").string()};
    for (auto& one : hosts)
      words.insert(words.end(), {"--host", one});
    BOOST_TEST(run(words) == 0, errors);
    return (folder / "data/troupe.conf").string();
  }
  bool says(const std::string& text) const { return errors.find(text) != std::string::npos; }

  std::filesystem::path folder;
  cli_actions actions;
  std::string output, errors;
};

/// A section that listens on loopback only, on a port that is free.
std::string listens() {
  auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto where = sockaddr_in{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto size = socklen_t{sizeof where};
  BOOST_REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&where), size) == 0);
  BOOST_REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size) == 0);
  ::close(fd);
  return "[listen]\nc2s = [\"127.0.0.1:" + std::to_string(ntohs(where.sin_port)) + "\"]\nc2s_tls = []\n";
}

std::string contents(const std::filesystem::path& file) {
  auto in = std::ifstream{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// By their names in that folder.
std::map<std::string, std::string> files_in(const std::filesystem::path& folder) {
  auto out = std::map<std::string, std::string>{};
  for (auto& one : std::filesystem::recursive_directory_iterator{folder})
    if (one.is_regular_file())
      out[one.path().lexically_relative(folder).string()] = contents(one.path());
  return out;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(commands, command_line)

BOOST_AUTO_TEST_CASE(a_first_certificate_names_domains_by_their_a_labels) {
  auto data = folder / "data";
  BOOST_TEST(run({"init", "--data", data.string(), "--host", "bücher.lit", "--host", "localhost"}) == 0);
  BOOST_TEST(output.find("admin@bücher.lit") != std::string::npos);
  auto made = net::inspect_certificate((data / "certificate.pem").string(), (data / "key.pem").string());
  BOOST_REQUIRE(bool(made));
  BOOST_TEST(net::covers(made->names, "xn--bcher-kva.lit"));
  BOOST_TEST(net::covers(made->names, "localhost"));
  std::ofstream{data / "troupe.conf", std::ios::app} << listens();
  BOOST_TEST(run({"check", "--quiet", "--config", (data / "troupe.conf").string()}) == 0, output);
  BOOST_TEST(output.find("is not for") == std::string::npos, output);
}

BOOST_AUTO_TEST_CASE(a_second_set_up_leaves_everything_as_the_first_made_it) {
  auto data = folder / "data";
  auto file = make({"localhost"});
  BOOST_TEST(output.find("    address   admin@localhost\n") != std::string::npos, output);
  auto at = output.find("    password  ");
  BOOST_REQUIRE(at != std::string::npos);
  auto password = output.substr(at + 14, output.find('\n', at) - at - 14);
  BOOST_TEST(contents(file).find("registration = \"loopback\"\n") != std::string::npos, contents(file));
  auto made = files_in(data);
  for (auto name : {"troupe.conf", "certificate.pem", "key.pem"})
    BOOST_TEST(made.count(name) == 1u, name);
  make({"localhost"});
  BOOST_TEST(output == "troupe: " + file + " is there already, nothing to set up\n");
  BOOST_TEST((files_in(data) == made));
  auto options = load_config(file);
  BOOST_REQUIRE(options.has_value());
  auto where = store_options{};
  where.folder = data / "store";
  where.shard_count = options->storage.shards;
  auto admin = *jid::parse("admin@localhost");
  auto opened = *store::open(where);
  auto stored = *accounts::find(opened->view(tier::disk), {shard_of(admin.bare_text(), where.shard_count), admin});
  BOOST_REQUIRE(stored.has_value());
  BOOST_TEST(sasl::check_password(password, *sasl::decode(stored->credentials)));
  BOOST_TEST(!sasl::check_password(password + "x", *sasl::decode(stored->credentials)));
}

BOOST_AUTO_TEST_CASE(a_check_ends_with_0_when_all_is_well_and_with_1_when_something_is_wrong) {
  auto file = make({"localhost"});
  auto checks = [&](bool quiet) {
    return quiet ? run({"check", "--quiet", "--config", file}) : run({"check", "--config", file});
  };
  std::ofstream{file, std::ios::app} << listens();
  auto sound = contents(file);
  BOOST_TEST(checks(false) == 0, output);
  BOOST_TEST(output.find("good     configuration") != std::string::npos, output);
  BOOST_TEST(output.find("WRONG") == std::string::npos, output);
  BOOST_TEST(checks(true) == 0);
  BOOST_TEST(output.find("good ") == std::string::npos, output);
  std::ofstream{file} << sound << "bakclog = 100\n"; // not a configuration
  BOOST_TEST(checks(true) == 1);
  BOOST_TEST(output.find("WRONG    " + file) != std::string::npos, output);
  BOOST_TEST(output.find("backlog") != std::string::npos, output);         // the nearest that there is
  std::ofstream{file} << sound << "[hosts.other]\nname = \"other.lit\"\n"; // one, with a certificate not its own
  BOOST_TEST(checks(true) == 1);
  BOOST_TEST(output.find("is not for other.lit but for localhost") != std::string::npos, output);
  BOOST_TEST(run({"check", "--config", (folder / "missing.conf").string()}) == 1);
  std::ofstream{file} << sound;
  BOOST_TEST(checks(true) == 0, output);
}

BOOST_AUTO_TEST_CASE(a_set_up_overwrites_no_key_and_no_certificate) {
  auto data = folder / "data";
  for (auto name : {"key.pem", "certificate.pem"}) {
    std::filesystem::create_directory(data);
    std::ofstream{data / name} << "X";
    BOOST_TEST(run({"init", "--data", data.string()}) == 1);
    BOOST_TEST(says((data / name).string() + " is there already"), errors);
    BOOST_TEST(says("move it away"), errors);
    BOOST_TEST(contents(data / name) == "X");
    BOOST_TEST(!std::filesystem::exists(data / "troupe.conf"));
    std::filesystem::remove_all(data);
  }
  std::filesystem::create_directory(data);
  for (auto name : {"key.pem", "certificate.pem"})
    std::ofstream{data / name} << "X";
  BOOST_TEST(run({"init", "--data", data.string()}) == 1);
  BOOST_TEST(says("cannot use what is there already"), errors);
  BOOST_TEST(contents(data / "key.pem") == "X");
}

BOOST_AUTO_TEST_CASE(a_set_up_takes_a_certificate_and_its_key_that_are_there) { // as after one that was interrupted
  auto data = folder / "data";
  std::filesystem::create_directory(data);
  auto key = (data / "key.pem").string();
  BOOST_REQUIRE(net::make_self_signed({"localhost"}, 10, (data / "certificate.pem").string(), key));
  auto before = contents(key);
  make({"localhost"});
  BOOST_TEST(contents(key) == before);
}

BOOST_AUTO_TEST_CASE(a_set_up_of_hosts_that_cannot_be_makes_nothing) {
  auto data = folder / "data";
  for (auto hosts :
       {std::vector<std::string>{"a.test", "A.test"}, {"romeo@a.test"}, {"bücher.lit", "xn--bcher-kva.lit"}}) {
    auto words = std::vector<std::string>{"init", "--data", data.string()};
    for (auto& one : hosts)
      words.insert(words.end(), {"--host", one});
    BOOST_TEST(run(words) == 1);
    BOOST_TEST(says(hosts.size() == 2 ? "is named twice" : "is no domain"), errors);
    BOOST_TEST(!says("line "), errors);
    BOOST_TEST(!std::filesystem::exists(data));
  }
}

BOOST_AUTO_TEST_CASE(what_root_sets_up_belongs_to_the_folders_owner) {
  if (geteuid() != 0)
    return;
  constexpr auto service = uid_t{65'534};
  auto data = folder / "data";
  std::filesystem::create_directory(data);
  BOOST_REQUIRE(::chown(folder.c_str(), service, service) == 0);
  BOOST_REQUIRE(::chown(data.c_str(), service, service) == 0);
  auto child = ::fork(); // it stays that user; and a store needs its threads
  if (child == 0) {
    ::close(STDOUT_FILENO);
    ::execl(TROUPE_BINARY, TROUPE_BINARY, "init", "--data", data.c_str(), nullptr);
    ::_exit(127);
  }
  auto status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
  auto files = 0;
  for (auto& one : std::filesystem::recursive_directory_iterator{data}) {
    struct stat it {};
    BOOST_REQUIRE(::lstat(one.path().c_str(), &it) == 0);
    BOOST_TEST(it.st_uid == service, one.path());
    ++files;
  }
  BOOST_TEST(files > 5);
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_entered_is_no_reason_to_fail) {
  if (geteuid() != 0)
    return; // who else may make another user's folder?
  std::filesystem::create_directory(folder / "data");
  std::filesystem::permissions(folder / "data", std::filesystem::perms::none);
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
  auto as_somebody = [&](const std::vector<std::string>& words) {
    auto child = ::fork();
    if (child == 0) {
      auto is_ready = ::chdir(folder.c_str()) == 0 && ::setgid(65'534) == 0 && ::setuid(65'534) == 0 &&
                      ::unsetenv("TROUPE_CONFIG") == 0;
      ::_exit(!is_ready ? 99 : run(words) | (says("data/troupe.conf: Permission denied") ? 64 : 0));
    }
    auto status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  BOOST_TEST(as_somebody({"version"}) == 0);
  BOOST_TEST(as_somebody({"--help"}) == 0);
  BOOST_TEST(as_somebody({"user", "list"}) == (2 | 64));
}

BOOST_AUTO_TEST_CASE(a_folder_given_as_the_configuration_is_told) {
  BOOST_TEST(run({"user", "list", "--config", folder.string()}) == 2);
  BOOST_TEST(says("cannot read " + folder.string() + ": Is a directory"), errors);
  BOOST_TEST(run({"check", "--config", folder.string()}) == 1);
  BOOST_TEST(output.find("cannot read " + folder.string() + ": Is a directory") != std::string::npos, output);
}

BOOST_AUTO_TEST_CASE(hosts_are_found_by_any_form_of_their_names) {
  auto file = make({"bücher.lit", "localhost"});
  for (auto name : {"bücher.lit", "BÜCHER.lit", "xn--bcher-kva.lit"}) {
    BOOST_TEST(run({"user", "list", name, "--config", file}) == 0, errors);
    BOOST_TEST(output == "admin@bücher.lit\n");
  }
  BOOST_TEST(run({"user", "list", "LOCALHOST", "--config", file}) == 0, errors);
  BOOST_TEST(run({"user", "list", "elsewhere.lit", "--config", file}) == 1);
  BOOST_TEST(run({"user", "list", "romeo@localhost", "--config", file}) == 1);
}

BOOST_AUTO_TEST_CASE(a_terminal_shows_what_is_typed_again_after_a_password_was_not_given) {
  auto file = make({"localhost"});
  for (auto key : {'\x03', '\x04'}) { // Ctrl-C, Ctrl-D
    auto terminal = -1;
    auto child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    if (child == 0) {
      auto words = std::vector<const char*>{"troupe", "user", "add", "romeo@localhost", "--config", file.c_str()};
      ::_exit(run_cli(int(words.size()), words.data(), actions));
    }
    BOOST_REQUIRE(child > 0);
    auto shows_input = [&] {
      auto how = termios{};
      tcgetattr(terminal, &how);
      return (how.c_lflag & ECHO) != 0;
    };
    auto said = std::string{};
    for (char byte; said.find("Password: ") == said.npos && ::read(terminal, &byte, 1) == 1;)
      said += byte;
    BOOST_TEST(!shows_input());
    BOOST_TEST(::write(terminal, &key, 1) == 1);
    auto status = 0;
    ::waitpid(child, &status, 0);
    BOOST_TEST((key == '\x03' ? WIFSIGNALED(status) && WTERMSIG(status) == SIGINT : WIFEXITED(status)));
    BOOST_TEST(shows_input());
    ::close(terminal);
  }
}

BOOST_FIXTURE_TEST_CASE(cluster_commands_are_given_to_the_running_server, command_line) {
  auto file = make({"localhost"});
  auto given = std::vector<std::string>{};
  actions.shell = [&](const config&, const std::optional<std::string>& line, bool json) {
    given.push_back(line.value_or("?") + (json ? " as JSON" : ""));
    return 7;
  };
  auto gives = [&](std::vector<std::string> words, std::string_view line) {
    given.clear();
    words.insert(words.begin(), "cluster");
    words.insert(words.end(), {"--config", file});
    BOOST_TEST(run(words) == 7, errors);
    BOOST_TEST((given == std::vector<std::string>{std::string{line}}), (given.empty() ? "nothing" : given[0]));
  };
  gives({"status"}, "cluster status");
  gives({"status", "shards", "--json"}, "cluster status \"shards\" as JSON");
  gives({"drain", "2"}, "cluster drain \"2\"");
  gives({"drain", "2", "--leave", "--accept-fewer"}, "cluster drain \"2\" --accept-fewer --leave");
  gives({"remove", "--dead", "a\"b"}, "cluster remove \"a\\\"b\" --dead");
  gives({"move", "7", "1", "2"}, "cluster move \"7\" \"1\" \"2\"");
  gives({"rebalance"}, "cluster rebalance");
  gives({"hosts"}, "cluster hosts");
  gives({"hosts", "set", "a.example", "b.example"}, "cluster hosts \"set\" \"a.example\" \"b.example\"");
  gives({"invite", "--hours", "2"}, "cluster invite --hours=\"2\"");
  for (auto& wrong : std::vector<std::vector<std::string>>{
           {"drain"}, {"drain", "1", "2"}, {"move", "7"}, {"status", "a", "b"}, {"set", "x", "1", "--leave"}}) {
    auto words = wrong;
    words.insert(words.begin(), "cluster");
    BOOST_TEST(run(words) == 2);
  }
}

BOOST_AUTO_TEST_SUITE_END()
