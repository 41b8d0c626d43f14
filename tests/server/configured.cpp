// What options change: each case is a server of its own, set up otherwise than usual.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

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

BOOST_AUTO_TEST_SUITE_END()
