#include "protocol/sasl.hpp"

#include "tests/protocol/scram_client.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>
#include <string>

using namespace xmpp::sasl;
using namespace std::literals;
using xmpp::errc;
using xmpp::jid;
using xmpp::fixtures::scram_client;

namespace {

constexpr auto password = "r0m30myr0m30";
const random_source counting = [](std::size_t bytes) { return std::string(bytes, '\x2a'); };
const random_source& secure = *new random_source{secure_random};

const credentials& stored() {
  static const auto made = *make_credentials(password, iterations_min);
  return made;
}

struct stream_with : environment {
  stream_with() {
    host = "example.com";
    server_secret = "0123456789abcdef0123456789abcdef";
    iterations = {iterations_min};
    random = &secure;
    offered = {mechanism::scram_sha_512, mechanism::scram_sha_256, mechanism::scram_sha_1, mechanism::plain};
  }
};

struct bound_stream : stream_with {
  bound_stream() {
    bindings.tls_exporter = "exporter bytes";
    bindings.tls_server_end_point = "end point bytes";
    offered.insert(offered.begin(),
                   {mechanism::scram_sha_512_plus, mechanism::scram_sha_256_plus, mechanism::scram_sha_1_plus});
  }
};

using kind = exchange::step::kind;

/// How an attempt ends, in words; the account is juliet@example.com, and there is no other.
std::string ending(exchange& attempt, std::string first, scram_client* client = nullptr) {
  auto step = attempt.receive(first);
  for (;;)
    switch (step.next) {
    case kind::challenge:
      step = attempt.receive(client->answer(*step.data));
      break;
    case kind::lookup:
      step = attempt.account().text() == "juliet@example.com" ? attempt.found(stored(), false) : attempt.not_found();
      break;
    case kind::check_password:
      step = attempt.checked(check_password(attempt.take_password(), attempt.take_candidate()));
      break;
    case kind::success:
      if (client && step.data != client->expected)
        return "wrong server signature";
      return std::string{attempt.account().text()};
    case kind::failure:
      return std::string{condition_name(step.why)};
    }
}

std::string scram(scram_client client, mechanism chosen, const environment& stream) {
  auto attempt = exchange{chosen, stream};
  return ending(attempt, client.first(), &client);
}

std::string one_message(mechanism chosen, const environment& stream, std::string message) {
  auto attempt = exchange{chosen, stream};
  return ending(attempt, std::move(message));
}

std::string plain(std::string_view message) {
  return one_message(mechanism::plain, stream_with{}, std::string{message});
}

constexpr auto success = "juliet@example.com";

} // namespace

BOOST_AUTO_TEST_SUITE(sasl)

// -- bytes --

BOOST_AUTO_TEST_CASE(base64_follows_the_vectors_of_rfc_4648) {
  const auto vectors = std::map<std::string, std::string>{{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"},
                                                          {"\xfb\xff\xfe", "+//+"}};
  for (const auto& [bytes, text] : vectors) {
    BOOST_TEST(base64_encode(bytes) == text);
    BOOST_TEST(base64_decode(text).value() == bytes);
  }
}

BOOST_AUTO_TEST_CASE(base64_that_is_not_strict_is_refused) {
  for (auto text : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm-_", "=", "====", "=Zm8",
                    "Z===", "Zm9v=", "Zm 9", "Zm9v===="})
    BOOST_TEST(!base64_decode(text), text);
  BOOST_TEST(!base64_decode("Zm9\0"sv));
}

BOOST_AUTO_TEST_CASE(a_uuid_is_of_version_4) {
  BOOST_TEST(make_uuid([](auto bytes) { return std::string(bytes, '\xff'); }) ==
             "ffffffff-ffff-4fff-bfff-ffffffffffff");
  BOOST_TEST(make_uuid([](auto bytes) { return std::string(bytes, '\0'); }) == "00000000-0000-4000-8000-000000000000");
  BOOST_TEST(make_uuid(secure_random) != make_uuid(secure_random));
}

BOOST_AUTO_TEST_CASE(wiped_bytes_are_gone) {
  auto secret = std::string(100, 'x');
  const auto* bytes = secret.data();
  wipe(secret);
  BOOST_TEST(secret.empty());
  BOOST_TEST(bytes[50] == '\0');
}

// -- published vectors --

struct vector_of {
  mechanism chosen;
  const char *client_nonce, *server_nonce, *salt, *challenge, *last, *answer;
};

BOOST_AUTO_TEST_CASE(scram_follows_the_published_vectors) {
  const vector_of vectors[] = {
      // RFC 5802, 5
      {mechanism::scram_sha_1, "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92",
       "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
       "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
       "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
      // RFC 7677, 3
      {mechanism::scram_sha_256, "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ==",
       "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
       "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
       "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
      // Computed with Python's hashlib and hmac.
      {mechanism::scram_sha_512, "rOprNGfwEbeRWgbNEkqO", "02ZNGHyqyK9vJ1tlQ2cCM3gq9bmSB7JG", "Yzzp2U1JXbYxXoHbnQBbPQ==",
       "r=rOprNGfwEbeRWgbNEkqO02ZNGHyqyK9vJ1tlQ2cCM3gq9bmSB7JG,s=Yzzp2U1JXbYxXoHbnQBbPQ==,i=4096",
       "c=biws,r=rOprNGfwEbeRWgbNEkqO02ZNGHyqyK9vJ1tlQ2cCM3gq9bmSB7JG,p="
       "kCM0jcjFGoIE0v1YUQFC8vx3d3KPK5kDmHjW68aGEDr9ZAJlx"
       "H6aOBDGK2LsauE1Sqv7kaBMNGuD+TP6MmlbjA==",
       "v=Jkv9KyfJBUU1t2a3P+zwLD+gplEF1QpCKajsHtwddRhvZq8+mNW2yyQ05W2C9Fx+g6B1ceUnbHGllfnH1Z6ERg=="},
  };
  for (const auto& each : vectors) {
    const auto keys = *make_credentials("pencil", 4'096, [&](auto) { return *base64_decode(each.salt); });
    auto stream = stream_with{};
    stream.server_nonce = each.server_nonce;
    auto attempt = exchange{each.chosen, stream};
    BOOST_TEST(attempt.receive("n,,n=user,r="s + each.client_nonce).next == kind::lookup);
    BOOST_TEST(attempt.account().text() == "user@example.com");
    auto step = attempt.found(keys, false);
    BOOST_TEST(step.next == kind::challenge);
    BOOST_TEST(step.data.value() == each.challenge);
    step = attempt.receive(each.last);
    BOOST_TEST(step.next == kind::success);
    BOOST_TEST(step.data.value() == each.answer);
  }
}

// -- credentials --

BOOST_AUTO_TEST_CASE(credentials_hold_keys_for_each_hash_with_its_own_salt) {
  BOOST_TEST(stored().keys.size() == 3u);
  auto salts = std::set<std::string>{};
  for (const auto& keys : stored().keys) {
    salts.insert(keys.salt);
    BOOST_TEST(keys.salt.size() == salt_bytes);
    BOOST_TEST(keys.iterations == iterations_min);
  }
  BOOST_TEST(salts.size() == 3u);
  BOOST_TEST(stored().find(hash::sha_512)->stored_key.size() == 64u);
}

BOOST_AUTO_TEST_CASE(only_the_right_password_fits) {
  BOOST_TEST(check_password(password, stored()));
  for (auto wrong : {"", "r0m30myr0m3", "r0m30myr0m30 ", "R0m30myr0m30", "\xff"})
    BOOST_TEST(!check_password(wrong, stored()), wrong);
  BOOST_TEST(!check_password(password, credentials{}));
}

BOOST_AUTO_TEST_CASE(passwords_that_prepare_alike_are_one) {
  const auto keys = *make_credentials("pa\u00dfword e\u0301\u3000x", iterations_min);
  BOOST_TEST(check_password("pa\u00dfword \u00e9 x", keys));
  const auto wide = *make_credentials("\uff50m\u00b2", iterations_min);
  BOOST_TEST((check_password("pm2", wide) && check_password("\uff50m\u00b2", wide)));
  BOOST_TEST((make_credentials("", iterations_min).code() == errc::not_acceptable));
  BOOST_TEST((make_credentials("a\tb", iterations_min).code() == errc::not_acceptable));
}

BOOST_AUTO_TEST_CASE(fewer_iterations_than_the_standard_asks_are_not_made) {
  BOOST_TEST(make_credentials(password, 1)->keys.front().iterations == iterations_min);
}

BOOST_AUTO_TEST_CASE(fake_credentials_are_the_same_each_time_and_differ_by_name_and_secret) {
  const auto romeo = *jid::parse("romeo@example.com");
  constexpr std::uint32_t counts[] = {10'000};
  const auto a = fake_credentials("secret", romeo, counts);
  BOOST_TEST((a == fake_credentials("secret", romeo.with_resource("x"), counts)));
  BOOST_TEST((a != fake_credentials("secret", *jid::parse("romeo@example.net"), counts)));
  BOOST_TEST((a != fake_credentials("other", romeo, counts)));
  BOOST_TEST(a.keys.size() == stored().keys.size());
  for (std::size_t i = 0; i < a.keys.size(); ++i) {
    BOOST_TEST(a.keys[i].iterations == 10'000u);
    BOOST_TEST((a.keys[i].with == stored().keys[i].with));
    BOOST_TEST(a.keys[i].salt.size() == stored().keys[i].salt.size());
    BOOST_TEST(a.keys[i].stored_key.size() == stored().keys[i].stored_key.size());
  }
}

BOOST_AUTO_TEST_CASE(a_new_iteration_count_is_like_a_new_password_and_leaves_other_names_as_they_were) {
  constexpr std::uint32_t counts[] = {10'000, 20'000};
  auto moved = 0, stayed = 0;
  for (auto i = 0; i < 50; ++i) {
    const auto who = *jid::parse("nobody" + std::to_string(i) + "@example.com");
    const auto before = fake_credentials("secret", who, std::span{counts}.first(1));
    const auto after = fake_credentials("secret", who, counts);
    if (before == after) {
      ++stayed;
      continue;
    }
    ++moved;
    for (std::size_t k = 0; k < after.keys.size(); ++k) {
      BOOST_TEST(after.keys[k].iterations == 20'000u);
      BOOST_TEST(after.keys[k].salt != before.keys[k].salt); // no account has the old one with another count
      BOOST_TEST(after.keys[k].stored_key != before.keys[k].stored_key);
    }
  }
  BOOST_TEST(moved > 10);
  BOOST_TEST(stayed > 10);
}

BOOST_AUTO_TEST_CASE(
    fake_credentials_have_an_iteration_count_of_every_time) { // or those who exist could be told by theirs
  constexpr std::uint32_t counts[] = {10'000, 20'000, 30'000};
  auto old = 0, moved = 0;
  for (auto i = 0; i < 300; ++i) {
    const auto who = *jid::parse("nobody" + std::to_string(i) + "@example.com");
    const auto before = fake_credentials("secret", who, std::span{counts}.first(2)).keys.front().iterations;
    const auto after = fake_credentials("secret", who, counts);
    for (auto& one : after.keys)
      BOOST_TEST(one.iterations == after.keys.front().iterations);
    old += before == 10'000 ? 1 : 0;
    if (before != after.keys.front().iterations) { // only to the new one
      BOOST_TEST(after.keys.front().iterations == 30'000u);
      ++moved;
    }
  }
  BOOST_TEST(old > 100);
  BOOST_TEST(old < 200);
  BOOST_TEST(moved > 50);
  BOOST_TEST(moved < 150);
}

BOOST_AUTO_TEST_CASE(a_record_comes_back_as_it_was) {
  const auto record = encode(stored());
  BOOST_TEST(record.size() == 2u + 3 * (6 + 16) + 2 * (20 + 32 + 64));
  BOOST_TEST((*decode(record) == stored()));
  BOOST_TEST((*decode(encode(credentials{})) == credentials{}));
}

BOOST_AUTO_TEST_CASE(a_stored_record_of_version_1_reads_the_same_for_ever) {
  const auto record = "\x01\x01\x01\x00\x00\x10\x00\x02sa"s + std::string(20, 'k') + std::string(20, 'v');
  const auto expected = credentials{{{hash::sha_1, 4'096, "sa", std::string(20, 'k'), std::string(20, 'v')}}};
  BOOST_TEST((*decode(record) == expected));
  BOOST_TEST(encode(expected) == record);
}

BOOST_AUTO_TEST_CASE(a_record_that_breaks_its_grammar_is_refused) {
  const auto record = encode(stored());
  for (std::size_t size = 0; size < record.size(); ++size)
    BOOST_TEST((decode(record.substr(0, size)).code() == errc::corrupt_record));
  BOOST_TEST((decode(record + '\0').code() == errc::corrupt_record));
  const auto with = [&](std::size_t at, char value) {
    auto changed = record;
    changed[at] = value;
    return decode(changed).code();
  };
  BOOST_TEST((with(0, 2) == errc::corrupt_record));      // version
  BOOST_TEST((with(2, 0) == errc::corrupt_record));      // hash
  BOOST_TEST((with(2, 9) == errc::corrupt_record));      // hash
  BOOST_TEST((with(3, '\xff') == errc::corrupt_record)); // iterations
  BOOST_TEST((with(7, 0) == errc::corrupt_record));      // no salt
  auto twice = credentials{{stored().keys[0], stored().keys[0]}};
  BOOST_TEST((decode(encode(twice)).code() == errc::corrupt_record));
}

// -- SCRAM --

BOOST_AUTO_TEST_CASE(the_right_password_signs_in_with_each_hash) {
  for (auto [chosen, with] : {std::pair{mechanism::scram_sha_1, hash::sha_1},
                              {mechanism::scram_sha_256, hash::sha_256},
                              {mechanism::scram_sha_512, hash::sha_512}})
    BOOST_TEST(scram({.with = with}, chosen, stream_with{}) == success);
}

BOOST_AUTO_TEST_CASE(a_wrong_password_an_unknown_user_and_a_missing_hash_look_alike) {
  BOOST_TEST(scram({.password = "wrong"}, mechanism::scram_sha_1, stream_with{}) == "not-authorized");
  BOOST_TEST(scram({.user = "romeo"}, mechanism::scram_sha_1, stream_with{}) == "not-authorized");
  const auto challenge = [](std::string user, const credentials* keys) {
    const auto stream = stream_with{};
    auto attempt = exchange{mechanism::scram_sha_1, stream};
    attempt.receive("n,,n=" + user + ",r=abc");
    const auto step = keys ? attempt.found(*keys, false) : attempt.not_found();
    BOOST_TEST(step.next == kind::challenge);
    return step.data->substr(step.data->find(",s="));
  };
  const auto none = credentials{};
  BOOST_TEST(challenge("romeo", nullptr) == challenge("romeo", nullptr));
  BOOST_TEST(challenge("romeo", nullptr) == challenge("ROMEO", nullptr));
  BOOST_TEST(challenge("romeo", nullptr) != challenge("mercutio", nullptr));
  BOOST_TEST(challenge("romeo", &none) == challenge("romeo", nullptr));
  BOOST_TEST(challenge("romeo", nullptr).size() == challenge("juliet", &stored()).size());
}

BOOST_AUTO_TEST_CASE(a_fake_account_has_no_password_even_when_its_keys_are_known) {
  auto stream = stream_with{};
  auto attempt = exchange{mechanism::scram_sha_1, stream};
  attempt.receive("n,,n=romeo,r=abc");
  auto step = attempt.not_found();
  // The server's own stored key would be the client key of a forger who knew the secret; still there is no account.
  auto client = scram_client{.user = "romeo", .password = "anything", .nonce = "abc"};
  step = attempt.receive(client.answer(*step.data));
  BOOST_TEST((step.why == failure::not_authorized));
}

BOOST_AUTO_TEST_CASE(the_name_is_prepared_and_unescaped) {
  BOOST_TEST(scram({.user = "JULIET"}, mechanism::scram_sha_1, stream_with{}) == success);
  const auto account_of = [](std::string user) {
    const auto stream = stream_with{};
    auto attempt = exchange{mechanism::scram_sha_1, stream};
    const auto step = attempt.receive("n,,n=" + user + ",r=abc");
    return step.next == kind::lookup ? std::string{attempt.account().text()} : std::string{condition_name(step.why)};
  };
  BOOST_TEST(account_of("a=2Cb=3Dc") == "a,b=c@example.com");
  BOOST_TEST(account_of("É") == "é@example.com");
  for (auto user : {"a=b", "a=2c", "a=", "=2", ""})
    BOOST_TEST(account_of(user) == "malformed-request", user);
  for (auto user : {"a b", "a@example.com", "a/b", "\xff", "\t"})
    BOOST_TEST(account_of(user) == "not-authorized", user);
}

BOOST_AUTO_TEST_CASE(an_authzid_must_be_the_own_bare_address) {
  for (auto [authzid, end] : std::map<std::string, std::string>{{"juliet@example.com", success},
                                                                {"Juliet@EXAMPLE.com", success},
                                                                {"romeo@example.com", "invalid-authzid"},
                                                                {"juliet@example.net", "invalid-authzid"},
                                                                {"juliet@example.com/balcony", "invalid-authzid"},
                                                                {"juliet", "invalid-authzid"},
                                                                {"example.com", "invalid-authzid"},
                                                                {"@", "invalid-authzid"}}) {
    BOOST_TEST(scram({.header = "n,a=" + authzid + ","}, mechanism::scram_sha_1, stream_with{}) == end, authzid);
    BOOST_TEST(plain(authzid + "\0juliet\0"s + password) == end, authzid);
  }
}

BOOST_AUTO_TEST_CASE(malformed_first_messages_are_refused) {
  for (auto message : {"",
                       "n",
                       "n,",
                       "n,,",
                       "n,,n=juliet",
                       "n,,n=juliet,",
                       "n,,r=abc,n=juliet",
                       "n,,n=juliet,r=",
                       "x,,n=juliet,r=abc",
                       "n,x,n=juliet,r=abc",
                       "n,a=,n=juliet,r=abc",
                       "n,a=j=u,n=juliet,r=abc",
                       "n,,m=x,n=juliet,r=abc",
                       "n,,n=juliet,r=abc,",
                       "n,,n=juliet,r=abc,m=x",
                       "n,,n=juliet,r=abc,x",
                       "n,,n=juliet,r=a\x01"
                       "bc",
                       "p=,,n=a,r=b",
                       "N,,n=juliet,r=abc",
                       ",,n=juliet,r=abc",
                       "n,,n=juliet,r=a c",
                       "nn,,n=a,r=b"})
    BOOST_TEST(one_message(mechanism::scram_sha_1, stream_with{}, message) == "malformed-request", message);
  BOOST_TEST(one_message(mechanism::scram_sha_1, stream_with{}, "n,,n=jul\0iet,r=abc"s) == "malformed-request");
}

BOOST_AUTO_TEST_CASE(unknown_extensions_are_ignored) {
  const auto stream = stream_with{};
  auto attempt = exchange{mechanism::scram_sha_1, stream};
  BOOST_TEST(attempt.receive("n,,n=juliet,r=abc,h=x,d=yz").next == kind::lookup);
}

BOOST_AUTO_TEST_CASE(a_changed_last_message_is_refused) {
  const auto with = [](auto change) {
    const auto stream = stream_with{};
    auto attempt = exchange{mechanism::scram_sha_1, stream};
    auto client = scram_client{};
    attempt.receive(client.first());
    auto step = attempt.found(stored(), false);
    step = attempt.receive(change(client.answer(*step.data)));
    return step.next == kind::success ? "success"s : std::string{condition_name(step.why)};
  };
  const auto replaced = [&](std::string what, std::string by) {
    return with([&](std::string last) { return last.replace(last.find(what), what.size(), by); });
  };
  BOOST_TEST(with([](auto last) { return last; }) == "success");
  BOOST_TEST(replaced("c=biws", "c=eSws") == "not-authorized");   // another flag
  BOOST_TEST(replaced("r=fyko", "r=Fyko") == "not-authorized");   // another nonce
  BOOST_TEST(replaced("c=biws", "c=biw") == "malformed-request"); // not base64
  BOOST_TEST(replaced("c=biws", "x=biws") == "malformed-request");
  BOOST_TEST(replaced(",p=", ",p=AAAA") == "not-authorized"); // too long
  BOOST_TEST(replaced(",p=", ",p= ") == "malformed-request");
  BOOST_TEST(replaced(",p=", ",x=y,p=") == "not-authorized"); // an extension, but not signed
  BOOST_TEST(replaced(",p=", ",m=y,p=") == "malformed-request");
  BOOST_TEST(replaced(",p=", ",,p=") == "malformed-request");
  BOOST_TEST(with([](auto last) { return last.substr(0, last.find(",p=")); }) == "malformed-request");
  BOOST_TEST(with([](auto last) { return last.substr(0, last.find(",p=") + 3); }) == "not-authorized");
  BOOST_TEST(with([](auto) { return ""s; }) == "malformed-request");
}

BOOST_AUTO_TEST_CASE(a_last_message_can_not_be_tried_twice) {
  const auto stream = stream_with{};
  auto attempt = exchange{mechanism::scram_sha_1, stream};
  auto client = scram_client{};
  attempt.receive(client.first());
  const auto right = client.answer(*attempt.found(stored(), false).data);
  BOOST_TEST(attempt.receive("c=biws,r=x,p=AAAA").next == kind::failure);
  BOOST_TEST(attempt.receive(right).next == kind::failure);
}

BOOST_AUTO_TEST_CASE(server_nonces_differ) {
  const auto challenge = [] {
    const auto stream = stream_with{};
    auto attempt = exchange{mechanism::scram_sha_1, stream};
    attempt.receive("n,,n=juliet,r=abc");
    return *attempt.found(stored(), false).data;
  };
  BOOST_TEST(challenge() != challenge());
  BOOST_TEST(challenge().substr(0, 5) == "r=abc");
}

// -- channel binding (RFC 5802, 6) --

BOOST_AUTO_TEST_CASE(plus_binds_to_the_channel) {
  const auto exporter = scram_client{.header = "p=tls-exporter,,", .binding = "exporter bytes"};
  BOOST_TEST(scram(exporter, mechanism::scram_sha_1_plus, bound_stream{}) == success);
  const auto end_point =
      scram_client{.with = hash::sha_256, .header = "p=tls-server-end-point,,", .binding = "end point bytes"};
  BOOST_TEST(scram(end_point, mechanism::scram_sha_256_plus, bound_stream{}) == success);
  const auto sha_512 = scram_client{.with = hash::sha_512, .header = "p=tls-exporter,,", .binding = "exporter bytes"};
  BOOST_TEST(scram(sha_512, mechanism::scram_sha_512_plus, bound_stream{}) == success);
}

BOOST_AUTO_TEST_CASE(another_channel_is_refused) {
  for (auto bytes : {"", "exporter byte", "other bytes!!", "end point bytes"})
    BOOST_TEST(scram({.header = "p=tls-exporter,,", .binding = bytes}, mechanism::scram_sha_1_plus, bound_stream{}) ==
               "not-authorized");
}

BOOST_AUTO_TEST_CASE(a_binding_that_is_not_offered_is_refused) {
  for (auto type : {"tls-unique", "tls-nonsense", "TLS-EXPORTER"})
    BOOST_TEST(scram({.header = "p="s + type + ",,"}, mechanism::scram_sha_1_plus, bound_stream{}) == "not-authorized");
}

BOOST_AUTO_TEST_CASE(the_flag_fits_the_mechanism) {
  struct row {
    const char* header;
    mechanism chosen;
    bool plus_was_offered;
    const char* end;
  };
  const row rows[] = {
      {"n,,", mechanism::scram_sha_1, false, success},
      {"n,,", mechanism::scram_sha_1, true, success},
      {"y,,", mechanism::scram_sha_1, false, success},
      {"y,,", mechanism::scram_sha_1, true, "not-authorized"}, // a downgrade
      {"p=tls-exporter,,", mechanism::scram_sha_1, true, "not-authorized"},
      {"n,,", mechanism::scram_sha_1_plus, true, "not-authorized"},
      {"y,,", mechanism::scram_sha_1_plus, true, "not-authorized"},
  };
  for (const auto& each : rows) {
    const auto end = each.plus_was_offered ? scram({.header = each.header}, each.chosen, bound_stream{})
                                           : scram({.header = each.header}, each.chosen, stream_with{});
    BOOST_TEST(end == each.end, each.header << ' ' << name(each.chosen));
  }
}

BOOST_AUTO_TEST_CASE(bindings_are_found_by_their_registered_names) {
  const auto stream = bound_stream{};
  BOOST_TEST(stream.bindings.find("tls-exporter") == "exporter bytes");
  BOOST_TEST(stream.bindings.find("tls-unique").empty());
  BOOST_TEST((stream.bindings.types() == std::vector<std::string_view>{"tls-exporter", "tls-server-end-point"}));
  BOOST_TEST(!channel_bindings{}.any());
}

// -- PLAIN (RFC 4616) --

BOOST_AUTO_TEST_CASE(plain_signs_in_with_the_right_password_only) {
  BOOST_TEST(plain("\0juliet\0r0m30myr0m30"sv) == success);
  BOOST_TEST(plain("\0Juliet\0r0m30myr0m30"sv) == success);
  BOOST_TEST(plain("\0juliet\0wrong"sv) == "not-authorized");
  BOOST_TEST(plain("\0romeo\0r0m30myr0m30"sv) == "not-authorized");
  BOOST_TEST(plain("\0juliet@example.com\0r0m30myr0m30"sv) == "not-authorized");
}

BOOST_AUTO_TEST_CASE(malformed_plain_messages_are_refused) {
  for (auto message : {""sv, "juliet"sv, "\0juliet"sv, "\0juliet\0"sv, "\0\0pw"sv, "\0juliet\0pw\0"sv, "\0\0"sv})
    BOOST_TEST(plain(message) == "malformed-request");
}

BOOST_AUTO_TEST_CASE(plain_does_the_same_work_for_an_unknown_user) {
  const auto stream = stream_with{};
  auto attempt = exchange{mechanism::plain, stream};
  BOOST_TEST(attempt.receive("\0romeo\0pw"sv).next == kind::lookup);
  BOOST_TEST(attempt.not_found().next == kind::check_password);
  BOOST_TEST(attempt.take_password() == "pw");
  BOOST_TEST(attempt.take_candidate().keys.front().iterations == stored().keys.front().iterations);
  BOOST_TEST((attempt.checked(true).why == failure::not_authorized)); // whatever the checker says
}

BOOST_AUTO_TEST_CASE(
    an_unknown_user_takes_the_same_steps_as_a_wrong_password) { // of nobody is to be learned who there is
  const auto stream = stream_with{};
  const auto note = [](std::string& steps, const exchange::step& x) {
    steps += x.next == kind::lookup           ? "lookup "
             : x.next == kind::challenge      ? "challenge "
             : x.next == kind::check_password ? "check "
             : x.next == kind::success        ? "success "
                                              : "failure " + std::string{condition_name(x.why)};
    return x;
  };
  const auto plain_steps = [&](bool is_known) {
    auto attempt = exchange{mechanism::plain, stream};
    auto steps = std::string{};
    note(steps, attempt.receive("\0juliet\0wrong"sv));
    note(steps, is_known ? attempt.found(stored(), false) : attempt.not_found());
    for (const auto& keys : attempt.take_candidate().keys) // what the checker will have to compute
      steps += std::to_string(static_cast<int>(keys.with)) + ":" + std::to_string(keys.iterations) + ":" +
               std::to_string(keys.salt.size()) + " ";
    note(steps, attempt.checked(false));
    return steps;
  };
  BOOST_TEST(plain_steps(true) == plain_steps(false));
  BOOST_TEST(plain_steps(true).ends_with("failure not-authorized"));
  for (auto [chosen, with] : {std::pair{mechanism::scram_sha_1, hash::sha_1},
                              {mechanism::scram_sha_256, hash::sha_256},
                              {mechanism::scram_sha_512, hash::sha_512}}) {
    const auto scram_steps = [&, chosen = chosen, with = with](bool is_known) {
      auto client = scram_client{.with = with, .password = "wrong"};
      auto attempt = exchange{chosen, stream};
      auto steps = std::string{};
      note(steps, attempt.receive(client.first()));
      const auto challenge = note(steps, is_known ? attempt.found(stored(), false) : attempt.not_found());
      steps += challenge.data->substr(challenge.data->find(",i=")) + " of " + std::to_string(challenge.data->size());
      note(steps, attempt.receive(client.answer(*challenge.data)));
      return steps;
    };
    BOOST_TEST(scram_steps(true) == scram_steps(false));
    BOOST_TEST(scram_steps(true).ends_with("failure not-authorized"));
    BOOST_TEST(scram_steps(false).find(",i=" + std::to_string(stored().find(with)->iterations)) != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(only_who_proves_the_password_hears_that_the_account_is_disabled) {
  const auto stream = stream_with{};
  const auto end = [&](bool right) {
    auto attempt = exchange{mechanism::plain, stream};
    attempt.receive("\0juliet\0pw"sv);
    attempt.found(stored(), true);
    return attempt.checked(right).why;
  };
  BOOST_TEST((end(true) == failure::account_disabled));
  BOOST_TEST((end(false) == failure::not_authorized));
  auto client = scram_client{};
  auto attempt = exchange{mechanism::scram_sha_1, stream};
  attempt.receive(client.first());
  const auto step = attempt.found(stored(), true);
  BOOST_TEST((attempt.receive(client.answer(*step.data)).why == failure::account_disabled));
}

// -- EXTERNAL (XEP-0178) --

struct certified_stream : stream_with {
  explicit certified_stream(std::initializer_list<const char*> addresses, const char* stream_from = nullptr) {
    for (auto text : addresses)
      certified.push_back(*jid::parse(text));
    if (stream_from)
      from = *jid::parse(stream_from);
  }
};

BOOST_AUTO_TEST_CASE(external_takes_the_address_of_the_certificate) {
  const auto one = certified_stream{"juliet@example.com"};
  BOOST_TEST(one_message(mechanism::external, one, "") == success);
  BOOST_TEST(one_message(mechanism::external, one, "juliet@example.com") == success);
  BOOST_TEST(one_message(mechanism::external, one, "Juliet@example.com") == success);
  for (auto authzid : {"romeo@example.com", "juliet@example.com/balcony", "juliet", "@"})
    BOOST_TEST(one_message(mechanism::external, one, authzid) == "invalid-authzid", authzid);
}

BOOST_AUTO_TEST_CASE(external_with_several_addresses_must_say_which) {
  const auto several = certified_stream{"juliet@example.com", "nurse@example.com"};
  BOOST_TEST(one_message(mechanism::external, several, "") == "invalid-authzid");
  BOOST_TEST(one_message(mechanism::external, several, "juliet@example.com") == success);
  const auto from = certified_stream({"juliet@example.com", "nurse@example.com"}, "juliet@example.com");
  BOOST_TEST(one_message(mechanism::external, from, "") == success);
}

BOOST_AUTO_TEST_CASE(external_signs_in_accounts_of_this_host_only) {
  BOOST_TEST(one_message(mechanism::external, certified_stream{"juliet@example.net"}, "") == "invalid-authzid");
  BOOST_TEST(one_message(mechanism::external, certified_stream{"example.com"}, "") == "invalid-authzid");
  BOOST_TEST(one_message(mechanism::external, certified_stream{"romeo@example.com"}, "") == "not-authorized");
  BOOST_TEST(one_message(mechanism::external, stream_with{}, "") == "not-authorized");
}

// -- ANONYMOUS (XEP-0175) --

BOOST_AUTO_TEST_CASE(anonymous_gets_a_name_that_nobody_knows) {
  auto stream = stream_with{};
  BOOST_TEST(one_message(mechanism::anonymous, stream, "") != one_message(mechanism::anonymous, stream, "trace"));
  stream.random = &counting;
  BOOST_TEST(one_message(mechanism::anonymous, stream, "") == "2a2a2a2a-2a2a-4a2a-aa2a-2a2a2a2a2a2a@example.com");
  BOOST_TEST(one_message(mechanism::anonymous, stream, std::string(1'021, 'x')) == "malformed-request");
}

// -- names --

BOOST_AUTO_TEST_CASE(mechanisms_are_found_by_their_exact_names) {
  for (int i = 0; i <= static_cast<int>(mechanism::anonymous); ++i) {
    const auto m = static_cast<mechanism>(i);
    BOOST_TEST((find_mechanism(name(m)) == m));
    BOOST_TEST(is_plus(m) == (name(m).find("-PLUS") != std::string_view::npos));
  }
  for (auto text : {"", "plain", "SCRAM-SHA-1-PLUS ", "DIGEST-MD5", "SCRAM-SHA-1\0"})
    BOOST_TEST((!find_mechanism(text) || text == "SCRAM-SHA-1"sv), text);
  BOOST_TEST(name(mechanism::scram_sha_256_plus) == "SCRAM-SHA-256-PLUS");
}

BOOST_AUTO_TEST_CASE(calls_out_of_turn_fail_and_do_not_sign_in) {
  const auto stream = stream_with{};
  for (auto chosen : {mechanism::plain, mechanism::scram_sha_1, mechanism::external}) {
    auto attempt = exchange{chosen, stream};
    BOOST_TEST(attempt.found(stored(), false).next == kind::failure);
    auto other = exchange{chosen, stream};
    BOOST_TEST(other.checked(true).next == kind::failure);
    BOOST_TEST(other.receive("x").next == kind::failure);
  }
}

BOOST_AUTO_TEST_SUITE_END()
