// The command line, the server, its signals: start reading here.

#include "actors/cli.hpp"
#include "actors/log.hpp"
#include "actors/server.hpp"
#include "actors/service_manager.hpp"
#include "actors/shell/client.hpp"
#include "actors/shell/remote_accounts.hpp"
#include "actors/shell/remote_backup.hpp"
#include "actors/store_accounts.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <mutex>
#include <thread>
#include <unistd.h>

namespace xmpp {
namespace {

/// Ends the process when its orderly end takes too long: a disk that does not answer, say. What was acknowledged is on
/// the disk by then. From its making on, until it is destroyed.
class last_resort {
public:
  explicit last_resort(std::chrono::seconds patience) : thread_([this, patience] { watch(patience); }) {}
  ~last_resort() {
    {
      auto guard = std::lock_guard{mutex_};
      is_over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  last_resort(const last_resort&) = delete;

private:
  void watch(std::chrono::seconds patience) {
    auto guard = std::unique_lock{mutex_};
    if (changed_.wait_for(guard, patience, [this] { return is_over_; }))
      return;
    log::error("server.stop_too_slow", {{"seconds", patience.count()}});
    ::alarm(1); // for a log that cannot be written either
    log::stop();
    ::_exit(1);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  std::thread thread_; // last: it uses the others
};

/// For what follows the clients' own time to close.
constexpr auto stop_patience_min = std::chrono::seconds{5};

/// Until told to stop. SIGTERM and SIGINT end it in order, SIGHUP reads the configuration and the certificates again.
int serve(const config& options) {
  auto signals = sigset_t{};
  sigemptyset(&signals);
  for (auto one : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&signals, one);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  if (!log::start({options.log.format,
                   options.log.level,
                   options.log.levels,
                   options.log.file,
                   options.log.queue_events_max,
                   {}}))
    log::warning("log.file_not_opened", {{"file", options.log.file.string()}});
  auto started = server::start(options);
  if (!started) {
    log::stop();
    std::cerr << "troupe: " << started.error().text << '\n';
    return started.code() == errc::bad_request ? 2 : 1;
  }
  auto running = *std::move(started);
  auto waiter = std::thread{[&] {
    for (;;) {
      auto signal = 0;
      sigwait(&signals, &signal);
      if (signal != SIGHUP)
        return running->request_stop();
      tell_service_manager("RELOADING=1");
      log::reopen();
      if (auto done = running->reload(); !done)
        log::error("config.refused", {{"why", done.error().text}});
      tell_service_manager("READY=1");
    }
  }};
  print_welcome(std::cout, options, running->listening_on(), running->first_account());
  std::cout.flush();
  tell_service_manager("READY=1");
  auto orderly = running->wait();
  tell_service_manager("STOPPING=1");
  auto for_clients = std::chrono::seconds{running->context().live()->options.server.shutdown_timeout_s};
  auto at_last = last_resort{for_clients + std::max(for_clients, stop_patience_min)};
  if (orderly)
    log::info("server.stopping", {{"orderly", true}});
  else
    log::error("server.stopping", {{"orderly", false}});
  running->stop();
  ::kill(::getpid(), SIGTERM); // for the waiter, if it was not a signal that ended us
  waiter.join();
  running = nullptr;
  log::stop();
  return orderly ? 0 : 1;
}

} // namespace
} // namespace xmpp

int main(int argc, char** argv) {
  auto actions = xmpp::cli_actions{};
  actions.serve = xmpp::serve;
  actions.shell = [](const xmpp::config& options, const std::optional<std::string>& command, bool json) {
    return xmpp::run_shell(options.server.admin_socket, command, json);
  };
  actions.accounts_of_server = xmpp::shell::accounts_of_server;
  actions.accounts_of_store = xmpp::accounts_of_store;
  actions.backup_of_server = xmpp::shell::backup_of_server;
  return xmpp::run_cli(argc, argv, actions);
}
