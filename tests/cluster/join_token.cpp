#include "cluster/join_token.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::cluster;

namespace {

constexpr auto now_s = std::int64_t{1'800'000'000};
const auto one_key = std::string(32, 'k');
const auto other_key = std::string(32, 'o');

const std::string& certificate() {
  static const auto made = *make_cluster_authority(now_s);
  return made.pair.certificate;
}

invited an_invitation() {
  auto made = invite("node1.example.com", 5280, certificate(), now_s, 3600);
  BOOST_REQUIRE_MESSAGE(made, made.why());
  return *made;
}

} // namespace

BOOST_AUTO_TEST_SUITE(join_token_)

BOOST_AUTO_TEST_CASE(a_token_is_a_text_and_back) {
  auto made = an_invitation();
  auto text = made.token.text();
  BOOST_TEST(text.starts_with("troupe-join:node1.example.com:5280:" + *net::fingerprint_of(certificate()) + ":"));
  auto back = join_token::parse("  " + text + "\n");
  BOOST_REQUIRE(back);
  BOOST_TEST(back->text() == text);
  BOOST_TEST(back->secret == made.token.secret);
  BOOST_TEST(back->port == 5280);
}

BOOST_AUTO_TEST_CASE(an_address_of_ipv6_stands_in_brackets) {
  auto made = invite("2001:db8::1", 5280, certificate(), now_s, 3600);
  BOOST_REQUIRE(made);
  BOOST_TEST(made->token.text().starts_with("troupe-join:[2001:db8::1]:5280:"));
  BOOST_TEST(join_token::parse(made->token.text())->host == "2001:db8::1");
}

BOOST_AUTO_TEST_CASE(a_text_that_is_no_token_is_refused) {
  auto text = an_invitation().token.text();
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

BOOST_AUTO_TEST_CASE(what_is_kept_does_not_tell_the_secret) {
  auto made = an_invitation();
  BOOST_TEST(made.kept.encode().find(made.token.secret) == std::string::npos);
  BOOST_TEST(made.kept.secret_hash == hash_of_secret(made.token.secret));
  BOOST_TEST(an_invitation().token.secret != made.token.secret);
}

BOOST_AUTO_TEST_CASE(a_token_is_good_once) {
  auto made = an_invitation();
  auto list = std::vector{an_invitation().kept, made.kept, an_invitation().kept};
  auto hash = hash_of_secret(made.token.secret);
  BOOST_TEST((redeem(list, hash, one_key, now_s) == token_verdict::good));
  BOOST_TEST((redeem(list, hash, other_key, now_s) == token_verdict::used));
  BOOST_TEST(list[0].used_by.empty());
  BOOST_TEST(list[2].used_by.empty());
}

BOOST_AUTO_TEST_CASE(who_lost_the_answer_may_ask_again_with_the_same_key) {
  auto made = an_invitation();
  auto list = std::vector{made.kept};
  auto hash = hash_of_secret(made.token.secret);
  BOOST_TEST((redeem(list, hash, one_key, now_s) == token_verdict::good));
  BOOST_TEST((redeem(list, hash, one_key, now_s + 3599) == token_verdict::good));
  BOOST_TEST((redeem(list, hash, one_key, now_s + 3600) == token_verdict::expired));
}

BOOST_AUTO_TEST_CASE(an_expired_token_is_refused_and_not_used) {
  auto made = an_invitation();
  auto list = std::vector{made.kept};
  BOOST_TEST((redeem(list, hash_of_secret(made.token.secret), one_key, now_s + 3600) == token_verdict::expired));
  BOOST_TEST((list == std::vector{made.kept}));
}

BOOST_AUTO_TEST_CASE(an_unknown_secret_uses_nothing) {
  auto made = an_invitation();
  auto list = std::vector{made.kept};
  for (auto& secret : {std::string{}, std::string(64, '0'), made.token.secret + "0", made.token.secret.substr(1)})
    BOOST_TEST((redeem(list, hash_of_secret(secret), one_key, now_s) == token_verdict::unknown));
  BOOST_TEST((redeem(list, made.token.secret, one_key, now_s) == token_verdict::unknown));
  BOOST_TEST((redeem(list, hash_of_secret(made.token.secret), "", now_s) == token_verdict::unknown));
  BOOST_TEST((list == std::vector{made.kept}));
}

BOOST_AUTO_TEST_CASE(an_invitation_is_bytes_and_back) {
  auto kept = an_invitation().kept;
  kept.used_by = one_key;
  auto bytes = kept.encode();
  BOOST_TEST((invitation::decode(bytes) == kept));
  for (auto size = std::size_t{0}; size < bytes.size(); ++size)
    BOOST_TEST(!invitation::decode(std::string_view{bytes}.substr(0, size)));
  BOOST_TEST(!invitation::decode(bytes + "x"));
  for (auto i = std::size_t{0}; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x80);
    BOOST_TEST((invitation::decode(changed) != kept));
  }
}

BOOST_AUTO_TEST_CASE(an_invitation_needs_a_host_a_port_and_an_authority) {
  BOOST_TEST(!invite("", 1, certificate(), now_s, 1));
  BOOST_TEST(!invite("a b", 1, certificate(), now_s, 1));
  BOOST_TEST(!invite("a", 0, certificate(), now_s, 1));
  BOOST_TEST(!invite("a", 1, "x", now_s, 1));
}

BOOST_AUTO_TEST_SUITE_END()
