#include "actors/cluster_commands.hpp"

#include "actors/cli.hpp"
#include "actors/fake_keys.hpp"
#include "actors/store_accounts.hpp"
#include "cluster/founding.hpp"
#include "cluster/system_store.hpp"
#include "tests/cluster/open_cluster.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto loopback = std::string{"[cluster]\nlisten = \"127.0.0.1:5292\"\n"};

/// A configuration with its data folder, and what commands say of it.
class server {
public:
  explicit server(const std::string& options = loopback) {
    std::ofstream{file_}
        << "[server]\ndata_folder = \"data\"\n[storage]\nshards = 4\n[hosts.main]\nname = \"localhost\"\n"
        << options;
    actions_.accounts_of_store = accounts_of_store;
  }

  int run(std::vector<std::string> words, const std::string& typed = {}) {
    words.insert(words.end(), {"--config", file_.string()});
    auto raw = std::vector<const char*>{"troupe"};
    for (auto& one : words)
      raw.push_back(one.c_str());
    auto out = std::ostringstream{}, errors = std::ostringstream{};
    auto in = std::istringstream{typed};
    auto before = std::cout.rdbuf(out.rdbuf()), errors_before = std::cerr.rdbuf(errors.rdbuf());
    auto in_before = std::cin.rdbuf(in.rdbuf());
    auto code = run_cli(int(raw.size()), raw.data(), actions_);
    std::cin.rdbuf(in_before);
    std::cout.rdbuf(before);
    std::cerr.rdbuf(errors_before);
    said = out.str();
    complained = errors.str();
    return code;
  }
  bool says(std::string_view words) const { return said.find(words) != std::string::npos; }
  bool complains(std::string_view words) const { return complained.find(words) != std::string::npos; }

  std::filesystem::path folder() const { return at_.path() / "data"; }
  cluster::founded as_founded() const {
    auto out = cluster::founded{};
    out.self = **cluster::load(folder());
    auto opened = store_options{};
    opened.folder = folder() / "store";
    opened.shard_count = 4;
    opened.is_in_cluster = true;
    out.system = **cluster::load_state(open_store(opened)->view(tier::disk));
    return out;
  }

  std::string said, complained;

private:
  temporary_folder at_;
  std::filesystem::path file_ = at_.path() / "troupe.conf";
  cli_actions actions_;
};

config configured(const std::string& options) {
  auto out = parse_config("[hosts.main]\nname = \"localhost\"\n" + options, "/etc/troupe");
  BOOST_REQUIRE_MESSAGE(out, (out ? std::string{} : out.error().text));
  return *out;
}

std::string complaint(const std::string& options) {
  auto out = parse_config("[hosts.main]\nname = \"localhost\"\n" + options, "/etc/troupe");
  return out ? std::string{} : out.error().text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_commands)

// -- options ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_node_says_of_itself_what_is_configured) {
  auto x = announcement_of(configured("[cluster]\naddresses = [\"192.0.2.1:5292\", \"[2001:db8::1]:5292\"]\n"
                                      "client_address = \"one.example.com\"\nzone = \"north\"\n"));
  BOOST_REQUIRE(x.has_value());
  BOOST_TEST((x->addresses == std::vector<std::string>{"192.0.2.1:5292", "[2001:db8::1]:5292"}));
  BOOST_TEST(x->client_address == "one.example.com");
  BOOST_TEST((x->labels == std::map<std::string, std::string>{{"zone", "north"}}));
  BOOST_TEST(!x->version.empty());
}

BOOST_AUTO_TEST_CASE(where_it_listens_is_its_address_when_it_names_no_other) {
  auto x = announcement_of(configured(loopback));
  BOOST_REQUIRE(x.has_value());
  BOOST_TEST((x->addresses == std::vector<std::string>{"127.0.0.1:5292"}));
  BOOST_TEST(x->labels.empty());
  for (auto every : {"*", "0.0.0.0", "[::]"}) {
    auto refused = announcement_of(configured("[cluster]\nlisten = \"" + std::string{every} + ":5292\"\n"));
    BOOST_TEST((refused.code() == errc::bad_request));
    BOOST_TEST(refused.error().text.starts_with("cluster.addresses is empty"));
  }
  BOOST_TEST(!announcement_of(configured("")).has_value());
  auto nine = std::string{};
  for (auto i = 1; i < 10; ++i)
    nine += (nine.empty() ? "\"192.0.2." : ", \"192.0.2.") + std::to_string(i) + ":5292\"";
  BOOST_TEST(!announcement_of(configured("[cluster]\naddresses = [" + nine + "]\n")).has_value());
}

BOOST_AUTO_TEST_CASE(what_no_other_node_could_reach_is_no_address) {
  for (auto bad : {"*:5292", "0.0.0.0:5292", "[::]:5292", "one.example.com:5292", "192.0.2.1", "192.0.2.1:0"})
    BOOST_TEST(complaint("[cluster]\naddresses = [\"" + std::string{bad} + "\"]\n").find("is no IP address") !=
                   std::string::npos,
               bad);
  BOOST_TEST(complaint("[cluster]\nlisten = \"one.example.com:5292\"\n").find("cluster.listen") != std::string::npos);
  BOOST_TEST(complaint("[cluster]\nzone = \"" + std::string(65, 'z') + "\"\n").find("longer than 64 bytes") !=
             std::string::npos);
  BOOST_TEST(complaint("[cluster]\nclient_address = \"" + std::string(257, 'z') + "\"\n").find("cluster.client_a") !=
             std::string::npos);
}

// -- init ------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_init_makes_a_cluster_and_says_what_comes_next) {
  auto aut = server{};
  BOOST_TEST(aut.run({"user", "add", "romeo@localhost", "--random"}) == 0, aut.complained);
  BOOST_TEST(aut.run({"cluster", "init"}) == 0, aut.complained);
  auto made = aut.as_founded();
  BOOST_TEST(aut.says("first node of cluster " + made.system.id), aut.said);
  BOOST_TEST(aut.says("serve --config"), aut.said);
  BOOST_TEST(aut.says("cluster invite --config"), aut.said);
  BOOST_TEST((made.system.hosts == std::set<std::string>{"localhost"}));
  BOOST_TEST(made.system.value(cluster::setting::shard_count) == 4u);
  BOOST_TEST(aut.said.find("PRIVATE KEY") == std::string::npos);
  BOOST_TEST(aut.run({"cluster", "init"}) == 1);
  BOOST_TEST(aut.complains("is in cluster " + made.system.id + " already"), aut.complained);
}

BOOST_AUTO_TEST_CASE(accounts_of_a_node_in_a_cluster_are_asked_for_at_a_server) {
  auto aut = server{};
  BOOST_TEST(aut.run({"cluster", "init"}) == 0, aut.complained);
  for (auto& words : {std::vector<std::string>{"user", "list"}, {"user", "add", "romeo@localhost", "--random"}}) {
    BOOST_TEST(aut.run(words) == 1);
    BOOST_TEST(aut.complains("in a cluster"), aut.complained);
    BOOST_TEST(aut.complains("start the server"), aut.complained);
  }
}

BOOST_AUTO_TEST_CASE(a_node_that_nobody_could_reach_is_refused_by_the_options_name) {
  auto aut = server{""};
  BOOST_TEST(aut.run({"cluster", "init"}) == 1);
  BOOST_TEST(aut.complains("cluster.addresses is empty"), aut.complained);
  BOOST_TEST(!*cluster::is_member(aut.folder()));
  BOOST_TEST(!std::filesystem::exists(aut.folder() / "store"));
}

BOOST_AUTO_TEST_CASE(beside_a_running_server_nothing_is_made) {
  auto aut = server{};
  std::filesystem::create_directories(aut.folder());
  auto fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto where = sockaddr_un{};
  where.sun_family = AF_UNIX;
  auto path = (aut.folder() / "admin.socket").string();
  std::memcpy(where.sun_path, path.c_str(), path.size() + 1);
  BOOST_REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
  BOOST_REQUIRE(::listen(fd, 5) == 0);
  for (auto& words : {std::vector<std::string>{"cluster", "init"}, {"cluster", "join", "-"}}) {
    BOOST_TEST(aut.run(words, "token\n") == 1);
    BOOST_TEST(aut.complains("stop it first"), aut.complained);
  }
  BOOST_TEST(!std::filesystem::exists(aut.folder() / "store"));
  ::close(fd);
}

// -- join ------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_join_makes_a_node_with_the_token_as_a_word_or_from_standard_input) {
  auto first = server{};
  BOOST_REQUIRE(first.run({"cluster", "init"}) == 0);
  auto there = open_cluster{first.as_founded()};
  auto secret = std::string(fake_keys_secret_bytes, 's');
  there.shared = encode_fake_keys(secret, {});
  for (auto is_typed : {false, true}) {
    auto aut = server{};
    auto token = there.invite().text();
    BOOST_TEST(aut.run({"cluster", "join", is_typed ? "-" : token}, is_typed ? token + "\n" : "") == 0, aut.complained);
    BOOST_TEST(aut.says("a node of cluster " + there.system().id), aut.said);
    BOOST_TEST(aut.says("serve --config"), aut.said);
    BOOST_TEST(!aut.says(token.substr(token.rfind(':') + 1)));
    BOOST_TEST(*cluster::is_member(aut.folder()));
    BOOST_TEST(*load_fake_keys_secret(aut.folder()) == secret);
    BOOST_TEST(aut.run({"cluster", "join", token}) == 1);
    BOOST_TEST(aut.complains("already"), aut.complained);
  }
  BOOST_TEST(there.system().members.size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_node_that_lost_its_data_joins_in_its_own_place) {
  auto first = server{};
  BOOST_REQUIRE(first.run({"cluster", "init"}) == 0);
  auto there = open_cluster{first.as_founded()};
  there.shared = encode_fake_keys(std::string(fake_keys_secret_bytes, 's'), {});
  auto aut = server{};
  BOOST_REQUIRE(aut.run({"cluster", "join", there.invite().text()}) == 0);
  std::filesystem::remove_all(aut.folder() / "store");
  BOOST_TEST(aut.run({"cluster", "join", there.invite().text()}) == 1);
  BOOST_TEST(aut.complains("join with a new token and --replaces"), aut.complained);
  std::filesystem::remove_all(aut.folder());
  BOOST_TEST(aut.run({"cluster", "join", there.invite().text(), "--replaces", "2"}) == 0, aut.complained);
  BOOST_TEST(aut.says("in the place of node 2"), aut.said);
  auto system = there.system();
  BOOST_TEST((system.find_number(2)->is == cluster::standing::gone));
  BOOST_TEST((system.find_number(3)->is == cluster::standing::joining));
}

BOOST_AUTO_TEST_CASE(seeds_are_hosts_with_ports) {
  BOOST_TEST(complaint("[cluster]\nseeds = [\"nodes.example.com:5292\", \"[2001:db8::1]:5292\"]\n") == "");
  BOOST_TEST(complaint("[cluster]\nseeds = [\"nodes.example.com\"]\n").find("is no host with a port") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_join_that_can_not_be_says_why_and_leaves_the_node_alone) {
  auto aut = server{};
  BOOST_TEST(aut.run({"cluster", "join", "garbage"}) == 1);
  BOOST_TEST(aut.complains("this is no join token"), aut.complained);
  BOOST_TEST(aut.run({"cluster", "join", "-"}) == 1);
  BOOST_TEST(aut.complains("no token given"), aut.complained);
  BOOST_TEST(aut.run({"user", "add", "romeo@localhost", "--random"}) == 0, aut.complained);
  auto first = server{};
  BOOST_REQUIRE(first.run({"cluster", "init"}) == 0);
  auto there = open_cluster{first.as_founded()};
  auto token = there.invite().text();
  BOOST_TEST(aut.run({"cluster", "join", token}) == 1);
  BOOST_TEST(aut.complains("has accounts"), aut.complained);
  BOOST_TEST(!aut.complains(token.substr(token.rfind(':') + 1)));
  BOOST_TEST(there.times_asked() == 0);
  BOOST_TEST(aut.run({"user", "list"}) == 0, aut.complained);
  BOOST_TEST(aut.said == "romeo@localhost\n");
}

BOOST_AUTO_TEST_SUITE_END()
