// The bytes of the system group's state and of its commands: fields as in persistence/codec.hpp, behind a version.
//
// One list of fields writes and reads. Sets and maps are in ascending order and without doubles, so that a value has
// one spelling; the order of lists is kept.
//
// Later releases (nodes are upgraded one after the other, and any of them may lead):
// - A new setting takes a new number, what else is new in the state an extra behind its fields: a tag and a string.
//   Older nodes keep both as they are. An extra with an even tag must be understood: they refuse the state, and go on
//   with what they had. So it is written only once each member says that its release knows it.
// - A new command takes a new number, a changed one too. Who can not decode it says so, and the proposer hears it.

#include "cluster/system_state.hpp"
#include "persistence/codec.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>

namespace xmpp::cluster {

namespace {

constexpr std::uint8_t version = 1;
constexpr auto any = std::numeric_limits<std::uint64_t>::max();
constexpr auto text_bytes_max = std::size_t{1'024}; ///< What is longer is refused before it is looked at.
constexpr auto list_max = std::size_t{4'096};       ///< Likewise.

class writing {
public:
  template <class T>
  using held = const T;

  explicit writing(std::string& out) : to_(out) {}

  template <class N>
  void number(N x, std::uint64_t = 0, std::uint64_t = any) {
    to_.varint(x);
  }
  template <class E>
  void choice(E x, E, E) {
    to_.byte(std::uint8_t(x));
  }
  void flag(bool x) { to_.byte(x ? 1 : 0); }
  void time(std::int64_t x) { to_.fixed64(std::uint64_t(x)); }
  void text(const std::string& x, std::size_t = 0) { to_.string(x); }
  template <class T, class F>
  void list(const std::vector<T>& xs, std::size_t, F&& each) {
    to_.varint(xs.size());
    for (auto& x : xs)
      each(*this, x);
  }
  template <class S, class F>
  void sorted(const S& xs, std::size_t, F&& each) {
    to_.varint(xs.size());
    for (auto& x : xs)
      each(*this, x);
  }
  template <class T, class F>
  void optional(const std::optional<T>& x, F&& each) {
    flag(x.has_value());
    if (x)
      each(*this, *x);
  }

private:
  codec::byte_writer to_;
};

class reading {
public:
  template <class T>
  using held = T;

  explicit reading(codec::byte_reader& in) : from_(in) {}

  template <class N>
  void number(N& x, std::uint64_t min = 0, std::uint64_t max = std::numeric_limits<N>::max()) {
    auto read = from_.varint(max);
    if (read < min)
      from_.fail();
    x = N(read);
  }
  template <class E>
  void choice(E& x, E first, E last) {
    auto read = from_.byte();
    if (read < std::uint8_t(first) || read > std::uint8_t(last))
      from_.fail();
    else
      x = E(read);
  }
  void flag(bool& x) { x = from_.boolean(); }
  void time(std::int64_t& x) { x = std::int64_t(from_.fixed64()); }
  void text(std::string& x, std::size_t bytes_max = text_bytes_max) {
    auto read = from_.string();
    if (read.size() > bytes_max)
      from_.fail();
    else
      x = read;
  }
  template <class T, class F>
  void list(std::vector<T>& xs, std::size_t max, F&& each) {
    for (auto left = count(max); left > 0 && from_.ok(); --left)
      each(*this, xs.emplace_back());
  }
  /// Each behind the one before.
  template <class S, class F>
  void sorted(S& xs, std::size_t max, F&& each) {
    for (auto left = count(max); left > 0 && from_.ok(); --left) {
      auto x = item<S>{};
      each(*this, x);
      if (!xs.empty() && !(key(*xs.rbegin()) < key(x)))
        from_.fail();
      xs.insert(xs.end(), std::move(x));
    }
  }
  template <class T, class F>
  void optional(std::optional<T>& x, F&& each) {
    auto there = from_.boolean();
    if (there)
      each(*this, x.emplace());
  }

private:
  template <class T>
  struct plain {
    using type = T;
  };
  template <class K, class V>
  struct plain<std::pair<const K, V>> {
    using type = std::pair<K, V>;
  };
  template <class S>
  using item = typename plain<typename S::value_type>::type;

  template <class T>
  static const T& key(const T& x) {
    return x;
  }
  template <class K, class V>
  static const K& key(const std::pair<K, V>& x) {
    return x.first;
  }

  std::size_t count(std::size_t max) {
    auto out = from_.count();
    if (out > max)
      from_.fail();
    return from_.ok() ? out : 0;
  }

  codec::byte_reader& from_;
};

// `writing` takes constant values, `reading` fills them.
template <class A, class T>
using held = typename A::template held<T>;

constexpr auto as_id = [](auto& a, auto& x) { a.number(x, 1); };
constexpr auto as_text = [](auto& a, auto& x) { a.text(x); };

template <class A>
void fields(A& a, held<A, announcement>& x) {
  a.number(x.id, 1);
  a.list(x.addresses, list_max, as_text);
  a.text(x.client_address);
  a.text(x.version);
  a.sorted(x.labels, list_max, [](auto& b, auto& one) {
    b.text(one.first);
    b.text(one.second);
  });
}

constexpr auto as_setting = [](auto& a, auto& one) {
  a.choice(one.first, setting_rules.front().which, setting_rules.back().which);
  a.number(one.second);
};
/// Of this release or of a later one.
constexpr auto as_any_setting = [](auto& a, auto& one) {
  a.choice(one.first, setting_rules.front().which, setting(0xff));
  a.number(one.second);
};

// -- commands --

template <class A>
void fields(A& a, held<A, ask::init>& x) {
  a.text(x.id);
  fields(a, x.first);
  a.list(x.settings, setting_rules.size(), as_setting);
  a.list(x.hosts, list_max, as_text);
  a.text(x.ca_certificate, ca_bytes_max);
  a.text(x.ca_key, ca_bytes_max);
  a.text(x.certificate);
  a.time(x.certificate_expires_ms);
}

template <class A>
void fields(A& a, held<A, ask::invite>& x) {
  a.text(x.hash);
  a.time(x.expires_ms);
}

template <class A>
void fields(A& a, held<A, ask::revoke>& x) {
  a.text(x.hash);
}

template <class A>
void fields(A& a, held<A, ask::join>& x) {
  a.text(x.hash);
  fields(a, x.who);
  a.text(x.certificate);
  a.time(x.certificate_expires_ms);
  a.number(x.replaces);
}

template <class A>
void fields(A& a, held<A, ask::member_up>& x) {
  fields(a, x.who);
}

template <class A>
void fields(A& a, held<A, ask::drain>& x) {
  a.number(x.who, 1);
  a.flag(x.leaves);
  a.flag(x.accepts_fewer);
}

template <class A>
void fields(A& a, held<A, ask::cancel_drain>& x) {
  a.number(x.who, 1);
}

template <class A>
void fields(A& a, held<A, ask::remove>& x) {
  a.number(x.who, 1);
  a.flag(x.is_dead);
}

template <class A>
void fields(A& a, held<A, ask::forget>& x) {
  a.number(x.who, 1);
}

template <class A>
void fields(A& a, held<A, ask::set_setting>& x) {
  a.choice(x.which, setting_rules.front().which, setting_rules.back().which);
  a.number(x.value);
}

template <class A>
void fields(A& a, held<A, ask::set_hosts>& x) {
  a.list(x.hosts, list_max, as_text);
}

template <class A>
void fields(A& a, held<A, ask::begin_move>& x) {
  a.number(x.shard);
  a.list(x.add, list_max, as_id);
  a.list(x.remove, list_max, as_id);
}

template <class A>
void fields(A& a, held<A, ask::move_step_done>& x) {
  a.number(x.shard);
  a.number(x.move);
  a.choice(x.done, step::add_spare, step::remove);
  a.number(x.who);
}

template <class A>
void fields(A& a, held<A, ask::abort_move>& x) {
  a.number(x.shard);
  a.number(x.move);
}

template <class A>
void fields(A& a, held<A, ask::note_certificate>& x) {
  a.number(x.who, 1);
  a.text(x.certificate);
  a.time(x.expires_ms);
}

/// The alternative whose number was read; its place in the variant is its number on the wire, from 1.
template <std::size_t I = 0>
bool take(reading& a, std::uint8_t number, decltype(command::what)& to) {
  if constexpr (I == std::variant_size_v<decltype(command::what)>) {
    return false;
  } else {
    if (number != I + 1)
      return take<I + 1>(a, number, to);
    fields(a, to.emplace<I>());
    return true;
  }
}

// -- the state --

template <class A>
void fields(A& a, held<A, member>& x) {
  fields(a, x.says);
  a.number(x.number, 1);
  a.choice(x.is, standing::joining, standing::gone);
  a.flag(x.leaves);
  a.time(x.since_ms);
  a.time(x.joined_ms);
  a.text(x.certificate);
  a.time(x.certificate_expires_ms);
}

template <class A>
void fields(A& a, held<A, move>& x) {
  a.number(x.id, 1);
  a.list(x.add, list_max, as_id);
  a.list(x.remove, list_max, as_id);
  a.choice(x.at, step::add_spare, step::remove);
  a.flag(x.is_undo);
  a.time(x.since_ms);
}

template <class A>
void fields(A& a, held<A, placement>& x) {
  a.list(x.replicas, list_max, as_id);
  a.optional(x.moving, [](auto& b, auto& one) { fields(b, one); });
}

template <class A>
void fields(A& a, held<A, state>& x) {
  a.text(x.id);
  a.number(x.version);
  a.sorted(x.settings, settings_max, as_any_setting);
  a.sorted(x.members, members_max, [](auto& b, auto& one) {
    b.number(one.first, 1);
    fields(b, one.second);
  });
  a.sorted(x.shards, shard_count_max + 1, [](auto& b, auto& one) {
    b.number(one.first);
    fields(b, one.second);
  });
  a.sorted(x.hosts, hosts_max, as_text);
  a.sorted(x.tokens, tokens_max, [](auto& b, auto& one) {
    b.text(one.first);
    b.time(one.second.expires_ms);
    b.number(one.second.used_by);
  });
  a.text(x.ca_certificate, ca_bytes_max);
  a.text(x.ca_key, ca_bytes_max);
  a.number(x.next_number, 1);
  a.number(x.next_move, 1);
}

constexpr auto as_extra = [](auto& a, auto& one) {
  a.number(one.first, 1);
  a.text(one.second, extra_bytes_max);
};

// -- what holds together --

bool ascends(const std::vector<node_id>& x) {
  return std::adjacent_find(x.begin(), x.end(), [](auto one, auto next) { return one >= next; }) == x.end();
}

bool is_list(const state& in, std::vector<node_id> xs) {
  std::sort(xs.begin(), xs.end());
  return ascends(xs) && std::all_of(xs.begin(), xs.end(), [&](auto one) { return in.members.contains(one); });
}

bool is_consistent(const state& in, const placement& x) {
  if (x.replicas.empty() || !ascends(x.replicas) || !is_list(in, x.replicas))
    return false;
  if (!x.moving)
    return true;
  auto& now = *x.moving;
  auto adds = now.at <= step::promote;
  auto is_replica = [&](auto one) { return x.has(one); };
  return is_list(in, now.add) && is_list(in, now.remove) && now.id < in.next_move && !x.wanted().empty() &&
         adds == !now.add.empty() && (adds || !now.remove.empty()) && !(now.is_undo && adds) &&
         std::none_of(now.add.begin(), now.add.end(), is_replica) &&
         (now.is_undo ? std::none_of(now.remove.begin(), now.remove.end(), is_replica)
                      : std::all_of(now.remove.begin(), now.remove.end(), is_replica));
}

bool is_consistent(const state& x) {
  if (x.id.empty())
    return x == state{};
  auto count = x.value(setting::shard_count);
  if (x.id.size() != 16 || x.version == 0 || x.members.empty() || x.shards.size() != count + 1 ||
      !x.shards.contains(system_shard) || std::next(x.shards.rbegin())->first != count - 1)
    return false;
  for (auto& rule : setting_rules)
    if (x.value(rule.which) < rule.min || x.value(rule.which) > rule.max)
      return false;
  if (x.value(setting::replicas) % 2 == 0)
    return false;
  auto numbers = std::set<std::uint16_t>{};
  for (auto& [id, one] : x.members)
    if (one.says.id != id || one.number >= x.next_number || !numbers.insert(one.number).second ||
        (one.leaves && one.is != standing::draining))
      return false;
  return std::all_of(x.shards.begin(), x.shards.end(), [&](auto& one) { return is_consistent(x, one.second); });
}

} // namespace

std::string command::encode() const {
  auto out = std::string(1, char(version));
  out.push_back(char(what.index() + 1));
  auto a = writing{out};
  a.time(at_ms);
  std::visit([&](auto& x) { fields(a, x); }, what);
  return out;
}

result<command> command::decode(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = command{};
  if (in.byte() != version)
    return error{errc::corrupt_record, "a command of the system group"};
  auto number = in.byte();
  auto a = reading{in};
  a.time(out.at_ms);
  if (!take(a, number, out.what) || !in.finished())
    return error{errc::corrupt_record, "a command of the system group"};
  return out;
}

std::string state::encode() const {
  auto out = std::string(1, char(cluster::version));
  auto a = writing{out};
  fields(a, *this);
  for (auto& one : extras)
    as_extra(a, one);
  return out;
}

result<state> state::decode(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = state{};
  auto first = in.byte();
  if (first > cluster::version)
    return error{errc::unsupported_feature, "the system group's state is of a later release"};
  auto a = reading{in};
  fields(a, out);
  while (in.ok() && !in.at_end()) {
    auto one = std::pair<std::uint64_t, std::string>{};
    as_extra(a, one);
    if (!in.ok())
      break;
    if (one.first % 2 == 0)
      return error{errc::unsupported_feature, "the system group's state has what only a later release understands"};
    auto is_next = out.extras.empty() || out.extras.rbegin()->first < one.first;
    if (!is_next || out.extras.size() == extras_max)
      in.fail();
    out.extras.insert(out.extras.end(), std::move(one));
  }
  if (first != cluster::version || !in.finished() || !is_consistent(out))
    return error{errc::corrupt_record, "the system group's state"};
  return out;
}

} // namespace xmpp::cluster
