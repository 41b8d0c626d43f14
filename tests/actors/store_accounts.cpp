#include "actors/store_accounts.hpp"

#include "persistence/accounts.hpp"
#include "persistence/store.hpp"
#include "protocol/sasl.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>

using namespace xmpp;

namespace {

struct data {
  data() {
    auto name = std::string{"/tmp/troupe-accounts-XXXXXX"};
    folder = mkdtemp(name.data());
    options = *parse_config(
        "[hosts.main]\nname = \"localhost\"\n[storage]\nshards = 4\n[sign_in]\nscram_iterations = 4096\n", folder);
  }
  ~data() { std::filesystem::remove_all(folder); }

  std::unique_ptr<account_admin> open() {
    auto out = accounts_of_store(options);
    BOOST_REQUIRE_MESSAGE(out, (out ? "" : out.error().text));
    return *std::move(out);
  }

  std::filesystem::path folder;
  config options;
  jid romeo = *jid::parse("romeo@localhost");
  jid juliet = *jid::parse("juliet@localhost");
};

using names = std::vector<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(accounts_without_a_server, data)

BOOST_AUTO_TEST_CASE(what_was_added_is_there_when_the_store_is_opened_again) {
  BOOST_TEST(open()->add(romeo, "secret").has_value());
  BOOST_TEST(open()->add(juliet, "secret").has_value());
  BOOST_TEST(*open()->list("localhost") == (names{"juliet@localhost", "romeo@localhost"}),
             boost::test_tools::per_element());
  BOOST_TEST(open()->list("example.com")->empty());
}

BOOST_AUTO_TEST_CASE(an_account_is_added_once) {
  auto accounts = open();
  BOOST_TEST(accounts->add(romeo, "secret").has_value());
  BOOST_TEST((accounts->add(romeo, "other").code() == errc::conflict));
}

BOOST_AUTO_TEST_CASE(a_new_password_replaces_the_old_one) {
  BOOST_TEST((open()->set_password(romeo, "first").code() == errc::item_not_found));
  BOOST_TEST(open()->add(romeo, "first").has_value());
  BOOST_TEST(open()->set_password(romeo, "second").has_value());
  auto where = store_options{};
  where.folder = options.server.data_folder / "store";
  where.shard_count = 4;
  auto opened = store::open(where);
  BOOST_REQUIRE(opened);
  auto stored = accounts::find((*opened)->view(tier::disk), {shard_of("romeo@localhost", 4), romeo});
  BOOST_REQUIRE((stored && *stored));
  auto keys = sasl::decode((*stored)->credentials);
  BOOST_REQUIRE(keys);
  BOOST_TEST(sasl::check_password("second", *keys));
  BOOST_TEST(!sasl::check_password("first", *keys));
  BOOST_TEST((*stored)->created_ms > 0);
}

BOOST_AUTO_TEST_CASE(a_removed_account_is_gone) {
  auto accounts = open();
  BOOST_TEST(accounts->add(romeo, "secret").has_value());
  BOOST_TEST(accounts->remove(romeo).has_value());
  BOOST_TEST((accounts->remove(romeo).code() == errc::item_not_found));
  BOOST_TEST(accounts->list("localhost")->empty());
}

BOOST_AUTO_TEST_CASE(a_text_that_may_not_be_a_password_is_refused) {
  BOOST_TEST((open()->add(romeo, "").code() == errc::not_acceptable));
  BOOST_TEST(open()->list("localhost")->empty());
}

BOOST_AUTO_TEST_CASE(two_processes_cannot_have_the_store_open) {
  auto accounts = open();
  auto second = accounts_of_store(options);
  BOOST_TEST((second.code() == errc::storage_failure));
  BOOST_TEST(!second.error().text.empty());
}

BOOST_AUTO_TEST_SUITE_END()
