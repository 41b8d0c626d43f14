#include "actors/store_accounts.hpp"

#include "actors/known_iterations.hpp"
#include "persistence/accounts.hpp"
#include "persistence/rosters.hpp"
#include "persistence/store.hpp"
#include "persistence/subscriptions.hpp"
#include "persistence/writer.hpp"
#include "protocol/sasl.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <functional>
#include <future>

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

  /// Lets `f` add to every account's records.
  void change(std::function<void(write_set&, const jid&)> f) {
    auto w = writer{raw()};
    for (auto name : {"romeo", "juliet", "nurse", "paris"}) {
      auto owner = *jid::make(name, "localhost");
      auto order = command{};
      f(order.changes, owner);
      auto done = std::promise<bool>{};
      BOOST_REQUIRE(w.submit(shard_of(owner.bare_text(), 4), order.encode(), [&](result<std::uint64_t> index) {
                       done.set_value(index.has_value());
                     }).has_value());
      BOOST_TEST(done.get_future().get());
    }
  }
  user_records records(const jid& account) {
    return *load_user(raw()->view(tier::disk), {shard_of(account.bare_text(), 4), account});
  }
  std::unique_ptr<store> raw() {
    auto where = store_options{};
    where.folder = options.server.data_folder / "store";
    where.shard_count = 4;
    return *store::open(where);
  }

  std::filesystem::path folder;
  config options;
  jid romeo = *jid::parse("romeo@localhost");
  jid juliet = *jid::parse("juliet@localhost");
};

using names = std::vector<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(accounts_without_a_server, data)

BOOST_AUTO_TEST_CASE(how_keys_are_made_is_known_once_an_account_has_them) {
  auto known = [&] {
    auto file = known_iterations{};
    file.open(options.server.data_folder);
    return file.all();
  };
  auto accounts = open();
  BOOST_TEST(known().empty());
  BOOST_TEST(accounts->add(romeo, "secret").has_value());
  BOOST_TEST((known() == std::vector<std::uint32_t>{4'096}));
}

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

BOOST_AUTO_TEST_CASE(with_an_account_go_its_contacts_subscriptions_to_it) { // RFC 6121, 2.5.2
  auto shard = [](const jid& x) { return account_place{shard_of(x.bare_text(), 4), x}; };
  auto nurse = *jid::parse("nurse@localhost");
  auto paris = *jid::parse("paris@localhost");
  auto stranger = *jid::parse("benvolio@elsewhere.lit");
  for (auto& one : {romeo, juliet, nurse, paris})
    BOOST_TEST(open()->add(one, "secret").has_value());
  auto item = [](const jid& contact, subscription x, bool ask = false) {
    auto out = roster_item{};
    out.contact = contact, out.name = "a friend", out.subscription = x, out.ask = ask;
    return out;
  };
  change([&](write_set& changes, const jid& owner) {
    if (owner == romeo)
      for (auto& one : {item(juliet, subscription::both), item(nurse, subscription::from),
                        item(paris, subscription::none, true), item(stranger, subscription::both)})
        rosters::put(changes, shard(owner), one);
    if (owner == juliet)
      rosters::put(changes, shard(owner), item(romeo, subscription::both));
    if (owner == nurse)
      rosters::put(changes, shard(owner), item(romeo, subscription::to));
    if (owner == paris)
      subscriptions::put(changes, shard(owner), {romeo, 1, "<presence/>"});
  });
  auto version_before = records(juliet).roster.version;
  BOOST_TEST(open()->remove(romeo).has_value());
  auto hers = records(juliet).roster;
  BOOST_REQUIRE(hers.items.size() == 1u);
  BOOST_TEST((hers.items[0].subscription == subscription::none));
  BOOST_TEST(hers.items[0].name == "a friend");
  BOOST_TEST(hers.version > version_before);
  BOOST_REQUIRE(records(nurse).roster.items.size() == 1u);
  BOOST_TEST((records(nurse).roster.items[0].subscription == subscription::none));
  BOOST_TEST(records(paris).roster.pending.empty());
}

BOOST_AUTO_TEST_CASE(who_had_asked_a_removed_account_is_denied) { // else whoever takes the name could grant it
  auto at = [](const jid& x) { return account_place{shard_of(x.bare_text(), 4), x}; };
  for (auto& one : {romeo, juliet})
    BOOST_TEST(open()->add(one, "secret").has_value());
  change([&](write_set& changes, const jid& owner) {
    auto asked = roster_item{};
    asked.contact = romeo, asked.ask = true;
    if (owner == juliet)
      rosters::put(changes, at(owner), asked);
    if (owner == romeo)
      subscriptions::put(changes, at(owner), {juliet, 1, "<presence/>"});
  });
  BOOST_TEST(open()->remove(romeo).has_value());
  BOOST_REQUIRE(records(juliet).roster.items.size() == 1u);
  BOOST_TEST(!records(juliet).roster.items[0].ask);
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
