#include "actors/connection.hpp"

#include "actors/metrics.hpp"
#include "actors/reactor_unit.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/parser.hpp"

#include <utility>

namespace xmpp {

namespace {

/// Dear to make, so each reactor's thread has one for all its streams.
parser& own_parser(const stream_limits& limits) {
  thread_local parser one{ns::client, limits};
  return one;
}

constexpr auto usual_name = std::string_view{"stream:stream"};
constexpr auto white_space = std::string_view{" \t\r\n"};

/// The name in a start tag, with its prefix.
std::string_view name_in(std::string_view start_tag) {
  auto name = start_tag.substr(1, start_tag.size() - 2);
  return name.substr(0, name.find_first_of(white_space));
}

/// `</name>`, or with white space behind the name (XML 1.0, 3.1).
bool is_end_tag_of(std::string_view name, std::string_view tag) {
  tag = tag.substr(2, tag.size() - 3);
  return tag.starts_with(name) && tag.find_first_not_of(white_space, name.size()) == tag.npos;
}

} // namespace

void stream_control::add_waiting(net::transport& from, std::uint32_t weight) {
  if (waiting.fetch_add(weight) + weight < waiting_max)
    return;
  // In this order, and then a look back: else a session that has just handled all of them resumes before the pause,
  // and nobody does behind it.
  from.pause_reading();
  paused = true;
  resume_if_few(&from);
}

void stream_control::take_waiting(net::transport* from, std::uint32_t weight) {
  waiting.fetch_sub(weight);
  resume_if_few(from);
}

void stream_control::resume_if_few(net::transport* from) {
  if (waiting.load() < waiting_max / 4 && paused.load() && paused.exchange(false) && from)
    from->resume_reading();
}

stream_reader::stream_reader(server_context& server, session_actor session, std::shared_ptr<stream_control> control)
    : session_(std::move(session)), control_(std::move(control)), limits_(server.limits), framer_(limits_) {
  framer_.set_stanza_bytes_max(limits_.unauthenticated_bytes_max);
}

stream_reader::~stream_reader() {
  metrics::instance().connections_open.fetch_sub(1, std::memory_order_relaxed);
}

void stream_reader::on_bytes(net::transport& from, std::string_view bytes) {
  if (lost_ || awaits_tls_)
    return;
  if (control_->restart.exchange(false)) {
    begin_anew();
    if (control_->authenticated.load())
      framer_.set_stanza_bytes_max(limits_.stanza_bytes_max);
  }
  // What a man in the middle put behind STARTTLS must not count as said under TLS (RFC 6120, 5.4.3.3).
  while (!bytes.empty() && !awaits_tls_) {
    auto next = framer_.next(bytes);
    if (!next)
      return fail(next.code());
    if (!next->done)
      return;
    switch (next->what) {
    case framer::kind::keepalive:
      break;
    case framer::kind::stream_start: {
      auto header = own_parser(limits_).parse_header(next->frame);
      if (!header)
        return fail(header.code());
      if (auto name = name_in(next->frame); name != usual_name || !header->declarations.empty())
        unusual_ = std::make_unique<unusual>(unusual{std::string{name}, header->declarations});
      send_from_here(session_, msg::stream_opened{*std::move(header)});
      break;
    }
    case framer::kind::element: {
      auto tree = own_parser(limits_).parse(next->frame, unusual_ ? unusual_->declarations : std::string_view{});
      if (!tree)
        return fail(tree.code());
      control_->add_waiting(from, stream_control::weight_of(tree->bytes().size()));
      awaits_tls_ = tree->is("starttls", ns::tls);
      send_from_here(session_, msg::received{*std::move(tree)});
      break;
    }
    case framer::kind::stream_end:
      if (!is_end_tag_of(unusual_ ? unusual_->name : usual_name, next->frame))
        return fail(errc::not_well_formed);
      send_from_here(session_, msg::stream_closed{});
      break;
    }
  }
}

void stream_reader::begin_anew() {
  framer_.restart();
  unusual_ = nullptr;
}

void stream_reader::fail(errc reason) {
  lost_ = true;
  count(metrics::instance().streams_broken);
  send_from_here(session_, msg::stream_broken{reason});
}

void stream_reader::on_tls_established(net::transport& from) {
  count(metrics::instance().tls_established);
  awaits_tls_ = false;
  begin_anew();
  if (auto facts = from.tls())
    send_from_here(session_, std::make_shared<msg::tls_established>(msg::tls_established{*std::move(facts)}));
}

void stream_reader::on_deadline(net::transport&) {
  count(metrics::instance().timed_out);
  send_from_here(session_, msg::timed_out{});
}

void stream_reader::on_drained(net::transport&) {
  if (control_->awaits_drain.exchange(false))
    send_from_here(session_, msg::drained{});
}

void stream_reader::on_closed(net::transport&, net::close_reason reason, std::string_view detail) {
  if (reason == net::close_reason::tls_failed)
    count(metrics::instance().tls_failed);
  auto text = std::string{to_string(reason)};
  if (!detail.empty())
    text.append(": ").append(detail);
  send_from_here(session_, msg::disconnected{std::move(text)});
}

} // namespace xmpp
