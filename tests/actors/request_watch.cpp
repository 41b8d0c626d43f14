#include "actors/request_watch.hpp"

#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto romeo = "romeo@example.com/orchard"_jid;
const auto juliet = "juliet@example.com/balcony"_jid, nurse = "nurse@example.com/hall"_jid;

struct a_watch {
  request_watch it;
  caf::actor_id session = 7;
  std::int64_t now_ms = 1'000;

  static stanza get(const std::string& id, const jid& to) {
    return stanza_of("<iq type='get' id='" + id + "'><ping xmlns='urn:xmpp:ping'/></iq>", romeo, to);
  }
  void asks(const std::string& id, const jid& to) { it.asks(session, get(id, to), now_ms); }
  bool may_have(const std::string& id, const jid& from) {
    return it.may_have(session, stanza_of("<iq type='result' id='" + id + "'/>", from, romeo));
  }
  /// The ids of what is answered now.
  std::string late() {
    auto out = std::string{};
    for (auto& one : it.take_late(now_ms))
      out += std::string{one.what.id()};
    return out;
  }
  void loses() { it.something_is_lost(now_ms); }
  void patience_ends() { now_ms += request_watch::patience_ms; }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_request_watch, a_watch)

BOOST_AUTO_TEST_CASE(keeps_nothing_of_what_is_answered) {
  asks("1", juliet);
  BOOST_TEST(it.size() == 1u);
  BOOST_TEST(may_have("1", juliet));
  BOOST_TEST(it.size() == 0u);
  loses();
  patience_ends();
  BOOST_TEST(late() == "");
}

BOOST_AUTO_TEST_CASE(gives_up_what_was_asked_before_a_loss_and_once) {
  asks("1", juliet);
  ++now_ms;
  loses();
  ++now_ms;
  asks("2", juliet);
  now_ms += request_watch::patience_ms - 2;
  BOOST_TEST(late() == "");
  ++now_ms;
  auto given_up = it.take_late(now_ms);
  BOOST_TEST_REQUIRE(given_up.size() == 1u);
  BOOST_TEST(given_up[0].session == session);
  auto& what = given_up[0].what;
  BOOST_TEST((what.kind == stanza_kind::iq && what.type == stanza_type::error));
  BOOST_TEST(what.id() == "1");
  BOOST_TEST((what.from == juliet && what.to == romeo));
  BOOST_TEST(what.serialize().find("remote-server-timeout") != std::string::npos);
  now_ms += 60'000;
  BOOST_TEST(late() == "");
  loses();
  patience_ends();
  BOOST_TEST(late() == "2");
}

BOOST_AUTO_TEST_CASE(lets_the_first_of_two_answers_through) {
  asks("1", juliet);
  loses();
  patience_ends();
  BOOST_TEST(late() == "1");
  BOOST_TEST(may_have("1", juliet)); // either of them
  BOOST_TEST(!may_have("1", juliet));
  BOOST_TEST(it.size() == 0u);
  BOOST_TEST(may_have("1", juliet)); // nobody's
}

BOOST_AUTO_TEST_CASE(tells_requests_of_one_id_to_several_apart) {
  asks("1", juliet);
  asks("1", nurse);
  BOOST_TEST(may_have("1", nurse));
  loses();
  patience_ends();
  auto given_up = it.take_late(now_ms);
  BOOST_TEST_REQUIRE(given_up.size() == 1u);
  BOOST_TEST((given_up[0].what.from == juliet));
}

BOOST_AUTO_TEST_CASE(answers_each_of_those_that_share_an_id) {
  asks("1", juliet);
  loses();
  patience_ends();
  BOOST_TEST(late() == "1");
  BOOST_TEST(may_have("1", juliet)); // ours
  asks("1", juliet);
  BOOST_TEST(may_have("1", juliet)); // the late one, for all that is known the new one's
  BOOST_TEST(!may_have("1", juliet));
  BOOST_TEST(it.size() == 0u);
}

BOOST_AUTO_TEST_CASE(knows_an_account_by_its_name_and_by_none) {
  asks("1", {});
  asks("2", romeo.bare());
  BOOST_TEST(may_have("1", romeo.bare()));
  BOOST_TEST(may_have("2", {}));
  BOOST_TEST(it.size() == 0u);
}

BOOST_AUTO_TEST_CASE(has_nothing_to_do_with_other_stanzas) {
  asks("1", juliet);
  BOOST_TEST(it.may_have(session, stanza_of("<message id='1'/>", juliet, romeo)));
  BOOST_TEST(it.may_have(session, get("1", romeo)));
  BOOST_TEST(it.may_have(session + 1, stanza_of("<iq type='result' id='1'/>", juliet, nurse)));
  BOOST_TEST(it.size() == 1u);
}

BOOST_AUTO_TEST_CASE(wants_no_answer_for_who_has_left) {
  asks("1", juliet);
  asks("2", juliet);
  it.forget(session);
  BOOST_TEST(it.size() == 0u);
  loses();
  patience_ends();
  BOOST_TEST(late() == "");
}

BOOST_AUTO_TEST_CASE(forgets_the_oldest_of_too_many_of_one_session) {
  for (auto i = std::size_t{0}; i <= request_watch::of_session_max; ++i)
    asks(std::to_string(i) + ' ', juliet);
  BOOST_TEST(it.size() == request_watch::of_session_max);
  loses();
  patience_ends();
  BOOST_TEST(late().starts_with("1 2 "));
}

BOOST_AUTO_TEST_CASE(watches_only_so_many_in_all) {
  auto what = get("1", juliet);
  for (auto i = std::size_t{0}; i < request_watch::requests_max + 10; ++i)
    it.asks(i / 100, what, now_ms);
  BOOST_TEST(it.size() == request_watch::requests_max);
}

BOOST_AUTO_TEST_CASE(does_not_remember_for_ever_what_it_gave_up) {
  asks("1", juliet);
  loses();
  patience_ends();
  BOOST_TEST(late() == "1");
  BOOST_TEST(may_have("1", juliet));
  now_ms += request_watch::remembers_ms;
  BOOST_TEST(late() == "");
  BOOST_TEST(it.size() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
