#include "protocol/idna.hpp"

#include "protocol/jid.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;

BOOST_AUTO_TEST_SUITE(idna)

BOOST_AUTO_TEST_CASE(u_labels_become_a_labels) {
  BOOST_TEST(to_a_labels("bücher.example") == "xn--bcher-kva.example");
  BOOST_TEST(to_a_labels("chat.例子.example") == "chat.xn--fsqu00a.example");
  BOOST_TEST(to_a_labels("faß.example") == "xn--fa-hia.example"); // IDNA 2008 keeps it
  BOOST_TEST(to_a_labels("όσος.example") == "xn--0xagb9a.example");
}

BOOST_AUTO_TEST_CASE(both_forms_are_one_domain) {
  for (auto name : {"bücher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example", "BÜCHER.example", "faß.example",
                    "όσος.example", "example.com"})
    BOOST_TEST(to_a_labels(*prepare_domain(name)) == to_a_labels(*prepare_domain(to_a_labels(*prepare_domain(name)))));
  BOOST_TEST(*prepare_domain("xn--bcher-kva.example") == "bücher.example");
}

BOOST_AUTO_TEST_CASE(what_has_no_such_form_stays) {
  for (auto name : {"localhost", "192.0.2.1", "[::1]", ""})
    BOOST_TEST(to_a_labels(name) == name);
  auto endless = std::string{};
  for (auto i = 0; i < 100; ++i)
    endless += "bücher.";
  BOOST_TEST(to_a_labels(endless) == endless);
}

BOOST_AUTO_TEST_SUITE_END()
