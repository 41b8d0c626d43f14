#include "cluster/control_frames.hpp"

#include "cluster/identity.hpp"
#include "cluster/link_frames.hpp"
#include "persistence/codec.hpp"

#include <array>
#include <type_traits>
#include <utility>

namespace xmpp::cluster::control {

namespace {

constexpr auto progress_max = std::uint8_t{3};

constexpr auto propose_number = std::size_t{5}, ask_number = std::size_t{8};
static_assert(std::is_same_v<std::variant_alternative_t<propose_number - 1, message>, propose> &&
              std::is_same_v<std::variant_alternative_t<ask_number - 1, message>, ask>);

constexpr bool can_be(shard_id x) noexcept {
  return x < shard_count_max || x == system_shard;
}

// One list of fields writes and reads, and both hold to its bounds.

class writing {
public:
  template <class T>
  using held = const T;

  explicit writing(std::string& out) : to_(out) {}

  bool ok() const noexcept { return ok_; }
  void number(std::uint64_t x, std::uint64_t min = 0) {
    must(x >= min);
    to_.varint(x);
  }
  void shard(shard_id x) {
    must(can_be(x));
    to_.byte(static_cast<std::uint8_t>(x >> 8));
    to_.byte(static_cast<std::uint8_t>(x));
  }
  void node(node_id x, node_id min = 1) {
    must(x >= min);
    to_.fixed64(x);
  }
  void flag(bool x) { to_.byte(x ? 1 : 0); }
  void progress(std::uint8_t x) {
    must(x <= progress_max);
    to_.byte(x);
  }
  void failure(errc x) { to_.byte(std::uint8_t(x)); }
  void what(question x) { to_.byte(std::uint8_t(x)); }
  void words(const std::string& x) { to_.string(fit_words(x)); }
  void bytes(std::string_view x, std::size_t max) {
    must(x.size() <= max);
    to_.string(x);
  }
  void rest(std::string_view x) {
    must(!x.empty());
    to_.raw(x);
  }
  template <class M, class F>
  void map(const M& xs, std::size_t max, F&& each) {
    must(xs.size() <= max);
    to_.varint(xs.size());
    for (auto& [key, value] : xs)
      each(*this, key, value);
  }

private:
  void must(bool holds) { ok_ &= holds; }

  codec::byte_writer to_;
  bool ok_ = true;
};

class reading {
public:
  template <class T>
  using held = T;

  explicit reading(codec::byte_reader& in) : from_(in) {}

  void number(std::uint64_t& x, std::uint64_t min = 0) {
    x = from_.varint();
    must(x >= min);
  }
  void shard(shard_id& x) {
    auto high = from_.byte();
    x = static_cast<shard_id>(high << 8 | from_.byte());
    must(can_be(x));
  }
  void node(node_id& x, node_id min = 1) {
    x = from_.fixed64();
    must(x >= min);
  }
  void flag(bool& x) { x = from_.boolean(); }
  void progress(std::uint8_t& x) {
    x = from_.byte();
    must(x <= progress_max);
  }
  void failure(errc& x) { x = errc_of(from_.byte()); }
  void what(question& x) { x = question(from_.byte()); }
  void words(std::string& x) { x = fit_words(from_.string()); }
  void bytes(std::string_view& x, std::size_t max) {
    x = from_.string();
    must(x.size() <= max);
  }
  void rest(std::string_view& x) {
    x = from_.rest();
    must(!x.empty());
  }
  /// Each key behind the one before.
  template <class M, class F>
  void map(M& xs, std::size_t max, F&& each) {
    auto left = from_.count();
    must(left <= max);
    for (; left > 0 && from_.ok(); --left) {
      auto key = typename M::key_type{};
      auto value = typename M::mapped_type{};
      each(*this, key, value);
      must(xs.empty() || xs.rbegin()->first < key);
      xs.emplace_hint(xs.end(), key, std::move(value));
    }
  }

private:
  void must(bool holds) {
    if (!holds)
      from_.fail();
  }

  codec::byte_reader& from_;
};

template <class A, class T>
using held = typename A::template held<T>;

template <class A>
void fields(A& a, held<A, raft>& x) {
  a.shard(x.shard);
  a.rest(x.bytes);
}

template <class A>
void fields(A& a, held<A, leads>& x) {
  a.number(x.sequence, 1);
  a.map(x.terms, shards_max, [](auto& b, auto& shard, auto& term) {
    b.shard(shard);
    b.number(term, 1);
  });
}

template <class A>
void fields(A& a, held<A, report::led>& x) {
  a.number(x.term, 1);
  a.number(x.applied);
  a.number(x.bytes);
  a.node(x.transferring_to, 0);
  a.map(x.lag, others_max, [](auto& b, auto& node, auto& lag) {
    b.node(node);
    b.number(lag);
  });
  a.map(x.catch_up, others_max, [](auto& b, auto& node, auto& progress) {
    b.node(node);
    b.progress(progress);
  });
}

template <class A>
void fields(A& a, held<A, report>& x) {
  a.number(x.sessions);
  a.flag(x.disk_ok);
  a.words(x.disk_words);
  a.number(x.disk_free_bytes);
  a.number(x.disk_used_bytes);
  a.number(x.state_version);
  a.number(x.up_s);
  a.map(x.leads, shards_max, [](auto& b, auto& shard, auto& led) {
    b.shard(shard);
    fields(b, led);
  });
  a.map(x.follows, shards_max, [](auto& b, auto& shard, auto& applied) {
    b.shard(shard);
    b.number(applied);
  });
}

template <class A>
void links(A& a, held<A, report>& x) {
  a.map(x.links, members_max, [](auto& b, auto& node, auto& link) {
    b.node(node);
    b.flag(link.is_up);
    b.number(link.waiting_bytes);
    b.number(link.round_trip_us);
  });
}

template <class A>
void fields(A& a, held<A, state>& x) {
  a.rest(x.bytes);
}

template <class A>
void fields(A& a, held<A, propose>& x) {
  a.number(x.request, 1);
  a.bytes(x.command, command_bytes_max);
}

template <class A>
void fields(A& a, held<A, proposed>& x) {
  a.number(x.request, 1);
  a.failure(x.failure);
  a.words(x.words);
  a.flag(x.changed);
  a.number(x.number);
}

template <class A>
void fields(A& a, held<A, transfer>& x) {
  a.shard(x.shard);
  a.node(x.to);
}

template <class A>
void fields(A& a, held<A, ask>& x) {
  a.number(x.request, 1);
  a.what(x.what);
  a.bytes(x.bytes, question_bytes_max);
}

template <class A>
void fields(A& a, held<A, answer>& x) {
  a.number(x.request, 1);
  a.failure(x.failure);
  a.bytes(x.bytes, answer_bytes_max);
}

/// Else its bytes have one of their own, and go to the end.
template <class T>
constexpr bool has_version = !std::is_same_v<T, raft> && !std::is_same_v<T, state>;

error corrupt() {
  return {errc::corrupt_record, "between nodes: not a message about the cluster"};
}

error unsupported() {
  return {errc::unsupported_feature, "between nodes: a message about the cluster of a later version"};
}

// -- extras --

constexpr std::uint64_t links_tag = 1, hosts_tag = 3;

/// Whether they are within their bounds.
template <class T>
bool append_extras(std::string& out, const T& x) {
  if constexpr (std::is_same_v<T, report>) {
    auto is_within = true;
    auto append = [&](std::uint64_t tag, auto write) {
      auto bytes = std::string{};
      auto a = writing{bytes};
      write(a);
      auto to = codec::byte_writer{out};
      to.varint(tag);
      to.string(bytes);
      is_within = is_within && a.ok();
    };
    if (!x.links.empty())
      append(links_tag, [&](auto& a) { links(a, x); });
    if (!x.host_words.empty())
      append(hosts_tag, [&](auto& a) { a.words(x.host_words); });
    return is_within;
  }
  return true;
}

/// False: it must be understood, and is not.
template <class T>
bool take_extra(T& x, std::uint64_t tag, std::string_view bytes, codec::byte_reader& frame) {
  if constexpr (std::is_same_v<T, report>)
    if (tag == links_tag || tag == hosts_tag) {
      auto in = codec::byte_reader{bytes};
      auto a = reading{in};
      if (tag == hosts_tag) {
        a.words(x.host_words);
      } else {
        x.links.clear();
        links(a, x);
      }
      if (!in.finished())
        frame.fail();
    }
  return tag % 2 != 0;
}

template <class T>
result<message> take(codec::byte_reader in) {
  if (has_version<T>) {
    auto said = in.byte();
    if (in.ok() && said != version)
      return said == 0 ? corrupt() : unsupported();
  }
  auto out = T{};
  auto a = reading{in};
  fields(a, out);
  while (in.ok() && !in.at_end()) {
    auto tag = in.varint();
    auto bytes = in.string();
    if (in.ok() && !take_extra(out, tag, bytes, in))
      return unsupported();
  }
  if (!in.ok())
    return corrupt();
  return message{std::move(out)};
}

template <std::size_t... I>
constexpr auto takers(std::index_sequence<I...>) {
  return std::array{&take<std::variant_alternative_t<I, message>>...};
}

std::string counted(std::size_t count, std::string_view of) {
  return std::to_string(count) + " " + std::string{of} + (count == 1 ? "" : "s");
}

std::string request_text(std::uint64_t request) {
  return "request " + std::to_string(request);
}

std::string outcome_text(errc failure) {
  return failure == errc::none ? "done" : std::string{condition_name(failure)};
}

std::string text_of(const raft& x) {
  return "raft of " + title(x.shard) + ", " + counted(x.bytes.size(), "byte");
}

std::string text_of(const leads& x) {
  return "leads " + counted(x.terms.size(), "shard") + ", sequence " + std::to_string(x.sequence);
}

std::string text_of(const report& x) {
  return "report, leads " + counted(x.leads.size(), "shard") + ", follows " + std::to_string(x.follows.size()) + ", " +
         counted(x.sessions, "session");
}

std::string text_of(const state& x) {
  return "state, " + counted(x.bytes.size(), "byte");
}

std::string text_of(const propose& x) {
  return "propose, " + request_text(x.request) + ", " + counted(x.command.size(), "byte");
}

std::string text_of(const proposed& x) {
  return "proposed, " + request_text(x.request) + ", " + outcome_text(x.failure);
}

std::string text_of(const transfer& x) {
  return "transfer of " + title(x.shard) + " to " + id_text(x.to);
}

std::string text_of(const ask& x) {
  return "ask " + std::to_string(unsigned(x.what)) + ", " + request_text(x.request) + ", " +
         counted(x.bytes.size(), "byte");
}

std::string text_of(const answer& x) {
  return "answer, " + request_text(x.request) + ", " + outcome_text(x.failure) + ", " + counted(x.bytes.size(), "byte");
}

} // namespace

proposed::proposed(std::uint64_t of, const result<applied>& outcome) : request(of) {
  if (outcome) {
    changed = outcome->changed;
    number = outcome->number;
  } else {
    failure = outcome.code();
    words = outcome.error().text;
  }
}

result<applied> proposed::outcome() const {
  if (failure != errc::none)
    return error{failure, words};
  return applied{changed, number};
}

result<void> append(std::string& out, const message& what) {
  auto before = out.size();
  out.push_back(static_cast<char>(what.index() + 1));
  auto is_within = std::visit(
      [&]<class T>(const T& x) {
        if (has_version<T>)
          out.push_back(static_cast<char>(version));
        auto a = writing{out};
        fields(a, x);
        return a.ok() && append_extras(out, x);
      },
      what);
  if (is_within)
    return {};
  out.resize(before);
  return error{errc::policy_violation, "between nodes: out of bounds"};
}

result<message> read(std::string_view frame) {
  static constexpr auto by_number = takers(std::make_index_sequence<std::variant_size_v<message>>{});
  auto in = codec::byte_reader{frame};
  auto number = std::size_t{in.byte()};
  if (number == 0)
    return corrupt();
  if (number > by_number.size())
    return unsupported();
  return by_number[number - 1](in);
}

std::uint64_t request_of(std::string_view frame) noexcept {
  auto in = codec::byte_reader{frame};
  auto number = std::size_t{in.byte()};
  if ((number != propose_number && number != ask_number) || in.byte() == 0)
    return 0;
  return in.varint();
}

std::string summary(const message& what) {
  return std::visit([](auto& x) { return text_of(x); }, what);
}

} // namespace xmpp::cluster::control
