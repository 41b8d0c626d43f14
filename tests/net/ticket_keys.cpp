#include "net/ticket_keys.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp::net;

namespace {

constexpr auto start_s = std::int64_t{1'000'000};

struct hourly {
  ticket_keys::key newest(std::int64_t now_s) {
    auto result = ticket_keys::key{};
    BOOST_REQUIRE(keys.newest(now_s, result));
    return result;
  }
  ticket_keys::found find(std::int64_t now_s, const ticket_keys::key& which) {
    auto into = ticket_keys::key{};
    auto result = keys.find(now_s, which.name.data(), into);
    if (result != ticket_keys::found::none)
      BOOST_TEST((into.cipher == which.cipher && into.mac == which.mac));
    return result;
  }

  ticket_keys keys{3600};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(ticket_keys_, hourly)

BOOST_AUTO_TEST_CASE(a_key_serves_for_its_period) {
  auto first = newest(start_s);
  BOOST_TEST((newest(start_s + 3599).name == first.name));
  BOOST_TEST((find(start_s + 3599, first) == ticket_keys::found::newest));
}

BOOST_AUTO_TEST_CASE(the_key_before_opens_for_one_more_period) {
  auto first = newest(start_s);
  auto second = newest(start_s + 3600);
  BOOST_TEST((second.name != first.name));
  BOOST_TEST((second.cipher != first.cipher));
  BOOST_TEST((find(start_s + 7199, first) == ticket_keys::found::before));
  BOOST_TEST((find(start_s + 7199, second) == ticket_keys::found::newest));
  BOOST_TEST((find(start_s + 7200, first) == ticket_keys::found::none));
  BOOST_TEST((find(start_s + 7200, second) == ticket_keys::found::before));
}

BOOST_AUTO_TEST_CASE(after_a_long_silence_no_old_key_opens) {
  auto first = newest(start_s);
  BOOST_TEST((find(start_s + 7200, first) == ticket_keys::found::none));
}

BOOST_AUTO_TEST_CASE(a_name_nobody_made_is_unknown) {
  newest(start_s);
  BOOST_TEST((find(start_s, {}) == ticket_keys::found::none));
}

BOOST_AUTO_TEST_SUITE_END()
