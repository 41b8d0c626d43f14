#include "net/certificate.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

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
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using names_ptr = std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>>;
using object_ptr = std::unique_ptr<ASN1_OBJECT, freed_by<ASN1_OBJECT_free>>;

constexpr auto oid_xmpp_address = "1.3.6.1.5.5.7.8.5";
constexpr auto oid_dns_srv = "1.3.6.1.5.5.7.8.7";

failure crypto_failure(const std::string& what) {
  return failure{what + ": " + crypto_reason()};
}

failure system_failure(const std::string& what) {
  auto code = errno;
  return failure{what + ": " + std::generic_category().message(code)};
}

// Never asks a terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

std::string lower(std::string_view text) {
  auto result = std::string{text};
  for (auto& c : result)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string_view view_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

bool is_sound(std::string_view name) {
  return !name.empty() && name.find('\0') == std::string_view::npos;
}

std::string text_of(const ASN1_OBJECT* object) {
  char text[80] = "";
  OBJ_obj2txt(text, sizeof text, object, 1);
  return text;
}

std::string text_of(const X509_NAME* name) {
  auto bio = bio_ptr{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* data = nullptr;
  auto bytes = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(bytes)};
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  auto parts = std::tm{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
}

std::string type_of(EVP_PKEY* key) {
  char group[64] = "";
  auto bytes = std::size_t{0};
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, group, sizeof group, &bytes) == 1)
    return std::string{"EC "} + group;
  auto name = EVP_PKEY_get0_type_name(key);
  return (name != nullptr ? name : "unknown") + (" " + std::to_string(EVP_PKEY_get_bits(key)));
}

void add_name(GENERAL_NAMES& names, int type, void* value) {
  auto name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, type, value);
  sk_GENERAL_NAME_push(&names, name);
}

ASN1_IA5STRING* ia5(const std::string& text) {
  auto string = ASN1_IA5STRING_new();
  ASN1_STRING_set(string, text.data(), static_cast<int>(text.size()));
  return string;
}

void add_srv_name(GENERAL_NAMES& names, const std::string& text) {
  auto other = OTHERNAME_new();
  ASN1_OBJECT_free(other->type_id);
  other->type_id = OBJ_txt2obj(oid_dns_srv, 1);
  ASN1_TYPE_set(other->value, V_ASN1_IA5STRING, ia5(text));
  add_name(names, GEN_OTHERNAME, other);
}

bool add_extension(X509& certificate, int nid, const char* value) {
  auto context = X509V3_CTX{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &certificate, &certificate, nullptr, nullptr, 0);
  auto extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  auto is_added = extension != nullptr && X509_add_ext(&certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return is_added;
}

x509_ptr make_certificate(EVP_PKEY& key, const std::vector<std::string>& domains, unsigned days) {
  auto certificate = x509_ptr{X509_new()};
  auto& x = *certificate;
  auto serial = std::array<unsigned char, 16>{};
  if (RAND_bytes(serial.data(), serial.size()) != 1)
    return nullptr;
  serial[0] = static_cast<unsigned char>((serial[0] & 0x3f) | 0x40); // Positive and of full length.
  auto number = std::unique_ptr<BIGNUM, freed_by<BN_free>>{BN_bin2bn(serial.data(), serial.size(), nullptr)};
  auto names = names_ptr{sk_GENERAL_NAME_new_null()};
  for (auto& domain : domains) {
    add_name(*names, GEN_DNS, ia5(domain));
    add_srv_name(*names, "_xmpp-client." + domain);
    add_srv_name(*names, "_xmpp-server." + domain);
  }
  auto subject = X509_get_subject_name(&x);
  auto common_name = domains.front().substr(0, 64); // For people only; its upper bound is X.520's.
  // A clock that is a little behind must not refuse us.
  auto is_complete = X509_set_version(&x, X509_VERSION_3) == 1 &&
                     BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&x)) &&
                     X509_gmtime_adj(X509_getm_notBefore(&x), -3600) != nullptr &&
                     X509_time_adj_ex(X509_getm_notAfter(&x), static_cast<int>(days), 0, nullptr) != nullptr &&
                     X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                                reinterpret_cast<const unsigned char*>(common_name.data()),
                                                static_cast<int>(common_name.size()), -1, 0) == 1 &&
                     X509_set_issuer_name(&x, subject) == 1 && X509_set_pubkey(&x, &key) == 1 &&
                     X509_add1_ext_i2d(&x, NID_subject_alt_name, names.get(), 0, 0) == 1 &&
                     add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
                     add_extension(x, NID_key_usage, "critical,digitalSignature") &&
                     add_extension(x, NID_ext_key_usage, "serverAuth,clientAuth") &&
                     add_extension(x, NID_subject_key_identifier, "hash") && X509_sign(&x, &key, EVP_sha256()) > 0;
  if (!is_complete)
    return nullptr;
  return certificate;
}

// Under its final name a file is always whole.
outcome<void> write_file(const std::string& file, BIO& content, unsigned mode) {
  char* data = nullptr;
  auto bytes = BIO_get_mem_data(&content, &data);
  auto draft = file + ".new";
  ::unlink(draft.c_str());
  auto fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0)
    return system_failure("create " + draft);
  auto is_written = ::write(fd, data, static_cast<std::size_t>(bytes)) == bytes && ::fsync(fd) == 0;
  auto why = system_failure("write " + draft);
  ::close(fd);
  if (!is_written) {
    ::unlink(draft.c_str());
    return why;
  }
  if (::rename(draft.c_str(), file.c_str()) != 0)
    return system_failure("rename to " + file);
  return {};
}

} // namespace

certificate_names names_of(const x509_st& certificate) {
  auto result = certificate_names{};
  auto names =
      names_ptr{static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (auto i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    auto name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      if (auto text = view_of(name->d.dNSName); is_sound(text))
        result.dns.push_back(lower(text));
    } else if (name->type == GEN_OTHERNAME) {
      auto value = name->d.otherName->value;
      auto oid = text_of(name->d.otherName->type_id);
      if (oid == oid_xmpp_address && value->type == V_ASN1_UTF8STRING) {
        if (auto text = view_of(value->value.utf8string); is_sound(text))
          result.xmpp_addresses.emplace_back(text);
      } else if (oid == oid_dns_srv && value->type == V_ASN1_IA5STRING) {
        if (auto text = view_of(value->value.ia5string); is_sound(text))
          result.srv.push_back(lower(text));
      }
    }
  }
  ERR_clear_error(); // A malformed extension reads as no names.
  return result;
}

bool covers(const certificate_names& names, std::string_view domain, std::string_view service) {
  auto wanted = lower(domain);
  if (!wanted.empty() && wanted.back() == '.')
    wanted.pop_back();
  if (wanted.empty())
    return false;
  auto has = [](const std::vector<std::string>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
  };
  if (has(names.dns, wanted))
    return true;
  if (auto dot = wanted.find('.'); dot != std::string::npos && dot > 0 && has(names.dns, "*" + wanted.substr(dot)))
    return true;
  if (!service.empty() && has(names.srv, "_" + lower(service) + "." + wanted))
    return true;
  return std::any_of(names.xmpp_addresses.begin(), names.xmpp_addresses.end(),
                     [&](const std::string& x) { return lower(x) == wanted; });
}

std::string crypto_reason() {
  auto newest = 0ul;
  auto of_system = 0;
  while (auto code = ERR_get_error()) {
    newest = code;
    if (ERR_SYSTEM_ERROR(code))
      of_system = ERR_GET_REASON(code);
  }
  if (of_system != 0)
    return std::generic_category().message(of_system);
  auto reason = ERR_reason_error_string(newest);
  return reason != nullptr ? reason : "unknown cryptographic error";
}

outcome<void> check_regular_file(const std::string& file) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    return failure{"read " + file + ": it is no regular file"};
  return {}; // Who opens it says what else is wrong.
}

outcome<certificate_report> inspect_certificate(const std::string& chain_file, const std::string& key_file) {
  auto report = certificate_report{};
  for (auto& file : {chain_file, key_file})
    if (auto checked = check_regular_file(file); !checked)
      return failure{checked.why()};
  auto chain = bio_ptr{BIO_new_file(chain_file.c_str(), "r")};
  if (chain == nullptr)
    return crypto_failure("open " + chain_file);
  auto first = x509_ptr{PEM_read_bio_X509(chain.get(), nullptr, no_password, nullptr)};
  if (first == nullptr)
    return crypto_failure("read a certificate from " + chain_file);
  report.chain_certificates = 1;
  while (x509_ptr{PEM_read_bio_X509(chain.get(), nullptr, no_password, nullptr)})
    ++report.chain_certificates;
  ERR_clear_error(); // The end of the file.
  auto key_bio = bio_ptr{BIO_new_file(key_file.c_str(), "r")};
  if (key_bio == nullptr)
    return crypto_failure("open " + key_file);
  auto key = key_ptr{PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_password, nullptr)};
  if (key == nullptr)
    return crypto_failure("read a key without password from " + key_file);
  report.names = names_of(*first);
  report.has_alternative_names = X509_get_ext_by_NID(first.get(), NID_subject_alt_name, -1) >= 0;
  report.not_before_s = seconds_of(X509_get0_notBefore(first.get()));
  report.not_after_s = seconds_of(X509_get0_notAfter(first.get()));
  report.key_matches = X509_check_private_key(first.get(), key.get()) == 1;
  report.is_self_signed = X509_self_signed(first.get(), 0) == 1;
  report.subject = text_of(X509_get_subject_name(first.get()));
  report.issuer = text_of(X509_get_issuer_name(first.get()));
  report.key_type = type_of(key.get());
  struct stat status = {};
  report.key_readable_by_others = ::stat(key_file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
  ERR_clear_error();
  return report;
}

outcome<void> make_self_signed(const std::vector<std::string>& domains, unsigned days,
                               const std::string& certificate_file, const std::string& key_file) {
  if (domains.empty())
    return failure{"a certificate needs a domain"};
  auto key = key_ptr{EVP_EC_gen("P-256")};
  if (key == nullptr)
    return crypto_failure("make a key");
  auto certificate = make_certificate(*key, domains, days);
  if (certificate == nullptr)
    return crypto_failure("make a certificate");
  auto key_text = bio_ptr{BIO_new(BIO_s_mem())};
  auto certificate_text = bio_ptr{BIO_new(BIO_s_mem())};
  if (PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1)
    return crypto_failure("write PEM");
  if (auto written = write_file(key_file, *key_text, 0600); !written)
    return written;
  return write_file(certificate_file, *certificate_text, 0644);
}

} // namespace xmpp::net
