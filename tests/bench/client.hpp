// One client among thousands, for load tools: one thread, epoll, incoming XML cut and not parsed. Servers are the nodes
// of a cluster, or one.
#pragma once

#include "tests/fixtures/scram.hpp"

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st;

namespace xmpp::bench {

using clock_type = std::chrono::steady_clock;

struct load_options {
  std::vector<int> ports = {5222}, pids; ///< By node.
  std::vector<int> leaders;              ///< By shard, the number of the node that leads it; empty: one node.
  int users = 2'000, seconds = 5;
  int rate = 0; ///< Messages per second; 0: half of what was possible.
  bool tls = false;
};
inline load_options options;

struct client {
  enum class step { closed, connecting, header, handshake, features, registering, challenge, success, online };
  std::string name, input, output;
  std::unique_ptr<test::scram_client> scram;
  int number = 0, fd = -1;
  int node = 0; ///< Where it connects.
  ssl_st* ssl = nullptr;
  step at = step::closed;
  bool only_registers = false, signed_in = false, is_bound = false;
  clock_type::time_point sent_at{};
  std::function<void(client&, std::string_view)> on_stanza;

  std::string bare() const { return name + "@localhost"; }
};

struct crowd {
  std::vector<std::unique_ptr<client>> clients;
  int online = 0, registered = 0;
};
inline crowd here;

[[noreturn]] void die(const std::string& why);
double seconds_since(clock_type::time_point begin);
bool has(std::string_view text, std::string_view what);

/// Of all servers together.
double server_cpu_s();
double server_memory_kib();

/// Makes `here.clients`, each with its node in turn.
void prepare();
client& user(int n);
void connects(client& x);
void closes(client& x);
void sends(client& x, std::string_view bytes);

/// Serves all sockets until `done`. Fails when it has not come within `limit_s`.
void runs_until(const std::function<bool()>& done, double limit_s = 120);
void runs_for(double seconds);
/// Brings [0, n), or these, online; a hundred at a time.
void go_online(int n, int at_once = 100);
void go_online(const std::vector<client*>& who, int at_once = 100);
void go_offline();
/// Until the servers have nothing left to do: their CPU time nearly stands still.
void let_it_rest();

void row(const char* what, const char* form, auto... xs) {
  std::printf("| %s%s | ", what, options.tls ? ", TLS" : "");
  std::printf(form, xs...);
  std::printf(" |\n");
  std::fflush(stdout);
}

} // namespace xmpp::bench
