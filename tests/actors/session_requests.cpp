// A signed-in client's requests when nodes are lost.
#include "actors/session.hpp"
#include "protocol/namespaces.hpp"
#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::test;

namespace {

/// Remembers what is written to it.
class kept final : public net::transport {
public:
  std::string bytes;

  net::send_status send(std::string_view x) override {
    bytes += x;
    return net::send_status::ok;
  }
  net::send_status send_and_flush(std::string_view x) override { return send(x); }
  void flush() override {}
  std::size_t queued_bytes() const override { return 0; }
  void set_output_bytes_max(std::size_t) override {}
  void close(std::string_view x, std::uint32_t) override { bytes += x; }
  void abort() override {}
  void pause_reading() override {}
  void resume_reading() override {}
  void set_deadline(std::uint32_t) override {}
  bool start_tls(std::shared_ptr<const net::tls_context>, std::string_view, std::string_view) override { return false; }
  bool is_secure() const override { return false; }
  std::optional<net::tls_facts> tls() const override { return std::nullopt; }
  std::string channel_binding(net::channel_binding_type) const override { return {}; }
  net::address peer() const override { return {}; }
};

struct one_session : server_fixture {
  const jid juliet = "juliet@example.com/balcony"_jid;
  std::shared_ptr<shard_history> shard = std::make_shared<shard_history>();
  std::shared_ptr<kept> transport = std::make_shared<kept>();
  session_actor it;
  jid full;

  one_session() : server_fixture(true) {
    server.route.set(0, system().spawn(remembering_shard, shard));
    auto live = std::make_shared<live_settings>(*server.live());
    auto streams = std::make_shared<stream_policy>();
    streams->hosts.emplace_back().name = "example.com";
    streams->hosts[0].mechanisms = {sasl::mechanism::anonymous};
    streams->tls_required = false;
    streams->server_secret = "secret";
    streams->scram_iterations = [] { return std::vector<std::uint32_t>{10'000}; };
    live->streams = std::move(streams);
    server.swap_live(std::move(live));
    auto made = system().spawn<xmpp::session, caf::lazy_init>(parent, std::ref(server),
                                                              std::make_shared<stream_control>(), net::address{});
    static_cast<xmpp::session*>(caf::actor_cast<caf::abstract_actor*>(made))->set_transport(transport);
    it = made;
    signs_in();
  }
  ~one_session() {
    send(it, msg::disconnected{"gone"});
    ends(it);
  }

  void opens() {
    auto header = stream_header{};
    header.to = "example.com";
    header.version = "1.0";
    header.content_ns = ns::client;
    header.name = "stream";
    header.ns = ns::stream;
    send(it, msg::stream_opened{header});
  }
  void signs_in() {
    opens();
    send(it, msg::received{xml::builder{"auth", ns::sasl}.attribute("mechanism", "ANONYMOUS").text("=").finish()});
    opens();
    comes("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    auto all = std::vector<session_actor>{};
    server.sessions.for_each([&](const jid& x, const session_actor&) { full = x; });
    BOOST_TEST_REQUIRE(full.is_full(), transport->bytes);
    transport->bytes.clear();
  }
  void comes(const std::string& xml) { send(it, msg::received{stanza_of(xml, {}, {}).tree}); }
  void asks_juliet(const std::string& id) {
    comes("<iq type='get' id='" + id + "' to='" + std::string{juliet.text()} + "'><ping xmlns='urn:xmpp:ping'/></iq>");
  }
  void answers(const std::string& id, const jid& from) {
    send(it, msg::deliver{stanza_of("<iq type='result' id='" + id + "'/>", from, full)});
  }
  std::size_t written(std::string_view part) const {
    auto out = std::size_t{0};
    for (auto at = transport->bytes.find(part); at != std::string::npos; at = transport->bytes.find(part, at + 1))
      ++out;
    return out;
  }
  /// As its node does.
  void something_is_lost() {
    auto now = steady_time_ms() + 1;
    server.requests->something_is_lost(now);
    for (auto& one : server.requests->take_late(now + request_watch::patience_ms))
      send(caf::actor_cast<session_actor>(registry::instance().find(one.session)), msg::deliver{std::move(one.what)});
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_session_of_a_cluster, one_session)

BOOST_AUTO_TEST_CASE(answers_what_nobody_else_does_and_once) {
  asks_juliet("1");
  comes("<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>");
  comes("<iq type='set' id='3' to='example.com'><query xmlns='jabber:iq:register'><remove/></query></iq>");
  something_is_lost();
  for (auto id : {"id='1'", "id='2'", "id='3'"})
    BOOST_TEST(written(id) == 1u, id);
  BOOST_TEST(written("remote-server-timeout") == 3u);
  answers("1", juliet);
  answers("2", full.bare());
  BOOST_TEST(written("type='result'") == 0u);
  something_is_lost();
  BOOST_TEST(written("remote-server-timeout") == 3u);
}

BOOST_AUTO_TEST_CASE(passes_on_what_is_answered_and_no_more) {
  asks_juliet("1");
  answers("1", juliet);
  BOOST_TEST(written("id='1'") == 1u);
  something_is_lost();
  BOOST_TEST(written("id='1'") == 1u);
  BOOST_TEST(server.requests->size() == 0u);
}

BOOST_AUTO_TEST_CASE(watches_no_request_that_it_answers_itself) {
  comes("<iq type='get' id='1' to='example.com'><ping xmlns='urn:xmpp:ping'/></iq>");
  comes("<iq type='get' id='2' to='juliet@elsewhere.example'><ping xmlns='urn:xmpp:ping'/></iq>");
  BOOST_TEST(written("id='1'") == 1u);
  BOOST_TEST(written("id='2'") == 1u);
  BOOST_TEST(server.requests->size() == 0u);
}

BOOST_AUTO_TEST_CASE(wants_no_answer_when_it_has_ended) {
  asks_juliet("1");
  BOOST_TEST(server.requests->size() == 1u);
  send(it, msg::stream_closed{});
  BOOST_TEST(server.requests->size() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
