// The whole server on a disk that is full, or whose fsync fails: it says so, refuses what it could not keep, loses and
// invents nothing, serves all the rest, and goes on by itself when the disk is good again.
#include "tests/fixtures/client.hpp"
#include "tests/fixtures/failing_disk.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <deque>
#include <fcntl.h>
#include <functional>
#include <limits>
#include <new>
#include <set>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

using namespace xmpp::test;
namespace data = boost::unit_test::data;

namespace {

server_options on_failing_disk(std::map<std::string, std::string> settings = {}) {
  auto out = server_options{};
  out.settings = std::move(settings);
  if (!is_sanitized) // whose runtime wants to be loaded before all others
    out.environment = {
        {"LD_PRELOAD", TROUPE_FAILING_DISK}, {"TROUPE_TEST_DISK", "{}/disk"}, {"TROUPE_TEST_DISK_FOLDER", "{}/data"}};
  out.starts_later = true;
  return out;
}

/// A server and its disk.
class machine {
public:
  explicit machine(std::map<std::string, std::string> settings = {}) : here(on_failing_disk(std::move(settings))) {
    if (here.is_peer())
      return;
    auto fd = ::open((here.folder() + "/disk").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::ftruncate(fd, sizeof(failing_disk_switches)) != 0)
      throw failure("no file for the disk's switches");
    auto page = ::mmap(nullptr, sizeof(failing_disk_switches), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (page == MAP_FAILED)
      throw failure("no page for the disk's switches");
    disk = new (page) failing_disk_switches;
  }

  /// Whether there is a disk to break: not when a peer is tested, nor in a program that cannot be preloaded to.
  bool starts() {
    if (here.is_peer())
      return false;
    here.start();
    if (disk->is_loaded == 0)
      BOOST_TEST_MESSAGE("the disk cannot be made to fail here: not tested");
    return disk->is_loaded != 0;
  }

  void fills(std::int64_t bytes_left = 0) {
    disk->bytes_left = bytes_left;
    disk->is_full = 1;
  }
  void fails_syncs(std::uint32_t times = std::numeric_limits<std::uint32_t>::max()) { disk->syncs_failing = times; }
  void is_mended() {
    disk->is_full = 0;
    disk->syncs_failing = 0;
  }

  /// What `stats` says of the storage.
  std::string health() const {
    auto text = here.shell("stats", true);
    auto name = std::string{"\"storage\":\""};
    auto at = text.find(name);
    if (at == text.npos)
      return "nothing: " + text;
    at += name.size();
    return text.substr(at, text.find('"', at) - at);
  }

  void recovers() const {
    auto deadline = clock::now() + patience();
    while (health() != "good") {
      if (clock::now() > deadline)
        throw failure("the storage does not recover: " + health());
      std::this_thread::sleep_for(std::chrono::milliseconds(50)); // there is nothing to wait on
    }
  }

  server here;
  failing_disk_switches* disk = nullptr; ///< Until the end of the process: a page.
};

struct fault {
  const char* name;
  void (*begin)(machine&);
  const char *condition, *type, *reason;
};
std::ostream& operator<<(std::ostream& out, const fault& x) {
  return out << x.name;
}
const fault faults[] = {
    {"full", [](machine& x) { x.fills(); }, "resource-constraint", "wait", "No space left on device"},
    {"nearly full", [](machine& x) { x.fills(50); }, "resource-constraint", "wait", "No space left on device"},
    {"fsync fails", [](machine& x) { x.fails_syncs(); }, "internal-server-error", "cancel", "Input/output error"},
};

std::string vcard(const std::string& name) {
  return "<vCard xmlns='vcard-temp'><FN>" + name + "</FN></vCard>";
}
std::string private_xml(const std::string& text) {
  return "<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'>" + text + "</a></query>";
}
std::string roster_item(const std::string& jid, const std::string& more) {
  return format("<query xmlns='jabber:iq:roster'><item jid='{}' {}/></query>", jid, raw_xml{more});
}
std::string block(const std::string& what, const std::string& jid) {
  return format("<{} xmlns='urn:xmpp:blocking'><item jid='{}'/></{}>", what, jid, what);
}
std::string credentials(const std::string& name, const std::string& password) {
  return format("<query xmlns='jabber:iq:register'><username>{}</username><password>{}</password></query>", name,
                password);
}

/// All that an account keeps, as its owner sees it.
std::string all_of(client& x) {
  auto name = x.get("<vCard xmlns='vcard-temp'/>");
  auto card = name.find("vCard");
  auto out = "vCard " + (card ? card->text_of("FN") : "none");
  out += ", private " +
         x.get("<query xmlns='jabber:iq:private'><a xmlns='urn:example:a'/></query>").find("query")->children[0].text;
  auto items = std::set<std::string>{};
  auto roster = x.asks_roster();
  for (auto& item : roster.find("query")->children)
    items.insert(item["jid"] + " '" + item["name"] + "' " + item["subscription"] + " " + item["ask"]);
  for (auto& one : items)
    out += ", roster " + one;
  auto list = x.get("<blocklist xmlns='urn:xmpp:blocking'/>");
  auto blocked = std::set<std::string>{};
  for (auto& item : list.find("blocklist")->children)
    blocked.insert(item["jid"]);
  for (auto& one : blocked)
    out += ", blocked " + one;
  return out;
}

bool signs_in(const server& here, const account& who) {
  auto x = client{here};
  x.opens(who.domain);
  x.features();
  return x.authenticates(who).name == "success";
}

element registers_at(const server& here, const account& who) {
  auto x = client{here};
  x.opens(who.domain);
  x.features();
  return x.set(credentials(who.name, who.password));
}

std::vector<std::string> messages_waiting_for(const server& here, const account& who) {
  auto x = client{here, who};
  x.send("<message to='{}' type='chat' id='last'/>", x.full()); // comes behind those
  auto out = std::vector<std::string>{};
  for (auto one = x.receives("<message/>"); one["id"] != "last"; one = x.receives("<message/>"))
    out.push_back(one.text_of("body"));
  x.leaves();
  return out;
}

void succeeds(const element& answer) {
  BOOST_TEST(answer["type"] == "result", answer.to_string());
}

} // namespace

BOOST_AUTO_TEST_SUITE(disk_faults)

BOOST_DATA_TEST_CASE(what_cannot_be_kept_is_refused_and_all_the_rest_goes_on, data::make(faults), how) {
  auto x = machine{};
  if (!x.starts())
    return;
  auto& here = x.here;
  auto romeo = client{here, "romeo"};
  auto second = client{here, romeo.who(), {.resource = "street"}};
  auto juliet = client{here, "juliet"};
  befriend(romeo, juliet);
  auto mercutio = registers(here, "mercutio");
  auto tybalt = registers(here, "tybalt");
  auto benvolio = account{unique("benvolio")};
  succeeds(romeo.set(vcard("before")));
  succeeds(romeo.set(private_xml("before")));
  succeeds(romeo.set(roster_item("nurse@example.com", "name='before'")));
  succeeds(romeo.set(block("block", "paris@example.com")));
  romeo.send("<message to='{}' type='chat'><body>before</body></message>", mercutio.bare());
  romeo.ping(mercutio.bare());
  second.asks_roster(); // so that it gets pushes
  second.get("<blocklist xmlns='urn:xmpp:blocking'/>");
  settle(romeo, second);
  for (auto one : {&romeo, &second, &juliet})
    one->forget();
  auto before = all_of(romeo);
  auto pid = here.pid();

  how.begin(x);
  auto refused = [&](const element& answer) {
    BOOST_TEST(condition(answer) == how.condition, answer.to_string());
    BOOST_TEST(error_type(answer) == how.type);
  };
  for (auto round = 0; round < 2; ++round) { // the first finds out, the second is told
    refused(romeo.set(roster_item("nurse@example.com", "name='refused'")));
    refused(romeo.set(roster_item("new@example.com", "name='refused'")));
    refused(romeo.set(roster_item("nurse@example.com", "subscription='remove'")));
    refused(romeo.set(vcard("refused")));
    refused(romeo.set(private_xml("refused")));
    refused(romeo.set(block("block", "refused@example.com")));
    refused(romeo.set(block("unblock", "paris@example.com")));
    refused(romeo.set(credentials(romeo.who().name, "refused"), "localhost"));
    refused(romeo.set("<query xmlns='jabber:iq:register'><remove/></query>", "localhost"));
    refused(registers_at(here, benvolio));
    romeo.send("<message to='{}' type='chat' id='m'><body>refused</body></message>", mercutio.bare());
    refused(romeo.receives("<message type='error' id='m' from='{}'/>", mercutio.bare()));
    romeo.send("<presence to='{}' type='subscribe' id='s'/>", tybalt.bare());
    refused(romeo.receives("<presence type='error' id='s' from='{}'/>", tybalt.bare()));
    BOOST_CHECK_THROW(here.shell("user add refused@localhost secret"), failure);
  }

  // It says so.
  auto health = x.health();
  BOOST_TEST(health.find("failed: ") == 0u, health);
  BOOST_TEST(health.find(how.reason) != health.npos, health);
  BOOST_TEST(here.statistic("storage_failed") > 0);
  BOOST_TEST(here.statistic("commits_failed") >= 20);
  BOOST_TEST(here.log().find("storage.failed") != std::string::npos);
  BOOST_TEST(x.disk->faults.load() > 0u);

  // Nobody was told of anything, and all can be read.
  settle(romeo, second);
  BOOST_TEST(!second.has("<iq type='set'/>"));
  BOOST_TEST(!romeo.has("<iq type='set'/>"));
  BOOST_TEST(all_of(romeo) == before);

  // What needs no disk goes on: chats, presence, sign-in.
  romeo.send("<message to='{}' type='chat'><body>still here?</body></message>", juliet.full());
  juliet.receives("<message from='{}'><body>still here?</body></message>", romeo.full());
  juliet.send("<message to='{}' type='chat'><body>yes</body></message>", romeo.bare());
  romeo.receives("<message from='{}'><body>yes</body></message>", juliet.full());
  romeo.send("<presence><show>away</show></presence>");
  juliet.receives("<presence from='{}'><show>away</show></presence>", romeo.full());
  {
    auto third = client{here, romeo.who(), {.resource = "orchard"}};
    juliet.receives("<presence from='{}' type='-'/>", third.full());
    third.receives("<presence from='{}' type='-'/>", juliet.full());
    third.leaves(); // which would be noted, if it could
    juliet.receives("<presence from='{}' type='unavailable'/>", third.full());
    auto waiting = client{here, tybalt};
    waiting.ping();
    BOOST_TEST(!waiting.has("<presence type='subscribe'/>"));
  }
  BOOST_TEST(messages_waiting_for(here, mercutio) == std::vector<std::string>{"before"},
             boost::test_tools::per_element()); // it can be read, though not erased

  x.is_mended();
  x.recovers();
  BOOST_TEST(here.log().find("storage.recovered") != std::string::npos);
  BOOST_TEST(here.pid() == pid);
  BOOST_TEST(here.statistic("actors_failed") == 0);
  BOOST_TEST(all_of(romeo) == before);
  BOOST_TEST(!signs_in(here, benvolio));
  BOOST_TEST(!signs_in(here, {"refused", "localhost", "secret"}));
  BOOST_TEST(!signs_in(here, {romeo.who().name, "localhost", "refused"}));
  BOOST_TEST(signs_in(here, romeo.who()));

  romeo.forget();
  second.forget();
  succeeds(romeo.set(roster_item("nurse@example.com", "name='after'")));
  second.receives("<iq type='set'><query xmlns='jabber:iq:roster'><item name='after'/></query></iq>");
  succeeds(romeo.set(vcard("after")));
  succeeds(romeo.set(private_xml("after")));
  succeeds(romeo.set(block("block", "after@example.com")));
  succeeds(romeo.set(block("unblock", "paris@example.com")));
  succeeds(registers_at(here, benvolio));
  romeo.send("<message to='{}' type='chat'><body>after</body></message>", mercutio.bare());
  romeo.ping(mercutio.bare());
  auto stored = here.statistic("offline_stored");
  BOOST_TEST(stored == 2);
  auto after = all_of(romeo);
  auto changed = romeo.who();
  changed.password = "after";
  succeeds(romeo.set(credentials(changed.name, changed.password), "localhost"));

  here.kill();
  here.start();
  auto again = client{here, changed};
  BOOST_TEST(all_of(again) == after);
  BOOST_TEST(signs_in(here, benvolio));
  BOOST_TEST(!signs_in(here, {"refused", "localhost", "secret"}));
  auto waiting = messages_waiting_for(here, mercutio);
  // `before` was seen while it could not be erased: it may come once more.
  BOOST_TEST(!waiting.empty());
  BOOST_TEST(waiting.back() == "after");
  for (auto& one : waiting)
    BOOST_TEST(one != "refused");
}

namespace {

/// Adds one contact after the other, and remembers which ones were accepted.
struct collector {
  account who;
  std::set<std::string> accepted;
  std::string card;
  std::atomic<int> successes{0}, refusals{0};
  std::string trouble;

  void lives(const server& here, const std::atomic<bool>& ends) {
    try {
      auto x = client{here, who};
      for (auto i = 0; !ends; ++i) {
        auto jid = "c" + std::to_string(i) + "@example.com";
        auto item = x.set(roster_item(jid, ""));
        auto name = std::to_string(i);
        auto named = x.set(vcard(name));
        if (item["type"] == "result")
          accepted.insert(jid);
        if (named["type"] == "result")
          card = name;
        for (auto answer : {&item, &named})
          if ((*answer)["type"] == "result")
            ++successes;
          else if (auto why = condition(*answer); why == "resource-constraint" || why == "internal-server-error")
            ++refusals;
          else
            trouble = answer->to_string();
        x.forget();
        if (item["type"] != "result") // there is nothing to wait on; refusals without end would test no more
          x.wire().readable(clock::now() + std::chrono::milliseconds(20));
      }
      x.leaves();
    } catch (const std::exception& e) {
      trouble = e.what();
    }
  }

  void has_what_was_accepted(const server& here) const {
    auto x = client{here, who};
    auto found = std::set<std::string>{};
    auto roster = x.asks_roster();
    for (auto& item : roster.find("query")->children)
      found.insert(item["jid"]);
    BOOST_TEST(found == accepted, boost::test_tools::per_element());
    auto answer = x.get("<vCard xmlns='vcard-temp'/>");
    auto named = answer.find("vCard");
    BOOST_TEST((named ? named->text_of("FN") : "") == card);
    x.leaves();
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(faults_in_the_middle_of_load_lose_and_invent_nothing) {
  // A small log, so that flushes and trims are among what fails.
  auto x = machine{{{"host_defaults.roster_items_max", "100000"}, {"storage.log_bytes_max", "1048576"}}};
  if (!x.starts())
    return;
  auto& here = x.here;
  auto all = std::deque<collector>(6);
  for (auto& one : all)
    one.who = registers(here, "collector");
  auto ends = std::atomic<bool>{false};
  auto threads = std::vector<std::thread>{};
  for (auto& one : all)
    threads.emplace_back([&] { one.lives(here, ends); });
  auto sum = [&](std::atomic<int> collector::*what) {
    auto out = 0;
    for (auto& one : all)
      out += one.*what;
    return out;
  };
  auto grows = [&](std::atomic<int> collector::*what, int by) {
    auto wanted = sum(what) + by;
    auto deadline = clock::now() + patience();
    while (sum(what) < wanted && clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(5)); // until the load has come so far
    BOOST_TEST(sum(what) >= wanted);
  };
  auto breaks = std::vector<std::function<void()>>{
      [&] { x.fails_syncs(1); }, // once
      [&] { x.fills(20'000); },  // in the middle of some write
      [&] { x.fails_syncs(4); }, // also through attempts to recover
      [&] { x.fails_syncs(1); },
      [&] {
        x.fills();
        grows(&collector::refusals, 6);
        x.disk->bytes_left = (8 << 20) + 300; // a try has a point, but does not get through
        auto deadline = clock::now() + patience();
        while (x.disk->bytes_left > 0 && clock::now() < deadline)
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        BOOST_TEST(x.disk->bytes_left == 0);
      },
      [&] { x.fills(0), x.fails_syncs(); },
  };
  for (auto& broken : breaks) {
    grows(&collector::successes, 60);
    broken();
    grows(&collector::refusals, 6);
    if (x.disk->is_full != 0 || x.disk->syncs_failing > 1'000)
      x.is_mended();
  }
  grows(&collector::successes, 60);
  ends = true;
  for (auto& one : threads)
    one.join();
  BOOST_TEST(x.disk->faults.load() > 0u);
  BOOST_TEST(here.statistic("actors_failed") == 0);
  for (auto& one : all) {
    BOOST_TEST(one.trouble == "");
    one.has_what_was_accepted(here);
  }
  here.kill();
  here.start();
  for (auto& one : all)
    one.has_what_was_accepted(here);
}

BOOST_AUTO_TEST_CASE(a_start_on_a_full_disk_fails_with_the_reason_and_spoils_nothing) {
  auto x = machine{};
  if (is_sanitized || x.here.is_peer())
    return;
  auto& here = x.here;
  // The first start of all, with ever more room, until there is enough.
  auto started = false;
  auto attempts = 0;
  for (auto room = std::int64_t{0}; !started; room = room * 2 + 100, ++attempts) {
    BOOST_REQUIRE(attempts < 30);
    x.fills(room);
    auto said = here.log().size();
    try {
      here.start();
      started = true;
      if (x.disk->is_loaded == 0)
        return;
    } catch (const failure&) { // it has ended
      BOOST_TEST(!here.runs());
      BOOST_TEST(here.log().find("No space left on device", said) != std::string::npos, here.log().substr(said));
    }
  }
  BOOST_TEST(attempts > 3);
  x.is_mended();
  x.recovers();
  auto romeo = client{here, "romeo"};
  succeeds(romeo.set(vcard("before")));
  for (auto how : {0, 1}) {
    here.kill();
    how == 0 ? x.fills() : x.fails_syncs();
    auto said = here.log().size();
    here.start_without_waiting();
    BOOST_TEST(here.ends() == 1);
    BOOST_TEST(here.log().find(how == 0 ? "No space left on device" : "Input/output error", said) != std::string::npos,
               here.log().substr(said));
    x.is_mended();
    here.start();
    auto again = client{here, romeo.who()};
    BOOST_TEST(again.get("<vCard xmlns='vcard-temp'/>").find("vCard")->text_of("FN") == "before");
  }
}

BOOST_AUTO_TEST_CASE(a_disk_that_does_not_answer_does_not_keep_a_server_from_its_end) {
  auto x = machine{{{"server.shutdown_timeout_s", "0"}}};
  if (!x.starts())
    return;
  auto& here = x.here;
  auto romeo = client{here, "romeo"};
  succeeds(romeo.set(vcard("before")));
  x.disk->syncs_hanging = 1;
  romeo.send("<iq type='set' id='waits'>{}</iq>", raw_xml{vcard("never acknowledged")});
  auto deadline = clock::now() + patience();
  while (x.disk->faults == 0 && clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(2)); // there is nothing to wait on
  BOOST_TEST(here.stop() == 1);
  BOOST_TEST(here.log().find("server.stop_too_slow") != std::string::npos, here.log());
  x.disk->syncs_hanging = 0;
  here.start();
  auto again = client{here, romeo.who()};
  BOOST_TEST(!again.get("<vCard xmlns='vcard-temp'/>").find("vCard")->text_of("FN").empty());
}

BOOST_AUTO_TEST_SUITE_END()
