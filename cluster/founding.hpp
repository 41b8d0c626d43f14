// FOUNDING: what makes of a lone node's data folder a cluster's first node, and of one without accounts a node that
// joins. For commands, while no server runs: all of it waits for the disk, and joining for the network.
//
// - What is begun and not ended, by a crash or a failure, leaves either the lone node, which starts as before, or a
//   store that no lone node opens; the same command, run again, then goes on from there.
// - The identity says whether a node is in a cluster. It is saved last: whose identity is a member's has a store that
// is.
#pragma once

#include "cluster/identity.hpp"
#include "cluster/join.hpp"
#include "cluster/join_token.hpp"
#include "cluster/system_state.hpp"
#include "persistence/store.hpp"
#include "protocol/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp::cluster {

struct new_node {
  std::filesystem::path data_folder; ///< It is there.
  store_options store;               ///< As the lone server opens it.
  announcement says;                 ///< What it says of itself. Its id is its identity's, whatever stands here.
  std::int64_t now_ms = 0;           ///< Since 1970.
};

struct founded {
  identity self;
  state system;
};

/// Makes a cluster with this node, which has all shards; its accounts stay as they are. Errors are for who typed the
/// command: `conflict` when it is in a cluster already, `storage_failure` also when a server has the store open.
result<founded> found(const new_node& how, const std::vector<std::string>& hosts);

struct join_order {
  join_token token;
  std::string replaces = {};           ///< As in `join_request`.
  std::vector<std::string> seeds = {}; ///< As in `join_options`.
  std::uint32_t timeout_ms = 30'000;
  /// Keeps `join_answer::shared`; what it fails with, joining fails with.
  std::function<result<void>(std::string_view shared)> keeps = nullptr;
};

/// Asks for admittance, and makes an empty store that waits for the others. Refused, before anybody is asked, where
/// something was stored, which would be lost; after that when the cluster has another number of shards. Again with the
/// same token, a lost answer is given once more.
result<joined> join_cluster(const new_node& how, const join_order& x);

/// Fails when the identity can not be read.
result<bool> is_member(const std::filesystem::path& data_folder);

/// The authority that any member issues by. Fails with `corrupt_record`.
result<cluster_authority> authority_of(const state& system);

// -- the members that this node knew last, for its next start: `<data folder>/cluster/members` --
//
// A line for each: its id and its addresses, with blanks between.

std::filesystem::path members_file(const std::filesystem::path& data_folder);
/// Replaces it as a whole, synced. What is no address, and so would not be read as one, is left out.
result<void> save_members(const std::filesystem::path& data_folder, const std::vector<member_addresses>& members);
/// Empty when there is none. Fails when it can not be read, with the number of the line that is wrong.
result<std::vector<member_addresses>> load_members(const std::filesystem::path& data_folder);

// -- what this node knew last that the cluster has agreed on: `<data folder>/cluster/agreed` --
//
// Its store may hold an older state until a majority is there, and no state at all where the system group has no
// replica. The authority's key is in it, so it is for the owner's eyes only.

std::filesystem::path agreed_file(const std::filesystem::path& data_folder);
/// Replaces it as a whole, synced.
result<void> save_agreed(const std::filesystem::path& data_folder, const state& x);
/// Nothing when there is none.
result<std::optional<state>> load_agreed(const std::filesystem::path& data_folder);

} // namespace xmpp::cluster
