#pragma once

#include <string>
#include <vector>

namespace engraft {

/// Evenly spaced round values, 1, 2 or 5 times a power of ten apart.
struct Ticks {
  double step = 1;
  int decimals = 0;  ///< needed to write them
  std::vector<double> values;
};

struct TickRange {
  double low = 0, high = 1;  ///< finite, low < high
  double smallest_step = 0;  ///< 1 for whole numbers
};

/// All ticks inside the range, about `wanted` of them (≥ 1).
[[nodiscard]] Ticks round_ticks(const TickRange& range, int wanted);

[[nodiscard]] std::string tick_label(const Ticks& ticks, double value);

/// The upper end of an axis from 0 for these values, in any order; not finite ones are left out.
/// A few values more than 20 times the upper quartile would flatten all others: they do not count
/// and lie off the scale. Always > 0.
[[nodiscard]] double axis_top(std::vector<double> values);

}  // namespace engraft
