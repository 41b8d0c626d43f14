// What `serve` prints when it is ready (actors/cli.cpp).
#include "actors/cli.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

using namespace xmpp;

namespace {

struct greeting {
  greeting() {
    auto name = std::string{"/tmp/troupe-greeting-XXXXXX"};
    folder = mkdtemp(name.data());
    before = std::filesystem::current_path();
    auto parsed = parse_config("[hosts.b]\nname = \"first.lit\"\n[hosts.a]\nname = \"second.lit\"\n", folder);
    BOOST_REQUIRE(bool(parsed));
    options = *parsed;
    options.file = folder / "troupe.conf";
    std::ofstream{options.file} << '\n';
  }
  ~greeting() {
    std::filesystem::current_path(before);
    std::filesystem::remove_all(folder);
  }

  std::string said(const std::filesystem::path& from, const std::string& account) {
    std::filesystem::current_path(from);
    auto out = std::ostringstream{};
    print_welcome(out, options, {"c2s 127.0.0.1:5222"}, account);
    return out.str();
  }

  std::filesystem::path folder, before;
  config options;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(greetings, greeting)

BOOST_AUTO_TEST_CASE(paths_are_those_that_work_from_here) {
  auto whole = " --config " + options.file.string();
  auto text = said("/", "romeo@first.lit");
  BOOST_TEST(text.find(whole + "\n") != std::string::npos, text);
  text = said(folder, "romeo@first.lit");
  BOOST_TEST(text.find(" --config troupe.conf\n") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(the_account_is_the_one_that_was_found) {
  auto text = said(folder, "romeo@first.lit");
  BOOST_TEST(text.find("/connect romeo@first.lit server localhost port 5222") != std::string::npos, text);
  BOOST_TEST(text.find("admin@") == std::string::npos, text);
  BOOST_TEST(said(folder, "admin@second.lit").find("password that the set-up printed") != std::string::npos);
  text = said(folder, "");
  BOOST_TEST(text.find("There is no account yet") != std::string::npos, text);
  BOOST_TEST(text.find("user add name@") != std::string::npos, text);
}

BOOST_AUTO_TEST_SUITE_END()
