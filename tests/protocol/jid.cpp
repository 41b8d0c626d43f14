#include "protocol/jid.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <unordered_set>

using xmpp::errc;
using xmpp::jid;
using namespace std::literals;

namespace {

/// The prepared address, or the condition's name.
std::string prepared(std::string_view text) {
  auto x = jid::parse(text);
  return x ? std::string{x->text()} : std::string{condition_name(x.code())};
}

std::string local(std::string_view text) {
  auto x = xmpp::prepare_local(text);
  return x ? *x : "refused";
}

std::string domain(std::string_view text) {
  auto x = xmpp::prepare_domain(text);
  return x ? *x : "refused";
}

std::string resource(std::string_view text) {
  auto x = xmpp::prepare_resource(text);
  return x ? *x : "refused";
}

constexpr auto malformed = "jid-malformed";

std::string times(std::size_t count, std::string_view text) {
  auto all = std::string{};
  for (std::size_t i = 0; i < count; ++i)
    all += text;
  return all;
}

/// Labels of at most 63 bytes, `bytes` in all.
std::string long_domain(std::size_t bytes) {
  auto all = std::string{};
  while (all.size() < bytes)
    all += all.size() % 64 == 63 && all.size() + 1 < bytes ? '.' : 'a';
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(jid_)

// -- structure (RFC 7622, 3.1) --

BOOST_AUTO_TEST_CASE(the_parts_of_an_address_are_found) {
  const auto x = *jid::parse("juliet@example.com/balcony");
  BOOST_TEST(x.local() == "juliet");
  BOOST_TEST(x.domain() == "example.com");
  BOOST_TEST(x.resource() == "balcony");
  BOOST_TEST(x.bare_text() == "juliet@example.com");
  BOOST_TEST(x.text() == "juliet@example.com/balcony");
  BOOST_TEST(x.is_full());
  BOOST_TEST(!x.is_bare());
  BOOST_TEST(x.has_local());
}

BOOST_AUTO_TEST_CASE(a_domain_alone_is_a_bare_address) {
  const auto x = *jid::parse("example.com");
  BOOST_TEST(x.local().empty());
  BOOST_TEST(x.resource().empty());
  BOOST_TEST(x.bare_text() == "example.com");
  BOOST_TEST(x.is_bare());
  BOOST_TEST(!x.has_local());
}

BOOST_AUTO_TEST_CASE(everything_after_the_first_slash_is_the_resource) {
  BOOST_TEST(jid::parse("juliet@example.com/foo/bar@baz")->resource() == "foo/bar@baz");
  BOOST_TEST(jid::parse("example.com/a@b")->domain() == "example.com");
  BOOST_TEST(jid::parse("example.com//")->resource() == "/");
}

BOOST_AUTO_TEST_CASE(a_second_at_sign_before_the_slash_is_refused) {
  BOOST_TEST(prepared("juliet@romeo@example.com") == malformed);
}

BOOST_AUTO_TEST_CASE(an_empty_part_is_refused) {
  for (auto text : {"", "@", "/", "@example.com", "juliet@", "juliet@/balcony", "example.com/", "/balcony", "a@b/"})
    BOOST_TEST(prepared(text) == malformed, text);
}

BOOST_AUTO_TEST_CASE(the_examples_of_rfc_7622_table_1_are_accepted) {
  BOOST_TEST(prepared("juliet@example.com") == "juliet@example.com");
  BOOST_TEST(prepared("juliet@example.com/foo") == "juliet@example.com/foo");
  BOOST_TEST(prepared("juliet@example.com/foo bar") == "juliet@example.com/foo bar");
  BOOST_TEST(prepared("juliet@example.com/foo@bar") == "juliet@example.com/foo@bar");
  BOOST_TEST(prepared("foo\\20bar@example.com") == "foo\\20bar@example.com");
  BOOST_TEST(prepared("fussball@example.com") == "fussball@example.com");
  BOOST_TEST(prepared("fußball@example.com") == "fußball@example.com");
  BOOST_TEST(prepared("π@example.com") == "π@example.com");
  BOOST_TEST(prepared("Σ@example.com/foo") == "σ@example.com/foo");
  BOOST_TEST(prepared("σ@example.com/foo") == "σ@example.com/foo");
  BOOST_TEST(prepared("ς@example.com/foo") == "ς@example.com/foo");
  BOOST_TEST(prepared("king@example.com/♚") == "king@example.com/♚");
  BOOST_TEST(prepared("example.com") == "example.com");
  BOOST_TEST(prepared("example.com/foobar") == "example.com/foobar");
  BOOST_TEST(prepared("a.example.com/b@example.net") == "a.example.com/b@example.net");
}

BOOST_AUTO_TEST_CASE(the_examples_of_rfc_7622_table_2_are_refused) {
  for (auto text : {"\"juliet\"@example.com", "foo bar@example.com", "juliet@example.com/", "@example.com/",
                    "henryⅣ@example.com", "♚@example.com", "juliet@", "/foobar"})
    BOOST_TEST(prepared(text) == malformed, text);
}

// -- localpart (RFC 7622, 3.3) --

BOOST_AUTO_TEST_CASE(a_localpart_is_lower_case_and_composed) {
  BOOST_TEST(local("JULIET") == "juliet");
  BOOST_TEST(local("Jos\u0065\u0301") == "jos\u00e9");
  BOOST_TEST(local("ÉRIC") == "éric");
  BOOST_TEST(local("ΌΣΟΣ") == "όσος"); // the last capital sigma becomes a final one
  BOOST_TEST(local("ＪＵＬＩＥＴ") == "juliet");
  BOOST_TEST(local("ｱｲｳ") == "アイウ");
}

BOOST_AUTO_TEST_CASE(the_excluded_characters_are_refused_in_a_localpart_in_every_width) {
  for (auto c : {"\"", "&", "'", "/", ":", "<", ">", "@", " ", "\t", "\x7f"})
    BOOST_TEST(local("a"s + c) == "refused", c);
  for (auto c : {"＂", "＆", "＇", "／", "：", "＜", "＞", "＠"})
    BOOST_TEST(local("a"s + c) == "refused", c);
}

BOOST_AUTO_TEST_CASE(escapes_of_xep_0106_pass_unharmed) {
  for (auto text : {"space\\20cadet", "call\\3ame\\20\\22ishmael\\22", "\\2plus\\2is\\4", "c\\3a\\5ccool\\20stuff",
                    "here\\27s_a_wild_\\26_\\2fcr%zy\\2f_address"})
    BOOST_TEST(local(text) == text);
}

BOOST_AUTO_TEST_CASE(code_points_outside_the_identifier_class_are_refused) {
  for (auto text :
       {"\u00a0", "\u2000",     "\u00ad", "\u200b", "\u2060", "\u0000"sv.data(), "\u0085", "\u2028", "\ufeff",
        "\u2122", "\u212b",     "\ufb01", "\u00b2", "\u01c5", "\u2163",          "\u1100", "\u1160", "\ufffd",
        "\ufdd0", "\U0001f600", "\u20ac", "\u2014", "\ue000", "\u0378",          "\u0640", "\u302e", "\u3031"})
    BOOST_TEST(local("a"s + text + "a") == (*text ? "refused" : "aa"), text);
}

BOOST_AUTO_TEST_CASE(exceptions_are_accepted) { // RFC 5892, 2.6
  for (auto text : {"ß", "ς", "\u06fd", "\u06fe", "\u3007"})
    BOOST_TEST(local(text) == text);
  BOOST_TEST(local("\u0f0b") == "\u0f0b");
}

BOOST_AUTO_TEST_CASE(code_points_with_a_context_are_accepted_only_there) { // RFC 5892, appendix A
  BOOST_TEST(local("l·l") == "l·l");
  BOOST_TEST(local("a·l") == "refused");
  BOOST_TEST(local("l·") == "refused");
  BOOST_TEST(local("\u0375\u03b1") == "\u0375\u03b1");
  BOOST_TEST(local("\u0375a") == "refused");
  BOOST_TEST(local("\u0375") == "refused");
  BOOST_TEST(local("\u05d0\u05f3") == "\u05d0\u05f3");
  BOOST_TEST(local("a\u05f4") == "refused");
  BOOST_TEST(local("\u30fb\u30a2") == "\u30fb\u30a2");
  BOOST_TEST(local("a\u30fb") == "refused");
  BOOST_TEST(local("\u0628\u0661") == "\u0628\u0661");
  BOOST_TEST(local("\u0628\u0661\u06f1") == "refused");
  BOOST_TEST(local("\u0628\u06f1") == "\u0628\u06f1");
  BOOST_TEST(local("\u0915\u094d\u200d") == "\u0915\u094d\u200d"); // after a virama
  BOOST_TEST(local("a\u200d") == "refused");
  BOOST_TEST(local("\u0915\u094d\u200c\u0937") == "\u0915\u094d\u200c\u0937");
  BOOST_TEST(local("\u0628\u200c\u0628") == "\u0628\u200c\u0628"); // between letters that join
  BOOST_TEST(local("\u0628\u064e\u200c\u064e\u0628") == "\u0628\u064e\u200c\u064e\u0628");
  BOOST_TEST(local("\u0627\u200c\u0628") == "refused"); // alef joins to the right only
  BOOST_TEST(local("\u0628\u200c") == "refused");
  BOOST_TEST(local("a\u200cb") == "refused");
}

BOOST_AUTO_TEST_CASE(right_to_left_text_follows_the_bidi_rule) { // RFC 5893, 2
  BOOST_TEST(local("שלום") == "שלום");
  BOOST_TEST(local("שלום1") == "שלום1");
  BOOST_TEST(local("1שלום") == "refused");
  BOOST_TEST(local("aשלום") == "refused");
  BOOST_TEST(local("שלוםa") == "refused");
  BOOST_TEST(local("שלום-") == "refused");
  BOOST_TEST(local("\u0628\u0661"
                   "1") == "refused");      // both kinds of numbers
  BOOST_TEST(local("\u0661") == "refused"); // no letter begins it
}

// -- domainpart (RFC 7622, 3.2) --

BOOST_AUTO_TEST_CASE(a_domainpart_is_lower_case_u_labels) {
  BOOST_TEST(domain("EXAMPLE.com") == "example.com");
  BOOST_TEST(domain("BÜCHER.example") == "bücher.example");
  BOOST_TEST(domain("xn--bcher-kva.example") == "bücher.example");
  BOOST_TEST(domain("XN--BCHER-KVA.EXAMPLE") == "bücher.example");
  BOOST_TEST(domain("bu\u0308cher.example") == "bücher.example");
  BOOST_TEST(domain("faß.example") == "faß.example"); // not transitional
  BOOST_TEST(domain("ｅｘａｍｐｌｅ.com") == "example.com");
  BOOST_TEST(domain("例え。テスト") == "例え.テスト");
}

BOOST_AUTO_TEST_CASE(one_trailing_dot_is_stripped) {
  BOOST_TEST(domain("example.com.") == "example.com");
  BOOST_TEST(domain("EXAMPLE.com.") == "example.com");
  BOOST_TEST(domain("例え。") == "例え");
  BOOST_TEST(domain("[::1].") == "refused");
  for (auto text : {".", "..", "example.com..", ".example.com", "a..b", "例え。。", "例え.。"})
    BOOST_TEST(domain(text) == "refused", text);
}

BOOST_AUTO_TEST_CASE(labels_follow_idna_2008) {
  for (auto text : {"-a.example", "a-.example", "ab--cd.example", "xn--a.example", "xn--.example", "a_b.example",
                    "a b.example", "☃.example", "\U0001f600.example", "\u0301a.example", "a\u200db.example",
                    "a·b.example", "xn--n3h.example", "aא.example", "a@b", "a%b", "a＠b", "a／b", "xn--abc-"})
    BOOST_TEST(domain(text) == "refused", text);
  BOOST_TEST(domain("localhost") == "localhost");
  BOOST_TEST(domain("a1-b.2") == "a1-b.2");
  BOOST_TEST(domain("אב.example") == "אב.example");
  BOOST_TEST(domain("l·l.example") == "l·l.example");
}

BOOST_AUTO_TEST_CASE(what_idna_2008_disallows_is_not_mapped_away) { // RFC 5892; UTS 46 would
  for (auto text : {"loc\u00adalhost", "a\u200bb.example", "a\ufe0fb.example", "㏕.example", "①.example", "ﬁ.example",
                    "™.example", "𝓁ocalhost", "a⒈com", "ǅ.example", "x².example", "xn--\u00adbcher-kva.example"})
    BOOST_TEST(domain(text) == "refused", text);
}

BOOST_AUTO_TEST_CASE(case_width_and_composition_do_not_count_in_a_domainpart) { // RFC 5895, 2
  BOOST_TEST(domain("ΌΣΟΣ.example") == "όσοσ.example");
  BOOST_TEST(domain("όσος.example") == "όσος.example");
  BOOST_TEST(domain("STRAẞE.example") == "straße.example");
  BOOST_TEST(domain("ＢÜＣＨＥＲ．Example｡com") == "bücher.example.com");
  BOOST_TEST(domain("ﾊﾞﾗ.example") == "バラ.example");
  BOOST_TEST(domain("\u13a0\u13a1.example") == "\u13a0\u13a1.example"); // of Cherokee the capitals are valid
  BOOST_TEST(domain("\u0915\u094d\u200d\u0937.example") == "\u0915\u094d\u200d\u0937.example");
}

BOOST_AUTO_TEST_CASE(ip_literals_are_accepted_in_one_form) {
  BOOST_TEST(domain("127.0.0.1") == "127.0.0.1");
  BOOST_TEST(domain("[::1]") == "[::1]");
  BOOST_TEST(domain("[2001:DB8:0:0::1]") == "[2001:db8::1]");
  BOOST_TEST(prepared("juliet@[::1]/balcony") == "juliet@[::1]/balcony");
  for (auto text : {"[]", "[::1", "::1", "[127.0.0.1]", "[::g]", "[fe80::1%eth0]", "[::1]a", "[v1.a]"})
    BOOST_TEST(domain(text) == "refused", text);
  BOOST_TEST(domain("[::1\0]"sv) == "refused");
}

// -- resourcepart (RFC 7622, 3.4) --

BOOST_AUTO_TEST_CASE(a_resourcepart_keeps_its_case_and_its_spaces) {
  BOOST_TEST(resource("Foo Bar") == "Foo Bar");
  BOOST_TEST(resource(" ") == " ");
  BOOST_TEST(resource("foo\u3000bar\u00a0") == "foo bar ");
  BOOST_TEST(resource("e\u0301") == "\u00e9");
  BOOST_TEST(resource("Ａ") == "Ａ"); // width is kept
  BOOST_TEST(resource("\U0001f600 Ⅳ") == "\U0001f600 Ⅳ");
}

BOOST_AUTO_TEST_CASE(controls_and_invisible_code_points_are_refused_in_a_resourcepart) {
  for (auto text :
       {"\t", "\n", "a\x7f", "\u0080", "\u00ad", "\u200b", "\u2028", "\ufeff", "\ufdd0", "\u1100", "\ue000"})
    BOOST_TEST(resource(text) == "refused", text);
  BOOST_TEST(resource("a\0b"sv) == "refused");
}

// -- all parts --

BOOST_AUTO_TEST_CASE(a_part_has_at_most_1023_bytes_after_preparation) {
  BOOST_TEST(local(times(1'023, "a")).size() == 1'023);
  BOOST_TEST(local(times(1'024, "a")) == "refused");
  BOOST_TEST(resource(times(1'023, "A")).size() == 1'023);
  BOOST_TEST(resource(times(1'024, "A")) == "refused");
  BOOST_TEST(local(times(511, "é") + "a").size() == 1'023);
  BOOST_TEST(local(times(512, "é")) == "refused");
  BOOST_TEST(local(times(511, "e\u0301") + "a").size() == 1'023); // 1'534 bytes as written
  BOOST_TEST(local(times(1'023, "Ａ")).size() == 1'023);
  BOOST_TEST(resource(times(341, "♚")).size() == 1'023);
  BOOST_TEST(resource(times(342, "♚")) == "refused");
  BOOST_TEST(domain(long_domain(1'023)).size() == 1'023);
  BOOST_TEST(domain(long_domain(1'024)) == "refused");
  BOOST_TEST(local(std::string(1'000'000, 'A')) == "refused");
}

BOOST_AUTO_TEST_CASE(a_label_has_at_most_63_bytes) {
  BOOST_TEST(domain(times(63, "a") + ".b") == times(63, "a") + ".b");
  BOOST_TEST(domain(times(64, "a") + ".b") == "refused");
  BOOST_TEST(domain(times(60, "é") + ".b") == "refused"); // as an A-label it is longer
}

BOOST_AUTO_TEST_CASE(invalid_utf_8_is_refused) {
  for (auto text : {"\xff", "a\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    BOOST_TEST(local(text) == "refused");
    BOOST_TEST(domain(text) == "refused");
    BOOST_TEST(resource(text) == "refused");
  }
}

BOOST_AUTO_TEST_CASE(what_was_prepared_is_its_own_prepared_form) {
  for (auto text : {"JULIET@EXAMPLE.com./Balcony", "ΌΣΟΣ@BÜCHER.example/e\u0301 \u00a0", "ＪＵ@xn--bcher-kva.de/Ａ",
                    "\u0130@example.com", "שלום@אב.example/x"}) {
    const auto once = prepared(text);
    BOOST_TEST(once != malformed, text);
    BOOST_TEST(prepared(once) == once);
  }
}

BOOST_AUTO_TEST_CASE(make_joins_what_parse_splits) {
  BOOST_TEST((*jid::make("Juliet", "Example.com", "A/b@c") == *jid::parse("juliet@example.com/A/b@c")));
  BOOST_TEST(jid::make("", "example.com")->text() == "example.com");
  BOOST_TEST(jid::make("", "example.com", "x")->text() == "example.com/x");
  BOOST_TEST((jid::make("a@b", "example.com").code() == errc::jid_malformed));
  BOOST_TEST((jid::make("a", "").code() == errc::jid_malformed));
  BOOST_TEST((jid::make("a", "b/c").code() == errc::jid_malformed));
}

// -- the value --

BOOST_AUTO_TEST_CASE(the_default_is_no_address) {
  const auto none = jid{};
  BOOST_TEST(none.empty());
  BOOST_TEST(none.text().empty());
  BOOST_TEST(none.local().empty());
  BOOST_TEST(none.domain().empty());
  BOOST_TEST(none.resource().empty());
  BOOST_TEST(none.bare_text().empty());
  BOOST_TEST(!none.is_bare());
  BOOST_TEST(!none.is_full());
  BOOST_TEST((none.bare() == none));
  BOOST_TEST(none.with_resource("x").empty());
  BOOST_TEST(jid::from_prepared("").empty());
}

BOOST_AUTO_TEST_CASE(stored_text_comes_back_as_the_same_address) {
  for (auto text : {"example.com", "a@b", "a@b/c@d/e", "b/c"}) {
    const auto x = jid::from_prepared(text);
    BOOST_TEST(x.text() == text);
    BOOST_TEST((x == *jid::parse(text)));
    BOOST_TEST(x.resource() == jid::parse(text)->resource());
  }
}

BOOST_AUTO_TEST_CASE(bare_drops_and_with_resource_replaces_the_resource) {
  const auto full = *jid::parse("juliet@example.com/balcony");
  BOOST_TEST(full.bare().text() == "juliet@example.com");
  BOOST_TEST(full.bare().bare().text() == "juliet@example.com");
  BOOST_TEST(full.with_resource("x").text() == "juliet@example.com/x");
  BOOST_TEST(full.bare().with_resource("y").resource() == "y");
  BOOST_TEST(full.with_resource("").text() == "juliet@example.com");
}

BOOST_AUTO_TEST_CASE(copies_share_and_compare_equal) {
  auto a = *jid::parse("juliet@example.com/balcony");
  auto b = a;
  BOOST_TEST((a.text().data() == b.text().data()));
  auto c = std::move(b);
  BOOST_TEST(b.empty()); // NOLINT: what a moved-from address is
  a = c;
  c = jid{};
  BOOST_TEST(a.text() == "juliet@example.com/balcony");
  BOOST_TEST((*jid::parse("A@b") == *jid::parse("a@B")));
  BOOST_TEST((*jid::parse("a@b/X") != *jid::parse("a@b/x")));
  BOOST_TEST((*jid::parse("a@b") < *jid::parse("a@c")));
  auto set = std::unordered_set<jid>{*jid::parse("a@b"), *jid::parse("A@B")};
  BOOST_TEST(set.size() == 1u);
}

// -- passwords (RFC 4013) --

BOOST_AUTO_TEST_CASE(a_password_keeps_its_case_and_maps_its_spaces) {
  BOOST_TEST(*xmpp::prepare_password("Correct Horse Battery Staple") == "Correct Horse Battery Staple");
  BOOST_TEST(*xmpp::prepare_password("π\u1680ß\u00e5") == "π ß\u00e5");
  BOOST_TEST((xmpp::prepare_password("").code() == errc::not_acceptable));
  BOOST_TEST((xmpp::prepare_password("my cat is a \tby").code() == errc::not_acceptable));
}

BOOST_AUTO_TEST_CASE(a_password_is_prepared_as_clients_do_it_for_scram) { // RFC 4013, 3
  BOOST_TEST(*xmpp::prepare_password("I\u00adX") == "IX");
  BOOST_TEST(*xmpp::prepare_password("user") == "user");
  BOOST_TEST(*xmpp::prepare_password("USER") == "USER");
  BOOST_TEST(*xmpp::prepare_password("\u00aa") == "a");
  BOOST_TEST(*xmpp::prepare_password("\u2168") == "IX");
  BOOST_TEST((xmpp::prepare_password("\a").code() == errc::not_acceptable));
  BOOST_TEST((xmpp::prepare_password("\u06271").code() == errc::not_acceptable));
  BOOST_TEST(*xmpp::prepare_password("\uff50\uff41\uff53\uff53\uff11") == "pass1");
  BOOST_TEST(*xmpp::prepare_password("m\u00b2m") == "m2m");
  BOOST_TEST((xmpp::prepare_password("\u00ad").code() == errc::not_acceptable)); // nothing is left
  BOOST_TEST((xmpp::prepare_password("\xff").code() == errc::not_acceptable));
}

BOOST_AUTO_TEST_CASE(a_password_has_at_most_1023_bytes) {
  auto bytes = [](std::size_t n) { return std::string(n - 2, 'a') + "\u00e5"; };
  BOOST_TEST(*xmpp::prepare_password(bytes(1'023)) == bytes(1'023));
  BOOST_TEST((xmpp::prepare_password(bytes(1'024)).code() == errc::not_acceptable));
  auto ligatures = std::string{}; // of which one becomes eighteen letters
  for (auto i = 0; i < 300; ++i)
    ligatures += "\ufdfa";
  BOOST_TEST((xmpp::prepare_password(ligatures).code() == errc::not_acceptable));
}

BOOST_AUTO_TEST_CASE(what_unicode_3_2_did_not_know_stays_in_a_password_as_it_is) {
  BOOST_TEST(*xmpp::prepare_password("\u1e9e") == "\u1e9e"); // since Unicode 5.1
  BOOST_TEST(*xmpp::prepare_password("\U0001f600") == "\U0001f600");
}

BOOST_AUTO_TEST_SUITE_END()
