#include "protocol/stream.hpp"

#include "protocol/namespaces.hpp"
#include "tests/protocol/scram_client.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <string>

using namespace xmpp;
using namespace std::literals;
using fixtures::scram_client;

namespace {

constexpr auto password = "r0m30myr0m30";

const std::string& stored() {
  static const auto made = sasl::encode(*sasl::make_credentials(password, sasl::iterations_min));
  return made;
}

element parsed(std::string_view text) {
  initialize_xml();
  static parser reader{ns::client, stream_limits{}};
  auto x = reader.parse(text);
  BOOST_REQUIRE_MESSAGE(x.has_value(), "not XML: " << text);
  return *x;
}

stream_policy open_policy() {
  auto policy = stream_policy{};
  policy.hosts.resize(2);
  policy.hosts[0].name = "example.com";
  policy.hosts[1].name = "example.net";
  policy.server_secret = "0123456789abcdef0123456789abcdef";
  policy.scram_iterations = [] { return std::vector{sasl::iterations_min}; };
  policy.tls_required = false;
  return policy;
}

stream_policy strict_policy() {
  auto policy = open_policy();
  policy.tls_required = true;
  return policy;
}

tls_info plain_tls() {
  return {};
}

tls_info bound_tls() {
  auto info = tls_info{};
  info.bindings.tls_exporter = "exporter bytes";
  info.bindings.tls_server_end_point = "end point bytes";
  return info;
}

stream_header header(std::string to = "example.com", std::string from = {}) {
  auto good = stream_header{};
  good.to = std::move(to);
  good.from = std::move(from);
  good.version = "1.0";
  good.content_ns = ns::client;
  good.name = "stream";
  good.ns = ns::stream;
  return good;
}

/// A client and its server's side of the stream; the account juliet@example.com exists. What the negotiation asks for
/// is answered at once, unless `answers` says no.
struct dialogue {
  explicit dialogue(stream_policy with = open_policy(), bool is_loopback = false)
      : stream(std::make_shared<const stream_policy>(std::move(with)), is_loopback) {}

  negotiation stream;
  bool answers = true;
  bool enabled = true;
  errc store_failure = errc::none;
  errc registration = errc::none;
  result<jid> binding = errc::none; ///< `none`: what the client asks for.
  tls_info tls = plain_tls();

  std::string sent;        ///< Since `take`.
  std::string did;         ///< All actions so far, by their names.
  std::optional<jid> full; ///< When established.
  std::string lang;
  std::optional<errc> closed; ///< The reason.
  act::bind asked;
  act::register_account wants_account;
  std::vector<act::rejected> rejections;
  std::optional<act::authenticated> authenticated;

  void carry_out(actions todo) {
    for (auto& each : todo)
      std::visit([this](auto& what) { run(what); }, each);
  }

  std::string take() { return std::exchange(sent, {}); }

  std::string opens(const stream_header& h = header()) {
    carry_out(stream.opened(h));
    return take();
  }
  std::string says(std::string_view xml) {
    carry_out(stream.received(parsed(xml)));
    return take();
  }
  std::string auth(std::string_view mechanism, std::string_view message) {
    return says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + std::string{mechanism} + "'>" +
                (message.empty() ? "=" : sasl::base64_encode(message)) + "</auth>");
  }
  std::string response(std::string_view message) {
    return says("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + sasl::base64_encode(message) + "</response>");
  }
  /// The whole of SCRAM; the last answer.
  std::string scram(scram_client client = {}, std::string_view mechanism = "SCRAM-SHA-1") {
    const auto challenge = auth(mechanism, client.first());
    const auto from = challenge.find("'>");
    if (challenge.rfind("<challenge", 0) != 0)
      return challenge;
    const auto text = challenge.substr(from + 2, challenge.rfind("</") - from - 2);
    return response(client.answer(*sasl::base64_decode(text)));
  }
  std::string starts_tls() { return says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); }
  std::string signs_in() {
    scram();
    return opens();
  }
  std::string binds(std::string_view resource = "balcony") {
    return says("<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" +
                std::string{resource} + "</resource></bind></iq>");
  }

private:
  void run(act::send& x) {
    did += "send ";
    BOOST_TEST(!x.bytes.empty());
    sent += x.bytes;
  }
  void run(act::start_tls& x) {
    did += "start_tls ";
    BOOST_TEST(stream.waiting());
    sent += x.last_bytes;
    if (answers)
      stream.tls_established(tls);
  }
  void run(act::restart&) { did += "restart "; }
  void run(act::look_up& x) {
    did += "look_up ";
    BOOST_TEST(stream.waiting());
    if (!answers)
      return;
    const auto exists = x.account.text() == "juliet@example.com";
    carry_out(stream.looked_up({store_failure, exists, enabled, exists ? stored() : std::string_view{}}));
  }
  void run(act::check_password& x) {
    did += "check_password ";
    BOOST_TEST(stream.waiting());
    if (answers)
      carry_out(stream.password_checked(sasl::check_password(x.password, *sasl::decode(x.stored))));
  }
  void run(act::register_account& x) {
    did += "register ";
    BOOST_TEST(stream.waiting());
    wants_account = x;
    if (answers)
      carry_out(stream.registered(registration));
  }
  void run(act::rejected& x) {
    did += "rejected ";
    rejections.push_back(x);
  }
  void run(act::authenticated& x) {
    did += "authenticated ";
    authenticated = x;
  }
  void run(act::bind& x) {
    did += "bind ";
    BOOST_TEST(stream.waiting());
    asked = x;
    if (answers)
      carry_out(stream.bound(binding || binding.code() != errc::none
                                 ? binding
                                 : result<jid>{x.account.with_resource(x.resource.empty() ? "made" : x.resource)}));
  }
  void run(act::established& x) {
    did += "established ";
    full = x.full;
    lang = x.lang;
    BOOST_TEST(stream.is_over());
  }
  void run(act::close& x) {
    did += "close ";
    closed = x.reason;
    BOOST_TEST(stream.is_over());
  }
};

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string failure(std::string_view condition) {
  return "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><" + std::string{condition} + "/></failure>";
}

std::string ending(std::string_view condition) {
  return "<stream:error><" + std::string{condition} +
         " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>";
}

/// The stream error that answers a client's first header.
std::string answer_to(const stream_header& h, stream_policy policy = open_policy()) {
  auto d = dialogue{std::move(policy)};
  const auto bytes = d.opens(h);
  const auto at = bytes.find("<stream:error>");
  if (at == std::string::npos)
    return "accepted";
  BOOST_TEST(bytes.rfind("<?xml version='1.0'?><stream:stream ", 0) == 0u); // 4.9.1.2
  BOOST_TEST(has(bytes, "</stream:stream>"));
  BOOST_TEST(d.closed.has_value());
  return std::string{condition_name(*d.closed)};
}

} // namespace

BOOST_AUTO_TEST_SUITE(stream)

// -- headers (RFC 6120, 4.7, 4.8) --

BOOST_AUTO_TEST_CASE(a_header_is_answered_with_a_header_and_features) {
  auto d = dialogue{};
  const auto bytes = d.opens(header("example.com", "juliet@example.com"));
  BOOST_TEST(bytes.rfind("<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
                         "xmlns:stream='http://etherx.jabber.org/streams' id='",
                         0) == 0u);
  BOOST_TEST(has(bytes, " from='example.com' to='juliet@example.com' version='1.0' xml:lang='en'>"
                        "<stream:features>"));
  BOOST_TEST(has(bytes, "</stream:features>"));
  BOOST_TEST(d.stream.host() == "example.com");
  BOOST_TEST(!has(dialogue{}.opens(), " to='"));
}

BOOST_AUTO_TEST_CASE(a_full_address_in_from_is_answered_to_the_bare_one) {
  BOOST_TEST(has(dialogue{}.opens(header("example.com", "Juliet@example.com/balcony")), " to='juliet@example.com'"));
}

BOOST_AUTO_TEST_CASE(each_header_has_another_id) {
  auto policy = open_policy();
  auto last = '\0';
  policy.random = [&](std::size_t bytes) { return std::string(bytes, ++last); };
  auto d = dialogue{policy};
  BOOST_TEST(has(d.opens(), "id='AQEBAQEBAQEBAQEBAQEB'"));
  d.starts_tls();
  BOOST_TEST(has(d.opens(), "id='AgICAgICAgICAgICAgIC'"));
}

BOOST_AUTO_TEST_CASE(the_host_is_compared_prepared) {
  BOOST_TEST(answer_to(header("EXAMPLE.com.")) == "accepted");
  BOOST_TEST(answer_to(header("example.net")) == "accepted");
}

BOOST_AUTO_TEST_CASE(headers_that_can_not_be_served_are_refused) {
  BOOST_TEST(answer_to(header("example.org")) == "host-unknown");
  BOOST_TEST(answer_to(header("juliet@example.com")) == "host-unknown");
  BOOST_TEST(answer_to(header("")) == "improper-addressing");
  BOOST_TEST(answer_to(header("a b")) == "improper-addressing");
  BOOST_TEST(answer_to(header("example.com", "@")) == "improper-addressing");
  auto h = header();
  h.ns = "http://wrong.example/";
  BOOST_TEST(answer_to(h) == "invalid-namespace");
  for (auto content : {"jabber:server", "urn:x"}) {
    h = header();
    h.content_ns = content;
    BOOST_TEST(answer_to(h) == "invalid-namespace", content);
  }
  h = header();
  h.name = "streams";
  BOOST_TEST(answer_to(h) == "bad-format");
}

BOOST_AUTO_TEST_CASE(a_header_need_not_declare_the_content_namespace) { // 4.8.2, 4.8.4
  for (auto content : {"", "http://etherx.jabber.org/streams"}) {
    auto h = header();
    h.content_ns = content;
    BOOST_TEST(answer_to(h) == "accepted", content);
  }
}

BOOST_AUTO_TEST_CASE(versions_from_1_0_on_are_supported) {
  for (auto [version, end] : std::map<std::string, std::string>{{"1.0", "accepted"},
                                                                {"1.1", "accepted"},
                                                                {"2.0", "accepted"},
                                                                {"01.00", "accepted"},
                                                                {"10.0", "accepted"},
                                                                {"", "unsupported-version"},
                                                                {"0.9", "unsupported-version"},
                                                                {"00.1", "unsupported-version"},
                                                                {"1", "unsupported-version"},
                                                                {"1.", "unsupported-version"},
                                                                {".1", "unsupported-version"},
                                                                {"1.x", "unsupported-version"},
                                                                {"-1.0", "unsupported-version"},
                                                                {"1.0.0", "unsupported-version"}}) {
    auto h = header();
    h.version = version;
    BOOST_TEST(answer_to(h) == end, version);
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_host_is_refused_by_the_first_host) { // 4.9.1.2
  auto d = dialogue{};
  const auto bytes = d.opens(header("example.org"));
  BOOST_TEST(has(bytes, " from='example.com'"));
  BOOST_TEST(has(bytes, ending("host-unknown")));
}

BOOST_AUTO_TEST_CASE(a_client_that_names_no_host_gets_the_default_one_or_that_of_its_tls) {
  auto policy = open_policy();
  policy.default_host = "example.net";
  BOOST_TEST(has(dialogue{policy}.opens(header("")), " from='example.net'"));
  auto d = dialogue{};
  auto info = plain_tls();
  info.server_name = "example.net";
  d.stream.tls_established(info);
  BOOST_TEST(has(d.opens(header("")), " from='example.net'"));
}

BOOST_AUTO_TEST_CASE(bytes_that_break_a_rule_end_the_stream) {
  auto before = dialogue{};
  before.carry_out(before.stream.broken(errc::not_well_formed));
  BOOST_TEST(has(before.sent, "<stream:stream "));
  BOOST_TEST(has(before.sent, ending("not-well-formed")));
  auto after = dialogue{};
  after.opens();
  after.carry_out(after.stream.broken(errc::restricted_xml));
  BOOST_TEST(after.sent == ending("restricted-xml"));
  BOOST_TEST((after.closed == errc::restricted_xml));
}

BOOST_AUTO_TEST_CASE(the_end_of_the_stream_is_answered) { // 4.4
  auto d = dialogue{};
  d.opens();
  d.carry_out(d.stream.closed());
  BOOST_TEST(d.sent == "</stream:stream>");
  BOOST_TEST((d.closed == errc::none));
  auto silent = dialogue{};
  silent.carry_out(silent.stream.closed());
  BOOST_TEST(silent.sent.empty());
  BOOST_TEST(silent.closed.has_value());
}

BOOST_AUTO_TEST_CASE(a_client_s_error_is_not_answered_with_one) {
  auto d = dialogue{};
  d.opens();
  d.carry_out(d.stream.received(xml::builder{"error", ns::stream}.finish()));
  BOOST_TEST(d.sent == "</stream:stream>");
}

BOOST_AUTO_TEST_CASE(slowness_ends_the_stream) {
  auto d = dialogue{};
  d.opens();
  d.carry_out(d.stream.timed_out());
  BOOST_TEST(d.sent == ending("connection-timeout"));
}

BOOST_AUTO_TEST_CASE(this_side_may_end_the_stream) {
  auto d = dialogue{};
  d.opens();
  d.carry_out(d.stream.end(errc::see_other_host, {}, "[2001:db8::1]:5222"));
  BOOST_TEST(d.sent == "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:5222"
                       "</see-other-host></stream:error></stream:stream>");
  auto early = dialogue{};
  early.carry_out(early.stream.end(errc::system_shutdown, "Good night & good luck"));
  BOOST_TEST(has(early.sent, "<stream:stream "));
  BOOST_TEST(has(early.sent, "<system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text "
                             "xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>Good night &amp; good luck"
                             "</text></stream:error></stream:stream>"));
}

BOOST_AUTO_TEST_CASE(conditions_that_streams_lack_are_undefined_and_ours_internal) {
  BOOST_TEST(stream_error(errc::item_not_found) == ending("undefined-condition"));
  BOOST_TEST(stream_error(errc::storage_failure) == ending("internal-server-error"));
  BOOST_TEST(stream_error(errc::conflict) == ending("conflict"));
  BOOST_TEST(stream_error(errc::host_unknown) == ending("host-unknown"));
}

BOOST_AUTO_TEST_CASE(nothing_happens_after_the_end) {
  auto d = dialogue{};
  d.opens();
  d.carry_out(d.stream.closed());
  d.take();
  d.did.clear();
  d.opens();
  d.says("<presence/>");
  d.carry_out(d.stream.broken(errc::not_well_formed));
  d.carry_out(d.stream.closed());
  d.carry_out(d.stream.timed_out());
  d.stream.tls_established(plain_tls());
  d.carry_out(d.stream.looked_up({}));
  d.carry_out(d.stream.password_checked(true));
  d.carry_out(d.stream.registered(errc::none));
  d.carry_out(d.stream.bound(*jid::parse("juliet@example.com/x")));
  d.carry_out(d.stream.end(errc::system_shutdown));
  BOOST_TEST(d.did.empty());
}

// -- features (4.3.2, XEP-0170) --

constexpr auto scram_mechanisms = "<mechanism>SCRAM-SHA-512</mechanism><mechanism>SCRAM-SHA-256</mechanism>"
                                  "<mechanism>SCRAM-SHA-1</mechanism>";
constexpr auto plus_mechanisms = "<mechanism>SCRAM-SHA-512-PLUS</mechanism><mechanism>SCRAM-SHA-256-PLUS</mechanism>"
                                 "<mechanism>SCRAM-SHA-1-PLUS</mechanism>";

BOOST_AUTO_TEST_CASE(required_tls_is_all_that_is_offered_first) {
  const auto bytes = dialogue{strict_policy()}.opens();
  BOOST_TEST(has(bytes, "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
                        "</stream:features>"));
}

BOOST_AUTO_TEST_CASE(without_tls_there_is_scram_but_neither_plain_nor_plus) {
  const auto bytes = dialogue{}.opens();
  BOOST_TEST(has(bytes, "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
                        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"s +
                            scram_mechanisms + "</mechanisms>"));
  BOOST_TEST(has(bytes, "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>16384</max-bytes></limits>"));
}

BOOST_AUTO_TEST_CASE(a_host_without_a_certificate_offers_no_tls) {
  auto policy = open_policy();
  policy.hosts[0].offers_tls = false;
  BOOST_TEST(!has(dialogue{policy}.opens(), "<starttls"));
}

BOOST_AUTO_TEST_CASE(under_tls_there_is_plain_and_with_bindings_plus) {
  auto d = dialogue{strict_policy()};
  d.opens();
  d.starts_tls();
  auto bytes = d.opens();
  BOOST_TEST(has(bytes, "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"s + scram_mechanisms +
                            "<mechanism>PLAIN</mechanism></mechanisms><limits"));
  auto bound = dialogue{strict_policy()};
  bound.tls = bound_tls();
  bound.opens();
  bound.starts_tls();
  bytes = bound.opens();
  BOOST_TEST(has(bytes, "<stream:features><sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"
                        "<channel-binding type='tls-exporter'/><channel-binding type='tls-server-end-point'/>"
                        "</sasl-channel-binding><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"s +
                            plus_mechanisms + scram_mechanisms + "<mechanism>PLAIN</mechanism></mechanisms>"));
}

BOOST_AUTO_TEST_CASE(mechanisms_that_are_not_allowed_are_not_offered) {
  auto policy = open_policy();
  policy.hosts[0].mechanisms = {sasl::mechanism::scram_sha_256, sasl::mechanism::anonymous};
  auto d = dialogue{policy};
  d.stream.tls_established(bound_tls());
  BOOST_TEST(has(d.opens(), "'><mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism>"
                            "<mechanism>ANONYMOUS</mechanism></mechanisms>"));
}

BOOST_AUTO_TEST_CASE(registration_is_offered_where_it_is_allowed) {
  auto policy = strict_policy();
  policy.hosts[0].registers = true;
  auto d = dialogue{policy};
  BOOST_TEST(!has(d.opens(), "register"));
  d.starts_tls();
  BOOST_TEST(has(d.opens(), "<stream:features><register xmlns='http://jabber.org/features/iq-register'/><mechanisms"));
  policy = open_policy();
  policy.hosts[0].registers_from_loopback = true;
  BOOST_TEST(!has(dialogue{policy}.opens(), "register"));
  BOOST_TEST(has((dialogue{policy, true}.opens()), "<register"));
}

BOOST_AUTO_TEST_CASE(after_sign_in_there_is_binding_and_what_belongs_to_it) {
  auto policy = open_policy();
  policy.hosts[0].extra_features_bound = "<c xmlns='http://jabber.org/protocol/caps'/>";
  policy.idle_seconds = 600;
  auto d = dialogue{policy};
  d.opens();
  const auto bytes = d.signs_in();
  BOOST_TEST(has(bytes, "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
                        "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"
                        "<ver xmlns='urn:xmpp:features:rosterver'/><sub xmlns='urn:xmpp:features:pre-approval'/>"
                        "<c xmlns='http://jabber.org/protocol/caps'/><limits xmlns='urn:xmpp:stream-limits:0'>"
                        "<max-bytes>262144</max-bytes><idle-seconds>600</idle-seconds></limits></stream:features>"));
}

BOOST_AUTO_TEST_CASE(a_bind_in_the_name_of_another_is_a_lie) { // RFC 6120, 8.1.2.1
  const auto binds = [](const std::string& from) {
    auto d = dialogue{open_policy()};
    d.opens();
    d.signs_in();
    return d.says("<iq type='set' id='b1' from='" + from + "'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
  };
  for (auto from : {"romeo@example.com/r", "romeo@example.com", "example.com", "juliet@example.net/r", "@"})
    BOOST_TEST(has(binds(from), "<invalid-from"), from);
  for (auto from : {"juliet@example.com", "juliet@example.com/balcony", "JULIET@example.com", ""})
    BOOST_TEST(has(binds(from), "type='result'"), from);
}

// -- STARTTLS (5.4) --

BOOST_AUTO_TEST_CASE(starttls_proceeds_and_begins_anew) {
  auto d = dialogue{strict_policy()};
  d.answers = false;
  d.opens(header("example.com", "juliet@example.com"));
  BOOST_TEST(d.starts_tls() == "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  BOOST_TEST(d.did == "send start_tls ");
  BOOST_TEST(d.stream.waiting());
  d.stream.tls_established(plain_tls());
  BOOST_TEST(!d.stream.waiting());
  BOOST_TEST(!has(d.opens(), " to='")); // what was said in clear is forgotten
}

BOOST_AUTO_TEST_CASE(starttls_fails_where_it_is_not_offered) { // 5.4.2.2
  constexpr auto fails = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>";
  auto twice = dialogue{};
  twice.opens();
  twice.starts_tls();
  twice.opens();
  BOOST_TEST(twice.starts_tls() == fails);
  BOOST_TEST(twice.closed.has_value());
  auto policy = open_policy();
  policy.hosts[0].offers_tls = false;
  auto without = dialogue{policy};
  without.opens();
  BOOST_TEST(without.starts_tls() == fails);
  auto late = dialogue{};
  late.opens();
  late.signs_in();
  BOOST_TEST(late.starts_tls() == fails);
}

BOOST_AUTO_TEST_CASE(nothing_is_said_in_clear_during_the_handshake) {
  auto d = dialogue{};
  d.answers = false;
  d.opens();
  d.starts_tls();
  d.carry_out(d.stream.timed_out());
  BOOST_TEST(d.sent.empty());
  BOOST_TEST((d.closed == errc::connection_timeout));
}

BOOST_AUTO_TEST_CASE(direct_tls_comes_before_the_first_header) {
  auto d = dialogue{strict_policy()};
  d.stream.tls_established(plain_tls());
  BOOST_TEST(d.did.empty());
  const auto bytes = d.opens();
  BOOST_TEST(has(bytes, "<mechanism>PLAIN</mechanism>"));
  BOOST_TEST(!has(bytes, "<starttls"));
}

// -- SASL (6) --

BOOST_AUTO_TEST_CASE(scram_signs_in_and_the_stream_starts_anew) {
  auto d = dialogue{};
  d.opens();
  auto client = scram_client{};
  const auto bytes = d.scram(client);
  BOOST_TEST(bytes.rfind("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>", 0) == 0u);
  BOOST_TEST(d.did == "send look_up send authenticated send restart ");
  BOOST_TEST(d.authenticated->account.text() == "juliet@example.com");
  BOOST_TEST((d.authenticated->how == sasl::mechanism::scram_sha_1));
  BOOST_TEST(d.stream.account().text() == "juliet@example.com");
}

BOOST_AUTO_TEST_CASE(every_scram_mechanism_that_is_offered_works) {
  using sasl::hash;
  for (auto [mechanism, with] :
       {std::pair{"SCRAM-SHA-1", hash::sha_1}, {"SCRAM-SHA-256", hash::sha_256}, {"SCRAM-SHA-512", hash::sha_512}})
    for (auto binds : {false, true}) {
      auto d = dialogue{strict_policy()};
      d.stream.tls_established(bound_tls());
      d.opens();
      auto client = scram_client{.with = with};
      if (binds) {
        client.header = "p=tls-exporter,,";
        client.binding = "exporter bytes";
      }
      BOOST_TEST(has(d.scram(client, mechanism + (binds ? "-PLUS"s : ""s)), "<success"), mechanism << binds);
    }
}

BOOST_AUTO_TEST_CASE(plain_is_checked_elsewhere) {
  auto d = dialogue{strict_policy()};
  d.stream.tls_established(plain_tls());
  d.opens();
  BOOST_TEST(d.auth("PLAIN", "\0juliet\0r0m30myr0m30"sv) == "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  BOOST_TEST(d.did == "send look_up check_password authenticated send restart ");
  auto wrong = dialogue{strict_policy()};
  wrong.stream.tls_established(plain_tls());
  wrong.opens();
  BOOST_TEST(wrong.auth("PLAIN", "\0juliet\0wrong"sv) == failure("not-authorized"));
  BOOST_TEST(wrong.auth("PLAIN", "\0nobody\0wrong"sv) == failure("not-authorized"));
  BOOST_TEST(wrong.did == "send look_up check_password rejected send look_up check_password rejected send ");
}

BOOST_AUTO_TEST_CASE(what_arrives_while_an_answer_is_awaited_is_to_be_kept_back) {
  auto d = dialogue{};
  d.answers = false;
  d.opens();
  BOOST_TEST(!d.stream.waiting());
  d.auth("SCRAM-SHA-1", "n,,n=juliet,r=abc");
  BOOST_TEST(d.stream.waiting());
  d.carry_out(d.stream.looked_up({errc::none, true, true, stored()}));
  BOOST_TEST(!d.stream.waiting());
  BOOST_TEST(has(d.sent, "<challenge"));
}

BOOST_AUTO_TEST_CASE(a_client_without_an_initial_response_is_asked_for_it) { // 6.4.2
  auto d = dialogue{strict_policy()};
  d.stream.tls_established(plain_tls());
  d.opens();
  BOOST_TEST(d.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>") ==
             "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  BOOST_TEST(has(d.response("\0juliet\0r0m30myr0m30"sv), "<success"));
}

BOOST_AUTO_TEST_CASE(an_equals_sign_is_an_empty_response) {
  auto d = dialogue{};
  d.opens();
  BOOST_TEST(d.auth("SCRAM-SHA-1", "") == failure("malformed-request"));
}

BOOST_AUTO_TEST_CASE(base64_is_strict) {
  auto d = dialogue{};
  d.opens();
  BOOST_TEST(d.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>bi ws</auth>") ==
             failure("incorrect-encoding"));
  d.auth("SCRAM-SHA-1", "n,,n=juliet,r=abc");
  BOOST_TEST(d.says("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>!</response>") ==
             failure("incorrect-encoding"));
}

BOOST_AUTO_TEST_CASE(mechanisms_that_are_not_offered_are_invalid) { // CVE-2017-10807
  auto d = dialogue{};
  d.opens();
  BOOST_TEST(d.auth("ANONYMOUS", "") == failure("invalid-mechanism"));
  BOOST_TEST(d.auth("EXTERNAL", "") == failure("invalid-mechanism"));
  BOOST_TEST(d.auth("SCRAM-SHA-1-PLUS", "p=tls-exporter,,n=juliet,r=abc") == failure("invalid-mechanism"));
  BOOST_TEST(d.auth("DIGEST-MD5", "") == failure("invalid-mechanism"));
  BOOST_TEST(d.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>") == failure("invalid-mechanism"));
}

BOOST_AUTO_TEST_CASE(what_needs_encryption_says_so) { // 6.5.4
  auto open = dialogue{};
  open.opens();
  BOOST_TEST(open.auth("PLAIN", "\0juliet\0r0m30myr0m30"sv) == failure("encryption-required"));
  auto strict = dialogue{strict_policy()};
  strict.opens();
  for (auto mechanism : {"SCRAM-SHA-1", "PLAIN", "ANONYMOUS"})
    BOOST_TEST(strict.auth(mechanism, "n,,n=juliet,r=abc") == failure("encryption-required"));
  BOOST_TEST(!has(strict.did, "look_up"));
}

BOOST_AUTO_TEST_CASE(a_client_may_abort) {
  auto d = dialogue{};
  d.opens();
  d.auth("SCRAM-SHA-1", "n,,n=juliet,r=abc");
  BOOST_TEST(d.says("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>") == failure("aborted"));
  BOOST_TEST(has(d.scram(), "<success"));
}

BOOST_AUTO_TEST_CASE(another_auth_takes_the_place_of_the_one_under_way) { // 6.4.2
  auto d = dialogue{};
  d.opens();
  d.auth("SCRAM-SHA-256", "n,,n=juliet,r=abc");
  BOOST_TEST(has(d.scram(), "<success"));
}

BOOST_AUTO_TEST_CASE(a_response_that_nothing_asked_for_is_malformed) {
  auto d = dialogue{};
  d.opens();
  BOOST_TEST(d.response("c=biws,r=abc,p=AAAA") == failure("malformed-request"));
}

BOOST_AUTO_TEST_CASE(attempts_are_limited) { // 6.4.5
  auto d = dialogue{};
  d.opens();
  for (int i = 1; i <= 5; ++i) {
    BOOST_TEST(d.scram({.password = "wrong"}) == failure("not-authorized"));
    BOOST_TEST(int{d.rejections.back().attempts} == i);
    BOOST_TEST(d.rejections.back().account.text() == "juliet@example.com");
  }
  const auto bytes = d.scram();
  BOOST_TEST(has(bytes, "<policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"));
  BOOST_TEST((d.closed == errc::policy_violation));
  for (auto loop :
       {"<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'/>"}) {
    auto other = dialogue{};
    other.opens();
    for (int i = 0; i < 6; ++i)
      other.says(loop);
    BOOST_TEST((other.closed == errc::policy_violation), loop);
  }
}

BOOST_AUTO_TEST_CASE(a_refused_channel_binding_uses_up_no_attempt) { // such clients come with each PLUS form first
  auto d = dialogue{};
  d.stream.tls_established(bound_tls());
  d.opens();
  for (auto mechanism : {"SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"})
    BOOST_TEST(d.auth(mechanism, "p=tls-unknown,,n=juliet,r=abc") == failure("not-authorized"));
  for (auto mechanism : {"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"})
    BOOST_TEST(d.auth(mechanism, "y,,n=juliet,r=abc") == failure("not-authorized"));
  for (auto& x : d.rejections)
    BOOST_TEST((x.binding_refused && !x.is_counted));
  d.scram({.password = "wrong"});
  BOOST_TEST((!d.rejections.back().binding_refused && d.rejections.back().is_counted));
  BOOST_TEST(has(d.scram(), "<success"));
  auto endless = dialogue{};
  endless.stream.tls_established(bound_tls());
  endless.opens();
  for (int i = 0; i < 12; ++i)
    endless.auth("SCRAM-SHA-1", "y,,n=juliet,r=abc");
  BOOST_TEST((endless.rejections.back().binding_refused && endless.rejections.back().is_counted));
  BOOST_TEST((endless.closed == errc::policy_violation));
}

BOOST_AUTO_TEST_CASE(the_fifth_attempt_may_succeed) {
  auto d = dialogue{};
  d.opens();
  for (int i = 1; i <= 4; ++i)
    d.scram({.password = "wrong"});
  BOOST_TEST(has(d.scram(), "<success"));
}

BOOST_AUTO_TEST_CASE(a_store_that_can_not_say_is_a_temporary_failure) {
  auto d = dialogue{};
  d.opens();
  d.store_failure = errc::storage_failure;
  BOOST_TEST(d.scram() == failure("temporary-auth-failure"));
  d.store_failure = errc::none;
  d.answers = false;
  d.auth("SCRAM-SHA-1", "n,,n=juliet,r=abc");
  d.carry_out(d.stream.looked_up({errc::none, true, true, "not a record"}));
  BOOST_TEST(d.take() == failure("temporary-auth-failure"));
}

BOOST_AUTO_TEST_CASE(a_disabled_account_is_told_so_after_its_proof) {
  auto d = dialogue{};
  d.opens();
  d.enabled = false;
  BOOST_TEST(d.scram({.password = "wrong"}) == failure("not-authorized"));
  BOOST_TEST(d.scram() == failure("account-disabled"));
}

BOOST_AUTO_TEST_CASE(somebody_else_s_session_is_never_opened) {
  auto d = dialogue{strict_policy()};
  d.stream.tls_established(plain_tls());
  d.opens();
  BOOST_TEST(d.auth("PLAIN", "romeo@example.com\0juliet\0r0m30myr0m30"sv) == failure("invalid-authzid"));
  BOOST_TEST(d.scram({.header = "n,a=romeo@example.com,"}) == failure("invalid-authzid"));
  BOOST_TEST(d.auth("PLAIN", "juliet@example.net\0juliet\0r0m30myr0m30"sv) == failure("invalid-authzid"));
}

BOOST_AUTO_TEST_CASE(an_account_is_one_of_the_host_of_the_stream) {
  auto d = dialogue{};
  d.opens(header("example.net"));
  BOOST_TEST(d.scram() == failure("not-authorized")); // juliet@example.net is not there
}

BOOST_AUTO_TEST_CASE(external_is_offered_with_a_verified_address_of_this_host) { // XEP-0178
  const auto offer = [](std::vector<std::string> certified, std::string from = {}) {
    auto policy = strict_policy();
    policy.hosts[0].mechanisms.push_back(sasl::mechanism::external);
    auto d = dialogue{policy};
    auto info = plain_tls();
    info.certified = std::move(certified);
    d.stream.tls_established(info);
    if (!has(d.opens(header("example.com", std::move(from))), "<mechanism>EXTERNAL</mechanism>"))
      return "not offered"s;
    return d.auth("EXTERNAL", "");
  };
  constexpr auto success = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
  BOOST_TEST(offer({"juliet@example.com"}) == success);
  BOOST_TEST(offer({"Juliet@example.com"}) == success);
  BOOST_TEST(offer({"juliet@example.com", "juliet@example.net"}) == success);
  BOOST_TEST(offer({"juliet@example.com", "nurse@example.com"}) == failure("invalid-authzid"));
  BOOST_TEST(offer({"juliet@example.com", "nurse@example.com"}, "juliet@example.com") == success);
  BOOST_TEST(offer({"nurse@example.com"}) == failure("not-authorized"));
  BOOST_TEST(offer({"juliet@example.com"}, "romeo@example.com") == "not offered");
  BOOST_TEST(offer({}) == "not offered");
  BOOST_TEST(offer({"juliet@example.net", "@", "example.com"}) == "not offered");
}

BOOST_AUTO_TEST_CASE(anonymous_makes_an_account_for_the_session) { // XEP-0175
  auto policy = open_policy();
  policy.hosts[0].mechanisms = {sasl::mechanism::anonymous};
  auto d = dialogue{policy};
  d.opens();
  BOOST_TEST(has(d.auth("ANONYMOUS", ""), "<success"));
  BOOST_TEST(d.stream.account().local().size() == 36u);
  BOOST_TEST(!has(d.did, "look_up"));
  d.opens();
  d.binds("");
  BOOST_TEST(d.asked.is_anonymous);
  BOOST_TEST(has(d.did, "established"));
}

BOOST_AUTO_TEST_CASE(sasl_is_over_after_success) {
  auto d = dialogue{};
  d.opens();
  d.signs_in();
  d.auth("SCRAM-SHA-1", "n,,n=juliet,r=abc");
  BOOST_TEST((d.closed == errc::unsupported_stanza_type));
}

// -- the stream after sign-in --

BOOST_AUTO_TEST_CASE(after_success_a_new_header_must_come) { // 6.4.6
  auto d = dialogue{};
  d.opens();
  d.scram();
  const auto bytes = d.binds();
  BOOST_TEST((d.closed == errc::bad_format));
  BOOST_TEST(bytes.rfind("<?xml version='1.0'?><stream:stream ", 0) == 0u);
  BOOST_TEST(!d.full);
}

BOOST_AUTO_TEST_CASE(the_new_header_fits_the_account) {
  const auto answer = [](const stream_header& h) {
    auto d = dialogue{};
    d.opens();
    d.scram();
    d.opens(h);
    return d.closed ? std::string{condition_name(*d.closed)} : "accepted"s;
  };
  BOOST_TEST(answer(header()) == "accepted");
  BOOST_TEST(answer(header("")) == "accepted");
  BOOST_TEST(answer(header("example.com", "juliet@example.com")) == "accepted");
  BOOST_TEST(answer(header("example.com", "romeo@example.com")) == "invalid-from");
  BOOST_TEST(answer(header("example.net")) == "not-authorized");
  BOOST_TEST(answer(header("example.org")) == "host-unknown");
}

// -- stanzas too early (4.9.3.12, 7.1) --

BOOST_AUTO_TEST_CASE(stanzas_before_sign_in_and_before_binding_are_not_authorized) {
  for (auto text :
       {"<message to='romeo@example.net'><body>hi</body></message>", "<presence/>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq type='get' id='1' to='example.com'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq type='result' id='1'/>",
        "<iq type='set' id='1'/>", "<iq id='1'><a xmlns='b'/></iq>",
        "<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<iq type='set' id='1' to='romeo@example.net'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<iq type='set' id='1' to='@'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<iq type='error' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"}) {
    auto before = dialogue{};
    before.opens();
    BOOST_TEST(before.says(text) == ending("not-authorized"), text);
    auto after = dialogue{};
    after.opens();
    after.signs_in();
    BOOST_TEST(after.says(text) == ending("not-authorized"), text);
  }
  for (auto text : {"<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
                    "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"}) {
    auto before = dialogue{};
    before.opens();
    BOOST_TEST(before.says(text) == ending("not-authorized"), text);
  }
}

BOOST_AUTO_TEST_CASE(other_elements_are_unsupported) {
  for (auto text : {"<foo/>", "<foo xmlns='urn:x'/>", "<features xmlns='http://etherx.jabber.org/streams'/>",
                    "<message xmlns='jabber:server'/>", "<abort xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
                    "<enable xmlns='urn:xmpp:sm:3'/>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"}) {
    auto d = dialogue{};
    d.opens();
    BOOST_TEST(d.says(text) == ending("unsupported-stanza-type"), text);
  }
}

// -- registration (XEP-0077) --

stream_policy registering_policy() {
  auto policy = open_policy();
  policy.hosts[0].registers = true;
  return policy;
}

std::string registration(std::string_view fields) {
  return "<iq type='set' id='r1'><query xmlns='jabber:iq:register'>" + std::string{fields} + "</query></iq>";
}

constexpr auto bill = "<username>Bill</username><password>Calliope</password>";

BOOST_AUTO_TEST_CASE(the_fields_of_a_registration_are_told) {
  auto d = dialogue{registering_policy()};
  d.opens();
  const auto bytes = d.says("<iq type='get' id='r0' to='example.com'><query xmlns='jabber:iq:register'/></iq>");
  BOOST_TEST(bytes.rfind("<iq type='result' id='r0'><query xmlns='jabber:iq:register'><instructions>", 0) == 0u);
  BOOST_TEST(has(bytes, "<username/><password/><x xmlns='jabber:x:data' type='form'>"));
  BOOST_TEST((parsed(bytes).first_child().child("x", ns::data_forms).child_count() == 5u));
}

BOOST_AUTO_TEST_CASE(an_account_is_registered_from_fields_or_form) {
  auto d = dialogue{registering_policy()};
  d.opens();
  BOOST_TEST(d.says(registration(bill)) == "<iq type='result' id='r1'/>");
  BOOST_TEST(d.wants_account.account.text() == "bill@example.com");
  BOOST_TEST(d.wants_account.password == "Calliope");
  BOOST_TEST(has(d.scram(), "<success"));
  auto form = dialogue{registering_policy()};
  form.opens();
  BOOST_TEST(form.says(registration(
                 "<username>other</username><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
                 "<value>jabber:iq:register</value></field><field var='username'><value>bill</value></field>"
                 "<field var='password'><value>Calliope</value></field></x>")) == "<iq type='result' id='r1'/>");
  BOOST_TEST(form.wants_account.account.text() == "bill@example.com");
}

BOOST_AUTO_TEST_CASE(a_registration_that_fails_says_why_and_repeats_nothing) {
  auto d = dialogue{registering_policy()};
  d.opens();
  d.registration = errc::conflict;
  BOOST_TEST(d.says(registration(bill)) == "<iq type='error' id='r1'><error type='cancel'><conflict "
                                           "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text "
                                           "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>This user name "
                                           "is taken</text></error></iq>");
  for (auto code : {errc::not_acceptable, errc::not_allowed, errc::resource_constraint}) {
    d.registration = code;
    BOOST_TEST(has(d.says(registration(bill)), "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>"));
  }
  d.registration = errc::storage_failure;
  BOOST_TEST(has(d.says(registration(bill)), "<internal-server-error "));
  for (auto fields : {"", "<username>bill</username>", "<password>x</password>", "<username>bill</username><password/>",
                      "<username/><password>x</password>", "<username>a b</username><password>x</password>",
                      "<username>a@b</username><password>x</password>",
                      "<username>bill</username><password>x</password><x xmlns='jabber:x:data' type='submit'/>"}) {
    auto other = dialogue{registering_policy()};
    other.opens();
    const auto bytes = other.says(registration(fields));
    BOOST_TEST(has(bytes, "<error type='modify'><not-acceptable "), fields);
    BOOST_TEST(!has(other.did, "register"));
  }
  BOOST_TEST(has(d.says(registration("<remove/>")), "<unexpected-request "));
  BOOST_TEST(!d.closed);
}

BOOST_AUTO_TEST_CASE(registrations_are_limited) {
  auto d = dialogue{registering_policy()};
  d.opens();
  d.says(registration(bill));
  BOOST_TEST(has(d.says(registration(bill)), "<not-acceptable "));
  for (int i = 0; i < 9; ++i)
    d.says(registration(bill));
  BOOST_TEST((d.closed == errc::policy_violation));
}

BOOST_AUTO_TEST_CASE(registration_that_is_not_allowed_is_unavailable) {
  auto d = dialogue{};
  d.opens();
  BOOST_TEST(has(d.says(registration(bill)), "<service-unavailable "));
  auto policy = registering_policy();
  policy.tls_required = true;
  auto strict = dialogue{policy};
  strict.opens();
  BOOST_TEST(has(strict.says(registration(bill)), "<service-unavailable "));
  BOOST_TEST(!has(strict.did, "register"));
  auto late = dialogue{registering_policy()};
  late.opens();
  late.signs_in();
  BOOST_TEST(late.says(registration(bill)) == ending("not-authorized"));
}

// -- binding (7) --

BOOST_AUTO_TEST_CASE(a_resource_is_bound) {
  auto d = dialogue{};
  d.opens();
  d.scram();
  auto h = header();
  h.lang = "de";
  d.opens(h);
  BOOST_TEST(d.binds() == "<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                          "<jid>juliet@example.com/balcony</jid></bind></iq>");
  BOOST_TEST(d.full->text() == "juliet@example.com/balcony");
  BOOST_TEST(d.lang == "de");
  BOOST_TEST(d.stream.is_over());
  BOOST_TEST(d.did == "send look_up send authenticated send restart send bind send established ");
}

BOOST_AUTO_TEST_CASE(a_client_may_leave_the_resource_to_the_server) {
  for (auto text : {"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
                    "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource/></bind>"}) {
    auto d = dialogue{};
    d.opens();
    d.signs_in();
    d.says("<iq type='set' id='b&apos;&amp;2' to='example.com'>"s + text + "</iq>");
    BOOST_TEST(d.asked.resource.empty());
    BOOST_TEST(d.full->text() == "juliet@example.com/made");
  }
}

BOOST_AUTO_TEST_CASE(the_id_comes_back_escaped) {
  auto d = dialogue{};
  d.opens();
  d.signs_in();
  const auto bytes =
      d.says("<iq type='set' id='b&apos;&lt;&amp;'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
  BOOST_TEST(parsed(bytes).attribute_or_empty("id") == "b'<&");
}

BOOST_AUTO_TEST_CASE(a_resource_that_can_not_be_is_a_bad_request) { // 7.7.2.1
  auto d = dialogue{};
  d.opens();
  d.signs_in();
  BOOST_TEST(d.binds("a\tb") == "<iq type='error' id='b1'><error type='modify'><bad-request "
                                "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
  BOOST_TEST(
      has(d.says("<iq type='get' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"), "<bad-request "));
  BOOST_TEST(has(d.binds(), "<jid>juliet@example.com/balcony</jid>"));
}

BOOST_AUTO_TEST_CASE(a_failed_binding_says_why_and_may_be_tried_again) {
  auto d = dialogue{};
  d.opens();
  d.signs_in();
  d.binding = errc::conflict;
  BOOST_TEST(has(d.binds(), "<error type='modify'><conflict "));
  d.binding = errc::resource_constraint;
  BOOST_TEST(has(d.binds(), "<error type='wait'><resource-constraint "));
  d.binding = errc::storage_failure;
  BOOST_TEST(has(d.binds(), "<error type='cancel'><internal-server-error "));
  d.binding = errc::none;
  BOOST_TEST(has(d.binds(), "<jid>"));
}

BOOST_AUTO_TEST_CASE(binding_requests_are_limited) {
  auto d = dialogue{};
  d.opens();
  d.signs_in();
  d.binding = errc::conflict;
  for (int i = 0; i < 10; ++i)
    d.binds();
  BOOST_TEST(!d.closed);
  d.binds();
  BOOST_TEST((d.closed == errc::policy_violation));
}

BOOST_AUTO_TEST_CASE(a_session_is_established_without_effect) { // RFC 3921, 3
  auto d = dialogue{};
  d.opens();
  d.signs_in();
  BOOST_TEST(d.says("<iq type='set' id='s1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>") ==
             "<iq type='result' id='s1'/>");
}

// -- any sequence --

/// One client that does whatever comes to its mind. `knows`: it has the right password.
void wander(std::uint64_t seed, bool knows, int& signed_in, int& established) {
  auto random = std::mt19937_64{seed};
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  auto policy = random() % 2 == 0 ? open_policy() : strict_policy();
  policy.hosts[0].registers = random() % 2 == 0;
  policy.hosts[0].offers_tls = random() % 8 != 0;
  policy.hosts[0].mechanisms.push_back(sasl::mechanism::external);
  const auto tls_required = policy.tls_required;
  auto d = dialogue{policy};
  d.tls = random() % 2 == 0 ? plain_tls() : bound_tls();
  const auto is_direct = random() % 4 == 0;
  if (is_direct)
    d.stream.tls_established(d.tls);
  const auto word = knows ? std::string{password} : "wrong"s;
  const std::string_view elements[] = {
      "<presence/>",
      "<message to='romeo@example.net'/>",
      "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
      "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>",
      "<iq type='set' id='1'><query "
      "xmlns='jabber:iq:register'><username>b</username><password>c</password></query></iq>",
      "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
      "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
      "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>YQ==</response>",
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'/>",
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>",
      "<foo xmlns='urn:x'/>",
  };
  for (int step = 0; step < 24 && !d.stream.is_over(); ++step) {
    const auto before = d.did;
    auto is_stanza = false;
    // Mostly it does what comes next; else it would rarely get far.
    const auto restarts = d.did.empty() || d.did.ends_with("restart ") || d.did.ends_with("start_tls ");
    const auto choice = below(2) == 0 ? below(14) : restarts ? 0 : d.authenticated ? 10 : 7;
    switch (choice) {
    case 0:
    case 1:
    case 2:
    case 3:
      d.opens();
      break;
    case 4:
      d.opens(header(random() % 2 == 0 ? "example.net" : "example.org", random() % 2 == 0 ? "romeo@example.com" : ""));
      break;
    case 5:
    case 6:
      d.starts_tls();
      break;
    case 7:
    case 8:
      d.scram({.password = word});
      break;
    case 9:
      d.auth("PLAIN", "\0juliet\0"s + word);
      break;
    case 10:
      d.binds();
      break;
    case 11:
      d.carry_out(d.stream.looked_up({errc::none, true, true, stored()})); // nobody asked
      d.carry_out(d.stream.password_checked(true));
      d.carry_out(d.stream.registered(errc::none));
      d.carry_out(d.stream.bound(*jid::parse("romeo@example.com/x")));
      BOOST_TEST(d.did == before);
      break;
    case 12: {
      const auto which = below(std::size(elements));
      is_stanza = which < 3;
      d.says(elements[which]);
      break;
    }
    default:
      if (below(8) == 0)
        d.carry_out(random() % 2 == 0 ? d.stream.broken(errc::not_well_formed) : d.stream.closed());
      break;
    }
    BOOST_TEST(!d.stream.waiting());
    if (is_stanza)
      BOOST_TEST(d.stream.is_over()); // never accepted
  }
  if (d.authenticated) {
    ++signed_in;
    BOOST_TEST(knows);
    BOOST_TEST(d.authenticated->account.text() == "juliet@example.com");
  }
  if (d.full) {
    ++established;
    BOOST_TEST(d.authenticated.has_value());
    BOOST_TEST(d.full->text() == "juliet@example.com/balcony");
  }
  if (d.closed)
    BOOST_TEST((*d.closed == errc::none || has(stream_error(*d.closed), condition_name(*d.closed))));
  BOOST_TEST(d.stream.is_over() == (d.closed.has_value() || d.full.has_value()));
  if (tls_required && d.authenticated)
    BOOST_TEST((is_direct || d.did.find("start_tls") < d.did.find("authenticated")));
}

BOOST_AUTO_TEST_CASE(whatever_a_client_does_only_the_right_password_signs_in) {
  auto signed_in = 0;
  auto established = 0;
  for (std::uint64_t seed = 0; seed < 2'000; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed)
  wander(seed, false, signed_in, established);
  BOOST_TEST(signed_in == 0);
  for (std::uint64_t seed = 0; seed < 2'000; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed)
  wander(seed, true, signed_in, established);
  BOOST_TEST(signed_in > 300);
  BOOST_TEST(established > 100);
}

BOOST_AUTO_TEST_SUITE_END()
