// Names that nobody can guess.
#pragma once

#include <cstddef>
#include <string>

namespace xmpp {

/// `length` characters of [a-z2-7], 5 unpredictable bits each.
std::string random_text(std::size_t length);

} // namespace xmpp
