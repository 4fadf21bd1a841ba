#pragma once

#include <atomic>
#include <chrono>
#include <string>

namespace engraft {

/// "mostly reading pictures (63 %)" or "mostly the network (88 %)": which side the other waits for,
/// from the share, 0 to 1, of all workers' time that reading takes.
[[nodiscard]] std::string bottleneck(double reading_share);

/// Where the time of workers goes that read pictures (files, decoding, resizing) and put them
/// through a network, each on its own.
class FeedClock {
  using Clock = std::chrono::steady_clock;

 public:
  explicit FeedClock(int workers) : workers_(workers) {}

  /// A worker reads, as long as this lives.
  class Reading {
   public:
    explicit Reading(FeedClock& clock) : clock_(clock) {}
    ~Reading() { clock_.reading_ += (Clock::now() - begin_).count(); }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    FeedClock& clock_;
    Clock::time_point begin_ = Clock::now();
  };

  /// bottleneck() of the time so far.
  [[nodiscard]] std::string text() const;

 private:
  int workers_;
  Clock::time_point begin_ = Clock::now();
  std::atomic<Clock::rep> reading_ = 0;
};

}  // namespace engraft
