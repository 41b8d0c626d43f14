// What the SCRAM keys of names without an account are made from (`sasl::fake_credentials`). All nodes of a cluster have
// the same, or a stranger would see at two of them which names are accounts: theirs alone would be the same at both.
#pragma once

#include "protocol/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

inline constexpr std::size_t fake_keys_secret_bytes = 32;

/// From the file `secret` in the folder of the data; made when there is none. Fails with `corrupt_record`,
/// `storage_failure`.
result<std::string> load_fake_keys_secret(const std::filesystem::path& folder);

/// For a node that joins: the secret and the iteration counts of accounts' keys (known_iterations.hpp).
std::string encode_fake_keys(std::string_view secret, const std::vector<std::uint32_t>& iterations);
/// At that node, before its first start. Fails with `corrupt_record` when it is no such text.
result<void> keep_fake_keys(const std::filesystem::path& folder, std::string_view bytes);

} // namespace xmpp
