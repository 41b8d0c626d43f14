// RFC 6121, 2: rosters.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::test;

namespace {

constexpr auto roster_ns = "jabber:iq:roster";

element sets_item(client& x, const std::string& item) {
  return x.set(format("<query xmlns='{}'>{}</query>", roster_ns, raw_xml{item}));
}

/// The roster push that shows `item`.
element is_pushed(client& x, const std::string& item) {
  return x.receives("<iq type='set' id='*'><query xmlns='{}'>{}</query></iq>", roster_ns, raw_xml{item});
}

std::vector<element> items(client& x) {
  auto answer = x.asks_roster();
  return answer.find("query", roster_ns)->children;
}

} // namespace

BOOST_AUTO_TEST_SUITE(roster)

BOOST_AUTO_TEST_CASE(a_new_roster_is_empty) {
  auto romeo = client{"romeo", {.state = upto::bound}};
  auto answer = romeo.asks_roster();
  BOOST_TEST(answer["type"] == "result");
  BOOST_REQUIRE(answer.find("query", roster_ns));
  BOOST_TEST(answer.find("query")->children.empty());
}

BOOST_AUTO_TEST_CASE(an_item_is_kept_with_its_name_and_groups) { // 2.3
  auto romeo = client{"romeo"};
  BOOST_TEST(sets_item(romeo,
                       "<item jid='nurse@example.com' name='The Nurse'><group>Servants</group><group>Friends</group>"
                       "</item>")["type"] == "result");
  auto found = items(romeo);
  BOOST_REQUIRE(found.size() == 1u);
  BOOST_TEST(matches(
      found[0], parse_element("<item xmlns='jabber:iq:roster' jid='nurse@example.com' name='The Nurse' "
                              "subscription='none' ask='-'><group>Servants</group><group>Friends</group></item>")));
  BOOST_TEST(found[0].children.size() == 2u);
  auto later = client{romeo.who(), {.state = upto::bound, .resource = "later"}};
  BOOST_TEST(items(later).size() == 1u);
}

BOOST_AUTO_TEST_CASE(each_interested_resource_is_told_of_a_change) { // 2.1.6, 2.3.2
  auto romeo = client{"romeo"};
  auto interested = client{romeo.who(), {.state = upto::roster, .resource = "interested"}};
  auto indifferent = client{romeo.who(), {.state = upto::bound, .resource = "indifferent"}};
  sets_item(romeo, "<item jid='nurse@example.com'/>");
  auto push = is_pushed(romeo, "<item jid='nurse@example.com' subscription='none'/>");
  BOOST_TEST((push["from"] == "" || push["from"] == romeo.bare()));
  BOOST_TEST((push["to"] == "" || push["to"] == romeo.full()));
  BOOST_TEST(push.find("query")->children.size() == 1u);
  is_pushed(interested, "<item jid='nurse@example.com'/>");
  settle(romeo, indifferent);
  BOOST_TEST(!indifferent.has("<iq type='set'/>"));
}

BOOST_AUTO_TEST_CASE(every_push_has_an_id_of_its_own) {
  auto romeo = client{"romeo"};
  sets_item(romeo, "<item jid='a@example.com'/>");
  sets_item(romeo, "<item jid='b@example.com'/>");
  auto first = is_pushed(romeo, "<item jid='a@example.com'/>")["id"];
  BOOST_TEST(is_pushed(romeo, "<item jid='b@example.com'/>")["id"] != first);
}

BOOST_AUTO_TEST_CASE(answers_to_pushes_are_taken_in_silence) {
  auto romeo = client{"romeo"};
  sets_item(romeo, "<item jid='nurse@example.com'/>");
  auto push = is_pushed(romeo, "<item jid='nurse@example.com'/>");
  romeo.send("<iq type='result' id='{}'/>", push["id"]);
  romeo.send("<iq type='error' id='{}'>{}</iq>", push["id"], error_of("cancel", "service-unavailable"));
  romeo.ping(romeo.bare());
  BOOST_TEST(romeo.inbox().empty());
}

BOOST_AUTO_TEST_CASE(setting_an_item_again_replaces_name_and_groups) { // 2.4
  auto romeo = client{"romeo"};
  sets_item(romeo, "<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>");
  sets_item(romeo, "<item jid='Nurse@EXAMPLE.com'><group>Friends</group></item>"); // the same address, prepared
  auto found = items(romeo);
  BOOST_REQUIRE(found.size() == 1u);
  BOOST_TEST(found[0]["name"] == "");
  BOOST_REQUIRE(found[0].children.size() == 1u);
  BOOST_TEST(found[0].children[0].text == "Friends");
}

BOOST_AUTO_TEST_CASE(a_removed_item_is_gone) { // 2.5
  auto romeo = client{"romeo"};
  sets_item(romeo, "<item jid='nurse@example.com'/>");
  BOOST_TEST(sets_item(romeo, "<item jid='nurse@example.com' subscription='remove'/>")["type"] == "result");
  is_pushed(romeo, "<item jid='nurse@example.com' subscription='remove'/>");
  BOOST_TEST(items(romeo).empty());
}

BOOST_AUTO_TEST_CASE(removing_what_is_not_there_is_item_not_found) { // 2.5.3
  auto romeo = client{"romeo"};
  BOOST_TEST(condition(sets_item(romeo, "<item jid='nurse@example.com' subscription='remove'/>")) == "item-not-found");
  BOOST_TEST(!romeo.has("<iq type='set'/>"));
}

BOOST_AUTO_TEST_CASE(a_set_has_one_item) { // 2.1.5, 2.3.3
  auto romeo = client{"romeo"};
  BOOST_TEST(condition(sets_item(romeo, "<item jid='a@example.com'/><item jid='b@example.com'/>")) == "bad-request");
  BOOST_TEST(condition(sets_item(romeo, "")) == "bad-request");
  BOOST_TEST(condition(sets_item(romeo, "<item name='nobody'/>")) == "bad-request");
  BOOST_TEST(items(romeo).empty());
}

BOOST_AUTO_TEST_CASE(groups_that_are_empty_or_doubled_are_refused) { // 2.3.3
  auto romeo = client{"romeo"};
  BOOST_TEST(condition(sets_item(romeo, "<item jid='a@example.com'><group/></item>")) == "not-acceptable");
  BOOST_TEST(condition(sets_item(romeo, "<item jid='a@example.com'><group>x</group><group>x</group></item>")) ==
             "bad-request");
  BOOST_TEST(items(romeo).empty());
}

BOOST_AUTO_TEST_CASE(a_name_or_group_that_is_too_long_is_not_acceptable) { // 2.3.3
  auto romeo = client{"romeo"};
  auto huge = std::string(100'000, 'n');
  BOOST_TEST(condition(sets_item(romeo, format("<item jid='a@example.com' name='{}'/>", huge))) == "not-acceptable");
  BOOST_TEST(condition(sets_item(romeo, format("<item jid='a@example.com'><group>{}</group></item>", huge))) ==
             "not-acceptable");
  BOOST_TEST(items(romeo).empty());
}

BOOST_AUTO_TEST_CASE(a_malformed_address_is_refused) {
  auto romeo = client{"romeo"};
  for (auto jid : {"@", "a@", "a@b@c", "a b@c"}) {
    BOOST_TEST_CONTEXT(jid)
    BOOST_TEST(unless_ours(condition(sets_item(romeo, format("<item jid='{}'/>", std::string{jid}))),
                           {"jid-malformed", "bad-request"}) == "");
  }
}

BOOST_AUTO_TEST_CASE(a_client_cannot_write_the_server_s_part_of_an_item) { // 2.1.2
  auto romeo = client{"romeo"};
  sets_item(romeo, "<item jid='nurse@example.com' subscription='both' ask='subscribe' approved='true'/>");
  auto found = items(romeo);
  BOOST_REQUIRE(found.size() == 1u);
  BOOST_TEST(found[0]["subscription"] == "none");
  BOOST_TEST(!found[0].has("ask"));
  BOOST_TEST(!found[0].has("approved"));
  auto juliet = client{"juliet"};
  sets_item(romeo, format("<item jid='{}' subscription='both'/>", juliet.bare()));
  juliet.send("<presence><status>secret</status></presence>");
  settle(juliet, romeo);
  BOOST_TEST(!romeo.has("<presence from='{}'/>", juliet.full()));
}

BOOST_AUTO_TEST_CASE(a_set_without_a_change_keeps_the_subscription) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  sets_item(romeo, format("<item jid='{}' name='Juliet'/>", juliet.bare()));
  is_pushed(romeo, format("<item jid='{}' name='Juliet' subscription='both'/>", juliet.bare()));
}

BOOST_AUTO_TEST_CASE(a_roster_is_its_owner_s_alone) { // 2.1.5, 2.2, 2.3.3
  auto romeo = client{"romeo"};
  auto mallory = client{"mallory"};
  sets_item(romeo, "<item jid='nurse@example.com'/>");
  is_pushed(romeo, "<item jid='nurse@example.com'/>");
  for (auto& to : {romeo.bare(), unique("nobody") + "@localhost"}) { // Nor is anybody told who has one.
    auto read = mallory.get("<query xmlns='jabber:iq:roster'/>", to);
    BOOST_TEST(unless_ours(condition(read), {"forbidden", "service-unavailable"}) == "");
    BOOST_TEST(read.to_string().find("nurse") == std::string::npos);
    auto write = mallory.set("<query xmlns='jabber:iq:roster'><item jid='mallory@example.com'/></query>", to);
    BOOST_TEST(unless_ours(condition(write), {"forbidden", "service-unavailable"}) == "");
  }
  BOOST_TEST(condition(mallory.get("<query xmlns='jabber:iq:roster'/>", "localhost")) == "service-unavailable");
  BOOST_TEST(items(romeo).size() == 1u);
  BOOST_TEST(!romeo.has("<iq type='set'/>"));
}

BOOST_AUTO_TEST_CASE(a_push_from_another_never_looks_like_one_s_own) { // 2.1.6; CVE-2015-8688 in clients
  auto romeo = client{"romeo"};
  auto mallory = client{"mallory"};
  mallory.send(
      "<iq type='set' id='forged' to='{}'><query xmlns='jabber:iq:roster'><item jid='mallory@example.com'/></query>"
      "</iq>",
      romeo.full());
  settle(mallory, romeo);
  BOOST_TEST(!romeo.has("<iq type='set' from='-'/>"));
  BOOST_TEST(!romeo.has("<iq type='set' from='{}'/>", romeo.bare()));
}

BOOST_AUTO_TEST_CASE(a_roster_asked_of_one_s_bare_address_is_the_same) {
  auto romeo = client{"romeo"};
  sets_item(romeo, "<item jid='nurse@example.com'/>");
  auto answer = romeo.get("<query xmlns='jabber:iq:roster'/>", romeo.bare());
  BOOST_TEST(answer.find("query")->children.size() == 1u);
}

// -- versions (2.6) ---------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_unchanged_roster_is_not_sent_again) { // 2.6.3
  auto romeo = client{"romeo"};
  sets_item(romeo, "<item jid='nurse@example.com'/>");
  auto full = romeo.get("<query xmlns='jabber:iq:roster' ver=''/>");
  BOOST_REQUIRE(full.find("query"));
  auto version = (*full.find("query"))["ver"];
  BOOST_TEST(version != "");
  BOOST_TEST(full.find("query")->children.size() == 1u);
  auto later = client{romeo.who(), {.state = upto::bound, .resource = "later"}};
  auto same = later.get(format("<query xmlns='jabber:iq:roster' ver='{}'/>", version));
  BOOST_TEST(same["type"] == "result");
  BOOST_TEST(!same.find("query"));
}

BOOST_AUTO_TEST_CASE(every_push_carries_the_new_version) {
  auto romeo = client{"romeo", {.state = upto::bound}};
  auto before = (*romeo.get("<query xmlns='jabber:iq:roster' ver=''/>").find("query"))["ver"];
  sets_item(romeo, "<item jid='nurse@example.com'/>");
  auto pushed = (*is_pushed(romeo, "<item jid='nurse@example.com'/>").find("query"))["ver"];
  BOOST_TEST(pushed != "");
  BOOST_TEST(pushed != before);
  auto later = client{romeo.who(), {.state = upto::bound, .resource = "later"}};
  BOOST_TEST(!later.get(format("<query xmlns='jabber:iq:roster' ver='{}'/>", pushed)).find("query"));
}

BOOST_AUTO_TEST_CASE(an_old_version_gets_what_has_changed_since) {
  auto romeo = client{"romeo", {.state = upto::bound}};
  sets_item(romeo, "<item jid='old@example.com'/>");
  auto version = (*romeo.get("<query xmlns='jabber:iq:roster' ver=''/>").find("query"))["ver"];
  sets_item(romeo, "<item jid='new@example.com'/>");
  auto later = client{romeo.who(), {.state = upto::bound, .resource = "later"}};
  auto answer = later.get(format("<query xmlns='jabber:iq:roster' ver='{}'/>", version));
  if (auto query = answer.find("query")) // the whole roster …
    BOOST_TEST(query->children.size() == 2u);
  else // … or pushes
    is_pushed(later, "<item jid='new@example.com'/>");
}

BOOST_AUTO_TEST_CASE(an_unknown_version_gets_the_whole_roster) {
  auto romeo = client{"romeo"};
  sets_item(romeo, "<item jid='nurse@example.com'/>");
  for (auto version : {"never-heard-of-it", "99999999999999999999", "-1", "0"}) {
    auto answer = romeo.get(format("<query xmlns='jabber:iq:roster' ver='{}'/>", std::string{version}));
    BOOST_REQUIRE(answer.find("query"));
    BOOST_TEST(answer.find("query")->children.size() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(what_is_sent_behind_a_removal_comes_behind_it) { // RFC 6120, 10.1
  auto romeo = client{"romeo"}, juliet = client{"juliet"};
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  juliet.receives("<presence type='subscribe'/>");
  juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
  romeo.receives("<presence type='subscribed'/>");
  romeo.forget();
  romeo.send_bytes(
      format("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
             "<item jid='{}' subscription='remove'/></query></iq>"
             "<iq type='set' id='2'><query xmlns='jabber:iq:roster'><item jid='{}' name='again'/></query></iq>"
             "<presence to='{}' type='subscribe'/>",
             juliet.bare(), juliet.bare(), juliet.bare()));
  juliet.receives("<presence type='unsubscribe'/>");
  juliet.receives("<presence type='subscribe'/>");
  BOOST_TEST(romeo.receives("<iq type='result'/>")["id"] == "1");
  BOOST_TEST(romeo.receives("<iq type='result'/>")["id"] == "2");
  auto roster = romeo.asks_roster().to_string();
  BOOST_TEST(roster.find("name='again'") != std::string::npos, roster);
  BOOST_TEST(roster.find("ask='subscribe'") != std::string::npos, roster);
}

BOOST_AUTO_TEST_CASE(what_is_sent_behind_a_removal_is_done_though_the_stream_ends) {
  auto romeo = client{"romeo"}, juliet = client{"juliet"};
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  juliet.receives("<presence type='subscribe'/>");
  juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
  romeo.receives("<presence type='subscribed'/>");
  romeo.send_bytes(format("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
                          "<item jid='{}' subscription='remove'/></query></iq>"
                          "<iq type='set' id='2'><query xmlns='jabber:iq:roster'><item jid='a@b.c'/></query></iq>"
                          "</stream:stream>",
                          juliet.bare()));
  juliet.receives("<presence type='unsubscribe'/>");
  auto again = client{shared_server(), romeo.who(), {.resource = "again"}};
  BOOST_TEST(again.asks_roster().to_string().find("a@b.c") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_removal_does_not_overtake_the_subscription_before_it) {
  auto romeo = client{"romeo"}, juliet = client{"juliet"};
  juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare()); // in advance
  juliet.receives("<iq type='set'/>");
  romeo.send_bytes(format("<presence type='subscribe' to='{}'/><iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
                          "<item jid='{}' subscription='remove'/></query></iq>",
                          juliet.bare(), juliet.bare()));
  BOOST_TEST(romeo.receives("<iq id='1'/>")["type"] == "result");
  BOOST_TEST(juliet.asks_roster().to_string().find("subscription='from'") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_is_removed_hears_of_presence_before_its_end) {
  auto romeo = client{"romeo"}, juliet = client{"juliet"};
  juliet.send("<presence to='{}' type='subscribe'/>", romeo.bare());
  romeo.receives("<presence type='subscribe'/>");
  romeo.send_bytes(format("<presence type='subscribed' to='{}'/><iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
                          "<item jid='{}' subscription='remove'/></query></iq>",
                          juliet.bare(), juliet.bare()));
  BOOST_TEST(romeo.receives("<iq id='1'/>")["type"] == "result");
  juliet.receives(format("<presence from='{}'/>", romeo.full()));
  juliet.receives(format("<presence from='{}' type='unavailable'/>", romeo.full()));
  juliet.receives(format("<presence from='{}' type='unsubscribed'/>", romeo.bare()));
}

BOOST_AUTO_TEST_SUITE_END()
