#include "protocol/hash.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

using namespace xmpp;

BOOST_AUTO_TEST_SUITE(hashes)

namespace {

std::string hex(const std::string& bytes) {
  auto result = std::string{};
  for (auto x : bytes) {
    result += "0123456789abcdef"[static_cast<unsigned char>(x) >> 4];
    result += "0123456789abcdef"[static_cast<unsigned char>(x) & 15];
  }
  return result;
}

} // namespace

BOOST_AUTO_TEST_CASE(sha_1_follows_its_vectors) { // FIPS 180-4's examples
  BOOST_TEST(hex(sha1("abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  BOOST_TEST(hex(sha1("")) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

BOOST_AUTO_TEST_CASE(sha_256_follows_its_vectors_in_one_part_or_many) { // the same
  auto digest = sha256{};
  digest.add("abc");
  BOOST_TEST(hex(digest.digest()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  auto in_parts = sha256{};
  for (auto c : std::string{"abc"})
    in_parts.add({&c, 1});
  BOOST_TEST(hex(in_parts.digest()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(hex(sha256{}.digest()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

BOOST_AUTO_TEST_CASE(siphash_follows_the_vectors_of_its_authors) {
  auto key = std::array<std::uint64_t, 2>{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  auto bytes = std::string{};
  for (auto i = 0; i < 15; ++i)
    bytes += static_cast<char>(i);
  BOOST_TEST(siphash(key, "") == 0x726fdb47dd0e0e31u);
  BOOST_TEST(siphash(key, bytes) == 0xa129ca6149be45e5u); // the paper's, appendix A
}

BOOST_AUTO_TEST_CASE(another_key_is_another_hash) { // so collisions made for one process are none in the next
  auto one = std::array<std::uint64_t, 2>{1, 2}, other = std::array<std::uint64_t, 2>{1, 3};
  BOOST_TEST(siphash(one, "romeo@montague.lit") != siphash(other, "romeo@montague.lit"));
  auto mine = keyed_hash{};
  BOOST_TEST(mine("romeo@montague.lit") == keyed_hash{}("romeo@montague.lit"));
  BOOST_TEST(mine("romeo@montague.lit") != siphash({0, 0}, "romeo@montague.lit"));
}

BOOST_AUTO_TEST_CASE(names_chosen_to_collide_spread_all_the_same) { // hash flooding
  // Without a key, one searches for names that fall into one bucket of 2^12; here are some for the key 0.
  auto known = std::array<std::uint64_t, 2>{};
  auto names = std::vector<std::string>{};
  for (auto i = 0; names.size() < 64; ++i)
    if (auto name = "user" + std::to_string(i) + "@localhost"; siphash(known, name) % 4'096 == 0)
      names.push_back(std::move(name));
  auto used = std::unordered_set<std::uint64_t>{};
  for (auto& x : names)
    used.insert(keyed_hash{}(x) % 4'096);
  BOOST_TEST(used.size() > 48u); // of 64; fewer come by chance once in more than 10^20 keys
}

BOOST_AUTO_TEST_SUITE_END()
