// The release.
#pragma once

#include <string_view>

namespace xmpp {

inline constexpr std::string_view version_text = TROUPE_VERSION;

} // namespace xmpp
