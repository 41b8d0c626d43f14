#include "protocol/stanza.hpp"

#include "protocol/namespaces.hpp"

#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <utility>

namespace xmpp {

namespace {

std::optional<stanza_kind> kind_of(std::string_view name) noexcept {
  if (name == "message")
    return stanza_kind::message;
  if (name == "presence")
    return stanza_kind::presence;
  if (name == "iq")
    return stanza_kind::iq;
  return std::nullopt;
}

std::optional<stanza_type> message_type(std::string_view value) noexcept {
  if (value == "chat")
    return stanza_type::chat;
  if (value == "groupchat")
    return stanza_type::groupchat;
  if (value == "error")
    return stanza_type::error;
  if (value == "headline")
    return stanza_type::headline;
  return stanza_type::normal;
}

std::optional<stanza_type> presence_type(std::string_view value) noexcept {
  if (value == "unavailable")
    return stanza_type::unavailable;
  if (value == "subscribe")
    return stanza_type::subscribe;
  if (value == "subscribed")
    return stanza_type::subscribed;
  if (value == "unsubscribe")
    return stanza_type::unsubscribe;
  if (value == "unsubscribed")
    return stanza_type::unsubscribed;
  if (value == "probe")
    return stanza_type::probe;
  if (value == "error")
    return stanza_type::error;
  return std::nullopt;
}

std::optional<stanza_type> iq_type(std::string_view value) noexcept {
  if (value == "get")
    return stanza_type::get;
  if (value == "set")
    return stanza_type::set;
  if (value == "result")
    return stanza_type::result;
  if (value == "error")
    return stanza_type::error;
  return std::nullopt;
}

std::optional<stanza_type> type_of(stanza_kind kind, const element& tree) noexcept {
  auto value = tree.attribute("type");
  switch (kind) {
  case stanza_kind::message:
    return value ? message_type(*value) : stanza_type::normal;
  case stanza_kind::presence:
    return value ? presence_type(*value) : stanza_type::available;
  case stanza_kind::iq:
    return value ? iq_type(*value) : std::nullopt;
  }
  return std::nullopt;
}

bool is_content_ns(std::string_view ns) noexcept {
  return ns == ns::client || ns == ns::server;
}

/// The attributes that a stanza writes from its own members and never from the tree.
bool is_own_attribute(const xml::attribute& x) noexcept {
  return x.ns.empty() && (x.name == "from" || x.name == "to" || x.name == "type");
}

void append_attribute(std::string& out, std::string_view opening, std::string_view value) {
  out += opening;
  xml::append_escaped(out, value);
  out += '\'';
}

/// Starts an answer of the same kind, with the same id.
xml::builder answer_builder(const stanza& x, std::string_view type) {
  auto result = xml::builder{to_string(x.kind), x.tree.ns()};
  result.attribute("type", type);
  if (auto id = x.tree.attribute("id"))
    result.attribute("id", *id);
  return result;
}

void copy_attributes(xml::builder& out, const element& tree) {
  for (std::size_t i = 0; i < tree.attribute_count(); ++i) {
    auto x = tree.attribute_at(i);
    if (x.ns.empty()) {
      if (x.name != "from" && x.name != "to")
        out.attribute(x.name, x.value);
    } else {
      out.attribute(x.name, x.ns, x.value);
    }
  }
}

/// The same stanza around another tree; cheaper than reading the tree's kind and type again.
stanza with_tree(const stanza& x, element tree) {
  auto result = x;
  result.tree = std::move(tree);
  return result;
}

} // namespace

stanza::stanza(element tree_, jid from_, jid to_) : from(std::move(from_)), to(std::move(to_)), tree(std::move(tree_)) {
  auto found = kind_of(tree.name());
  assert(found.has_value());
  kind = found.value_or(stanza_kind::message);
  // An iq of an unknown type can still be built, so that it can be refused: it counts as a request.
  type = type_of(kind, tree).value_or(kind == stanza_kind::iq ? stanza_type::get : stanza_type::available);
}

result<stanza> stanza::parse(const element& tree) {
  auto kind = tree ? kind_of(tree.name()) : std::nullopt;
  if (!kind || !is_content_ns(tree.ns()))
    return errc::unsupported_stanza_type;
  auto type = type_of(*kind, tree);
  if (!type)
    return errc::bad_request;
  if (*kind == stanza_kind::iq) {
    if (!tree.attribute("id"))
      return errc::bad_request;
    auto is_request = *type == stanza_type::get || *type == stanza_type::set;
    if (auto payload = tree.first_child(); is_request && (!payload || payload.next_sibling()))
      return errc::bad_request;
  }
  auto result = stanza{};
  result.kind = *kind;
  result.type = *type;
  result.tree = tree;
  for (auto [name, address] : {std::pair{"from", &result.from}, std::pair{"to", &result.to}}) {
    if (auto text = tree.attribute(name)) {
      auto parsed = jid::parse(*text);
      if (!parsed)
        return address == &result.from ? errc::invalid_from : errc::jid_malformed;
      *address = *std::move(parsed);
    }
  }
  return result;
}

stanza stanza::reply() const {
  return {answer_builder(*this, "result").finish(), to, from};
}

stanza stanza::reply(const element& payload) const {
  return {answer_builder(*this, "result").child(payload).finish(), to, from};
}

stanza stanza::error_reply(errc code, std::string_view text) const {
  return error_reply(code, element{}, text);
}

stanza stanza::error_reply(errc code, const element& application_condition, std::string_view text) const {
  assert(code != errc::none);
  // Conditions that only streams have mean nothing inside a stanza (8.3.3).
  if (code >= errc::bad_format && code < errc::not_leader)
    code = errc::undefined_condition;
  auto out = answer_builder(*this, "error");
  // What an application's rule refuses stays refused, however the stanza is changed (XEP-0191, 3.3).
  out.open("error").attribute("type", application_condition ? "cancel" : error_type(code));
  out.open(condition_name(code), ns::stanza_errors).close();
  if (!text.empty())
    out.open("text", ns::stanza_errors).lang("en").text(text).close();
  if (application_condition)
    out.child(application_condition);
  return {out.finish(), to, from};
}

bool stanza::may_answer_with_error() const noexcept {
  switch (type) {
  case stanza_type::error:
  case stanza_type::result:
  case stanza_type::unavailable:
    return false;
  default:
    return true;
  }
}

stanza stanza::with_lang(std::string_view lang) const {
  auto out = xml::builder{tree.name(), tree.ns()};
  copy_attributes(out, tree);
  out.lang(lang);
  for (auto& x : tree.children())
    out.child(x);
  return with_tree(*this, out.finish());
}

stanza stanza::with_child(const element& added) const {
  auto out = xml::builder{tree.name(), tree.ns()};
  copy_attributes(out, tree);
  for (auto& x : tree.children())
    out.child(x);
  return with_tree(*this, out.child(added).finish());
}

stanza stanza::without_children(const std::function<bool(const element&)>& is_unwanted) const {
  auto out = xml::builder{tree.name(), tree.ns()};
  copy_attributes(out, tree);
  for (auto& x : tree.children())
    if (!is_unwanted(x))
      out.child(x);
  return with_tree(*this, out.finish());
}

void stanza::append_to(std::string& out) const {
  auto name = to_string(kind);
  auto content = tree.content_bytes();
  // The tree's bytes already count its name twice and its attributes; the rest is ours.
  out.reserve(out.size() + tree.bytes().size() + from.text().size() + to.text().size() + 48);
  out += '<';
  out += name;
  if (!from.empty())
    append_attribute(out, " from='", from.text());
  if (!to.empty())
    append_attribute(out, " to='", to.text());
  if (auto value = to_string(type); !value.empty()) {
    out += " type='";
    out += value;
    out += '\'';
  }
  for (std::size_t i = 0, count = tree.attribute_count(); i < count; ++i)
    if (auto x = tree.attribute_at(i); !is_own_attribute(x))
      out += x.raw;
  if (content.empty()) {
    out += "/>";
    return;
  }
  out += '>';
  out += content;
  out += "</";
  out += name;
  out += '>';
}

std::string stanza::serialize() const {
  auto result = std::string{};
  append_to(result);
  return result;
}

std::string_view to_string(stanza_kind kind) noexcept {
  switch (kind) {
  case stanza_kind::message:
    return "message";
  case stanza_kind::presence:
    return "presence";
  case stanza_kind::iq:
    return "iq";
  }
  return "";
}

std::string_view to_string(stanza_type type) noexcept {
  switch (type) {
  case stanza_type::normal:
  case stanza_type::available:
    return "";
  case stanza_type::chat:
    return "chat";
  case stanza_type::groupchat:
    return "groupchat";
  case stanza_type::headline:
    return "headline";
  case stanza_type::unavailable:
    return "unavailable";
  case stanza_type::subscribe:
    return "subscribe";
  case stanza_type::subscribed:
    return "subscribed";
  case stanza_type::unsubscribe:
    return "unsubscribe";
  case stanza_type::unsubscribed:
    return "unsubscribed";
  case stanza_type::probe:
    return "probe";
  case stanza_type::get:
    return "get";
  case stanza_type::set:
    return "set";
  case stanza_type::result:
    return "result";
  case stanza_type::error:
    return "error";
  }
  return "";
}

element delay_element(const jid& from, std::int64_t stamp_ms) {
  auto out = xml::builder{"delay", ns::delay};
  if (!from.empty())
    out.attribute("from", from.text());
  return out.attribute("stamp", format_time(stamp_ms)).finish();
}

std::string format_time(std::int64_t ms) {
  using namespace std::chrono;
  auto point = sys_time<milliseconds>{milliseconds{ms}};
  auto day = floor<days>(point);
  auto date = year_month_day{day};
  auto time = hh_mm_ss{point - day};
  char text[40];
  auto size = std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                            static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                            static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                            static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return {text, static_cast<std::size_t>(size)};
}

} // namespace xmpp
