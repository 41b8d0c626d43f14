#include "cluster/identity.hpp"

#include "net/socket.hpp"
#include "persistence/codec.hpp"
#include "persistence/whole_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace xmpp::cluster {

using net::failure;
using net::outcome;

namespace {

constexpr std::uint8_t authority_version = 1;
constexpr auto heading = std::string_view{"troupe identity 1\n"};
constexpr auto name_prefix = std::string_view{"troupe:"};
constexpr auto day_s = std::int64_t{24 * 3600};
constexpr auto file_bytes_max = std::size_t{64 * 1024};

failure system_failure(const std::string& what) {
  auto code = errno;
  return failure{what + ": " + std::generic_category().message(code)};
}

/// Takes `prefix`, 16 digits and a line's end from the front; 0 stands for none.
std::optional<std::uint64_t> take_id_line(std::string_view& text, std::string_view prefix) {
  auto bytes = prefix.size() + 17;
  if (text.size() < bytes || !text.starts_with(prefix) || text[bytes - 1] != '\n')
    return std::nullopt;
  auto digits = text.substr(prefix.size(), 16);
  text.remove_prefix(bytes);
  return digits == id_text(0) ? 0 : parse_id(digits);
}

/// Takes one PEM block of that kind from the front; empty when there is none.
std::string take_block(std::string_view& text, const std::string& kind) {
  auto end = "-----END " + kind + "-----\n";
  auto at = text.find(end);
  if (!text.starts_with("-----BEGIN " + kind + "-----\n") || at == std::string_view::npos)
    return {};
  auto block = std::string{text.substr(0, at + end.size())};
  text.remove_prefix(block.size());
  return block;
}

} // namespace

std::uint64_t make_id() {
  for (;;) {
    auto id = std::uint64_t{0};
    auto bytes = net::random_bytes(sizeof id);
    std::memcpy(&id, bytes.data(), sizeof id);
    if (id != 0)
      return id;
  }
}

std::string id_text(std::uint64_t id) {
  auto out = std::string(16, '0');
  for (auto i = out.rbegin(); i != out.rend(); ++i, id >>= 4)
    *i = "0123456789abcdef"[id & 15];
  return out;
}

std::optional<std::uint64_t> parse_id(std::string_view text) {
  auto id = std::uint64_t{0};
  for (auto c : text) {
    auto digit = std::string_view{"0123456789abcdef"}.find(c);
    if (digit == std::string_view::npos)
      return std::nullopt;
    id = id << 4 | digit;
  }
  if (text.size() != 16 || id == 0)
    return std::nullopt;
  return id;
}

std::string node_name::text() const {
  return std::string{name_prefix} + id_text(cluster) + "/" + id_text(node);
}

std::optional<node_name> node_name::parse(std::string_view text) {
  if (text.size() != name_prefix.size() + 33 || !text.starts_with(name_prefix) || text[name_prefix.size() + 16] != '/')
    return std::nullopt;
  text.remove_prefix(name_prefix.size());
  auto cluster = parse_id(text.substr(0, 16));
  auto node = parse_id(text.substr(17));
  if (!cluster || !node)
    return std::nullopt;
  return node_name{*cluster, *node};
}

// -- the cluster's authority ------------------------------------------------------------------------------------------

std::string cluster_authority::encode() const {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(authority_version);
  to.fixed64(cluster);
  to.string(pair.certificate);
  to.string(pair.private_key);
  return out;
}

std::optional<cluster_authority> cluster_authority::decode(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = cluster_authority{};
  auto version = in.byte();
  out.cluster = in.fixed64();
  out.pair.certificate = in.string();
  out.pair.private_key = in.string();
  if (!in.finished() || version != authority_version || out.cluster == 0 ||
      !net::check_private_key(out.pair.private_key, out.pair.certificate))
    return std::nullopt;
  return out;
}

outcome<cluster_authority> make_cluster_authority(std::int64_t now_s) {
  auto result = cluster_authority{make_id(), {}};
  auto pair = net::make_authority("Troupe cluster " + id_text(result.cluster), now_s - clock_skew_s,
                                  now_s + authority_days * day_s);
  if (!pair)
    return failure{pair.why()};
  result.pair = *std::move(pair);
  return result;
}

outcome<std::string> issue(const cluster_authority& by, node_id node, const std::string& request, std::int64_t now_s,
                           std::int64_t valid_s) {
  if (node == 0 || by.cluster == 0)
    return failure{"a certificate needs a node and a cluster"};
  auto order = net::certificate_order{};
  order.request = request;
  order.common_name = "Troupe node " + id_text(node);
  order.uri = node_name{by.cluster, node}.text();
  order.from_s = now_s - clock_skew_s;
  order.until_s = now_s + valid_s;
  return net::issue_certificate(by.pair, order);
}

outcome<std::string> issue_again(const cluster_authority& by, const std::string& certificate,
                                 const std::string& request, std::int64_t now_s, std::int64_t valid_s) {
  auto name = verify(by.cluster, by.pair.certificate, certificate, now_s);
  if (!name)
    return failure{name.why()};
  return issue(by, name->node, request, now_s, valid_s);
}

outcome<node_name> verify(cluster_id cluster, const std::string& authority_certificate, const std::string& certificate,
                          std::int64_t now_s) {
  auto read = net::verify_certificate(authority_certificate, certificate, now_s);
  if (!read)
    return failure{"the certificate is refused: " + read.why()};
  auto name = node_name::parse(read->uri);
  if (!name)
    return failure{"the certificate names no node"};
  if (name->cluster != cluster)
    return failure{"the certificate is for cluster " + id_text(name->cluster)};
  return *name;
}

// -- a node -----------------------------------------------------------------------------------------------------------

std::string identity::encode() const {
  auto out = std::string{heading};
  out += "node " + id_text(node) + "\ncluster " + id_text(cluster) + "\n";
  return out + private_key + certificate + authority_certificate;
}

outcome<identity> identity::decode(std::string_view text) {
  auto out = identity{};
  if (!text.starts_with(heading))
    return failure{"it does not begin with \"troupe identity 1\""};
  text.remove_prefix(heading.size());
  auto node = take_id_line(text, "node ");
  auto cluster = take_id_line(text, "cluster ");
  if (!node || *node == 0 || !cluster)
    return failure{"it has no node and cluster"};
  out.node = *node;
  out.cluster = *cluster;
  out.private_key = take_block(text, "PRIVATE KEY");
  if (auto made = net::make_certificate_request(out.private_key); !made)
    return failure{made.why()};
  if (out.cluster != 0) {
    out.certificate = take_block(text, "CERTIFICATE");
    out.authority_certificate = take_block(text, "CERTIFICATE");
    if (auto checked = net::check_private_key(out.private_key, out.certificate); !checked)
      return failure{checked.why()};
    // Expired or not: that is for whoever uses it, to say so or to have it renewed.
    auto read = net::read_certificate(out.certificate);
    if (!read)
      return failure{read.why()};
    auto name = verify(out.cluster, out.authority_certificate, out.certificate, read->until_s - 1);
    if (!name)
      return failure{name.why()};
    if (*name != out.name())
      return failure{"the certificate is for node " + id_text(name->node)};
  }
  if (!text.empty())
    return failure{"there is more behind its end"};
  return out;
}

outcome<identity> make_identity() {
  auto key = net::make_private_key();
  if (!key)
    return failure{key.why()};
  auto out = identity{};
  out.node = make_id();
  out.private_key = *std::move(key);
  return out;
}

outcome<std::string> request_of(const identity& who) {
  return net::make_certificate_request(who.private_key);
}

outcome<identity> admitted(const identity& who, cluster_id cluster, const std::string& authority_certificate,
                           const std::string& certificate, std::int64_t now_s) {
  auto name = verify(cluster, authority_certificate, certificate, now_s);
  if (!name)
    return failure{name.why()};
  if (name->node != who.node)
    return failure{"the certificate is for node " + id_text(name->node)};
  if (auto checked = net::check_private_key(who.private_key, certificate); !checked)
    return failure{checked.why()};
  auto out = who;
  out.cluster = cluster;
  out.certificate = certificate;
  out.authority_certificate = authority_certificate;
  return out;
}

outcome<identity> renewed(const identity& who, const cluster_authority& by, std::int64_t now_s, std::int64_t valid_s) {
  auto request = request_of(who);
  if (!request)
    return failure{request.why()};
  auto certificate = issue(by, who.node, *request, now_s, valid_s);
  if (!certificate)
    return failure{certificate.why()};
  return admitted(who, by.cluster, by.pair.certificate, *certificate, now_s);
}

bool is_due_for_renewal(const identity& who, std::int64_t now_s) {
  auto read = net::read_certificate(who.certificate);
  return read && (read->until_s - now_s) * 3 < read->until_s - read->from_s;
}

// -- on disk ----------------------------------------------------------------------------------------------------------

std::filesystem::path identity_file(const std::filesystem::path& data_folder) {
  return data_folder / "cluster" / "identity";
}

outcome<void> save(const std::filesystem::path& data_folder, const identity& who) {
  auto file = identity_file(data_folder);
  auto done = make_folder(file.parent_path());
  if (done)
    done = replace_file(file, who.encode());
  if (!done)
    return failure{done.error().text};
  return {};
}

outcome<std::optional<identity>> load(const std::filesystem::path& data_folder) {
  auto file = identity_file(data_folder);
  auto what = "read " + file.string();
  auto fd = net::unique_fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!fd && errno == ENOENT)
    return std::optional<identity>{};
  struct stat status = {};
  if (!fd || ::fstat(fd.get(), &status) != 0)
    return system_failure(what);
  if (!S_ISREG(status.st_mode))
    return failure{what + ": it is no regular file"};
  if ((status.st_mode & 077) != 0)
    return failure{what + ": others may read it; its mode has to be 0600"};
  auto text = std::string(file_bytes_max, '\0');
  auto size = std::size_t{0};
  while (size < text.size()) {
    auto n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno != EINTR)
      return system_failure(what);
    if (n == 0)
      break;
    size += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  auto read = identity::decode(std::string_view{text}.substr(0, size));
  if (!read)
    return failure{what + ": " + read.why()};
  return std::optional<identity>{*std::move(read)};
}

} // namespace xmpp::cluster
