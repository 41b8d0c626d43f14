// `troupe backup` and `troupe restore`, from the command line to the file and back.
#include "actors/backup_commands.hpp"

#include "actors/shell/remote_backup.hpp"
#include "actors/shell/service.hpp"
#include "actors/store_accounts.hpp"
#include "persistence/accounts.hpp"
#include "tests/actors/shell_fixture.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>

using namespace xmpp;
using namespace xmpp::test;

namespace {

namespace fs = std::filesystem;

/// A configuration with its data folder, and what commands say of it.
class lone_server {
public:
  explicit lone_server(const std::string& more = {}) {
    std::ofstream{file_} << "[server]\ndata_folder = \"data\"\n[storage]\nshards = 4\n"
                         << more << "[sign_in]\nscram_iterations = 4096\n[hosts.main]\nname = \"localhost\"\n";
    actions.accounts_of_store = accounts_of_store;
  }

  int run(std::vector<std::string> words, const std::string& typed = {}) {
    words.insert(words.end(), {"--config", file_.string()});
    return run_alone(std::move(words), typed);
  }
  /// Without a configuration.
  int run_alone(const std::vector<std::string>& words, const std::string& typed = {}) {
    auto raw = std::vector<const char*>{"troupe"};
    for (auto& one : words)
      raw.push_back(one.c_str());
    auto out = std::ostringstream{}, errors = std::ostringstream{};
    auto in = std::istringstream{typed};
    auto before = std::cout.rdbuf(out.rdbuf()), errors_before = std::cerr.rdbuf(errors.rdbuf());
    auto in_before = std::cin.rdbuf(in.rdbuf());
    auto code = run_cli(int(raw.size()), raw.data(), actions);
    std::cin.rdbuf(in_before);
    std::cout.rdbuf(before);
    std::cerr.rdbuf(errors_before);
    said = out.str();
    complained = errors.str();
    return code;
  }
  void add(const std::string& name) {
    BOOST_REQUIRE_MESSAGE(run({"user", "add", name + "@localhost"}, "secret\n") == 0, complained);
  }
  std::string users() {
    BOOST_TEST(run({"user", "list"}) == 0, complained);
    return said;
  }
  bool says(std::string_view words) const { return said.find(words) != std::string::npos; }
  bool complains(std::string_view words) const { return complained.find(words) != std::string::npos; }
  fs::path folder() const { return at_.path() / "data"; }
  std::string path(const char* name) const { return (at_.path() / name).string(); }

  cli_actions actions;
  std::string said, complained;

private:
  temporary_folder at_;
  fs::path file_ = at_.path() / "troupe.conf";
};

/// A store with a record in each shard, and the shell's service over it.
struct served_store : shell_fixture {
  served_store() {
    options.shard_count = 4;
    db = open_store(options);
    for (auto shard = shard_id{0}; shard < 4; ++shard) {
      auto one = std::vector{log_entry{shard, 1, 1, log_entry::kind::command, put_command(shard, "a", "1")}};
      BOOST_REQUIRE(db->append(one).has_value());
      BOOST_REQUIRE(db->apply(one).has_value());
    }
    what.from = db.get();
    what.head = {1'000, "0.1.0", "00000000000000c1", "00000000000000aa", 4};
    what.parts = {{0, false}, {1, false}, {2, false}, {3, false}};
    backend.on_backup = [this]() -> result<backup_source> {
      ++asked;
      return what;
    };
    out.takes_bytes = true;
    out.on_wait = [] { return true; };
  }

  /// What `bytes` are, if they are a backup.
  static result<backup_summary> parse(std::string_view bytes) {
    auto parser = backup_parser{};
    (void)parser.feed(bytes);
    return parser.finish();
  }

  temporary_folder folder;
  store_options options = small_store(folder);
  std::unique_ptr<store> db;
  backup_source what;
  int asked = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(backup_command)

// -- the command line -------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_a_lone_server_has_is_backed_up_and_restored_elsewhere) {
  auto first = lone_server{};
  first.add("romeo");
  first.add("juliet");
  auto file = first.path("b");
  BOOST_TEST(first.run({"backup", file}) == 0, first.complained);
  BOOST_TEST(first.says("accounts  2\n"), first.said);
  BOOST_TEST(first.says("shards    4 of 4\n"), first.said);
  auto other = lone_server{};
  BOOST_TEST(other.run({"restore", file}) == 0, other.complained);
  BOOST_TEST(other.says("Restored 2 accounts"), other.said);
  BOOST_TEST(other.users() == first.users());
  other.add("nurse"); // It goes on.
}

BOOST_AUTO_TEST_CASE(a_restored_server_founds_a_cluster_and_a_members_folder_takes_no_backup) {
  auto first = lone_server{};
  first.add("romeo");
  auto file = first.path("b");
  BOOST_REQUIRE(first.run({"backup", file}) == 0);
  auto other = lone_server{"[cluster]\nlisten = \"127.0.0.1:5292\"\n"};
  BOOST_REQUIRE(other.run({"restore", file}) == 0);
  BOOST_TEST(other.run({"cluster", "init"}) == 0, other.complained);
  {
    auto options = store_options{};
    options.folder = other.folder() / "store";
    options.shard_count = 4;
    options.is_in_cluster = true;
    auto in = open_store(options);
    auto romeo = *jid::parse("romeo@localhost");
    auto there = accounts::exists(in->view(tier::disk), {shard_of(romeo.bare_text(), 4), romeo});
    BOOST_TEST((there && *there));
    BOOST_TEST(in->groups().size() == 5u);
  }
  BOOST_TEST(other.run({"backup", other.path("b")}) == 1);
  BOOST_TEST(other.complains("does not run: start it"), other.complained);
  fs::remove_all(other.folder() / "store");
  BOOST_TEST(other.run({"restore", file}) == 1);
  BOOST_TEST(other.complains("mv " + (other.folder() / "cluster").string()), other.complained);
}

BOOST_AUTO_TEST_CASE(a_folder_gets_one_by_the_name_of_the_moment) {
  auto here = lone_server{};
  here.add("romeo");
  auto folder = here.path("backups");
  fs::create_directory(folder);
  BOOST_TEST(here.run({"backup", folder}) == 0, here.complained);
  auto names = std::vector<std::string>{};
  for (auto& one : fs::directory_iterator{folder})
    names.push_back(one.path().filename().string());
  BOOST_REQUIRE(names.size() == 1u);
  BOOST_TEST(names[0].starts_with("troupe-20"));
  BOOST_TEST(names[0].ends_with(".backup"));
  BOOST_TEST(here.says("backup --verify " + folder + "/" + names[0]), here.said);
}

BOOST_AUTO_TEST_CASE(one_can_be_checked_without_a_configuration) {
  auto here = lone_server{};
  here.add("romeo");
  auto file = here.path("b");
  BOOST_REQUIRE(here.run({"backup", file}) == 0);
  BOOST_TEST(here.run_alone({"backup", "--verify", file}) == 0, here.complained);
  BOOST_TEST(here.says("is sound\n"), here.said);
  BOOST_TEST(here.says("accounts  1\n"), here.said);
  fs::resize_file(file, fs::file_size(file) - 1);
  BOOST_TEST(here.run_alone({"backup", "--verify", file}) == 1);
  BOOST_TEST(here.complains("not whole"), here.complained);
  BOOST_TEST(here.run_alone({"backup", "--verify", here.path("none")}) == 1);
  BOOST_TEST(here.complains("there is no "), here.complained);
  BOOST_TEST(here.run({"restore", file}) == 1);
}

BOOST_AUTO_TEST_CASE(neither_a_backup_nor_a_store_is_overwritten) {
  auto here = lone_server{};
  here.add("romeo");
  auto file = here.path("b");
  BOOST_REQUIRE(here.run({"backup", file}) == 0);
  here.add("juliet");
  BOOST_TEST(here.run({"backup", file}) == 1);
  BOOST_TEST(here.complains("is there already"), here.complained);
  BOOST_TEST(here.run({"restore", file}) == 1);
  BOOST_TEST(here.complains("mv " + (here.folder() / "store").string()), here.complained);
  BOOST_TEST(here.users() == "juliet@localhost\nromeo@localhost\n");
  fs::rename(here.folder() / "store", here.folder() / "store.before");
  BOOST_TEST(here.run({"restore", file}) == 0, here.complained);
  BOOST_TEST(here.users() == "romeo@localhost\n");
}

BOOST_AUTO_TEST_CASE(another_number_of_shards_is_told_with_the_right_one) {
  auto first = lone_server{};
  first.add("romeo");
  auto file = first.path("b");
  BOOST_REQUIRE(first.run({"backup", file}) == 0);
  auto other = lone_server{};
  std::ofstream{other.path("troupe.conf")} << "[server]\ndata_folder = \"data\"\n[storage]\nshards = 8\n"
                                              "[hosts.main]\nname = \"localhost\"\n";
  BOOST_TEST(other.run({"restore", file}) == 1);
  BOOST_TEST(other.complains("the backup has 4 shards, and storage.shards is 8: set it to 4"), other.complained);
  BOOST_TEST(!fs::exists(other.folder() / "store"));
}

BOOST_AUTO_TEST_CASE(without_a_server_and_without_a_store_there_is_nothing_to_back_up) {
  auto here = lone_server{};
  BOOST_TEST(here.run({"backup", here.path("b")}) == 1);
  BOOST_TEST(here.complains("no server runs"), here.complained);
  BOOST_TEST(!fs::exists(here.folder()));
  BOOST_TEST(!fs::exists(here.path("b")));
  BOOST_TEST(!fs::exists(here.path("b.part")));
}

BOOST_AUTO_TEST_CASE(what_a_server_sends_and_does_not_end_leaves_no_file) {
  auto here = lone_server{};
  here.actions.backup_of_server = [&](const config&, const backup_wishes& how,
                                      const backup_taker& take) -> result<void> {
    BOOST_TEST(how.is_partial);
    BOOST_TEST((how.rate_mib == 5u));
    BOOST_TEST(take("troupe backup\n").has_value());
    BOOST_TEST(fs::exists(here.path("b.part")));
    return error{errc::undefined_condition, "the server is gone"};
  };
  BOOST_TEST(here.run({"backup", here.path("b"), "--partial", "--rate", "5"}) == 1);
  BOOST_TEST(here.complains("the server is gone"));
  BOOST_TEST(!fs::exists(here.path("b")));
  BOOST_TEST(!fs::exists(here.path("b.part")));
  here.actions.backup_of_server = [](auto&, auto&, auto&) { return result<void>{}; }; // It ended too early.
  BOOST_TEST(here.run({"backup", here.path("b")}) == 1);
  BOOST_TEST(!fs::exists(here.path("b")));
}

BOOST_AUTO_TEST_CASE(a_signal_waits_until_the_draft_is_gone) {
  auto here = lone_server{};
  static auto came = false;
  came = false;
  auto before = std::signal(SIGTERM, [](int) { came = true; });
  here.actions.backup_of_server = [&](const config&, const backup_wishes&, const backup_taker& take) {
    ::raise(SIGTERM);
    BOOST_TEST(!came);
    return take("troupe backup\n");
  };
  BOOST_TEST(here.run({"backup", here.path("b")}) == 1);
  BOOST_TEST(came);
  BOOST_TEST(!fs::exists(here.path("b.part")));
  std::signal(SIGTERM, before);
}

// -- the shell's command ----------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(bytes_are_for_no_terminal, served_store) {
  out.takes_bytes = false;
  BOOST_TEST(run("backup") == 1);
  BOOST_TEST(out.errors.find("troupe backup FILE") != std::string::npos);
  BOOST_TEST(out.bytes.empty());
}

BOOST_FIXTURE_TEST_CASE(shards_that_have_no_replica_here_are_named_unless_parts_are_wanted, served_store) {
  what.parts = {{0, false}, {3, false}};
  BOOST_TEST(run("backup") == 1);
  BOOST_TEST(out.errors.find("no replica of 2 of 4 shards (1, 2)") != std::string::npos, out.errors);
  BOOST_TEST(out.bytes.empty());
  BOOST_TEST(run("backup --partial") == 0);
  auto summary = parse(out.bytes);
  BOOST_REQUIRE(summary.has_value());
  BOOST_TEST((summary->missing() == std::vector<shard_id>{1, 2}));
}

BOOST_FIXTURE_TEST_CASE(a_replica_that_is_behind_is_waited_for, served_store) {
  backend.on_backup = [this]() -> result<backup_source> {
    what.parts[2].may_lack_latest = ++asked < 3;
    return what;
  };
  BOOST_TEST(run("backup") == 0, out.errors);
  BOOST_TEST(asked == 3);
  auto summary = parse(out.bytes);
  BOOST_REQUIRE(summary.has_value());
  BOOST_TEST(summary->behind().empty());
  BOOST_TEST(summary->missing().empty());
}

BOOST_FIXTURE_TEST_CASE(who_asks_no_longer_gets_no_more, served_store) {
  out.on_wait = [] { return false; };
  BOOST_TEST(run("backup") == 1);
  BOOST_TEST(out.errors.find("stopped") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_backup_comes_over_the_socket_as_it_was_sent, served_store) {
  auto how = shell::service_options{};
  how.path = folder.path() / "shell.sock";
  auto service = shell::service{how, backend, system};
  BOOST_REQUIRE(service.listen().has_value());
  auto options = xmpp::config{};
  options.server.admin_socket = how.path;
  auto came = std::string{};
  auto take = [&](std::string_view bytes) {
    came += bytes;
    return result<void>{};
  };
  auto done = shell::backup_of_server(options, {}, take);
  BOOST_REQUIRE_MESSAGE(done.has_value(), done.error().text);
  auto summary = parse(came);
  BOOST_REQUIRE(summary.has_value());
  BOOST_TEST(summary->records() == 4u);
  BOOST_TEST(summary->head.cluster == "00000000000000c1");
  auto refuses = [](std::string_view) { return result<void>{error{errc::resource_constraint, "the disk is full"}}; };
  BOOST_TEST((shell::backup_of_server(options, {}, refuses).code() == errc::resource_constraint));
  what.parts.pop_back();
  auto refused = shell::backup_of_server(options, {}, take);
  BOOST_TEST((refused.code() == errc::undefined_condition));
  BOOST_TEST(refused.error().text.find("no replica of 1 of 4") != std::string::npos, refused.error().text);
  BOOST_TEST(shell::backup_of_server(options, {true, 100}, take).has_value());
  options.server.admin_socket = folder.path() / "nobody";
  BOOST_TEST((shell::backup_of_server(options, {}, take).code() == errc::item_not_found));
}

BOOST_AUTO_TEST_SUITE_END()
