#include "signals.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

namespace engraft::cli {
namespace {

constexpr int kStoppedExitCode = 130;

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

StopOnSignal::StopOnSignal() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error of write, too
  std::signal(SIGPIPE, SIG_IGN);  // "| head" must end in an error from write, not in a kill
  waiter_ = std::jthread([this](const std::stop_token& ended) {
    const sigset_t set = stop_signals();
    const timespec patience{.tv_sec = 0, .tv_nsec = 50'000'000};
    while (!ended.stop_requested()) {
      if (sigtimedwait(&set, nullptr, &patience) < 0) continue;
      if (!source_.request_stop()) ::_exit(kStoppedExitCode);
    }
  });
}

StopOnSignal::~StopOnSignal() = default;

}  // namespace engraft::cli
