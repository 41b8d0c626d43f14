// What a client may send and store has to fit into what travels between nodes.
#include "actors/config_options.hpp"
#include "actors/remote_messages.hpp"
#include "cluster/group_replica.hpp"
#include "cluster/link.hpp"
#include "persistence/command_check.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

using namespace xmpp;

namespace {

constexpr auto around = std::size_t{64} << 10; // Keys, addresses, a delay: far less.

std::size_t largest(const auto& options, std::string_view name) {
  auto i = std::find_if(options.begin(), options.end(), [&](auto& x) { return x.name == name; });
  BOOST_REQUIRE(i != options.end());
  return static_cast<std::size_t>(i->max);
}

} // namespace

BOOST_AUTO_TEST_SUITE(carried_limits)

BOOST_AUTO_TEST_CASE(no_limit_can_be_set_beyond_what_a_cluster_can_carry) {
  auto limits = stream_limits{};
  limits.stanza_bytes_max = largest(server_options(), "stanza_bytes_max");
  auto stored = limits.canonical_bytes_max(limits.stanza_bytes_max);
  BOOST_TEST(stored + around <= command_bytes_max);
  BOOST_TEST(stored + around <= remote::frame_bytes_max);
  BOOST_TEST(largest(host_options(), "vcard_bytes_max") <= limits.stanza_bytes_max);
  BOOST_TEST(largest(host_options(), "private_xml_bytes_max") <= limits.stanza_bytes_max);
}

BOOST_AUTO_TEST_CASE(the_largest_change_fits_behind_a_part_of_a_state) {
  auto frame_bytes_max = cluster::link_options{}.frame_bytes_max;
  BOOST_TEST(frame_bytes_max == std::size_t{4} << 20); // as tests/cluster/group_replica.cpp has it
  BOOST_TEST(remote::frame_bytes_max <= frame_bytes_max);
  BOOST_TEST(group_replica_options{}.chunk_bytes_max + command_bytes_max + around <= frame_bytes_max);
}

BOOST_AUTO_TEST_SUITE_END()
