#include "protocol/error.hpp"

namespace xmpp {

std::string_view condition_name(errc code) noexcept {
  switch (code) {
  case errc::none:
    return "";
  case errc::bad_request:
    return "bad-request";
  case errc::conflict:
    return "conflict";
  case errc::feature_not_implemented:
    return "feature-not-implemented";
  case errc::forbidden:
    return "forbidden";
  case errc::gone:
    return "gone";
  case errc::item_not_found:
    return "item-not-found";
  case errc::jid_malformed:
    return "jid-malformed";
  case errc::not_acceptable:
    return "not-acceptable";
  case errc::not_allowed:
    return "not-allowed";
  case errc::not_authorized:
    return "not-authorized";
  case errc::policy_violation:
    return "policy-violation";
  case errc::recipient_unavailable:
    return "recipient-unavailable";
  case errc::redirect:
    return "redirect";
  case errc::registration_required:
    return "registration-required";
  case errc::remote_server_not_found:
    return "remote-server-not-found";
  case errc::remote_server_timeout:
    return "remote-server-timeout";
  case errc::resource_constraint:
    return "resource-constraint";
  case errc::service_unavailable:
    return "service-unavailable";
  case errc::subscription_required:
    return "subscription-required";
  case errc::undefined_condition:
    return "undefined-condition";
  case errc::unexpected_request:
    return "unexpected-request";
  case errc::bad_format:
    return "bad-format";
  case errc::bad_namespace_prefix:
    return "bad-namespace-prefix";
  case errc::connection_timeout:
    return "connection-timeout";
  case errc::host_gone:
    return "host-gone";
  case errc::host_unknown:
    return "host-unknown";
  case errc::improper_addressing:
    return "improper-addressing";
  case errc::invalid_from:
    return "invalid-from";
  case errc::invalid_namespace:
    return "invalid-namespace";
  case errc::invalid_xml:
    return "invalid-xml";
  case errc::not_well_formed:
    return "not-well-formed";
  case errc::remote_connection_failed:
    return "remote-connection-failed";
  case errc::reset:
    return "reset";
  case errc::restricted_xml:
    return "restricted-xml";
  case errc::see_other_host:
    return "see-other-host";
  case errc::system_shutdown:
    return "system-shutdown";
  case errc::unsupported_encoding:
    return "unsupported-encoding";
  case errc::unsupported_feature:
    return "unsupported-feature";
  case errc::unsupported_stanza_type:
    return "unsupported-stanza-type";
  case errc::unsupported_version:
    return "unsupported-version";
  case errc::internal_server_error:
  case errc::not_leader:
  case errc::storage_failure:
  case errc::corrupt_record:
  case errc::timeout:
  case errc::would_block:
    return "internal-server-error";
  }
  return "internal-server-error";
}

errc errc_of(std::uint8_t byte) noexcept {
  auto is = [&](errc first, errc last) { return byte >= std::uint8_t(first) && byte <= std::uint8_t(last); };
  return is(errc::none, errc::unexpected_request) || is(errc::bad_format, errc::unsupported_version) ||
                 is(errc::not_leader, errc::would_block)
             ? errc(byte)
             : errc::internal_server_error;
}

std::string_view error_type(errc code) noexcept {
  switch (code) {
  case errc::bad_request:
  case errc::jid_malformed:
  case errc::not_acceptable:
  case errc::policy_violation:
  case errc::redirect:
    return "modify";
  case errc::forbidden:
  case errc::not_authorized:
  case errc::registration_required:
  case errc::subscription_required:
    return "auth";
  case errc::recipient_unavailable:
  case errc::remote_server_timeout:
  case errc::resource_constraint:
  case errc::unexpected_request:
    return "wait";
  default:
    return "cancel";
  }
}

} // namespace xmpp
