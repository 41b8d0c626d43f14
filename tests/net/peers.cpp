#include "tests/net/peers.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/err.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sys/socket.h>
#include <unistd.h>

namespace xmpp::net {

std::uint64_t hand_clock_ms = 1'000'000;

std::uint64_t hand_clock() {
  return hand_clock_ms;
}

void recorder::on_bytes(transport& from, std::string_view bytes) {
  into_->bytes.append(bytes);
  ++into_->reads;
  if (into_->react)
    into_->react(from, bytes);
}

void recorder::on_closed(transport&, close_reason reason, std::string_view detail) {
  into_->closed.push_back(reason);
  into_->detail = detail;
}

std::pair<unique_fd, unique_fd> socket_pair() {
  int fds[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  return {unique_fd{fds[0]}, unique_fd{fds[1]}};
}

connected::connected(const connection_options& options, std::shared_ptr<const tls_context> context) {
  auto [a, b] = socket_pair();
  peer = std::move(b);
  ours =
      connection::start(home, std::move(a), address{}, std::make_unique<recorder>(seen), options, std::move(context));
  BOOST_REQUIRE(ours != nullptr);
}

void connected::settle() {
  for (auto before = home.count().events;;) {
    home.turn(0);
    home.turn(0);
    auto now = home.count().events;
    if (now == before)
      return;
    before = now;
  }
}

bool connected::settle_until(const std::function<bool()>& is_so) {
  for (auto i = 0; i < 100'000; ++i) {
    if (is_so())
      return true;
    home.turn(0);
  }
  return is_so();
}

std::string connected::peer_reads() {
  auto result = std::string{};
  char part[16 * 1024];
  for (;;) {
    auto n = ::recv(peer.get(), part, sizeof part, 0);
    if (n <= 0)
      return result;
    result.append(part, static_cast<std::size_t>(n));
  }
}

void connected::peer_writes(std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
      return;
    bytes.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
    home.turn(0);
  }
}

certificate_folder::certificate_folder() {
  char name[] = "/tmp/troupe-net-XXXXXX";
  path = ::mkdtemp(name);
}

certificate_folder::~certificate_folder() {
  std::filesystem::remove_all(path);
}

certificate_source certificate_folder::make(const std::string& name, const std::vector<std::string>& domains,
                                            unsigned days) {
  auto source = certificate_source{{}, path + "/" + name + ".crt", path + "/" + name + ".key"};
  auto made = make_self_signed(domains, days, source.chain_file, source.key_file);
  BOOST_REQUIRE_MESSAGE(made, made.why());
  return source;
}

std::shared_ptr<const tls_context> context_of(tls_options options) {
  auto made = tls_context::make(options);
  BOOST_REQUIRE_MESSAGE(made, made.why());
  return *made;
}

tls_client::tls_client(connected& link, const options& how) : link_(link) {
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_security_level(context_, 0); // So that old versions are ours to refuse.
  if (how.version_max != 0)
    SSL_CTX_set_max_proto_version(context_, how.version_max);
  SSL_CTX_set_min_proto_version(context_, how.version_min);
  if (!how.certificate_file.empty()) {
    BOOST_REQUIRE(SSL_CTX_use_certificate_chain_file(context_, how.certificate_file.c_str()) == 1);
    BOOST_REQUIRE(SSL_CTX_use_PrivateKey_file(context_, how.key_file.c_str(), SSL_FILETYPE_PEM) == 1);
  }
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, link_.peer.get());
  SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (!how.groups.empty())
    SSL_set1_groups_list(ssl_, how.groups.c_str());
  if (!how.server_name.empty())
    SSL_set_tlsext_host_name(ssl_, how.server_name.c_str());
  if (!how.applications.empty())
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(how.applications.data()),
                        static_cast<unsigned>(how.applications.size()));
  if (how.session != nullptr)
    SSL_set_session(ssl_, how.session);
  SSL_set_connect_state(ssl_);
}

tls_client::~tls_client() {
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN); // Otherwise its tickets would be void.
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

// False when the call is over, one way or the other.
bool tls_client::step(int result) {
  auto error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    link_.home.turn(0);
    return true;
  }
  auto reason = ERR_reason_error_string(ERR_peek_error());
  why_ = reason != nullptr ? reason : error == SSL_ERROR_ZERO_RETURN ? "closed" : "lost";
  ERR_clear_error();
  return false;
}

bool tls_client::handshake() {
  for (auto i = 0; i < 1000; ++i) {
    ERR_clear_error();
    auto result = SSL_do_handshake(ssl_);
    if (result == 1) {
      link_.settle();
      return true;
    }
    if (!step(result))
      return false;
  }
  why_ = "no end";
  return false;
}

void tls_client::write(std::string_view plain) {
  while (!plain.empty()) {
    ERR_clear_error();
    auto count = std::size_t{0};
    auto result = SSL_write_ex(ssl_, plain.data(), plain.size(), &count);
    if (result == 1)
      plain.remove_prefix(count);
    else if (!step(result))
      return;
  }
  link_.settle();
}

std::string tls_client::read(std::size_t bytes) {
  auto result = std::string{};
  char part[16 * 1024];
  for (auto tries = 0; result.size() < bytes && tries < 1000; ++tries) {
    ERR_clear_error();
    auto count = std::size_t{0};
    auto status = SSL_read_ex(ssl_, part, sizeof part, &count);
    if (status == 1) {
      result.append(part, count);
      tries = 0;
    } else if (!step(status)) {
      break;
    }
  }
  return result;
}

SSL_SESSION* tls_client::ticket() {
  return SSL_get1_session(ssl_);
}

} // namespace xmpp::net
