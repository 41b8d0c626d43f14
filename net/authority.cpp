#include "net/authority.hpp"

#include "net/certificate.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <memory>

namespace xmpp::net {

namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const noexcept {
    Free(x);
  }
};
using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using request_ptr = std::unique_ptr<X509_REQ, freed_by<X509_REQ_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using names_ptr = std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>>;
using store_ptr = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using verification_ptr = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;

constexpr auto pem_bytes_max = std::size_t{16 * 1024};

failure crypto_failure(const std::string& what) {
  return failure{what + ": " + crypto_reason()};
}

// Never asks a terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

/// Null when the text is not of that kind.
template <class Pointer, auto Read>
Pointer read_pem(const std::string& text) {
  if (text.size() > pem_bytes_max)
    return nullptr;
  auto bio = bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  auto result = bio != nullptr ? Pointer{Read(bio.get(), nullptr, no_password, nullptr)} : nullptr;
  ERR_clear_error();
  return result;
}

bool is_ours(EVP_PKEY* key) {
  char group[64] = "";
  auto bytes = std::size_t{0};
  return key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group, sizeof group, &bytes) == 1 && std::string_view{group} == "prime256v1";
}

outcome<x509_ptr> certificate_of(const std::string& text) {
  auto result = read_pem<x509_ptr, PEM_read_bio_X509>(text);
  if (result == nullptr || !is_ours(X509_get0_pubkey(result.get())))
    return failure{"not a certificate with a P-256 key"};
  return result;
}

outcome<key_ptr> private_key_of(const std::string& text) {
  auto result = read_pem<key_ptr, PEM_read_bio_PrivateKey>(text);
  if (!is_ours(result.get()))
    return failure{"not a private P-256 key"};
  return result;
}

outcome<request_ptr> request_of(const std::string& text) {
  auto result = read_pem<request_ptr, PEM_read_bio_X509_REQ>(text);
  auto key = result != nullptr ? X509_REQ_get0_pubkey(result.get()) : nullptr;
  if (!is_ours(key))
    return failure{"not a certificate request with a P-256 key"};
  auto is_signed = X509_REQ_verify(result.get(), key) == 1;
  ERR_clear_error();
  if (!is_signed)
    return failure{"a certificate request that its key did not sign"};
  return result;
}

std::string text_of(BIO& bio) {
  char* data = nullptr;
  auto bytes = BIO_get_mem_data(&bio, &data);
  return {data, static_cast<std::size_t>(bytes)};
}

template <class T>
outcome<std::string> pem_of(T& x, int (*write)(BIO*, const T*)) {
  auto bio = bio_ptr{BIO_new(BIO_s_mem())};
  if (bio == nullptr || write(bio.get(), &x) != 1)
    return crypto_failure("write PEM");
  return text_of(*bio);
}

outcome<std::string> pem_of(EVP_PKEY& key) {
  auto bio = bio_ptr{BIO_new(BIO_s_secmem())};
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return crypto_failure("write a key");
  return text_of(*bio);
}

std::string digest_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  auto bytes = i2d_PUBKEY(key, &der);
  if (bytes <= 0)
    return {};
  auto result = sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(bytes)});
  OPENSSL_free(der);
  return result;
}

bool add_extension(X509& to, X509& issuer, int nid, const char* value) {
  auto context = X509V3_CTX{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &to, nullptr, nullptr, 0);
  auto extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  auto is_added = extension != nullptr && X509_add_ext(&to, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return is_added;
}

bool add_uri(X509& to, const std::string& uri) {
  auto names = names_ptr{sk_GENERAL_NAME_new_null()};
  auto name = GENERAL_NAME_new();
  auto text = ASN1_IA5STRING_new();
  if (names == nullptr || name == nullptr || text == nullptr)
    return false;
  GENERAL_NAME_set0_value(name, GEN_URI, text);
  return sk_GENERAL_NAME_push(names.get(), name) > 0 &&
         ASN1_STRING_set(text, uri.data(), static_cast<int>(uri.size())) == 1 &&
         X509_add1_ext_i2d(&to, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

/// All but the extensions and the signature. Null when OpenSSL fails.
x509_ptr begin_certificate(EVP_PKEY& key, const std::string& common_name, std::int64_t from_s, std::int64_t until_s) {
  auto result = x509_ptr{X509_new()};
  if (result == nullptr)
    return nullptr;
  auto& x = *result;
  auto serial = random_bytes(16);
  serial[0] = static_cast<char>((serial[0] & 0x3f) | 0x40); // Positive and of full length.
  auto number = std::unique_ptr<BIGNUM, freed_by<BN_free>>{
      BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), static_cast<int>(serial.size()), nullptr)};
  auto is_complete = number != nullptr && X509_set_version(&x, X509_VERSION_3) == 1 &&
                     BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&x)) != nullptr &&
                     ASN1_TIME_set(X509_getm_notBefore(&x), from_s) != nullptr &&
                     ASN1_TIME_set(X509_getm_notAfter(&x), until_s) != nullptr &&
                     X509_NAME_add_entry_by_NID(X509_get_subject_name(&x), NID_commonName, MBSTRING_UTF8,
                                                reinterpret_cast<const unsigned char*>(common_name.data()),
                                                static_cast<int>(common_name.size()), -1, 0) == 1 &&
                     X509_set_pubkey(&x, &key) == 1;
  return is_complete ? std::move(result) : nullptr;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  auto parts = std::tm{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
}

} // namespace

outcome<std::string> make_private_key() {
  auto key = key_ptr{EVP_EC_gen("P-256")};
  if (key == nullptr)
    return crypto_failure("make a key");
  return pem_of(*key);
}

outcome<std::string> make_certificate_request(const std::string& private_key) {
  auto key = private_key_of(private_key);
  if (!key)
    return failure{key.why()};
  auto request = request_ptr{X509_REQ_new()};
  if (request == nullptr || X509_REQ_set_version(request.get(), 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key->get()) != 1 ||
      X509_REQ_sign(request.get(), key->get(), EVP_sha256()) <= 0)
    return crypto_failure("make a certificate request");
  return pem_of(*request, PEM_write_bio_X509_REQ);
}

outcome<std::string> key_digest_of_request(const std::string& request) {
  auto read = request_of(request);
  if (!read)
    return failure{read.why()};
  return digest_of(X509_REQ_get0_pubkey(read->get()));
}

outcome<authority> make_authority(const std::string& common_name, std::int64_t from_s, std::int64_t until_s) {
  auto key = key_ptr{EVP_EC_gen("P-256")};
  if (key == nullptr)
    return crypto_failure("make a key");
  auto made = begin_certificate(*key, common_name, from_s, until_s);
  if (made == nullptr || X509_set_issuer_name(made.get(), X509_get_subject_name(made.get())) != 1 ||
      !add_extension(*made, *made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(*made, *made, NID_key_usage, "critical,keyCertSign") ||
      !add_extension(*made, *made, NID_subject_key_identifier, "hash") ||
      X509_sign(made.get(), key.get(), EVP_sha256()) <= 0)
    return crypto_failure("make an authority");
  auto certificate = pem_of(*made, PEM_write_bio_X509);
  auto private_key = pem_of(*key);
  if (!certificate || !private_key)
    return failure{certificate.why() + private_key.why()};
  return authority{*std::move(certificate), *std::move(private_key)};
}

outcome<std::string> issue_certificate(const authority& by, const certificate_order& order) {
  auto issuer = certificate_of(by.certificate);
  auto issuer_key = private_key_of(by.private_key);
  auto request = request_of(order.request);
  for (auto why : {&issuer.why(), &issuer_key.why(), &request.why()})
    if (!why->empty())
      return failure{*why};
  auto& from = **issuer;
  if (X509_check_private_key(&from, issuer_key->get()) != 1)
    return crypto_failure("the authority's key is not that of its certificate");
  auto made = begin_certificate(*X509_REQ_get0_pubkey(request->get()), order.common_name, order.from_s, order.until_s);
  if (made == nullptr || X509_set_issuer_name(made.get(), X509_get_subject_name(&from)) != 1 ||
      !add_uri(*made, order.uri) || !add_extension(*made, from, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(*made, from, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(*made, from, NID_ext_key_usage, "serverAuth,clientAuth") ||
      !add_extension(*made, from, NID_subject_key_identifier, "hash") ||
      !add_extension(*made, from, NID_authority_key_identifier, "keyid") ||
      X509_sign(made.get(), issuer_key->get(), EVP_sha256()) <= 0)
    return crypto_failure("issue a certificate");
  return pem_of(*made, PEM_write_bio_X509);
}

outcome<certificate_summary> read_certificate(const std::string& certificate) {
  auto read = certificate_of(certificate);
  if (!read)
    return failure{read.why()};
  auto& x = **read;
  auto result = certificate_summary{};
  result.from_s = seconds_of(X509_get0_notBefore(&x));
  result.until_s = seconds_of(X509_get0_notAfter(&x));
  result.key_digest = digest_of(X509_get0_pubkey(&x));
  auto names = names_ptr{static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&x, NID_subject_alt_name, nullptr, nullptr))};
  if (names != nullptr && sk_GENERAL_NAME_num(names.get()) == 1)
    if (auto name = sk_GENERAL_NAME_value(names.get(), 0); name->type == GEN_URI) {
      auto text = name->d.uniformResourceIdentifier;
      result.uri.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                        static_cast<std::size_t>(ASN1_STRING_length(text)));
    }
  ERR_clear_error(); // A malformed extension reads as no name.
  return result;
}

outcome<certificate_summary> verify_certificate(const std::string& authority_certificate,
                                                const std::string& certificate, std::int64_t now_s) {
  auto root = certificate_of(authority_certificate);
  if (!root)
    return failure{root.why()};
  auto leaf = certificate_of(certificate);
  if (!leaf)
    return failure{leaf.why()};
  for (auto purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT}) {
    auto store = store_ptr{X509_STORE_new()};
    auto verification = verification_ptr{X509_STORE_CTX_new()};
    if (store == nullptr || verification == nullptr || X509_STORE_add_cert(store.get(), root->get()) != 1 ||
        X509_STORE_CTX_init(verification.get(), store.get(), leaf->get(), nullptr) != 1)
      return crypto_failure("verify a certificate");
    auto parameters = X509_STORE_CTX_get0_param(verification.get());
    X509_VERIFY_PARAM_set_time(parameters, now_s);
    X509_VERIFY_PARAM_set_purpose(parameters, purpose);
    auto is_good = X509_verify_cert(verification.get()) == 1;
    auto code = X509_STORE_CTX_get_error(verification.get());
    ERR_clear_error();
    if (!is_good)
      return failure{X509_verify_cert_error_string(code)};
  }
  return read_certificate(certificate);
}

outcome<void> check_private_key(const std::string& private_key, const std::string& certificate) {
  auto key = private_key_of(private_key);
  if (!key)
    return failure{key.why()};
  auto read = certificate_of(certificate);
  if (!read)
    return failure{read.why()};
  auto is_good = X509_check_private_key(read->get(), key->get()) == 1;
  ERR_clear_error();
  return is_good ? outcome<void>{} : outcome<void>{failure{"the key is not that of the certificate"}};
}

outcome<std::string> fingerprint_of(const std::string& certificate) {
  auto read = certificate_of(certificate);
  if (!read)
    return failure{read.why()};
  auto digest = std::array<unsigned char, 32>{};
  auto bytes = 0u;
  if (X509_digest(read->get(), EVP_sha256(), digest.data(), &bytes) != 1)
    return crypto_failure("make a fingerprint");
  auto result = std::string{};
  for (auto byte : digest) {
    result += "0123456789abcdef"[byte >> 4];
    result += "0123456789abcdef"[byte & 15];
  }
  return result;
}

std::string sha256(std::string_view bytes) {
  auto digest = std::string(32, '\0');
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha256(),
                 nullptr) != 1)
    std::abort();
  return digest;
}

std::string random_bytes(std::size_t count) {
  auto result = std::string(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(result.data()), static_cast<int>(count)) != 1)
    std::abort();
  return result;
}

bool is_equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace xmpp::net
