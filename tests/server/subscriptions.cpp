// RFC 6121, 3: subscriptions between two accounts. Every cell of the tables is tested in tests/protocol; here stands
// what both sides see of each flow.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::test;

namespace {

void pushes(client& x, const std::string& jid, const std::string& more) {
  x.receives("<iq type='set'><query xmlns='jabber:iq:roster'><item jid='{}' {}/></query></iq>", jid, raw_xml{more});
}

/// The item of `jid` in the roster of `x`; no name when there is none.
element item(client& x, const std::string& jid) {
  auto answer = x.asks_roster();
  for (auto& one : answer.find("query")->children)
    if (one["jid"] == jid)
      return one;
  return {};
}

/// `one` sees the presence of `other`, and not the other way round.
void subscribes(client& one, client& other) {
  one.send("<presence to='{}' type='subscribe'/>", other.bare());
  other.receives("<presence from='{}' type='subscribe'/>", one.bare());
  other.send("<presence to='{}' type='subscribed'/>", one.bare());
  one.receives("<presence from='{}' type='subscribed'/>", other.bare());
  one.receives("<presence from='{}' type='-'/>", other.full());
  settle(one, other);
  settle(other, one);
  one.forget();
  other.forget();
}

} // namespace

BOOST_AUTO_TEST_SUITE(subscriptions)

BOOST_AUTO_TEST_CASE(a_request_is_asked_and_granted) { // 3.1
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.send("<presence to='{}' type='subscribe' id='r1'/>", juliet.bare());
  pushes(romeo, juliet.bare(), "subscription='none' ask='subscribe'");
  auto request = juliet.receives("<presence type='subscribe'/>");
  BOOST_TEST(request["from"] == romeo.bare()); // bare, not full (3.1.2)
  BOOST_TEST(request["to"] == juliet.bare());
  BOOST_TEST(item(juliet, romeo.bare()).name == ""); // a request alone makes no contact (3.1.3)
  juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
  pushes(juliet, romeo.bare(), "subscription='from' ask='-'");
  pushes(romeo, juliet.bare(), "subscription='to' ask='-'");
  BOOST_TEST(romeo.receives("<presence type='subscribed'/>")["from"] == juliet.bare());
  romeo.receives("<presence from='{}' type='-'/>", juliet.full());
  BOOST_TEST(item(romeo, juliet.bare())["subscription"] == "to");
  BOOST_TEST(item(juliet, romeo.bare())["subscription"] == "from");
}

BOOST_AUTO_TEST_CASE(both_ways_make_both) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  BOOST_TEST(item(romeo, juliet.bare())["subscription"] == "both");
  BOOST_TEST(item(juliet, romeo.bare())["subscription"] == "both");
}

BOOST_AUTO_TEST_CASE(a_granted_contact_learns_of_each_resource) { // 3.1.5
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto tablet = client{juliet.who(), {.resource = "tablet"}};
  tablet.send("<presence><show>away</show></presence>");
  tablet.receives("<presence from='{}'><show>away</show></presence>", tablet.full());
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  juliet.receives("<presence type='subscribe'/>");
  juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
  romeo.receives("<presence from='{}' type='-'/>", juliet.full());
  romeo.receives("<presence from='{}' type='-'><show>away</show></presence>", tablet.full());
}

BOOST_AUTO_TEST_CASE(a_request_reaches_every_available_resource) { // 3.1.3
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto tablet = client{juliet.who(), {.resource = "tablet"}};
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  juliet.receives("<presence from='{}' type='subscribe'/>", romeo.bare());
  tablet.receives("<presence from='{}' type='subscribe'/>", romeo.bare());
}

BOOST_AUTO_TEST_CASE(a_request_waits_whole_until_it_is_answered) { // 3.1.3
  auto who = registers("juliet");
  auto romeo = client{"romeo"};
  romeo.send("<presence to='{}' type='subscribe'><status>it is I</status><x xmlns='urn:example:x'/></presence>",
             who.bare());
  pushes(romeo, who.bare(), "subscription='none' ask='subscribe'");
  auto wanted =
      format("<presence from='{}' type='subscribe'><status>it is I</status><x xmlns='urn:example:x'/></presence>",
             romeo.bare());
  for (auto i = 0; i < 2; ++i) { // at every login
    auto juliet = client{who};
    juliet.receives(wanted);
    juliet.leaves();
  }
  auto juliet = client{who};
  juliet.receives(wanted);
  juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
  romeo.receives("<presence from='{}' type='subscribed'/>", who.bare());
  auto later = client{who, {.resource = "later"}};
  later.ping(later.bare());
  BOOST_TEST(!later.has("<presence type='subscribe'/>"));
}

BOOST_AUTO_TEST_CASE(a_request_is_not_shown_before_presence) { // 3.1.3: to available resources
  auto who = registers("juliet");
  auto romeo = client{"romeo"};
  romeo.send("<presence to='{}' type='subscribe'/>", who.bare());
  pushes(romeo, who.bare(), "ask='subscribe'");
  auto juliet = client{who, {.state = upto::roster}};
  juliet.ping(juliet.bare());
  BOOST_TEST(!juliet.has("<presence type='subscribe'/>"));
  juliet.is_available();
  juliet.receives("<presence from='{}' type='subscribe'/>", romeo.bare());
}

BOOST_AUTO_TEST_CASE(a_repeated_request_waits_once) {
  auto who = registers("juliet");
  auto romeo = client{"romeo"};
  for (auto i = 0; i < 3; ++i)
    romeo.send("<presence to='{}' type='subscribe'/>", who.bare());
  pushes(romeo, who.bare(), "ask='subscribe'");
  auto juliet = client{registers("nurse")};
  settle(romeo, juliet);
  auto late = client{who};
  late.receives("<presence from='{}' type='subscribe'/>", romeo.bare());
  late.ping(late.bare());
  BOOST_TEST(!late.has("<presence type='subscribe'/>"));
}

BOOST_AUTO_TEST_CASE(a_request_can_be_denied) { // 3.2.1
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  juliet.receives("<presence type='subscribe'/>");
  juliet.send("<presence to='{}' type='unsubscribed'/>", romeo.bare());
  romeo.receives("<presence from='{}' type='unsubscribed'/>", juliet.bare());
  pushes(romeo, juliet.bare(), "subscription='none' ask='-'");
  auto later = client{juliet.who(), {.resource = "later"}};
  later.ping(later.bare());
  BOOST_TEST(!later.has("<presence type='subscribe'/>"));
}

BOOST_AUTO_TEST_CASE(a_request_can_be_withdrawn) { // A.2.2: none + pending out
  auto who = registers("juliet");
  auto romeo = client{"romeo"};
  romeo.send("<presence to='{}' type='subscribe'/>", who.bare());
  pushes(romeo, who.bare(), "subscription='none' ask='subscribe'");
  romeo.send("<presence to='{}' type='unsubscribe'/>", who.bare());
  pushes(romeo, who.bare(), "subscription='none' ask='-'");
  settle(romeo, romeo);
  romeo.ping(who.bare());
  auto juliet = client{who};
  juliet.ping(juliet.bare());
  BOOST_TEST(!juliet.has("<presence type='subscribe'/>"));
}

BOOST_AUTO_TEST_CASE(a_request_of_one_already_granted_is_answered_by_the_server) { // 3.1.3
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  subscribes(romeo, juliet);
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  settle(romeo, juliet);
  BOOST_TEST(!juliet.has("<presence type='subscribe'/>"));
  BOOST_TEST(item(romeo, juliet.bare())["subscription"] == "to");
}

BOOST_AUTO_TEST_CASE(who_unsubscribes_sees_the_other_go) { // 3.3
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  romeo.send("<presence to='{}' type='unsubscribe'/>", juliet.bare());
  pushes(romeo, juliet.bare(), "subscription='from' ask='-'");
  pushes(juliet, romeo.bare(), "subscription='to'");
  BOOST_TEST(juliet.receives("<presence type='unsubscribe'/>")["from"] == romeo.bare());
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  juliet.send("<presence><status>not for romeo</status></presence>");
  juliet.receives("<presence from='{}'><status>not for romeo</status></presence>", juliet.full());
  settle(juliet, romeo);
  BOOST_TEST(!romeo.has("<presence from='{}'><status>not for romeo</status></presence>", juliet.full()));
  romeo.send("<presence><status>for juliet</status></presence>");
  juliet.receives("<presence from='{}'><status>for juliet</status></presence>", romeo.full());
}

BOOST_AUTO_TEST_CASE(who_cancels_a_subscription_goes_out_of_sight) { // 3.2
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  juliet.send("<presence to='{}' type='unsubscribed'/>", romeo.bare());
  pushes(juliet, romeo.bare(), "subscription='to'");
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  BOOST_TEST(romeo.receives("<presence type='unsubscribed'/>")["from"] == juliet.bare());
  pushes(romeo, juliet.bare(), "subscription='from'");
  juliet.send("<presence><status>not for romeo</status></presence>");
  juliet.receives("<presence from='{}'><status>not for romeo</status></presence>", juliet.full());
  settle(juliet, romeo);
  BOOST_TEST(!romeo.has("<presence from='{}'><status>not for romeo</status></presence>", juliet.full()));
}

BOOST_AUTO_TEST_CASE(a_removed_contact_loses_both_directions) { // 2.5.2
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  BOOST_TEST(romeo.set(format("<query xmlns='jabber:iq:roster'><item jid='{}' subscription='remove'/></query>",
                              juliet.bare()))["type"] == "result");
  juliet.receives("<presence from='{}' type='unsubscribe'/>", romeo.bare());
  juliet.receives("<presence from='{}' type='unsubscribed'/>", romeo.bare());
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  BOOST_TEST(item(romeo, juliet.bare()).name == "");
  pushes(juliet, romeo.bare(), "subscription='none'");
  BOOST_TEST(item(juliet, romeo.bare())["subscription"] == "none");
}

BOOST_AUTO_TEST_CASE(a_removed_contact_s_request_is_denied_with_it) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  juliet.receives("<presence type='subscribe'/>");
  juliet.set(format("<query xmlns='jabber:iq:roster'><item jid='{}'/></query>", romeo.bare()));
  juliet.set(format("<query xmlns='jabber:iq:roster'><item jid='{}' subscription='remove'/></query>", romeo.bare()));
  romeo.receives("<presence from='{}' type='unsubscribed'/>", juliet.bare());
}

BOOST_AUTO_TEST_CASE(a_subscription_s_address_is_bare_however_it_is_written) { // 3.1.1
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.full());
  pushes(romeo, juliet.bare(), "ask='subscribe'");
  BOOST_TEST(juliet.receives("<presence type='subscribe'/>")["to"] == juliet.bare());
}

BOOST_AUTO_TEST_CASE(an_approval_that_nobody_asked_for_tells_nobody) { // 3.1.6; A.2.3
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  juliet.send("<presence to='{}' type='unsubscribed'/>", romeo.bare());
  juliet.send("<presence to='{}' type='unsubscribe'/>", romeo.bare());
  settle(juliet, romeo);
  BOOST_TEST(!romeo.has("<presence type='unsubscribed'/>"));
  BOOST_TEST(!romeo.has("<iq type='set'/>"));
  BOOST_TEST(item(romeo, juliet.bare()).name == "");
}

BOOST_AUTO_TEST_CASE(a_contact_approved_before_asking_is_let_in_at_once) { // 3.4
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
  pushes(juliet, romeo.bare(), "subscription='none' approved='true'");
  settle(juliet, romeo);
  BOOST_TEST(!romeo.has("<presence type='subscribed'/>")); // not told before he asks
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  romeo.receives("<presence from='{}' type='subscribed'/>", juliet.bare());
  romeo.receives("<presence from='{}' type='-'/>", juliet.full());
  pushes(juliet, romeo.bare(), "subscription='from'");
  settle(romeo, juliet);
  BOOST_TEST(!juliet.has("<presence type='subscribe'/>")); // not asked
}

BOOST_AUTO_TEST_CASE(an_approval_in_advance_can_be_taken_back) { // 3.4.2
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
  pushes(juliet, romeo.bare(), "approved='true'");
  juliet.send("<presence to='{}' type='unsubscribed'/>", romeo.bare());
  pushes(juliet, romeo.bare(), "approved='-'");
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  juliet.receives("<presence from='{}' type='subscribe'/>", romeo.bare());
  BOOST_TEST(!romeo.has("<presence type='subscribed'/>"));
}

BOOST_AUTO_TEST_CASE(an_approval_in_advance_works_for_who_is_offline) {
  auto who = registers("juliet");
  auto romeo = client{"romeo"};
  {
    auto juliet = client{who};
    juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
    pushes(juliet, romeo.bare(), "approved='true'");
    juliet.leaves();
  }
  romeo.send("<presence to='{}' type='subscribe'/>", who.bare());
  romeo.receives("<presence from='{}' type='subscribed'/>", who.bare());
  pushes(romeo, who.bare(), "subscription='to'");
}

BOOST_AUTO_TEST_CASE(subscribing_to_nobody_is_silent) { // 3.1.3, 8.5.1
  auto romeo = client{"romeo"};
  auto nobody = unique("nobody") + "@localhost";
  romeo.send("<presence to='{}' type='subscribe'/>", nobody);
  pushes(romeo, nobody, "subscription='none' ask='subscribe'");
  romeo.ping(nobody);
  romeo.ping(romeo.bare());
  BOOST_TEST(!romeo.has("<presence from='{}'/>", nobody));
}

BOOST_AUTO_TEST_CASE(subscribing_to_the_server_itself_is_answered) {
  auto romeo = client{"romeo"};
  romeo.send("<presence to='localhost' type='subscribe' id='s'/>");
  romeo.receives("<presence from='localhost' type='error' id='s'>{}</presence>",
                 error_of("cancel", "service-unavailable"));
  BOOST_TEST(item(romeo, "localhost").name == "");
}

BOOST_AUTO_TEST_CASE(subscribing_to_a_domain_that_is_not_there_is_answered) { // RFC 6120, 10.4.3
  auto romeo = client{"romeo"};
  auto contact = unique("nobody") + "@nowhere.invalid";
  romeo.send("<presence to='{}/r' type='subscribe' id='s'/>", contact);
  romeo.receives("<presence to='{}' type='error' id='s'>{}</presence>", romeo.full(),
                 error_of("cancel", "remote-server-not-found"));
  BOOST_TEST(item(romeo, contact).name == "");
  // An item of the user's own making stays as it was.
  romeo.set(format("<query xmlns='jabber:iq:roster'><item jid='{}' name='N'/></query>", contact));
  romeo.forget();
  romeo.send("<presence to='{}' type='subscribe' id='s'/>", contact);
  romeo.receives("<presence from='{}' type='error' id='s'/>", contact);
  BOOST_TEST(item(romeo, contact)["subscription"] == "none");
  BOOST_TEST(item(romeo, contact)["ask"] == "");
  romeo.forget();
  romeo.send("<presence to='{}' type='unsubscribe' id='u'/>", contact); // goes out in any state (A.2.2)
  romeo.receives("<presence from='{}' type='error' id='u'>{}</presence>", contact,
                 error_of("cancel", "remote-server-not-found"));
  // Where nothing goes out nothing fails.
  for (auto type : {"unsubscribed", "error", "unavailable"})
    romeo.send("<presence to='{}' type='{}'/>", contact, type);
  romeo.send("<presence to='{}' type='subscribed'/>", contact); // in advance: the server's own note
  pushes(romeo, contact, "subscription='none' approved='true'");
  romeo.ping(romeo.bare());
  BOOST_TEST(!romeo.has("<presence type='error'/>"));
}

BOOST_AUTO_TEST_CASE(nobody_subscribes_to_themselves) {
  auto romeo = client{"romeo"};
  romeo.send("<presence to='{}' type='subscribe'/>", romeo.bare());
  settle(romeo, romeo);
  BOOST_TEST(!romeo.has("<presence type='subscribe'/>"));
  BOOST_TEST(item(romeo, romeo.bare()).name == "");
}

BOOST_AUTO_TEST_CASE(an_unsubscription_waits_for_who_is_offline_as_state) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  juliet.leaves();
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  romeo.send("<presence to='{}' type='unsubscribe'/>", juliet.bare());
  pushes(romeo, juliet.bare(), "subscription='from'");
  romeo.ping(juliet.bare());
  auto later = client{juliet.who(), {.resource = "later"}};
  BOOST_TEST(item(later, romeo.bare())["subscription"] == "to");
}

BOOST_AUTO_TEST_CASE(presence_does_not_overtake_the_consent_before_it) { // RFC 6120, 10.1; RFC 6121, 3.1.5 and 3.1.6
  for (auto i = 0; i < 10; ++i) {
    auto romeo = client{"romeo"}, juliet = client{"juliet"};
    romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
    juliet.receives("<presence type='subscribe'/>");
    juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
    romeo.receives("<iq type='set'><query xmlns='jabber:iq:roster'><item ask='subscribe'/></query></iq>");
    auto seen = std::vector<std::string>{};
    while (seen.empty() || !seen.back().empty()) { // until the first without a type: that she is there
      auto x = romeo.next();
      if (x.name == "presence" && x["from"].starts_with(juliet.bare()))
        seen.push_back(x["type"]);
    }
    BOOST_TEST((seen == std::vector<std::string>{"subscribed", ""}));
  }
}

BOOST_AUTO_TEST_SUITE_END()
