#include "actors/present_sessions.hpp"

namespace xmpp {

bool present_sessions::put(const jid& full) {
  if (auto i = all_.find(full); i != all_.end()) {
    doubtful_ -= i->second ? 1 : 0;
    i->second = false;
    return true;
  }
  if (all_.size() >= sessions_max)
    return false;
  all_.emplace(full, false);
  return true;
}

bool present_sessions::put_doubtful(const jid& full) {
  if (all_.contains(full))
    return true;
  if (all_.size() >= sessions_max)
    return false;
  all_.emplace(full, true);
  ++doubtful_;
  taken_ = {};
  return true;
}

bool present_sessions::erase(const jid& full) {
  auto i = all_.find(full);
  if (i == all_.end())
    return false;
  doubtful_ -= i->second ? 1 : 0;
  all_.erase(i);
  return true;
}

void present_sessions::erase_doubtful(const jid& full) {
  if (auto i = all_.find(full); i != all_.end() && i->second)
    erase(full);
}

void present_sessions::doubt_all() {
  for (auto& [full, is_doubtful] : all_)
    is_doubtful = true;
  doubtful_ = all_.size();
  taken_ = {};
}

void present_sessions::erase_all_doubtful() {
  std::erase_if(all_, [](auto& one) { return one.second; });
  doubtful_ = 0;
}

std::vector<jid> present_sessions::take_doubtful(std::size_t count) {
  auto out = std::vector<jid>{};
  for (auto i = all_.upper_bound(taken_); i != all_.end() && doubtful_ != 0 && out.size() < count; ++i)
    if (i->second) {
      taken_ = i->first;
      i->second = false;
      --doubtful_;
      out.push_back(i->first);
    }
  return out;
}

std::vector<jid> present_sessions::behind(const jid& last, std::size_t count) const {
  auto out = std::vector<jid>{};
  for (auto i = all_.upper_bound(last); i != all_.end() && out.size() < count; ++i)
    out.push_back(i->first);
  return out;
}

} // namespace xmpp
