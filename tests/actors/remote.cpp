#include "actors/remote.hpp"

#include "protocol/namespaces.hpp"
#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace xmpp;
using namespace xmpp::test;

namespace {

constexpr auto shards = std::uint32_t{4};
constexpr auto a_id = remote::node_id{0xa}, b_id = remote::node_id{0xb};
const auto two_copies = std::make_shared<const std::vector<std::uint64_t>>(2, 77);

const auto romeo = "romeo@montague.lit/orchard"_jid;
const auto juliet = "juliet@capulet.lit"_jid;

shard_id shard_of(const jid& x) {
  return xmpp::shard_of(x.bare_text(), shards);
}

stanza chat(std::string_view id) {
  return stanza_of("<message type='chat' id='" + std::string{id} + "'><body>hi</body></message>", romeo, juliet);
}

/// What a shard saw, and how it answers.
struct shard_history {
  std::vector<std::string> seen;
  std::vector<msg::attach> attached;
  std::vector<stanza> sent;
  std::vector<std::shared_ptr<const void>> turns; ///< Of these.
  std::vector<msg::show> shown;
  std::vector<caf::typed_response_promise<msg::outcome>> held; ///< Of deliver_for_good.
  std::vector<msg::registered> registered;
  std::vector<msg::heritage> heritage;
  user_actor user; ///< Look-ups are delegated to it, when there is one.
};

shard_actor::behavior_type remembering_shard(shard_actor::pointer self, std::shared_ptr<shard_history> to) {
  return {
      [to](const msg::deliver& x) {
        to->seen.push_back(std::string{x.what.id()} + " to " + std::string{x.what.to.text()});
      },
      [self, to](const msg::deliver_for_good& x) -> caf::result<msg::outcome> {
        to->seen.push_back("for good " + std::string{x.what.id()});
        to->held.push_back(self->make_response_promise<msg::outcome>());
        return to->held.back();
      },
      [to](const msg::show& x) { to->shown.push_back(x); },
      [to](const msg::sent& x) {
        to->sent.push_back(x.what);
        to->turns.push_back(x.turn);
      },
      [to](const msg::attach& x) -> caf::result<msg::attached> {
        to->attached.push_back(x);
        return msg::attached{errc::none, x.account.with_resource(x.resource)};
      },
      [](const msg::came_back&) {},
      [](const msg::has_left&) {},
      [](const msg::detach&) { return msg::detached{}; },
      [self, to](const msg::lookup& x) -> caf::result<msg::found> {
        if (to->user)
          return self->delegate(to->user, x);
        return msg::found{errc::none, true, true, "credentials", 7};
      },
      [](const msg::set_credentials&) -> caf::result<msg::outcome> { return caf::make_error(caf::sec::runtime_error); },
      [](const msg::remove_account&) {
        return msg::outcome{errc::not_allowed, "never"};
      },
      [](const msg::may_retire&) {},
      [](const msg::retired&) {},
      [](const msg::unhandled&) {},
      [](const msg::served&) {},
      [to](const msg::registered& x) { to->registered.push_back(x); },
      [](const msg::waited&) {},
      [](const msg::shown&) {},
      [to](const msg::heritage& x) { to->heritage.push_back(x); },
      [](const msg::pace&) {},
      [](const msg::tick&) {},
      [](const msg::child_failed&) {},
      [self](const msg::verdict&) { self->quit(); },
      [](const msg::fail_now&) {},
      [](const msg::describe&) { return msg::description{}; },
  };
}

/// Two nodes, and between them a queue.
struct two_nodes {
  struct frame {
    remote::node_id from, to;
    std::string bytes;
  };
  struct lost_stanza {
    std::string id;
    errc why;
  };
  struct node {
    actor_fixture world;
    std::shared_ptr<shard_history> history = std::make_shared<shard_history>();
    std::map<shard_id, shard_actor> shards;
    std::map<std::uint64_t, session_actor> sessions;
    std::vector<lost_stanza> lost;
    std::vector<std::string> unreached;
    std::vector<std::string> refused;
    int losses = 0; ///< That others told of.
    std::unique_ptr<remote::exchange> exchange;
  };

  node a, b;
  std::deque<frame> queue;
  bool is_up = true;
  std::int64_t now_ms = 1'000;

  explicit two_nodes(std::size_t outstanding_max = 100) {
    begin(a, a_id, outstanding_max);
    begin(b, b_id, outstanding_max);
    for (auto i = shard_id{0}; i < shards; ++i)
      b.shards[i] = b.world.system().spawn(remembering_shard, b.history);
    settle();
  }
  ~two_nodes() {
    settle();
    *b.history = {}; // What it holds holds the shards, which hold it.
    a.exchange = nullptr;
    b.exchange = nullptr;
    settle();
  }

  void begin(node& x, remote::node_id self, std::size_t outstanding_max) {
    auto calls = remote::exchange_callbacks{};
    calls.send = [this, self](remote::node_id to, std::string_view bytes) {
      if (is_up)
        queue.push_back({self, to, std::string{bytes}});
      return is_up;
    };
    calls.shard = [&x](shard_id i) { return x.shards.count(i) ? x.shards[i] : shard_actor{}; };
    calls.session = [&x](std::uint64_t id) { return x.sessions.count(id) ? x.sessions[id] : session_actor{}; };
    calls.route = [&x](const jid& to) { return x.shards.count(shard_of(to)) ? x.shards[shard_of(to)] : shard_actor{}; };
    calls.on_lost = [&x](const stanza& what, errc why) { x.lost.push_back({std::string{what.id()}, why}); };
    calls.on_unreached = [&x](const remote::unreached& what) {
      constexpr auto reasons = std::to_array<const char*>({"gone", "unknown", "full"});
      x.unreached.push_back(std::string{what.what.what.id()} + " of " + std::to_string(what.what.session_id) + ", " +
                            std::to_string(what.what.copies ? what.what.copies->size() : 1) +
                            " copies: " + reasons[std::size_t(what.why)]);
    };
    calls.is_up = [this](remote::node_id) { return is_up; };
    calls.on_refused = [&x](remote::node_id, const std::string& summary, const error& why) {
      x.refused.push_back(summary + ": " + why.text);
    };
    calls.on_loss = [&x] { ++x.losses; };
    calls.clock_ms = [this] { return now_ms; };
    x.exchange = std::make_unique<remote::exchange>(
        x.world.system(), remote::exchange_options{self, shards, outstanding_max, 30'000}, std::move(calls));
  }

  /// Until no message and no frame is left.
  void settle() {
    do {
      a.world.settle();
      b.world.settle();
      if (queue.empty())
        return;
      auto one = std::move(queue.front());
      queue.pop_front();
      (one.to == a_id ? a : b).exchange->on_frame(one.from, one.bytes);
    } while (true);
  }
  void goes_down() {
    is_up = false;
    queue.clear();
    a.exchange->on_down(b_id);
    b.exchange->on_down(a_id);
    settle();
  }

  shard_actor shard_at_b(const jid& account) { return a.exchange->shard(b_id, shard_of(account)); }

  template <class T>
  struct answered {
    std::optional<T> value;
    caf::error why;
    int times = 0;
  };
  /// From node a.
  template <class T, class Handle, class Question>
  std::shared_ptr<answered<T>> asks(const Handle& whom, Question question) {
    auto out = std::make_shared<answered<T>>();
    a.world.system().spawn([=](caf::event_based_actor* self) {
      self->request(whom, caf::infinite, question)
          .then(
              [out](const T& x) {
                out->value = x;
                ++out->times;
              },
              [out](const caf::error& x) {
                out->why = x;
                ++out->times;
              });
    });
    a.world.settle();
    return out;
  }
  msg::attach attach_of(std::uint64_t session_id, std::shared_ptr<session_history> to) {
    a.sessions[session_id] = a.world.system().spawn(remembering_session, to);
    auto x = msg::attach{};
    x.account = romeo.bare();
    x.resource = romeo.resource();
    x.session_id = session_id;
    x.session = std::make_shared<session_handle>(session_handle{a.sessions[session_id]});
    return x;
  }
};

struct cramped_nodes : two_nodes {
  cramped_nodes() : two_nodes(2) {}
};

} // namespace

BOOST_AUTO_TEST_SUITE(remote_actors)

// -- one way --

BOOST_FIXTURE_TEST_CASE(stanzas_for_a_shard_of_another_node_arrive_in_order, two_nodes) {
  auto shard = shard_at_b(juliet);
  for (auto id : {"1", "2", "3"})
    a.world.send(shard, msg::deliver{chat(id)});
  BOOST_TEST(queue.size() == 3u);
  settle();
  auto expected =
      std::vector<std::string>{"1 to juliet@capulet.lit", "2 to juliet@capulet.lit", "3 to juliet@capulet.lit"};
  BOOST_TEST(b.history->seen == expected, boost::test_tools::per_element());
  BOOST_TEST(a.exchange->outstanding() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_shard_has_one_stand_in, two_nodes) {
  BOOST_TEST((shard_at_b(juliet) == shard_at_b(juliet)));
}

BOOST_FIXTURE_TEST_CASE(a_stanza_that_no_link_takes_is_given_back, two_nodes) {
  is_up = false;
  a.world.send(shard_at_b(juliet), msg::deliver{chat("1")});
  a.world.send(shard_at_b(romeo), msg::sent{chat("2")});
  BOOST_TEST_REQUIRE(a.lost.size() == 2u);
  BOOST_TEST(a.lost[0].id == "1");
  BOOST_TEST((a.lost[0].why == errc::remote_server_timeout));
  BOOST_TEST(a.lost[1].id == "2");
}

BOOST_FIXTURE_TEST_CASE(a_stanza_for_a_shard_that_is_not_there_is_lost_there, two_nodes) {
  b.shards.clear();
  a.world.send(shard_at_b(juliet), msg::deliver{chat("1")});
  settle();
  BOOST_TEST_REQUIRE(b.lost.size() == 1u);
  BOOST_TEST((b.lost[0].why == errc::not_leader));
}

BOOST_FIXTURE_TEST_CASE(a_stanza_under_a_wrong_shard_is_refused, two_nodes) {
  auto wrong = a.exchange->shard(b_id, shard_id((shard_of(juliet) + 1) % shards));
  a.world.send(wrong, msg::deliver{chat("1")});
  auto asked = asks<msg::found>(wrong, msg::lookup{juliet});
  settle();
  BOOST_TEST(b.history->seen.empty());
  BOOST_TEST(b.refused.size() == 2u);
  BOOST_TEST((asked->why == caf::error{std::uint8_t(errc::bad_request), caf::atom("xmpp")}));
}

BOOST_FIXTURE_TEST_CASE(a_stanza_too_large_for_a_frame_is_given_back, two_nodes) {
  auto x = stanza_of("<message id='1'><body>" + std::string(remote::frame_bytes_max, 'x') + "</body></message>", romeo,
                     juliet);
  a.world.send(shard_at_b(juliet), msg::deliver{x});
  BOOST_TEST_REQUIRE(a.lost.size() == 1u);
  BOOST_TEST((a.lost[0].why == errc::policy_violation));
}

BOOST_FIXTURE_TEST_CASE(a_fan_out_reaches_each_target_once, two_nodes) {
  auto what = chat("1");
  BOOST_TEST(a.exchange->send(b_id, {what, {juliet, "nurse@capulet.lit/hall"_jid}}).has_value());
  BOOST_TEST(queue.size() == 1u);
  settle();
  auto expected = std::vector<std::string>{"1 to juliet@capulet.lit", "1 to nurse@capulet.lit/hall"};
  BOOST_TEST(b.history->seen == expected, boost::test_tools::per_element());
  BOOST_TEST(a.exchange->send(b_id, {what, {juliet}, true, {"juliet@capulet.lit/balcony"_jid}}).has_value());
  settle();
  BOOST_TEST_REQUIRE(b.history->shown.size() == 1u);
  BOOST_TEST(b.history->shown[0].hidden_from.size() == 1u);
  is_up = false;
  BOOST_TEST((a.exchange->send(b_id, {what, {juliet}}).code() == errc::remote_server_timeout));
}

BOOST_FIXTURE_TEST_CASE(a_fan_out_keeps_its_place_among_single_stanzas, two_nodes) {
  a.world.send(shard_at_b(juliet), msg::deliver{chat("1")});
  BOOST_TEST(a.exchange->send(b_id, {chat("2"), {juliet}}).has_value());
  a.world.send(shard_at_b(juliet), msg::deliver{chat("3")});
  settle();
  auto expected =
      std::vector<std::string>{"1 to juliet@capulet.lit", "2 to juliet@capulet.lit", "3 to juliet@capulet.lit"};
  BOOST_TEST(b.history->seen == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_loss_elsewhere_is_told, two_nodes) {
  a.exchange->send(b_id, remote::loss{});
  settle();
  BOOST_TEST(b.losses == 1);
  BOOST_TEST(a.losses == 0);
  BOOST_TEST(b.refused.empty());
}

BOOST_FIXTURE_TEST_CASE(what_contacts_see_is_said_to_the_shard, two_nodes) {
  auto index = shard_of(romeo);
  a.world.send(a.exchange->shard(b_id, index), msg::heritage{index, a_id, 7, true, false, {romeo}, {}});
  settle();
  BOOST_TEST_REQUIRE(b.history->heritage.size() == 1u);
  auto& got = b.history->heritage[0];
  BOOST_TEST((got.shard == index && got.node == a_id && got.term == 7u && got.begins && !got.ends));
  BOOST_TEST((got.there == std::vector<jid>{romeo}));
}

BOOST_FIXTURE_TEST_CASE(a_turn_lasts_until_the_account_elsewhere_lets_go, two_nodes) {
  auto sends = [&](std::string_view id) {
    auto turn = std::make_shared<int>();
    auto what = msg::sent{chat(id), 77};
    what.turn = turn;
    a.world.send(shard_at_b(romeo), what);
    return std::weak_ptr<int>{turn};
  };
  auto turn = sends("1");
  settle();
  BOOST_TEST_REQUIRE(b.history->turns.size() == 1u);
  BOOST_TEST(!turn.expired());
  b.history->turns.clear();
  settle();
  BOOST_TEST(turn.expired());
  BOOST_TEST(a.exchange->outstanding() == 0u);

  turn = sends("2");
  settle();
  goes_down();
  BOOST_TEST(turn.expired());
  turn = sends("3"); // without a link
  BOOST_TEST(turn.expired());
  BOOST_TEST(a.lost.size() == 1u);
  is_up = true;
  b.history->turns.clear(); // too late, and no harm
  turn = sends("4");
  b.shards.clear();
  settle();
  BOOST_TEST(turn.expired());
  BOOST_TEST(b.lost.size() == 1u);
}

// -- questions --

BOOST_FIXTURE_TEST_CASE(a_question_is_answered, two_nodes) {
  auto asked = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet});
  BOOST_TEST(a.exchange->outstanding() == 1u);
  settle();
  BOOST_TEST_REQUIRE(asked->value.has_value());
  BOOST_TEST(asked->value->created_ms == 7);
  BOOST_TEST(asked->value->credentials == "credentials");
  BOOST_TEST(a.exchange->outstanding() == 0u);
}

BOOST_FIXTURE_TEST_CASE(an_error_is_an_answer, two_nodes) {
  auto asked = asks<msg::outcome>(shard_at_b(juliet), msg::set_credentials{juliet, "x"});
  settle();
  BOOST_TEST(asked->times == 1);
  BOOST_TEST((asked->why == caf::sec::runtime_error));
}

BOOST_FIXTURE_TEST_CASE(answers_find_their_askers_in_any_order, two_nodes) {
  auto first = asks<msg::outcome>(shard_at_b(juliet), msg::deliver_for_good{chat("1")});
  auto second = asks<msg::outcome>(shard_at_b(juliet), msg::deliver_for_good{chat("2")});
  settle();
  BOOST_TEST_REQUIRE(b.history->held.size() == 2u);
  b.history->held[1].deliver(msg::outcome{errc::none, "second"});
  settle();
  BOOST_TEST(first->times == 0);
  BOOST_TEST(second->value->text == "second");
  b.history->held[0].deliver(msg::outcome{errc::none, "first"});
  settle();
  BOOST_TEST(first->value->text == "first");
}

BOOST_FIXTURE_TEST_CASE(whoever_a_question_is_delegated_to_answers_it, two_nodes) {
  b.history->user = caf::actor_cast<user_actor>(b.world.system().spawn([](caf::event_based_actor*) {
    return caf::behavior{[](const msg::lookup&) { return msg::found{errc::none, true, false, {}, 9}; }};
  }));
  auto asked = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet});
  settle();
  BOOST_TEST_REQUIRE(asked->value.has_value());
  BOOST_TEST(asked->value->created_ms == 9);
  b.history->user = nullptr;
}

BOOST_FIXTURE_TEST_CASE(a_question_to_an_actor_that_has_ended_fails, two_nodes) {
  b.world.ends(b.shards[shard_of(juliet)]);
  auto asked = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet});
  settle();
  BOOST_TEST(asked->times == 1);
  BOOST_TEST(bool(asked->why));
}

BOOST_FIXTURE_TEST_CASE(a_question_to_a_shard_that_is_elsewhere_fails, two_nodes) {
  b.shards.clear();
  auto asked = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet});
  settle();
  BOOST_TEST((asked->why == caf::error{std::uint8_t(errc::not_leader), caf::atom("xmpp")}));
}

BOOST_FIXTURE_TEST_CASE(when_the_link_is_lost_every_question_is_answered_once, two_nodes) {
  auto first = asks<msg::outcome>(shard_at_b(juliet), msg::deliver_for_good{chat("1")});
  auto second = asks<msg::outcome>(shard_at_b(juliet), msg::deliver_for_good{chat("2")});
  settle();
  goes_down();
  for (auto& one : {first, second}) {
    BOOST_TEST(one->times == 1);
    BOOST_TEST((one->why == caf::exit_reason::remote_link_unreachable));
  }
  BOOST_TEST(a.exchange->outstanding() == 0u);
  is_up = true;
  for (auto& one : b.history->held)
    one.deliver(msg::outcome{});
  settle(); // the answers come too late
  BOOST_TEST(first->times == 1);
  auto third = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet}); // the same stand-in goes on
  settle();
  BOOST_TEST(third->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(without_a_link_a_question_fails_at_once, two_nodes) {
  is_up = false;
  auto asked = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet});
  BOOST_TEST((asked->why == caf::exit_reason::remote_link_unreachable));
  BOOST_TEST(a.exchange->outstanding() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_question_has_a_time_limit, two_nodes) {
  auto asked = asks<msg::outcome>(shard_at_b(juliet), msg::deliver_for_good{chat("1")});
  settle();
  now_ms += 29'999;
  a.exchange->tick();
  settle();
  BOOST_TEST(asked->times == 0);
  now_ms += 1;
  a.exchange->tick();
  settle();
  BOOST_TEST(asked->times == 1);
  BOOST_TEST((asked->why == caf::sec::request_timeout));
}

BOOST_FIXTURE_TEST_CASE(too_many_questions_fail_at_once, cramped_nodes) {
  auto first = asks<msg::outcome>(shard_at_b(juliet), msg::deliver_for_good{chat("1")});
  auto second = asks<msg::outcome>(shard_at_b(juliet), msg::deliver_for_good{chat("2")});
  auto third = asks<msg::outcome>(shard_at_b(juliet), msg::deliver_for_good{chat("3")});
  BOOST_TEST((third->why == caf::error{std::uint8_t(errc::resource_constraint), caf::atom("xmpp")}));
  settle();
  b.history->held[0].deliver(msg::outcome{});
  settle();
  BOOST_TEST(first->value.has_value());
  auto fourth = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet});
  settle();
  BOOST_TEST(fourth->value.has_value());
  BOOST_TEST(second->times == 0);
}

BOOST_FIXTURE_TEST_CASE(what_stays_in_its_node_is_not_asked, two_nodes) {
  auto asked = asks<msg::description>(shard_at_b(juliet), msg::describe{});
  a.world.send(shard_at_b(juliet), msg::tick{});
  BOOST_TEST((asked->why == caf::sec::unexpected_message));
  BOOST_TEST(queue.empty());
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_exchange_answers_all, two_nodes) {
  auto asked = asks<msg::outcome>(shard_at_b(juliet), msg::deliver_for_good{chat("1")});
  auto shard = shard_at_b(juliet);
  a.exchange = nullptr;
  queue.clear();
  a.world.settle();
  BOOST_TEST(asked->times == 1);
  a.world.send(shard, msg::deliver{chat("2")});
  BOOST_TEST(queue.empty());
}

// -- sessions --

BOOST_FIXTURE_TEST_CASE(an_account_elsewhere_writes_to_the_session_here, two_nodes) {
  auto history = std::make_shared<session_history>();
  auto asked = asks<msg::attached>(shard_at_b(romeo), attach_of(77, history));
  settle();
  BOOST_TEST_REQUIRE(asked->value.has_value());
  BOOST_TEST(asked->value->full.text() == romeo.text());
  BOOST_TEST_REQUIRE(b.history->attached.size() == 1u);
  auto there = b.history->attached[0].session->actor;
  b.world.send(there, msg::deliver{chat("1")});
  b.world.send(there, msg::attach_again{});
  b.world.send(there, msg::blocks_changed{});
  b.world.send(there, msg::end_stream{errc::conflict});
  settle();
  BOOST_TEST_REQUIRE(history->delivered.size() == 1u);
  BOOST_TEST(history->delivered[0].id() == "1");
  BOOST_TEST(history->asked_again == 1);
  BOOST_TEST(history->block_changes == 1);
  BOOST_TEST((history->ended == std::vector{errc::conflict}));

  // And the session to its account, by the handle that it was given.
  auto user = caf::actor_cast<user_actor>(asked->value->user);
  a.world.send(user, msg::sent{chat("2"), 77});
  auto left = asks<msg::detached>(user, msg::detach{romeo, 77});
  settle();
  BOOST_TEST_REQUIRE(b.history->sent.size() == 1u);
  BOOST_TEST(b.history->sent[0].id() == "2");
  BOOST_TEST(left->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(stored_messages_are_acknowledged_by_the_session_elsewhere, two_nodes) {
  auto history = std::make_shared<session_history>();
  asks<msg::attached>(shard_at_b(romeo), attach_of(77, history));
  settle();
  auto there = b.history->attached[0].session->actor;
  auto page = msg::deliver_stored{{{stored_id{1, 2}, chat("1")}, {stored_id{1, 3}, chat("2")}}};
  auto written = b.world.asks<msg::written>(there, page);
  settle();
  BOOST_TEST(history->delivered.size() == 2u);
  BOOST_TEST(written->value.has_value());
  history->reads_slowly = true;
  auto slow = b.world.asks<msg::written>(there, page);
  settle();
  now_ms += 300'000;
  b.exchange->tick();
  settle();
  BOOST_TEST(!slow->has_come());
  a.world.send(a.sessions.at(77), msg::drained{});
  settle();
  BOOST_TEST(slow->value.has_value());
  a.sessions.clear();
  auto late = b.world.asks<msg::written>(there, page);
  b.world.send(there, msg::deliver{chat("3"), two_copies});
  settle();
  BOOST_TEST(late->failed);
  BOOST_TEST((a.unreached == std::vector<std::string>{"3 of 77, 2 copies: unknown"}));
}

BOOST_FIXTURE_TEST_CASE(sessions_of_a_lost_node_end_for_who_watches_them, two_nodes) {
  asks<msg::attached>(shard_at_b(romeo), attach_of(77, std::make_shared<session_history>()));
  settle();
  auto there = b.history->attached[0].session->actor;
  auto ends = std::make_shared<std::vector<caf::error>>();
  auto watcher = b.world.system().spawn([=](caf::event_based_actor* self) { // kept: nobody else knows it
    self->set_down_handler([=](caf::down_msg& x) { ends->push_back(x.reason); });
    self->monitor(there);
    return caf::behavior{[](int) {}};
  });
  b.world.settle();
  BOOST_TEST(ends->empty());
  goes_down();
  BOOST_TEST_REQUIRE(ends->size() == 1u);
  BOOST_TEST((ends->front() == caf::exit_reason::remote_link_unreachable));
  is_up = true;
  b.world.send(there, msg::deliver{chat("1"), two_copies});
  BOOST_TEST(queue.empty());
  BOOST_TEST((b.unreached == std::vector<std::string>{"1 of 77, 2 copies: gone"}));
}

BOOST_FIXTURE_TEST_CASE(a_session_of_the_own_node_is_itself, two_nodes) {
  auto history = std::make_shared<session_history>();
  attach_of(77, history);
  BOOST_TEST((a.exchange->session(a_id, 77) == a.sessions[77]));
  BOOST_TEST(!a.exchange->session(a_id, 78));
}

// -- a peer with a defect --

BOOST_FIXTURE_TEST_CASE(an_answer_of_another_kind_is_an_error, two_nodes) {
  auto asked = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet});
  queue.clear();
  auto frame = std::string{};
  BOOST_TEST(remote::append(frame, {{remote::address::kind::request, 1}}, remote::message{msg::written{}}).has_value());
  a.exchange->on_frame(b_id, frame);
  settle();
  BOOST_TEST((asked->why == caf::sec::unexpected_response));
  BOOST_TEST(a.refused.size() == 1u);
  a.exchange->on_frame(b_id, frame); // nobody waits any more
  settle();
  BOOST_TEST(asked->times == 1);
}

BOOST_FIXTURE_TEST_CASE(a_question_that_is_not_understood_is_answered, two_nodes) {
  auto asked = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet});
  BOOST_TEST_REQUIRE(queue.size() == 1u);
  queue.front().bytes[1] = 99; // a message of a later version
  settle();
  BOOST_TEST((asked->why == caf::error{std::uint8_t(errc::unsupported_feature), caf::atom("xmpp")}));
  BOOST_TEST(b.refused == std::vector<std::string>{"message 0 to shard " + std::to_string(shard_of(juliet)) +
                                                   ", request 1 of 000000000000000a: a message that is not known: 99"},
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(no_frame_harms, two_nodes) {
  auto random = std::mt19937{5};
  auto below = [&](std::size_t end) { return std::uniform_int_distribution<std::size_t>{0, end - 1}(random); };
  for (auto round = 0; round < 3'000; ++round) {
    a.world.send(shard_at_b(juliet), msg::deliver{chat("1")});
    asks<msg::attached>(shard_at_b(romeo), attach_of(77, std::make_shared<session_history>()));
    a.exchange->on_down(b_id);
    for (auto& one : queue)
      one.bytes[below(std::min<std::size_t>(one.bytes.size(), 24))] = static_cast<char>(below(256));
    settle();
    a.sessions.clear();
    b.history->attached.clear();
  }
  BOOST_TEST(b.refused.size() > 100u);
  auto asked = asks<msg::found>(shard_at_b(juliet), msg::lookup{juliet});
  settle();
  BOOST_TEST(asked->value.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
