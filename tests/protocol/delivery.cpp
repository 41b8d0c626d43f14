#include "protocol/delivery.hpp"

#include "protocol/namespaces.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace xmpp;

namespace {

const auto account = jid::from_prepared("juliet@capulet.lit");
const auto romeo = jid::from_prepared("romeo@montague.lit/orchard");

struct resource {
  const char* name;
  bool available;
  int priority;
};

std::vector<session_view> sessions_of(const std::vector<resource>& list) {
  auto result = std::vector<session_view>{};
  for (auto& x : list) {
    auto view = session_view{};
    view.full = account.with_resource(x.name);
    view.available = x.available;
    view.priority = static_cast<std::int8_t>(x.priority);
    result.push_back(std::move(view));
  }
  return result;
}

stanza make(std::string_view kind, std::string_view type, const jid& to) {
  auto out = xml::builder{kind, ns::client};
  if (!type.empty())
    out.attribute("type", type);
  if (kind == "message")
    out.leaf("body", ns::client, "Wherefore art thou?");
  if (kind == "iq")
    out.attribute("id", "i1").open("query", "urn:example").close();
  return {out.finish(), romeo, to};
}

/// What happened, in one word: `S` dropped, `E` refused, `O` stored, `H` handled, `?` answered, else the names of the
/// sessions.
std::string outcome(const stanza& x, bool exists, const std::vector<resource>& list, delivery_policy policy = {}) {
  auto d = deliver(x, exists, sessions_of(list), policy);
  switch (d.what) {
  case delivery::way::deliver: {
    BOOST_TEST(!d.sessions.empty());
    auto names = std::string{};
    for (auto i : d.sessions)
      names += (names.empty() ? "" : ",") + std::string{list[i].name};
    return names;
  }
  case delivery::way::store:
    return "O";
  case delivery::way::refuse:
    BOOST_TEST((d.code == errc::service_unavailable));
    BOOST_TEST(x.may_answer_with_error());
    return "E";
  case delivery::way::drop:
    return "S";
  case delivery::way::answer:
    return "?";
  case delivery::way::handle:
    return "H";
  }
  return "";
}

struct row {
  std::string_view condition;
  bool exists;
  std::vector<resource> sessions;
  const char* to; ///< Resource; empty: the bare JID.
  std::string normal, chat, groupchat, headline, error;
};

} // namespace

BOOST_AUTO_TEST_SUITE(deliveries_by_rfc_6121)

// -- messages: the summary of 8.5.4, row by row. Where the RFC lets a server ignore or refuse, we refuse, so that a
// sender learns that nobody will read; headlines are let go --

BOOST_AUTO_TEST_CASE(messages_go_where_the_table_says) {
  auto none = std::vector<resource>{};
  auto bound = std::vector<resource>{{"a", false, 0}}; // connected, but not available
  auto negative = std::vector<resource>{{"a", true, -1}, {"b", true, -128}};
  auto one = std::vector<resource>{{"a", true, 0}, {"n", true, -5}};
  auto several =
      std::vector<resource>{{"a", true, 1}, {"x", false, 9}, {"b", true, 5}, {"n", true, -1}, {"c", true, 5}};
  // clang-format off
  auto rows = std::vector<row>{
    //                                                       normal   chat     groupchat headline error
    {"no such account, bare", false, none, "",               "E",     "E",     "E",      "S",     "S"},
    {"no such account, full", false, none, "a",              "E",     "E",     "E",      "S",     "S"},
    {"nobody there, bare", true, none, "",                   "O",     "O",     "E",      "S",     "S"},
    {"nobody there, full", true, none, "a",                  "E",     "O",     "E",      "S",     "S"},
    {"connected only, bare", true, bound, "",                "O",     "O",     "E",      "S",     "S"},
    {"connected only, full match", true, bound, "a",         "a",     "a",     "a",      "a",     "a"},
    {"connected only, full no match", true, bound, "z",      "E",     "O",     "E",      "S",     "S"},
    {"negative only, bare", true, negative, "",              "O",     "O",     "E",      "S",     "S"},
    {"negative only, full match", true, negative, "b",       "b",     "b",     "b",      "b",     "b"},
    {"negative only, full no match", true, negative, "z",    "E",     "O",     "E",      "S",     "S"},
    {"one non-negative, bare", true, one, "",                "a",     "a",     "E",      "a",     "S"},
    {"one non-negative, full match", true, one, "a",         "a",     "a",     "a",      "a",     "a"},
    {"one non-negative, match negative", true, one, "n",     "n",     "n",     "n",      "n",     "n"},
    {"one non-negative, full no match", true, one, "z",      "E",     "a",     "E",      "S",     "S"},
    {"several, bare", true, several, "",                     "a,b,c", "a,b,c", "E",      "a,b,c", "S"},
    {"several, full match", true, several, "c",              "c",     "c",     "c",      "c",     "c"},
    {"several, full no match", true, several, "z",           "E",     "a,b,c", "E",      "S",     "S"},
  };
  // clang-format on
  for (auto& r : rows) {
    auto to = account.with_resource(r.to);
    BOOST_TEST(outcome(make("message", "", to), r.exists, r.sessions) == r.normal, r.condition << ": normal");
    BOOST_TEST(outcome(make("message", "chat", to), r.exists, r.sessions) == r.chat, r.condition << ": chat");
    BOOST_TEST(outcome(make("message", "groupchat", to), r.exists, r.sessions) == r.groupchat,
               r.condition << ": groupchat");
    BOOST_TEST(outcome(make("message", "headline", to), r.exists, r.sessions) == r.headline,
               r.condition << ": headline");
    BOOST_TEST(outcome(make("message", "error", to), r.exists, r.sessions) == r.error, r.condition << ": error");
  }
}

BOOST_AUTO_TEST_CASE(the_most_available_are_those_of_the_highest_priority) { // 8.5.2.1.1
  auto policy = delivery_policy{delivery_policy::bare::most_available, true};
  auto list = std::vector<resource>{{"a", true, 1}, {"x", false, 9}, {"b", true, 5}, {"n", true, -1}, {"c", true, 5}};
  BOOST_TEST(outcome(make("message", "chat", account), true, list, policy) == "b,c");
  BOOST_TEST(outcome(make("message", "", account), true, list, policy) == "b,c");
  BOOST_TEST(outcome(make("message", "headline", account), true, list, policy) == "a,b,c");
  BOOST_TEST(outcome(make("message", "chat", account), true, {{"a", true, -1}}, policy) == "O");
  BOOST_TEST(outcome(make("message", "chat", account), true, {{"a", true, 0}, {"b", true, 0}}, policy) == "a,b");
}

BOOST_AUTO_TEST_CASE(without_an_offline_store_the_sender_is_told) { // 8.5.2.2.1
  auto policy = delivery_policy{delivery_policy::bare::all, false};
  BOOST_TEST(outcome(make("message", "chat", account), true, {}, policy) == "E");
}

BOOST_AUTO_TEST_CASE(a_message_without_an_address_is_for_the_sender_itself) { // RFC 6120, 10.3.1
  BOOST_TEST(outcome(make("message", "chat", {}), true, {{"a", true, 0}, {"n", true, -1}}) == "a");
}

// -- iq (8.5.1, 8.5.2.1.3, 8.5.3) --

BOOST_AUTO_TEST_CASE(an_iq_to_the_account_is_answered_for_it) {
  auto online = std::vector<resource>{{"a", true, 0}};
  for (auto& list : {online, std::vector<resource>{}})
    for (auto* type : {"get", "set"}) {
      BOOST_TEST(outcome(make("iq", type, account), true, list) == "?");
      BOOST_TEST(outcome(make("iq", type, {}), true, list) == "?");
      BOOST_TEST(outcome(make("iq", type, account), false, list) == "E");
    }
}

BOOST_AUTO_TEST_CASE(an_iq_to_a_resource_is_for_that_resource_only) {
  auto list = std::vector<resource>{{"a", true, 0}, {"b", false, 0}};
  for (auto* type : {"get", "set", "result", "error"}) {
    BOOST_TEST(outcome(make("iq", type, account.with_resource("a")), true, list) == "a");
    BOOST_TEST(outcome(make("iq", type, account.with_resource("b")), true, list) == "b");
  }
  for (auto* type : {"get", "set"}) {
    BOOST_TEST(outcome(make("iq", type, account.with_resource("z")), true, list) == "E");
    BOOST_TEST(outcome(make("iq", type, account.with_resource("a")), false, {}) == "E");
  }
}

BOOST_AUTO_TEST_CASE(results_and_errors_for_nobody_are_let_go) {
  for (auto* type : {"result", "error"}) {
    BOOST_TEST(outcome(make("iq", type, account), true, {{"a", true, 0}}) == "S");
    BOOST_TEST(outcome(make("iq", type, account.with_resource("z")), true, {{"a", true, 0}}) == "S");
    BOOST_TEST(outcome(make("iq", type, account), false, {}) == "S");
  }
}

// -- presence --

BOOST_AUTO_TEST_CASE(presence_goes_to_all_available_resources_or_to_the_one) { // 8.5.2.1.2, 8.5.3
  auto list = std::vector<resource>{{"a", true, 0}, {"b", false, 0}, {"n", true, -1}};
  for (auto* type : {"", "unavailable"}) {
    BOOST_TEST(outcome(make("presence", type, account), true, list) == "a,n");
    BOOST_TEST(outcome(make("presence", type, account), true, {{"b", false, 0}}) == "S");
    BOOST_TEST(outcome(make("presence", type, account.with_resource("b")), true, list) == "b");
    BOOST_TEST(outcome(make("presence", type, account.with_resource("z")), true, list) == "S");
    BOOST_TEST(outcome(make("presence", type, {}), true, list) == "H");
  }
}

BOOST_AUTO_TEST_CASE(subscriptions_and_probes_are_the_accounts) {
  auto list = std::vector<resource>{{"a", true, 0}};
  for (auto* type : {"subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"}) {
    BOOST_TEST(outcome(make("presence", type, account), true, list) == "H");
    BOOST_TEST(outcome(make("presence", type, account.with_resource("a")), true, list) == "H");
    BOOST_TEST(outcome(make("presence", type, account), true, {}) == "H");
  }
}

/// As a stranger sees it: an error, or none.
bool is_refused(const stanza& x, bool exists) {
  return deliver(x, exists, {}).what == delivery::way::refuse;
}

BOOST_AUTO_TEST_CASE(what_an_absent_account_takes_in_silence_no_account_refuses) { // 8.5.1: nobody is to be found out
  auto parts = std::vector<std::pair<const char*, const char*>>{{"composing", "http://jabber.org/protocol/chatstates"},
                                                                {"received", "urn:xmpp:receipts"},
                                                                {"no-store", "urn:xmpp:hints"},
                                                                {"store", "urn:xmpp:hints"},
                                                                {"x", "urn:example"}};
  for (auto type : {"", "chat", "headline", "groupchat", "error"})
    for (auto& to : {account, account.with_resource("a")})
      for (auto& [name, ns] : parts) {
        auto out = xml::builder{"message", ns::client};
        if (*type)
          out.attribute("type", type);
        auto x = stanza{out.open(name, ns).close().finish(), romeo, to};
        BOOST_TEST(is_refused(x, true) == is_refused(x, false), type << " " << name << " to " << to.text());
      }
}

BOOST_AUTO_TEST_CASE(presence_to_nobody_is_dropped_but_a_probe) { // 8.5.1, 4.3.2
  for (auto* type : {"", "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "error"})
    BOOST_TEST(outcome(make("presence", type, account), false, {}) == "S", type);
  BOOST_TEST(outcome(make("presence", "probe", account), false, {}) == "H");
}

BOOST_AUTO_TEST_CASE(a_presence_error_reaches_only_the_resource_it_names) {
  auto list = std::vector<resource>{{"a", true, 0}};
  BOOST_TEST(outcome(make("presence", "error", account), true, list) == "S");
  BOOST_TEST(outcome(make("presence", "error", account.with_resource("a")), true, list) == "a");
  BOOST_TEST(outcome(make("presence", "error", account.with_resource("z")), true, list) == "S");
}

BOOST_AUTO_TEST_CASE(many_sessions_are_all_reached) {
  auto list = std::vector<resource>{};
  for (auto i = 0; i < 40; ++i)
    list.push_back({"r", true, i});
  auto all = deliver(make("message", "chat", account), true, sessions_of(list));
  BOOST_REQUIRE(all.sessions.size() == 40u);
  for (std::size_t i = 0; i < 40; ++i)
    BOOST_TEST(all.sessions[i] == i);
  auto policy = delivery_policy{delivery_policy::bare::most_available, true};
  auto best = deliver(make("message", "chat", account), true, sessions_of(list), policy);
  BOOST_REQUIRE(best.sessions.size() == 1u);
  BOOST_TEST(best.sessions[0] == 39u);
}

BOOST_AUTO_TEST_CASE(indexes_can_be_filled_again) {
  auto x = session_indexes{};
  for (auto round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < 20; ++i)
      x.push_back(i + 100);
    BOOST_TEST(x.size() == 20u);
    BOOST_TEST(x[0] == 100u);
    BOOST_TEST(x[13] == 113u);
    BOOST_TEST(x[14] == 114u);
    BOOST_TEST(x[19] == 119u);
    x.clear();
    BOOST_TEST(x.empty());
  }
}

// -- what is stored (XEP-0160, 3; XEP-0334) --

BOOST_AUTO_TEST_CASE(what_is_worth_storing) {
  struct child {
    std::string_view name, ns;
  };
  struct example {
    std::string_view what, type;
    std::vector<child> children;
    bool stored;
  };
  auto body = child{"body", ns::client};
  for (auto& x : std::vector<example>{
           {"a chat", "chat", {body}, true},
           {"a normal message", "", {body}, true},
           {"a headline", "headline", {body}, false},
           {"a groupchat", "groupchat", {body}, false},
           {"an error", "error", {body}, false},
           {"a headline that asks", "headline", {body, {"store", ns::hints}}, false},
           {"a chat state", "chat", {{"composing", ns::chat_states}}, false},
           {"a chat state in a thread", "chat", {{"paused", ns::chat_states}, {"thread", ns::client}}, false},
           {"a chat with a state", "chat", {{"active", ns::chat_states}, body}, true},
           {"nothing", "chat", {}, false},
           {"a subject", "", {{"subject", ns::client}}, true},
           {"a subject in a chat", "chat", {{"subject", ns::client}, {"thread", ns::client}}, true},
           {"a headline with a subject", "headline", {{"subject", ns::client}}, false},
           {"a subject of something else", "", {{"subject", ns::chat_states}}, false},
           {"a thread", "", {{"thread", ns::client}}, false},
           {"no store", "chat", {body, {"no-store", ns::hints}}, false},
           {"no store wins", "chat", {{"store", ns::hints}, {"no-store", ns::hints}}, false},
           {"no permanent store is for archives", "chat", {body, {"no-permanent-store", ns::hints}}, true},
           {"no body but asks", "chat", {{"encrypted", "urn:example"}, {"store", ns::hints}}, true},
           {"a receipt", "chat", {{"received", "urn:xmpp:receipts"}}, true},
           {"an invitation", "", {{"x", "jabber:x:conference"}}, true},
           {"an event", "", {{"event", "http://jabber.org/protocol/pubsub#event"}}, false},
       }) {
    auto out = xml::builder{"message", ns::client};
    if (!x.type.empty())
      out.attribute("type", x.type);
    for (auto& c : x.children)
      out.open(c.name, c.ns).close();
    BOOST_TEST(is_for_offline_store(stanza{out.finish(), romeo, account}) == x.stored, x.what);
  }
}

BOOST_AUTO_TEST_CASE(what_is_of_the_moment_is_let_go_and_what_was_to_be_read_is_refused) {
  auto state =
      xml::builder{"message", ns::client}.attribute("type", "chat").open("composing", ns::chat_states).finish();
  BOOST_TEST(outcome(stanza{state, romeo, account}, true, {}) == "S");
  auto whispered = make("message", "chat", account).with_child(xml::builder{"no-store", ns::hints}.finish());
  BOOST_TEST(outcome(whispered, true, {}) == "E");
  auto titled = xml::builder{"message", ns::client}.leaf("subject", ns::client, "hi").finish();
  BOOST_TEST(outcome(stanza{titled, romeo, account}, true, {}, {.has_offline_store = false}) == "E");
  BOOST_TEST(outcome(whispered, true, {{"a", true, 0}}) == "a");
}

// -- presence rules (4) --

BOOST_AUTO_TEST_CASE(a_priority_is_a_byte) { // 4.7.2.3
  auto with = [](std::string_view text) {
    return priority_of({xml::builder{"presence", ns::client}.leaf("priority", ns::client, text).finish(), {}, {}});
  };
  BOOST_TEST(int{*with("127")} == 127);
  BOOST_TEST(int{*with("-128")} == -128);
  BOOST_TEST(int{*with("0")} == 0);
  BOOST_TEST(int{*with("+5")} == 5);
  BOOST_TEST(int{*with(" \n7 ")} == 7);
  for (auto* text : {"128", "-129", "", "high", "1.5", "1 2", "+-1", "99999999999999999999"})
    BOOST_TEST((with(text).code() == errc::bad_request), text);
  BOOST_TEST(int{*priority_of({xml::builder{"presence", ns::client}.finish(), {}, {}})} == 0);
  auto twice = xml::builder{"presence", ns::client};
  twice.leaf("priority", ns::client, "1").leaf("show", ns::client, "away").leaf("priority", ns::client, "1");
  BOOST_TEST((priority_of({twice.finish(), {}, {}}).code() == errc::bad_request));
}

BOOST_AUTO_TEST_CASE(the_first_presence_probes_and_asks_for_what_waits) { // 4.2.2, 3.1.3
  auto before = session_view{};
  auto x = effects_of_presence(before, make("presence", "", {}), 0);
  BOOST_TEST(x.broadcast);
  BOOST_TEST(x.probe);
  BOOST_TEST(x.show_requests);
  BOOST_TEST(x.flush_offline);
  BOOST_TEST(!x.end_directed);
}

BOOST_AUTO_TEST_CASE(a_later_presence_is_only_broadcast) { // 4.4.2
  auto before = session_view{};
  before.available = true;
  auto x = effects_of_presence(before, make("presence", "", {}), 3);
  BOOST_TEST(x.broadcast);
  BOOST_TEST(!x.probe);
  BOOST_TEST(!x.show_requests);
  BOOST_TEST(!x.flush_offline);
}

BOOST_AUTO_TEST_CASE(stored_messages_wait_for_a_priority_that_takes_them) { // XEP-0160, 2
  auto before = session_view{};
  BOOST_TEST(!effects_of_presence(before, make("presence", "", {}), -1).flush_offline);
  before.available = true;
  before.priority = -1;
  BOOST_TEST(effects_of_presence(before, make("presence", "", {}), 0).flush_offline);
}

BOOST_AUTO_TEST_CASE(one_who_was_never_available_leaves_unseen) { // 4.5.2, 4.6.3
  auto before = session_view{};
  auto hidden = effects_of_presence(before, make("presence", "unavailable", {}), 0);
  BOOST_TEST(!hidden.broadcast);
  BOOST_TEST(hidden.end_directed);
  before.available = true;
  auto shown = effects_of_loss(before);
  BOOST_TEST(shown.broadcast);
  BOOST_TEST(shown.end_directed);
}

BOOST_AUTO_TEST_CASE(probes_of_those_who_may_not_see_are_denied_alike) { // 4.3.2
  BOOST_TEST((answer_probe(true, true) == probe_answer::presences));
  BOOST_TEST((answer_probe(true, false) == probe_answer::unsubscribed));
  BOOST_TEST((answer_probe(false, false) == probe_answer::unsubscribed));
  BOOST_TEST((answer_probe(false, true) == probe_answer::unsubscribed));
}

BOOST_AUTO_TEST_CASE(pushes_go_to_the_interested_and_requests_to_the_available) { // 2.1.6, 3.1.3
  auto list = sessions_of({{"a", true, 0}, {"b", false, 0}, {"c", true, -1}});
  list[1].interested = true;
  auto available = available_sessions(list);
  BOOST_REQUIRE(available.size() == 2u);
  BOOST_TEST(available[1] == 2u);
  auto interested = interested_sessions(list);
  BOOST_REQUIRE(interested.size() == 1u);
  BOOST_TEST(interested[0] == 1u);
}

BOOST_AUTO_TEST_CASE(directed_presence_is_remembered_up_to_its_bound) { // 4.6.3
  auto x = directed_presence{2};
  auto a = jid::from_prepared("room@muc/a"), b = jid::from_prepared("room@muc/b"), c = jid::from_prepared("room@muc/c");
  BOOST_TEST(x.add(b));
  BOOST_TEST(x.add(a));
  BOOST_TEST(x.add(b));
  BOOST_TEST(!x.add(c));
  BOOST_TEST(x.has(a));
  x.remove(a);
  BOOST_TEST(!x.has(a));
  BOOST_TEST(x.add(c));
  auto all = x.take();
  BOOST_REQUIRE(all.size() == 2u);
  BOOST_TEST(all[0].text() == b.text());
  BOOST_TEST(all[1].text() == c.text());
  BOOST_TEST(x.size() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
