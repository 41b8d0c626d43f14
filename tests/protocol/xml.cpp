#include "protocol/xml.hpp"

#include "protocol/namespaces.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <thread>
#include <vector>

using namespace xmpp;
using namespace std::literals;
using xml::builder;

namespace {

element message() {
  return builder{"message", ns::client}
      .attribute("to", "juliet@example.com")
      .attribute("id", "1")
      .lang("en")
      .leaf("body", ns::client, "Wherefore art thou?")
      .open("x", "urn:example:x")
      .attribute("a", "<'\"&\t\n\r>")
      .open("y")
      .close()
      .text("one & two")
      .open("body", ns::client)
      .text("inner")
      .close()
      .text(" three")
      .close()
      .finish();
}

constexpr std::string_view message_bytes =
    "<message to='juliet@example.com' id='1' xml:lang='en'><body>Wherefore art thou?</body>"
    "<x xmlns='urn:example:x' a='&lt;&apos;\"&amp;&#9;&#10;&#13;&gt;'><y/>one &amp; two<body "
    "xmlns='jabber:client'>inner"
    "</body> three</x></message>";

// Everything that can be read, in one string: two trees that read the same are the same.
std::string walk(const element& e) {
  auto out = "{" + std::string{e.ns()} + "}" + std::string{e.name()};
  for (auto i = std::size_t{0}; i < e.attribute_count(); ++i) {
    auto a = e.attribute_at(i);
    out += " {" + std::string{a.ns} + "}" + std::string{a.name} + "=[" + std::string{a.value} + "]";
  }
  out += "(" + e.text() + ")";
  for (auto& child : e.children())
    out += walk(child);
  return out + ";";
}

} // namespace

BOOST_AUTO_TEST_SUITE(xml_trees)

BOOST_AUTO_TEST_CASE(a_built_element_reads_back_as_it_was_built) {
  auto m = message();
  BOOST_TEST(m.bytes() == message_bytes);
  BOOST_TEST(m.name() == "message");
  BOOST_TEST(m.ns() == ns::client);
  BOOST_TEST(m.is("message", ns::client));
  BOOST_TEST(!m.is("message", ns::server));
  BOOST_TEST(m.attribute("to").value() == "juliet@example.com");
  BOOST_TEST(!m.attribute("from"));
  BOOST_TEST(m.attribute_or_empty("from") == "");
  BOOST_TEST(!m.attribute("lang"));
  BOOST_TEST(m.lang() == "en");
  BOOST_TEST(m.attribute_count() == 3u);
  BOOST_TEST(m.attribute_at(2).raw == " xml:lang='en'");
  BOOST_TEST(m.child_count() == 2u);
  BOOST_TEST(m.child("body", ns::client).text() == "Wherefore art thou?");
  BOOST_TEST(!m.child("body", "urn:example:x"));
  auto x = m.first_child().next_sibling();
  BOOST_TEST(x.ns() == "urn:example:x");
  BOOST_TEST(x.attribute("a").value() == "<'\"&\t\n\r>");
  BOOST_TEST(x.attribute_at(0).raw == " a='&lt;&apos;\"&amp;&#9;&#10;&#13;&gt;'");
  BOOST_TEST(x.text() == "one & two three");
  BOOST_TEST(x.first_child().is("y", "urn:example:x"));
  BOOST_TEST(x.first_child().bytes() == "<y/>");
  BOOST_TEST(x.first_child().content_bytes() == "");
  BOOST_TEST(!x.first_child().declares_namespace());
  BOOST_TEST(x.declares_namespace());
  BOOST_TEST(!m.declares_namespace());
  BOOST_TEST(m.child("body", ns::client).content_bytes() == "Wherefore art thou?");
  BOOST_TEST(!x.next_sibling());
}

BOOST_AUTO_TEST_CASE(no_element_answers_like_an_empty_one) {
  auto none = element{};
  BOOST_TEST(!none);
  BOOST_TEST(none.name() == "");
  BOOST_TEST(none.ns() == "");
  BOOST_TEST(none.bytes() == "");
  BOOST_TEST(none.content_bytes() == "");
  BOOST_TEST(none.text() == "");
  BOOST_TEST(none.attribute_count() == 0u);
  BOOST_TEST(none.child_count() == 0u);
  BOOST_TEST(none.memory_bytes() == 0u);
  BOOST_TEST(none.lang() == "");
  BOOST_TEST(!none.attribute("a"));
  BOOST_TEST(!none.first_child());
  BOOST_TEST(!none.next_sibling());
  BOOST_TEST(!none.child("a", ""));
  BOOST_TEST(!none.declares_namespace());
  BOOST_TEST((none.children().begin() == none.children().end()));
}

BOOST_AUTO_TEST_CASE(views_live_as_long_as_any_element_of_the_tree) {
  auto body = message().child("body", ns::client);
  auto copy = body;
  auto moved = std::move(body);
  BOOST_TEST(!body);
  BOOST_TEST(moved.text() == copy.text());
  moved = {};
  BOOST_TEST(copy.name() == "body");
  copy = copy.next_sibling();
  BOOST_TEST(copy.name() == "x");
}

BOOST_AUTO_TEST_CASE(children_are_walked_in_order) {
  auto b = builder{"a", ""};
  for (auto i = 0; i < 5; ++i)
    b.open("c" + std::to_string(i)).open("grandchild").close().close().text("-");
  auto names = std::string{};
  for (auto& child : b.finish().children())
    names += child.name();
  BOOST_TEST(names == "c0c1c2c3c4");
}

BOOST_AUTO_TEST_CASE(the_outermost_namespace_is_declared_unless_the_stream_does) {
  BOOST_TEST(builder("a", ns::client).finish().bytes() == "<a/>");
  BOOST_TEST(builder("a", ns::server).finish().bytes() == "<a/>");
  BOOST_TEST(builder("a", ns::server).finish().ns() == ns::server);
  BOOST_TEST(builder("a", ns::tls).finish().bytes() == "<a xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  BOOST_TEST(builder("a", "").finish().bytes() == "<a xmlns=''/>");
  BOOST_TEST(builder("a", ns::client).open("b", "").close().finish().bytes() == "<a><b xmlns=''/></a>");
  BOOST_TEST((builder("a", ns::client).finish() != builder("a", ns::server).finish()));
}

BOOST_AUTO_TEST_CASE(a_namespace_that_needs_escapes_reads_unescaped) {
  auto e =
      builder{"a", "urn:x?a&b'"}.open("b").close().open("c", "urn:x?a&b'").close().open("d", "urn:y").close().finish();
  BOOST_TEST(e.bytes() == "<a xmlns='urn:x?a&amp;b&apos;'><b/><c/><d xmlns='urn:y'/></a>");
  BOOST_TEST(e.ns() == "urn:x?a&b'");
  BOOST_TEST(e.first_child().ns() == "urn:x?a&b'");
  BOOST_TEST(e.declares_namespace());
}

BOOST_AUTO_TEST_CASE(attributes_of_other_namespaces_carry_their_declaration) {
  auto e = builder{"a", ns::client}
               .attribute("plain", "1")
               .attribute("b", "urn:b", "2")
               .attribute("c", "urn:b&c", "<3>")
               .finish();
  BOOST_TEST(e.bytes() == "<a plain='1' a1:b='2' xmlns:a1='urn:b' a2:c='&lt;3&gt;' xmlns:a2='urn:b&amp;c'/>");
  BOOST_TEST(e.attribute("b", "urn:b").value() == "2");
  BOOST_TEST(!e.attribute("b"));
  BOOST_TEST(e.attribute("c", "urn:b&c").value() == "<3>");
  BOOST_TEST(e.attribute_at(1).name == "b");
  BOOST_TEST(e.attribute_at(1).ns == "urn:b");
  BOOST_TEST(e.attribute_at(2).ns == "urn:b&c");
  BOOST_TEST(e.attribute_at(1).raw == " a1:b='2' xmlns:a1='urn:b'");
}

BOOST_AUTO_TEST_CASE(what_xml_forbids_is_dropped) {
  auto text = std::string{"a\0b\x01"
                          "c\xEF\xBF\xBF"
                          "d\xED\xA0\x80"
                          "e\xC0\x80"
                          "f\xF4\x90\x80\x80"
                          "g\xE2\x82"sv};
  auto e = builder{"a", ""}.attribute("b", text).text(text).text("\x02").finish();
  BOOST_TEST(e.text() == "abcdefg");
  BOOST_TEST(e.attribute("b").value() == "abcdefg");
  BOOST_TEST(builder("a", "").text("\x02").text("").finish().bytes() == "<a xmlns=''/>");
  auto good = std::string{"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xEF\xBF\xBD \x7F \xF4\x8F\xBF\xBF"};
  BOOST_TEST(builder("a", "").text(good).finish().text() == good);
}

BOOST_AUTO_TEST_CASE(escaping_for_use_in_text_or_hand_written_attributes) {
  auto out = std::string{"="};
  xml::append_escaped(out, "a<b>&'\"\r\n\t\x01z");
  BOOST_TEST(out == "=a&lt;b&gt;&amp;&apos;&quot;&#13;\n\tz");
}

BOOST_AUTO_TEST_CASE(a_copied_child_reads_the_same_under_any_parent) {
  auto m = message();
  auto parts = std::vector<element>{m};
  for (auto i = std::size_t{0}; i < parts.size(); ++i)
    for (auto& child : element{parts[i]}.children())
      parts.push_back(child);
  parts.push_back(builder{"a", "urn:x?a&b"}
                      .attribute("v", "<&>")
                      .attribute("w", "urn:p&q", "<&>")
                      .open("b")
                      .attribute("v", "'")
                      .close()
                      .finish());
  parts.push_back(parts.back().first_child());
  parts.push_back(builder{"a", ""}.open("b", "").attribute("x", "'&'").finish());
  for (auto& part : parts) {
    for (auto parent_ns : {"", "jabber:client", "urn:example:x", "urn:x?a&b"}) {
      auto parent = builder{"parent", parent_ns}.attribute("p", "<").child(part).child(part).open("z").close().finish();
      auto first = parent.first_child();
      BOOST_TEST(walk(first) == walk(part));
      BOOST_TEST(walk(first.next_sibling()) == walk(part));
      BOOST_TEST(first.next_sibling().next_sibling().is("z", parent_ns));
      BOOST_TEST(first.declares_namespace() == (part.ns() != parent_ns));
      // The same tree comes from building it by hand, so bytes decide whether trees are equal.
      BOOST_TEST(
          (builder{"parent", parent_ns}.child(first).finish() == builder{"parent", parent_ns}.child(part).finish()));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_copied_last_child_has_no_next_sibling) {
  auto e = builder{"a", ""}.child(message().first_child()).finish();
  BOOST_TEST(!e.first_child().next_sibling());
  BOOST_TEST(e.child_count() == 1u);
}

BOOST_AUTO_TEST_CASE(a_builder_can_be_restarted_and_moved) {
  auto b = builder{"a", ""};
  b.open("b");
  BOOST_TEST(b.depth() == 2u);
  BOOST_TEST(b.element_count() == 2u);
  auto first = b.finish();
  b.restart("c", ns::client);
  auto moved = std::move(b);
  moved.text("x");
  BOOST_TEST(moved.finish().bytes() == "<c>x</c>");
  BOOST_TEST(first.bytes() == "<a xmlns=''><b/></a>");
}

BOOST_AUTO_TEST_CASE(an_element_may_die_on_another_thread) {
  auto e = message();
  auto copies = std::vector<element>(100, e);
  auto other = std::thread{[taken = std::move(copies)]() mutable { taken.clear(); }};
  for (auto i = 0; i < 100; ++i)
    BOOST_TEST(element{e}.name() == "message");
  other.join();
  BOOST_TEST(e.bytes() == message_bytes);
}

BOOST_AUTO_TEST_CASE(what_a_thread_keeps_for_building_goes_with_it) { // what is left LeakSanitizer tells
  std::thread{[] { message(); }}.join();
}

BOOST_AUTO_TEST_CASE(a_tree_costs_little_more_than_its_bytes) {
  // 4 elements, 4 attributes: 32 and 24 bytes each.
  auto e = message();
  BOOST_TEST(e.memory_bytes() < message_bytes.size() + 20 + 5 * 32 + 4 * 24 + 16);
}

BOOST_AUTO_TEST_SUITE_END()
