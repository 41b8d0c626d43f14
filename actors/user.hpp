// USER: one account. It owns its sessions, its roster and its delivery; what must survive it commits before it shows
// it.
//
// One actor, four sources: user.cpp (its life: start, sessions, commits, end), user_delivery.cpp (stanzas that arrive,
// offline messages), user_presence.cpp (presence and probes), user_roster.cpp (roster and subscriptions),
// user_requests.cpp (the account's iq and the extensions' hooks).
#pragma once

#include "actors/context.hpp"
#include "actors/fifo.hpp"
#include "actors/idle_queue.hpp"
#include "actors/supervised.hpp"
#include "persistence/accounts.hpp"
#include "persistence/ids.hpp"
#include "protocol/blocklist.hpp"
#include "protocol/delivery.hpp"
#include "protocol/roster.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace xmpp {

class user final : public supervised<user_actor>, public idle_hook {
public:
  /// `behind_pending`: a predecessor may have changes under way; its records are read behind them.
  user(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server, shard_id shard, jid account,
       bool behind_pending);

  behavior_type make_behavior() override;
  const jid& account() const noexcept { return account_; }

  // For its shard, which counts what it sends here of others' stanzas; any thread.
  void expects(const stanza& x) noexcept { coming_bytes_.fetch_add(bytes_of(x), std::memory_order_relaxed); }
  std::size_t coming_bytes() const noexcept {
    return std::size_t(std::max(coming_bytes_.load(std::memory_order_relaxed), 0));
  }

  // For the shard's `idle_queue`.
  void hold() noexcept { caf::intrusive_ptr_add_ref(ctrl()); }
  void let_go() noexcept { caf::intrusive_ptr_release(ctrl()); }

protected:
  void restart() override;
  void on_stop(const std::string& reason) override;
  msg::description describe() const override;
  bool must_wait(caf::mailbox_element& x) override;
  caf::invoke_message_result consume(caf::mailbox_element& x) override;

private:
  /// In a handler of `make_behavior`.
  static user& self() noexcept { return current<user>(); }
  static std::int32_t bytes_of(const stanza& x) noexcept { return std::int32_t(x.tree.bytes().size()); }
  /// What it expected is here.
  void has_come(const stanza& x) noexcept { coming_bytes_.fetch_sub(bytes_of(x), std::memory_order_relaxed); }

  /// It needs its records; then, after a restart, its sessions; then it serves.
  enum class phase : std::uint8_t { loading, gathering, ready };

  // -- user.cpp: life --
  void load(bool behind_pending);
  /// What is durable, anew: a change that memory had already has failed. The sessions stay.
  void reload();
  void loaded(const msg::loaded& x);
  void become_ready();
  bool is_idle() const;
  void retire();
  void lose();
  void lost();
  void note_idleness();
  void estimate_memory();
  const host* own_host() const;
  account_place place() const { return {shard_, account_}; }

  // -- user.cpp: sessions --
  struct bound {
    session_actor actor;
    std::uint64_t id = 0;   ///< The session's own number.
    std::uint64_t node = 0; ///< 0: this one.
  };
  msg::attached attach(const msg::attach& x);
  /// `not_authorized`: its account is not there any more; `conflict`: another one has its resource.
  errc attach_again(const msg::attach& x);
  void bind(const msg::attach& x);
  void session_is_gone(const caf::actor_addr& which);
  /// It has attached again, or has ended: it is waited for no more.
  void is_gathered(std::uint64_t session_id);
  void detach(const msg::detach& x);
  /// What it has been sent may come back: what comes now waits behind that.
  void awaits(std::size_t index);
  void limit_return();
  void has_left(std::uint64_t session_id);
  bool is_returning(std::uint64_t session_id) const;
  /// It ended while this actor had lost its state.
  void unknown_has_ended(const msg::detach& x);
  /// Drops it, and waits for nothing of it.
  void end_session(std::size_t index);
  /// Contacts see it, and it has gone down with who knew of it.
  void vanished(const jid& full);
  void has_gone(const jid& full);
  /// To who else must know what contacts see. Before they are told that it is there, after they are told it is not: who
  /// hears only one of both tells them once too often rather than never.
  void note_shown(const jid& full, bool is_there);
  void keep_last_activity();
  write_set last_activity_now();
  /// Takes it out of the lists, and tells whoever saw it that it is gone.
  void drop_session(std::size_t index);
  void note_last_words(std::string status);
  void tell_directed(const std::vector<jid>& directed, stanza gone);
  std::optional<std::size_t> find_session(std::string_view resource) const;
  std::optional<std::size_t> find_session(const jid& full, std::uint64_t id) const;
  void to_session(std::size_t index, stanza x, const msg::session_ids& copies = {});
  /// To every session for which `wanted` holds.
  void to_sessions(const stanza& x, bool (*wanted)(const session_view&));

  // -- user.cpp: durable changes --
  using continuation = std::function<void(errc)>;
  struct pending {
    std::uint64_t ticket = 0;
    continuation then;
    errc failure = errc::none;             ///< Refused at once, but others are before it.
    std::vector<continuation> after = {};  ///< What only waits for it.
    std::vector<jid> contacts = {};        ///< Whose inbound subscription stanzas it ends; see `line`.
    std::shared_ptr<const void> turn = {}; ///< Of what it follows from.
    std::uint32_t bytes = 0;               ///< Of others' stanzas that all this holds.
  };
  /// What a contact has sent behind a subscription stanza that is being committed: stanzas keep their order (RFC 6120,
  /// 10.1). Subscription stanzas themselves do not wait, as what they change is in memory at once.
  struct line {
    struct place {
      std::uint64_t ticket = 0; ///< Of the commit that is waited for; 0: a stanza.
      msg::show what = {};
      std::function<void()> then = {};
      std::size_t bytes = 0; ///< Of the stanza, also of one that is committed.
    };
    std::deque<place> places;
    std::size_t bytes = 0;
  };
  /// Submits; `then` runs when it is committed or refused, in the order of the calls, and with an error if this actor
  /// loses its state before. Nothing to change: `then` runs behind what is under way.
  ///
  /// False: refused already, as all is while the disk fails. So memory is changed only behind a true: then nothing has
  /// to be read again, and a full disk costs no more than the refusals.
  ///
  /// An account that is not there, or is being removed, has nothing to change: `item_not_found`.
  bool commit(write_set changes, continuation then);
  /// As `commit`, for what makes or removes the account.
  bool submit(write_set changes, continuation then);
  void committed(const msg::committed& x);
  void finish(pending one, errc failure);
  /// Runs when all that is under way is committed, at once if nothing is; with an error if any of that failed.
  void after_commits(continuation then);
  using read_continuation = std::function<void(const msg::was_read&)>;
  /// Runs `read` where it may wait for the disk, behind all own changes.
  void read(std::function<void(const reader&, msg::was_read&)> read, read_continuation then);
  /// Runs when memory is known to be what all agree on; with an error if another node may serve the account by now,
  /// which this one need not have noticed: it may have stood still, or be cut off.
  void when_current(continuation then);
  void was_read(const msg::was_read& x);
  void fail_reads();

  // -- user.cpp: the account itself --
  caf::result<msg::found> lookup();
  void look_up(caf::typed_response_promise<msg::found> promise);
  caf::result<msg::outcome> set_credentials(const msg::set_credentials& x);
  caf::result<msg::outcome> remove_account();
  /// `goodbye`, if any, goes out before the streams end.
  void remove_everything(std::function<void(errc)> then, std::optional<stanza> goodbye = std::nullopt);
  struct removal_under_way {
    std::function<void(errc)> then;
    std::optional<stanza> goodbye;
    unsigned failures = 0;
  };
  void tell_of_removal(std::vector<stanza> ends, removal_under_way x);
  void erase_everything(removal_under_way x);
  void try_again_or_end(removal_under_way x, errc failure, std::function<void(const removal_under_way&)> again);
  void end_removal(const removal_under_way& x, errc failure);
  void removed(const std::optional<stanza>& goodbye);

  // -- sending --
  /// To whomever it is for: an account's shard, a host's own services, later another server.
  void route(stanza x);
  /// Runs some time later, with an error if this actor loses its state before.
  void later(std::chrono::milliseconds time, continuation then);
  /// To accounts here; `then` runs when what follows from it there is durable, or with an error.
  void tell_for_good(std::vector<stanza> what, continuation then);
  /// The error that answers `x`, if one is due.
  void refuse(const stanza& x, errc code, const element& application_condition = {});

  // -- user_delivery.cpp --
  /// `hidden_from`: sessions that do not get it.
  void deliver(const stanza& x, std::span<const jid> hidden_from = {});
  caf::result<msg::outcome> deliver_for_good(const stanza& x);
  void came_back(const msg::came_back& x);
  /// Whether another session has what came back from this one, or will give it back itself.
  bool has_it(std::uint64_t other, std::uint64_t session_id) const;
  /// Those whose link has just gone, before anybody could say so.
  void drop_unreachable();
  /// `then` runs when it has been handled, at once or when its turn has come; not when it is refused.
  bool take(const stanza& x, std::span<const jid> hidden_from, std::function<void()> then = {});
  /// Behind the hooks.
  bool take_checked(const stanza& x, std::span<const jid> hidden_from, std::function<void()> then);
  static std::size_t share_of(const stanza& x);
  bool has_room(const stanza& x) const;
  bool has_room(const line& in, const stanza& x) const;
  /// From here on `foreign_bytes_` are held, too.
  std::uint32_t held_now();
  void wait_for_commit(const jid& contact, const stanza& x);
  void let_through(const jid& contact, std::uint64_t ticket);
  void deliver_now(const stanza& x, std::span<const jid> hidden_from);
  msg::session_ids numbers_of(const session_indexes& sessions) const;
  void store_offline(const stanza& x, std::string_view only_for = {});
  void forget_expired();
  id_generator& ids();
  void deliver_offline(std::size_t session);
  /// Than that session, if anybody.
  void deliver_offline_to_another(std::uint64_t former);
  std::uint64_t next_for_offline(std::uint64_t former) const;
  /// That session has ended: what it has not said by now it will not say.
  void page_is_lost_with(std::uint64_t session);
  bool waits_behind_offline(const stanza& x, std::size_t session) const;
  void deliver_offline_page(const jid& to, std::uint64_t session, const stored_id& after);
  msg::deliver_stored still_wanted(const offline::page& page, const jid& to) const;
  bool erase_offline_page(const offline::page& page);

  // -- user_presence.cpp --
  void deliver_presence(const stanza& x);
  void own_presence(const stanza& x, std::size_t session, bool was_available);
  void broadcast(const stanza& x);
  /// As `route`, for a presence to a contact: not to those of its resources that are blocked.
  template <class F>
  void to_contacts(stanza x, F is_for);
  void show(stanza x);
  void show(stanza x, const blocklist* blocks);
  bool is_leaving(std::string_view contact) const;
  void answer_probe(const stanza& x);
  stanza last_presence(const session_view& of, jid to) const;
  void send_presence_to(const jid& contact, bool unavailable);
  void send_presence_to(const jid& contact, bool unavailable, const blocklist* blocks);

  // -- user_roster.cpp --
  void roster_get(const stanza& x);
  void roster_set(const stanza& x);
  void roster_remove(const stanza& x, const jid& contact);
  void roster_erase(const stanza& x, const jid& contact, bool was_seen = false);
  void push_roster(const element& query);
  void push_to(std::size_t session, const element& payload);
  void own_subscription(const stanza& x);
  void tell_contact_first(const stanza& x, const jid& contact);
  void inbound_subscription(const stanza& x);
  void apply(const transition& t, direction way, const jid& contact, const stanza& x, const stanza& asked);
  std::string words_of(const stanza& request) const;
  void deliver_pending_subscriptions(std::size_t session);

  // -- user_requests.cpp --
  void sent(const msg::sent& x);
  void handle(const msg::sent& x);
  void handle_checked(const msg::sent& x);
  void forward(const stanza& x);
  void forward_from(std::uint64_t node, const stanza& x);
  /// Whether the hooks on what a client sends let it pass; else it has been answered. It may have become another one.
  bool passes_hooks(stanza& x);
  void answer(const stanza& x);
  void answer_now(const stanza& x);
  void answer_with(const stanza& x, std::optional<std::string> record);
  void change_password(const stanza& x, const stanza& reply, std::string password);
  void set_blocks(const stanza& x, const stanza& reply, blocklist next, const element& push);
  friend class user_context;

  server_context& server_;
  const jid account_;
  const shard_id shard_;
  phase phase_ = phase::loading;
  bool anonymous_ = false;           ///< Ends with its session (XEP-0175).
  bool would_retire_ = false;        ///< And has said so.
  bool reload_when_drained_ = false; ///< A commit failed: memory is ahead of the store.
  bool loses_ = false;               ///< Somebody else serves the account; only what is under way is left.
  bool hands_back_ = false;          ///< And nothing of that is: what waits in the mailbox is for who serves it next.
  std::uint16_t gathering_ends_ = 0; ///< Messages under way that end a gathering; only the last one's is this one.
  std::uint64_t offline_flush_ = 0;  ///< The ticket of the one under way. 0: none.
  /// The number of the session that gets them; or that gets the rest, when the one that has a page is gone. 0: nobody
  /// has come yet.
  std::uint64_t offline_flush_to_ = 0;
  std::uint64_t offline_page_with_ =
      0;                      ///< The number of the session that has a page and has not said what became of it.
  bool offline_grew_ = false; ///< Since a page was last asked for.
  /// Expired messages are looked for: what comes for the account waits, and these are to be stored then. Null: not so.
  std::unique_ptr<std::vector<std::function<void()>>> tidying_;
  std::int64_t offline_expires_ms_ = 0; ///< Before that none that waits does. 0: not known.

  // -- durable state, as of the last commit submitted --
  bool exists_ = false;
  bool is_removing_ = false;      ///< All that comes for it waits for the outcome.
  std::uint16_t before_next_ = 0; ///< What must be over before the next thing that one's own devices ask for.
  std::vector<jid> leaving_;      ///< Contacts that hear of their removal: they see no presence any more.
  bool disabled_ = false;
  std::int64_t created_ms_ = 0;
  std::string credentials_; ///< Encoded; given to the first lookup, then read again when asked for.
  roster roster_;
  std::shared_ptr<const blocklist> blocks_;
  offline_summary offline_;
  std::unique_ptr<last_activity_record> last_activity_;
  std::optional<id_generator> ids_;

  // -- soft state --
  std::vector<session_view> views_; ///< One for each of `bound_`.
  std::vector<bound> bound_;
  /// From a restart until its sessions have attached again.
  struct gathering {
    std::vector<bound> sessions;     ///< That it knew of, and that have not come.
    std::set<std::uint64_t> awaited; ///< Their numbers.
    std::vector<msg::detach> ended;  ///< Who else ends meanwhile: to be told when all that see it are here.
  };
  std::unique_ptr<gathering> gathering_; ///< Null: no restart is under way.
  /// Sessions that have ended and not said yet that all has come back which they could not take. Null: none.
  struct returning {
    std::vector<bound> sessions;
    bool has_limit = false; ///< Something waits for them, but not for ever.
  };
  std::unique_ptr<returning> returning_;
  std::uint32_t return_limits_ = 0; ///< Only the last one counts.

  fifo<pending> pending_;
  errc refused_ = errc::none;                  ///< What was submitted last for the stanza that is being handled.
  std::uint32_t waiting_for_commits_ = 0;      ///< What `after` of all these hold, and all lines.
  std::uint32_t held_bytes_ = 0;               ///< Of others' stanzas that wait for commits, for the disk and in lines.
  std::unique_ptr<std::map<jid, line>> lines_; ///< Of contacts; null: none.
  std::shared_ptr<const void> turn_;           ///< Of what is being handled.
  struct pending_read {
    read_continuation then;
    std::shared_ptr<const void> turn = {};
    std::uint32_t bytes = 0; ///< As in `pending`.
  };
  std::map<std::uint64_t, pending_read> reads_; ///< By ticket.
  std::uint64_t next_ticket_ = 1;
  std::uint32_t foreign_bytes_ = 0;           ///< Of a stanza of somebody else, while it is being handled.
  std::atomic<std::int32_t> coming_bytes_{0}; ///< Of those in the mailbox.
};

} // namespace xmpp
