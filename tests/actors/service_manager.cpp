#include "actors/service_manager.hpp"

#include "tests/actors/environment.hpp"
#include "tests/fixtures/service_manager.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>

using namespace xmpp;
using namespace xmpp::test;

namespace {

struct folder {
  folder() {
    auto name = std::string{"/tmp/troupe-notify-XXXXXX"};
    path = mkdtemp(name.data());
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

long long monotonic_us() {
  auto now = timespec{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000LL + now.tv_nsec / 1'000;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(telling_the_service_manager, folder)

BOOST_AUTO_TEST_CASE(it_hears_each_state_at_a_path_or_an_abstract_name) { // sd_notify(3)
  for (auto& name : {(path / "notify").string(), "@" + path.string()}) {
    auto it = service_manager{name};
    auto told = environment{"NOTIFY_SOCKET", name.c_str()};
    tell_service_manager("READY=1");
    BOOST_TEST(it.has_heard() == "READY=1");
    tell_service_manager("STOPPING=1");
    BOOST_TEST(it.has_heard() == "STOPPING=1");
    BOOST_TEST(it.has_heard() == "");
  }
}

BOOST_AUTO_TEST_CASE(a_reload_is_told_with_its_time) { // or Type=notify-reload would wait for it
  auto name = (path / "notify").string();
  auto it = service_manager{name};
  auto told = environment{"NOTIFY_SOCKET", name.c_str()};
  auto before = monotonic_us();
  tell_service_manager("RELOADING=1");
  auto after = monotonic_us();
  auto heard = it.has_heard();
  auto start = std::string{"RELOADING=1\nMONOTONIC_USEC="};
  BOOST_REQUIRE(heard.starts_with(start));
  auto at = std::stoll(heard.substr(start.size()));
  BOOST_TEST(before <= at);
  BOOST_TEST(at <= after);
}

BOOST_AUTO_TEST_CASE(nobody_who_listens_is_no_trouble) {
  auto it = service_manager{(path / "notify").string()};
  for (auto name : {std::string{}, std::string{"notify"}, (path / "nobody").string(), std::string(200, '/')}) {
    auto told = environment{"NOTIFY_SOCKET", name.c_str()};
    tell_service_manager("READY=1");
  }
  auto none = environment{"NOTIFY_SOCKET", nullptr};
  tell_service_manager("READY=1");
  BOOST_TEST(it.has_heard() == "");
}

BOOST_AUTO_TEST_SUITE_END()
