#include "net/socket.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>

using namespace xmpp::net;

namespace {

address known(const char* text, std::uint16_t port = 0) {
  return *address::parse(text, port);
}

/// From now on this thread's sockets are as on a kernel without IPv6.
bool refuse_ipv6() {
  auto filter = std::array{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 3),
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  auto program = sock_fprog{filter.size(), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

} // namespace

BOOST_AUTO_TEST_SUITE(socket_)

BOOST_AUTO_TEST_CASE(addresses_print_as_they_are_written) {
  BOOST_TEST(known("192.0.2.1", 5222).text() == "192.0.2.1:5222");
  BOOST_TEST(known("2001:db8::1", 5222).text() == "[2001:db8::1]:5222");
  BOOST_TEST(known("[2001:db8::1]", 1).host_text() == "2001:db8::1");
  BOOST_TEST(known("*", 5222).is_any());
  BOOST_TEST(known("::").is_any());
  BOOST_TEST(address{}.text() == "unknown");
  BOOST_TEST(sizeof(address) <= 20u);
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused) {
  for (auto text : {"", "localhost", "192.0.2", "1.2.3.4.5", "2001:db8:::1", "[]"})
    BOOST_TEST(!address::parse(text, 1));
}

BOOST_AUTO_TEST_CASE(loopback_is_recognised) {
  BOOST_TEST(known("127.0.0.1").is_loopback());
  BOOST_TEST(known("127.9.9.9").is_loopback());
  BOOST_TEST(known("::1").is_loopback());
  BOOST_TEST(!known("128.0.0.1").is_loopback());
  BOOST_TEST(!known("::2").is_loopback());
  BOOST_TEST(!address{}.is_loopback());
}

BOOST_AUTO_TEST_CASE(limits_count_ipv4_addresses_and_ipv6_networks) {
  BOOST_TEST(known("192.0.2.1").limit_key() != known("192.0.2.2").limit_key());
  BOOST_TEST(known("192.0.2.1", 1).limit_key() == known("192.0.2.1", 2).limit_key());
  BOOST_TEST(known("2001:db8::1").limit_key() == known("2001:db8::ffff:1").limit_key());
  BOOST_TEST(known("2001:db8:0:1::1").limit_key() != known("2001:db8:0:2::1").limit_key());
  BOOST_TEST(known("192.0.2.1").limit_text() == "192.0.2.1");
  BOOST_TEST(known("2001:db8::ffff:1").limit_text() == "2001:db8::/64");
  BOOST_TEST(known("2001:db8:0:1::1").limit_text() == "2001:db8:0:1::/64");
  BOOST_TEST(address{}.limit_text() == "unknown");
}

BOOST_AUTO_TEST_CASE(an_ipv4_address_mapped_into_ipv6_is_ipv4) {
  auto raw = sockaddr_storage{};
  auto bytes = known("::ffff:192.0.2.1", 80).to_sockaddr(&raw);
  auto back = address::from(reinterpret_cast<sockaddr*>(&raw), bytes);
  BOOST_TEST(back.text() == "192.0.2.1:80");
  BOOST_TEST((back == known("192.0.2.1", 80)));
}

BOOST_AUTO_TEST_CASE(a_listening_socket_accepts_without_delay_options_per_connection) {
  for (auto host : {"127.0.0.1", "::1"}) {
    auto server = listen(known(host));
    if (!server && std::string_view{host} == "::1")
      continue; // This machine has no IPv6.
    BOOST_REQUIRE_MESSAGE(server, server.why());
    auto where = *local_address(server->get());
    auto got = accepted{};
    BOOST_TEST((accept(server->get(), got) == accept_status::nothing));
    auto client = connect(where);
    BOOST_REQUIRE(client);
    BOOST_TEST((accept(server->get(), got) == accept_status::accepted));
    BOOST_TEST(got.peer.is_loopback());
    auto value = 0;
    auto bytes = socklen_t{sizeof value};
    ::getsockopt(got.fd.get(), IPPROTO_TCP, TCP_NODELAY, &value, &bytes);
    BOOST_TEST(value != 0);
  }
}

BOOST_AUTO_TEST_CASE(any_means_both_families) {
  auto server = listen(known("*"));
  if (!server)
    return; // This machine has no IPv6.
  auto port = local_address(server->get())->port();
  auto client = connect(known("127.0.0.1", port));
  auto got = accepted{};
  BOOST_TEST((accept(server->get(), got) == accept_status::accepted));
  BOOST_TEST(!got.peer.is_v6());
}

BOOST_AUTO_TEST_CASE(any_is_ipv4_where_the_kernel_has_no_ipv6) {
  auto on = std::optional<outcome<unique_fd>>{};
  auto explicit_one = std::optional<outcome<unique_fd>>{};
  auto can_filter = false;
  auto without_ipv6 = std::thread{[&] { // the filter is this thread's only
    can_filter = refuse_ipv6();
    on = listen(known("*"));
    explicit_one = listen(known("::1"));
  }};
  without_ipv6.join();
  if (!can_filter)
    return;
  BOOST_REQUIRE(bool(*on));
  BOOST_TEST(!local_address((*on)->get())->is_v6());
  BOOST_TEST(!*explicit_one);
}

BOOST_AUTO_TEST_CASE(sockets_that_share_a_port_can_be_several) {
  auto options = listen_options{};
  options.share_port = true;
  auto first = listen(known("127.0.0.1"), options);
  BOOST_REQUIRE(first);
  auto where = *local_address(first->get());
  BOOST_TEST(bool(listen(where, options)));
  auto alone = listen(where);
  BOOST_TEST(!alone);
  BOOST_TEST(alone.why().find(where.text()) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(keepalive_is_inherited_from_the_listening_socket) {
  auto server = listen(known("127.0.0.1"));
  set_keepalive(server->get(), 300, 30, 4);
  auto client = connect(*local_address(server->get()));
  auto got = accepted{};
  BOOST_REQUIRE((accept(server->get(), got) == accept_status::accepted));
  auto value = 0;
  auto bytes = socklen_t{sizeof value};
  ::getsockopt(got.fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, &value, &bytes);
  BOOST_TEST(value == 300);
  ::getsockopt(got.fd.get(), SOL_SOCKET, SO_KEEPALIVE, &value, &bytes);
  BOOST_TEST(value == 1);
}

BOOST_AUTO_TEST_CASE(the_open_files_limit_can_be_raised_to_the_hard_one) {
  auto raised = raise_open_files_limit();
  BOOST_TEST(raised.soft == raised.hard);
  BOOST_TEST(raised.hard > 0u);
}

BOOST_AUTO_TEST_SUITE_END()
