#include "actors/shard.hpp"

#include "actors/user.hpp"
#include "persistence/offline.hpp"
#include "tests/actors/stand_ins.hpp"
#include "tests/fixtures/heap.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;
using namespace std::chrono_literals;

namespace {

struct one_shard : server_fixture {
  const jid romeo = "romeo@example.com"_jid, juliet = "juliet@example.com"_jid;
  shard_actor it;

  one_shard() {
    options.accounts.idle_retire_s = 0;
    configure();
    put_account(romeo, "romeo's");
    put_account(juliet, "juliet's");
    it = system().spawn<shard>(parent, std::ref(server), shard_id{0});
    server.route.set(0, it);
    settle();
  }
  ~one_shard() { ends(it); }

  std::optional<msg::found> looks_up(const jid& account) {
    auto found = asks<msg::found>(it, msg::lookup{account});
    works();
    return found->value;
  }
  /// Its number; 0: it does not run.
  caf::actor_id user_of(const jid& account) {
    auto out = caf::actor_id{0};
    registry::instance().for_each(actor_kind::user, [&](const registry::entry& x) {
      if (x.name == account.text() && runs(caf::actor_cast<caf::weak_actor_ptr>(x.actor)))
        out = x.id;
      return true;
    });
    return out;
  }
  user_actor handle_of(const jid& account) {
    return caf::actor_cast<user_actor>(registry::instance().find(user_of(account)));
  }
  std::string users() {
    auto said = asks<msg::description>(it, msg::describe{});
    return said->value->fields.at(1).second;
  }
  void tick() { send(it, msg::tick{}); }

  std::shared_ptr<session_history> history = std::make_shared<session_history>();
  session_actor client = session(history);
  std::shared_ptr<answer<msg::attached>> attaches(const jid& full) {
    auto done = asks<msg::attached>(it, attach_of(full, client));
    works();
    return done;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_shard, one_shard)

BOOST_AUTO_TEST_CASE(starts_a_user_on_the_first_demand_and_keeps_it) {
  BOOST_TEST(user_of(romeo) == 0u);
  BOOST_TEST(looks_up(romeo)->credentials == "romeo's");
  auto first = user_of(romeo);
  BOOST_TEST(first != 0u);
  BOOST_TEST(looks_up(romeo)->credentials == "romeo's");
  BOOST_TEST(user_of(romeo) == first);
  BOOST_TEST(user_of(juliet) == 0u);
  BOOST_TEST(looks_up(juliet)->credentials == "juliet's");
  BOOST_TEST(users() == "2");
}

BOOST_AUTO_TEST_CASE(keeps_no_user_of_an_account_that_does_not_exist) {
  auto found = looks_up("nobody@example.com"_jid);
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(!found->exists);
  BOOST_TEST(users() == "0");
  BOOST_TEST(user_of("nobody@example.com"_jid) == 0u);
  attaches("nobody@example.com/x"_jid);
  send(it, msg::sent{stanza_of("<presence/>", "nobody@example.com/x"_jid, {}), 1});
  send(it, msg::detach{"nobody@example.com/x"_jid, 1, {juliet}});
  send(it, msg::deliver{stanza_of("<message/>", juliet, "nobody@example.com"_jid)});
  works();
  auto alive = 0;
  registry::instance().for_each(actor_kind::user, [&](const registry::entry& x) {
    alive += x.name == "nobody@example.com" ? 1 : 0;
    return true;
  });
  BOOST_TEST(alive == 0); // nor does any queue hold one
}

BOOST_AUTO_TEST_CASE(retires_users_that_are_idle_and_only_those) {
  looks_up(juliet);
  attaches(romeo.with_resource("garden"));
  tick();
  BOOST_TEST(users() == "1");
  BOOST_TEST(user_of(juliet) == 0u);
  BOOST_TEST(user_of(romeo) != 0u);
  BOOST_TEST(looks_up(juliet)->credentials == "juliet's"); // and starts them again
}

BOOST_AUTO_TEST_CASE(keeps_no_memory_of_retired_users) {
  constexpr auto count = 1'000;
  auto account = [](int i) { return *jid::make("user" + std::to_string(i), "example.com"); };
  for (auto i = 0; i < 2 * count; ++i)
    put_account(account(i), std::string(1'000, 'k'));
  auto come = [&](int first) {
    for (auto i = first; i < first + count; ++i)
      looks_up(account(i));
    BOOST_TEST(users() == std::to_string(count));
  };
  auto go = [&] {
    for (auto i = 0; i < count && users() != "0"; ++i)
      tick();
    BOOST_TEST(users() == "0");
  };
  come(0); // what stays then is there once for all
  go();
  auto before = heap_bytes();
  come(count);
  auto all_are_here = heap_bytes();
  go();
  BOOST_TEST((before == 0 || all_are_here > before + count * 1'000u)); // The measure sees them.
  BOOST_TEST(heap_bytes() < before + 4'096);
}

BOOST_AUTO_TEST_CASE(looks_for_idle_users_by_itself) {
  looks_up(juliet);
  passes(15s);
  BOOST_TEST(users() == "0");
}

BOOST_AUTO_TEST_CASE(goes_on_when_a_user_says_unasked_that_it_stays) {
  looks_up(romeo);
  caf::send_as(handle_of(romeo), it, msg::retired{romeo});
  settle();
  BOOST_TEST(failures->empty());
  BOOST_TEST(users() == "1");
  BOOST_TEST(looks_up(romeo)->credentials == "romeo's");
}

BOOST_AUTO_TEST_CASE(answers_whoever_comes_while_a_user_retires) {
  // Every moment at which a request can overtake, or be overtaken by, the retirement.
  for (auto steps = 0; steps < 12; ++steps) {
    BOOST_TEST_CONTEXT(steps << " steps after the tick") {
      looks_up(romeo);
      caf::anon_send(it, msg::tick{});
      for (auto i = 0; i < steps && scheduler().has_job(); ++i)
        scheduler().run_once();
      auto attached = asks<msg::attached>(it, attach_of(romeo.with_resource("garden"), client));
      auto found = asks<msg::found>(it, msg::lookup{romeo});
      works();
      BOOST_REQUIRE(attached->value.has_value());
      BOOST_TEST((attached->value->failure == errc::none));
      BOOST_REQUIRE(found->value.has_value());
      BOOST_TEST(found->value->credentials == "romeo's");
      // The one who said it has it is the one who runs.
      BOOST_TEST(attached->value->user->id() == user_of(romeo));
      send(it, msg::detach{attached->value->full, server.session_number(client->id())});
      works();
    }
  }
}

BOOST_AUTO_TEST_CASE(keeps_the_order_of_what_comes_while_a_user_is_asked_to_end) {
  auto nobody_answers = 0;
  for (auto steps = 0; steps < 12; ++steps) {
    BOOST_TEST_CONTEXT(steps << " steps after the tick") {
      looks_up(romeo);
      caf::anon_send(it, msg::tick{});
      for (auto i = 0; i < 20; ++i) {
        caf::anon_send(
            it, msg::deliver{stanza_of("<message><body>" + std::to_string(i) + "</body></message>", juliet, romeo)});
        for (auto j = 0; j < steps && scheduler().has_job(); ++j)
          scheduler().run_once();
      }
      works();
      auto stored = load_user(simulated_reader{store, true}, {0, romeo});
      nobody_answers += stored->offline.messages == 20u ? 0 : 1;
      auto page = offline::load(simulated_reader{store, true}, {0, romeo}, {}, 100, 1 << 20);
      auto last = -1;
      for (auto& one : page->messages) {
        auto begin = one.message.xml.find("<body>") + 6;
        auto number = std::stoi(one.message.xml.substr(begin));
        BOOST_TEST(number == last + 1);
        last = number;
      }
      BOOST_TEST(last == 19);
      tick();
      store.state.clear();
      put_account(romeo, "romeo's");
      put_account(juliet, "juliet's");
    }
  }
  BOOST_TEST(nobody_answers == 0);
}

BOOST_AUTO_TEST_CASE(does_not_pass_back_and_forth_what_comes_for_an_account_that_does_not_exist) {
  for (auto i = 0; i < 3'000; ++i)
    caf::anon_send(it, msg::deliver{stanza_of("<message type='headline'><body>x</body></message>", juliet,
                                              "nobody@example.com"_jid)});
  works();
  BOOST_TEST(registry::instance().entry_of(it->id())->handled < 10'000u);
  BOOST_TEST(users() == "0");
}

BOOST_AUTO_TEST_CASE(starts_a_user_that_ended_hard_anew_and_its_sessions_come_to_it) {
  auto full = romeo.with_resource("garden");
  attaches(full);
  server.sessions.add(full, client);
  auto first = user_of(romeo);
  ends(handle_of(romeo), caf::exit_reason::kill);
  works();
  BOOST_TEST(user_of(romeo) != 0u);
  BOOST_TEST(user_of(romeo) != first);
  BOOST_TEST(history->asked_again == 1);
  auto again = attach_of(full, client);
  again.again = true;
  auto done = asks<msg::attached>(it, again);
  works();
  BOOST_REQUIRE(done->value.has_value());
  BOOST_TEST(done->value->user->id() == user_of(romeo));
  BOOST_TEST(users() == "1");
  server.sessions.remove(full, client);
}

BOOST_AUTO_TEST_CASE(restarts_a_user_that_fails_in_place) {
  looks_up(romeo);
  auto first = user_of(romeo);
  send(handle_of(romeo), msg::fail_now{});
  works();
  BOOST_TEST(looks_up(romeo)->exists);
  BOOST_TEST(user_of(romeo) == first);
  BOOST_TEST(registry::instance().entry_of(first)->restarts == 1u);
}

BOOST_AUTO_TEST_CASE(lets_a_user_that_fails_and_fails_rest_while_others_are_served) {
  options.accounts.idle_retire_s = 3'600;
  configure();
  looks_up(romeo);
  auto failing = handle_of(romeo);
  for (auto i = 0; i < 21; ++i) {
    send(failing, msg::fail_now{});
    if (i < 20)
      passes(5s); // the longest back-off
    works();
  }
  BOOST_TEST(registry::instance().entry_of(failing->id())->restarts == 20u);
  auto waits = asks<msg::found>(it, msg::lookup{romeo});
  passes(29s);
  works();
  BOOST_TEST(!waits->has_come());
  BOOST_TEST(looks_up(juliet)->exists);
  BOOST_TEST(failures->empty()); // the shard itself is well
  passes(1s);
  works();
  BOOST_REQUIRE(waits->value.has_value());
  BOOST_TEST(waits->value->exists);
}

BOOST_AUTO_TEST_CASE(refuses_large_stanzas_for_a_user_long_before_there_are_many) {
  looks_up(romeo);
  send(handle_of(romeo), msg::fail_now{}); // it waits for a decision from now on
  auto mercutio = "mercutio@example.com"_jid, tybalt = "tybalt@example.com"_jid;
  auto says_much = [&](const jid& who) {
    auto body = std::string(250'000, 'x');
    send(it, msg::deliver{stanza_of("<message type='headline'><body>" + body + "</body></message>", who, romeo)});
  };
  for (auto i = 0; i < 33; ++i)
    says_much(mercutio);
  BOOST_TEST(user_of(mercutio) == 0u);
  says_much(mercutio);
  BOOST_TEST(user_of(mercutio) != 0u); // who is told
  send(handle_of(romeo), msg::verdict{});
  works();
  says_much(tybalt); // There is room again.
  BOOST_TEST(user_of(tybalt) == 0u);
}

BOOST_AUTO_TEST_CASE(refuses_stanzas_for_a_user_that_does_not_keep_up) {
  looks_up(romeo);
  auto busy = handle_of(romeo);
  caf::anon_send(busy, msg::fail_now{});
  scheduler().run_once(); // it waits for a decision from now on
  auto mercutio = "mercutio@example.com"_jid;
  auto message = stanza_of("<message type='chat'><body>x</body></message>", mercutio, romeo);
  for (auto i = 0; i < 20'001; ++i)
    caf::anon_send(busy, msg::deliver{message});
  caf::anon_send(it, msg::deliver{message});
  for (auto i = 0; i < 100 && user_of(mercutio) == 0; ++i)
    scheduler().try_run_once();
  BOOST_TEST(user_of(mercutio) != 0u); // who is told
  caf::anon_send_exit(busy, caf::exit_reason::kill);
}

BOOST_AUTO_TEST_CASE(starts_nobody_for_a_session_that_ended_unless_somebody_must_be_told) {
  auto full = romeo.with_resource("garden");
  send(it, msg::detach{full, 7});
  BOOST_TEST(users() == "0");
  send(it, msg::detach{full, 7, {juliet}});
  works();
  BOOST_TEST(user_of(romeo) != 0u);
}

BOOST_AUTO_TEST_CASE(finds_its_users_again_when_it_was_restarted) {
  looks_up(romeo);
  looks_up(juliet);
  auto before = user_of(romeo);
  send(it, msg::fail_now{});
  BOOST_TEST(failures->size() == 1u);
  send(it, msg::verdict{});
  works();
  BOOST_TEST(users() == "2");
  BOOST_TEST(looks_up(romeo)->credentials == "romeo's");
  BOOST_TEST(user_of(romeo) == before);
}

BOOST_AUTO_TEST_CASE(watches_over_its_users_also_when_it_was_restarted) {
  looks_up(romeo);
  auto before = user_of(romeo);
  send(it, msg::fail_now{});
  send(it, msg::verdict{});
  ends(handle_of(romeo), caf::exit_reason::kill);
  works();
  BOOST_TEST(user_of(romeo) != before);
  BOOST_TEST(looks_up(romeo)->exists);
}

BOOST_AUTO_TEST_CASE(decides_about_users_that_failed_while_it_had_failed_itself) {
  looks_up(romeo);
  send(it, msg::fail_now{});
  send(handle_of(romeo), msg::fail_now{});
  auto found = asks<msg::found>(it, msg::lookup{romeo});
  send(it, msg::verdict{});
  passes(1s);
  works();
  BOOST_REQUIRE(found->value.has_value());
  BOOST_TEST(found->value->exists);
}

BOOST_AUTO_TEST_CASE(takes_its_users_with_it) {
  looks_up(romeo);
  looks_up(juliet);
  ends(it);
  BOOST_TEST(user_of(romeo) == 0u);
  BOOST_TEST(user_of(juliet) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
