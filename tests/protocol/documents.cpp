// What README.md, README.zh.md and troupe.doap say of XEPs is what the extensions' metadata says.
//
// TROUPE_REWRITE=1 in the environment rewrites what differs, between the markers in the READMEs and all of troupe.doap;
// the test then passes, and the change is yours to look at and to commit.
#include "protocol/extension.hpp"
#include "protocol/extensions_report.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using namespace xmpp;

namespace {

constexpr std::string_view table_begin = "<!-- xep table -->\n";
constexpr std::string_view table_end = "<!-- /xep table -->";

std::filesystem::path at_root(std::string_view name) {
  return std::filesystem::path{TROUPE_SOURCE_DIR} / name;
}

std::string read(std::string_view name) {
  auto in = std::ifstream{at_root(name), std::ios::binary};
  BOOST_REQUIRE_MESSAGE(in, "cannot read " << name);
  return {std::istreambuf_iterator<char>{in}, {}};
}

bool rewrites() {
  auto* set = std::getenv("TROUPE_REWRITE");
  return set && std::string_view{set} == "1";
}

/// `text` with what stands between the markers replaced; none when there is not exactly one of each, in order.
std::optional<std::string> with_table(std::string_view text, std::string_view table) {
  auto begin = text.find(table_begin);
  if (begin == text.npos || text.find(table_begin, begin + 1) != text.npos)
    return std::nullopt;
  begin += table_begin.size();
  auto end = text.find(table_end, begin);
  if (end == text.npos || text.find(table_end) != end || text.find(table_end, end + 1) != text.npos)
    return std::nullopt;
  return std::string{text.substr(0, begin)}.append(table).append(text.substr(end));
}

/// The first line that is not the same in both, for whoever has to mend it.
std::string first_difference(std::string_view is, std::string_view should_be) {
  auto line = std::size_t{1};
  while (true) {
    auto a = is.substr(0, is.find('\n')), b = should_be.substr(0, should_be.find('\n'));
    if (a != b || is.empty() || should_be.empty())
      return "line " + std::to_string(line) + " is\n  " + std::string{a} + "\nand should be\n  " + std::string{b};
    is.remove_prefix(std::min(a.size() + 1, is.size()));
    should_be.remove_prefix(std::min(b.size() + 1, should_be.size()));
    ++line;
  }
}

void expect_file(std::string_view name, std::string_view is, std::string_view should_be) {
  if (is == should_be)
    return;
  if (!rewrites()) {
    BOOST_ERROR(name << ": " << first_difference(is, should_be) << "\nTROUPE_REWRITE=1 rewrites it");
    return;
  }
  auto out = std::ofstream{at_root(name), std::ios::binary | std::ios::trunc};
  out << should_be;
  out.close();
  BOOST_REQUIRE_MESSAGE(out, "cannot write " << name);
}

void expect_table_in(std::string_view name) {
  auto is = read(name);
  auto should_be = with_table(is, xep_table());
  BOOST_REQUIRE_MESSAGE(should_be, name << ": not one pair of " << table_begin << table_end);
  expect_file(name, is, *should_be);
}

/// The names in a README's map: relative to the root, a folder with a slash behind it. They stand in front of the words
/// about them, which begin in column 33, and below their folder, indented by two.
std::vector<std::string> names_in_map(std::string_view readme) {
  constexpr auto names_width = std::size_t{32};
  auto out = std::vector<std::string>{};
  auto begin = readme.find("<!-- map -->\n```text\n"), end = readme.find("```\n<!-- /map -->");
  if (begin == readme.npos || end == readme.npos)
    return out;
  begin = readme.find("```text\n", begin) + 8;
  auto lines = std::istringstream{std::string{readme.substr(begin, end - begin)}};
  auto folders = std::vector<std::string>{};
  for (auto line = std::string{}; std::getline(lines, line);) {
    auto depth = line.find_first_not_of(' ') / 2;
    auto words = std::istringstream{line.substr(0, names_width)};
    for (auto name = std::string{}; words >> name;) {
      folders.resize(std::min(depth, folders.size()));
      auto path = std::string{};
      for (auto& folder : folders)
        path += folder;
      out.push_back(path + name);
      if (name.ends_with('/'))
        folders.push_back(name);
    }
  }
  return out;
}

/// A name without an ending is a header.
bool is_there(const std::string& name) {
  auto is_plain = name.ends_with('/') || std::filesystem::path{name}.has_extension();
  return std::filesystem::exists(at_root(name)) || (!is_plain && std::filesystem::exists(at_root(name + ".hpp")));
}

project_description troupe() {
  auto project = project_description{};
  project.created = "2026-11-22";
  project.shortdesc = "XMPP server on actors";
  project.description =
      "Troupe is an XMPP server in C++20: rosters, presence and messages for clients on one node, built "
      "from supervised actors. What it has acknowledged is on disk.";
  project.license = "https://www.apache.org/licenses/LICENSE-2.0";
  return project;
}

} // namespace

BOOST_AUTO_TEST_SUITE(documents)

BOOST_AUTO_TEST_CASE(the_readme_has_the_table_of_extensions) {
  expect_table_in("README.md");
}

BOOST_AUTO_TEST_CASE(the_chinese_readme_has_the_table_of_extensions) {
  expect_table_in("README.zh.md");
}

BOOST_AUTO_TEST_CASE(the_doap_file_has_all_extensions) {
  auto name = std::string_view{"troupe.doap"};
  auto is = rewrites() && !std::filesystem::exists(at_root(name)) ? std::string{} : read(name);
  expect_file(name, is, doap(troupe()));
}

BOOST_AUTO_TEST_CASE(the_map_names_what_is_there) {
  auto names = names_in_map(read("README.md"));
  BOOST_TEST(names.size() > 50);
  for (auto& name : names)
    BOOST_TEST(is_there(name), "README.md's map names " << name << ", which is not there");
  BOOST_TEST(names_in_map(read("README.zh.md")) == names, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_map_names_every_header_of_the_layers) {
  auto names = names_in_map(read("README.md"));
  for (auto* layer : {"net", "protocol", "persistence", "cluster", "actors"})
    for (auto& entry : std::filesystem::directory_iterator{at_root(layer)}) {
      if (entry.path().extension() != ".hpp")
        continue;
      auto name = layer + ("/" + entry.path().stem().string());
      auto is_named = std::find(names.begin(), names.end(), name) != names.end();
      BOOST_TEST(is_named, "README.md's and README.zh.md's maps lack " << name);
    }
}

BOOST_AUTO_TEST_CASE(the_example_of_an_extension_is_the_file_itself) {
  auto file = std::istringstream{read("protocol/extensions/xep_0199_ping.cpp")};
  auto quoted = std::string{};
  for (auto line = std::string{}; std::getline(file, line);)
    quoted += line.empty() ? "\n" : "   " + line + "\n"; // in a list
  for (auto* name : {"README.md", "README.zh.md"})
    BOOST_TEST((read(name).find(quoted) != std::string::npos), name << " quotes another xep_0199_ping.cpp");
}

BOOST_AUTO_TEST_CASE(a_table_is_replaced_between_its_markers_only) {
  auto text = std::string{"before\n"}.append(table_begin).append("old\n").append(table_end).append("\nafter\n");
  auto expected = std::string{"before\n"}.append(table_begin).append("new\n").append(table_end).append("\nafter\n");
  BOOST_TEST(with_table(text, "new\n").value_or("none") == expected);
  BOOST_TEST(with_table(expected, "new\n").value_or("none") == expected);
}

BOOST_AUTO_TEST_CASE(a_document_without_one_pair_of_markers_is_refused) {
  auto begin = std::string{table_begin}, end = std::string{table_end};
  for (auto& text : {std::string{}, begin, end, end + "\n" + begin, begin + begin + end, begin + end + end,
                     end + begin + end, std::string{"<!-- xep table -->"} + end})
    BOOST_TEST(!with_table(text, "new\n"), text);
}

BOOST_AUTO_TEST_CASE(the_first_line_that_differs_is_told) {
  BOOST_TEST(first_difference("a\nb\nc\n", "a\nx\nc\n").starts_with("line 2 is\n  b\n"));
  BOOST_TEST(first_difference("a\n", "a\nb\n").starts_with("line 2 is\n  \n"));
  BOOST_TEST(first_difference("a\nb", "a").starts_with("line 2 is\n  b\n"));
}

BOOST_AUTO_TEST_CASE(every_file_that_an_extension_names_is_there) {
  for (auto& x : all_extensions())
    if (!x.where.empty())
      BOOST_TEST(std::filesystem::exists(at_root(x.where)), x.number << " is done in " << x.where);
}

BOOST_AUTO_TEST_CASE(every_extension_in_a_file_of_its_own_is_in_the_file_of_its_number) {
  auto folder = at_root("protocol/extensions");
  for (auto& x : all_extensions()) {
    if (!x.where.empty())
      continue;
    auto beginning = "xep_" + std::string{x.number.substr(4)} + "_";
    auto found = std::filesystem::path{};
    for (auto& entry : std::filesystem::directory_iterator{folder})
      if (entry.path().filename().string().starts_with(beginning))
        found = entry.path();
    BOOST_REQUIRE_MESSAGE(!found.empty(), x.number << " has no file");
    // Its first line says the same as its metadata.
    auto name = "protocol/extensions/" + found.filename().string();
    auto title =
        "// " + std::string{x.number} + ": " + std::string{x.name} + ", version " + std::string{x.version} + ".\n";
    BOOST_TEST(read(name).starts_with(title), name << " does not begin with " << title);
  }
}

BOOST_AUTO_TEST_SUITE_END()
