#include "actors/present_sessions.hpp"

#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto a = "a@example.com/x"_jid, b = "b@example.com/x"_jid, c = "c@example.com/x"_jid;
using jids = std::vector<jid>;

} // namespace

BOOST_AUTO_TEST_SUITE(sessions_that_contacts_see)

BOOST_AUTO_TEST_CASE(who_comes_again_is_not_doubted) {
  auto it = present_sessions{};
  it.put(a);
  it.put(b);
  it.put(c);
  BOOST_TEST(!it.has_doubtful());
  it.doubt_all();
  it.put(b);
  BOOST_TEST((it.take_doubtful(10) == jids{a, c}));
  BOOST_TEST(!it.has_doubtful());
  BOOST_TEST(it.size() == 3u);
}

BOOST_AUTO_TEST_CASE(doubtful_ones_are_taken_bit_by_bit) {
  auto it = present_sessions{};
  it.put(a);
  it.put(b);
  it.put(c);
  it.doubt_all();
  BOOST_TEST((it.take_doubtful(2) == jids{a, b}));
  BOOST_TEST(it.has_doubtful());
  it.erase(c);
  BOOST_TEST(!it.has_doubtful());
  BOOST_TEST(it.take_doubtful(2).empty());
  it.put_doubtful(a); // known already, and not doubted
  BOOST_TEST(!it.has_doubtful());
  it.erase(a);
  it.put_doubtful(a);
  BOOST_TEST((it.take_doubtful(2) == jids{a}));
}

BOOST_AUTO_TEST_CASE(only_the_doubtful_are_swept) {
  auto it = present_sessions{};
  it.put(a);
  it.put(b);
  it.doubt_all();
  it.put(a);
  it.erase_doubtful(a);
  it.erase_all_doubtful();
  BOOST_TEST(it.has(a));
  BOOST_TEST(!it.has(b));
  BOOST_TEST(!it.has_doubtful());
}

BOOST_AUTO_TEST_CASE(pieces_are_in_order_and_miss_nothing) {
  auto it = present_sessions{};
  it.put(c);
  it.put(a);
  it.put(b);
  BOOST_TEST((it.behind({}, 2) == jids{a, b}));
  BOOST_TEST((it.behind(b, 2) == jids{c}));
  BOOST_TEST(it.behind(c, 2).empty());
}

BOOST_AUTO_TEST_CASE(there_are_only_so_many) {
  auto it = present_sessions{};
  for (auto i = std::size_t{0}; i < present_sessions::sessions_max; ++i)
    it.put(jid::from_prepared("u@example.com/" + std::to_string(i)));
  BOOST_TEST(!it.put(a));
  BOOST_TEST(!it.put_doubtful(a));
  BOOST_TEST(it.put("u@example.com/1"_jid));
  BOOST_TEST(it.size() == present_sessions::sessions_max);
}

BOOST_AUTO_TEST_SUITE_END()
