// The log never has a body, a password or a key: all components say all they can, and all that is secret is looked for.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/scram.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace xmpp::test;

namespace {

std::string contents(const std::string& file) {
  auto in = std::ifstream{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// What stands between `>` and the end tags of SASL's elements, both directions.
std::vector<std::string> payloads(const std::string& dialogue) {
  auto out = std::vector<std::string>{};
  for (auto tag : {"</auth>", "</challenge>", "</response>", "</success>"})
    for (auto end = dialogue.find(tag); end != dialogue.npos; end = dialogue.find(tag, end + 1)) {
      auto begin = dialogue.rfind('>', end) + 1;
      if (end > begin)
        out.push_back(dialogue.substr(begin, end - begin));
    }
  return out;
}

/// The value of a SCRAM attribute; empty when the message has none.
std::string attribute(const std::string& message, const std::string& name) {
  auto at = message.find(name + '=');
  return at == message.npos ? std::string{} : message.substr(at + 2, message.find(',', at) - at - 2);
}

struct secrets {
  std::vector<std::string> all;

  std::string operator()(const std::string& text) {
    all.push_back(text);
    return text;
  }
  /// A password, and how PLAIN sends it.
  account of(account who, const std::string& password) {
    who.password = (*this)(password);
    (*this)(base64(std::string(1, '\0') + who.name + std::string(1, '\0') + password));
    return who;
  }
  void heard_by(const client& x) {
    auto found = payloads(x.transcript());
    BOOST_TEST(!found.empty());
    for (auto& one : found) {
      (*this)(one);
      auto message = unbase64(one);
      for (auto name : {"p", "v", "r"})
        if (auto value = attribute(message, name); value.size() > 8)
          (*this)(value);
    }
  }
};

/// Up to the answer, in a stream of its own, so that the dialogue has it all.
std::string tries(const server& here, secrets& secret, const account& who, const std::string& mechanism) {
  auto x = client{here, transport::direct_tls};
  x.makes_tls({.server_name = who.domain});
  x.opens(who.domain);
  x.features();
  auto answer = x.authenticates(who, mechanism);
  secret.heard_by(x);
  return answer.name;
}

} // namespace

BOOST_AUTO_TEST_SUITE(secrets_)

BOOST_AUTO_TEST_CASE(the_log_has_no_body_no_password_and_no_key) { // issue, 2
  auto here = server{{.settings = {{"log.level", "\"debug\""}, {"server.shutdown_timeout_s", "0"}}}};
  if (here.is_peer())
    return;
  auto secret = secrets{};
  auto form = [](const std::string& name, const std::string& password) {
    return format("<query xmlns='jabber:iq:register'><username>{}</username><password>{}</password></query>", name,
                  password);
  };

  // Registration: taken, refused, and broken off in the middle of the password.
  auto romeo = secret.of({unique("romeo"), "localhost"}, "the first password 5f2a");
  auto registers = [&](const std::string& name, const std::string& password) {
    auto x = client{here};
    x.opens();
    x.features();
    return condition(x.set(form(name, password)));
  };
  BOOST_TEST(registers(romeo.name, romeo.password) == "");
  BOOST_TEST(registers(romeo.name, secret("of a taken name 9b41")) == "conflict");
  BOOST_TEST(registers("not a name", secret("of no name 77c0")) != "");
  auto stranger = client{here};
  stranger.opens();
  stranger.features();
  stranger.send("<iq type='set' id='x'><query xmlns='jabber:iq:register'><password>{}</pass></query></iq>",
                secret("in broken markup 08ce"));
  BOOST_TEST(stranger.stream_error() == "not-well-formed");

  // Sign-in, right and wrong, with what nobody can read, and for nobody.
  auto wrong = secret.of(romeo, "a wrong password 31d7");
  auto nobody = secret.of({unique("nobody"), "localhost"}, "of nobody 64aa");
  for (auto mechanism : {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512-PLUS", "PLAIN"}) {
    BOOST_TEST(tries(here, secret, romeo, mechanism) == "success");
    BOOST_TEST(tries(here, secret, wrong, mechanism) == "failure");
    BOOST_TEST(tries(here, secret, nobody, mechanism) == "failure");
  }
  {
    auto x = client{here, transport::direct_tls};
    x.makes_tls();
    x.opens();
    x.features();
    for (auto payload : {secret("!" + base64("not base64 at all 1f")), secret(base64("no fields in it 2e3d"))}) {
      x.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}</auth>", payload);
      BOOST_TEST(x.next().name == "failure");
    }
  }

  // Bodies: delivered, stored, refused, too large; what is kept for oneself and for others.
  auto juliet = client{here, "juliet"};
  {
    auto x = client{here, romeo};
    befriend(x, juliet);
    x.send("<message to='{}' type='chat'><subject>{}</subject><body>{}</body></message>", juliet.bare(),
           secret("a subject 40f1"), secret("a body 8d2c"));
    juliet.receives("<message><body>a body 8d2c</body></message>");
    x.send("<message to='nobody@localhost' type='chat' id='n'><body>{}</body></message>", secret("to nobody d00d"));
    x.receives("<message type='error' id='n'/>");
    x.send("<message to='romeo@elsewhere.lit' type='chat' id='e'><body>{}</body></message>", secret("far away 5ea5"));
    x.receives("<message type='error' id='e'/>");
    x.send("<presence><status>{}</status></presence>", secret("a status 11fe"));
    juliet.receives("<presence><status>a status 11fe</status></presence>");
    BOOST_TEST(x.set("<vCard xmlns='vcard-temp'><FN>" + secret("a full name 6a6a") + "</FN></vCard>")["type"] ==
               "result");
    BOOST_TEST(x.set("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'>" + secret("private 17e8") +
                     "</a></query>")["type"] == "result");
    juliet.leaves();
    juliet.ends();
    x.send("<message to='{}' type='chat'><body>{}</body></message>", juliet.bare(), secret("for later b1b1"));
    x.ping(juliet.bare());
    auto changed = secret.of(romeo, "the second password c4e9");
    BOOST_TEST(x.set(form(romeo.name, changed.password), "localhost")["type"] == "result");
    BOOST_TEST(tries(here, secret, changed, "PLAIN") == "success");
    BOOST_TEST(tries(here, secret, romeo, "SCRAM-SHA-1") == "failure");
    here.shell("kill " + x.bare()); // and reads it all again
    x.ping(x.bare());
    here.shell("kill " + x.full());
    BOOST_TEST(x.stream_error() == "internal-server-error");
    auto again = client{here, juliet.who()};
    again.receives("<message><body>for later b1b1</body></message>");
    again.send("<message to='{}'><body>{}</body></message>", again.bare(),
               secret("too large 0a0a") + std::string(1'000'000, 'x'));
    BOOST_TEST(again.stream_error() == "policy-violation");
  }

  // What administrators type.
  here.shell("user passwd " + romeo.bare() + " " + secret("from-the-shell-e3"));
  here.command({"user", "passwd", romeo.bare()}, secret("from the command line 7e") + "\n");
  here.shell("send " + juliet.bare() + " " + secret("a text of the shell 2b2b"));
  here.shell("announce " + secret("a text for all 93c3"));
  BOOST_CHECK_THROW(here.shell("usr passwd " + romeo.bare() + " " + secret("mistyped-5c5c")), failure);

  // Keys, as files have them and as a dump would.
  for (auto host : {"localhost", "montague.lit"}) {
    auto key = contents(here.folder() + '/' + host + ".key");
    auto begin = key.find('\n') + 1;
    secret(key.substr(begin, key.find('\n', begin) - begin));
  }
  auto own = contents(here.folder() + "/data/secret");
  BOOST_TEST(own.size() == 32u);
  secret(own);
  secret(base64(own));

  client{here, "last"}.ping();
  BOOST_TEST(here.stop() == 0);
  auto said = here.log();
  for (auto event : {"registration.created", "session.rejected", "session.bound", "registration.password_changed",
                     "shell.command", "user.failed", "server.stopping"})
    BOOST_TEST((said.find(event) != said.npos), event); // it did speak
  BOOST_TEST(secret.all.size() > 80u);
  for (auto& one : secret.all)
    BOOST_TEST((one.size() > 8 && said.find(one) == said.npos), one);
}

BOOST_AUTO_TEST_SUITE_END()
