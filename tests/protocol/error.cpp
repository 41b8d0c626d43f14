#include "protocol/error.hpp"

#include <boost/test/unit_test.hpp>

using namespace xmpp;

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(a_byte_is_the_condition_that_was_written) {
  for (auto code : {errc::none, errc::bad_request, errc::unexpected_request, errc::bad_format, errc::reset,
                    errc::unsupported_version, errc::not_leader, errc::timeout, errc::would_block})
    BOOST_TEST((errc_of(std::uint8_t(code)) == code));
}

BOOST_AUTO_TEST_CASE(a_byte_of_a_later_release_is_an_internal_error) {
  for (auto byte : {std::uint8_t(errc::unexpected_request) + 1, 39, std::uint8_t(errc::unsupported_version) + 1, 99,
                    std::uint8_t(errc::would_block) + 1, 255})
    BOOST_TEST((errc_of(std::uint8_t(byte)) == errc::internal_server_error));
}

BOOST_AUTO_TEST_CASE(every_byte_has_a_name_on_the_wire_but_none) {
  for (auto byte = 1; byte < 256; ++byte)
    BOOST_TEST(!condition_name(errc_of(std::uint8_t(byte))).empty());
  BOOST_TEST(condition_name(errc_of(0)).empty());
}

BOOST_AUTO_TEST_SUITE_END()
