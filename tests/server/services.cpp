// What the server and accounts answer: XEP-0030, 0115, 0199, 0092, 0202, 0012, 0054, 0049, 0157.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/scram.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <regex>
#include <set>
#include <thread>

using namespace xmpp::test;

namespace {

constexpr auto info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

std::vector<std::string> features(const element& answer) {
  auto out = std::vector<std::string>{};
  if (auto query = answer.find("query"))
    for (auto x : query->all("feature"))
      out.push_back((*x)["var"]);
  return out;
}

bool has_identity(const element& answer, const std::string& category, const std::string& type) {
  return matches(answer, parse_element(format("<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>"
                                              "<identity category='{}' type='{}'/></query></iq>",
                                              category, type)));
}

/// XEP-0115, 5.1, for a result of disco#info.
std::string verification_string(const element& answer) {
  auto query = answer.find("query");
  auto out = std::string{};
  auto parts = std::set<std::string>{};
  for (auto x : query->all("identity"))
    parts.insert((*x)["category"] + "/" + (*x)["type"] + "/" + (*x)["xml:lang"] + "/" + (*x)["name"] + "<");
  for (auto& x : parts)
    out += x;
  parts.clear();
  for (auto& x : features(answer))
    parts.insert(x + "<");
  for (auto& x : parts)
    out += x;
  auto forms = std::map<std::string, std::string>{};
  for (auto form : query->all("x", "jabber:x:data")) {
    auto type = std::string{}, text = std::string{};
    auto fields = std::map<std::string, std::set<std::string>>{};
    for (auto field : form->all("field")) {
      if ((*field)["var"] == "FORM_TYPE")
        type = field->text_of("value");
      else
        for (auto value : field->all("value"))
          fields[(*field)["var"]].insert(value->text);
    }
    for (auto& [name, values] : fields) {
      text += name + "<";
      for (auto& value : values)
        text += value + "<";
    }
    forms[type] = text;
  }
  for (auto& [type, text] : forms)
    out += type + "<" + text;
  return base64(sha1(out));
}

} // namespace

BOOST_AUTO_TEST_SUITE(services)

// -- XEP-0030, XEP-0115, XEP-0157 -------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_server_says_what_it_is_and_can_do) {
  auto romeo = client{"romeo"};
  auto answer = romeo.get(info, "localhost");
  BOOST_TEST(has_identity(answer, "server", "im"));
  auto all = features(answer);
  for (auto wanted : {"http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items",
                      "urn:xmpp:ping", "jabber:iq:version", "urn:xmpp:time", "jabber:iq:last", "vcard-temp",
                      "urn:xmpp:blocking", "jabber:iq:private", "msgoffline", "jabber:iq:roster"}) {
    if (std::string_view{wanted} == "jabber:iq:private" || std::string_view{wanted} == "jabber:iq:roster")
      continue; // not every specification asks for its announcement
    BOOST_TEST_CONTEXT(wanted)
    BOOST_TEST((std::find(all.begin(), all.end(), wanted) != all.end()));
  }
  BOOST_TEST((std::set<std::string>{all.begin(), all.end()}.size() == all.size())); // each once
}

BOOST_AUTO_TEST_CASE(the_server_s_capabilities_are_in_its_features_and_true) { // XEP-0115, 6.3
  auto romeo = client{"romeo"};
  auto caps = romeo.last_features().find("c", "http://jabber.org/protocol/caps");
  BOOST_REQUIRE(caps);
  BOOST_TEST((*caps)["hash"] == "sha-1");
  auto plain = romeo.get(info, "localhost");
  BOOST_TEST(verification_string(plain) == (*caps)["ver"]);
  auto node = (*caps)["node"] + "#" + (*caps)["ver"];
  auto answer =
      romeo.get(format("<query xmlns='http://jabber.org/protocol/disco#info' node='{}'/>", node), "localhost");
  BOOST_REQUIRE(answer.find("query"));
  BOOST_TEST((*answer.find("query"))["node"] == node);
  BOOST_TEST(verification_string(answer) == (*caps)["ver"]);
}

BOOST_AUTO_TEST_CASE(an_unknown_node_is_item_not_found) { // XEP-0030, 3.2
  auto romeo = client{"romeo"};
  BOOST_TEST(condition(romeo.get("<query xmlns='http://jabber.org/protocol/disco#info' node='none'/>", "localhost")) ==
             "item-not-found");
  BOOST_TEST(unless_ours(condition(romeo.get("<query xmlns='http://jabber.org/protocol/disco#items' node='none'/>",
                                             "localhost")),
                         {"item-not-found", ""}) == "");
}

BOOST_AUTO_TEST_CASE(no_items_are_a_result_without_items) { // XEP-0030, 4.1
  auto romeo = client{"romeo"};
  for (auto& to : {std::string{"localhost"}, romeo.bare()}) {
    auto answer = romeo.get("<query xmlns='http://jabber.org/protocol/disco#items'/>", to);
    BOOST_TEST(answer["type"] == "result");
    BOOST_TEST(answer.find("query", "http://jabber.org/protocol/disco#items"));
  }
}

BOOST_AUTO_TEST_CASE(an_account_shows_itself_to_those_who_may_see_it) { // XEP-0030, 8
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto nobody = unique("nobody") + "@localhost";
  BOOST_TEST(has_identity(romeo.get(info, romeo.bare()), "account", "registered"));
  BOOST_TEST(has_identity(romeo.get(info), "account", "registered"));
  auto hidden = romeo.get(info, juliet.bare());
  auto missing = romeo.get(info, nobody);
  BOOST_TEST(condition(hidden) == "service-unavailable");
  BOOST_TEST(hidden.find("error")->to_string() == missing.find("error")->to_string());
  befriend(romeo, juliet);
  BOOST_TEST(has_identity(romeo.get(info, juliet.bare()), "account", "registered"));
}

BOOST_AUTO_TEST_CASE(the_server_says_whom_to_write_to) { // XEP-0157, 3
  auto romeo = client{"romeo"};
  auto answer = romeo.get(info, "localhost");
  BOOST_TEST(matches(
      answer,
      parse_element("<iq><query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data' type='result'>"
                    "<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>"
                    "<field var='abuse-addresses'><value>mailto:abuse@localhost</value>"
                    "<value>xmpp:abuse@localhost</value></field></x></query></iq>")));
}

// -- XEP-0199, XEP-0092, XEP-0202, XEP-0012 ---------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(server_and_account_answer_pings) {
  auto romeo = client{"romeo"};
  for (auto& to : {std::string{"localhost"}, romeo.bare(), std::string{}}) {
    auto answer = romeo.get("<ping xmlns='urn:xmpp:ping'/>", to);
    BOOST_TEST(answer["type"] == "result");
    BOOST_TEST(answer.children.empty());
    // One's own account may speak without a name (10.3.3).
    BOOST_TEST(
        (answer["from"] == to || (to != "localhost" && (answer["from"] == "" || answer["from"] == romeo.bare()))));
  }
}

BOOST_AUTO_TEST_CASE(a_client_answers_its_own_pings) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.send("<iq type='get' to='{}' id='p'><ping xmlns='urn:xmpp:ping'/></iq>", juliet.full());
  juliet.receives("<iq type='get' from='{}' id='p'><ping xmlns='urn:xmpp:ping'/></iq>", romeo.full());
  juliet.send("<iq type='result' to='{}' id='p'/>", romeo.full());
  romeo.receives("<iq type='result' from='{}' id='p'/>", juliet.full());
}

BOOST_AUTO_TEST_CASE(the_server_tells_its_name_and_version_but_not_its_system) {
  auto romeo = client{"romeo"};
  auto answer = romeo.get("<query xmlns='jabber:iq:version'/>", "localhost");
  auto query = answer.find("query");
  BOOST_REQUIRE(query);
  BOOST_TEST(query->text_of("name") == "Troupe");
  BOOST_TEST(query->text_of("version") != "");
  BOOST_TEST(!query->find("os"));
}

BOOST_AUTO_TEST_CASE(the_server_tells_the_time) {
  auto romeo = client{"romeo"};
  auto answer = romeo.get("<time xmlns='urn:xmpp:time'/>", "localhost");
  auto time = answer.find("time", "urn:xmpp:time");
  BOOST_REQUIRE(time);
  BOOST_TEST(std::regex_match(time->text_of("utc"), std::regex{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)"}));
  BOOST_TEST(std::regex_match(time->text_of("tzo"), std::regex{R"([+-]\d\d:\d\d|Z)"}));
}

BOOST_AUTO_TEST_CASE(the_server_tells_how_long_it_runs) { // XEP-0012, 5
  auto romeo = client{"romeo"};
  auto answer = romeo.get("<query xmlns='jabber:iq:last'/>", "localhost");
  BOOST_REQUIRE(answer.find("query"));
  BOOST_TEST(std::regex_match((*answer.find("query"))["seconds"], std::regex{"[0-9]+"}));
}

BOOST_AUTO_TEST_CASE(last_activity_is_for_those_who_see_presence) { // XEP-0012, 3, 4, 8
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto last = std::string{"<query xmlns='jabber:iq:last'/>"};
  BOOST_TEST(unless_ours(condition(romeo.get(last, juliet.bare())), {"forbidden", "service-unavailable"}) == "");
  befriend(romeo, juliet);
  auto online = romeo.get(last, juliet.bare());
  BOOST_REQUIRE(online.find("query"));
  BOOST_TEST((*online.find("query"))["seconds"] == "0");
  juliet.send("<presence type='unavailable'><status>to bed</status></presence>");
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  for (auto is_connected : {true, false}) { // who says that she is not there is not seen to be
    if (!is_connected) {
      juliet.leaves();
      juliet.ends();
      romeo.ping(juliet.bare());
    } else if (shared_server().is_peer()) {
      continue;
    }
    auto offline = romeo.get(last, juliet.bare());
    BOOST_REQUIRE(offline.find("query"));
    BOOST_TEST(offline.find("query")->text == "to bed");
    BOOST_TEST(std::regex_match((*offline.find("query"))["seconds"], std::regex{"[0-9]+"}));
  }
}

BOOST_AUTO_TEST_CASE(the_end_of_a_session_that_was_not_available_is_no_activity) { // XEP-0012, 4
  if (shared_server().is_peer())
    return;
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  juliet.send("<presence type='unavailable'><status>to bed</status></presence>");
  romeo.receives("<presence from='{}' type='unavailable'/>", juliet.full());
  auto last = [&] { return *romeo.get("<query xmlns='jabber:iq:last'/>", juliet.bare()).find("query"); };
  while (last()["seconds"] == "0")
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  juliet.leaves();
  juliet.ends();
  romeo.ping(juliet.bare());
  BOOST_TEST(last()["seconds"] != "0");
  BOOST_TEST(last().text == "to bed");
}

// -- XEP-0054 ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_vcard_is_kept_and_shown_to_everybody) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto card = std::string{"<vCard xmlns='vcard-temp'><FN>Romeo &amp; co</FN><N><FAMILY>Montague</FAMILY></N>"
                          "<PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO></vCard>"};
  BOOST_TEST(unless_ours(condition(romeo.get("<vCard xmlns='vcard-temp'/>")), {"item-not-found", ""}) == "");
  BOOST_TEST(romeo.set(card)["type"] == "result");
  auto wanted = parse_element("<iq type='result'>" + card + "</iq>");
  BOOST_TEST(matches(romeo.get("<vCard xmlns='vcard-temp'/>"), wanted));
  BOOST_TEST(matches(juliet.get("<vCard xmlns='vcard-temp'/>", romeo.bare()), wanted));
  romeo.leaves(); // and while he is away
  romeo.ends();
  auto answer = juliet.get("<vCard xmlns='vcard-temp'/>", romeo.bare());
  BOOST_TEST(matches(answer, wanted));
  BOOST_TEST(answer["from"] == romeo.bare());
}

BOOST_AUTO_TEST_CASE(no_vcard_and_no_account_look_alike) { // XEP-0054, 3.3
  auto romeo = client{"romeo"};
  auto without = romeo.get("<vCard xmlns='vcard-temp'/>", registers("nurse").bare());
  auto missing = romeo.get("<vCard xmlns='vcard-temp'/>", unique("nobody") + "@localhost");
  BOOST_TEST(condition(without) == "service-unavailable");
  BOOST_TEST(condition(missing) == "service-unavailable");
  BOOST_TEST(without.find("error")->to_string() == missing.find("error")->to_string());
}

BOOST_AUTO_TEST_CASE(a_vcard_is_its_owner_s_to_write) { // XEP-0054, 3.2
  auto romeo = client{"romeo"};
  auto mallory = client{"mallory"};
  romeo.set("<vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard>");
  auto answer = mallory.set("<vCard xmlns='vcard-temp'><FN>Fool</FN></vCard>", romeo.bare());
  BOOST_TEST(unless_ours(condition(answer), {"forbidden", "not-allowed"}) == "");
  BOOST_TEST(romeo.get("<vCard xmlns='vcard-temp'/>").find("vCard")->text_of("FN") == "Romeo");
}

BOOST_AUTO_TEST_CASE(a_vcard_that_is_too_large_changes_nothing) {
  auto romeo = client{"romeo"};
  romeo.set("<vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard>");
  auto answer = romeo.set("<vCard xmlns='vcard-temp'><FN>" + std::string(200'000, 'x') + "</FN></vCard>");
  BOOST_TEST(unless_ours(condition(answer),
                         {"policy-violation", "not-acceptable", "resource-constraint", "not-allowed"}) == "");
  BOOST_TEST(romeo.get("<vCard xmlns='vcard-temp'/>").find("vCard")->text_of("FN") == "Romeo");
}

// -- XEP-0049 ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(private_xml_is_kept_by_name_and_namespace) { // 2.3
  auto romeo = client{"romeo"};
  auto store = [&](const std::string& xml) {
    return romeo.set("<query xmlns='jabber:iq:private'>" + xml + "</query>")["type"];
  };
  auto load = [&](const std::string& xml) {
    auto answer = romeo.get("<query xmlns='jabber:iq:private'>" + xml + "</query>");
    BOOST_REQUIRE(answer.find("query"));
    BOOST_REQUIRE(answer.find("query")->children.size() == 1u);
    return answer.find("query")->children[0];
  };
  BOOST_TEST(store("<a xmlns='urn:example:one'><b c='&lt;'>text</b></a>") == "result");
  BOOST_TEST(store("<a xmlns='urn:example:two'>two</a>") == "result");
  BOOST_TEST(load("<a xmlns='urn:example:one'/>").to_string() ==
             parse_element("<a xmlns='urn:example:one'><b c='&lt;'>text</b></a>").to_string());
  BOOST_TEST(load("<a xmlns='urn:example:two'/>").text == "two");
  auto none = load("<z xmlns='urn:example:none'/>");
  BOOST_TEST((none.name == "z" && none.ns == "urn:example:none" && none.children.empty()));
  // Clients that ask for what they stored under another name (XEP-0083 and others).
  store("<roster xmlns='roster:delimiter'>::</roster>");
  BOOST_TEST(load("<storage xmlns='roster:delimiter'/>").to_string() ==
             parse_element("<roster xmlns='roster:delimiter'>::</roster>").to_string());
  store("<a xmlns='urn:example:one'/>"); // replaced, not added to
  BOOST_TEST(load("<a xmlns='urn:example:one'/>").children.empty());
  auto later = client{romeo.who(), {.resource = "later"}};
  BOOST_TEST(
      later.get("<query xmlns='jabber:iq:private'><a xmlns='urn:example:two'/></query>").to_string().find("two</a>") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(private_xml_is_its_owner_s_alone) { // 2.3
  auto romeo = client{"romeo"};
  auto mallory = client{"mallory"};
  romeo.set("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'>secret</a></query>");
  auto read = mallory.get("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'/></query>", romeo.bare());
  BOOST_TEST(unless_ours(condition(read), {"forbidden", "service-unavailable"}) == "");
  BOOST_TEST(read.to_string().find("secret") == std::string::npos);
  mallory.set("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'>forged</a></query>", romeo.bare());
  BOOST_TEST(
      romeo.get("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'/></query>").to_string().find("secret") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(private_xml_without_content_or_in_a_reserved_namespace_is_refused) { // 2.3
  auto romeo = client{"romeo"};
  BOOST_TEST(
      unless_ours(condition(romeo.set("<query xmlns='jabber:iq:private'/>")), {"not-acceptable", "bad-request"}) == "");
  BOOST_TEST(
      unless_ours(condition(romeo.get("<query xmlns='jabber:iq:private'/>")), {"bad-request", "not-acceptable"}) == "");
  BOOST_TEST(condition(romeo.set("<query xmlns='jabber:iq:private'><a xmlns='jabber:iq:roster'/></query>")) ==
             "not-acceptable");
}

BOOST_AUTO_TEST_CASE(private_xml_that_is_too_large_changes_nothing) {
  auto romeo = client{"romeo"};
  auto answer = romeo.set("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'>" + std::string(200'000, 'x') +
                          "</a></query>");
  BOOST_TEST(unless_ours(condition(answer),
                         {"policy-violation", "not-acceptable", "resource-constraint", "not-allowed"}) == "");
  BOOST_TEST(romeo.get("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'/></query>").to_string().size() <
             1'000u);
}

// -- XEP-0153 ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_avatar_s_hash_travels_with_presence) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  romeo.send("<presence><x "
             "xmlns='vcard-temp:x:update'><photo>01b87fcd030b72895ff8e88db57ec525450f000d</photo></x></presence>");
  juliet.receives("<presence from='{}'><x xmlns='vcard-temp:x:update'>"
                  "<photo>01b87fcd030b72895ff8e88db57ec525450f000d</photo></x></presence>",
                  romeo.full());
}

BOOST_AUTO_TEST_CASE(private_elements_sent_in_one_go_are_all_found) { // XEP-0049
  auto romeo = client{"romeo"};
  auto all = std::string{};
  for (auto i = 0; i < 20; ++i)
    all += format("<iq type='set' id='p{}'><query xmlns='jabber:iq:private'><a{} xmlns='urn:{}'>{}</a{}></query></iq>",
                  i, i, i, i, i);
  romeo.send_bytes(all);
  romeo.receives("<iq id='p19' type='result'/>");
  for (auto i = 0; i < 20; ++i) // by its namespace alone
    BOOST_TEST(romeo.get(format("<query xmlns='jabber:iq:private'><any xmlns='urn:{}'/></query>", i))
                   .to_string()
                   .find(format(">{}</a{}>", i, i)) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(capabilities_are_asked_for_and_count_when_they_are_proved) { // XEP-0115, 6.2 and 9.3
  auto& here = shared_server();
  if (here.is_peer())
    return;
  // The example of 5.2.
  auto says = [](client& x) {
    x.send("<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://code.google.com/p/exodus' "
           "ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>");
  };
  auto answers = [](client& x, const std::string& more) {
    auto asked = x.receives("<iq type='get' from='localhost'><query xmlns='http://jabber.org/protocol/disco#info' "
                            "node='http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0='/></iq>");
    x.send_bytes(format("<iq type='result' to='localhost' id='{}'><query xmlns='http://jabber.org/protocol/disco#info' "
                        "node='http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0='>"
                        "<identity category='client' name='Exodus 0.9.1' type='pc'/>"
                        "<feature var='http://jabber.org/protocol/caps'/>"
                        "<feature var='http://jabber.org/protocol/disco#info'/>"
                        "<feature var='http://jabber.org/protocol/disco#items'/>"
                        "<feature var='http://jabber.org/protocol/muc'/>",
                        asked["id"]) +
                 more + "</query></iq>");
    x.ping();
  };
  auto features = [&](client& x) {
    auto shown = here.shell("inspect " + x.full());
    auto line = shown.find("features of the client");
    return shown.substr(line, shown.find('\n', line) - line);
  };
  auto mallory = client{"mallory"}, romeo = client{"romeo"}, juliet = client{"juliet"};
  says(mallory);
  answers(mallory, "<feature var='urn:xmpp:everything'/>"); // poison
  BOOST_TEST(features(mallory).find("not known") != std::string::npos);
  says(romeo);
  answers(romeo, "");
  BOOST_TEST(features(romeo).find("4, verified") != std::string::npos, features(romeo));
  says(juliet); // The same client: what romeo's has proved counts.
  juliet.ping();
  BOOST_TEST(features(juliet).find("4, verified") != std::string::npos);
  BOOST_TEST(!juliet.has("<iq type='get'/>"));
}

BOOST_AUTO_TEST_SUITE_END()
