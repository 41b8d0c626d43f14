#include "actors/session_table.hpp"

#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace xmpp;
using namespace xmpp::test;

namespace {

struct table : actor_fixture {
  session_table it{4};
  session_actor a = made(), b = made(), c = made();

  session_actor made() { return system().spawn(remembering_session, std::make_shared<session_history>()); }
  std::set<session_actor> of(const jid& account) {
    auto found = it.of(account);
    return {found.begin(), found.end()};
  }
};

using sessions = std::set<session_actor>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_session_table, table)

BOOST_AUTO_TEST_CASE(finds_all_sessions_of_an_account_and_no_others) {
  it.add("romeo@example.com/garden"_jid, a);
  it.add("romeo@example.com/street"_jid, b);
  it.add("juliet@example.com/balcony"_jid, c);
  BOOST_TEST((of("romeo@example.com"_jid) == sessions{a, b}));
  BOOST_TEST((of("romeo@example.com/elsewhere"_jid) == sessions{a, b})); // whatever the resource
  BOOST_TEST((of("juliet@example.com"_jid) == sessions{c}));
  BOOST_TEST(of("nurse@example.com"_jid).empty());
  BOOST_TEST(it.size() == 3u);
}

BOOST_AUTO_TEST_CASE(forgets_the_one_that_ended) {
  it.add("romeo@example.com/garden"_jid, a);
  it.add("romeo@example.com/street"_jid, b);
  it.remove("romeo@example.com/garden"_jid, a);
  BOOST_TEST((of("romeo@example.com"_jid) == sessions{b}));
  BOOST_TEST(it.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_replaced_session_does_not_take_its_successor_with_it) {
  it.add("romeo@example.com/garden"_jid, a);
  it.add("romeo@example.com/garden"_jid, b);
  it.remove("romeo@example.com/garden"_jid, a);
  BOOST_TEST((of("romeo@example.com"_jid) == sessions{b}));
  it.remove("romeo@example.com/garden"_jid, a); // once is enough
  it.remove("romeo@example.com/street"_jid, b); // nor under another name
  BOOST_TEST((of("romeo@example.com"_jid) == sessions{b}));
  BOOST_TEST(it.size() == 1u);
}

BOOST_AUTO_TEST_CASE(is_visited_as_a_whole) {
  auto expected = std::set<std::string>{};
  for (auto i = 0; i < 200; ++i) {
    auto full = *jid::parse("user" + std::to_string(i) + "@example.com/x");
    expected.emplace(full.text());
    it.add(full, a);
  }
  auto seen = std::multiset<std::string>{};
  it.for_each([&](const jid& full, const session_actor& x) {
    BOOST_TEST((x == a));
    seen.emplace(full.text());
  });
  BOOST_TEST(seen.size() == 200u);
  BOOST_TEST((std::set<std::string>{seen.begin(), seen.end()} == expected));
}

BOOST_AUTO_TEST_SUITE_END()
