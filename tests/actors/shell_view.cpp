#include "actors/shell/view.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::shell;

namespace {

style plain(unsigned width = 0) {
  return {.width = width};
}
constexpr auto json = style{.json = true};

} // namespace

BOOST_AUTO_TEST_SUITE(shell_view)

BOOST_AUTO_TEST_CASE(counts_have_separators_for_thousands) {
  BOOST_TEST(format(0, unit::count) == "0");
  BOOST_TEST(format(999, unit::count) == "999");
  BOOST_TEST(format(1'000, unit::count) == "1,000");
  BOOST_TEST(format(1'234'567, unit::count) == "1,234,567");
  BOOST_TEST(format(-1'234, unit::count) == "-1,234");
  BOOST_TEST(format(1234.5, unit::per_second) == "1,234" + std::string{}); // rounded to even
  BOOST_TEST(format(12.34, unit::per_second) == "12.3");
}

BOOST_AUTO_TEST_CASE(bytes_have_binary_prefixes) {
  BOOST_TEST(format(0, unit::bytes) == "0 B");
  BOOST_TEST(format(1'023, unit::bytes) == "1023 B");
  BOOST_TEST(format(1'024, unit::bytes) == "1.0 KiB");
  BOOST_TEST(format(10'240, unit::bytes) == "10 KiB");
  BOOST_TEST(format(std::int64_t{5} << 30, unit::bytes) == "5.0 GiB");
}

BOOST_AUTO_TEST_CASE(times_have_the_unit_that_fits) {
  BOOST_TEST(format(850, unit::microseconds) == "850 µs");
  BOOST_TEST(format(850, unit::microseconds, false) == "850 us");
  BOOST_TEST(format(12'300, unit::microseconds) == "12 ms");
  BOOST_TEST(format(1'500, unit::microseconds) == "1.5 ms");
  BOOST_TEST(format(2'000'000, unit::microseconds) == "2.0 s");
  BOOST_TEST(format(59, unit::seconds) == "59 s");
  BOOST_TEST(format(61, unit::seconds) == "1 min 1 s");
  BOOST_TEST(format(7'500, unit::seconds) == "2 h 5 min");
  BOOST_TEST(format(100'000, unit::seconds) == "1 d 3 h");
}

BOOST_AUTO_TEST_CASE(columns_are_aligned_texts_left_and_numbers_right) {
  auto what = table{{{"name", "name"}, {"memory", "memory_bytes", unit::bytes}, {"n", "n", unit::count}},
                    {{"a", 512, 1}, {"longer", 5'325, 1'000}, {value{}, value{}, 12}},
                    "",
                    {}};
  BOOST_TEST(render(what, plain()) == "name     memory      n\n"
                                      "a       512 B        1\n"
                                      "longer  5.2 KiB  1,000\n"
                                      "-             -     12\n");
}

BOOST_AUTO_TEST_CASE(wide_characters_take_two_columns_and_accents_none) {
  auto what = table{{{"a", "a"}, {"b", "b"}}, {{"日本", "x"}, {"e\u0301", "y"}, {"abcd", "z"}}, "", {}};
  BOOST_TEST(render(what, plain()) == "a     b\n日本  x\ne\u0301     y\nabcd  z\n");
}

BOOST_AUTO_TEST_CASE(a_narrow_terminal_cuts_flexible_columns_only) {
  auto what = table{{{"name", "name", unit::text, true}, {"n", "n", unit::count}},
                    {{"a name that is much too long for it", 1'000'000}},
                    "",
                    {}};
  auto text = render(what, plain(30));
  BOOST_TEST(text == "name                         n\na name that is muc…  1,000,000\n");
}

BOOST_AUTO_TEST_CASE(an_empty_table_says_so) {
  auto what = table{{{"name", "name"}}, {}, "no session", {}};
  BOOST_TEST(render(what, plain()) == "no session\n");
  BOOST_TEST(render(what, json) == "[]\n");
}

BOOST_AUTO_TEST_CASE(json_has_plain_numbers_under_keys_with_units) {
  auto what = table{{{"name", "name"}, {"memory", "memory_bytes", unit::bytes}, {"", "kind", unit::text, false, true}},
                    {{"a\"b", 5'325, "x"}, {value{}, value{}, true}},
                    "",
                    "a note"};
  BOOST_TEST(render(what, json) == "[{\"name\":\"a\\\"b\",\"memory_bytes\":5325,\"kind\":\"x\"},"
                                   "{\"name\":null,\"memory_bytes\":null,\"kind\":true}]\n");
}

BOOST_AUTO_TEST_CASE(a_record_has_a_field_a_line) {
  auto what = record{{{"name", "name", "romeo"},
                      {"messages handled", "messages", 1'234, unit::count},
                      {"child", "child", std::vector<std::string>{"one", "two"}}}};
  BOOST_TEST(render(what, plain()) == "name              romeo\n"
                                      "messages handled  1,234\n"
                                      "child             one\n"
                                      "                  two\n");
  BOOST_TEST(render(what, json) == "{\"name\":\"romeo\",\"messages\":1234,\"child\":[\"one\",\"two\"]}\n");
}

BOOST_AUTO_TEST_CASE(a_tree_is_drawn_with_branches) {
  auto what = tree{{{"actor", "actor"}, {"number", "number", unit::number}},
                   {{{"root", 1}, {{{"a", 2}, {{{"aa", 3}, {}}}}, {{"3 users", value{}}, {}}}}}};
  BOOST_TEST(render(what, plain()) == "actor       number\n"
                                      "root             1\n"
                                      "├─ a             2\n"
                                      "│  └─ aa         3\n"
                                      "└─ 3 users\n");
  BOOST_TEST(render(what, style{.utf8 = false}) == "actor       number\n"
                                                   "root             1\n"
                                                   "|- a             2\n"
                                                   "|  `- aa         3\n"
                                                   "`- 3 users\n");
  BOOST_TEST(render(what, json) == "[{\"actor\":\"root\",\"number\":1,\"children\":[{\"actor\":\"a\",\"number\":2,"
                                   "\"children\":[{\"actor\":\"aa\",\"number\":3,\"children\":[]}]},"
                                   "{\"actor\":\"3 users\",\"number\":null,\"children\":[]}]}]\n");
}

BOOST_AUTO_TEST_CASE(colours_appear_only_when_wanted_and_do_not_move_columns) {
  auto what = table{{{"a", "a"}, {"b", "b"}}, {{value{"x", tone::bad}, "y"}}, "", {}};
  BOOST_TEST(render(what, plain()).find('\x1b') == std::string::npos);
  BOOST_TEST(render(what, style{.colour = true}) == "\x1b[1ma\x1b[0m  \x1b[1mb\x1b[0m\n\x1b[31mx\x1b[0m  y\n");
}

BOOST_AUTO_TEST_CASE(names_from_outside_cannot_steer_the_terminal) {
  BOOST_TEST(printable("a\x1b[31mb\r\n\x7f") == "a\\x1b[31mb\\x0d\\x0a\\x7f");
  BOOST_TEST(printable("\xc2\x9b") == "\\x9b");               // C1: CSI in one character
  BOOST_TEST(printable("a\u202eb") == "a\\u{202e}b");         // right-to-left override
  BOOST_TEST(printable("\xff\xc0\xaf") == "\\xff\\xc0\\xaf"); // no UTF-8
  BOOST_TEST(printable("Zoë 日本") == "Zoë 日本");
  BOOST_TEST(printable("Zoë", false) == "Zo\\xeb");
  auto what = table{{{"name", "name"}}, {{"\x1b]0;title\x07"}}, "", {}};
  BOOST_TEST(render(what, plain()).find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(json_strings_are_escaped_and_valid) {
  BOOST_TEST(json_string("a\"\\\n\x1b") == "\"a\\\"\\\\\\n\\u001b\"");
  BOOST_TEST(json_string("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); // a surrogate
  BOOST_TEST(json_string("Zoë") == "\"Zoë\"");
}

BOOST_AUTO_TEST_CASE(keys_are_titles_in_snake_case) {
  BOOST_TEST(key_of("Last error") == "last_error");
  BOOST_TEST(key_of("bytes waiting (client)") == "bytes_waiting_client");
}

BOOST_AUTO_TEST_SUITE_END()
