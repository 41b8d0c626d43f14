#include "cluster/join.hpp"

#include "cluster/discovery.hpp"
#include "cluster/link_frames.hpp"
#include "net/authority.hpp"
#include "net/mutual_tls.hpp"
#include "net/socket.hpp"
#include "persistence/codec.hpp"
#include "persistence/keys.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace xmpp::cluster {

using net::failure;
using net::outcome;

namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t version_with_replaces = 2; ///< Of a request that replaces somebody: older members know none.
constexpr auto addresses_max = std::size_t{16};
constexpr auto members_max = std::size_t{1'000};
constexpr auto address_bytes_max = std::size_t{300};
constexpr auto name_bytes_max = std::size_t{16}; ///< Of a member.

void put_texts(codec::byte_writer& to, const std::vector<std::string>& texts) {
  to.varint(texts.size());
  for (auto& one : texts)
    to.string(one);
}

std::vector<std::string> take_texts(codec::byte_reader& in) {
  auto out = std::vector<std::string>{};
  auto left = in.count();
  if (left > addresses_max)
    in.fail();
  for (; left > 0 && in.ok(); --left)
    if (out.emplace_back(in.string()).size() > address_bytes_max)
      in.fail();
  return out;
}

// -- the joining side: plain, blocking steps within one time limit ----------------------------------------------------

class asking {
public:
  asking(const join_options& how, std::shared_ptr<const net::mutual_tls_context> context)
      : how_(how), context_(std::move(context)),
        until_(std::chrono::steady_clock::now() + std::chrono::milliseconds{how.timeout_ms}) {}

  outcome<joined> run(const net::address& at);
  /// The other side was reached: another address of it would say no other thing.
  bool was_answered() const noexcept { return was_answered_; }

private:
  int left_ms() const;
  outcome<void> wait(short events);
  outcome<void> connect(const net::address& at);
  outcome<void> send(std::string_view wire);
  outcome<std::string> receive();
  outcome<void> shake_hands(net::mutual_tls& tls);
  outcome<std::string> ask(net::mutual_tls& tls);

  const join_options& how_;
  std::shared_ptr<const net::mutual_tls_context> context_;
  std::chrono::steady_clock::time_point until_;
  net::unique_fd fd_;
  bool was_answered_ = false;
};

failure system_failure(const std::string& what, int code) {
  return failure{what + ": " + std::generic_category().message(code)};
}

int asking::left_ms() const {
  using namespace std::chrono;
  auto left = duration_cast<milliseconds>(until_ - steady_clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 1'000'000));
}

outcome<void> asking::wait(short events) {
  for (;;) {
    auto watched = pollfd{fd_.get(), events, 0};
    auto n = ::poll(&watched, 1, left_ms());
    if (n > 0)
      return {};
    if (n == 0)
      return failure{"no answer in time"};
    if (errno != EINTR)
      return system_failure("poll", errno);
  }
}

outcome<void> asking::connect(const net::address& at) {
  auto fd = net::connect(at);
  if (!fd)
    return failure{fd.why()};
  fd_ = *std::move(fd);
  if (auto waited = wait(POLLOUT); !waited)
    return waited;
  auto code = 0;
  auto bytes = socklen_t{sizeof code};
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &code, &bytes) != 0 || code != 0)
    return system_failure("connect to " + at.text(), code != 0 ? code : errno);
  return {};
}

outcome<void> asking::send(std::string_view wire) {
  while (!wire.empty()) {
    auto n = ::send(fd_.get(), wire.data(), wire.size(), MSG_NOSIGNAL);
    if (n > 0) {
      wire.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && errno == EAGAIN) {
      if (auto waited = wait(POLLOUT); !waited)
        return waited;
    } else if (n < 0 && errno != EINTR) {
      return system_failure("send", errno);
    }
  }
  return {};
}

outcome<std::string> asking::receive() {
  for (;;) {
    if (auto waited = wait(POLLIN); !waited)
      return failure{waited.why()};
    auto out = std::string(16 * 1024, '\0');
    auto n = ::recv(fd_.get(), out.data(), out.size(), 0);
    if (n > 0) {
      out.resize(static_cast<std::size_t>(n));
      return out;
    }
    if (n == 0)
      return failure{"the member ended the connection"};
    if (errno != EAGAIN && errno != EINTR)
      return system_failure("receive", errno);
  }
}

outcome<void> asking::shake_hands(net::mutual_tls& tls) {
  auto in = std::string{};
  for (;;) {
    auto out = std::string{};
    auto status = tls.handshake(in, out);
    auto sent = send(out);
    if (status == net::tls_status::ok)
      return sent;
    if (status != net::tls_status::want_more)
      return failure{"it does not show the authority that the token names: " + tls.why()};
    if (!sent)
      return sent;
    auto received = receive();
    if (!received)
      return failure{received.why()};
    in = *std::move(received);
  }
}

/// The payload of the answer.
outcome<std::string> asking::ask(net::mutual_tls& tls) {
  auto request = request_of(how_.self);
  if (!request)
    return failure{request.why()};
  auto plain = std::string{};
  auto said = join_request{how_.self.node, how_.token.secret, *request, how_.software, how_.addresses, how_.replaces};
  append_frame(plain, frame_kind::join_request, said.encode());
  auto wire = std::string{};
  if (tls.write(plain, wire) != net::tls_status::ok)
    return failure{"TLS: " + tls.why()};
  if (auto sent = send(wire); !sent)
    return failure{sent.why()};
  auto reader = frame_reader{join_bytes_max};
  auto in = std::string{};
  auto buffer = std::string(16 * 1024, '\0');
  for (;;) {
    auto got = std::size_t{0};
    auto out = std::string{};
    auto status = tls.read(std::exchange(in, {}), buffer.data(), buffer.size(), got, out);
    reader.feed({buffer.data(), got});
    auto x = frame_reader::frame{};
    switch (reader.next(x)) {
    case frame_reader::status::frame:
      if (x.kind == frame_kind::join_answer)
        return std::string{x.payload};
      if (x.kind == frame_kind::join_refusal || x.kind == frame_kind::goodbye)
        return failure{"the cluster refuses: " + fit_words(x.payload)};
      return failure{"an answer that is none"};
    case frame_reader::status::too_long:
      return failure{"an answer that is none"};
    case frame_reader::status::nothing:
      break;
    }
    if (status == net::tls_status::ok)
      continue;
    if (status != net::tls_status::want_more)
      return failure{"the member ended the connection" + (tls.why().empty() ? "" : ": " + tls.why())};
    auto received = receive();
    if (!received)
      return failure{received.why()};
    in = *std::move(received);
  }
}

outcome<joined> asking::run(const net::address& at) {
  if (auto connected = connect(at); !connected)
    return failure{connected.why()};
  was_answered_ = true;
  auto tls = net::mutual_tls{context_, net::mutual_tls::side::client, how_.now_s};
  if (auto shaken = shake_hands(tls); !shaken)
    return failure{shaken.why()};
  auto member = net::read_certificate(tls.peer_certificate());
  auto name = member ? node_name::parse(member->uri) : std::nullopt;
  if (!name)
    return failure{"what answers there is no member of a cluster"};
  auto payload = ask(tls);
  if (!payload)
    return failure{payload.why()};
  auto answer = join_answer::decode(*payload);
  if (!answer)
    return failure{"an answer that is none"};
  auto self = admitted(how_.self, name->cluster, tls.authority_certificate(), answer->certificate, how_.now_s);
  if (!self)
    return failure{"the cluster's answer is refused: " + self.why()};
  return joined{*std::move(self), std::move(answer->members), answer->shard_count, std::move(answer->shared)};
}

} // namespace

std::string join_request::encode() const {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(replaces.empty() ? version : version_with_replaces);
  to.fixed64(node);
  to.string(secret);
  to.string(request);
  to.string(software);
  put_texts(to, addresses);
  if (!replaces.empty())
    to.string(replaces);
  return out;
}

std::optional<join_request> join_request::decode(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = join_request{};
  auto said = in.byte();
  out.node = in.fixed64();
  out.secret = in.string();
  out.request = in.string();
  out.software = fit_words(in.string());
  out.addresses = take_texts(in);
  if (said == version_with_replaces)
    out.replaces = fit_words(in.string());
  auto is_known = said == version || (said == version_with_replaces && !out.replaces.empty());
  if (!in.finished() || !is_known || out.node == 0 || out.replaces.size() > name_bytes_max)
    return std::nullopt;
  return out;
}

std::string join_answer::encode() const {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(version);
  to.string(certificate);
  to.varint(members.size());
  for (auto& one : members) {
    to.fixed64(one.node);
    put_texts(to, one.addresses);
  }
  to.varint(shard_count);
  to.string(shared);
  return out;
}

std::optional<join_answer> join_answer::decode(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = join_answer{};
  auto said = in.byte();
  out.certificate = in.string();
  auto left = in.count();
  if (said != version || left > members_max)
    return std::nullopt;
  for (; left > 0 && in.ok(); --left) {
    auto& one = out.members.emplace_back();
    one.node = in.fixed64();
    one.addresses = take_texts(in);
    if (one.node == 0)
      in.fail();
  }
  out.shard_count = static_cast<std::uint32_t>(in.varint(shard_count_max));
  out.shared = in.string();
  if (!in.finished() || out.shard_count == 0)
    return std::nullopt;
  return out;
}

outcome<std::string> check_key(const join_request& x, std::string_view key_before) {
  auto digest = net::key_digest_of_request(x.request);
  if (digest && !key_before.empty() && !net::is_equal_in_constant_time(*digest, key_before))
    return failure{"node " + id_text(x.node) + " is a member already, with another key"};
  return digest;
}

outcome<joined> join(const join_options& how) {
  auto options = net::mutual_tls_options{};
  options.authority_fingerprint = how.token.fingerprint;
  options.application = join_application;
  auto context = net::mutual_tls_context::make(options);
  if (!context)
    return failure{context.why()};
  auto why = std::string{};
  auto places = std::vector{host_and_port{how.token.host, how.token.port}};
  for (auto& one : how.seeds)
    if (auto place = parse_host_and_port(one))
      places.push_back(*std::move(place));
  for (auto& place : places) {
    auto addresses = look_up(place);
    auto unreachable = addresses ? std::string{} : addresses.why();
    for (auto& at : addresses ? *addresses : std::vector<net::address>{}) {
      auto attempt = asking{how, *context};
      auto result = attempt.run(at);
      if (result || attempt.was_answered())
        return result;
      unreachable = result.why();
    }
    why += (why.empty() ? "" : "; ") + unreachable;
  }
  return failure{why};
}

} // namespace xmpp::cluster
