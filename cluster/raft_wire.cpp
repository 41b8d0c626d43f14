// The bytes of a message between members: fields as in persistence/codec.hpp, behind a version.

#include "cluster/raft.hpp"
#include "persistence/codec.hpp"

namespace xmpp::raft {

namespace {

constexpr std::uint8_t version = 1;
constexpr auto members_max = std::size_t{1'000};

} // namespace

std::string message::encode() const {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(version);
  to.byte(std::uint8_t(what));
  to.byte(std::uint8_t((pre_vote ? 1 : 0) | (granted ? 2 : 0) | (disrupts_leader ? 4 : 0)));
  for (auto x : {from, this->to, term, index, index_term, commit, rejected})
    to.varint(x);
  to.varint(entries.size());
  for (auto& one : entries) {
    to.varint(one.term);
    to.byte(std::uint8_t(one.kind));
    to.string(*one.bytes);
  }
  if (what == type::install) {
    for (auto x : {snapshot.index, snapshot.term, snapshot.members_index})
      to.varint(x);
    to.varint(snapshot.members.size());
    for (auto& one : snapshot.members) {
      to.varint(one.id);
      to.byte(std::uint8_t(one.role));
    }
  }
  return out;
}

std::optional<message> message::decode(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = message{};
  if (in.byte() != version)
    return std::nullopt;
  auto what = in.byte();
  auto flags = in.byte();
  if (what < std::uint8_t(type::append) || what > std::uint8_t(type::confirmed) || flags > 7)
    return std::nullopt;
  out.what = type(what);
  out.pre_vote = (flags & 1) != 0;
  out.granted = (flags & 2) != 0;
  out.disrupts_leader = (flags & 4) != 0;
  for (auto x : {&out.from, &out.to, &out.term, &out.index, &out.index_term, &out.commit, &out.rejected})
    *x = in.varint();
  for (auto left = in.count(); left > 0 && in.ok(); --left) {
    auto one = entry{};
    one.term = in.varint();
    auto said = in.byte();
    one.bytes = std::make_shared<const std::string>(in.string());
    if (one.term == 0 || said < std::uint8_t(kind::command) || said > std::uint8_t(kind::change))
      return std::nullopt;
    one.kind = raft::kind(said);
    out.entries.push_back(std::move(one));
  }
  if (out.what == type::install) {
    for (auto x : {&out.snapshot.index, &out.snapshot.term, &out.snapshot.members_index})
      *x = in.varint();
    auto count = in.count();
    if (count > members_max)
      return std::nullopt;
    for (; count > 0 && in.ok(); --count) {
      auto id = in.varint();
      auto said = in.byte();
      if (id == 0 || said > std::uint8_t(role::spare))
        return std::nullopt;
      out.snapshot.members.push_back({id, raft::role(said)});
    }
  }
  if (!in.finished() || out.from == 0 || out.to == 0 || (!out.entries.empty() && out.what != type::append))
    return std::nullopt;
  return out;
}

} // namespace xmpp::raft
