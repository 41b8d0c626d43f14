#include "tests/actors/shell_fixture.hpp"

#include <stdexcept>
#include <thread>
#include <utility>

namespace xmpp::test {

result<void> fake_backend::create_account(const jid& account, const std::string& password) {
  auto guard = std::lock_guard{mutex};
  if (account.domain() != "localhost")
    return errc::host_unknown;
  return accounts.emplace(account.text(), password).second ? result<void>{} : errc::conflict;
}

result<void> fake_backend::set_password(const jid& account, const std::string& password) {
  auto guard = std::lock_guard{mutex};
  auto i = accounts.find(std::string{account.text()});
  if (i == accounts.end())
    return errc::item_not_found;
  i->second = password;
  return {};
}

result<void> fake_backend::remove_account(const jid& account) {
  auto guard = std::lock_guard{mutex};
  return accounts.erase(std::string{account.text()}) ? result<void>{} : errc::item_not_found;
}

result<fake_backend::fields> fake_backend::account_info(const jid& account) {
  auto guard = std::lock_guard{mutex};
  if (!accounts.count(std::string{account.text()}))
    return errc::item_not_found;
  return fields{{"roster items", "3"}};
}

result<void> fake_backend::for_each_account(const std::function<bool(const jid&)>& visit) {
  auto guard = std::lock_guard{mutex};
  for (auto& [name, password] : accounts)
    if (!visit(jid::from_prepared(name)))
      break;
  return {};
}

result<void> fake_backend::send_message(const jid& to, const std::string& text) {
  auto guard = std::lock_guard{mutex};
  if (to.local() == "nobody")
    return errc::item_not_found;
  calls.push_back("send " + std::string{to.text()} + ": " + text);
  return {};
}

result<std::size_t> fake_backend::announce(const std::string& text) {
  auto guard = std::lock_guard{mutex};
  calls.push_back("announce " + text);
  return std::size_t{1234};
}

result<void> fake_backend::set_log_level(const std::string& component, const std::string& level) {
  auto guard = std::lock_guard{mutex};
  if (component != "session" && component != "storage")
    return errc::item_not_found;
  if (level != "debug")
    return errc::bad_request;
  calls.push_back("log " + component + " " + level);
  return {};
}

result<void> fake_backend::shutdown() {
  if (on_shutdown)
    on_shutdown();
  auto guard = std::lock_guard{mutex};
  calls.push_back("shutdown");
  return {};
}

void fake_console::write(std::string_view text) {
  output += text;
}

bool fake_console::wait(std::chrono::milliseconds time) {
  if (on_wait)
    return on_wait();
  std::this_thread::yield();
  static_cast<void>(time);
  return true;
}

std::optional<std::string> fake_console::ask(const std::string& question, bool is_secret) {
  questions.push_back((is_secret ? "!" : "") + question);
  if (answers.empty())
    return std::nullopt;
  auto answer = answers.front();
  answers.pop_front();
  return answer;
}

sample::sample(caf::actor_config& cfg, caf::strong_actor_ptr supervisor, actor_kind kind, jid owner, std::string name,
               bool mute)
    : supervised(cfg, kind, std::move(supervisor)), owner_(std::move(owner)), name_(std::move(name)), mute_(mute) {}

sample::behavior_type sample::make_behavior() {
  begin(owner_, name_);
  memory_bytes = 5'000;
  return {
      [](const msg::child_failed& x) { caf::anon_send(caf::actor_cast<caf::actor>(x.child), msg::verdict{}); },
      [](const msg::end_stream& x) { streams_ended += x.reason == errc::policy_violation && x.text == "go home"; },
      [this](const msg::verdict& x) { decide(x); },
      [](msg::fail_now) { throw std::runtime_error{"told to fail"}; },
      [this](msg::describe) -> caf::result<msg::description> {
        if (mute_)
          return make_response_promise<msg::description>();
        return describe();
      },
  };
}

msg::description sample::describe() const {
  return {{{"name", "known already"}, {"stage", "bound"}, {"child", "first"}, {"child", "second"}}};
}

shell_fixture::shell_fixture() {
  root = start(nullptr, actor_kind::server, "", "root");
  shards = start(root, actor_kind::supervisor, "", "shards");
  shard = start(shards, actor_kind::shard, "", "0");
  romeo = start(shard, actor_kind::user, "romeo@localhost", "");
  sessions = start(root, actor_kind::supervisor, "", "sessions");
  balcony = start(sessions, actor_kind::session, "romeo@localhost/balcony", "");
  street = start(sessions, actor_kind::session, "romeo@localhost/street", "");
}

shell_fixture::~shell_fixture() {
  for (auto& one : all)
    caf::anon_send_exit(caf::actor_cast<caf::actor>(one), caf::exit_reason::user_shutdown);
}

caf::strong_actor_ptr shell_fixture::start(const caf::strong_actor_ptr& supervisor, actor_kind kind,
                                           std::string_view owner, const std::string& name, bool mute) {
  auto who = owner.empty() ? jid{} : *jid::parse(owner);
  all.push_back(caf::actor_cast<caf::strong_actor_ptr>(system.spawn<sample>(supervisor, kind, who, name, mute)));
  // It enlists when it first runs.
  while (!registry::instance().entry_of(all.back()->id()))
    std::this_thread::yield();
  return all.back();
}

int shell_fixture::run(std::string_view line) {
  out.output.clear();
  out.errors.clear();
  return shell::run_line(with, line);
}

} // namespace xmpp::test
