#include "actors/shell/client.hpp"
#include "actors/shell/listener.hpp"
#include "actors/shell/service.hpp"
#include "actors/shell/wire.hpp"
#include "tests/actors/shell_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace xmpp;
using namespace xmpp::test;
using shell::frame;
using shell::frame_type;
using outcome = shell::link::outcome;

namespace {

/// A service over a socket in a folder of its own.
struct service_fixture : shell_fixture {
  service_fixture() {
    auto name = std::string{"/tmp/troupe_shell_XXXXXX"};
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    options.path = folder / "shell.sock";
    options.greeting = "hello from the test";
  }
  ~service_fixture() {
    service.reset();
    std::filesystem::remove_all(folder);
  }
  void start_service() {
    service = std::make_unique<shell::service>(options, backend, system);
    auto listening = service->listen();
    BOOST_REQUIRE_MESSAGE(listening.has_value(), listening.error().text);
  }
  std::unique_ptr<shell::link> connect() const {
    auto descriptor = shell::connect_to(options.path);
    BOOST_REQUIRE(descriptor.has_value());
    return std::make_unique<shell::link>(*descriptor, shell::link::side::client);
  }
  /// Connected, and greeted.
  std::unique_ptr<shell::link> open(const shell::client_hello& hello = {}) const {
    auto link = connect();
    BOOST_TEST(link->send(frame_type::hello, shell::encode(hello)));
    BOOST_TEST(next(*link).payload == std::string(1, char(shell::wire_version)) + options.greeting);
    return link;
  }
  static frame next(shell::link& link) {
    auto got = frame{};
    auto how = link.receive(got, 15'000);
    BOOST_REQUIRE((how == outcome::frame));
    return got;
  }
  static bool is_closed(shell::link& link) {
    auto got = frame{};
    return link.receive(got, 15'000) == outcome::closed;
  }
  /// All output of a command; its exit status is in `status`.
  std::string run_over(shell::link& link, std::string_view line) {
    BOOST_TEST(link.send(frame_type::command, line));
    auto text = std::string{};
    for (auto got = next(link);; got = next(link)) {
      if (got.type == frame_type::done) {
        status = got.payload[0];
        return text;
      }
      text += got.payload;
    }
  }

  std::filesystem::path folder;
  shell::service_options options;
  std::unique_ptr<shell::service> service;
  int status = -1;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(shell_service, service_fixture)

BOOST_AUTO_TEST_CASE(a_command_is_answered_over_the_socket) {
  start_service();
  auto link = open();
  BOOST_TEST(run_over(*link, "log").find("storage") != std::string::npos);
  BOOST_TEST(status == 0);
  run_over(*link, "nonsense");
  BOOST_TEST(status == 1);
}

BOOST_AUTO_TEST_CASE(only_the_owner_may_open_the_socket) {
  start_service();
  struct stat there = {};
  BOOST_REQUIRE(::lstat(options.path.c_str(), &there) == 0);
  BOOST_TEST(S_ISSOCK(there.st_mode));
  BOOST_TEST((there.st_mode & 0777) == 0600u);
}

BOOST_AUTO_TEST_CASE(only_the_servers_user_and_root_may_command) {
  static_assert(shell::may_command(1000, 1000) && shell::may_command(0, 1000));
  static_assert(!shell::may_command(1001, 1000) && !shell::may_command(1000, 0));
  auto seen = std::uint32_t{4711};
  options.is_allowed = [&](std::uint32_t uid) {
    seen = uid;
    return false;
  };
  start_service();
  auto link = connect();
  auto got = next(*link);
  BOOST_TEST((got.type == frame_type::failure));
  BOOST_TEST(got.payload.find("you may not") != std::string::npos);
  BOOST_TEST(is_closed(*link));
  BOOST_TEST(seen == ::geteuid());
}

BOOST_AUTO_TEST_CASE(a_stale_socket_is_replaced) {
  {
    // What a killed server leaves: a socket that nobody listens on.
    auto opened = shell::local_listener::open(options.path);
    BOOST_REQUIRE(opened.has_value());
    std::filesystem::rename(options.path, folder / "kept");
  }
  std::filesystem::rename(folder / "kept", options.path);
  BOOST_TEST((shell::connect_to(options.path).code() == errc::item_not_found));
  start_service();
  BOOST_TEST(!run_over(*open(), "version").empty());
}

BOOST_AUTO_TEST_CASE(a_live_server_is_not_replaced) {
  start_service();
  auto second = shell::local_listener::open(options.path);
  BOOST_TEST((second.code() == errc::conflict));
  BOOST_TEST(!run_over(*open(), "version").empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_socket_is_left_alone) {
  std::ofstream{options.path} << "precious";
  BOOST_TEST((shell::local_listener::open(options.path).code() == errc::conflict));
  auto text = std::string{};
  std::ifstream{options.path} >> text;
  BOOST_TEST(text == "precious");
}

BOOST_AUTO_TEST_CASE(the_socket_goes_with_the_server_unless_another_has_replaced_it) {
  start_service();
  service.reset();
  BOOST_TEST(!std::filesystem::exists(options.path));
  start_service();
  std::filesystem::remove(options.path);
  std::ofstream{options.path} << "another's";
  service.reset();
  BOOST_TEST(std::filesystem::exists(options.path));
}

BOOST_AUTO_TEST_CASE(a_long_path_works) {
  auto deep = folder / std::string(100, 'd') / std::string(100, 'e');
  std::filesystem::create_directories(deep);
  options.path = deep / "shell.sock";
  start_service();
  BOOST_TEST(!run_over(*open(), "version").empty());
}

BOOST_AUTO_TEST_CASE(completion_is_answered_over_the_socket) {
  start_service();
  auto link = open();
  BOOST_TEST(link->send(frame_type::complete, "user pas"));
  auto got = next(*link);
  BOOST_TEST((got.type == frame_type::candidates));
  auto read = shell::decode_completions(got.payload);
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->from == 5u);
  BOOST_TEST(read->words == std::vector<std::string>{"passwd"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_running_command_stops_when_told) {
  start_service();
  auto link = open();
  BOOST_TEST(link->send(frame_type::command, "trace romeo@localhost"));
  BOOST_TEST((next(*link).type == frame_type::output)); // it has begun
  BOOST_TEST(link->send(frame_type::stop, ""));
  BOOST_TEST((next(*link).type == frame_type::done));
  BOOST_TEST(!run_over(*link, "version").empty());
}

BOOST_AUTO_TEST_CASE(a_running_command_ends_with_its_client) {
  start_service();
  auto link = open();
  BOOST_TEST(link->send(frame_type::command, "trace romeo@localhost"));
  next(*link);
  link.reset();
  while (service->connection_count() != 0) // bounded by the test's own time limit
    std::this_thread::yield();
  BOOST_TEST(service->connection_count() == 0u);
}

BOOST_AUTO_TEST_CASE(a_secret_is_asked_for_over_the_socket) {
  start_service();
  auto hello = shell::client_hello{};
  hello.interactive = true;
  auto link = open(hello);
  BOOST_TEST(link->send(frame_type::command, "user add juliet@localhost"));
  for (auto i = 0; i < 2; ++i) {
    auto got = next(*link);
    BOOST_TEST((got.type == frame_type::ask));
    BOOST_TEST(got.payload[0] == 's');
    BOOST_TEST(link->send(frame_type::answer, "s3cret"));
  }
  BOOST_TEST(next(*link).payload == "created: juliet@localhost\n");
  BOOST_TEST(backend.accounts["juliet@localhost"] == "s3cret");
}

BOOST_AUTO_TEST_CASE(a_question_without_an_answer_changes_nothing) {
  start_service();
  auto hello = shell::client_hello{};
  hello.interactive = true;
  auto link = open(hello);
  BOOST_TEST(link->send(frame_type::command, "shutdown"));
  BOOST_TEST(next(*link).payload[0] == 'v');
  BOOST_TEST(link->send(frame_type::stop, ""));
  BOOST_TEST((next(*link).type == frame_type::failure));
  BOOST_TEST(backend.calls.empty());
}

BOOST_AUTO_TEST_CASE(a_client_of_another_version_is_told) {
  start_service();
  auto link = connect();
  auto hello = shell::encode(shell::client_hello{});
  hello[0] = 99;
  BOOST_TEST(link->send(frame_type::hello, hello));
  auto got = next(*link);
  BOOST_TEST((got.type == frame_type::failure));
  BOOST_TEST(is_closed(*link));
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_speak_the_protocol_is_dropped) {
  start_service();
  auto first = connect();
  BOOST_TEST(first->send(frame_type::command, "shutdown")); // before hello
  BOOST_TEST(is_closed(*first));
  auto second = connect();
  auto junk = std::string(100, '\xff');
  BOOST_REQUIRE(::send(second->descriptor(), junk.data(), junk.size(), MSG_NOSIGNAL) == 100);
  BOOST_TEST(is_closed(*second));
  BOOST_TEST(backend.calls.empty());
  BOOST_TEST(!run_over(*open(), "version").empty());
}

BOOST_AUTO_TEST_CASE(shells_are_limited_in_number) {
  options.connections_max = 2;
  start_service();
  auto first = open(), second = open();
  auto third = connect();
  auto got = next(*third);
  BOOST_TEST((got.type == frame_type::failure));
  BOOST_TEST(is_closed(*third));
  second.reset();
  while (service->connection_count() != 1)
    std::this_thread::yield();
  BOOST_TEST(!run_over(*open(), "version").empty());
}

BOOST_AUTO_TEST_CASE(the_end_of_the_service_ends_a_running_command) {
  start_service();
  auto link = open();
  BOOST_TEST(link->send(frame_type::command, "trace romeo@localhost"));
  next(*link);
  service.reset();
  auto got = frame{};
  while (link->receive(got, 15'000) == outcome::frame)
    ;
  BOOST_TEST(is_closed(*link));
}

BOOST_AUTO_TEST_CASE(the_command_that_ends_the_service_is_answered) {
  start_service();
  auto link = open();
  auto ending = std::jthread{};
  backend.on_shutdown = [&] {
    ending = std::jthread{[&] { service.reset(); }};
    while (::send(link->descriptor(), "", 0, MSG_NOSIGNAL) == 0) // until nothing more is taken from the client
      std::this_thread::yield();
  };
  BOOST_TEST(link->send(frame_type::command, "shutdown"));
  auto said = next(*link);
  BOOST_TEST(said.payload == "the server shuts down\n");
  BOOST_TEST((next(*link).type == frame_type::done));
  BOOST_TEST(is_closed(*link));
  ending.join();
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_does_not_keep_the_service_from_its_end) {
  start_service();
  auto link = open();
  // More answers than the socket takes.
  for (auto i = 0; i < 1'000; ++i)
    if (!link->send(frame_type::command, "help"))
      break;
  service.reset();
  BOOST_TEST(!service);
}

BOOST_AUTO_TEST_CASE(commands_are_told_to_the_log_without_secrets) {
  auto told = std::vector<std::string>{};
  options.on_command = [&](std::uint32_t uid, std::string_view line, int exit) {
    told.push_back(std::to_string(uid) + " " + std::string{line} + " " + std::to_string(exit));
  };
  start_service();
  auto link = open();
  run_over(*link, "user add juliet@localhost s3cret");
  run_over(*link, "send juliet@localhost private words");
  run_over(*link, "usr add juliet@localhost s3cret");
  service.reset();
  auto uid = std::to_string(::geteuid());
  BOOST_TEST(told == (std::vector<std::string>{uid + " user add juliet@localhost 0", uid + " send juliet@localhost 0",
                                               uid + " ? 1"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_supervised_listener_survives_its_own_failure_and_so_do_its_shells) {
  auto actor = caf::actor_cast<caf::strong_actor_ptr>(
      system.spawn<shell_listener, caf::detached>(root, options, std::ref(static_cast<shell_backend&>(backend))));
  auto self = caf::scoped_actor{system};
  self->request(caf::actor_cast<caf::actor>(actor), caf::infinite, msg::describe{})
      .receive([](msg::description& x) { BOOST_TEST(x.fields[1].second == "yes"); },
               [](caf::error&) { BOOST_FAIL("no description"); });
  auto link = open();
  BOOST_TEST(run_over(*link, "kill shell").find("restarted") != std::string::npos);
  BOOST_TEST(!run_over(*link, "version").empty());
  self->request(caf::actor_cast<caf::actor>(actor), caf::infinite, msg::describe{})
      .receive([](msg::description&) {}, [](caf::error&) { BOOST_FAIL("no description"); });
  BOOST_TEST(!run_over(*open(), "version").empty());
  link.reset();
  caf::anon_send_exit(caf::actor_cast<caf::actor>(actor), caf::exit_reason::user_shutdown);
  self->wait_for(caf::actor_cast<caf::actor>(actor));
  BOOST_TEST(!std::filesystem::exists(options.path));
}

// -- the client --

namespace {

/// Standard output and error go into a file meanwhile.
class captured {
public:
  explicit captured(const std::filesystem::path& file) : file_(file) {
    std::fflush(stdout);
    std::fflush(stderr);
    for (auto i : {1, 2})
      saved_[i] = ::dup(i);
    auto descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (auto i : {1, 2})
      ::dup2(descriptor, i);
    ::close(descriptor);
  }
  ~captured() { restore(); }
  std::string text() {
    restore();
    auto in = std::ifstream{file_};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

private:
  void restore() {
    std::fflush(stdout);
    std::fflush(stderr);
    for (auto i : {1, 2})
      if (saved_[i] >= 0) {
        ::dup2(saved_[i], i);
        ::close(std::exchange(saved_[i], -1));
      }
  }
  std::filesystem::path file_;
  int saved_[3] = {-1, -1, -1};
};

} // namespace

BOOST_AUTO_TEST_CASE(one_command_from_the_command_line_has_an_exit_code) {
  start_service();
  auto output = captured{folder / "output"};
  auto good = run_shell(options.path, "log", true);
  auto bad = run_shell(options.path, "nonsense", false);
  auto text = output.text();
  BOOST_TEST(good == 0);
  BOOST_TEST(bad == 1);
  BOOST_TEST(text.starts_with("[{\"component\":\"session\""));
  BOOST_TEST(text.find("unknown command: nonsense") != std::string::npos);
  BOOST_TEST(text.find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_a_server_the_client_says_how_to_start_one) {
  auto output = captured{folder / "output"};
  auto code = run_shell(options.path, "log", false);
  auto text = output.text();
  BOOST_TEST(code == 2);
  BOOST_TEST(text.find("troupe serve") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
