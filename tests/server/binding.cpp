// RFC 6120, 7: resources.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::test;

BOOST_AUTO_TEST_SUITE(binding)

BOOST_AUTO_TEST_CASE(the_server_makes_a_resource_that_nobody_guesses) { // 7.6
  auto romeo = client{"romeo", {.resource = ""}};
  auto other = client{romeo.who(), {.resource = ""}};
  BOOST_TEST(romeo.full().rfind(romeo.bare() + "/", 0) == 0u);
  BOOST_TEST(romeo.resource().size() >= 8u);
  BOOST_TEST(romeo.resource() != other.resource());
  romeo.send("<message to='{}'><body>to myself</body></message>", other.full());
  other.receives("<message from='{}'/>", romeo.full());
}

BOOST_AUTO_TEST_CASE(an_empty_resource_means_that_the_server_makes_one) {
  auto romeo = client{"romeo", {.state = upto::signed_in}};
  auto answer = romeo.set("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource/></bind>");
  BOOST_REQUIRE(answer.find("bind"));
  BOOST_TEST(answer.find("bind")->text_of("jid").size() > romeo.bare().size() + 1);
}

BOOST_AUTO_TEST_CASE(a_client_may_name_its_resource) { // 7.7
  for (auto resource : {"balcony", "two words", "a/b@c", "\u0411\u0430\u043b\u043a\u043e\u043d", "\u2615", "<&'\">"}) {
    auto romeo = client{"romeo", {.resource = resource}};
    BOOST_TEST(romeo.full() == romeo.bare() + "/" + resource);
    romeo.send("<message to='{}'><body>hi</body></message>", romeo.full());
    romeo.receives("<message from='{}'/>", romeo.full());
  }
}

BOOST_AUTO_TEST_CASE(a_resource_that_can_be_no_address_is_a_bad_request) { // 7.7.2.1
  for (auto& resource : {std::string(1'024, 'r'), std::string{"a\tb"}, std::string{"\u0378"}}) {
    auto romeo = client{"romeo", {.state = upto::signed_in}};
    BOOST_TEST(unless_ours(condition(romeo.binds(resource)), {"bad-request", "jid-malformed"}) == "");
    BOOST_TEST(romeo.binds("good")["type"] == "result"); // the stream lives on
  }
}

BOOST_AUTO_TEST_CASE(a_resource_may_have_1023_bytes) {
  auto romeo = client{"romeo", {.resource = std::string(1'023, 'r')}};
  romeo.ping();
}

BOOST_AUTO_TEST_CASE(a_stream_binds_once) { // 7.1
  auto romeo = client{"romeo"};
  auto answer = romeo.set("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>second</resource></bind>");
  BOOST_TEST(unless_ours(condition(answer), {"service-unavailable", "not-allowed", "bad-request"}) == "");
  romeo.ping();
  auto juliet = client{"juliet"};
  juliet.send("<message to='{}/second' type='groupchat' id='m'/>", romeo.bare());
  juliet.receives("<message type='error' id='m'/>");
}

BOOST_AUTO_TEST_CASE(a_second_bind_of_a_resource_replaces_the_first) { // 7.7.2.2
  auto first = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(first, juliet);
  auto second = client{first.who()};
  BOOST_TEST(first.stream_error() == "conflict");
  BOOST_TEST(second.full() == first.full());
  juliet.send("<message to='{}'><body>which?</body></message>", second.full());
  second.receives("<message><body>which?</body></message>");
  second.ping();
}

BOOST_AUTO_TEST_CASE(many_resources_live_side_by_side) {
  auto romeo = client{"romeo"};
  auto second = client{romeo.who(), {.resource = "second"}};
  auto third = client{romeo.who(), {.resource = "third"}};
  romeo.ping();
  second.ping();
  third.ping();
}

BOOST_AUTO_TEST_CASE(an_account_has_so_many_resources_and_no_more) { // 7.6.2.1
  auto who = registers("romeo");
  auto sessions = std::vector<std::unique_ptr<client>>{};
  for (auto i = 0; i < 16; ++i)
    sessions.push_back(std::make_unique<client>(who, client_options{.resource = std::to_string(i)}));
  auto last = client{who, {.state = upto::signed_in}};
  BOOST_TEST(condition(last.binds("one too many")) == "resource-constraint");
  sessions.back()->leaves();
  sessions.back()->ends();
  sessions.pop_back();
  sessions.front()->ping(who.bare());
  BOOST_TEST(last.binds("now there is room")["type"] == "result");
}

BOOST_AUTO_TEST_CASE(the_old_session_request_is_answered) { // RFC 3921, 3
  auto romeo = client{"romeo", {.state = upto::bound}};
  auto session = std::string{"<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"};
  for (auto& to : {std::string{}, std::string{"localhost"}, romeo.bare()})
    BOOST_TEST(romeo.set(session, to)["type"] == "result", to);
}

BOOST_AUTO_TEST_CASE(the_old_session_request_is_answered_in_nobody_else_s_name) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto session = std::string{"<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"};
  BOOST_TEST(condition(romeo.set(session, juliet.bare())) == "service-unavailable");
  BOOST_TEST(condition(romeo.set(session, "juliet@capulet.invalid")) == "remote-server-not-found");
  romeo.send("<iq type='set' id='s' to='{}'>{}</iq>", juliet.full(), raw_xml{session});
  juliet.receives("<iq type='set' id='s' from='{}'>{}</iq>", romeo.full(), raw_xml{session});
  juliet.send("<iq type='result' id='s' to='{}'/>", romeo.full());
  romeo.receives_next("<iq type='result' id='s' from='{}'/>", juliet.full());
}

BOOST_AUTO_TEST_CASE(nobody_binds_in_the_name_of_another) { // 8.1.2.1
  auto romeo = client{"romeo", {.state = upto::signed_in}};
  romeo.send("<iq type='set' id='b' from='other@localhost/r'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
  BOOST_TEST(romeo.stream_error() == "invalid-from");
}

BOOST_AUTO_TEST_SUITE_END()
