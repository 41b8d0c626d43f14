// SHARD: one slice of all accounts. It starts their users on demand, is their supervisor, and retires idle ones.
//
// In a cluster one node serves a shard; the others' actors of that shard pass on to it what comes. When who serves it
// changes, each of them holds what comes until its own sessions have attached to the new one, and that one until the
// sessions of all nodes have: so that nothing is handled as if they were not there. What is held is bounded, in number
// and in time; beyond that it is refused.
//
// Two sources: shard.cpp, shard_presence.cpp (what contacts see of its sessions, and who else must know that).
#pragma once

#include "actors/context.hpp"
#include "actors/present_sessions.hpp"
#include "actors/restart_policy.hpp"
#include "actors/supervised.hpp"
#include "protocol/hash.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace xmpp {

class shard : public supervised<shard_actor> {
public:
  shard(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server, shard_id index);

  behavior_type make_behavior() override;

protected:
  void restart() override;
  void on_stop(const std::string& reason) override;
  msg::description describe() const override;
  void on_exit_message(caf::exit_msg& x) override;
  void on_exit() override;

private:
  /// What waits: goes on, or is refused.
  using held = std::function<void(errc)>;
  struct queue {
    std::vector<held> all;
    std::size_t bytes = 0; ///< Of the stanzas among them.
  };
  struct entry {
    user_actor actor;
    /// What has come for it since it was asked to end. Null: it was not asked.
    std::unique_ptr<queue> held = {};
  };
  static void release(queue x, errc why);
  static bool has_room(const entry& x, std::size_t bytes);
  /// The account's user, started if need be.
  entry& user_of(const jid& account);
  void ask_to_retire(const jid& account);
  void retired(const msg::retired& x);
  void unhandled(const msg::unhandled& x);
  user_actor start_user(const jid& account, bool behind_pending);
  void child_failed(const msg::child_failed& x);

  // -- to whoever serves the account --
  template <class Message>
  void pass(const Message& x, const jid& account);
  template <class Answer, class Message>
  caf::result<Answer> ask(const Message& x, const jid& account);
  caf::result<msg::attached> attach(const msg::attach& x);
  caf::result<msg::detached> detach(const msg::detach& x);
  void has_left(const msg::has_left& x);
  bool forwards();
  errc refusal() const;
  void refuse(const stanza& x, errc why);

  // -- when that changes --
  enum class duty : std::uint8_t {
    serves,
    forwards,
    registers, ///< Its sessions attach to who serves it.
    waits,     ///< For somebody to serve it, or for its own users to end.
    refuses    ///< It has waited for too long.
  };
  static std::string_view name_of(duty x) noexcept;
  bool is_served_here() const noexcept { return served_.node != 0 && !served_.elsewhere; }
  shard_actor elsewhere() const { return caf::actor_cast<shard_actor>(served_.elsewhere); }
  void served(const msg::served& x);
  void user_has_left(const caf::actor_addr& who);
  void go_on();
  void session_has_registered(std::uint64_t session_id);
  void registered(const msg::registered& x);
  void all_may_have_registered();
  void waited(const msg::waited& x);
  void begin_wait(duty what, std::chrono::milliseconds time);
  void let_through(errc why);

  // -- shard_presence.cpp: what contacts see --
  struct heir {
    caf::strong_actor_ptr actor;
    jid last = {}; ///< Of the pieces it was sent.
    bool knows_all = false;
  };
  void shown(const msg::shown& x);
  void tell_heirs(const jid& full, bool is_there);
  bool surprises(const msg::attach& x);
  void heritage(const msg::heritage& x);
  void give_heritage_back();
  void name_heirs(const std::vector<std::pair<std::uint64_t, caf::strong_actor_ptr>>& heirs);
  void serves_from_now_on();
  void go_on_bit_by_bit();
  void pace(const msg::pace& x);
  void send_piece(heir& to);
  void tell_vanished(const jid& full);

  server_context& server_;
  shard_id index_;
  // Keyed by a view into the user's own address: no second copy of the text.
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view x) const noexcept { return keyed_hash{}(x); }
    std::size_t operator()(const jid& x) const noexcept { return keyed_hash{}(x.text()); }
  };
  struct equal {
    using is_transparent = void;
    static std::string_view text(std::string_view x) noexcept { return x; }
    static std::string_view text(const jid& x) noexcept { return x.text(); }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept {
      return text(a) == text(b);
    }
  };
  std::unordered_map<jid, entry, hash, equal> users_;
  std::unordered_map<caf::actor_id, restart_history> failures_; ///< Of those that failed of late.

  duty duty_ = duty::serves;
  msg::served served_;
  std::uint64_t wait_ = 0;                                ///< Counts them.
  std::unordered_map<caf::actor_id, user_actor> leaving_; ///< Users that end because it is not served here any more.
  std::unordered_set<std::uint64_t> registering_;         ///< Sessions of this node.
  std::set<std::uint64_t> awaited_;                       ///< Nodes.
  queue held_;                                            ///< While nobody serves it, or not yet.
  queue left_;                                            ///< By those that leave: it comes before that.

  present_sessions present_;
  bool knows_presence_ = false; ///< These are all, and not just those that were heard of so far.
  bool warned_of_presence_ = false;
  std::uint64_t heritage_term_ = 0, heritage_of_ = 0; ///< Of who said so last.
  std::map<std::uint64_t, heir> heirs_;               ///< Served here: by node.
  std::uint64_t paced_term_ = 0;                      ///< A `pace` of that term is under way. 0: none.
  unsigned grace_ = 0;                                ///< Of these, until the doubtful are gone.
};

} // namespace xmpp
