#include "actors/user.hpp"

#include "persistence/offline.hpp"
#include "persistence/rosters.hpp"
#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;
using namespace std::chrono_literals;

namespace {

hasher_actor::behavior_type busy_hasher(hasher_actor::pointer self,
                                        std::shared_ptr<std::vector<caf::typed_response_promise<msg::derived>>> asked) {
  return {[](const msg::check_password&) { return msg::password_checked{}; },
          [self, asked](const msg::derive&) -> caf::result<msg::derived> {
            asked->push_back(self->make_response_promise<msg::derived>());
            return asked->back();
          },
          [asked](const msg::verdict&) { // now
            for (auto& one : std::exchange(*asked, {}))
              one.deliver(msg::derived{errc::none, "new keys"});
          },
          [](const msg::fail_now&) {}, [](const msg::describe&) { return msg::description{}; }};
}

struct one_user : server_fixture {
  const jid romeo = "romeo@example.com"_jid, juliet = "juliet@example.com"_jid, tybalt = "tybalt@example.com"_jid;
  std::shared_ptr<shard_history> shard = std::make_shared<shard_history>();
  user_actor it;
  struct client {
    std::shared_ptr<session_history> history = std::make_shared<session_history>();
    session_actor actor;
    jid full;
    std::shared_ptr<bool> available = std::make_shared<bool>(false); ///< As it says to its account.
  };
  std::vector<jid> bound; ///< In the table of sessions.

  one_user() { server.route.set(0, system().spawn(remembering_shard, shard)); }

  void starts(bool behind_pending = false) {
    it = system().spawn<user>(parent, std::ref(server), shard_id{0}, romeo, behind_pending);
    settle();
  }
  void put_contact(subscription what) {
    put([&](write_set& to) { rosters::put(to, {0, romeo}, {juliet, {}, what, false, false, {}}); });
  }
  void starts_with_account() {
    put_account(romeo);
    starts();
    works();
  }
  client makes_client() {
    auto x = client{};
    x.actor = session(x.history);
    return x;
  }
  std::shared_ptr<answer<msg::attached>> attaches(client& x, const std::string& resource) {
    auto what = attach_of(romeo.with_resource("x"), x.actor);
    what.resource = resource;
    auto done = asks<msg::attached>(it, what);
    if (done->value)
      x.full = done->value->full;
    return done;
  }
  client attached(const std::string& resource) {
    auto x = makes_client();
    auto done = attaches(x, resource);
    BOOST_REQUIRE((done->value && done->value->failure == errc::none));
    return x;
  }
  /// `turn`: as its session holds it for what comes next; a counter of its own else.
  void sends(const client& x, const std::string& xml, const jid& to = {}, std::shared_ptr<const void> turn = {}) {
    auto what = msg::sent{stanza_of(xml, x.full, to), server.session_number(x.actor->id()), {}, *x.available};
    what.turn = turn ? std::move(turn) : std::make_shared<const int>();
    if (what.what.kind == stanza_kind::presence && to.empty())
      *x.available = what.what.type == stanza_type::available;
    send(it, std::move(what));
  }
  void arrives(const std::string& xml, const jid& from, const jid& to) {
    send(it, msg::deliver{stanza_of(xml, from, to)});
  }
  void message(const std::string& body) {
    arrives("<message type='chat'><body>" + body + "</body></message>", juliet, romeo);
  }
  /// The messages' bodies, in order.
  static std::string bodies(const client& x) {
    auto out = std::string{};
    for (auto& one : x.history->delivered)
      if (auto body = one.child("body", "jabber:client"))
        out += body.text();
    return out;
  }
  std::string described(const std::string& field) {
    auto said = asks<msg::description>(it, msg::describe{});
    if (said->value)
      for (auto& [name, value] : said->value->fields)
        if (name == field)
          return value;
    return "?";
  }
  /// Remembered as bound, as its session would be.
  void registers(const client& x) {
    server.sessions.add(x.full, x.actor);
    table.emplace_back(x.full, x.actor);
  }
  void attaches_again(const client& x, bool available = false) {
    auto what = attach_of(x.full, x.actor);
    what.again = true;
    what.available = available;
    if (available)
      what.presence = stanza_of("<presence/>", x.full, {}).tree;
    asks<msg::attached>(it, what);
  }
  /// Its password is to be changed; who derives what is stored has not answered.
  hasher_actor changes_password(const client& x) {
    auto asked = std::make_shared<std::vector<caf::typed_response_promise<msg::derived>>>();
    auto hasher = system().spawn(busy_hasher, asked);
    server.hashers.set(0, hasher);
    sends(x, "<iq type='set' id='1'><query xmlns='jabber:iq:register'><username>romeo</username>"
             "<password>new</password></query></iq>");
    BOOST_REQUIRE(asked->size() == 1u);
    return hasher;
  }
  void fails_and_restarts() {
    send(it, msg::fail_now{});
    send(it, msg::verdict{});
    works();
  }
  void detaches(const client& x) { send(it, msg::detach{x.full, server.session_number(x.actor->id())}); }
  /// What it could not take has come back.
  void has_left(const client& x) { send(it, msg::has_left{x.full, server.session_number(x.actor->id())}); }
  void comes_back(const client& x, const std::string& body) {
    auto& its = *x.history;
    for (auto i = std::size_t{0}; i < its.copies.size(); ++i)
      if (auto said = its.delivered[i].child("body", "jabber:client"); said && said.text() == body)
        send(it, msg::came_back{its.delivered[i], server.session_number(x.actor->id()), its.copies[i]});
  }
  bool has_retired() const { return !shard->retired.empty(); }
  bool still_runs() { return runs(caf::actor_cast<caf::weak_actor_ptr>(it)); }

  ~one_user() {
    for (auto& [full, actor] : table)
      server.sessions.remove(full, actor);
    server.hashers.clear();
    ends(it);
  }

private:
  std::vector<std::pair<jid, session_actor>> table;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_user, one_user)

// -- loading --

BOOST_AUTO_TEST_CASE(answers_when_its_records_are_there) {
  put_account(romeo, "keys");
  starts();
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  BOOST_TEST(!found->has_come());
  BOOST_TEST(described("phase") == "loading");
  works();
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST((found->value->failure == errc::none));
  BOOST_TEST(found->value->exists);
  BOOST_TEST(found->value->enabled);
  BOOST_TEST(found->value->credentials == "keys");
  BOOST_TEST(described("phase") == "ready");
}

BOOST_AUTO_TEST_CASE(needs_no_disk_when_its_records_are_in_memory) {
  store.is_cold = false;
  put_account(romeo, "keys");
  starts();
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  BOOST_TEST(store.waiting.empty());
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->credentials == "keys");
}

BOOST_AUTO_TEST_CASE(says_so_when_there_is_no_such_account) {
  starts();
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  works();
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST((found->value->failure == errc::none));
  BOOST_TEST(!found->value->exists);
  BOOST_TEST(has_retired()); // anybody can make us start one of these
}

BOOST_AUTO_TEST_CASE(tells_of_a_disabled_account) {
  put_account(romeo, "keys", true);
  starts();
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  works();
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->exists);
  BOOST_TEST(!found->value->enabled);
  auto x = makes_client();
  BOOST_TEST((attaches(x, "garden")->value->failure == errc::not_allowed));
}

BOOST_AUTO_TEST_CASE(gives_the_credentials_as_often_as_it_is_asked) {
  put_account(romeo, "keys");
  starts();
  works();
  for (auto i = 0; i < 3; ++i) {
    auto found = asks<msg::found>(it, msg::lookup{romeo});
    works();
    BOOST_REQUIRE(found->value.has_value());
    BOOST_TEST(found->value->credentials == "keys");
  }
}

BOOST_AUTO_TEST_CASE(says_why_when_credentials_can_not_be_read) {
  starts_with_account();
  asks<msg::found>(it, msg::lookup{romeo});
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  store.unreadable = errc::storage_failure;
  works();
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST((found->value->failure == errc::storage_failure));
  store.unreadable = errc::none;
  auto again = asks<msg::found>(it, msg::lookup{romeo});
  works();
  BOOST_TEST((again->value->failure == errc::none));
}

BOOST_AUTO_TEST_CASE(that_can_not_be_loaded_fails_and_what_waits_is_answered_later) {
  for (auto cold : {true, false}) {
    BOOST_TEST_CONTEXT((cold ? "on disk" : "in memory")) {
      put_account(romeo);
      store.is_cold = cold;
      store.unreadable = errc::storage_failure;
      failures->clear();
      starts();
      auto found = asks<msg::found>(it, msg::lookup{romeo});
      works();
      BOOST_TEST(failures->size() == 1u);
      BOOST_TEST(still_runs());
      BOOST_TEST(!found->has_come());
      send(it, msg::verdict{}); // still no luck
      works();
      BOOST_TEST(failures->size() == 2u);
      store.unreadable = errc::none;
      send(it, msg::verdict{});
      works();
      BOOST_REQUIRE(found->value.has_value());
      BOOST_TEST(found->value->exists);
      ends(it);
    }
  }
}

BOOST_AUTO_TEST_CASE(handles_what_came_while_it_was_loading_in_order) {
  put_account(romeo);
  starts();
  auto x = makes_client();
  auto attached = attaches(x, "garden");
  message("1");
  message("2");
  BOOST_TEST(!attached->has_come());
  works();
  BOOST_REQUIRE(attached->value.has_value());
  BOOST_TEST((attached->value->full == romeo.with_resource("garden")));
  BOOST_TEST(described("offline messages") == "2"); // nobody was available
}

BOOST_AUTO_TEST_CASE(reads_behind_the_changes_that_its_predecessor_has_under_way) {
  put_account(romeo);
  starts();
  works();
  auto done = asks<msg::outcome>(it, msg::set_credentials{romeo, "new keys", false});
  ends(it, caf::exit_reason::kill);
  starts(true);
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  works();
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->credentials == "new keys");
}

// -- sessions --

BOOST_AUTO_TEST_CASE(lets_nobody_in_without_an_account) {
  starts();
  works();
  auto x = makes_client();
  auto done = attaches(x, "garden");
  works();
  // It may have retired by now: then its shard answers.
  BOOST_TEST((!done->value || done->value->failure == errc::not_allowed || shard->attached == 1));
}

BOOST_AUTO_TEST_CASE(makes_a_resource_for_a_client_that_wants_none) { // RFC 6120, 7.6
  starts_with_account();
  auto x = attached(""), y = attached("");
  BOOST_TEST(!x.full.resource().empty());
  BOOST_TEST((x.full.bare() == romeo));
  BOOST_TEST((x.full != y.full));
}

BOOST_AUTO_TEST_CASE(replaces_a_session_by_its_successor) { // RFC 6120, 7.7.2.2
  options.c2s.conflict = conflict_policy::replace;
  configure();
  starts_with_account();
  auto x = attached("garden");
  auto y = attached("garden");
  BOOST_TEST((x.history->ended == std::vector{errc::conflict}));
  BOOST_TEST(y.history->ended.empty());
  sends(y, "<presence/>");
  has_left(x);
  message("hello");
  BOOST_TEST(bodies(y) == "hello");
  BOOST_TEST(bodies(x).empty());
}

BOOST_AUTO_TEST_CASE(hears_nothing_more_of_a_replaced_session) {
  starts_with_account();
  auto x = attached("garden");
  auto y = attached("garden");
  sends(y, "<presence/>");
  sends(x, "<presence type='unavailable'/>"); // was on its way
  detaches(x);
  has_left(x);
  message("hello");
  BOOST_TEST(bodies(y) == "hello");
}

BOOST_AUTO_TEST_CASE(what_comes_waits_for_what_an_ended_session_could_not_take) { // RFC 6120, 10.1
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<presence/>");
  message("1");
  message("2");
  auto y = attached("balcony");
  detaches(x);
  message("3");
  sends(y, "<message type='chat'><body>own</body></message>", romeo);
  sends(y, "<presence/>");
  comes_back(x, "1");
  comes_back(x, "2");
  BOOST_TEST(bodies(y).empty());
  has_left(x);
  message("4");
  works();
  BOOST_TEST(bodies(y) == "123own4");
}

BOOST_AUTO_TEST_CASE(what_comes_waits_for_what_a_replaced_session_could_not_take) {
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<presence/>");
  message("1");
  auto y = attached("garden");
  sends(y, "<presence/>");
  message("2");
  BOOST_TEST(bodies(y).empty());
  comes_back(x, "1");
  detaches(x);
  has_left(x);
  works();
  BOOST_TEST(bodies(y) == "12");
}

BOOST_AUTO_TEST_CASE(does_not_wait_for_ever_for_an_ended_session) {
  starts_with_account();
  auto x = attached("garden"), y = attached("balcony");
  sends(y, "<presence/>");
  detaches(x);
  message("1");
  passes(1'900ms);
  BOOST_TEST(bodies(y).empty());
  passes(200ms);
  BOOST_TEST(bodies(y) == "1");
}

BOOST_AUTO_TEST_CASE(retires_though_an_ended_session_has_not_said_that_it_left) {
  starts_with_account();
  auto x = attached("garden");
  detaches(x);
  works();
  send(it, msg::retire{});
  BOOST_TEST(!has_retired()); // It may be on its way.
  BOOST_TEST(server.idle[0].take(INT64_MAX, [](user&) {}) == 1u);
  send(it, msg::retire{});
  BOOST_TEST(has_retired());
}

BOOST_AUTO_TEST_CASE(waits_no_longer_for_several_sessions_than_for_one) {
  starts_with_account();
  auto x = attached("garden"), y = attached("street"), z = attached("balcony");
  sends(z, "<presence/>");
  detaches(x);
  message("1");
  passes(1'500ms);
  detaches(y);
  message("2");
  passes(600ms);
  BOOST_TEST(bodies(z).starts_with("1"));
}

BOOST_AUTO_TEST_CASE(a_replaced_session_s_end_stays_behind_what_it_sent) {
  starts_with_account();
  auto x = attached("garden");
  auto hasher = changes_password(x);
  sends(x, "<presence/>", juliet); // behind that
  asks<msg::attached>(it, attach_of(romeo.with_resource("garden"), makes_client().actor));
  send(it, msg::detach{x.full, server.session_number(x.actor->id()), {juliet}});
  send(hasher, msg::verdict{});
  works();
  auto last = std::string{};
  for (auto& one : shard->delivered)
    if (one.to == juliet)
      last = one.serialize();
  BOOST_TEST(last.find("unavailable") != std::string::npos, last);
}

BOOST_AUTO_TEST_CASE(what_waits_behind_offline_messages_comes_once) {
  starts_with_account();
  message("1");
  works();
  auto x = attached("garden"), y = attached("balcony");
  sends(y, "<presence><priority>-1</priority></presence>");
  x.history->reads_slowly = true;
  sends(x, "<presence/>");
  works();
  sends(y, "<presence/>");
  message("2"); // x gets it behind 1
  BOOST_TEST(bodies(y) == "2");
  detaches(y);
  comes_back(y, "2");
  has_left(y);
  send(x.actor, msg::drained{});
  works();
  x.history->reads_slowly = false;
  send(x.actor, msg::drained{});
  works();
  BOOST_TEST(bodies(x) == "12");
}

BOOST_AUTO_TEST_CASE(what_is_to_be_for_good_and_is_refused_is_said_to_be) {
  put_contact(subscription::both);
  starts_with_account();
  store.refuses = errc::resource_constraint;
  auto done = asks<msg::outcome>(it, msg::deliver_for_good{stanza_of("<presence type='unsubscribe'/>", juliet, romeo)});
  BOOST_TEST((done->value && done->value->failure == errc::resource_constraint));
  store.refuses = errc::none;
  done = asks<msg::outcome>(it, msg::deliver_for_good{stanza_of("<presence type='unsubscribe'/>", juliet, romeo)});
  works();
  BOOST_TEST((done->value && done->value->failure == errc::none));
  store.refuses = errc::not_leader;
  message("1");
  store.refuses = errc::none;
  done = asks<msg::outcome>(it, msg::deliver_for_good{stanza_of("<presence type='unsubscribed'/>", tybalt, romeo)});
  BOOST_TEST((done->value && done->value->failure == errc::none)); // What was refused before was another one.
  store.refuses = errc::not_leader;
  done = asks<msg::outcome>(it, msg::deliver_for_good{stanza_of("<presence type='subscribe'/>", tybalt, romeo)});
  BOOST_TEST((done->value && done->value->failure == errc::internal_server_error));
}

BOOST_AUTO_TEST_CASE(a_contact_whose_removal_fails_sees_presence_again) {
  put_contact(subscription::both);
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<presence/>");
  works();
  shard->delivered.clear();
  shard->holds_for_good = true;
  sends(x,
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='juliet@example.com' subscription='remove'/>"
        "</query></iq>");
  works();
  BOOST_TEST(shard->has_been_sent(juliet, "unavailable"));
  store.refuses = errc::resource_constraint;
  shard->delivered.clear();
  send(server.route.shard(0u), msg::tick{}); // told
  works();
  BOOST_TEST(shard->has_been_sent(juliet, "<presence"));
  BOOST_TEST(!shard->has_been_sent(juliet, "unavailable"));
}

BOOST_AUTO_TEST_CASE(what_others_of_its_sessions_have_comes_once) {
  starts_with_account();
  auto x = attached("garden"), y = attached("balcony");
  sends(x, "<presence/>");
  sends(y, "<presence/>");
  message("1");
  message("2");
  BOOST_TEST(bodies(y) == "12");
  detaches(x);
  comes_back(x, "1");
  comes_back(x, "2");
  has_left(x);
  works();
  BOOST_TEST(bodies(y) == "12");
  BOOST_TEST(described("offline messages") == "0");
}

BOOST_AUTO_TEST_CASE(what_none_of_several_sessions_could_take_is_kept_once) {
  starts_with_account();
  auto x = attached("garden"), y = attached("balcony");
  sends(x, "<presence/>");
  sends(y, "<presence/>");
  message("1");
  message("2");
  detaches(x);
  detaches(y);
  for (auto& one : {x, y}) {
    comes_back(one, "1");
    comes_back(one, "2");
    has_left(one);
  }
  works();
  BOOST_TEST(described("offline messages") == "2");
  auto z = attached("orchard"); // It was not there when they came.
  sends(z, "<presence/>");
  works();
  BOOST_TEST(bodies(z) == "12");
}

BOOST_AUTO_TEST_CASE(what_all_others_could_not_take_comes_to_one_that_came_later) {
  starts_with_account();
  auto x = attached("garden"), y = attached("balcony"), z = attached("orchard");
  sends(x, "<presence/>");
  sends(y, "<presence/>");
  message("1");
  sends(z, "<presence/>");
  BOOST_TEST(bodies(z).empty());
  detaches(x);
  detaches(y);
  for (auto& one : {x, y}) {
    comes_back(one, "1");
    has_left(one);
  }
  BOOST_TEST(bodies(z) == "1");
}

BOOST_AUTO_TEST_CASE(refuses_a_resource_that_is_taken) {
  options.c2s.conflict = conflict_policy::refuse;
  configure();
  starts_with_account();
  auto x = attached("garden");
  auto y = makes_client();
  BOOST_TEST((attaches(y, "garden")->value->failure == errc::conflict));
  BOOST_TEST(x.history->ended.empty());
}

BOOST_AUTO_TEST_CASE(renames_a_resource_that_is_taken) {
  options.c2s.conflict = conflict_policy::rename;
  configure();
  starts_with_account();
  auto x = attached("garden");
  auto y = attached("garden");
  BOOST_TEST((y.full.bare() == romeo));
  BOOST_TEST((y.full != x.full));
  BOOST_TEST(x.history->ended.empty());
}

BOOST_AUTO_TEST_CASE(has_room_for_so_many_sessions) {
  options.hosts[0].resources_max = 2;
  configure();
  starts_with_account();
  attached("a");
  auto b = attached("b");
  auto c = makes_client();
  BOOST_TEST((attaches(c, "c")->value->failure == errc::resource_constraint));
  attached("b"); // which takes the other's place
  BOOST_TEST((b.history->ended == std::vector{errc::conflict}));
}

BOOST_AUTO_TEST_CASE(tells_contacts_when_a_session_is_gone) { // RFC 6121, 4.5
  put_account(romeo);
  put_contact(subscription::from);
  starts();
  works();
  auto x = attached("garden");
  sends(x, "<presence/>");
  BOOST_TEST(shard->has_been_sent(juliet, "<presence"));
  shard->delivered.clear();
  send(it, msg::detach{x.full, server.session_number(x.actor->id()), {"nurse@example.com"_jid}});
  BOOST_TEST(shard->has_been_sent(juliet, "type='unavailable'"));
  BOOST_TEST(shard->has_been_sent("nurse@example.com"_jid, "type='unavailable'")); // who was told directly
  works();
}

BOOST_AUTO_TEST_CASE(leaves_nothing_of_a_guest) { // XEP-0175
  starts();
  auto x = makes_client();
  auto what = attach_of(romeo.with_resource("x"), x.actor);
  what.anonymous = true;
  auto done = asks<msg::attached>(it, what);
  works();
  BOOST_REQUIRE((done->value && done->value->failure == errc::none));
  send(it, msg::detach{done->value->full, server.session_number(x.actor->id())});
  works();
  BOOST_TEST(has_retired());
  BOOST_TEST(!is_stored(romeo));
}

BOOST_AUTO_TEST_CASE(gives_a_guest_no_password_and_lets_nobody_else_in) { // XEP-0175
  starts();
  auto what = attach_of(romeo.with_resource("x"), makes_client().actor);
  what.anonymous = true;
  asks<msg::attached>(it, what);
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  auto changed = asks<msg::outcome>(it, msg::set_credentials{romeo, "keys", false});
  auto made = asks<msg::outcome>(it, msg::set_credentials{romeo, "keys", true});
  works();
  BOOST_REQUIRE((found->value && changed->value && made->value));
  BOOST_TEST(!found->value->exists);
  BOOST_TEST((changed->value->failure == errc::item_not_found));
  BOOST_TEST((made->value->failure == errc::conflict));
  BOOST_TEST(!is_stored(romeo));
}

// -- durable changes --

BOOST_AUTO_TEST_CASE(an_account_is_made_when_it_is_durable) {
  starts();
  auto done = asks<msg::outcome>(it, msg::set_credentials{romeo, "keys", true});
  settle();
  while (!is_stored(romeo)) {
    BOOST_TEST(!done->has_come());
    BOOST_REQUIRE(!store.waiting.empty());
    works_once();
  }
  BOOST_REQUIRE(done->value.has_value());
  BOOST_TEST((done->value->failure == errc::none));
}

BOOST_AUTO_TEST_CASE(an_account_is_made_once_and_changed_only_when_it_is_there) {
  starts();
  auto too_early = asks<msg::outcome>(it, msg::set_credentials{romeo, "keys", false});
  works();
  BOOST_REQUIRE(too_early->value.has_value());
  BOOST_TEST((too_early->value->failure == errc::item_not_found));
  ends(it);
  starts_with_account();
  auto twice = asks<msg::outcome>(it, msg::set_credentials{romeo, "others", true});
  works();
  BOOST_TEST((twice->value->failure == errc::conflict));
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  works();
  BOOST_TEST(found->value->credentials == "keys");
}

BOOST_AUTO_TEST_CASE(a_new_password_counts_for_those_who_ask_behind_it) {
  starts_with_account();
  auto done = asks<msg::outcome>(it, msg::set_credentials{romeo, "new keys", false});
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  works();
  BOOST_TEST((done->value->failure == errc::none));
  BOOST_TEST(found->value->credentials == "new keys");
}

BOOST_AUTO_TEST_CASE(a_failed_commit_is_told_and_forgotten) {
  starts();
  works();
  for (auto at_once : {false, true}) {
    BOOST_TEST_CONTEXT((at_once ? "refused at once" : "failed later")) {
      ends(it);
      shard->retired.clear();
      starts();
      (at_once ? store.refuses : store.unwritable) = errc::storage_failure;
      auto done = asks<msg::outcome>(it, msg::set_credentials{romeo, "keys", true});
      works();
      BOOST_REQUIRE(done->value.has_value());
      BOOST_TEST((done->value->failure == errc::storage_failure));
      store.refuses = store.unwritable = errc::none;
      BOOST_TEST(has_retired()); // There was nothing to keep.
    }
  }
}

BOOST_AUTO_TEST_CASE(a_failed_commit_takes_the_later_ones_that_were_refused_with_it_in_order) {
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='a@example.com'/></query></iq>");
  store.refuses = errc::storage_failure;
  sends(x, "<iq type='set' id='2'><query xmlns='jabber:iq:roster'><item jid='b@example.com'/></query></iq>");
  BOOST_TEST(x.history->delivered.empty());
  registers(x);
  works();
  BOOST_REQUIRE(x.history->delivered.size() == 2u);
  BOOST_TEST(x.history->delivered[0].serialize().find("type='result'") != std::string::npos);
  BOOST_TEST(x.history->delivered[1].serialize().find("type='error'") != std::string::npos);
  BOOST_TEST(described("roster items") == "1");
  BOOST_TEST(x.history->asked_again == 0); // it has read its records anew, and its sessions stay
}

BOOST_AUTO_TEST_CASE(nothing_is_shown_before_it_is_durable) {
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
  x.history->delivered.clear();
  sends(x, "<iq type='set' id='2'><query xmlns='jabber:iq:roster'><item jid='a@example.com'/></query></iq>");
  sends(x, "<iq type='get' id='3'><query xmlns='jabber:iq:roster'/></iq>");
  sends(x, "<iq type='set' id='4'><query xmlns='jabber:iq:roster'><item jid='b@example.com'/></query></iq>");
  BOOST_TEST(x.history->delivered.empty());
  works();
  BOOST_REQUIRE(x.history->delivered.size() == 5u);
  BOOST_TEST(x.history->delivered[0].id() == "2");
  BOOST_TEST(x.history->delivered[1].serialize().find("type='set'") != std::string::npos); // the push
  BOOST_TEST(x.history->delivered[2].id() == "3");
  BOOST_TEST(x.history->delivered[2].serialize().find("a@example.com") != std::string::npos);
  BOOST_TEST(x.history->delivered[2].serialize().find("b@example.com") == std::string::npos); // asked for before
  BOOST_TEST(x.history->delivered[3].id() == "4");
}

BOOST_AUTO_TEST_CASE(an_account_that_is_removed_takes_everything_with_it) {
  put_account(romeo);
  put_contact(subscription::both);
  starts();
  works();
  auto x = attached("garden");
  auto done = asks<msg::outcome>(it, msg::remove_account{romeo});
  BOOST_TEST(!done->has_come());
  BOOST_TEST(x.history->ended.empty());
  works();
  BOOST_TEST((done->value->failure == errc::none));
  BOOST_TEST((x.history->ended == std::vector{errc::not_authorized}));
  BOOST_TEST(shard->has_been_sent(juliet, "type='unsubscribe'"));
  BOOST_TEST(shard->has_been_sent(juliet, "type='unsubscribed'"));
  BOOST_TEST(store.state.empty());
  BOOST_TEST(has_retired());
}

BOOST_AUTO_TEST_CASE(a_removal_that_the_disk_does_not_take_is_tried_until_it_does) {
  put_account(romeo);
  put_contact(subscription::both);
  starts();
  works();
  auto x = attached("garden");
  auto done = asks<msg::outcome>(it, msg::remove_account{romeo});
  works_once();                                 // The disk takes something,
  store.unwritable = errc::resource_constraint; // but no more when juliet has been told.
  works();
  BOOST_TEST(!done->has_come());
  passes(1s);
  works();
  BOOST_TEST(!done->has_come());
  store.unwritable = errc::none;
  passes(1s);
  works();
  BOOST_REQUIRE(done->has_come());
  BOOST_TEST((done->value->failure == errc::none));
  BOOST_TEST(store.state.empty());
  BOOST_TEST((x.history->ended == std::vector{errc::not_authorized}));
}

BOOST_AUTO_TEST_CASE(a_removal_is_refused_at_once_while_the_disk_takes_nothing) {
  put_account(romeo);
  put_contact(subscription::both);
  starts();
  works();
  store.unwritable = errc::resource_constraint;
  auto done = asks<msg::outcome>(it, msg::remove_account{romeo});
  works();
  BOOST_REQUIRE(done->has_come());
  BOOST_TEST((done->value->failure == errc::resource_constraint));
  BOOST_TEST(shard->delivered.empty());
}

BOOST_AUTO_TEST_CASE(a_removal_that_contacts_can_not_be_told_is_given_up_in_the_end) {
  put_account(romeo);
  put_contact(subscription::both);
  starts();
  works();
  shard->for_good = errc::internal_server_error;
  auto done = asks<msg::outcome>(it, msg::remove_account{romeo});
  works();
  for (auto i = 0; i < 30; ++i, passes(1s))
    BOOST_TEST(!done->has_come());
  for (auto i = 0; i < 40; ++i)
    passes(1s);
  BOOST_REQUIRE(done->has_come());
  BOOST_TEST((done->value->failure == errc::internal_server_error));
  message("1"); // The account is there as before.
  works();
  BOOST_TEST(described("offline messages") == "1");
}

// -- messages for nobody --

BOOST_AUTO_TEST_CASE(keeps_messages_until_somebody_is_there_and_new_ones_come_behind_them) { // XEP-0160
  starts_with_account();
  message("1");
  message("2");
  works();
  auto x = attached("garden");
  sends(x, "<presence/>");
  message("3");
  BOOST_TEST(bodies(x).empty()); // 3 waits while the store reads
  works();
  BOOST_TEST(bodies(x) == "123");
  BOOST_TEST(described("offline messages") == "0");
}

BOOST_AUTO_TEST_CASE(refuses_messages_when_its_store_is_full) {
  options.hosts[0].offline_messages_max = 1;
  configure();
  starts_with_account();
  message("1");
  message("2");
  BOOST_TEST(shard->has_been_sent(juliet, "service-unavailable"));
  works();
  BOOST_TEST(described("offline messages") == "1");
}

BOOST_AUTO_TEST_CASE(refuses_a_message_that_it_can_not_store) {
  starts_with_account();
  store.unwritable = errc::storage_failure;
  message("1");
  BOOST_TEST(shard->delivered.empty());
  works();
  BOOST_TEST(shard->has_been_sent(juliet, "type='error'"));
}

// -- failing --

BOOST_AUTO_TEST_CASE(asks_its_sessions_again_after_a_failure_and_serves_when_all_have_come) {
  starts_with_account();
  auto x = attached("garden"), y = attached("street");
  registers(x);
  registers(y);
  sends(x, "<presence/>");
  sends(y, "<presence/>");
  x.history->delivered.clear();
  send(it, msg::fail_now{});
  BOOST_TEST(failures->size() == 1u);
  message("1");
  send(it, msg::verdict{});
  works();
  BOOST_TEST(x.history->asked_again == 1);
  BOOST_TEST(y.history->asked_again == 1);
  BOOST_TEST(described("phase") == "gathering");
  message("2");
  attaches_again(x, true);
  BOOST_TEST(bodies(x).empty()); // y might be the one to get it
  auto z = makes_client();
  auto late = attaches(z, "new");
  BOOST_TEST(!late->has_come());
  attaches_again(y, true);
  BOOST_TEST(described("phase") == "ready");
  BOOST_TEST(bodies(x) == "12");
  BOOST_TEST(bodies(y) == "12");
  BOOST_TEST(late->has_come());
}

BOOST_AUTO_TEST_CASE(waits_two_seconds_for_its_sessions_and_no_longer) {
  starts_with_account();
  auto x = attached("garden"), y = attached("street");
  registers(x);
  registers(y);
  fails_and_restarts();
  attaches_again(x, true);
  message("1");
  passes(1'999ms);
  BOOST_TEST(bodies(x).empty());
  passes(1ms);
  BOOST_TEST(bodies(x) == "1");
}

BOOST_AUTO_TEST_CASE(takes_back_no_session_of_another_account_of_its_name) {
  starts_with_account();
  auto x = attached("garden");
  registers(x);
  fails_and_restarts();
  auto what = attach_of(x.full, x.actor);
  what.again = true;
  what.created_ms += 1;
  auto answer = asks<msg::attached>(it, what);
  BOOST_TEST((answer->value && answer->value->failure == errc::not_authorized));
  BOOST_TEST(described("session") == "?");
}

BOOST_AUTO_TEST_CASE(waits_as_long_after_each_of_several_failures) {
  starts_with_account();
  auto x = attached("garden");
  registers(x);
  auto fails = [&] {
    fails_and_restarts();
    BOOST_TEST(described("phase") == "gathering");
  };
  fails();
  attaches_again(x, true);
  passes(1'500ms);
  fails();
  passes(600ms); // The first failure's time is over.
  BOOST_TEST(described("phase") == "gathering");
  message("1");
  attaches_again(x, true);
  BOOST_TEST(bodies(x) == "1");
}

BOOST_AUTO_TEST_CASE(gives_a_session_that_comes_late_after_a_failure_what_was_stored_meanwhile) {
  starts_with_account();
  auto x = attached("garden");
  registers(x);
  fails_and_restarts();
  passes(2'000ms);
  message("1");
  works();
  BOOST_TEST(described("offline messages") == "1");
  attaches_again(x, true);
  works();
  BOOST_TEST(bodies(x) == "1");
}

BOOST_AUTO_TEST_CASE(does_not_wait_for_a_session_that_ends_meanwhile) {
  starts_with_account();
  auto x = attached("garden");
  registers(x);
  fails_and_restarts();
  BOOST_TEST(described("phase") == "gathering");
  send(it, msg::detach{x.full, server.session_number(x.actor->id())});
  BOOST_TEST(described("phase") == "ready");
}

BOOST_AUTO_TEST_CASE(waits_for_each_session_that_is_there_and_for_no_other) {
  starts_with_account();
  auto x = attached("garden"), y = attached("street"), z = attached("orchard");
  for (auto* one : {&x, &y, &z})
    sends(*one, "<presence/>");
  registers(x);
  registers(y);
  x.history->delivered.clear();
  y.history->delivered.clear();
  send(it, msg::fail_now{});
  send(it, msg::detach{z.full, server.session_number(z.actor->id()), {}, true}); // while it rested
  send(it, msg::verdict{});
  works();
  attaches_again(x, true);
  attaches_again(x, true); // It may have been asked twice.
  BOOST_TEST(described("phase") == "gathering");
  attaches_again(y, true);
  BOOST_TEST(described("phase") == "ready");
  for (auto* one : {&x, &y}) // RFC 6121, 4.5.2
    BOOST_TEST(one->history->has_been_sent("type='unavailable'"));
}

BOOST_AUTO_TEST_CASE(waits_for_no_session_whose_node_is_lost_meanwhile) {
  starts_with_account();
  auto x = makes_client();
  auto what = attach_of(romeo.with_resource("garden"), x.actor);
  what.node = 7;
  asks<msg::attached>(it, what);
  fails_and_restarts();
  BOOST_TEST(described("phase") == "gathering");
  ends(x.actor, caf::exit_reason::remote_link_unreachable);
  BOOST_TEST(described("phase") == "ready");
}

BOOST_AUTO_TEST_CASE(answers_to_its_sessions_wait_for_them_after_a_failure) {
  starts_with_account();
  auto x = attached("garden");
  registers(x);
  auto hasher = changes_password(x);
  send(it, msg::fail_now{});
  store.refuses = errc::storage_failure; // So what is derived fails at once.
  send(hasher, msg::verdict{});
  send(it, msg::verdict{});
  works();
  BOOST_TEST(described("phase") == "gathering");
  attaches_again(x);
  works();
  BOOST_TEST(x.history->has_been_sent("id='1'"));
}

BOOST_AUTO_TEST_CASE(serves_at_once_after_a_failure_when_it_had_no_sessions) {
  starts_with_account();
  send(it, msg::fail_now{});
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  send(it, msg::verdict{});
  works();
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->exists);
}

BOOST_AUTO_TEST_CASE(answers_with_an_error_what_was_under_way_when_it_failed) {
  starts_with_account();
  auto x = attached("garden");
  registers(x);
  sends(x, "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='a@example.com'/></query></iq>");
  send(it, msg::fail_now{});
  send(it, msg::verdict{});
  BOOST_REQUIRE(x.history->delivered.size() == 1u);
  BOOST_TEST(x.history->delivered[0].serialize().find("internal-server-error") != std::string::npos);
  works();
  BOOST_TEST(described("roster items") == "1"); // what was committed all the same is not forgotten
}

BOOST_AUTO_TEST_CASE(never_leaves_a_question_without_an_answer_when_it_fails) {
  starts_with_account();
  asks<msg::found>(it, msg::lookup{romeo});
  auto lookup = asks<msg::found>(it, msg::lookup{romeo}); // reads
  auto change = asks<msg::outcome>(it, msg::set_credentials{romeo, "new keys", false});
  auto removal = asks<msg::outcome>(it, msg::remove_account{romeo});
  BOOST_TEST(!lookup->has_come());
  fails_and_restarts();
  BOOST_REQUIRE(lookup->has_come());
  BOOST_REQUIRE(change->has_come());
  BOOST_REQUIRE(removal->has_come());
  BOOST_TEST((lookup->failed || lookup->value->failure != errc::none));
  BOOST_TEST((change->failed || change->value->failure != errc::none));
}

BOOST_AUTO_TEST_CASE(ends_its_sessions_streams_when_it_is_stopped) {
  starts_with_account();
  auto x = attached("garden");
  send(it, msg::fail_now{});
  send(it, msg::verdict{msg::decision::stop});
  BOOST_TEST((x.history->ended == std::vector{errc::internal_server_error}));
  BOOST_TEST(!still_runs());
}

// -- retiring --

BOOST_AUTO_TEST_CASE(retires_when_it_is_idle_and_told_to) {
  starts_with_account();
  send(it, msg::retire{});
  BOOST_TEST(has_retired());
  BOOST_TEST(!still_runs());
}

BOOST_AUTO_TEST_CASE(does_not_retire_while_it_has_something_to_do) {
  starts_with_account();
  auto x = attached("garden");
  send(it, msg::retire{});
  BOOST_TEST(!has_retired());
  send(it, msg::detach{x.full, server.session_number(x.actor->id())});
  send(it, msg::retire{}); // its last activity is being written
  BOOST_TEST(!has_retired());
  BOOST_TEST(shard->stayed.size() == 2u); // each time its shard is answered: it holds what comes
  has_left(x);
  works();
  send(it, msg::retire{});
  BOOST_TEST(has_retired());
}

BOOST_AUTO_TEST_CASE(does_not_retire_while_a_password_is_being_changed) {
  starts_with_account();
  auto x = attached("garden");
  auto hasher = changes_password(x);
  send(it, msg::fail_now{}); // so that nothing else is under way
  send(it, msg::verdict{});
  works();
  send(it, msg::retire{});
  BOOST_TEST(!has_retired());
  send(hasher, msg::verdict{});
  works();
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  works();
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->credentials == "new keys");
  send(it, msg::retire{});
  BOOST_TEST(has_retired());
}

// -- offline messages, when who gets them is replaced --

BOOST_AUTO_TEST_CASE(a_successor_gets_what_the_one_before_it_has_not_read) {
  for (auto has_read : {true, false})
    BOOST_TEST_CONTEXT((has_read ? "read" : "not read")) {
      store.state.clear();
      starts_with_account();
      message("1");
      message("2");
      works();
      auto x = attached("garden");
      x.history->reads_slowly = true;
      sends(x, "<presence/>");
      works();
      BOOST_TEST(bodies(x) == "12");
      auto y = attached("garden");
      BOOST_TEST((x.history->ended == std::vector{errc::conflict}));
      sends(y, "<presence/>");
      message("3"); // comes behind those, whoever gets them
      works();
      BOOST_TEST(bodies(y).empty());
      BOOST_REQUIRE(x.history->pages.size() == 1u);
      x.history->next_page = has_read ? session_history::page_end::read : session_history::page_end::lost;
      send(x.actor, msg::drained{});
      has_left(x);
      works();
      BOOST_TEST(bodies(y) == (has_read ? "3" : "123"));
      BOOST_TEST(described("offline messages") == "0");
      ends(it);
    }
}

BOOST_AUTO_TEST_CASE(another_who_is_there_gets_what_one_that_goes_has_not_read) {
  for (auto says_so : {true, false})
    BOOST_TEST_CONTEXT((says_so ? "as it says" : "and could not say so any more")) {
      store.state.clear();
      starts_with_account();
      message("1");
      works();
      auto x = attached("garden"), y = attached("street");
      x.history->reads_slowly = true;
      sends(x, "<presence/>");
      works();
      sends(y, "<presence/>");
      works();
      BOOST_TEST(bodies(y).empty());
      x.history->next_page = says_so ? session_history::page_end::lost : session_history::page_end::forgotten;
      send(x.actor, msg::drained{});
      send(it, msg::detach{x.full, server.session_number(x.actor->id()), {}, true});
      works();
      BOOST_TEST(bodies(y) == "1");
      BOOST_TEST(described("offline messages") == "0");
      ends(it);
    }
}

// -- order --

BOOST_AUTO_TEST_CASE(what_waits_for_a_commit_is_bounded_in_bytes) {
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<presence/>");
  works();
  auto errors = [&] {
    return std::count_if(shard->delivered.begin(), shard->delivered.end(),
                         [](auto& one) { return one.type == stanza_type::error; });
  };
  auto large = std::string(250'000, 'x');
  auto is_changed = [&] {
    sends(x, "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='a@example.com'/></query></iq>");
  };
  is_changed();
  for (auto i = 0; i < 20; ++i)
    arrives("<iq type='get' id='1'><vCard xmlns='vcard-temp'>" + large + "</vCard></iq>", tybalt, romeo);
  BOOST_TEST(errors() == 4); // of 5 MB
  message("no request");
  BOOST_TEST(bodies(x) == "no request");
  works();
  BOOST_TEST(described("bytes of others that wait") == "0");
  shard->delivered.clear();
  is_changed();
  for (auto i = 0; i < 10; ++i) // All but the first change nothing.
    arrives("<presence type='subscribe'><status>" + large + "</status></presence>", tybalt, romeo);
  BOOST_TEST(errors() == 6); // of 2.5 MB: its line is full
  works();
  BOOST_TEST(described("bytes of others that wait") == "0");
}

BOOST_AUTO_TEST_CASE(one_who_asks_and_asks_fills_its_own_line_only) {
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<presence/>");
  works();
  x.history->delivered.clear();
  for (auto i = 0; i < 300; ++i)
    send(it, msg::deliver{stanza_of(i % 2 == 0 ? "<presence type='subscribe'/>" : "<presence type='unsubscribe'/>",
                                    tybalt, romeo)});
  BOOST_TEST(store.waiting.size() >= 50u); // they do not wait for each other
  BOOST_TEST(store.waiting.size() <= 100u);
  BOOST_TEST(shard->has_been_sent(tybalt, "resource-constraint"));
  message("of another");
  BOOST_TEST(x.history->has_been_sent("of another"));
  BOOST_TEST(!shard->has_been_sent(juliet, "resource-constraint"));
  // Answers to a request still come through.
  works();
  BOOST_TEST(x.history->has_been_sent("type='subscribe'"));
}

BOOST_AUTO_TEST_CASE(large_requests_fill_a_line_by_their_bytes) {
  starts_with_account();
  auto status = "<status>" + std::string(200'000, 'x') + "</status>";
  for (auto i = 0; i < 20; ++i) {
    auto type = i % 2 == 0 ? "subscribe" : "unsubscribe";
    send(it, msg::deliver{
                 stanza_of("<presence type='" + std::string{type} + "'>" + status + "</presence>", tybalt, romeo)});
  }
  BOOST_TEST(store.waiting.size() <= 6u);
  works();
}

BOOST_AUTO_TEST_CASE(a_contact_s_stanzas_between_its_subscriptions_stay_between_them) {
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<presence/>");
  works();
  x.history->delivered.clear();
  auto comes = [&](const std::string& xml) { send(it, msg::deliver{stanza_of(xml, tybalt, romeo)}); };
  comes("<presence type='subscribe'/>");
  comes("<message><body>1</body></message>");
  comes("<presence type='unsubscribe'/>");
  comes("<message><body>2</body></message>");
  comes("<presence type='subscribe'/>");
  comes("<message><body>3</body></message>");
  BOOST_TEST(x.history->delivered.empty());
  auto seen = [&] {
    auto out = std::string{};
    for (auto& one : x.history->delivered)
      if (one.kind == stanza_kind::message)
        out += std::string{one.child("body", "jabber:client").text()};
      else if (one.type == stanza_type::subscribe)
        out += 's';
    return out;
  };
  works_once();
  BOOST_TEST(seen() == "s1");
  works_once();
  BOOST_TEST(seen() == "s12");
  works();
  BOOST_TEST(seen() == "s12s3");
}

BOOST_AUTO_TEST_CASE(what_must_be_done_for_good_is_not_refused_for_what_others_wait_for) {
  put_contact(subscription::both);
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query></iq>");
  for (auto i = 0; i < 20'100; ++i)
    caf::anon_send(
        it, msg::deliver{stanza_of("<iq type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
                                   tybalt, romeo)});
  settle();
  auto done =
      asks<msg::outcome>(it, msg::deliver_for_good{stanza_of("<presence type='unsubscribed'/>", juliet, romeo)});
  BOOST_TEST(!done->has_come());
  works();
  BOOST_REQUIRE(done->value.has_value());
  BOOST_TEST((done->value->failure == errc::none));
  auto roster = load_user(simulated_reader{store, true}, {0, romeo});
  BOOST_TEST((roster->roster.find(juliet.text())->subscription == subscription::from));
}

BOOST_AUTO_TEST_CASE(what_goes_to_others_stays_behind_what_is_being_committed) { // RFC 6120, 10.1
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<presence type='subscribe'/>", juliet);
  sends(x, "<message><body>1</body></message>", juliet);
  sends(x, "<presence/>", juliet.with_resource("balcony"));
  sends(x, "<iq type='get' id='1'><query xmlns='jabber:iq:version'/></iq>", juliet.with_resource("balcony"));
  BOOST_TEST(shard->delivered.empty());
  works();
  BOOST_REQUIRE(shard->delivered.size() == 4u);
  BOOST_TEST((shard->delivered[0].type == stanza_type::subscribe));
  BOOST_TEST((shard->delivered[1].kind == stanza_kind::message));
  BOOST_TEST((shard->delivered[2].kind == stanza_kind::presence));
  BOOST_TEST((shard->delivered[3].kind == stanza_kind::iq));
}

BOOST_AUTO_TEST_CASE(a_session_keeps_its_turn_until_what_it_asked_for_is_committed) {
  starts_with_account();
  auto x = attached("garden");
  auto turn = std::make_shared<const int>();
  sends(x, "<presence type='subscribe'/>", juliet, turn);
  BOOST_TEST(turn.use_count() > 1);
  works();
  BOOST_TEST(turn.use_count() == 1);
  sends(x, "<presence/>", {}, turn);
  BOOST_TEST(turn.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(what_a_contact_sends_behind_a_subscription_stays_behind_it) {
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<presence/>");
  works();
  x.history->delivered.clear();
  arrives("<presence type='subscribe'/>", juliet, romeo);
  message("1");
  arrives("<presence/>", juliet.with_resource("balcony"), x.full);
  BOOST_TEST(x.history->delivered.empty());
  works();
  BOOST_REQUIRE(x.history->delivered.size() == 3u);
  BOOST_TEST((x.history->delivered[0].type == stanza_type::subscribe));
  BOOST_TEST((x.history->delivered[1].kind == stanza_kind::message));
  BOOST_TEST((x.history->delivered[2].type == stanza_type::available));
}

BOOST_AUTO_TEST_CASE(what_came_for_good_behind_a_subscription_is_answered_when_it_is_durable) {
  put_account(romeo);
  put_contact(subscription::both);
  starts();
  works();
  auto first =
      asks<msg::outcome>(it, msg::deliver_for_good{stanza_of("<presence type='unsubscribed'/>", juliet, romeo)});
  auto second =
      asks<msg::outcome>(it, msg::deliver_for_good{stanza_of("<presence type='unsubscribe'/>", juliet, romeo)});
  works_once();
  BOOST_TEST(first->has_come());
  BOOST_TEST(!second->has_come());
  works();
  BOOST_TEST(second->has_come());
}

BOOST_AUTO_TEST_CASE(blocks_that_come_in_one_go_all_count) {
  starts_with_account();
  auto x = attached("garden");
  auto block = [&](const std::string& what, const std::string& who) {
    sends(x, "<iq type='set' id='1'><" + what + " xmlns='urn:xmpp:blocking'><item jid='" + who + "'/></" + what +
                 "></iq>");
  };
  block("block", std::string{juliet.text()});
  block("block", "mercutio@example.com");
  block("unblock", "mercutio@example.com");
  block("block", "mercutio@example.com");
  works();
  BOOST_TEST(described("blocked") == "2");
  fails_and_restarts(); // as stored
  BOOST_TEST(described("blocked") == "2");
  attaches_again(x, true);
  message("1");
  BOOST_TEST(bodies(x).empty());
}

BOOST_AUTO_TEST_CASE(the_end_of_a_blocked_contact_s_subscription_counts_and_is_not_shown) { // XEP-0191, 3.3
  put_account(romeo);
  put_contact(subscription::both);
  starts();
  works();
  auto x = attached("garden");
  sends(x, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
  sends(x, "<presence/>");
  sends(x, "<iq type='set' id='2'><block xmlns='urn:xmpp:blocking'><item jid='juliet@example.com'/></block></iq>");
  works();
  x.history->delivered.clear();
  shard->delivered.clear();
  arrives("<presence type='unsubscribe'/>", juliet, romeo);
  arrives("<presence type='unsubscribed'/>", juliet, romeo);
  arrives("<presence type='subscribe'/>", juliet, romeo);
  works();
  auto roster = load_user(simulated_reader{store, true}, {0, romeo})->roster;
  BOOST_TEST((roster.find(juliet.text())->subscription == subscription::none));
  BOOST_TEST(roster.pending.empty());
  for (auto& one : x.history->delivered)
    BOOST_TEST((one.kind == stanza_kind::iq), one.serialize()); // pushes
  BOOST_TEST(shard->delivered.empty());
}

BOOST_AUTO_TEST_CASE(what_comes_behind_a_change_of_the_block_list_is_judged_by_the_new_one) { // RFC 6120, 10.1
  starts_with_account();
  auto x = attached("garden");
  auto behind = [&](const std::string& command) {
    sends(x, "<iq type='set' id='1'><" + command + " xmlns='urn:xmpp:blocking'><item jid='juliet@example.com'/></" +
                 command + "></iq>");
    auto what = msg::sent{stanza_of("<message id='2'><body>1</body></message>", x.full, juliet), x.actor->id()};
    what.turn = std::make_shared<const int>();
    what.is_unchecked = true; // as its session leaves it
    send(it, std::move(what));
    works();
  };
  behind("block");
  BOOST_TEST(shard->delivered.empty());
  BOOST_REQUIRE(x.history->delivered.size() == 2u);
  BOOST_TEST(x.history->delivered[0].id() == "1");
  BOOST_TEST(x.history->delivered[1].serialize().find("<not-acceptable") != std::string::npos);
  behind("unblock");
  BOOST_TEST(shard->has_been_sent(juliet, "<body>1</body>"));
}

BOOST_AUTO_TEST_CASE(an_answer_that_did_not_come_to_its_contact_can_be_given_again) {
  put_account(romeo);
  put_contact(subscription::from);
  starts();
  works();
  auto x = attached("garden");
  shard->for_good = errc::resource_constraint;
  sends(x, "<presence type='unsubscribed' id='1'/>", juliet);
  works();
  BOOST_REQUIRE(!x.history->delivered.empty());
  BOOST_TEST(x.history->delivered.back().serialize().find("resource-constraint") != std::string::npos);
  auto state = [&] {
    return load_user(simulated_reader{store, true}, {0, romeo})->roster.find(juliet.text())->subscription;
  };
  BOOST_TEST((state() == subscription::from));
  shard->for_good = errc::none;
  shard->delivered.clear();
  sends(x, "<presence type='unsubscribed' id='2'/>", juliet);
  works();
  BOOST_TEST(shard->has_been_sent(juliet, "type='unsubscribed'"));
  BOOST_TEST((state() == subscription::none));
}

BOOST_AUTO_TEST_CASE(who_is_being_removed_and_asks_again_is_no_subscriber) {
  put_account(romeo);
  put_contact(subscription::from);
  starts();
  works();
  auto x = attached("garden");
  sends(x, "<presence/>");
  works();
  shard->holds_for_good = true;
  sends(x, "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='juliet@example.com' "
           "subscription='remove'/></query></iq>");
  shard->delivered.clear();
  arrives("<presence type='subscribe'/>", juliet, romeo);
  works();
  for (auto& one : shard->delivered)
    BOOST_TEST((one.type != stanza_type::subscribed));
  shard->holds_for_good = false;
  send(server.route.shard(0), msg::tick{});
  works();
  BOOST_TEST(!load_user(simulated_reader{store, true}, {0, romeo})->roster.find(juliet.text()));
  BOOST_TEST(shard->has_been_sent(juliet, "type='unsubscribed'")); // To what it asked since.
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_while_its_account_rests_is_seen_to_go) {
  put_account(romeo);
  put_contact(subscription::from);
  starts();
  works();
  auto x = attached("garden");
  registers(x);
  sends(x, "<presence/>");
  works();
  shard->delivered.clear();
  send(it, msg::fail_now{});
  server.sessions.remove(x.full, x.actor);
  send(it, msg::detach{x.full, server.session_number(x.actor->id()), {}, true});
  send(it, msg::verdict{});
  works();
  BOOST_TEST(shard->has_been_sent(juliet, "type='unavailable'"));
}

BOOST_AUTO_TEST_CASE(first_presence_that_was_sent_while_its_account_rests_is_no_update) {
  put_account(romeo);
  put_contact(subscription::to);
  starts();
  works();
  auto x = attached("garden");
  registers(x);
  send(it, msg::fail_now{});
  sends(x, "<presence/>");
  send(it, msg::verdict{});
  works();
  attaches_again(x, true);
  works();
  BOOST_TEST(shard->has_been_sent(juliet, "type='probe'"));
}

BOOST_AUTO_TEST_CASE(messages_that_are_too_old_make_room) {
  options.hosts[0].offline_messages_max = 3;
  options.hosts[0].offline_expiry_days = 30;
  configure();
  put_account(romeo);
  put([&](write_set& to) {
    auto summary = offline_summary{};
    auto ids = id_generator{1, 1};
    for (auto expires_ms : {std::int64_t{2}, std::int64_t{0}, std::int64_t{3}})
      offline::append(to, {0, romeo}, ids.next(1), {juliet, romeo, 1, expires_ms, "<message/>"}, summary);
  });
  starts();
  works();
  BOOST_TEST(described("offline messages") == "3");
  message("1");
  message("2");
  message("3"); // one too many
  works();
  BOOST_TEST(described("offline messages") == "3");
  BOOST_TEST(shard->delivered.size() == 1u);
  auto stored = offline::load(simulated_reader{store, true}, {0, romeo}, {}, 10);
  BOOST_REQUIRE((stored && stored->messages.size() == 3u));
  BOOST_TEST(stored->messages[0].message.expires_ms == 0);
  BOOST_TEST(stored->messages[1].message.xml.find(">1<") != std::string::npos);
  BOOST_TEST(stored->messages[2].message.xml.find(">2<") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_full_store_is_looked_through_for_old_messages_once) {
  options.hosts[0].offline_messages_max = 1;
  options.hosts[0].offline_expiry_days = 30;
  configure();
  starts_with_account();
  for (auto i = 0; i < 5; ++i)
    message("1");
  works_once(); // the first one's commit
  BOOST_TEST(store.waiting.empty());
  BOOST_TEST(shard->delivered.size() == 4u);
}

BOOST_AUTO_TEST_CASE(old_messages_are_looked_for_once_whoever_comes_meanwhile) {
  options.hosts[0].offline_expiry_days = 30;
  configure();
  put_account(romeo);
  put([&](write_set& to) {
    auto summary = offline_summary{};
    auto ids = id_generator{1, 1};
    for (auto i = 0; i < 150; ++i) // more than a page
      offline::append(to, {0, romeo}, ids.next(1), {juliet, romeo, 1, 2, "<message xmlns='jabber:client'/>"}, summary);
    offline::append(
        to, {0, romeo}, ids.next(1),
        {juliet, romeo, 1, 0, std::string{stanza_of("<message><body>v</body></message>", juliet, romeo).tree.bytes()}},
        summary);
  });
  starts();
  works();
  auto x = attached("garden");
  // Those behind the subscription come out of its commit one after the other; the presence behind the roster.
  arrives("<presence type='subscribe'/>", juliet, romeo);
  for (auto body : {"1", "2", "3"})
    message(body);
  sends(x, "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='a@b.c'/></query></iq>");
  sends(x, "<presence/>");
  works();
  BOOST_TEST(bodies(x) == "v123");
  BOOST_TEST(described("offline messages") == "0");
  BOOST_TEST(described("offline bytes") == "0");
}

BOOST_AUTO_TEST_CASE(what_waits_behind_a_subscription_survives_a_failure) {
  starts_with_account();
  auto x = attached("garden");
  registers(x);
  sends(x, "<presence/>");
  works();
  arrives("<presence type='subscribe'/>", juliet, romeo);
  for (auto body : {"1", "2", "3"})
    message(body);
  auto end = asks<msg::outcome>(it, msg::deliver_for_good{stanza_of("<presence type='unsubscribe'/>", juliet, romeo)});
  fails_and_restarts();
  attaches_again(x, true);
  works();
  BOOST_TEST(bodies(x) == "123");
  BOOST_TEST(end->has_come());
}

BOOST_AUTO_TEST_CASE(very_much_may_wait_for_one_commit_and_more_is_refused) {
  put_account(romeo);
  starts();
  works();
  arrives("<presence type='subscribe'/>", juliet, romeo);
  works();
  arrives("<presence type='subscribe'/>", "mercutio@example.com"_jid, romeo);
  for (auto i = 0; i < 25'000; ++i)
    arrives("<presence type='subscribe'/>", juliet, romeo);
  shard->delivered.clear();
  works();
  BOOST_TEST(described("pending requests") == "2");
  BOOST_TEST(std::count_if(shard->delivered.begin(), shard->delivered.end(),
                           [](auto& one) { return one.type == stanza_type::error; }) == 0); // for presence none is due
}

// -- sessions of other nodes --

BOOST_AUTO_TEST_CASE(a_session_of_another_node_goes_with_it) {
  put_contact(subscription::both);
  starts_with_account();
  auto x = makes_client();
  auto what = attach_of(romeo.with_resource("garden"), x.actor);
  what.node = 7;
  x.full = asks<msg::attached>(it, what)->value->full;
  auto y = attached("balcony");
  sends(x, "<presence/>");
  sends(y, "<presence/>");
  works();
  shard->delivered.clear();
  ends(x.actor, caf::exit_reason::remote_link_unreachable);
  BOOST_TEST(shard->has_been_sent(juliet, "type='unavailable'"));
  BOOST_TEST(y.history->has_been_sent("type='unavailable'"));
  auto again = makes_client();
  BOOST_TEST((attaches(again, "garden")->value->full == romeo.with_resource("garden")));
}

BOOST_AUTO_TEST_CASE(of_two_sessions_that_come_again_under_one_name_one_stays) {
  starts_with_account();
  auto first = makes_client(), second = makes_client();
  auto again = [&](const client& x) {
    auto what = attach_of(romeo.with_resource("garden"), x.actor);
    what.again = true;
    return asks<msg::attached>(it, what)->value->failure;
  };
  BOOST_TEST((again(first) == errc::none));
  BOOST_TEST((again(second) == errc::conflict));
  BOOST_TEST((again(first) == errc::none)); // the same one
}

BOOST_AUTO_TEST_CASE(that_loses_its_account_ends_when_its_changes_are_done) {
  starts_with_account();
  auto x = attached("garden");
  sends(x, "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query></iq>");
  send(it, msg::lose{});
  BOOST_TEST(!has_retired());
  works();
  BOOST_TEST(x.history->has_been_sent("type='result'"));
  BOOST_TEST(has_retired());
  BOOST_TEST(!still_runs());
  BOOST_TEST(x.history->ended.empty()); // its sessions come to the next
}

BOOST_AUTO_TEST_CASE(that_loses_its_account_before_it_knows_it_ends_at_once) {
  put_account(romeo);
  starts();
  send(it, msg::lose{});
  BOOST_TEST(has_retired());
  BOOST_TEST(!still_runs());
}

BOOST_AUTO_TEST_SUITE_END()
