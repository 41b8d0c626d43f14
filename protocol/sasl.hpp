// SASL, the server's side: SCRAM, PLAIN, EXTERNAL and ANONYMOUS as state machines, and the keys that accounts keep.
//
// Nothing here waits: an exchange says what it needs to know next, and is told. The only file that knows OpenSSL's
// libcrypto in this layer is sasl.cpp.
#pragma once

#include "protocol/error.hpp"
#include "protocol/jid.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::sasl {

// -- bytes --

/// Gives that many unpredictable bytes. Tests give known ones.
using random_source = std::function<std::string(std::size_t bytes)>;

/// From OpenSSL's CSPRNG; ends the process when that fails, since nothing is safe after it.
std::string secure_random(std::size_t bytes);

/// A version 4 UUID (RFC 9562, 5.4), lower case.
std::string make_uuid(const random_source& random);

std::string base64_encode(std::string_view bytes);
/// Strict (RFC 4648, 3.2, 3.3, 3.5): padded, no other characters, no stray bits. None otherwise.
std::optional<std::string> base64_decode(std::string_view text);

/// In a time that depends on the sizes alone.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

/// Overwrites the bytes, in a way the compiler keeps, and empties the string.
void wipe(std::string& secret) noexcept;

// -- what an account keeps --

/// Stored as these numbers: append, never renumber.
enum class hash : std::uint8_t { sha_1 = 1, sha_256 = 2, sha_512 = 3 };

inline constexpr std::uint32_t iterations_min = 4'096;      ///< RFC 7677, 4
inline constexpr std::uint32_t iterations_max = 10'000'000; ///< About five seconds of work.
inline constexpr std::size_t salt_bytes = 16;

/// RFC 5802, 3: enough to check a password, not enough to sign in with.
struct scram_keys {
  hash with = hash::sha_1;
  std::uint32_t iterations = 0;
  std::string salt;
  std::string stored_key; ///< As long as the hash's output, as is `server_key`.
  std::string server_key;

  friend bool operator==(const scram_keys&, const scram_keys&) = default;
};

/// One set of keys per hash, in the order of `hash`.
struct credentials {
  std::vector<scram_keys> keys;

  const scram_keys* find(hash with) const noexcept;
  friend bool operator==(const credentials&, const credentials&) = default;
};

/// Slow on purpose: `iterations` rounds for each hash, 20 ms or so in all; run it off the reactor.
/// Fails with `not_acceptable` when the password has no prepared form (RFC 4013).
result<credentials> make_credentials(std::string_view password, std::uint32_t iterations,
                                     const random_source& random = secure_random);

/// Slow on purpose, like `make_credentials`, but for one hash. Takes as long for a wrong password as for the right one.
bool check_password(std::string_view password, const credentials& stored);

/// What an account that does not exist seems to have: no password fits, and neither the steps nor the work tell it from
/// one that does. The same each time for the same name, so that asking twice shows nothing.
/// `server_secret` is 32 random bytes that never change while the store lives. `iterations`, at least one, are all that
/// accounts have been made with: each name seems to have one of them. A new one changes few names', and of those the
/// salts and keys with it, as if their passwords had been set anew; all others' stay.
credentials fake_credentials(std::string_view server_secret, const jid& account,
                             std::span<const std::uint32_t> iterations);

/// The stored record:
///
///     record     = version count *keys        version: 1 byte, 1; count: 1 byte
///     keys       = hash iterations salt-size salt stored-key server-key
///     hash       = 1 byte, as in `hash`, each greater than the one before
///     iterations = 4 bytes, big-endian, 1 or more
///     salt-size  = 1 byte, 1 or more
///
/// The keys' sizes are those of the hash. Nothing follows.
std::string encode(const credentials& stored);
/// Fails with `corrupt_record`.
result<credentials> decode(std::string_view record);

// -- mechanisms --

/// From the most to the least preferred, as they are offered.
enum class mechanism : std::uint8_t {
  external,
  scram_sha_512_plus,
  scram_sha_256_plus,
  scram_sha_1_plus,
  scram_sha_512,
  scram_sha_256,
  scram_sha_1,
  plain,
  anonymous,
};

/// As registered: `SCRAM-SHA-1-PLUS`.
std::string_view name(mechanism m) noexcept;
std::optional<mechanism> find_mechanism(std::string_view name) noexcept;
bool is_plus(mechanism m) noexcept;

/// The conditions of RFC 6120, 6.5.
enum class failure : std::uint8_t {
  none,
  aborted,
  account_disabled,
  credentials_expired,
  encryption_required,
  incorrect_encoding,
  invalid_authzid,
  invalid_mechanism,
  malformed_request,
  mechanism_too_weak,
  not_authorized,
  temporary_auth_failure,
};

/// The element's name on the wire: `not-authorized`.
std::string_view condition_name(failure why) noexcept;

/// What ties SASL to the TLS connection below it (RFC 5056); an empty one is not available.
struct channel_bindings {
  std::string tls_exporter;         ///< RFC 9266
  std::string tls_server_end_point; ///< RFC 5929, 4
  std::string tls_unique;           ///< RFC 5929, 3; never with TLS 1.3

  bool any() const noexcept { return !tls_exporter.empty() || !tls_server_end_point.empty() || !tls_unique.empty(); }
  /// By its registered name; empty when unknown or not available.
  std::string_view find(std::string_view type) const noexcept;
  /// The names of those available.
  std::vector<std::string_view> types() const;
};

/// What an exchange must know of its stream.
struct environment {
  std::string host;               ///< The domain that the client signs in to, prepared.
  jid from;                       ///< What the stream's header said; often empty.
  std::vector<mechanism> offered; ///< In the last features.
  channel_bindings bindings;
  std::vector<jid> certified;            ///< Bare addresses at `host` in the client's verified certificate.
  std::string_view server_secret;        ///< For `fake_credentials`; outlives the exchange.
  std::vector<std::uint32_t> iterations; ///< For `fake_credentials`; as they are when an account is not found.
  const random_source* random = nullptr; ///< Not null when an exchange begins; outlives it.
  std::string_view server_nonce = {};    ///< For published test vectors only; empty: made by `random`.
};

/// One attempt to sign in. It starts with the client's first message and ends with `success` or `failure`; each step
/// names the one call that comes next:
///
///     challenge       send `data` to the client; then `receive` its answer
///     lookup          find `account()`'s credentials; then `found` or `not_found`
///     check_password  run `check_password(password(), candidate())` off the reactor; then `checked`
///     success         `account()` has signed in; send `data`, if any, with the success
///     failure         `why` says what to tell the client
class exchange {
public:
  struct step {
    enum kind : std::uint8_t { challenge, lookup, check_password, success, failure };
    kind next = failure;
    std::optional<std::string> data = {}; ///< Not yet base64; none and empty differ.
    enum failure why = sasl::failure::none;
  };

  /// `stream` outlives the exchange.
  exchange(mechanism chosen, const environment& stream);
  ~exchange();
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  /// A client's message, decoded from base64.
  step receive(std::string_view message);
  /// A disabled account is told so only when it has proven itself (RFC 6120, 6.5.2).
  step found(const credentials& stored, bool disabled);
  step not_found();
  step checked(bool right);

  /// Bare; known from the first `lookup` on. Of ANONYMOUS: made up, known at `success`, and not stored anywhere.
  const jid& account() const noexcept { return account_; }
  mechanism chosen() const noexcept { return chosen_; }
  /// At `failure`: no password was tried, since the channel binding can not be.
  bool is_binding_refused() const noexcept { return is_binding_refused_; }

  /// At `check_password`: what to check. The password leaves the exchange and is the caller's to `wipe`.
  std::string take_password();
  credentials take_candidate();

private:
  enum class stage : std::uint8_t { first, looking_up, checking, proof, over };

  step fail(enum failure why);
  step succeed(std::optional<std::string> data = {});
  step look_up(std::string_view local, std::optional<std::string_view> authzid);
  step begin_plain(std::string_view message);
  step begin_external(std::string_view message);
  step begin_anonymous(std::string_view message);
  step begin_scram(std::string_view message);
  step challenge_scram(const credentials* stored);
  step finish_scram(std::string_view message);

  const environment& stream_;
  jid account_;
  mechanism chosen_;
  stage stage_ = stage::first;
  bool is_binding_refused_ = false;
  bool exists_ = false;
  bool disabled_ = false;
  std::string password_;
  credentials candidate_; // of PLAIN
  scram_keys keys_;       // of SCRAM, as all below
  std::string bound_;     // what the client must repeat: its GS2 header and the channel binding (RFC 5802, 7)
  std::string nonce_;     // the client's, then both
  std::string auth_message_;
};

} // namespace xmpp::sasl
