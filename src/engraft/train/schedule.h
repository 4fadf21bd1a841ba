#pragma once

#include <cstdint>

namespace engraft {

/// Learning rate over a run of `total` steps: linear up to `peak` over the first `warmup` share of
/// them, then half a cosine down towards 0 (Loshchilov & Hutter 2017):
///   s < W:  peak·(s+1)/W          W = round(warmup·total)
///   else:   peak·(1 + cos(π·(s-W)/(total-W)))/2
struct Schedule {
  float peak = 0;
  float warmup = 0;  ///< [0, 1)
  std::int64_t total = 1;

  /// Rate of step s in [0, total).
  [[nodiscard]] float rate(std::int64_t step) const;
};

}  // namespace engraft
