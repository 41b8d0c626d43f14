#include "persistence/offline.hpp"

#include "persistence/accounts.hpp"
#include "tests/persistence/memory_reader.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace xmpp;
using namespace xmpp::test;

namespace {

const auto romeo = account_place{2, jid::from_prepared("romeo@example.net")};

offline_message message(std::string body) {
  return {jid::from_prepared("juliet@example.com/balcony"), romeo.account, 7, 0,
          "<message><body>" + std::move(body) + "</body></message>"};
}

struct offline_fixture : memory_reader {
  offline_summary summary;
  id_generator ids{1, 0};

  void append(int count) {
    for (auto i = 0; i < count; ++i)
      change(
          [&](write_set& to) { offline::append(to, romeo, ids.next(1'000 + i), message(std::to_string(i)), summary); });
  }
  offline_summary stored_summary() {
    change([](write_set& to) { accounts::put(to, romeo, {}); });
    return load_user(*this, romeo)->offline;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(offline_messages, offline_fixture)

BOOST_AUTO_TEST_CASE(messages_come_back_in_the_order_they_came) {
  append(3);
  const auto page = offline::load(*this, romeo, {}, 10);
  BOOST_REQUIRE(page.has_value());
  BOOST_TEST(!page->more);
  BOOST_REQUIRE(page->messages.size() == 3);
  for (auto i = std::size_t{0}; i < 3; ++i)
    BOOST_TEST(page->messages[i].message.xml == message(std::to_string(i)).xml);
  BOOST_TEST(page->messages[0].message.received_ms == 7);
  BOOST_TEST(page->messages[0].message.from.text() == "juliet@example.com/balcony");
}

BOOST_AUTO_TEST_CASE(they_are_read_by_page) {
  append(5);
  const auto first = offline::load(*this, romeo, {}, 2);
  BOOST_REQUIRE(first->messages.size() == 2);
  BOOST_TEST(first->more);
  const auto second = offline::load(*this, romeo, first->messages.back().id, 3);
  BOOST_REQUIRE(second->messages.size() == 3);
  BOOST_TEST(!second->more);
  BOOST_TEST(second->messages[0].message.xml == message("2").xml);
}

BOOST_AUTO_TEST_CASE(the_summary_counts_what_waits) {
  append(3);
  BOOST_TEST(summary.messages == 3);
  BOOST_TEST(summary.bytes == 3 * offline::size_bytes(message("0")));
  BOOST_TEST((stored_summary() == summary));
  auto page = *offline::load(*this, romeo, {}, 2);
  change([&](write_set& to) { offline::erase(to, romeo, page.messages, summary); });
  BOOST_TEST(summary.messages == 1);
  BOOST_TEST(summary.bytes == offline::size_bytes(message("0")));
  BOOST_TEST((stored_summary() == summary));
  page = *offline::load(*this, romeo, {}, 10);
  BOOST_REQUIRE(page.messages.size() == 1);
  BOOST_TEST(page.messages[0].message.xml == message("2").xml);
}

BOOST_AUTO_TEST_CASE(nothing_is_left_when_all_are_erased) {
  append(3);
  const auto page = *offline::load(*this, romeo, {}, 10);
  BOOST_TEST((page.last() == page.messages.back().id));
  change([&](write_set& to) { offline::erase(to, romeo, page.messages, summary); });
  BOOST_TEST((summary == offline_summary{}));
  BOOST_TEST((offline::load(*this, romeo, {}, 10)->last() == stored_id{}));
  BOOST_TEST(records_held() == 0);
}

BOOST_AUTO_TEST_CASE(the_summary_never_falls_below_zero) {
  append(1);
  const auto page = *offline::load(*this, romeo, {}, 1);
  change([&](write_set& to) { offline::erase(to, romeo, page.messages, summary); });
  change([&](write_set& to) { offline::erase(to, romeo, page.messages, summary); });
  BOOST_TEST((summary == offline_summary{}));
}

BOOST_AUTO_TEST_CASE(a_damaged_message_does_not_hide_the_others) {
  append(1);
  const auto damaged = ids.next(2'000);
  change([&](write_set& to) {
    to.put(keys::record_key(2, "romeo@example.net", keys::family::offline_message, damaged.bytes()), "\x01?");
  });
  append(1);
  const auto page = offline::load(*this, romeo, {}, 10);
  BOOST_REQUIRE(page.has_value());
  BOOST_TEST(page->messages.size() == 2);
  BOOST_REQUIRE(page->unreadable.size() == 1);
  BOOST_TEST((page->unreadable[0] == damaged));
}

BOOST_AUTO_TEST_SUITE_END()
