#include "persistence/codec.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace std::literals;
using namespace xmpp;

namespace {

const auto juliet = jid::from_prepared("juliet@example.com");

account_record some_account() {
  return {1'700'000'000'000, true, "\0credentials"s};
}

roster_item some_item() {
  auto out = roster_item{};
  out.contact = juliet;
  out.name = "Juliet";
  out.subscription = subscription::from;
  out.ask = true;
  out.groups = {"Friends", "", "Verona"};
  return out;
}

offline_message some_message() {
  return {jid::from_prepared("juliet@example.com/balcony"), jid::from_prepared("romeo@example.net"), -1, 17,
          "<message><body>O</body></message>"};
}

/// Every way to read bytes, by whether it took them.
std::vector<bool> read_all(std::string_view bytes) {
  return {codec::decode_account(bytes).has_value(),
          codec::decode_last_activity(bytes).has_value(),
          codec::decode_offline_summary(bytes).has_value(),
          codec::decode_offline_message(bytes).has_value(),
          codec::decode_pending_request("juliet@example.com", bytes).has_value(),
          codec::decode_roster_item("juliet@example.com", bytes).has_value(),
          codec::decode_block("juliet@example.com", bytes).has_value(),
          codec::decode_roster_version(bytes).has_value(),
          codec::decode_store_format(bytes).has_value()};
}

} // namespace

BOOST_AUTO_TEST_SUITE(codec_of_records)

BOOST_AUTO_TEST_CASE(each_record_comes_back_as_it_was) {
  BOOST_TEST((*codec::decode_account(codec::encode(some_account())) == some_account()));
  const auto activity = last_activity_record{42, "gone"};
  BOOST_TEST((*codec::decode_last_activity(codec::encode(activity)) == activity));
  const auto summary = offline_summary{300, 1'000'000'000'000};
  BOOST_TEST((*codec::decode_offline_summary(codec::encode(summary)) == summary));
  BOOST_TEST((*codec::decode_roster_item("juliet@example.com", codec::encode(some_item())) == some_item()));
  BOOST_TEST(*codec::decode_roster_version(codec::encode_roster_version(~std::uint64_t{0})) == ~std::uint64_t{0});
  BOOST_TEST(codec::decode_block("juliet@example.com", codec::encode_block())->text() == "juliet@example.com");
  BOOST_TEST(*codec::decode_plain(codec::encode_plain("\0x"sv)) == "\0x"sv);

  const auto message = codec::decode_offline_message(codec::encode(some_message()));
  BOOST_REQUIRE(message.has_value());
  BOOST_TEST(message->from.text() == "juliet@example.com/balcony");
  BOOST_TEST(message->to.text() == "romeo@example.net");
  BOOST_TEST(message->received_ms == -1);
  BOOST_TEST(message->expires_ms == 17);
  BOOST_TEST(message->xml == some_message().xml);

  const auto request = codec::decode_pending_request("juliet@example.com", codec::encode({juliet, 5, "<presence/>"}));
  BOOST_REQUIRE(request.has_value());
  BOOST_TEST(request->contact.text() == "juliet@example.com");
  BOOST_TEST(request->received_ms == 5);
  BOOST_TEST(request->xml == "<presence/>");

  const auto format = codec::decode_store_format(codec::encode(codec::store_format{1, 64}));
  BOOST_REQUIRE(format.has_value());
  BOOST_TEST(format->shard_count == 64);

  const auto entry = codec::decode_log_entry(3, 9, codec::encode_log_header(300, log_entry::kind::barrier) + "data");
  BOOST_REQUIRE(entry.has_value());
  BOOST_TEST(entry->term == 300);
  BOOST_TEST((entry->what == log_entry::kind::barrier));
  BOOST_TEST(entry->data == "data");
}

// The bytes of version 1: whoever changes them needs a version 2.
BOOST_AUTO_TEST_CASE(version_1_reads_like_the_table) {
  BOOST_TEST(codec::encode(some_item()) == "\x01\x06Juliet\x02\x01\x03\x07"
                                           "Friends\0\x06Verona"s);
  BOOST_TEST(codec::encode(offline_summary{300, 5}) == "\x01\xac\x02\x05");
  BOOST_TEST(codec::encode(last_activity_record{258, "x"}) == "\x01\0\0\0\0\0\0\x01\x02\x01x"s);
  BOOST_TEST(codec::encode_log_header(1, log_entry::kind::command) == "\x01\x01\x01");
}

BOOST_AUTO_TEST_CASE(a_message_from_the_server_itself_has_no_sender) {
  auto x = some_message();
  x.from = {};
  const auto back = codec::decode_offline_message(codec::encode(x));
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(back->from.empty());
}

BOOST_AUTO_TEST_CASE(a_record_cut_short_or_too_long_is_corrupt) {
  const auto whole = {codec::encode(some_account()),        codec::encode(some_message()),
                      codec::encode(some_item()),           codec::encode(last_activity_record{1, "x"}),
                      codec::encode(offline_summary{1, 1}), codec::encode(codec::store_format{1, 64})};
  auto which = 0;
  for (const auto& bytes : whole) {
    const auto is_whole = [&](std::string_view x) {
      switch (which) {
      case 0:
        return codec::decode_account(x).code();
      case 1:
        return codec::decode_offline_message(x).code();
      case 2:
        return codec::decode_roster_item("juliet@example.com", x).code();
      case 3:
        return codec::decode_last_activity(x).code();
      case 4:
        return codec::decode_offline_summary(x).code();
      default:
        return codec::decode_store_format(x).code();
      }
    };
    BOOST_TEST((is_whole(bytes) == errc::none));
    for (auto n = std::size_t{0}; n < bytes.size(); ++n)
      BOOST_TEST((is_whole(std::string_view{bytes}.substr(0, n)) == errc::corrupt_record));
    BOOST_TEST((is_whole(bytes + '\0') == errc::corrupt_record));
    auto later = bytes;
    later[0] = 2;
    BOOST_TEST((is_whole(later) == errc::corrupt_record));
    ++which;
  }
}

BOOST_AUTO_TEST_CASE(values_out_of_range_are_corrupt) {
  auto item = codec::encode(some_item());
  item[8] = 4; // subscription
  BOOST_TEST((codec::decode_roster_item("juliet@example.com", item).code() == errc::corrupt_record));
  item = codec::encode(some_item());
  item[9] = 4; // flags
  BOOST_TEST((codec::decode_roster_item("juliet@example.com", item).code() == errc::corrupt_record));
  auto account = codec::encode(some_account());
  account[9] = 2; // disabled
  BOOST_TEST((codec::decode_account(account).code() == errc::corrupt_record));
  BOOST_TEST((codec::decode_log_entry(0, 1, "\x01\x01\x04").code() == errc::corrupt_record));
  BOOST_TEST((codec::decode_store_format("\x01\x01\x00"sv).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(an_address_that_no_jid_gave_out_is_corrupt) {
  const auto item = codec::encode(some_item());
  for (const auto& contact :
       {""s, "@"s, "a@"s, "@b"s, "a\0b@c"s, "a@"s + std::string(1'024, 'x'), std::string(70'000, 'x')})
    BOOST_TEST((codec::decode_roster_item(contact, item).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(a_number_has_one_spelling) {
  const auto read = [](std::string_view bytes) {
    auto from = codec::byte_reader{bytes};
    from.varint();
    return from.finished();
  };
  BOOST_TEST(read("\x00"sv));
  BOOST_TEST(read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv));
  BOOST_TEST(!read("\x80\x00"sv));                                 // 0, longer
  BOOST_TEST(!read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"sv)); // 65 bits
  BOOST_TEST(!read("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"sv));
  BOOST_TEST(!read("\x80"sv));
  BOOST_TEST(!read(""sv));
}

BOOST_AUTO_TEST_CASE(a_length_or_a_count_is_not_believed) {
  auto from = codec::byte_reader{"\xff\xff\xff\xff\x0fxyz"sv};
  BOOST_TEST(from.string() == "");
  BOOST_TEST(!from.ok());
  auto account = "\x01\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\x0f"s; // 4 GiB of credentials
  BOOST_TEST((codec::decode_account(account).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(damaged_bytes_are_read_or_refused_but_harm_nothing) {
  for (auto bytes : {codec::encode(some_account()), codec::encode(some_message()), codec::encode(some_item())})
    for (auto i = std::size_t{0}; i < bytes.size(); ++i)
      for (const auto flip : {0x01, 0x80, 0xff}) {
        auto damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ flip);
        BOOST_TEST(read_all(damaged).size() == 9);
      }
}

BOOST_AUTO_TEST_SUITE_END()
