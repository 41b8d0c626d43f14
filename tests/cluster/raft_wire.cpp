// Messages between members: what comes back from their bytes, and which bytes are none.
#include "cluster/raft.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace xmpp::raft;
using type = xmpp::raft::message::type;

namespace {

constexpr auto types = {type::append,  type::append_result, type::vote,    type::vote_result,
                        type::install, type::timeout_now,   type::confirm, type::confirmed};

entry of(std::uint64_t term, xmpp::raft::kind kind, std::string bytes) {
  return {term, kind, std::make_shared<const std::string>(std::move(bytes))};
}

/// With something in every field that its type has.
message example(type what) {
  auto x = message{};
  x.what = what;
  x.from = 1;
  x.to = ~0ULL;
  x.term = 300;
  x.index = 1ULL << 40;
  x.index_term = 7;
  x.commit = 8;
  x.rejected = 9;
  x.pre_vote = what == type::vote || what == type::vote_result;
  x.granted = what == type::vote_result || what == type::confirmed;
  x.disrupts_leader = what == type::vote;
  if (what == type::append)
    x.entries = {of(1, kind::command, std::string("a\0b", 3)), of(2, kind::barrier, ""),
                 of(3, kind::change, group::first_log({{1, role::voter}}).entries[0].bytes->substr())};
  if (what == type::install)
    x.snapshot = {1ULL << 41, 6, 5, {{1, role::voter}, {~0ULL, role::spare}, {3, role::standby}}};
  return x;
}

void expect_same(const message& x, const message& y) {
  BOOST_TEST((x.what == y.what));
  BOOST_TEST(x.from == y.from);
  BOOST_TEST(x.to == y.to);
  BOOST_TEST(x.term == y.term);
  BOOST_TEST(x.index == y.index);
  BOOST_TEST(x.index_term == y.index_term);
  BOOST_TEST(x.commit == y.commit);
  BOOST_TEST(x.rejected == y.rejected);
  BOOST_TEST(x.pre_vote == y.pre_vote);
  BOOST_TEST(x.granted == y.granted);
  BOOST_TEST(x.disrupts_leader == y.disrupts_leader);
  BOOST_REQUIRE(x.entries.size() == y.entries.size());
  for (auto i = std::size_t{0}; i < x.entries.size(); ++i) {
    BOOST_TEST(x.entries[i].term == y.entries[i].term);
    BOOST_TEST((x.entries[i].kind == y.entries[i].kind));
    BOOST_TEST(*x.entries[i].bytes == *y.entries[i].bytes);
  }
  BOOST_TEST(x.snapshot.index == y.snapshot.index);
  BOOST_TEST(x.snapshot.term == y.snapshot.term);
  BOOST_TEST(x.snapshot.members_index == y.snapshot.members_index);
  BOOST_TEST((x.snapshot.members == y.snapshot.members));
}

/// A follower with a log of two entries.
std::unique_ptr<group> follower() {
  auto log = group::first_log({{1, role::voter}, {2, role::voter}, {3, role::voter}});
  log.entries.push_back(of(1, kind::command, "x"));
  auto o = options{};
  o.id = 2;
  return std::make_unique<group>(o, 1'000'000, std::move(log), 0,
                                 [](std::uint64_t, std::size_t) { return std::vector<entry>{}; });
}

/// An append with no fields but `count` and what follows.
std::string append_of(const std::string& count) {
  return std::string("\1\1\0\1\2\1\0\0\0\0", 10) + count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(raft_wire)

BOOST_AUTO_TEST_CASE(every_message_comes_back_as_it_was) {
  for (auto what : types) {
    auto x = example(what);
    auto back = message::decode(x.encode());
    BOOST_REQUIRE(back.has_value());
    expect_same(*back, x);
    auto plain = message{};
    plain.what = what;
    plain.from = plain.to = 1;
    back = message::decode(plain.encode());
    BOOST_REQUIRE(back.has_value());
    expect_same(*back, plain);
  }
}

BOOST_AUTO_TEST_CASE(a_part_of_a_message_is_none) {
  for (auto what : types) {
    auto bytes = example(what).encode();
    for (auto n = std::size_t{0}; n < bytes.size(); ++n)
      BOOST_TEST(!message::decode(bytes.substr(0, n)).has_value(), int(what) << ", " << n << " bytes");
    BOOST_TEST(!message::decode(bytes + '\0').has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_does_no_harm) {
  auto refused = 0, taken = 0;
  for (auto what : types) {
    auto bytes = example(what).encode();
    for (auto bit = std::size_t{0}; bit < bytes.size() * 8; ++bit) {
      auto changed = bytes;
      changed[bit / 8] = char(changed[bit / 8] ^ (1 << bit % 8));
      auto got = message::decode(changed);
      if (!got) {
        ++refused;
        continue;
      }
      ++taken;
      auto again = message::decode(got->encode());
      BOOST_REQUIRE(again.has_value());
      expect_same(*again, *got);
      auto to = follower();
      to->receive(1'000'100, *got);
      to->tick(1'000'200);
      BOOST_TEST(to->last_index() <= std::max<std::uint64_t>(2 + got->entries.size(), got->snapshot.index));
    }
  }
  BOOST_TEST(refused > 100);
  BOOST_TEST(taken > 100);
}

BOOST_AUTO_TEST_CASE(what_no_member_would_say_is_refused) {
  auto x = example(type::vote);
  x.from = 0;
  BOOST_TEST(!message::decode(x.encode()).has_value());
  x = example(type::vote);
  x.to = 0;
  BOOST_TEST(!message::decode(x.encode()).has_value());
  x = example(type::vote);
  x.entries = example(type::append).entries;
  BOOST_TEST(!message::decode(x.encode()).has_value());
  x = example(type::append);
  x.entries[0].term = 0;
  BOOST_TEST(!message::decode(x.encode()).has_value());
  x = example(type::append);
  x.entries[0].kind = kind(4);
  BOOST_TEST(!message::decode(x.encode()).has_value());
  x = example(type::install);
  x.snapshot.members[0].id = 0;
  BOOST_TEST(!message::decode(x.encode()).has_value());
  x = example(type::install);
  x.snapshot.members[0].role = role(3);
  BOOST_TEST(!message::decode(x.encode()).has_value());
  auto bytes = example(type::vote).encode();
  bytes[0] = 2; // another version
  BOOST_TEST(!message::decode(bytes).has_value());
  for (auto unknown : {'\0', '\x9', '\xff'}) {
    bytes = example(type::vote).encode();
    bytes[1] = unknown;
    BOOST_TEST(!message::decode(bytes).has_value());
  }
  bytes = example(type::vote).encode();
  bytes[2] = 8; // a flag that there is not
  BOOST_TEST(!message::decode(bytes).has_value());
}

BOOST_AUTO_TEST_CASE(a_number_of_entries_or_members_is_not_believed) {
  BOOST_TEST(message::decode(append_of(std::string(1, '\0'))).has_value());
  for (auto& count : {std::string("\1"), std::string("\x7f"), std::string("\xff\xff\xff\xff\x0f"),
                      std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1")})
    BOOST_TEST(!message::decode(append_of(count)).has_value());
  auto x = example(type::install);
  x.snapshot.members.assign(1'000, {1, role::voter});
  BOOST_TEST(message::decode(x.encode()).has_value());
  x.snapshot.members.push_back({2, role::voter});
  BOOST_TEST(!message::decode(x.encode()).has_value());
}

BOOST_AUTO_TEST_CASE(a_snapshot_with_one_member_twice_is_not_installed) {
  auto to = follower();
  auto x = message{};
  x.what = type::install;
  x.from = 1;
  x.to = 2;
  x.term = 2;
  x.snapshot = {9, 2, 1, {{1, role::voter}, {1, role::spare}}};
  to->receive(1'000'100, x);
  BOOST_TEST(!to->is_installing());
  BOOST_TEST(!to->is_broken());
  x.snapshot.members[1].id = 2;
  to->receive(1'000'100, x);
  BOOST_TEST(to->is_installing());
}

BOOST_AUTO_TEST_SUITE_END()
