// A process that writes and is killed: what it had been told is durable must be there afterwards.
#include "persistence/writer.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <semaphore>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char** environ;

using namespace xmpp;
using namespace xmpp::test;

namespace {

constexpr auto folder_variable = "TROUPE_TEST_CRASH_FOLDER";
constexpr auto outstanding_max = 64;
constexpr auto shards = shard_id{4};

store_options crash_store(const std::filesystem::path& folder) {
  auto out = store_options{};
  out.folder = folder;
  out.shard_count = shards;
  out.memtable_bytes_max = 512 << 10;
  return out;
}

/// One acknowledgement in the pipe.
struct acknowledged {
  std::uint32_t shard;
  std::uint32_t number; ///< From 1, in each shard.
};

std::string name_of(std::uint64_t number) {
  auto digits = std::to_string(number);
  return std::string(12 - digits.size(), '0') + digits;
}

/// How many records a shard has; they must be 1, 2, 3, ... without a gap.
std::uint64_t records_in(const reader& from, shard_id shard) {
  auto count = std::uint64_t{0};
  const auto prefix = key_in(shard, "");
  auto done = from.scan(prefix, keys::after_prefix(prefix), [&](std::string_view key, std::string_view) {
    ++count;
    BOOST_REQUIRE(key.substr(prefix.size()) == name_of(count));
    return true;
  });
  BOOST_REQUIRE(done.has_value());
  return count;
}

class child_process {
public:
  explicit child_process(const std::filesystem::path& folder) {
    auto ends = std::array<int, 2>{};
    BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    auto actions = posix_spawn_file_actions_t{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
    ::setenv(folder_variable, folder.c_str(), 1);
    auto program = std::string{"/proc/self/exe"};
    auto test = std::string{"--run_test=crash_child/writes_until_it_is_killed"};
    char* arguments[] = {program.data(), test.data(), nullptr};
    const auto failure = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::unsetenv(folder_variable);
    ::close(ends[1]);
    out_ = ends[0];
    BOOST_REQUIRE(failure == 0);
  }
  ~child_process() {
    kill();
    ::close(out_);
  }

  /// None at the end.
  bool read(acknowledged& into) {
    auto got = std::size_t{0};
    while (got < sizeof into) {
      const auto n = ::read(out_, reinterpret_cast<char*>(&into) + got, sizeof into - got);
      if (n <= 0)
        return false;
      got += static_cast<std::size_t>(n);
    }
    return true;
  }
  void kill() {
    if (pid_ == 0)
      return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

private:
  pid_t pid_ = 0;
  int out_ = -1;
};

} // namespace

BOOST_AUTO_TEST_SUITE(crash_child, *boost::unit_test::disabled())

// Not a test: what `child_process` runs.
BOOST_AUTO_TEST_CASE(writes_until_it_is_killed) {
  const auto* folder = std::getenv(folder_variable);
  if (!folder)
    return;
  auto how = writer_options{};
  how.log_bytes_max = 256 << 10; // so that flushes and trims are interrupted too
  auto s = open_store(crash_store(folder));
  auto next = std::vector<std::uint64_t>{};
  for (const auto index : s->applied())
    next.push_back(index + 1); // one command, one record
  auto w = writer{std::move(s), how};
  auto room = std::counting_semaphore<outstanding_max>{outstanding_max};
  for (auto shard = shard_id{0};; shard = static_cast<shard_id>((shard + 1) % shards)) {
    room.acquire();
    const auto number = next[shard]++;
    const auto taken = w.submit(shard, put_command(shard, name_of(number), std::string(100 + number % 300, 'x')),
                                [&room, shard, number](result<std::uint64_t> index) {
                                  const auto out = acknowledged{shard, static_cast<std::uint32_t>(number)};
                                  if (!index || *index != number || ::write(3, &out, sizeof out) != sizeof out)
                                    std::_Exit(2);
                                  room.release();
                                });
    if (!taken)
      std::_Exit(3);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(crashes)

BOOST_AUTO_TEST_CASE(what_was_acknowledged_survives_a_kill_at_any_moment) {
  const auto folder = temporary_folder{};
  const auto data = folder.path() / "data";
  auto random = std::mt19937{20'260'601};
  auto seen = std::array<std::uint64_t, shards>{};
  for (auto round = 0; round < 6; ++round) {
    auto child = child_process{data};
    auto one = acknowledged{};
    auto wanted = std::uniform_int_distribution<int>{1, 4'000}(random);
    while (wanted-- > 0 && child.read(one))
      seen[one.shard] = one.number;
    BOOST_REQUIRE(wanted < 0); // else the child ended by itself
    child.kill();
    while (child.read(one))
      seen[one.shard] = one.number;

    const auto s = open_store(crash_store(data));
    for (auto shard = shard_id{0}; shard < shards; ++shard) {
      const auto there = records_in(s->view(tier::disk), shard);
      BOOST_TEST(there >= seen[shard]);
      BOOST_TEST(there <= seen[shard] + outstanding_max);
      BOOST_TEST(there == s->last_index(shard));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
