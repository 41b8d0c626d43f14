#include "actors/shell/words.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::shell;

namespace {

std::string joined(std::string_view line) {
  auto result = std::string{};
  for (auto& one : split(line).words)
    result.append("[").append(one.text).append("]");
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(shell_words)

BOOST_AUTO_TEST_CASE(words_are_separated_by_blanks) {
  BOOST_TEST(joined("") == "");
  BOOST_TEST(joined("  actors \t user  ") == "[actors][user]");
}

BOOST_AUTO_TEST_CASE(quotes_and_backslashes_keep_blanks) {
  BOOST_TEST(joined("inspect 'romeo@localhost/my phone'") == "[inspect][romeo@localhost/my phone]");
  BOOST_TEST(joined("a\\ b \"c \\\" d\" '\\' ''") == "[a b][c \" d][\\][]");
  BOOST_TEST(joined("a'b'\"c\"") == "[abc]");
}

BOOST_AUTO_TEST_CASE(an_open_quote_is_told) {
  BOOST_TEST(split("kill 'x y").open_quote == '\'');
  BOOST_TEST(joined("kill 'x y") == "[kill][x y]");
  BOOST_TEST(split("kill 'x'").open_quote == '\0');
}

BOOST_AUTO_TEST_CASE(words_know_where_they_stand) {
  auto words = split("send  'a b' c").words;
  BOOST_REQUIRE(words.size() == 3);
  BOOST_TEST(words[1].begin == 6u);
  BOOST_TEST(words[1].end == 11u);
  BOOST_TEST(words[2].begin == 12u);
}

BOOST_AUTO_TEST_CASE(a_pattern_without_wildcards_matches_anywhere) {
  BOOST_TEST(matches("", ""));
  BOOST_TEST(matches("", "romeo@localhost"));
  BOOST_TEST(matches("ROMEO", "romeo@localhost"));
  BOOST_TEST(matches("local", "romeo@localhost"));
  BOOST_TEST(!matches("juliet", "romeo@localhost"));
}

BOOST_AUTO_TEST_CASE(a_pattern_with_wildcards_matches_the_whole) {
  BOOST_TEST(matches("romeo@*", "romeo@localhost"));
  BOOST_TEST(!matches("meo@*", "romeo@localhost"));
  BOOST_TEST(matches("*/b?lcony", "romeo@localhost/balcony"));
  BOOST_TEST(matches("*o*o*o*", "romeo@localhost/o"));
  BOOST_TEST(!matches("*x*", "romeo@localhost"));
  BOOST_TEST(!matches("?", ""));
  BOOST_TEST(matches("*", ""));
}

BOOST_AUTO_TEST_CASE(a_pattern_made_to_be_slow_is_not) {
  // Exponential in naive matchers.
  auto pattern = std::string{};
  for (auto i = 0; i < 30; ++i)
    pattern += "a*";
  BOOST_TEST(!matches(pattern + "b", std::string(200, 'a')));
}

BOOST_AUTO_TEST_SUITE_END()
