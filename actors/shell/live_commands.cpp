// Watching the server run: counters, rates.
#include "actors/metrics.hpp"
#include "actors/shell/command_set.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>
#include <unordered_map>

namespace xmpp::shell {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

const auto process_began = clock::now();

// -- the process --

struct process_use {
  std::int64_t uptime_s = 0;
  std::int64_t cpu_us = 0; ///< User and system.
  std::int64_t resident_bytes = 0;
};

process_use measure_process() {
  auto use = rusage{};
  ::getrusage(RUSAGE_SELF, &use);
  auto us = [](const timeval& x) { return std::int64_t{x.tv_sec} * 1'000'000 + x.tv_usec; };
  auto total = std::int64_t{0}, resident = std::int64_t{0};
  std::ifstream{"/proc/self/statm"} >> total >> resident;
  return {std::chrono::duration_cast<std::chrono::seconds>(clock::now() - process_began).count(),
          us(use.ru_utime) + us(use.ru_stime), resident * ::sysconf(_SC_PAGESIZE)};
}

std::string spaced(std::string_view key) {
  auto result = std::string{key};
  std::replace(result.begin(), result.end(), '_', ' ');
  return result;
}

// -- stats --

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == std::string::npos;
}

result<void> show_stats(context& with, const arguments&) {
  auto use = measure_process();
  auto view = record{{{"uptime", "uptime_s", value{use.uptime_s}, unit::seconds},
                      {"CPU time", "cpu_us", value{use.cpu_us}, unit::microseconds},
                      {"resident memory", "resident_bytes", value{use.resident_bytes}, unit::bytes}}};
  for (auto kind : all_kinds) {
    auto title = std::string{to_string(kind)} + " actors";
    view.fields.push_back({title, key_of(title), value{std::uint64_t{registry::instance().count(kind)}}, unit::count});
  }
  for (auto [key, count] : metrics::instance().read())
    view.fields.push_back({spaced(key), std::string{key}, value{count}, unit::count});
  for (auto& [key, text] : with.server.health()) {
    auto of = !is_number(text) ? unit::text : key.ends_with("_bytes") ? unit::bytes : unit::count;
    view.fields.push_back(
        {spaced(key), key, is_number(text) ? value{std::int64_t(std::stoll(text))} : value{text}, of});
  }
  show(with, view);
  return {};
}

// -- top --

/// More actors than that are not looked at: a sample each second must stay cheap.
constexpr std::size_t top_actors_max = 200'000;

struct sample {
  clock::time_point at = clock::now();
  process_use use = measure_process();
  std::vector<std::pair<std::string_view, std::uint64_t>> counters = metrics::instance().read();
  std::unordered_map<std::uint64_t, std::uint32_t> handled; ///< By the actor's number.
};

struct busy {
  double rate = 0;
  registry::entry who;
};

/// Notes what all actors have handled, and returns those that did most since `before`.
std::vector<busy> look_at_actors(sample& now, const sample* before, std::size_t limit) {
  auto busiest = std::vector<busy>{};
  auto less_busy = [](const busy& a, const busy& b) { return a.rate > b.rate; };
  auto s = before ? std::chrono::duration<double>(now.at - before->at).count() : 1.0;
  for (auto kind : all_kinds)
    registry::instance().for_each(kind, [&](const registry::entry& x) {
      now.handled.emplace(x.id, x.handled);
      if (before) {
        auto then = before->handled.find(x.id);
        auto rate = (x.handled - (then == before->handled.end() ? 0 : then->second)) / s;
        if (rate > 0 || x.mailbox > 0) {
          busiest.push_back({rate, x});
          busiest.back().who.actor = nullptr;
          std::push_heap(busiest.begin(), busiest.end(), less_busy);
          if (busiest.size() > limit) {
            std::pop_heap(busiest.begin(), busiest.end(), less_busy);
            busiest.pop_back();
          }
        }
      }
      return now.handled.size() < top_actors_max;
    });
  std::sort(busiest.begin(), busiest.end(), less_busy);
  return busiest;
}

std::string draw_top(const sample& before, const sample& now, const std::vector<busy>& busiest, const style& how) {
  static constexpr std::string_view shown[] = {"stanzas_received", "stanzas_sent",   "messages_delivered",
                                               "sign_ins",         "sessions_bound", "offline_stored",
                                               "commits",          "streams_broken", "actors_failed"};
  auto s = std::chrono::duration<double>(now.at - before.at).count();
  auto cpu = double(now.use.cpu_us - before.use.cpu_us) / s / 10'000;
  auto all = [](actor_kind kind) { return std::uint64_t{registry::instance().count(kind)}; };
  auto rates = table{
      {{"", "counter"}, {"per second", "per_second", unit::per_second}, {"in all", "total", unit::count}}, {}, {}, {}};
  for (auto i = std::size_t{0}; i < now.counters.size(); ++i) {
    auto [key, total] = now.counters[i];
    if (how.json || std::find(std::begin(shown), std::end(shown), key) != std::end(shown))
      rates.rows.push_back({value{how.json ? std::string{key} : spaced(key)},
                            value{double(total - before.counters[i].second) / s}, value{total}});
  }
  auto actors = table{{{"busiest actors", "kind"},
                       {"name", "name", unit::text, true},
                       {"number", "number", unit::number},
                       {"messages/s", "messages_per_second", unit::per_second},
                       {"mailbox", "mailbox", unit::count},
                       {"memory", "memory_bytes", unit::bytes}},
                      {},
                      "no actor has anything to do",
                      {}};
  for (auto& [rate, x] : busiest)
    actors.rows.push_back({value{to_string(x.kind)}, x.name.empty() ? value{} : value{x.name}, value{x.id}, value{rate},
                           value{x.mailbox}, x.memory_bytes ? value{x.memory_bytes} : value{}});
  if (how.json) {
    auto head = record{{{"", "uptime_s", value{now.use.uptime_s}},
                        {"", "cpu_percent", value{cpu}},
                        {"", "resident_bytes", value{now.use.resident_bytes}},
                        {"", "sessions", value{all(actor_kind::session)}},
                        {"", "users", value{all(actor_kind::user)}}}};
    auto result = render(head, how);
    auto join = [&](std::string_view key, std::string part) {
      result.resize(result.size() - 2); // "}\n"
      part.pop_back();
      result.append(",\"").append(key).append("\":").append(part).append("}\n");
    };
    join("rates", render(rates, how));
    join("actors", render(actors, how));
    return result;
  }
  auto text = paint("up ", tone::dim, how) + format(value{now.use.uptime_s}, unit::seconds);
  auto add = [&](const char* title, const value& what, unit of) {
    text += paint("   " + std::string{title} + " ", tone::dim, how) + format(what, of, how.utf8);
  };
  add("CPU", value{cpu}, unit::percent);
  add("memory", value{now.use.resident_bytes}, unit::bytes);
  add("sessions", value{all(actor_kind::session)}, unit::count);
  add("users", value{all(actor_kind::user)}, unit::count);
  add("connections", value{metrics::instance().connections_open.load()}, unit::count);
  return text + "\n\n" + render(rates, how) + "\n" + render(actors, how);
}

result<void> top(context& with, const arguments& args) {
  auto limit = args.number("limit", 12, 1, 200);
  auto interval = args.number("interval", 1, 1, 3'600);
  // Where nothing can be refreshed, one look is what is meant.
  auto count = args.number("count", with.out.has_screen() ? 0 : 1, 1, 1'000'000);
  for (auto* one : {&limit, &interval, &count})
    if (!*one)
      return one->error();
  auto before = sample{};
  look_at_actors(before, nullptr, 0);
  for (auto i = std::int64_t{0}; *count == 0 || i < *count; ++i) {
    // The first picture comes soon.
    if (!with.out.wait(i == 0 && with.out.has_screen() ? 300ms : std::chrono::seconds{*interval}))
      return {};
    auto now = sample{};
    auto busiest = look_at_actors(now, &before, std::size_t(*limit));
    auto text = draw_top(before, now, busiest, with.out.look());
    if (with.out.has_screen() && !with.out.look().json)
      with.out.refresh(text + paint("\nCtrl-C or q: back", tone::dim, with.out.look()) + "\n");
    else
      with.out.write(text);
    before = std::move(now);
  }
  return {};
}

} // namespace

std::vector<command> live_commands() {
  return {
      {.name = "top",
       .help = "Shows, anew each second, what the server does and which actors do most.",
       .options = {{"limit", "N", "how many actors"},
                   {"interval", "S", "seconds between two looks"},
                   {"count", "N", "how many looks"}},
       .run = top},
      {.name = "stats", .help = "Shows all counters since the start.", .run = show_stats},
  };
}

} // namespace xmpp::shell
