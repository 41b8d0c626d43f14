// WHOLE FILE: one that is written at once and is there after a crash: the old one or the new one, never a part.
#pragma once

#include "protocol/error.hpp"

#include <filesystem>
#include <string_view>

namespace xmpp {

/// Puts the bytes into the file, which only its owner may read, and waits for the disk. They are written beside it
/// first, under the same name with `.new`. Not for two at once on the same file.
///
/// Fails with `storage_failure`, and leaves what was there, unless its last step fails: the file is new then, and may
/// be the old one after a crash.
result<void> replace_file(const std::filesystem::path& file, std::string_view bytes);

/// Makes the folder, for its owner only, when there is none, and waits for the disk; its parent must be there.
/// Fails with `storage_failure`.
result<void> make_folder(const std::filesystem::path& folder);

} // namespace xmpp
