// What the load tool can measure beside what stands in load.cpp.
#pragma once

#include "tests/bench/client.hpp"

#include <utility>
#include <vector>

namespace xmpp::bench {

using pair_of_clients = std::pair<client*, client*>;

/// Each pair sends one message to and fro, as fast as the servers can; then all together at half of that rate, or at
/// `options.rate`.
void chat(const std::string& what, const std::vector<pair_of_clients>& pairs);

/// Ten seconds of nothing: without a session; with `options.users` of them.
void idles();
/// Chat between users of a cluster by where they are and where their accounts are led; wants `options.leaders`.
void mixes();
/// Durable changes, one after the other for each of 1, 64 and 512 sessions.
void changes();

} // namespace xmpp::bench
