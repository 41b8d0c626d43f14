#include "persistence/records.hpp"

#include "tests/persistence/memory_reader.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace std::literals;
using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto romeo = account_place{2, jid::from_prepared("romeo@example.net")};

} // namespace

BOOST_FIXTURE_TEST_SUITE(named_records, memory_reader)

BOOST_AUTO_TEST_CASE(a_record_is_kept_under_its_name) {
  BOOST_TEST(!records::find(*this, romeo, "vcard")->has_value());
  change([](write_set& to) {
    records::put(to, romeo, "vcard", "<vCard/>\0"s);
    records::put(to, romeo, "vcard2", "other");
  });
  BOOST_TEST(**records::find(*this, romeo, "vcard") == "<vCard/>\0"s);
  change([](write_set& to) { records::erase(to, romeo, "vcard"); });
  BOOST_TEST(!records::find(*this, romeo, "vcard")->has_value());
  BOOST_TEST(records::find(*this, romeo, "vcard2")->has_value());
}

BOOST_AUTO_TEST_CASE(an_empty_record_is_a_record) {
  change([](write_set& to) { records::put(to, romeo, "vcard", ""); });
  BOOST_TEST(**records::find(*this, romeo, "vcard") == "");
}

BOOST_AUTO_TEST_CASE(those_with_a_common_prefix_are_loaded_together) {
  change([](write_set& to) {
    records::put(to, romeo, "private:b urn:b", "2");
    records::put(to, romeo, "private:a urn:a", "1");
    records::put(to, romeo, "vcard", "3");
  });
  const auto found = records::load(*this, romeo, "private:");
  BOOST_REQUIRE(found->size() == 2);
  BOOST_TEST((*found)[0].first == "private:a urn:a");
  BOOST_TEST((*found)[0].second == "1");
  BOOST_TEST(records::load(*this, romeo, "")->size() == 3);
}

BOOST_AUTO_TEST_SUITE_END()
