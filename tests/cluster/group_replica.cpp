// A cluster in one process: members of a few groups on three real stores, whose messages go where the test lets them.
// The clock is the test's; the disks' threads are real, and waited for.
#include "cluster/group_replica.hpp"

#include "cluster/stored.hpp"
#include "persistence/command_check.hpp"
#include "tests/persistence/faulty_disk.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace xmpp;
using namespace xmpp::test;
using raft::member_id;
using raft::refusal;
using raft::role;

namespace {

constexpr auto shards = shard_id{3};
/// Of what a link takes at once (tests/actors/carried_limits.cpp holds it against the real one), its head left out.
constexpr auto letter_bytes_max = (std::size_t{4} << 20) - 16;
const auto three = std::vector<raft::member>{{1, role::voter}, {2, role::voter}, {3, role::voter}};

/// What became of a command.
struct outcome {
  std::optional<result<std::uint64_t>> is;
};

std::string why(const result<std::uint64_t>& x) {
  return x ? std::string{} : x.error().text;
}

class cluster {
public:
  struct node {
    std::unique_ptr<temporary_folder> folder = std::make_unique<temporary_folder>();
    faulty_disk disk;
    std::unique_ptr<writer> log;
    std::map<shard_id, std::unique_ptr<group_replica>> members;
    std::vector<std::string> troubles;
    bool is_held = false;
  };

  explicit cluster(unsigned nodes = 3, std::size_t chunk_bytes_max = 256 << 10) : chunk_bytes_max_(chunk_bytes_max) {
    for (auto id = member_id{1}; id <= nodes; ++id) {
      nodes_[id].disk.faults.syncs_are_skipped = true;
      make(id, [](store& x) { BOOST_REQUIRE(raft::make_groups(x, three).has_value()); });
      start(id);
    }
  }
  ~cluster() {
    for (auto& [id, x] : nodes_) {
      x.members.clear();
      x.log.reset();
    }
  }

  node& operator[](member_id id) { return nodes_.at(id); }
  group_replica& at(member_id id, shard_id shard = 0) { return *nodes_.at(id).members.at(shard); }

  template <class F>
  void make(member_id id, F f) {
    auto opened = open_store(options(id));
    f(*opened);
  }

  void start(member_id id) {
    auto& x = nodes_.at(id);
    auto how = writer_options{};
    how.retry_ms = 1;
    how.look_at_disk_ms = 1;
    x.log = std::make_unique<writer>(open_store(options(id)), how);
    for (auto shard = shard_id{0}; shard < shards; ++shard)
      add(id, shard);
  }

  void add(member_id id, shard_id shard) {
    auto o = group_replica_options{};
    o.shard = shard;
    o.raft.id = id;
    o.raft.seed = unsigned(100 * id + shard);
    o.raft.cached_bytes_max = 2'000; // so that much is read from the disk
    o.raft.append_bytes_max = 4'000;
    o.trailing_entries_max = 10;
    o.chunk_bytes_max = chunk_bytes_max_;
    auto around = group_replica_surroundings{};
    around.send = [this, id, shard](member_id to, std::string bytes, bool) {
      BOOST_REQUIRE(bytes.size() <= letter_bytes_max);
      ++sent_[bytes.back()];
      if (!cuts_.contains({id, to}))
        mail_.push_back({id, to, shard, std::move(bytes)});
    };
    around.wake = [this, id, shard] {
      const auto lock = std::scoped_lock{mutex_};
      awake_.insert({id, shard});
    };
    around.on_leadership = [this, id, shard](const leadership& x) {
      if (!x.is_here)
        return;
      auto [i, is_new] = leaders_.try_emplace({shard, x.term}, id);
      BOOST_REQUIRE(i->second == id);
    };
    around.on_trouble = [this, id](const std::string& text) { nodes_.at(id).troubles.push_back(text); };
    nodes_.at(id).members[shard] = std::make_unique<group_replica>(o, *nodes_.at(id).log, std::move(around));
  }

  /// As SIGKILL does: of what was not synced nothing is left.
  void kill(member_id id) {
    auto& x = nodes_.at(id);
    x.members.clear();
    x.disk.faults.syncs_fail = true;
    x.log->run(0, [](store*) -> result<void> { // A writer that has failed flushes nothing when it stops.
      return error{errc::storage_failure, "killed"};
    });
    x.log.reset();
    x.disk.faults.syncs_fail = false;
    std::erase_if(mail_, [&](auto& m) { return m.to == id || m.from == id; });
  }

  /// Its disk does not answer, until the promise is kept.
  std::promise<void> hold(member_id id) {
    auto go = std::promise<void>{};
    auto& x = nodes_.at(id);
    x.is_held = true;
    BOOST_REQUIRE(x.log
                      ->read_after(
                          0, [go = go.get_future().share()](const reader&) { go.wait(); }, true)
                      .has_value());
    return go;
  }
  void let_go(member_id id, std::promise<void>& held) {
    held.set_value();
    nodes_.at(id).is_held = false;
    settle();
  }

  void cut(member_id id, bool is_cut = true) {
    for (auto& [other, x] : nodes_)
      for (const auto& link : {std::pair{id, other}, std::pair{other, id}})
        if (is_cut && other != id)
          cuts_.insert(link);
        else
          cuts_.erase(link);
    if (is_cut)
      std::erase_if(mail_, [&](auto& m) { return cuts_.contains({m.from, m.to}); });
  }

  /// Until nobody has anything to do, but for what the maintenance threads may be at.
  void settle() {
    do {
      while (turn() || deliver())
        ;
      for (auto& [id, x] : nodes_) {
        if (!x.log || x.is_held)
          continue;
        auto written = std::promise<void>{}, read = std::promise<void>{};
        x.log->run(0, [&](store*) -> result<void> {
          written.set_value();
          return {};
        });
        written.get_future().wait();
        BOOST_REQUIRE(x.log->read_store([&](const store&) { read.set_value(); }).has_value());
        read.get_future().wait();
      }
    } while (is_awake() || !mail_.empty());
  }

  void tick() {
    now_ += 100;
    for (auto& [id, x] : nodes_)
      for (auto& [shard, m] : x.members)
        m->tick();
    settle();
  }

  template <class F>
  void until(F is_so, const char* what) {
    settle();
    for (auto left = 3'000; !is_so(); --left) {
      BOOST_REQUIRE_MESSAGE(left > 0, "never: " << what);
      tick();
      if (left % 10 == 0)
        flush_all();
    }
  }

  void flush(member_id id) {
    auto done = std::promise<void>{};
    nodes_.at(id).log->flush([&](const result<void>&) { done.set_value(); });
    done.get_future().wait();
    settle();
  }

  std::optional<member_id> leader(shard_id shard = 0) {
    auto found = std::optional<member_id>{};
    auto term = std::uint64_t{0};
    for (auto& [id, x] : nodes_)
      if (auto m = x.members.find(shard); m != x.members.end())
        if (const auto who = m->second->who_leads(); who.is_here && who.term > term) {
          found = id;
          term = who.term;
        }
    return found;
  }
  member_id wait_for_leader(shard_id shard = 0, member_id other_than = 0) {
    until([&] { return leader(shard) && *leader(shard) != other_than; }, "a leader");
    return *leader(shard);
  }

  std::shared_ptr<outcome> submit(member_id at, shard_id shard, std::string_view name, std::string_view value,
                                  std::uint64_t origin = 0, std::uint64_t sequence = 0) {
    auto x = command{};
    x.origin = origin;
    x.sequence = sequence;
    x.changes.put(key_in(shard, name), value);
    auto out = std::make_shared<outcome>();
    const auto taken = this->at(at, shard).submit(x, [out](result<std::uint64_t> index) {
      BOOST_REQUIRE(!out->is); // once
      out->is = std::move(index);
    });
    if (!taken)
      out->is = taken.error();
    return out;
  }
  /// Waits until it is applied at the leader, whoever that is.
  void put(shard_id shard, const std::string& name, const std::string& value) {
    auto out = submit(wait_for_leader(shard), shard, name, value);
    until([&] { return out->is.has_value(); }, "an outcome");
    BOOST_REQUIRE_MESSAGE(out->is->has_value(), why(*out->is));
    acknowledged_[{shard, name}] = value;
  }
  void put_many(shard_id shard, const std::string& prefix, int count) {
    auto all = std::vector<std::shared_ptr<outcome>>{};
    const auto to = wait_for_leader(shard);
    for (auto i = 0; i < count; ++i) {
      all.push_back(submit(to, shard, prefix + std::to_string(i), std::string(100, char('a' + i % 26))));
      acknowledged_[{shard, prefix + std::to_string(i)}] = std::string(100, char('a' + i % 26));
      settle();
    }
    until([&] { return std::all_of(all.begin(), all.end(), [](auto& x) { return x->is.has_value(); }); }, "outcomes");
    for (auto& x : all)
      BOOST_REQUIRE_MESSAGE(x->is->has_value(), why(*x->is));
  }

  void erase(shard_id shard, const std::string& name) {
    auto x = command{};
    x.changes.erase(key_in(shard, name));
    auto is_done = false;
    BOOST_REQUIRE(at(wait_for_leader(shard), shard)
                      .submit(x, [&](const result<std::uint64_t>& index) { is_done = index.has_value(); })
                      .has_value());
    until([&] { return is_done; }, "erased");
    acknowledged_.erase({shard, name});
  }

  std::optional<std::string> value(member_id id, shard_id shard, const std::string& name) {
    auto found = std::promise<std::optional<std::string>>{};
    BOOST_REQUIRE(
        nodes_.at(id).log->read([&](const reader& from) { found.set_value(value_of(from, shard, name)); }).has_value());
    return found.get_future().get();
  }
  std::string state(member_id id, shard_id shard) {
    auto found = std::promise<result<std::string>>{};
    BOOST_REQUIRE(nodes_.at(id)
                      .log
                      ->read([&](const reader& from) { // on a thread of its own: what it finds is judged here
                        auto out = std::string{};
                        const auto prefix = keys::shard_prefix(shard);
                        auto done = from.scan(prefix, keys::after_prefix(prefix),
                                              [&](std::string_view key, std::string_view value) {
                                                out.append(key).append("=").append(value).append(";");
                                                return true;
                                              });
                        found.set_value(done ? result<std::string>{std::move(out)} : done.error());
                      })
                      .has_value());
    auto out = found.get_future().get();
    BOOST_REQUIRE(out.has_value());
    return *out;
  }
  group_replica::status status(member_id id, shard_id shard = 0) {
    auto out = std::optional<group_replica::status>{};
    at(id, shard).inspect([&](const group_replica::status& x) { out = x; });
    settle();
    return *out;
  }

  /// All is well again: all agree, and have all that was acknowledged.
  void check() {
    for (auto shard = shard_id{0}; shard < shards; ++shard) {
      put(shard, "last", "x");
      until(
          [&] {
            auto reached = std::set<std::uint64_t>{};
            for (auto& [id, x] : nodes_)
              if (x.members.contains(shard))
                reached.insert(status(id, shard).applied);
            return reached.size() == 1;
          },
          "all at one index");
      auto states = std::set<std::string>{};
      for (auto& [id, x] : nodes_)
        if (x.members.contains(shard))
          states.insert(state(id, shard));
      BOOST_TEST(states.size() == 1);
    }
    const auto somebody = nodes_.begin()->first;
    for (const auto& [what, expected] : acknowledged_) {
      const auto found = value(somebody, what.first, what.second);
      BOOST_REQUIRE_MESSAGE(found == expected, what.second << " is lost");
    }
  }

  refusal change(shard_id shard, const std::vector<raft::member>& members) {
    auto out = refusal::misuse;
    at(wait_for_leader(shard), shard).change(members, [&](refusal x) { out = x; });
    settle();
    return out;
  }

  void loses(double part) { loss_ = part; }
  std::size_t sent(char kind) { return sent_[kind]; }
  std::uint64_t now() const { return now_; }
  void acknowledge(shard_id shard, const std::string& name, const std::string& value) {
    acknowledged_[{shard, name}] = value;
  }

  store_options options(member_id id) {
    auto out = small_store(*nodes_.at(id).folder);
    out.shard_count = shards;
    out.environment = nodes_.at(id).disk.environment();
    out.is_in_cluster = true;
    return out;
  }

private:
  struct letter {
    member_id from, to;
    shard_id shard;
    std::string bytes;
  };

  bool is_awake() {
    const auto lock = std::scoped_lock{mutex_};
    return !awake_.empty();
  }

  bool turn() {
    auto who = std::pair<member_id, shard_id>{};
    {
      const auto lock = std::scoped_lock{mutex_};
      if (awake_.empty())
        return false;
      who = *awake_.begin();
      awake_.erase(awake_.begin());
    }
    if (auto& x = nodes_.at(who.first); x.members.contains(who.second))
      x.members.at(who.second)->run(now_);
    return true;
  }

  bool deliver() {
    if (mail_.empty())
      return false;
    auto x = std::move(mail_.front());
    mail_.pop_front();
    auto& to = nodes_.at(x.to);
    const auto is_lost = loss_ > 0 && double(random_() % 1'000) < loss_ * 1'000;
    if (!cuts_.contains({x.from, x.to}) && to.members.contains(x.shard) && !is_lost)
      to.members.at(x.shard)->receive(x.from, std::move(x.bytes));
    return true;
  }

  void flush_all() {
    for (auto& [id, x] : nodes_)
      if (x.log && !x.is_held)
        flush(id);
  }

  const std::size_t chunk_bytes_max_;
  std::map<member_id, node> nodes_;
  std::uint64_t now_ = 1'000;
  std::deque<letter> mail_;
  std::set<std::pair<member_id, member_id>> cuts_;
  double loss_ = 0;
  std::minstd_rand random_;
  std::map<char, std::size_t> sent_;
  std::map<std::pair<shard_id, std::uint64_t>, member_id> leaders_;
  std::map<std::pair<shard_id, std::string>, std::string> acknowledged_;

  std::mutex mutex_; ///< Guards what follows.
  std::set<std::pair<member_id, shard_id>> awake_;
};

member_id other_than(member_id x) {
  return x % 3 + 1;
}

} // namespace

BOOST_AUTO_TEST_SUITE(members_on_stores)

BOOST_AUTO_TEST_CASE(what_a_leader_acknowledges_all_apply) {
  auto c = cluster{};
  for (auto shard = shard_id{0}; shard < shards; ++shard)
    for (auto i = 0; i < 5; ++i)
      c.put(shard, std::to_string(i), "x");
  c.check();
  BOOST_TEST(*c.value(3, 2, "4") == "x");
}

BOOST_AUTO_TEST_CASE(all_that_comes_in_a_turn_is_one_write) {
  auto c = cluster{};
  const auto leader = c.wait_for_leader();
  c.tick();
  const auto before = c[leader].log->count().batches;
  auto all = std::vector<std::shared_ptr<outcome>>{};
  for (auto i = 0; i < 100; ++i)
    all.push_back(c.submit(leader, 0, "a", std::to_string(i)));
  auto seen = std::optional<std::string>{};
  BOOST_REQUIRE(c.at(leader).read_after([&](const reader& from) { seen = value_of(from, 0, "a"); }).has_value());
  c.settle();
  for (auto i = std::size_t{0}; i < all.size(); ++i) {
    BOOST_REQUIRE(all[i]->is.has_value());
    BOOST_TEST(**all[i]->is == **all[0]->is + i);
  }
  BOOST_TEST(*seen == "99");
  BOOST_TEST(c[leader].log->count().batches == before + 1);
}

BOOST_AUTO_TEST_CASE(what_no_link_would_take_is_refused_and_stands_in_nobodys_way) {
  auto c = cluster{};
  const auto leader = c.wait_for_leader();
  const auto before = c.status(leader).last_index;
  const auto refused = c.submit(leader, 0, "a", std::string(command_bytes_max, 'x'));
  c.settle();
  BOOST_REQUIRE(refused->is.has_value());
  BOOST_TEST((refused->is->code() == errc::resource_constraint));
  BOOST_TEST(c.status(leader).last_index == before);
  c.put(0, "a", std::string(command_bytes_max - 100, 'x'));
  c.check();
}

BOOST_AUTO_TEST_CASE(who_does_not_lead_says_who_does) {
  auto c = cluster{};
  const auto leader = c.wait_for_leader();
  c.tick();
  const auto follower = other_than(leader);
  const auto refused = c.submit(follower, 0, "a", "1");
  BOOST_TEST((refused->is->code() == errc::not_leader));
  BOOST_TEST(c.at(follower).who_leads().leader == leader);
  auto wrong = command{};
  wrong.changes.put(key_in(1, "a"), "1");
  BOOST_TEST((c.at(leader).submit(wrong, {}).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(a_member_is_calm_while_it_knows_its_leader_and_has_nothing_to_do) {
  auto c = cluster{};
  const auto leader = c.wait_for_leader();
  const auto follower = other_than(leader);
  c.put(0, "first", "x");
  c.tick();
  BOOST_TEST((c.at(leader).is_calm() && c.at(follower).is_calm()));
  const auto waiting = c.submit(leader, 0, "second", "x");
  c.cut(leader);
  c.tick();
  BOOST_TEST(!c.at(leader).is_calm());
  c.at(follower).is_down(leader);
  BOOST_TEST(!c.at(follower).is_calm());
  c.settle();
  BOOST_TEST(!c.at(follower).is_calm());
  c.wait_for_leader(0, leader);
  c.cut(leader, false);
  c.until([&] { return c.at(leader).is_calm() && c.at(follower).is_calm(); }, "calm again");
}

BOOST_AUTO_TEST_CASE(the_death_of_a_leader_loses_nothing) {
  auto c = cluster{};
  for (auto round = 0; round < 3; ++round) {
    c.put(0, "a" + std::to_string(round), "1");
    const auto leader = c.wait_for_leader();
    c.kill(leader);
    c.at(other_than(leader)).is_down(leader);
    c.put(0, "b" + std::to_string(round), "2");
    c.start(leader);
  }
  c.check();
}

BOOST_AUTO_TEST_CASE(the_death_of_all_at_once_loses_nothing) {
  auto c = cluster{};
  for (auto shard = shard_id{0}; shard < shards; ++shard)
    c.put_many(shard, "a", 20);
  c.flush(2); // one state is newer than the others
  c.put_many(1, "b", 5);
  for (const auto id : {1, 2, 3})
    c.kill(member_id(id));
  for (const auto id : {1, 2, 3})
    c.start(member_id(id));
  c.check();
}

BOOST_AUTO_TEST_CASE(a_leader_that_was_cut_off_does_not_know_what_became_of_it) {
  auto c = cluster{};
  const auto old = c.wait_for_leader();
  c.cut(old);
  const auto lost = c.submit(old, 0, "a", "old", 7, 1);
  auto read = std::optional<result<void>>{};
  c.at(old).read_index([&](result<void> how) { read = std::move(how); });
  c.settle();
  BOOST_TEST(!lost->is.has_value());
  BOOST_TEST(!read.has_value());
  const auto now = c.wait_for_leader(0, old);
  c.until([&] { return lost->is.has_value(); }, "an outcome");
  BOOST_TEST((lost->is->code() == errc::timeout));
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST((read->code() == errc::not_leader));
  auto again = c.submit(now, 0, "a", "new", 7, 1);
  c.settle();
  BOOST_TEST(again->is->has_value());
  c.cut(old, false);
  c.check();
  BOOST_TEST(*c.value(old, 0, "a") == "new");
}

BOOST_AUTO_TEST_CASE(a_command_that_is_sent_again_is_applied_once_by_all) {
  auto c = cluster{};
  const auto leader = c.wait_for_leader();
  for (const auto* value : {"1", "2"})
    c.submit(leader, 0, "a", value, 7, value[0] - std::uint64_t('0'));
  const auto again = c.submit(leader, 0, "a", "1", 7, 1);
  c.settle();
  BOOST_TEST(again->is->has_value());
  const auto next = other_than(leader);
  c.at(leader).transfer(next, {});
  c.wait_for_leader(0, leader);
  c.submit(*c.leader(), 0, "a", "1", 7, 1);
  c.check();
  for (const auto id : {1, 2, 3})
    BOOST_TEST(*c.value(member_id(id), 0, "a") == "2");
}

BOOST_AUTO_TEST_CASE(a_read_at_the_leader_sees_what_was_acknowledged) {
  auto c = cluster{};
  c.put(0, "a", "1");
  auto read = std::optional<result<void>>{};
  c.at(*c.leader()).read_index([&](result<void> how) { read = std::move(how); });
  c.settle();
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->has_value());
  c.at(other_than(*c.leader())).read_index([&](result<void> how) { read = std::move(how); });
  c.settle();
  BOOST_TEST((read->code() == errc::not_leader));
}

// -- disks -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_leader_whose_disk_fails_leads_no_longer_and_comes_back) {
  for (const auto loses_data : {false, true}) {
    auto c = cluster{};
    c.put(0, "a", "1");
    const auto old = c.wait_for_leader();
    auto& faults = c[old].disk.faults;
    (loses_data ? faults.syncs_lose_data : faults.syncs_fail) = true;
    const auto lost = c.submit(old, 0, "b", "1");
    c.until([&] { return lost->is.has_value(); }, "an outcome");
    BOOST_TEST((lost->is->code() == errc::storage_failure || lost->is->has_value()));
    BOOST_TEST((c.submit(old, 0, "b", "2")->is->code() == errc::storage_failure));
    c.wait_for_leader(0, old);
    c.put(0, "c", "1");
    (loses_data ? faults.syncs_lose_data : faults.syncs_fail) = false;
    c.until([&] { return c.status(old).has_begun; }, "back");
    c.check();
  }
}

// It fails nothing: whoever sees how long it takes (writer::busy_ms) has the leadership handed over.
BOOST_AUTO_TEST_CASE(a_leader_whose_disk_does_not_answer_can_hand_over) {
  auto c = cluster{};
  c.put(0, "a", "1");
  const auto old = c.wait_for_leader();
  auto held = c.hold(old);
  const auto open = c.submit(old, 0, "b", "1");
  c.tick();
  BOOST_TEST(!open->is.has_value());
  c.at(old).transfer(other_than(old), {});
  c.wait_for_leader(0, old);
  BOOST_TEST(!c.at(old).who_leads().is_here);
  c.put(0, "c", "1");
  c.let_go(old, held);
  c.until([&] { return open->is.has_value(); }, "an outcome");
  c.check();
}

BOOST_AUTO_TEST_CASE(a_node_without_room_hands_over_and_takes_nothing) {
  auto c = cluster{};
  c.put(0, "a", "1");
  const auto old = c.wait_for_leader();
  c[old].disk.faults.free_bytes = 1 << 20;
  c[old].log->set_free_bytes_min(std::uint64_t{1} << 30);
  c.wait_for_leader(0, old);
  BOOST_TEST(!c.submit(old, 0, "b", "1")->is->has_value());
  c.put(0, "b", "1");
  BOOST_TEST(!c.value(old, 0, "b").has_value());
  c[old].log->set_free_bytes_min(0);
  c.check();
}

// -- states ----------------------------------------------------------------------------------------------------------

namespace {

/// The third node is far behind: what it lacks is no longer in the log.
void leave_behind(cluster& c) {
  c.put_many(0, "before", 5);
  const auto leader = c.wait_for_leader();
  if (leader == 3) {
    c.at(3).transfer(1, {});
    c.wait_for_leader(0, 3);
  }
  c.flush(3);
  c.cut(3);
  c.erase(0, "before1");
  c.put_many(0, "meanwhile", 60);
  for (const auto id : {1, 2}) {
    c.flush(member_id(id));
    c.flush(member_id(id));
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(a_member_that_is_far_behind_gets_the_state) {
  auto c = cluster{3, 1'000};
  leave_behind(c);
  c.cut(3, false);
  c.check();
  BOOST_TEST(c.sent('c') > 5);
  c.kill(3);
  c.start(3);
  c.check();
}

BOOST_AUTO_TEST_CASE(the_largest_value_travels_behind_a_part_of_the_state) {
  auto c = cluster{};
  c.put(0, "a", std::string(250'000, 'x'));
  c.put(0, "b", std::string(command_bytes_max - 100, 'x'));
  c.put(0, "c", std::string(command_bytes_max - 100, 'x'));
  leave_behind(c);
  c.cut(3, false);
  c.check();
  BOOST_TEST(c.sent('c') > 0);
}

BOOST_AUTO_TEST_CASE(parts_of_a_state_that_are_lost_are_asked_for_again) {
  auto c = cluster{3, 1'000};
  leave_behind(c);
  c.cut(3, false);
  c.loses(0.2);
  c.until([&] { return c.status(3).applied >= c.status(*c.leader()).applied; }, "as far as the others");
  c.loses(0);
  c.check();
}

BOOST_AUTO_TEST_CASE(a_replacement_of_the_state_that_is_interrupted_begins_anew) {
  for (const auto flushes : {false, true})
    for (const auto kills_source : {false, true}) {
      auto c = cluster{3, 1'000};
      leave_behind(c);
      c.cut(3, false);
      c.loses(0.5);
      const auto parts = c.sent('c');
      c.until([&] { return c.sent('c') > parts + 2 && c.status(3).is_installing; }, "the middle of it");
      c.loses(0);
      if (flushes)
        c.flush(3);
      const auto victim = kills_source ? *c.leader() : member_id{3};
      c.kill(victim);
      c.start(victim);
      c.check();
    }
}

// -- membership ------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_node_that_lost_everything_joins_again_from_the_others) {
  auto c = cluster{3, 1'000};
  for (auto shard = shard_id{0}; shard < shards; ++shard)
    c.put_many(shard, "a", 30);
  for (const auto id : {1, 2, 3})
    c.flush(member_id(id));
  c.kill(3);
  c[3].folder = std::make_unique<temporary_folder>();
  c.make(3, [](store& x) {
    for (auto shard = shard_id{0}; shard < shards; ++shard)
      BOOST_REQUIRE(x.append({}, std::vector{raft::waiting_member(shard)}).has_value());
  });
  const auto two = std::vector<raft::member>{{1, role::voter}, {2, role::voter}};
  auto more = two;
  more.push_back({3, role::spare});
  for (auto shard = shard_id{0}; shard < shards; ++shard) {
    c.until([&] { return c.change(shard, two) == refusal::none; }, "removed");
    c.until([&] { return c.status(*c.leader(shard), shard).members.size() == 2; }, "two");
  }
  c.start(3);
  for (auto shard = shard_id{0}; shard < shards; ++shard) {
    c.until([&] { return c.change(shard, more) == refusal::none; }, "a spare");
    const auto progress = [&] {
      for (auto& x : c.status(c.wait_for_leader(shard), shard).members)
        if (x.member.id == 3)
          return x.catch_up_progress;
      return 0;
    };
    c.until(
        [&] {
          if (progress() != 1 && progress() != 3)
            c.at(*c.leader(shard), shard).catch_up(3, {});
          c.settle();
          return progress() == 3;
        },
        "caught up");
    c.until([&] { return c.change(shard, three) == refusal::none; }, "a voter");
  }
  c.check();
}

BOOST_AUTO_TEST_CASE(a_lone_store_becomes_the_first_member) {
  auto folder = temporary_folder{};
  auto options = small_store(folder);
  {
    auto w = writer{open_store(options)};
    BOOST_REQUIRE(commit(w, 0, put_command(0, "a", "1")).has_value());
    BOOST_REQUIRE(commit(w, 0, put_command(0, "b", "2")).has_value());
  }
  options.is_in_cluster = true;
  auto opened = open_store(options);
  BOOST_TEST(!raft::make_groups(*opened, three).has_value()); // the others would not have it
  BOOST_REQUIRE(raft::make_groups(*opened, {{1, role::voter}}).has_value());
  BOOST_TEST(opened->groups().size() == 5);                                  // with the system shard
  BOOST_REQUIRE(raft::make_groups(*opened, {{1, role::voter}}).has_value()); // nothing is left to do
  auto w = writer{std::move(opened)};
  BOOST_TEST((w.submit(0, put_command(0, "a", "1"), {}).code() == errc::storage_failure));
  for (const auto shard : {shard_id{0}, shard_id{1}, system_shard}) {
    auto awake = std::promise<void>{};
    auto o = group_replica_options{};
    o.shard = shard;
    o.raft.id = 1;
    auto mutex = std::mutex{};
    auto is_awake = false;
    auto around = group_replica_surroundings{};
    around.send = [](member_id, std::string, bool) {};
    around.wake = [&] {
      const auto lock = std::scoped_lock{mutex};
      is_awake = true;
    };
    auto alone = group_replica{o, w, std::move(around)};
    const auto work = [&](auto is_so) {
      for (auto now = std::uint64_t{1'000}; !is_so(); now += 100) {
        alone.tick();
        alone.run(now);
        auto done = std::promise<void>{};
        w.run(0, [&](store*) -> result<void> {
          done.set_value();
          return {};
        });
        done.get_future().wait();
      }
    };
    work([&] { return alone.who_leads().is_here; });
    auto x = command{};
    x.changes.put(key_in(shard, "c"), "3");
    auto index = std::optional<result<std::uint64_t>>{};
    BOOST_REQUIRE(alone.submit(x, [&](result<std::uint64_t> at) { index = std::move(at); }).has_value());
    work([&] { return index.has_value(); });
    BOOST_REQUIRE(index->has_value());
    BOOST_TEST(**index == (shard == 0 ? 4 : 3)); // behind what was applied, or the first log, and its own entry
    BOOST_TEST(*value_of(w.cached(), shard, "c") == "3");
  }
  BOOST_TEST(*value_of(w.cached(), 0, "b") == "2");
}

// -- all together ----------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(through_deaths_cuts_and_losses_nothing_that_was_acknowledged_is_lost) {
  auto c = cluster{3, 1'000};
  auto random = std::minstd_rand{1};
  auto waiting = std::vector<std::tuple<shard_id, std::string, std::shared_ptr<outcome>>>{};
  auto number = 0;
  for (auto round = 0; round < 12; ++round) {
    const auto victim = member_id(1 + random() % 3);
    const auto what = random() % 4;
    c.loses(random() % 2 ? 0.05 : 0);
    if (what == 0)
      c.kill(victim);
    if (what == 1)
      c.cut(victim);
    if (what == 2)
      c[victim].disk.faults.syncs_fail = true;
    for (auto i = 0; i < 20; ++i) {
      for (auto shard = shard_id{0}; shard < shards; ++shard)
        if (const auto leader = c.leader(shard)) {
          auto name = std::to_string(++number);
          waiting.emplace_back(shard, name, c.submit(*leader, shard, name, "x"));
        }
      c.tick();
    }
    c[victim].disk.faults.syncs_fail = false;
    c.cut(victim, false);
    if (what == 0)
      c.start(victim);
    if (what == 3)
      c.flush(victim);
  }
  c.loses(0);
  c.until([&] { return std::all_of(waiting.begin(), waiting.end(), [](auto& x) { return std::get<2>(x)->is; }); },
          "outcomes");
  auto acknowledged = 0;
  for (auto& [shard, name, x] : waiting)
    if (x->is->has_value()) {
      c.acknowledge(shard, name, "x");
      ++acknowledged;
    }
  BOOST_TEST(acknowledged > 200);
  c.check();
}

BOOST_AUTO_TEST_SUITE_END()
