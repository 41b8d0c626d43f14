#include "cluster/control_frames.hpp"

#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>
#include <vector>

using namespace xmpp;
namespace control = xmpp::cluster::control;

namespace {

constexpr auto large = ~std::uint64_t{0};

control::report full_report() {
  auto x = control::report{};
  x.sessions = 300;
  x.disk_ok = false;
  x.disk_words = "no space left";
  x.disk_free_bytes = large;
  x.disk_used_bytes = 7;
  x.state_version = 12;
  x.up_s = 86'400;
  x.leads[1] = {3, 1'000, 0, 0, {}, {}};
  x.leads[4'095] = {large, large, large, large, {{1, 0}, {large, 5'000}}, {{large, 3}}};
  x.leads[system_shard] = {5, 6, 7, 0, {{2, 3}}, {}};
  x.follows = {{0, 0}, {2, large}};
  return x;
}

control::proposed refusal() {
  return {8, error{errc::not_leader, "node 2 leads it"}};
}

/// With something in every field. The views are of literals.
std::vector<control::message> examples() {
  return {
      control::raft{0x0102, "member's bytes"},
      control::raft{system_shard, std::string_view{"\0", 1}},
      control::leads{1, {}},
      control::leads{large, {{0, 1}, {7, 300}, {system_shard, large}}},
      control::report{},
      full_report(),
      control::state{"the whole"},
      control::propose{large, "a command"},
      control::propose{1, {}},
      control::proposed{9, cluster::applied{true, 300}},
      control::proposed{9, cluster::applied{false, 0}},
      refusal(),
      control::transfer{300, large},
      control::ask{1, control::question::shell, "cluster status"},
      control::ask{large, control::question{200}, {}},
      control::answer{2, errc::none, "out\nput"},
      control::answer{2, errc::feature_not_implemented, {}},
  };
}

std::string bytes_of(const control::message& x) {
  auto out = std::string{};
  BOOST_REQUIRE(control::append(out, x));
  return out;
}

bool is_refused(const control::message& x) {
  auto out = std::string{"before"};
  return control::append(out, x).code() == errc::policy_violation && out == "before";
}

/// Refused with one of two reasons, or something that comes back.
bool is_harmless(std::string_view frame) {
  control::request_of(frame);
  auto got = control::read(frame);
  if (!got)
    return got.code() == errc::corrupt_record || got.code() == errc::unsupported_feature;
  control::summary(*got);
  auto again = bytes_of(*got);
  auto same = control::read(again);
  return same && *same == *got && again.size() <= frame.size();
}

control::message read_back(const control::message& x) {
  static auto frame = std::string{}; // views outlive the call
  frame = bytes_of(x);
  auto got = control::read(frame);
  BOOST_REQUIRE(got);
  return *got;
}

} // namespace

BOOST_AUTO_TEST_SUITE(control_frames)

BOOST_AUTO_TEST_CASE(every_message_comes_back_as_it_was) {
  for (auto& x : examples()) {
    BOOST_TEST((read_back(x) == x), control::summary(x));
    auto behind = std::string{"before"};
    BOOST_TEST(bool(control::append(behind, x)));
    BOOST_TEST(behind == "before" + bytes_of(x));
  }
}

// The bytes of version 1: whoever changes them cuts off the nodes that are not yet upgraded.
BOOST_AUTO_TEST_CASE(version_1_is_written_down) {
  using namespace std::string_literals;
  BOOST_TEST(bytes_of(control::raft{0x0102, "x"}) == "\1\1\2x"s);
  BOOST_TEST(bytes_of(control::leads{300, {{0, 1}, {system_shard, 2}}}) == "\2\1\xac\2\2\0\0\1\xff\xfe\2"s);
  auto x = control::report{};
  x.sessions = 1;
  x.disk_ok = false;
  x.disk_words = "w";
  x.disk_free_bytes = 2;
  x.disk_used_bytes = 3;
  x.state_version = 4;
  x.up_s = 5;
  x.leads[6] = {7, 8, 9, 10, {{11, 12}}, {{13, 2}}};
  x.follows[14] = 15;
  BOOST_TEST(bytes_of(x) == "\3\1\1\0\1w\2\3\4\5"
                            "\1\0\6\7\x8\x9\0\0\0\0\0\0\0\xa"
                            "\1\0\0\0\0\0\0\0\xb\xc\1\0\0\0\0\0\0\0\xd\2"
                            "\1\0\xe\xf"s);
  BOOST_TEST(bytes_of(control::state{"x"}) == "\4x"s);
  BOOST_TEST(bytes_of(control::propose{1, "x"}) == "\5\1\1\1x"s);
  BOOST_TEST(bytes_of(control::proposed{1, cluster::applied{true, 2}}) == "\6\1\1\0\0\1\2"s);
  BOOST_TEST(bytes_of(control::proposed{1, error{errc::timeout, "w"}}) == "\6\1\1\x67\1w\0\0"s);
  BOOST_TEST(bytes_of(control::transfer{1, 2}) == "\7\1\0\1\0\0\0\0\0\0\0\2"s);
  BOOST_TEST(bytes_of(control::ask{1, control::question::shell, "x"}) == "\x8\1\1\1\1x"s);
  BOOST_TEST(bytes_of(control::answer{1, errc::none, "x"}) == "\x9\1\1\0\1x"s);
}

BOOST_AUTO_TEST_CASE(the_bytes_of_raft_and_of_a_state_are_not_copied) {
  auto frame = bytes_of(control::raft{7, "member's bytes"});
  auto got = control::read(frame);
  BOOST_REQUIRE(got);
  BOOST_TEST(std::get<control::raft>(*got).bytes.data() == frame.data() + 3);
  frame = bytes_of(control::state{"whole"});
  got = control::read(frame);
  BOOST_REQUIRE(got);
  BOOST_TEST(std::get<control::state>(*got).bytes.data() == frame.data() + 1);
}

BOOST_AUTO_TEST_CASE(every_beginning_of_a_frame_is_refused_or_means_something) {
  for (auto& x : examples()) {
    auto whole = bytes_of(x);
    auto is_open_ended = std::holds_alternative<control::raft>(x) || std::holds_alternative<control::state>(x);
    for (auto size = std::size_t{0}; size < whole.size(); ++size) {
      auto part = whole.substr(0, size); // of its own, so that a sanitizer sees a read behind its end
      BOOST_TEST(is_harmless(part));
      BOOST_TEST((is_open_ended || !control::read(part)), control::summary(x) << " of " << size);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_single_changed_byte_is_refused_or_means_something) {
  auto refused = 0, taken = 0;
  for (auto& x : examples()) {
    auto bytes = bytes_of(x);
    for (auto& at : bytes) {
      auto right = at;
      for (auto other = 0; other < 256; ++other) {
        at = static_cast<char>(other);
        BOOST_REQUIRE(is_harmless(bytes));
        ++(control::read(bytes) ? taken : refused);
      }
      at = right;
    }
  }
  BOOST_TEST(refused > 10'000);
  BOOST_TEST(taken > 10'000);
}

BOOST_AUTO_TEST_CASE(any_bytes_are_refused_or_mean_something) {
  auto random = std::mt19937_64{9};
  auto all = examples();
  for (auto i = 0; i < 20'000; ++i)
    BOOST_REQUIRE(is_harmless(test::mutated(bytes_of(all[random() % all.size()]), random)));
  for (auto i = 0; i < 20'000; ++i) {
    auto bytes = std::string(random() % 40, '\0');
    for (auto& c : bytes)
      c = static_cast<char>(random() % 4 == 0 ? random() : random() % 12);
    BOOST_REQUIRE(is_harmless(bytes));
  }
}

BOOST_AUTO_TEST_CASE(what_is_of_a_later_version_is_refused_as_such) {
  BOOST_TEST((control::read({}).code() == errc::corrupt_record));
  BOOST_TEST((control::read(std::string_view{"\0\1", 2}).code() == errc::corrupt_record));
  for (auto number : {10, 100, 255})
    BOOST_TEST((control::read(std::string(1, char(number)) + "\1x").code() == errc::unsupported_feature));
  for (auto& x : examples()) {
    if (std::holds_alternative<control::raft>(x) || std::holds_alternative<control::state>(x))
      continue;
    auto bytes = bytes_of(x);
    auto ignored = bytes + "\7\1x\5" + '\0';
    auto got = control::read(ignored);
    BOOST_TEST((got && *got == x), control::summary(x));
    BOOST_TEST((control::read(ignored + "\2\1x").code() == errc::unsupported_feature));
    BOOST_TEST((control::read(bytes + "\3\2x").code() == errc::corrupt_record));
    bytes[1] = 2;
    BOOST_TEST((control::read(bytes).code() == errc::unsupported_feature));
    bytes[1] = 0;
    BOOST_TEST((control::read(bytes).code() == errc::corrupt_record));
  }
}

BOOST_AUTO_TEST_CASE(links_travel_where_older_nodes_ignore_them) {
  using namespace std::string_literals;
  auto without = bytes_of(full_report());
  auto x = full_report();
  x.links = {{1, {true, 0, 250}}, {large, {false, large, 0}}};
  BOOST_TEST((read_back(x) == control::message{x}));
  auto frame = bytes_of(x);
  BOOST_TEST(frame.starts_with(without + "\1\x21\2\0\0\0\0\0\0\0\1\1\0\xfa\1"s));
  for (auto size = without.size() + 1; size < frame.size(); ++size)
    BOOST_TEST(!control::read(frame.substr(0, size)));
  auto random = std::mt19937_64{9};
  for (auto i = 0; i < 20'000; ++i)
    BOOST_REQUIRE(is_harmless(test::mutated(frame, random)));
  x.links[0] = {};
  BOOST_TEST(is_refused(x));
}

BOOST_AUTO_TEST_CASE(words_on_hosts_travel_where_older_nodes_ignore_them) {
  auto x = full_report();
  auto without = bytes_of(x);
  x.host_words = "does not serve a";
  BOOST_TEST((read_back(x) == control::message{x}));
  BOOST_TEST(bytes_of(x) == without + "\3\x11\x10" + x.host_words);
  x.links = {{1, {true, 0, 250}}};
  BOOST_TEST((read_back(x) == control::message{x}));
  x.host_words = "a\nb";
  BOOST_TEST(std::get<control::report>(read_back(x)).host_words == "a?b");
}

BOOST_AUTO_TEST_CASE(who_can_not_read_a_request_can_answer_it) {
  auto frame = bytes_of(control::propose{300, "a command"});
  BOOST_TEST(control::request_of(frame) == 300u);
  frame[1] = 9;
  frame.resize(5);
  BOOST_TEST(!control::read(frame));
  BOOST_TEST(control::request_of(frame) == 300u);
  BOOST_TEST(control::request_of(bytes_of(control::ask{large, control::question{9}, "x"})) == large);

  frame.resize(3);
  BOOST_TEST(control::request_of(frame) == 0u);
  frame[1] = 0;
  BOOST_TEST(control::request_of(frame) == 0u);
  BOOST_TEST(control::request_of({}) == 0u);
  for (auto& x : examples())
    if (!std::holds_alternative<control::propose>(x) && !std::holds_alternative<control::ask>(x))
      BOOST_TEST(control::request_of(bytes_of(x)) == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_out_of_bounds_is_not_written) {
  for (auto shard : {shard_id{4'096}, shard_id{0xfffd}, shard_id{0xffff}}) {
    BOOST_TEST(is_refused(control::raft{shard, "x"}));
    BOOST_TEST(is_refused(control::leads{1, {{shard, 1}}}));
    BOOST_TEST(is_refused(control::transfer{shard, 1}));
    auto x = control::report{};
    x.follows[shard] = 1;
    BOOST_TEST(is_refused(x));
    x = {};
    x.leads[shard] = {};
    BOOST_TEST(is_refused(x));
  }
  BOOST_TEST(is_refused(control::raft{1, {}}));
  BOOST_TEST(is_refused(control::state{}));
  BOOST_TEST(is_refused(control::leads{0, {}}));
  BOOST_TEST(is_refused(control::leads{1, {{1, 0}}}));
  BOOST_TEST(is_refused(control::transfer{1, 0}));
  BOOST_TEST(is_refused(control::propose{0, "x"}));
  BOOST_TEST(is_refused(control::proposed{0, cluster::applied{}}));
  BOOST_TEST(is_refused(control::ask{0, control::question::shell, "x"}));
  BOOST_TEST(is_refused(control::answer{0, errc::none, "x"}));

  auto refused_led = [](auto change) {
    auto x = control::report{};
    change(x.leads[1]);
    return is_refused(x);
  };
  using led = control::report::led;
  BOOST_TEST(!refused_led([](led&) {}));
  BOOST_TEST(refused_led([](led& x) { x.term = 0; }));
  BOOST_TEST(refused_led([](led& x) { x.lag[0] = 1; }));
  BOOST_TEST(refused_led([](led& x) { x.catch_up[0] = 1; }));
  BOOST_TEST(refused_led([](led& x) { x.catch_up[1] = 4; }));
}

BOOST_AUTO_TEST_CASE(bounds_are_reached_and_not_passed) {
  using namespace std::string_literals;
  auto text = std::string(control::command_bytes_max + 1, 'x');
  auto part = [&](std::size_t size) { return std::string_view{text}.substr(0, size); };
  auto is_taken = [](const control::message& x) { return read_back(x) == x; };
  BOOST_TEST(is_taken(control::propose{1, part(control::command_bytes_max)}));
  BOOST_TEST(is_refused(control::propose{1, part(control::command_bytes_max + 1)}));
  BOOST_TEST(is_taken(control::ask{1, {}, part(control::question_bytes_max)}));
  BOOST_TEST(is_refused(control::ask{1, {}, part(control::question_bytes_max + 1)}));
  BOOST_TEST(is_taken(control::answer{1, {}, part(control::answer_bytes_max)}));
  BOOST_TEST(is_refused(control::answer{1, {}, part(control::answer_bytes_max + 1)}));

  auto all = control::leads{};
  auto of_all = control::report{};
  for (auto shard = shard_id{0}; shard < shard_count_max; ++shard) {
    all.terms[shard] = large;
    of_all.follows[shard] = large;
    auto& led = of_all.leads[shard] = {large, large, large, large, {}, {}};
    for (auto other = cluster::node_id{1}; other <= control::others_max; ++other) {
      led.lag[other] = large;
      led.catch_up[other] = 3;
    }
  }
  all.terms[system_shard] = of_all.follows[system_shard] = 1;
  BOOST_TEST(is_taken(all));
  BOOST_TEST(is_taken(of_all));
  of_all.leads[0].lag[99] = 1;
  BOOST_TEST(is_refused(of_all));
  of_all.leads[0].lag.erase(99);
  of_all.leads[0].catch_up[99] = 1;
  BOOST_TEST(is_refused(of_all));

  // What others write is held to the same.
  auto frame = bytes_of(control::ask{1, control::question::shell, part(200)});
  auto longer = frame.substr(0, 4) + "\x81\x80\x04" + text.substr(0, control::question_bytes_max + 1);
  BOOST_TEST((control::read(longer).code() == errc::corrupt_record));
  auto with_others = [](char count) {
    auto out = "\3\1\0\1\0\0\0\0\0\1\0\0\1\0\0"s + std::string(8, '\0') + count;
    for (auto other = char{1}; other <= count; ++other)
      out += std::string(7, '\0') + other + '\0';
    return out + "\0\0"s;
  };
  BOOST_TEST(bool(control::read(with_others(16))));
  BOOST_TEST((control::read(with_others(17)).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(lists_are_ascending_and_without_doubles) {
  using namespace std::string_literals;
  BOOST_TEST(bool(control::read("\2\1\1\2\0\1\1\0\2\1"s)));
  BOOST_TEST(!control::read("\2\1\1\2\0\1\1\0\1\1"s));
  BOOST_TEST(!control::read("\2\1\1\2\0\2\1\0\1\1"s));
  BOOST_TEST(!control::read("\2\1\1\1\x10\0\1"s)); // not a shard
}

BOOST_AUTO_TEST_CASE(words_are_fit_for_a_log) {
  auto x = control::report{};
  x.disk_words = "a\nb\x1b[31m" + std::string(1'000, 'x');
  auto got = std::get<control::report>(read_back(x));
  BOOST_TEST(got.disk_words.size() == 200u);
  BOOST_TEST(got.disk_words.starts_with("a?b?[31mxx"));

  auto frame = bytes_of(control::proposed{1, error{errc::conflict, "ab"}});
  frame[frame.find("ab")] = '\n';
  auto read = control::read(frame);
  BOOST_REQUIRE(read);
  BOOST_TEST(std::get<control::proposed>(*read).words == "?b");
}

BOOST_AUTO_TEST_CASE(an_outcome_travels) {
  auto travelled = [](const result<cluster::applied>& x) {
    return std::get<control::proposed>(read_back(control::proposed{1, x})).outcome();
  };
  auto done = travelled(cluster::applied{false, 300});
  BOOST_REQUIRE(bool(done));
  BOOST_TEST(!done->changed);
  BOOST_TEST(done->number == 300u);
  auto failed = travelled(error{errc::timeout, "nobody knows"});
  BOOST_TEST((failed.code() == errc::timeout));
  BOOST_TEST(failed.error().text == "nobody knows");
}

BOOST_AUTO_TEST_CASE(a_failure_of_a_later_version_reads_as_one_of_ours) {
  auto frame = bytes_of(control::answer{1, errc::timeout, "x"});
  for (auto code = 0; code < 256; ++code) {
    frame[3] = static_cast<char>(code);
    auto got = control::read(frame);
    BOOST_REQUIRE(got);
    auto failure = std::get<control::answer>(*got).failure;
    auto is_known = code <= 22 || (code >= 40 && code <= 58) || (code >= 100 && code <= 104);
    BOOST_TEST((failure == (is_known ? errc(code) : errc::internal_server_error)), code);
  }
}

BOOST_AUTO_TEST_CASE(a_summary_has_no_secrets) {
  BOOST_TEST(control::summary(control::raft{7, "secret"}) == "raft of shard 7, 6 bytes");
  BOOST_TEST(control::summary(control::leads{300, {{1, 1}}}) == "leads 1 shard, sequence 300");
  BOOST_TEST(control::summary(full_report()) == "report, leads 3 shards, follows 2, 300 sessions");
  BOOST_TEST(control::summary(control::state{"secret"}) == "state, 6 bytes");
  BOOST_TEST(control::summary(control::propose{12, "secret"}) == "propose, request 12, 6 bytes");
  BOOST_TEST(control::summary(control::proposed{12, cluster::applied{}}) == "proposed, request 12, done");
  BOOST_TEST(control::summary(control::proposed{12, error{errc::conflict, "secret"}}) ==
             "proposed, request 12, conflict");
  BOOST_TEST(control::summary(control::transfer{system_shard, 0xa1}) ==
             "transfer of the system group to 00000000000000a1");
  BOOST_TEST(control::summary(control::ask{12, control::question::shell, "secret"}) == "ask 1, request 12, 6 bytes");
  BOOST_TEST(control::summary(control::answer{12, errc::none, "s"}) == "answer, request 12, done, 1 byte");
}

BOOST_AUTO_TEST_SUITE_END()
