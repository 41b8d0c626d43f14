#include "net/tls.hpp"

#include "net/ticket_keys.hpp"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <unordered_map>
#include <utility>

namespace xmpp::net {

namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const noexcept {
    Free(x);
  }
};
using context_ptr = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;
using store_ptr = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using cipher_ptr = std::unique_ptr<EVP_CIPHER, freed_by<EVP_CIPHER_free>>;

/// A peer's certificates may take this much before they are refused.
constexpr auto peer_chain_bytes_max = 32 * 1024;
constexpr auto ticket_lifetime_s = 24 * 3600;

std::string reason_of(unsigned long code) {
  auto reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown TLS error";
}

failure crypto_failure(const std::string& what) {
  return failure{what + ": " + crypto_reason()};
}

std::string lower(std::string_view text) {
  auto result = std::string{text};
  for (auto& c : result)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  auto parts = std::tm{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
}

// -- a BIO without memory of its own: what it reads and writes belongs to the call in progress ------------------------

struct bytes_of_call {
  std::string_view* in = nullptr;
  std::string* out = nullptr;
  tls_session::notes* notes = nullptr; // where a handshake's secrets go
};
thread_local bytes_of_call call;

int read_from_call(BIO* self, char* to, int bytes) {
  BIO_clear_retry_flags(self);
  if (call.in == nullptr || call.in->empty()) {
    BIO_set_retry_read(self);
    return -1;
  }
  auto count = std::min(call.in->size(), static_cast<std::size_t>(bytes));
  std::memcpy(to, call.in->data(), count);
  call.in->remove_prefix(count);
  return static_cast<int>(count);
}

int write_to_call(BIO* self, const char* from, int bytes) {
  BIO_clear_retry_flags(self);
  if (call.out != nullptr)
    call.out->append(from, static_cast<std::size_t>(bytes));
  return bytes;
}

long control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* call_method() {
  static const auto method = [] {
    auto self = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bytes of the call");
    BIO_meth_set_read(self, read_from_call);
    BIO_meth_set_write(self, write_to_call);
    BIO_meth_set_ctrl(self, control);
    BIO_meth_set_create(self, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return self;
  }();
  return method;
}

/// Lends a call's bytes to the BIO, and begins with an empty error queue, which OpenSSL demands.
struct lend {
  lend(std::string_view* in, std::string* out, tls_session::notes* notes = nullptr) {
    call = {in, out, notes};
    if (ERR_peek_error() != 0)
      ERR_clear_error();
  }
  ~lend() { call = {}; }
};

} // namespace

/// What is known of a handshake when OpenSSL's session is gone.
struct tls_session::notes {
  tls_secret reading; ///< Only during the handshake.
  tls_secret writing; ///< Likewise.
  tls_secret exporter;
  std::string server_name;
  std::string application;
  bool is_resumed = false;
  bool peer_chain_verified = false;
  std::vector<std::string> peer_verified_for;
  std::unique_ptr<certificate_names> peer_names; ///< Null: no certificate.
  x509_ptr certificate;                          ///< Ours.
};

std::shared_ptr<ticket_keys> make_ticket_keys(std::uint32_t rotate_after_s) {
  return std::make_shared<ticket_keys>(rotate_after_s);
}

// -- context ----------------------------------------------------------------------------------------------------------

using digest = std::array<unsigned char, 32>; // SHA-256

struct tls_context::impl {
  struct certificate {
    context_ptr context;
    std::string file;
    std::vector<std::string> domains;
    digest roots{}; ///< Of the file of trusted roots; zeros for none.
    std::int64_t not_before_s = 0;
    std::int64_t not_after_s = 0;
  };
  std::vector<certificate> certificates;
  std::unordered_map<std::string, std::vector<std::size_t>> by_name; ///< Also `*.` names; "" is the default.
  std::string first_name;
  std::string applications; ///< As on the wire (RFC 7301, 3.1).
  std::shared_ptr<ticket_keys> tickets;
  cipher_ptr ticket_cipher;
  bool accepts_any_key_usage = false;

  const std::vector<std::size_t>* candidates(std::string_view name) const;
  const certificate& best(const std::vector<std::size_t>& among, std::int64_t now_s) const;
  const certificate& choose(std::string_view name, std::int64_t now_s) const;
  const certificate* find(const SSL_CTX* context) const;
  outcome<void> add(const certificate_source& source, const tls_options& options);
};

namespace {

using impl = tls_context::impl;

/// From here on tickets are given and taken for `name` only, and with these roots only: a peer that was verified by
/// others, or for another name, has to show its certificate again.
void bind_tickets(SSL* ssl, std::string_view name, const impl::certificate& chosen) {
  auto bound = std::string{"xmpp "}.append(name).append(1, '\0');
  bound.append(reinterpret_cast<const char*>(chosen.roots.data()), chosen.roots.size());
  auto id = digest{};
  static_assert(std::tuple_size_v<digest> <= SSL_MAX_SID_CTX_LENGTH);
  EVP_Digest(bound.data(), bound.size(), id.data(), nullptr, EVP_sha256(), nullptr);
  SSL_set_session_id_context(ssl, id.data(), static_cast<unsigned>(id.size()));
}

void use(SSL* ssl, const impl::certificate& chosen) {
  auto context = chosen.context.get();
  if (SSL_get_SSL_CTX(ssl) != context)
    SSL_set_SSL_CTX(ssl, context);
  SSL_set_verify(ssl, SSL_CTX_get_verify_mode(context), nullptr); // not part of what the line above takes over
}

/// The name in the extension of RFC 6066, 3; empty when there is none or it is not sound.
std::string_view name_in_hello(SSL* ssl) {
  const unsigned char* bytes = nullptr;
  auto size = std::size_t{0};
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) != 1)
    return {};
  // A list's length, then: the type of one name, its length, itself.
  auto number = [&](std::size_t at) { return std::size_t(bytes[at]) << 8 | bytes[at + 1]; };
  if (size < 5 || number(0) + 2 != size || bytes[2] != TLSEXT_NAMETYPE_host_name || number(3) + 5 != size)
    return {};
  return {reinterpret_cast<const char*>(bytes) + 5, size - 5};
}

// Comes before OpenSSL looks at a ticket, which the callback for the server's name does not.
int on_client_hello(SSL* ssl, int*, void* raw) {
  auto& self = *static_cast<const impl*>(raw);
  auto name = lower(name_in_hello(ssl));
  if (name.empty())
    return SSL_CLIENT_HELLO_SUCCESS;
  auto among = self.candidates(name);
  // An unknown name is no error: what the stream is addressed to decides (RFC 6120, 4.7.2).
  auto chosen = among != nullptr ? &self.best(*among, std::time(nullptr)) : self.find(SSL_get_SSL_CTX(ssl));
  if (chosen == nullptr)
    return SSL_CLIENT_HELLO_SUCCESS;
  use(ssl, *chosen);
  bind_tickets(ssl, name, *chosen);
  return SSL_CLIENT_HELLO_SUCCESS;
}

int on_server_name(SSL* ssl, int*, void*) {
  return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != nullptr ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int on_applications(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                    unsigned offered_bytes, void* raw) {
  auto& ours = static_cast<const impl*>(raw)->applications;
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_bytes, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), offered, offered_bytes) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL; // no_application_protocol
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypt) {
  auto& self = *static_cast<const impl*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  using found = ticket_keys::found;
  auto key = ticket_keys::key{};
  auto now_s = static_cast<std::int64_t>(std::time(nullptr));
  auto status = 1;
  if (encrypt != 0) {
    if (!self.tickets->newest(now_s, key) || RAND_bytes(iv, EVP_CIPHER_get_iv_length(self.ticket_cipher.get())) != 1)
      return -1;
    std::memcpy(name, key.name.data(), key.name.size());
  } else {
    auto which = self.tickets->find(now_s, name, key);
    if (which == found::none)
      return 0; // A full handshake then.
    status = which == found::newest ? 1 : 2;
  }
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  if (EVP_CipherInit_ex2(cipher, self.ticket_cipher.get(), key.cipher.data(), iv, encrypt, nullptr) != 1 ||
      EVP_MAC_CTX_set_params(mac, parameters) != 1)
    return -1;
  return status;
}

// Verifies, and goes on whatever comes out: the result stays with the session, also with a resumed one.
int on_peer_chain(X509_STORE_CTX* chain, void* raw) {
  if (static_cast<const impl*>(raw)->accepts_any_key_usage)
    X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(chain), X509_PURPOSE_ANY);
  if (X509_verify_cert(chain) != 1 && X509_STORE_CTX_get_error(chain) == X509_V_OK)
    X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
  ERR_clear_error();
  return 1;
}

unsigned char digit_of(char c) {
  return static_cast<unsigned char>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

// OpenSSL tells a handshake's secrets as lines "LABEL client-random secret", in hexadecimal.
void on_secret(const SSL*, const char* raw) {
  auto line = std::string_view{raw};
  if (call.notes == nullptr)
    return;
  auto secret = line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")   ? &call.notes->reading
                : line.starts_with("SERVER_TRAFFIC_SECRET_0 ") ? &call.notes->writing
                : line.starts_with("EXPORTER_SECRET ")         ? &call.notes->exporter
                                                               : nullptr;
  auto hex = line.substr(line.rfind(' ') + 1);
  if (secret == nullptr || hex.size() / 2 > secret->bytes.size())
    return;
  secret->size = static_cast<std::uint8_t>(hex.size() / 2);
  for (auto i = std::size_t{0}; i < secret->size; ++i)
    secret->bytes[i] = static_cast<unsigned char>(digit_of(hex[2 * i]) << 4 | digit_of(hex[2 * i + 1]));
}

// Never asks a terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

outcome<context_ptr> make_context(const tls_options& options, const impl& inner, X509_STORE* roots) {
  auto context = context_ptr{SSL_CTX_new(TLS_server_method())};
  if (context == nullptr)
    return crypto_failure("make a TLS context");
  auto x = context.get();
  SSL_CTX_set_app_data(x, const_cast<impl*>(&inner));
  SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION);
  SSL_CTX_set_options(x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                             SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_ANTI_REPLAY);
  SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                          SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(x, ticket_lifetime_s);
  SSL_CTX_set_num_tickets(x, 1);
  SSL_CTX_set_max_cert_list(x, peer_chain_bytes_max);
  SSL_CTX_set_default_passwd_cb(x, no_password);
  // RFC 7590 and RFC 9325, 4.2. AES-128 first: the cheapest, and safe.
  if (SSL_CTX_set_cipher_list(x, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
      SSL_CTX_set_ciphersuites(x, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384") != 1)
    return crypto_failure("set ciphers");
  if (SSL_CTX_set1_groups_list(x, options.groups.c_str()) != 1)
    return crypto_failure("set groups " + options.groups);
  SSL_CTX_set_client_hello_cb(x, on_client_hello, const_cast<impl*>(&inner));
  SSL_CTX_set_tlsext_servername_callback(x, on_server_name);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(x, on_ticket);
  if (!options.keeps_openssl_sessions)
    SSL_CTX_set_keylog_callback(x, on_secret);
  if (!inner.applications.empty())
    SSL_CTX_set_alpn_select_cb(x, on_applications, const_cast<impl*>(&inner));
  if (roots != nullptr) {
    SSL_CTX_set1_cert_store(x, roots);
    SSL_CTX_set_verify(x, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(x, on_peer_chain, const_cast<impl*>(&inner));
  }
  return context;
}

outcome<store_ptr> make_roots(const certificate_source& source) {
  auto roots = store_ptr{};
  if (source.clients == client_certificates::ignore)
    return roots;
  if (auto checked = check_regular_file(source.trusted_roots_file); !checked)
    return failure{checked.why()};
  roots.reset(X509_STORE_new());
  auto is_loaded = source.trusted_roots_file.empty()
                       ? X509_STORE_set_default_paths(roots.get())
                       : X509_STORE_load_file(roots.get(), source.trusted_roots_file.c_str());
  if (is_loaded != 1)
    return crypto_failure("read trusted roots " + source.trusted_roots_file);
  return roots;
}

digest digest_of_file(const std::string& file) {
  auto result = digest{};
  auto in = std::ifstream{file, std::ios::binary};
  auto bytes = std::string{std::istreambuf_iterator<char>{in}, {}};
  EVP_Digest(bytes.data(), bytes.size(), result.data(), nullptr, EVP_sha256(), nullptr);
  return result;
}

} // namespace

outcome<void> check_trusted_roots(const std::string& file) {
  auto source = certificate_source{};
  source.clients = client_certificates::request;
  source.trusted_roots_file = file;
  auto loaded = make_roots(source);
  return loaded ? outcome<void>{} : outcome<void>{failure{loaded.why()}};
}

const std::vector<std::size_t>* tls_context::impl::candidates(std::string_view name) const {
  if (auto i = by_name.find(std::string{name}); i != by_name.end())
    return &i->second;
  if (auto dot = name.find('.'); dot != std::string_view::npos)
    if (auto i = by_name.find("*" + std::string{name.substr(dot)}); i != by_name.end())
      return &i->second;
  return nullptr;
}

const tls_context::impl::certificate& tls_context::impl::best(const std::vector<std::size_t>& among,
                                                              std::int64_t now_s) const {
  auto rank = [&](std::size_t i) {
    auto& x = certificates[i];
    return std::pair{x.not_before_s <= now_s && now_s <= x.not_after_s, x.not_after_s};
  };
  auto i = std::max_element(among.begin(), among.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
  return certificates[*i];
}

const tls_context::impl::certificate& tls_context::impl::choose(std::string_view name, std::int64_t now_s) const {
  auto among = candidates(lower(name));
  return best(among != nullptr ? *among : by_name.at({}), now_s);
}

const tls_context::impl::certificate* tls_context::impl::find(const SSL_CTX* context) const {
  auto i = std::find_if(certificates.begin(), certificates.end(),
                        [&](const certificate& x) { return x.context.get() == context; });
  return i != certificates.end() ? &*i : nullptr;
}

outcome<void> tls_context::impl::add(const certificate_source& source, const tls_options& options) {
  for (auto& file : {source.chain_file, source.key_file})
    if (auto checked = check_regular_file(file); !checked)
      return checked;
  auto roots = make_roots(source);
  if (!roots)
    return failure{roots.why()};
  auto context = make_context(options, *this, roots->get());
  if (!context)
    return failure{context.why()};
  auto x = context->get();
  if (SSL_CTX_use_certificate_chain_file(x, source.chain_file.c_str()) != 1)
    return crypto_failure("read certificate " + source.chain_file);
  if (SSL_CTX_use_PrivateKey_file(x, source.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return crypto_failure("read key " + source.key_file);
  if (SSL_CTX_check_private_key(x) != 1)
    return crypto_failure("key " + source.key_file + " does not belong to " + source.chain_file);
  auto leaf = SSL_CTX_get0_certificate(x);
  auto domains = source.domains.empty() ? names_of(*leaf).dns : source.domains;
  auto index = certificates.size();
  for (auto& domain : domains)
    by_name[lower(domain)].push_back(index);
  if (index == 0)
    first_name = domains.empty() ? std::string{} : lower(domains.front());
  for (auto& domain : domains)
    domain = lower(domain);
  certificates.push_back({std::move(*context), source.chain_file, std::move(domains),
                          *roots != nullptr ? digest_of_file(source.trusted_roots_file) : digest{},
                          seconds_of(X509_get0_notBefore(leaf)), seconds_of(X509_get0_notAfter(leaf))});
  return {};
}

outcome<std::shared_ptr<const tls_context>> tls_context::make(const tls_options& options) {
  if (options.certificates.empty())
    return failure{"TLS needs a certificate"};
  auto inner = std::make_unique<impl>();
  for (auto& name : options.applications) {
    inner->applications += static_cast<char>(name.size());
    inner->applications += name;
  }
  inner->tickets = options.tickets != nullptr ? options.tickets : make_ticket_keys();
  inner->ticket_cipher.reset(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
  if (inner->ticket_cipher == nullptr)
    return crypto_failure("find AES-256-CBC");
  inner->accepts_any_key_usage = options.accepts_any_key_usage;
  for (auto& source : options.certificates)
    if (auto added = inner->add(source, options); !added)
      return failure{added.why()};
  auto own = inner->by_name.find(inner->first_name);
  inner->by_name[{}] = own != inner->by_name.end() ? own->second : std::vector<std::size_t>{0};
  return std::shared_ptr<const tls_context>{new tls_context{std::move(inner)}};
}

tls_context::tls_context(std::unique_ptr<impl> inner) : impl_(std::move(inner)) {}

tls_context::~tls_context() = default;

const std::string& tls_context::chosen_file(std::string_view server_name, std::int64_t now_s) const {
  return impl_->choose(server_name, now_s).file;
}

// -- session ----------------------------------------------------------------------------------------------------------

namespace {

// How many records these bytes are, or nothing when they are not whole protected records only.
std::optional<std::uint64_t> count_protected(std::string_view bytes) {
  auto count = std::uint64_t{0};
  for (; bytes.size() >= 5 && bytes[0] == SSL3_RT_APPLICATION_DATA; ++count) {
    auto length =
        static_cast<std::size_t>(static_cast<unsigned char>(bytes[3])) << 8 | static_cast<unsigned char>(bytes[4]);
    if (bytes.size() < 5 + length)
      break;
    bytes.remove_prefix(5 + length);
  }
  if (!bytes.empty())
    return std::nullopt;
  return count;
}

/// What `set_options` offers; null: something else.
const char* name_of(std::uint16_t suite) {
  switch (suite) {
  case std::uint16_t(tls_suite::aes_128_gcm_sha256):
    return "TLS_AES_128_GCM_SHA256";
  case std::uint16_t(tls_suite::aes_256_gcm_sha384):
    return "TLS_AES_256_GCM_SHA384";
  case std::uint16_t(tls_suite::chacha20_poly1305_sha256):
    return "TLS_CHACHA20_POLY1305_SHA256";
  case 0xc02b:
    return "ECDHE-ECDSA-AES128-GCM-SHA256";
  case 0xc02c:
    return "ECDHE-ECDSA-AES256-GCM-SHA384";
  case 0xc02f:
    return "ECDHE-RSA-AES128-GCM-SHA256";
  case 0xc030:
    return "ECDHE-RSA-AES256-GCM-SHA384";
  case 0xcca8:
    return "ECDHE-RSA-CHACHA20-POLY1305";
  case 0xcca9:
    return "ECDHE-ECDSA-CHACHA20-POLY1305";
  default:
    return nullptr;
  }
}

tls_facts facts_of(SSL* ssl, const tls_context* context) {
  auto result = tls_facts{};
  result.choice = {static_cast<std::uint16_t>(SSL_version(ssl)),
                   SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl))};
  result.version = SSL_get_version(ssl);
  result.cipher = SSL_get_cipher_name(ssl);
  if (auto name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name); name != nullptr)
    result.server_name = lower(name);
  const unsigned char* application = nullptr;
  auto bytes = 0u;
  SSL_get0_alpn_selected(ssl, &application, &bytes);
  if (bytes > 0)
    result.application.assign(reinterpret_cast<const char*>(application), bytes);
  result.is_resumed = SSL_session_reused(ssl) == 1;
  if (auto peer = SSL_get0_peer_certificate(ssl); peer != nullptr) {
    result.has_peer_certificate = true;
    result.peer_chain_verified = SSL_get_verify_result(ssl) == X509_V_OK;
    result.peer_names = names_of(*peer);
    if (result.peer_chain_verified && context != nullptr)
      if (auto used = context->inner().find(SSL_get_SSL_CTX(ssl)); used != nullptr)
        result.peer_verified_for = used->domains;
  }
  return result;
}

} // namespace

std::string tls_choice::text() const {
  if (version == 0)
    return {};
  auto out = std::string{version == TLS1_3_VERSION ? "TLSv1.3 " : "TLSv1.2 "};
  if (auto name = name_of(suite))
    return out + name;
  char number[8];
  std::snprintf(number, sizeof number, "0x%04x", unsigned{suite});
  return out + number;
}

tls_session::tls_session(std::shared_ptr<const tls_context> context, std::string_view domain)
    : chosen_(context->inner().choose(domain, std::time(nullptr)).context.get()), context_(std::move(context)) {}

tls_session::~tls_session() {
  SSL_free(ssl_);
}

tls_session::status tls_session::handshake(std::string_view& in, std::string& out) {
  if (!why_.empty())
    return status::failed;
  if (in.empty())
    return status::want_more;
  if (ssl_ == nullptr) {
    ssl_ = SSL_new(chosen_);
    auto bio = BIO_new(call_method());
    if (ssl_ == nullptr || bio == nullptr) {
      BIO_free(bio);
      return fail("out of memory");
    }
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_accept_state(ssl_);
    if (auto chosen = context_->inner().find(chosen_); chosen != nullptr)
      bind_tickets(ssl_, chosen->domains.empty() ? std::string_view{} : chosen->domains.front(), *chosen);
    notes_ = std::make_unique<notes>();
  }
  auto already = out.size();
  auto lent = lend{&in, &out, notes_.get()};
  if (auto result = SSL_do_handshake(ssl_); result != 1)
    return fail(result);
  hand_over(std::string_view{out}.substr(already));
  // Whose roots vouched for a peer is asked of it later.
  if (ssl_ == nullptr || SSL_get0_peer_certificate(ssl_) == nullptr)
    context_.reset();
  return status::ok;
}

// After a handshake of TLS 1.3, OpenSSL's session gives way to `tls_records`. `written` is what the call that completed
// it wrote: session tickets, which are the first records under the new keys.
void tls_session::hand_over(std::string_view written) {
  auto records = count_protected(written);
  auto can_hand_over = SSL_version(ssl_) == TLS1_3_VERSION && notes_->reading.size != 0 && notes_->writing.size != 0 &&
                       notes_->exporter.size != 0 && SSL_has_pending(ssl_) == 0 && records.has_value();
  if (can_hand_over) {
    auto suite = tls_suite{SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl_))};
    records_ = tls_records::make(suite, notes_->reading, notes_->writing, *records);
  }
  if (records_ == nullptr) {
    notes_.reset();
    return;
  }
  auto facts = facts_of(ssl_, context_.get());
  notes_->reading = {};
  notes_->writing = {};
  notes_->server_name = std::move(facts.server_name);
  notes_->application = std::move(facts.application);
  notes_->is_resumed = facts.is_resumed;
  notes_->peer_chain_verified = facts.peer_chain_verified;
  notes_->peer_verified_for = std::move(facts.peer_verified_for);
  if (facts.has_peer_certificate)
    notes_->peer_names = std::make_unique<certificate_names>(std::move(facts.peer_names));
  if (auto certificate = SSL_get_certificate(ssl_); certificate != nullptr && X509_up_ref(certificate) == 1)
    notes_->certificate.reset(certificate);
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); // It has not failed, its tickets stay good.
  SSL_free(std::exchange(ssl_, nullptr));
}

tls_session::status tls_session::read(std::string_view& in, char* to, std::size_t bytes_max, std::size_t& got,
                                      std::string& out) {
  got = 0;
  if (!why_.empty())
    return status::failed;
  if (records_ != nullptr) {
    auto result = records_->read(in, to, bytes_max, got, out);
    return result == tls_records::status::failed ? fail(records_->why()) : result;
  }
  auto lent = lend{&in, &out};
  while (got < bytes_max) {
    // Asking OpenSSL just to hear that it wants more costs as much as a short record.
    if (in.empty() && SSL_pending(ssl_) == 0)
      return status::want_more;
    auto count = std::size_t{0};
    if (auto result = SSL_read_ex(ssl_, to + got, bytes_max - got, &count); result != 1)
      return fail(result);
    got += count;
  }
  return status::ok;
}

tls_session::status tls_session::write(std::string_view plain, std::string& out) {
  if (!why_.empty())
    return status::failed;
  if (records_ != nullptr)
    return records_->write(plain, out) ? status::ok : fail("encryption failed");
  if (ssl_ == nullptr)
    return fail("write before the handshake");
  auto lent = lend{nullptr, &out};
  while (!plain.empty()) {
    auto count = std::size_t{0};
    if (auto result = SSL_write_ex(ssl_, plain.data(), plain.size(), &count); result != 1) {
      fail(result);
      if (why_.empty())
        why_ = "write before the handshake is complete";
      return status::failed;
    }
    plain.remove_prefix(count);
  }
  return status::ok;
}

void tls_session::close(std::string& out) {
  if (records_ != nullptr)
    return records_->close(out);
  if (!why_.empty() || ssl_ == nullptr || SSL_is_init_finished(ssl_) == 0)
    return;
  auto lent = lend{nullptr, &out};
  SSL_shutdown(ssl_);
}

tls_session::status tls_session::fail(int result) {
  switch (SSL_get_error(ssl_, result)) {
  case SSL_ERROR_WANT_READ:
    return status::want_more;
  case SSL_ERROR_ZERO_RETURN:
    return status::closed;
  default:
    why_ = reason_of(ERR_peek_error());
    ERR_clear_error();
    return status::failed;
  }
}

tls_session::status tls_session::fail(const char* why) {
  why_ = why;
  return status::failed;
}

tls_facts tls_session::facts() const {
  if (ssl_ != nullptr)
    return facts_of(ssl_, context_.get());
  auto result = tls_facts{};
  if (records_ == nullptr || notes_ == nullptr)
    return result;
  result.choice = {TLS1_3_VERSION, std::uint16_t(records_->suite())};
  result.version = "TLSv1.3";
  result.cipher = name_of(result.choice.suite);
  result.server_name = notes_->server_name;
  result.application = notes_->application;
  result.is_resumed = notes_->is_resumed;
  result.has_peer_certificate = notes_->peer_names != nullptr;
  result.peer_chain_verified = notes_->peer_chain_verified;
  result.peer_verified_for = notes_->peer_verified_for;
  if (notes_->peer_names != nullptr)
    result.peer_names = *notes_->peer_names;
  return result;
}

void tls_session::forget() noexcept {
  notes_.reset();
  if (records_ != nullptr || (ssl_ != nullptr && SSL_is_init_finished(ssl_) == 1))
    context_.reset();
}

namespace {

std::string exporter(SSL* ssl) {
  // RFC 9266, 2: the context is present and empty.
  constexpr auto label = std::string_view{"EXPORTER-Channel-Binding"};
  auto result = std::string(32, '\0');
  if (SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(result.data()), result.size(), label.data(),
                                 label.size(), reinterpret_cast<const unsigned char*>(""), 0, 1) != 1)
    result.clear();
  return result;
}

std::string server_end_point(const X509* certificate) {
  auto digest_nid = NID_undef;
  if (certificate == nullptr || OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest_nid, nullptr) != 1)
    return {};
  // RFC 5929, 4.1. A signature without a hash of its own (EdDSA) has no such binding.
  if (digest_nid == NID_md5 || digest_nid == NID_sha1)
    digest_nid = NID_sha256;
  auto digest = EVP_get_digestbynid(digest_nid);
  auto result = std::string(EVP_MAX_MD_SIZE, '\0');
  auto bytes = 0u;
  if (digest == nullptr ||
      X509_digest(certificate, digest, reinterpret_cast<unsigned char*>(result.data()), &bytes) != 1)
    return {};
  result.resize(bytes);
  return result;
}

// The first Finished of the handshake: the client's in a full one, ours in a resumed one. (RFC 5929, 3.1)
std::string first_finished(SSL* ssl) {
  auto result = std::string(EVP_MAX_MD_SIZE, '\0');
  auto bytes = SSL_session_reused(ssl) == 1 ? SSL_get_finished(ssl, result.data(), result.size())
                                            : SSL_get_peer_finished(ssl, result.data(), result.size());
  result.resize(std::min(bytes, result.size()));
  return result;
}

} // namespace

std::string tls_session::channel_binding(channel_binding_type type) const {
  using types = channel_binding_type;
  auto result = std::string{};
  if (records_ != nullptr && notes_ != nullptr) {
    if (type == types::tls_exporter)
      result = exporter_binding(records_->suite(), notes_->exporter);
    else if (type == types::tls_server_end_point)
      result = server_end_point(notes_->certificate.get());
  } else if (ssl_ != nullptr) {
    auto is_newest = SSL_version(ssl_) >= TLS1_3_VERSION;
    // Without it a man in the middle can make two sessions with equal secrets. (RFC 7627, 1)
    auto has_extended_secret = is_newest || SSL_get_extms_support(ssl_) == 1;
    if (type == types::tls_server_end_point)
      result = server_end_point(SSL_get_certificate(ssl_));
    else if (type == types::tls_exporter && has_extended_secret)
      result = exporter(ssl_);
    else if (type == types::tls_unique && has_extended_secret && !is_newest)
      result = first_finished(ssl_);
  }
  ERR_clear_error();
  return result;
}

} // namespace xmpp::net
