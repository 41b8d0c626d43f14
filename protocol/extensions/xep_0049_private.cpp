// XEP-0049: Private XML Storage, version 1.2.
//
// Elements by name and namespace, for the account's own clients. Two kinds of records: `private` lists what there is, a
// line each, so that their number can be bounded; `private:<name> <namespace>` holds one element.

#include "protocol/extensions/list.hpp"
#include "protocol/namespaces.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace xmpp::extensions {

namespace {

constexpr std::string_view index_record = "private";
constexpr std::size_t key_bytes_max = 1'023;

std::string key_of(const element& x) {
  return std::string{x.name()} + ' ' + std::string{x.ns()};
}

std::string record_of(const element& x) {
  return std::string{index_record} + ':' + key_of(x);
}

/// Namespaces of the protocol itself have other ways to be stored (2.3); one's own must be declared. The two names make
/// a key and a line.
bool is_storable(const element& x) {
  if (x.name().size() + x.ns().size() > key_bytes_max || x.ns().find('\n') != std::string_view::npos)
    return false;
  return !x.ns().empty() && !x.ns().starts_with("jabber:") && x.ns() != ns::vcard;
}

bool has_line(std::string_view index, std::string_view line) {
  while (!index.empty()) {
    auto end = std::min(index.find('\n'), index.size());
    if (index.substr(0, end) == line)
      return true;
    index.remove_prefix(std::min(end + 1, index.size()));
  }
  return false;
}

/// The newest line of `index` with that namespace; empty: none.
std::string_view line_of_namespace(std::string_view index, std::string_view ns) {
  auto result = std::string_view{};
  while (!index.empty()) {
    auto end = std::min(index.find('\n'), index.size());
    if (auto line = index.substr(0, end); line.substr(std::min(line.find(' ') + 1, line.size())) == ns)
      result = line;
    index.remove_prefix(std::min(end + 1, index.size()));
  }
  return result;
}

/// Some clients ask for their element under a name that it does not have: `storage` for `roster` (XEP-0083), say. It is
/// the namespace that tells data apart (2).
found_record stored_under_namespace(const stanza& request, const record_finder& find) {
  auto index = find(index_record);
  if (!index || !*index)
    return index;
  auto line = line_of_namespace(**index, request.payload().first_child().ns());
  return line.empty() ? found_record{std::optional<std::string>{}}
                      : find(std::string{index_record} + ':' + std::string{line});
}

stanza get(const stanza& request, context& at) {
  auto asked = request.payload().first_child();
  if (!asked || asked.next_sibling())
    return request.error_reply(errc::bad_request);
  if (!is_storable(asked))
    return request.error_reply(errc::not_acceptable);
  auto held = xml::builder{asked.name(), asked.ns()}.finish(); // what was never stored reads as empty
  if (at.record()) {
    auto read = at.parse_record(*at.record());
    if (!read)
      return request.error_reply(read.code());
    held = *std::move(read);
  }
  return request.reply(xml::builder{"query", ns::private_xml}.child(held).finish());
}

stanza set(const stanza& request, context& at) {
  if (!request.payload().first_child())
    return request.error_reply(errc::not_acceptable);
  auto index = at.record().value_or("");
  auto count = static_cast<std::size_t>(std::count(index.begin(), index.end(), '\n'));
  auto is_longer = false;
  for (auto& x : request.payload().children()) {
    if (!is_storable(x))
      return request.error_reply(errc::not_acceptable);
    if (x.bytes().size() > at.host().private_xml_bytes_max)
      return request.error_reply(errc::policy_violation);
    if (auto key = key_of(x); !has_line(index, key)) {
      if (++count > at.host().private_xml_elements_max)
        return request.error_reply(errc::resource_constraint);
      index += key + '\n';
      is_longer = true;
    }
  }
  for (auto& x : request.payload().children())
    at.put_record(record_of(x), std::string{x.bytes()});
  if (is_longer)
    at.put_record(index_record, std::move(index));
  return request.reply();
}

} // namespace

extension private_xml() {
  auto self = extension{"XEP-0049", "1.2", "Private XML Storage"};
  self.host_features = {ns::private_xml};
  self.on_iq_get[ns::private_xml] = {
      .where = iq_rule::at_account,
      .own_only = true,
      .others_get = errc::forbidden,
      .record =
          [](const stanza& x) {
            auto asked = x.payload().first_child();
            return asked ? record_of(asked) : std::string{};
          },
      .otherwise = stored_under_namespace,
      .answer = get,
  };
  self.on_iq_set[ns::private_xml] = {
      .where = iq_rule::at_account,
      .own_only = true,
      .others_get = errc::forbidden,
      .record = [](const stanza&) { return std::string{index_record}; },
      .answer = set,
  };
  return self;
}

} // namespace xmpp::extensions
