// A TLS 1.3 peer that does anything: what it sealed comes out in order, in whatever pieces it arrives; what it did not
// seal never does; and after the first record that is wrong nothing does.
//
// The input is a script of one byte a step and its arguments. The peer's records are sealed here, with OpenSSL alone.
#include "net/tls_records.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace xmpp::net;

constexpr auto idle_records_safe = 16; // Fewer than are refused.
constexpr auto wire_bytes_max = std::size_t{1} << 18;

void require(bool holds) {
  if (!holds)
    std::abort();
}

unsigned char* bytes_of(char* x) {
  return reinterpret_cast<unsigned char*>(x);
}

/// The script; zeros behind its end.
class script {
public:
  script(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool has_more() const { return at_ < size_; }
  std::uint8_t byte() { return at_ < size_ ? data_[at_++] : std::uint8_t{0}; }
  std::size_t number() {
    auto high = std::size_t{byte()};
    return high << 8 | byte();
  }
  std::string bytes(std::size_t count) {
    auto out = std::string{};
    while (count-- > 0 && has_more())
      out += static_cast<char>(byte());
    return out;
  }

private:
  const std::uint8_t* data_;
  std::size_t size_, at_ = 0;
};

/// Seals as a peer would (RFC 8446, 5.2).
class sealer {
public:
  sealer(tls_suite suite, const tls_secret& secret) : suite_(suite), secret_(secret) { set_keys(); }

  std::string seal(unsigned char type, std::string_view content, std::size_t padding) {
    auto plain = std::string{content} + static_cast<char>(type) + std::string(padding, '\0');
    auto length = plain.size() + 16;
    auto header = std::string{"\x17\x03\x03"} + static_cast<char>(length >> 8) + static_cast<char>(length);
    auto nonce = iv_;
    for (auto i = 0; i < 8; ++i)
      nonce[11 - std::size_t(i)] ^= static_cast<unsigned char>(sequence_ >> 8 * i);
    ++sequence_;
    auto out = std::string(plain.size() + 16, '\0');
    auto count = 0;
    auto context =
        std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)>{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
    require(EVP_EncryptInit_ex(context.get(), cipher(), nullptr, key_.data(), nonce.data()) == 1 &&
            EVP_EncryptUpdate(context.get(), nullptr, &count, bytes_of(header.data()), 5) == 1 &&
            EVP_EncryptUpdate(context.get(), bytes_of(out.data()), &count, bytes_of(plain.data()),
                              static_cast<int>(plain.size())) == 1 &&
            EVP_EncryptFinal_ex(context.get(), bytes_of(out.data()) + plain.size(), &count) == 1 &&
            EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, bytes_of(out.data()) + plain.size()) == 1);
    return header + out;
  }

  void update_keys() {
    auto next = tls_secret{};
    next.size = secret_.size;
    require(expand_label(suite_, secret_, "traffic upd", {}, next.bytes.data(), next.size));
    secret_ = next;
    set_keys();
  }

private:
  const EVP_CIPHER* cipher() const {
    return suite_ == tls_suite::aes_128_gcm_sha256   ? EVP_aes_128_gcm()
           : suite_ == tls_suite::aes_256_gcm_sha384 ? EVP_aes_256_gcm()
                                                     : EVP_chacha20_poly1305();
  }
  void set_keys() {
    auto key_bytes = suite_ == tls_suite::aes_128_gcm_sha256 ? std::size_t{16} : std::size_t{32};
    sequence_ = 0;
    require(expand_label(suite_, secret_, "key", {}, key_.data(), key_bytes));
    require(expand_label(suite_, secret_, "iv", {}, iv_.data(), iv_.size()));
  }

  tls_suite suite_;
  tls_secret secret_;
  std::array<unsigned char, 32> key_{};
  std::array<unsigned char, 12> iv_{};
  std::uint64_t sequence_ = 0;
};

tls_secret secret_of(tls_suite suite, char of) {
  auto out = tls_secret{};
  out.size = suite == tls_suite::aes_256_gcm_sha384 ? 48 : 32;
  std::fill_n(out.bytes.begin(), out.size, static_cast<unsigned char>(of));
  return out;
}

/// A connection: the peer's bytes on their way, and what came out of them.
class connection {
public:
  explicit connection(tls_suite suite)
      : peer_(suite, secret_of(suite, 'p')),
        ours_(tls_records::make(suite, secret_of(suite, 'p'), secret_of(suite, 'o'), 0)),
        peers_reader_(tls_records::make(suite, secret_of(suite, 'o'), secret_of(suite, 'p'), 0)) {
    require(ours_ && peers_reader_);
  }

  // -- the peer --
  void seals_data(std::size_t bytes, std::size_t padding) {
    auto plain = std::string{};
    while (plain.size() < bytes)
      plain += static_cast<char>(next_byte_ = next_byte_ * 109 + 89);
    if (bytes > 16'384 || bytes + padding > 16'384 + 255)
      is_clean_ = false;
    idle_ = bytes == 0 ? idle_ + 1 : 0;
    sends(peer_.seal(23, plain, padding));
    if (bytes <= 16'384)
      sealed_ += plain;
  }
  void seals_key_update(unsigned char wanted) {
    ++idle_;
    is_clean_ = is_clean_ && wanted <= 1;
    sends(peer_.seal(22, std::string{"\x18\x00\x00\x01", 4} + static_cast<char>(wanted), 0));
    peer_.update_keys();
  }
  void seals_anything(unsigned char type, const std::string& content) {
    is_clean_ = false;
    sends(peer_.seal(type, content, 0));
    // Zeros are padding, a type of zero too: the type is the last byte that is none (RFC 8446, 5.4).
    auto plain = content + static_cast<char>(type);
    plain.erase(plain.find_last_not_of('\0') + 1);
    if (plain.ends_with('\x17'))
      sealed_ += plain.substr(0, plain.size() - 1);
  }
  void closes() {
    sends(peer_.seal(21, std::string_view{"\x01\x00", 2}, 0));
    is_closing_ = true;
  }

  // -- what happens on the way --
  void sends(const std::string& bytes) {
    if (is_closing_ || idle_ > idle_records_safe)
      is_clean_ = false; // whether and when is not for us to say
    last_ = bytes;
    if (wire_.size() + bytes.size() <= wire_bytes_max)
      wire_ += bytes;
    else
      is_clean_ = false;
  }
  void spoils(std::size_t at, unsigned char with) {
    if (wire_.empty() || with == 0)
      return;
    is_clean_ = false;
    auto& one = wire_[at % wire_.size()];
    one = static_cast<char>(static_cast<unsigned char>(one) ^ with);
  }
  void loses(std::size_t at, std::size_t bytes) {
    if (wire_.empty() || bytes == 0)
      return;
    is_clean_ = false;
    wire_.erase(at % wire_.size(), bytes);
  }
  void inserts(std::size_t at, const std::string& bytes) {
    if (bytes.empty())
      return;
    is_clean_ = false;
    wire_.insert(at % (wire_.size() + 1), bytes);
  }
  void repeats() { inserts(wire_.size(), last_); }

  /// So many bytes arrive, and are read into so much room.
  void arrives(std::size_t bytes, std::size_t more_room) {
    auto part = wire_.substr(0, bytes);
    wire_.erase(0, part.size());
    // Of exactly that size, so that the sanitizer sees what is read or written beyond.
    auto in_bytes = std::vector<char>(part.begin(), part.end());
    auto in = std::string_view{in_bytes.data(), in_bytes.size()};
    auto room = std::vector<char>(tls_records::read_bytes_min + more_room);
    auto status = tls_status::ok;
    while (status == tls_status::ok && !is_closed_) {
      auto out = std::string{};
      auto got = std::size_t{0};
      auto before = in.size();
      status = ours_->read(in, room.data(), room.size(), got, out);
      require(got <= room.size());
      require(read_ + got <= sealed_.size());
      require(std::string_view(room.data(), got) == std::string_view{sealed_}.substr(read_, got));
      read_ += got;
      require(!has_failed_ || (status == tls_status::failed && got == 0 && out.empty()));
      require(status != tls_status::ok || got != 0 || in.size() != before); // it comes to an end
      require(status != tls_status::want_more || in.empty());
      is_closed_ = status == tls_status::closed;
      require(!is_closed_ || is_closing_ || !is_clean_);
      if (status == tls_status::failed) {
        require(!is_clean_);
        require(ours_->why()[0] != '\0');
        has_failed_ = true;
      }
      answers(out);
    }
  }

  // -- our side --
  void writes(std::size_t bytes) {
    auto plain = std::string(bytes, static_cast<char>(bytes));
    auto out = std::string{};
    require(ours_->write(plain, out) == !has_failed_);
    if (has_failed_)
      require(out.empty());
    else
      written_ += bytes;
    answers(out);
  }

  void ends() {
    if (!is_clean_)
      return;
    arrives(wire_.size(), 0);
    require(!has_failed_);
    require(read_ == sealed_.size());
    require(is_closed_ == is_closing_);
  }

private:
  /// All that goes out is whole and can be read by the peer.
  void answers(std::string_view out) {
    auto room = std::vector<char>(tls_records::read_bytes_min);
    auto status = tls_status::ok;
    while (status == tls_status::ok) {
      auto answer = std::string{};
      auto got = std::size_t{0};
      status = peers_reader_->read(out, room.data(), room.size(), got, answer);
      written_ -= got;
    }
    require(status == tls_status::want_more || has_failed_);
    require(written_ == 0);
  }

  sealer peer_;
  std::unique_ptr<tls_records> ours_, peers_reader_;
  std::string wire_, sealed_, last_;
  std::size_t read_ = 0, written_ = 0;
  std::uint8_t next_byte_ = 1;
  int idle_ = 0;
  bool is_clean_ = true;    ///< Nothing was sent that must or may be refused.
  bool is_closing_ = false; ///< The peer has.
  bool is_closed_ = false, has_failed_ = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr auto suites =
      std::array{tls_suite::aes_128_gcm_sha256, tls_suite::aes_256_gcm_sha384, tls_suite::chacha20_poly1305_sha256};
  auto steps = script{data, std::min(size, std::size_t{4'096})};
  auto x = connection{suites[steps.byte() % suites.size()]};
  for (auto i = 0; i < 200 && steps.has_more(); ++i) {
    switch (steps.byte() % 14) {
    case 0:
    case 1:
      x.seals_data(steps.byte(), 0);
      break;
    case 2: {
      auto bytes = steps.number() % 16'640;
      x.seals_data(bytes, std::min(std::size_t{steps.byte()}, 16'640 - bytes - 17));
      break;
    }
    case 3:
      x.seals_key_update(steps.byte() % 4);
      break;
    case 4: {
      auto type = steps.byte();
      x.seals_anything(type, steps.bytes(steps.byte() % 32));
      break;
    }
    case 5:
      x.closes();
      break;
    case 6: {
      auto at = steps.number();
      x.spoils(at, steps.byte());
      break;
    }
    case 7: {
      auto at = steps.number();
      x.loses(at, steps.byte());
      break;
    }
    case 8: {
      auto at = steps.number();
      x.inserts(at, steps.bytes(steps.byte() % 64));
      break;
    }
    case 9:
      x.repeats();
      break;
    case 10:
      x.arrives(steps.byte(), 0);
      break;
    case 11:
    case 12: {
      auto bytes = steps.number();
      x.arrives(bytes, std::size_t{steps.byte()} * 256);
      break;
    }
    default:
      x.writes(steps.number() % 40'000);
      break;
    }
  }
  x.ends();
  return 0;
}
