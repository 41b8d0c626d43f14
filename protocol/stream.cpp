#include "protocol/stream.hpp"

#include "protocol/namespaces.hpp"

#include <algorithm>
#include <utility>

namespace xmpp {

namespace {

template <class... Actions>
actions list(Actions&&... each) {
  auto all = actions{};
  all.reserve(sizeof...(each));
  (all.emplace_back(std::forward<Actions>(each)), ...);
  return all;
}

std::string escaped(std::string_view text) {
  auto out = std::string{};
  xml::append_escaped(out, text);
  return out;
}

/// `<name xmlns='ns'/>`
std::string empty_element(std::string_view name, std::string_view ns) {
  auto out = std::string{"<"};
  out += name;
  out += " xmlns='";
  out += ns;
  out += "'/>";
  return out;
}

std::string sasl_element(std::string_view name, std::string_view content) {
  auto out = std::string{"<"};
  out += name;
  out += " xmlns='";
  out += ns::sasl;
  out += "'>";
  out += content;
  out += "</";
  out += name;
  out += '>';
  return out;
}

std::string iq_result(std::string_view id, std::string_view payload) {
  auto out = "<iq type='result' id='" + escaped(id) + '\'';
  if (payload.empty())
    return out += "/>";
  out += '>';
  out += payload;
  return out += "</iq>";
}

std::string iq_error(std::string_view id, errc code, std::string_view text = {}, std::string_view type = {}) {
  auto out = "<iq type='error' id='" + escaped(id) + "'><error type='";
  out += type.empty() ? error_type(code) : type;
  out += "'>";
  out += empty_element(condition_name(code), ns::stanza_errors);
  if (!text.empty()) {
    out += "<text xmlns='";
    out += ns::stanza_errors;
    out += "' xml:lang='en'>" + escaped(text) + "</text>";
  }
  return out += "</error></iq>";
}

/// Whether the errors of streams have it (RFC 6120, 4.9.3).
bool is_stream_condition(errc code) noexcept {
  switch (code) {
  case errc::conflict:
  case errc::internal_server_error:
  case errc::not_authorized:
  case errc::policy_violation:
  case errc::resource_constraint:
  case errc::undefined_condition:
    return true;
  default:
    return code >= errc::bad_format;
  }
}

/// RFC 6120, 4.7.5: `<major>.<minor>`, leading zeros don't count; 1.0 and above will do.
bool is_supported_version(std::string_view version) noexcept {
  const auto dot = version.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == version.size())
    return false;
  const auto is_number = [](std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  const auto major = version.substr(0, dot);
  return is_number(major) && is_number(version.substr(dot + 1)) &&
         major.find_first_not_of('0') != std::string_view::npos;
}

} // namespace

std::string stream_error(errc code, std::string_view text, std::string_view other_host) {
  const auto condition = condition_name(is_stream_condition(code) ? code : errc::undefined_condition);
  auto out = std::string{"<stream:error>"};
  if (code == errc::see_other_host && !other_host.empty()) {
    out += "<see-other-host xmlns='";
    out += ns::stream_errors;
    out += "'>" + escaped(other_host) + "</see-other-host>";
  } else {
    out += empty_element(condition, ns::stream_errors);
  }
  if (!text.empty()) {
    out += "<text xmlns='";
    out += ns::stream_errors;
    out += "' xml:lang='en'>" + escaped(text) + "</text>";
  }
  return out += "</stream:error></stream:stream>";
}

const stream_host* stream_policy::find(std::string_view domain) const noexcept {
  for (const auto& host : hosts)
    if (host.name == domain)
      return &host;
  return nullptr;
}

negotiation::negotiation(std::shared_ptr<const stream_policy> policy, bool is_loopback)
    : policy_(std::move(policy)), is_loopback_(is_loopback) {}

negotiation::~negotiation() = default;

bool negotiation::waiting() const noexcept {
  switch (stage_) {
  case stage::looking_up:
  case stage::checking:
  case stage::registering:
  case stage::tls:
  case stage::binding:
    return true;
  default:
    return false;
  }
}

// -- header --

/// Judges a header, and takes from it what counts (RFC 6120, 4.7, 4.8).
errc negotiation::judge(const stream_header& header) {
  // Without the content namespace as the default one, stanzas say theirs themselves (4.8.2 to 4.8.5).
  if (header.ns != ns::stream ||
      (header.content_ns != ns::client && header.content_ns != ns::stream && !header.content_ns.empty()))
    return errc::invalid_namespace;
  if (header.name != "stream")
    return errc::bad_format;
  auto domain = std::string_view{header.to};
  if (domain.empty() && is_authenticated())
    domain = account_.domain();
  const auto named = domain.empty() && !tls_.server_name.empty() ? prepare_domain(tls_.server_name) // of A-labels
                                                                 : result<std::string>{errc::jid_malformed};
  if (named && policy_->find(*named))
    domain = *named;
  if (domain.empty())
    domain = policy_->default_host;
  const auto to = jid::parse(domain);
  if (!to)
    return errc::improper_addressing;
  const auto* const host = policy_->find(to->text());
  if (!host)
    return errc::host_unknown;
  if (is_authenticated() && host->name != account_.domain())
    return errc::not_authorized;
  host_ = host;
  if (!is_supported_version(header.version))
    return errc::unsupported_version;
  lang_ = header.lang;
  from_ = {};
  if (header.from.empty())
    return errc::none;
  const auto from = jid::parse(header.from);
  if (!from)
    return errc::improper_addressing;
  if (is_authenticated() && from->bare() != account_)
    return errc::invalid_from;
  from_ = from->bare();
  return errc::none;
}

std::string negotiation::header_bytes(std::string_view from) const {
  auto out = std::string{"<?xml version='1.0'?><stream:stream xmlns='"};
  out += ns::client;
  out += "' xmlns:stream='";
  out += ns::stream;
  // Nobody can guess it, nor see from it how many streams there are (4.7.3).
  out += "' id='" + sasl::base64_encode(policy_->random(15));
  out += "' from='" + escaped(from);
  if (!from_.empty())
    out += "' to='" + escaped(from_.text()); // 4.7.2: back to who said its name
  out += "' version='1.0' xml:lang='en'>";
  return out;
}

actions negotiation::opened(const stream_header& header) {
  if (stage_ != stage::header)
    return {};
  if (const auto failure = judge(header); failure != errc::none)
    return end(failure);
  auto bytes = header_bytes(host_->name);
  is_header_sent_ = true;
  environment_.host = host_->name;
  environment_.from = from_;
  environment_.bindings = tls_.bindings;
  environment_.server_secret = policy_->server_secret;
  environment_.random = &policy_->random;
  environment_.certified.clear();
  for (const auto& text : tls_.certified)
    if (const auto address = jid::parse(text); address && address->has_local() && address->domain() == host_->name)
      environment_.certified.push_back(address->bare());
  environment_.offered = is_authenticated() ? std::vector<sasl::mechanism>{} : offered_mechanisms();
  stage_ = stage::features;
  bytes += features();
  return list(act::send{std::move(bytes)});
}

// -- features (XEP-0170: TLS, registration, SASL, binding) --

bool negotiation::may_register() const noexcept {
  return !is_authenticated() && may_sign_in() && host_ &&
         (host_->registers || (host_->registers_from_loopback && is_loopback_));
}

std::vector<sasl::mechanism> negotiation::offered_mechanisms() const {
  using sasl::mechanism;
  const auto allows = [&](mechanism m) {
    return std::find(host_->mechanisms.begin(), host_->mechanisms.end(), m) != host_->mechanisms.end();
  };
  const auto binds = is_encrypted_ && tls_.bindings.any();
  const auto& certified = environment_.certified;
  const auto is_offered = [&](mechanism m) {
    switch (m) {
    case mechanism::external: // XEP-0178: if it would work
      return allows(m) && is_encrypted_ && !certified.empty() &&
             (from_.empty() || std::find(certified.begin(), certified.end(), from_) != certified.end());
    case mechanism::scram_sha_512_plus:
      return binds && (allows(m) || allows(mechanism::scram_sha_512));
    case mechanism::scram_sha_256_plus:
      return binds && (allows(m) || allows(mechanism::scram_sha_256));
    case mechanism::scram_sha_1_plus:
      return binds && (allows(m) || allows(mechanism::scram_sha_1));
    case mechanism::plain: // RFC 6120, 13.8.3
      return allows(m) && is_encrypted_;
    default:
      return allows(m);
    }
  };
  auto offered = std::vector<mechanism>{};
  if (may_sign_in())
    for (auto m = mechanism::external; m <= mechanism::anonymous; m = mechanism(static_cast<int>(m) + 1))
      if (is_offered(m))
        offered.push_back(m);
  return offered;
}

std::string negotiation::features() const {
  auto out = std::string{"<stream:features>"};
  if (!is_authenticated()) {
    if (!is_encrypted_ && host_->offers_tls) {
      out += "<starttls xmlns='";
      out += ns::tls;
      out += policy_->tls_required ? "'><required/></starttls>" : "'/>";
    }
    if (may_register())
      out += empty_element("register", ns::registration_feature);
    if (!environment_.offered.empty()) {
      if (std::any_of(environment_.offered.begin(), environment_.offered.end(), sasl::is_plus)) { // XEP-0440
        out += "<sasl-channel-binding xmlns='";
        out += ns::channel_binding;
        out += "'>";
        for (auto type : environment_.bindings.types()) {
          out += "<channel-binding type='";
          out += type;
          out += "'/>";
        }
        out += "</sasl-channel-binding>";
      }
      auto names = std::string{};
      for (auto m : environment_.offered) {
        names += "<mechanism>";
        names += sasl::name(m);
        names += "</mechanism>";
      }
      out += sasl_element("mechanisms", names);
    }
  } else {
    out += empty_element("bind", ns::bind);
    out += "<session xmlns='";
    out += ns::session;
    out += "'><optional/></session>";
    out += empty_element("ver", ns::roster_versioning);
    out += empty_element("sub", ns::pre_approval);
    out += host_->extra_features_bound;
  }
  if (is_authenticated() || may_sign_in()) { // XEP-0478
    const auto& limits = policy_->limits;
    out += "<limits xmlns='";
    out += ns::stream_limits;
    out += "'><max-bytes>";
    out += std::to_string(is_authenticated() ? limits.stanza_bytes_max : limits.unauthenticated_bytes_max);
    out += "</max-bytes>";
    if (policy_->idle_seconds != 0)
      out += "<idle-seconds>" + std::to_string(policy_->idle_seconds) + "</idle-seconds>";
    out += "</limits>";
  }
  return out += "</stream:features>";
}

// -- ends --

actions negotiation::end(errc reason, std::string_view text, std::string_view other_host) {
  if (is_over())
    return {};
  auto bytes = std::string{};
  // An error needs a stream to stand in; who can't name our host hears it from the first one (4.9.1.2).
  if (!is_header_sent_ && reason != errc::none)
    bytes = header_bytes(host_ ? host_->name : policy_->hosts.front().name);
  if (reason != errc::none)
    bytes += stream_error(reason, text, other_host);
  else if (is_header_sent_)
    bytes = "</stream:stream>";
  // In the middle of a TLS handshake nothing may be said in clear (5.4.3.3).
  if (stage_ == stage::tls)
    bytes.clear();
  stage_ = stage::over;
  exchange_.reset();
  auto todo = actions{};
  if (!bytes.empty())
    todo.emplace_back(act::send{std::move(bytes)});
  todo.emplace_back(act::close{reason});
  return todo;
}

actions negotiation::broken(errc reason) {
  return end(reason);
}

actions negotiation::closed() {
  return end(errc::none);
}

actions negotiation::timed_out() {
  return end(errc::connection_timeout);
}

// -- elements --

actions negotiation::received(const element& x) {
  if (is_over())
    return {};
  if (stage_ == stage::header)
    return end(errc::bad_format);
  if (waiting())
    return end(errc::policy_violation); // the caller should have kept it back
  if (x.is("starttls", ns::tls))
    return start_tls(x);
  if (x.ns() == ns::sasl && !is_authenticated())
    return authenticate(x);
  if (x.is("error", ns::stream)) // nothing is said to that (4.9.1.1)
    return end(errc::none);
  if (x.ns() == ns::client && (x.name() == "iq" || x.name() == "message" || x.name() == "presence"))
    return stanza(x);
  return end(errc::unsupported_stanza_type);
}

// -- STARTTLS (5.4.2) --

actions negotiation::start_tls(const element&) {
  if (is_encrypted_ || is_authenticated() || !host_->offers_tls) {
    stage_ = stage::over;
    exchange_.reset();
    return list(act::send{empty_element("failure", ns::tls) + "</stream:stream>"}, act::close{});
  }
  stage_ = stage::tls;
  exchange_.reset();
  return list(act::start_tls{empty_element("proceed", ns::tls)});
}

void negotiation::tls_established(const tls_info& info) {
  if (is_over() || is_encrypted_ || (stage_ != stage::tls && (stage_ != stage::header || is_header_sent_)))
    return;
  // What was said in clear never was (5.4.3.3).
  tls_ = info;
  is_encrypted_ = true;
  is_header_sent_ = false;
  host_ = nullptr;
  from_ = {};
  lang_.clear();
  stage_ = stage::header;
}

// -- SASL (6.4) --

namespace {

/// The text of a SASL element: none when it is empty, empty when it is `=` (6.4.2).
struct payload {
  bool is_given = false;
  std::optional<std::string> bytes; ///< None: not base64.
};

constexpr std::uint8_t mismatches_max = 6; // each SCRAM mechanism once, with and without PLUS

payload read_payload(const element& x) {
  const auto text = x.text();
  if (text.empty())
    return {false, std::string{}};
  if (text == "=")
    return {true, std::string{}};
  return {true, sasl::base64_decode(text)};
}

} // namespace

actions negotiation::authenticate(const element& x) {
  if (x.name() == "auth") {
    exchange_.reset(); // 6.4.2: another attempt takes the place of one that is under way
    stage_ = stage::features;
    if (attempts_ >= policy_->attempts_max)
      return end(errc::policy_violation, "Too many attempts to sign in");
    ++attempts_;
    const auto wanted = sasl::find_mechanism(x.attribute_or_empty("mechanism"));
    if (!may_sign_in())
      return reject(sasl::failure::encryption_required);
    const auto& offered = environment_.offered;
    if (!wanted || std::find(offered.begin(), offered.end(), *wanted) == offered.end()) {
      const auto tls_would_help = wanted == sasl::mechanism::plain && !is_encrypted_ && host_->offers_tls;
      return reject(tls_would_help ? sasl::failure::encryption_required : sasl::failure::invalid_mechanism);
    }
    const auto initial = read_payload(x);
    if (!initial.bytes)
      return reject(sasl::failure::incorrect_encoding);
    exchange_.emplace(*wanted, environment_);
    stage_ = stage::exchange;
    if (!initial.is_given) // all of ours let the client speak first (RFC 4422, 3.3)
      return list(act::send{empty_element("challenge", ns::sasl)});
    return carry_out(exchange_->receive(*initial.bytes));
  }
  if (x.name() != "response" && x.name() != "abort")
    return end(errc::unsupported_stanza_type);
  if (!exchange_) { // not in turn: as good as another attempt
    if (attempts_ >= policy_->attempts_max)
      return end(errc::policy_violation, "Too many attempts to sign in");
    ++attempts_;
    return reject(x.name() == "abort" ? sasl::failure::aborted : sasl::failure::malformed_request);
  }
  if (x.name() == "abort")
    return reject(sasl::failure::aborted);
  const auto answer = read_payload(x);
  return answer.bytes ? carry_out(exchange_->receive(*answer.bytes)) : reject(sasl::failure::incorrect_encoding);
}

actions negotiation::reject(sasl::failure why) {
  auto account = exchange_ ? exchange_->account() : jid{};
  // A refused channel binding tried no password. Clients whose TLS library knows only older bindings come with each
  // PLUS mechanism before they come to one that they can do: that alone must not use up their attempts.
  const auto binding_refused = exchange_ && exchange_->is_binding_refused();
  const auto is_counted = !binding_refused || mismatches_ >= mismatches_max;
  if (!is_counted) {
    ++mismatches_;
    --attempts_;
  }
  exchange_.reset();
  stage_ = stage::features;
  auto condition = std::string{"<"};
  condition += sasl::condition_name(why);
  condition += "/>";
  return list(act::rejected{std::move(account), why, attempts_, binding_refused, is_counted},
              act::send{sasl_element("failure", condition)});
}

actions negotiation::carry_out(sasl::exchange::step next) {
  using step = sasl::exchange::step;
  switch (next.next) {
  case step::challenge:
    stage_ = stage::exchange;
    return list(act::send{sasl_element("challenge", sasl::base64_encode(*next.data))});
  case step::lookup:
    stage_ = stage::looking_up;
    return list(act::look_up{exchange_->account()});
  case step::check_password: {
    stage_ = stage::checking;
    return list(act::check_password{exchange_->take_password(), sasl::encode(exchange_->take_candidate())});
  }
  case step::failure:
    return reject(next.why);
  case step::success:
    break;
  }
  account_ = exchange_->account();
  const auto how = exchange_->chosen();
  is_anonymous_ = how == sasl::mechanism::anonymous;
  exchange_.reset();
  environment_ = {};
  tls_ = {};
  stage_ = stage::header;
  is_header_sent_ = false;
  auto success = next.data ? sasl_element("success", next.data->empty() ? "=" : sasl::base64_encode(*next.data))
                           : empty_element("success", ns::sasl);
  return list(act::authenticated{account_, how}, act::send{std::move(success)}, act::restart{});
}

actions negotiation::looked_up(const credentials_answer& answer) {
  if (stage_ != stage::looking_up)
    return {};
  if (answer.failure != errc::none)
    return reject(sasl::failure::temporary_auth_failure);
  environment_.iterations = policy_->scram_iterations(); // as of now: a new one shows on all streams at once
  if (!answer.exists)
    return carry_out(exchange_->not_found());
  const auto stored = sasl::decode(answer.credentials);
  if (!stored)
    return reject(sasl::failure::temporary_auth_failure);
  return carry_out(exchange_->found(*stored, !answer.enabled));
}

actions negotiation::password_checked(bool matches) {
  return stage_ == stage::checking ? carry_out(exchange_->checked(matches)) : actions{};
}

// -- stanzas before a resource is bound --

actions negotiation::stanza(const element& x) {
  const auto type = x.attribute_or_empty("type");
  const auto to = x.attribute_or_empty("to");
  const auto is_for_us = [&] {
    if (to.empty())
      return true;
    const auto address = jid::parse(to);
    return address && (address->text() == host_->name || (is_authenticated() && *address == account_));
  };
  // Everything else is routed on behalf of somebody, and that is nobody yet (4.9.3.12, 7.1).
  if (x.name() != "iq" || (type != "get" && type != "set") || x.child_count() != 1 || !is_for_us() ||
      !x.attribute("id"))
    return end(errc::not_authorized);
  const auto payload = x.first_child();
  const auto is_known = is_authenticated() ? payload.is("bind", ns::bind) || payload.is("session", ns::session)
                                           : payload.is("query", ns::registration);
  if (!is_known)
    return end(errc::not_authorized);
  if (const auto from = x.attribute_or_empty("from"); is_authenticated() && !from.empty()) { // 8.1.2.1
    const auto address = jid::parse(from);
    if (!address || address->bare_text() != account_.text())
      return end(errc::invalid_from);
  }
  if (++requests_ > policy_->requests_max)
    return end(errc::policy_violation, "Too many requests");
  if (payload.is("bind", ns::bind))
    return bind(x, payload);
  if (payload.is("session", ns::session)) // without effect since RFC 6121
    return list(act::send{iq_result(x.attribute_or_empty("id"), {})});
  return registration(x, payload);
}

// -- registration (XEP-0077, 3.1) --

namespace {

constexpr auto registration_form =
    "<query xmlns='jabber:iq:register'><instructions>Choose a user name and a password.</instructions><username/>"
    "<password/><x xmlns='jabber:x:data' type='form'><title>Registration</title>"
    "<instructions>Choose a user name and a password.</instructions>"
    "<field type='hidden' var='FORM_TYPE'><value>jabber:iq:register</value></field>"
    "<field type='text-single' label='User name' var='username'><required/></field>"
    "<field type='text-private' label='Password' var='password'><required/></field></x></query>";

/// A field of what the client filled in; the form counts before the plain fields (5).
std::string field_of(const element& query, std::string_view name) {
  if (const auto form = query.child("x", ns::data_forms)) {
    for (const auto& field : form.children())
      if (field.is("field", ns::data_forms) && field.attribute_or_empty("var") == name)
        if (const auto value = field.child("value", ns::data_forms))
          return value.text();
    return {};
  }
  const auto found = query.child(name, ns::registration);
  return found ? found.text() : std::string{};
}

/// Clients show this to people, and some show nothing else.
std::string_view why_not_registered(errc outcome) noexcept {
  switch (outcome) {
  case errc::conflict:
    return "This user name is taken";
  case errc::not_acceptable:
    return "This password has characters that are not allowed";
  case errc::not_allowed:
    return "Accounts cannot be made here";
  case errc::resource_constraint:
    return "Too many accounts are being made: try again later";
  default:
    return {};
  }
}

} // namespace

actions negotiation::registration(const element& iq, const element& query) {
  const auto id = iq.attribute_or_empty("id");
  // What was sent holds a password, so no error repeats it.
  const auto refuse = [&](errc code, std::string_view text = {}) { return list(act::send{iq_error(id, code, text)}); };
  if (!may_register())
    return refuse(errc::service_unavailable);
  if (iq.attribute_or_empty("type") == "get")
    return list(act::send{iq_result(id, registration_form)});
  if (query.has_child("remove", ns::registration))
    return refuse(errc::unexpected_request); // 3.2: of whom?
  if (registrations_ >= policy_->registrations_max)
    return refuse(errc::not_acceptable, "This connection has made an account already");
  const auto user = field_of(query, "username");
  auto password = field_of(query, "password");
  if (user.empty() || password.empty())
    return refuse(errc::not_acceptable, "A user name and a password are needed");
  const auto account = jid::make(user, host_->name);
  if (!account)
    return refuse(errc::not_acceptable, "Not a legal user name");
  exchange_.reset();
  request_id_ = id;
  stage_ = stage::registering;
  return list(act::register_account{*account, std::move(password)});
}

actions negotiation::registered(errc outcome) {
  if (stage_ != stage::registering)
    return {};
  stage_ = stage::features;
  if (outcome == errc::none)
    ++registrations_;
  return list(act::send{outcome == errc::none ? iq_result(request_id_, {})
                                              : iq_error(request_id_, outcome, why_not_registered(outcome))});
}

// -- resource binding (7) --

actions negotiation::bind(const element& iq, const element& request) {
  const auto id = iq.attribute_or_empty("id");
  const auto asked = request.child("resource", ns::bind);
  const auto text = asked ? asked.text() : std::string{};
  auto prepared = text.empty() ? result<std::string>{std::string{}} : prepare_resource(text);
  if (iq.attribute_or_empty("type") != "set" || !prepared) // 7.7.2.1: a resource that can't be
    return list(act::send{iq_error(id, errc::bad_request)});
  request_id_ = id;
  stage_ = stage::binding;
  return list(act::bind{account_, *std::move(prepared), is_anonymous_});
}

actions negotiation::bound(const result<jid>& full) {
  if (stage_ != stage::binding)
    return {};
  if (!full) {
    stage_ = stage::features;
    const auto code = full.code();
    return list(act::send{iq_error(request_id_, code, {}, code == errc::conflict ? "modify" : "")}); // 7.7.2.2
  }
  stage_ = stage::over;
  auto payload = "<bind xmlns='" + std::string{ns::bind} + "'><jid>" + escaped(full->text()) + "</jid></bind>";
  return list(act::send{iq_result(request_id_, payload)}, act::established{*full, std::move(lang_), is_anonymous_});
}

} // namespace xmpp
