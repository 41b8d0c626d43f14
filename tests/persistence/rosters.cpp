#include "persistence/rosters.hpp"

#include "tests/persistence/memory_reader.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto romeo = account_place{2, jid::from_prepared("romeo@example.net")};

roster_item item(std::string_view contact, std::string name) {
  auto out = roster_item{};
  out.contact = jid::from_prepared(contact);
  out.name = std::move(name);
  return out;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(rosters_in_the_store, memory_reader)

BOOST_AUTO_TEST_CASE(a_roster_is_loaded_whole_and_in_order) {
  BOOST_TEST(rosters::load(*this, romeo)->items.empty());
  change([](write_set& to) {
    rosters::put(to, romeo, item("nurse@example.com", "Nurse"));
    rosters::put(to, romeo, item("juliet@example.com", "Juliet"));
    rosters::put(to, romeo, item("juliet@example.com", "J"));
    rosters::put_version(to, romeo, 3);
  });
  const auto roster = rosters::load(*this, romeo);
  BOOST_REQUIRE(roster.has_value());
  BOOST_TEST(roster->version == 3);
  BOOST_REQUIRE(roster->items.size() == 2);
  BOOST_TEST(roster->items[0].name == "J");
  BOOST_TEST(roster->items[1].name == "Nurse");
}

BOOST_AUTO_TEST_CASE(an_erased_contact_is_gone) {
  change([](write_set& to) {
    rosters::put(to, romeo, item("juliet@example.com", ""));
    rosters::put(to, romeo, item("juliet@example.co", ""));
    rosters::erase(to, romeo, jid::from_prepared("juliet@example.com"));
  });
  const auto roster = rosters::load(*this, romeo);
  BOOST_REQUIRE(roster->items.size() == 1);
  BOOST_TEST(roster->items[0].contact.text() == "juliet@example.co");
}

BOOST_AUTO_TEST_CASE(a_damaged_item_is_an_error) {
  change([](write_set& to) {
    to.put(keys::record_key(2, "romeo@example.net", keys::family::roster_item, "juliet@example.com"), "");
  });
  BOOST_TEST((rosters::load(*this, romeo).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_SUITE_END()
