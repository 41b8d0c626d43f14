// What contacts see of a shard's sessions, when who serves it dies with some of them.
#include "actors/remote.hpp"
#include "persistence/rosters.hpp"
#include "tests/actors/shard_of_a_cluster.hpp"

using namespace xmpp;
using namespace xmpp::test;
using namespace std::chrono_literals;

namespace {

struct contacts_of_a_cluster : shard_of_a_cluster {
  const jid far = romeo.with_resource("far"); ///< Bound on another node.
  const jid balcony = juliet.with_resource("balcony");
  std::shared_ptr<session_history> seen = std::make_shared<session_history>(); ///< By juliet.
  session_actor contact = session(seen);

  contacts_of_a_cluster() {
    put([&](write_set& to) { rosters::put(to, {0, romeo}, {juliet, {}, subscription::from, false, false, {}}); });
  }
  void juliet_is_there() {
    auto x = attach_of(balcony, contact);
    x.session_id = server.session_number(contact->id());
    asks<msg::attached>(it, x);
    works();
    send(it, msg::sent{stanza_of("<presence/>", balcony, {}), x.session_id});
    works();
    seen->delivered.clear();
  }
  void juliet_comes_again() {
    auto x = attach_of(balcony, contact);
    x.session_id = server.session_number(contact->id());
    x.again = x.available = true;
    x.presence = stanza_of("<presence/>", balcony, {}).tree;
    asks<msg::attached>(it, x);
    works();
  }
  void has_heard(std::uint64_t term, std::vector<jid> there, std::vector<jid> gone = {}, bool is_all = true) {
    send(it, msg::heritage{0, 2, term, is_all, is_all, std::move(there), std::move(gone)});
  }
  /// Long enough for all that goes on bit by bit.
  void paces(int count = 40) {
    for (; count > 0; --count)
      passes(100ms);
    works();
  }
  msg::attach of_far(bool available = true) {
    auto x = attach_of(far, client);
    x.session_id = 99;
    x.again = true;
    x.available = available;
    if (available)
      x.presence = stanza_of("<presence><show>dnd</show></presence>", far, {}).tree;
    return x;
  }
  std::size_t seen_from_far(std::string_view part) const {
    auto out = std::size_t{0};
    for (auto& one : seen->delivered)
      out += one.from == far && one.serialize().find(part) != std::string::npos ? 1 : 0;
    return out;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(presence_in_a_cluster, contacts_of_a_cluster)

BOOST_AUTO_TEST_CASE(heirs_are_told_of_each_session_that_contacts_see) {
  served_here_before(1);
  binds();
  BOOST_TEST_REQUIRE(!elsewhere->heritage.empty());
  auto& news = elsewhere->heritage.back();
  BOOST_TEST((news.there == std::vector<jid>{garden}));
  BOOST_TEST((news.term == 1u && news.node == 1u && !news.begins && !news.ends));
  auto gone = msg::sent{stanza_of("<presence type='unavailable'/>", garden, {}), server.session_number(client->id())};
  gone.was_available = true;
  send(it, gone);
  works();
  BOOST_TEST((elsewhere->heritage.back().gone == std::vector<jid>{garden}));
}

BOOST_AUTO_TEST_CASE(heirs_are_told_of_a_session_that_ends) {
  served_here_before(1);
  binds();
  asks<msg::detached>(it, msg::detach{garden, server.session_number(client->id()), {}, true});
  works();
  BOOST_TEST((elsewhere->heritage.back().gone == std::vector<jid>{garden}));
}

BOOST_AUTO_TEST_CASE(a_new_heir_is_told_all_there_is) {
  served_here(1);
  binds();
  served_here_before(1); // linked since
  paces(1);
  BOOST_TEST_REQUIRE(elsewhere->heritage.size() == 1u);
  auto& all = elsewhere->heritage[0];
  BOOST_TEST((all.begins && all.ends));
  BOOST_TEST((all.there == std::vector<jid>{garden}));
  paces(3);
  served_here_before(1); // nothing new
  paces(3);
  BOOST_TEST(elsewhere->heritage.size() == 1u);
  served_here(1);                                       // the link is down,
  BOOST_TEST_REQUIRE(elsewhere->heritage.size() == 2u); // or it has no replica any more
  BOOST_TEST((elsewhere->heritage[1].ends && elsewhere->heritage[1].there.empty()));
  served_here_before(1); // and up again
  paces(1);
  BOOST_TEST(elsewhere->heritage.size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_session_that_died_with_who_served_it_is_gone_for_its_contacts) {
  served_there(3);
  has_heard(3, {far});
  served_by_nobody();
  served_here_before(4);
  juliet_is_there();
  paces();
  BOOST_TEST(seen_from_far("unavailable") == 1u);
  BOOST_TEST((elsewhere->heritage.back().gone == std::vector<jid>{far}));
  paces();
  BOOST_TEST(seen_from_far("unavailable") == 1u);
}

BOOST_AUTO_TEST_CASE(a_session_that_comes_again_was_never_away) {
  served_there(3);
  has_heard(3, {far});
  served_by_nobody();
  served_here(4, {3});
  asks<msg::attached>(it, of_far());
  works();
  send(it, msg::registered{0, 3, 4});
  juliet_is_there();
  paces();
  BOOST_TEST(seen->delivered.empty());
}

BOOST_AUTO_TEST_CASE(a_client_that_comes_back_under_its_name_was_never_away) {
  served_there(3);
  has_heard(3, {far});
  served_by_nobody();
  served_here(4);
  juliet_is_there();
  auto anew = of_far();
  anew.again = anew.available = false;
  asks<msg::attached>(it, anew);
  works();
  send(it, msg::sent{stanza_of("<presence/>", far, {}), anew.session_id});
  works();
  paces();
  BOOST_TEST(seen_from_far("unavailable") == 0u);
  BOOST_TEST(seen_from_far("<presence") == 1u);
}

BOOST_AUTO_TEST_CASE(a_client_that_comes_back_and_says_nothing_is_gone) {
  served_there(3);
  has_heard(3, {far});
  served_by_nobody();
  served_here(4);
  juliet_is_there();
  auto anew = of_far();
  anew.again = anew.available = false;
  asks<msg::attached>(it, anew);
  works();
  paces();
  BOOST_TEST(seen_from_far("unavailable") == 1u);
}

BOOST_AUTO_TEST_CASE(a_session_that_comes_again_too_late_is_seen_again) {
  served_there(3);
  has_heard(3, {far});
  served_by_nobody();
  served_here(4);
  juliet_is_there();
  paces();
  BOOST_TEST(seen_from_far("unavailable") == 1u);
  asks<msg::attached>(it, of_far());
  works();
  BOOST_TEST(seen_from_far("dnd") == 1u);
}

BOOST_AUTO_TEST_CASE(contacts_hear_what_a_session_has_told_only_who_died) {
  served_there(3);
  has_heard(3, {balcony});
  served_by_nobody();
  served_here(4, {3});
  juliet_comes_again();
  asks<msg::attached>(it, of_far());
  works();
  send(it, msg::registered{0, 3, 4});
  works();
  BOOST_TEST(seen_from_far("dnd") == 1u);
  paces();
  BOOST_TEST(seen->delivered.size() == 1u);
}

BOOST_AUTO_TEST_CASE(contacts_hear_that_a_session_has_told_only_who_died_it_is_away) {
  served_there(3);
  has_heard(3, {balcony, far});
  served_by_nobody();
  served_here(4, {3});
  juliet_comes_again();
  asks<msg::attached>(it, of_far(false));
  works();
  send(it, msg::registered{0, 3, 4});
  paces();
  BOOST_TEST(seen_from_far("unavailable") == 1u);
}

BOOST_AUTO_TEST_CASE(who_does_not_know_what_contacts_see_tells_them_nothing) {
  served_here(4, {3});
  juliet_comes_again();
  asks<msg::attached>(it, of_far());
  works();
  send(it, msg::registered{0, 3, 4});
  paces();
  BOOST_TEST(seen->delivered.empty());
  served_here_before(4);
  paces(1);
  BOOST_TEST_REQUIRE(elsewhere->heritage.size() == 1u);
  BOOST_TEST((elsewhere->heritage[0].there == std::vector<jid>{balcony, far}));
}

BOOST_AUTO_TEST_CASE(a_session_whose_link_was_down_is_seen_again) {
  served_here(4);
  juliet_is_there();
  auto x = of_far();
  asks<msg::attached>(it, x); // again, though it never was here
  works();
  BOOST_TEST(seen_from_far("dnd") == 1u);
  asks<msg::attached>(it, x); // known by now
  works();
  BOOST_TEST(seen_from_far("dnd") == 1u);
}

BOOST_AUTO_TEST_CASE(what_an_earlier_one_says_late_does_not_count) {
  served_there(3);
  has_heard(3, {far});
  has_heard(2, {}, {far}, false);
  served_by_nobody();
  served_here(4);
  has_heard(3, {}, {far}, false); // it does no more
  juliet_is_there();
  paces();
  BOOST_TEST(seen_from_far("unavailable") == 1u);
}

BOOST_AUTO_TEST_CASE(who_serves_it_again_is_told_what_it_may_have_forgotten) {
  served_there(3);
  has_heard(3, {far});
  served_by_nobody();
  served_there(4);
  BOOST_TEST((elsewhere->order == std::vector<std::string>{"registered", "heritage", "registered"}));
  BOOST_TEST((elsewhere->heritage[0].there == std::vector<jid>{far}));
  BOOST_TEST(elsewhere->heritage[0].term == 3u);
}

BOOST_AUTO_TEST_CASE(who_has_forgotten_it_hears_of_a_session_from_others) {
  served_here(4, {2});
  has_heard(3, {far}, {}, false);
  send(it, msg::registered{0, 2, 4});
  juliet_is_there();
  paces();
  BOOST_TEST(seen_from_far("unavailable") == 1u);
}

BOOST_AUTO_TEST_CASE(an_account_of_another_shard_is_not_believed) {
  served_there(3);
  has_heard(3, {romeo}); // no session
  served_by_nobody();
  served_here_before(4);
  paces(1);
  BOOST_TEST_REQUIRE(elsewhere->heritage.size() == 1u);
  BOOST_TEST(elsewhere->heritage[0].there.empty());
}

BOOST_AUTO_TEST_SUITE_END()
