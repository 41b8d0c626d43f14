// TLS between machines that belong together: both sides show a certificate of one private authority. Bytes in, bytes
// out; knows no sockets.
//
// TLS 1.3 only, no tickets, no early data, no resumption. What the two are to each other is agreed on by name (ALPN),
// so that who speaks something else fails at once, and so that a service may let those in who have no certificate yet.
#pragma once

#include "net/outcome.hpp"
#include "net/tls_records.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;

namespace xmpp::net {

struct mutual_tls_options {
  std::string certificate; ///< PEM; empty with `private_key`: none to show (a client only).
  std::string private_key; ///< PEM
  /// PEM: the only root, also shown to peers. Empty: the one with `authority_fingerprint` that the peer shows.
  std::string authority_certificate;
  std::string authority_fingerprint; ///< As of `fingerprint_of`.
  std::string application;           ///< The name to agree on, under which both sides show certificates.
  /// Accepted too, by a server, from clients that show none. Empty: nobody is.
  std::string open_application = {};
  /// Sent under one key before the next (RFC 8446, 5.5): a connection may last for months.
  std::uint32_t records_per_key = 1u << 22;
};

/// What sessions share. Never changes: after a renewal make another for what connects from then on.
class mutual_tls_context {
public:
  static outcome<std::shared_ptr<const mutual_tls_context>> make(const mutual_tls_options& options);
  ~mutual_tls_context();

  struct impl;
  const impl& inner() const noexcept { return *impl_; }

private:
  explicit mutual_tls_context(std::unique_ptr<impl> inner);
  std::unique_ptr<impl> impl_;
};

/// One connection's. No call blocks. Bytes from the peer go in as `in`, all of which is taken; bytes for the peer are
/// appended to `out` and must be sent in order, also after a failure (an alert). Not for two threads at once.
class mutual_tls {
public:
  enum class side : std::uint8_t { client, server };
  using status = tls_status;

  /// Certificates are judged as of `now_s`.
  mutual_tls(std::shared_ptr<const mutual_tls_context> context, side which, std::int64_t now_s);
  ~mutual_tls();
  mutual_tls(const mutual_tls&) = delete;
  mutual_tls& operator=(const mutual_tls&) = delete;

  status handshake(std::string_view in, std::string& out);
  /// Decrypts up to `bytes_max` bytes to `to` and sets `got`. Call it again, with nothing, until `want_more`.
  status read(std::string_view in, char* to, std::size_t bytes_max, std::size_t& got, std::string& out);
  /// Encrypts all of `plain`.
  status write(std::string_view plain, std::string& out);
  /// Says goodbye.
  void close(std::string& out);

  // -- once the handshake is complete --
  /// What was agreed on is `open_application`; the peer showed no certificate.
  bool is_open() const;
  /// PEM of the peer's certificate, which the authority issued; empty: none.
  std::string peer_certificate() const;
  /// PEM of the authority's certificate as the peer showed it or as it was given.
  std::string authority_certificate() const;
  /// The last failure.
  const std::string& why() const noexcept { return why_; }

private:
  void feed(std::string_view in);
  void drain(std::string& out);
  status settle(int result);

  std::shared_ptr<const mutual_tls_context> context_;
  ssl_st* ssl_ = nullptr;
  std::uint64_t records_ = 0; // under this key
  std::string why_;
};

} // namespace xmpp::net
