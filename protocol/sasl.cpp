#include "protocol/sasl.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

namespace xmpp::sasl {

namespace {

const unsigned char* octets(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* octets(std::string& bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

/// For what only a broken libcrypto could refuse.
void must(bool done) noexcept {
  if (!done)
    std::abort();
}

} // namespace

// -- bytes --

std::string secure_random(std::size_t bytes) {
  auto made = std::string(bytes, '\0');
  must(RAND_bytes(octets(made), static_cast<int>(bytes)) == 1);
  return made;
}

std::string make_uuid(const random_source& random) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto bytes = random(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  auto text = std::string{};
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      text += '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

namespace {

constexpr auto alphabet = std::string_view{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"};

constexpr auto values = [] {
  auto table = std::array<std::int8_t, 256>{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}();

} // namespace

std::string base64_encode(std::string_view bytes) {
  auto text = std::string{};
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto left = std::min<std::size_t>(3, bytes.size() - i);
    auto group = std::uint32_t{0};
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      text += k <= left ? alphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0)
    return std::nullopt;
  auto padding = std::size_t{0};
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  auto bytes = std::string{};
  bytes.reserve(text.size() / 4 * 3 + 2);
  auto group = std::uint32_t{0};
  auto bits = 0;
  for (unsigned char c : text) {
    if (values[c] < 0)
      return std::nullopt;
    group = group << 6 | static_cast<std::uint32_t>(values[c]);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(group >> bits & 255);
    }
  }
  if ((group & ((1u << bits) - 1)) != 0)
    return std::nullopt;
  return bytes;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& secret) noexcept {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

// -- hashes --

namespace {

/// OpenSSL 3 looks an algorithm up by name, which costs more than hashing a short text: done once per process; the
/// contexts, which threads may not share, are kept per thread.
struct algorithm {
  const EVP_MD* digest;
  const char* digest_name;
  std::size_t bytes;
};

const algorithm& algorithm_of(hash with) noexcept {
  static const auto all = std::array<algorithm, 3>{
      algorithm{EVP_MD_fetch(nullptr, "SHA1", nullptr), "SHA1", 20},
      algorithm{EVP_MD_fetch(nullptr, "SHA256", nullptr), "SHA256", 32},
      algorithm{EVP_MD_fetch(nullptr, "SHA512", nullptr), "SHA512", 64},
  };
  const auto& found = all[static_cast<std::size_t>(with) - 1];
  must(found.digest != nullptr);
  return found;
}

struct context_free {
  void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

EVP_MAC_CTX* hmac_context(hash with) {
  thread_local auto contexts = std::array<std::unique_ptr<EVP_MAC_CTX, context_free>, 3>{};
  auto& context = contexts[static_cast<std::size_t>(with) - 1];
  if (!context) {
    static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    must(mac != nullptr);
    context.reset(EVP_MAC_CTX_new(mac));
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(algorithm_of(with).digest_name), 0),
        OSSL_PARAM_construct_end()};
    must(context != nullptr && EVP_MAC_CTX_set_params(context.get(), parameters) == 1);
  }
  return context.get();
}

std::string hmac(hash with, std::string_view key, std::string_view text) {
  auto* const context = hmac_context(with);
  auto made = std::string(algorithm_of(with).bytes, '\0');
  auto used = made.size();
  must(!key.empty()); // which would mean "the last one again"
  must(EVP_MAC_init(context, octets(key), key.size(), nullptr) == 1 &&
       EVP_MAC_update(context, octets(text), text.size()) == 1 &&
       EVP_MAC_final(context, octets(made), &used, made.size()) == 1 && used == made.size());
  return made;
}

std::string digest(hash with, std::string_view text) {
  thread_local auto context = std::unique_ptr<EVP_MD_CTX, context_free>{EVP_MD_CTX_new()};
  auto made = std::string(algorithm_of(with).bytes, '\0');
  must(context != nullptr && EVP_DigestInit_ex2(context.get(), algorithm_of(with).digest, nullptr) == 1 &&
       EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1 &&
       EVP_DigestFinal_ex(context.get(), octets(made), nullptr) == 1);
  return made;
}

/// `Hi` of RFC 5802, 2.2, of a prepared password.
std::string salted_password(hash with, std::string_view password, std::string_view salt, std::uint32_t iterations) {
  auto made = std::string(algorithm_of(with).bytes, '\0');
  must(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets(salt),
                         static_cast<int>(salt.size()), static_cast<int>(iterations), algorithm_of(with).digest,
                         static_cast<int>(made.size()), octets(made)) == 1);
  return made;
}

std::string stored_key(hash with, std::string_view salted) {
  return digest(with, hmac(with, salted, "Client Key"));
}

constexpr auto all_hashes = std::array{hash::sha_1, hash::sha_256, hash::sha_512};

} // namespace

// -- what an account keeps --

const scram_keys* credentials::find(hash with) const noexcept {
  for (const auto& each : keys)
    if (each.with == with)
      return &each;
  return nullptr;
}

result<credentials> make_credentials(std::string_view password, std::uint32_t iterations, const random_source& random) {
  auto prepared = prepare_password(password);
  if (!prepared)
    return prepared.error();
  iterations = std::clamp(iterations, iterations_min, iterations_max);
  auto made = credentials{};
  for (auto with : all_hashes) {
    auto keys = scram_keys{with, iterations, random(salt_bytes), {}, {}};
    auto salted = salted_password(with, *prepared, keys.salt, iterations);
    keys.stored_key = stored_key(with, salted);
    keys.server_key = hmac(with, salted, "Server Key");
    wipe(salted);
    made.keys.push_back(std::move(keys));
  }
  wipe(*prepared);
  return made;
}

bool check_password(std::string_view password, const credentials& stored) {
  auto prepared = prepare_password(password);
  if (!prepared || stored.keys.empty())
    return false;
  const auto& keys = stored.keys.front();
  auto salted = salted_password(keys.with, *prepared, keys.salt, keys.iterations);
  const auto right = equal_in_constant_time(stored_key(keys.with, salted), keys.stored_key);
  wipe(salted);
  wipe(*prepared);
  return right;
}

namespace {

scram_keys fake_keys(std::string_view server_secret, const jid& account, std::span<const std::uint32_t> iterations,
                     hash with) {
  const auto bytes = algorithm_of(with).bytes;
  // The count that scores best with this name. One for all hashes, as a real account has.
  auto count = iterations_min;
  auto best = std::string{};
  for (auto x : iterations)
    if (auto score = hmac(hash::sha_256, server_secret,
                          "iterations " + std::to_string(x) + ' ' + std::string{account.bare_text()});
        score > best) {
      best = std::move(score);
      count = x;
    }
  // All of the count, too: one that changes is a new password, and that has a new salt.
  const auto derive = [&](std::string_view purpose) {
    auto text = std::string{purpose};
    text += '\0';
    text += static_cast<char>(with);
    text += std::to_string(count) + ' ';
    text += account.bare_text();
    return hmac(hash::sha_512, server_secret, text);
  };
  return {with, std::clamp(count, iterations_min, iterations_max), derive("salt").substr(0, salt_bytes),
          derive("stored key").substr(0, bytes), derive("server key").substr(0, bytes)};
}

} // namespace

credentials fake_credentials(std::string_view server_secret, const jid& account,
                             std::span<const std::uint32_t> iterations) {
  auto made = credentials{};
  for (auto with : all_hashes)
    made.keys.push_back(fake_keys(server_secret, account, iterations, with));
  return made;
}

namespace {

constexpr auto record_version = char{1};

} // namespace

std::string encode(const credentials& stored) {
  auto record = std::string{record_version, static_cast<char>(stored.keys.size())};
  for (const auto& keys : stored.keys) {
    record += static_cast<char>(keys.with);
    for (int shift = 24; shift >= 0; shift -= 8)
      record += static_cast<char>(keys.iterations >> shift & 255);
    record += static_cast<char>(keys.salt.size());
    record += keys.salt;
    record += keys.stored_key;
    record += keys.server_key;
  }
  return record;
}

result<credentials> decode(std::string_view record) {
  const auto take = [&](std::size_t bytes) {
    const auto taken = record.substr(0, bytes);
    record.remove_prefix(bytes);
    return taken;
  };
  if (record.size() < 2 || record[0] != record_version)
    return errc::corrupt_record;
  const auto count = static_cast<unsigned char>(record[1]);
  take(2);
  auto stored = credentials{};
  for (auto earlier = 0; stored.keys.size() < count;) {
    if (record.size() < 6)
      return errc::corrupt_record;
    const auto head = take(6);
    const auto with = static_cast<unsigned char>(head[0]);
    const auto salt_size = static_cast<unsigned char>(head[5]);
    if (with <= earlier || with > static_cast<int>(all_hashes.back()))
      return errc::corrupt_record;
    earlier = with;
    auto keys = scram_keys{};
    keys.with = static_cast<hash>(with);
    for (int i = 1; i <= 4; ++i)
      keys.iterations = keys.iterations << 8 | static_cast<unsigned char>(head[static_cast<std::size_t>(i)]);
    const auto key_size = algorithm_of(keys.with).bytes;
    if (keys.iterations == 0 || keys.iterations > iterations_max || salt_size == 0 ||
        record.size() < salt_size + 2 * key_size)
      return errc::corrupt_record;
    keys.salt = take(salt_size);
    keys.stored_key = take(key_size);
    keys.server_key = take(key_size);
    stored.keys.push_back(std::move(keys));
  }
  if (!record.empty())
    return errc::corrupt_record;
  return stored;
}

// -- mechanisms --

namespace {

constexpr auto names = std::array<std::string_view, 9>{
    "EXTERNAL",      "SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-512", "SCRAM-SHA-256",      "SCRAM-SHA-1",        "PLAIN",
    "ANONYMOUS",
};

hash hash_of(mechanism m) noexcept {
  switch (m) {
  case mechanism::scram_sha_512_plus:
  case mechanism::scram_sha_512:
    return hash::sha_512;
  case mechanism::scram_sha_256_plus:
  case mechanism::scram_sha_256:
    return hash::sha_256;
  default:
    return hash::sha_1;
  }
}

} // namespace

std::string_view name(mechanism m) noexcept {
  return names[static_cast<std::size_t>(m)];
}

std::optional<mechanism> find_mechanism(std::string_view name) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name)
      return static_cast<mechanism>(i);
  return std::nullopt;
}

bool is_plus(mechanism m) noexcept {
  return m == mechanism::scram_sha_1_plus || m == mechanism::scram_sha_256_plus || m == mechanism::scram_sha_512_plus;
}

std::string_view condition_name(failure why) noexcept {
  switch (why) {
  case failure::none:
    return "";
  case failure::aborted:
    return "aborted";
  case failure::account_disabled:
    return "account-disabled";
  case failure::credentials_expired:
    return "credentials-expired";
  case failure::encryption_required:
    return "encryption-required";
  case failure::incorrect_encoding:
    return "incorrect-encoding";
  case failure::invalid_authzid:
    return "invalid-authzid";
  case failure::invalid_mechanism:
    return "invalid-mechanism";
  case failure::malformed_request:
    return "malformed-request";
  case failure::mechanism_too_weak:
    return "mechanism-too-weak";
  case failure::not_authorized:
    return "not-authorized";
  case failure::temporary_auth_failure:
    return "temporary-auth-failure";
  }
  return "not-authorized";
}

std::string_view channel_bindings::find(std::string_view type) const noexcept {
  if (type == "tls-exporter")
    return tls_exporter;
  if (type == "tls-server-end-point")
    return tls_server_end_point;
  if (type == "tls-unique")
    return tls_unique;
  return {};
}

std::vector<std::string_view> channel_bindings::types() const {
  auto available = std::vector<std::string_view>{};
  for (auto type : {"tls-exporter", "tls-server-end-point", "tls-unique"})
    if (!find(type).empty())
      available.push_back(type);
  return available;
}

// -- exchange --

exchange::exchange(mechanism chosen, const environment& stream) : stream_(stream), chosen_(chosen) {}

exchange::~exchange() {
  wipe(password_);
}

std::string exchange::take_password() {
  return std::exchange(password_, {});
}

credentials exchange::take_candidate() {
  return std::exchange(candidate_, {});
}

exchange::step exchange::fail(enum failure why) {
  stage_ = stage::over;
  return {step::failure, {}, why};
}

exchange::step exchange::succeed(std::optional<std::string> data) {
  if (disabled_)
    return fail(failure::account_disabled);
  stage_ = stage::over;
  return {step::success, std::move(data)};
}

exchange::step exchange::receive(std::string_view message) {
  if (stage_ == stage::proof)
    return finish_scram(message);
  if (stage_ != stage::first)
    return fail(failure::malformed_request);
  switch (chosen_) {
  case mechanism::plain:
    return begin_plain(message);
  case mechanism::external:
    return begin_external(message);
  case mechanism::anonymous:
    return begin_anonymous(message);
  default:
    return begin_scram(message);
  }
}

exchange::step exchange::look_up(std::string_view local, std::optional<std::string_view> authzid) {
  // A name that can't be prepared is no account's: the same answer as to a wrong password.
  auto named = local.empty() ? result<jid>{errc::jid_malformed} : jid::make(local, stream_.host);
  if (!named)
    return fail(failure::not_authorized);
  account_ = *std::move(named);
  // Nobody acts for another (RFC 6120, 6.3.8), nor as one of their own resources.
  if (authzid) {
    const auto wanted = jid::parse(*authzid);
    if (!wanted || *wanted != account_)
      return fail(failure::invalid_authzid);
  }
  stage_ = stage::looking_up;
  return {step::lookup};
}

exchange::step exchange::found(const credentials& stored, bool disabled) {
  if (stage_ != stage::looking_up)
    return fail(failure::temporary_auth_failure);
  exists_ = true;
  disabled_ = disabled;
  if (chosen_ == mechanism::external)
    return succeed();
  if (chosen_ != mechanism::plain)
    return challenge_scram(&stored);
  candidate_ = stored;
  stage_ = stage::checking;
  return {step::check_password};
}

exchange::step exchange::not_found() {
  if (stage_ != stage::looking_up)
    return fail(failure::temporary_auth_failure);
  if (chosen_ == mechanism::external)
    return fail(failure::not_authorized);
  if (chosen_ != mechanism::plain)
    return challenge_scram(nullptr);
  candidate_ = fake_credentials(stream_.server_secret, account_, stream_.iterations);
  stage_ = stage::checking;
  return {step::check_password};
}

exchange::step exchange::checked(bool right) {
  if (stage_ != stage::checking)
    return fail(failure::temporary_auth_failure);
  return right && exists_ ? succeed() : fail(failure::not_authorized);
}

// RFC 4616, 2: [authzid] NUL authcid NUL passwd
exchange::step exchange::begin_plain(std::string_view message) {
  const auto first = message.find('\0');
  const auto second = first == std::string_view::npos ? first : message.find('\0', first + 1);
  if (second == std::string_view::npos || message.find('\0', second + 1) != std::string_view::npos ||
      second == first + 1 || second + 1 == message.size())
    return fail(failure::malformed_request);
  password_ = message.substr(second + 1);
  const auto authzid = message.substr(0, first);
  return look_up(message.substr(first + 1, second - first - 1),
                 authzid.empty() ? std::nullopt : std::optional{authzid});
}

// XEP-0178, 2. A failure leaves the stream open for another mechanism, as RFC 6120, 6.4.5 has it, which is younger.
exchange::step exchange::begin_external(std::string_view message) {
  const auto& certified = stream_.certified;
  const auto is_certified = [&](const jid& who) {
    return std::find(certified.begin(), certified.end(), who) != certified.end();
  };
  if (!message.empty()) {
    const auto wanted = jid::parse(message);
    if (!wanted || !is_certified(*wanted))
      return fail(failure::invalid_authzid);
    account_ = *wanted;
  } else if (!stream_.from.empty() && is_certified(stream_.from.bare())) {
    account_ = stream_.from.bare();
  } else if (certified.size() == 1) {
    account_ = certified.front();
  } else {
    return fail(certified.empty() ? failure::not_authorized : failure::invalid_authzid);
  }
  if (account_.domain() != stream_.host || !account_.has_local())
    return fail(failure::invalid_authzid);
  stage_ = stage::looking_up;
  return {step::lookup};
}

// RFC 4505, 2: the message is a trace, of no use to us. XEP-0175, 3: the name is a UUID.
exchange::step exchange::begin_anonymous(std::string_view message) {
  if (message.size() > 4 * 255)
    return fail(failure::malformed_request);
  auto made = jid::make(make_uuid(*stream_.random), stream_.host);
  if (!made)
    return fail(failure::temporary_auth_failure);
  account_ = *std::move(made);
  return succeed();
}

// -- SCRAM (RFC 5802) --

namespace {

/// Takes the attribute `name=value` and the comma behind it from the front of `message`; none when another comes first.
std::optional<std::string_view> take_attribute(std::string_view& message, char name) {
  if (message.size() < 2 || message[0] != name || message[1] != '=')
    return std::nullopt;
  const auto comma = message.find(',');
  const auto value = message.substr(2, comma == std::string_view::npos ? comma : comma - 2);
  message.remove_prefix(comma == std::string_view::npos ? message.size() : comma + 1);
  return value;
}

/// What a `saslname` stands for: `=2C` is a comma, `=3D` an equals sign, no other escape exists.
std::optional<std::string> unescape_name(std::string_view name) {
  auto plain = std::string{};
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\0')
      return std::nullopt;
    if (name[i] != '=') {
      plain += name[i];
      continue;
    }
    const auto escape = name.substr(i, 3);
    if (escape != "=2C" && escape != "=3D")
      return std::nullopt;
    plain += escape == "=2C" ? ',' : '=';
    i += 2;
  }
  if (plain.empty())
    return std::nullopt;
  return plain;
}

bool is_nonce(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != ','; });
}

/// Extensions that are not `m` are the peer's to offer and ours to ignore (5.1).
bool are_extensions(std::string_view rest) {
  while (!rest.empty()) {
    const auto attribute = rest.substr(0, rest.find(','));
    if (attribute.size() < 3 || attribute[1] != '=' || attribute[0] == 'm' ||
        !((attribute[0] >= 'a' && attribute[0] <= 'z') || (attribute[0] >= 'A' && attribute[0] <= 'Z')))
      return false;
    if (attribute.size() == rest.size())
      return true;
    rest.remove_prefix(attribute.size() + 1);
    if (rest.empty())
      return false;
  }
  return true;
}

} // namespace

exchange::step exchange::begin_scram(std::string_view message) {
  const auto whole = message;
  // The GS2 header: does the client bind (`p=`), could it (`y`), can't it (`n`)?
  const auto flag = message.substr(0, message.find(','));
  if (flag.size() == message.size())
    return fail(failure::malformed_request);
  auto binding = std::string_view{};
  const auto binds = flag.size() > 2 && flag.substr(0, 2) == "p=";
  if (binds)
    binding = stream_.bindings.find(flag.substr(2));
  else if (flag != "n" && flag != "y")
    return fail(failure::malformed_request);
  message.remove_prefix(flag.size() + 1);
  auto authzid = std::optional<std::string>{};
  if (message.empty() || message.front() != ',') {
    const auto escaped = take_attribute(message, 'a');
    authzid = escaped ? unescape_name(*escaped) : std::nullopt;
    if (!authzid)
      return fail(failure::malformed_request);
  } else {
    message.remove_prefix(1);
  }
  const auto header = whole.substr(0, whole.size() - message.size());
  const auto bare = message;
  const auto escaped_name = take_attribute(message, 'n');
  const auto client_nonce = take_attribute(message, 'r');
  const auto user = escaped_name ? unescape_name(*escaped_name) : std::nullopt;
  if (!user || !client_nonce || !is_nonce(*client_nonce) || !are_extensions(message) || bare.back() == ',')
    return fail(failure::malformed_request);
  // Section 6: PLUS means to bind, and to something that is there; a client that could bind but saw no PLUS, though it
  // was offered, talks to us through somebody who took it out.
  if (is_plus(chosen_) != binds || (binds && binding.empty()) ||
      (flag == "y" && std::any_of(stream_.offered.begin(), stream_.offered.end(), is_plus))) {
    is_binding_refused_ = true;
    return fail(failure::not_authorized);
  }
  bound_ = header;
  bound_ += binding;
  auth_message_ = bare;
  nonce_ = *client_nonce;
  return look_up(*user, authzid ? std::optional<std::string_view>{*authzid} : std::nullopt);
}

exchange::step exchange::challenge_scram(const credentials* stored) {
  const auto with = hash_of(chosen_);
  // Made for every name, so that those which exist take no other time; and for an account without keys for this hash.
  keys_ = fake_keys(stream_.server_secret, account_, stream_.iterations, with);
  const auto* const kept = stored ? stored->find(with) : nullptr;
  exists_ = kept != nullptr;
  if (kept)
    keys_ = *kept;
  nonce_ += stream_.server_nonce.empty() ? base64_encode((*stream_.random)(18)) : std::string{stream_.server_nonce};
  auto challenge = "r=" + nonce_ + ",s=" + base64_encode(keys_.salt) + ",i=" + std::to_string(keys_.iterations);
  auth_message_ += ',';
  auth_message_ += challenge;
  stage_ = stage::proof;
  return {step::challenge, std::move(challenge)};
}

exchange::step exchange::finish_scram(std::string_view message) {
  const auto proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos)
    return fail(failure::malformed_request);
  const auto without_proof = message.substr(0, proof_at);
  const auto proof = base64_decode(message.substr(proof_at + 3));
  auto rest = without_proof;
  const auto escaped_bound = take_attribute(rest, 'c');
  const auto nonce = take_attribute(rest, 'r');
  const auto bound = escaped_bound ? base64_decode(*escaped_bound) : std::nullopt;
  if (!proof || !bound || !nonce || !are_extensions(rest) || without_proof.back() == ',')
    return fail(failure::malformed_request);
  auth_message_ += ',';
  auth_message_ += without_proof;
  // All is computed before anything is judged: the time tells nothing.
  auto client_key = hmac(keys_.with, keys_.stored_key, auth_message_);
  const auto is_whole = proof->size() == client_key.size();
  for (std::size_t i = 0; is_whole && i < client_key.size(); ++i)
    client_key[i] = static_cast<char>(client_key[i] ^ (*proof)[i]);
  const auto is_proven = equal_in_constant_time(digest(keys_.with, client_key), keys_.stored_key);
  wipe(client_key);
  auto answer = "v=" + base64_encode(hmac(keys_.with, keys_.server_key, auth_message_));
  if (!is_whole || !is_proven || !exists_ || !equal_in_constant_time(*bound, bound_) ||
      !equal_in_constant_time(*nonce, nonce_))
    return fail(failure::not_authorized);
  return succeed(std::move(answer));
}

} // namespace xmpp::sasl
