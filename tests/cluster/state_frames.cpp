#include "cluster/state_frames.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;
using namespace xmpp::state_frames;

namespace {

chunk_answer example() {
  return {~0ULL, "after", "what", {std::string("\0bytes", 6), "last", true}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(frames_of_a_state)

BOOST_AUTO_TEST_CASE(come_back_as_they_were) {
  auto asked = decode_fetch(encode(fetch_request{7, 300, "after"}));
  BOOST_REQUIRE(asked.has_value());
  BOOST_TEST(asked->nonce == 7u);
  BOOST_TEST(asked->least == 300u);
  BOOST_TEST(asked->after == "after");
  auto part = decode_chunk(encode(example()));
  BOOST_REQUIRE(part.has_value());
  BOOST_TEST(part->nonce == ~0ULL);
  BOOST_TEST(part->after == "after");
  BOOST_TEST(part->what == "what");
  BOOST_TEST(part->chunk.bytes == example().chunk.bytes);
  BOOST_TEST(part->chunk.last_key == "last");
  BOOST_TEST(part->chunk.is_last);
  BOOST_TEST((decode_nonce(encode_nonce(9)) == 9u));
}

BOOST_AUTO_TEST_CASE(are_not_taken_in_part_or_with_more_behind_them) {
  auto fetch = encode(fetch_request{7, 300, "after"}), chunk = encode(example()), nonce = encode_nonce(9);
  for (auto i = std::size_t{0}; i < fetch.size(); ++i)
    BOOST_TEST(!decode_fetch(fetch.substr(0, i)));
  for (auto i = std::size_t{0}; i < chunk.size(); ++i)
    BOOST_TEST(!decode_chunk(chunk.substr(0, i)));
  for (auto i = std::size_t{0}; i < nonce.size(); ++i)
    BOOST_TEST(!decode_nonce(nonce.substr(0, i)));
  BOOST_TEST(!decode_fetch(fetch + "x"));
  BOOST_TEST(!decode_chunk(chunk + "x"));
  BOOST_TEST(!decode_nonce(nonce + "x"));
}

BOOST_AUTO_TEST_CASE(are_not_taken_from_a_later_version) {
  auto fetch = encode(fetch_request{7, 300, "after"}), chunk = encode(example()), nonce = encode_nonce(9);
  for (auto bytes : {&fetch, &chunk, &nonce})
    ++bytes->front();
  BOOST_TEST(!decode_fetch(fetch));
  BOOST_TEST(!decode_chunk(chunk));
  BOOST_TEST(!decode_nonce(nonce));
}

BOOST_AUTO_TEST_SUITE_END()
