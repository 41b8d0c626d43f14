// Actors fail in the middle of traffic; people notice nothing, or as little as can be.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/scram.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace xmpp::test;

namespace {

/// Only on a server of ours.
bool cannot() {
  return shared_server().is_peer();
}

} // namespace

BOOST_AUTO_TEST_SUITE(supervision)

BOOST_AUTO_TEST_CASE(a_failed_account_loses_no_message_and_no_session) {
  if (cannot())
    return;
  auto& here = shared_server();
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto tablet = client{juliet.who(), {.resource = "tablet", .priority = -1}};
  befriend(romeo, juliet);
  romeo.forget(), juliet.forget();
  auto sent = 0;
  for (auto round = 0; round < 10; ++round) {
    auto all = std::string{};
    for (auto i = 0; i < 50; ++i)
      all += format("<message to='{}' type='chat' id='{}'><body>x</body></message>", juliet.bare(), sent++);
    romeo.send_bytes(all);
    here.shell("kill " + (round % 2 ? romeo.bare() : juliet.bare()));
  }
  for (auto i = 0; i < sent; ++i)
    BOOST_REQUIRE(juliet.receives("<message from='{}'/>", romeo.full())["id"] == std::to_string(i));
  settle(romeo, juliet);
  BOOST_TEST(!juliet.has("<message/>")); // none twice
  // Everything that the account knew, it knows again.
  juliet.send("<presence><show>dnd</show></presence>");
  romeo.receives("<presence from='{}'><show>dnd</show></presence>", juliet.full());
  BOOST_TEST(juliet.asks_roster().to_string().find(romeo.bare()) != std::string::npos);
  romeo.send("<message to='{}'><body>there?</body></message>", tablet.full());
  tablet.receives("<message><body>there?</body></message>");
}

BOOST_AUTO_TEST_CASE(a_failed_listener_keeps_its_socket) { // and with it the clients that wait there
  if (cannot())
    return;
  auto here = server{};
  // The sockets that are listened on, by their numbers in /proc/net/tcp.
  auto sockets = [&] {
    auto out = std::set<std::string>{};
    auto table = std::ifstream{"/proc/" + std::to_string(here.pid()) + "/net/tcp"};
    char port[8];
    std::snprintf(port, sizeof port, ":%04X", here.port());
    for (auto line = std::string{}; std::getline(table, line);) {
      auto words = std::istringstream{line};
      auto word = std::vector<std::string>{std::istream_iterator<std::string>{words}, {}};
      if (word.size() > 9 && word[1].ends_with(port) && word[3] == "0A")
        out.insert(word[9]);
    }
    return out;
  };
  auto before = sockets();
  BOOST_TEST(before.size() == 1u);
  here.shell("kill listeners");
  auto after_it = client{here, "romeo"}; // waits, if need be
  BOOST_TEST((sockets() == before));
  BOOST_TEST(here.log().find("in use") == std::string::npos);
  auto secured = client{here, transport::direct_tls};
  secured.makes_tls();
}

BOOST_AUTO_TEST_CASE(contacts_of_a_failed_account_see_nothing_of_it) {
  if (cannot())
    return;
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  shared_server().shell("kill " + juliet.bare());
  romeo.ping(juliet.bare());
  juliet.ping(juliet.bare());
  settle(juliet, romeo);
  BOOST_TEST(!romeo.has("<presence from='{}' type='unavailable'/>", juliet.full()));
  romeo.send("<presence to='{}' type='probe'/>", juliet.bare());
  romeo.receives("<presence from='{}' type='-'/>", juliet.full());
  juliet.breaks();
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
}

BOOST_AUTO_TEST_CASE(roster_pushes_survive_a_failed_account) {
  if (cannot())
    return;
  auto romeo = client{"romeo"};
  auto tablet = client{romeo.who(), {.resource = "tablet"}};
  shared_server().shell("kill " + romeo.bare());
  BOOST_TEST(romeo.set("<query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query>")["type"] == "result");
  tablet.receives("<iq type='set'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query></iq>");
}

BOOST_AUTO_TEST_CASE(blocks_survive_a_failed_account) {
  if (cannot())
    return;
  auto romeo = client{"romeo"};
  auto tybalt = client{"tybalt"};
  romeo.get("<blocklist xmlns='urn:xmpp:blocking'/>");
  romeo.set(format("<block xmlns='urn:xmpp:blocking'><item jid='{}'/></block>", tybalt.bare()));
  shared_server().shell("kill " + romeo.bare());
  tybalt.send("<message to='{}' id='m'><body>x</body></message>", romeo.bare());
  tybalt.receives("<message type='error' id='m'/>");
  romeo.send("<message to='{}' id='n'><body>x</body></message>", tybalt.bare());
  romeo.receives("<message type='error' id='n'>{}</message>", error_of("", "not-acceptable"));
}

BOOST_AUTO_TEST_CASE(a_failed_session_ends_its_stream_properly) { // ARCHITECTURE, 7
  if (cannot())
    return;
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  shared_server().shell("kill " + juliet.full());
  BOOST_TEST(juliet.stream_error() == "internal-server-error");
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  romeo.send("<message to='{}' type='chat'><body>for later</body></message>", juliet.bare());
  auto again = client{juliet.who()};
  again.receives("<message><body>for later</body></message>");
}

namespace {

/// Two friends; one has sent the other so many messages in all.
struct couple {
  explicit couple(const server& here) : romeo(here, "romeo"), juliet(here, "juliet") { befriend(romeo, juliet); }

  void says(int messages) {
    auto all = std::string{};
    for (auto i = 0; i < messages; ++i)
      all += format("<message to='{}' type='chat' id='{}'><body>x</body></message>", juliet.bare(), sent++);
    romeo.send_bytes(all);
  }
  /// Each of them, in order, once.
  void all_arrive() {
    for (; arrived < sent; ++arrived)
      BOOST_REQUIRE(juliet.receives("<message from='{}'/>", romeo.full())["id"] == std::to_string(arrived));
    settle(romeo, juliet);
    BOOST_TEST(!juliet.has("<message/>"));
  }

  client romeo, juliet;
  int sent = 0, arrived = 0;
};

/// That many times: a change, which is acknowledged, and behind it a message, all with their numbers.
std::string changes_and_messages(const std::string& to, int& number, int count) {
  auto all = std::string{};
  for (auto end = number + count; number < end; ++number)
    all += format("<iq type='set' id='{}'><vCard xmlns='vcard-temp'><FN>{}</FN></vCard></iq>"
                  "<message to='{}' type='chat' id='{}'><body>x</body></message>",
                  number, number, to, number);
  return all;
}

std::vector<std::string> numbers_of(const server& here, const std::string& kind) {
  auto listed = here.shell("actors " + kind, true);
  auto out = std::vector<std::string>{};
  for (auto at = listed.find("\"number\":"); at != listed.npos; at = listed.find("\"number\":", at + 1))
    out.push_back(std::to_string(std::atoi(listed.c_str() + at + 9)));
  return out;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_session_that_fails_in_the_middle_of_traffic_takes_nothing_along) { // ARCHITECTURE, 7
  auto here = server{{.settings = {{"host_defaults.offline_messages_max", "1000000"},
                                   {"host_defaults.offline_bytes_max", "1073741824"}}}}; // what she misses fits
  if (here.is_peer())
    return;
  for (auto round = 0; round < 4; ++round) {
    auto people = couple{here};
    auto &romeo = people.romeo, &juliet = people.juliet;
    auto said = 0;
    auto is_dead = std::atomic<bool>{false};
    auto killer = std::thread{[&] {
      here.shell("kill " + juliet.full());
      is_dead = true;
    }};
    while (!is_dead) {
      people.says(20);
      juliet.send_bytes(changes_and_messages(romeo.bare(), said, 20));
      romeo.ping(); // nothing happens to his stream; and neither runs away from the server
      std::this_thread::sleep_for(std::chrono::milliseconds{2}); // nor is there more than is soon read
    }
    killer.join();
    people.says(20);
    BOOST_TEST(juliet.stream_error() == "internal-server-error");
    romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
    // To her: each message once and in order, to her stream or to the next one.
    auto arrived = 0, acknowledged = -1;
    for (auto& x : juliet.inbox())
      if (x.name == "message")
        BOOST_REQUIRE(x["id"] == std::to_string(arrived++));
      else if (x.name == "iq" && x["type"] == "result")
        acknowledged = std::max(acknowledged, std::atoi(x["id"].c_str()));
    BOOST_TEST(arrived < people.sent);
    auto again = client{here, juliet.who(), {.resource = "again"}};
    for (; arrived < people.sent; ++arrived)
      BOOST_REQUIRE(again.receives("<message from='{}'/>", romeo.full())["id"] == std::to_string(arrived));
    settle(romeo, again);
    BOOST_TEST(!again.has("<message/>"));
    // From her: no gap, and all that stood before what was acknowledged; which is kept.
    auto heard = 0;
    for (auto& x : romeo.inbox())
      if (x.name == "message")
        BOOST_REQUIRE(x["id"] == std::to_string(heard++));
    BOOST_TEST(heard >= acknowledged);
    auto card = again.get("<vCard xmlns='vcard-temp'/>").find("vCard")->text_of("FN");
    BOOST_TEST((card.empty() ? -1 : std::atoi(card.c_str())) >= acknowledged);
  }
}

BOOST_AUTO_TEST_CASE(every_other_kind_of_actor_may_fail_in_the_middle_of_traffic) { // issue, 8
  for (auto kind : {"shard", "hasher", "listener", "supervisor"}) {
    auto here = server{{.settings = {{"server.shutdown_timeout_s", "0"}}}};
    if (here.is_peer())
      return;
    auto people = couple{here};
    auto stranger = client{here}; // has not signed in
    stranger.opens();
    stranger.features();
    auto killed = 0;
    for (auto& number : numbers_of(here, kind)) {
      if (++killed > 5)
        break; // more in so short a time are too many: another test
      BOOST_TEST_CONTEXT(kind << " " << number) {
        people.says(50);
        auto told = here.shell("kill " + number);
        BOOST_TEST(told.find("outcome     restarted") != told.npos, told);
        people.says(50);
        people.all_arrive();
        BOOST_TEST(people.romeo.set("<vCard xmlns='vcard-temp'><FN>" + number + "</FN></vCard>")["type"] == "result");
        people.romeo.send("<presence><status>{}</status></presence>", number);
        people.juliet.receives("<presence from='{}'><status>{}</status></presence>", people.romeo.full(), number);
        client{here, "nurse", {.how = transport::direct_tls}}.ping(); // waits for a listener, if need be
      }
    }
    BOOST_TEST(killed > 0);
    // Those that came before are still looked after.
    BOOST_TEST(stranger.authenticates(people.romeo.who()).name == "success");
    here.shell("kill " + people.juliet.full());
    BOOST_TEST(people.juliet.stream_error() == "internal-server-error");
    people.romeo.receives("<presence from='{}' type='unavailable'/>", people.juliet.full());
    BOOST_TEST(here.stop() == 0);
  }
}

// What the shell kills is one message of the hasher's; those that wait behind it are handled. (A defect in one sign-in
// would cost that one its answer.)
BOOST_AUTO_TEST_CASE(sign_ins_and_registrations_that_wait_for_a_failed_hasher_are_answered) {
  auto here = server{{.settings = {{"sign_in.scram_iterations", "20000"}, {"sign_in.hasher_threads", "1"}}}};
  if (here.is_peer())
    return;
  auto romeo = registers(here, "romeo");
  auto wrong = account{romeo.name, romeo.domain, "not this"};
  auto all = std::vector<std::unique_ptr<client>>{};
  auto killer = std::thread{};
  for (auto i = 0; i < 24; ++i) { // each gives the hasher more to do than its coming takes
    auto& x = *all.emplace_back(std::make_unique<client>(here, transport::direct_tls));
    x.makes_tls();
    x.opens();
    x.features();
    if (i % 3 == 2)
      x.send("<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>{}</username><password>{}</password>"
             "</query></iq>",
             unique("newcomer"), romeo.password);
    else
      x.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}</auth>",
             base64(std::string(1, '\0') + romeo.name + std::string(1, '\0') +
                    (i % 3 == 0 ? romeo.password : wrong.password)));
    if (i == 3)
      killer = std::thread{[&] {
        for (auto n = 0; n < 3; ++n)
          here.shell("kill hasher/0");
      }};
  }
  for (auto i = std::size_t{0}; i < all.size(); ++i)
    if (i % 3 == 2)
      all[i]->receives("<iq type='result' id='r'/>");
    else
      BOOST_TEST(all[i]->next().name == (i % 3 == 0 ? "success" : "failure"));
  killer.join();
  BOOST_TEST(here.log().find("child=\"hasher 0\"") != std::string::npos, here.log());
}

// -- the end of the root ----------------------------------------------------------------------------------------------

namespace {

/// The shell may hear its answer, or that the server is gone.
void kills(const server& here, const std::string& actor) {
  try {
    here.shell("kill " + actor);
  } catch (const failure&) {
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(too_many_failures_below_the_root_end_the_process_and_nothing_that_was_acknowledged) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = registers(here, "romeo");
  auto one = client{here, romeo};
  auto silent = client{here}; // has not said a word
  one.set("<vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard>");
  for (auto i = 0; i < 6; ++i)
    kills(here, "hasher/0");
  BOOST_TEST(one.stream_error() == "system-shutdown");
  BOOST_TEST(here.ends() == 1);
  auto said = here.log();
  BOOST_TEST(said.find("too many failures below server, the last: hasher 0: killed from the shell") != said.npos, said);
  here.start();
  auto again = client{here, romeo};
  BOOST_TEST(again.get("<vCard xmlns='vcard-temp'/>").find("vCard")->text_of("FN") == "Romeo");
}

BOOST_AUTO_TEST_CASE(a_failed_root_ends_the_process_and_nothing_that_was_acknowledged) { // in the middle of traffic
  auto here = server{{.settings = {{"server.shutdown_timeout_s", "1"}}}};
  if (here.is_peer())
    return;
  auto people = couple{here};
  auto asked = std::string{};
  for (auto i = 0; i < 300; ++i)
    asked += format("<iq type='set' id='{}'><vCard xmlns='vcard-temp'><FN>{}</FN></vCard></iq>", i, i);
  people.says(500);
  people.romeo.send_bytes(asked);
  kills(here, "server");
  BOOST_TEST(people.romeo.stream_error() == "system-shutdown");
  BOOST_TEST(people.juliet.stream_error() == "system-shutdown");
  BOOST_TEST(here.ends() == 1);
  auto acknowledged = -1;
  for (auto& x : people.romeo.inbox())
    if (x.name == "iq" && x["type"] == "result" && x.find("query") == nullptr)
      acknowledged = std::max(acknowledged, std::atoi(x["id"].c_str()));
  auto arrived = 0;
  for (auto& x : people.juliet.inbox())
    if (x.name == "message")
      BOOST_TEST(x["id"] == std::to_string(arrived++)); // what was on its way may be lost, but in no other order
  here.start();
  auto again = client{here, people.romeo.who()};
  auto kept = again.get("<vCard xmlns='vcard-temp'/>").find("vCard")->text_of("FN");
  BOOST_TEST((kept.empty() ? -1 : std::atoi(kept.c_str())) >= acknowledged);
}

BOOST_AUTO_TEST_CASE(clients_that_stay_do_not_keep_a_server_from_its_end) {
  auto here = server{{.settings = {{"server.shutdown_timeout_s", "0"}}}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto secured = client{here, "juliet", {.how = transport::direct_tls}};
  auto silent = client{here};
  auto silent_on_tls = client{here, transport::direct_tls};
  auto stranger = client{here};
  stranger.opens();
  BOOST_TEST(here.stop() == 0);
}

// -- orderly ends -----------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_shutdown_says_so_and_lets_clients_close) { // RFC 6120, 4.9.3.20
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto juliet = client{here, "juliet", {.how = transport::direct_tls}};
  auto stranger = client{here};
  stranger.opens();
  stranger.features();
  ::kill(here.pid(), SIGTERM);
  BOOST_TEST(romeo.stream_error() == "system-shutdown");
  BOOST_TEST(juliet.stream_error() == "system-shutdown");
  BOOST_TEST(stranger.stream_error() == "system-shutdown");
  BOOST_TEST(here.stop() == 0);
}

BOOST_AUTO_TEST_CASE(a_shutdown_waits_for_each_client_to_close) { // RFC 6120, 4.4
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto juliet = client{here, "juliet"};
  auto closes = [](client& x) {
    x.send("</stream:stream>");
    x.wire().finish();
  };
  ::kill(here.pid(), SIGTERM);
  BOOST_TEST(romeo.stream_error() == "system-shutdown"); // and all that the server says
  BOOST_TEST(juliet.stream_error() == "system-shutdown");
  BOOST_TEST(here.statistic("connections_open") == 2);
  closes(romeo);
  auto deadline = clock::now() + patience();
  auto open = here.statistic("connections_open"); // which throws when the server has not waited for her
  while (open != 1 && clock::now() < deadline)
    open = here.statistic("connections_open");
  BOOST_TEST(open == 1);
  closes(juliet);
  BOOST_TEST(here.ends() == 0);
}

BOOST_AUTO_TEST_CASE(a_restart_keeps_everything_and_is_quick) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = registers(here, "romeo");
  auto juliet = registers(here, "juliet");
  {
    auto one = client{here, romeo};
    auto other = client{here, juliet};
    befriend(one, other);
    one.set("<vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard>");
    other.leaves();
    other.ends();
    one.send("<message to='{}' type='chat'><body>while you slept</body></message>", juliet.bare());
    one.ping(juliet.bare());
  }
  BOOST_TEST(here.stop() == 0);
  here.start();
  auto one = client{here, romeo};
  BOOST_TEST(one.asks_roster().to_string().find("both") != std::string::npos);
  BOOST_TEST(one.get("<vCard xmlns='vcard-temp'/>").find("vCard")->text_of("FN") == "Romeo");
  auto other = client{here, juliet};
  other.receives("<message from='{}/balcony'><body>while you slept</body><delay xmlns='urn:xmpp:delay'/></message>",
                 romeo.bare());
  one.receives("<presence from='{}' type='-'/>", other.full());
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_streams_and_takes_new_certificates) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo", {.how = transport::direct_tls}};
  auto before = romeo.wire().binding_end_point();
  here.make_certificate("localhost");
  here.reload();
  auto deadline = clock::now() + patience();
  auto changed = false;
  while (!changed && clock::now() < deadline) {
    auto x = client{here, transport::direct_tls};
    x.makes_tls();
    changed = x.wire().binding_end_point() != before;
  }
  BOOST_TEST(changed);
  romeo.ping();
}

BOOST_AUTO_TEST_SUITE_END()
