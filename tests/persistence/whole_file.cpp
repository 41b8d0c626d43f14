#include "persistence/whole_file.hpp"

#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iterator>
#include <sys/stat.h>

using namespace xmpp;

namespace {

struct fixture {
  test::temporary_folder folder;
  std::filesystem::path file = folder.path() / "file", draft = folder.path() / "file.new";

  static std::string content(const std::filesystem::path& of) {
    auto in = std::ifstream{of, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  static void put(const std::filesystem::path& to, const std::string& bytes) { std::ofstream{to} << bytes; }
  static unsigned mode(const std::filesystem::path& of) {
    struct stat status = {};
    BOOST_REQUIRE(::stat(of.c_str(), &status) == 0);
    return status.st_mode & 0777;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_whole_file, fixture)

BOOST_AUTO_TEST_CASE(has_all_that_was_put_into_it_and_nothing_else) {
  auto large = std::string(3'000'000, 'a') + std::string("\0\n", 2);
  BOOST_REQUIRE(replace_file(file, large));
  BOOST_TEST((content(file) == large));
  BOOST_REQUIRE(replace_file(file, "short"));
  BOOST_TEST(content(file) == "short");
  BOOST_REQUIRE(replace_file(file, ""));
  BOOST_TEST(content(file).empty());
  BOOST_TEST(!std::filesystem::exists(draft));
}

BOOST_AUTO_TEST_CASE(is_for_its_owner_only_whatever_was_there) {
  put(file, "old");
  ::chmod(file.c_str(), 0666);
  BOOST_REQUIRE(replace_file(file, "new"));
  BOOST_TEST(mode(file) == 0600u);
}

BOOST_AUTO_TEST_CASE(is_not_hindered_by_what_a_crash_left) {
  put(draft, "half");
  ::chmod(draft.c_str(), 0666);
  BOOST_REQUIRE(replace_file(file, "whole"));
  BOOST_TEST(content(file) == "whole");
  BOOST_TEST(mode(file) == 0600u);
}

BOOST_AUTO_TEST_CASE(is_not_written_through_a_link) {
  auto other = folder.path() / "other";
  put(other, "stays");
  std::filesystem::create_symlink(other, draft);
  std::filesystem::create_symlink(other, file);
  BOOST_REQUIRE(replace_file(file, "new"));
  BOOST_TEST(content(other) == "stays");
  BOOST_TEST(content(file) == "new");
  BOOST_TEST(!std::filesystem::is_symlink(file));
}

BOOST_AUTO_TEST_CASE(stays_as_it_was_when_it_can_not_be_replaced) {
  std::filesystem::create_directories(file / "in the way");
  auto done = replace_file(file, "new");
  BOOST_TEST((done.code() == errc::storage_failure));
  BOOST_TEST(done.error().text.starts_with("rename to " + file.string() + ": "));
  BOOST_TEST(std::filesystem::is_directory(file));
  BOOST_TEST(!std::filesystem::exists(draft));
}

BOOST_AUTO_TEST_CASE(can_not_be_where_there_is_no_folder) {
  auto done = replace_file(folder.path() / "none" / "file", "new");
  BOOST_TEST((done.code() == errc::storage_failure));
}

BOOST_AUTO_TEST_CASE(has_a_folder_that_is_made_once_and_for_its_owner) {
  auto made = folder.path() / "made";
  BOOST_REQUIRE(make_folder(made));
  BOOST_TEST(mode(made) == 0700u);
  BOOST_REQUIRE(replace_file(made / "file", "new"));
  BOOST_REQUIRE(make_folder(made));
  BOOST_TEST(content(made / "file") == "new");
  auto done = make_folder(folder.path() / "none" / "below");
  BOOST_TEST((done.code() == errc::storage_failure));
}

BOOST_AUTO_TEST_SUITE_END()
