// The parts of the command table, and what its functions share.
#pragma once

#include "actors/messages.hpp"
#include "actors/registry.hpp"
#include "actors/shell/commands.hpp"

#include <cstddef>
#include <optional>

namespace xmpp::shell {

std::vector<command> actor_commands();
std::vector<command> live_commands();
std::vector<command> trace_commands();
std::vector<command> account_commands();
std::vector<command> server_commands();
std::vector<command> cluster_commands();
std::vector<command> node_commands();
std::vector<command> backup_commands();

inline constexpr actor_kind all_kinds[] = {
    actor_kind::server,   actor_kind::supervisor, actor_kind::shard, actor_kind::user,   actor_kind::session,
    actor_kind::listener, actor_kind::hasher,     actor_kind::shell, actor_kind::member, actor_kind::coordinator};
static_assert(std::size(all_kinds) == actor_kind_count);

std::optional<actor_kind> kind_of(std::string_view name);

inline error fault(std::string text) {
  return error{errc::bad_request, std::move(text)};
}

/// `user romeo@localhost`; and with its number.
std::string title(const registry::entry& x);
std::string label(const registry::entry& x);

/// Those of that name; `7` is also `shard 7`. At most `limit`.
std::vector<registry::entry> find_named(actor_kind kind, std::string_view name, std::size_t limit);
/// Actors by number (`12`, `#12`), `kind/name`, name or JID; a bare JID without a user actor stands for its sessions.
/// At most `limit`.
std::vector<registry::entry> find_actors(std::string_view text, std::size_t limit = 20);
/// The only one. Fails with `bad_request` when there is none or when several fit: the text lists them.
result<registry::entry> find_actor(std::string_view text);
/// The sessions of a bare JID, or that of a full one.
std::vector<registry::entry> find_sessions(const jid& who);

/// A member by its number, the first four or more digits of its id, its address, or the host of that. One that is gone
/// only when `also_gone`. Fails with `bad_request`.
result<cluster::node_id> find_node(const cluster::state& in, std::string_view text, bool also_gone = false);
/// As if the line were given there.
result<void> run_on(context& with, cluster::node_id node, const std::string& line);
/// Members that are not gone, by their numbers.
std::vector<const cluster::member*> nodes_in_order(const cluster::state& in);
/// Candidates for the end of a line of which `node` has to run what is behind.
completions complete_at(context& with, std::string_view node, std::string_view line);
/// How a command given here is given elsewhere.
client_hello hello_of(const console& out);

/// What actors say of themselves, asked all at once; without `came` for those that don't answer within 2 s.
struct answer {
  bool came = false;
  msg::description what = {};
};
std::vector<answer> describe(context& with, const std::vector<registry::entry>& whom);

template <class View>
void show(context& with, const View& what) {
  with.out.write(render(what, with.out.look()));
}

/// A sentence; as JSON: `{"done": "…"}`.
void say(context& with, const std::string& text);
/// Lines; as JSON an array of strings.
void say(context& with, const std::vector<std::string>& lines);

/// Whether to go on with something that can't be undone; asks only where someone can answer.
bool confirm(context& with, const std::string& question);

} // namespace xmpp::shell
