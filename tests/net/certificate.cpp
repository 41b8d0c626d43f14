#include "net/certificate.hpp"

#include "tests/net/peers.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <fstream>
#include <sys/stat.h>

using namespace xmpp::net;

namespace {

certificate_names dns(std::vector<std::string> names) {
  auto result = certificate_names{};
  result.dns = std::move(names);
  return result;
}

// The names of a certificate with this subjectAltName (in OpenSSL's notation) and a tempting subject.
certificate_names names_with(const char* alternative_names) {
  auto certificate = X509_new();
  X509_set_version(certificate, 2);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>("admin.example"), -1, -1, 0);
  if (alternative_names != nullptr) {
    auto extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_names);
    BOOST_REQUIRE(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  auto result = names_of(*certificate);
  X509_free(certificate);
  return result;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(certificate, certificate_folder)

BOOST_AUTO_TEST_CASE(names_are_read_by_their_type) { // RFC 6120, 13.7.1.4
  auto names = names_with("DNS:Example.COM,DNS:*.example.net,"
                          "otherName:1.3.6.1.5.5.7.8.5;UTF8:juliet@example.com,"
                          "otherName:1.3.6.1.5.5.7.8.7;IA5:_xmpp-server.example.com,"
                          "otherName:1.3.6.1.5.5.7.8.5;IA5:wrong-type.example,"
                          "otherName:1.3.6.1.5.5.7.8.7;UTF8:_xmpp-client.wrong-type.example,"
                          "otherName:1.2.3.4;UTF8:other.example,email:mail@example.com,URI:xmpp:juliet@example.com");
  BOOST_TEST(names.dns == (std::vector<std::string>{"example.com", "*.example.net"}));
  BOOST_TEST(names.xmpp_addresses == (std::vector<std::string>{"juliet@example.com"}));
  BOOST_TEST(names.srv == (std::vector<std::string>{"_xmpp-server.example.com"}));
}

BOOST_AUTO_TEST_CASE(the_subject_is_never_a_name) {
  BOOST_TEST(names_with(nullptr).empty());
  BOOST_TEST(!covers(names_with(nullptr), "admin.example"));
}

BOOST_AUTO_TEST_CASE(names_with_a_zero_byte_are_left_out) {
  auto certificate = X509_new();
  auto names = sk_GENERAL_NAME_new_null();
  auto name = GENERAL_NAME_new();
  auto text = ASN1_IA5STRING_new();
  ASN1_STRING_set(text, "example.com\0.evil.example", 24);
  GENERAL_NAME_set0_value(name, GEN_DNS, text);
  sk_GENERAL_NAME_push(names, name);
  X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0);
  BOOST_TEST(names_of(*certificate).empty());
  GENERAL_NAMES_free(names);
  X509_free(certificate);
}

BOOST_AUTO_TEST_CASE(a_wildcard_stands_for_one_whole_first_label) { // RFC 9525, 6.3
  auto wild = dns({"*.example.com"});
  BOOST_TEST(covers(wild, "a.example.com"));
  BOOST_TEST(covers(wild, "A.Example.COM."));
  BOOST_TEST(!covers(wild, "example.com"));
  BOOST_TEST(!covers(wild, "a.b.example.com"));
  BOOST_TEST(!covers(wild, ".example.com"));
  BOOST_TEST(!covers(dns({"a*.example.com"}), "ab.example.com"));
  BOOST_TEST(!covers(dns({"a.*.com"}), "a.example.com"));
  BOOST_TEST(!covers(dns({"*"}), "example"));
  BOOST_TEST(!covers(dns({"example.com"}), "notexample.com"));
  BOOST_TEST(!covers(dns({"example.com"}), ""));
}

BOOST_AUTO_TEST_CASE(srv_names_count_for_their_service_only) { // RFC 6120, 13.7.2.1
  auto names = certificate_names{};
  names.srv = {"_xmpp-server.example.com"};
  BOOST_TEST(covers(names, "example.com", "xmpp-server"));
  BOOST_TEST(!covers(names, "example.com", "xmpp-client"));
  BOOST_TEST(!covers(names, "example.com"));
}

BOOST_AUTO_TEST_CASE(a_self_signed_certificate_covers_its_domains) {
  auto source = make("x", {"localhost", "chat.example"}, 10);
  auto report = inspect_certificate(source.chain_file, source.key_file);
  BOOST_REQUIRE_MESSAGE(report, report.why());
  BOOST_TEST(covers(report->names, "localhost"));
  BOOST_TEST(covers(report->names, "chat.example", "xmpp-client"));
  BOOST_TEST(report->names.srv.size() == 4u);
  BOOST_TEST(report->has_alternative_names);
  BOOST_TEST(report->key_matches);
  BOOST_TEST(report->is_self_signed);
  BOOST_TEST(!report->key_readable_by_others);
  BOOST_TEST(report->chain_certificates == 1u);
  BOOST_TEST(report->key_type == "EC prime256v1");
  BOOST_TEST(report->subject == "CN=localhost");
  auto now = static_cast<std::int64_t>(std::time(nullptr));
  BOOST_TEST(report->not_before_s <= now);
  BOOST_TEST(std::abs(report->not_after_s - now - 10 * 24 * 3600) < 60);
  struct stat status = {};
  ::stat(source.key_file.c_str(), &status);
  BOOST_TEST((status.st_mode & 0777) == 0600u);
}

BOOST_AUTO_TEST_CASE(another_key_does_not_match) {
  auto a = make("a", {"localhost"});
  auto b = make("b", {"localhost"});
  BOOST_TEST(!inspect_certificate(a.chain_file, b.key_file)->key_matches);
}

BOOST_AUTO_TEST_CASE(a_key_others_may_read_is_reported) {
  auto a = make("a", {"localhost"});
  ::chmod(a.key_file.c_str(), 0644);
  BOOST_TEST(inspect_certificate(a.chain_file, a.key_file)->key_readable_by_others);
}

BOOST_AUTO_TEST_CASE(unreadable_files_are_failures_that_name_them) {
  auto a = make("a", {"localhost"});
  auto missing = path + "/missing";
  BOOST_TEST(inspect_certificate(missing, a.key_file).why().find(missing) != std::string::npos);
  BOOST_TEST(inspect_certificate(a.chain_file, missing).why().find(missing) != std::string::npos);
  std::ofstream{missing} << "no certificate";
  BOOST_TEST(!inspect_certificate(missing, a.key_file));
  BOOST_TEST(!inspect_certificate(a.key_file, a.key_file));
}

BOOST_AUTO_TEST_CASE(a_key_with_a_password_is_refused_without_asking) {
  auto a = make("a", {"localhost"});
  auto key = EVP_EC_gen("P-256");
  auto file = std::fopen(a.key_file.c_str(), "w");
  auto password = std::string{"secret"};
  PEM_write_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), password.data(), static_cast<int>(password.size()), nullptr,
                            nullptr);
  std::fclose(file);
  EVP_PKEY_free(key);
  BOOST_TEST(!inspect_certificate(a.chain_file, a.key_file));
  auto options = tls_options{};
  options.certificates = {a};
  BOOST_TEST(!tls_context::make(options));
}

BOOST_AUTO_TEST_CASE(a_certificate_needs_a_domain) {
  BOOST_TEST(!make_self_signed({}, 1, path + "/c", path + "/k"));
}

BOOST_AUTO_TEST_SUITE_END()
