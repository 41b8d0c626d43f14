#include "cluster/join_token.hpp"

#include "net/authority.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace xmpp::cluster {

using net::failure;
using net::outcome;

namespace {

constexpr auto prefix = std::string_view{"troupe-join:"};
constexpr auto digits = std::string_view{"0123456789abcdef"};
constexpr auto secret_bytes = std::size_t{32};
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

outcome<join_token> make_join_token(std::string host, std::uint16_t port, const std::string& authority_certificate) {
  if (!is_host(host) || port == 0)
    return failure{"a join token needs the host and port of a member"};
  auto fingerprint = net::fingerprint_of(authority_certificate);
  if (!fingerprint)
    return failure{fingerprint.why()};
  auto out = join_token{std::move(host), port, *std::move(fingerprint), {}};
  for (auto byte : net::random_bytes(secret_bytes)) {
    out.secret += digits[static_cast<unsigned char>(byte) >> 4];
    out.secret += digits[byte & 15];
  }
  return out;
}

std::string hash_of_secret(std::string_view secret) {
  return net::sha256(secret);
}

} // namespace xmpp::cluster
