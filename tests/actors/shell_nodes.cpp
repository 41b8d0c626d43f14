#include "actors/shell/remote_run.hpp"
#include "actors/shell/remote_runs.hpp"
#include "tests/actors/shell_fixture.hpp"
#include "tests/cluster/system_state.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <thread>

using namespace xmpp;
using namespace xmpp::test;
using shell::complete;
using shell::frame;
using shell::frame_type;
using shell::remote_kind;
using shell::remote_run;
using shell::remote_runs;
using shell::remote_step;
using shell::remote_task;

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Knows its cluster, and whom to ask.
struct member_backend : fake_backend {
  result<std::shared_ptr<const cluster::state>> cluster_state() override {
    return agreed ? result<std::shared_ptr<const cluster::state>>{agreed} : errc::item_not_found;
  }
  result<cluster::applied> cluster_ask(cluster::command what) override {
    asked_for = std::move(what);
    return cluster::applied{};
  }
  cluster::node_id own_node() override { return self; }
  std::future<result<std::string>> ask_node(cluster::node_id node, std::string question) override {
    auto answer = std::promise<result<std::string>>{};
    auto out = answer.get_future();
    ++asked;
    if (!answers)
      answer.set_value(error{errc::remote_server_not_found, "there is no link to it just now"});
    else if (!is_silent)
      answer.set_value(answers(node, question));
    else
      silent.push_back(std::move(answer));
    return out;
  }

  cluster::node_id self = 11;
  std::shared_ptr<const cluster::state> agreed;
  std::function<result<std::string>(cluster::node_id, std::string_view)> answers;
  std::optional<cluster::command> asked_for; ///< The last.
  bool is_silent = false;
  std::vector<std::promise<result<std::string>>> silent;
  int asked = 0;
};

/// Nodes 1 (11), where the shell is, 2 (12), and 3 (13), which cannot be reached.
struct nodes_fixture : shell_fixture {
  nodes_fixture() {
    auto group = system_group{4};
    group.add(12);
    group.add(13);
    here.agreed = there.agreed = std::make_shared<const cluster::state>(group.state);
    there.self = 12;
    here.answers = [this](cluster::node_id node, std::string_view x) -> result<std::string> {
      return node == 12 ? runs->answer(11, x) : result<std::string>{error{errc::remote_server_not_found, "no link"}};
    };
    restart({});
  }

  void restart(shell::remote_run_options how) {
    how.on_command = [this](std::uint64_t node, std::string_view line, int status) {
      auto guard = std::lock_guard{there.mutex};
      logged = std::to_string(node) + " " + std::string{line} + " " + std::to_string(status);
    };
    runs = std::make_unique<remote_runs>(how, there, system);
  }

  /// By hand.
  result<shell::remote_answer> tell(const remote_step& x, std::uint64_t from = 11) {
    auto answer = runs->answer(from, shell::encode(x));
    return answer ? shell::decode_remote_answer(*answer) : result<shell::remote_answer>{answer.error()};
  }
  /// Until nothing runs any more there.
  void wait_for_end() {
    while (runs->count() != 0)
      std::this_thread::yield();
  }

  member_backend here, there;
  std::string logged;
  std::unique_ptr<remote_runs> runs;
  shell::context with{out, here, system};
  int run(std::string_view line) {
    out.output.clear();
    out.errors.clear();
    return shell::run_line(with, line);
  }
};

stanza chat(std::string_view from, std::string_view to) {
  auto tree = xml::builder{"message", "jabber:client"}
                  .attribute("type", "chat")
                  .attribute("id", "x1")
                  .leaf("body", "jabber:client", "secret words")
                  .finish();
  return stanza{tree, *jid::parse(from), *jid::parse(to)};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(shell_nodes, nodes_fixture)

// -- on --

BOOST_AUTO_TEST_CASE(a_command_runs_on_the_node_that_was_named) {
  for (auto node : {"2", "10.0.0.12:5999", "10.0.0.12", "000000000000000c"}) {
    BOOST_TEST(run("on " + std::string{node} + " send romeo@localhost good  evening") == 0, out.errors);
    BOOST_TEST(out.output == "sent to romeo@localhost\n");
  }
  BOOST_TEST(there.calls.size() == 4u);
  BOOST_TEST(there.calls.front() == "send romeo@localhost: good  evening");
  BOOST_TEST(here.calls.empty());
  BOOST_TEST(run("on 1 send romeo@localhost hi") == 0);
  BOOST_TEST(here.calls.size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_failed_there_has_failed_here) {
  BOOST_TEST(run("on 2 nonsense") == 1);
  BOOST_TEST(has(out.errors, "unknown command: nonsense"));
  out.how.json = true;
  BOOST_TEST(run("on 2 nonsense") == 1);
  BOOST_TEST(out.output.starts_with("{\"error\":\"unknown command"));
}

BOOST_AUTO_TEST_CASE(a_node_that_cannot_be_reached_is_named_with_the_reason) {
  BOOST_TEST(run("on 3 version") == 1);
  BOOST_TEST(has(out.errors, "node 3 (10.0.0.13:5999) cannot be reached: no link"), out.errors);
  BOOST_TEST(run("on 7 version") == 1);
  BOOST_TEST(has(out.errors, "no such node: 7"));
  here.agreed = nullptr;
  BOOST_TEST(run("on 2 version") == 1);
}

BOOST_AUTO_TEST_CASE(from_another_node_it_goes_no_further) {
  BOOST_TEST(run("on 2 on 1 version") == 1);
  BOOST_TEST(has(out.errors, "it goes no further"));
}

BOOST_AUTO_TEST_CASE(much_output_comes_whole_and_in_order) {
  for (auto i = 0; i < 30'000; ++i)
    there.accounts.emplace("account_" + std::to_string(i) + std::string(40, 'x') + "@localhost", "");
  BOOST_TEST(run("on 2 user list --limit 100000") == 0, out.errors);
  BOOST_TEST(out.output.size() > 2 * shell::remote_output_bytes_max);
  auto direct = std::move(out.output);
  auto local = shell::context{out, there, system};
  out.output.clear();
  BOOST_TEST(shell::run_line(local, "user list --limit 100000") == 0);
  BOOST_TEST((out.output == direct));
}

BOOST_AUTO_TEST_CASE(a_question_from_there_is_asked_here) {
  out.interactive = true;
  out.answers = {"no"};
  BOOST_TEST(run("on 2 shutdown") == 1);
  BOOST_TEST(out.questions.size() == 1u);
  BOOST_TEST(has(out.errors, "left as it is"));
  out.answers = {"yes"};
  BOOST_TEST(run("on 2 shutdown") == 0);
  BOOST_TEST(there.calls.front() == "shutdown");
}

BOOST_AUTO_TEST_CASE(all_nodes_answer_in_the_order_of_their_numbers) {
  BOOST_TEST(run("on all send romeo@localhost hi") == 1); // one of them is not there
  auto first = out.output.find("node 1 (10.0.0.11:5999)\nsent to"),
       second = out.output.find("node 2 (10.0.0.12:5999)\nsent to");
  BOOST_TEST(first < second);
  BOOST_TEST(second != std::string::npos);
  BOOST_TEST(has(out.output, "node 3 (10.0.0.13:5999)\n"));
  BOOST_TEST(has(out.errors, "node 3 (10.0.0.13:5999) cannot be reached: no link"));
  BOOST_TEST(there.calls.size() == 1u);
  BOOST_TEST(here.calls.size() == 1u);
}

BOOST_AUTO_TEST_CASE(all_answers_are_one_document_for_a_program) {
  out.how.json = true;
  BOOST_TEST(run("on all log") == 1);
  BOOST_TEST(std::count(out.output.begin(), out.output.end(), '\n') == 1);
  BOOST_TEST(out.output.starts_with(
                 "[{\"node\":1,\"address\":\"10.0.0.11:5999\",\"status\":0,\"answer\":[{\"component\":\"session\""),
             out.output);
  BOOST_TEST(has(out.output, "{\"node\":3,\"address\":\"10.0.0.13:5999\",\"status\":1,\"answer\":{\"error\":\"node 3"));
  BOOST_TEST(out.output.ends_with("]\n"));
}

BOOST_AUTO_TEST_CASE(a_stop_here_is_a_stop_there) {
  auto turns = 0;
  out.on_wait = [&] { return ++turns < 20; };
  BOOST_TEST(run("on 2 trace romeo@localhost") == 0);
  wait_for_end();
  BOOST_TEST(trace::watchers.load() == 0);
}

BOOST_AUTO_TEST_CASE(passwords_within_are_not_kept_and_not_logged) {
  auto kept = shell::keep("on 2 user add romeo@localhost secret");
  BOOST_TEST(kept.history == "on 2 user add romeo@localhost");
  BOOST_TEST(kept.log == "on 2 user add romeo@localhost");
  BOOST_TEST(kept.durable);
  BOOST_TEST(shell::keep("on 2 send romeo@localhost secret").log == "on 2 send romeo@localhost");
  BOOST_TEST(shell::keep("on 2 'user add romeo@localhost secret'").history == "on 2 user add romeo@localhost");
  BOOST_TEST(!shell::keep("on 2 usr add romeo@localhost secret").durable);
  BOOST_TEST(shell::keep("on 2 usr add romeo@localhost secret").log == "on 2 ?");
  BOOST_TEST(run("on 2 user add romeo@localhost secret") == 0, out.errors);
  wait_for_end();
  BOOST_TEST(logged == "11 user add romeo@localhost 0");
}

BOOST_AUTO_TEST_CASE(nodes_and_their_commands_are_completed) {
  auto words = [&](std::string_view line) { return complete(with, line).words; };
  BOOST_TEST((words("on ") ==
              std::vector<std::string>{"1", "10.0.0.11:5999", "10.0.0.12:5999", "10.0.0.13:5999", "2", "3", "all"}));
  BOOST_TEST((words("on 2 insp") == std::vector<std::string>{"inspect"}));
  BOOST_TEST(complete(with, "on 2 insp").from == 5u);
  BOOST_TEST((words("on all insp") == std::vector<std::string>{"inspect"}));
  auto asked = here.asked;
  BOOST_TEST((words("on 2 log sto") == std::vector<std::string>{"storage"}));
  BOOST_TEST(here.asked > asked);
  BOOST_TEST(words("on 3 insp").empty());
  BOOST_TEST((words("cluster drain 10.0.0.12") == std::vector<std::string>{"10.0.0.12:5999"}));
}

BOOST_AUTO_TEST_CASE(hosts_are_shown_and_agreed_on) {
  BOOST_TEST(run("cluster hosts") == 0);
  for (auto host : {"example.com", "example.org", "localhost"})
    BOOST_TEST(has(out.output, host));
  BOOST_TEST(run("cluster hosts set Localhost b.example") == 0);
  BOOST_TEST(out.output ==
             "agreed on; this node does not serve b.example; serves example.org, which is not agreed on\n");
  BOOST_REQUIRE(here.asked_for);
  auto hosts = std::get<cluster::ask::set_hosts>(here.asked_for->what).hosts;
  BOOST_TEST((hosts == std::vector<std::string>{"localhost", "b.example"}));
  here.asked_for.reset();
  for (auto wrong : {"cluster hosts localhost", "cluster hosts set", "cluster hosts set romeo@localhost"})
    BOOST_TEST(run(wrong) == 1);
  BOOST_TEST(!here.asked_for);
  auto words = [&](std::string_view line) { return complete(with, line).words; };
  BOOST_TEST((words("cluster hosts s") == std::vector<std::string>{"set"}));
  BOOST_TEST((words("cluster hosts set exa") == std::vector<std::string>{"example.com", "example.org"}));
  BOOST_TEST((words("cluster hosts set localhost loc") == std::vector<std::string>{"localhost"}));
}

// -- trace --

BOOST_AUTO_TEST_CASE(a_trace_shows_the_events_of_all_nodes_in_one_view) {
  // One process has the events of both: each comes twice.
  auto noted = false;
  out.on_wait = [&] {
    if (trace::watchers.load() == 2 && !std::exchange(noted, true)) {
      trace::note(trace::station::received, "session", *jid::parse("romeo@localhost/a"),
                  chat("romeo@localhost/a", "juliet@localhost"));
      trace::note(trace::station::handled, "user", *jid::parse("juliet@localhost"),
                  chat("romeo@localhost/a", "juliet@localhost"));
    }
    std::this_thread::yield();
    return true;
  };
  BOOST_TEST(run("trace romeo@localhost --count 4") == 0);
  auto at = [&](std::string_view what) { return out.output.find(what); };
  BOOST_TEST(at("node 1  received") < at("node 1  handled"));
  BOOST_TEST(at("node 2  received") < at("node 2  handled")); // Of two nodes' events one may come late.
  BOOST_TEST(has(out.output, "node 2  handled"));
  BOOST_TEST(has(out.output, "node 3 can not be watched: no link"));
  BOOST_TEST(!has(out.output, "node 2 can not"));
  BOOST_TEST(!has(out.output, "secret words"));
  wait_for_end();
  BOOST_TEST(trace::watchers.load() == 0);
}

// -- what runs for others --

BOOST_AUTO_TEST_CASE(a_command_that_nobody_asks_about_stops) {
  restart({.lease = std::chrono::milliseconds{20}});
  auto what = remote_step{.what = remote_kind::begin, .run = 7, .task = remote_task::trace};
  what.text = shell::encode(shell::watched{*jid::parse("romeo@localhost"), false});
  BOOST_TEST(tell(what).has_value());
  wait_for_end();
  BOOST_TEST(trace::watchers.load() == 0);
  BOOST_TEST((tell({.what = remote_kind::more, .run = 7}).code() == errc::item_not_found));
}

BOOST_AUTO_TEST_CASE(a_command_waits_for_who_does_not_take_its_output_and_then_stops) {
  restart({.lease = std::chrono::milliseconds{20}});
  for (auto i = 0; i < 30'000; ++i)
    there.accounts.emplace("account_" + std::to_string(i) + std::string(40, 'x') + "@localhost", "");
  BOOST_TEST(tell({.what = remote_kind::begin, .run = 7, .text = "user list --limit 100000"}).has_value());
  wait_for_end();
  BOOST_TEST(logged == "11 user list --limit 100000 0");
}

BOOST_AUTO_TEST_CASE(each_node_has_its_own_runs) {
  BOOST_TEST(tell({.what = remote_kind::begin, .run = 7, .text = "top --count 100"}, 11).has_value());
  BOOST_TEST((tell({.what = remote_kind::begin, .run = 7, .text = "version"}, 11).code() == errc::conflict));
  BOOST_TEST((tell({.what = remote_kind::stop, .run = 7}, 13).code() == errc::item_not_found));
  BOOST_TEST(tell({.what = remote_kind::begin, .run = 7, .text = "version"}, 13).has_value());
  BOOST_TEST(tell({.what = remote_kind::stop, .run = 7}, 11).has_value());
}

BOOST_AUTO_TEST_CASE(so_many_run_and_no_more) {
  restart({.runs_max = 2});
  for (auto run : {1u, 2u})
    BOOST_TEST(tell({.what = remote_kind::begin, .run = run, .text = "top --count 100"}).has_value());
  BOOST_TEST((tell({.what = remote_kind::begin, .run = 3, .text = "version"}).code() == errc::resource_constraint));
  runs->stop();
  BOOST_TEST((tell({.what = remote_kind::begin, .run = 3, .text = "version"}).code() == errc::service_unavailable));
}

BOOST_AUTO_TEST_CASE(what_is_no_question_is_refused) {
  for (auto bytes : {"", "\1", "\1X\1", "\2B\1", "\1B\0", "\1B\1Q", "\1M"})
    BOOST_TEST(!runs->answer(11, bytes).has_value());
  BOOST_TEST(runs->count() == 0u);
  auto whole = shell::encode(remote_step{.what = remote_kind::begin, .run = 300, .text = "version"});
  for (auto size = std::size_t{0}; size < 9; ++size)
    BOOST_TEST(!shell::decode_remote_step(whole.substr(0, size)).has_value());
  BOOST_TEST(shell::decode_remote_step(whole)->text == "version");
  auto answer = shell::encode_remote_answer(5, std::string("\0\0\0\2Oab\0\0\0\0D", 12));
  BOOST_TEST(shell::decode_remote_answer(answer)->frames.size() == 2u);
  for (auto size : {0, 5, 12, 15, 20})
    BOOST_TEST(!shell::decode_remote_answer(answer.substr(0, std::size_t(size))).has_value());
  auto event = shell::encode(trace::event{7, trace::station::stored, "user a@b", "a@b", "c@d", "message", ""});
  BOOST_TEST(shell::decode_event(event)->summary == "message");
  for (auto size = std::size_t{0}; size < event.size(); ++size)
    BOOST_TEST(!shell::decode_event(event.substr(0, size)).has_value());
}

BOOST_AUTO_TEST_CASE(any_bytes_are_refused_or_mean_something) {
  auto random = std::mt19937_64{9};
  auto step = shell::encode(remote_step{.what = remote_kind::begin, .run = 300, .text = "version"});
  auto answer = shell::encode_remote_answer(5, std::string("\0\0\0\2Oab\0\0\0\0D", 12));
  auto event = shell::encode(trace::event{7, trace::station::stored, "user a@b", "a@b", "c@d", "message", ""});
  auto watched = shell::encode(shell::watched{*jid::parse("romeo@localhost"), true});
  for (auto i = 0; i < 20'000; ++i) {
    (void)shell::decode_remote_step(mutated(step, random));
    (void)shell::decode_remote_answer(mutated(answer, random));
    (void)shell::decode_event(mutated(event, random));
    (void)shell::decode_watched(mutated(watched, random));
  }
}

BOOST_AUTO_TEST_CASE(a_line_that_is_too_long_is_not_sent) {
  auto aut = remote_run{here, 12, remote_task::line, {}, std::string(shell::remote_text_bytes_max + 1, 'x')};
  BOOST_TEST(aut.is_over());
  BOOST_TEST((aut.failure()->code == errc::policy_violation));
  BOOST_TEST(here.asked == 0);
}

BOOST_AUTO_TEST_CASE(what_is_told_goes_out_in_order_one_at_a_time) {
  auto kinds = std::string{};
  here.answers = [&](auto, std::string_view x) -> result<std::string> {
    kinds += char(shell::decode_remote_step(x)->what);
    return shell::encode_remote_answer(0, {});
  };
  {
    auto aut = remote_run{here, 12, remote_task::line, {}, "top"};
    aut.tell(remote_kind::answer, "yes");
    aut.tell(remote_kind::resize, shell::encode_width(80));
    for (auto i = 0; i < 3; ++i)
      BOOST_TEST(aut.poll().empty());
  }
  BOOST_TEST(kinds == "BAZMS");
}

BOOST_AUTO_TEST_SUITE_END()
