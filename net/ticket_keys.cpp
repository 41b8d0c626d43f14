#include "net/ticket_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <cstring>

namespace xmpp::net {

ticket_keys::key::~key() {
  OPENSSL_cleanse(this, sizeof *this);
}

bool ticket_keys::newest(std::int64_t now_s, key& into) {
  auto guard = std::lock_guard{mutex_};
  if (!rotate(now_s))
    return false;
  into = newest_;
  return true;
}

ticket_keys::found ticket_keys::find(std::int64_t now_s, const unsigned char* name, key& into) {
  auto guard = std::lock_guard{mutex_};
  if (!rotate(now_s))
    return found::none;
  if (std::memcmp(name, newest_.name.data(), newest_.name.size()) == 0) {
    into = newest_;
    return found::newest;
  }
  if (has_before_ && std::memcmp(name, before_.name.data(), before_.name.size()) == 0) {
    into = before_;
    return found::before;
  }
  return found::none;
}

bool ticket_keys::rotate(std::int64_t now_s) {
  auto age_s = now_s - made_s_;
  if (has_newest_ && age_s < rotate_after_s_)
    return true;
  auto fresh = key{};
  if (RAND_bytes(fresh.name.data(), fresh.name.size()) != 1 ||
      RAND_priv_bytes(fresh.cipher.data(), fresh.cipher.size()) != 1 ||
      RAND_priv_bytes(fresh.mac.data(), fresh.mac.size()) != 1)
    return false;
  has_before_ = has_newest_ && age_s < 2 * rotate_after_s_;
  before_ = has_before_ ? newest_ : key{};
  newest_ = fresh;
  has_newest_ = true;
  made_s_ = now_s;
  return true;
}

} // namespace xmpp::net
