#include "cluster/link_frames.hpp"

#include "persistence/codec.hpp"

#include <algorithm>

namespace xmpp::cluster {

namespace {

constexpr auto words_bytes_max = std::size_t{200};
constexpr auto kept_capacity_max = std::size_t{64 * 1024};

std::size_t length_of(std::string_view head) noexcept {
  auto length = std::size_t{0};
  for (auto i = std::size_t{1}; i < frame_head_bytes; ++i)
    length = length << 8 | static_cast<unsigned char>(head[i]);
  return length;
}

bool is_known(std::uint8_t kind) noexcept {
  auto within = [&](frame_kind first, frame_kind last) {
    return kind >= static_cast<std::uint8_t>(first) && kind <= static_cast<std::uint8_t>(last);
  };
  return within(frame_kind::hello, frame_kind::goodbye) || within(frame_kind::urgent, frame_kind::bulk) ||
         within(frame_kind::join_request, frame_kind::join_refusal);
}

} // namespace

void append_frame(std::string& to, frame_kind kind, std::string_view payload) {
  auto size = payload.size();
  const char head[frame_head_bytes] = {static_cast<char>(kind), static_cast<char>(size >> 24),
                                       static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                                       static_cast<char>(size)};
  to.append(head, sizeof head);
  to.append(payload);
}

std::string hello::encode() const {
  auto out = std::string{};
  auto to = codec::byte_writer{out};
  to.byte(version);
  to.fixed64(cluster);
  to.fixed64(node);
  to.fixed64(process);
  to.string(software);
  return out;
}

std::optional<hello> hello::decode(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto out = hello{};
  out.version = in.byte();
  if (in.ok() && out.version != link_version)
    return out;
  out.cluster = in.fixed64();
  out.node = in.fixed64();
  out.process = in.fixed64();
  out.software = fit_words(in.string());
  if (!in.ok())
    return std::nullopt;
  return out;
}

std::string encode_time(std::uint64_t x) {
  auto out = std::string{};
  codec::byte_writer{out}.fixed64(x);
  return out;
}

std::optional<std::uint64_t> decode_time(std::string_view bytes) {
  auto in = codec::byte_reader{bytes};
  auto x = in.fixed64();
  if (!in.finished())
    return std::nullopt;
  return x;
}

std::string fit_words(std::string_view words) {
  auto out = std::string{words.substr(0, words_bytes_max)};
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

frame_reader::status frame_reader::next(frame& to) {
  if (is_lost_)
    return status::too_long;
  if (is_handed_out_) {
    is_handed_out_ = false;
    partial_.clear();
    if (partial_.capacity() > kept_capacity_max)
      partial_.shrink_to_fit();
  }
  auto fill_to = [this](std::size_t size) {
    if (partial_.size() < size) {
      auto part = in_.substr(0, size - partial_.size());
      partial_.append(part);
      in_.remove_prefix(part.size());
    }
    return partial_.size() >= size;
  };
  auto is_begun = !partial_.empty();
  if (is_begun && !fill_to(frame_head_bytes))
    return status::nothing;
  auto head = is_begun ? std::string_view{partial_} : in_;
  if (head.empty())
    return status::nothing;
  // The first byte alone tells somebody who speaks something else.
  if (!is_known(static_cast<std::uint8_t>(head.front())) ||
      (head.size() >= frame_head_bytes && length_of(head) > bytes_max_)) {
    is_lost_ = true;
    return status::too_long;
  }
  if (head.size() < frame_head_bytes) {
    partial_ = in_;
    in_ = {};
    return status::nothing;
  }
  auto size = frame_head_bytes + length_of(head);
  to.kind = static_cast<frame_kind>(head.front());
  if (!is_begun && in_.size() >= size) {
    to.payload = in_.substr(frame_head_bytes, size - frame_head_bytes);
    in_.remove_prefix(size);
    return status::frame;
  }
  if (!fill_to(size))
    return status::nothing;
  is_handed_out_ = true;
  to.payload = std::string_view{partial_}.substr(frame_head_bytes);
  return status::frame;
}

bool outbox::add(channel to, std::string_view payload) {
  auto& queue = queues_[std::size_t(to)];
  if (queue.waiting() + frame_head_bytes + payload.size() > bytes_max_)
    return false;
  append_frame(queue.bytes, kind_of(to), payload);
  return true;
}

void outbox::take(std::string& pack, std::size_t pack_bytes) {
  for (auto& queue : queues_) {
    auto end = queue.begin;
    auto is_full = false;
    while (end < queue.bytes.size()) {
      auto next = end + frame_head_bytes + length_of(std::string_view{queue.bytes}.substr(end));
      auto size = pack.size() + (next - queue.begin);
      is_full = size > pack_bytes && (!pack.empty() || end > queue.begin);
      if (is_full)
        break;
      end = next;
    }
    pack.append(queue.bytes, queue.begin, end - queue.begin);
    queue.begin = end;
    if (queue.begin == queue.bytes.size()) {
      queue.begin = 0;
      queue.bytes.clear();
      if (queue.bytes.capacity() > kept_capacity_max)
        queue.bytes.shrink_to_fit();
    } else if (queue.begin > queue.bytes.size() / 2) {
      // Rarely, so that the cost of moving bytes stays in proportion to what was taken.
      queue.bytes.erase(0, queue.begin);
      queue.begin = 0;
    }
    if (is_full)
      return;
  }
}

bool outbox::is_empty() const noexcept {
  return std::all_of(queues_.begin(), queues_.end(), [](const queue& x) { return x.waiting() == 0; });
}

void outbox::clear() {
  for (auto& queue : queues_) {
    queue.begin = 0;
    queue.bytes.clear();
    queue.bytes.shrink_to_fit();
  }
}

} // namespace xmpp::cluster
