// A cluster's first node with links of its own, which lets in whom the system group lets in.
#pragma once

#include "cluster/founding.hpp"
#include "cluster/link.hpp"
#include "cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdint>
#include <ctime>
#include <memory>
#include <mutex>
#include <utility>

namespace xmpp::test {

class open_cluster {
public:
  /// `wall_clock_s`: null is the system's.
  explicit open_cluster(cluster::founded first, std::int64_t (*wall_clock_s)() = nullptr)
      : wall_clock_s_(wall_clock_s), first_(std::move(first)), shard_count(std::uint32_t(first_.system.value(shards))) {
    auto options = cluster::link_options{};
    options.self = first_.self;
    options.listen = *net::address::parse("127.0.0.1", 0);
    options.wall_clock_s = wall_clock_s;
    auto callbacks = cluster::link_callbacks{};
    callbacks.on_join = [this](const net::address&, const cluster::join_request& x,
                               cluster::link_callbacks::join_reply reply) {
      const auto guard = std::lock_guard{mutex_};
      ++asked_;
      auto answer = judge(x);
      reply(loses_answers ? net::failure{"lost"} : std::move(answer));
    };
    auto started = cluster::links::start(options, callbacks);
    BOOST_REQUIRE_MESSAGE(started, started.why());
    links_ = *std::move(started);
  }

  cluster::join_token invite() {
    auto token = cluster::make_join_token("127.0.0.1", links_->listen_address().port(), first_.system.ca_certificate);
    BOOST_REQUIRE(token);
    const auto guard = std::lock_guard{mutex_};
    auto done = apply(first_.system, {now_s() * 1'000, cluster::ask::invite{cluster::hash_of_secret(token->secret),
                                                                            (now_s() + 3'600) * 1'000}});
    BOOST_REQUIRE(done.has_value());
    return *token;
  }

  cluster::state system() const {
    const auto guard = std::lock_guard{mutex_};
    return first_.system;
  }
  int times_asked() const {
    const auto guard = std::lock_guard{mutex_};
    return asked_;
  }

private:
  static constexpr auto shards = cluster::setting::shard_count;

  std::int64_t now_s() const { return wall_clock_s_ != nullptr ? wall_clock_s_() : std::int64_t{::time(nullptr)}; }

  net::outcome<cluster::join_answer> judge(const cluster::join_request& x) {
    auto known = first_.system.find(x.node);
    auto key = cluster::check_key(x, known != nullptr ? known->certificate : std::string{});
    if (!key)
      return net::failure{key.why()};
    auto who = cluster::announcement{};
    who.id = x.node;
    who.addresses = x.addresses;
    auto replaces = x.replaces.empty() ? cluster::node_id{0} : first_.system.named(x.replaces).value_or(0);
    auto what = cluster::ask::join{cluster::hash_of_secret(x.secret), who, *key, 0, replaces};
    if (auto done = apply(first_.system, {now_s() * 1'000, what}); !done)
      return net::failure{done.error().text};
    auto authority = cluster::authority_of(first_.system);
    if (!authority)
      return net::failure{authority.error().text};
    auto certificate = cluster::issue(*authority, x.node, x.request, now_s());
    if (!certificate)
      return net::failure{certificate.why()};
    return cluster::join_answer{
        *certificate, {{first_.self.node, first_.system.find(first_.self.node)->says.addresses}}, shard_count, shared};
  }

  std::int64_t (*wall_clock_s_)();
  mutable std::mutex mutex_;
  cluster::founded first_; // under it
  int asked_ = 0;

public:
  std::atomic<bool> loses_answers{false};
  std::atomic<std::uint32_t> shard_count;           ///< As it is said.
  std::string shared = "what all nodes have alike"; ///< Before it is asked.

private:
  std::unique_ptr<cluster::links> links_; // last: its thread ends first
};

} // namespace xmpp::test
