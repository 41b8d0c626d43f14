#include "net/tls.hpp"

#include "tests/net/peers.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <atomic>
#include <ctime>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace xmpp::net;

namespace {

constexpr auto day_s = 24 * 3600;
const auto alpn_client = std::string{"\x0bxmpp-client"};

struct secured : certificate_folder {
  secured() {
    options.certificates = {make("localhost", {"localhost", "*.wild.example"}), make("other", {"other.example"})};
    options.tickets = make_ticket_keys();
  }
  std::shared_ptr<const tls_context> context() { return context_of(options); }

  tls_options options;
};

std::string subject_name_seen_by(tls_client& client) {
  auto certificate = SSL_get0_peer_certificate(client.get());
  return certificate != nullptr ? names_of(*certificate).dns.at(0) : "";
}

std::string finished(tls_client& client, bool peer) {
  auto result = std::string(64, '\0');
  result.resize(peer ? SSL_get_peer_finished(client.get(), result.data(), result.size())
                     : SSL_get_finished(client.get(), result.data(), result.size()));
  return result;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(tls, secured)

BOOST_AUTO_TEST_CASE(bytes_pass_in_both_directions) {
  auto link = connected{{}, context()};
  auto client = tls_client{link, {}};
  BOOST_REQUIRE_MESSAGE(client.handshake(), client.why());
  BOOST_TEST(link.seen->is_established);
  BOOST_TEST(link.ours->is_secure());
  client.write("<stream>");
  BOOST_TEST(link.seen->bytes == "<stream>");
  link.ours->send("<features/>");
  BOOST_TEST(client.read(11) == "<features/>");
  auto facts = link.ours->tls();
  BOOST_REQUIRE(facts.has_value());
  BOOST_TEST(facts->version == "TLSv1.3");
  BOOST_TEST(facts->cipher == "TLS_AES_128_GCM_SHA256");
  BOOST_TEST(facts->choice.text() == facts->version + " " + facts->cipher);
  BOOST_TEST(facts->server_name == "localhost");
  BOOST_TEST(!facts->is_resumed);
  BOOST_TEST(!facts->has_peer_certificate);
}

BOOST_AUTO_TEST_CASE(large_amounts_pass_whatever_the_socket_takes) {
  auto options = connection_options{};
  options.output_bytes_max = 8'000'000;
  auto link = connected{options, context()};
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  auto sent = std::string{};
  for (auto i = 0; i < 3000; ++i) {
    auto part = std::to_string(i) + std::string(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
    BOOST_REQUIRE(((i % 3 == 0 ? link.ours->send_and_flush(part) : link.ours->send(part)) == send_status::ok));
    sent += part;
  }
  BOOST_TEST(link.ours->queued_bytes() > 1'000'000u);
  link.ours->close("end", 1000);
  BOOST_TEST((client.read(sent.size() + 3) == sent + "end"));
  client.read(1);
  BOOST_TEST(client.why() == "closed"); // By close_notify, not by a cut.
}

BOOST_AUTO_TEST_CASE(a_large_input_is_delivered_in_order) {
  auto link = connected{{}, context()};
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  auto sent = std::string{};
  for (auto i = 0; i < 100'000; ++i)
    sent += std::to_string(i);
  client.write(sent);
  BOOST_TEST((link.seen->bytes == sent));
}

BOOST_AUTO_TEST_CASE(a_handshake_may_arrive_byte_by_byte) {
  auto session = std::make_unique<tls_session>(context(), std::string_view{});
  auto link = connected{};
  auto client = tls_client{link, {}};
  SSL_do_handshake(client.get());
  ERR_clear_error();
  link.settle();
  auto out = std::string{};
  for (auto c : link.seen->bytes) {
    BOOST_TEST(out.empty());
    auto in = std::string_view{&c, 1};
    BOOST_TEST((session->handshake(in, out) == tls_session::status::want_more));
    BOOST_TEST(in.empty());
  }
  BOOST_TEST(out.size() > 100u);
}

BOOST_AUTO_TEST_CASE(bytes_sent_before_the_handshake_is_complete_wait_for_it) {
  auto link = connected{{}, context()};
  link.ours->send("early");
  BOOST_TEST(link.peer_reads().empty());
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  BOOST_TEST(client.read(5) == "early");
}

BOOST_AUTO_TEST_CASE(starttls_answers_in_the_clear_and_drops_what_came_before) {
  auto link = connected{};
  auto secure = context();
  link.seen->react = [&](transport& self, std::string_view) {
    if (!self.is_secure()) {
      BOOST_TEST(self.start_tls(secure, "<proceed/>"));
      BOOST_TEST(!self.start_tls(secure));
      self.send("<after/>");
    }
  };
  link.peer_writes("<starttls/>");
  link.settle();
  BOOST_TEST(link.peer_reads() == "<proceed/>");
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  BOOST_TEST(client.read(8) == "<after/>");
  client.write("<stream>");
  BOOST_TEST(link.seen->bytes == "<starttls/><stream>");
}

BOOST_AUTO_TEST_CASE(plain_bytes_injected_before_the_handshake_end_the_connection) {
  auto link = connected{};
  auto secure = context();
  link.seen->react = [&](transport& self, std::string_view) { self.start_tls(secure, "<proceed/>"); };
  link.peer_writes("<starttls/>");
  link.settle();
  link.peer_writes("<message>injected</message>");
  link.settle();
  BOOST_TEST(link.seen->bytes == "<starttls/>");
  BOOST_REQUIRE(link.seen->closed.size() == 1u);
  BOOST_TEST((link.seen->closed[0] == close_reason::tls_failed));
  BOOST_TEST(!link.seen->detail.empty());
  BOOST_TEST(!link.seen->is_established);
}

BOOST_AUTO_TEST_CASE(starttls_from_another_thread_happens_on_the_reactors) {
  auto link = connected{};
  auto secure = context();
  std::thread{[&] { BOOST_TEST(link.ours->start_tls(secure, "<proceed/>")); }}.join();
  BOOST_TEST(link.peer_reads().empty());
  link.settle();
  BOOST_TEST(link.peer_reads() == "<proceed/>");
  auto client = tls_client{link, {}};
  BOOST_TEST(client.handshake());
}

BOOST_AUTO_TEST_CASE(old_versions_are_refused) { // RFC 8996
  for (auto version : {TLS1_VERSION, TLS1_1_VERSION}) {
    auto link = connected{{}, context()};
    auto how = tls_client::options{};
    how.version_max = version;
    auto client = tls_client{link, how};
    BOOST_TEST(!client.handshake());
    BOOST_TEST(client.why() == "tlsv1 alert protocol version");
    BOOST_TEST((link.seen->closed.at(0) == close_reason::tls_failed));
  }
}

BOOST_AUTO_TEST_CASE(ciphers_without_forward_secrecy_or_aead_are_refused) { // RFC 9325, 4.2
  for (auto ciphers : {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"}) {
    auto link = connected{{}, context()};
    auto how = tls_client::options{};
    how.version_max = TLS1_2_VERSION;
    auto client = tls_client{link, how};
    BOOST_REQUIRE(SSL_set_cipher_list(client.get(), ciphers) == 1);
    BOOST_TEST(!client.handshake());
    BOOST_TEST((link.seen->closed.at(0) == close_reason::tls_failed));
  }
}

BOOST_AUTO_TEST_CASE(renegotiation_is_refused) {
  auto link = connected{{}, context()};
  auto how = tls_client::options{};
  how.version_max = TLS1_2_VERSION;
  auto client = tls_client{link, how};
  BOOST_REQUIRE(client.handshake());
  BOOST_REQUIRE(SSL_renegotiate(client.get()) == 1);
  BOOST_TEST(!client.handshake());
  BOOST_TEST(client.why().find("renegotiation") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(key_updates_are_answered) { // RFC 8446, 4.6.3
  auto link = connected{{}, context()};
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  for (auto i = 0; i < 5; ++i) {
    link.seen->bytes.clear();
    BOOST_REQUIRE(SSL_key_update(client.get(), i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) ==
                  1);
    client.write("one");
    link.ours->send("two");
    BOOST_TEST(client.read(3) == "two");
    client.write("three");
    BOOST_TEST(link.seen->bytes == "onethree");
  }
}

BOOST_AUTO_TEST_CASE(endless_key_updates_end_the_connection) {
  auto link = connected{{}, context()};
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  for (auto i = 0; i < 40 && link.seen->closed.empty(); ++i) {
    SSL_key_update(client.get(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client.get());
    link.settle();
  }
  BOOST_REQUIRE(link.seen->closed.size() == 1u);
  BOOST_TEST((link.seen->closed[0] == close_reason::tls_failed));
}

BOOST_AUTO_TEST_CASE(every_suite_and_version_passes_bytes_and_bindings) {
  for (auto keeps : {false, true}) {
    options.keeps_openssl_sessions = keeps;
    for (auto suite : {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
                       "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
      auto link = connected{{}, context()};
      auto how = tls_client::options{};
      auto is_old = std::string_view{suite}.starts_with("ECDHE");
      how.version_max = is_old ? TLS1_2_VERSION : TLS1_3_VERSION;
      how.applications = alpn_client;
      auto client = tls_client{link, how};
      BOOST_REQUIRE((is_old ? SSL_set_cipher_list(client.get(), suite) : SSL_set_ciphersuites(client.get(), suite)) ==
                    1);
      BOOST_REQUIRE(client.handshake());
      auto facts = *link.ours->tls();
      BOOST_TEST(facts.cipher == suite);
      BOOST_TEST(facts.version == (is_old ? "TLSv1.2" : "TLSv1.3"));
      BOOST_TEST(facts.server_name == "localhost");
      BOOST_TEST(facts.application == "xmpp-client");
      auto theirs = std::string(32, '\0');
      auto label = std::string{"EXPORTER-Channel-Binding"};
      BOOST_REQUIRE(SSL_export_keying_material(client.get(), reinterpret_cast<unsigned char*>(theirs.data()), 32,
                                               label.data(), label.size(), reinterpret_cast<const unsigned char*>(""),
                                               0, 1) == 1);
      BOOST_TEST((link.ours->channel_binding(channel_binding_type::tls_exporter) == theirs));
      BOOST_TEST(link.ours->channel_binding(channel_binding_type::tls_server_end_point).size() == 32u);
      auto sent = std::string(100'000, 'a');
      client.write(sent);
      BOOST_TEST((link.seen->bytes == sent));
      link.ours->send(sent);
      link.ours->close("end", 1000);
      BOOST_TEST((client.read(sent.size() + 3) == sent + "end"));
      client.read(1);
      BOOST_TEST(client.why() == "closed");
      SSL_shutdown(client.get());
      link.peer.reset();
      link.settle();
      BOOST_TEST(link.seen->closed.size() == 1u);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_retry_of_the_first_hello_is_no_obstacle) { // RFC 8446, 4.1.4
  options.groups = "P-384";
  auto link = connected{{}, context()};
  auto how = tls_client::options{};
  how.groups = "X25519:P-384";
  auto client = tls_client{link, how};
  BOOST_REQUIRE(client.handshake());
  client.write("hello");
  BOOST_TEST(link.seen->bytes == "hello");
  link.ours->send("you");
  BOOST_TEST(client.read(3) == "you");
}

BOOST_AUTO_TEST_CASE(bytes_right_behind_the_handshake_are_delivered) {
  auto link = connected{{}, context()};
  auto client = tls_client{link, {}};
  // The client finishes and writes before the server reads either.
  while (SSL_do_handshake(client.get()) != 1)
    link.home.turn(0);
  BOOST_TEST(!link.seen->is_established);
  auto count = std::size_t{0};
  for (auto text : {"one", "two"})
    BOOST_REQUIRE(SSL_write_ex(client.get(), text, 3, &count) == 1);
  link.settle();
  BOOST_TEST(link.seen->is_established);
  BOOST_TEST(link.seen->bytes == "onetwo");
  BOOST_TEST(link.seen->reads == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_forgotten_is_gone_and_bytes_still_pass) {
  auto link = connected{{}, context()};
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  link.ours->forget_handshake();
  BOOST_TEST(link.ours->channel_binding(channel_binding_type::tls_exporter).empty());
  BOOST_TEST(link.ours->channel_binding(channel_binding_type::tls_server_end_point).empty());
  BOOST_TEST(!link.ours->tls().has_value());
  BOOST_TEST(link.ours->is_secure());
  client.write("hello");
  BOOST_TEST(link.seen->bytes == "hello");
}

BOOST_AUTO_TEST_CASE(an_offered_application_is_agreed_on) { // XEP-0368
  auto link = connected{{}, context()};
  auto how = tls_client::options{};
  how.applications = "\x08http/1.1" + alpn_client;
  auto client = tls_client{link, how};
  BOOST_REQUIRE(client.handshake());
  BOOST_TEST(link.ours->tls()->application == "xmpp-client");
}

BOOST_AUTO_TEST_CASE(only_other_applications_are_refused) { // RFC 7301, 3.2
  auto link = connected{{}, context()};
  auto how = tls_client::options{};
  how.applications = "\x08http/1.1";
  auto client = tls_client{link, how};
  BOOST_TEST(!client.handshake());
  BOOST_TEST(client.why().find("no application protocol") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_name_asked_for_chooses_the_certificate) {
  auto secure = context();
  auto seen_for = [&](const std::string& name, std::string_view domain = {}) {
    auto link = connected{};
    link.seen->react = [&](transport& self, std::string_view) { self.start_tls(secure, {}, domain); };
    link.peer_writes("x");
    auto how = tls_client::options{};
    how.server_name = name;
    auto client = tls_client{link, how};
    BOOST_REQUIRE(client.handshake());
    return subject_name_seen_by(client);
  };
  BOOST_TEST(seen_for("localhost") == "localhost");
  BOOST_TEST(seen_for("OTHER.example") == "other.example");
  BOOST_TEST(seen_for("a.wild.example") == "localhost");
  BOOST_TEST(seen_for("unknown.example") == "localhost");
  BOOST_TEST(seen_for("") == "localhost");
  BOOST_TEST(seen_for("", "other.example") == "other.example");
  BOOST_TEST(seen_for("unknown.example", "other.example") == "other.example");
}

BOOST_AUTO_TEST_CASE(of_several_certificates_for_a_name_the_one_valid_longest_serves) {
  options.certificates = {make("short", {"localhost"}, 1), make("long", {"localhost"}, 90),
                          make("middle", {"localhost"}, 30)};
  auto secure = context();
  auto now = static_cast<std::int64_t>(std::time(nullptr));
  auto file = [&](const char* name) { return path + "/" + name + ".crt"; };
  BOOST_TEST(secure->chosen_file("localhost", now) == file("long"));
  BOOST_TEST(secure->chosen_file("unknown.example", now) == file("long"));
  // All have expired: the one that expired last, so that peers learn what is wrong.
  BOOST_TEST(secure->chosen_file("localhost", now + 100 * day_s) == file("long"));
  // None has begun.
  BOOST_TEST(secure->chosen_file("localhost", now - 10 * day_s) == file("long"));
}

BOOST_AUTO_TEST_CASE(a_certificate_that_has_expired_gives_way_to_one_that_has_not) {
  options.certificates = {make("old", {"localhost"}, 1), make("new", {"localhost"}, 2)};
  options.certificates[0].domains = {"localhost", "only.old.example"};
  auto secure = context();
  auto now = static_cast<std::int64_t>(std::time(nullptr));
  BOOST_TEST(secure->chosen_file("localhost", now + day_s + 60) == path + "/new.crt");
  BOOST_TEST(secure->chosen_file("only.old.example", now + day_s + 60) == path + "/old.crt");
}

BOOST_AUTO_TEST_CASE(sessions_resume_also_after_a_reload) {
  for (auto version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    auto how = tls_client::options{};
    how.version_max = version;
    auto first = connected{{}, context()};
    auto client = tls_client{first, how};
    BOOST_REQUIRE(client.handshake());
    first.ours->send("x"); // The ticket of TLS 1.3 comes before it.
    client.read(1);
    how.session = client.ticket();
    BOOST_REQUIRE(how.session != nullptr);
    auto second = connected{{}, context()};
    auto again = tls_client{second, how};
    BOOST_REQUIRE(again.handshake());
    BOOST_TEST(second.ours->tls()->is_resumed);
    BOOST_TEST(SSL_session_reused(again.get()) == 1);
    SSL_SESSION_free(how.session);
  }
}

BOOST_AUTO_TEST_CASE(tickets_under_unknown_keys_mean_a_full_handshake) {
  auto how = tls_client::options{};
  auto first = connected{{}, context()};
  auto client = tls_client{first, how};
  BOOST_REQUIRE(client.handshake());
  first.ours->send("x");
  client.read(1);
  how.session = client.ticket();
  options.tickets = make_ticket_keys();
  auto second = connected{{}, context()};
  auto again = tls_client{second, how};
  BOOST_REQUIRE(again.handshake());
  BOOST_TEST(!second.ours->tls()->is_resumed);
  SSL_SESSION_free(how.session);
}

BOOST_AUTO_TEST_CASE(channel_bindings_are_equal_on_both_sides_under_tls_1_3) {
  auto link = connected{{}, context()};
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  auto theirs = std::string(32, '\0');
  auto label = std::string{"EXPORTER-Channel-Binding"};
  BOOST_REQUIRE(SSL_export_keying_material(client.get(), reinterpret_cast<unsigned char*>(theirs.data()), 32,
                                           label.data(), label.size(), nullptr, 0, 0) == 1);
  BOOST_TEST((link.ours->channel_binding(channel_binding_type::tls_exporter) == theirs));
  auto hash = std::string(32, '\0');
  X509_digest(SSL_get0_peer_certificate(client.get()), EVP_sha256(), reinterpret_cast<unsigned char*>(hash.data()),
              nullptr);
  BOOST_TEST((link.ours->channel_binding(channel_binding_type::tls_server_end_point) == hash));
  BOOST_TEST(link.ours->channel_binding(channel_binding_type::tls_unique).empty());
}

BOOST_AUTO_TEST_CASE(tls_unique_is_the_first_finished_under_tls_1_2) { // RFC 5929, 3.1
  auto how = tls_client::options{};
  how.version_max = TLS1_2_VERSION;
  auto link = connected{{}, context()};
  auto client = tls_client{link, how};
  BOOST_REQUIRE(client.handshake());
  BOOST_TEST((link.ours->channel_binding(channel_binding_type::tls_unique) == finished(client, false)));
  how.session = client.ticket();
  auto second = connected{{}, context()};
  auto again = tls_client{second, how};
  BOOST_REQUIRE(again.handshake());
  BOOST_REQUIRE(second.ours->tls()->is_resumed);
  BOOST_TEST((second.ours->channel_binding(channel_binding_type::tls_unique) == finished(again, true)));
  SSL_SESSION_free(how.session);
}

BOOST_AUTO_TEST_CASE(without_the_extended_master_secret_only_the_end_point_binds) { // RFC 9266, 3
  auto how = tls_client::options{};
  how.version_max = TLS1_2_VERSION;
  auto link = connected{{}, context()};
  auto client = tls_client{link, how};
  SSL_set_options(client.get(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
  BOOST_REQUIRE(client.handshake());
  BOOST_TEST(link.ours->channel_binding(channel_binding_type::tls_exporter).empty());
  BOOST_TEST(link.ours->channel_binding(channel_binding_type::tls_unique).empty());
  BOOST_TEST(!link.ours->channel_binding(channel_binding_type::tls_server_end_point).empty());
}

BOOST_AUTO_TEST_CASE(peers_certificates_are_asked_for_verified_and_told) {
  auto trusted = make("romeo", {"romeo.example"});
  auto stranger = make("stranger", {"romeo.example"});
  for (auto& one : options.certificates) {
    one.clients = client_certificates::request;
    one.trusted_roots_file = trusted.chain_file;
  }
  auto facts_of = [&](const certificate_source& source, SSL_SESSION** ticket = nullptr,
                      SSL_SESSION* session = nullptr) {
    auto how = tls_client::options{};
    how.certificate_file = source.chain_file;
    how.key_file = source.key_file;
    how.session = session;
    auto link = connected{{}, context()};
    auto client = tls_client{link, how};
    BOOST_REQUIRE_MESSAGE(client.handshake(), client.why());
    link.ours->send("x");
    client.read(1);
    if (ticket != nullptr)
      *ticket = client.ticket();
    return *link.ours->tls();
  };
  SSL_SESSION* trusted_ticket = nullptr;
  auto known = facts_of(trusted, &trusted_ticket);
  BOOST_TEST(known.has_peer_certificate);
  BOOST_TEST(known.peer_chain_verified);
  BOOST_TEST(known.peer_names.dns.at(0) == "romeo.example");
  auto known_again = facts_of(trusted, nullptr, trusted_ticket);
  BOOST_TEST(known_again.is_resumed);
  BOOST_TEST(known_again.peer_chain_verified);
  BOOST_TEST((known_again.peer_names.dns == known.peer_names.dns));
  SSL_SESSION_free(trusted_ticket);
  SSL_SESSION* ticket = nullptr;
  auto unknown = facts_of(stranger, &ticket);
  BOOST_TEST(unknown.has_peer_certificate);
  BOOST_TEST(!unknown.peer_chain_verified);
  auto resumed = facts_of(stranger, nullptr, ticket);
  BOOST_TEST(resumed.is_resumed);
  BOOST_TEST(!resumed.peer_chain_verified); // What failed once is not forgotten by the ticket.
  SSL_SESSION_free(ticket);
  BOOST_TEST(!facts_of({}).has_peer_certificate);
}

BOOST_AUTO_TEST_CASE(each_name_trusts_its_own_roots_only) {
  auto one = make("one", {"romeo.example"}), two = make("two", {"romeo.example"});
  options.certificates[0].clients = client_certificates::request;
  options.certificates[0].trusted_roots_file = one.chain_file;
  options.certificates[1].clients = client_certificates::request;
  options.certificates[1].trusted_roots_file = two.chain_file;
  options.certificates.push_back(make("careless", {"careless.example"}));
  for (auto version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    BOOST_TEST_CONTEXT("version " << version) {
      auto verified_for = [&](const certificate_source& source, const std::string& name, std::string_view domain) {
        auto how = tls_client::options{};
        how.certificate_file = source.chain_file;
        how.key_file = source.key_file;
        how.server_name = name;
        how.version_max = version;
        auto secure = context();
        auto link = connected{};
        link.seen->react = [&](transport& self, std::string_view) { self.start_tls(secure, {}, domain); };
        link.peer_writes("x");
        auto client = tls_client{link, how};
        BOOST_REQUIRE_MESSAGE(client.handshake(), client.why());
        secure = nullptr;
        auto facts = *link.ours->tls();
        BOOST_TEST(facts.peer_chain_verified == !facts.peer_verified_for.empty());
        return facts.peer_verified_for.empty() ? std::string{} : facts.peer_verified_for.at(0);
      };
      BOOST_TEST(verified_for(one, "localhost", {}) == "localhost");
      BOOST_TEST(verified_for(one, "localhost", "other.example") == "localhost");
      BOOST_TEST(verified_for(two, "localhost", {}) == "");
      BOOST_TEST(verified_for(one, "other.example", {}) == "");
      BOOST_TEST(verified_for(two, "Other.Example", {}) == "other.example");
      BOOST_TEST(verified_for(two, "", "other.example") == "other.example");
      BOOST_TEST(verified_for(two, "unknown.example", "other.example") == "other.example");
      BOOST_TEST(verified_for(one, "unknown.example", "other.example") == "");
      BOOST_TEST(verified_for(one, "careless.example", {}) == "");
      // The certificate is asked for whatever the context that the handshake began with says.
      BOOST_TEST(verified_for(one, "localhost", "careless.example") == "localhost");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_session_is_not_resumed_under_another_name) { // RFC 6066, 3
  for (auto version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    BOOST_TEST_CONTEXT("version " << version) {
      auto how = tls_client::options{};
      how.version_max = version;
      auto resumes = [&](const char* name, SSL_SESSION** ticket = nullptr) {
        how.server_name = name;
        auto link = connected{{}, context()};
        auto client = tls_client{link, how};
        BOOST_REQUIRE_MESSAGE(client.handshake(), client.why());
        link.ours->send("x");
        client.read(1);
        if (ticket != nullptr)
          *ticket = client.ticket();
        return link.ours->tls()->is_resumed;
      };
      BOOST_TEST(!resumes("localhost", &how.session));
      BOOST_TEST(resumes("localhost"));
      BOOST_TEST(resumes("LOCALHOST"));
      BOOST_TEST(!resumes("other.example"));
      BOOST_TEST(!resumes("a.wild.example")); // Even where the certificate is the same.
      BOOST_TEST(!resumes("unknown.example"));
      SSL_SESSION_free(how.session);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_verified_peer_must_show_its_certificate_again_when_the_roots_have_changed) {
  auto trusted = make("trusted", {"romeo.example"}), next = make("next", {"romeo.example"});
  auto how = tls_client::options{};
  how.certificate_file = trusted.chain_file;
  how.key_file = trusted.key_file;
  auto facts = [&](const certificate_source& roots, SSL_SESSION** ticket = nullptr) {
    options.certificates[0].clients = client_certificates::request;
    options.certificates[0].trusted_roots_file = roots.chain_file;
    auto link = connected{{}, context()};
    auto client = tls_client{link, how};
    BOOST_REQUIRE_MESSAGE(client.handshake(), client.why());
    link.ours->send("x");
    client.read(1);
    if (ticket != nullptr)
      *ticket = client.ticket();
    return *link.ours->tls();
  };
  BOOST_TEST(facts(trusted, &how.session).peer_chain_verified);
  BOOST_TEST(facts(trusted).is_resumed);
  auto changed = facts(next);
  BOOST_TEST(!changed.is_resumed);
  BOOST_TEST(!changed.peer_chain_verified);
  SSL_SESSION_free(how.session);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_had_is_told_with_the_system_s_reason) {
  auto without_key = options;
  without_key.certificates[0].key_file = path + "/missing.key";
  auto why = tls_context::make(without_key).why();
  BOOST_TEST(why.find("missing.key: No such file or directory") != std::string::npos, why);
  auto without_certificate = options;
  without_certificate.certificates[0].chain_file = path + "/missing.crt";
  why = tls_context::make(without_certificate).why();
  BOOST_TEST(why.find("missing.crt: No such file or directory") != std::string::npos, why);
  auto unreadable = options.certificates[0];
  why = inspect_certificate(unreadable.chain_file, path + "/missing.key").why();
  BOOST_TEST(why.find("missing.key: No such file or directory") != std::string::npos, why);
  if (::geteuid() == 0)
    return; // may read everything
  BOOST_REQUIRE(::chmod(unreadable.key_file.c_str(), 0) == 0);
  why = tls_context::make(options).why();
  BOOST_TEST(why.find(unreadable.key_file + ": Permission denied") != std::string::npos, why);
}

BOOST_AUTO_TEST_CASE(a_key_that_does_not_belong_to_the_certificate_is_refused) {
  options.certificates[0].key_file = options.certificates[1].key_file;
  auto made = tls_context::make(options);
  BOOST_TEST(!made);
  BOOST_TEST(made.why().find(options.certificates[0].key_file) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_a_certificate_there_is_no_context) {
  options.certificates.clear();
  BOOST_TEST(!tls_context::make(options));
}

BOOST_AUTO_TEST_CASE(garbage_in_place_of_a_handshake_fails) {
  auto seed = 12345u;
  for (auto round = 0; round < 200; ++round) {
    auto link = connected{{}, context()};
    auto bytes = std::string{};
    if (round % 2 == 0)
      bytes = std::string{"\x16\x03\x01\x01\x00\x01", 6};
    for (auto i = 0; i < 300; ++i)
      bytes += static_cast<char>((seed = seed * 1103515245u + 12345u) >> 16);
    link.peer_writes(bytes);
    link.peer.reset();
    link.settle();
    BOOST_TEST(link.seen->closed.size() == 1u);
    BOOST_TEST(!link.seen->is_established);
  }
}

BOOST_AUTO_TEST_CASE(records_changed_on_their_way_end_the_connection) {
  auto link = connected{{}, context()};
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  link.peer_writes(std::string_view{"\x17\x03\x03\x00\x20", 5});
  link.peer_writes(std::string(32, 'x'));
  link.settle();
  BOOST_TEST(link.seen->bytes.empty());
  BOOST_TEST((link.seen->closed.at(0) == close_reason::tls_failed));
}

BOOST_AUTO_TEST_CASE(threads_may_send_while_records_are_read) {
  auto home = reactor{};
  auto [a, b] = socket_pair();
  auto seen = std::make_shared<record>();
  auto options = connection_options{};
  options.output_bytes_max = 64'000'000;
  auto ours = connection::start(home, std::move(a), address{}, std::make_unique<recorder>(seen), options, context());
  auto turning = std::thread{[&] { home.run(); }};
  auto context = SSL_CTX_new(TLS_client_method());
  auto ssl = SSL_new(context);
  SSL_set_fd(ssl, b.get());
  SSL_set_connect_state(ssl);
  while (SSL_do_handshake(ssl) != 1)
    BOOST_REQUIRE(SSL_get_error(ssl, -1) == SSL_ERROR_WANT_READ);
  constexpr auto threads = 3;
  constexpr auto lines_each = 1000;
  auto senders = std::vector<std::thread>{};
  for (auto t = 0; t < threads; ++t)
    senders.emplace_back([&ours = ours, t] {
      for (auto i = 0; i < lines_each; ++i)
        (i % 2 == 0 ? ours->send("line " + std::to_string(t) + "\n")
                    : ours->send_and_flush(std::string(5000, 'y') + "\n"));
    });
  auto lines = 0;
  char part[16 * 1024];
  while (lines < threads * lines_each) {
    auto n = SSL_read(ssl, part, sizeof part);
    if (n > 0) {
      lines += static_cast<int>(std::count(part, part + n, '\n'));
      SSL_write(ssl, "echo", 4);
    } else {
      BOOST_REQUIRE(SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ);
    }
  }
  for (auto& sender : senders)
    sender.join();
  BOOST_TEST(lines == threads * lines_each);
  ours->close({}, 0);
  home.stop();
  turning.join();
  SSL_free(ssl);
  SSL_CTX_free(context);
}

BOOST_AUTO_TEST_SUITE_END()
