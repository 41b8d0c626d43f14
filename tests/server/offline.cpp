// XEP-0160 and XEP-0203: messages for who is not there.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

#include <regex>

using namespace xmpp::test;

namespace {

/// Sends a message and waits until the server has taken it, or refused it: the condition, or nothing.
std::string leaves_message(client& romeo, const std::string& to, const std::string& attributes,
                           const std::string& content) {
  auto id = romeo.fresh_id();
  romeo.send("<message to='{}' id='{}' {}>{}</message>", to, id, raw_xml{attributes}, raw_xml{content});
  romeo.ping(to.substr(0, to.find('/')));
  romeo.ping(to.substr(0, to.find('/')));
  for (auto& x : romeo.inbox())
    if (x["id"] == id) {
      auto got = condition(x);
      romeo.forget();
      return got;
    }
  return {};
}

/// Comes online and takes what has waited.
std::vector<element> messages_waiting_for(const account& who) {
  auto juliet = client{who, {.resource = "later"}};
  juliet.send("<message to='{}' type='chat' id='last'/>", juliet.full()); // comes behind those
  auto out = std::vector<element>{};
  for (auto x = juliet.receives("<message/>"); x["id"] != "last"; x = juliet.receives("<message/>"))
    out.push_back(x);
  juliet.leaves();
  juliet.ends();
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(offline)

BOOST_AUTO_TEST_CASE(messages_wait_in_order_with_the_time_they_came) {
  auto juliet = registers("juliet");
  auto romeo = client{"romeo"};
  for (auto i = 0; i < 50; ++i)
    BOOST_TEST(leaves_message(romeo, juliet.bare(), i % 2 ? "type='chat'" : "", format("<body>{}</body>", i)) == "");
  auto waiting = messages_waiting_for(juliet);
  BOOST_REQUIRE(waiting.size() == 50u);
  for (auto i = 0u; i < 50; ++i) {
    BOOST_TEST(waiting[i].text_of("body") == std::to_string(i));
    BOOST_TEST(waiting[i]["from"] == romeo.full());
    auto delays = waiting[i].all("delay", "urn:xmpp:delay");
    BOOST_REQUIRE(delays.size() == 1u);
    BOOST_TEST((*delays[0])["from"] == "localhost");
    BOOST_TEST(std::regex_match((*delays[0])["stamp"], std::regex{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)"}));
  }
  BOOST_TEST(messages_waiting_for(juliet).empty()); // once
}

BOOST_AUTO_TEST_CASE(only_what_is_worth_keeping_is_kept) { // XEP-0160, 3; XEP-0334, 4
  auto juliet = registers("juliet");
  auto romeo = client{"romeo"};
  auto body = std::string{"<body>x</body>"};
  leaves_message(romeo, juliet.bare(), "type='headline'", body);
  BOOST_TEST(leaves_message(romeo, juliet.bare(), "type='groupchat'", body) == "service-unavailable");
  BOOST_TEST(leaves_message(romeo, juliet.bare(), "type='error'", body + error_of("cancel", "gone").xml) == "");
  leaves_message(romeo, juliet.bare(), "type='chat'", "<composing xmlns='http://jabber.org/protocol/chatstates'/>");
  leaves_message(romeo, juliet.bare(), "type='chat'", body + "<no-store xmlns='urn:xmpp:hints'/>");
  leaves_message(romeo, juliet.bare(), "type='chat'",
                 "<body>kept</body><active xmlns='http://jabber.org/protocol/chatstates'/>");
  leaves_message(romeo, juliet.bare(), "type='chat'", "<x xmlns='urn:example:x'/><store xmlns='urn:xmpp:hints'/>");
  auto waiting = messages_waiting_for(juliet);
  BOOST_REQUIRE(waiting.size() == 2u);
  BOOST_TEST(waiting[0].text_of("body") == "kept");
  BOOST_TEST(waiting[1].find("x", "urn:example:x"));
}

BOOST_AUTO_TEST_CASE(a_subject_alone_is_kept_too) {
  if (shared_server().is_peer())
    return;
  auto juliet = registers("juliet");
  auto romeo = client{"romeo"};
  BOOST_TEST(leaves_message(romeo, juliet.bare(), "", "<subject>the orchard</subject>") == "");
  BOOST_TEST(leaves_message(romeo, juliet.bare(), "", "<subject>x</subject><no-store xmlns='urn:xmpp:hints'/>") ==
             "service-unavailable");
  auto waiting = messages_waiting_for(juliet);
  BOOST_REQUIRE(waiting.size() == 1u);
  BOOST_TEST(waiting[0].text_of("subject") == "the orchard");
}

BOOST_AUTO_TEST_CASE(what_waits_keeps_all_that_it_carries) {
  auto juliet = registers("juliet");
  auto romeo = client{"romeo"};
  auto content = std::string{
      "<subject>s</subject><body xml:lang='de'>&lt;ü😀&gt;</body><x xmlns='urn:example:x' a='&amp;'><y/>z</x>"};
  leaves_message(romeo, juliet.bare(), "type='chat' xml:lang='it'", content);
  auto waiting = messages_waiting_for(juliet);
  BOOST_REQUIRE(waiting.size() == 1u);
  BOOST_TEST(matches(waiting[0], parse_element("<message type='chat' xml:lang='it'>" + content + "</message>")));
}

BOOST_AUTO_TEST_CASE(a_negative_priority_does_not_call_for_them) { // RFC 6121, 8.5.2.1.1; XEP-0160, 3
  auto who = registers("juliet");
  auto romeo = client{"romeo"};
  leaves_message(romeo, who.bare(), "", "<body>x</body>");
  auto juliet = client{who, {.priority = -1}};
  juliet.ping(juliet.bare());
  BOOST_TEST(!juliet.has("<message/>"));
  juliet.send("<presence/>");
  juliet.receives("<message><body>x</body></message>");
}

BOOST_AUTO_TEST_CASE(they_come_to_the_first_who_can_take_them) {
  auto who = registers("juliet");
  auto romeo = client{"romeo"};
  leaves_message(romeo, who.bare(), "", "<body>x</body>");
  auto first = client{who, {.resource = "first"}};
  first.receives("<message><body>x</body></message>");
  auto second = client{who, {.resource = "second"}};
  settle(first, second);
  BOOST_TEST(!second.has("<message/>"));
}

BOOST_AUTO_TEST_CASE(who_has_just_left_misses_nothing) {
  auto romeo = client{"romeo"};
  auto who = registers("juliet");
  auto sent = 0;
  for (auto i = 0; i < 10; ++i) {
    auto juliet = client{who};
    auto all = std::string{};
    for (auto n = 0; n < 20; ++n)
      all += format("<message to='{}' type='chat'><body>{}</body></message>", who.bare(), sent++);
    romeo.send_bytes(all);
    juliet.leaves(); // in the middle of it
    romeo.ping(who.bare());
    auto seen = std::vector<int>{};
    for (auto& x : juliet.inbox())
      if (x.name == "message")
        seen.push_back(std::stoi(x.text_of("body")));
    for (auto& x : messages_waiting_for(who))
      seen.push_back(std::stoi(x.text_of("body")));
    BOOST_TEST(seen.size() == 20u);
    for (auto n = std::size_t{0}; n < seen.size(); ++n)
      BOOST_TEST(seen[n] == sent - 20 + static_cast<int>(n));
  }
}

BOOST_AUTO_TEST_CASE(the_server_says_that_it_keeps_messages) { // XEP-0160, 4
  auto romeo = client{"romeo"};
  auto info = romeo.get("<query xmlns='http://jabber.org/protocol/disco#info'/>", "localhost");
  BOOST_TEST(matches(info, parse_element("<iq><query xmlns='http://jabber.org/protocol/disco#info'>"
                                         "<feature var='msgoffline'/></query></iq>")));
}

BOOST_AUTO_TEST_CASE(a_forged_delay_of_the_server_is_removed) { // XEP-0203, 5; threats: server-asserted elements
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto forged = std::string{"<delay xmlns='urn:xmpp:delay' from='localhost' stamp='2002-09-10T23:08:25Z'/>"};
  romeo.send("<message to='{}'><body>x</body>{}{}</message>", juliet.full(), raw_xml{forged}, raw_xml{forged});
  auto got = juliet.receives("<message><body>x</body></message>");
  BOOST_TEST(!got.find("delay"));
  auto who = registers("nurse");
  auto prefixed = std::string{"<d:delay xmlns:d='urn:xmpp:delay' from='LOCALHOST' stamp='2002-09-10T23:08:25Z'/>"};
  leaves_message(romeo, who.bare(), "", prefixed + forged + "<body>x</body>" + prefixed + forged);
  auto waiting = messages_waiting_for(who);
  BOOST_REQUIRE(waiting.size() == 1u);
  BOOST_REQUIRE(waiting[0].all("delay").size() == 1u);
  BOOST_TEST((*waiting[0].find("delay"))["stamp"] != "2002-09-10T23:08:25Z");
}

BOOST_AUTO_TEST_SUITE_END()
