// What all actors of one server share. Everything here outlives them.
#pragma once

#include "actors/config.hpp"
#include "actors/hasher_pool.hpp"
#include "actors/idle_queue.hpp"
#include "actors/interfaces.hpp"
#include "actors/known_capabilities.hpp"
#include "actors/known_iterations.hpp"
#include "actors/request_watch.hpp"
#include "actors/router.hpp"
#include "actors/session_table.hpp"
#include "actors/strangers.hpp"
#include "actors/throttle.hpp"
#include "cluster/replica.hpp"
#include "net/accept_limiter.hpp"
#include "net/tls.hpp"
#include "protocol/extension.hpp"
#include "protocol/stream.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace xmpp {

/// A virtual host as it is now; immutable, swapped whole on a reload.
struct host {
  host_config options;
  host_info info;
};

/// What a reload may change, as one immutable snapshot.
struct live_settings {
  config options;                     ///< What is in force.
  std::vector<config_change> waiting; ///< What the file says otherwise; needs a restart.
  std::unordered_map<std::string, std::shared_ptr<const host>> hosts; ///< By prepared domain.
  std::shared_ptr<const net::tls_context> tls;
  std::shared_ptr<const stream_policy> streams;

  /// Null for a domain that is not ours.
  const host* find_host(std::string_view domain) const;
};

/// Where else clients are taken, each of them in turn.
class other_hosts {
public:
  void set(std::vector<std::string> x) {
    auto guard = std::lock_guard{mutex_};
    hosts_ = std::move(x);
  }
  /// Empty: there is none.
  std::string next() {
    auto guard = std::lock_guard{mutex_};
    return hosts_.empty() ? std::string{} : hosts_[turn_++ % hosts_.size()];
  }
  std::size_t size() const {
    auto guard = std::lock_guard{mutex_};
    return hosts_.size();
  }

private:
  mutable std::mutex mutex_;
  std::vector<std::string> hosts_;
  std::size_t turn_ = 0;
};

class cluster_node;
class user;
namespace remote {
class exchange;
}

struct server_context {
  server_context(std::uint32_t shard_count, std::uint32_t hasher_count, bool is_in_cluster = false);

  /// What the whole cluster knows a session of this process by, and a client of the shards' logs.
  std::uint64_t session_number(caf::actor_id x) const noexcept { return process << 40 | x; }
  caf::actor_id actor_of(std::uint64_t session_number) const noexcept {
    return session_number >> 40 == (process & 0xff'ffff) ? session_number & 0xff'ffff'ffff : 0;
  }
  std::uint64_t origin(caf::actor_id x) const noexcept { return process + x; }

  router route;
  session_table sessions;
  std::unique_ptr<writer> storage;
  std::vector<std::unique_ptr<replica>> replicas; ///< By shard.
  std::shared_ptr<cluster_node> node;             ///< Null: not in a cluster.
  remote::exchange* far = nullptr;                ///< What actors say to other nodes'. Null: not in a cluster.
  std::vector<idle_queue<user>> idle;             ///< By shard: fed by its users, emptied by the shard.
  hasher_pool hashers;
  std::unique_ptr<net::accept_limiter> limiter;
  std::string secret;                      ///< For the salts of accounts that don't exist; random, kept with the data.
  known_iterations iterations;             ///< For the same.
  stream_limits limits;                    ///< As configured at the start: parsers are made with them.
  std::atomic<std::uint16_t> node_id{0};   ///< For the ids of stored messages (ids.hpp).
  std::uint64_t self = 0;                  ///< This node's id in its cluster (cluster/identity.hpp).
  const bool is_in_cluster;                ///< Its shards may be served elsewhere.
  std::unique_ptr<request_watch> requests; ///< Null: not in a cluster.
  const std::uint64_t process;             ///< Random for each start: numbers that contain it are this process's.
  std::atomic<bool> draining{false};       ///< Whoever comes all the same is `sent_away`.
  std::atomic<bool> drains_in_cluster{false}; ///< The same, until it is taken back.
  other_hosts elsewhere;
  strangers unauthenticated;
  known_capabilities capabilities;
  throttle sign_ins;      ///< Failures, by account and by `address::limit_text`.
  throttle registrations; ///< By `address::limit_text`.

  /// A plain call for each stanza, so it looks nothing up under a lock: hosts come and go with a restart only.
  bool is_own_domain(std::string_view domain) const noexcept {
    for (auto& one : domains)
      if (one == domain)
        return true;
    return false;
  }
  std::vector<std::string> domains;

  /// Asked several times for each stanza, so it costs a load. What it points to stays for the handler that asked.
  const live_settings* live() const noexcept { return live_.load(std::memory_order_acquire); }
  void swap_live(std::shared_ptr<const live_settings> next) {
    auto guard = std::lock_guard{kept_mutex_};
    live_.store(next.get(), std::memory_order_release);
    kept_.push_back(std::move(next));
    if (kept_.size() > kept_max)
      kept_.erase(kept_.begin());
  }

  /// The end of streams while it drains.
  msg::end_stream sent_away();

private:
  static constexpr std::size_t kept_max = 8; ///< No handler lives through so many reloads.
  std::atomic<const live_settings*> live_{nullptr};
  std::mutex kept_mutex_;
  std::vector<std::shared_ptr<const live_settings>> kept_;
};

/// Since the epoch.
inline std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

inline std::int64_t steady_time_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

} // namespace xmpp
