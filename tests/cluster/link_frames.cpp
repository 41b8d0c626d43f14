#include "cluster/link_frames.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace xmpp::cluster;

namespace {

using status = frame_reader::status;

struct got {
  std::vector<std::pair<frame_kind, std::string>> frames;
  status last = status::nothing;
};

got read_in_parts(std::string_view bytes, std::size_t part, std::size_t bytes_max = 1000) {
  auto reader = frame_reader{bytes_max};
  auto out = got{};
  while (!bytes.empty() && out.last != status::too_long) {
    reader.feed(bytes.substr(0, part));
    bytes.remove_prefix(std::min(part, bytes.size()));
    auto one = frame_reader::frame{};
    while ((out.last = reader.next(one)) == status::frame)
      out.frames.emplace_back(one.kind, one.payload);
  }
  return out;
}

std::string frame(frame_kind kind, std::string_view payload) {
  auto out = std::string{};
  append_frame(out, kind, payload);
  return out;
}

std::vector<std::pair<frame_kind, std::string>> pack_of(outbox& from, std::size_t bytes) {
  auto pack = std::string{};
  from.take(pack, bytes);
  return read_in_parts(pack, pack.size(), 1u << 20).frames;
}

} // namespace

BOOST_AUTO_TEST_SUITE(link_frames)

BOOST_AUTO_TEST_CASE(frames_come_out_whole_however_the_bytes_are_cut) {
  auto bytes = frame(frame_kind::urgent, "one") + frame(frame_kind::normal, "") +
               frame(frame_kind::bulk, std::string(700, 'b')) + frame(frame_kind::use, {}) +
               frame(frame_kind::urgent, "last");
  auto whole = read_in_parts(bytes, bytes.size());
  BOOST_REQUIRE(whole.frames.size() == 5u);
  BOOST_TEST(whole.frames[0].second == "one");
  BOOST_TEST(whole.frames[1].second == "");
  BOOST_TEST(whole.frames[2].second == std::string(700, 'b'));
  BOOST_TEST(whole.frames[4].second == "last");
  for (auto part = std::size_t{1}; part < bytes.size(); ++part)
    BOOST_TEST((read_in_parts(bytes, part).frames == whole.frames), part);
}

BOOST_AUTO_TEST_CASE(a_frame_at_the_limit_is_taken_and_one_above_is_not) {
  BOOST_TEST(read_in_parts(frame(frame_kind::bulk, std::string(1000, 'x')), 64).frames.size() == 1u);
  auto above = read_in_parts(frame(frame_kind::bulk, std::string(1001, 'x')), 5);
  BOOST_TEST(above.frames.empty());
  BOOST_TEST((above.last == status::too_long));
}

BOOST_AUTO_TEST_CASE(a_huge_length_reserves_nothing_and_is_refused_by_its_head) {
  auto out = read_in_parts(std::string("\x10\xff\xff\xff\xff", 5), 1, 1u << 30);
  BOOST_TEST((out.last == status::too_long));
}

BOOST_AUTO_TEST_CASE(somebody_who_speaks_something_else_is_told_by_the_first_byte) {
  for (auto words : {"<?xml version='1.0'?>", "GET / HTTP/1.1\r\n", "\x16\x03\x01"}) {
    auto out = read_in_parts(words, 1);
    BOOST_TEST((out.last == status::too_long), words);
    BOOST_TEST(out.frames.empty());
  }
  BOOST_TEST((read_in_parts(std::string(1, '\0'), 1).last == status::too_long));
}

BOOST_AUTO_TEST_CASE(after_an_error_nothing_comes_any_more) {
  auto reader = frame_reader{10};
  auto one = frame_reader::frame{};
  reader.feed("x");
  BOOST_TEST((reader.next(one) == status::too_long));
  auto good = frame(frame_kind::use, {});
  reader.feed(good);
  BOOST_TEST((reader.next(one) == status::too_long));
}

BOOST_AUTO_TEST_CASE(a_hello_is_bytes_and_back) {
  auto said = hello{link_version, 1, 2, 3, "troupe 1"};
  auto bytes = said.encode();
  auto back = hello::decode(bytes);
  BOOST_REQUIRE(back);
  BOOST_TEST(back->cluster == 1u);
  BOOST_TEST(back->node == 2u);
  BOOST_TEST(back->process == 3u);
  BOOST_TEST(back->software == "troupe 1");
  BOOST_TEST(hello::decode(bytes + "what a later one adds").has_value());
  for (auto size = std::size_t{0}; size < bytes.size(); ++size)
    BOOST_TEST(!hello::decode(std::string_view{bytes}.substr(0, size)), size);
}

BOOST_AUTO_TEST_CASE(of_an_unknown_version_only_the_version_is_read) {
  auto read = hello::decode("\x07garbage");
  BOOST_REQUIRE(read);
  BOOST_TEST(int{read->version} == 7);
  BOOST_TEST(read->node == 0u);
}

BOOST_AUTO_TEST_CASE(a_peers_words_are_made_fit_for_a_log) {
  BOOST_TEST(fit_words("a\n\x1b[2J\xc3\xa4") == "a??[2J??");
  BOOST_TEST(fit_words(std::string(10'000, 'x')).size() == 200u);
  BOOST_TEST(hello::decode(hello{link_version, 1, 2, 3, "a\nb"}.encode())->software == "a?b");
}

BOOST_AUTO_TEST_CASE(times_have_eight_bytes) {
  BOOST_TEST(decode_time(encode_time(0x0102030405060708)).value() == 0x0102030405060708u);
  BOOST_TEST(!decode_time("1234567"));
  BOOST_TEST(!decode_time("123456789"));
}

BOOST_AUTO_TEST_CASE(urgent_overtakes_normal_and_normal_bulk_and_each_keeps_its_order) {
  auto box = outbox{1000};
  box.add(channel::bulk, "b1");
  box.add(channel::normal, "n1");
  box.add(channel::urgent, "u1");
  box.add(channel::bulk, "b2");
  box.add(channel::normal, "n2");
  box.add(channel::urgent, "u2");
  auto order = std::string{};
  for (auto& [kind, payload] : pack_of(box, 1000))
    order += payload + " ";
  BOOST_TEST(order == "u1 u2 n1 n2 b1 b2 ");
  BOOST_TEST(box.is_empty());
}

BOOST_AUTO_TEST_CASE(a_pack_is_as_full_as_whole_frames_make_it) {
  auto box = outbox{10'000};
  for (auto i = 0; i < 10; ++i)
    box.add(channel::normal, std::string(95, char('0' + i)));
  BOOST_TEST(pack_of(box, 350).size() == 3u);
  BOOST_TEST(box.waiting(channel::normal) == 700u);
  BOOST_TEST(pack_of(box, 300).size() == 3u);
  auto rest = pack_of(box, 1000);
  BOOST_REQUIRE(rest.size() == 4u);
  BOOST_TEST(rest[0].second == std::string(95, '6'));
}

BOOST_AUTO_TEST_CASE(a_frame_larger_than_a_pack_goes_alone) {
  auto box = outbox{10'000};
  box.add(channel::urgent, "u");
  box.add(channel::bulk, std::string(5000, 'x'));
  box.add(channel::bulk, "after");
  BOOST_TEST(pack_of(box, 100).size() == 1u);
  auto alone = pack_of(box, 100);
  BOOST_REQUIRE(alone.size() == 1u);
  BOOST_TEST(alone[0].second.size() == 5000u);
  BOOST_TEST(pack_of(box, 100).size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_less_urgent_does_not_slip_in_before_a_large_frame) {
  auto box = outbox{10'000};
  box.add(channel::urgent, "u");
  box.add(channel::urgent, std::string(5000, 'x'));
  box.add(channel::normal, "n");
  BOOST_TEST(pack_of(box, 100).size() == 1u);
  auto alone = pack_of(box, 100);
  BOOST_REQUIRE(alone.size() == 1u);
  BOOST_TEST((alone[0].first == frame_kind::urgent));
  BOOST_TEST(pack_of(box, 100).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_full_channel_takes_nothing_and_the_others_do) {
  auto box = outbox{100};
  BOOST_TEST(box.add(channel::bulk, std::string(95, 'x')));
  BOOST_TEST(!box.add(channel::bulk, ""));
  BOOST_TEST(box.waiting(channel::bulk) == 100u);
  BOOST_TEST(box.add(channel::urgent, "u"));
  BOOST_TEST(pack_of(box, 1000).size() == 2u);
  BOOST_TEST(box.add(channel::bulk, "again"));
  box.clear();
  BOOST_TEST(box.is_empty());
}

BOOST_AUTO_TEST_CASE(what_is_taken_while_more_is_added_keeps_its_order) {
  auto box = outbox{100'000};
  auto added = 0, taken = 0;
  for (auto round = 0; round < 200; ++round) {
    for (auto i = 0; i < 5; ++i)
      BOOST_REQUIRE(box.add(channel::normal, std::to_string(added++)));
    for (auto& [kind, payload] : pack_of(box, 30))
      BOOST_REQUIRE(payload == std::to_string(taken++));
  }
  for (auto& [kind, payload] : pack_of(box, 100'000))
    BOOST_REQUIRE(payload == std::to_string(taken++));
  BOOST_TEST(taken == added);
}

BOOST_AUTO_TEST_SUITE_END()
