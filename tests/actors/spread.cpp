// Presence for many contacts: one frame for each other node.
#include "actors/spread.hpp"

#include "actors/remote.hpp"
#include "actors/shard.hpp"
#include "actors/user.hpp"
#include "persistence/rosters.hpp"
#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

/// Served by this node; its contacts are all in a shard of node 2.
struct many_contacts : server_fixture {
  struct frame {
    remote::envelope to;
    remote::message what;
  };
  const jid romeo = "romeo@example.com"_jid, garden = romeo.with_resource("garden");
  const shard_id own = server.route.shard_of(romeo), others = 1 - own;
  std::vector<frame> frames;
  bool is_up = true;
  std::unique_ptr<remote::exchange> exchange;
  shard_actor it = system().spawn<shard>(parent, std::ref(server), shard_id{others});
  session_actor client = session(std::make_shared<session_history>());
  user_actor account;
  std::vector<jid> contacts;

  many_contacts() : server_fixture(true, 2) {
    auto calls = remote::exchange_callbacks{};
    calls.send = [this](remote::node_id, std::string_view bytes) {
      auto to = remote::envelope{};
      if (auto read = remote::read(bytes, to); is_up)
        frames.push_back({to, *read});
      return is_up;
    };
    calls.shard = [this](shard_id) { return it; };
    calls.session = [](std::uint64_t) { return session_actor{}; };
    calls.route = [this](const jid&) { return it; };
    exchange =
        std::make_unique<remote::exchange>(system(), remote::exchange_options{1, 2, 100, 30'000}, std::move(calls));
    server.self = 1;
    server.far = exchange.get();
    server.route.set(own, system().spawn(remembering_shard, std::make_shared<shard_history>()));
    server.route.set(others, it);
    store.shard = own;
    put([&](write_set& to) {
      accounts::put(to, {own, romeo}, {1'000, false, "keys"});
      for (auto i = 100; contacts.size() < 30; ++i)
        if (auto one = jid::from_prepared("contact" + std::to_string(i) + "@example.com");
            server.route.shard_of(one) == others) {
          contacts.push_back(one);
          rosters::put(to, {own, romeo}, {one, {}, subscription::both, false, false, {}});
        }
    });
    account = system().spawn<user>(parent, std::ref(server), own, romeo, false);
    works();
    asks<msg::attached>(account, attach_of(garden, client));
  }
  ~many_contacts() {
    ends(account);
    ends(it);
    server.far = nullptr;
    exchange = nullptr;
  }

  void served_here(std::uint64_t term) { send(it, msg::served{1, term}); }
  void served_by_nobody() { send(it, msg::served{}); }
  void is_served_there() {
    send(it, msg::served{2, 3, caf::actor_cast<caf::strong_actor_ptr>(exchange->shard(2, others))});
  }
  void is_available(std::string_view part = {}) {
    caf::anon_send(account, msg::sent{stanza_of("<presence>" + std::string{part} + "</presence>", garden, {}),
                                      server.session_number(client->id()),
                                      {},
                                      false});
  }
  void comes_block(const jid& whom) {
    auto set = "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='" + std::string{whom.text()} +
               "'/></block></iq>";
    send(account, msg::sent{stanza_of(set, garden, {}), server.session_number(client->id())});
    works();
  }
  std::vector<const remote::fan_out*> fan_outs() const {
    auto out = std::vector<const remote::fan_out*>{};
    for (auto& one : frames)
      if (auto x = std::get_if<remote::fan_out>(&one.what))
        out.push_back(x);
    return out;
  }
  std::size_t single(stanza_type type) const {
    auto out = std::size_t{0};
    for (auto& one : frames)
      if (auto x = std::get_if<msg::deliver>(&one.what))
        out += x->what.kind == stanza_kind::presence && x->what.type == type ? 1 : 0;
    return out;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_stanza_for_many, many_contacts)

BOOST_AUTO_TEST_CASE(goes_to_each_node_once) {
  is_served_there();
  frames.clear();
  is_available();
  settle();
  auto sent = fan_outs();
  BOOST_TEST_REQUIRE(sent.size() == 2u); // the presence, and the probes
  BOOST_TEST((sent[0]->what.type == stanza_type::available && sent[1]->what.type == stanza_type::probe));
  BOOST_TEST((sent[0]->what.from == garden));
  BOOST_TEST((sent[0]->targets == contacts));
  BOOST_TEST((sent[1]->targets == contacts));
  BOOST_TEST(single(stanza_type::available) + single(stanza_type::probe) == 0u);
}

BOOST_AUTO_TEST_CASE(stays_behind_what_its_sender_has_sent_before) {
  is_served_there();
  frames.clear();
  is_available();
  // Handled behind that, but sent before.
  caf::anon_send(it, msg::deliver{stanza_of("<message type='chat' id='m'/>", garden, contacts[0])});
  settle();
  BOOST_TEST(fan_outs().empty());
  BOOST_TEST(single(stanza_type::available) == contacts.size());
  auto first = std::get_if<msg::deliver>(&frames.at(0).what);
  BOOST_TEST_REQUIRE(first != nullptr);
  BOOST_TEST(first->what.id() == "m");
}

BOOST_AUTO_TEST_CASE(waits_with_all_others_while_nobody_serves_them) {
  is_served_there();
  served_by_nobody();
  frames.clear();
  is_available();
  settle();
  BOOST_TEST(frames.empty());
  is_served_there();
  BOOST_TEST(single(stanza_type::available) == contacts.size());
  BOOST_TEST(fan_outs().empty());
}

BOOST_AUTO_TEST_CASE(goes_one_by_one_where_no_frame_can_go) {
  is_served_there();
  frames.clear();
  auto text = "<status>" + std::string(remote::frame_bytes_max - 400, 'x') + "</status>"; // fits for one only
  is_available(text);
  settle();
  BOOST_TEST(single(stanza_type::available) == contacts.size());
  BOOST_TEST(fan_outs().empty()); // Nor do the probes go before those.
  BOOST_TEST(single(stanza_type::probe) == contacts.size());
}

BOOST_AUTO_TEST_CASE(goes_one_by_one_to_those_who_shall_not_all_see_it) { // XEP-0191, 3.3
  is_served_there();
  comes_block(contacts[3].with_resource("phone"));
  frames.clear();
  is_available();
  settle();
  BOOST_TEST(fan_outs().at(0)->targets.size() == contacts.size() - 1);
  auto shown = std::size_t{0};
  for (auto& one : frames)
    if (auto x = std::get_if<msg::show>(&one.what)) {
      ++shown;
      BOOST_TEST((x->what.to == contacts[3]));
    }
  BOOST_TEST(shown == 1u);
}

BOOST_AUTO_TEST_CASE(goes_in_several_frames_to_very_many) {
  is_served_there();
  frames.clear();
  auto it = spread{server};
  for (auto i = std::size_t{0}; i < spread::targets_max + 1; ++i)
    BOOST_TEST_REQUIRE(it.takes(contacts[i % contacts.size()]));
  BOOST_TEST(it.send(stanza_of("<presence/>", garden, {})).empty());
  BOOST_TEST(fan_outs().size() == 2u);
}

BOOST_AUTO_TEST_CASE(is_given_back_when_the_link_does_not_take_it) {
  is_served_there();
  auto it = spread{server};
  BOOST_TEST(it.takes(contacts[0]));
  BOOST_TEST(it.takes(contacts[1]));
  is_up = false;
  BOOST_TEST((it.send(stanza_of("<presence/>", garden, {})) == std::vector<jid>{contacts[0], contacts[1]}));
}

BOOST_AUTO_TEST_CASE(takes_nobody_who_is_served_here_or_is_none_of_ours) {
  auto to = spread{server};
  BOOST_TEST(!to.takes(contacts[0])); // nobody serves it yet
  served_here(1);
  BOOST_TEST(!to.takes(contacts[0]));
  is_served_there();
  BOOST_TEST(!to.takes("juliet@elsewhere.example"_jid));
  BOOST_TEST(!to.takes("example.com"_jid));
  BOOST_TEST(to.takes(contacts[0]));
  server.far = nullptr; // a single node
  BOOST_TEST(!to.takes(contacts[0]));
}

BOOST_AUTO_TEST_CASE(what_another_nodes_session_says_goes_on_from_there) { // or what it says next could come first
  auto far = romeo.with_resource("orchard");
  auto x = attach_of(far, client);
  x.node = 2;
  asks<msg::attached>(account, x);
  served_here(1);
  frames.clear();
  send(account,
       msg::sent{stanza_of("<message type='chat' id='m'><body>x</body></message>", far, contacts[0]), x.session_id});
  BOOST_REQUIRE(frames.size() == 1u);
  BOOST_TEST((frames[0].to.to.what == remote::address::kind::shard));
  BOOST_TEST(frames[0].to.to.number == others);
  auto passed_on = std::get_if<msg::deliver>(&frames[0].what);
  BOOST_REQUIRE(passed_on != nullptr);
  BOOST_TEST(passed_on->what.id() == "m");
}

BOOST_AUTO_TEST_SUITE_END()
