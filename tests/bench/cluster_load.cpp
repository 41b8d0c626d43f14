// What is asked of a cluster's nodes in particular, and chat, which is asked of any server.
#include "persistence/keys.hpp"
#include "tests/bench/phases.hpp"

#include <algorithm>
#include <map>
#include <random>

namespace xmpp::bench {

namespace {

constexpr auto idle_s = 10.0;

/// Sorts; p from 0 to 1.
double percentile(std::vector<float>& of, double p) {
  if (of.empty())
    return 0;
  std::sort(of.begin(), of.end());
  return static_cast<double>(of[static_cast<std::size_t>(p * static_cast<double>(of.size() - 1))]);
}

std::vector<client*> both_of_all(const std::vector<pair_of_clients>& pairs) {
  auto out = std::vector<client*>{};
  for (auto& [one, other] : pairs) {
    out.push_back(one);
    out.push_back(other);
  }
  return out;
}

float ms_since(clock_type::time_point begin) {
  return std::chrono::duration<float, std::milli>(clock_type::now() - begin).count();
}

int leader_of(const client& x) {
  return options.leaders[shard_of(x.bare(), static_cast<std::uint32_t>(options.leaders.size()))];
}

// -- where two who chat are, and where their accounts are led ---------------------------------------------------------

struct mix {
  const char* what;
  bool same_leader;
  /// The nodes of both sessions, by where the accounts are led and how many nodes there are.
  std::pair<int, int> (*nodes)(int one, int other, int count);
};

constexpr mix all_mixes[] = {
    {"all on one node", true,
     [](int one, int, int) {
       return std::pair{one, one};
     }},
    {"two nodes, led where the recipient is", false,
     [](int one, int other, int) {
       return std::pair{one, other};
     }},
    {"two nodes, led where the sender is", false,
     [](int one, int other, int) {
       return std::pair{other, one};
     }},
    {"both on one node, led on another", true,
     [](int one, int, int n) {
       return std::pair{(one + 1) % n, (one + 1) % n};
     }},
    {"three nodes", true,
     [](int one, int, int n) {
       return std::pair{(one + 1) % n, (one + 2) % n};
     }},
};

/// Users in pairs whose accounts are led by one node, or by two.
std::vector<pair_of_clients> pairs_by_leader(bool same) {
  auto by_leader = std::map<int, std::vector<client*>>{};
  for (auto& x : here.clients)
    by_leader[leader_of(*x)].push_back(x.get());
  auto out = std::vector<pair_of_clients>{};
  auto take = [](std::vector<client*>& from) {
    auto last = from.back();
    from.pop_back();
    return last;
  };
  for (auto more = true; std::exchange(more, false);)
    for (auto i = by_leader.begin(); i != by_leader.end(); ++i) {
      auto next = std::next(i) == by_leader.end() ? by_leader.begin() : std::next(i);
      auto& with = same ? i->second : next->second;
      if (i->second.empty() || with.empty() || (same && with.size() < 2) || (!same && next == i))
        continue;
      auto one = take(i->second);
      out.emplace_back(one, take(with));
      more = true;
    }
  return out;
}

void at_random() {
  auto draw = std::mt19937{1};
  auto all = std::vector<client*>{};
  for (auto& x : here.clients) {
    x->node = static_cast<int>(draw() % options.ports.size());
    all.push_back(x.get());
  }
  std::shuffle(all.begin(), all.end(), draw);
  auto pairs = std::vector<pair_of_clients>{};
  for (auto i = std::size_t{0}; i + 1 < all.size(); i += 2)
    pairs.emplace_back(all[i], all[i + 1]);
  chat("chat, nodes and leaders at random", pairs);
}

void changes_of(int outstanding) {
  auto who = std::vector<client*>{};
  for (auto i = 0; i < outstanding; ++i)
    who.push_back(&user(i));
  go_online(who);
  auto done = 0L, refused = 0L;
  auto stop = false;
  auto waits = std::vector<float>{};
  auto count = 0L;
  auto asks = [&](client& x) {
    x.sent_at = clock_type::now();
    sends(x, "<iq type='set' id='c'><query xmlns='jabber:iq:private'><n xmlns='urn:bench'>" + std::to_string(++count) +
                 std::string(100, 'x') + "</n></query></iq>");
  };
  for (auto x : who)
    x->on_stanza = [&](client& self, std::string_view said) {
      if (!has(said.substr(0, 3), "<iq") || !has(said, "id='c'"))
        return;
      ++(has(said, "type='result'") ? done : refused);
      waits.push_back(ms_since(self.sent_at));
      if (!stop)
        asks(self);
    };
  for (auto x : who)
    asks(*x);
  runs_for(1);
  done = 0;
  waits.clear();
  auto cpu = server_cpu_s();
  auto begin = clock_type::now();
  runs_for(options.seconds);
  auto each = (server_cpu_s() - cpu) / static_cast<double>(std::max(done, 1L)) * 1e6;
  row(("changes, " + std::to_string(outstanding) + " outstanding").c_str(),
      "%.0f per second, %.0f µs CPU each, p50 %.2f ms, p99 %.1f ms, %ld refused",
      static_cast<double>(done) / seconds_since(begin), each, percentile(waits, 0.5), percentile(waits, 0.99), refused);
  stop = true;
  runs_for(1);
  for (auto x : who)
    x->on_stanza = nullptr;
}

} // namespace

void chat(const std::string& what, const std::vector<pair_of_clients>& pairs) {
  auto who = both_of_all(pairs);
  go_online(who);
  auto delivered = 0L;
  auto latencies = std::vector<float>{};
  auto body = std::string(64, 'x');
  auto stop = false;
  auto speaks = [&](client& x, const client& to) {
    x.sent_at = clock_type::now();
    sends(x, "<message type='chat' to='" + to.bare() + "'><body>" + body + "</body></message>");
  };
  for (auto i = std::size_t{0}; i < who.size(); ++i)
    who[i]->on_stanza = [&, other = who[i ^ 1]](client& x, std::string_view stanza) {
      if (!has(stanza.substr(0, 8), "<message"))
        return;
      ++delivered;
      latencies.push_back(ms_since(other->sent_at));
      if (!stop)
        speaks(x, *other);
    };
  for (auto& [one, other] : pairs)
    speaks(*one, *other);
  runs_for(1);
  delivered = 0;
  latencies.clear();
  auto cpu = server_cpu_s();
  auto begin = clock_type::now();
  runs_for(options.seconds);
  auto rate = static_cast<double>(delivered) / seconds_since(begin);
  auto cost = (server_cpu_s() - cpu) / static_cast<double>(delivered) * 1e6;
  row((what + ", closed loop").c_str(),
      "%.1f µs CPU per delivered message, %.0f per second, p50 %.1f ms, p99 %.1f ms (%zu pairs)", cost, rate,
      percentile(latencies, 0.5), percentile(latencies, 0.99), pairs.size());
  stop = true;
  runs_for(1);
  // Now at a rate of ours, in turns of 10 ms.
  rate = options.rate > 0 ? options.rate : rate / 2;
  delivered = 0;
  latencies.clear();
  cpu = server_cpu_s();
  begin = clock_type::now();
  auto sent = 0L;
  runs_until([&] {
    for (auto due = static_cast<long>(seconds_since(begin) * rate); sent < due; ++sent) {
      auto i = static_cast<std::size_t>(sent) % who.size();
      speaks(*who[i], *who[i ^ 1]);
    }
    return seconds_since(begin) > options.seconds;
  });
  runs_until([&] { return delivered >= sent; });
  row((what + (options.rate > 0 ? ", at that rate" : ", half of that rate")).c_str(),
      "%.1f µs CPU per delivered message, %.0f per second, p50 %.1f ms, p99 %.1f ms",
      (server_cpu_s() - cpu) / static_cast<double>(delivered) * 1e6,
      static_cast<double>(delivered) / seconds_since(begin), percentile(latencies, 0.5), percentile(latencies, 0.99));
  for (auto x : who)
    x->on_stanza = nullptr;
}

void idles() {
  go_offline();
  let_it_rest();
  auto looks = [](const char* what) {
    auto cpu = server_cpu_s();
    auto begin = clock_type::now();
    runs_for(idle_s);
    row(what, "%.2f %% of a core, %.1f MiB of memory", (server_cpu_s() - cpu) / seconds_since(begin) * 100,
        server_memory_kib() / 1'024);
  };
  looks("idle, no session");
  go_online(options.users);
  let_it_rest();
  looks(("idle, " + std::to_string(options.users) + " sessions").c_str());
}

void mixes() {
  if (options.leaders.empty())
    die("mixes wants --leaders: the number of the node that leads each shard, from 0");
  auto count = static_cast<int>(options.ports.size());
  for (auto& one : all_mixes) {
    auto pairs = pairs_by_leader(one.same_leader);
    if (pairs.empty())
      continue;
    go_offline();
    for (auto& [a, b] : pairs)
      std::tie(a->node, b->node) = one.nodes(leader_of(*a), leader_of(*b), count);
    let_it_rest();
    chat(std::string{"chat, "} + one.what, pairs);
  }
  go_offline();
  let_it_rest();
  at_random();
}

void changes() {
  go_offline();
  let_it_rest();
  for (auto outstanding : {1, 64, 512})
    if (outstanding <= options.users)
      changes_of(outstanding);
}

} // namespace xmpp::bench
