#include "actors/shell/commands.hpp"
#include "actors/trace.hpp"
#include "tests/actors/shell_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

using namespace xmpp;
using namespace xmpp::test;
using shell::complete;
using shell::keep;

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> candidates(shell_fixture& f, std::string_view line) {
  return complete(f.with, line).words;
}

observed& counters(const caf::strong_actor_ptr& of) {
  return dynamic_cast<observed&>(*caf::actor_cast<caf::abstract_actor*>(of));
}

stanza chat(std::string_view from, std::string_view to) {
  auto tree = xml::builder{"message", "jabber:client"}
                  .attribute("type", "chat")
                  .attribute("id", "x1")
                  .leaf("body", "jabber:client", "secret words")
                  .finish();
  return stanza{tree, *jid::parse(from), *jid::parse(to)};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(shell_commands, shell_fixture)

// -- the table --

BOOST_AUTO_TEST_CASE(every_command_has_a_function_a_help_and_a_name_of_its_own) {
  auto names = std::set<std::string_view>{};
  for (auto& one : shell::commands()) {
    BOOST_TEST(names.insert(one.name).second, one.name);
    BOOST_TEST((one.run != nullptr));
    BOOST_TEST(one.help.ends_with("."), one.name);
    BOOST_TEST(one.words_min <= one.words_max, one.name);
    BOOST_TEST(one.words.size() <= one.words_max, one.name);
    BOOST_TEST(run("help " + std::string{one.name}) == 0);
    BOOST_TEST(has(out.output, one.name));
  }
  for (auto name :
       {"help",    "tree",      "actors",   "inspect",     "kill",        "top",       "trace",     "sessions",
        "send",    "announce",  "stats",    "log",         "config",      "reload",    "drain",     "shutdown",
        "version", "user list", "user add", "user passwd", "user delete", "user info", "disconnect"})
    BOOST_TEST(names.count(name) == 1u, name);
}

BOOST_AUTO_TEST_CASE(help_lists_all_commands) {
  BOOST_TEST(run("help") == 0);
  for (auto& one : shell::commands())
    BOOST_TEST(has(out.output, "\n" + std::string{one.name}), one.name);
}

BOOST_AUTO_TEST_CASE(an_empty_line_does_nothing) {
  BOOST_TEST(run("   ") == 0);
  BOOST_TEST(out.output + out.errors == "");
  out.how.json = true;
  BOOST_TEST(run("") == 0);
  BOOST_TEST(out.output == "{}\n");
}

BOOST_AUTO_TEST_CASE(an_unknown_command_suggests_the_nearest) {
  BOOST_TEST(run("inspct 4") == 1);
  BOOST_TEST(has(out.errors, "did you mean: inspect?"));
  BOOST_TEST(run("usr list") == 1);
  BOOST_TEST(has(out.errors, "did you mean: user?"));
  BOOST_TEST(run("user ad x") == 1);
  BOOST_TEST(has(out.errors, "did you mean: user add?"));
  BOOST_TEST(run("user") == 1);
  BOOST_TEST(has(out.errors, "user passwd"));
  BOOST_TEST(run("help nonsense") == 1);
}

BOOST_AUTO_TEST_CASE(wrong_words_and_options_are_refused_with_the_usage) {
  for (auto line : {"inspect", "inspect a b", "stats --all", "actors --limit", "actors --limit=0", "actors --limit x",
                    "tree --all=yes", "actors --sort size", "kill 'x", "log session"}) {
    BOOST_TEST(run(line) == 1, line);
    BOOST_TEST(!out.errors.empty());
    BOOST_TEST(out.output == "");
  }
}

BOOST_AUTO_TEST_CASE(errors_in_json_are_an_object_on_the_output) {
  out.how.json = true;
  BOOST_TEST(run("nonsense") == 1);
  BOOST_TEST(out.output.starts_with("{\"error\":\"unknown command: nonsense"));
  BOOST_TEST(out.errors == "");
}

// -- actors --

BOOST_AUTO_TEST_CASE(the_tree_shows_who_supervises_whom_and_counts_users_and_sessions) {
  BOOST_TEST(run("tree") == 0);
  auto lines = std::vector<std::string>{};
  for (auto rest = std::string_view{out.output}; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1))
    lines.emplace_back(rest.substr(0, rest.find('\n')));
  BOOST_REQUIRE(lines.size() == 7u);
  BOOST_TEST(lines[1].starts_with("server root "));
  BOOST_TEST(lines[2].starts_with("├─ supervisor shards "));
  BOOST_TEST(lines[3].starts_with("│  └─ shard 0 "));
  BOOST_TEST(lines[4] == "│     └─ 1 user");
  BOOST_TEST(lines[5].starts_with("└─ supervisor sessions "));
  BOOST_TEST(lines[6] == "   └─ 2 sessions");
}

BOOST_AUTO_TEST_CASE(idle_shards_are_one_line_when_there_are_many) {
  for (auto i = 1; i <= 5; ++i)
    start(shards, actor_kind::shard, "", "shard " + std::to_string(i));
  BOOST_TEST(run("tree") == 0);
  BOOST_TEST(has(out.output, "│  ├─ shard 0 ")); // it has a user
  BOOST_TEST(has(out.output, "│  └─ 5 idle shards\n"));
  BOOST_TEST(run("kill shard/3") == 0);
  BOOST_TEST(run("tree") == 0);
  BOOST_TEST(has(out.output, "├─ shard 3 "));
  BOOST_TEST(run("tree --all") == 0);
  BOOST_TEST(has(out.output, "├─ shard 1 "));
  BOOST_TEST(!has(out.output, "shard shard"));
}

BOOST_AUTO_TEST_CASE(the_whole_tree_shows_each_user_and_session) {
  BOOST_TEST(run("tree --all") == 0);
  BOOST_TEST(has(out.output, "└─ user romeo@localhost "));
  BOOST_TEST(has(out.output, "├─ session romeo@localhost/balcony "));
  BOOST_TEST(!has(out.output, "2 sessions"));
}

BOOST_AUTO_TEST_CASE(actors_are_filtered_by_kind_and_pattern_and_limited) {
  BOOST_TEST(run("actors session *balcony") == 0);
  BOOST_TEST(has(out.output, "romeo@localhost/balcony"));
  BOOST_TEST(!has(out.output, "street"));
  BOOST_TEST(run("actors romeo --limit 1") == 0);
  BOOST_TEST(has(out.output, "3 in all"));
  BOOST_TEST(run("actors hasher") == 0);
  BOOST_TEST(out.output == "no such actor\n");
  BOOST_TEST(run("actors nonsense romeo") == 1);
}

BOOST_AUTO_TEST_CASE(actors_are_sorted_by_what_is_asked_for) {
  auto busy = start(sessions, actor_kind::session, "zoe@localhost/a", "");
  auto self = caf::scoped_actor{system};
  for (auto i = 0; i < 5; ++i)
    self->request(caf::actor_cast<caf::actor>(busy), caf::infinite, msg::describe{})
        .receive([](msg::description&) {}, [](caf::error&) {});
  BOOST_TEST(run("actors session --sort messages --limit 1") == 0);
  BOOST_TEST(has(out.output, "zoe@localhost/a"));
}

BOOST_AUTO_TEST_CASE(each_weight_has_another_first) {
  counters(balcony).received += 7; // these wait
  counters(street).memory_bytes = 9'000;
  counters(romeo).received += 100;
  counters(romeo).handled += 100;
  auto firsts = std::vector<std::pair<std::string, std::string>>{{"", "romeo@localhost/balcony"},
                                                                 {" --sort mailbox", "romeo@localhost/balcony"},
                                                                 {" --sort memory", "romeo@localhost/street"},
                                                                 {" --sort messages", "user"}};
  for (auto& [how, first] : firsts) {
    BOOST_TEST(run("actors --limit 1" + how) == 0);
    BOOST_TEST(has(out.output, first), out.output);
  }
  counters(street).received += 3;
  out.how.json = true;
  BOOST_TEST(run("actors session --sort mailbox") == 0); // both, the fuller one first
  BOOST_TEST(out.output.find("balcony") < out.output.find("street"), out.output);
  counters(street).received += 10;
  BOOST_TEST(run("actors session --sort mailbox") == 0);
  BOOST_TEST(out.output.find("street") < out.output.find("balcony"), out.output);
}

BOOST_AUTO_TEST_CASE(an_actor_is_found_by_number_kind_and_name_name_or_jid) {
  for (auto& text :
       {number(shard), "#" + number(shard), std::string{"shard/0"}, std::string{"0"}, std::string{"shard"}}) {
    if (text == "0")
      continue; // a number is a number, never a name
    BOOST_TEST(run("inspect " + text) == 0, text);
    BOOST_TEST(has(out.output, "shards #" + number(shards)), text);
  }
  BOOST_TEST(run("inspect shards") == 0);
  BOOST_TEST(run("inspect ROMEO@localhost") == 0);
  BOOST_TEST(has(out.output, "user\n"));
  BOOST_TEST(run("inspect romeo@localhost/street") == 0);
  BOOST_TEST(has(out.output, "session\n"));
  BOOST_TEST(run("inspect nobody@localhost") == 1);
  BOOST_TEST(run("inspect 4711000") == 1);
}

BOOST_AUTO_TEST_CASE(several_actors_that_fit_are_listed) {
  start(sessions, actor_kind::session, "juliet@localhost/a", "");
  start(sessions, actor_kind::session, "juliet@localhost/b", "");
  BOOST_TEST(run("inspect juliet@localhost") == 1); // no user actor, two sessions
  BOOST_TEST(has(out.errors, "juliet@localhost/a #"));
  BOOST_TEST(has(out.errors, "juliet@localhost/b #"));
}

BOOST_AUTO_TEST_CASE(inspect_adds_what_the_actor_says_of_itself) {
  BOOST_TEST(run("inspect romeo@localhost") == 0);
  BOOST_TEST(has(out.output, "name              romeo@localhost\n"));
  BOOST_TEST(has(out.output, "stage             bound\n"));
  BOOST_TEST(has(out.output, "child             first\n                  second\n"));
  BOOST_TEST(!has(out.output, "known already"));
  out.how.json = true;
  BOOST_TEST(run("inspect romeo@localhost") == 0);
  BOOST_TEST(has(out.output, "\"child\":[\"first\",\"second\"]"));
}

BOOST_AUTO_TEST_CASE(an_actor_that_does_not_answer_is_shown_as_far_as_it_is_known) {
  auto mute = start(root, actor_kind::listener, "", "mute", true);
  BOOST_TEST(run("inspect mute") == 0);
  BOOST_TEST(has(out.output, "kind              listener\n"));
  BOOST_TEST(has(out.output, "does not answer"));
}

BOOST_AUTO_TEST_CASE(kill_tells_that_the_actor_was_restarted) {
  BOOST_TEST(run("kill romeo@localhost") == 0);
  BOOST_TEST(has(out.output, "outcome     restarted\n"));
  BOOST_TEST(has(out.output, "restarts    1\n"));
  BOOST_TEST(has(out.output, "told to fail"));
  BOOST_TEST(run("kill romeo@localhost") == 0);
  BOOST_TEST(has(out.output, "restarts    2\n"));
}

BOOST_AUTO_TEST_CASE(kill_tells_that_the_actor_ended) {
  auto orphan = start(nullptr, actor_kind::listener, "", "orphan");
  BOOST_TEST(run("kill " + number(orphan)) == 0);
  BOOST_TEST(has(out.output, "outcome     ended\n"));
}

BOOST_AUTO_TEST_CASE(sessions_are_listed_in_the_order_of_their_jids) {
  BOOST_TEST(run("sessions") == 0);
  auto balcony_at = out.output.find("romeo@localhost/balcony"), street_at = out.output.find("romeo@localhost/street");
  BOOST_TEST(balcony_at < street_at);
  BOOST_TEST(street_at != std::string::npos);
  BOOST_TEST(has(out.output, "stage"));
  BOOST_TEST(run("sessions --limit 1") == 0);
  BOOST_TEST(!has(out.output, "street"));
  BOOST_TEST(has(out.output, "2 in all"));
  BOOST_TEST(run("sessions juliet") == 0);
  BOOST_TEST(out.output == "no session\n");
}

BOOST_AUTO_TEST_CASE(disconnect_takes_a_full_jid_or_all_of_an_account) {
  BOOST_TEST(run("disconnect romeo@localhost/balcony go home") == 0);
  BOOST_TEST(out.output == "1 session is told to end\n");
  BOOST_TEST(run("disconnect romeo@localhost go home") == 0);
  BOOST_TEST(out.output == "2 sessions are told to end\n");
  BOOST_TEST(run("disconnect juliet@localhost") == 1);
  BOOST_TEST(run("disconnect shard/0") == 1);
  BOOST_TEST(run("inspect romeo@localhost/balcony") == 0); // both have handled what came before
  BOOST_TEST(run("inspect romeo@localhost/street") == 0);
  BOOST_TEST(sample::streams_ended == 3);
}

// -- watching --

BOOST_AUTO_TEST_CASE(stats_are_one_flat_object) {
  out.how.json = true;
  BOOST_TEST(run("stats") == 0);
  for (auto part : {"\"offline_stored\":", "\"stanzas_received\":", "\"uptime_s\":", "\"user_actors\":1",
                    "\"session_actors\":2", "\"storage_queue_bytes\":2048", "\"storage_state\":\"healthy\""})
    BOOST_TEST(has(out.output, part), part);
  out.how.json = false;
  BOOST_TEST(run("stats") == 0);
  BOOST_TEST(has(out.output, "2.0 KiB"));
}

BOOST_AUTO_TEST_CASE(top_shows_rates_until_it_is_stopped) {
  auto looks = 0;
  out.on_wait = [&] { return ++looks <= 3; };
  BOOST_TEST(run("top --count 100") == 0);
  BOOST_TEST(looks == 4);
  BOOST_TEST(has(out.output, "messages delivered"));
  out.how.json = true;
  out.on_wait = [] { return true; };
  BOOST_TEST(run("top") == 0);
  BOOST_TEST(has(out.output, "\"cpu_percent\":"));
  BOOST_TEST(std::count(out.output.begin(), out.output.end(), '\n') == 1);
}

BOOST_AUTO_TEST_CASE(a_trace_shows_stanzas_from_and_to_an_address_without_bodies) {
  auto turns = 0;
  out.on_wait = [&] {
    trace::note(trace::station::received, "session", *jid::parse("romeo@localhost/balcony"),
                chat("romeo@localhost/balcony", "juliet@localhost"));
    trace::note(trace::station::handled, "user", *jid::parse("nurse@localhost"),
                chat("nurse@localhost/a", "peter@localhost"));
    return ++turns <= 2;
  };
  BOOST_TEST(run("trace juliet@localhost") == 0);
  BOOST_TEST(has(out.output, "received   session  romeo@localhost/balcony → juliet@localhost  message chat id=x1"));
  BOOST_TEST(!has(out.output, "nurse"));
  BOOST_TEST(!has(out.output, "secret words"));
  BOOST_TEST(trace::watchers.load() == 0);
}

BOOST_AUTO_TEST_CASE(a_trace_shows_bodies_when_asked_and_ends_after_its_count) {
  out.on_wait = [&] {
    for (auto i = 0; i < 10; ++i)
      trace::note(trace::station::delivered, "session", *jid::parse("romeo@localhost/balcony"),
                  chat("juliet@localhost/a", "romeo@localhost"));
    return true;
  };
  BOOST_TEST(run("trace romeo@localhost --bodies --count 3") == 0);
  auto at = std::size_t{0}, seen = std::size_t{0};
  for (; (at = out.output.find("secret words", at)) != std::string::npos; ++at)
    ++seen;
  BOOST_TEST(seen == 3u);
  BOOST_TEST(has(out.output, "session /balcony"));
}

BOOST_AUTO_TEST_CASE(a_trace_of_an_actor_is_one_of_its_address) {
  auto turns = 0;
  out.on_wait = [&] {
    trace::note(trace::station::delivered, "session", *jid::parse("romeo@localhost/balcony"),
                chat("juliet@localhost/a", "romeo@localhost/balcony"));
    return ++turns <= 1;
  };
  BOOST_TEST(run("trace " + number(balcony)) == 0);
  BOOST_TEST(has(out.output, "delivered"));
  BOOST_TEST(run("trace shard/0") == 1);
  BOOST_TEST(run("trace @") == 1);
}

BOOST_AUTO_TEST_CASE(a_flood_is_counted_not_kept) {
  auto turns = 0;
  out.on_wait = [&] {
    for (auto i = 0; i < 1'500; ++i)
      trace::note(trace::station::delivered, "session", *jid::parse("romeo@localhost/balcony"),
                  chat("juliet@localhost/a", "romeo@localhost"));
    return ++turns <= 1;
  };
  BOOST_TEST(run("trace romeo@localhost") == 0);
  BOOST_TEST(has(out.output, "500 more came too fast to show"));
}

// -- accounts --

BOOST_AUTO_TEST_CASE(accounts_are_made_changed_shown_and_removed) {
  BOOST_TEST(run("user add juliet@localhost s3cret") == 0);
  BOOST_TEST(backend.accounts["juliet@localhost"] == "s3cret");
  BOOST_TEST(run("user add Juliet@LOCALHOST other") == 1);
  BOOST_TEST(has(out.errors, "exists already"));
  BOOST_TEST(run("user passwd juliet@localhost n3w") == 0);
  BOOST_TEST(backend.accounts["juliet@localhost"] == "n3w");
  BOOST_TEST(run("user info juliet@localhost") == 0);
  BOOST_TEST(has(out.output, "roster items"));
  BOOST_TEST(run("user delete juliet@localhost") == 0);
  BOOST_TEST(run("user delete juliet@localhost") == 1);
  BOOST_TEST(has(out.errors, "no such account"));
  BOOST_TEST(run("user add juliet@elsewhere pw") == 1);
  BOOST_TEST(has(out.errors, "not a host of this server"));
  for (auto line : {"user add localhost pw", "user add juliet@localhost/a pw", "user add @ pw", "user info localhost"})
    BOOST_TEST(run(line) == 1, line);
}

BOOST_AUTO_TEST_CASE(a_password_that_is_not_given_is_asked_for_without_echo) {
  out.interactive = true;
  out.answers = {"s3cret", "s3cret"};
  BOOST_TEST(run("user add juliet@localhost") == 0);
  BOOST_TEST(out.questions.size() == 2u);
  BOOST_TEST(out.questions[0] == "!Password for juliet@localhost: ");
  BOOST_TEST(backend.accounts["juliet@localhost"] == "s3cret");
  BOOST_TEST(!has(out.output, "s3cret"));
}

BOOST_AUTO_TEST_CASE(two_passwords_that_differ_change_nothing) {
  out.interactive = true;
  out.answers = {"one", "two"};
  BOOST_TEST(run("user add juliet@localhost") == 1);
  BOOST_TEST(backend.accounts.empty());
  out.answers = {};
  BOOST_TEST(run("user add juliet@localhost") == 1);
  out.answers = {""};
  BOOST_TEST(run("user add juliet@localhost") == 1);
  BOOST_TEST(backend.accounts.empty());
}

BOOST_AUTO_TEST_CASE(a_script_is_asked_for_a_password_once) {
  out.answers = {"s3cret"};
  BOOST_TEST(run("user add juliet@localhost") == 0);
  BOOST_TEST(backend.accounts["juliet@localhost"] == "s3cret");
}

BOOST_AUTO_TEST_CASE(the_list_of_accounts_counts_sessions) {
  backend.accounts = {{"romeo@localhost", ""}, {"juliet@localhost", ""}, {"nurse@localhost", ""}};
  out.how.json = true;
  BOOST_TEST(run("user list *o*@localhost") == 0);
  BOOST_TEST(out.output == "[{\"account\":\"romeo@localhost\",\"sessions\":2}]\n");
  out.how.json = false;
  BOOST_TEST(run("user list --limit 2") == 0);
  BOOST_TEST(has(out.output, "there are more"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_undone_is_asked_about_when_someone_is_there) {
  backend.accounts = {{"juliet@localhost", ""}};
  out.interactive = true;
  out.answers = {"no", "maybe"};
  BOOST_TEST(run("user delete juliet@localhost") == 1);
  BOOST_TEST(run("shutdown") == 1);
  BOOST_TEST(run("drain") == 1); // no answer at all
  BOOST_TEST(backend.accounts.size() == 1u);
  BOOST_TEST(backend.calls.empty());
  out.answers = {"yes", "y"};
  BOOST_TEST(run("user delete juliet@localhost") == 0);
  BOOST_TEST(run("shutdown") == 0);
  BOOST_TEST(backend.accounts.empty());
  BOOST_TEST(backend.calls.size() == 1u);
}

// -- the server --

BOOST_AUTO_TEST_CASE(the_text_of_a_message_is_the_rest_of_the_line) {
  BOOST_TEST(run("send romeo@localhost it's  me and \"you\"") == 0);
  BOOST_TEST(run("send romeo@localhost 'in quotes'") == 0);
  BOOST_TEST(run("announce don't panic --all") == 0);
  BOOST_TEST(has(out.output, "1,234 sessions"));
  BOOST_TEST(backend.calls ==
                 (std::vector<std::string>{"send romeo@localhost: it's  me and \"you\"",
                                           "send romeo@localhost: in quotes", "announce don't panic --all"}),
             boost::test_tools::per_element());
  for (auto line : {"send romeo@localhost", "send @ hi", "announce", "announce ''"})
    BOOST_TEST(run(line) == 1, line);
}

BOOST_AUTO_TEST_CASE(a_message_to_no_account_is_not_said_to_be_sent) {
  BOOST_TEST(run("send nobody@localhost hi") == 1);
  BOOST_TEST(has(out.errors, "no such account: nobody@localhost"));
  BOOST_TEST(!has(out.output, "sent"));
}

BOOST_AUTO_TEST_CASE(log_levels_are_shown_and_changed) {
  BOOST_TEST(run("log") == 0);
  BOOST_TEST(has(out.output, "storage    warning"));
  BOOST_TEST(run("log session debug") == 0);
  BOOST_TEST(backend.calls.back() == "log session debug");
  BOOST_TEST(run("log nonsense debug") == 1);
  BOOST_TEST(has(out.errors, "no such component"));
  BOOST_TEST(run("log session loud") == 1);
  BOOST_TEST(has(out.errors, "no such level"));
}

BOOST_AUTO_TEST_CASE(what_the_file_says_otherwise_is_marked) {
  BOOST_TEST(run("config") == 0);
  BOOST_TEST(!has(out.output, "restart"));
  backend.waiting = {{"c2s.write_timeout_s", "90"}, {"hosts.new", "\"new.lit\""}, {"hosts.old", ""}};
  BOOST_TEST(run("config c2s.*") == 0);
  BOOST_TEST(out.output == "option               value\nc2s.write_timeout_s  60     file says 90: needs a restart\n");
  BOOST_TEST(run("config hosts.*") == 0);
  BOOST_TEST(has(out.output, "hosts.new  -      file says \"new.lit\": needs a restart\n"), out.output);
  BOOST_TEST(has(out.output, "hosts.old  -      not in the file any more"), out.output);
  out.how.json = true;
  BOOST_TEST(run("config c2s.*") == 0);
  BOOST_TEST(out.output == "[{\"option\":\"c2s.write_timeout_s\",\"value\":\"60\",\"file_says\":\"90\"}]\n");
}

BOOST_AUTO_TEST_CASE(configuration_reload_drain_and_version_are_shown) {
  BOOST_TEST(run("config c2s.*") == 0);
  BOOST_TEST(has(out.output, "c2s.write_timeout_s  60"));
  BOOST_TEST(!has(out.output, "tls.ciphers"));
  BOOST_TEST(run("reload") == 0);
  BOOST_TEST(has(out.output, "nothing has changed"));
  BOOST_TEST(run("drain") == 0);
  BOOST_TEST(has(out.output, "draining 3 sessions"));
  BOOST_TEST(run("version") == 0);
  BOOST_TEST(has(out.output, "0.17"));
}

// -- completion --

BOOST_AUTO_TEST_CASE(commands_are_completed_word_by_word) {
  BOOST_TEST(candidates(*this, "sh") == std::vector<std::string>{"shutdown"}, boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "user p") == std::vector<std::string>{"passwd"}, boost::test_tools::per_element());
  BOOST_TEST(complete(with, "user p").from == 5u);
  BOOST_TEST(candidates(*this, "help us") == std::vector<std::string>{"user"}, boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "").size() > 15u);
  BOOST_TEST(candidates(*this, "nonsense ").empty());
}

BOOST_AUTO_TEST_CASE(names_are_completed_from_the_running_server) {
  BOOST_TEST(candidates(*this, "inspect romeo@localhost/b") == std::vector<std::string>{"romeo@localhost/balcony"},
             boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "kill sh") == std::vector<std::string>{"shard/0"}, boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "actors sess") == std::vector<std::string>{"session"}, boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "send juliet@e") == std::vector<std::string>{"juliet@example.org"},
             boost::test_tools::per_element());
  backend.accounts = {{"nurse@localhost", ""}};
  BOOST_TEST(candidates(*this, "user info nu") == std::vector<std::string>{"nurse@localhost"},
             boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "log st") == std::vector<std::string>{"storage"}, boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "log storage d") == std::vector<std::string>{"debug"}, boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "config tls") == std::vector<std::string>{"tls.ciphers"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(options_and_their_values_are_completed) {
  BOOST_TEST(candidates(*this, "actors --s") == std::vector<std::string>{"--sort"}, boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "actors --sort me") == (std::vector<std::string>{"memory", "messages"}),
             boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "actors --sort memory sess") == std::vector<std::string>{"session"},
             boost::test_tools::per_element());
  BOOST_TEST(candidates(*this, "actors --limit ").empty());
}

// -- what is kept --

BOOST_AUTO_TEST_CASE(passwords_and_texts_are_not_kept) {
  auto line = keep("user add juliet@localhost s3cret");
  BOOST_TEST(line.history == "user add juliet@localhost");
  BOOST_TEST(line.log == "user add juliet@localhost");
  BOOST_TEST(line.durable);
  line = keep("user passwd juliet@localhost 's3cret and");
  BOOST_TEST(line.history == "user passwd juliet@localhost");
  line = keep("send juliet@localhost private words");
  BOOST_TEST(line.history == "send juliet@localhost private words");
  BOOST_TEST(line.log == "send juliet@localhost");
  BOOST_TEST(keep("announce private words").log == "announce");
  BOOST_TEST(keep("actors user --limit 3").log == "actors user --limit 3");
}

BOOST_AUTO_TEST_CASE(a_mistyped_line_that_may_hold_a_password_is_not_kept_for_the_next_time) {
  BOOST_TEST(!keep("user ad juliet@localhost s3cret").durable);
  BOOST_TEST(!has(keep("user ad juliet@localhost s3cret").log, "s3cret"));
  BOOST_TEST(!keep("usr add juliet@localhost s3cret").durable);
  BOOST_TEST(keep("stats").durable);
}

BOOST_AUTO_TEST_SUITE_END()
