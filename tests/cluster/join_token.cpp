#include "cluster/join_token.hpp"

#include "cluster/identity.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::cluster;

namespace {

constexpr auto now_s = std::int64_t{1'800'000'000};

const std::string& certificate() {
  static const auto made = *make_cluster_authority(now_s);
  return made.pair.certificate;
}

join_token a_token() {
  auto made = make_join_token("node1.example.com", 5280, certificate());
  BOOST_REQUIRE_MESSAGE(made, made.why());
  return *made;
}

} // namespace

BOOST_AUTO_TEST_SUITE(join_token_)

BOOST_AUTO_TEST_CASE(a_token_is_a_text_and_back) {
  auto made = a_token();
  auto text = made.text();
  BOOST_TEST(text.starts_with("troupe-join:node1.example.com:5280:" + *net::fingerprint_of(certificate()) + ":"));
  auto back = join_token::parse("  " + text + "\n");
  BOOST_REQUIRE(back);
  BOOST_TEST(back->text() == text);
  BOOST_TEST(back->secret == made.secret);
  BOOST_TEST(back->port == 5280);
}

BOOST_AUTO_TEST_CASE(an_address_of_ipv6_stands_in_brackets) {
  auto made = make_join_token("2001:db8::1", 5280, certificate());
  BOOST_REQUIRE(made);
  BOOST_TEST(made->text().starts_with("troupe-join:[2001:db8::1]:5280:"));
  BOOST_TEST(join_token::parse(made->text())->host == "2001:db8::1");
}

BOOST_AUTO_TEST_CASE(a_text_that_is_no_token_is_refused) {
  auto text = a_token().text();
  for (auto size = std::size_t{0}; size < text.size(); ++size)
    BOOST_TEST(!join_token::parse(std::string_view{text}.substr(0, size)), size);
  BOOST_TEST(!join_token::parse(text + "0"));
  BOOST_TEST(!join_token::parse("troupe-join:a:b" + text.substr(12)));
  BOOST_TEST(!join_token::parse("troupe-join:a\nb" + text.substr(text.find(":5280"))));
  BOOST_TEST(!join_token::parse("troupe-join:" + text.substr(text.find(":5280"))));
  auto other_port = text;
  other_port.replace(text.find("5280"), 4, "65536");
  BOOST_TEST(!join_token::parse(other_port));
  other_port.replace(other_port.find("65536"), 5, "0");
  BOOST_TEST(!join_token::parse(other_port));
}

BOOST_AUTO_TEST_CASE(each_token_has_a_secret_of_its_own_and_its_hash_does_not_tell_it) {
  auto made = a_token();
  BOOST_TEST(a_token().secret != made.secret);
  BOOST_TEST(made.secret.size() == 64u);
  auto hash = hash_of_secret(made.secret);
  BOOST_TEST(hash.size() == 32u);
  BOOST_TEST(hash == hash_of_secret(made.secret));
  BOOST_TEST(hash != hash_of_secret(a_token().secret));
}

BOOST_AUTO_TEST_CASE(a_token_needs_a_host_a_port_and_an_authority) {
  BOOST_TEST(!make_join_token("", 1, certificate()));
  BOOST_TEST(!make_join_token("a b", 1, certificate()));
  BOOST_TEST(!make_join_token("a", 0, certificate()));
  BOOST_TEST(!make_join_token("a", 1, "x"));
}

BOOST_AUTO_TEST_SUITE_END()
