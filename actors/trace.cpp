#include "actors/trace.hpp"

#include "protocol/namespaces.hpp"

#include <algorithm>
#include <chrono>

namespace xmpp::trace {

std::atomic<int> watchers{0};

namespace {

std::mutex list_mutex;
std::vector<watch*> list;

bool concerns(const jid& about, const jid& who) {
  if (who.empty())
    return false;
  if (about.is_full())
    return who == about;
  return about.has_local() ? who.bare_text() == about.text() : who.domain() == about.text();
}

/// What proves who somebody is, wherever it stands: of registrations (XEP-0077), of rooms, of forms, of SASL.
bool is_secret(const element& x) {
  auto is_secret_field = [&] {
    return x.is("field", ns::data_forms) &&
           (x.attribute_or_empty("var") == "password" || x.attribute_or_empty("type") == "text-private");
  };
  return x.name() == "password" || x.name() == "digest" || x.ns() == ns::sasl || is_secret_field();
}

void find_secrets(const element& in, std::vector<std::string_view>& out) {
  for (auto& x : in.children())
    if (!is_secret(x))
      find_secrets(x, out);
    else if (auto content = x.content_bytes(); !content.empty())
      out.push_back(content);
}

/// As it would be sent, with stars for secrets.
std::string text_of(const stanza& what) {
  auto out = what.serialize();
  auto secrets = std::vector<std::string_view>{};
  find_secrets(what.tree, secrets);
  auto content = what.tree.content_bytes();
  auto begin = out.size() - to_string(what.kind).size() - std::string_view{"</>"}.size() - content.size();
  for (auto i = secrets.rbegin(); i != secrets.rend(); ++i)
    out.replace(begin + std::size_t(i->data() - content.data()), i->size(), "***");
  return out;
}

} // namespace

std::string_view to_string(station where) noexcept {
  switch (where) {
  case station::received:
    return "received";
  case station::routed:
    return "routed";
  case station::handled:
    return "handled";
  case station::stored:
    return "stored";
  case station::delivered:
    return "delivered";
  case station::refused:
    return "refused";
  }
  return "?";
}

watch::watch(jid about, bool bodies) : about_(std::move(about)), bodies_(bodies) {
  auto guard = std::lock_guard{list_mutex};
  list.push_back(this);
  ++watchers;
}

watch::~watch() {
  auto guard = std::lock_guard{list_mutex};
  list.erase(std::find(list.begin(), list.end(), this));
  --watchers;
}

std::vector<event> watch::take() {
  auto guard = std::lock_guard{mutex_};
  auto result = std::vector<event>{std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end())};
  events_.clear();
  return result;
}

void watch::add(event x) {
  auto guard = std::lock_guard{mutex_};
  if (events_.size() >= events_max)
    ++dropped_;
  else
    events_.push_back(std::move(x));
}

void note_slow(station where, std::string_view kind, const jid& actor, const stanza& what) {
  auto now = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
  auto guard = std::lock_guard{list_mutex};
  for (auto* one : list) {
    if (!concerns(one->about_, actor) && !concerns(one->about_, what.from) && !concerns(one->about_, what.to))
      continue;
    auto summary = std::string{to_string(what.kind)};
    if (auto type = to_string(what.type); !type.empty())
      summary.append(" ").append(type);
    if (auto id = what.id(); !id.empty())
      summary.append(" id=").append(id.substr(0, 40));
    if (auto first = what.payload(); first && what.kind == stanza_kind::iq)
      summary.append(" ").append(first.name()).append(" ").append(first.ns());
    summary.append(", ").append(std::to_string(what.tree.bytes().size())).append(" bytes");
    one->add({now.count(), where, std::string{kind}.append(" ").append(actor.text()), std::string{what.from.text()},
              std::string{what.to.text()}, std::move(summary), one->bodies_ ? text_of(what) : std::string{}});
  }
}

} // namespace xmpp::trace
