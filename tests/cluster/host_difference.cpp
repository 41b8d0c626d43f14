#include "cluster/host_difference.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::cluster;

BOOST_AUTO_TEST_SUITE(differences_of_hosts)

BOOST_AUTO_TEST_CASE(the_same_hosts_do_not_differ) {
  BOOST_TEST(compare_hosts({"a", "b"}, {"b", "a"}).empty());
  BOOST_TEST(compare_hosts({"a"}, {"a"}).text() == "");
}

BOOST_AUTO_TEST_CASE(what_is_missing_and_what_is_too_many_is_named) {
  auto x = compare_hosts({"a", "b", "c"}, {"b", "d"});
  BOOST_TEST((x.missing == std::vector<std::string>{"a", "c"}));
  BOOST_TEST((x.too_many == std::vector<std::string>{"d"}));
  BOOST_TEST(x.text() == "does not serve a, c; serves d, which is not agreed on");
  BOOST_TEST(compare_hosts({}, {"a", "b", "c", "d", "e"}).text() ==
             "serves a, b, c and 2 more, which are not agreed on");
}

BOOST_AUTO_TEST_SUITE_END()
