// Roster items as they are stored, and the roster's version.
#pragma once

#include "persistence/place.hpp"
#include "persistence/reader.hpp"
#include "persistence/write_set.hpp"
#include "protocol/error.hpp"
#include "protocol/jid.hpp"

#if __has_include("protocol/roster.hpp")
#include "protocol/roster.hpp"
#endif

#include <cstdint>
#include <string>
#include <vector>

namespace xmpp {

#if !__has_include("protocol/roster.hpp")
// TODO: goes when protocol/roster.hpp is there.
enum class subscription : std::uint8_t { none, to, from, both };
struct roster_item {
  jid contact;
  std::string name;
  enum subscription subscription = subscription::none;
  bool ask = false;
  bool approved = false;
  std::vector<std::string> groups;
};
#endif

namespace rosters {

struct loaded {
  std::uint64_t version = 0;
  std::vector<roster_item> items; ///< By contact.
};

/// All items. `load_user` gives them too.
result<loaded> load(const reader& from, const account_place& at);

void put(write_set& to, const account_place& at, const roster_item& item);
void erase(write_set& to, const account_place& at, const jid& contact);
void put_version(write_set& to, const account_place& at, std::uint64_t version);

} // namespace rosters
} // namespace xmpp
