// A small load tool: what a server's CPU and memory cost for the work that clients give it, as one row for each kind.
//
//     troupe_bench --port N,... --pid N,... [--users N] [--seconds N] [--tls] [--rate N] [--leaders N,...] PHASE...
//
// Phases: `register` (users u1@localhost ... by XEP-0077; once for a data folder), `login`, `chat`, `presence`,
// `offline`, `storm`; `addresses`, which needs no server; `idle`, `mixes` and `changes` for clusters (phases.hpp). CPU
// is user and system time of the processes --pid between the moments that the counts are taken at, and moves far less
// than rates do on a busy machine. One thread and epoll; incoming XML is cut, not parsed: to judge whether the server
// is right is for the tests.
//
// A cluster has a port and a process for each node: users connect to one after the other, so that two who chat are on
// different nodes.
#include "protocol/jid.hpp"
#include "tests/bench/phases.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>

namespace xmpp::bench {

namespace {

// -- phases -----------------------------------------------------------------------------------------------------------

void registers() {
  auto begin = clock_type::now();
  here.registered = 0;
  for (auto next = 0; next < options.users;) {
    for (; next < options.users && next - here.registered < 50; ++next) {
      user(next).only_registers = true;
      connects(user(next));
    }
    runs_until([&] { return next - here.registered < 50 || here.registered == options.users; });
  }
  runs_until([&] { return here.registered == options.users; }, 600);
  for (auto& x : here.clients)
    x->only_registers = false;
  row("registrations", "%.0f per second", options.users / seconds_since(begin));
}

/// In a server that has had no sessions yet: memory that is used again tells nothing.
void logins() {
  let_it_rest();
  auto memory = server_memory_kib();
  go_online(options.users);
  let_it_rest();
  row("memory of an online session", "%.1f KiB (%d sessions)", (server_memory_kib() - memory) / options.users,
      options.users);
  go_offline(); // by now the tool knows the salts, so it does not stand in its own way
  let_it_rest();
  auto cpu = server_cpu_s();
  auto begin = clock_type::now();
  go_online(options.users);
  row("login", "%.0f µs CPU, %.0f per second", (server_cpu_s() - cpu) / options.users * 1e6,
      options.users / seconds_since(begin));
  let_it_rest();
  cpu = server_cpu_s();
  begin = clock_type::now();
  runs_until([&] { return seconds_since(begin) > 5; });
  row("idle sessions", "%.2f %% of a core", (server_cpu_s() - cpu) / seconds_since(begin) * 100);
}

void chats() {
  auto pairs = std::vector<pair_of_clients>{};
  for (auto i = 0; i + 1 < options.users; i += 2)
    pairs.emplace_back(&user(i), &user(i + 1));
  chat("chat", pairs);
}

void presences() {
  constexpr auto circle = 21; // each has 20 contacts
  auto people = std::min(options.users, 420) / circle * circle;
  go_online(people);
  auto pushes = 0L;
  for (auto i = 0; i < people; ++i)
    user(i).on_stanza = [&](client&, std::string_view x) {
      pushes += has(x.substr(0, 3), "<iq") && has(x, "subscription='both'");
    };
  // Approve each other in advance, then ask: granted at once (RFC 6121, 3.4). Friends of an earlier run are known by
  // the roster that says so.
  for (auto type : {"subscribed", "subscribe"}) {
    for (auto i = 0; i < people; ++i)
      for (auto n = i / circle * circle; n < (i / circle + 1) * circle; ++n)
        if (n != i)
          sends(user(i), "<presence type='" + std::string{type} + "' to='" + user(n).bare() + "'/>");
    let_it_rest();
  }
  auto delivered = 0L;
  for (auto i = 0; i < people; ++i)
    user(i).on_stanza = [&](client&, std::string_view x) {
      delivered += has(x.substr(0, 9), "<presence") && has(x, "<status>");
    };
  auto cpu = server_cpu_s();
  auto begin = clock_type::now();
  auto rounds = 0L;
  while (seconds_since(begin) < options.seconds) {
    ++rounds;
    for (auto i = 0; i < people; ++i)
      sends(user(i), "<presence><status>" + std::to_string(rounds) + "</status></presence>");
    runs_until([&] { return delivered >= rounds * people * circle; });
  }
  row("presence, 20 contacts", "%.1f µs CPU per delivery, %.0f per second",
      (server_cpu_s() - cpu) / static_cast<double>(delivered) * 1e6,
      static_cast<double>(delivered) / seconds_since(begin));
  for (auto& x : here.clients)
    x->on_stanza = nullptr;
}

void offlines() {
  go_offline();
  let_it_rest();
  auto senders = std::min(options.users / 2, 100);
  auto receivers = std::min(options.users / 2, 1'000);
  go_online(senders);
  auto each = 20, answered = 0;
  for (auto i = 0; i < senders; ++i)
    user(i).on_stanza = [&](client&, std::string_view x) { answered += has(x.substr(0, 3), "<iq"); };
  auto cpu = server_cpu_s();
  auto begin = clock_type::now();
  for (auto i = 0; i < receivers; ++i) {
    auto& to = user(options.users - 1 - i);
    auto& from = user(i % senders);
    auto all = std::string{};
    for (auto n = 0; n < each; ++n)
      all += "<message type='chat' to='" + to.bare() + "'><body>" + std::to_string(n) + "</body></message>";
    sends(from, all + "<iq type='get' id='p' to='" + to.bare() + "'><ping xmlns='urn:xmpp:ping'/></iq>");
  }
  runs_until([&] { return answered >= receivers; });
  let_it_rest();
  auto stored = receivers * each;
  row("offline", "%.0f stored per second, %.1f µs CPU each", stored / seconds_since(begin),
      (server_cpu_s() - cpu) / stored * 1e6);
  for (auto& x : here.clients)
    x->on_stanza = nullptr;
  auto got = 0;
  for (auto i = 0; i < receivers; ++i) {
    auto& to = user(options.users - 1 - i);
    to.on_stanza = [&](client&, std::string_view x) {
      got += has(x.substr(0, 8), "<message") && has(x, "urn:xmpp:delay");
    };
    connects(to);
    runs_until([&] { return to.at == client::step::online; });
  }
  let_it_rest();
  row("offline messages lost", "%d of %d", stored - got, stored);
  for (auto& x : here.clients)
    x->on_stanza = nullptr;
}

void storms() {
  go_online(options.users);
  let_it_rest();
  auto memory = server_memory_kib();
  for (auto& x : here.clients)
    closes(*x);
  auto begin = clock_type::now();
  go_online(options.users, options.users);
  auto took = seconds_since(begin);
  let_it_rest();
  row("reconnect storm", "%d sessions back in %.1f s, memory %.2f times that before", options.users, took,
      server_memory_kib() / memory);
}

/// What every stanza pays for its addresses: those that clients send are nearly always prepared already.
void addresses() {
  constexpr auto rounds = 1'000'000;
  for (auto text : {"juliet@capulet.example/balcony", "juliet@capulet.example", "capulet.example"}) {
    auto begin = clock_type::now();
    auto bytes = std::size_t{0};
    for (auto i = 0; i < rounds; ++i)
      bytes += xmpp::jid::parse(text)->text().size();
    auto each_ns = seconds_since(begin) / rounds * 1e9;
    if (bytes != rounds * std::strlen(text))
      die("a prepared address was changed: " + std::string{text});
    row("parsing an address", "%.0f ns: %s", each_ns, text);
  }
}

} // namespace

} // namespace xmpp::bench

int main(int argc, char** argv) {
  using namespace xmpp::bench;
  const std::map<std::string, void (*)()> phases = {{"register", registers},  {"login", logins},     {"chat", chats},
                                                    {"presence", presences},  {"offline", offlines}, {"storm", storms},
                                                    {"addresses", addresses}, {"idle", idles},       {"mixes", mixes},
                                                    {"changes", changes}};
  auto todo = std::vector<void (*)()>{};
  for (auto i = 1; i < argc; ++i) {
    auto word = std::string{argv[i]};
    auto number = [&] { return i + 1 < argc ? std::atoi(argv[++i]) : 0; };
    auto numbers = [&] {
      auto out = std::vector<int>{};
      auto in = std::istringstream{i + 1 < argc ? argv[++i] : ""};
      for (auto one = std::string{}; std::getline(in, one, ',');)
        out.push_back(std::atoi(one.c_str()));
      return out;
    };
    if (word == "--port")
      options.ports = numbers();
    else if (word == "--pid")
      options.pids = numbers();
    else if (word == "--leaders")
      options.leaders = numbers();
    else if (word == "--users")
      options.users = number();
    else if (word == "--seconds")
      options.seconds = number();
    else if (word == "--rate")
      options.rate = number();
    else if (word == "--tls")
      options.tls = true;
    else if (auto phase = phases.find(word); phase != phases.end())
      todo.push_back(phase->second);
    else
      die("unknown: " + word + "; the head of its source says how to use it");
  }
  if (options.ports.empty())
    die("--port is a number, or several with commas between");
  prepare();
  for (auto phase : todo)
    phase();
}
