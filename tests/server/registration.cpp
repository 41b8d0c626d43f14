// XEP-0077: accounts made, changed and removed by their owners.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::test;

namespace {

element asks_for_account(const std::string& fields, const std::string& domain = "localhost") {
  auto x = client{};
  x.opens(domain);
  x.features();
  return x.set("<query xmlns='jabber:iq:register'>" + fields + "</query>");
}

element asks_for_account_named(const std::string& name, const std::string& domain = "localhost") {
  return asks_for_account(format("<username>{}</username><password>secret</password>", name), domain);
}

bool signs_in(const account& who) {
  auto x = client{};
  x.opens(who.domain);
  x.features();
  return x.authenticates(who).name == "success";
}

std::string change_of_password(const std::string& name, const std::string& password) {
  return format("<query xmlns='jabber:iq:register'><username>{}</username><password>{}</password></query>", name,
                password);
}

} // namespace

BOOST_AUTO_TEST_SUITE(registration)

BOOST_AUTO_TEST_CASE(a_stranger_is_told_how_to_register) { // 3.1
  auto x = client{};
  x.opens();
  BOOST_TEST(x.features().find("register", "http://jabber.org/features/iq-register"));
  auto form = x.get("<query xmlns='jabber:iq:register'/>");
  BOOST_TEST(form["type"] == "result");
  auto query = form.find("query", "jabber:iq:register");
  BOOST_REQUIRE(query);
  BOOST_TEST(query->find("username"));
  BOOST_TEST(query->find("password"));
  BOOST_TEST(!query->find("registered"));
}

BOOST_AUTO_TEST_CASE(a_new_account_signs_in_on_the_same_stream) { // 3.1.1, XEP-0170
  auto who = account{unique("romeo")};
  auto x = client{};
  x.opens();
  x.features();
  BOOST_TEST(x.set(change_of_password(who.name, who.password))["type"] == "result");
  x.signs_in(who);
  x.binds();
  x.ping();
}

BOOST_AUTO_TEST_CASE(a_name_that_is_taken_is_a_conflict_however_it_is_written) {
  auto romeo = registers("romeo");
  auto shouted = romeo.name;
  for (auto& c : shouted)
    c = static_cast<char>(std::toupper(c));
  for (auto& name : {romeo.name, shouted}) {
    auto answer = asks_for_account_named(name);
    BOOST_TEST(condition(answer) == "conflict");
    BOOST_TEST(answer.to_string().find("secret") == std::string::npos);
  }
  BOOST_TEST(signs_in(romeo)); // with the password that it had
}

BOOST_AUTO_TEST_CASE(a_form_that_is_not_filled_in_is_not_acceptable) {
  auto name = unique("romeo");
  for (auto& fields :
       {std::string{}, format("<username>{}</username>", name), std::string{"<password>x</password>"},
        format("<username>{}</username><password/>", name), std::string{"<username/><password>x</password>"}}) {
    BOOST_TEST_CONTEXT(fields)
    BOOST_TEST(unless_ours(condition(asks_for_account(fields)), {"not-acceptable", "bad-request"}) == "");
  }
  BOOST_TEST(!signs_in({name, "localhost", ""}));
}

BOOST_AUTO_TEST_CASE(a_name_that_can_be_no_address_is_refused) {
  auto long_name = std::string(1'024, 'a');
  for (auto& name : {std::string{"a@b"}, std::string{"a/b"}, std::string{"a b"}, std::string{"a\"b"},
                     std::string{"a&b"}, std::string{"a<b"}, std::string{"a:b"}, std::string{"a'b"},
                     std::string{"\u2028"}, std::string{"\u0130\u0300\u0378"}, long_name}) {
    BOOST_TEST_CONTEXT(name.substr(0, 20))
    BOOST_TEST(
        unless_ours(condition(asks_for_account_named(name)), {"not-acceptable", "jid-malformed", "bad-request"}) == "");
  }
}

BOOST_AUTO_TEST_CASE(the_longest_name_is_1023_bytes) { // RFC 7622, 3.3
  auto name = unique(std::string(1'000, 'r'));
  name.resize(1'023, 'x');
  BOOST_TEST(asks_for_account_named(name)["type"] == "result");
  BOOST_TEST(signs_in({name, "localhost", "secret"}));
}

BOOST_AUTO_TEST_CASE(an_escaped_name_is_a_name_like_others) { // XEP-0106
  auto who = account{unique("d\\27artagnan"), "localhost", "secret"};
  BOOST_TEST(asks_for_account_named(who.name)["type"] == "result");
  auto guard = client{who};
  auto romeo = client{"romeo"};
  romeo.send("<message to='{}'><body>en garde</body></message>", who.bare());
  guard.receives("<message to='{}'><body>en garde</body></message>", who.bare());
}

BOOST_AUTO_TEST_CASE(a_closed_host_makes_no_accounts) {
  auto x = client{};
  x.opens("closed.lit");
  BOOST_TEST(!x.features().find("register"));
  auto answer = asks_for_account_named(unique("romeo"), "closed.lit");
  // Closed before sign-in means: a stanza that is not authorized (4.9.3.12), or a service that is not there.
  BOOST_TEST(unless_ours(condition(answer), {"service-unavailable", "not-allowed", "forbidden", "not-authorized"}) ==
             "");
}

BOOST_AUTO_TEST_CASE(an_owner_changes_the_password) { // 3.3
  auto romeo = client{"romeo"};
  auto changed = romeo.who();
  changed.password = "wherefore art thou";
  BOOST_TEST(romeo.set(change_of_password(changed.name, changed.password), "localhost")["type"] == "result");
  BOOST_TEST(signs_in(changed));
  BOOST_TEST(!signs_in(romeo.who()));
  romeo.ping(); // whoever has changed it stays
}

BOOST_AUTO_TEST_CASE(a_registered_client_is_told_so) { // 3.1
  auto romeo = client{"romeo"};
  auto query = romeo.get("<query xmlns='jabber:iq:register'/>", "localhost");
  BOOST_REQUIRE(query.find("query"));
  BOOST_TEST(query.find("query")->find("registered"));
  BOOST_TEST(query.find("query")->text_of("username") == romeo.who().name);
  BOOST_TEST(query.to_string().find(romeo.who().password) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_empty_password_changes_nothing) { // 3.3
  auto romeo = client{"romeo"};
  auto answer = romeo.set(change_of_password(romeo.who().name, ""), "localhost");
  BOOST_TEST(unless_ours(condition(answer), {"bad-request", "not-acceptable"}) == "");
  BOOST_TEST(signs_in(romeo.who()));
}

BOOST_AUTO_TEST_CASE(nobody_changes_the_password_of_another) {
  auto romeo = registers("romeo");
  auto mallory = client{"mallory"};
  for (auto to : {std::string{"localhost"}, romeo.bare(), std::string{}}) {
    auto answer = mallory.set(change_of_password(romeo.name, "mine now"), to);
    BOOST_TEST_CONTEXT("to '" << to << "'")
    BOOST_TEST(condition(answer) != "");
  }
  BOOST_TEST(signs_in(romeo));
  BOOST_TEST(!signs_in({romeo.name, "localhost", "mine now"}));
}

BOOST_AUTO_TEST_CASE(a_signed_in_client_makes_no_second_account) {
  auto romeo = client{"romeo"};
  auto name = unique("second");
  BOOST_TEST(condition(romeo.set(change_of_password(name, "secret"), "localhost")) != "");
  BOOST_TEST(!signs_in({name, "localhost", "secret"}));
}

BOOST_AUTO_TEST_CASE(a_password_is_what_clients_prepare_it_to) { // RFC 5802, 2.2; RFC 4013
  auto name = unique("romeo");
  auto password = "\uff50\uff41ss m\u00b2 \u2168 so\u00adft";
  BOOST_TEST(asks_for_account(format("<username>{}</username><password>{}</password>", name, password))["type"] ==
             "result");
  BOOST_TEST(signs_in({name, "localhost", "pass m2 IX soft"}));
  auto romeo = client{account{name, "localhost", "pass m2 IX soft"}};
  BOOST_TEST(romeo.set(change_of_password(name, "\uff11\u00ad2"), "localhost")["type"] == "result");
  BOOST_TEST(signs_in({name, "localhost", "12"}));
}

BOOST_AUTO_TEST_CASE(a_removed_account_is_gone_and_its_streams_end) { // 3.2
  auto romeo = client{"romeo"};
  auto other = client{romeo.who(), {.resource = "orchard"}};
  BOOST_TEST(romeo.set("<query xmlns='jabber:iq:register'><remove/></query>", "localhost")["type"] == "result");
  BOOST_TEST(unless_ours(romeo.stream_error(), {"not-authorized", "conflict"}) == "");
  BOOST_TEST(unless_ours(other.stream_error(), {"not-authorized", "conflict"}) == "");
  BOOST_TEST(!signs_in(romeo.who()));
  auto juliet = client{"juliet"};
  juliet.send("<message to='{}' id='late'><body>where are you?</body></message>", romeo.bare());
  juliet.receives("<message type='error' id='late'>{}</message>", error_of("cancel", "service-unavailable"));
}

BOOST_AUTO_TEST_CASE(a_removal_must_stand_alone) { // 3.2
  auto romeo = client{"romeo"};
  auto answer =
      romeo.set(format("<query xmlns='jabber:iq:register'><remove/><username>{}</username></query>", romeo.who().name),
                "localhost");
  BOOST_TEST(condition(answer) == "bad-request");
  BOOST_TEST(signs_in(romeo.who()));
}

BOOST_AUTO_TEST_CASE(nobody_removes_another) {
  auto romeo = registers("romeo");
  auto mallory = client{"mallory"};
  mallory.set("<query xmlns='jabber:iq:register'><remove/></query>", romeo.bare());
  BOOST_TEST(signs_in(romeo));
}

BOOST_AUTO_TEST_CASE(contacts_of_a_removed_account_are_unsubscribed) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  romeo.set("<query xmlns='jabber:iq:register'><remove/></query>", "localhost");
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  juliet.receives("<iq type='set'><query xmlns='jabber:iq:roster'><item jid='{}' subscription='none'/></query></iq>",
                  romeo.bare());
}

BOOST_AUTO_TEST_CASE(who_had_asked_a_removed_account_is_denied) { // so that nobody who takes the name can say yes
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"}; // a stranger who asks
  auto nurse = client{"nurse"};   // a contact who asks
  romeo.send("<presence to='{}' type='subscribe'/>", nurse.bare());
  nurse.receives("<presence from='{}' type='subscribe'/>", romeo.bare());
  nurse.send("<presence to='{}' type='subscribed'/>", romeo.bare());
  romeo.receives("<presence from='{}' type='subscribed'/>", nurse.bare());
  for (auto* asks : {&juliet, &nurse}) {
    asks->send("<presence to='{}' type='subscribe'/>", romeo.bare());
    romeo.receives("<presence from='{}' type='subscribe'/>", asks->bare());
  }
  romeo.set("<query xmlns='jabber:iq:register'><remove/></query>", "localhost");
  for (auto* asked : {&juliet, &nurse}) {
    asked->receives("<presence from='{}' type='unsubscribed'/>", romeo.bare());
    asked->receives("<iq type='set'><query xmlns='jabber:iq:roster'><item jid='{}' subscription='{}' ask='-'/></query>"
                    "</iq>",
                    romeo.bare(), asked == &juliet ? "none" : "from");
  }
  BOOST_TEST(asks_for_account(
                 format("<username>{}</username><password>another</password>", romeo.who().name))["type"] == "result");
  auto heir = client{{romeo.who().name, romeo.who().domain, "another"}};
  for (auto* asked : {&juliet, &nurse}) {
    heir.send("<presence to='{}' type='subscribed'/>", asked->bare());
    settle(heir, *asked);
    BOOST_TEST(!asked->has("<presence from='{}' type='subscribed'/>", heir.bare()));
    BOOST_TEST(!asked->has("<presence from='{}'/>", heir.full()));
  }
}

BOOST_AUTO_TEST_CASE(who_takes_a_removed_name_inherits_nothing) { // threats: CVE-2024-25420
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  romeo.set("<vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard>");
  romeo.set("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'>mine</a></query>");
  romeo.get("<blocklist xmlns='urn:xmpp:blocking'/>");
  romeo.set("<block xmlns='urn:xmpp:blocking'><item jid='tybalt@localhost'/></block>");
  romeo.set("<query xmlns='jabber:iq:register'><remove/></query>", "localhost");
  romeo.stream_error();
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  juliet.forget();
  auto who = romeo.who();
  who.password = "another";
  BOOST_TEST(asks_for_account(format("<username>{}</username><password>another</password>", who.name))["type"] ==
             "result");
  auto heir = client{who};
  BOOST_TEST(heir.asks_roster().find("query")->children.empty());
  BOOST_TEST(heir.get("<vCard xmlns='vcard-temp'/>").to_string().find("Romeo") == std::string::npos);
  BOOST_TEST(heir.get("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'/></query>").to_string().find("mine") ==
             std::string::npos);
  BOOST_TEST(heir.get("<blocklist xmlns='urn:xmpp:blocking'/>").find("blocklist")->children.empty());
  settle(heir, juliet);
  BOOST_TEST(!juliet.has("<presence from='{}'/>", heir.full()));
  BOOST_TEST(!heir.has("<presence from='{}'/>", juliet.full()));
}

BOOST_AUTO_TEST_CASE(at_its_start_the_server_names_an_account_that_exists) {
  if (shared_server().is_peer())
    return;
  auto here = server{};
  auto already = std::size_t{0};
  // Of the run that ends with it: all is written then.
  auto said_until_stop = [&] {
    here.stop();
    auto log = here.log();
    auto said = log.substr(already);
    already = log.size();
    return said;
  };
  auto said = said_until_stop();
  BOOST_TEST(said.find("There is no account yet") != std::string::npos, said);
  here.start();
  auto nurse = registers(here, "nurse", "montague.lit");
  here.stop();
  here.start();
  here.shell("user add admin@masked.lit secret");
  said = said_until_stop();
  BOOST_TEST(said.find("sign in as " + nurse.bare() + " with its password") != std::string::npos, said);
  here.start();
  said = said_until_stop();
  BOOST_TEST(said.find("sign in as admin@masked.lit with") != std::string::npos, said);
}

// -- the end of an account --------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_stream_that_signed_in_before_the_end_of_its_account_gets_into_no_successor) {
  auto who = registers("romeo");
  auto early = client{shared_server(), who, {.state = upto::signed_in}};
  auto x = client{shared_server(), who};
  BOOST_TEST(x.set("<query xmlns='jabber:iq:register'><remove/></query>")["type"] == "result");
  BOOST_TEST(asks_for_account(format("<username>{}</username><password>other</password>", who.name))["type"] ==
             "result");
  auto answer = early.set("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>evil</resource></bind>");
  BOOST_TEST(answer["type"] == "error");
  BOOST_TEST(!answer.find("bind"));
}

BOOST_AUTO_TEST_CASE(a_removed_account_does_not_come_back) {
  for (auto round = 0; round < 15; ++round) {
    auto who = registers("romeo");
    auto x = client{shared_server(), who};
    auto all = format("<iq type='set' id='p'>{}</iq>", raw_xml{change_of_password(who.name, "another")});
    for (auto i = 0; i < 20 * round; ++i) // so that the new password's key is ready sooner or later
      all += "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>";
    all += "<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>";
    for (auto i = 0; i < 40; ++i)
      all += format("<iq type='set' id='v'><vCard xmlns='vcard-temp'><FN>{}</FN></vCard></iq>", i);
    x.send_bytes(all);
    BOOST_TEST(x.receives("<iq id='r'/>")["type"] == "result");
    BOOST_TEST(!signs_in(who));
    BOOST_TEST(!signs_in({who.name, who.domain, "another"}));
  }
}

BOOST_AUTO_TEST_CASE(the_next_owner_of_a_name_finds_nothing_of_the_last) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto who = registers(here, "romeo");
  auto friend_of_his = client{here, "juliet"};
  auto x = client{here, who};
  x.send_bytes(format("<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>"
                      "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='a@b.c'/></query></iq>"
                      "<iq type='set' id='2'><vCard xmlns='vcard-temp'><FN>The last</FN></vCard></iq>"
                      "<iq type='set' id='3'><block xmlns='urn:xmpp:blocking'><item jid='d@e.f'/></block></iq>"
                      "<presence type='subscribe' to='{}'/>",
                      friend_of_his.bare()));
  BOOST_TEST(x.receives("<iq id='r'/>")["type"] == "result");
  for (auto is_restarted : {false, true}) {
    BOOST_TEST_CONTEXT((is_restarted ? "after a restart" : "at once")) {
      if (is_restarted) {
        here.stop();
        here.start();
      } else {
        auto next = client{here};
        next.opens();
        next.features();
        BOOST_TEST(next.set(change_of_password(who.name, who.password))["type"] == "result");
      }
      auto next = client{here, who};
      BOOST_TEST(next.asks_roster().find("query")->children.empty());
      BOOST_TEST(next.get("<vCard xmlns='vcard-temp'/>").to_string().find("The last") == std::string::npos);
      BOOST_TEST(next.get("<blocklist xmlns='urn:xmpp:blocking'/>").to_string().find("d@e.f") == std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(two_contacts_may_go_at_the_same_moment) {
  auto here = server{};
  if (here.is_peer())
    return;
  for (auto round = 0; round < 4; ++round) {
    auto romeo = client{here, "romeo"}, juliet = client{here, "juliet"};
    befriend(romeo, juliet);
    auto all = std::string{};
    for (auto i = 0; i < 20; ++i)
      all +=
          format("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='n{}@localhost'/></query></iq>", i);
    all += "<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>";
    romeo.send_bytes(all);
    juliet.send_bytes(all);
    BOOST_TEST(romeo.receives("<iq id='r'/>")["type"] == "result");
    BOOST_TEST(juliet.receives("<iq id='r'/>")["type"] == "result");
  }
}

BOOST_AUTO_TEST_CASE(of_several_changes_of_a_password_the_last_one_counts) {
  auto here = server{{.settings = {{"sign_in.hasher_threads", "3"}}}};
  for (auto round = 0; round < 4; ++round) {
    auto romeo = client{here, "romeo"};
    auto all = std::string{};
    for (auto i = 0; i < 6; ++i)
      all += format("<iq type='set' id='c{}' to='localhost'><query xmlns='jabber:iq:register'>"
                    "<username>{}</username><password>word{}</password></query></iq>",
                    i, romeo.who().name, i);
    romeo.send_bytes(all);
    romeo.receives("<iq id='c5' type='result'/>");
    auto who = romeo.who();
    who.password = "word5";
    BOOST_TEST(client(here, who, {.state = upto::signed_in}).last_features().name == "features");
  }
}

BOOST_AUTO_TEST_SUITE_END()
