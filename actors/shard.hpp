// SHARD: one slice of all accounts. It starts their users on demand, is their supervisor, and retires idle ones.
#pragma once

#include "actors/context.hpp"
#include "actors/restart_policy.hpp"
#include "actors/supervised.hpp"
#include "protocol/hash.hpp"

#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>
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
  struct entry {
    user_actor actor;
    /// What has come for it since it was asked to end. Null: it was not asked.
    std::unique_ptr<std::vector<std::function<void()>>> held = {};
  };
  /// The account's user, started if need be.
  entry& user_of(const jid& account);
  template <class Message>
  void pass(const Message& x, const jid& account);
  template <class Answer, class Message>
  caf::result<Answer> ask(const Message& x, const jid& account);
  void deliver(const msg::deliver& x);
  caf::result<msg::detached> detach(const msg::detach& x);
  void ask_to_retire(const jid& account);
  void retired(const msg::retired& x);
  user_actor start_user(const jid& account, bool behind_pending);
  void child_failed(const msg::child_failed& x);

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
};

} // namespace xmpp
