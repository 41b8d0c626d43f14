#include "actors/shell/wire.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <sys/socket.h>
#include <unistd.h>

using namespace xmpp;
using namespace xmpp::shell;

BOOST_AUTO_TEST_SUITE(shell_wire)

BOOST_AUTO_TEST_CASE(frames_come_out_whole_however_their_bytes_arrive) {
  auto bytes = std::string{};
  append_frame(bytes, frame_type::command, "actors");
  append_frame(bytes, frame_type::stop, "");
  append_frame(bytes, frame_type::output, std::string(300, 'x'));
  for (auto cut = std::size_t{0}; cut <= bytes.size(); ++cut) {
    auto reader = frame_reader{client_frame_bytes_max};
    auto got = std::string{};
    for (auto part : {std::string_view{bytes}.substr(0, cut), std::string_view{bytes}.substr(cut)}) {
      reader.feed(part);
      while (reader.is_ready()) {
        auto next = reader.next();
        BOOST_REQUIRE(next && *next);
        got += char((*next)->type);
        got += std::to_string((*next)->payload.size());
      }
    }
    BOOST_TEST(got == "C6S0O300");
  }
}

BOOST_AUTO_TEST_CASE(a_frame_over_the_limit_is_refused_at_its_header) {
  auto reader = frame_reader{10};
  reader.feed(std::string_view{"\0\0\0\x0b"
                               "C",
                               5});
  BOOST_TEST(reader.is_ready());
  BOOST_TEST((reader.next().code() == errc::policy_violation));
}

BOOST_AUTO_TEST_CASE(what_a_client_says_of_itself_survives_the_way) {
  auto hello = client_hello{true, false, true, false, true, true, 132};
  auto read = decode_client_hello(encode(hello));
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->json);
  BOOST_TEST(!read->colour);
  BOOST_TEST(read->utf8);
  BOOST_TEST(!read->interactive);
  BOOST_TEST(read->screen);
  BOOST_TEST(read->one_shot);
  BOOST_TEST(read->width == 132);
  BOOST_TEST(!read->takes_bytes);
  hello.takes_bytes = true;
  BOOST_TEST(decode_client_hello(encode(hello))->takes_bytes);
}

BOOST_AUTO_TEST_CASE(another_version_is_told_from_nonsense) {
  auto text = encode(client_hello{});
  text[0] = 2;
  BOOST_TEST((decode_client_hello(text).code() == errc::unsupported_version));
  BOOST_TEST((decode_client_hello("").code() == errc::bad_request));
  BOOST_TEST((decode_client_hello(std::string{char(wire_version)}).code() == errc::bad_request));
}

BOOST_AUTO_TEST_CASE(completions_survive_the_way) {
  auto read = decode_completions(encode(completions{300, {"a b", "c"}}));
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->from == 300u);
  BOOST_TEST(read->words == (std::vector<std::string>{"a b", "c"}), boost::test_tools::per_element());
  BOOST_TEST((decode_completions("x").code() == errc::bad_request));
}

namespace {

struct two_links {
  two_links() {
    int ends[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    client = std::make_unique<shell::link>(ends[0], shell::link::side::client);
    server = std::make_unique<shell::link>(ends[1], shell::link::side::server);
  }
  std::unique_ptr<shell::link> client, server;
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_text_too_long_for_one_frame_goes_in_several, two_links) {
  auto text = std::string(client_frame_bytes_max + 10, 'x');
  BOOST_TEST(client->send(frame_type::command, text));
  auto got = frame{};
  BOOST_TEST((server->receive(got, -1) == shell::link::outcome::frame));
  BOOST_TEST(got.payload.size() == client_frame_bytes_max);
  BOOST_TEST((server->receive(got, -1) == shell::link::outcome::frame));
  BOOST_TEST(got.payload.size() == 10u);
}

BOOST_FIXTURE_TEST_CASE(a_key_is_noticed_before_frames_that_wait, two_links) {
  int keys[2];
  BOOST_REQUIRE(::pipe(keys) == 0);
  for (auto i = 0; i < 3; ++i)
    server->send(frame_type::output, "x");
  auto got = frame{};
  BOOST_TEST((client->receive(got, -1, {keys[0]}) == shell::link::outcome::frame));
  BOOST_REQUIRE(::write(keys[1], "q", 1) == 1);
  BOOST_TEST((client->receive(got, -1, {keys[0]}) == shell::link::outcome::other));
  char key = 0;
  BOOST_REQUIRE(::read(keys[0], &key, 1) == 1);
  BOOST_TEST((client->receive(got, -1, {keys[0]}) == shell::link::outcome::frame));
  BOOST_TEST((client->receive(got, -1, {keys[0]}) == shell::link::outcome::frame));
  BOOST_TEST((client->receive(got, 0, {keys[0]}) == shell::link::outcome::nothing));
  ::close(keys[0]);
  ::close(keys[1]);
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_other_side_is_an_outcome_not_a_signal, two_links) {
  server.reset();
  auto got = frame{};
  BOOST_TEST((client->receive(got, -1) == shell::link::outcome::closed));
  BOOST_TEST(!client->send(frame_type::stop, ""));
}

BOOST_AUTO_TEST_SUITE_END()
