#include "net/mutual_tls.hpp"

#include "net/authority.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace xmpp::net;

namespace {

constexpr auto now_s = std::int64_t{1'800'000'000};
constexpr auto day_s = std::int64_t{24 * 3600};

template <class T>
T value_of(outcome<T> x) {
  BOOST_REQUIRE_MESSAGE(x, x.why());
  return *std::move(x);
}

const authority& the_authority() {
  static const auto made = value_of(make_authority("the authority", now_s - day_s, now_s + 1000 * day_s));
  return made;
}

mutual_tls_options machine(const authority& by = the_authority(), std::int64_t until_s = now_s + day_s) {
  auto options = mutual_tls_options{};
  options.private_key = value_of(make_private_key());
  auto order = certificate_order{value_of(make_certificate_request(options.private_key)), "machine", "test:machine",
                                 now_s - day_s, until_s};
  options.certificate = value_of(issue_certificate(by, order));
  options.authority_certificate = by.certificate;
  options.application = "test/1";
  return options;
}

/// Client and server, and what is on its way between them.
struct talk {
  talk(const mutual_tls_options& client_options, const mutual_tls_options& server_options, std::int64_t when_s = now_s)
      : client(value_of(mutual_tls_context::make(client_options)), mutual_tls::side::client, when_s),
        server(value_of(mutual_tls_context::make(server_options)), mutual_tls::side::server, when_s) {}

  /// Whether both agree, the client having read once more: only then it knows.
  bool shake_hands() {
    auto status = tls_status::want_more;
    for (auto rounds = 0; rounds < 5 && status == tls_status::want_more; ++rounds) {
      if (client.handshake(std::exchange(to_client, {}), to_server) == tls_status::failed)
        return false;
      status = server.handshake(std::exchange(to_server, {}), to_client);
    }
    return status == tls_status::ok && read(client, to_client).second != tls_status::failed;
  }
  static std::pair<std::string, tls_status> read(mutual_tls& side, std::string& in) {
    auto all = std::string{};
    auto part = std::string(64 * 1024, '\0');
    auto out = std::string{};
    auto wire = std::exchange(in, {});
    for (;;) {
      auto got = std::size_t{0};
      auto status = side.read(std::exchange(wire, {}), part.data(), part.size(), got, out);
      all.append(part, 0, got);
      if (status != tls_status::ok)
        return {all, status};
    }
  }

  mutual_tls client, server;
  std::string to_server, to_client;
};

} // namespace

BOOST_AUTO_TEST_SUITE(mutual_tls_)

BOOST_AUTO_TEST_CASE(both_sides_see_each_others_certificate) {
  auto a = machine(), b = machine();
  auto both = talk{a, b};
  BOOST_REQUIRE(both.shake_hands());
  BOOST_TEST(both.client.peer_certificate() == b.certificate);
  BOOST_TEST(both.server.peer_certificate() == a.certificate);
  BOOST_TEST(!both.server.is_open());
}

BOOST_AUTO_TEST_CASE(bytes_travel_both_ways_and_an_end_is_told) {
  auto both = talk{machine(), machine()};
  BOOST_REQUIRE(both.shake_hands());
  auto much = std::string(100'000, 'x');
  BOOST_TEST((both.client.write(much, both.to_server) == tls_status::ok));
  BOOST_TEST((both.server.write("answer", both.to_client) == tls_status::ok));
  BOOST_TEST((talk::read(both.server, both.to_server).first == much));
  BOOST_TEST(talk::read(both.client, both.to_client).first == "answer");
  both.client.close(both.to_server);
  BOOST_TEST((talk::read(both.server, both.to_server).second == tls_status::closed));
}

BOOST_AUTO_TEST_CASE(keys_are_replaced_while_it_lasts) {
  auto options = machine();
  options.records_per_key = 3;
  auto both = talk{options, machine()};
  BOOST_REQUIRE(both.shake_hands());
  auto sizes = std::vector<std::size_t>{};
  auto said = std::string{}, heard = std::string{};
  for (auto i = 0; i < 20; ++i) {
    auto word = "word " + std::string(1, char('a' + i));
    BOOST_REQUIRE((both.client.write(word, both.to_server) == tls_status::ok));
    sizes.push_back(both.to_server.size());
    said += word;
    heard += talk::read(both.server, both.to_server).first;
  }
  BOOST_TEST(heard == said);
  BOOST_TEST(sizes[3] > sizes[0]); // with a KeyUpdate before it
}

BOOST_AUTO_TEST_CASE(a_changed_byte_ends_it) {
  auto both = talk{machine(), machine()};
  BOOST_REQUIRE(both.shake_hands());
  both.client.write("word", both.to_server);
  both.to_server.back() = char(both.to_server.back() ^ 1);
  auto [heard, status] = talk::read(both.server, both.to_server);
  BOOST_TEST(heard.empty());
  BOOST_TEST((status == tls_status::failed));
  BOOST_TEST(!both.server.why().empty());
}

BOOST_AUTO_TEST_CASE(another_authority_is_trusted_by_neither_side) {
  auto other = value_of(make_authority("another", now_s - day_s, now_s + 1000 * day_s));
  BOOST_TEST(!(talk{machine(), machine(other)}.shake_hands()));
  auto shows_other = machine(other);
  shows_other.authority_certificate = the_authority().certificate;
  BOOST_TEST(!(talk{shows_other, machine()}.shake_hands()));
  BOOST_TEST(!(talk{machine(), shows_other}.shake_hands()));
}

BOOST_AUTO_TEST_CASE(dates_are_judged_as_of_the_callers_time) {
  auto late_s = now_s + 2 * day_s;
  BOOST_TEST(!(talk{machine(), machine(the_authority(), late_s + day_s), late_s}.shake_hands()));
  BOOST_TEST(!(talk{machine(the_authority(), late_s + day_s), machine(), late_s}.shake_hands()));
  BOOST_TEST(
      (talk{machine(the_authority(), late_s + day_s), machine(the_authority(), late_s + day_s), late_s}.shake_hands()));
}

BOOST_AUTO_TEST_CASE(without_a_certificate_there_is_only_the_open_application) {
  auto bare = machine();
  bare.certificate = bare.private_key = {};
  auto server = machine();
  server.open_application = "open/1";
  BOOST_TEST(!(talk{bare, server}.shake_hands()));
  bare.application = "open/1";
  BOOST_TEST(!(talk{bare, machine()}.shake_hands()));
  auto both = talk{bare, server};
  BOOST_REQUIRE(both.shake_hands());
  BOOST_TEST(both.server.is_open());
  BOOST_TEST(both.server.peer_certificate().empty());
  // Nobody asks for a certificate there, so nobody is known by one.
  auto shows = machine();
  shows.application = "open/1";
  auto known = talk{shows, server};
  BOOST_REQUIRE(known.shake_hands());
  BOOST_TEST(known.server.peer_certificate().empty());
}

BOOST_AUTO_TEST_CASE(an_authority_is_known_by_its_fingerprint) {
  auto bare = mutual_tls_options{};
  bare.application = "open/1";
  bare.authority_fingerprint = value_of(fingerprint_of(the_authority().certificate));
  auto server = machine();
  server.open_application = "open/1";
  auto both = talk{bare, server};
  BOOST_REQUIRE(both.shake_hands());
  BOOST_TEST(both.client.authority_certificate() == the_authority().certificate);
  bare.authority_fingerprint[0] = bare.authority_fingerprint[0] == '0' ? '1' : '0';
  BOOST_TEST(!(talk{bare, server}.shake_hands()));
  // Nor does it help to show the right authority beside a certificate of another.
  auto other = value_of(make_authority("another", now_s - day_s, now_s + 1000 * day_s));
  auto false_server = machine(other);
  false_server.authority_certificate = the_authority().certificate;
  false_server.open_application = "open/1";
  bare.authority_fingerprint = value_of(fingerprint_of(the_authority().certificate));
  BOOST_TEST(!(talk{bare, false_server}.shake_hands()));
}

BOOST_AUTO_TEST_CASE(garbage_ends_a_handshake) {
  auto garbage = std::string(1000, '\x16');
  for (auto& bytes : {std::string{"<?xml version='1.0'?><stream:stream>"}, garbage, std::string(1000, '\0')}) {
    auto both = talk{machine(), machine()};
    auto out = std::string{};
    BOOST_TEST((both.server.handshake(bytes, out) == tls_status::failed));
    BOOST_TEST(!both.server.why().empty());
  }
}

BOOST_AUTO_TEST_CASE(a_context_needs_an_authority_and_a_key_that_fits) {
  auto none = machine();
  none.authority_certificate.clear();
  BOOST_TEST(!mutual_tls_context::make(none));
  auto mixed = machine();
  mixed.private_key = machine().private_key;
  BOOST_TEST(!mutual_tls_context::make(mixed));
  auto nameless = machine();
  nameless.application.clear();
  BOOST_TEST(!mutual_tls_context::make(nameless));
}

BOOST_AUTO_TEST_SUITE_END()
