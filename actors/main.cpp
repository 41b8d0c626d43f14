// The command line, the server, its signals: start reading here.

#include "actors/cli.hpp"
#include "actors/log.hpp"
#include "actors/server.hpp"
#include "actors/service_manager.hpp"
#include "actors/shell/client.hpp"
#include "actors/shell/remote_accounts.hpp"
#include "actors/store_accounts.hpp"

#include <csignal>
#include <iostream>
#include <thread>

namespace xmpp {
namespace {

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
  log::info("server.stopping", {{"orderly", orderly}});
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
  return xmpp::run_cli(argc, argv, actions);
}
