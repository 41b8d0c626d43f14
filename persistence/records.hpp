// Larger things an account keeps under a name: `vcard`, `private:<name> <namespace>`. Read only when asked for.
#pragma once

#include "persistence/place.hpp"
#include "persistence/reader.hpp"
#include "persistence/write_set.hpp"
#include "protocol/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xmpp::records {

/// None when there is none.
result<std::optional<std::string>> find(const reader& from, const account_place& at, std::string_view name);
/// All whose names begin with `prefix`, by name: for counting and for export.
result<std::vector<std::pair<std::string, std::string>>> load(const reader& from, const account_place& at,
                                                              std::string_view prefix);

void put(write_set& to, const account_place& at, std::string_view name, std::string_view value);
void erase(write_set& to, const account_place& at, std::string_view name);

} // namespace xmpp::records
