#include "net/listener.hpp"

#include "net/connection.hpp"
#include "tests/net/peers.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <sys/socket.h>

using namespace xmpp::net;

namespace {

struct listening {
  void settle() {
    for (auto i = 0; i < 10; ++i)
      home.turn(0);
  }
  unique_fd client() { return *connect(where); }

  reactor home{nullptr, hand_clock};
  unique_fd socket = *listen(*address::parse("127.0.0.1", 0));
  address where = *local_address(socket.get());
};

// The peer has closed: reading ends or fails.
bool is_closed(const unique_fd& fd) {
  char c;
  auto n = ::recv(fd.get(), &c, 1, MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(listener_, listening)

BOOST_AUTO_TEST_CASE(connections_are_accepted_and_served) {
  auto seen = std::make_shared<record>();
  auto accepting = listener{home, std::move(socket), nullptr, [&](unique_fd fd, const address& peer) {
                              BOOST_TEST(peer.is_loopback());
                              connection::start(home, std::move(fd), peer, std::make_unique<recorder>(seen));
                            }};
  auto a = client();
  auto b = client();
  settle();
  BOOST_TEST(accepting.count().accepted == 2u);
  ::send(a.get(), "hello", 5, 0);
  settle();
  BOOST_TEST(seen->bytes == "hello");
}

BOOST_AUTO_TEST_CASE(refused_connections_are_closed_at_once) {
  auto limits = accept_limits{};
  limits.at_once_max = 1;
  auto limiter = accept_limiter{limits};
  auto kept = std::vector<unique_fd>{};
  auto accepting =
      listener{home, std::move(socket), &limiter, [&](unique_fd fd, const address&) { kept.push_back(std::move(fd)); }};
  auto a = client();
  settle();
  auto b = client();
  settle();
  BOOST_TEST(kept.size() == 1u);
  BOOST_TEST(!is_closed(a));
  BOOST_TEST(is_closed(b));
  BOOST_TEST(accepting.count().refused == 1u);
}

BOOST_AUTO_TEST_CASE(without_free_descriptors_it_waits_instead_of_turning) {
  auto kept = std::vector<unique_fd>{};
  auto accepting =
      listener{home, std::move(socket), nullptr, [&](unique_fd fd, const address&) { kept.push_back(std::move(fd)); }};
  auto a = client();
  auto before = rlimit{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  auto none = before;
  none.rlim_cur = 1; // Below what is open: the next one fails.
  ::setrlimit(RLIMIT_NOFILE, &none);
  settle();
  ::setrlimit(RLIMIT_NOFILE, &before);
  BOOST_TEST(kept.empty());
  BOOST_TEST(accepting.count().out_of_files == 1u);
  settle();
  BOOST_TEST(kept.empty());
  hand_clock_ms += 250;
  settle();
  BOOST_TEST(kept.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_storm_does_not_keep_others_from_their_turn) {
  auto clients = std::vector<unique_fd>{};
  for (auto i = 0; i < 200; ++i)
    clients.push_back(client());
  auto kept = std::vector<unique_fd>{};
  auto accepting =
      listener{home, std::move(socket), nullptr, [&](unique_fd fd, const address&) { kept.push_back(std::move(fd)); }};
  home.turn(0);
  BOOST_TEST(kept.size() <= 64u);
  settle();
  BOOST_TEST(kept.size() == 200u);
}

BOOST_AUTO_TEST_SUITE_END()
