#include "net/mutual_tls.hpp"

#include "net/authority.hpp"
#include "net/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <new>
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
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;

/// A peer shows two, of less than a KiB each.
constexpr auto peer_chain_bytes_max = 16 * 1024;

failure crypto_failure(const std::string& what) {
  return failure{what + ": " + crypto_reason()};
}

int no_password(char*, int, int, void*) {
  return 0;
}

bio_ptr bio_of(const std::string& text) {
  return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

std::string pem_of(const X509* x) {
  auto bio = bio_ptr{BIO_new(BIO_s_mem())};
  if (x == nullptr || bio == nullptr || PEM_write_bio_X509(bio.get(), x) != 1)
    return {};
  char* data = nullptr;
  auto bytes = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(bytes)};
}

/// As in RFC 7301, 3.1.
std::string on_wire(const std::string& name) {
  return std::string(1, static_cast<char>(name.size())) + name;
}

} // namespace

struct mutual_tls_context::impl {
  context_ptr client;
  context_ptr server;
  mutual_tls_options options; ///< Without the key.
};

namespace {

using impl = mutual_tls_context::impl;

// Comes before the server asks for a certificate: so it may decide not to.
int on_applications(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                    unsigned offered_bytes, void* raw) {
  auto& options = static_cast<const impl*>(raw)->options;
  for (auto name : {&options.application, &options.open_application}) {
    if (name->empty())
      continue;
    auto ours = on_wire(*name);
    unsigned char* found = nullptr;
    unsigned char bytes = 0;
    if (SSL_select_next_proto(&found, &bytes, reinterpret_cast<const unsigned char*>(ours.data()),
                              static_cast<unsigned>(ours.size()), offered, offered_bytes) != OPENSSL_NPN_NEGOTIATED)
      continue;
    // In the client's own bytes, which live longer than ours.
    for (auto i = 0u; i < offered_bytes; i += 1u + offered[i])
      if (std::string_view{reinterpret_cast<const char*>(offered) + i + 1, offered[i]} == *name) {
        *chosen = offered + i + 1;
        *chosen_bytes = offered[i];
      }
    if (name == &options.open_application)
      SSL_set_verify(ssl, SSL_VERIFY_NONE, nullptr);
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL; // no_application_protocol
}

// Who knows the authority by its fingerprint alone takes it from what the peer shows.
int on_peer_chain(X509_STORE_CTX* chain, void* raw) {
  auto& wanted = static_cast<const impl*>(raw)->options.authority_fingerprint;
  auto shown = X509_STORE_CTX_get0_untrusted(chain);
  auto roots = sk_X509_new_null();
  for (auto i = 0; i < sk_X509_num(shown); ++i) {
    auto x = sk_X509_value(shown, i);
    if (auto fingerprint = fingerprint_of(pem_of(x)); fingerprint && *fingerprint == wanted)
      sk_X509_push(roots, x);
  }
  X509_STORE_CTX_set0_trusted_stack(chain, roots);
  auto is_good = X509_verify_cert(chain) == 1;
  X509_STORE_CTX_set0_trusted_stack(chain, nullptr);
  sk_X509_free(roots);
  if (!is_good && X509_STORE_CTX_get_error(chain) == X509_V_OK)
    X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
  return is_good ? 1 : 0;
}

outcome<context_ptr> make_context(const impl& inner, const mutual_tls_options& options, bool is_server) {
  auto context = context_ptr{SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method())};
  if (context == nullptr)
    return crypto_failure("make a TLS context");
  auto x = context.get();
  SSL_CTX_set_options(x, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(x, 0);
  SSL_CTX_set_max_cert_list(x, peer_chain_bytes_max);
  SSL_CTX_set_default_passwd_cb(x, no_password);
  if (SSL_CTX_set_min_proto_version(x, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(x, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384") != 1 ||
      SSL_CTX_set1_groups_list(x, "X25519:P-256") != 1)
    return crypto_failure("set up TLS");
  SSL_CTX_set_verify(x, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  if (!options.certificate.empty()) {
    auto certificate = x509_ptr{PEM_read_bio_X509(bio_of(options.certificate).get(), nullptr, no_password, nullptr)};
    auto key = key_ptr{PEM_read_bio_PrivateKey(bio_of(options.private_key).get(), nullptr, no_password, nullptr)};
    if (certificate == nullptr || key == nullptr || SSL_CTX_use_certificate(x, certificate.get()) != 1 ||
        SSL_CTX_use_PrivateKey(x, key.get()) != 1 || SSL_CTX_check_private_key(x) != 1)
      return crypto_failure("use the certificate and its key");
  }
  if (!options.authority_certificate.empty()) {
    auto root = x509_ptr{PEM_read_bio_X509(bio_of(options.authority_certificate).get(), nullptr, no_password, nullptr)};
    auto store = store_ptr{X509_STORE_new()};
    if (root == nullptr || store == nullptr || X509_STORE_add_cert(store.get(), root.get()) != 1 ||
        (!options.certificate.empty() && SSL_CTX_add1_chain_cert(x, root.get()) != 1))
      return crypto_failure("use the authority's certificate");
    SSL_CTX_set1_cert_store(x, store.get());
  } else {
    SSL_CTX_set_cert_verify_callback(x, on_peer_chain, const_cast<impl*>(&inner));
  }
  if (is_server) {
    SSL_CTX_set_alpn_select_cb(x, on_applications, const_cast<impl*>(&inner));
  } else if (auto name = on_wire(options.application);
             SSL_CTX_set_alpn_protos(x, reinterpret_cast<const unsigned char*>(name.data()),
                                     static_cast<unsigned>(name.size())) != 0) {
    return crypto_failure("set the application");
  }
  return context;
}

} // namespace

// -- context ----------------------------------------------------------------------------------------------------------

mutual_tls_context::mutual_tls_context(std::unique_ptr<impl> inner) : impl_(std::move(inner)) {}

mutual_tls_context::~mutual_tls_context() = default;

outcome<std::shared_ptr<const mutual_tls_context>> mutual_tls_context::make(const mutual_tls_options& options) {
  if (options.application.empty() || options.application.size() > 255 || options.open_application.size() > 255 ||
      (options.authority_certificate.empty() && options.authority_fingerprint.empty()))
    return failure{"TLS needs an authority and an application"};
  auto inner = std::make_unique<impl>();
  inner->options = options;
  inner->options.private_key.clear();
  auto client = make_context(*inner, options, false);
  if (!client)
    return failure{client.why()};
  inner->client = *std::move(client);
  if (!options.certificate.empty()) {
    auto server = make_context(*inner, options, true);
    if (!server)
      return failure{server.why()};
    inner->server = *std::move(server);
  }
  return std::shared_ptr<const mutual_tls_context>{new mutual_tls_context{std::move(inner)}};
}

// -- session ----------------------------------------------------------------------------------------------------------

mutual_tls::mutual_tls(std::shared_ptr<const mutual_tls_context> context, side which, std::int64_t now_s)
    : context_(std::move(context)) {
  auto& inner = context_->inner();
  auto shared = which == side::server ? inner.server.get() : inner.client.get();
  if (shared == nullptr) {
    why_ = "no certificate to show";
    return;
  }
  ssl_ = SSL_new(shared);
  auto in = BIO_new(BIO_s_mem());
  auto out = BIO_new(BIO_s_mem());
  if (ssl_ == nullptr || in == nullptr || out == nullptr)
    throw std::bad_alloc{};
  BIO_set_mem_eof_return(in, -1); // An empty one is no end.
  SSL_set_bio(ssl_, in, out);
  X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl_), now_s);
  if (which == side::server)
    SSL_set_accept_state(ssl_);
  else
    SSL_set_connect_state(ssl_);
}

mutual_tls::~mutual_tls() {
  SSL_free(ssl_);
}

void mutual_tls::feed(std::string_view in) {
  if (ERR_peek_error() != 0)
    ERR_clear_error();
  if (!in.empty())
    BIO_write(SSL_get_rbio(ssl_), in.data(), static_cast<int>(in.size()));
}

void mutual_tls::drain(std::string& out) {
  auto bio = SSL_get_wbio(ssl_);
  char* data = nullptr;
  if (auto bytes = BIO_get_mem_data(bio, &data); bytes > 0) {
    out.append(data, static_cast<std::size_t>(bytes));
    static_cast<void>(BIO_reset(bio));
  }
}

mutual_tls::status mutual_tls::settle(int result) {
  switch (SSL_get_error(ssl_, result)) {
  case SSL_ERROR_NONE:
    return status::ok;
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE:
    return status::want_more;
  case SSL_ERROR_ZERO_RETURN:
    return status::closed;
  default:
    break;
  }
  why_ = crypto_reason();
  if (auto code = SSL_get_verify_result(ssl_); code != X509_V_OK)
    why_ += std::string{" ("} + X509_verify_cert_error_string(code) + ")";
  return status::failed;
}

mutual_tls::status mutual_tls::handshake(std::string_view in, std::string& out) {
  if (ssl_ == nullptr)
    return status::failed;
  feed(in);
  auto result = settle(SSL_do_handshake(ssl_));
  drain(out);
  if (result != status::ok)
    return result;
  const unsigned char* chosen = nullptr;
  auto bytes = 0u;
  SSL_get0_alpn_selected(ssl_, &chosen, &bytes);
  if (bytes == 0) { // The peer offered nothing, or took nothing up.
    why_ = "no application was agreed on";
    return status::failed;
  }
  return status::ok;
}

mutual_tls::status mutual_tls::read(std::string_view in, char* to, std::size_t bytes_max, std::size_t& got,
                                    std::string& out) {
  got = 0;
  if (ssl_ == nullptr)
    return status::failed;
  feed(in);
  auto result = settle(SSL_read_ex(ssl_, to, bytes_max, &got));
  drain(out);
  return result;
}

mutual_tls::status mutual_tls::write(std::string_view plain, std::string& out) {
  if (ssl_ == nullptr)
    return status::failed;
  feed({});
  records_ += plain.size() / SSL3_RT_MAX_PLAIN_LENGTH + 1;
  if (records_ > context_->inner().options.records_per_key && SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
    records_ = 0;
  auto written = std::size_t{0};
  auto result = plain.empty() ? status::ok : settle(SSL_write_ex(ssl_, plain.data(), plain.size(), &written));
  drain(out);
  return result;
}

void mutual_tls::close(std::string& out) {
  if (ssl_ == nullptr)
    return;
  feed({});
  SSL_shutdown(ssl_);
  if (ERR_peek_error() != 0)
    ERR_clear_error();
  drain(out);
}

bool mutual_tls::is_open() const {
  const unsigned char* chosen = nullptr;
  auto bytes = 0u;
  if (ssl_ != nullptr)
    SSL_get0_alpn_selected(ssl_, &chosen, &bytes);
  auto& open = context_->inner().options.open_application;
  return !open.empty() && std::string_view{reinterpret_cast<const char*>(chosen), bytes} == open;
}

std::string mutual_tls::peer_certificate() const {
  // Also with the open application, where nobody asked for one and nobody looked at it: none then.
  return ssl_ == nullptr || is_open() ? std::string{} : pem_of(SSL_get0_peer_certificate(ssl_));
}

std::string mutual_tls::authority_certificate() const {
  auto& options = context_->inner().options;
  if (!options.authority_certificate.empty() || ssl_ == nullptr)
    return options.authority_certificate;
  auto shown = SSL_get0_verified_chain(ssl_);
  auto count = sk_X509_num(shown);
  return count > 0 ? pem_of(sk_X509_value(shown, count - 1)) : std::string{};
}

} // namespace xmpp::net
