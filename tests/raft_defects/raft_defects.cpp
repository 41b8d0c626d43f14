// Does the simulation find what is wrong? Defects of the library's (raft_core.h) are planted, one at a time: some
// history among those tried must fail, and that one passes without the defect.
#include "cluster/raft_core.h"
#include "tests/cluster/simulation.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace xmpp::test;

namespace {

constexpr auto histories_max = std::uint64_t{600};

constexpr auto storms = weather{.loss = 0.05,
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
                                .trailing = 50};
constexpr auto power_losses = weather{.sync_ms_max = 100, .slow_sync = 0.05, .failed_sync = 0.002, .crashes = 40};
constexpr auto moves = weather{.crashes = 10, .transfers = 10, .changes = 200, .trailing = 20};
constexpr auto behind = weather{.delay_ms_max = 200, .crashes = 10, .cuts = 20, .trailing = 5};

constexpr auto twice = weather{.loss = 0.1,
                               .duplication = 0.3,
                               .delay_ms_max = 200,
                               .slow_sync = 0.1,
                               .pauses = 30,
                               .hints = 60,
                               .transfers = 10,
                               .changes = 400,
                               .trailing = 5};

struct planted {
  const char* name;
  raft_core_defect what;
  weather outside;
  unsigned voters = 3;

  friend std::ostream& operator<<(std::ostream& out, const planted& x) { return out << x.name; }
};

const planted all_planted[] = {
    {"change amid entries", raft_core_change_amid_entries, moves},
    {"early messages", raft_core_early_messages, power_losses},
    {"same term again", raft_core_same_term_again, moves, 1},
    {"leader kept", raft_core_leader_kept, storms},
    {"promoted is stranger", raft_core_promoted_is_stranger, moves},
    {"entries before the log", raft_core_entries_before_log, behind},
    {"newer snapshot", raft_core_newer_snapshot, behind},
    {"old term answered", raft_core_old_term_answered, twice},
    {"no first entry", raft_core_no_first_entry, storms},
    {"stale stored index", raft_core_stale_stored_index, power_losses},
    {"applied ahead", raft_core_applied_ahead, power_losses},
    {"endless install", raft_core_endless_install, behind},
};

/// What does not hold in that history. In a process of its own: some defects ruin the memory.
std::optional<std::string> fails(const planted& x, std::uint64_t seed) {
  int ends[2];
  BOOST_REQUIRE(::pipe(ends) == 0);
  auto child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    for (auto one : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
      std::signal(one, SIG_DFL);
    try {
      auto history = simulation{seed, x.outside, x.voters};
      history.run_ms(60'000);
      history.heals();
    } catch (const std::exception& e) {
      auto words = std::string{e.what()}.substr(0, 2'000);
      ::_exit(::write(ends[1], words.data(), words.size()) >= 0 ? 1 : 2);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  char words[2'000];
  auto size = ::read(ends[0], words, sizeof words);
  ::close(ends[0]);
  auto status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  if (status == 0)
    return std::nullopt;
  return size > 0 ? std::string{words, std::size_t(size)} : "it ended with status " + std::to_string(status);
}

} // namespace

BOOST_AUTO_TEST_SUITE(raft_defects)

BOOST_DATA_TEST_CASE(a_defect_is_found, boost::unit_test::data::make(all_planted), x) {
  auto found = std::optional<std::string>{};
  auto seed = std::uint64_t{1};
  raft_core_planted = x.what;
  while (seed <= histories_max && !(found = fails(x, seed)))
    ++seed;
  raft_core_planted = raft_core_whole;
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST_MESSAGE(x.name << ": seed " << seed << ": " << found->substr(0, found->find('\n')));
  BOOST_TEST(!fails(x, seed), "without the defect it fails as well");
}

BOOST_AUTO_TEST_SUITE_END()
