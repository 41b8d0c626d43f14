#include "actors/trace.hpp"

#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto romeo = "romeo@example.com/orchard"_jid;
const auto juliet = "juliet@example.com/balcony"_jid;

stanza message() {
  return stanza_of("<message type='chat' id='m1'><body>secret words</body></message>", romeo, juliet);
}
void notes(const jid& actor, const stanza& what = message()) {
  trace::note(trace::station::handled, "user", actor, what);
}

} // namespace

BOOST_AUTO_TEST_SUITE(watching_stanzas)

BOOST_AUTO_TEST_CASE(costs_nothing_while_nobody_does) {
  BOOST_TEST(trace::watchers.load() == 0);
  {
    auto one = trace::watch{romeo.bare(), false};
    BOOST_TEST(trace::watchers.load() == 1);
  }
  BOOST_TEST(trace::watchers.load() == 0);
}

BOOST_AUTO_TEST_CASE(shows_what_goes_to_from_and_through_the_address) {
  auto from = trace::watch{romeo.bare(), false};
  auto to = trace::watch{juliet.bare(), false};
  auto through = trace::watch{"nurse@example.com"_jid, false};
  auto nobody = trace::watch{"tybalt@example.com"_jid, false};
  notes("nurse@example.com/x"_jid);
  BOOST_TEST(from.take().size() == 1u);
  BOOST_TEST(to.take().size() == 1u);
  BOOST_TEST(through.take().size() == 1u);
  BOOST_TEST(nobody.take().empty());
}

BOOST_AUTO_TEST_CASE(a_bare_jid_means_all_resources_a_full_one_itself_a_domain_all_of_it) {
  auto full = trace::watch{romeo, false};
  auto other = trace::watch{"romeo@example.com/elsewhere"_jid, false};
  auto domain = trace::watch{"example.com"_jid, false};
  auto other_domain = trace::watch{"example.org"_jid, false};
  notes(juliet);
  BOOST_TEST(full.take().size() == 1u);
  BOOST_TEST(other.take().empty());
  BOOST_TEST(domain.take().size() == 1u);
  BOOST_TEST(other_domain.take().empty());
}

BOOST_AUTO_TEST_CASE(tells_what_it_was_and_never_its_body) {
  auto it = trace::watch{romeo.bare(), false};
  notes(juliet);
  auto seen = it.take();
  BOOST_REQUIRE(seen.size() == 1u);
  BOOST_TEST((seen[0].where == trace::station::handled));
  BOOST_TEST(seen[0].actor == "user juliet@example.com/balcony");
  BOOST_TEST(seen[0].from == romeo.text());
  BOOST_TEST(seen[0].to == juliet.text());
  BOOST_TEST(seen[0].summary.find("message chat id=m1, ") == 0u);
  BOOST_TEST(seen[0].summary.find("secret") == std::string::npos);
  BOOST_TEST(seen[0].xml.empty());
  BOOST_TEST(seen[0].at_us > 0);
}

BOOST_AUTO_TEST_CASE(tells_the_whole_stanza_to_who_asked_for_bodies) {
  auto it = trace::watch{romeo.bare(), true};
  notes(juliet);
  BOOST_TEST(it.take().at(0).xml.find("secret words") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(shows_nobody_a_password) { // XEP-0077, 3.3
  auto it = trace::watch{romeo.bare(), true};
  auto shown = [&](const std::string& text) {
    notes(juliet, stanza_of(text, romeo, juliet));
    return it.take().at(0).xml;
  };
  BOOST_TEST(shown("<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>romeo</username>"
                   "<password>balcony &amp; rope</password></query></iq>") ==
             "<iq from='romeo@example.com/orchard' to='juliet@example.com/balcony' type='set' id='r'>"
             "<query xmlns='jabber:iq:register'><username>romeo</username><password>***</password></query></iq>");
  auto form = shown("<iq type='set' id='f'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>"
                    "<field var='username'><value>romeo</value></field><field var='password'><value>balcony</value>"
                    "</field><field var='pin' type='text-private'><value>4711</value></field></x></query></iq>");
  BOOST_TEST(form.find("<value>romeo</value>") != std::string::npos, form);
  BOOST_TEST(form.find("balcony<") == std::string::npos, form);
  BOOST_TEST(form.find("4711") == std::string::npos, form);
  BOOST_TEST(form.ends_with("type='text-private'>***</field></x></query></iq>"), form);
  BOOST_TEST(shown("<message><auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AHJvbWVv</auth></message>").find("AHJv") ==
             std::string::npos);
  BOOST_TEST(shown("<message><password/></message>").find("<password/>") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(tells_what_an_iq_asks) {
  auto it = trace::watch{romeo.bare(), false};
  notes(juliet, stanza_of("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>", romeo, juliet));
  BOOST_TEST(it.take().at(0).summary.find("iq get id=p ping urn:xmpp:ping, ") == 0u);
}

BOOST_AUTO_TEST_CASE(hands_out_each_event_once_oldest_first) {
  auto it = trace::watch{romeo.bare(), false};
  notes(juliet);
  notes(romeo);
  auto seen = it.take();
  BOOST_REQUIRE(seen.size() == 2u);
  BOOST_TEST(seen[0].actor == "user juliet@example.com/balcony");
  BOOST_TEST(it.take().empty());
}

BOOST_AUTO_TEST_CASE(counts_what_a_slow_watcher_misses) {
  auto it = trace::watch{romeo.bare(), false};
  for (auto i = std::size_t{0}; i < trace::watch::events_max + 5; ++i)
    notes(juliet);
  BOOST_TEST(it.dropped() == 5u);
  BOOST_TEST(it.take().size() == trace::watch::events_max);
  notes(juliet);
  BOOST_TEST(it.take().size() == 1u);
  BOOST_TEST(it.dropped() == 5u);
}

BOOST_AUTO_TEST_CASE(has_a_word_for_every_station) {
  auto words = std::set<std::string_view>{};
  for (auto i = 0; i <= int(trace::station::refused); ++i)
    words.insert(to_string(trace::station(i)));
  BOOST_TEST(words.size() == 6u);
  BOOST_TEST(words.count("?") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
