// What certificates say: names, validity, identities of peers; and making one to start with.
#pragma once

#include "net/outcome.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

struct x509_st;

namespace xmpp::net {

/// The names in a certificate's subjectAltName, read from ASN.1 only: nothing is ever taken from the subject's text.
/// Strings that hold a zero byte or are not of the type their OID demands are left out.
struct certificate_names {
  std::vector<std::string> dns;            ///< dNSName, lower case; may start with `*.`
  std::vector<std::string> srv;            ///< id-on-dnsSRV (RFC 4985), such as `_xmpp-client.example.com`
  std::vector<std::string> xmpp_addresses; ///< id-on-xmppAddr (RFC 6120, 13.7.1.4), as given, not prepared
  bool empty() const noexcept { return dns.empty() && srv.empty() && xmpp_addresses.empty(); }
};

/// Of a certificate in OpenSSL's form.
certificate_names names_of(const x509_st& certificate);

/// Whether a certificate with these names is one for `domain` (A-labels, any case): an equal name, `*.` in place of its
/// first label only (RFC 9525, 6.3), `_<service>.<domain>` among the SRV names, or an equal xmppAddr.
/// `service`: `xmpp-client`, `xmpp-server`, ...; empty: SRV names don't count.
bool covers(const certificate_names& names, std::string_view domain, std::string_view service = {});

/// What OpenSSL's error queue says, in words; it is empty afterwards. Of a file that could not be had, the system's
/// reason (`Permission denied`), which is not the newest there.
std::string crypto_reason();

/// A certificate file and its key as `troupe check` sees them.
struct certificate_report {
  certificate_names names;
  std::int64_t not_before_s = 0; ///< Seconds since 1970.
  std::int64_t not_after_s = 0;
  bool has_alternative_names = false; ///< No subjectAltName: clients refuse it.
  bool key_matches = false;
  bool key_readable_by_others = false;
  bool is_self_signed = false;
  unsigned chain_certificates = 0; ///< In the file, the first included.
  std::string subject;             ///< For display only.
  std::string issuer;              ///< For display only.
  std::string key_type;            ///< Such as `EC prime256v1` or `RSA 2048`.
};

/// Fails when something stands there that is no file, such as a pipe: reading it might never end.
outcome<void> check_regular_file(const std::string& file);

/// Reads a PEM chain and its PEM key. Fails when either can't be read or parsed.
outcome<certificate_report> inspect_certificate(const std::string& chain_file, const std::string& key_file);

/// Makes an ECDSA P-256 key (file mode 0600) and a certificate for these domains, signed by itself: dNSName and, for
/// each, the SRV names of xmpp-client and xmpp-server. Existing files are replaced.
outcome<void> make_self_signed(const std::vector<std::string>& domains, unsigned days,
                               const std::string& certificate_file, const std::string& key_file);

enum class channel_binding_type : std::uint8_t {
  tls_exporter,         ///< RFC 9266; with TLS 1.2 only under the extended master secret.
  tls_server_end_point, ///< RFC 5929, 4
  tls_unique,           ///< RFC 5929, 3; TLS 1.2 with the extended master secret only.
};

/// Version and cipher suite in four bytes, as TLS numbers them; for whoever has to keep them for each connection.
struct tls_choice {
  std::uint16_t version = 0; ///< 0: no TLS.
  std::uint16_t suite = 0;
  /// `TLSv1.3 TLS_AES_128_GCM_SHA256`; a suite that we do not offer by its number.
  std::string text() const;
};

/// What a finished handshake settled.
struct tls_facts {
  tls_choice choice;
  std::string version;     ///< `TLSv1.3`
  std::string cipher;      ///< `TLS_AES_128_GCM_SHA256`
  std::string server_name; ///< The name the peer asked for (SNI), lower case; may be empty.
  std::string application; ///< The protocol agreed on (ALPN), often empty.
  bool is_resumed = false;
  bool has_peer_certificate = false;
  bool peer_chain_verified = false; ///< Up to a trusted root and within its dates; says nothing about names.
  /// The domains whose trusted roots these are; empty when not verified.
  std::vector<std::string> peer_verified_for;
  certificate_names peer_names; ///< Of the peer's certificate, verified or not.
};

} // namespace xmpp::net
