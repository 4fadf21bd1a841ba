#pragma once

#include <chrono>
#include <functional>

#include "growth_measure.h"

namespace engraft::bench {

inline constexpr int kFeatureSize = 1280;

/// Seconds since it was made.
class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Calls run, which does one repetition and returns its seconds, as often as the effort says.
void repeat(const Effort& effort, const std::function<double()>& run);

/// The upper of the two middle ones of an even number; not of none.
[[nodiscard]] double median(std::vector<double> values);

/// 1000, 10000, … up to the most that are wanted.
[[nodiscard]] std::vector<double> row_counts(const Effort& effort);

}  // namespace engraft::bench
