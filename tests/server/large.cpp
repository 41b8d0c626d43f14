// Large things: what one may send, another can receive; and what a stranger makes large, is refused.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>

using namespace xmpp::test;

namespace {

std::string repeated(std::string_view what, int times) {
  auto out = std::string{};
  for (auto i = 0; i < times; ++i)
    out += what;
  return out;
}

/// An element that grows by far when its namespaces are written out.
std::string swelling(std::string_view before, std::string_view after, int namespace_bytes, int children) {
  return std::string{before} + " xmlns:q='" + std::string(static_cast<std::size_t>(namespace_bytes), 'n') + "'>" +
         repeated("<q:b/>", children) + std::string{after};
}

/// Until an answer to `to` has come round: what was stored before is committed by then.
void is_stored(client& x, const std::string& to) {
  x.ping(to);
  x.ping(to);
}

} // namespace

BOOST_AUTO_TEST_SUITE(large)

BOOST_AUTO_TEST_CASE(the_largest_stanza_that_may_be_sent_arrives) { // XEP-0478, 4
  auto romeo = client{"romeo"}, juliet = client{"juliet"};
  auto words = std::string(255'000, 'x');
  auto quotes = repeated("<x xmlns='urn:example:x' a=\"" + std::string(100, '\'') + "\"/>", 80); // escaped, each is six
  romeo.send("<message to='{}'><body>{}</body></message>", juliet.full(), words);
  BOOST_TEST((juliet.receives("<message/>").text_of("body") == words));
  romeo.send("<message to='{}'>{}</message>", juliet.full(), raw_xml{quotes});
  BOOST_TEST(juliet.receives("<message/>").children.size() == 80u);
  romeo.ping();
}

BOOST_AUTO_TEST_CASE(who_sends_what_swells_loses_the_own_stream_not_that_of_others) { // CVE-2026-43506, -43507
  auto& here = shared_server();
  auto juliet = client{"juliet"};
  auto before = here.is_peer() ? 0 : here.resident_bytes();
  auto attacks = {swelling("<message to='" + juliet.full() + "' type='error'", "</message>", 200'000, 9'990),
                  swelling("<presence to='" + juliet.full() + "'", "</presence>", 2'000, 1'000),
                  "<message to='" + juliet.full() + "'><body a=\"" + std::string(200'000, '\'') + "\"/></message>"};
  for (auto& attack : attacks) {
    auto mallory = client{"mallory"};
    mallory.send_bytes(attack);
    BOOST_TEST(mallory.stream_error() == "policy-violation");
  }
  juliet.ping();
  BOOST_TEST(juliet.inbox().empty());
  if (!here.is_peer() && !is_sanitized)
    BOOST_TEST(here.resident_bytes() < before + 30'000'000);
}

BOOST_AUTO_TEST_CASE(what_swells_is_refused_before_sign_in) {
  auto mallory = client{};
  mallory.opens();
  mallory.features();
  mallory.send_bytes(
      swelling("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'", "</auth>", 8'000, 1'300));
  BOOST_TEST(mallory.stream_error() == "policy-violation");
}

BOOST_AUTO_TEST_CASE(a_request_keeps_few_words_of_a_stranger) { // They are shown at each sign-in (RFC 6121, 3.1.3).
  auto juliet = registers("juliet");
  auto shy = client{"romeo"}, loud = client{"mallory"};
  shy.send("<presence to='{}' type='subscribe'><status>It is the east</status></presence>", juliet.bare());
  loud.send("<presence to='{}' type='subscribe'><status>{}</status></presence>", juliet.bare(),
            std::string(200'000, 'm'));
  for (auto x : {&shy, &loud}) {
    x->receives("<iq type='set'><query xmlns='jabber:iq:roster'><item ask='subscribe'/></query></iq>");
    x->ping(juliet.bare());
  }
  auto x = client{juliet, {.state = upto::roster}}; // which is answered when all that came is committed
  x.is_available();
  BOOST_TEST(x.receives("<presence type='subscribe' from='{}'/>", shy.bare()).text_of("status") == "It is the east");
  BOOST_TEST(!x.receives("<presence type='subscribe' from='{}'/>", loud.bare()).find("status"));
}

BOOST_AUTO_TEST_CASE(a_roster_larger_than_any_queue_is_delivered) { // 10^5 items must lock nobody out.
  auto juliet = client{"juliet"};
  for (auto i = 0; i < 26; ++i) {
    auto groups = std::string{};
    for (auto g = 0; g < 60; ++g)
      groups += "<group>" + std::string(900, static_cast<char>('a' + g % 26)) + std::to_string(g) + "</group>";
    auto answer = juliet.set(
        format("<query xmlns='jabber:iq:roster'><item jid='c{}@example.com'>{}</item></query>", i, raw_xml{groups}));
    BOOST_REQUIRE(answer["type"] == "result");
    juliet.forget();
  }
  auto later = client{juliet.who(), {.resource = "later"}};
  BOOST_TEST(later.asks_roster().find("query")->children.size() == 26u);
  later.ping();
}

BOOST_AUTO_TEST_CASE(offline_messages_come_no_faster_than_they_are_read) {
  // More than a slow disk may leave waiting, or the last ones are refused.
  auto here = server{{.settings = {{"host_defaults.offline_bytes_max", "67108864"},
                                   {"storage.writer_queue_bytes_max", "67108864"}}}};
  if (here.is_peer())
    return;
  constexpr auto many = 150;
  auto juliet = registers(here, "juliet");
  auto romeo = client{here, "romeo"};
  for (auto i = 0; i < many; ++i)
    romeo.send("<message to='{}' type='chat' id='m{}'><body>{}</body></message>", juliet.bare(), i,
               std::string(250'000, 'x'));
  is_stored(romeo, juliet.bare());
  BOOST_TEST(here.statistic("offline_stored") == many);
  {
    auto gone = client{here, juliet}; // comes, reads nothing, and is lost
    gone.breaks();
  }
  auto x = client{here, juliet};
  x.send("<message to='{}' type='chat' id='last'><body>comes behind those</body></message>", x.full());
  // The lost one may have been sent what its socket could hold, not more.
  auto first = std::stoi(x.receives("<message/>")["id"].substr(1));
  BOOST_TEST(first < many / 2);
  for (auto i = first + 1; i < many; ++i)
    BOOST_TEST(x.receives("<message/>")["id"] == "m" + std::to_string(i));
  BOOST_TEST(x.receives("<message/>")["id"] == "last");
  x.ping();
  BOOST_TEST(!x.has("<message/>"));
}

/// Juliet's phone has come back to more than its socket takes, and reads nothing.
struct stalled_phone {
  static constexpr auto many = 100;
  server here{{.settings = {{"host_defaults.offline_bytes_max", "67108864"}}}};
  account juliet = registers(here, "juliet");
  client romeo{here, "romeo"};
  std::optional<client> phone;

  stalled_phone() {
    for (auto i = 0; i < many; ++i)
      romeo.send("<message to='{}' type='chat' id='m{}'><body>{}</body></message>", juliet.bare(), i,
                 std::string(250'000, 'x'));
    is_stored(romeo, juliet.bare());
    phone.emplace(here, juliet, client_options{.resource = "phone"});
  }

  /// Messages that take their place behind those.
  void romeo_goes_on(int count = 1) {
    for (auto i = 0; i < count; ++i)
      romeo.send("<message to='{}' type='chat' id='m{}'><body>behind those</body></message>", phone->full(), next_++);
    while (here.statistic("offline_stored") < next_)
      ;
  }

  /// A message "both" goes to the account: another device, which reads, has it at once.
  void romeo_writes_to_both(client& desk) {
    romeo.send("<message to='{}' type='chat' id='both'><body>to both</body></message>", juliet.bare());
    desk.receives("<message id='both'/>");
  }

  /// All come but for those that the phone's socket may hold; in order, each once.
  void gets_the_rest(client& x) {
    auto first = std::stoi(x.receives("<message type='chat'/>")["id"].substr(1));
    BOOST_TEST(first < many / 2);
    for (auto i = first + 1; i < next_; ++i)
      BOOST_TEST(x.receives("<message type='chat'/>")["id"] == "m" + std::to_string(i));
    client{here, "mercutio"}.send("<message to='{}' type='chat' id='end'><body>all</body></message>", x.full());
    BOOST_TEST(x.receives("<message/>")["id"] == "end");
  }

private:
  int next_ = many;
};

BOOST_AUTO_TEST_CASE(a_device_that_does_not_read_silences_no_other) {
  auto x = stalled_phone{};
  if (x.here.is_peer())
    return;
  auto desk = client{x.here, x.juliet, {.resource = "desk"}};
  x.romeo.send("<message to='{}' type='chat'><body>to the desk</body></message>", desk.full());
  BOOST_TEST(desk.receives("<message type='chat'/>").text_of("body") == "to the desk");
  x.romeo.send("<message to='{}' type='chat'><body>to both</body></message>", x.juliet.bare());
  BOOST_TEST(desk.receives("<message type='chat'/>").text_of("body") == "to both");
  desk.ping(x.juliet.bare());
}

BOOST_AUTO_TEST_CASE(what_a_device_did_not_read_comes_to_the_next) {
  for (auto how : {"closes", "is replaced", "is lost", "is lost behind a restart of the account"}) {
    BOOST_TEST_CONTEXT(how) {
      auto x = stalled_phone{};
      if (x.here.is_peer())
        return;
      x.romeo_goes_on();
      if (how == std::string{"closes"})
        x.phone->send_bytes("</stream:stream>");
      else if (how == std::string{"is lost"})
        x.phone->breaks();
      else if (how != std::string{"is replaced"}) {
        x.here.shell("kill " + x.juliet.bare());
        x.romeo_goes_on();
        BOOST_TEST(x.here.shell("inspect " + x.juliet.bare()).find("offline messages go to") != std::string::npos);
        x.phone->breaks();
      }
      auto later = client{x.here, x.juliet, {.resource = "phone"}};
      x.gets_the_rest(later);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_one_device_had_when_it_came_does_not_come_to_it_again) {
  auto x = stalled_phone{};
  if (x.here.is_peer())
    return;
  auto desk = client{x.here, x.juliet, {.resource = "desk"}};
  x.romeo_writes_to_both(desk);
  x.phone->breaks();
  x.gets_the_rest(desk); // and "both" is not among them
}

BOOST_AUTO_TEST_CASE(a_copy_waits_for_its_device_in_its_place) {
  auto x = stalled_phone{};
  if (x.here.is_peer())
    return;
  auto desk = client{x.here, x.juliet, {.resource = "desk"}};
  x.romeo_writes_to_both(desk);
  for (auto i = 0; i < x.many; ++i)
    BOOST_TEST(x.phone->receives("<message/>")["id"] == "m" + std::to_string(i));
  BOOST_TEST(x.phone->receives("<message/>")["id"] == "both");
}

BOOST_AUTO_TEST_CASE(a_restart_of_the_account_doubles_nothing_that_its_device_reads) {
  auto x = stalled_phone{};
  if (x.here.is_peer())
    return;
  for (auto round = 0; round < 3; ++round)
    x.here.shell("kill " + x.juliet.bare());
  for (auto i = 0; i < x.many; ++i)
    BOOST_TEST(x.phone->receives("<message/>")["id"] == "m" + std::to_string(i));
  x.romeo.send("<message to='{}' type='chat' id='end'><body>all</body></message>", x.phone->full());
  BOOST_TEST(x.phone->receives("<message/>")["id"] == "end");
}

BOOST_AUTO_TEST_CASE(a_device_that_closes_its_stream_and_reads_on_finds_nothing_twice) {
  auto x = stalled_phone{};
  if (x.here.is_peer())
    return;
  x.phone->receives("<message id='m0'/>"); // They are on their way.
  x.phone->send_bytes("</stream:stream>");
  auto read = 1;
  try {
    for (;; ++read)
      BOOST_TEST(x.phone->receives("<message/>")["id"] == "m" + std::to_string(read));
  } catch (const failure&) { // the end of the stream
  }
  BOOST_TEST(read < x.many);
  auto later = client{x.here, x.juliet, {.resource = "phone"}};
  BOOST_TEST(later.receives("<message/>")["id"] == "m" + std::to_string(read));
}

BOOST_AUTO_TEST_CASE(a_device_that_takes_no_more_messages_is_sent_no_more) { // RFC 6121, 8.5.2.1.1
  auto x = stalled_phone{};
  if (x.here.is_peer())
    return;
  x.phone->is_available(-1);
  auto desk = client{x.here, x.juliet, {.state = upto::bound, .resource = "desk"}};
  desk.ping(x.juliet.bare());
  auto read = 0;
  x.phone->send("<iq type='get' id='end'><ping xmlns='urn:xmpp:ping'/></iq>");
  for (auto one = x.phone->next(); one["id"] != "end"; one = x.phone->next())
    read += one.name == "message" ? 1 : 0;
  BOOST_TEST(read < x.many / 2);
  desk.is_available();
  BOOST_TEST(desk.receives("<message/>")["id"] == "m" + std::to_string(read));
}

BOOST_AUTO_TEST_CASE(what_a_device_did_not_read_comes_to_another_that_is_there) {
  auto x = stalled_phone{};
  if (x.here.is_peer())
    return;
  x.romeo_goes_on();
  auto desk = client{x.here, x.juliet, {.resource = "desk"}};
  desk.ping();
  BOOST_TEST(!desk.has("<message/>"));
  x.phone->breaks();
  x.gets_the_rest(desk);
}

BOOST_AUTO_TEST_CASE(what_came_while_a_device_did_not_read_survives) {
  for (auto how : {"a kill", "a stop"}) {
    BOOST_TEST_CONTEXT(how) {
      auto x = stalled_phone{};
      if (x.here.is_peer())
        return;
      x.romeo_goes_on(20);
      if (how == std::string{"a kill"})
        x.here.kill();
      else
        x.here.stop();
      x.here.start();
      auto later = client{x.here, x.juliet, {.resource = "phone"}};
      x.gets_the_rest(later);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
