#include "protocol/framer.hpp"

#include "tests/fixtures/heap.hpp"

#include <boost/test/unit_test.hpp>

#include <ostream>
#include <string>
#include <vector>

using namespace xmpp;
using namespace std::literals;

namespace xmpp {

std::ostream& operator<<(std::ostream& out, framer::kind k) {
  return out << (k == framer::kind::stream_start ? "start"
                 : k == framer::kind::element    ? "element"
                 : k == framer::kind::stream_end ? "end"
                                                 : "keepalive");
}

} // namespace xmpp

namespace {

// What comes out, one line per frame: `start <...>`, `element <...>`, `end <...>`; and at last the error's name.
std::string frames_of(framer& f, std::string_view bytes, std::size_t piece_size) {
  auto out = std::string{};
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece_size, bytes.size()))) {
    auto piece = std::string{bytes.substr(0, piece_size)}; // A copy, so that reading past it shows.
    auto input = std::string_view{piece};
    while (true) {
      auto step = f.next(input);
      if (!step)
        return out + std::string{condition_name(step.code())};
      if (!step->done)
        break;
      if (step->what == framer::kind::keepalive)
        continue;
      out += step->what == framer::kind::stream_start ? "start "
             : step->what == framer::kind::element    ? "element "
                                                      : "end ";
      out += step->frame;
      out += '\n';
    }
    BOOST_TEST_REQUIRE(input.empty());
  }
  return out;
}

std::string frames_of(std::string_view bytes, const stream_limits& limits = {}) {
  auto f = framer{limits};
  return frames_of(f, bytes, bytes.size());
}

constexpr auto header = "<stream:stream xmlns='jabber:client' to='a'>"sv;

// The outcome for `bytes` inside an open stream, without the header's own line.
std::string inside(std::string_view bytes, const stream_limits& limits = {}) {
  auto all = frames_of(std::string{header} + std::string{bytes}, limits);
  auto start = "start " + std::string{header} + "\n";
  BOOST_TEST_REQUIRE(all.starts_with(start));
  return all.substr(start.size());
}

// Every kind of thing, good and bad, that a stream can carry.
const auto corpus = std::vector<std::string>{
    "<?xml version='1.0'?><stream:stream to='a>b' x=\"'\">",
    "<?xml version=\"1.0\" encoding='utf-8' standalone='yes' ?>\n<s>",
    "<?xml version='1.0' encoding='latin1'?><s>",
    "<?xml version='1.1'?><s>",
    "<?xml encoding='UTF-8'?><s>",
    "<?xmlx version='1.0'?><s>",
    "<?php?><s>",
    " <?xml version='1.0'?><s>",
    "\xEF\xBB\xBF<s>",
    "\xFF\xFE<\0s\0"s,
    "<\0s\0"s,
    "\0<\0s"s,
    "GET / HTTP/1.1\r\n",
    "<s/>",
    "</s>",
    "<!DOCTYPE s><s>",
    "<!-- --><s>",
    "< s>",
    "<s><a/><b></b> <c>text</c>\n<d e='f' g=\"h\"><i/>&amp;</d></s>  ",
    "<s></s><a/>",
    "<s></s></s>",
    "<s>text<a/>",
    "<s>&amp;",
    "<s><a><b><c/></b></a><a x='>/' y=\"</a>\"/>",
    "<s><a x='>/' y=\"/>'\"/><b/>",
    "<s><a x='&lt;&gt;&amp;&apos;&quot;&#1;&#x1F600;'>&lt;&gt;&amp;&apos;&quot;&#1;&#x1f600;</a>",
    "<s><a>&nbsp;</a>",
    "<s><a>&ampx;</a>",
    "<s><a>&am;</a>",
    "<s><a>&am </a>",
    "<s><a>&;</a>",
    "<s><a>& </a>",
    "<s><a>&#;</a>",
    "<s><a>&#x;</a>",
    "<s><a>&#xg;</a>",
    "<s><a>&#1a;</a>",
    "<s><a x='&foo;'/>",
    "<s><a x='<'/>",
    "<s><a <b/>/>",
    "<s><a / >",
    "<s><a></a <",
    "<s><a><![CDATA[<b>&foo;]]]]><![CDATA[>]] >]]]></a><b/>",
    "<s><a><![CDATA[\xC3\xA9\xF0\x9F\x98\x80]\xC3\xA9]]></a>",
    "<s><a><![CDAT[",
    "<s><a><!-- --></a>",
    "<s><a><!DOCTYPE",
    "<s><a><?pi?></a>",
    "<s><![CDATA[x]]>",
    "<s><!-- -->",
    "<s><?pi?>",
    "<s><?xml version='1.0'?>",
    "<s><\xC3\xA9 \xC3\xA9='\xE2\x82\xAC\xF0\x9F\x98\x80'>\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF</\xC3\xA9>",
    "<s><a>\x80</a>",
    "<s><a>\xC0\x80</a>",
    "<s><a>\xC1\xBF</a>",
    "<s><a>\xE0\x9F\xBF</a>",
    "<s><a>\xED\xA0\x80</a>",
    "<s><a>\xF0\x8F\xBF\xBF</a>",
    "<s><a>\xF4\x90\x80\x80</a>",
    "<s><a>\xF5\x80\x80\x80</a>",
    "<s><a>\xE2\x82</a>",
    "<s><a x='\xE2\x82'/>",
    "<s><a></a\xE2\x82>",
    "<s><a \xE2\x82>",
    "<s><a><stream:stream></stream:stream></a></s>",
    "<s><stream:stream to='a'><a/>",
    "<s><s:stream/>",
    "<s><\xC3\xA9:stream>",
    "<s><stream\xC3\xA9/><streams/><strea/><stream:stream2/><stream:a/>",
    "<s><stream",
    "<s><a><b></s></a>",
    "<s>" + std::string(300, ' ') + "<a/>",
    "<s><a>" + std::string(2000, 'x') + "</a><b/>",
    "<?xml" + std::string(300, ' ') + "?><s>",
};

stream_limits small() {
  auto limits = stream_limits{};
  limits.stanza_bytes_max = 1'000;
  limits.depth_max = 3;
  limits.attributes_max = 2;
  limits.namespaces_max = 1;
  return limits;
}

} // namespace

BOOST_AUTO_TEST_SUITE(framing)

BOOST_AUTO_TEST_CASE(a_stream_is_cut_into_its_start_elements_and_end) {
  BOOST_TEST(frames_of("<?xml version='1.0'?>\n<stream:stream to='a'><message to='b'>hi</message> <r "
                       "xmlns='u'/>\n</stream:stream>") ==
             "start <stream:stream to='a'>\nelement <message to='b'>hi</message>\nelement <r xmlns='u'/>\nend "
             "</stream:stream>\n");
}

BOOST_AUTO_TEST_CASE(a_whole_element_is_a_view_of_the_input) {
  auto f = framer{stream_limits{}};
  auto bytes = std::string{"<s><a>1</a><b/>"};
  auto input = std::string_view{bytes};
  BOOST_TEST(f.next(input)->frame.data() == bytes.data());
  BOOST_TEST(f.next(input)->frame.data() == bytes.data() + 3);
  BOOST_TEST(input == "<b/>");
  BOOST_TEST(f.buffered_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(pieces_are_kept_only_until_their_frame_was_given_out) {
  auto f = framer{stream_limits{}};
  auto input = "<s><a>1"sv;
  BOOST_TEST(f.next(input)->done);
  BOOST_TEST(!f.next(input)->done);
  BOOST_TEST(input.empty());
  BOOST_TEST(f.buffered_bytes() == 4u);
  input = "</a><b/>"sv;
  BOOST_TEST(f.next(input)->frame == "<a>1</a>");
  BOOST_TEST(f.buffered_bytes() == 0u);
  BOOST_TEST(f.next(input)->frame == "<b/>");
}

BOOST_AUTO_TEST_CASE(between_elements_it_holds_no_memory) {
  auto f = framer{stream_limits{}};
  auto large = "<a>" + std::string(200'000, 'x') + "</a>";
  auto input = "<s>"sv;
  BOOST_TEST(f.next(input)->done);
  auto before = test::heap_bytes();
  for (auto piece = std::size_t{0}; piece < large.size(); piece += 10'000) {
    input = std::string_view{large}.substr(piece, 10'000);
    auto got = f.next(input);
    BOOST_REQUIRE(got);
    if (!got->done)
      BOOST_TEST(f.buffered_bytes() == piece + 10'000);
  }
  input = " "sv; // the next that comes
  BOOST_TEST(f.next(input)->done);
  BOOST_TEST(f.buffered_bytes() == 0u);
  BOOST_TEST(test::heap_bytes() < before + 4'096);
}

BOOST_AUTO_TEST_CASE(white_space_between_elements_is_a_keepalive_once_per_input) {
  auto f = framer{stream_limits{}};
  auto input = " \n<s> <a/> \t\r\n "sv;
  BOOST_TEST(f.next(input)->what == framer::kind::stream_start);
  BOOST_TEST(f.next(input)->what == framer::kind::element);
  auto step = f.next(input);
  BOOST_TEST(step->done);
  BOOST_TEST(step->what == framer::kind::keepalive);
  BOOST_TEST(!f.next(input)->done);
  BOOST_TEST(f.buffered_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(however_the_bytes_are_cut_frames_and_error_are_the_same) {
  for (auto& limits : {stream_limits{}, small()})
    for (auto& bytes : corpus) {
      auto whole = frames_of(bytes, limits);
      for (auto split = std::size_t{1}; split < bytes.size(); ++split) {
        auto f = framer{limits};
        auto first = frames_of(f, bytes.substr(0, split), split);
        auto second = first.ends_with('\n') || first.empty() ? frames_of(f, bytes.substr(split), bytes.size()) : "";
        BOOST_TEST(first + second == whole,
                   bytes << " split at " << split << ": " << first + second << " not " << whole);
      }
      for (auto piece_size : {1u, 2u, 3u, 7u}) {
        auto f = framer{limits};
        BOOST_TEST(frames_of(f, bytes, piece_size) == whole);
      }
    }
}

BOOST_AUTO_TEST_CASE(comments_doctypes_and_instructions_are_refused_at_their_first_byte) { // RFC 6120, 11.1
  BOOST_TEST(frames_of("<!") == "restricted-xml");
  BOOST_TEST(frames_of("<?xml version='1.0'?><!") == "restricted-xml");
  BOOST_TEST(frames_of("<?xml version='1.0'?><?") == "restricted-xml");
  BOOST_TEST(frames_of("<?p") == "restricted-xml");
  BOOST_TEST(frames_of(" <?") == "restricted-xml");
  BOOST_TEST(inside("<!") == "restricted-xml");
  BOOST_TEST(inside("<?") == "restricted-xml");
  BOOST_TEST(inside("<a><!-") == "restricted-xml");
  BOOST_TEST(inside("<a><!D") == "restricted-xml");
  BOOST_TEST(inside("<a><![I") == "restricted-xml");
  BOOST_TEST(inside("<a><?") == "restricted-xml");
  BOOST_TEST(inside("<a>&f") == "restricted-xml");
  BOOST_TEST(inside("<a>&ampe") == "restricted-xml");
  BOOST_TEST(inside("<a b='&f") == "restricted-xml");
}

BOOST_AUTO_TEST_CASE(cdata_may_hold_anything) {
  BOOST_TEST(inside("<a><![CDATA[</a><!-- &foo; ]] > ]]]></a>") ==
             "element <a><![CDATA[</a><!-- &foo; ]] > ]]]></a>\n");
}

BOOST_AUTO_TEST_CASE(text_between_elements_is_a_bad_format) {
  BOOST_TEST(inside("x") == "bad-format");
  BOOST_TEST(inside("<a/>&amp;") == "element <a/>\nbad-format");
  BOOST_TEST(inside("\0"sv) == "not-well-formed");
  BOOST_TEST(inside("<a/> \x01") == "element <a/>\nnot-well-formed");
  BOOST_TEST(frames_of("x") == "not-well-formed");
  BOOST_TEST(inside("</s>x") == "end </s>\nnot-well-formed");
  BOOST_TEST(inside("</s><a/>") == "end </s>\nnot-well-formed");
}

BOOST_AUTO_TEST_CASE(only_utf_8_is_spoken) { // RFC 6120, 11.6
  BOOST_TEST(frames_of("<?xml version='1.0' encoding='UTF-8'?><s>") == "start <s>\n");
  BOOST_TEST(frames_of("<?xml version='1.0' encoding='ISO-8859-1'?><s>") == "unsupported-encoding");
  BOOST_TEST(frames_of("\xFE\xFF\0<"sv) == "unsupported-encoding");
  BOOST_TEST(frames_of("<\0s\0"sv) == "unsupported-encoding");
  BOOST_TEST(frames_of("\0<\0s"sv) == "unsupported-encoding");
  for (auto bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                   "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xFF"})
    for (auto place : {"<a>*</a>", "<a b='*'/>", "<a *=''/>", "<*/>", "<a></a*>", "<a><![CDATA[*]]></a>"}) {
      auto bytes = std::string{place};
      bytes.replace(bytes.find('*'), 1, bad);
      BOOST_TEST(inside(bytes) == "not-well-formed", bytes);
    }
}

BOOST_AUTO_TEST_CASE(limits_are_exact) {
  auto limits = small();
  auto fits = "<a>" + std::string(993, 'x') + "</a>";
  BOOST_TEST(fits.size() == 1'000u);
  BOOST_TEST(inside(fits, limits) == "element " + fits + "\n");
  BOOST_TEST(inside("<a>" + std::string(994, 'x') + "</a>", limits) == "policy-violation");
  BOOST_TEST(inside("<a><b><c/></b></a>", limits) == "element <a><b><c/></b></a>\n");
  BOOST_TEST(inside("<a><b><c><d", limits) == "policy-violation");
  BOOST_TEST(inside("<a b='' c='' d=''/>", limits) == "element <a b='' c='' d=''/>\n");
  BOOST_TEST(inside("<a b='' c='' d='' e='", limits) == "policy-violation");
  BOOST_TEST(frames_of("<?xml" + std::string(300, ' '), limits) == "policy-violation");
}

BOOST_AUTO_TEST_CASE(an_endless_element_takes_no_more_than_its_limit) {
  auto limits = small();
  auto f = framer{limits};
  auto piece = std::string(100, 'x');
  BOOST_TEST(frames_of(f, "<s><a>", 6) == "start <s>\n");
  for (auto i = 0; i < 9; ++i)
    BOOST_TEST(frames_of(f, piece, piece.size()) == "");
  BOOST_TEST(f.buffered_bytes() == 903u);
  BOOST_TEST(frames_of(f, piece, piece.size()) == "policy-violation");
  BOOST_TEST(f.buffered_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(the_limit_may_rise_after_sign_in) {
  auto f = framer{small()};
  auto element = "<a>" + std::string(2'000, 'x') + "</a>";
  f.set_stanza_bytes_max(10'000);
  BOOST_TEST(frames_of(f, "<s>" + element, 512) == "start <s>\nelement " + element + "\n");
}

BOOST_AUTO_TEST_CASE(an_error_is_for_good) {
  auto f = framer{stream_limits{}};
  BOOST_TEST(frames_of(f, "<s><a>&foo;</a>", 100) == "start <s>\nrestricted-xml");
  BOOST_TEST(frames_of(f, "<a/>", 100) == "restricted-xml");
}

BOOST_AUTO_TEST_CASE(after_a_restart_a_stream_starts_anew) {
  auto f = framer{stream_limits{}};
  BOOST_TEST(frames_of(f, "<s><auth/><half-an-element a='", 100) == "start <s>\nelement <auth/>\n");
  f.restart();
  BOOST_TEST(f.buffered_bytes() == 0u);
  BOOST_TEST(frames_of(f, "<?xml version='1.0'?><s><iq/></s>", 100) == "start <s>\nelement <iq/>\nend </s>\n");
}

BOOST_AUTO_TEST_CASE(a_second_header_is_refused_where_its_name_ends) { // not an element that never ends
  for (auto name : {"stream:stream", "s:stream", "stream", "\xC3\xA9:stream"})
    for (auto behind : {" ", ">", "/", "\n"})
      BOOST_TEST(inside("<" + std::string{name} + behind) == "unsupported-stanza-type", name << behind);
  for (auto name : {"stream:features", "stream:streams", "s:strea", "streamstream", "xstream", "stream\xC3\xA9"}) {
    auto element = "<" + std::string{name} + "/>";
    BOOST_TEST(inside(element) == "element " + element + "\n");
  }
  BOOST_TEST(inside("<a><stream:stream></stream:stream></a>") == "element <a><stream:stream></stream:stream></a>\n");
}

BOOST_AUTO_TEST_CASE(a_stream_that_ends_in_its_start_tag_is_a_bad_format) {
  BOOST_TEST(frames_of("<s/>") == "bad-format");
}

BOOST_AUTO_TEST_SUITE_END()
