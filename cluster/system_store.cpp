#include "cluster/system_store.hpp"

#include <utility>

namespace xmpp::cluster {

write_set stored(const state& x) {
  auto out = write_set{};
  out.put(keys::system_state_key(), x.encode());
  return out;
}

result<std::optional<state>> load_state(const reader& from) {
  auto found = from.get(keys::system_state_key());
  if (!found)
    return found.error();
  if (!*found)
    return std::optional<state>{};
  auto decoded = state::decode(**found);
  if (!decoded)
    return decoded.error();
  return std::optional<state>{*std::move(decoded)};
}

} // namespace xmpp::cluster
