#include "actors/shell/remote_wire.hpp"

#include "persistence/codec.hpp"

namespace xmpp::shell {

namespace {

/// Leaves what follows the version.
result<void> take_version(codec::byte_reader& in) {
  auto version = in.byte();
  if (!in.ok())
    return errc::bad_request;
  return version == remote_version ? result<void>{} : result<void>{errc::unsupported_version};
}

bool is_kind(remote_kind x) {
  switch (x) {
  case remote_kind::begin:
  case remote_kind::more:
  case remote_kind::answer:
  case remote_kind::stop:
  case remote_kind::resize:
    return true;
  }
  return false;
}

bool is_task(remote_task x) {
  return x == remote_task::line || x == remote_task::complete || x == remote_task::trace;
}

} // namespace

std::string encode(const remote_step& x) {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(remote_version);
  to.byte(std::uint8_t(x.what));
  to.varint(x.run);
  if (x.what == remote_kind::begin) {
    to.byte(std::uint8_t(x.task));
    to.string(encode(x.client));
  }
  to.raw(x.text);
  return out;
}

result<remote_step> decode_remote_step(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  if (auto known = take_version(in); !known)
    return known.error();
  auto out = remote_step{};
  out.what = remote_kind(in.byte());
  out.run = in.varint();
  if (in.ok() && out.what == remote_kind::begin) {
    out.task = remote_task(in.byte());
    auto client = decode_client_hello(in.string());
    if (!client || !is_task(out.task))
      return errc::bad_request;
    out.client = *client;
  }
  out.text = in.rest();
  if (!in.ok() || out.run == 0 || !is_kind(out.what) || out.text.size() > remote_text_bytes_max)
    return errc::bad_request;
  return out;
}

std::string encode_remote_answer(std::int64_t clock_us, std::string_view frames) {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(remote_version);
  to.fixed64(std::uint64_t(clock_us));
  to.raw(frames);
  return out;
}

result<remote_answer> decode_remote_answer(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  if (auto known = take_version(in); !known)
    return known.error();
  auto out = remote_answer{};
  out.clock_us = std::int64_t(in.fixed64());
  auto rest = in.rest();
  if (!in.ok())
    return errc::bad_request;
  while (!rest.empty()) {
    auto size = std::size_t{0};
    for (auto i = std::size_t{0}; i + 1 < frame_header_bytes && i < rest.size(); ++i)
      size = size << 8 | static_cast<unsigned char>(rest[i]);
    if (rest.size() < frame_header_bytes || size > rest.size() - frame_header_bytes)
      return errc::bad_request;
    out.frames.push_back(
        {frame_type(rest[frame_header_bytes - 1]), std::string{rest.substr(frame_header_bytes, size)}});
    rest.remove_prefix(frame_header_bytes + size);
  }
  return out;
}

std::string encode(const watched& x) {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(x.bodies ? 1 : 0);
  to.raw(x.about.text());
  return out;
}

result<watched> decode_watched(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = watched{};
  out.bodies = in.boolean();
  auto about = jid::parse(in.rest());
  if (!in.ok() || !about)
    return errc::bad_request;
  out.about = *std::move(about);
  return out;
}

std::string encode(const trace::event& x) {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.fixed64(std::uint64_t(x.at_us));
  to.byte(std::uint8_t(x.where));
  for (auto* one : {&x.actor, &x.from, &x.to, &x.summary, &x.xml})
    to.string(*one);
  return out;
}

result<trace::event> decode_event(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = trace::event{};
  out.at_us = std::int64_t(in.fixed64());
  out.where = trace::station(in.byte());
  for (auto* one : {&out.actor, &out.from, &out.to, &out.summary, &out.xml})
    *one = in.string();
  if (!in.finished() || out.where > trace::station::refused)
    return errc::bad_request;
  return out;
}

} // namespace xmpp::shell
