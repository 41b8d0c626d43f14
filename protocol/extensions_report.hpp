// The extensions' metadata as documents: the README's table, and the DOAP file that xmpp.org's lists are made from.
#pragma once

#include <string>
#include <string_view>

namespace xmpp {

/// A Markdown table by XEP number: number, title, version, note. Ends with a line end.
std::string xep_table();

/// What a DOAP file says of a project besides its XEPs; empty parts are left out.
struct project_description {
  std::string_view name = "Troupe";
  std::string_view shortdesc = {};
  std::string_view description = {};
  std::string_view homepage = {};
  std::string_view repository = {}; ///< Of git.
  std::string_view bug_database = {};
  std::string_view license = {}; ///< A URL.
  std::string_view created = {}; ///< `2026-11-22`
};

/// RDF/XML: RFCs 6120, 6121, 7590, 7622 and one `xmpp:SupportedXep` for each extension; `partial` for one with a note.
std::string doap(const project_description& project);

} // namespace xmpp
