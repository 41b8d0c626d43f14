// A server that the shell's tests command: a fake backend, a few actors, a console that remembers.
#pragma once

#include "actors/shell/commands.hpp"
#include "actors/supervised.hpp"

#include <caf/all.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace xmpp::test {

/// Remembers what it was told to do.
class fake_backend : public shell_backend {
public:
  result<void> create_account(const jid& account, const std::string& password) override;
  result<void> set_password(const jid& account, const std::string& password) override;
  result<void> remove_account(const jid& account) override;
  result<fields> account_info(const jid& account) override;
  result<void> for_each_account(const std::function<bool(const jid&)>& visit) override;
  std::vector<std::string> hosts() override { return {"localhost", "example.org"}; }
  result<void> send_message(const jid& to, const std::string& text) override;
  result<std::size_t> announce(const std::string& text) override;
  fields log_levels() override { return {{"session", "info"}, {"storage", "warning"}}; }
  result<void> set_log_level(const std::string& component, const std::string& level) override;
  fields settings() override { return {{"c2s.write_timeout_s", "60"}, {"tls.ciphers", "ECDHE+AESGCM"}}; }
  fields waiting_settings() override { return waiting; }
  result<std::vector<std::string>> reload() override { return std::vector<std::string>{}; }
  result<std::vector<std::string>> drain() override { return std::vector<std::string>{"draining 3 sessions"}; }
  result<void> shutdown() override;
  result<backup_source> source_of_backup() override { return on_backup ? on_backup() : errc::item_not_found; }
  fields health() override { return {{"storage_queue_bytes", "2048"}, {"storage_state", "healthy"}}; }

  std::mutex mutex;
  std::map<std::string, std::string> accounts;
  std::vector<std::string> calls; ///< `send romeo@localhost: hi`
  std::function<void()> on_shutdown = {};
  std::function<result<backup_source>()> on_backup = {};
  fields waiting;
};

/// Collects what is written; answers and stops as told.
class fake_console : public shell::console {
public:
  shell::style look() const override { return how; }
  bool is_interactive() const override { return interactive; }
  bool has_screen() const override { return false; }
  void write(std::string_view text) override;
  void refresh(std::string_view text) override { output = text; }
  void fail(std::string_view text) override { errors.append(text).append("\n"); }
  bool write_bytes(std::string_view more) override {
    bytes += more;
    return takes_bytes;
  }
  bool wait(std::chrono::milliseconds time) override;
  std::optional<std::string> ask(const std::string& question, bool is_secret) override;

  shell::style how = {};
  bool interactive = false, takes_bytes = false;
  std::string output, errors, bytes;
  std::vector<std::string> questions; ///< Secret ones begin with `!`.
  std::deque<std::string> answers;
  std::function<bool()> on_wait = {}; ///< Instead of waiting; false: stop.
};

/// An actor of any kind, supervised by another one like it.
using sample_actor =
    caf::typed_actor<caf::reacts_to<msg::child_failed>, caf::reacts_to<msg::end_stream>, XMPP_SUPERVISED>;

class sample : public supervised<sample_actor> {
public:
  /// `mute`: never answers.
  sample(caf::actor_config& cfg, caf::strong_actor_ptr supervisor, actor_kind kind, jid owner, std::string name,
         bool mute = false);
  behavior_type make_behavior() override;

  inline static std::atomic<int> streams_ended{0}; ///< Of all of them.

protected:
  void restart() override {}
  void on_stop(const std::string&) override {}
  msg::description describe() const override;

private:
  jid owner_;
  std::string name_;
  bool mute_;
};

/// An actor system with a small tree: server root, supervisor shards with shard 0, user romeo, supervisor sessions with
/// two sessions of romeo.
struct shell_fixture {
  shell_fixture();
  ~shell_fixture();

  caf::strong_actor_ptr start(const caf::strong_actor_ptr& supervisor, actor_kind kind, std::string_view owner,
                              const std::string& name, bool mute = false);
  /// Runs a line; returns its exit status. `out` holds only what this line wrote.
  int run(std::string_view line);
  std::string number(const caf::strong_actor_ptr& of) const { return std::to_string(of->id()); }

  caf::actor_system_config config;
  caf::actor_system system{config};
  fake_backend backend;
  fake_console out;
  shell::context with{out, backend, system};
  std::vector<caf::strong_actor_ptr> all;
  caf::strong_actor_ptr root, shards, shard, romeo, sessions, balcony, street;
};

} // namespace xmpp::test
