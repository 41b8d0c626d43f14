#include "cluster/discovery.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <netdb.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <utility>

namespace xmpp::cluster {

using net::failure;
using net::outcome;

namespace {

constexpr auto host_bytes_max = std::size_t{253};

bool is_name(std::string_view text) {
  auto is_fit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
           c == '_';
  };
  return !text.empty() && text.size() <= host_bytes_max && std::all_of(text.begin(), text.end(), is_fit);
}

} // namespace

std::optional<host_and_port> parse_host_and_port(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == text.npos)
    return std::nullopt;
  auto out = host_and_port{};
  auto digits = text.substr(colon + 1);
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (failure != std::errc{} || end != digits.data() + digits.size() || out.port == 0)
    return std::nullopt;
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == host.npos || !net::address::parse(host, out.port))
      return std::nullopt;
  } else if (!is_name(host)) {
    return std::nullopt;
  }
  out.host = host;
  return out;
}

outcome<std::vector<net::address>> look_up(const host_and_port& where) {
  if (auto literal = net::address::parse(where.host, where.port))
    return std::vector{*literal};
  auto hints = addrinfo{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (auto code = ::getaddrinfo(where.host.c_str(), nullptr, &hints, &found); code != 0)
    return failure{"look up " + where.host + ": " + ::gai_strerror(code)};
  auto out = std::vector<net::address>{};
  for (auto i = found; i != nullptr; i = i->ai_next)
    if (auto raw = net::address::from(i->ai_addr, i->ai_addrlen); raw.is_known())
      if (auto with_port = net::address::parse(raw.host_text(), where.port))
        out.push_back(*with_port);
  ::freeaddrinfo(found);
  if (out.empty())
    return failure{"look up " + where.host + ": it has no address"};
  return out;
}

struct discovery::state {
  std::vector<host_and_port> seeds; // as the rest, these never change
  std::function<void(const found&)> on_found;
  looker how;

  std::mutex mutex; ///< Guards what follows, and is held in `on_found`.
  bool is_looking = false;
  bool is_over = false;

  void run() {
    auto out = found{};
    for (auto& one : seeds) {
      auto addresses = how(one);
      if (!addresses)
        out.failures += (out.failures.empty() ? "" : "; ") + addresses.why();
      for (auto& at : addresses ? *addresses : std::vector<net::address>{})
        if (out.addresses.size() < discovered_max &&
            std::find(out.addresses.begin(), out.addresses.end(), at) == out.addresses.end())
          out.addresses.push_back(at);
    }
    const auto guard = std::lock_guard{mutex};
    is_looking = false;
    if (!is_over)
      on_found(out);
  }
};

discovery::discovery(const std::vector<std::string>& seeds, std::function<void(const found&)> on_found, looker how)
    : state_(std::make_shared<state>()) {
  for (auto& one : seeds)
    if (auto place = parse_host_and_port(one))
      state_->seeds.push_back(*std::move(place));
  state_->on_found = std::move(on_found);
  state_->how = std::move(how);
}

discovery::~discovery() {
  const auto guard = std::lock_guard{state_->mutex};
  state_->is_over = true;
}

void discovery::look() {
  const auto guard = std::lock_guard{state_->mutex};
  if (state_->seeds.empty() || std::exchange(state_->is_looking, true))
    return;
  try {
    // Nobody waits for it: a name server may take longer than the server's end.
    std::thread{[at = state_] { at->run(); }}.detach();
  } catch (const std::system_error&) {
    state_->is_looking = false; // Too many threads just now; it is asked again.
  }
}

} // namespace xmpp::cluster
