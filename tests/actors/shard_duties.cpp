// Who serves a shard changes: the shard's part of it.
#include "tests/actors/shard_of_a_cluster.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <utility>

using namespace xmpp;
using namespace xmpp::test;
using namespace std::chrono_literals;

BOOST_FIXTURE_TEST_SUITE(a_shard_of_a_cluster, shard_of_a_cluster)

BOOST_AUTO_TEST_CASE(refuses_what_comes_before_it_knows_who_serves_it) {
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  BOOST_TEST(found->failed);
}

BOOST_AUTO_TEST_CASE(serves_when_its_node_leads) {
  served_here(1);
  BOOST_TEST(duty() == "serves");
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  works();
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->exists);
}

BOOST_AUTO_TEST_CASE(passes_on_what_another_node_serves) {
  served_there(3);
  BOOST_TEST(duty() == "forwards");
  message("1", romeo);
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->credentials == "of the next");
  BOOST_TEST(elsewhere->delivered.size() == 1u);
  BOOST_REQUIRE(elsewhere->registered.size() == 1u);
  BOOST_TEST(elsewhere->registered[0].node == 1u);
  BOOST_TEST(elsewhere->registered[0].term == 3u);
}

BOOST_AUTO_TEST_CASE(lets_its_sessions_attach_to_who_serves_it_before_all_that_waits) {
  served_here(1);
  binds();
  served_by_nobody();
  BOOST_TEST(duty() == "waits for a leader");
  message("1", garden);
  served_there(2);
  message("2", garden);
  BOOST_TEST(history->asked_again == 1);
  BOOST_TEST(elsewhere->order.empty());
  asks<msg::attached>(it, again());
  BOOST_TEST((elsewhere->order == std::vector<std::string>{"attach", "registered", "1", "2"}));
  BOOST_TEST(duty() == "forwards");
}

BOOST_AUTO_TEST_CASE(waits_for_its_sessions_for_a_while_only) {
  served_here(1);
  binds();
  served_there(2);
  message("1", garden);
  BOOST_TEST(elsewhere->order.empty());
  passes(1s);
  BOOST_TEST((elsewhere->order == std::vector<std::string>{"registered", "1"}));
}

BOOST_AUTO_TEST_CASE(serves_nobody_before_the_sessions_of_all_nodes_are_known) {
  served_here(5, {2, 3});
  message("1", romeo);
  auto far = asks<msg::attached>(it, again()); // as from another node
  works();
  BOOST_TEST(far->value.has_value());
  send(it, msg::registered{0, 2, 5});
  send(it, msg::registered{0, 3, 4}); // of an earlier term
  works();
  BOOST_TEST(duty() == "waits for sessions");
  BOOST_TEST(history->delivered.empty());
  send(it, msg::registered{0, 3, 5});
  works();
  BOOST_TEST(duty() == "serves");
  BOOST_TEST(delivered("id='1'") == 1u);
}

BOOST_AUTO_TEST_CASE(refuses_what_has_waited_for_too_long_and_what_comes_then) {
  served_here(1);
  binds();
  served_by_nobody();
  auto found = asks<msg::found>(it, msg::lookup{juliet});
  auto ask = [&](const std::string& id) {
    send(it, msg::sent{stanza_of("<iq type='get' id='" + id + "'><query xmlns='jabber:iq:roster'/></iq>", garden, {}),
                       server.session_number(client->id())});
  };
  ask("r1");
  BOOST_TEST(!found->has_come());
  passes(1500ms);
  BOOST_TEST(found->failed);
  BOOST_TEST(history->has_been_sent("remote-server-timeout"));
  history->delivered.clear();
  ask("r2");
  BOOST_TEST(delivered("id='r2'") == 1u); // at once
  BOOST_TEST(duty() == "refuses");
  served_here(2);
  asks<msg::attached>(it, again());
  works();
  history->delivered.clear();
  ask("r3");
  works();
  BOOST_TEST(history->has_been_sent("type='result'"));
}

BOOST_AUTO_TEST_CASE(holds_only_so_much) {
  served_here(1);
  binds();
  served_by_nobody();
  auto from = garden;
  for (auto i = 0; i < 20'001; ++i)
    caf::anon_send(it, msg::deliver{stanza_of("<message type='chat' id='m'><body>x</body></message>", from, juliet)});
  settle();
  BOOST_TEST(delivered("resource-constraint") == 1u);
}

BOOST_AUTO_TEST_CASE(keeps_the_order_when_its_users_leave) {
  served_here(1);
  binds();
  // Something is being committed, behind which its user leaves.
  send(it, msg::sent{stanza_of("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/>"
                               "</query></iq>",
                               garden, {}),
                     server.session_number(client->id())});
  served_there(2);
  message("1", garden);
  BOOST_TEST(elsewhere->order.empty());
  BOOST_TEST(history->asked_again == 0);
  works(); // committed after all
  BOOST_TEST(history->has_been_sent("id='s'"));
  BOOST_TEST(history->asked_again == 1);
  asks<msg::attached>(it, again());
  BOOST_TEST((elsewhere->order == std::vector<std::string>{"attach", "registered", "1"}));
}

BOOST_AUTO_TEST_CASE(takes_back_what_its_users_have_not_handled) {
  served_here(1);
  message("1", romeo); // Its user loads.
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  message("2", romeo);
  BOOST_TEST(!store.waiting.empty());
  served_by_nobody();
  message("3", romeo);
  served_there(2);
  message("4", romeo);
  BOOST_TEST((elsewhere->order == std::vector<std::string>{"registered", "1", "2", "3", "4"}));
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->credentials == "of the next");
}

BOOST_AUTO_TEST_CASE(refuses_what_its_users_have_not_handled_as_all_else) {
  served_here(1);
  binds();
  message("1", juliet); // Its user loads.
  caf::anon_send(it, msg::deliver{stanza_of("<message type='chat' id='2'/>", garden, juliet)});
  auto found = asks<msg::found>(it, msg::lookup{juliet});
  served_by_nobody();
  BOOST_TEST(!found->has_come());
  passes(1500ms);
  BOOST_TEST(found->failed);
  BOOST_TEST(delivered("id='2'") == 1u);
  BOOST_TEST(history->has_been_sent("remote-server-timeout"));
}

BOOST_AUTO_TEST_CASE(does_not_wait_for_ever_for_its_users_to_leave) {
  served_here(1);
  binds();
  send(it, msg::sent{stanza_of("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/>"
                               "</query></iq>",
                               garden, {}),
                     server.session_number(client->id())});
  served_there(2);
  passes(1s); // the store does not answer
  BOOST_TEST(history->asked_again == 1);
}

BOOST_AUTO_TEST_CASE(tells_its_node_of_sessions_that_end_while_it_asks_them) {
  served_here(1);
  binds();
  served_there(2);
  server.sessions.remove(garden, client);
  asks<msg::detached>(it, msg::detach{garden, server.session_number(client->id())});
  passes(0s);
  BOOST_TEST(duty() == "forwards");
}

BOOST_AUTO_TEST_CASE(shows_nothing_before_the_others_agree_that_it_still_serves) {
  served_here(1);
  binds();
  store.asks_others = true;
  auto own = server.session_number(client->id());
  send(it, msg::sent{stanza_of("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>", garden, {}), own});
  send(it, msg::sent{stanza_of("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/>"
                               "</query></iq>",
                               garden, {}),
                     own});
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  works();
  BOOST_TEST(!history->has_been_sent("id='g'"));
  BOOST_TEST(!history->has_been_sent("id='s'")); // Stanzas are handled in their order.
  BOOST_TEST(!found->value.has_value());
  BOOST_REQUIRE(store.asking.size() == 2u);
  for (auto& one : store.asking)
    one({});
  works();
  BOOST_TEST(history->has_been_sent("id='g'"));
  BOOST_TEST(history->has_been_sent("id='s'"));
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->exists);
}

BOOST_AUTO_TEST_CASE(refuses_what_it_would_show_when_another_node_may_serve_by_now) {
  served_here(1);
  binds();
  store.asks_others = true;
  auto own = server.session_number(client->id());
  send(it, msg::sent{stanza_of("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>", garden, {}), own});
  send(it, msg::sent{stanza_of("<iq type='get' id='v'><vCard xmlns='vcard-temp'/></iq>", garden, garden.bare()), own});
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  works();
  for (auto round = 0; round < 2; ++round) {
    for (auto& one : std::exchange(store.asking, {}))
      one(errc::not_leader);
    works();
  }
  for (auto id : {"id='g'", "id='v'"})
    BOOST_TEST(std::ranges::any_of(history->delivered, [&](auto& x) {
      auto text = x.serialize();
      return text.find(id) != std::string::npos && text.find("remote-server-timeout") != std::string::npos;
    }));
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST((found->value->failure == errc::remote_server_timeout));
  BOOST_TEST(store.asking.empty());
}

BOOST_AUTO_TEST_SUITE_END()
