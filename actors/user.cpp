#include "actors/user.hpp"

#include "actors/cluster_node.hpp"
#include "actors/log.hpp"
#include "actors/random.hpp"
#include "actors/reactor_unit.hpp"
#include "actors/remote_messages.hpp"
#include "actors/trace.hpp"
#include "persistence/rosters.hpp"
#include "protocol/namespaces.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace xmpp {

namespace {

/// How long it waits for what an ended session could not take.
constexpr auto return_max = std::chrono::milliseconds{2'000};
/// How long a user that lost its state waits for its sessions to register again.
constexpr auto gathering_max = std::chrono::seconds{2};
/// Of an account, while the disk fails, which is looked at once a second.
constexpr auto removal_again_after = std::chrono::milliseconds{1'000};
constexpr auto removal_tries_max = 60u;
/// Changes under way; with more, its own devices' next wishes wait.
constexpr auto pending_max = std::size_t{1'000};

} // namespace

user::user(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server, shard_id shard, jid account,
           bool behind_pending)
    : supervised(cfg, actor_kind::user, std::move(parent)), server_(server), account_(std::move(account)),
      shard_(shard) {
  if (behind_pending)
    gathering_ = std::make_unique<gathering>();
}

user::behavior_type user::make_behavior() {
  begin(account_, {});
  guarded([this] { load(gathering_ != nullptr); });
  // One set for all users.
  static const auto handlers = behavior_type{
      [](const msg::deliver& x) {
        auto& me = self();
        me.has_come(x.what);
        me.deliver(x.what);
      },
      [](const msg::deliver_for_good& x) { return self().deliver_for_good(x.what); },
      [](const msg::show& x) {
        auto& me = self();
        me.has_come(x.what);
        me.deliver(x.what, x.hidden_from);
      },
      [](const msg::sent& x) { self().sent(x); },
      [](const msg::attach& x) -> caf::result<msg::attached> {
        auto& me = self();
        if (x.again) {
          if (auto why = me.attach_again(x); why != errc::none)
            return msg::attached{why};
          return msg::attached{errc::none, me.account_.with_resource(x.resource), me.ctrl(), me.blocks_};
        }
        return me.attach(x);
      },
      [](const msg::detach& x) {
        self().detach(x);
        return msg::detached{};
      },
      [](const msg::came_back& x) {
        auto& me = self();
        me.has_come(x.what);
        me.came_back(x);
      },
      [](const msg::has_left& x) { self().has_left(x.session_id); },
      [](const msg::vanished& x) { self().vanished(x.full); },
      [](const msg::lookup&) { return self().lookup(); },
      [](const msg::set_credentials& x) { return self().set_credentials(x); },
      [](const msg::remove_account&) { return self().remove_account(); },
      [](const msg::committed& x) { self().committed(x); },
      [](const msg::loaded& x) { self().loaded(x); },
      [](const msg::was_read& x) { self().was_read(x); },
      [](const msg::tick&) {
        auto& me = self();
        if (--me.gathering_ends_ == 0 && me.phase_ == phase::gathering)
          me.become_ready();
      },
      [](const msg::retire&) { self().retire(); },
      [](const msg::lose&) { self().lose(); },
      [](const msg::verdict& x) { self().decide(x); },
      [](const msg::fail_now&) { throw std::runtime_error("killed from the shell"); },
      [](const msg::describe&) { return self().describe(); },
  };
  return handlers;
}

// -- life ------------------------------------------------------------------------------------------------------------

void user::load(bool behind_pending) {
  phase_ = phase::loading;
  auto& store = *server_.replicas[shard_];
  if (!behind_pending) {
    auto records = load_user(store.cached(), place());
    if (records)
      return loaded({std::make_shared<user_records>(*std::move(records))});
    if (records.code() != errc::would_block)
      throw std::runtime_error("its records: " + records.error().text);
  }
  auto task = [self = caf::actor_cast<user_actor>(ctrl()), at = place()](const reader& from) {
    auto records = load_user(from, at);
    send_from_here(self, msg::loaded{records ? std::make_shared<user_records>(*std::move(records)) : nullptr});
  };
  if (auto taken = behind_pending ? store.read_after(std::move(task)) : store.read(std::move(task)); !taken)
    loaded({nullptr});
}

void user::loaded(const msg::loaded& x) {
  if (phase_ != phase::loading)
    return;
  if (!x.records) // The supervisor backs off and tries again; what came meanwhile waits in the mailbox.
    throw std::runtime_error("the records of " + std::string{account_.text()} + " could not be read");
  auto& r = *x.records;
  exists_ = r.account.has_value() || anonymous_;
  if (r.account) {
    disabled_ = r.account->disabled;
    created_ms_ = r.account->created_ms;
    credentials_ = std::move(r.account->credentials);
  }
  roster_ = std::move(r.roster);
  blocks_ = r.blocks.empty() ? nullptr : std::make_shared<const blocklist>(std::move(r.blocks));
  offline_ = r.offline;
  last_activity_ = r.last_activity ? std::make_unique<last_activity_record>(*std::move(r.last_activity)) : nullptr;
  if (gathering_) {
    for (auto& one : server_.sessions.of(account_))
      gathering_->sessions.push_back({one, server_.session_number(one->id())});
    for (auto& one : gathering_->sessions)
      if (gathering_->awaited.insert(one.id).second)
        send(one.actor, msg::attach_again{});
    if (!gathering_->awaited.empty()) {
      phase_ = phase::gathering;
      ++gathering_ends_;
      delayed_send(this, gathering_max, msg::tick{});
      return;
    }
  }
  become_ready();
}

void user::become_ready() {
  auto was_restart = phase_ == phase::gathering;
  phase_ = phase::ready;
  auto gathered = std::exchange(gathering_, nullptr);
  estimate_memory();
  is_busy();
  if (was_restart)
    deliver_offline_to_another(0); // One of them may have been sent its messages.
  if (gathered)
    for (auto& one : gathered->ended)
      unknown_has_ended(one);
  note_idleness(); // Nothing may have started it, and it may not exist (any more).
}

void user::reload() {
  is_busy();
  load(true);
}

bool user::must_wait(caf::mailbox_element& x) {
  if (phase_ == phase::ready && !is_removing_ && !tidying_ && !returning_ && before_next_ == 0 &&
      pending_.size() < pending_max) [[likely]]
    return false;
  auto& content = x.content();
  auto is_for_account = [&] {
    return content.match_elements<msg::deliver>() || content.match_elements<msg::show>() ||
           content.match_elements<msg::sent>() || content.match_elements<msg::lookup>() ||
           content.match_elements<msg::set_credentials>() || content.match_elements<msg::remove_account>();
  };
  if (phase_ == phase::loading)
    return !content.match_elements<msg::loaded>() && !content.match_elements<msg::verdict>() &&
           !content.match_elements<msg::lose>() && !content.match_elements<caf::down_msg>() &&
           !content.match_elements<msg::describe>() && !content.match_elements<msg::fail_now>() &&
           !content.match_elements<caf::exit_msg>();
  if (phase_ == phase::gathering) {
    if (content.match_elements<msg::attach>())
      return !content.get_as<msg::attach>(0).again;
    // An answer to what it asked for may have something to tell a session.
    return is_for_account() || content.match_elements<msg::deliver_for_good>() ||
           content.match_elements<msg::came_back>() || content.match_elements<msg::has_left>() ||
           content.match_elements<msg::vanished>() || x.mid.is_response();
  }
  if (phase_ != phase::ready)
    return false;
  // A session's end must not overtake what it sent before.
  auto is_of_sessions = content.match_elements<msg::sent>() || content.match_elements<msg::detach>() ||
                        content.match_elements<msg::attach>() || content.match_elements<msg::has_left>() ||
                        content.match_elements<msg::vanished>();
  auto is_of_others = content.match_elements<msg::deliver>() || content.match_elements<msg::show>() ||
                      content.match_elements<msg::deliver_for_good>();
  if (content.match_elements<msg::has_left>() && is_returning(content.get_as<msg::has_left>(0).session_id))
    return false;
  // What one that was replaced has sent comes before its end, and that before what is waited for.
  auto is_of_returning =
      (content.match_elements<msg::detach>() && is_returning(content.get_as<msg::detach>(0).session_id)) ||
      (content.match_elements<msg::sent>() && is_returning(content.get_as<msg::sent>(0).session_id));
  if (returning_ && (is_of_others || is_of_sessions) && !is_of_returning) {
    limit_return();
    return true;
  }
  auto own_must_wait = is_removing_ || tidying_ || before_next_ != 0 || pending_.size() >= pending_max;
  return (own_must_wait && is_of_sessions) ||
         (is_removing_ && (is_for_account() || content.match_elements<msg::came_back>())) ||
         (tidying_ && (is_for_account() || content.match_elements<msg::deliver_for_good>()));
}

void user::restart() {
  foreign_bytes_ = 0;
  turn_ = nullptr;
  // Nobody who waits for an answer waits for ever.
  reload_when_drained_ = true;
  for (auto lost = std::exchange(pending_, {}); !lost.empty();)
    finish(lost.pop_front(), errc::internal_server_error);
  fail_reads();
  is_removing_ = would_retire_ = false;
  offline_expires_ms_ = 0;
  if (!gathering_)
    gathering_ = std::make_unique<gathering>();
  gathering_->awaited.clear();
  auto& known = gathering_->sessions;
  known.insert(known.end(), bound_.begin(), bound_.end());
  std::erase_if(known, [](auto& one) { return one.node == 0; }); // Those of this node are looked for.
  views_.clear();
  bound_.clear();
  roster_ = {};
  blocks_ = nullptr;
  returning_ = nullptr;
  offline_flush_ = offline_flush_to_ = offline_page_with_ = 0;
  anonymous_ = false; // until its session says so
  reload_when_drained_ = false;
  is_busy();
  load(true);
}

void user::on_stop(const std::string&) {
  for (auto& one : bound_)
    send(one.actor, msg::end_stream{errc::internal_server_error});
}

bool user::is_idle() const {
  return bound_.empty() && pending_.empty() && reads_.empty() && before_next_ == 0 && !is_removing_ &&
         phase_ == phase::ready;
}

void user::retire() {
  would_retire_ = false;
  auto ends = is_idle() && !std::exchange(returning_, nullptr); // What may wait for that is handled next.
  send(server_.route.shard(shard_), msg::retired{account_, ends});
  if (ends)
    return quit();
  is_busy(); // Its shard does not look at it any more.
  note_idleness();
}

/// What is under way ends first: then it is known what became of it.
void user::lose() {
  loses_ = true;
  if (pending_.empty() || phase_ == phase::loading)
    lost();
}

void user::lost() {
  if (hands_back_) { // All that waited has gone before.
    send(server_.route.shard(shard_), msg::retired{account_, true});
    return quit();
  }
  fail_reads();
  if ((before_next_ != 0 || is_removing_) && server_.node) // Who waits for an answer that comes too late hears of it.
    server_.node->note_loss();
  is_busy();
  hands_back_ = true;
  send(this, msg::lose{});
}

caf::invoke_message_result user::consume(caf::mailbox_element& x) {
  auto& content = x.content();
  if (!hands_back_ || content.match_elements<msg::lose>() || content.match_elements<msg::describe>() ||
      content.match_elements<caf::exit_msg>())
    return supervised::consume(x);
  if (!x.mid.is_response() && remote::number_of(content) != 0)
    send(server_.route.shard(shard_), msg::unhandled{x.sender, x.mid, x.move_content_to_message()});
  return caf::invoke_message_result::consumed;
}

void user::note_idleness() {
  if (loses_)
    return;
  if (!is_idle())
    is_busy();
  else if (!exists_) { // Nothing to keep, and anybody can make us start one of these.
    if (!std::exchange(would_retire_, true))
      send(server_.route.shard(shard_), msg::may_retire{account_});
  } else if (idle_since_ms() == 0)
    server_.idle[shard_].add(*this, now_ms());
}

void user::estimate_memory() {
  auto bytes = sizeof(user) + account_.text().size() + 16;
  for (auto& one : roster_.items) {
    bytes += sizeof one + one.contact.text().size() + 16 + one.name.capacity();
    for (auto& group : one.groups)
      bytes += sizeof group + group.capacity();
  }
  for (auto& one : views_)
    bytes += sizeof one + sizeof(bound) + one.full.text().size() + 16;
  memory_bytes.store(std::uint32_t(std::min<std::size_t>(bytes, UINT32_MAX)), std::memory_order_relaxed);
}

const host* user::own_host() const {
  return server_.live()->find_host(account_.domain());
}

msg::description user::describe() const {
  static constexpr std::string_view phases[] = {"loading", "gathering", "ready"};
  auto result = msg::description{};
  auto add = [&](const char* name, auto value) {
    if constexpr (std::is_arithmetic_v<decltype(value)>)
      result.fields.emplace_back(name, std::to_string(value));
    else
      result.fields.emplace_back(name, std::string{value});
  };
  add("account", account_.text());
  add("exists", exists_ ? "yes" : "no");
  add("phase", phases[std::size_t(phase_)]);
  add("shard", shard_);
  add("roster items", roster_.items.size());
  add("roster version", roster_.version);
  add("pending requests", roster_.pending.size());
  add("blocked", blocks_ ? blocks_->size() : std::size_t{0});
  add("offline messages", offline_.messages);
  add("offline bytes", offline_.bytes);
  for (auto& one : bound_)
    if (offline_flush_ != 0 && one.id == offline_flush_to_)
      add("offline messages go to", views_[std::size_t(&one - bound_.data())].full.resource());
  add("commits under way", pending_.size());
  add("bytes of others that wait", held_bytes_);
  for (auto& one : views_)
    add("session", std::string{one.full.resource()} +
                       (one.available ? ", priority " + std::to_string(one.priority) : ", not available"));
  return result;
}

// -- sessions --------------------------------------------------------------------------------------------------------

msg::attached user::attach(const msg::attach& x) {
  auto* home = own_host();
  if (x.anonymous && !exists_)
    exists_ = anonymous_ = true;
  // Or somebody else's, who had this name before.
  if (!home || !exists_ || disabled_ || (!anonymous_ && x.created_ms != created_ms_)) {
    note_idleness();
    return {errc::not_allowed};
  }
  auto resource = x.resource;
  if (!resource.empty())
    if (auto taken = find_session(resource))
      switch (server_.live()->options.c2s.conflict) {
      case conflict_policy::refuse:
        return {errc::conflict};
      case conflict_policy::rename:
        resource.clear();
        break;
      case conflict_policy::replace:
        send(bound_[*taken].actor, msg::end_stream{errc::conflict, "replaced by a new session"});
        awaits(*taken);
        drop_session(*taken);
        break;
      }
  if (bound_.size() >= home->options.resources_max)
    return {errc::resource_constraint};
  if (resource.empty())
    resource = random_text(16);
  auto full = account_.with_resource(resource);
  bind(x);
  views_.push_back({full, false, 0, false, false, 0, {}});
  estimate_memory();
  note_idleness();
  return {errc::none, std::move(full), ctrl(), blocks_};
}

void user::bind(const msg::attach& x) {
  bound_.push_back({x.session->actor, x.session_id, x.node});
  if (x.node == 0)
    return;
  set_down_handler(
      [](caf::scheduled_actor* me, caf::down_msg& x) { static_cast<user*>(me)->session_is_gone(x.source); });
  monitor(x.session->actor);
}

/// With its node, or the link to that.
void user::session_is_gone(const caf::actor_addr& which) {
  auto is_it = [&](const bound& one) { return one.actor.address() == which; };
  if (auto i = std::find_if(bound_.begin(), bound_.end(), is_it); i != bound_.end())
    return end_session(std::size_t(i - bound_.begin()));
  if (returning_) {
    auto& left = returning_->sessions;
    if (auto i = std::find_if(left.begin(), left.end(), is_it); i != left.end())
      return has_left(i->id);
  }
  if (!gathering_)
    return;
  auto& known = gathering_->sessions;
  if (auto i = std::find_if(known.begin(), known.end(), is_it); i != known.end())
    is_gathered(i->id);
}

void user::is_gathered(std::uint64_t session_id) {
  if (!gathering_)
    return;
  std::erase_if(gathering_->sessions, [=](auto& one) { return one.id == session_id; });
  if (gathering_->awaited.erase(session_id) != 0 && gathering_->awaited.empty())
    become_ready();
}

errc user::attach_again(const msg::attach& x) {
  if (x.anonymous)
    exists_ = anonymous_ = true;
  auto is_its_own = exists_ && (anonymous_ || x.created_ms == created_ms_); // Else it was removed, perhaps made anew.
  auto full = account_.with_resource(x.resource);
  auto other = find_session(x.resource);
  auto is_taken = is_its_own && other && bound_[*other].id != x.session_id; // While nobody could say so.
  if (is_its_own && !other) {
    bind(x);
    views_.push_back({full, x.available, x.priority, x.interested, x.wants_blocks, 0, x.presence});
  }
  auto is_new = is_its_own && !other;
  if (phase_ == phase::ready && is_new && x.tells && x.available)
    own_presence({x.presence, full, {}}, views_.size() - 1, false);
  else if (phase_ == phase::ready && is_new && x.tells)
    has_gone(full);
  else if (phase_ == phase::ready && !views_.empty() && takes_messages(views_.back()))
    deliver_offline(views_.size() - 1); // It comes later than was waited for: some may have been stored meanwhile.
  is_gathered(x.session_id);
  estimate_memory();
  note_idleness();
  return is_taken ? errc::conflict : is_its_own ? errc::none : errc::not_authorized;
}

void user::detach(const msg::detach& x) {
  is_gathered(x.session_id);
  tell_directed(x.directed,
                stanza{xml::builder{"presence", ns::client}.attribute("type", "unavailable").finish(), x.full, jid{}});
  if (auto i = find_session(x.full, x.session_id)) {
    awaits(*i);
    return end_session(*i);
  }
  page_is_lost_with(x.session_id);
  if (phase_ == phase::gathering) // Else those that have not come yet would not hear of it.
    gathering_->ended.push_back({x.full, x.session_id, {}, x.was_available});
  else
    unknown_has_ended(x);
}

void user::awaits(std::size_t index) {
  if (!returning_)
    returning_ = std::make_unique<returning>();
  returning_->sessions.push_back(bound_[index]);
}

/// They may fail, or their node, before they can say so.
void user::limit_return() {
  if (std::exchange(returning_->has_limit, true))
    return;
  later(return_max, [this, number = ++return_limits_](errc) {
    if (returning_ && returning_->has_limit && number == return_limits_)
      returning_ = nullptr;
  });
}

bool user::is_returning(std::uint64_t session_id) const {
  auto is_it = [=](const bound& one) { return one.id == session_id; };
  return returning_ && std::any_of(returning_->sessions.begin(), returning_->sessions.end(), is_it);
}

void user::has_left(std::uint64_t session_id) {
  auto is_it = [=](const bound& one) { return one.id == session_id; };
  if (returning_ && std::erase_if(returning_->sessions, is_it) != 0 && returning_->sessions.empty())
    returning_ = nullptr;
}

void user::unknown_has_ended(const msg::detach& x) {
  // Or it was replaced: then somebody else has its name.
  if (x.was_available && exists_ && !find_session(x.full.resource()) && !server_.sessions.has(x.full))
    has_gone(x.full);
  note_idleness();
}

void user::vanished(const jid& full) {
  auto other = find_session(full.resource()); // Its client has come back under the same name.
  if (!exists_)
    note_shown(full, false);
  else if (!other || !views_[*other].available)
    has_gone(full);
  if (exists_ && bound_.empty())
    keep_last_activity();
  note_idleness();
}

void user::has_gone(const jid& full) {
  note_last_words({});
  broadcast({xml::builder{"presence", ns::client}.attribute("type", "unavailable").finish(), full, jid{}});
  note_shown(full, false);
}

void user::note_shown(const jid& full, bool is_there) {
  if (server_.is_in_cluster)
    send(server_.route.shard(shard_), msg::shown{full, is_there});
}

void user::end_session(std::size_t index) {
  auto ended = bound_[index].id;
  drop_session(index);
  page_is_lost_with(ended);
}

void user::drop_session(std::size_t index) {
  auto dropped = bound_[index].id;
  auto view = std::move(views_[index]);
  views_.erase(views_.begin() + std::ptrdiff_t(index));
  bound_.erase(bound_.begin() + std::ptrdiff_t(index));
  if (view.available)
    has_gone(view.full);
  if (bound_.empty() && anonymous_) { // Nothing of it may stay.
    anonymous_ = false;
    remove_everything([](errc) {});
  } else if (bound_.empty() && exists_) {
    keep_last_activity();
  }
  if (offline_flush_to_ == dropped) // What becomes of the page that it has shows first.
    offline_flush_to_ = next_for_offline(dropped);
  estimate_memory();
  note_idleness();
}

void user::keep_last_activity() {
  commit(last_activity_now(), [](errc) {});
}

write_set user::last_activity_now() {
  if (!last_activity_)
    note_last_words({});
  auto changes = write_set{};
  accounts::put_last_activity(changes, place(), *last_activity_);
  return changes;
}

/// The status that the account's last unavailable presence left (XEP-0012, 4).
void user::note_last_words(std::string status) {
  if (!last_activity_)
    last_activity_ = std::make_unique<last_activity_record>();
  last_activity_->ms = now_ms();
  last_activity_->status = std::move(status);
}

/// Contacts who see the account's presence have been told by the broadcast.
void user::tell_directed(const std::vector<jid>& directed, stanza gone) {
  for (auto& to : directed)
    if (!roster_.is_subscriber(to.bare_text()) && to.bare_text() != account_.text()) {
      gone.to = to;
      show(gone);
    }
}

std::optional<std::size_t> user::find_session(std::string_view resource) const {
  for (auto i = std::size_t{0}; i < views_.size(); ++i)
    if (views_[i].full.resource() == resource)
      return i;
  return std::nullopt;
}

std::optional<std::size_t> user::find_session(const jid& full, std::uint64_t id) const {
  for (auto i = std::size_t{0}; i < views_.size(); ++i)
    if (bound_[i].id == id && views_[i].full == full)
      return i;
  return std::nullopt;
}

void user::to_session(std::size_t index, stanza x, const msg::session_ids& copies) {
  send(bound_[index].actor, msg::deliver{std::move(x), copies});
}

void user::to_sessions(const stanza& x, bool (*wanted)(const session_view&)) {
  for (auto i = std::size_t{0}; i < views_.size(); ++i)
    if (wanted(views_[i]))
      to_session(i, x);
}

// -- durable changes -------------------------------------------------------------------------------------------------

bool user::commit(write_set changes, continuation then) {
  if (changes.empty()) {
    after_commits(std::move(then));
    return true;
  }
  if (exists_ && !is_removing_)
    return submit(std::move(changes), std::move(then));
  if (pending_.empty())
    then(errc::item_not_found);
  else
    pending_.push_back({next_ticket_++, std::move(then), errc::item_not_found, {}, {}, {}, held_now()});
  return false;
}

bool user::submit(write_set changes, continuation then) {
  auto ticket = next_ticket_++;
  auto x = command{server_.origin(id()), ticket, std::move(changes)};
  auto taken = server_.replicas[shard_]->submit(
      x, [self = caf::actor_cast<user_actor>(ctrl()), ticket](const result<std::uint64_t>& index) {
        send_from_here(self, msg::committed{ticket, index.code()});
      });
  if (!taken) {
    count(metrics::instance().commits_failed);
    refused_ = taken.code();
    if (pending_.empty()) {
      then(taken.code());
      note_idleness();
      return false;
    }
  }
  pending_.push_back({ticket, std::move(then), taken.code(), {}, {}, turn_, held_now()});
  note_idleness();
  return bool(taken);
}

void user::committed(const msg::committed& x) {
  if (pending_.empty() || pending_.front().ticket != x.ticket)
    return; // of a former life
  count(x.failure == errc::none ? metrics::instance().commits : metrics::instance().commits_failed);
  if (x.failure != errc::none)
    reload_when_drained_ = true;
  finish(pending_.pop_front(), x.failure);
  while (!pending_.empty() && pending_.front().failure != errc::none) {
    auto failure = pending_.front().failure;
    finish(pending_.pop_front(), failure);
  }
  if (loses_)
    return pending_.empty() ? lost() : void();
  if (pending_.empty() && std::exchange(reload_when_drained_, false))
    return reload();
  note_idleness();
}

void user::finish(pending one, errc failure) {
  waiting_for_commits_ -= std::uint32_t(one.after.size());
  held_bytes_ -= one.bytes;
  turn_ = std::move(one.turn);
  one.then(failure);
  turn_ = nullptr;
  for (auto& then : one.after)
    then(failure);
  for (auto& contact : one.contacts)
    let_through(contact, one.ticket);
}

void user::after_commits(continuation then) {
  if (pending_.empty())
    return then(errc::none);
  pending_.back().after.push_back([this, then = std::move(then), turn = turn_](errc failure) {
    then(failure == errc::none && reload_when_drained_ ? errc::internal_server_error : failure);
  });
  pending_.back().bytes += held_now();
  ++waiting_for_commits_;
}

void user::read(std::function<void(const reader&, msg::was_read&)> read, read_continuation then) {
  auto ticket = next_ticket_++;
  auto answer = std::make_shared<msg::was_read>();
  answer->ticket = ticket;
  // What is in memory needs no thread, unless own changes are still on their way.
  if (pending_.empty()) {
    read(server_.replicas[shard_]->cached(), *answer);
    if (answer->failure != errc::would_block)
      return then(*answer);
    *answer = {ticket};
  }
  auto task = [self = caf::actor_cast<user_actor>(ctrl()), read = std::move(read), answer](const reader& from) {
    read(from, *answer);
    send_from_here(self, std::move(*answer));
  };
  auto& store = *server_.replicas[shard_];
  if (auto taken = pending_.empty() ? store.read(std::move(task)) : store.read_after(std::move(task)); !taken) {
    answer->failure = taken.code();
    return then(*answer);
  }
  reads_.emplace_hint(reads_.end(), ticket, pending_read{std::move(then), turn_, held_now()});
  note_idleness();
}

void user::when_current(continuation then) {
  if (!server_.is_in_cluster)
    return then(errc::none);
  auto ticket = next_ticket_++;
  auto told = [then = std::move(then)](const msg::was_read& x) {
    then(x.failure == errc::none ? errc::none : errc::remote_server_timeout);
  };
  reads_.emplace_hint(reads_.end(), ticket, pending_read{std::move(told), turn_, held_now()});
  server_.replicas[shard_]->read_index([self = caf::actor_cast<user_actor>(ctrl()), ticket](const result<void>& how) {
    auto answer = msg::was_read{ticket};
    answer.failure = how.code();
    send_from_here(self, std::move(answer));
  });
}

void user::fail_reads() {
  for (auto& [ticket, one] : std::exchange(reads_, {})) {
    held_bytes_ -= one.bytes;
    auto failed = msg::was_read{ticket};
    failed.failure = errc::internal_server_error;
    one.then(failed);
  }
}

void user::was_read(const msg::was_read& x) {
  auto found = reads_.extract(x.ticket);
  if (!found)
    return;
  auto one = std::move(found.mapped());
  held_bytes_ -= one.bytes;
  turn_ = std::move(one.turn);
  foreign_bytes_ = one.bytes;
  one.then(x);
  foreign_bytes_ = 0;
  turn_ = nullptr;
  note_idleness();
}

// -- the account itself ----------------------------------------------------------------------------------------------

caf::result<msg::found> user::lookup() {
  auto promise = make_response_promise<msg::found>();
  when_current([this, promise](errc failure) mutable {
    if (failure == errc::none)
      look_up(std::move(promise));
    else
      promise.deliver(msg::found{failure});
  });
  return promise;
}

void user::look_up(caf::typed_response_promise<msg::found> promise) {
  auto answer = msg::found{};
  answer.exists = exists_ && !anonymous_; // Nobody else signs in to that.
  answer.enabled = !disabled_;
  answer.created_ms = created_ms_;
  if (!answer.exists) {
    note_idleness();
    promise.deliver(std::move(answer));
    return;
  }
  if (!credentials_.empty()) {
    answer.credentials = std::exchange(credentials_, {});
    promise.deliver(std::move(answer));
    return;
  }
  read(
      [at = place()](const reader& from, msg::was_read& to) {
        auto record = accounts::find(from, at);
        to.failure = record.code();
        if (record && *record)
          to.value = (*record)->credentials;
      },
      [promise, answer](const msg::was_read& x) mutable {
        answer.failure = x.failure;
        answer.credentials = x.value.value_or(std::string{});
        promise.deliver(std::move(answer));
      });
}

caf::result<msg::outcome> user::set_credentials(const msg::set_credentials& x) {
  if (x.create == exists_ || anonymous_) { // A guest is no account, and stays none.
    note_idleness();
    return msg::outcome{x.create ? errc::conflict : errc::item_not_found};
  }
  auto created_ms = x.create ? std::max(now_ms(), created_ms_ + 1) : created_ms_;
  auto version = x.create ? std::uint64_t(created_ms) : roster_.version; // no client's copy of a predecessor's fits
  auto changes = write_set{};
  accounts::put(changes, place(), {created_ms, disabled_, x.credentials});
  if (x.create)
    rosters::put_version(changes, place(), version);
  credentials_.clear();
  auto promise = make_response_promise<msg::outcome>();
  if (submit(std::move(changes), [promise](errc failure) mutable { promise.deliver(msg::outcome{failure}); })) {
    exists_ = true;
    created_ms_ = created_ms;
    roster_.version = version;
  }
  return promise;
}

caf::result<msg::outcome> user::remove_account() {
  if (!exists_) {
    note_idleness();
    return msg::outcome{errc::item_not_found};
  }
  auto promise = make_response_promise<msg::outcome>();
  remove_everything([promise](errc failure) mutable { promise.deliver(msg::outcome{failure}); });
  return promise;
}

/// First its contacts are told, and have it for good, as if each item had been removed (RFC 6121, 2.5): were the
/// account gone before, nobody could tell them after a crash. If this ends in between, the removal can be asked for
/// again. Nor do they hear of it before they have heard of what is being committed now.
void user::remove_everything(std::function<void(errc)> then, std::optional<stanza> goodbye) {
  is_removing_ = true;
  after_commits([this, x = removal_under_way{std::move(then), std::move(goodbye)}](errc failure) {
    if (failure != errc::none)
      return end_removal(x, failure);
    auto ends = std::vector<stanza>{};
    for (auto& item : roster_.items) {
      if (has_to(item.subscription) || item.ask)
        ends.push_back(subscription_stanza(stanza_type::unsubscribe, account_, item.contact));
      if (has_from(item.subscription))
        ends.push_back(subscription_stanza(stanza_type::unsubscribed, account_, item.contact));
    }
    for (auto& request : roster_.pending) // Else it would wait, and whoever takes the name could grant it.
      ends.push_back(subscription_stanza(stanza_type::unsubscribed, account_, request.contact));
    // Nobody is told while the disk takes nothing.
    submit(last_activity_now(), [this, ends = std::move(ends), x](errc failure) {
      failure == errc::none ? tell_of_removal(ends, x) : end_removal(x, failure);
    });
  });
}

void user::tell_of_removal(std::vector<stanza> ends, removal_under_way x) {
  is_removing_ = true; // Perhaps this actor has lost its state meanwhile.
  tell_for_good(ends, [this, ends, x](errc failure) {
    if (failure == errc::none)
      return erase_everything(x);
    try_again_or_end(x, failure, [this, ends](const removal_under_way& again) { tell_of_removal(ends, again); });
  });
}

void user::erase_everything(removal_under_way x) {
  is_removing_ = true;
  auto changes = write_set{};
  accounts::erase(changes, place());
  submit(std::move(changes), [this, x](errc failure) {
    if (failure == errc::none) {
      is_removing_ = false;
      removed(x.goodbye);
      x.then(failure);
      return note_idleness();
    }
    try_again_or_end(x, failure, [this](const removal_under_way& again) { erase_everything(again); });
  });
}

/// While the disk fails: who has been told already would be no contact any more while the account took it for one.
void user::try_again_or_end(removal_under_way x, errc failure, std::function<void(const removal_under_way&)> again) {
  auto may_pass = failure == errc::resource_constraint || failure == errc::internal_server_error;
  if (!may_pass || ++x.failures > removal_tries_max)
    return end_removal(x, failure);
  later(removal_again_after, [this, x, again = std::move(again)](errc interrupted) {
    interrupted == errc::none ? again(x) : end_removal(x, interrupted);
  });
}

void user::end_removal(const removal_under_way& x, errc failure) {
  is_removing_ = false;
  x.then(failure);
  note_idleness();
}

void user::removed(const std::optional<stanza>& goodbye) {
  if (goodbye)
    route(*goodbye);
  exists_ = false; // from here on nothing more is stored
  offline_flush_ = 0;
  fail_reads();
  while (!views_.empty()) {
    auto actor = bound_.back().actor;
    drop_session(views_.size() - 1);
    send(actor, msg::end_stream{errc::not_authorized, "the account was removed"});
  }
  roster_ = {};
  blocks_ = nullptr;
  offline_ = {};
  last_activity_ = nullptr;
  credentials_.clear();
}

} // namespace xmpp
