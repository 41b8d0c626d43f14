// SESSION: what a signed-in client sends: checked, stamped, seen by the hooks, routed (RFC 6120, 8 and 10).

#include "actors/random.hpp"
#include "actors/session.hpp"
#include "actors/session_context.hpp"
#include "actors/trace.hpp"
#include "protocol/iq.hpp"
#include "protocol/namespaces.hpp"
#include "protocol/roster.hpp"

#include <utility>

namespace xmpp {

/// Delays and stanza ids that claim to be this server's, or an account's here: only it may say so (XEP-0203, 5;
/// XEP-0359, 3).
void session::remove_forgeries(stanza& x) const {
  auto is_forged = [this](const element& child) {
    if (child.is("delay", ns::delay) || child.is("x", ns::legacy_delay)) {
      auto by = jid::parse(child.attribute_or_empty("from"));
      return !by || (by->has_local() ? by->bare_text() != full_.bare_text() : server_.is_own_domain(by->domain()));
    }
    if (child.is("stanza-id", ns::stanza_ids)) {
      auto by = jid::parse(child.attribute_or_empty("by"));
      return !by || server_.is_own_domain(by->domain());
    }
    return false;
  };
  for (auto& child : x.tree.children())
    if (is_forged(child)) {
      x = x.without_children(is_forged);
      return;
    }
}

void session::received(const element& x) {
  count(metrics::instance().stanzas_received);
  if (x.is("error", ns::stream)) // The client's last words; none of ours are due (RFC 6120, 4.9.1.1).
    return end(errc::none);
  if (x.ns() != ns::client)
    return end(errc::unsupported_stanza_type);
  // RFC 6120, 8.1.2.1: a client may name itself, in full or bare; anybody else is a lie.
  if (auto from = x.attribute("from")) {
    auto said = jid::parse(*from);
    if (!said || (*said != full_ && said->text() != full_.bare_text()))
      return end(errc::invalid_from);
  }
  auto read = stanza::parse(x);
  if (!read) {
    if (read.code() == errc::unsupported_stanza_type)
      return end(read.code());
    auto to = jid{};
    if (auto text = x.attribute("to")) {
      auto parsed = jid::parse(*text);
      to = parsed ? *parsed : jid::from_prepared(full_.domain()); // else there is nobody to speak for
    }
    return refuse({x, full_, to}, read.code());
  }
  read->from = full_;
  if (!lang_.empty() && !read->tree.attribute("lang", ns::xml)) // RFC 6120, 8.1.5
    *read = read->with_lang(lang_);
  remove_forgeries(*read);
  trace::note(trace::station::received, "session", full_, *read);
  from_client(*std::move(read));
}

void session::from_client(stanza x) {
  auto live = server_.live();
  auto* home = live->find_host(full_.domain());
  if (!home)
    return end(errc::host_gone);
  if (is_checked_by_account(x))
    return by_kind(std::move(x));
  auto view = session_context{*this, home->info};
  for (auto* one : hooks_on_sent()) {
    auto said = one->on_sent(x, view);
    if (said.what == verdict::drop)
      return trace::note(trace::station::refused, "session", full_, x);
    if (said.what == verdict::reject)
      return refuse(x, said.code, said.application_condition);
    if (said.instead)
      x = *std::move(said.instead);
  }
  by_kind(std::move(x));
}

/// Behind a change of the block list that has not been answered yet: it is judged by the new one (RFC 6120, 10.1).
bool session::is_checked_by_account(const stanza& x) const {
  return changes_blocks_ && x.to.has_local() && server_.is_own_domain(x.to.domain());
}

void session::by_kind(stanza x) {
  switch (x.kind) {
  case stanza_kind::message:
    if (x.to.empty())
      x.to = full_.bare();
    return route(std::move(x));
  case stanza_kind::presence:
    return presence_from_client(std::move(x));
  case stanza_kind::iq:
    return iq_from_client(std::move(x));
  }
}

void session::presence_from_client(stanza x) {
  if (is_subscription(x.type)) {
    if (x.to.empty())
      return refuse(x, errc::bad_request);
    if (x.to.bare_text() == full_.bare_text())
      return;
    return to_own_account(std::move(x));
  }
  if (x.to.empty()) {
    if (x.type != stanza_type::available && x.type != stanza_type::unavailable)
      return refuse(x, errc::bad_request);
    if (auto priority = priority_of(x); x.type == stanza_type::available && priority)
      priority_ = *priority;
    else if (x.type == stanza_type::available)
      return refuse(x, errc::bad_request);
    auto before = session_view{full_, bool(presence_), priority_, interested_, wants_blocks_, 0, presence_};
    auto effects = effects_of_presence(before, x, priority_);
    presence_ = x.type == stanza_type::available ? x.tree : element{};
    if (presence_)
      learn_capabilities(x);
    auto directed = effects.end_directed && directed_ ? directed_->take() : std::vector<jid>{};
    return to_own_account(std::move(x), std::move(directed), before.available);
  }
  if (x.type == stanza_type::available) {
    if (!directed_)
      directed_ = std::make_unique<directed_presence>();
    if (!directed_->add(x.to))
      return refuse(x, errc::resource_constraint);
  } else if (x.type == stanza_type::unavailable && directed_) {
    directed_->remove(x.to);
  }
  route(std::move(x));
}

/// The client is asked what its hash stands for, unless another one has shown it (XEP-0115, 6.2). It is not taken at
/// its word: others would be told wrong things of their clients (9.3).
void session::learn_capabilities(const stanza& presence) {
  auto said = caps_of(presence);
  auto known = said ? server_.capabilities.find(said->ver) : nullptr;
  features_ = known;
  if (!said || known || said->hash != "sha-1" || (asked_ && asked_->ver == said->ver))
    return;
  asked_ = std::make_unique<asked_capabilities>(
      asked_capabilities{random_text(12), std::string{said->hash}, std::string{said->ver}});
  auto query = xml::builder{"iq", ns::client};
  query.attribute("type", "get").attribute("id", asked_->id);
  query.open("query", ns::disco_info).attribute("node", std::string{said->node} + '#' + asked_->ver).close();
  deliver({query.finish(), jid::from_prepared(full_.domain()), full_});
}

/// Whether it is the answer to that.
bool session::told_capabilities(const stanza& x) {
  if (!asked_ || x.is_request() || x.id() != asked_->id)
    return false;
  auto asked = std::exchange(asked_, nullptr);
  if (x.type == stanza_type::error)
    return true;
  if (auto known = server_.capabilities.add(x.payload(), asked->hash, asked->ver))
    features_ = *known;
  else
    log::debug("session.capabilities_refused", {{"jid", full_.text()}, {"why", condition_name(known.code())}});
  return true;
}

void session::iq_from_client(stanza x) {
  if (x.to.text() == full_.domain() && told_capabilities(x))
    return;
  auto is_for_account = x.to.empty() || x.to.text() == full_.bare_text();
  // RFC 3921, 3: older clients open a "session" as a last step; today it has no effect.
  if (x.type == stanza_type::set && x.payload().ns() == ns::session &&
      (is_for_account || x.to.text() == full_.domain()))
    return deliver(x.reply());
  if (is_for_account) {
    if (x.type == stanza_type::get && !interested_ && x.payload().ns() == ns::roster)
      interested_ = true;
    if (x.type == stanza_type::get && !wants_blocks_ && x.payload().ns() == ns::blocking)
      wants_blocks_ = true;
    if (x.type == stanza_type::set && x.payload().ns() == ns::blocking)
      changes_blocks_ = std::make_unique<std::string>(x.id());
    if (!x.is_request())
      return; // An answer to what the server pushed.
    watch(x);
    return to_own_account(std::move(x));
  }
  // Registration is the host's by name and the account's in substance (XEP-0077, 3.2).
  if (x.is_request() && x.to.text() == full_.domain() && x.payload().ns() == ns::registration) {
    watch(x);
    return to_own_account(std::move(x));
  }
  if (x.is_request() && x.to.has_local() && server_.is_own_domain(x.to.domain()))
    watch(x);
  route(std::move(x));
}

void session::watch(const stanza& request) {
  if (server_.requests)
    server_.requests->asks(id(), request, steady_time_ms());
}

void session::to_own_account(stanza x, std::vector<jid> directed, bool was_available) {
  auto weight = stream_control::weight_of(x.tree.bytes().size());
  auto what = msg::sent{std::move(x), server_.session_number(id()), std::move(directed), was_available};
  what.is_unchecked = is_checked_by_account(what.what);
  what.turn = std::make_shared<const turn>(control_, transport_, weight);
  if (user_)
    send(user_, std::move(what));
  else {
    sends_by_shard_ = true;
    send(server_.route.shard(full_), std::move(what));
  }
}

void session::route(stanza x) {
  if (x.to.has_local()) {
    if (server_.is_own_domain(x.to.domain())) {
      if (control_->in_account.load() != 0 || changes_blocks_ || x.to.bare_text() == full_.bare_text())
        return to_own_account(std::move(x));
      trace::note(trace::station::routed, "session", full_, x);
      auto& shard = server_.route.shard(x.to);
      if (x.kind == stanza_kind::presence && blocks_)
        if (auto hidden = blocks_->resources_of(x.to); !hidden.empty())
          return send(shard, msg::show{std::move(x), std::move(hidden)});
      return send(shard, msg::deliver{std::move(x)});
    }
  } else if (auto live = server_.live(); auto* at = live->find_host(x.to.domain())) {
    return answer_as_host(*at, x);
  }
  refuse(x, errc::remote_server_not_found);
}

void session::answer_as_host(const host& at, const stanza& x) {
  trace::note(trace::station::handled, "host", x.to, x);
  if (x.kind == stanza_kind::iq) {
    if (!x.is_request())
      return;
    auto view = host_context{at.info};
    return deliver(answer_iq(x, view));
  }
  if (x.kind == stanza_kind::message)
    refuse(x, errc::service_unavailable);
}

void session::refuse(const stanza& x, errc code, const element& application_condition) {
  trace::note(trace::station::refused, "session", full_, x);
  if (!x.may_answer_with_error())
    return;
  auto answer = application_condition ? x.error_reply(code, application_condition) : x.error_reply(code);
  if (answer.from.empty()) // A stanza without `to` was for the account itself.
    answer.from = full_.bare();
  deliver(answer);
}

} // namespace xmpp
