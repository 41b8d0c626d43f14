// Rules about the sources themselves: layers, foreign libraries, banned calls, form.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct source {
  std::string path;   ///< From the root: `protocol/jid.hpp`
  std::string folder; ///< Its first part.
  std::string text;
  std::string code; ///< The text without comments and without what stands in quotes.

  bool is_header() const { return path.ends_with(".hpp"); }
};

/// Comments become blanks, texts and characters lose their content; lines stay where they are.
std::string strip(std::string_view text) {
  auto out = std::string{};
  for (auto i = std::size_t{0}; i < text.size();) {
    auto rest = text.substr(i);
    if (rest.starts_with("//")) {
      i += std::min(rest.find('\n'), rest.size());
    } else if (rest.starts_with("/*")) {
      auto end = std::min(rest.find("*/"), rest.size() - 2) + 2;
      out.append(static_cast<std::size_t>(std::count(rest.begin(), rest.begin() + static_cast<long>(end), '\n')), '\n');
      i += end;
    } else if (rest.starts_with("R\"")) {
      auto open = rest.find('(');
      auto close = ")" + std::string{rest.substr(2, open - 2)} + "\"";
      auto end = std::min(rest.find(close), rest.size() - close.size()) + close.size();
      out += "\"";
      out.append(static_cast<std::size_t>(std::count(rest.begin(), rest.begin() + static_cast<long>(end), '\n')), '\n');
      out += "\"";
      i += end;
    } else if (text[i] == '"' ||
               (text[i] == '\'' && (i == 0 || !std::isalnum(static_cast<unsigned char>(text[i - 1]))))) {
      auto quote = text[i];
      out += quote;
      for (++i; i < text.size() && text[i] != quote && text[i] != '\n'; ++i)
        if (text[i] == '\\')
          ++i;
      out += quote;
      ++i;
    } else {
      out += text[i++];
    }
  }
  return out;
}

constexpr auto layers = std::to_array<std::string_view>({"net", "protocol", "persistence", "cluster", "actors"});

std::string file_text(const fs::path& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

const fs::path root = TROUPE_SOURCE_DIR;

const std::vector<source>& sources() {
  static const auto all = [] {
    auto out = std::vector<source>{};
    for (auto folder : {"net", "protocol", "persistence", "cluster", "actors", "tests"})
      for (auto& entry : fs::recursive_directory_iterator{root / folder}) {
        auto ending = entry.path().extension();
        if (ending != ".hpp" && ending != ".cpp" && ending != ".c")
          continue;
        auto text = file_text(entry.path());
        out.push_back({fs::relative(entry.path(), root).string(), folder, text, strip(text)});
      }
    std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.path < b.path; });
    return out;
  }();
  return all;
}

std::vector<std::string> lines(const std::string& text) {
  auto out = std::vector<std::string>{};
  auto from = std::size_t{0};
  for (auto to = text.find('\n'); to != std::string::npos; from = to + 1, to = text.find('\n', from))
    out.push_back(text.substr(from, to - from));
  if (from < text.size())
    out.push_back(text.substr(from));
  return out;
}

/// The names between `open` and `close` of a file's include lines.
std::vector<std::string> includes(const source& of, char open, char close) {
  auto out = std::vector<std::string>{};
  for (auto& line : lines(of.text))
    if (line.starts_with("#include "))
      if (auto from = line.find(open); from != std::string::npos)
        out.push_back(line.substr(from + 1, line.find(close, from + 1) - from - 1));
  return out;
}

/// Where a pattern stands in the code, as `file:line: text`.
std::vector<std::string> places(const source& in, const std::regex& pattern) {
  auto out = std::vector<std::string>{};
  auto number = 0;
  for (auto& line : lines(in.code)) {
    ++number;
    if (std::regex_search(line, pattern))
      out.push_back(in.path + ":" + std::to_string(number) + ": " + line);
  }
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tidy)

BOOST_AUTO_TEST_CASE(no_layer_uses_what_is_to_its_right) {
  auto may_use = std::map<std::string, std::set<std::string>>{
      {"net", {"net"}},
      {"protocol", {"protocol"}}, // and does not know net
      {"persistence", {"net", "protocol", "persistence"}},
      {"cluster", {"net", "protocol", "persistence", "cluster"}},
      {"actors", {"net", "protocol", "persistence", "cluster", "actors"}},
      {"tests", {"net", "protocol", "persistence", "cluster", "actors", "tests"}},
  };
  for (auto& file : sources())
    for (auto& name : includes(file, '"', '"')) {
      auto layer = name.substr(0, name.find('/'));
      BOOST_TEST(may_use[file.folder].contains(layer), file.path + " includes \"" + name + "\"");
    }
}

BOOST_AUTO_TEST_CASE(what_is_included_is_there) {
  for (auto& file : sources())
    for (auto& name : includes(file, '"', '"'))
      BOOST_TEST(fs::exists(root / name), file.path + " includes \"" + name + "\"");
}

BOOST_AUTO_TEST_CASE(a_foreign_library_is_known_where_it_belongs_only) {
  // A library's headers -> the files, or whole layers, that may include them.
  auto homes = std::map<std::string, std::set<std::string>>{
      {"xercesc/", {"protocol/parser.cpp"}},
      {"rocksdb/", {"persistence/store.cpp"}},
      {"openssl/", {"net", "protocol/sasl.cpp", "protocol/hash.cpp"}},
      {"unicode/", {"protocol"}},
      {"caf/", {"cluster", "actors"}},
      {"raft.h", {"cluster/raft_core.c"}},
      {"boost/", {}},
      {"CLI/", {"actors/cli.cpp"}},
      {"histedit.h", {"actors/shell"}},
      {"expat.h", {}},
  };
  for (auto& file : sources()) {
    if (file.folder == "tests")
      continue;
    for (auto& name : includes(file, '<', '>'))
      for (auto& [library, places] : homes)
        if (name.starts_with(library)) {
          auto is_home = std::any_of(places.begin(), places.end(), [&](auto& place) {
            return file.path == place || file.path.starts_with(place + "/");
          });
          BOOST_TEST(is_home, file.path + " includes <" + name + ">");
        }
  }
}

BOOST_AUTO_TEST_CASE(calls_that_we_do_not_make) {
  // A pattern, why not, and the files that may.
  struct ban {
    const char* pattern;
    const char* why;
    std::set<std::string> except = {};
    std::set<std::string> folders = {layers.begin(), layers.end()};
  };
  auto bans = std::vector<ban>{
      {R"(\b(system|popen)\s*\(\s*[^)\s])", "a shell reads what we pass"},
      {R"(\b(strcpy|strcat|sprintf|vsprintf|gets)\s*\()", "it does not know the room it has"},
      {R"(\b(rand|srand|drand48|lrand48)\s*\()", "it can be guessed: random_text, secure_random"},
      {R"(\b(tmpnam|tempnam|mktemp)\s*\()", "somebody else can be faster"},
      {R"(\b(localtime|gmtime|strtok|asctime|ctime)\s*\()", "it keeps its result where another thread writes"},
      {R"(\b(atoi|atol|atof)\s*\()", "it does not tell an error: std::from_chars"},
      {R"(\b(sleep|usleep|nanosleep|sleep_for|sleep_until)\s*\()",
       "an actor that sleeps holds a thread of all the others",
       // On the main thread.
       {"actors/server.cpp"},
       {"actors", "cluster"}},
      {R"(\busing namespace std;)", "names should say where they come from"},
  };
  for (auto& x : bans)
    for (auto& file : sources())
      if (x.folders.contains(file.folder) && !x.except.contains(file.path))
        for (auto& place : places(file, std::regex{x.pattern}))
          BOOST_TEST(false, place + " (" + x.why + ")");
}

BOOST_AUTO_TEST_CASE(tables_that_strangers_fill_have_a_keyed_hash) { // hash flooding
  // Filled by the configuration or by the source itself, whoever asks.
  auto ours = std::set<std::string>{"protocol/iq.cpp", "net/tls.cpp", "actors/context.hpp"};
  auto by_text = std::regex{"unordered_(multi)?(map|set)<(std::string|std::string_view|jid)\\b[^;]*;"};
  auto seen = std::set<std::string>{};
  for (auto& x : sources()) {
    if (x.folder == "tests")
      continue;
    for (auto i = std::sregex_iterator{x.code.begin(), x.code.end(), by_text}; i != std::sregex_iterator{}; ++i) {
      seen.insert(x.path);
      auto table = i->str();
      auto is_keyed =
          table.find("keyed_hash") != table.npos || table.find("<jid, user_actor, hash, equal>") != table.npos;
      BOOST_TEST((is_keyed || ours.contains(x.path)), x.path << ": " << table);
    }
    if (x.path != "protocol/jid.hpp") // for tables of our own
      BOOST_TEST((x.code.find("std::hash<std::string") == x.code.npos), x.path);
  }
  BOOST_TEST(seen.contains("actors/shard.hpp"));
  BOOST_TEST(seen.contains("actors/throttle.hpp"));
  BOOST_TEST(seen.contains("protocol/caps.hpp"));
}

BOOST_AUTO_TEST_CASE(a_file_says_first_what_it_is) {
  for (auto& file : sources()) {
    auto has_header = fs::exists(root / fs::path{file.path}.replace_extension(".hpp"));
    // A source whose header says it, and a test, whose name says it, need not.
    if (file.is_header() || (!has_header && file.folder != "tests"))
      BOOST_TEST(file.text.starts_with("// "), file.path + " does not begin with a comment");
  }
}

BOOST_AUTO_TEST_CASE(headers_are_read_once) {
  for (auto& file : sources())
    if (file.is_header())
      BOOST_TEST(file.code.find("#pragma once\n") != std::string::npos, file.path);
}

BOOST_AUTO_TEST_CASE(a_source_includes_its_own_header_first) {
  for (auto& file : sources()) {
    auto own = fs::path{file.path}.replace_extension(".hpp").string();
    if (file.is_header() || file.folder == "tests" || !fs::exists(root / own))
      continue;
    auto all = includes(file, '"', '"');
    BOOST_TEST((!all.empty() && all.front() == own), file.path + " does not begin with its own header");
  }
}

BOOST_AUTO_TEST_CASE(lines_have_one_form) {
  for (auto& file : sources()) {
    BOOST_TEST(file.text.find('\r') == std::string::npos, file.path + " has carriage returns");
    BOOST_TEST(file.text.ends_with('\n'), file.path + " does not end with a line end");
    auto number = 0;
    for (auto& line : lines(file.text)) {
      auto where = file.path + ":" + std::to_string(++number);
      auto columns = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
      BOOST_TEST(!line.ends_with(' '), where + " ends with a blank");
      BOOST_TEST(line.find('\t') == std::string::npos, where + " has a tab");
      if (file.folder != "tests") // where a stanza is easier to read in one piece
        BOOST_TEST(columns <= 120, where + " has " + std::to_string(columns) + " columns");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_todo_says_what_would_end_it) {
  for (auto& file : sources())
    for (auto& line : lines(file.text))
      if (file.path != "tests/tidy.cpp" && line.find("TODO") != std::string::npos)
        BOOST_TEST(std::regex_search(line, std::regex{R"(TODO: .{10,})"}), file.path + ": " + line);
}

BOOST_AUTO_TEST_CASE(every_source_is_listed_in_its_folders_build_file) {
  for (auto layer : layers) {
    auto listed = file_text(root / layer / "CMakeLists.txt");
    if (listed.find("GLOB") != std::string::npos)
      continue; // while many files come and go
    for (auto& file : sources())
      if (file.folder == layer && !file.is_header()) {
        auto name = file.path.substr(layer.size() + 1);
        BOOST_TEST(listed.find(name) != std::string::npos, file.path + " is not built");
      }
  }
}

BOOST_AUTO_TEST_SUITE_END()
