// A shard of node 1 in a cluster, and what stands around it: the same shard of node 2, a client, a store.
#pragma once

#include "actors/shard.hpp"
#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

namespace xmpp::test {

struct shard_of_a_cluster : server_fixture {
  const jid romeo = "romeo@example.com"_jid, juliet = "juliet@example.com"_jid;
  const jid garden = romeo.with_resource("garden");
  shard_actor it;
  std::shared_ptr<shard_history> elsewhere = std::make_shared<shard_history>();
  shard_actor there = system().spawn(remembering_shard, elsewhere);
  std::shared_ptr<session_history> history = std::make_shared<session_history>();
  session_actor client = session(history);

  shard_of_a_cluster() : server_fixture(true) {
    server.self = 1;
    put_account(romeo);
    put_account(juliet);
    it = system().spawn<shard>(parent, std::ref(server), shard_id{0});
    server.route.set(0, it);
    settle();
  }
  ~shard_of_a_cluster() {
    if (server.sessions.has(garden))
      server.sessions.remove(garden, client);
    ends(it);
  }

  void served_here(std::uint64_t term, std::vector<std::uint64_t> awaited = {}) {
    send(it, msg::served{1, term, {}, std::move(awaited)});
  }
  /// With the shard of node 2 as its heir.
  void served_here_before(std::uint64_t term) {
    send(it, msg::served{1, term, {}, {}, {{2, caf::actor_cast<caf::strong_actor_ptr>(there)}}});
  }
  void served_there(std::uint64_t term) {
    send(it, msg::served{2, term, caf::actor_cast<caf::strong_actor_ptr>(there)});
  }
  void served_by_nobody() { send(it, msg::served{}); }

  void message(const std::string& id, const jid& to) {
    auto from = juliet.with_resource("balcony");
    send(it, msg::deliver{stanza_of("<message type='chat' id='" + id + "'><body>x</body></message>", from, to)});
  }
  msg::attach again() {
    auto x = attach_of(garden, client);
    x.session_id = server.session_number(client->id());
    x.again = x.available = true;
    return x;
  }
  /// Bound here, and its session in the node's table.
  void binds() {
    auto x = again();
    x.again = false;
    asks<msg::attached>(it, x);
    works();
    server.sessions.add(garden, client);
    auto presence = msg::sent{stanza_of("<presence/>", garden, {}), x.session_id};
    send(it, presence);
    works();
  }
  std::string duty() { return asks<msg::description>(it, msg::describe{})->value->fields.at(3).second; }
  std::size_t delivered(std::string_view part) const {
    auto out = std::size_t{0};
    for (auto& one : history->delivered)
      out += one.serialize().find(part) != std::string::npos ? 1 : 0;
    return out;
  }
};

} // namespace xmpp::test
