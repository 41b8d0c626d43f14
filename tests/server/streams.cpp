// RFC 6120, 4 to 5: streams, their errors, STARTTLS, direct TLS.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/scram.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/ssl.h>

using namespace xmpp::test;

namespace {

constexpr auto header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                        "version='1.0' to='localhost'>";

/// The error with which the first bytes of a connection end it.
std::string answer_to(const std::string& bytes) {
  auto stranger = client{};
  stranger.send_bytes(bytes);
  return stranger.stream_error();
}

/// The same for bytes that follow a good header, before sign-in.
std::string answer_in_stream_to(const std::string& bytes) {
  auto stranger = client{};
  stranger.opens();
  stranger.features();
  stranger.send_bytes(bytes);
  return stranger.stream_error();
}

/// The same from a client that has bound.
std::string answer_in_session_to(const std::string& bytes) {
  auto romeo = client{"romeo", {.state = upto::bound}};
  romeo.send_bytes(bytes);
  return romeo.stream_error();
}

} // namespace

BOOST_AUTO_TEST_SUITE(streams)

// -- headers (4.7, 4.8) -----------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_server_answers_as_the_domain_that_was_asked_for) {
  auto stranger = client{};
  auto answer = stranger.opens();
  BOOST_TEST(answer.name == "stream");
  BOOST_TEST(answer.ns == "http://etherx.jabber.org/streams");
  BOOST_TEST(answer["from"] == "localhost");
  BOOST_TEST(answer["version"] == "1.0");
  BOOST_TEST(answer["xml:lang"] != ""); // 4.7.4
  BOOST_TEST(!answer.has("to"));        // the client did not say who it is (4.7.2)
  BOOST_TEST(stranger.header_bytes().find("xmlns='jabber:client'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_domain_is_compared_prepared) {
  auto stranger = client{};
  stranger.opens("LocalHost.");
  BOOST_TEST(stranger.features().name == "features");
}

BOOST_AUTO_TEST_CASE(stream_ids_are_long_and_never_repeat) { // 4.7.3
  auto seen = std::vector<std::string>{};
  for (auto i = 0; i < 3; ++i) {
    auto stranger = client{};
    auto id = stranger.opens()["id"];
    BOOST_TEST(id.size() >= 16u);
    for (auto& other : seen)
      BOOST_TEST(id != other);
    seen.push_back(id);
  }
}

BOOST_AUTO_TEST_CASE(a_restart_brings_a_new_header_and_id) { // 4.3.3, 6.4.6
  auto romeo = client{};
  auto first = romeo.opens();
  romeo.features();
  BOOST_TEST(romeo.authenticates(registers("romeo")).name == "success");
  auto second = romeo.opens();
  BOOST_TEST(second["id"] != first["id"]);
  BOOST_TEST(second["from"] == "localhost");
  romeo.features();
}

BOOST_AUTO_TEST_CASE(a_client_that_names_itself_is_named_in_the_answer) { // 4.7.2
  auto romeo = client{};
  BOOST_TEST(romeo.opens("localhost", " from='romeo@localhost'")["to"] == "romeo@localhost");
}

BOOST_AUTO_TEST_CASE(a_language_that_the_client_asked_for_does_no_harm) { // 4.7.4
  auto romeo = client{};
  BOOST_TEST(romeo.opens("localhost", " xml:lang='de'")["xml:lang"] != "");
  romeo.features();
}

BOOST_AUTO_TEST_CASE(a_higher_version_is_answered_with_ours) { // 4.7.5
  auto stranger = client{};
  stranger.send("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.7' "
                "to='localhost'>");
  BOOST_TEST(stranger.features().name == "features");
  BOOST_TEST(stranger.header_bytes().find("version='1.0'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_stream_without_a_version_is_unsupported) { // 4.7.5, 4.9.3.25
  BOOST_TEST(answer_to("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                       "to='localhost'>") == "unsupported-version");
}

BOOST_AUTO_TEST_CASE(an_unknown_domain_is_host_unknown) { // 4.9.3.6
  BOOST_TEST(answer_to("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                       "version='1.0' to='capulet.invalid'>") == "host-unknown");
}

BOOST_AUTO_TEST_CASE(a_header_comes_before_the_error_even_for_an_unknown_domain) { // 4.9.1.2
  auto stranger = client{};
  BOOST_TEST(stranger.opens("capulet.invalid").name == "stream");
  BOOST_TEST(stranger.stream_error() == "host-unknown");
}

BOOST_AUTO_TEST_CASE(a_header_without_a_domain_is_refused) {
  auto got =
      answer_to("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>");
  BOOST_TEST(unless_ours(got, {"improper-addressing", "host-unknown"}) == "");
}

BOOST_AUTO_TEST_CASE(a_malformed_domain_is_refused) {
  auto got = answer_to("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                       "version='1.0' to='@/'>");
  BOOST_TEST(unless_ours(got, {"improper-addressing", "host-unknown"}) == "");
  got = answer_to("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                  "version='1.0' to='loc\u00adalhost'>"); // no code point of a domain (RFC 7622, 3.2)
  BOOST_TEST(unless_ours(got, {"improper-addressing", "host-unknown"}) == "");
}

BOOST_AUTO_TEST_CASE(a_wrong_stream_namespace_is_invalid_namespace) { // 4.8.1, 4.9.3.10
  BOOST_TEST(answer_to("<stream:stream xmlns='jabber:client' xmlns:stream='http://wrong.namespace.example.org/' "
                       "version='1.0' to='localhost'>") == "invalid-namespace");
}

BOOST_AUTO_TEST_CASE(a_wrong_content_namespace_is_invalid_namespace) { // 4.8.2
  for (auto ns : {"jabber:server", "jabber:component:accept", "urn:example:nothing"}) {
    BOOST_TEST_CONTEXT("namespace " << ns)
    BOOST_TEST(
        answer_to(format("<stream:stream xmlns='{}' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
                         "to='localhost'>",
                         std::string{ns})) == "invalid-namespace");
  }
}

BOOST_AUTO_TEST_CASE(something_else_than_a_stream_is_refused) {
  auto got = answer_to("<foo xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost'>");
  BOOST_TEST(unless_ours(got, {"invalid-namespace", "bad-format", "invalid-xml", "not-well-formed"}) == "");
}

BOOST_AUTO_TEST_CASE(the_stream_prefix_is_the_client_s_to_choose_or_is_refused_by_name) { // 4.8.5
  auto stranger = client{};
  stranger.send("<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' version='1.0' "
                "to='localhost'>");
  auto answer = stranger.next();
  BOOST_TEST((answer.name == "features" || condition(answer) == "bad-namespace-prefix"));
}

BOOST_AUTO_TEST_CASE(stanzas_may_say_their_namespace_themselves) { // 4.8.2 to 4.8.5
  struct form {
    std::string header, message, end;
  };
  for (auto& x : {form{"<stream xmlns='http://etherx.jabber.org/streams' version='1.0' to='localhost'>",
                       "<message xmlns='jabber:client' to='{}'><body>hi</body></message>", "</stream>"},
                  form{"<s:stream xmlns:s='http://etherx.jabber.org/streams' version='1.0' to='localhost'>",
                       "<message xmlns='jabber:client' to='{}'><body>hi</body></message>", "</s:stream>"},
                  form{"<stream xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client' version='1.0' "
                       "to='localhost'>",
                       "<c:message to='{}'><c:body>hi</c:body></c:message>", "</stream>"}}) {
    BOOST_TEST_CONTEXT(x.header) {
      auto romeo = client{"romeo", {.state = upto::connected}};
      auto juliet = client{"juliet"};
      romeo.send_bytes(x.header);
      romeo.features();
      BOOST_TEST(romeo.authenticates(romeo.who()).name == "success");
      romeo.send_bytes(x.header);
      romeo.features();
      romeo.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
      romeo.receives_next("<iq type='result' id='b'/>");
      romeo.send(x.message, juliet.full());
      juliet.receives("<message><body>hi</body></message>");
      romeo.send_bytes(x.end);
      BOOST_TEST(romeo.ends());
    }
  }
}

BOOST_AUTO_TEST_CASE(prefixes_declared_in_the_header_hold_for_the_stanzas) { // 4.8.4
  auto romeo = client{"romeo", {.state = upto::connected}};
  auto juliet = client{"juliet"};
  romeo.opens();
  romeo.features();
  BOOST_TEST(romeo.authenticates(romeo.who()).name == "success");
  romeo.opens("localhost", " xmlns:play='urn:example:play'");
  romeo.features();
  romeo.binds();
  romeo.send("<message to='{}'><play:act n='2'><play:scene/></play:act></message>", juliet.full());
  juliet.receives("<message from='{}'><act xmlns='urn:example:play' n='2'><scene/></act></message>", romeo.full());
}

BOOST_AUTO_TEST_CASE(an_xml_declaration_is_welcome_and_not_needed) {
  auto stranger = client{};
  stranger.send_bytes(std::string{"<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes'?>\n "} + header);
  BOOST_TEST(stranger.features().name == "features");
  auto another = client{};
  another.send_bytes(header);
  BOOST_TEST(another.features().name == "features");
}

// -- stream errors (4.9.3) --------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(stanzas_before_sign_in_are_not_authorized) { // 4.9.3.12
  for (auto stanza : {"<message to='juliet@localhost'><body>hi</body></message>", "<presence/>",
                      "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
                      "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
                      "<iq type='get' id='1' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"}) {
    BOOST_TEST_CONTEXT(stanza)
    BOOST_TEST(answer_in_stream_to(stanza) == "not-authorized");
  }
}

BOOST_AUTO_TEST_CASE(stanzas_before_binding_are_not_authorized) { // 7.1
  for (auto stanza : {"<message to='juliet@localhost'><body>hi</body></message>", "<presence/>",
                      "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"}) {
    auto romeo = client{"romeo", {.state = upto::signed_in}};
    romeo.send_bytes(stanza);
    BOOST_TEST_CONTEXT(stanza)
    BOOST_TEST(romeo.stream_error() == "not-authorized");
  }
}

BOOST_AUTO_TEST_CASE(xml_that_is_not_well_formed_says_so) { // 4.9.3.13
  for (auto bytes :
       {"<message><body>hi</message></body>", "<message a='1' a='2'/>", "<message to=juliet/>", "<message <>",
        "<a b='<'/>", "</message>", "<message>&#0;</message>", "<message>\x01</message>", "<1/>"}) {
    BOOST_TEST_CONTEXT(bytes) {
      BOOST_TEST(answer_in_stream_to(bytes) == "not-well-formed");
      BOOST_TEST(answer_in_session_to(bytes) == "not-well-formed");
    }
  }
}

BOOST_AUTO_TEST_CASE(garbage_in_place_of_a_stream_ends_in_an_error) {
  for (auto bytes : {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "hello", "<<<<", "\x16\x03\x01\x02", "}{"}) {
    BOOST_TEST_CONTEXT(bytes)
    BOOST_TEST(unless_ours(answer_to(bytes), {"not-well-formed", "bad-format", "unsupported-encoding"}) == "");
  }
}

BOOST_AUTO_TEST_CASE(text_between_stanzas_is_an_error) {
  BOOST_TEST(unless_ours(answer_in_session_to("hello<presence/>"), {"bad-format", "not-well-formed"}) == "");
}

BOOST_AUTO_TEST_CASE(white_space_between_stanzas_is_a_keepalive) { // 4.6.1
  auto romeo = client{"romeo"};
  romeo.send_bytes(" \n\t\r\n   ");
  romeo.ping();
  romeo.send_bytes("\n");
  romeo.ping();
}

BOOST_AUTO_TEST_CASE(an_undeclared_prefix_is_a_bad_namespace_prefix) { // 4.9.3.2
  for (auto got : {answer_in_session_to("<message><foo:bar/></message>"), answer_in_session_to("<foo:message/>"),
                   answer_in_session_to("<message foo:a='1'/>")})
    BOOST_TEST(unless_ours(got, {"bad-namespace-prefix", "not-well-formed"}) == "");
}

BOOST_AUTO_TEST_CASE(another_encoding_is_unsupported) { // 4.9.3.22
  BOOST_TEST(answer_to(std::string{"<?xml version='1.0' encoding='ISO-8859-1'?>"} + header) == "unsupported-encoding");
  auto utf16 = std::string{"\xff\xfe<\0?\0x\0m\0l\0", 12};
  BOOST_TEST(unless_ours(answer_to(utf16), {"unsupported-encoding", "not-well-formed", "bad-format"}) == "");
}

BOOST_AUTO_TEST_CASE(an_element_that_is_no_stanza_is_an_unsupported_stanza_type) { // 4.9.3.24
  for (auto bytes : {"<foo/>", "<message xmlns='jabber:server'/>", "<foo xmlns='urn:example:foo'/>"}) {
    BOOST_TEST_CONTEXT(bytes)
    BOOST_TEST(unless_ours(answer_in_session_to(bytes), {"unsupported-stanza-type", "invalid-namespace"}) == "");
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_element_before_sign_in_ends_the_stream) {
  auto got = answer_in_stream_to("<foo xmlns='urn:example:foo'/>");
  BOOST_TEST(unless_ours(got, {"unsupported-stanza-type", "not-authorized"}) == "");
}

BOOST_AUTO_TEST_CASE(another_end_tag_than_the_stream_s_is_not_well_formed) { // XML 1.0, 3
  for (auto bytes : {"</stream:streamX>", "</stream:stream a='b'>", "</stream>", "</foo>"}) {
    BOOST_TEST_CONTEXT(bytes) {
      BOOST_TEST(answer_in_stream_to(bytes) == "not-well-formed");
      BOOST_TEST(answer_in_session_to(bytes) == "not-well-formed");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_second_header_ends_the_stream_at_once) { // 4.9.3.24: no first-level child that is supported
  if (shared_server().is_peer())
    return;
  for (auto bytes : {header, "<stream:stream", "<s:stream xmlns:s='http://etherx.jabber.org/streams'>"}) {
    auto whole = std::string{bytes} + ' ';
    BOOST_TEST_CONTEXT(whole) {
      BOOST_TEST(answer_in_stream_to(whole) == "unsupported-stanza-type");
      BOOST_TEST(answer_in_session_to(whole) == "unsupported-stanza-type");
    }
  }
}

BOOST_AUTO_TEST_CASE(the_end_of_a_stream_is_answered_and_the_connection_closed) { // 4.4
  auto romeo = client{"romeo"};
  romeo.leaves();
  BOOST_TEST(romeo.ends());
}

BOOST_AUTO_TEST_CASE(a_stream_may_end_before_sign_in) {
  auto stranger = client{};
  stranger.opens();
  stranger.features();
  stranger.leaves();
  BOOST_TEST(stranger.ends());
}

BOOST_AUTO_TEST_CASE(what_was_sent_before_the_end_of_the_stream_is_handled) { // 4.4
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  romeo.send("<message to='{}'><body>adieu</body></message></stream:stream>", juliet.full());
  juliet.receives("<message><body>adieu</body></message>");
  BOOST_TEST(romeo.ends());
}

BOOST_AUTO_TEST_CASE(a_client_that_sends_an_error_and_leaves_is_let_go) {
  auto romeo = client{"romeo"};
  romeo.send("<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
             "</stream:stream>");
  auto error = romeo.stream_error(); // none of ours in answer to theirs
  BOOST_TEST(error.rfind("no stream error", 0) == 0);
}

BOOST_AUTO_TEST_CASE(a_client_that_closes_its_half_of_the_connection_is_let_go) {
  auto juliet = client{"juliet"};
  auto romeo = client{"romeo"};
  befriend(romeo, juliet);
  romeo.wire().finish();
  juliet.receives("<presence from='{}' type='unavailable'/>", romeo.full());
  BOOST_TEST(romeo.stream_error().find("stays open") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(bytes_may_come_one_at_a_time) {
  auto romeo = client{"romeo", {.state = upto::bound}};
  auto juliet = client{"juliet"};
  auto text = format("<message to='{}'><body>&lt;ü😀<![CDATA[<&>]]></body></message>", juliet.full());
  for (auto c : text)
    romeo.send_bytes(std::string(1, c));
  juliet.receives("<message><body>&lt;ü😀&lt;&amp;></body></message>");
}

BOOST_AUTO_TEST_CASE(many_stanzas_may_come_in_one_piece) {
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto all = std::string{};
  for (auto i = 0; i < 200; ++i)
    all += format("<message to='{}' id='{}'/> ", juliet.full(), i);
  romeo.send_bytes(all);
  for (auto i = 0; i < 200; ++i)
    juliet.receives_next("<message id='{}'/>", i);
}

// -- features (4.3.2, XEP-0170) ---------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(features_name_what_may_be_negotiated_now_and_no_more) {
  auto romeo = client{};
  romeo.opens();
  auto before = romeo.features();
  BOOST_TEST(before.find("starttls", "urn:ietf:params:xml:ns:xmpp-tls"));
  BOOST_TEST(before.find("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl"));
  BOOST_TEST(!before.find("bind"));
  auto who = registers("romeo");
  romeo.starts_tls();
  romeo.opens();
  auto secured = romeo.features();
  BOOST_TEST(!secured.find("starttls"));
  BOOST_TEST(secured.find("mechanisms"));
  BOOST_TEST(!secured.find("bind"));
  auto after = romeo.signs_in(who);
  BOOST_TEST(!after.find("starttls"));
  BOOST_TEST(!after.find("mechanisms"));
  BOOST_TEST(!after.find("register"));
  BOOST_TEST(after.find("bind", "urn:ietf:params:xml:ns:xmpp-bind"));
  BOOST_TEST(after.find("ver", "urn:xmpp:features:rosterver"));
  BOOST_TEST(after.find("sub", "urn:xmpp:features:pre-approval"));
}

BOOST_AUTO_TEST_CASE(features_tell_the_limits) { // XEP-0478, 3
  auto stranger = client{};
  stranger.opens();
  auto features = stranger.features();
  auto limits = features.find("limits", "urn:xmpp:stream-limits:0");
  BOOST_REQUIRE(limits);
  BOOST_TEST(std::atoi(limits->text_of("max-bytes").c_str()) >= 10'000);
}

BOOST_AUTO_TEST_CASE(compression_is_neither_offered_nor_done) { // threats: xmppbomb
  auto stranger = client{};
  stranger.opens();
  BOOST_TEST(!stranger.features().find("compression"));
  stranger.send("<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>");
  auto answer = stranger.next();
  if (!shared_server().is_peer() || answer.name != "failure") // XEP-0138, for those who know it
    BOOST_TEST(unless_ours(condition(answer), {"unsupported-stanza-type", "not-authorized"}) == "");
}

// -- STARTTLS (5) -----------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(starttls_leads_to_a_session) {
  auto romeo = client{"romeo", {.how = transport::starttls}};
  BOOST_TEST(romeo.wire().version() == "TLSv1.3");
  romeo.ping();
}

BOOST_AUTO_TEST_CASE(bytes_injected_before_the_handshake_are_discarded) { // 5.3.4, 5.4.3.3
  auto who = registers("romeo");
  auto romeo = client{};
  romeo.opens();
  romeo.features();
  romeo.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
             "<iq type='get' id='injected'><query xmlns='jabber:iq:register'/></iq>");
  romeo.receives_next("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  romeo.makes_tls();
  romeo.opens();
  romeo.features(); // comes next: nothing of the injected request was kept
  romeo.signs_in(who);
  romeo.binds();
  romeo.ping();
  BOOST_TEST(romeo.inbox().empty());
}

BOOST_AUTO_TEST_CASE(starttls_behind_what_takes_time_is_as_good_as_any) { // the answers come from another thread
  if (shared_server().is_peer())
    return;
  for (auto i = 0; i < 20; ++i) {
    auto romeo = account{unique("romeo")};
    auto x = client{};
    x.opens();
    x.features();
    x.send("<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>{}</username><password>{}</password>"
           "</query></iq><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><iq type='get' id='injected'/>",
           romeo.name, romeo.password);
    x.receives_next("<iq type='result' id='r'/>");
    x.receives_next("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    x.makes_tls();
    x.opens();
    x.features();
    x.signs_in(romeo);
    BOOST_TEST(x.inbox().empty());
  }
}

BOOST_AUTO_TEST_CASE(nothing_learned_before_the_handshake_is_kept) { // 5.3.4
  auto romeo = client{};
  romeo.opens("localhost", " from='mallory@localhost'");
  romeo.features();
  romeo.starts_tls();
  BOOST_TEST(!romeo.opens().has("to"));
}

BOOST_AUTO_TEST_CASE(a_second_starttls_ends_the_stream) { // 5.4.2.2
  auto romeo = client{};
  romeo.opens();
  romeo.features();
  romeo.starts_tls();
  romeo.opens();
  romeo.features();
  romeo.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  if (!shared_server().is_peer())
    romeo.receives_next("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  BOOST_TEST(romeo.stream_error().find("stays open") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(starttls_after_sign_in_is_refused) {
  auto romeo = client{"romeo"};
  romeo.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  auto answer = romeo.next();
  BOOST_TEST(answer.name != "proceed");
  BOOST_TEST((shared_server().is_peer() || condition(answer) == "unsupported-stanza-type"));
}

BOOST_AUTO_TEST_CASE(garbage_in_place_of_a_handshake_closes_the_connection) {
  for (auto how : {transport::starttls, transport::direct_tls}) {
    auto stranger = client{how};
    if (how == transport::starttls) {
      stranger.opens();
      stranger.features();
      stranger.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
      stranger.receives_next("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    }
    stranger.wire().send(std::string(100, 'x'));
    auto deadline = clock::now() + patience();
    auto said = std::string{};
    for (std::string more; !(more = stranger.wire().receive(deadline)).empty();)
      said += more;
    BOOST_TEST(said.find('<') == said.npos); // an alert at most: nothing in clear after <proceed/> (5.4.3.1)
  }
  client{"romeo"}.ping();
}

BOOST_AUTO_TEST_CASE(old_versions_of_tls_are_refused) { // RFC 7590, 3.1
  for (auto version : {TLS1_VERSION, TLS1_1_VERSION}) {
    auto stranger = client{transport::direct_tls};
    BOOST_CHECK_THROW(stranger.makes_tls({.version_min = version, .version_max = version}), failure);
  }
}

BOOST_AUTO_TEST_CASE(tls_1_2_will_do) {
  auto romeo = client{"romeo", {.state = upto::connected, .how = transport::direct_tls}};
  romeo.makes_tls({.version_max = TLS1_2_VERSION});
  BOOST_TEST(romeo.wire().version() == "TLSv1.2");
  romeo.opens();
  romeo.features();
  romeo.signs_in(romeo.who());
}

BOOST_AUTO_TEST_CASE(a_client_s_renegotiation_is_refused) { // threats: CVE-2021-32920
  auto stranger = client{transport::direct_tls};
  stranger.makes_tls({.version_max = TLS1_2_VERSION});
  stranger.opens();
  stranger.features();
  BOOST_TEST(!stranger.wire().asks_for_renegotiation());
}

BOOST_AUTO_TEST_CASE(a_session_of_tls_can_be_resumed) {
  auto first = client{transport::direct_tls};
  first.makes_tls();
  first.opens();
  first.features(); // by now the tickets have come
  auto session = first.wire().session();
  auto second = client{transport::direct_tls};
  second.makes_tls({.session = session});
  BOOST_TEST(second.wire().resumed());
  second.opens();
  second.features();
  SSL_SESSION_free(session);
}

BOOST_AUTO_TEST_CASE(starttls_is_refused_where_the_stream_is_secure_from_the_start) {
  auto stranger = client{transport::direct_tls};
  stranger.makes_tls();
  stranger.opens();
  BOOST_TEST(!stranger.features().find("starttls"));
}

// -- direct TLS (XEP-0368) --------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(direct_tls_leads_to_a_session) {
  auto romeo = client{"romeo", {.how = transport::direct_tls}};
  BOOST_TEST(romeo.wire().protocol() == "xmpp-client");
  romeo.ping();
}

BOOST_AUTO_TEST_CASE(direct_tls_needs_no_alpn) {
  auto stranger = client{transport::direct_tls};
  stranger.makes_tls();
  BOOST_TEST(stranger.wire().protocol() == "");
  stranger.opens();
  stranger.features();
}

BOOST_AUTO_TEST_CASE(direct_tls_for_another_protocol_is_refused) { // RFC 7301, 3.2
  auto stranger = client{transport::direct_tls};
  BOOST_CHECK_THROW(stranger.makes_tls({.protocols = {"h2", "http/1.1"}}), failure);
}

BOOST_AUTO_TEST_CASE(xmpp_is_chosen_among_several_protocols) {
  auto stranger = client{transport::direct_tls};
  stranger.makes_tls({.protocols = {"h2", "xmpp-client"}});
  BOOST_TEST(stranger.wire().protocol() == "xmpp-client");
}

BOOST_AUTO_TEST_CASE(plain_bytes_on_the_direct_tls_port_are_no_stream) {
  auto stranger = client{transport::direct_tls};
  stranger.wire().send(header);
  auto deadline = clock::now() + patience();
  auto said = std::string{};
  for (std::string more; !(more = stranger.wire().receive(deadline)).empty();)
    said += more;
  BOOST_TEST(said.find('<') == said.npos);
}

BOOST_AUTO_TEST_CASE(clients_come_by_ipv6_too) {
  auto& here = shared_server();
  if (here.is_peer() || !has_ipv6())
    return;
  auto who = registers("romeo");
  auto x = wire{"::1", here.port()};
  x.send(header);
  auto said = std::string{};
  while (said.find("</stream:features>") == said.npos)
    said += x.receive(clock::now() + patience());
  auto secure = wire{"::1", here.tls_port()};
  secure.secure({});
  BOOST_TEST(secure.certificate_names() == "localhost");
}

BOOST_AUTO_TEST_CASE(what_protects_a_session_stays_known) {
  auto& here = shared_server();
  if (here.is_peer())
    return;
  for (auto [version, text] : {std::pair{TLS1_2_VERSION, "\"tls\":\"TLSv1.2 ECDHE-ECDSA-AES"},
                               std::pair{TLS1_3_VERSION, "\"tls\":\"TLSv1.3 TLS_"}}) {
    auto x = client{transport::direct_tls};
    x.makes_tls({.version_min = version, .version_max = version});
    x.opens();
    x.features();
    auto who = registers("romeo");
    x.authenticates(who);
    x.opens();
    x.features();
    x.binds();
    auto listed = here.shell("sessions " + x.full(), true);
    BOOST_TEST(listed.find(text) != listed.npos, listed);
    x.ping();
  }
}

// -- several hosts ----------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_certificate_is_chosen_by_the_name_in_the_handshake) {
  for (auto host : {"localhost", "montague.lit"}) {
    auto stranger = client{transport::direct_tls};
    stranger.makes_tls({.server_name = host});
    BOOST_TEST(stranger.wire().certificate_names() == host);
    stranger.opens(host);
    stranger.features();
  }
}

BOOST_AUTO_TEST_CASE(a_domain_beyond_ascii_is_one_domain_in_both_its_forms) { // RFC 7622, 3.2.1; RFC 6066, 3
  auto& here = shared_server();
  if (here.is_peer())
    return;
  auto stranger = client{here, transport::direct_tls};
  stranger.makes_tls({.server_name = "xn--bcher-kva.lit"});
  BOOST_TEST(stranger.wire().certificate_names() == "xn--bcher-kva.lit");
  for (auto name : {"bücher.lit", "xn--bcher-kva.lit"}) {
    auto plain = client{here};
    plain.opens(name);
    plain.features();
    plain.starts_tls({.server_name = ""});
    BOOST_TEST(plain.wire().certificate_names() == "xn--bcher-kva.lit");
  }
}

BOOST_AUTO_TEST_CASE(with_starttls_the_stream_s_domain_chooses_the_certificate) {
  auto stranger = client{};
  stranger.opens("montague.lit");
  stranger.features();
  stranger.starts_tls({.server_name = ""});
  BOOST_TEST(stranger.wire().certificate_names() == "montague.lit");
}

BOOST_AUTO_TEST_CASE(an_account_of_one_host_is_not_one_of_another) {
  auto who = registers("romeo");
  who.domain = "montague.lit";
  auto stranger = client{};
  stranger.opens(who.domain);
  stranger.features();
  BOOST_TEST(condition(stranger.authenticates(who)) == "not-authorized");
}

BOOST_AUTO_TEST_CASE(accounts_of_two_hosts_talk) {
  auto& here = shared_server();
  auto romeo = client{here, registers(here, "romeo", "montague.lit")};
  auto juliet = client{"juliet"};
  romeo.send("<message to='{}'><body>hi</body></message>", juliet.bare());
  juliet.receives("<message from='{}'><body>hi</body></message>", romeo.full());
  juliet.send("<message to='{}'><body>ho</body></message>", romeo.full());
  romeo.receives("<message from='{}'><body>ho</body></message>", juliet.full());
}

BOOST_AUTO_TEST_SUITE_END()
