#include "cluster/join.hpp"

#include "cluster/link.hpp"
#include "cluster/system_state.hpp"
#include "tests/cluster/link_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <mutex>

using namespace xmpp;
using namespace xmpp::cluster;

namespace {

bool has_words(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

announcement announced(node_id id, const std::vector<std::string>& addresses) {
  auto out = announcement{};
  out.id = id;
  out.addresses = addresses;
  return out;
}

/// A member with its own thread, which lets in whom the system group lets in.
struct member_side {
  member_side() : self(member_of(test_authority(), 1)) {
    auto init = ask::init{};
    init.id = id_text(test_authority().cluster);
    init.first = announced(1, {"127.0.0.1:5280"});
    init.certificate = value_of(net::read_certificate(self.certificate)).key_digest;
    decide(init);
    options.self = self;
    options.listen = *net::address::parse("127.0.0.1", 0);
    options.wall_clock_s = [] { return test_now_s; };
    callbacks.on_join = [this](const net::address&, const join_request& x, link_callbacks::join_reply reply) {
      auto guard = std::lock_guard{mutex};
      ++asked;
      if (!is_silent)
        reply(judge(x));
    };
    start();
  }
  void start() { links = value_of(cluster::links::start(options, callbacks)); }
  template <class What>
  void decide(const What& what) {
    auto done = apply(group, {test_now_s * 1000, what});
    if (!done)
      BOOST_FAIL(done.error().text);
  }
  net::outcome<join_answer> judge(const join_request& x) {
    auto known = group.find(x.node);
    auto key = check_key(x, known != nullptr ? known->certificate : std::string{});
    if (!key)
      return net::failure{key.why()};
    auto replaces = x.replaces.empty() ? node_id{0} : group.named(x.replaces).value_or(0);
    auto what = ask::join{hash_of_secret(x.secret), announced(x.node, x.addresses), *key, 0, replaces};
    if (auto done = apply(group, {(test_now_s + late_s) * 1000, what}); !done)
      return net::failure{done.error().text};
    return join_answer{value_of(issue(test_authority(), x.node, x.request, test_now_s)), {{1, {"127.0.0.1:5280"}}}, 64};
  }
  join_token invite() {
    auto token =
        value_of(make_join_token("127.0.0.1", links->listen_address().port(), test_authority().pair.certificate));
    auto guard = std::lock_guard{mutex};
    decide(ask::invite{hash_of_secret(token.secret), (test_now_s + 3600) * 1000});
    return token;
  }
  int times_asked() {
    auto guard = std::lock_guard{mutex};
    return asked;
  }

  identity self;
  link_options options;
  link_callbacks callbacks;
  std::mutex mutex;
  state group; // under it, and the rest
  int asked = 0;
  bool is_silent = false;
  std::int64_t late_s = 0;
  std::unique_ptr<cluster::links> links; // last: its thread ends first
};

join_options with(const join_token& token) {
  auto how = join_options{};
  how.token = token;
  how.self = value_of(make_identity());
  how.software = "troupe test";
  how.addresses = {"node2.example.com:5280"};
  how.now_s = test_now_s;
  return how;
}

} // namespace

BOOST_AUTO_TEST_SUITE(join_)

BOOST_AUTO_TEST_CASE(a_node_with_a_token_becomes_a_member) {
  auto there = member_side{};
  auto how = with(there.invite());
  auto done = value_of(join(how));
  BOOST_TEST(done.self.is_member());
  BOOST_TEST(done.self.node == how.self.node);
  BOOST_TEST(done.self.cluster == test_authority().cluster);
  BOOST_TEST(done.self.authority_certificate == test_authority().pair.certificate);
  BOOST_TEST(done.shard_count == 64u);
  BOOST_TEST((done.members == std::vector<member_addresses>{{1, {"127.0.0.1:5280"}}}));
  BOOST_TEST(bool{identity::decode(done.self.encode())});
  auto guard = std::lock_guard{there.mutex};
  BOOST_REQUIRE(there.group.find(how.self.node) != nullptr);
  BOOST_TEST(there.group.find(how.self.node)->says.addresses == how.addresses);
}

BOOST_AUTO_TEST_CASE(and_links_with_its_certificate) {
  auto there = member_side{};
  auto done = value_of(join(with(there.invite())));
  auto is_up = std::promise<void>{};
  auto callbacks = link_callbacks{};
  callbacks.on_up = [&](node_id) { is_up.set_value(); };
  auto options = link_options{};
  options.self = done.self;
  options.wall_clock_s = [] { return test_now_s; };
  auto here = value_of(links::start(options, callbacks));
  there.links->set_peers({{done.self.node, {}}});
  here->set_peers({{1, {there.links->listen_address()}}});
  is_up.get_future().wait();
  BOOST_TEST(here->is_up(1));
}

BOOST_AUTO_TEST_CASE(a_token_lets_one_node_in) {
  auto there = member_side{};
  auto token = there.invite();
  auto first = with(token);
  BOOST_TEST(bool{join(first)});
  auto second = join(with(token));
  BOOST_REQUIRE(!second);
  BOOST_TEST(has_words(second.why(), "the join token was used"));
  BOOST_TEST(bool{join(first)}); // Its answer may have been lost.
}

BOOST_AUTO_TEST_CASE(who_finds_a_used_token_does_not_become_the_node_that_used_it) {
  auto there = member_side{};
  auto token = there.invite();
  auto first = with(token);
  BOOST_TEST(bool{join(first)});
  auto finder = with(token);
  finder.self.node = first.self.node;
  auto refused = join(finder);
  BOOST_REQUIRE(!refused);
  BOOST_TEST(has_words(refused.why(), "with another key"));
}

BOOST_AUTO_TEST_CASE(a_node_takes_the_place_of_one_that_is_dead) {
  auto there = member_side{};
  auto dead = value_of(join(with(there.invite()))).self.node;
  auto how = with(there.invite());
  how.replaces = "2";
  auto done = value_of(join(how));
  auto guard = std::lock_guard{there.mutex};
  BOOST_TEST((there.group.find(dead)->is == standing::gone));
  BOOST_TEST((there.group.find(done.self.node)->is == standing::joining));
  BOOST_TEST(there.group.find(done.self.node)->number == 3u);
}

BOOST_AUTO_TEST_CASE(seeds_are_asked_when_the_tokens_member_is_not_there) {
  auto there = member_side{};
  auto how = with(there.invite());
  auto right = how.token.port;
  auto nobody = value_of(net::listen(*net::address::parse("127.0.0.1", 0)));
  how.token.port = value_of(net::local_address(nobody.get())).port();
  nobody.reset();
  auto refused = join(how);
  BOOST_TEST(has_words(refused.why(), "connect to 127.0.0.1:"));
  how.seeds = {"no seed", "127.0.0.1:" + std::to_string(how.token.port), "127.0.0.1:" + std::to_string(right)};
  BOOST_TEST(value_of(join(how)).self.is_member());
}

BOOST_AUTO_TEST_CASE(who_was_answered_asks_nobody_else) {
  auto there = member_side{};
  auto how = with(there.invite());
  how.token.secret = std::string(64, '0');
  how.seeds = {"127.0.0.1:" + std::to_string(how.token.port)};
  BOOST_TEST(has_words(join(how).why(), "no such join token"));
  BOOST_TEST(there.times_asked() == 1);
}

BOOST_AUTO_TEST_CASE(an_expired_token_is_refused) {
  auto there = member_side{};
  auto token = there.invite();
  there.late_s = 3600;
  auto refused = join(with(token));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(has_words(refused.why(), "has expired"));
}

BOOST_AUTO_TEST_CASE(an_unknown_secret_is_refused) {
  auto there = member_side{};
  auto token = there.invite();
  token.secret = std::string(64, '0');
  auto refused = join(with(token));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(has_words(refused.why(), "no such join token"));
}

BOOST_AUTO_TEST_CASE(who_shows_another_authority_never_hears_the_secret) {
  auto there = member_side{};
  auto token = there.invite();
  token.fingerprint = value_of(net::fingerprint_of(value_of(make_cluster_authority(test_now_s)).pair.certificate));
  auto refused = join(with(token));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(has_words(refused.why(), "authority"));
  BOOST_TEST(!has_words(refused.why(), token.secret));
  BOOST_TEST(there.times_asked() == 0);
}

BOOST_AUTO_TEST_CASE(a_member_whose_certificate_has_expired_is_not_trusted_by_its_authoritys_fingerprint) {
  auto there = member_side{};
  auto how = with(there.invite());
  how.now_s = test_now_s + 91 * 24 * 3600;
  BOOST_TEST(!join(how));
  BOOST_TEST(there.times_asked() == 0);
}

BOOST_AUTO_TEST_CASE(a_members_id_with_another_key_is_refused) {
  auto there = member_side{};
  auto how = with(there.invite());
  how.self.node = 1;
  auto refused = join(how);
  BOOST_REQUIRE(!refused);
  BOOST_TEST(has_words(refused.why(), "is a member already"));
}

BOOST_AUTO_TEST_CASE(a_decision_that_never_comes_ends_the_connection) {
  auto there = member_side{};
  there.is_silent = true;
  there.options.join_ms = 50;
  there.links.reset();
  there.start();
  auto refused = join(with(there.invite()));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(has_words(refused.why(), "ended the connection"));
}

BOOST_AUTO_TEST_CASE(where_nobody_answers_the_time_is_over_some_time) {
  auto silent = value_of(net::listen(*net::address::parse("127.0.0.1", 0)));
  auto token = value_of(make_join_token("127.0.0.1", value_of(net::local_address(silent.get())).port(),
                                        test_authority().pair.certificate));
  auto how = with(token);
  how.timeout_ms = 50;
  auto refused = join(how);
  BOOST_REQUIRE(!refused);
  BOOST_TEST(has_words(refused.why(), "in time"));
  silent.reset();
  BOOST_TEST(!join(how)); // Nobody listens.
}

BOOST_AUTO_TEST_CASE(a_request_that_is_none_is_refused_and_no_link_comes_of_it) {
  auto there = member_side{};
  auto around = mesh{};
  auto& aut = around.add(1);
  aut.stop();
  aut.options.home = &around.home;
  auto asked = 0;
  auto callbacks = link_callbacks{};
  callbacks.on_join = [&](const net::address&, const join_request&, link_callbacks::join_reply) { ++asked; };
  auto frames = 0;
  callbacks.on_frame = [&](node_id, channel, std::string_view) { ++frames; };
  auto here = value_of(links::start(aut.options, callbacks));
  here->set_peers({{2, {}}});
  auto options = net::mutual_tls_options{};
  options.authority_certificate = test_authority().pair.certificate;
  options.application = join_application;
  auto good = join_request{2, "secret", "request", "software", {}};
  auto cases = std::vector<std::pair<frame_kind, std::string>>{
      {frame_kind::join_request, "garbage"},
      {frame_kind::join_request, good.encode() + "x"},
      {frame_kind::hello, hello{link_version, test_authority().cluster, 2, 1, "raw"}.encode()},
      {frame_kind::urgent, "vote"},
      {frame_kind::join_request, std::string(join_bytes_max + 1, 'x')}};
  for (auto& [kind, payload] : cases) {
    auto peer = raw_peer{around, aut};
    BOOST_REQUIRE(peer.shake_hands(options));
    peer.say(kind, payload);
    BOOST_TEST(peer.is_closed());
  }
  auto peer = raw_peer{around, aut};
  BOOST_REQUIRE(peer.shake_hands(options));
  peer.say(frame_kind::join_request, good.encode());
  BOOST_TEST(!peer.is_closed());
  BOOST_TEST(asked == 1);
  peer.say(frame_kind::join_request, good.encode()); // Asks twice.
  BOOST_TEST(asked == 1);
  BOOST_TEST(frames == 0);
}

BOOST_AUTO_TEST_CASE(what_is_said_is_bytes_and_back) {
  auto x = join_request{5, "secret", "request", "software", {"a:1", "[::1]:2"}};
  auto bytes = x.encode();
  auto back = join_request::decode(bytes);
  BOOST_REQUIRE(back);
  BOOST_TEST(back->encode() == bytes);
  auto y = join_answer{"certificate", {{1, {"a:1"}}, {2, {}}}, 300, "shared"};
  auto answer = y.encode();
  auto answer_back = join_answer::decode(answer);
  BOOST_REQUIRE(answer_back);
  BOOST_TEST(answer_back->encode() == answer);
  for (auto size = std::size_t{0}; size < bytes.size(); ++size)
    BOOST_TEST(!join_request::decode(std::string_view{bytes}.substr(0, size)));
  for (auto size = std::size_t{0}; size < answer.size(); ++size)
    BOOST_TEST(!join_answer::decode(std::string_view{answer}.substr(0, size)));
  BOOST_TEST(!join_request::decode(bytes + "x"));
  BOOST_TEST(!join_answer::decode(answer + "x"));
  BOOST_TEST(!join_answer::decode(join_answer{"certificate", {}, 0}.encode()));
  BOOST_TEST(!join_answer::decode(join_answer{"certificate", {}, shard_count_max + 1}.encode()));
  BOOST_TEST(!join_request::decode(join_request{5, "s", "r", "s", std::vector<std::string>(17, "a")}.encode()));
  BOOST_TEST(!join_request::decode(join_request{5, "s", "r", "s", {std::string(301, 'a')}}.encode()));
  BOOST_TEST(!join_request::decode(join_request{0, "s", "r", "s", {}}.encode()));
  x.replaces = "00c3d2";
  auto replacing = x.encode();
  BOOST_REQUIRE(join_request::decode(replacing));
  BOOST_TEST(join_request::decode(replacing)->replaces == "00c3d2");
  for (auto size = std::size_t{0}; size < replacing.size(); ++size)
    BOOST_TEST(!join_request::decode(std::string_view{replacing}.substr(0, size)));
  BOOST_TEST(!join_request::decode(replacing + "x"));
  BOOST_TEST(!join_request::decode("\3" + replacing.substr(1)));
  x.replaces = std::string(17, '0');
  BOOST_TEST(!join_request::decode(x.encode()));
  for (auto i = std::size_t{0}; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] = static_cast<char>(~changed[i]);
    join_request::decode(changed);
    join_answer::decode(changed);
  }
}

BOOST_AUTO_TEST_SUITE_END()
