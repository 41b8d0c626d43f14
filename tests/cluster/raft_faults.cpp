// Raft under faults drawn from a seed. TROUPE_RAFT_SEEDS=1000 tries so many of each case, TROUPE_RAFT_SEED=7 begins
// with that.
#include "tests/cluster/simulation.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>

using namespace xmpp::test;

namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  auto said = std::getenv(name);
  return said ? std::strtoull(said, nullptr, 10) : otherwise;
}

template <class F>
void for_seeds(std::uint64_t count, F&& f) {
  auto first = setting("TROUPE_RAFT_SEED", 1);
  count = setting("TROUPE_RAFT_SEEDS", count);
  auto name = boost::unit_test::framework::current_test_case().p_name.get();
  for (auto seed = first; seed < first + count; ++seed) {
    BOOST_TEST_INFO_SCOPE(
        "again: TROUPE_RAFT_SEED=" << seed << " TROUPE_RAFT_SEEDS=1 test_cluster --run_test=raft_faults/" << name);
    try {
      f(seed);
    } catch (const std::exception& e) {
      BOOST_TEST(false, e.what());
    }
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(raft_faults)

BOOST_AUTO_TEST_CASE(in_fair_weather_one_leads_and_all_agree) {
  for_seeds(5, [](auto seed) {
    auto x = simulation{seed, {.loss = 0, .duplication = 0, .slow_sync = 0}};
    x.run_ms(10'000);
    BOOST_TEST(x.leader().has_value());
    BOOST_TEST(x.leaders_seen() == 1u);
    BOOST_TEST(x.acknowledged() > 100u);
    BOOST_TEST(x.reads_answered() > 10u);
    x.heals();
  });
}

BOOST_AUTO_TEST_CASE(a_lossy_slow_network_loses_nothing) {
  for_seeds(30, [](auto seed) {
    auto x = simulation{seed, {.loss = 0.2, .duplication = 0.2, .delay_ms_max = 200}};
    x.run_ms(30'000);
    x.heals();
    BOOST_TEST(x.acknowledged() > 100u);
  });
}

BOOST_AUTO_TEST_CASE(power_losses_and_failing_disks_lose_nothing) {
  for_seeds(60, [](auto seed) {
    auto x = simulation{seed, {.sync_ms_max = 100, .slow_sync = 0.05, .failed_sync = 0.002, .crashes = 30}};
    x.run_ms(60'000);
    x.heals();
    BOOST_TEST(x.acknowledged() > 50u);
  });
}

BOOST_AUTO_TEST_CASE(cuts_and_pauses_lose_nothing) {
  for_seeds(60, [](auto seed) {
    auto x = simulation{seed, {.pauses = 20, .cuts = 20, .hints = 20}};
    x.run_ms(60'000);
    x.heals();
    BOOST_TEST(x.acknowledged() > 50u);
  });
}

BOOST_AUTO_TEST_CASE(members_come_and_go_under_load) {
  for_seeds(60, [](auto seed) {
    auto x = simulation{seed, {.transfers = 10, .changes = 200}};
    x.run_ms(60'000);
    x.heals();
    BOOST_TEST(x.members_changed() > 5u);
    BOOST_TEST(x.acknowledged() > 100u);
  });
}

BOOST_AUTO_TEST_CASE(one_member_grows_to_many_and_back) {
  for_seeds(40, [](auto seed) {
    auto x = simulation{seed, {.crashes = 10, .transfers = 10, .changes = 200, .trailing = 50}, 1};
    x.run_ms(60'000);
    x.heals();
    BOOST_TEST(x.members_changed() > 5u);
  });
}

BOOST_AUTO_TEST_CASE(who_stays_behind_gets_a_snapshot) {
  for_seeds(30, [](auto seed) {
    auto x = simulation{seed, {.crashes = 10, .cuts = 10, .trailing = 5}};
    x.run_ms(60'000);
    x.heals();
    BOOST_TEST(x.snapshots_installed() > 0u);
  });
}

BOOST_AUTO_TEST_CASE(all_of_it_at_once_loses_nothing) {
  for_seeds(120, [](auto seed) {
    auto x = simulation{seed,
                        {.loss = 0.05,
                         .duplication = 0.05,
                         .delay_ms_max = 80,
                         .sync_ms_max = 40,
                         .failed_sync = 0.0005,
                         .crashes = 15,
                         .pauses = 10,
                         .cuts = 10,
                         .hints = 10,
                         .transfers = 10,
                         .changes = 100,
                         .trailing = 50}};
    x.run_ms(60'000);
    x.heals();
  });
}

BOOST_AUTO_TEST_CASE(whatever_the_weather_nothing_is_lost) {
  for_seeds(120, [](auto seed) {
    auto voters = 0u;
    auto weather = any_weather(seed, voters);
    auto x = simulation{seed, weather, voters};
    x.run_ms(60'000);
    x.heals();
  });
}

BOOST_AUTO_TEST_SUITE_END()
