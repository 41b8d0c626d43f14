#include "cluster/link.hpp"

#include "tests/cluster/link_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <future>
#include <thread>

using namespace xmpp;
using namespace xmpp::cluster;

namespace {

struct pair_of_nodes : mesh {
  pair_of_nodes() {
    introduce();
    BOOST_REQUIRE(until([this] { return are_linked(low, high); }));
  }
  test_node& low = add(1);
  test_node& high = add(2);
};

/// The second one's thread may stand still.
struct pair_apart : mesh {
  pair_apart() {
    introduce();
    BOOST_REQUIRE(until([this] { return are_linked(low, high); }));
  }
  test_node& low = add(1);
  test_node& high = add_apart(2);
};

/// As many as the channel takes.
std::size_t fill(test_node& from, const test_node& to, channel on, std::size_t bytes) {
  auto sent = std::size_t{0};
  while (from.links->send(to.id, on, std::to_string(sent) + std::string(bytes, 'x')))
    BOOST_REQUIRE(++sent < 100'000);
  return sent;
}

bool are_in_order(const std::vector<heard>& frames, channel on) {
  auto next = std::size_t{0};
  return std::all_of(frames.begin(), frames.end(),
                     [&](const heard& x) { return x.on != on || x.bytes.starts_with(std::to_string(next++)); });
}

bool has_words(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

/// Where nobody listens.
net::address closed_port() {
  auto nobody = value_of(net::listen(*net::address::parse("127.0.0.1", 0)));
  return value_of(net::local_address(nobody.get()));
}

std::string key_digest_of(const identity& who) {
  return value_of(net::read_certificate(who.certificate)).key_digest;
}

} // namespace

BOOST_AUTO_TEST_SUITE(link_)

BOOST_FIXTURE_TEST_CASE(two_members_link_and_both_hear_of_it_once, pair_of_nodes) {
  BOOST_TEST((low.ups == std::vector<node_id>{2}));
  BOOST_TEST((high.ups == std::vector<node_id>{1}));
  BOOST_TEST(low.downs.empty());
  auto seen = low.about(high);
  BOOST_TEST(seen.is_up);
  BOOST_TEST(seen.since_s == test_now_s);
  BOOST_TEST(seen.software == "troupe test");
}

BOOST_FIXTURE_TEST_CASE(frames_travel_both_ways_on_their_channels, pair_of_nodes) {
  BOOST_TEST(low.links->send(2, channel::urgent, "vote"));
  BOOST_TEST(low.links->send(2, channel::bulk, std::string("\0\xff", 2)));
  BOOST_TEST(high.links->send(1, channel::normal, ""));
  settle();
  BOOST_REQUIRE(high.frames.size() == 2u);
  BOOST_TEST(high.frames[0].bytes == "vote");
  BOOST_TEST((high.frames[0].on == channel::urgent));
  BOOST_TEST(high.frames[1].bytes == std::string("\0\xff", 2));
  BOOST_REQUIRE(low.frames.size() == 1u);
  BOOST_TEST((low.frames[0].on == channel::normal));
  BOOST_TEST(low.frames[0].from == 2u);
}

BOOST_FIXTURE_TEST_CASE(nothing_goes_to_who_is_not_linked, pair_of_nodes) {
  BOOST_TEST(!low.links->send(1, channel::urgent, "self"));
  BOOST_TEST(!low.links->send(3, channel::urgent, "unknown"));
  high.stop();
  settle();
  BOOST_TEST(!low.links->send(2, channel::urgent, "gone"));
  BOOST_TEST(low.about(high).refused == 1u);
}

BOOST_FIXTURE_TEST_CASE(order_within_a_channel_holds, pair_of_nodes) {
  for (auto round = 0; round < 20; ++round) {
    for (auto i = 0; i < 50; ++i)
      for (auto on : {channel::bulk, channel::normal, channel::urgent})
        BOOST_REQUIRE(low.links->send(2, on, std::to_string(round * 50 + i) + std::string(std::size_t(i) * 7, '-')));
    home.turn(0);
  }
  settle();
  for (auto on : {channel::urgent, channel::normal, channel::bulk}) {
    BOOST_TEST(high.frames_from(low, on) == 1000u);
    BOOST_TEST(are_in_order(high.frames, on));
  }
}

BOOST_FIXTURE_TEST_CASE(what_waits_goes_out_in_few_packs, pair_of_nodes) {
  settle();
  auto before = low.about(high).packs_out;
  for (auto i = 0; i < 1000; ++i)
    BOOST_REQUIRE(low.links->send(2, channel::normal, std::to_string(i)));
  settle();
  BOOST_TEST(high.frames.size() == 1000u);
  BOOST_TEST(low.about(high).packs_out == before + 1);
  BOOST_TEST(low.about(high).frames_out == 1000u);
  BOOST_TEST(high.about(low).frames_in == 1000u);
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_reads_nothing_fills_its_channel_and_no_more, pair_apart) {
  turns_apart = false;
  auto sent = std::size_t{0};
  // What the system's buffers take goes too: until nothing moves any more.
  for (auto before = sent + 1; before != sent;) {
    before = sent;
    while (low.links->send(2, channel::bulk, std::to_string(sent) + std::string(100'000, 'x')))
      ++sent;
    settle();
  }
  auto seen = low.about(high);
  BOOST_TEST(seen.waiting[2] <= low.options.channel_bytes_max);
  BOOST_TEST(seen.waiting[2] > low.options.channel_bytes_max - 200'000);
  BOOST_TEST(seen.waiting[0] == 0u);
  BOOST_TEST(low.links->send(2, channel::urgent, "still")); // A full channel is its own affair.
  turns_apart = true;
  BOOST_TEST(until([&] { return high.frames_from(low, channel::bulk) == sent; }));
  BOOST_TEST(are_in_order(high.frames, channel::bulk));
  BOOST_TEST(low.downs.empty());
}

BOOST_FIXTURE_TEST_CASE(urgent_overtakes_normal_and_normal_bulk, pair_apart) {
  turns_apart = false;
  auto sent = fill(low, high, channel::bulk, 100'000);
  settle();
  sent += 0;
  auto normal = fill(low, high, channel::normal, 100'000);
  BOOST_TEST(low.links->send(2, channel::urgent, "now"));
  turns_apart = true;
  BOOST_TEST(until([&] { return high.frames.size() == sent + normal + 1; }));
  auto place_of = [&](channel on, bool last) {
    auto is_one = [&](const heard& x) { return x.on == on; };
    auto& all = high.frames;
    return last ? std::size_t(all.rend() - std::find_if(all.rbegin(), all.rend(), is_one))
                : std::size_t(std::find_if(all.begin(), all.end(), is_one) - all.begin());
  };
  BOOST_TEST(place_of(channel::urgent, false) < place_of(channel::normal, false));
  BOOST_TEST(place_of(channel::normal, true) < place_of(channel::bulk, true));
  BOOST_TEST(high.frames.size() - place_of(channel::normal, true) > 50u); // bulk that had to wait
  BOOST_TEST(are_in_order(high.frames, channel::normal));
  BOOST_TEST(are_in_order(high.frames, channel::bulk));
}

BOOST_AUTO_TEST_CASE(a_frame_at_the_limit_arrives_and_one_above_is_not_taken) {
  auto around = mesh{};
  auto small = [](link_options& x) { x.frame_bytes_max = 1000; };
  auto& low = around.add(1, small);
  auto& high = around.add(2, small);
  around.introduce();
  BOOST_REQUIRE(around.until([&] { return around.are_linked(low, high); }));
  BOOST_TEST(low.links->send(2, channel::normal, std::string(1000, 'x')));
  BOOST_TEST(!low.links->send(2, channel::normal, std::string(1001, 'x')));
  around.settle();
  BOOST_TEST(high.frames.size() == 1u);
  BOOST_TEST(high.downs.empty());
}

BOOST_AUTO_TEST_CASE(who_sends_a_frame_above_the_limit_is_cut) {
  auto around = mesh{};
  auto& low = around.add(1, [](link_options& x) { x.frame_bytes_max = 2000; });
  auto& high = around.add(2, [](link_options& x) { x.frame_bytes_max = 1000; });
  around.introduce();
  BOOST_REQUIRE(around.until([&] { return around.are_linked(low, high); }));
  BOOST_TEST(low.links->send(2, channel::normal, std::string(1001, 'x')));
  around.settle();
  BOOST_TEST(high.frames.empty());
  BOOST_REQUIRE(high.downs.size() == 1u);
  BOOST_TEST(has_words(high.downs[0].second, "too long"));
  BOOST_TEST(low.downs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(nodes_that_cut_each_other_do_not_dial_without_a_pause) {
  auto around = mesh{};
  auto& low = around.add(1, [](link_options& x) { x.frame_bytes_max = 2000; });
  auto& high = around.add(2, [](link_options& x) { x.frame_bytes_max = 1000; });
  around.introduce();
  around.until(
      [&] {
        low.links->send(2, channel::normal, std::string(1001, 'x'));
        return false;
      },
      10'000);
  BOOST_TEST(high.downs.size() >= 5u);
  BOOST_TEST(high.downs.size() <= 30u);
}

BOOST_FIXTURE_TEST_CASE(a_closed_connection_is_told_at_once, pair_of_nodes) {
  high.stop();
  settle(); // No time passes.
  BOOST_REQUIRE(low.downs.size() == 1u);
  BOOST_TEST(low.downs[0].first == 2u);
  BOOST_TEST(has_words(low.downs[0].second, "this node is going"));
  BOOST_TEST(!low.about(high).is_up);
  BOOST_TEST(low.about(high).losses == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_node_that_comes_back_is_linked_again, pair_of_nodes) {
  low.links->send(2, channel::normal, "lost");
  high.stop();
  BOOST_TEST(until([&] { return low.about(high).last_failure != ""; }));
  high.start();
  high.links->set_peers({low.as_peer()});
  BOOST_TEST(until([&] { return are_linked(low, high); }, 3'000));
  BOOST_TEST((low.ups == std::vector<node_id>{2, 2}));
  high.frames.clear();
  BOOST_TEST(low.links->send(2, channel::normal, "0"));
  settle();
  BOOST_REQUIRE(high.frames.size() == 1u);
  BOOST_TEST(high.frames[0].bytes == "0");
}

BOOST_FIXTURE_TEST_CASE(a_node_that_comes_back_does_the_dialing_itself_where_nobody_else_can, pair_of_nodes) {
  low.links->set_peers({{2, {}}}); // No address: low waits.
  high.stop();
  settle();
  high.start();
  high.links->set_peers({low.as_peer()});
  BOOST_TEST(until([&] { return are_linked(low, high); }, 3'000));
  BOOST_TEST(!low.about(high).is_dialed);
}

BOOST_FIXTURE_TEST_CASE(a_silent_peer_is_down_after_its_time_and_linked_again_when_it_speaks, pair_apart) {
  BOOST_TEST(until([] { return false; }, 5'000) == false); // Idle links stay.
  BOOST_TEST(low.downs.empty());
  turns_apart = false;
  BOOST_TEST(!until([&] { return !low.downs.empty(); }, 850));
  BOOST_TEST(until([&] { return !low.downs.empty(); }, 450));
  BOOST_TEST(has_words(low.downs[0].second, "nothing heard"));
  turns_apart = true;
  BOOST_TEST(until([&] { return are_linked(low, high); }, 5'000));
  BOOST_TEST(high.downs.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(what_a_node_finds_after_it_stood_still_is_not_looked_at, pair_apart) {
  turns_apart = false;
  BOOST_TEST(low.links->send(high.id, channel::normal, "too late"));
  BOOST_TEST(until([&] { return !low.downs.empty(); }, 5'000));
  turns_apart = true;
  BOOST_TEST(until([&] { return are_linked(low, high); }, 5'000));
  BOOST_TEST(low.links->send(high.id, channel::normal, "in time"));
  settle();
  BOOST_REQUIRE(high.frames.size() == 1u);
  BOOST_TEST(high.frames[0].bytes == "in time");
}

BOOST_FIXTURE_TEST_CASE(a_pause_shorter_than_that_is_nothing, pair_apart) {
  for (auto i = 0; i < 5; ++i) {
    turns_apart = false;
    BOOST_TEST(!until([] { return false; }, 800));
    turns_apart = true;
    BOOST_TEST(!until([] { return false; }, 500));
  }
  BOOST_TEST(low.downs.empty());
  BOOST_TEST(high.downs.empty());
}

BOOST_FIXTURE_TEST_CASE(heartbeats_measure_the_round_trip, pair_apart) {
  turns_apart = false;
  BOOST_TEST(!until([] { return false; }, 300)); // A ping waits for its answer.
  turns_apart = true;
  settle();
  BOOST_TEST(low.about(high).round_trip_us >= 10'000u);
  BOOST_TEST(low.about(high).round_trip_us <= 300'000u);
}

BOOST_AUTO_TEST_CASE(when_both_dial_at_once_one_link_is_left) {
  for (auto round = 0; round < 10; ++round) {
    auto around = mesh{};
    auto& low = around.add(1, [](link_options& x) { x.retry_min_ms = 0; });
    auto& high = around.add(2, [](link_options& x) { x.retry_min_ms = 0; });
    around.introduce();
    BOOST_REQUIRE(around.until([&] { return around.are_linked(low, high); }));
    around.until([] { return false; }, 3'000);
    BOOST_TEST(low.ups.size() == 1u);
    BOOST_TEST(high.ups.size() == 1u);
    BOOST_TEST(low.downs.empty());
    BOOST_TEST(high.downs.empty());
    BOOST_TEST(low.about(high).is_dialed != high.about(low).is_dialed); // The same connection.
    low.links->send(2, channel::normal, "a");
    high.links->send(1, channel::normal, "b");
    around.settle();
    BOOST_TEST(high.frames.size() == 1u);
    BOOST_TEST(low.frames.size() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_began_anew_takes_the_place_of_what_is_left_of_it) {
  for (auto [stays, returns] : {std::pair<node_id, node_id>{1, 2}, {2, 1}}) {
    auto around = mesh{};
    auto& one = around.add(stays);
    auto& before = around.add_apart(returns);
    around.introduce();
    BOOST_REQUIRE(around.until([&] { return around.are_linked(one, before); }));
    around.turns_apart = false; // Its machine has lost its power: nobody says that it is gone.
    auto& after = around.add(returns);
    after.links->set_peers({one.as_peer()});
    BOOST_TEST(around.until([&] { return after.links->is_up(stays); }, 500));
    BOOST_REQUIRE(one.downs.size() == 1u);
    BOOST_TEST(has_words(one.downs[0].second, "another link"));
    BOOST_TEST(one.ups.size() == 2u);
    BOOST_TEST(one.links->send(returns, channel::normal, "hello again"));
    around.settle();
    BOOST_TEST(after.frames.size() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(three_nodes_link_each_with_each) {
  auto around = mesh{};
  for (auto id : {7, 5, 6})
    around.add(node_id(id));
  around.introduce();
  auto& all = around.nodes;
  BOOST_REQUIRE(around.until([&] {
    return around.are_linked(*all[0], *all[1]) && around.are_linked(*all[0], *all[2]) &&
           around.are_linked(*all[1], *all[2]);
  }));
  for (auto& from : all)
    for (auto& to : all)
      BOOST_TEST(from->links->send(to->id, channel::normal, "x") == (from != to));
  around.settle();
  for (auto& one : all) {
    BOOST_TEST(one->frames.size() == 2u);
    BOOST_TEST(one->ups.size() == 2u);
  }
  all[1]->stop();
  around.settle();
  BOOST_TEST(around.are_linked(*all[0], *all[2]));
  BOOST_TEST(all[0]->downs.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(who_is_no_member_any_more_is_cut_and_not_let_in_again, pair_of_nodes) {
  low.links->set_peers({});
  settle();
  BOOST_REQUIRE(low.downs.size() == 1u);
  BOOST_TEST(has_words(low.downs[0].second, "no member"));
  BOOST_REQUIRE(high.downs.size() == 1u);
  BOOST_TEST(has_words(high.downs[0].second, "no member"));
  BOOST_TEST(!until([&] { return are_linked(low, high); }, 5'000));
  BOOST_TEST(has_words(high.about(low).last_failure, "is no member here"));
  BOOST_REQUIRE(high.refusals.size() == 1u); // not each time
  BOOST_TEST(has_words(high.refusals[0], "is no member here"));
  BOOST_TEST(low.links->status().empty());
}

BOOST_AUTO_TEST_CASE(members_that_may_not_link_are_refused) {
  auto around = mesh{};
  auto& low = around.add(1);
  auto& high = around.add(2);
  low.may_link = [](node_id) { return false; };
  around.introduce();
  BOOST_TEST(!around.until([&] { return high.links->is_up(1); }, 3'000));
  BOOST_TEST(low.ups.empty());
  low.may_link = {};
  BOOST_TEST(around.until([&] { return around.are_linked(low, high); }, 3'000));
}

BOOST_AUTO_TEST_CASE(another_version_is_refused_with_words) {
  auto around = mesh{};
  auto& low = around.add(1);
  auto& high = around.add(2, [](link_options& x) { x.version = 2; });
  around.introduce();
  BOOST_TEST(!around.until([&] { return low.links->is_up(2) || high.links->is_up(1); }, 3'000));
  BOOST_TEST(has_words(low.about(high).last_failure, "link version"));
  BOOST_TEST(has_words(high.about(low).last_failure, "link version"));
}

BOOST_AUTO_TEST_CASE(another_member_at_the_address_is_noticed) {
  auto around = mesh{};
  auto& one = around.add(1);
  auto& three = around.add(3);
  one.links->set_peers({{2, {three.at}}});
  three.links->set_peers({{1, {}}});
  BOOST_TEST(!around.until([&] { return one.links->is_up(2); }, 2'000));
  BOOST_REQUIRE(one.links->status().size() == 1u);
  BOOST_TEST(has_words(one.links->status()[0].last_failure, "should be"));
  BOOST_TEST(three.ups.empty());
}

BOOST_AUTO_TEST_CASE(the_next_address_is_tried_when_one_fails) {
  auto around = mesh{};
  auto& low = around.add(1);
  auto& high = around.add(2);
  high.links->set_peers({{1, {}}});
  auto nobody = value_of(net::listen(*net::address::parse("127.0.0.1", 0)));
  auto closed = value_of(net::local_address(nobody.get()));
  nobody.reset();
  low.links->set_peers({{2, {closed, high.at}}});
  BOOST_TEST(around.until([&] { return around.are_linked(low, high); }, 2'000));
}

BOOST_AUTO_TEST_CASE(members_that_have_all_moved_find_each_other_by_the_seeds) {
  auto around = mesh{};
  auto nodes = std::vector<test_node*>{};
  for (auto id : {1, 2, 3})
    nodes.push_back(&around.add(node_id(id)));
  auto moved = closed_port();
  auto seeds = std::vector<net::address>{closed_port(), nodes[0]->at, nodes[1]->at, nodes[2]->at};
  for (auto one : nodes)
    one->links->set_peers({{1, {moved}}, {2, {moved}}, {3, {}}});
  BOOST_TEST(!around.until([&] { return around.are_linked(*nodes[0], *nodes[1]); }, 3'000));
  for (auto one : nodes)
    one->links->set_seeds(seeds);
  auto all = [&] {
    return around.are_linked(*nodes[0], *nodes[1]) && around.are_linked(*nodes[0], *nodes[2]) &&
           around.are_linked(*nodes[1], *nodes[2]);
  };
  BOOST_TEST(around.until(all, 15'000));
}

BOOST_AUTO_TEST_CASE(seeds_are_not_tried_while_an_address_of_the_peer_answers) {
  auto around = mesh{};
  auto& low = around.add(1);
  auto& high = around.add(2);
  auto& other = around.add(3);
  low.links->set_seeds({other.at});
  low.links->set_peers({{2, {high.at}}});
  high.links->set_peers({{1, {}}});
  BOOST_TEST(around.until([&] { return around.are_linked(low, high); }));
  BOOST_TEST(other.strangers.empty());
  BOOST_TEST(low.about(high).last_failure.empty());
}

BOOST_FIXTURE_TEST_CASE(a_link_ends_when_it_turns_out_that_the_key_is_not_the_members, pair_of_nodes) {
  low.links->set_peers({{2, {high.at}, std::string(32, 'x')}});
  BOOST_TEST(until([&] { return !low.downs.empty() && !high.downs.empty(); }));
  BOOST_TEST(has_words(low.downs[0].second, "its key is not the one"));
  BOOST_TEST(!until([&] { return are_linked(low, high); }, 5'000));
  low.links->set_peers({{2, {high.at}, key_digest_of(high.options.self)}});
  BOOST_TEST(until([&] { return are_linked(low, high); }, 5'000));
}

BOOST_FIXTURE_TEST_CASE(a_renewed_certificate_serves_what_connects_from_then_on, pair_of_nodes) {
  auto again = member_of(test_authority(), 1);
  BOOST_TEST(bool{low.links->set_identity(again)});
  settle();
  BOOST_TEST(are_linked(low, high));
  auto peer = raw_peer{*this, low};
  auto shown = shown_by(high.options.self);
  BOOST_REQUIRE(peer.shake_hands(shown));
  BOOST_TEST(peer.peer_certificate() == again.certificate);
  BOOST_TEST(!low.links->set_identity(member_of(test_authority(), 2)));
}

// -- strangers --------------------------------------------------------------------------------------------------------

namespace {

struct one_node : mesh {
  test_node& aut = add(1, [](link_options& x) { x.strangers_max = 4; });
  one_node() {
    aut.links->set_peers({{2, {}}});
    settle();
  }
  ~one_node() {
    BOOST_TEST(aut.frames.empty());
    BOOST_TEST(aut.ups.empty());
    BOOST_TEST(!aut.links->is_up(2));
  }
};

std::string greeting_of(node_id node, cluster_id cluster = test_authority().cluster) {
  return hello{link_version, cluster, node, 1, "raw"}.encode();
}

} // namespace

BOOST_FIXTURE_TEST_CASE(a_client_of_xmpp_is_cut, one_node) {
  auto peer = raw_peer{*this, aut};
  peer.write("<?xml version='1.0'?><stream:stream to='example.com' xmlns='jabber:client'>");
  BOOST_TEST(peer.is_closed());
  BOOST_TEST(aut.links->strangers_cut() == 1u);
}

BOOST_FIXTURE_TEST_CASE(plain_frames_are_cut, one_node) {
  auto peer = raw_peer{*this, aut};
  auto bytes = std::string{};
  append_frame(bytes, frame_kind::hello, greeting_of(2));
  append_frame(bytes, frame_kind::urgent, "vote");
  peer.write(bytes);
  BOOST_TEST(peer.is_closed());
}

BOOST_FIXTURE_TEST_CASE(garbage_is_cut, one_node) {
  auto cut = 0u;
  for (auto first : {0x00, 0x16, 0x17, 0x80, 0xff}) {
    auto peer = raw_peer{*this, aut};
    auto bytes = std::string(1, char(first)) + "\x03\x01" + net::random_bytes(70'000);
    peer.write(bytes);
    cut += peer.is_closed() ? 1 : 0;
  }
  BOOST_TEST(cut == 5u);
}

BOOST_FIXTURE_TEST_CASE(who_says_nothing_is_cut_when_its_time_is_over, one_node) {
  auto peer = raw_peer{*this, aut};
  BOOST_TEST(!until([] { return false; }, 4'000));
  BOOST_TEST(!peer.is_closed());
  BOOST_TEST(until([&] { return peer.is_closed(); }, 1'500));
  BOOST_REQUIRE(aut.strangers.size() == 1u);
  BOOST_TEST(has_words(aut.strangers[0], "in time"));
}

BOOST_FIXTURE_TEST_CASE(who_shakes_hands_too_slowly_is_cut, one_node) {
  auto peer = raw_peer{*this, aut};
  auto tls = net::mutual_tls{value_of(net::mutual_tls_context::make(shown_by(member_of(test_authority(), 2)))),
                             net::mutual_tls::side::client, test_now_s};
  auto opening = std::string{};
  tls.handshake({}, opening);
  auto sent = std::size_t{0};
  for (; sent < opening.size() && !peer.is_closed(); ++sent) {
    peer.write(opening.substr(sent, 1));
    until([] { return false; }, 100);
  }
  BOOST_TEST(peer.is_closed());
  BOOST_TEST(sent < 60u);
}

BOOST_FIXTURE_TEST_CASE(who_shows_no_certificate_is_cut, one_node) {
  auto peer = raw_peer{*this, aut};
  auto options = shown_by(aut.options.self);
  options.certificate = options.private_key = {};
  peer.shake_hands(options); // In TLS 1.3 the client is done before the server has judged it.
  peer.say(frame_kind::hello, greeting_of(2));
  peer.say(frame_kind::urgent, "vote");
  BOOST_TEST(peer.is_closed());
}

BOOST_FIXTURE_TEST_CASE(a_certificate_of_another_authority_is_cut, one_node) {
  auto other = value_of(make_cluster_authority(test_now_s));
  other.cluster = test_authority().cluster; // All the right names.
  auto peer = raw_peer{*this, aut};
  auto options = shown_by(member_of(other, 2));
  options.authority_certificate.clear();
  options.authority_fingerprint = value_of(net::fingerprint_of(test_authority().pair.certificate));
  peer.shake_hands(options);
  peer.say(frame_kind::hello, greeting_of(2));
  peer.say(frame_kind::urgent, "vote");
  BOOST_TEST(peer.is_closed());
  BOOST_TEST(aut.links->strangers_cut() == 1u);
}

BOOST_AUTO_TEST_CASE(an_expired_certificate_is_cut) {
  auto around = mesh{};
  auto& aut = around.add(1, [](link_options& x) { x.wall_clock_s = [] { return test_now_s + 91 * 24 * 3600; }; });
  aut.links->set_peers({{2, {}}});
  auto peer = raw_peer{around, aut};
  peer.shake_hands(shown_by(member_of(test_authority(), 2)));
  peer.say(frame_kind::hello, greeting_of(2));
  BOOST_TEST(peer.is_closed());
  BOOST_TEST(aut.ups.empty());
  BOOST_REQUIRE(aut.strangers.size() == 1u);
  BOOST_TEST(has_words(aut.strangers[0], "expired"));
}

BOOST_FIXTURE_TEST_CASE(a_node_that_is_no_member_is_refused_with_words, one_node) {
  auto peer = raw_peer{*this, aut};
  BOOST_REQUIRE(peer.shake_hands(shown_by(member_of(test_authority(), 3))));
  peer.say(frame_kind::hello, greeting_of(3));
  auto said = peer.listen();
  BOOST_REQUIRE(said.size() == 1u);
  BOOST_TEST((said[0].first == frame_kind::goodbye));
  BOOST_TEST(has_words(said[0].second, "no member here"));
  BOOST_TEST(peer.is_closed());
}

BOOST_FIXTURE_TEST_CASE(the_own_id_is_refused, one_node) {
  auto peer = raw_peer{*this, aut};
  BOOST_REQUIRE(peer.shake_hands(shown_by(member_of(test_authority(), 1))));
  auto said = peer.listen();
  BOOST_REQUIRE(said.size() == 1u);
  BOOST_TEST(has_words(said[0].second, "own id"));
}

// A member that was removed has the authority's key, and can make certificates for any id.
BOOST_AUTO_TEST_CASE(who_has_the_authoritys_key_and_not_the_members_is_refused) {
  auto around = mesh{};
  auto& aut = around.add(1);
  auto real = member_of(test_authority(), 2), forged = member_of(test_authority(), 2);
  aut.links->set_peers({{2, {}, key_digest_of(real)}});
  auto impostor = raw_peer{around, aut};
  BOOST_REQUIRE(impostor.shake_hands(shown_by(forged)));
  impostor.say(frame_kind::hello, greeting_of(2));
  auto said = impostor.listen();
  BOOST_REQUIRE(said.size() == 1u);
  BOOST_TEST(has_words(said[0].second, "its key is not the one"));
  BOOST_TEST(impostor.is_closed());
  auto member = raw_peer{around, aut};
  BOOST_REQUIRE(member.shake_hands(shown_by(real)));
  said = member.listen();
  BOOST_REQUIRE(said.size() == 1u);
  BOOST_TEST((said[0].first == frame_kind::hello));
}

BOOST_FIXTURE_TEST_CASE(a_greeting_of_another_node_than_the_certificates_is_refused, one_node) {
  auto peer = raw_peer{*this, aut};
  BOOST_REQUIRE(peer.shake_hands(shown_by(member_of(test_authority(), 2))));
  peer.say(frame_kind::hello, greeting_of(3));
  peer.say(frame_kind::urgent, "vote");
  auto said = peer.listen();
  BOOST_REQUIRE(said.size() == 2u); // its greeting
  BOOST_TEST(has_words(said[1].second, "another node"));
  auto other = raw_peer{*this, aut};
  BOOST_REQUIRE(other.shake_hands(shown_by(member_of(test_authority(), 2))));
  other.say(frame_kind::hello, greeting_of(2, test_authority().cluster + 1));
  BOOST_TEST(has_words(other.listen().back().second, "another node"));
}

BOOST_FIXTURE_TEST_CASE(a_member_says_nothing_before_its_greeting, one_node) {
  for (auto kind : {frame_kind::urgent, frame_kind::use, frame_kind::ping, frame_kind::join_request}) {
    auto peer = raw_peer{*this, aut};
    BOOST_REQUIRE(peer.shake_hands(shown_by(member_of(test_authority(), 2))));
    peer.say(kind, "12345678");
    BOOST_TEST(has_words(peer.listen().back().second, "out of place"));
  }
}

BOOST_FIXTURE_TEST_CASE(a_greeting_is_short, one_node) {
  auto peer = raw_peer{*this, aut};
  BOOST_REQUIRE(peer.shake_hands(shown_by(member_of(test_authority(), 2))));
  peer.say(frame_kind::hello, greeting_of(2) + std::string(2000, 'x'));
  BOOST_TEST(peer.is_closed());
}

BOOST_FIXTURE_TEST_CASE(who_speaks_for_no_application_is_cut, one_node) {
  auto peer = raw_peer{*this, aut};
  auto options = shown_by(member_of(test_authority(), 2));
  options.application = "h2";
  BOOST_TEST(!peer.shake_hands(options));
  BOOST_TEST(peer.is_closed());
}

BOOST_FIXTURE_TEST_CASE(nobody_joins_where_nobody_may, one_node) {
  auto peer = raw_peer{*this, aut};
  auto options = shown_by(member_of(test_authority(), 2));
  options.application = join_application;
  BOOST_TEST(!peer.shake_hands(options));
  BOOST_TEST(peer.is_closed());
}

BOOST_AUTO_TEST_CASE(of_too_many_strangers_the_oldest_goes_and_members_still_come_in) {
  auto around = mesh{};
  auto& aut = around.add(1, [](link_options& x) { x.strangers_max = 4; });
  auto& member = around.add(2);
  auto idle = std::vector<std::unique_ptr<raw_peer>>{};
  for (auto i = 0; i < 6; ++i)
    idle.push_back(std::make_unique<raw_peer>(around, aut));
  BOOST_TEST(aut.links->strangers_cut() == 2u);
  BOOST_TEST(idle[0]->is_closed());
  BOOST_TEST(idle[1]->is_closed());
  BOOST_TEST(!idle[2]->is_closed());
  aut.links->set_peers({{2, {}}});
  member.links->set_peers({aut.as_peer()});
  BOOST_TEST(around.until([&] { return around.are_linked(aut, member); }, 1'000));
  BOOST_TEST(aut.links->strangers_cut() == 3u);
}

BOOST_AUTO_TEST_CASE(one_address_dials_only_so_often) {
  auto around = mesh{};
  auto& aut = around.add(1, [](link_options& x) { x.dials_per_minute_max = 30; });
  auto closed = 0;
  for (auto i = 0; i < 10; ++i)
    closed += raw_peer{around, aut}.is_closed() ? 1 : 0;
  BOOST_TEST(closed == 7);
  BOOST_TEST(!around.until([] { return false; }, 2'000));
  BOOST_TEST(!(raw_peer{around, aut}.is_closed()));
}

BOOST_FIXTURE_TEST_CASE(strangers_change_nothing_for_a_link, pair_of_nodes) {
  for (auto i = 0; i < 20; ++i) {
    auto peer = raw_peer{*this, low};
    peer.write(net::random_bytes(500));
    low.links->send(2, channel::normal, std::to_string(i));
  }
  settle();
  BOOST_TEST(high.frames.size() == 20u);
  BOOST_TEST(low.downs.empty());
  BOOST_TEST(low.frames.empty());
}

// -- with threads of their own ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(many_threads_send_and_each_ones_order_holds) {
  constexpr auto senders = 3;
  constexpr auto each = 2000;
  auto by = test_authority();
  auto make = [&](node_id id, link_callbacks callbacks) {
    auto options = link_options{};
    options.self = member_of(by, id);
    options.listen = *net::address::parse("127.0.0.1", 0);
    options.wall_clock_s = [] { return test_now_s; };
    return value_of(links::start(options, std::move(callbacks)));
  };
  auto is_up = std::promise<void>{};
  auto is_done = std::promise<bool>{};
  auto next = std::vector<int>(senders, 0);
  auto count = 0;
  auto in_order = true;
  auto sending = link_callbacks{};
  sending.on_up = [&](node_id) { is_up.set_value(); };
  auto receiving = link_callbacks{};
  receiving.on_frame = [&](node_id, channel, std::string_view bytes) {
    auto who = std::size_t(bytes[0] - '0');
    in_order = in_order && std::string{bytes.substr(1)} == std::to_string(next[who]++);
    if (++count == senders * each)
      is_done.set_value(in_order);
  };
  auto to = make(2, receiving);
  auto from = make(1, sending);
  to->set_peers({{1, {}}});
  from->set_peers({{2, {to->listen_address()}}});
  is_up.get_future().wait();
  auto threads = std::vector<std::thread>{};
  for (auto who = 0; who < senders; ++who)
    threads.emplace_back([&, who] {
      for (auto i = 0; i < each; ++i)
        while (!from->send(2, channel::normal, std::to_string(who) + std::to_string(i)))
          std::this_thread::yield();
    });
  for (auto& one : threads)
    one.join();
  BOOST_TEST(is_done.get_future().get());
  BOOST_TEST(from->status()[0].frames_out == std::uint64_t(senders * each));
}

BOOST_AUTO_TEST_SUITE_END()
