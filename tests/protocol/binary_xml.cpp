#include "protocol/binary_xml.hpp"

#include "protocol/framer.hpp"
#include "protocol/hash.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/parser.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

using namespace xmpp;

namespace {

const auto romeo = jid::from_prepared("romeo@montague.lit/orchard");
const auto juliet = jid::from_prepared("juliet@capulet.lit");

std::string bytes_of(const element& x) {
  auto out = std::string{};
  BOOST_TEST_REQUIRE(binary::append(out, x).has_value());
  return out;
}

std::string bytes_of(const stanza& x) {
  auto out = std::string{};
  BOOST_TEST_REQUIRE(binary::append(out, x).has_value());
  return out;
}

bool same(const stanza& a, const stanza& b) {
  return a.kind == b.kind && a.type == b.type && a.from == b.from && a.to == b.to && a.tree == b.tree;
}

void comes_back(const element& x) {
  auto bytes = bytes_of(x);
  auto read = binary::read_tree(bytes);
  BOOST_TEST_REQUIRE(read.has_value(), x.bytes());
  BOOST_TEST((*read == x), x.bytes() << " came back as " << read->bytes());
}

element chat() {
  return xml::builder{"message", ns::client}
      .attribute("from", romeo.text())
      .attribute("to", "juliet@capulet.lit")
      .attribute("type", "chat")
      .attribute("id", "ktx72v49")
      .lang("en")
      .leaf("body", ns::client, "Art thou not Romeo, & a Montague?")
      .finish();
}

parser& client() {
  static auto p = parser{ns::client, stream_limits{}};
  return p;
}

element parsed(std::string_view xml) {
  auto tree = client().parse(xml);
  BOOST_TEST_REQUIRE(tree.has_value(), xml);
  return *tree;
}

const auto documents = std::vector<std::string>{
    "<a/>",
    "<message><body>hello</body></message>",
    "<presence><show>away</show><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v='/></presence>",
    "<iq type='result' id='1'><query xmlns='jabber:iq:roster' ver='7'><item jid='a@b' subscription='both'>"
    "<group>Friends &amp; foes</group></item><item jid='c@d' name='&lt;&apos;&quot;&gt;'/></query></iq>",
    "<a xmlns=''><b/> text <c xmlns='jabber:client'/>more<d xmlns='urn:x'><e xmlns=''/></d> </a>",
    "<a xmlns='jabber:server'><b/><c xmlns='jabber:client'/></a>",
    "<p:a xmlns:p='u&amp;' p:b='&#9;&apos;' xml:lang='' xml:space='preserve' p:xmlns='1' q:b='2' xmlns:q='w'/>",
    "<a>&#13;\n\t&amp;&lt;&gt;\"'</a>",
    "<\xC3\xA9l\xC3\xA9ment \xCE\xB1='\xF0\x9F\x98\x80'>\xE2\x82\xAC\xEF\xBF\xBD</\xC3\xA9l\xC3\xA9ment>",
    "<a a1='1' a2='2' a3='3' a4='4' a5='5' a6='6' a7='7' a8='8' a9='9' b1='' b2='' b3='' b4='' b5='' b6='' b7=''/>",
};

/// Trees of any shape: words of the tables and others, every kind of content.
class generator {
public:
  explicit generator(unsigned seed) : random_(seed) {}

  element tree() {
    auto out = xml::builder{pick(names), pick(namespaces)};
    fill(out, 0);
    return out.finish();
  }
  stanza any_stanza() {
    static const auto kinds = std::vector<std::pair<const char*, std::vector<const char*>>>{
        {"message", {"chat", "error", "normal", "groupchat", "headline", ""}},
        {"presence", {"unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "error"}},
        {"iq", {"get", "set", "result", "error"}}};
    static const auto addresses = std::vector<jid>{{},
                                                   romeo,
                                                   juliet,
                                                   jid::from_prepared("capulet.lit"),
                                                   jid::from_prepared("j\xC3\xBCrgen@\xC3\xA9.lit/r\xC3\xA9sidence")};
    auto& [name, types] = kinds[below(kinds.size())];
    auto out = xml::builder{name, below(4) == 0 ? ns::server : ns::client};
    if (auto type = std::string_view{types[below(types.size())]}; !type.empty())
      out.attribute("type", type);
    auto from = addresses[below(addresses.size())], to = addresses[below(addresses.size())];
    if (below(2) == 0)
      out.attribute("to", below(2) == 0 ? to.text() : to.bare_text());
    if (below(2) == 0)
      out.attribute("from", below(3) == 0 ? std::string_view{"Any@Body"} : from.bare_text());
    fill(out, 0);
    return stanza{out.finish(), from, to};
  }
  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>{0, end - 1}(random_); }

private:
  using words = std::vector<std::string>;
  inline static const words names = {"body", "message", "unknown", "item", "\xC3\xA9", std::string(70, 'n')};
  inline static const words namespaces = {
      "jabber:client",      "", "jabber:iq:roster", "urn:example", "urn:example:'&<>", "jabber:server",
      std::string(300, 'u')};
  inline static const words texts = {"chat",
                                     "both",
                                     "hello",
                                     "\t\n\r&<>'\"",
                                     "\xF0\x9F\x98\x80",
                                     " ",
                                     std::string(63, 'x'),
                                     std::string(64, 'x'),
                                     std::string(20'000, 'x')};
  const std::string& pick(const words& from) { return from[below(from.size())]; }

  void fill(xml::builder& out, int depth) {
    auto count = below(4) == 0 ? below(40) : below(4);
    for (auto i = std::size_t{0}; i < count; ++i) {
      auto name = "a" + std::to_string(i);
      if (below(5) == 0)
        out.attribute(name, namespaces[3 + below(2)], pick(texts));
      else
        out.attribute(name, pick(texts));
    }
    if (below(4) == 0)
      out.lang(pick(texts));
    for (auto left = below(5); left > 0; --left) {
      if (below(3) == 0) {
        out.text(pick(texts));
      } else if (depth < 8) {
        if (below(2) == 0)
          out.open(pick(names));
        else
          out.open(pick(names), pick(namespaces));
        fill(out, depth + 1);
        out.close();
      }
    }
  }

  std::mt19937 random_;
};

/// Whatever is taken is a tree that XML knows, and that comes back.
void must_be_sound(const element& x) {
  auto limits = stream_limits{};
  limits.stanza_bytes_max = 10'000'000;
  static auto clients = parser{ns::client, limits}, servers = parser{ns::server, limits};
  auto again = (x.ns() == ns::server ? servers : clients).parse(x.bytes());
  BOOST_TEST_REQUIRE(again.has_value(), "XML takes " << x.bytes());
  BOOST_TEST((*again == x), x.bytes());
  comes_back(x);
}

std::string text_of(const std::string& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string letters(std::initializer_list<int> bytes) {
  auto out = std::string{};
  for (auto x : bytes)
    out.push_back(static_cast<char>(x));
  return out;
}

errc tree_code(const std::string& after_version) {
  return binary::read_tree("\x01" + after_version).code();
}

constexpr auto head = 0x80, own_ns = 0x40, one_text = 0x10, items = 0x20;
constexpr auto body = 5, id = 6;

} // namespace

BOOST_AUTO_TEST_SUITE(binary_xml)

// -- what is written is read --

BOOST_AUTO_TEST_CASE(documents_come_back) {
  for (auto& one : documents)
    comes_back(parsed(one));
}

BOOST_AUTO_TEST_CASE(generated_trees_come_back) {
  auto trees = generator{1};
  for (auto i = 0; i < 300; ++i)
    comes_back(trees.tree());
}

BOOST_AUTO_TEST_CASE(generated_stanzas_come_back) {
  auto stanzas = generator{2};
  for (auto i = 0; i < 300; ++i) {
    auto x = stanzas.any_stanza();
    auto read = binary::read_stanza(bytes_of(x));
    BOOST_TEST_REQUIRE(read.has_value(), x.tree.bytes());
    BOOST_TEST(same(*read, x), x.tree.bytes());
  }
}

BOOST_AUTO_TEST_CASE(what_clients_were_seen_to_send_comes_back) {
  auto count = 0;
  for (auto& entry : std::filesystem::directory_iterator{TROUPE_SOURCE_DIR "/tests/fuzz/corpus/framer_parser"}) {
    auto bytes = text_of(entry.path()).substr(1);
    auto input = std::string_view{bytes};
    auto frames = framer{stream_limits{}};
    while (true) {
      auto step = frames.next(input);
      if (!step || !step->done)
        break;
      if (step->what != framer::kind::element)
        continue;
      if (auto tree = client().parse(step->frame)) {
        comes_back(*tree);
        ++count;
      }
    }
  }
  BOOST_TEST(count >= 3);
}

BOOST_AUTO_TEST_CASE(an_element_inside_a_tree_comes_back_as_a_tree_of_its_own) {
  auto inner = parsed("<a><b xmlns='urn:x'><c d='e'/>f</b></a>").first_child();
  auto read = binary::read_tree(bytes_of(inner));
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST(read->bytes() == "<b xmlns='urn:x'><c d='e'/>f</b>");
  auto innermost = binary::read_tree(bytes_of(inner.first_child()));
  BOOST_TEST_REQUIRE(innermost.has_value());
  BOOST_TEST(innermost->bytes() == "<c xmlns='urn:x' d='e'/>");
}

BOOST_AUTO_TEST_CASE(several_things_stand_behind_each_other) {
  auto out = std::string{};
  binary::append(out, romeo);
  BOOST_TEST(binary::append(out, stanza{chat(), romeo, juliet}).has_value());
  binary::append_varint(out, 300);
  BOOST_TEST(binary::append(out, chat()).has_value());
  auto in = binary::reader{out};
  BOOST_TEST((in.address() == romeo));
  BOOST_TEST(in.stanza().id() == "ktx72v49");
  BOOST_TEST(in.varint() == 300u);
  BOOST_TEST((in.tree() == chat()));
  BOOST_TEST(in.finished());
}

BOOST_AUTO_TEST_CASE(addresses_of_a_stanza_are_written_once) {
  auto bytes = bytes_of(stanza{chat(), romeo, juliet});
  BOOST_TEST(bytes.find("romeo") == bytes.rfind("romeo"));
  BOOST_TEST(bytes.find("juliet") == bytes.rfind("juliet"));
  BOOST_TEST(bytes.size() * 2 < stanza(chat(), romeo, juliet).serialize().size() * 2);
}

// -- the grammar of version 1 stays --

BOOST_AUTO_TEST_CASE(the_first_version_has_these_bytes) {
  auto x = stanza{xml::builder{"message", ns::client}
                      .attribute("to", "a@b")
                      .attribute("type", "chat")
                      .lang("en")
                      .leaf("body", ns::client, "hi")
                      .open("x", "urn:y")
                      .attribute("z", "urn:w", "")
                      .finish(),
                  jid::from_prepared("c@d/e"), jid::from_prepared("a@b")};
  auto expected = letters({1, 0x01}) +
                  "\x05"
                  "c@d/e"
                  "\x03"
                  "a@b" +
                  letters({0x80 | 0x20 | 3, 2, 9, 2, 7, 5, 1, 29}) + // <message to type xml:lang>
                  letters({0x80 | 0x10, 5, 64 + 2}) + "hi" +         // <body>hi</body>
                  letters({0x80 | 0x40 | 1, 30, 95 + 5}) + "urn:y" + // <x xmlns='urn:y'
                  letters({0, 95 + 5}) + "urn:w" + letters({95 + 1}) + "z" + letters({64}) + // w:z=''/>
                  letters({0});
  BOOST_TEST(bytes_of(x) == expected);
}

BOOST_AUTO_TEST_CASE(the_tables_of_the_first_version_are_these) {
  auto words = std::string{};
  for (auto code = 0; code < 96; ++code)
    if (auto x = binary::read_tree(letters({1, head, code})))
      words.append(x->name()) += '\n';
  for (auto code = 0; code < 96; ++code)
    if (auto x = binary::read_tree(letters({1, head | own_ns, body, code})))
      words.append(x->ns()) += '\n';
  for (auto code = 0; code < 64; ++code)
    if (auto x = binary::read_tree(letters({1, head | one_text, body, code})))
      words.append(x->text()) += '\n';
  auto digest = std::string{};
  for (auto c : sha1(words))
    for (auto half : {c >> 4 & 15, c & 15})
      digest += "0123456789abcdef"[half];
  BOOST_TEST(digest == "57bb3c3fe0901e68a4200fe8c27a5ce27235cfc6"); // Changed? Then it is another version: the head of
                                                                    // binary_xml.hpp says how.
}

// -- what is no tree is refused --

BOOST_AUTO_TEST_CASE(no_shorter_and_no_longer_bytes_are_a_stanza) {
  auto whole = bytes_of(stanza{chat(), romeo, juliet});
  for (auto size = std::size_t{0}; size < whole.size(); ++size)
    BOOST_TEST((binary::read_stanza(std::string_view{whole}.substr(0, size)).code() == errc::corrupt_record));
  BOOST_TEST((binary::read_stanza(whole + '\0').code() == errc::corrupt_record));
  BOOST_TEST(binary::read_stanza(whole).has_value());
}

BOOST_AUTO_TEST_CASE(damaged_bytes_are_refused_or_are_a_sound_tree) {
  auto random = generator{3};
  auto seeds = std::vector<std::string>{};
  for (auto& one : documents)
    seeds.push_back(bytes_of(parsed(one)));
  auto taken = 0;
  for (auto round = 0; round < 20'000; ++round) {
    auto bytes = seeds[random.below(seeds.size())];
    for (auto changes = 1 + random.below(3); changes > 0; --changes) {
      auto at = random.below(bytes.size());
      switch (random.below(4)) {
      case 0:
        bytes[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
        break;
      case 2:
        bytes.insert(at, bytes.substr(random.below(bytes.size()), random.below(8)));
        break;
      default:
        if (bytes.size() > 2)
          bytes.erase(at, 1);
      }
    }
    if (auto tree = binary::read_tree(bytes)) {
      must_be_sound(*tree);
      ++taken;
    }
  }
  BOOST_TEST(taken > 1'000); // Else the damage is too wild to say much.
}

BOOST_AUTO_TEST_CASE(bytes_outside_the_grammar_are_refused) {
  BOOST_TEST((tree_code(letters({head, body})) == errc::none));
  BOOST_TEST((binary::read_tree("").code() == errc::corrupt_record));
  BOOST_TEST((binary::read_tree(letters({2, head, body})).code() == errc::corrupt_record)); // a later version
  for (auto& wrong : {
           letters({body}),                                          // no head
           letters({0}),                                             // an end of nothing
           letters({1, 64 + 1, 'a'}),                                // a text outside
           letters({head | 0x30, body}),                             // no such content
           letters({head, 0}),                                       // no such word
           letters({head, 1}),                                       //
           letters({head, 0x85, 0}),                                 // a number with a byte that adds nothing
           letters({head | own_ns, body, 0}),                        // no such namespace
           letters({head | one_text, body, 64}),                     // an empty text
           letters({head | one_text, body, 1}),                      // an address of no stanza
           letters({head | one_text, body, 0}),                      //
           letters({head | one_text, body, 63}),                     // no such value
           letters({head | items, body, 1, 65, 'a', 1, 65, 'b', 0}), // two texts
           letters({head | items, body, head, body}),                // no end
           letters({head | 2, body, id, 64, id, 64}),                // an attribute twice
           letters({head | 2, body, 1, 64, 0, 4, 10, 64}),           // xml:lang twice
           letters({head | 1, body, 0, 1, id, 64}),                  // a prefixed attribute of no namespace
           letters({head | 15, body, 0x89, 8}),                      // too many attributes, and none there
       })
    BOOST_TEST((tree_code(wrong) == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(many_attributes_are_all_different) {
  auto attributes = std::string{};
  for (auto i = 0; i < 20; ++i)
    attributes += letters({95 + 1, 'a' + i, 64});
  BOOST_TEST((tree_code(letters({head | 15, body, 6}) + attributes + letters({id, 64})) == errc::none));
  BOOST_TEST(
      (tree_code(letters({head | 15, body, 6}) + attributes + letters({95 + 1, 'c', 64})) == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(text_is_what_xml_allows) {
  auto with = [](const std::string& text) {
    return tree_code(letters({head | one_text, body, 64 + int(text.size())}) + text);
  };
  for (auto legal : {"a", "\t\n\r", "\x7f", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBD",
                     "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\xF0\x9F\xBF\xBF"})
    BOOST_TEST((with(legal) == errc::none), legal);
  for (auto illegal : {"\x01", "\x1f", "\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x20", "\xE0\x9F\xBF", "\xE2\x82",
                       "\xED\xA0\x80", "\xEF\xBF\xBE", "\xEF\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80",
                       "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    BOOST_TEST((with(illegal) == errc::corrupt_record), illegal);
    BOOST_TEST((with("long enough for a block " + std::string{illegal}) == errc::corrupt_record));
  }
  BOOST_TEST((with(std::string(1, '\0')) == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(names_are_what_the_parser_takes) {
  auto takes = [](const std::string& name) {
    return tree_code(letters({head, 95 + int(name.size())}) + name) == errc::none;
  };
  auto all = std::string{"<a>"};
  auto check = [&](const std::string& name, bool also_with_parser) {
    if (takes(name))
      all += "<" + name + "/>"; // all in one document: each refusal costs the parser a new start
    else if (also_with_parser)
      BOOST_TEST(!client().parse("<" + name + "/>"), "the parser takes " << name);
  };
  auto utf8 = [](unsigned c) {
    auto out = std::string{};
    if (c < 0x80)
      return out + static_cast<char>(c);
    if (c >= 0x800)
      out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(c >= 0x800 ? 0x80 | (c >> 6 & 0x3F) : 0xC0 | c >> 6);
    return out + static_cast<char>(0x80 | (c & 0x3F));
  };
  for (auto c = 0x21u; c < 0x10'000; ++c)
    if ((c < 0xD800 || c >= 0xE000) && c != '/' && c != '>' && (c < 0x400 || c % 7 == 0)) {
      check(utf8(c), c < 0x80 || c % 29 == 0);
      check("a" + utf8(c), c < 0x80 || c % 29 == 0);
    }
  for (auto name : {"1a", "-a", ".a", "a:b", ":a", "a b", "a/", "a\xC3", "\xF0\x90\x80\x80", "a\xF0\x90\x80\x80"})
    BOOST_TEST(!takes(name), name);
  auto limits = stream_limits{1 << 20, 1 << 20, 64, 64, 32, 100'000};
  BOOST_TEST(parser(ns::client, limits).parse(all + "</a>").has_value());
  BOOST_TEST(all.size() > 10'000u);
}

BOOST_AUTO_TEST_CASE(declarations_and_reserved_namespaces_are_refused) {
  auto xmlns = letters({95 + 5}) + "xmlns";
  auto reserved = std::string{"http://www.w3.org/2000/xmlns/"};
  BOOST_TEST((tree_code(letters({head | 1, body}) + xmlns + letters({64})) == errc::corrupt_record));
  BOOST_TEST((tree_code(letters({head | own_ns, body, 4})) == errc::corrupt_record)); // xml:body
  BOOST_TEST((tree_code(letters({head | 1, body, 0, 4, id, 64})) == errc::none));     // xml:id
  auto code = letters({95 + int(reserved.size())});
  BOOST_TEST((tree_code(letters({head | own_ns, body}) + code + reserved) == errc::corrupt_record));
  BOOST_TEST((tree_code(letters({head | 1, body, 0}) + code + reserved + letters({id, 64})) == errc::corrupt_record));
  // So does the parser.
  BOOST_TEST(!client().parse("<a xmlns='http://www.w3.org/XML/1998/namespace'/>").has_value());
  BOOST_TEST(!client().parse("<a xmlns='http://www.w3.org/2000/xmlns/'/>").has_value());
}

BOOST_AUTO_TEST_CASE(limits_hold) {
  auto limits = stream_limits{1'000, 1'000, 4, 3, 3, 10};
  auto taken = [&](const element& x) { return binary::read_tree(bytes_of(x), limits).has_value(); };
  auto deep = [](int depth) {
    auto out = xml::builder{"a", "urn:x"};
    for (; depth > 1; --depth)
      out.open("a");
    return out.finish();
  };
  BOOST_TEST(taken(deep(4)));
  BOOST_TEST(!taken(deep(5)));
  BOOST_TEST(taken(parsed("<a b='' c='' d=''/>")));
  BOOST_TEST(!taken(parsed("<a b='' c='' d='' e=''/>")));
  BOOST_TEST(taken(parsed("<a><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/></a>")));
  BOOST_TEST(!taken(parsed("<a><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/></a>")));
  auto large = [](std::size_t size) { return xml::builder{"a", ns::client}.text(std::string(size, '&')).finish(); };
  BOOST_TEST(taken(large(390)));
  BOOST_TEST(!taken(large(410)));
}

BOOST_AUTO_TEST_CASE(what_another_node_would_refuse_is_not_written) {
  auto deep = xml::builder{"a", ns::client};
  for (auto left = binary::limits_between_nodes.depth_max; left > 0; --left)
    deep.open("a");
  auto out = std::string{"before"};
  BOOST_TEST((binary::append(out, deep.finish()).code() == errc::policy_violation));
  auto wide = xml::builder{"a", ns::client};
  for (auto i = std::size_t{0}; i <= binary::limits_between_nodes.attributes_max; ++i)
    wide.attribute("a" + std::to_string(i), "");
  BOOST_TEST((binary::append(out, wide.finish()).code() == errc::policy_violation));
  BOOST_TEST((binary::append(out, element{}).code() == errc::bad_request));
  BOOST_TEST((binary::append(out, stanza{}).code() == errc::bad_request));
  auto iq = stanza{chat(), romeo, juliet};
  iq.kind = stanza_kind::iq;
  BOOST_TEST((binary::append(out, iq).code() == errc::bad_request));
  BOOST_TEST(out == "before");
}

// -- stanzas and addresses --

BOOST_AUTO_TEST_CASE(a_stanza_is_a_tree_of_its_kind) {
  auto tree = [](std::initializer_list<int> bytes) { return letters({1}) + letters(bytes); };
  auto code = [](const std::string& bytes) { return binary::read_stanza(bytes).code(); };
  BOOST_TEST((code(tree({0x01, 0, 0, head, 2})) == errc::none));                       // <message/>, chat
  BOOST_TEST((code(tree({0x01, 0, 0, head, 3})) == errc::corrupt_record));             // <presence/>
  BOOST_TEST((code(tree({0x04, 0, 0, head, 2})) == errc::corrupt_record));             // available: no message's type
  BOOST_TEST((code(tree({0x1e, 0, 0, head, 3})) == errc::none));                       // presence, error
  BOOST_TEST((code(tree({0x1b, 0, 0, head, 3})) == errc::corrupt_record));             // get
  BOOST_TEST((code(tree({0x30, 0, 0, head, 2})) == errc::corrupt_record));             // no kind
  BOOST_TEST((code(tree({0x0f, 0, 0, head, 2})) == errc::corrupt_record));             // no type
  BOOST_TEST((code(tree({0x01, 0, 0, head | own_ns, 2, 3})) == errc::none));           // jabber:server
  BOOST_TEST((code(tree({0x01, 0, 0, head | own_ns, 2, 9})) == errc::corrupt_record)); // jabber:iq:roster
  BOOST_TEST((code(tree({0x01, 0, 0, head | 1, 2, 9, 2})) == errc::corrupt_record));   // to='', which is not there
  BOOST_TEST((code("\x02" + tree({0x01, 0, 0, head, 2}).substr(1)) == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(an_address_that_jid_parse_gave_out_is_taken) {
  for (auto text :
       {"", "capulet.lit", "juliet@capulet.lit", "juliet@capulet.lit/balcony", "capulet.lit/a@b/c d", "[::1]",
        "127.0.0.1", "j\xC3\xBCrgen@\xC3\xA9.lit/\xF0\x9F\x98\x80 home", "\xD7\xA9@\xD7\xA9.lit", "a@b/ABC\"&'<>"}) {
    auto x = std::string_view{text}.empty() ? jid{} : *jid::parse(text);
    auto bytes = std::string{};
    binary::append(bytes, x);
    auto read = binary::read_jid(bytes);
    BOOST_TEST_REQUIRE(read.has_value(), text);
    BOOST_TEST(read->text() == x.text());
    BOOST_TEST(read->local() == x.local());
    BOOST_TEST(read->domain() == x.domain());
    BOOST_TEST(read->resource() == x.resource());
  }
}

BOOST_AUTO_TEST_CASE(an_address_that_no_jid_can_be_is_refused) {
  auto longest = std::string(jid_part_bytes_max, 'a');
  auto code = [](const std::string& text) {
    auto bytes = std::string{};
    binary::append_string(bytes, text);
    return binary::read_jid(bytes).code();
  };
  BOOST_TEST((code(longest + "@b/" + longest) == errc::none));
  for (auto& wrong : std::vector<std::string>{
           "@b", "a@", "/c", "b/", "a@/c", "a@b/", "Juliet@b", "a@B", "a b@c", "a@b c", "a@b@c", "a'@b", "a@b.",
           "a@b..c", "a@-b", "a@xn--abc", longest + "a@b", "a@b/" + longest + "a", std::string(70'000, 'a'),
           std::string("a\0b", 3), "b/\x01", "b/\x7f",
           // past ASCII
           "\xC3\xA9@", "@\xC3\xA9", "\xC3\xA9/", "\xC3", "A\xC3\xA9@b", "\xC3\xA9@B", "\xC3\xA9 a@b", "\xC3\xA9@b@c",
           "b/\xC3\xA9\n", "b/\xC3\xA9\x7f", "b/\xED\xA0\x80", longest + "\xC3\xA9@b", "\xC3\xA9@" + longest + "b",
           "\xC3\xA9@b/" + longest + "b", "\xC3\xA9&@b"})
    BOOST_TEST((code(wrong) == errc::corrupt_record), wrong);
}

BOOST_AUTO_TEST_CASE(numbers_have_one_spelling) {
  for (auto x : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, ~std::uint64_t{0}}) {
    auto bytes = std::string{};
    binary::append_varint(bytes, x);
    auto in = binary::reader{bytes};
    BOOST_TEST(in.varint() == x);
    BOOST_TEST(in.finished());
  }
  for (auto& wrong : {letters({0x80}), letters({0x80, 0}), std::string(9, '\xff') + '\x02', std::string(10, '\xff')}) {
    auto in = binary::reader{wrong};
    BOOST_TEST(in.varint() == 0u);
    BOOST_TEST(!in.ok());
    BOOST_TEST((in.failure().code == errc::corrupt_record));
  }
}

BOOST_AUTO_TEST_SUITE_END()
