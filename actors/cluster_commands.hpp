// `troupe cluster init` and `troupe cluster join`: what they ask of the configuration, and what they say. What they do
// is in cluster/founding.hpp.
#pragma once

#include "actors/config.hpp"
#include "cluster/system_state.hpp"
#include "protocol/error.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace xmpp {

/// A subcommand with its words, as somebody would type it here.
using as_typed = std::function<std::string(const std::string& command)>;

/// What this node says of itself to the others, as `cluster.*` has it; without its id. Fails with `bad_request`, and
/// names the option.
result<cluster::announcement> announcement_of(const config& options);

// Both return what to print. The server does not run, and the data folder is there.

result<std::string> cluster_init(const config& options, const as_typed& typed);
/// `token`: as it was given; blanks around it are ignored. `replaces`: the member that this one was, or whose place it
/// takes; empty: it is new.
result<std::string> cluster_join(const config& options, std::string_view token, const std::string& replaces,
                                 const as_typed& typed);

} // namespace xmpp
