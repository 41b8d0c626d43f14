// RFC 6120, 6: who is let in, by which mechanism, and what others learn in trying.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/scram.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/ssl.h>

#include <algorithm>
#include <set>

using namespace xmpp::test;

namespace {

constexpr auto sasl_ns = "urn:ietf:params:xml:ns:xmpp-sasl";

/// Up to the features that offer mechanisms; under TLS 1.3 unless told otherwise.
void goes_to_mechanisms(client& x, transport how, int version_max = 0, const std::string& domain = "localhost") {
  if (how == transport::direct_tls)
    x.makes_tls({.server_name = domain, .version_max = version_max});
  x.opens(domain);
  x.features();
}

std::vector<std::string> mechanisms(const client& x) {
  auto out = std::vector<std::string>{};
  if (auto offered = x.last_features().find("mechanisms", sasl_ns))
    for (auto one : offered->all("mechanism"))
      out.push_back(one->text);
  return out;
}

bool offers(const client& x, const std::string& mechanism) {
  auto all = mechanisms(x);
  return std::find(all.begin(), all.end(), mechanism) != all.end();
}

std::vector<std::string> bindings(const client& x) {
  auto out = std::vector<std::string>{};
  if (auto offered = x.last_features().find("sasl-channel-binding", "urn:xmpp:sasl-cb:0"))
    for (auto one : offered->all("channel-binding"))
      out.push_back((*one)["type"]);
  std::sort(out.begin(), out.end());
  return out;
}

account with_password(account who, const std::string& password) {
  who.password = password;
  return who;
}

/// How one stream's attempt ends: `success` or the failure's condition.
std::string outcome(const account& who, const std::string& mechanism, transport how = transport::plain,
                    const std::string& authzid = {}, int version_max = 0) {
  auto x = client{how};
  goes_to_mechanisms(x, how, version_max, who.domain);
  auto answer = x.authenticates(who, mechanism, authzid);
  return answer.name == "failure" ? condition(answer) : answer.name;
}

/// The first thing said in answer to bytes sent where a mechanism may be chosen.
element answer_to(std::string_view bytes, transport how = transport::plain) {
  auto x = client{how};
  goes_to_mechanisms(x, how);
  x.send_bytes(bytes);
  return x.next();
}

std::string auth(const std::string& mechanism, const std::string& initial) {
  return format("<auth xmlns='{}' mechanism='{}'>{}</auth>", sasl_ns, mechanism, initial);
}

const auto scrams = {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"};

} // namespace

BOOST_AUTO_TEST_SUITE(sasl)

// -- what is offered --------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(in_the_clear_only_mechanisms_that_hide_the_password_are_offered) {
  auto x = client{};
  goes_to_mechanisms(x, transport::plain);
  for (auto mechanism : scrams) {
    BOOST_TEST(offers(x, mechanism));
    BOOST_TEST(!offers(x, std::string{mechanism} + "-PLUS"));
  }
  BOOST_TEST(!offers(x, "PLAIN"));
  BOOST_TEST(!offers(x, "EXTERNAL"));
  BOOST_TEST(!offers(x, "ANONYMOUS"));
  BOOST_TEST(bindings(x).empty());
}

BOOST_AUTO_TEST_CASE(under_tls_all_that_can_work_is_offered) {
  auto x = client{transport::direct_tls};
  goes_to_mechanisms(x, transport::direct_tls);
  for (auto mechanism : scrams) {
    BOOST_TEST(offers(x, mechanism));
    BOOST_TEST(offers(x, std::string{mechanism} + "-PLUS"));
  }
  BOOST_TEST(offers(x, "PLAIN"));
  BOOST_TEST(!offers(x, "EXTERNAL")); // no certificate was shown
  BOOST_TEST(!offers(x, "ANONYMOUS"));
}

BOOST_AUTO_TEST_CASE(channel_bindings_are_those_of_the_version_of_tls) { // XEP-0440, 3; RFC 9266
  auto x = client{transport::direct_tls};
  goes_to_mechanisms(x, transport::direct_tls);
  BOOST_TEST((bindings(x) == std::vector<std::string>{"tls-exporter", "tls-server-end-point"}));
  auto older = client{transport::direct_tls};
  goes_to_mechanisms(older, transport::direct_tls, TLS1_2_VERSION);
  auto offered = bindings(older);
  BOOST_TEST((std::count(offered.begin(), offered.end(), "tls-unique") == 1));
  BOOST_TEST((std::count(offered.begin(), offered.end(), "tls-server-end-point") == 1));
}

// -- signing in -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(every_scram_signs_in) {
  auto romeo = registers("romeo");
  for (auto mechanism : scrams)
    for (auto how : {transport::plain, transport::direct_tls})
      BOOST_TEST(outcome(romeo, mechanism, how) == "success");
}

BOOST_AUTO_TEST_CASE(every_scram_signs_in_bound_to_its_channel) {
  auto romeo = registers("romeo");
  for (auto mechanism : scrams) {
    BOOST_TEST_CONTEXT(mechanism) {
      auto plus = std::string{mechanism} + "-PLUS:";
      BOOST_TEST(outcome(romeo, plus + "tls-exporter", transport::direct_tls) == "success");
      BOOST_TEST(outcome(romeo, plus + "tls-server-end-point", transport::direct_tls) == "success");
      BOOST_TEST(outcome(romeo, plus + "tls-unique", transport::direct_tls, {}, TLS1_2_VERSION) == "success");
      BOOST_TEST(outcome(romeo, plus + "tls-server-end-point", transport::direct_tls, {}, TLS1_2_VERSION) == "success");
    }
  }
}

BOOST_AUTO_TEST_CASE(plain_signs_in_under_tls) {
  auto romeo = client{"romeo", {.how = transport::starttls, .mechanism = "PLAIN"}};
  romeo.ping();
}

BOOST_AUTO_TEST_CASE(a_name_is_compared_prepared) { // RFC 7622, 3.3
  auto romeo = registers("romeo");
  auto shouted = romeo;
  std::transform(shouted.name.begin(), shouted.name.end(), shouted.name.begin(), ::toupper);
  for (auto mechanism : {"SCRAM-SHA-1", "PLAIN"}) {
    auto x = client{transport::direct_tls};
    goes_to_mechanisms(x, transport::direct_tls);
    BOOST_REQUIRE(x.authenticates(shouted, mechanism).name == "success");
    x.opens();
    x.features();
    x.binds("here");
    BOOST_TEST(x.full() == romeo.bare() + "/here");
  }
}

BOOST_AUTO_TEST_CASE(a_password_may_be_any_text) {
  auto x = client{};
  x.opens();
  x.features();
  auto who = account{unique("romeo"), "localhost", "p\u00e4ss <&> w\u00f6rd, n=x 😀"};
  x.set(format("<query xmlns='jabber:iq:register'><username>{}</username><password>{}</password></query>", who.name,
               who.password));
  BOOST_TEST(outcome(who, "SCRAM-SHA-256") == "success");
  BOOST_TEST(outcome(who, "PLAIN", transport::direct_tls) == "success");
}

BOOST_AUTO_TEST_CASE(scram_may_begin_with_an_empty_challenge) { // RFC 6120, 6.4.2
  auto romeo = registers("romeo");
  auto x = client{};
  goes_to_mechanisms(x, transport::plain);
  x.send("<auth xmlns='{}' mechanism='SCRAM-SHA-1'/>", sasl_ns);
  auto empty = x.receives_next("<challenge xmlns='{}'/>", sasl_ns);
  BOOST_TEST((empty.text == "" || empty.text == "="));
  auto scram = scram_client{"SHA-1", romeo.name, romeo.password};
  x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64(scram.first()));
  auto challenge = x.receives_next("<challenge xmlns='{}'/>", sasl_ns);
  x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64(scram.final(unbase64(challenge.text))));
  BOOST_TEST(scram.accepts(unbase64(x.receives_next("<success xmlns='{}'/>", sasl_ns).text)));
}

BOOST_AUTO_TEST_CASE(plain_may_begin_with_an_empty_challenge) {
  auto romeo = registers("romeo");
  auto x = client{transport::direct_tls};
  goes_to_mechanisms(x, transport::direct_tls);
  x.send("<auth xmlns='{}' mechanism='PLAIN'/>", sasl_ns);
  x.receives_next("<challenge xmlns='{}'/>", sasl_ns);
  x.send("<response xmlns='{}'>{}</response>", sasl_ns,
         base64(std::string(1, '\0') + romeo.name + std::string(1, '\0') + romeo.password));
  x.receives_next("<success xmlns='{}'/>", sasl_ns);
}

BOOST_AUTO_TEST_CASE(scram_asks_for_ten_thousand_iterations) {
  auto romeo = registers("romeo");
  auto x = client{};
  goes_to_mechanisms(x, transport::plain);
  auto scram = scram_client{"SHA-256", romeo.name, romeo.password};
  x.send_bytes(auth("SCRAM-SHA-256", base64(scram.first())));
  scram.final(unbase64(x.receives_next("<challenge xmlns='{}'/>", sasl_ns).text));
  BOOST_TEST(scram.iterations == 10'000);
  BOOST_TEST(scram.salt.size() >= 16u);
}

// -- refusals ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_wrong_password_and_an_unknown_name_are_not_authorized_alike) {
  auto romeo = registers("romeo");
  auto nobody = account{unique("nobody")};
  for (auto mechanism : {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-1-PLUS", "PLAIN"}) {
    BOOST_TEST_CONTEXT(mechanism) {
      auto wrong = client{transport::direct_tls};
      goes_to_mechanisms(wrong, transport::direct_tls);
      auto one = wrong.authenticates(with_password(romeo, "wrong"), mechanism).to_string();
      auto unknown = client{transport::direct_tls};
      goes_to_mechanisms(unknown, transport::direct_tls);
      auto other = unknown.authenticates(nobody, mechanism).to_string();
      BOOST_TEST(one == other);
      BOOST_TEST(one.find("not-authorized") != one.npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_name_has_the_same_salt_each_time_and_the_usual_steps) { // RFC 5802, 9
  auto challenge_of = [](const std::string& name, const std::string& mechanism) {
    auto x = client{};
    goes_to_mechanisms(x, transport::plain);
    auto scram = scram_client{mechanism.substr(6), name, "password"};
    x.send_bytes(auth(mechanism, base64(scram.first())));
    auto challenge = unbase64(x.receives_next("<challenge xmlns='{}'/>", sasl_ns).text);
    scram.final(challenge);
    return std::pair{scram.salt + "," + std::to_string(scram.iterations), challenge.size()};
  };
  auto romeo = registers("romeo");
  auto nobody = unique("nobody");
  for (auto mechanism : scrams) {
    BOOST_TEST_CONTEXT(mechanism) {
      auto first = challenge_of(nobody, mechanism);
      BOOST_TEST(challenge_of(nobody, mechanism).first == first.first);
      BOOST_TEST(challenge_of(unique("nobody"), mechanism).first != first.first);
      auto real = challenge_of(romeo.name, mechanism);
      BOOST_TEST(real.second == first.second); // in length too
      BOOST_TEST(real.first.substr(real.first.rfind(',')) == first.first.substr(first.first.rfind(',')));
    }
  }
  BOOST_TEST(challenge_of(nobody, "SCRAM-SHA-1").first != challenge_of(nobody, "SCRAM-SHA-256").first);
}

BOOST_AUTO_TEST_CASE(a_mechanism_that_is_not_offered_is_invalid) { // 6.5.7; threats: CVE-2017-10807
  for (auto mechanism : {"ANONYMOUS", "EXTERNAL", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1-PLUS", "scram-sha-1", "X"}) {
    BOOST_TEST_CONTEXT(mechanism) {
      auto answer = answer_to(auth(mechanism, "="));
      BOOST_TEST(unless_ours(condition(answer), {"invalid-mechanism", "encryption-required"}) == "");
    }
  }
  for (auto& none : {format("<auth xmlns='{}'/>", sasl_ns), auth("", "=")})
    BOOST_TEST(unless_ours(condition(answer_to(none)), {"invalid-mechanism", "malformed-request"}) == "");
}

BOOST_AUTO_TEST_CASE(plain_in_the_clear_is_refused_before_the_password_is_looked_at) { // 6.5.4
  auto romeo = registers("romeo");
  BOOST_TEST(unless_ours(outcome(romeo, "PLAIN"), {"encryption-required", "invalid-mechanism"}) == "");
}

BOOST_AUTO_TEST_CASE(what_is_not_base64_is_an_incorrect_encoding) { // 6.5.5
  for (auto text : {"!", "a", "ab=c", "YQ==YQ==", "YQ", " YQ==", "=YQ"}) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(condition(answer_to(auth("SCRAM-SHA-1", text))) == "incorrect-encoding");
      BOOST_TEST(condition(answer_to(auth("PLAIN", text), transport::direct_tls)) == "incorrect-encoding");
    }
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_follow_the_mechanism_s_grammar_is_malformed) { // 6.5.8
  auto zero = std::string(1, '\0');
  for (auto& text : std::vector<std::string>{"x", "n,,", "n,,n=a", "n,,r=abc", "q,,n=a,r=b", "n,n=a,r=b", "n,,n=,r=abc",
                                             "n,,n=a=,r=abc", "n,,m=x,n=a,r=abc", "n,,r=abc,n=a", "n,,n=a,r=", zero}) {
    BOOST_TEST_CONTEXT(text) {
      auto got = condition(answer_to(auth("SCRAM-SHA-1", base64(text))));
      BOOST_TEST(unless_ours(got, {"malformed-request", "not-authorized", "invalid-authzid"}) == "");
    }
  }
  for (auto& text : std::vector<std::string>{"a", zero, zero + "a", zero + zero, zero + "a" + zero, zero + zero + "b",
                                             "a" + zero + "b" + zero + "c" + zero}) {
    BOOST_TEST_CONTEXT(base64(text)) {
      auto got = condition(answer_to(auth("PLAIN", base64(text)), transport::direct_tls));
      BOOST_TEST(unless_ours(got, {"malformed-request", "not-authorized", "invalid-authzid"}) == "");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_last_word_of_scram_is_refused) {
  auto romeo = registers("romeo");
  const auto changes = std::vector<std::pair<const char*, const char*>>{
      {"nonce", "not-authorized"},       {"binding", "not-authorized"},  {"proof", "not-authorized"},
      {"no proof", "malformed-request"}, {"empty", "malformed-request"}, {"extension", "malformed-request"}};
  for (auto& [change, why] : changes) {
    BOOST_TEST_CONTEXT(change) {
      auto x = client{};
      goes_to_mechanisms(x, transport::plain);
      auto scram = scram_client{"SHA-1", romeo.name, romeo.password};
      x.send_bytes(auth("SCRAM-SHA-1", base64(scram.first())));
      auto last = scram.final(unbase64(x.receives_next("<challenge xmlns='{}'/>", sasl_ns).text));
      auto what = std::string{change};
      auto proof = last.find(",p=");
      if (what == "nonce")
        last[proof - 1] = last[proof - 1] == 'x' ? 'y' : 'x';
      else if (what == "binding")
        last.replace(0, last.find(','), "c=" + base64("y,,"));
      else if (what == "proof")
        last[proof + 5] = last[proof + 5] == 'A' ? 'B' : 'A';
      else if (what == "no proof")
        last.resize(proof);
      else if (what == "empty")
        last.clear();
      else
        last.insert(proof, ",m=mandatory");
      x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64(last));
      auto answer = x.next();
      BOOST_TEST(unless_ours(condition(answer), {why, "not-authorized", "malformed-request", "incorrect-encoding"}) ==
                 "");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_says_the_server_has_no_binding_is_refused_where_it_has) { // RFC 5802, 6
  auto romeo = registers("romeo");
  auto x = client{transport::direct_tls};
  goes_to_mechanisms(x, transport::direct_tls);
  auto scram = scram_client{"SHA-1", romeo.name, romeo.password, "y,,"};
  x.send_bytes(auth("SCRAM-SHA-1", base64(scram.first())));
  auto answer = x.next();
  if (answer.name == "challenge") {
    x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64(scram.final(unbase64(answer.text))));
    answer = x.next();
  }
  BOOST_TEST(answer.name == "failure");
}

BOOST_AUTO_TEST_CASE(a_client_that_could_bind_where_nothing_is_offered_is_let_in) {
  auto romeo = registers("romeo");
  auto x = client{};
  goes_to_mechanisms(x, transport::plain);
  auto scram = scram_client{"SHA-1", romeo.name, romeo.password, "y,,"};
  x.send_bytes(auth("SCRAM-SHA-1", base64(scram.first())));
  auto challenge = x.receives_next("<challenge xmlns='{}'/>", sasl_ns);
  x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64(scram.final(unbase64(challenge.text))));
  x.receives_next("<success xmlns='{}'/>", sasl_ns);
}

BOOST_AUTO_TEST_CASE(a_binding_that_is_wrong_unknown_or_out_of_place_is_refused) {
  auto romeo = registers("romeo");
  auto attempt = [&](const std::string& mechanism, const std::string& header, const std::string& binding) {
    auto x = client{transport::direct_tls};
    goes_to_mechanisms(x, transport::direct_tls);
    auto data = binding == "right" ? x.wire().binding_exporter() : binding;
    auto scram = scram_client{"SHA-1", romeo.name, romeo.password, header, data};
    x.send_bytes(auth(mechanism, base64(scram.first())));
    auto answer = x.next();
    if (answer.name == "challenge") {
      x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64(scram.final(unbase64(answer.text))));
      answer = x.next();
    }
    return answer.name;
  };
  BOOST_TEST(attempt("SCRAM-SHA-1-PLUS", "p=tls-exporter,,", "right") == "success");
  BOOST_TEST(attempt("SCRAM-SHA-1-PLUS", "p=tls-exporter,,", std::string(32, 'x')) == "failure");
  BOOST_TEST(attempt("SCRAM-SHA-1-PLUS", "p=tls-exporter,,", "") == "failure");
  BOOST_TEST(attempt("SCRAM-SHA-1-PLUS", "p=tls-unknown,,", "right") == "failure");
  BOOST_TEST(attempt("SCRAM-SHA-1-PLUS", "p=tls-unique,,", "right") == "failure"); // never on TLS 1.3
  BOOST_TEST(attempt("SCRAM-SHA-1-PLUS", "n,,", "") == "failure");
  BOOST_TEST(attempt("SCRAM-SHA-1", "p=tls-exporter,,", "right") == "failure");
}

// -- authorization identities (6.3.8; threats: ejabberd 26.07) --------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_authorization_identity_is_one_s_own_or_refused) {
  auto romeo = registers("romeo");
  auto juliet = registers("juliet");
  for (auto mechanism : {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-1-PLUS", "PLAIN"}) {
    BOOST_TEST_CONTEXT(mechanism) {
      BOOST_TEST(outcome(romeo, mechanism, transport::direct_tls, romeo.bare()) == "success");
      for (auto& other :
           {juliet.bare(), romeo.name + "@montague.lit", std::string{"localhost"}, juliet.name, romeo.bare() + "x"}) {
        BOOST_TEST_CONTEXT(other)
        BOOST_TEST(unless_ours(outcome(romeo, mechanism, transport::direct_tls, other),
                               {"invalid-authzid", "not-authorized"}) == "");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_password_with_another_s_identity_tells_nothing_of_it) {
  auto romeo = with_password(registers("romeo"), "wrong");
  auto juliet = registers("juliet");
  auto nobody = unique("nobody") + "@localhost";
  BOOST_TEST(outcome(romeo, "PLAIN", transport::direct_tls, juliet.bare()) ==
             outcome(romeo, "PLAIN", transport::direct_tls, nobody));
}

// -- the course of an exchange ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_stream_ends_after_five_attempts) { // 6.4.5
  auto romeo = registers("romeo");
  auto x = client{};
  goes_to_mechanisms(x, transport::plain);
  for (auto i = 0; i < 5; ++i)
    BOOST_TEST(condition(x.authenticates(with_password(romeo, "wrong"))) == "not-authorized");
  try {
    BOOST_TEST(x.authenticates(romeo).name != "success"); // the right one comes too late
  } catch (const failure&) {
  }
  auto end = x.stream_error();
  BOOST_TEST(end.find("stays open") == end.npos);
}

BOOST_AUTO_TEST_CASE(names_that_can_not_be_are_attempts_too) {
  auto x = client{transport::direct_tls};
  goes_to_mechanisms(x, transport::direct_tls);
  for (auto i = 0; i < 5; ++i) {
    x.send_bytes(auth("PLAIN", base64(std::string(1, '\0') + "a b" + std::string(1, '\0') + "password")));
    BOOST_TEST(condition(x.next()) == "not-authorized");
  }
  x.send_bytes(auth("PLAIN", base64("x")));
  BOOST_TEST(x.stream_error().find("policy-violation") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_right_password_is_taken_after_others_failed) {
  for (auto failures : {1, 2, 4}) {
    auto romeo = registers("romeo");
    auto x = client{};
    goes_to_mechanisms(x, transport::plain);
    for (auto i = 0; i < failures; ++i)
      x.authenticates(with_password(romeo, "wrong"));
    x.signs_in(romeo, "SCRAM-SHA-256");
    x.binds();
    x.ping();
  }
}

BOOST_AUTO_TEST_CASE(failed_attempts_lock_nobody_out) { // XEP-0205, 4.2
  auto romeo = registers("romeo");
  for (auto i = 0; i < 20; ++i)
    BOOST_TEST(outcome(with_password(romeo, "wrong"), "SCRAM-SHA-1") == "not-authorized");
  BOOST_TEST(outcome(romeo, "SCRAM-SHA-1") == "success");
}

BOOST_AUTO_TEST_CASE(who_guessed_too_often_learns_nothing_by_a_quick_success) { // nor by silence
  auto here = server{{.settings = {{"listen.loopback_is_exempt", "false"},
                                   {"sign_in.registrations_per_address_per_hour", "0"},
                                   {"sign_in.backoff_after", "1"},
                                   {"sign_in.backoff_ms", "60000"},
                                   {"sign_in.backoff_ms_max", "60000"}}}};
  if (here.is_peer())
    return;
  auto romeo = registers(here, "romeo"), juliet = registers(here, "juliet");
  auto tries = [&](client& x, const std::string& password) {
    auto scram = scram_client{"SHA-1", romeo.name, password};
    x.send_bytes(auth("SCRAM-SHA-1", base64(scram.first())));
    auto challenge = x.receives("<challenge xmlns='{}'/>", sasl_ns);
    x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64(scram.final(unbase64(challenge.text))));
  };
  for (auto i = 1; i <= 2; ++i) {
    auto x = client{here};
    x.opens();
    x.features();
    tries(x, "wrong");
    while (here.statistic("sign_ins_failed") < i)
      ;
  }
  auto x = client{here};
  x.opens();
  x.features();
  tries(x, romeo.password);
  while (here.statistic("sign_ins") < 1)
    ;
  auto beside = client{here}; // The first one's success, which nobody has heard of, helps no other.
  beside.opens();
  beside.features();
  tries(beside, romeo.password);
  while (here.statistic("sign_ins") < 2)
    ;
  auto other = client{here, juliet}; // who does not wait
  other.ping();
  BOOST_TEST(!x.has("<success/>"));
  BOOST_TEST(!beside.has("<success/>"));
}

BOOST_AUTO_TEST_CASE(unknown_names_have_the_steps_of_every_time) { // or those with the older ones would be known
  auto here = server{{.settings = {{"sign_in.scram_iterations", "5000"}}}};
  if (here.is_peer())
    return;
  auto steps_of = [&](const std::string& name) {
    auto x = client{here};
    x.opens();
    x.features();
    auto scram = scram_client{"SHA-1", name, "password"};
    x.send_bytes(auth("SCRAM-SHA-1", base64(scram.first())));
    scram.final(unbase64(x.receives("<challenge xmlns='{}'/>", sasl_ns).text));
    return scram.iterations;
  };
  auto steps_of_nobodies = [&] {
    auto seen = std::set<int>{};
    for (auto i = 0; i < 40; ++i)
      seen.insert(int(steps_of("nobody" + std::to_string(i))));
    return seen;
  };
  auto configures = [&](const std::string& count) {
    here.set("sign_in.scram_iterations", count);
    here.shell("reload");
  };
  auto romeo = registers(here, "romeo");
  configures("7000"); // which no account ever gets
  configures("6000");
  BOOST_TEST((steps_of_nobodies() == std::set<int>{5'000}));
  auto juliet = registers(here, "juliet");
  for (auto is_restarted : {false, true}) {
    if (is_restarted) {
      here.stop();
      here.start();
    }
    BOOST_TEST(steps_of(romeo.name) == 5'000);
    BOOST_TEST(steps_of(juliet.name) == 6'000);
    BOOST_TEST((steps_of_nobodies() == std::set<int>{5'000, 6'000}));
  }
}

BOOST_AUTO_TEST_CASE(an_exchange_can_be_given_up_and_begun_again) { // 6.4.4
  auto romeo = registers("romeo");
  auto x = client{};
  goes_to_mechanisms(x, transport::plain);
  x.send_bytes(auth("SCRAM-SHA-1", base64(scram_client{"SHA-1", romeo.name, romeo.password}.first())));
  x.receives_next("<challenge xmlns='{}'/>", sasl_ns);
  x.send("<abort xmlns='{}'/>", sasl_ns);
  BOOST_TEST(condition(x.next()) == "aborted");
  BOOST_TEST(x.authenticates(romeo).name == "success");
}

BOOST_AUTO_TEST_CASE(an_answer_without_a_question_is_refused) {
  const auto answers = std::vector<std::pair<const char*, const char*>>{{"response", "malformed-request"},
                                                                        {"abort", "aborted"},
                                                                        {"challenge", "unsupported-stanza-type"},
                                                                        {"success", "unsupported-stanza-type"}};
  for (auto& [name, why] : answers) {
    BOOST_TEST_CONTEXT(name) {
      auto x = client{};
      goes_to_mechanisms(x, transport::plain);
      x.send("<{} xmlns='{}'>=</{}>", name, sasl_ns, name);
      auto answer = x.next();
      BOOST_TEST((answer.name == "failure" || answer.ns == "http://etherx.jabber.org/streams"));
      BOOST_TEST((shared_server().is_peer() ? condition(answer) != "" : condition(answer) == why), condition(answer));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_second_auth_in_the_middle_of_an_exchange_does_not_help) {
  auto romeo = registers("romeo");
  auto mallory = registers("mallory");
  auto x = client{};
  goes_to_mechanisms(x, transport::plain);
  auto scram = scram_client{"SHA-1", mallory.name, mallory.password};
  x.send_bytes(auth("SCRAM-SHA-1", base64(scram.first())));
  auto challenge = x.receives_next("<challenge xmlns='{}'/>", sasl_ns);
  x.send_bytes(auth("SCRAM-SHA-1", base64("n,,n=" + romeo.name + ",r=" + scram.nonce + "abc")));
  auto second = x.next(); // a new exchange (6.4.2); of a peer's also a refusal
  BOOST_TEST((second.name == "challenge" || shared_server().is_peer()));
  if (second.name == "challenge") {
    x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64(scram.final(unbase64(challenge.text))));
    BOOST_TEST(x.next().name == "failure");
  } else {
    BOOST_TEST(condition(second) != "");
  }
}

BOOST_AUTO_TEST_CASE(stanzas_in_the_middle_of_an_exchange_are_not_authorized) {
  auto romeo = registers("romeo");
  auto x = client{};
  goes_to_mechanisms(x, transport::plain);
  x.send_bytes(auth("SCRAM-SHA-1", base64(scram_client{"SHA-1", romeo.name, romeo.password}.first())));
  x.receives_next("<challenge xmlns='{}'/>", sasl_ns);
  x.send("<message to='{}'/>", romeo.bare());
  BOOST_TEST(x.stream_error() == "not-authorized");
}

BOOST_AUTO_TEST_CASE(who_has_signed_in_does_not_do_it_again) { // 6.4.6
  auto x = client{"romeo", {.state = upto::signed_in}};
  auto answer = x.authenticates(x.who());
  BOOST_TEST((answer.name == "failure" || answer.ns == "http://etherx.jabber.org/streams"));
}

BOOST_AUTO_TEST_CASE(the_stream_must_be_opened_anew_after_success) { // 6.4.6
  auto romeo = registers("romeo");
  auto x = client{};
  goes_to_mechanisms(x, transport::plain);
  BOOST_REQUIRE(x.authenticates(romeo).name == "success");
  x.send("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
  auto end = x.stream_error();
  BOOST_TEST(end.find("stays open") == end.npos);
}

BOOST_AUTO_TEST_CASE(an_error_repeats_nothing_that_was_sent) {
  auto secret = base64(std::string(1, '\0') + "romeo" + std::string(1, '\0') + "hunter2hunter2");
  BOOST_TEST(answer_to(auth("PLAIN", secret)).to_string().find(secret) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_log_tells_ends_and_attempts_and_is_not_filled_by_those_who_look_for_a_mechanism) {
  auto here = server{};
  auto romeo = client{here, "romeo"};
  romeo.leaves();
  auto guest = client{here};
  guest.opens();
  guest.features();
  guest.leaves(); // before sign-in: of no interest
  auto x = client{here, transport::direct_tls};
  x.makes_tls();
  x.opens();
  x.features();
  for (auto mechanism : {"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"}) {
    x.send("<auth xmlns='{}' mechanism='{}'>{}</auth>", sasl_ns, mechanism, base64("y,,n=romeo,r=abc"));
    BOOST_TEST(condition(x.next()) == "not-authorized");
  }
  BOOST_TEST(condition(x.authenticates(with_password(romeo.who(), "wrong"))) == "not-authorized");
  x.breaks();
  while (here.statistic("connections_open") != 0) // Or the stop might be faster, and be what ends it.
    ;
  here.stop();
  auto log = here.log();
  auto lines = [&](std::string_view part) {
    auto count = 0;
    for (auto at = log.find(part); at != log.npos; at = log.find(part, at + 1))
      ++count;
    return count;
  };
  BOOST_TEST(lines("session.ended") == 1, log);
  BOOST_TEST(lines("why=closed seconds=") == 1, log);
  BOOST_TEST(lines("session.refused") == 0, log);
  BOOST_TEST(lines("session.rejected") == 1, log);
}

// -- EXTERNAL and ANONYMOUS -------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_client_certificate_signs_in) { // XEP-0178, 2
  auto& here = shared_server();
  auto romeo = registers("romeo");
  auto [certificate, key] = here.client_certificate(romeo.bare());
  for (auto& authzid : {std::string{}, romeo.bare()}) {
    auto x = client{transport::direct_tls};
    x.makes_tls({.certificate_file = certificate, .key_file = key});
    x.opens();
    x.features();
    BOOST_TEST(offers(x, "EXTERNAL"));
    BOOST_TEST(x.authenticates(romeo, "EXTERNAL", authzid).name == "success");
    x.opens();
    x.features();
    x.binds("here");
    BOOST_TEST(x.full() == romeo.bare() + "/here");
  }
}

BOOST_AUTO_TEST_CASE(a_client_certificate_is_good_for_its_own_address_only) {
  auto& here = shared_server();
  auto romeo = registers("romeo");
  auto juliet = registers("juliet");
  auto [certificate, key] = here.client_certificate(romeo.bare());
  auto x = client{transport::direct_tls};
  x.makes_tls({.certificate_file = certificate, .key_file = key});
  x.opens();
  x.features();
  BOOST_TEST(unless_ours(condition(x.authenticates(juliet, "EXTERNAL", juliet.bare())),
                         {"invalid-authzid", "not-authorized"}) == "");
  auto elsewhere = client{transport::direct_tls};
  elsewhere.makes_tls({.server_name = "montague.lit", .certificate_file = certificate, .key_file = key});
  elsewhere.opens("montague.lit");
  elsewhere.features();
  BOOST_TEST(condition(elsewhere.authenticates(romeo, "EXTERNAL")) != "");
}

BOOST_AUTO_TEST_CASE(the_authority_of_one_host_vouches_for_nobody_of_another) {
  auto here = server{{{{"hosts.montague.client_ca_file", "\"montague.lit.crt\""}}}};
  auto tries = [&](const account& who, const std::string& authority, const std::string& name) {
    auto [certificate, key] = here.client_certificate(who.bare(), authority);
    auto x = client{here, transport::direct_tls};
    x.makes_tls({.server_name = name, .certificate_file = certificate, .key_file = key});
    x.opens(who.domain);
    x.features();
    auto answer = x.authenticates(who, "EXTERNAL", who.bare()).name;
    BOOST_TEST(offers(x, "EXTERNAL") == (answer == "success"));
    return answer;
  };
  auto ours = registers(here, "romeo"), theirs = registers(here, "romeo", "montague.lit");
  BOOST_TEST(tries(ours, "authority", "localhost") == "success");
  BOOST_TEST(tries(theirs, "montague.lit", "montague.lit") == "success");
  for (auto name : {"localhost", "montague.lit"}) {
    BOOST_TEST(tries(ours, "montague.lit", name) == "failure");
    BOOST_TEST(tries(theirs, "authority", name) == "failure");
  }
}

BOOST_AUTO_TEST_CASE(a_certificate_of_an_account_that_is_gone_opens_nothing) {
  auto nobody = account{unique("nobody")};
  auto [certificate, key] = shared_server().client_certificate(nobody.bare());
  auto x = client{transport::direct_tls};
  x.makes_tls({.certificate_file = certificate, .key_file = key});
  x.opens();
  x.features();
  BOOST_TEST(unless_ours(condition(x.authenticates(nobody, "EXTERNAL")), {"not-authorized", "invalid-mechanism"}) ==
             "");
}

BOOST_AUTO_TEST_CASE(a_certificate_that_nobody_trusted_has_signed_opens_nothing) {
  auto romeo = registers("romeo");
  auto& folder = shared_server().folder();
  auto x = client{transport::direct_tls};
  try {
    x.makes_tls({.certificate_file = folder + "/montague.lit.crt", .key_file = folder + "/montague.lit.key"});
    x.opens();
    x.features();
  } catch (const failure&) {
    return; // refused in the handshake already
  }
  BOOST_TEST(!offers(x, "EXTERNAL"));
  BOOST_TEST(condition(x.authenticates(romeo, "EXTERNAL")) == "invalid-mechanism");
}

BOOST_AUTO_TEST_CASE(anybody_comes_in_where_that_is_wanted) { // XEP-0175
  auto x = client{};
  goes_to_mechanisms(x, transport::plain, 0, "masked.lit");
  BOOST_TEST(offers(x, "ANONYMOUS"));
  BOOST_REQUIRE(x.authenticates({"", "masked.lit"}, "ANONYMOUS").name == "success");
  x.opens("masked.lit");
  x.features();
  x.binds();
  BOOST_TEST(x.full().find("@masked.lit/") >= 16u);
  x.ping("masked.lit");
  auto info = x.get("<query xmlns='http://jabber.org/protocol/disco#info'/>", x.full().substr(0, x.full().find('/')));
  BOOST_REQUIRE(info.find("query"));
  BOOST_REQUIRE(info.find("query")->find("identity"));
  BOOST_TEST((*info.find("query")->find("identity"))["category"] == "account");
  BOOST_TEST((*info.find("query")->find("identity"))["type"] == "anonymous"); // 5
  auto another = client{};
  goes_to_mechanisms(another, transport::plain, 0, "masked.lit");
  another.authenticates({"", "masked.lit"}, "ANONYMOUS");
  another.opens("masked.lit");
  another.features();
  another.binds();
  BOOST_TEST(another.full().substr(0, another.full().find('@')) != x.full().substr(0, x.full().find('@')));
  x.send("<message to='{}'><body>who are you?</body></message>", another.full());
  another.receives("<message from='{}'/>", x.full());
}

BOOST_AUTO_TEST_CASE(a_guest_gets_no_password_and_stays_no_account) { // XEP-0175
  auto x = client{};
  goes_to_mechanisms(x, transport::plain, 0, "masked.lit");
  BOOST_REQUIRE(x.authenticates({"", "masked.lit"}, "ANONYMOUS").name == "success");
  x.opens("masked.lit");
  x.features();
  x.binds();
  auto name = x.full().substr(0, x.full().find('@'));
  auto answer =
      x.set(format("<query xmlns='jabber:iq:register'><username>{}</username><password>mine</password></query>", name),
            "masked.lit");
  BOOST_TEST(condition(answer) != "");
  for (auto mechanism : {"SCRAM-SHA-256", "PLAIN"}) {
    auto again = client{transport::direct_tls};
    goes_to_mechanisms(again, transport::direct_tls, 0, "masked.lit");
    BOOST_TEST(condition(again.authenticates({name, "masked.lit", "mine"}, mechanism)) == "not-authorized");
  }
}

BOOST_AUTO_TEST_SUITE_END()
