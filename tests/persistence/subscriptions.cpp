#include "persistence/subscriptions.hpp"

#include "persistence/accounts.hpp"
#include "tests/persistence/memory_reader.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto romeo = account_place{2, jid::from_prepared("romeo@example.net")};
const auto juliet = jid::from_prepared("juliet@example.com");

} // namespace

BOOST_FIXTURE_TEST_SUITE(subscriptions_in_the_store, memory_reader)

BOOST_AUTO_TEST_CASE(a_second_request_replaces_the_first_and_an_answer_erases_it) {
  change([](write_set& to) {
    accounts::put(to, romeo, {});
    subscriptions::put(to, romeo, {juliet, 1, "<presence id='1'/>"});
    subscriptions::put(to, romeo, {juliet, 2, "<presence id='2'/>"});
  });
  const auto pending = load_user(*this, romeo)->roster.pending;
  BOOST_REQUIRE(pending.size() == 1);
  BOOST_TEST(pending[0].received_ms == 2);
  BOOST_TEST(pending[0].xml == "<presence id='2'/>");
  change([](write_set& to) { subscriptions::erase(to, romeo, juliet); });
  BOOST_TEST(load_user(*this, romeo)->roster.pending.empty());
}

BOOST_AUTO_TEST_SUITE_END()
