// One allocation per tree: head, nodes, attributes, canonical bytes, and a tail with the few strings that do not stand
// in the bytes as they read (values that needed escapes). Everything points by 32-bit offset, so a tree is
// position-free.
#include "protocol/xml.hpp"

#include "protocol/byte_scan.hpp"
#include "protocol/namespaces.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace xmpp::xml {

namespace {

// Where a string lies: an offset into the bytes; or, marked, into the tail; or an index into the fixed namespaces.
constexpr std::uint32_t in_tail = 1u << 30;
constexpr std::uint32_t is_fixed = 1u << 31;
constexpr std::uint32_t offset_mask = in_tail - 1;

// Namespaces that have no declaration in the bytes to point at.
enum fixed_namespace : std::uint32_t { none_at, client_at, server_at, xml_at };
constexpr auto fixed_namespaces = std::array<std::string_view, 4>{"", ns::client, ns::server, ns::xml};

constexpr std::string_view declaration_start = " xmlns='";

// -- escaping --

enum byte_class : std::uint8_t { plain, escape_in_text, escape_in_attribute, escape_when_asked, forbidden, multibyte };

constexpr auto byte_classes = [] {
  auto classes = std::array<std::uint8_t, 256>{};
  for (auto i = 0u; i < 0x20; ++i)
    classes[i] = forbidden;
  for (auto i = 0x80u; i < 0x100; ++i)
    classes[i] = multibyte;
  classes['\t'] = classes['\n'] = classes['\''] = escape_in_attribute;
  classes['&'] = classes['<'] = classes['>'] = classes['\r'] = escape_in_text;
  classes['"'] = escape_when_asked;
  return classes;
}();

// Where text goes, and so which bytes may not be copied as they are.
struct place {
  std::array<bool, 256> stops;
  const char* (*find)(const char* p, const char* end) noexcept; // The first byte that may be one.
};

constexpr auto stops_in(std::initializer_list<byte_class> escaped) {
  auto stops = std::array<bool, 256>{};
  for (auto i = 0u; i < 256; ++i)
    stops[i] =
        byte_classes[i] >= forbidden || std::find(escaped.begin(), escaped.end(), byte_classes[i]) != escaped.end();
  return stops;
}

constexpr auto in_text = place{stops_in({escape_in_text}), find_stop<0x20, '&', '<', '>'>};
constexpr auto in_attribute =
    place{stops_in({escape_in_text, escape_in_attribute}), find_stop<0x20, '&', '<', '>', '\''>};
constexpr auto anywhere = [] {
  auto stops = stops_in({escape_in_text, escape_in_attribute, escape_when_asked});
  stops['\t'] = stops['\n'] = false;
  return place{stops, find_stop<0x20, '&', '<', '>', '\'', '"'>};
}();

std::string_view escape_of(char c) {
  switch (c) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '\'':
    return "&apos;";
  case '"':
    return "&quot;";
  case '\t':
    return "&#9;";
  case '\n':
    return "&#10;";
  default:
    return "&#13;";
  }
}

// Length of the UTF-8 sequence at `p`, or 0 when it is not one or stands for what XML forbids (U+FFFE, U+FFFF).
std::size_t sequence_length(const char* p, const char* end) {
  auto at = [&](int i) { return static_cast<unsigned char>(p[i]); };
  auto continues = [&](int i) { return (at(i) & 0xC0) == 0x80; };
  auto left = end - p;
  auto lead = at(0);
  if (lead < 0xC2)
    return 0;
  if (lead < 0xE0)
    return left >= 2 && continues(1) ? 2 : 0;
  if (lead < 0xF0) {
    if (left < 3 || !continues(1) || !continues(2) || (lead == 0xE0 && at(1) < 0xA0) || (lead == 0xED && at(1) > 0x9F))
      return 0;
    return lead == 0xEF && at(1) == 0xBF && at(2) >= 0xBE ? 0 : 3;
  }
  if (lead > 0xF4 || left < 4 || !continues(1) || !continues(2) || !continues(3))
    return 0;
  return (lead == 0xF0 && at(1) < 0x90) || (lead == 0xF4 && at(1) > 0x8F) ? 0 : 4;
}

// The end of the longest start of [p, end) that needs no change.
const char* clean_until(const char* p, const char* end, const place& where) {
  while ((p = where.find(p, end)) != end) {
    auto c = static_cast<unsigned char>(*p);
    if (where.stops[c]) {
      auto length = c < 0x80 ? 0 : sequence_length(p, end);
      if (length == 0)
        return p;
      p += length;
    } else {
      ++p;
    }
  }
  return p;
}

// Appends `value` escaped; returns whether that differs from `value`. Then, where `unescaped` is given, what a reader
// will read is appended there.
bool append(std::string& out, std::string_view value, const place& where, std::string* unescaped = nullptr) {
  auto p = value.data();
  auto end = p + value.size();
  auto stop = clean_until(p, end, where);
  out.append(p, stop);
  if (stop == end)
    return false;
  if (unescaped != nullptr)
    unescaped->append(p, stop);
  while (stop != end) {
    auto c = static_cast<unsigned char>(*stop);
    if (byte_classes[c] < forbidden) {
      out.append(escape_of(*stop));
      if (unescaped != nullptr)
        unescaped->push_back(*stop);
    }
    p = stop + 1;
    stop = clean_until(p, end, where);
    out.append(p, stop);
    if (unescaped != nullptr)
      unescaped->append(p, stop);
  }
  return true;
}

// Reads only what `append` writes.
void append_unescaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    auto reference = text.find('&');
    out.append(text.substr(0, reference));
    if (reference == text.npos)
      return;
    text.remove_prefix(reference);
    auto length = text.find(';') + 1;
    switch (text[1]) {
    case 'a':
      out.push_back(text[2] == 'm' ? '&' : '\'');
      break;
    case 'l':
      out.push_back('<');
      break;
    case 'g':
      out.push_back('>');
      break;
    case 'q':
      out.push_back('"');
      break;
    default:
      out.push_back(text[2] == '9' ? '\t' : text[3] == '0' ? '\n' : '\r');
    }
    text.remove_prefix(length);
  }
}

} // namespace

void append_escaped(std::string& out, std::string_view text) {
  append(out, text, anywhere);
}

// -- the layout of a tree --

struct element::node {
  std::uint32_t begin, content, end; // In the bytes; `content` is `end` for `<a/>`.
  std::uint32_t name_size;           // The name follows `begin` and a `<`.
  std::uint32_t ns, ns_size;
  std::uint32_t first_attribute; // The next node's is the end of this one's.
  std::uint32_t after;           // Twice the index of the first node past all below; plus 1 when that is a sibling.

  std::uint32_t past() const noexcept { return after >> 1; }
  bool has_next() const noexcept { return (after & 1) != 0; }
};

struct element::attribute_record {
  std::uint32_t raw, raw_size;
  std::uint32_t name_size; // The name follows `raw` and a space; a prefix stands before it when `ns` is not empty.
  std::uint32_t ns;        // Fixed; or a string up to a quote in the bytes, up to a zero byte in the tail.
  std::uint32_t value, value_size;
};

struct element::tree {
  std::atomic<std::uint32_t> references{1};
  std::uint32_t node_count = 0, attribute_count = 0, bytes_size = 0, tail_size = 0;

  std::size_t memory_bytes() const noexcept {
    return sizeof(tree) + node_count * sizeof(node) + attribute_count * sizeof(attribute_record) + bytes_size +
           tail_size;
  }
  node* nodes() noexcept { return reinterpret_cast<node*>(this + 1); }
  attribute_record* attributes() noexcept { return reinterpret_cast<attribute_record*>(nodes() + node_count); }
  char* bytes() noexcept { return reinterpret_cast<char*>(attributes() + attribute_count); }

  const char* at(std::uint32_t where) noexcept {
    return bytes() + ((where & in_tail) != 0 ? bytes_size + (where & offset_mask) : where);
  }
  std::string_view ns_of(const node& of) noexcept {
    return (of.ns & is_fixed) != 0 ? fixed_namespaces[of.ns & offset_mask] : std::string_view{at(of.ns), of.ns_size};
  }
  std::string_view ns_of(const attribute_record& of) noexcept {
    if ((of.ns & is_fixed) != 0)
      return fixed_namespaces[of.ns & offset_mask];
    auto start = at(of.ns);
    auto end = (of.ns & in_tail) != 0 ? '\0' : '\'';
    return {start, static_cast<std::size_t>(
                       std::find(start, static_cast<const char*>(bytes()) + bytes_size + tail_size, end) - start)};
  }
  std::string_view name_of(const attribute_record& of) noexcept {
    auto start = bytes() + of.raw + 1;
    if (of.ns == (is_fixed | xml_at))
      start += 4;
    else if (of.ns != (is_fixed | none_at))
      start = static_cast<char*>(std::memchr(start, ':', of.raw_size)) + 1;
    return {start, of.name_size};
  }
  std::string_view value_of(const attribute_record& of) noexcept { return {at(of.value), of.value_size}; }
  std::uint32_t attributes_end(std::uint32_t index) noexcept {
    return index + 1 == node_count ? attribute_count : nodes()[index + 1].first_attribute;
  }
};

// -- element --

element::element(const element& other) noexcept : tree_(other.tree_), index_(other.index_) {
  if (tree_ != nullptr)
    tree_->references.fetch_add(1, std::memory_order_relaxed);
}

element element::sharing(std::uint32_t index) const noexcept {
  tree_->references.fetch_add(1, std::memory_order_relaxed);
  return {tree_, index};
}

void element::release(tree* shared) noexcept {
  // Who sees that it is alone need not pay for an atomic decrement: nobody else can copy from it now.
  if (shared->references.load(std::memory_order_acquire) == 1 ||
      shared->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    std::free(shared);
}

const element::node& element::self() const noexcept {
  return tree_->nodes()[index_];
}

std::string_view element::name() const noexcept {
  if (tree_ == nullptr)
    return {};
  auto& me = self();
  return {tree_->bytes() + me.begin + 1, me.name_size};
}

std::string_view element::ns() const noexcept {
  return tree_ == nullptr ? std::string_view{} : tree_->ns_of(self());
}

bool element::is(std::string_view name, std::string_view ns) const noexcept {
  return tree_ != nullptr && this->name() == name && this->ns() == ns;
}

const element::attribute_record* element::find(std::string_view name, std::string_view ns) const noexcept {
  if (tree_ == nullptr)
    return nullptr;
  auto end = tree_->attributes() + tree_->attributes_end(index_);
  for (auto i = tree_->attributes() + self().first_attribute; i != end; ++i)
    if (i->name_size == name.size() && tree_->name_of(*i) == name && tree_->ns_of(*i) == ns)
      return i;
  return nullptr;
}

std::optional<std::string_view> element::attribute(std::string_view name) const noexcept {
  return attribute(name, {});
}

std::optional<std::string_view> element::attribute(std::string_view name, std::string_view ns) const noexcept {
  if (auto found = find(name, ns))
    return tree_->value_of(*found);
  return std::nullopt;
}

std::string_view element::attribute_or_empty(std::string_view name) const noexcept {
  auto found = find(name, {});
  return found != nullptr ? tree_->value_of(*found) : std::string_view{};
}

std::string_view element::lang() const noexcept {
  auto found = find("lang", ns::xml);
  return found != nullptr ? tree_->value_of(*found) : std::string_view{};
}

std::size_t element::attribute_count() const noexcept {
  return tree_ == nullptr ? 0 : tree_->attributes_end(index_) - self().first_attribute;
}

struct attribute element::attribute_at(std::size_t index) const noexcept {
  auto& record = tree_->attributes()[self().first_attribute + index];
  return {tree_->name_of(record),
          tree_->ns_of(record),
          tree_->value_of(record),
          {tree_->bytes() + record.raw, record.raw_size}};
}

std::string element::text() const {
  auto out = std::string{};
  if (tree_ == nullptr)
    return out;
  auto content = content_bytes();
  auto from = content.data();
  for (auto i = index_ + 1; i < self().past(); i = tree_->nodes()[i].past()) {
    auto& child = tree_->nodes()[i];
    append_unescaped(out, {from, static_cast<std::size_t>(tree_->bytes() + child.begin - from)});
    from = tree_->bytes() + child.end;
  }
  append_unescaped(out, {from, static_cast<std::size_t>(content.data() + content.size() - from)});
  return out;
}

children_range element::children() const noexcept {
  return children_range{first_child()};
}

std::size_t element::child_count() const noexcept {
  auto count = std::size_t{0};
  if (tree_ != nullptr)
    for (auto i = index_ + 1; i < self().past(); i = tree_->nodes()[i].past())
      ++count;
  return count;
}

element element::first_child() const noexcept {
  return tree_ != nullptr && self().past() > index_ + 1 ? sharing(index_ + 1) : element{};
}

element element::next_sibling() const noexcept {
  return tree_ != nullptr && self().has_next() ? sharing(self().past()) : element{};
}

void element::to_next_sibling() noexcept {
  if (self().has_next())
    index_ = self().past();
  else
    *this = element{};
}

element element::child(std::string_view name, std::string_view ns) const noexcept {
  if (tree_ == nullptr)
    return {};
  auto end = self().past();
  for (auto i = index_ + 1; i < end; i = tree_->nodes()[i].past()) {
    auto& child = tree_->nodes()[i];
    if (child.name_size == name.size() &&
        std::memcmp(tree_->bytes() + child.begin + 1, name.data(), name.size()) == 0 && tree_->ns_of(child) == ns)
      return sharing(i);
  }
  return {};
}

std::string_view element::bytes() const noexcept {
  if (tree_ == nullptr)
    return {};
  auto& me = self();
  return {tree_->bytes() + me.begin, me.end - me.begin};
}

std::string_view element::content_bytes() const noexcept {
  if (tree_ == nullptr)
    return {};
  auto& me = self();
  auto end_tag_size = me.content == me.end ? 0 : me.name_size + 3;
  return {tree_->bytes() + me.content, me.end - end_tag_size - me.content};
}

bool element::declares_namespace() const noexcept {
  return tree_ != nullptr && bytes().substr(1 + self().name_size).starts_with(declaration_start);
}

std::size_t element::memory_bytes() const noexcept {
  return tree_ == nullptr ? 0 : tree_->memory_bytes();
}

// -- builder --

struct builder::scratch {
  struct level {
    std::uint32_t node;
    std::uint32_t last_child; // 0: none yet
  };
  std::string bytes, tail;
  std::vector<element::node> nodes;
  std::vector<element::attribute_record> attributes;
  std::vector<level> open;
  bool in_start_tag = false;

  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(bytes.size()); }

  void clear() noexcept {
    bytes.clear();
    tail.clear();
    nodes.clear();
    attributes.clear();
    open.clear();
    in_start_tag = false;
  }

  std::string_view ns_of(const element::node& of) const noexcept {
    if ((of.ns & is_fixed) != 0)
      return fixed_namespaces[of.ns & offset_mask];
    return std::string_view{(of.ns & in_tail) != 0 ? tail : bytes}.substr(of.ns & offset_mask, of.ns_size);
  }

  // Ends the start tag before content.
  void end_start_tag() {
    if (!in_start_tag)
      return;
    in_start_tag = false;
    bytes.push_back('>');
    nodes[open.back().node].content = size();
  }

  // Adds a node below the innermost open one, with that one's namespace; writes nothing.
  std::uint32_t add_node() {
    assert(nodes.empty() || !open.empty());
    auto index = static_cast<std::uint32_t>(nodes.size());
    auto added = element::node{};
    added.begin = size();
    added.first_attribute = static_cast<std::uint32_t>(attributes.size());
    if (!open.empty()) {
      auto& parent = open.back();
      if (parent.last_child != 0)
        nodes[parent.last_child].after |= 1;
      parent.last_child = index;
      added.ns = nodes[parent.node].ns;
      added.ns_size = nodes[parent.node].ns_size;
    }
    nodes.push_back(added);
    return index;
  }

  void declare(element::node& of, std::string_view ns) {
    bytes.append(declaration_start);
    auto in_bytes = size();
    auto tail_from = static_cast<std::uint32_t>(tail.size());
    if (append(bytes, ns, in_attribute, &tail)) {
      of.ns = in_tail | tail_from;
      of.ns_size = static_cast<std::uint32_t>(tail.size()) - tail_from;
    } else {
      of.ns = in_bytes;
      of.ns_size = static_cast<std::uint32_t>(ns.size());
    }
    bytes.push_back('\'');
  }

  void start(std::string_view name, const std::string_view* ns) {
    auto outermost = nodes.empty();
    if (!outermost)
      end_start_tag();
    auto index = add_node();
    auto& added = nodes[index];
    added.name_size = static_cast<std::uint32_t>(name.size());
    bytes.push_back('<');
    bytes.append(name);
    if (outermost && *ns == ns::client)
      added.ns = is_fixed | client_at;
    else if (outermost && *ns == ns::server)
      added.ns = is_fixed | server_at;
    else if (outermost || (ns != nullptr && *ns != ns_of(added)))
      declare(added, *ns);
    open.push_back({index, 0});
    in_start_tag = true;
  }

  void close() {
    assert(!open.empty());
    auto& closed = nodes[open.back().node];
    if (in_start_tag) {
      bytes.append("/>");
      closed.content = size();
      in_start_tag = false;
    } else {
      bytes.append("</");
      bytes.append(bytes, closed.begin + 1, closed.name_size);
      bytes.push_back('>');
    }
    closed.end = size();
    closed.after = static_cast<std::uint32_t>(nodes.size()) << 1;
    open.pop_back();
  }

  void add_attribute(std::string_view name, std::string_view ns, std::string_view value);
  void copy(element::tree& from, std::uint32_t index);
};

void builder::scratch::add_attribute(std::string_view name, std::string_view ns, std::string_view value) {
  assert(in_start_tag);
  auto record = element::attribute_record{};
  record.raw = size();
  record.name_size = static_cast<std::uint32_t>(name.size());
  record.ns = is_fixed | none_at;
  auto prefix = std::string{};
  bytes.push_back(' ');
  if (ns == ns::xml) {
    record.ns = is_fixed | xml_at;
    bytes.append("xml:");
  } else if (!ns.empty()) {
    // Each attribute has a prefix of its own, so that it can be copied without the others.
    prefix = "a" + std::to_string(attributes.size() - nodes[open.back().node].first_attribute);
    bytes.append(prefix).push_back(':');
  }
  bytes.append(name).append("='");
  auto in_bytes = size();
  auto tail_from = static_cast<std::uint32_t>(tail.size());
  if (append(bytes, value, in_attribute, &tail)) {
    record.value = in_tail | tail_from;
    record.value_size = static_cast<std::uint32_t>(tail.size()) - tail_from;
  } else {
    record.value = in_bytes;
    record.value_size = static_cast<std::uint32_t>(value.size());
  }
  bytes.push_back('\'');
  if (!prefix.empty()) {
    bytes.append(" xmlns:").append(prefix).append("='");
    in_bytes = size();
    tail_from = static_cast<std::uint32_t>(tail.size());
    if (append(bytes, ns, in_attribute, &tail)) {
      record.ns = in_tail | tail_from;
      tail.push_back('\0');
    } else {
      record.ns = in_bytes;
    }
    bytes.push_back('\'');
  }
  record.raw_size = size() - record.raw;
  attributes.push_back(record);
}

// Bytes below are copied whole; offsets move by one distance, for only the declaration of the copied element's own
// namespace can come or go. What inherits that namespace is known by having the same place of it.
void builder::scratch::copy(element::tree& from, std::uint32_t index) {
  end_start_tag();
  auto& root = from.nodes()[index];
  auto all = std::string_view{from.bytes() + root.begin, root.end - root.begin};
  auto name_end = 1 + root.name_size;
  auto rest = all.substr(name_end);
  if (rest.starts_with(declaration_start))
    rest.remove_prefix(rest.find('\'', declaration_start.size()) + 1);

  auto at = add_node();
  bytes.append(all.substr(0, name_end));
  if (ns_of(nodes[at]) != from.ns_of(root))
    declare(nodes[at], from.ns_of(root));
  auto top = nodes[at];
  auto moved = size() - static_cast<std::uint32_t>(rest.data() - from.bytes()); // wraps, as do the sums below
  bytes.append(rest);

  auto past = root.past();
  auto first_attribute = root.first_attribute;
  auto attributes_end = from.attributes_end(past - 1);
  // The strings in the tail stand in document order: those of the copied part are one stretch.
  auto tail_begin = offset_mask, tail_end = 0u;
  auto note_tail = [&](std::uint32_t where, std::size_t size) {
    if ((where & (is_fixed | in_tail)) == in_tail) {
      tail_begin = std::min(tail_begin, where & offset_mask);
      tail_end = std::max(tail_end, (where & offset_mask) + static_cast<std::uint32_t>(size));
    }
  };
  if (from.tail_size != 0) {
    for (auto i = index + 1; i < past; ++i)
      if (from.nodes()[i].ns != root.ns)
        note_tail(from.nodes()[i].ns, from.nodes()[i].ns_size);
    for (auto i = first_attribute; i < attributes_end; ++i) {
      note_tail(from.attributes()[i].value, from.attributes()[i].value_size);
      note_tail(from.attributes()[i].ns, from.ns_of(from.attributes()[i]).size() + 1);
    }
  }
  auto tail_moved = static_cast<std::uint32_t>(tail.size()) - tail_begin;
  if (tail_begin < tail_end)
    tail.append(from.bytes() + from.bytes_size + tail_begin, tail_end - tail_begin);
  auto move = [&](std::uint32_t where) {
    if ((where & is_fixed) != 0)
      return where;
    return (where & in_tail) != 0 ? in_tail | ((where & offset_mask) + tail_moved) : where + moved;
  };

  auto attribute_moved = static_cast<std::uint32_t>(attributes.size()) - first_attribute;
  auto node_moved = at - index;
  nodes.pop_back();
  for (auto i = index; i < past; ++i) {
    auto copied = from.nodes()[i];
    copied.begin += moved;
    copied.content += moved;
    copied.end += moved;
    copied.first_attribute += attribute_moved;
    copied.after += node_moved << 1;
    if (copied.ns == root.ns) {
      copied.ns = top.ns;
      copied.ns_size = top.ns_size;
    } else {
      copied.ns = move(copied.ns);
    }
    nodes.push_back(copied);
  }
  nodes[at].begin = top.begin;
  nodes[at].after &= ~1u;
  for (auto i = first_attribute; i < attributes_end; ++i) {
    auto copied = from.attributes()[i];
    copied.raw += moved;
    copied.ns = move(copied.ns);
    copied.value = move(copied.value);
    attributes.push_back(copied);
  }
}

namespace {

// A few scratch buffers per thread keep their memory, so that building a tree costs one allocation: the tree.
template <class Scratch>
struct scratch_pool {
  static constexpr std::size_t kept_max = 4;
  static constexpr std::size_t kept_bytes_max = 64 * 1024; // Of one buffer; a rare giant is given back.

  std::array<Scratch*, kept_max> kept{};
  std::size_t count = 0;

  ~scratch_pool() {
    while (count > 0)
      delete kept[--count];
    count = kept_max; // What is released after this thread's end is not kept.
  }
  Scratch* take() {
    if (count == 0 || kept[count - 1] == nullptr)
      return std::make_unique<Scratch>().release();
    return std::exchange(kept[--count], nullptr);
  }
  void give_back(Scratch* used) {
    auto owned = std::unique_ptr<Scratch>{used};
    auto bytes = used->bytes.capacity() + used->tail.capacity() + used->nodes.capacity() * sizeof(used->nodes[0]) +
                 used->attributes.capacity() * sizeof(used->attributes[0]);
    if (count == kept_max || bytes > kept_bytes_max)
      return;
    used->clear();
    kept[count++] = owned.release();
  }
};

/// This thread's. In a function, since g++ ends no variable template with its thread.
template <class Scratch>
scratch_pool<Scratch>& pool() {
  thread_local auto kept = scratch_pool<Scratch>{};
  return kept;
}

} // namespace

builder::builder(std::string_view name, std::string_view ns) : scratch_(pool<scratch>().take()) {
  scratch_->start(name, &ns);
}

builder::~builder() {
  if (scratch_ != nullptr)
    pool<scratch>().give_back(scratch_);
}

builder::builder(builder&& other) noexcept : scratch_(std::exchange(other.scratch_, nullptr)) {}

builder& builder::operator=(builder&& other) noexcept {
  std::swap(scratch_, other.scratch_);
  return *this;
}

builder& builder::attribute(std::string_view name, std::string_view value) {
  return attribute(name, {}, value);
}

builder& builder::attribute(std::string_view name, std::string_view ns, std::string_view value) {
  scratch_->add_attribute(name, ns, value);
  return *this;
}

builder& builder::lang(std::string_view value) {
  if (!value.empty())
    scratch_->add_attribute("lang", ns::xml, value);
  return *this;
}

builder& builder::open(std::string_view name) {
  scratch_->start(name, nullptr);
  return *this;
}

builder& builder::open(std::string_view name, std::string_view ns) {
  scratch_->start(name, &ns);
  return *this;
}

builder& builder::close() {
  scratch_->close();
  return *this;
}

builder& builder::text(std::string_view value) {
  assert(!scratch_->open.empty());
  auto& bytes = scratch_->bytes;
  auto before = bytes.size();
  auto in_start_tag = scratch_->in_start_tag;
  scratch_->end_start_tag();
  auto start = bytes.size();
  append(bytes, value, in_text);
  if (bytes.size() == start) { // Nothing to write: `<a/>` stays possible.
    bytes.resize(before);
    scratch_->in_start_tag = in_start_tag;
  }
  return *this;
}

builder& builder::child(const element& copied) {
  if (copied)
    scratch_->copy(*copied.tree_, copied.index_);
  return *this;
}

builder& builder::leaf(std::string_view name, std::string_view ns, std::string_view value) {
  return open(name, ns).text(value).close();
}

element builder::finish() {
  auto& from = *scratch_;
  while (!from.open.empty())
    from.close();
  assert(from.bytes.size() + from.tail.size() < in_tail);
  auto head = element::tree{};
  head.node_count = static_cast<std::uint32_t>(from.nodes.size());
  head.attribute_count = static_cast<std::uint32_t>(from.attributes.size());
  head.bytes_size = from.size();
  head.tail_size = static_cast<std::uint32_t>(from.tail.size());
  auto memory = std::malloc(head.memory_bytes());
  if (memory == nullptr)
    throw std::bad_alloc{};
  auto made = ::new (memory) element::tree{};
  made->node_count = head.node_count;
  made->attribute_count = head.attribute_count;
  made->bytes_size = head.bytes_size;
  made->tail_size = head.tail_size;
  std::memcpy(made->nodes(), from.nodes.data(), from.nodes.size() * sizeof(element::node));
  if (made->attribute_count != 0)
    std::memcpy(made->attributes(), from.attributes.data(), from.attributes.size() * sizeof(element::attribute_record));
  std::memcpy(made->bytes(), from.bytes.data(), from.bytes.size());
  std::memcpy(made->bytes() + made->bytes_size, from.tail.data(), from.tail.size());
  return {made, 0};
}

void builder::restart(std::string_view name, std::string_view ns) {
  scratch_->clear();
  scratch_->start(name, &ns);
}

std::size_t builder::depth() const noexcept {
  return scratch_->open.size();
}

std::size_t builder::element_count() const noexcept {
  return scratch_->nodes.size();
}

std::size_t builder::bytes_count() const noexcept {
  return scratch_->bytes.size() + scratch_->tail.size();
}

} // namespace xmpp::xml
