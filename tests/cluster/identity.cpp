#include "cluster/identity.hpp"

#include "tests/persistence/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/stat.h>

using namespace xmpp;
using namespace xmpp::cluster;

namespace {

constexpr auto now_s = std::int64_t{1'800'000'000};
constexpr auto day_s = std::int64_t{24 * 3600};

template <class T>
T value_of(net::outcome<T> x) {
  BOOST_REQUIRE_MESSAGE(x, x.why());
  return *std::move(x);
}

cluster_authority authority_of_a_cluster() {
  return value_of(make_cluster_authority(now_s));
}

identity member_of(const cluster_authority& by) {
  auto fresh = value_of(make_identity());
  auto certificate = value_of(issue(by, fresh.node, value_of(request_of(fresh)), now_s));
  return value_of(admitted(fresh, by.cluster, by.pair.certificate, certificate, now_s));
}

/// A request that asks for another node's name, as its subject and in an extension.
std::string request_with_other_names(const std::string& private_key, const std::string& uri) {
  auto bio = BIO_new_mem_buf(private_key.data(), int(private_key.size()));
  auto key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  auto request = X509_REQ_new();
  X509_REQ_set_version(request, 0);
  auto subject = X509_REQ_get_subject_name(request);
  X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(uri.data()),
                             int(uri.size()), -1, 0);
  X509_REQ_set_pubkey(request, key);
  auto extensions = sk_X509_EXTENSION_new_null();
  sk_X509_EXTENSION_push(extensions,
                         X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("URI:" + uri).c_str()));
  sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE"));
  X509_REQ_add_extensions(request, extensions);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  X509_REQ_sign(request, key, EVP_sha256());
  auto out = BIO_new(BIO_s_mem());
  PEM_write_bio_X509_REQ(out, request);
  char* data = nullptr;
  auto bytes = BIO_get_mem_data(out, &data);
  auto text = std::string{data, std::size_t(bytes)};
  BIO_free(out);
  X509_REQ_free(request);
  EVP_PKEY_free(key);
  return text;
}

std::string content_of(const std::filesystem::path& file) {
  auto in = std::ifstream{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status = {};
  BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

} // namespace

BOOST_AUTO_TEST_SUITE(identity_)

BOOST_AUTO_TEST_CASE(ids_are_16_digits_and_never_zero) {
  BOOST_TEST(id_text(0x1a) == "000000000000001a");
  BOOST_TEST(parse_id("00000000000000ff").value() == 255u);
  for (auto bad :
       {"", "ff", "0000000000000000", "00000000000000FF", "00000000000000fg", "000000000000000ff", " 0000000000000ff"})
    BOOST_TEST(!parse_id(bad), bad);
  BOOST_TEST(make_id() != make_id());
}

BOOST_AUTO_TEST_CASE(names_have_one_form) {
  auto name = node_name{1, 2};
  BOOST_TEST(name.text() == "troupe:0000000000000001/0000000000000002");
  BOOST_TEST((node_name::parse(name.text()) == name));
  for (auto bad :
       {"", "troupe:", "troupe:0000000000000001-0000000000000002", "Troupe:0000000000000001/0000000000000002",
        "troupe:0000000000000001/0000000000000000", "troupe:0000000000000001/00000000000000021"})
    BOOST_TEST(!node_name::parse(bad), bad);
}

BOOST_AUTO_TEST_CASE(a_node_is_admitted_with_the_certificate_that_was_issued_for_it) {
  auto by = authority_of_a_cluster();
  auto who = member_of(by);
  BOOST_TEST(who.is_member());
  BOOST_TEST((value_of(verify(by.cluster, by.pair.certificate, who.certificate, now_s)) == who.name()));
}

BOOST_AUTO_TEST_CASE(a_certificate_of_another_cluster_is_refused) {
  auto ours = authority_of_a_cluster();
  auto who = member_of(authority_of_a_cluster());
  BOOST_TEST(!verify(ours.cluster, ours.pair.certificate, who.certificate, now_s));
  BOOST_TEST(!verify(who.cluster, ours.pair.certificate, who.certificate, now_s));
  // The same authority, but another cluster's name in it.
  BOOST_TEST(!verify(who.cluster + 1, who.authority_certificate, who.certificate, now_s));
}

BOOST_AUTO_TEST_CASE(an_authority_is_no_node) {
  auto by = authority_of_a_cluster();
  BOOST_TEST(!verify(by.cluster, by.pair.certificate, by.pair.certificate, now_s));
}

BOOST_AUTO_TEST_CASE(a_node_issues_nothing) {
  auto by = authority_of_a_cluster();
  auto who = member_of(by);
  auto pretender = cluster_authority{by.cluster, {who.certificate, who.private_key}};
  auto fresh = value_of(make_identity());
  auto certificate = value_of(issue(pretender, fresh.node, value_of(request_of(fresh)), now_s));
  BOOST_TEST(!verify(by.cluster, by.pair.certificate, certificate, now_s));
  BOOST_TEST(!verify(by.cluster, who.certificate, certificate, now_s));
}

BOOST_AUTO_TEST_CASE(a_certificate_with_the_wrong_node_in_it_is_refused) {
  auto by = authority_of_a_cluster();
  auto fresh = value_of(make_identity());
  auto certificate = value_of(issue(by, fresh.node + 1, value_of(request_of(fresh)), now_s));
  BOOST_TEST(!admitted(fresh, by.cluster, by.pair.certificate, certificate, now_s));
}

BOOST_AUTO_TEST_CASE(a_certificate_for_another_key_is_refused) {
  auto by = authority_of_a_cluster();
  auto fresh = value_of(make_identity());
  auto other = value_of(make_identity());
  auto certificate = value_of(issue(by, fresh.node, value_of(request_of(other)), now_s));
  BOOST_TEST(!admitted(fresh, by.cluster, by.pair.certificate, certificate, now_s));
}

BOOST_AUTO_TEST_CASE(an_expired_certificate_is_refused_and_one_that_has_not_begun_too) {
  auto by = authority_of_a_cluster();
  auto who = member_of(by);
  auto is_good = [&](std::int64_t when_s) {
    return bool{verify(by.cluster, by.pair.certificate, who.certificate, when_s)};
  };
  BOOST_TEST(is_good(now_s - clock_skew_s + 1)); // a member whose clock is behind
  BOOST_TEST(!is_good(now_s - clock_skew_s - 1));
  BOOST_TEST(is_good(now_s + certificate_valid_s - 1));
  BOOST_TEST(!is_good(now_s + certificate_valid_s + 1));
}

BOOST_AUTO_TEST_CASE(names_in_a_request_count_for_nothing) {
  auto by = authority_of_a_cluster();
  auto victim = member_of(by);
  auto fresh = value_of(make_identity());
  auto request = request_with_other_names(fresh.private_key, victim.name().text());
  auto certificate = value_of(issue(by, fresh.node, request, now_s));
  auto name = value_of(verify(by.cluster, by.pair.certificate, certificate, now_s));
  BOOST_TEST(name.node == fresh.node);
  BOOST_TEST(value_of(net::read_certificate(certificate)).uri == node_name({by.cluster, fresh.node}).text());
  // Nor has it become an authority.
  auto pretender = cluster_authority{by.cluster, {certificate, fresh.private_key}};
  auto further = value_of(issue(pretender, victim.node, value_of(request_of(fresh)), now_s));
  BOOST_TEST(!verify(by.cluster, by.pair.certificate, further, now_s));
}

BOOST_AUTO_TEST_CASE(a_request_proves_its_key) {
  auto fresh = value_of(make_identity());
  auto request = value_of(request_of(fresh));
  BOOST_TEST(value_of(net::key_digest_of_request(request)).size() == 32u);
  auto tried = 0, refused = 0;
  for (auto i = std::size_t{40}; i + 40 < request.size(); ++i) {
    auto changed = request;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    ++tried;
    refused += net::key_digest_of_request(changed) ? 0 : 1;
  }
  BOOST_TEST(refused == tried);
}

BOOST_AUTO_TEST_CASE(a_member_is_renewed_before_the_last_third_is_over) {
  auto by = authority_of_a_cluster();
  auto who = member_of(by);
  BOOST_TEST(!is_due_for_renewal(who, now_s));
  BOOST_TEST(!is_due_for_renewal(who, now_s + 59 * day_s));
  auto later_s = now_s + 61 * day_s;
  BOOST_TEST(is_due_for_renewal(who, later_s));
  BOOST_TEST(is_due_for_renewal(who, now_s + 1000 * day_s));
  auto again = value_of(renewed(who, by, later_s));
  BOOST_TEST(again.node == who.node);
  BOOST_TEST(again.certificate != who.certificate);
  BOOST_TEST(!is_due_for_renewal(again, later_s + 59 * day_s));
  BOOST_TEST(!is_due_for_renewal(value_of(make_identity()), later_s));
  auto short_lived = value_of(renewed(who, by, later_s, 3 * 3600)); // It begins an hour before.
  BOOST_TEST(!is_due_for_renewal(short_lived, later_s + 90 * 60));
  BOOST_TEST(is_due_for_renewal(short_lived, later_s + 110 * 60));
}

BOOST_AUTO_TEST_CASE(another_member_renews_a_certificate_that_is_still_good) {
  auto by = authority_of_a_cluster();
  auto who = member_of(by);
  auto request = value_of(request_of(who));
  auto certificate = value_of(issue_again(by, who.certificate, request, now_s + 89 * day_s));
  BOOST_TEST((value_of(verify(by.cluster, by.pair.certificate, certificate, now_s + 100 * day_s)) == who.name()));
  BOOST_TEST(!issue_again(by, who.certificate, request, now_s + 91 * day_s));
  BOOST_TEST(!issue_again(by, member_of(authority_of_a_cluster()).certificate, request, now_s));
}

BOOST_AUTO_TEST_CASE(an_authority_travels_as_bytes) {
  auto by = authority_of_a_cluster();
  auto bytes = by.encode();
  auto back = cluster_authority::decode(bytes);
  BOOST_REQUIRE(back);
  BOOST_TEST(back->cluster == by.cluster);
  BOOST_TEST(back->pair.certificate == by.pair.certificate);
  BOOST_TEST(back->pair.private_key == by.pair.private_key);
  for (auto size = std::size_t{0}; size < bytes.size(); size += 7)
    BOOST_TEST(!cluster_authority::decode(std::string_view{bytes}.substr(0, size)));
  BOOST_TEST(!cluster_authority::decode(bytes + "x"));
  auto mixed = cluster_authority{by.cluster, {by.pair.certificate, authority_of_a_cluster().pair.private_key}};
  BOOST_TEST(!cluster_authority::decode(mixed.encode()));
}

BOOST_AUTO_TEST_CASE(an_identity_is_what_it_was_after_a_save_and_a_load) {
  auto in = test::temporary_folder{};
  BOOST_TEST(!value_of(load(in.path())));
  auto fresh = value_of(make_identity());
  value_of(net::outcome<bool>{bool{save(in.path(), fresh)}});
  BOOST_TEST(value_of(load(in.path()))->encode() == fresh.encode());
  auto who = member_of(authority_of_a_cluster());
  BOOST_TEST(bool{save(in.path(), who)});
  auto back = value_of(load(in.path()));
  BOOST_TEST(back->encode() == who.encode());
  BOOST_TEST((back->name() == who.name()));
  BOOST_TEST(mode_of(in.path() / "cluster") == 0700u);
  BOOST_TEST(mode_of(identity_file(in.path())) == 0600u);
  BOOST_TEST(!std::filesystem::exists(identity_file(in.path()).string() + ".new"));
}

BOOST_AUTO_TEST_CASE(what_a_crash_left_behind_is_no_obstacle) {
  auto in = test::temporary_folder{};
  auto who = value_of(make_identity());
  BOOST_TEST(bool{save(in.path(), who)});
  std::ofstream{identity_file(in.path()).string() + ".new"} << "half";
  BOOST_TEST(value_of(load(in.path()))->node == who.node);
  BOOST_TEST(bool{save(in.path(), who)});
  BOOST_TEST(value_of(load(in.path()))->node == who.node);
}

BOOST_AUTO_TEST_CASE(an_identity_that_others_may_read_is_refused) {
  auto in = test::temporary_folder{};
  BOOST_TEST(bool{save(in.path(), value_of(make_identity()))});
  ::chmod(identity_file(in.path()).c_str(), 0640);
  auto read = load(in.path());
  BOOST_TEST(!read);
  BOOST_TEST(read.why().find("0600") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_text_that_is_no_identity_is_refused_and_stays) {
  auto by = authority_of_a_cluster();
  auto who = member_of(by);
  auto text = who.encode();
  BOOST_TEST(bool{identity::decode(text)});
  for (auto size = std::size_t{0}; size < text.size(); size += 13)
    BOOST_TEST(!identity::decode(std::string_view{text}.substr(0, size)), size);
  BOOST_TEST(!identity::decode(text + "\n"));
  BOOST_TEST(!identity::decode(who.private_key));
  auto other = who;
  other.node = who.node ^ 1;
  BOOST_TEST(!identity::decode(other.encode()));
  other = who;
  other.cluster = who.cluster ^ 1;
  BOOST_TEST(!identity::decode(other.encode()));
  other = who;
  other.private_key = value_of(make_identity()).private_key;
  BOOST_TEST(!identity::decode(other.encode()));
  other = who;
  other.authority_certificate = authority_of_a_cluster().pair.certificate;
  BOOST_TEST(!identity::decode(other.encode()));

  auto in = test::temporary_folder{};
  BOOST_TEST(bool{save(in.path(), who)});
  std::filesystem::resize_file(identity_file(in.path()), 100);
  BOOST_TEST(!load(in.path()));
  BOOST_TEST(content_of(identity_file(in.path())) == text.substr(0, 100));
}

BOOST_AUTO_TEST_CASE(garbage_is_no_certificate_no_key_and_no_request) {
  auto by = authority_of_a_cluster();
  auto who = member_of(by);
  auto rsa_like = std::string{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
  for (auto& bad : {std::string{}, std::string{"x"}, std::string(100'000, 'A'), std::string("\0\0", 2), rsa_like,
                    who.certificate.substr(0, 200), who.private_key + std::string(20'000, '\n')}) {
    BOOST_TEST(!verify(by.cluster, by.pair.certificate, bad, now_s));
    BOOST_TEST(!verify(by.cluster, bad, who.certificate, now_s));
    BOOST_TEST(!issue(by, 1, bad, now_s));
    BOOST_TEST(!net::make_certificate_request(bad));
    BOOST_TEST(!net::fingerprint_of(bad));
    BOOST_TEST(!identity::decode(bad));
    BOOST_TEST(!cluster_authority::decode(bad));
  }
  BOOST_TEST(!issue(by, 0, value_of(request_of(who)), now_s));
  BOOST_TEST(!issue(by, 1, who.certificate, now_s));
}

BOOST_AUTO_TEST_SUITE_END()
