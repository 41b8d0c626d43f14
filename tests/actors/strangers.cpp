#include "actors/strangers.hpp"

#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

struct strangers_fixture : actor_fixture {
  strangers it;
  session_actor a = made(), b = made(), c = made();

  session_actor made() { return system().spawn(remembering_session, std::make_shared<session_history>()); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(those_who_have_not_signed_in, strangers_fixture)

BOOST_AUTO_TEST_CASE(may_be_as_many_as_allowed) {
  BOOST_TEST(!it.add(a, 2).has_value());
  BOOST_TEST(!it.add(b, 2).has_value());
  BOOST_TEST(it.size() == 2u);
}

BOOST_AUTO_TEST_CASE(lose_the_oldest_to_one_more) {
  it.add(a, 2);
  it.add(b, 2);
  auto gone = it.add(c, 2);
  BOOST_REQUIRE(gone.has_value());
  BOOST_TEST((*gone == a));
  BOOST_TEST(it.size() == 2u);
  it.remove(a->id()); // it hears of its end later
  BOOST_TEST(it.size() == 2u);
}

BOOST_AUTO_TEST_CASE(make_room_when_they_sign_in_or_leave) {
  it.add(a, 2);
  it.add(b, 2);
  it.remove(a->id());
  BOOST_TEST(!it.add(c, 2).has_value());
  auto gone = it.add(made(), 2);
  BOOST_REQUIRE(gone.has_value());
  BOOST_TEST((*gone == b));
}

BOOST_AUTO_TEST_CASE(may_be_none_at_all) {
  auto gone = it.add(a, 0);
  BOOST_REQUIRE(gone.has_value());
  BOOST_TEST((*gone == a));
  BOOST_TEST(it.size() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
