// The record protection of TLS 1.3 once the handshake is complete (RFC 8446, 5 and 7.2).
//
// OpenSSL shakes hands; what then has to be remembered is two keys and two counters. OpenSSL's own session keeps 14 KiB
// for that, which an idle connection does not need: this keeps less than 400 bytes. The ciphers are OpenSSL's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace xmpp::net {

/// A traffic or exporter secret; erased when it is no longer needed.
struct tls_secret {
  std::array<unsigned char, 48> bytes{};
  std::uint8_t size = 0; ///< 32 or 48; 0: none
  tls_secret() = default;
  tls_secret(const tls_secret&) = default;
  tls_secret& operator=(const tls_secret&) = default;
  ~tls_secret();
};

/// As RFC 8446, B.4 numbers them.
enum class tls_suite : std::uint16_t {
  aes_128_gcm_sha256 = 0x1301,
  aes_256_gcm_sha384 = 0x1302,
  chacha20_poly1305_sha256 = 0x1303,
};

/// HKDF-Expand-Label of RFC 8446, 7.1, for at most as many bytes as the suite's hash has. False when OpenSSL fails.
bool expand_label(tls_suite suite, const tls_secret& secret, std::string_view label, std::string_view context,
                  unsigned char* to, std::size_t bytes);

/// The 32 bytes of `tls-exporter` (RFC 9266) from the exporter secret (RFC 8446, 7.5); empty when OpenSSL fails.
std::string exporter_binding(tls_suite suite, const tls_secret& exporter);

enum class tls_status : std::uint8_t {
  ok,        ///< Done; there may be more.
  want_more, ///< The input is used up.
  closed,    ///< The peer sent its close_notify.
  failed,    ///< The session is lost; `why` tells.
};

/// Both directions of one connection. Not for two threads at once.
class tls_records {
public:
  using status = tls_status;
  /// What one call of `read` must have room for.
  static constexpr std::size_t read_bytes_min = 16 * 1024 + 256;

  /// Null when OpenSSL fails. `written` records were sent under this secret already.
  static std::unique_ptr<tls_records> make(tls_suite suite, const tls_secret& reading, const tls_secret& writing,
                                           std::uint64_t written);
  ~tls_records();

  /// Decrypts whole records from the front of `in` to `to`, until `in` is used up (`want_more`; what is left of a
  /// record waits inside) or there is no room for another (`ok`). Sets `got`. `bytes_max` is `read_bytes_min` or more.
  /// Answers and alerts go to `out`. After `failed` the connection is lost.
  status read(std::string_view& in, char* to, std::size_t bytes_max, std::size_t& got, std::string& out);
  /// Appends `plain` to `out`, in records. False when OpenSSL fails.
  [[nodiscard]] bool write(std::string_view plain, std::string& out);
  /// Appends a close_notify.
  void close(std::string& out);

  tls_suite suite() const noexcept { return suite_; }
  /// Why `read` failed.
  const char* why() const noexcept { return why_; }

private:
  struct direction {
    tls_secret secret;
    std::array<unsigned char, 32> key{};
    std::array<unsigned char, 12> iv{};
    std::uint64_t sequence = 0;
  };
  struct opened {
    unsigned char type = 0;
    std::size_t bytes = 0;
  };

  tls_records() = default;
  bool set_keys(direction& which);
  bool update_keys(direction& which);
  bool seal(unsigned char type, std::string_view plain, std::string& out);
  bool open(std::string_view record, char* to, opened& content);
  bool update_write_keys(std::string& out);
  status take(std::string_view record, char* to, std::size_t& got, std::string& out);
  status fail(unsigned char alert, const char* why, std::string& out);

  tls_suite suite_ = tls_suite::aes_128_gcm_sha256;
  bool owes_update_ = false;
  bool has_failed_ = false;
  std::uint8_t idle_records_ = 0; // without data, in a row
  direction reading_;
  direction writing_;
  std::unique_ptr<std::string> partial_; // an incomplete record
  const char* why_ = "";
};

} // namespace xmpp::net
