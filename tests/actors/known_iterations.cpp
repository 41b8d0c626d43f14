#include "actors/known_iterations.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

using namespace xmpp;

namespace {

using counts = std::vector<std::uint32_t>;

struct folder {
  folder() {
    auto name = std::string{"/tmp/troupe-iterations-XXXXXX"};
    path = mkdtemp(name.data());
  }
  ~folder() { std::filesystem::remove_all(path); }

  counts after_a_restart() const {
    auto again = known_iterations{};
    again.open(path);
    return again.all();
  }

  std::filesystem::path path;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(iterations, folder)

BOOST_AUTO_TEST_CASE(there_are_none_before_the_first_account) {
  BOOST_TEST(after_a_restart().empty());
}

BOOST_AUTO_TEST_CASE(each_count_is_known_once_and_stays_in_its_place) {
  auto known = known_iterations{};
  known.open(path);
  for (auto count : {10'000u, 5'000u, 10'000u})
    BOOST_TEST(known.add(count).has_value());
  BOOST_TEST((known.all() == counts{10'000, 5'000}));
  BOOST_TEST((after_a_restart() == counts{10'000, 5'000}));
}

BOOST_AUTO_TEST_CASE(what_the_disk_did_not_take_is_not_known) {
  auto known = known_iterations{};
  known.open(path / "missing");
  BOOST_TEST((known.add(10'000).code() == errc::storage_failure));
  BOOST_TEST(known.all().empty());
}

BOOST_AUTO_TEST_SUITE_END()
