#include "cluster/founding.hpp"

#include "cluster/stored.hpp"
#include "cluster/system_store.hpp"
#include "net/authority.hpp"
#include "persistence/whole_file.hpp"
#include "persistence/write_set.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace xmpp::cluster {

namespace {

constexpr auto members_bytes_max = std::size_t{4} << 20;

error refused(std::string why) {
  return {errc::not_allowed, std::move(why)};
}

template <class T>
result<T> told(net::outcome<T> x) {
  if (!x)
    return refused(x.why());
  return *std::move(x);
}

error system_failure(const std::string& what) {
  auto code = errno;
  return {errc::storage_failure, what + ": " + std::generic_category().message(code)};
}

} // namespace

result<bool> is_member(const std::filesystem::path& data_folder) {
  auto self = load(data_folder);
  if (!self)
    return refused(self.why());
  return *self && (*self)->is_member();
}

result<cluster_authority> authority_of(const state& system) {
  auto id = parse_id(system.id);
  if (!id || !net::check_private_key(system.ca_key, system.ca_certificate))
    return error{errc::corrupt_record, "the cluster's authority"};
  return cluster_authority{*id, {system.ca_certificate, system.ca_key}};
}

// -- the members' file ------------------------------------------------------------------------------------------------

namespace {

bool is_address(std::string_view text) {
  auto is_fit = [](char c) { return c > ' ' && c != 0x7f; };
  return !text.empty() && text.size() <= address_bytes_max && text.find(':') != text.npos &&
         std::all_of(text.begin(), text.end(), is_fit);
}

/// Takes what stands before the next blank off the front.
std::string_view take_word(std::string_view& line) {
  auto word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

std::optional<member_addresses> parse_line(std::string_view line) {
  auto id = parse_id(take_word(line));
  if (!id)
    return std::nullopt;
  auto out = member_addresses{*id, {}};
  while (!line.empty())
    if (!is_address(out.addresses.emplace_back(take_word(line))))
      return std::nullopt;
  return out;
}

result<void> save_file(const std::filesystem::path& file, std::string_view bytes) {
  if (auto made = make_folder(file.parent_path()); !made)
    return made;
  return replace_file(file, bytes);
}

} // namespace

std::filesystem::path members_file(const std::filesystem::path& data_folder) {
  return data_folder / "cluster" / "members";
}

result<void> save_members(const std::filesystem::path& data_folder, const std::vector<member_addresses>& members) {
  auto text = std::string{};
  for (auto& one : members) {
    text += id_text(one.node);
    for (auto& address : one.addresses)
      if (is_address(address))
        text += " " + address;
    text += '\n';
  }
  return save_file(members_file(data_folder), text);
}

result<std::vector<member_addresses>> load_members(const std::filesystem::path& data_folder) {
  auto file = members_file(data_folder);
  auto out = std::vector<member_addresses>{};
  auto failure = std::error_code{};
  auto status = std::filesystem::status(file, failure);
  if (status.type() == std::filesystem::file_type::not_found)
    return out;
  auto what = "read " + file.string();
  if (failure)
    return error{errc::storage_failure, what + ": " + failure.message()};
  if (status.type() != std::filesystem::file_type::regular)
    return error{errc::storage_failure, what + ": it is no regular file"};
  if (std::filesystem::file_size(file, failure) > members_bytes_max || failure)
    return error{errc::corrupt_record, what + ": it is too large"};
  auto in = std::ifstream{file};
  if (!in)
    return system_failure(what);
  for (auto line = std::string{}; std::getline(in, line);) {
    auto one = parse_line(line);
    if (!one || out.size() == members_max)
      return error{errc::corrupt_record, what + ": line " + std::to_string(out.size() + 1)};
    out.push_back(*std::move(one));
  }
  return out;
}

std::filesystem::path agreed_file(const std::filesystem::path& data_folder) {
  return data_folder / "cluster" / "agreed";
}

result<void> save_agreed(const std::filesystem::path& data_folder, const state& x) {
  return save_file(agreed_file(data_folder), x.encode());
}

result<std::optional<state>> load_agreed(const std::filesystem::path& data_folder) {
  auto file = agreed_file(data_folder);
  auto failure = std::error_code{};
  if (!std::filesystem::exists(file, failure) && !failure)
    return std::optional<state>{};
  auto in = std::ifstream{file, std::ios::binary};
  if (!in)
    return system_failure("read " + file.string());
  auto read = state::decode(std::string{std::istreambuf_iterator<char>{in}, {}});
  if (!read)
    return error{errc::corrupt_record, "read " + file.string() + ": " + read.error().text};
  return std::optional{*std::move(read)};
}

namespace {

/// Holds the store from here on: no server starts meanwhile.
result<std::unique_ptr<store>> open_store(const new_node& how) {
  auto options = how.store;
  options.is_in_cluster = true;
  return store::open(options);
}

bool has_store(const new_node& how) {
  auto failure = std::error_code{};
  return std::filesystem::exists(how.store.folder / "log", failure) || failure;
}

/// That of an attempt before, if there was one. Fails for a member.
result<std::optional<identity>> lone_identity(const new_node& how) {
  auto self = load(how.data_folder);
  if (!self)
    return refused(self.why());
  if (!*self || !(*self)->is_member())
    return *std::move(self);
  auto text = "this node is in cluster " + id_text((*self)->cluster) + " already";
  if (!has_store(how))
    text += ", but its store is gone: remove " + identity_file(how.data_folder).parent_path().string() +
            " too, then join with a new token and --replaces " + id_text((*self)->node);
  return error{errc::conflict, text};
}

/// Saved, so that whoever comes back is the same.
result<identity> kept_identity(const new_node& how, const std::optional<identity>& known) {
  if (known)
    return *known;
  auto made = make_identity();
  if (!made)
    return refused(made.why());
  if (auto saved = save(how.data_folder, *made); !saved)
    return refused(saved.why());
  return *std::move(made);
}

result<std::string> key_digest_of(const identity& self) {
  auto request = request_of(self);
  if (!request)
    return refused(request.why());
  return told(net::key_digest_of_request(*request));
}

result<state> first_state(const new_node& how, const identity& self, const std::vector<std::string>& hosts) {
  auto authority = make_cluster_authority(how.now_ms / 1'000);
  if (!authority)
    return refused(authority.why());
  auto digest = key_digest_of(self);
  if (!digest)
    return digest.error();
  auto out = state{};
  auto init = ask::init{};
  init.id = id_text(authority->cluster);
  init.first = how.says;
  init.first.id = self.node;
  init.settings = {{setting::shard_count, how.store.shard_count}};
  init.hosts = hosts;
  init.ca_certificate = authority->pair.certificate;
  init.ca_key = authority->pair.private_key;
  init.certificate = *digest;
  init.certificate_expires_ms = how.now_ms + std::int64_t(out.value(setting::certificate_valid_s)) * 1'000;
  if (auto done = apply(out, {how.now_ms, init}); !done)
    return done.error();
  return out;
}

/// As a lone node's entry, in place of what an attempt before may have left: nobody has seen that.
result<void> write_state(store& to, const state& system) {
  auto order = xmpp::command{};
  order.changes = stored(system);
  auto entry = log_entry{};
  entry.shard = system_shard;
  entry.index = to.last_index(system_shard) + 1;
  entry.data = order.encode();
  if (auto done = to.append(std::span{&entry, 1}); !done)
    return done;
  return to.apply(std::span{&entry, 1});
}

/// The last step, for a store that is a first node's. Fails when it is another node's.
result<founded> admit(const new_node& how, const store& in, const std::optional<identity>& self) {
  auto found = load_state(in.view(tier::disk));
  if (!found)
    return found.error();
  auto who = self && *found ? (*found)->find(self->node) : nullptr;
  if (who == nullptr)
    return refused("the store in " + how.store.folder.string() +
                   " belongs to a node of a cluster whose identity is not " + "in " + how.data_folder.string() +
                   ": run `troupe cluster join` again if that was begun, else move " + "the store away");
  auto& system = **found;
  auto digest = key_digest_of(*self);
  if (!digest)
    return digest.error();
  if (who->certificate != *digest)
    return refused("the cluster knows node " + id_text(self->node) + " with another key");
  auto authority = authority_of(system);
  if (!authority)
    return authority.error();
  auto member =
      renewed(*self, *authority, how.now_ms / 1'000, std::int64_t(system.value(setting::certificate_valid_s)));
  if (!member)
    return refused(member.why());
  if (auto saved = save(how.data_folder, *member); !saved)
    return refused(saved.why());
  return founded{*std::move(member), std::move(system)};
}

/// That nothing would be lost.
result<void> check_is_empty(const new_node& how, const store& in) {
  auto groups = in.groups();
  auto waits = groups.empty() || groups == std::vector{system_shard}; // as an attempt before may have left it
  auto applied = in.applied();
  auto folder = how.store.folder.string();
  if (waits && std::all_of(applied.begin(), applied.end(), [](auto index) { return index == 0; }))
    return {};
  return refused(
      "the store in " + folder + (waits ? " has accounts" : " belongs to a node of a cluster") +
      ", which would be lost: a node that joins gets all from the others. To let it join nevertheless, move " +
      "the store away first: mv " + folder + " " + folder + ".before");
}

result<void> check_shard_count(const new_node& how, std::uint32_t clusters) {
  auto ours = how.store.shard_count;
  if (ours == clusters)
    return {};
  auto text = "the cluster has " + std::to_string(clusters) + " shards, and storage.shards of this node is " +
              std::to_string(ours) + ": set it to " + std::to_string(clusters);
  if (has_store(how))
    text += ", remove " + how.store.folder.string() + ", which has nothing yet,";
  return refused(text + " and join again with the same token");
}

} // namespace

result<founded> found(const new_node& how, const std::vector<std::string>& hosts) {
  auto known = lone_identity(how);
  if (!known)
    return known.error();
  auto opened = open_store(how);
  if (!opened)
    return opened.error();
  auto& in = **opened;
  if (!in.groups().empty())
    return admit(how, in, *known);
  auto self = kept_identity(how, *known);
  if (!self)
    return self.error();
  auto system = first_state(how, *self, hosts);
  if (!system)
    return system.error();
  if (auto done = write_state(in, *system); !done)
    return done.error();
  if (auto done = raft::make_groups(in, {{self->node, raft::role::voter}}); !done)
    return done.error();
  return admit(how, in, *self);
}

result<joined> join_cluster(const new_node& how, const join_order& x) {
  auto known = lone_identity(how);
  if (!known)
    return known.error();
  auto opened = std::unique_ptr<store>{};
  if (has_store(how)) {
    auto there = open_store(how);
    if (!there)
      return there.error();
    opened = *std::move(there);
    if (auto good = check_is_empty(how, *opened); !good)
      return good.error();
  }
  auto self = kept_identity(how, *known);
  if (!self)
    return self.error();
  auto order = join_options{};
  order.token = x.token;
  order.seeds = x.seeds;
  order.replaces = x.replaces;
  order.self = *std::move(self);
  order.software = how.says.version;
  order.addresses = how.says.addresses;
  order.now_s = how.now_ms / 1'000;
  order.timeout_ms = x.timeout_ms;
  auto answer = told(join(order));
  if (!answer)
    return answer;
  if (auto good = check_shard_count(how, answer->shard_count); !good)
    return good.error();
  if (auto saved = save_members(how.data_folder, answer->members); !saved)
    return saved.error();
  if (x.keeps)
    if (auto kept = x.keeps(answer->shared); !kept)
      return kept.error();
  if (!opened) {
    auto made = open_store(how);
    if (!made)
      return made.error();
    opened = *std::move(made);
  }
  if (!opened->is_group(system_shard)) {
    auto waiting = raft::waiting_member(system_shard);
    if (auto done = opened->append({}, std::span{&waiting, 1}); !done)
      return done.error();
  }
  if (auto saved = save(how.data_folder, answer->self); !saved)
    return refused(saved.why());
  return answer;
}

} // namespace xmpp::cluster
