// What administrators do to a running server: by the shell, by the command line, by a signal.
#include "net/certificate.hpp"
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/service_manager.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

using namespace xmpp::test;

namespace {

bool signs_in(const server& here, const account& who) {
  auto x = client{here};
  x.opens(who.domain);
  x.features();
  return x.authenticates(who).name == "success";
}

account with_password(account who, const std::string& password) {
  who.password = password;
  return who;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

/// The first line that has both; empty when there is none.
std::string line_with(const std::string& text, const std::string& one, const std::string& other) {
  for (auto from = std::size_t{0}; from < text.size();) {
    auto to = std::min(text.find('\n', from), text.size());
    auto line = text.substr(from, to - from);
    if (has(line, one) && has(line, other))
      return line;
    from = to + 1;
  }
  return {};
}

/// Whether the file names any: else they are commented out.
void has_certificates(const server& here, bool has_some) {
  auto file = here.folder() + "/troupe.conf";
  auto read = std::ostringstream{};
  read << std::ifstream{file}.rdbuf();
  auto text = read.str();
  for (auto option : {"certificate_files", "key_files"}) {
    auto plain = std::string{"\n"} + option, commented = std::string{"\n; "} + option;
    auto& from = has_some ? commented : plain;
    auto& to = has_some ? plain : commented;
    for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  }
  std::ofstream{file} << text;
}

/// The numbers that follow `"name":`, in their order.
std::vector<long long> numbers(const std::string& json, const std::string& name) {
  auto out = std::vector<long long>{};
  auto label = '"' + name + "\":";
  for (auto at = json.find(label); at != json.npos; at = json.find(label, at + 1))
    out.push_back(std::atoll(json.c_str() + at + label.size()));
  return out;
}

/// What the shell or the command line says when it fails; empty when it does not.
template <class F>
std::string complaint_of(F f) {
  try {
    f();
    return {};
  } catch (const failure& x) {
    return x.what();
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(administration)

// -- the shell --------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_announcement_reaches_every_session_of_every_host) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto tablet = client{here, romeo.who(), {.state = upto::bound, .resource = "tablet"}};
  auto juliet = client{here, registers(here, "juliet", "montague.lit")};
  auto stranger = client{here};
  stranger.opens();
  stranger.features();
  BOOST_TEST(here.shell("announce the feast begins at nine") == "sent to 3 sessions\n");
  for (auto one : {&romeo, &tablet, &juliet})
    one->receives("<message type='headline' from='{}' to='{}'><body>the feast begins at nine</body></message>",
                  one->who().domain, one->full());
  BOOST_TEST(stranger.authenticates(romeo.who()).name == "success"); // has heard nothing before that
}

BOOST_AUTO_TEST_CASE(who_is_disconnected_is_told_why) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto balcony = client{here, "romeo"};
  auto tablet = client{here, balcony.who(), {.resource = "tablet"}};
  auto phone = client{here, balcony.who(), {.resource = "phone"}};
  auto juliet = client{here, "juliet"};
  BOOST_TEST(here.shell("disconnect " + balcony.full() + " go home") == "1 session is told to end\n");
  BOOST_TEST(balcony.stream_error() == "policy-violation");
  BOOST_TEST(has(balcony.inbox().back().to_string(), "go home"));
  tablet.receives("<presence from='{}' type='unavailable'/>", balcony.full());
  tablet.ping(); // one resource, not the account
  BOOST_TEST(here.shell("disconnect " + balcony.bare()) == "2 sessions are told to end\n");
  for (auto one : {&tablet, &phone}) {
    BOOST_TEST(one->stream_error() == "policy-violation");
    BOOST_TEST(has(one->inbox().back().to_string(), "disconnected by an administrator"));
  }
  juliet.ping();
  client{here, balcony.who()}.ping(); // nobody is shut out
  BOOST_TEST(has(complaint_of([&] { here.shell("disconnect " + unique("nobody") + "@localhost"); }), "no session"));
}

BOOST_AUTO_TEST_CASE(the_level_of_a_component_changes_what_the_log_says) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto leaves_early = [&] {
    auto x = client{here};
    x.opens();
    x.features();
    x.leaves();
    x.ends();
  };
  leaves_early();
  here.shell("log session warning");
  auto quiet = client{here, "romeo"};
  here.shell("log session debug");
  leaves_early();
  auto loud = client{here, "juliet"};
  auto said = here.log_with({"jid=" + loud.full()});
  BOOST_TEST(line_with(said, "session.bound", quiet.full()) == "", said);
  auto first = said.find("session.ended"); // of one who has not signed in: debug
  BOOST_TEST(first != said.npos, said);
  BOOST_TEST(first > said.find("\"log session debug\""), said);
  auto levels = here.shell("log", true);
  BOOST_TEST(has(levels, R"("component":"session","level":"debug")"), levels);
  BOOST_TEST(has(levels, R"("component":"listener","level":"info")"), levels); // the others stay
  for (auto line : {"log sesion debug", "log session loud"})
    BOOST_TEST(complaint_of([&] { here.shell(line); }) != "", line);
  BOOST_TEST(here.shell("log", true) == levels);
}

BOOST_AUTO_TEST_CASE(an_account_is_described) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto juliet = client{here, "juliet"};
  befriend(romeo, juliet);
  auto described = [&](const std::string& who) { return here.shell("user info " + who, true); };
  auto first = described(romeo.bare());
  for (auto part : {R"("contacts":"1")", R"("blocked":"0")", R"("offline_messages":"0")", R"("sessions":"1")",
                    R"("resources":["balcony"])", R"("disabled":"no")"})
    BOOST_TEST(has(first, part), first);
  BOOST_TEST(has(first, "\"account\":\"" + romeo.bare() + '"'), first);
  romeo.set("<block xmlns='urn:xmpp:blocking'><item jid='tybalt@example.com'/></block>");
  romeo.leaves();
  romeo.ends();
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  juliet.send("<message to='{}' type='chat'><body>x</body></message>", romeo.bare());
  juliet.ping(romeo.bare());
  auto deadline = clock::now() + patience();
  auto then = std::string{};
  do // a message that waits is acknowledged to nobody
    then = described(romeo.bare());
  while (!has(then, R"("offline_messages":"1")") && clock::now() < deadline);
  for (auto part : {R"("blocked":"1")", R"("offline_messages":"1")", R"("sessions":"0")", R"("resources":[])"})
    BOOST_TEST(has(then, part), then);
  BOOST_TEST(has(complaint_of([&] { described(unique("nobody") + "@localhost"); }), "no such account"));
  BOOST_TEST(has(complaint_of([&] { described("romeo@elsewhere.lit"); }), "not a host of this server"));
}

BOOST_AUTO_TEST_CASE(the_shell_changes_a_password) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = registers(here, "romeo");
  BOOST_TEST(here.shell("user passwd " + romeo.bare() + " wherefore") == "password changed: " + romeo.bare() + "\n");
  BOOST_TEST(!signs_in(here, romeo));
  BOOST_TEST(signs_in(here, with_password(romeo, "wherefore")));
  auto nobody = unique("nobody") + "@localhost";
  BOOST_TEST(has(complaint_of([&] { here.shell("user passwd " + nobody + " x"); }), "no such account"));
  BOOST_TEST(!signs_in(here, {nobody.substr(0, nobody.find('@')), "localhost", "x"}));
}

namespace {

/// Deletes an account in that way, and looks for what is left of it.
template <class F>
void leaves_nothing(const server& here, F remove) {
  auto romeo = client{here, "romeo"};
  auto juliet = client{here, "juliet"};
  befriend(romeo, juliet);
  remove(romeo.bare());
  BOOST_TEST(romeo.stream_error() == "not-authorized");
  BOOST_TEST(has(romeo.inbox().back().to_string(), "the account was removed"));
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  BOOST_TEST(!signs_in(here, romeo.who()));
  juliet.send("<message to='{}' type='chat' id='m'><body>x</body></message>", romeo.bare());
  juliet.receives("<message type='error' id='m'>{}</message>", error_of("cancel", "service-unavailable"));
  BOOST_TEST(!has(here.command({"user", "list"}), romeo.bare()));
  BOOST_TEST(complaint_of([&] { remove(romeo.bare()); }) != "");
  here.shell("user add " + romeo.bare() + " another"); // the name is free, and has nothing of the old
  auto other = client{here, with_password(romeo.who(), "another")};
  BOOST_TEST(other.asks_roster().find("query")->children.empty());
}

} // namespace

BOOST_AUTO_TEST_CASE(the_shell_deletes_an_account) {
  auto here = server{};
  if (here.is_peer())
    return;
  leaves_nothing(here, [&](const std::string& who) { here.shell("user delete " + who); });
}

BOOST_AUTO_TEST_CASE(actors_are_sorted_by_memory) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto juliet = client{here, "juliet"};
  befriend(romeo, juliet);
  auto listed = here.shell("actors --sort memory --limit 100", true);
  auto bytes = numbers(listed, "memory_bytes");
  BOOST_REQUIRE(bytes.size() >= 4u); // two users, two sessions; others do not say
  BOOST_TEST(std::is_sorted(bytes.rbegin(), bytes.rend()), listed);
  BOOST_TEST(bytes.front() > bytes.back(), listed);
  BOOST_TEST(here.shell("actors --sort memory --limit 1").find("@localhost") != std::string::npos);
  auto messages = numbers(here.shell("actors --sort messages --limit 100", true), "messages");
  BOOST_TEST(std::is_sorted(messages.rbegin(), messages.rend()));
}

// -- the command line -------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_command_line_changes_a_password_of_a_running_server) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = registers(here, "romeo");
  auto said = here.command({"user", "passwd", romeo.bare()}, "wherefore art\n");
  BOOST_TEST(has(said, romeo.bare() + " has a new password"), said);
  BOOST_TEST(!signs_in(here, romeo));
  BOOST_TEST(signs_in(here, with_password(romeo, "wherefore art")));
  auto random = here.command({"user", "passwd", "--random", romeo.bare()});
  BOOST_TEST(!signs_in(here, with_password(romeo, "wherefore art")));
  BOOST_TEST(signs_in(here, with_password(romeo, random.substr(0, random.find('\n')))), random);
  auto nobody = unique("nobody") + "@localhost";
  auto complaint = complaint_of([&] { here.command({"user", "passwd", nobody}, "x\n"); });
  BOOST_TEST(has(complaint, "no such account: " + nobody), complaint);
}

BOOST_AUTO_TEST_CASE(the_command_line_deletes_an_account_of_a_running_server) {
  auto here = server{};
  if (here.is_peer())
    return;
  leaves_nothing(here, [&](const std::string& who) { here.command({"user", "delete", who}); });
}

// -- signals ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(after_a_hangup_the_log_says_what_changed_and_what_needs_a_restart) {
  auto here = server{{.settings = {{"c2s.depth_max", "32"}, {"hosts.main.offline_messages_max", "10"}}}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  here.set("c2s.depth_max", "16");
  here.set("hosts.main.offline_messages_max", "20");
  here.set("hosts.main.registration", "\"closed\"");
  here.reload();
  auto said = here.log_with({"certificates read again"});
  BOOST_TEST(line_with(said, "server.reloaded", "c2s.depth_max: 32 -> 16 (needs a restart)") != "", said);
  auto live = line_with(said, "server.reloaded", "hosts.main.offline_messages_max: 10 -> 20");
  BOOST_TEST(live != "", said);
  BOOST_TEST(!has(live, "restart"), live);
  BOOST_TEST(line_with(said, "server.reloaded", "hosts.main.registration: ") != "", said);
  BOOST_TEST(!has(said, "config.refused"));
  BOOST_CHECK_THROW(registers(here, "juliet"), failure); // what is live counts at once
  romeo.ping();
}

BOOST_AUTO_TEST_CASE(the_service_manager_hears_of_the_start_a_hangup_and_the_end) { // systemd's Type=notify
  auto name = "@troupe-test-" + std::to_string(::getpid());
  auto it = service_manager{name};
  auto here = server{{.environment = {{"NOTIFY_SOCKET", name}}}};
  if (here.is_peer())
    return;
  BOOST_TEST(it.hears() == "READY=1");
  here.reload();
  BOOST_TEST(it.hears().starts_with("RELOADING=1\nMONOTONIC_USEC="));
  BOOST_TEST(it.hears() == "READY=1");
  BOOST_TEST(here.stop() == 0);
  BOOST_TEST(it.has_heard() == "STOPPING=1");
}

BOOST_AUTO_TEST_CASE(a_hangup_takes_an_expired_certificate_and_says_so) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto file = here.folder() + "/localhost";
  BOOST_REQUIRE(xmpp::net::make_self_signed({"localhost"}, 0, file + ".crt", file + ".key"));
  here.reload();
  auto said = here.log_with({"certificates read again", "server.certificate_expired"});
  BOOST_TEST(line_with(said, "server.certificate_expired", "localhost.crt") != "", said);
}

BOOST_AUTO_TEST_CASE(a_hangup_does_not_take_the_last_certificate_away) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto stranger = client{here};
  stranger.opens();
  stranger.features(); // with STARTTLS
  has_certificates(here, false);
  here.reload();
  auto said = here.log_with({"config.refused"});
  BOOST_TEST(line_with(said, "config.refused", "the last certificate") != "", said);
  stranger.starts_tls();
  stranger.opens();
  stranger.features();
  client{here, "romeo", {.how = transport::direct_tls}}.ping();
}

BOOST_AUTO_TEST_CASE(a_hangup_brings_the_first_certificate_to_streams_and_says_what_it_does_not_bring) {
  auto here = server{{.starts_later = true}};
  if (here.is_peer())
    return;
  has_certificates(here, false);
  here.start_without_waiting();
  here.log_with({"listening on  c2s 127.0.0.1", "    shell "});
  BOOST_CHECK_THROW(client(here, transport::direct_tls), failure); // nobody listens
  has_certificates(here, true);
  for (auto i = 0; i < 2; ++i) { // the second reload changes nothing
    auto said = here.shell("reload");
    BOOST_TEST(has(said, "listen.c2s_tls: is not open"), said);
    BOOST_TEST(has(said, "(needs a restart)"), said);
  }
  client{here, "romeo", {.how = transport::starttls}}.ping();
  here.stop();
  here.start();
  BOOST_TEST(!has(here.shell("reload"), "restart"));
  client{here, "romeo", {.how = transport::direct_tls}}.ping();
}

BOOST_AUTO_TEST_CASE(a_hangup_with_a_file_that_has_a_mistake_changes_nothing) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo", {.how = transport::direct_tls}};
  here.set("hosts.main.registration", "\"closed\""); // this is right, and is refused with the rest
  here.set("c2s.sign_in_timeout_s", "\"soon\"");
  here.reload();
  auto said = here.log_with({"config.refused"});
  BOOST_TEST(line_with(said, "config.refused", "c2s.sign_in_timeout_s") != "", said);
  BOOST_TEST(!has(said, "server.reloaded"), said);
  registers(here, "juliet");
  romeo.ping();

  // A certificate that is none: the old one goes on.
  here.set("c2s.sign_in_timeout_s", "30");
  std::ofstream{here.folder() + "/localhost.crt"} << "nothing\n";
  here.reload();
  said = here.log_with({"localhost.crt"});
  BOOST_TEST(line_with(said, "config.refused", "localhost.crt") != "", said);
  BOOST_TEST(!has(said, "server.reloaded"), said);
  client{here, romeo.who(), {.how = transport::direct_tls, .resource = "tablet"}}.ping();
  registers(here, "nurse");

  here.make_certificate("localhost");
  here.reload();
  said = here.log_with({"certificates read again"});
  BOOST_TEST(line_with(said, "server.reloaded", "hosts.main.registration: ") != "", said);
  BOOST_CHECK_THROW(registers(here, "tybalt"), failure);
  client{here, romeo.who(), {.how = transport::direct_tls, .resource = "tablet"}}.ping();
}

BOOST_AUTO_TEST_SUITE_END()
