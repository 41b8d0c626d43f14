#include "net/tls_records.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

namespace xmpp::net {

namespace {

// RFC 8446, 5.1, 6 and 4.
constexpr auto type_alert = static_cast<unsigned char>(21);
constexpr auto type_handshake = static_cast<unsigned char>(22);
constexpr auto type_application = static_cast<unsigned char>(23);
constexpr auto alert_close_notify = static_cast<unsigned char>(0);
constexpr auto alert_unexpected_message = static_cast<unsigned char>(10);
constexpr auto alert_bad_record_mac = static_cast<unsigned char>(20);
constexpr auto alert_record_overflow = static_cast<unsigned char>(22);
constexpr auto alert_internal_error = static_cast<unsigned char>(80);
constexpr auto alert_user_canceled = static_cast<unsigned char>(90);
constexpr auto key_update = std::string_view{"\x18\x00\x00\x01", 4}; // And one byte: whether an answer is wanted.

constexpr auto header_bytes = std::size_t{5};
constexpr auto tag_bytes = std::size_t{16};
constexpr auto fragment_bytes_max = std::size_t{16 * 1024};
constexpr auto record_bytes_max = fragment_bytes_max + 256; // RFC 8446, 5.2
// AES-GCM must not protect more than 2^24.5 full records under one key (RFC 8446, 5.5).
constexpr auto records_per_key_max = std::uint64_t{1} << 23;
// New keys cost more to make than to ask for.
constexpr auto idle_records_max = 32;

struct algorithm {
  const char* name;
  std::size_t key_bytes;
  const EVP_MD* (*hash)();
};

const algorithm& algorithm_of(tls_suite suite) {
  static const algorithm all[] = {
      {"AES-128-GCM", 16, EVP_sha256}, {"AES-256-GCM", 32, EVP_sha384}, {"ChaCha20-Poly1305", 32, EVP_sha256}};
  return all[static_cast<std::size_t>(suite) - 0x1301];
}

// One cipher context for each suite and direction serves all connections of a thread: a context has 1.2 KiB, and giving
// it another key takes a tenth of a microsecond.
EVP_CIPHER_CTX* context_of(tls_suite suite, bool is_sealing) {
  struct contexts {
    EVP_CIPHER_CTX* all[6] = {};
    ~contexts() {
      for (auto x : all)
        EVP_CIPHER_CTX_free(x);
    }
  };
  thread_local auto mine = contexts{};
  auto& x = mine.all[(static_cast<std::size_t>(suite) - 0x1301) * 2 + (is_sealing ? 1 : 0)];
  if (x == nullptr) {
    auto cipher = EVP_CIPHER_fetch(nullptr, algorithm_of(suite).name, nullptr);
    x = EVP_CIPHER_CTX_new();
    if (cipher == nullptr || x == nullptr ||
        EVP_CipherInit_ex2(x, cipher, nullptr, nullptr, is_sealing, nullptr) != 1) {
      EVP_CIPHER_CTX_free(x);
      x = nullptr;
    }
    EVP_CIPHER_free(cipher); // The context has its own reference.
  }
  return x;
}

// RFC 8446, 5.3
std::array<unsigned char, 12> nonce_of(std::array<unsigned char, 12> iv, std::uint64_t sequence) {
  for (auto i = std::size_t{0}; i < 8; ++i)
    iv[11 - i] = static_cast<unsigned char>(iv[11 - i] ^ (sequence >> (8 * i)));
  return iv;
}

unsigned char* bytes_of(char* text) {
  return reinterpret_cast<unsigned char*>(text);
}

const unsigned char* bytes_of(const char* text) {
  return reinterpret_cast<const unsigned char*>(text);
}

} // namespace

tls_secret::~tls_secret() {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

bool expand_label(tls_suite suite, const tls_secret& secret, std::string_view label, std::string_view context,
                  unsigned char* to, std::size_t bytes) {
  auto hash = algorithm_of(suite).hash();
  auto info = std::string{};
  info += static_cast<char>(bytes >> 8);
  info += static_cast<char>(bytes);
  info += static_cast<char>(6 + label.size());
  info += "tls13 ";
  info += label;
  info += static_cast<char>(context.size());
  info += context;
  info += '\x01'; // HKDF's counter: one block is enough (RFC 5869, 2.3).
  unsigned char block[EVP_MAX_MD_SIZE];
  auto block_bytes = 0u;
  auto is_done = HMAC(hash, secret.bytes.data(), secret.size, bytes_of(info.data()), info.size(), block,
                      &block_bytes) != nullptr &&
                 bytes <= block_bytes;
  if (is_done)
    std::memcpy(to, block, bytes);
  OPENSSL_cleanse(block, sizeof block);
  return is_done;
}

std::string exporter_binding(tls_suite suite, const tls_secret& exporter) {
  auto hash = algorithm_of(suite).hash();
  unsigned char of_nothing[EVP_MAX_MD_SIZE];
  auto hash_bytes = 0u;
  if (EVP_Digest("", 0, of_nothing, &hash_bytes, hash, nullptr) != 1)
    return {};
  auto empty = std::string_view{reinterpret_cast<const char*>(of_nothing), hash_bytes};
  auto derived = tls_secret{};
  derived.size = static_cast<std::uint8_t>(hash_bytes);
  auto result = std::string(32, '\0');
  if (!expand_label(suite, exporter, "EXPORTER-Channel-Binding", empty, derived.bytes.data(), hash_bytes) ||
      !expand_label(suite, derived, "exporter", empty, bytes_of(result.data()), result.size()))
    return {};
  return result;
}

std::unique_ptr<tls_records> tls_records::make(tls_suite suite, const tls_secret& reading, const tls_secret& writing,
                                               std::uint64_t written) {
  auto self = std::unique_ptr<tls_records>{new tls_records};
  self->suite_ = suite;
  self->reading_.secret = reading;
  self->writing_.secret = writing;
  if (!self->set_keys(self->reading_) || !self->set_keys(self->writing_))
    return nullptr;
  self->writing_.sequence = written;
  return self;
}

tls_records::~tls_records() {
  OPENSSL_cleanse(reading_.key.data(), reading_.key.size());
  OPENSSL_cleanse(writing_.key.data(), writing_.key.size());
}

// RFC 8446, 7.3
bool tls_records::set_keys(direction& which) {
  which.sequence = 0;
  return expand_label(suite_, which.secret, "key", {}, which.key.data(), algorithm_of(suite_).key_bytes) &&
         expand_label(suite_, which.secret, "iv", {}, which.iv.data(), which.iv.size());
}

// RFC 8446, 7.2
bool tls_records::update_keys(direction& which) {
  auto next = tls_secret{};
  next.size = which.secret.size;
  if (!expand_label(suite_, which.secret, "traffic upd", {}, next.bytes.data(), next.size))
    return false;
  which.secret = next;
  return set_keys(which);
}

bool tls_records::seal(unsigned char type, std::string_view plain, std::string& out) {
  auto start = out.size();
  auto content_bytes = plain.size() + 1;
  auto length = content_bytes + tag_bytes;
  out.reserve(start + header_bytes + length);
  out += static_cast<char>(type_application);
  out += "\x03\x03";
  out += static_cast<char>(length >> 8);
  out += static_cast<char>(length);
  out += plain;
  out += static_cast<char>(type);
  out.append(tag_bytes, '\0');
  auto header = bytes_of(out.data() + start);
  auto content = header + header_bytes;
  auto nonce = nonce_of(writing_.iv, writing_.sequence++);
  auto context = context_of(suite_, true);
  auto count = 0;
  if (context != nullptr && EVP_CipherInit_ex2(context, nullptr, writing_.key.data(), nonce.data(), 1, nullptr) == 1 &&
      EVP_EncryptUpdate(context, nullptr, &count, header, header_bytes) == 1 &&
      EVP_EncryptUpdate(context, content, &count, content, static_cast<int>(content_bytes)) == 1 &&
      EVP_EncryptFinal_ex(context, content + content_bytes, &count) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_bytes, content + content_bytes) == 1)
    return true;
  OPENSSL_cleanse(out.data() + start, out.size() - start);
  out.resize(start);
  has_failed_ = true;
  return false;
}

bool tls_records::open(std::string_view record, char* to, opened& content) {
  auto header = bytes_of(record.data());
  auto bytes = record.size() - header_bytes - tag_bytes;
  auto nonce = nonce_of(reading_.iv, reading_.sequence++);
  unsigned char tag[tag_bytes];
  std::memcpy(tag, header + header_bytes + bytes, tag_bytes);
  auto context = context_of(suite_, false);
  auto count = 0;
  auto plain = bytes_of(to);
  if (context == nullptr || EVP_CipherInit_ex2(context, nullptr, reading_.key.data(), nonce.data(), 0, nullptr) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag) != 1 ||
      EVP_DecryptUpdate(context, nullptr, &count, header, header_bytes) != 1 ||
      EVP_DecryptUpdate(context, plain, &count, header + header_bytes, static_cast<int>(bytes)) != 1 ||
      EVP_DecryptFinal_ex(context, plain + bytes, &count) != 1)
    return false;
  while (bytes > 0 && plain[bytes - 1] == 0) // Padding (RFC 8446, 5.4).
    --bytes;
  content.type = bytes > 0 ? plain[bytes - 1] : static_cast<unsigned char>(0);
  content.bytes = bytes > 0 ? bytes - 1 : 0;
  return true;
}

tls_records::status tls_records::read(std::string_view& in, char* to, std::size_t bytes_max, std::size_t& got,
                                      std::string& out) {
  got = 0;
  if (has_failed_)
    return status::failed;
  auto result = status::ok;
  while (result == status::ok) {
    // A record is used where it lies, as a rule in `in`; only one that came in pieces is put together in `partial_`.
    auto known = partial_ != nullptr ? std::string_view{*partial_} : in;
    auto wanted = header_bytes;
    if (known.size() >= header_bytes) {
      auto header = bytes_of(known.data());
      auto length = static_cast<std::size_t>(header[3]) << 8 | header[4];
      if (header[0] != type_application || length <= tag_bytes)
        return fail(alert_unexpected_message, "unexpected record", out);
      if (length > record_bytes_max)
        return fail(alert_record_overflow, "record too long", out);
      wanted += length;
      if (length > bytes_max - got)
        break; // The caller comes back.
      if (known.size() >= wanted) {
        auto whole = std::move(partial_);
        if (whole == nullptr)
          in.remove_prefix(wanted);
        result = take(known.substr(0, wanted), to + got, got, out);
        continue;
      }
    }
    if (in.empty()) {
      result = status::want_more;
    } else {
      if (partial_ == nullptr)
        partial_ = std::make_unique<std::string>();
      partial_->reserve(wanted);
      auto part = in.substr(0, wanted - partial_->size());
      partial_->append(part);
      in.remove_prefix(part.size());
    }
  }
  // One answer for however many were asked for.
  if (owes_update_ && result != status::failed && !update_write_keys(out))
    return fail(alert_internal_error, "no new keys", out);
  return result;
}

tls_records::status tls_records::take(std::string_view record, char* to, std::size_t& got, std::string& out) {
  auto content = opened{};
  if (!open(record, to, content))
    return fail(alert_bad_record_mac, "bad record mac", out);
  if (content.bytes > fragment_bytes_max)
    return fail(alert_record_overflow, "record too long", out);
  auto bytes = std::string_view{to, content.bytes};
  if (++idle_records_ > idle_records_max)
    return fail(alert_unexpected_message, "too many records without data", out);
  if (content.type == type_application) {
    if (!bytes.empty())
      idle_records_ = 0;
    got += bytes.size();
    return status::ok;
  }
  if (content.type == type_alert && bytes.size() == 2) {
    auto alert = static_cast<unsigned char>(bytes[1]);
    if (alert == alert_close_notify)
      return status::closed;
    if (alert == alert_user_canceled)
      return status::ok;
    has_failed_ = true;
    why_ = "alert from the peer";
    return status::failed;
  }
  // Nothing else may follow in the record that changes the keys (RFC 8446, 5.1).
  if (content.type == type_handshake && bytes.size() == key_update.size() + 1 && bytes.starts_with(key_update) &&
      static_cast<unsigned char>(bytes.back()) <= 1) {
    owes_update_ = owes_update_ || bytes.back() == 1;
    if (update_keys(reading_))
      return status::ok;
    return fail(alert_internal_error, "no new keys", out);
  }
  return fail(alert_unexpected_message, "unexpected message", out);
}

tls_records::status tls_records::fail(unsigned char alert, const char* why, std::string& out) {
  why_ = why;
  auto message = std::string{'\x02', static_cast<char>(alert)};
  seal(type_alert, message, out);
  has_failed_ = true;
  partial_.reset();
  return status::failed;
}

bool tls_records::update_write_keys(std::string& out) {
  owes_update_ = false;
  return seal(type_handshake, std::string{key_update} + '\0', out) && update_keys(writing_);
}

bool tls_records::write(std::string_view plain, std::string& out) {
  while (!plain.empty() && !has_failed_) {
    if (writing_.sequence >= records_per_key_max && !update_write_keys(out))
      return false;
    auto part = plain.substr(0, fragment_bytes_max);
    if (!seal(type_application, part, out))
      return false;
    plain.remove_prefix(part.size());
  }
  return !has_failed_;
}

void tls_records::close(std::string& out) {
  if (!has_failed_)
    seal(type_alert, std::string_view{"\x01\x00", 2}, out);
}

} // namespace xmpp::net
