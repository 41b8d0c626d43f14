#include "actors/remote_messages.hpp"

#include "protocol/binary_xml.hpp"
#include "protocol/namespaces.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include <random>
#include <string>
#include <vector>

using namespace xmpp;
using kind = remote::address::kind;

namespace {

const auto romeo = jid::from_prepared("romeo@montague.lit/orchard");
const auto juliet = jid::from_prepared("juliet@capulet.lit/balcony");
constexpr auto password = "SCRAM-SHA-256$4096:c2FsdA==$secret";

stanza chat(std::string_view body) {
  return {xml::builder{"message", ns::client}
              .attribute("type", "chat")
              .attribute("id", "m1")
              .leaf("body", ns::client, body)
              .finish(),
          romeo, juliet};
}

element away() {
  return xml::builder{"presence", ns::client}.leaf("show", ns::client, "away").finish();
}

std::string same(const stanza& x) {
  return std::to_string(int(x.kind)) + '|' + std::to_string(int(x.type)) + '|' + std::string{x.from.text()} + '|' +
         std::string{x.to.text()} + '|' + std::string{x.tree.bytes()} + '|' + std::string{x.tree.ns()};
}

std::string same(const msg::session_ids& x) {
  auto out = std::string{};
  for (auto one : x ? *x : std::vector<std::uint64_t>{})
    out += std::to_string(one) + ' ';
  return out;
}

std::string same(const std::vector<jid>& x) {
  auto out = std::to_string(x.size());
  for (auto& one : x)
    out.append(" ").append(one.text());
  return out;
}

std::string same(const std::shared_ptr<const blocklist>& x) {
  return x ? same(x->items()) : "none";
}

template <class... Ts>
std::string joined(const Ts&... xs) {
  auto out = std::string{};
  auto add = [&](const auto& x) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(x)>>)
      out += std::to_string(x);
    else if constexpr (std::is_enum_v<std::decay_t<decltype(x)>>)
      out += std::to_string(int(x));
    else if constexpr (std::is_same_v<std::decay_t<decltype(x)>, jid>)
      out += x.text();
    else
      out += x;
    out += '\n';
  };
  (add(xs), ...);
  return out;
}

/// Every field of each message that travels, as text.
struct fields {
  std::string operator()(const msg::deliver& x) const { return joined(same(x.what), same(x.copies)); }
  std::string operator()(const msg::came_back& x) const { return joined(same(x.what), x.session_id, same(x.copies)); }
  std::string operator()(const msg::has_left& x) const { return joined(x.full, x.session_id); }
  std::string operator()(const msg::deliver_for_good& x) const { return same(x.what); }
  std::string operator()(const msg::show& x) const { return joined(same(x.what), same(x.hidden_from)); }
  std::string operator()(const msg::sent& x) const {
    return joined(same(x.what), x.session_id, x.was_available, same(x.directed));
  }
  std::string operator()(const msg::attach& x) const {
    return joined(x.account, x.resource, x.again, x.anonymous, x.session_id, x.created_ms, x.available, x.priority,
                  x.interested, x.wants_blocks, std::string{x.presence.bytes()});
  }
  std::string operator()(const msg::detach& x) const {
    return joined(x.full, x.session_id, x.was_available, same(x.directed));
  }
  std::string operator()(const msg::lookup& x) const { return joined(x.account); }
  std::string operator()(const msg::set_credentials& x) const { return joined(x.account, x.credentials, x.create); }
  std::string operator()(const msg::remove_account& x) const { return joined(x.account); }
  std::string operator()(const msg::registered& x) const {
    return joined(x.node, x.term);
  } // its shard is the envelope's
  std::string operator()(const msg::heritage& x) const {
    return joined(x.node, x.term, x.begins, x.ends, same(x.there), same(x.gone));
  }
  std::string operator()(const remote::loss&) const { return {}; }
  std::string operator()(const msg::outcome& x) const { return joined(x.failure, x.text); }
  std::string operator()(const msg::attached& x) const { return joined(x.failure, x.full, same(x.blocks)); }
  std::string operator()(const msg::detached&) const { return {}; }
  std::string operator()(const msg::found& x) const {
    return joined(x.failure, x.exists, x.enabled, x.credentials, x.created_ms);
  }
  std::string operator()(const msg::written&) const { return {}; }
  std::string operator()(const remote::turn_over&) const { return {}; }
  std::string operator()(const remote::failure& x) const { return joined(x.of, x.code); }
  std::string operator()(const msg::deliver_stored& x) const {
    auto out = std::string{};
    for (auto& [id, what] : x.what)
      out += id.text() + same(what);
    return out;
  }
  std::string operator()(const msg::end_stream& x) const { return joined(x.reason, x.text, x.see_other_host); }
  std::string operator()(const msg::attach_again&) const { return {}; }
  std::string operator()(const msg::blocks_changed& x) const { return same(x.blocks); }
  std::string operator()(const remote::fan_out& x) const {
    return joined(same(x.what), same(x.targets), x.is_hidden, same(x.hidden_from));
  }
};

/// Messages of every kind, with values drawn from a seed.
class generator {
public:
  explicit generator(unsigned seed) : random_(seed) {}

  static constexpr auto kinds = std::variant_size_v<remote::message>;

  remote::message message(std::size_t index) {
    switch (index) {
    case 0:
      return msg::deliver{any_stanza(), any_copies()};
    case 1:
      return msg::deliver_for_good{any_stanza()};
    case 2:
      return msg::show{any_stanza(), any_jids()};
    case 3:
      return msg::sent{any_stanza(), number(), any_jids(), flip()};
    case 4: {
      auto x = msg::attach{};
      x.account = any_jid().bare();
      if (flip())
        x.resource = "b\xC3\xA4lcony / 2";
      x.again = flip();
      x.anonymous = flip();
      x.session_id = number();
      x.created_ms = std::int64_t(number());
      x.available = flip();
      x.priority = std::int8_t(number());
      x.interested = flip();
      x.wants_blocks = flip();
      if (flip())
        x.presence = away();
      return x;
    }
    case 5:
      return msg::detach{any_jid(), number(), any_jids(), flip()};
    case 6:
      return msg::lookup{any_jid().bare()};
    case 7:
      return msg::set_credentials{any_jid().bare(), text(), flip()};
    case 8:
      return msg::remove_account{any_jid().bare()};
    case 9:
      return msg::outcome{code(), text()};
    case 10: {
      auto failed = flip();
      return msg::attached{failed ? errc::conflict : errc::none, failed ? jid{} : any_jid(), {}, any_blocks()};
    }
    case 11:
      return msg::detached{};
    case 12:
      return msg::found{code(), flip(), flip(), text(), std::int64_t(number())};
    case 13:
      return msg::written{};
    case 14:
      return remote::failure{remote::failure::family(1 + below(3)), std::uint8_t(below(256))};
    case 15:
      return remote::turn_over{};
    case 16: {
      auto x = msg::deliver_stored{};
      for (auto left = below(4); left > 0; --left)
        x.what.emplace_back(stored_id{number(), number()}, any_stanza());
      return x;
    }
    case 17:
      return msg::end_stream{code(), text(), text()};
    case 18:
      return msg::attach_again{};
    case 19:
      return msg::blocks_changed{any_blocks()};
    case 21:
      return msg::registered{0, number(), number()};
    case 22:
      return msg::heritage{0, number(), number(), flip(), flip(), any_jids(), any_jids()};
    case 23:
      return remote::loss{};
    case 24:
      return msg::came_back{any_stanza(), number(), any_copies()};
    case 25:
      return msg::has_left{any_jid(), number()};
    default: {
      auto x = remote::fan_out{any_stanza(), any_jids(), flip(), any_jids()};
      x.what.to = {};
      return x;
    }
    }
  }

  /// A target that such a message may have.
  remote::envelope envelope(std::size_t index) {
    auto out = remote::envelope{};
    auto is_for_shard = index <= 8 || index == 21 || index == 22 || index == 24 || index == 25;
    out.to = {is_for_shard  ? kind::shard
              : index <= 15 ? kind::request
              : index <= 19 ? kind::session
                            : kind::router,
              index == 20 || index == 23 ? 0 : number()};
    if (remote::answer_to(remote::number_of(message(index))) != 0 && flip()) {
      out.request = number() | 1;
      out.asker = number() | 1;
    }
    out.session_node = index == 4 ? number() | 1 : 0;
    return out;
  }

  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>{0, end - 1}(random_); }

private:
  bool flip() { return below(2) == 0; }
  std::uint64_t number() { return std::uniform_int_distribution<std::uint64_t>{}(random_) >> below(64); }
  errc code() { return errc(below(23)); }
  std::string text() { return flip() ? std::string{} : std::string(below(300), 'x') + std::string("\0\xff<&>'", 6); }
  jid any_jid() { return flip() ? romeo : jid::from_prepared("j\xC3\xBClia@capulet.lit/b\xC3\xA4lcony"); }
  std::vector<jid> any_jids() {
    auto out = std::vector<jid>{};
    for (auto left = below(5); left > 0; --left)
      out.push_back(flip() ? any_jid() : jid::from_prepared("capulet.lit"));
    return out;
  }
  msg::session_ids any_copies() {
    return flip() ? nullptr : std::make_shared<const std::vector<std::uint64_t>>(std::vector{number(), number()});
  }
  std::shared_ptr<const blocklist> any_blocks() {
    return flip() ? nullptr : std::make_shared<const blocklist>(any_jids());
  }
  stanza any_stanza() { return flip() ? chat("hi & bye") : stanza{away(), romeo, juliet}; }

  std::mt19937_64 random_;
};

std::string frame_of(const remote::envelope& to, const remote::message& what) {
  auto out = std::string{};
  auto written = remote::append(out, to, what);
  BOOST_TEST_REQUIRE(written.has_value(), remote::summary(to, remote::number_of(what)));
  return out;
}

errc code_of(const std::string& frame) {
  auto to = remote::envelope{};
  return remote::read(frame, to).code();
}

errc writing(const remote::envelope& to, const remote::message& what) {
  auto out = std::string{"before"};
  auto code = remote::append(out, to, what).code();
  BOOST_TEST((code == errc::none || out == "before"));
  return code;
}

remote::envelope for_shard(std::uint64_t shard, std::uint64_t request = 0) {
  return {{kind::shard, shard}, request == 0 ? 0u : 0xa1u, request, 0};
}

std::string letters(std::initializer_list<int> bytes) {
  auto out = std::string{};
  for (auto x : bytes)
    out.push_back(static_cast<char>(x));
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(remote_messages)

BOOST_AUTO_TEST_CASE(every_message_comes_back_with_all_its_fields) {
  auto random = generator{1};
  for (auto round = 0; round < 40; ++round)
    for (auto i = std::size_t{0}; i < generator::kinds; ++i) {
      auto what = random.message(i);
      BOOST_TEST_REQUIRE(what.index() == i);
      auto sent = random.envelope(i);
      auto got = remote::envelope{};
      auto read = remote::read(frame_of(sent, what), got);
      BOOST_TEST_REQUIRE(read.has_value(), remote::summary(sent, remote::number_of(what)));
      BOOST_TEST(read->index() == i);
      BOOST_TEST(std::visit(fields{}, *read) == std::visit(fields{}, what));
      BOOST_TEST((got.to == sent.to));
      BOOST_TEST(got.request == sent.request);
      BOOST_TEST(got.asker == sent.asker);
      BOOST_TEST(got.session_node == sent.session_node);
    }
}

BOOST_AUTO_TEST_CASE(what_an_actor_was_sent_is_the_same_frame) {
  auto random = generator{2};
  for (auto i = std::size_t{0}; i < generator::kinds; ++i) {
    auto what = random.message(i);
    if (std::holds_alternative<remote::turn_over>(what) || std::holds_alternative<remote::fan_out>(what) ||
        std::holds_alternative<remote::loss>(what))
      continue;
    if (std::holds_alternative<remote::failure>(what))
      what = remote::failure{remote::failure::family::caf, 4};
    auto to = random.envelope(i);
    auto content = remote::to_caf(what);
    BOOST_TEST_REQUIRE(content.has_value());
    BOOST_TEST(remote::number_of(content->content()) == remote::number_of(what));
    auto out = std::string{};
    BOOST_TEST(remote::append(out, to, content->content()).has_value());
    BOOST_TEST((out == frame_of(to, what)), i);
  }
  BOOST_TEST(!remote::to_caf(remote::fan_out{}).has_value());
  BOOST_TEST(!remote::to_caf(remote::turn_over{}).has_value());
}

BOOST_AUTO_TEST_CASE(what_stays_in_its_node_has_no_frame) {
  auto out = std::string{};
  auto inner = caf::make_message(msg::tick{});
  BOOST_TEST((remote::append(out, for_shard(1), inner.content()).code() == errc::unsupported_feature));
  BOOST_TEST(remote::number_of(inner.content()) == 0u);
  BOOST_TEST(out.empty());
}

BOOST_AUTO_TEST_CASE(no_other_length_is_the_frame) {
  auto random = generator{3};
  for (auto i = std::size_t{0}; i < generator::kinds; ++i) {
    auto whole = frame_of(random.envelope(i), random.message(i));
    for (auto size = std::size_t{0}; size < whole.size(); ++size)
      BOOST_TEST((code_of(whole.substr(0, size)) != errc::none), i << " cut at " << size);
    BOOST_TEST((code_of(whole + '\x02') == errc::corrupt_record));
  }
}

BOOST_AUTO_TEST_CASE(damaged_frames_are_refused_or_read_and_never_more) {
  auto random = generator{4};
  auto taken = 0;
  for (auto round = 0; round < 20'000; ++round) {
    auto i = random.below(generator::kinds);
    auto bytes = frame_of(random.envelope(i), random.message(i));
    for (auto changes = 1 + random.below(3); changes > 0; --changes) {
      auto at = random.below(bytes.size());
      if (random.below(3) == 0)
        bytes.insert(at, bytes.substr(random.below(bytes.size()), random.below(8)));
      else
        bytes[at] = static_cast<char>(random.below(256));
    }
    auto to = remote::envelope{};
    auto read = remote::read(bytes, to);
    if (!read)
      continue;
    ++taken;
    auto again = remote::envelope{};
    auto second = remote::read(frame_of(to, *read), again);
    BOOST_TEST_REQUIRE(second.has_value());
    BOOST_TEST((std::visit(fields{}, *second) == std::visit(fields{}, *read)));
    BOOST_TEST((again.to == to.to && again.request == to.request && again.asker == to.asker));
  }
  BOOST_TEST(taken > 1'000);
}

// -- the grammar of version 1 stays --

BOOST_AUTO_TEST_CASE(the_first_version_has_these_bytes) {
  auto bytes = frame_of(for_shard(300, 5), msg::lookup{romeo.bare()});
  BOOST_TEST(bytes == letters({1, 7, 1, 0xac, 2, 5, 0, 0, 0, 0, 0, 0, 0, 0xa1, 18}) + "romeo@montague.lit");
  BOOST_TEST(frame_of({{kind::request, 9}}, msg::detached{}) == letters({1, 18, 3, 9, 0}));
  BOOST_TEST(frame_of({{kind::session, 9}}, msg::attach_again{}) == letters({1, 34, 2, 9, 0}));
}

BOOST_AUTO_TEST_CASE(numbers_of_messages_stay) {
  auto random = generator{5};
  auto numbers = std::vector<std::uint64_t>{};
  for (auto i = std::size_t{0}; i < generator::kinds; ++i)
    numbers.push_back(remote::number_of(random.message(i)));
  auto expected = std::vector<std::uint64_t>{1,  2,  3,  4,  5,  6,  7,  8,  9,  16, 17, 18, 19,
                                             20, 21, 22, 32, 33, 34, 35, 48, 10, 11, 49, 12, 13};
  BOOST_TEST(numbers == expected, boost::test_tools::per_element());
}

// -- later versions --

BOOST_AUTO_TEST_CASE(an_odd_extra_is_ignored_and_an_even_one_refused) {
  auto bytes = frame_of(for_shard(1), msg::lookup{romeo.bare()});
  BOOST_TEST((code_of(bytes + letters({7, 2, 'a', 'b', 9, 0})) == errc::none));
  BOOST_TEST((code_of(bytes + letters({6, 2, 'a', 'b'})) == errc::unsupported_feature));
  BOOST_TEST((code_of(bytes + letters({7, 2, 'a'})) == errc::corrupt_record));
  BOOST_TEST((code_of(bytes + letters({7})) == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(an_unknown_message_is_refused_and_its_asker_is_known) {
  auto to = remote::envelope{};
  auto read = remote::read(letters({1, 99, 1, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0xa1, 'x'}), to);
  BOOST_TEST((read.code() == errc::unsupported_feature));
  BOOST_TEST(read.error().text == "a message that is not known: 99");
  BOOST_TEST(to.request == 5u);
  BOOST_TEST(to.asker == 0xa1u);
}

BOOST_AUTO_TEST_CASE(another_version_is_refused) {
  auto bytes = frame_of(for_shard(1), msg::lookup{romeo.bare()});
  bytes[0] = 2;
  BOOST_TEST((code_of(bytes) == errc::unsupported_feature));
}

BOOST_AUTO_TEST_CASE(an_unknown_condition_is_an_internal_error) {
  auto bytes = frame_of({{kind::request, 9}}, msg::outcome{errc::conflict, ""});
  bytes[bytes.size() - 2] = char(99);
  auto to = remote::envelope{};
  auto read = remote::read(bytes, to);
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST((std::get<msg::outcome>(*read).failure == errc::internal_server_error));
}

// -- what is refused --

BOOST_AUTO_TEST_CASE(a_message_is_for_some_targets_only) {
  auto x = msg::lookup{romeo.bare()};
  for (auto wrong : {kind::router, kind::session, kind::request})
    BOOST_TEST((writing({{wrong, 1}}, x) == errc::bad_request));
  BOOST_TEST((writing({{kind::session, 1}}, msg::deliver{chat("x")}) == errc::none));
  BOOST_TEST((writing({{kind::shard, 1}}, msg::end_stream{}) == errc::bad_request));
  auto bytes = frame_of(for_shard(1), x);
  bytes[2] = 2;
  BOOST_TEST((code_of(bytes) == errc::corrupt_record));
  bytes[2] = 4;
  BOOST_TEST((code_of(bytes) == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(nobody_waits_for_what_has_no_answer) {
  BOOST_TEST((writing(for_shard(1, 5), msg::deliver{chat("x")}) == errc::bad_request));
  auto question = frame_of(for_shard(1, 5), msg::deliver_for_good{chat("x")});
  BOOST_TEST((code_of(question) == errc::none));
  question[1] = 1;
  BOOST_TEST((code_of(question) == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(a_shard_hears_of_an_account) {
  auto nobody = chat("x");
  nobody.to = {};
  BOOST_TEST((writing(for_shard(1), msg::deliver{nobody}) == errc::bad_request));
  BOOST_TEST((writing(for_shard(1), msg::deliver_for_good{nobody}) == errc::bad_request));
  BOOST_TEST((writing(for_shard(1), msg::show{nobody, {}}) == errc::bad_request));
  BOOST_TEST((writing({{kind::session, 1}}, msg::deliver{nobody}) == errc::none));
  auto unstamped = chat("x");
  unstamped.from = {};
  BOOST_TEST((writing(for_shard(1), msg::sent{unstamped}) == errc::bad_request));
  BOOST_TEST((writing(for_shard(1), msg::lookup{romeo}) == errc::bad_request));
  BOOST_TEST((writing(for_shard(1), msg::set_credentials{jid{}, "x"}) == errc::bad_request));
  BOOST_TEST((writing(for_shard(1), msg::remove_account{romeo}) == errc::bad_request));
  BOOST_TEST((writing(for_shard(1), msg::detach{romeo.bare(), 1}) == errc::bad_request));
  BOOST_TEST((writing(for_shard(1), msg::attach{}) == errc::bad_request));
  BOOST_TEST((writing({{kind::request, 1}}, msg::attached{errc::none, romeo.bare()}) == errc::bad_request));
  // What is read is judged alike: here a resource where none may be.
  auto bytes = letters({1, 7, 1, 1, 0, 26}) + std::string{romeo.text()};
  BOOST_TEST((code_of(bytes) == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(an_attach_says_where_its_session_is) {
  auto x = msg::attach{};
  x.account = romeo.bare();
  BOOST_TEST((writing(for_shard(1), x) == errc::bad_request));
  auto to = for_shard(1);
  to.session_node = 7;
  BOOST_TEST((writing(to, x) == errc::none));
}

BOOST_AUTO_TEST_CASE(a_message_has_a_largest_size) {
  BOOST_TEST(
      (writing(for_shard(1), msg::deliver{chat(std::string(remote::frame_bytes_max, 'x'))}) == errc::policy_violation));
  BOOST_TEST(
      (writing(for_shard(1), msg::deliver{chat(std::string(remote::frame_bytes_max - 200, 'x'))}) == errc::none));
  BOOST_TEST((writing({}, remote::fan_out{chat("x"), std::vector<jid>(remote::targets_max + 1, romeo)}) ==
              errc::policy_violation));
}

BOOST_AUTO_TEST_CASE(a_fan_out_carries_its_stanza_once) {
  auto targets = std::vector<jid>{};
  for (auto i = 0; i < 100; ++i)
    targets.push_back(jid::from_prepared("user" + std::to_string(100 + i) + "@example.com/phone"));
  auto body = std::string(1'000, 'b');
  auto bytes = frame_of({}, remote::fan_out{chat(body), targets});
  BOOST_TEST(bytes.size() < 1'000u + 100u * 27u + 100u);
  auto to = remote::envelope{};
  auto read = remote::read(bytes, to);
  BOOST_TEST_REQUIRE(read.has_value());
  auto& x = std::get<remote::fan_out>(*read);
  BOOST_TEST(x.what.to.empty());
  BOOST_TEST(same(x.targets) == same(targets));
}

// -- looking at them --

BOOST_AUTO_TEST_CASE(accounts_are_those_whose_shard_takes_the_message) {
  BOOST_TEST(remote::account_of(msg::deliver{chat("x")}) == "juliet@capulet.lit");
  BOOST_TEST(remote::account_of(msg::show{chat("x"), {}}) == "juliet@capulet.lit");
  BOOST_TEST(remote::account_of(msg::sent{chat("x")}) == "romeo@montague.lit");
  BOOST_TEST(remote::account_of(msg::detach{romeo, 1}) == "romeo@montague.lit");
  BOOST_TEST(remote::account_of(msg::lookup{romeo.bare()}) == "romeo@montague.lit");
  BOOST_TEST(remote::account_of(msg::written{}) == "");
}

BOOST_AUTO_TEST_CASE(errors_keep_their_code_and_lose_their_words) {
  auto with_words = caf::make_error(caf::sec::request_timeout, std::string{password});
  auto back = remote::to_error(remote::to_failure(with_words));
  BOOST_TEST((back == caf::make_error(caf::sec::request_timeout)));
  BOOST_TEST(back.context().empty());
  auto ended = remote::to_error(remote::to_failure(make_error(caf::exit_reason::kill)));
  BOOST_TEST((ended == caf::exit_reason::kill));
  auto ours = caf::error{std::uint8_t(errc::not_leader), caf::atom("xmpp")};
  BOOST_TEST((remote::to_error(remote::to_failure(ours)) == ours));
  BOOST_TEST(bool(remote::to_error({remote::failure::family::exit, 0}))); // never "no error"
  auto foreign = caf::error{7, caf::atom("other")};
  BOOST_TEST((remote::to_error(remote::to_failure(foreign)) == caf::sec::runtime_error));
}

BOOST_AUTO_TEST_CASE(nothing_that_is_said_about_a_message_holds_its_credentials) {
  auto bytes = frame_of(for_shard(7, 12), msg::set_credentials{romeo.bare(), password});
  auto to = remote::envelope{};
  BOOST_TEST(remote::read(bytes, to).has_value());
  BOOST_TEST(remote::summary(to, 8) == "set_credentials to shard 7, request 12 of 00000000000000a1");
  for (auto size = std::size_t{0}; size < bytes.size(); ++size) {
    auto refused = remote::read(std::string_view{bytes}.substr(0, size), to);
    BOOST_TEST(refused.error().text.find("secret") == std::string::npos);
  }
  BOOST_TEST(caf::to_string(*remote::to_caf(msg::set_credentials{romeo.bare(), password})).find("secret") ==
             std::string::npos);
  BOOST_TEST(caf::to_string(*remote::to_caf(msg::found{errc::none, true, true, password})).find("secret") ==
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
