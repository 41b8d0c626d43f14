#include "protocol/caps.hpp"
#include "protocol/disco.hpp"
#include "protocol/iq.hpp"
#include "protocol/namespaces.hpp"
#include "tests/protocol/fake_context.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace xmpp;

namespace {

/// The answer's condition; `result` for a result.
std::string condition(const stanza& answer) {
  if (answer.type == stanza_type::result)
    return "result";
  return std::string{answer.payload().first_child().name()};
}

stanza ask(fake_context& at, const stanza& request) {
  auto place = at.account_jid.empty() ? iq_rule::at_host : iq_rule::at_account;
  if (auto found = find_record(request, place, [&](std::string_view name) -> found_record {
        auto i = at.put.find(name);
        return i == at.put.end() ? std::nullopt : std::optional{i->second};
      }))
    at.held = *found;
  return answer_iq(request, at);
}

element query(std::string_view ns, std::string_view name = "query") {
  return xml::builder{name, ns}.finish();
}

verdict sent(fake_context& at, const stanza& x) {
  for (auto* one : hooks_on_sent())
    if (auto said = one->on_sent(x, at); said.what != verdict::pass)
      return said;
  return {};
}

verdict received(fake_context& at, const stanza& x) {
  for (auto* one : hooks_on_received())
    if (auto said = one->on_received(x, at); said.what != verdict::pass)
      return said;
  return {};
}

stanza make(std::string_view kind, std::string_view type, const jid& from, const jid& to) {
  auto out = xml::builder{kind, ns::client};
  if (!type.empty())
    out.attribute("type", type);
  if (kind == "iq")
    out.attribute("id", "1").open("query", "urn:example");
  if (kind == "message")
    out.leaf("body", ns::client, "hi");
  return {out.finish(), from, to};
}

element private_query(std::vector<element> children) {
  auto out = xml::builder{"query", ns::private_xml};
  for (auto& x : children)
    out.child(x);
  return out.finish();
}

element note(std::string_view name, std::string_view text) {
  return xml::builder{name, "urn:notes"}.text(text).finish();
}

element block_command(std::string_view name, std::vector<std::string_view> items) {
  auto out = xml::builder{name, ns::blocking};
  for (auto x : items)
    out.open("item").attribute("jid", x).close();
  return out.finish();
}

element register_query(std::vector<std::pair<std::string_view, std::string_view>> fields) {
  auto out = xml::builder{"query", ns::registration};
  for (auto& [name, text] : fields)
    out.leaf(name, ns::registration, text);
  return out.finish();
}

} // namespace

BOOST_AUTO_TEST_SUITE(extensions_one_by_one)

// -- XEP-0012 --

BOOST_AUTO_TEST_CASE(a_host_tells_how_long_it_has_been_up) {
  auto at = fake_context{};
  at.be_host();
  at.info.started_ms = at.now - 123'456'999;
  BOOST_TEST(ask(at, at.get(query(ns::last_activity), at.stranger)).payload().bytes() ==
             "<query xmlns='jabber:iq:last' seconds='123456'/>");
}

BOOST_AUTO_TEST_CASE(an_account_tells_when_it_was_last_there) {
  auto at = fake_context{};
  at.last = {at.now - 903'000, "Heading Home"};
  BOOST_TEST(ask(at, at.get(query(ns::last_activity), at.friend_of)).payload().bytes() ==
             "<query xmlns='jabber:iq:last' seconds='903'>Heading Home</query>");
  at.views.resize(2); // connected, but not available
  BOOST_TEST(ask(at, at.get(query(ns::last_activity), at.friend_of)).payload().bytes() ==
             "<query xmlns='jabber:iq:last' seconds='903'>Heading Home</query>");
  at.views.back().available = true;
  BOOST_TEST(ask(at, at.get(query(ns::last_activity), at.friend_of)).payload().bytes() ==
             "<query xmlns='jabber:iq:last' seconds='0'/>");
}

BOOST_AUTO_TEST_CASE(strangers_do_not_learn_when_somebody_was_there) { // XEP-0012, 3
  auto at = fake_context{};
  BOOST_TEST(condition(ask(at, at.get(query(ns::last_activity), at.stranger))) == "forbidden");
  BOOST_TEST(condition(ask(at, at.get(query(ns::last_activity), at.friend_of))) == "item-not-found");
}

BOOST_AUTO_TEST_CASE(a_resource_is_not_asked_by_strangers_when_it_was_active) { // XEP-0012, 4
  auto at = fake_context{};
  auto asks = [&](const jid& from, std::string_view ns) {
    auto x = at.get(query(ns), from);
    x.to = at.own;
    return received(at, x);
  };
  BOOST_TEST((asks(at.stranger, ns::last_activity).code == errc::forbidden));
  BOOST_TEST((asks(at.friend_of, ns::last_activity).what == verdict::pass));
  BOOST_TEST((asks(at.stranger, ns::version).what == verdict::pass));
  auto to_account = at.get(query(ns::last_activity), at.stranger); // the answer will refuse it
  BOOST_TEST((received(at, to_account).what == verdict::pass));
}

// -- XEP-0030, 0115, 0157 --

BOOST_AUTO_TEST_CASE(a_host_says_what_it_is) {
  auto at = fake_context{};
  at.be_host();
  auto info = ask(at, at.get(query(ns::disco_info), at.stranger)).payload();
  auto identity = info.child("identity", ns::disco_info);
  BOOST_TEST(identity.attribute_or_empty("category") == "server");
  BOOST_TEST(identity.attribute_or_empty("type") == "im");
  auto features = std::vector<std::string>{};
  for (auto& x : info.children())
    if (x.name() == "feature")
      features.emplace_back(x.attribute_or_empty("var"));
  BOOST_TEST(features == all_host_features(), boost::test_tools::per_element());
  BOOST_TEST(!info.has_child("x", ns::data_forms));
}

BOOST_AUTO_TEST_CASE(contact_addresses_are_shown_when_there_are_some) { // XEP-0157, 3
  auto at = fake_context{};
  at.be_host();
  at.info.contacts = {{"abuse-addresses", {"mailto:abuse@capulet.lit", "xmpp:abuse@capulet.lit"}}};
  auto form = ask(at, at.get(query(ns::disco_info))).payload().child("x", ns::data_forms);
  BOOST_TEST(form.bytes() == "<x xmlns='jabber:x:data' type='result'><field type='hidden' var='FORM_TYPE'>"
                             "<value>http://jabber.org/network/serverinfo</value></field>"
                             "<field type='list-multi' var='abuse-addresses'><value>mailto:abuse@capulet.lit</value>"
                             "<value>xmpp:abuse@capulet.lit</value></field></x>");
}

BOOST_AUTO_TEST_CASE(the_node_of_the_capabilities_is_known_and_no_other) { // XEP-0115, 6.2
  auto at = fake_context{};
  at.be_host();
  at.info.contacts = {{"abuse-addresses", {"mailto:abuse@capulet.lit"}}};
  auto own = caps_element(caps_node, host_info_element(at.info, at.host_features()));
  auto node = std::string{own.attribute_or_empty("node")} + '#' + std::string{own.attribute_or_empty("ver")};
  auto ask_node = [&](std::string_view ns, std::string_view x) {
    return ask(at, at.get(xml::builder{"query", ns}.attribute("node", x).finish(), at.stranger));
  };
  auto info = ask_node(ns::disco_info, node);
  BOOST_REQUIRE(condition(info) == "result");
  BOOST_TEST(info.payload().attribute_or_empty("node") == node);
  BOOST_TEST((verify_caps(info.payload(), "sha-1", own.attribute_or_empty("ver")).code() == errc::none));
  BOOST_TEST(condition(ask_node(ns::disco_info, std::string{caps_node} + "#x")) == "item-not-found");
  BOOST_TEST(condition(ask_node(ns::disco_info, "urn:other")) == "item-not-found");
  BOOST_TEST(condition(ask_node(ns::disco_items, "urn:other")) == "item-not-found");
}

BOOST_AUTO_TEST_CASE(an_account_shows_itself_to_those_who_see_its_presence) { // XEP-0030, 8
  auto at = fake_context{};
  auto info = ask(at, at.get(query(ns::disco_info), at.friend_of));
  BOOST_TEST(info.payload().child("identity", ns::disco_info).attribute_or_empty("category") == "account");
  BOOST_TEST(condition(ask(at, at.get(query(ns::disco_info), at.stranger))) == "service-unavailable");
  BOOST_TEST(condition(ask(at, at.get(query(ns::disco_items), at.stranger))) == "service-unavailable");
}

BOOST_AUTO_TEST_CASE(an_anonymous_account_says_that_it_is_one) { // XEP-0175, 5
  auto at = fake_context{};
  auto type = [&] {
    auto info = ask(at, at.get(query(ns::disco_info)));
    return std::string{info.payload().child("identity", ns::disco_info).attribute_or_empty("type")};
  };
  BOOST_TEST(type() == "registered");
  at.anonymous = true;
  BOOST_TEST(type() == "anonymous");
}

BOOST_AUTO_TEST_CASE(no_items_are_no_error) { // XEP-0030, 4.1
  auto at = fake_context{};
  auto items = ask(at, at.get(query(ns::disco_items), at.friend_of));
  BOOST_TEST(items.payload().bytes() == "<query xmlns='http://jabber.org/protocol/disco#items'/>");
}

// -- XEP-0049 --

BOOST_AUTO_TEST_CASE(private_elements_come_back_as_they_were_stored) {
  auto at = fake_context{};
  BOOST_TEST(condition(ask(at, at.set(private_query({note("a", "1 < 2"), note("b", "two")})))) == "result");
  auto answer = ask(at, at.get(private_query({note("a", "")})));
  BOOST_TEST(answer.payload().bytes() == "<query xmlns='jabber:iq:private'><a xmlns='urn:notes'>1 &lt; 2</a></query>");
  BOOST_TEST(condition(ask(at, at.set(private_query({note("a", "new")})))) == "result");
  BOOST_TEST(ask(at, at.get(private_query({note("a", "")}))).payload().first_child().text() == "new");
}

BOOST_AUTO_TEST_CASE(what_was_never_stored_is_empty) {
  auto at = fake_context{};
  auto answer = ask(at, at.get(private_query({note("z", "ignored")})));
  BOOST_TEST(answer.payload().bytes() == "<query xmlns='jabber:iq:private'><z xmlns='urn:notes'/></query>");
}

BOOST_AUTO_TEST_CASE(private_requests_name_what_they_mean) { // XEP-0049, 2.3
  auto at = fake_context{};
  BOOST_TEST(condition(ask(at, at.get(private_query({})))) == "bad-request");
  BOOST_TEST(condition(ask(at, at.get(private_query({note("a", ""), note("b", "")})))) == "bad-request");
  BOOST_TEST(condition(ask(at, at.set(private_query({})))) == "not-acceptable");
}

BOOST_AUTO_TEST_CASE(namespaces_of_the_protocol_are_not_private) { // XEP-0049, 2.3
  auto at = fake_context{};
  for (auto ns : {ns::roster, ns::vcard, ns::client, ns::private_xml, ns::text{}, ns::text{"urn:a\nurn:b"}}) {
    auto x = xml::builder{"x", ns}.finish();
    BOOST_TEST(condition(ask(at, at.set(private_query({note("a", ""), x})))) == "not-acceptable", ns);
    BOOST_TEST(condition(ask(at, at.get(private_query({x})))) == "not-acceptable", ns);
  }
  BOOST_TEST(at.put.empty());
}

BOOST_AUTO_TEST_CASE(private_elements_are_bounded) {
  auto at = fake_context{};
  at.info.private_xml_elements_max = 2;
  at.info.private_xml_bytes_max = 60;
  BOOST_TEST(condition(ask(at, at.set(private_query({note("a", "1"), note("b", "1")})))) == "result");
  BOOST_TEST(condition(ask(at, at.set(private_query({note("c", "1")})))) == "resource-constraint");
  BOOST_TEST(condition(ask(at, at.set(private_query({note("b", "2")})))) == "result");
  BOOST_TEST(condition(ask(at, at.set(private_query({note("b", std::string(60, 'x'))})))) == "policy-violation");
}

BOOST_AUTO_TEST_CASE(nobody_elses_private_elements_are_read) {
  auto at = fake_context{};
  for (auto exists : {true, false}) {
    at.exists = exists;
    BOOST_TEST(condition(ask(at, at.get(private_query({note("a", "")}), at.friend_of))) == "forbidden");
    BOOST_TEST(condition(ask(at, at.set(private_query({note("a", "")}), at.friend_of))) == "forbidden");
  }
}

BOOST_AUTO_TEST_CASE(a_private_element_is_found_by_its_namespace_under_another_name) { // as clients use XEP-0083
  auto at = fake_context{};
  auto delimiter = [](std::string_view name, std::string_view text) {
    return xml::builder{name, "roster:delimiter"}.text(text).finish();
  };
  BOOST_TEST(condition(ask(at, at.set(private_query({note("a", "1"), delimiter("roster", "::"), note("b", "2")})))) ==
             "result");
  auto asks = [&](const element& x) { return std::string{ask(at, at.get(private_query({x}))).payload().bytes()}; };
  auto held = std::string{"<query xmlns='jabber:iq:private'><roster xmlns='roster:delimiter'>::</roster></query>"};
  BOOST_TEST(asks(delimiter("storage", "")) == held);
  BOOST_TEST(asks(delimiter("roster", "")) == held);
  BOOST_TEST(asks(note("a", "")) == "<query xmlns='jabber:iq:private'><a xmlns='urn:notes'>1</a></query>");
  auto other = xml::builder{"storage", "roster:other"}.finish();
  BOOST_TEST(asks(other) == "<query xmlns='jabber:iq:private'><storage xmlns='roster:other'/></query>");
  ask(at, at.set(private_query({delimiter("storage", "/")}))); // its own name counts first
  BOOST_TEST(asks(delimiter("storage", "")) ==
             "<query xmlns='jabber:iq:private'><storage xmlns='roster:delimiter'>/</storage></query>");
  BOOST_TEST(asks(delimiter("roster", "")) == held);
}

// -- XEP-0054 --

BOOST_AUTO_TEST_CASE(a_vcard_is_set_by_its_owner_and_read_by_all) {
  auto at = fake_context{};
  auto card = xml::builder{"vCard", ns::vcard}.leaf("FN", ns::vcard, "Juliet").finish();
  BOOST_TEST(condition(ask(at, at.set(card, at.stranger))) == "forbidden");
  at.exists = false;
  BOOST_TEST(condition(ask(at, at.set(card, at.stranger))) == "forbidden");
  at.exists = true;
  BOOST_TEST(condition(ask(at, at.set(card))) == "result");
  BOOST_TEST(ask(at, at.get(query(ns::vcard, "vCard"), at.stranger)).payload().bytes() == card.bytes());
}

BOOST_AUTO_TEST_CASE(no_vcard_reads_to_others_as_no_account) { // XEP-0054, 3.3
  auto at = fake_context{};
  BOOST_TEST(condition(ask(at, at.get(query(ns::vcard, "vCard")))) == "item-not-found");
  BOOST_TEST(condition(ask(at, at.get(query(ns::vcard, "vCard"), at.stranger))) == "service-unavailable");
  at.exists = false;
  BOOST_TEST(condition(ask(at, at.get(query(ns::vcard, "vCard"), at.stranger))) == "service-unavailable");
}

BOOST_AUTO_TEST_CASE(a_vcard_is_a_vcard_of_some_size) {
  auto at = fake_context{};
  at.info.vcard_bytes_max = 100;
  BOOST_TEST(condition(ask(at, at.set(query(ns::vcard, "card")))) == "bad-request");
  auto large = xml::builder{"vCard", ns::vcard}.text(std::string(100, 'x')).finish();
  BOOST_TEST(condition(ask(at, at.set(large))) == "policy-violation");
  BOOST_TEST(at.put.empty());
}

BOOST_AUTO_TEST_CASE(a_record_that_is_broken_is_an_error) {
  auto at = fake_context{};
  at.put["vcard"] = "<vCard";
  BOOST_TEST(condition(ask(at, at.get(query(ns::vcard, "vCard")))) == "internal-server-error");
}

// -- XEP-0077 --

BOOST_AUTO_TEST_CASE(one_who_is_signed_in_is_registered) {
  auto at = fake_context{};
  BOOST_TEST(ask(at, at.get(query(ns::registration))).payload().bytes() ==
             "<query xmlns='jabber:iq:register'><registered/><username>juliet</username><password/></query>");
  BOOST_TEST(condition(ask(at, at.get(query(ns::registration), at.friend_of))) == "service-unavailable");
  BOOST_TEST(condition(ask(at, at.set(register_query({{"remove", ""}}), at.friend_of))) == "service-unavailable");
  BOOST_TEST(!at.removed);
}

BOOST_AUTO_TEST_CASE(a_host_by_itself_changes_no_account) {
  auto at = fake_context{};
  at.be_host();
  auto change = at.set(register_query({{"username", "juliet"}, {"password", "r0m30"}}));
  BOOST_TEST(condition(ask(at, change)) == "service-unavailable");
  BOOST_TEST(!at.password.has_value());
}

BOOST_AUTO_TEST_CASE(a_password_is_changed_by_its_owner) { // XEP-0077, 3.3
  auto at = fake_context{};
  auto answer = ask(at, at.set(register_query({{"username", "Juliet"}, {"password", "r0m30"}})));
  BOOST_TEST(condition(answer) == "result");
  BOOST_TEST(at.password.value_or("") == "r0m30");
}

BOOST_AUTO_TEST_CASE(a_password_is_not_changed_to_nothing_nor_for_another) { // XEP-0077, 3.3
  auto at = fake_context{};
  BOOST_TEST(condition(ask(at, at.set(register_query({{"username", "juliet"}, {"password", ""}})))) == "bad-request");
  BOOST_TEST(condition(ask(at, at.set(register_query({{"password", "x"}})))) == "bad-request");
  BOOST_TEST(condition(ask(at, at.set(register_query({{"username", "juliet"}})))) == "bad-request");
  BOOST_TEST(condition(ask(at, at.set(register_query({{"username", "nurse"}, {"password", "x"}})))) == "not-allowed");
  BOOST_TEST(condition(ask(at, at.set(register_query({{"username", "juliet"}, {"password", "\x07"}})))) != "result");
  BOOST_TEST(!at.password.has_value());
}

BOOST_AUTO_TEST_CASE(a_guest_gets_no_password) { // XEP-0175: it would be an account that stays
  auto at = fake_context{};
  at.anonymous = true;
  BOOST_TEST(condition(ask(at, at.set(register_query({{"username", "juliet"}, {"password", "x"}})))) == "not-allowed");
  BOOST_TEST(!at.password.has_value());
}

BOOST_AUTO_TEST_CASE(no_error_repeats_a_password) { // XEP-0077, 3.3
  auto at = fake_context{};
  auto answer = ask(at, at.set(register_query({{"username", "nurse"}, {"password", "s3cret"}})));
  BOOST_TEST(answer.serialize().find("s3cret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_account_is_removed_by_its_owner) { // XEP-0077, 3.2
  auto at = fake_context{};
  BOOST_TEST(condition(ask(at, at.set(register_query({{"remove", ""}, {"username", "juliet"}})))) == "bad-request");
  BOOST_TEST(!at.removed);
  BOOST_TEST(condition(ask(at, at.set(register_query({{"remove", ""}})))) == "result");
  BOOST_TEST(at.removed);
}

// -- XEP-0092, 0199, 0202 --

BOOST_AUTO_TEST_CASE(the_version_is_told_without_the_system) {
  auto at = fake_context{};
  at.be_host();
  at.info.software_version = "0.1";
  BOOST_TEST(ask(at, at.get(query(ns::version), at.stranger)).payload().bytes() ==
             "<query xmlns='jabber:iq:version'><name>Troupe</name><version>0.1</version></query>");
  at.info.tells_version = false;
  BOOST_TEST(condition(ask(at, at.get(query(ns::version), at.stranger))) == "service-unavailable");
}

BOOST_AUTO_TEST_CASE(pings_are_answered) {
  auto at = fake_context{};
  auto ping = query(ns::ping, "ping");
  BOOST_TEST(ask(at, at.get(ping)).serialize() ==
             "<iq from='juliet@capulet.lit' to='juliet@capulet.lit/balcony' type='result' id='q1'/>");
  BOOST_TEST(condition(ask(at, at.get(ping, at.stranger))) == "service-unavailable");
  at.be_host();
  BOOST_TEST(condition(ask(at, at.get(ping, at.stranger))) == "result");
}

BOOST_AUTO_TEST_CASE(the_time_is_utc) {
  auto at = fake_context{};
  at.be_host();
  at.now = 1'166'551'115'000;
  BOOST_TEST(ask(at, at.get(query(ns::time, "time"))).payload().bytes() ==
             "<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2006-12-19T17:58:35.000Z</utc></time>");
}

// -- XEP-0191 --

BOOST_AUTO_TEST_CASE(a_block_list_is_read_and_changed) {
  auto at = fake_context{};
  BOOST_TEST(ask(at, at.get(query(ns::blocking, "blocklist"))).payload().bytes() ==
             "<blocklist xmlns='urn:xmpp:blocking'/>");
  BOOST_TEST(condition(ask(at, at.set(block_command("block", {"Romeo@montague.lit", "verona.lit"})))) == "result");
  BOOST_TEST(at.push->bytes() == "<block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.lit'/>"
                                 "<item jid='verona.lit'/></block>");
  BOOST_TEST(ask(at, at.get(query(ns::blocking, "blocklist"))).payload().child_count() == 2u);
  BOOST_TEST(condition(ask(at, at.set(block_command("unblock", {"verona.lit"})))) == "result");
  BOOST_TEST(at.push->bytes() == "<unblock xmlns='urn:xmpp:blocking'><item jid='verona.lit'/></unblock>");
  BOOST_TEST(at.blocked.size() == 1u);
  BOOST_TEST(condition(ask(at, at.set(block_command("unblock", {})))) == "result");
  BOOST_TEST(at.push->bytes() == "<unblock xmlns='urn:xmpp:blocking'/>");
  BOOST_TEST(at.blocked.empty());
}

BOOST_AUTO_TEST_CASE(a_block_names_somebody) { // XEP-0191, 3.3
  auto at = fake_context{};
  at.info.blocklist_items_max = 1;
  BOOST_TEST(condition(ask(at, at.set(block_command("block", {})))) == "bad-request");
  BOOST_TEST(condition(ask(at, at.set(block_command("ban", {"a@b"})))) == "bad-request");
  BOOST_TEST(condition(ask(at, at.set(block_command("block", {"@"})))) == "jid-malformed");
  BOOST_TEST(condition(ask(at, at.set(block_command("block", {"a@b", "c@d"})))) == "resource-constraint");
  BOOST_TEST(!at.push.has_value());
}

BOOST_AUTO_TEST_CASE(a_blocked_contact_meets_an_account_that_is_away) { // XEP-0191, 3.3
  auto at = fake_context{};
  at.blocked.add(at.stranger.bare());
  struct row {
    std::string_view kind, type;
    verdict::action expected;
  };
  for (auto& r : std::vector<row>{{"message", "", verdict::reject},
                                  {"message", "chat", verdict::reject},
                                  {"message", "groupchat", verdict::reject},
                                  {"message", "error", verdict::drop},
                                  {"iq", "get", verdict::reject},
                                  {"iq", "set", verdict::reject},
                                  {"iq", "result", verdict::drop},
                                  {"iq", "error", verdict::drop},
                                  {"presence", "", verdict::drop},
                                  {"presence", "unavailable", verdict::drop},
                                  {"presence", "subscribe", verdict::drop},
                                  {"presence", "probe", verdict::drop}}) {
    auto said = received(at, make(r.kind, r.type, at.stranger, at.own.bare()));
    BOOST_TEST((said.what == r.expected), r.kind << ' ' << r.type);
    if (said.what == verdict::reject) {
      BOOST_TEST((said.code == errc::service_unavailable));
      BOOST_TEST(!said.application_condition); // nothing that an absent account would not say
    }
    BOOST_TEST((received(at, make(r.kind, r.type, at.friend_of, at.own.bare())).what == verdict::pass));
  }
}

BOOST_AUTO_TEST_CASE(one_who_is_blocked_gets_the_answers_of_no_account) { // XEP-0191, 3.3
  auto at = fake_context{};
  at.blocked.add(at.stranger.bare());
  auto headline = make("message", "headline", at.stranger, at.own.bare());
  BOOST_TEST((received(at, headline).what == verdict::drop));
  auto set = at.set(query(ns::vcard, "vCard"), at.stranger);
  BOOST_TEST((received(at, set).code == errc::forbidden));
  auto get = at.get(query(ns::last_activity), at.stranger);
  BOOST_TEST((received(at, get).code == errc::forbidden));
  get.to = at.own;
  BOOST_TEST((received(at, get).code == errc::forbidden));
}

BOOST_AUTO_TEST_CASE(nothing_is_sent_to_a_blocked_contact) { // XEP-0191, 3.3
  auto at = fake_context{};
  at.blocked.add(at.stranger.bare());
  for (auto* kind : {"message", "presence"}) {
    auto said = sent(at, make(kind, "", at.own, at.stranger));
    BOOST_TEST((said.what == verdict::reject));
    BOOST_TEST((said.code == errc::not_acceptable));
    BOOST_TEST(said.application_condition.is("blocked", ns::blocking_errors));
    BOOST_TEST((sent(at, make(kind, "", at.own, at.friend_of)).what == verdict::pass));
    BOOST_TEST((sent(at, make(kind, "", at.own, {})).what == verdict::pass));
  }
}

BOOST_AUTO_TEST_CASE(no_list_locks_its_owner_out) { // XEP-0191, 5
  auto at = fake_context{};
  at.blocked.add(jid::from_prepared("capulet.lit"));
  at.blocked.add(at.own.bare());
  auto phone = at.own.with_resource("phone");
  BOOST_TEST((received(at, make("message", "chat", phone, at.own)).what == verdict::pass));
  BOOST_TEST((sent(at, make("message", "chat", at.own, phone)).what == verdict::pass));
  BOOST_TEST((sent(at, make("iq", "get", at.own, jid::from_prepared("capulet.lit"))).what == verdict::pass));
  BOOST_TEST((sent(at, make("message", "", at.own, jid::from_prepared("nurse@capulet.lit"))).what == verdict::reject));
}

BOOST_AUTO_TEST_SUITE_END()
