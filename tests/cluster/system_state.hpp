// A system group's state for tests: nodes have the ids 11, 12, ... and the numbers 1, 2, ...
#pragma once

#include "cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>

namespace xmpp::test {

class system_group {
public:
  explicit system_group(std::uint64_t shards = 4, std::vector<std::pair<cluster::setting, std::uint64_t>> more = {}) {
    more.insert(more.begin(), {cluster::setting::shard_count, shards});
    must(cluster::ask::init{std::string(16, 'i'), announced(11), more, {"example.com"}, "ca", "key", "one", 1'000'000});
  }

  static cluster::announcement announced(cluster::node_id id, const std::string& zone = {}) {
    auto out = cluster::announcement{id, {"10.0.0." + std::to_string(id) + ":5999"}, "xmpp.example.com", "1.0", {}};
    if (!zone.empty())
      out.labels["zone"] = zone;
    return out;
  }

  /// Not through bytes only: each command is also encoded, decoded, and applied to a twin.
  template <class T>
  result<cluster::applied> asks(T what) {
    ++now_ms;
    auto x = cluster::command{now_ms, what};
    auto back = cluster::command::decode(x.encode());
    BOOST_REQUIRE(back.has_value());
    auto other = twin;
    auto out = apply(state, x);
    auto same = apply(other, *back);
    BOOST_REQUIRE(out.has_value() == same.has_value());
    BOOST_REQUIRE(state.encode() == other.encode());
    BOOST_REQUIRE(state.version == twin.version + (out && out->changed ? 1 : 0));
    if (!out || !out->changed)
      BOOST_REQUIRE((state == twin));
    twin = std::move(other);
    return out;
  }

  template <class T>
  cluster::applied must(T what) {
    auto out = asks(std::move(what));
    BOOST_REQUIRE_MESSAGE(out.has_value(), (out ? std::string{} : out.error().text));
    return *out;
  }

  /// Why not.
  template <class T>
  std::string refusal(T what) {
    auto out = asks(std::move(what));
    return out ? "" : std::string{condition_name(out.code())} + ": " + out.error().text;
  }

  /// A node of its own token, which is up.
  void add(cluster::node_id id, const std::string& zone = {}) {
    invites(id);
    must(cluster::ask::join{hash_of(id), announced(id, zone), "one", 1'000'000, 0});
    must(cluster::ask::member_up{announced(id, zone)});
  }

  void invites(std::uint64_t which) { must(cluster::ask::invite{hash_of(which), now_ms + 3'600'000}); }

  static std::string hash_of(std::uint64_t which) {
    auto out = std::to_string(which);
    return std::string(32 - out.size(), '#') + out;
  }

  /// Puts a shard on these nodes, all steps of it.
  void place(shard_id shard, std::vector<cluster::node_id> on) {
    auto x = cluster::ask::begin_move{shard, {}, {}};
    for (auto one : on)
      if (!state.shards.at(shard).has(one))
        x.add.push_back(one);
    for (auto one : state.shards.at(shard).replicas)
      if (std::find(on.begin(), on.end(), one) == on.end())
        x.remove.push_back(one);
    if (x.add.empty() && x.remove.empty())
      return;
    must(x);
    while (state.shards.at(shard).moving)
      steps(shard);
  }

  /// Reports the step that a shard is at as done, of the first node it is about.
  void steps(shard_id shard) {
    auto& now = *state.shards.at(shard).moving;
    auto who = now.at == cluster::step::promote  ? now.add.front()
               : now.at == cluster::step::remove ? now.remove.front()
                                                 : 0;
    must(cluster::ask::move_step_done{shard, now.id, now.at, who});
  }

  cluster::state state, twin;
  std::int64_t now_ms = 1'700'000'000'000;
};

/// Bytes with some changed, missing, or twice there.
inline std::string mutated(std::string bytes, std::mt19937_64& random) {
  for (auto left = 1 + random() % 3; left > 0 && !bytes.empty(); --left) {
    auto at = random() % bytes.size();
    switch (random() % 5) {
    case 0:
      bytes[at] = char(bytes[at] ^ (1 << random() % 8));
      break;
    case 1:
      bytes[at] = char(random());
      break;
    case 2:
      bytes.erase(at, 1 + random() % 4);
      break;
    case 3:
      bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 16));
      break;
    default:
      bytes[at] = char(bytes[at] + (random() % 2 == 0 ? 1 : -1));
    }
  }
  return bytes;
}

} // namespace xmpp::test
