#include "actors/cli.hpp"

#include "actors/store_accounts.hpp"
#include "net/certificate.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>

using namespace xmpp;

namespace {

/// A folder of its own, and what the commands say.
struct command_line {
  command_line() {
    auto name = std::string{"/tmp/troupe-cli-XXXXXX"};
    folder = mkdtemp(name.data());
    actions.accounts_of_store = accounts_of_store;
  }
  ~command_line() { std::filesystem::remove_all(folder); }

  int run(std::vector<std::string> words) {
    auto raw = std::vector<const char*>{"troupe"};
    for (auto& one : words)
      raw.push_back(one.c_str());
    auto said = std::ostringstream{};
    auto before = std::cout.rdbuf(said.rdbuf());
    auto code = run_cli(int(raw.size()), raw.data(), actions);
    std::cout.rdbuf(before);
    output = said.str();
    return code;
  }

  std::filesystem::path folder;
  cli_actions actions;
  std::string output;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(commands, command_line)

BOOST_AUTO_TEST_CASE(a_first_certificate_names_domains_by_their_a_labels) {
  auto data = folder / "data";
  BOOST_TEST(run({"init", "--data", data.string(), "--host", "bücher.lit", "--host", "localhost"}) == 0);
  BOOST_TEST(output.find("admin@bücher.lit") != std::string::npos);
  auto made = net::inspect_certificate((data / "certificate.pem").string(), (data / "key.pem").string());
  BOOST_REQUIRE(bool(made));
  BOOST_TEST(net::covers(made->names, "xn--bcher-kva.lit"));
  BOOST_TEST(net::covers(made->names, "localhost"));
  BOOST_TEST(run({"check", "--quiet", "--config", (data / "troupe.conf").string()}) <= 1);
  BOOST_TEST(output.find("is not for") == std::string::npos, output);
}

BOOST_AUTO_TEST_SUITE_END()
