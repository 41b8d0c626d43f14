#include "actors/fake_keys.hpp"

#include "actors/known_iterations.hpp"
#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>

using namespace xmpp;
using namespace xmpp::test;

namespace {

using counts = std::vector<std::uint32_t>;

counts iterations_in(const temporary_folder& folder) {
  auto known = known_iterations{};
  known.open(folder.path());
  return known.all();
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(fake_keys, temporary_folder)

BOOST_AUTO_TEST_CASE(the_secret_is_made_once) {
  auto secret = *load_fake_keys_secret(path());
  BOOST_TEST(secret.size() == fake_keys_secret_bytes);
  BOOST_TEST(*load_fake_keys_secret(path()) == secret);
  std::ofstream{path() / "secret"} << "short";
  BOOST_TEST((load_fake_keys_secret(path()).code() == errc::corrupt_record));
}

BOOST_AUTO_TEST_CASE(a_node_that_joins_has_them_as_the_others_have) {
  auto secret = std::string(fake_keys_secret_bytes, 's');
  auto own = *load_fake_keys_secret(path());
  BOOST_TEST(own != secret);
  BOOST_TEST(keep_fake_keys(path(), encode_fake_keys(secret, {4'096, 10'000})).has_value());
  BOOST_TEST(*load_fake_keys_secret(path()) == secret);
  BOOST_TEST((iterations_in(*this) == counts{4'096, 10'000}));
}

BOOST_AUTO_TEST_CASE(what_is_no_such_text_changes_nothing) {
  auto own = *load_fake_keys_secret(path());
  auto good = encode_fake_keys(std::string(fake_keys_secret_bytes, 's'), {4'096});
  for (auto size = std::size_t{0}; size < good.size(); ++size)
    BOOST_TEST((keep_fake_keys(path(), std::string_view{good}.substr(0, size)).code() == errc::corrupt_record));
  for (auto& bad : {good + "x", "\2" + good.substr(1), encode_fake_keys("short", {})})
    BOOST_TEST((keep_fake_keys(path(), bad).code() == errc::corrupt_record));
  BOOST_TEST(*load_fake_keys_secret(path()) == own);
  BOOST_TEST(iterations_in(*this).empty());
}

BOOST_AUTO_TEST_SUITE_END()
