// element: the tree that a stanza is; reading one, building one, writing one.
//
// A tree is kept as its own serialization: one allocation holds the canonical bytes and a table of nodes that point
// into them. So a tree is written by copying bytes, and a copy of an element is a counted reference. Trees never
// change.
//
// Canonical bytes: no namespace prefix on elements (a default declaration wherever the namespace differs from the
// parent's), `xml:` attributes as they are, other prefixed attributes under a prefix of ours that the same element
// declares, single quotes, `&amp; &lt; &gt;` in text and attributes, `&apos;` in attributes, numeric references for
// white space that would not survive (all but the space in attributes, the carriage return in text); empty elements are
// `<a/>`. Outermost element: its namespace is declared, except `jabber:client` and `jabber:server`, which the stream
// header declares (stanzas) and which read as "the stream's content namespace".
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xmpp::xml {

class builder;

struct attribute {
  std::string_view name;  ///< Local name; for `xml:lang` it is `lang`.
  std::string_view ns;    ///< Empty for the usual unprefixed ones.
  std::string_view value; ///< Unescaped.
  std::string_view raw;   ///< As serialized, with its name, a leading space and any declaration of its prefix.
};

class element;

/// The child elements of an element, in order; text is skipped.
class children_range;

/// One element of a tree that it keeps alive. Two words; a copy costs an atomic increment. The default is "no element".
class element {
public:
  element() noexcept = default;
  element(const element&) noexcept;
  element(element&& other) noexcept
      : tree_(std::exchange(other.tree_, nullptr)), index_(std::exchange(other.index_, 0)) {}
  element& operator=(element other) noexcept {
    std::swap(tree_, other.tree_);
    std::swap(index_, other.index_);
    return *this;
  }
  ~element() {
    if (tree_ != nullptr)
      release(tree_);
  }

  explicit operator bool() const noexcept { return tree_ != nullptr; }

  // Views stay valid as long as any element of the tree lives.
  std::string_view name() const noexcept;
  std::string_view ns() const noexcept;
  bool is(std::string_view name, std::string_view ns) const noexcept;

  /// Value of an unprefixed attribute, unescaped; none and empty differ.
  std::optional<std::string_view> attribute(std::string_view name) const noexcept;
  /// Empty when it is missing.
  std::string_view attribute_or_empty(std::string_view name) const noexcept;
  std::optional<std::string_view> attribute(std::string_view name, std::string_view ns) const noexcept;
  std::string_view lang() const noexcept; ///< Its own `xml:lang`, or empty.
  std::size_t attribute_count() const noexcept;
  struct attribute attribute_at(std::size_t index) const noexcept;

  /// Its direct text, unescaped, pieces between children joined.
  std::string text() const;

  children_range children() const noexcept;
  std::size_t child_count() const noexcept;
  element first_child() const noexcept;
  element next_sibling() const noexcept;
  /// The first child of that name and namespace, or none.
  element child(std::string_view name, std::string_view ns) const noexcept;
  bool has_child(std::string_view name, std::string_view ns) const noexcept { return bool(child(name, ns)); }

  /// The canonical bytes, start tag to end tag.
  std::string_view bytes() const noexcept;
  /// The canonical bytes between the start tag and the end tag; empty for `<a/>`.
  std::string_view content_bytes() const noexcept;

  /// Whether the bytes of this element begin with a declaration of its own namespace.
  bool declares_namespace() const noexcept;

  /// Heap bytes of the whole tree, for limits and `inspect`.
  std::size_t memory_bytes() const noexcept;

  friend bool operator==(const element& a, const element& b) noexcept {
    return a.bytes() == b.bytes() && a.ns() == b.ns();
  }

private:
  friend class builder;
  friend class children_range;
  struct tree;
  struct node;
  struct attribute_record;
  element(tree* shared, std::uint32_t index) noexcept : tree_(shared), index_(index) {} // takes over one reference
  element sharing(std::uint32_t index) const noexcept;
  const node& self() const noexcept;
  const attribute_record* find(std::string_view name, std::string_view ns) const noexcept;
  void to_next_sibling() noexcept;
  static void release(tree* shared) noexcept;

  tree* tree_ = nullptr;
  std::uint32_t index_ = 0;
};

class children_range {
public:
  class iterator {
  public:
    using value_type = element;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using pointer = const element*;
    using reference = const element&;
    iterator() = default;
    explicit iterator(element at) : at_(std::move(at)) {}
    const element& operator*() const { return at_; }
    const element* operator->() const { return &at_; }
    iterator& operator++() noexcept {
      at_.to_next_sibling();
      return *this;
    }
    iterator operator++(int) {
      auto before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator& other) const noexcept {
      return at_.tree_ == other.at_.tree_ && at_.index_ == other.at_.index_;
    }

  private:
    element at_;
  };
  explicit children_range(element first) : first_(std::move(first)) {}
  iterator begin() const { return iterator{first_}; }
  iterator end() const { return {}; }

private:
  element first_;
};

/// Writes one tree from the outside in, in one pass. Names given to it must be legal XML names; values may be anything:
/// they are escaped, and code points that XML forbids are dropped.
///
///     builder{"query", ns::roster}.attribute("ver", ver).open("item").attribute("jid", text).close().finish()
class builder {
public:
  builder(std::string_view name, std::string_view ns);
  ~builder();
  builder(const builder&) = delete;
  builder& operator=(const builder&) = delete;
  builder(builder&&) noexcept;
  builder& operator=(builder&&) noexcept;

  /// Attributes come before any child or text of the same element. An attribute given twice: a bug (asserted).
  builder& attribute(std::string_view name, std::string_view value);
  builder& attribute(std::string_view name, std::string_view ns, std::string_view value);
  builder& lang(std::string_view value); ///< `xml:lang`; nothing when empty.

  builder& open(std::string_view name); ///< In its parent's namespace.
  builder& open(std::string_view name, std::string_view ns);
  builder& close();
  builder& text(std::string_view value);
  /// Copies a finished element, with all below it, as a child.
  builder& child(const element& copied);
  /// `open(name, ns).text(value).close()`.
  builder& leaf(std::string_view name, std::string_view ns, std::string_view value);

  /// Closes what is open and makes the tree in one allocation. The builder may not be used again, but for `restart`.
  element finish();
  /// As constructed anew, with the memory kept.
  void restart(std::string_view name, std::string_view ns);

  /// How many elements are open, the outermost counted; and how many there are in all so far.
  std::size_t depth() const noexcept;
  std::size_t element_count() const noexcept;
  /// Bytes written so far: about what the tree will take.
  std::size_t bytes_count() const noexcept;

private:
  struct scratch;
  scratch* scratch_;
};

/// Appends `text` with `& < > ' "` and carriage returns escaped; bytes that are not UTF-8 and code points that XML
/// forbids are dropped. Meant for text: an attribute would read its tabs and line ends as spaces.
void append_escaped(std::string& out, std::string_view text);

} // namespace xmpp::xml

namespace xmpp {
using xml::element;
}
