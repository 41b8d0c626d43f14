#include "actors/undelivered.hpp"

#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

struct undelivered_in_a_cluster : server_fixture {
  const jid garden = "romeo@example.com/garden"_jid, juliet = "juliet@example.com"_jid;
  std::shared_ptr<session_history> client = std::make_shared<session_history>();
  session_actor romeos = session(client);
  std::shared_ptr<shard_history> shard = std::make_shared<shard_history>();

  explicit undelivered_in_a_cluster(bool is_in_cluster = true) : server_fixture(is_in_cluster) {
    server.route.set(0, system().spawn(remembering_shard, shard));
    server.sessions.add(garden, romeos);
  }
  ~undelivered_in_a_cluster() { server.sessions.remove(garden, romeos); }

  void answers(const std::string& xml, const jid& from, std::optional<shard_id> except = {}) {
    answer_undelivered(server, stanza_of(xml, from, juliet), errc::remote_server_timeout, except);
    settle();
  }
};

struct undelivered_alone : undelivered_in_a_cluster {
  undelivered_alone() : undelivered_in_a_cluster(false) {}
};

constexpr auto message = "<message type='chat' id='1'><body>x</body></message>";

} // namespace

BOOST_AUTO_TEST_SUITE(undelivered)

BOOST_FIXTURE_TEST_CASE(a_sender_whose_session_is_here_is_told_there, undelivered_in_a_cluster) {
  answers(message, garden);
  BOOST_REQUIRE(client->delivered.size() == 1u);
  BOOST_TEST(client->has_been_sent("remote-server-timeout"));
  BOOST_TEST(client->has_been_sent("id='1'"));
  BOOST_TEST((client->delivered[0].from == juliet));
  BOOST_TEST(shard->delivered.empty());
}

BOOST_FIXTURE_TEST_CASE(another_is_told_by_its_account, undelivered_in_a_cluster) {
  auto balcony = garden.bare().with_resource("balcony");
  answers(message, balcony);
  BOOST_TEST(client->delivered.empty());
  BOOST_TEST(shard->has_been_sent(balcony, "remote-server-timeout"));
}

BOOST_FIXTURE_TEST_CASE(it_is_not_told_by_a_shard_that_can_not_handle_it_either, undelivered_in_a_cluster) {
  answers(message, garden.bare().with_resource("balcony"), shard_id{0});
  BOOST_TEST(shard->delivered.empty());
  answers(message, garden, shard_id{0});
  BOOST_TEST(client->delivered.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_single_node_asks_the_account, undelivered_alone) {
  answers(message, garden);
  BOOST_TEST(client->delivered.empty());
  BOOST_TEST(shard->has_been_sent(garden, "remote-server-timeout"));
}

BOOST_FIXTURE_TEST_CASE(nobody_is_told_of_what_must_not_be_answered, undelivered_in_a_cluster) {
  answers("<message type='error' id='1'/>", garden);
  answers("<iq type='result' id='1'/>", garden);
  answers("<presence type='unavailable'/>", garden);
  answers(message, "example.com"_jid); // Nobody reads it there.
  answers(message, {});
  BOOST_TEST(client->delivered.empty());
  BOOST_TEST(shard->delivered.empty());
}

BOOST_AUTO_TEST_CASE(what_a_session_did_not_take_is_for_its_account_unless_it_was_between_the_two) {
  auto full = "romeo@example.com/garden"_jid, juliet = "juliet@example.com/balcony"_jid;
  BOOST_TEST(is_for_account(stanza_of(message, juliet, full)));
  BOOST_TEST(is_for_account(stanza_of(message, full.bare(), full)));
  BOOST_TEST(is_for_account(stanza_of("<iq type='get' id='1'><x/></iq>", juliet, full)));
  BOOST_TEST(!is_for_account(stanza_of("<iq type='set' id='1'><x/></iq>", full.bare(), full))); // A roster push.
  BOOST_TEST(!is_for_account(stanza_of("<iq type='result' id='1'/>", juliet, full)));
  BOOST_TEST(!is_for_account(stanza_of("<presence/>", juliet, full)));
  BOOST_TEST(!is_for_account(stanza_of(message, juliet, "example.com"_jid)));
}

BOOST_AUTO_TEST_SUITE_END()
