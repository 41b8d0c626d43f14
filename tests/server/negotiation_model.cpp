// Out-of-order negotiation: any sequence of what a client can do before it is signed in ends in success or in the right
// error, and nobody is let in who has not proved the password. Of a peer any error will do where the specification
// leaves a choice; of this server one.
//
// TROUPE_MODEL_SEED and TROUPE_MODEL_RUNS choose other sequences; the seed of a failing one is told.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/scram.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <random>

using namespace xmpp::test;

namespace {

constexpr auto sasl_ns = "urn:ietf:params:xml:ns:xmpp-sasl";

enum class action {
  open,
  open_elsewhere,
  starttls,
  plain_good,
  plain_bad,
  plain_forged,
  scram_good,
  scram_begin,
  response,
  abort,
  no_such_mechanism,
  anonymous,
  bind,
  session,
  message,
  presence,
  roster,
  register_form,
  unknown,
  white_space,
  close,
  count
};

const char* name_of(action x) {
  static const char* const names[] = {"open",
                                      "open elsewhere",
                                      "starttls",
                                      "PLAIN, good",
                                      "PLAIN, bad",
                                      "PLAIN for another",
                                      "SCRAM, good",
                                      "SCRAM, first half",
                                      "response",
                                      "abort",
                                      "no such mechanism",
                                      "ANONYMOUS",
                                      "bind",
                                      "session",
                                      "message",
                                      "presence",
                                      "roster",
                                      "register",
                                      "unknown",
                                      "white space",
                                      "close"};
  return names[static_cast<int>(x)];
}

/// A client and what must be true of it.
struct model {
  client x;
  const account& who;
  const account& other;
  bool is_open = false, is_secure = false, is_signed_in = false, is_bound = false, in_exchange = false,
       has_ended = false;
  int attempts = 0;
  const bool is_peer = shared_server().is_peer();

  model(const account& who, const account& other) : who(who), other(other) {}

  /// What the server says next, if it ends the stream that is noted.
  element hears() {
    try {
      auto got = x.next();
      if (got.name == "error" && got.ns == "http://etherx.jabber.org/streams")
        has_ended = true;
      return got;
    } catch (const failure& what) {
      if (std::string_view{what.what()}.find("connection ended") == std::string_view::npos)
        throw;
      has_ended = true;
      return {};
    }
  }

  /// The stream must end, with the first of these; a peer's with any, and an ordinary refusal may stand before.
  void must_end(std::initializer_list<std::string_view> errors) {
    auto error = x.stream_error();
    BOOST_TEST(unless_ours(error, errors) == "");
    has_ended = true;
  }

  /// Whether `got` is an error of that condition; a peer may have another one.
  bool is_error(const element& got, std::string_view wanted) const {
    return is_peer ? condition(got) != "" : condition(got) == wanted;
  }

  void must_fail(std::string_view why) {
    auto got = hears();
    BOOST_TEST(got.name == "failure");
    BOOST_TEST(is_error(got, why), why << " is " << condition(got));
    in_exchange = false;
  }

  /// After so many attempts the next one ends the stream (6.4.5).
  bool has_tried_enough() {
    if (is_signed_in || ++attempts <= 5)
      return false;
    must_end({"policy-violation", "not-authorized"});
    return true;
  }

  /// `auth`, `response` and the like where SASL is not possible.
  bool refuses_sasl() {
    if (!is_signed_in)
      return false;
    if (!is_peer) {
      must_end({"unsupported-stanza-type"});
      return true;
    }
    auto got = hears();
    BOOST_TEST((got.name == "failure" || has_ended));
    BOOST_TEST(got.name != "success");
    return true;
  }

  void succeeds(const element& got) {
    BOOST_TEST(got.name == "success");
    is_signed_in = true;
    is_open = false;
    in_exchange = false;
  }

  void does(action what) {
    if (!is_open && what != action::open && what != action::open_elsewhere && what != action::white_space) {
      // Anything else in place of a header is no stream.
      if (what == action::close) {
        x.send("</stream:stream>");
        return must_end({"not-well-formed", "bad-format", "invalid-xml", "bad-namespace-prefix"});
      }
      x.send("<message xmlns='jabber:client'/>");
      return must_end({"bad-format", "invalid-namespace", "invalid-xml", "not-authorized"});
    }
    if (is_open && (what == action::open || what == action::open_elsewhere)) {
      if (is_peer)
        return; // may be the beginning of an element without end
      x.send("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
             "to='{}'>",
             std::string{what == action::open ? "localhost" : "nowhere.invalid"});
      return must_end({"unsupported-stanza-type"});
    }
    switch (what) {
    case action::open:
      x.opens();
      x.features();
      is_open = true;
      BOOST_TEST((x.last_features().find("bind") != nullptr) == is_signed_in);
      BOOST_TEST((x.last_features().find("mechanisms") != nullptr) == !is_signed_in);
      return;
    case action::open_elsewhere:
      x.opens("nowhere.invalid");
      return must_end({"host-unknown", "not-authorized", "policy-violation"});
    case action::starttls: {
      x.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
      if (is_secure || is_signed_in) { // 5.4.2.2
        auto got = hears();
        BOOST_TEST(got.name != "proceed");
        if (!is_peer)
          BOOST_TEST(matches(got, parse_element("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")));
        if (!has_ended)
          must_end({"no stream error, but the connection ended", "not-authorized", "unsupported-stanza-type",
                    "policy-violation"});
        return;
      }
      auto got = hears();
      if (is_peer && in_exchange && got.name != "proceed") { // in the middle of SASL it may be refused
        BOOST_TEST((has_ended || got.name == "failure"));
        if (!has_ended)
          x.stream_error(), has_ended = true;
        return;
      }
      BOOST_REQUIRE(got.name == "proceed");
      x.makes_tls();
      is_secure = true;
      is_open = false;
      in_exchange = false;
      return;
    }
    case action::plain_good:
    case action::plain_bad:
    case action::plain_forged: {
      auto zero = std::string(1, '\0');
      auto authzid = what == action::plain_forged ? other.bare() : std::string{};
      x.send("<auth xmlns='{}' mechanism='PLAIN'>{}</auth>", sasl_ns,
             base64(authzid + zero + who.name + zero + (what == action::plain_bad ? "wrong" : who.password)));
      if (has_tried_enough() || refuses_sasl())
        return;
      if (!is_secure)
        return must_fail("encryption-required");
      if (what != action::plain_good)
        return must_fail(what == action::plain_bad ? "not-authorized" : "invalid-authzid");
      return succeeds(hears());
    }
    case action::scram_begin:
    case action::scram_good: {
      auto scram = scram_client{"SHA-256", who.name, who.password};
      x.send("<auth xmlns='{}' mechanism='SCRAM-SHA-256'>{}</auth>", sasl_ns, base64(scram.first()));
      if (has_tried_enough() || refuses_sasl())
        return;
      auto got = hears();
      if (is_peer && in_exchange && got.name == "failure") { // a second exchange inside the first may be refused
        in_exchange = false;
        return;
      }
      BOOST_REQUIRE(got.name == "challenge");
      in_exchange = true;
      if (what == action::scram_begin)
        return;
      x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64(scram.final(unbase64(got.text))));
      return succeeds(hears());
    }
    case action::response:
      x.send("<response xmlns='{}'>{}</response>", sasl_ns, base64("c=biws,r=x,p=AAAA"));
      return takes_step("malformed-request");
    case action::abort:
      x.send("<abort xmlns='{}'/>", sasl_ns);
      return takes_step("aborted");
    case action::no_such_mechanism:
      x.send("<auth xmlns='{}' mechanism='X-NONE'>=</auth>", sasl_ns);
      if (has_tried_enough() || refuses_sasl())
        return;
      return must_fail("invalid-mechanism");
    case action::anonymous:
      x.send("<auth xmlns='{}' mechanism='ANONYMOUS'>=</auth>", sasl_ns);
      if (has_tried_enough() || refuses_sasl())
        return;
      return must_fail("invalid-mechanism");
    case action::bind:
      if (!is_signed_in)
        return stanza_is_refused("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
      {
        auto answer = x.set("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>");
        BOOST_TEST((answer["type"] == "result") == !is_bound);
        if (is_bound)
          BOOST_TEST(is_error(answer, "not-allowed"), condition(answer));
        if (!is_bound)
          BOOST_TEST(answer.find("bind")->text_of("jid").rfind(who.bare() + "/", 0) == 0u);
        is_bound = true;
      }
      return;
    case action::session:
      return stanza("<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
    case action::message:
      return stanza("<message to='nobody-at-all@localhost' type='error'/>");
    case action::presence:
      return stanza("<presence/>");
    case action::roster:
      return stanza("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    case action::register_form: {
      if (is_signed_in)
        return;
      x.send("<iq type='get' id='f'><query xmlns='jabber:iq:register'/></iq>");
      auto got = hears();
      if (in_exchange && has_ended)
        return;
      BOOST_TEST(got.name == "iq");
      BOOST_TEST((is_peer || got["type"] == "result"));
      return;
    }
    case action::unknown:
      x.send("<foo xmlns='urn:example:foo'/>");
      return must_end({"unsupported-stanza-type", "not-authorized", "invalid-namespace"});
    case action::white_space:
      if (is_open) // else it would stand before the XML declaration
        x.send(" \n");
      return;
    case action::close:
      x.leaves();
      BOOST_TEST(x.ends());
      has_ended = true;
      return;
    case action::count:
      return;
    }
  }

  /// A step of SASL other than the first; one out of turn is as good as another attempt.
  void takes_step(std::string_view why) {
    if (refuses_sasl())
      return;
    if (in_exchange)
      return must_fail(why);
    if (is_peer) {
      BOOST_TEST(condition(hears()) != "");
      return;
    }
    if (!has_tried_enough())
      must_fail(why);
  }

  void stanza_is_refused(std::string_view bytes) {
    x.send_bytes(bytes);
    must_end({"not-authorized"});
  }

  void stanza(std::string_view bytes) {
    if (!is_bound && bytes.find("session") != bytes.npos && is_signed_in) {
      x.send_bytes(bytes);
      auto got = hears(); // some answer it, some don't
      BOOST_TEST((is_peer || got["type"] == "result"));
      return;
    }
    if (!is_bound)
      return stanza_is_refused(bytes);
    x.send_bytes(bytes);
    x.ping();
    x.forget();
  }
};

int setting(const char* name, int otherwise) {
  auto given = std::getenv(name);
  return given ? std::atoi(given) : otherwise;
}

} // namespace

BOOST_AUTO_TEST_SUITE(negotiation_model)

BOOST_AUTO_TEST_CASE(any_order_of_steps_ends_in_success_or_in_the_right_error) {
  auto who = registers("romeo");
  auto other = registers("juliet");
  auto seed = static_cast<unsigned>(setting("TROUPE_MODEL_SEED", 1));
  auto signed_in = 0;
  for (auto run = 0; run < setting("TROUPE_MODEL_RUNS", 150); ++run, ++seed) {
    auto random = std::mt19937{seed};
    auto steps = std::string{};
    auto client = model{who, other};
    BOOST_TEST_CONTEXT("seed " << seed) {
      try {
        // Half of the runs begin as they should, to come further.
        auto begun = seed % 2 == 0;
        for (auto i = 0; i < 12 && !client.has_ended; ++i) {
          auto what =
              begun && i == 0 ? action::open : static_cast<action>(random() % static_cast<unsigned>(action::count));
          if (begun && !client.is_open && random() % 4)
            what = action::open;
          steps += std::string{steps.empty() ? "" : ", "} + name_of(what);
          client.does(what);
        }
      } catch (const failure& x) {
        BOOST_ERROR("after: " << steps << "\n" << x.what());
      }
      BOOST_TEST_INFO(steps);
      signed_in += client.is_signed_in;
      if (client.is_signed_in && !client.has_ended && client.is_bound)
        client.x.ping();
    }
  }
  BOOST_TEST(signed_in > 0); // the sequences do come that far
}

BOOST_AUTO_TEST_SUITE_END()
