#include "cluster/system_state.hpp"

#include "cluster/identity.hpp"

#include <algorithm>
#include <charconv>

namespace xmpp::cluster {

namespace {

constexpr auto hash_bytes = std::size_t{32};
constexpr auto id_bytes = std::size_t{16};

struct error refused(errc code, std::string why) {
  return {code, std::move(why)};
}

std::string number(std::uint64_t x) {
  return std::to_string(x);
}

/// `21 replicas`.
std::string counted(std::size_t count, std::string_view of) {
  return number(count) + " " + std::string{of} + (count == 1 ? "" : "s");
}

/// Without what a terminal or a log would take for something else.
bool is_text(std::string_view x, std::size_t bytes_max) {
  return x.size() <= bytes_max &&
         std::none_of(x.begin(), x.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_host(std::string_view x) {
  return !x.empty() && is_text(x, 1'023) && x.find_first_of(" @/") == x.npos;
}

bool contains(const std::vector<node_id>& list, node_id x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

bool are_distinct(std::vector<node_id> list) {
  std::sort(list.begin(), list.end());
  return std::adjacent_find(list.begin(), list.end()) == list.end();
}

void insert(std::vector<node_id>& sorted, node_id x) {
  auto at = std::lower_bound(sorted.begin(), sorted.end(), x);
  if (at == sorted.end() || *at != x)
    sorted.insert(at, x);
}

const setting_rule* rule_of(setting which) {
  auto at = std::find_if(setting_rules.begin(), setting_rules.end(), [which](auto& x) { return x.which == which; });
  return at == setting_rules.end() ? nullptr : &*at;
}

// -- checks of what is asked for --

result<void> check(const announcement& x) {
  if (x.id == 0)
    return refused(errc::bad_request, "a node's id is not 0");
  if (x.addresses.empty() || x.addresses.size() > addresses_max)
    return refused(errc::bad_request, "a node has 1 to " + number(addresses_max) + " addresses for links");
  for (auto& one : x.addresses)
    if (one.empty() || !is_text(one, address_bytes_max))
      return refused(errc::bad_request, "no address for links");
  if (!is_text(x.client_address, address_bytes_max))
    return refused(errc::bad_request, "no address for clients");
  if (!is_text(x.version, version_bytes_max))
    return refused(errc::bad_request, "no version");
  if (x.labels.size() > labels_max)
    return refused(errc::bad_request, "more than " + counted(labels_max, "label"));
  for (auto& [name, value] : x.labels)
    if (name.empty() || !is_text(name, label_bytes_max) || !is_text(value, label_bytes_max))
      return refused(errc::bad_request, "no label");
  return {};
}

result<void> check(setting which, std::uint64_t value) {
  auto rule = rule_of(which);
  if (rule == nullptr)
    return refused(errc::item_not_found, "no such setting");
  if (value < rule->min || value > rule->max)
    return refused(errc::not_acceptable,
                   std::string{rule->name} + " is from " + number(rule->min) + " to " + number(rule->max));
  if (which == setting::replicas && value % 2 == 0)
    return refused(errc::not_acceptable, "replicas is 3 or 5");
  return {};
}

result<void> check_hosts(const std::vector<std::string>& hosts) {
  if (hosts.size() > hosts_max)
    return refused(errc::resource_constraint, "more than " + counted(hosts_max, "host"));
  for (auto& one : hosts)
    if (!is_host(one))
      return refused(errc::bad_request, "a host's name is empty, too long, or no domain");
  return {};
}

result<void> check_certificate(std::string_view fingerprint) {
  if (fingerprint.size() > certificate_bytes_max)
    return refused(errc::bad_request, "no fingerprint of a certificate");
  return {};
}

/// The member, unless there is none or it is gone.
result<member*> member_of(state& in, node_id x) {
  auto at = in.members.find(x);
  if (at == in.members.end())
    return refused(errc::item_not_found, in.title(x) + " is no member");
  if (at->second.is == standing::gone)
    return refused(errc::gone, in.title(x) + " was removed");
  return &at->second;
}

result<placement*> placement_of(state& in, shard_id x) {
  auto at = in.shards.find(x);
  if (at == in.shards.end())
    return refused(errc::item_not_found, "there is no " + title(x));
  return &at->second;
}

/// Nodes that can hold replicas and are to stay.
std::size_t places_without(const state& in, node_id x) {
  return std::size_t(std::count_if(in.members.begin(), in.members.end(), [x](auto& one) {
    return one.first != x && (one.second.is == standing::up || one.second.is == standing::draining) &&
           !one.second.leaves;
  }));
}

/// That a majority of each shard's voters stays when `x` is gone.
result<void> check_majorities_without(const state& in, node_id x) {
  for (auto& [shard, placed] : in.shards) {
    if (!placed.has(x))
      continue;
    auto stay = std::count_if(placed.replicas.begin(), placed.replicas.end(),
                              [&](auto one) { return one != x && in.members.at(one).is != standing::gone; });
    if (std::size_t(stay) < majority(placed.replicas.size()))
      return refused(errc::not_allowed, "would leave " + title(shard) + " with " + number(std::size_t(stay)) + " of " +
                                            counted(placed.replicas.size(), "replica"));
  }
  return {};
}

// -- changes --

void set_standing(member& of, standing is, bool leaves, std::int64_t at_ms) {
  if (of.is != is)
    of.since_ms = at_ms;
  of.is = is;
  of.leaves = leaves;
}

/// What was to be added is taken out again, as far as it got.
void undo(move& x, std::int64_t at_ms) {
  // It may have been promoted by now, and even lead.
  x.at = x.at == step::promote ? step::transfer_leader : step::remove;
  x.remove = std::move(x.add);
  x.add.clear();
  x.is_undo = true;
  x.since_ms = at_ms;
}

/// It gets no new replica any more.
void keep_out(state& of, node_id x, std::int64_t at_ms) {
  for (auto& [shard, placed] : of.shards)
    if (placed.moving && contains(placed.moving->add, x))
      undo(*placed.moving, at_ms);
}

void set_gone(state& of, member& x, std::int64_t at_ms) {
  set_standing(x, standing::gone, false, at_ms);
  keep_out(of, x.says.id, at_ms);
}

member new_member(state& of, const announcement& who, std::int64_t at_ms) {
  auto out = member{};
  out.says = who;
  out.number = of.next_number++;
  out.since_ms = out.joined_ms = at_ms;
  return out;
}

/// In constant time, though who knows the hash does not know the token.
token* find_token(state& in, std::string_view hash) {
  auto out = static_cast<token*>(nullptr);
  for (auto& [known, one] : in.tokens) {
    auto differs = known.size() == hash.size() ? 0 : 1;
    for (auto i = std::size_t{0}; i < std::min(known.size(), hash.size()); ++i)
      differs |= known[i] ^ hash[i];
    if (differs == 0)
      out = &one;
  }
  return out;
}

using outcome = result<applied>;
constexpr auto unchanged = applied{false, 0};

outcome carry_out(state& to, const ask::init& x, std::int64_t at_ms) {
  if (!to.id.empty())
    return refused(errc::conflict, "the cluster is made already");
  if (x.id.size() != id_bytes)
    return refused(errc::bad_request, "a cluster's id has " + counted(id_bytes, "byte"));
  if (x.ca_certificate.size() > ca_bytes_max || x.ca_key.size() > ca_bytes_max)
    return refused(errc::resource_constraint, "the CA is too large");
  for (auto& [which, value] : x.settings)
    if (auto good = check(which, value); !good)
      return good.error();
  for (auto& good : {check(x.first), check_hosts(x.hosts), check_certificate(x.certificate)})
    if (!good)
      return good.error();

  to.id = x.id;
  for (auto& rule : setting_rules)
    to.settings[rule.which] = rule.initial;
  for (auto& [which, value] : x.settings)
    to.settings[which] = value;
  to.hosts = {x.hosts.begin(), x.hosts.end()};
  to.ca_certificate = x.ca_certificate;
  to.ca_key = x.ca_key;
  auto& first = to.members[x.first.id] = new_member(to, x.first, at_ms);
  first.is = standing::up;
  first.certificate = x.certificate;
  first.certificate_expires_ms = x.certificate_expires_ms;
  for (auto shard = shard_id{0}; shard < to.value(setting::shard_count); ++shard)
    to.shards[shard].replicas = {x.first.id};
  to.shards[system_shard].replicas = {x.first.id};
  return applied{true, first.number};
}

outcome carry_out(state& to, const ask::invite& x, std::int64_t at_ms) {
  if (x.hash.size() != hash_bytes)
    return refused(errc::bad_request, "no hash of a join token");
  if (x.expires_ms <= at_ms)
    return refused(errc::not_acceptable, "the join token would have expired");
  if (auto known = find_token(to, x.hash); known != nullptr) {
    if (known->used_by == 0 && known->expires_ms == x.expires_ms)
      return unchanged;
    return refused(errc::conflict, "this join token is known already");
  }
  auto valid =
      std::count_if(to.tokens.begin(), to.tokens.end(), [at_ms](auto& one) { return one.second.expires_ms > at_ms; });
  if (std::size_t(valid) >= tokens_max)
    return refused(errc::resource_constraint, counted(tokens_max, "join token") + " wait to be used");
  std::erase_if(to.tokens, [at_ms](auto& one) { return one.second.expires_ms <= at_ms; });
  to.tokens[x.hash] = {x.expires_ms, 0};
  return applied{};
}

outcome carry_out(state& to, const ask::revoke& x, std::int64_t) {
  if (find_token(to, x.hash) == nullptr)
    return refused(errc::item_not_found, "no such join token");
  to.tokens.erase(x.hash);
  return applied{};
}

outcome carry_out(state& to, const ask::join& x, std::int64_t at_ms) {
  auto ticket = find_token(to, x.hash);
  if (ticket == nullptr)
    return refused(errc::not_authorized, "no such join token");
  if (ticket->used_by != 0 && ticket->used_by != x.who.id)
    return refused(errc::not_authorized, "the join token was used by " + to.title(ticket->used_by));
  auto known = to.members.find(x.who.id);
  if (ticket->used_by != 0 && known != to.members.end() && known->second.is != standing::gone)
    return applied{false, known->second.number}; // the answer was lost
  if (ticket->used_by != 0)
    return refused(errc::not_authorized, "the join token was used");
  if (ticket->expires_ms <= at_ms)
    return refused(errc::not_authorized, "the join token has expired");
  for (auto& good : {check(x.who), check_certificate(x.certificate)})
    if (!good)
      return good.error();
  if (known != to.members.end())
    return known->second.is == standing::gone
               ? refused(errc::gone, to.title(x.who.id) + " was removed; it may join again when it is forgotten")
               : refused(errc::conflict, to.title(x.who.id) + " is a member already");
  if (to.members.size() >= members_max || to.next_number == 0xffff)
    return refused(errc::resource_constraint, "too many members");
  if (x.replaces != 0) {
    auto old = member_of(to, x.replaces);
    if (!old)
      return old.error();
    if (auto good = check_majorities_without(to, x.replaces); !good)
      return good.error();
    set_gone(to, **old, at_ms);
  }
  ticket->used_by = x.who.id;
  auto& added = to.members[x.who.id] = new_member(to, x.who, at_ms);
  added.certificate = x.certificate;
  added.certificate_expires_ms = x.certificate_expires_ms;
  return applied{true, added.number};
}

outcome carry_out(state& to, const ask::member_up& x, std::int64_t at_ms) {
  if (auto good = check(x.who); !good)
    return good.error();
  auto who = member_of(to, x.who.id);
  if (!who)
    return who.error();
  auto& it = **who;
  if (it.says == x.who && (it.is == standing::up || it.leaves))
    return applied{false, it.number};
  it.says = x.who;
  if (!it.leaves)
    set_standing(it, standing::up, false, at_ms);
  return applied{true, it.number};
}

outcome carry_out(state& to, const ask::drain& x, std::int64_t at_ms) {
  auto who = member_of(to, x.who);
  if (!who)
    return who.error();
  auto& it = **who;
  if (it.is == standing::joining)
    return refused(errc::unexpected_request, to.title(x.who) + " has not been up yet");
  if (it.is == standing::draining && (it.leaves || !x.leaves)) // to stop does not keep it from leaving
    return unchanged;
  if (x.leaves) {
    auto places = places_without(to, x.who);
    if (places == 0)
      return refused(errc::not_allowed, to.title(x.who) + " is the last node");
    // Two voters would be worse than one: both would be needed.
    if (places < 3 && !x.accepts_fewer)
      for (auto& [shard, placed] : to.shards)
        if (placed.has(x.who) && placed.replicas.size() >= 3)
          return refused(errc::not_allowed,
                         "would leave " + title(shard) + " with 1 of " + counted(placed.replicas.size(), "replica"));
    keep_out(to, x.who, at_ms);
  }
  set_standing(it, standing::draining, x.leaves, at_ms);
  return applied{};
}

outcome carry_out(state& to, const ask::cancel_drain& x, std::int64_t at_ms) {
  auto who = member_of(to, x.who);
  if (!who)
    return who.error();
  if ((*who)->is == standing::joining)
    return refused(errc::unexpected_request, to.title(x.who) + " has not been up yet");
  if ((*who)->is == standing::up)
    return unchanged;
  set_standing(**who, standing::up, false, at_ms);
  return applied{};
}

outcome carry_out(state& to, const ask::remove& x, std::int64_t at_ms) {
  auto at = to.members.find(x.who);
  if (at == to.members.end())
    return refused(errc::item_not_found, to.title(x.who) + " is no member");
  if (at->second.is == standing::gone)
    return unchanged;
  if (auto held = to.replicas_of(x.who); held > 0 && !x.is_dead)
    return refused(errc::not_allowed, to.title(x.who) + " has " + counted(held, "replica") + ": drain it first");
  if (auto good = check_majorities_without(to, x.who); !good)
    return good.error();
  set_gone(to, at->second, at_ms);
  return applied{};
}

outcome carry_out(state& to, const ask::forget& x, std::int64_t) {
  auto at = to.members.find(x.who);
  if (at == to.members.end())
    return unchanged;
  if (at->second.is != standing::gone)
    return refused(errc::not_allowed,
                   to.title(x.who) + " is " + std::string{name_of(at->second.is)} + ": remove it first");
  if (auto held = to.replicas_of(x.who); held > 0)
    return refused(errc::not_allowed, counted(held, "shard") + (held == 1 ? " still counts " : " still count ") +
                                          to.title(x.who) + ": another node must take its place first");
  to.members.erase(at);
  return applied{};
}

outcome carry_out(state& to, const ask::set_setting& x, std::int64_t) {
  if (auto good = check(x.which, x.value); !good)
    return good.error();
  if (to.value(x.which) == x.value)
    return unchanged;
  if (x.which == setting::shard_count)
    return refused(errc::not_allowed, "shard_count is fixed when a cluster is made");
  to.settings[x.which] = x.value;
  return applied{};
}

outcome carry_out(state& to, const ask::set_hosts& x, std::int64_t) {
  if (x.hosts.empty())
    return refused(errc::bad_request, "there would be no host");
  if (auto good = check_hosts(x.hosts); !good)
    return good.error();
  auto hosts = std::set<std::string>{x.hosts.begin(), x.hosts.end()};
  if (hosts == to.hosts)
    return unchanged;
  to.hosts = std::move(hosts);
  return applied{};
}

outcome carry_out(state& to, const ask::begin_move& x, std::int64_t at_ms) {
  auto found = placement_of(to, x.shard);
  if (!found)
    return found.error();
  auto& it = **found;
  if (it.moving)
    return refused(errc::conflict, title(x.shard) + " is moving already");
  if (x.add.empty() && x.remove.empty())
    return refused(errc::bad_request, "nothing to move");
  if (x.add.size() > move_nodes_max || !are_distinct(x.add) || !are_distinct(x.remove))
    return refused(errc::bad_request, "no list of nodes");
  for (auto one : x.add) {
    auto who = member_of(to, one);
    if (!who)
      return who.error();
    if (it.has(one))
      return refused(errc::conflict, to.title(one) + " has a replica of " + title(x.shard) + " already");
    if ((*who)->is != standing::up)
      return refused(errc::not_allowed, to.title(one) + " is " + std::string{name_of((*who)->is)});
  }
  for (auto one : x.remove)
    if (!it.has(one))
      return refused(errc::item_not_found, to.title(one) + " has no replica of " + title(x.shard));
  auto after = it;
  after.moving = move{to.next_move, x.add, x.remove, step::add_spare, false, at_ms};
  if (x.add.empty())
    after.moving->at = step::transfer_leader;
  auto wanted = after.wanted();
  auto stay =
      std::count_if(wanted.begin(), wanted.end(), [&](auto one) { return to.members.at(one).is != standing::gone; });
  if (wanted.empty() || std::size_t(stay) < majority(wanted.size()))
    return refused(errc::not_allowed, "would leave " + title(x.shard) + " with " + number(std::size_t(stay)) + " of " +
                                          counted(wanted.size(), "replica"));
  if (wanted.size() > replicas_max)
    return refused(errc::not_allowed, title(x.shard) + " would have " + counted(wanted.size(), "replica"));
  auto under_way = std::count_if(to.shards.begin(), to.shards.end(), [](auto& one) { return !!one.second.moving; });
  if (std::size_t(under_way) >= moves_under_way_max)
    return refused(errc::resource_constraint, counted(moves_under_way_max, "shard") + " are moving");
  it = std::move(after);
  return applied{true, to.next_move++};
}

outcome carry_out(state& to, const ask::move_step_done& x, std::int64_t at_ms) {
  auto found = placement_of(to, x.shard);
  if (!found)
    return found.error();
  auto& it = **found;
  if (!it.moving || it.moving->id != x.move)
    return refused(errc::unexpected_request, title(x.shard) + " has no such move");
  auto& now = *it.moving;
  if (now.at != x.done)
    return refused(errc::unexpected_request, title(x.shard) + " is at " + std::string{name_of(now.at)} + ", not at " +
                                                 std::string{name_of(x.done)});
  auto& list = now.at == step::promote ? now.add : now.remove;
  auto is_each = now.at == step::promote || now.at == step::remove;
  if (is_each ? !contains(list, x.who) : x.who != 0)
    return refused(errc::unexpected_request, title(x.shard) + ": " + to.title(x.who) + " is not to be " +
                                                 (now.at == step::promote ? "promoted" : "removed"));
  if (is_each)
    std::erase(list, x.who);
  if (now.at == step::promote)
    insert(it.replicas, x.who);
  else if (now.at == step::remove)
    std::erase(it.replicas, x.who);
  if (is_each && !list.empty())
    return applied{};
  now.since_ms = at_ms;
  if (now.at == step::remove || (now.at == step::promote && now.remove.empty()))
    it.moving.reset();
  else
    now.at = step(std::uint8_t(now.at) + 1);
  return applied{};
}

outcome carry_out(state& to, const ask::abort_move& x, std::int64_t at_ms) {
  auto found = placement_of(to, x.shard);
  if (!found)
    return found.error();
  auto& it = **found;
  if (!it.moving || it.moving->id != x.move)
    return refused(errc::unexpected_request, title(x.shard) + " has no such move");
  auto& now = *it.moving;
  if (now.is_undo)
    return unchanged;
  if (now.at == step::remove)
    return refused(errc::not_allowed, title(x.shard) + ": the last step can not be taken back");
  if (now.at == step::transfer_leader)
    it.moving.reset();
  else
    undo(now, at_ms);
  return applied{};
}

outcome carry_out(state& to, const ask::note_certificate& x, std::int64_t) {
  auto who = member_of(to, x.who);
  if (!who)
    return who.error();
  if (auto good = check_certificate(x.certificate); !good)
    return good.error();
  auto& it = **who;
  if (it.certificate == x.certificate && it.certificate_expires_ms == x.expires_ms)
    return unchanged;
  if (x.expires_ms < it.certificate_expires_ms)
    return refused(errc::not_acceptable, to.title(x.who) + " has a certificate that is good for longer");
  it.certificate = x.certificate;
  it.certificate_expires_ms = x.expires_ms;
  return applied{};
}

} // namespace

// -- names --

std::optional<setting> setting_by_name(std::string_view name) noexcept {
  for (auto& x : setting_rules)
    if (x.name == name)
      return x.which;
  return std::nullopt;
}

std::string_view name_of(setting which) noexcept {
  auto rule = rule_of(which);
  return rule == nullptr ? std::string_view{} : rule->name;
}

std::string_view name_of(standing x) noexcept {
  switch (x) {
  case standing::joining:
    return "joining";
  case standing::up:
    return "up";
  case standing::draining:
    return "draining";
  case standing::gone:
    return "gone";
  }
  return {};
}

std::string_view name_of(step x) noexcept {
  switch (x) {
  case step::add_spare:
    return "add spare";
  case step::catch_up:
    return "catch up";
  case step::promote:
    return "promote";
  case step::transfer_leader:
    return "transfer leader";
  case step::remove:
    return "remove";
  }
  return {};
}

std::string title(shard_id x) {
  return x == system_shard ? "the system group" : "shard " + number(x);
}

// -- questions --

bool placement::has(node_id x) const noexcept {
  return std::binary_search(replicas.begin(), replicas.end(), x);
}

std::vector<node_id> placement::wanted() const {
  auto out = replicas;
  if (moving) {
    for (auto one : moving->add)
      insert(out, one);
    for (auto one : moving->remove)
      std::erase(out, one);
  }
  return out;
}

std::uint64_t state::value(setting which) const noexcept {
  if (auto at = settings.find(which); at != settings.end())
    return at->second;
  auto rule = rule_of(which);
  return rule == nullptr ? 0 : rule->initial;
}

const member* state::find(node_id x) const noexcept {
  auto at = members.find(x);
  return at == members.end() ? nullptr : &at->second;
}

const member* state::find_number(std::uint64_t number) const noexcept {
  for (auto& [id, one] : members)
    if (one.number == number)
      return &one;
  return nullptr;
}

std::size_t state::replicas_of(node_id x) const noexcept {
  return std::size_t(std::count_if(shards.begin(), shards.end(), [x](auto& one) {
    auto& moving = one.second.moving;
    return one.second.has(x) || (moving && (contains(moving->add, x) || contains(moving->remove, x)));
  }));
}

std::string state::title(node_id x) const {
  auto known = find(x);
  return known == nullptr ? "node id " + cluster::number(x) : "node " + cluster::number(known->number);
}

std::optional<node_id> state::named(std::string_view text) const {
  constexpr auto digits_min = std::size_t{4};
  auto asked = std::uint64_t{0};
  auto end = text.data() + text.size();
  if (auto [at, failure] = std::from_chars(text.data(), end, asked); failure == std::errc{} && at == end)
    if (auto known = find_number(asked))
      return known->says.id;
  auto out = std::optional<node_id>{};
  for (auto& [id, one] : members)
    if (text.size() >= digits_min && id_text(id).starts_with(text)) {
      if (out)
        return std::nullopt;
      out = id;
    }
  return out;
}

// -- commands --

result<applied> apply(state& to, const command& x) {
  if (to.id.empty() && !std::holds_alternative<ask::init>(x.what))
    return refused(errc::unexpected_request, "there is no cluster yet");
  auto out = std::visit([&](auto& what) { return carry_out(to, what, x.at_ms); }, x.what);
  if (out && out->changed)
    ++to.version;
  return out;
}

} // namespace xmpp::cluster
