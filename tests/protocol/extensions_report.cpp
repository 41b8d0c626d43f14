#include "protocol/extensions_report.hpp"

#include "protocol/extension.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/parser.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>

using namespace xmpp;

namespace {

constexpr std::string_view rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
constexpr std::string_view doap_ns = "http://usefulinc.com/ns/doap#";
constexpr std::string_view xmpp_ns = "https://linkmauve.fr/ns/xmpp-doap#";

element parsed(std::string text) {
  initialize_xml();
  text.erase(0, text.find("?>") + 2); // a stream's parser takes no declaration
  while (!text.empty() && text.front() == '\n')
    text.erase(0, 1);
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  auto tree = parser{ns::client, {}}.parse(text);
  BOOST_REQUIRE(tree.has_value());
  return *tree;
}

} // namespace

BOOST_AUTO_TEST_SUITE(extensions_in_documents)

BOOST_AUTO_TEST_CASE(the_table_has_a_row_for_each_in_order) {
  auto table = xep_table();
  BOOST_TEST(table.starts_with("| XEP | title | version | not done |\n| --- | --- | --- | --- |\n| [XEP-0012]"));
  BOOST_TEST(table.find("| [XEP-0199](https://xmpp.org/extensions/xep-0199.html) | XMPP Ping | 2.0.1 | |\n") !=
             std::string::npos);
  auto rows = std::size_t(std::count(table.begin(), table.end(), '\n')) - 2;
  BOOST_TEST(rows == all_extensions().size());
  auto last = std::size_t{0};
  for (auto* number : {"XEP-0012", "XEP-0030", "XEP-0082", "XEP-0191", "XEP-0478"}) {
    auto at = table.find(number);
    BOOST_REQUIRE(at != std::string::npos);
    BOOST_TEST(at > last);
    last = at;
  }
}

BOOST_AUTO_TEST_CASE(the_doap_file_is_well_formed_and_complete) {
  auto project = project_description{};
  project.shortdesc = "Fish & chips <for> two";
  project.homepage = "https://example.com/?a='b'&c";
  auto root = parsed(doap(project));
  BOOST_TEST(root.is("RDF", rdf));
  auto it = root.child("Project", doap_ns);
  BOOST_TEST(it.child("name", doap_ns).text() == "Troupe");
  BOOST_TEST(it.child("shortdesc", doap_ns).text() == project.shortdesc);
  BOOST_TEST((it.child("homepage", doap_ns).attribute("resource", rdf) == project.homepage));
  BOOST_TEST(!it.has_child("description", doap_ns));
  auto seen = std::size_t{0};
  for (auto& x : it.children()) {
    auto xep = x.child("SupportedXep", xmpp_ns);
    if (!x.is("implements", doap_ns) || !xep)
      continue;
    ++seen;
    BOOST_TEST(xep.child("xep", xmpp_ns).attribute("resource", rdf)->starts_with("https://xmpp.org/extensions/xep-"));
    BOOST_TEST(!xep.child("version", xmpp_ns).text().empty());
    auto is_partial = xep.has_child("note", xmpp_ns);
    BOOST_TEST(xep.child("status", xmpp_ns).text() == (is_partial ? "partial" : "complete"));
  }
  BOOST_TEST(seen == all_extensions().size());
}

BOOST_AUTO_TEST_SUITE_END()
