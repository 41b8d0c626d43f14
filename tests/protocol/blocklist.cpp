#include "protocol/blocklist.hpp"

#include "protocol/namespaces.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace xmpp;

namespace {

jid at(std::string_view text) {
  return jid::from_prepared(text);
}

blocklist list(std::vector<std::string_view> items) {
  auto addresses = std::vector<jid>{};
  for (auto x : items)
    addresses.push_back(at(x));
  return blocklist{std::move(addresses)};
}

std::string joined(const std::vector<jid>& items) {
  auto result = std::string{};
  for (auto& x : items)
    result += (result.empty() ? "" : " ") + std::string{x.text()};
  return result;
}

roster subscribers(std::vector<std::string_view> from) {
  auto result = roster{};
  for (auto x : from)
    result.put(roster_item{at(x), {}, subscription::from, false, false, {}});
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(block_lists) // XEP-0191

BOOST_AUTO_TEST_CASE(an_item_matches_as_section_6_says) {
  struct row {
    std::string_view item, who;
    bool matches;
  };
  for (auto& r : std::vector<row>{
           {"user@domain/resource", "user@domain/resource", true},
           {"user@domain/resource", "user@domain/other", false},
           {"user@domain/resource", "user@domain", false},
           {"user@domain", "user@domain", true},
           {"user@domain", "user@domain/resource", true},
           {"user@domain", "other@domain", false},
           {"user@domain", "domain", false},
           {"domain/resource", "domain/resource", true},
           {"domain/resource", "domain/other", false},
           {"domain/resource", "domain", false},
           {"domain/resource", "user@domain/resource", false},
           {"domain", "domain", true},
           {"domain", "user@domain", true},
           {"domain", "user@domain/resource", true},
           {"domain", "domain/resource", true},
           {"domain", "sub.domain", false},
           {"domain", "domain.org", false},
           {"domain", "user@other", false},
       })
    BOOST_TEST(list({r.item}).is_blocked(at(r.who)) == r.matches, r.item << " against " << r.who);
}

BOOST_AUTO_TEST_CASE(nobody_is_blocked_by_an_empty_list_nor_by_no_address) {
  BOOST_TEST(!blocklist{}.is_blocked(at("a@b")));
  BOOST_TEST(!list({"a@b"}).is_blocked({}));
}

BOOST_AUTO_TEST_CASE(items_are_kept_once) {
  auto x = list({"b@x", "a@x", "b@x"});
  BOOST_TEST(x.size() == 2u);
  BOOST_TEST(!x.add(at("a@x")));
  BOOST_TEST(x.add(at("c@x")));
  BOOST_TEST(joined(x.items()) == "a@x b@x c@x");
  BOOST_TEST(x.remove(at("b@x")));
  BOOST_TEST(!x.remove(at("b@x")));
  BOOST_TEST(joined(x.items()) == "a@x c@x");
}

BOOST_AUTO_TEST_CASE(requests_are_read) {
  auto out = xml::builder{"block", ns::blocking};
  out.open("item").attribute("jid", "Romeo@Montague.lit").open("report", "urn:xmpp:reporting:1").close().close();
  out.open("item").attribute("jid", "romeo@montague.lit").close();
  auto items = parse_block_items(out.finish());
  BOOST_REQUIRE(items.has_value());
  BOOST_TEST(joined(*items) == "romeo@montague.lit");
}

BOOST_AUTO_TEST_CASE(bad_requests_are_refused) {
  auto nobody = xml::builder{"block", ns::blocking}.open("item").finish();
  BOOST_TEST((parse_block_items(nobody).code() == errc::bad_request));
  auto broken = xml::builder{"block", ns::blocking}.open("item").attribute("jid", "@").finish();
  BOOST_TEST((parse_block_items(broken).code() == errc::jid_malformed));
}

BOOST_AUTO_TEST_CASE(a_list_is_bounded) {
  auto current = list({"a@x"});
  auto more = std::vector<jid>{at("a@x"), at("b@x")};
  BOOST_TEST(blocked(current, more, 2)->size() == 2u);
  BOOST_TEST((blocked(current, more, 1).code() == errc::resource_constraint));
  auto same = std::vector<jid>{at("a@x")}; // nothing new is no excess, even if the bound was lowered
  BOOST_TEST(blocked(current, same, 0).has_value());
}

BOOST_AUTO_TEST_CASE(some_or_all_are_unblocked) { // 3.4, 3.5
  auto current = list({"a@x", "b@x"});
  auto one = std::vector<jid>{at("a@x"), at("z@x")};
  BOOST_TEST(joined(unblocked(current, one).items()) == "b@x");
  BOOST_TEST(unblocked(current, {}).empty());
}

BOOST_AUTO_TEST_CASE(lists_and_pushes_are_written) {
  BOOST_TEST(blocklist_element(list({"a@x"})).bytes() ==
             "<blocklist xmlns='urn:xmpp:blocking'><item jid='a@x'/></blocklist>");
  BOOST_TEST(blocklist_element({}).bytes() == "<blocklist xmlns='urn:xmpp:blocking'/>");
  BOOST_TEST(block_push("block", list({"a@x"}).items()).bytes() ==
             "<block xmlns='urn:xmpp:blocking'><item jid='a@x'/></block>");
  BOOST_TEST(block_push("unblock", {}).bytes() == "<unblock xmlns='urn:xmpp:blocking'/>");
}

BOOST_AUTO_TEST_CASE(subscribers_who_are_blocked_see_the_user_leave_and_come_back) { // 3.3, 3.4
  auto contacts = subscribers({"a@x", "b@x", "c@y"});
  contacts.put(roster_item{at("d@x"), {}, subscription::to, false, false, {}});
  auto x = effects_of_block_change({}, list({"x", "c@y/phone"}), contacts);
  BOOST_TEST(joined(x.hide) == "a@x b@x c@y/phone");
  BOOST_TEST(joined(x.show) == "");
  auto y = effects_of_block_change(list({"x", "c@y/phone"}), list({"b@x"}), contacts);
  BOOST_TEST(joined(y.hide) == "");
  BOOST_TEST(joined(y.show) == "a@x c@y/phone");
  auto z = effects_of_block_change(list({"c@y/phone"}), list({"c@y/phone", "c@y/tablet"}), contacts);
  BOOST_TEST(joined(z.hide) == "c@y/tablet");
}

BOOST_AUTO_TEST_CASE(strangers_learn_nothing_from_a_block) {
  auto x = effects_of_block_change({}, list({"stranger@x", "stranger@y/z"}), subscribers({"a@x"}));
  BOOST_TEST(joined(x.hide) == "");
}

BOOST_AUTO_TEST_CASE(one_who_stays_blocked_by_another_item_is_told_nothing) {
  auto x = effects_of_block_change(list({"a@x", "x"}), list({"x"}), subscribers({"a@x"}));
  BOOST_TEST(joined(x.show) == "");
}

BOOST_AUTO_TEST_CASE(the_blocked_resources_of_a_bare_address_are_found) {
  auto some = list({"b@x", "b@x.y/r", "b@x/r", "b@x/s", "bb@x/r", "b@x-y/r", "x/r"});
  BOOST_TEST((some.resources_of(at("b@x")) == std::vector<jid>{at("b@x/r"), at("b@x/s")}));
  BOOST_TEST(some.resources_of(at("b@x/r")).empty());
  BOOST_TEST(some.resources_of(at("c@x")).empty());
  BOOST_TEST(blocklist{}.resources_of(at("b@x")).empty());
}

BOOST_AUTO_TEST_SUITE_END()
