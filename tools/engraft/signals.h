#pragma once

#include <stop_token>
#include <thread>

namespace engraft::cli {

/// Turns the first SIGINT, SIGTERM or SIGHUP into a stop request, so that work in hand ends
/// cleanly; the second ends the process at once. Made before other threads, which inherit its
/// signal mask.
class StopOnSignal {
 public:
  StopOnSignal();
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread waiter_;
};

}  // namespace engraft::cli
