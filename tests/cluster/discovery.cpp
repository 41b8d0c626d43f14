#include "cluster/discovery.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <vector>

using namespace xmpp;
using namespace xmpp::cluster;

namespace {

using addresses = std::vector<net::address>;

net::address at(const std::string& host, std::uint16_t port) {
  return *net::address::parse(host, port);
}

/// What one look gives.
discovery::found found_by(const std::vector<std::string>& seeds, discovery::looker how = look_up) {
  auto said = std::promise<discovery::found>{};
  auto aut = discovery{seeds, [&](const discovery::found& x) { said.set_value(x); }, std::move(how)};
  aut.look();
  return said.get_future().get();
}

} // namespace

BOOST_AUTO_TEST_SUITE(discovery_)

BOOST_AUTO_TEST_CASE(a_seed_is_a_host_with_a_port) {
  BOOST_TEST((parse_host_and_port("troupe.example.com:5292") == host_and_port{"troupe.example.com", 5292}));
  BOOST_TEST((parse_host_and_port("192.0.2.1:1") == host_and_port{"192.0.2.1", 1}));
  BOOST_TEST((parse_host_and_port("[2001:db8::1]:65535") == host_and_port{"2001:db8::1", 65535}));
  for (auto none : {"", ":", "host", "host:", ":5292", "host:0", "host:65536", "host:1x", "[::1]", "::1:5292",
                    "[host]:5292", "[]:1", "a b:1", "*:5292", "a/b:1"})
    BOOST_TEST(!parse_host_and_port(none), none);
  BOOST_TEST(!parse_host_and_port(std::string(254, 'a') + ":1"));
}

BOOST_AUTO_TEST_CASE(an_address_needs_no_name_server) {
  BOOST_TEST((*look_up({"127.0.0.1", 7}) == addresses{at("127.0.0.1", 7)}));
  BOOST_TEST((*look_up({"::1", 7}) == addresses{at("::1", 7)}));
}

BOOST_AUTO_TEST_CASE(a_name_stands_for_all_its_addresses_each_once) {
  auto out = found_by({"pods:1", "127.0.0.1:9", "pods:2", "127.0.0.1:9"}, [](const host_and_port& x) {
    return x.host == "pods" ? net::outcome<addresses>{addresses{at("192.0.2.1", x.port), at("192.0.2.2", x.port),
                                                                at("192.0.2.1", x.port)}}
                            : look_up(x);
  });
  BOOST_TEST((out.addresses == addresses{at("192.0.2.1", 1), at("192.0.2.2", 1), at("127.0.0.1", 9), at("192.0.2.1", 2),
                                         at("192.0.2.2", 2)}));
  BOOST_TEST(out.failures.empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_found_is_said_and_the_others_are) {
  auto out = found_by({"gone:1", "127.0.0.1:9", "lost:1"}, [](const host_and_port& x) {
    return x.port == 1 ? net::outcome<addresses>{net::failure{"look up " + x.host + ": none"}} : look_up(x);
  });
  BOOST_TEST((out.addresses == addresses{at("127.0.0.1", 9)}));
  BOOST_TEST(out.failures == "look up gone: none; look up lost: none");
}

BOOST_AUTO_TEST_CASE(there_are_only_so_many) {
  auto out = found_by({"many:1"}, [](const host_and_port&) {
    auto all = addresses{};
    for (auto i = 1u; i <= 2 * discovered_max; ++i)
      all.push_back(at("192.0.2.1", std::uint16_t(i)));
    return net::outcome<addresses>{all};
  });
  BOOST_TEST(out.addresses.size() == discovered_max);
}

BOOST_AUTO_TEST_CASE(one_look_at_a_time_and_nobody_waits_for_a_name_server) {
  struct name_server {
    std::atomic<int> asked{0};
    std::promise<void> is_asked, may_answer;
    std::promise<void> has_answered;
  };
  auto slow = std::make_shared<name_server>();
  auto told = std::make_shared<std::atomic<int>>(0);
  {
    auto aut = discovery{{"slow:1"},
                         [told](const discovery::found&) { ++*told; },
                         [slow](const host_and_port&) {
                           ++slow->asked;
                           slow->is_asked.set_value();
                           slow->may_answer.get_future().wait();
                           slow->has_answered.set_value();
                           return net::outcome<addresses>{addresses{}};
                         }};
    aut.look();
    slow->is_asked.get_future().wait();
    aut.look();
  }
  slow->may_answer.set_value();
  slow->has_answered.get_future().wait();
  BOOST_TEST(slow->asked == 1);
  BOOST_TEST(*told == 0);
}

BOOST_AUTO_TEST_CASE(without_seeds_nothing_is_looked_up) {
  auto aut = discovery{{"no seed"},
                       [](const discovery::found&) { BOOST_ERROR("found"); },
                       [](const host_and_port&) -> net::outcome<addresses> {
                         BOOST_ERROR("looked");
                         return addresses{};
                       }};
  aut.look();
}

BOOST_AUTO_TEST_SUITE_END()
