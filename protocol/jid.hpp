// XMPP addresses, always prepared (RFC 7622).
#pragma once

#include "protocol/error.hpp"

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace xmpp {

/// `[localpart@]domainpart[/resourcepart]`, immutable, in its canonical form, so that equal addresses are equal bytes.
/// The size of a pointer; a copy shares the text. The default is "no address": an attribute that was not there.
class jid {
public:
  jid() noexcept = default;
  jid(const jid& other) noexcept : text_(other.text_) {
    if (text_)
      text_->references.fetch_add(1, std::memory_order_relaxed);
  }
  jid(jid&& other) noexcept : text_(other.text_) { other.text_ = nullptr; }
  jid& operator=(jid other) noexcept {
    std::swap(text_, other.text_);
    return *this;
  }
  ~jid() {
    if (text_ && text_->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
      destroy(text_);
  }

  /// Splits, prepares and checks `text` (RFC 7622, 3.1: first the first `/`, then the first `@` before it).
  /// Fails with `jid_malformed`: an empty or over-long part (1'023 bytes each, after preparation), a code point that
  /// its profile forbids, invalid UTF-8.
  static result<jid> parse(std::string_view text);

  /// The same from parts; an empty `local` or `resource` is none.
  static result<jid> make(std::string_view local, std::string_view domain, std::string_view resource = {});

  /// From text that a `jid` gave out earlier (a stored key, another node): not prepared again, only split.
  static jid from_prepared(std::string_view text);

  bool empty() const noexcept { return !text_; }
  std::string_view text() const noexcept { return text_ ? std::string_view{bytes(), size()} : std::string_view{}; }
  std::string_view local() const noexcept {
    return text_ ? std::string_view{bytes(), text_->local_size} : std::string_view{};
  }
  std::string_view domain() const noexcept {
    return text_ ? std::string_view{bytes() + domain_at(), text_->domain_size} : std::string_view{};
  }
  std::string_view resource() const noexcept {
    return is_full() ? std::string_view{bytes() + bare_size() + 1, text_->resource_size} : std::string_view{};
  }
  /// `local@domain`, or the domain alone: a view into the text, nothing is made.
  std::string_view bare_text() const noexcept {
    return text_ ? std::string_view{bytes(), bare_size()} : std::string_view{};
  }

  bool has_local() const noexcept { return text_ && text_->local_size != 0; }
  bool is_bare() const noexcept { return text_ && text_->resource_size == 0; }
  bool is_full() const noexcept { return text_ && text_->resource_size != 0; }

  /// Itself when it is bare already, else a new address without the resource.
  jid bare() const;
  /// `resource` must be prepared already: it came from a jid, or from `prepare_resource`.
  jid with_resource(std::string_view resource) const;

  friend bool operator==(const jid& a, const jid& b) noexcept { return a.text_ == b.text_ || a.text() == b.text(); }
  friend std::strong_ordering operator<=>(const jid& a, const jid& b) noexcept { return a.text() <=> b.text(); }

private:
  struct block { // followed by the text
    std::atomic<std::uint32_t> references;
    std::uint16_t local_size;
    std::uint16_t domain_size;
    std::uint16_t resource_size;
  };

  /// Of parts that are prepared already.
  static jid join(std::string_view local, std::string_view domain, std::string_view resource);
  static void destroy(block*) noexcept;

  // All of these: only with a text.
  const char* bytes() const noexcept { return reinterpret_cast<const char*>(text_ + 1); }
  std::size_t domain_at() const noexcept { return text_->local_size == 0 ? 0 : text_->local_size + std::size_t{1}; }
  std::size_t bare_size() const noexcept { return domain_at() + text_->domain_size; }
  std::size_t size() const noexcept {
    return bare_size() + (text_->resource_size == 0 ? 0 : text_->resource_size + std::size_t{1});
  }

  block* text_ = nullptr;
};

/// OpaqueString (RFC 8265) within the limits of RFC 7622, 3.4. Fails with `jid_malformed`.
result<std::string> prepare_resource(std::string_view text);

/// UsernameCaseMapped (RFC 8265) less the excluded characters (RFC 7622, 3.3.1). Fails with `jid_malformed`.
result<std::string> prepare_local(std::string_view text);

/// IDNA2008 U-label form, lower case, no trailing dot (RFC 7622, 3.2); IP literals pass. Fails with `jid_malformed`.
result<std::string> prepare_domain(std::string_view text);

/// SASLprep (RFC 4013) of a password, as SCRAM has it (RFC 5802, 2.2) and clients do for PLAIN too (RFC 4616, 2); 1 to
/// `jid_part_bytes_max` bytes. What Unicode 3.2 did not know, such as emoji, stays as it is: people have it in their
/// passwords, and clients send it (RFC 3454, 7 would keep it out of what is stored). Fails with `not_acceptable`.
result<std::string> prepare_password(std::string_view text);

} // namespace xmpp

template <>
struct std::hash<xmpp::jid> {
  std::size_t operator()(const xmpp::jid& x) const noexcept { return std::hash<std::string_view>{}(x.text()); }
};
