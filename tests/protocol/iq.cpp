#include "protocol/iq.hpp"

#include "protocol/disco.hpp"
#include "protocol/namespaces.hpp"
#include "tests/protocol/fake_context.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

using namespace xmpp;

BOOST_AUTO_TEST_SUITE(iq_answers)

BOOST_AUTO_TEST_CASE(what_nobody_knows_is_unavailable) { // RFC 6120, 8.4
  auto at = fake_context{};
  auto answer = answer_iq(at.get(xml::builder{"query", "urn:example"}.finish()), at);
  BOOST_TEST((answer.type == stanza_type::error));
  BOOST_TEST(answer.payload().has_child("service-unavailable", ns::stanza_errors));
  BOOST_TEST(answer.id() == "q1");
  BOOST_TEST(answer.to.text() == at.own.text());
}

BOOST_AUTO_TEST_CASE(a_rule_counts_only_in_its_place) {
  auto at = fake_context{};
  auto asked = xml::builder{"query", ns::version}.finish();
  BOOST_TEST((answer_iq(at.get(asked), at).type == stanza_type::error));
  at.be_host();
  BOOST_TEST((answer_iq(at.get(asked), at).type == stanza_type::result));
  BOOST_TEST(!find_iq_rule(at.get(asked), iq_rule::at_account));
  BOOST_TEST(find_iq_rule(at.get(asked), iq_rule::at_host) != nullptr);
}

BOOST_AUTO_TEST_CASE(a_get_is_no_set) {
  auto at = fake_context{};
  BOOST_TEST((answer_iq(at.set(xml::builder{"ping", ns::ping}.finish()), at).type == stanza_type::error));
}

BOOST_AUTO_TEST_CASE(nobody_but_its_own_sessions_reaches_what_is_the_accounts_own) {
  auto at = fake_context{};
  auto asked = xml::builder{"blocklist", ns::blocking}.finish();
  BOOST_TEST((answer_iq(at.get(asked), at).type == stanza_type::result));
  auto answer = answer_iq(at.get(asked, at.friend_of), at);
  BOOST_TEST(answer.payload().has_child("service-unavailable", ns::stanza_errors));
}

BOOST_AUTO_TEST_CASE(an_account_that_is_not_there_answers_nothing) {
  auto at = fake_context{};
  at.exists = false;
  for (auto& [ns, name] : {std::pair{ns::ping, "ping"}, {ns::vcard, "vCard"}, {ns::disco_info, "query"}}) {
    auto answer = answer_iq(at.get(xml::builder{name, ns}.finish(), at.friend_of), at);
    BOOST_TEST(answer.payload().has_child("service-unavailable", ns::stanza_errors), name);
  }
}

BOOST_AUTO_TEST_CASE(a_stranger_can_not_tell_an_account_from_none) { // RFC 6121, 8.5.1
  auto at = fake_context{};
  auto names = std::set<std::string_view>{"query", "vCard", "ping", "time", "block", "unblock", "blocklist", "x"};
  auto all = std::set<std::string_view>{ns::roster, "urn:example"};
  for (auto& x : all_extensions()) {
    for (auto& [ns, rule] : x.on_iq_get)
      all.insert(ns);
    for (auto& [ns, rule] : x.on_iq_set)
      all.insert(ns);
  }
  for (auto ns : all)
    for (auto name : names) {
      auto payload = xml::builder{name, ns}.finish();
      for (auto& request : {at.get(payload, at.stranger), at.set(payload, at.stranger)}) {
        auto answers = std::vector<std::string>{};
        for (auto exists : {true, false}) {
          at.exists = exists;
          answers.push_back(answer_iq(request, at).serialize());
        }
        BOOST_TEST(answers[0] == answers[1]);
        BOOST_TEST(answers[0].find("type='error'") != std::string::npos);
      }
    }
  BOOST_TEST(at.put.empty());
}

BOOST_AUTO_TEST_CASE(a_roster_is_forbidden_to_strangers_where_there_could_be_one) { // RFC 6121, 2.3.3
  auto at = fake_context{};
  auto asked = xml::builder{"query", ns::roster}.finish();
  auto x = at.set(asked, at.stranger);
  BOOST_TEST((refusal_to_strangers(x) == errc::forbidden));
  BOOST_TEST((refusal_to_strangers(at.get(asked, at.stranger)) == errc::forbidden));
  x.to = at.own; // a client that is not there: not asked for its account's
  BOOST_TEST((refusal_to_strangers(x) == errc::service_unavailable));
  x.to = at.info.domain;
  BOOST_TEST((refusal_to_strangers(x) == errc::service_unavailable));
}

BOOST_AUTO_TEST_CASE(a_record_is_looked_for_in_a_second_place_only_when_the_rule_says_so) {
  auto at = fake_context{};
  auto asked = std::vector<std::string>{};
  auto none = [&](std::string_view name) -> found_record {
    asked.emplace_back(name);
    return std::optional<std::string>{};
  };
  BOOST_TEST(!*find_record(at.get(xml::builder{"vCard", ns::vcard}.finish()), iq_rule::at_account, none));
  BOOST_TEST(!*find_record(at.get(xml::builder{"ping", ns::ping}.finish()), iq_rule::at_account, none));
  BOOST_TEST((asked == std::vector<std::string>{"vcard"}));
  auto fails = [](std::string_view) -> found_record { return errc::storage_failure; };
  BOOST_TEST((find_record(at.get(xml::builder{"vCard", ns::vcard}.finish()), iq_rule::at_account, fails).code() ==
              errc::storage_failure));
}

BOOST_AUTO_TEST_CASE(results_have_no_rule) {
  auto tree = xml::builder{"iq", ns::client};
  tree.attribute("type", "result").attribute("id", "1").open("ping", ns::ping);
  BOOST_TEST(!find_iq_rule({tree.finish(), {}, {}}, iq_rule::at_account));
}

BOOST_AUTO_TEST_CASE(a_rule_names_the_record_it_needs) {
  auto at = fake_context{};
  BOOST_TEST(record_for(at.get(xml::builder{"vCard", ns::vcard}.finish()), iq_rule::at_account) == "vcard");
  BOOST_TEST(record_for(at.get(xml::builder{"ping", ns::ping}.finish()), iq_rule::at_account) == "");
  BOOST_TEST(record_for(at.get(xml::builder{"x", "urn:example"}.finish()), iq_rule::at_account) == "");
}

BOOST_AUTO_TEST_CASE(blocking_comes_first) {
  BOOST_REQUIRE(!hooks_on_sent().empty());
  BOOST_REQUIRE(!hooks_on_received().empty());
  BOOST_TEST(hooks_on_sent().front()->number == "XEP-0191");
  BOOST_TEST(hooks_on_received().front()->number == "XEP-0191");
}

BOOST_AUTO_TEST_CASE(no_extension_is_listed_twice) {
  auto seen = std::set<std::string_view>{};
  for (auto& x : all_extensions()) {
    BOOST_TEST(seen.insert(x.number).second, x.number);
    BOOST_TEST(x.number.size() == 8u, x.number);
    BOOST_TEST(!x.version.empty(), x.number);
    BOOST_TEST(!x.name.empty(), x.number);
  }
}

BOOST_AUTO_TEST_CASE(features_are_sorted_and_shown_once) {
  for (auto* list : {&all_host_features(), &all_account_features()}) {
    BOOST_TEST(!list->empty());
    BOOST_TEST(std::is_sorted(list->begin(), list->end()));
    BOOST_TEST((std::adjacent_find(list->begin(), list->end()) == list->end()));
  }
}

BOOST_AUTO_TEST_SUITE_END()
