#pragma once

#include <cstdint>

namespace engraft {

/// How fast a stage of work goes. What was done before it, by an earlier process, takes part in how
/// far it is, and not in how fast.
struct Pace {
  std::int64_t total = 0;    ///< steps
  std::int64_t done = 0;     ///< of them
  std::int64_t skipped = 0;  ///< of the done ones: those that took no time
  double elapsed = 0;        ///< seconds

  /// Steps a second; 0 before there is any.
  [[nodiscard]] double rate() const {
    return elapsed > 0 && done > skipped ? static_cast<double>(done - skipped) / elapsed : 0;
  }
  /// Seconds that the rest will take; 0 where nothing is known of it.
  [[nodiscard]] double left() const {
    return rate() > 0 && done < total ? static_cast<double>(total - done) / rate() : 0;
  }
};

}  // namespace engraft
