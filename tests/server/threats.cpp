// What others learned the hard way: each case is a class of attack that has worked on some server. Those on
// negotiation, sign-in and registration stand in the files of those names; floods in floods.cpp.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/scram.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace xmpp::test;
using namespace std::string_literals;

namespace {

constexpr auto header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                        "version='1.0' to='localhost'>";

/// Where a stranger's bytes can be read: with what stands before them, and how they come.
struct entry {
  const char* name;
  transport how;
  bool header, signed_in;
};
constexpr entry entries[] = {{"before the header", transport::plain, false, false},
                             {"before sign-in", transport::plain, true, false},
                             {"before the header, TLS", transport::direct_tls, false, false},
                             {"before sign-in, TLS", transport::direct_tls, true, false},
                             {"bound", transport::plain, true, true},
                             {"bound, TLS", transport::direct_tls, true, true}};

/// How the stream ends that is sent `bytes` there.
std::string end_of(const entry& where, std::string_view bytes) {
  auto end = [&](client& x) {
    // An attacker's bytes may be many: what counts is the answer, so stop when it is there.
    try {
      x.wire().send(bytes);
    } catch (const failure&) {
    }
    return x.stream_error();
  };
  if (where.signed_in) {
    auto x = client{"mallory", {.state = upto::bound, .how = where.how}};
    return end(x);
  }
  auto x = client{where.how};
  if (where.how == transport::direct_tls)
    x.makes_tls();
  if (where.header) {
    x.opens();
    x.features();
  }
  return end(x);
}

std::string repeated(std::string_view what, int times) {
  auto out = std::string{};
  out.reserve(what.size() * static_cast<std::size_t>(times));
  for (auto i = 0; i < times; ++i)
    out += what;
  return out;
}

/// Many that differ in a number: `a1='' a2='' ...`.
std::string numbered(std::string_view before, std::string_view after, int times) {
  auto out = std::string{};
  for (auto i = 0; i < times; ++i)
    (out += before) += std::to_string(i) + std::string{after};
  return out;
}

/// Everybody else still has a server.
void others_are_served() {
  auto romeo = client{"romeo"};
  romeo.ping();
}

} // namespace

BOOST_AUTO_TEST_SUITE(threats)

// -- XML that only attackers write (CVE-2011-1755, -2205, CVE-2022-0217, CVE-2026-43506)
// -------------------------------

BOOST_AUTO_TEST_CASE(a_document_type_is_refused_at_its_second_byte) {
  for (auto& where : entries) {
    BOOST_TEST_CONTEXT(where.name)
    BOOST_TEST(end_of(where, "<!") == "restricted-xml"); // no more needs to come
  }
}

BOOST_AUTO_TEST_CASE(a_billion_laughs_are_refused) {
  auto laughs = std::string{"<!DOCTYPE lolz [<!ENTITY lol 'lol'>"};
  for (auto i = 1; i < 10; ++i)
    laughs += "<!ENTITY lol" + std::to_string(i) + " '" +
              repeated("&lol" + (i > 1 ? std::to_string(i - 1) : "") + ";", 10) + "'>";
  laughs += "]>";
  for (auto& where : entries) {
    BOOST_TEST_CONTEXT(where.name)
    BOOST_TEST(end_of(where, laughs + "<message><body>&lol9;</body></message>") == "restricted-xml");
  }
  BOOST_TEST(end_of(entries[0], "<?xml version='1.0'?>" + laughs + header) == "restricted-xml");
  others_are_served();
}

BOOST_AUTO_TEST_CASE(an_external_entity_is_refused) {
  for (auto& where : entries) {
    BOOST_TEST_CONTEXT(where.name)
    BOOST_TEST(end_of(where, "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><message>&e;</message>") ==
               "restricted-xml");
  }
}

BOOST_AUTO_TEST_CASE(entities_other_than_the_five_are_refused) {
  for (auto& where : entries)
    for (auto text :
         {"<message><body>&lol;</body></message>", "<message a='&lol;'/>", "<message><body>&nbsp;</body></message>"}) {
      if (!where.header)
        continue;
      BOOST_TEST_CONTEXT(where.name << " " << text)
      BOOST_TEST(unless_ours(end_of(where, text), {"restricted-xml", "not-well-formed"}) == "");
    }
}

BOOST_AUTO_TEST_CASE(comments_and_processing_instructions_are_refused_anywhere) {
  for (auto& where : entries)
    for (auto text : {"<!-- -->", "<?php ?>", "<message><!-- x --></message>",
                      "<message><body>a<?x y?></body></message>", "<message><![IGNORE[x]]></message>"}) {
      BOOST_TEST_CONTEXT(where.name << " " << text)
      BOOST_TEST(end_of(where, where.header || text[1] != 'm' ? text : header + std::string{text}) == "restricted-xml");
    }
  BOOST_TEST(end_of(entries[1], "<?xml version='1.0'?>") == "restricted-xml"); // a second declaration
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf_8_are_refused) { // CVE-2022-25235; CVE-2015-2058
  for (auto& where : {entries[1], entries[4], entries[5]})
    for (auto bad : {"\x80", "\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80", "\xed\xb0\x80",
                     "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3(",
                     "\xef\xbf\xbe", "\xef\xbf\xbf"}) {
      auto text = std::string{bad};
      for (auto& bytes : {"<message><body>" + text + "</body></message>", "<message id='" + text + "'/>",
                          "<message><x" + text + "/></message>", "<message><x xmlns='" + text + "'/></message>"}) {
        BOOST_TEST_CONTEXT(where.name << " " << base64(text) << " in " << bytes.substr(0, 14))
        BOOST_TEST(unless_ours(end_of(where, bytes), {"not-well-formed", "unsupported-encoding", "bad-format"}) == "");
      }
      if (!where.signed_in)
        break; // one is enough there: accounts are dear
    }
}

BOOST_AUTO_TEST_CASE(characters_that_are_none_are_refused) { // XML 1.0, 2.2
  for (auto bad : {"\x01", "\x0b", "\x1f", "&#0;", "&#1;", "&#xB;", "&#xD800;", "&#xFFFE;", "&#x110000;",
                   "&#99999999999;", "&#;", "&#x;", "&;", "&amp"}) {
    BOOST_TEST_CONTEXT(base64(bad)) {
      auto bytes = std::string{"<message><body>"} + bad + "</body></message>";
      BOOST_TEST(unless_ours(end_of(entries[1], bytes), {"not-well-formed", "restricted-xml"}) == "");
    }
  }
  auto zero = std::string{"<message><body>\0</body></message>", 34};
  BOOST_TEST(end_of(entries[1], zero) == "not-well-formed");
}

BOOST_AUTO_TEST_CASE(tags_inside_stanzas_cannot_break_out_of_them) { // stanza smuggling (CVE-2022-22784 and others)
  auto mallory = client{"mallory"};
  auto juliet = client{"juliet"};
  auto smuggled = format("<message from='boss@localhost' to='{}'><body>pay him</body></message>", juliet.full());
  for (auto& content :
       {"<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>" + smuggled + "</stream:stream>",
        "<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>" + smuggled,
        "<x xmlns=\"urn:x'>\"/>" + smuggled, "<x a=\"'/>\"/>" + smuggled,
        "<x><![CDATA[</x></message>" + smuggled + "]]></x>", "<x xmlns='urn:a\nb:c|d'/>" + smuggled,
        "<x xmlns='jabber:client&#10;message'/>" + smuggled, "<x>]]&gt;</x>" + smuggled}) {
    mallory.send_bytes(format("<message to='{}'>", juliet.full()) + content + "</message>");
    auto got = juliet.next(); // one stanza, whatever is in it
    BOOST_TEST_CONTEXT(content) {
      BOOST_TEST(got.name == "message");
      BOOST_TEST(got["from"] == mallory.full());
    }
  }
  settle(mallory, juliet);
  BOOST_TEST(juliet.inbox().empty());
}

BOOST_AUTO_TEST_CASE(a_namespace_keeps_its_name_whatever_is_in_it) { // CVE-2022-25236
  auto mallory = client{"mallory"};
  auto juliet = client{"juliet"};
  for (auto ns : {"urn:a b", "urn:a|b", "urn:a&#10;b", "urn:&lt;x/&gt;", "http://etherx.jabber.org/streams", "\xc3\xbc",
                  "jabber:server"}) {
    mallory.send_bytes(format("<message to='{}'><x xmlns='", juliet.full()) + ns + "'/></message>");
    auto got = juliet.receives_next("<message/>");
    auto wanted = parse_element(std::string{"<x xmlns='"} + ns + "'/>");
    BOOST_TEST_CONTEXT(ns) {
      BOOST_REQUIRE(!got.children.empty());
      BOOST_TEST(got.children[0].ns == wanted.ns);
      BOOST_TEST(got.children[0].name == "x");
    }
  }
}

BOOST_AUTO_TEST_CASE(reserved_prefixes_cannot_be_bent) { // Namespaces in XML, 3
  for (auto bytes : {"<message xmlns:xml='urn:x'/>", "<message xmlns:xmlns='urn:x'/>",
                     "<message xmlns:a='http://www.w3.org/2000/xmlns/'/>", "<message xmlns:a=''/>",
                     "<message xmlns:a='urn:x' xmlns:b='urn:x' a:c='1' b:c='2'/>", "<a:b:c xmlns:a='urn:x'/>",
                     "<message :a='1'/>", "<message a:='1'/>"}) {
    BOOST_TEST_CONTEXT(bytes)
    BOOST_TEST(unless_ours(end_of(entries[1], bytes), {"not-well-formed", "bad-namespace-prefix"}) == "");
  }
}

// -- too much of everything (XEP-0205; RFC 6120, 13.12) ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_stranger_s_element_may_be_small_only) {
  for (auto& where : {entries[1], entries[3]}) {
    BOOST_TEST_CONTEXT(where.name) {
      BOOST_TEST(end_of(where, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                                   std::string(1 << 20, 'A')) == "policy-violation");
      BOOST_TEST(end_of(where, "<" + std::string(1 << 20, 'a')) == "policy-violation");
      BOOST_TEST(end_of(where, "<a b='" + std::string(1 << 20, 'a')) == "policy-violation");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stranger_s_header_may_be_small_only) {
  for (auto& where : {entries[0], entries[2]}) {
    BOOST_TEST_CONTEXT(where.name) {
      BOOST_TEST(end_of(where, "<stream:stream " + numbered("xmlns:a", "='urn:x' ", 100'000)) == "policy-violation");
      BOOST_TEST(end_of(where, std::string(1 << 20, ' ')) != "host-unknown");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stanza_over_the_limit_ends_the_stream) {
  for (auto& where : {entries[4], entries[5]})
    for (auto& bytes : {"<message><body>" + std::string(300'000, 'x') + "</body></message>",
                        "<message><body>" + std::string(300'000, 'x'),
                        "<message a='" + std::string(300'000, 'x') + "'/>", "<" + std::string(300'000, 'x') + "/>"}) {
      BOOST_TEST_CONTEXT(where.name << " " << bytes.substr(0, 12))
      BOOST_TEST(end_of(where, bytes) == "policy-violation");
    }
}

BOOST_AUTO_TEST_CASE(elements_too_deep_too_many_or_too_rich_end_the_stream) { // CVE-2024-8176, CVE-2023-52425
  for (auto& where : {entries[1], entries[4]})
    for (auto& bytes :
         {repeated("<a>", 100'000), "<message>" + repeated("<a>", 1'000) + repeated("</a>", 1'000) + "</message>",
          "<message " + numbered("a", "='' ", 100'000) + "/>", "<message " + numbered("a", "='' ", 1'000) + "/>",
          "<message " + numbered("xmlns:a", "='urn:x' ", 1'000) + "/>",
          "<message>" + repeated("<a/>", 60'000) + "</message>"}) {
      BOOST_TEST_CONTEXT(where.name << " " << bytes.substr(0, 24) << " " << bytes.size())
      BOOST_TEST(end_of(where, bytes) == "policy-violation");
    }
  others_are_served();
}

BOOST_AUTO_TEST_CASE(names_that_never_repeat_leave_no_memory_behind) { // ejabberd 26.07: atom exhaustion
  auto& here = shared_server();
  if (here.is_peer() || is_sanitized)
    return;
  auto mallory = client{"mallory"};
  auto flood = [&](int from) {
    for (auto i = from; i < from + 200; ++i) {
      auto bytes = std::string{"<iq type='get' id='n' to='localhost'><q" + std::to_string(i) + " xmlns='urn:q" +
                               std::to_string(i) + "'>"};
      for (auto n = 0; n < 100; ++n)
        bytes += "<never-seen-before-" + std::to_string(i * 1'000 + n) + " attribute-" + std::to_string(i * 1'000 + n) +
                 "='x'/>";
      mallory.send_bytes(bytes + "</q" + std::to_string(i) + "></iq>");
      mallory.receives("<iq type='error'/>");
    }
  };
  flood(0);
  auto before = here.resident_bytes();
  flood(1'000);
  BOOST_TEST(here.resident_bytes() - before < 3'000'000); // 40,000 new names of 25 bytes, twice, are 2 MB alone
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_read_is_left_behind) { // slow readers; ARCHITECTURE: bounded output
  auto romeo = client{"romeo"};
  auto slow = client{"slow"};
  auto juliet = client{"juliet"};
  befriend(slow, juliet);
  auto stanza =
      format("<message to='{}' type='headline'><body>{}</body></message>", slow.full(), std::string(50'000, 'x'));
  // Until it is gone: what the kernel buffers, and what the server does, are bounds.
  auto gone = false;
  for (auto i = 0; i < 2'000 && !gone; ++i) {
    romeo.send_bytes(stanza);
    romeo.ping();
    juliet.ping(juliet.bare());
    gone = juliet.has("<presence from='{}' type='unavailable'/>", slow.full());
  }
  BOOST_TEST(gone);
  if (shared_server().is_peer())
    return;
  BOOST_TEST(slow.stream_error() == "policy-violation"); // told why, when it reads at last: behind all that was taken
  BOOST_TEST(slow.inbox().back().name == "error");
  BOOST_TEST(slow.inbox().back().text_of("text") == "you read too slowly");
  romeo.ping();
}

BOOST_AUTO_TEST_CASE(directed_presence_is_remembered_within_bounds) { // digest: bound the list
  auto mallory = client{"mallory"};
  auto all = std::string{};
  for (auto i = 0; i < 20'000; ++i)
    all += format("<presence to='nobody-{}@localhost'/>", i);
  mallory.send_bytes(all);
  try {
    mallory.ping(); // alive, …
  } catch (const failure&) {
    BOOST_TEST(unless_ours(mallory.stream_error(), {"policy-violation", "resource-constraint"}) == ""); // … or told why
  }
  others_are_served();
}

BOOST_AUTO_TEST_CASE(a_roster_has_an_end) { // roster of 10^5 items
  auto romeo = client{"romeo"};
  auto refused = std::string{};
  auto sent = 0;
  auto pipeline = [&](int n) {
    auto all = std::string{};
    for (auto i = 0; i < n; ++i)
      all +=
          format("<iq type='set' id='r{}'><query xmlns='jabber:iq:roster'><item jid='c{}@example.com'/></query></iq>",
                 sent + i, sent + i);
    romeo.send_bytes(all);
    for (auto i = 0; i < n; ++i) {
      auto answer = romeo.receives("<iq id='r{}'/>", sent + i);
      if (refused.empty())
        refused = condition(answer);
    }
    sent += n;
    romeo.forget();
  };
  while (sent < 2'100 && refused.empty())
    pipeline(100);
  BOOST_TEST(unless_ours(refused, {"resource-constraint", "not-allowed", "policy-violation", "not-acceptable"}) == "");
  romeo.ping();
}

// -- addresses (CVE-2015-2058) ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(addresses_at_the_limits_are_cut_nowhere) { // RFC 7622, 3.1
  auto romeo = client{"romeo"};
  auto part = [](std::size_t bytes, const char* last) {
    auto tail = std::string{last};
    return std::string(bytes - tail.size(), 'a') + tail;
  };
  for (auto last : {"a", "\xc3\xbc", "\xe3\x81\x8b"}) {
    BOOST_TEST_CONTEXT(last) {
      // 1,023 bytes are an address of nobody, 1,024 are none.
      BOOST_TEST(condition(romeo.get("<q xmlns='urn:q'/>", part(1'023, last) + "@localhost")) == "service-unavailable");
      BOOST_TEST(condition(romeo.get("<q xmlns='urn:q'/>", part(1'024, last) + "@localhost")) == "jid-malformed");
      BOOST_TEST(condition(romeo.get("<q xmlns='urn:q'/>", "nobody@localhost/" + part(1'023, last))) ==
                 "service-unavailable");
      BOOST_TEST(condition(romeo.get("<q xmlns='urn:q'/>", "nobody@localhost/" + part(1'024, last))) ==
                 "jid-malformed");
    }
  }
  BOOST_TEST(condition(romeo.get("<q xmlns='urn:q'/>", std::string(1'024, 'd'))) == "jid-malformed");
}

BOOST_AUTO_TEST_CASE(addresses_that_look_alike_are_one_or_none) { // RFC 8265: width, case, compatibility
  auto romeo = client{"romeo"};
  auto juliet = client{"juliet"};
  auto wide = std::string{};
  for (auto c : juliet.who().name) { // full-width forms of ASCII letters
    if (c >= 'a' && c <= 'z') {
      auto code = 0xff41 + (c - 'a');
      wide += {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
               static_cast<char>(0x80 | (code & 0x3f))};
    } else {
      wide += c;
    }
  }
  romeo.send("<message to='{}@LOCALHOST/{}' id='m'><body>same</body></message>", wide, juliet.resource());
  juliet.receives("<message to='{}'><body>same</body></message>", juliet.full());
  auto ligature = condition(romeo.get("<q xmlns='urn:q'/>", "\xef\xac\x81@localhost")); // fi as one character
  BOOST_TEST(ligature == "jid-malformed");
}

// -- what only the server may say (ejabberd 25.04: only the first of several copies was replaced) ---------------------

/// An element that only the server may write, when `attribute` names one whom it speaks for.
struct asserted {
  std::string name, ns, attribute, more;
};

/// The siblings with copies of `forged` among them: the first at `place`, each other one behind the next sibling.
std::string scattered(const std::vector<std::string>& siblings, const std::string& forged, int place, int copies) {
  auto out = std::string{};
  for (auto n = 0; n < static_cast<int>(siblings.size()); ++n) {
    if (n >= place && n < place + copies)
      out += forged;
    out += siblings[static_cast<std::size_t>(n)];
  }
  for (auto n = static_cast<int>(siblings.size()); n < place + copies; ++n)
    out += forged;
  return out;
}

BOOST_AUTO_TEST_CASE(what_only_the_server_may_say_is_taken_out_wherever_it_stands) { // XEP-0203, 5; XEP-0359, 3
  if (shared_server().is_peer())
    return;
  auto mallory = client{"mallory", {.state = upto::connected}};
  auto juliet = client{"juliet"};
  mallory.opens();
  mallory.features();
  mallory.authenticates(mallory.who());
  mallory.opens("localhost", " xmlns:h='urn:xmpp:delay' xmlns:hx='jabber:x:delay' xmlns:hs='urn:xmpp:sid:0'");
  mallory.features();
  mallory.binds();
  auto names = {std::string{"localhost"},
                std::string{"LOCALHOST"},
                std::string{"l&#111;calhost"},
                std::string{"localhost."},
                std::string{"localhost/x"},
                std::string{"montague.lit"},
                std::string{"bücher.lit"},
                std::string{"xn--bcher-kva.lit"},
                juliet.bare(),
                juliet.full()};
  auto tried = 0;
  for (auto& [one, in_header] :
       {std::pair{asserted{"delay", "urn:xmpp:delay", "from", "stamp='2002-09-10T23:08:25Z'"}, "h:"},
        std::pair{asserted{"x", "jabber:x:delay", "from", "stamp='20020910T23:08:25'"}, "hx:"},
        std::pair{asserted{"stanza-id", "urn:xmpp:sid:0", "by", "id='1'"}, "hs:"}}) {
    // What somebody else may say, what has the name only, and what stands deeper, are left alone.
    auto siblings = std::vector<std::string>{
        "<body>x</body>", format("<{} xmlns='{}' {}='example.com'/>", one.name, one.ns, one.attribute),
        format("<{} xmlns='urn:example:own' {}='localhost'/>", one.name, one.attribute),
        format("<forwarded xmlns='urn:xmpp:forward:0'><{} xmlns='{}' {}='localhost'/></forwarded>", one.name, one.ns,
               one.attribute)};
    auto wanted = parse_element("<message>" + scattered(siblings, "", 0, 0) + "</message>").children;
    for (auto& by : names)
      for (auto [prefix, declared] :
           {std::pair{"", format(" xmlns='{}'", one.ns)}, // in every way to declare it
            std::pair{"own:", format(" xmlns:own='{}'", one.ns)}, std::pair{"outer:", ""s}, std::pair{in_header, ""s}})
        for (auto copies = 1; copies <= 3; ++copies)
          for (auto place = 0; place <= static_cast<int>(siblings.size()); ++place) {
            auto forged = format("<{}{}{} {}='{}' {}/>", prefix, one.name, raw_xml{declared}, one.attribute,
                                 raw_xml{by}, raw_xml{one.more});
            auto kind = ++tried % 2 ? "message" : "presence";
            auto sent = format("<{} to='{}' xmlns:outer='{}'>{}</{}>", kind, juliet.full(), one.ns,
                               raw_xml{scattered(siblings, forged, place, copies)}, kind);
            mallory.send_bytes(sent);
            auto got = juliet.next();
            auto is_clean = got.name == kind && got.children.size() == wanted.size();
            for (auto n = std::size_t{0}; is_clean && n < wanted.size(); ++n)
              is_clean = got.children[n].to_string() == wanted[n].to_string();
            if (!is_clean) // a check of each would be slow
              BOOST_ERROR(sent << "\ncame as " << got.to_string());
          }
  }
  BOOST_TEST(tried == 3 * 10 * 4 * 3 * 5);
}

BOOST_AUTO_TEST_CASE(a_stanza_s_sender_is_the_server_s_word_whatever_claims_otherwise) {
  auto mallory = client{"mallory"};
  auto juliet = client{"juliet"};
  // Attributes of other namespaces, and children, that are called like it.
  mallory.send("<message to='{}' xmlns:p='jabber:client' p:from='boss@localhost' xmlns:q='urn:q' q:from='b@localhost'>"
               "<from>boss@localhost</from></message>",
               juliet.full());
  auto got = juliet.receives_next("<message/>");
  BOOST_TEST(got["from"] == mallory.full());
  BOOST_TEST(got["to"] == juliet.full());
}

// -- whom a stanza may touch (ejabberd 26.09: cross-tenant access) ----------------------------------------------------

/// What a host holds for one of its accounts, as the account itself and a contact of it see it.
std::string state_of(client& juliet, client& contact) {
  auto out = std::string{};
  for (auto payload : {"<query xmlns='jabber:iq:roster'/>", "<vCard xmlns='vcard-temp'/>",
                       "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>",
                       "<blocklist xmlns='urn:xmpp:blocking'/>", "<query xmlns='jabber:iq:register'/>"}) {
    auto answer = juliet.get(payload);
    out += answer["type"] + ' ' + (answer.children.empty() ? "" : answer.children[0].to_string()) + '\n';
  }
  settle(juliet, contact);
  contact.forget();
  contact.send("<presence to='{}' type='probe'/>", juliet.bare());
  settle(contact, juliet);
  auto presences = std::vector<std::string>{};
  for (auto& x : contact.inbox())
    if (x.name == "presence") {
      auto line = x["from"] + ' ' + x["type"];
      for (auto& child : x.children)
        if (child.name != "delay") // its stamp is of when it was sent, or there is none
          line += child.to_string();
      presences.push_back(line);
    }
  std::sort(presences.begin(), presences.end());
  for (auto& one : presences)
    out += one + '\n';
  contact.forget();
  return out;
}

/// Requests that change something, for whoever may make them.
const std::vector<std::string>& changes() {
  static const auto all = std::vector<std::string>{
      "<query xmlns='jabber:iq:roster'><item jid='mallory@localhost'/></query>",
      "<query xmlns='jabber:iq:roster'><item jid='nurse@montague.lit' subscription='remove'/></query>",
      "<vCard xmlns='vcard-temp'><FN>Fool</FN></vCard>",
      "<query xmlns='jabber:iq:register'><remove/></query>",
      "<query xmlns='jabber:iq:private'><a xmlns='urn:a'>x</a></query>",
      "<block xmlns='urn:xmpp:blocking'><item jid='a@example.com'/></block>",
      "<block xmlns='urn:xmpp:blocking'><item jid='montague.lit'/></block>",
      "<unblock xmlns='urn:xmpp:blocking'/>",
      "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind>",
      "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>",
      "<query xmlns='jabber:iq:last' seconds='1'/>",
      "<query xmlns='jabber:iq:version'><name>x</name></query>",
      "<time xmlns='urn:xmpp:time'><utc>2002-09-10T23:08:25Z</utc></time>",
      "<ping xmlns='urn:xmpp:ping'/>",
      "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc'/></query>",
      "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='a.b' action='update'/></query>",
      "<command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#delete-user'/>",
      "<command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#announce'/>"};
  return all;
}

BOOST_AUTO_TEST_CASE(one_host_s_clients_change_nothing_in_another) {
  auto& here = shared_server();
  if (here.is_peer())
    return;
  auto juliet = client{here, registers(here, "juliet", "montague.lit")};
  auto nurse = client{here, registers(here, "nurse", "montague.lit")};
  befriend(juliet, nurse);
  juliet.set("<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>");
  juliet.set("<query xmlns='jabber:iq:private'><a xmlns='urn:a'>hers</a></query>");
  juliet.set("<block xmlns='urn:xmpp:blocking'><item jid='paris@montague.lit'/></block>");
  juliet.send("<presence><status>on the balcony</status></presence>");
  auto before = state_of(juliet, nurse);
  for (auto part : {"nurse", "Juliet", "hers", "paris", "on the balcony"})
    BOOST_TEST_REQUIRE(before.find(part) != before.npos); // the state that is compared is there
  juliet.forget();
  auto targets = {juliet.bare(), juliet.full(), std::string{"montague.lit"}, std::string{"montague.lit/x"},
                  unique("nobody") + "@montague.lit"};

  auto tries_all = [&](client& mallory) {
    // Of each kind but `subscribe`, which a contact to be may ask anybody on any host.
    for (auto& to : targets) {
      for (auto type : {"", "unavailable", "probe", "subscribed", "unsubscribe", "unsubscribed", "error", "none"})
        mallory.send("<presence to='{}'{}><status>gone</status><priority>127</priority></presence>", to,
                     raw_xml{*type ? format(" type='{}'", std::string{type}) : ""});
      for (auto type : {"normal", "chat", "headline", "groupchat", "error"})
        for (auto content : {"<x xmlns='http://jabber.org/protocol/rosterx'><item action='add' jid='m@localhost'/></x>",
                             "<x xmlns='jabber:x:conference' jid='a@localhost'/>",
                             "<query xmlns='jabber:iq:roster'><item jid='mallory@localhost'/></query>",
                             "<event xmlns='http://jabber.org/protocol/pubsub#event'/>",
                             "<delay xmlns='urn:xmpp:delay' from='montague.lit' stamp='2002-09-10T23:08:25Z'/>"})
          mallory.send("<message to='{}' type='{}'>{}</message>", to, std::string{type}, raw_xml{content});
      for (auto type : {"set", "get", "result", "error"})
        for (auto& payload : changes())
          mallory.send("<iq to='{}' type='{}' id='{}'>{}</iq>", to, std::string{type}, mallory.fresh_id(),
                       raw_xml{payload});
    }
    mallory.ping(mallory.who().domain);
    mallory.ping(juliet.bare());
    juliet.ping(juliet.bare());
    // All that came of it came to her as what it is: a stranger's stanza.
    for (auto& x : juliet.inbox())
      BOOST_TEST(x["from"].rfind(mallory.full().substr(0, mallory.full().find('/')), 0) == 0u, x.to_string());
    juliet.forget();
    BOOST_TEST(state_of(juliet, nurse) == before);
  };
  auto mallory = client{"mallory"};
  tries_all(mallory);
  auto masked = client{here};
  masked.opens("masked.lit");
  masked.features();
  BOOST_TEST_REQUIRE(masked.authenticates({"", "masked.lit"}, "ANONYMOUS").name == "success");
  masked.opens("masked.lit");
  masked.features();
  masked.binds();
  tries_all(masked);

  // Each that is asked of the host or the account is refused by name; a few questions have an answer for everybody.
  for (auto& to : {juliet.bare(), std::string{"montague.lit"}})
    for (auto& payload : changes()) {
      BOOST_TEST_CONTEXT(to << " " << payload)
      BOOST_TEST(condition(mallory.set(payload, to)) != "");
    }
  for (auto payload :
       {"<query xmlns='jabber:iq:roster'/>", "<blocklist xmlns='urn:xmpp:blocking'/>",
        "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>", "<query xmlns='jabber:iq:last'/>"})
    BOOST_TEST(condition(mallory.get(payload, juliet.bare())) != "", payload);
  auto name = format("<query xmlns='jabber:iq:register'><username>{}</username><password>mine</password></query>",
                     juliet.who().name);
  BOOST_TEST(condition(mallory.set(name, "montague.lit")) != "");
  BOOST_TEST(state_of(juliet, nurse) == before);
  auto again = client{here, juliet.who(), {.resource = "again"}}; // with the same password
  again.ping();
}

BOOST_AUTO_TEST_CASE(who_has_not_signed_in_at_one_host_changes_nothing_in_another) {
  auto& here = shared_server();
  if (here.is_peer())
    return;
  auto juliet = client{here, registers(here, "juliet", "montague.lit")};
  auto nurse = client{here, registers(here, "nurse", "montague.lit")};
  befriend(juliet, nurse);
  juliet.set("<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>");
  auto before = state_of(juliet, nurse);
  juliet.forget();
  auto password = format("<query xmlns='jabber:iq:register'><username>{}</username><password>mine</password></query>",
                         juliet.who().name);
  auto payloads = changes();
  payloads.push_back(password);
  for (auto at : {"localhost", "closed.lit", "masked.lit"})
    for (auto& to : {juliet.bare(), juliet.full(), std::string{"montague.lit"}}) {
      auto stanzas = std::vector<std::string>{format("<message to='{}'><body>x</body></message>", to),
                                              format("<presence to='{}'/>", to),
                                              format("<presence to='{}' type='subscribed'/>", to)};
      for (auto& payload : payloads)
        stanzas.push_back(format("<iq type='set' id='i' to='{}'>{}</iq>", to, raw_xml{payload}));
      for (auto& stanza : stanzas) {
        auto stranger = client{here};
        stranger.opens(at);
        stranger.features();
        stranger.send_bytes(stanza);
        BOOST_TEST_CONTEXT(at << " " << stanza)
        BOOST_TEST(stranger.stream_error() == "not-authorized");
      }
    }
  settle(nurse, juliet);
  BOOST_TEST(juliet.inbox().empty());
  BOOST_TEST(state_of(juliet, nurse) == before);
  auto again = client{here, juliet.who(), {.resource = "again"}};
  again.ping();
}

BOOST_AUTO_TEST_CASE(accounts_of_one_name_on_two_hosts_share_nothing) {
  auto& here = shared_server();
  if (here.is_peer())
    return;
  auto theirs = registers(here, "twin", "montague.lit");
  auto ours = account{theirs.name, "localhost", "another password"};
  auto asks = [](client& x, const char* payload) { return x.get(payload).children.at(0).to_string(); };
  auto stranger = client{here};
  stranger.opens();
  stranger.features();
  BOOST_TEST(stranger.set(format("<query xmlns='jabber:iq:register'><username>{}</username><password>{}</password>"
                                 "</query>",
                                 ours.name, ours.password))["type"] == "result");
  auto x = client{here, ours};
  auto y = client{here, theirs};
  auto nurse = client{here, registers(here, "nurse", "montague.lit")};
  befriend(y, nurse);
  y.set("<vCard xmlns='vcard-temp'><FN>Y</FN></vCard>");
  y.set("<query xmlns='jabber:iq:private'><a xmlns='urn:a'>Y</a></query>");
  y.set("<block xmlns='urn:xmpp:blocking'><item jid='y@example.com'/></block>");
  auto before = state_of(y, nurse);
  y.forget();
  for (auto payload : {"<query xmlns='jabber:iq:roster'><item jid='x@example.com'/></query>",
                       "<vCard xmlns='vcard-temp'><FN>X</FN></vCard>",
                       "<query xmlns='jabber:iq:private'><a xmlns='urn:a'>X</a></query>",
                       "<block xmlns='urn:xmpp:blocking'><item jid='x@example.com'/></block>"})
    BOOST_TEST(x.set(payload)["type"] == "result");
  x.send("<presence type='unavailable'/>");
  x.ping();
  x.send("<message to='{}' type='chat'><body>for ours only</body></message>", ours.bare());
  x.ping(x.bare());
  BOOST_TEST(asks(x, "<vCard xmlns='vcard-temp'/>").find(">X<") != std::string::npos);
  BOOST_TEST(state_of(y, nurse) == before);
  BOOST_TEST(x.set(format("<query xmlns='jabber:iq:register'><username>{}</username><password>new</password></query>",
                          ours.name),
                   "localhost")["type"] == "result");
  auto second = client{here, theirs, {.resource = "second"}}; // their password is the old one
  settle(second, y);
  BOOST_TEST(!second.has("<message/>"));
  second.leaves();
  x.send("<iq type='set' id='end' to='localhost'><query xmlns='jabber:iq:register'><remove/></query></iq>");
  x.receives("<iq type='result' id='end'/>");
  settle(nurse, y);
  BOOST_TEST(state_of(y, nurse) == before);
  for (auto& one : y.inbox())
    BOOST_TEST(one["from"].rfind(theirs.bare(), 0) == 0u, one.to_string()); // its own second session
  auto third = client{here, theirs, {.resource = "third"}};
  third.ping();
}

BOOST_AUTO_TEST_CASE(commands_for_administrators_are_not_there_for_others) {
  auto mallory = client{"mallory"};
  for (auto& to : {std::string{"localhost"}, mallory.bare(), std::string{}})
    BOOST_TEST(condition(mallory.set("<command xmlns='http://jabber.org/protocol/commands' action='execute' "
                                     "node='http://jabber.org/protocol/admin#add-user'/>",
                                     to)) == "service-unavailable");
}

BOOST_AUTO_TEST_CASE(poisoned_capabilities_are_nobody_s_but_the_sender_s) { // XEP-0115, 9.3
  auto mallory = client{"mallory"};
  auto juliet = client{"juliet"};
  auto romeo = client{"romeo"};
  befriend(romeo, juliet);
  befriend(mallory, juliet);
  auto caps = std::string{"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://troupe.example' "
                          "ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>"};
  mallory.send("<presence>{}</presence>", raw_xml{caps});
  juliet.receives("<presence from='{}'>{}</presence>", mallory.full(), raw_xml{caps});
  romeo.send("<presence>{}</presence>", raw_xml{caps});
  juliet.receives("<presence from='{}'>{}</presence>", romeo.full(), raw_xml{caps}); // as it was sent
}

BOOST_AUTO_TEST_CASE(truncated_stanzas_change_nothing) {
  auto who = registers("romeo");
  auto whole =
      std::string{"<iq type='set' id='i'><query xmlns='jabber:iq:roster'><item jid='a@example.com'/></query></iq>"};
  for (auto cut = std::size_t{1}; cut < whole.size(); cut += 7) {
    auto x = client{who, {.state = upto::bound}};
    x.send_bytes(whole.substr(0, cut));
    x.wire().finish();
    x.stream_error();
  }
  auto romeo = client{who};
  BOOST_TEST(romeo.asks_roster().find("query")->children.empty());
}

BOOST_AUTO_TEST_CASE(a_stranger_can_not_find_out_who_has_an_account) { // RFC 6121, 8.5.1; account enumeration
  auto mallory = client{"mallory"};
  auto here = registers("nurse").bare();
  auto nobody = unique("nurse") + "@localhost";
  auto hears = [&](const std::string& to, const std::string& stanza) {
    auto id = mallory.fresh_id();
    auto end = stanza.find(' ');
    mallory.send("<{} to='{}' id='{}'{}", raw_xml{stanza.substr(0, end)}, to, id, raw_xml{stanza.substr(end)});
    mallory.ping(to);
    mallory.ping(mallory.bare());
    auto out = std::string{};
    for (auto& x : mallory.inbox())
      out += x.name + " " + x["type"] + (x["id"] == id ? " answer " : " ") +
             (x.find("error") ? x.find("error")->to_string() : "") + (x.find("query") ? "push" : "") + ";";
    mallory.forget();
    return out;
  };
  auto stanzas = std::vector<std::string>{
      "message type='headline'><body>x</body></message>",
      "message type='groupchat'><body>x</body></message>",
      "message type='error'><body>x</body></message>",
      "message />",
      "message type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
      "message type='chat'><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>",
      "message type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
      "presence />",
      "presence type='unavailable'/>",
      "presence type='probe'/>",
      "presence type='subscribed'/>",
      "presence type='subscribe'/>",
      "presence type='probe'/>", // with a request under way
      "presence type='unsubscribe'/>",
      "presence type='error'/>",
      "iq type='result'/>",
  };
  for (auto type : {"get", "set"})
    for (auto payload :
         {"<ping xmlns='urn:xmpp:ping'/>", "<vCard xmlns='vcard-temp'/>", "<x xmlns='vcard-temp'/>",
          "<query xmlns='jabber:iq:last'/>", "<query xmlns='jabber:iq:version'/>", "<time xmlns='urn:xmpp:time'/>",
          "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>", "<query xmlns='jabber:iq:private'/>",
          "<query xmlns='jabber:iq:roster'/>", "<query xmlns='jabber:iq:register'/>",
          "<query xmlns='http://jabber.org/protocol/disco#info'/>",
          "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>",
          "<query xmlns='http://jabber.org/protocol/disco#items'/>", "<blocklist xmlns='urn:xmpp:blocking'/>",
          "<block xmlns='urn:xmpp:blocking'/>", "<query xmlns='urn:example:q'/>"})
      stanzas.push_back(std::string{"iq type='"} + type + "'>" + payload + "</iq>");
  for (auto resource : {"", "/balcony"})
    for (auto& stanza : stanzas) {
      if (stanza.starts_with("presence") && *resource)
        continue; // they have left their mark
      BOOST_TEST_CONTEXT(stanza << " to " << resource)
      BOOST_TEST(hears(here + resource, stanza) == hears(nobody + resource, stanza));
    }
}

BOOST_AUTO_TEST_CASE(one_presence_is_one_stanza_for_each_who_sees_it) { // presence amplification
  auto romeo = client{"romeo"};
  auto contacts = std::vector<std::unique_ptr<client>>{};
  for (auto name : {"juliet", "mercutio", "nurse"}) {
    contacts.push_back(std::make_unique<client>(name));
    befriend(romeo, *contacts.back());
  }
  contacts.push_back(std::make_unique<client>(contacts[0]->who(), client_options{.resource = "tablet"}));
  settle(*contacts.back(), romeo);
  auto all_forget = [&] {
    for (auto& one : contacts) {
      settle(romeo, *one);
      one->forget();
    }
    romeo.forget();
  };
  auto each_has = [&](const std::string& text, std::size_t expected) {
    for (auto& one : contacts) {
      settle(romeo, *one);
      BOOST_TEST(one->count(format("<presence from='{}'><status>{}</status></presence>", romeo.full(), text)) ==
                 expected);
      BOOST_TEST(one->inbox().size() == expected);
    }
  };
  all_forget();
  romeo.send("<presence><status>broadcast</status></presence>");
  each_has("broadcast", 1);
  BOOST_TEST(romeo.inbox().size() == 1u); // its own, and no answer of a contact
  all_forget();
  romeo.send("<presence to='{}'><status>directed</status></presence>", contacts[0]->full());
  settle(romeo, *contacts[0]);
  settle(romeo, *contacts[3]);
  BOOST_TEST(contacts[0]->inbox().size() == 1u);
  BOOST_TEST(contacts[3]->inbox().empty());
  BOOST_TEST(romeo.inbox().empty());
  all_forget();
  romeo.send("<presence to='{}' type='probe'/>", contacts[1]->bare());
  settle(romeo, *contacts[1]);
  BOOST_TEST(romeo.inbox().size() == 1u); // one resource, one answer
  BOOST_TEST(contacts[1]->inbox().empty());
  all_forget();
  auto second = client{romeo.who(), {.resource = "second"}}; // its presence probes each contact once
  settle(second, *contacts[1]);
  second.ping(second.bare());
  for (auto& one : contacts)
    BOOST_TEST(second.count(format("<presence from='{}'/>", one->full())) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
