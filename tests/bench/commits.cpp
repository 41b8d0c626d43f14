// What a commit costs a cluster's groups, without clients: each node is a process on loopback with a store, links and
// members like a server's, and has callers of its own, which ask those groups that it leads.
//
//     bench_commits [--nodes N] [--shards N] [--seconds N] [--bytes N] [--port N] --folder PATH [OUTSTANDING...]
//
// A row for each OUTSTANDING (0 is nobody; default 0 1 64 512): so many callers over all groups, each of which asks
// again when its command is committed and applied. CPU is user and system time of all nodes, callers included. PATH is
// made, and should be on the disk that is meant.
#include "actors/member.hpp"
#include "cluster/control_frames.hpp"
#include "cluster/identity.hpp"
#include "cluster/link.hpp"
#include "cluster/stored.hpp"
#include "persistence/store.hpp"
#include "tests/bench/process.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace xmpp;
using clock_type = std::chrono::steady_clock;

constexpr auto tick_ms = std::uint64_t{100};

struct {
  int nodes = 3, shards = 64, seconds = 5, port = 25'150;
  std::size_t bytes = 200;
  std::filesystem::path folder;
  std::vector<int> outstanding;
} options;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bench_commits: %s\n", why.c_str());
  std::exit(1);
}

template <class Result>
auto value_of(Result x, const char* what) {
  if (!x)
    die(what);
  return *std::move(x);
}

void sleep_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds{ms});
}

// -- what a node says to the one who measures: plain bytes through pipes ----------------------------------------------

struct order {
  int outstanding = 0;
  static constexpr auto says_what_it_leads = -1, ends = -2;
};

struct report {
  int led = 0;
  std::uint64_t commits = 0, refused = 0, syncs = 0, packs = 0, wire_bytes = 0;
  double cpu_s = 0, seconds = 0, median_ms = 0, p99_ms = 0;
};

template <class T>
void put(int fd, const T& x) {
  if (::write(fd, &x, sizeof x) != ssize_t(sizeof x))
    die("a node is gone");
}

template <class T>
bool take(int fd, T& x) {
  return ::read(fd, &x, sizeof x) == ssize_t(sizeof x);
}

// -- a node -----------------------------------------------------------------------------------------------------------

struct caller {
  shard_id shard = 0;
  std::uint64_t origin = 0, sequence = 0;
  clock_type::time_point since;
  std::vector<float> waits_ms;
};

class node final : private net::timed {
public:
  node(std::size_t number, const std::vector<cluster::identity>& all) : number_(number), all_(all) {
    auto where = store_options{};
    where.folder = options.folder / ("node" + std::to_string(number + 1));
    where.shard_count = std::uint32_t(options.shards);
    where.is_in_cluster = true;
    auto opened = value_of(store::open(where), "a store can not be made");
    auto members = std::vector<raft::member>{};
    for (auto& one : all)
      members.push_back({one.node, raft::role::voter});
    if (!raft::make_groups(*opened, members))
      die("the store takes no groups");
    log_ = std::make_unique<writer>(std::move(opened));
    for (auto shard = 0; shard < options.shards; ++shard)
      seats_.push_back(std::make_unique<seat>(*log_));
    is_led_ = std::vector<std::atomic<bool>>(seats_.size());
    system_config_.set("scheduler.policy", caf::atom("sharing"));
    system_ = std::make_unique<caf::actor_system>(system_config_);
    home_ = std::make_unique<reactor_unit>(*system_);
    links_with_others();
    for (auto shard = 0; shard < options.shards; ++shard)
      sits_down(shard_id(shard));
    home_->loop().set_timer(tick_ms, this);
    home_->start("reactor");
  }

  [[noreturn]] void serves(int in, int out) {
    for (auto x = order{}; take(in, x) && x.outstanding != order::ends;)
      put(out, x.outstanding == order::says_what_it_leads ? report{leads()} : measured(x.outstanding));
    std::_Exit(0); // The store is thrown away.
  }

private:
  void links_with_others() {
    auto how = cluster::link_options{};
    how.home = &home_->loop();
    how.self = all_[number_];
    how.listen = *net::address::parse("127.0.0.1", std::uint16_t(options.port + int(number_)));
    auto calls = cluster::link_callbacks{};
    calls.on_frame = [this](cluster::node_id from, cluster::channel, std::string_view bytes) {
      auto read = cluster::control::read(bytes);
      auto raft = read ? std::get_if<cluster::control::raft>(&*read) : nullptr;
      if (auto member = raft != nullptr ? seats_[raft->shard]->member() : nullptr)
        member->receive(from, std::string{raft->bytes});
    };
    links_ = value_of(cluster::links::start(how, std::move(calls)), "the port is taken");
    auto peers = std::vector<cluster::link_peer>{};
    for (auto i = std::size_t{0}; i < all_.size(); ++i)
      peers.push_back({all_[i].node, {*net::address::parse("127.0.0.1", std::uint16_t(options.port + int(i)))}});
    links_->set_peers(std::move(peers));
  }

  void sits_down(shard_id shard) {
    auto how = group_replica_options{};
    how.shard = shard;
    how.raft.id = all_[number_].node;
    how.raft.seed = unsigned(std::random_device{}());
    auto calls = member::callbacks{};
    calls.send = [this, shard](raft::member_id to, const std::string& bytes, bool) {
      auto frame = std::string{};
      if (cluster::control::append(frame, cluster::control::raft{shard, bytes}))
        (void)links_->send(to, cluster::channel::urgent, frame);
    };
    calls.home = home_.get();
    calls.on_leadership = [this, shard](const leadership& x) { is_led_[shard] = x.is_here; };
    members_.push_back(system_->spawn<member>(caf::strong_actor_ptr{}, std::move(how), std::ref(*log_),
                                              std::ref(*seats_[shard]), std::move(calls)));
  }

  bool should_lead(int shard) const { return std::size_t(shard) % all_.size() == number_; }
  int leads() const {
    auto out = 0;
    for (auto shard = 0; shard < options.shards; ++shard)
      out += is_led_[std::size_t(shard)] && should_lead(shard) ? 1 : 0;
    return out;
  }

  /// As a server's node does it, and its coordinator.
  void on_timer(std::uint32_t) override {
    home_->loop().set_timer(tick_ms, this);
    ++ticks_;
    for (auto shard = 0; shard < options.shards; ++shard)
      if (auto member = seats_[std::size_t(shard)]->member()) {
        if (ticks_ % 2 == 0 || !member->is_calm())
          member->tick();
        if (ticks_ % 20 == 0 && is_led_[std::size_t(shard)] && !should_lead(shard))
          member->transfer(all_[std::size_t(shard) % all_.size()].node, {});
      }
  }

  void asks(caller& x) {
    if (is_over_) {
      --under_way_;
      return;
    }
    auto what = command{x.origin, ++x.sequence, {}};
    auto key = keys::record_key(x.shard, "u" + std::to_string(x.origin) + "@localhost", keys::family::record,
                                "bench" + std::to_string(x.sequence % 16));
    what.changes.put(key, std::string(options.bytes - std::min(options.bytes, key.size() + 24), 'x'));
    x.since = clock_type::now();
    auto taken = seats_[x.shard]->submit(what, [this, &x](const result<std::uint64_t>& how) {
      ++(how ? commits_ : refused_);
      if (is_counting_)
        x.waits_ms.push_back(std::chrono::duration<float, std::milli>(clock_type::now() - x.since).count());
      asks(x);
    });
    if (!taken) { // It leads no more.
      ++refused_;
      --under_way_;
    }
  }

  struct counts {
    std::uint64_t commits, syncs, packs = 0, wire_bytes = 0;
    double cpu_s;
  };
  counts now() const {
    auto out = counts{commits_, log_->count().batches, 0, 0, bench::process_cpu_s(getpid())};
    for (auto& one : links_->status()) {
      out.packs += one.packs_out;
      out.wire_bytes += one.bytes_out;
    }
    return out;
  }

  report measured(int outstanding) {
    auto callers = std::deque<caller>{};
    is_over_ = false;
    refused_ = 0;
    for (auto i = 0; i < outstanding; ++i)
      if (should_lead(i % options.shards))
        callers.push_back({shard_id(i % options.shards), next_origin_++, 0, {}, {}});
    under_way_ = int(callers.size());
    for (auto& x : callers)
      asks(x);
    sleep_ms(1'000);
    auto before = now();
    auto since = clock_type::now();
    is_counting_ = true;
    sleep_ms(options.seconds * 1'000);
    is_counting_ = false;
    auto after = now();
    auto out = report{};
    out.seconds = std::chrono::duration<double>(clock_type::now() - since).count();
    for (is_over_ = true; under_way_ > 0;)
      sleep_ms(10);
    out.commits = after.commits - before.commits;
    out.refused = refused_;
    out.syncs = after.syncs - before.syncs;
    out.packs = after.packs - before.packs;
    out.wire_bytes = after.wire_bytes - before.wire_bytes;
    out.cpu_s = after.cpu_s - before.cpu_s;
    auto waits = std::vector<float>{};
    for (auto& x : callers)
      waits.insert(waits.end(), x.waits_ms.begin(), x.waits_ms.end());
    std::sort(waits.begin(), waits.end());
    if (!waits.empty()) {
      out.median_ms = double(waits[waits.size() / 2]);
      out.p99_ms = double(waits[waits.size() * 99 / 100]);
    }
    return out;
  }

  const std::size_t number_;
  const std::vector<cluster::identity> all_;
  std::unique_ptr<writer> log_;
  std::vector<std::unique_ptr<seat>> seats_;
  std::vector<std::atomic<bool>> is_led_;
  caf::actor_system_config system_config_;
  std::unique_ptr<caf::actor_system> system_;
  std::unique_ptr<reactor_unit> home_;
  std::unique_ptr<cluster::links> links_;
  std::vector<member_actor> members_;
  unsigned ticks_ = 0;
  std::atomic<std::uint64_t> commits_{0}, refused_{0};
  std::atomic<int> under_way_{0};
  std::atomic<bool> is_over_{false}, is_counting_{false};
  std::uint64_t next_origin_ = 1;
};

// -- who measures -----------------------------------------------------------------------------------------------------

struct process {
  int pid = 0, in = -1, out = -1;
};

process begins(std::size_t number, const std::vector<cluster::identity>& all) {
  int down[2], up[2];
  if (pipe(down) != 0 || pipe(up) != 0)
    die("no pipes");
  auto pid = fork();
  if (pid < 0)
    die("no process");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(down[1]), close(up[0]);
    node{number, all}.serves(down[0], up[1]);
  }
  close(down[0]), close(up[1]);
  return {pid, up[0], down[1]};
}

std::vector<report> all_say(const std::vector<process>& nodes, int outstanding) {
  for (auto& one : nodes)
    put(one.out, order{outstanding});
  auto out = std::vector<report>(nodes.size());
  for (auto i = std::size_t{0}; i < nodes.size(); ++i)
    if (!take(nodes[i].in, out[i]))
      die("a node is gone");
  return out;
}

void waits_for_leaders(const std::vector<process>& nodes) {
  for (auto tries = 0;; ++tries) {
    auto led = 0;
    for (auto& one : all_say(nodes, order::says_what_it_leads))
      led += one.led;
    if (led == options.shards)
      break;
    if (tries > 300)
      die("only " + std::to_string(led) + " groups have the leaders that they should have");
    sleep_ms(100);
  }
  sleep_ms(2'000);
}

void shows(int outstanding, const std::vector<report>& all) {
  auto sum = report{};
  for (auto& x : all) {
    sum.commits += x.commits;
    sum.refused += x.refused;
    sum.syncs += x.syncs;
    sum.packs += x.packs;
    sum.wire_bytes += x.wire_bytes;
    sum.cpu_s += x.cpu_s;
    sum.seconds = std::max(sum.seconds, x.seconds);
    sum.median_ms = std::max(sum.median_ms, x.median_ms);
    sum.p99_ms = std::max(sum.p99_ms, x.p99_ms);
  }
  if (outstanding == 0) {
    std::printf("| %d groups, nobody | %.2f %% of a core, all nodes; %.0f packs a second |\n", options.shards,
                sum.cpu_s / sum.seconds * 100, double(sum.packs) / sum.seconds);
  } else {
    auto commits = double(std::max<std::uint64_t>(sum.commits, 1));
    std::printf("| %d groups, %d outstanding | %.0f commits/s, %.0f µs CPU each, p50 %.2f ms, p99 %.1f ms, %.1f to a "
                "sync, %.2f packs and %.0f bytes on the wire each, %llu refused |\n",
                options.shards, outstanding, commits / sum.seconds, sum.cpu_s / commits * 1e6, sum.median_ms,
                sum.p99_ms, commits * double(options.nodes) / double(std::max<std::uint64_t>(sum.syncs, 1)),
                double(sum.packs) / commits, double(sum.wire_bytes) / commits,
                static_cast<unsigned long long>(sum.refused));
  }
  std::fflush(stdout);
}

void removes_stores() {
  for (auto i = 1; i <= options.nodes; ++i)
    std::filesystem::remove_all(options.folder / ("node" + std::to_string(i)));
}

std::vector<cluster::identity> identities() {
  auto now_s = std::int64_t(std::time(nullptr));
  auto authority = value_of(cluster::make_cluster_authority(now_s), "no authority");
  auto out = std::vector<cluster::identity>{};
  for (auto i = 0; i < options.nodes; ++i) {
    auto one = value_of(cluster::make_identity(), "no identity");
    auto request = value_of(cluster::request_of(one), "no request");
    auto certificate = value_of(cluster::issue(authority, one.node, request, now_s), "no certificate");
    out.push_back(value_of(cluster::admitted(one, authority.cluster, authority.pair.certificate, certificate, now_s),
                           "no member"));
  }
  return out;
}

} // namespace

int main(int argc, char** argv) {
  for (auto i = 1; i < argc; ++i) {
    auto word = std::string{argv[i]};
    auto next = [&] { return std::string{i + 1 < argc ? argv[++i] : ""}; };
    if (word == "--nodes")
      options.nodes = std::atoi(next().c_str());
    else if (word == "--shards")
      options.shards = std::atoi(next().c_str());
    else if (word == "--seconds")
      options.seconds = std::atoi(next().c_str());
    else if (word == "--bytes")
      options.bytes = std::size_t(std::atoi(next().c_str()));
    else if (word == "--port")
      options.port = std::atoi(next().c_str());
    else if (word == "--folder")
      options.folder = next();
    else if (!word.empty() && word.find_first_not_of("0123456789") == word.npos)
      options.outstanding.push_back(std::atoi(word.c_str()));
    else
      die("unknown: " + word + "; its source's head says how to use it");
  }
  if (options.folder.empty() || options.nodes < 1 || options.shards < 1)
    die("it needs --folder PATH");
  if (options.outstanding.empty())
    options.outstanding = {0, 1, 64, 512};
  std::filesystem::create_directories(options.folder);
  removes_stores(); // Of a run that did not end.
  auto all = identities();
  auto nodes = std::vector<process>{};
  for (auto i = std::size_t{0}; i < all.size(); ++i)
    nodes.push_back(begins(i, all));
  waits_for_leaders(nodes);
  auto memory_kib = 0.0;
  for (auto& one : nodes)
    memory_kib += bench::process_memory_kib(one.pid);
  std::printf("| %d groups | %.0f KiB of memory a node |\n", options.shards, memory_kib / options.nodes);
  for (auto outstanding : options.outstanding)
    shows(outstanding, all_say(nodes, outstanding));
  for (auto& one : nodes) {
    put(one.out, order{order::ends});
    waitpid(one.pid, nullptr, 0);
  }
  removes_stores();
}
