// Negotiation of one client's stream: header, features, STARTTLS, SASL, registration, resource binding (RFC 6120, 4-7).
//
// A state machine without sockets, threads or clocks: what happens goes in, what to do about it comes out, in order. It
// is thrown away once a resource is bound.
#pragma once

#include "protocol/error.hpp"
#include "protocol/jid.hpp"
#include "protocol/limits.hpp"
#include "protocol/parser.hpp"
#include "protocol/sasl.hpp"
#include "protocol/xml.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace xmpp {

// -- what is configured --

/// One virtual host, as its streams see it.
struct stream_host {
  std::string name;       ///< Prepared domain.
  bool offers_tls = true; ///< There is a certificate.
  /// Allowed ones. A SCRAM mechanism allows its PLUS form too; PLAIN and EXTERNAL are offered under TLS only.
  std::vector<sasl::mechanism> mechanisms = {sasl::mechanism::scram_sha_512, sasl::mechanism::scram_sha_256,
                                             sasl::mechanism::scram_sha_1, sasl::mechanism::plain};
  bool registers = false;               ///< In-band registration by anybody (XEP-0077).
  bool registers_from_loopback = false; ///< By peers on this machine.
  /// Serialized features that only a bound or binding client needs: entity capabilities, stream management, ...
  std::string extra_features_bound;
};

/// What all streams of a server share; never changes while a stream holds it.
struct stream_policy {
  std::vector<stream_host> hosts;     ///< At least one. The first speaks where no host is known (RFC 6120, 4.9.1.2).
  std::string default_host;           ///< Of clients that name none; empty: they get `improper-addressing`.
  bool tls_required = true;           ///< Nothing but STARTTLS before TLS.
  std::uint8_t attempts_max = 5;      ///< To sign in, on one connection; 3 to 5 (RFC 6120, 6.4.5).
  std::uint8_t registrations_max = 1; ///< Accounts made over one connection.
  std::uint8_t requests_max = 10;     ///< Registration or binding requests on one connection.
  stream_limits limits;               ///< Announced (XEP-0478).
  std::uint32_t idle_seconds = 0;     ///< Announced; 0: not.
  std::string server_secret;          ///< See `sasl::fake_credentials`; never empty.
  /// All that accounts' keys have been made with by now, at least one (`sasl::fake_credentials`). Any thread calls it.
  std::function<std::vector<std::uint32_t>()> scram_iterations;
  sasl::random_source random = sasl::secure_random;

  const stream_host* find(std::string_view domain) const noexcept;
};

// -- what happens --

struct tls_info {
  sasl::channel_bindings bindings;
  std::vector<std::string> certified; ///< xmppAddr names of the client's certificate, if that was verified; unprepared.
  std::string server_name;            ///< The name the client asked TLS for; often empty.
};

struct credentials_answer {
  errc failure = errc::none; ///< The store could not say.
  bool exists = false;
  bool enabled = false;
  std::string_view credentials; ///< Encoded (`sasl::encode`).
};

// -- what to do --

namespace act {

/// Write these bytes.
struct send {
  std::string bytes;
};
/// Send these bytes, the last in clear; drop all that come until the handshake, and all that came and were not yet
/// handled (RFC 6120, 5.4.3.3); then `framer::restart` and `tls_established`.
struct start_tls {
  std::string last_bytes;
};
/// `framer::restart`: a new stream header comes.
struct restart {};
/// Answer with `looked_up`.
struct look_up {
  jid account;
};
/// Takes milliseconds, so not on this thread; answer with `password_checked`. `sasl::wipe` the password.
struct check_password {
  std::string password;
  std::string stored; ///< Encoded.
};
/// Answer with `registered`: `conflict`, `not_acceptable` (a password without a prepared form), others.
struct register_account {
  jid account;
  std::string password;
};
/// An attempt to sign in has failed; its answer follows. The place to log, to count, and to wait before what follows.
struct rejected {
  jid account; ///< Empty when the attempt did not come so far.
  sasl::failure why = sasl::failure::none;
  std::uint8_t attempts = 0;    ///< On this connection.
  bool binding_refused = false; ///< It was the channel binding, before any password was tried.
  bool is_counted = true;       ///< Among the attempts: the first few refused bindings are not.
};
/// The client has proven who it is: the limits of `stream_policy::limits` hold now.
struct authenticated {
  jid account;
  sasl::mechanism how = sasl::mechanism::plain;
};
/// Answer with `bound`.
struct bind {
  jid account;
  std::string resource; ///< Prepared; empty: make one.
  bool is_anonymous = false;
};
/// Done: let the negotiation go.
struct established {
  jid full;
  std::string lang; ///< Default of what the client sends (RFC 6120, 4.7.4); often empty.
  bool is_anonymous = false;
};
/// Nothing more goes in or out. Everything to send was sent; wait for the peer to close, but not for long (4.4).
struct close {
  errc reason = errc::none;
};

} // namespace act

using action =
    std::variant<act::send, act::start_tls, act::restart, act::look_up, act::check_password, act::register_account,
                 act::rejected, act::authenticated, act::bind, act::established, act::close>;
using actions = std::vector<action>;

/// `<stream:error>` and the end of the stream. What streams don't have reads `undefined-condition`, what is internal
/// `internal-server-error`. `other_host`: with `see_other_host`, where to (4.9.3.19).
std::string stream_error(errc code, std::string_view text = {}, std::string_view other_host = {});

class negotiation {
public:
  /// `is_loopback`: the peer is on this machine. Under direct TLS, `tls_established` comes before the first header.
  negotiation(std::shared_ptr<const stream_policy> policy, bool is_loopback);
  ~negotiation();
  negotiation(const negotiation&) = delete;
  negotiation& operator=(const negotiation&) = delete;

  /// An answer is being waited for: what the client sends meanwhile must be kept back, and given in order afterwards.
  bool waiting() const noexcept;
  /// After `close` or `established`. All calls do nothing from then on, so a late answer does no harm.
  bool is_over() const noexcept { return stage_ == stage::over; }
  /// Empty before the first header that was accepted.
  std::string_view host() const noexcept { return host_ ? std::string_view{host_->name} : std::string_view{}; }
  /// Bare; empty before sign-in.
  const jid& account() const noexcept { return account_; }

  // -- from the client --
  actions opened(const stream_header& header); ///< Only where one is due: `framer` refuses a second one.
  actions received(const element& x);
  actions broken(errc reason); ///< Its bytes broke a rule: `not_well_formed`, `policy_violation`, ...
  actions closed();            ///< Its closing tag.

  // -- from this side --
  void tls_established(const tls_info& info);
  actions looked_up(const credentials_answer& answer);
  actions password_checked(bool matches);
  actions registered(errc outcome);
  actions bound(const result<jid>& full);
  actions timed_out(); ///< It took too long.
  /// Ends the stream, with a stream error unless `reason` is `none`; a header that was not sent yet goes before it.
  actions end(errc reason, std::string_view text = {}, std::string_view other_host = {});

private:
  enum class stage : std::uint8_t { header, features, exchange, looking_up, checking, registering, tls, binding, over };

  bool is_authenticated() const noexcept { return !account_.empty(); }
  bool may_sign_in() const noexcept { return is_encrypted_ || !policy_->tls_required; }
  bool may_register() const noexcept;
  std::vector<sasl::mechanism> offered_mechanisms() const;
  std::string header_bytes(std::string_view from) const;
  std::string features() const;
  errc judge(const stream_header& header);

  actions start_tls(const element& x);
  actions authenticate(const element& x);
  actions message(std::string_view text);
  actions carry_out(sasl::exchange::step next);
  actions reject(sasl::failure why);
  actions stanza(const element& x);
  actions registration(const element& iq, const element& query);
  actions bind(const element& iq, const element& request);

  std::shared_ptr<const stream_policy> policy_;
  const stream_host* host_ = nullptr;
  stage stage_ = stage::header;
  bool is_loopback_;
  bool is_encrypted_ = false;
  bool is_header_sent_ = false; // of the current stream
  bool is_anonymous_ = false;
  std::uint8_t attempts_ = 0;
  std::uint8_t mismatches_ = 0; ///< Of channel bindings.
  std::uint8_t requests_ = 0;
  std::uint8_t registrations_ = 0;
  jid account_;
  jid from_; // as the header says; bare
  std::string lang_;
  std::string request_id_; // of the iq that waits for its answer
  tls_info tls_;
  sasl::environment environment_;
  std::optional<sasl::exchange> exchange_;
};

} // namespace xmpp
