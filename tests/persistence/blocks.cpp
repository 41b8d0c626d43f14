#include "persistence/blocks.hpp"

#include "persistence/accounts.hpp"
#include "tests/persistence/memory_reader.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto romeo = account_place{2, jid::from_prepared("romeo@example.net")};

} // namespace

BOOST_FIXTURE_TEST_SUITE(blocks_in_the_store, memory_reader)

BOOST_AUTO_TEST_CASE(addresses_of_every_form_are_blocked_and_unblocked) { // XEP-0191, 2
  const auto forms = {"example.com", "example.com/sword", "tybalt@example.com", "tybalt@example.com/sword"};
  change([&](write_set& to) {
    accounts::put(to, romeo, {});
    for (const auto* form : forms)
      blocks::put(to, romeo, jid::from_prepared(form));
  });
  const auto blocked = load_user(*this, romeo)->blocks;
  BOOST_REQUIRE(blocked.size() == 4);
  auto i = std::size_t{0};
  for (const auto* form : forms)
    BOOST_TEST(blocked[i++].text() == form);
  change([](write_set& to) { blocks::erase(to, romeo, jid::from_prepared("tybalt@example.com")); });
  BOOST_TEST(load_user(*this, romeo)->blocks.size() == 3);
  change([](write_set& to) { blocks::erase_all(to, romeo); });
  BOOST_TEST(load_user(*this, romeo)->blocks.empty());
  BOOST_TEST(load_user(*this, romeo)->account.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
