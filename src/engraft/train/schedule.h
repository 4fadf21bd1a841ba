#pragma once

#include <cstdint>
#include <string_view>

namespace engraft {

/// How the learning rate runs over the steps s = 0 … total-1. All but kOneCycle warm up first:
///   s < W:  peak·(s+1)/W,   W = round(warmup·total)
enum class ScheduleKind {
  /// s ≥ W:  peak
  kConstant,
  /// Half a cosine down towards 0 (Loshchilov & Hutter 2017):
  ///   s ≥ W:  peak·(1 + cos(π·(s-W)/(total-W)))/2
  kCosine,
  /// The run in `pieces` of equal length, each at `factor` times the rate of the one before:
  ///   s ≥ W:  peak·factor^⌊pieces·s/total⌋
  kStep,
  /// One cycle (Smith 2018, §5): up in a line, then down by half a cosine, far below the start. Its
  /// rise is its warm-up: `warmup` has no say.
  ///   s < R:  peak·(1/25 + (1 - 1/25)·s/R),   R = round(0.3·total)
  ///   s ≥ R:  low + (peak - low)·(1 + cos(π·(s-R)/(total-1-R)))/2,   low = peak/1e4
  kOneCycle,
};

inline constexpr ScheduleKind kScheduleKinds[] = {ScheduleKind::kConstant, ScheduleKind::kCosine,
                                                  ScheduleKind::kStep, ScheduleKind::kOneCycle};

/// "constant", "cosine", "step", "one-cycle": as in options and metadata.
[[nodiscard]] std::string_view name_of(ScheduleKind schedule);

/// The learning rate over a run of `total` steps.
struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  float peak = 0;          ///< the highest rate, above 0
  float warmup = 0;        ///< share of all steps, [0, 1)
  std::int64_t total = 1;  ///< [1, 1e15]
  int pieces = 3;          ///< kStep, [1, 1000]
  float factor = 0.1f;     ///< kStep, (0, 1]

  /// Throws Error(kUsage) for a value out of its range.
  void check() const;

  /// Rate of step s in [0, total), for a schedule that check() accepts: a function of nothing else,
  /// so that a run that goes on where it stopped goes on alike.
  [[nodiscard]] float rate(std::int64_t step) const;
};

}  // namespace engraft
