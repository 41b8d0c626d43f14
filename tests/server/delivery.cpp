// RFC 6121, 8: which resources get a stanza, and what its sender hears. Every row of the table is tested on values in
// tests/protocol; here stand the rows as two people see them.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <memory>

using namespace xmpp::test;

namespace {

/// Juliet with a resource for every case: available at 5, at 0, at -1, and bound without presence.
struct juliet_everywhere {
  account who = registers("juliet");
  std::map<std::string, std::unique_ptr<client>> at;
  client romeo{"romeo"};

  explicit juliet_everywhere(std::initializer_list<const char*> resources) {
    for (auto resource : resources) {
      auto priority = resource[0] == 'h' ? 5 : resource[0] == 'm' ? -1 : 0;
      at[resource] =
          std::make_unique<client>(who, client_options{.state = resource[0] == 'b' ? upto::bound : upto::available,
                                                       .resource = resource,
                                                       .priority = priority});
    }
    for (auto& [resource, x] : at)
      x->ping(who.bare());
    for (auto& [resource, x] : at)
      x->ping(), x->forget();
  }

  /// Sends a message; returns who got it, in alphabetical order, and `error CONDITION` when the sender heard of it.
  std::string message(const std::string& to, const std::string& type) {
    auto id = romeo.fresh_id();
    romeo.send("<message to='{}'{} id='{}'><body>hi</body>{}</message>", to,
               raw_xml{type.empty() ? "" : " type='" + type + "'"}, id,
               raw_xml{type == "error" ? error_of("cancel", "gone").xml : ""});
    return outcome("message", id);
  }

  std::string outcome(const std::string& name, const std::string& id) {
    romeo.ping(who.bare());
    auto got = std::string{};
    for (auto& [resource, x] : at) {
      settle(romeo, *x);
      auto n = x->count(format("<{} id='{}'/>", name, id));
      for (auto i = std::size_t{0}; i < n; ++i)
        got += (got.empty() ? "" : " ") + resource;
      x->forget();
    }
    for (auto& x : romeo.inbox())
      if (x["id"] == id)
        got += (got.empty() ? "error " : " error ") + condition(x);
    romeo.forget();
    return got;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(delivery)

// -- to the bare address (8.5.2) --------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_message_to_the_account_reaches_the_resources_that_want_it) { // 8.5.2.1.1
  auto juliet = juliet_everywhere{"high", "nil", "minus", "bound"};
  for (auto type : {"", "normal", "chat"}) {
    BOOST_TEST_CONTEXT("type '" << type << "'")
    // The most available one, or all that are not negative: both are right, nothing else is.
    BOOST_TEST(unless_ours(juliet.message(juliet.who.bare(), type), {"high nil", "high"}) == "");
  }
  BOOST_TEST(juliet.message(juliet.who.bare(), "headline") == "high nil");
  BOOST_TEST(juliet.message(juliet.who.bare(), "groupchat") == "error service-unavailable");
  BOOST_TEST(juliet.message(juliet.who.bare(), "error") == "");
  BOOST_TEST(unless_ours(juliet.message(juliet.who.bare(), "no-such-type"), {"high nil", "high"}) ==
             ""); // 5.2.2: normal
}

BOOST_AUTO_TEST_CASE(equal_priorities_lose_nothing) {
  auto juliet = juliet_everywhere{"nil1", "nil2"};
  BOOST_TEST(unless_ours(juliet.message(juliet.who.bare(), "chat"), {"nil1 nil2", "nil1", "nil2"}) == "");
  BOOST_TEST(juliet.message(juliet.who.bare(), "headline") == "nil1 nil2");
}

BOOST_AUTO_TEST_CASE(with_negative_priorities_only_it_is_as_if_nobody_were_there) { // 8.5.2.1.1, 8.5.2.2.1
  auto juliet = juliet_everywhere{"minus", "bound"};
  BOOST_TEST(juliet.message(juliet.who.bare(), "chat") == "");
  BOOST_TEST(juliet.message(juliet.who.bare(), "headline") == "");
  BOOST_TEST(juliet.message(juliet.who.bare(), "groupchat") == "error service-unavailable");
  BOOST_TEST(juliet.message(juliet.who.bare(), "error") == "");
  juliet.at["minus"]->send("<presence><priority>1</priority></presence>");
  juliet.at["minus"]->receives("<message type='chat'><body>hi</body></message>"); // it was kept
}

BOOST_AUTO_TEST_CASE(with_nobody_there_a_message_is_kept_or_refused_by_type) { // 8.5.2.2.1
  auto juliet = juliet_everywhere{};
  for (auto type : {"", "chat", "headline", "error"})
    BOOST_TEST(juliet.message(juliet.who.bare(), type) == "");
  BOOST_TEST(juliet.message(juliet.who.bare(), "groupchat") == "error service-unavailable");
}

// -- to a full address (8.5.3) ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_message_to_a_resource_reaches_it_and_no_other) { // 8.5.3.1
  auto juliet = juliet_everywhere{"high", "nil", "minus", "bound"};
  for (auto resource : {"high", "nil", "minus", "bound"})
    for (auto type : {"", "chat", "headline", "groupchat", "error"}) {
      BOOST_TEST_CONTEXT(resource << " " << type)
      BOOST_TEST(juliet.message(juliet.who.bare() + "/" + resource, type) == resource);
    }
}

BOOST_AUTO_TEST_CASE(a_message_to_a_resource_that_is_gone_goes_by_its_type) { // 8.5.3.2.1
  auto juliet = juliet_everywhere{"high", "nil", "minus"};
  auto gone = juliet.who.bare() + "/gone";
  BOOST_TEST(unless_ours(juliet.message(gone, "chat"), {"high nil", "high"}) == "");
  for (auto type : {"", "normal"})
    BOOST_TEST(unless_ours(juliet.message(gone, type), {"error service-unavailable", "high", "high nil"}) == "");
  BOOST_TEST(juliet.message(gone, "headline") == "");
  BOOST_TEST(juliet.message(gone, "groupchat") == "error service-unavailable");
  BOOST_TEST(juliet.message(gone, "error") == "");
}

BOOST_AUTO_TEST_CASE(a_message_to_a_resource_of_who_is_offline_goes_by_its_type) {
  auto juliet = juliet_everywhere{};
  auto gone = juliet.who.bare() + "/gone";
  BOOST_TEST(juliet.message(gone, "chat") == ""); // kept
  BOOST_TEST(juliet.message(gone, "headline") == "");
  BOOST_TEST(juliet.message(gone, "groupchat") == "error service-unavailable");
  BOOST_TEST(juliet.message(gone, "error") == "");
  auto back = client{juliet.who};
  back.receives("<message type='chat'><body>hi</body></message>");
}

BOOST_AUTO_TEST_CASE(an_iq_to_a_resource_reaches_it_and_no_other) { // 8.5.3.1
  auto juliet = juliet_everywhere{"high", "minus", "bound"};
  for (auto resource : {"high", "minus", "bound"}) {
    auto id = juliet.romeo.fresh_id();
    juliet.romeo.send("<iq type='get' to='{}/{}' id='{}'><query xmlns='urn:example:q'/></iq>", juliet.who.bare(),
                      resource, id);
    auto& x = *juliet.at[resource];
    x.receives("<iq type='get' from='{}' id='{}'><query xmlns='urn:example:q'/></iq>", juliet.romeo.full(), id);
    x.send("<iq type='result' to='{}' id='{}'><query xmlns='urn:example:q' answer='42'/></iq>", juliet.romeo.full(),
           id);
    juliet.romeo.receives("<iq type='result' from='{}' id='{}'><query xmlns='urn:example:q' answer='42'/></iq>",
                          x.full(), id);
  }
}

BOOST_AUTO_TEST_CASE(a_request_to_a_resource_that_is_gone_is_service_unavailable) { // 8.5.3.2.3
  auto juliet = juliet_everywhere{"high"};
  auto gone = juliet.who.bare() + "/gone";
  BOOST_TEST(condition(juliet.romeo.get("<query xmlns='urn:example:q'/>", gone)) == "service-unavailable");
  BOOST_TEST(condition(juliet.romeo.set("<query xmlns='urn:example:q'/>", gone)) == "service-unavailable");
  juliet.romeo.send("<iq type='result' to='{}' id='r'/>", gone);
  juliet.romeo.send("<iq type='error' to='{}' id='r'>{}</iq>", gone, error_of("cancel", "gone"));
  BOOST_TEST(juliet.outcome("iq", "r") == "");
}

// -- to nobody (8.5.1) ------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_account_that_does_not_exist_is_service_unavailable_or_silent) { // 8.5.1
  auto romeo = client{"romeo"};
  for (auto& to : {unique("nobody") + "@localhost", unique("nobody") + "@localhost/balcony"}) {
    for (auto type : {"normal", "chat", "groupchat"}) {
      romeo.send("<message to='{}' type='{}' id='m'><body>hi</body></message>", to, type);
      romeo.receives("<message from='{}' type='error' id='m'>{}</message>", to,
                     error_of("cancel", "service-unavailable"));
    }
    BOOST_TEST(condition(romeo.get("<query xmlns='urn:example:q'/>", to)) == "service-unavailable");
    romeo.send("<message to='{}' type='error'>{}</message>", to, error_of("cancel", "gone"));
    romeo.send("<iq to='{}' type='result' id='x'/>", to);
    romeo.ping(to);
    BOOST_TEST(romeo.inbox().empty());
  }
}

BOOST_AUTO_TEST_CASE(an_error_carries_the_id_and_swaps_the_addresses) { // RFC 6120, 8.3.1
  auto romeo = client{"romeo"};
  auto nobody = unique("nobody") + "@localhost/x";
  romeo.send("<message to='{}' id='&lt;7&gt;' type='chat'><body>hi</body></message>", nobody);
  auto error = romeo.receives("<message type='error' id='&lt;7&gt;'/>");
  BOOST_TEST(error["from"] == nobody);
  BOOST_TEST(error["to"] == romeo.full());
  BOOST_TEST(error_type(error) == "cancel");
}

BOOST_AUTO_TEST_CASE(a_domain_that_is_not_here_is_not_found) { // RFC 6120, 10.4
  auto romeo = client{"romeo"};
  for (auto to : {"juliet@capulet.invalid", "capulet.invalid", "juliet@capulet.invalid/balcony"}) {
    romeo.send("<message to='{}' id='m'><body>hi</body></message>", to);
    BOOST_TEST(unless_ours(condition(romeo.receives("<message from='{}' type='error' id='m'/>", to)),
                           {"remote-server-not-found", "remote-server-timeout"}) == "");
    BOOST_TEST(unless_ours(condition(romeo.get("<ping xmlns='urn:xmpp:ping'/>", to)),
                           {"remote-server-not-found", "remote-server-timeout"}) == "");
    romeo.send("<message to='{}' type='error'>{}</message>", to, error_of("cancel", "gone"));
    romeo.send("<iq to='{}' type='result' id='x'/>", to);
    romeo.ping();
    BOOST_TEST(romeo.inbox().empty());
  }
}

BOOST_AUTO_TEST_CASE(a_malformed_address_is_answered_by_name) { // RFC 6120, 8.3.3.8
  auto romeo = client{"romeo"};
  for (auto to : {"@", "@localhost", "a@", "a b@localhost", "juliet@localhost/", "juliet@", "a@b@localhost", "/x"}) {
    BOOST_TEST_CONTEXT(to) {
      romeo.send("<message to='{}' id='m'><body>hi</body></message>", to);
      romeo.receives("<message type='error' id='m'>{}</message>", error_of("modify", "jid-malformed"));
      romeo.send("<presence to='{}' id='p'/>", to);
      romeo.receives("<presence type='error' id='p'>{}</presence>", error_of("modify", "jid-malformed"));
      romeo.send("<iq to='{}' id='i' type='get'><ping xmlns='urn:xmpp:ping'/></iq>", to);
      romeo.receives("<iq type='error' id='i'>{}</iq>", error_of("modify", "jid-malformed"));
    }
  }
}

// -- to oneself -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_message_without_an_address_is_for_oneself) { // RFC 6120, 10.3.1
  auto romeo = client{"romeo"};
  romeo.send("<message id='m1'><body>note</body></message>");
  romeo.receives("<message id='m1' from='{}'><body>note</body></message>", romeo.full());
  romeo.send("<message to='{}' id='m2'><body>note</body></message>", romeo.bare());
  romeo.receives("<message id='m2' from='{}'><body>note</body></message>", romeo.full());
}

// -- content ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_a_message_carries_arrives_as_it_was) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto content = std::string{
      "<subject xml:lang='cs'>ž</subject><body xml:lang='en'>&amp;&lt;&gt;&quot;&apos; 😀 \n\t line</body>"
      "<thread parent='p'>t</thread><x xmlns='urn:example:x' xmlns:y='urn:example:y' y:attribute='&#10;&#9;v'>"
      "<y:z/>text<plain xmlns=''/><a xmlns='urn:example:x'>mixed <b/> content</a></x>"};
  romeo.send_bytes("<message to='" + juliet.full() + "' type='chat' id='c' xml:lang='de' extra='e'>" + content +
                   "</message>");
  auto sent = parse_element("<message type='chat' id='c' xml:lang='de'>" + content + "</message>");
  auto got = juliet.receives("<message id='c'/>");
  BOOST_TEST(got["type"] == "chat");
  BOOST_TEST(got["xml:lang"] == "de");
  BOOST_REQUIRE(got.children.size() >= sent.children.size()); // a server may add to them
  for (auto i = std::size_t{0}; i < sent.children.size(); ++i)
    BOOST_TEST(got.children[i].to_string() == sent.children[i].to_string());
}

BOOST_AUTO_TEST_CASE(the_stream_s_language_is_the_stanza_s) { // RFC 6120, 8.1.5
  auto romeo = client{"romeo", {.state = upto::connected}};
  auto juliet = client{"juliet"};
  romeo.opens();
  romeo.features();
  BOOST_REQUIRE(romeo.authenticates(romeo.who()).name == "success");
  romeo.opens("localhost", " xml:lang='fr'");
  romeo.features();
  romeo.binds();
  romeo.send("<message to='{}'><body>bonjour</body></message>", juliet.full());
  BOOST_TEST(juliet.receives("<message/>")["xml:lang"] == "fr");
  romeo.send("<message to='{}' xml:lang='it'><body>ciao</body></message>", juliet.full());
  BOOST_TEST(juliet.receives("<message/>")["xml:lang"] == "it");
  romeo.send("<message to='{}' xml:lang=''><body>x</body></message>", juliet.full()); // a language too: none
  auto got = juliet.receives("<message/>");
  BOOST_TEST(got.has("xml:lang"));
  BOOST_TEST(got["xml:lang"] == "");
}

BOOST_AUTO_TEST_CASE(a_stanza_of_ten_thousand_bytes_passes) { // RFC 6120, 13.12
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  for (auto size : {10'000u, 200'000u}) {
    auto body = std::string(size, 'x');
    romeo.send("<message to='{}'><body>{}</body></message>", juliet.bare(), body);
    BOOST_TEST(juliet.receives("<message><body>*</body></message>").text_of("body").size() == size);
  }
}

// -- order (RFC 6120, 10.1) -------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(order_from_one_to_another_is_kept) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  befriend(romeo, juliet);
  auto all = std::string{};
  for (auto i = 0; i < 2'000; ++i) {
    auto to = i % 3 == 0 ? juliet.bare() : juliet.full();
    all += i % 7 == 6   ? format("<presence to='{}' id='{}'/>", to, i)
           : i % 7 == 5 ? format("<iq type='get' to='{}' id='{}'><q xmlns='urn:example:q'/></iq>", juliet.full(), i)
                        : format("<message to='{}' id='{}' type='chat'/>", to, i);
  }
  romeo.send_bytes(all);
  for (auto i = 0; i < 2'000; ++i)
    BOOST_REQUIRE(juliet.next()["id"] == std::to_string(i));
}

BOOST_AUTO_TEST_CASE(many_senders_lose_nothing) {
  auto juliet = client{"juliet"};
  auto senders = std::vector<std::unique_ptr<client>>{};
  for (auto i = 0; i < 10; ++i)
    senders.push_back(std::make_unique<client>("romeo"));
  for (auto& x : senders) {
    auto all = std::string{};
    for (auto n = 0; n < 200; ++n)
      all += format("<message to='{}' id='{}'/>", juliet.bare(), n);
    x->send_bytes(all);
  }
  auto next = std::map<std::string, int>{};
  for (auto i = 0; i < 10 * 200; ++i) {
    auto x = juliet.next();
    BOOST_REQUIRE(x["id"] == std::to_string(next[x["from"]]++));
  }
}

BOOST_AUTO_TEST_CASE(what_claims_to_be_the_server_s_is_taken_out) { // XEP-0359, 3; XEP-0091; XEP-0203, 5
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  for (auto& by : {juliet.bare(), romeo.bare(), std::string{"localhost"}, std::string{"montague.lit"},
                   std::string{"LOCALHOST"}, std::string{"@"}}) {
    auto forged = format("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='{}'/>", by);
    romeo.send("<message to='{}'><body>x</body>{}{}</message>", juliet.full(), raw_xml{forged}, raw_xml{forged});
    BOOST_TEST(!juliet.receives("<message><body>x</body></message>").find("stanza-id"), by);
  }
  romeo.send("<message to='{}'><body>x</body><stanza-id xmlns='urn:xmpp:sid:0' id='1'/></message>", juliet.full());
  BOOST_TEST(!juliet.receives("<message><body>x</body></message>").find("stanza-id"));
  for (auto from : {"localhost", "localhost/x"}) {
    romeo.send(
        "<message to='{}'><body>x</body><x xmlns='jabber:x:delay' from='{}' stamp='20020910T23:08:25'/></message>",
        juliet.full(), from);
    BOOST_TEST(!juliet.receives("<message><body>x</body></message>").find("x"));
  }
  romeo.send(
      "<message to='{}'><body>x</body><origin-id xmlns='urn:xmpp:sid:0' id='o'/>"
      "<stanza-id xmlns='urn:xmpp:sid:0' id='2' by='room@muc.example.com'/>"
      "<x xmlns='jabber:x:delay' from='example.com' stamp='20020910T23:08:25'/><x xmlns='urn:example:x'/></message>",
      juliet.full());
  juliet.receives("<message><origin-id xmlns='urn:xmpp:sid:0' id='o'/><stanza-id xmlns='urn:xmpp:sid:0' id='2'/><x "
                  "xmlns='jabber:x:delay'/><x xmlns='urn:example:x'/>"
                  "</message>");
}

BOOST_AUTO_TEST_CASE(the_shell_sends_to_no_account_that_is_not_there) {
  auto& here = shared_server();
  if (here.is_peer())
    return;
  auto nobody = unique("nobody") + "@localhost";
  auto said = [](const failure& x) {
    return std::string_view{x.what()}.find("no such account") != std::string_view::npos;
  };
  BOOST_CHECK_EXCEPTION(here.shell("send " + nobody + " hello"), failure, said);
  BOOST_CHECK_EXCEPTION(here.shell("send " + nobody + "/balcony hello"), failure, said);
  auto romeo = client{"romeo"};
  here.shell("send " + romeo.bare() + " hello");
  romeo.receives("<message from='localhost'><body>hello</body></message>");
  auto who = registers("nurse");
  here.shell("send " + who.bare() + " hello");
  auto nurse = client{who};
  nurse.receives("<message from='localhost'><body>hello</body></message>");
}

BOOST_AUTO_TEST_SUITE_END()
