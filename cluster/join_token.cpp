#include "cluster/join_token.hpp"

#include "net/authority.hpp"
#include "persistence/codec.hpp"

#include <algorithm>
#include <charconv>

namespace xmpp::cluster {

using net::failure;
using net::outcome;

namespace {

constexpr std::uint8_t invitation_version = 1;
constexpr auto prefix = std::string_view{"troupe-join:"};
constexpr auto digits = std::string_view{"0123456789abcdef"};
constexpr auto secret_bytes = std::size_t{32};
constexpr auto digest_bytes = std::size_t{32};
constexpr auto host_bytes_max = std::size_t{253};

bool is_64_digits(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of(digits) == std::string_view::npos;
}

bool is_host(std::string_view text) {
  auto is_fit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
           c == ':' || c == '_';
  };
  return !text.empty() && text.size() <= host_bytes_max && std::all_of(text.begin(), text.end(), is_fit);
}

/// Takes what stands before the last colon's right side off the end.
std::string_view take_last(std::string_view& text) {
  auto at = text.rfind(':');
  if (at == std::string_view::npos)
    return {};
  auto last = text.substr(at + 1);
  text = text.substr(0, at);
  return last;
}

} // namespace

std::string join_token::text() const {
  auto shown = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  return std::string{prefix} + shown + ":" + std::to_string(port) + ":" + fingerprint + ":" + secret;
}

outcome<join_token> join_token::parse(std::string_view text) {
  auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  if (!text.starts_with(prefix))
    return failure{"a join token begins with troupe-join:"};
  text.remove_prefix(prefix.size());
  auto out = join_token{};
  out.secret = take_last(text);
  out.fingerprint = take_last(text);
  auto port = take_last(text);
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (!is_64_digits(out.secret) || !is_64_digits(out.fingerprint) || port.empty() || error != std::errc{} ||
      end != port.data() + port.size() || out.port == 0)
    return failure{"the join token is not whole"};
  if (text.starts_with('[') && text.ends_with(']'))
    text = text.substr(1, text.size() - 2);
  else if (text.find(':') != std::string_view::npos)
    return failure{"the join token is not whole"};
  if (!is_host(text))
    return failure{"the join token has no host"};
  out.host = text;
  return out;
}

std::string invitation::encode() const {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(invitation_version);
  to.string(secret_hash);
  to.fixed64(static_cast<std::uint64_t>(expires_s));
  to.string(used_by);
  return out;
}

std::optional<invitation> invitation::decode(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = invitation{};
  auto version = in.byte();
  out.secret_hash = in.string();
  out.expires_s = static_cast<std::int64_t>(in.fixed64());
  out.used_by = in.string();
  if (!in.finished() || version != invitation_version || out.secret_hash.size() != digest_bytes ||
      (!out.used_by.empty() && out.used_by.size() != digest_bytes))
    return std::nullopt;
  return out;
}

outcome<invited> invite(std::string host, std::uint16_t port, const std::string& authority_certificate,
                        std::int64_t now_s, std::int64_t valid_s) {
  if (!is_host(host) || port == 0)
    return failure{"a join token needs the host and port of a member"};
  auto fingerprint = net::fingerprint_of(authority_certificate);
  if (!fingerprint)
    return failure{fingerprint.why()};
  auto out = invited{};
  out.token.host = std::move(host);
  out.token.port = port;
  out.token.fingerprint = *std::move(fingerprint);
  for (auto byte : net::random_bytes(secret_bytes)) {
    out.token.secret += digits[static_cast<unsigned char>(byte) >> 4];
    out.token.secret += digits[byte & 15];
  }
  out.kept.secret_hash = hash_of_secret(out.token.secret);
  out.kept.expires_s = now_s + valid_s;
  return out;
}

std::string hash_of_secret(std::string_view secret) {
  return net::sha256(secret);
}

std::string_view to_string(token_verdict verdict) noexcept {
  switch (verdict) {
  case token_verdict::good:
    return "good";
  case token_verdict::unknown:
    return "this cluster knows no such join token";
  case token_verdict::expired:
    return "the join token has expired";
  case token_verdict::used:
    return "the join token has been used";
  }
  return "unknown";
}

token_verdict redeem(std::vector<invitation>& list, std::string_view secret_hash, std::string_view key_digest,
                     std::int64_t now_s) {
  invitation* found = nullptr;
  for (auto& one : list) // All of them, whichever it is.
    if (net::is_equal_in_constant_time(one.secret_hash, secret_hash))
      found = &one;
  if (found == nullptr || key_digest.size() != digest_bytes)
    return token_verdict::unknown;
  if (now_s >= found->expires_s)
    return token_verdict::expired;
  if (!found->used_by.empty() && found->used_by != key_digest)
    return token_verdict::used;
  found->used_by = key_digest;
  return token_verdict::good;
}

} // namespace xmpp::cluster
