// RFC 6121, 4: presence.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <regex>

using namespace xmpp::test;

BOOST_AUTO_TEST_SUITE(presence)

BOOST_AUTO_TEST_CASE(initial_presence_reaches_contacts_and_brings_theirs) { // 4.2.2, 4.3.2
  auto juliet = client{"juliet"};
  auto romeo = client{"romeo"};
  befriend(romeo, juliet);
  juliet.send("<presence><show>away</show><status>on the balcony</status><priority>5</priority></presence>");
  romeo.receives("<presence from='{}'><show>away</show></presence>", juliet.full());
  romeo.leaves();
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  auto again = client{romeo.who(), {.resource = "again"}};
  juliet.receives("<presence from='{}' to='{}' type='-'/>", again.full(), juliet.bare());
  again.receives("<presence from='{}' type='-'><show>away</show><status>on the balcony</status><priority>5</priority>"
                 "</presence>",
                 juliet.full());
}

BOOST_AUTO_TEST_CASE(every_resource_of_a_contact_shows) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  auto tablet = client{juliet.who(), {.resource = "tablet"}};
  romeo.receives("<presence from='{}' type='-'/>", tablet.full());
  romeo.leaves();
  auto again = client{romeo.who(), {.resource = "again"}};
  again.receives("<presence from='{}' type='-'/>", tablet.full());
  again.receives("<presence from='{}' type='-'/>", juliet.full());
}

BOOST_AUTO_TEST_CASE(own_resources_see_each_other) { // 4.2.2
  auto romeo = client{"romeo"};
  auto tablet = client{romeo.who(), {.resource = "tablet"}};
  romeo.receives("<presence from='{}' type='-'/>", tablet.full());
  tablet.receives("<presence from='{}' type='-'/>", romeo.full());
  tablet.send("<presence type='unavailable'><status>gone</status></presence>");
  romeo.receives("<presence from='{}' type='unavailable'><status>gone</status></presence>", tablet.full());
}

BOOST_AUTO_TEST_CASE(a_change_reaches_contacts_with_all_that_it_carries) { // 4.4.2
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  juliet.send(
      "<presence id='p1' xml:lang='it'><show>dnd</show><status>o</status><x xmlns='urn:example:x' a='&lt;'>y</x>"
      "</presence>");
  auto seen = romeo.receives("<presence from='{}' xml:lang='it'><show>dnd</show><status>o</status>"
                             "<x xmlns='urn:example:x' a='&lt;'>y</x></presence>",
                             juliet.full());
  BOOST_TEST(seen["to"] == romeo.bare());
}

BOOST_AUTO_TEST_CASE(presence_goes_the_way_of_the_subscription_only) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
  juliet.receives("<presence type='subscribe'/>");
  juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
  romeo.receives("<presence from='{}' type='-'/>", juliet.full());
  romeo.send("<presence><status>unseen</status></presence>");
  romeo.receives("<presence from='{}'><status>unseen</status></presence>", romeo.full());
  settle(romeo, juliet);
  BOOST_TEST(!juliet.has("<presence from='{}'/>", romeo.full()));
}

BOOST_AUTO_TEST_CASE(unavailable_presence_is_told_with_its_status) { // 4.5.2
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  juliet.send("<presence type='unavailable'><status>to bed</status></presence>");
  romeo.receives("<presence from='{}' type='unavailable'><status>to bed</status></presence>", juliet.full());
  juliet.is_available(); // and back, on the same stream
  romeo.receives("<presence from='{}' type='-'/>", juliet.full());
}

BOOST_AUTO_TEST_CASE(the_end_of_a_stream_is_unavailable_presence) { // 4.5.2
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  juliet.leaves();
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
}

BOOST_AUTO_TEST_CASE(a_lost_connection_is_unavailable_presence) { // 4.5.2
  for (auto how : {transport::plain, transport::direct_tls}) {
    auto romeo = client{"romeo"};
    auto juliet = client{"juliet", {.how = how}};
    befriend(romeo, juliet);
    juliet.breaks();
    romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  }
}

BOOST_AUTO_TEST_CASE(who_went_unavailable_says_so_once) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  juliet.send("<presence type='unavailable'/>");
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  juliet.leaves();
  juliet.ends();
  romeo.ping(juliet.bare());
  romeo.ping(romeo.bare());
  BOOST_TEST(!romeo.has("<presence from='{}'/>", juliet.full()));
}

BOOST_AUTO_TEST_CASE(who_is_not_available_sees_nothing) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  auto silent = client{romeo.who(), {.state = upto::roster, .resource = "silent"}};
  juliet.send("<presence><show>chat</show></presence>");
  romeo.receives("<presence from='{}'><show>chat</show></presence>", juliet.full());
  settle(juliet, silent);
  BOOST_TEST(!silent.has("<presence from='{}'/>", juliet.full()));
}

// -- priority and show ------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_priority_out_of_range_is_a_bad_request) { // 4.7.2.3
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  for (auto priority : {"128", "-129", "many", "", "1.5", "99999999999999999999"}) {
    BOOST_TEST_CONTEXT(priority) {
      juliet.send("<presence id='bad'><priority>{}</priority></presence>", priority);
      juliet.receives("<presence type='error' id='bad'>{}</presence>", error_of("", "bad-request"));
    }
  }
  settle(juliet, romeo);
  BOOST_TEST(!romeo.has("<presence from='{}'/>", juliet.full()));
  for (auto priority : {"127", "-128", "0", "+5"}) {
    juliet.send("<presence><priority>{}</priority></presence>", priority);
    romeo.receives("<presence from='{}' type='-'><priority>*</priority></presence>", juliet.full());
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_type_of_presence_is_a_bad_request) { // 4.7.1
  auto romeo = client{"romeo"};
  romeo.send("<presence type='invisible' id='i'/>");
  romeo.receives("<presence type='error' id='i'>{}</presence>", error_of("", "bad-request"));
}

// -- probes (4.3) -----------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_probe_is_answered_with_the_presence_of_each_resource) { // 4.3.2
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  auto tablet = client{juliet.who(), {.resource = "tablet"}};
  romeo.receives("<presence from='{}' type='-'/>", tablet.full());
  romeo.send("<presence to='{}' type='probe'/>", juliet.bare());
  for (auto* each : {&juliet, &tablet}) {
    auto shown = romeo.receives("<presence from='{}' type='-'/>", each->full());
    if (shared_server().is_peer())
      continue;
    auto* delay = shown.find("delay", "urn:xmpp:delay"); // XEP-0203: it may be old
    BOOST_REQUIRE(delay);
    BOOST_TEST((*delay)["from"] == "localhost");
    BOOST_TEST(std::regex_match((*delay)["stamp"], std::regex{"20[0-9-]{8}T[0-9:.]{12}Z"}), (*delay)["stamp"]);
  }
}

BOOST_AUTO_TEST_CASE(a_probe_of_a_contact_who_is_away_is_met_with_silence) { // 4.3.2: our choice; see answer_probe
  if (shared_server().is_peer())
    return;
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  juliet.send("<presence type='unavailable'/>");
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  for (auto& to : {juliet.bare(), juliet.full(), juliet.bare() + "/elsewhere"})
    romeo.send("<presence to='{}' type='probe'/>", to);
  settle(romeo, juliet);
  BOOST_TEST(!romeo.has("<presence/>"));
  BOOST_TEST(!juliet.has("<presence type='probe'/>"));
}

BOOST_AUTO_TEST_CASE(a_probe_without_a_subscription_learns_nothing) { // 4.3.2
  auto mallory = client{"mallory"};
  auto juliet = client{"juliet"};
  auto nobody = unique("nobody") + "@localhost";
  auto offline = registers("nurse").bare();
  auto answers = std::vector<std::string>{};
  for (auto& who : {juliet.bare(), offline, nobody}) {
    mallory.send("<presence to='{}' type='probe'/>", who);
    mallory.ping(who);
    BOOST_TEST(!mallory.has("<presence type='-'/>"));
    auto types = std::string{};
    for (auto& x : mallory.inbox())
      types += x.name + " " + x["type"] + " " + condition(x) + ";";
    answers.push_back(types);
    mallory.forget();
  }
  BOOST_TEST(answers[0] == answers[1]);
  BOOST_TEST(answers[0] == answers[2]);
  juliet.ping(juliet.bare());
  BOOST_TEST(!juliet.has("<presence type='probe'/>")); // the server's to answer
}

// -- directed presence (4.6) ------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(directed_presence_reaches_a_stranger) { // 4.6.3
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.send("<presence to='{}'><show>chat</show></presence>", juliet.full());
  juliet.receives("<presence from='{}' to='{}'><show>chat</show></presence>", romeo.full(), juliet.full());
  auto nurse = client{"nurse"};
  romeo.send("<presence to='{}'/>", nurse.bare());
  nurse.receives("<presence from='{}' to='{}' type='-'/>", romeo.full(), nurse.bare());
}

BOOST_AUTO_TEST_CASE(who_got_directed_presence_is_told_of_its_end) { // 4.6.3
  auto endings = std::vector<std::function<void(client&)>>{
      [](client& x) { x.send("<presence type='unavailable'/>"); },
      [](client& x) { x.leaves(); },
      [](client& x) { x.breaks(); },
  };
  for (auto& end : endings) {
    auto romeo = client{"romeo"};
    auto juliet = client{"juliet"};
    romeo.send("<presence to='{}'/>", juliet.full());
    juliet.receives("<presence from='{}' type='-'/>", romeo.full());
    end(romeo);
    juliet.receives("<presence from='{}' to='{}' type='unavailable'/>", romeo.full(), juliet.full());
  }
}

BOOST_AUTO_TEST_CASE(directed_presence_that_was_taken_back_is_not_told_again) { // 4.6.3
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.send("<presence to='{}'/>", juliet.full());
  romeo.send("<presence to='{}' type='unavailable'/>", juliet.full());
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  romeo.leaves();
  romeo.ends();
  juliet.ping(romeo.bare());
  juliet.ping(juliet.bare());
  BOOST_TEST(juliet.count(format("<presence from='{}' type='unavailable'/>", romeo.full())) == 0u);
}

BOOST_AUTO_TEST_CASE(directed_presence_alone_shows_nothing_to_contacts) { // 4.6.2
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto nurse = client{"nurse"};
  befriend(romeo, juliet);
  auto secret = client{romeo.who(), {.state = upto::roster, .resource = "secret"}};
  secret.send("<presence to='{}'/>", nurse.full());
  nurse.receives("<presence from='{}' type='-'/>", secret.full());
  secret.leaves();
  nurse.receives("<presence from='{}' type='unavailable'/>", secret.full());
  settle(romeo, juliet);
  BOOST_TEST(!juliet.has("<presence from='{}'/>", secret.full()));
  BOOST_TEST(!romeo.has("<presence from='{}'/>", secret.full()));
}

BOOST_AUTO_TEST_CASE(a_contact_with_directed_presence_is_told_of_the_end_once) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  romeo.send("<presence to='{}'><show>xa</show></presence>", juliet.bare());
  juliet.receives("<presence from='{}'><show>xa</show></presence>", romeo.full());
  romeo.leaves();
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  juliet.ping(romeo.bare());
  juliet.ping(juliet.bare());
  BOOST_TEST(!juliet.has("<presence from='{}' type='unavailable'/>", romeo.full()));
}

BOOST_AUTO_TEST_CASE(presence_for_nobody_is_dropped) { // 8.5.1, 8.5.3.2.2
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  for (auto& to : {unique("nobody") + "@localhost", juliet.bare() + "/elsewhere"})
    for (auto type : {"", " type='unavailable'"})
      romeo.send("<presence to='{}'{}/>", to, raw_xml{type});
  settle(romeo, juliet);
  BOOST_TEST(romeo.inbox().empty());
  BOOST_TEST(juliet.inbox().empty());
}

BOOST_AUTO_TEST_CASE(presence_of_type_error_is_never_answered) {
  auto romeo = client{"romeo"};
  romeo.send("<presence to='{}' type='error'>{}</presence>", unique("nobody") + "@localhost",
             error_of("cancel", "gone"));
  romeo.send("<presence type='error'>{}</presence>", error_of("cancel", "gone"));
  romeo.ping(romeo.bare());
  BOOST_TEST(romeo.inbox().empty());
}

BOOST_AUTO_TEST_CASE(what_one_sends_to_all_and_to_one_comes_in_order) { // RFC 6120, 10.1
  auto romeo = client{"romeo"}, juliet = client{"juliet"};
  befriend(romeo, juliet);
  settle(romeo, juliet);
  for (auto i = 0; i < 20; ++i) {
    juliet.forget();
    romeo.send_bytes(
        format("<presence/><presence to='{}' type='unavailable'/><presence><status>back</status></presence>"
               "<message to='{}'><body>hi</body></message>",
               juliet.bare(), juliet.bare()));
    juliet.receives_next("<presence from='{}'/>", romeo.full());
    juliet.receives_next("<presence from='{}' type='unavailable'/>", romeo.full());
    juliet.receives_next("<presence from='{}'><status>back</status></presence>", romeo.full());
    juliet.receives_next("<message/>");
  }
}

BOOST_AUTO_TEST_CASE(what_follows_a_subscription_comes_behind_it) { // RFC 6120, 10.1
  for (auto i = 0; i < 8; ++i) {
    auto romeo = client{"romeo"}, juliet = client{"juliet"};
    romeo.send_bytes(format("<presence to='{}' type='subscribe'/><message to='{}'><body>me</body></message>",
                            juliet.bare(), juliet.bare()));
    juliet.receives_next("<presence type='subscribe'/>");
    juliet.receives_next("<message/>");
  }
}

BOOST_AUTO_TEST_SUITE_END()
