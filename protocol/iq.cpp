#include "protocol/iq.hpp"

#include "protocol/namespaces.hpp"

#include <cassert>
#include <string_view>
#include <unordered_map>

namespace xmpp {

namespace {

/// Looked up for each request: a hash table over all extensions' maps.
struct rule_table {
  std::unordered_map<std::string_view, const iq_rule*> get, set;

  rule_table() {
    for (auto& x : all_extensions()) {
      for (auto& [ns, rule] : x.on_iq_get)
        add(get, ns, rule);
      for (auto& [ns, rule] : x.on_iq_set)
        add(set, ns, rule);
    }
  }

  static void add(std::unordered_map<std::string_view, const iq_rule*>& to, std::string_view ns, const iq_rule& rule) {
    [[maybe_unused]] auto is_new = to.emplace(ns, &rule).second;
    assert(is_new);
  }
};

template <class Member>
std::vector<const extension*> all_with(Member hook) {
  auto result = std::vector<const extension*>{};
  for (auto& x : all_extensions())
    if (x.*hook)
      result.push_back(&x);
  return result;
}

} // namespace

const iq_rule* find_iq_rule(const stanza& request, iq_rule::place at) {
  static const auto rules = rule_table{};
  if (request.kind != stanza_kind::iq || !request.is_request())
    return nullptr;
  auto& table = request.type == stanza_type::get ? rules.get : rules.set;
  auto i = table.find(request.payload().ns());
  return i != table.end() && (i->second->where & at) != 0 ? i->second : nullptr;
}

std::string record_for(const stanza& request, iq_rule::place at) {
  auto* rule = find_iq_rule(request, at);
  return rule && rule->record ? rule->record(request) : std::string{};
}

found_record find_record(const stanza& request, iq_rule::place at, const record_finder& find) {
  auto* rule = find_iq_rule(request, at);
  if (!rule || !rule->record)
    return std::optional<std::string>{};
  auto found = find(rule->record(request));
  return found && !*found && rule->otherwise ? rule->otherwise(request, find) : found;
}

errc refusal_to_strangers(const stanza& request) {
  if (request.payload().ns() == ns::roster && request.to.has_local() && !request.to.is_full())
    return errc::forbidden;
  auto* rule = find_iq_rule(request, iq_rule::at_account);
  return rule && (!request.to.is_full() || rule->guards_resources) ? rule->others_get : errc::service_unavailable;
}

stanza answer_iq(const stanza& request, context& at) {
  assert(request.kind == stanza_kind::iq && request.is_request());
  auto is_host = at.account().empty();
  auto* rule = find_iq_rule(request, is_host ? iq_rule::at_host : iq_rule::at_account);
  if (!rule || (!is_host && !at.account_exists()) || (rule->own_only && !at.is_own(request)))
    return request.error_reply(refusal_to_strangers(request));
  return rule->answer(request, at);
}

const std::vector<const extension*>& hooks_on_sent() {
  static const auto result = all_with(&extension::on_sent);
  return result;
}

const std::vector<const extension*>& hooks_on_received() {
  static const auto result = all_with(&extension::on_received);
  return result;
}

} // namespace xmpp
