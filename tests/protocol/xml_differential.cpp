// Two parsers that disagree are how stanzas are smuggled. So: our framer, Xerces and Expat must accept the same bytes
// and see the same tree; and what we write must read back as what we read.
#include "protocol/framer.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/parser.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <expat.h>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace xmpp;

namespace {

constexpr auto root = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

std::string walk(const element& e) {
  auto out = "<{" + std::string{e.ns()} + "}" + std::string{e.name()};
  for (auto i = std::size_t{0}; i < e.attribute_count(); ++i) {
    auto a = e.attribute_at(i);
    out += " {" + std::string{a.ns} + "}" + std::string{a.name} + "=[" + std::string{a.value} + "]";
  }
  out += "|";
  for (auto& child : e.children())
    out += walk(child);
  return out + "|" + e.text() + ">";
}

// The same string as `walk` makes, from Expat; nothing when it or the rules of XMPP refuse the bytes.
class expat_reader {
public:
  static std::optional<std::string> read(std::string_view frame) {
    auto self = expat_reader{};
    auto p = XML_ParserCreateNS("UTF-8", separator);
    XML_SetUserData(p, &self);
    XML_SetElementHandler(p, start, end);
    XML_SetCharacterDataHandler(p, text);
    XML_SetCommentHandler(p, [](void* data, const char*) { static_cast<expat_reader*>(data)->refused_ = true; });
    XML_SetProcessingInstructionHandler(
        p, [](void* data, const char*, const char*) { static_cast<expat_reader*>(data)->refused_ = true; });
    auto bytes = root + std::string{frame} + "</stream:stream>";
    auto status = XML_Parse(p, bytes.data(), static_cast<int>(bytes.size()), 1);
    XML_ParserFree(p);
    if (status != XML_STATUS_OK || self.refused_ || self.elements_ != 1)
      return std::nullopt;
    return self.levels_.front().children;
  }

private:
  struct level {
    std::string head, children, text;
  };
  static constexpr char separator = '\f'; // No XML name or value has it.

  static std::string name(const char* joined) {
    auto whole = std::string{joined};
    auto at = whole.find(separator);
    return at == whole.npos ? "{}" + whole : "{" + whole.substr(0, at) + "}" + whole.substr(at + 1);
  }
  static void XMLCALL start(void* data, const char* joined, const char** attributes) {
    auto& self = *static_cast<expat_reader*>(data);
    if (self.levels_.size() == 1)
      ++self.elements_;
    auto head = "<" + name(joined);
    for (; *attributes != nullptr; attributes += 2)
      head += " " + name(attributes[0]) + "=[" + attributes[1] + "]";
    self.levels_.push_back({head, "", ""});
  }
  static void XMLCALL end(void* data, const char*) {
    auto& levels = static_cast<expat_reader*>(data)->levels_;
    if (levels.size() == 1)
      return;
    auto done = levels.back();
    levels.pop_back();
    levels.back().children += done.head + "|" + done.children + "|" + done.text + ">";
  }
  static void XMLCALL text(void* data, const char* bytes, int size) {
    auto& self = *static_cast<expat_reader*>(data);
    if (self.levels_.size() == 1)
      self.refused_ = true;
    self.levels_.back().text.append(bytes, static_cast<std::size_t>(size));
  }

  std::vector<level> levels_;
  int elements_ = 0;
  bool refused_ = false;
};

// Whether the framer gives out these bytes as one element.
bool frames(std::string_view frame) {
  auto f = framer{stream_limits{}};
  auto bytes = root + std::string{frame};
  auto input = std::string_view{bytes};
  if (auto start = f.next(input); !start || !start->done)
    return false;
  auto step = f.next(input);
  return step && step->done && step->what == framer::kind::element && step->frame == frame && input.empty();
}

const auto stanzas = std::vector<std::string>{
    "<message to='juliet@capulet.example/balcony' type='chat' id='1' xml:lang='en'><body>Neither &amp; "
    "nor</body><active "
    "xmlns='http://jabber.org/protocol/chatstates'/></message>",
    "<iq type='set' id=\"r1\"><query xmlns='jabber:iq:roster'><item jid='n@x' name='N "
    "&lt;n&gt;'><group>G</group></item>"
    "</query></iq>",
    "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='u' ver='='/><x xmlns='u'>\r\n\t "
    "</x></presence>",
    "<c:message xmlns:c='jabber:client' xmlns:x='urn:x' x:a='1'><x:b c:d='2'><![CDATA[<&>]]]></x:b></c:message>",
    "<stream:error><a xmlns=''><b xmlns='jabber:client'>\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80</b></a></stream:error>",
    "<a b='&#9;&#10;&#13; \t\r\n&#x1F600;'>&#13;&quot;&apos;&gt;]]<\xC3\xA9 \xE4\xB8\xAD='\xEF\xBF\xBD'/></a>",
    "<a xmlns='u' xmlns:p='u' p:b='' b=''><p:c/><c xmlns:p='v'><p:d p:e='' p:f=''/></c></a>",
};

const auto tokens = std::vector<std::string>{
    "<",
    ">",
    "/",
    "&",
    ";",
    "'",
    "\"",
    "=",
    " ",
    ":",
    "!",
    "?",
    "-",
    ".",
    "0",
    "#",
    "]",
    "[",
    "a",
    "b",
    "x",
    "\t",
    "\r\n",
    "\r",
    "\xC2\x85",
    "\xE2\x80\xA8",
    "\x7F",
    "\xC2\x80",
    "xmlns",
    " xmlns='u'",
    " xmlns=''",
    " xmlns:x='v'",
    " xmlns:x=''",
    " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
    " xmlns:x='http://www.w3.org/XML/1998/namespace'",
    " xmlns:x='http://www.w3.org/2000/xmlns/'",
    " xmlns:stream='s'",
    " xmlns:xmlns='q'",
    "x:",
    "xml:",
    "stream:",
    "p:",
    "c:",
    " a='1'",
    " x:a='1'",
    " xml:lang='de'",
    "<a>",
    "</a>",
    "<a/>",
    "<x:a/>",
    "<stream:stream>",
    "</stream:stream>",
    "</message>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?",
    "?>",
    "<!DOCTYPE a>",
    "<!",
    "&amp;",
    "&lt;",
    "&quot;",
    "&nbsp;",
    "&#0;",
    "&#1;",
    "&#x1F600;",
    "&#xD800;",
    "&#xFFFE;",
    "&#x110000;",
    "&#10;",
    "&#13;",
    "&#",
    "\xC3\xA9",
    "\xC3\xB7",
    "\xCC\x81",
    "\xC2\xB7",
    "\xE4\xB8\xAD",
    "\xE2\x82\xAC",
    "\xF0\x9F\x98\x80",
    "\xF0\x90\x80\x80",
    "\xEF\xBF\xBD",
    "\xEF\xBF\xBE",
    "\xEF\xBB\xBF",
    "\xED\xA0\x80",
    "\xC0\x80",
    "\xE0\x80\x80",
    "\xF4\x90\x80\x80",
    "\xF5\x80\x80\x80",
    "\x80",
    "\xFF",
    "\x01",
    "\x0B",
    std::string(1, '\0'),
};

class mutator {
public:
  explicit mutator(std::uint32_t seed) : random_(seed) {}

  std::string next() {
    auto out = pick(stanzas);
    for (auto changes = below(5); changes != 0 || below(20) == 0; changes -= changes != 0)
      change(out);
    return out;
  }

private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  const std::string& pick(const std::vector<std::string>& from) { return from[below(from.size())]; }

  void change(std::string& s) {
    auto at = below(s.size() + 1);
    auto length = std::min(below(12), s.size() - at);
    switch (below(7)) {
    case 0:
      s.erase(at, 1 + below(3));
      break;
    case 1:
      s.erase(at, length);
      break;
    case 2:
      s.insert(at, s.substr(below(s.size() + 1), below(40)));
      break;
    case 3:
      if (at < s.size())
        s[at] = static_cast<char>(below(256));
      break;
    case 4:
      s.replace(at, length, pick(tokens));
      break;
    default:
      s.insert(at, pick(tokens));
    }
  }

  std::mt19937 random_;
};

std::size_t rounds() {
  auto wanted = std::getenv("XML_DIFFERENTIAL_ROUNDS");
  return wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : 20'000;
}

struct outcome {
  bool accepted = false;
};

outcome compare(parser& xerces, const std::string& frame) {
  auto tree = xerces.parse(frame);
  auto expat = expat_reader::read(frame);
  auto has_xml_element = expat && expat->find("<{http://www.w3.org/XML/1998/namespace}") != expat->npos;
  if (tree.code() == errc::policy_violation || has_xml_element) // We refuse what no other form can express.
    return {};
  BOOST_TEST(tree.has_value() == expat.has_value(), "acceptance of: " << frame << " by Xerces: " << tree.has_value());
  if (!tree || !expat)
    return {};
  BOOST_TEST(walk(*tree) == *expat, frame);
  BOOST_TEST(frames(frame), "framing of: " << frame);
  auto again = xerces.parse(tree->bytes());
  BOOST_TEST_REQUIRE(again.has_value(), frame);
  BOOST_TEST((*again == *tree), "identity of: " << frame);
  BOOST_TEST(walk(*again) == walk(*tree), frame);
  return {true};
}

} // namespace

BOOST_AUTO_TEST_SUITE(xml_differential)

BOOST_AUTO_TEST_CASE(valid_stanzas_read_the_same_in_expat_and_xerces) {
  auto xerces = parser{ns::client, stream_limits{}};
  for (auto& stanza : stanzas)
    BOOST_TEST(compare(xerces, stanza).accepted, stanza);
}

BOOST_AUTO_TEST_CASE(mutated_stanzas_read_the_same_in_expat_and_xerces) {
  auto xerces = parser{ns::client, stream_limits{}};
  auto mutants = mutator{20'240'717};
  auto accepted = std::size_t{0};
  for (auto left = rounds(); left != 0; --left)
    accepted += compare(xerces, mutants.next()).accepted;
  BOOST_TEST(accepted > rounds() / 20); // Else the mutations are too wild to say much.
}

// The editions of XML 1.0 differ in what a name may hold, and so do parsers.
BOOST_AUTO_TEST_CASE(names_may_hold_what_both_take) {
  auto xerces = parser{ns::client, stream_limits{}};
  auto differences = std::string{};
  auto check = [&](const std::string& frame) {
    if (xerces.parse(frame).has_value() != expat_reader::read(frame).has_value() && differences.size() < 1'000)
      differences += frame + " ";
  };
  for (auto c = 0x80u; c < 0x10'000; ++c) {
    if (c >= 0xD800 && c < 0xE000)
      continue;
    auto utf8 = std::string{};
    if (c >= 0x800)
      utf8 += static_cast<char>(0xE0 | c >> 12);
    utf8 += static_cast<char>(c >= 0x800 ? 0x80 | (c >> 6 & 0x3F) : 0xC0 | c >> 6);
    utf8 += static_cast<char>(0x80 | (c & 0x3F));
    check("<" + utf8 + "/>");
    check("<a" + utf8 + "/>");
  }
  BOOST_TEST(differences == "");
  for (auto place : {"<*/>", "<a *=''/>", "<a xmlns:*='u'/>", "<*:a xmlns:*='u'/>", "<a xmlns:x='u' x:*=''/>"})
    for (auto name :
         {"\xC3\xA9", "\xC3\xB7", "\xE2\x82\xAC", "\xEF\xBF\xBD", "\xF0\x90\x80\x80", "a\xC2\xB7", "a\xCD\xB0"}) {
      auto frame = std::string{place};
      for (auto at = frame.find('*'); at != frame.npos; at = frame.find('*'))
        frame.replace(at, 1, name);
      check(frame);
    }
  BOOST_TEST(differences == "");
}

BOOST_AUTO_TEST_SUITE_END()
