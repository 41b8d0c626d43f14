#include "persistence/accounts.hpp"

#include "persistence/blocks.hpp"
#include "persistence/records.hpp"
#include "persistence/rosters.hpp"
#include "persistence/subscriptions.hpp"
#include "tests/persistence/memory_reader.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto romeo = account_place{2, jid::from_prepared("romeo@example.net")};
const auto juliet = jid::from_prepared("juliet@example.com");

account_record some_account() {
  return {1'700'000'000'000, false, "credentials"};
}

roster_item item(std::string_view contact) {
  auto out = roster_item{};
  out.contact = jid::from_prepared(contact);
  return out;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(accounts_in_the_store, memory_reader)

BOOST_AUTO_TEST_CASE(an_account_is_found_by_its_bare_jid) {
  BOOST_TEST(!*accounts::exists(*this, romeo));
  BOOST_TEST(!accounts::find(*this, romeo)->has_value());
  change([](write_set& to) { accounts::put(to, romeo, some_account()); });
  BOOST_TEST(*accounts::exists(*this, romeo));
  BOOST_TEST((**accounts::find(*this, romeo) == some_account()));
  const auto with_resource = account_place{2, jid::from_prepared("romeo@example.net/orchard")};
  BOOST_TEST(*accounts::exists(*this, with_resource));
  BOOST_TEST(!*accounts::exists(*this, {2, jid::from_prepared("rome@example.net")}));
}

BOOST_AUTO_TEST_CASE(one_read_gives_all_small_records_of_a_user) {
  change([](write_set& to) {
    accounts::put(to, romeo, some_account());
    accounts::put_last_activity(to, romeo, {42, "gone"});
    accounts::put_setting(to, romeo, "carbons", "on");
    rosters::put_version(to, romeo, 17);
    rosters::put(to, romeo, item("nurse@example.com"));
    rosters::put(to, romeo, item("juliet@example.com"));
    subscriptions::put(to, romeo, {juliet, 5, "<presence/>"});
    blocks::put(to, romeo, jid::from_prepared("tybalt@example.com/sword"));
    auto summary = offline_summary{};
    offline::append(to, romeo, {1, 1}, {juliet, romeo.account, 1, 0, "<message/>"}, summary);
    records::put(to, romeo, "vcard", std::string(1'000, 'x'));
    accounts::put(to, {2, jid::from_prepared("romeo@example.nets")}, some_account());
    rosters::put(to, {2, jid::from_prepared("rome@example.net")}, item("x@y"));
  });
  const auto user = load_user(*this, romeo);
  BOOST_REQUIRE(user.has_value());
  BOOST_TEST(scans == 1);
  BOOST_TEST(gets == 0);
  BOOST_TEST(visited == 9); // nothing of the large ones, nothing of others
  BOOST_TEST((*user->account == some_account()));
  BOOST_TEST((*user->last_activity == last_activity_record{42, "gone"}));
  BOOST_TEST(user->settings.size() == 1);
  BOOST_TEST(user->settings[0].second == "on");
  BOOST_TEST(user->roster.version == 17);
  BOOST_REQUIRE(user->roster.items.size() == 2);
  BOOST_TEST(user->roster.items[0].contact.text() == "juliet@example.com");
  BOOST_REQUIRE(user->roster.pending.size() == 1);
  BOOST_TEST(user->roster.pending[0].contact.text() == "juliet@example.com");
  BOOST_REQUIRE(user->blocks.size() == 1);
  BOOST_TEST(user->blocks[0].text() == "tybalt@example.com/sword");
  BOOST_TEST(user->offline.messages == 1);
}

BOOST_AUTO_TEST_CASE(without_an_account_there_is_no_user) {
  change([](write_set& to) { rosters::put(to, romeo, item("juliet@example.com")); });
  const auto user = load_user(*this, romeo);
  BOOST_REQUIRE(user.has_value());
  BOOST_TEST(!user->account);
  BOOST_TEST(user->roster.items.empty());
}

BOOST_AUTO_TEST_CASE(a_damaged_record_is_reported_with_its_account) {
  change([](write_set& to) {
    accounts::put(to, romeo, some_account());
    to.put(keys::record_key(2, "romeo@example.net", keys::family::roster_item, "juliet@example.com"), "\x01");
  });
  const auto user = load_user(*this, romeo);
  BOOST_TEST((user.code() == errc::corrupt_record));
  BOOST_TEST(user.error().text == "roster_item of romeo@example.net");
  change([](write_set& to) {
    to.erase_prefix(keys::family_prefix(2, "romeo@example.net", keys::family::roster_item));
    to.put(keys::record_key(2, "romeo@example.net", keys::family::block, ""), "\x01");
  });
  BOOST_TEST((load_user(*this, romeo).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(a_family_of_a_later_release_is_passed_over) {
  change([](write_set& to) {
    accounts::put(to, romeo, some_account());
    to.put(keys::record_key(2, "romeo@example.net", static_cast<keys::family>('Z'), "x"), "\x09");
  });
  BOOST_TEST(load_user(*this, romeo)->account.has_value());
}

BOOST_AUTO_TEST_CASE(a_read_that_would_block_says_so) {
  failure = errc::would_block;
  BOOST_TEST((load_user(*this, romeo).code() == errc::would_block));
  BOOST_TEST((accounts::find(*this, romeo).code() == errc::would_block));
  BOOST_TEST((accounts::exists(*this, romeo).code() == errc::would_block));
  BOOST_TEST((rosters::load(*this, romeo).code() == errc::would_block));
  BOOST_TEST((offline::load(*this, romeo, {}, 1).code() == errc::would_block));
  BOOST_TEST((records::find(*this, romeo, "vcard").code() == errc::would_block));
  BOOST_TEST((records::load(*this, romeo, "private:").code() == errc::would_block));
  BOOST_TEST((accounts::list(*this, 2, "example.net", "", 1).code() == errc::would_block));
}

BOOST_AUTO_TEST_CASE(nothing_is_left_of_an_erased_account) {
  const auto neighbour = account_place{2, jid::from_prepared("romeo@example.ne")};
  change([&](write_set& to) {
    accounts::put(to, romeo, some_account());
    rosters::put(to, romeo, item("juliet@example.com"));
    records::put(to, romeo, "vcard", "x");
    accounts::put(to, neighbour, some_account());
  });
  change([](write_set& to) { accounts::erase(to, romeo); });
  BOOST_TEST(!*accounts::exists(*this, romeo));
  BOOST_TEST(*accounts::exists(*this, neighbour));
  BOOST_TEST(records_held() == 2); // the neighbour and its name
}

BOOST_AUTO_TEST_CASE(a_hosts_accounts_are_listed_by_page) {
  change([](write_set& to) {
    for (const auto* name : {"c@example.net", "a@example.net", "b@example.net", "x@example.com", "ab@example.net"})
      accounts::put(to, {2, jid::from_prepared(name)}, some_account());
  });
  using list = std::vector<std::string>;
  BOOST_TEST((*accounts::list(*this, 2, "example.net", "", 10) == list{"a", "ab", "b", "c"}));
  BOOST_TEST((*accounts::list(*this, 2, "example.net", "", 2) == list{"a", "ab"}));
  BOOST_TEST((*accounts::list(*this, 2, "example.net", "ab", 2) == list{"b", "c"}));
  BOOST_TEST((*accounts::list(*this, 2, "example.net", "c", 2) == list{}));
  BOOST_TEST((*accounts::list(*this, 2, "example.com", "", 2) == list{"x"}));
  BOOST_TEST((*accounts::list(*this, 1, "example.net", "", 2) == list{}));
  BOOST_TEST((*accounts::list(*this, 2, "example.net", "", 0) == list{}));
}

BOOST_AUTO_TEST_CASE(a_setting_can_be_erased) {
  change([](write_set& to) {
    accounts::put(to, romeo, some_account());
    accounts::put_setting(to, romeo, "carbons", "on");
  });
  change([](write_set& to) { accounts::erase_setting(to, romeo, "carbons"); });
  BOOST_TEST(load_user(*this, romeo)->settings.empty());
}

BOOST_AUTO_TEST_SUITE_END()
