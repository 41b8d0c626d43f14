// RFC 6120, 8.2.3 and 8.3: every request has one answer, no answer is answered.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::test;

BOOST_AUTO_TEST_SUITE(iq_routing)

BOOST_AUTO_TEST_CASE(an_unknown_namespace_is_service_unavailable_everywhere) { // 8.4
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto nobody = unique("nobody") + "@localhost";
  for (auto& to : {std::string{}, std::string{"localhost"}, romeo.bare(), juliet.bare(), nobody, nobody + "/x",
                   std::string{"localhost/resource"}}) {
    BOOST_TEST_CONTEXT("to '" << to << "'") {
      for (auto answer : {romeo.get("<query xmlns='urn:example:unknown'/>", to),
                          romeo.set("<query xmlns='urn:example:unknown'/>", to)}) {
        BOOST_TEST(condition(answer) == "service-unavailable");
        BOOST_TEST(error_type(answer) == "cancel");
        BOOST_TEST(
            (answer["from"] == to || (answer["from"] == "" && (to.empty() || to == romeo.bare())) || to.empty()));
      }
    }
  }
  BOOST_TEST(juliet.inbox().empty()); // not the client's to answer (RFC 6121, 8.5.2.1.3)
}

BOOST_AUTO_TEST_CASE(a_request_for_an_account_is_never_given_to_its_clients) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.get("<query xmlns='urn:example:unknown'/>", juliet.bare());
  juliet.get("<query xmlns='urn:example:unknown'/>");
  juliet.ping(juliet.bare());
  BOOST_TEST(juliet.inbox().empty());
}

BOOST_AUTO_TEST_CASE(an_iq_that_breaks_the_rules_is_a_bad_request) { // 8.2.3
  auto romeo = client{"romeo"};
  for (auto iq :
       {"<iq type='get' to='localhost' id='i'/>", "<iq type='set' to='localhost' id='i'/>",
        "<iq type='get' to='localhost' id='i'><ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='ask' to='localhost' id='i'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq to='localhost' id='i'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='' to='localhost' id='i'><ping xmlns='urn:xmpp:ping'/></iq>"}) {
    BOOST_TEST_CONTEXT(iq) {
      romeo.send_bytes(iq);
      romeo.receives("<iq type='error' id='i'>{}</iq>", error_of("modify", "bad-request"));
    }
  }
  romeo.send("<iq type='get' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"); // without an id
  romeo.receives("<iq type='error'>{}</iq>", error_of("modify", "bad-request"));
}

BOOST_AUTO_TEST_CASE(what_breaks_the_rules_is_answered_by_whom_it_was_for) { // 8.1.2.1, 8.3.1
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  for (auto stanza : {"<iq type='get' id='i'{}/>", "<iq type='ask' id='i'{}><ping xmlns='urn:xmpp:ping'/></iq>",
                      "<iq id='i'{}><ping xmlns='urn:xmpp:ping'/></iq>", "<presence type='invisible' id='i'{}/>"}) {
    BOOST_TEST_CONTEXT(stanza) {
      auto answer = stanza[1] == 'i' ? "<iq type='error' id='i'/>" : "<presence type='error' id='i'/>";
      romeo.send(stanza, raw_xml{""});
      auto from = romeo.receives(answer)["from"];
      BOOST_TEST((from.empty() || from == romeo.bare()), from);
      romeo.send(stanza, raw_xml{" to='" + juliet.full() + "'"});
      BOOST_TEST(romeo.receives(answer)["from"] == juliet.full());
    }
  }
}

BOOST_AUTO_TEST_CASE(answers_that_nobody_waits_for_are_taken_in_silence) {
  auto romeo = client{"romeo"};
  for (auto to : {"", " to='localhost'", " to='nobody-at-all@localhost'", " to='nobody-at-all@localhost/x'"}) {
    romeo.send("<iq type='result' id='x'{}/>", raw_xml{to});
    romeo.send("<iq type='result' id='x'{}><query xmlns='urn:example:q'/></iq>", raw_xml{to});
    romeo.send("<iq type='error' id='x'{}>{}</iq>", raw_xml{to}, error_of("cancel", "gone"));
  }
  romeo.ping();
  romeo.ping(romeo.bare());
  BOOST_TEST(romeo.inbox().empty());
}

BOOST_AUTO_TEST_CASE(no_error_answers_an_error) { // 8.3.1
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  for (auto& to : {unique("nobody") + "@localhost", juliet.bare() + "/gone", std::string{"localhost"},
                   std::string{"juliet@capulet.invalid"}, std::string{"@"}}) {
    romeo.send("<message type='error' id='e' to='{}'>{}</message>", to, error_of("cancel", "gone"));
    romeo.send("<presence type='error' id='e' to='{}'>{}</presence>", to, error_of("cancel", "gone"));
    romeo.send("<iq type='error' id='e' to='{}'>{}</iq>", to, error_of("cancel", "gone"));
  }
  romeo.ping();
  romeo.ping(romeo.bare());
  BOOST_TEST(!romeo.has("<message/>"));
  BOOST_TEST(!romeo.has("<presence/>"));
  BOOST_TEST(!romeo.has("<iq/>"));
}

BOOST_AUTO_TEST_CASE(from_is_stamped_and_may_be_one_s_own) { // 8.1.2.1
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  for (auto& from : {romeo.full(), romeo.bare()}) {
    romeo.send("<message to='{}' from='{}'><body>x</body></message>", juliet.full(), from);
    juliet.receives_next("<message from='{}'><body>x</body></message>", romeo.full());
  }
}

BOOST_AUTO_TEST_CASE(a_false_from_ends_the_stream) { // 8.1.2.1, 4.9.3.9
  auto juliet = client{"juliet"};
  for (auto& from : {juliet.full(), juliet.bare(), std::string{"localhost"}, std::string{}, std::string{"@@"}}) {
    for (auto form : {"<message to='{}' from='{}'><body>x</body></message>", "<presence to='{}' from='{}'/>",
                      "<iq to='{}' from='{}' type='set' id='i'><query xmlns='jabber:iq:roster'/></iq>",
                      "<iq to='{}' from='{}' type='ask' id='i'/>"}) {
      auto romeo = client{"romeo"};
      romeo.send(form, juliet.full(), from);
      BOOST_TEST_CONTEXT(form << " from " << from)
      BOOST_TEST(unless_ours(romeo.stream_error(), {"invalid-from"}) == "");
    }
  }
  auto romeo = client{"romeo"};
  romeo.send("<message to='{}' from='{}/elsewhere'><body>x</body></message>", juliet.full(), romeo.bare());
  BOOST_TEST(romeo.stream_error() == "invalid-from");
  juliet.ping(juliet.bare());
  BOOST_TEST(juliet.inbox().empty());
}

BOOST_AUTO_TEST_CASE(an_id_comes_back_as_it_was) {
  auto romeo = client{"romeo"};
  for (auto& id : {std::string{"&<>'\""}, std::string{" "}, std::string{"\u00fc😀"}, std::string(1'000, 'i')}) {
    romeo.send("<iq type='get' to='localhost' id='{}'><ping xmlns='urn:xmpp:ping'/></iq>", id);
    BOOST_TEST(romeo.next()["id"] == id);
  }
}

BOOST_AUTO_TEST_SUITE_END()
