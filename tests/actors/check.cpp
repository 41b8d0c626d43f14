#include "actors/check.hpp"

#include "cluster/founding.hpp"
#include "cluster/identity.hpp"
#include "net/certificate.hpp"
#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <fstream>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace xmpp;

namespace {

const auto now_s = std::int64_t{time(nullptr)};

struct machine {
  machine() {
    auto name = std::string{"/tmp/troupe-check-XXXXXX"};
    folder = mkdtemp(name.data());
    make_certificate({"localhost"});
  }
  ~machine() { std::filesystem::remove_all(folder); }

  void make_certificate(const std::vector<std::string>& domains, unsigned days = 100) {
    BOOST_REQUIRE(
        net::make_self_signed(domains, days, (folder / "certificate.pem").string(), (folder / "key.pem").string()));
  }

  std::vector<finding> look(const std::string& more = "", std::int64_t at_s = now_s) {
    // Port 1 of an address that is not this machine's cannot be had, a free one of loopback can.
    auto options = parse_config("[hosts.main]\nname = \"localhost\"\n"
                                "certificate_files = [\"certificate.pem\"]\nkey_files = [\"key.pem\"]\n" +
                                    more + (more.find("[listen]") == std::string::npos ? listen_on(free_port()) : ""),
                                folder);
    BOOST_REQUIRE_MESSAGE(options, (options ? "" : options.error().text));
    return check(*options, at_s);
  }

  static std::string listen_on(int port) {
    return "[listen]\nc2s = [\"127.0.0.1:" + std::to_string(port) + "\"]\nc2s_tls = []\n";
  }

  /// Bound, and closed again.
  static int free_port() {
    auto fd = bound_socket();
    auto port = port_of(fd);
    close(fd);
    return port;
  }
  static int bound_socket() {
    auto fd = ::socket(AF_INET, SOCK_STREAM, 0);
    auto where = sockaddr_in{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
    BOOST_REQUIRE(::listen(fd, 1) == 0);
    return fd;
  }
  static int port_of(int fd) {
    auto where = sockaddr_in{};
    auto size = socklen_t{sizeof where};
    getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size);
    return ntohs(where.sin_port);
  }

  std::filesystem::path folder;
};

/// The first finding that is not good and says `text`.
const finding* trouble(const std::vector<finding>& all, std::string_view text) {
  auto i = std::find_if(all.begin(), all.end(), [&](auto& x) {
    return x.what != finding::grade::good && x.text.find(text) != std::string::npos;
  });
  return i == all.end() ? nullptr : &*i;
}

bool is_wrong(const finding* x) {
  return x && x->what == finding::grade::wrong && !x->remedy.empty();
}
bool is_warning(const finding* x) {
  return x && x->what == finding::grade::warning && !x->remedy.empty();
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(checking, machine)

BOOST_AUTO_TEST_CASE(a_fresh_set_up_is_sound) {
  auto all = look();
  BOOST_TEST(is_sound(all), describe(all, true));
  BOOST_TEST(is_warning(trouble(all, "is self-signed")));
}

BOOST_AUTO_TEST_CASE(a_certificate_for_another_domain_is_wrong) {
  make_certificate({"example.com"});
  auto all = look();
  BOOST_TEST(is_wrong(trouble(all, "is not for localhost but for example.com")));
  BOOST_TEST(!is_sound(all));
}

BOOST_AUTO_TEST_CASE(certificates_name_domains_by_their_a_labels) {
  make_certificate({"localhost", "xn--bcher-kva.example"});
  for (auto name : {"bücher.example", "xn--bcher-kva.example"})
    BOOST_TEST(is_sound(look("[hosts.books]\nname = \"" + std::string{name} +
                             "\"\ncertificate_files = [\"certificate.pem\"]\nkey_files = [\"key.pem\"]\n")));
  BOOST_TEST(is_wrong(trouble(look("[hosts.books]\nname = \"bücher.lit\"\ncertificate_files = "
                                   "[\"certificate.pem\"]\nkey_files = [\"key.pem\"]\n"),
                              "is not for bücher.lit")));
}

BOOST_AUTO_TEST_CASE(an_expired_certificate_is_wrong_and_one_that_soon_will_be_is_told) {
  make_certificate({"localhost"}, 30);
  BOOST_TEST(is_wrong(trouble(look("", now_s + 31 * 86'400), "expired on")));
  auto all = look("", now_s + 20 * 86'400);
  BOOST_TEST(is_warning(trouble(all, "expires on")));
  BOOST_TEST(is_sound(all));
}

BOOST_AUTO_TEST_CASE(a_key_of_another_certificate_is_wrong) {
  std::filesystem::copy(folder / "certificate.pem", folder / "other.pem");
  make_certificate({"localhost"});
  std::filesystem::rename(folder / "other.pem", folder / "certificate.pem");
  BOOST_TEST(is_wrong(trouble(look(), "is not its key")));
}

BOOST_AUTO_TEST_CASE(a_certificate_that_is_not_there_is_wrong) {
  std::filesystem::remove(folder / "certificate.pem");
  auto all = look();
  BOOST_TEST(!is_sound(all));
  BOOST_TEST(describe(all, false).find("certificate.pem") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_certificate_that_cannot_serve_is_wrong) {
  auto command = "openssl req -x509 -newkey rsa:1024 -nodes -days 30 -subj /CN=x -addext subjectAltName=DNS:localhost "
                 "-keyout " +
                 (folder / "key.pem").string() + " -out " + (folder / "certificate.pem").string() + " 2>/dev/null";
  BOOST_REQUIRE(std::system(command.c_str()) == 0);
  auto all = look();
  BOOST_TEST(is_wrong(trouble(all, "key too small")));
  BOOST_TEST(is_wrong(trouble(all, "no certificate that clients could accept")));
}

BOOST_AUTO_TEST_CASE(a_certificate_that_names_its_domain_where_clients_do_not_look_is_wrong) { // RFC 9525, 2
  for (auto more : {"", "-addext subjectAltName=email:postmaster@localhost "}) {
    auto command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost " +
        std::string{more} + "-keyout " + (folder / "key.pem").string() + " -out " +
        (folder / "certificate.pem").string() + " 2>/dev/null";
    BOOST_REQUIRE(std::system(command.c_str()) == 0);
    auto all = look();
    auto told = trouble(all, *more ? "is not for localhost but for no domain" : "has no names in its subjectAltName");
    BOOST_TEST(is_wrong(told), describe(all, true));
    BOOST_TEST((told && told->remedy.find("localhost") != std::string::npos));
    BOOST_TEST(is_wrong(trouble(all, "no certificate that clients could accept")));
  }
}

BOOST_AUTO_TEST_CASE(a_file_of_authorities_that_cannot_be_loaded_is_wrong) {
  std::ofstream{folder / "authorities.pem"} << "nothing\n";
  BOOST_TEST(is_wrong(trouble(look("client_ca_file = \"authorities.pem\"\n"), "authorities.pem")));
  BOOST_TEST(is_wrong(trouble(look("client_ca_file = \"missing.pem\"\n"), "No such file or directory")));
  BOOST_TEST(!trouble(look("client_ca_file = \"certificate.pem\"\n"), "client_ca_file"));
}

BOOST_AUTO_TEST_CASE(a_key_that_everybody_can_read_is_told) {
  std::filesystem::permissions(folder / "key.pem", std::filesystem::perms(0644));
  BOOST_TEST(is_warning(trouble(look(), "everybody on this machine can read its key")));
}

BOOST_AUTO_TEST_CASE(a_host_needs_a_certificate_where_tls_is_required) {
  auto second = std::string{"[hosts.second]\nname = \"second.lit\"\n"};
  BOOST_TEST(is_wrong(trouble(look(second), "has no certificate, and tls.required is on")));
  BOOST_TEST(is_warning(trouble(look(second + "[tls]\nrequired = false\n"), "has no certificate")));
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_is_wrong) {
  auto fd = bound_socket();
  auto all = look(listen_on(port_of(fd)));
  BOOST_TEST(!is_sound(all));
  close(fd);
}

BOOST_AUTO_TEST_CASE(endpoints_that_are_in_each_others_way_are_wrong) {
  auto port = std::to_string(free_port());
  auto listed = [&](const std::string& c2s, const std::string& c2s_tls) {
    return look("[listen]\nc2s = [" + c2s + "]\nc2s_tls = [" + c2s_tls + "]\n");
  };
  auto one = "\"127.0.0.1:" + port + "\"", all = "\"*:" + port + "\"";
  BOOST_TEST(is_sound(listed(one, "")));
  for (auto& both : {listed(one + ", " + one, ""), listed(all + ", " + one, ""), listed(one, one), listed(one, all)}) {
    BOOST_TEST(is_wrong(trouble(both, "stands in [listen] beside")), describe(both, true));
    BOOST_TEST(!is_sound(both));
  }
}

BOOST_AUTO_TEST_CASE(a_backlog_that_the_kernel_cuts_is_told) {
  auto kernels = 0;
  std::ifstream{"/proc/sys/net/core/somaxconn"} >> kernels;
  auto with = [&](int backlog) { return look(listen_on(free_port()) + "backlog = " + std::to_string(backlog) + "\n"); };
  if (kernels < 16 || kernels >= 65'535)
    return; // the option cannot ask for more
  auto all = with(kernels + 1);
  BOOST_TEST(is_warning(trouble(all, "the kernel cuts listen.backlog " + std::to_string(kernels + 1) + " to " +
                                         std::to_string(kernels))),
             describe(all, true));
  BOOST_TEST(is_sound(all));
  BOOST_TEST(!trouble(with(kernels), "the kernel cuts"));
}

BOOST_AUTO_TEST_CASE(an_admin_socket_that_cannot_be_opened_is_wrong) {
  auto missing = look("[server]\ndata_folder = \".\"\nadmin_socket = \"/nonexistent/x\"\n");
  BOOST_TEST(is_wrong(trouble(missing, "server.admin_socket = \"/nonexistent/x\" cannot be opened")));
  BOOST_TEST(is_wrong(trouble(missing, "No such file or directory")));
  std::ofstream{folder / "in-the-way"} << "text\n";
  BOOST_TEST(is_wrong(trouble(look("[server]\ndata_folder = \".\"\nadmin_socket = \"in-the-way\"\n"), "is no socket")));
  BOOST_TEST(std::filesystem::file_size(folder / "in-the-way") == 5u);
}

BOOST_AUTO_TEST_CASE(a_log_that_cannot_be_written_is_told) {
  auto said = [&](const std::string& file) { return look("[log]\nfile = \"" + file + "\"\n"); };
  BOOST_TEST(is_warning(trouble(said("missing/troupe.log"), "cannot be opened: No such file or directory")));
  BOOST_TEST(is_warning(trouble(said("."), "cannot be opened: Is a directory")));
  BOOST_TEST(!trouble(said("troupe.log"), "cannot be opened"));
  BOOST_TEST(!std::filesystem::exists(folder / "troupe.log"));
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_no_certificate) { // reading a pipe would never end
  auto pipe = folder / "pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  BOOST_TEST(is_wrong(trouble(look("client_ca_file = \"pipe\"\n"), "it is no regular file")));
  for (auto name : {"key.pem", "certificate.pem"}) {
    std::filesystem::remove(folder / name);
    std::filesystem::create_symlink(pipe, folder / name);
    BOOST_TEST(is_wrong(trouble(look(), std::string{name} + ": it is no regular file")));
  }
}

BOOST_AUTO_TEST_CASE(a_certificate_that_hosts_share_is_told_once) {
  make_certificate({"localhost", "other.lit"}, 5);
  auto all = look("[hosts.other]\nname = \"other.lit\"\ncertificate_files = [\"certificate.pem\"]\n"
                  "key_files = [\"key.pem\"]\n");
  BOOST_TEST(std::count_if(all.begin(), all.end(), [](auto& x) { return x.subject.starts_with("certificate "); }) == 3);
  BOOST_TEST(is_warning(trouble(all, "expires on")));
  BOOST_TEST(is_warning(trouble(all, "is self-signed")));
}

BOOST_AUTO_TEST_CASE(ports_are_not_tried_while_a_server_answers) {
  auto where = sockaddr_un{};
  where.sun_family = AF_UNIX;
  auto path = (folder / "admin.socket").string();
  path.copy(where.sun_path, sizeof where.sun_path - 1);
  auto admin = ::socket(AF_UNIX, SOCK_STREAM, 0);
  BOOST_REQUIRE(::bind(admin, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
  BOOST_TEST(!is_running(path)); // a socket that was left behind
  BOOST_REQUIRE(::listen(admin, 5) == 0);
  BOOST_TEST(is_running(path));
  auto taken = bound_socket();
  BOOST_TEST(is_sound(look(listen_on(port_of(taken)) + "[server]\ndata_folder = \".\"\n")));
  close(taken);
  close(admin);
}

BOOST_AUTO_TEST_CASE(a_data_folder_that_is_not_there_is_wrong) {
  BOOST_TEST(!is_sound(look("[server]\ndata_folder = \"elsewhere\"\n")));
  BOOST_TEST(is_wrong(trouble(look("[server]\ndata_folder = \"key.pem\"\n"), "is no folder")));
}

BOOST_AUTO_TEST_CASE(a_data_folder_that_everybody_may_enter_is_told) {
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
  BOOST_TEST(is_warning(trouble(look(), "everybody on this machine may enter it")));
}

BOOST_AUTO_TEST_CASE(a_disk_with_too_little_room_is_told) {
  BOOST_TEST(is_warning(trouble(look("[storage]\nfree_bytes_min = 1099511627776\n"), "are free on its disk")));
}

BOOST_AUTO_TEST_CASE(too_few_open_files_are_wrong) {
  BOOST_TEST(is_wrong(trouble(look("[server]\nopen_files_min = 100000000\n"), "server.open_files_min")));
}

BOOST_AUTO_TEST_CASE(a_clock_from_before_the_release_is_wrong) {
  BOOST_TEST(is_wrong(trouble(look("", 1'000'000'000), "before this release was made")));
}

// -- a node of a cluster ---------------------------------------------------------------------------------------------

namespace {

struct member_machine : machine {
  member_machine() {
    auto made = *cluster::make_identity();
    auto authority = *cluster::make_cluster_authority(now_s);
    auto certificate = *cluster::issue(authority, made.node, *cluster::request_of(made), now_s);
    self = *cluster::admitted(made, authority.cluster, authority.pair.certificate, certificate, now_s);
    std::filesystem::create_directory(folder / "data");
    BOOST_REQUIRE(cluster::save(folder / "data", self));
  }
  std::vector<finding> look_with(const std::string& options, std::int64_t at_s = now_s) {
    return look("[server]\ndata_folder = \"data\"\n[cluster]\n" + options, at_s);
  }
  static std::string listening(int port) { return "listen = \"127.0.0.1:" + std::to_string(port) + "\"\n"; }

  cluster::identity self;
};

/// The finding about that.
const finding* about(const std::vector<finding>& all, std::string_view subject) {
  auto i = std::find_if(all.begin(), all.end(), [&](auto& x) { return x.subject.starts_with(subject); });
  return i == all.end() ? nullptr : &*i;
}

} // namespace

BOOST_AUTO_TEST_CASE(who_is_in_no_cluster_hears_nothing_of_one) {
  auto all = look("[cluster]\nlisten = \"192.0.2.1:1\"\nseeds = [\"no-such-host.invalid:1\"]\n");
  BOOST_TEST(!about(all, "cluster"));
  BOOST_TEST(!about(all, "port 192.0.2.1:1"));
}

BOOST_FIXTURE_TEST_CASE(a_member_that_could_run_is_sound, member_machine) {
  auto all = look_with(listening(free_port()) + "addresses = [\"192.0.2.1:5292\"]\n");
  BOOST_TEST(is_sound(all), describe(all, true));
  BOOST_REQUIRE(about(all, "cluster "));
  BOOST_TEST(about(all, "cluster ")->text.find(cluster::id_text(self.node)) != std::string::npos);
  BOOST_TEST((about(all, "cluster.addresses")->what == finding::grade::good));
}

BOOST_FIXTURE_TEST_CASE(an_identity_that_others_may_read_is_wrong, member_machine) {
  ::chmod(cluster::identity_file(folder / "data").c_str(), 0640);
  auto all = look_with(listening(free_port()));
  BOOST_TEST(is_wrong(trouble(all, "others may read it")));
}

BOOST_FIXTURE_TEST_CASE(a_members_certificate_is_looked_at, member_machine) {
  auto listen = listening(free_port());
  BOOST_TEST(is_warning(about(look_with(listen, now_s + cluster::certificate_valid_s + 1), "cluster ")));
  BOOST_TEST(is_wrong(about(look_with(listen, now_s - cluster::clock_skew_s - 60), "cluster ")));
}

BOOST_FIXTURE_TEST_CASE(a_members_port_must_be_free_and_no_clients_port, member_machine) {
  auto fd = bound_socket();
  auto all = look_with(listening(port_of(fd)));
  auto port = about(all, "port 127.0.0.1:" + std::to_string(port_of(fd)));
  BOOST_TEST(is_wrong(port));
  close(fd);
}

BOOST_FIXTURE_TEST_CASE(a_member_that_nobody_reaches_is_told, member_machine) {
  BOOST_TEST(is_wrong(about(look_with("listen = \"*:" + std::to_string(free_port()) + "\"\n"), "cluster.addresses")));
  BOOST_TEST(is_warning(about(look_with(listening(free_port())), "cluster.addresses"))); // loopback
}

BOOST_FIXTURE_TEST_CASE(members_that_do_not_answer_are_told, member_machine) {
  auto fd = bound_socket();
  auto there = "127.0.0.1:" + std::to_string(port_of(fd)), away = "127.0.0.1:" + std::to_string(free_port());
  BOOST_REQUIRE(cluster::save_members(folder / "data", {{self.node, {there}}, {1, {away}}}).has_value());
  BOOST_TEST(is_warning(about(look_with(listening(free_port())), "other nodes")));
  BOOST_REQUIRE(cluster::save_members(folder / "data", {{1, {away, there}}, {2, {away}}}).has_value());
  auto all = look_with(listening(free_port()));
  BOOST_TEST(about(all, "other nodes")->text == "1 of 2 accept connections");
  close(fd);
}

BOOST_FIXTURE_TEST_CASE(a_member_whose_hosts_are_not_those_agreed_on_is_told, member_machine) {
  auto group = test::system_group{};
  auto agree = [&](std::vector<std::string> hosts) {
    group.must(cluster::ask::set_hosts{std::move(hosts)});
    BOOST_REQUIRE(cluster::save_agreed(folder / "data", group.state).has_value());
    return look_with(listening(free_port()));
  };
  BOOST_TEST(!about(look_with(listening(free_port())), "cluster hosts"));
  BOOST_TEST((about(agree({"localhost"}), "cluster hosts")->what == finding::grade::good));
  auto all = agree({"localhost", "a.example"});
  BOOST_TEST(is_warning(about(all, "cluster hosts")));
  BOOST_TEST(about(all, "cluster hosts")->text == "this node does not serve a.example");
}

BOOST_AUTO_TEST_CASE(the_report_leaves_nothing_behind) {
  look();
  auto files = std::distance(std::filesystem::directory_iterator{folder}, {});
  BOOST_TEST(files == 2);
}

BOOST_AUTO_TEST_SUITE_END()
