#include "protocol/caps.hpp"

#include "protocol/hash.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/sasl.hpp"

#include <algorithm>
#include <cassert>
#include <tuple>
#include <utility>

namespace xmpp {

namespace {

constexpr std::size_t features_max = 1'000;

struct identity {
  std::string_view category, type, lang, name;
  auto key() const { return std::tie(category, type, lang, name); }
};

struct field {
  std::string_view var;
  std::vector<std::string> values;
};

struct form {
  std::string type;
  std::vector<field> fields;
};

bool has_separator(std::string_view text) noexcept {
  return text.find('<') != std::string_view::npos;
}

template <class List>
bool has_duplicates(const List& sorted) {
  return std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
}

std::vector<std::string> values_of(const element& x) {
  auto result = std::vector<std::string>{};
  for (auto& child : x.children())
    if (child.is("value", ns::data_forms))
      result.push_back(child.text());
  std::sort(result.begin(), result.end());
  return result;
}

/// None for a form that does not count: without a form type, or with one that is not hidden (5.4, step 3.6).
result<std::optional<form>> read_form(const element& x) {
  auto result = std::optional<form>{};
  auto read = form{};
  for (auto& child : x.children()) {
    if (!child.is("field", ns::data_forms))
      continue;
    auto var = child.attribute_or_empty("var");
    auto values = values_of(child);
    if (has_separator(var) || std::any_of(values.begin(), values.end(), has_separator))
      return errc::bad_request;
    if (var != "FORM_TYPE") {
      read.fields.push_back({var, std::move(values)});
      continue;
    }
    if (values.empty() || child.attribute_or_empty("type") != "hidden")
      continue;
    if (values.front() != values.back() || !read.type.empty())
      return errc::bad_request;
    read.type = std::move(values.front());
  }
  if (!read.type.empty()) {
    std::stable_sort(read.fields.begin(), read.fields.end(),
                     [](const field& a, const field& b) { return a.var < b.var; });
    result = std::move(read);
  }
  return result;
}

std::vector<std::string> features_of(const element& query) {
  auto result = std::vector<std::string>{};
  for (auto& child : query.children())
    if (child.is("feature", ns::disco_info))
      result.emplace_back(child.attribute_or_empty("var"));
  std::sort(result.begin(), result.end());
  return result;
}

/// With what the containers and the allocator add.
std::size_t bytes_of(const std::vector<std::string>& features) {
  auto bytes = std::size_t{256};
  for (auto& x : features)
    bytes += sizeof x + x.capacity() + 16;
  return bytes;
}

void append(std::string& out, std::string_view text) {
  out += text;
  out += '<';
}

} // namespace

std::optional<caps> caps_of(const stanza& presence) {
  auto c = presence.child("c", ns::caps);
  auto hash = c ? c.attribute("hash") : std::nullopt;
  if (!hash)
    return std::nullopt;
  return caps{c, *hash, c.attribute_or_empty("node"), c.attribute_or_empty("ver")};
}

result<std::string> verification_string(const element& query) {
  auto identities = std::vector<identity>{};
  auto forms = std::vector<form>{};
  for (auto& child : query.children()) {
    if (child.is("identity", ns::disco_info)) {
      auto x = identity{child.attribute_or_empty("category"), child.attribute_or_empty("type"), child.lang(),
                        child.attribute_or_empty("name")};
      if (has_separator(x.category) || has_separator(x.type) || has_separator(x.lang) || has_separator(x.name))
        return errc::bad_request;
      identities.push_back(x);
    } else if (child.is("x", ns::data_forms)) {
      auto read = read_form(child);
      if (!read)
        return read.code();
      if (*read)
        forms.push_back(std::move(**read));
    }
  }
  auto features = features_of(query);
  std::sort(identities.begin(), identities.end(), [](auto& a, auto& b) { return a.key() < b.key(); });
  std::sort(forms.begin(), forms.end(), [](auto& a, auto& b) { return a.type < b.type; });
  auto same_identity = [](auto& a, auto& b) { return a.key() == b.key(); };
  auto same_form = [](auto& a, auto& b) { return a.type == b.type; };
  if (features.size() > features_max || has_duplicates(features) ||
      std::any_of(features.begin(), features.end(), has_separator) ||
      std::adjacent_find(identities.begin(), identities.end(), same_identity) != identities.end() ||
      std::adjacent_find(forms.begin(), forms.end(), same_form) != forms.end())
    return errc::bad_request;

  auto out = std::string{};
  for (auto& x : identities) {
    for (auto part : {x.category, x.type, x.lang}) {
      out += part;
      out += '/';
    }
    append(out, x.name);
  }
  for (auto& x : features)
    append(out, x);
  for (auto& x : forms) {
    append(out, x.type);
    for (auto& f : x.fields) {
      append(out, f.var);
      for (auto& value : f.values)
        append(out, value);
    }
  }
  return out;
}

result<std::string> caps_ver(const element& query) {
  auto text = verification_string(query);
  if (!text)
    return text.code();
  return sasl::base64_encode(sha1(*text));
}

result<void> verify_caps(const element& query, std::string_view hash, std::string_view ver) {
  if (hash != "sha-1")
    return errc::feature_not_implemented;
  auto computed = caps_ver(query);
  if (!computed)
    return computed.code();
  if (*computed != ver)
    return errc::not_acceptable;
  return {};
}

element caps_element(std::string_view node, const element& query) {
  auto ver = caps_ver(query);
  assert(ver.has_value());
  return xml::builder{"c", ns::caps}
      .attribute("hash", "sha-1")
      .attribute("node", node)
      .attribute("ver", ver ? std::string_view{*ver} : std::string_view{})
      .finish();
}

caps_cache::features caps_cache::find(std::string_view ver) {
  auto i = by_ver_.find(ver);
  if (i == by_ver_.end())
    return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, i->second);
  return i->second->known;
}

result<caps_cache::features> caps_cache::add(const element& query, std::string_view hash, std::string_view ver) {
  if (auto verified = verify_caps(query, hash, ver); !verified)
    return verified.code();
  if (auto known = find(ver))
    return known;
  auto found = features_of(query);
  found.shrink_to_fit();
  auto bytes = bytes_of(found);
  if (bytes > entry_bytes_max)
    return errc::resource_constraint;
  auto known = std::make_shared<const std::vector<std::string>>(std::move(found));
  by_use_.push_front({std::string{ver}, known, bytes});
  by_ver_.emplace(by_use_.front().ver, by_use_.begin());
  for (bytes_ += bytes; bytes_ > bytes_max_; by_use_.pop_back()) {
    bytes_ -= by_use_.back().bytes;
    by_ver_.erase(by_use_.back().ver);
  }
  return features{std::move(known)};
}

} // namespace xmpp
