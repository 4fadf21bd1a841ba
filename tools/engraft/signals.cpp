#include "signals.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>

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
    while (true) {
      if (sigwaitinfo(&set, nullptr) < 0) continue;
      if (ended.stop_requested()) return;
      if (!source_.request_stop()) ::_exit(kStoppedExitCode);
    }
  });
}

StopOnSignal::~StopOnSignal() {
  waiter_.request_stop();
  pthread_kill(waiter_.native_handle(), SIGTERM);  // to nobody else: the end must not wait for it
}

}  // namespace engraft::cli
