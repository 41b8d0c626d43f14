#include "actors/session.hpp"

#include "actors/hasher.hpp"
#include "actors/metrics.hpp"
#include "tests/actors/stand_ins.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace xmpp;
using namespace xmpp::test;
using namespace std::chrono_literals;

namespace {

/// A client that reads when the test says so.
class slow_client final : public net::transport {
public:
  std::string said;                ///< By the server.
  std::size_t unread = 0;          ///< Of that.
  bool reads = true;               ///< At once.
  bool is_too_slow = false;        ///< It has read too little for too long.
  std::vector<std::string> closed; ///< With these words.
  std::string last_in_clear;       ///< Before TLS, which has not begun yet.

  net::send_status send(std::string_view bytes) override {
    if (is_too_slow)
      return net::send_status::overflow;
    said += bytes;
    unread += reads ? 0 : bytes.size();
    return net::send_status::ok;
  }
  net::send_status send_and_flush(std::string_view bytes) override { return send(bytes); }
  void flush() override {}
  std::size_t queued_bytes() const override { return unread; }
  void set_output_bytes_max(std::size_t) override {}
  void close(std::string_view last, std::uint32_t) override { closed.emplace_back(last); }
  void abort() override {}
  void pause_reading() override {}
  void resume_reading() override {}
  void set_deadline(std::uint32_t) override {}
  bool start_tls(std::shared_ptr<const net::tls_context>, std::string_view last, std::string_view) override {
    last_in_clear = last;
    return true;
  }
  bool is_secure() const override { return false; }
  std::optional<net::tls_facts> tls() const override { return net::tls_facts{}; }
  std::string channel_binding(net::channel_binding_type) const override { return {}; }
  net::address peer() const override { return {}; }
};

/// Clients come in the clear, one at a time.
struct session_fixture : server_fixture {
  std::shared_ptr<shard_history> shard = std::make_shared<shard_history>();
  std::shared_ptr<slow_client> client = std::make_shared<slow_client>();
  std::shared_ptr<stream_control> control = std::make_shared<stream_control>();
  session_actor it;

  session_fixture() {
    server.route.set(0, system().spawn(remembering_shard, shard));
    serves();
  }
  ~session_fixture() { leaves(); }

  /// By what stands in `options`.
  void serves() {
    configure();
    auto policy = std::make_shared<stream_policy>();
    policy->tls_required = false;
    policy->server_secret = "secret";
    policy->scram_iterations = [] { return std::vector<std::uint32_t>{10'000}; };
    auto home = stream_host{};
    home.name = "example.com";
    home.mechanisms = {sasl::mechanism::anonymous, sasl::mechanism::scram_sha_1};
    home.registers = true;
    policy->hosts = {home};
    auto live = std::make_shared<live_settings>(*server.live());
    live->streams = policy;
    server.swap_live(live);
  }
  void leaves() {
    if (it)
      ends(std::exchange(it, nullptr), caf::exit_reason::kill);
  }

  void comes(const net::address& from = {}) {
    begins(from);
    opens();
  }
  void begins(const net::address& from = {}) {
    leaves();
    client->said.clear();
    auto made = system().spawn<xmpp::session>(caf::strong_actor_ptr{parent}, std::ref(server), control, from);
    static_cast<xmpp::session&>(*caf::actor_cast<caf::abstract_actor*>(made)).set_transport(client);
    it = made;
  }
  void opens() {
    auto header = stream_header{};
    header.to = "example.com";
    header.version = "1.0";
    header.content_ns = "jabber:client";
    header.name = "stream";
    header.ns = "http://etherx.jabber.org/streams";
    send(it, msg::stream_opened{header});
  }
  void says(const std::string& xml) { send(it, msg::received{*parse_stored(xml)}); }
  bool is_told(std::string_view text) const { return client->said.find(text) != std::string::npos; }
  void guesses_password_of(const std::string& name) {
    says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>" +
         sasl::base64_encode("n,,n=" + name + ",r=abc") + "</auth>");
    if (is_told("challenge"))
      says("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + sasl::base64_encode("c=biws,r=abc,p=") +
           "</response>");
  }
};

struct one_session : session_fixture {
  const std::size_t others = registry::instance().count(actor_kind::session);

  one_session() { signs_in(); }

  void signs_in() {
    comes();
    says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>");
    opens();
    says("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    BOOST_REQUIRE_MESSAGE(client->said.find("of-the-next</jid>") != std::string::npos, client->said);
  }
  /// A page from its account's store.
  std::shared_ptr<answer<msg::written>> is_sent_page() {
    auto page = msg::deliver_stored{};
    page.what.emplace_back(stored_id{1, 1},
                           stanza_of("<message><body>kept</body></message>", "a@example.com"_jid, "b@example.com"_jid));
    return asks<msg::written>(it, page);
  }
  void client_reads() {
    client->unread = 0;
    client->reads = true;
    if (control->awaits_drain.exchange(false))
      send(it, msg::drained{});
  }
  /// No actor, whoever held it.
  bool nothing_stays() {
    it = nullptr;
    passes(10s);
    return registry::instance().count(actor_kind::session) == others;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(what_a_stranger_puts_behind_starttls_is_never_heard, session_fixture) { // RFC 6120, 5.4.3.3
  begins();
  metrics::instance().connections_open.fetch_add(1);
  auto reader = stream_reader{server, it, control};
  auto reads = [&](std::string_view bytes) {
    reader.on_bytes(*client, bytes);
    settle();
  };
  constexpr auto header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
                          "version='1.0' to='example.com'>";
  reads(header);
  reads("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  // Before this has gone out nobody begins a handshake, and it goes out when the transport is ready for one.
  BOOST_TEST(client->last_in_clear == "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  BOOST_TEST(client->said.find("<proceed") == client->said.npos);
  client->said.clear();
  reads(header);
  reads("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>");
  reader.on_tls_established(*client);
  settle();
  BOOST_TEST(client->said == "");
  BOOST_TEST(client->closed.empty());
  reads(header);
  BOOST_TEST(client->said.find("<mechanisms") != client->said.npos, client->said);
  BOOST_TEST(client->said.find("<starttls") == client->said.npos, client->said);
}

BOOST_FIXTURE_TEST_SUITE(a_session, one_session)

BOOST_AUTO_TEST_CASE(says_when_a_page_has_gone_out) {
  BOOST_TEST(is_sent_page()->value.has_value());
  client->reads = false;
  auto page = asks<msg::written>(it, [&] {
    auto x = msg::deliver_stored{};
    x.what.emplace_back(stored_id{2, 1}, stanza_of("<message/>", "a@example.com"_jid, "b@example.com"_jid));
    return x;
  }());
  BOOST_TEST(!page->has_come());
  client_reads();
  BOOST_TEST(page->value.has_value());
}

BOOST_AUTO_TEST_CASE(ends_when_what_came_from_the_store_has_gone_out) {
  for (auto why : {errc::none, errc::conflict, errc::system_shutdown, errc::not_well_formed, errc::policy_violation}) {
    BOOST_TEST_CONTEXT(condition_name(why)) {
      *client = slow_client{};
      if (!it)
        signs_in();
      client->reads = false;
      auto page = is_sent_page();
      send(it, msg::end_stream{why});
      BOOST_TEST(client->closed.empty());
      BOOST_TEST(shard->detached.empty());
      client_reads();
      BOOST_TEST(page->value.has_value());
      BOOST_TEST(client->closed.size() == 1u);
      BOOST_TEST(shard->detached.size() == 1u);
      shard->detached.clear();
      BOOST_TEST(nothing_stays());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_successor_waits_for_a_second_at_most) {
  client->reads = false;
  auto page = is_sent_page();
  send(it, msg::end_stream{errc::conflict});
  passes(999ms);
  BOOST_TEST(!page->has_come());
  passes(1ms);
  BOOST_TEST(page->failed);
  BOOST_TEST(client->closed.size() == 1u);
}

BOOST_AUTO_TEST_CASE(that_has_ended_does_not_attach_again) {
  client->reads = false;
  auto page = is_sent_page();
  send(it, msg::end_stream{errc::conflict});
  auto before = shard->attached;
  send(it, msg::attach_again{});
  BOOST_TEST(shard->attached == before);
  BOOST_TEST(shard->detached.size() == 1u);
}

BOOST_AUTO_TEST_CASE(leaves_nothing_behind_whatever_ends_it_while_a_page_goes_out) {
  struct way {
    const char* name;
    std::function<void()> happens;
  };
  auto ways = std::vector<way>{
      {"its client closes the stream", [&] { send(it, msg::stream_closed{}); }},
      {"it is replaced", [&] { send(it, msg::end_stream{errc::conflict}); }},
      {"it is sent away", [&] { send(it, msg::end_stream{errc::system_shutdown}); }},
      {"its client breaks a rule", [&] { send(it, msg::stream_broken{errc::not_well_formed}); }},
      {"its client is lost", [&] { send(it, msg::disconnected{"lost"}); }},
      {"its client reads too slowly",
       [&] {
         client->is_too_slow = true;
         send(it, msg::deliver{stanza_of("<message/>", "a@example.com"_jid, "b@example.com"_jid)});
       }},
      {"it fails",
       [&] {
         send(it, msg::fail_now{});
         send(it, msg::verdict{msg::decision::stop});
       }},
      {"it fails while it waits",
       [&] {
         send(it, msg::stream_closed{});
         send(it, msg::fail_now{});
         send(it, msg::verdict{msg::decision::stop});
         BOOST_TEST(client->closed.size() == 1u);
       }},
      {"it is killed", [&] { ends(it, caf::exit_reason::kill); }},
  };
  for (auto& one : ways)
    BOOST_TEST_CONTEXT(one.name) {
      *client = slow_client{};
      if (!it)
        signs_in();
      client->reads = false;
      auto page = is_sent_page();
      BOOST_TEST(!page->has_come());
      one.happens();
      passes(6s);
      BOOST_TEST(page->failed);
      BOOST_TEST(nothing_stays());
    }
}

BOOST_AUTO_TEST_CASE(nobody_waits_for_attempts_that_could_not_be_judged) { // As while nobody leads its account's shard.
  auto failures_when = [&](errc lookup_failure) {
    shard->lookup_failure = lookup_failure;
    shard->has_account = false;
    comes();
    guesses_password_of("romeo");
    passes(1s);
    BOOST_TEST(is_told("<failure"), client->said);
    return server.sign_ins.count("romeo@example.com " + net::address{}.limit_text(), now_ms(), 600'000);
  };
  BOOST_TEST(failures_when(errc::remote_server_timeout) == 0u);
  BOOST_TEST(failures_when(errc::none) == 1u);
}

BOOST_AUTO_TEST_CASE(gives_back_what_comes_late_when_its_account_has_let_go) { // Else it would come again and again.
  shard->order.clear();
  auto full = std::optional<jid>{};
  server.sessions.for_each([&](const jid& x, const session_actor&) { full = x; });
  caf::anon_send(it, msg::disconnected{"lost"});
  for (auto id : {"1", "2"})
    caf::anon_send(it,
                   msg::deliver{stanza_of("<message type='chat' id='" + std::string{id} + "'><body>x</body></message>",
                                          "a@example.com"_jid, full->bare())});
  settle();
  BOOST_TEST((shard->order == std::vector<std::string>{"detach", "1", "2", "has left"}));
  BOOST_TEST((shard->came_back == std::vector(2, server.session_number(it->id()))));
}

BOOST_AUTO_TEST_SUITE_END()

// -- limits of addresses ----------------------------------------------------------------------------------------------

namespace {

struct newcomers : session_fixture {
  newcomers() {
    options.sign_in.backoff_after = 2;
    options.sign_in.backoff_ms = 500;
    options.sign_in.registrations_per_address_per_hour = 2;
    serves();
    shard->has_account = false;
    server.iterations.open(folder.path());
    server.hashers.set(0, system().spawn<hasher>(parent, std::ref(server), 0u));
  }
  ~newcomers() { server.hashers.clear(); }

  temporary_folder folder;

  /// Whether somebody there who guesses the account's password waits for the answer.
  bool waits(const std::string& address, const std::string& name) {
    comes(*net::address::parse(address, 50'000));
    guesses_password_of(name);
    auto has_waited = !is_told("<failure");
    passes(30s);
    BOOST_TEST(is_told("<failure"), client->said);
    return has_waited;
  }
  bool registers(const std::string& address, const std::string& name) {
    comes(*net::address::parse(address, 50'000));
    says("<iq xmlns='jabber:client' type='set' id='r'><query xmlns='jabber:iq:register'><username>" + name +
         "</username><password>secret</password></query></iq>");
    auto is_refused = is_told("resource-constraint");
    BOOST_TEST((is_refused || is_told("type='result'")), client->said);
    return !is_refused;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_session_of_a_newcomer, newcomers)

BOOST_AUTO_TEST_CASE(waits_when_passwords_of_several_accounts_are_guessed_from_its_address) {
  BOOST_TEST(!waits("192.0.2.1", "romeo"));
  BOOST_TEST(!waits("192.0.2.1", "juliet"));
  BOOST_TEST(waits("192.0.2.1", "nurse"));
  BOOST_TEST(!waits("192.0.2.2", "nurse"));
}

BOOST_AUTO_TEST_CASE(waits_when_passwords_are_guessed_from_its_ipv6_network) {
  BOOST_TEST(!waits("2001:db8::1", "romeo"));
  BOOST_TEST(!waits("2001:db8::ffff:2", "romeo"));
  BOOST_TEST(server.sign_ins.count("romeo@example.com 2001:db8::/64", now_ms(), 600'000) == 2u);
  BOOST_TEST(waits("2001:db8::3", "romeo"));
  BOOST_TEST(waits("2001:db8::4", "juliet"));
  BOOST_TEST(!waits("2001:db8:0:1::1", "romeo"));
}

BOOST_AUTO_TEST_CASE(registers_so_often_from_one_address_or_ipv6_network) {
  BOOST_TEST(registers("192.0.2.1", "romeo"));
  BOOST_TEST(registers("192.0.2.1", "juliet"));
  BOOST_TEST(!registers("192.0.2.1", "nurse"));
  BOOST_TEST(registers("192.0.2.2", "nurse"));
  BOOST_TEST(registers("2001:db8::1", "tybalt"));
  BOOST_TEST(registers("2001:db8::ffff:2", "mercutio"));
  BOOST_TEST(!registers("2001:db8::3", "benvolio"));
  BOOST_TEST(registers("2001:db8:0:1::1", "benvolio"));
}

BOOST_AUTO_TEST_SUITE_END()
