#include "actors/config.hpp"

#include "actors/config_options.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace xmpp;

namespace {

const auto one_host = std::string{"[hosts.main]\nname = \"localhost\"\n"};

config good(const std::string& text) {
  auto out = parse_config(text, "/etc/troupe");
  BOOST_REQUIRE_MESSAGE(out, (out ? std::string{} : out.error().text));
  return *out;
}

std::string complaint(const std::string& text) {
  auto out = parse_config(text, "/etc/troupe");
  BOOST_TEST((out.code() == errc::bad_request));
  return out ? std::string{} : out.error().text;
}

std::string file_text(const std::filesystem::path& path) {
  auto in = std::ifstream{path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

const config_change* change(const std::vector<config_change>& changes, std::string_view name) {
  auto i = std::find_if(changes.begin(), changes.end(), [&](auto& x) { return x.name == name; });
  return i == changes.end() ? nullptr : &*i;
}

} // namespace

BOOST_AUTO_TEST_SUITE(config_file)

BOOST_AUTO_TEST_CASE(a_name_is_all_that_a_host_needs) {
  auto x = good(one_host);
  BOOST_REQUIRE(x.hosts.size() == 1u);
  BOOST_TEST(x.hosts[0].name == "localhost");
  BOOST_TEST(x.sign_in.scram_iterations == 10'000u);
  BOOST_TEST((x.host("localhost") == &x.hosts[0]));
  BOOST_TEST((x.host("example.com") == nullptr));
}

BOOST_AUTO_TEST_CASE(options_of_every_type_are_read) {
  auto x = good("[c2s]\nstanza_bytes_max = 20000\nconflict = \"rename\" ; a comment\n"
                "[tls]\nrequired = false\n"
                "[listen]\nc2s = [\"127.0.0.1:5922\",\n ; here too\n \"[::1]:5922\"]\n"
                "[log]\nlevels = [\"session=debug\"]\nlevel = 'warning'\n" +
                one_host);
  BOOST_TEST(x.c2s.limits.stanza_bytes_max == 20'000u);
  BOOST_TEST((x.c2s.conflict == conflict_policy::rename));
  BOOST_TEST(!x.tls.required);
  BOOST_TEST(x.listen.c2s.size() == 2u);
  BOOST_TEST((x.log.level == log_level::warning));
}

BOOST_AUTO_TEST_CASE(a_host_takes_the_defaults_that_it_does_not_change) {
  auto x = good("[hosts.a]\nname = \"a.example\"\nroster_items_max = 7\n"
                "[host_defaults]\nroster_items_max = 9\nregistration = \"loopback\"\n"
                "[hosts.b]\nname = \"B.example\"\n");
  BOOST_TEST(x.host("a.example")->roster_items_max == 7u);
  BOOST_REQUIRE(x.host("b.example")); // prepared
  BOOST_TEST(x.host("b.example")->roster_items_max == 9u);
  BOOST_TEST((x.host("a.example")->registration == registration_policy::loopback));
}

BOOST_AUTO_TEST_CASE(relative_paths_start_at_the_files_folder) {
  auto x = good("[server]\ndata_folder = \"../data\"\n[hosts.main]\nname = \"localhost\"\n"
                "certificate_files = [\"a.pem\", \"/b.pem\"]\n");
  BOOST_TEST(x.server.data_folder == "/etc/data");
  BOOST_TEST(x.server.admin_socket == "/etc/data/admin.socket");
  BOOST_TEST(x.hosts[0].certificate_files[0] == "/etc/troupe/a.pem");
  BOOST_TEST(x.hosts[0].certificate_files[1] == "/b.pem");
}

BOOST_AUTO_TEST_CASE(an_unknown_option_is_told_with_its_line_and_the_nearest_known_one) {
  BOOST_TEST(complaint(one_host + "[c2s]\nstanza_byte_max = 20000\n") ==
             "line 4: unknown option c2s.stanza_byte_max; the nearest known one is c2s.stanza_bytes_max");
  BOOST_TEST(complaint("[hosts.main]\nname = \"localhost\"\nregistraton = \"open\"\n") ==
             "line 3: unknown option hosts.main.registraton; the nearest known one is hosts.main.registration");
  // Right name, wrong section.
  BOOST_TEST(complaint(one_host + "[c2s]\nbacklog = 20\n") ==
             "line 4: unknown option c2s.backlog; the nearest known one is listen.backlog");
  BOOST_TEST(complaint(one_host + "[scheduler]\nmax-treads = 2\n") ==
             "line 4: unknown option scheduler.max-treads; the nearest known one is scheduler.max-threads");
  BOOST_TEST(complaint(one_host + "[c3s]\nbacklog = 20\n") ==
             "line 3: unknown section [c3s]; the nearest known one is [c2s]");
  BOOST_TEST(complaint("backlog = 20\n" + one_host) == "line 1: \"backlog\" stands before any [section]");
}

BOOST_AUTO_TEST_CASE(a_value_out_of_range_is_told_with_the_range) {
  BOOST_TEST(complaint(one_host + "[sign_in]\nscram_iterations = 100\n") ==
             "line 4: sign_in.scram_iterations = 100 is not between 4096 and 10000000 iterations");
  BOOST_TEST(complaint(one_host + "[c2s]\noutput_bytes_max = -1\n") ==
             "line 4: c2s.output_bytes_max = -1 is not between 65536 and 1073741824 bytes");
  for (std::string name : {"stanza_bytes_max", "unauthenticated_bytes_max"}) // RFC 6120, 13.12
    BOOST_TEST(complaint(one_host + "[c2s]\n" + name + " = 9999\n")
                   .starts_with("line 4: c2s." + name + " = 9999 is not between 10000 and "));
  BOOST_TEST(complaint(one_host + "[c2s]\nconflict = \"replac\"\n") ==
             "line 4: c2s.conflict = \"replac\" is not one of \"replace\", \"refuse\", \"rename\"; the nearest is "
             "\"replace\"");
}

BOOST_AUTO_TEST_CASE(a_value_of_another_type_is_told_with_the_right_one) {
  BOOST_TEST(complaint(one_host + "[c2s]\nsign_in_timeout_s = 30s\n") ==
             "line 4: c2s.sign_in_timeout_s = 30s: it takes a whole number, in seconds");
  BOOST_TEST(complaint(one_host + "[tls]\nrequired = 1\n") == "line 4: tls.required = 1: it takes true or false");
  BOOST_TEST(complaint(one_host + "[scheduler]\nmax-threads = \"2\"\n").find("scheduler.max-threads") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_caf_would_ignore_is_told_with_the_range) {
  auto said = [](const std::string& line) { return complaint(one_host + "[scheduler]\n" + line + "\n"); };
  for (auto policy : {"'foo'", "\"foo\"", "\"much-too-long-a-name\"", "\"\""}) {
    auto text = said(std::string{"policy = "} + policy);
    BOOST_TEST(text.find("line 4: scheduler.policy = ") == 0u, text);
    BOOST_TEST(text.find(" is not one of \"sharing\", \"stealing\"") != std::string::npos, text);
  }
  BOOST_TEST(said("max-threads = 0") == "line 4: scheduler.max-threads = 0 is not between 1 and 1024 threads");
  BOOST_TEST(said("max-threads = 1025") == "line 4: scheduler.max-threads = 1025 is not between 1 and 1024 threads");
  BOOST_TEST(said("max-throughput = 0") ==
             "line 4: scheduler.max-throughput = 0 is not between 1 and 1000000000 messages");
  BOOST_TEST(good(one_host + "[scheduler]\nmax-threads = 1024\npolicy = 'stealing'\n").hosts.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_way_to_sign_in_must_be_left) {
  auto none = std::string{"[sign_in]\nmechanisms = []\n"};
  BOOST_TEST(complaint(one_host + none).find("line 4: sign_in.mechanisms = []: nobody could sign in at ") == 0u);
  good(one_host + "anonymous = true\n" + none);
}

BOOST_AUTO_TEST_CASE(everything_that_is_wrong_is_told_at_once_in_the_files_order) {
  auto text = complaint(one_host + "[log]\nlevel = \"loud\"\n[c2s]\ndepth_max = 1\n");
  BOOST_TEST(text.find("line 4: log.level") == 0u);
  BOOST_TEST(text.find("\nline 6: c2s.depth_max") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(texts_are_checked_for_what_they_mean) {
  for (auto wrong : {"[listen]\nc2s = [\"localhost:5222\"]\n", "[listen]\nc2s = [\"0.0.0.0:0\"]\n",
                     "[listen]\nc2s = [\"::1:5222\"]\n", "[listen]\nc2s = [\"1.2.3.4:70000\"]\n",
                     "[log]\nlevels = [\"session\"]\n", "[log]\nlevels = [\"session=loud\"]\n",
                     "[host_defaults]\nabuse_addresses = [\"me\"]\n", "[sign_in]\nmechanisms = [\"CRAM-MD5\"]\n"})
    BOOST_TEST(!complaint(one_host + wrong).empty());
}

BOOST_AUTO_TEST_CASE(options_that_contradict_each_other_are_told) {
  BOOST_TEST(!complaint(one_host + "[listen]\nc2s = []\nc2s_tls = []\n").empty());
  BOOST_TEST(!complaint(one_host + "[sign_in]\nbackoff_ms = 2000\nbackoff_ms_max = 1000\n").empty());
  BOOST_TEST(!complaint(one_host + "[c2s]\noutput_bytes_max = 65536\n").empty());
  BOOST_TEST(!complaint(one_host + "[server]\nadmin_socket = \"/" + std::string(120, 'a') + "\"\n").empty());
  BOOST_TEST(
      !complaint("[hosts.a]\nname = \"localhost\"\ncertificate_files = [\"a\", \"b\"]\nkey_files = [\"c\"]\n").empty());
}

BOOST_AUTO_TEST_CASE(hosts_are_named_domains_each_once) {
  BOOST_TEST(complaint("") == "no host: add a section such as [hosts.main] with name = \"example.com\"");
  BOOST_TEST(complaint("[hosts.a]\nanonymous = true\n") ==
             "line 1: hosts.a needs a name, such as name = \"example.com\"");
  BOOST_TEST(complaint("[hosts.a]\nname = \"me@localhost\"\n") ==
             "line 2: hosts.a.name = \"me@localhost\" is no domain");
  BOOST_TEST(complaint("[hosts.a]\nname = \"x.y\"\n[hosts.b]\nname = \"X.Y\"\n") ==
             "line 4: hosts.b.name = \"X.Y\" is another host's name already");
  BOOST_TEST(!complaint("[hosts]\nname = \"localhost\"\n").empty());
}

BOOST_AUTO_TEST_CASE(a_syntax_error_is_told_with_its_line) {
  BOOST_TEST(complaint(one_host + "[c2s]\ndepth_max = ten\n").find("line 4: syntax error: ") == 0u);
  BOOST_TEST(complaint(one_host + "[c2s]\ndepth_max = \"10\nchildren_max = 10\n").find("line 4: syntax error: ") == 0u);
  BOOST_TEST(complaint("# shell style\n").find("line 1: syntax error: ") == 0u);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there_is_told_by_name) {
  auto out = load_config("/no/such/troupe.conf");
  BOOST_TEST((out.code() == errc::item_not_found));
  BOOST_TEST(out.error().text == "cannot read /no/such/troupe.conf: No such file or directory");
}

BOOST_AUTO_TEST_CASE(a_folder_is_no_configuration) {
  auto out = load_config("/tmp");
  BOOST_TEST((out.code() == errc::item_not_found));
  BOOST_TEST(out.error().text == "cannot read /tmp: Is a directory");
}

BOOST_AUTO_TEST_CASE(a_section_stands_once) {
  BOOST_TEST(complaint("[hosts.main]\nname = \"a.lit\"\n; ]\n[ hosts.main]\nname = \"b.lit\"\n")
                 .starts_with("line 4: [hosts.main] stands on line 1 already; each host needs a label of its own"));
  BOOST_TEST(complaint("[c2s]\ndepth_max = 16\n" + one_host + "[c2s]\nchildren_max = 200\n") ==
             "line 5: [c2s] stands on line 1 already");
  BOOST_TEST(
      complaint(one_host + "[hosts]\nmain = { name = \"b.lit\" }\n").find("line 4: hosts.main stands on line 1") == 0u);
}

BOOST_AUTO_TEST_CASE(an_option_stands_once_in_its_section) {
  BOOST_TEST(complaint(one_host + "[c2s]\ndepth_max = 16\n\ndepth_max = 17 ; again\n") ==
             "line 6: c2s.depth_max stands on line 4 already");
  BOOST_TEST(complaint(one_host + "anonymous = true\nanonymous = false\n") ==
             "line 4: hosts.main.anonymous stands on line 3 already");
}

BOOST_AUTO_TEST_CASE(comments_and_texts_repeat_nothing) {
  auto x = good("; [hosts.main]\n" + one_host +
                "; name = \"other.lit\"\n"
                "certificate_files = [ ; [hosts.main]\n  \"a]\\\"name = 1\", ; name = \"x\"\n  \"[hosts.main]\"]\n"
                "key_files = [\"a\", \"b;c\"] ; key_files = [\n"
                "[hosts.other]\nname = \"other.lit\"\n");
  BOOST_TEST(x.hosts.size() == 2u);
  BOOST_TEST(x.host("localhost")->certificate_files.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_value_is_quoted_as_it_was_written) {
  BOOST_TEST(complaint(one_host + "[c2s]\nsign_in_timeout_s = 60s ; one\n") ==
             "line 4: c2s.sign_in_timeout_s = 60s: it takes a whole number, in seconds");
}

BOOST_AUTO_TEST_CASE(what_stands_behind_a_value_over_several_lines_is_told_with_its_line) {
  BOOST_TEST(complaint("[listen]\nc2s = [\n ; a comment\n \"*:5222\",\n \"nonsense\"]\nbacklog = 1\n" + one_host) ==
             "line 2: listen.c2s = \"nonsense\" is no address with a port, such as \"*:5222\", \"192.0.2.1:5222\" or "
             "\"[2001:db8::1]:5222\"\nline 6: listen.backlog = 1 is not between 16 and 65535 connections");
}

BOOST_AUTO_TEST_CASE(the_example_in_the_repository_is_the_generated_one) {
  auto path = std::filesystem::path{TROUPE_SOURCE_DIR} / "examples/troupe.conf";
  if (std::getenv("TROUPE_REGENERATE")) // after a change of the table
    std::ofstream{path} << example_config();
  BOOST_TEST((file_text(path) == example_config()), "TROUPE_REGENERATE=1 writes examples/troupe.conf anew");
}

BOOST_AUTO_TEST_CASE(every_number_is_explained_with_what_more_or_less_of_it_costs) {
  auto look_at = [](auto& options) {
    for (auto& one : options)
      if (!one.unit.empty())
        BOOST_TEST((one.doc.find("More") != one.doc.npos || one.doc.find("Less") != one.doc.npos),
                   one.section << '.' << one.name << ": " << one.doc);
  };
  look_at(server_options());
  look_at(host_options());
}

BOOST_AUTO_TEST_CASE(the_example_says_nothing_but_the_defaults) {
  auto commented = good(example_config());
  auto text = std::string{};
  auto in = std::istringstream{example_config()};
  for (auto line = std::string{}; std::getline(in, line);)
    text += (line.size() > 1 && line[0] == ';' && line[1] != ' ' && line.find("max-threads") == std::string::npos
                 ? line.substr(1)
                 : line) +
            '\n';
  auto spelled_out = good(text);
  auto minimal = good(one_host);
  BOOST_TEST(diff(commented, minimal).empty());
  for (auto& x : diff(minimal, spelled_out))
    BOOST_TEST(x.name == "scheduler.policy");
}

BOOST_AUTO_TEST_CASE(the_smallest_example_is_sound) {
  BOOST_TEST(load_config(std::filesystem::path{TROUPE_SOURCE_DIR} / "examples/single_node.conf").has_value());
}

BOOST_AUTO_TEST_CASE(a_reload_tells_what_is_live_and_what_needs_a_restart) {
  auto before = good(one_host + "[listen]\nbacklog = 100\n[log]\nlevel = \"info\"\n[scheduler]\nmax-threads = 2\n");
  BOOST_TEST(diff(before, before).empty());
  auto after = good("[hosts.main]\nname = \"localhost\"\nregistration = \"open\"\n"
                    "[listen]\nbacklog = 200\n[log]\nlevel = \"debug\"\n[scheduler]\nmax-threads = 4\n");
  auto changes = diff(before, after);
  BOOST_TEST(changes.size() == 4u);
  BOOST_REQUIRE(change(changes, "listen.backlog"));
  BOOST_TEST(!change(changes, "listen.backlog")->is_live);
  BOOST_TEST(change(changes, "listen.backlog")->before == "100");
  BOOST_TEST(change(changes, "listen.backlog")->after == "200");
  BOOST_REQUIRE(change(changes, "log.level"));
  BOOST_TEST(change(changes, "log.level")->is_live);
  BOOST_REQUIRE(change(changes, "hosts.main.registration"));
  BOOST_TEST(change(changes, "hosts.main.registration")->is_live);
  BOOST_REQUIRE(change(changes, "scheduler.max-threads"));
  BOOST_TEST(!change(changes, "scheduler.max-threads")->is_live);
}

BOOST_AUTO_TEST_CASE(a_reload_tells_hosts_that_came_and_went) {
  auto a = good("[hosts.a]\nname = \"a.example\"\n");
  auto b = good("[hosts.b]\nname = \"b.example\"\n");
  auto changes = diff(a, b);
  BOOST_REQUIRE(changes.size() == 2u);
  BOOST_TEST(changes[0].name == "hosts.a");
  BOOST_TEST(!changes[0].is_live);
  BOOST_TEST(changes[1].name == "hosts.b");
  BOOST_TEST(!changes[1].is_live);
}

BOOST_AUTO_TEST_CASE(a_changed_default_shows_at_the_hosts_that_use_it) {
  auto before = good(one_host);
  auto after = good(one_host + "[host_defaults]\nanonymous = true\n");
  auto changes = diff(before, after);
  BOOST_REQUIRE(changes.size() == 1u);
  BOOST_TEST(changes[0].name == "hosts.main.anonymous");
}

BOOST_AUTO_TEST_CASE(until_a_restart_the_old_values_are_in_force) {
  auto running = good(one_host + "[hosts.old]\nname = \"old.lit\"\n[storage]\nshards = 8\n[c2s]\ndepth_max = 16\n");
  auto next = good("[hosts.main]\nname = \"other.lit\"\nregistration = \"open\"\n[hosts.new]\nname = \"new.lit\"\n"
                   "[storage]\nshards = 16\nfree_bytes_min = 1\n[scheduler]\nmax-threads = 3\n");
  auto now = in_force(running, next);
  BOOST_TEST(now.storage.shards == 8u);
  BOOST_TEST(now.c2s.limits.depth_max == 16u);
  BOOST_TEST(now.storage.free_bytes_min == 1u);
  BOOST_REQUIRE(now.hosts.size() == 2u);
  BOOST_TEST(now.hosts[0].name == running.hosts[0].name);
  BOOST_TEST((now.hosts[0].registration == registration_policy::open));
  BOOST_TEST(now.hosts[1].name == "old.lit");
  for (auto& change : diff(running, now))
    BOOST_TEST(change.is_live, change.name);
  for (auto& change : diff(now, next))
    BOOST_TEST(!change.is_live, change.name);
  BOOST_TEST(diff(running, now).size() + diff(now, next).size() == diff(running, next).size());
}

BOOST_AUTO_TEST_CASE(every_option_is_read_somewhere) {
  // By a file other than those that only list, check or print options.
  auto sources = std::string{};
  for (auto folder : {"/actors", "/protocol"})
    for (auto& one : std::filesystem::recursive_directory_iterator{std::string{TROUPE_SOURCE_DIR} + folder}) {
      auto name = one.path().filename().string();
      auto is_source = name.ends_with(".cpp") || name.ends_with(".hpp");
      if (is_source && !name.starts_with("config") && name != "check.cpp" && name != "cli.cpp")
        sources += file_text(one.path());
    }
  for (auto& [name, value] : list_options(good(one_host))) {
    auto field = name.substr(name.rfind('.') + 1);
    if (field.ends_with("_addresses")) // by host_config::contacts
      field = "contacts()";
    if (name == "server.open_files_min") // by what the start shares with `troupe check`
      field = "judge_open_files";
    BOOST_TEST((sources.find('.' + field) != std::string::npos || sources.find(field + '(') != std::string::npos),
               name << " has no effect");
  }
}

BOOST_AUTO_TEST_CASE(caf_gets_its_own_sections) {
  auto to = caf::actor_system_config{};
  apply(good(one_host + "[scheduler]\nmax-threads = 3\n"), to);
  BOOST_TEST(caf::get_or(to, "scheduler.max-threads", std::uint64_t{0}) == 3u);
  BOOST_TEST((caf::get_or(to, "scheduler.policy", caf::atom("none")) == caf::atom("sharing")));
  apply(good(one_host + "[scheduler]\npolicy = \"stealing\"\n"), to);
  BOOST_TEST((caf::get_or(to, "scheduler.policy", caf::atom("none")) == caf::atom("stealing")));
}

BOOST_AUTO_TEST_CASE(nearest_counts_edits) {
  BOOST_TEST(nearest("bcklog", {"keepalive_s", "backlog", "c2s"}) == "backlog");
  BOOST_TEST(nearest("x", {}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
