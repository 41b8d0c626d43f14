// XEP-0191: blocking.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::test;

namespace {

constexpr auto ns = "urn:xmpp:blocking";

element blocks(client& x, const std::string& jid) {
  return x.set(format("<block xmlns='{}'><item jid='{}'/></block>", ns, jid));
}

element unblocks(client& x, const std::string& jid) {
  return x.set(format("<unblock xmlns='{}'><item jid='{}'/></unblock>", ns, jid));
}

std::vector<std::string> list(client& x) {
  auto out = std::vector<std::string>{};
  auto answer = x.get(format("<blocklist xmlns='{}'/>", ns));
  for (auto& item : answer.find("blocklist", ns)->children)
    out.push_back(item["jid"]);
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(blocking)

BOOST_AUTO_TEST_CASE(a_new_list_is_empty) {
  auto romeo = client{"romeo"};
  BOOST_TEST(list(romeo).empty());
}

BOOST_AUTO_TEST_CASE(who_is_blocked_stands_in_the_list_until_unblocked) { // 3.2 to 3.4
  auto romeo = client{"romeo"};
  BOOST_TEST(blocks(romeo, "Tybalt@Capulet.example")["type"] == "result");
  BOOST_TEST((list(romeo) == std::vector<std::string>{"tybalt@capulet.example"}));
  auto later = client{romeo.who(), {.resource = "later"}};
  BOOST_TEST(list(later).size() == 1u);
  BOOST_TEST(unblocks(romeo, "tybalt@capulet.example")["type"] == "result");
  BOOST_TEST(list(romeo).empty());
}

BOOST_AUTO_TEST_CASE(an_empty_unblock_unblocks_all) { // 3.5
  auto romeo = client{"romeo"};
  romeo.set(format(
      "<block xmlns='{}'><item jid='a@example.com'/><item jid='b@example.com'/><item jid='c.example.com'/></block>",
      ns));
  BOOST_TEST(list(romeo).size() == 3u);
  BOOST_TEST(romeo.set(format("<unblock xmlns='{}'/>", ns))["type"] == "result");
  BOOST_TEST(list(romeo).empty());
}

BOOST_AUTO_TEST_CASE(a_request_that_names_nobody_is_a_bad_request) { // 3.3
  auto romeo = client{"romeo"};
  BOOST_TEST(condition(romeo.set(format("<block xmlns='{}'/>", ns))) == "bad-request");
  BOOST_TEST(unless_ours(condition(blocks(romeo, "@")), {"jid-malformed", "bad-request"}) == "");
  BOOST_TEST(list(romeo).empty());
}

BOOST_AUTO_TEST_CASE(resources_that_asked_for_the_list_are_told_of_changes) { // 3.3, 3.4
  auto romeo = client{"romeo"};
  auto asked = client{romeo.who(), {.resource = "asked"}};
  auto never = client{romeo.who(), {.resource = "never"}};
  list(asked);
  blocks(romeo, "tybalt@capulet.example");
  asked.receives("<iq type='set' id='*'><block xmlns='{}'><item jid='tybalt@capulet.example'/></block></iq>", ns);
  unblocks(romeo, "tybalt@capulet.example");
  asked.receives("<iq type='set' id='*'><unblock xmlns='{}'><item jid='tybalt@capulet.example'/></unblock></iq>", ns);
  blocks(romeo, "paris@example.com");
  asked.receives("<iq type='set'><block xmlns='{}'/></iq>", ns);
  romeo.set(format("<unblock xmlns='{}'/>", ns));
  auto all = asked.receives("<iq type='set'><unblock xmlns='{}'/></iq>", ns);
  BOOST_TEST(all.find("unblock")->children.empty());
  settle(romeo, never);
  BOOST_TEST(!never.has("<iq type='set'/>"));
}

BOOST_AUTO_TEST_CASE(what_a_blocked_person_sends_does_not_arrive) { // 3.3
  auto romeo = client{"romeo"};
  auto tybalt = client{"tybalt"};
  blocks(romeo, tybalt.bare());
  for (auto& to : {romeo.bare(), romeo.full()}) {
    for (auto type : {"normal", "chat"}) {
      tybalt.send("<message to='{}' type='{}' id='m'><body>villain</body></message>", to, type);
      tybalt.receives("<message from='{}' type='error' id='m'>{}</message>", to,
                      error_of("cancel", "service-unavailable"));
    }
    BOOST_TEST(condition(tybalt.get("<ping xmlns='urn:xmpp:ping'/>", to)) == "service-unavailable");
    BOOST_TEST(condition(tybalt.get("<vCard xmlns='vcard-temp'/>", to)) == "service-unavailable");
    tybalt.send("<presence to='{}'/>", to);
    tybalt.send("<presence to='{}' type='subscribe'/>", to);
    tybalt.send("<presence to='{}' type='probe'/>", to);
    tybalt.send("<message to='{}' type='error' id='e'>{}</message>", to, error_of("cancel", "gone"));
  }
  settle(tybalt, romeo);
  BOOST_TEST(romeo.inbox().empty());
  BOOST_TEST(!tybalt.has("<presence from='{}'/>", romeo.full()));
  BOOST_TEST(!tybalt.has("<message/>"));
}

BOOST_AUTO_TEST_CASE(to_be_blocked_looks_as_if_nobody_were_there) { // 3.3; digest: accounts cannot be probed
  auto romeo = client{"romeo"};
  auto tybalt = client{"tybalt"};
  auto nobody = unique("nobody") + "@localhost";
  blocks(romeo, tybalt.bare());
  auto says = [&](const std::string& to, const std::string& stanza) {
    auto id = tybalt.fresh_id();
    tybalt.send("<{} to='{}' id='{}'{}", raw_xml{stanza.substr(0, stanza.find(' '))}, to, id,
                raw_xml{stanza.substr(stanza.find(' '))});
    tybalt.ping(to);
    auto out = std::string{};
    for (auto& x : tybalt.inbox())
      if (x["id"] == id)
        out += x.name + x["type"] + (x.find("error") ? x.find("error")->to_string() : "");
    tybalt.forget();
    return out;
  };
  for (auto stanza :
       {"message type='chat'><body>x</body></message>", "message ><body>x</body></message>",
        "message type='groupchat'><body>x</body></message>", "message type='headline'><body>x</body></message>",
        "message type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
        "iq type='set'><vCard xmlns='vcard-temp'/></iq>", "iq type='get'><query xmlns='jabber:iq:private'/></iq>",
        "iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>", "iq type='get'><vCard xmlns='vcard-temp'/></iq>",
        "iq type='get'><query xmlns='jabber:iq:last'/></iq>",
        "iq type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        "iq type='set'><query xmlns='urn:example:q'/></iq>", "presence type='probe'/>", "presence />"}) {
    BOOST_TEST_CONTEXT(stanza)
    BOOST_TEST(says(romeo.bare(), stanza) == says(nobody, stanza));
    BOOST_TEST_CONTEXT("to the resource: " << stanza)
    BOOST_TEST(says(romeo.full(), stanza) == says(nobody + "/balcony", stanza));
  }
}

BOOST_AUTO_TEST_CASE(a_blocked_message_does_not_wait_offline) {
  auto romeo = client{"romeo"};
  auto tybalt = client{"tybalt"};
  blocks(romeo, tybalt.bare());
  romeo.leaves();
  romeo.ends();
  tybalt.send("<message to='{}' id='m'><body>villain</body></message>", romeo.bare());
  tybalt.receives("<message type='error' id='m'/>");
  auto later = client{romeo.who(), {.resource = "later"}};
  later.ping(later.bare());
  BOOST_TEST(!later.has("<message/>"));
}

BOOST_AUTO_TEST_CASE(what_one_sends_to_whom_one_blocked_is_not_acceptable) { // 3.3, example 8
  auto romeo = client{"romeo"};
  auto tybalt = client{"tybalt"};
  blocks(romeo, tybalt.bare());
  for (auto& to : {tybalt.bare(), tybalt.full()}) {
    romeo.send("<message to='{}' id='m'><body>x</body></message>", to);
    romeo.receives(
        "<message from='{}' type='error' id='m'><error type='cancel'>"
        "<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><blocked xmlns='urn:xmpp:blocking:errors'/>"
        "</error></message>",
        to);
    BOOST_TEST(condition(romeo.get("<ping xmlns='urn:xmpp:ping'/>", to)) == "not-acceptable");
  }
  settle(tybalt, tybalt);
  BOOST_TEST(tybalt.inbox().empty());
  unblocks(romeo, tybalt.bare());
  romeo.send("<message to='{}'><body>peace</body></message>", tybalt.bare());
  tybalt.receives("<message><body>peace</body></message>");
}

BOOST_AUTO_TEST_CASE(a_blocked_contact_sees_one_go_and_come_back) { // 3.3, 3.4
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  blocks(romeo, juliet.bare());
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  romeo.send("<presence><status>unseen</status></presence>");
  romeo.receives("<presence from='{}'><status>unseen</status></presence>", romeo.full());
  juliet.send("<presence><status>unseen too</status></presence>");
  juliet.receives("<presence from='{}'><status>unseen too</status></presence>", juliet.full());
  romeo.ping(romeo.bare());
  juliet.ping(juliet.bare());
  BOOST_TEST(!juliet.has("<presence from='{}'/>", romeo.full()));
  BOOST_TEST(!romeo.has("<presence from='{}'><status>unseen too</status></presence>", juliet.full()));
  juliet.leaves();
  auto later = client{juliet.who(), {.resource = "later"}};
  later.ping(later.bare());
  later.ping(romeo.bare());
  later.ping(later.bare());
  BOOST_TEST(!later.has("<presence from='{}'/>", romeo.full())); // a login's probe is not answered
  unblocks(romeo, juliet.bare());
  later.receives("<presence from='{}' type='-'><status>unseen</status></presence>", romeo.full());
}

BOOST_AUTO_TEST_CASE(who_was_told_directly_is_told_when_blocked) { // 3.3
  auto romeo = client{"romeo"};
  auto nurse = client{"nurse"};
  romeo.send("<presence to='{}'/>", nurse.full());
  nurse.receives("<presence from='{}' type='-'/>", romeo.full());
  blocks(romeo, nurse.bare());
  nurse.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  romeo.leaves();
  romeo.ends();
  nurse.ping(nurse.bare());
  BOOST_TEST(!nurse.has("<presence from='{}'/>", romeo.full()));
}

BOOST_AUTO_TEST_CASE(a_block_may_name_a_resource_or_a_domain) { // 6
  auto& here = shared_server();
  auto romeo = client{"romeo"};
  auto tybalt = client{"tybalt"};
  auto second = client{tybalt.who(), {.resource = "second"}};
  blocks(romeo, tybalt.full());
  tybalt.send("<message to='{}' id='m'><body>no</body></message>", romeo.bare());
  tybalt.receives("<message type='error' id='m'/>");
  second.send("<message to='{}'><body>yes</body></message>", romeo.bare());
  romeo.receives("<message from='{}'><body>yes</body></message>", second.full());
  if (here.is_peer())
    return;
  auto paris = client{here, registers(here, "paris", "montague.lit")};
  blocks(romeo, "montague.lit");
  paris.send("<message to='{}' id='m'><body>no</body></message>", romeo.bare());
  paris.receives("<message type='error' id='m'/>");
  second.send("<message to='{}'><body>still</body></message>", romeo.bare());
  romeo.receives("<message><body>still</body></message>");
  BOOST_TEST(list(romeo).size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_blocked_resource_sees_no_presence_while_its_account_does) { // 3.3, 6
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  auto tablet = client{juliet.who(), {.resource = "tablet"}};
  settle(tablet, romeo);
  blocks(romeo, juliet.full());
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  settle(romeo, juliet);
  juliet.forget();
  tablet.forget();
  romeo.send("<presence><status>broadcast</status></presence>");
  tablet.receives("<presence from='{}'><status>broadcast</status></presence>", romeo.full());
  romeo.send("<presence to='{}'><status>directed</status></presence>", juliet.bare());
  tablet.receives("<presence from='{}'><status>directed</status></presence>", romeo.full());
  romeo.send("<presence type='unavailable'/>");
  tablet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  romeo.send("<presence><status>back</status></presence>");
  tablet.receives("<presence from='{}'><status>back</status></presence>", romeo.full());
  settle(romeo, juliet);
  BOOST_TEST(!juliet.has("<presence from='{}'/>", romeo.full()));
  unblocks(romeo, juliet.full());
  juliet.receives("<presence from='{}'><status>back</status></presence>", romeo.full());
  romeo.send("<presence><status>again</status></presence>");
  juliet.receives("<presence from='{}'><status>again</status></presence>", romeo.full());
}

BOOST_AUTO_TEST_CASE(blocking_one_s_own_domain_locks_nobody_out) {
  auto romeo = client{"romeo"};
  auto tybalt = client{"tybalt"};
  blocks(romeo, "localhost");
  tybalt.send("<message to='{}' id='m'><body>no</body></message>", romeo.bare());
  tybalt.receives("<message type='error' id='m'/>");
  BOOST_TEST(list(romeo).size() == 1u); // one's own account still answers
  BOOST_TEST(romeo.asks_roster()["type"] == "result");
  BOOST_TEST(unblocks(romeo, "localhost")["type"] == "result");
  BOOST_TEST(list(romeo).empty());
}

BOOST_AUTO_TEST_CASE(a_block_list_is_its_owner_s_alone) {
  auto romeo = client{"romeo"};
  auto mallory = client{"mallory"};
  blocks(romeo, "tybalt@capulet.example");
  auto read = mallory.get(format("<blocklist xmlns='{}'/>", ns), romeo.bare());
  BOOST_TEST(unless_ours(condition(read), {"service-unavailable", "forbidden"}) == "");
  mallory.set(format("<unblock xmlns='{}'/>", ns), romeo.bare());
  BOOST_TEST(list(romeo).size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_waited_of_someone_who_was_blocked_since_does_not_come) { // 3.3
  auto juliet = registers("juliet");
  auto romeo = client{"romeo"}, tybalt = client{"tybalt"};
  tybalt.send("<message to='{}' type='chat'><body>thou art a villain</body></message>", juliet.bare());
  tybalt.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  romeo.send("<message to='{}' type='chat'><body>O speak again</body></message>", juliet.bare());
  settle(tybalt, romeo);
  for (auto x : {&tybalt, &romeo})
    x->ping(juliet.bare());
  auto x = client{juliet, {.state = upto::roster}};
  BOOST_TEST(blocks(x, tybalt.bare())["type"] == "result");
  x.is_available();
  BOOST_TEST(x.receives("<message/>").text_of("body") == "O speak again");
  settle(x, romeo);
  BOOST_TEST(!x.has("<message from='{}'/>", tybalt.full()));
  BOOST_TEST(!x.has("<presence type='subscribe'/>"));
  BOOST_TEST(unblocks(x, tybalt.bare())["type"] == "result");
  auto later = client{juliet, {.resource = "later"}};
  later.receives("<presence type='subscribe' from='{}'/>", tybalt.bare()); // still to be answered
}

BOOST_AUTO_TEST_CASE(blocks_sent_in_one_go_all_count) {
  auto romeo = client{"romeo"}, juliet = client{"juliet"}, mercutio = client{"mercutio"};
  auto change = [](const std::string& what, const client& whom) {
    return format("<iq type='set' id='{}'><{} xmlns='urn:xmpp:blocking'><item jid='{}'/></{}></iq>", what + whom.bare(),
                  what, whom.bare(), what);
  };
  romeo.send_bytes(change("block", juliet) + change("block", mercutio) + change("unblock", juliet));
  romeo.receives("<iq id='unblock{}' type='result'/>", juliet.bare());
  romeo.send_bytes(change("block", juliet));
  romeo.ping();
  for (auto* x : {&juliet, &mercutio}) {
    x->send("<message to='{}' type='chat'><body>hello</body></message>", romeo.bare());
    x->receives("<message type='error'/>");
  }
  BOOST_TEST(!romeo.has("<message/>"));
}

BOOST_AUTO_TEST_SUITE_END()
