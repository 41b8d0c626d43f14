#include "net/connection.hpp"

#include "net/accept_limiter.hpp"
#include "tests/fixtures/heap.hpp"
#include "tests/net/peers.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <sys/socket.h>
#include <thread>

using namespace xmpp::net;

namespace {

// More than a socket pair's buffers hold.
const auto much = std::string(2'000'000, 'x');

connection_options roomy() {
  auto options = connection_options{};
  options.output_bytes_max = 8'000'000;
  return options;
}

struct plain_link : connected {
  plain_link() : connected(roomy()) {}
};

} // namespace

BOOST_AUTO_TEST_SUITE(connection_)

BOOST_AUTO_TEST_CASE(an_idle_connection_is_small) {
  BOOST_TEST(sizeof(connection) < 250u);
}

namespace {

/// What is held more after so many bytes went both ways, all that they needed on the way being gone.
std::size_t held_after(connected& link, std::size_t bytes, const std::function<std::size_t()>& peer_reads,
                       const std::function<void(std::string_view)>& peer_writes) {
  auto before = xmpp::test::heap_bytes();
  {
    auto large = std::string(bytes, 'x');
    BOOST_TEST((link.ours->send(large) == send_status::ok));
    link.ours->flush();
    BOOST_TEST((bytes < 100'000 || link.ours->queued_bytes() > 0)); // it did need some
    auto got = std::size_t{0};
    BOOST_TEST(link.settle_until([&] { return (got += peer_reads()) >= bytes; }));
    peer_writes(large);
    link.settle();
    BOOST_TEST(link.seen->bytes.size() == bytes);
    std::string{}.swap(link.seen->bytes);
  }
  BOOST_TEST(link.ours->queued_bytes() == 0u);
  auto after = xmpp::test::heap_bytes();
  return after > before ? after - before : 0;
}

} // namespace

BOOST_FIXTURE_TEST_CASE(once_idle_it_holds_no_buffer, plain_link) { // issue, 3
  auto reads = [&] { return peer_reads().size(); };
  auto writes = [&](std::string_view bytes) { peer_writes(bytes); };
  held_after(*this, 1'000, reads, writes); // what is made at first use
  BOOST_TEST(held_after(*this, much.size(), reads, writes) < 4'096u);
}

BOOST_AUTO_TEST_CASE(once_idle_it_holds_no_buffer_under_tls) { // issue, 3
  auto folder = certificate_folder{};
  auto with = tls_options{};
  with.certificates = {folder.make("localhost", {"localhost"})};
  auto link = connected{roomy(), context_of(with)};
  auto client = tls_client{link, {}};
  BOOST_REQUIRE(client.handshake());
  link.ours->forget_handshake();
  auto reads = [&] { return client.read(64 * 1024).size(); };
  auto writes = [&](std::string_view bytes) { client.write(bytes); };
  // The thread's own scratch, for all its connections, has its size by then; so have the client's buffers.
  held_after(link, 300'000, reads, writes);
  BOOST_TEST(held_after(link, much.size(), reads, writes) < 4'096u);
}

BOOST_FIXTURE_TEST_CASE(what_the_peer_writes_is_delivered, plain_link) {
  peer_writes("<stream>");
  settle();
  BOOST_TEST(seen->bytes == "<stream>");
}

BOOST_FIXTURE_TEST_CASE(one_event_reads_at_most_one_scratch, plain_link) {
  auto bytes = std::string(reactor::scratch_bytes + 1000, 'y');
  auto fd = peer.get();
  auto size = 1 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  auto sent = ::send(fd, bytes.data(), bytes.size(), 0);
  BOOST_REQUIRE(sent > 70'000 - 5000);
  home.turn(0);
  BOOST_TEST(seen->reads == 1u);
  BOOST_TEST(seen->bytes.size() <= reactor::scratch_bytes);
  settle();
  BOOST_TEST(seen->bytes.size() == static_cast<std::size_t>(sent));
}

BOOST_FIXTURE_TEST_CASE(outside_a_turn_sending_is_immediate, plain_link) {
  BOOST_TEST((ours->send("one") == send_status::ok));
  BOOST_TEST(peer_reads() == "one");
  BOOST_TEST((ours->send_and_flush("two") == send_status::ok));
  BOOST_TEST(peer_reads() == "two");
  BOOST_TEST(ours->queued_bytes() == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_is_sent_in_one_turn_goes_out_at_its_end, plain_link) {
  auto during = std::string{"unset"};
  seen->react = [&](transport& self, std::string_view) {
    self.send("a");
    self.send("b");
    during = peer_reads();
  };
  peer_writes("go");
  settle();
  BOOST_TEST(during.empty());
  BOOST_TEST(peer_reads() == "ab");
}

BOOST_FIXTURE_TEST_CASE(send_and_flush_keeps_the_order_of_what_was_queued, plain_link) {
  seen->react = [&](transport& self, std::string_view) {
    self.send("a");
    self.send_and_flush("b");
    BOOST_TEST(peer_reads() == "ab");
  };
  peer_writes("go");
  settle();
  BOOST_TEST(seen->reads == 1u);
}

BOOST_FIXTURE_TEST_CASE(what_the_socket_does_not_take_follows_by_itself, plain_link) {
  BOOST_TEST((ours->send_and_flush(much) == send_status::ok));
  BOOST_TEST((ours->send("end") == send_status::ok));
  BOOST_TEST(ours->queued_bytes() > 0u);
  auto got = std::string{};
  settle_until([&] { return (got += peer_reads()).size() == much.size() + 3; });
  BOOST_TEST((got == much + "end"));
  settle();
  BOOST_TEST(ours->queued_bytes() == 0u);
  BOOST_TEST(seen->drained == 1);
}

BOOST_AUTO_TEST_CASE(a_slow_reader_overflows_and_gets_only_whole_sends) {
  auto options = connection_options{};
  options.output_bytes_max = 10'000;
  auto link = connected{options};
  auto taken = std::size_t{0};
  auto status = send_status::ok;
  while ((status = link.ours->send(std::string(1000, 'z'))) == send_status::ok)
    BOOST_REQUIRE(++taken < 100'000u);
  BOOST_TEST((status == send_status::overflow));
  BOOST_TEST(link.ours->queued_bytes() <= 11'000u);                // the bound and one send
  BOOST_TEST((link.ours->send("small") == send_status::overflow)); // It stays so: a stream must have no gap.
  link.ours->close("<policy-violation/>", 1000);
  BOOST_TEST((link.ours->send("late") == send_status::closed));
  auto got = std::string{};
  link.settle_until([&] { return (got += link.peer_reads()).size() == taken * 1000 + 19; });
  BOOST_TEST(got.size() == taken * 1000 + 19);
  BOOST_TEST(got.ends_with("z<policy-violation/>"));
}

BOOST_AUTO_TEST_CASE(one_large_send_makes_no_slow_reader) {
  auto options = connection_options{};
  options.output_bytes_max = 10'000;
  auto link = connected{options};
  BOOST_TEST((link.ours->send(std::string(9'000'000, 'z')) == send_status::ok)); // beyond the bound, on an empty queue
  link.ours->flush();
  BOOST_TEST(link.ours->queued_bytes() > 10'000u);
  BOOST_TEST((link.ours->send("more") == send_status::overflow));
  auto got = std::size_t{0};
  link.settle_until([&] { return (got += link.peer_reads().size()) == 9'000'000; });
  BOOST_TEST(got == 9'000'000u);
}

BOOST_AUTO_TEST_CASE(whoever_empties_the_queue_the_receiver_hears_of_it) {
  auto link = connected{};
  BOOST_TEST((link.ours->send(std::string(9'000'000, 'z')) == send_status::ok));
  link.ours->flush();
  BOOST_TEST(link.ours->queued_bytes() > 0u);
  auto got = std::size_t{0};
  while (link.ours->queued_bytes() > 0) { // Another thread than the reactor's: its own event comes too late.
    got += link.peer_reads().size();
    link.ours->flush();
  }
  link.settle_until([&] { return link.seen->drained == 1; });
  BOOST_TEST(link.seen->drained == 1);
}

BOOST_FIXTURE_TEST_CASE(what_a_lost_peer_did_not_take_has_not_gone_out, plain_link) {
  BOOST_TEST((ours->send_and_flush(much) == send_status::ok));
  BOOST_TEST(ours->queued_bytes() > 0u);
  peer.reset();
  ours->flush(); // which may find out first
  BOOST_TEST(ours->queued_bytes() > 0u);
  settle_until([&] { return !seen->closed.empty(); });
  BOOST_TEST(seen->drained == 0);
  BOOST_TEST(seen->closed.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(one_long_turn_is_no_slow_reader, connected) {
  ours->set_output_bytes_max(1000);
  seen->react = [](transport& self, std::string_view) {
    for (auto i = 0; i < 10; ++i)
      BOOST_TEST((self.send(std::string(600, 'a')) == send_status::ok));
  };
  peer_writes("go");
  settle();
  BOOST_TEST(peer_reads().size() == 6000u);
}

BOOST_FIXTURE_TEST_CASE(the_peers_end_is_told_once_and_last, plain_link) {
  peer_writes("bye");
  peer.reset();
  settle();
  BOOST_TEST(seen->bytes == "bye");
  BOOST_REQUIRE(seen->closed.size() == 1u);
  BOOST_TEST((seen->closed[0] == close_reason::peer_closed));
  BOOST_TEST(seen->is_destroyed);
  BOOST_TEST(home.guests() == 0u);
  BOOST_TEST((ours->send("late") == send_status::closed));
}

BOOST_FIXTURE_TEST_CASE(an_answer_to_the_last_bytes_still_goes_out, plain_link) {
  seen->react = [](transport& self, std::string_view) { self.send("answer"); };
  peer_writes("question");
  ::shutdown(peer.get(), SHUT_WR);
  settle();
  BOOST_TEST(peer_reads() == "answer");
  BOOST_TEST(seen->is_destroyed);
}

BOOST_FIXTURE_TEST_CASE(close_sends_everything_and_waits_for_the_peer, plain_link) {
  ours->send_and_flush(much);
  ours->close("</stream>", 5000);
  auto got = std::string{};
  settle_until([&] { return (got += peer_reads()).size() == much.size() + 9; });
  BOOST_TEST(got.ends_with("x</stream>"));
  settle();
  BOOST_TEST(seen->closed.empty()); // The peer has not closed yet.
  char c;
  BOOST_TEST(::recv(peer.get(), &c, 1, 0) == 0);
  peer_writes("ignored");
  peer.reset();
  settle();
  BOOST_REQUIRE(seen->closed.size() == 1u);
  BOOST_TEST((seen->closed[0] == close_reason::closed_here));
  BOOST_TEST(seen->bytes.empty());
}

BOOST_FIXTURE_TEST_CASE(close_waits_no_longer_than_its_grace, plain_link) {
  ours->close({}, 5000);
  settle();
  hand_clock_ms += 4000;
  settle();
  BOOST_TEST(seen->closed.empty());
  hand_clock_ms += 1500;
  settle();
  BOOST_TEST(seen->closed.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_delivered_after_close, plain_link) {
  seen->react = [](transport& self, std::string_view) { self.close("bye", 1000); };
  peer_writes("one");
  settle();
  peer_writes("two");
  settle();
  BOOST_TEST(seen->bytes == "one");
}

BOOST_FIXTURE_TEST_CASE(abort_ends_both_directions, plain_link) {
  seen->react = [](transport& self, std::string_view) {
    self.abort();
    BOOST_TEST((self.send("late") == send_status::closed));
  };
  peer_writes("one");
  settle();
  BOOST_REQUIRE(seen->closed.size() == 1u);
  BOOST_TEST((seen->closed[0] == close_reason::aborted));
}

BOOST_FIXTURE_TEST_CASE(a_deadline_comes_whatever_the_traffic, plain_link) {
  ours->set_deadline(30'000);
  settle();
  for (auto i = 0; i < 29; ++i) {
    hand_clock_ms += 1000;
    peer_writes(" ");
    settle();
  }
  BOOST_TEST(seen->deadlines == 0);
  hand_clock_ms += 1500;
  settle();
  BOOST_TEST(seen->deadlines == 1);
}

BOOST_FIXTURE_TEST_CASE(a_deadline_can_be_taken_back, plain_link) {
  ours->set_deadline(30'000);
  settle();
  ours->set_deadline(0);
  settle();
  hand_clock_ms += 60'000;
  settle();
  BOOST_TEST(seen->deadlines == 0);
}

BOOST_FIXTURE_TEST_CASE(a_paused_connection_reads_nothing_until_resumed, plain_link) {
  ours->pause_reading();
  ::send(peer.get(), "one", 3, 0);
  settle();
  BOOST_TEST(seen->bytes.empty());
  ours->resume_reading();
  settle();
  BOOST_TEST(seen->bytes == "one");
}

BOOST_FIXTURE_TEST_CASE(a_paused_connection_still_notices_a_lost_peer, plain_link) {
  ours->pause_reading();
  peer.reset();
  settle();
  BOOST_TEST(seen->closed.size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_limiter_is_told_of_the_end) {
  auto limiter = accept_limiter{{}};
  BOOST_REQUIRE((limiter.admit(address{}, 0) == accept_limiter::verdict::admitted));
  auto options = connection_options{};
  options.limiter = &limiter;
  auto link = connected{options};
  BOOST_TEST(limiter.open_connections() == 1u);
  link.peer.reset();
  link.settle();
  BOOST_TEST(limiter.open_connections() == 0u);
}

BOOST_AUTO_TEST_CASE(connections_may_outlive_their_reactor) {
  auto seen = std::make_shared<record>();
  auto ours = std::shared_ptr<connection>{};
  {
    auto link = connected{};
    seen = link.seen;
    ours = link.ours;
  }
  BOOST_TEST(seen->closed.size() == 1u);
  BOOST_TEST((ours->send("late") == send_status::closed));
  ours->close({}, 10);
  ours->set_deadline(10);
}

BOOST_AUTO_TEST_CASE(many_threads_may_send_while_input_is_read) {
  auto home = reactor{};
  auto [a, b] = socket_pair();
  auto seen = std::make_shared<record>();
  auto ours = connection::start(home, std::move(a), address{}, std::make_unique<recorder>(seen), roomy());
  auto turning = std::thread{[&] { home.run(); }};
  constexpr auto threads = 4;
  constexpr auto lines_each = 2000;
  auto senders = std::vector<std::thread>{};
  for (auto t = 0; t < threads; ++t)
    senders.emplace_back([&ours = ours, t] {
      for (auto i = 0; i < lines_each; ++i) {
        auto line = std::string(static_cast<std::size_t>(i % 300), static_cast<char>('a' + t)) + "\n";
        if (i % 2 == 0)
          ours->send(line);
        else
          ours->send_and_flush(line);
      }
    });
  auto got = std::string{};
  auto lines = 0;
  char part[4096];
  while (lines < threads * lines_each) {
    auto n = ::recv(b.get(), part, sizeof part, 0);
    if (n > 0) {
      got.append(part, static_cast<std::size_t>(n));
      lines += static_cast<int>(std::count(part, part + n, '\n'));
      ::send(b.get(), part, static_cast<std::size_t>(n), MSG_NOSIGNAL);
    }
  }
  for (auto& sender : senders)
    sender.join();
  for (auto at = std::size_t{0}; at < got.size();) {
    auto end = got.find('\n', at);
    BOOST_REQUIRE((std::all_of(got.begin() + static_cast<long>(at), got.begin() + static_cast<long>(end),
                               [&](char c) { return c == got[at]; })));
    at = end + 1;
  }
  ours->close({}, 0);
  home.stop();
  turning.join();
}

BOOST_AUTO_TEST_SUITE_END()
