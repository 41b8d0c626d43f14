#include "actors/log.hpp"

#include "tests/actors/environment.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <mutex>
#include <pty.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace xmpp;
using xmpp::test::environment;

namespace {

const auto noon_us = std::int64_t{1'795'348'800'123'456}; // 2026-11-22T12:00:00.123456Z

std::string text(log::fields with) {
  auto line = log::format_line(log_format::text, false, noon_us, log_level::info, "test.event", with);
  return line.substr(line.find("test.event") + 10);
}

std::string json(log::fields with) {
  auto line = log::format_line(log_format::json, false, noon_us, log_level::info, "test.event", with);
  return line.substr(line.find("test.event\"") + 11);
}

/// Collects lines while it lives.
struct collector {
  explicit collector(log::options with = {}) {
    with.sink = [this](std::string_view line) {
      auto lock = std::unique_lock{mutex};
      gate.wait(lock, [&] { return is_open; });
      lines.emplace_back(line);
    };
    log::start(std::move(with));
  }
  ~collector() {
    open();
    log::stop();
    log::set_level("*", log_level::warning);
  }
  void open() {
    auto lock = std::unique_lock{mutex};
    is_open = true;
    gate.notify_all();
  }

  std::mutex mutex;
  std::condition_variable gate;
  bool is_open = true;
  std::vector<std::string> lines;
};

std::string file_text(const std::filesystem::path& path) {
  auto in = std::ifstream{path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

struct folder {
  folder() {
    auto name = std::string{"/tmp/troupe-log-XXXXXX"};
    path = mkdtemp(name.data());
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

/// One event, with that as standard error.
void log_to(int fd, log::options with) {
  auto before = ::dup(STDERR_FILENO);
  ::dup2(fd, STDERR_FILENO);
  log::start(std::move(with));
  log::info("test.event", {{"a", 1}});
  log::stop();
  log::set_level("*", log_level::warning);
  ::dup2(before, STDERR_FILENO);
  ::close(before);
}

/// What a terminal shows of it.
std::string logged_on_terminal(log::options with) {
  auto master = -1, slave = -1;
  BOOST_REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  log_to(slave, std::move(with));
  ::close(slave);
  auto out = std::string{};
  for (char byte; ::read(master, &byte, 1) == 1;)
    out += byte;
  ::close(master);
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(logging)

BOOST_AUTO_TEST_CASE(a_line_has_time_level_event_and_fields) {
  BOOST_TEST(log::format_line(log_format::text, false, noon_us, log_level::info, "session.bound",
                              {{"jid", "romeo@localhost/garden"}, {"count", 3}}) ==
             "2026-11-22T12:00:00.123456Z info    session.bound            jid=romeo@localhost/garden count=3");
  BOOST_TEST(log::format_line(log_format::json, false, noon_us, log_level::error, "session.bound",
                              {{"jid", "romeo@localhost"}, {"count", 3}, {"again", true}}) ==
             "{\"time\":\"2026-11-22T12:00:00.123456Z\",\"level\":\"error\",\"event\":\"session.bound\","
             "\"jid\":\"romeo@localhost\",\"count\":3,\"again\":true}");
  BOOST_TEST(log::format_line(log_format::journal, false, noon_us, log_level::warning, "session.bound", {{"n", -1}}) ==
             "<4>session.bound n=-1");
}

BOOST_AUTO_TEST_CASE(a_terminal_gets_colours_and_a_short_time) {
  auto line = log::format_line(log_format::text, true, noon_us, log_level::error, "test.event", {{"a", 1}});
  BOOST_TEST(line.starts_with("12:00:00.123 \x1b[31merror"));
  BOOST_TEST(line.ends_with("\x1b[2ma=\x1b[0m1"));
}

BOOST_AUTO_TEST_CASE(numbers_keep_their_sign_and_size) {
  BOOST_TEST(json({{"a", ~std::uint64_t{0}}, {"b", std::int64_t{-5}}, {"c", std::uint8_t{7}}, {"d", false}}) ==
             ",\"a\":18446744073709551615,\"b\":-5,\"c\":7,\"d\":false}");
}

BOOST_AUTO_TEST_CASE(texts_that_need_it_stand_in_quotes) {
  BOOST_TEST(text({{"a", "x y"}}) == "               a=\"x y\"");
  BOOST_TEST(text({{"a", ""}}).ends_with("a=\"\""));
  BOOST_TEST(text({{"a", "x=y"}}).ends_with("a=\"x=y\""));
  BOOST_TEST(text({{"a", "say \"hi\" \\"}}).ends_with("a=\"say \\\"hi\\\" \\\\\""));
  BOOST_TEST(text({{"a", "\xC3\xA9"}}).ends_with("a=\"\xC3\xA9\""));
}

BOOST_AUTO_TEST_CASE(nothing_that_a_client_sends_can_forge_a_line_or_move_the_cursor) {
  BOOST_TEST(text({{"a", "x\ninfo faked.event"}}).ends_with("a=\"x\\ninfo faked.event\""));
  BOOST_TEST(text({{"a", "\x1b[2J"}}).ends_with("a=\"\\x1b[2J\""));
  BOOST_TEST(text({{"a", "\xC2\x9B"}}).ends_with("a=\"\\xc2\\x9b\""));          // C1: CSI
  BOOST_TEST(text({{"a", "\xE2\x80\xAE"}}).ends_with("a=\"\\xe2\\x80\\xae\"")); // right-to-left override
  BOOST_TEST(text({{"a", std::string_view{"a\0b", 3}}}).ends_with("a=\"a\\x00b\""));
  BOOST_TEST(json({{"a", "x\"}\n{\"event\":\"faked\""}}) == ",\"a\":\"x\\\"}\\n{\\\"event\\\":\\\"faked\\\"\"}");
  BOOST_TEST(json({{"a", "\x01\x7f"}}) == ",\"a\":\"\\u0001\\u007f\"}");
}

BOOST_AUTO_TEST_CASE(json_is_utf_8_whatever_came_in) {
  BOOST_TEST(json({{"a", "\xff\xc0\x80"}}) == ",\"a\":\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"}");
  BOOST_TEST(json({{"a", "\xed\xa0\x80"}}) == ",\"a\":\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"}"); // a surrogate
  BOOST_TEST(json({{"a", "\xf0\x9f\x98\x80"}}) == ",\"a\":\"\xf0\x9f\x98\x80\"}");
  BOOST_TEST(text({{"a", "\xff"}}).ends_with("a=\"\\xff\""));
}

BOOST_AUTO_TEST_CASE(long_texts_are_cut_between_characters) {
  BOOST_TEST(json({{"a", std::string(5'000, 'x')}}) == ",\"a\":\"" + std::string(1'024, 'x') + "\xE2\x80\xA6\"}");
  auto accents = std::string(1'023, 'x') + "\xC3\xA9\xC3\xA9";
  BOOST_TEST(json({{"a", accents}}) == ",\"a\":\"" + std::string(1'023, 'x') + "\xE2\x80\xA6\"}");
}

BOOST_AUTO_TEST_CASE(levels_are_those_of_the_component) {
  auto to = collector{{.format = log_format::journal, .level = log_level::warning, .levels = {"test=debug"}}};
  log::debug("test.first", {});
  log::info("session.unseen", {});
  log::warning("session.second", {});
  BOOST_TEST(log::set_level("test", log_level::off));
  log::error("test.unseen", {});
  BOOST_TEST(!log::set_level("nobody", log_level::debug));
  BOOST_TEST(log::set_level("*", log_level::info));
  log::info("test.third", {});
  log::flush();
  BOOST_TEST(to.lines == (std::vector<std::string>{"<7>test.first", "<4>session.second", "<6>test.third"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_full_queue_drops_and_says_how_many) {
  auto to = collector{{.format = log_format::journal, .queue_events_max = 3}};
  {
    auto lock = std::unique_lock{to.mutex};
    to.is_open = false;
  }
  log::info("test.event", {{"n", 0}}); // in the writer's hands, or in the queue
  for (auto i = 1; i < 10; ++i)
    log::info("test.event", {{"n", i}});
  auto dropped = log::dropped();
  BOOST_TEST(dropped >= 4u); // three wait, and the writer may hold three
  BOOST_TEST(dropped <= 7u);
  to.open();
  log::flush();
  auto told = std::count(to.lines.begin(), to.lines.end(), "<4>log.dropped events=" + std::to_string(dropped));
  BOOST_TEST(told == 1);
  BOOST_TEST(to.lines.size() == 10 - dropped + 1);
}

BOOST_AUTO_TEST_CASE(lines_of_many_threads_stay_whole) {
  auto to = collector{{.format = log_format::journal}};
  {
    auto threads = std::vector<std::jthread>{};
    for (auto t = 0; t < 4; ++t)
      threads.emplace_back([t] {
        for (auto i = 0; i < 1'000; ++i)
          log::info("test.event", {{"thread", t}, {"i", i}});
      });
  }
  log::flush();
  BOOST_TEST(to.lines.size() == 4'000u);
  auto next = std::vector<int>(4);
  for (auto& line : to.lines) {
    auto thread = 0, i = 0;
    BOOST_REQUIRE(std::sscanf(line.c_str(), "<6>test.event thread=%d i=%d", &thread, &i) == 2);
    BOOST_REQUIRE(next.at(static_cast<std::size_t>(thread))++ == i); // in each thread's order
  }
}

BOOST_AUTO_TEST_CASE(a_terminal_gets_text_with_colours_unless_they_are_not_wanted) {
  auto journal = environment{"JOURNAL_STREAM", nullptr};
  for (auto coloured : {true, false}) {
    auto colours = environment{"NO_COLOR", coloured ? nullptr : "1"};
    auto line = logged_on_terminal({});
    BOOST_TEST(line.find("test.event") != line.npos, line);
    BOOST_TEST((line.find("\x1b[32minfo") != line.npos) == coloured, line);
    BOOST_TEST((line.find("Z info    test.event") != line.npos) != coloured, line);
  }
}

BOOST_AUTO_TEST_CASE(the_journal_gets_priorities_and_what_is_no_terminal_json) {
  auto here = folder{};
  auto path = here.path / "stream";
  auto stream = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct stat it {};
  BOOST_REQUIRE(::fstat(stream, &it) == 0);
  auto logged = [&](const char* journal_stream, log::options with = {}) {
    auto journal = environment{"JOURNAL_STREAM", journal_stream};
    BOOST_REQUIRE(::ftruncate(stream, 0) == 0);
    BOOST_REQUIRE(::lseek(stream, 0, SEEK_SET) == 0);
    log_to(stream, with);
    return file_text(path);
  };
  auto its = std::to_string(it.st_dev) + ":" + std::to_string(it.st_ino);
  auto others = std::to_string(it.st_dev) + ":" + std::to_string(it.st_ino + 1); // of a parent, inherited
  BOOST_TEST(logged(its.c_str()) == "<6>test.event a=1\n");
  BOOST_TEST(logged(others.c_str()).starts_with("{\"time\":"));
  BOOST_TEST(logged(nullptr).starts_with("{\"time\":"));
  BOOST_TEST(logged(its.c_str(), {.format = log_format::json}).starts_with("{\"time\":"));
  auto text = logged(its.c_str(), {.format = log_format::text});
  BOOST_TEST(text.ends_with("Z info    test.event               a=1\n"), text);
  ::close(stream);
}

BOOST_AUTO_TEST_CASE(a_file_gets_json_also_when_there_is_a_terminal) {
  auto here = folder{};
  BOOST_TEST(logged_on_terminal({.file = here.path / "troupe.log"}) == "");
  BOOST_TEST(file_text(here.path / "troupe.log").starts_with("{\"time\":"));
}

BOOST_AUTO_TEST_CASE(a_file_is_appended_to_and_opened_anew_when_it_was_moved) {
  auto here = folder{};
  auto path = here.path / "troupe.log";
  BOOST_TEST(log::start({.file = path}));
  log::info("test.first", {});
  log::flush();
  struct stat it {};
  BOOST_REQUIRE(stat(path.c_str(), &it) == 0);
  BOOST_TEST((it.st_mode & 0137) == 0u); // mode 0640 under any mask
  std::filesystem::rename(path, here.path / "troupe.log.1");
  BOOST_TEST(log::reopen());
  log::info("test.second", {});
  log::stop();
  log::set_level("*", log_level::warning);
  BOOST_TEST(file_text(here.path / "troupe.log.1").find("\"test.first\"") != std::string::npos);
  BOOST_TEST(file_text(path).find("\"test.second\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_pipe_is_not_waited_for) {
  auto here = folder{};
  auto path = here.path / "pipe";
  BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  BOOST_TEST(!log::start({.level = log_level::off, .file = path})); // nobody reads
  auto end = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  BOOST_REQUIRE(end >= 0);
  BOOST_TEST(log::start({.file = path}));
  for (auto i = 0; i < 1'000; ++i) // more than it holds
    log::error("test.full", {{"text", std::string(1'000, 'x')}});
  log::stop();
  ::close(end);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened_is_told) {
  auto opened = log::start({.level = log_level::off, .file = "/no/such/folder/troupe.log"});
  log::stop();
  log::set_level("*", log_level::warning);
  BOOST_TEST(!opened);
}

BOOST_AUTO_TEST_SUITE_END()
