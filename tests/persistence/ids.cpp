#include "persistence/ids.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace std::literals;
using namespace xmpp;

BOOST_AUTO_TEST_SUITE(stored_ids)

BOOST_AUTO_TEST_CASE(ids_grow_with_time_and_within_a_millisecond) {
  auto ids = id_generator{7, 0};
  auto last = ids.next(1'000);
  for (const auto ms : {1'000, 1'000, 1'001, 2'000, 2'000}) {
    const auto next = ids.next(ms);
    BOOST_TEST((next > last));
    BOOST_TEST(next.bytes() > last.bytes());
    last = next;
  }
  BOOST_TEST(last.ms == 2'000);
}

BOOST_AUTO_TEST_CASE(a_clock_that_steps_back_makes_no_earlier_id) {
  auto ids = id_generator{7, 0};
  const auto last = ids.next(5'000);
  const auto next = ids.next(1'000);
  BOOST_TEST((next > last));
  BOOST_TEST(next.ms == 5'000);
  BOOST_TEST((ids.next(-1) > next));
}

BOOST_AUTO_TEST_CASE(a_counter_that_begins_anew_makes_no_earlier_id) {
  auto ids = id_generator{7, (std::uint64_t{1} << 48) - 2};
  const auto last = ids.next(1'000);
  const auto next = ids.next(1'000);
  BOOST_TEST((next > last));
  BOOST_TEST(next.ms == 1'001);
}

BOOST_AUTO_TEST_CASE(what_was_seen_in_the_store_comes_before) {
  auto ids = id_generator{7, 0};
  const auto seen = stored_id{9'000, ~std::uint64_t{0}};
  ids.observe(seen);
  BOOST_TEST((ids.next(1'000) > seen));
}

BOOST_AUTO_TEST_CASE(two_nodes_never_make_the_same) {
  auto one = id_generator{1, 0};
  auto other = id_generator{2, 0};
  for (auto i = 0; i < 100; ++i)
    BOOST_TEST((one.next(1'000) != other.next(1'000)));
}

BOOST_AUTO_TEST_CASE(an_id_survives_both_forms) {
  const auto id = stored_id{0x0000018bcfe56800, 0x0007000000000001};
  BOOST_TEST(id.text() == "0000018bcfe568000007000000000001");
  BOOST_TEST((*stored_id::from_text(id.text()) == id));
  BOOST_TEST((*stored_id::from_bytes(id.bytes()) == id));
}

BOOST_AUTO_TEST_CASE(other_text_is_no_id) {
  for (const auto& text : {""s, "0"s, std::string(31, '0'), std::string(33, '0'), std::string(32, 'g'),
                           "0000018BCFE568000007000000000001"s})
    BOOST_TEST((stored_id::from_text(text).code() == errc::corrupt_record));
  BOOST_TEST((stored_id::from_bytes("short").code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_SUITE_END()
