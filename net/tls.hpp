// TLS: certificates by name, and a session as a machine of bytes in, bytes out. Knows no sockets.
#pragma once

#include "net/certificate.hpp"
#include "net/outcome.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st;

namespace xmpp::net {

/// The keys that protect session tickets; made and replaced by themselves. Share one among contexts that follow each
/// other, so that a reload of certificates keeps peers' sessions resumable.
class ticket_keys;
std::shared_ptr<ticket_keys> make_ticket_keys(std::uint32_t rotate_after_s = 12 * 3600);

struct certificate_source {
  std::vector<std::string> domains; ///< Served with this certificate; empty: the DNS names in it.
  std::string chain_file;           ///< PEM, own certificate first.
  std::string key_file;             ///< PEM
};

enum class client_certificates : std::uint8_t {
  ignore,
  request, ///< Ask; go on without, or with one that is not trusted: `tls_facts` tells.
};

struct tls_options {
  std::vector<certificate_source> certificates; ///< The first one is for names that nobody has, and for no name.
  std::vector<std::string> applications = {
      "xmpp-client"}; ///< ALPN: refused when the peer offers only others; empty: ignored.
  client_certificates clients = client_certificates::ignore;
  std::string trusted_roots_file;            ///< PEM, for peers' certificates; empty: the system's.
  bool accepts_any_key_usage = false;        ///< Server certificates count for clients too (between servers).
  std::string groups = "X25519:P-256:P-384"; ///< Key exchange, in OpenSSL's notation; the first is the cheapest.
  std::shared_ptr<ticket_keys> tickets;      ///< Null: new ones.
};

/// Everything sessions share. Never changes: to reload, make another and use it for what connects from then on.
/// TLS 1.2 and 1.3, ECDHE with AEAD only; no renegotiation, no compression, no early data; stateless tickets.
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
class tls_session {
public:
  enum class status : std::uint8_t {
    ok,        ///< Done; there may be more.
    want_more, ///< `in` is used up.
    closed,    ///< The peer sent its close_notify.
    failed,    ///< The session is lost; `why` tells.
  };

  /// Null when out of memory. `domain` chooses the certificate when the peer names none; may be empty.
  static std::unique_ptr<tls_session> accept(std::shared_ptr<const tls_context> context, std::string_view domain);
  ~tls_session();

  status handshake(std::string_view& in, std::string& out);
  /// Decrypts up to `bytes_max` bytes to `to` and sets `got`, which can be more than 0 whatever the status.
  status read(std::string_view& in, char* to, std::size_t bytes_max, std::size_t& got, std::string& out);
  /// Encrypts all of `plain`.
  status write(std::string_view plain, std::string& out);
  /// Says goodbye.
  void close(std::string& out);

  tls_facts facts() const;
  /// Empty when this session has none of that type.
  std::string channel_binding(channel_binding_type type) const;
  /// The last failure.
  std::string why() const { return why_; }

private:
  tls_session() = default;
  status fail(int result);

  ssl_st* ssl_ = nullptr;
  std::shared_ptr<const tls_context> context_; // until the handshake is complete: its callbacks need it
  std::string why_;
};

} // namespace xmpp::net
