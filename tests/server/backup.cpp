// What a running server's backup has, and what comes of it.
#include "tests/fixtures/client.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

using namespace xmpp::test;

namespace {

constexpr auto blocking = "urn:xmpp:blocking";

std::string text_of_vcard(client& x) {
  auto answer = x.get("<vCard xmlns='vcard-temp'/>");
  auto card = answer.find("vCard");
  return card ? card->text_of("FN") : "";
}

std::string text_of_private(client& x) {
  auto answer = x.get("<query xmlns='jabber:iq:private'><note xmlns='urn:example:note'/></query>");
  auto query = answer.find("query");
  return query ? query->text_of("note") : "";
}

bool sets_vcard(client& x, const std::string& text) {
  return x.set("<vCard xmlns='vcard-temp'><FN>" + text + "</FN></vCard>")["type"] == "result";
}

bool sets_private(client& x, const std::string& text) {
  return x.set("<query xmlns='jabber:iq:private'><note xmlns='urn:example:note'>" + text + "</note></query>")["type"] ==
         "result";
}

std::string complaint_of(const server& here, const std::vector<std::string>& words) {
  try {
    here.command(words);
    return {};
  } catch (const failure& x) {
    return x.what();
  }
}

/// Changes one thing after the other until told to stop, and remembers what was answered.
struct busy_person {
  account who;
  std::atomic<int> sent{0}, answered{0};

  void lives(const server& here, const std::atomic<bool>& is_over) {
    auto x = client{here, who};
    while (!is_over) {
      auto next = std::to_string(++sent);
      if (!sets_vcard(x, next) || !sets_private(x, next))
        return;
      answered = sent.load();
    }
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(backup)

BOOST_AUTO_TEST_CASE(a_restored_server_has_all_that_the_backed_up_one_had) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto romeo_is = registers(here, "romeo"), juliet_is = registers(here, "juliet", "montague.lit"),
       nurse_is = registers(here, "nurse");
  {
    auto romeo = client{here, romeo_is};
    auto juliet = client{here, juliet_is};
    auto nurse = client{here, nurse_is};
    befriend(romeo, juliet);
    romeo.set(
        format("<query xmlns='jabber:iq:roster'><item jid='{}' name='my love'><group>Capulets</group></item></query>",
               juliet.bare()));
    BOOST_TEST(sets_vcard(romeo, "Romeo Montague"));
    BOOST_TEST(sets_private(romeo, "balcony at nine"));
    romeo.set(format("<block xmlns='{}'><item jid='tybalt@capulet.lit'/></block>", blocking));
    nurse.send("<presence to='{}' type='subscribe'/>", romeo.bare());
    romeo.receives("<presence from='{}' type='subscribe'/>", nurse.bare()); // not answered
    juliet.leaves();
    juliet.ends();
    for (auto i = 0; i < 3; ++i)
      romeo.send("<message to='{}' type='chat'><body>{}</body></message>", juliet_is.bare(), i);
    romeo.ping(juliet_is.bare());
    romeo.ping(juliet_is.bare());
  }
  auto file = here.folder() + "/b";
  here.command({"backup", file});
  BOOST_TEST(complaint_of(here, {"restore", file}).find("is running") != std::string::npos);
  BOOST_TEST(here.stop() == 0);

  auto other = server{{.starts_later = true}};
  other.command({"restore", file});
  other.start();
  auto romeo = client{other, romeo_is, {.state = upto::bound}};
  auto roster = romeo.asks_roster();
  auto items = roster.find("query")->all("item");
  BOOST_REQUIRE(items.size() == 1u);
  BOOST_TEST((*items[0])["jid"] == juliet_is.bare());
  BOOST_TEST((*items[0])["name"] == "my love");
  BOOST_TEST((*items[0])["subscription"] == "both");
  BOOST_TEST(items[0]->text_of("group") == "Capulets");
  BOOST_TEST(text_of_vcard(romeo) == "Romeo Montague");
  BOOST_TEST(text_of_private(romeo) == "balcony at nine");
  auto list = romeo.get(format("<blocklist xmlns='{}'/>", blocking));
  BOOST_REQUIRE(list.find("blocklist", blocking)->children.size() == 1u);
  BOOST_TEST(list.find("blocklist", blocking)->children[0]["jid"] == "tybalt@capulet.lit");
  romeo.is_available();
  romeo.receives("<presence from='{}' type='subscribe'/>", nurse_is.bare());
  auto juliet = client{other, juliet_is};
  for (auto i = 0; i < 3; ++i)
    juliet.receives("<message from='{}'><body>{}</body></message>", romeo_is.bare() + "/balcony", i);
  BOOST_TEST(other.command({"user", "list"}) == here.command({"user", "list"}));
}

BOOST_AUTO_TEST_CASE(each_account_is_as_it_was_at_one_moment_while_all_of_them_change) {
  auto here = server{};
  if (here.is_peer())
    return;
  auto people = std::vector<busy_person>(6);
  for (auto& one : people)
    one.who = registers(here, "busy");
  auto is_over = std::atomic<bool>{false};
  auto threads = std::vector<std::thread>{};
  for (auto& one : people)
    threads.emplace_back([&] {
      try {
        one.lives(here, is_over);
      } catch (const failure&) { // It is told by what was answered.
      }
    });
  for (auto& one : people)
    while (one.answered < 5)
      std::this_thread::yield();
  auto answered = std::vector<int>{};
  for (auto& one : people)
    answered.push_back(one.answered);
  auto file = here.folder() + "/b";
  auto trouble = complaint_of(here, {"backup", file});
  auto sent = std::vector<int>{};
  for (auto& one : people)
    sent.push_back(one.sent);
  is_over = true;
  for (auto& one : threads)
    one.join();
  BOOST_REQUIRE(trouble == "");

  auto other = server{{.starts_later = true}};
  other.command({"restore", file});
  other.start();
  for (auto i = std::size_t{0}; i < people.size(); ++i) {
    auto x = client{other, people[i].who};
    auto vcard = std::atoi(text_of_vcard(x).c_str()), note = std::atoi(text_of_private(x).c_str());
    BOOST_TEST(note >= answered[i]);
    BOOST_TEST(vcard <= sent[i]);
    BOOST_TEST((note == vcard || note + 1 == vcard), std::to_string(note) + " and " + std::to_string(vcard));
  }
}

BOOST_AUTO_TEST_SUITE_END()
