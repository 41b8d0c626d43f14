// One whole element -> tree, under its stream's namespaces. The only file that knows Xerces is parser.cpp.
#pragma once

#include "protocol/error.hpp"
#include "protocol/limits.hpp"
#include "protocol/xml.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace xmpp {

/// What a stream's start tag said.
struct stream_header {
  std::string to, from, id, version, lang; ///< As written, unprepared; empty when missing.
  std::string content_ns;                  ///< The default namespace: `jabber:client`; empty when there is none.
  std::string name, ns;                    ///< `stream`, and its namespace: the caller checks them.
  /// What holds for elements of this stream besides the prefix `stream` and the parser's own default namespace:
  /// ` xmlns:a='x' xmlns='y'`, escaped, in source form; usually empty.
  std::string declarations;
};

/// Parses frames that a framer cut. Not thread-safe; costly to make (about 160 KiB): one per thread and content
/// namespace, shared by all its streams. After any error it renews itself inside.
class parser {
public:
  explicit parser(std::string_view content_ns, const stream_limits& limits);
  ~parser();
  parser(const parser&) = delete;
  parser& operator=(const parser&) = delete;

  /// Parses a stream's start tag. `bad_namespace_prefix`, `not_well_formed`, `policy_violation`; judges nothing else.
  result<stream_header> parse_header(std::string_view start_tag);

  /// Parses one element. `declarations` is the header's. Fails with `not_well_formed`, `bad_namespace_prefix` (an
  /// undeclared prefix), `policy_violation` (limits).
  result<element> parse(std::string_view frame, std::string_view declarations = {});

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// Call once per process before the first parser; safe to call again.
void initialize_xml();

} // namespace xmpp
