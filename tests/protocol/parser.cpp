#include "protocol/parser.hpp"

#include "protocol/namespaces.hpp"

#include <boost/test/unit_test.hpp>

#include <malloc.h>
#include <string>

using namespace xmpp;
using namespace std::literals;

namespace {

parser& client() {
  static auto p = parser{ns::client, stream_limits{}};
  return p;
}

/// The canonical bytes, or the error's name.
std::string parsed(std::string_view frame, std::string_view declarations = {}) {
  auto e = client().parse(frame, declarations);
  return e ? std::string{e->bytes()} : std::string{condition_name(e.code())};
}

std::string header_error(std::string_view start_tag) {
  return std::string{condition_name(client().parse_header(start_tag).code())};
}

std::string repeated(std::string_view text, int times) {
  auto out = std::string{};
  while (times-- > 0)
    out += text;
  return out;
}

constexpr auto streams = "xmlns:stream='http://etherx.jabber.org/streams'"sv;

} // namespace

BOOST_AUTO_TEST_SUITE(parsing)

BOOST_AUTO_TEST_CASE(an_element_reads_as_it_was_written) {
  auto e = client().parse(
      "<message to=\"a\" xml:lang='en'\n type='chat'><body>x &lt; y</body>\n<e xmlns='u'><f/></e></message>");
  BOOST_TEST_REQUIRE(e.has_value());
  BOOST_TEST(e->is("message", ns::client));
  BOOST_TEST(e->attribute("to").value() == "a");
  BOOST_TEST(e->lang() == "en");
  BOOST_TEST(e->child("body", ns::client).text() == "x < y");
  BOOST_TEST(e->child("e", "u").first_child().is("f", "u"));
  BOOST_TEST(e->bytes() ==
             "<message to='a' xml:lang='en' type='chat'><body>x &lt; y</body>\n<e xmlns='u'><f/></e></message>");
}

// Some kilobytes of a stranger's must not become a gigabyte of ours: the canonical form repeats what a prefix shortens.
BOOST_AUTO_TEST_CASE(a_small_element_with_a_large_canonical_form_is_refused) {
  auto limits = stream_limits{};
  auto ns = std::string(8'000, 'n');
  auto children = "<m xmlns:q='" + ns + "'>" + repeated("<q:b/>", 1'000) + "</m>";
  BOOST_TEST(children.size() < limits.unauthenticated_bytes_max);
  BOOST_TEST(parsed(children) == "policy-violation");
  BOOST_TEST(parsed("<m>" + repeated("<q:b/>", 1'000) + "</m>", " xmlns:q='" + ns + "'") == "policy-violation");
  auto attributes = std::string{"<m xmlns:q='" + ns + "'"};
  for (auto i = 0; i < 60; ++i)
    attributes += " q:a" + std::to_string(i) + "=''";
  BOOST_TEST(parsed(attributes + "/>") == "policy-violation");
  BOOST_TEST(parsed("<m a=\"" + std::string(200'000, '\'') + "\"/>") == "policy-violation");
  BOOST_TEST(parsed("<m>" + repeated("&gt;", 30'000) + "</m>") != "policy-violation"); // as long as it was
  // What people send is far from the bound: here each child costs six times what it did.
  auto usual = "<m xmlns:q='http://jabber.org/protocol/pubsub#event'>" + repeated("<q:item/>", 500) + "</m>";
  BOOST_TEST(parsed(usual).size() > 4 * usual.size());
  // And it is always bounded, however large the element.
  BOOST_TEST(limits.canonical_bytes_max(limits.stanza_bytes_max) == 2 * limits.stanza_bytes_max);
}

BOOST_AUTO_TEST_CASE(text_is_taken_whole) {
  BOOST_TEST(
      client().parse("<a>1<b/>&amp;<![CDATA[<&]]>\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80&#x1F600;&#233;</a>")->text() ==
      "1&<&\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xC3\xA9");
  BOOST_TEST(client().parse("<a>1\r\n2\r3\n4&#13;5\t</a>")->text() == "1\n2\n3\n4\r5\t");
  BOOST_TEST(client().parse("<a b='1\r\n2\r3\n4&#13;&#10;&#9;5\t'/>")->attribute("b").value() == "1 2 3 4\r\n\t5 ");
  auto long_text = repeated("\xF0\x9F\x98\x80", 60'000);
  BOOST_TEST((client().parse("<a>" + long_text + "</a>")->text() == long_text));
  BOOST_TEST((client().parse("<a b='" + long_text + "'/>")->attribute("b") == long_text));
}

BOOST_AUTO_TEST_CASE(prefixes_become_default_declarations) {
  BOOST_TEST(parsed("<c:a xmlns:c='jabber:client'><c:b/><d xmlns='x'><c:e/></d></c:a>") ==
             "<a><b/><d xmlns='x'><e xmlns='jabber:client'/></d></a>");
  BOOST_TEST(parsed("<x:a xmlns:x='u' x:b='1' c='2'/>") == "<a xmlns='u' a0:b='1' xmlns:a0='u' c='2'/>");
  BOOST_TEST(parsed("<a xmlns=''/>") == "<a xmlns=''/>");
  BOOST_TEST(parsed("<a xmlns:unused='u'/>") == "<a/>");
  BOOST_TEST(parsed("<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>") ==
             "<error xmlns='http://etherx.jabber.org/streams'><see-other-host "
             "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>");
}

BOOST_AUTO_TEST_CASE(the_content_namespace_is_the_default) {
  auto server = parser{ns::server, stream_limits{}};
  BOOST_TEST(server.parse("<message/>")->ns() == ns::server);
  BOOST_TEST(client().parse("<message/>")->ns() == ns::client);
  BOOST_TEST(server.parse("<message xmlns='jabber:client'/>")->ns() == ns::client);
}

BOOST_AUTO_TEST_CASE(an_undeclared_prefix_is_told_from_bad_form) {
  BOOST_TEST(parsed("<x:a/>") == "bad-namespace-prefix");
  BOOST_TEST(parsed("<a x:b=''/>") == "bad-namespace-prefix");
  BOOST_TEST(parsed("<a><b xmlns:x='u'/><x:c/></a>") == "bad-namespace-prefix");
  BOOST_TEST(parsed("<s:a/>") == "bad-namespace-prefix");
  BOOST_TEST(parsed("<w:a/>", " xmlns:v='u'") == "bad-namespace-prefix");
  BOOST_TEST(parsed("<xml:a/>") == "bad-namespace-prefix");
  BOOST_TEST(parsed("<a><xml:a/></a>") == "bad-namespace-prefix");
  for (auto bad : {"<a>",
                   "<a></b>",
                   "<a b></a>",
                   "<a b=c/>",
                   "<a b='' b=''/>",
                   "<a b=''c=''/>",
                   "<a>]]></a>",
                   "<1/>",
                   "<a b='<'/>",
                   "<a>&#0;</a>",
                   "<a>&#xFFFE;</a>",
                   "<a>&#xD800;</a>",
                   "<a>&lt</a>",
                   "<a:b:c/>",
                   "<:a/>",
                   "<a:/>",
                   "<a>\x01</a>",
                   "<a>\xEF\xBF\xBF</a>",
                   "<a>\xC0\x80</a>",
                   "<a>\xED\xA0\x80</a>",
                   "<>",
                   "</a>",
                   "<a",
                   "a",
                   "",
                   "<a/>x",
                   "x<a/>",
                   " <a/>",
                   "<a/> ",
                   "<!DOCTYPE a>",
                   "<a><!DOCTYPE a></a>"})
    BOOST_TEST(parsed(bad) == "not-well-formed", bad);
  BOOST_TEST(parsed("<a>\0</a>"sv) == "not-well-formed");
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf_8_are_refused_wherever_they_stand) {
  for (auto bad : {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
                   "\xF5\x80\x80\x80", "\xF7\xBF\xBF\xBF", "\xF8\x88\x80\x80\x80", "\xFF", "\xE2\x82"})
    for (auto length : {0, 10, 100, 17'000, 50'000}) {
      BOOST_TEST(parsed("<a>" + repeated("x", length) + bad + "</a>") == "not-well-formed");
      BOOST_TEST(parsed("<a b='" + repeated("x", length) + bad + "'/>") == "not-well-formed");
    }
}

BOOST_AUTO_TEST_CASE(reserved_prefixes_and_namespaces_stay_reserved) { // Namespaces in XML 1.0, 3
  for (auto bad :
       {"<a xmlns:x=''/>", "<a xmlns:xmlns='u'/>", "<a xmlns:xml='u'/>", "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:x='http://www.w3.org/2000/xmlns/'/>", "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:x='http://www.w3.org/XML/1998/namespace'/>", "<xmlns:a/>",
        "<a xmlns:x='u' xmlns:y='u' x:b='' y:b=''/>"})
    BOOST_TEST(parsed(bad) == "not-well-formed", bad);
  BOOST_TEST(parsed("<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='en'/>") == "<a xml:lang='en'/>");
}

BOOST_AUTO_TEST_CASE(what_a_framer_would_refuse_is_refused_here_too) {
  BOOST_TEST(parsed("<a><!-- x --></a>") == "restricted-xml");
  BOOST_TEST(parsed("<a><?x y?></a>") == "restricted-xml");
  BOOST_TEST(parsed("<a>&x;</a>") == "restricted-xml");
  BOOST_TEST(parsed("<a b='&x;'/>") == "restricted-xml");
}

BOOST_AUTO_TEST_CASE(a_frame_is_exactly_one_element) { // stanza smuggling
  for (auto bad : {"<message/><message/>", "<message></message><message></message>", "<a/></stream:stream>",
                   "</stream:stream>", "<a></a></stream:stream><stream:stream>", "<a/>x<b/>", "<a/> <b/>",
                   "<a/><!-- -->", "<a/><?x?>", "<a/></w>", "</w><w>"}) {
    BOOST_TEST(parsed(bad) == "not-well-formed", bad);
    BOOST_TEST(parsed(bad, " xmlns:x='u'") == "not-well-formed", bad);
    BOOST_TEST(parsed("<next/>") == "<next/>", bad);
    BOOST_TEST(parsed("<next/>", " xmlns:x='u'") == "<next/>", bad);
  }
}

BOOST_AUTO_TEST_CASE(a_stream_inside_an_element_is_an_ordinary_element) {
  BOOST_TEST(parsed("<message><stream:stream to='x'><message/></stream:stream></message>") ==
             "<message><stream xmlns='http://etherx.jabber.org/streams' to='x'><message "
             "xmlns='jabber:client'/></stream></message>");
  BOOST_TEST(client().parse("<stream:stream/>")->is("stream", ns::stream));
}

BOOST_AUTO_TEST_CASE(declarations_of_the_header_hold_in_elements) {
  auto h =
      client().parse_header("<stream:stream to='a' from='b' version='1.0' id='i' xml:lang='en' xmlns='jabber:client' " +
                            std::string{streams} + " xmlns:x='u&amp;&apos;' xmlns:y='v'>");
  BOOST_TEST_REQUIRE(h.has_value());
  BOOST_TEST(h->to == "a");
  BOOST_TEST(h->from == "b");
  BOOST_TEST(h->id == "i");
  BOOST_TEST(h->version == "1.0");
  BOOST_TEST(h->lang == "en");
  BOOST_TEST(h->content_ns == ns::client);
  BOOST_TEST(h->name == "stream");
  BOOST_TEST(h->ns == ns::stream);
  BOOST_TEST(h->declarations == " xmlns:x='u&amp;&apos;' xmlns:y='v'");
  BOOST_TEST(parsed("<x:a y:b=''><c/></x:a>", h->declarations) ==
             "<a xmlns='u&amp;&apos;' a0:b='' xmlns:a0='v'><c xmlns='jabber:client'/></a>");
  BOOST_TEST(parsed("<x:a/>") == "bad-namespace-prefix");
}

BOOST_AUTO_TEST_CASE(a_header_may_bind_the_streams_to_any_prefix) {
  auto h = client().parse_header(
      "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:stream='u' xmlns='jabber:client'>");
  BOOST_TEST_REQUIRE(h.has_value());
  BOOST_TEST(h->ns == ns::stream);
  BOOST_TEST(h->content_ns == ns::client);
  BOOST_TEST(client().parse("<s:error/>", h->declarations)->is("error", ns::stream));
  BOOST_TEST(client().parse("<stream:x/>", h->declarations)->is("x", "u"));
  BOOST_TEST(client().parse("<stream:x/>")->is("x", ns::stream));
  h = client().parse_header("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'>");
  BOOST_TEST(h->name == "open");
  BOOST_TEST(h->ns == "urn:ietf:params:xml:ns:xmpp-framing");
}

BOOST_AUTO_TEST_CASE(the_default_namespace_of_the_header_holds_in_elements) {
  auto h = client().parse_header("<stream xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client'>");
  BOOST_TEST_REQUIRE(h.has_value());
  BOOST_TEST(h->ns == ns::stream);
  BOOST_TEST(h->content_ns == ns::stream);
  BOOST_TEST(client().parse("<message/>", h->declarations)->is("message", ns::stream));
  BOOST_TEST(parsed("<c:message><c:body>x</c:body></c:message>", h->declarations) ==
             "<message><body>x</body></message>");
  BOOST_TEST(parsed("<message xmlns='jabber:client'><body/></message>", h->declarations) ==
             "<message><body/></message>");
  h = client().parse_header("<s:stream xmlns:s='http://etherx.jabber.org/streams'>");
  BOOST_TEST_REQUIRE(h.has_value());
  BOOST_TEST(h->ns == ns::stream);
  BOOST_TEST(h->content_ns == "");
  BOOST_TEST(client().parse("<message/>", h->declarations)->is("message", ""));
  BOOST_TEST(client().parse("<message xmlns='jabber:client'/>", h->declarations)->is("message", ns::client));
  BOOST_TEST(client().parse("<message/>")->is("message", ns::client)); // of another stream
}

BOOST_AUTO_TEST_CASE(a_header_stands_for_itself) {
  BOOST_TEST(header_error("<stream:stream xmlns='jabber:client'>") == "bad-namespace-prefix");
  BOOST_TEST(header_error("<stream:stream x:y='' " + std::string{streams} + ">") == "bad-namespace-prefix");
  BOOST_TEST(header_error("<a stream:y=''>") == "bad-namespace-prefix");
  BOOST_TEST(client().parse_header("<stream>")->ns == "");
  BOOST_TEST(client().parse_header("<stream>")->content_ns == "");
  for (auto bad :
       {"<a><b>", "<a></a>", "<a>x>", "<a b>", "<a b='' b=''>", "</a>", "</stream:stream>", "<a", "<!DOCTYPE a>"})
    BOOST_TEST(header_error(bad) == "not-well-formed", bad);
  BOOST_TEST(header_error("<a/>") == "bad-format");
}

BOOST_AUTO_TEST_CASE(limits_are_exact) {
  auto limits = stream_limits{};
  limits.depth_max = 3;
  limits.attributes_max = 2;
  limits.namespaces_max = 2;
  limits.children_max = 4;
  auto p = parser{ns::client, limits};
  auto code = [&](std::string_view frame) { return p.parse(frame).code(); };
  BOOST_TEST((code("<a><b><c/></b></a>") == errc::none));
  BOOST_TEST((code("<a><b><c><d/></c></b></a>") == errc::policy_violation));
  BOOST_TEST((code("<a b='' c='' xmlns='u' xmlns:d='v'/>") == errc::none));
  BOOST_TEST((code("<a b='' c='' d=''/>") == errc::policy_violation));
  BOOST_TEST((code("<a xmlns='u' xmlns:d='v' xmlns:e='w'/>") == errc::policy_violation));
  BOOST_TEST((code("<a><b/><b/><b/><b/></a>") == errc::none));
  BOOST_TEST((code("<a><b/><b/><b><b/></b><b/></a>") == errc::policy_violation));
  BOOST_TEST((code("<a/>") == errc::none));
}

BOOST_AUTO_TEST_CASE(prefixes_in_scope_are_bounded) {
  auto nested = [](int depth) {
    auto out = std::string{};
    for (auto i = 0; i < depth; ++i) {
      out += "<a";
      for (auto j = 0; j < 30; ++j)
        out += " xmlns:p" + std::to_string(i) + "-" + std::to_string(j) + "='u'";
      out += ">";
    }
    return out + repeated("</a>", depth);
  };
  BOOST_TEST((client().parse(nested(8)).code() == errc::none));
  BOOST_TEST((client().parse(nested(9)).code() == errc::policy_violation));
}

BOOST_AUTO_TEST_CASE(an_error_leaves_nothing_behind_for_the_next_element) {
  BOOST_TEST(parsed("<a xmlns='u' xmlns:stream='v'><b>text") == "not-well-formed");
  BOOST_TEST(parsed("<stream:a><c>1</c></stream:a>") ==
             "<a xmlns='http://etherx.jabber.org/streams'><c xmlns='jabber:client'>1</c></a>");
}

BOOST_AUTO_TEST_CASE(made_up_names_do_not_fill_memory) {
  auto p = parser{ns::client, stream_limits{}};
  auto held = [&](int from) {
    for (auto i = from; i < from + 10'000; ++i) {
      auto n = std::to_string(i);
      auto frame = "<n" + n + " xmlns='urn:example:" + n + "' a" + n + "='' xmlns:p" + n + "='u'/>";
      BOOST_TEST_REQUIRE(p.parse(frame).has_value());
    }
    return mallinfo2().uordblks;
  };
  auto before = held(0);
  BOOST_TEST(held(10'000) < before + 400'000); // Without a bound it would be 3 MB.
}

BOOST_AUTO_TEST_CASE(canonical_bytes_parse_to_themselves) {
  for (auto frame : {"<a xmlns:p='u&amp;&lt;' p:b='&#9;&#10;&#13;&apos;&quot;&gt;' c='\xC3\xA9'>&#13;\n&gt;]]&gt;<b "
                     "xmlns='&apos;'/></a>",
                     "<stream:a><a xmlns=''><b xmlns='jabber:client'/></a></stream:a>"}) {
    auto once = parsed(frame);
    BOOST_TEST(parsed(once) == once);
  }
}

BOOST_AUTO_TEST_SUITE_END()
