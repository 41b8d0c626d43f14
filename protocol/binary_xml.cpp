#include "protocol/binary_xml.hpp"

#include "protocol/byte_scan.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/xml_names.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <utility>
#include <vector>

namespace xmpp::binary {

namespace {

// -- the tables of version 1: append nothing, change nothing; a longer table is another version's --

/// Where a name or namespace is spelled out, this is added to its size; of values, the other.
constexpr std::uint64_t literal_name = 95, literal_value = 64;

constexpr auto no_word = std::string_view{};

/// Of elements and attributes. 0 and 1 mean something else in an attribute's place.
constexpr auto names = std::to_array<std::string_view>({
    no_word,       no_word,        "message",   "presence",  "iq",        "body",
    "id",          "type",         "from",      "to",        "lang",      "subject",
    "thread",      "show",         "status",    "priority",  "error",     "text",
    "query",       "item",         "group",     "name",      "jid",       "subscription",
    "ask",         "approved",     "ver",       "hash",      "node",      "c",
    "x",           "field",        "var",       "label",     "value",     "option",
    "title",       "instructions", "identity",  "category",  "feature",   "delay",
    "stamp",       "by",           "origin-id", "stanza-id", "request",   "received",
    "active",      "composing",    "paused",    "inactive",  "gone",      "bind",
    "resource",    "session",      "block",     "unblock",   "blocklist", "ping",
    "time",        "tzo",          "utc",       "version",   "os",        "seconds",
    "vCard",       "photo",        "store",     "no-store",  "no-copy",   "no-permanent-store",
    "affiliation", "role",         "code",      "reason",    "url",       "encrypted",
    "header",      "payload",      "key",       "iv",        "rid",       "sid",
    "prekey",      "encryption",   "namespace", "forwarded", "sent",      "private",
    "result",      "displayed",    "markable",  "nick",      "set",       "data",
});

constexpr auto namespaces = std::to_array<std::string_view>({
    no_word,
    "", // Elements without a namespace.
    "jabber:client",
    "jabber:server",
    "http://www.w3.org/XML/1998/namespace",
    "http://etherx.jabber.org/streams",
    "urn:ietf:params:xml:ns:xmpp-stanzas",
    "urn:ietf:params:xml:ns:xmpp-bind",
    "urn:ietf:params:xml:ns:xmpp-session",
    "jabber:iq:roster",
    "jabber:iq:last",
    "jabber:iq:private",
    "jabber:iq:register",
    "jabber:iq:version",
    "jabber:x:data",
    "jabber:x:oob",
    "jabber:x:conference",
    "vcard-temp",
    "vcard-temp:x:update",
    "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/disco#items",
    "http://jabber.org/protocol/caps",
    "http://jabber.org/protocol/chatstates",
    "http://jabber.org/protocol/nick",
    "http://jabber.org/protocol/muc",
    "http://jabber.org/protocol/muc#user",
    "http://jabber.org/protocol/pubsub",
    "http://jabber.org/protocol/pubsub#event",
    "http://jabber.org/protocol/rsm",
    "urn:xmpp:avatar:metadata",
    "urn:xmpp:blocking",
    "urn:xmpp:blocking:errors",
    "urn:xmpp:carbons:2",
    "urn:xmpp:chat-markers:0",
    "urn:xmpp:delay",
    "urn:xmpp:eme:0",
    "urn:xmpp:fallback:0",
    "urn:xmpp:forward:0",
    "urn:xmpp:hints",
    "urn:xmpp:jingle-message:0",
    "urn:xmpp:mam:2",
    "urn:xmpp:message-correct:0",
    "urn:xmpp:omemo:2",
    "urn:xmpp:ping",
    "urn:xmpp:reactions:0",
    "urn:xmpp:receipts",
    "urn:xmpp:reply:0",
    "urn:xmpp:sid:0",
    "urn:xmpp:time",
    "eu.siacs.conversations.axolotl",
});

enum value_code : std::uint8_t { from_address = 1, to_address, from_bare, to_bare, first_value };

/// Of attributes, and texts.
constexpr auto values = std::to_array<std::string_view>({
    no_word,       no_word,        no_word,       no_word,      no_word,   "chat",        "normal",    "groupchat",
    "headline",    "error",        "get",         "set",        "result",  "unavailable", "subscribe", "subscribed",
    "unsubscribe", "unsubscribed", "probe",       "none",       "to",      "from",        "both",      "remove",
    "true",        "false",        "0",           "1",          "5",       "en",          "de",        "fr",
    "es",          "ru",           "zh",          "cancel",     "modify",  "auth",        "wait",      "continue",
    "away",        "xa",           "dnd",         "sha-1",      "sha-256", "form",        "submit",    "hidden",
    "text-single", "boolean",      "list-single", "jid-single", "client",  "server",      "account",   "pc",
    "member",      "owner",        "participant", "moderator",
});

static_assert(names.size() <= literal_name + 1 && namespaces.size() <= literal_name + 1 &&
              values.size() <= literal_value);

/// Finds a word of a table without comparing it with many.
class index {
public:
  constexpr explicit index(const auto& words) {
    for (auto i = std::size_t{0}; i < words.size(); ++i) {
      if (words[i].data() == nullptr)
        continue;
      longest_ = std::max(longest_, words[i].size());
      auto slot = hash(words[i]);
      while (slots_[slot] != 0)
        slot = (slot + 1) % slots_.size();
      slots_[slot] = static_cast<std::uint8_t>(i);
    }
  }

  /// Zero when it is not there.
  std::uint8_t find(const auto& words, std::string_view word) const noexcept {
    if (word.size() > longest_)
      return 0;
    for (auto slot = hash(word); slots_[slot] != 0; slot = (slot + 1) % slots_.size())
      if (words[slots_[slot]] == word)
        return slots_[slot];
    return 0;
  }

private:
  static constexpr std::size_t hash(std::string_view word) noexcept {
    if (word.empty())
      return 0;
    auto at = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(word[i])}; };
    auto size = word.size();
    return (size * 37 + at(0) * 5 + at(size - 1) * 71 + at(size / 2) * 17 + at(size / 4 * 3) * 113) % 512;
  }

  std::array<std::uint8_t, 512> slots_{};
  std::size_t longest_ = 0;
};

constexpr auto name_index = index{names};
constexpr auto namespace_index = index{namespaces};
constexpr auto value_index = index{values};

constexpr std::uint8_t is_element = 0x80, has_namespace = 0x40;
constexpr std::uint8_t content_shift = 4, attributes_mask = 15;
enum content_kind : std::uint8_t { nothing, one_text, items };
enum item : std::uint8_t { end_of_items, text_item };
enum attribute_code : std::uint8_t { with_namespace, language, first_name };

// The numbers of kinds and types are the grammar's.
static_assert(int(stanza_kind::message) == 0 && int(stanza_kind::presence) == 1 && int(stanza_kind::iq) == 2);
static_assert(int(stanza_type::normal) == 0 && int(stanza_type::headline) == 3 && int(stanza_type::available) == 4 &&
              int(stanza_type::probe) == 10 && int(stanza_type::get) == 11 && int(stanza_type::result) == 13 &&
              int(stanza_type::error) == 14);

bool is_type_of(stanza_kind kind, std::uint8_t type) noexcept {
  if (type == std::uint8_t(stanza_type::error))
    return true;
  switch (kind) {
  case stanza_kind::message:
    return type <= std::uint8_t(stanza_type::headline);
  case stanza_kind::presence:
    return type >= std::uint8_t(stanza_type::available) && type <= std::uint8_t(stanza_type::probe);
  case stanza_kind::iq:
    return type >= std::uint8_t(stanza_type::get) && type <= std::uint8_t(stanza_type::result);
  }
  return false;
}

bool is_tree_of(stanza_kind kind, const element& tree) noexcept {
  return tree.name() == to_string(kind) && (tree.ns() == ns::client || tree.ns() == ns::server);
}

// -- writing --

/// Reads what the canonical form escapes in text.
std::string_view unescaped(std::string_view text, std::string& memory) {
  auto reference = text.find('&');
  if (reference == text.npos)
    return text;
  memory.clear();
  for (; reference != text.npos; reference = text.find('&')) {
    memory.append(text.substr(0, reference));
    text.remove_prefix(reference);
    auto is = [&](std::string_view escape) { return text.starts_with(escape); };
    memory.push_back(is("&amp;") ? '&' : is("&lt;") ? '<' : is("&gt;") ? '>' : '\r');
    text.remove_prefix(text.find(';') + 1);
  }
  memory.append(text);
  return memory;
}

class tree_writer {
public:
  tree_writer(std::string& out, const stanza* of) : out_(out), start_(out.size()), of_(of) {}

  /// Whether it is within the limits.
  bool write(const element& x, std::string_view parent_ns, std::size_t depth) {
    auto& limits = limits_between_nodes;
    auto attributes = x.attribute_count();
    if (depth > limits.depth_max || attributes > limits.attributes_max || elements_++ > limits.children_max ||
        out_.size() - start_ > limits.stanza_bytes_max)
      return false;
    auto first = x.first_child();
    auto content = x.content_bytes();
    auto kind = first ? items : content.empty() ? nothing : one_text;
    auto has_own = x.ns() != parent_ns;
    put(static_cast<std::uint8_t>(is_element | (has_own ? has_namespace : 0) | kind << content_shift |
                                  std::min<std::size_t>(attributes, attributes_mask)));
    name(x.name());
    if (has_own)
      ns(x.ns());
    if (attributes >= attributes_mask)
      append_varint(out_, attributes - attributes_mask);
    for (auto i = std::size_t{0}; i < attributes; ++i)
      attribute(x.attribute_at(i), depth == 1);
    if (kind == one_text)
      value(unescaped(content, memory_));
    return kind != items || write_items(x, std::move(first), content, depth);
  }

private:
  // Out of the way of elements that have none: less stack for each level.
  bool write_items(const element& x, element child, std::string_view content, std::size_t depth) {
    auto text = [&](const char* until) {
      if (until != content.data()) {
        put(text_item);
        value(unescaped({content.data(), static_cast<std::size_t>(until - content.data())}, memory_));
      }
    };
    auto parent_ns = x.ns();
    for (; child; child = child.next_sibling()) {
      auto bytes = child.bytes();
      text(bytes.data());
      if (!write(child, parent_ns, depth + 1))
        return false;
      content.remove_prefix(static_cast<std::size_t>(bytes.data() + bytes.size() - content.data()));
    }
    text(content.data() + content.size());
    put(end_of_items);
    return true;
  }

  void put(std::uint8_t x) { out_.push_back(static_cast<char>(x)); }

  void literal(std::string_view x, std::uint64_t above) {
    append_varint(out_, x.size() + above);
    out_.append(x);
  }
  void name(std::string_view x) {
    if (auto word = name_index.find(names, x))
      put(word);
    else
      literal(x, literal_name);
  }
  void ns(std::string_view x) {
    if (auto word = namespace_index.find(namespaces, x))
      put(word);
    else
      literal(x, literal_name);
  }
  void value(std::string_view x) {
    if (auto word = value_index.find(values, x))
      put(word);
    else
      literal(x, literal_value);
  }

  void attribute(const xml::attribute& x, bool of_stanza) {
    if (x.ns.empty()) {
      name(x.name);
      // What the client wrote is most often what its stanza says.
      if (of_stanza && of_ != nullptr && (x.name == "from" || x.name == "to"))
        return address(x.value);
    } else if (x.ns == ns::xml && x.name == "lang") {
      put(language);
    } else {
      put(with_namespace);
      ns(x.ns);
      name(x.name);
    }
    value(x.value);
  }
  void address(std::string_view x) {
    if (x.empty())
      value(x);
    else if (x == of_->from.text())
      put(from_address);
    else if (x == of_->to.text())
      put(to_address);
    else if (x == of_->from.bare_text())
      put(from_bare);
    else if (x == of_->to.bare_text())
      put(to_bare);
    else
      value(x);
  }

  std::string& out_;
  std::size_t start_;
  const stanza* of_;
  std::size_t elements_ = 0;
  std::string memory_;
};

/// Outermost elements are most often of a client's stream.
constexpr auto outermost_ns = ns::client;

result<void> append_element(std::string& out, std::size_t before, const element& tree, const stanza* of) {
  auto written = tree_writer{out, of}.write(tree, outermost_ns, 1);
  if (written && out.size() - before <= limits_between_nodes.stanza_bytes_max)
    return {};
  out.resize(before);
  return error{errc::policy_violation, "a tree is too large for another node"};
}

} // namespace

void append_varint(std::string& out, std::uint64_t x) {
  for (; x >= 0x80; x >>= 7)
    out.push_back(static_cast<char>(x | 0x80));
  out.push_back(static_cast<char>(x));
}

void append_string(std::string& out, std::string_view x) {
  append_varint(out, x.size());
  out.append(x);
}

void append(std::string& out, const jid& x) {
  append_string(out, x.text());
}

result<void> append(std::string& out, const element& tree) {
  if (!tree)
    return error{errc::bad_request, "no tree"};
  auto before = out.size();
  out.push_back(static_cast<char>(version));
  return append_element(out, before, tree, nullptr);
}

result<void> append(std::string& out, const stanza& x) {
  if (!is_tree_of(x.kind, x.tree))
    return error{errc::bad_request, "no stanza"};
  auto before = out.size();
  out.push_back(static_cast<char>(version));
  out.push_back(static_cast<char>(std::uint8_t(x.kind) << 4 | std::uint8_t(x.type)));
  append(out, x.from);
  append(out, x.to);
  return append_element(out, before, x.tree, &x);
}

// -- checking --

namespace {

/// The size of the UTF-8 sequence at `p`, which begins with a byte past ASCII; 0 when it is none, or what XML forbids.
std::size_t sequence_size(const char* p, const char* end) noexcept {
  auto at = [&](int i) { return static_cast<unsigned char>(p[i]); };
  auto lead = at(0);
  auto size = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (size == 0 || end - p < size)
    return 0;
  for (auto i = 1; i < size; ++i)
    if ((at(i) & 0xC0) != 0x80)
      return 0;
  auto second = at(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0) || // too long; half of a pair
      (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90) || // too long; past Unicode
      (lead == 0xEF && second == 0xBF && at(2) >= 0xBE))                     // U+FFFE, U+FFFF
    return 0;
  return static_cast<std::size_t>(size);
}

/// Characters of XML 1.0 (2.2) in UTF-8.
bool is_legal_text(std::string_view text) noexcept {
  auto p = text.data();
  auto end = p + text.size();
  while ((p = find_stop<0x20>(p, end)) != end) {
    auto c = static_cast<unsigned char>(*p);
    if (c < 0x20) {
      if (c != '\t' && c != '\n' && c != '\r')
        return false;
      ++p;
      continue;
    }
    auto size = sequence_size(p, end);
    if (size == 0)
      return false;
    p += size;
  }
  return true;
}

bool is_ascii(std::string_view text) noexcept {
  auto end = text.data() + text.size();
  return find_stop<0>(text.data(), end) == end;
}

/// As the parser takes them: no colon, and only what every edition of XML allows.
bool is_name(std::string_view text) {
  auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto may_follow = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  auto is_past_ascii = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
  if (text.empty() || !(is_letter(text.front()) || is_past_ascii(text.front())) ||
      !std::all_of(text.begin(), text.end(), [&](char c) { return may_follow(c) || is_past_ascii(c); }))
    return false;
  if (is_ascii(text))
    return true;
  auto wide = std::u16string{};
  auto end = text.data() + text.size();
  for (auto p = text.data(); p != end;) {
    if (!is_past_ascii(*p)) {
      wide.push_back(static_cast<char16_t>(*p++));
      continue;
    }
    auto size = sequence_size(p, end);
    if (size < 2 || size > 3) // None of those past the first plane is common.
      return false;
    auto c = size == 2 ? p[0] & 0x1F : (p[0] & 0x0F) << 6 | (p[1] & 0x3F);
    wide.push_back(static_cast<char16_t>(c << 6 | (p[size - 1] & 0x3F)));
    p += size;
  }
  return xml::is_common_name(wide);
}

/// Past ASCII the preparation itself is taken on trust: the head of the header says why.
bool is_well_formed(std::string_view address) noexcept {
  auto part = [](std::string_view text, std::string_view forbidden) {
    return !text.empty() && text.size() <= jid_part_bytes_max && text.find_first_of(forbidden) == text.npos;
  };
  constexpr auto capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (!is_legal_text(address) || address.find_first_of("\t\n\r\x7f") != address.npos)
    return false;
  if (auto slash = address.find('/'); slash != address.npos) {
    if (!part(address.substr(slash + 1), {}))
      return false;
    address = address.substr(0, slash);
  }
  if (address.find_first_of(capitals) != address.npos)
    return false;
  if (auto at = address.find('@'); at != address.npos) {
    if (!part(address.substr(0, at), "\"&':<> "))
      return false;
    address.remove_prefix(at + 1);
  }
  return part(address, "\"&'<>@ ");
}

constexpr auto jid_bytes_max = 3 * jid_part_bytes_max + 2;
constexpr auto declarations_ns = std::string_view{"http://www.w3.org/2000/xmlns/"};

} // namespace

// -- fields --

void reader::fail(const char* why) noexcept {
  if (why_ == nullptr)
    why_ = why;
  in_ = {};
}

std::string_view reader::take(std::uint64_t size) noexcept {
  if (size > in_.size()) {
    fail("bytes are missing");
    return {};
  }
  auto taken = in_.substr(0, size);
  in_.remove_prefix(size);
  return taken;
}

std::uint8_t reader::byte() noexcept {
  if (in_.empty()) {
    fail("bytes are missing");
    return 0;
  }
  auto x = static_cast<std::uint8_t>(in_.front());
  in_.remove_prefix(1);
  return x;
}

bool reader::boolean() noexcept {
  auto x = byte();
  if (x > 1)
    fail("neither yes nor no");
  return x == 1;
}

std::uint64_t reader::varint() noexcept {
  auto x = std::uint64_t{0};
  for (auto shift = 0; shift < 64; shift += 7) {
    auto b = byte();
    auto bits = std::uint64_t{b} & 0x7f;
    if (!ok() || (shift == 63 && bits > 1) || (shift > 0 && b == 0))
      break;
    x |= bits << shift;
    if (b < 0x80)
      return x;
  }
  fail("a number that is none");
  return 0;
}

std::uint64_t reader::varint(std::uint64_t max) noexcept {
  auto x = varint();
  if (x <= max)
    return x;
  fail("a number out of range");
  return 0;
}

std::string_view reader::string() noexcept {
  return take(varint());
}

std::size_t reader::count() noexcept {
  return static_cast<std::size_t>(varint(in_.size()));
}

std::string_view reader::rest() noexcept {
  return std::exchange(in_, {});
}

jid reader::address() {
  auto text = string();
  if (text.empty())
    return {};
  if (text.size() <= jid_bytes_max) {
    if (!is_ascii(text)) {
      if (is_well_formed(text))
        return jid::from_prepared(text);
    } else if (auto parsed = jid::parse(text); parsed && parsed->text() == text) {
      return *std::move(parsed);
    }
  }
  fail("an address that is none");
  return {};
}

// -- trees --

struct reader::tree_reader {
  reader& in;
  const jid& from;
  const jid& to;
  std::optional<xml::builder> out;

  struct attribute_name {
    std::string_view ns, name;
    friend auto operator<=>(const attribute_name&, const attribute_name&) = default;
  };
  std::vector<attribute_name> seen; // Of the element whose attributes are being read.

  std::string_view word(const auto& table, std::uint64_t code) {
    if (code < table.size() && table[code].data() != nullptr)
      return table[code];
    in.fail("a word of no table");
    return {};
  }

  std::string_view name(std::uint64_t code) {
    if (code <= literal_name)
      return word(names, code);
    auto text = in.take(code - literal_name);
    if (!is_name(text))
      in.fail("a name that is none");
    return text;
  }

  std::string_view ns() {
    auto code = in.varint();
    if (code <= literal_name)
      return word(namespaces, code);
    auto text = in.take(code - literal_name);
    if (!is_legal_text(text))
      in.fail("a namespace that is none");
    return text;
  }

  std::string_view value() {
    auto code = in.varint();
    if (code < first_value)
      return address(code);
    if (code < literal_value)
      return word(values, code);
    auto text = in.take(code - literal_value);
    if (!is_legal_text(text))
      in.fail("text that is none");
    return text;
  }

  std::string_view address(std::uint64_t code) {
    auto& whose = code == from_address || code == from_bare ? from : to;
    if (code == 0 || whose.empty())
      in.fail("an address that is not there");
    return code == from_address || code == to_address ? whose.text() : whose.bare_text();
  }

  void check_size() {
    if (out->bytes_count() > 2 * in.limits_.stanza_bytes_max)
      in.fail("a tree is too large");
  }

  void attribute() {
    auto code = in.varint();
    auto of = attribute_name{};
    if (code == language) {
      of = {ns::xml, "lang"};
    } else if (code == with_namespace) {
      of.ns = ns();
      of.name = name(in.varint());
      if (of.ns.empty() || of.ns == declarations_ns)
        in.fail("an attribute of no namespace");
    } else {
      of.name = name(code);
      if (of.name == "xmlns")
        in.fail("an attribute that declares");
    }
    auto text = value();
    if (!in.ok())
      return;
    seen.push_back(of);
    out->attribute(of.name, of.ns, text);
    check_size();
  }

  bool has_duplicates() {
    constexpr auto few = std::size_t{12};
    if (seen.size() > few) {
      std::sort(seen.begin(), seen.end());
      return std::adjacent_find(seen.begin(), seen.end()) != seen.end();
    }
    for (auto i = std::size_t{1}; i < seen.size(); ++i)
      for (auto j = std::size_t{0}; j < i; ++j)
        if (seen[i] == seen[j])
          return true;
    return false;
  }

  // The start of an element up to its content, whose kind it tells.
  std::uint8_t start(std::uint8_t head) {
    auto kind = static_cast<std::uint8_t>(head >> content_shift & 3);
    if ((head & is_element) == 0 || kind > items)
      in.fail("an element that is none");
    auto local = name(in.varint());
    auto own = (head & has_namespace) != 0 ? std::optional{ns()} : std::nullopt;
    if (own && (*own == ns::xml || *own == declarations_ns))
      in.fail("an element of a reserved namespace");
    auto attributes = std::uint64_t{head} & attributes_mask;
    if (attributes == attributes_mask)
      attributes += in.varint(in.limits_.attributes_max);
    if (attributes > in.limits_.attributes_max)
      in.fail("too many attributes");
    if (!in.ok())
      return nothing;
    if (!out)
      out.emplace(local, own.value_or(outermost_ns));
    else if (own)
      out->open(local, *own);
    else
      out->open(local);
    check_size();
    seen.clear();
    for (; attributes > 0 && in.ok(); --attributes)
      attribute();
    if (has_duplicates())
      in.fail("an attribute that is there twice");
    return kind;
  }

  void text() {
    auto x = value();
    if (x.empty())
      in.fail("text that is none");
    if (!in.ok())
      return;
    out->text(x);
    check_size();
  }

  // Without recursion: depth costs the reader no stack.
  void read() {
    auto depth = std::size_t{0}; // Of the elements whose items are being read.
    auto after_text = false;
    auto head = in.byte();
    while (in.ok()) {
      if (head == text_item && depth > 0) {
        if (std::exchange(after_text, true))
          in.fail("a text after a text");
        text();
      } else if (head == end_of_items && depth > 0) {
        out->close();
        after_text = false;
        if (--depth == 0)
          return;
      } else {
        if (depth >= in.limits_.depth_max || (out && out->element_count() > in.limits_.children_max))
          return in.fail("a tree is too deep, or has too many elements");
        after_text = false;
        auto kind = start(head);
        if (!in.ok())
          return;
        if (kind == items) {
          ++depth;
        } else {
          if (kind == one_text)
            text();
          if (depth == 0)
            return;
          out->close();
        }
      }
      head = in.byte();
    }
  }

  element finished() {
    if (!in.ok())
      return {};
    return out->finish();
  }
};

element reader::tree() {
  if (byte() != version) {
    fail("a version that is not known");
    return {};
  }
  auto none = jid{};
  auto read = tree_reader{*this, none, none, {}, {}};
  read.read();
  return read.finished();
}

stanza reader::stanza() {
  auto x = xmpp::stanza{};
  if (byte() != version)
    fail("a version that is not known");
  auto what = byte();
  if (what >> 4 > std::uint8_t(stanza_kind::iq) || !is_type_of(stanza_kind(what >> 4), what & 15))
    fail("a stanza of no kind");
  x.from = address();
  x.to = address();
  if (!ok())
    return {};
  x.kind = stanza_kind(what >> 4);
  x.type = stanza_type(what & 15);
  auto read = tree_reader{*this, x.from, x.to, {}, {}};
  read.read();
  x.tree = read.finished();
  if (ok() && !is_tree_of(x.kind, x.tree))
    fail("a stanza that is none");
  return ok() ? x : xmpp::stanza{};
}

namespace {

template <class T>
result<T> whole(reader& in, T x) {
  if (in.ok() && !in.at_end())
    in.fail("bytes are left");
  if (!in.ok())
    return in.failure();
  return x;
}

} // namespace

result<element> read_tree(std::string_view bytes, const stream_limits& limits) {
  auto in = reader{bytes, limits};
  auto x = in.tree();
  return whole(in, std::move(x));
}

result<stanza> read_stanza(std::string_view bytes, const stream_limits& limits) {
  auto in = reader{bytes, limits};
  auto x = in.stanza();
  return whole(in, std::move(x));
}

result<jid> read_jid(std::string_view bytes) {
  auto in = reader{bytes};
  auto x = in.address();
  return whole(in, std::move(x));
}

} // namespace xmpp::binary
