// Configuration, server, signals: start reading here.

#include "actors/config.hpp"
#include "actors/log.hpp"
#include "actors/server.hpp"

#include <csignal>
#include <cstdio>
#include <thread>

namespace {

int serve(const char* file) {
  using namespace xmpp;
  auto options = load_config(file);
  if (!options) {
    std::fprintf(stderr, "%s\n", options.error().text.c_str());
    return 1;
  }
  log::start({options->log.format, options->log.level, options->log.levels, options->log.file, 16'384, {}});
  auto signals = sigset_t{};
  sigemptyset(&signals);
  for (auto one : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&signals, one);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  auto running = server::start(*options);
  if (!running) {
    std::fprintf(stderr, "%s\n", running.error().text.c_str());
    return 1;
  }
  auto waiter = std::thread{[&] {
    for (;;) {
      auto signal = 0;
      sigwait(&signals, &signal);
      if (signal != SIGHUP)
        return (*running)->request_stop();
      (void)(*running)->reload();
    }
  }};
  for (auto& one : (*running)->listening_on())
    std::printf("listening: %s\n", one.c_str());
  std::fflush(stdout);
  auto orderly = (*running)->wait();
  (*running)->stop();
  if (!orderly)
    pthread_kill(waiter.native_handle(), SIGTERM);
  waiter.join();
  *running = nullptr;
  log::stop();
  return orderly ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  if (argc == 3)
    return serve(argv[2]);
  return 2;
}
