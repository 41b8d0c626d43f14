// Which names every XML parser takes.
#pragma once

#include <string_view>

namespace xmpp::xml {

/// Whether `name`, a name without colon in XML 1.0's fifth edition, is one in the earlier editions too. The fifth
/// allows many more characters; parsers differ in which edition they follow (Xerces: the fifth, Expat: the fourth). A
/// name that only some know would end the stream of the peer that we send it to, so we take what all do.
bool is_common_name(std::u16string_view name) noexcept;

} // namespace xmpp::xml
