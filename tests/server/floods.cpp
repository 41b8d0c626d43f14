// Many strangers, slow strangers, and limits per address: each on a server of its own, whose limits are small.
//
// TROUPE_HALF_OPEN is how many half-open connections stand while a user signs in (usually 15,000, or what the limit of
// open files allows), TROUPE_HALF_STREAMS how many streams are begun and dropped while the memory is watched (usually
// 4,000).
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/scram.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <functional>
#include <memory>
#include <sys/resource.h>
#include <thread>

using namespace xmpp::test;

namespace {

constexpr auto header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                        "version='1.0' to='localhost'>";

int setting(const char* name, int otherwise) {
  auto given = std::getenv(name);
  return given ? std::atoi(given) : otherwise;
}

/// Feeds `bytes` one after the other, slower than any limit would like, until the server has had enough. Returns what
/// it said in the end. The pause is the attack, not a wait for a result.
std::string trickles(wire& x, const std::function<std::string(int)>& bytes) {
  auto said = std::string{};
  auto end = clock::now() + patience();
  for (auto i = 0; clock::now() < end; ++i) {
    try {
      x.send(bytes(i));
      if (x.readable(clock::now() + std::chrono::milliseconds(100))) {
        auto more = x.receive(clock::now() + patience());
        if (more.empty())
          return said + "(closed)";
        said += more;
      }
    } catch (const connection_lost&) {
      return said + "(closed)";
    }
  }
  return said + "(still open)";
}

/// What the server says up to `end`.
std::string hears(wire& x, std::string_view end) {
  auto said = std::string{};
  while (said.find(end) == said.npos) {
    auto more = x.receive(clock::now() + patience());
    if (more.empty())
      throw failure("closed after: " + said);
    said += more;
  }
  return said;
}

void opens(wire& x) {
  x.send(header);
  hears(x, "</stream:features>");
}

/// The first half of a sign-in; returns the server's part of the nonce.
std::string begins_sign_in(wire& x, const account& who) {
  x.send(format("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{}</auth>",
                base64("n,,n=" + who.name + ",r=abc")));
  auto said = hears(x, "</challenge>");
  auto begin = said.find('>') + 1;
  auto challenge = unbase64(said.substr(begin, said.find('<', begin) - begin));
  return challenge.substr(2, challenge.find(',') - 2);
}

/// A sign-in to its end, with a proof that proves nothing and costs the guesser nothing.
void fails_to_sign_in(wire& x, const account& who) {
  auto nonce = begins_sign_in(x, who);
  x.send(format("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>",
                base64("c=biws,r=" + nonce + ",p=" + base64(std::string(20, 'x')))));
  hears(x, "</failure>");
}

/// Ends when the server holds that many connections at most, or at least.
void settles_at(const server& here, const std::function<bool(int)>& enough) {
  auto deadline = clock::now() + patience();
  while (!enough(here.open_files()) && clock::now() < deadline)
    std::this_thread::yield();
  BOOST_TEST(enough(here.open_files()));
}

bool closed(const std::string& said) {
  return said.size() >= 8 && said.substr(said.size() - 8) == "(closed)";
}

} // namespace

BOOST_AUTO_TEST_SUITE(floods)

// -- the time before sign-in ------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(no_trickle_of_bytes_extends_the_time_before_sign_in) { // slowloris; issue: one byte per second
  auto here = server{{.settings = {{"c2s.sign_in_timeout_s", "1"}}}};
  if (here.is_peer())
    return;
  auto every = [](std::string bytes) {
    return [bytes](int i) { return std::string(1, bytes[static_cast<std::size_t>(i) % bytes.size()]); };
  };
  {
    auto silent = client{here};
    silent.opens();
    silent.features();
    BOOST_TEST(unless_ours(silent.stream_error(), {"connection-timeout", "policy-violation"}) == "");
  }
  {
    auto mute = client{here}; // never even a header
    auto end = mute.stream_error();
    BOOST_TEST(end.find("stays open") == end.npos);
  }
  struct trickle {
    const char* what;
    std::string first, then;
  };
  auto all = {trickle{"a header that never ends", std::string{header}.substr(0, 60), " "},
              trickle{"white space in a stream", header, " "},
              trickle{"an element that never ends", header + std::string{"<auth "}, " "},
              trickle{"whole requests", header, "<iq type='get' id='x'><query xmlns='jabber:iq:register'/></iq>"},
              trickle{"restarted attempts", header, "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"}};
  for (auto& one : all) {
    auto x = client{here};
    BOOST_TEST_CONTEXT(one.what)
    BOOST_TEST(closed(trickles(x.wire(), [&](int n) { return n == 0 ? one.first : one.then; })));
  }
  for (auto how : {transport::plain, transport::direct_tls}) { // a handshake that never ends
    auto x = client{here, how};
    if (how == transport::plain) {
      x.opens();
      x.features();
      x.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
      x.receives("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    }
    auto hello = std::string{"\x16\x03\x01\x40\x00", 5} + std::string(200, 'h');
    BOOST_TEST(closed(trickles(x.wire(), every(hello))));
  }
  {
    auto x = client{here, transport::direct_tls}; // and one that has ended, after which nothing comes
    x.makes_tls();
    auto end = x.stream_error();
    BOOST_TEST(end.find("stays open") == end.npos);
  }
}

BOOST_AUTO_TEST_CASE(who_has_signed_in_may_take_all_the_time) {
  auto here = server{{.settings = {{"c2s.sign_in_timeout_s", "1"}}}};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  auto stranger = client{here};
  stranger.opens();
  stranger.features();
  stranger.stream_error(); // by now a second has passed
  romeo.ping();
}

// -- many -------------------------------------------------------------------------------------------------------------

/// A stranger who has come so far and stays; and how many bytes more the server's process may hold for him: what was
/// measured, and a quarter.
struct stranger {
  const char* what;
  transport how;
  long long bytes_max;
  void (*comes)(wire&, const account&);
};

constexpr stranger strangers[] = {
    {"who says nothing", transport::plain, 3'400, [](wire&, const account&) {}},
    {"whose header never ends", transport::plain, 3'400, [](wire& x, const account&) { x.send("<stream:str"); }},
    {"who has a stream", transport::plain, 3'400, [](wire& x, const account&) { opens(x); }},
    {"who asked for TLS", transport::plain, 3'600,
     [](wire& x, const account&) {
       opens(x);
       x.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
       hears(x, "<proceed");
     }},
    {"whose sign-in waits", transport::plain, 3'800,
     [](wire& x, const account& who) {
       opens(x);
       begins_sign_in(x, who);
     }},
    {"whose sign-in failed", transport::plain, 3'400, // Openfire 86364
     [](wire& x, const account& who) {
       opens(x);
       fails_to_sign_in(x, who);
     }},
    {"whose sign-in failed four times", transport::plain, 3'400,
     [](wire& x, const account& who) {
       opens(x);
       for (auto i = 0; i < 4; ++i)
         fails_to_sign_in(x, who);
     }},
    {"whose handshake never ends", transport::direct_tls, 62'000, // OpenSSL's buffers
     [](wire& x, const account&) {
       x.send(std::string_view{"\x16\x03\x01\x02\x00\x01", 6});
     }},
};

BOOST_AUTO_TEST_CASE(a_user_signs_in_while_thousands_stand_half_open) { // and each of those costs little memory
  auto limit = rlimit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  auto here = server{};
  auto who = registers(here, "nurse");
  auto crowd = std::vector<std::unique_ptr<wire>>{};
  auto many = std::min(setting("TROUPE_HALF_OPEN", is_sanitized ? 2'000 : 15'000),
                       static_cast<int>(std::min<rlim_t>(limit.rlim_max, 1'000'000)) - 500);
  auto come = [&](const stranger& one, int n) {
    for (auto i = 0; i < n; ++i) {
      crowd.push_back(
          std::make_unique<wire>(here.address(), one.how == transport::direct_tls ? here.tls_port() : here.port()));
      one.comes(*crowd.back(), who);
    }
  };
  for (auto& one : strangers) // the first of each needs what the later ones share
    come(one, 10);
  auto each = many / static_cast<int>(std::size(strangers));
  for (auto& one : strangers) {
    auto before = here.resident_bytes();
    auto files = here.is_peer() ? 0 : here.open_files();
    come(one, each);
    if (here.is_peer())
      continue;
    settles_at(here, [&](int now) { return now >= files + each; });
    auto grown = here.resident_bytes() - before;
    BOOST_TEST_MESSAGE(each << " strangers " << one.what << ": " << grown / each << " bytes each");
    if (!is_sanitized)
      BOOST_TEST(grown < each * one.bytes_max + 400'000, one.what << ": " << grown / each << " bytes each");
  }
  auto romeo = client{here, "romeo"};
  auto juliet = client{here, "juliet", {.how = transport::direct_tls}};
  befriend(romeo, juliet);
  romeo.send("<message to='{}'><body>quite a crowd</body></message>", juliet.bare());
  juliet.receives("<message><body>quite a crowd</body></message>");
  auto owner = client{here, who}; // whose name they all try
  owner.ping();
  if (!here.is_peer())
    BOOST_TEST(here.open_files() >= many);
  for (auto& one : crowd)
    one->reset();
}

BOOST_AUTO_TEST_CASE(streams_begun_and_dropped_leave_nothing_behind) { // CVE-2026-43506/43507
  auto here = server{};
  if (here.is_peer() || is_sanitized)
    return;
  auto who = registers(here, "romeo");
  auto drop = [&](int i) {
    auto how = i % 7 == 6 ? transport::direct_tls : transport::plain;
    auto x = client{here, how};
    switch (i % 7) {
    case 0:
      break;
    case 1:
      x.wire().send("<stream:stream xmlns='jabber:cl");
      break;
    case 2:
      x.opens(), x.features(), x.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SH");
      break;
    case 3:
      opens(x.wire()), fails_to_sign_in(x.wire(), who);
      break;
    case 4:
      x.opens(), x.features(), x.send("<!DOCTYPE"), x.stream_error();
      break;
    case 5:
      opens(x.wire()), begins_sign_in(x.wire(), who);
      break;
    case 6:
      x.makes_tls(), x.opens(), x.features();
      break;
    }
    if (i % 2)
      x.breaks();
  };
  auto many = setting("TROUPE_HALF_STREAMS", 4'000);
  auto idle = here.open_files();
  auto grown = std::vector<long long>{};
  for (auto round = 0; round < 3; ++round) { // the first finds out how many there are at once
    auto before = here.resident_bytes();
    for (auto i = 0; i < many; ++i)
      drop(i);
    settles_at(here, [&](int now) { return now <= idle + 5; });
    grown.push_back(here.resident_bytes() - before);
    BOOST_TEST_MESSAGE("round " << round << ": grown by " << grown.back() << " bytes over " << many << " streams");
  }
  auto romeo = client{here, who};
  romeo.ping();
  BOOST_TEST(grown[1] < 1'000'000);
  BOOST_TEST(grown[2] < 256'000); // of 4,000, 64 bytes each
}

BOOST_AUTO_TEST_CASE(connections_that_are_gone_free_their_files) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = client{here, "romeo"};
  romeo.ping();
  auto before = here.open_files();
  {
    auto some = std::vector<std::unique_ptr<client>>{};
    for (auto i = 0; i < 100; ++i) {
      some.push_back(std::make_unique<client>(here));
      some.back()->opens();
      some.back()->features();
    }
    BOOST_TEST(here.open_files() >= before + 100);
  }
  // Each closes as the server reads its end: a stranger that comes after them is accepted after them.
  auto deadline = clock::now() + patience();
  while (here.open_files() > before + 10 && clock::now() < deadline)
    romeo.ping();
  BOOST_TEST(here.open_files() <= before + 10);
}

// -- limits per address -----------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(one_address_holds_so_many_connections) { // XEP-0205, 4.1
  auto here = server{{.settings = {{"listen.loopback_is_exempt", "false"}, {"listen.per_address_max", "10"}}}};
  if (here.is_peer())
    return;
  auto some = std::vector<std::unique_ptr<client>>{};
  auto refused = 0;
  for (auto i = 0; i < 15; ++i) {
    some.push_back(std::make_unique<client>(here));
    try {
      some.back()->opens();
      some.back()->features();
    } catch (const failure&) {
      ++refused;
    }
  }
  BOOST_TEST(refused >= 5);
  BOOST_TEST(refused < 10);
  BOOST_TEST(here.statistic("connections_refused") == refused);
  some.erase(some.begin(), some.begin() + 5); // when some go, others may come
  auto deadline = clock::now() + patience();
  auto is_in = false;
  while (!is_in && clock::now() < deadline) {
    try {
      auto next = client{here};
      next.opens();
      is_in = true;
    } catch (const failure&) {
    }
  }
  BOOST_TEST(is_in);
}

BOOST_AUTO_TEST_CASE(one_address_connects_so_often) { // XEP-0205, 4.1
  auto here = server{{.settings = {{"listen.loopback_is_exempt", "false"},
                                   {"listen.per_address_burst", "10"},
                                   {"listen.per_address_per_minute", "1"}}}};
  if (here.is_peer())
    return;
  auto refused = 0;
  for (auto i = 0; i < 20; ++i) {
    try {
      auto x = client{here};
      x.opens();
    } catch (const failure&) {
      ++refused;
    }
  }
  BOOST_TEST(refused >= 8);
}

BOOST_AUTO_TEST_CASE(one_address_registers_so_many_accounts) { // XEP-0077, 11
  auto here = server{{.settings = {{"listen.loopback_is_exempt", "false"},
                                   {"listen.per_address_max", "0"},
                                   {"listen.per_address_per_minute", "0"},
                                   {"sign_in.registrations_per_address_per_hour", "3"}}}};
  if (here.is_peer())
    return;
  for (auto i = 0; i < 3; ++i)
    registers(here, "romeo");
  BOOST_CHECK_THROW(registers(here, "romeo"), failure);
}

BOOST_AUTO_TEST_CASE(guesses_get_slower_but_the_owner_comes_in) { // XEP-0205, 4.2
  auto here = server{
      {.settings = {{"sign_in.backoff_after", "3"}, {"sign_in.backoff_ms", "200"}, {"sign_in.backoff_ms_max", "800"}}}};
  if (here.is_peer())
    return;
  auto who = registers(here, "romeo");
  auto guess = [&](const std::string& password) {
    auto x = client{here};
    x.opens();
    x.features();
    auto began = clock::now();
    auto answer = x.authenticates({who.name, who.domain, password});
    BOOST_TEST((answer.name == "success") == (password == who.password));
    return clock::now() - began;
  };
  for (auto i = 0; i < 4; ++i)
    guess("wrong");
  // A lower bound that the server promises; nothing here depends on how fast the machine is.
  BOOST_TEST((guess("wrong again") >= std::chrono::milliseconds(200)));
  guess(who.password);
}

// -- where TLS is required --------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(where_tls_is_required_nothing_else_comes_first) { // CVE-2014-8760, CVE-2016-10027
  auto here = server{{.settings = {{"tls.required", "true"}}}};
  if (here.is_peer())
    return;
  auto x = client{here};
  x.opens();
  auto features = x.features();
  BOOST_REQUIRE(features.find("starttls"));
  BOOST_TEST(features.find("starttls")->find("required"));
  BOOST_TEST(!features.find("mechanisms"));
  BOOST_TEST(!features.find("register"));
  x.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1hLHI9Yg==</auth>");
  auto answer = x.next();
  BOOST_TEST(unless_ours(condition(answer),
                         {"encryption-required", "invalid-mechanism", "policy-violation", "not-authorized"}) == "");
  auto other = client{here};
  other.opens();
  other.features();
  other.send("<iq type='set' id='r'><query "
             "xmlns='jabber:iq:register'><username>mallory</username><password>p</password></query></iq>");
  BOOST_TEST(condition(other.next()) != "");
  auto romeo = client{here, transport::direct_tls};
  romeo.makes_tls();
  romeo.opens();
  romeo.features();
  auto who = account{unique("romeo")};
  BOOST_TEST(
      romeo.set(format("<query xmlns='jabber:iq:register'><username>{}</username><password>{}</password></query>",
                       who.name, who.password))["type"] == "result");
  romeo.signs_in(who);
  auto starttls = client{here, who, {.how = transport::starttls}};
  starttls.ping();
}

BOOST_AUTO_TEST_SUITE_END()
