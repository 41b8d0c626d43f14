// Crash safety: whatever was answered with success is there after a SIGKILL at any moment.
//
// TROUPE_CRASH_ROUNDS is how many times (usually 4; the bench takes 100), TROUPE_CRASH_SEED where it begins.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/scram.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>

using namespace xmpp::test;

namespace {

int setting(const char* name, int otherwise) {
  auto given = std::getenv(name);
  return given ? std::atoi(given) : otherwise;
}

/// A value that was answered with success, or the next one that was sent and not answered: either may be there.
struct durable {
  std::string known, sent;
  void sends(const std::string& value) { sent = value; }
  void is_answered() { known = sent; }
  bool allows(const std::string& found) const { return found == known || found == sent; }
};

/// One person who changes everything that can be changed, and remembers what was answered.
struct actor {
  account who;
  bool exists = false, may_exist = false;
  durable password{"", ""}, vcard, private_xml;
  std::map<std::string, durable> roster; ///< By contact: the item's name; `gone` when it was removed.
  std::map<std::string, durable> blocks; ///< `blocked` or `free`.
  std::string friend_jid;                ///< The one who was asked, if any.
  bool subscription_pushed = false;
  int mails_sent = 0;        ///< To the mailbox of all, numbered.
  int mails_sent_before = 0; ///< As this life began.
  int step = 0;
};

std::string text_of_vcard(const element& answer) {
  auto card = answer.find("vCard");
  return card ? card->text_of("FN") : "";
}

/// Changes one thing after the other until the connection breaks.
void lives(const server& here, actor& a, const account& mailbox, std::mt19937 random) {
  try {
    if (!a.exists) {
      auto x = client{here};
      x.opens();
      x.features();
      a.password.sends(a.who.password);
      a.may_exist = true;
      auto answer =
          x.set(format("<query xmlns='jabber:iq:register'><username>{}</username><password>{}</password></query>",
                       a.who.name, a.who.password));
      if (answer["type"] != "result" && condition(answer) != "conflict")
        return;
      a.password.is_answered();
      a.exists = true;
    }
    a.who.password = a.password.known;
    auto x = client{here, a.who};
    while (true) {
      auto value = std::to_string(++a.step);
      switch (random() % 7) {
      case 0: {
        a.password.sends("p" + value);
        if (x.set(format("<query xmlns='jabber:iq:register'><username>{}</username><password>p{}</password></query>",
                         a.who.name, value),
                  a.who.domain)["type"] == "result")
          a.password.is_answered();
        break;
      }
      case 1: {
        a.vcard.sends(value);
        if (x.set("<vCard xmlns='vcard-temp'><FN>" + value + "</FN></vCard>")["type"] == "result")
          a.vcard.is_answered();
        break;
      }
      case 2: {
        a.private_xml.sends(value);
        if (x.set("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'>" + value + "</a></query>")["type"] ==
            "result")
          a.private_xml.is_answered();
        break;
      }
      case 3: {
        auto jid = "c" + std::to_string(random() % 5) + "@example.com";
        auto& item = a.roster[jid];
        auto removes = item.known != "" && item.known != "gone" && random() % 3 == 0;
        item.sends(removes ? "gone" : value);
        if (x.set(format("<query xmlns='jabber:iq:roster'><item jid='{}' {}/></query>", jid,
                         raw_xml{removes ? "subscription='remove'" : "name='" + value + "'"}))["type"] == "result")
          item.is_answered();
        break;
      }
      case 4: {
        auto jid = "b" + std::to_string(random() % 5) + "@example.com";
        auto& block = a.blocks[jid];
        auto frees = block.known == "blocked";
        block.sends(frees ? "free" : "blocked");
        if (x.set(format("<{} xmlns='urn:xmpp:blocking'><item jid='{}'/></{}>", frees ? "unblock" : "block", jid,
                         frees ? "unblock" : "block"))["type"] == "result")
          block.is_answered();
        break;
      }
      case 5: {
        if (a.friend_jid.empty()) {
          a.friend_jid = mailbox.bare();
          x.send("<presence to='{}' type='subscribe'/>", a.friend_jid);
          x.receives("<iq type='set'><query xmlns='jabber:iq:roster'><item jid='{}' ask='subscribe'/></query></iq>",
                     a.friend_jid);
          a.subscription_pushed = true;
        }
        break;
      }
      case 6: {
        // Accepted is what `stats` has counted: a message has no answer of its own.
        x.send("<message to='{}' type='chat'><body>{} {}</body></message>", mailbox.bare(), a.who.name, a.mails_sent++);
        x.ping(mailbox.bare());
        break;
      }
      }
      x.forget();
    }
  } catch (const std::exception&) {
    // The server was killed: what follows is checked after the restart.
  }
}

/// What waits for the mailbox: as much as the server had counted, of each sender the first ones of this life, in order.
void has_the_mail(const server& here, const account& mailbox, std::deque<actor>& actors, long long counted) {
  auto x = client{here, mailbox};
  x.send("<message to='{}' type='chat' id='last'><body>comes behind those</body></message>", x.full());
  auto got = 0LL;
  for (auto one = x.receives("<message/>"); one["id"] != "last"; one = x.receives("<message/>"), ++got) {
    auto text = one.text_of("body");
    auto from = std::find_if(actors.begin(), actors.end(),
                             [&](auto& a) { return a.who.name == text.substr(0, text.find(' ')); });
    BOOST_REQUIRE((from != actors.end()));
    BOOST_TEST(text == from->who.name + ' ' + std::to_string(from->mails_sent_before++));
  }
  BOOST_TEST(got >= counted);
  for (auto& a : actors)
    a.mails_sent_before = a.mails_sent;
  x.leaves();
  x.ends();
  auto deadline = clock::now() + patience();
  while (here.statistic("sessions_online") != 0) // so that the next mail is stored, not delivered
    BOOST_REQUIRE((clock::now() < deadline));
}

void is_as_it_was_left(const server& here, actor& a) {
  BOOST_TEST_CONTEXT(a.who.name) {
    if (!a.exists && !a.may_exist)
      return;
    auto found = false;
    for (auto& password : std::set<std::string>{a.password.known, a.password.sent}) {
      if (password.empty())
        continue;
      auto x = client{here};
      x.opens();
      x.features();
      if (x.authenticates({a.who.name, a.who.domain, password}).name == "success") {
        a.password = {password, password};
        found = true;
        break;
      }
    }
    if (a.exists && !found) {
      auto log = here.log();
      BOOST_FAIL("no sign-in any more; the server says:\n" +
                 log.substr(log.size() - std::min<std::size_t>(log.size(), 4'000)));
    }
    if (!found)
      return;
    a.exists = true;
    a.who.password = a.password.known;
    auto x = client{here, a.who, {.state = upto::bound}};
    auto settle_on = [&](const char* what, durable& state, const std::string& value) {
      BOOST_TEST_CONTEXT(what << ": known '" << state.known << "', sent '" << state.sent << "', found '" << value
                              << "'")
      BOOST_TEST(state.allows(value));
      state = {value, value};
    };
    settle_on("vCard", a.vcard, text_of_vcard(x.get("<vCard xmlns='vcard-temp'/>")));
    auto answer = x.get("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'/></query>");
    settle_on("private XML", a.private_xml, answer.find("query")->children.at(0).text);
    auto items = std::map<std::string, std::string>{};
    auto roster = x.asks_roster();
    for (auto& item : roster.find("query")->children)
      items[item["jid"]] = item["name"];
    for (auto& [jid, state] : a.roster) {
      auto is_there = items.count(jid) > 0;
      // An item that was never answered and is not there is as good as one that was removed.
      settle_on(jid.c_str(), state, is_there ? items[jid] : state.known.empty() && state.sent != "gone" ? "" : "gone");
    }
    if (a.subscription_pushed)
      BOOST_TEST(items.count(a.friend_jid) == 1u);
    a.friend_jid = items.count(a.friend_jid) ? a.friend_jid : "";
    auto list = x.get("<blocklist xmlns='urn:xmpp:blocking'/>");
    auto blocked = std::set<std::string>{};
    for (auto& item : list.find("blocklist")->children)
      blocked.insert(item["jid"]);
    for (auto& [jid, state] : a.blocks)
      settle_on(jid.c_str(), state,
                blocked.count(jid)                            ? "blocked"
                : state.known.empty() && state.sent != "free" ? ""
                                                              : "free");
    x.leaves();
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(crashes)

BOOST_AUTO_TEST_CASE(what_was_answered_with_success_survives_a_kill_at_any_moment) { // issue, 8
  auto here = server{};
  if (here.is_peer())
    return;
  auto rounds = setting("TROUPE_CRASH_ROUNDS", 4);
  auto random = std::mt19937{static_cast<unsigned>(setting("TROUPE_CRASH_SEED", 1))};
  auto actors = std::deque<actor>(8);
  auto mailbox = registers(here, "mailbox");
  for (auto& a : actors)
    a.who.name = unique("person");
  for (auto round = 0; round < rounds; ++round) {
    if (round % 3 == 2 && actors.size() < 40)
      for (auto i = 0; i < 4; ++i) // newcomers, some in the middle of being made
        actors.emplace_back().who.name = unique("person");
    // The last round's marker may have been stored and counted, too, behind what waited then.
    auto before = here.statistic("offline_stored");
    auto threads = std::vector<std::thread>{};
    for (auto& a : actors)
      threads.emplace_back(
          [&, seed = random()] { lives(here, a, mailbox, std::mt19937{static_cast<unsigned>(seed)}); });
    // The kill's moment is the experiment: a random time, not a wait for something.
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + random() % 900));
    auto counted = here.statistic("offline_stored") - before;
    here.kill();
    for (auto& x : threads)
      x.join();
    here.start();
    BOOST_TEST_CONTEXT("round " << round) {
      has_the_mail(here, mailbox, actors, counted);
      for (auto& a : actors)
        is_as_it_was_left(here, a);
    }
  }
}

BOOST_AUTO_TEST_CASE(accepted_offline_messages_survive_a_kill) { // issue, 8
  auto here = server{};
  if (here.is_peer())
    return;
  auto juliet = registers(here, "juliet");
  auto next = 0;
  for (auto round = 0; round < setting("TROUPE_CRASH_ROUNDS", 4); ++round) {
    auto first = next;
    auto romeo = client{here, "romeo"};
    auto before = here.statistic("offline_stored"); // the last round's end was, perhaps
    auto all = std::string{};
    for (auto i = 0; i < 200; ++i)
      all += format("<message to='{}' type='chat'><body>{}</body></message>", juliet.bare(), next++);
    romeo.send_bytes(all);
    auto accepted = 0LL;
    while (accepted < 20 + 40 * (round % 4))
      accepted = here.statistic("offline_stored") - before;
    here.kill();
    here.start();
    auto x = client{here, juliet};
    x.send("<message to='{}' type='chat' id='last'><body>comes behind those</body></message>", x.full());
    auto seen = std::vector<int>{};
    for (auto one = x.receives("<message/>"); one["id"] != "last"; one = x.receives("<message/>"))
      seen.push_back(std::stoi(one.text_of("body")));
    BOOST_TEST(static_cast<long long>(seen.size()) >= accepted);
    for (auto i = std::size_t{0}; i < seen.size(); ++i) // the first ones, in order, each once
      BOOST_TEST(seen[i] == first + static_cast<int>(i));
    x.leaves();
  }
}

BOOST_AUTO_TEST_CASE(a_subscription_that_both_saw_survives_a_kill) {
  auto here = server{};
  if (here.is_peer())
    return;
  for (auto round = 0; round < setting("TROUPE_CRASH_ROUNDS", 6); ++round) {
    auto romeo = client{here, "romeo"};
    auto juliet = client{here, "juliet"};
    romeo.send("<presence to='{}' type='subscribe'/>", juliet.bare());
    juliet.receives("<presence type='subscribe'/>");
    auto granted = round % 3 != 0, has_seen_it_too = round % 3 == 1;
    if (granted) {
      juliet.asks_roster();
      juliet.send("<presence to='{}' type='subscribed'/>", romeo.bare());
      romeo.receives("<presence type='subscribed'/>");
      if (has_seen_it_too)
        juliet.receives("<iq type='set'><query xmlns='jabber:iq:roster'><item subscription='from'/></query></iq>");
    }
    here.kill();
    here.start();
    auto again = client{here, juliet.who()};
    auto later = client{here, romeo.who(), {.state = upto::bound}};
    auto roster = later.asks_roster().to_string();
    if (granted) {
      BOOST_TEST(roster.find("subscription='to'") != std::string::npos);
      auto grants = [&] { return again.asks_roster().to_string().find("subscription='from'") != std::string::npos; };
      if (!has_seen_it_too && !grants()) { // She is asked again, and what she says then counts for both.
        again.receives("<presence from='{}' type='subscribe'/>", romeo.bare());
        again.send("<presence to='{}' type='subscribed'/>", romeo.bare());
        again.receives("<iq type='set'><query xmlns='jabber:iq:roster'><item subscription='from'/></query></iq>");
      }
      BOOST_TEST(grants());
    } else {
      BOOST_TEST(roster.find("ask='subscribe'") != std::string::npos);
      again.receives("<presence from='{}' type='subscribe'/>", romeo.bare()); // still to be answered
    }
  }
}

BOOST_AUTO_TEST_CASE(an_acknowledged_end_of_a_subscription_survives_a_kill_on_both_sides) { // RFC 6121, 2.5
  auto here = server{};
  if (here.is_peer())
    return;
  for (auto round = 0; round < setting("TROUPE_CRASH_ROUNDS", 4); ++round) {
    auto romeo = client{here, "romeo"};
    auto juliet = client{here, "juliet"};
    befriend(romeo, juliet);
    auto answer =
        round % 2 == 0
            ? romeo.set(format("<query xmlns='jabber:iq:roster'><item jid='{}' subscription='remove'/></query>",
                               juliet.bare()))
            : romeo.set("<query xmlns='jabber:iq:register'><remove/></query>");
    here.kill();
    BOOST_TEST(answer["type"] == "result");
    here.start();
    auto again = client{here, juliet.who()};
    auto roster = again.asks_roster().to_string();
    BOOST_TEST(roster.find("subscription='none'") != std::string::npos, roster);
  }
}

BOOST_AUTO_TEST_CASE(a_kill_in_the_middle_of_a_start_does_no_harm) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo = registers(here, "romeo");
  for (auto i = 0; i < 3; ++i) {
    here.kill();
    here.start_without_waiting();
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + 30 * i)); // the moment is the experiment
    here.kill();
    here.start();
    auto x = client{here, romeo};
    x.ping();
  }
}

BOOST_AUTO_TEST_SUITE_END()
