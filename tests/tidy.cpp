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
          table.find("keyed_hash") != table.npos || table.find("<jid, entry, hash, equal>") != table.npos;
      BOOST_TEST((is_keyed || ours.contains(x.path)), x.path << ": " << table);
    }
    if (x.path != "protocol/jid.hpp") // for tables of our own
      BOOST_TEST((x.code.find("std::hash<std::string") == x.code.npos), x.path);
  }
  BOOST_TEST(seen.contains("actors/shard.hpp"));
  BOOST_TEST(seen.contains("actors/throttle.hpp"));
  BOOST_TEST(seen.contains("protocol/caps.hpp"));
}

namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

/// The last name of an operand that ends before `end`: `stored_key` of `keys->stored_key` and of `stored_key(a, b)`.
std::string_view name_before(std::string_view code, std::size_t end) {
  while (end > 0 && (std::isspace(static_cast<unsigned char>(code[end - 1])) || code[end - 1] == '&'))
    --end;
  while (end > 0 && (code[end - 1] == ')' || code[end - 1] == ']')) {
    auto depth = 0;
    do {
      --end;
      depth += code[end] == ')' || code[end] == ']' ? 1 : code[end] == '(' || code[end] == '[' ? -1 : 0;
    } while (end > 0 && depth > 0);
  }
  auto begin = end;
  while (begin > 0 && is_word(code[begin - 1]))
    --begin;
  return code.substr(begin, end - begin);
}

/// The same of one that begins at `begin`.
std::string_view name_after(std::string_view code, std::size_t begin) {
  auto name = std::string_view{};
  while (begin < code.size()) {
    auto c = code[begin];
    if (is_word(c)) {
      auto end = begin;
      while (end < code.size() && is_word(code[end]))
        ++end;
      name = code.substr(begin, end - begin);
      begin = end;
    } else if ((c == '(' || c == '[') && !name.empty()) {
      auto depth = 0;
      do {
        depth += code[begin] == '(' || code[begin] == '[' ? 1 : code[begin] == ')' || code[begin] == ']' ? -1 : 0;
        ++begin;
      } while (begin < code.size() && depth > 0);
    } else if (c == '.' || c == ':' || code.substr(begin).starts_with("->")) {
      begin += c == '-' ? 2 : 1;
    } else if (name.empty() && (std::isspace(static_cast<unsigned char>(c)) || c == '*' || c == '(')) {
      ++begin;
    } else {
      break;
    }
  }
  return name;
}

/// What is secret by its name, and the functions whose result is.
bool is_secret(std::string_view name) {
  static const auto names =
      std::regex{"([a-z_]*_)?(password|secret|proof|signature|token|mac|hmac|cookie|nonce|salted|credentials|"
                 "(stored|server|client|private|shared)_keys?)_?"};
  return std::regex_match(name.begin(), name.end(), names);
}

/// Where secrets are compared by something that ends at the first difference.
std::vector<std::string> hasty_comparisons(std::string_view code) {
  auto out = std::vector<std::string>{};
  auto tell = [&](std::size_t at) {
    auto begin = code.rfind('\n', at) + 1; // npos + 1 is 0
    out.emplace_back(code.substr(begin, code.find('\n', at) - begin));
  };
  for (auto i = std::size_t{1}; i + 2 < code.size(); ++i) {
    if ((code[i] != '=' && code[i] != '!') || code[i + 1] != '=' || code[i - 1] == '<' || code[i - 1] == '=')
      continue;
    auto left = name_before(code, i), right = name_after(code, i + 2);
    auto is_called = [&](std::string_view x) {
      return code.substr(static_cast<std::size_t>(x.data() - code.data()) + x.size()).starts_with("(");
    };
    // Whether there is one at all is no secret.
    auto is_constant = [&](std::string_view x) {
      auto is_enumerator =
          !is_called(x) && code.substr(0, static_cast<std::size_t>(x.data() - code.data())).ends_with("::");
      return is_enumerator || std::isdigit(static_cast<unsigned char>(x[0])) || x == "nullptr" || x == "nullopt" ||
             x == "npos" || x == "none";
    };
    // A digest of a key is often shown to all; one that is computed here is compared with what should be it.
    auto is_ours = [&](std::string_view x) { return is_secret(x) || (x == "digest" && is_called(x)); };
    if (!left.empty() && !right.empty() && !is_constant(left) && !is_constant(right) &&
        (is_ours(left) || is_ours(right)))
      tell(i);
  }
  static const auto calls = std::regex{R"(\b(std::equal|memcmp|bcmp|str(n?)cmp)\s*\(([^;{]*))"};
  static const auto words = std::regex{"[A-Za-z_]+"};
  for (auto i = std::cregex_iterator{code.begin(), code.end(), calls}; i != std::cregex_iterator{}; ++i) {
    auto given = (*i)[3];
    for (auto word = std::cregex_iterator{given.first, given.second, words}; word != std::cregex_iterator{}; ++word)
      if (is_secret(std::string_view{(*word)[0].first, static_cast<std::size_t>((*word)[0].length())})) {
        tell(static_cast<std::size_t>(i->position()));
        break;
      }
  }
  static const auto methods = std::regex{R"((\w+)\.(compare|starts_with|ends_with)\s*\()"};
  for (auto i = std::cregex_iterator{code.begin(), code.end(), methods}; i != std::cregex_iterator{}; ++i)
    if (is_secret(i->str(1)))
      tell(static_cast<std::size_t>(i->position()));
  return out;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_comparison_of_secrets_is_recognized) {
  for (auto line :
       {"if (digest(keys_.with, client_key) == keys_.stored_key)", "return stored_key(a, b(c)) != expected;",
        "x = *proof == wanted;", "if (wanted == *given.password_)", "token == other[i + 1]", "a == (*join_token)",
        "std::memcmp(proof->data(), mine.data(), 20) == 0", "std::equal(mac.begin(), mac.end(), its.begin())",
        "nonce.compare(own)", "if (server_signature.starts_with(x))", "a == server_keys().client_key",
        "x == sasl::digest(a, b)"})
    BOOST_TEST(hasty_comparisons(line).size() >= 1u, line);
  for (auto line :
       {"proof->size() == client_key.size()", "if (secret == nullptr)", "proof_at == text.npos", "token = other",
        "equal_in_constant_time(digest(a, b), stored_key)", "x <= token", "key.first == name", "it->second == 1",
        "password_checks == wanted", "stage_ == stage::proof)", "std::memcmp(name, newest_.name.data(), 16) == 0",
        "*known != *digest", "digest_size == secret.size()"})
    BOOST_TEST(hasty_comparisons(line).empty(), line);
}

BOOST_AUTO_TEST_CASE(secrets_are_compared_in_constant_time) {
  // The same person typed both; what tells one transfer of a state from another is known to both ends.
  auto ours =
      std::set<std::string>{"actors/cli.cpp", "cluster/group_replica.cpp", "cluster/group_replica_transfer.cpp"};
  for (auto& file : sources())
    if (file.folder != "tests" && !ours.contains(file.path))
      for (auto& line : hasty_comparisons(file.code))
        BOOST_TEST(false, file.path + ": " + line + " (equal_in_constant_time)");
  // What it rests on, and who must use it.
  auto count = [](std::string_view path, std::string_view what) {
    auto& all = sources();
    auto file = std::find_if(all.begin(), all.end(), [&](auto& x) { return x.path == path; });
    BOOST_REQUIRE((file != all.end()));
    auto n = 0;
    for (auto at = file->code.find(what); at != std::string::npos; at = file->code.find(what, at + 1))
      ++n;
    return n;
  };
  BOOST_TEST(count("protocol/sasl.cpp", "CRYPTO_memcmp(") == 1);
  // Its own definition; PLAIN's key; SCRAM's proof, channel binding and nonce.
  BOOST_TEST(count("protocol/sasl.cpp", "equal_in_constant_time(") == 5);
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

namespace {

/// The levels of a document's headings, in their order; not what stands in code.
std::vector<std::size_t> heading_levels(const std::string& document) {
  auto out = std::vector<std::size_t>{};
  auto in_code = false;
  for (auto& line : lines(document)) {
    if (line.starts_with("```"))
      in_code = !in_code;
    if (!in_code && line.starts_with("#"))
      out.push_back(line.find_first_not_of('#'));
  }
  return out;
}

/// The numbers in each row of each table.
std::vector<std::vector<std::string>> table_numbers(const std::string& document) {
  static const auto number = std::regex{"[0-9]+([.,][0-9]+)*"};
  auto out = std::vector<std::vector<std::string>>{};
  for (auto& line : lines(document))
    if (line.starts_with("|")) {
      auto& row = out.emplace_back();
      for (auto i = std::sregex_iterator{line.begin(), line.end(), number}; i != std::sregex_iterator{}; ++i)
        row.push_back(i->str());
    }
  return out;
}

/// From a heading of that level and number on, up to the next of its level.
std::string section(const std::string& document, std::size_t number) {
  auto out = std::string{};
  auto seen = std::size_t{0};
  for (auto& line : lines(document)) {
    seen += line.starts_with("## ");
    if (seen == number)
      out += line + '\n';
  }
  return out;
}

} // namespace

BOOST_AUTO_TEST_CASE(both_readmes_have_the_same_headings_and_the_same_figures) {
  auto english = file_text(root / "README.md"), chinese = file_text(root / "README.zh.md");
  auto levels = heading_levels(english);
  BOOST_TEST(levels.size() > 15u);
  BOOST_TEST(levels == heading_levels(chinese), boost::test_tools::per_element());
  auto figures = std::size_t{1};
  while (figures < levels.size() && !section(english, figures).starts_with("## Figures\n"))
    ++figures;
  auto ours = table_numbers(section(english, figures)), theirs = table_numbers(section(chinese, figures));
  BOOST_TEST(ours.size() > 15u);
  BOOST_REQUIRE(ours.size() == theirs.size());
  for (auto i = std::size_t{0}; i < ours.size(); ++i)
    BOOST_TEST_CONTEXT("row " << i)
  BOOST_TEST(ours[i] == theirs[i], boost::test_tools::per_element());
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
