#include "protocol/roster.hpp"

#include "protocol/namespaces.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>
#include <vector>

using namespace xmpp;

namespace {

const auto juliet = jid::from_prepared("juliet@capulet.lit");
const auto balcony = jid::from_prepared("juliet@capulet.lit/balcony");
const auto romeo = jid::from_prepared("romeo@montague.lit");
const auto nurse = jid::from_prepared("nurse@capulet.lit");

// -- the nine states by their names in appendix A --

struct named_state {
  std::string_view name;
  subscription_state state;
};

const auto states = std::array<named_state, 9>{{
    {"None", {subscription::none, false, false, false}},
    {"None + Pending Out", {subscription::none, true, false, false}},
    {"None + Pending In", {subscription::none, false, true, false}},
    {"None + Pending Out+In", {subscription::none, true, true, false}},
    {"To", {subscription::to, false, false, false}},
    {"To + Pending In", {subscription::to, false, true, false}},
    {"From", {subscription::from, false, false, false}},
    {"From + Pending Out", {subscription::from, true, false, false}},
    {"Both", {subscription::both, false, false, false}},
}};

subscription_state state_named(std::string_view name) {
  for (auto& x : states)
    if (x.name == name)
      return x.state;
  BOOST_FAIL(std::string{"no such state: "} + std::string{name});
  return {};
}

/// One row of a table of appendix A: whether the stanza is routed or delivered, and the new state (empty: no change).
struct row {
  std::string_view existing;
  bool forward;
  std::string_view next;
};

void check_table(direction way, stanza_type type, const std::vector<row>& table) {
  BOOST_REQUIRE(table.size() == states.size());
  for (auto& r : table) {
    auto before = state_named(r.existing);
    auto after = step(before, way, type);
    auto expected = r.next.empty() ? before : state_named(r.next);
    BOOST_TEST(after.forward == r.forward, r.existing << ": forward");
    BOOST_TEST((after.next == expected), r.existing << ": new state");
    auto visible = before.subscription != expected.subscription || before.ask != expected.ask;
    BOOST_TEST(after.push == visible, r.existing << ": push");
  }
}

stanza roster_set(const element& query) {
  auto tree = xml::builder{"iq", ns::client}.attribute("type", "set").attribute("id", "r1").child(query).finish();
  return {tree, balcony, {}};
}

stanza set_item(std::string_view contact, std::vector<std::string> groups = {}, std::string_view name = {},
                std::string_view subscription = {}) {
  auto out = xml::builder{"query", ns::roster};
  out.open("item").attribute("jid", contact);
  if (!name.empty())
    out.attribute("name", name);
  if (!subscription.empty())
    out.attribute("subscription", subscription);
  out.attribute("ask", "subscribe").attribute("approved", "true");
  for (auto& x : groups)
    out.open("group").text(x).close();
  return roster_set(out.finish());
}

stanza roster_get(const char* version) {
  auto out = xml::builder{"iq", ns::client};
  out.attribute("type", "get").attribute("id", "r1").open("query", ns::roster);
  if (version)
    out.attribute("ver", version);
  return {out.finish(), balcony, {}};
}

errc code_of(const stanza& request, roster_limits limits = {}) {
  return parse_roster_set(request, juliet, limits).code();
}

roster with(roster_item item) {
  auto result = roster{};
  result.put(std::move(item));
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(rosters_by_rfc_6121)

// -- appendix A, cell by cell --

BOOST_AUTO_TEST_CASE(outbound_subscribe) { // A.2.1
  check_table(direction::outbound, stanza_type::subscribe,
              {{"None", true, "None + Pending Out"},
               {"None + Pending Out", true, ""},
               {"None + Pending In", true, "None + Pending Out+In"},
               {"None + Pending Out+In", true, ""},
               {"To", true, ""},
               {"To + Pending In", true, ""},
               {"From", true, "From + Pending Out"},
               {"From + Pending Out", true, ""},
               {"Both", true, ""}});
}

BOOST_AUTO_TEST_CASE(outbound_unsubscribe) { // A.2.2
  check_table(direction::outbound, stanza_type::unsubscribe,
              {{"None", true, ""},
               {"None + Pending Out", true, "None"},
               {"None + Pending In", true, ""},
               {"None + Pending Out+In", true, "None + Pending In"},
               {"To", true, "None"},
               {"To + Pending In", true, "None + Pending In"},
               {"From", true, ""},
               {"From + Pending Out", true, "From"},
               {"Both", true, "From"}});
}

BOOST_AUTO_TEST_CASE(outbound_unsubscribed) { // A.2.4
  check_table(direction::outbound, stanza_type::unsubscribed,
              {{"None", false, ""},
               {"None + Pending Out", false, ""},
               {"None + Pending In", true, "None"},
               {"None + Pending Out+In", true, "None + Pending Out"},
               {"To", false, ""},
               {"To + Pending In", true, "To"},
               {"From", true, "None"},
               {"From + Pending Out", true, "None + Pending Out"},
               {"Both", true, "To"}});
}

BOOST_AUTO_TEST_CASE(outbound_subscribed) { // A.2.3; without a request it is a pre-approval
  struct approval {
    std::string_view existing;
    bool forward;
    std::string_view next;
    bool approved;
  };
  for (auto& r : std::vector<approval>{{"None", false, "None", true},
                                       {"None + Pending Out", false, "None + Pending Out", true},
                                       {"None + Pending In", true, "From", false},
                                       {"None + Pending Out+In", true, "From + Pending Out", false},
                                       {"To", false, "To", true},
                                       {"To + Pending In", true, "Both", false},
                                       {"From", false, "From", false},
                                       {"From + Pending Out", false, "From + Pending Out", false},
                                       {"Both", false, "Both", false}}) {
    auto before = state_named(r.existing);
    auto after = step(before, direction::outbound, stanza_type::subscribed);
    auto expected = state_named(r.next);
    expected.approved = r.approved;
    BOOST_TEST(after.forward == r.forward, r.existing << ": forward");
    BOOST_TEST((after.next == expected), r.existing << ": new state");
    BOOST_TEST(after.push == !(expected == before), r.existing << ": push");
    BOOST_TEST(after.send_presence == r.forward, r.existing << ": presence follows an approval (3.1.5)");
  }
}

BOOST_AUTO_TEST_CASE(inbound_subscribe) { // A.3.1
  check_table(direction::inbound, stanza_type::subscribe,
              {{"None", true, "None + Pending In"},
               {"None + Pending Out", true, "None + Pending Out+In"},
               {"None + Pending In", false, ""},
               {"None + Pending Out+In", false, ""},
               {"To", true, "To + Pending In"},
               {"To + Pending In", false, ""},
               {"From", false, ""},
               {"From + Pending Out", false, ""},
               {"Both", false, ""}});
}

BOOST_AUTO_TEST_CASE(inbound_unsubscribe) { // A.3.2
  check_table(direction::inbound, stanza_type::unsubscribe,
              {{"None", false, ""},
               {"None + Pending Out", false, ""},
               {"None + Pending In", true, "None"},
               {"None + Pending Out+In", true, "None + Pending Out"},
               {"To", false, ""},
               {"To + Pending In", true, "To"},
               {"From", true, "None"},
               {"From + Pending Out", true, "None + Pending Out"},
               {"Both", true, "To"}});
}

BOOST_AUTO_TEST_CASE(inbound_subscribed) { // A.3.3
  check_table(direction::inbound, stanza_type::subscribed,
              {{"None", false, ""},
               {"None + Pending Out", true, "To"},
               {"None + Pending In", false, ""},
               {"None + Pending Out+In", true, "To + Pending In"},
               {"To", false, ""},
               {"To + Pending In", false, ""},
               {"From", false, ""},
               {"From + Pending Out", true, "Both"},
               {"Both", false, ""}});
}

BOOST_AUTO_TEST_CASE(inbound_unsubscribed) { // A.3.4
  check_table(direction::inbound, stanza_type::unsubscribed,
              {{"None", false, ""},
               {"None + Pending Out", true, "None"},
               {"None + Pending In", false, ""},
               {"None + Pending Out+In", true, "None + Pending In"},
               {"To", true, "None"},
               {"To + Pending In", true, "None + Pending In"},
               {"From", false, ""},
               {"From + Pending Out", true, "From"},
               {"Both", true, "From"}});
}

// -- what goes with it --

BOOST_AUTO_TEST_CASE(a_request_of_a_subscriber_is_answered_for_the_user) { // 3.1.3
  for (auto& x : states) {
    auto after = step(x.state, direction::inbound, stanza_type::subscribe);
    BOOST_TEST(after.reply == has_from(x.state.subscription), x.name);
    BOOST_TEST(after.send_presence == has_from(x.state.subscription), x.name);
  }
}

BOOST_AUTO_TEST_CASE(a_subscriber_who_is_lost_sees_the_user_leave_first) { // 3.2.2, 3.3.3
  for (auto& x : states) {
    BOOST_TEST(step(x.state, direction::outbound, stanza_type::unsubscribed).send_unavailable ==
                   has_from(x.state.subscription),
               x.name);
    BOOST_TEST(step(x.state, direction::inbound, stanza_type::unsubscribe).send_unavailable ==
                   has_from(x.state.subscription),
               x.name);
    BOOST_TEST(!step(x.state, direction::outbound, stanza_type::unsubscribe).send_unavailable, x.name);
    BOOST_TEST(!step(x.state, direction::inbound, stanza_type::unsubscribed).send_unavailable, x.name);
  }
}

BOOST_AUTO_TEST_CASE(nobody_is_told_what_an_inbound_stanza_led_to) {
  for (auto& x : states)
    for (auto type : {stanza_type::subscribed, stanza_type::unsubscribed, stanza_type::unsubscribe})
      BOOST_TEST(!step(x.state, direction::inbound, type).reply, x.name);
}

BOOST_AUTO_TEST_CASE(a_request_granted_in_advance_is_never_shown) { // 3.4.2
  for (auto* name : {"None", "None + Pending Out", "To"}) {
    auto state = state_named(name);
    state.approved = true;
    auto after = step(state, direction::inbound, stanza_type::subscribe);
    BOOST_TEST(!after.forward, name);
    BOOST_TEST(after.reply, name);
    BOOST_TEST(after.push, name);
    BOOST_TEST(after.send_presence, name);
    BOOST_TEST(has_from(after.next.subscription), name);
    BOOST_TEST(has_to(after.next.subscription) == has_to(state.subscription), name);
    BOOST_TEST(after.next.ask == state.ask, name);
    BOOST_TEST(!after.next.pending_in, name);
  }
}

BOOST_AUTO_TEST_CASE(a_pre_approval_is_taken_back_without_telling_the_contact) { // 3.4.2, A.2.4 [1]
  for (auto* name : {"None", "None + Pending Out", "To"}) {
    auto state = state_named(name);
    state.approved = true;
    auto after = step(state, direction::outbound, stanza_type::unsubscribed);
    BOOST_TEST(!after.forward, name);
    BOOST_TEST(after.push, name);
    BOOST_TEST((after.next == state_named(name)), name);
  }
}

BOOST_AUTO_TEST_CASE(a_cancelled_subscription_takes_its_pre_approval_with_it) {
  auto state = state_named("Both");
  state.approved = true;
  BOOST_TEST((step(state, direction::outbound, stanza_type::unsubscribed).next == state_named("To")));
}

BOOST_AUTO_TEST_CASE(two_rosters_that_talk_end_in_both) {
  auto mine = subscription_state{}, theirs = subscription_state{};
  auto say = [](subscription_state& from, subscription_state& to, stanza_type type) {
    auto out = step(from, direction::outbound, type);
    from = out.next;
    if (out.forward)
      to = step(to, direction::inbound, type).next;
  };
  say(mine, theirs, stanza_type::subscribe);
  say(theirs, mine, stanza_type::subscribed);
  BOOST_TEST((mine == state_named("To")));
  BOOST_TEST((theirs == state_named("From")));
  say(theirs, mine, stanza_type::subscribe);
  say(mine, theirs, stanza_type::subscribed);
  BOOST_TEST((mine == state_named("Both")));
  BOOST_TEST((theirs == state_named("Both")));
  say(mine, theirs, stanza_type::unsubscribe);
  BOOST_TEST((mine == state_named("From")));
  BOOST_TEST((theirs == state_named("To")));
  say(mine, theirs, stanza_type::unsubscribed);
  BOOST_TEST((mine == state_named("None")));
  BOOST_TEST((theirs == state_named("None")));
}

// -- roster set --

BOOST_AUTO_TEST_CASE(a_set_gives_name_and_groups) {
  auto x = parse_roster_set(set_item("Nurse@Capulet.lit", {"Servants", "Family"}, "Nurse"), juliet, {});
  BOOST_REQUIRE(x.has_value());
  BOOST_TEST(x->contact.text() == "nurse@capulet.lit");
  BOOST_TEST(x->name == "Nurse");
  BOOST_TEST(x->groups == (std::vector<std::string>{"Servants", "Family"}), boost::test_tools::per_element());
  BOOST_TEST(!x->remove);
}

BOOST_AUTO_TEST_CASE(a_set_has_exactly_one_item) { // 2.1.5, 2.3.3
  BOOST_TEST((code_of(roster_set(xml::builder{"query", ns::roster}.finish())) == errc::bad_request));
  auto two = xml::builder{"query", ns::roster};
  two.open("item").attribute("jid", "a@b").close().open("item").attribute("jid", "c@d").close();
  BOOST_TEST((code_of(roster_set(two.finish())) == errc::bad_request));
  auto other = xml::builder{"query", ns::roster};
  other.open("item", "urn:example").attribute("jid", "a@b").close();
  BOOST_TEST((code_of(roster_set(other.finish())) == errc::bad_request));
}

BOOST_AUTO_TEST_CASE(an_item_needs_an_address_of_somebody_else) {
  BOOST_TEST((code_of(roster_set(xml::builder{"query", ns::roster}.open("item").finish())) == errc::bad_request));
  BOOST_TEST((code_of(set_item("@")) == errc::jid_malformed));
  BOOST_TEST((code_of(set_item("juliet@capulet.lit/chamber")) == errc::not_allowed));
}

BOOST_AUTO_TEST_CASE(a_contact_is_kept_without_its_resource) {
  BOOST_TEST(parse_roster_set(set_item("icq.example.com/registered"), juliet, {})->contact.text() == "icq.example.com");
}

BOOST_AUTO_TEST_CASE(groups_are_neither_empty_nor_double) { // 2.3.3
  BOOST_TEST((code_of(set_item("a@b", {""})) == errc::not_acceptable));
  BOOST_TEST((code_of(set_item("a@b", {"x", "y", "x"})) == errc::bad_request));
}

BOOST_AUTO_TEST_CASE(names_and_groups_are_bounded) {
  auto limits = roster_limits{};
  limits.name_bytes_max = 4;
  limits.groups_max = 2;
  BOOST_TEST((code_of(set_item("a@b", {"1234", "2"}, "1234"), limits) == errc::none));
  BOOST_TEST((code_of(set_item("a@b", {}, "12345"), limits) == errc::not_acceptable));
  BOOST_TEST((code_of(set_item("a@b", {"12345"}), limits) == errc::not_acceptable));
  BOOST_TEST((code_of(set_item("a@b", {"1", "2", "3"}), limits) == errc::not_acceptable));
}

BOOST_AUTO_TEST_CASE(of_the_subscription_only_remove_counts) { // 2.1.2.5
  BOOST_TEST(parse_roster_set(set_item("a@b", {}, {}, "remove"), juliet, {})->remove);
  BOOST_TEST(!parse_roster_set(set_item("a@b", {}, {}, "both"), juliet, {})->remove);
}

BOOST_AUTO_TEST_CASE(a_client_cannot_give_itself_a_subscription) {
  auto change = parse_roster_set(set_item("a@b", {}, "A", "both"), juliet, {});
  auto item = changed_item({}, *change, {});
  BOOST_TEST((item->subscription == subscription::none));
  BOOST_TEST(!item->ask);
  BOOST_TEST(!item->approved);
}

BOOST_AUTO_TEST_CASE(a_changed_item_keeps_its_subscription) {
  auto current = with({nurse, "old", subscription::to, true, true, {"a"}});
  auto item = changed_item(current, {nurse, false, "new", {"b"}}, {});
  BOOST_TEST((*item == roster_item{nurse, "new", subscription::to, true, true, {"b"}}));
  BOOST_TEST(current.find(nurse.text())->name == "old");
}

BOOST_AUTO_TEST_CASE(a_full_roster_takes_no_new_item_but_changes_old_ones) {
  auto limits = roster_limits{};
  limits.items_max = 1;
  auto current = with({nurse, {}, subscription::none, false, false, {}});
  BOOST_TEST((changed_item(current, {romeo, false, {}, {}}, limits).code() == errc::resource_constraint));
  BOOST_TEST(changed_item(current, {nurse, false, "n", {}}, limits).has_value());
}

BOOST_AUTO_TEST_CASE(a_removal_ends_what_there_was) { // 2.5.2
  struct expectation {
    std::string_view state;
    bool unavailable, unsubscribed, unsubscribe;
  };
  for (auto& r : std::vector<expectation>{{"None", false, false, false},
                                          {"None + Pending Out", false, false, true},
                                          {"None + Pending In", false, true, false},
                                          {"None + Pending Out+In", false, true, true},
                                          {"To", false, false, true},
                                          {"To + Pending In", false, true, true},
                                          {"From", true, true, false},
                                          {"From + Pending Out", true, true, true},
                                          {"Both", true, true, true}}) {
    auto state = state_named(r.state);
    auto current = with({romeo, {}, state.subscription, state.ask, false, {}});
    if (state.pending_in)
      current.put(pending_request{romeo, 0, {}});
    auto x = removal(current, romeo);
    BOOST_REQUIRE(x.has_value());
    BOOST_TEST(x->unavailable == r.unavailable, r.state);
    BOOST_TEST(x->unsubscribed == r.unsubscribed, r.state);
    BOOST_TEST(x->unsubscribe == r.unsubscribe, r.state);
  }
}

BOOST_AUTO_TEST_CASE(nobody_is_removed_who_is_not_there) { // 2.5.3
  auto current = roster{};
  BOOST_TEST((removal(current, romeo).code() == errc::item_not_found));
  current.put(pending_request{romeo, 0, {}}); // a stranger's request is no item
  BOOST_TEST((removal(current, romeo).code() == errc::item_not_found));
}

// -- the roster itself --

BOOST_AUTO_TEST_CASE(items_are_found_by_contact) {
  auto x = roster{};
  for (auto* name : {"c@x", "a@x", "b@x", "a@x"})
    x.put(roster_item{jid::from_prepared(name), name, subscription::none, false, false, {}});
  BOOST_REQUIRE(x.items.size() == 3u);
  BOOST_TEST(x.items[0].contact.text() == "a@x");
  BOOST_TEST(x.items[2].contact.text() == "c@x");
  BOOST_TEST(x.find("b@x")->name == "b@x");
  BOOST_TEST(x.find("d@x") == nullptr);
  BOOST_TEST(x.erase("b@x"));
  BOOST_TEST(!x.erase("b@x"));
  BOOST_TEST(x.find("b@x") == nullptr);
}

BOOST_AUTO_TEST_CASE(a_state_joins_item_and_request) {
  auto x = with({romeo, {}, subscription::to, false, true, {}});
  x.put(pending_request{romeo, 5, "<presence/>"});
  BOOST_TEST((x.state_of(romeo.text()) == subscription_state{subscription::to, false, true, true}));
  BOOST_TEST((x.state_of("nobody@x") == subscription_state{}));
  BOOST_TEST(x.erase_pending(romeo.text()));
  BOOST_TEST(!x.state_of(romeo.text()).pending_in);
}

BOOST_AUTO_TEST_CASE(subscribers_are_those_who_see_the_user) {
  auto x = with({romeo, {}, subscription::from, false, false, {}});
  x.put(roster_item{nurse, {}, subscription::to, false, false, {}});
  BOOST_TEST(x.is_subscriber(romeo.text()));
  BOOST_TEST(!x.is_subscriber(nurse.text()));
  BOOST_TEST(!x.is_subscriber("nobody@x"));
}

BOOST_AUTO_TEST_CASE(a_new_state_makes_an_item_or_keeps_name_and_groups) {
  auto made = item_in_state({}, jid::from_prepared("romeo@montague.lit/orchard"), state_named("None + Pending Out"));
  BOOST_TEST((made == roster_item{romeo, {}, subscription::none, true, false, {}}));
  auto current = with({romeo, "R", subscription::none, true, false, {"g"}});
  auto kept = item_in_state(current, romeo, state_named("To"));
  BOOST_TEST((kept == roster_item{romeo, "R", subscription::to, false, false, {"g"}}));
}

// -- what clients see --

BOOST_AUTO_TEST_CASE(a_get_without_a_version_is_answered_in_full) {
  auto x = with({romeo, "Romeo <3", subscription::both, false, false, {"Friends"}});
  x.put(roster_item{nurse, {}, subscription::none, true, true, {}});
  x.version = 11;
  auto answer = roster_result(roster_get(nullptr), x);
  BOOST_TEST(answer.serialize() ==
             "<iq to='juliet@capulet.lit/balcony' type='result' id='r1'><query xmlns='jabber:iq:roster' ver='11'>"
             "<item jid='nurse@capulet.lit' subscription='none' ask='subscribe' approved='true'/>"
             "<item jid='romeo@montague.lit' name='Romeo &lt;3' subscription='both'><group>Friends</group></item>"
             "</query></iq>");
}

BOOST_AUTO_TEST_CASE(requests_of_strangers_are_not_in_the_roster) {
  auto x = roster{};
  x.put(pending_request{romeo, 0, {}});
  BOOST_TEST(roster_result(roster_get(""), x).payload().child_count() == 0u);
}

BOOST_AUTO_TEST_CASE(an_empty_result_means_unchanged) { // 2.6.3
  auto x = with({romeo, {}, subscription::both, false, false, {}});
  x.version = 11;
  BOOST_TEST(!roster_result(roster_get("11"), x).payload());
  BOOST_TEST(bool(roster_result(roster_get("10"), x).payload()));
  BOOST_TEST(bool(roster_result(roster_get("011"), x).payload()));
  BOOST_TEST(bool(roster_result(roster_get(""), x).payload()));
}

BOOST_AUTO_TEST_CASE(a_push_has_one_item_and_the_new_version) { // 2.1.6, 2.6.3
  BOOST_TEST(roster_push({romeo, {}, subscription::from, true, false, {}}, 12).bytes() ==
             "<query xmlns='jabber:iq:roster' ver='12'>"
             "<item jid='romeo@montague.lit' subscription='from' ask='subscribe'/></query>");
  BOOST_TEST(roster_removal_push(romeo, 13).bytes() ==
             "<query xmlns='jabber:iq:roster' ver='13'><item jid='romeo@montague.lit' subscription='remove'/></query>");
}

BOOST_AUTO_TEST_CASE(subscriptions_are_between_bare_addresses) { // 3.1.1
  auto x = subscription_stanza(stanza_type::subscribed, balcony, jid::from_prepared("romeo@montague.lit/orchard"));
  BOOST_TEST(x.serialize() == "<presence from='juliet@capulet.lit' to='romeo@montague.lit' type='subscribed'/>");
}

BOOST_AUTO_TEST_SUITE_END()
