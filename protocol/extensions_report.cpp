#include "protocol/extensions_report.hpp"

#include "protocol/extension.hpp"

#include <algorithm>
#include <vector>

namespace xmpp {

namespace {

std::vector<const extension*> by_number() {
  auto result = std::vector<const extension*>{};
  for (auto& x : all_extensions())
    result.push_back(&x);
  std::sort(result.begin(), result.end(), [](auto* a, auto* b) { return a->number < b->number; });
  return result;
}

/// `XEP-0199` -> `https://xmpp.org/extensions/xep-0199.html`
std::string address_of(const extension& x) {
  return "https://xmpp.org/extensions/xep-" + std::string{x.number.substr(4)} + ".html";
}

void append_text(std::string& out, std::string_view indent, std::string_view name, std::string_view value,
                 std::string_view attributes = {}) {
  if (value.empty())
    return;
  ((((out += indent) += '<') += name) += attributes) += '>';
  xml::append_escaped(out, value);
  ((out += "</") += name) += ">\n";
}

void append_link(std::string& out, std::string_view indent, std::string_view name, std::string_view address) {
  if (address.empty())
    return;
  (((out += indent) += '<') += name) += " rdf:resource='";
  xml::append_escaped(out, address);
  out += "'/>\n";
}

constexpr std::string_view english = " xml:lang='en'";

} // namespace

std::string xep_table() {
  auto out = std::string{"| XEP | title | version | not done |\n| --- | --- | --- | --- |\n"};
  for (auto* x : by_number()) {
    ((((out += "| [") += x->number) += "](") += address_of(*x)) += ") | ";
    ((((out += x->name) += " | ") += x->version) += " | ") += x->note;
    out += x->note.empty() ? "|\n" : " |\n";
  }
  return out;
}

std::string doap(const project_description& project) {
  auto out = std::string{"<?xml version='1.0' encoding='UTF-8'?>\n"
                         "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'\n"
                         "         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'\n"
                         "         xmlns='http://usefulinc.com/ns/doap#'>\n"
                         "  <Project>\n"};
  constexpr std::string_view at = "    ", inside = "        ";
  append_text(out, at, "name", project.name);
  append_text(out, at, "created", project.created);
  append_text(out, at, "shortdesc", project.shortdesc, english);
  append_text(out, at, "description", project.description, english);
  append_link(out, at, "homepage", project.homepage);
  append_link(out, at, "bug-database", project.bug_database);
  append_link(out, at, "license", project.license);
  append_text(out, at, "programming-language", "C++");
  append_text(out, at, "os", "Linux");
  append_link(out, at, "category", "https://linkmauve.fr/ns/xmpp-doap#category-server");
  if (!project.repository.empty()) {
    out += "    <repository>\n      <GitRepository>\n";
    append_link(out, inside, "location", project.repository);
    out += "      </GitRepository>\n    </repository>\n";
  }
  for (auto* rfc : {"6120", "6121", "7590", "7622"})
    append_link(out, at, "implements", "https://xmpp.org/rfcs/rfc" + std::string{rfc} + ".html");
  for (auto* x : by_number()) {
    out += "    <implements>\n      <xmpp:SupportedXep>\n";
    append_link(out, inside, "xmpp:xep", address_of(*x));
    append_text(out, inside, "xmpp:status", x->note.empty() ? "complete" : "partial");
    append_text(out, inside, "xmpp:version", x->version);
    append_text(out, inside, "xmpp:note", x->note, english);
    out += "      </xmpp:SupportedXep>\n    </implements>\n";
  }
  return out += "  </Project>\n</rdf:RDF>\n";
}

} // namespace xmpp
