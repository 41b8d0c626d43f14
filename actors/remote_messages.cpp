#include "actors/remote_messages.hpp"

#include "protocol/binary_xml.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <type_traits>
#include <utility>

namespace xmpp::remote {

namespace {

// -- the table --

constexpr std::uint8_t to_router = 1, to_shard = 2, to_session = 4, to_request = 8;

/// In the order of the variant.
struct row {
  std::uint64_t number;
  const char* name;
  std::uint8_t targets;
  std::uint64_t answer;
};
constexpr auto table = std::to_array<row>({
    {1, "deliver", to_shard | to_session, 0},
    {2, "deliver_for_good", to_shard, 16},
    {3, "show", to_shard, 0},
    {4, "sent", to_shard, 22},
    {5, "attach", to_shard, 17},
    {6, "detach", to_shard, 18},
    {7, "lookup", to_shard, 19},
    {8, "set_credentials", to_shard, 16},
    {9, "remove_account", to_shard, 16},
    {16, "outcome", to_request, 0},
    {17, "attached", to_request, 0},
    {18, "detached", to_request, 0},
    {19, "found", to_request, 0},
    {20, "written", to_request, 0},
    {21, "failure", to_request, 0},
    {22, "turn_over", to_request, 0},
    {32, "deliver_stored", to_session, 20},
    {33, "end_stream", to_session, 0},
    {34, "attach_again", to_session, 0},
    {35, "blocks_changed", to_session, 0},
    {48, "fan_out", to_router, 0},
    {10, "registered", to_shard, 0},
    {11, "heritage", to_shard, 0},
    {49, "loss", to_router, 0},
    {12, "came_back", to_shard, 0},
    {13, "has_left", to_shard, 0},
});
static_assert(table.size() == std::variant_size_v<message>);

template <class T, std::size_t I = 0>
constexpr std::size_t index_of() {
  static_assert(I < std::variant_size_v<message>);
  if constexpr (std::is_same_v<std::variant_alternative_t<I, message>, T>)
    return I;
  else
    return index_of<T, I + 1>();
}

const row* find(std::uint64_t number) noexcept {
  auto i = std::find_if(table.begin(), table.end(), [&](auto& one) { return one.number == number; });
  return i == table.end() ? nullptr : &*i;
}

constexpr std::uint8_t bit_of(address::kind x) noexcept {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(x));
}
static_assert(bit_of(address::kind::router) == to_router && bit_of(address::kind::request) == to_request);

// -- no message is forgotten: what an interface takes or answers is in the variant, or here --

template <class... Ts>
struct types {};
using never_leaves_its_node =
    types<void, msg::drained, msg::received, msg::stream_opened, msg::stream_broken, msg::stream_closed,
          msg::disconnected, std::shared_ptr<msg::tls_established>, msg::timed_out, msg::go_on, msg::committed,
          msg::loaded, msg::was_read, msg::tick, msg::may_retire, msg::retire, msg::retired, msg::child_failed,
          msg::verdict, msg::fail_now, msg::describe, msg::description, msg::served, msg::waited, msg::lose, msg::shown,
          msg::vanished, msg::pace, msg::unhandled>;

template <class T, class... Ts>
constexpr bool is_one_of(types<Ts...>) {
  return (std::is_same_v<T, Ts> || ...);
}
template <class T, class... Ts>
constexpr bool is_one_of(const std::variant<Ts...>*) {
  return (std::is_same_v<T, Ts> || ...);
}
template <class T>
constexpr bool is_decided = is_one_of<T>(never_leaves_its_node{}) != is_one_of<T>(static_cast<const message*>(nullptr));

template <class Signature>
struct decided;
template <class... Ins, class... Outs>
struct decided<caf::typed_mpi<caf::detail::type_list<Ins...>, caf::output_tuple<Outs...>>>
    : std::bool_constant<sizeof...(Ins) == 1 && (is_decided<Ins> && ...) && (is_decided<Outs> && ...)> {};
template <class... Signatures>
constexpr bool all_decided(caf::detail::type_list<Signatures...>) {
  return (decided<Signatures>::value && ...);
}
static_assert(all_decided(session_actor::signatures{}) && all_decided(user_actor::signatures{}) &&
                  all_decided(shard_actor::signatures{}),
              "a message of these actors has no number, and is not said to stay in its node");

// -- small parts --

void put(std::string& out, std::uint8_t x) {
  out.push_back(static_cast<char>(x));
}

void put_fixed(std::string& out, std::uint64_t x) {
  for (auto shift = 56; shift >= 0; shift -= 8)
    put(out, static_cast<std::uint8_t>(x >> shift));
}

std::uint64_t fixed(binary::reader& in) {
  auto x = std::uint64_t{0};
  for (auto left = 8; left > 0; --left)
    x = x << 8 | in.byte();
  return x;
}

std::uint8_t flags(std::initializer_list<bool> bits) {
  auto out = 0u, bit = 1u;
  for (auto is_set : bits) {
    out |= is_set ? bit : 0;
    bit <<= 1;
  }
  return static_cast<std::uint8_t>(out);
}

std::uint8_t flags_below(binary::reader& in, unsigned end) {
  auto x = in.byte();
  if (x >= end)
    in.fail("a flag that is not known");
  return x;
}

void must(result<void>& so_far, bool holds, const char* words) {
  if (so_far && !holds)
    so_far = error{errc::bad_request, words};
}

void put_jids(std::string& out, const std::vector<jid>& x, result<void>& so_far) {
  if (so_far && x.size() > targets_max)
    so_far = error{errc::policy_violation, "too many addresses for one message"};
  if (!so_far)
    return;
  binary::append_varint(out, x.size());
  for (auto& one : x) {
    must(so_far, !one.empty(), "an address is missing");
    binary::append(out, one);
  }
}

jid address_in(binary::reader& in) {
  auto x = in.address();
  if (x.empty())
    in.fail("an address is missing");
  return x;
}

std::vector<jid> jids(binary::reader& in) {
  auto out = std::vector<jid>{};
  auto left = in.count();
  if (left > targets_max)
    in.fail("too many addresses");
  for (; left > 0 && in.ok(); --left)
    out.push_back(address_in(in));
  return out;
}

void put_blocks(std::string& out, const std::shared_ptr<const blocklist>& x, result<void>& so_far) {
  put(out, x ? 1 : 0);
  if (x)
    put_jids(out, x->items(), so_far);
}

std::shared_ptr<const blocklist> blocks(binary::reader& in) {
  return in.boolean() ? std::make_shared<const blocklist>(jids(in)) : nullptr;
}

void put_copies(std::string& out, const msg::session_ids& x) {
  binary::append_varint(out, x ? x->size() : 0);
  for (auto one : x ? *x : std::vector<std::uint64_t>{})
    binary::append_varint(out, one);
}

msg::session_ids copies(binary::reader& in) {
  auto out = std::vector<std::uint64_t>{};
  for (auto left = in.count(); left > 0 && in.ok(); --left)
    out.push_back(in.varint());
  return out.empty() ? nullptr : std::make_shared<const std::vector<std::uint64_t>>(std::move(out));
}

void put_stanza(std::string& out, const stanza& x, result<void>& so_far) {
  if (so_far)
    so_far = binary::append(out, x);
}

jid account(binary::reader& in) {
  auto x = address_in(in);
  if (x.is_full())
    in.fail("an account with a resource");
  return x;
}

void put_account(std::string& out, const jid& x, result<void>& so_far) {
  must(so_far, x.is_bare(), "no account");
  binary::append(out, x);
}

// -- each message --

struct writer {
  std::string& out;
  const envelope& to;
  result<void> so_far = {};

  bool is_for_shard() const { return to.to.what == address::kind::shard; }
  void to_account(const stanza& x) { must(so_far, !is_for_shard() || !x.to.empty(), "a stanza to nobody"); }

  void operator()(const msg::deliver& x) {
    to_account(x.what);
    put_stanza(out, x.what, so_far);
    put_copies(out, x.copies);
  }
  void operator()(const msg::came_back& x) {
    to_account(x.what);
    put_stanza(out, x.what, so_far);
    binary::append_varint(out, x.session_id);
    put_copies(out, x.copies);
  }
  void operator()(const msg::has_left& x) {
    must(so_far, x.full.is_full(), "no resource");
    binary::append(out, x.full);
    binary::append_varint(out, x.session_id);
  }
  void operator()(const msg::deliver_for_good& x) {
    to_account(x.what);
    put_stanza(out, x.what, so_far);
  }
  void operator()(const msg::show& x) {
    to_account(x.what);
    put_stanza(out, x.what, so_far);
    put_jids(out, x.hidden_from, so_far);
  }
  void operator()(const msg::sent& x) {
    must(so_far, !x.what.from.empty(), "a stanza from nobody");
    put_stanza(out, x.what, so_far);
    binary::append_varint(out, x.session_id);
    put(out, flags({x.was_available, x.is_unchecked}));
    put_jids(out, x.directed, so_far);
  }
  void operator()(const msg::attach& x) {
    must(so_far, x.account.is_bare(), "no account");
    must(so_far, to.session_node != 0, "no session");
    binary::append(out, x.resource.empty() ? x.account : x.account.with_resource(x.resource));
    put(out, flags({x.again, x.anonymous, x.available, x.interested, x.wants_blocks, bool(x.presence)}));
    put_fixed(out, to.session_node);
    binary::append_varint(out, x.session_id);
    put_fixed(out, static_cast<std::uint64_t>(x.created_ms));
    put(out, static_cast<std::uint8_t>(x.priority));
    if (x.presence && so_far)
      so_far = binary::append(out, x.presence);
  }
  void operator()(const msg::detach& x) {
    must(so_far, x.full.is_full(), "no resource");
    binary::append(out, x.full);
    binary::append_varint(out, x.session_id);
    put(out, flags({x.was_available}));
    put_jids(out, x.directed, so_far);
  }
  void operator()(const msg::lookup& x) { put_account(out, x.account, so_far); }
  void operator()(const msg::set_credentials& x) {
    put_account(out, x.account, so_far);
    binary::append_string(out, x.credentials);
    put(out, x.create);
  }
  void operator()(const msg::remove_account& x) { put_account(out, x.account, so_far); }
  void operator()(const msg::registered& x) {
    put_fixed(out, x.node);
    put_fixed(out, x.term);
  }
  void operator()(const msg::heritage& x) {
    put_fixed(out, x.node);
    put_fixed(out, x.term);
    put(out, flags({x.begins, x.ends}));
    put_jids(out, x.there, so_far);
    put_jids(out, x.gone, so_far);
  }
  void operator()(const msg::outcome& x) {
    put(out, std::uint8_t(x.failure));
    binary::append_string(out, x.text);
  }
  void operator()(const msg::attached& x) {
    must(so_far, (x.failure == errc::none) == x.full.is_full(), "no resource");
    put(out, std::uint8_t(x.failure));
    binary::append(out, x.full);
    put_blocks(out, x.blocks, so_far);
  }
  void operator()(const msg::found& x) {
    put(out, std::uint8_t(x.failure));
    put(out, flags({x.exists, x.enabled}));
    binary::append_string(out, x.credentials);
    put_fixed(out, static_cast<std::uint64_t>(x.created_ms));
  }
  void operator()(const failure& x) {
    put(out, std::uint8_t(x.of));
    put(out, x.code);
  }
  void operator()(const msg::deliver_stored& x) {
    binary::append_varint(out, x.what.size());
    for (auto& [id, what] : x.what) {
      put_fixed(out, id.ms);
      put_fixed(out, id.node_and_counter);
      put_stanza(out, what, so_far);
    }
  }
  void operator()(const msg::end_stream& x) {
    put(out, std::uint8_t(x.reason));
    binary::append_string(out, x.text);
    binary::append_string(out, x.see_other_host);
  }
  void operator()(const msg::blocks_changed& x) { put_blocks(out, x.blocks, so_far); }
  void operator()(const fan_out& x) {
    put(out, flags({x.is_hidden}));
    if (x.what.to.empty()) {
      put_stanza(out, x.what, so_far);
    } else {
      auto to_all = x.what;
      to_all.to = {};
      put_stanza(out, to_all, so_far);
    }
    put_jids(out, x.targets, so_far);
    put_jids(out, x.hidden_from, so_far);
  }
  void operator()(const msg::detached&) {}
  void operator()(const msg::written&) {}
  void operator()(const turn_over&) {}
  void operator()(const msg::attach_again&) {}
  void operator()(const loss&) {}
};

struct body_reader {
  binary::reader& in;
  envelope& to;

  stanza to_account() {
    auto x = in.stanza();
    if (to.to.what == address::kind::shard && x.to.empty())
      in.fail("a stanza to nobody");
    return x;
  }

  void operator()(msg::deliver& x) {
    x.what = to_account();
    x.copies = copies(in);
  }
  void operator()(msg::came_back& x) {
    x.what = to_account();
    x.session_id = in.varint();
    x.copies = copies(in);
  }
  void operator()(msg::has_left& x) {
    x.full = in.address();
    if (!x.full.is_full())
      in.fail("no resource");
    x.session_id = in.varint();
  }
  void operator()(msg::deliver_for_good& x) { x.what = to_account(); }
  void operator()(msg::show& x) {
    x.what = to_account();
    x.hidden_from = jids(in);
  }
  void operator()(msg::sent& x) {
    x.what = in.stanza();
    if (x.what.from.empty())
      in.fail("a stanza from nobody");
    x.session_id = in.varint();
    auto said = flags_below(in, 4);
    x.was_available = (said & 1) != 0;
    x.is_unchecked = (said & 2) != 0;
    x.directed = jids(in);
  }
  void operator()(msg::attach& x) {
    auto wanted = address_in(in);
    x.account = wanted.bare();
    x.resource = wanted.resource();
    auto said = flags_below(in, 64);
    x.again = (said & 1) != 0;
    x.anonymous = (said & 2) != 0;
    x.available = (said & 4) != 0;
    x.interested = (said & 8) != 0;
    x.wants_blocks = (said & 16) != 0;
    to.session_node = fixed(in);
    x.session_id = in.varint();
    x.created_ms = static_cast<std::int64_t>(fixed(in));
    x.priority = static_cast<std::int8_t>(in.byte());
    if ((said & 32) != 0)
      x.presence = in.tree();
    if (to.session_node == 0)
      in.fail("no session");
  }
  void operator()(msg::detach& x) {
    x.full = in.address();
    if (!x.full.is_full())
      in.fail("no resource");
    x.session_id = in.varint();
    x.was_available = flags_below(in, 2) != 0;
    x.directed = jids(in);
  }
  void operator()(msg::lookup& x) { x.account = account(in); }
  void operator()(msg::set_credentials& x) {
    x.account = account(in);
    x.credentials = in.string();
    x.create = in.boolean();
  }
  void operator()(msg::remove_account& x) { x.account = account(in); }
  void operator()(msg::registered& x) {
    x.shard = static_cast<shard_id>(to.to.number);
    x.node = fixed(in);
    x.term = fixed(in);
  }
  void operator()(msg::heritage& x) {
    x.shard = static_cast<shard_id>(to.to.number);
    x.node = fixed(in);
    x.term = fixed(in);
    auto said = flags_below(in, 4);
    x.begins = (said & 1) != 0;
    x.ends = (said & 2) != 0;
    x.there = jids(in);
    x.gone = jids(in);
  }
  void operator()(msg::outcome& x) {
    x.failure = errc_of(in.byte());
    x.text = in.string();
  }
  void operator()(msg::attached& x) {
    x.failure = errc_of(in.byte());
    x.full = in.address();
    x.blocks = blocks(in);
    if ((x.failure == errc::none) != x.full.is_full())
      in.fail("no resource");
  }
  void operator()(msg::found& x) {
    x.failure = errc_of(in.byte());
    auto said = flags_below(in, 4);
    x.exists = (said & 1) != 0;
    x.enabled = (said & 2) != 0;
    x.credentials = in.string();
    x.created_ms = static_cast<std::int64_t>(fixed(in));
  }
  void operator()(failure& x) {
    auto of = in.byte();
    x.code = in.byte();
    if (of < std::uint8_t(failure::family::ours) || of > std::uint8_t(failure::family::exit))
      in.fail("a failure of no family");
    x.of = failure::family(of);
  }
  void operator()(msg::deliver_stored& x) {
    for (auto left = in.count(); left > 0 && in.ok(); --left) {
      auto ms = fixed(in);
      auto node_and_counter = fixed(in);
      x.what.emplace_back(stored_id{ms, node_and_counter}, in.stanza());
    }
  }
  void operator()(msg::end_stream& x) {
    x.reason = errc_of(in.byte());
    x.text = in.string();
    x.see_other_host = in.string();
  }
  void operator()(msg::blocks_changed& x) { x.blocks = blocks(in); }
  void operator()(fan_out& x) {
    x.is_hidden = flags_below(in, 2) != 0;
    x.what = in.stanza();
    x.targets = jids(in);
    x.hidden_from = jids(in);
    if (!x.what.to.empty())
      in.fail("a stanza with an address of its own");
  }
  void operator()(msg::detached&) {}
  void operator()(msg::written&) {}
  void operator()(turn_over&) {}
  void operator()(msg::attach_again&) {}
  void operator()(loss&) {}
};

template <class T>
result<void> append_frame(std::string& out, const envelope& to, const T& what) {
  auto& kind = table[index_of<T>()];
  if ((kind.targets & bit_of(to.to.what)) == 0 || (to.request != 0 && (kind.answer == 0 || to.asker == 0)))
    return error{errc::bad_request, "not a message for such a target"};
  auto before = out.size();
  put(out, version);
  binary::append_varint(out, kind.number);
  put(out, std::uint8_t(to.to.what));
  if (to.to.what != address::kind::router)
    binary::append_varint(out, to.to.number);
  binary::append_varint(out, to.request);
  if (to.request != 0)
    put_fixed(out, to.asker);
  auto write = writer{out, to};
  write(what);
  if (write.so_far && out.size() - before > frame_bytes_max)
    write.so_far = error{errc::policy_violation, "too large for another node"};
  if (!write.so_far)
    out.resize(before);
  return write.so_far;
}

/// Of these messages no actor hears.
template <class T>
constexpr bool is_between_nodes =
    std::is_same_v<T, failure> || std::is_same_v<T, turn_over> || std::is_same_v<T, fan_out> || std::is_same_v<T, loss>;

/// Calls with the message as its own type; false: it is none that leaves a node.
template <std::size_t I = 0, class Call>
bool visit_content(const caf::type_erased_tuple& what, Call call) {
  if constexpr (I < std::variant_size_v<message>) {
    using type = std::variant_alternative_t<I, message>;
    if constexpr (!is_between_nodes<type>)
      if (what.match_elements<type>()) {
        call(what.get_as<type>(0));
        return true;
      }
    return visit_content<I + 1>(what, call);
  } else {
    return false;
  }
}

/// Made empty, by its place in the table.
template <std::size_t... Is>
message made(std::size_t index, std::index_sequence<Is...>) {
  auto out = message{};
  ((index == Is ? void(out.emplace<Is>()) : void()), ...);
  return out;
}

} // namespace

// -- frames --

result<void> append(std::string& out, const envelope& to, const message& what) {
  return std::visit([&](auto& x) { return append_frame(out, to, x); }, what);
}

result<void> append(std::string& out, const envelope& to, const caf::type_erased_tuple& what) {
  auto written = result<void>{};
  if (what.match_elements<caf::error>())
    return append_frame(out, to, to_failure(what.get_as<caf::error>(0)));
  if (!visit_content(what, [&](auto& x) { written = append_frame(out, to, x); }))
    return error{errc::unsupported_feature, "a message that stays in its node"};
  return written;
}

result<message> read(std::string_view frame, envelope& to) {
  to = {};
  if (frame.size() > frame_bytes_max)
    return error{errc::corrupt_record, "a frame is too large"};
  auto in = binary::reader{frame};
  auto said = in.byte();
  if (in.ok() && said != version)
    return error{errc::unsupported_feature, "a version that is not known"};
  auto number = in.varint();
  auto kind = in.byte();
  if (kind > std::uint8_t(address::kind::request))
    in.fail("a target of no kind");
  to.to.what = address::kind(kind & 3);
  if (to.to.what != address::kind::router)
    to.to.number = in.varint();
  auto request = in.varint();
  if (request != 0) {
    to.asker = fixed(in);
    if (to.asker == 0)
      in.fail("an answer to nobody");
  }
  if (!in.ok())
    return in.failure();
  to.request = request;
  auto row = find(number);
  if (row == nullptr)
    return error{errc::unsupported_feature, "a message that is not known: " + std::to_string(number)};
  if ((row->targets & bit_of(to.to.what)) == 0 || (request != 0 && row->answer == 0))
    return error{errc::corrupt_record, "not a message for such a target"};
  auto what =
      made(static_cast<std::size_t>(row - table.data()), std::make_index_sequence<std::variant_size_v<message>>{});
  auto body = body_reader{in, to};
  std::visit(body, what);
  while (in.ok() && !in.at_end()) {
    auto tag = in.varint();
    in.string();
    if (in.ok() && tag % 2 == 0)
      return error{errc::unsupported_feature, "an extra that must be known: " + std::to_string(tag)};
  }
  if (!in.ok())
    return in.failure();
  return what;
}

// -- what they are to actors --

std::optional<caf::message> to_caf(message what) {
  return std::visit(
      [](auto& x) -> std::optional<caf::message> {
        using type = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<type, fan_out> || std::is_same_v<type, turn_over> || std::is_same_v<type, loss>)
          return std::nullopt;
        else if constexpr (std::is_same_v<type, failure>)
          return caf::make_message(to_error(x));
        else
          return caf::make_message(std::move(x));
      },
      what);
}

failure to_failure(const caf::error& x) noexcept {
  if (x.category() == caf::atom("system"))
    return {failure::family::caf, x.code()};
  if (x.category() == caf::atom("exit"))
    return {failure::family::exit, x.code()};
  if (x.category() == caf::atom("xmpp"))
    return {failure::family::ours, x.code()};
  return {failure::family::caf, std::uint8_t(caf::sec::runtime_error)};
}

caf::error to_error(const failure& x) {
  auto code = x.code == 0 ? std::uint8_t(caf::sec::runtime_error) : x.code; // 0 would be no error
  switch (x.code == 0 ? failure::family::caf : x.of) {
  case failure::family::ours:
    return {std::uint8_t(errc_of(code)), caf::atom("xmpp")};
  case failure::family::exit:
    return {code, caf::atom("exit")};
  case failure::family::caf:
    break;
  }
  return {code, caf::atom("system")};
}

std::string_view account_of(const message& what) noexcept {
  return std::visit(
      [](auto& x) -> std::string_view {
        using type = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<type, msg::deliver> || std::is_same_v<type, msg::deliver_for_good> ||
                      std::is_same_v<type, msg::show> || std::is_same_v<type, msg::came_back>)
          return x.what.to.bare_text();
        else if constexpr (std::is_same_v<type, msg::sent>)
          return x.what.from.bare_text();
        else if constexpr (std::is_same_v<type, msg::detach> || std::is_same_v<type, msg::has_left>)
          return x.full.bare_text();
        else if constexpr (std::is_same_v<type, msg::attach> || std::is_same_v<type, msg::lookup> ||
                           std::is_same_v<type, msg::set_credentials> || std::is_same_v<type, msg::remove_account>)
          return x.account.bare_text();
        else
          return {};
      },
      what);
}

std::uint64_t answer_to(std::uint64_t number) noexcept {
  auto row = find(number);
  return row == nullptr ? 0 : row->answer;
}

std::uint64_t number_of(const message& what) noexcept {
  return table[what.index()].number;
}

std::uint64_t number_of(const caf::type_erased_tuple& what) noexcept {
  auto number = std::uint64_t{0};
  if (what.match_elements<caf::error>())
    return table[index_of<failure>()].number;
  visit_content(what, [&](auto& x) { number = table[index_of<std::decay_t<decltype(x)>>()].number; });
  return number;
}

std::string summary(const envelope& to, std::uint64_t number) {
  constexpr auto kinds = std::to_array<const char*>({"router", "shard ", "session ", "request "});
  auto row = find(number);
  auto out = row == nullptr ? "message " + std::to_string(number) : std::string{row->name};
  out.append(" to ").append(kinds[std::size_t(to.to.what)]);
  if (to.to.what != address::kind::router)
    out += std::to_string(to.to.number);
  if (to.request != 0) {
    char node[17];
    std::snprintf(node, sizeof node, "%016llx", static_cast<unsigned long long>(to.asker));
    out.append(", request ").append(std::to_string(to.request)).append(" of ").append(node);
  }
  return out;
}

} // namespace xmpp::remote
