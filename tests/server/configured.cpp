// What options change: each case is a server of its own, set up otherwise than usual.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sys/stat.h>

using namespace xmpp::test;

namespace {

struct configured : server {
  explicit configured(std::map<std::string, std::string> settings) : server({std::move(settings)}) {}
};

} // namespace

BOOST_AUTO_TEST_SUITE(configuration)

BOOST_AUTO_TEST_CASE(a_taken_resource_can_be_refused) { // RFC 6120, 7.7.2.2
  auto here = configured{{{"c2s.conflict", "\"refuse\""}}};
  if (here.is_peer())
    return;
  auto first = client{here, "romeo"};
  auto second = client{here, first.who(), {.state = upto::signed_in}};
  BOOST_TEST(condition(second.binds(first.resource())) == "conflict");
  first.ping();
  BOOST_TEST(second.binds("another")["type"] == "result");
}

BOOST_AUTO_TEST_CASE(a_taken_resource_can_be_given_another_name) { // RFC 6120, 7.7.2.2
  auto here = configured{{{"c2s.conflict", "\"rename\""}}};
  if (here.is_peer())
    return;
  auto first = client{here, "romeo"};
  auto second = client{here, first.who()};
  BOOST_TEST(second.full() != first.full());
  BOOST_TEST(second.full().rfind(first.bare() + "/", 0) == 0u);
  first.ping();
  second.ping();
}

BOOST_AUTO_TEST_CASE(so_many_messages_wait_and_no_more) { // XEP-0160, 3
  auto here = configured{{{"host_defaults.offline_messages_max", "3"}}};
  if (here.is_peer())
    return;
  auto juliet = registers(here, "juliet");
  auto romeo = client{here, "romeo"};
  for (auto i = 0; i < 5; ++i)
    romeo.send("<message to='{}' type='chat' id='{}'><body>x</body></message>", juliet.bare(), i);
  for (auto i = 3; i < 5; ++i)
    romeo.receives_next("<message type='error' id='{}'>{}</message>", i, error_of("cancel", "service-unavailable"));
  auto later = client{here, juliet};
  for (auto i = 0; i < 3; ++i)
    later.receives("<message id='{}'/>", i);
  settle(romeo, later);
  BOOST_TEST(!later.has("<message/>"));
  later.leaves(); // now there is room again
  later.ends();
  romeo.send("<message to='{}' type='chat' id='again'><body>x</body></message>", juliet.bare());
  romeo.ping(juliet.bare());
  BOOST_TEST(romeo.inbox().empty());
}

BOOST_AUTO_TEST_CASE(so_many_bytes_wait_and_no_more) {
  auto here = configured{{{"host_defaults.offline_bytes_max", "10000"}}};
  if (here.is_peer())
    return;
  auto juliet = registers(here, "juliet");
  auto romeo = client{here, "romeo"};
  for (auto i = 0; i < 3; ++i)
    romeo.send("<message to='{}' type='chat' id='{}'><body>{}</body></message>", juliet.bare(), i,
               std::string(4'000, 'x'));
  romeo.receives_next("<message type='error' id='2'>{}</message>", error_of("cancel", "service-unavailable"));
}

BOOST_AUTO_TEST_CASE(where_nothing_is_kept_the_sender_is_told_as_if_nobody_were_there) { // RFC 6121, 8.5.2.2.1
  auto here = configured{{{"host_defaults.offline_messages_max", "0"}}};
  if (here.is_peer())
    return;
  auto juliet = registers(here, "juliet");
  auto romeo = client{here, "romeo"};
  auto errors = std::vector<std::string>{};
  for (auto& to : {juliet.bare(), unique("nobody") + "@localhost"}) {
    romeo.send("<message to='{}' type='chat' id='m'><body>x</body></message>", to);
    errors.push_back(romeo.receives("<message type='error' id='m'/>").find("error")->to_string());
  }
  BOOST_TEST(errors[0] == errors[1]);
}

BOOST_AUTO_TEST_CASE(lists_have_the_length_that_is_set) {
  auto here = configured{{{"host_defaults.roster_items_max", "2"},
                          {"host_defaults.blocklist_items_max", "2"},
                          {"host_defaults.private_xml_elements_max", "2"},
                          {"host_defaults.resources_max", "1"}}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto add = [&](int n) {
    return std::vector<std::string>{
        condition(romeo.set(format("<query xmlns='jabber:iq:roster'><item jid='c{}@example.com'/></query>", n))),
        condition(romeo.set(format("<block xmlns='urn:xmpp:blocking'><item jid='b{}@example.com'/></block>", n))),
        condition(romeo.set(format("<query xmlns='jabber:iq:private'><a xmlns='urn:example:{}'/></query>", n)))};
  };
  for (auto n = 0; n < 2; ++n)
    for (auto& error : add(n))
      BOOST_TEST(error == "");
  for (auto& error : add(2))
    BOOST_TEST(unless_among(error, {"resource-constraint", "not-acceptable", "not-allowed", "policy-violation"}) == "");
  for (auto& error : add(1)) // what is there may still be changed
    BOOST_TEST(error == "");
  auto second = client{here, romeo.who(), {.state = upto::signed_in}};
  BOOST_TEST(condition(second.binds("second")) == "resource-constraint");
}

BOOST_AUTO_TEST_CASE(a_host_may_keep_its_version_to_itself) { // XEP-0092, 7
  auto here = configured{{{"host_defaults.tells_version", "false"}}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto answer = romeo.get("<query xmlns='jabber:iq:version'/>", "localhost");
  BOOST_TEST(answer.to_string().find("<version") == std::string::npos);
  auto shown = romeo.get("<query xmlns='http://jabber.org/protocol/disco#info'/>", "localhost");
  BOOST_TEST(shown.to_string().find("jabber:iq:version") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(only_the_mechanisms_that_are_set_are_offered) {
  auto here = configured{{{"sign_in.mechanisms", "[\"SCRAM-SHA-256\"]"}, {"sign_in.scram_iterations", "4096"}}};
  if (here.is_peer())
    return;
  auto who = registers(here, "romeo");
  auto x = client{here, transport::direct_tls};
  x.makes_tls();
  x.opens();
  auto features = x.features();
  for (auto one : features.find("mechanisms")->all("mechanism"))
    BOOST_TEST(unless_among(one->text, {"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}) == "");
  BOOST_TEST(condition(x.authenticates(who, "PLAIN")) == "invalid-mechanism");
  BOOST_TEST(condition(x.authenticates(who, "SCRAM-SHA-1")) == "invalid-mechanism");
  BOOST_TEST(x.authenticates(who, "SCRAM-SHA-256").name == "success");
}

BOOST_AUTO_TEST_CASE(a_stanza_has_the_size_that_is_set_and_told) { // XEP-0478
  auto here = configured{{{"c2s.stanza_bytes_max", "20000"}}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  BOOST_TEST(romeo.last_features().find("limits")->text_of("max-bytes") == "20000");
  auto around = format("<message to='{}'><body></body></message>", romeo.full()).size();
  romeo.send("<message to='{}'><body>{}</body></message>", romeo.full(), std::string(20'000 - around, 'x'));
  romeo.receives("<message/>");
  romeo.send("<message to='{}'><body>{}</body></message>", romeo.full(), std::string(20'001 - around, 'x'));
  BOOST_TEST(romeo.stream_error() == "policy-violation");
}

BOOST_AUTO_TEST_CASE(an_account_that_was_idle_is_as_it_was) {
  auto here = configured{{{"accounts.idle_retire_s", "1"}}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto juliet = client{here, "juliet"};
  befriend(romeo, juliet);
  juliet.leaves();
  juliet.ends();
  auto deadline = clock::now() + 2 * patience(); // idleness is looked for now and then
  while (here.shell("actors user").find(juliet.who().name) != std::string::npos && clock::now() < deadline)
    romeo.wire().readable(clock::now() + std::chrono::milliseconds(200));
  BOOST_TEST(here.shell("actors user").find(juliet.who().name) == std::string::npos); // it costs no memory
  BOOST_TEST(here.shell("actors user").find(romeo.who().name) != std::string::npos);
  romeo.send("<message to='{}' type='chat'><body>awake?</body></message>", juliet.bare());
  auto again = client{here, juliet.who()};
  again.receives("<message><body>awake?</body></message>");
  romeo.receives("<presence from='{}' type='-'/>", again.full());
}

BOOST_AUTO_TEST_CASE(a_server_that_could_not_have_its_files_open_does_not_start) {
  try {
    auto here = configured{{{"server.open_files_min", "100000000"}}};
    BOOST_TEST(here.is_peer());
  } catch (const failure& x) {
    auto text = std::string{x.what()};
    for (auto part : {"server.open_files_min = 100000000", "512 or more", "LimitNOFILE"})
      BOOST_TEST(text.find(part) != text.npos, text);
  }
}

BOOST_AUTO_TEST_CASE(the_limit_of_open_files_is_raised_and_bounds_the_connections) {
  auto here = server{{.settings = {{"server.open_files_min", "512"}}, .files_soft = 400, .files_hard = 600}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto some = std::vector<std::unique_ptr<wire>>{};
  for (auto i = 0; i < 600 - 384 - 1; ++i)
    some.push_back(std::make_unique<wire>(here.address(), here.port()));
  auto late = wire{here.address(), here.port()};
  BOOST_TEST(late.receive(clock::now() + patience()) == "");
  romeo.ping();
  some.front()->send("<?xml version='1.0'?>");
  some.clear();
  BOOST_TEST(here.stop() == 0);
}

BOOST_AUTO_TEST_CASE(what_this_machine_does_not_allow_is_logged_at_the_start) {
  auto kernels = 65'535;
  std::ifstream{"/proc/sys/net/core/somaxconn"} >> kernels;
  auto can_be_cut = kernels >= 16 && kernels < 65'535; // else the option cannot ask for more
  auto backlog = std::to_string(can_be_cut ? kernels + 1 : 4'096);
  auto here = server{{.settings = {{"listen.connections_max", "1000"}, {"listen.backlog", backlog}},
                      .files_soft = 1'024,
                      .files_hard = 1'024}};
  if (here.is_peer())
    return;
  here.log_with(
      {"server.limited", "by=\"open files\" why=\"the limit is 1024, less than listen.connections_max = 1000"});
  if (can_be_cut)
    here.log_with({"server.limited", "by=backlog why=\"the kernel cuts listen.backlog " + backlog});
  client{here, "romeo"}.ping();
}

BOOST_AUTO_TEST_CASE(as_many_hashers_share_the_work_as_are_set) {
  auto here = configured{{{"sign_in.hasher_threads", "3"}}};
  if (here.is_peer())
    return;
  for (auto i = 0; i < 3; ++i)
    registers(here, "romeo");
  auto listed = here.shell("actors hasher", true);
  auto number = 0;
  for (auto at = listed.find("\"messages\":"); at != listed.npos; at = listed.find("\"messages\":", at + 1), ++number)
    BOOST_TEST(std::atoi(listed.c_str() + at + 11) > 0, listed);
  BOOST_TEST(number == 3);
}

BOOST_AUTO_TEST_CASE(with_too_little_room_on_the_disk_durable_work_is_refused_until_there_is_more) {
  auto all = std::uintmax_t{1} << 40;
  if (std::filesystem::space(std::filesystem::temp_directory_path()).available >= all)
    return; // the option cannot ask for more than there is here
  auto here = configured{{{"storage.free_bytes_min", std::to_string(all)}}};
  if (here.is_peer())
    return;
  auto stranger = client{here};
  stranger.opens();
  stranger.features();
  auto form = [](const std::string& name) {
    return "<query xmlns='jabber:iq:register'><username>" + name + "</username><password>secret</password></query>";
  };
  BOOST_TEST(condition(stranger.set(form(unique("romeo")))) == "resource-constraint");
  auto stats = here.shell("stats");
  BOOST_TEST(stats.find("failed: only ") != stats.npos, stats);
  BOOST_TEST(here.statistic("storage_free_bytes") > 0);
  auto count = [&](std::string_view event) {
    auto text = here.log();
    auto n = 0;
    for (auto at = text.find(event); at != text.npos; at = text.find(event, at + 1))
      ++n;
    return n;
  };
  BOOST_TEST(count("storage.failed") == 1); // once, whatever was refused
  here.set("storage.free_bytes_min", "0");
  here.shell("reload");
  auto deadline = clock::now() + patience();
  auto refused = std::string{};
  do
    refused = condition(stranger.set(form(unique("romeo"))));
  while (refused != "" && clock::now() < deadline);
  BOOST_TEST(refused == "");
  BOOST_TEST(count("storage.recovered") == 1);
}

BOOST_AUTO_TEST_CASE(what_needs_a_restart_is_not_shown_as_if_it_were_in_force) {
  auto here = configured{{{"c2s.depth_max", "32"}, {"c2s.sign_in_timeout_s", "30"}}};
  if (here.is_peer())
    return;
  here.set("c2s.depth_max", "16");
  here.set("c2s.sign_in_timeout_s", "40");
  for (auto i = 0; i < 2; ++i) { // the second reload changes nothing
    auto said = here.shell("reload");
    BOOST_TEST(said.find("c2s.depth_max: 32 -> 16 (needs a restart)") != said.npos, said);
    auto shown = here.shell("config c2s.*", true);
    BOOST_TEST(shown.find(R"({"option":"c2s.depth_max","value":"32","file_says":"16"})") != shown.npos, shown);
    BOOST_TEST(shown.find(R"({"option":"c2s.sign_in_timeout_s","value":"40","file_says":null})") != shown.npos, shown);
  }
}

BOOST_AUTO_TEST_CASE(too_many_strangers_push_out_the_oldest) {
  auto here = configured{{{"listen.unauthenticated_max", "16"}}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto oldest = client{here};
  oldest.opens();
  oldest.features();
  auto some = std::vector<std::unique_ptr<client>>{};
  for (auto i = 0; i < 40; ++i) {
    some.push_back(std::make_unique<client>(here));
    try {
      some.back()->opens();
    } catch (const failure&) { // a later one may push it out before it was answered
    }
  }
  auto end = oldest.stream_error();
  BOOST_TEST(end.find("stays open") == end.npos);
  romeo.ping(); // who has signed in is none of them
  auto juliet = client{here, romeo.who(), {.resource = "again"}};
  juliet.ping();
}

// -- what a start refuses ---------------------------------------------------------------------------------------------

namespace {

/// Starts, and must not; returns what was said.
std::string refused(server& here, int code = 2) {
  here.start_without_waiting();
  BOOST_TEST(here.ends() == code);
  return here.log();
}

} // namespace

BOOST_AUTO_TEST_CASE(a_start_without_a_shell_is_refused) {
  auto here = server{{.starts_later = true}};
  if (here.is_peer())
    return;
  here.set("server.admin_socket", "\"/nonexistent/x\"");
  auto said = refused(here);
  BOOST_TEST(said.find("server.admin_socket = \"/nonexistent/x\" cannot be opened: ") != said.npos, said);
  BOOST_TEST(said.find("No such file or directory") != said.npos, said);
  here.set("server.admin_socket", "\"troupe.conf\"");
  said = refused(here, 1);
  BOOST_TEST(said.find("is in the way: it is no socket") != said.npos, said);
}

BOOST_AUTO_TEST_CASE(a_certificate_that_is_no_file_is_refused) { // a pipe would be waited for
  auto here = server{{.starts_later = true}};
  if (here.is_peer())
    return;
  auto pipe = here.folder() + "/pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::filesystem::remove(here.folder() + "/localhost.key");
  std::filesystem::create_symlink(pipe, here.folder() + "/localhost.key");
  auto said = refused(here);
  BOOST_TEST(said.find("localhost.key: it is no regular file") != said.npos, said);
}

BOOST_AUTO_TEST_CASE(a_second_server_on_the_same_data_names_the_first) {
  auto first = server{};
  if (first.is_peer())
    return;
  auto second = server{{.starts_later = true}};
  second.set("server.data_folder", "\"" + first.folder() + "/data\"");
  auto said = refused(second, 1);
  auto wanted = "another server, process " + std::to_string(first.pid()) + ", uses the store in ";
  BOOST_TEST(said.find(wanted + first.folder() + "/data/store") != said.npos, said);
  client{first, "romeo"}.ping();
}

BOOST_AUTO_TEST_CASE(the_command_line_lists_all_accounts_of_a_running_server) {
  auto here = server{};
  if (here.is_peer())
    return;
  for (auto i = 0; i < 101; ++i)
    here.command({"user", "add", "--random", "guest-" + std::to_string(i) + "@bücher.lit"});
  auto listed = here.command({"user", "list", "BÜCHER.lit"});
  BOOST_TEST(std::count(listed.begin(), listed.end(), '\n') == 101);
  BOOST_TEST(listed.find("guest-7@bücher.lit\n") != listed.npos, listed);
}

BOOST_AUTO_TEST_SUITE_END()
