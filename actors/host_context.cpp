#include "actors/host_context.hpp"

#include "actors/stored_xml.hpp"

#include <algorithm>

namespace xmpp {

const jid host_context::no_account_;
const std::vector<session_view> host_context::no_sessions_;
const std::optional<std::string> host_context::no_record_;
const blocklist host_context::no_blocks_;

namespace {

std::vector<std::string> collect(std::vector<std::string_view> extension::*features) {
  auto result = std::vector<std::string>{};
  for (auto& one : all_extensions())
    for (auto& feature : one.*features)
      result.emplace_back(feature);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

template <class Hook>
std::vector<const extension*> with(Hook hook) {
  auto result = std::vector<const extension*>{};
  for (auto& one : all_extensions())
    if (one.*hook)
      result.push_back(&one);
  return result;
}

} // namespace

const std::vector<std::string>& host_context::host_features() const {
  static const auto all = collect(&extension::host_features);
  return all;
}

const std::vector<std::string>& host_context::account_features() const {
  static const auto all = collect(&extension::account_features);
  return all;
}

result<element> host_context::parse_record(std::string_view bytes) const {
  auto parsed = parse_stored(bytes);
  return parsed ? parsed : result<element>{errc::corrupt_record};
}

const std::vector<const extension*>& hooks_on_sent() {
  static const auto all = with(&extension::on_sent);
  return all;
}

const std::vector<const extension*>& hooks_on_received() {
  static const auto all = with(&extension::on_received);
  return all;
}

} // namespace xmpp
