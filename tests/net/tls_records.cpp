#include "net/tls_records.hpp"

#include "tests/fixtures/heap.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <vector>

using namespace xmpp::net;

namespace {

std::string from_hex(std::string_view hex) {
  auto result = std::string{};
  for (auto i = std::size_t{0}; i + 1 < hex.size(); i += 2)
    result += static_cast<char>(std::stoi(std::string{hex.substr(i, 2)}, nullptr, 16));
  return result;
}

tls_secret secret_of(std::string_view bytes) {
  auto result = tls_secret{};
  std::copy(bytes.begin(), bytes.end(), result.bytes.begin());
  result.size = static_cast<std::uint8_t>(bytes.size());
  return result;
}

struct taken {
  tls_status status = tls_status::ok;
  std::string bytes;
  std::string answer;
};

taken read_all(tls_records& from, std::string_view in) {
  static auto room = std::string(64 * 1024, '\0');
  auto result = taken{};
  do {
    auto got = std::size_t{0};
    result.status = from.read(in, room.data(), room.size(), got, result.answer);
    result.bytes.append(room, 0, got);
  } while (result.status == tls_status::ok);
  return result;
}

constexpr auto suites = {tls_suite::aes_128_gcm_sha256, tls_suite::aes_256_gcm_sha384,
                         tls_suite::chacha20_poly1305_sha256};

/// Both ends of a connection.
struct ends {
  explicit ends(tls_suite suite = tls_suite::aes_128_gcm_sha256) {
    auto bytes = suite == tls_suite::aes_256_gcm_sha384 ? std::size_t{48} : std::size_t{32};
    auto a = secret_of(std::string(bytes, 'a'));
    auto b = secret_of(std::string(bytes, 'b'));
    server = tls_records::make(suite, a, b, 0);
    client = tls_records::make(suite, b, a, 0);
  }
  std::string from_client(std::string_view plain) {
    auto out = std::string{};
    BOOST_REQUIRE(client->write(plain, out));
    return out;
  }

  std::unique_ptr<tls_records> server;
  std::unique_ptr<tls_records> client;
};

} // namespace

BOOST_AUTO_TEST_SUITE(tls_records_)

BOOST_AUTO_TEST_CASE(keys_are_those_of_the_example) { // RFC 8448, 3
  auto secret = secret_of(from_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"));
  auto key = std::string(16, '\0');
  auto iv = std::string(12, '\0');
  auto suite = tls_suite::aes_128_gcm_sha256;
  BOOST_REQUIRE(expand_label(suite, secret, "key", {}, reinterpret_cast<unsigned char*>(key.data()), key.size()));
  BOOST_REQUIRE(expand_label(suite, secret, "iv", {}, reinterpret_cast<unsigned char*>(iv.data()), iv.size()));
  BOOST_TEST((key == from_hex("17422dda596ed5d9acd890e3c63f5051")));
  BOOST_TEST((iv == from_hex("5b78923dee08579033e523d9")));
}

BOOST_AUTO_TEST_CASE(records_are_those_of_the_example) { // RFC 8448, 3
  auto client = secret_of(from_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"));
  auto server = secret_of(from_hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"));
  auto plain = std::string{};
  for (auto i = 0; i < 50; ++i)
    plain += static_cast<char>(i);
  auto ours = tls_records::make(tls_suite::aes_128_gcm_sha256, client, server, 1);
  auto out = std::string{};
  BOOST_REQUIRE(ours->write(plain, out));
  BOOST_TEST((out == from_hex("17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb"
                              "501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d")));
  auto in = from_hex("1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b"
                     "62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4");
  BOOST_TEST((read_all(*ours, in).bytes == plain));
  BOOST_TEST(
      (read_all(*ours, from_hex("1703030013c9872760655666b74d7ff1153efd6db6d0b0e3")).status == tls_status::closed));
}

BOOST_AUTO_TEST_CASE(any_size_and_any_cut_gives_the_same_bytes) {
  auto random = std::mt19937{1};
  for (auto suite : suites) {
    auto both = ends{suite};
    auto wire = std::string{};
    auto plain = std::string{};
    for (auto bytes : {1, 2, 100, 16383, 16384, 16385, 50'000, 1}) {
      auto part = std::string(static_cast<std::size_t>(bytes), static_cast<char>('a' + bytes % 26));
      plain += part;
      wire += both.from_client(part);
    }
    auto got = std::string{};
    for (auto at = std::size_t{0}; at < wire.size();) {
      auto count = random() % 3 == 0 ? 1 + random() % 10 : 1 + random() % 9000;
      auto x = read_all(*both.server, std::string_view{wire}.substr(at, count));
      BOOST_REQUIRE((x.status == tls_status::want_more));
      BOOST_REQUIRE(x.answer.empty());
      got += x.bytes;
      at += count;
    }
    BOOST_TEST((got == plain));
  }
}

BOOST_AUTO_TEST_CASE(between_records_nothing_is_held) {
  using xmpp::test::heap_bytes;
  for (auto suite : suites) {
    auto both = ends{suite};
    read_all(*both.server, both.from_client("what is made at first use is made"));
    auto before = heap_bytes();
    {
      auto wire = both.from_client(std::string(200'000, 'x'));
      for (auto rest = std::string_view{wire}; !rest.empty();
           rest.remove_prefix(std::min<std::size_t>(5'000, rest.size())))
        BOOST_REQUIRE((read_all(*both.server, rest.substr(0, 5'000)).status == tls_status::want_more));
      auto out = std::string{};
      BOOST_REQUIRE(both.server->write(std::string(200'000, 'y'), out));
    }
    BOOST_TEST(heap_bytes() < before + 4'096);
  }
}

BOOST_AUTO_TEST_CASE(a_record_that_does_not_fit_waits) {
  auto both = ends{};
  auto wire = both.from_client(std::string(40'000, 'x'));
  auto room = std::string(tls_records::read_bytes_min, '\0');
  auto in = std::string_view{wire};
  auto got = std::size_t{0};
  auto out = std::string{};
  BOOST_TEST((both.server->read(in, room.data(), room.size(), got, out) == tls_status::ok));
  BOOST_TEST(got == 16'384u);
  BOOST_TEST((both.server->read(in, room.data(), room.size(), got, out) == tls_status::ok));
  BOOST_TEST((both.server->read(in, room.data(), room.size(), got, out) == tls_status::want_more));
  BOOST_TEST(got == 40'000u - 2 * 16'384);
}

BOOST_AUTO_TEST_CASE(any_changed_bit_is_noticed) {
  for (auto suite : suites) {
    auto length = ends{suite}.from_client("hello").size();
    for (auto bit = std::size_t{0}; bit < length * 8; ++bit) {
      auto both = ends{suite};
      auto wire = both.from_client("hello");
      wire[bit / 8] = static_cast<char>(wire[bit / 8] ^ (1 << bit % 8));
      auto x = read_all(*both.server, wire + both.from_client(std::string(20'000, 'x')));
      BOOST_REQUIRE((x.status == tls_status::failed));
      BOOST_REQUIRE(x.bytes.empty());
      BOOST_REQUIRE(!x.answer.empty());
      BOOST_REQUIRE(both.server->why()[0] != '\0');
      BOOST_REQUIRE((read_all(*both.server, both.from_client("more")).status == tls_status::failed));
    }
  }
}

BOOST_AUTO_TEST_CASE(records_repeated_left_out_or_swapped_are_noticed) {
  auto lost = ends{};
  lost.from_client("one");
  BOOST_TEST((read_all(*lost.server, lost.from_client("two")).status == tls_status::failed));
  auto twice = ends{};
  auto wire = twice.from_client("one");
  BOOST_TEST((read_all(*twice.server, wire).bytes == "one"));
  BOOST_TEST((read_all(*twice.server, wire).status == tls_status::failed));
}

BOOST_AUTO_TEST_CASE(the_alert_of_a_failure_is_sent_under_the_keys) {
  auto both = ends{};
  auto wire = both.from_client("hello");
  wire.back() = static_cast<char>(wire.back() ^ 1);
  auto answer = read_all(*both.server, wire).answer;
  auto x = read_all(*both.client, answer);
  BOOST_TEST((x.status == tls_status::failed));
  BOOST_TEST(std::string{both.client->why()} == "alert from the peer");
}

BOOST_AUTO_TEST_CASE(what_is_not_a_protected_record_is_refused) {
  for (auto header : {"1503030002", "1603030010", "1403030001", "ff03030100", "1703030000", "1703030010"}) {
    auto both = ends{};
    auto x = read_all(*both.server, from_hex(header));
    BOOST_TEST((x.status == tls_status::failed));
  }
}

BOOST_AUTO_TEST_CASE(a_record_over_the_limit_is_refused_at_its_header) { // RFC 8446, 5.2
  auto both = ends{};
  BOOST_TEST((read_all(*both.server, from_hex("1703034101")).status == tls_status::failed));
  BOOST_TEST(std::string{both.server->why()} == "record too long");
  auto other = ends{};
  BOOST_TEST((read_all(*other.server, from_hex("1703034100")).status == tls_status::want_more));
}

BOOST_AUTO_TEST_CASE(close_is_told_to_the_peer) {
  auto both = ends{};
  auto out = both.from_client("last");
  both.client->close(out);
  auto x = read_all(*both.server, out);
  BOOST_TEST((x.status == tls_status::closed));
  BOOST_TEST(x.bytes == "last");
}

BOOST_AUTO_TEST_CASE(nothing_is_written_after_a_failure) {
  auto both = ends{};
  read_all(*both.server, from_hex("1503030002"));
  auto out = std::string{};
  BOOST_TEST(!both.server->write("secret", out));
  both.server->close(out);
  BOOST_TEST(out.empty());
}

BOOST_AUTO_TEST_CASE(exporter_values_depend_on_secret_and_suite) {
  auto a = exporter_binding(tls_suite::aes_128_gcm_sha256, secret_of(std::string(32, 'a')));
  auto b = exporter_binding(tls_suite::aes_128_gcm_sha256, secret_of(std::string(32, 'b')));
  auto c = exporter_binding(tls_suite::aes_256_gcm_sha384, secret_of(std::string(48, 'a')));
  BOOST_TEST(a.size() == 32u);
  BOOST_TEST(c.size() == 32u);
  BOOST_TEST((a != b && a != c));
}

BOOST_AUTO_TEST_SUITE_END()
