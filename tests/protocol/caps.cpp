#include "protocol/caps.hpp"

#include "protocol/namespaces.hpp"
#include "tests/fixtures/heap.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace xmpp;

namespace {

xml::builder info() {
  return xml::builder{"query", ns::disco_info};
}

xml::builder& identity(xml::builder& out, std::string_view name, std::string_view lang = {}) {
  return out.open("identity")
      .attribute("category", "client")
      .attribute("type", "pc")
      .attribute("name", name)
      .lang(lang)
      .close();
}

xml::builder& feature(xml::builder& out, std::string_view var) {
  return out.open("feature").attribute("var", var).close();
}

xml::builder& form(xml::builder& out, std::vector<std::string_view> types, std::string_view kind = "hidden") {
  out.open("x", ns::data_forms).attribute("type", "result");
  out.open("field").attribute("var", "FORM_TYPE").attribute("type", kind);
  for (auto x : types)
    out.leaf("value", ns::data_forms, x);
  return out.close();
}

xml::builder& field(xml::builder& out, std::string_view var, std::vector<std::string_view> values) {
  out.open("field").attribute("var", var);
  for (auto x : values)
    out.leaf("value", ns::data_forms, x);
  return out.close();
}

/// The example of 5.2, its features in another order.
element exodus() {
  auto out = info();
  identity(out, "Exodus 0.9.1");
  for (auto* x : {"http://jabber.org/protocol/muc", "http://jabber.org/protocol/caps",
                  "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/disco#info"})
    feature(out, x);
  return out.finish();
}

constexpr auto exodus_ver = "QgayPKawpkPSDYmwT/WM94uAlu0=";

/// The example of 5.3, shuffled.
element psi() {
  auto out = info();
  identity(out, "Psi 0.11", "en");
  identity(out, "\u03a8 0.11", "el");
  for (auto* x : {"http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info",
                  "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/muc"})
    feature(out, x);
  form(out, {"urn:xmpp:dataforms:softwareinfo"});
  field(out, "software", {"Psi"});
  field(out, "ip_version", {"ipv6", "ipv4"});
  field(out, "os_version", {"10.5.1"});
  field(out, "os", {"Mac"});
  field(out, "software_version", {"0.11"});
  return out.finish();
}

element with_feature(std::string_view var) {
  auto out = info();
  identity(out, "A");
  return feature(out, var).finish();
}

bool is_ill_formed(xml::builder& out) {
  return verification_string(out.finish()).code() == errc::bad_request;
}

} // namespace

BOOST_AUTO_TEST_SUITE(capabilities) // XEP-0115

BOOST_AUTO_TEST_CASE(the_simple_example_has_its_hash) { // 5.2
  BOOST_TEST(*verification_string(exodus()) ==
             "client/pc//Exodus 0.9.1<http://jabber.org/protocol/caps<http://jabber.org/protocol/disco#info<"
             "http://jabber.org/protocol/disco#items<http://jabber.org/protocol/muc<");
  BOOST_TEST(*caps_ver(exodus()) == exodus_ver);
}

BOOST_AUTO_TEST_CASE(the_complex_example_has_its_hash) { // 5.3
  BOOST_TEST(*caps_ver(psi()) == "q07IKJEyjvHSyhy//CH0CxmKi8w=");
}

BOOST_AUTO_TEST_CASE(what_a_hash_stands_for_is_verified) { // 5.4
  BOOST_TEST((verify_caps(exodus(), "sha-1", exodus_ver).code() == errc::none));
  BOOST_TEST((verify_caps(psi(), "sha-1", exodus_ver).code() == errc::not_acceptable));
  BOOST_TEST((verify_caps(exodus(), "sha-256", exodus_ver).code() == errc::feature_not_implemented));
}

BOOST_AUTO_TEST_CASE(whatever_is_there_twice_is_ill_formed) { // 5.4, steps 3.3 to 3.5
  auto identities = info();
  identity(identity(identities, "A", "en"), "A", "en");
  BOOST_TEST(is_ill_formed(identities));
  auto features = info();
  feature(feature(features, "urn:a"), "urn:a");
  BOOST_TEST(is_ill_formed(features));
  auto forms = info();
  form(forms, {"urn:a"}).close();
  form(forms, {"urn:a"});
  BOOST_TEST(is_ill_formed(forms));
  auto types = info();
  form(types, {"urn:a", "urn:b"});
  BOOST_TEST(is_ill_formed(types));
}

BOOST_AUTO_TEST_CASE(the_same_name_in_two_languages_is_well_formed) {
  auto out = info();
  identity(identity(out, "A", "en"), "A", "de");
  BOOST_TEST(!is_ill_formed(out));
}

BOOST_AUTO_TEST_CASE(a_form_has_one_type) { // 5.4, step 3.5
  auto out = info();
  form(out, {"urn:a"}).open("field").attribute("var", "FORM_TYPE").attribute("type", "hidden");
  out.leaf("value", ns::data_forms, "urn:b");
  BOOST_TEST(is_ill_formed(out));
}

BOOST_AUTO_TEST_CASE(a_form_type_may_be_given_twice_alike) {
  auto out = info();
  form(out, {"urn:a", "urn:a"});
  BOOST_TEST(*verification_string(out.finish()) == "urn:a<");
}

BOOST_AUTO_TEST_CASE(a_form_without_a_hidden_type_does_not_count) { // 5.4, step 3.6
  auto visible = info();
  field(form(visible, {"urn:a"}, "text-single"), "b", {"c"});
  BOOST_TEST(*verification_string(visible.finish()) == "");
  auto untyped = info();
  field(untyped.open("x", ns::data_forms), "b", {"c"});
  BOOST_TEST(*verification_string(untyped.finish()) == "");
}

BOOST_AUTO_TEST_CASE(a_separator_cannot_be_smuggled_in) {
  auto honest = info();
  feature(feature(honest, "urn:a"), "urn:b");
  auto ver = *caps_ver(honest.finish());
  BOOST_TEST((verify_caps(with_feature("urn:a<urn:b"), "sha-1", ver).code() == errc::bad_request));
  auto named = info();
  identity(named, "A<urn:a");
  BOOST_TEST(is_ill_formed(named));
  auto valued = info();
  field(form(valued, {"urn:a"}), "b", {"c<d"});
  BOOST_TEST(is_ill_formed(valued));
}

BOOST_AUTO_TEST_CASE(endless_features_are_refused) {
  auto out = info();
  for (auto i = 0; i <= 1'000; ++i)
    feature(out, "urn:" + std::to_string(i));
  BOOST_TEST(is_ill_formed(out));
}

BOOST_AUTO_TEST_CASE(caps_are_read_from_a_presence) {
  auto tree = xml::builder{"presence", ns::client}.child(caps_element("urn:example", exodus())).finish();
  auto found = caps_of({tree, {}, {}});
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(found->hash == "sha-1");
  BOOST_TEST(found->node == "urn:example");
  BOOST_TEST(found->ver == exodus_ver);
}

BOOST_AUTO_TEST_CASE(a_version_without_a_hash_says_nothing) { // the format before 1.4
  auto tree = xml::builder{"presence", ns::client}.open("c", ns::caps).attribute("ver", "0.9").finish();
  BOOST_TEST(!caps_of({tree, {}, {}}).has_value());
  BOOST_TEST(!caps_of({xml::builder{"presence", ns::client}.finish(), {}, {}}).has_value());
}

BOOST_AUTO_TEST_CASE(the_cache_knows_what_was_verified) {
  auto cache = caps_cache{};
  BOOST_TEST(!cache.find(exodus_ver));
  BOOST_REQUIRE(cache.add(exodus(), "sha-1", exodus_ver).has_value());
  auto known = cache.find(exodus_ver);
  BOOST_REQUIRE(known != nullptr);
  BOOST_TEST(known->size() == 4u);
  BOOST_TEST(known->front() == "http://jabber.org/protocol/caps");
}

BOOST_AUTO_TEST_CASE(the_cache_cannot_be_poisoned) { // 9.3
  auto cache = caps_cache{};
  BOOST_TEST((cache.add(with_feature("urn:evil"), "sha-1", exodus_ver).code() == errc::not_acceptable));
  BOOST_TEST((cache.add(with_feature("urn:evil"), "md5", exodus_ver).code() == errc::feature_not_implemented));
  BOOST_TEST(cache.size() == 0u);
  BOOST_REQUIRE(cache.add(exodus(), "sha-1", exodus_ver).has_value());
  BOOST_TEST(!cache.add(with_feature("urn:evil"), "sha-1", exodus_ver).has_value());
  BOOST_TEST(cache.find(exodus_ver)->size() == 4u);
}

BOOST_AUTO_TEST_CASE(the_cache_forgets_what_was_not_used) {
  auto a = with_feature("urn:a"), b = with_feature("urn:b"), c = with_feature("urn:c");
  auto one = caps_cache{};
  BOOST_REQUIRE(one.add(a, "sha-1", *caps_ver(a)).has_value());
  auto cache = caps_cache{2 * one.bytes()};
  for (auto* x : {&a, &b})
    BOOST_REQUIRE(cache.add(*x, "sha-1", *caps_ver(*x)).has_value());
  BOOST_TEST(bool(cache.find(*caps_ver(a)))); // now b is the oldest
  BOOST_REQUIRE(cache.add(c, "sha-1", *caps_ver(c)).has_value());
  BOOST_TEST(cache.size() == 2u);
  BOOST_TEST(bool(cache.find(*caps_ver(a))));
  BOOST_TEST(!cache.find(*caps_ver(b)));
  BOOST_TEST(bool(cache.find(*caps_ver(c))));
  BOOST_TEST(cache.bytes() == 2 * one.bytes());
}

/// As many features of so many bytes each; `which` makes them another answer.
element with_features(int count, std::size_t bytes, int which) {
  auto out = info();
  for (auto i = 0; i < count; ++i) {
    auto var = std::to_string(which) + ' ' + std::to_string(i);
    feature(out, var.append(bytes - std::min(bytes, var.size()), 'x'));
  }
  return out.finish();
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_too_large_is_not_kept) {
  auto cache = caps_cache{};
  for (auto& x : {with_features(1, caps_cache::entry_bytes_max, 0), with_features(1'000, 9, 0)}) {
    BOOST_TEST((cache.add(x, "sha-1", *caps_ver(x)).code() == errc::resource_constraint));
    BOOST_TEST(!cache.find(*caps_ver(x)));
  }
  BOOST_TEST(cache.bytes() == 0u);
  auto busy = with_features(120, 60, 0); // more than any client we know of
  BOOST_TEST(bool(cache.add(busy, "sha-1", *caps_ver(busy))));
}

BOOST_AUTO_TEST_CASE(the_cache_needs_little_memory_whatever_it_is_told) {
  auto cache = caps_cache{};
  auto before = test::heap_bytes();
  for (auto i = 0; i < 2'000; ++i) {
    auto x = i % 2 ? with_features(1, 15'000, i) : with_features(130, 60, i);
    BOOST_REQUIRE(cache.add(x, "sha-1", *caps_ver(x)).has_value());
  }
  BOOST_TEST(cache.bytes() <= 4u * 1024 * 1024);
  BOOST_TEST(cache.bytes() > 3u * 1024 * 1024);
  BOOST_TEST(test::heap_bytes() < before + 5u * 1024 * 1024);
}

BOOST_AUTO_TEST_SUITE_END()
