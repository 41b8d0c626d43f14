#include "actors/registry.hpp"

#include "tests/actors/stand_ins.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace xmpp;
using namespace xmpp::test;

namespace {

/// With an owner, as sessions have one: named later.
class named final : public supervised<patient_actor> {
public:
  named(caf::actor_config& cfg, jid owner) : supervised(cfg, actor_kind::user, nullptr), owner_(std::move(owner)) {}
  behavior_type make_behavior() override {
    begin(owner_, {});
    memory_bytes = 42;
    return {[this](int) { rename("juliet@example.com/balcony"_jid); }, [](int, int) { return 0; },
            [this](const msg::verdict& x) { decide(x); }, [](const msg::fail_now&) {},
            [this](const msg::describe&) { return describe(); }};
  }

protected:
  void restart() override {}
  void on_stop(const std::string&) override {}
  msg::description describe() const override { return {}; }

private:
  jid owner_;
};

struct some_actors : actor_fixture {
  registry& it = registry::instance();
  std::size_t users_before = it.count(actor_kind::user);
  std::vector<patient_actor> users;

  void starts(const jid& owner) {
    users.push_back(system().spawn<named>(owner));
    settle();
  }
  std::multiset<std::string> names() {
    auto out = std::multiset<std::string>{};
    it.for_each(actor_kind::user, [&](const registry::entry& x) {
      out.insert(x.name);
      return true;
    });
    return out;
  }
};

using texts = std::multiset<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(the_registry_of_actors, some_actors)

BOOST_AUTO_TEST_CASE(shows_those_that_run) {
  starts("romeo@example.com"_jid);
  starts("nurse@example.com"_jid);
  BOOST_TEST((names() == texts{"nurse@example.com", "romeo@example.com"}));
  BOOST_TEST(it.count(actor_kind::user) == users_before + 2);
  users.pop_back();
  BOOST_TEST((names() == texts{"romeo@example.com"}));
  BOOST_TEST(it.count(actor_kind::user) == users_before + 1);
}

BOOST_AUTO_TEST_CASE(finds_one_by_its_number) {
  starts("romeo@example.com"_jid);
  auto id = users[0]->id();
  BOOST_TEST((it.find(id) == caf::actor_cast<caf::strong_actor_ptr>(users[0])));
  auto found = it.entry_of(id);
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST((found->kind == actor_kind::user));
  BOOST_TEST(found->id == id);
  BOOST_TEST(found->supervisor == 0u);
  BOOST_TEST(found->memory_bytes == 42u);
  BOOST_TEST(found->restarts == 0u);
  BOOST_TEST(found->last_error.empty());
  BOOST_TEST((it.find(999'999) == nullptr));
  BOOST_TEST(!it.entry_of(999'999).has_value());
}

BOOST_AUTO_TEST_CASE(visits_until_told_to_stop) {
  for (auto name : {"a@example.com", "b@example.com", "c@example.com"})
    starts(*jid::parse(name));
  auto visits = 0;
  it.for_each(actor_kind::user, [&](const registry::entry&) { return ++visits < 2; });
  BOOST_TEST(visits == 2);
}

BOOST_AUTO_TEST_CASE(visits_only_the_names_that_are_wanted) {
  for (auto name : {"a@example.com", "b@example.com", "c@example.com"})
    starts(*jid::parse(name));
  auto seen = texts{};
  it.for_each(
      actor_kind::user, [](std::string_view name) { return name == "b@example.com"; },
      [&](const registry::entry& x) {
        seen.insert(x.name);
        return true;
      });
  BOOST_TEST((seen == texts{"b@example.com"}));
}

BOOST_AUTO_TEST_CASE(knows_a_new_name) {
  starts("romeo@example.com"_jid);
  send(users[0], 1);
  BOOST_TEST((names() == texts{"juliet@example.com/balcony"}));
}

BOOST_AUTO_TEST_CASE(lets_a_visitor_hold_the_last_reference) {
  starts("romeo@example.com"_jid);
  auto visits = 0;
  it.for_each(actor_kind::user, [&](const registry::entry& x) {
    users.clear(); // `x` is now the only one who knows it
    BOOST_TEST((x.actor != nullptr));
    ++visits;
    return true;
  });
  BOOST_TEST(visits == 1);
  BOOST_TEST(it.count(actor_kind::user) == users_before);
}

BOOST_AUTO_TEST_CASE(has_a_word_for_every_kind) {
  auto words = std::set<std::string_view>{};
  for (auto i = std::size_t{0}; i < actor_kind_count; ++i)
    words.insert(to_string(actor_kind(i)));
  BOOST_TEST(words.size() == actor_kind_count);
  BOOST_TEST(words.count("?") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
