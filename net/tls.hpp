// TLS: certificates by name, and a session as a machine of bytes in, bytes out. Knows no sockets.
#pragma once

#include "net/certificate.hpp"
#include "net/outcome.hpp"
#include "net/tls_records.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace xmpp::net {

/// The keys that protect session tickets; made and replaced by themselves. Share one among contexts that follow each
/// other, so that a reload of certificates keeps peers' sessions resumable.
class ticket_keys;
std::shared_ptr<ticket_keys> make_ticket_keys(std::uint32_t rotate_after_s = 12 * 3600);

enum class client_certificates : std::uint8_t {
  ignore,
  request, ///< Ask; go on without, or with one that is not trusted: `tls_facts` tells.
};

struct certificate_source {
  std::vector<std::string> domains; ///< Served with this certificate; empty: the DNS names in it.
  std::string chain_file;           ///< PEM, own certificate first.
  std::string key_file;             ///< PEM
  /// Of peers that come for these domains. What these roots vouch for counts for these domains only
  /// (`tls_facts::peer_verified_for`).
  client_certificates clients = client_certificates::ignore;
  std::string trusted_roots_file = {}; ///< PEM, for peers' certificates; empty: the system's.
};

struct tls_options {
  std::vector<certificate_source> certificates; ///< The first one is for names that nobody has, and for no name.
  std::vector<std::string> applications = {
      "xmpp-client"};                        ///< ALPN: refused when the peer offers only others; empty: ignored.
  bool accepts_any_key_usage = false;        ///< Server certificates count for clients too (between servers).
  std::string groups = "X25519:P-256:P-384"; ///< Key exchange, in OpenSSL's notation; the first is the cheapest.
  bool keeps_openssl_sessions = false;  ///< After a TLS 1.3 handshake too: 14 KiB per connection instead of under 1.
  std::shared_ptr<ticket_keys> tickets; ///< Null: new ones.
};

/// Whether a PEM file can be `certificate_source::trusted_roots_file`; fails with words that have its path.
outcome<void> check_trusted_roots(const std::string& file);

/// Everything sessions share. Never changes: to reload, make another and use it for what connects from then on.
/// TLS 1.2 and 1.3, ECDHE with AEAD only; no renegotiation, no compression, no early data; stateless tickets, each good
/// for the name alone that it was given under (RFC 6066, 3) and for as long as that name's trusted roots stay the same.
class tls_context {
public:
  static outcome<std::shared_ptr<const tls_context>> make(const tls_options& options);
  ~tls_context();

  /// The certificate file that a peer naming `server_name` would get at that time: the one with the longest remaining
  /// validity among those for the name that have begun and not expired; of none, the one that expired last.
  const std::string& chosen_file(std::string_view server_name, std::int64_t now_s) const;

  struct impl;
  const impl& inner() const noexcept { return *impl_; }

private:
  explicit tls_context(std::unique_ptr<impl> inner);
  std::unique_ptr<impl> impl_;
};

/// One peer's TLS, server side. Bytes from the peer go in as `in`, which is consumed; bytes for the peer are appended
/// to `out` and must be sent in order, also after a failure (an alert). No call blocks. Not for two threads at once.
///
/// Before the peer's first bytes it is a few words; OpenSSL's session lives during the handshake and, with TLS 1.2,
/// after it; with TLS 1.3 what is left afterwards is `tls_records`.
class tls_session {
public:
  using status = tls_status;
  /// What a call of `read` must have room for.
  static constexpr std::size_t read_bytes_min = tls_records::read_bytes_min;

  /// `domain` chooses the certificate when the peer names none, or none of ours; may be empty.
  tls_session(std::shared_ptr<const tls_context> context, std::string_view domain);
  ~tls_session();
  tls_session(const tls_session&) = delete;
  tls_session& operator=(const tls_session&) = delete;

  status handshake(std::string_view& in, std::string& out);
  /// Decrypts up to `bytes_max` bytes to `to` and sets `got`, which can be more than 0 whatever the status.
  status read(std::string_view& in, char* to, std::size_t bytes_max, std::size_t& got, std::string& out);
  /// Encrypts all of `plain`.
  status write(std::string_view plain, std::string& out);
  /// Says goodbye.
  void close(std::string& out);

  /// Empty after `forget`.
  tls_facts facts() const;
  /// Empty when this session has none of that type, or after `forget`.
  std::string channel_binding(channel_binding_type type) const;
  /// Frees what the two above need.
  void forget() noexcept;
  /// The last failure.
  const std::string& why() const noexcept { return why_; }

  struct notes;

private:
  status fail(int result);
  status fail(const char* why);
  void hand_over(std::string_view written);

  ssl_st* ssl_ = nullptr;
  ssl_ctx_st* chosen_;                         // the context's
  std::shared_ptr<const tls_context> context_; // until the handshake is complete: its callbacks need it; or `forget`
  std::unique_ptr<notes> notes_;               // what TLS 1.3 leaves to know, until `forget`
  std::unique_ptr<tls_records> records_;
  std::string why_;
};

} // namespace xmpp::net
