#include "protocol/stanza.hpp"

#include "protocol/namespaces.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace xmpp;

namespace {

const auto romeo = jid::from_prepared("romeo@montague.lit/orchard");
const auto juliet = jid::from_prepared("juliet@capulet.lit");

xml::builder client(std::string_view name) {
  return xml::builder{name, ns::client};
}

element chat(std::string_view body) {
  return client("message").attribute("type", "chat").attribute("id", "m1").leaf("body", ns::client, body).finish();
}

element iq(std::string_view type, int children) {
  auto out = client("iq");
  out.attribute("type", type).attribute("id", "i1");
  for (auto i = 0; i < children; ++i)
    out.open("query", "urn:example").close();
  return out.finish();
}

errc code_of(const element& tree) {
  return stanza::parse(tree).code();
}

} // namespace

BOOST_AUTO_TEST_SUITE(stanzas)

// -- reading --

BOOST_AUTO_TEST_CASE(a_message_has_its_kind_type_and_addresses) {
  auto x = stanza::parse(client("message")
                             .attribute("from", "Romeo@montague.lit/orchard")
                             .attribute("to", "juliet@Capulet.lit")
                             .attribute("type", "chat")
                             .attribute("id", "m1")
                             .lang("it")
                             .leaf("body", ns::client, "ciao")
                             .finish());
  BOOST_REQUIRE(x.has_value());
  BOOST_TEST(x->is(stanza_kind::message, stanza_type::chat));
  BOOST_TEST(x->from.text() == "romeo@montague.lit/orchard");
  BOOST_TEST(x->to.text() == "juliet@capulet.lit");
  BOOST_TEST(x->id() == "m1");
  BOOST_TEST(x->lang() == "it");
  BOOST_TEST(x->payload().is("body", ns::client));
}

BOOST_AUTO_TEST_CASE(every_type_of_every_kind_is_known) {
  struct row {
    std::string_view name, type;
    stanza_type expected;
  };
  for (auto& r : std::vector<row>{{"message", "normal", stanza_type::normal},
                                  {"message", "chat", stanza_type::chat},
                                  {"message", "groupchat", stanza_type::groupchat},
                                  {"message", "headline", stanza_type::headline},
                                  {"message", "error", stanza_type::error},
                                  {"presence", "unavailable", stanza_type::unavailable},
                                  {"presence", "subscribe", stanza_type::subscribe},
                                  {"presence", "subscribed", stanza_type::subscribed},
                                  {"presence", "unsubscribe", stanza_type::unsubscribe},
                                  {"presence", "unsubscribed", stanza_type::unsubscribed},
                                  {"presence", "probe", stanza_type::probe},
                                  {"presence", "error", stanza_type::error}}) {
    auto x = stanza::parse(client(r.name).attribute("type", r.type).finish());
    BOOST_REQUIRE_MESSAGE(x.has_value(), r.type);
    BOOST_TEST((x->type == r.expected), r.type);
    BOOST_TEST(to_string(x->kind) == r.name);
  }
  BOOST_TEST((stanza::parse(iq("get", 1))->type == stanza_type::get));
  BOOST_TEST((stanza::parse(iq("set", 1))->type == stanza_type::set));
  BOOST_TEST((stanza::parse(iq("result", 0))->type == stanza_type::result));
  BOOST_TEST((stanza::parse(iq("error", 1))->type == stanza_type::error));
}

BOOST_AUTO_TEST_CASE(without_a_type_a_message_is_normal_and_a_presence_available) {
  BOOST_TEST((stanza::parse(client("message").finish())->type == stanza_type::normal));
  BOOST_TEST((stanza::parse(client("presence").finish())->type == stanza_type::available));
}

BOOST_AUTO_TEST_CASE(an_unknown_type_of_message_is_normal) { // RFC 6121, 5.2.2
  BOOST_TEST((stanza::parse(client("message").attribute("type", "shout").finish())->type == stanza_type::normal));
  BOOST_TEST((stanza::parse(client("message").attribute("type", "get").finish())->type == stanza_type::normal));
}

BOOST_AUTO_TEST_CASE(an_unknown_type_of_presence_or_iq_is_refused) {
  BOOST_TEST((code_of(client("presence").attribute("type", "available").finish()) == errc::bad_request));
  BOOST_TEST((code_of(client("presence").attribute("type", "").finish()) == errc::bad_request));
  BOOST_TEST((code_of(iq("subscribe", 1)) == errc::bad_request));
  BOOST_TEST((code_of(client("iq").attribute("id", "i1").finish()) == errc::bad_request));
}

BOOST_AUTO_TEST_CASE(an_iq_needs_an_id) { // RFC 6120, 8.2.3
  BOOST_TEST((code_of(client("iq").attribute("type", "result").finish()) == errc::bad_request));
}

BOOST_AUTO_TEST_CASE(a_request_has_exactly_one_child) { // RFC 6120, 8.2.3
  for (auto* type : {"get", "set"}) {
    BOOST_TEST((code_of(iq(type, 0)) == errc::bad_request));
    BOOST_TEST((code_of(iq(type, 1)) == errc::none));
    BOOST_TEST((code_of(iq(type, 2)) == errc::bad_request));
  }
}

BOOST_AUTO_TEST_CASE(other_elements_are_no_stanzas) {
  BOOST_TEST((code_of(client("query").finish()) == errc::unsupported_stanza_type));
  BOOST_TEST((code_of(xml::builder{"message", "urn:example"}.finish()) == errc::unsupported_stanza_type));
  BOOST_TEST((code_of(element{}) == errc::unsupported_stanza_type));
  BOOST_TEST((code_of(xml::builder{"message", ns::server}.finish()) == errc::none));
}

BOOST_AUTO_TEST_CASE(malformed_addresses_are_refused) {
  BOOST_TEST((code_of(client("message").attribute("to", "@capulet.lit").finish()) == errc::jid_malformed));
  BOOST_TEST((code_of(client("message").attribute("to", "").finish()) == errc::jid_malformed));
  BOOST_TEST((code_of(client("message").attribute("from", "a@b@c/").finish()) == errc::invalid_from));
  BOOST_TEST((code_of(client("message").attribute("from", "").finish()) == errc::invalid_from));
}

// -- writing --

BOOST_AUTO_TEST_CASE(addresses_and_type_come_first_and_from_the_members) {
  auto tree = client("message")
                  .attribute("from", "mallory@example.com")
                  .attribute("id", "m1")
                  .attribute("to", "nobody@example.com")
                  .attribute("type", "headline")
                  .lang("en")
                  .leaf("body", ns::client, "a < b & c")
                  .finish();
  auto x = stanza{tree, romeo, juliet};
  BOOST_TEST(x.serialize() == "<message from='romeo@montague.lit/orchard' to='juliet@capulet.lit' type='headline' "
                              "id='m1' xml:lang='en'><body>a &lt; b &amp; c</body></message>");
  x.type = stanza_type::chat;
  BOOST_TEST(x.serialize().find("type='chat'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_type_that_nobody_knows_is_not_sent_on) {
  auto x = stanza::parse(client("message").attribute("type", "shout").attribute("to", "juliet@capulet.lit").finish());
  BOOST_TEST(x->serialize() == "<message to='juliet@capulet.lit'/>");
}

BOOST_AUTO_TEST_CASE(what_xml_needs_escaped_in_an_address_is_escaped) {
  auto x = stanza{client("presence").finish(), jid::from_prepared("a@b/it's <me> & you"), {}};
  auto text = x.serialize();
  BOOST_TEST(text == "<presence from='a@b/it&apos;s &lt;me&gt; &amp; you'/>");
}

BOOST_AUTO_TEST_CASE(attributes_of_other_namespaces_stay) {
  auto tree = client("message").attribute("to", "urn:example", "far").attribute("id", "1").finish();
  auto text = stanza{tree, {}, juliet}.serialize();
  BOOST_TEST(text.find(" to='juliet@capulet.lit'") != std::string::npos);
  BOOST_TEST(text.find("xmlns:") != std::string::npos);
  BOOST_TEST(text.find("far") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(stanzas_are_appended_behind_each_other) {
  auto out = std::string{"<r/>"};
  auto x = stanza{chat("one"), {}, {}};
  x.append_to(out);
  x.append_to(out);
  BOOST_TEST(out == "<r/><message type='chat' id='m1'><body>one</body></message>"
                    "<message type='chat' id='m1'><body>one</body></message>");
}

// -- answers --

BOOST_AUTO_TEST_CASE(a_reply_goes_back_with_the_id) {
  auto x = stanza{iq("get", 1), romeo, juliet}.reply();
  BOOST_TEST(x.is(stanza_kind::iq, stanza_type::result));
  BOOST_TEST(x.from.text() == juliet.text());
  BOOST_TEST(x.to.text() == romeo.text());
  BOOST_TEST(x.serialize() == "<iq from='juliet@capulet.lit' to='romeo@montague.lit/orchard' type='result' id='i1'/>");
}

BOOST_AUTO_TEST_CASE(a_reply_carries_its_payload) {
  auto x = stanza{iq("get", 1), {}, {}}.reply(xml::builder{"query", ns::roster}.finish());
  BOOST_TEST(x.serialize() == "<iq type='result' id='i1'><query xmlns='jabber:iq:roster'/></iq>");
}

BOOST_AUTO_TEST_CASE(an_error_names_its_condition_and_type) { // RFC 6120, 8.3
  auto x = stanza{chat("hi"), romeo, juliet}.error_reply(errc::not_acceptable, "no");
  BOOST_TEST(x.is(stanza_kind::message, stanza_type::error));
  BOOST_TEST(x.serialize() ==
             "<message from='juliet@capulet.lit' to='romeo@montague.lit/orchard' type='error' id='m1'>"
             "<error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
             "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>no</text></error></message>");
}

BOOST_AUTO_TEST_CASE(an_error_may_have_an_application_condition) { // RFC 6120, 8.3.4
  auto x = stanza{chat("hi"), romeo, juliet}.error_reply(errc::not_acceptable,
                                                         xml::builder{"blocked", ns::blocking_errors}.finish());
  BOOST_TEST(x.payload().has_child("blocked", ns::blocking_errors));
  BOOST_TEST(x.payload().child_count() == 2u);
}

BOOST_AUTO_TEST_CASE(conditions_without_a_place_in_stanzas_are_replaced) {
  auto first = [](errc code) {
    return std::string{stanza{chat("hi"), romeo, juliet}.error_reply(code).payload().first_child().name()};
  };
  BOOST_TEST(first(errc::host_unknown) == "undefined-condition");
  BOOST_TEST(first(errc::storage_failure) == "internal-server-error");
}

BOOST_AUTO_TEST_CASE(a_message_without_an_id_is_answered_without_one) {
  auto x = stanza{client("message").finish(), romeo, juliet}.error_reply(errc::gone);
  BOOST_TEST(!x.tree.attribute("id").has_value());
}

BOOST_AUTO_TEST_CASE(errors_results_and_farewells_are_not_answered) { // RFC 6120, 8.3.1
  auto may = [](element tree) { return stanza{std::move(tree), {}, {}}.may_answer_with_error(); };
  BOOST_TEST(may(chat("hi")));
  BOOST_TEST(may(iq("get", 1)));
  BOOST_TEST(may(client("presence").finish()));
  BOOST_TEST(!may(iq("result", 0)));
  BOOST_TEST(!may(iq("error", 0)));
  BOOST_TEST(!may(client("message").attribute("type", "error").finish()));
  BOOST_TEST(!may(client("presence").attribute("type", "unavailable").finish()));
}

// -- changed copies --

BOOST_AUTO_TEST_CASE(a_child_can_be_added) {
  auto before = stanza{chat("hi"), romeo, juliet};
  auto after = before.with_child(delay_element(jid::from_prepared("capulet.lit"), 0));
  BOOST_TEST(after.serialize() ==
             "<message from='romeo@montague.lit/orchard' to='juliet@capulet.lit' type='chat' id='m1'><body>hi</body>"
             "<delay xmlns='urn:xmpp:delay' from='capulet.lit' stamp='1970-01-01T00:00:00.000Z'/></message>");
  BOOST_TEST(before.tree.child_count() == 1u);
}

BOOST_AUTO_TEST_CASE(children_can_be_taken_out_and_the_others_stay_in_their_order) {
  auto id = xml::builder{"stanza-id", "urn:xmpp:sid:0"}.attribute("by", "juliet@capulet.lit").finish();
  auto other = xml::builder{"stanza-id", "urn:xmpp:sid:0"}.attribute("by", "example.com").finish();
  auto last = xml::builder{"x", "urn:example"}.finish();
  auto x = stanza{chat("hi"), romeo, juliet}.with_child(id).with_child(other).with_child(id).with_child(last);
  auto y = x.without_children([](const element& child) { return child.attribute("by") == "juliet@capulet.lit"; });
  BOOST_TEST(y.serialize() == (stanza{chat("hi"), romeo, juliet}.with_child(other).with_child(last).serialize()));
  BOOST_TEST(x.without_children([](const element&) { return false; }).serialize() == x.serialize());
}

BOOST_AUTO_TEST_CASE(a_changed_copy_keeps_language_and_foreign_attributes) {
  auto tree = client("message").lang("fr").attribute("a", "urn:example", "b").finish();
  auto x = stanza{tree, {}, {}}.with_child(xml::builder{"x", "urn:example"}.finish());
  BOOST_TEST(x.lang() == "fr");
  BOOST_TEST((x.tree.attribute("a", "urn:example") == std::string_view{"b"}));
  tree = client("message").attribute("lang", ns::xml, "").finish(); // of no language
  x = stanza{tree, {}, {}}.with_child(xml::builder{"x", "urn:example"}.finish());
  BOOST_TEST((x.tree.attribute("lang", ns::xml) == std::string_view{""}));
}

BOOST_AUTO_TEST_CASE(times_are_utc_with_milliseconds) { // XEP-0082
  BOOST_TEST(format_time(0) == "1970-01-01T00:00:00.000Z");
  BOOST_TEST(format_time(1'795'360'325'007) == "2026-11-22T15:12:05.007Z");
  BOOST_TEST(format_time(951'782'399'999) == "2000-02-28T23:59:59.999Z");
  BOOST_TEST(format_time(951'782'400'000) == "2000-02-29T00:00:00.000Z");
}

BOOST_AUTO_TEST_SUITE_END()
