// What stands around the actor under test: sessions that remember, a store without a disk.
#pragma once

#include "actors/context.hpp"
#include "actors/stored_xml.hpp"
#include "persistence/accounts.hpp"
#include "tests/actors/actor_fixture.hpp"

#include <deque>
#include <map>
#include <stdexcept>

namespace xmpp::test {

inline jid operator""_jid(const char* text, std::size_t size) {
  auto parsed = jid::parse({text, size});
  if (!parsed)
    throw std::runtime_error("no JID: " + std::string(text, size));
  return *std::move(parsed);
}

/// From XML without a namespace of its own.
inline stanza stanza_of(std::string xml, const jid& from, const jid& to) {
  auto name = xml.find_first_of(" />");
  xml.insert(name, " xmlns='jabber:client'");
  auto tree = parse_stored(xml);
  if (!tree)
    throw std::runtime_error("no XML: " + xml);
  return {*std::move(tree), from, to};
}

// -- sessions --

struct session_history {
  std::vector<stanza> delivered;
  std::vector<msg::session_ids> copies; ///< Of each of them that was no page's.
  std::vector<errc> ended;
  std::vector<std::string> heard; ///< From its reader.
  int asked_again = 0;
  int block_changes = 0;
  bool reads_slowly = false;                                    ///< A page goes out when the test says so,
  std::vector<caf::typed_response_promise<msg::written>> pages; ///< by these, when it
  enum class page_end : std::uint8_t { read, lost, forgotten };
  page_end next_page = page_end::read; ///< is told `msg::drained`.

  bool has_been_sent(std::string_view part) const {
    for (auto& one : delivered)
      if (one.serialize().find(part) != std::string::npos)
        return true;
    return false;
  }
};

inline session_actor::behavior_type remembering_session(session_actor::pointer self,
                                                        std::shared_ptr<session_history> to) {
  return {[to](const msg::deliver& x) {
            to->delivered.push_back(x.what);
            to->copies.push_back(x.copies);
          },
          [self, to](const msg::deliver_stored& x) -> caf::result<msg::written> {
            for (auto& [id, what] : x.what)
              to->delivered.push_back(what);
            if (!to->reads_slowly)
              return msg::written{};
            to->pages.push_back(self->make_response_promise<msg::written>());
            return to->pages.back();
          },
          [to](const msg::drained&) { // A promise is kept by nobody but its own actor.
            for (auto& one : std::exchange(to->pages, {}))
              if (to->next_page == session_history::page_end::read)
                one.deliver(msg::written{});
              else if (to->next_page == session_history::page_end::lost)
                one.deliver(caf::make_error(caf::sec::runtime_error));
          },
          [to](const msg::received& x) { to->heard.emplace_back(x.what.name()); },
          [to](const msg::stream_opened&) { to->heard.emplace_back("opened"); },
          [to](const msg::stream_broken& x) { to->heard.emplace_back(condition_name(x.reason)); },
          [to](const msg::stream_closed&) { to->heard.emplace_back("closed"); },
          [](const msg::disconnected&) {},
          [](const std::shared_ptr<msg::tls_established>&) {},
          [](const msg::timed_out&) {},
          [](const msg::go_on&) {},
          [to](const msg::end_stream& x) { to->ended.push_back(x.reason); },
          [to](const msg::attach_again&) { ++to->asked_again; },
          [to](const msg::blocks_changed&) { ++to->block_changes; },
          [self](const msg::verdict&) { self->quit(); },
          [](const msg::fail_now&) {},
          [](const msg::describe&) { return msg::description{}; }};
}

// -- a shard --

/// What it was sent.
struct shard_history {
  std::vector<stanza> delivered;
  std::vector<std::string> retired, stayed, sent, detached;
  std::vector<msg::registered> registered;
  std::vector<msg::served> served;
  std::vector<msg::heritage> heritage;
  std::vector<std::string> shown;       ///< `+` available, `-` no more.
  std::vector<std::string> order;       ///< Of what came.
  std::vector<std::uint64_t> came_back; ///< From which sessions.
  int lookups = 0, attached = 0;
  errc lookup_failure = errc::none;
  bool has_account = true;
  errc for_good = errc::none;  ///< What becomes of what is to be,
  bool holds_for_good = false; ///< or nothing yet.
  std::vector<caf::typed_response_promise<msg::outcome>> held;

  /// As one of the stanzas to that address.
  bool has_been_sent(const jid& to, std::string_view part) const {
    for (auto& one : delivered)
      if (one.to == to && one.serialize().find(part) != std::string::npos)
        return true;
    return false;
  }
};

inline shard_actor::behavior_type remembering_shard(shard_actor::pointer self, std::shared_ptr<shard_history> to) {
  return {[to](const msg::deliver& x) {
            to->delivered.push_back(x.what);
            to->order.emplace_back(x.what.id());
          },
          [self, to](const msg::deliver_for_good& x) -> caf::result<msg::outcome> {
            to->delivered.push_back(x.what);
            if (!to->holds_for_good)
              return msg::outcome{to->for_good};
            to->held.push_back(self->make_response_promise<msg::outcome>());
            return to->held.back();
          },
          [to](const msg::show& x) { to->delivered.push_back(x.what); },
          [to](const msg::came_back& x) {
            to->came_back.push_back(x.session_id);
            to->order.emplace_back(x.what.id());
          },
          [to](const msg::has_left&) { to->order.emplace_back("has left"); },
          [to](const msg::sent& x) { to->sent.push_back(x.what.serialize()); },
          [to](const msg::attach& x) {
            ++to->attached;
            to->order.emplace_back("attach");
            return msg::attached{errc::none, x.account.with_resource("of-the-next")};
          },
          [to](const msg::detach& x) {
            to->detached.emplace_back(x.full.text());
            to->order.emplace_back("detach");
            return msg::detached{};
          },
          [to](const msg::lookup&) {
            ++to->lookups;
            return msg::found{to->lookup_failure, to->has_account, true, "of the next"};
          },
          [](const msg::set_credentials&) { return msg::outcome{}; },
          [](const msg::remove_account&) { return msg::outcome{}; },
          [self](const msg::may_retire&) {
            self->send(caf::actor_cast<user_actor>(self->current_sender()), msg::retire{});
          },
          [to](const msg::retired& x) { (x.has_ended ? to->retired : to->stayed).emplace_back(x.account.text()); },
          [](const msg::unhandled&) {},
          [to](const msg::served& x) { to->served.push_back(x); },
          [to](const msg::registered& x) {
            to->registered.push_back(x);
            to->order.emplace_back("registered");
          },
          [](const msg::waited&) {},
          [to](const msg::shown& x) { to->shown.push_back((x.is_there ? "+" : "-") + std::string{x.full.text()}); },
          [to](const msg::heritage& x) {
            to->heritage.push_back(x);
            to->order.emplace_back("heritage");
          },
          [](const msg::pace&) {},
          [to](const msg::tick&) { // Now it is done.
            for (auto& one : std::exchange(to->held, {}))
              one.deliver(msg::outcome{to->for_good});
          },
          [](const msg::child_failed&) {},
          [](const msg::verdict&) {},
          [](const msg::fail_now&) {},
          [](const msg::describe&) { return msg::description{}; }};
}

// -- a store --

/// What is committed, in memory. Nothing happens before the test says so.
struct simulated_store {
  shard_id shard = 0; ///< Whose it is.
  std::map<std::string, std::string, std::less<>> state;
  bool is_cold = true;          ///< Nothing is in memory: whoever may not wait is told so.
  errc unreadable = errc::none; ///< Reads fail with it,
  errc unwritable = errc::none; ///< commits fail with it when their turn comes,
  errc refuses = errc::none;    ///< are not even taken.

  struct work {
    std::string command; ///< Encoded; empty: a read.
    writer::completion done;
    std::function<void(const reader&)> read;
  };
  std::deque<work> waiting;
  std::uint64_t index = 0;
  bool asks_others = false; ///< Reads of the index wait in `asking`.
  std::vector<std::function<void(result<void>)>> asking;
};

class simulated_reader final : public reader {
public:
  simulated_reader(const simulated_store& of, bool waits) : of_(of), waits_(waits) {}

  result<std::optional<std::string>> get(std::string_view key) const override {
    if (auto why = failure(); why != errc::none)
      return why;
    auto i = of_.state.find(key);
    return i == of_.state.end() ? std::optional<std::string>{} : std::optional{i->second};
  }
  result<void> scan(std::string_view from, std::string_view end, const visitor& visit) const override {
    if (auto why = failure(); why != errc::none)
      return why;
    for (auto i = of_.state.lower_bound(from); i != of_.state.end() && (end.empty() || i->first < end); ++i)
      if (!visit(i->first, i->second))
        break;
    return {};
  }

private:
  errc failure() const {
    if (of_.unreadable != errc::none)
      return of_.unreadable;
    return of_.is_cold && !waits_ ? errc::would_block : errc::none;
  }

  const simulated_store& of_;
  bool waits_;
};

class simulated_replica final : public replica {
public:
  explicit simulated_replica(simulated_store& of) : of_(of), cached_(of, false) {}

  result<void> submit(const command& x, writer::completion done) override {
    if (of_.refuses != errc::none)
      return of_.refuses;
    of_.waiting.push_back({x.encode(), std::move(done), {}});
    return {};
  }
  void read_index(std::function<void(result<void>)> done) override {
    if (of_.asks_others)
      of_.asking.push_back(std::move(done));
    else
      done({});
  }
  result<void> read_after(std::function<void(const reader&)> f) override { return read(std::move(f)); }
  result<void> read(std::function<void(const reader&)> f) override {
    of_.waiting.push_back({{}, {}, std::move(f)});
    return {};
  }
  const reader& cached() const noexcept override { return cached_; }

private:
  simulated_store& of_;
  simulated_reader cached_;
};

// -- a server, of one shard if nothing else is said --

struct server_fixture : actor_fixture {
  simulated_store store;
  server_context server;
  std::shared_ptr<std::vector<failure>> failures = std::make_shared<std::vector<failure>>();
  caf::strong_actor_ptr parent = caf::actor_cast<caf::strong_actor_ptr>(overseer(failures));
  config options;

  explicit server_fixture(bool is_in_cluster = false, std::uint32_t shards = 1) : server{shards, 1, is_in_cluster} {
    while (server.replicas.size() < shards)
      server.replicas.push_back(std::make_unique<simulated_replica>(store));
    server.domains = {"example.com"};
    options.hosts.emplace_back().name = "example.com";
    configure();
  }
  ~server_fixture() {
    settle();
    server.route.clear();
  }

  /// Takes over what stands in `options`.
  void configure() {
    auto live = std::make_shared<live_settings>();
    live->options = options;
    for (auto& one : options.hosts) {
      auto made = std::make_shared<host>();
      made->options = one;
      made->info.domain = jid::from_prepared(one.name);
      live->hosts.emplace(one.name, std::move(made));
    }
    server.swap_live(std::move(live));
  }

  /// The store does one thing.
  void works_once() {
    auto next = std::move(store.waiting.front());
    store.waiting.pop_front();
    if (next.read) {
      next.read(simulated_reader{store, true});
    } else if (store.unwritable != errc::none) {
      next.done(store.unwritable);
    } else {
      apply(next.command);
      next.done(++store.index);
    }
    settle();
  }
  /// Until nothing waits.
  void works() {
    settle();
    while (!store.waiting.empty())
      works_once();
  }

  void apply(const std::string& encoded) {
    auto done = for_each_change(encoded, store.shard, [&](const change& x) {
      switch (x.what) {
      case change::kind::put:
        store.state[std::string{x.key}] = x.value;
        break;
      case change::kind::erase:
        store.state.erase(std::string{x.key});
        break;
      case change::kind::erase_range:
        store.state.erase(store.state.lower_bound(x.key), store.state.lower_bound(x.value));
        break;
      }
    });
    if (!done)
      throw std::runtime_error("a command that can't be applied");
  }

  /// Without anybody's knowledge.
  void put(const std::function<void(write_set&)>& what) {
    auto x = command{};
    what(x.changes);
    apply(x.encode());
  }
  void put_account(const jid& account, std::string credentials = "keys", bool disabled = false) {
    put([&](write_set& to) { accounts::put(to, {0, account}, {1'000, disabled, std::move(credentials)}); });
  }
  bool is_stored(const jid& account) { return *accounts::exists(simulated_reader{store, true}, {0, account}); }

  session_actor session(std::shared_ptr<session_history> history) {
    return system().spawn(remembering_session, std::move(history));
  }
  msg::attach attach_of(const jid& full, const session_actor& session) {
    auto out = msg::attach{};
    out.account = full.bare();
    out.resource = std::string{full.resource()};
    out.session = std::make_shared<session_handle>(session_handle{session});
    out.session_id = server.session_number(session->id());
    out.created_ms = 1'000; // as `put_account` says
    return out;
  }
};

} // namespace xmpp::test
