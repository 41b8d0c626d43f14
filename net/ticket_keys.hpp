// The keys under which TLS session tickets are sealed; they replace themselves.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

namespace xmpp::net {

/// The newest key makes tickets; the one before it still opens them; older ones are erased (RFC 5077, 5.5). A ticket so
/// lives between one and two periods at most. For all threads.
class ticket_keys {
public:
  struct key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{};
    std::array<unsigned char, 32> mac{};
    key() = default;
    key(const key&) = default;
    key& operator=(const key&) = default;
    ~key();
  };
  enum class found : std::uint8_t { none, newest, before };

  explicit ticket_keys(std::uint32_t rotate_after_s) noexcept : rotate_after_s_(rotate_after_s) {}

  /// False when there is no randomness to make one.
  bool newest(std::int64_t now_s, key& into);
  /// The key of that name, 16 bytes. After `before`, the ticket should be replaced.
  found find(std::int64_t now_s, const unsigned char* name, key& into);

private:
  bool rotate(std::int64_t now_s);

  std::mutex mutex_;
  std::int64_t rotate_after_s_;
  std::int64_t made_s_ = 0;
  bool has_newest_ = false;
  bool has_before_ = false;
  key newest_;
  key before_;
};

} // namespace xmpp::net
